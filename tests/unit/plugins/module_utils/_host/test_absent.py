# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""state=absent: it reverts the changes of runs, keeps those of others, and check mode predicts both."""

import json
import os

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.texts import BLOCK_END
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.statedir import STATE, interrupted
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.absent import Absent
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.lasting import FILE
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.result import TimeServiceFailed
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._host.hosts import CHRONY_REDHAT, FakeHost
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._host.test_time_service import (
    SECRET,
    SOURCES,
    PowerCut,
    debian,
    own_tree,
    run,
)

KEYS = [{'server': '192.0.2.1', 'id': 7, 'type': 'SHA256', 'key': SECRET}]


def absent(host, check_mode=False):
    return Absent(host, check_mode).run()


def both(host):
    """Check mode first: what it says has to be what is done."""
    before, states = host.tree(), json.dumps(host.units)
    predicted = absent(host, True)
    assert (host.tree(), json.dumps(host.units)) == (before, states)
    done = absent(host)
    assert predicted['changed'] == done['changed']
    assert predicted['actions'] == ['would ' + action for action in done['actions']]
    assert predicted['diff'] == done['diff']
    return done


def state(host):
    return own_tree(host), {unit: list(known) for unit, known in host.units.items()}


def red_hat(tmp_path):
    host = FakeHost(tmp_path, 'alma-9', {'/etc/chrony.conf': CHRONY_REDHAT}).has('chronyd', package='chrony')
    host.put('/etc/chrony.keys', '1 MD5 old\n')
    return host


@pytest.mark.parametrize('make', [
    lambda path: debian(path, 'chrony'), lambda path: debian(path, 'ntpsec'), lambda path: debian(path, 'systemd-timesyncd'),
    red_hat])
def test_a_run_and_absent_leave_the_host_as_it_was(tmp_path, make):
    host = make(tmp_path)
    before = state(host)
    run(host, max_distance=1.5)
    run(host, servers=['192.0.2.2'], max_distance=2.0)
    done = both(host)
    assert done['changed']
    assert state(host) == before
    again = both(host)
    assert (again['changed'], again['actions']) == (False, [])
    assert again['msg'] == 'This host has no changes of this role.'
    assert not host.exists(FILE)
    assert interrupted(host.path(STATE)) == []


def test_a_comment_that_is_not_utf_8_is_kept_byte_for_byte_and_shown_as_text(tmp_path):
    """ansible-core 2.19 refuses a result with such a text, after the host was changed."""
    host = red_hat(tmp_path)
    vendors = '# Zeit f\xfcr alle\n'.encode('latin-1') + CHRONY_REDHAT.encode()
    with open(host.path('/etc/chrony.conf'), 'wb') as stream:
        stream.write(vendors)
    host.edits += 1
    for result in (run(host, True, max_distance=1.5), run(host, max_distance=1.5), absent(host, True), absent(host)):
        assert '# Zeit f\ufffdr alle' in str(result['diff'])
        json.dumps(result, ensure_ascii=False).encode()
    host.synchronised_after = None
    with pytest.raises(TimeServiceFailed) as failed:
        run(host, max_distance=1.5)
    json.dumps(failed.value.details, ensure_ascii=False).encode()
    with open(host.path('/etc/chrony.conf'), 'rb') as stream:
        assert stream.read() == vendors


def test_units_come_back_to_before_the_first_run(tmp_path):
    host = debian(tmp_path, 'chrony', 'openntpd', 'systemd-timesyncd')
    host.units['chrony.service'] = ['inactive', 'masked']
    before = state(host)
    run(host, provider='chrony')
    run(host, provider='chrony', servers=['192.0.2.2'])
    assert host.units['openntpd.service'] == ['inactive', 'disabled']
    done = both(host)
    assert state(host) == before
    assert done['actions'].index('stop, disable and mask chrony.service') < done['actions'].index(
        'enable and start openntpd.service'), 'two daemons never steer one clock'


def test_a_daemon_that_running_services_require_by_now_is_not_stopped(tmp_path):
    host = debian(tmp_path, 'chrony', 'openntpd')
    host.units['chrony.service'] = ['inactive', 'disabled']
    run(host, provider='chrony')
    host.units['aem.service'] = ['active', 'enabled']
    host.dependents['chrony.service'] = ['aem.service']
    before = state(host)
    with pytest.raises(TimeServiceFailed, match='^aem.service would be stopped together with chrony.service'):
        absent(host)
    assert state(host) == before


def test_a_daemon_that_running_services_require_by_now_is_not_restarted(tmp_path):
    host = debian(tmp_path, 'chrony')
    run(host, provider='chrony', max_distance=0.5)
    host.units['aem.service'] = ['active', 'enabled']
    host.dependents['chrony.service'] = ['aem.service']
    before = state(host)
    with pytest.raises(TimeServiceFailed, match='^chrony.service would have to be restarted .* aem.service would be restarted'):
        absent(host)
    assert (state(host), host.restarted_along) == (before, [])


@pytest.mark.parametrize('fails', [True, False])
@pytest.mark.parametrize(('units', 'provider'), [(('chrony', 'openntpd'), 'chrony'), (('openntpd', 'chrony'), 'chrony')])
def test_a_unit_that_is_known_by_a_link_is_there_again(tmp_path, units, provider, fails):
    """systemctl disable also removes what systemctl link has made, so that the unit could not be enabled again."""
    host = debian(tmp_path, *units)
    host.units['chrony.service'] = ['inactive', 'disabled']
    linked = units[-1] + '.service'
    host.linked = {linked}
    os.symlink('/opt/site/' + linked, host.path('/etc/systemd/system/' + linked))
    before = state(host)
    if fails:
        host.synchronised_after = None
        with pytest.raises(TimeServiceFailed) as failed:
            run(host, provider=provider)
        assert failed.value.details['problems'] == []
    else:
        run(host, provider=provider)
        assert host.units['openntpd.service'] == ['inactive', 'disabled']
        both(host)
    assert state(host) == before
    assert os.readlink(host.path('/etc/systemd/system/' + linked)) == '/opt/site/' + linked


@pytest.mark.parametrize('fails', [True, False])
def test_a_daemon_of_an_init_script_starts_at_the_next_boot_as_before(tmp_path, fails):
    """Its unit is called generated whether a runlevel starts it or not: each run disabled it again, and nothing enabled it."""
    host = debian(tmp_path, 'chrony', 'openntpd')
    host.units['chrony.service'] = ['inactive', 'disabled']
    host.init_script('openntpd.service')
    before = state(host)
    if fails:
        host.synchronised_after = None
        with pytest.raises(TimeServiceFailed):
            run(host, provider='chrony')
    else:
        run(host, provider='chrony')
        assert not os.path.lexists(host.path('/etc/rc3.d/S20openntpd'))
        assert not run(host, provider='chrony')['changed']
        both(host)
    assert os.path.lexists(host.path('/etc/rc3.d/S20openntpd'))
    assert state(host) == before


def test_a_run_that_was_killed_before_the_link_was_back_is_undone(tmp_path):
    host = debian(tmp_path, 'chrony', 'openntpd')
    host.units['chrony.service'] = ['inactive', 'disabled']
    host.linked = {'openntpd.service'}
    os.symlink('/opt/site/openntpd.service', host.path('/etc/systemd/system/openntpd.service'))
    before, real = state(host), host.link

    def link(path, target):
        raise PowerCut
    host.link = link
    with pytest.raises(PowerCut):
        run(host, provider='chrony')
    assert not os.path.lexists(host.path('/etc/systemd/system/openntpd.service'))
    host.link = real
    assert run(host, provider='chrony')['problems'] == []
    both(host)
    assert state(host) == before


def test_files_that_no_daemon_reads_any_more_are_removed_too(tmp_path):
    """The record named them, and was removed without them. With the former option they would count again."""
    host = red_hat(tmp_path)
    before = state(host)
    host.put('/etc/sysconfig/chronyd', 'OPTIONS="-f /etc/chrony-site.conf"\n')
    host.put('/etc/chrony-site.conf', 'server site.example\nkeyfile /etc/site.keys\n')
    host.put('/etc/site.keys', '1 MD5 old\n')
    run(host, keys=KEYS)
    host.put('/etc/chrony-site.conf', host.text('/etc/chrony-site.conf') + 'confdir /etc/site.d\n')
    run(host, max_distance=1.5)
    assert host.exists('/etc/site.d/aemops-brand-portal.conf')
    host.remove('/etc/sysconfig/chronyd')
    done = both(host)
    assert SECRET not in json.dumps(done)
    assert host.text('/etc/chrony-site.conf') == 'server site.example\nkeyfile /etc/site.keys\nconfdir /etc/site.d\n'
    assert host.text('/etc/site.keys') == '1 MD5 old\n'
    for path in ('/etc/chrony-site.conf', '/etc/site.keys', '/etc/sysconfig'):
        host.remove(path)
    assert state(host) == before


def test_what_others_have_changed_since_stays(tmp_path):
    host = red_hat(tmp_path)
    host.has('openntpd')
    run(host, keys=KEYS, provider='chrony')
    host.put('/etc/chrony.conf', 'allow 10.0.0.0/8\n' + host.text('/etc/chrony.conf') + 'local stratum 9\n')
    host.units['openntpd.service'] = ['active', 'disabled']
    done = both(host)
    assert host.text('/etc/chrony.conf') == 'allow 10.0.0.0/8\n' + CHRONY_REDHAT + 'local stratum 9\n'
    assert host.text('/etc/chrony.keys') == '1 MD5 old\n'
    assert host.units['openntpd.service'] == ['active', 'enabled'], 'started by another administrator, enabled before the run'
    assert SECRET not in json.dumps(done)


def test_a_file_of_ours_that_somebody_has_edited_stays_and_is_named(tmp_path):
    host = debian(tmp_path, 'chrony')
    run(host)
    host.put(SOURCES, host.text(SOURCES) + 'server theirs.example\n')
    done = both(host)
    assert 'theirs.example' in host.text(SOURCES)
    assert (done['changed'], done['actions'], len(done['problems'])) == (False, [], 1)
    assert host.exists(FILE), 'still known not to be as a run has left it'
    assert SOURCES in done['problems'][0]


def test_files_without_a_record_are_ours_by_their_names(tmp_path):
    """Those of a release that kept no record."""
    host = debian(tmp_path, 'chrony')
    run(host)
    host.remove(FILE)
    assert both(host)['actions'] == ['remove ' + SOURCES, 'restart chrony.service']
    assert host.text(SOURCES) is None


def test_a_package_stays_and_that_is_said(tmp_path):
    host = debian(tmp_path)
    run(host)
    done = both(host)
    assert 'The package chrony stays installed' in done['msg']
    assert host.units['chrony.service'] == ['active', 'enabled']
    assert host.text(SOURCES) is None


@pytest.mark.parametrize('since', [False, True])
def test_a_package_that_a_run_has_replaced_is_named(tmp_path, since):
    host = debian(tmp_path, 'systemd-timesyncd')
    host.available['systemd-timesyncd'] = {}
    run(host, provider='chrony')
    run(host, provider='chrony', servers=['192.0.2.2'])
    if since:
        host.has('systemd-timesyncd')
    said = 'The package systemd-timesyncd, which an earlier run replaced, is not installed again.'
    assert (said in both(host)['msg']) is not since


def test_a_daemon_whose_stop_counts_as_failed_is_started_again(tmp_path):
    """Many daemons end with another code than 0 when they are stopped."""
    host = debian(tmp_path, 'chrony', 'openntpd')
    before = state(host)
    host.fails_after('disable', 'openntpd.service')
    run(host, provider='chrony')
    assert host.units['openntpd.service'] == ['failed', 'disabled']
    both(host)
    assert state(host) == before


def test_a_package_that_others_have_removed_does_not_stay(tmp_path):
    host = debian(tmp_path)
    host.units['htpdate.service'] = ['active', 'enabled']
    run(host)
    host._change([], ['chrony'], purge=False)
    done = both(host)
    assert host.units == {'htpdate.service': ['active', 'enabled']}
    assert 'stays installed' not in done['msg']


def test_a_unit_that_others_have_masked_since_stays_masked_and_is_named(tmp_path):
    host = debian(tmp_path, 'chrony', 'openntpd')
    run(host, provider='chrony')
    assert host.units['openntpd.service'] == ['inactive', 'disabled']
    host.units['openntpd.service'] = ['inactive', 'masked']
    done = both(host)
    assert host.units == {'openntpd.service': ['inactive', 'masked'], 'chrony.service': ['active', 'enabled']}
    assert done['problems'] == ['openntpd.service was masked by another administrator and stays masked. If it is needed, run '
                                '"systemctl unmask openntpd.service", then run again']
    assert host.text(SOURCES) is None
    host.units['openntpd.service'] = ['inactive', 'disabled']
    both(host)
    assert host.units['openntpd.service'] == ['active', 'enabled']


def test_a_package_that_stays_does_not_steer_the_clock_beside_what_is_started_again(tmp_path):
    host = debian(tmp_path)
    host.units['htpdate.service'] = ['active', 'enabled']
    run(host)
    assert host.units == {'htpdate.service': ['inactive', 'disabled'], 'chrony.service': ['active', 'enabled']}
    done = both(host)
    assert host.units == {'htpdate.service': ['active', 'enabled'], 'chrony.service': ['inactive', 'disabled']}
    assert done['actions'][-2:] == ['stop and disable chrony.service', 'enable and start htpdate.service']
    assert 'The package chrony stays installed' in done['msg']


def test_a_package_that_stays_does_not_start_at_the_next_boot_beside_another_daemon(tmp_path):
    """Red Hat's package enables its unit, so that no run has enabled it."""
    host = FakeHost(tmp_path, 'rhel-7', {'/etc/ntp.conf': 'server 192.0.2.9\n', '/usr/bin/yum': ''}).has('ntpd', package='ntp')
    run(host, provider='chrony')
    both(host)
    assert host.units == {'ntpd.service': ['active', 'enabled'], 'chronyd.service': ['inactive', 'disabled']}


def test_a_package_that_stays_does_not_steer_the_clock_beside_vmware_tools(tmp_path):
    host = debian(tmp_path)
    host.put('/usr/bin/vmware-toolbox-cmd', '')
    host.vmware = 'Enabled'
    run(host)
    both(host)
    assert (host.vmware, host.units['chrony.service']) == ('Enabled', ['inactive', 'disabled'])


@pytest.mark.parametrize('synchronizes', [True, False])
def test_keys_behind_a_link_that_led_nowhere_are_gone_and_the_link_is_not(tmp_path, synchronizes):
    host = debian(tmp_path, 'chrony')
    path, target = host.path('/etc/chrony/chrony.keys'), host.path('/etc/secrets/chrony.keys')
    os.remove(path)
    os.mkdir(os.path.dirname(target))
    os.symlink(target, path)
    if synchronizes:
        run(host, keys=KEYS)
        assert SECRET in host.text('/etc/secrets/chrony.keys')
        both(host)
        assert host.text('/etc/secrets/chrony.keys') == ''
    else:
        host.synchronised_after = None
        with pytest.raises(TimeServiceFailed, match='were restored'):
            run(host, keys=KEYS)
        assert host.text('/etc/secrets/chrony.keys') is None
    assert os.readlink(path) == target


def test_a_file_for_keys_that_was_empty_is_empty_again(tmp_path):
    host = red_hat(tmp_path)
    host.put('/etc/chrony.keys', '')
    before = state(host)
    run(host, keys=KEYS)
    assert SECRET in host.text('/etc/chrony.keys')
    both(host)
    assert state(host) == before


def test_a_failure_puts_all_back(tmp_path):
    host = debian(tmp_path, 'chrony', 'openntpd')
    run(host, provider='chrony')
    before = state(host)
    host.failing['systemctl start --quiet openntpd'] = 'no way'
    host.failing['systemctl enable --quiet openntpd'] = 'no way'
    with pytest.raises(TimeServiceFailed, match='Could not revert.*were restored') as failed:
        absent(host)
    assert state(host) == before
    assert failed.value.details['changed'] is False


def test_an_error_after_all_acts_does_not_deny_them(tmp_path):
    host = debian(tmp_path, 'chrony')
    host.units['aem.service'] = ['active', 'enabled']
    run(host, start_after_sync=['aem.service'])

    def immutable(path):
        raise PermissionError(1, 'Operation not permitted', path)
    host.remove_folder = immutable
    with pytest.raises(TimeServiceFailed) as failed:
        absent(host)
    assert str(failed.value).startswith('The changes were reverted, but what is left of them cannot be removed: ')
    assert 'Operation not permitted' in str(failed.value) and 'Nothing was changed' not in str(failed.value)
    assert failed.value.details['changed'] and 'remove ' + SOURCES in failed.value.details['actions']
    assert host.text(SOURCES) is None


def test_what_cannot_be_written_is_refused_before_anything_is_changed(tmp_path):
    host = debian(tmp_path, 'chrony')
    run(host)
    before = state(host)
    host.obstacle = lambda path: 'it is immutable' if path == SOURCES else ''
    with pytest.raises(TimeServiceFailed, match='cannot be written: it is immutable. Nothing was changed'):
        absent(host)
    assert state(host) == before


def test_a_block_that_another_administrator_has_edited_stays(tmp_path):
    host = red_hat(tmp_path)
    run(host)
    host.put('/etc/chrony.conf', host.text('/etc/chrony.conf').replace('192.0.2.1 iburst', '192.0.2.1 iburst key 9'))
    before = host.text('/etc/chrony.conf')
    done = both(host)
    assert host.text('/etc/chrony.conf') == before
    assert ['the block of this role in /etc/chrony.conf was changed by another administrator' in each
            for each in done['problems']] == [True]


@pytest.mark.parametrize('edit, after', [
    (lambda text: text.rstrip('\n'), CHRONY_REDHAT),
    (lambda text: text.replace('\n', '\r\n'), CHRONY_REDHAT.replace('\n', '\r\n')),
    (lambda text: text + 'allow 10.0.0.0/8', CHRONY_REDHAT + 'allow 10.0.0.0/8'),
])
def test_a_block_is_found_however_an_editor_ends_lines(tmp_path, edit, after):
    host = red_hat(tmp_path)
    run(host)
    host.put('/etc/chrony.conf', edit(host.text('/etc/chrony.conf')))
    if '\r' not in after:
        again = run(host)
        assert (again['changed'], again['actions']) == (False, []), 'the block is there'
        both(host)
    else:
        host.remove(FILE)       # the edit itself would be a reason to leave the block
        absent(host)
    assert host.text('/etc/chrony.conf') == after


def test_lines_behind_a_block_are_not_joined_to_the_line_before_it(tmp_path):
    host = red_hat(tmp_path)
    host.put('/etc/chrony.conf', CHRONY_REDHAT.rstrip('\n'))
    run(host)
    host.put('/etc/chrony.conf', host.text('/etc/chrony.conf') + 'allow 10.0.0.0/8\n')
    both(host)
    assert host.text('/etc/chrony.conf') == CHRONY_REDHAT + 'allow 10.0.0.0/8\n'


def test_a_block_without_its_end_stays_and_is_named(tmp_path):
    host = red_hat(tmp_path)
    run(host)
    host.put('/etc/chrony.conf', host.text('/etc/chrony.conf').replace(BLOCK_END, 'local stratum 9'))
    before = host.text('/etc/chrony.conf')
    done = both(host)
    assert host.text('/etc/chrony.conf') == before
    assert (done['changed'], len(done['problems'])) == (False, 1)
    assert '/etc/chrony.conf has no end' in done['problems'][0]


def test_what_was_kept_of_an_edit_stays(tmp_path):
    host = debian(tmp_path, 'chrony')
    run(host)
    host.put(SOURCES, 'server theirs.example iburst\n')
    kept = run(host)['backups'][SOURCES]
    both(host)
    assert host.text(kept) == 'server theirs.example iburst\n' and host.text(SOURCES) is None


@pytest.mark.parametrize('since', ['Disabled', 'Enabled'])
def test_the_time_synchronization_of_vmware_tools_is_turned_on_again(tmp_path, since):
    host = debian(tmp_path, 'chrony')
    host.put('/usr/bin/vmware-toolbox-cmd', '')
    host.vmware = 'Enabled'
    run(host)
    run(host, servers=['192.0.2.2'])
    assert host.vmware == 'Disabled'
    host.vmware = since
    done = both(host)
    assert ('turn on the time synchronization of VMware tools' in done['actions']) == (since == 'Disabled')
    assert host.vmware == 'Enabled'


@pytest.mark.parametrize('spoil', [
    lambda text: text[:40], lambda text: '', lambda text: '[]', lambda text: json.dumps(dict(json.loads(text), folders=[1])),
    lambda text: json.dumps(dict(json.loads(text), packages=[['chrony']])),
    lambda text: json.dumps(dict(json.loads(text), units={'chrony.service': {'before': {'x': True}, 'after': {'x': False}}})),
    lambda text: json.dumps(dict(json.loads(text), units={'chrony.service': {'before': {}, 'after': {'active': [1]}}})),
    lambda text: json.dumps(dict(json.loads(text), files={'/etc/chrony/conf.d/x.conf': {}}))],
    ids=['cut', 'empty', 'list', 'folders', 'packages', 'key', 'value', 'files'])
def test_a_record_that_cannot_be_read_ends_each_run_before_anything_is_changed(tmp_path, spoil):
    host = debian(tmp_path, 'chrony')
    run(host)
    host.put(FILE, spoil(host.text(FILE)))
    before = state(host), host.text(FILE)
    for attempt in (lambda: absent(host), lambda: absent(host, True), lambda: run(host, servers=['192.0.2.9'])):
        with pytest.raises(TimeServiceFailed, match=f'{FILE} cannot be read .* Nothing was changed') as failure:
            attempt()
        assert 'move it away' in failure.value.details['advice']
        assert failure.value.details['changed'] is False
        assert (state(host), host.text(FILE)) == before
