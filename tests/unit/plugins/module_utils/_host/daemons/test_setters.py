# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What sets a clock beside a time daemon, and what only looks like it: a wrong finding refuses a repair or stops a service."""

import os

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import discovery, setters
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._host.hosts import FakeHost


@pytest.mark.parametrize('command', [
    'ntpclient -s -h ntp1', 'net time set -S dc1.example', '/usr/bin/net -S dc1 time set',
    '/usr/sbin/ntpdate -u ntp1', 'ntpdate -t 2 ntp1', 'sudo -u root ntpdate x', 'timeout 10 ntpdate x >/dev/null 2>&1',
    '(sleep 5; ntpdate x)', 'systemctl stop ntpd && ntpdate x && systemctl start ntpd', 'if ! ntpdate x; then',
    'flock -n /run/lock/t -c "ntpdate ntp1"', "su - root -c 'ntpdate ntp1'", 'test -x /usr/sbin/ntpdate && /usr/sbin/ntpdate ntp1',
    'ntpdate "$server" # every hour', '"/usr/sbin/ntpdate" ntp1', 'env LANG=C nice -n 5 ntpdate ntp1', '/usr/bin/env ntpdate ntp1',
    'sntp -s ntp1', 'sntp -S pool', 'ntpdig --step pool', "chronyd -q 'server a iburst'", 'chronyd -t 5 -q', 'ntpd -gq',
    'ntpd -q -p /run/x.pid -g', 'ntpd --quit', 'busybox ntpd -q -n -p pool', 'rdate -s t', 'htpdate -s x',
    'date -s "$(curl -sI example.com | grep -i ^date)"', 'date --set="2020-01-01"', 'date -us 2020', 'date 010203042020',
    '/sbin/hwclock --hctosys', 'hwclock -s', 'timedatectl set-time 2020-01-01', 'echo "now $(ntpdate ntp1)"',
    '$(which ntpdate) -u ntp1', '`which ntpdate` ntp1', '"$(command -v ntpdate)" ntp1',
    'nsenter -t 1 -m -u -n -i ntpdate a', 'ip vrf exec mgmt ntpdate a', 'ip netns exec x ntpdate a', 'runuser -u root -- ntpdate a',
    'systemd-cat -t clock ntpdate a', 'cat /etc/servers | xargs -n1 ntpdate', 'rdate -p -s a', 'numactl -N 0 ntpdate a',
    '/usr/sbin/start-ntpd ntptimeset', 'rcntpd ntptimeset', 'service ntpdate start', '/sbin/service ntpdate restart',
    'systemctl restart ntpdate', 'systemctl --quiet start ntpdate.service x.service',
])
def test_a_command_that_sets_the_clock_is_seen(command):
    assert setters.setter_in(command)


@pytest.mark.parametrize('command', [
    'date | mail -s report root', 'LOG=x-$(date +%F).log; curl -s http://x', 'cp a b-`date +%F`; logger -s done',
    'tar czf /backup/$(date +%Y%m%d).tgz /opt/aem && rsync -s x y', 'date; ls -s', 'date +%s -u', 'date -d 20200101',
    'ntpclient -h ntp1 -c 1', 'net time -S dc1.example', 'net ads join', 'net time system',
    'ntpdate -q ntp1', 'ntpdate -t 2 -q ntp1', 'ntpdate -d ntp1', 'rdate -p t', "chronyd -Q 'server a'", 'sntp ntp1',
    'ntpdig -j pool',
    'apt-get install -y ntpdate', 'yum -y remove ntpdate', 'rpm -q ntpdate', 'which ntpdate', 'command -v ntpdate >/dev/null',
    'test -x /usr/sbin/ntpdate || exit 0', 'if [ -x /usr/sbin/ntpdate ]; then', 'service ntpdate status',
    'systemctl disable ntpdate',
    'chkconfig ntpdate off', 'grep -c rdate /var/log/x', 'pgrep -x ntpd && curl -q x', 'ps -ef | grep ntpd | grep -q x',
    'systemctl is-active ntpd -q', "ntpq -p | grep -q '^\\*'", 'logger -t ntpdate hello',
    'echo "ntpdate failed" | mail -s ntpdate root',
    'hwclock -r | mail -s x y', 'hwclock --systohc', 'sleep 1 # ntpdate ntp1', '/opt/aem/backup.sh --date -s',
    'ip route add default dev date -s', 'ip netns list ntpdate', 'xargs -n 1 echo ntpdate', 'service ntpd start', 'rcntpd start',
    'systemctl stop ntpdate', 'systemctl enable ntpdate', 'systemctl restart chronyd', 'sntp -r pool',
    'timedatectl status', '', 'if [ -z "$(which ntpdate)" ]; then', 'NTPDATE=$(which ntpdate)', '$NTPDATE ntp1',
])
def test_a_line_that_only_looks_like_it_is_not(command):
    assert setters.setter_in(command) == ''


@pytest.mark.parametrize(('path', 'line', 'job'), [
    ('/etc/crontab', '*/5 * * * * root ntpdate a', 'ntpdate a'), ('/etc/cron.d/x', '@hourly root ntpdate a', 'ntpdate a'),
    ('/var/spool/cron/root', '0 1 * * 1-5 ntpdate a', 'ntpdate a'),
    ('/var/spool/cron/crontabs/root', '@daily ntpdate a', 'ntpdate a'),
    ('/etc/anacrontab', '1 5 cron.daily nice ntpdate a', 'nice ntpdate a'), ('/etc/crontab', 'MAILTO=ntpdate', None),
    ('/etc/crontab', '# 0 1 * * * root ntpdate a', None), ('/etc/crontab', '0 1 * * *', None),
])
def test_the_command_of_a_job_is_what_follows_its_times_and_its_account(path, line, job):
    assert setters.job_of(path, line) == job


def found(host):
    return [(each.name, each.unit, each.place, each.can_stop) for each in discovery.steerers(host)]


def started_at_boot(tmp_path, unit, command, script=''):
    host = FakeHost(tmp_path, files={'/usr/sbin/ntpdate': ''})
    host.put('/usr/lib/systemd/system/' + unit, '[Service]\nExecStart={}\n'.format(command))
    if script:
        host.put('/opt/aem/start.sh', '#!/bin/sh\n' + script)
    folder = host.path('/etc/systemd/system/multi-user.target.wants')
    os.makedirs(folder, exist_ok=True)
    os.symlink('/usr/lib/systemd/system/' + unit, os.path.join(folder, unit))
    return host


def test_the_unit_of_aem_is_never_one_to_stop_because_its_script_sets_the_clock_first(tmp_path):
    host = started_at_boot(tmp_path, 'aem.service', '/opt/aem/start.sh', 'ntpdate -u ntp1\nexec java -jar aem.jar\n')
    assert found(host) == []


def test_a_script_that_sets_the_clock_again_and_again_is_named_and_not_stopped(tmp_path):
    host = started_at_boot(tmp_path, 'site.service', '/opt/aem/start.sh', 'while sleep 60; do\nntpdate ntp1\ndone\n')
    assert found(host) == [('ntpdate by site.service', '', '/opt/aem/start.sh line 3', False)]


def test_a_shell_of_several_commands_is_named_and_not_stopped(tmp_path):
    host = started_at_boot(tmp_path, 'loop.service', "/bin/sh -c 'while true; do ntpdate ntp1; sleep 60; done'")
    assert found(host) == [('ntpdate by loop.service', '', '/usr/lib/systemd/system/loop.service line 2', False)]


def test_a_unit_that_only_sets_the_clock_is_one_to_stop(tmp_path):
    host = started_at_boot(tmp_path, 'clock.service', '-/usr/sbin/ntpdate -u ntp1')
    assert found(host) == [('ntpdate by clock.service', 'clock.service', '/usr/lib/systemd/system/clock.service line 2', True)]


def test_a_job_is_named_with_its_script(tmp_path):
    host = FakeHost(tmp_path, files={'/etc/cron.d/site': '0 1 * * * root date | mail -s up root\n5 * * * * root /opt/clock\n',
                                     '/opt/clock': '#!/bin/sh\nntpdate ntp1\n', '/usr/sbin/ntpdate': ''})
    assert found(host) == [('ntpdate by cron (/etc/cron.d/site line 2)', '', '/opt/clock line 2', False)]


@pytest.mark.parametrize(('job', 'line'), [
    ('root /usr/sbin/ntpdate -u ntp1', ''), ('root sleep 30 && ntpdate ntp1', ''), ('root /opt/once', ''),
    ('root while true; do ntpdate ntp1; sleep 600; done', '/etc/cron.d/site line 1'), ('root /opt/loop', '/opt/loop line 3')])
def test_a_job_of_the_boot_does_not_count_without_a_loop(tmp_path, job, line):
    """A daemon was refused beside a clock that is set before it starts, as with units."""
    host = FakeHost(tmp_path, files={'/etc/cron.d/site': '@reboot ' + job + '\n', '/usr/sbin/ntpdate': '',
                                     '/opt/once': '#!/bin/sh\nntpdate ntp1\n',
                                     '/opt/loop': '#!/bin/sh\nwhile true; do\n  ntpdate ntp1\n  sleep 600\ndone\n'})
    assert [place for _name, _unit, place, _stop in found(host)] == [line] * bool(line)


@pytest.mark.parametrize(('path', 'text'), [
    ('/etc/cron.d/ntp', '*/10 * * * * root /usr/sbin/ntpdate -s ntp1 > /dev/null 2>&1\n'),
    ('/var/spool/cron/root', '0 3 * * * /opt/clock\n'),
    ('/etc/systemd/system/clock.service', '[Service]\nExecStart=/usr/sbin/ntpdate -u ntp1\n'),
    ('/etc/crontab', '*/30 * * * * root sudo ntpdate -s ntp1\n'),
    ('/etc/systemd/system/clock.service', '[Service]\nExecStart=ntpdate a\n')])
def test_a_program_that_is_not_installed_any_more_sets_no_clock(tmp_path, path, text):
    """RHEL 8 and newer have no ntpdate. The jobs of a host that was upgraded are still there, and no daemon was configured."""
    host = FakeHost(tmp_path, files={path: text, '/opt/clock': '#!/bin/sh\nsudo /usr/sbin/ntpdate -u ntp1\n'}).has('chrony')
    os.makedirs(host.path('/etc/systemd/system/multi-user.target.wants'))
    os.symlink('/etc/systemd/system/clock.service', host.path('/etc/systemd/system/multi-user.target.wants/clock.service'))
    assert found(host) == []
    host.put('/usr/sbin/ntpdate', '')
    assert len(found(host)) == 1


@pytest.mark.parametrize('command', ['busybox ntpd -q -p pool', 'chroot /srv/x ntpdate a', 'date -s 2020-01-01', './ntpdate a'])
def test_a_program_that_is_not_looked_for_counts_as_installed(command):
    assert setters.setter_in(command, None, lambda path: False)


@pytest.mark.parametrize(('assigned', 'used'), [
    ('NTPDATE=/usr/sbin/ntpdate', '$NTPDATE -u ntp1'), ('export NTPDATE="/usr/sbin/ntpdate"', '"${NTPDATE}" ntp1'),
    ('NTPDATE=$(which ntpdate)', '[ -x "$NTPDATE" ] && $NTPDATE ntp1'), ("CMD='ntpdate' # as always", 'sudo $CMD ntp1')])
def test_a_program_in_a_variable_of_a_script_is_seen(tmp_path, assigned, used):
    host = FakeHost(tmp_path, files={'/etc/cron.hourly/clock': '#!/bin/sh\n{0}\n{1}\n'.format(assigned, used),
                                     '/usr/sbin/ntpdate': ''})
    os.chmod(host.path('/etc/cron.hourly/clock'), 0o755)
    assert found(host) == [('ntpdate by cron', '', '/etc/cron.hourly/clock line 3', False)]
    host.put('/etc/cron.hourly/clock', '#!/bin/sh\n{0}\necho $NTPDATE $CMD\n$NTPDATED\n'.format(assigned))
    assert found(host) == []


@pytest.mark.parametrize(('text', 'mode', 'count'), [
    ('#!/bin/sh\nntpdate -u ntp1\nexit 0\n', 0o755, 0),
    ('#!/bin/sh\n(while true; do ntpdate -u ntp1; sleep 3600; done) &\nexit 0\n', 0o755, 1),
    ('#!/bin/sh\nwhile :; do\n  rdate -s time1\n  sleep 600\ndone &\n', 0o755, 1),
    ('#!/bin/sh\nwhile :; do ntpdate -u ntp1; done &\n', 0o644, 0),
    ('#!/bin/sh\nwhile :; do /opt/site/watch; sleep 9; done &\n', 0o755, 0)])
def test_what_rc_local_leaves_running_goes_on_to_set_the_clock(tmp_path, text, mode, count):
    host = FakeHost(tmp_path, files={'/sbin/ntpdate': '', '/usr/local/bin/rdate': ''}).has('chrony')
    host.put('/etc/rc.local', text)
    os.chmod(host.path('/etc/rc.local'), mode)
    found = discovery.steerers(host)
    assert len(found) == count
    assert all(each.place.startswith('/etc/rc.local line') and not each.can_stop for each in found)


@pytest.mark.parametrize(('folder', 'masked', 'can_stop'), [
    ('/etc/systemd/system/timers.target.wants', False, [True]), ('/etc/systemd/system/site.target.requires', False, [True]),
    ('/usr/lib/systemd/system/timers.target.wants', False, [False]), ('/run/systemd/system/timers.target.wants', False, [False]),
    ('/usr/lib/systemd/system/timers.target.wants', True, [])])
def test_a_timer_is_stopped_where_that_also_disables_it(tmp_path, folder, masked, can_stop):
    host = FakeHost(tmp_path, files={'/usr/sbin/ntpdate': ''}).has('chrony')
    host.put('/usr/lib/systemd/system/x.timer', '[Timer]\nOnCalendar=hourly\n')
    host.put('/usr/lib/systemd/system/x.service', '[Service]\nType=oneshot\nExecStart=/usr/sbin/ntpdate -u a\n')
    os.makedirs(host.path(folder))
    os.symlink('/usr/lib/systemd/system/x.timer', host.path(folder + '/x.timer'))
    if masked:
        os.symlink('/dev/null', host.path('/etc/systemd/system/x.timer'))
    steerers = discovery.steerers(host)
    assert [each.can_stop for each in steerers] == can_stop
    assert all(each.can_stop or each.advice.startswith('Mask x.timer, or override') for each in steerers)


@pytest.mark.parametrize('command', ['service ntpdate start', 'systemctl start ntpdate.service'])
@pytest.mark.parametrize('unit', ['/usr/lib/systemd/system/ntpdate.service', '/etc/init.d/ntpdate', ''])
def test_a_job_that_starts_the_service_of_ntpdate_sets_the_clock_where_it_has_one(tmp_path, command, unit):
    host = FakeHost(tmp_path, 'centos-7', {'/etc/crontab': '30 * * * * root {0}\n'.format(command), '/sbin/service': '',
                                           '/usr/bin/systemctl': ''})
    host.put(unit or '/nothing', '')
    assert [place for _name, _unit, place, _stop in found(host)] == ['/etc/crontab line 1'] * bool(unit)


@pytest.mark.parametrize('job', ['sh /opt/plain.sh', 'cd / && /bin/bash -e /opt/plain.sh', 'cd /opt && ./clock.sh',
                                 'run-parts --report /etc/cron.clock', '/opt/clock.sh', '/opt/plain.sh', 'cd /srv && ./clock.sh'])
def test_a_script_counts_where_a_job_runs_it(tmp_path, job):
    host = FakeHost(tmp_path, files={
        '/usr/sbin/ntpdate': '', '/opt/plain.sh': '/usr/sbin/ntpdate a\n', '/opt/clock.sh': '#!/bin/sh\n/usr/sbin/ntpdate a\n',
        '/etc/cron.clock/clock': '#!/bin/sh\n/usr/sbin/ntpdate a\n', '/etc/cron.d/x': '0 * * * * root {0}\n'.format(job)})
    os.chmod(host.path('/etc/cron.clock/clock'), 0o755)
    assert len(found(host)) == (job not in ('/opt/plain.sh', 'cd /srv && ./clock.sh'))


@pytest.mark.parametrize(('script', 'edited'), [('/usr/sbin/clock', '/etc/cron.d/x line 1'), ('/opt/clock', '/opt/clock line 2')])
def test_the_advice_is_to_edit_no_script_of_a_package(tmp_path, script, edited):
    host = FakeHost(tmp_path, files={'/usr/sbin/ntpdate': '', script: '#!/bin/sh\nntpdate a\n',
                                     '/etc/cron.d/x': '0 * * * * root {0}\n'.format(script)})
    (steerer,) = discovery.steerers(host)
    assert (steerer.place, steerer.advice) == (script + ' line 2', 'Remove the command from {0}, then run again.'.format(edited))


@pytest.mark.parametrize(('release', 'count'), [('debian-12', 0), ('ubuntu-24.04', 0), ('alma-9', 2), ('sles-15', 2)])
def test_debians_cron_reads_no_file_with_a_dot_in_its_name(tmp_path, release, count):
    host = FakeHost(tmp_path, release, {'/usr/sbin/ntpdate': '', '/etc/cron.d/site.conf': '0 * * * * root ntpdate a\n',
                                        '/etc/cron.daily/clock.sh': '#!/bin/sh\nntpdate a\n'})
    os.chmod(host.path('/etc/cron.daily/clock.sh'), 0o755)
    assert len(found(host)) == count
