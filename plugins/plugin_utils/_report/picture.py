# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Draws the hosts' clocks for the page of the report: one axis for all hosts, and a strip for each. Pure.

Clocks that are behind are on the left of the middle, those that are ahead on the right. (An offset is reference − host, so it has
the opposite sign.) The axis is symmetric-logarithmic: linear within a millisecond and logarithmic beyond, because a fleet may have
clocks that are off by milliseconds and by decades.

Each color also has a shape: a circle is right, an arrowhead is wrong and points to its side, a diamond is undecided, hatching is
unknown, a dashed line was not measured. Hollow shapes are before, filled ones after the repair.
"""

from __future__ import annotations

import math
import typing as t

WIDTH, WIDTH_OF_ALL, MARGIN = 320, 960, 12
HEIGHT, HEIGHT_OF_ONE = 30, 18  # of a strip with before and after, and with one of them
HEIGHT_OF_BARS, WIDTH_OF_BAR = 46, 20
LINEAR = 0.001  # seconds on each side of the middle

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400
# Possible ticks of the axis, in seconds, by priority: one without room is left out.
_TICKS = ((_YEAR, '1 y'), (_HOUR, '1 h'), (_MINUTE, '1 min'), (_DAY, '1 d'), (1, '1 s'), (10 * _YEAR, '10 y'),
          (30 * _DAY, '30 d'), (0.1, '0.1 s'), (0.01, '10 ms'), (100 * _YEAR, '100 y'), (600, '10 min'), (10, '10 s'))
_ROOM = 30  # between the middles of two labels of the axis
_LEAST = 100  # times the threshold is the minimum range of the axis, so that a right clock is near the middle

# Texts in place of a clock without an interval, by the verdict of M(clock_skew_info); '' without a verdict.
WITHOUT_CLOCK = {
    'unreachable': 'no reference answered',
    'sources_disagree': 'the references disagree',
    '': 'not measured',
}
SHARED = (
    '<svg class="shared" width="0" height="0" aria-hidden="true" focusable="false"><defs>'
    '<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<path class="hatch" d="M0 0V6"/></pattern>'
    '<g id="axis">{axis}</g></defs></svg>'
)


def number(value: t.Any) -> float | None:
    """Return a finite number of seconds, or None for any other value."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


Clock = t.Mapping[str, t.Any]


class Axis:
    """Maps offsets (reference − host, seconds) to positions. Its range includes all given clocks."""

    def __init__(self, max_skew: float | None, clocks: t.Iterable[Clock], width: int = WIDTH) -> None:
        self.max_skew = max_skew
        self.width, self.middle = width, width / 2
        known = [abs(value) for clock in clocks for value in map(number, map(clock.get, ('offset', 'low', 'high')))
                 if value is not None]
        self._reach = self._size(max([_LEAST * (max_skew or 1.0), *known])) * 1.02

    @staticmethod
    def _size(seconds: float) -> float:
        return math.log10(1 + seconds / LINEAR)

    def place(self, offset: float) -> float:
        """Return the horizontal position of an offset, from 0 to the width. Clocks that are behind are on the left."""
        along = math.copysign(self._size(abs(offset)) / self._reach, -offset)
        return round(self.middle + along * (self.middle - MARGIN), 1)

    def shared(self) -> str:
        """Return the common parts of all strips: the ticks, the range within the threshold, the hatching. Once per page."""
        return SHARED.format(axis=self._ground(HEIGHT))

    def head(self) -> str:
        """Return the axis with its labels, for the head of the column."""
        return f'<svg class="strip" viewBox="0 0 {self.width} 28" aria-hidden="true">{self._words(9, 20)}</svg>'

    def spread(self, clocks: t.Sequence[Clock | None]) -> str:
        """Return a histogram of the clocks, with logarithmic heights, so that a single host is visible."""
        bars: dict[float, dict[str, int]] = {}
        for clock in clocks:
            offset = number((clock or {}).get('offset'))
            if clock and offset is not None:
                kinds = bars.setdefault((self.place(offset) - self.middle) // WIDTH_OF_BAR, {'right': 0, 'wrong': 0, 'open': 0})
                kinds[_class(self._verdict(clock, offset))] += 1
        most = max((sum(kinds.values()) for kinds in bars.values()), default=1)
        drawn = ''.join(_bar(self.middle + index * WIDTH_OF_BAR, kinds, most) for index, kinds in bars.items())
        foot = 14 + HEIGHT_OF_BARS
        return (f'<svg class="spread" viewBox="0 0 {self.width} {foot + 28}" aria-hidden="true">'
                f'{self._ground(foot)}{drawn}{self._words(foot + 24, foot + 11)}</svg>')

    def strip(self, before: Clock | None, after: Clock | None) -> str:
        """Return the strip of one host: its clock before, and below it the one after."""
        if not after:
            return _strip(self._clock(before, 'before', HEIGHT_OF_ONE // 2), HEIGHT_OF_ONE)
        content = self._clock(before, 'before', 8)
        if before:
            start, end = (number(clock.get('offset')) for clock in (before, after))
            if start is not None and end is not None and abs(self.place(start) - self.place(end)) > 16:
                content += f'<path class="way" d="M{self.place(start):g} 8L{self.place(end):g} 22"/>'
        return _strip(content + self._clock(after, 'after', 22), HEIGHT)

    def _ground(self, height: int) -> str:
        lines = ''.join(f'M{self.place(sign * seconds):g} 0V{height}' for seconds, unused in self._ticks() for sign in (1, -1))
        return (self._within_threshold(height)
                + f'<path class="tick" d="{lines}"/><path class="zero" d="M{self.middle:g} 0V{height}"/>')

    def _words(self, sides: int, ticks: int) -> str:
        """Return the labels of the axis. sides, ticks: vertical positions of their two lines."""
        words = [f'<text x="2" y="{sides}">← behind</text><text class="mid" x="{self.middle:g}" y="{sides}">right time</text>'
                 f'<text class="end" x="{self.width - 2}" y="{sides}">ahead →</text>']
        words += [_word(self.place(sign * seconds), ticks, name) for seconds, name in self._ticks() for sign in (1, -1)]
        if self.max_skew:
            words += [_word(self.place(sign * self.max_skew), ticks, f'{self.max_skew:g} s', 'limit ') for sign in (1, -1)]
        return ''.join(words)

    def _clock(self, clock: Clock | None, when: str, y: int) -> str:
        clock = clock or {}
        verdict = str(clock.get('verdict') or '')
        offset, low, high = (number(clock.get(key)) for key in ('offset', 'low', 'high'))
        if offset is None and low is None and high is None:
            return _without_clock(verdict, y)
        if offset is None:
            offset = sum(ends) / len(ends) if (ends := [end for end in (low, high) if end is not None]) else 0.0
        verdict = self._verdict(clock, offset)
        left, right = (self.place(offset if end is None else end) for end in (high, low))
        seen = right - left > 2
        interval = f'<path class="span {_class(verdict)}" d="M{left:g} {y - 4}v8m0-4H{right:g}m0-4v8"/>' if seen else ''
        # The interval is drawn last: it may be narrower than the marker, and is visible in a hollow one.
        return f'<path class="{when} {_class(verdict)}" d="{_shape(verdict, offset, self.place(offset), y)}"/>' + interval

    def _verdict(self, clock: Clock, offset: float) -> str:
        """Return the verdict on a clock, which is computed here only for a report without verdicts."""
        return str(clock.get('verdict') or ('skewed' if self.max_skew and abs(offset) > self.max_skew else 'in_sync'))

    def _within_threshold(self, height: int) -> str:
        if not self.max_skew:
            return ''
        left, right = self.place(self.max_skew), self.place(-self.max_skew)
        return (f'<rect class="within" x="{left:g}" width="{right - left:.1f}" height="{height}"/>'
                f'<path class="limit" d="M{left:g} 0V{height}M{right:g} 0V{height}"/>')

    def _ticks(self) -> list[tuple[float, str]]:
        """Return the ticks with room for their labels: apart from each other, the threshold, the middle and the ends."""
        beyond = -MARGIN  # an imaginary label, because half of the last one needs room
        taken = [self.middle, beyond] + ([self.place(self.max_skew)] if self.max_skew else [])
        found = []
        for seconds, name in _TICKS:
            if self._size(seconds) <= self._reach and all(abs(self.place(seconds) - other) >= _ROOM for other in taken):
                taken.append(self.place(seconds))
                found.append((seconds, name))
        return found


def _strip(content: str, height: int) -> str:
    return f'<svg class="strip" viewBox="0 0 {WIDTH} {height}" aria-hidden="true"><use href="#axis"/>{content}</svg>'


def _word(x: float, y: int, text: str, kind: str = '') -> str:
    return f'<text class="{kind}mid" x="{x:g}" y="{y}">{text}</text>'


def _bar(x: float, kinds: dict[str, int], most: int) -> str:
    count = sum(kinds.values())
    height = HEIGHT_OF_BARS * math.log2(1 + count) / math.log2(1 + most)
    top = 14 + HEIGHT_OF_BARS - height
    drawn = f'<text class="count mid" x="{x + WIDTH_OF_BAR / 2:g}" y="{top - 3:.1f}">{count}</text>'
    for kind, part in kinds.items():
        share = height * part / count
        if part:
            drawn += f'<rect class="bar {kind}" x="{x + 1:g}" y="{top:.1f}" width="{WIDTH_OF_BAR - 2}" height="{share:.1f}"/>'
        top += share
    return drawn


def _class(verdict: str) -> str:
    return {'in_sync': 'right', 'skewed': 'wrong'}.get(verdict, 'open')


def _shape(verdict: str, offset: float, x: float, y: int) -> str:
    """Return the marker at x, y: a circle, an arrowhead that points to the side of the clock, or a diamond."""
    if verdict == 'in_sync':
        return f'M{x - 4.5:g} {y}a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z'
    if verdict == 'skewed':
        towards = -1 if offset > 0 else 1
        return f'M{x + towards * 6:g} {y}L{x - towards * 4:g} {y - 5.5:g}V{y + 5.5:g}z'
    return f'M{x - 5.5:g} {y}l5.5-5.5l5.5 5.5l-5.5 5.5z'


def _without_clock(verdict: str, y: int) -> str:
    """Return a hatched strip for a measurement without a result, or a dashed line for a host that was not measured."""
    words = WITHOUT_CLOCK.get(verdict, 'unknown')
    line = (f'<rect class="unknown" x="1" y="{y - 7}" width="{WIDTH - 2}" height="14"/>' if verdict else
            f'<path class="silent" d="M2 {y}H{WIDTH - 2}"/>')
    plate = len(words) * 5.6 + 12
    return (f'{line}<rect class="plate" x="{(WIDTH - plate) / 2:g}" y="{y - 7}" width="{plate:g}" height="14"/>'
            f'<text class="mid" x="{WIDTH / 2:g}" y="{y + 3.5:g}">{words}</text>')
