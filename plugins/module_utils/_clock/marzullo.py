# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Intersects intervals that contain the true offset as long as falsetickers are a minority (Marzullo, RFC 5905 §11.2.1).

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
        """Return the intersection of both; None if they do not overlap."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Interval(low, high) if low <= high else None

    def distance(self, other: 'Interval') -> float:
        """Return the seconds between two intervals; 0 if they overlap."""
        return max(0.0, self.low - other.high, other.low - self.high)

    def is_conclusive(self, threshold: float) -> bool:
        """Return whether the whole interval is within ±threshold, or the whole interval is outside of it."""
        return (-threshold <= self.low and self.high <= threshold) or self.low > threshold or self.high < -threshold

    def clamp(self, point: float) -> float:
        """Return the point of this interval that is nearest to the given one."""
        return min(max(point, self.low), self.high)


class Agreement(NamedTuple):
    """The agreement of a majority.

    bounds: contains the true offset as long as falsetickers are a minority of all queried sources (see intersect()).
    estimate: the best single number, within bounds.
    members: indices of the intervals that take part in a majority.
    """

    bounds: Interval
    estimate: float
    members: Tuple[int, ...]


def intersect(intervals: Sequence[Interval], silent: int = 0) -> Optional[Agreement]:
    """Intersect intervals after Marzullo (RFC 5905 §11.2.1), keeping *every* point that a majority allows.

    The intersection of the largest clique is the usual result, and it is not safe: two falsetickers that agree by chance with one
    truechimer form a clique as large as that of the truechimers. If fewer than half of the sources are falsetickers, more than half
    of the intervals contain the true offset. The hull of all points in that many intervals therefore always contains it.

    silent: number of queried sources that did not answer. They may be truechimers, so more than half of those that answered may be
    falsetickers. The bounds allow for this: a point needs the votes of a majority of all sources, less the silent ones. In any
    case, it needs a majority of those that answered.

    Returns None if there is no majority or no interval.
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
    """Return the maximal stretches that are in at least `times` of the intervals, in ascending order."""
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
    """Return the weighted mean of the middles, each clamped to what a majority of the sources that answered allows.

    A narrow interval has more weight, because it is more precise. So does an interval whose middle many others contain: a
    falseticker that is near enough to be a member can claim any width, but not the votes of the others.
    """
    total = weights = 0.0
    for interval in members:
        weight = sum(other.contains(interval.middle) for other in members) / max(interval.width, 1e-6)
        total += weight * (within.clamp(interval.middle) - within.low)  # differences keep the digits that large offsets cost
        weights += weight
    return within.clamp(within.low + total / weights)
