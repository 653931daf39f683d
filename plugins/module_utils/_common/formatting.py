# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations, offsets and counts as text for users, in one format for messages, tables and pages."""

from typing import List, Optional

_UNITS = (('y', 365 * 86400), ('d', 86400), ('h', 3600), ('min', 60), ('s', 1))


def duration(seconds: float) -> str:
    """``0.2 ms``, ``345 ms``, ``3.21 s``, ``12.4 s``, ``5 min``, ``3 h 20 min``, ``9 y 272 d``; the sign is left out.

    A year has 365 days. Two units are enough for a reader; the exact number is in the data.
    """
    size = abs(seconds)
    if size < 0.00005:
        return '0 s'
    if size < 0.01:
        return f'{size * 1000:.1f} ms'
    if size < 0.9995:
        return f'{size * 1000:.0f} ms'
    if size < 9.995:
        return f'{size:.2f} s'
    if size < 59.95:
        return f'{size:.1f} s'
    rest = int(round(size))
    parts: List[str] = []
    for name, unit in _UNITS:
        number, rest = divmod(rest, unit)
        if number or parts:
            parts.append(f'{number} {name}' if number else '')
        if len(parts) == 2:
            break
    return ' '.join(part for part in parts if part)


def offset_text(offset: Optional[float]) -> str:
    """Return an offset (reference - host, seconds) as text: ``9 y 272 d behind``, ``12 ms ahead``, ``0 s off``, ``unknown``."""
    if offset is None:
        return 'unknown'
    size = duration(offset)
    return f'{size} off' if size == '0 s' else f"{size} {'behind' if offset > 0 else 'ahead'}"


def span(low: float, high: float) -> str:
    """Return an interval of offsets (seconds) as text: ``between 100 ms ahead and 900 ms behind``, ``within 0.2 ms``."""
    if duration(low) == duration(high) or low <= 0 <= high and max(-low, high) < 0.001:
        same_side = low > 0 or high < 0
        return offset_text(high if low > 0 else low) if same_side else f'within {duration(max(-low, high))}'
    if low >= 0:
        return f'between {duration(low)} and {duration(high)} behind'
    if high <= 0:
        return f'between {duration(high)} and {duration(low)} ahead'
    return f'between {duration(low)} ahead and {duration(high)} behind'


def limit(seconds: float) -> str:
    """Return a threshold that a user has set, with all its digits: ``5 s``, ``0.5 s``, ``2592000 s``."""
    return f'{seconds:.12g} s'


def count(number: int, noun: str) -> str:
    """``1 source``, ``3 sources``."""
    return f'{number} {noun}' + ('' if number == 1 else 's')
