# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""systemd's view of units, and its verbs."""

from typing import Any, Dict, List, Optional

UNIT_PROPERTIES = ('Id', 'LoadState', 'ActiveState', 'UnitFileState', 'MainPID', 'ConditionResult', 'ActiveEnterTimestampMonotonic')
# systemd's words for a unit that runs, or is about to; and for one that starts at boot.
UP = ('active', 'activating', 'reloading')
STARTS_AT_BOOT = ('enabled', 'enabled-runtime', 'alias', 'generated', 'static')


def unit_states(host: Any, units: List[str]) -> Dict[str, Dict[str, str]]:
    """One call for all units: {asked name: {property: value}} of UNIT_PROPERTIES.

    systemd answers in the order asked, one block each, also for units it does not know (LoadState not-found).
    """
    command = ['systemctl', 'show', '--no-pager', '--property', ','.join(UNIT_PROPERTIES)] + units
    blocks = host.run(command).strip().split('\n\n')
    parsed = [dict(line.split('=', 1) for line in block.splitlines() if '=' in line) for block in blocks]
    return dict(zip(units, parsed)) if len(parsed) == len(units) else {}


class Units:
    """systemd's verbs on the units of time daemons."""

    def __init__(self, system: Any) -> None:
        self._system = system

    def verb(self, verb: str, units: List[str], *options: str) -> Optional[str]:
        """None when it is done, else what systemctl said."""
        if not units:
            return None
        done = self._system.execute(['systemctl', verb, '--quiet'] + list(options) + units, 130.0)
        return None if not done.code else done.said or 'systemctl {0} ended with {1}'.format(verb, done.code)

    def active(self, unit: str) -> bool:
        state = unit_states(self._system, [unit]).get(unit, {})
        return state.get('ActiveState') in UP

    def journal(self, unit: str, lines: int = 12) -> List[str]:
        """What the unit said last."""
        done = self._system.execute(['journalctl', '--unit', unit, '--boot', '--lines', str(lines), '--no-pager', '--quiet',
                                     '--output', 'short-iso'], 30.0)
        return done.out.splitlines()[-lines:]
