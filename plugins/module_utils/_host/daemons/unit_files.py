# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads files of systemd: units with their drop-ins (systemd.unit(5)), and environment files (systemd.exec(5))."""

import os
import re
from typing import Any, Dict, List, NamedTuple, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import config

# In the order of precedence (systemd.unit(5), "Unit File Load Path").
UNIT_FOLDERS = ('/etc/systemd/system', '/run/systemd/system', '/usr/local/lib/systemd/system', '/usr/lib/systemd/system',
                '/lib/systemd/system')

# Further names that vendors give the unit of a time daemon.
_OTHER_NAMES = ('chrony.service', 'chronyd.service', 'ntp.service', 'ntpd.service', 'ntpsec.service', 'openntpd.service',
                'ntp-daemon.service', 'dbus-org.freedesktop.timesync1.service')


class Setting(NamedTuple):
    """One assignment of a unit or an environment file."""

    section: str
    key: str
    value: str
    path: str
    number: int

    @property
    def place(self) -> str:
        return '{0} line {1}'.format(self.path, self.number)


# White space and line ends of systemd.
_BLANKS = ' \t\n\r'
_LINE_ENDS = re.compile('(?:\r\n|\n\r|\n|\r)\0?|\0')


def words_of(text: str) -> List[str]:
    """Return the words of a list, split as systemd splits it."""
    return re.findall('[^{0}]+'.format(_BLANKS), text)


def assignments(host: Any, path: str) -> List[Setting]:
    """Return the assignments of a systemd file (systemd.syntax(7)).

    systemd stops reading at a line that is not UTF-8 and at a section header that is not valid: such a line is the last setting,
    without a key.
    """
    found: List[Setting] = []
    section, begun, started = '', '', 0
    # The empty line ends a line that continues at the end of the file.
    for number, text in enumerate(_LINE_ENDS.split(host.read(path)) + [''], 1):
        if text.lstrip(_BLANKS)[:1] in ('#', ';') and text.strip(_BLANKS):
            continue        # also between the parts of a continued line
        text = text[1:] if number == 1 and text.startswith('\ufeff') else text
        started = started if begun else number
        begun += text
        if goes_on(begun):
            begun = begun[:-1] + ' '
            continue
        line, begun = begun.strip(_BLANKS), ''
        if '\ufffd' in line or (line.startswith('[') and not re.fullmatch(r'\[[^\x00-\x1f"\\\']*\]', line)):
            return found + [Setting('', '', line, path, started)]
        key, equals, value = (part.strip(_BLANKS) for part in line.partition('='))
        if line.startswith('['):
            section = line[1:-1]
        elif key and equals:
            found.append(Setting(section, key, value, path, started))
    return found


def goes_on(text: str) -> bool:
    """Return whether a line continues: its last backslash is not escaped."""
    return (len(text) - len(text.rstrip('\\'))) % 2 == 1


def unit_settings(host: Any, unit: str) -> List[Setting]:
    """Return the unit's own file and then its drop-ins, in their order."""
    # An instance without its own file has that of its template.
    paths = ['{0}/{1}'.format(folder, name) for name in _names_of(unit) if name == unit or '@.' in name for folder in UNIT_FOLDERS]
    own = next((path for path in paths if host.exists(path)), '')
    # Drop-ins also count for its other names, for prefixes of its name that end with a dash, and for its type. Of one file name the
    # first counts: the folders of a name and its prefixes come by the places of units, those of the type last.
    kind = unit.rpartition('.')[2]
    drop_ins = config.merged(host, [
        '{0}/{1}.d'.format(folder, each) for names in [_names_of(name) for name in [unit] + _aliases(host, unit)] + [[kind]]
        for folder in UNIT_FOLDERS for each in names], '.conf')
    found: List[Setting] = []
    for path in ([own] if own else []) + drop_ins:
        found += [setting._replace(value=_specified(setting.value, unit)) if '%' in setting.value else setting
                  for setting in assignments(host, path)]
    return found


def _names_of(unit: str) -> List[str]:
    """Return the name, the template of an instance, and the prefixes that end with a dash, the longest first."""
    stem, _dot, kind = unit.rpartition('.')
    prefix, at, instance = stem.partition('@')
    parts = prefix.split('-')
    return [unit] + (['{0}@.{1}'.format(prefix, kind)] if at and instance else []) + [
        '{0}-.{1}'.format('-'.join(parts[:each]), kind) for each in range(len(parts) - 1, 0, -1)]


# Specifiers that are the same on every host: systemd.unit(5).
_SPECIFIERS = {'%': '%', 't': '/run', 'S': '/var/lib', 'C': '/var/cache', 'L': '/var/log', 'E': '/etc', 'T': '/tmp'}


def _specified(text: str, unit: str) -> str:
    """Expand the specifiers that depend on the unit's name. Others stay."""
    name = unit.rpartition('.')[0]
    prefix, _at, instance = name.partition('@')
    of_name = {'n': unit, 'N': name, 'p': prefix, 'i': instance, 'I': instance.replace('-', '/')}
    return re.sub('%(.)', lambda found: dict(_SPECIFIERS, **of_name).get(found.group(1), found.group(0)), text)


def _aliases(host: Any, unit: str) -> List[str]:
    """Return other names of a unit: links to it in the same folder. Reading all units would take longer on each healthy host."""
    found: List[str] = []
    for name in _OTHER_NAMES:
        for folder in UNIT_FOLDERS if name != unit else ():
            real = host.path('{0}/{1}'.format(folder, name))
            if os.path.islink(real) and os.path.basename(os.readlink(real)) == unit:
                found.append(name)
                break
    return found


def values(settings: List[Setting], section: str, key: str) -> List[Setting]:
    """Return the effective assignments of a key: an empty one resets the previous ones."""
    found: List[Setting] = []
    for setting in settings:
        if (setting.section, setting.key) == (section, key):
            found = found + [setting] if setting.value else []
    return found


def environment_file(host: Any, path: str) -> Dict[str, Tuple[str, str]]:
    """Return {name: (value, place)} as systemd reads the file (systemd.exec(5), EnvironmentFile=), which differs from a shell.

    Quotes have their meaning only at the beginning of a value. Later in it, quotes, spaces and # are part of the value. systemd
    ignores a line with "export".
    """
    text = host.read(path)
    if '\ufffd' in text:
        return {}       # systemd ignores a file that is not UTF-8
    found: Dict[str, Tuple[str, str]] = {}
    name, value, solid, state, line, started = '', '', 0, 'before', 1, 1

    def take() -> None:
        if re.fullmatch(r'[A-Za-z_]\w*', name.rstrip(_BLANKS), re.ASCII):
            found[name.rstrip(_BLANKS)] = (value[:solid] if state == 'plain' else value, '{0} line {1}'.format(path, started))

    for each in text:
        ends = each in '\n\r'
        if state in ('before', 'comment', 'name'):
            if ends:
                name, state = '', 'before'
            elif state == 'before' and each not in _BLANKS:
                name, started, state = each, line, 'comment' if each in '#;' else 'name'
            elif state == 'name' and each == '=':
                value, state = '', 'begun'
            elif state == 'name':
                name += each
        elif state in ('begun', 'plain') and ends:
            take()
            name, state = '', 'before'
        elif state in ('begun', 'plain') and each == '\\':
            state = 'escaped'
        elif state == 'begun' and each in '\'"':
            state = each
        elif state == 'plain' or (state == 'begun' and each not in _BLANKS) or state == 'escaped':
            value += '' if ends else each
            solid = len(value) if each not in _BLANKS or state == 'escaped' else solid
            state = 'plain'
        elif state == '"\\':
            value += each if each in '"\\`$' else '' if each == '\n' else '\\' + each
            state = '"'
        elif state in ('"', "'"):
            if each == state:
                state = 'begun'
            elif state == '"' and each == '\\':
                state = '"\\'
            else:
                value += each
        line += each == '\n'
    if state not in ('before', 'comment', 'name'):
        take()
    return found
