# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds out whether anything keeps this host's clock synchronized, from the kernel's state, processes and a daemon's answer.

Every healthy host is checked, so this only reads a few files, sends one datagram over the loopback interface, and runs a command
only for VMware Tools. It does not need root and changes nothing.
"""

import getopt
import os
import re
import socket
import struct
import time
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.capabilities import clock_owner
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.kernel import KernelClock, read
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.importing import IMPORT_LOCK

KEPT, NOT_KEPT, UNKNOWN = 'kept', 'not_kept', 'unknown'
_RANK = {NOT_KEPT: 0, UNKNOWN: 1, KEPT: 2}     # of several programs
_WAIT = 0.5             # seconds for an answer over the loopback interface
# Seconds and polls without an update of the clock, after which the sources are lost. Eight polls of 1024 s are 2.3 hours.
_LOST, _LOST_POLLS = 4 * 3600, 8
_DRIFT_AGE = 3 * 3600   # seconds; chronyd and ntpd write the file every hour while they are synchronized
_TOOLS = 'VMware tools'


class Program(NamedTuple):
    """A program that can keep a clock: its process (as the kernel names it, 15 characters), its units, its drift files."""

    name: str
    process: str
    units: Tuple[str, ...]
    drift: Tuple[str, ...] = ()


# Servos of linuxptp that set no clock, but give samples to chronyd or ntpd.
SERVOS_OF_OTHERS = ('ntpshm', 'refclock_sock')

# The first one that runs counts.
PROGRAMS = (
    Program('chronyd', 'chronyd', ('chronyd', 'chrony'), ('/var/lib/chrony/chrony.drift', '/var/lib/chrony/drift')),
    Program('openntpd', 'openntpd', ('openntpd',), ('/var/lib/openntpd/db/ntpd.drift', '/var/db/ntpd.drift')),
    Program('ntpd', 'ntpd', ('ntpd', 'ntpsec', 'ntp'),
            ('/var/lib/ntpsec/ntp.drift', '/var/lib/ntp/ntp.drift', '/var/lib/ntp/drift')),
    Program('systemd-timesyncd', 'systemd-timesyn', ('systemd-timesyncd',)),
    Program('ntpd-rs', 'ntp-daemon', ('ntpd-rs',)),
    Program('phc2sys', 'phc2sys', ('phc2sys', 'timemaster')),
    Program('VirtualBox guest additions', 'VBoxService', ('vboxadd-service', 'virtualbox-guest-utils')),
    Program(_TOOLS, 'vmtoolsd', ('vmtoolsd', 'open-vm-tools')),
)
# Those beside which this collection configures no time daemon.
_NO_DAEMONS = ('phc2sys', 'VirtualBox guest additions', 'ptpd', 'ptpd2', 'ptp4l', 'sfptpd', 'statime')
# Not programs that only monitor a daemon (chrony_exporter, ntp_exporter, ntpstat).
_OTHERS = re.compile(r'^(?!.*(?:export|monit|check))(?:.*ntpd|ntimed|ntpclient|chronyd|.*ptpd|ptp4l|statime|.*timesync|clockspeed'
                     r'|roughtime|htpdate|tlsdate)')


class DaemonAnswer(NamedTuple):
    """State that a daemon reports: whether it is synchronized, and to which source ('' if unknown)."""

    synchronized: bool
    source: str
    own_clock: bool = False


Ask = Callable[[], Optional[DaemonAnswer]]


def look(run: Optional[Callable[[List[str]], str]] = None, root: str = '/', kernel: Callable[[], Optional[KernelClock]] = read,
         asks: Optional[Dict[str, Ask]] = None, now: Callable[[], float] = time.time,
         owner: Callable[[], Optional[str]] = clock_owner) -> Dict[str, Any]:
    """Return what brand_portal_health_info documents as clock_keeper. run: runs a command and returns its output."""
    said = kernel()
    found = None    # type: Optional[Tuple[str, str, str, str]]
    for program, pids in [] if owner() else _running(root):
        # What the kernel says may be the work of the first program.
        word = said if found is None else said and said._replace(synchronized=False)
        verdict = _of_program(program, pids, word, run, root, _ASKS if asks is None else asks, now)
        if found is None or _RANK[verdict[0]] > _RANK[found[0]]:
            found = verdict
        if found[0] == KEPT:
            break
    state, by, reason, source = found or _without_daemon(said, bool(_name(root, 1)), owner)
    if state != KEPT:
        source = ''
    return {
        'state': state, 'by': by, 'source': source, 'reason': reason, 'msg': _message(state, by, source, reason),
        'kernel_synchronized': said.synchronized if said else None,
        'maximum_error': said.maximum_error if said else None, 'estimated_error': said.estimated_error if said else None,
    }


def lasting_steerer(found: Dict[str, Any]) -> str:
    """Return the program that keeps the clock, if this collection configures no time daemon beside it. found: of look()."""
    return found['by'] if found['state'] == KEPT and found['by'] in _NO_DAEMONS else ''


def _of_program(program: Program, pids: List[int], said: Optional[KernelClock], run: Optional[Callable[[List[str]], str]],
                root: str, asks: Dict[str, Ask], now: Callable[[], float]) -> Tuple[str, str, str, str]:
    """Return (state, by, reason, source) for a program that runs."""
    state, reason, source = UNKNOWN, '', ''
    if program.name == 'chronyd' and any(_runs_without_control(_command(root, pid)) for pid in pids):
        state, reason = NOT_KEPT, 'no_control_of_clock'
    elif program.name == _TOOLS:
        pushes = 'enabled' in run(['vmware-toolbox-cmd', 'timesync', 'status']).lower() if run else None
        synchronized = bool(said and said.synchronized)
        state = KEPT if pushes or synchronized else UNKNOWN if pushes is None else NOT_KEPT
        reason = 'no_time_daemon' if state == NOT_KEPT else ''
    elif program.name == 'VirtualBox guest additions':
        disabled = any('--disable-timesync' in _command(root, pid) for pid in pids)
        state, reason = (NOT_KEPT, 'no_time_daemon') if disabled else (KEPT, '')
    else:
        answer = asks.get(program.name, lambda: None)()
        if program.name == 'chronyd' and answer and answer.own_clock and answer.source:
            answer = DaemonAnswer(True, answer.source) if _leads_elsewhere(root, answer.source) else answer
        source = answer.source if answer else ''
        state, reason = _by_daemon(program, said, answer, root, now)
        # An ntpd that disciplines the kernel's clock need not be looked at.
        if program.name == 'ntpd' and state == KEPT and not (said and said.synchronized) and _is_disabled(root, pids[0]):
            state, reason = NOT_KEPT, 'no_control_of_clock'
    return state, program.name, reason, source


def _without_daemon(said: Optional[KernelClock], all_seen: bool,
                    owner: Callable[[], Optional[str]]) -> Tuple[str, str, str, str]:
    """Return (state, by, reason, '') if no daemon is found. One may still run outside of this host's process list."""
    if owner():     # no process here can keep the clock
        return (KEPT, 'the machine that this host runs on', '', '') if said and said.synchronized else (UNKNOWN, '', '', '')
    if not all_seen:
        return (KEPT, 'a daemon that this account cannot see', '', '') if said and said.synchronized else (UNKNOWN, '', '', '')
    return NOT_KEPT, '', 'no_time_daemon', ''


def _by_daemon(program: Program, said: Optional[KernelClock], answer: Optional[DaemonAnswer], root: str,
               now: Callable[[], float]) -> Tuple[str, str]:
    """Return (state, reason) for a daemon that runs and may set the clock."""
    if answer:
        if answer.own_clock:
            return NOT_KEPT, 'own_clock'
        return (KEPT, '') if answer.synchronized else (NOT_KEPT, 'not_synchronized')
    folder = os.path.join(root, 'run/systemd/timesync')
    if program.name == 'systemd-timesyncd' and (said is None or os.path.isdir(folder)):
        # systemd 239 and later touches this file with each answer. The kernel clears its state only after nine hours, and counts as
        # not synchronized if the hardware clock holds local time.
        age = _age(folder + '/synchronized', now)
        kept = age is not None and (not is_lost(age) or not is_lost(age, _longest_poll(root)))
        return (KEPT, '') if kept else (NOT_KEPT, 'not_synchronized')
    if said and said.synchronized:
        return KEPT, ''
    if _drift_is_fresh(program, root, now):
        return KEPT, ''
    # Not every phc2sys tells the kernel (linuxptp before 3.1 does not).
    if said is None or program.name == 'phc2sys' or (program.name == 'chronyd' and not _has_rtcsync(root)):
        return UNKNOWN, ''
    return NOT_KEPT, 'not_synchronized'


def _longest_poll(root: str) -> float:
    """Return PollIntervalMaxSec of timesyncd.conf(5), in seconds; 0 if it is not set."""
    with IMPORT_LOCK:
        from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import timesyncd_config
        from ansible_collections.aemops.brand_portal.plugins.module_utils._host.host import Host
    lines = timesyncd_config.read(Host(root=root), '/etc/systemd/timesyncd.conf')
    found = [line.text.partition('=')[2] for line in lines if line.text.startswith('PollIntervalMaxSec=')]
    return timesyncd_config.timespan(found[-1]) if found else 0.0


def _message(state: str, by: str, source: str, reason: str) -> str:
    if state == KEPT:
        return 'The clock is kept by {0}{1}.'.format(by, ', synchronized to {0}'.format(source) if source else '')
    return {
        '': 'It is not known whether anything keeps the clock.',
        'no_time_daemon': 'Nothing keeps the clock: no time daemon runs{0}.'.format(
            ', and {0} does not set it'.format(by) if by else ''),
        'no_control_of_clock': 'Nothing keeps the clock: {0} runs with {1}, so it does not set the clock.'.format(
            by, '"disable ntp"' if by == 'ntpd' else 'the option -x'),
        'own_clock': 'Nothing keeps the clock: {0} follows the clock of this host itself.'.format(by),
        'not_synchronized': 'Nothing keeps the clock: {0} runs, but is not synchronized to any source.'.format(by),
    }[reason]


# what runs


def _running(root: str) -> Iterator[Tuple[Program, List[int]]]:
    """Yield each program that runs and may keep the clock, with its processes. The first one usually does."""
    seen = []   # type: List[str]
    for program in PROGRAMS:
        in_units = {pid: _name(root, pid) for unit in program.units for pid in _pids_of(root, unit)}
        pids = [pid for pid, name in in_units.items() if name]
        if any(_sets_clock(root, pid, in_units[pid]) for pid in pids):
            seen.append(program.name)
            yield program, pids
    names = {pid: _name(root, pid) for pid in _pids(root)}
    for program in PROGRAMS:
        pids = [pid for pid, name in names.items() if name == program.process and _sets_clock(root, pid, name)]
        if pids:
            first = (_command(root, pids[0]) or [''])[0]
            if program.name == 'ntpd' and first.startswith(('ntpd: ', 'openntpd')):
                program = [each for each in PROGRAMS if each.name == 'openntpd'][0]
            if program.name not in seen:
                seen.append(program.name)
                yield program, pids
    known = {program.process for program in PROGRAMS}
    for pid, name in names.items():
        if name == 'busybox' and 'ntpd' in [os.path.basename(word) for word in _command(root, pid)[:2]]:
            name = 'ntpd of busybox'
        if name not in known and _OTHERS.search(name):
            yield Program(name, name, ()), [pid]


def _pids_of(root: str, unit: str) -> List[int]:
    """Return the processes of a systemd service, by its control group (version 2, then 1)."""
    for folder in ('sys/fs/cgroup/system.slice', 'sys/fs/cgroup/systemd/system.slice', 'sys/fs/cgroup/unified/system.slice'):
        text = _text(root, '{0}/{1}.service/cgroup.procs'.format(folder, unit))
        if text:
            return [int(word) for word in text.split() if word.isdigit()]
    return []


def _pids(root: str) -> List[int]:
    try:
        return [int(name) for name in os.listdir(os.path.join(root, 'proc')) if name.isdigit()]
    except OSError:
        return []


def _name(root: str, pid: int) -> str:
    return _text(root, 'proc/{0}/comm'.format(pid)).strip()


def _command(root: str, pid: int) -> List[str]:
    return [word for word in _text(root, 'proc/{0}/cmdline'.format(pid)).split('\0') if word]


def _runs_without_control(command: List[str]) -> bool:
    """Return whether a chronyd was started with -x: chronyd(8)."""
    try:
        options, _rest = getopt.gnu_getopt(command[1:], '46df:F:hl:L:mnpP:qQrRst:u:Uvx', ['help', 'version'])
    except getopt.GetoptError:
        return '-x' in command
    return ('-x', '') in options


def _is_disabled(root: str, pid: int) -> bool:
    with IMPORT_LOCK:
        from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.ntpd_config import is_disabled
        from ansible_collections.aemops.brand_portal.plugins.module_utils._host.host import Host
    return is_disabled(Host(root=root), _command(root, pid)[1:])


def _sets_clock(root: str, pid: int, name: str) -> bool:
    return name != 'phc2sys' or phc2sys_sets_clock(_command(root, pid)[1:])


def phc2sys_sets_clock(arguments: List[str]) -> bool:
    """Return whether phc2sys sets the system clock (phc2sys(8)).

    With -c, or -a without -r, it only sets those of network cards. With these servos, it only gives their time to another daemon.
    """
    try:
        options, _rest = getopt.gnu_getopt([word for word in arguments if not word.startswith('--')],
                                           'ac:d:E:f:F:hi:I:l:L:mM:n:N:O:P:qrR:s:S:t:u:vwxz:')
    except getopt.GetoptError:
        return True
    given = [option for option, _value in options]
    servos = [value for option, value in options if option == '-E'] + [
        word.partition('=')[2] for word in arguments if word.startswith('--clock_servo=')]
    if servos and servos[-1] in SERVOS_OF_OTHERS:
        return False
    targets = [value for option, value in options if option == '-c']
    return '-r' in given if '-a' in given else not targets or 'CLOCK_REALTIME' in targets


def _drift_is_fresh(program: Program, root: str, now: Callable[[], float]) -> bool:
    ages = [_age(os.path.join(root, path.lstrip('/')), now) for path in program.drift]
    return any(age < _DRIFT_AGE for age in ages if age is not None)


def _age(path: str, now: Callable[[], float]) -> Optional[float]:
    try:
        return abs(now() - os.stat(path).st_mtime)
    except OSError:
        return None


def _has_rtcsync(root: str) -> bool:
    """Return whether chronyd tells the kernel that it is synchronized: chrony.conf(5)."""
    texts = _text(root, 'etc/chrony/chrony.conf') + _text(root, 'etc/chrony.conf')
    return not texts or bool(re.search(r'(?im)^\s*rtcsync\b', texts))


def _text(root: str, path: str) -> str:
    try:
        with open(os.path.join(root, path), encoding='utf-8', errors='replace') as stream:
            return stream.read()
    except OSError:
        return ''


# answers of daemons


def ask_chronyd(port: int = 323, wait: float = _WAIT, now: Callable[[], float] = time.time) -> Optional[DaemonAnswer]:
    """Query chronyd's tracking data over the loopback interface, as chronyc does (candm.h, version 6). None without an answer.

    A chronyd that has lost all of its sources still reports that it is synchronized; the time of its last update shows it.
    """
    # version, type of packet, two reserved, command 33 (tracking), attempt, sequence; padded to the length of the answer.
    reply = _exchange(port, struct.pack('!BBBBHHI', 6, 1, 0, 0, 33, 0, 0x61656D21).ljust(128, b'\0'), wait)
    if len(reply) < 76 or struct.unpack('!HHH', reply[4:10]) != (33, 5, 0):
        return None
    reference, address, family, stratum, leap = struct.unpack('!I16sHxxHH', reply[28:56])
    own = stratum > 0 and reference == 0x7F7F0101     # `local`
    if family == 1:
        source = socket.inet_ntop(socket.AF_INET, address[:4])
    elif family == 2:
        source = socket.inet_ntop(socket.AF_INET6, address)
    else:       # a reference clock
        source = struct.pack('!I', reference).rstrip(b'\0').decode('ascii', 'replace')
    lost = False
    if len(reply) >= 104:
        high, low = struct.unpack('!II', reply[56:64])
        updated = low if high == 0x7FFFFFFF else high << 32 | low     # the first case is a 32-bit chronyd
        lost = updated > 0 and is_lost(now() - updated, _chrony_float(reply[100:104]))
    return _answer(leap != 3 and reference != 0 and not lost, source, own)


def is_lost(age: float, interval: float = 0.0) -> bool:
    """Return whether a daemon has lost its sources. age: seconds since it updated the clock. interval: of its polls, in seconds."""
    return age > max(_LOST, _LOST_POLLS * interval)


def _chrony_float(packed: bytes) -> float:
    """Unpack the Float of candm.h: 7 bits of exponent and 25 bits of coefficient, both signed."""
    number, = struct.unpack('!I', packed)
    exponent, coefficient = number >> 25, number & 0x1FFFFFF
    exponent -= 128 if exponent >= 64 else 0
    coefficient -= 1 << 25 if coefficient >= 1 << 24 else 0
    return float(coefficient) * 2.0 ** (exponent - 25)


def ask_ntpd(port: int = 123, wait: float = _WAIT) -> Optional[DaemonAnswer]:
    """Query ntpd's system variables, as ntpq does (RFC 9327, read variables). None without an answer."""
    reply = _exchange(port, struct.pack('!BBHHHHH', 0x16, 2, 1, 0, 0, 0, 0), wait)
    if len(reply) < 12 or reply[0] & 0x07 != 6 or reply[1] & 0xDF != 0x82:    # a response to opcode 2; more may follow
        return None
    leap = reply[4] >> 6
    text = reply[12:].decode('ascii', 'replace')
    refid = re.search(r'\brefid=([^,\s]+)', text)
    source = refid.group(1) if refid else ''
    # Its current time and that of the last update, in NTP seconds.
    times = [re.search(r'\b{0}=0x([0-9a-f]{{8}})\.'.format(name), text) for name in ('clock', 'reftime')]
    at, updated = (int(found.group(1), 16) if found else 0 for found in times)
    lost = updated > 0 and is_lost(float(at - updated))
    return _answer(leap != 3 and not lost, source, source.startswith('LOCAL'))


def _answer(synchronized: bool, source: str, own_clock: bool) -> DaemonAnswer:
    """Build the answer. A source in 127.0.0.0/8 is ntpd's local clock (127.127.1.x), orphan mode, or another local program.

    127.127.t.u is a reference clock of another type t, whose configuration gives it a stratum (ntp.conf(5), fudge).
    For a local program, the answer has the source: the configuration shows whether it has another port, which may lead elsewhere.
    """
    clock = source.startswith('127.127.') and not source.startswith('127.127.1.')
    loops = synchronized and not clock and (source.startswith('127.') or source == '::1')
    return DaemonAnswer(synchronized and not (own_clock or loops), source if synchronized and not own_clock else '',
                        own_clock or loops)


def _leads_elsewhere(root: str, address: str) -> bool:
    """Return whether chronyd's configuration has this local address with another port: of a tunnel or another program."""
    with IMPORT_LOCK:
        from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import chrony_config
        from ansible_collections.aemops.brand_portal.plugins.module_utils._host.host import Host
    host = Host(root=root)
    lines = [line for path in ('/etc/chrony.conf', '/etc/chrony/chrony.conf') for line in chrony_config.read(host, path)]
    ports = [line.words[1] for line in lines if line.directive == 'port' and len(line.words) > 1]
    sources = [source for source in chrony_config.sources_of(lines) if source.asked and source.host == address]
    return bool(sources) and str(sources[0].port or 123) != (ports or ['123'])[-1]


def _exchange(port: int, packet: bytes, wait: float) -> bytes:
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(wait)
            asking.connect(('127.0.0.1', port))
            asking.send(packet)
            return asking.recv(4096)
    except OSError:
        return b''


_ASKS = {'chronyd': ask_chronyd, 'ntpd': ask_ntpd}  # type: Dict[str, Ask]
