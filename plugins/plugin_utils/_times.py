# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dates as numbers, and lengths of time in two figures. Pure; offsets in full are in module_utils/_common/formatting.py."""

from __future__ import annotations

import datetime
import typing as t


def unix_seconds(text: t.Any) -> float | None:
    """Return the Unix seconds of an ISO 8601 text, such as 2017-02-28T18:39:51Z; None for any other value."""
    try:
        return datetime.datetime.fromisoformat(str(text).replace('Z', '+00:00')).timestamp()
    except ValueError:
        return None


def in_two_figures(seconds: float) -> str:
    """Return a duration such as 12.3 s, 4 min, 3.5 h or 12 d, for a hint or an age, without its sign."""
    size = abs(seconds)
    for name, unit in (('d', 86400), ('h', 3600), ('min', 60)):
        if size >= 2 * unit:
            return f'{size / unit:.1f}'.removesuffix('.0') + f' {name}'
    return f'{size:.1f} s'
