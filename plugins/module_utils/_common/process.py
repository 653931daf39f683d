# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command with a limit that holds: on every Python from 3.6 on, and for the command's own children too."""

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
# Seconds that the kernel may take to end a killed process; one that waits for a broken device does not end at all.
_REAP = 5.0
_PAUSE = 0.02
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


def run(command: List[str], timeout: float, environment: Optional[Dict[str, str]] = None, grace: float = GRACE) -> Done:
    """Run a command without a shell, in a process group of its own, with its messages in English.

    timeout: seconds; afterwards the group gets TERM, and KILL `grace` seconds later if one of it is still there. The output
    goes to files, not to pipes: a child that outlives the command cannot hold this process up. A signal for this process, or
    Ctrl-C, does not reach the command.
    """
    settings = dict(os.environ, LC_ALL='C', LANGUAGE='C', PATH=_PATH)
    settings.update(environment or {})
    with _scratch() as out, _scratch() as err:
        try:
            # AnsibleModule.run_command knows no time limit, and a daemon's start may hang.
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


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode('utf-8', 'replace')
