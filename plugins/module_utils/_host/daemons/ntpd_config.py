# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads ntpd's configuration: ntp.conf(5), ntpd(8). Separate from ntpd.py, because each measurement needs it."""

import os
import re
from typing import Any, List, Optional, Sequence

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import config, launch
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.config import ConfigLine, Reading, Source

# ntp.conf(5): include files may be nested to a depth of five.
_MOST_LEVELS = 5
# Options of a source: flags, those with a number, and those with a word. At any other word ntpd reports a syntax error, and uses
# what it has read of the line so far (bison's default reductions). An option without its value makes the whole line void.
_FLAGS = {'burst', 'iburst', 'noselect', 'prefer', 'true'}
_NUMBERS = {'key', 'maxpoll', 'minpoll', 'mode', 'version'}
_CLASSIC = (_FLAGS | {'autokey', 'preempt', 'xleave', 'xmtnonce'}, _NUMBERS | {'ttl'}, {'ident'})
_NTPSEC = (_FLAGS | {'noval', 'nts'},
           _NUMBERS | {'baud', 'bias', 'expire', 'flag1', 'flag2', 'flag3', 'flag4', 'holdover', 'stratum', 'subtype', 'time1',
                       'time2'},
           {'aead', 'ask', 'ca', 'cert', 'path', 'ppspath', 'refid', 'require'})
_NUMBER = re.compile('[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?[gG]*|0[xX][0-9a-fA-F]+')
# A word ends at a quote, whose text belongs to it, and at a comment, which also begins within a word (ntp_scanner.c of both).
_WORD = re.compile(r'(?P<comment>#.*)|(?P<bare>[^\s"#]*)"(?P<quoted>[^"]*)"?|(?P<plain>[^\s"#]+)', re.ASCII)


class NtpLine(ConfigLine):
    """A line of ntp.conf. Quotes are removed, keywords are case-sensitive, ntpd skips what is not ASCII, and NUL ends a word."""

    __slots__ = ()

    @property
    def words(self) -> List[str]:
        found = (each.group('plain') or (each.group('bare') or '') + (each.group('quoted') or '')
                 for each in _WORD.finditer(self.text))
        return [word for word in (re.sub('\0.*|[^\x00-\x7f]', '', text) for text in found) if word]

    @property
    def directive(self) -> str:
        return ''.join(self.words[:1])


def read(host: Any, path: str, daemon: str, arguments: Sequence[str] = (), without_own: bool = False) -> List[ConfigLine]:
    """Return the lines in the order in which an ntpd with these arguments reads them.

    daemon: ntpd or ntpsec. NTPsec also reads the folder ntp.d beside its file.
    """
    reading = Reading(without_own, _MOST_LEVELS)
    for word in launch.operands_of(daemon, arguments):
        reading.take(NtpLine('the command line of ntpd', 0, 'server {0} iburst'.format(word)))
    ntpsec = daemon == 'ntpsec' or is_ntpsec(host)
    _file(host, path, reading, ntpsec)
    for name in _in_folder(host, os.path.dirname(path) + '/ntp.d') if ntpsec else []:
        if not _file(host, name, reading, ntpsec):
            break
    return reading.lines


def disabling(lines: Sequence[ConfigLine]) -> Optional[ConfigLine]:
    """Return the last "disable ntp" line. No "enable ntp" overrides it: ntpd applies all enable lines first."""
    found = [line for line in lines if line.words[:1] == ['disable'] and 'ntp' in line.words[1:]]
    return found[-1] if found else None


def is_disabled(host: Any, arguments: Sequence[str]) -> bool:
    """Return whether the configuration of an ntpd with these arguments keeps it from setting the clock."""
    usual = next((path for path in ('/etc/ntpsec/ntp.conf', '/etc/ntp.conf') if host.exists(path)), '')
    path = launch.configuration_of('ntpd', arguments) or usual
    return disabling(read(host, path, 'ntpsec' if 'ntpsec' in path else 'ntpd')) is not None


def _file(host: Any, path: str, reading: Reading, ntpsec: bool) -> bool:
    """Read a file. Return whether reading continues: the line "end" ends it for all open files."""
    if not reading.enter(path):
        return True
    goes_on, numbered = True, list(config.numbered(host, path))
    leased = config.leased(numbered)
    for at, text, own in numbered:
        comment = next((each.start() for each in _WORD.finditer(text) if each.group('comment')), len(text))
        # RHEL 7's dhclient writes its servers into the file itself: "# added by /sbin/dhclient-script".
        line = NtpLine(path, at, text[:comment].strip(), own, at in leased or 'dhclient' in text[comment:])
        if not line.words or not reading.take(line):
            continue
        if line.directive == 'end':
            goes_on = False
        elif line.directive == 'includefile' and len(line.words) > 1:
            goes_on = all(_file(host, each, reading, ntpsec) for each in _included(host, path, line.words[1], ntpsec))
        if not goes_on:
            break
    reading.leave()
    return goes_on


def _included(host: Any, path: str, name: str, ntpsec: bool) -> List[str]:
    """Return the included files. NTPsec resolves paths from the folder of the file and accepts folders, the classic ntpd from /."""
    name = os.path.join(os.path.dirname(path) if ntpsec else '/', name)
    if not os.path.isdir(host.path(name)):
        return [name]
    return _in_folder(host, name.rstrip('/')) if ntpsec else []


def _in_folder(host: Any, folder: str) -> List[str]:
    """Return the files of a folder as NTPsec reads them: the last name first (lex_push_file in ntp_scanner.c), also hidden ones."""
    return sorted(config.matching(host, folder + '/*.conf') + config.matching(host, folder + '/.*.conf'), reverse=True)


def _source_of(line: ConfigLine, ntpsec: bool) -> Optional[Source]:
    """Return the source that a line names."""
    words = line.words
    if words[0] == 'refclock' and len(words) > 1:
        return Source('local' if words[1] == 'local' else 'refclock', words[1], 0, line)
    if words[0] in ('manycastclient', 'broadcastclient', 'multicastclient'):
        return Source('other', ' '.join(words[:2]), 0, line)
    if words[0] not in config.ASKED or len(words) < 2:
        return None
    rest = [word for word in words[1:] if word not in ('-4', '-6')]
    if not rest:
        return None
    host, options = rest[0], rest[1:]
    clock = re.match(r'127\.127\.([0-9]+)\.[0-9]+$', host)
    if clock:
        return Source('local' if clock.group(1) == '1' else 'refclock', host, 0, line)
    named: List[str] = []
    asked = True
    flags, numbers, with_word = _NTPSEC if ntpsec else _CLASSIC
    while asked and options and options[0] in flags | numbers | with_word:
        option = options.pop(0)
        named.append(option)
        if option not in flags:
            value = options.pop(0) if options else ''
            asked = bool(_NUMBER.fullmatch(value) if option in numbers else value)
    # With NTS, HOST:PORT is the port of the key exchange.
    bare = re.match(r'([^:]+):[0-9]+$', host)
    host = bare.group(1) if bare and 'nts' in named else host.strip('[]')
    return Source(words[0], host, 0, line, tuple(named), asked and 'noselect' not in named)


def is_ntpsec(host: Any) -> bool:
    """Return whether /usr/sbin/ntpd is NTPsec's, as in Fedora and EPEL: only NTPsec has this program."""
    return bool(host.exists('/usr/bin/ntpmon'))


def sources_of(host: Any, daemon: str, lines: Sequence[ConfigLine]) -> List[Source]:
    """Return the sources that the lines name. The daemon does not ask those that an "unpeer" line anywhere removes."""
    ntpsec = daemon == 'ntpsec' or is_ntpsec(host)
    gone = {config.folded(word) for line in lines if line.directive in ('unpeer', 'unconfig') for word in line.words[1:]}
    found = [source for source in (_source_of(line, ntpsec) for line in lines) if source]
    return [source._replace(asked=source.asked and config.folded(source.host) not in gone) for source in found]
