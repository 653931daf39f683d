# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command costs: wall time, processor time and memory, of everything it started, and of other processes at that time.

ansible-playbook leaves SSH masters behind that go on for a minute. They belong to what the run cost, so a measurement
here adopts them (PR_SET_CHILD_SUBREAPER), ends them with the run, and counts them.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import netem

_PR_SET_CHILD_SUBREAPER = 36
_TICKS = os.sysconf('SC_CLK_TCK')
_PAGE_KIB = os.sysconf('SC_PAGE_SIZE') // 1024
_LOOK_EVERY = 0.1  # seconds between two looks at the memory


class Cost(NamedTuple):
    """Seconds; KiB. `cpu` and `peak` are those of the command and its child processes."""

    returncode: int
    output: str
    wall: float
    cpu: float
    others_cpu: tuple[float, ...]  # of the processes that were named to run(), in that order
    main_peak: int  # resident memory of the command's own process
    peak: int  # of all its processes together, shared pages counted once for each


def run(command: Sequence[str], others: Iterable[int] = (), **options: Any) -> Cost:
    """Run a command to its end. others: processes of servers, which are charged with what they and their children use."""
    others = list(others)
    before = [_spent(pid) for pid in others]
    ours, theirs = netem.FORK.Pipe()
    process = netem.FORK.Process(target=_measure, args=(theirs, list(command), options))
    process.start()
    theirs.close()
    try:
        measured = ours.recv()
    finally:
        process.join()
    if isinstance(measured, str):
        raise RuntimeError(measured)
    for pid in others:
        _wait_for_children(pid)
    spent = tuple(_spent(pid) - early for pid, early in zip(others, before))
    return Cost(measured['returncode'], measured['output'], measured['wall'], measured['cpu'], spent,
                measured['main_peak'], measured['peak'])


def _measure(pipe: Any, command: list[str], options: Mapping[str, Any]) -> None:
    try:
        pipe.send(_measured(command, options))
    except BaseException as error:  # the parent has to hear of it, whatever it is
        pipe.send(f'{command[0]}: {error!r}')
        raise


def _measured(command: list[str], options: Mapping[str, Any]) -> dict[str, Any]:
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), 'prctl(PR_SET_CHILD_SUBREAPER)')
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    process = subprocess.Popen(command, text=True, errors='replace', stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, **options)
    memory = _Memory(process.pid)
    memory.start()
    output = process.communicate()[0]
    wall = time.monotonic() - began
    memory.stop()
    while left := _children(os.getpid()):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        with contextlib.suppress(ChildProcessError):
            os.wait()
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {'returncode': process.returncode, 'output': output, 'wall': wall, 'main_peak': memory.main, 'peak': memory.all,
            'cpu': now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime}


class _Memory(threading.Thread):
    """Looks at a process and its descendants until it is stopped."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid, self._over = pid, threading.Event()
        self.main = self.all = 0

    def run(self) -> None:
        while not self._over.wait(_LOOK_EVERY):
            sizes = {pid: _resident(pid) for pid in [self._pid, *_descendants(self._pid)]}
            self.main = max(self.main, sizes[self._pid])
            self.all = max(self.all, sum(sizes.values()))

    def stop(self) -> None:
        self._over.set()
        self.join()


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f'/proc/{pid}/task').glob('*/children'):
        with contextlib.suppress(OSError):
            found += map(int, task.read_text(encoding='ascii').split())
    return found


def _descendants(pid: int) -> list[int]:
    found = _children(pid)
    for child in found:  # grows while it is gone through
        found += _children(child)
    return found


def _resident(pid: int) -> int:
    try:
        return int(Path(f'/proc/{pid}/statm').read_text(encoding='ascii').split()[1]) * _PAGE_KIB
    except (OSError, IndexError):
        return 0


def _spent(pid: int) -> float:
    """Processor seconds of a process and of those of its children that have ended."""
    fields = Path(f'/proc/{pid}/stat').read_text(encoding='ascii').rpartition(')')[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def _wait_for_children(pid: int) -> None:
    """Until the sessions of a server have ended; threads of a process are no children."""
    for _look in range(100):
        if not _children(pid):
            return
        time.sleep(0.05)
