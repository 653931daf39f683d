# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Systems, known and unknown: which package manager installs, and in which layout; and what runs beside the known units."""

import os

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import discovery
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._host.hosts import FakeHost

DNF, YUM, APT, ZYPPER = '/usr/bin/dnf', '/usr/bin/yum', '/usr/bin/apt-get', '/usr/bin/zypper'


@pytest.mark.parametrize(('release', 'commands', 'manager', 'unit', 'config'), [
    ('ID="openEuler"\nVERSION_ID="22.03"\n', [DNF, YUM], 'dnf', 'chronyd.service', '/etc/chrony.conf'),
    ('ID="ol"\nID_LIKE="fedora"\nVERSION_ID="8.9"\n', [DNF, YUM], 'dnf', 'chronyd.service', '/etc/chrony.conf'),
    ('ID="ol"\nID_LIKE="fedora"\nVERSION_ID="7.9"\n', [YUM], 'yum', 'chronyd.service', '/etc/chrony.conf'),
    # The command that is run is the one that has to be there.
    ('ID="rhel"\nID_LIKE="fedora"\nVERSION_ID="7.9"\n', ['/usr/bin/dnf-3', YUM], 'yum', 'chronyd.service', '/etc/chrony.conf'),
    ('ID="amzn"\nID_LIKE="centos rhel fedora"\nVERSION_ID="2"\n', [YUM], 'yum', 'chronyd.service', '/etc/chrony.conf'),
    ('ID="amzn"\nID_LIKE="fedora"\nVERSION_ID="2023"\n', [DNF, YUM], 'dnf', 'chronyd.service', '/etc/chrony.conf'),
    ('ID="eurolinux"\nID_LIKE="rhel fedora centos"\nVERSION_ID="9.3"\n', [DNF], 'dnf', 'chronyd.service', '/etc/chrony.conf'),
    ('ID="sles"\nID_LIKE="suse"\nVERSION_ID="15.6"\n', [ZYPPER], 'zypper', 'chronyd.service', '/etc/chrony.conf'),
    ('ID="opensuse-leap"\nID_LIKE="suse opensuse"\nVERSION_ID="15.6"\n', [ZYPPER], 'zypper', 'chronyd.service', '/etc/chrony.conf'),
    ('ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="21.3"\n', [APT], 'apt', 'chrony.service', '/etc/chrony/chrony.conf'),
    ('ID=devuan\nVERSION_ID="5"\n', [APT], 'apt', 'chrony.service', '/etc/chrony/chrony.conf'),
    ('', [ZYPPER], 'zypper', 'chronyd.service', '/etc/chrony.conf'),
    # A Debian on which an administrator has put dnf beside apt, and an Alma with apt: the system's own counts.
    ('ID=debian\nVERSION_ID="12"\n', [APT, DNF], 'apt', 'chrony.service', '/etc/chrony/chrony.conf'),
    ('ID="almalinux"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\n', [APT, DNF], 'dnf', 'chronyd.service', '/etc/chrony.conf'),
])
def test_the_package_manager_that_is_there_decides(tmp_path, release, commands, manager, unit, config):
    host = FakeHost(tmp_path, 'alma-9')
    host.put('/etc/os-release', release)
    for command in commands:
        host.put(command, '')
    assert discovery.package_manager(host) == manager
    assert discovery.why_no_packages(host) == ''
    chrony = discovery.find_daemons(host)[0]
    assert (chrony['package'], chrony['unit'], chrony['config']) == ('chrony', unit, config)


@pytest.mark.parametrize(('release', 'files', 'said'), [
    ('ID="opensuse-microos"\nID_LIKE="suse opensuse opensuse-tumbleweed"\n', [ZYPPER, '/usr/sbin/transactional-update'],
     'transactional-update'),
    ('ID="sl-micro"\nID_LIKE="suse"\nVERSION_ID="6.0"\n', [ZYPPER], 'transactional-update'),
    ('ID=flatcar\nID_LIKE=coreos\nVERSION_ID=3815.2.0\n', [], 'image without a package manager'),
    ('ID=fedora\nVARIANT_ID=coreos\nVERSION_ID=41\n', ['/run/ostree-booted', '/usr/bin/rpm-ostree'], 'rpm-ostree'),
    # yum is a link to tdnf, see below.
    ('NAME="VMware Photon OS"\nID=photon\nVERSION_ID=4.0\n', ['/usr/bin/tdnf'], 'tdnf install chrony'),
    ('ID=gentoo\n', [], 'none of the package managers apt, dnf, yum, zypper is here'),
])
def test_where_no_package_can_be_installed_that_is_said(tmp_path, release, files, said):
    host = FakeHost(tmp_path, 'alma-9')
    host.put('/etc/os-release', release)
    for path in files:
        host.put(path, '')
    if 'photon' in release:
        os.symlink('tdnf', host.path('/usr/bin/yum'))
    assert discovery.package_manager(host) == ''
    assert said in discovery.why_no_packages(host)


def test_a_dnf_beside_tdnf_installs(tmp_path):
    host = FakeHost(tmp_path, 'alma-9')
    host.put('/etc/os-release', 'ID=azurelinux\nVERSION_ID="3.0"\n')
    host.put('/usr/bin/tdnf', '')
    host.put(DNF, '')
    assert (discovery.package_manager(host), discovery.why_no_packages(host)) == ('dnf', '')
    os.remove(host.path(DNF))
    chrony = discovery.find_daemons(host)[0]
    assert (discovery.package_manager(host), chrony['unit'], chrony['config']) == ('', 'chronyd.service', '/etc/chrony.conf')


# What runs beside the known units

SETS_CLOCK = 'Name:\tx\nCapEff:\t000001ffffffffff\n'


def process(host, pid, name, command, unit='', status=SETS_CLOCK):
    if unit.endswith('.service') and '/' not in unit:
        host.put('/usr/lib/systemd/system/' + unit, '[Service]\nExecStart={0}\n'.format(command))
    host.put('/proc/{0}/comm'.format(pid), name + '\n')
    host.put('/proc/{0}/cmdline'.format(pid), command.replace(' ', '\0') + '\0')
    host.put('/proc/{0}/cgroup'.format(pid), '0::/system.slice/{0}\n'.format(unit) if unit else '0::/user.slice/session-1.scope\n')
    host.put('/proc/{0}/status'.format(pid), status)


@pytest.mark.parametrize(('name', 'command', 'unit', 'status', 'found'), [
    ('phc2sys', '/usr/sbin/phc2sys -w -s eth0', 'phc2sys@eth0.service', SETS_CLOCK, ('phc2sys@eth0.service', False)),
    ('phc2sys', '/usr/sbin/phc2sys -s CLOCK_REALTIME -c eth0 -O 37', 'phc2sys@eth0.service', SETS_CLOCK, None),
    ('phc2sys', '/usr/sbin/phc2sys -a -rr --step_threshold 1', 'site-ptp.service', SETS_CLOCK, ('site-ptp.service', False)),
    ('chronyd', '/usr/sbin/chronyd', 'chrony.service', SETS_CLOCK, None),
    ('chronyd', '/usr/sbin/chronyd -n', '', SETS_CLOCK, ('', False)),
    ('chronyd', '/usr/sbin/chronyd -x', '', SETS_CLOCK, None),
    ('chronyd', '/usr/sbin/chronyd -dx', '', SETS_CLOCK, None),
    ('chronyd', '/usr/sbin/chronyd -l -x', '', SETS_CLOCK, ('', False)),
    ('chronyd', '/usr/sbin/chronyd', '', 'CapEff:\t00000000a80425fb\n', None),
    ('chronyd', '/usr/sbin/chronyd', 'docker-0123456789ab.scope', SETS_CLOCK, ('', False)),
    ('VBoxService', '/usr/sbin/VBoxService --pidfile /x', 'vbox-own.service', SETS_CLOCK, ('vbox-own.service', False)),
    ('VBoxService', '/usr/sbin/VBoxService --disable-timesync', 'vbox-own.service', SETS_CLOCK, None),
    ('htpdate', '/usr/sbin/htpdate -D example.com', 'my-time.service', SETS_CLOCK, ('my-time.service', True)),
    ('sshd', '/usr/sbin/sshd', 'ssh.service', SETS_CLOCK, None),
    # A systemd of a container has a unit of the same name.
    ('chronyd', '/usr/sbin/chronyd', 'docker-0123456789ab.scope/system.slice/chrony.service', SETS_CLOCK, ('', False)),
    ('ntpd', '/usr/sbin/ntpd', 'lxc.service/system.slice/ntpsec.service', SETS_CLOCK, ('', False)),
    ('ptpd2', '/usr/sbin/ptpd2 -c /etc/ptpd2.conf', 'site-ptp.service', SETS_CLOCK, ('site-ptp.service', False)),
    ('busybox', '/bin/busybox ntpd -n -p pool.example', 'bb-time.service', SETS_CLOCK, ('bb-time.service', True)),
    ('busybox', '/bin/busybox crond', 'bb-cron.service', SETS_CLOCK, None),
])
def test_a_process_that_may_set_the_clock_is_found(tmp_path, name, command, unit, status, found):
    host = FakeHost(tmp_path).has('chrony')
    process(host, 4711, name, command, unit, status)
    steerers = discovery.steerers(host)
    assert [(each.unit, each.can_stop) for each in steerers] == ([found] if found else [])
    for each in steerers:
        assert each.can_stop or each.advice


@pytest.mark.parametrize(('unit', 'command'), [
    ('sshd.service', '/usr/sbin/sshd -D'), ('crond.service', '/usr/sbin/crond -n'), ('aem.service', '/opt/aem/bin/start'),
    ('supervisor.service', '/usr/bin/supervisord -n'), ('rc-local.service', '/etc/rc.local start'),
    ('run-r0123.service', ''), ('site.service', '/bin/sh -c "chronyd -n & exec /opt/site/run"'),
    ('site.service', '/usr/sbin/chronyd -n\nExecStartPost=/opt/site/start'),
    ('site.service', '/usr/sbin/chronyd -n\nExecStartPre=/opt/x')])
@pytest.mark.parametrize(('name', 'started'), [('chronyd', '/usr/sbin/chronyd -n'), ('phc2sys', '/usr/sbin/phc2sys -w -s eth0')])
def test_a_unit_that_is_more_than_the_process_in_it_is_never_stopped(tmp_path, unit, command, name, started):
    """A chronyd that a job, a login, a supervisor or AEM had started made the role stop and disable their whole unit."""
    host = FakeHost(tmp_path).has('chrony')
    process(host, 4711, name, started, unit)
    host.put('/usr/lib/systemd/system/' + unit, '[Service]\nExecStart={0}\n'.format(command))
    assert [(each.unit, each.place, each.can_stop, each.advice) for each in discovery.steerers(host)] == [
        ('', 'process 4711 of ' + unit, False, 'Stop it, then run again.')]


@pytest.mark.parametrize('prefix', ['/lxc/author', '/machine.slice/systemd-nspawn@author.service/payload'])
def test_in_a_machine_that_is_a_container_its_own_daemon_is_known(tmp_path, prefix):
    host = FakeHost(tmp_path).has('chrony')
    process(host, 4711, 'chronyd', '/usr/sbin/chronyd')
    host.put('/proc/4711/cgroup', '3:cpu:/\n1:name=systemd:{0}/system.slice/chrony.service\n'.format(prefix))
    host.put('/proc/1/cgroup', '1:name=systemd:{0}/init.scope\n'.format(prefix))
    assert discovery.steerers(host) == []
    host.put('/proc/4711/cgroup', '1:name=systemd:{0}/system.slice/docker-1.scope/system.slice/chrony.service\n'.format(prefix))
    assert len(discovery.steerers(host)) == 1


@pytest.mark.parametrize(('uid_map', 'count'), [('         0     100000      65536\n', 0),
                                                ('         0          0 4294967295\n', 1)])
def test_a_container_without_privileges_sets_no_clock_of_this_host(tmp_path, uid_map, count):
    host = FakeHost(tmp_path).has('chrony')
    process(host, 4711, 'chronyd', '/usr/sbin/chronyd', 'lxc.payload.web.scope')
    host.put('/proc/4711/uid_map', uid_map)
    assert len(discovery.steerers(host)) == count


@pytest.mark.parametrize(('unit', 'text', 'can_stop'), [
    ('phc2sys@eth0.service', '[Service]\nExecStart=/usr/sbin/phc2sys -w -s %I\n', False),
    ('phc2sys@eth0.service', '[Service]\nExecStart=/usr/sbin/phc2sys -s CLOCK_REALTIME -c %I -O 37\n', None),
    ('site-time.timer', '[Timer]\nOnCalendar=hourly\n', True),
])
def test_an_enabled_unit_that_sets_the_clock_is_found(tmp_path, unit, text, can_stop):
    host = FakeHost(tmp_path, files={'/usr/sbin/ntpdate': ''}).has('chrony')
    host.put('/usr/lib/systemd/system/' + ('phc2sys@.service' if '@' in unit else unit), text)
    host.put('/usr/lib/systemd/system/site-time.service', '[Service]\nType=oneshot\nExecStart=/usr/sbin/ntpdate -u ntp.example\n')
    os.makedirs(host.path('/etc/systemd/system/multi-user.target.wants'))
    os.symlink('/usr/lib/systemd/system/' + unit, host.path('/etc/systemd/system/multi-user.target.wants/' + unit))
    assert [(each.unit, each.can_stop) for each in discovery.steerers(host)] == ([] if can_stop is None else [(unit, can_stop)])


@pytest.mark.parametrize(('commands', 'can_stop', 'in_timer'), [
    (['/usr/sbin/ntpdate -u ntp.example', '/sbin/hwclock -w'], [True], [True]),
    (['/usr/sbin/ntpdate -u ntp.example', '/opt/site/mount'], [], [False]),
    (['/opt/aem/bin/start', '-/usr/sbin/ntpdate -u ntp.example'], [], [False]),
    (['/usr/sbin/ntpdate a\nExecStartPre=/bin/sleep 5\nExecStartPre=-systemctl stop ntpd\n'
      'ExecStartPost=systemctl --no-block start ntpd'], [True], [True]),
    (['/bin/true\nExecStartPost=/usr/sbin/ntpdate a'], [True], [True]), (['/opt/x\nExecStartPre=/usr/sbin/ntpdate a'], [], [False]),
    (['/usr/sbin/ntpdate a\nExecStartPost=systemctl start site'], [], [False]),
    (['/usr/sbin/ntpdate a\nExecStop=/opt/site/flush'], [], [False]),
    (['/usr/sbin/ntpdate a\nExecReload=/bin/kill -HUP $MAINPID'], [True], [True])])
@pytest.mark.parametrize('kind', ['service', 'timer'])
def test_a_unit_with_other_commands_is_not_stopped(tmp_path, commands, can_stop, in_timer, kind):
    host = FakeHost(tmp_path, files={'/usr/sbin/ntpdate': ''}).has('chrony')
    host.put('/usr/lib/systemd/system/site.service', '[Service]\nType=oneshot\n' + ''.join(
        'ExecStart={0}\n'.format(command) for command in commands))
    os.makedirs(host.path('/etc/systemd/system/multi-user.target.wants'))
    os.symlink('/usr/lib/systemd/system/site.' + kind, host.path('/etc/systemd/system/multi-user.target.wants/site.' + kind))
    assert [each.can_stop for each in discovery.steerers(host)] == (in_timer if kind == 'timer' else can_stop)


@pytest.mark.parametrize(('options', 'steers'), [
    ('-a -r', True), ('-a', False), ('-s CLOCK_REALTIME -c eth0 -w', False), ('-seth0 -cCLOCK_REALTIME', True),
    ('-s eth0 -w', True), ('-a -r -n 24 --step_threshold=1', True), ('-a -m -R 8', False),
    ('-d /dev/pps0 -s eth0', True), ('--surprise -9', True), ('-a -r -E ntpshm -M 0', False), ('-s eth0 -w -E pi', True),
    ('-s eth0 --clock_servo=refclock_sock', False)])
@pytest.mark.parametrize('runs', [True, False])
def test_phc2sys_steers_unless_it_only_sets_the_clocks_of_network_cards(tmp_path, options, steers, runs):
    host = FakeHost(tmp_path).has('chrony')
    host.units['phc2sys.service'] = ['active' if runs else 'inactive', 'enabled']
    host.put('/usr/lib/systemd/system/phc2sys.service',
             '[Service]\nEnvironmentFile=-/etc/sysconfig/phc2sys\nExecStart=/usr/sbin/phc2sys $OPTIONS\n')
    host.put('/etc/sysconfig/phc2sys', 'OPTIONS="{0}"\n'.format(options))
    assert [each.unit for each in discovery.steerers(host)] == (['phc2sys.service'] if steers else [])


def test_connman_steers_unless_it_was_told_not_to(tmp_path):
    host = FakeHost(tmp_path).has('chrony')
    host.units['connman.service'] = ['active', 'enabled']
    host.put('/var/lib/connman/settings', '[global]\nTimeUpdates=auto\n')
    assert ['timeupdates manual' in each.advice for each in discovery.steerers(host)] == [True]
    host.put('/var/lib/connman/settings', '[global]\nTimeUpdates=manual\n')
    assert discovery.steerers(host) == []


def test_ptp4l_steers_only_with_software_time_stamps(tmp_path):
    host = FakeHost(tmp_path).has('chrony')
    host.units['ptp4l.service'] = ['active', 'enabled']
    assert discovery.steerers(host) == []
    host.put('/etc/linuxptp/ptp4l.conf', '[global]\ntime_stamping\tsoftware\n')
    assert [each.unit for each in discovery.steerers(host)] == ['ptp4l.service']


@pytest.mark.parametrize(('options', 'config', 'steers'), [
    ('-f /etc/site.conf -i eth0', 'time_stamping hardware\n', False), ('-f /etc/site.conf -i eth0 -S', '', True),
    ('-2Sm -i eth0', '', True), ('-i eth0 -m', '', False), ('-f /etc/site.conf', 'time_stamping software\n', True),
    ('-f /etc/site.conf -H', 'time_stamping software\n', False), ('-i eth0 --time_stamping=software', '', True),
    ('-f /etc/site.conf', 'time_stamping software\nfree_running 1\n', False),
    ('-f /etc/site.conf -S', 'clock_servo ntpshm\n', False), ('-f /etc/site.conf -S', '#free_running 1\nclock_servo pi\n', True)])
@pytest.mark.parametrize(('unit', 'runs'), [
    ('ptp4l.service', True), ('ptp4l.service', False), ('ptp4l@eth0.service', True), ('ptp4l@eth0.service', False)])
def test_ptp4l_steers_by_its_options_also_as_an_instance(tmp_path, options, config, steers, unit, runs):
    host = FakeHost(tmp_path).has('chrony')
    host.put('/etc/site.conf', '[global]\n' + config)
    host.put('/usr/lib/systemd/system/{0}'.format(unit.replace('eth0', '')),
             '[Service]\nExecStart=/usr/sbin/ptp4l {0}\n'.format(options))
    if '@' not in unit:
        host.units[unit] = ['active' if runs else 'inactive', 'enabled']
    if runs:
        process(host, 4711, 'ptp4l', '/usr/sbin/ptp4l ' + options, unit)
    else:
        os.makedirs(host.path('/etc/systemd/system/multi-user.target.wants'))
        os.symlink('/usr/lib/systemd/system/ptp4l@.service', host.path('/etc/systemd/system/multi-user.target.wants/' + unit))
    assert [(each.unit, each.can_stop) for each in discovery.steerers(host)] == ([(unit, False)] if steers else [])


@pytest.mark.parametrize(('release', 'usual'), [('debian-13', 'chrony'), ('ubuntu-26.04', 'chrony'), ('alma-9', 'chronyd')])
@pytest.mark.parametrize(('usual_state', 'other_state', 'other_in_use'), [
    (['inactive', 'disabled'], ['active', 'enabled'], True), (['inactive', 'enabled'], ['active', 'enabled'], True),
    (['inactive', 'disabled'], ['inactive', 'enabled'], True), (['active', 'enabled'], ['inactive', 'enabled'], False),
    (['active', 'enabled'], ['inactive', 'disabled'], False)])
def test_the_restricted_unit_of_chronyd_counts_where_it_is_in_use(
        tmp_path, release, usual, usual_state, other_state, other_in_use):
    host = FakeHost(tmp_path, release).has(usual)
    host.units[usual + '.service'] = usual_state
    host.units['chronyd-restricted.service'] = other_state
    facts = next(each for each in discovery.find_daemons(host) if each['name'] == 'chrony')
    assert facts['unit'] == ('chronyd-restricted' if other_in_use else usual) + '.service'
    assert facts['active'] == ('active' in (other_state if other_in_use else usual_state))
