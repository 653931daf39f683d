# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How openntpd (ntpd.conf(5)) and ntpd-rs (ntp.toml(5)) name their servers."""

import re
from typing import Any, Dict, List, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import config
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.config import ConfigLine, Source


def read(host: Any, path: str, without_own: bool = False) -> List[ConfigLine]:
    """Return the lines without comments, which begin with # in both formats."""
    lines = [ConfigLine(path, number, text.partition('#')[0].strip(), own) for number, text, own in config.numbered(host, path)]
    return [line for line in lines if line.text and not (line.own and without_own)]


# Of Debian; of other distributions; built as upstream does.
_PLACES = ('/etc/openntpd/ntpd.conf', '/etc/ntpd.conf', '/usr/local/etc/ntpd.conf')


def usual(host: Any, path: str) -> str:
    """Return the configuration that a unit gives its openntpd, whose usual place differs; path: of the layout."""
    return next((each for each in _PLACES if host.exists(each)), path) if path in _PLACES else path


def sources_of(name: str, lines: List[ConfigLine]) -> List[Source]:
    """Return the sources that the lines name."""
    return _of_openntpd(lines) if name == 'openntpd' else _of_ntpd_rs(lines)


def _of_openntpd(lines: List[ConfigLine]) -> List[Source]:
    kinds = {'server': 'server', 'servers': 'pool'}
    return [Source(kinds[line.words[0]], line.words[1], 0, line) for line in lines
            if line.words[0] in kinds and len(line.words) > 1]


def _of_ntpd_rs(lines: List[ConfigLine]) -> List[Source]:
    tables: List[Dict[str, Tuple[str, ConfigLine]]] = []
    inside = False
    for line in lines:
        if line.text.startswith('['):
            inside = line.text.replace(' ', '') == '[[source]]'
            tables += [{}] if inside else []
            continue
        assigned = re.match(r'(mode|address)\s*=\s*["\']([^"\']+)["\']', line.text)
        if inside and assigned:
            tables[-1][assigned.group(1)] = (assigned.group(2), line)
    found: List[Source] = []
    for table in tables:
        if 'address' in table:
            mode = table['mode'][0] if 'mode' in table else 'server'
            host, port = _split(table['address'][0])
            nts = 'nts' in mode     # the port is that of the key exchange
            found.append(Source('pool' if 'pool' in mode else 'server', host, 0 if nts else port, table['address'][1],
                                ('nts',) if nts else ()))
    return found


def _split(text: str) -> Tuple[str, int]:
    found = re.match(r'\[(.+)\](?::([0-9]+))?$', text) or re.match(r'([^:]+):([0-9]+)$', text)
    return (found.group(1), int(found.group(2) or 0)) if found else (text, 0)
