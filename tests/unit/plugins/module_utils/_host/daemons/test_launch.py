# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a unit starts its daemon, which conditions keep it from starting, and what the running process was given."""

import os
import subprocess

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import conditions, discovery, launch, unit_files
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.wanted import NOTHING, Refused
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.host import Host
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._host.hosts import FakeHost

UNIT = '/usr/lib/systemd/system/chrony.service'


@pytest.fixture
def host(tmp_path):
    found = Host(root=str(tmp_path))

    def put(path, text, mode=0o644):
        target = tmp_path / path.lstrip('/')
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)
    found.put = put
    return found


def arguments(host):
    return launch.of_unit(host, 'chrony.service', ('/usr/sbin/chronyd',), ('/etc/default/chrony', 'DAEMON_OPTS'), (), '-f')


@pytest.mark.parametrize(('unit', 'files', 'words', 'place'), [
    ('ExecStart=!/usr/sbin/chronyd $OPTS', {}, [], UNIT + ' line 2'),
    ('ExecStart=-/usr/sbin/chronyd "-f" \'/a b\' # x', {}, ['-f', '/a b', '#', 'x'], UNIT + ' line 2'),
    ('ExecStart=@/usr/sbin/chronyd name -x', {}, ['-x'], UNIT + ' line 2'),
    ('EnvironmentFile=-/etc/missing\nExecStart=/usr/sbin/chronyd $OPTS', {}, [], UNIT + ' line 3'),
    ('Environment="A=-f /x" B=2\nExecStart=/usr/sbin/chronyd $A ${A} ${B}y', {}, ['-f', '/x', '-f /x', '2y'], UNIT + ' line 2'),
    ('Environment=A=1\nEnvironmentFile=/etc/env\nExecStart=/usr/sbin/chronyd $A', {'/etc/env': '# c\nA="-4 -x"\n'},
     ['-4', '-x'], '/etc/env line 2'),
    # Only before a value are quotes what they are for a shell.
    ('EnvironmentFile=/etc/env\nExecStart=/usr/sbin/chronyd $A', {'/etc/env': '\nA=-4 -f /etc/other.conf\n'},
     ['-4', '-f', '/etc/other.conf'], '/etc/env line 2'),
    ('EnvironmentFile=/etc/env\nExecStart=/usr/sbin/chronyd $A', {'/etc/env': 'A=-4 # c\n'}, ['-4', '#', 'c'], '/etc/env line 1'),
    ('EnvironmentFile=/etc/env\nExecStart=/usr/sbin/chronyd $A', {'/etc/env': 'A="-4"" -x" \n'}, ['-4', '-x'], '/etc/env line 1'),
    ('EnvironmentFile=/etc/env\nExecStart=/usr/sbin/chronyd $A', {'/etc/env': 'A="-4\n-x"\n  B = 1\nA=\'-6\' \n'},
     ['-6'], '/etc/env line 4'),
    ('EnvironmentFile=/etc/env\nExecStart=/usr/sbin/chronyd ${A} $B', {'/etc/env': 'A="a\\"\\x"\nB=-\\\n4'}, ['a"\\x', '-4'],
     '/etc/env line 1 and /etc/env line 2'),
    ('EnvironmentFile=/etc/env\nExecStart=/usr/sbin/chronyd $A', {'/etc/env': 'A="-4'}, ['-4'], '/etc/env line 1'),
    ('Environment=A=-x B=-4\nExecStart=/usr/sbin/chronyd $$A $A$B x$A ${A}${B} $C', {}, ['$A', 'x$A', '-x-4'], UNIT + ' line 2'),
    ('Environment=A=-x\nExecStart=-:/usr/sbin/chronyd $A ${A} $$', {}, ['$A', '${A}', '$$'], UNIT + ' line 3'),
    ('ExecStart=+@-/usr/sbin/chronyd name -4', {}, ['-4'], UNIT + ' line 2'),
    ('ExecStart=/usr/sbin/chronyd -4 \\\\\n-x', {}, ['-4', '\\'], UNIT + ' line 2'),
    ('ExecStart=/usr/sbin/chronyd -4 \\', {}, ['-4'], UNIT + ' line 2'),
    ('EnvironmentFile=/etc/env.d/*\nExecStart=/usr/sbin/chronyd $A', {'/etc/env.d/1': 'A=-4\n', '/etc/env.d/2': 'A=-6\n'},
     ['-6'], '/etc/env.d/2 line 1'),
    ('EnvironmentFile=/etc/env\nExecStart=/usr/sbin/chronyd $A', {'/etc/env': 'A=-4\nexport A=-6\n'}, ['-4'], '/etc/env line 1'),
    ('EnvironmentFile=/etc/env\nExecStart=/usr/sbin/chronyd $A', {'/etc/env': '; c\nA="-4 \\\n -x"\n'}, ['-4', '-x'],
     '/etc/env line 2'),
    ('EnvironmentFile=/etc/default/%p\nExecStart=/usr/sbin/chronyd $A -p %t/%N.pid %%1', {'/etc/default/chrony': 'A=-6\n'},
     ['-6', '-p', '/run/chrony.pid', '%1'], '/etc/default/chrony line 1'),
    ('ExecStart=/usr/sbin/chronyd -4 \\\n# between\n  -x', {}, ['-4', '-x'], UNIT + ' line 2'),
    ('ExecStart=/usr/sbin/chronyd -4\nExecStart=\nExecStart=/usr/sbin/chronyd -6', {}, ['-6'], UNIT + ' line 4'),
    ('ExecStart=/usr/sbin/chronyd "unclosed', {}, ['unclosed'], UNIT + ' line 2'),
    ('ExecStart=/usr/sbin/chronyd a\\x20b "\\x2dx\\s" \\\\x20c \\101', {}, ['a b', '-x ', '\\x20c', 'A'], UNIT + ' line 2'),
    ('Environment=A=-f\\x20/a\nExecStart=/usr/sbin/chronyd $A', {}, ['-f', '/a'], UNIT + ' line 2'),
    ('Environment=A=-x B=-4\nEnvironmentFile=/etc/env\nUnsetEnvironment=A C\nExecStart=/usr/sbin/chronyd $A $B $C',
     {'/etc/env': 'C=-6\n'}, ['-4'], UNIT + ' line 2'),
])
def test_what_a_unit_gives_its_daemon(host, unit, files, words, place):
    host.put(UNIT, '[Service]\n' + unit + '\n')
    for path, text in files.items():
        host.put(path, text)
    found = arguments(host)
    assert (found.arguments, found.place, found.known) == (words, place, True)


def test_a_drop_in_counts_after_the_unit_and_one_below_etc_hides_the_vendor_s(host):
    host.put(UNIT, '[Service]\nExecStart=/usr/sbin/chronyd -4\n')
    host.put('/usr/lib/systemd/system/chrony.service.d/50.conf', '[Service]\nExecStart=\nExecStart=/usr/sbin/chronyd -6\n')
    assert arguments(host).arguments == ['-6']
    host.put('/etc/systemd/system/chrony.service.d/50.conf', '')
    assert arguments(host).arguments == ['-4']
    host.put('/etc/systemd/system/chrony.service', '[Service]\nExecStart=/usr/sbin/chronyd -x\n')
    assert arguments(host).arguments == ['-x']


def test_a_script_is_not_understood_and_a_vendor_s_wrapper_is(host):
    host.put(UNIT, '[Service]\nExecStart=/bin/sh -c "exec chronyd"\n')
    assert not arguments(host).known
    host.put(UNIT, '[Service]\nExecStart=/usr/lib/systemd/scripts/chronyd-starter.sh $DAEMON_OPTS\n')
    host.put('/etc/default/chrony', 'DAEMON_OPTS="-F -1"\n')
    assert arguments(host) == (['-F', '-1'], '/etc/default/chrony line 1', True, True)


@pytest.mark.parametrize('text', [
    "OPTS='-g -c /a'", 'OPTS="-g \\\n -c /a"', 'OPTS="-g\n -c /a"', "OPTS='-g'\nOPTS=\"$OPTS -c /a\"  # it's more",
    "FILE=/a\nOPTS=\"-c ${FILE}\"", "FILE=/a\nOPTS='-c $FILE'", "export OPTS=-g", "# OPTS='-x\nOPTS=-g\\\n4", "OPTS=-g # 'c",
    'OPTS=', "A=\"it's\"\nOPTS='-g'\\''x'", "OPTS='-g -c /a'; export OPTS",
    'OPTS="-g;4"; # x', 'readonly OPTS="-g -c /a"', 'FILE=/a; OPTS="-c $FILE"', "OPTS=-g\\;4;FILE=';'", 'OPTS=a;OPTS=b;d#;e'])
def test_variables_are_those_that_a_shell_has(host, text):
    host.put('/etc/default/ntp', text + '\n')
    done = subprocess.run(['sh', '-c', '. "$0"; printf %s "$OPTS"', host.path('/etc/default/ntp')], stdout=subprocess.PIPE,
                          check=True)
    value, place = launch.shell_variables(host, '/etc/default/ntp')['OPTS']
    assert value == done.stdout.decode()
    assert place.startswith('/etc/default/ntp line ')


@pytest.mark.parametrize(('given', 'words'), [
    ('-F 1 -f /etc/a.conf', ['-F', '1', '-f', '/etc/a.conf']), ('$DAEMON_OPTS -x', ['-F', '-1', '-x']),
    ('-f ${CONF}', ['-f', '/a b']), ('', ['-F', '-1'])])
def test_the_starter_of_ubuntu_gives_chronyd_its_own_arguments(host, given, words):
    host.put('/etc/default/chrony', 'DAEMON_OPTS="-F -1"\nCONF="/a b"\n')
    host.put(UNIT, '[Service]\nEnvironmentFile=-/etc/default/chrony\n'
             'ExecStart=/usr/lib/systemd/scripts/chronyd-starter.sh {0}\n'.format(given))
    found = arguments(host)
    assert (found.arguments, found.known, found.by_script) == (words, True, True)


@pytest.mark.parametrize(('before', 'known'), [
    ('/usr/bin/chrt -f 50', True), ('/usr/bin/nice -n -10', True), ('/usr/bin/env LANG=C A=1', True),
    ('/usr/bin/taskset -c 0', True), ('-/usr/bin/ionice -c2', True), ('/usr/bin/numactl -N 0', True),
    ('/sbin/ip vrf exec mgmt', True), ('@/usr/bin/nice name', True),
    ('/usr/sbin/chroot /srv/x', False), ('/bin/busybox', False), ('/opt/site/start', False)])
def test_a_daemon_that_a_known_program_runs_is_not_started_by_a_script(host, before, known):
    host.put(UNIT, '[Service]\nExecStart={0} /usr/sbin/chronyd -f /etc/a.conf\n'.format(before))
    found = arguments(host)
    assert (found.arguments, found.known) == (['-f', '/etc/a.conf'] if known else [], known)


@pytest.mark.parametrize(('unit', 'files', 'counts'), [
    # Of one file name the first place of units counts, there the unit's own folder before those of its prefixes.
    ('a-b.service', ['/etc/systemd/system/a-.service.d/1.conf', '/usr/lib/systemd/system/a-b.service.d/1.conf'], 0),
    ('a-b.service', ['/etc/systemd/system/a-.service.d/1.conf', '/etc/systemd/system/a-b.service.d/1.conf'], 1),
    ('a@b.service', ['/run/systemd/system/a@.service.d/1.conf', '/usr/lib/systemd/system/a@b.service.d/1.conf'], 0),
    ('a-b-c.service', ['/run/systemd/system/a-.service.d/1.conf', '/run/systemd/system/a-b-.service.d/1.conf'], 1),
    ('a-b.service', ['/etc/systemd/system/service.d/1.conf', '/usr/lib/systemd/system/a-.service.d/1.conf'], 1)])
def test_which_drop_in_of_one_name_counts(host, unit, files, counts):
    for path in files:
        host.put(path, '[Service]\nExecStart={0}\n'.format(path))
    assert [setting.value for setting in unit_files.unit_settings(host, unit)] == [files[counts]]


@pytest.mark.parametrize(('name', 'words', 'value'), [
    ('chrony', '-f /a', '/a'), ('chrony', '-f/a', '/a'), ('chrony', '-4 -f /a -f /b', '/b'), ('chrony', '-f', ''),
    ('chrony', '-x', ''), ('chrony', '', ''), ('chrony', '--foo', ''), ('chrony', '-rsf /a', '/a'), ('chrony', '-Uf /a', '/a'),
    ('chrony', '-u -f -x', ''), ('chrony', '-x -- -f /a', ''), ('chrony', '-N 5 -f /a', '/a'),
    ('ntpd-rs', '--config=/a', '/a'), ('ntpd-rs', '--config /a', '/a'), ('ntpd-rs', '-c /a', '/a'), ('ntpd-rs', '-l info', ''),
    ('ntpd', '--configfile /a', '/a'), ('ntpd', '-ngc/a', '/a'), ('ntpd', '-w 60 -c /a', '/a'), ('ntpd', '-l -c /a', ''),
    ('ntpd', '--logfile -c /a', ''), ('ntpsec', '-u ntpsec:ntpsec -gNc /a', '/a'), ('openntpd', '-p -f /a', ''),
])
def test_the_configuration_that_a_command_line_names(name, words, value):
    assert launch.configuration_of(name, words.split()) == value


@pytest.mark.parametrize(('name', 'words', 'operands'), [
    ('chrony', ['-n', 'server a'], ['server a']), ('chrony', ['-N', '5', '-x'], []), ('chrony', ['--', '-x'], ['-x']),
    ('ntpd', ['-w', '60', '-g', '192.0.2.9'], ['192.0.2.9']), ('ntpd', ['--wait-sync', '60', 'a', '--var=x'], ['a'])])
def test_what_is_no_option(name, words, operands):
    assert launch.operands_of(name, words) == operands


def test_the_running_process_is_read_and_another_program_is_not(host):
    host.put('/proc/42/cmdline', '/usr/sbin/chronyd\0-f\0/etc/a.conf\0')
    assert launch.of_process(host, '42', ('/usr/sbin/chronyd',)).arguments == ['-f', '/etc/a.conf']
    assert launch.of_process(host, '42', ('/usr/sbin/ntpd',)) is None
    for pid in ('', '0', 'x', '43'):
        assert launch.of_process(host, pid, ('/usr/sbin/chronyd',)) is None


@pytest.mark.parametrize(('lines', 'unmet'), [
    ('ConditionFileIsExecutable=!/usr/sbin/ntpd', 'ConditionFileIsExecutable=!/usr/sbin/ntpd'),
    ('ConditionFileIsExecutable=!/usr/sbin/other', ''),
    ('ConditionPathExists=/usr/sbin/ntpd', ''), ('ConditionPathExists=!/usr/sbin/ntpd', 'ConditionPathExists=!/usr/sbin/ntpd'),
    ('ConditionPathExists=/missing', 'ConditionPathExists=/missing'), ('ConditionPathIsDirectory=/usr', ''),
    ('ConditionDirectoryNotEmpty=/usr', ''), ('ConditionFileNotEmpty=/usr/sbin/ntpd', 'ConditionFileNotEmpty=/usr/sbin/ntpd'),
    ('ConditionPathExistsGlob=/usr/sbin/n*', ''), ('ConditionPathExistsGlob=/usr/sbin/z*', 'ConditionPathExistsGlob=/usr/sbin/z*'),
    ('ConditionPathExists=/missing\nConditionPathExists=', ''),
    ('ConditionPathExists=/missing\nConditionCapability=', ''),
    ('ConditionPathExists=|/missing\nConditionPathExists=|/usr', ''),
    ('ConditionPathExists=|/missing\nConditionPathExists=|!/usr', 'ConditionPathExists=|/missing'),
    ('ConditionVirtualization=!container\nConditionCapability=CAP_SYS_TIME', ''),
    ('ConditionPathIsSymbolicLink=/usr', 'ConditionPathIsSymbolicLink=/usr'),
])
def test_conditions(host, lines, unmet):
    host.put('/usr/sbin/ntpd', '', 0o755)
    host.put(UNIT, '[Unit]\nDescription=x\n' + lines + '\n[Service]\nConditionPathExists=/elsewhere\n')
    found = conditions.unmet_condition(host, 'chrony.service')
    assert found == ('{0} ({1} line 3)'.format(unmet, UNIT) if unmet else '')


def test_a_daemon_whose_condition_is_not_met_does_not_work(tmp_path):
    host = FakeHost(tmp_path, 'ubuntu-20.04').has('systemd-timesyncd', 'inactive', 'enabled').has('ntp', 'inactive', 'disabled')
    host.put('/lib/systemd/system/systemd-timesyncd.service.d/disable-with-time-daemon.conf',
             '[Unit]\nConditionFileIsExecutable=!/usr/sbin/ntpd\n')
    found = {facts['name']: facts for facts in discovery.find_daemons(host)}
    assert found['timesyncd']['condition'].startswith('ConditionFileIsExecutable=!/usr/sbin/ntpd (/lib/systemd/system/')
    assert found['ntpd']['condition'] == ''
    os.chmod(host.path('/usr/sbin/ntpd'), 0o644)
    assert not {facts['name']: facts for facts in discovery.find_daemons(host)}['timesyncd']['condition']


@pytest.mark.parametrize(('lines', 'result', 'looked_at', 'condition'), [
    # Never started since the boot: systemd says "no" of what it has not looked at.
    ('ConditionVirtualization=!container', 'no', '0', ''), ('ConditionVirtualization=!container', 'no', None, ''),
    ('ConditionVirtualization=!container', 'no', '5000000', 'ConditionVirtualization=!container'),
    ('ConditionVirtualization=!container', 'yes', '5000000', ''),
    # It was not met at the boot, and is now: the file that was in the way has gone since.
    ('ConditionPathExists=!/gone', 'no', '5000000', ''),
    ('', 'no', '5000000', ''),
])
def test_what_systemd_says_of_a_condition(tmp_path, lines, result, looked_at, condition):
    host = FakeHost(tmp_path).has('chrony', 'inactive', 'enabled')
    host.put(UNIT, '[Unit]\n' + lines + '\n')
    asked = host._systemctl

    def systemctl(words):
        extra = 'ConditionResult={0}\n'.format(result)
        extra += 'ConditionTimestampMonotonic={0}\n'.format(looked_at) if looked_at else ''
        return asked(words).replace('\nLoadState', '\n' + extra + 'LoadState')
    host._systemctl = systemctl
    found = discovery.find_daemons(host)[0]['condition']
    assert found == ('{0} ({1} line 2)'.format(condition, UNIT) if condition else '')


@pytest.mark.parametrize('name', ['chronyd.service', 'service'])
def test_drop_ins_of_another_name_and_of_all_services_count(host, name):
    host.put(UNIT, '[Service]\nExecStart=/usr/sbin/chronyd -4\n')
    os.makedirs(host.path('/etc/systemd/system'))
    os.symlink('/usr/lib/systemd/system/chrony.service', host.path('/etc/systemd/system/chronyd.service'))
    host.put('/etc/systemd/system/{0}.d/override.conf'.format(name), '[Service]\nExecStart=\nExecStart=/usr/sbin/chronyd -6\n')
    assert arguments(host).arguments == ['-6']
    # Of one file name that of the unit itself counts.
    host.put('/usr/lib/systemd/system/chrony.service.d/override.conf', '')
    assert arguments(host).arguments == ['-4']


def test_drop_ins_for_the_beginning_of_a_name_count_and_a_link_to_nothing_switches_one_off(host):
    host.put('/lib/systemd/system/systemd-timesyncd.service', '[Unit]\nConditionPathExists=/there\n')
    host.put('/there', '')
    host.put('/usr/lib/systemd/system/systemd-.service.d/50.conf', '[Unit]\nConditionPathExists=/missing\n')
    assert conditions.unmet_condition(host, 'systemd-timesyncd.service').startswith('ConditionPathExists=/missing')
    os.makedirs(host.path('/etc/systemd/system/systemd-.service.d'))
    os.symlink('/dev/null', host.path('/etc/systemd/system/systemd-.service.d/50.conf'))
    assert not conditions.unmet_condition(host, 'systemd-timesyncd.service')


@pytest.mark.parametrize(('words', 'value'), [
    ('-4f /a', '/a'), ('-4f/a', '/a'), ('-F 2 -f /a -f /b', '/b'), ('-u f -x', ''), ('-dnf', ''), ('-Ff', '')])
def test_an_option_among_others_in_one_word(words, value):
    assert launch.configuration_of('chrony', words.split()) == value


@pytest.mark.parametrize(('text', 'files', 'met'), [
    ('ConditionPathExists=/etc/%p.conf', ['/etc/chrony.conf'], True), ('ConditionPathExists=/etc/%p.conf', [], False),
    ('ConditionPathExists=!%t/no-%n', ['/run/no-chrony.service'], False), ('ConditionPathExists=!%t/no-%n', [], True),
    ('ConditionPathExists=|/a\nConditionPathExists=|!/b', ['/b'], False),
    ('ConditionPathExists=|/a\nConditionPathExists=|/b', ['/b'], True),
    ('ConditionPathExists=/missing\nConditionVirtualization=', [], True),
    ('ConditionDirectoryNotEmpty=!/etc/x.d', ['/etc/x.d/a'], False), ('ConditionPathExistsGlob=/dev/ptp*', ['/dev/ptp0'], True)])
def test_conditions_as_systemd_reads_them(host, text, files, met):
    host.put(UNIT, '[Unit]\n{0}\n[Service]\nExecStart=/usr/sbin/chronyd\n'.format(text))
    for path in files:
        host.put(path, '')
    assert (not conditions.unmet_condition(host, 'chrony.service')) is met


VENDORS = 'CapabilityBoundingSet=~CAP_AUDIT_CONTROL CAP_SYS_ADMIN\n'


@pytest.mark.parametrize(('vendor', 'dropped_in', 'why'), [
    ('', '', ''), (VENDORS, '', ''), ('CapabilityBoundingSet=CAP_SYS_TIME\n', 'ProtectHome=yes\n', ''),
    ('', 'ProtectClock=yes\n', 'ProtectClock=yes'), ('ProtectClock=true\n', 'ProtectClock=no\n', ''),
    ('', 'CapabilityBoundingSet=CAP_NET_BIND_SERVICE\n', 'CapabilityBoundingSet=CAP_NET_BIND_SERVICE'),
    (VENDORS, 'CapabilityBoundingSet=~CAP_SYS_TIME\n', 'CapabilityBoundingSet=~CAP_SYS_TIME'),
    (VENDORS, 'CapabilityBoundingSet=CAP_NET_ADMIN\n', ''), ('', 'CapabilityBoundingSet=\n', 'CapabilityBoundingSet='),
    (VENDORS, 'CapabilityBoundingSet=\nCapabilityBoundingSet=~CAP_SYS_BOOT\n', ''),
    ('CapabilityBoundingSet=CAP_CHOWN\n', 'CapabilityBoundingSet=cap_sys_time\n', ''),
    ('CapabilityBoundingSet=CAP_CHOWN\n', 'CapabilityBoundingSet=CAP_FOWNER\n', 'CapabilityBoundingSet=CAP_CHOWN'),
    ('CapabilityBoundingSet=CAP_CHOWN\n', 'CapabilityBoundingSet=~\n', '')])
@pytest.mark.parametrize(('unit', 'name'), [('chrony', 'chrony'), ('ntpsec', 'ntpsec'), ('systemd-timesyncd', 'timesyncd')])
def test_a_unit_that_may_not_set_the_clock(tmp_path, unit, name, vendor, dropped_in, why):
    """timesyncd was said to have no answer, although it only could not set the clock."""
    host = FakeHost(tmp_path).has(unit)
    host.put('/usr/lib/systemd/system/{0}.service'.format(unit), '[Service]\n' + vendor)
    host.put('/etc/systemd/system/service.d/hardening.conf', '[Service]\n' + dropped_in)
    facts = next(each for each in discovery.find_daemons(host) if each['name'] == name)
    assert facts['no_control'].partition(' (')[0] == why
    if why:
        with pytest.raises(Refused, match='{0}.service is started with .* and never sets the clock'.format(unit)):
            discovery.make(host, facts).check_against(NOTHING)
    else:
        discovery.make(host, facts).check_against(NOTHING)
