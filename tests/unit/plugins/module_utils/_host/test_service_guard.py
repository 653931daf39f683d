# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stopping units while the clock jumps: in which order, what is refused, what is put back. On a host made of a dictionary."""

import os
import signal

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import BadOption, CannotSetClock
from ansible_collections.aemops.brand_portal.plugins.module_utils._host import service_guard, statedir
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.service_guard import (
    GUARD,
    Done,
    Refused,
    ServiceGuard,
    System,
)


class FakeHost(System):
    """systemd as {unit: its properties}; what cannot be done is in `breaks`, what was done in `log`."""

    def __init__(self, tmp_path, **units):
        self.folder = str(tmp_path / 'state' / 'service_stop')
        self.units = {name.replace('_', '.'): dict(active) if isinstance(active, dict) else {'ActiveState': active}
                      for name, active in units.items()}
        self.breaks, self.log, self.at = {}, [], 0.0

    def now(self):
        return self.at

    def sleep(self, seconds):
        self.at += seconds

    def journal(self):
        return statedir.read(os.path.join(self.folder, 'journal.json'))

    def run(self, command, timeout=30.0):
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
        self.log.append(' '.join([verb] + (names if verb != 'systemd-run' else [])))
        if verb in self.breaks:
            broken = self.breaks[verb]
            if isinstance(broken, list):
                broken = broken.pop(0) if broken else None
            if broken:
                return broken
        if verb == 'systemd-run':
            assert self.journal()['units'], 'the guard is armed once the journal is written'
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
    made = ServiceGuard(list(names) or ['aem'], settings.get('above', 60.0), settings.get('timeout', 300.0), host)
    made.inspect()
    return made


FAILED = Done(1, '', 'Job for aem.service failed')


def test_stopped_set_started(tmp_path):
    host = FakeHost(tmp_path, aem_service='active')
    made = units(host)
    assert made.stopped_during(3600.0, lambda: host.log.append('set') or 'answer') == 'answer'
    assert host.log == ['systemd-run', 'stop aem.service', 'set', 'start aem.service', 'stop ' + GUARD]
    assert made.recover(False) == 'aem.service was stopped for 1.0 s meanwhile and runs again.'
    assert made.stopped == {'units': ['aem.service'], 'seconds': 1.0}
    assert not os.path.exists(os.path.dirname(host.folder)), 'nothing is left'


@pytest.mark.parametrize('offset, active, log', [
    (59.9, 'active', ['set']),
    (-59.9, 'active', ['set']),
    (-60.0, 'active', ['systemd-run', 'stop aem.service', 'set', 'start aem.service', 'stop ' + GUARD]),
    (60.0, 'activating', ['systemd-run', 'stop aem.service', 'set', 'start aem.service', 'stop ' + GUARD]),
    (9e9, 'inactive', ['set']),
    (9e9, 'failed', ['set']),
    (9e9, 'deactivating', ['set']),
])
def test_only_what_runs_and_only_for_a_large_step(tmp_path, offset, active, log):
    host = FakeHost(tmp_path, aem_service=active)
    units(host).stopped_during(offset, lambda: host.log.append('set'))
    assert host.log == log


def test_what_systemd_stops_along_is_started_along_but_no_target(tmp_path):
    host = FakeHost(
        tmp_path, aem_service={'ActiveState': 'active', 'RequiredBy': 'multi-user.target web.service', 'ConsistsOf': 'off.service'},
        web_service={'ActiveState': 'active', 'BoundBy': 'far.service'}, far_service='active', off_service='inactive',
        **{'multi-user_target': 'active'})
    units(host).stopped_during(100.0, lambda: None)
    assert 'stop aem.service web.service far.service' in host.log
    assert 'start aem.service web.service far.service' in host.log


@pytest.mark.parametrize('name', ['', '-aem', 'aem*', 'aem.target', 'aem service', '../aem', 'aem.service\n'])
def test_names_that_are_none(tmp_path, name):
    with pytest.raises(BadOption, match='is not the name of a systemd service.*fix_bp_jwt_aem_service'):
        ServiceGuard([name], 60.0, 300.0, FakeHost(tmp_path))


@pytest.mark.parametrize('setting', [{'above': -1.0}, {'above': float('nan')}, {'timeout': float('inf')}])
def test_seconds_that_are_none(tmp_path, setting):
    with pytest.raises(BadOption, match='is not a number of seconds'):
        units(FakeHost(tmp_path, aem_service='active'), **setting)


@pytest.mark.parametrize('unit, said', [
    ({'cq_service': 'active', 'sshd_service': 'active'}, r'knows no unit aem.service .*meant: cq.service\. Nothing was changed'),
    ({'sshd_service': 'active'}, 'list-units --all --type=service'),
    ({'aem_service': {'ActiveState': 'active', 'LoadState': 'masked'}}, 'it is masked'),
    ({'aem_service': {'ActiveState': 'active', 'CanStop': 'no'}}, 'refuses to be stopped or started by hand'),
])
def test_units_that_could_not_come_back_are_refused(tmp_path, unit, said):
    host = FakeHost(tmp_path, **unit)
    with pytest.raises(BadOption, match=said):
        units(host)
    assert host.log == []


def test_without_a_guard_nothing_is_stopped(tmp_path):
    host = FakeHost(tmp_path, aem_service='active')
    host.breaks['systemd-run'] = Done(127, '', 'systemd-run: No such file or directory')
    with pytest.raises(Refused, match='the clock not set, because the guard .*No such file'):
        units(host).stopped_during(100.0, lambda: host.log.append('set'))
    assert host.log == ['systemd-run']
    assert not os.path.exists(host.folder)


@pytest.mark.parametrize('broken', [FAILED, Done(124, '', 'it did not end within 300 s')])
def test_a_stop_that_fails_sets_nothing_and_it_runs_again(tmp_path, broken):
    host = FakeHost(tmp_path, aem_service='active')
    host.breaks['stop'] = [broken]
    made = units(host)
    with pytest.raises(Refused, match='was not set, because aem.service could not be stopped within 300 s: ' + broken.said):
        made.stopped_during(100.0, lambda: host.log.append('set'))
    assert host.log == ['systemd-run', 'stop aem.service', 'start aem.service', 'stop ' + GUARD]
    assert made.recover(False) == 'aem.service runs, as before.'


def test_a_clock_that_cannot_be_set_does_not_keep_it_stopped(tmp_path):
    host = FakeHost(tmp_path, aem_service='active')

    def refuse():
        raise CannotSetClock('no')
    with pytest.raises(CannotSetClock):
        units(host).stopped_during(100.0, refuse)
    assert host.log[-2:] == ['start aem.service', 'stop ' + GUARD]
    assert not os.path.exists(host.folder)


def test_a_start_that_fails_is_tried_again_then_named_and_left_to_the_next_run(tmp_path):
    host = FakeHost(tmp_path, aem_service='active')
    host.breaks['start'] = [FAILED] * 3
    made = units(host)
    with pytest.raises(Refused) as caught:
        made.stopped_during(100.0, lambda: None)
    assert made.recover(False) == ''
    for words in ('The clock was set. aem.service could not be started again in 3 attempts (Job for aem.service failed) and is '
                  'inactive', 'systemctl start aem.service', 'Main process exited'):
        assert words in str(caught.value)
    assert host.log[-4:] == ['start aem.service'] * 3 + ['stop ' + GUARD]
    assert statedir.interrupted(os.path.dirname(host.folder)) == ['service_stop']
    host.log = []
    later = units(host)
    assert later.recover(True) == '', 'check mode starts nothing'
    assert 'would be started' in later.predict(0.0)
    assert host.log == []
    assert 'left it so: it was started now' in later.recover(False)
    assert (host.log, later.changed, later.stopped['units']) == (['start aem.service'], True, ['aem.service'])
    assert statedir.interrupted(os.path.dirname(host.folder)) == []


def test_a_start_that_succeeds_at_the_second_attempt_is_a_start(tmp_path):
    host = FakeHost(tmp_path, aem_service='active')
    host.breaks['start'] = [FAILED]
    units(host).stopped_during(100.0, lambda: None)
    assert host.log.count('start aem.service') == 2


def test_a_unit_that_systemd_keeps_starting_in_vain_is_not_started(tmp_path):
    host = FakeHost(tmp_path, aem_service='active')
    host.breaks['start'] = [FAILED] * 3
    original = host.run

    def run(command, timeout=30.0):
        done = original(command, timeout)
        if 'start' in command:
            host.units['aem.service'].update(ActiveState='activating', SubState='start-pre')
        return done
    host.run = run
    with pytest.raises(Refused, match='could not be started again in 3 attempts'):
        units(host).stopped_during(100.0, lambda: None)


def cut_off(host, units_left=('aem.service',), started=False):
    """As a run that was killed leaves the host."""
    statedir.write(os.path.join(host.folder, 'journal.json'), {'units': list(units_left), 'pid': 1})
    if started:
        with open(os.path.join(host.folder, 'started'), 'w', encoding='utf-8'):
            pass


@pytest.mark.parametrize('active, started, said, log', [
    ('inactive', False, 'left it so: it was started now', ['start aem.service']),
    ('failed', False, 'left it so: it was started now', ['start aem.service']),
    ('active', False, 'it was to stop aem.service, which runs', []),
    ('active', True, 'the guard that it had left on this host has started it again', []),
    # Somebody has stopped it since the guard started it: that is respected.
    ('inactive', True, 'the guard that it had left on this host has started it again', []),
])
def test_the_next_run_finishes_what_was_cut_off(tmp_path, active, started, said, log):
    host = FakeHost(tmp_path, aem_service=active)
    cut_off(host, started=started)
    assert said in units(host).recover(False)
    assert host.log == log
    assert not os.path.exists(host.folder)


def test_what_was_left_is_started_after_the_next_step_of_the_clock_and_not_before(tmp_path):
    host = FakeHost(tmp_path, aem_service='inactive', other_service='active')
    cut_off(host)
    made = units(host, 'other')
    made.stopped_during(100.0, lambda: host.log.append('set'))
    assert host.log == ['systemd-run', 'stop other.service', 'set', 'start other.service aem.service', 'stop ' + GUARD]
    assert 'left it so: it was started now' in made.recover(False)


def test_a_journal_that_was_never_finished_writing_is_cleared(tmp_path):
    host = FakeHost(tmp_path, aem_service='active')
    os.makedirs(host.folder)
    with open(os.path.join(host.folder, 'journal.json'), 'w', encoding='utf-8') as stream:
        stream.write('{"uni')
    assert units(host).recover(False) == ''
    assert not os.path.exists(host.folder)


def test_two_runs_at_once(tmp_path):
    host = FakeHost(tmp_path, aem_service='active')

    def second():
        with pytest.raises(Refused, match='Another run'):
            units(host)
        assert host.journal()['units'] == ['aem.service'], "the first one's journal is still there"
    units(host).stopped_during(100.0, second)


def test_a_signal_between_stop_and_start_is_put_off(tmp_path):
    host = FakeHost(tmp_path, aem_service='active')
    made = units(host)
    made.stopped_during(100.0, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert 'The signal SIGTERM came meanwhile and was put off' in made.recover(False)
    assert host.log[-2] == 'start aem.service'


def test_a_host_without_systemd(tmp_path):
    host = FakeHost(tmp_path)
    host.run = lambda command, timeout=0: Done(1, '', 'System has not been booted with systemd')
    with pytest.raises(Refused, match='systemd does not answer.*not been booted.*stop_services empty'):
        units(host)
    ServiceGuard([], 60.0, 300.0, host).inspect()


def test_the_guard_waits_for_the_process_and_no_longer_than_its_bound(tmp_path):
    seen = []
    host = FakeHost(tmp_path, aem_service='active')
    original = host.run

    def run(command, timeout=30.0):
        seen.extend([command] if command[0] == 'systemd-run' else [])
        return original(command, timeout)
    host.run = run
    units(host, timeout=20.0).stopped_during(100.0, lambda: None)
    words = seen[0]
    assert words[words.index('--unit') + 1] == GUARD
    assert words[-3:] == ['80', host.folder, 'aem.service']
    assert service_guard.FOLDER == '/var/lib/aemops-brand-portal/service_stop'
