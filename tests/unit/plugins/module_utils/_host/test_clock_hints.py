# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's side of the hints: its zone, its hardware clock's mode, the record of the last repair."""

import os
import time

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._host import clock_hints, statedir, step_clock
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import System


@pytest.fixture
def zone(monkeypatch):
    def put(name):
        monkeypatch.setenv('TZ', name)
        time.tzset()
    yield put
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize('name, offsets', [
    ('UTC0', {0}), ('IST-5:30', {19800}), ('CET-1CEST,M3.5.0,M10.5.0/3', {3600, 7200}),
    ('EST5EDT,M3.2.0,M11.1.0', {-18000, -14400}),
])
def test_the_zone_s_offsets(zone, name, offsets):
    zone(name)
    found = clock_hints.zone_offsets()
    assert set(found) == offsets
    assert found[0] == time.localtime().tm_gmtoff


@pytest.mark.parametrize('text, local', [
    (None, False), ('', False), ('0.0 0 0.0\n0\nUTC\n', False), ('0.0 0 0.0\n0\nLOCAL\n', True), ('0.0 0 0.0\n0\n', False),
])
def test_what_the_hardware_clock_holds(tmp_path, text, local):
    if text is not None:
        (tmp_path / 'etc').mkdir()
        (tmp_path / 'etc/adjtime').write_text(text)
    assert clock_hints.rtc_local(str(tmp_path)) is local


def forbidden(path):
    raise PermissionError(13, 'Permission denied', path)


def test_a_repair_is_remembered_for_everybody_to_read(tmp_path, monkeypatch):
    folder = tmp_path / 'var/lib/aemops-brand-portal'
    folder.parent.mkdir(parents=True)
    before = os.umask(0o077)
    try:
        assert step_clock.remember_repair(System(str(tmp_path)), 7200.12345, '2026-11-25T12:00:00.000Z') == ''
    finally:
        os.umask(before)
    found = clock_hints.facts(str(tmp_path))
    assert found['last_repair'] == {'offset': 7200.123, 'at': '2026-11-25T12:00:00.000Z'}
    assert statedir.interrupted(str(folder)) == []
    assert [os.stat(str(path)).st_mode & 0o777 for path in (folder, folder / 'last-repair.json')] == [0o755, 0o644]
    (folder / 'time_service').mkdir()
    assert statedir.interrupted(str(folder)) == [], 'killed before it changed anything'
    (folder / 'time_service' / 'undo.json').write_text('{}')
    assert statedir.interrupted(str(folder)) == ['time_service']
    listdir = os.listdir
    monkeypatch.setattr(os, 'listdir', lambda path: forbidden(path) if 'time_service' in path else listdir(path))
    assert statedir.interrupted(str(folder)) == ['time_service'], 'only root can read what is in it'


def test_a_host_without_any_record(tmp_path):
    found = clock_hints.facts(str(tmp_path))
    assert (found['last_repair'], statedir.interrupted(str(tmp_path)), found['rtc_local']) == ({}, [], False)


def test_a_record_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / 'file').write_text('')
    assert 'could not be recorded' in step_clock.remember_repair(System(str(tmp_path / 'file')), 1.0, 'now')
    assert statedir.read(str(tmp_path / 'file')) == {}


@pytest.mark.parametrize('mode, offset, misread', [
    ('LOCAL', 7200.0, True), ('LOCAL', -3590.0, True), ('LOCAL', 7300.0, False), ('LOCAL', 0.5, False), ('UTC', 7200.0, False),
])
def test_a_hardware_clock_that_is_read_in_the_wrong_mode(zone, tmp_path, mode, offset, misread):
    zone('CET-1CEST,M3.5.0,M10.5.0/3')
    (tmp_path / 'etc').mkdir()
    (tmp_path / 'etc/adjtime').write_text('0.0 0 0.0\n0\n%s\n' % mode)
    assert clock_hints.rtc_misread(offset, str(tmp_path)) is misread


def test_without_a_zone_nothing_is_misread(zone, tmp_path):
    zone('UTC0')
    (tmp_path / 'etc').mkdir()
    (tmp_path / 'etc/adjtime').write_text('0.0 0 0.0\n0\nLOCAL\n')
    assert clock_hints.rtc_misread(0.0, str(tmp_path)) is False


@pytest.mark.parametrize('repaired, enabled, left', [
    (False, None, []),
    (True, None, ['no_time_daemon']),
    (True, 'multi-user.target.wants/chrony.service', []),
    (True, 'multi-user.target.wants/chronyd.service', []),
    (True, 'sysinit.target.wants/systemd-timesyncd.service', []),
    (True, 'multi-user.target.wants/ssh.service', ['no_time_daemon']),
])
def test_a_repair_that_has_left_no_daemon_is_not_finished(tmp_path, repaired, enabled, left):
    folder = tmp_path / 'var/lib/aemops-brand-portal'
    folder.mkdir(parents=True)
    if repaired:
        step_clock.remember_repair(System(str(tmp_path)), 90.0, '2026-11-25T12:00:00.000Z')
    if enabled:
        link = tmp_path / 'etc/systemd/system' / enabled
        link.parent.mkdir(parents=True)
        link.symlink_to('/lib/systemd/system/' + link.name)
        unit = tmp_path / 'lib/systemd/system' / link.name
        unit.parent.mkdir(parents=True)
        unit.touch()
    assert clock_hints.interrupted(str(tmp_path)) == left
    if enabled:
        unit.unlink()       # the package was removed, and not purged
        assert clock_hints.interrupted(str(tmp_path)) == ['no_time_daemon']


@pytest.mark.parametrize(('folder', 'masked', 'left'), [
    ('usr/lib/systemd/system/sysinit.target.wants', False, []),
    ('usr/lib/systemd/system/sysinit.target.wants', True, ['no_time_daemon']),
    ('run/systemd/generator.late/multi-user.target.wants', False, [])])
def test_a_daemon_that_an_image_or_an_init_script_enables_starts_at_boot(tmp_path, folder, masked, left):
    """Each night such a host was to be finished, although its daemon was enabled."""
    (tmp_path / 'var/lib/aemops-brand-portal').mkdir(parents=True)
    step_clock.remember_repair(System(str(tmp_path)), 90.0, '2026-11-25T12:00:00.000Z')
    for path in (folder, 'etc/systemd/system'):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / folder / 'systemd-timesyncd.service').symlink_to('../systemd-timesyncd.service')
    (tmp_path / folder / '../systemd-timesyncd.service').touch()
    if masked:
        (tmp_path / 'etc/systemd/system/systemd-timesyncd.service').symlink_to('/dev/null')
    assert clock_hints.interrupted(str(tmp_path)) == left


def test_a_clock_that_ptp_keeps_is_not_left_without_a_daemon(tmp_path):
    """No daemon may be configured beside it, so each night the repair was to be finished, and could not be."""
    (tmp_path / 'var/lib/aemops-brand-portal').mkdir(parents=True)
    step_clock.remember_repair(System(str(tmp_path)), 90.0, '2026-11-25T12:00:00.000Z')
    assert clock_hints.interrupted(str(tmp_path), 'phc2sys') == []
