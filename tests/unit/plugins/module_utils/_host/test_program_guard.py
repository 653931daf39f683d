# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A program that is stopped and started by commands: wrapped into a unit, and gone before the clock is set."""

import os
import shutil
import subprocess

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import BadOption
from ansible_collections.aemops.brand_portal.plugins.module_utils._host import service_guard
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.program_guard import _START, UNIT, ProgramGuard, quoted
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.service_guard import GUARD
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._host.test_service_guard import FakeHost

PATH = '/run/systemd/system/' + UNIT
PROGRAM = {'stop': ['/opt/aem/bin/stop', 'now'], 'start': ['su', '-', 'aem', '-c', '/opt/aem/bin/start "x" 100%'], 'pid': 77}


class Host(FakeHost):
    """With the process, which ends `after` seconds of waiting once the unit is stopped; None: never."""

    def __init__(self, tmp_path, after=0.0, alive=True):
        super().__init__(tmp_path)
        self.after, self.texts = after, []
        for path in ('/opt/aem/bin/stop', '/usr/bin/su'):
            os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
            with open(self.path(path), 'w', encoding='utf-8'):
                os.chmod(self.path(path), 0o755)
        if alive:
            os.makedirs(self.path('/proc/77'))

    def write(self, path, text, *args, **more):
        if path == PATH:
            self.texts.append(text)
            self.units.setdefault(UNIT, {'ActiveState': 'inactive'})
        return super().write(path, text, *args, **more)

    def sleep(self, seconds):
        super().sleep(seconds)
        if self.after is not None and 'stop ' + UNIT in self.ran:
            self.after -= seconds
            if self.after <= 0 and os.path.isdir(self.path('/proc/77')):
                os.rmdir(self.path('/proc/77'))


def guard(host, program=None, timeout=10.0):
    made = ProgramGuard([], 60.0, timeout, program or PROGRAM, host)
    made.inspect()
    return made


def test_it_is_wrapped_stopped_gone_and_started(tmp_path):
    host = Host(tmp_path, after=1.0)
    made = guard(host)

    def act():
        assert not host.exists('/proc/77'), 'the clock is set under a program that runs'
        host.ran.append('set')
    made.stopped_during(3600.0, act)
    assert [line for line in host.ran if line != 'daemon-reload'] == [
        'start ' + UNIT, 'start ' + UNIT, 'systemd-run', 'stop ' + UNIT, 'set', 'start ' + UNIT, 'stop ' + GUARD]
    first, second = host.texts
    assert 'ExecStart="/bin/true"' in first
    assert '"/usr/bin/su" "-" "aem" "-c" "/opt/aem/bin/start \\"x\\" 100%%"' in second
    assert 'ExecStop=-"/opt/aem/bin/stop" "now"' in second
    assert made.stopped['units'] == [UNIT]


def test_one_that_does_not_end_keeps_its_clock(tmp_path):
    host = Host(tmp_path, after=None)
    with pytest.raises(service_guard.StopRefused, match='process 77 did not end within 10 s'):
        guard(host).stopped_during(3600.0, lambda: pytest.fail('set'))
    assert host.ran[-2:] == ['start ' + UNIT, 'stop ' + GUARD]      # its start finds that it runs still


def test_what_is_gone_already_is_not_started_and_a_small_step_stops_nothing(tmp_path):
    host = Host(tmp_path, alive=False)
    guard(host).stopped_during(3600.0, lambda: host.ran.append('set'))
    assert host.ran == ['set'] and host.texts == []
    host = Host(tmp_path / 'second')
    guard(host).stopped_during(59.0, lambda: host.ran.append('set'))
    assert host.ran == ['set'] and host.texts == []


def test_check_mode_names_the_process_and_the_command(tmp_path):
    host = Host(tmp_path)
    assert guard(host).predict(3600.0) == 'the process 77 (/opt/aem/bin/stop now) would be stopped and started again.'
    assert host.texts == []


@pytest.mark.parametrize('words', [[], ['/opt/aem/bin/none'], ['none']])
def test_a_command_that_is_not_there_is_refused(tmp_path, words):
    with pytest.raises(BadOption, match='fix_bp_jwt_aem_stop_command'):
        guard(Host(tmp_path), dict(PROGRAM, stop=words))


@pytest.mark.parametrize('name', ['stop', 'start'])
@pytest.mark.parametrize('path', ['/opt/aem/bin/plain', '/opt/aem/bin'])
def test_a_command_that_cannot_be_executed_is_refused_before_anything_is_stopped(tmp_path, path, name):
    host = Host(tmp_path)
    os.mknod(host.path('/opt/aem/bin/plain'), 0o644)
    with pytest.raises(BadOption, match='root cannot execute the command "{0}".*fix_bp_jwt_aem_{1}_command'.format(path, name)):
        guard(host, dict(PROGRAM, **{name: [path]}))
    assert host.ran == []


def test_words_are_no_variables_and_no_specifiers_of_systemd():
    assert quoted(['a b', '$HOME', '%h', 'back\\slash', '"']) == '"a b" "$$HOME" "%%h" "back\\\\slash" "\\""'


@pytest.mark.skipif(not shutil.which('sh'), reason='not run: there is no shell')
def test_its_start_waits_for_the_former_process_and_never_starts_a_second_one(tmp_path):
    started = tmp_path / 'started'
    command = ['sh', '-c', _START, 'sh', '0', str(os.getpid()), 'touch', str(started)]
    assert subprocess.call(command) == 0 and not started.exists()
    former = subprocess.Popen(['sleep', '0.5'])
    former_pid = str(former.pid)
    former.wait()
    assert subprocess.call(['sh', '-c', _START, 'sh', '5', former_pid, 'touch', str(started)]) == 0 and started.exists()
