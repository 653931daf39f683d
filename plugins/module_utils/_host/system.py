# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host operations: run commands with a time limit, replace files atomically, write to the host's journal. Faked in tests."""

import errno
import os
import socket
import time
from typing import List, Optional

from ansible_collections.aemops.brand_portal.plugins.module_utils._common import files, process
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.pause import pause
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.process import Done
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.host import Host

# Sockets of the host's journal: with systemd's own protocol, or else that of syslog (RFC 3164).
_JOURNAL, _SYSLOG = '/run/systemd/journal/socket', '/dev/log'
IDENTIFIER = 'aemops-brand-portal'

# Seconds between SIGTERM and SIGKILL for a transaction, which needs time to close its database.
_PACKAGE_COMMANDS = ('apt-get', 'dpkg', 'dnf', 'yum', 'zypper', 'rpm')
_TRANSACTION_GRACE = 30.0


class System(Host):
    """A host that can be changed."""

    def __init__(self, root: str = '/') -> None:
        super().__init__(lambda command: self.execute(command).out, root)

    def execute(self, command: List[str], timeout: float = 100.0, environment: Optional[dict] = None) -> Done:
        """Run a command without a shell, with its messages in English. timeout: in seconds."""
        grace = _TRANSACTION_GRACE if os.path.basename(command[0]) in _PACKAGE_COMMANDS else process.GRACE
        return process.run(command, timeout, environment, grace)

    def log(self, message: str) -> None:
        """Log to the host's journal. Does nothing on a host without a journal. The text must not contain a secret."""
        line = ' '.join(message.split())
        for address, text in ((_JOURNAL, f'MESSAGE={line}\nPRIORITY=5\nSYSLOG_IDENTIFIER={IDENTIFIER}\nSYSLOG_FACILITY=1\n'),
                              (_SYSLOG, f'<13>{IDENTIFIER}[{os.getpid()}]: {line}')):
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                    channel.settimeout(1.0)
                    channel.sendto(text.encode('utf-8', 'replace'), self.path(address))
                return
            except OSError:
                continue

    def now(self) -> float:
        """Return the seconds of a clock that is never set."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        pause(seconds)

    # files

    def text(self, path: str) -> Optional[str]:
        """Return the file's text, byte for byte; None if the file does not exist. Raises OSError.

        Anything but a regular file raises Obstacle, because reading a pipe would block.
        """
        if os.path.exists(self.path(path)) and not os.path.isfile(self.path(path)):
            obstacle = files.Obstacle(f'{path} is not a regular file')
            obstacle.advice = f'Move {path} away, then run again.'
            raise obstacle
        try:
            with open(self.path(path), 'rb') as stream:
                return stream.read().decode('utf-8', 'surrogateescape')
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return None
            raise

    def make_folder(self, path: str, mode: int = 0o755) -> List[str]:
        """Create the folder and its missing parents. Return the created ones, the outermost first."""
        cut = len(self.path('/').rstrip('/'))
        return [made[cut:] for made in files.make_folder(self.path(path), mode)]

    def write(self, path: str, text: str, mode: int, group: str = '', like: str = '', restores: bool = False) -> None:
        """Replace or create the file atomically. An existing file keeps its owner, mode, ACL and label. A new one gets this mode
        and group, or those of the file `like`, and the label of its place, or that of `like` if it restores that copy of itself."""
        files.write(self.path(path), text.encode('utf-8', 'surrogateescape'), files.Access(mode, group),
                    None if restores else self._label, self.path(like) if like else '', restores)

    def _label(self, target: str) -> str:
        return files.default_label(target, self.run)

    def copy(self, path: str, kept: str) -> None:
        files.copy(self.path(path), self.path(kept))

    def obstacle(self, path: str) -> str:
        """Return why the file cannot be written, with the next step; '' if it can be written."""
        return files.obstacle(self.path(path))

    def names(self, folder: str) -> List[str]:
        """Return the entries of a folder; [] if there is no such folder."""
        try:
            return sorted(os.listdir(self.path(folder)))
        except OSError:
            return []

    def remove(self, path: str) -> None:
        """Remove a file, a link or an empty folder, if it exists. A mount point counts as a folder that is not empty."""
        real = self.path(path)
        if os.path.isdir(real) and not os.path.islink(real):
            try:
                os.rmdir(real)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY):
                    raise
        else:
            files.remove(real)

    def remove_folder(self, path: str) -> None:
        """Remove a folder if it is empty. Links and files stay."""
        if os.path.isdir(self.path(path)) and not os.path.islink(self.path(path)):
            self.remove(path)

    def links(self, folder: str) -> dict:
        """Return the symbolic links in a folder and one level below: {path: target}."""
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
        """Create or change the symbolic link, so that it points to target."""
        real = self.path(path)
        if os.path.islink(real):
            if os.readlink(real) == target:
                return
            os.remove(real)
        self.make_folder(os.path.dirname(path))
        os.symlink(target, real)


def listed(names: List[str]) -> str:
    """Join names for a sentence: a, b and c."""
    return ' and '.join([', '.join(names[:-1]), names[-1]] if len(names) > 1 else names)
