# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads processes from /proc: their sockets, commands, ancestors and control groups."""

import os
import re
from typing import Iterable, List, Set, Tuple

_JAVA = re.compile(r'(java|jsvc)(\.exec|\d*)\Z')


class Processes:
    """The processes in /proc below a root folder."""

    def __init__(self, root: str = '/') -> None:
        self.root = root

    def text(self, pid: int, name: str) -> str:
        return text_of(self.root, 'proc/{0}/{1}'.format(pid, name))

    def link(self, pid: int, name: str) -> str:
        try:
            return os.readlink(os.path.join(self.root, 'proc/{0}/{1}'.format(pid, name)))
        except OSError:
            return ''

    def pids(self) -> List[int]:
        try:
            return sorted(int(name) for name in os.listdir(os.path.join(self.root, 'proc')) if name.isdigit())
        except OSError:
            return []

    def owners(self, inodes: Set[str]) -> Tuple[List[int], bool]:
        """Return (the processes that have one of these sockets open, whether all processes could be read)."""
        wanted, found = {'socket:[{0}]'.format(inode) for inode in inodes}, []
        pids = self.pids()
        all_seen = 1 in pids        # proc(5): with the mount option hidepid, an account sees only its own processes
        for pid in pids:
            folder = os.path.join(self.root, 'proc/{0}/fd'.format(pid))
            try:
                names = os.listdir(folder)
            except PermissionError:
                all_seen = False
                continue
            except OSError:     # it has ended
                continue
            if any(self.link(pid, 'fd/' + name) in wanted for name in names):
                found.append(pid)
        return found, all_seen

    def open_files(self, pid: int) -> Iterable[str]:
        try:
            names = os.listdir(os.path.join(self.root, 'proc/{0}/fd'.format(pid)))
        except OSError:
            return []
        return [self.link(pid, 'fd/' + name) for name in names]

    def command(self, pid: int) -> List[str]:
        return [word for word in self.text(pid, 'cmdline').split('\0') if word]

    def name(self, pid: int) -> str:
        return self.text(pid, 'comm').strip() or os.path.basename((self.command(pid) or ['?'])[0])

    def state(self, pid: int) -> str:
        """Return the state as a letter of proc(5), such as Z for a zombie; '' if it is not known."""
        return (self._stat(pid) or [''])[0]

    def parent(self, pid: int) -> int:
        fields = self._stat(pid)
        return int(fields[1]) if len(fields) > 1 and fields[1].isdigit() else 0

    def _stat(self, pid: int) -> List[str]:
        """Return the fields of proc(5) after the name of the process, which may contain blanks."""
        return self.text(pid, 'stat').rpartition(')')[2].split()

    def ancestors(self, pid: int) -> List[int]:
        found = []  # type: List[int]
        while pid > 1 and len(found) < 64:
            pid = self.parent(pid)
            found.append(pid)
        return found

    def is_java(self, pid: int) -> bool:
        first = (self.command(pid) or [''])[0]
        names = (self.name(pid), os.path.basename(first), os.path.basename(self.link(pid, 'exe')))
        return any(_JAVA.match(name) for name in names)

    def cgroup(self, pid: int) -> str:
        """Return the control group that systemd gave the process, relative to systemd's own: cgroups(7), v1, v2 and hybrid."""
        path, base = self._cgroup(pid), self._cgroup(1)
        base = base[:-len('/init.scope')] if base.endswith('/init.scope') else ''
        return path[len(base):] if base and path.startswith(base + '/') else path

    def _cgroup(self, pid: int) -> str:
        paths = {}
        for line in self.text(pid, 'cgroup').splitlines():
            number, _colon, rest = line.partition(':')
            controllers, _colon, path = rest.partition(':')
            paths['systemd' if controllers == 'name=systemd' else number] = path
        return paths.get('systemd') or paths.get('0') or ''


def text_of(root: str, path: str) -> str:
    """Return the file's text; '' if there is no file, or it may not be read."""
    try:
        with open(os.path.join(root, path), encoding='utf-8', errors='replace') as stream:
            return stream.read()
    except OSError:
        return ''
