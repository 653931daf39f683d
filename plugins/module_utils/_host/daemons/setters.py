# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds commands that set the clock in the text of scripts, crontabs and units. Pure.

A line that only mentions such a command (a package, a test for a file, a word of a message) does not set the clock: the program of
a simple command counts. Functions are not resolved, and variables only if they name such a program.
"""

import os
import re
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

_QUOTED = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\])*\"")
# What ends a simple command, or begins another one inside it.
_BETWEEN = re.compile(r'[;|&()`\n]')
# `sh -c 'COMMAND'` and `su -c "COMMAND"` run the quoted text.
_RUN_QUOTED = re.compile(r'\s-\w*c\s+([\'"])(.*?)\1')


class _Wrapper(NamedTuple):
    """A program that runs the command after it: its options with a value, and the number of words before the command."""

    with_value: str = ''
    words: int = 0


_PLAIN = ('if', 'then', 'else', 'elif', 'do', 'while', 'until', '!', '{', 'exec', 'eval', 'env', 'nohup', 'time', 'setsid',
          'busybox', 'toybox', 'chronic', 'cronic', 'command', 'sh', 'bash', 'dash', 'ksh')
_WRAPPERS: Dict[str, _Wrapper] = {
    'sudo': _Wrapper('ugpCDhRT'), 'nice': _Wrapper('n'), 'ionice': _Wrapper('cnp'), 'timeout': _Wrapper('sk', 1),
    'flock': _Wrapper('wE', 1), 'chroot': _Wrapper('', 1), 'taskset': _Wrapper('', 1), 'chrt': _Wrapper('TPD', 1),
    'stdbuf': _Wrapper('ioe'), 'doas': _Wrapper('uC'), 'systemd-run': _Wrapper('upEMHG'),
    'nsenter': _Wrapper('tSG'), 'ip': _Wrapper('bfln', 3), 'runuser': _Wrapper('ugGsw'), 'systemd-cat': _Wrapper('tp'),
    'xargs': _Wrapper('adEILnPs'), 'numactl': _Wrapper('NmCip'), **{name: _Wrapper() for name in _PLAIN}}


# Those whose command is a part of them, or is in another root.
_ELSEWHERE = ('busybox', 'toybox', 'chroot', 'nsenter')
# Where a program without a path may be: the usual values of PATH.
_FOLDERS = ('/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/local/sbin', '/usr/local/bin')


class _Setter(NamedTuple):
    """A program that sets the clock: its options with a value, the options that make it set the clock (none: it always does),
    those that prevent this, and the same as long options."""

    with_value: str
    sets: str = ''
    asks: str = ''
    sets_long: Tuple[str, ...] = ()
    asks_long: Tuple[str, ...] = ()
    name: str = ''
    sets_still: str = ''    # options that make it set the clock beside those that prevent this


_SETTERS: Dict[str, _Setter] = {
    'ntpdate': _Setter('aekopt', asks='qd'),
    'ntpdate-debian': _Setter('aekopt', asks='qd', name='ntpdate'),
    'ntpdate-sync': _Setter('', name='ntpdate'),
    'ntpdig': _Setter('acgkKlMopt', sets='sS', sets_long=('--step', '--slew')),
    'sntp': _Setter('acgKklMot', sets='sS', sets_long=('--step', '--slew'), name='ntpdig'),
    'rdate': _Setter('ot', asks='p', sets_still='s'),
    'ntpclient': _Setter('cfghilpqt', sets='s'),
    'htpdate': _Setter('iMPmptu', asks='q', asks_long=('--help', '--version')),
    'tlsdate': _Setter('HpPxCr', asks='n', asks_long=('--dont-set-clock',), name='htpdate'),
    'chronyd': _Setter('fFlLPtu', sets='q', name='chronyd -q'),
    'ntpd': _Setter('cDfiIjklpPrStuUvV', sets='q', sets_long=('--quit',), name='ntpd -q'),
    'date': _Setter('dfr', sets='s', sets_long=('--set',), name='date -s'),
    'hwclock': _Setter('f', sets='s', sets_long=('--hctosys',), name='hwclock --hctosys'),
}
# Programs that set the clock by a phrase: net is of Samba, often where Active Directory is; the others are SUSE's.
_PHRASES = {'net': 'time set', 'timedatectl': 'set-time', 'start-ntpd': 'ntptimeset', 'rcntpd': 'ntptimeset', 'rcntp': 'ntptimeset'}
# Services that set the clock at each start, and their places.
_ONCE = ('ntpdate', 'ntpsec-ntpdate', 'rdate', 'sntp')
_UNITS = ('/usr/lib/systemd/system/{0}.service', '/lib/systemd/system/{0}.service', '/etc/systemd/system/{0}.service',
          '/etc/init.d/{0}')
# date MMDDhhmm[[CC]YY][.ss]
_DATE_TO_SET = re.compile(r'[0-9]{8}(?:[0-9]{2}){0,2}(?:\.[0-9]{2})?')


# NTPDATE=/usr/sbin/ntpdate, and `which ntpdate`.
_ASSIGNED = re.compile(r'(?m)^\s*(?:(?:export|readonly)\s+)?([A-Za-z_]\w*)=([\'"]?)([\w./-]+)\2\s*(?:$|[;#])')
_WHICH = re.compile(r'(?:\$\(|`)\s*(?:which|command\s+-v)\s+([\w./-]+)\s*[)`]')


def programs_of(text: str) -> Dict[str, str]:
    """Return {variable: program} of a script, for programs that set the clock."""
    assigned = {found.group(1): found.group(3) for found in _ASSIGNED.finditer(_WHICH.sub(r'\1', text))}
    return {name: value for name, value in assigned.items() if os.path.basename(value) in _SETTERS}


def setter_in(text: str, programs: Optional[Dict[str, str]] = None, exists: Callable[[str], bool] = lambda path: True) -> str:
    """Return the command in a line of a script or a unit that sets the clock; '' if there is none.

    programs: those of the script's variables. exists: returns whether a file exists.
    """
    text = _WHICH.sub(r'\1', text)
    for name, value in (programs or {}).items():
        text = re.sub(r'\$(?:{0}\b|\{{{0}\}})'.format(name), value, text)
    text = _RUN_QUOTED.sub(lambda found: ' ; {0} ; '.format(found.group(2)), text)
    text = re.sub(r'(?:^|\s)#.*', '', _QUOTED.sub(_without_blanks, text))
    for part in _BETWEEN.split(text):
        name = _sets(part.split(), exists)
        if name:
            return name
    return ''


def _without_blanks(found: 're.Match[str]') -> str:
    """Replace quoted text with one word, because it is not a command; substitutions in double quotes stay."""
    quoted = found.group(0)
    inner = ''.join(re.findall(r'\$\([^()]*\)|`[^`]*`', quoted)) if quoted[0] == '"' else ''
    plain = quoted[1:-1]
    return plain if re.fullmatch(r'[\w./:=@%+-]+', plain) else '_' + inner


def _sets(words: List[str], exists: Callable[[str], bool]) -> str:
    path, rest = _program(words, exists)
    program = os.path.basename(path)
    setter = _SETTERS.get(program)
    if not setter:
        return _by_words(program, [word for word in rest if not word.startswith('-')], exists)
    letters, long_ones, operands = _parsed(rest, setter.with_value)
    asks = set(setter.asks) & set(letters) and not set(setter.sets_still) & set(letters)
    if asks or any(word.partition('=')[0] in setter.asks_long for word in long_ones):
        return ''
    by_option = set(setter.sets) & set(letters) or any(word.partition('=')[0] in setter.sets_long for word in long_ones)
    by_itself = not setter.sets or (program == 'date' and any(_DATE_TO_SET.fullmatch(word) for word in operands))
    return (setter.name or program) if by_option or by_itself else ''


def _by_words(program: str, words: List[str], exists: Callable[[str], bool]) -> str:
    phrase = _PHRASES.get(program)
    if phrase:
        return '{0} {1}'.format(program, phrase) if ' {0} '.format(phrase) in ' {0} '.format(' '.join(words)) else ''
    words = words if program == 'systemctl' else words[1::-1] if program == 'service' else []
    names = [word.partition('.service')[0] for word in words[1:]] if words[:1] in (['start'], ['restart']) else []
    return next((name + '.service' for name in names if name in _ONCE and any(exists(path.format(name)) for path in _UNITS)), '')


def _is_here(program: str, exists: Callable[[str], bool]) -> bool:
    """Return whether a program is installed. Its package may have been removed since, as ntpdate by an upgrade to RHEL 8."""
    if '/' not in program:
        return program == 'date' or any(exists('{0}/{1}'.format(folder, program)) for folder in _FOLDERS)
    return not program.startswith('/') or exists(program)


def _program(words: List[str], exists: Callable[[str], bool]) -> Tuple[str, List[str]]:
    """Return (the program that a simple command runs, its arguments); ('', []) if it is not installed."""
    words, elsewhere = behind(words)
    return (words[0], words[1:]) if words and (elsewhere or _is_here(words[0], exists)) else ('', [])


def behind(words: List[str]) -> Tuple[List[str], bool]:
    """Return the command that programs such as nice run, and whether one of them runs a part of itself, or in another root."""
    words, elsewhere = list(words), False
    while words:
        word = words.pop(0)
        if re.match(r'[A-Za-z_]\w*=', word) or word[:1] in '<>':
            continue
        name = os.path.basename(word)
        wrapper = _WRAPPERS.get(name)
        if wrapper is None:
            return [word] + words, elsewhere
        elsewhere = elsewhere or name in _ELSEWHERE
        while words and words[0].startswith('-'):
            option = words.pop(0)
            if name == 'command' and option in ('-v', '-V'):
                return [], False
            if len(option) == 2 and option[1] in wrapper.with_value and words:
                words.pop(0)
        if name == 'ip' and words[1:2] != ['exec']:
            return [], False
        while name in ('sudo', 'env') and words and re.match(r'[A-Za-z_]\w*=', words[0]):
            words.pop(0)
        words = words[wrapper.words:]
    return [], False


def _parsed(words: List[str], with_value: str) -> Tuple[str, List[str], List[str]]:
    """Split a command line as getopt(3) does: (letters of options, long options, other words)."""
    letters, long_ones, operands = '', [], []  # type: str, List[str], List[str]
    value = False
    for word in words:
        if value:
            value = False
        elif word.startswith('--'):
            long_ones.append(word)
        elif word.startswith('-') and len(word) > 1:
            for at, letter in enumerate(word[1:], 2):
                letters += letter
                if letter in with_value:
                    value = at == len(word)
                    break
        else:
            operands.append(word)
    return letters, long_ones, operands


def job_of(path: str, line: str) -> Optional[str]:
    """Return the command of a line of a crontab (crontab(5), anacrontab(5)); None for a line that is not a job.

    It follows five time fields or a word such as @daily and, except in the crontabs of users, an account.
    """
    line = line.strip()
    if not line or line.startswith('#') or re.match(r'\w+\s*=', line):
        return None
    if path == '/etc/anacrontab':
        fields = line.split(None, 3)
        return fields[3] if len(fields) > 3 else None
    of_user = path.startswith('/var/spool/')
    fields = line.split(None, (1 if line[0] == '@' else 5) + (0 if of_user else 1))
    wanted = (1 if line[0] == '@' else 5) + (1 if of_user else 2)
    return fields[-1] if len(fields) == wanted else None
