# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs commands with a time limit that also covers their child processes, on Python 3.6 and later."""

import contextlib
import errno
import os
import signal
import subprocess
import tempfile
import time
from typing import IO, Dict, List, NamedTuple, Optional

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.pause import pause
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.printable import printable

NO_SUCH_COMMAND = 127
TOOK_TOO_LONG = 124

# Seconds between TERM and KILL.
GRACE = 5.0
# Seconds for the kernel to end a killed process. A process that waits for a broken device does not end at all.
_REAP = 5.0
_PAUSE = 0.02
# A daemon that an administrator has compiled has its commands in /usr/local.
_PATH = '/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin'
# In memory, because the disk may be full, unless memory is: a list of packages has up to 1 MB. Bytes.
_SCRATCH, _SPACE = '/dev/shm', 8 * 1024 * 1024


class Done(NamedTuple):
    """Result of a command. Code 127: there is no such command; 124: it took too long; negative: a signal ended it."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All output in one line, safe to print."""
        return printable(' '.join((self.err + ' ' + self.out).split()))

    @property
    def complaint(self) -> str:
        """The error output in one line; without error output, all output; without any output, the exit code."""
        return printable(' '.join(self.err.split())) or self.said or f'it ended with {self.code}'


def run(command: List[str], timeout: float, environment: Optional[Dict[str, str]] = None, grace: float = GRACE) -> Done:
    """Run a command without a shell, in its own process group, with messages in English.

    timeout: seconds. After it, the group gets SIGTERM, and SIGKILL `grace` seconds later if a process of it still exists. The
    output goes to files instead of pipes, so that a child that outlives the command does not block this process. Signals for
    this process, such as Ctrl-C, do not reach the command.
    """
    settings = dict(os.environ, LC_ALL='C', LANGUAGE='C', PATH=_PATH)
    settings.update(environment or {})
    with _scratch() as out, _scratch() as err:
        try:
            # AnsibleModule.run_command has no time limit, and the start of a daemon may hang.
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL,  # pylint: disable=ansible-bad-function
                                       stdout=out, stderr=err, env=settings, start_new_session=True)
        except OSError as error:
            return Done(NO_SUCH_COMMAND, '', f'{command[0]}: {os.strerror(error.errno or 0)}')
        try:
            code = _wait(process, timeout)
        except subprocess.TimeoutExpired:
            ended = stop_group(process, grace)
            said = f"{' '.join(command)} did not end within {timeout:g} s" + ('' if ended else ' and cannot be killed')
            return Done(TOOK_TOO_LONG, _text(out), f'{said}\n{_text(err)}')
        except BaseException:
            stop_group(process, grace)
            raise
        return Done(code, _text(out), _text(err))


def _wait(process: 'subprocess.Popen[bytes]', timeout: float) -> int:
    """Do what Popen.wait(timeout) does, even if its sleep fails (_common/pause.py). Raises TimeoutExpired."""
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
    """Send SIGTERM to the process group, and SIGKILL after `grace` seconds. Return whether the process has ended."""
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
    """Return whether a process of the group exists. Polls first, because a zombie would count as one."""
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except OSError as error:
        return error.errno == errno.EPERM
    return True


def _signal(process: 'subprocess.Popen[bytes]', number: int) -> None:
    # The group is the session that Popen created: its number is the PID of the command.
    with contextlib.suppress(OSError):      # it has ended by itself
        os.killpg(process.pid, number)


def _scratch() -> IO[bytes]:
    with contextlib.suppress(OSError):
        space = os.statvfs(_SCRATCH)
        if space.f_bavail * space.f_frsize >= _SPACE:
            return tempfile.TemporaryFile(dir=_SCRATCH)
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return tempfile.TemporaryFile(dir=_SCRATCH)


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode('utf-8', 'replace')
