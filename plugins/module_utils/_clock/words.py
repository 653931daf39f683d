# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations, spans and counts for people."""


def duration(seconds: float) -> str:
    """``0.003 s``, ``12.4 s``, ``5 min 0 s``, ``3 h 20 min``, ``3563 d 9 h``; the sign is left out."""
    seconds = abs(seconds)
    if seconds < 9.9995:
        return f'{seconds:.3f} s'
    if seconds < 59.95:
        return f'{seconds:.1f} s'
    whole = int(round(seconds))
    if whole < 3600:
        return f'{whole // 60} min {whole % 60} s'
    if whole < 86400:
        return f'{whole // 3600} h {whole // 60 % 60} min'
    return f'{whole // 86400} d {whole // 3600 % 24} h'


def span(low: float, high: float) -> str:
    """An interval of offsets in words: ``between 0.100 s ahead and 0.900 s behind``."""
    if low >= 0:
        return f'between {duration(low)} and {duration(high)} behind'
    if high <= 0:
        return f'between {duration(high)} and {duration(low)} ahead'
    return f'between {duration(low)} ahead and {duration(high)} behind'


def count(number: int, noun: str) -> str:
    """``1 source``, ``3 sources``."""
    return f'{number} {noun}' + ('' if number == 1 else 's')
