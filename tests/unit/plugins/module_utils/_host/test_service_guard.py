# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stopping services around a step of the clock: in which order, what is refused, what is put back."""

import os
import signal
import subprocess

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import BadOption, CannotSetClock
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.process import Done
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.stop_request import Interrupted, StopRequest
from ansible_collections.aemops.brand_portal.plugins.module_utils._host import service_guard, statedir, systemd
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.service_guard import (
    FOLDER,
    GUARD,
    ServiceGuard,
    StopRefused,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import System
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.undo_log import Entry, Lock, UndoLog


class FakeHost(System):
    """systemd as {unit: its properties}; what cannot be done is in `breaks`, what was done in `ran`."""

    def __init__(self, tmp_path, **units):
        super().__init__(str(tmp_path))
        self.units = {name.replace('_', '.'): dict(active) if isinstance(active, dict) else {'ActiveState': active}
                      for name, active in units.items()}
        self.breaks, self.ran, self.at, self.logged = {}, [], 0.0, []
        os.makedirs(self.path('/usr/bin'))
        os.makedirs(self.path('/var/lib'))
        with open(self.path('/usr/bin/flock'), 'w', encoding='utf-8'):
            pass

    def log(self, message):
        self.logged.append(message)

    def now(self):
        return self.at

    def sleep(self, seconds):
        self.at += seconds

    def journal(self):
        log = UndoLog(self, FOLDER)
        log.read()
        return [entry.target for entry in log.entries]

    def execute(self, command, timeout=30.0, environment=None):
        verb = next(word for word in command if not word.startswith('-') and word != 'systemctl')
        names = command[command.index('--') + 1:] if '--' in command else []
        if verb == 'show':
            return Done(0, '\n\n'.join(self._show(name) for name in names), '')
        if verb == 'list-units':
            return Done(0, ''.join('{0} loaded active running Some words\n'.format(name) for name in self.units), '')
        if verb == 'journalctl':
            return Done(0, 'aem.service: Main process exited\n', '')
        if verb == 'reset-failed':
            return Done(0, '', '')
        self.ran.append(' '.join([verb] + (names if verb != 'systemd-run' else [])))
        if verb in self.breaks:
            broken = self.breaks[verb]
            if isinstance(broken, list):
                broken = broken.pop(0) if broken else None
            if broken:
                return broken
        if verb == 'systemd-run':
            assert self.journal(), 'the guard is armed once the log is written'
            self.units[GUARD] = {'ActiveState': 'active'}
        elif verb == 'stop':
            for name in names:
                self.units[name]['ActiveState'] = 'inactive'
        elif verb == 'start':
            for name in names:
                self.units[name]['ActiveState'] = 'active'
        return Done(0, '', '')

    def _show(self, name):
        unit = {'Id': name, 'LoadState': 'loaded' if name in self.units else 'not-found', 'ActiveState': 'inactive'}
        unit.update(self.units.get(name, {}))
        return '\n'.join('{0}={1}'.format(*pair) for pair in unit.items())


def units(host, *names, **settings):
    made = ServiceGuard(list(names) or ['aem'], settings.get('above', 60.0), settings.get('timeout', 300.0), host,
                        stop=settings.get('stop'))
    made.inspect()
    return made


FAILED = Done(1, '', 'Job for aem.service failed\n')


def test_stopped_set_started(tmp_path):
    host = FakeHost(tmp_path, aem_service='active')
    made = units(host)
    assert made.stopped_during(3600.0, lambda: host.ran.append('set') or 'answer') == 'answer'
    assert host.ran == ['systemd-run', 'stop aem.service', 'set', 'start aem.service', 'stop ' + GUARD]
    assert made.recover(False) == 'aem.service was stopped for 1.0 s and runs again.'
    assert made.stopped == {'units': ['aem.service'], 'seconds': 1.0, 'not_started': []}
    assert not host.exists(statedir.STATE), 'nothing is left'


class Lingering(FakeHost):
    """A unit whose script ends before the program does, as crx-quickstart/bin/stop may: the program has its time."""

    def __init__(self, tmp_path, seconds, cgroup='/system.slice/aem.service', state='S', name='java'):
        super().__init__(tmp_path, aem_service='active')
        self.ends, self.seconds = None, seconds
        os.makedirs(self.path('/proc/800'))
        for path, text in (('comm', name + '\n'), ('cgroup', f'1:name=systemd:{cgroup}\n'), ('stat', f'800 (java) {state} 1 8')):
            self.write('/proc/800/' + path, text, 0o644)

    def execute(self, command, timeout=30.0, environment=None):
        if 'stop' in command and 'aem.service' in command:
            self.ends = self.at + self.seconds
        return super().execute(command, timeout, environment)

    def sleep(self, seconds):
        super().sleep(seconds)
        if self.ends is not None and self.at >= self.ends:
            self.remove('/proc/800/cgroup')


def test_the_clock_is_set_when_the_program_has_ended_not_only_its_script(tmp_path):
    host = Lingering(tmp_path, 90.0)
    at = units(host).stopped_during(3600.0, lambda: host.at)
    assert 90.0 <= at < 95.0


@pytest.mark.parametrize('cgroup, script, waits', [
    ('session-c3.scope', 'CQ_ROOT=/opt/aem', True), ('session-c3.scope', 'su - aem -c "/opt/aem/crx-quickstart/bin/stop"', True),
    ('session-c3.scope', 'CQ_ROOT=/srv/link', True),
    ('session-c3.scope', 'CQ_ROOT=/opt/aem-publish', False),       # that of another script
    ('session-7.scope', 'CQ_ROOT=/opt/aem', False),                # of a login
])
def test_an_aem_that_its_script_started_with_su_is_waited_for(tmp_path, cgroup, script, waits):
    """pam_systemd moves it to a session, so that it is none of the unit's: it was started again before it had ended."""
    host = Lingering(tmp_path, 90.0, f'/user.slice/user-1001.slice/{cgroup}')
    host.write('/proc/800/cmdline', 'java\0-jar\0/opt/aem/crx-quickstart/app/cq.jar\0', 0o644)
    for folder in ('/opt/aem/crx-quickstart', '/opt/aem-publish', '/etc/init.d', '/run/systemd/generator.late', '/srv'):
        os.makedirs(host.path(folder))
    os.symlink('../opt/aem', host.path('/srv/link'))
    host.write('/run/systemd/generator.late/aem.service', '[Service]\nExecStart=/etc/init.d/aem start\n', 0o644)
    host.write('/etc/init.d/aem', script + '\n', 0o755)
    at = units(host).stopped_during(3600.0, lambda: host.at)
    assert (90.0 <= at < 95.0) is waits


def test_a_program_that_does_not_end_is_named_and_the_clock_is_not_set_under_it(tmp_path):
    host = Lingering(tmp_path, 1e9)
    with pytest.raises(StopRefused, match=r'aem.service is stopped, but java \(PID 800\) of it still run 300 s later'):
        units(host).stopped_during(3600.0, lambda: host.ran.append('set'))
    assert 'set' not in host.ran and host.units['aem.service']['ActiveState'] == 'active'


@pytest.mark.parametrize('cgroup, state, name', [
    ('/system.slice/aem-publish.service', 'S', 'java'), ('/system.slice/aem.service', 'Z', 'java'),
    ('/user.slice/user-1.slice/user@1.service/app.slice/aem.service', 'S', 'java'),
    ('/system.slice/aem.service', 'S', 'rotatelogs')])
def test_what_is_no_program_of_the_unit_is_not_waited_for(tmp_path, cgroup, state, name):
    host = Lingering(tmp_path, 1e9, cgroup, state, name)
    assert units(host).stopped_during(3600.0, lambda: host.at) < 2.0


@pytest.mark.parametrize('offset, active, log', [
    (59.9, 'active', ['set']),
    (-59.9, 'active', ['set']),
    (-60.0, 'active', ['systemd-run', 'stop aem.service', 'set', 'start aem.service', 'stop ' + GUARD]),
    (60.0, 'activating', ['systemd-run', 'stop aem.service', 'set', 'start aem.service', 'stop ' + GUARD]),
    (9e9, 'inactive', ['set']),
    (9e9, 'failed', ['set']),
])
def test_only_what_runs_and_only_for_a_large_step(tmp_path, offset, active, log):
    host = FakeHost(tmp_path, aem_service=active)
    units(host).stopped_during(offset, lambda: host.ran.append('set'))
    assert host.ran == log


@pytest.mark.parametrize('offset, said', [(60.0, 'aem.service did not run, so nothing was stopped'), (59.9, '')])
def test_a_named_unit_that_does_not_run_is_told(tmp_path, offset, said):
    guard = units(FakeHost(tmp_path, aem_service='inactive'))
    guard.stopped_during(offset, lambda: None)
    told = guard.recover(False)
    assert told.startswith(said) and bool(told) is bool(said)


@pytest.mark.parametrize('name', ['aem-6.5', 'aem-6.5.service', 'aem@author-6.5'])
def test_a_unit_with_a_dot_in_its_name_is_a_service(name):
    assert ServiceGuard([name], 60.0, 90.0).names == [name.replace('.service', '') + '.service']


@pytest.mark.parametrize('offset, active, named', [
    (60.0, 'active', ['aem.service']), (-60.0, 'active', ['aem.service']), (59.9, 'active', []), (9e9, 'inactive', [])])
def test_what_would_be_stopped_is_named_for_check_mode(tmp_path, offset, active, named):
    host = FakeHost(tmp_path, aem_service=active)
    assert units(host).would_stop(offset) == named
    assert host.ran == []


class Moving(FakeHost):
    """Another process changes the state of aem.service `after` seconds."""

    def __init__(self, tmp_path, first, then, after):
        super().__init__(tmp_path, aem_service=first)
        self.then, self.after = then, after

    def sleep(self, seconds):
        super().sleep(seconds)
        if self.at >= self.after and self.then:
            self.units['aem.service']['ActiveState'], self.then = self.then, ''


@pytest.mark.parametrize('then, log, said', [
    ('inactive', ['set'], 'aem.service did not run, so nothing was stopped'),
    ('active', ['systemd-run', 'stop aem.service', 'set', 'start aem.service', 'stop ' + GUARD], 'was stopped for 1.0 s'),
])
def test_a_unit_that_others_stop_is_waited_for_and_only_a_restart_starts_it_again(tmp_path, then, log, said):
    """AEM writes to its repository until it has ended."""
    host = Moving(tmp_path, 'deactivating', then, 100.0)
    made = units(host)
    assert 'would be waited for' in made.predict(60.0)
    made.stopped_during(60.0, lambda: host.ran.append('set'))
    assert host.ran == log and host.at >= 100.0
    told = made.recover(False)
    assert told.startswith('Another process was stopping aem.service, which this run waited for. ') and said in told


@pytest.mark.parametrize('offset, refused', [(60.0, True), (59.9, False)])
def test_the_clock_is_not_set_under_a_unit_that_does_not_end(tmp_path, offset, refused):
    host = Moving(tmp_path, 'deactivating', 'inactive', 1e9)
    made = units(host)
    if not refused:
        made.stopped_during(offset, lambda: host.ran.append('set'))
        assert host.ran == ['set']
        return
    with pytest.raises(StopRefused, match='aem.service, which another process stops, still runs 300 s later'):
        made.stopped_during(offset, lambda: host.ran.append('set'))
    assert host.ran == []


def test_a_unit_that_was_started_while_the_clock_was_measured_is_stopped(tmp_path):
    host = FakeHost(tmp_path, aem_service='inactive')
    made = units(host)
    host.units['aem.service']['ActiveState'] = 'activating'
    made.stopped_during(60.0, lambda: host.ran.append('set'))
    assert host.ran == ['systemd-run', 'stop aem.service', 'set', 'start aem.service', 'stop ' + GUARD]


@pytest.mark.parametrize('names', [('aem', 'aem.service'), ('aem', 'cq')])
def test_a_unit_with_two_names_is_stopped_once(tmp_path, names):
    host = FakeHost(tmp_path, aem_service='active', cq_service={'ActiveState': 'active', 'Id': 'aem.service'})
    made = units(host, *names)
    made.stopped_during(60.0, lambda: None)
    assert (made.running, made.stopped['units']) == (['aem.service'], ['aem.service'])


@pytest.mark.parametrize('known', [('RequiredBy', 'BoundBy', 'ConsistsOf'), systemd.STOPPED_ALONG])
def test_all_that_systemd_stops_along_is_started_along(tmp_path, known):
    """systemctl of RHEL 7 ends with 1 after the first unit without one of the properties."""
    host = FakeHost(tmp_path, aem_service={'ActiveState': 'active', known[-1]: 'web.service'}, web_service='active',
                    cq_service='active')
    original = host.execute

    def execute(command, timeout=30.0, environment=None):
        if 'show' not in command:
            return original(command, timeout)
        asked = command[command.index('--property') + 1].split(',')
        if '--' not in command:
            return Done(1, ''.join(f'{key}=\n' for key in asked if key in known), '')
        done = original(command, timeout)
        lines = [line for line in done.out.split('\n') if not line or line.partition('=')[0] in asked]
        unknown = set(asked) & set(systemd.STOPPED_ALONG) - set(known)
        return Done(0, '\n'.join(lines), '') if not unknown else Done(1, '\n'.join(lines).partition('\n\n')[0], '')
    host.execute = execute
    units(host, 'aem', 'cq').stopped_during(100.0, lambda: None)
    assert 'start aem.service cq.service web.service' in host.ran


def test_what_systemd_stops_along_is_started_along_but_no_target(tmp_path):
    host = FakeHost(
        tmp_path, aem_service={'ActiveState': 'active', 'RequiredBy': 'multi-user.target web.service', 'ConsistsOf': 'off.service'},
        web_service={'ActiveState': 'active', 'BoundBy': 'far.service'}, far_service='active', off_service='inactive',
        **{'multi-user_target': 'active'})
    units(host).stopped_during(100.0, lambda: None)
    assert 'stop aem.service web.service far.service' in host.ran
    assert 'start aem.service web.service far.service' in host.ran


@pytest.mark.parametrize('name', ['', '-aem', 'aem*', 'aem.target', 'aem service', '../aem', 'aem.service\n'])
def test_names_that_are_none(tmp_path, name):
    with pytest.raises(BadOption, match='is not the name of a systemd service.*fix_bp_jwt_aem_service'):
        ServiceGuard([name], 60.0, 300.0, FakeHost(tmp_path))


@pytest.mark.parametrize('setting', [{'above': -1.0}, {'above': float('nan')}, {'timeout': float('inf')}])
def test_seconds_that_are_none(tmp_path, setting):
    with pytest.raises(BadOption, match='is not a number of seconds'):
        units(FakeHost(tmp_path, aem_service='active'), **setting)


@pytest.mark.parametrize('unit, said', [
    ({'cq_service': 'active', 'sshd_service': 'active'}, r'has no unit aem.service .*meant: cq.service\. Nothing was changed'),
    ({'sshd_service': 'active'}, 'list-units --all --type=service'),
    ({'aem_service': {'ActiveState': 'active', 'LoadState': 'masked'}}, 'it is masked'),
    ({'aem_service': {'ActiveState': 'active', 'CanStop': 'no'}}, 'refuses to be stopped or started by hand'),
])
def test_units_that_could_not_come_back_are_refused(tmp_path, unit, said):
    host = FakeHost(tmp_path, **unit)
    with pytest.raises(BadOption, match=said):
        units(host)
    assert host.ran == []


def test_without_a_guard_nothing_is_stopped(tmp_path):
    host = FakeHost(tmp_path, aem_service='active')
    host.breaks['systemd-run'] = Done(127, '', 'systemd-run: No such file or directory')
    with pytest.raises(StopRefused, match='the clock not set, because the guard .*No such file'):
        units(host).stopped_during(100.0, lambda: host.ran.append('set'))
    assert host.ran == ['systemd-run']
    assert not host.exists(FOLDER)


@pytest.mark.parametrize('broken', [FAILED, Done(124, '', 'it did not end within 300 s')])
def test_a_stop_that_fails_sets_nothing_and_it_runs_again(tmp_path, broken):
    host = FakeHost(tmp_path, aem_service='active')
    host.breaks['stop'] = [broken]
    made = units(host)
    said = 'was not set, because aem.service could not be stopped within 300 s: '
    with pytest.raises(StopRefused, match=said + broken.complaint):
        made.stopped_during(100.0, lambda: host.ran.append('set'))
    assert host.ran == ['systemd-run', 'stop aem.service', 'start aem.service', 'stop ' + GUARD]
    assert made.recover(False) == 'aem.service runs again.'


def test_a_clock_that_cannot_be_set_does_not_keep_it_stopped(tmp_path):
    host = FakeHost(tmp_path, aem_service='active')

    def refuse():
        raise CannotSetClock('no')
    with pytest.raises(CannotSetClock):
        units(host).stopped_during(100.0, refuse)
    assert host.ran[-2:] == ['start aem.service', 'stop ' + GUARD]
    assert not host.exists(FOLDER)


def test_a_start_that_fails_is_tried_again_then_named_and_left_to_the_next_run(tmp_path):
    host = FakeHost(tmp_path, aem_service='active')
    host.breaks['start'] = [FAILED] * 3
    made = units(host)
    with pytest.raises(StopRefused) as caught:
        made.stopped_during(100.0, lambda: None)
    assert made.recover(False) == ''
    for words in ('The clock was set. aem.service could not be started again in 3 attempts (Job for aem.service failed) and is '
                  'inactive', 'systemctl start aem.service', 'Main process exited'):
        assert words in str(caught.value)
    assert (made.stopped['units'], made.stopped['not_started']) == (['aem.service'], ['aem.service'])
    assert host.ran[-4:] == ['start aem.service'] * 3 + ['stop ' + GUARD]
    assert statedir.interrupted(host.path(statedir.STATE)) == ['service_stop']
    host.ran = []
    later = units(host)
    assert later.recover(True) == 'aem.service, which an interrupted earlier run left stopped, would be started.'
    assert (host.ran, later.changed, later.stopped['units']) == ([], True, ['aem.service']), 'check mode starts nothing'
    later = units(host)
    assert 'stopped: it was started now' in later.recover(False)
    assert (host.ran, later.changed, later.stopped['units']) == (['start aem.service'], True, ['aem.service'])
    assert statedir.interrupted(host.path(statedir.STATE)) == []


def test_a_start_that_succeeds_at_the_second_attempt_is_a_start(tmp_path):
    host = FakeHost(tmp_path, aem_service='active')
    host.breaks['start'] = [FAILED]
    units(host).stopped_during(100.0, lambda: None)
    assert host.ran.count('start aem.service') == 2


def test_a_unit_that_systemd_keeps_starting_in_vain_is_not_started(tmp_path):
    host = FakeHost(tmp_path, aem_service='active')
    host.breaks['start'] = [FAILED] * 3
    original = host.execute

    def execute(command, timeout=30.0, environment=None):
        done = original(command, timeout)
        if 'start' in command:
            host.units['aem.service'].update(ActiveState='activating', SubState='start-pre')
        return done
    host.execute = execute
    made = units(host)
    with pytest.raises(StopRefused, match='could not be started again in 3 attempts'):
        made.stopped_during(100.0, lambda: None)
    assert made.stopped['not_started'] == ['aem.service']


def cut_off(host, units_left=('aem.service',), started=False, boot=''):
    """As a run that was killed leaves the host."""
    log = UndoLog(host, FOLDER)
    log.how['boot'] = boot
    log.begin([Entry('service_stop', name, {'active': True}, {'active': False}) for name in units_left])
    if started:
        with open(host.path(FOLDER + '/started'), 'w', encoding='utf-8'):
            pass


@pytest.mark.parametrize('active, started, said, log', [
    ('inactive', False, 'stopped: it was started now', ['start aem.service']),
    ('failed', False, 'stopped: it was started now', ['start aem.service']),
    ('active', False, 'while it was stopping aem.service, which runs', []),
    ('active', True, 'the guard service has already started it again', []),
    # Another administrator has stopped it since the guard started it: that is respected.
    ('inactive', True, 'the guard service has already started it again', []),
])
def test_the_next_run_finishes_what_was_cut_off(tmp_path, active, started, said, log):
    host = FakeHost(tmp_path, aem_service=active)
    cut_off(host, started=started)
    assert said in units(host).recover(False)
    assert host.ran == log
    assert not host.exists(FOLDER)


@pytest.mark.parametrize('unit, started', [
    ({'LoadState': 'masked'}, False),
    ({'LoadState': 'not-found'}, False),
    ({'ActiveEnterTimestampMonotonic': '77'}, False),       # it ran after the boot, so others have stopped it
    ({'ActiveEnterTimestampMonotonic': '0'}, True)])
def test_after_a_boot_only_what_the_run_left_stopped_is_started(tmp_path, unit, started):
    host = FakeHost(tmp_path, aem_service=dict(unit, ActiveState='inactive'), other_service='active')
    cut_off(host, boot='the boot before')
    said = units(host, 'other').recover(False)
    assert host.ran == ['start aem.service'] * started
    assert ('was started now' if started else 'which was masked, stopped or removed since, and was not started') in said
    assert not host.exists(FOLDER)


def test_what_ran_before_in_the_same_boot_is_started(tmp_path):
    host = FakeHost(tmp_path, aem_service={'ActiveState': 'inactive', 'ActiveEnterTimestampMonotonic': '77'})
    cut_off(host)
    assert 'was started now' in units(host).recover(False)


@pytest.mark.parametrize('fault', ['guard', 'disk'])
def test_what_an_earlier_run_left_is_started_even_if_this_one_cannot_stop_anything(tmp_path, fault):
    def write(*_arguments, **_more):
        raise OSError(28, 'No space left on device')

    host = FakeHost(tmp_path, aem_service='inactive', other_service='active')
    cut_off(host)
    made = units(host, 'other')
    if fault == 'guard':
        host.breaks['systemd-run'] = Done(1, '', 'no')
    else:
        host.write = write
    with pytest.raises(StopRefused):
        made.stopped_during(100.0, lambda: None)
    assert 'stopped: it was started now' in made.recover(False)
    assert host.units['aem.service']['ActiveState'] == host.units['other.service']['ActiveState'] == 'active'
    assert not host.exists(FOLDER)


@pytest.mark.parametrize('offset, refused', [(60.0, True), (59.9, False)])
def test_the_clock_is_not_set_while_the_guard_of_a_killed_run_starts_the_unit(tmp_path, offset, refused):
    """The guard no longer holds the lock, and its systemctl start has not begun yet."""
    host = FakeHost(tmp_path, aem_service='inactive')
    host.units[GUARD] = {'ActiveState': 'active'}
    cut_off(host)
    made = units(host)
    if refused:
        with pytest.raises(StopRefused, match=GUARD + ' is about to start aem.service'):
            made.stopped_during(offset, lambda: host.ran.append('set'))
    else:
        made.stopped_during(offset, lambda: host.ran.append('set'))
    assert ('set' in host.ran) is not refused
    assert 'it was started now' in made.recover(False)


def test_what_the_guard_of_a_killed_run_has_started_meanwhile_is_stopped(tmp_path):
    host = FakeHost(tmp_path, aem_service='inactive', other_service='inactive')
    cut_off(host)
    made = units(host, 'other')
    assert made.left == ['aem.service']
    host.units['aem.service']['ActiveState'] = 'active'
    made.stopped_during(60.0, lambda: host.ran.append('set'))
    assert host.ran == ['systemd-run', 'stop aem.service', 'set', 'start aem.service', 'stop ' + GUARD]


def test_what_was_left_is_started_after_the_next_step_of_the_clock_and_not_before(tmp_path):
    host = FakeHost(tmp_path, aem_service='inactive', other_service='active')
    cut_off(host)
    made = units(host, 'other')
    made.stopped_during(100.0, lambda: host.ran.append('set'))
    assert host.ran == ['systemd-run', 'stop other.service', 'set', 'start other.service aem.service', 'stop ' + GUARD]
    assert 'stopped: it was started now' in made.recover(False)


def test_a_folder_that_no_act_has_come_to_is_cleared(tmp_path):
    host = FakeHost(tmp_path, aem_service='active')
    os.makedirs(host.path(FOLDER))
    assert units(host).recover(False) == ''
    assert not host.exists(FOLDER)


def test_a_log_that_cannot_be_read_changes_nothing(tmp_path):
    host = FakeHost(tmp_path, aem_service='active')
    os.makedirs(host.path(FOLDER))
    with open(host.path(FOLDER + '/undo.json'), 'w', encoding='utf-8') as stream:
        stream.write('{"uni')
    with pytest.raises(StopRefused, match='cannot be read.*Nothing was changed'):
        units(host)


@pytest.fixture
def listening():
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    stop = StopRequest()
    stop.listen()
    yield stop
    for number, handler in zip(numbers, before):
        signal.signal(number, handler)


@pytest.mark.parametrize('first, second', [(signal.SIGTERM, None), (signal.SIGHUP, signal.SIGINT), (signal.SIGINT, signal.SIGTERM)])
def test_a_signal_between_stop_and_start_is_honoured_after_the_start(tmp_path, listening, first, second):
    """It was swallowed: the run went on to install packages though it was cancelled."""
    host = FakeHost(tmp_path, aem_service='active')
    made = units(host, stop=listening)

    def act():
        for number in (first, second):
            if number:
                os.kill(os.getpid(), number)
        host.ran.append('set')
    with pytest.raises(Interrupted, match=signal.Signals(first).name):
        made.stopped_during(100.0, act)
    assert host.ran == ['systemd-run', 'stop aem.service', 'set', 'start aem.service', 'stop ' + GUARD]
    assert made.recover(False) == 'aem.service was stopped for 1.0 s and runs again.'
    assert not host.exists(FOLDER)
    assert [(entry.act, entry.done, entry.undone) for entry in made.entries] == [
        ('service_stop', True, True), ('clock', True, False)]


def test_a_signal_while_it_is_being_stopped_sets_no_clock(tmp_path, listening):
    host = FakeHost(tmp_path, aem_service='active')
    original = host.execute

    def execute(command, timeout=30.0, environment=None):
        if 'stop' in command and 'aem.service' in command:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(command, timeout, environment)
    host.execute = execute
    made = units(host, stop=listening)
    with pytest.raises(Interrupted):
        made.stopped_during(100.0, lambda: host.ran.append('set'))
    assert host.ran == ['systemd-run', 'stop aem.service', 'start aem.service', 'stop ' + GUARD]
    assert host.units['aem.service']['ActiveState'] == 'active'


def test_a_signal_before_stops_nothing(tmp_path, listening):
    host = FakeHost(tmp_path, aem_service='active')
    os.kill(os.getpid(), signal.SIGTERM)
    for offset in (100.0, 1.0):
        with pytest.raises(Interrupted):
            units(host, stop=listening).stopped_during(offset, lambda: host.ran.append('set'))
    assert host.ran == []
    assert not host.exists(FOLDER)


def test_a_host_without_systemd(tmp_path):
    host = FakeHost(tmp_path)
    host.execute = lambda command, timeout=0, environment=None: Done(1, '', 'System has not been booted with systemd')
    with pytest.raises(StopRefused, match='systemd does not answer.*not been booted.*stop_services empty'):
        units(host)
    ServiceGuard([], 60.0, 300.0, host).inspect()


def test_the_guard_waits_for_the_process_and_no_longer_than_its_limit(tmp_path):
    seen = []
    host = FakeHost(tmp_path, aem_service='active')
    original = host.execute

    def execute(command, timeout=30.0, environment=None):
        seen.extend([command] if command[0] == 'systemd-run' else [])
        return original(command, timeout, environment)
    host.execute = execute
    units(host, timeout=20.0).stopped_during(100.0, lambda: None)
    words = seen[0]
    assert words[words.index('--unit') + 1] == GUARD
    assert words[-4:] == ['80', Lock(host).path, host.path(FOLDER), 'aem.service']


def test_without_flock_nothing_is_stopped(tmp_path):
    host = FakeHost(tmp_path, aem_service='active')
    os.remove(host.path('/usr/bin/flock'))
    with pytest.raises(StopRefused, match='flock is not installed .package util-linux'):
        units(host).stopped_during(100.0, lambda: host.ran.append('set'))
    assert host.ran == []


@pytest.mark.parametrize('flock, ran', [
    ('exit 0', 'flock systemctl started'),
    ('exit 1', 'flock systemctl started'),       # it has waited long enough
    ('exit 66', 'flock sleep systemctl started'),       # it could not even open the lock: that is no sign of an end
    (None, 'sleep systemctl started'),
])
def test_the_guards_script(tmp_path, flock, ran):
    """The real one, under a shell, with commands that only say that they were called."""
    commands = tmp_path / 'bin'
    commands.mkdir()
    for name, then in (('flock', flock), ('sleep', 'exit 0'), ('systemctl', 'exit 0'), ('touch', 'exit 0')):
        if then:
            (commands / name).write_text('#!/bin/sh\necho {0} "$@" >> {1}\n{2}\n'.format(name, tmp_path / 'ran', then))
            (commands / name).chmod(0o755)
    subprocess.call(['/bin/sh', '-c', service_guard._SCRIPT, 'sh', '80', '/run/lock', '/folder', 'aem.service', 'web.service'],
                    env={'PATH': str(commands)})
    lines = (tmp_path / 'ran').read_text().splitlines()
    assert [line.split()[0] for line in lines] == ran.replace('started', 'touch').split()
    assert 'systemctl start -- aem.service web.service' in lines
    assert lines[-1] == 'touch /folder/started'
    if flock:
        assert lines[0] == 'flock --wait 80 /run/lock true'
    if 'sleep' in ran:
        assert 'sleep 80' in lines


def test_the_guards_script_waits_for_a_lock_that_is_held(tmp_path):
    """With the real flock: nothing is started before the process that holds the lock has gone."""
    commands = tmp_path / 'bin'
    commands.mkdir()
    (commands / 'systemctl').write_text('#!/bin/sh\nls {0} > {1}\n'.format(tmp_path / 'gone', tmp_path / 'ran'))
    (commands / 'systemctl').chmod(0o755)
    host = FakeHost(tmp_path / 'host')
    lock = Lock(host)
    lock.take()
    guard = subprocess.Popen(['/bin/sh', '-c', service_guard._SCRIPT, 'sh', '300', lock.path, str(tmp_path), 'aem.service'],
                             env={'PATH': '{0}:{1}'.format(commands, os.environ['PATH'])})
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            guard.wait(0.3)
        (tmp_path / 'gone').write_text('')
        lock.release()
        guard.wait(60)
    finally:
        guard.kill()
    assert (tmp_path / 'ran').read_text().strip() == str(tmp_path / 'gone')
