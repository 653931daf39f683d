# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Intersect intervals that contain the true offset as long as falsetickers are a minority (Marzullo, RFC 5905 section 11.2.1).

Everything here is pure. All numbers are seconds, *reference - host*: positive means that the host is behind.
"""

from typing import List, NamedTuple, Optional, Sequence, Tuple


class Interval(NamedTuple):
    """The closed interval [low, high] in which the host's offset lies, in seconds (reference - host)."""

    low: float
    high: float

    @property
    def width(self) -> float:
        return self.high - self.low

    @property
    def middle(self) -> float:
        return self.low + (self.high - self.low) / 2

    def contains(self, point: float) -> bool:
        return self.low <= point <= self.high

    def overlaps(self, other: 'Interval') -> bool:
        return self.low <= other.high and other.low <= self.high

    def intersection(self, other: 'Interval') -> Optional['Interval']:
        """The intersection of both; None if they do not overlap."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Interval(low, high) if low <= high else None

    def distance(self, other: 'Interval') -> float:
        """Seconds between two intervals that do not overlap; 0 when they do."""
        return max(0.0, self.low - other.high, other.low - self.high)

    def is_conclusive(self, threshold: float) -> bool:
        """Whether the whole interval is within ±threshold, or the whole interval is outside."""
        return (-threshold <= self.low and self.high <= threshold) or self.low > threshold or self.high < -threshold

    def clamp(self, point: float) -> float:
        """The point of this interval that is nearest to the given one."""
        return min(max(point, self.low), self.high)


class Agreement(NamedTuple):
    """The agreement of a majority.

    bounds: holds the truth as long as those who lie are a minority of all who were asked (see intersect()).
    estimate: the best single number, within bounds.
    members: indices of the intervals that take part in a majority.
    """

    bounds: Interval
    estimate: float
    members: Tuple[int, ...]


def intersect(intervals: Sequence[Interval], silent: int = 0) -> Optional[Agreement]:
    """Intersect intervals after Marzullo (RFC 5905 §11.2.1), keeping *every* point that a majority allows.

    The intersection of the largest clique alone is the usual answer and is not safe: two falsetickers that agree by chance
    with one honest source form a clique as large as the honest one's own. If fewer than half of the sources lie, the
    truth lies in more than half of the intervals; so the hull of all points covered that often always holds it.

    silent: sources that were asked and have not been heard. They may be truechimers, so the falsetickers may be more
    than half of those who answered. The bounds allow for it: a point needs the votes of a majority of all, less the
    silent ones. A majority of those who answered is needed in any case.

    Returns None when there is no majority (also: when there are no intervals).
    """
    majority = len(intervals) // 2 + 1
    agreed = _covered(intervals, majority)
    if not agreed:
        return None
    needed = max(1, (len(intervals) + silent) // 2 + 1 - silent)
    allowed = agreed if needed >= majority else _covered(intervals, needed)
    bounds = Interval(allowed[0].low, allowed[-1].high)
    members = tuple(i for i, interval in enumerate(intervals) if any(interval.overlaps(part) for part in agreed))
    heard = Interval(agreed[0].low, agreed[-1].high)
    return Agreement(bounds, _estimate([intervals[i] for i in members], heard), members)


def _covered(intervals: Sequence[Interval], times: int) -> List[Interval]:
    """The maximal stretches that lie in at least `times` of the intervals, in ascending order."""
    # At equal positions starts (0) come before ends (1): closed intervals that touch do overlap.
    edges = sorted([(i.low, 0) for i in intervals] + [(i.high, 1) for i in intervals])
    stretches: List[Interval] = []
    start: Optional[float] = None
    depth = 0
    for position, is_end in edges:
        if is_end:
            if depth == times and start is not None:
                stretches.append(Interval(start, position))
                start = None
            depth -= 1
        else:
            depth += 1
            if depth == times:
                start = position
    return stretches


def _estimate(members: Sequence[Interval], within: Interval) -> float:
    """Mean of the middles, each brought within what a majority of those who were heard allows.

    A narrow interval counts for more, because it knows more; so does one whose middle many others allow, because a
    falseticker that is near enough to be a member can claim any width, but not the others' votes.
    """
    total = weights = 0.0
    for interval in members:
        weight = sum(other.contains(interval.middle) for other in members) / max(interval.width, 1e-6)
        total += weight * (within.clamp(interval.middle) - within.low)  # differences keep the digits that large offsets cost
        weights += weight
    return within.clamp(within.low + total / weights)
