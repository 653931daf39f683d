# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hardware clock (RTC), from which the next boot takes the time."""

import os
import shutil
import struct
from typing import Dict, Optional

from ansible_collections.aemops.brand_portal.plugins.module_utils._common import files, process

ADJTIME = '/etc/adjtime'
_TIMEOUT = 20.0     # seconds: a hardware clock may hang
_UTC = struct.pack('ii', 0, 0)  # struct timezone: minutes west of Greenwich, kind of summer time


def rtc_device(root: str = '/') -> Optional[str]:
    """Return the path of the hardware clock; None if there is none."""
    for path in ('dev/rtc', 'dev/rtc0', 'dev/misc/rtc'):
        if os.path.exists(os.path.join(root, path)):
            return os.path.join(root, path)
    return None


def write_rtc(device: Optional[str] = None, utc: bool = False) -> Dict[str, object]:
    """Write the system time to the hardware clock, because otherwise the next boot restores the skew.

    ``hwclock --systohc`` uses the mode (UTC or LOCAL) that /etc/adjtime records; utc=True changes it to UTC.
    Returns {device, written, reason}. A failure is reported, not raised, because the clock itself is right by then. If `written`
    is true, `reason` says what may overwrite the hardware clock.
    """
    device = rtc_device() if device is None else device
    if device is None:
        return {'device': 'none', 'written': False, 'reason': 'This host has no hardware clock.'}
    command = shutil.which('hwclock', path=os.pathsep.join(['/usr/sbin', '/sbin', '/usr/bin', '/bin']))
    if command is None:
        return {'device': device, 'written': False, 'reason': 'hwclock is not installed (package util-linux).'}
    is_new = not os.path.exists(ADJTIME)
    done = process.run([command, '--systohc'] + ['--utc'] * utc, _TIMEOUT)
    if is_new and os.path.exists(ADJTIME):
        files.set_default_label(ADJTIME, lambda words: process.run(words, _TIMEOUT).out)
    if done.code:
        return {'device': device, 'written': False, 'reason': f'hwclock --systohc failed: {done.said or done.code}'}
    return {'device': device, 'written': True, 'reason': _tell_kernel_utc() if utc else ''}


def _tell_kernel_utc() -> str:
    """Make the kernel keep the hardware clock in UTC, as systemd does at boot according to /etc/adjtime. Return '' or an error.

    If the kernel was told at boot that the hardware clock holds local time, it writes local time again every 11 minutes once a
    daemon has synchronized it (sync_hw_clock() in kernel/time/ntp.c), with the zone that it was told at boot. This function sets
    that zone to UTC. It does not change the time of day or the time zone of programs.
    """
    try:
        import ctypes  # only here: not every Python has it, and a measurement does not need it
        library = ctypes.CDLL(None, use_errno=True)
        failed = library.settimeofday(None, _UTC)
    except (ImportError, OSError, AttributeError) as error:
        why = str(error)
    else:
        why = os.strerror(ctypes.get_errno()) if failed else ''
    return why and f'Until the next boot the kernel may write local time to the hardware clock, against /etc/adjtime: {why}.'
