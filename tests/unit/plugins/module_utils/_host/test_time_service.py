# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The repair on hosts that are folders: all of it, or nothing, and what is said."""

import errno
import hashlib
import json
import os

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.step import StepRefused
from ansible_collections.aemops.brand_portal.plugins.module_utils._common import files
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.process import Done
from ansible_collections.aemops.brand_portal.plugins.module_utils._host import acts, packages, systemd
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import texts
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.chrony import Chrony
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.wanted import Refused, misplaced
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.packages import LookFailed
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.statedir import STATE, interrupted
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.systemd import NoAnswer
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service import present
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.absent import Absent
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.present import HostClock, Present
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.result import HIDDEN, TimeServiceFailed
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.run import FOLDER
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.undo_log import (
    LAST_RUN,
    LOCK,
    Entry,
    Lock,
    LogUnreadable,
    UndoLog,
)
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._host.hosts import (
    CHRONY_DEBIAN,
    CHRONY_REDHAT,
    CHRONY_SUSE,
    NTPSEC,
    RELEASES,
    FakeHost,
)

OPTIONS = {'provider': 'auto', 'servers': ['192.0.2.1'], 'pools': [], 'nts_servers': [], 'keys': [], 'cloud': 'none',
           'max_distance': 0.0, 'max_skew': 5.0, 'max_step': 0.0, 'sync_tolerance': 0.02, 'sync_timeout': 3,
           'on_unsynchronized': 'fail'}
SOURCES = '/etc/chrony/sources.d/aemops-brand-portal.sources'
HEADER = '# Managed by Ansible (aemops.brand_portal.time_sync). Remove this file to undo it.\n'
SECRET = '0123456789ABCDEF'


def run(host, check_mode=False, owner='', written=None, **options):
    return service(host, check_mode, owner, written, **options).run()


def service(host, check_mode=False, owner='', written=None, **options):
    def write_rtc():
        if written is not None:
            written.append(host.now())
        return {'device': '/dev/rtc', 'written': True, 'reason': ''}
    clock = HostClock(lambda: owner, write_rtc)
    return Present(dict(OPTIONS, **options), host, clock, check_mode)


def with_clock(host, setter, **options):
    made = service(host, **options)
    made.setter = setter
    return made


def debian(tmp_path, *units, **files):
    host = FakeHost(tmp_path, 'debian-12', {path.replace('__', '/'): text for path, text in files.items()})
    for unit in units:
        host.has(unit)
    if 'chrony' in units:
        host.put('/etc/chrony/chrony.conf', CHRONY_DEBIAN)
        host.put('/etc/chrony/chrony.keys', '1 MD5 old\n')
    if 'ntpsec' in units:
        host.put('/etc/ntpsec/ntp.conf', NTPSEC)
    return host


def own_tree(host):
    """All that could have been changed, but for what this collection keeps about itself."""
    return {path: text for path, text in host.tree().items() if not path.startswith(STATE)}


def nothing_left(host):
    return interrupted(host.path(STATE)) == [] and not [path for path in host.tree() if '.aemops-' in path or FOLDER in path]


# As configured


def test_a_host_that_is_right_is_left_alone(tmp_path):
    host = debian(tmp_path, 'chrony')
    host.time = 100.0
    before = host.tree()
    result = run(host, servers=[])
    assert (result['changed'], result['synchronized'], result['actions']) == (False, True, [])
    assert 'chrony.service keeps the clock right: synchronized to 192.0.2.1' in result['msg']
    assert host.tree() == before
    assert host.commands == []


def test_new_sources_are_read_without_a_restart_and_a_second_run_changes_nothing(tmp_path):
    host = debian(tmp_path, 'chrony')
    first = run(host)
    assert first['actions'] == ['write ' + SOURCES, 'tell chrony.service its new sources']
    assert host.text(SOURCES) == HEADER + 'server 192.0.2.1 iburst\n'
    assert os.stat(host.path(SOURCES)).st_mode & 0o777 == 0o644, 'chronyd drops root before it reads it again'
    assert host.commands == ['chronyc reload sources']
    again = run(host)
    assert (again['changed'], again['actions'], again['diff']) == (False, [], [])
    assert nothing_left(host)


@pytest.mark.parametrize(('unit', 'daemon', 'asked'), [('chrony', 'chronyd', 'chronyc'), ('ntpsec', 'ntpd', 'ntpq')])
def test_a_daemon_in_opt_is_asked_by_the_program_that_came_with_it(tmp_path, unit, daemon, asked):
    host = debian(tmp_path, unit)
    host.remove('/usr/sbin/' + daemon)
    own = {f'/opt/time/sbin/{daemon}', f'/opt/time/bin/{asked}'}
    for path in own:
        host.put(path, '')
    host.put(f'/usr/lib/systemd/system/{unit}.service', f'[Service]\nExecStart=/opt/time/sbin/{daemon}\n')
    real = host.execute
    host.execute = lambda command, *rest: Done(127, '', command[0] + ': No such file or directory') \
        if os.path.basename(command[0]) in (daemon, asked) and command[0] not in own else real(command, *rest)
    assert run(host)['synchronized']


WITH_X, WITHOUT_X = '/usr/sbin/chronyd -F 1 -x', '/usr/sbin/chronyd -F 1'


def test_a_chronyd_that_runs_with_an_option_that_its_unit_has_lost_is_restarted(tmp_path):
    """chronyc says that it is synchronized, so that the clock was said to be kept."""
    host = debian(tmp_path, 'chrony')
    host.put('/usr/lib/systemd/system/chrony.service', '[Service]\nExecStart=/usr/sbin/chronyd -F 1\n')
    host.runs('chrony.service', WITH_X, WITHOUT_X)
    result = run(host, servers=[])
    assert (result['actions'], result['synchronized']) == (['restart chrony.service'], True)
    assert run(host, servers=[])['actions'] == []


@pytest.mark.parametrize(('runs', 'said', 'commands'), [
    ([WITH_X], 'chrony.service is started with -x (the running process 42) and never sets the clock.', []),
    # The script adds it where nothing ran before.
    ([], 'it is started with -x (the running process 42) and never sets the clock', ['start', 'stop'])])
def test_a_chronyd_whose_script_adds_the_option_is_not_restarted_again_and_again(tmp_path, runs, said, commands):
    host = debian(tmp_path, 'chrony')
    host.put('/usr/lib/systemd/system/chrony.service', '[Service]\nExecStart=/usr/lib/systemd/scripts/chronyd-starter.sh\n')
    if runs:
        host.runs('chrony.service', *runs)
    else:
        host.units['chrony.service'][0], host.next_commands = 'inactive', [WITH_X]
    with pytest.raises(TimeServiceFailed) as caught:
        run(host)
    assert said in str(caught.value)
    assert 'SYNC_IN_CONTAINER' in caught.value.details['advice']
    assert [each.split()[1] for each in host.commands if each.split()[1] in ('start', 'stop', 'try-restart')] == commands


def test_a_static_unit_is_stopped_once(tmp_path):
    host = debian(tmp_path, 'chrony').has('openntpd', 'active', 'static')
    real = host._systemctl

    def systemctl(words):
        answer = real(words)
        host.units['openntpd.service'][1] = 'static'        # it has nothing to disable
        return answer
    host._systemctl = systemctl
    assert run(host, provider='chrony')['disabled'] == ['openntpd.service']
    assert host.units['openntpd.service'] == ['inactive', 'static']
    again = run(host, provider='chrony')
    assert (again['changed'], again['actions']) == (False, [])


@pytest.mark.parametrize('version', ['3.5 (+CMDMON +NTP +SECHASH +IPV6 -DEBUG)', '4.2 (+CMDMON +NTP -NTS +SECHASH -DEBUG)'])
def test_a_chronyd_without_nts_is_not_stopped_by_a_line_that_it_cannot_read(tmp_path, version):
    host = debian(tmp_path, 'chrony')
    host.chronyd_version = version
    with pytest.raises(TimeServiceFailed, match=f'chronyd {version[:3]} of this host cannot do NTS.* Nothing was') as refused:
        run(host, servers=[], nts_servers=['nts.example'])
    assert 'Give these servers as servers' in refused.value.details['advice']
    assert host.commands == []


def test_a_unit_that_is_masked_until_the_next_boot_is_refused_with_what_to_do(tmp_path):
    host = debian(tmp_path, 'chrony')
    host.units['chrony.service'] = ['inactive', 'masked-runtime']
    with pytest.raises(TimeServiceFailed, match='chrony.service is masked until the next boot. Nothing was changed') as refused:
        run(host, provider='chrony')
    assert 'systemctl unmask --runtime chrony.service' in refused.value.details['advice']


def test_a_unit_that_is_enabled_until_the_next_boot_is_enabled(tmp_path):
    host = debian(tmp_path, 'chrony')
    host.units['chrony.service'] = ['active', 'enabled-runtime']
    assert 'enable chrony.service' in run(host)['actions']
    assert host.units['chrony.service'] == ['active', 'enabled']


@pytest.mark.parametrize('active', ['active', 'inactive'])
def test_a_unit_with_a_bad_setting_is_no_missing_package(tmp_path, active):
    host = debian(tmp_path, 'chrony')
    host.units['chrony.service'][0] = active
    real = host._systemctl
    bad = ('Id=chrony.service\nLoadState=loaded', 'Id=chrony.service\nLoadState=bad-setting')
    host._systemctl = lambda words: real(words).replace(*bad) if words[0] == 'show' else real(words)
    with pytest.raises(TimeServiceFailed, match=r'systemd cannot load chrony.service \(bad-setting\). Nothing was changed'):
        run(host)
    assert host.commands == [], 'the package manager is not asked'


@pytest.mark.parametrize('wrote', range(1, 8))
def test_a_full_disk_does_not_keep_the_files_from_coming_back(tmp_path, monkeypatch, wrote):
    host = FakeHost(tmp_path, 'alma-9', {'/etc/chrony.conf': CHRONY_REDHAT}).has('chronyd', package='chrony')
    before, fill, new = own_tree(host), files._fill, []

    def full(path, content):
        new.append(path)
        if len(new) > wrote:
            raise OSError(errno.ENOSPC, 'No space left on device')
        fill(path, content)
    monkeypatch.setattr(files, '_fill', full)
    with pytest.raises(TimeServiceFailed, match='No space left on device') as failed:
        run(host, only=True)
    assert own_tree(host) == before
    assert (failed.value.details['restored'], failed.value.details['changed']) == (True, False)
    assert nothing_left(host)


@pytest.mark.parametrize('make', [lambda path: os.symlink('/etc/passwd', path), os.mkdir])
@pytest.mark.parametrize('do', [run, lambda host: Absent(host).run()])
def test_a_lock_that_cannot_be_taken_is_told(tmp_path, make, do):
    host = debian(tmp_path, 'chrony')
    os.makedirs(host.path('/run'), exist_ok=True)
    make(host.path(LOCK))
    before = host.tree()
    with pytest.raises(TimeServiceFailed, match=r'cannot be taken: .*brand-portal\.lock.*Nothing was changed') as failed:
        do(host)
    assert failed.value.details['advice'] == 'See /run/aemops-brand-portal.lock on this host, then run again.'
    assert host.tree() == before


def test_a_server_that_is_named_twice_is_one_server(tmp_path):
    """ntpd needs as many servers as minsane says, and makes one association of both lines."""
    host = debian(tmp_path, 'ntpsec')
    names = ['NTP1.example', 'ntp1.example.', 'ntp1.example:123', '2001:DB8::1', '[2001:db8:0::1]']
    run(host, servers=names, keys=[{'server': 'ntp1.example', 'id': 7, 'type': 'SHA256', 'key': SECRET}])
    lines = host.text('/etc/ntpsec/ntp.d/aemops-brand-portal.conf').splitlines()
    assert [line for line in lines if line.startswith(('server', 'tos'))] == [
        'server NTP1.example iburst key 7', 'server 2001:DB8::1 iburst', 'tos minclock 2 minsane 2']


def test_the_daemon_comes_with_its_package(tmp_path):
    host = debian(tmp_path)
    written = []
    result = run(host, written=written)
    assert result['actions'][:2] == ['install the package chrony', 'write ' + SOURCES]
    assert host.units['chrony.service'] == ['active', 'enabled']
    assert (result['changed'], result['synchronized'], result['rtc']['written'], len(written)) == (True, True, True, 1)
    assert nothing_left(host)


def test_package_lists_are_only_fetched_when_they_do_not_do(tmp_path):
    host = debian(tmp_path)
    run(host)
    assert 'apt-get update' not in host.commands
    host = debian(tmp_path / 'other')
    available, host.available = host.available, {}
    asked = host.execute

    def execute(command, timeout=100.0, environment=None):
        host.available = available if 'update' in command else host.available
        return asked(command, timeout, environment)

    host.execute = execute
    assert run(host)['synchronized']
    assert [command for command in host.commands if 'apt-get' in command] == [
        'apt-get update', 'apt-get install chrony'], 'the simulation has told'


def test_a_masked_unit_is_unmasked_and_competitors_are_stopped(tmp_path):
    host = debian(tmp_path, 'chrony', 'openntpd', 'systemd-timesyncd')
    host.units['chrony.service'] = ['inactive', 'masked']
    host.units['systemd-timesyncd.service'] = ['inactive', 'enabled']
    result = run(host, provider='chrony')
    assert result['unmasked']
    assert result['disabled'] == ['systemd-timesyncd.service', 'openntpd.service']
    assert host.units == {'chrony.service': ['active', 'enabled'], 'openntpd.service': ['inactive', 'disabled'],
                          'systemd-timesyncd.service': ['inactive', 'disabled']}


@pytest.mark.parametrize(('units', 'provider', 'options', 'chosen'), [
    ({}, 'auto', {}, 'chrony'),
    ({'systemd-timesyncd': ('active', 'enabled')}, 'auto', {}, 'timesyncd'),
    ({'systemd-timesyncd': ('active', 'enabled')}, 'auto', {'nts_servers': ['nts.example']}, 'chrony'),
    ({'systemd-timesyncd': ('inactive', 'enabled'), 'chrony': ('active', 'enabled')}, 'auto', {}, 'chrony'),
    ({'systemd-timesyncd': ('active', 'enabled'), 'chrony': ('inactive', 'disabled')}, 'auto', {}, 'timesyncd'),
    ({'ntpsec': ('active', 'disabled')}, 'auto', {}, 'ntpsec'),
    ({'ntpsec': ('active', 'enabled'), 'chrony': ('active', 'enabled')}, 'auto', {}, 'chrony'),
    ({'openntpd': ('active', 'enabled')}, 'auto', {}, 'chrony'),
    ({'chrony': ('inactive', 'masked')}, 'auto', {}, 'chrony'),
    ({'systemd-timesyncd': ('inactive', 'masked')}, 'auto', {}, 'chrony'),
    ({'systemd-timesyncd': ('inactive', 'disabled')}, 'auto', {}, 'timesyncd'),
    ({'systemd-timesyncd': ('active', 'enabled')}, 'ntpd', {}, 'ntpsec'),
    ({'chrony': ('active', 'enabled')}, 'timesyncd', {}, 'timesyncd'),
])
def test_which_daemon_is_chosen(tmp_path, units, provider, options, chosen):
    host = FakeHost(tmp_path)
    for unit, (active, state) in units.items():
        host.has(unit, active, state)
    assert run(host, check_mode=True, provider=provider, **options)['provider'] == chosen


def test_a_daemon_whose_clock_was_set_measures_again(tmp_path):
    host = debian(tmp_path, 'chrony')
    host.time = 100.0
    result = with_clock(host, ClockStep(True), servers=[]).run()
    assert host.commands == ['chronyc reset sources', 'chronyc burst 4/4']
    assert result['actions'] == ['stop aem.service', 'set the clock by +90.000 s', 'make chrony.service measure again']
    assert (result['stopped'], result['downtime']) == (['aem.service'], 4.1)
    assert [(act['act'], act['done'], act['undone']) for act in result['acts']] == [
        ('service_stop', True, True), ('clock', True, False), ('source', True, False)]
    assert json.loads(host.text(LAST_RUN))['acts'] == result['acts']


@pytest.mark.parametrize(('units', 'options', 'times'), [
    (['ntpsec'], {}, 1), (['chrony'], {}, 1), (['chrony'], {'servers': []}, 0),
    (['chrony', 'inactive'], {'servers': []}, 1), (['chrony', 'not synchronized'], {'servers': []}, 1),
    (['chrony', 'disabled'], {'servers': []}, 0)])
def test_the_hardware_clock_is_written_where_the_daemon_has_measured_from_scratch(tmp_path, units, options, times):
    host, written = debian(tmp_path, units[0]), []
    host.time = 100.0
    if 'inactive' in units:
        host.units['chrony.service'][0] = 'inactive'
    if 'disabled' in units:
        host.units['chrony.service'][1] = 'disabled'
    if 'not synchronized' in units:
        host.began = 100.0
    run(host, written=written, **options)
    assert len(written) == times


@pytest.mark.parametrize('file_state', ['enabled', 'disabled'])
def test_a_daemon_that_may_not_be_asked_is_not_restarted_for_that(tmp_path, file_state):
    host = debian(tmp_path, 'chrony')
    host.units['chrony.service'][1] = file_state
    host._chronyc = lambda words: Done(1, '506 Cannot talk to daemon\n', '')
    with pytest.raises(TimeServiceFailed, match='it does not answer chronyc'):
        run(host, servers=[])
    assert host.units['chrony.service'] == ['active', file_state]
    host.commands.clear()
    result = run(host, servers=[], on_unsynchronized='ignore')
    acts_due = ['enable chrony.service'] if file_state == 'disabled' else []
    assert (result['actions'], host.commands) == (acts_due, ['systemctl ' + act for act in acts_due])


@pytest.mark.parametrize('units', [('chrony',), ('ntpsec',), ('systemd-timesyncd',)])
def test_a_daemon_that_is_told_or_restarted_has_changed_something(tmp_path, units):
    """The review's F12: an ntpd that was not synchronized was restarted in every run with changed=false."""
    host = debian(tmp_path, *units)
    host.time = host.began = 100.0
    result = run(host, servers=[])
    assert result['actions']
    assert result['changed'] is True
    again = run(host, servers=[])
    assert (again['changed'], again['actions']) == (False, [])


def test_what_is_left_is_stepped_only_above_the_limits(tmp_path):
    host = debian(tmp_path, 'chrony')
    host.time, host.correction = 100.0, 7.0
    written = []
    result = run(host, servers=[], written=written)
    assert result['actions'] == ['step the clock by +7.000 s']
    assert (result['changed'], len(written)) == (True, 1)
    host.correction = 3.0
    with pytest.raises(TimeServiceFailed, match='after 5 s it is synchronized to 192.0.2.1, .3.0'):
        run(host, servers=[], sync_timeout=5)
    host.correction = 700.0
    with pytest.raises(TimeServiceFailed, match='max_step allows .60 s'):
        run(host, servers=[], max_step=60.0)


# Layouts


@pytest.mark.parametrize('later', ['confdir /etc/chrony.d\n', 'confdir /etc/chrony.d\nsourcedir /etc/chrony/sources.d\n'])
@pytest.mark.parametrize('only', [True, False])
def test_a_block_goes_when_the_configuration_has_got_folders_since(tmp_path, later, only):
    """It kept the servers of the first run, and the daemon went on to ask them."""
    host = FakeHost(tmp_path, 'alma-9', {'/etc/chrony.conf': CHRONY_REDHAT}).has('chronyd', package='chrony')
    run(host, servers=['192.0.2.8'])
    assert 'server 192.0.2.8 iburst\n' in host.text('/etc/chrony.conf')
    host.put('/etc/chrony.conf', host.text('/etc/chrony.conf') + later)
    done = run(host, only=only)
    assert 'remove the block of this role in /etc/chrony.conf' in done['actions'] or only
    assert '192.0.2.8' not in host.text('/etc/chrony.conf')
    assert set(done['sources']) == {'192.0.2.1'} | (set() if only else {'2.rhel.pool.ntp.org'})
    assert not run(host, only=only)['changed']
    assert not run(host, only=only, servers=[] if not only else ['192.0.2.1'])['changed']
    Absent(host).run()
    assert host.text('/etc/chrony.conf') == CHRONY_REDHAT + later


@pytest.mark.parametrize('config', [CHRONY_REDHAT, CHRONY_REDHAT.rstrip('\n'), 'pool p iburst\r\nbad \udce4 byte\r\n'],
                         ids=['usual', 'no end of line', 'odd bytes'])
def test_without_a_folder_a_block_is_added_and_nothing_else_touched(tmp_path, config):
    host = FakeHost(tmp_path, 'alma-9').has('chronyd', package='chrony')
    with open(host.path('/etc/chrony.conf'), 'wb') as stream:
        stream.write(config.encode('utf-8', 'surrogateescape'))
    os.chmod(host.path('/etc/chrony.conf'), 0o640)
    result = run(host, max_distance=1.5)
    text = host.text('/etc/chrony.conf')
    assert text.startswith(config)
    assert text[len(config):] == ('\n# BEGIN aemops.brand_portal.time_sync (managed by Ansible)\n'
                                  'server 192.0.2.1 iburst\nmaxdistance 1.5\n# END aemops.brand_portal.time_sync\n')
    assert os.stat(host.path('/etc/chrony.conf')).st_mode & 0o777 == 0o640
    assert host.text(result['backups']['/etc/chrony.conf']) == config
    assert texts.without_block(text) == config
    assert 'systemctl try-restart chronyd.service' in host.commands
    assert not run(host, max_distance=1.5)['changed']
    changed = run(host, servers=['192.0.2.2'])
    assert changed['actions'][0] == 'change the block of this role in /etc/chrony.conf'
    assert host.text('/etc/chrony.conf.before-aemops-brand-portal') == config
    assert texts.without_block(host.text('/etc/chrony.conf')) == config


# Ours, edited by another administrator


def test_a_file_of_ours_that_was_edited_is_kept_and_named(tmp_path):
    host = debian(tmp_path, 'chrony')
    run(host)
    for edit in ('server 192.0.2.9 iburst\n', '# do not touch: ticket 4711\n'):
        edited = host.text(SOURCES) + edit
        host.put(SOURCES, edited)
        predicted = run(host, check_mode=True)
        result = run(host)
        kept = result['backups'][SOURCES]
        assert host.text(kept) == edited and host.text(SOURCES) == HEADER + 'server 192.0.2.1 iburst\n'
        assert result['actions'][0] == f'change {SOURCES}, which another administrator has edited (kept as {kept})'
        assert predicted['actions'][0] == 'would ' + result['actions'][0]
        assert not run(host)['changed']
    # Both edits are there, and a change of the options alone is no edit.
    result = run(host, servers=['192.0.2.2'])
    assert (result['actions'][0], result['backups']) == ('change ' + SOURCES, {})
    assert len([path for path in host.tree() if '.edited-' in path]) == 2


def test_a_file_of_our_name_that_another_has_made_is_kept(tmp_path):
    host = debian(tmp_path, 'chrony')
    host.put(SOURCES, 'server theirs.example iburst\n')
    result = run(host)
    assert result['actions'][0].startswith(f'change {SOURCES}, of which no earlier run has left a record (kept as ')
    assert host.text(result['backups'][SOURCES]) == 'server theirs.example iburst\n'
    assert run(host, servers=[])['backups'] == {} and host.text(SOURCES) == HEADER + 'server 192.0.2.1 iburst\n'


def test_a_block_of_ours_that_was_edited_is_kept_and_named(tmp_path):
    host = FakeHost(tmp_path, 'alma-9', {'/etc/chrony.conf': CHRONY_REDHAT}).has('chronyd', package='chrony')
    run(host)
    edited = host.text('/etc/chrony.conf').replace('server 192.0.2.1 iburst', 'server 192.0.2.1 iburst key 9')
    host.put('/etc/chrony.conf', edited)
    result = run(host, max_distance=1.5)
    assert host.text(result['backups']['/etc/chrony.conf']) == edited
    assert 'which another administrator has edited' in result['actions'][0]
    # What others write beside the block is no edit of it.
    host.put('/etc/chrony.conf', '# theirs\n' + host.text('/etc/chrony.conf'))
    result = run(host)
    assert (result['actions'][0], result['backups']) == ('change the block of this role in /etc/chrony.conf', {})


def test_an_edited_block_of_keys_is_kept_with_its_mode_and_no_hash_of_it_is_shown(tmp_path):
    keys = [{'server': '192.0.2.1', 'id': 7, 'type': 'SHA256', 'key': SECRET}]
    host = debian(tmp_path, 'chrony')
    run(host, keys=keys)
    path = '/etc/chrony/chrony.keys'
    edited = host.text(path).replace('7 SHA256', '8 SHA256 0011223344\n7 SHA256')
    host.put(path, edited)
    os.chmod(host.path(path), 0o640)
    result = run(host, keys=[dict(keys[0], key='AABBCCDDEEFF')])
    kept = result['backups'][path]
    assert host.text(kept) == edited and os.stat(host.path(kept)).st_mode & 0o777 == 0o640
    shown = json.dumps(result)
    assert texts.BLOCK_BEGIN in edited and hashlib.sha256(edited.encode()).hexdigest()[:8] not in shown
    assert [act['before'] for act in result['acts'] if act['target'] in (path, kept)] == [{}, {}]


def test_an_edit_is_where_it_was_when_the_run_fails(tmp_path):
    host = debian(tmp_path, 'chrony')
    run(host)
    host.put(SOURCES, 'server 192.0.2.9 iburst\n')
    host.synchronised_after = None
    with pytest.raises(TimeServiceFailed):
        run(host)
    assert host.text(SOURCES) == 'server 192.0.2.9 iburst\n'
    assert not [path for path in host.tree() if '.edited-' in path]


def test_a_running_chrony_is_told_of_a_source_instead_of_restarted(tmp_path):
    host = FakeHost(tmp_path, 'rhel-7', {'/etc/chrony.conf': 'pool p iburst\n'}).has('chronyd', package='chrony')
    run(host)
    assert host.commands == ['chronyc add server 192.0.2.1 iburst']
    host.synchronised_after = None
    before = host.text('/etc/chrony.conf')
    with pytest.raises(TimeServiceFailed, match='were restored'):
        run(host, servers=['192.0.2.1', '192.0.2.2'])
    assert host.commands[1:] == ['chronyc add server 192.0.2.2 iburst', 'chronyc delete 192.0.2.2']
    assert host.text('/etc/chrony.conf') == before
    run(host, servers=['192.0.2.3'], on_unsynchronized='ignore')
    assert host.commands[-1] == 'systemctl try-restart chronyd.service', 'a source that is taken away'


def test_a_folder_that_suse_includes_is_used(tmp_path):
    host = FakeHost(tmp_path, 'sles-15', {'/etc/chrony.conf': CHRONY_SUSE}).has('chronyd', package='chrony')
    run(host)
    assert host.text('/etc/chrony.d/aemops-brand-portal.conf') == HEADER + 'server 192.0.2.1 iburst\n'
    assert host.text('/etc/chrony.conf') == CHRONY_SUSE


def test_ntpsec_gets_a_file_beside_and_is_content_with_few_servers(tmp_path):
    host = debian(tmp_path, 'ntpsec')
    result = run(host)
    assert result['provider'] == 'ntpsec'
    assert host.text('/etc/ntpsec/ntp.d/aemops-brand-portal.conf') == \
        HEADER + 'server 192.0.2.1 iburst\ntos minclock 1 minsane 1\n'
    assert host.commands == ['systemctl try-restart ntpsec.service']


def test_the_classic_ntpd_gets_a_block(tmp_path):
    host = FakeHost(tmp_path, 'rhel-7', {'/etc/ntp.conf': 'server 0.rhel.pool.ntp.org iburst\n'}).has('ntpd', package='ntp')
    run(host, servers=['a.example', 'b.example', 'c.example'])
    assert host.text('/etc/ntp.conf').splitlines()[-4:-1] == ['server {}.example iburst'.format(each) for each in 'abc']


def test_timesyncd_gets_a_file_beside(tmp_path):
    host = debian(tmp_path, 'systemd-timesyncd')
    run(host, pools=['pool.example'], max_distance=2.0)
    assert host.text('/etc/systemd/timesyncd.conf.d/aemops-brand-portal.conf') == \
        HEADER + '[Time]\nNTP=192.0.2.1 pool.example\nRootDistanceMaxSec=2\n'


def test_red_hat_installs_with_dnf_and_starts(tmp_path):
    host = FakeHost(tmp_path, 'alma-9', {'/usr/bin/dnf': ''})
    result = run(host)
    assert 'dnf install chrony' in host.commands
    assert host.units['chronyd.service'] == ['active', 'enabled']
    assert result['synchronized']


# Check mode


@pytest.mark.parametrize('units', [(), ('chrony',), ('systemd-timesyncd',), ('chrony', 'openntpd'), ('ntpsec',)])
@pytest.mark.parametrize('provider', ['chrony', 'auto'])
def test_check_mode_foretells_exactly_and_changes_nothing(tmp_path, units, provider):
    host = debian(tmp_path, *units)
    before, states = host.tree(), json.dumps(host.units)
    predicted = run(host, check_mode=True, provider=provider)
    assert (host.tree(), json.dumps(host.units), host.commands) == (before, states, [])
    done = run(host, provider=provider)
    assert (predicted['changed'], predicted['diff']) == (done['changed'], done['diff'])
    assert not predicted['synchronized']
    assert all(action.startswith('would ') for action in predicted['actions'])


# Refused while nothing is changed


@pytest.mark.parametrize(('options', 'said'), [
    ({'servers': ['a b']}, 'is not the name or address'),
    ({'servers': ['a.example iburst\nallow all']}, 'is not the name or address'),
    ({'servers': ['a.example:70000']}, 'is not the name or address'),
    ({'servers': ['-x']}, 'is not the name or address'),
    ({'cloud': 'aws'}, 'cloud=aws cannot be combined with 192.0.2.1'),
    ({'cloud': 'aws', 'servers': []}, r'"pool 2.debian.pool.ntp.org iburst" \(/etc/chrony/chrony.conf line 2\).*leapsectz'),
    ({'cloud': 'azure', 'servers': []}, 'this host has no /dev/ptp_hyperv'),
    ({'provider': 'timesyncd', 'nts_servers': ['n.example']}, 'cannot do NTS'),
    ({'provider': 'ntpd', 'servers': ['a.example:124']}, 'cannot do a server with a port other'),
    ({'keys': [{'server': 'b.example', 'id': 1, 'key': SECRET}]}, 'not one of servers'),
    ({'keys': [{'server': '192.0.2.1', 'id': 1, 'key': SECRET}]}, 'another key with the id 1'),
    ({'keys': [{'server': '192.0.2.1', 'id': 0, 'key': SECRET}]}, 'not a number from 1'),
    ({'keys': [{'server': '192.0.2.1', 'id': SECRET, 'key': '2'}]}, 'the id of entry 1 is not a number from 1'),
    ({'keys': [{'server': '192.0.2.1', 'id': 2, 'type': SECRET, 'key': 'SHA1'}]}, 'the type of key 2 is none of'),
    ({'keys': [{'server': SECRET, 'id': 2, 'key': '192.0.2.1'}]}, 'key 2 is for a server which is not one of'),
    ({'keys': [{'server': 'HEX:' + SECRET + 'X', 'id': 2, 'key': '192.0.2.1'}]}, 'the server of key 2 is not'),
    ({'servers': ['ntp://observer:' + SECRET + '@a.example']}, 'is not the name or address'),
    ({'keys': [{'server': '192.0.2.1', 'id': 2, 'key': 'with space'}]}, 'has a space'),
    ({'sync_timeout': -1}, 'sync_timeout: -1 is not a number of seconds'),
    ({'max_distance': -1}, 'max_distance: -1 is not'),
])
def test_what_cannot_be_is_refused(tmp_path, options, said):
    host = debian(tmp_path, 'chrony')
    before = host.tree()
    with pytest.raises((Refused, TimeServiceFailed), match=said) as refused:
        run(host, **options)
    assert SECRET not in str(refused.value)
    assert (host.tree(), host.commands) == (before, [])


@pytest.mark.parametrize('swapped', ['id', 'type', 'server'])
def test_a_key_in_place_of_another_value_is_hidden_in_what_ansible_prints(swapped):
    key = {'server': '192.0.2.1', 'id': '2', 'type': 'SHA1', 'key': SECRET}
    assert misplaced({'servers': ['192.0.2.1:124'], 'keys': [key]}) == []
    assert misplaced({'servers': ['192.0.2.1:124'], 'keys': [{**key, swapped: SECRET, 'key': key[swapped]}]}) == [SECRET]


def test_a_clock_of_another_machine_is_refused(tmp_path):
    host = debian(tmp_path)
    with pytest.raises(TimeServiceFailed, match='belongs to the container host.*Nothing was changed'):
        run(host, owner='It belongs to the container host.')
    assert host.commands == []


def test_a_line_that_the_daemon_rejects_is_named(tmp_path):
    host = debian(tmp_path, 'chrony')
    host.put('/etc/chrony/chrony.conf', CHRONY_DEBIAN + 'frobnicate 7\n')
    host.rejects = 'frobnicate'
    with pytest.raises(TimeServiceFailed, match=r'line 8 in file /etc/chrony/chrony.conf: "frobnicate 7"'):
        run(host)
    assert host.commands == []


@pytest.mark.parametrize('active', ['active', 'inactive'])
def test_a_daemon_never_gets_to_read_a_configuration_that_it_would_reject(tmp_path, active):
    host = FakeHost(tmp_path, 'alma-9', {'/etc/chrony.conf': CHRONY_REDHAT}).has('chronyd', active, package='chrony')
    host.rejects = 'maxdistance'
    before = own_tree(host)
    with pytest.raises(TimeServiceFailed, match='"Check the configuration of chronyd.service" failed: .*"maxdistance 1.5"'):
        run(host, max_distance=1.5)
    assert (own_tree(host), host.commands) == (before, [])


def test_a_package_is_not_installed_where_others_change_packages_at_that_moment(tmp_path):
    host = debian(tmp_path)
    write = host.write

    def then(path, *rest, **more):
        write(path, *rest, **more)
        host.has('openntpd')
    host.write = then
    with pytest.raises(TimeServiceFailed, match='"Install the package of the daemon" failed: another administrator') as failed:
        run(host)
    assert failed.value.details['advice'] == 'Let the other administrator finish, then run again.'
    assert not failed.value.details['changed'] and host.packages == {'openntpd'}


def test_ntpd_is_refused_where_the_system_has_none(tmp_path):
    with pytest.raises(TimeServiceFailed, match='provider=ntpd: this system has no package'):
        run(FakeHost(tmp_path, 'rhel-8'), provider='ntpd')


# Secrets


def test_keys_go_into_the_key_file_and_nowhere_else(tmp_path):
    host = debian(tmp_path, 'chrony')
    os.chmod(host.path('/etc/chrony/chrony.keys'), 0o640)
    keys = [{'server': '192.0.2.1', 'id': 7, 'type': 'SHA256', 'key': SECRET}]
    result = run(host, keys=keys)
    assert host.text(SOURCES).endswith('server 192.0.2.1 iburst key 7\n')
    text = host.text('/etc/chrony/chrony.keys')
    assert text.startswith('1 MD5 old\n')
    assert '7 SHA256 ' + SECRET in text
    assert os.stat(host.path('/etc/chrony/chrony.keys')).st_mode & 0o777 == 0o640
    assert SECRET not in json.dumps(result)
    assert not run(host, keys=keys)['changed']
    host.synchronised_after = None
    with pytest.raises(TimeServiceFailed) as failed:
        run(host, keys=keys, servers=['192.0.2.1', '192.0.2.2'])
    assert SECRET not in str(failed.value) + json.dumps(failed.value.details)
    assert HIDDEN in str(failed.value)


def test_a_new_key_file_is_for_the_daemon_only(tmp_path):
    host = FakeHost(tmp_path, 'alma-9', {'/etc/chrony.conf': 'pool p iburst\n'}).has('chronyd', package='chrony')
    run(host, keys=[{'server': '192.0.2.1', 'id': 7, 'key': SECRET}])
    assert os.stat(host.path('/etc/chrony.keys')).st_mode & 0o777 == 0o640
    assert 'keyfile /etc/chrony.keys\n' in host.text('/etc/chrony.conf')


# All or nothing


@pytest.mark.parametrize('failing', ['systemctl start', 'systemctl enable', 'systemctl disable', 'systemctl unmask', 'synchronize'])
@pytest.mark.parametrize('release', ['debian-12', 'alma-9'])
def test_whatever_fails_everything_is_put_back(tmp_path, failing, release):
    host = FakeHost(tmp_path, release)
    if release == 'debian-12':
        host.has('chrony', 'inactive', 'masked')
        host.put('/etc/chrony/chrony.conf', CHRONY_DEBIAN)
    else:
        host.has('chronyd', 'inactive', 'masked', 'chrony')
        host.put('/etc/chrony.conf', CHRONY_REDHAT)
    host.has('openntpd')
    before, states = own_tree(host), json.dumps(host.units, sort_keys=True)
    if failing == 'synchronize':
        host.synchronised_after = None
    elif failing == 'systemctl disable':
        host.failing[failing + ' --quiet --now openntpd'] = 'no way'
    else:
        host.failing[failing + ' --quiet chrony'] = 'no way'
    with pytest.raises(TimeServiceFailed, match='were restored') as failed:
        run(host, provider='chrony')
    assert (own_tree(host), json.dumps(host.units, sort_keys=True)) == (before, states)
    assert failed.value.details['restored']
    assert 'Journal: chronyd[1]: Could not resolve' in str(failed.value)
    assert nothing_left(host)


@pytest.mark.parametrize('path', [FOLDER + '/undo.json', SOURCES])
def test_a_full_disk_changes_nothing_or_is_undone(tmp_path, path):
    host = debian(tmp_path, 'chrony')
    before, write = own_tree(host), host.write

    def full(target, *rest, **more):
        if target == path:
            raise OSError(28, 'No space left on device')
        return write(target, *rest, **more)
    host.write = full
    with pytest.raises(TimeServiceFailed, match='No space left') as failed:
        run(host)
    assert path != SOURCES or f'"Write {SOURCES}" failed' in str(failed.value)
    assert own_tree(host) == before


def test_a_package_that_cannot_be_had_leaves_the_host_alone(tmp_path):
    host = debian(tmp_path, 'systemd-timesyncd')
    before, host.available = own_tree(host), {}
    said = '"Install the package of the daemon" failed: chrony: E: Unable to locate'
    with pytest.raises(TimeServiceFailed, match=said) as failed:
        run(host, provider='chrony')
    assert failed.value.details['advice'] == 'See that its package sources are enabled and have this package, then run again.'
    assert own_tree(host) == before
    assert host.units == {'systemd-timesyncd.service': ['active', 'enabled']}


def test_the_package_that_was_replaced_comes_back(tmp_path):
    host = debian(tmp_path, 'systemd-timesyncd')
    host.available['systemd-timesyncd'] = {}
    before, host.synchronised_after = own_tree(host), None
    with pytest.raises(TimeServiceFailed, match='were restored'):
        run(host, provider='chrony')
    assert host.packages == {'systemd-timesyncd'}
    assert host.units == {'systemd-timesyncd.service': ['active', 'enabled']}
    assert own_tree(host) == before


def test_when_it_cannot_come_back_the_new_one_stays_and_that_is_said(tmp_path):
    host = debian(tmp_path, 'systemd-timesyncd')
    host.synchronised_after = None
    real = host._apt_get

    def cannot(words):
        return Done(100, '', 'E: no network') if 'systemd-timesyncd' in words and '--download-only' not in words else real(words)
    host._apt_get = cannot
    with pytest.raises(TimeServiceFailed, match='Not everything could be restored: the package chrony stays installed') as failed:
        run(host, provider='chrony')
    assert 'chrony.service was left running' in str(failed.value)
    details = failed.value.details
    assert (details['restored'], details['changed'], len(details['problems'])) == (False, True, 2)
    assert 'last-run.json' in details['advice']
    assert host.units['chrony.service'] == ['active', 'enabled']
    assert interrupted(host.path(STATE)) == [], 'every run ends with an empty log'


# Cut off


def test_a_file_system_that_becomes_read_only_during_a_run_is_told(tmp_path):
    """As ext4 does after an error of the disk (errors=remount-ro)."""
    host = debian(tmp_path, 'chrony')
    real_write, real_remove = host.write, host.remove

    def read_only():
        if host.text(SOURCES):
            raise OSError(errno.EROFS, 'Read-only file system')

    def write(*arguments, **more):
        read_only()
        real_write(*arguments, **more)

    def remove(path):
        read_only()
        real_remove(path)
    host.write, host.remove = write, remove
    with pytest.raises(TimeServiceFailed) as failed:
        run(host)
    assert 'lock of a run' not in str(failed.value) and 'Nothing was changed' not in str(failed.value)
    assert 'Not everything could be restored: ' + SOURCES in str(failed.value)
    assert 'undo.json, could not be removed ([Errno 30] Read-only file system)' in failed.value.details['problems'][-1]
    assert failed.value.details['changed']
    host.write, host.remove = real_write, real_remove
    assert run(host)['recovered'] and not host.exists(FOLDER)


def test_a_record_that_cannot_be_removed_does_not_deny_what_was_undone(tmp_path):
    """/var is read-only by now, and /etc is not."""
    host = debian(tmp_path, 'chrony')
    acts.write_file(UndoLog(host, FOLDER), '/etc/chrony/conf.d/x.conf', 'ours', 'write x.conf', expected=None)
    real = host.remove

    def remove(path):
        if path.startswith(STATE):
            raise OSError(errno.EROFS, 'Read-only file system')
        real(path)
    host.remove = remove
    with pytest.raises(TimeServiceFailed, match=r'undo.json, cannot be removed: .Errno 30. Read-only file system\.$') as failed:
        run(host)
    assert (failed.value.details['changed'], failed.value.details['actions']) == (True, ['undo the changes of an interrupted run'])


class PowerCut(BaseException):
    """Nothing of the program runs any more."""


def cut_after(moments, do, left):
    def act(*arguments, **more):
        if left[0] == moments:
            raise PowerCut
        left[0] += 1
        return do(*arguments, **more)
    return act


@pytest.mark.parametrize('first', range(4))
def test_a_run_that_was_killed_anywhere_is_settled_by_the_next(tmp_path, first):
    """At each command and each write in turn, a quarter of them; then the next run, which succeeds, or fails and puts all back."""
    for moment in range(first, 300, 4):
        host = debian(tmp_path / str(moment), 'systemd-timesyncd')
        host.available['systemd-timesyncd'] = {}
        before = own_tree(host)
        execute, write, past = host.execute, host.write, [0]
        host.execute, host.write = cut_after(moment, execute, past), cut_after(moment, write, past)
        first = service(host, provider='chrony', nts_servers=['nts.example'], max_distance=2.0)
        try:
            result = first.run()
        except PowerCut:
            pass
        else:
            assert moment > 15, 'the run was not cut off even once'
            assert result['synchronized']
            break
        host.execute, host.write = execute, write
        log = UndoLog(host, FOLDER)
        acted = own_tree(host) != before or host.packages != {'systemd-timesyncd'}
        ended = acted and not log.read()
        if moment % 2 and not ended:
            host.synchronised_after = None
            with pytest.raises(TimeServiceFailed, match='were restored'):
                run(host, provider='chrony', nts_servers=['nts.example'], max_distance=2.0)
            assert (own_tree(host), sorted(host.packages)) == (before, ['systemd-timesyncd']), moment
            assert host.units == {'systemd-timesyncd.service': ['active', 'enabled']}
        else:
            result = run(host, provider='chrony', nts_servers=['nts.example'], max_distance=2.0)
            assert not acted or ended or 'was interrupted on this host' in result['recovered']
            assert result['changed'] is not ended
            assert host.units == {'chrony.service': ['active', 'enabled']}
            assert host.text(SOURCES).endswith('server 192.0.2.1 iburst\nserver nts.example iburst nts\n')
        assert nothing_left(host)


@pytest.mark.parametrize(('theirs', 'said'), [(None, ''), ('disable', 'systemd-timesyncd.service was changed after its package')])
def test_a_rollback_that_was_killed_after_a_package_came_back_restores_its_unit_in_the_next_run(tmp_path, theirs, said):
    host = debian(tmp_path, 'systemd-timesyncd')
    host.units['systemd-timesyncd.service'] = ['inactive', 'masked']
    host.available = dict(host.available, **{'systemd-timesyncd': {}})
    host.synchronised_after, execute = None, host.execute

    def cut(command, *more):
        done = execute(command, *more)
        if command[-1] == 'systemd-timesyncd' and not {'--simulate', '--download-only'} & set(command):
            raise PowerCut
        return done
    host.execute = cut
    with pytest.raises(PowerCut):
        run(host, provider='chrony')
    host.execute = execute
    assert host.units == {'systemd-timesyncd.service': ['active', 'enabled']}, 'as its package starts it'
    if theirs:
        host._systemctl([theirs, 'systemd-timesyncd.service'])
    result = Absent(host, False).run()
    assert host.units == {'systemd-timesyncd.service': ['active', 'disabled'] if theirs else ['inactive', 'masked']}
    assert said in ' '.join(result['problems'] + [result['recovered']]) and nothing_left(host)


def cut_with(verb, systemctl):
    def act(words):
        answer = systemctl(words)
        if words[0] == verb:
            raise PowerCut
        return answer
    return act


@pytest.mark.parametrize('units, after', [
    # What the killed run had only enabled runs by now, beside the daemon of the host.
    ({'ntpsec': ('active', 'enabled'), 'chrony': ('inactive', 'disabled')},
     {'ntpsec.service': ['active', 'enabled'], 'chrony.service': ['inactive', 'disabled']}),
    # What the killed run had started would run by now in any case.
    ({'chrony': ('inactive', 'enabled')}, {'chrony.service': ['active', 'enabled']}),
    # What was started by hand runs as before the run, so that the host is not without a time daemon.
    ({'ntpsec': ('active', 'disabled'), 'chrony': ('inactive', 'disabled')},
     {'ntpsec.service': ['active', 'disabled'], 'chrony.service': ['inactive', 'disabled']})])
def test_after_a_boot_what_runs_is_told_from_what_the_killed_run_started(tmp_path, units, after):
    for last in ('disable', 'enable', 'start'):
        host = debian(tmp_path / last, 'chrony', *(['ntpsec'] if 'ntpsec' in units else []))
        for unit, (active, state) in units.items():
            host.units[unit + '.service'] = [active, state]
        host.put('/proc/sys/kernel/random/boot_id', 'the first')
        systemctl = host._systemctl
        host._systemctl = cut_with(last, systemctl)
        host.synchronised_after = None
        with pytest.raises((PowerCut, TimeServiceFailed)):
            run(host, provider='chrony')
        if not UndoLog(host, FOLDER).read():
            continue        # it did not come to that
        host._systemctl = systemctl
        host.put('/proc/sys/kernel/random/boot_id', 'the second')
        for known in host.units.values():
            known[0] = 'active' if known[1] == 'enabled' else 'inactive'
        with pytest.raises(TimeServiceFailed) as failed:
            run(host, provider='chrony')
        assert (host.units, failed.value.details['problems']) == (after, []), last


def test_what_is_not_asked_for_any_more_is_undone_first(tmp_path):
    host = debian(tmp_path, 'chrony')
    host.time = 100.0
    acts.write_file(UndoLog(host, FOLDER), SOURCES, 'server 198.51.100.1\n', 'write')
    result = run(host, servers=[])
    assert host.text(SOURCES) is None
    assert result['recovered']
    assert result['changed']
    assert result['actions'] == ['undo the changes of an interrupted run'], 'the file was there, nothing else'


def test_check_mode_says_what_would_be_undone_and_undoes_nothing(tmp_path):
    host = debian(tmp_path, 'chrony')
    acts.write_file(UndoLog(host, FOLDER), SOURCES, 'server 198.51.100.1\n', 'write')
    before = host.tree()
    result = run(host, check_mode=True, servers=[])
    assert result['changed']
    assert 'would undo the changes of' in result['actions'][0]
    assert host.tree() == before


def test_a_package_that_is_only_half_there_is_mended_and_settled(tmp_path):
    host = FakeHost(tmp_path)
    host.packages.add('base-files')
    log = UndoLog(host, FOLDER)
    manager = packages.Packages(host, 'apt')
    real = host._apt_get

    def cut(words):
        if not {'--simulate', '--download-only'} & set(words):
            host.versions['chrony'] = '1.0'
            host.packages.add('chrony')
            host.broken.add('chrony')
            raise PowerCut
        return real(words)
    host._apt_get = cut
    with pytest.raises(PowerCut):
        packages.install(log, manager, 'chrony', manager.ask('chrony'), '', 'chrony.service', [])
    host._apt_get = real
    result = run(host)
    assert host.commands[0] == 'dpkg --configure -a'
    assert result['synchronized']
    assert host.units['chrony.service'] == ['active', 'enabled']


def test_a_package_that_a_shutdown_leaves_half_installed_is_undone_by_the_next_run(tmp_path):
    """apt-get, dpkg and the undo get the signal of the shutdown as well. The next run found a daemon without configuration."""
    host = debian(tmp_path)
    apt_get, dpkg = host._apt_get, host._dpkg

    def ended(words):
        if 'chrony' not in host.broken and {'--simulate', '--download-only'} & set(words):
            return apt_get(words)
        if 'install' in words and '--download-only' not in words:
            host.versions['chrony'] = '1.0'
            host.packages.add('chrony')
            host.broken.add('chrony')
        return Done(-15, '', '')
    host._apt_get, host._dpkg = ended, lambda words: Done(-15, '', '')
    with pytest.raises(TimeServiceFailed, match='chrony is only half installed .*the next run') as failed:
        run(host)
    assert (failed.value.details['changed'], failed.value.details['restored']) == (True, False)
    assert json.loads(host.text(LAST_RUN))['problems'] and host.exists(FOLDER + '/undo.json')
    host._apt_get, host._dpkg = apt_get, dpkg
    host.commands.clear()
    result = run(host)
    assert host.commands[0] == 'dpkg --configure -a' and 'was interrupted' in result['recovered']
    assert (result['synchronized'], host.units['chrony.service']) == (True, ['active', 'enabled'])
    assert not host.exists(FOLDER)


def test_two_runs_at_once_do_not_meet(tmp_path):
    host = debian(tmp_path, 'chrony')
    other = Lock(host)
    other.take()
    before = host.tree()
    with pytest.raises(TimeServiceFailed, match=r'Another run .PID {0}, since '.format(os.getpid())) as failed:
        run(host)
    assert (failed.value.details['changed'], host.tree(), host.commands) == (False, before, [])
    other.release()
    assert run(host)['changed']


def test_the_log_is_read_once_the_lock_is_held(tmp_path):
    """The review's F6: a run that looked while another was at work took the other's acts for those of a run that was cut off."""
    host = debian(tmp_path, 'chrony')
    host.time = 100.0
    first = UndoLog(host, FOLDER)
    acts.write_file(first, SOURCES, HEADER + 'server a.example iburst\n', 'write')
    second = service(host, servers=['a.example'])
    take = second.lock.take

    def late():
        first.close()       # the other comes to its good end while this one waits for the lock
        take()
    second.lock.take = late
    result = second.run()
    assert (result['changed'], result['recovered']) == (False, '')
    assert host.text(SOURCES) == HEADER + 'server a.example iburst\n'


# The truth


@pytest.mark.parametrize(('left', 'enough'), [(0.127, True), (-0.127, True), (0.129, False), (-0.129, False)])
def test_what_ntpd_slews_by_itself_is_no_failure(tmp_path, left, enough):
    """It takes minutes for 0.1 s, and cannot be told to step less than its own limit. The repair was undone for 39 ms."""
    host = debian(tmp_path, 'ntpsec')
    host.correction = left
    if enough:
        result = run(host, provider='ntpd', servers=['192.0.2.2'])
        assert (result['synchronized'], abs(result['residual_offset'])) == (True, 0.127)
    else:
        with pytest.raises(TimeServiceFailed, match='it is synchronized to 192.0.2.1, [+-]0.129'):
            run(host, provider='ntpd', servers=['192.0.2.2'])


@pytest.mark.parametrize(('options', 'lines', 'by'), [
    ('-x -g', '', '-x (/etc/sysconfig/ntpd line 1)'), ('-gx', '', '-x (/etc/sysconfig/ntpd line 1)'),
    ('-g', 'tinker step 0\n', '"tinker step 0" (/etc/ntp.conf line 3)'),
    ('-x', 'tinker step 0.5\ntinker panic 0 step 300\n', '"tinker panic 0 step 300" (/etc/ntp.conf line 4)'),
    ('-x', 'tinker step 0.128\n', '')])
@pytest.mark.parametrize('left', [0.3, 90.0])
def test_what_ntpd_only_slews_is_no_failure_up_to_max_skew_and_named_above(tmp_path, options, lines, by, left):
    """Oracle's databases want -x. A run was undone for 0.3 s, which are corrected within ten minutes."""
    host = FakeHost(tmp_path, 'centos-7').has('ntpd', package='ntp')
    host.put('/etc/ntp.conf', 'restrict 127.0.0.1\nserver 192.0.2.1 iburst\n' + lines)
    host.put('/etc/sysconfig/ntpd', 'OPTIONS="{0}"\n'.format(options))
    host.put('/usr/lib/systemd/system/ntpd.service',
             '[Service]\nEnvironmentFile=-/etc/sysconfig/ntpd\nExecStart=/usr/sbin/ntpd -u ntp:ntp $OPTIONS\n')
    host.correction = left
    if left < 1 and by:
        assert run(host)['synchronized']
        return
    with pytest.raises(TimeServiceFailed) as failed:
        run(host, sync_timeout=5)
    assert 'step the clock' not in str(failed.value)
    assert ('only slews because of ' + by in str(failed.value)) is bool(by)
    assert ('Remove {0}, restart ntpd.service'.format(by) in failed.value.details['advice']) is bool(by)


def test_an_unsynchronised_daemon_is_tolerated_when_asked_and_the_truth_is_told(tmp_path):
    host = debian(tmp_path, 'chrony')
    host.synchronised_after = None
    result = run(host, on_unsynchronized='ignore')
    assert (result['synchronized'], result['changed'], result['residual_offset']) == (False, True, None)
    assert result['msg'].startswith('Nothing keeps the clock right: '), 'nothing has measured the clock'
    assert 'it has no answer from 2.debian.pool.ntp.org, 192.0.2.1' in result['msg']
    assert result['reason'] == 'unreachable'
    assert 'UDP 123' not in result['msg'], 'nothing has measured that'
    assert host.time < 30, 'it waited although nothing ever answered'
    assert host.text(SOURCES)
    with pytest.raises(TimeServiceFailed, match='has no answer from'):
        run(host, servers=['192.0.2.7'])


def test_a_daemon_that_dies_is_told_from_one_that_waits(tmp_path):
    host = debian(tmp_path, 'chrony')
    host.units['chrony.service'] = ['inactive', 'enabled']
    host.fails_after('start', 'chrony.service')
    with pytest.raises(TimeServiceFailed, match='chrony.service does not run any more'):
        run(host)
    assert host.time < 10


def test_nothing_is_left_of_a_package_whose_daemon_dies(tmp_path):
    """systemd remembers a unit that has failed after it is gone, and there was nothing to restart."""
    host = debian(tmp_path)
    before, chronyc = own_tree(host), host._chronyc

    def dead(words):
        if 'chrony.service' in host.units:
            host.units['chrony.service'][0] = 'failed'
        return chronyc(words)
    host._chronyc = dead
    with pytest.raises(TimeServiceFailed, match='chrony.service does not run any more') as failed:
        run(host, servers=['192.0.2.7'])
    assert failed.value.details['problems'] == [] and failed.value.details['restored']
    assert (host.failed, 'chrony' in host.packages, own_tree(host)) == (set(), False, before)


def test_a_condition_that_systemd_looks_at_only_at_a_start_is_named_after_it(tmp_path):
    host = FakeHost(tmp_path).has('chrony', 'inactive', 'disabled')
    host.put('/usr/lib/systemd/system/chrony.service', '[Unit]\nConditionVirtualization=!container\n')
    asked, looked_at = host._systemctl, [0]

    def systemctl(words):
        if words[0] == 'start':
            looked_at[0] = 5000000
            return ''
        extra = f'ConditionResult=no\nConditionTimestampMonotonic={looked_at[0]}\n'
        answer = asked(words)
        return answer.replace('\nLoadState', f'\n{extra}LoadState') if words[0] == 'show' else answer
    host._systemctl = systemctl
    with pytest.raises(TimeServiceFailed, match='does not start chrony.service: ConditionVirtualization=!container') as failed:
        run(host)
    assert 'another provider' in failed.value.details['advice']
    assert 'any more' not in str(failed.value)


def test_a_daemon_that_others_stop_at_the_moment_of_the_restart_is_not_started(tmp_path):
    host = debian(tmp_path, 'ntpsec')
    systemctl = host._systemctl

    def stopped(words):
        if words[0].endswith('restart'):
            host.units['ntpsec.service'][0] = 'inactive'
        return systemctl(words)
    host._systemctl = stopped
    host.synchronised_after = None
    with pytest.raises(TimeServiceFailed):
        run(host)
    assert host.units['ntpsec.service'] == ['inactive', 'enabled']


def test_a_daemon_that_fails_with_our_configuration_runs_again_without_it(tmp_path):
    host = debian(tmp_path, 'ntpsec')
    systemctl = host._systemctl

    def fails(words):
        answer = systemctl(words)
        if words[0].endswith('restart') and host.exists('/etc/ntpsec/ntp.d/aemops-brand-portal.conf'):
            host.units['ntpsec.service'][0] = 'failed'
        return answer
    host._systemctl = fails
    host.synchronised_after = None
    with pytest.raises(TimeServiceFailed, match='were restored'):
        run(host)
    assert host.units['ntpsec.service'] == ['active', 'enabled']


@pytest.mark.parametrize('release', sorted(RELEASES))
def test_check_mode_knows_every_layout_beforehand(tmp_path, release):
    result = run(FakeHost(tmp_path, release), check_mode=True)
    debian_like = release.startswith(('debian', 'ubuntu'))
    assert result['unit'] == ('chrony.service' if debian_like else 'chronyd.service')
    place = {'debian': SOURCES, 'ubuntu': SOURCES if release > 'ubuntu-21' else '/etc/chrony/chrony.conf'}.get(
        release.split('-')[0], '/etc/chrony.conf')
    place = {'sles-15': '/etc/chrony.d/aemops-brand-portal.conf', 'sles-16': '/etc/chrony.d/aemops-brand-portal.conf',
             'amazon-2023': '/etc/chrony.d/aemops-brand-portal.sources'}.get(release, place)
    assert result['diff'][0]['after_header'] == place


# With the clock set in the same call


class ClockStep:
    """A step of the clock, as step_clock.ClockStep does it."""

    def __init__(self, changed, verified=True, kind='https', after=None):
        self.entries, self._after = [], after
        before = {'verified': verified, 'sources': [{'kind': kind, 'accepted': True, 'tls_verified': verified}]}
        self._result = {'changed': changed, 'before': before, 'after': before, 'rtc': {'device': '/dev/rtc', 'written': changed},
                        'stopped': {'units': ['aem.service'] if changed else [], 'seconds': 4.1 if changed else 0.0}, 'msg': '',
                        'advice': '', 'diff': {'before': 'wrong\n', 'after': 'right\n'}}

    def run(self):
        if self._after is not None:
            self._after.append('set')
        if self._result['changed']:
            stop = Entry('service_stop', 'aem.service', {'active': True}, {'active': False}, 'stop aem.service')
            step = Entry('clock', 'clock', {'offset': 90.0}, {'offset': 0.0}, 'set the clock by +90.000 s')
            stop.done = stop.undone = step.done = True
            self.entries = [stop, step]
        return self._result


def test_the_clock_is_set_after_all_was_looked_at(tmp_path):
    host, calls = debian(tmp_path, 'chrony'), []
    with pytest.raises(TimeServiceFailed):
        with_clock(host, ClockStep(True, after=calls), cloud='azure').run()
    assert calls == []
    host.time = 100.0
    result = with_clock(host, ClockStep(True, after=calls), servers=[]).run()
    assert calls == ['set']
    assert (result['changed'], result['clock']['changed'], result['rtc']['written']) == (True, True, True)
    assert result['diff'][0]['before_header'] == 'clock'
    assert host.commands == ['chronyc reset sources', 'chronyc burst 4/4']
    host.time = 200.0
    again = with_clock(host, ClockStep(False), servers=[]).run()
    assert (again['changed'], again['diff']) == (False, [])


@pytest.mark.parametrize(('clock', 'tolerated'), [
    (ClockStep(True), True), (ClockStep(False), True), (ClockStep(True, verified=False), False),
    (ClockStep(True, kind='ntp'), False)])
def test_only_a_verified_service_makes_an_unsynchronised_daemon_tolerable(tmp_path, clock, tolerated):
    host = debian(tmp_path, 'chrony')
    host.synchronised_after = None
    if tolerated:
        assert not with_clock(host, clock, on_unsynchronized='auto').run()['synchronized']
        return
    with pytest.raises(TimeServiceFailed):
        with_clock(host, clock, on_unsynchronized='auto').run()


@pytest.mark.parametrize('state', [
    ['inactive', 'masked'], ['inactive', 'disabled'], ['inactive', 'enabled'], ['active', 'disabled']])
def test_the_unit_of_a_package_that_comes_back_is_as_it_was(tmp_path, state):
    """A package that is installed again enables and starts its unit."""
    host = debian(tmp_path, 'ntpsec')
    host.available['ntpsec'] = {}
    host.units['ntpsec.service'] = list(state)
    host.synchronised_after = None
    with pytest.raises(TimeServiceFailed, match='were restored') as failed:
        run(host, provider='chrony')
    assert host.units == {'ntpsec.service': state}
    assert failed.value.details['changed'] is False


def test_the_unit_of_a_package_that_comes_back_is_as_others_have_brought_it_during_the_run(tmp_path):
    """Not as it was when the run began."""
    host = debian(tmp_path, 'ntpsec')
    host.available['ntpsec'] = {}
    host.synchronised_after = None
    real = host._apt_get

    def stopped(words):
        host.units.setdefault('ntpsec.service', ['', ''])[0] = 'inactive'
        return real(words)
    host._apt_get = stopped
    with pytest.raises(TimeServiceFailed, match='were restored'):
        run(host, provider='chrony')
    assert host.units == {'ntpsec.service': ['inactive', 'enabled']}


@pytest.mark.parametrize(('units', 'stopped', 'refused'), [
    (['chrony', 'ntpsec'], ['aem.service', 'multi-user.target', 'ntpsec-wait.service'], True), (['ntpsec'], ['aem.service'], True),
    (['chrony', 'ntpsec'], ['off.service', 'ntpsec-wait.service'], False), (['chrony'], ['aem.service'], False)])
@pytest.mark.parametrize('check_mode', [True, False])
def test_a_daemon_that_running_services_require_is_not_stopped(tmp_path, units, stopped, refused, check_mode):
    """systemd stops what requires a unit together with it, and nothing would start AEM again."""
    host = debian(tmp_path, *units)
    host.units.update({'aem.service': ['active', 'enabled'], 'ntpsec-wait.service': ['active', 'enabled'],
                       'multi-user.target': ['active', 'static'], 'off.service': ['inactive', 'enabled']})
    host.dependents['ntpsec.service' if 'ntpsec' in units else 'chrony.service'] = stopped
    before = host.tree(), json.dumps(host.units)
    if not refused:
        run(host, check_mode, provider='chrony')
        return
    with pytest.raises(TimeServiceFailed, match=r'^aem.service would be stopped together with ntpsec.service, and not') as failed:
        run(host, check_mode, provider='chrony')
    assert 'Requires=' in failed.value.details['advice'] and 'provider' in failed.value.details['advice']
    assert (host.tree(), json.dumps(host.units)) == before


@pytest.mark.parametrize('asked', ['RequiredBy', 'Id'])
@pytest.mark.parametrize('way', ['fails', 'takes too long', 'leaves out'])
def test_a_daemon_is_not_stopped_if_systemd_does_not_tell_who_requires_it(tmp_path, asked, way):
    """The answer was taken for "nobody", and AEM was stopped."""
    host = debian(tmp_path, 'chrony', 'ntpsec')
    host.units['aem.service'] = ['active', 'enabled']
    host.dependents['ntpsec.service'] = ['aem.service']
    before, real = (own_tree(host), json.dumps(host.units)), host.execute

    def execute(command, *rest):
        done = real(command, *rest)
        about = 'show' in command and command[command.index('--property') + 1].startswith(asked) and \
            command[-1] in ('ntpsec.service', 'aem.service')
        ways = {'fails': Done(1, '', 'Timed out'), 'takes too long': Done(124, done.out, ''), 'leaves out': Done(0, '', '')}
        return ways[way] if about else done
    host.execute = execute
    with pytest.raises(TimeServiceFailed, match=r'^systemd does not answer on this host .*Nothing was changed\.$'):
        run(host, provider='chrony')
    assert (own_tree(host), json.dumps(host.units)) == before


@pytest.mark.parametrize('known', [('RequiredBy', 'BoundBy', 'ConsistsOf'), systemd.STOPPED_ALONG])
def test_only_properties_that_systemd_knows_are_asked_of_several_units(tmp_path, known):
    """systemctl of RHEL 7 ends with 1 after the first unit without one of them."""
    host = debian(tmp_path, 'ntpsec')
    host.units['aem.service'] = ['active', 'enabled']
    real, above = host.execute, {'site.target': 'ntpsec.service', 'two.target': 'ntpsec.service', 'aem.service': 'two.target'}

    def execute(command, *rest):
        asked = command[command.index('--property') + 1].split(',') if 'show' in command else []
        if 'RequiredBy' not in asked:
            return real(command, *rest)
        units = command[command.index('--property') + 2:]
        blocks = ['\n'.join('{0}={1}'.format(key, {'LoadState': 'loaded', known[-1]: ' '.join(
            each for each in above if above[each] == unit)}.get(key, '')) for key in asked if key in (*known, 'LoadState'))
            for unit in units]
        return Done(0, '\n\n'.join(blocks), '') if set(asked) <= {*known, 'LoadState'} else Done(1, blocks[0] + '\n', '')
    host.execute = execute
    assert systemd.dependents(host, 'ntpsec.service') == ['aem.service']


def test_a_look_that_fails_does_not_mean_that_nothing_else_sets_the_clock(tmp_path):
    host = debian(tmp_path, 'chrony')
    real = host.execute
    host.execute = lambda command, *rest: Done(1, '', 'Connection timed out') if 'phc2sys.service' in command \
        else real(command, *rest)
    with pytest.raises(TimeServiceFailed, match='^systemd does not answer on this host'):
        run(host)
    assert host.commands == []


def configuration(host):
    return {path: text for path, text in host.tree().items() if path.startswith('/etc/')}


def requiring(host, unit, *between):
    """AEM, which runs and requires the unit, through others."""
    host.units['aem.service'] = ['active', 'enabled']
    host.units.update({each: ['active', 'static'] for each in between})
    chain = [unit, *between, 'aem.service']
    host.dependents.update({above: [below] for above, below in zip(chain, chain[1:])})
    return host


@pytest.mark.parametrize(('name', 'options', 'between'), [
    ('chrony', {'max_distance': 0.5}, []), ('chrony', {'max_distance': 0.5}, ['site.target']),
    ('ntpsec', {'servers': ['192.0.2.2']}, [])])
@pytest.mark.parametrize('check_mode', [True, False])
def test_a_daemon_that_running_services_require_is_not_restarted(tmp_path, name, options, between, check_mode):
    """systemd restarts what requires a unit together with it: AEM would be down for minutes, which nothing has announced."""
    host = requiring(debian(tmp_path, name), name + '.service', *between)
    before = host.tree(), json.dumps(host.units)
    said = '{0}.service would have to be restarted to read its configuration, and aem.service would be restarted'.format(name)
    with pytest.raises(TimeServiceFailed, match='^' + said) as failed:
        run(host, check_mode, provider='auto', **options)
    assert 'Requires=' in failed.value.details['advice']
    result = run(host, check_mode, provider='auto', on_unsynchronized='ignore', **options)
    assert (result['changed'], result['synchronized'], result['reason']) == (False, False, 'not_read') and said in result['msg']
    assert ((host.tree(), json.dumps(host.units)), host.restarted_along) == (before, [])


def test_a_daemon_that_reads_changes_without_a_restart_may_be_required(tmp_path):
    host = requiring(debian(tmp_path, 'chrony'), 'chrony.service')
    result = run(host, provider='auto', servers=['192.0.2.2'])
    assert (result['synchronized'], result['changed'], host.restarted_along) == (True, True, [])


def test_a_restart_that_turns_out_to_be_needed_is_refused_and_undone(tmp_path, monkeypatch):
    """Here chronyc refuses to add a source."""
    host = requiring(debian(tmp_path, 'chrony'), 'chrony.service')
    before = json.dumps(host.units), configuration(host)
    monkeypatch.setattr(Chrony, 'reload_sources', lambda self: False)
    with pytest.raises(TimeServiceFailed, match='"Restart chrony.service" failed: aem.service would be restarted') as failed:
        run(host, provider='auto', servers=['192.0.2.2'])
    assert 'Requires=' in failed.value.details['advice']
    assert (json.dumps(host.units), configuration(host), host.restarted_along) == (*before, [])
    assert 'were restored' in str(failed.value)


def test_a_daemon_that_the_rollback_does_not_start_again_is_a_change(tmp_path):
    host = debian(tmp_path, 'ntpsec')
    host.synchronised_after, systemctl, restarts = None, host._systemctl, []

    def failing(words):
        if words[0] == 'try-restart':
            restarts.append(words)
        if len(restarts) < 2 or words[0] != 'try-restart':
            return systemctl(words)
        host.units['ntpsec.service'][0] = 'failed'
        return Done(1, '', 'Job for ntpsec.service failed')
    host._systemctl = failing
    with pytest.raises(TimeServiceFailed, match='ntpsec.service was not restarted') as failed:
        run(host)
    assert (failed.value.details['changed'], failed.value.details['restored']) == (True, False)
    assert json.loads(host.text(LAST_RUN))['changed']


def test_a_rollback_restarts_no_daemon_that_running_services_require(tmp_path, monkeypatch):
    """Here the daemon does not forget the new source, which it never reaches."""
    host = requiring(debian(tmp_path, 'chrony'), 'chrony.service')
    host.synchronised_after = None
    monkeypatch.setattr(Chrony, 'remove_sources', lambda self, lines: False)
    with pytest.raises(TimeServiceFailed, match='chrony.service was not restarted with its previous configuration: aem.service'):
        run(host, provider='auto', servers=['192.0.2.2'])
    assert (host.units['aem.service'], host.restarted_along) == (['active', 'enabled'], [])


def test_a_rollback_names_the_daemon_whose_dependents_systemd_does_not_tell(tmp_path, monkeypatch):
    host = requiring(debian(tmp_path, 'chrony'), 'chrony.service')
    host.synchronised_after = None

    def forgets_nothing(self, lines):
        host.failing['systemctl show'] = 'Timed out'
        return False
    monkeypatch.setattr(Chrony, 'remove_sources', forgets_nothing)
    with pytest.raises(TimeServiceFailed, match='chrony.service was not restarted with its previous configuration: systemd'):
        run(host, provider='auto', servers=['192.0.2.2'])


@pytest.mark.parametrize('end', ['killed', 'refused'])
def test_sources_that_were_told_in_part_are_removed_again(tmp_path, end):
    host = requiring(FakeHost(tmp_path, 'alma-9', {'/etc/chrony.conf': CHRONY_REDHAT}).has('chronyd', package='chrony'),
                     'chronyd.service')
    execute = host.execute

    def cut(command, *rest):
        done = execute(command, *rest)
        if '192.0.2.2' in command and 'add' in command:
            if end == 'killed':
                raise PowerCut
            return Done(1, '501 Not authorised\n', '')
        return done if command[-2:] != ['delete', '192.0.2.2'] else Done(1, '503 No such source\n', '')
    host.execute = cut
    with pytest.raises((PowerCut, TimeServiceFailed)):
        run(host, servers=['192.0.2.1', '192.0.2.2'])
    result = run(host, servers=[])
    assert [each for each in host.commands if 'add' in each or 'delete' in each] == [
        'chronyc add server 192.0.2.1 iburst', 'chronyc add server 192.0.2.2 iburst', 'chronyc delete 192.0.2.1',
        'chronyc delete 192.0.2.2']
    assert (result['problems'], host.restarted_along, host.text('/etc/chrony.conf')) == ([], [], CHRONY_REDHAT)


def test_the_problems_of_a_run_that_was_killed_after_its_end_are_told_by_the_next(tmp_path):
    host = debian(tmp_path, 'chrony')
    host.synchronised_after, remove = None, host.remove
    host.failing['systemctl try-restart'] = host.failing['chronyc -n reload'] = 'no'

    def killed(path):
        if path == FOLDER + '/undo.json':
            raise PowerCut
        remove(path)
    host.remove = killed
    with pytest.raises(PowerCut):
        run(host)
    host.remove = remove
    host.failing.clear()
    host.synchronised_after = 1.0
    result = run(host)
    assert 'was killed after it had ended. What stays: chrony.service was not restarted' in result['recovered']
    assert result['problems'] and nothing_left(host)


def test_an_act_that_only_another_version_knows_is_named(tmp_path):
    host = debian(tmp_path, 'chrony')
    UndoLog(host, FOLDER).perform(Entry('kernel_parameter', 'kernel.x', {}, {}, 'set kernel.x'), lambda: None)
    result = run(host, servers=[])
    assert result['problems'] == ['this version does not know how to undo "set kernel.x" of another version']


@pytest.mark.parametrize('make', [
    lambda host: host.make_folder(FOLDER), lambda host: os.symlink(host.path('/srv/log'), host.path(FOLDER)),
    lambda host: host.put(FOLDER + '/0-chrony.conf', 'a copy')])
def test_a_folder_without_a_log_is_no_interrupted_run(tmp_path, make):
    host = debian(tmp_path, 'chrony')
    os.makedirs(host.path('/srv/log'))
    run(host)
    make(host)
    for each in (service(host, True), Absent(host, True), service(host)):
        result = each.run()
        assert (result['recovered'], 'interrupted' in result['msg']) == ('', False)
    assert interrupted(host.path(STATE)) == [] == host.names(FOLDER)


def test_a_masked_competitor_that_runs_is_stopped_and_stays_masked(tmp_path):
    host = debian(tmp_path, 'chrony', 'openntpd')
    host.units['openntpd.service'] = ['active', 'masked']
    result = run(host, provider='chrony')
    assert (host.units['openntpd.service'], result['disabled']) == (['inactive', 'masked'], ['openntpd.service'])
    host.units['openntpd.service'] = ['active', 'masked']
    host.synchronised_after = None
    with pytest.raises(TimeServiceFailed, match='were restored'):
        run(host, provider='chrony', servers=['192.0.2.2'])
    assert host.units['openntpd.service'] == ['active', 'masked']


def test_a_competitor_that_others_have_just_removed_is_no_obstacle(tmp_path):
    host = debian(tmp_path, 'chrony', 'openntpd')
    systemctl = host._systemctl

    def gone(words):
        if words[0] == 'disable':
            host._lose('openntpd')
        return systemctl(words)
    host._systemctl = gone
    assert run(host, provider='chrony')['synchronized']


def test_a_masked_competitor_that_others_unmask_during_the_run_is_not_masked_again(tmp_path):
    host = debian(tmp_path, 'chrony', 'openntpd')
    host.units['openntpd.service'] = ['active', 'masked']
    host.synchronised_after, systemctl = None, host._systemctl

    def unmasked(words):
        answer = systemctl(words)
        if 'stop' in words:
            host.units['openntpd.service'][1] = 'enabled'
        return answer
    host._systemctl = unmasked
    with pytest.raises(TimeServiceFailed, match='were restored'):
        run(host, provider='chrony', servers=['192.0.2.2'])
    assert host.units['openntpd.service'] == ['active', 'enabled']


def test_why_chrony_waits_is_found_out_once_and_not_at_each_look(tmp_path):
    host, asked = debian(tmp_path, 'chrony'), []
    execute, host.synchronised_after = host.execute, 2.0

    def heard(command, timeout=100.0, environment=None):
        asked.append(command[-1])
        return execute(command, timeout, environment)
    host.execute = heard
    assert run(host)['synchronized']
    assert asked.count('tracking') > 5 > asked.count('sources') > 0


# What the review of ccfc5ec had shown


def test_a_list_of_packages_that_cannot_be_read_ends_the_run_before_anything_is_changed(tmp_path):
    """F2: one listing that timed out counted as no package installed, and everything that is installed was purged."""
    host = debian(tmp_path)
    host.packages |= {'openssh-server', 'postgresql-16', 'sudo'}
    calls, real = [], host._dpkg_query

    def times_out(words):
        calls.append(words)
        return Done(124, '', 'dpkg-query did not end within 900 s') if len(calls) == 1 else real(words)
    host._dpkg_query = times_out
    host.synchronised_after = None
    before = own_tree(host)
    with pytest.raises(TimeServiceFailed, match='cannot be listed.*Nothing was changed') as failed:
        run(host, sync_timeout=3)
    assert failed.value.details['changed'] is False
    assert (own_tree(host), [command for command in host.commands if 'apt-get' in command]) == (before, [])
    assert {'openssh-server', 'postgresql-16', 'sudo'} <= host.packages


def test_systemd_that_does_not_answer_ends_the_run_before_anything_is_changed(tmp_path):
    """Where it does not say what there is, nothing is installed: chrony may run."""
    host = debian(tmp_path, 'chrony')
    host.failing['systemctl show'] = 'Failed to connect to bus'
    before = own_tree(host)
    with pytest.raises(TimeServiceFailed, match='systemd does not answer.*Nothing was changed'):
        run(host)
    assert own_tree(host) == before
    assert not [command for command in host.commands if not command.startswith('systemctl show')]


def test_what_others_install_during_a_run_and_between_two_stays(tmp_path):
    """F1: within one run, and after one that was cut off."""
    host = debian(tmp_path)
    execute = host.execute

    def also(command, timeout=100.0, environment=None):
        if command[0] == 'chronyc':
            host.packages.add('nginx')
        return execute(command, timeout, environment)
    host.execute, host.synchronised_after = also, None
    with pytest.raises(TimeServiceFailed, match='were restored'):
        run(host, sync_timeout=3)
    assert host.packages == {'nginx'}

    def cut(command, timeout=100.0, environment=None):
        if command[0] == 'chronyc':
            raise PowerCut
        return execute(command, timeout, environment)
    host.execute = cut
    with pytest.raises(PowerCut):
        run(host)
    host.execute = execute
    host.packages.add('postgresql-16')
    with pytest.raises(TimeServiceFailed, match='were restored'):
        run(host, sync_timeout=3)
    assert host.packages == {'nginx', 'postgresql-16'}


def test_an_edit_after_a_run_that_was_cut_off_is_kept_and_named(tmp_path):
    """F7: it was overwritten with the file as it had been before the first run."""
    host = FakeHost(tmp_path, 'alma-9', {'/etc/chrony.conf': 'pool p iburst\n'}).has('chronyd', package='chrony')
    os.chmod(host.path('/etc/chrony.conf'), 0o604)
    execute = host.execute

    def cut(command, timeout=100.0, environment=None):
        if command[0] == 'chronyc' and 'add' in command:
            raise PowerCut
        return execute(command, timeout, environment)
    host.execute = cut
    with pytest.raises(PowerCut):
        run(host)
    host.execute = execute
    host.put('/etc/chrony.conf', host.text('/etc/chrony.conf') + 'allow 10.0.0.0/8\n')
    edited = host.text('/etc/chrony.conf')
    host.synchronised_after = None
    with pytest.raises(TimeServiceFailed) as failed:
        run(host, sync_timeout=3)
    assert host.text('/etc/chrony.conf') == edited
    problem, = failed.value.details['problems']
    said, _between, place = problem.rstrip(')').rpartition(' (its previous content is in ')
    assert said == '/etc/chrony.conf was changed by another administrator afterwards and was left as it is now'
    assert host.text(place) == 'pool p iburst\n' and os.stat(host.path(place)).st_mode & 0o777 == 0o604
    assert (failed.value.details['restored'], failed.value.details['changed']) == (True, False), 'this run has changed nothing'


def test_a_copy_that_is_not_of_this_run_is_not_taken_for_the_original(tmp_path):
    """F7: a left-over second name of a file was."""
    host = FakeHost(tmp_path, 'alma-9', {'/etc/chrony.conf': 'pool new iburst\n'}).has('chronyd', package='chrony')
    host.put('/etc/.chrony.conf.aemops-before', 'pool ancient iburst\n')
    host.put(FOLDER + '/0-chrony.conf', 'pool ancient iburst\n')
    host.synchronised_after = None
    with pytest.raises(TimeServiceFailed):
        run(host, sync_timeout=3)
    assert host.text('/etc/chrony.conf') == 'pool new iburst\n'


@pytest.mark.parametrize('interrupted_by', ['a signal', 'a failure'])
def test_a_clock_that_was_set_is_told_whatever_comes_after_it(tmp_path, interrupted_by):
    """F3: the result said that nothing was changed."""
    host = debian(tmp_path, 'chrony')
    made = with_clock(host, ClockStep(True))
    step = made.setter.run

    def then():
        result = step()
        if interrupted_by == 'a signal':
            made.stop.name = 'SIGTERM'
        else:
            host.failing['chronyc -n reload'] = host.failing['systemctl try-restart'] = 'no way'
        return result
    made.setter.run = then
    with pytest.raises(TimeServiceFailed, match='The clock stays set') as failed:
        made.run()
    details = failed.value.details
    assert (details['changed'], details['clock']['changed']) == (True, True)
    assert details['restored'] is (interrupted_by == 'a signal'), 'what fails once fails again in the rollback'
    assert details['actions'][:2] == ['stop aem.service', 'set the clock by +90.000 s']
    assert (details['stopped'], details['downtime']) == (['aem.service'], 4.1)
    assert host.text(SOURCES) is None


def test_a_clock_that_was_set_is_not_nothing(tmp_path):
    """Where the package could not even be asked for, the message said "Nothing was changed.. The clock stays set"."""
    host = debian(tmp_path)
    host.available.clear()
    with pytest.raises(TimeServiceFailed) as failed:
        with_clock(host, ClockStep(True)).run()
    assert str(failed.value).endswith('. Nothing else was changed. The clock stays set.')
    assert failed.value.details['changed'] is True


def test_a_file_that_cannot_be_written_is_named_before_the_clock_is_set(tmp_path):
    host, calls = debian(tmp_path, 'chrony'), []
    host.obstacle = lambda path: 'it is immutable. Run "chattr -i" on it' if path == SOURCES else ''
    with pytest.raises(TimeServiceFailed, match='cannot be written: it is immutable.*Nothing was changed'):
        with_clock(host, ClockStep(True, after=calls)).run()
    assert (calls, host.commands, interrupted(host.path(STATE))) == ([], [], [])


def test_installing_that_would_remove_more_than_time_daemons_is_refused(tmp_path):
    host = debian(tmp_path, 'systemd-timesyncd')
    host.packages.add('site-clock')
    host.depends['site-clock'] = 'systemd-timesyncd'
    before = own_tree(host)
    with pytest.raises(TimeServiceFailed, match='installing chrony would remove site-clock. Nothing was changed'):
        run(host, provider='chrony')
    assert (own_tree(host), host.packages) == (before, {'systemd-timesyncd', 'site-clock'})


def test_each_act_is_told_to_the_hosts_journal_and_kept_as_the_last_run(tmp_path):
    """F18."""
    host = debian(tmp_path, 'chrony')
    result = run(host)
    assert host.logged == result['actions']
    last = json.loads(host.text(LAST_RUN))
    assert (last['changed'], last['acts'], last['actions'], last['problems']) == (True, result['acts'], result['actions'], [])
    assert last['begun'] <= last['ended']
    host.synchronised_after = None
    with pytest.raises(TimeServiceFailed) as failed:
        run(host, servers=['192.0.2.7'], sync_timeout=3)
    assert [line for line in host.logged if line.startswith('undo: ')], 'so is the undo'
    assert json.loads(host.text(LAST_RUN))['changed'] is False
    assert json.loads(host.text(LAST_RUN))['msg'] == str(failed.value)


# Files that are odd


@pytest.mark.parametrize('target', ['/run/site/sources.d', '../../run/site/sources.d'])
def test_a_folder_that_is_a_link_to_one_that_goes_with_the_next_boot_is_refused(tmp_path, target):
    host = debian(tmp_path, 'chrony')
    os.makedirs(host.path('/run/site/sources.d'))
    os.symlink(target, host.path('/etc/chrony/sources.d'))
    with pytest.raises(TimeServiceFailed, match='aemops-brand-portal.sources leads to /run/site/sources.d/.*at each boot'):
        run(host)
    linked = debian(tmp_path / 'other', 'chrony')
    os.makedirs(linked.path('/srv/site/sources.d'))
    os.symlink('../../srv/site/sources.d', linked.path('/etc/chrony/sources.d'))
    assert run(linked)['synchronized']
    assert os.listdir(linked.path('/srv/site/sources.d')) == ['aemops-brand-portal.sources']


def odd(host, path, make):
    os.makedirs(os.path.dirname(host.path(path)), exist_ok=True)
    make(host.path(path))
    return sorted((folder, name) for folder, folders, names in os.walk(host.path('/etc')) for name in names + folders)


@pytest.mark.parametrize(('path', 'make', 'said'), [
    (SOURCES, os.mkdir, 'aemops-brand-portal.sources is not a regular file'),
    (SOURCES, os.mkfifo, 'aemops-brand-portal.sources is not a regular file'),
    (SOURCES, lambda path: os.symlink('/dev/null', path), 'is not a regular file'),
    ('/etc/chrony/sources.d', lambda path: os.symlink('/nowhere/sources.d', path),
     'a link to /nowhere/sources.d, which does not exist'),
    ('/etc/chrony/sources.d', lambda path: open(path, 'w', encoding='utf-8').close(), 'is not a folder'),
])
def test_what_is_in_the_place_of_a_file_of_ours_is_named_and_stays(tmp_path, path, make, said):
    host = debian(tmp_path, 'chrony')
    before = odd(host, path, make)
    with pytest.raises(TimeServiceFailed, match=said + '.*Nothing was changed'):
        run(host)
    assert odd(host, '/etc/hosts', lambda path: None) == before


def test_a_link_that_another_has_put_where_our_folder_was_stays_when_the_run_is_undone(tmp_path):
    host = debian(tmp_path, 'chrony')
    host.synchronised_after = None
    ours, real = host.path('/etc/chrony/sources.d'), host.sleep

    def swap(seconds):
        if os.path.isdir(ours) and not os.path.islink(ours):
            os.rename(ours, ours + '.moved')
            os.symlink('/nowhere', ours)
        real(seconds)
    host.sleep = swap
    with pytest.raises(TimeServiceFailed):
        run(host)
    assert os.readlink(ours) == '/nowhere'


# VMware tools


def vmware(tmp_path, said='Enabled', *units):
    host = debian(tmp_path, *units or ('chrony',))
    host.put('/usr/bin/vmware-toolbox-cmd', '')
    host.vmware = said
    return host


def test_the_time_synchronization_of_vmware_tools_is_turned_off_where_a_daemon_keeps_the_clock(tmp_path):
    host = vmware(tmp_path)
    host.time = 100.0
    predicted = run(host, check_mode=True, servers=[])
    assert (predicted['changed'], host.vmware) == (True, 'Enabled')
    result = run(host, servers=[])
    assert result['actions'] == ['turn off the time synchronization of VMware tools']
    assert predicted['actions'] == ['would turn off the time synchronization of VMware tools']
    assert (result['changed'], result['disabled'], host.vmware) == (True, ['VMware tools'], 'Disabled')
    assert 'VMware' not in result['msg']
    assert not run(host, servers=[])['changed']
    assert nothing_left(host)


@pytest.mark.parametrize('said', ['Disabled', 'Error: it must be run inside a virtual machine.'])
def test_vmware_tools_that_do_not_set_the_clock_are_left_alone(tmp_path, said):
    host = vmware(tmp_path, said)
    assert not [words for words in run(host)['actions'] if 'VMware' in words] and host.vmware == said


def test_a_run_that_fails_turns_it_on_again(tmp_path):
    host = vmware(tmp_path)
    host.synchronised_after = None
    with pytest.raises(TimeServiceFailed) as failed:
        run(host)
    assert (host.vmware, failed.value.details['restored'], failed.value.details['changed']) == ('Enabled', True, False)


def test_a_daemon_that_may_stay_without_sources_does_not_replace_vmware_tools(tmp_path):
    host = vmware(tmp_path)
    host.synchronised_after = None
    result = run(host, on_unsynchronized='ignore')
    assert (result['synchronized'], result['disabled'], host.vmware) == (False, [], 'Enabled')
    assert 'This clock is also set by VMware tools' in result['msg']
    assert [words for words in host.commands if 'vmware' in words] == [
        'vmware-toolbox-cmd timesync disable', 'vmware-toolbox-cmd timesync enable']
    assert nothing_left(host)


def test_tools_that_cannot_be_turned_on_again_are_named(tmp_path):
    host = vmware(tmp_path)
    host.synchronised_after = None
    host.failing['vmware-toolbox-cmd timesync enable'] = 'not permitted by the host'
    with pytest.raises(TimeServiceFailed, match='Turn on the time synchronization of VMware tools.*not permitted by the host'):
        run(host, on_unsynchronized='ignore')


def test_tools_that_do_not_take_the_command_fail_the_run_and_are_named(tmp_path):
    host = vmware(tmp_path)
    host.failing['vmware-toolbox-cmd timesync disable'] = 'not permitted by the host'
    with pytest.raises(TimeServiceFailed, match='Turn off the time synchronization of VMware tools.*not permitted by the host'):
        run(host)
    assert host.text(SOURCES) is None


# A daemon that follows a wrong source


class VerifiedStep(ClockStep):
    """A step after which a verified measurement has shown that the clock is right."""

    def __init__(self, verified=True, changed=True):
        super().__init__(changed, verified)
        self._result['after'] = dict(self._result['before'], verdict='in_sync')


class MovedClock:
    """The anchor of a clock that has been set by `by` since."""

    by = 0.0

    def stepped_by(self):
        return self.by


def led_away(host, monkeypatch, by=0.0, verified=True, **options):
    monkeypatch.setattr(MovedClock, 'by', by)
    monkeypatch.setattr(present, 'Anchor', MovedClock)
    made = with_clock(host, VerifiedStep(verified), **dict({'on_unsynchronized': 'auto', 'servers': ['ntp1.example']}, **options))
    with pytest.raises(TimeServiceFailed) as failed:
        made.run()
    return str(failed.value), failed.value.details


def test_timesyncd_that_follows_an_earlier_server_with_a_wrong_time_is_a_failure_that_names_it(tmp_path, monkeypatch):
    """It asks its servers in order, and ours come last."""
    host = debian(tmp_path, 'systemd-timesyncd')
    host.put('/etc/systemd/timesyncd.conf', '[Time]\nNTP=old.example right.example\n')
    host._timedatectl = lambda words: host.put('/run/systemd/timesync/synchronized', '') or \
        '       Server: 192.0.2.9 (old.example)\n       Offset: +1min 30.0s\n'
    before = own_tree(host)
    message, details = led_away(host, monkeypatch, 90.0)
    assert 'synchronized to 192.0.2.9 (old.example), was +90.000000 s off, and leads the clock by +90.000 s away' in message
    assert 'The clock stays set' not in message
    assert 'Remove old.example (/etc/systemd/timesyncd.conf line 2), or set only=true' in details['advice']
    assert 'first of its servers that answers' in details['advice']
    assert own_tree(host) == before


def test_timesyncd_that_has_just_corrected_the_clock_is_no_failure(tmp_path, monkeypatch):
    """The offset that it reports until its next query is that before its correction."""
    host = debian(tmp_path, 'systemd-timesyncd')
    host.put('/etc/systemd/timesyncd.conf', '[Time]\nNTP=ntp1.example\n')
    host.put('/run/systemd/timesync/synchronized', '')

    def timedatectl(_words):
        offset = '+0.1ms' if any('restart' in command for command in host.commands) else '+1min 30.0s'
        return f'       Server: 192.0.2.9 (ntp1.example)\n       Offset: {offset}\n'
    host._timedatectl = timedatectl
    monkeypatch.setattr(present, 'Anchor', MovedClock)
    result = with_clock(host, VerifiedStep(changed=False), on_unsynchronized='auto', servers=['ntp1.example']).run()
    assert result['synchronized']


def test_a_verified_clock_is_not_stepped_to_what_a_wrong_majority_says(tmp_path, monkeypatch):
    """chronyd follows two wrong servers of others, and this run had it step the clock back to their time."""
    host = debian(tmp_path, 'chrony')
    host.put('/etc/chrony/chrony.conf', 'server 192.0.2.8 iburst\nserver 192.0.2.9 iburst\nsourcedir /etc/chrony/sources.d\n')
    host.correction = -90.0
    message, details = led_away(host, monkeypatch)
    assert 'leads the clock by -90.000 s away' in message
    assert 'chronyc makestep' not in host.commands
    assert ('Remove those that are wrong of 192.0.2.8 (/etc/chrony/chrony.conf line 1), 192.0.2.9 (/etc/chrony/chrony.conf line 2)'
            in details['advice'])


def test_a_wrong_server_of_the_options_is_not_blamed_on_others(tmp_path, monkeypatch):
    host = debian(tmp_path, 'chrony')
    host.correction = 90.0
    _message, details = led_away(host, monkeypatch, servers=['192.0.2.1'])
    assert details['advice'].startswith('Name other servers (option servers')


def test_without_a_verified_clock_the_daemon_is_believed(tmp_path, monkeypatch):
    host = debian(tmp_path, 'chrony')
    host.correction = 90.0
    monkeypatch.setattr(present, 'Anchor', MovedClock)
    assert 'step the clock by +90.000 s' in with_clock(host, VerifiedStep(verified=False)).run()['actions']


def test_a_clock_that_is_set_without_a_daemon_is_not_said_to_be_kept_by_nothing(tmp_path):
    """PTP, or the daemon with its other configuration, may well keep it."""
    host = debian(tmp_path, 'chrony')
    host.put('/etc/chrony/chrony.conf', 'server 192.0.2.1 offline\n')
    result = with_clock(host, ClockStep(True), on_unsynchronized='auto').run()
    assert result['msg'].startswith('The clock is right now, but no time daemon was configured to keep it right: "server 192.0.2.1')
    assert (result['reason'], result['changed']) == ('not_read', True)


class PredictedStep(ClockStep):
    """In check mode."""

    def run(self):
        return dict(self._result, msg='The clock would be set by +90.000 s.',
                    actions=['would stop aem.service', 'would set the clock by +90.000 s'])


class StartedAgain(ClockStep):
    """The clock is right. A service that an interrupted run had left stopped was started."""

    def run(self):
        return dict(self._result, changed=True, stopped={'units': ['aem.service'], 'seconds': 0.0}, msg='It was started now.')


@pytest.mark.parametrize('config', [CHRONY_DEBIAN, 'server 192.0.2.1 offline\n'])
def test_check_mode_tells_the_step_and_does_not_say_that_the_clock_is_right(tmp_path, config):
    host = debian(tmp_path, 'chrony')
    host.put('/etc/chrony/chrony.conf', config)
    host.time = 100.0
    made = service(host, True, on_unsynchronized='ignore')
    made.setter = PredictedStep(True)
    result = made.run()
    assert result['actions'][:2] == ['would stop aem.service', 'would set the clock by +90.000 s']
    assert result['msg'].startswith('Check mode: a run would stop aem.service; would set the clock by +90.000 s')
    assert result['changed'] and 'right now' not in result['msg'] and 'keeps the clock right' not in result['msg']


def test_without_a_measurement_a_refused_daemon_leaves_the_state_of_the_clock_open(tmp_path):
    host = debian(tmp_path, 'chrony')
    host.put('/etc/chrony/chrony.conf', 'server 192.0.2.1 offline\n')
    result = run(host, on_unsynchronized='ignore')
    assert result['msg'].startswith('No time daemon was configured to keep the clock right: "server 192.0.2.1')


@pytest.mark.parametrize('unit', ['chrony', 'ntpsec'])
def test_a_service_that_was_started_again_is_no_step_of_the_clock(tmp_path, unit):
    host = debian(tmp_path, unit)
    host.time = 100.0
    result = with_clock(host, StartedAgain(False), servers=[]).run()
    assert (result['changed'], result['stopped'], host.commands) == (True, ['aem.service'], [])
    host = debian(tmp_path / 'none')
    host.available.clear()
    with pytest.raises(TimeServiceFailed, match=r'Nothing else was changed\.$') as failed:
        with_clock(host, StartedAgain(False)).run()
    assert failed.value.details['changed']


def test_what_a_step_did_that_is_not_proven_is_told(tmp_path):
    class Unproven(ClockStep):
        def run(self):
            done = super().run()
            raise StepRefused('The clock was set by +90.000 s, but nothing shows that it is right.', 'Look.', **{
                key: done[key] for key in ('changed', 'before', 'after', 'rtc', 'stopped')})
    with pytest.raises(TimeServiceFailed) as failed:
        with_clock(debian(tmp_path, 'chrony'), Unproven(True)).run()
    assert (failed.value.details['rtc']['written'], failed.value.details['changed']) == (True, True)


def test_a_refusal_after_the_step_tells_that_the_clock_was_set(tmp_path):
    host = debian(tmp_path, 'chrony')
    host.put('/etc/chrony/chrony.conf', 'server 192.0.2.1 offline\n')
    with pytest.raises(TimeServiceFailed, match=r'^"server 192\.0\.2\.1.* The clock was set\.$'):
        with_clock(host, ClockStep(True, verified=False), on_unsynchronized='auto').run()


# Check mode


@pytest.mark.parametrize(('units', 'options', 'last'), [
    (['chrony'], {'servers': []}, 'make chrony.service measure again'), (['ntpsec'], {'servers': []}, 'restart ntpsec.service'),
    (['systemd-timesyncd'], {'servers': []}, 'restart systemd-timesyncd.service'),
    (['chrony'], {}, 'tell chrony.service its new sources'), (['chrony'], {'max_distance': 0.5}, 'restart chrony.service'),
    (['ntpsec'], {}, 'restart ntpsec.service'), (['systemd-timesyncd'], {}, 'restart systemd-timesyncd.service'),
    (['chrony', 'ntpsec'], {'provider': 'chrony'}, 'tell chrony.service its new sources')])
@pytest.mark.parametrize('tools', [False, True])
def test_check_mode_tells_what_a_run_does_with_a_daemon_that_is_not_synchronized(tmp_path, units, options, last, tools):
    results = []
    for check_mode in (True, False):
        host = debian(tmp_path / str(check_mode), *units)
        if tools:
            host.put('/usr/bin/vmware-toolbox-cmd', '')
            host.vmware = 'Enabled'
        host.time = host.began = 100.0
        results.append(run(host, check_mode, **options))
    predicted, done = results
    assert predicted['actions'] == ['would ' + each for each in done['actions']]
    assert predicted['actions'][-1] == 'would ' + last
    assert (predicted['changed'], predicted['disabled']) == (True, done['disabled'])
    assert 'Check mode: a run would ' in predicted['msg']


def test_check_mode_tells_a_step_that_the_daemon_is_told(tmp_path):
    host = debian(tmp_path, 'chrony')
    host.time, host.correction = 100.0, 90.0
    predicted = run(host, True, servers=[])
    assert predicted['actions'] == ['would step the clock by +90.000 s']
    assert run(host, servers=[])['actions'] == ['step the clock by +90.000 s']


def test_a_unit_that_sets_the_clock_is_stopped_and_not_replaced_by_a_package(tmp_path):
    place = '/etc/systemd/system/ntpdate-loop.service'
    results = []
    for check_mode in (True, False):
        host = FakeHost(tmp_path / str(check_mode), 'debian-12', {
            place: '[Service]\nExecStart=/usr/sbin/ntpdate pool.ntp.org\n', '/usr/sbin/ntpdate': ''})
        host.units['ntpdate-loop.service'] = ['active', 'enabled']
        host.link('/etc/systemd/system/multi-user.target.wants/ntpdate-loop.service', place)
        results.append(run(host, check_mode))
    assert results[0]['actions'][0] == 'would install the package chrony'
    assert 'would stop and disable ntpdate-loop.service' in results[0]['actions']
    assert results[0]['disabled'] == results[1]['disabled'] == ['ntpdate-loop.service']


def test_check_mode_after_an_interrupted_run_says_that_its_plan_is_not_complete(tmp_path):
    host = debian(tmp_path, 'chrony')
    acts.write_file(UndoLog(host, FOLDER), SOURCES, 'ours', 'write', expected=None)
    assert run(host, True)['msg'].endswith('. It plans again after the undo, and may do more.')


# What is said about a failure


@pytest.mark.parametrize(('error', 'advice'), [
    (LogUnreadable('x'), 'remove the file'), (LookFailed('x'), 'package manager'), (NoAnswer('x'), 'systemctl'),
    (PermissionError(errno.EACCES, 'Permission denied', '/x'), 'become'), (OSError(errno.EIO, 'Broken', '/x'), 'run again'),
    (Refused('x', 'Do that.'), 'Do that.')])
def test_each_error_before_the_acts_names_a_next_step(tmp_path, monkeypatch, error, advice):
    monkeypatch.setattr(os, 'geteuid', lambda: 1000)
    made = service(debian(tmp_path, 'chrony'))

    def look():
        raise error
    made.look = look
    with pytest.raises(TimeServiceFailed, match=r'Nothing was changed\.$') as failed:
        made.run()
    assert advice in failed.value.details['advice']


def test_a_file_that_cannot_be_written_has_a_next_step(tmp_path):
    host = debian(tmp_path, 'chrony')
    host.obstacle = lambda path: 'it is immutable. Run "chattr -i" if it may change' if path == SOURCES else ''
    with pytest.raises(TimeServiceFailed, match='cannot be written: it is immutable') as failed:
        run(host)
    assert failed.value.details['advice'] == f'See that {SOURCES} can be written, then run again.'


def test_a_failure_after_an_interrupted_run_was_undone_does_not_say_that_nothing_was_changed(tmp_path):
    host = debian(tmp_path)
    host.available.clear()
    acts.write_file(UndoLog(host, FOLDER), '/etc/x.conf', 'ours', 'write x.conf', expected=None)
    with pytest.raises(TimeServiceFailed, match=r'Nothing else was changed\.$') as failed:
        run(host)
    assert failed.value.details['changed']


@pytest.mark.parametrize('prefix', ['', 'HEX:', 'ASCII:'])
def test_a_key_is_hidden_without_the_prefix_of_its_encoding_and_in_the_last_run(tmp_path, prefix):
    host = debian(tmp_path, 'chrony')
    host.failing['systemctl try-restart'] = 'bad key ' + SECRET
    with pytest.raises(TimeServiceFailed) as failed:
        run(host, keys=[{'server': '192.0.2.1', 'id': 7, 'type': 'SHA256', 'key': prefix + SECRET}])
    assert HIDDEN in str(failed.value) and failed.value.details['problems']
    assert SECRET not in str(failed.value) + json.dumps(failed.value.details) + host.text(LAST_RUN)
