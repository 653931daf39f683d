# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one file that reads the wall clock, sets it, or touches the hardware clock."""

import os
import shutil
import struct
import subprocess
import time
from typing import Callable, Dict, NamedTuple, Optional, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import CannotSetClock

# A wall clock that has left the monotonic one by more than this has been set: slewing (adjtime, NTP) moves both.
STEP_SECONDS = 0.002

# The frequency error a host's oscillator is granted (RFC 5905 PHI).
PHI = 15e-6

_CAP_SYS_TIME = 25  # linux/capability.h
_UTC = struct.pack('ii', 0, 0)  # struct timezone: minutes west of Greenwich, kind of summer time

Clock = Callable[[], float]


def _raw_monotonic() -> float:
    """Seconds of the oscillator itself, which no daemon slews; where there is none, the monotonic clock."""
    raw = getattr(time, 'CLOCK_MONOTONIC_RAW', None)
    return time.monotonic() if raw is None else time.clock_gettime(raw)


class Anchor:
    """One moment on the wall clock, from which all others are derived by the monotonic clock.

    So one run sees one straight time line, and a clock that is set during the run is noticed instead of measured.
    """

    def __init__(self, wall: Clock = time.time, monotonic: Clock = time.monotonic, raw: Clock = _raw_monotonic,
                 stamped: Optional[bool] = None) -> None:
        """stamped: is `wall` the clock of the kernel's stamps? None: if it is the system's own."""
        self._wall, self.monotonic, self._raw_clock = wall, monotonic, raw
        self._stamped = wall is time.time if stamped is None else stamped
        self._wall_at, self._at, self._blur = self._pair()
        self._raw_at = raw()

    def _pair(self) -> Tuple[float, float, float]:
        """(wall, monotonic, half of what lay between) at one moment: of three tries the one least interrupted."""
        tries = []
        for _attempt in range(3):
            before, wall, after = self.monotonic(), self._wall(), self.monotonic()
            tries.append((wall, before + (after - before) / 2, (after - before) / 2))
        return min(tries, key=lambda pair: pair[2])

    @property
    def blur(self) -> float:
        """Seconds by which the anchor itself may be off: half of what lay between its readings."""
        return self._blur

    def at(self, moment: float) -> float:
        """The wall clock's reading (Unix seconds) at a moment given in monotonic seconds."""
        return self._wall_at + (moment - self._at)

    def now(self) -> float:
        """Unix seconds by this anchor: what the wall clock reads, had nobody set it since."""
        return self.at(self.monotonic())

    def arrival(self, stamp: Optional[float], earliest: float) -> float:
        """The monotonic moment at which the kernel took in a datagram that is in hand now.

        stamp: the wall clock's reading (Unix seconds) then, as the kernel gives it; None when it gave none. A busy host
        reads a reply long after it came, and what lies between would count as the way back. earliest: monotonic; a
        stamp that says it came before that, or is yet to come, is none: the clock was set, or is not the kernel's.
        """
        wall = self._wall()
        now = self.monotonic()  # the later reading of the two: an interruption in between makes the answer late, not early
        moment = now - (wall - stamp) if self._stamped and stamp is not None else now
        return moment if earliest <= moment <= now else now

    def moved(self) -> float:
        """Seconds by which the wall clock has been set since; 0.0 when nobody did."""
        wall, moment, blur = self._pair()
        shift = wall - self.at(moment)
        return shift if abs(shift) > STEP_SECONDS + blur + self._blur else 0.0

    def drift_rate(self) -> float:
        """Seconds per second by which the host's time line may stray: a daemon's slewing, at least PHI."""
        raw, elapsed = self._raw_clock() - self._raw_at, self.monotonic() - self._at
        slewed = abs(elapsed - raw) / raw if raw > 0.05 else 0.0
        return max(PHI, slewed)


def step_clock(offset: float, anchor: Anchor) -> None:
    """Set the wall clock to the anchor's time plus offset (seconds, reference - host), at once.

    The target is derived from the monotonic clock at the moment of setting: the time spent on the way is not lost.
    Raises CannotSetClock when the kernel refuses.
    """
    try:
        time.clock_settime(time.CLOCK_REALTIME, anchor.now() + offset)
    except (OSError, OverflowError, AttributeError) as error:
        raise CannotSetClock(f'The system refused to set its clock: {error}. '
                             'Run it as root (become), outside of any sandbox that protects the clock.') from error


class ProcessView(NamedTuple):
    """The facts by which may_set_clock() decides; read from /proc by process_view()."""

    capabilities: Optional[Dict[str, int]]  # CapEff and CapBnd, None where /proc has none
    user_namespace: bool
    container: str  # its kind, '' outside
    root: bool


def clock_owner(view: Optional[ProcessView] = None) -> Optional[str]:
    """None when this host has a clock of its own, else whose clock it is. The same for every account; tries nothing."""
    view = process_view() if view is None else view
    if view.user_namespace:
        return ("This host's clock belongs to the machine that runs it: here is a user namespace"
                f"{_of(view.container)}, and only the first one may set a clock. Correct the clock of that machine.")
    if view.capabilities is not None and not view.capabilities['CapBnd'] >> _CAP_SYS_TIME & 1:
        return ("This host's clock belongs to the machine that runs it: CAP_SYS_TIME is not in this host's bounding "
                f"set{_of(view.container)}. Correct the clock of that machine.")
    return None


def may_set_clock(view: Optional[ProcessView] = None) -> Optional[str]:
    """None when this process may set the clock, else why not: clock_owner(), or rights it lacks. Tries nothing."""
    view = process_view() if view is None else view
    owner = clock_owner(view)
    if owner:
        return owner
    if view.capabilities is None:
        return None if view.root else 'Only root may set the clock. Use become.'
    if not view.capabilities['CapEff'] >> _CAP_SYS_TIME & 1:
        return 'This user may not set the clock (no CAP_SYS_TIME). Use become.'
    return None


def _of(container: str) -> str:
    return f' (container: {container})' if container else ''


def process_view(root: str = '/') -> ProcessView:
    """What /proc and the container markers say of this process. root: another file tree, for tests."""
    def text(path: str) -> str:
        try:
            with open(os.path.join(root, path), 'rb') as file:
                return file.read(65536).decode('utf-8', 'replace')
        except OSError:
            return ''

    fields = dict(line.split(':', 1) for line in text('proc/self/status').splitlines() if ':' in line)
    try:
        capabilities: Optional[Dict[str, int]] = {name: int(fields[name], 16) for name in ('CapEff', 'CapBnd')}
    except (KeyError, ValueError):
        capabilities = None
    uid_map = text('proc/self/uid_map').split()
    return ProcessView(
        capabilities=capabilities,
        user_namespace=bool(uid_map) and uid_map != ['0', '0', '4294967295'],
        container=_container(root, text),
        root=os.geteuid() == 0,
    )


def _container(root: str, text: Callable[[str], str]) -> str:
    """The kind of container this is, as its manager marks it; '' when there is no mark."""
    named = text('run/systemd/container').strip()
    if named:
        return named
    for variable in text('proc/1/environ').split('\0'):
        if variable.startswith('container=') and variable != 'container=':
            return variable[len('container='):]
    for marker, kind in (('.dockerenv', 'docker'), ('run/.containerenv', 'podman')):
        if os.path.exists(os.path.join(root, marker)):
            return kind
    return ''


def rtc_device(root: str = '/') -> Optional[str]:
    """The path of the hardware clock, None where there is none."""
    for path in ('dev/rtc', 'dev/rtc0', 'dev/misc/rtc'):
        if os.path.exists(os.path.join(root, path)):
            return os.path.join(root, path)
    return None


def write_rtc(device: Optional[str] = None, utc: bool = False) -> Dict[str, object]:
    """Write the system's time to the hardware clock, else the next boot brings the skew back.

    ``hwclock --systohc`` keeps to the mode (UTC or LOCAL) that /etc/adjtime records; utc makes it UTC from now on.
    Returns {device, written, reason}; a failure is reported, not raised: the clock itself is right by then. With written,
    a reason is what will spoil it.
    """
    device = rtc_device() if device is None else device
    if device is None:
        return {'device': 'none', 'written': False, 'reason': 'This host has no hardware clock.'}
    command = shutil.which('hwclock', path=os.pathsep.join(['/usr/sbin', '/sbin', '/usr/bin', '/bin']))
    if command is None:
        return {'device': device, 'written': False, 'reason': 'hwclock is not installed (package util-linux).'}
    try:
        # AnsibleModule.run_command knows no time-out, and a hardware clock may hang.
        done = subprocess.run([command, '--systohc'] + ['--utc'] * utc,  # pylint: disable=ansible-bad-function
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return {'device': device, 'written': False, 'reason': f'hwclock --systohc failed: {error}'}
    if done.returncode:
        said = ' '.join(done.stdout.decode('utf-8', 'replace').split())
        return {'device': device, 'written': False, 'reason': f'hwclock --systohc failed: {said or done.returncode}'}
    return {'device': device, 'written': True, 'reason': _tell_kernel_utc() if utc else ''}


def _tell_kernel_utc() -> str:
    """Have the kernel keep the hardware clock in UTC, as systemd does at a boot where /etc/adjtime says so. '' or why not.

    A kernel that was told at boot that it holds local time writes that again as soon as a daemon has synchronised it (every
    11 minutes, sync_hw_clock() in kernel/time/ntp.c), by the zone it was given then: so that zone becomes UTC. The time of
    day is left alone, and so is every program's zone.
    """
    try:
        import ctypes  # here alone: not every Python has it, and to measure nobody needs it
        library = ctypes.CDLL(None, use_errno=True)
        failed = library.settimeofday(None, _UTC)
    except (ImportError, OSError, AttributeError) as error:
        why = str(error)
    else:
        why = os.strerror(ctypes.get_errno()) if failed else ''
    return why and f'Until the next boot the kernel may write local time to the hardware clock, against /etc/adjtime: {why}.'
