# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The user's sources and no vendor's: what is commented out, what is refused, and all of it put back."""

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import discovery
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.texts import SILENCED
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.absent import Absent
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.present import HostClock, Present
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.result import TimeServiceFailed
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._host.hosts import (
    CHRONY_DEBIAN,
    CHRONY_REDHAT,
    CHRONY_SUSE,
    NTPSEC,
    FakeHost,
)

OPTIONS = {'provider': 'auto', 'servers': ['192.0.2.1'], 'pools': [], 'nts_servers': [], 'keys': [], 'cloud': 'none',
           'max_distance': 0.0, 'max_skew': 5.0, 'max_step': 0.0, 'sync_tolerance': 0.02, 'sync_timeout': 60,
           'on_unsynchronized': 'fail', 'only': True}


def run(host, check_mode=False, **options):
    clock = HostClock(lambda: '', lambda: {'device': '', 'written': False, 'reason': ''})
    return Present(dict(OPTIONS, **options), host, clock, check_mode).run()


def asked(host, name):
    facts = next(each for each in discovery.find_daemons(host) if each['name'] == name)
    return discovery.make(host, facts).source_names()


HOSTS = [
    ('debian-12', 'chrony', 'chrony', {'/etc/chrony/chrony.conf': CHRONY_DEBIAN}),
    ('debian-12', 'chrony', 'chrony', {'/etc/chrony/chrony.conf': CHRONY_DEBIAN,
                                       '/etc/chrony/sources.d/vendor.sources': 'pool vendor.example iburst\nserver 192.0.2.1\n'}),
    ('alma-9', 'chronyd', 'chrony', {'/etc/chrony.conf': CHRONY_REDHAT}),
    ('sles-15', 'chronyd', 'chrony', {'/etc/chrony.conf': CHRONY_SUSE, '/etc/chrony.d/pool.conf': 'pool suse.example iburst\n'}),
    ('debian-12', 'ntpsec', 'ntpsec', {'/etc/ntpsec/ntp.conf': NTPSEC}),
    ('debian-12', 'systemd-timesyncd', 'timesyncd', {
        '/etc/systemd/timesyncd.conf': '[Time]\nNTP=vendor.example\n',
        '/etc/systemd/timesyncd.conf.d/10-vendor.conf': '[Time]\nNTP=other.example\nFallbackNTP=third.example\n'}),
]


@pytest.mark.parametrize('release, unit, name, files', HOSTS)
def test_only_the_users_sources_are_asked_and_absent_puts_the_others_back(tmp_path, release, unit, name, files):
    host = FakeHost(tmp_path, release, files).has(unit)
    before = {path: host.text(path) for path in files}
    vendors = asked(host, name)
    done = run(host)
    assert done['changed'] and asked(host, name) == ['192.0.2.1'] != vendors
    for path in files:      # nothing but whole lines is commented out
        theirs = host.text(path).partition('\n# BEGIN')[0].splitlines()
        assert [line.replace(SILENCED, '') for line in theirs] == before[path].splitlines()
    again = run(host)
    assert (again['changed'], again['actions']) == (False, [])
    Absent(host).run()
    assert {path: host.text(path) for path in files} == before
    assert asked(host, name) == vendors


@pytest.mark.parametrize('release, unit, name, files', HOSTS)
def test_without_only_a_later_run_restores_the_others(tmp_path, release, unit, name, files):
    """They stayed commented out, and the run said that it had nothing to change."""
    host = FakeHost(tmp_path, release, files).has(unit)
    before = {path: host.text(path) for path in files}
    vendors = asked(host, name)
    run(host)
    planned = run(host, only=False, check_mode=True)
    assert any(name == 'timesyncd' or 'restore the other servers in ' in act for act in planned['actions'])
    done = run(host, only=False, servers=['192.0.2.1'])
    assert done['changed'] and set(asked(host, name)) == {'192.0.2.1', *vendors}
    for path in files:
        assert host.text(path).partition('\n# BEGIN')[0].rstrip() == before[path].rstrip()
    again = run(host, only=False)
    assert (again['changed'], again['actions']) == (False, [])
    Absent(host).run()
    assert {path: host.text(path) for path in files} == before


def test_a_server_that_is_restored_gets_no_second_line(tmp_path):
    host = FakeHost(tmp_path, 'alma-9', {'/etc/chrony.conf': 'server 192.0.2.7 iburst\n'}).has('chronyd', package='chrony')
    run(host)
    run(host, only=False, servers=['192.0.2.7'])
    assert host.text('/etc/chrony.conf') == 'server 192.0.2.7 iburst\n'


def test_a_form_feed_ends_no_line(tmp_path):
    text = '# Section one\f\n# two\u2028\vthree\nserver vendor.example iburst\nmakestep 1 3\n'
    host = FakeHost(tmp_path, 'alma-9', {'/etc/chrony.conf': text}).has('chronyd')
    run(host)
    assert asked(host, 'chrony') == ['192.0.2.1']
    assert host.text('/etc/chrony.conf').startswith(text.replace('server', SILENCED + 'server'))
    Absent(host).run()
    assert host.text('/etc/chrony.conf') == text


@pytest.mark.parametrize('mode', ['', 'authselectmode prefer\n'])
def test_the_vendors_nts_servers_are_commented_out_and_leave_no_trace_in_ours(tmp_path, mode):
    host = FakeHost(tmp_path, 'alma-9', {'/etc/chrony.conf': mode + 'pool nts.example iburst nts\n'}).has('chronyd')
    assert run(host)['changed'] and asked(host, 'chrony') == ['192.0.2.1']
    assert 'server 192.0.2.1 iburst\n' in host.text('/etc/chrony.conf')
    assert not run(host)['changed']


@pytest.mark.parametrize('release, unit, name, files', [
    *HOSTS, ('debian-13', 'chrony', 'chrony', {'/etc/chrony/chrony.conf': CHRONY_DEBIAN + 'leapseclist /x\n'}),
    ('debian-12', 'ntpsec', 'ntpsec', {'/etc/ntpsec/ntp.conf': NTPSEC + 'leapfile /x\n'})])
def test_the_source_of_a_cloud_alone_takes_out_what_it_must_not_be_mixed_with(tmp_path, release, unit, name, files):
    """The run was refused for lines that it would have commented out."""
    host = FakeHost(tmp_path, release, files).has(unit)
    before = {path: host.text(path) for path in files}
    assert run(host, servers=[], cloud='aws')['changed'] and asked(host, name) == ['169.254.169.123']
    for path in files:
        assert not [line for line in host.text(path).splitlines() if line.startswith('leap')]
    assert not run(host, servers=[], cloud='aws')['changed']
    Absent(host).run()
    assert {path: host.text(path) for path in files} == before


@pytest.mark.parametrize('release, unit, path, line, gone', [
    ('alma-9', 'chronyd', '/etc/chrony.conf', 'initstepslew 10 192.0.2.1 old.example', True),
    ('alma-9', 'chronyd', '/etc/chrony.conf', 'initstepslew 10 192.0.2.1', False),
    ('rhel-7', 'ntpd', '/etc/ntp.conf', 'broadcastclient', True),
    ('rhel-7', 'ntpd', '/etc/ntp.conf', 'multicastclient 224.0.1.1 key 4', True),
    ('debian-12', 'ntpsec', '/etc/ntpsec/ntp.conf', 'manycastclient 239.255.254.254', True)])
def test_what_brings_in_other_servers_in_other_ways_is_commented_out(tmp_path, release, unit, path, line, gone):
    host = FakeHost(tmp_path, release, {path: 'driftfile /var/lib/drift\n' + line + '\n'}).has(unit)
    run(host)
    assert (SILENCED + line in host.text(path)) == gone
    assert not run(host)['changed']
    Absent(host).run()
    assert host.text(path) == 'driftfile /var/lib/drift\n' + line + '\n'


def test_a_lease_brings_none(tmp_path):
    host = FakeHost(tmp_path, 'alma-9', {'/etc/chrony.conf': CHRONY_REDHAT,
                                         '/run/chrony-dhcp/eth0.sources': 'server lease.example iburst\n'}).has('chronyd')
    assert 'lease.example' in asked(host, 'chrony')
    run(host)
    assert asked(host, 'chrony') == ['192.0.2.1']
    assert SILENCED + 'sourcedir /run/chrony-dhcp' in host.text('/etc/chrony.conf')


def test_check_mode_says_so_and_shows_the_lines(tmp_path):
    host = FakeHost(tmp_path, 'debian-12', {'/etc/chrony/chrony.conf': CHRONY_DEBIAN}).has('chrony')
    done = run(host, check_mode=True)
    assert 'would comment out the other servers in /etc/chrony/chrony.conf' in done['actions']
    assert any(SILENCED + 'pool 2.debian.pool.ntp.org iburst' in diff['after'] for diff in done['diff'])
    assert host.text('/etc/chrony/chrony.conf') == CHRONY_DEBIAN


def test_a_failure_puts_them_back(tmp_path):
    host = FakeHost(tmp_path, 'debian-12', {'/etc/chrony/chrony.conf': CHRONY_DEBIAN}).has('chrony')
    host.synchronised_after = None
    with pytest.raises(TimeServiceFailed):
        run(host)
    assert host.text('/etc/chrony/chrony.conf') == CHRONY_DEBIAN


@pytest.mark.parametrize('options, files, said', [
    ({'servers': []}, {}, 'no source is named'),
    ({}, {'/etc/chrony/chrony.conf': CHRONY_DEBIAN + 'include /usr/share/vendor.conf\n',
          '/usr/share/vendor.conf': 'pool v.example\n'}, 'cannot be commented out'),
])
def test_what_cannot_be_is_refused(tmp_path, options, files, said):
    host = FakeHost(tmp_path, 'debian-12', {'/etc/chrony/chrony.conf': CHRONY_DEBIAN, **files}).has('chrony')
    with pytest.raises(Exception, match=said):
        run(host, **options)
    assert SILENCED not in host.text('/etc/chrony/chrony.conf')


def test_servers_of_a_lease_that_the_vendors_helper_tells_chronyd_are_refused_with_what_to_do(tmp_path):
    host = FakeHost(tmp_path, 'rhel-8', {'/etc/chrony.conf': CHRONY_REDHAT, '/usr/libexec/chrony-helper': '',
                                         '/var/lib/dhclient/chrony.servers.eth0': '192.0.2.53 iburst\n'}).has('chronyd')
    with pytest.raises(TimeServiceFailed, match=r'chrony.servers.eth0 line 1\) would still be asked') as refused:
        run(host)
    assert 'PEERNTP=no' in refused.value.details['advice']


@pytest.mark.parametrize('configured', [True, False])
def test_servers_that_dhcp_names_on_a_link_of_networkd_are_refused_with_what_to_do(tmp_path, configured):
    """timesyncd turns to them if no server of its configuration answers. Its file may be in /usr/lib alone."""
    host = FakeHost(tmp_path, 'debian-12', {'/run/systemd/netif/links/2': 'ADMIN_STATE=configured\nNTP=192.0.2.53\n'})
    host.has('systemd-timesyncd')
    host.put('/etc/systemd/timesyncd.conf' if configured else '/usr/lib/systemd/timesyncd.conf', '[Time]\n')
    with pytest.raises(TimeServiceFailed, match=r'/run/systemd/netif/links/2 line 2\) would still be asked') as refused:
        run(host)
    assert 'UseNTP=no' in refused.value.details['advice']


@pytest.mark.parametrize(('release', 'unit', 'path'), [
    ('centos-7', 'ntpd', '/etc/ntp.conf'), ('alma-9', 'chronyd', '/etc/chrony.conf')])
def test_lines_of_dhcpcd_are_those_of_a_lease(tmp_path, release, unit, path):
    """Its hook 50-ntp.conf writes them into the file itself, and again at each lease."""
    lease = '# Generated by dhcpcd from eth0\nserver 192.0.2.{0}\n# End of dhcpcd from eth0\nrestrict 127.0.0.1\n'
    host = FakeHost(tmp_path, release, {path: lease.format(1)}).has(unit, package='x')
    run(host, only=False)
    assert host.text(path).count('\nserver 192.0.2.1') == 2
    host.put(path, lease.format(8))
    with pytest.raises(TimeServiceFailed, match=r'line 2\) would still be asked') as refused:
        run(host)
    assert 'dhcpcd.conf' in refused.value.details['advice']
