# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a repair would need, tried on a host that is a folder: each obstacle is named, and nothing is changed."""

import os
import types
from typing import Dict, Tuple

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.process import Done
from ansible_collections.aemops.brand_portal.plugins.module_utils._host import rehearsal
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._host.hosts import FakeHost

GIB = 1024 ** 3


class Host(FakeHost):
    """`says`: {word of a command: (code, output)}, for what FakeHost does not play."""

    says: Dict[str, Tuple[int, str]] = {}

    def execute(self, command, timeout=100.0, environment=None):
        for word, (code, text) in self.says.items():
            if word in command:
                return Done(code, text if not code else '', text if code else '')
        return super().execute(command, timeout, environment)


def disk(free=GIB, files=1000, left=900, flags=0):
    return lambda place: types.SimpleNamespace(f_bavail=free // 4096, f_frsize=4096, f_files=files, f_favail=left, f_flag=flags)


def host(folder, daemon=True, **says):
    made = Host(folder)
    made.put('/usr/bin/flock', '')
    made.says = {'--download-only': (0, ''), **says}
    if daemon:
        made.has('chrony', package='chrony')
        made.put('/usr/sbin/chronyd', '')
    return made


def obstacles(made, units=(), euid=0, owner='', statvfs=None, provider='auto', program=None):
    found = rehearsal.rehearse(made, units, provider, lambda: euid, lambda: owner, statvfs or disk(), program)
    assert [each.check for each in found] == ['become', 'clock', 'systemd', 'service', 'packages', 'disk', 'files']
    assert all(each.found and bool(each.advice) != each.passed for each in found)
    return {each.check: f'{each.found} -> {each.advice}' for each in found if not each.passed}


def tree(folder):
    return sorted((os.path.join(at, name), os.lstat(os.path.join(at, name)).st_mtime_ns)
                  for at, _folders, names in os.walk(folder) for name in names)


@pytest.mark.parametrize('daemon', [True, False])
def test_nothing_is_in_the_way_and_nothing_is_changed(tmp_path, daemon):
    made = host(tmp_path, daemon)
    before = tree(tmp_path)
    assert obstacles(made) == {}
    assert tree(tmp_path) == before and made.logged == []


def test_the_package_is_downloaded_apart_from_the_host(tmp_path):
    made = host(tmp_path, daemon=False)
    ran = []
    made.execute = lambda command, *rest, **more: ran.append(command) or Done(0, '', '')
    assert rehearsal.source_of_packages(made, 'chrony').passed
    [command] = ran
    assert '--download-only' in command and command[-2:] == ['install', 'chrony']
    [cache] = [word for word in command if word.startswith('Dir::Cache=')]
    assert not os.path.exists(cache.partition('=')[2])     # gone again


@pytest.mark.parametrize('manager', ['dnf', 'yum'])
def test_no_key_of_a_package_source_is_imported(manager):
    """dnf -y imports keys for its check of the signatures, also with --downloadonly (gpgsigcheck in dnf/cli/cli.py)."""
    [[command]] = rehearsal.DOWNLOADS[manager]
    assert '--nogpgcheck' in command[:command.index('install')] and '--downloadonly' in command[command.index('install'):]


def test_old_lists_are_no_obstacle(tmp_path):
    """A repair refreshes the host's lists; a rehearsal has some of its own."""
    made = host(tmp_path, daemon=False)
    made.execute = lambda command, *rest, **more: Done(
        0 if any('Dir::State::lists' in word for word in command) else 100, '', 'E: 404 Not Found')
    assert rehearsal.source_of_packages(made, 'chrony').passed


NO_UNIT = 'Id=aemm.service\nLoadState=not-found\nActiveState=inactive\nCanStart=no\nCanStop=no\n'
OBSTACLES = {
    'no root': ({'euid': 1000}, {}, 'become', 'become leads to the user 1000'),
    'a container': ({'owner': 'The clock belongs to the machine below.'}, {}, 'clock', 'belongs to the machine below'),
    'a unit that is not there': ({'units': ['aemm.service']}, {'show': (0, NO_UNIT)}, 'service',
                                 'systemd has no unit aemm.service'),
    'no command': ({'program': {'stop': ['/nowhere/stop.sh'], 'start': ['/nowhere/start.sh'], 'pid': 77}}, {}, 'service',
                   'this host has no command "/nowhere/stop.sh" to stop it'),
    'a command that cannot be executed': ({'program': {'stop': ['/usr/bin/flock'], 'start': ['/usr/bin/flock'], 'pid': 77}}, {},
                                          'service', 'root cannot execute the command "/usr/bin/flock" to stop it'),
    'no package source': ({}, {'daemon': False, '--download-only': (100, 'E: Could not resolve deb'),
                               'update': (100, 'E: no')}, 'packages', 'the package chrony cannot be downloaded'),
    'no room': ({'statvfs': disk(free=2 ** 20)}, {}, 'disk', 'has 1 MiB left of the 5 MiB'),
    'no inodes': ({'statvfs': disk(left=3)}, {}, 'disk', 'has 3 inodes left'),
    'read-only': ({'statvfs': disk(flags=os.ST_RDONLY)}, {}, 'files', '/etc is mounted read-only'),
    'another daemon is asked for': ({'provider': 'ntpd'}, {'--download-only': (1, 'E: no network'),
                                                           'update': (1, 'E: no network')},
                                    'packages', 'cannot be downloaded: E: no network'),
}


@pytest.mark.parametrize('name', OBSTACLES)
def test_each_obstacle_is_named(tmp_path, name):
    keywords, says, check, words = OBSTACLES[name]
    made = host(tmp_path, **says)
    found = obstacles(made, **keywords)
    assert list(found) == [check] and words in found[check]


def test_a_command_that_is_missing_and_a_system_without_systemd(tmp_path):
    made = host(tmp_path)
    os.unlink(made.path('/usr/bin/flock'))
    assert 'install util-linux' in obstacles(made)['systemd']


def test_a_check_that_cannot_look_does_not_end_the_others(tmp_path):
    def gone(place):
        raise FileNotFoundError(2, 'No such file', place)
    found = rehearsal.rehearse(host(tmp_path), [], 'auto', lambda: 0, lambda: '', gone)
    assert [each.check for each in found] == ['become', 'clock', 'systemd', 'service', 'packages', 'host', 'host']
