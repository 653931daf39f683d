# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds out how a unit starts its daemon: systemd.unit(5) with drop-ins, systemd.exec(5) with environment files, and /proc.

The options of the start decide what a daemon reads, not the files of its package. Reads files only.
"""

import os
import re
import shlex
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

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


class Launch(NamedTuple):
    """How a daemon is started."""

    arguments: List[str]        # without the program
    place: str                  # where they are written, for a message
    known: bool = True          # False: an unknown script starts it, or no file shows how it starts


def assignments(host: Any, path: str) -> List[Setting]:
    """Return the assignments of a systemd file: sections, comments, lines that continue after a backslash."""
    found: List[Setting] = []
    section, begun, started = '', '', 0
    for number, text, _own in config.numbered(host, path):
        if text.strip()[:1] in ('#', ';') and text.strip():
            continue        # also between the parts of a continued line
        started = started if begun else number
        begun += text
        if begun.endswith('\\'):
            begun = begun[:-1] + ' '
            continue
        line, begun = begun.strip(), ''
        header = re.fullmatch(r'\[(.*)\]', line)
        if header:
            section = header.group(1)
        elif '=' in line:
            key, _equals, value = line.partition('=')
            found.append(Setting(section, key.strip(), value.strip(), path, started))
    return found


def unit_settings(host: Any, unit: str) -> List[Setting]:
    """Return the unit's own file and then its drop-ins, in their order."""
    # An instance without its own file and drop-ins has those of its template.
    template = re.sub(r'@[^@]*\.', '@.', unit)
    names = list(dict.fromkeys([unit, template]))
    paths = ['{0}/{1}'.format(folder, name) for name in names for folder in UNIT_FOLDERS]
    own = next((path for path in paths if host.exists(path)), '')
    # Drop-ins also count that are for its other names, for the beginning of its name up to a dash, and for all of its type.
    stem, _dot, kind = unit.rpartition('.')
    parts = stem.split('-')
    names += _aliases(host, unit) + ['{0}-.{1}'.format('-'.join(parts[:at]), kind) for at in range(len(parts) - 1, 0, -1)] + [kind]
    drop_ins = config.merged(host, ['{0}/{1}.d'.format(folder, name) for name in names for folder in UNIT_FOLDERS], '.conf')
    found: List[Setting] = []
    for path in ([own] if own else []) + drop_ins:
        found += [setting._replace(value=_specified(setting.value, unit)) if '%' in setting.value else setting
                  for setting in assignments(host, path)]
    return found


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
    """{name: (value, place)} as systemd.exec(5) reads it: a line may go on after a backslash, and "export" makes it void."""
    found: Dict[str, Tuple[str, str]] = {}
    begun, started = '', 0
    for number, text, _own in config.numbered(host, path):
        if not begun and text.strip()[:1] in ('#', ';'):
            continue
        started = started if begun else number
        begun += text
        if begun.endswith('\\'):
            begun = begun[:-1]
            continue
        assigned = re.match(r'\s*([A-Za-z_]\w*)=(.*)$', begun, re.DOTALL)
        if assigned and _is_open(assigned.group(2)):
            begun += '\n'       # a quoted value continues until its closing quote
            continue
        begun = ''
        if assigned:
            words = _words(assigned.group(2), comments=True)
            found[assigned.group(1)] = (' '.join(words[:1]), '{0} line {1}'.format(path, started))
    return found


def _is_open(text: str) -> bool:
    """Return whether a quotation is not closed."""
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return True
    return False


def shell_variables(host: Any, path: str) -> Dict[str, Tuple[str, str]]:
    """Return {name: (value, place)} of a file of assignments, as a shell reads it, without substitutions."""
    found: Dict[str, Tuple[str, str]] = {}
    for number, text, _own in config.numbered(host, path):
        assigned = re.match(r'\s*(?:export\s+)?([A-Za-z_]\w*)=(.*)$', text)
        if assigned:
            words = _words(assigned.group(2), comments=True)
            found[assigned.group(1)] = (' '.join(words[:1]), '{0} line {1}'.format(path, number))
    return found


def _words(text: str, comments: bool = False) -> List[str]:
    try:
        return shlex.split(text, comments=comments)
    except ValueError:      # a quotation that is not closed
        return text.replace('"', ' ').replace("'", ' ').split()


def of_unit(host: Any, unit: str, programs: Tuple[str, ...], defaults: Tuple[str, str], dhcp: Tuple[str, ...],
            config_option: str) -> Launch:
    """Return how the unit will start its daemon.

    programs: the daemon's own binaries. defaults: the vendor's file and variable of options, for a unit that does not show them.
    dhcp: the files from DHCP by which the vendor's wrapper replaces the configuration, with the option config_option.
    """
    settings = unit_settings(host, unit)
    commands = values(settings, 'Service', 'ExecStart')
    if commands:
        words = _words(re.sub(r'^[@\-:+!|]+', '', commands[-1].value))
        if words and os.path.basename(words[0]) in [os.path.basename(program) for program in programs]:
            variables = _environment(host, settings)
            skip = 2 if commands[-1].value.lstrip('-:+!|').startswith('@') else 1
            arguments, places = _expanded(words[skip:], variables)
            return Launch(arguments, ' and '.join(places) or commands[-1].place)
    if not commands or re.search(r'wrapper|starter|start-ntpd|/etc/init\.d/', commands[-1].value):
        return _of_vendor(host, defaults, dhcp, config_option, _environment(host, settings))
    return Launch([], commands[-1].place, known=False)


def other_root(host: Any, unit: str, path: str) -> Optional[Setting]:
    """The setting by which the unit's processes see another file at a path, or none: systemd.exec(5)."""
    settings = unit_settings(host, unit)
    for key in ('RootDirectory', 'RootImage', 'BindPaths', 'BindReadOnlyPaths', 'TemporaryFileSystem', 'InaccessiblePaths'):
        for setting in values(settings, 'Service', key):
            if key.startswith('Root'):
                if setting.value.lstrip('-') != '/':
                    return setting
                continue
            for word in _words(setting.value):
                parts = word.lstrip('-+').split(':')
                at = parts[1] if key.startswith('Bind') and len(parts) > 1 and parts[1] else parts[0]
                same = key.startswith('Bind') and at == parts[0]
                if not same and (path + '/').startswith(at.rstrip('/') + '/'):
                    return setting
    return None


def program_of(host: Any, unit: str) -> str:
    """Return the program that the unit starts; '' if its files do not show it."""
    commands = values(unit_settings(host, unit), 'Service', 'ExecStart')
    return (_words(re.sub(r'^[@\-:+!|]+', '', commands[-1].value)) + [''])[0] if commands else ''


def _environment(host: Any, settings: List[Setting]) -> Dict[str, Tuple[str, str]]:
    found: Dict[str, Tuple[str, str]] = {}
    for setting in values(settings, 'Service', 'Environment'):
        for word in _words(setting.value):
            name, equals, value = word.partition('=')
            if equals:
                found[name] = (value, setting.place)
    for setting in values(settings, 'Service', 'EnvironmentFile'):
        for path in config.matching(host, setting.value.lstrip('-')):
            found.update(environment_file(host, path))
    return found


def _expanded(words: List[str], variables: Dict[str, Tuple[str, str]]) -> Tuple[List[str], List[str]]:
    """Expand variables: $NAME is split at spaces, ${NAME} is not, and unset ones are empty (systemd.service(5))."""
    arguments: List[str] = []
    places: List[str] = []
    for word in words:
        names = re.findall(r'\$\{(\w+)\}|\$(\w+)', word)
        places += [variables[name][1] for pair in names for name in pair if name in variables and variables[name][0]]
        alone = re.fullmatch(r'\$(\w+)', word)
        if alone:
            arguments += _words(variables.get(alone.group(1), ('', ''))[0])
        else:
            arguments.append(re.sub(r'\$\{(\w+)\}', lambda found: variables.get(found.group(1), ('', ''))[0], word))
    return arguments, list(dict.fromkeys(places))


def _of_vendor(host: Any, defaults: Tuple[str, str], dhcp: Tuple[str, ...], config_option: str,
               environment: Dict[str, Tuple[str, str]]) -> Launch:
    """Return how a vendor's wrapper starts the daemon: with options from a file, and with a configuration from DHCP."""
    path, variable = defaults
    variables = dict(shell_variables(host, path) if path else {}, **environment)
    options, place = variables.get(variable, ('', ''))
    arguments = [word for word in _words(options) if not word.startswith('$')]
    replaced = next((name for name in dhcp if host.exists(name)), '')
    # Debian's wrapper of ntpsec respects IGNORE_DHCP, that of the classic ntp does not.
    if replaced and not ('ntpsec' in path and variables.get('IGNORE_DHCP', ('', ''))[0] == 'yes'):
        return Launch(arguments + [config_option, replaced], replaced)
    return Launch(arguments, place if arguments else '')


def of_process(host: Any, pid: str, programs: Tuple[str, ...]) -> Optional[Launch]:
    """Return how the running process was started; None if this cannot be read, or it is another program."""
    if not re.fullmatch('[1-9][0-9]*', pid or ''):
        return None
    words = host.read('/proc/{0}/cmdline'.format(pid)).split('\0')
    if words and words[-1] == '':
        words.pop()
    names = [os.path.basename(program) for program in programs]
    if not words or os.path.basename(words[0]) not in names:
        return None
    return Launch(words[1:], 'the running process {0}'.format(pid))


def option_of(arguments: List[str], letter: str, long_name: str = '') -> str:
    """The value of an option: `-c FILE`, `-cFILE`, `-gc FILE`, `--configfile FILE` or `--configfile=FILE`; the last one counts."""
    found = ''
    for number, word in enumerate(arguments):
        after = arguments[number + 1] if number + 1 < len(arguments) else ''
        # Flags, which have no value, may come before it in one word. A word that is itself a value does not begin with a dash.
        together = re.match('-[{0}]*{1}(.*)$'.format(_FLAGS, letter[1]), word)
        if long_name and word == long_name:
            found = after
        elif long_name and word.startswith(long_name + '='):
            found = word.partition('=')[2]
        elif together:
            found = together.group(1) or after
    return found


# Flags of chronyd(8) and ntpd(8), which may stand before the option that names the file.
_FLAGS = '46aAbdghmMnNqQRsvxz'


# The option that sets another configuration file, for each daemon.
CONFIG_OPTIONS = {'chrony': ('-f', ''), 'ntpd': ('-c', '--configfile'), 'ntpsec': ('-c', '--configfile'), 'openntpd': ('-f', ''),
                  'ntpd-rs': ('-c', '--config')}
