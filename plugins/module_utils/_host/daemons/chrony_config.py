# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads chronyd's configuration: chrony.conf(5), chronyd(8). Separate from chrony.py, because each measurement needs it."""

import os
import re
from typing import Any, List, Optional, Sequence

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import config
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.config import ConfigLine, Reading, Source

# chronyd reads no deeper.
_MOST_LEVELS = 10
# Options of a source: those that stand alone, and those with a number.
_FLAGS = {'auto_offline', 'burst', 'copy', 'iburst', 'ipv4', 'ipv6', 'noselect', 'nts', 'offline', 'prefer', 'require', 'trust',
          'xleave'}
_FRACTIONS = {'asymmetry', 'maxdelay', 'maxdelaydevratio', 'maxdelayquant', 'maxdelayratio', 'mindelay', 'offset'}
_WITH_VALUE = _FRACTIONS | {'certset', 'extfield', 'filter', 'key', 'maxpoll', 'maxsamples', 'maxsources', 'maxunreach', 'minpoll',
                            'minsamples', 'minstratum', 'ntsport', 'polltarget', 'port', 'presend', 'version'}
# What a DHCP client has named, and the vendor's helper tells chronyd: dhclient of RHEL 7 and 8 and of Debian 10, netconfig of SLES.
_LEASES = (('/usr/libexec/chrony-helper', '/var/lib/dhclient/chrony.servers.*'),
           ('/usr/lib/chrony/chrony-helper', '/var/lib/dhcp/chrony.servers.*'),
           ('/usr/lib/chrony/helper', '/run/netconfig/chrony.servers'),
           ('/usr/libexec/chrony/helper', '/run/netconfig/chrony.servers'))


def usual(host: Any, path: str) -> str:
    """Return the configuration that a unit of the vendor gives chronyd: without the administrator's, that of SUSE 16's package."""
    vendors = '/usr' + path
    return vendors if path.startswith('/etc/') and not host.exists(path) and host.exists(vendors) else path


def read(host: Any, path: str, without_own: bool = False, directives: Sequence[str] = ()) -> List[ConfigLine]:
    """Return the lines in the order in which chronyd reads them: included files in their place, source folders last."""
    reading = Reading(without_own, _MOST_LEVELS)
    if directives:
        for text in directives:
            _take(host, ConfigLine('the command line of chronyd', 0, ' '.join(config.words_of(text))), reading)
    else:
        _file(host, path, reading)
    for helper, pattern in _LEASES:
        # Without the helper, as after an upgrade, such a file is left over.
        for name in config.matching(host, pattern) if host.exists(helper) else []:
            for line in _plain(host, name):
                reading.take(line._replace(text='server ' + line.text, leased=True))
    for named in reading.folders:
        for name in config.merged(host, named, '.sources'):
            # Without its line end a line may not be written to its end yet, and is not used.
            for line in _plain(host, name, terminated=True):
                if line.directive in config.ASKED:
                    reading.take(line)
    return reading.lines


def _plain(host: Any, path: str, terminated: bool = False) -> List[ConfigLine]:
    """Return the lines that are not comments, which begin with one of ! ; # %."""
    numbered = list(config.numbered(host, path))
    leased = config.leased(numbered)
    lines = [ConfigLine(path, at, text.partition('\0')[0].strip(config.WHITE_SPACE), own, at in leased)
             for at, text, own in (numbered[:-1] if terminated else numbered)]
    return [line for line in lines if line.text and line.text[0] not in '!;#%']


def _file(host: Any, path: str, reading: Reading) -> None:
    if reading.enter(path):
        for line in _plain(host, path):
            _take(host, line, reading)
        reading.leave()


def _take(host: Any, line: ConfigLine, reading: Reading) -> None:
    names = line.words[1:]
    if not reading.take(line) or not names:
        return
    if line.directive == 'sourcedir':
        reading.folders.append(names[:10])
    elif line.directive in ('include', 'confdir'):
        found = config.matching(host, names[0]) if line.directive == 'include' else config.merged(host, names[:10], '.conf')
        for path in found:
            if not os.path.isdir(host.path(path)):
                _file(host, path, reading)


def source_of(line: ConfigLine) -> Optional[Source]:
    """Return the source that a line names."""
    words = line.words
    if line.directive == 'refclock' and len(words) > 2:
        return Source('refclock', ' '.join(words[1:3]), 0, line)
    if line.directive not in ('server', 'pool', 'peer') or len(words) < 2:
        return None
    options: List[str] = []
    port, valid = 0, True
    rest = [word.lower() for word in words[2:]]
    while rest:
        option = rest.pop(0)
        options.append(option)
        value = rest.pop(0) if option not in _FLAGS and rest else ''
        form = '[0-9a-f]+' if option == 'extfield' else '[+-]?[.]?[0-9].*' if option in _FRACTIONS else '[+-]?[0-9]+'
        valid = valid and (option in _FLAGS or (option in _WITH_VALUE and bool(re.fullmatch(form, value))))
        if option == 'port' and re.fullmatch('[+]?0*[0-9]{1,5}', value):
            port = int(value) if int(value) != 123 else 0
    # In chrony.conf chronyd does not start with a line that it cannot read; in a source folder it leaves that line out.
    asked = not {'noselect', 'offline'} & set(options) and (valid or not line.path.endswith('.sources'))
    return Source(line.directive, words[1], port, line, tuple(options), asked)


def folders_of(host: Any, path: str, directives: Sequence[str], directive: str) -> List[str]:
    """Return the drop-in folders below /etc that the configuration names, those with precedence first."""
    lines = read(host, path, without_own=True, directives=directives)
    found: List[str] = []
    for line in lines:
        if line.directive == directive:
            found += line.words[1:11]
        elif line.directive == 'include' and directive == 'confdir':
            found += re.findall(r'^(/\S+)/\*\.conf$', ' '.join(line.words[1:2]))
    return [folder.rstrip('/') for folder in found if folder.startswith('/etc/')]


def sources_of(lines: Sequence[ConfigLine]) -> List[Source]:
    """Return the sources that the lines name."""
    found: List[Source] = []
    for line in lines:
        if line.directive == 'initstepslew':    # chronyd asks these only when it starts, and steps the clock by them
            found += [Source('other', word, 0, line) for word in line.words[2:]]
        source = source_of(line)
        found += [source] if source else []
    return found
