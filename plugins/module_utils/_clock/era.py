# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Converts NTP's 64-bit timestamps of any era to Unix time (RFC 5905 §6)."""

# The release date of this code, 2026-11-01 00:00 UTC. The host's clock cannot decide, because it may be wrong.
PIVOT = 1793491200

# Timestamps are interpreted within the 2^32 s (136 years) that begin 2^30 s (34 years) before the release: from 1992-10 to
# 2128-12. A correct server is after the release; the years before it allow for wrong servers.
_WINDOW_START = PIVOT - 2**30

_UNIX_EPOCH_IN_NTP = 2208988800  # 1970-01-01 in seconds since 1900-01-01


def unix_time(timestamp: int) -> float:
    """Return the seconds since 1970 (UTC) of a raw 64-bit NTP timestamp (32.32 fixed point).

    The era is resolved with integers. Only the conversion to a double rounds, by at most 0.24 us until 2106.
    """
    seconds, fraction = timestamp >> 32, timestamp & 0xFFFFFFFF
    unix = (seconds - _UNIX_EPOCH_IN_NTP - _WINDOW_START) % 2**32 + _WINDOW_START
    return unix + fraction / 4294967296.0


def ntp_timestamp(unix: float) -> int:
    """Return the raw 64-bit NTP timestamp of a Unix time, without its era."""
    seconds = int(unix // 1)
    return ((seconds + _UNIX_EPOCH_IN_NTP) % 2**32) << 32 | int((unix - seconds) * 4294967296.0)
