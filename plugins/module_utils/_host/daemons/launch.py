# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a unit starts its daemon: systemd.unit(5) with drop-ins, systemd.exec(5) with environment files, and /proc.

What a daemon reads is what it is started with, not what its package ships. Reads files only.
"""

import os
import re
import shlex
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import config

# In the order in which one counts more than the next (systemd.unit(5), "Unit File Load Path").
UNIT_FOLDERS = ('/etc/systemd/system', '/run/systemd/system', '/usr/local/lib/systemd/system', '/usr/lib/systemd/system',
                '/lib/systemd/system')

# Names that vendors give a time daemon's unit beside its own.
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
    known: bool = True          # False: a script starts it that is not known, or nothing tells


def assignments(host: Any, path: str) -> List[Setting]:
    """The assignments of one file of systemd's: sections, comments, lines that go on after a backslash."""
    found: List[Setting] = []
    section, begun, started = '', '', 0
    for number, text, _own in config.numbered(host, path):
        if text.strip()[:1] in ('#', ';') and text.strip():
            continue        # also between the parts of a line that goes on
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
    """The unit's own file, then its drop-ins, in the order in which they count."""
    # An instance has the file and the drop-ins of its template where it has none of its own.
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
    """The text with the specifiers expanded that the unit's name tells; others stay."""
    name = unit.rpartition('.')[0]
    prefix, _at, instance = name.partition('@')
    of_name = {'n': unit, 'N': name, 'p': prefix, 'i': instance, 'I': instance.replace('-', '/')}
    return re.sub('%(.)', lambda found: dict(_SPECIFIERS, **of_name).get(found.group(1), found.group(0)), text)


def _aliases(host: Any, unit: str) -> List[str]:
    """Other names of a unit: links beside it that lead to it. To look at all units would take each healthy host longer."""
    found: List[str] = []
    for name in _OTHER_NAMES:
        for folder in UNIT_FOLDERS if name != unit else ():
            real = host.path('{0}/{1}'.format(folder, name))
            if os.path.islink(real) and os.path.basename(os.readlink(real)) == unit:
                found.append(name)
                break
    return found


def values(settings: List[Setting], section: str, key: str) -> List[Setting]:
    """The assignments of one key that count: an empty one takes back those before it."""
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
            begun += '\n'       # a quoted value goes on to the quote that ends it
            continue
        begun = ''
        if assigned:
            words = _words(assigned.group(2), comments=True)
            found[assigned.group(1)] = (' '.join(words[:1]), '{0} line {1}'.format(path, started))
    return found


def _is_open(text: str) -> bool:
    """Whether a quote in it has no end."""
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return True
    return False


def shell_variables(host: Any, path: str) -> Dict[str, Tuple[str, str]]:
    """{name: (value, place)} of a file of assignments, as a shell reads it; substitutions are left out."""
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
    except ValueError:      # a quote that does not end
        return text.replace('"', ' ').replace("'", ' ').split()


def of_unit(host: Any, unit: str, programs: Tuple[str, ...], defaults: Tuple[str, str], dhcp: Tuple[str, ...],
            config_option: str) -> Launch:
    """How the unit starts its daemon the next time.

    programs: the daemon's own binaries. defaults: the vendor's file and variable of options, for a unit that does not tell.
    dhcp: the files with which the vendor's wrapper replaces the configuration where DHCP gave one, by the option config_option.
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
    """The program that the unit starts; '' where its files do not tell."""
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
    """systemd.service(5): $NAME is split at spaces, ${NAME} is not; what is not set is empty."""
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
    """A vendor's wrapper: it takes options out of a file, and another configuration where DHCP has written one."""
    path, variable = defaults
    variables = dict(shell_variables(host, path) if path else {}, **environment)
    options, place = variables.get(variable, ('', ''))
    arguments = [word for word in _words(options) if not word.startswith('$')]
    replaced = next((name for name in dhcp if host.exists(name)), '')
    # Debian's wrapper of ntpsec looks at IGNORE_DHCP, that of the classic ntp does not.
    if replaced and not ('ntpsec' in path and variables.get('IGNORE_DHCP', ('', ''))[0] == 'yes'):
        return Launch(arguments + [config_option, replaced], replaced)
    return Launch(arguments, place if arguments else '')


def of_process(host: Any, pid: str, programs: Tuple[str, ...]) -> Optional[Launch]:
    """How the process that runs was started; None where that cannot be read, or it is another program."""
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


# The option by which each daemon is given another configuration.
CONFIG_OPTIONS = {'chrony': ('-f', ''), 'ntpd': ('-c', '--configfile'), 'ntpsec': ('-c', '--configfile'), 'openntpd': ('-f', ''),
                  'ntpd-rs': ('-c', '--config')}
