# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds what else sets a clock: daemons that are only read and stopped, guest services, PTP, units, and cron jobs.

It only reads files and queries systemd. It executes nothing of what it finds.
"""

import glob
import os
import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._host import clock_keeper, systemd
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import (
    config,
    launch,
    layouts,
    others_config,
    unit_files,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.base import Daemon, Status
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.config import ConfigLine, Source
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.setters import job_of, programs_of, setter_in
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.systems import systems
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.texts import File
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.wanted import Wanted
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.processes import Processes


class Foreign(Daemon):
    """A daemon that this collection reads and stops, but never configures."""

    def lines(self, without_own: bool = False, host: Optional[Any] = None) -> List[ConfigLine]:
        return others_config.read(host or self.host, self.config, without_own)

    def sources_of(self, lines: List[ConfigLine]) -> List[Source]:
        return others_config.sources_of(self.facts['name'], lines)

    def _files(self, want: Wanted) -> List[File]:
        return []

    def status(self) -> Status:
        return self._not_answering('this role does not ask it', 'Use provider=chrony.')


# What else sets a clock


class Steerer(NamedTuple):
    """Something other than a time daemon that sets this host's clock."""

    name: str           # for messages
    unit: str           # its unit; '' if it has none
    place: str          # where it was found: a unit, or file and line
    can_stop: bool      # stopping and disabling the unit ends it, and starting and enabling it restores it
    advice: str         # what to do if it cannot be stopped; '' if it can


class _Known(NamedTuple):
    unit: str
    name: str
    can_stop: bool
    advice: str


_PTP = 'Leave the clock to PTP, or stop and disable {unit} before this role runs.'
_GUEST = 'Turn off its time synchronization ({how}), then run again.'
_VBOX = _GUEST.format(how='start VBoxService with --disable-timesync')

_KNOWN = (
    _Known('phc2sys.service', 'phc2sys (PTP)', False, _PTP), _Known('timemaster.service', 'timemaster (PTP)', False, _PTP),
    _Known('ptp4l.service', 'ptp4l (PTP) with software time stamps', False, _PTP),
    _Known('ptpd.service', 'ptpd (PTP)', False, _PTP), _Known('ptpd2.service', 'ptpd (PTP)', False, _PTP),
    _Known('sfptpd.service', 'sfptpd (PTP)', False, _PTP),
    _Known('vboxadd-service.service', "VirtualBox's guest service", False, _VBOX),
    _Known('virtualbox-guest-utils.service', "VirtualBox's guest service", False, _VBOX),
    _Known('vboxservice.service', "VirtualBox's guest service", False, _VBOX),
    _Known('connman.service', 'ConnMan, which has an NTP client of its own', False,
           'Run "connmanctl clock timeupdates manual", then run again.'),
    _Known('ntpdate.service', 'ntpdate', True, ''), _Known('sntp.service', 'sntp', True, ''),
    _Known('htpdate.service', 'htpdate', True, ''), _Known('rdate.service', 'rdate', True, ''),
    _Known('tlsdate.service', 'tlsdate', True, ''), _Known('tlsdated.service', 'tlsdated', True, ''),
    _Known('ntpsec-ntpdate.service', 'ntpdate of NTPsec', True, ''), _Known('busybox-ntpd.service', 'ntpd of busybox', True, ''),
)
UNITS = tuple(each.unit for each in _KNOWN)

# Folders that the crontab says nothing about run their files as they are.
_CRONTABS = ('/etc/crontab', '/etc/anacrontab', '/etc/cron.d/*', '/var/spool/cron/*', '/var/spool/cron/crontabs/*',
             '/var/spool/cron/tabs/*')
_LOOP = re.compile(r'(?m)(?:^|[;&|({\'"])\s*(?:while|until)\s')
_UNREAD = re.compile(r'^\.|~$|\.(?:dpkg|rpm)|\.(?:bak|disabled|off|orig|save|swp)$')
_LONGEST = 200000


def find_steerers(host: Any, states: Dict[str, Dict[str, str]]) -> List[Steerer]:
    """Return everything that sets the clock except the daemons of layouts. states: those of UNITS."""
    found: Dict[str, Steerer] = {}
    for known in _KNOWN:
        state = states.get(known.unit, {})
        if state.get('LoadState') in (None, 'not-found', 'masked') or state.get('Id', known.unit) != known.unit:
            continue
        active = state.get('ActiveState') in systemd.UP
        enabled = state.get('UnitFileState') in ('enabled', 'enabled-runtime')
        if (active or enabled) and _steers(host, known, state):
            found[known.unit] = Steerer(known.name, known.unit, known.unit, known.can_stop, known.advice.format(unit=known.unit))
    for steerer in _of_processes(host) + _of_units(host) + _of_cron(host):
        found.setdefault(steerer.unit or steerer.place, steerer)
    return list(found.values())


def _steers(host: Any, known: _Known, state: Dict[str, str]) -> bool:
    """Return whether it sets the clock with its options: VBoxService, ptp4l and phc2sys may run without setting it."""
    words = host.read('/proc/{0}/cmdline'.format(state.get('MainPID') or 'none')).split('\0')
    commands = unit_files.values(unit_files.unit_settings(host, known.unit), 'Service', 'ExecStart')
    text = ' '.join(words) + ' ' + ' '.join(command.value for command in commands)
    if 'VirtualBox' in known.name:
        return '--disable-timesync' not in text
    if known.unit == 'phc2sys.service':
        return clock_keeper.phc2sys_sets_clock(words[1:]) if words[1:] else _phc2sys_of(host, known.unit)
    if known.unit == 'connman.service':
        return 'TimeUpdates=manual' not in host.read('/var/lib/connman/settings')
    if known.unit == 'ptp4l.service':
        return _ptp4l_sets_clock(host, words[1:]) if words[1:] else _ptp4l_of(host, known.unit)
    return True


def _phc2sys_of(host: Any, unit: str) -> bool:
    """Return whether the phc2sys that a unit starts sets the system clock."""
    return clock_keeper.phc2sys_sets_clock(launch.of_unit(host, unit, ('phc2sys',), ('', ''), (), '').arguments)


def _ptp4l_of(host: Any, unit: str) -> bool:
    """Return whether the ptp4l that a unit starts sets the system clock."""
    started = launch.of_unit(host, unit, ('ptp4l',), ('', ''), (), '')
    return _ptp4l_sets_clock(host, started.arguments or ['-f', '/etc/linuxptp/ptp4l.conf', '-f', '/etc/ptp4l.conf'])


def _ptp4l_sets_clock(host: Any, arguments: List[str]) -> bool:
    """Return whether a ptp4l with these arguments sets the system clock: with software time stamps (ptp4l(8)).

    Options have precedence over the file. It sets no clock while it runs free, and with some servos.
    """
    options = config.options_of(arguments, 'fiplt')
    settings: Dict[str, str] = {}
    for path in [value for option, value in options if option == '-f']:
        settings.update(re.findall(r'(?m)^\s*(time_stamping|free_running|clock_servo)\s+(\w+)', host.read(path)))
    settings.update((option[2:], value) for option, value in options if option.startswith('--'))
    settings.update(('time_stamping', 'software' if option == '-S' else 'legacy' if option == '-L' else 'hardware')
                    for option, _value in options if option in ('-S', '-L', '-H'))
    return settings.get('time_stamping') in ('software', 'legacy') and settings.get('free_running', '0') == '0' \
        and settings.get('clock_servo') not in clock_keeper.SERVOS_OF_OTHERS


# Programs that set the clock while they run, as the kernel names their processes: 15 characters.
_PROGRAMS = {'phc2sys': 'phc2sys (PTP)', 'ptp4l': 'ptp4l (PTP) with software time stamps',
             'timemaster': 'timemaster (PTP)', 'htpdate': 'htpdate', 'tlsdated': 'tlsdated',
             'VBoxService': "VirtualBox's guest service", 'chronyd': 'another chronyd', 'ntpd': 'another ntpd',
             'ntp-daemon': 'another ntpd-rs', 'systemd-timesyn': 'another systemd-timesyncd', 'ptpd': 'ptpd (PTP)',
             'ptpd2': 'ptpd (PTP)', 'sfptpd': 'sfptpd (PTP)', 'statime': 'statime (PTP)', 'ntimed-client': 'ntimed',
             'busybox': 'ntpd of busybox'}
_CAP_SYS_TIME = 25


def _of_processes(host: Any) -> List[Steerer]:
    """Return processes outside of known units: instances of a template, in a container, or started by hand."""
    found: Dict[str, Steerer] = {}
    for path in glob.glob(host.path('/proc/[0-9]*/comm')):
        pid = os.path.basename(os.path.dirname(path))
        name = _PROGRAMS.get(host.read('/proc/{0}/comm'.format(pid)).strip())
        if not name or not _may_set_clock(host, pid):
            continue
        words = host.read('/proc/{0}/cmdline'.format(pid)).split('\0')
        if name == 'ntpd of busybox' and 'ntpd' not in [os.path.basename(word) for word in words[:2]]:
            continue
        # A service within a scope or another service is one of a container, whatever it is called.
        found_unit = re.fullmatch(r'(?:/[^/]+\.slice)*/([^/]+\.service)', Processes(host.root).cgroup(int(pid)))
        unit = found_unit.group(1) if found_unit else ''
        unit = unit if 'docker' not in unit and 'containerd' not in unit else ''
        no_control = 'chronyd' in name and ('-x', '') in launch.options_of('chrony', words[1:]) or \
            'phc2sys' in name and not clock_keeper.phc2sys_sets_clock(words[1:]) or \
            'ptp4l' in name and not _ptp4l_sets_clock(host, words[1:])
        if unit in layouts.all_units() or unit in UNITS or '--disable-timesync' in words or no_control:
            continue
        kind = _PTP if 'PTP' in name else _VBOX if 'VirtualBox' in name else ''
        if unit and not _has_own_unit(host, unit):
            # A login, a job, a supervisor or AEM itself has started it: the unit is much more than this process.
            found.setdefault(pid, Steerer(name, '', 'process {0} of {1}'.format(pid, unit), False, 'Stop it, then run again.'))
            continue
        advice = kind.format(unit=unit) if unit else 'Stop it, then run again.'
        found.setdefault(unit or pid, Steerer(name, unit, unit or 'process {0}'.format(pid), bool(unit) and not advice, advice))
    return list(found.values())


def _has_own_unit(host: Any, unit: str) -> bool:
    """Return whether a unit does nothing but run one of these programs."""
    commands = [command.value for command in _commands(host, unit)]
    programs = [command for command in commands if _program(command)[:15] in _PROGRAMS]
    return bool(programs) and all(command in programs or _is_harmless(host, command) for command in commands)


def _commands(host: Any, unit: str) -> List[unit_files.Setting]:
    """Return all commands of a service without systemd's prefixes. A service of Type=oneshot may have several to start it."""
    settings = unit_files.unit_settings(host, unit)
    return [command._replace(value=re.sub(r'^[@\-:+!|]+', '', command.value))
            for key in _EXEC for command in unit_files.values(settings, 'Service', key)]


_EXEC = ('ExecStart', 'ExecStartPre', 'ExecStartPost', 'ExecCondition', 'ExecReload', 'ExecStop', 'ExecStopPost')


def _is_harmless(host: Any, command: str) -> bool:
    """Return whether nothing misses a command of a unit that is stopped, beside what sets the clock."""
    words = [word for word in command.split() if not word.startswith('-')]
    daemons = {word if word.endswith('.service') else word + '.service' for word in words[2:]}
    return _program(command) in ('hwclock', 'kill', 'sleep', 'true') or bool(setter_in(command, None, host.exists)) or (
        _program(command) == 'systemctl' and words[1:2] in (['start'], ['stop'], ['restart'], ['try-restart'])
        and daemons <= set(layouts.all_units()))


def _program(command: str) -> str:
    return os.path.basename(command.split(' ')[0])


def _may_set_clock(host: Any, pid: str) -> bool:
    # A process in its own user namespace (an unprivileged container) cannot set the clock of this host.
    mapped = host.read('/proc/{0}/uid_map'.format(pid)).split()
    if mapped and mapped != ['0', '0', '4294967295']:
        return False
    held = re.search(r'(?m)^CapEff:\s*([0-9a-fA-F]+)$', host.read('/proc/{0}/status'.format(pid)))
    return bool(held and int(held.group(1), 16) >> _CAP_SYS_TIME & 1)


# Links by which units start; a unit is disabled by removing those below /etc, which count.
_LINKS = ('/lib/systemd/system/timers.target.wants/*.timer', '/usr/lib/systemd/system/timers.target.wants/*.timer',
          '/run/systemd/system/timers.target.wants/*.timer', '/etc/systemd/system/*.requires/*', '/etc/systemd/system/*.wants/*')


def _of_units(host: Any) -> List[Steerer]:
    """Return units that start at boot or by a timer, and run a command that sets the clock."""
    found = []
    links = {os.path.basename(link): pattern for pattern in _LINKS for link in glob.glob(host.path(pattern))}
    for unit, pattern in sorted(links.items()):
        if host.real_path('/etc/systemd/system/' + unit) == '/dev/null':
            continue        # masked
        if unit.endswith('.timer'):
            named = unit_files.values(unit_files.unit_settings(host, unit), 'Timer', 'Unit')
            service = named[-1].value if named else unit[:-len('timer')] + 'service'
        elif unit.endswith('.service'):
            service = unit
        else:
            continue
        if service in UNITS:
            continue
        commands = _commands(host, service)
        # With the unit, its other commands would not run any more either.
        alone = pattern.startswith('/etc/') and all(_is_harmless(host, each.value) for each in commands)
        for command in commands:
            program = _program(command.value)
            if program == 'phc2sys' and not _phc2sys_of(host, service) or program == 'ptp4l' and not _ptp4l_of(host, service):
                break
            if program in ('phc2sys', 'ptp4l', 'timemaster'):
                found.append(Steerer(program + ' (PTP)', unit, unit, False, _PTP.format(unit=unit)))
                break
            steerer = _of_command(host, unit, command.value, command.place, alone)
            if steerer:
                found.append(steerer)
                break
    return found


def _of_command(host: Any, unit: str, command: str, place: str, alone: bool) -> Optional[Steerer]:
    """Return the unit as something to stop if it does nothing else. Setting the clock once at boot does not count."""
    name = setter_in(command, None, host.exists)
    if name and alone and not re.search(r'[;|&`]|\$\(|(?:^|/)\w*sh\s', command):
        return Steerer('{0} by {1}'.format(name, unit), unit, place, True, '')
    found, name = (place, name) if name else _in_script(host, command)
    again = name and (unit.endswith('.timer') or _loops(host, command if found == place else '', found))
    return _beside(unit, found, name, place) if again else None


def _loops(host: Any, command: str, place: str) -> bool:
    """Return whether a command, or if it is '' the script of a line, has a loop that may set the clock again and again."""
    return bool(_LOOP.search(command or host.read(place.partition(' line ')[0])))


def _beside(by: str, place: str, name: str, calls: str) -> Steerer:
    """Return something that may do more than set the clock, and is never stopped. calls: the line that runs it, or its script."""
    # An update of its package brings a vendor's file back.
    advice = 'Remove the command from {0}, then run again.'.format(calls if config.of_vendor(place) else place)
    if config.of_vendor(place) and config.of_vendor(calls):
        advice = 'Mask {0}, or override the command in a drop-in, then run again.'.format(by)
    return Steerer('{0} by {1}'.format(name, by), '', place, False, advice)


def _of_cron(host: Any) -> List[Steerer]:
    found = []
    for pattern in _CRONTABS:
        for path in config.matching(host, pattern):
            if not _is_read(host, path) or os.path.isdir(host.path(path)):
                continue
            for number, text, _own in config.numbered(host, path):
                line = '{0} line {1}'.format(path, number)
                job = job_of(path, text) or ''
                name = setter_in(job, None, host.exists)
                place, name = (line, name) if name else _in_script(host, job)
                # Setting the clock once at boot does not count, unless it starts a loop.
                once = text.lstrip().startswith('@reboot')
                if name and (not once or _loops(host, job if place == line else '', place)):
                    found.append(_beside('cron ({0})'.format(line) if place != line else 'cron', place, name, line))
    for path in ('/etc/rc.local', '/etc/rc.d/rc.local', '/etc/init.d/boot.local', '/etc/init.d/after.local'):
        # It runs once, but a loop that it started may still run.
        place, name = _place_in(host, path) if os.access(host.path(path), os.X_OK) else ('', '')
        if name and _LOOP.search(host.read(path)):
            found.append(_beside('rc.local', place, name, place))
    for folder in ('hourly', 'daily', 'weekly', 'monthly'):
        for path in _parts(host, '/etc/cron.' + folder):
            place, name = _place_in(host, path)
            if name:
                found.append(_beside('cron', place, name, place))
    return found


def _is_read(host: Any, path: str) -> bool:
    """Return whether cron and run-parts read a file with this name. Those of Debian read no name with a dot."""
    name = os.path.basename(path)
    if 'debian' in systems(host) and not path.startswith('/var/spool/'):
        return bool(re.fullmatch('[A-Za-z0-9_-]+', name))
    return not _UNREAD.search(name)


def _parts(host: Any, folder: str) -> List[str]:
    """Return the files that run-parts runs."""
    return [path for path in config.matching(host, folder + '/*') if _is_read(host, path) and os.access(host.path(path), os.X_OK)]


def _in_script(host: Any, command: str) -> Tuple[str, str]:
    """Return (place, command) from the script that a command names: one level deep, and only text files."""
    gone_to = re.search(r'(?:^|[\s;&|(\'"])cd\s+(/[\w./-]+)', command)
    for shell, word in _PATHS.findall(command):
        word = os.path.normpath(os.path.join(gone_to.group(1) if gone_to else '/root', word))
        for path in _parts(host, word) if os.path.isdir(host.path(word)) and 'run-parts' in command else [word]:
            place, name = _place_in(host, path, bool(shell))
            if name:
                return place, name
    return '', ''


# Paths in a command, and the shell that reads them as a script.
_PATHS = re.compile(r'(?:^|[\s;&|(\'"])((?:\S*/)?(?:ba|da|k)?sh\s+(?:-\w+\s+)*)?(\.?/[\w./-]+)')


def _place_in(host: Any, path: str, by_shell: bool = False) -> Tuple[str, str]:
    try:
        if not os.path.isfile(host.path(path)):
            return '', ''
        with open(host.path(path), 'rb') as stream:
            head = stream.read(2)
    except OSError:
        return '', ''
    if not (head == b'#!' or by_shell) or os.path.getsize(host.path(path)) > _LONGEST:
        return '', ''
    programs = programs_of(host.read(path))
    for number, text, _own in config.numbered(host, path):
        name = '' if text.lstrip().startswith('#') else setter_in(text, programs, host.exists)
        if name:
            return '{0} line {1}'.format(path, number), name
    return '', ''
