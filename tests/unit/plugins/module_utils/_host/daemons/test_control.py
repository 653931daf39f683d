# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is made of the answers of real chronyc, ntpq and timedatectl: recorded ones, state by state."""

import os
import re
import time

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import base, discovery
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import timesyncd as timesyncd_module
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.base import Refused
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.config import BLOCK_BEGIN, BLOCK_END
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.timesyncd_config import timespan
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.wanted import Key, Server, Wanted
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import Done, System

RECORDED = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'recorded')
FACTS = {'installed': True, 'package': '', 'active': True, 'enabled': True, 'masked': False, 'condition': '', 'pid': '', 'keys': '',
         'keys_group': '', 'arguments': [], 'started_by': '', 'directives': [], 'no_control': '', 'not_read': '',
         'not_read_advice': '', 'stale': False, 'sources_dir': '', 'config_dir': ''}


def recorded(name):
    """{state: (configuration, {command: Done})} of a file of recorded answers."""
    states, command = {}, None
    with open(os.path.join(RECORDED, name + '.txt'), encoding='utf-8') as stream:
        for line in stream.read().splitlines():
            if line.startswith('## '):
                config, answers = [], {}
                states[line[3:]] = (config, answers)
            elif states and line.startswith('# '):
                config.append(line[2:])
            elif line.startswith('$ '):
                command = line[2:]
            elif line.startswith('= '):
                answers[command] = Done(int(line[2:]), '', '')
            elif line[:1] == '|':
                answers[command] = answers[command]._replace(out=answers[command].out + line[1:] + '\n')
            elif line[:1] == '!':
                answers[command] = answers[command]._replace(err=answers[command].err + line[1:] + '\n')
    return states


class Replayed(System):
    """A host whose daemon answers as it was recorded."""

    def __init__(self, root, answers, active='active'):
        super().__init__(str(root))
        self.answers, self.active = answers, active

    def execute(self, command, timeout=100.0, environment=None):
        words = ' '.join(command)
        if command[0] == 'systemctl':
            return Done(0, 'Id=x\nLoadState=loaded\nActiveState={0}\nActiveEnterTimestampMonotonic=0\n'.format(self.active), '')
        return self.answers.get(words, Done(1, '', 'Unrecognized command'))


def daemon(tmp_path, kind, recording, state, active='active', config=None, measured=(), **facts):
    lines, answers = recorded(recording)[state]
    path = {'chrony': '/etc/chrony.conf', 'timesyncd': '/etc/systemd/timesyncd.conf'}.get(kind, '/etc/ntp.conf')
    target = tmp_path / path.lstrip('/')
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text('\n'.join(lines) + '\n' if config is None else config)
    host = Replayed(tmp_path, answers, active)
    return discovery.make(host, dict(FACTS, name=kind, unit=kind + '.service', config=path, **facts), measured)


TRACKING = 'C0000201,192.0.2.1,3,1795720443.8,{0},0,0,0,0,0,0,0,2.0,Normal\n'
CHRONY = ['chrony-4.0', 'chrony-4.3', 'chrony-3.5']
NTPD = [('ntpd', 'ntp-4.2.8p15'), ('ntpsec', 'ntpsec-1.2.2')]


@pytest.mark.parametrize('recording', CHRONY)
@pytest.mark.parametrize(('state', 'synchronized', 'answered', 'reason', 'said'), [
    ('synchronized', True, True, '', 'synchronized to 192.0.2.1'),
    ('unreachable', False, False, 'unreachable', 'no answer from 192.0.2.77, 192.0.2.78'),
    ('local', False, False, 'own_clock', "own clock (7F7F0101: \"local stratum 10\" (/etc/chrony.conf line 2)); it has no answer"),
    ('none', False, False, 'no_source', 'no source is configured'),
    ('minsources', False, True, 'not_selected', '"minsources 2" (/etc/chrony.conf line 3) asks for more sources'),
    ('itself', False, False, 'own_clock', 'its only source is this host itself (127.0.0.1)'),
    ('noselect', False, True, 'not_selected', '192.0.2.1'),
    ('gone', False, False, 'may_not_be_asked', 'does not answer chronyc'),
])
def test_chronyd(tmp_path, recording, state, synchronized, answered, reason, said):
    status = daemon(tmp_path, 'chrony', recording, state).status()
    assert (status.synchronized, status.answered, status.reason) == (synchronized, answered, reason)
    assert said in status.msg
    assert bool(status.advice) is not synchronized
    assert not status.stepped, 'only ntpd waits after a step'
    assert 'UDP 123' not in status.advice, 'nothing was measured'


@pytest.mark.parametrize('recording', CHRONY[:2])
def test_chronyd_beside_nts_sources_that_are_out_of_reach(tmp_path, recording):
    status = daemon(tmp_path, 'chrony', recording, 'nts').status()
    assert (status.reason, status.answered) == ('not_selected', True)
    assert '192.0.2.1 (waits for other sources to be selectable)' in status.msg
    assert 'authselectmode mix, the default' in status.msg
    assert '192.0.2.77 (/etc/chrony.conf line 2)' in status.msg
    assert daemon(tmp_path, 'chrony', recording, 'ntstrust').status().synchronized, 'what this role writes then'
    status = daemon(tmp_path, 'chrony', recording, 'authprefer').status()
    assert '"authselectmode prefer" (/etc/chrony.conf line 3)' in status.msg


def test_authenticated_sources_that_answer_are_not_said_to_be_silent(tmp_path):
    found = daemon(tmp_path, 'chrony', 'chrony-4.3', 'nts')
    rows = '^,x,192.0.2.1,2,6,17,8,0.1,0.1,0.1\n^,x,192.0.2.77,2,6,17,8,9.1,9.1,0.1\n'
    answers = found.host.answers
    answers['chronyc -n -c sources'] = answers['chronyc -n -c sources']._replace(out=rows)
    answers['chronyc -n -c selectdata'] = answers['chronyc -n -c selectdata']._replace(
        out='T,192.0.2.1,N,-,-\nx,192.0.2.77,Y,-,-\n')
    status = found.status()
    assert '192.0.2.77 (a falseticker)' in status.msg
    assert 'do not answer' not in status.msg
    assert '4460' not in status.advice


@pytest.mark.parametrize('recording', CHRONY)
def test_the_sign_of_what_chronyd_has_left(tmp_path, recording):
    """chronyc: a positive System time is slow of NTP time, so the clock is behind."""
    found = daemon(tmp_path, 'chrony', recording, 'synchronized')
    found.host.answers['chronyc -n -c tracking'] = Done(0, TRACKING.format('2.500000000'), '')
    assert found.status().residual_offset == 2.5


@pytest.mark.parametrize('field', ['--', 'nan', '', 'inf', '1e999'])
def test_a_field_that_cannot_be_read_is_not_synchronized(tmp_path, field):
    found = daemon(tmp_path, 'chrony', 'chrony-4.3', 'synchronized')
    found.host.answers['chronyc -n -c tracking'] = Done(0, TRACKING.format(field), '')
    assert not found.status().synchronized
    found = daemon(tmp_path, 'ntpd', 'ntp-4.2.8p15', 'synchronized')
    answer = 'leap=00, stratum=3, refid=192.0.2.1, offset={0}\n'.format(field or '-')
    found.host.answers['ntpq -n -c rv 0 leap,stratum,refid,offset'] = Done(0, answer, '')
    assert (found.status().synchronized, found.status().reason) == (False, 'unknown')


@pytest.mark.parametrize(('recording', 'word'), [('chrony-3.5', 'not selectable'), ('chrony-4.3', 'noselect')])
def test_the_word_for_a_source_that_is_not_selected(tmp_path, recording, word):
    """Before 4.1 the only word is the one of "sources"."""
    assert '192.0.2.1 ({0})'.format(word) in daemon(tmp_path, 'chrony', recording, 'noselect').status().msg


@pytest.mark.parametrize(('lines', 'own'), [
    ('server 127.0.0.1', True), ('server 127.0.0.1 port 123', True), ('server 127.0.0.1 port 1123', False),
    ('server 127.0.0.1 port 1123\nport 1123', True), ('server 127.0.0.1\nport 1123', False)])
def test_a_source_on_this_host_is_chronyd_itself_where_the_port_is_its_own(tmp_path, lines, own):
    found = daemon(tmp_path, 'chrony', 'chrony-4.3', 'synchronized', config=lines + '\n')
    found.host.answers['chronyc -n -c tracking'] = Done(
        0, TRACKING.format('0.1').replace('C0000201,192.0.2.1', '7F000001,127.0.0.1'), '')
    found.host.answers['chronyc -n -c sources'] = Done(0, '^,*,127.0.0.1,2,6,17,6,0.0,0.0,0.0\n', '')
    assert (found.status().reason == 'own_clock') is own


@pytest.mark.parametrize(('lines', 'nts', 'refused'), [
    ('authselectmode require', False, True),
    ('authselectmode prefer', False, False),
    ('authselectmode prefer\nserver nts.example nts', False, True),
    ('authselectmode prefer', True, True),
    ('server nts.example nts', True, False)])
def test_a_mode_that_never_selects_what_is_wanted_is_refused(tmp_path, lines, nts, refused):
    found = daemon(tmp_path, 'chrony', 'chrony-4.3', 'synchronized', config=lines + '\n')
    wanted = Wanted([Server('192.0.2.9')], [Server('nts2.example')] if nts else [], [], [], '', 0.0)
    if refused:
        with pytest.raises(Refused, match='keeps chrony.service from ever selecting a server without authentication'):
            found.check_against(wanted)
    else:
        found.check_against(wanted)


@pytest.mark.parametrize(('listed', 'said'), [
    ('^,*,192.0.2.1,2,6,17,6,0.0,0.0,0.0\n', ''),
    ('^,*,192.0.2.7,2,6,17,6,0.0,0.0,0.0\n', 'chrony.service does not list 192.0.2.1 of /etc/chrony.conf line 2 among its sources'),
    ('', '')])      # it does not tell
def test_chronyd_uses_what_was_written_once_it_lists_it(tmp_path, listed, said):
    config = '\n'.join([BLOCK_BEGIN, 'server 192.0.2.1 iburst', BLOCK_END, ''])
    found = daemon(tmp_path, 'chrony', 'chrony-4.3', 'synchronized', config=config)
    found.host.answers['chronyc -n -c sources'] = Done(0, listed, '')
    assert found.reads_ours() == said


@pytest.mark.parametrize(('servers', 'listed'), [
    (['192.0.2.1', '192.0.2.7'], '192.0.2.7'),                  # the first one may answer later
    (['ntp.example', 'ntp2.example'], '198.51.100.1')])         # it is listed with its address
def test_chronyd_that_lists_one_of_ours_or_may_do_so_uses_what_was_written(tmp_path, servers, listed):
    config = '\n'.join([BLOCK_BEGIN, *('server {0} iburst'.format(each) for each in servers), BLOCK_END, ''])
    found = daemon(tmp_path, 'chrony', 'chrony-4.3', 'synchronized', config=config)
    found.host.answers['chronyc -n -c sources'] = Done(0, '^,*,{0},2,6,17,6,0.0,0.0,0.0\n'.format(listed), '')
    assert found.reads_ours() == ''


@pytest.mark.parametrize(('server', 'said'), [
    ('192.0.2.1', ''), ('192.0.2.99', 'ntpd.service does not list 192.0.2.99 of /etc/ntp.conf line 2 among its sources')])
def test_ntpd_uses_what_was_written_once_it_lists_it(tmp_path, server, said):
    config = '\n'.join([BLOCK_BEGIN, 'server {0} iburst'.format(server), BLOCK_END, ''])
    assert daemon(tmp_path, 'ntpd', 'ntp-4.2.8p15', 'synchronized', config=config).reads_ours() == said


@pytest.mark.parametrize('running', ['/etc/a.conf', '/etc/z.conf'])
def test_a_chronyd_that_runs_with_another_file_is_told(tmp_path, monkeypatch, running):
    config = '\n'.join([BLOCK_BEGIN, 'server 192.0.2.1 iburst', BLOCK_END, ''])
    found = daemon(tmp_path, 'chrony', 'chrony-4.3', 'synchronized', config=config)
    monkeypatch.setattr(base, 'running_config', lambda host, facts: running)
    assert found.reads_ours() == 'chrony.service runs with {0}, not with /etc/chrony.conf'.format(running)


def test_chronyd_with_x_never_keeps_the_clock(tmp_path):
    status = daemon(tmp_path, 'chrony', 'chrony-4.3', 'synchronized', no_control='-x (/etc/default/chrony line 3)').status()
    assert (status.synchronized, status.answered, status.reason) == (False, True, 'no_control_of_clock')
    assert '-x (/etc/default/chrony line 3)' in status.msg


@pytest.mark.parametrize('recording', CHRONY)
def test_a_daemon_that_does_not_run_is_told_from_one_that_is_silent(tmp_path, recording):
    status = daemon(tmp_path, 'chrony', recording, 'gone', active='inactive').status()
    assert (status.reason, status.residual_offset, status.answered) == ('not_running', 0.0, False)
    assert status.advice == 'See journalctl -b -u chrony.service.'


@pytest.mark.parametrize(('kind', 'recording'), NTPD)
@pytest.mark.parametrize(('state', 'synchronized', 'answered', 'reason', 'said'), [
    ('synchronized', True, True, '', 'synchronized to 192.0.2.1'),
    ('unreachable', False, False, 'unreachable', 'no answer from 192.0.2.77'),
    ('none', False, False, 'no_source', 'no source is configured'),
    ('local', False, False, 'own_clock', "this host's own clock"),
    ('orphan', False, False, 'own_clock', "this host's own clock (127.0.0.1)"),
    ('minsane', False, True, 'not_selected', '"tos minclock 4 minsane 3" (/etc/ntp.conf line 2)'),
    ('ignored', False, False, 'not_selected', '"restrict default ignore" (/etc/ntp.conf line 2) drops what 192.0.2.1 answers'),
    ('mute', False, False, 'may_not_be_asked', '"restrict default kod nomodify notrap nopeer noquery" (/etc/ntp.conf line 2)'),
])
def test_ntpd(tmp_path, kind, recording, state, synchronized, answered, reason, said):
    status = daemon(tmp_path, kind, recording, state).status()
    assert (status.synchronized, status.answered, status.reason) == (synchronized, answered, reason)
    assert said in status.msg
    assert bool(status.advice) is not synchronized
    assert 'UDP 123' not in status.advice


def test_ntpsec_does_not_answer_where_no_line_lets_this_host_ask(tmp_path):
    found = daemon(tmp_path, 'ntpsec', 'ntpsec-1.2.2', 'mute', config='server 192.0.2.1 iburst\n')
    assert '"restrict default noquery limited" (/etc/ntp.conf) does not allow queries from this host' in found.status().msg
    assert found.status().advice.startswith('Add the lines "restrict 127.0.0.1" and "restrict ::1" to /etc/ntp.conf')


@pytest.mark.parametrize(('kind', 'recording'), NTPD)
def test_an_ntpd_that_does_not_run(tmp_path, kind, recording):
    assert daemon(tmp_path, kind, recording, 'gone', active='failed').status().reason == 'not_running'


def test_the_sign_of_what_ntpd_is_off(tmp_path):
    """ntpq: a positive offset (milliseconds) is a server that is ahead, so the clock is behind."""
    found = daemon(tmp_path, 'ntpd', 'ntp-4.2.8p15', 'synchronized')
    answer = Done(0, 'leap=00, stratum=3, refid=192.0.2.1, offset=+1500.0\n', '')
    found.host.answers['ntpq -n -c rv 0 leap,stratum,refid,offset'] = answer
    assert found.status().residual_offset == 1.5


@pytest.mark.parametrize('leap', ['11', '3'])
def test_a_leap_indicator_of_alarm_is_not_synchronized(tmp_path, leap):
    found = daemon(tmp_path, 'ntpd', 'ntp-4.2.8p15', 'synchronized')
    answer = Done(0, 'leap={0}, stratum=3, refid=192.0.2.1, offset=0.1\n'.format(leap), '')
    found.host.answers['ntpq -n -c rv 0 leap,stratum,refid,offset'] = answer
    assert not found.status().synchronized


def test_a_server_that_follows_its_own_clock_is_a_server(tmp_path):
    found = daemon(tmp_path, 'ntpd', 'ntp-4.2.8p15', 'synchronized')
    peers = found.host.answers['ntpq -pn']
    for refid in ('.LOCL.', 'LOCAL(1)', '127.127.1.1'):
        row = '*192.0.2.1       {0}         2 u   17   64  377    0.133   +0.057   0.054'.format(refid)
        found.host.answers['ntpq -pn'] = peers._replace(out='\n'.join(peers.out.splitlines()[:2] + [row]) + '\n')
        assert found.status().synchronized, refid


def test_disable_ntp_takes_the_control_away(tmp_path):
    config = 'server 192.0.2.1 iburst\ndisable ntp\n'
    status = daemon(tmp_path, 'ntpd', 'ntp-4.2.8p15', 'synchronized', config=config).status()
    assert (status.synchronized, status.reason) == (False, 'no_control_of_clock')
    # ntpd applies all enable lines first, then all disable lines (ntp_config.c).
    later = daemon(tmp_path, 'ntpd', 'ntp-4.2.8p15', 'synchronized', config=config + 'enable ntp\n').status()
    assert later == status
    assert daemon(tmp_path, 'ntpd', 'ntp-4.2.8p15', 'synchronized', config='disable auth\nenable ntp\n').status().synchronized


@pytest.mark.parametrize(('kind', 'recording', 'line', 'path'), [
    ('ntpd', 'ntp-4.2.8p15', 'keys "/etc/ntp/site keys"  # ours\nKeys /etc/other', '/etc/ntp/site keys'),
    ('ntpd', 'ntp-4.2.8p15', 'keys etc/site.keys', '/etc/site.keys'),
    ('ntpd', 'ntp-4.2.8p15', 'keys /etc/site\0.keys', '/etc/site'),
    ('chrony', 'chrony-4.3', 'KeyFile "/etc/chrony.keys"', '/"/etc/chrony.keys"')])
def test_the_file_of_keys_is_the_one_that_the_daemon_reads(tmp_path, kind, recording, line, path):
    found = daemon(tmp_path, kind, recording, 'synchronized', config=line + '\n')
    files, directive = found._key_file([Key('192.0.2.1', 7, 'SHA1', 'secret')])
    assert ([file.path for file in files], directive) == ([path], [])


@pytest.mark.parametrize(('line', 'refused'), [
    ('7 MD5 other', True), (' 7\tSHA1 ends#', True), ('# 7 MD5 old', False), ('#7 MD5 old', False), ('70 MD5 other', False),
    (BLOCK_BEGIN + '\n7 SHA1 former\n' + BLOCK_END, False)])
def test_a_key_never_takes_the_number_of_another_one(tmp_path, line, refused):
    found = daemon(tmp_path, 'chrony', 'chrony-4.3', 'synchronized', config='keyfile /etc/chrony.keys\n')
    (tmp_path / 'etc/chrony.keys').write_text('1 MD5 first\n\n' + line + '\n')
    keys = [Key('192.0.2.2', 8, 'MD5', 'second'), Key('192.0.2.1', 7, 'SHA1', 'secret')]
    if refused:
        with pytest.raises(Refused, match='/etc/chrony.keys has another key with the id 7 already'):
            found._key_file(keys)
    else:
        assert found._key_file(keys)[0][0].text == '7 SHA1 secret\n8 MD5 second'


@pytest.mark.parametrize(('groups', 'group'), [('root:x:0:\n_chrony:x:115:\n', '_chrony'), ('root:x:0:\n_chronyx:x:115:\n', '')])
def test_the_group_that_reads_the_keys_is_one_of_this_host(tmp_path, groups, group):
    found = daemon(tmp_path, 'chrony', 'chrony-4.3', 'synchronized', keys_group='_chrony')
    (tmp_path / 'etc/group').write_text(groups)
    assert found.keys_group == group


def heard(name, low=0.0, reason=''):
    return {'kind': 'ntp', 'source': name, 'address': name + ':123', 'low': low, 'reason': reason}


FAR = 'its own uncertainty is too large (root distance 10.1 s, precision 0.015 s; the limit is 1.5 s)'


@pytest.mark.parametrize(('measured', 'said', 'unsaid'), [
    ([heard('192.0.2.77', None), heard('192.0.2.78', None)],
     "Open UDP 123 to 192.0.2.77, 192.0.2.78 from this host: this run's own measurement did not hear them either.", 'has heard'),
    ([heard('192.0.2.77', None), heard('192.0.2.78')],
     "Open UDP 123 to 192.0.2.77 from this host: this run's own measurement did not hear it either.", 'to 192.0.2.77, 192.0.2.78'),
    ([heard('192.0.2.77'), heard('192.0.2.78')], 'This run has heard 192.0.2.77, 192.0.2.78 from this host', 'UDP 123'),
    # It answers and cannot be used: no port is to be opened.
    ([heard('192.0.2.77', None, FAR), heard('192.0.2.78', None, FAR)], 'Raise max_distance', 'UDP 123'),
    ([heard('192.0.2.77', None, 'its clock is not synchronized (leap indicator 3)'),
      heard('192.0.2.78', None, 'no answer within 5 s')],
     "cannot use 192.0.2.77 either: its clock is not synchronized", 'to 192.0.2.77'),
    ([heard('192.0.2.77', None, 'the name does not resolve (Name or service not known)')], 'the name does not resolve', 'UDP 123'),
    ([heard('192.0.2.77', None, 'nothing listens on that port (connection refused)')], 'nothing listens on that port', 'UDP 123'),
    ([heard('192.0.2.77', None, 'no answer within 5 s'), heard('192.0.2.77', None, 'it sent the kiss code DENY')],
     'DENY', 'UDP 123'),
    ([heard('192.0.2.1')], 'Measure with the module clock_skew_info', 'UDP 123'),
    ([], 'Measure with the module clock_skew_info', 'UDP 123'),
])
def test_open_udp_123_is_said_of_what_this_run_did_not_hear(tmp_path, measured, said, unsaid):
    advice = daemon(tmp_path, 'chrony', 'chrony-4.3', 'unreachable', measured=measured).status().advice
    assert said in advice
    assert unsaid not in advice


@pytest.mark.parametrize(('line', 'measured', 'said', 'unsaid'), [
    ('server 192.0.2.1 port 1123', [heard('192.0.2.1:1123', None)], 'Open UDP 1123 to 192.0.2.1:1123 from', 'UDP 123'),
    ('server 2001:db8::1 port 1123', [heard('[2001:db8::1]:1123', None)], 'Open UDP 1123 to [2001:db8::1]:1123 from', 'UDP 123'),
    # Another program on the same machine.
    ('server 192.0.2.1 port 1123', [heard('192.0.2.1')], 'Measure with the module clock_skew_info', 'has heard'),
    ('server 192.0.2.1', [heard('192.0.2.1:1123')], 'Measure with the module clock_skew_info', 'has heard'),
    ('server 2001:db8::1', [heard('[2001:DB8::1]:123')], 'This run has heard 2001:db8::1 from this host', 'UDP 123'),
    ('server nts.example iburst nts', [heard('nts.example')], 'NTS also needs TCP 4460 to nts.example.', 'UDP 123'),
    ('server 192.0.2.1 iburst', [heard('192.0.2.1')], 'This run has heard 192.0.2.1', 'NTS'),
])
def test_a_port_is_said_of_the_source_that_has_it(tmp_path, line, measured, said, unsaid):
    advice = daemon(tmp_path, 'chrony', 'chrony-4.3', 'unreachable', config=line + '\n', measured=measured).status().advice
    assert said in advice
    assert unsaid not in advice


# Orders


@pytest.mark.parametrize('recording', CHRONY[:2])
def test_what_chronyd_says_to_orders(tmp_path, recording):
    found = daemon(tmp_path, 'chrony', recording, 'orders')
    assert found.reload_sources()
    assert not found.step(), '500 Failure: it may not set this clock'
    found.host.answers['chronyc -n makestep'] = Done(0, '200 OK\n', '')
    assert found.step()
    assert found.add_sources(['server 192.0.2.99'])
    assert found.remove_sources(['server 192.0.2.99'])
    assert found.remove_sources(['server 192.0.2.98']), '503 No such source'
    found.host.answers['chronyc -n delete never.example'] = found.host.answers['chronyc -n delete 192.0.2.98']
    assert not found.remove_sources(['server never.example']), 'chronyd still resolves it'
    assert not found.remove_sources(['pool 192.0.2.99'])
    found.host.answers = {'chronyc -n reload sources': Done(0, '501 Not authorised: 1200 OK\n', '')}
    assert not found.reload_sources()
    assert not found.add_sources(['server 192.0.2.99'])


def test_a_daemon_that_runs_with_another_file_is_restarted(tmp_path):
    found = daemon(tmp_path, 'chrony', 'chrony-4.3', 'orders', stale=True)
    assert found.needs_restart(['reload']) and found.needs_restart(['add']) and not found.needs_restart([])


@pytest.mark.parametrize(('kind', 'recording'), [*NTPD, ('timesyncd', 'timedatectl')])
def test_a_daemon_that_takes_no_orders_is_restarted(tmp_path, kind, recording):
    found = daemon(tmp_path, kind, recording, '252 synchronized' if kind == 'timesyncd' else 'synchronized')
    assert not (found.reload_sources() or found.reset_measurements() or found.step())
    assert not (found.add_sources(['server 192.0.2.1']) or found.remove_sources(['server 192.0.2.1']))
    assert found.add_sources([]) and found.remove_sources([]), 'there is nothing to do'
    assert found.needs_restart(['add']) and found.needs_restart(['reload']) and not found.needs_restart([])


# timesyncd

SYNCED = '/run/systemd/timesync/synchronized'


def timesyncd(tmp_path, state, *files, **more):
    for path in files:
        target = tmp_path / path.lstrip('/')
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text('')
    return daemon(tmp_path, 'timesyncd', 'timedatectl', state, **more)


@pytest.mark.parametrize(('state', 'files', 'synchronized', 'reason', 'residual'), [
    ('252 synchronized', [SYNCED], True, '', 0.000157),
    ('252 behind', [SYNCED], True, '', 90.031513),
    ('252 ahead', [SYNCED], True, '', -3700.49996),
    ('252 waiting', [], False, 'unreachable', 0.0),
    ('237 synchronized', ['/var/lib/systemd/timesync/clock'], True, '', 0.0),
    ('237 synchronized', [], False, 'too_old_to_tell', 0.0),
    ('237 waiting', ['/var/lib/systemd/timesync/clock'], False, 'unreachable', 0.0),
    ('229 synchronized', ['/var/lib/systemd/timesync/clock'], True, '', 0.0),
    ('237 silent', ['/var/lib/systemd/timesync/clock'], False, 'too_old_to_tell', 0.0),
    ('252 not reached', [], False, 'may_not_be_asked', 0.0),
])
def test_timesyncd(tmp_path, state, files, synchronized, reason, residual):
    status = timesyncd(tmp_path, state, *files).status()
    assert (status.synchronized, status.reason) == (synchronized, reason)
    assert status.residual_offset == pytest.approx(residual, abs=1e-9)


def test_timesyncd_that_asks_this_host_itself(tmp_path):
    found = timesyncd(tmp_path, '252 synchronized', SYNCED)
    answers = found.host.answers
    for command in answers:
        answers[command] = answers[command]._replace(out=re.sub(r'192\.0\.2\.1', '127.0.0.1', answers[command].out))
    assert found.status().reason == 'own_clock'


def test_timesyncd_whose_only_server_is_this_host_itself(tmp_path):
    status = timesyncd(tmp_path, '252 waiting', config='[Time]\nNTP=127.0.0.1\n').status()
    assert (status.synchronized, status.answered, status.reason) == (False, False, 'own_clock')
    assert status.msg == 'its only source is this host itself (127.0.0.1)'
    assert status.advice.startswith('Name servers that are other machines')


@pytest.mark.parametrize(('hours', 'longest', 'synchronized'), [
    (1, '34min 8s', True), (3.9, '34min 8s', True), (5, '34min 8s', False), (30, '34min 8s', False),
    (30, '4h', True), (33, '4h', False)])
def test_timesyncd_that_has_lost_its_servers(tmp_path, hours, longest, synchronized):
    found = timesyncd(tmp_path, '252 synchronized', SYNCED)
    answers = found.host.answers
    command = 'timedatectl timesync-status'
    answers[command] = answers[command]._replace(out=answers[command].out.replace('max 34min 8s', 'max ' + longest))
    touched = time.time() - hours * 3600
    os.utime(str(tmp_path) + SYNCED, (touched, touched))
    status = found.status()
    assert (status.synchronized, status.reason) == (synchronized, '' if synchronized else 'unreachable')


class Frozen:
    """A clock that is not moved: Unix seconds, and seconds since the boot."""

    @staticmethod
    def time():
        return 1000000.0

    @staticmethod
    def monotonic():
        return 5000.0


@pytest.mark.parametrize(('longest', 'limit'), [('1min', 4 * 3600), ('34min 8s', 8 * 2048)])
def test_timesyncd_has_lost_its_servers_after_four_hours_or_eight_polls(tmp_path, monkeypatch, longest, limit):
    monkeypatch.setattr(timesyncd_module, 'time', Frozen)
    found = timesyncd(tmp_path, '252 synchronized', SYNCED)
    answers, command = found.host.answers, 'timedatectl timesync-status'
    answers[command] = answers[command]._replace(out=answers[command].out.replace('max 34min 8s', 'max ' + longest))
    for age, synchronized in ((limit, True), (limit + 1, False)):
        os.utime(str(tmp_path) + SYNCED, (1000000.0 - age,) * 2)
        assert found.status().synchronized is synchronized


@pytest.mark.parametrize(('active', 'since', 'touched', 'reason'), [
    ('active', '4000000000', 999001.0, ''), ('active', '4000000000', 998999.0, 'too_old_to_tell'),
    ('active', '0', 1.0, ''), ('active', '', 1.0, ''), ('active', 'n/a', 1.0, ''),
    ('inactive', '4000000000', 999001.0, 'not_running')])
def test_timesyncd_before_239_has_adjusted_the_clock_since_it_runs(tmp_path, monkeypatch, active, since, touched, reason):
    """It was started 1,000 s ago."""
    monkeypatch.setattr(timesyncd_module, 'time', Frozen)
    found = timesyncd(tmp_path, '237 synchronized', '/var/lib/systemd/timesync/clock')
    os.utime(str(tmp_path / 'var/lib/systemd/timesync/clock'), (touched, touched))
    execute = found.host.execute

    def answer(command, *rest):
        if command[0] == 'systemctl':
            return Done(0, 'Id=x\nLoadState=loaded\nActiveState={0}\nActiveEnterTimestampMonotonic={1}\n'.format(active, since), '')
        return execute(command, *rest)
    found.host.execute = answer
    status = found.status()
    assert (status.reason, status.synchronized) == (reason, not reason)


@pytest.mark.parametrize(('text', 'seconds'), [
    ('+1min 30.030012s', 90.030012), ('-1.250ms', -0.00125), ('+372us', 0.000372), ('-2h 3min', -7380.0), ('0', 0.0),
    ('+1y 2month 3w 4d', 31557600.0 + 2 * 2629800 + 3 * 604800 + 4 * 86400), ('+12.5\u03bcs', 12.5e-6), ('...', 0.0),
    ('300', 300.0), ('12h', 43200.0),
])
def test_what_systemd_prints_as_a_span(text, seconds):
    assert timespan(text) == pytest.approx(seconds)


def test_ntpd_asks_from_a_port_that_the_measurement_does_not(tmp_path):
    measured = [heard('192.0.2.77'), heard('192.0.2.78')]
    advice = daemon(tmp_path, 'ntpd', 'ntp-4.2.8p15', 'unreachable', measured=measured).status().advice
    assert 'heard 192.0.2.77' in advice and 'asks from UDP 123: let answers to that port in' in advice


@pytest.mark.parametrize(('kind', 'recording', 'line'), [
    ('chrony', 'chrony-4.3', 'server 192.0.2.9 iburst noselect'), ('chrony', 'chrony-4.3', 'pool 192.0.2.9 noselect'),
    ('ntpd', 'ntp-4.2.8p15', 'server 192.0.2.9 noselect'), ('ntpsec', 'ntpsec-1.2.2', 'server 192.0.2.9 iburst noselect')])
@pytest.mark.parametrize('only', [False, True])
def test_a_wanted_server_that_is_only_observed_is_refused(tmp_path, kind, recording, line, only):
    """A daemon ignores a second line for the server, so it would never be selected."""
    found = daemon(tmp_path, kind, recording, 'synchronized', config='server 192.0.2.1\n' + line + '\n')
    with pytest.raises(Refused, match='"{0}" .* keeps .* from ever selecting 192.0.2.9'.format(line)) as refused:
        found.files(Wanted([Server('192.0.2.9')], [], [], [], '', 0.0, only))
    assert 'Remove noselect' in refused.value.advice


@pytest.mark.parametrize(('line', 'only', 'written'), [
    ('server 192.0.2.77 require', False, 'server 192.0.2.9 iburst require'),
    ('server 192.0.2.77 Trust Require', False, 'server 192.0.2.9 iburst require trust'),
    ('refclock PPS /dev/pps0 trust', False, 'server 192.0.2.9 iburst trust'),
    ('server 192.0.2.77 require noselect', False, 'server 192.0.2.9 iburst'),
    ('refclock PPS /dev/pps0 trust noselect', False, 'server 192.0.2.9 iburst'),
    ('server trust iburst', False, 'server 192.0.2.9 iburst'),      # the name of a machine
    ('server 192.0.2.77 require', True, 'server 192.0.2.9 iburst'),
    ('server 192.0.2.77 nts', False, 'server 192.0.2.9 iburst require trust')])
def test_sources_of_others_that_are_required_or_trusted_do_not_keep_out_those_of_the_user(tmp_path, line, only, written):
    found = daemon(tmp_path, 'chrony', 'chrony-4.3', 'synchronized', config=line + '\n')
    keyed = Key('192.0.2.8', 7, 'SHA256', 'secret')
    lines = found.files(Wanted([Server('192.0.2.9')], [], [], [], '', 0.0, only))[0].text.split('\n')
    assert written in lines
    want = Wanted([Server('192.0.2.8')], [Server('nts.example')], [], [keyed], '', 0.0, only)
    lines = next(file for file in found.files(want) if not file.secret).text.split('\n')
    marks = '' if only or 'noselect' in line or 'nts' in line else written[len('server 192.0.2.9 iburst'):]
    assert 'server 192.0.2.8 iburst key 7' + marks in lines
    assert 'server nts.example iburst nts' + marks in lines


def test_an_nts_server_of_an_earlier_run_leaves_no_mark(tmp_path):
    config = '\n'.join([BLOCK_BEGIN, 'server nts.example iburst nts', BLOCK_END, ''])
    found = daemon(tmp_path, 'chrony', 'chrony-4.3', 'synchronized', config=config)
    [file] = found.files(Wanted([Server('192.0.2.9')], [], [], [], '', 0.0))
    assert file.text == 'server 192.0.2.9 iburst'


@pytest.mark.parametrize(('done', 'said'), [
    (Done(0, '', ''), ''),
    (Done(1, '', '2026-11-25T12:00:00Z Fatal error : Invalid directive at line 2 in file /etc/chrony.conf\n'),
     'Invalid directive at line 2 in file /etc/chrony.conf: "frobnicate 7"'),
    (Done(1, '', 'Invalid directive at line 9 in file /etc/chrony.conf'), 'Invalid directive at line 9 in file /etc/chrony.conf'),
    (Done(1, '', 'Could not open /etc/chrony.conf : Permission denied'), 'Could not open /etc/chrony.conf : Permission denied'),
    (Done(1, '', 'chronyd: invalid option -- p'), ''),      # before 4.0
    (Done(1, '', 'Usage: chronyd [OPTION]...'), '')])
def test_what_chronyd_says_of_its_configuration(tmp_path, done, said):
    found = daemon(tmp_path, 'chrony', 'chrony-4.3', 'synchronized', config='server 192.0.2.1\n frobnicate 7\nserver 192.0.2.2\n')
    found.host.answers['chronyd -p -f /etc/chrony.conf'] = done
    assert found.complaint() == said


def test_only_comments_out_sources_and_folders_of_leases_of_others(tmp_path):
    lines = ['rtcsync', 'logdir /run/chrony', 'pool vendor.example', 'sourcedir /run/dhcp', 'sourcedir /etc/chrony/sources.d',
             'server 192.0.2.9', BLOCK_BEGIN, 'server 192.0.2.8 iburst', BLOCK_END, '']
    found = daemon(tmp_path, 'chrony', 'chrony-4.3', 'synchronized', config='\n'.join(lines))
    [file] = found.files(Wanted([Server('192.0.2.9')], [], [], [], '', 0.0, True))
    assert (file.path, file.silence) == ('/etc/chrony.conf', (3, 4))


def test_a_server_of_an_earlier_run_is_not_mixed_with_a_source_that_smears(tmp_path):
    config = '\n'.join([BLOCK_BEGIN, 'server 192.0.2.8 iburst', BLOCK_END, ''])
    daemon(tmp_path, 'chrony', 'chrony-4.3', 'synchronized', config=config).check_against(Wanted([], [], [], [], 'aws', 0.0))
    found = daemon(tmp_path, 'chrony', 'chrony-4.3', 'synchronized', config=config + 'server 192.0.2.7\n')
    with pytest.raises(Refused, match='has "server 192.0.2.7" ./etc/chrony.conf line 4.. Take that out'):
        found.check_against(Wanted([], [], [], [], 'aws', 0.0))


@pytest.mark.parametrize(('kind', 'recording', 'line', 'refused'), [
    ('chrony', 'chrony-4.3', 'leapsectz right/UTC', True), ('chrony', 'chrony-4.3', 'server 192.0.2.7 iburst noselect', False),
    ('chrony', 'chrony-4.3', 'leapseclist /usr/share/zoneinfo/leap-seconds.list', True),
    ('ntpsec', 'ntpsec-1.2.2', 'leapfile /usr/share/zoneinfo/leap-seconds.list', True)])
def test_a_source_that_smears_is_not_mixed_with_a_list_of_leap_seconds(tmp_path, kind, recording, line, refused):
    """RHEL 10 and Debian 13 have leapseclist instead of leapsectz."""
    found = daemon(tmp_path, kind, recording, 'synchronized', config=line + '\n')
    if not refused:
        found.check_against(Wanted([], [], [], [], 'aws', 0.0))
        return
    with pytest.raises(Refused, match='a list of leap seconds, but .* has "{0}"'.format(line)):
        found.check_against(Wanted([], [], [], [], 'aws', 0.0))


def test_the_line_that_resets_the_servers_of_timesyncd_is_named(tmp_path):
    found = daemon(tmp_path, 'timesyncd', 'timedatectl', '252 synchronized', config='[Time]\nNTP=\n',
                   config_dir='/etc/systemd/timesyncd.conf.d')
    (tmp_path / 'etc/systemd/timesyncd.conf.d').mkdir()
    (tmp_path / 'etc/systemd/timesyncd.conf.d/zz-site.conf').write_text('[Time]\nNTP=\nNTP=192.0.2.5\n')
    with pytest.raises(Refused, match='"NTP=" .*zz-site.conf line 2. resets the servers that this role would write'):
        found.files(Wanted([Server('192.0.2.9')], [], [], [], '', 0.0))


def test_timesyncd_gets_the_source_of_a_cloud_beside_servers(tmp_path):
    found = daemon(tmp_path, 'timesyncd', 'timedatectl', '252 synchronized', config='[Time]\n')
    [file] = found.files(Wanted([Server('192.0.2.9')], [], [], [], 'aws', 0.0))
    assert 'NTP=192.0.2.9 169.254.169.123' in file.text


@pytest.mark.parametrize(('leads', 'refused'), [('run/site', True), ('srv/site', False)])
def test_a_folder_that_leads_to_one_that_goes_with_the_next_boot_is_refused(tmp_path, leads, refused):
    found = daemon(tmp_path, 'timesyncd', 'timedatectl', '252 synchronized', config_dir='/etc/systemd/timesyncd.conf.d')
    (tmp_path / leads).mkdir(parents=True)
    (tmp_path / 'etc/systemd/timesyncd.conf.d').symlink_to(tmp_path / leads)
    want = Wanted([Server('192.0.2.9')], [], [], [], '', 0.0)
    if refused:
        with pytest.raises(Refused, match='leads to /run/site/.*, which is made again at each boot') as seen:
            found.files(want)
        assert seen.value.reason == 'not_read'
    else:
        assert len(found.files(want)) == 1


@pytest.mark.parametrize(('kind', 'recording', 'other', 'wanted'), [
    ('chrony', 'chrony-4.3', 'fd00:ec2::123', '10.0.0.1'), ('ntpd', 'ntp-4.2.8p15', '169.254.169.254', 'a.example')])
def test_another_address_of_a_cloud_is_that_of_no_other_server(tmp_path, kind, recording, other, wanted):
    found = daemon(tmp_path, kind, recording, 'synchronized', config='server {0} iburst\n'.format(other))
    assert 'server {0} iburst'.format(wanted) in found.files(Wanted([Server(wanted)], [], [], [], '', 0.0))[0].text


@pytest.mark.parametrize(('leased', 'refused'), [('192.0.2.53', True), ('169.254.169.123', False)])
def test_a_server_that_dhcp_names_is_not_mixed_with_a_source_that_smears(tmp_path, leased, refused):
    found = daemon(tmp_path, 'timesyncd', 'timedatectl', '252 synchronized', config='[Time]\n')
    (tmp_path / 'run/systemd/netif/links').mkdir(parents=True)
    (tmp_path / 'run/systemd/netif/links/2').write_text('NTP={0}\n'.format(leased))
    want = Wanted([], [], [], [], 'aws', 0.0)
    if refused:
        with pytest.raises(Refused, match='must not be mixed .* "NTP=192.0.2.53" .*links/2 line 1'):
            found.check_against(want)
    else:
        found.check_against(want)


@pytest.mark.parametrize(('name', 'limit', 'refused'), [
    ('zz-site', '1', True), ('zz-site', '', True), ('00-site', '1', False), ('zz-site', '9', False), ('zz-site', '1min', False)])
def test_a_later_drop_in_with_a_smaller_root_distance_is_refused(tmp_path, name, limit, refused):
    found = daemon(tmp_path, 'timesyncd', 'timedatectl', '252 synchronized', config='[Time]\nRootDistanceMaxSec=2\n',
                   config_dir='/etc/systemd/timesyncd.conf.d')
    (tmp_path / 'etc/systemd/timesyncd.conf.d').mkdir()
    (tmp_path / 'etc/systemd/timesyncd.conf.d' / (name + '.conf')).write_text('[Time]\nRootDistanceMaxSec={0}\n'.format(limit))
    want = Wanted([Server('192.0.2.1')], [], [], [], '', 9.0)
    if refused:
        with pytest.raises(Refused, match='"RootDistanceMaxSec={0}" .*zz-site.conf line 2. overrules'.format(limit)):
            found.files(want)
    else:
        assert 'RootDistanceMaxSec=9' in found.files(want)[0].text
