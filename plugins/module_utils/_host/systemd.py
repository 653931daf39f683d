# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads and changes the states of systemd units."""

import glob
import os
import re
from typing import Any, Dict, Iterable, List, Mapping, Sequence

UNIT_PROPERTIES = ('Id', 'LoadState', 'ActiveState', 'UnitFileState', 'MainPID', 'ConditionResult', 'ConditionTimestampMonotonic',
                   'ActiveEnterTimestampMonotonic')
# States of a unit that runs or is about to, and of one that starts at boot. What is enabled-runtime is not after a boot.
UP = ('active', 'activating', 'reloading')
STARTS_AT_BOOT = ('enabled', 'alias', 'generated', 'static')
# Units that systemd stops or restarts together with the one that has these properties: transaction_add_job_and_dependencies().
STOPPED_ALONG = ('RequiredBy', 'RequisiteOf', 'BoundBy', 'ConsistsOf', 'PropagatesStopTo')
# Folder of the links for units that are enabled, masked, or have another name.
UNIT_LINKS = '/etc/systemd/system'

_NAME = re.compile(r'[A-Za-z0-9:_\\][A-Za-z0-9:_.\\@-]*\Z')
# systemctl adds .service to a name with another ending: systemd.unit(5).
_UNIT_TYPES = ('.service', '.socket', '.device', '.mount', '.automount', '.swap', '.target', '.path', '.timer', '.slice', '.scope')

# Seconds: a unit may take 90 to stop or to start unless it says otherwise.
_TIMEOUT = 130.0


class NoAnswer(Exception):
    """systemd did not return the state of its units."""


def full_name(name: str) -> str:
    """Return the full name of a unit; '' if it cannot be the name of one."""
    whole = name if name.endswith(_UNIT_TYPES) else name + '.service'
    return whole if _NAME.match(whole) else ''


def unit_states(host: Any, units: List[str]) -> Dict[str, Dict[str, str]]:
    """Query all units with one call; return {given name: {property: value}} of UNIT_PROPERTIES. {} if systemd does not answer.

    systemd answers with one block per unit in the given order, even for unknown units (LoadState not-found).
    """
    blocks = _blocks(host.run(_show(UNIT_PROPERTIES, units)))
    return dict(zip(units, blocks)) if len(blocks) == len(units) else {}


def known_states(host: Any, units: List[str], properties: Sequence[str] = UNIT_PROPERTIES) -> Dict[str, Dict[str, str]]:
    """Do the same with these properties, LoadState among them, but raise NoAnswer if systemd does not answer for each unit."""
    done = host.execute(_show(properties, units))
    blocks = _blocks(done.out)
    # RHEL 7 and 231 end with 1 after the first unit without one of the properties, as a timer without MainPID.
    if done.code not in (0, 1) or len(blocks) != len(units) or not all(block.get('LoadState') for block in blocks):
        raise NoAnswer(f"systemd does not answer on this host (systemctl show {' '.join(units[:1])})")
    return dict(zip(units, blocks))


def _show(properties: Sequence[str], units: List[str]) -> List[str]:
    return ['systemctl', 'show', '--no-pager', '--property', ','.join(properties), *units]


def _blocks(text: str) -> List[Dict[str, str]]:
    return [dict(line.split('=', 1) for line in block.splitlines() if '=' in line) for block in text.strip().split('\n\n')]


def dependents(host: Any, unit: str) -> List[str]:
    """Return the running services that systemd would stop together with this unit, and not start again (systemd.unit(5)).

    A restart of the unit restarts them. They may require it through others, as targets. Raises NoAnswer.
    """
    found, ask, keys = [unit], [unit], (*known_bonds(host, unit), 'LoadState')
    while ask:
        shown = known_states(host, ask, keys).values()
        ask = [word for word in stopped_along(shown) if word not in found]
        found += ask
    services = [name for name in found[1:] if name.endswith('.service')]
    states = known_states(host, services) if services else {}
    return [name for name in services if states[name].get('ActiveState') in UP]


def known_bonds(host: Any, unit: str) -> List[str]:
    """Return those of STOPPED_ALONG that this version of systemd knows; all if it does not answer. unit: any one."""
    lines = host.execute(_show(STOPPED_ALONG, [unit])).out.splitlines()
    return [key for key in STOPPED_ALONG if any(line.startswith(key + '=') for line in lines)] or list(STOPPED_ALONG)


def stopped_along(shown: Iterable[Mapping[str, str]]) -> List[str]:
    """Return the units in these properties, each once."""
    return list(dict.fromkeys(word for block in shown for key in STOPPED_ALONG for word in block.get(key, '').split()))


# Places of the links by which a runlevel starts an init script: Debian and Red Hat, SUSE.
_RUNLEVELS = ('/etc/rc[2-5].d', '/etc/rc.d/rc[2-5].d', '/etc/init.d/rc[2-5].d')


def starts_at_boot(host: Any, unit: str, state: Mapping[str, str]) -> bool:
    """Return whether a boot starts the unit. That of an init script is generated (bad before 230), whether it starts or not."""
    file_state, name = state.get('UnitFileState', ''), unit.rpartition('.')[0]
    if file_state in ('generated', 'bad') and host.exists('/etc/init.d/' + name):
        return any(glob.glob(host.path(f'{folder}/S[0-9][0-9]{glob.escape(name)}')) for folder in _RUNLEVELS)
    return file_state in STARTS_AT_BOOT


def own_link(unit: str, links: Mapping[str, str]) -> Dict[str, str]:
    """Return {path: target} of the link by which systemd finds a unit in another place (systemctl link); {} for none."""
    path = f'{UNIT_LINKS}/{unit}'
    return {path: links[path]} if links.get(path, '/dev/null') != '/dev/null' else {}


class Units:
    """Runs verbs of systemctl on units, and reads the states that an act can change: active, enabled, masked."""

    def __init__(self, host: Any) -> None:
        self._host = host

    def verb(self, verb: str, units: Sequence[str], *options: str) -> str:
        """Run a verb of systemctl; return '' or its error output. A restart does not start a unit that others stopped."""
        verb = 'try-restart' if verb == 'restart' else verb
        if not units and verb != 'daemon-reload':
            return ''
        files: Dict[str, str] = {}
        for unit in units if verb == 'disable' else ():
            files.update(own_link(unit, self.links(unit)))
        done = self._host.execute(['systemctl', verb, '--quiet', *options, *units], _TIMEOUT)
        self.link(files)
        return done.complaint if done.code else ''

    def link(self, files: Mapping[str, str]) -> None:
        """Restore these links if they are missing: systemctl disable removes them, and then there is no unit to enable again."""
        missing = [path for path in files if not os.path.lexists(self._host.path(path))]
        for path in missing:
            self._host.link(path, files[path])
        if missing:
            self.verb('daemon-reload', [])

    def state(self, unit: str, keys: Sequence[str]) -> Dict[str, Any]:
        """Return these keys of the state: active (True, False or 'failed'), enabled, masked. Raises NoAnswer."""
        found = known_states(self._host, [unit])[unit]
        file_state = found.get('UnitFileState', '')
        state = {
            'active': 'failed' if found.get('ActiveState') == 'failed' else found.get('ActiveState') in UP,
            'enabled': starts_at_boot(self._host, unit, found),
            'masked': file_state.startswith('masked') or found.get('LoadState') == 'masked',
        }
        return {key: state[key] for key in keys}

    def bring(self, unit: str, wanted: Dict[str, bool]) -> str:
        """Bring the unit into this state of active, enabled and masked. Return '' or the error output of systemctl."""
        now = self.state(unit, ['active', 'enabled', 'masked'])
        for verb, due in (
                ('stop', not wanted['active'] and now['active'] is True),
                ('unmask', not wanted['masked'] and now['masked']),
                ('disable', not wanted['enabled'] and now['enabled']),
                ('enable', wanted['enabled'] and not now['enabled'] and not wanted['masked']),
                ('mask', wanted['masked'] and not now['masked']),
                ('start', wanted['active'] and now['active'] is not True)):
            said = self.verb(verb, [unit]) if due else ''
            if said:
                return f'systemctl {verb} {unit}: {said}'
        return ''

    def active(self, unit: str) -> bool:
        return unit_states(self._host, [unit]).get(unit, {}).get('ActiveState') in UP

    def links(self, unit: str, also: Sequence[str] = ()) -> Dict[str, str]:
        """Return the links that enable, mask or rename this unit, and those at the paths `also`."""
        return {path: target for path, target in self._host.links(UNIT_LINKS).items()
                if path in also or unit in (os.path.basename(path), os.path.basename(target))}

    def journal(self, unit: str, lines: int = 12) -> List[str]:
        """Return the last lines of the unit in the journal."""
        done = self._host.execute(['journalctl', '--unit', unit, '--boot', '--lines', str(lines), '--no-pager', '--quiet',
                                   '--output', 'short-iso'], 30.0)
        return done.out.splitlines()[-lines:]
