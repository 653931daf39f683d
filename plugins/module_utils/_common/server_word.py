# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""NTP servers from the configuration of a host. An invalid one is not an error of the user's options."""

from typing import Any


class ServerWord(str):
    """`host`, `host:port` or `[IPv6]:port`, the place where it was found, and why it is not queried ('' if it is)."""

    place: str
    reason: str

    def __new__(cls, text: str, place: str = '', reason: str = '') -> 'ServerWord':
        made: Any = super().__new__(cls, text)
        made.place, made.reason = place, reason
        return made
