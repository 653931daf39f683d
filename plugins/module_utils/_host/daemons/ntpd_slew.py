# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much an ntpd slews, and what it would step: "tinker step" of ntp.conf(5), -x of ntpd(8)."""

from typing import NamedTuple, Sequence, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.base import number
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.config import ConfigLine


class Slewing(NamedTuple):
    """below: the offset (seconds) that it does not step. by: the line or option that changes it, for a message; '' if none."""

    below: float
    by: str = ''


USUAL = Slewing(0.128)


def slewing_of(lines: Sequence[ConfigLine], options: Sequence[Tuple[str, str]], place: str) -> Slewing:
    """Return how an ntpd with these lines and options slews. place: of the options.

    The last line with a value counts, after the options; 0 is never.
    """
    found = Slewing(600.0, '-x ({0})'.format(place)) if {'-x', '--slew'} & {option for option, _value in options} else USUAL
    for line in lines:
        words = line.words
        at = words.index('step') + 1 if words[:1] == ['tinker'] and 'step' in words else 0
        value = number(words[at]) if 0 < at < len(words) else None
        if value is not None and value >= 0:
            found = Slewing(value or float('inf'), line.quoted)
    return found
