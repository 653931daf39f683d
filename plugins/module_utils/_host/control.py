# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How each daemon is asked and told: is its configuration good, is the clock synchronised, read this again, step now."""

import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Type

from ansible_collections.aemops.brand_portal.plugins.module_utils._host import time_service
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import System


class Status(NamedTuple):
    """What a daemon says of itself."""

    synchronised: bool
    correction: float       # seconds it still has to correct; positive: the clock is behind
    answered: bool          # some source has answered it at all
    said: str               # for a message
    stepped: bool = False   # it has just stepped the clock and waits for its next poll


UNKNOWN = Status(False, 0.0, False, 'it does not answer')


class Control:
    """One daemon on one host. Commands that a version of it lacks count as done: what they do is looked at afterwards."""

    # Seconds in which the first answers come where they can come at all.
    patience = 15.0
    # Seconds that it leaves to a slow correction, and is right to.
    slews_below = 0.0

    def __init__(self, system: System, daemon: Mapping[str, Any]) -> None:
        self.system = system
        self.daemon = daemon
        self.unit = daemon['unit']

    def complaint(self) -> str:
        """What the daemon says against its configuration; '' when it takes it, or cannot tell without being started."""
        return ''

    def status(self) -> Status:
        raise NotImplementedError

    def reload(self) -> bool:
        """Read changed sources again; False where only a restart does."""
        return False

    def take(self, sources: List[str]) -> bool:
        """Use these lines of the configuration, which name sources, from now on; False where only a restart makes it."""
        return not sources

    def drop(self, sources: List[str]) -> bool:
        """Use them no more."""
        return not sources

    def freshen(self) -> bool:
        """Forget what was measured on a clock that was set meanwhile, and measure soon; False where only a restart does."""
        return False

    def step(self) -> bool:
        """Correct at once what is left; False where only a restart does."""
        return False


class Chrony(Control):
    """chronyc's -c prints fields for programs (chrony 2.4 and newer)."""

    def _chronyc(self, *words: str) -> str:
        done = self.system.execute(['chronyc', '-n'] + list(words), 20.0)
        return done.out if not done.code else ''

    def complaint(self) -> str:
        done = self.system.execute(['chronyd', '-p', '-f', self.daemon['config']], 20.0)
        # Before 4.0 there is no -p; then the start will tell.
        if not done.code or re.search(r'(?i)usage|invalid option|unrecognized', done.err):
            return ''
        said = re.sub(r'^\S*Z\s+|Fatal error : ', '', ' '.join(done.err.split()) or done.said)
        place = re.search(r'at line ([0-9]+) in file (\S+)', said)
        lines = self.system.read(place.group(2)).splitlines() if place else []
        line = lines[int(place.group(1)) - 1].strip() if place and 0 < int(place.group(1)) <= len(lines) else ''
        return '{0}: "{1}"'.format(said, line) if line else said

    def status(self) -> Status:
        fields = self._chronyc('-c', 'tracking').strip().split(',')
        if len(fields) < 14:
            return UNKNOWN
        synchronised = fields[13] != 'Not synchronised' and fields[0] not in ('', '00000000', '7F7F0101')
        # chronyc: positive is "slow of NTP time" in words, and behind here.
        correction = float(fields[4])
        if synchronised:
            said = 'synchronised to {0}, {1:+.6f} s left'.format(fields[1] or fields[0], correction)
            return Status(True, correction, True, said)
        sources = [line.split(',') for line in self._chronyc('-c', 'sources').splitlines()]
        answered = any(len(source) > 5 and source[5] != '0' for source in sources)
        return Status(False, correction, answered, 'not synchronised; sources: ' + (', '.join(
            '{0} (reach {1})'.format(source[2], source[5]) for source in sources if len(source) > 5) or 'none'))

    def reload(self) -> bool:
        return '200' in self._chronyc('reload', 'sources')

    def take(self, sources: List[str]) -> bool:
        return all('200' in self._chronyc('add', *source.split()) for source in sources)

    def drop(self, sources: List[str]) -> bool:
        """One that was never resolved is not known by its name: then it has to be a restart."""
        return all('200' in self._chronyc('delete', source.split()[1]) for source in sources if source.startswith('server ')) \
            and not any(source.startswith('pool ') for source in sources)

    def freshen(self) -> bool:
        return '200' in self._chronyc('reset', 'sources') and '200' in self._chronyc('burst', '4/4')

    def step(self) -> bool:
        return '200' in self._chronyc('makestep')


class Ntpd(Control):
    """ntpd and ntpsec, asked with ntpq. They step by themselves when started with -g, as every vendor's unit does."""

    def status(self) -> Status:
        done = self.system.execute(['ntpq', '-n', '-c', 'rv 0 leap,stratum,refid,offset'], 20.0)
        values = dict(re.findall(r'(\w+)=([^,\s]+)', done.out))
        if 'leap' not in values:
            return UNKNOWN
        correction = float(values.get('offset', 0)) / 1000      # milliseconds
        if values['leap'] not in ('11', '3') and values.get('stratum') != '16':
            return Status(True, correction, True, 'synchronised to {0}, {1:+.6f} s off'.format(values.get('refid'), correction))
        rows = [line.split() for line in self.system.execute(['ntpq', '-pn'], 20.0).out.splitlines()[2:]]
        peers = [row for row in rows if len(row) >= 10 and row[1] != '.POOL.']
        stepped = values.get('refid') == 'STEP' or any(row[1] == '.STEP.' for row in peers)
        answered = stepped or any(row[-4] != '0' for row in peers)
        return Status(False, correction, answered, 'not synchronised; sources: ' + (', '.join(
            '{0} (reach {1})'.format(row[0], row[-4]) for row in peers) or 'none'), stepped)


class Timesyncd(Control):
    """systemd-timesyncd steps when it is more than 0.4 s off, and slews what is less over the next minutes."""

    patience = 10.0
    slews_below = 0.4

    def status(self) -> Status:
        shown = self.system.execute(['timedatectl', 'timesync-status'], 20.0).out
        offset = re.search(r'(?m)^\s*Offset:\s*(\S.*?)\s*$', shown)
        server = re.search(r'(?m)^\s*Server:\s*(\S.*?)\s*$', shown)
        # The file is made when the clock has been set from an answer, and goes when the daemon stops.
        synchronised = self.system.exists('/run/systemd/timesync/synchronized')
        correction = timespan(offset.group(1)) if offset else 0.0
        name = server.group(1) if server else 'none'
        if synchronised:
            return Status(True, correction, True, 'synchronised to {0}, was {1:+.6f} s off'.format(name, correction))
        return Status(False, correction, bool(offset), 'not synchronised; server: {0}'.format(name))


CONTROLS: Dict[str, Type[Control]] = {'chrony': Chrony, 'ntpsec': Ntpd, 'ntpd': Ntpd, 'timesyncd': Timesyncd}

_UNITS = {'us': 1e-6, 'ms': 1e-3, 's': 1.0, 'min': 60.0, 'h': 3600.0, 'd': 86400.0, 'w': 604800.0, 'month': 2629800.0,
          'y': 31557600.0}


def timespan(text: str) -> float:
    """Seconds of what systemd prints: -1.243ms, +1min 30.2s."""
    parts = re.findall(r'([0-9.]+)(us|ms|month|min|s|h|d|w|y)', text.replace('\u03bc', 'u').replace('\u00b5', 'u'))
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return -total if text.lstrip().startswith('-') else total


class Units:
    """systemd's verbs on the units of time daemons."""

    def __init__(self, system: System) -> None:
        self._system = system

    def verb(self, verb: str, units: List[str], *options: str) -> Optional[str]:
        """None when it is done, else what systemctl said."""
        if not units:
            return None
        done = self._system.execute(['systemctl', verb, '--quiet'] + list(options) + units, 130.0)
        return None if not done.code else done.said or 'systemctl {0} ended with {1}'.format(verb, done.code)

    def active(self, unit: str) -> bool:
        state = time_service.unit_states(self._system, [unit]).get(unit, {})
        return state.get('ActiveState') in time_service.UP

    def journal(self, unit: str, lines: int = 12) -> List[str]:
        """What the unit said last."""
        done = self._system.execute(['journalctl', '--unit', unit, '--boot', '--lines', str(lines), '--no-pager', '--quiet',
                                     '--output', 'short-iso'], 30.0)
        return done.out.splitlines()[-lines:]
