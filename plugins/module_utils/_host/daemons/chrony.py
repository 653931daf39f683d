# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""chronyd: chrony.conf(5), chronyd(8) and chronyc(1) of chrony 3 and 4."""

import os
import re
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import config, launch, layouts, next_steps
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.base import (
    NO_CONTROL_OF_CLOCK,
    NOT_SELECTED,
    OWN_CLOCK,
    UNREACHABLE,
    Daemon,
    Status,
    number,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.chrony_config import read, sources_of
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.config import ConfigLine, Source
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.running import running_launch
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.texts import OWN_NAME, File, own_file
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.wanted import NOTHING, Refused, Server, Wanted

# The reference ID of this host's own clock: 127.127.1.1 ("local", also with orphan).
_LOCAL_ID = '7F7F0101'


class Chrony(Daemon):
    """chronyc's -c prints fields for programs (chrony 2.4 and newer)."""

    steps = True
    _last_wins = {'maxdistance', 'minsources', 'authselectmode'}

    # Reading

    def lines(self, without_own: bool = False, host: Optional[Any] = None) -> List[ConfigLine]:
        return read(host or self.host, self.config, without_own, self.facts.get('directives') or ())

    def sources_of(self, lines: List[ConfigLine]) -> List[Source]:
        return sources_of(lines)

    # Writing

    def check_against(self, want: Wanted) -> None:
        super().check_against(want)
        device = layouts.CLOUDS[want.cloud].device if want.cloud else ''
        if device and not self.host.exists(device):
            self._refuse_device(want.cloud, device)
        if want.nts_servers and self.facts.get('installed'):
            self._check_nts()
        if not self._plain_wanted(want):
            return
        mode = self._setting('authselectmode')
        word = _authselectmode(mode)
        if mode and (word == 'require' or (word == 'prefer' and (self._foreign_nts(want) or want.nts_servers))):
            raise Refused('{0} keeps {1} from ever selecting a server without authentication.'.format(mode.quoted, self.unit),
                          'Remove that line, or give the servers as nts_servers or with keys.')

    def _check_nts(self) -> None:
        """Raise Refused if this chronyd has no NTS: before 4.0, or built without it. It would not start with such a line."""
        said = self._ask('chronyd', '-v').out
        found = re.search(r'version (\S+) \((.*)\)', said)
        if found and '+NTS' not in found.group(2).split():
            raise Refused('nts_servers: chronyd {0} of this host cannot do NTS.'.format(found.group(1)),
                          'Give these servers as servers, or install a chrony from 4.0 on that has it.')

    def _refuse_device(self, cloud: str, device: str) -> None:
        """Check the device. Without the persistent name from a udev rule, the number of the device may change at a boot."""
        for path in config.matching(self.host, '/sys/class/ptp/*/clock_name'):
            if self.host.read(path).strip() == 'hyperv':
                raise Refused('cloud={0}: the clock of this machine is /dev/{1}, but has no name {2}.'.format(
                    cloud, path.split('/')[-2], device), 'Add the udev rule SUBSYSTEM=="ptp", ATTR{clock_name}=="hyperv", '
                    'SYMLINK+="ptp_hyperv", then run udevadm trigger, then run again.')
        raise Refused('cloud={0}: this host has no {1}. It is not a machine of that cloud, or its kernel lacks the driver.'.format(
            cloud, device))

    def _setting(self, directive: str) -> Optional[ConfigLine]:
        """Return the last line of others with this directive."""
        found = [line for line in self.lines(without_own=True) if line.directive == directive]
        return found[-1] if found else None

    def _foreign_nts(self, want: Wanted = NOTHING) -> List[Source]:
        """Return the authenticated sources of others that chronyd asks once the run has written what is wanted."""
        found = [source for source in self.sources(without_own=True) if (source.nts or source.keyed) and source.asked]
        silenced = self._others(want, found) if want.only else []
        return [source for source in found if source not in silenced]

    def _marks(self, want: Wanted) -> str:
        """Return the options by which sources of others would keep those of the user from being selected.

        Without one of the sources with "require", nothing is selected, and what disagrees with those with "trust" is no truechimer.
        """
        others = [source for source in self.sources(without_own=True) if _MARKS & _options(source)
                  and source.asked and 'noselect' not in _options(source)]
        silenced = self._others(want, others) if want.only else []
        marks = {mark for source in others if source not in silenced for mark in _MARKS & _options(source)}
        return ''.join(' ' + mark for mark in sorted(marks))

    def _plain_wanted(self, want: Wanted) -> List[Server]:
        keyed = {key.server for key in want.keys}
        return [server for server in want.servers + want.pools if server.host not in keyed]

    def _files(self, want: Wanted) -> List[File]:
        keyed = {key.server: ' key {0}'.format(key.number) for key in want.keys}
        # authselectmode mix, the default since 4.0: if there are authenticated sources, others count only if they agree with them,
        # and never if those are unreachable. The sources of the user therefore also get "require" and "trust" (chrony.conf(5)).
        mode = self._setting('authselectmode')
        mixed = self._foreign_nts(want) and _authselectmode(mode) != 'ignore'
        marked = self._marks(want)
        trusted = ' require trust' if mixed else marked
        sources = [_line('server', server, 'iburst' + keyed.get(server.host, '') + (marked if server.host in keyed else trusted))
                   for server in self._missing(want.servers, keyed=list(keyed))]
        sources += [_line('server', server, 'iburst nts' + marked) for server in self._missing(want.nts_servers, nts=True)]
        sources += [_line('pool', server, 'iburst' + trusted) for server in self._missing(want.pools)]
        settings = []
        if want.cloud:
            cloud = layouts.CLOUDS[want.cloud]
            if cloud.server:
                sources += [_line('server', server, cloud.options) for server in self._missing([Server(cloud.server)])]
            elif not self._has_device(cloud.device):
                # According to Microsoft's documentation: a poll every 8 s, and stratum 2.
                settings.append('refclock PHC {0} poll 3 dpoll -2 offset 0 stratum 2'.format(cloud.device))
        settings += self._enough(want)
        if want.max_distance:
            settings.append('maxdistance {0:g}'.format(want.max_distance))
        key_file, directive = self._key_file(want.keys)
        settings += directive
        result = list(key_file)
        if self.facts['sources_dir']:
            if want.names:
                result.append(own_file('{0}/{1}.sources'.format(self.facts['sources_dir'], OWN_NAME), sources, effect='reload'))
        else:
            settings = sources + settings
        return result + self._in_configuration(settings, bool(settings or want.names))

    def _enough(self, want: Wanted) -> List[str]:
        """Return the line for minsources: with a larger value, the sources of the user alone could never synchronize the clock."""
        line = self._setting('minsources')
        least = number(line.words[1]) if line and len(line.words) > 1 else None
        few = len(want.servers) + len(want.nts_servers) + 4 * len(want.pools) + bool(want.cloud)
        return ['minsources {0}'.format(few)] if least and want.names and few < least else []

    def _has_device(self, device: str) -> bool:
        """Return whether the device is already a reference clock: configured twice, it would have two votes."""
        def real(path: str) -> str:
            return os.path.realpath(self.host.path(path))
        named = [source.host.split()[1].partition(':')[0] for source in self.sources(without_own=True) if source.kind == 'refclock']
        return any(real(name) == real(device) for name in named)

    # Asking and telling

    def _chronyc(self, *words: str) -> str:
        done = self._ask('chronyc', '-n', *words)
        return done.out if not done.code else ''

    def _told(self, *words: str) -> bool:
        return self._chronyc(*words).startswith('200')

    def complaint(self) -> str:
        given = list(self.facts.get('directives') or ()) or ['-f', self.config]
        done = self._ask('chronyd', '-p', *given)
        # Before 4.0, there is no -p, and only a start shows errors.
        if not done.code or re.search(r'(?i)usage|invalid option|unrecognized', done.err):
            return ''
        said = re.sub(r'^\S*Z\s+|Fatal error : ', '', ' '.join(done.err.split()) or done.said)
        place = re.search(r'at line ([0-9]+) in file (\S+)', said)
        lines = self.host.read(place.group(2)).split('\n') if place else []
        line = lines[int(place.group(1)) - 1].strip() if place and 0 < int(place.group(1)) <= len(lines) else ''
        return '{0}: "{1}"'.format(said, line) if line else said

    def _tracking(self) -> List[str]:
        return self._chronyc('-c', 'tracking').strip().split(',')

    @staticmethod
    def _follows_none(tracking: List[str]) -> bool:
        return tracking[13] == 'Not synchronised' or tracking[0] in ('', '00000000')

    def still_waits(self) -> bool:
        fields = self._tracking()
        return len(fields) >= 14 and self._follows_none(fields)

    def status(self) -> Status:
        fields = self._tracking()
        # chronyc: positive is "slow of NTP time" in words, and behind here.
        residual = number(fields[4]) if len(fields) >= 14 else None
        if residual is None:
            return self._not_answering(
                'it does not answer chronyc',
                'See whether chronyc tracking answers as root; bindcmdaddress or cmdport in {0} may keep it from doing so.'.format(
                    self.config))
        name = fields[1] or fields[0]
        if self._follows_none(fields):
            return self._why_not(residual)
        running = None if self.facts.get('no_control') else running_launch(self.host, self.facts)
        no_control = self.facts.get('no_control') or (launch.without_control(running) if running else '')
        if no_control:
            return Status(False, residual, True, NO_CONTROL_OF_CLOCK, 'it is started with {0} and never sets the clock'.format(
                no_control), self.facts.get('no_control_advice') or next_steps.REMOVE_X)
        if fields[0].upper() == _LOCAL_ID or self._is_own(fields[1]):
            return self._on_its_own(residual, name)
        rows = self._rows()
        if rows and not self._heard(rows):
            # chronyd still reports that it is synchronized after it has lost all of its sources.
            return self._silent(residual, rows)
        return Status(True, residual, True, '', 'synchronized to {0}, {1:+.6f} s left'.format(name, residual), follows=(name,))

    @staticmethod
    def _heard(rows: List[List[str]]) -> List[List[str]]:
        """Return the sources that have answered one of the last eight requests."""
        return [row for row in rows if row[5] not in ('0', '')]

    def _is_own(self, address: str) -> bool:
        """Return whether a source is this chronyd itself. With another port, it is another program, such as a tunnel.

        The reference ID of an IPv4 source is its address, so 7F000001 is such a source (chrony.conf(5), chronyc(1)).
        """
        if not config.address_of(address) or not config.is_this_host(self.host, address):
            return False
        here = [source for source in self.sources() if source.asked and config.is_this_host(self.host, source.host)]
        same = [source for source in here if config.folded(source.host) == config.folded(address)] or here
        port = self._setting('port')
        own = int(port.words[1]) if port and port.words[1:2] and port.words[1].isdigit() else 123
        return not same or (same[0].port or 123) == own

    def _on_its_own(self, residual: float, name: str) -> Status:
        local = self._setting('local')
        why = self._why_not(residual)
        return Status(False, residual, why.answered, OWN_CLOCK, 'it follows this host\'s own clock ({0}{1}); {2}'.format(
            name, ': ' + local.quoted if local else '', why.msg), why.advice)

    def _rows(self) -> List[List[str]]:
        rows = [line.split(',') for line in self._chronyc('-c', 'sources').splitlines()]
        return [row for row in rows if len(row) > 5]

    def _why_not(self, residual: float) -> Status:
        rows = self._rows()
        others = [row for row in rows if not self._is_own(row[2])]
        heard = self._heard(others)
        if not heard:
            return self._silent(residual, others)
        chosen = self._selection()
        states = {row[2]: chosen.get(row[2], row[1:2])[0] for row in heard}
        listed = ', '.join('{0} ({1})'.format(address, self._in_words(state)) for address, state in states.items())
        why, advice = self._in_the_way(states, [chosen[address] for address in states if address in chosen])
        msg = 'it does not select any of its sources: {0}{1}'.format(listed, why)
        return Status(False, residual, True, NOT_SELECTED, msg, advice)

    def _silent(self, residual: float, rows: List[List[str]]) -> Status:
        """Return the status if none of these sources has answered. A reference clock does not depend on the network."""
        listed = [row[2] for row in rows]
        clocks = [source.line.quoted for source in self.sources() if source.kind == 'refclock']
        if clocks and not self.source_names() and all(row[0] == '#' for row in rows):
            return Status(False, residual, False, UNREACHABLE, 'its reference clock gives no time: {0}'.format(', '.join(clocks)),
                          'See whether the device, or the program that feeds it, works on this host.')
        return self._all_offline(residual, listed) or self._no_answer(residual, listed)

    def _all_offline(self, residual: float, listed: List[str]) -> Optional[Status]:
        """Return the status if all sources are offline, usually by a network script; None if one is not."""
        counts = [number(field) for field in self._chronyc('-c', 'activity').strip().split(',')]
        if None in counts or counts[0] or not any(counts[1:2]):
            return None
        lines = [source.line.quoted for source in self.sources() if 'offline' in source.options]
        advice = 'Run chronyc online on this host, and see what has switched them (a script of NetworkManager or dhclient).'
        if lines:
            advice = 'Remove the option offline from {0}, restart {1}, then run again.'.format(', '.join(lines), self.unit)
        return Status(False, residual, False, UNREACHABLE, 'its sources are switched offline: {0}'.format(', '.join(listed)),
                      advice)

    def _selection(self) -> Dict[str, List[str]]:
        """Return {address: [state, address, whether it is authenticated …]} of chronyc selectdata; before 4.1 there is none."""
        rows = [line.split(',') for line in self._chronyc('-c', 'selectdata').splitlines()]
        return {row[1]: row for row in rows if len(row) > 2}

    @staticmethod
    def _in_words(state: str) -> str:
        return _STATES.get(state, 'state {0}'.format(state))

    def _in_the_way(self, heard: Dict[str, str], told: List[List[str]]) -> Tuple[str, str]:
        """Return the line that prevents chronyd from selecting a source, and what to do about it.

        heard: {address: state}. told: the rows of selectdata of those that are heard.
        """
        states, authenticated = set(heard.values()), any(row[2] == 'Y' for row in told)
        mode, least = self._setting('authselectmode'), self._setting('minsources')
        # Also those of this collection: they count as required beside the plain ones of others.
        secured = [source for source in self.sources() if (source.nts or source.keyed) and source.asked]
        plain = [source for source in self.sources() if not (source.nts or source.keyed) and source.kind in config.ASKED]
        if secured and plain and not authenticated and _authselectmode(mode) != 'ignore':
            names = ', '.join(dict.fromkeys('{0} ({1})'.format(source.name, source.line.place) for source in secured))
            return ('; authenticated sources do not answer, and {0} beside them no other is selected: {1}'.format(
                'by ' + mode.quoted if mode else 'by authselectmode mix, the default,', names),
                'Let this host reach them (NTS: TCP 4460), or remove these lines, then run again.')
        required = [source for source in self.sources() if 'require' in _options(source)]
        # One that is required and waits itself waits for something else, as for minsources.
        # Without selectdata, it is not known which of the addresses belong to a name.
        met = any(row[0] == 'W' and 'R' in row[3:] for row in told) if told else any(
            source.host in heard or (source.kind in config.ASKED and not config.address_of(source.host)) for source in required)
        if required and not met and (not told or 'W' in states):
            names = ', '.join(source.line.quoted for source in required)
            return ('; nothing is selected without one of the sources with "require": {0}'.format(names),
                    'Let this host reach them, or remove that option, then run again.')
        observed = config.only_observed(self.sources())
        if observed:
            return '; {0} is only observed'.format(observed), next_steps.ONLY_OBSERVED
        if mode and _authselectmode(mode) == 'require' and not (secured or authenticated):
            return ('; {0} keeps it from ever selecting a server without authentication'.format(mode.quoted),
                    'Remove that line, or give servers with NTS or keys, then run again.')
        needed = number(least.words[1]) if least and len(least.words) > 1 else None
        if least and needed and len(heard) < needed:
            return ('; {0} asks for more sources than are heard'.format(least.quoted),
                    'Name more servers, or lower minsources there.')
        far = any('root distance' in (self._measured_reason(name) or '') for name in heard)
        if 'd' in states or (far and not told):
            return '', next_steps.TOO_FAR
        if states == {'s'}:
            return '', next_steps.NOT_SYNCHRONIZED
        if 'x' in states and len(heard) > 1:
            return '', next_steps.DISAGREE
        return '', 'See chronyc -n sources{0} on this host.'.format(' and chronyc -n selectdata' if told else '')

    def needs_restart(self, effects: Sequence[str]) -> bool:
        return 'restart' in effects or bool(self.facts.get('runs_with_x') or effects and self.facts.get('stale'))

    def reload_sources(self) -> bool:
        return self._told('reload', 'sources')

    def add_sources(self, lines: List[str]) -> bool:
        return all(self._told('add', *line.split()) for line in lines)

    def remove_sources(self, lines: List[str]) -> bool:
        """Remove the sources. One that was never resolved is not known by its name, which requires a restart."""
        return all(self._removed(line.split()[1]) for line in lines if line.startswith('server ')) \
            and not any(line.startswith('pool ') for line in lines)

    def _removed(self, name: str) -> bool:
        said = self._ask('chronyc', '-n', 'delete', name).out
        return said.startswith('200') or said.startswith('503') and config.address_of(name) is not None     # 503: no such source

    def reset_measurements(self) -> bool:
        return self._told('reset', 'sources') and self._told('burst', '4/4')

    def step(self) -> bool:
        return self._told('makestep')

    def _listed(self) -> Optional[Set[str]]:
        rows = self._rows()
        return {config.folded(row[2]) for row in rows} if rows else None


# chronyc(1), selectdata; those that sources prints as well have the same meaning there.
_STATES = {
    '?': 'not selectable', 'x': 'a falseticker', '~': 'too much jitter', '-': 'not combined', '+': 'combined', '*': 'selected',
    'N': 'noselect', 's': 'not synchronized itself', 'M': 'not enough measurements yet', 'd': 'its root distance is too large',
    'w': 'waits for others to be measured', 'S': 'older measurements than others', 'O': 'its stratum is too high',
    'T': 'does not agree with the trusted sources', 'W': 'waits for other sources to be selectable',
    'P': 'another one is preferred',
    'U': 'waits for a new measurement', 'D': 'its root distance is too large to combine',
}


# Options of sources that have precedence over others: chrony.conf(5).
_MARKS = {'require', 'trust'}


def _options(source: Source) -> Set[str]:
    """Return the options of a source, also of a reference clock."""
    return {word.lower() for word in source.line.words[2:]}


def _authselectmode(line: Optional[ConfigLine]) -> str:
    """Return the mode that the line sets, '' if there is none."""
    return ''.join(line.words[1:2]).lower() if line else ''


def _line(directive: str, server: Server, options: str) -> str:
    port = ' port {0}'.format(server.port) if server.port else ''
    return '{0} {1}{2} {3}'.format(directive, server.host, port, options)
