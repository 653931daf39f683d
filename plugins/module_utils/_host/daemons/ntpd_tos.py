# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The "tos" lines of ntp.conf(5), which limit the sources that ntpd follows."""

from typing import Dict, NamedTuple, Optional, Sequence

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.base import number
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.config import ConfigLine


class Minsane(NamedTuple):
    """How many servers ntpd needs, and the line that says so. Without such a line, it needs one."""

    value: float
    line: ConfigLine


def tos_values(line: ConfigLine) -> Dict[str, str]:
    """Return {option: value} of a "tos" line."""
    return dict(zip(line.words[1::2], line.words[2::2]))


def minsane(lines: Sequence[ConfigLine]) -> Optional[Minsane]:
    """Return what the last line about it says."""
    found = [(number(tos_values(line).get('minsane')), line) for line in lines if line.words[0] == 'tos']
    known = [Minsane(value, line) for value, line in found if value is not None]
    return known[-1] if known else None
