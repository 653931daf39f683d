# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Computes the drift of a clock from its offsets in the last runs, and when it will exceed the threshold. Pure.

Offsets are reference − host, in seconds. The alerting rule BrandPortalClockWillBeWrong does the same in Prometheus.
"""

from __future__ import annotations

import typing as t

from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report.document import former_rows
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._times import unix_seconds

DAY = 86400.0
KEPT_POINTS = 15
_LARGEST = 1e12         # seconds, of an offset that a report may have
_SAME_RUN = 3600.0      # seconds; a run writes its report several times
_LEAST_POINTS, _LEAST_TIME, _FARTHEST = 3, 1.5 * DAY, 30 * DAY

Row = t.Mapping[str, t.Any]


def with_history(rows: t.Iterable[dict[str, t.Any]], former: t.Any, max_skew: float | None) -> list[dict[str, t.Any]]:
    """Add clock_history (the points of earlier reports, then that of this one) and wrong_in_days to the rows of a report."""
    before: dict[str, list[t.Any]] = {}
    for row in former_rows(former):
        if isinstance(row.get('clock_history'), list):
            before[str(row.get('host'))] = row['clock_history']
    made = []
    for row in rows:
        points = row.get('clock_history') or history(before.get(row['host'], []), row)
        made.append({**row, 'clock_history': points, 'wrong_in_days': wrong_in_days(points, max_skew)})
    return made


def history(points: list[t.Any], row: Row) -> list[list[t.Any]]:
    """Return [when, low, high] of the last runs, the newest last. A repair begins a new history."""
    clock = row.get('clock_after') or row.get('clock_before') or {}
    known = [point for point in points if isinstance(point, list) and len(point) == 3 and unix_seconds(point[0]) is not None
             and all(isinstance(bound, (int, float)) and abs(bound) < _LARGEST for bound in point[1:])]
    if row.get('clock_after'):
        known = []
    when = row.get('reported_at')
    if clock.get('low') is None or clock.get('high') is None or unix_seconds(when) is None:
        return known[-KEPT_POINTS:]
    known = [point for point in known if (unix_seconds(when) or 0.0) - (unix_seconds(point[0]) or 0.0) > _SAME_RUN]
    return [*known, [when, clock['low'], clock['high']]][-KEPT_POINTS:]


def wrong_in_days(points: t.Sequence[t.Sequence[t.Any]], max_skew: float | None) -> float | None:
    """Return in how many days the drift moves the bound nearer to zero out of max_skew; None if not within 30 days."""
    times = [unix_seconds(when) or 0.0 for when, _low, _high in points]
    if not max_skew or len(points) < _LEAST_POINTS or times[-1] - times[0] < _LEAST_TIME:
        return None
    if not -max_skew <= points[-1][1] <= points[-1][2] <= max_skew:
        return None     # the clock is or may be wrong already
    found = []
    for bounds, sign in (([point[1] for point in points], 1.0), ([-point[2] for point in points], -1.0)):
        slope, now = _line(times, bounds)
        if slope > 0:
            left = max(0.0, (max_skew - now) / slope)
            if left <= _FARTHEST:
                found.append((left, sign))
    return round(min(found)[0] / DAY, 1) if found else None


def _line(times: t.Sequence[float], values: t.Sequence[float]) -> tuple[float, float]:
    """Return (slope, value at the last time) of the least-squares line."""
    middle, mean = sum(times) / len(times), sum(values) / len(values)
    spread = sum((time - middle) ** 2 for time in times)
    slope = sum((time - middle) * (value - mean) for time, value in zip(times, values)) / spread
    return slope, mean + slope * (times[-1] - middle)
