# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hands of whatever changes a host: runs commands with a bound, replaces files in one move. Tests put others in."""

import contextlib
import errno
import grp
import os
import shutil
import stat
import subprocess
import time
from typing import List, NamedTuple, Optional

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.host import Host
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.statedir import settle

TOOK_TOO_LONG = 124
_PATH = '/usr/sbin:/usr/bin:/sbin:/bin'


class Done(NamedTuple):
    """How a command ended: code 127 where there is no such command, 124 where it took too long."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All it said, in one line."""
        return ' '.join((self.err + ' ' + self.out).split())

    @property
    def complaint(self) -> str:
        """What it complained of, in one line; all it said where it did not complain."""
        return ' '.join(self.err.split()) or self.said


class System(Host):
    """A host that can be changed."""

    def __init__(self, root: str = '/') -> None:
        super().__init__(lambda command: self.execute(command).out, root)

    def execute(self, command: List[str], timeout: float = 100.0, environment: Optional[dict] = None) -> Done:
        """Run a command without a shell, its words in English; timeout in seconds."""
        settings = dict(os.environ, LC_ALL='C', LANGUAGE='C', PATH=_PATH, **(environment or {}))
        try:
            # AnsibleModule.run_command knows no time-out, and a daemon's start may hang.
            done = subprocess.run(command, stdin=subprocess.DEVNULL,  # pylint: disable=ansible-bad-function
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, check=False, env=settings)
        except subprocess.TimeoutExpired:
            return Done(TOOK_TOO_LONG, '', '{0} did not end within {1:g} s'.format(' '.join(command), timeout))
        except OSError as error:
            return Done(127, '', '{0}: {1}'.format(command[0], error.strerror))
        return Done(done.returncode, done.stdout.decode('utf-8', 'replace'), done.stderr.decode('utf-8', 'replace'))

    def now(self) -> float:
        """Seconds of a clock that nobody sets."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    # files

    def text(self, path: str) -> Optional[str]:
        """The file's text, whatever bytes it has and to the byte; None where it is not there. Other errors are raised."""
        try:
            with open(self.path(path), 'rb') as stream:
                return stream.read().decode('utf-8', 'surrogateescape')
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return None
            raise

    def make_folder(self, path: str, mode: int = 0o755) -> List[str]:
        """Make the folder and those above it that are missing; returns those that were made, the outermost first."""
        made: List[str] = []
        while not os.path.isdir(self.path(path)):
            made.insert(0, path)
            path = os.path.dirname(path)
        for folder in made:
            os.mkdir(self.path(folder))
            os.chmod(self.path(folder), mode)
        return made

    def write(self, path: str, text: str, mode: int, group: str = '') -> None:
        """Put a whole file in the place of the one that is there, or none, in one move that a crash cannot halve.

        Owner, mode and SELinux label stay those of the file that is there; mode and group are for a new one.
        """
        target = os.path.realpath(self.path(path))      # a link stays a link
        new = os.path.join(os.path.dirname(target), '.' + os.path.basename(target) + '.aemops-new')
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, 'wb') as stream:
                stream.write(text.encode('utf-8', 'surrogateescape'))
                stream.flush()
                os.fsync(stream.fileno())
            self._dress(new, target, mode, group)
            os.rename(new, target)
        except BaseException:
            self.remove(new, whole=True)
            raise
        settle(os.path.dirname(target))

    @staticmethod
    def _dress(new: str, target: str, mode: int, group: str) -> None:
        if not os.path.exists(target):
            with contextlib.suppress(KeyError, PermissionError):    # no such group: then only root reads it
                os.chown(new, -1, grp.getgrnam(group).gr_gid if group else -1)
            os.chmod(new, mode)
            return
        like = os.stat(target)
        os.chown(new, like.st_uid, like.st_gid)
        os.chmod(new, stat.S_IMODE(like.st_mode))
        with contextlib.suppress(OSError):      # no SELinux here
            os.setxattr(new, 'security.selinux', os.getxattr(target, 'security.selinux'))

    def keep(self, path: str, kept: str) -> None:
        """A second name for the file as it is, which needs no space: replacing the file leaves this one."""
        try:
            os.link(os.path.realpath(self.path(path)), self.path(kept))
        except FileExistsError:
            pass
        except OSError:     # a file system without hard links
            shutil.copy2(os.path.realpath(self.path(path)), self.path(kept))

    def move(self, source: str, target: str) -> None:
        os.rename(self.path(source), os.path.realpath(self.path(target)))
        settle(os.path.dirname(self.path(target)))

    def remove(self, path: str, whole: bool = False) -> None:
        """Remove a file or an empty folder; it may be gone already."""
        real = path if whole else self.path(path)
        try:
            if os.path.isdir(real) and not os.path.islink(real):
                os.rmdir(real)
            else:
                os.remove(real)
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise

    def links(self, folder: str) -> dict:
        """The symbolic links in a folder and one level below: {path: target}."""
        found = {}
        top = self.path(folder)
        for place, folders, names in os.walk(top):
            for name in names + folders:
                real = os.path.join(place, name)
                if os.path.islink(real):
                    found['/' + os.path.relpath(real, self.root)] = os.readlink(real)
            if place != top:
                folders[:] = []
        return found

    def link(self, path: str, target: str) -> None:
        """Make the symbolic link what it shall be."""
        real = self.path(path)
        if os.path.islink(real):
            if os.readlink(real) == target:
                return
            os.remove(real)
        self.make_folder(os.path.dirname(path))
        os.symlink(target, real)


def listed(names: List[str]) -> str:
    """For a sentence: a, b and c."""
    return ' and '.join([', '.join(names[:-1]), names[-1]] if len(names) > 1 else names)
