# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Daemons that call themselves synchronized and hear no server any more, or tell less than that."""

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import discovery, next_steps
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.config import BLOCK_BEGIN, BLOCK_END
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._host.hosts import FakeHost

TRACKING = 'C0000201,192.0.2.1,2,1700000000.0,0.001,0,0,0,0,0,0,0,64,Normal\n'
ROW = '^,{0},192.0.2.{1},2,10,{2},{3},0.1,0.1,0.1\n'
SYSTEM = 'leap=00, stratum=3, refid=192.0.2.1, offset=0.5\n'
HEAD = '     remote           refid      st t when poll reach   delay   offset  jitter\n==============\n'


def status(tmp_path, release, unit, name, config, measured=(), **answers):
    class Answering(FakeHost):
        def _chronyc(self, words):
            return answers.get(words[-1], '')

        def _ntpq(self, words):
            return answers['rv' if words[-1].startswith('rv') else 'peers']

        def _timedatectl(self, words):
            return answers[words[0].replace('-', '_')]
    host = Answering(tmp_path, release).has(unit)
    host.put(config[0], config[1])
    facts = next(each for each in discovery.find_daemons(host) if each['name'] == name)
    return discovery.make(host, facts, measured).status()


def chrony(tmp_path, rows):
    return status(tmp_path, 'rhel-8', 'chronyd', 'chrony', ('/etc/chrony.conf', 'server 192.0.2.1\nserver 192.0.2.2\n'),
                  tracking=TRACKING, sources=rows)


def ntpd(tmp_path, system, rows):
    return status(tmp_path, 'rhel-7', 'ntpd', 'ntpd', ('/etc/ntp.conf', 'server 192.0.2.1\n'), rv=system, peers=HEAD + rows)


def test_chronyd_that_has_lost_all_of_its_sources_is_not_synchronized(tmp_path):
    found = chrony(tmp_path, ROW.format('?', 1, 0, 260000) + ROW.format('?', 2, 0, 260000))
    assert (found.synchronized, found.reason) == (False, 'unreachable')
    assert '192.0.2.1, 192.0.2.2' in found.msg


@pytest.mark.parametrize('rows', [ROW.format('*', 1, 1, 3), ROW.format('*', 1, 0, 9) + ROW.format('?', 2, 377, 9), '',
                                  '#,*,PHC0,0,3,377,7,0.1,0.1,0.1\n'])
def test_chronyd_that_hears_one_or_does_not_list_any_is_believed(tmp_path, rows):
    assert chrony(tmp_path, rows).synchronized


def test_ntpd_that_has_lost_all_of_its_servers_is_not_synchronized(tmp_path):
    found = ntpd(tmp_path, SYSTEM, ' 192.0.2.1 .GPS. 1 u 9h 64 0 0.1 0.5 0.1\n')
    assert (found.synchronized, found.reason) == (False, 'unreachable')


@pytest.mark.parametrize('rows', ['*192.0.2.1 .GPS. 1 u 5 64 377 0.1 0.5 0.1\n', ' 192.0.2.1 .GPS. 1 u 5 64 1 0.1 0.5 0.1\n', ''])
def test_ntpd_that_hears_one_or_does_not_list_any_is_believed(tmp_path, rows):
    assert ntpd(tmp_path, SYSTEM, rows).synchronized


@pytest.mark.parametrize('system', ['leap=00, stratum=3, refid=192.0.2.1\n', 'leap=00, stratum=3, refid=192.0.2.1, offset=\n'])
def test_ntpd_that_does_not_tell_its_offset_is_not_taken_for_right(tmp_path, system):
    found = ntpd(tmp_path, system, '*192.0.2.1 .GPS. 1 u 5 64 377 0.1 0.5 0.1\n')
    assert (found.synchronized, found.residual_offset, found.reason) == (False, 0.0, 'unknown')


@pytest.mark.parametrize(('built_in', 'reason', 'said'), [
    ('0.debian.pool.ntp.org 1.debian.pool.ntp.org', 'unreachable', '0.debian.pool.ntp.org, 1.debian.pool.ntp.org'),
    ('', 'no_source', 'no source is configured'),
])
def test_timesyncd_with_the_servers_of_its_distribution_names_them(tmp_path, built_in, reason, said):
    found = status(tmp_path, 'debian-12', 'systemd-timesyncd', 'timesyncd', ('/etc/systemd/timesyncd.conf', '[Time]\n#NTP=\n'),
                   timesync_status='       Server: n/a\n', show_timesync='FallbackNTPServers={0}\n'.format(built_in))
    assert (found.synchronized, found.reason) == (False, reason)
    assert said in found.msg


@pytest.mark.parametrize(('config', 'reason'), [
    ('server 127.0.0.1 port 11123\n', ''),                      # a tunnel
    ('server localhost port 11123\n', ''),
    ('server 127.0.0.1\n', 'own_clock'), ('server 127.0.0.1 port 123\n', 'own_clock'),
    ('port 11123\nserver 127.0.0.1 port 11123\n', 'own_clock'),
    ('server 192.0.2.9 port 1123\nserver 127.0.0.1\n', 'own_clock'),
    ('server ::1\nserver 127.0.0.1 port 11123\n', '')])
def test_a_port_of_its_own_on_this_host_is_another_program(tmp_path, config, reason):
    tracking = '7F000001,127.0.0.1,3,1700000000.0,0.001,0,0,0,0,0,0,0,64,Normal\n'
    found = status(tmp_path, 'rhel-8', 'chronyd', 'chrony', ('/etc/chrony.conf', config), tracking=tracking,
                   sources='^,*,127.0.0.1,2,6,377,3,0.1,0.1,0.1\n')
    assert (found.synchronized, found.reason) == (not reason, reason)


def test_a_tunnel_that_does_not_answer_is_no_clock_of_this_host(tmp_path):
    found = status(tmp_path, 'rhel-8', 'chronyd', 'chrony', ('/etc/chrony.conf', 'server 127.0.0.1 port 11123\n'),
                   tracking='00000000,,0,0,0,0,0,0,0,0,1,1,0,Not synchronised\n', sources='^,?,127.0.0.1,0,6,0,3,0.1,0.1,0.1\n')
    assert (found.reason, found.msg) == ('unreachable', 'it has no answer from 127.0.0.1:11123')


@pytest.mark.parametrize(('system', 'rows'), [
    ('leap=00, stratum=1, refid=GPS, offset=0.01\n', '*127.127.28.0 .GPS. 0 l 8 16 377 0.0 0.01 0.0\n'),
    ('leap=00, stratum=1, refid=PPS, offset=0.01\n', 'o127.127.22.0 .PPS. 0 l 8 16 377 0.0 0.01 0.0\n'
     '*192.0.2.1 .GPS. 1 u 5 64 377 0.1 0.5 0.1\n'),
    ('leap=01, stratum=2, refid=192.0.2.1, offset=0.01\n', '*192.0.2.1 .GPS. 1 u 5 64 377 0.1 0.5 0.1\n'),
    ('leap=00, stratum=1,\nrefid=NMEA, offset=0.01\n', '*NMEA(0) .GPS. 0 l 8 16 377 0.0 0.01 0.0\n'),
    ('leap=00, stratum=3, refid=192.0.2.1, offset=0.01\n', '*2001:db8:0:1:2: 192.0.2.9 2 u 5 64 377 0.1 0.5 0.1\n')])
def test_ntpd_with_a_reference_clock_does_not_follow_this_host(tmp_path, system, rows):
    assert ntpd(tmp_path, system, rows).synchronized


@pytest.mark.parametrize(('refid', 'reason', 'said'), [
    ('.DENY.', 'not_selected', 'turned away by 192.0.2.1 (DENY)'), ('.RSTR.', 'not_selected', 'RSTR'),
    ('.RATE.', 'not_selected', 'RATE'), ('.CRYP.', 'not_selected', 'CRYP'), ('.INIT.', 'unreachable', 'no answer from 192.0.2.1'),
    ('.XFAC.', 'unreachable', 'no answer')])
def test_a_server_that_turns_ntpd_away_has_answered(tmp_path, refid, reason, said):
    found = ntpd(tmp_path, 'leap=11, stratum=16, refid=INIT, offset=0.0\n', ' 192.0.2.1 {0} 16 u - 64 0 0 0 0\n'.format(refid))
    assert (found.synchronized, found.reason, said in found.msg) == (False, reason, True)
    assert 'UDP 123' not in found.advice


@pytest.mark.parametrize(('activity', 'offline'), [
    ('0,2,0,0,0\n', True), ('1,1,0,0,0\n', False), ('2,0,0,0,0\n', False), ('', False), ('0,0,0,0,2\n', False)])
@pytest.mark.parametrize('tracking', [TRACKING, '00000000,,0,0,0,0,0,0,0,0,1,1,0,Not synchronised\n'])
def test_chronyd_whose_sources_are_switched_offline(tmp_path, tracking, activity, offline):
    rows = ROW.format('?', 1, 0, 4294967295) + ROW.format('?', 2, 0, 4294967295)
    found = status(tmp_path, 'rhel-8', 'chronyd', 'chrony', ('/etc/chrony.conf', 'server 192.0.2.1\nserver 192.0.2.2\n'),
                   tracking=tracking, sources=rows, activity=activity)
    assert (found.synchronized, found.reason) == (False, 'unreachable')
    assert ('chronyc online' in found.advice, 'switched offline' in found.msg) == (offline, offline)


@pytest.mark.parametrize('leap', ['Normal', 'Insert second', 'Delete second'])
def test_chronyd_with_a_reference_clock_or_a_leap_second_to_come(tmp_path, leap):
    found = status(tmp_path, 'rhel-8', 'chronyd', 'chrony', ('/etc/chrony.conf', 'refclock PHC /dev/ptp0\n'),
                   tracking='50484330,PHC0,1,1700000000.0,0.001,0,0,0,0,0,0,0,64,{0}\n'.format(leap),
                   sources='#,*,PHC0,0,3,377,7,0.1,0.1,0.1\n')
    assert found.synchronized


def test_a_local_clock_beside_servers_that_answer_does_not_call_them_silent(tmp_path):
    rows = '^,x,192.0.2.1,3,6,377,9,0.1,0.1,0.1\n^,x,192.0.2.2,3,6,377,9,9.1,9.1,0.1\n'
    config = 'server 192.0.2.1\nserver 192.0.2.2\nlocal stratum 10\n'
    found = status(tmp_path, 'rhel-8', 'chronyd', 'chrony', ('/etc/chrony.conf', config),
                   tracking='7F7F0101,,10,1700000000.0,0.0,0,0,0,0,0,0,0,0,Normal\n', sources=rows)
    assert (found.synchronized, found.reason, found.answered) == (False, 'own_clock', True)
    assert '"local stratum 10"' in found.msg and '192.0.2.1 (a falseticker)' in found.msg
    assert 'no answer' not in found.msg + found.advice

    system = 'leap=00, stratum=11, refid=LOCAL(0), offset=0.0\n'
    found = ntpd(tmp_path / 'ntpd', system, '*127.127.1.0 .LOCL. 10 l 5 64 377 0 0 0\nx192.0.2.1 192.0.2.9 2 u 5 64 377 0 9 0\n')
    assert (found.synchronized, found.reason, found.answered) == (False, 'own_clock', True)
    assert '192.0.2.1 (reach 377, a falseticker)' in found.msg
    assert 'no answer' not in found.msg + found.advice


@pytest.mark.parametrize(('config', 'said'), [
    ('refclock PHC /dev/ptp_hyperv poll 3\n', 'its reference clock gives no time: "refclock PHC /dev/ptp_hyperv poll 3"'),
    ('refclock PHC /dev/ptp_hyperv poll 3\npool pool.example\n', 'it has no answer from pool.example'),
    ('', 'it has no answer from PHC0')])
@pytest.mark.parametrize('tracking', [TRACKING, '00000000,,0,0,0,0,0,0,0,0,1,1,0,Not synchronised\n'])
def test_a_silent_reference_clock_is_no_matter_of_the_network(tmp_path, config, said, tracking):
    found = status(tmp_path, 'rhel-8', 'chronyd', 'chrony', ('/etc/chrony.conf', config), tracking=tracking,
                   sources='#,?,PHC0,0,3,0,4294967295,0.0,0.0,0.0\n')
    assert (found.synchronized, found.answered, found.reason, said in found.msg) == (False, False, 'unreachable', True)
    assert ('clock_skew_info' in found.advice) is not found.msg.startswith('its reference clock')


def test_authselectmode_require_without_an_authenticated_source_is_named(tmp_path):
    found = status(tmp_path, 'rhel-8', 'chronyd', 'chrony', ('/etc/chrony.conf', 'server 192.0.2.1\nauthselectmode require\n'),
                   tracking='00000000,,0,0,0,0,0,0,0,0,1,1,0,Not synchronised\n', sources=ROW.format('?', 1, 377, 9))
    assert found.reason == 'not_selected'
    assert '"authselectmode require" (/etc/chrony.conf line 2)' in found.msg


def test_silent_nts_servers_of_this_role_are_named_beside_the_pool_of_the_vendor(tmp_path):
    config = ('pool 2.debian.pool.ntp.org iburst\n# BEGIN aemops.brand_portal.time_sync (managed by Ansible)\n'
              'server nts.example iburst nts\n# END aemops.brand_portal.time_sync\n')
    found = status(tmp_path, 'alma-9', 'chronyd', 'chrony', ('/etc/chrony.conf', config),
                   tracking='00000000,,0,0,0,0,0,0,0,0,1,1,0,Not synchronised\n',
                   sources=ROW.format('-', 1, 377, 9) + ROW.format('?', 2, 0, 9))
    assert found.reason == 'not_selected'
    assert 'nts.example (/etc/chrony.conf line 3)' in found.msg
    assert 'TCP 4460' in found.advice


def test_silent_nts_servers_are_not_why_a_reference_clock_is_not_selected(tmp_path):
    """authselectmode is about the servers alone."""
    config = 'refclock PHC /dev/ptp0\nserver nts.example nts\n'
    found = status(tmp_path, 'alma-9', 'chronyd', 'chrony', ('/etc/chrony.conf', config),
                   tracking='00000000,,0,0,0,0,0,0,0,0,1,1,0,Not synchronised\n',
                   sources='#,x,PHC0,0,3,377,7,0.1,0.1,0.1\n' + ROW.format('?', 2, 0, 9))
    assert 'PHC0 (a falseticker)' in found.msg
    assert 'authenticated' not in found.msg


@pytest.mark.parametrize(('config', 'selection', 'said', 'advice'), [
    ('server 192.0.2.1 iburst\nserver 192.0.2.77 iburst require\n', 'W,192.0.2.1,N,-,-\n',
     '"server 192.0.2.77 iburst require" (/etc/chrony.conf line 2)', 'remove that option'),
    ('server 192.0.2.1 iburst\nserver ntp.example iburst require\n', 'W,192.0.2.1,N,-,-\n',
     '"server ntp.example iburst require" (/etc/chrony.conf line 2)', 'remove that option'),
    ('server 192.0.2.1 iburst\nrefclock PPS /dev/pps0 require\n', '', '"refclock PPS /dev/pps0 require"', 'remove that option'),
    ('server 192.0.2.1 iburst noselect\n', 'N,192.0.2.1,N,-,-\n',
     '"server 192.0.2.1 iburst noselect" (/etc/chrony.conf line 1) is only observed', 'Remove noselect there'),
    ('server 192.0.2.1 iburst require\nminsources 2\n', 'x,192.0.2.1,N,-,-\n', '"minsources 2"', 'lower minsources'),
    ('server ntp.example iburst require\nminsources 2\n', 'W,192.0.2.1,N,-,-,-,R,-,-,-,-,R,-\n', '"minsources 2"',
     'lower minsources'),
    # Before 4.1, chronyd does not tell which source is required.
    ('server ntp.example iburst require\nminsources 2\n', '', '"minsources 2"', 'lower minsources'),
    ('server 192.0.2.1 iburst\n', 's,192.0.2.1,N,-,-\n', '192.0.2.1 (not synchronized itself)', 'Synchronize the servers'),
    ('server 192.0.2.1 iburst\n', 'd,192.0.2.1,N,-,-\n', 'its root distance is too large', 'time_sync_max_distance')])
def test_the_line_that_keeps_chronyd_from_selecting_a_server_is_named(tmp_path, config, selection, said, advice):
    found = status(tmp_path, 'rhel-8', 'chronyd', 'chrony', ('/etc/chrony.conf', config), selectdata=selection,
                   tracking='00000000,,0,0,0,0,0,0,0,0,1,1,0,Not synchronised\n', sources=ROW.format('?', 1, 377, 9))
    assert (found.reason, found.answered) == ('not_selected', True)
    assert said in found.msg
    assert advice in found.advice


SELECTDATA = 'See chronyc -n sources and chronyc -n selectdata on this host.'


@pytest.mark.parametrize(('states', 'selection', 'advice'), [
    ('xx', 'x,192.0.2.1,N,-,-\nx,192.0.2.2,N,-,-\n', next_steps.DISAGREE),
    ('xx', '', next_steps.DISAGREE),        # before 4.1
    ('x?', 'x,192.0.2.1,N,-,-\ns,192.0.2.2,N,-,-\n', next_steps.DISAGREE),
    ('??', 's,192.0.2.1,N,-,-\ns,192.0.2.2,N,-,-\n', next_steps.NOT_SYNCHRONIZED),
    ('??', 's,192.0.2.1,N,-,-\nM,192.0.2.2,N,-,-\n', SELECTDATA),
    ('??', 's,192.0.2.1,N,-,-\nd,192.0.2.2,N,-,-\n', next_steps.TOO_FAR),
    ('x', 'x,192.0.2.1,N,-,-\n', SELECTDATA),
    ('??', '', 'See chronyc -n sources on this host.')])
def test_the_next_step_follows_from_what_chronyd_says_of_its_sources(tmp_path, states, selection, advice):
    found = status(tmp_path, 'rhel-8', 'chronyd', 'chrony', ('/etc/chrony.conf', 'server 192.0.2.1\nserver 192.0.2.2\n'),
                   selectdata=selection, tracking='00000000,,0,0,0,0,0,0,0,0,1,1,0,Not synchronised\n',
                   sources=''.join(ROW.format(state, at, 377, 9) for at, state in enumerate(states, 1)))
    assert (found.reason, found.advice) == ('not_selected', advice)


def test_a_line_by_which_a_server_is_offline_is_named(tmp_path):
    found = status(tmp_path, 'rhel-8', 'chronyd', 'chrony', ('/etc/chrony.conf', 'server 192.0.2.1 offline minpoll 8\n'),
                   tracking='00000000,,0,0,0,0,0,0,0,0,1,1,0,Not synchronised\n', sources=ROW.format('?', 1, 0, 9),
                   activity='0,1,0,0,0\n')
    assert found.reason == 'unreachable'
    assert '"server 192.0.2.1 offline minpoll 8" (/etc/chrony.conf line 1)' in found.advice


UNSYNCHRONIZED = 'leap=11, stratum=16, refid=INIT, offset=0.0\n'
PEER = '{0}192.0.2.{1}       {2}         {3} u   10   64  {4}   0.5   1.0   0.1\n'


@pytest.mark.parametrize(('lines', 'rows', 'said', 'unsaid', 'advice'), [
    ('', [(' ', 1, '.INIT.', 16, 377)], '192.0.2.1 (reach 377, not synchronized itself)', 'tos', 'Synchronize the servers'),
    ('', [('x', 1, '1.2.3.4', 2, 377), ('x', 2, '1.2.3.4', 2, 377)], '192.0.2.1 (reach 377, a falseticker)', 'tos', 'do not agree'),
    ('tos minsane 3\n', [(' ', 1, '1.2.3.4', 2, 377)], '"tos minsane 3" (/etc/ntp.conf line 2)', 'itself', 'lower minsane'),
    ('tos minsane 1\ntos minsane 3\n', [(' ', 1, '1.2.3.4', 2, 377)], '"tos minsane 3" (/etc/ntp.conf line 3)', 'itself', 'lower'),
    ('', [(' ', 1, '.INIT.', 16, 377), (' ', 2, '1.2.3.4', 2, 377)], 'not synchronized itself', 'tos', 'See ntpq -pn'),
    ('tos minclock 4 minsane 3\n', [(' ', 1, '1.2.3.4', 2, 377), (' ', 2, '.INIT.', 16, 0)], 'minsane 3', 'itself', 'lower'),
    # The limit of this role is the number of the wanted servers, and after a step ntpd has heard none yet.
    ('tos minsane 3\n{0}\ntos minclock 2 minsane 2\n{1}\n'.format(BLOCK_BEGIN, BLOCK_END),
     [(' ', 1, '1.2.3.4', 2, 377), (' ', 2, '.INIT.', 16, 0)], 'minclock 2', 'minsane 3', 'reach all of your servers'),
    ('tos minsane 3\n', [(' ', 1, '.STEP.', 16, 0)], 'reach 0', 'tos', 'See ntpq -pn'),
    # As many as it asks for are heard.
    ('tos minclock 4 minsane 1\n', [(' ', 1, '1.2.3.4', 2, 377)], 'reach 377', 'tos', 'See ntpq -pn')])
def test_why_ntpd_selects_no_server_that_answers(tmp_path, lines, rows, said, unsaid, advice):
    found = status(tmp_path, 'rhel-7', 'ntpd', 'ntpd', ('/etc/ntp.conf', 'server 192.0.2.1\n' + lines), rv=UNSYNCHRONIZED,
                   peers=HEAD + ''.join(PEER.format(*row) for row in rows))
    assert found.reason == 'not_selected'
    assert said in found.msg and unsaid not in found.msg
    assert advice in found.advice


def test_servers_that_are_only_observed_are_why_ntpd_selects_none(tmp_path):
    found = status(tmp_path, 'rhel-7', 'ntpd', 'ntpd', ('/etc/ntp.conf', 'server 192.0.2.1 noselect\n'), rv=UNSYNCHRONIZED,
                   peers=HEAD + PEER.format(' ', 1, '1.2.3.4', 2, 377))
    assert '"server 192.0.2.1 noselect" (/etc/ntp.conf line 1) is only observed' in found.msg


def test_a_word_that_cannot_be_a_server_is_no_matter_of_the_network(tmp_path):
    config = '[Time]\nNTP=192.0.2.1,192.0.2.2\n'
    found = status(tmp_path, 'debian-12', 'systemd-timesyncd', 'timesyncd', ('/etc/systemd/timesyncd.conf', config),
                   timesync_status='       Server: n/a\n')
    assert 'names are separated by spaces (/etc/systemd/timesyncd.conf line 2)' in found.advice
    assert 'clock_skew_info' not in found.advice


@pytest.mark.parametrize('system', [
    ('rhel-7', 'ntpd', 'ntpd', '/etc/ntp.conf'), ('rhel-7', 'chronyd', 'chrony', '/etc/chrony.conf')])
def test_a_domain_controller_whose_root_distance_is_too_large_is_told_from_others(tmp_path, system):
    """chronyd before 4.1 and ntpd do not tell why they do not select it, but the measurement knows."""
    reason = 'its own uncertainty is too large (root distance 10.203 s, precision 2e-07 s; the limit is 1.5 s)'
    measured = [{'kind': 'ntp', 'source': 'dc.example', 'address': '192.0.2.1', 'low': None, 'reason': reason}]
    found = status(tmp_path, *system[:3], (system[3], 'server dc.example\n'), measured, rv=UNSYNCHRONIZED,
                   peers=HEAD + PEER.format(' ', 1, '.LOCL.', 2, 377), sources=ROW.format('?', 1, 377, 9),
                   tracking='00000000,,0,0,0,0,0,0,0,0,1,1,0,Not synchronised\n')
    assert (found.reason, found.answered) == ('not_selected', True)
    assert 'time_sync_max_distance' in found.advice


def test_the_root_distance_is_said_of_the_server_that_has_it(tmp_path):
    reason = 'its own uncertainty is too large (root distance {0} s)'
    measured = [{'kind': 'ntp', 'source': '192.0.2.{0}'.format(at), 'low': None, 'reason': reason.format(at * 10)} for at in (1, 2)]
    found = status(tmp_path, 'rhel-7', 'ntpd', 'ntpd', ('/etc/ntp.conf', 'server 192.0.2.1\nserver 192.0.2.2\n'), measured,
                   rv=UNSYNCHRONIZED, peers=HEAD + PEER.format(' ', 1, '.GPS.', 1, 377) + PEER.format(' ', 2, '.GPS.', 1, 377))
    assert '; 192.0.2.1: its own uncertainty is too large (root distance 10 s)' in found.msg
