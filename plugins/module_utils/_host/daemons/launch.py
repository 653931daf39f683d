# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds out how a unit starts its daemon, from its files and /proc.

The options of the start decide what a daemon reads, not the files of its package. Reads files only.
"""

import os
import re
import shlex
from typing import Any, Dict, List, Match, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.importing import IMPORT_LOCK
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import config
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.unit_files import (
    Setting,
    environment_file,
    goes_on,
    unit_settings,
    values,
)


class Launch(NamedTuple):
    """How a daemon is started."""

    arguments: List[str]        # without the program
    place: str                  # where they are written, for a message
    known: bool = True          # False: an unknown script starts it, or no file shows how it starts
    by_script: bool = False     # whether a script of the vendor starts it, which may add options


# Special executable prefixes of systemd.service(5).
_PREFIXES = '@-:+!|'


def shell_variables(host: Any, path: str) -> Dict[str, Tuple[str, str]]:
    """Return {name: (value, place)} of a file of assignments, as a shell reads it. Only variables of the file are substituted."""
    found: Dict[str, Tuple[str, str]] = {}

    def known(part: Match[str]) -> str:
        name = part.group(1) or part.group(2)
        return found[name][0] if name in found else part.group(0)

    begun, started = '', 0
    for number, text, _own in config.numbered(host, path):
        started = started if begun else number
        begun += text
        assigned = _ASSIGNED.match(begun)
        if assigned and goes_on(begun):
            begun = begun[:-1]
            continue
        if assigned and _is_open(assigned.group(2)):
            begun += '\n'       # a quoted value continues until its closing quote
            continue
        for command in _COMMAND.findall(begun) if assigned else ():
            assigned = _ASSIGNED.match(command)
            if assigned:
                # Within single quotes nothing is substituted.
                words = _words(re.sub(r"'[^']*'|\$\{(\w+)\}|\$(\w+)", known, assigned.group(2)), comments=True)
                found[assigned.group(1)] = (' '.join(words[:1]), '{0} line {1}'.format(path, started))
        begun = ''
    return found


_ASSIGNED = re.compile(r'\s*(?:(?:export|readonly)\s+)?([A-Za-z_]\w*)=(.*)$', re.DOTALL)
# A semicolon ends a command, except in quotes and comments.
_COMMAND = re.compile(r"""(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|(?<!\S)\#.*|[^;'"\\])+""", re.DOTALL)


def _is_open(text: str) -> bool:
    """Return whether a quotation is not closed."""
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return True
    return False


def _words(text: str, comments: bool = False) -> List[str]:
    try:
        return shlex.split(text, comments=comments)
    except ValueError:      # a quotation that is not closed
        return text.replace('"', ' ').replace("'", ' ').split()


# The escapes of systemd.syntax(7), and the places in Unicode that hide them from shlex: they do not end a word.
_ESCAPED = re.compile(r'\\(?:x([0-9a-fA-F]{2})|([0-3][0-7]{2})|([abfnrtvs])|\\)')
_NAMED = dict(zip('abfnrtvs', '\a\b\f\n\r\t\v '))
_HIDDEN = 0xF0000


def _unit_words(text: str) -> List[str]:
    """Return the words of a setting, as systemd unquotes it."""
    def hide(found: Match[str]) -> str:
        in_hex, in_octal, name = found.groups()
        code = int(in_hex, 16) if in_hex else int(in_octal, 8) if in_octal else ord(_NAMED[name]) if name else 0
        return chr(_HIDDEN + code) if code else found.group(0)

    words = _words(_ESCAPED.sub(hide, text))
    return [re.sub('[\U000F0000-\U000F00FF]', lambda found: chr(ord(found.group(0)) - _HIDDEN), word) for word in words]


def of_unit(host: Any, unit: str, programs: Tuple[str, ...], defaults: Tuple[str, str], dhcp: Tuple[str, ...],
            config_option: str) -> Launch:
    """Return how the unit will start its daemon.

    programs: the daemon's own binaries. defaults: the vendor's file and variable of options, for a unit that does not show them.
    dhcp: the files from DHCP by which the vendor's wrapper replaces the configuration, with the option config_option.
    """
    settings = unit_settings(host, unit)
    commands = values(settings, 'Service', 'ExecStart')
    words: List[str] = []
    if commands:
        command = commands[-1].value.lstrip(_PREFIXES)
        prefixes, words = commands[-1].value[:-len(command) or None], _unit_words(command)
        words = words[:1] + words[2:] if '@' in prefixes else words     # behind @ comes another name of the program
        behind = _behind(words, [os.path.basename(program) for program in programs])
        if behind:
            arguments, places = behind[1:], []  # type: List[str], List[str]
            if ':' not in prefixes:
                arguments, places = _expanded(arguments, _environment(host, settings))
            return Launch(arguments, ' and '.join(places) or commands[-1].place)
    if not commands or re.search(r'wrapper|starter|start-ntpd|/etc/init\.d/', commands[-1].value):
        environment = _environment(host, settings)
        if words[1:] and 'starter' in words[0]:
            # That of Ubuntu gives chronyd its own arguments.
            arguments, places = _expanded(words[1:], dict(shell_variables(host, defaults[0]), **environment))
            return Launch(arguments, ' and '.join(places) or commands[-1].place, by_script=True)
        return _of_vendor(host, defaults, dhcp, config_option, environment)
    return Launch([], commands[-1].place, known=False)


def _behind(words: List[str], names: List[str]) -> List[str]:
    """Return the command with one of these programs, also behind one that runs it (nice, chrt); [] if it is another command."""
    if words and os.path.basename(words[0]) not in names:
        with IMPORT_LOCK:
            from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.setters import behind
        words, elsewhere = behind(words)
        words = [] if elsewhere else words
    return words if words and os.path.basename(words[0]) in names else []


def other_root(host: Any, unit: str, path: str) -> Optional[Setting]:
    """Return the setting that gives the unit's processes another file at a path, or none: systemd.exec(5)."""
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
    return (_unit_words(commands[-1].value.lstrip(_PREFIXES)) + [''])[0] if commands else ''


def beside(host: Any, unit: str, names: Sequence[str]) -> Dict[str, str]:
    """Return {name: path} of the programs that came with a daemon in a place of no package (/opt)."""
    folder = os.path.dirname(program_of(host, unit))
    places = [os.path.dirname(folder) + '/bin', folder] if folder.startswith('/opt/') else []
    found = ((name, '{0}/{1}'.format(place, name)) for place in places for name in names)
    return {name: path for name, path in found if host.exists(path)}


def _environment(host: Any, settings: List[Setting]) -> Dict[str, Tuple[str, str]]:
    found: Dict[str, Tuple[str, str]] = {}
    for setting in values(settings, 'Service', 'Environment'):
        for word in _unit_words(setting.value):
            name, equals, value = word.partition('=')
            if equals:
                found[name] = (value, setting.place)
    for setting in values(settings, 'Service', 'EnvironmentFile'):
        for path in config.matching(host, setting.value.lstrip('-')):
            found.update(environment_file(host, path))
    for setting in values(settings, 'Service', 'UnsetEnvironment'):
        for name in _unit_words(setting.value):
            found.pop(name, None)
    return found


def _expanded(words: List[str], variables: Dict[str, Tuple[str, str]]) -> Tuple[List[str], List[str]]:
    """Expand variables: $NAME is split at spaces, ${NAME} is not, unset ones are empty, $$ is $ (systemd.service(5))."""
    arguments: List[str] = []
    places: List[str] = []

    def value_of(name: str) -> str:
        value, place = variables.get(name, ('', ''))
        places.extend([place] if value else [])
        return value

    for word in words:
        if re.match(r'\$[^{$]', word):
            arguments += _words(value_of(word[1:]))
        else:
            arguments.append(re.sub(r'\$\$|\$\{(\w+)\}', lambda found: value_of(found.group(1)) if found.group(1) else '$', word))
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
        return Launch(arguments + [config_option, replaced], replaced, by_script=True)
    return Launch(arguments, place if arguments else '', by_script=True)


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


class CommandLine(NamedTuple):
    """How a daemon is given another configuration, and which of its options have a value."""

    letter: str
    word: str
    with_value: str
    words_with_value: Tuple[str, ...] = ()


_NTPD = CommandLine('-c', '--configfile', 'cDfiIklpPrstuUw', (
    '--configfile', '--driftfile', '--driftile', '--dvar', '--interface', '--jaildir', '--keyfile', '--logfile', '--pccfreq',
    '--pidfile', '--priority', '--propagationdelay', '--saveconfigquit', '--set-debug-level', '--statsdir', '--trustedkey',
    '--updateinterval', '--user', '--var', '--wait-sync'))
# chronyd(8); ntpd(8) of both, ntpd(8) of OpenBSD, ntp-daemon(8).
COMMAND_LINES = {
    'chrony': CommandLine('-f', '', 'fFlLNPtu'), 'ntpd': _NTPD, 'ntpsec': _NTPD, 'openntpd': CommandLine('-f', '', 'fp'),
    'ntpd-rs': CommandLine('-c', '--config', 'cl', ('--config', '--log-level'))}


def options_of(daemon: str, arguments: Sequence[str]) -> List[Tuple[str, str]]:
    """Return (option, value) for each option, ('', word) for each other word."""
    known = COMMAND_LINES[daemon]
    return config.options_of(arguments, known.with_value, known.words_with_value)


def configuration_of(daemon: str, arguments: Sequence[str]) -> str:
    """Return the last configuration file that a command line names; '' if it names none."""
    known = COMMAND_LINES[daemon]
    named = [value for option, value in options_of(daemon, arguments) if option and option in (known.letter, known.word)]
    return named[-1] if named else ''


def operands_of(daemon: str, arguments: Sequence[str]) -> List[str]:
    """Return the words that are not options or their values: directives for chronyd(8), servers for ntpd(8)."""
    return [word for option, word in options_of(daemon, arguments) if not option]


def without_control(started: Launch) -> str:
    """Return the option by which a chronyd never sets the clock, with its place; '' if it may."""
    return '-x ({0})'.format(started.place) if ('-x', '') in options_of('chrony', started.arguments) else ''
