# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts of a host that explain why its clock is wrong, and the record of the last repair, from which drift is computed."""

import glob
import os
import time
from typing import Any, Dict, List

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.importing import IMPORT_LOCK
from ansible_collections.aemops.brand_portal.plugins.module_utils._host import statedir

LAST_REPAIR = 'last-repair.json'
_HALF_A_YEAR = 182 * 86400.0
_ZONE_WITHIN = 60.0


def facts(root: str = '/') -> Dict[str, Any]:
    """zone_offsets, rtc_local, last_repair: as time_service_info documents them. Reads files; changes nothing."""
    folder = os.path.join(root, statedir.STATE.lstrip('/'))
    return {
        'zone_offsets': zone_offsets(),
        'rtc_local': rtc_local(root),
        'last_repair': statedir.read(os.path.join(folder, LAST_REPAIR)),
    }


def zone_offsets() -> List[int]:
    """Seconds by which local time is ahead of UTC: now, then in the year's other half if that differs."""
    now = time.localtime()
    other = time.localtime(time.mktime(now) + _HALF_A_YEAR)
    return list(dict.fromkeys([now.tm_gmtoff, other.tm_gmtoff]))


def rtc_local(root: str = '/') -> bool:
    """Whether the hardware clock holds local time, by the third line of adjtime(5)."""
    try:
        with open(os.path.join(root, 'etc/adjtime'), encoding='utf-8', errors='replace') as stream:
            lines = stream.read().splitlines()
    except OSError:
        return False
    return len(lines) > 2 and lines[2].strip() == 'LOCAL'


def rtc_misread(offset: float, root: str = '/') -> bool:
    """Whether the offset (seconds) is explained by a hardware clock that is read as local time."""
    return rtc_local(root) and any(zone and abs(abs(offset) - abs(zone)) <= _ZONE_WITHIN for zone in zone_offsets())


def interrupted(root: str = '/') -> List[str]:
    """What repairs have begun on this host and not ended: as brand_portal_health_info documents it. Asks no systemd, needs no root.

    no_time_daemon: the clock was corrected by clock_step, and no daemon that is known starts at boot to keep it.
    """
    folder = os.path.join(root, statedir.STATE.lstrip('/'))
    left = statedir.interrupted(folder)
    if statedir.read(os.path.join(folder, LAST_REPAIR)) and not _starts_at_boot(root):
        left.append('no_time_daemon')
    return left


def _starts_at_boot(root: str) -> bool:
    """Whether the unit of a time daemon is enabled: a link of its name in a folder of what a target wants."""
    # Most hosts have never been repaired, and need not know all layouts (docs/scale.md).
    with IMPORT_LOCK:
        from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.layouts import LAYOUTS, OTHER_UNITS
    units = {row.layout.unit for row in LAYOUTS} | set(OTHER_UNITS.values())
    links = glob.glob(os.path.join(root, 'etc/systemd/system/*.wants/*.service'))
    return any(os.path.basename(link) in units for link in links)
