# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads systemd-timesyncd's configuration: timesyncd.conf(5). Separate from timesyncd.py: each measurement needs it."""

import os
import re
from typing import Any, Iterator, List, Optional, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import config
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.config import ConfigLine, Source
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.unit_files import Setting, assignments, words_of

# If several folders have a file of one name, the first one counts (timesyncd.conf(5)).
_FOLDERS = ('/etc/systemd', '/run/systemd', '/usr/local/lib/systemd', '/usr/lib/systemd', '/lib/systemd')
# systemd-networkd's leases and links, where DHCP names servers.
_LINKS = '/run/systemd/netif/links/*'


def _settings(host: Any, path: str) -> Iterator[Tuple[Setting, ConfigLine]]:
    """Yield the assignments of the file, then those of its drop-ins in the order of their names."""
    name = os.path.basename(path)
    whole = next((each for each in ['{0}/{1}'.format(folder, name) for folder in _FOLDERS] if host.exists(each)), '')
    drop_ins = config.merged(host, ['{0}/{1}.d'.format(folder, name) for folder in _FOLDERS], '.conf')
    for each in ([whole] if whole else []) + drop_ins:
        own = {number for number, _text, own in config.numbered(host, each) if own}
        for setting in assignments(host, each):
            text = '{0}={1}'.format(setting.key, setting.value) if setting.key else setting.value
            yield setting, ConfigLine(each, setting.number, text, setting.number in own)
            if not setting.key:
                return      # timesyncd cannot read this line, and stops reading, also other files


def read(host: Any, path: str, without_own: bool = False) -> List[ConfigLine]:
    """Return the assignments of [Time]."""
    return [line for setting, line in _settings(host, path) if setting.section == 'Time' and not (line.own and without_own)]


def unreadable(host: Any, path: str) -> Optional[ConfigLine]:
    """Return the line at which timesyncd stops reading, if any."""
    return next((line for setting, line in _settings(host, path) if not setting.key), None)


def named_servers(lines: List[ConfigLine], key: str, kind: str) -> List[Source]:
    """Return the words of a list, which an empty assignment resets."""
    found: List[Source] = []
    for line in lines:
        name, _equals, value = line.text.partition('=')
        if name == key:
            # A word in brackets is not an address here: it is resolved as a name.
            found = found + [Source(kind, word, 0, line, (), word[0] != '[') for word in words_of(value)] if value else []
    return found


def linked(host: Any) -> List[Source]:
    """Return the servers that DHCP names on the links of systemd-networkd."""
    found: List[Source] = []
    for path in config.matching(host, _LINKS):
        for number, text, _own in config.numbered(host, path):
            if text.startswith('NTP='):
                found += [Source('server', word, 0, ConfigLine(path, number, text, leased=True)) for word in text[4:].split()]
    return found


def sources_of(host: Any, lines: List[ConfigLine]) -> List[Source]:
    """Return the effective sources: NTP= and those of the links; FallbackNTP= only if there are none."""
    named = named_servers(lines, 'NTP', 'server') + linked(host)
    return named + [source._replace(asked=not named) for source in named_servers(lines, 'FallbackNTP', 'fallback')]


_UNITS = {'us': 1e-6, 'ms': 1e-3, 's': 1.0, 'min': 60.0, 'h': 3600.0, 'd': 86400.0, 'w': 604800.0, 'month': 2629800.0,
          'y': 31557600.0}


def timespan(text: str) -> float:
    """Parse a time span as systemd prints or accepts it, to seconds: -1.243ms, +1min 30.2s, 300."""
    if re.fullmatch(r'\s*[0-9]+(\.[0-9]+)?\s*', text):
        return float(text)
    parts = re.findall(r'([0-9]+(?:\.[0-9]+)?)(us|ms|month|min|s|h|d|w|y)', text.replace('\u03bc', 'u').replace('\u00b5', 'u'))
    total = sum(float(value) * _UNITS[unit] for value, unit in parts)
    return -total if text.lstrip().startswith('-') else total
