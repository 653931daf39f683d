# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks on a host what a repair needs, without any change. Each check reports what it found and what to do.

Packages are downloaded to a temporary folder, with fresh package lists if those of the host are outdated.
"""

import os
import shutil
import tempfile
from typing import Any, Callable, List, Mapping, NamedTuple, Optional, Sequence

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import ClockError
from ansible_collections.aemops.brand_portal.plugins.module_utils._host import statedir
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import discovery
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.package_words import UNREACHED, advice_for, complaint_of
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.program_guard import UNIT, guard_of

MIB = 1024 * 1024
# Space for files of a few kB, their backups and the state, and for the package of a daemon.
ROOM = {'/etc': 5 * MIB, '/var/lib': 5 * MIB}
ROOM_FOR_A_PACKAGE = {'/usr': 50 * MIB, '/var': 100 * MIB}
_INODES = 50
_DOWNLOAD = 120.0   # seconds

# {folder} is a temporary one; the name of the package is appended. The second attempt downloads its own lists.
_APT = ['apt-get', '-q', '-y', '--no-install-recommends', '-o', 'Dir::Cache={folder}', '-o', 'Debug::NoLocking=1']
_OWN_LISTS = ['-o', 'Dir::State::lists={folder}/lists']
DOWNLOADS = {
    'apt': [[_APT + ['--download-only', 'install']],
            [_APT + _OWN_LISTS + ['update'], _APT + _OWN_LISTS + ['--download-only', 'install']]],
    # A check of signatures would import the keys of the package sources. dnf5 wants --downloadonly after the command.
    'dnf': [[['dnf', '-q', '-y', '--setopt=cachedir={folder}/cache', '--nogpgcheck', 'install', '--downloadonly']]],
    'yum': [[['yum', '-q', '-y', '--setopt=cachedir={folder}/cache', '--nogpgcheck', 'install', '--downloadonly',
              '--downloaddir={folder}']]],
    'zypper': [[['zypper', '--non-interactive', '--cache-dir', '{folder}', 'install', '--download-only']]],
}


class Check(NamedTuple):
    """A check. found: what it found, as a sentence without a period. advice: '' if it passed."""

    check: str
    passed: bool
    found: str
    advice: str = ''


def rehearse(host: Any, units: Sequence[str], provider: str = 'auto', euid: Callable[[], int] = os.geteuid,
             clock_owner: Callable[[], str] = lambda: '', statvfs: Callable[[str], Any] = os.statvfs,
             program: Optional[Mapping[str, Any]] = None) -> List[Check]:
    """Run all checks, even if some fail. host: a System. units, program: what is stopped around a step."""
    package = needed_package(host, provider)
    checks = [
        lambda: become(euid()),
        lambda: may_set_clock(clock_owner()),
        lambda: systemd(host),
        lambda: stoppable(host, units, program),
        lambda: source_of_packages(host, package),
        lambda: room(host, bool(package), statvfs),
        lambda: writable(host, statvfs),
    ]
    found = []
    for check in checks:
        try:
            found.append(check())
        except (OSError, ValueError) as error:
            found.append(Check('host', False, str(error), 'check on the host why this fails'))
    return found


def become(euid: int) -> Check:
    if euid == 0:
        return Check('become', True, 'a repair may become root')
    return Check('become', False, 'become leads to the user {0}, not to root'.format(euid),
                 'set ansible_become_user=root, or take another ansible_become_user out of the inventory')


def may_set_clock(owner: str) -> Check:
    if not owner:
        return Check('clock', True, 'this host may set its clock')
    return Check('clock', False, owner.rstrip('.'), 'repair the clock of the machine that this host runs on')


def systemd(host: Any) -> Check:
    if not host.exists('/run/systemd/system') and not host.exists('/etc/systemd/system'):
        return Check('systemd', False, 'this host does not run systemd', 'configure the time service of this host by hand')
    if not host.exists('/usr/bin/flock') and not host.exists('/bin/flock'):
        return Check('systemd', False, 'the command flock is missing, by which the guard of stopped services waits',
                     'install util-linux')
    return Check('systemd', True, 'systemd runs this host')


def stoppable(host: Any, units: Sequence[str], program: Optional[Mapping[str, Any]] = None) -> Check:
    """Check whether the services and the program to stop around a step exist and can be stopped and started again."""
    if not units and not program:
        return Check('service', True, 'no service is stopped around a step')
    try:
        guard = guard_of(list(units), 0.0, 300.0, program, host)
        guard.inspect()
    except ClockError as error:
        said, _dot, rest = str(error).partition('. ')
        return Check('service', False, said.rstrip('.'), rest.replace(' Nothing was changed.', '').rstrip('.') or
                     'correct fix_bp_jwt_aem_service')
    running = ', '.join(guard.running).replace(UNIT, 'a program (by its commands)')
    return Check('service', True, '{0} would be stopped and started again'.format(running) if running else
                 '{0} exists and does not run'.format(', '.join(units) or 'the program'))


def needed_package(host: Any, provider: str = 'auto') -> str:
    """Return the package that a repair would install; '' if a suitable daemon is installed."""
    daemons = discovery.find_daemons(host)
    wanted = [facts for facts in daemons if provider in ('auto', facts['name']) or (provider, facts['name']) == ('ntpd', 'ntpsec')]
    if any(facts['installed'] and not facts.get('condition') for facts in wanted):
        return ''
    packages = [facts['package'] for facts in wanted if facts['package']]
    return packages[0] if packages else ''


def source_of_packages(host: Any, package: str) -> Check:
    if not package:
        return Check('packages', True, 'no package is needed')
    manager = discovery.package_manager(host)
    if manager not in DOWNLOADS:
        return Check('packages', False, 'this collection does not know the package manager of this system',
                     'install a time daemon by hand')
    folder = tempfile.mkdtemp(prefix='aemops-brand-portal-')
    said = complaint = ''
    try:
        os.makedirs(folder + '/archives/partial')
        os.makedirs(folder + '/lists/partial')
        for commands in DOWNLOADS[manager]:
            said = ''
            for command in commands:
                command = [word.format(folder=folder) for word in command]
                done = host.execute(command + ([] if command[-1] == 'update' else [package]), _DOWNLOAD)
                if UNREACHED in done.said:  # of the lists, which apt calls a warning
                    complaint = done.said[done.said.index(UNREACHED):]
                if done.code:
                    said = complaint or complaint_of(done)
                    break
            if not said:
                return Check('packages', True, 'the package {0} can be downloaded'.format(package))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    said_short = ' '.join(said.split())[:300].rstrip('.')
    return Check('packages', False, 'the package {0} cannot be downloaded: {1}'.format(package, said_short), advice_for(said))


def room(host: Any, package: bool, statvfs: Callable[[str], Any] = os.statvfs) -> Check:
    """Check whether the file systems that a repair writes to have free blocks and inodes."""
    wanted = dict(ROOM)
    if package:
        wanted.update(ROOM_FOR_A_PACKAGE)
    for place, needed in sorted(wanted.items()):
        found = statvfs(host.path(place))
        free = found.f_bavail * found.f_frsize
        if free < needed:
            return Check('disk', False, '{0} has {1} MiB left of the {2} MiB that a repair may need'.format(
                place, free // MIB, needed // MIB), 'make room on this host: "df -h {0}"'.format(place))
        if found.f_files and found.f_favail < _INODES:
            return Check('disk', False, '{0} has {1} inodes left'.format(place, found.f_favail),
                         'remove files on this host: "df -i {0}"'.format(place))
    return Check('disk', True, 'the disks have room')


def writable(host: Any, statvfs: Callable[[str], Any] = os.statvfs) -> Check:
    """Check whether the file systems that a repair writes to are mounted read-write."""
    for place in ('/etc', statedir.STATE.rsplit('/', 1)[0]):
        if statvfs(host.path(place)).f_flag & os.ST_RDONLY:
            return Check('files', False, '{0} is mounted read-only'.format(place),
                         'mount it writable ("findmnt -T {0}"), or repair the image that this host starts from'.format(place))
    return Check('files', True, 'the configuration can be written')
