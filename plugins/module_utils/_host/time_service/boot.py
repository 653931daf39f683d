# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans the next boot: a unit that waits until the clock is synchronized or a limit is reached, and services that start after it.

systemd.special(7): services that need a correct clock are ordered after time-sync.target, which the waiting unit delays.
"""

from typing import Any, Dict, List, Mapping, NamedTuple, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.texts import OWN_NAME, File, own_file
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.wanted import Refused
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.systemd import STARTS_AT_BOOT, full_name, known_states

UNITS = '/etc/systemd/system'
OURS = OWN_NAME + '-time-wait.service'
# The waiting unit in the package of a daemon, and the program that it starts.
_WAITS: Dict[str, Tuple[Tuple[str, str], ...]] = {
    'chrony': (('chrony-wait.service', '/usr/bin/chronyc'),),
    'ntpsec': (('ntpsec-wait.service', '/usr/sbin/ntpwait'), ('ntp-wait.service', '/usr/bin/ntpwait')),
    'ntpd': (('ntp-wait.service', '/usr/sbin/ntp-wait'),),
    'timesyncd': (('systemd-time-wait-sync.service', '/lib/systemd/systemd-time-wait-sync'),
                  ('systemd-time-wait-sync.service', '/usr/lib/systemd/systemd-time-wait-sync')),
}
# Units that only wait for a daemon.
WAITING = {OURS, *(unit for units in _WAITS.values() for unit, _program in units)}
_CHRONYC = '/usr/bin/chronyc -h 127.0.0.1,::1 waitsync 0 0.1 0.0 1'
# The state of the kernel (STA_UNSYNC), as every version of systemd shows it.
_KERNEL = ("/bin/sh -c 'until LC_ALL=C timedatectl status | grep -Eq \"(NTP|System clock) synchronized: yes\"; do sleep 1; done'")


class Boot(NamedTuple):
    """The plan of the next boot. files: the wanted ones. wait: the waiting unit, '' for none."""

    files: List[File]
    wait: str
    enable: bool


NOTHING = Boot([], '', False)


def plan_boot(host: Any, daemon: Mapping[str, Any], options: Mapping[str, Any]) -> Boot:
    """Plan the options wait_at_boot, wait_at_boot_timeout and start_after_sync. daemon: facts. Raises Refused and NoAnswer."""
    after = list(dict.fromkeys(_full_name(name) for name in options.get('start_after_sync') or []))
    files = [_after(unit) for unit in after]
    for unit, state in (known_states(host, after) if after else {}).items():
        if state['LoadState'] == 'not-found':
            raise Refused(f'start_after_sync: systemd has no unit {unit} on this host.', 'Correct the name, or leave it out.')
    if not options.get('wait_at_boot'):
        return Boot(files, '', False)
    limit = int(options['wait_at_boot_timeout'])
    if not 1 <= limit <= 3600:
        raise Refused(f'wait_at_boot_timeout: {limit} is not a number of seconds from 1 to 3600.')
    unit = _vendors(host, daemon['name'])
    # If the package still has to be installed, this runs again afterwards and finds the vendor's unit.
    limited = own_file(f'{UNITS}/{unit}.d/{OWN_NAME}.conf', ['[Service]', f'TimeoutStartSec={limit}'], 'boot')
    files.append(limited if unit else _ours(daemon, limit))
    wait = unit or OURS
    state = known_states(host, [wait])[wait]
    return Boot(files, wait, state.get('UnitFileState') not in STARTS_AT_BOOT)


def _full_name(name: str) -> str:
    whole = full_name(name)
    if not whole:
        raise Refused(f'start_after_sync: "{name}" is not the name of a systemd service, such as aem.service.',
                      'Correct the name, or leave it out.')
    return whole


def _vendors(host: Any, daemon: str) -> str:
    """Return the waiting unit from the daemon's package if it can work; '' if there is none."""
    for unit, program in _WAITS.get(daemon, ()):
        if known_states(host, [unit])[unit]['LoadState'] == 'loaded' and host.exists(program):
            return unit
    return ''


def _ours(daemon: Mapping[str, Any], limit: int) -> File:
    command = _CHRONYC if daemon['name'] == 'chrony' else _KERNEL
    return own_file(f'{UNITS}/{OURS}', [
        '[Unit]', 'Description=Wait until the clock is synchronized', f"After={daemon['unit']}", f"Wants={daemon['unit']}",
        'Before=time-sync.target', 'Wants=time-sync.target', '', '[Service]', 'Type=oneshot', 'RemainAfterExit=yes',
        f'ExecStart={command}', f'TimeoutStartSec={limit}', '', '[Install]', 'WantedBy=multi-user.target'], 'boot')


def _after(unit: str) -> File:
    return own_file(f'{UNITS}/{unit}.d/{OWN_NAME}.conf', ['[Unit]', 'Wants=time-sync.target', 'After=time-sync.target'], 'boot')
