# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the state of the kernel's clock with adjtimex(2). Needs no privileges, and changes nothing."""

import ctypes
from typing import Any, NamedTuple, Optional

_STA_UNSYNC = 0x0040    # linux/timex.h
_TIME_ERROR = 5         # what adjtimex() returns for a clock that is not synchronized


class KernelClock(NamedTuple):
    """The state of the kernel's clock. Errors in seconds.

    synchronized: a daemon has set this state within the last nine hours. The error grows by 500 ppm, and at 16 s the kernel
    clears the state (second_overflow() in kernel/time/ntp.c). A chronyd without rtcsync does not set it.
    """

    synchronized: bool
    maximum_error: float
    estimated_error: float


class _Timex(ctypes.Structure):
    """struct timex of linux/timex.h. With modes 0, adjtimex() reads only."""

    _fields_ = [
        ('modes', ctypes.c_uint), ('offset', ctypes.c_long), ('freq', ctypes.c_long), ('maxerror', ctypes.c_long),
        ('esterror', ctypes.c_long), ('status', ctypes.c_int), ('constant', ctypes.c_long), ('precision', ctypes.c_long),
        ('tolerance', ctypes.c_long), ('seconds', ctypes.c_long), ('fraction', ctypes.c_long), ('tick', ctypes.c_long),
        ('ppsfreq', ctypes.c_long), ('jitter', ctypes.c_long), ('shift', ctypes.c_int), ('stabil', ctypes.c_long),
        ('jitcnt', ctypes.c_long), ('calcnt', ctypes.c_long), ('errcnt', ctypes.c_long), ('stbcnt', ctypes.c_long),
        ('tai', ctypes.c_int), ('reserved', ctypes.c_int * 27),
    ]


def read(library: Any = None) -> Optional[KernelClock]:
    """Return the state; None if the call is not possible (another system, a sandbox). library: for tests."""
    timex = _Timex()
    try:
        state = (library or ctypes.CDLL(None)).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return None
    if state < 0:
        return None
    unsynchronized = state == _TIME_ERROR or bool(timex.status & _STA_UNSYNC)
    return KernelClock(not unsynchronized, timex.maxerror / 1e6, timex.esterror / 1e6)
