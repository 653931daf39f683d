# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of acts: on the disk before each, undone only while it is ours, one run at a time."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.stop_request import Interrupted, StopRequest
from ansible_collections.aemops.brand_portal.plugins.module_utils._host import acts, systemd, undo_log
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.statedir import STATE, interrupted
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.undo_log import (
    Busy,
    Entry,
    Handler,
    Lock,
    LogUnreadable,
    UndoLog,
)
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._host.hosts import FakeHost

FOLDER = STATE + '/time_service'
CONF = '/etc/chrony.conf'


class PowerCut(BaseException):
    """Nothing of the program runs any more."""


def log_of(host, stop=None):
    return UndoLog(host, FOLDER, stop)


def handlers(host):
    return {'file': acts.FileHandler(host), 'unit': acts.UnitHandler(host)}


def last_run(host):
    return json.loads(host.text(undo_log.LAST_RUN))


# The order of things


def test_an_act_is_on_the_disk_before_it_is_done_and_told_to_the_journal(tmp_path):
    host = FakeHost(tmp_path)
    log = log_of(host)
    seen = []

    def act():
        stored = json.loads(host.text(log.file))
        seen.append((stored['entries'][-1]['target'], stored['entries'][-1]['done'], list(host.logged)))
    log.perform(Entry('clock', 'clock', {}, {}, 'set the clock'), act)
    assert seen == [('clock', False, ['set the clock'])]
    assert json.loads(host.text(log.file))['entries'][-1]['done']
    assert interrupted(host.path(STATE)) == ['time_service']
    assert os.stat(host.path(log.file)).st_mode & 0o777 == 0o600


def test_what_cannot_be_written_down_is_not_done(tmp_path):
    host = FakeHost(tmp_path)
    log, done = log_of(host), []

    def full(*_arguments, **_more):
        raise OSError(28, 'No space left on device')
    host.write = full
    with pytest.raises(OSError):
        log.perform(Entry('clock', 'clock', {}, {}), lambda: done.append(1))
    assert (done, log.entries) == ([], [])


def test_a_signal_is_looked_at_between_two_acts_and_never_while_they_are_undone(tmp_path):
    host, stop = FakeHost(tmp_path, files={CONF: 'old\n'}), StopRequest()
    log = log_of(host, stop)
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)]
    stop.listen()
    try:
        acts.write_file(log, CONF, 'new\n', 'write', expected='old\n')
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted, match='SIGTERM was received'):
            acts.write_file(log, CONF, 'newer\n', 'write', expected='new\n')
        write = host.write

        def signalled(*arguments, **more):
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                os.kill(os.getpid(), number)
            return write(*arguments, **more)
        host.write = signalled
        assert log.undo(handlers(host)) == []
    finally:
        for number, handler in zip((signal.SIGTERM, signal.SIGHUP, signal.SIGINT), before):
            signal.signal(number, handler)
    assert host.text(CONF) == 'old\n'
    assert not undo_log.changed(log.entries)
    assert stop.name == 'SIGTERM', 'the first one is named'


# Undo


@pytest.mark.parametrize('before', ['old\n', None])
@pytest.mark.parametrize('after', ['new\n', None])
def test_a_file_is_put_back_with_all_that_belongs_to_it(tmp_path, before, after):
    host = FakeHost(tmp_path)
    path = '/etc/chrony/sources.d/ours' if before is None else CONF
    if before:
        host.put(path, before)
        os.chmod(host.path(path), 0o604)
    tree, log = host.tree(), log_of(host)
    acts.write_file(log, path, after, 'write', expected=before)
    assert host.text(path) == after
    assert log.undo(handlers(host)) == []
    log.close()
    assert {path: text for path, text in host.tree().items() if not path.startswith(STATE)} == tree
    if before:
        assert os.stat(host.path(path)).st_mode & 0o777 == 0o604
    assert [act['undone'] for act in last_run(host)['acts']] == [True]


@pytest.mark.parametrize('edit', ['new\nallow 10.0.0.0/8\n', 'old\n# hand\n', '', None])
def test_a_file_that_somebody_else_has_changed_since_is_left_and_named(tmp_path, edit):
    host = FakeHost(tmp_path, files={CONF: 'old\n', '/etc/other': 'old\n'})
    log = log_of(host)
    acts.write_file(log, '/etc/other', 'new\n', 'write the other', expected='old\n')
    acts.write_file(log, CONF, 'new\n', 'write it', expected='old\n')
    if edit is None:
        host.remove(CONF)
    else:
        host.put(CONF, edit)
    problems = log.undo(handlers(host))
    assert host.text(CONF) == edit
    assert host.text('/etc/other') == 'old\n', 'the others are undone all the same'
    place = f'{STATE}/{log.begun}-1-chrony.conf'
    assert problems == ['/etc/chrony.conf was changed by another administrator afterwards and was left as it is now '
                        f'(its previous content is in {place})']
    assert undo_log.changed(log.entries)
    log.close()
    assert host.text(place) == 'old\n'
    assert not host.exists(FOLDER)


@pytest.mark.parametrize('kept', [True, False])
def test_the_only_copy_of_a_file_that_cannot_be_restored_is_kept(tmp_path, kept):
    """Two acts on it: the first copy is the one to restore by hand. Without a place for it, the log stays."""
    host = FakeHost(tmp_path, files={CONF: 'old\n'})
    os.chmod(host.path(CONF), 0o604)
    log, write, copy = log_of(host), host.write, host.copy
    acts.write_file(log, CONF, 'new\n', 'write', expected='old\n')
    acts.write_file(log, CONF, 'newer\n', 'write', expected='new\n')

    def immutable(path, *rest, **more):
        if path == CONF:
            raise PermissionError(errno.EPERM, 'Operation not permitted')
        write(path, *rest, **more)

    def full(*_arguments):
        raise OSError(errno.ENOSPC, 'No space left on device')
    host.write, host.copy = immutable, copy if kept else full
    problem, = log.undo(handlers(host))
    place = f'{STATE}/{log.begun}-0-chrony.conf'
    assert problem == f'{CONF} could not be restored: [Errno 1] Operation not permitted (its previous content is in {place})'
    if kept:
        log.close()
        assert (host.text(place), os.stat(host.path(place)).st_mode & 0o777) == ('old\n', 0o604)
        assert not host.exists(FOLDER)
        return
    with pytest.raises(OSError, match='No space left'):
        log.close()
    host.write = write
    later = log_of(host)
    assert later.read()
    assert later.undo(handlers(host)) == []
    assert host.text(CONF) == 'old\n'


def test_an_edit_between_the_look_and_the_act_is_not_overwritten(tmp_path):
    host = FakeHost(tmp_path, files={CONF: 'old\nedited\n'})
    with pytest.raises(OSError, match='was changed by another administrator a moment ago'):
        acts.write_file(log_of(host), CONF, 'new\n', 'write', expected='old\n')
    assert host.text(CONF) == 'old\nedited\n'


def test_an_edit_between_the_log_and_the_act_is_no_change_of_ours(tmp_path):
    host = FakeHost(tmp_path, files={CONF: 'old\n'})
    log, write = log_of(host), host.write

    def edited(path, text, *rest, **more):
        write(path, text, *rest, **more)
        if CONF in text:
            host.put(CONF, 'theirs\n')
    host.write = edited
    with pytest.raises(OSError, match='was changed by another administrator a moment ago'):
        acts.write_file(log, CONF, 'new\n', 'write', expected='old\n')
    host.write = write
    assert (log.undo(handlers(host)), undo_log.changed(log.entries), host.text(CONF)) == ([], False, 'theirs\n')


def test_a_foreign_file_in_a_folder_of_ours_keeps_the_folder(tmp_path):
    host, log = FakeHost(tmp_path), None
    log = log_of(host)
    acts.write_file(log, '/etc/chrony/conf.d/ours', 'x\n', 'write')
    host.put('/etc/chrony/conf.d/theirs', 'y\n')
    assert log.undo(handlers(host)) == []
    assert host.text('/etc/chrony/conf.d/theirs') == 'y\n'


def test_two_acts_on_one_file_are_undone_one_after_the_other_and_named_once(tmp_path):
    host = FakeHost(tmp_path, files={CONF: '1'})
    log = log_of(host)
    acts.write_file(log, CONF, '2', 'a', expected='1')
    acts.write_file(log, CONF, '3', 'b', expected='2')
    host.put(CONF, 'theirs')
    assert len(log.undo(handlers(host))) == 1
    host.put(CONF, '3')
    for entry in log.entries:
        entry.left = ''
    assert log.undo(handlers(host)) == []
    assert host.text(CONF) == '1'


def test_a_damaged_copy_is_not_put_back(tmp_path):
    host = FakeHost(tmp_path, files={CONF: 'old\n'})
    log = log_of(host)
    acts.write_file(log, CONF, 'new\n', 'write', expected='old\n')
    host.put(log.entries[0].how['kept'], 'damaged')
    assert 'copy' in log.undo(handlers(host))[0]
    assert host.text(CONF) == 'new\n'


@pytest.mark.parametrize('before, after, half, undoing', [
    ('old text\n', 'new text\n', 'new te\0t\n', False), ('old\n', 'old\nand more\n', 'old\nand', False),
    ('old\n', 'new\nand more\n', 'old\nand more\n', True), ('old\nand more\n', 'new\n', 'old\n\0\0\0 m', True)])
def test_a_rewriting_in_place_that_was_cut_off_is_undone(tmp_path, before, after, half, undoing):
    host = FakeHost(tmp_path, files={CONF: before})
    log = log_of(host)

    def cut(path, text, *rest, **more):
        if path == CONF and text == (before if undoing else after):
            host.put(CONF, half)
            raise PowerCut
        return write(path, text, *rest, **more)
    write, host.write = host.write, cut
    with pytest.raises(PowerCut):
        acts.write_file(log, CONF, after, 'write', expected=before)
        log.undo(handlers(host))
    host.write = write
    later = log_of(host)
    assert later.read()
    assert later.undo(handlers(host)) == []
    assert host.text(CONF) == before


def test_what_a_cut_leaves_beside_the_file_goes(tmp_path):
    host = FakeHost(tmp_path, files={CONF: 'old\n'})
    log = log_of(host)
    acts.write_file(log, CONF, 'new\n', 'write', expected='old\n')
    host.put('/etc/.chrony.conf.aemops-new', 'half')
    assert log.undo(handlers(host)) == []
    assert not host.exists('/etc/.chrony.conf.aemops-new')


class Broken(Handler):
    def now(self, entry):
        raise RuntimeError('boom')


def test_one_trouble_does_not_keep_the_others_from_being_undone(tmp_path):
    host = FakeHost(tmp_path, files={CONF: 'old\n'})
    log = log_of(host)
    acts.write_file(log, CONF, 'new\n', 'write', expected='old\n')
    log.perform(Entry('broken', 'thing', {}, {}), lambda: None)
    assert log.undo(dict(handlers(host), broken=Broken())) == ['thing could not be restored: boom']
    assert host.text(CONF) == 'old\n'


def test_a_full_disk_does_not_stop_the_way_back(tmp_path):
    host = FakeHost(tmp_path, files={CONF: 'old\n'})
    log = log_of(host)
    acts.write_file(log, '/etc/ours', 'new\n', 'write')
    write = host.write

    def full(path, *rest, **more):
        if path.startswith(STATE):
            raise OSError(28, 'No space left on device')
        return write(path, *rest, **more)
    host.write = full
    assert log.undo(handlers(host)) == []
    log.close(msg='x')
    assert not host.exists('/etc/ours')
    assert not host.exists(STATE), 'nothing is left to be called unfinished'


def test_systemd_reads_a_drop_in_that_was_restored(tmp_path):
    host = FakeHost(tmp_path)
    path = '/etc/systemd/system/aem.service.d/aemops-brand-portal.conf'
    host.put(path, 'of an earlier run')
    log = log_of(host)
    acts.write_file(log, path, 'of this run', '', expected='of an earlier run')
    assert log.undo(handlers(host)) == []
    assert (host.text(path), host.commands) == ('of an earlier run', ['systemctl daemon-reload'])


def test_a_key_file_that_cannot_be_restored_is_named_without_its_hash(tmp_path):
    host = FakeHost(tmp_path)
    log = log_of(host)
    acts.write_file(log, '/etc/chrony.keys', '1 SHA1 secret', '', expected=None, secret=True)
    host.remove = lambda path: None
    assert log.undo(handlers(host)) == ['/etc/chrony.keys could not be restored: its content is not the previous one']


@pytest.mark.parametrize('mounted', [False, True])
def test_a_state_folder_that_others_have_moved_stays_where_it_is(tmp_path, monkeypatch, mounted):
    """To another file system: by a link, or because one is mounted there."""
    host = FakeHost(tmp_path, files={'/srv/state/last-run.json': '{}'})
    real = os.rmdir

    def rmdir(path, **more):
        if path == host.path(STATE):
            raise OSError(errno.EBUSY, 'Device or resource busy')
        real(path, **more)
    if mounted:
        os.rename(host.path('/srv/state'), host.path(STATE))
        monkeypatch.setattr(os, 'rmdir', rmdir)
    else:
        os.symlink(host.path('/srv/state'), host.path(STATE))
    log = log_of(host)
    acts.write_file(log, CONF, 'ours', '', expected=None)
    log.close()
    assert host.exists(undo_log.LAST_RUN)
    assert (os.path.islink(host.path(STATE)), interrupted(host.path(STATE))) == (not mounted, [])


# Units


@pytest.mark.parametrize('before', [
    ['active', 'enabled'], ['inactive', 'disabled'], ['inactive', 'enabled'], ['active', 'disabled']])
def test_a_unit_is_put_back(tmp_path, before):
    host = FakeHost(tmp_path).has('chrony', *before)
    log, units = log_of(host), systemd.Units(host)
    acts.change_unit(log, units, 'chrony.service', {'enabled': False, 'active': False}, 'stop and disable chrony.service',
                     lambda: units.verb('disable', ['chrony.service'], '--now'))
    assert host.units['chrony.service'] == ['inactive', 'disabled']
    assert log.undo(handlers(host)) == []
    assert host.units['chrony.service'] == before


@pytest.mark.parametrize('theirs', [['active', 'disabled'], ['inactive', 'enabled'], ['inactive', 'disabled']])
def test_what_others_do_to_a_unit_a_moment_before_the_act_is_not_undone(tmp_path, theirs):
    host = FakeHost(tmp_path).has('chrony')
    log, units, write = log_of(host), systemd.Units(host), host.write

    def at_once(*arguments, **more):
        write(*arguments, **more)
        host.units['chrony.service'] = list(theirs)
    host.write = at_once
    acts.change_unit(log, units, 'chrony.service', {'enabled': False, 'active': False}, 'stop and disable chrony.service',
                     lambda: units.verb('disable', ['chrony.service'], '--now'))
    host.write = write
    assert undo_log.changed(log.entries) == bool(undo_log.actions(log.entries)) == (theirs != ['inactive', 'disabled'])
    assert log_of(host).read()
    assert log.undo(handlers(host)) == []
    assert host.units['chrony.service'] == theirs


def test_what_others_do_to_a_unit_while_the_last_look_fails_is_not_undone(tmp_path):
    host = FakeHost(tmp_path).has('chrony')
    log, units, write = log_of(host), systemd.Units(host), host.write

    def then(*arguments, **more):
        write(*arguments, **more)
        host.units['chrony.service'] = ['inactive', 'disabled']
        host.failing['systemctl show'] = 'Failed to connect to bus'
    host.write = then
    with pytest.raises(systemd.NoAnswer):
        acts.change_unit(log, units, 'chrony.service', {'enabled': False, 'active': False}, 'stop and disable chrony.service',
                         lambda: units.verb('disable', ['chrony.service'], '--now'))
    host.write = write
    host.failing.clear()
    assert log.undo(handlers(host)) == []
    assert host.units['chrony.service'] == ['inactive', 'disabled']
    assert not undo_log.changed(log.entries)


@pytest.mark.parametrize('failing, left, said', [
    ('stop', ['active', 'masked'], ['systemctl stop: no']), ('disable', ['inactive', 'masked'], ['systemctl disable: no'])])
def test_an_order_that_fails_does_not_keep_the_other_acts_on_a_unit_from_being_undone(tmp_path, failing, left, said):
    host = FakeHost(tmp_path).has('chrony', 'inactive', 'masked')
    log, units = log_of(host), systemd.Units(host)
    for verb, after in (('unmask', {'masked': False}), ('enable', {'enabled': True}), ('start', {'active': True})):
        acts.change_unit(log, units, 'chrony.service', after, verb, lambda verb=verb: units.verb(verb, ['chrony.service']))
    host.failing[f'systemctl {failing}'] = 'no'
    assert log.undo(handlers(host)) == [f'chrony.service could not be restored: {each}' for each in said]
    assert host.units['chrony.service'] == left


def test_a_daemon_that_cannot_be_enabled_again_is_started_again(tmp_path):
    host = FakeHost(tmp_path).has('chrony')
    log, units = log_of(host), systemd.Units(host)
    acts.change_unit(log, units, 'chrony.service', {'enabled': False, 'active': False}, 'stop and disable chrony.service',
                     lambda: units.verb('disable', ['chrony.service'], '--now'))
    host.failing['systemctl enable'] = 'no'
    assert log.undo(handlers(host)) == ['chrony.service could not be restored: systemctl enable: no']
    assert host.units['chrony.service'] == ['active', 'disabled']


def test_a_masked_unit_is_masked_again_and_a_failed_one_is_no_reason_to_leave_it(tmp_path):
    host = FakeHost(tmp_path).has('chrony', 'inactive', 'masked')
    log, units = log_of(host), systemd.Units(host)
    for verb, after in (('unmask', {'masked': False}), ('enable', {'enabled': True}), ('start', {'active': True})):
        acts.change_unit(log, units, 'chrony.service', after, verb, lambda verb=verb: units.verb(verb, ['chrony.service']))
    host.units['chrony.service'][0] = 'failed'
    reset = host._systemctl

    def systemctl(words):
        if words[0] == 'reset-failed' and host.units['chrony.service'][0] == 'failed':
            host.units['chrony.service'][0] = 'inactive'
        return reset(words)
    host._systemctl = systemctl
    assert log.undo(handlers(host)) == []
    assert host.units['chrony.service'] == ['inactive', 'masked']


def test_a_daemon_that_somebody_stops_after_our_restart_stays_stopped(tmp_path):
    host = FakeHost(tmp_path).has('chrony')
    log, units, handler = log_of(host), systemd.Units(host), acts.UnitHandler(host)
    acts.change_unit(log, units, 'chrony.service', {'active': True}, 'restart', lambda: None, again=True)
    assert log.undo({'unit': handler}) == []
    assert handler.restarts == ['chrony.service']
    log.entries[0].undone = False
    host.units['chrony.service'][0] = 'inactive'
    assert 'changed by another administrator' in log.undo({'unit': acts.UnitHandler(host)})[0]


def link(host, path, target):
    os.makedirs(os.path.dirname(host.path(path)), exist_ok=True)
    os.symlink(target, host.path(path))


def test_links_that_systemctl_does_not_make_are_put_back_and_foreign_ones_stay(tmp_path):
    """A unit may be enabled by a link that is not in its [Install] section; disable removes it, enable does not make it."""
    host = FakeHost(tmp_path).has('chrony')
    special, alias = '/etc/systemd/system/special.target.wants/chrony.service', '/etc/systemd/system/ntp.service'
    link(host, special, '/usr/lib/systemd/system/chrony.service')
    link(host, alias, '/usr/lib/systemd/system/chrony.service')
    log, units = log_of(host), systemd.Units(host)

    def disable():
        units.verb('disable', ['chrony.service'], '--now')
        host.remove(special)
        host.remove(alias)
    acts.change_unit(log, units, 'chrony.service', {'enabled': False, 'active': False}, 'disable', disable)
    link(host, alias, '/usr/lib/systemd/system/ntpsec.service')
    link(host, '/etc/systemd/system/theirs.wants/chrony.service', '/usr/lib/systemd/system/chrony.service')
    assert log.undo(handlers(host)) == []
    assert os.readlink(host.path(special)) == '/usr/lib/systemd/system/chrony.service'
    assert os.readlink(host.path(alias)) == '/usr/lib/systemd/system/ntpsec.service', 'that is theirs by now'
    assert os.path.islink(host.path('/etc/systemd/system/theirs.wants/chrony.service'))


def test_what_others_mask_during_a_run_is_not_enabled_when_they_unmask_it(tmp_path):
    host = FakeHost(tmp_path).has('chrony', 'inactive', 'disabled')
    wants = '/etc/systemd/system/multi-user.target.wants/chrony.service'
    log, units = log_of(host), systemd.Units(host)

    def enable():
        units.verb('enable', ['chrony.service'])
        link(host, wants, '/usr/lib/systemd/system/chrony.service')
    acts.change_unit(log, units, 'chrony.service', {'enabled': True}, 'enable', enable)
    host.units['chrony.service'][1] = 'masked'
    link(host, '/etc/systemd/system/chrony.service', '/dev/null')
    assert log.undo(handlers(host)) == []
    assert not os.path.lexists(host.path(wants))
    assert host.units['chrony.service'][1] == 'masked'
    assert os.readlink(host.path('/etc/systemd/system/chrony.service')) == '/dev/null'


def test_systemd_that_does_not_answer_is_no_reason_to_act_on_a_guess(tmp_path):
    host = FakeHost(tmp_path).has('chrony')
    log, units = log_of(host), systemd.Units(host)
    acts.change_unit(log, units, 'chrony.service', {'active': False}, 'stop', lambda: units.verb('stop', ['chrony.service']))
    host.failing['systemctl show'] = 'Failed to connect to bus'
    assert log.undo(handlers(host)) == [
        'chrony.service could not be restored: systemd does not answer on this host (systemctl show chrony.service)']
    assert host.units['chrony.service'][0] == 'inactive'


# Cut off


def test_the_next_run_takes_over_the_acts(tmp_path):
    host = FakeHost(tmp_path, files={CONF: 'old\n'})
    log = log_of(host)
    acts.write_file(log, CONF, 'new\n', 'write', expected='old\n')
    later = log_of(host)
    assert later.read()
    assert [vars(entry) for entry in later.entries] == [vars(entry) for entry in log.entries]
    assert later.undo(handlers(host)) == []
    later.close()
    assert host.text(CONF) == 'old\n'
    assert interrupted(host.path(STATE)) == []


@pytest.mark.parametrize('text', ['', '{"entries": [{}]}', '[]', '{"begun": "x", "entries": 7}', '[' * 100000,
                                  '{"begun": "x", "how": {}, "entries": [{"act": [], "target": "x", "before": {}, "after": {}, '
                                  '"sentence": "", "how": {}, "done": true, "undone": false, "reverted": false, "left": ""}]}'])
def test_a_log_that_cannot_be_read_changes_nothing(tmp_path, text):
    host = FakeHost(tmp_path)
    host.put(FOLDER + '/undo.json', text)
    with pytest.raises(LogUnreadable, match='undo.json cannot be read.*Nothing was changed'):
        log_of(host).read()


def test_a_folder_without_a_log_is_cleared(tmp_path):
    host = FakeHost(tmp_path)
    host.put(FOLDER + '/0-chrony.conf', 'a copy that no act has needed')
    log = log_of(host)
    assert not log.read(), 'nothing was done'
    log.close()
    assert not host.exists(FOLDER)


@pytest.mark.parametrize('log_too', [False, True])
def test_what_another_version_has_recorded_is_neither_removed_nor_ignored(tmp_path, log_too):
    host = FakeHost(tmp_path, files={FOLDER + '/journal.json': '{}'})
    log = log_of(host)
    if log_too:
        acts.write_file(log, CONF, 'ours', '', expected=None)
        log.close()
    with pytest.raises(LogUnreadable, match='time_service has journal.json, which .* Nothing was changed'):
        log.read()
    assert host.text(FOLDER + '/journal.json') == '{}'


def test_the_log_of_another_version_may_lack_what_has_a_default(tmp_path):
    host = FakeHost(tmp_path)
    host.put(FOLDER + '/undo.json', json.dumps({'begun': 'x', 'how': {}, 'entries': [
        {'act': 'unit', 'target': 'x', 'before': {}, 'after': {}}]}))
    log = log_of(host)
    assert log.read()
    assert vars(log.entries[0]) == vars(Entry('unit', 'x', {}, {}))


@pytest.mark.parametrize('moment', range(7))
def test_a_run_that_is_killed_after_its_end_is_recorded_and_not_undone(tmp_path, moment):
    host, calls = FakeHost(tmp_path, files={CONF: 'old\n'}), []
    log = log_of(host)
    acts.write_file(log, CONF, 'new\n', 'write', expected='old\n')

    def cut_before(real):
        def act(*arguments, **more):
            calls.append(arguments)
            if len(calls) > moment:
                raise PowerCut
            return real(*arguments, **more)
        return act
    real = {name: getattr(host, name) for name in ('write', 'remove')}
    for name, do in real.items():
        setattr(host, name, cut_before(do))
    with pytest.raises(PowerCut):
        log.close(msg='all done', problems=['x'])
    for name, do in real.items():
        setattr(host, name, do)
    later = log_of(host)
    if moment == 0:
        assert later.read(), 'it has not ended'
        return
    assert (later.read(), later.entries) == (False, [])
    later.close(msg='undo the changes of the interrupted run', problems=[])
    assert (last_run(host)['msg'], last_run(host)['problems'], last_run(host)['actions']) == ('all done', ['x'], ['write'])
    assert (host.text(CONF), host.exists(FOLDER)) == ('new\n', False)


def test_secrets_are_in_no_record(tmp_path):
    host = FakeHost(tmp_path, files={'/etc/chrony.keys': '1 MD5 old\n'})
    log = log_of(host)
    acts.write_file(log, '/etc/chrony.keys', '1 MD5 old\n7 SHA1 topsecret\n', 'write keys', 0o640, secret=True,
                    expected='1 MD5 old\n')
    shown = json.dumps([entry.shown() for entry in log.entries])
    assert 'sha256' not in shown
    assert 'topsecret' not in json.dumps(host.logged) + shown
    for folder, _folders, names in os.walk(host.path(FOLDER)):
        assert os.stat(folder).st_mode & 0o077 == 0
        assert names
    log.close()
    assert 'topsecret' not in host.text(undo_log.LAST_RUN)


# One run at a time


def test_a_second_run_is_refused_with_pid_and_start_of_the_first(tmp_path):
    host = FakeHost(tmp_path)
    first, second = Lock(host), Lock(host)
    assert not first.held
    first.take()
    assert os.stat(host.path(undo_log.LOCK)).st_mode & 0o777 == 0o600, 'an account that can read it could hold it'
    said = r'Another run \(PID {0}, since 2\d\d\d-\d\d-\d\dT.*Z\).*Nothing was changed'
    with pytest.raises(Busy, match=said.format(os.getpid())):
        second.take()
    first.release()
    second.take()
    assert second.held


def test_the_lock_ends_with_the_process_that_held_it(tmp_path):
    host = FakeHost(tmp_path)
    script = ('import os, sys\n'
              'from ansible_collections.aemops.brand_portal.plugins.module_utils._host.undo_log import Lock\n'
              'from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import System\n'
              'Lock(System(sys.argv[1])).take()\nos.kill(os.getpid(), 9)\n')
    subprocess.call([sys.executable, '-c', script, str(tmp_path)],
                    env=dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path)))
    assert host.exists(undo_log.LOCK)
    Lock(host).take()


def test_the_lock_is_the_file_that_is_there_after_it_is_held(tmp_path, monkeypatch):
    """Another process removes it between opening and locking: two runs would hold a lock each."""
    host = FakeHost(tmp_path)
    lock, flock, times = Lock(host), fcntl.flock, []

    def late(descriptor, operation):
        if not times:
            os.remove(lock.path)
        times.append(descriptor)
        return flock(descriptor, operation)
    monkeypatch.setattr(undo_log.fcntl, 'flock', late)
    lock.take()
    assert len(times) == 2
    with pytest.raises(Busy):
        Lock(host).take()


def test_a_lock_of_a_process_that_has_gone_is_waited_for_a_moment(tmp_path):
    """The guard on the host takes it the moment a run dies, and gives it back."""
    host = FakeHost(tmp_path)
    host.put(undo_log.LOCK, '{"pid": 999999999, "since": "2026-11-26T00:00:00Z"}')
    with open(host.path(undo_log.LOCK), 'rb') as guard:
        fcntl.flock(guard.fileno(), fcntl.LOCK_EX)
        sleep = host.sleep

        def ends(seconds):
            sleep(seconds)
            if host.time > 0.3:
                fcntl.flock(guard.fileno(), fcntl.LOCK_UN)
        host.sleep = ends
        Lock(host).take()
    assert 0.3 < host.time < 0.5, 'it is asked for often'


@pytest.mark.parametrize('euid, raised', [(0, True), (1, False), (1000, False)])
def test_only_root_needs_the_lock(tmp_path, monkeypatch, euid, raised):
    """Another account can change nothing anyway, and is told so in other words."""
    host = FakeHost(tmp_path)
    lock = Lock(host)

    def forbidden(*_arguments):
        raise PermissionError(13, 'Permission denied')
    monkeypatch.setattr(undo_log.os, 'open', forbidden)
    monkeypatch.setattr(undo_log.os, 'geteuid', lambda: euid)
    if raised:
        with pytest.raises(PermissionError):
            lock.take()
    else:
        lock.take()
    assert not lock.held


@pytest.mark.parametrize('holder, said, waited', [
    ('{{"pid": {0}, "since": "2026-11-26T00:00:00Z"}}', r'Another run \(PID {0}, since', 0.0),
    ('{{"pid": 999999999, "since": "2026-11-26T00:00:00Z"}}',
     r'PID 999999999 .since .*. has ended, but another .*See "fuser -v /', 1.0),
    ('no JSON', 'Another run is repairing', 0.0), ('[]', 'Another run is repairing', 0.0), ('', 'Another run is repairing', 0.0),
    ('{{"pid": {0}}}', 'Another run is repairing', 0.0)])
def test_a_holder_of_the_lock_is_waited_for_only_where_it_has_gone(tmp_path, holder, said, waited):
    host = FakeHost(tmp_path)
    host.put(undo_log.LOCK, holder.format(os.getpid()))
    with open(host.path(undo_log.LOCK), 'rb') as other:
        fcntl.flock(other.fileno(), fcntl.LOCK_EX)
        with pytest.raises(Busy, match=said.format(os.getpid())):
            Lock(host).take()
    assert waited <= host.time <= waited + 0.2


def test_a_holder_that_cannot_be_read_is_not_named(monkeypatch):
    def broken(*_arguments):
        raise OSError(5, 'Input/output error')
    monkeypatch.setattr(undo_log.os, 'pread', broken)
    assert undo_log._holder(0) == {}


class Switches(Handler):
    """Targets that are on or off; each has a name."""

    def __init__(self, **states):
        self.states, self.undone = states, []

    def now(self, entry):
        return {'on': self.states[entry.target]}

    def undo(self, entry, now):
        self.states[entry.target] = entry.before['on']
        self.undone.append(entry.target)


def switched(target, sentence=''):
    entry = Entry('switch', target, {'on': False}, {'on': True}, sentence)
    entry.done = True
    return entry


def test_the_way_back_goes_through_all_acts_and_tells_what_it_has_changed(tmp_path):
    host = FakeHost(tmp_path)
    log, switches = log_of(host), Switches(a=True, b=False, c=True, d=True)
    settled = switched('d')
    settled.undone = True
    unknown = Entry('unknown', 'x', {}, {}, 'an act that has no way back')
    log.entries = [switched('a', 'switch a on'), switched('b'), unknown, settled, switched('c')]
    assert log.undo({'switch': switches}) == []
    assert switches.undone == ['c', 'a']
    assert [entry.reverted for entry in log.entries] == [True, False, False, False, True]
    assert [entry.undone for entry in log.entries] == [True, True, False, True, True]
    assert host.logged == ['undo: c', 'undo: switch a on']


def test_what_lies_below_another_administrators_change_stays_and_what_is_beside_it_does_not(tmp_path):
    host = FakeHost(tmp_path)
    log, switches = log_of(host), Switches(a=True, b=None)
    log.entries = [switched('a'), switched('b', 'first'), switched('b', 'second')]
    assert log.undo({'switch': switches}) == ['b was changed by another administrator afterwards and was left as it is now']
    assert switches.undone == ['a']
    assert [bool(entry.left) for entry in log.entries] == [False, True, True]


def test_a_state_that_only_looks_like_ours_is_not():
    """Not a part of it either."""
    entry = switched('a')
    assert Handler().ours(entry, {'on': True})
    assert not Handler().ours(entry, {'on': False})
    assert not Handler().ours(entry, {})


@pytest.mark.parametrize('done, left, undone, stays', [
    (True, '', False, True), (False, 'why', False, True), (True, 'why', False, True), (True, '', True, False),
    (False, 'why', True, False), (False, '', False, False)])
def test_what_stays_of_an_act_and_what_is_told_of_it(done, left, undone, stays):
    entry = switched('a', 'switch a on')
    entry.done, entry.left, entry.undone = done, left, undone
    assert entry.stays is stays
    assert undo_log.actions([entry]) == ['switch a on'] * (done or bool(left))
    entry.sentence = ''
    assert undo_log.actions([entry]) == []


def test_the_record_of_the_last_run_may_be_read_by_everybody_and_has_an_end(tmp_path):
    host = FakeHost(tmp_path)
    log = log_of(host)
    log.perform(switched('a', 'switch a on'), lambda: None)
    log.close(msg='done')
    assert os.stat(host.path(undo_log.LAST_RUN)).st_mode & 0o777 == 0o644
    assert host.text(undo_log.LAST_RUN).endswith('}\n')
    assert (last_run(host)['msg'], last_run(host)['actions'], last_run(host)['pid']) == ('done', ['switch a on'], os.getpid())
