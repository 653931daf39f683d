# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The interface of all time daemons: read and write their configuration, query them, and send them commands."""

import os
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._host import systemd
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import config, layouts, next_steps, texts
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.config import ASKED, ConfigLine, Overlay, Source
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.running import running_config
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.texts import File
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.wanted import (
    NO_CONTROL,
    NOT_READ,
    Key,
    Refused,
    Server,
    Wanted,
)

# Codes of Status.reason; '' if the daemon is synchronized.
NO_SOURCE = 'no_source'                     # no source is configured
UNREACHABLE = 'unreachable'                 # no source has answered
NOT_SELECTED = 'not_selected'               # sources have answered, but it does not use them
MAY_NOT_BE_ASKED = 'may_not_be_asked'       # it runs, but does not answer this host
TOO_OLD_TO_TELL = 'too_old_to_tell'         # its version does not show whether it is synchronized
OWN_CLOCK = 'own_clock'                     # its source is this host's own clock
NO_CONTROL_OF_CLOCK = NO_CONTROL            # it never sets the clock
NOT_RUNNING = 'not_running'
UNKNOWN = 'unknown'                         # its answer cannot be parsed


class Status(NamedTuple):
    """State that a daemon reports."""

    synchronized: bool
    residual_offset: float  # seconds it still has to correct; positive: the clock is behind
    answered: bool          # whether any source has answered it
    reason: str             # one of the codes above; '' if it is synchronized
    msg: str                # the state as the second part of a sentence
    advice: str = ''        # the next step, a sentence; '' if there is none
    stepped: bool = False   # it has just stepped the clock and waits for its next poll: residual_offset may be that before
    follows: Tuple[str, ...] = ()   # name and address of the source that it uses, as far as it tells them


def number(text: Any) -> Optional[float]:
    """Parse a number that a daemon prints; None if it is not a finite number."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if abs(value) < 1e15 else None     # also not a number, which compares with nothing


class Daemon:
    """A time daemon on a host. A command that its version does not have counts as done, because the result is checked afterwards.

    host: a Host; if it is read-only, only lines, sources and files may be called. facts: those of discovery.find_daemons.
    measured: the sources of this run's own measurement, as RV(skew.sources), for messages about the network.
    """

    _where_heard = ('This run has heard {0} from this host, so the network lets answers through: see the sources of {1} and '
                    'journalctl -b -u {1}.')
    patience = 15.0     # seconds in which the first answers arrive if the sources are reachable
    choice = ''     # how it chooses among its sources, as a sentence
    slews_below = 0.0   # seconds: it never steps the clock by less
    steps = False   # whether it can be told to step the clock
    # The directive that names the key file, and one line of that file.
    _key_directive, _key_form = 'keyfile', '{0.number} {0.kind} {0.secret}'
    _last_wins: Set[str] = set()    # directives for which the last line counts

    def __init__(self, host: Any, facts: Mapping[str, Any], measured: Sequence[Mapping[str, Any]] = ()) -> None:
        self.host = host
        self.facts = facts
        self.programs = facts.get('programs', {})     # paths of those that are not found by their names
        self.measured = measured
        self.unit, self.config = facts['unit'], facts['config']

    # Reading

    def lines(self, without_own: bool = False, host: Optional[Any] = None) -> List[ConfigLine]:
        """Return the lines of its configuration and of included files, in the order in which it reads them."""
        raise NotImplementedError

    def sources_of(self, lines: List[ConfigLine]) -> List[Source]:
        """Return the sources in lines of its configuration."""
        raise NotImplementedError

    def sources(self, without_own: bool = False, host: Optional[Any] = None) -> List[Source]:
        return self.sources_of(self.lines(without_own, host))

    def source_names(self) -> List[str]:
        """Return the servers and pools that it queries, without duplicates."""
        return list(dict.fromkeys(source.name for source in self.sources() if source.kind in ASKED and source.asked))

    def asks_after_boot(self, server: Server) -> List[Source]:
        """Return the sources of others that remain after a reboot, unlike those of a DHCP lease."""
        return [source for source in self._named(server) if source.asked]

    def _named(self, server: Server) -> List[Source]:
        """Return the sources of others for a server in files that remain after a reboot."""
        names = next((cloud.also for cloud in layouts.CLOUDS.values() if cloud.server == server.host), ()) + (server.host,)
        return [source for source in self.sources(without_own=True)
                if source.kind in ASKED and source.line.lasting
                and config.folded(source.host) in map(config.folded, names) and (source.port or 123) == (server.port or 123)]

    def _missing(self, servers: Sequence[Server], nts: bool = False, keyed: Sequence[str] = ()) -> List[Server]:
        """Return the servers that are not configured yet, because a daemon refuses a second entry or counts it twice.

        Raises Refused if a server is configured without the requested authentication, or as one that is not used.
        """
        missing = []
        for server in servers:
            there = self.asks_after_boot(server)
            if not there:
                for source, word in [(source, word) for source in self._named(server) for word in config.UNUSED]:
                    if word in source.options:
                        raise Refused(config.UNUSED[word].format(source.line.quoted, self.unit, server.host),
                                      'Remove {0} from that line, then run again.'.format(word), NOT_READ)
                missing.append(server)
                continue
            lacks = 'nts' if nts and not any(each.nts for each in there) else \
                'key' if server.host in keyed and not any(each.keyed for each in there) else ''
            if lacks:
                raise Refused('{0} is configured without "{1}" already: {2}.'.format(server, lacks, there[0].line.quoted),
                              'Remove that line, then run again.')
        return missing

    # Writing

    def files(self, want: Wanted) -> List[File]:
        """Return the files to write, in this order, so that the daemon does what is wanted."""
        planned = self._files(want)
        planned += texts.outdated(self.lines(), planned) if want.names else []
        if want.only:
            planned = self._silence(want, planned)
        self._check_reached(want, planned)
        if want.only:
            self._check_only(want, planned)
        return planned

    def _others(self, want: Wanted, sources: Sequence[Source]) -> List[Source]:
        """Return the sources with an address that the options do not name."""
        also = layouts.CLOUDS[want.cloud].also if want.cloud else ()
        names = {config.folded(name) for name in [server.host for server in want.all_servers] + list(also)}
        return [each for each in sources if each.kind in ASKED + ('fallback', 'other') and config.folded(each.host) not in names]

    def _silence(self, want: Wanted, planned: List[File]) -> List[File]:
        """Return the files in which to comment out other lines that name sources or use a lease. Raises Refused."""
        present = self.lines(without_own=True)
        lines = [source.line for source in self._others(want, self.sources_of(present)) if source.line.lasting]
        lines += [line for line in present if want.smears and line.directive in layouts.LEAP_SECONDS
                  or line.directive == 'sourcedir' and not any(config.lasting(folder) for folder in line.words[1:])]
        by_path: Dict[str, List[int]] = {}
        for line in lines:
            if not line.number or config.of_vendor(line.path):
                raise Refused('only: {0} cannot be commented out.'.format(line.quoted), 'Remove it, or do not use only.')
            by_path.setdefault(line.path, []).append(line.number)
        blocks = {file.path: at for at, file in enumerate(planned)}
        for path, numbers in by_path.items():
            known = planned[blocks[path]] if path in blocks else File(path, '', block=True)
            file = known._replace(silence=tuple(sorted(set(numbers))), effect='restart')
            planned = [file if each is known else each for each in planned] if path in blocks else planned + [file]
        return planned

    def _with(self, planned: List[File]) -> Overlay:
        """Return the host as it is with these files, except for keys."""
        return Overlay(self.host, {
            file.path: texts.current(file, self.host.read(file.path) if self.host.exists(file.path) else None)
            for file in planned if not file.secret})

    def _check_only(self, want: Wanted, planned: List[File]) -> None:
        """Raise Refused if the daemon would still query another source."""
        if not self.facts.get('installed') and not self.host.exists(self.config):
            return      # the package will bring it, and is looked at again
        left = self._others(want, self.sources(host=self._with(planned)))
        if left:
            advice = 'Remove that line, or do not use only.'
            if left[0].line.leased:
                advice = ('Let DHCP name no servers (PEERNTP=no in /etc/sysconfig/network, NETCONFIG_NTP_POLICY="" on SLES, the '
                          'request in dhclient.conf, "nohook ntp.conf" in dhcpcd.conf, UseNTP=no in the .network file, or use-ntp: '
                          'false of netplan), or do not use only.')
            raise Refused('only: {0} would still be asked.'.format(left[0].line.quoted), advice)

    def _files(self, want: Wanted) -> List[File]:
        raise NotImplementedError

    def _check_reached(self, want: Wanted, planned: List[File]) -> None:
        """Raise Refused if the daemon would not read what is written, or if a later line of others would override it."""
        ours = [file for file in planned if not file.secret and file.text]
        if not ours:
            return
        if self.facts.get('not_read'):
            raise Refused(self.facts['not_read'], self.facts.get('not_read_advice', ''), NOT_READ)
        for path, real in [(file.path, self.host.real_path(file.path)) for file in ours]:
            if not config.lasting(real):
                raise Refused('{0} leads to {1}, which is made again at each boot.'.format(path, real),
                              'Put a folder in the place of that link, or use another provider.', NOT_READ)
            if config.of_vendor(real):
                raise Refused('{0} reads {1}, which the next update of its package replaces.'.format(self.unit, real),
                              'Let it read a copy below /etc, or use another provider.', NOT_READ)
        if not self.host.exists(self.config) and not self.facts.get('directives'):
            return      # the package will bring it
        read = self.lines(host=self._with(planned))
        paths = {line.path for line in read if line.own}
        for file in ours:
            if file.path not in paths:
                raise Refused('{0} does not read {1}, which this role would write.'.format(self.unit, file.path),
                              'Include it in {0}, or use another provider.'.format(self.config), NOT_READ)
        for line in [each for each in read if each.own and each.directive in self._last_wins]:
            last = [each for each in read if each.directive == line.directive][-1]
            if not last.own:
                raise Refused('{0} overrules the line "{1}" that this role would write.'.format(last.quoted, line.text),
                              'Remove or change it, then run again.', NOT_READ)

    def check_against(self, want: Wanted) -> None:
        """Raise Refused if the existing configuration conflicts with the options. Changes nothing."""
        if self.facts.get('no_control'):
            raise Refused('{0} is started with {1} and never sets the clock.'.format(self.unit, self.facts['no_control']),
                          self.facts.get('no_control_advice') or next_steps.REMOVE_X, NO_CONTROL)
        if want.smears and not want.only:
            self._check_smearing(want)

    def _check_smearing(self, want: Wanted) -> None:
        cloud = layouts.CLOUDS[want.cloud]
        good = {config.folded(name) for name in (cloud.server,) + cloud.also + cloud.alike}
        lines = self.lines(without_own=True)
        mixed = [source.line for source in self.sources_of(lines) if 'noselect' not in source.options
                 and source.kind in ASKED + ('fallback',) and config.folded(source.host) not in good]
        foreign = [line for line in lines if line in mixed or line.directive in layouts.LEAP_SECONDS]
        foreign += [line for line in dict.fromkeys(mixed) if line not in lines]     # of systemd-networkd's leases
        if foreign:
            raise Refused(
                'cloud={0}: its time source spreads a leap second over a day and must not be mixed with other servers or a list of '
                'leap seconds, but {1} has {2}. Take that out, set only=true, or leave cloud at none.'.format(
                    want.cloud, self.config, '; '.join(line.quoted for line in foreign)))

    def _in_configuration(self, lines: List[str], asked: bool) -> List[File]:
        """Return the file for these lines: a drop-in if the configuration has a folder for it, otherwise a block in it."""
        if not asked:
            return []
        if self.facts['config_dir']:
            return [texts.own_file('{0}/{1}.conf'.format(self.facts['config_dir'], texts.OWN_NAME), lines)]
        return [File(self.config, '\n'.join(lines), block=True)]

    def _key_file(self, keys: List[Key]) -> Tuple[List[File], List[str]]:
        """Return the file with the keys: the one that the configuration names, or else that of the layout, which is added to it."""
        if not keys:
            return [], []
        named = [line.words[1] for line in self.lines(without_own=True)
                 if line.directive == self._key_directive and len(line.words) > 1]
        path = os.path.join('/', named[-1]) if named else self.facts['keys']     # a service runs at /
        taken = {line.split()[0] for line in texts.without_block(self.host.read(path)).splitlines() if line.strip()}
        for key in keys:
            if str(key.number) in taken:
                raise Refused('keys: {0} has another key with the id {1} already. Give ours another id.'.format(path, key.number))
        lines = {key.number: self._key_form.format(key) for key in keys}
        block = File(path, '\n'.join(lines[each] for each in sorted(lines)), block=True, secret=True)
        return [block], [] if named else ['{0} {1}'.format(self._key_directive, path)]

    @property
    def keys_group(self) -> str:
        """Return the group of the daemon, which must be able to read the keys; '' if this host has no such group."""
        groups = [line.split(':')[0] for line in self.host.read('/etc/group').splitlines()]
        return self.facts['keys_group'] if self.facts.get('keys_group') in groups else ''

    # Asking and telling

    def _ask(self, program: str, *words: str) -> Any:
        return self.host.execute([self.programs.get(program, program)] + list(words), 20.0)

    def complaint(self) -> str:
        """Return the daemon's error about its configuration; '' if it accepts it, or cannot check it without a start."""
        return ''

    def still_waits(self) -> bool:
        """Return whether a single query shows that it runs and is not synchronized yet. `status` takes longer to find out why."""
        return False

    def status(self) -> Status:
        raise NotImplementedError

    def needs_restart(self, effects: Sequence[str]) -> bool:
        """Return whether it must be restarted to read changes with these effects (add, reload, restart)."""
        return bool(effects)

    def add_sources(self, lines: List[str]) -> bool:
        """Add the sources of these lines to the running daemon. False if that needs a restart."""
        return not lines

    def remove_sources(self, lines: List[str]) -> bool:
        """Remove the sources from the running daemon. False if that needs a restart."""
        return not lines

    def reload_sources(self) -> bool:
        """Have the running daemon read its sources again. False if that needs a restart."""
        return False

    def reset_measurements(self) -> bool:
        """Discard the daemon's measurements from before the step, and measure soon. False if that needs a restart."""
        return False

    def step(self) -> bool:
        """Have the daemon step the remaining offset. False if that needs a restart."""
        return False

    def reads_ours(self) -> str:
        """Return why the running daemon does not use what this collection wrote; '' if it does."""
        written = [line for line in self.lines() if line.own]
        if not written:
            return ''
        running = running_config(self.host, self.facts)
        if running and running != self.config:
            return '{0} runs with {1}, not with {2}'.format(self.unit, running, self.config)
        listed = self._listed()
        if listed is None:
            return ''
        ours = [source for source in self.sources_of(written) if source.kind in ASKED and source.asked]
        # ntpq shows no more than 15 characters of an address.
        absent = [source for source in ours if not {config.folded(source.host), config.folded(source.host)[:15]} & listed
                  and config.address_of(source.host) is not None and not config.is_this_host(self.host, source.host)]
        # Names may not be resolved yet, and versions list them differently. Addresses are listed at once.
        if absent and len(absent) == len([source for source in ours if config.address_of(source.host) is not None]):
            return '{0} does not list {1} of {2} among its sources'.format(self.unit, absent[0].host, absent[0].line.place)
        return ''

    def _listed(self) -> Optional[Set[str]]:
        """Return the addresses and names that the running daemon lists, normalized; None if it does not list them."""
        return None

    # Saying

    def _not_answering(self, said: str, advice: str) -> Status:
        """Return the status of a daemon that does not answer this host."""
        state = systemd.unit_states(self.host, [self.unit]).get(self.unit, {})
        if state and state.get('ActiveState') not in systemd.UP:
            return Status(False, 0.0, False, NOT_RUNNING, 'it does not run', 'See journalctl -b -u {0}.'.format(self.unit))
        return Status(False, 0.0, False, MAY_NOT_BE_ASKED, said, advice)

    def _no_answer(self, residual: float, listed: Sequence[str]) -> Status:
        """Return the status if no source answers. The advice depends on whether this run could query them from this host."""
        names = self.source_names()
        if not names and not listed:
            return Status(False, residual, False, NO_SOURCE, 'no source is configured',
                          'Name servers (option servers, in the roles time_sync_servers).')
        # A source with another port is another program on this host, which may lead elsewhere (a tunnel).
        own = [source.name for source in self.sources() if not source.port and config.is_this_host(self.host, source.host)]
        own = [name for name in names if name in own]
        if names and len(own) == len(names):
            return Status(False, residual, False, OWN_CLOCK, 'its only source is this host itself ({0})'.format(', '.join(own)),
                          'Name servers that are other machines (option servers, in the roles time_sync_servers).')
        names = [name for name in names if name not in own] or list(listed)
        return Status(False, residual, False, UNREACHABLE, 'it has no answer from {0}'.format(', '.join(names)),
                      ' '.join(self._about_the_network(names)))

    @staticmethod
    def _endpoint(name: str) -> Tuple[str, int]:
        host, _colon, port = name.rpartition(':') if name.count(':') == 1 or ']:' in name else (name, '', '')
        return config.folded(host), int(port) if port.isdigit() else 123

    def _about_the_network(self, names: Sequence[str]) -> List[str]:
        """Describe, in sentences, what this run measured for the servers that do not answer the daemon."""
        wrong = {each.name: each for each in self.sources() if each.name in names and config.why_no_server(each.host)}
        reasons = {name: self._measured_reason(name) for name in names if name not in wrong}
        heard = [name for name, reason in reasons.items() if reason == '']
        unheard = [name for name, reason in reasons.items() if reason and reason.startswith('no answer')]
        unknown = [name for name, reason in reasons.items() if reason is None]
        advice = ['{0} ({1}).'.format(config.why_no_server(each.host), each.line.place) for each in wrong.values()]
        for port in sorted({self._endpoint(name)[1] for name in unheard}):
            closed = [name for name in unheard if self._endpoint(name)[1] == port]
            advice.append("Open UDP {0} to {1} from this host: this run's own measurement did not hear {2} either.".format(
                port, ', '.join(closed), 'it' if len(closed) == 1 else 'them'))
        for name, reason in reasons.items():
            if reason and name not in unheard:
                # The name does not resolve, or the server refuses or has no correct time: the advice is not to open a port.
                advice.append("This run's own measurement cannot use {0} either: {1}.".format(name, reason))
                if 'root distance' in reason:
                    advice.append(next_steps.TOO_FAR)
        if heard:
            advice.append(self._where_heard.format(', '.join(heard), self.unit))
        if unknown and not (heard or unheard):
            advice.append('Measure with the module clock_skew_info whether this host hears {0}.'.format(', '.join(unknown)))
        secured = [source.name for source in self.sources() if source.nts and source.name in names]
        return advice + (['NTS also needs TCP 4460 to {0}.'.format(', '.join(secured))] if secured else [])

    def _measured_reason(self, name: str) -> Optional[str]:
        """Return why this run's own measurement could not use a server; '' if it could, None if it did not query it.

        If the server has several addresses, the most informative reason counts.
        """
        found = [source for source in self.measured if source.get('kind') == 'ntp' and self._endpoint(name) in [
            self._endpoint(str(text)) for text in (source.get('source'), source.get('address')) if text]]
        if not found:
            return None
        if any(source.get('low') is not None for source in found):
            return ''
        return min((str(source.get('reason') or 'no answer') for source in found), key=lambda each: each.startswith('no answer'))
