# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps time, read from the files and the systemd of hosts that are folders here."""

import os

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import discovery, servers
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.host import Host

DEBIAN = 'ID=debian\nVERSION_ID="12"\n'
ALMA = 'ID="almalinux"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\n'


class Systemd:
    """Answers `systemctl show` as systemd does, from a table of the units it has."""

    def __init__(self, **units):
        self.units = {name.replace('_', '-') + '.service': state for name, state in units.items()}

    def __call__(self, command):
        assert command[:2] == ['systemctl', 'show'], command
        blocks = []
        for unit in command[command.index('--property') + 2:]:
            load, active, enabled = self.units.get(unit, ('not-found', 'inactive', ''))
            blocks.append('Id={}\nLoadState={}\nActiveState={}\nUnitFileState={}\n'.format(unit, load, active, enabled))
        return '\n'.join(blocks)


@pytest.fixture
def make_host(tmp_path):
    def make(files, systemd=None):
        for path, text in files.items():
            target = tmp_path / path.lstrip('/')
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        return Host(systemd or Systemd(), root=str(tmp_path))
    return make


def daemons(host):
    return {daemon['name']: daemon for daemon in discovery.find_daemons(host)}


def test_a_fresh_debian_has_none_and_knows_where_chrony_would_be(make_host):
    found = daemons(make_host({'/etc/os-release': DEBIAN}))
    assert not any(daemon['installed'] or daemon['active'] for daemon in found.values())
    assert found['chrony']['package'] == 'chrony'
    assert found['chrony']['unit'] == 'chrony.service'
    assert found['chrony']['sources_dir'] == '/etc/chrony/sources.d'


def test_debian_with_chrony(make_host):
    chrony = daemons(make_host(
        {'/etc/os-release': DEBIAN, '/usr/sbin/chronyd': '',
         '/etc/chrony/chrony.conf': 'confdir /etc/chrony/conf.d\nsourcedir /run/chrony-dhcp\n'
                                    'sourcedir /etc/chrony/sources.d\n'},
        Systemd(chrony=('loaded', 'active', 'enabled'))))['chrony']
    assert (chrony['installed'], chrony['active'], chrony['enabled'], chrony['masked']) == (True, True, True, False)
    assert chrony['sources_dir'] == '/etc/chrony/sources.d'
    assert chrony['config_dir'] == '/etc/chrony/conf.d'


def test_a_configuration_without_drop_ins_is_believed_over_the_layout(make_host):
    chrony = daemons(make_host(
        {'/etc/os-release': DEBIAN, '/usr/sbin/chronyd': '', '/etc/chrony/chrony.conf': 'server ntp1 iburst\n'},
        Systemd(chrony=('loaded', 'active', 'enabled'))))['chrony']
    assert (chrony['sources_dir'], chrony['config_dir']) == ('', '')


def test_the_layout_of_the_red_hat_family(make_host):
    host = make_host({'/etc/os-release': ALMA, '/usr/sbin/chronyd': '', '/etc/chrony.conf': 'pool p iburst\n',
                      '/usr/bin/dnf': ''},
                     Systemd(chronyd=('loaded', 'inactive', 'disabled')))
    chrony = daemons(host)['chrony']
    assert (chrony['unit'], chrony['config'], chrony['enabled']) == ('chronyd.service', '/etc/chrony.conf', False)
    assert discovery.package_manager(host) == 'dnf'


def test_a_masked_unit_is_said_to_be_masked(make_host):
    timesyncd = daemons(make_host(
        {'/etc/os-release': DEBIAN, '/lib/systemd/systemd-timesyncd': '',
         '/lib/systemd/system/systemd-timesyncd.service': ''},
        Systemd(systemd_timesyncd=('masked', 'inactive', 'masked'))))['timesyncd']
    assert (timesyncd['masked'], timesyncd['enabled'], timesyncd['installed']) == (True, False, True)


def test_a_host_without_systemd_is_described_from_its_files(make_host):
    host = make_host({'/etc/os-release': DEBIAN}, lambda command: '')  # what a command that is not there prints
    assert not any(daemon['active'] for daemon in discovery.find_daemons(host))


def test_servers_of_the_configured_daemon_with_its_drop_ins(make_host):
    host = make_host({
        '/etc/os-release': DEBIAN, '/usr/sbin/chronyd': '',
        '/etc/chrony/chrony.conf': '# server no.example\nserver a.example iburst\npool b.example maxsources 2\n'
                                   'sourcedir /etc/chrony/sources.d\n',
        '/etc/chrony/sources.d/local.sources': 'server c.example port 1123 iburst\nserver a.example\n',
        '/etc/chrony/sources.d/ignored.conf': 'server d.example\n'})
    assert servers.effective_ntp_servers(host) == ['a.example', 'b.example', 'c.example:1123']


def test_servers_of_ntpd_leave_out_its_local_clock(make_host):
    host = make_host({'/etc/os-release': ALMA, '/usr/sbin/ntpd': '',
                      '/etc/ntp.conf': 'server 127.127.1.0\nserver ntp1.example iburst\n'})
    assert servers.effective_ntp_servers(host) == ['ntp1.example']


def test_servers_of_timesyncd(make_host):
    host = make_host({'/etc/os-release': DEBIAN, '/lib/systemd/systemd-timesyncd': '',
                      '/etc/systemd/timesyncd.conf': '[Time]\n#NTP=no.example\nNTP=a.example b.example\n'})
    assert servers.effective_ntp_servers(host) == ['a.example', 'b.example']


@pytest.mark.parametrize(('release', 'pool'), [
    (DEBIAN, '2.debian.pool.ntp.org'),
    ('ID=ubuntu\nID_LIKE=debian\n', 'ntp.ubuntu.com'),
    (ALMA, '2.almalinux.pool.ntp.org'),
    ('ID=ol\nID_LIKE=fedora\n', '2.fedora.pool.ntp.org'),
    ('ID=unheard_of\n', 'pool.ntp.org'),
])
def test_the_vendors_pool_where_nothing_is_configured(make_host, release, pool):
    assert servers.effective_ntp_servers(make_host({'/etc/os-release': release})) == [pool]


@pytest.mark.parametrize(('status', 'pushes'), [
    ('Enabled\n', True), ('Disabled\n', False), ('', False),
    ('Error: /usr/bin/vmware-toolbox-cmd must be run inside a virtual machine on a VMware hypervisor product.\n', False)])
def test_vmware_tools_are_named_while_they_push(make_host, status, pushes):
    host = make_host({'/etc/os-release': DEBIAN, '/usr/bin/vmware-toolbox-cmd': '', '/dev/ptp_kvm': ''}, lambda command: status)
    assert (len(discovery.time_pushers(host)) == 2) == pushes
    assert bool(discovery.time_pushers(host, only_pushing=True)) == pushes


def test_ntp_as_an_alias_of_ntpsec_is_no_daemon_of_its_own(make_host):
    def systemd(command):
        units = command[command.index('--property') + 2:]
        return '\n'.join('Id={}\nLoadState={}\nActiveState=active\nUnitFileState=enabled\n'.format(
            'ntpsec.service' if unit in ('ntp.service', 'ntpd.service') else unit,
            'loaded' if unit in ('ntp.service', 'ntpd.service', 'ntpsec.service') else 'not-found') for unit in units)
    found = daemons(make_host({'/etc/os-release': DEBIAN, '/usr/sbin/ntpd': ''}, systemd))
    assert (found['ntpsec']['installed'], found['ntpsec']['active']) == (True, True)
    assert (found['ntpd']['installed'], found['ntpd']['active'], found['ntpd']['enabled']) == (False, False, False)


def test_a_folder_that_is_empty_after_a_boot_is_not_used(make_host):
    chrony = daemons(make_host({'/etc/os-release': ALMA, '/usr/sbin/chronyd': '',
                                '/etc/chrony.conf': 'pool p iburst\nsourcedir /run/chrony-dhcp\n'},
                               Systemd(chronyd=('loaded', 'active', 'enabled'))))['chrony']
    assert (chrony['sources_dir'], chrony['config_dir']) == ('', '')


def test_configuration_that_includes_itself_ends(make_host):
    host = make_host({'/etc/os-release': DEBIAN, '/usr/sbin/chronyd': '',
                      '/etc/chrony/chrony.conf': 'include /etc/chrony/chrony.conf\nserver a.example\n'})
    assert servers.effective_ntp_servers(host) == ['a.example']


@pytest.mark.parametrize(('binary', 'path'), [
    ('/usr/sbin/openntpd', '/etc/openntpd/ntpd.conf'), ('/usr/sbin/openntpd', '/etc/ntpd.conf'),
    ('/usr/bin/ntpd', '/etc/ntpd.conf'),
    ('/usr/local/sbin/ntpd', '/usr/local/etc/ntpd.conf'), ('/usr/local/sbin/ntpd -f /etc/site.conf', '/etc/site.conf')])
def test_openntpd_reads_its_file_where_it_is(make_host, binary, path):
    host = make_host({'/etc/os-release': ALMA, binary.split()[0]: '', '/usr/local/etc/ntpd.conf': 'server b.example\n',
                      path: 'server a.example\n',
                      '/usr/lib/systemd/system/openntpd.service': '[Service]\nExecStart={0} -s\n'.format(binary)},
                     Systemd(openntpd=('loaded', 'active', 'enabled')))
    assert daemons(host)['openntpd']['config'] == path
    assert servers.effective_ntp_servers(host) == ['a.example']


@pytest.mark.parametrize('binary', ['/usr/local/sbin/chronyd', '/opt/chrony/sbin/chronyd'])
def test_a_daemon_that_somebody_has_built_is_installed_and_its_own_file_counts(make_host, binary):
    host = make_host({'/etc/os-release': ALMA, binary: '', '/usr/local/etc/chrony.conf': 'server z.example\n',
                      '/etc/systemd/system/chronyd.service':
                          '[Service]\nExecStart=!{} -f /usr/local/etc/chrony.conf\n'.format(binary)},
                     Systemd(chronyd=('loaded', 'active', 'enabled')))
    chrony = daemons(host)['chrony']
    assert (chrony['installed'], chrony['config']) == (True, '/usr/local/etc/chrony.conf')
    assert servers.effective_ntp_servers(host) == ['z.example']


def test_a_pipe_in_place_of_a_file_does_not_hang_and_is_empty(make_host, tmp_path):
    host = make_host({'/etc/os-release': ALMA, '/usr/sbin/chronyd': ''})
    os.mkfifo(str(tmp_path / 'etc/chrony.conf'))
    assert host.read('/etc/chrony.conf') == ''


def layout(make_host, release, daemon):
    found = discovery.layout_for(make_host({'/etc/os-release': release}), daemon)
    return (found.package, found.sources_dir, found.config_dir) if found else None


def test_a_rolling_release_that_counts_by_dates_has_the_newest_layout(make_host):
    tumbleweed = 'ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\nVERSION_ID="20261126"\n'
    assert layout(make_host, tumbleweed, 'chrony') == ('chrony', '', '/etc/chrony.d')


@pytest.mark.parametrize(('release', 'daemon', 'expected'), [
    # LMDE 6 and Devuan 5 are Debian 12; Alibaba Cloud Linux 3 and TencentOS 3 are RHEL 8, which has no ntpd.
    ('ID=linuxmint\nID_LIKE=debian\nVERSION_ID="6"\n', 'chrony', ('chrony', '/etc/chrony/sources.d', '/etc/chrony/conf.d')),
    ('ID=devuan\nID_LIKE=debian\nVERSION_ID="5"\n', 'timesyncd', ('systemd-timesyncd', '', '/etc/systemd/timesyncd.conf.d')),
    ('ID="alinux"\nID_LIKE="rhel fedora centos anolis"\nVERSION_ID="3"\n', 'ntpd', None),
    ('ID="tencentos"\nID_LIKE="rhel fedora centos tlinux"\nVERSION_ID="3.1"\n', 'ntpd', None),
    # These count as the system that they are like.
    ('ID="scientific"\nID_LIKE="rhel centos fedora"\nVERSION_ID="7.9"\n', 'ntpd', ('ntp', '', '')),
    ('ID=raspbian\nID_LIKE=debian\nVERSION_ID="10"\n', 'chrony', ('chrony', '', '')),
])
def test_a_derivative_that_counts_its_own_versions_has_the_newest_layout(make_host, release, daemon, expected):
    assert layout(make_host, release, daemon) == expected


def test_a_host_that_only_has_rpm_ostree_installed_is_no_image(make_host):
    host = make_host({'/etc/os-release': ALMA, '/usr/bin/rpm-ostree': '', '/usr/bin/dnf': ''})
    assert (discovery.package_manager(host), discovery.why_no_packages(host)) == ('dnf', '')


def test_ubuntu_core_has_no_packages(make_host):
    host = make_host({'/etc/os-release': 'ID=ubuntu-core\nVERSION_ID="22"\nID_LIKE=debian\n'})
    assert 'image' in discovery.why_no_packages(host)
