# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""systemd-timesyncd: timesyncd.conf(5), systemd-timesyncd.service(8), timedatectl(1)."""

import os
import re
import time
from typing import Any, List, Optional, Set, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._host import clock_keeper, systemd
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import config, layouts
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.base import (
    NOT_RUNNING,
    OWN_CLOCK,
    TOO_OLD_TO_TELL,
    Daemon,
    Status,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.config import ConfigLine, Overlay, Source
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.texts import File, current
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.timesyncd_config import (
    named_servers,
    read,
    sources_of,
    timespan,
    unreadable,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.wanted import NOT_READ, Refused, Server, Wanted

# timesyncd touches the file with each answer by which it adjusts the clock, and removes it when it stops (systemd 239). Its age
# shows that the servers are lost, because Server and Packet count do not change then.
SYNCHRONIZED = '/run/systemd/timesync/synchronized'
# Touched with each answer by which the clock is adjusted. Older versions have only this file.
_CLOCK = '/var/lib/systemd/timesync/clock'


class Timesyncd(Daemon):
    """systemd-timesyncd steps when it is more than 0.4 s off, and slews what is less over the next minutes."""

    patience = 10.0
    slews_below = 0.4
    choice = 'systemd-timesyncd follows the first of its servers that answers. '

    # Reading

    def lines(self, without_own: bool = False, host: Optional[Any] = None) -> List[ConfigLine]:
        return read(host or self.host, self.config, without_own)

    def sources_of(self, lines: List[ConfigLine]) -> List[Source]:
        return sources_of(self.host, lines)

    def source_names(self) -> List[str]:
        sources = [source for source in self.sources() if source.asked]
        return list(dict.fromkeys(source.host for source in sources))

    # Writing

    def _files(self, want: Wanted) -> List[File]:
        named = want.servers + want.pools
        if want.cloud:
            named = named + [Server(layouts.CLOUDS[want.cloud].server)]
        missing = ' '.join(server.host for server in (named if want.only else self._missing(named)))
        lines = ['NTP={0}'.format(missing)] if missing else []
        if want.only:       # an empty value resets the previous ones; FallbackNTP has a built-in value
            lines = ['NTP='] + lines + ['FallbackNTP=']
        if want.max_distance:
            lines.append('RootDistanceMaxSec={0:g}'.format(want.max_distance))
        return self._in_configuration(['[Time]'] + lines if lines else [], bool(lines or want.names))

    def _silence(self, want: Wanted, planned: List[File]) -> List[File]:
        return planned      # our own file resets the others

    def _check_reached(self, want: Wanted, planned: List[File]) -> None:
        written = {file.path: current(file, self.host.read(file.path) or None) for file in planned if file.text}
        read_again = self.lines(host=Overlay(self.host, written))
        last = unreadable(self.host, self.config)
        if written and last and not any(line.own for line in read_again):
            raise Refused('{0} keeps {1} from reading {2}, which this role would write: it reads nothing after a line that it '
                          'cannot read.'.format(last.quoted, self.unit, sorted(written)[0]),
                          'Correct that line, then run again.', NOT_READ)
        super()._check_reached(want, planned)
        limits = [line for line in read_again if line.text.startswith('RootDistanceMaxSec=')]
        # Another line that allows as much or more does no harm.
        if any(line.own for line in limits) and timespan(limits[-1].text.partition('=')[2]) < want.max_distance:
            raise Refused('{0} overrules the "RootDistanceMaxSec" that this role would write.'.format(limits[-1].quoted),
                          'Remove or change it, then run again.', NOT_READ)
        ours = [source for source in named_servers(read_again, 'NTP', 'server') if source.line.own]
        if any(line.own and line.text.startswith('NTP=') for line in read_again) and not ours:
            reset = [line for line in read_again if line.text == 'NTP=' and not line.own][-1]
            raise Refused('{0} resets the servers that this role would write.'.format(reset.quoted),
                          'Remove that line, then run again.', NOT_READ)

    # Asking

    def status(self) -> Status:
        done = self._ask('timedatectl', 'timesync-status')
        if done.code and re.search(r'(?i)unknown (operation|command)', done.complaint):
            return self._status_before_239()
        if done.code:
            return self._not_answering('it does not answer timedatectl', 'See timedatectl timesync-status on this host.')
        offset = re.search(r'(?m)^\s*Offset:\s*(\S.*?)\s*$', done.out)
        server = re.search(r'(?m)^\s*Server:\s*(\S+)(?: \((\S+)\))?', done.out)
        residual = timespan(offset.group(1)) if offset else 0.0
        follows = tuple(dict.fromkeys(word for word in server.groups() if word)) if server else ('none',)
        name = follows[0]
        if not self.host.exists(SYNCHRONIZED):
            return self._no_answer(residual, self._built_in())._replace(answered=bool(offset))
        if config.is_this_host(self.host, name):
            return self._on_its_own(residual, name)
        if self._is_lost(done.out):
            return self._no_answer(residual, self._built_in())
        named = ' '.join(follows[:1] + tuple('({0})'.format(word) for word in follows[1:]))
        return Status(True, residual, True, '', 'synchronized to {0}, was {1:+.6f} s off'.format(named, residual),
                      stepped=abs(residual) > self.slews_below, follows=follows)

    def _is_lost(self, shown: str) -> bool:
        """Return whether there was no answer for so long that its servers count as lost."""
        adjusted = self._touched(SYNCHRONIZED)
        longest = re.search(r'(?m)^\s*Poll interval:.*\bmax:? (\S.*?)\)', shown)
        interval = timespan(longest.group(1)) if longest else 0.0
        return adjusted is not None and clock_keeper.is_lost(time.time() - adjusted, interval)

    def _built_in(self) -> List[str]:
        """Return the servers that it queries if no file names any: those that the distribution has built in (FallbackNTP=)."""
        if self.source_names():
            return []
        done = self._ask('timedatectl', 'show-timesync', '--property', 'FallbackNTPServers')
        listed = re.search(r'(?m)^FallbackNTPServers=(.*)$', done.out)
        return listed.group(1).split() if listed else []

    def _on_its_own(self, residual: float, name: str) -> Status:
        return Status(False, residual, False, OWN_CLOCK, "it follows this host's own clock ({0})".format(name),
                      'Name servers that are other machines (option servers, in the roles time_sync_servers).')

    def _status_before_239(self) -> Status:
        """systemd 237 tells less: the kernel's flag, which timesyncd sets, and when it has last adjusted the clock."""
        shown = self._ask('timedatectl', 'status').out
        flag = re.search(r'(?mi)^\s*(?:System clock|NTP) synchronized:\s*(yes|no)', shown)
        running, began = self._running_since()
        if not running:
            return Status(False, 0.0, False, NOT_RUNNING, 'it does not run', 'See journalctl -b -u {0}.'.format(self.unit))
        if not flag:
            return Status(False, 0.0, False, TOO_OLD_TO_TELL,
                          'this version (before systemd 239) does not tell whether it is synchronized', 'Use provider=chrony.')
        if flag.group(1) == 'no':
            return self._no_answer(0.0, [])
        adjusted = self._touched(_CLOCK)
        if adjusted is None or adjusted < began:
            return Status(False, 0.0, False, TOO_OLD_TO_TELL,
                          'this version (before systemd 239) has not adjusted the clock since it was started',
                          'Wait a minute and run again, or use provider=chrony.')
        return Status(True, 0.0, True, '', 'synchronized, as the kernel and {0} tell'.format(_CLOCK))

    def _running_since(self) -> Tuple[bool, float]:
        """Return whether it runs, and since when, in Unix seconds of the current clock; 0 if this is not known."""
        state = systemd.unit_states(self.host, [self.unit]).get(self.unit, {})
        since = state.get('ActiveEnterTimestampMonotonic', '')
        running = not state or state.get('ActiveState') in systemd.UP
        return running, time.time() - time.monotonic() + int(since) / 1e6 if since.isdigit() and int(since) else 0.0

    def _touched(self, path: str) -> Optional[float]:
        """When the file was touched last, in Unix seconds of the clock at that time."""
        try:
            return os.stat(self.host.path(path)).st_mtime
        except OSError:
            return None

    def _listed(self) -> Optional[Set[str]]:
        done = self._ask('timedatectl', 'show-timesync', '--property', 'SystemNTPServers')
        listed = re.search(r'(?m)^SystemNTPServers=(.*)$', done.out)
        return {config.folded(word) for word in listed.group(1).split()} if listed else None
