# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads ntpd's configuration: ntp.conf(5), ntpd(8). Separate from ntpd.py, because each measurement needs it."""

import os
import re
from typing import Any, List, Optional, Sequence

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import config
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.config import ConfigLine, Reading, Source

# ntp.conf(5): include files may be nested to a depth of five.
_MOST_LEVELS = 5
# Options of a source; a line with another one is a syntax error, and is not used.
_FLAGS = {'autokey', 'burst', 'iburst', 'noselect', 'noval', 'nts', 'preempt', 'prefer', 'true', 'xleave'}
_WITH_VALUE = {'aead', 'ask', 'bias', 'ca', 'cert', 'expire', 'key', 'maxpoll', 'minpoll', 'mode', 'require', 'ttl', 'version'}
# The options of ntpd(8) that have a value.
_ARGUMENTS_WITH_VALUE = 'cDfiIjklpPrstuUvV'
_LONG_WITH_VALUE = ('--configfile', '--driftfile', '--keyfile', '--logfile', '--pidfile', '--user')


def read(host: Any, path: str, without_own: bool = False, folder: str = '', arguments: Sequence[str] = ()) -> List[ConfigLine]:
    """Return the lines in the order in which ntpd reads them. folder: NTPsec's ntp.d, which it reads after the file itself.

    arguments: servers on the command line.
    """
    reading = Reading(without_own, _MOST_LEVELS)
    for word in arguments:
        reading.take(ConfigLine('the command line of ntpd', 0, 'server {0} iburst'.format(word)))
    _file(host, path, reading)
    for name in config.matching(host, folder + '/*.conf') if folder else []:
        _file(host, name, reading)
    return reading.lines


def _file(host: Any, path: str, reading: Reading) -> None:
    if not reading.enter(path):
        return
    for at, text, own in config.numbered(host, path):
        text, _mark, comment = text.partition('#')
        text = text.strip()
        # RHEL 7's dhclient writes its servers into the file itself: "# added by /sbin/dhclient-script".
        line = ConfigLine(path, at, text, own, 'dhclient' in comment)
        if not text or not reading.take(line):
            continue
        # Keywords are lower case; others are syntax errors.
        if line.words[0] == 'includefile' and len(line.words) > 1:
            name = line.words[1].strip('"')
            name = name if name.startswith('/') else os.path.join(os.path.dirname(path), name)
            files = config.matching(host, name.rstrip('/') + '/*.conf') if os.path.isdir(host.path(name)) else [name]
            for each in files:
                _file(host, each, reading)
    reading.leave()


def source_of(line: ConfigLine) -> Optional[Source]:
    """Return the source that a line names."""
    words = [word.strip('"') for word in line.words]
    if words[0] == 'refclock' and len(words) > 1:
        return Source('local' if words[1] == 'local' else 'refclock', words[1], 0, line)
    if words[0] not in ('server', 'pool', 'peer', 'manycastclient', 'broadcastclient', 'multicastclient') or len(words) < 2:
        return None
    rest = [word for word in words[1:] if word not in ('-4', '-6')]
    if not rest:
        return None
    host, options = rest[0], rest[1:]
    clock = re.match(r'127\.127\.([0-9]+)\.[0-9]+$', host)
    if clock:
        return Source('local' if clock.group(1) == '1' else 'refclock', host, 0, line)
    if words[0] not in config.ASKED:
        return Source('other', host, 0, line)
    named: List[str] = []
    asked = True
    while options:
        option = options.pop(0)
        named.append(option)
        if option in _WITH_VALUE and options:
            options.pop(0)
        elif option not in _FLAGS:
            asked = False       # a syntax error
    # With NTS, HOST:PORT is the port of the key exchange.
    bare = re.match(r'([^:]+):[0-9]+$', host)
    host = bare.group(1) if bare and 'nts' in named else host.strip('[]')
    return Source(words[0], host, 0, line, tuple(named), asked and 'noselect' not in named)


def servers_of(arguments: Sequence[str]) -> List[str]:
    """Return the servers on the command line: words that are not options (ntpd(8))."""
    return config.operands_of(arguments, _ARGUMENTS_WITH_VALUE, _LONG_WITH_VALUE)


def is_ntpsec(host: Any) -> bool:
    """Return whether /usr/sbin/ntpd is NTPsec's, as in Fedora and EPEL: only NTPsec has this program."""
    return bool(host.exists('/usr/bin/ntpmon'))


def read_all(host: Any, path: str, ntpsec: bool, arguments: Sequence[str], without_own: bool = False) -> List[ConfigLine]:
    """Return the lines that an ntpd with these arguments reads. NTPsec also reads the folder ntp.d beside its file."""
    folder = os.path.dirname(path) + '/ntp.d' if ntpsec or is_ntpsec(host) else ''
    return read(host, path, without_own, folder, servers_of(arguments))


def sources_of(lines: Sequence[ConfigLine]) -> List[Source]:
    """Return the sources that the lines name."""
    return [source for source in (source_of(line) for line in lines) if source]
