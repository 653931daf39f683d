# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command with a limit that holds: on every Python from 3.6 on, and for the command's own children too."""

import contextlib
import errno
import os
import select
import signal
import subprocess
import tempfile
import threading
import time
from typing import IO, Any, Dict, List, NamedTuple, Optional

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.pause import pause
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.printable import printable

NO_SUCH_COMMAND = 127
TOOK_TOO_LONG = 124

# Seconds between TERM and KILL.
GRACE = 5.0
# Seconds that the kernel may take to end a killed process; one that waits for a broken device does not end at all.
_REAP = 5.0
_PAUSE = 0.02
# Seconds after which a thread that reads a pipe looks whether it is still asked to.
_LOOK = 0.2
# A daemon that an administrator has built brings its commands there, too.
_PATH = '/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin'
# Memory before a disk that may be full.
_SCRATCH = '/dev/shm'


class Done(NamedTuple):
    """How a command ended: code 127 where there is no such command, 124 where it took too long, negative for a signal."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All output in one line, without what a terminal would obey."""
        return printable(' '.join((self.err + ' ' + self.out).split()))

    @property
    def complaint(self) -> str:
        """The error output in one line; all output where there is none; the exit code where there is no output."""
        return printable(' '.join(self.err.split())) or self.said or f'it ended with {self.code}'


class _File:
    """One output of a command, in a file: whoever outlives the command may go on writing."""

    def __init__(self) -> None:
        self.target = _scratch()

    def read_from(self, stream: Optional[IO[bytes]]) -> None:
        """Nothing needs to be read while the command runs."""

    def text(self) -> str:
        """What was written until now."""
        with self.target as stream:
            stream.seek(0)
            return stream.read().decode('utf-8', 'replace')


class _Pipe:
    """One output of a command, through a pipe that a thread reads. A child that outlives the command may keep the pipe open."""

    target: Any = subprocess.PIPE

    def __init__(self) -> None:
        self._parts: List[bytes] = []
        self._lock = threading.Lock()
        self._enough = False
        self._reader = threading.Thread(target=self._read, daemon=True)

    def read_from(self, stream: Optional[IO[bytes]]) -> None:
        assert stream is not None
        self._stream = stream
        self._reader.start()

    def _readable(self, wait: float) -> bool:
        return bool(select.select([self._stream], [], [], wait)[0])

    def _read(self) -> None:
        while not self._enough:
            if self._readable(_LOOK):
                with self._lock:
                    part = os.read(self._stream.fileno(), 65536)
                    self._parts.append(part)
                if not part:
                    return
        self._stream.close()

    def text(self) -> str:
        """What was written until now: until the pipe has ended, or is empty."""
        while self._reader.is_alive():
            with self._lock:
                if not self._readable(0):
                    break
            self._reader.join(_PAUSE)
        self._enough = True
        return b''.join(self._parts).decode('utf-8', 'replace')


def run(command: List[str], timeout: float, environment: Optional[Dict[str, str]] = None, grace: float = GRACE,
        pipes: bool = False) -> Done:
    """Run a command without a shell, in a process group of its own, with its messages in English.

    timeout: seconds; afterwards the group gets TERM, and KILL `grace` seconds later if one of it is still there. A child that
    outlives the command does not hold this process up. A signal for this process, or Ctrl-C, does not reach the command.

    pipes: for a command that starts programs which SELinux confines, as package managers do: they may write to the pipe that
    they inherit, and not to a file of another program. Elsewhere the output goes to files.
    """
    settings = dict(os.environ, LC_ALL='C', LANGUAGE='C', PATH=_PATH)
    settings.update(environment or {})
    out, err = (_Pipe(), _Pipe()) if pipes else (_File(), _File())
    try:
        # AnsibleModule.run_command knows no time limit, and a daemon's start may hang.
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL,  # pylint: disable=ansible-bad-function
                                   stdout=out.target, stderr=err.target, env=settings, start_new_session=True)
    except OSError as error:
        return Done(NO_SUCH_COMMAND, '', f'{command[0]}: {os.strerror(error.errno or 0)}')
    out.read_from(process.stdout)
    err.read_from(process.stderr)
    try:
        code = _wait(process, timeout)
    except subprocess.TimeoutExpired:
        ended = stop_group(process, grace)
        said = f"{' '.join(command)} did not end within {timeout:g} s" + ('' if ended else ' and cannot be killed')
        return Done(TOOK_TOO_LONG, out.text(), f'{said}\n{err.text()}')
    except BaseException:
        stop_group(process, grace)
        raise
    return Done(code, out.text(), err.text())


def _wait(process: 'subprocess.Popen[bytes]', timeout: float) -> int:
    """Popen.wait(timeout), also where the sleep in it fails (_common/pause.py). Raises TimeoutExpired."""
    limit = time.monotonic() + timeout
    try:
        return process.wait(timeout)
    except OSError:
        while True:
            code = process.poll()
            if code is not None:
                return code
            if time.monotonic() >= limit:
                raise subprocess.TimeoutExpired(process.args, timeout) from None
            pause(_PAUSE)


def stop_group(process: 'subprocess.Popen[bytes]', grace: float) -> bool:
    """TERM to the process and all of its group, KILL after `grace` seconds. Returns whether the process has ended."""
    _signal(process, signal.SIGTERM)
    limit = time.monotonic() + grace
    while _alive(process):
        if time.monotonic() >= limit:
            _signal(process, signal.SIGKILL)
            break
        pause(_PAUSE)
    try:
        _wait(process, _REAP)
    except subprocess.TimeoutExpired:
        return False
    return True


def _alive(process: 'subprocess.Popen[bytes]') -> bool:
    """Whether one of the group is left. A process that was not waited for counts as there, so it is waited for first."""
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except OSError as error:
        return error.errno == errno.EPERM
    return True


def _signal(process: 'subprocess.Popen[bytes]', number: int) -> None:
    # The group is the session that Popen made: its number is the command's.
    with contextlib.suppress(OSError):      # it has ended by itself
        os.killpg(process.pid, number)


def _scratch() -> IO[bytes]:
    try:
        return tempfile.TemporaryFile(dir=_SCRATCH)
    except OSError:
        return tempfile.TemporaryFile()
