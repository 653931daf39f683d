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
    """Return zone_offsets, rtc_local and last_repair as time_service_info documents them. Only reads files."""
    folder = os.path.join(root, statedir.STATE.lstrip('/'))
    return {
        'zone_offsets': zone_offsets(),
        'rtc_local': rtc_local(root),
        'last_repair': statedir.read(os.path.join(folder, LAST_REPAIR)),
    }


def zone_offsets() -> List[int]:
    """Return the seconds by which local time is ahead of UTC: now, and in the other half of the year if that differs."""
    now = time.localtime()
    other = time.localtime(time.mktime(now) + _HALF_A_YEAR)
    return list(dict.fromkeys([now.tm_gmtoff, other.tm_gmtoff]))


def rtc_local(root: str = '/') -> bool:
    """Return whether the hardware clock holds local time, by the third line of adjtime(5)."""
    try:
        with open(os.path.join(root, 'etc/adjtime'), encoding='utf-8', errors='replace') as stream:
            lines = stream.read().splitlines()
    except OSError:
        return False
    return len(lines) > 2 and lines[2].strip() == 'LOCAL'


def rtc_misread(offset: float, root: str = '/') -> bool:
    """Return whether a hardware clock that is read as local time explains the offset (seconds)."""
    return rtc_local(root) and any(zone and abs(abs(offset) - abs(zone)) <= _ZONE_WITHIN for zone in zone_offsets())


def interrupted(root: str = '/', keeper: str = '') -> List[str]:
    """Return the interrupted repairs, as brand_portal_health_info documents them. Does not query systemd or need root.

    no_time_daemon: clock_step has corrected the clock, and no known daemon starts at boot to keep it. keeper: the program that
    keeps the clock, if it is none of them (PTP, a hypervisor), so that no daemon may be configured beside it.
    """
    folder = os.path.join(root, statedir.STATE.lstrip('/'))
    left = statedir.interrupted(folder)
    if statedir.read(os.path.join(folder, LAST_REPAIR)) and not keeper and not _starts_at_boot(root):
        left.append('no_time_daemon')
    return left


# Links of enabled units: the administrator's, those of an image (Flatcar, Photon OS), those of init scripts.
_LINKS = ('etc/systemd/system', 'usr/lib/systemd/system', 'run/systemd/generator.late')


def _starts_at_boot(root: str) -> bool:
    """Return whether the unit of a time daemon is enabled: a .wants folder of a target has a link with its name."""
    # Imported here because most hosts were never repaired and do not need the layouts (docs/scale.md).
    with IMPORT_LOCK:
        from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.layouts import LAYOUTS, OTHER_UNITS
    units = {row.layout.unit for row in LAYOUTS} | set(OTHER_UNITS.values())
    links = [link for folder in _LINKS for link in glob.glob(os.path.join(root, folder, '*.wants/*.service'))
             if os.path.basename(link) in units]
    return any(_leads_to_unit(root, link) and not _is_masked(root, os.path.basename(link)) for link in links)


def _leads_to_unit(root: str, link: str) -> bool:
    """Return whether the unit of a link is there. A package that was removed and not purged leaves its link (Debian)."""
    if not os.path.islink(link):
        return True
    folder = '/' + os.path.relpath(os.path.dirname(link), root)
    return os.path.exists(os.path.join(root, os.path.normpath(os.path.join(folder, os.readlink(link))).lstrip('/')))


def _is_masked(root: str, unit: str) -> bool:
    path = os.path.join(root, 'etc/systemd/system', unit)
    return os.path.islink(path) and os.readlink(path) == '/dev/null'
