# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The acts for the next boot: the unit that waits, with a limit, services that start after it, and how they are reverted."""

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.wanted import Refused
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.systemd import NoAnswer
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.absent import Absent
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.boot import plan_boot
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.present import HostClock, Present
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.result import TimeServiceFailed
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._host.hosts import CHRONY_DEBIAN, FakeHost

OPTIONS = {'provider': 'auto', 'servers': ['192.0.2.1'], 'pools': [], 'nts_servers': [], 'keys': [], 'cloud': 'none',
           'max_distance': 0.0, 'max_skew': 5.0, 'max_step': 0.0, 'sync_tolerance': 0.02, 'sync_timeout': 60,
           'on_unsynchronized': 'fail', 'wait_at_boot': True, 'wait_at_boot_timeout': 180, 'start_after_sync': ['aem.service']}
AEM = '/etc/systemd/system/aem.service.d/aemops-brand-portal.conf'
LIMIT = '/etc/systemd/system/chrony-wait.service.d/aemops-brand-portal.conf'
OURS = '/etc/systemd/system/aemops-brand-portal-time-wait.service'


def run(host, check_mode=False, **options):
    clock = HostClock(lambda: '', lambda: {'device': '', 'written': False, 'reason': ''})
    return Present(dict(OPTIONS, **options), host, clock, check_mode).run()


@pytest.fixture
def host(tmp_path):
    host = FakeHost(tmp_path, 'debian-12', {'/etc/chrony/chrony.conf': CHRONY_DEBIAN, '/usr/bin/chronyc': ''}).has('chrony')
    host.units['aem.service'] = ['active', 'enabled']
    host.units['chrony-wait.service'] = ['inactive', 'disabled']
    return host


def test_the_daemons_own_unit_waits_with_a_limit_and_aem_starts_after_it(host):
    done = run(host)
    assert done['changed']
    assert 'TimeoutStartSec=180' in host.text(LIMIT)
    assert host.text(AEM).endswith('[Unit]\nWants=time-sync.target\nAfter=time-sync.target\n')
    assert host.units['chrony-wait.service'] == ['inactive', 'enabled']     # enabled, and nothing waits now
    assert host.units['aem.service'] == ['active', 'enabled']
    assert host.commands.index('systemctl daemon-reload') < host.commands.index('systemctl enable chrony-wait.service')
    again = run(host)
    assert (again['changed'], again['actions']) == (False, [])


def test_check_mode_tells_and_changes_nothing(host):
    before = host.tree()
    done = run(host, check_mode=True)
    assert f'would write {AEM}' in done['actions'] and 'would enable chrony-wait.service' in done['actions']
    assert any('After=time-sync.target' in diff['after'] for diff in done['diff'])
    assert host.tree() == before


def test_without_the_options_nothing_of_it_is_done(host):
    run(host, wait_at_boot=False, start_after_sync=[])
    assert host.text(AEM) is None and host.text(LIMIT) is None
    assert host.units['chrony-wait.service'] == ['inactive', 'disabled']


@pytest.mark.parametrize('name, unit, command', [
    ('chrony', 'chrony.service', 'chronyc -h 127.0.0.1,::1 waitsync'), ('ntpd', 'ntpd.service', 'timedatectl status'),
    ('timesyncd', 'systemd-timesyncd.service', 'timedatectl status')])
def test_a_daemon_without_a_unit_that_waits_gets_ours(tmp_path, name, unit, command):
    boot = plan_boot(FakeHost(tmp_path), {'name': name, 'unit': unit}, dict(OPTIONS, start_after_sync=[]))
    [file] = boot.files
    assert (file.path, boot.wait, boot.enable) == (OURS, 'aemops-brand-portal-time-wait.service', True)
    for line in (f'After={unit}', 'Before=time-sync.target', 'TimeoutStartSec=180', 'WantedBy=multi-user.target'):
        assert line in file.text.splitlines()
    assert command in file.text


@pytest.mark.parametrize('name, unit, program', [
    ('ntpsec', 'ntpsec-wait.service', '/usr/sbin/ntpwait'),
    ('timesyncd', 'systemd-time-wait-sync.service', '/lib/systemd/systemd-time-wait-sync')])
def test_the_vendors_unit_is_taken_where_it_can_work(tmp_path, name, unit, program):
    host = FakeHost(tmp_path)
    host.units[unit] = ['inactive', 'disabled']
    daemon = {'name': name, 'unit': 'x.service'}
    assert plan_boot(host, daemon, dict(OPTIONS, start_after_sync=[])).wait == 'aemops-brand-portal-time-wait.service'
    host.put(program, '')
    assert plan_boot(host, daemon, dict(OPTIONS, start_after_sync=[])).wait == unit
    host.units[unit] = ['inactive', 'masked']
    assert plan_boot(host, daemon, dict(OPTIONS, start_after_sync=[])).wait == 'aemops-brand-portal-time-wait.service'


@pytest.mark.parametrize('options, said', [
    ({'start_after_sync': ['aemm.service']}, 'has no unit aemm.service'),
    ({'start_after_sync': ['../../cron.d/x.service']}, '"../../cron.d/x.service" is not the name of a systemd service'),
    ({'wait_at_boot_timeout': 0}, 'wait_at_boot_timeout')])
def test_what_cannot_be_is_refused_before_anything_is_changed(host, options, said):
    before = host.tree()
    with pytest.raises(TimeServiceFailed, match=said):
        run(host, **options)
    assert {path: text for path, text in host.tree().items() if 'aemops' not in path} == {
        path: text for path, text in before.items() if 'aemops' not in path}
    assert host.text(AEM) is None
    assert issubclass(Refused, Exception)


@pytest.mark.parametrize('names', [['aem'], ['aem', 'aem.service'], ['aem.service', 'aem.service']])
def test_a_service_is_named_as_systemctl_takes_it_and_counts_once(host, names):
    done = run(host, start_after_sync=names)
    assert done['actions'].count(f'write {AEM}') == 1
    assert not host.exists('/etc/systemd/system/aem.d')


@pytest.mark.parametrize('options', [{'wait_at_boot': False}, {'start_after_sync': []}])
def test_a_look_that_fails_plans_no_boot(host, options):
    host.failing['systemctl show'] = 'Connection timed out'
    with pytest.raises(NoAnswer):
        plan_boot(host, {'name': 'chrony', 'unit': 'chrony.service'}, dict(OPTIONS, **options))


def test_a_failure_takes_it_back(host):
    host.failing['systemctl enable --quiet chrony-wait.service'] = 'no'
    with pytest.raises(TimeServiceFailed):
        run(host)
    assert host.text(AEM) is None and host.text(LIMIT) is None
    assert host.commands[-1] == 'systemctl daemon-reload' or 'systemctl daemon-reload' in host.commands


def test_absent_takes_it_back_and_leaves_what_others_have_changed(host):
    run(host)
    host.put(LIMIT, '[Service]\nTimeoutStartSec=600\n')
    done = Absent(host).run()
    assert host.text(AEM) is None
    assert host.text(LIMIT) == '[Service]\nTimeoutStartSec=600\n'
    assert any(LIMIT in problem for problem in done['problems'])
    assert host.units['chrony-wait.service'][1] == 'disabled'
