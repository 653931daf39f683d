# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The decision table, row by row, and the safety rules that hold over all of it."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.aemops.brand_portal.plugins.plugin_utils._verdict import STATES, TABLE, _aem_against_host, _joined, decide


def skew(verdict='in_sync', verified=True, agent_accepted=None, offset=None):
    offsets = {'in_sync': 0.01, 'skewed': 120.0}
    sources = [{'kind': 'https', 'source': 'https://tenant/', 'accepted': True, 'reason': ''}]
    if agent_accepted is not None:
        sources.append({'kind': 'agent', 'source': 'tenant', 'accepted': agent_accepted,
                        'reason': '' if agent_accepted else "AEM does not run on this host's clock"})
    return {'verdict': verdict, 'verified': verified, 'offset': offsets.get(verdict) if offset is None else offset, 'max_skew': 5.0,
            'message': f'the clock is {verdict}', 'sources': sources}


def agent(cause='none', related='no', name='agent0'):
    return {'agent': name, 'succeeded': cause == 'none', 'cause': cause, 'clock_related': related,
            'advice': f'advice for {cause}', 'evidence': f'evidence of {cause}'}


GOOD = [agent(), agent(name='agent1')]
EXPIRED = [agent('jwt_expired', 'yes'), agent('jwt_expired', 'yes', 'agent1')]
KEYSTORE = [agent('keystore_not_initialized', 'no')]
MIXED = EXPIRED + KEYSTORE
CANNOT_SET = {'may_set_clock': False, 'clock_owner': "this clock belongs to the container's host"}


def health(tests, aem='ok', **clock):
    return {'skew': skew(**clock), 'tests': tests, 'aem': {'state': aem, 'message': aem}}


@pytest.mark.parametrize(('tests', 'aem', 'clock', 'state', 'repair', 'healthy'), [
    (GOOD, 'ok', 'in_sync', 'healthy', False, True),
    (GOOD, 'ok', 'skewed', 'at_risk', True, False),
    (EXPIRED, 'ok', 'skewed', 'jwt_expired', True, False),
    ([agent('certificate_expired', 'likely')], 'ok', 'skewed', 'jwt_expired', True, False),
    (EXPIRED, 'ok', 'in_sync', 'other_clock', False, False),
    (KEYSTORE, 'ok', 'in_sync', 'not_the_clock', False, False),
    (KEYSTORE, 'ok', 'skewed', 'not_only_the_clock', True, False),
    (MIXED, 'ok', 'skewed', 'not_only_the_clock', True, False),
    (MIXED, 'ok', 'in_sync', 'not_the_clock', False, False),
    ([], 'unreachable', 'skewed', 'aem_unreachable', True, False),
    ([], 'unreachable', 'in_sync', 'aem_unreachable', False, False),
    ([], 'starting', 'in_sync', 'aem_unreachable', False, False),
    ([], 'unauthorized', 'skewed', 'not_testable', False, False),
    ([], 'unknown_agent', 'in_sync', 'not_testable', False, False),
    ([], 'no_agents', 'skewed', 'not_testable', False, False),
    (GOOD, 'ok', 'unreachable', 'no_reference', False, False),
    (EXPIRED, 'ok', 'undecided', 'no_reference', False, False),
    (KEYSTORE, 'ok', 'sources_disagree', 'no_reference', False, False),
])
def test_each_row_of_the_table(tests, aem, clock, state, repair, healthy):
    verdict = decide(health(tests, aem=aem, verdict=clock))
    assert (verdict['state'], verdict['repair'], verdict['healthy']) == (state, repair, healthy)
    assert bool(verdict['next_step']) is not healthy
    failing = [test for test in tests if not test['succeeded']]
    assert not failing or f"{failing[0]['agent']}: {failing[0]['evidence']}" in verdict['summary']


@pytest.mark.parametrize('tests', [GOOD, EXPIRED, KEYSTORE, []])
def test_a_host_that_cannot_set_its_clock_is_not_repaired(tests):
    aem = 'ok' if tests else 'unreachable'
    verdict = decide(health(tests, aem=aem, verdict='skewed'), time_service=CANNOT_SET)
    assert (verdict['state'], verdict['repair']) == ('cannot_set_clock', False)
    assert CANNOT_SET['clock_owner'] in verdict['summary']


def test_a_host_of_which_nothing_else_is_known_may_set_its_clock():
    assert decide(health(EXPIRED, verdict='skewed'), time_service={'clock_owner': ''})['state'] == 'jwt_expired'


def test_a_host_that_cannot_set_its_clock_need_not_when_it_is_right():
    assert decide(health(GOOD, verdict='in_sync'), time_service=CANNOT_SET)['state'] == 'healthy'


def test_aem_on_another_clock_is_never_helped_by_changing_this_one():
    for tests in (GOOD, EXPIRED, KEYSTORE):
        verdict = decide(health(tests, verdict='skewed', agent_accepted=False))
        assert (verdict['state'], verdict['repair']) == ('other_clock', False)


@pytest.mark.parametrize(('aem', 'clock', 'state'), [
    ('unauthorized', 'skewed', 'not_testable'), ('not_aem', 'skewed', 'not_testable'), ('no_agents', 'skewed', 'not_testable'),
    ('starting', 'skewed', 'aem_unreachable'), ('unreachable', 'skewed', 'aem_unreachable'),
    ('unauthorized', 'in_sync', 'not_testable'), ('unreachable', 'in_sync', 'aem_unreachable')])
def test_the_date_of_an_answer_of_no_use_does_not_tell_whose_clock_it_is(aem, clock, state):
    """It may be that of a gateway, whose clock is another one."""
    measured = health([], aem=aem, verdict=clock)
    measured['aem']['clock_offset'] = {'low': 3599.0, 'high': 3601.0}
    verdict = decide(measured)
    assert verdict['state'] == state
    assert 'run on this host' not in verdict['summary']


@pytest.mark.parametrize(('accepted', 'low', 'high', 'state'), [
    (False, -10801.0, -10799.0, 'other_clock'),
    (False, -1.0, 1.0, 'healthy'),              # a proxy has written the Date of the remote side
    (False, -10801.0, 1.0, 'healthy'),          # one of AEM's answers was stored by a cache
    (True, -10801.0, -10799.0, 'healthy'),
    (None, -10801.0, -10799.0, 'healthy'),
])
def test_an_aem_whose_clock_is_proven_wrong_is_not_healthy(accepted, low, high, state):
    """With Server-to-Server, 200 does not depend on the clock. Both dates must show it: one of them alone may be another's."""
    measured = health(GOOD, verdict='in_sync', agent_accepted=accepted)
    measured['aem']['clock_offset'] = {'low': low, 'high': high}
    verdict = decide(measured)
    assert (verdict['state'], verdict['repair']) == (state, False)
    assert ('the agents fail' not in verdict['summary']) and ('find where AEM' in verdict['next_step']) is (state == 'other_clock')


@pytest.mark.parametrize(('tests', 'clock', 'blamed', 'advice'), [
    (GOOD, 'skewed', False, ''), (KEYSTORE, 'skewed', False, 'advice for keystore_not_initialized'),
    (MIXED, 'skewed', False, 'advice for keystore_not_initialized'), (EXPIRED, 'skewed', True, ''), (EXPIRED, 'in_sync', True, ''),
    ([agent('certificate_expired', 'likely')], 'in_sync', True, ''),
    ([agent('certificate_expired', 'likely')], 'skewed', False, 'advice for certificate_expired')])
def test_agents_are_said_to_fail_because_of_a_clock_only_where_they_do(tests, clock, blamed, advice):
    verdict = decide(health(tests, verdict=clock, agent_accepted=False))
    assert verdict['state'] == 'other_clock'
    assert ('fail because of a clock' in verdict['summary']) is blamed
    assert verdict['next_step'].startswith('find where AEM really runs') and verdict['next_step'].endswith(advice)


def test_a_clock_message_with_all_clocks_right_is_not_the_clock():
    verdict = decide(health(EXPIRED, verdict='in_sync', agent_accepted=True))
    assert (verdict['state'], verdict['repair']) == ('not_the_clock', False)
    assert 'run again' in verdict['next_step']


@pytest.mark.parametrize(('low', 'high', 'tests', 'clock', 'state'), [
    # AEM's own Date is all there is where no agent got an answer.
    (-0.9, 1.1, EXPIRED, 'in_sync', 'not_the_clock'),
    (-0.9, 1.1, [agent('certificate_expired', 'likely')], 'in_sync', 'not_the_clock'),
    (172799.0, 172801.0, [agent('certificate_expired', 'likely')], 'in_sync', 'other_clock'),
    (-172801.0, -172799.0, EXPIRED, 'in_sync', 'other_clock'),
    (-172801.0, -172799.0, EXPIRED, 'skewed', 'other_clock'),
    (-0.9, 1.1, [agent('certificate_dates', 'likely')], 'skewed', 'jwt_expired'),
    # A slow answer tells nothing.
    (-100.0, 100.0, EXPIRED, 'in_sync', 'other_clock'),
    (-100.0, 100.0, [agent('pkix_path', 'likely')], 'in_sync', 'not_the_clock'),
])
def test_the_date_of_aem_s_own_answers_tells_whose_clock_it_is(low, high, tests, clock, state):
    measured = health(tests, verdict=clock)
    measured['aem']['clock_offset'] = {'low': low, 'high': high}
    assert decide(measured)['state'] == state


def test_a_certificate_that_really_expired_is_to_be_renewed():
    """Right clocks, and nothing else known: the cause's own advice, not the search for another host."""
    for found in ({}, {'clock_offset': None}, {'clock_offset': {'low': -1.0, 'high': 1.0}}):
        measured = health([agent('certificate_expired', 'likely')], verdict='in_sync')
        measured['aem'].update(found)
        verdict = decide(measured)
        assert (verdict['state'], verdict['repair']) == ('not_the_clock', False)
        assert verdict['next_step'] == 'advice for certificate_expired'


@pytest.mark.parametrize(('direction', 'offset', 'state'), [
    ('ahead', 120.0, 'not_only_the_clock'), ('ahead', -120.0, 'jwt_expired'), ('behind', -120.0, 'not_only_the_clock'),
    ('behind', 120.0, 'jwt_expired'), (None, 120.0, 'jwt_expired')])
def test_a_clock_that_is_wrong_the_other_way_does_not_explain_the_failure(direction, offset, state):
    """A certificate that has expired for a clock that is behind has expired for the right time, too."""
    failing = {**agent('certificate_expired', 'likely'), 'direction': direction}
    verdict = decide(health([agent(), failing], verdict='skewed', offset=offset))
    assert (verdict['state'], verdict['repair']) == (state, True)
    assert ('advice for certificate_expired' in verdict['next_step']) is (state == 'not_only_the_clock')
    certain = decide(health([{**failing, 'clock_related': 'yes'}], verdict='skewed', offset=offset))
    assert certain['state'] == 'jwt_expired', 'a message that is certain needs no direction'


@pytest.mark.parametrize(('cause', 'direction', 'date', 'offset', 'state'), [
    ('certificate_not_yet_valid', 'behind', {'not_before': '2024-01-01T00:00:00Z'}, 120.0, 'not_only_the_clock'),
    ('certificate_not_yet_valid', 'behind', {'not_before': '2026-12-01T00:00:00Z'}, 120.0, 'jwt_expired'),
    ('certificate_not_yet_valid', 'behind', {'not_before': '2026-11-27T08:30:00Z'}, 120.0, 'jwt_expired'),
    ('certificate_expired', 'ahead', {'not_after': '2027-06-01T00:00:00Z'}, -120.0, 'not_only_the_clock'),
    ('certificate_expired', 'ahead', {'not_after': '2026-11-01T00:00:00Z'}, -120.0, 'jwt_expired'),
    ('certificate_expired', 'ahead', {'not_after': '2026-11-27T09:30:00Z'}, -120.0, 'jwt_expired'),
    ('certificate_expired', 'ahead', {}, -120.0, 'jwt_expired'),
    ('ims_throttled', 'ahead', {}, -6.0, 'not_only_the_clock'),
    ('ims_throttled', 'ahead', {}, -90000.0, 'jwt_expired'),
])
def test_a_clock_that_is_wrong_by_too_little_does_not_explain_the_failure(cause, direction, date, offset, state):
    """host_time is that of AEM, whose dates of a certificate contradict it, but for the time that a test takes."""
    measured = health([{**agent(cause, 'likely'), 'direction': direction, **date}], verdict='skewed', offset=offset)
    measured['skew']['host_time'] = '2026-11-27T09:00:00.000Z'
    verdict = decide(measured)
    assert (verdict['state'], verdict['repair']) == (state, True)


def test_the_end_of_jwt_is_never_cured_by_a_clock():
    ended = dict(agent('jwt_end_of_life'), meaning='no JWT gets a token since')
    right, wrong = decide(health([ended], verdict='in_sync')), decide(health([ended], verdict='skewed'))
    assert (right['state'], right['repair']) == ('not_the_clock', False)
    assert (wrong['state'], wrong['repair']) == ('not_only_the_clock', True)
    for verdict in (right, wrong):
        assert verdict['next_step'].startswith('advice for jwt_end_of_life')
        assert 'no JWT gets a token since' in verdict['summary']


def test_at_risk_is_left_alone_when_asked():
    verdict = decide(health(GOOD, verdict='skewed'), fix_at_risk=False)
    assert (verdict['state'], verdict['repair'], verdict['healthy']) == ('at_risk', False, False)


def test_unverified_skew_is_repaired_only_when_asked():
    unverified = health(EXPIRED, verdict='skewed', verified=False)
    refused, accepted = decide(unverified), decide(unverified, accept_unverified=True)
    assert (refused['state'], refused['repair']) == ('no_reference', False)
    assert 'fix_bp_jwt_accept_unverified' in refused['next_step']
    assert (accepted['state'], accepted['repair']) == ('jwt_expired', True)


def test_an_unverified_clock_in_sync_needs_no_repair_and_is_healthy():
    assert decide(health(GOOD, verdict='in_sync', verified=False))['state'] == 'healthy'


@pytest.mark.parametrize('aem, step', [('ok', 'open UDP 123'), ('unreachable', 'start AEM'), ('starting', 'start AEM')])
def test_without_aem_the_first_step_is_to_start_it_for_its_agents_name_the_tenant(aem, step):
    measured = health([] if aem != 'ok' else GOOD, aem, verdict='unreachable')
    found = decide(measured)
    assert found['state'] == 'no_reference'
    assert found['next_step'].startswith(step)
    assert 'fix_bp_jwt_ntp_servers' in found['next_step']


@pytest.mark.parametrize(('clock', 'said', 'not_said'), [
    ({'verdict': 'unreachable'}, 'open UDP 123', 'accept_unverified'),
    ({'verdict': 'skewed', 'verified': False}, 'fix_bp_jwt_accept_unverified=true', 'UDP 123'),
    ({'verdict': 'sources_disagree'}, 'correct or remove them (fix_bp_jwt_ntp_servers', 'UDP 123'),
    ({'verdict': 'undecided', 'low': 4.0}, 'fix_bp_jwt_max_skew', 'accept_unverified'),
    ({'verdict': 'undecided', 'low': None}, 'what sets this clock', 'fix_bp_jwt_ntp_servers'),
])
def test_the_next_step_without_a_reference_fits_what_was_measured(clock, said, not_said):
    """Sources that answered need no open port, and only a skew that is not verified can be accepted."""
    measured = health(GOOD, verdict=clock['verdict'], verified=clock.get('verified', True))
    measured['skew'].update(clock)
    found = decide(measured)
    assert found['state'] == 'no_reference'
    assert said in found['next_step']
    assert not_said not in found['next_step']


def test_no_reference_names_each_source_and_why():
    measured = health(GOOD, verdict='unreachable')
    measured['skew']['sources'] = [
        {'kind': 'ntp', 'source': 'ntp1', 'accepted': False, 'reason': 'no answer within 5 s'},
        {'kind': 'https', 'source': 'https://tenant/', 'accepted': False, 'reason': 'connection refused'},
    ]
    summary = decide(measured)['summary']
    assert 'ntp1: no answer within 5 s' in summary
    assert 'https://tenant/: connection refused' in summary
    measured['skew']['message'] = 'No source could be used: ntp1: no answer within 5 s.'
    assert decide(measured)['summary'].count('ntp1: no answer within 5 s') == 1, 'it is not said twice'


def test_no_clock_is_ever_changed_but_on_believed_skew():
    """Over every combination: a repair needs measured skew, believed, on a host that may set its own clock."""
    clocks = ('in_sync', 'skewed', 'undecided', 'unreachable', 'sources_disagree')
    combinations = itertools.product(
        (GOOD, EXPIRED, KEYSTORE, MIXED, []), ('ok', 'unreachable', 'unauthorized', 'no_agents'), clocks,
        (True, False), (True, False, None), (None, CANNOT_SET), (True, False), (True, False))
    repaired = 0
    for tests, aem, clock, verified, agent_accepted, service, accept, at_risk in combinations:
        verdict = decide(
            health(tests, aem=aem, verdict=clock, verified=verified,
                   agent_accepted=agent_accepted),
            time_service=service, fix_at_risk=at_risk, accept_unverified=accept)
        assert not (verdict['repair'] and verdict['healthy'])
        if verdict['repair']:
            repaired += 1
            assert clock == 'skewed'
            assert verified or accept
            assert agent_accepted is not False
            assert service is None
            assert aem == 'unreachable' or (aem == 'ok' and tests)
        if verdict['healthy']:
            assert clock == 'in_sync'
            assert tests and all(test['succeeded'] for test in tests)
            assert aem == 'ok'
    assert repaired > 0


def test_the_table_is_complete():
    named = {state for row in TABLE.values() for state in row.values()} | {
        'cannot_set_clock', 'unfinished', 'not_kept', 'stop_deferred', 'cannot_stop_aem'}
    assert named == set(STATES)
    assert all(set(row) == {'in_sync', 'skewed', 'no_reference'} for row in TABLE.values())


# What a repair has done, and what it may do to AEM

HOST = {'may_set_clock': True, 'zone_offsets': [7200, 3600], 'rtc_local': False, 'last_repair': {}, 'hypervisor_time_sources': []}


def stepped(offset=7200.0, units=(), not_started=()):
    return {'changed': True, 'before': skew('skewed', offset=offset),
            'stopped': {'units': list(units), 'seconds': 3.0, 'not_started': list(not_started)}}


@pytest.mark.parametrize(('offset', 'service', 'aem', 'said'), [
    (120.0, '', 'ok', 'AEM shuts down and does not start again'),
    (-120.0, '', 'ok', 'indexing pauses until time has caught up'),
    (60.0, '', 'starting', 'lease'),
    (59.0, '', 'ok', ''),
    (-59.0, '', 'ok', ''),
    (120.0, 'aem.service', 'ok', ''),
    (120.0, '', 'unreachable', ''),
])
def test_the_harm_of_a_jump_under_aem_is_told_before(offset, service, aem, said):
    tests = EXPIRED if aem == 'ok' else []
    warning = decide(health(tests, aem=aem, verdict='skewed', offset=offset), aem_service=service)['warning']
    assert (said in warning and 'fix_bp_jwt_aem_service=auto' in warning) if said else warning == ''


DOCUMENT = {'unit': 'aem.service', 'pid': 8, 'home': '/opt/aem/crx-quickstart', 'store': 'document', 'lease_check': 'strict',
            'evidence': 'run mode crx3mongo', 'stoppable': True, 'reason': '', 'advice': '', 'needs_root': False}
SEGMENT = {**DOCUMENT, 'store': 'segment', 'lease_check': 'unknown', 'evidence': 'run mode crx3tar'}
NOON_OF_2017 = '2017-02-28T12:00:00.000Z'


def found(aem, **more):
    return {**HOST, 'aem': aem, 'host_time': NOON_OF_2017, **more}


def test_an_aem_that_was_found_is_stopped_for_its_document_store_only():
    sick = health(EXPIRED, verdict='skewed', offset=7200.0)
    verdict = decide(sick, found(DOCUMENT), aem_service='auto')
    assert (verdict['state'], verdict['repair'], verdict['warning']) == ('jwt_expired', True, '')
    assert verdict['aem']['stop_services'] == ['aem.service']
    assert 'aem.service is stopped around the step' in verdict['summary'] and 'crx3mongo' in verdict['summary']
    verdict = decide(sick, found(SEGMENT), aem_service='auto')
    assert (verdict['repair'], verdict['warning'], verdict['aem']['stop_services']) == (True, '', [])
    assert 'AEM is not stopped for the step: it runs on a segment store' in verdict['summary']
    assert decide(health(EXPIRED, verdict='skewed', offset=59.0), found(DOCUMENT), aem_service='auto')['aem']['stop_services'] == []


def test_a_document_store_that_cannot_be_stopped_is_not_ended_by_a_step():
    session = {**DOCUMENT, 'unit': '', 'stoppable': False, 'reason': 'it runs in a session', 'advice': 'give commands'}
    verdict = decide(health(EXPIRED, verdict='skewed', offset=7200.0), found(session), aem_service='auto')
    assert (verdict['state'], verdict['repair'], verdict['healthy']) == ('cannot_stop_aem', False, False)
    assert 'it runs in a session' in verdict['summary']
    assert verdict['next_step'].startswith('give commands')
    assert decide(health(EXPIRED, verdict='skewed', offset=30.0), found(session), aem_service='auto')['state'] == 'jwt_expired'


@pytest.mark.parametrize(('offset', 'state'), [
    (10 * 3600.0, 'jwt_expired'),       # noon of its own 2017, 22:00 by the references
    (17 * 3600.0 - 60, 'jwt_expired'),
    (17 * 3600.0, 'stop_deferred'),
    (120.0, 'stop_deferred'),
    (9.75 * 365 * 86400, 'stop_deferred'),
])
def test_the_window_is_judged_by_the_time_of_the_references(offset, state):
    options = {'stop_window': '22:00-05:00'}
    sick = health(EXPIRED, verdict='skewed', offset=offset)
    verdict = decide(sick, found(DOCUMENT), aem_service='auto', aem_options=options)
    assert (verdict['state'], verdict['repair']) == (state, state == 'jwt_expired')
    assert ('22:00-05:00' in verdict['next_step']) is (state == 'stop_deferred')
    # Before the host was looked at nothing is decided, and what needs no stop is done at any time.
    assert decide(sick, aem_service='auto', aem_options=options)['repair']
    assert decide(sick, found(SEGMENT), aem_service='auto', aem_options=options)['repair']


def test_what_an_earlier_run_has_left_stopped_is_started_at_any_time():
    sick = {**health([], aem='unreachable', verdict='skewed', offset=7200.0), 'interrupted': ['service_stop']}
    verdict = decide(sick, found(DOCUMENT), aem_service='aem.service', aem_options={'may_stop_aem': False})
    assert (verdict['state'], verdict['repair']) == ('aem_unreachable', True)


def test_nothing_is_warned_of_that_will_not_be_done():
    assert decide(health(EXPIRED, verdict='skewed', verified=False))['warning'] == ''
    assert decide(health(GOOD, verdict='skewed'), fix_at_risk=False)['warning'] == ''
    assert decide(health(EXPIRED, verdict='in_sync'))['warning'] == ''


@pytest.mark.parametrize(('units', 'not_started', 'fact', 'advice'), [
    ((), (), 'did not come back after the clock was set by 2 h', 'start AEM on this host'),
    (('aem.service',), (), 'aem.service was stopped while the clock was set and started again', 'systemctl status aem.service'),
    (('aem.service',), ('aem.service',), 'aem.service was stopped while the clock was set, and could not be started again',
     'journalctl -u aem.service'),
])
def test_aem_that_does_not_come_back_is_told_with_the_next_step(units, not_started, fact, advice):
    verdict = decide(health([], aem='unreachable', verdict='in_sync'), time_service=HOST,
                     repair_results={'step': stepped(units=units, not_started=not_started)})
    assert verdict['state'] == 'aem_unreachable'
    assert fact in verdict['summary']
    assert verdict['next_step'].startswith(('start AEM', 'look at')) and advice in verdict['next_step']


def test_a_hint_does_not_hide_that_aem_is_to_be_started():
    verdict = decide(health([], aem='unreachable', verdict='skewed', offset=-7200.0), time_service=HOST)
    assert verdict['next_step'].startswith('start AEM or correct fix_bp_jwt_aem_url')
    assert 'hypervisor' in verdict['next_step']


def test_aem_that_was_silent_before_a_small_step_is_not_blamed_on_it():
    verdict = decide(health([], aem='unreachable', verdict='in_sync'), repair_results={'step': stepped(offset=7.0)})
    assert 'did not come back' not in verdict['summary']


def test_a_right_clock_that_nothing_keeps_right_is_healthy_and_said():
    kept = {'synchronized': False, 'reason': 'unreachable', 'advice': 'Open UDP 123 to 192.0.2.1.',
            'msg': 'The clock is right now, but nothing keeps it right: chrony.service is configured and enabled, but it has no '
                   'source. This clock is also set by VMware Tools.'}
    verdict = decide(health(GOOD), repair_results={'step': stepped(offset=99.0), 'keep': kept})
    assert (verdict['state'], verdict['healthy']) == ('healthy', True)
    assert 'nothing keeps it right' in verdict['summary']
    assert verdict['next_step'] == 'Open UDP 123 to 192.0.2.1'
    assert decide(health(GOOD), repair_results={'step': stepped(), 'keep': {**kept, 'synchronized': True}})['next_step'] == ''


def test_hints_are_told_before_and_after_the_repair():
    before = decide(health(EXPIRED, verdict='skewed', offset=-7200.0), time_service=HOST)
    after = decide(health(GOOD), time_service=HOST, repair_results={'step': stepped(offset=-7200.0)})
    for verdict in (before, after):
        assert 'zone (+2 h): local time was taken for UTC' in verdict['summary']
        assert 'hypervisor' in verdict['next_step']
    assert decide(health(GOOD), time_service=HOST, repair_results={'step': {}})['next_step'] == ''


@pytest.mark.parametrize(('tests', 'aem', 'clock', 'state', 'repair'), [
    (GOOD, 'ok', 'in_sync', 'unfinished', True),
    ([], 'unreachable', 'in_sync', 'unfinished', True),
    (EXPIRED, 'ok', 'skewed', 'jwt_expired', True),
    (KEYSTORE, 'ok', 'in_sync', 'not_the_clock', False),
    ([], 'unreachable', 'unreachable', 'unfinished', True),     # it has stopped AEM: start it first
    ([], 'unauthorized', 'in_sync', 'not_testable', False),
])
def test_a_repair_that_was_cut_off_is_finished(tests, aem, clock, state, repair):
    verdict = decide({**health(tests, aem=aem, verdict=clock), 'interrupted': ['service_stop']})
    assert (verdict['state'], verdict['repair'], verdict['healthy']) == (state, repair, False)
    assert verdict['warning'] == '' or clock == 'skewed'
    assert verdict['next_step'].startswith('finish it') is (state == 'unfinished')


def test_what_this_run_could_not_finish_is_not_an_earlier_one_s():
    kept = {'synchronized': False, 'reason': '', 'advice': '', 'msg': 'Check mode: a run would install the package chrony.'}
    verdict = decide({**health([], aem='unreachable', verdict='in_sync'), 'interrupted': ['service_stop']}, time_service=HOST,
                     repair_results={'step': stepped(offset=99.0), 'keep': kept})
    assert verdict['state'] == 'aem_unreachable'
    assert 'install' not in verdict['summary'] + verdict['next_step']


def test_without_a_reference_only_an_aem_that_was_left_stopped_is_seen_to():
    for left, state in (['time_service'], 'no_reference'), (['no_time_daemon'], 'no_reference'), (['service_stop'], 'unfinished'):
        assert decide({**health([], aem='unreachable', verdict='undecided'), 'interrupted': left})['state'] == state


def test_an_aem_that_was_down_before_is_not_lost_by_the_jump():
    down = health([], aem='unreachable', verdict='in_sync')
    verdict = decide(down, time_service=HOST, repair_results={'step': stepped(offset=99.0), 'aem': 'ok'})
    assert 'did not come back' in verdict['summary']
    verdict = decide(down, time_service=HOST, repair_results={'step': stepped(offset=99.0), 'aem': 'unreachable'})
    assert 'did not come back' not in verdict['summary']
    assert verdict['next_step'].startswith('start AEM or correct fix_bp_jwt_aem_url')


@pytest.mark.parametrize(('aem', 'option'), [
    ('unauthorized', '(in this role: fix_bp_jwt_aem_user and fix_bp_jwt_aem_password)'),
    ('not_aem', '(in this role: fix_bp_jwt_aem_url)'), ('failed', '')])
def test_no_option_is_named_where_none_helps(aem, option):
    verdict = decide(health([], aem=aem))
    assert verdict['state'] == 'not_testable'
    assert verdict['next_step'] == f'{aem} {option}'.rstrip()


# A right clock that nothing keeps

NOT_KEPT = {'state': 'not_kept', 'by': '', 'source': '', 'reason': 'no_time_daemon',
            'msg': 'Nothing keeps the clock: no time daemon runs.'}


@pytest.mark.parametrize(('reason', 'said'), [
    ('no_time_daemon', 'fix_bp_jwt_fix_not_kept=true'), ('no_control_of_clock', 'without the option -x'),
    ('own_clock', 'fix_bp_jwt_ntp_servers'), ('not_synchronized', 'UDP 123')])
def test_a_clock_that_nothing_keeps_passes_and_says_what_to_do(reason, said):
    verdict = decide({**health(GOOD), 'clock_keeper': {**NOT_KEPT, 'reason': reason}})
    assert (verdict['state'], verdict['repair'], verdict['healthy']) == ('not_kept', False, True)
    assert said in verdict['next_step'] and NOT_KEPT['msg'].rstrip('.') in verdict['summary']


@pytest.mark.parametrize('state', ['kept', 'unknown'])
def test_one_that_is_kept_or_of_which_nothing_is_known_is_healthy(state):
    assert decide({**health(GOOD), 'clock_keeper': {**NOT_KEPT, 'state': state}}, fix_not_kept=True)['state'] == 'healthy'


def test_a_daemon_is_brought_where_that_is_asked_for_and_never_twice_in_a_run():
    unkept = {**health(GOOD), 'clock_keeper': NOT_KEPT}
    verdict = decide(unkept, fix_not_kept=True)
    assert (verdict['state'], verdict['repair'], verdict['healthy']) == ('not_kept', True, False)
    assert verdict['aem']['stop_services'] == []
    blocked = {'keep': {'synchronized': False, 'reason': 'unreachable', 'msg': 'NTP is blocked.', 'advice': 'Open UDP 123.'}}
    after = decide(unkept, fix_not_kept=True, repair_results=blocked)
    assert (after['state'], after['healthy'], after['next_step']) == ('not_kept', True, 'Open UDP 123')


def test_a_wrong_clock_and_failing_agents_come_before_who_keeps_it():
    for tests, state in (EXPIRED, 'jwt_expired'), (GOOD, 'at_risk'):
        assert decide({**health(tests, verdict='skewed'), 'clock_keeper': NOT_KEPT}, fix_at_risk=False)['state'] == state
    assert decide({**health(KEYSTORE), 'clock_keeper': NOT_KEPT}, fix_not_kept=True)['repair'] is False
    assert decide({**health(GOOD), 'clock_keeper': NOT_KEPT, 'interrupted': ['time_service']})['state'] == 'unfinished'


def test_which_states_are_repaired_and_which_are_well():
    assert {name for name, state in STATES.items() if state.repair} == {
        'at_risk', 'jwt_expired', 'not_only_the_clock', 'aem_unreachable', 'unfinished'}
    assert {name for name, state in STATES.items() if state.healthy} == {'healthy', 'not_kept'}


@pytest.mark.parametrize(('low', 'high', 'allowed', 'found'), [
    (-5.0, 5.0, 0.0, 'same'), (-5.0, 5.1, 0.0, 'unknown'), (-5.1, 5.0, 0.0, 'unknown'), (-5.1, 5.1, 0.0, 'unknown'),
    (5.1, 7.0, 0.0, 'differs'), (5.0, 7.0, 0.0, 'unknown'), (-7.0, -5.1, 0.0, 'differs'), (-7.0, -5.0, 0.0, 'unknown'),
    (-9.0, 9.0, 9.0, 'same')])
def test_aems_own_date_is_believed_by_whole_seconds(low, high, allowed, found):
    skew = {'sources': [], 'max_skew': allowed}
    assert _aem_against_host(skew, {'clock_offset': {'low': low, 'high': high}}) == found


@pytest.mark.parametrize(('parts', 'said'), [
    (['one.'], 'one.'), (['one.', ''], 'one.'), (['one.', 'two.'], 'one; two'), (['', 'one', 'two.', 'three'], 'one; two; three'),
    ([], '')])
def test_parts_are_joined_to_one_sentence(parts, said):
    assert _joined(parts) == said


@pytest.mark.parametrize(('tests', 'clock', 'verified', 'accepted', 'said'), [
    (GOOD, 'skewed', False, False, True), (GOOD, 'skewed', False, True, False), (GOOD, 'unreachable', False, False, False),
    (GOOD, 'undecided', True, False, False), (KEYSTORE, 'skewed', True, False, False), (EXPIRED, 'in_sync', True, False, False)])
def test_too_few_references_are_named_where_they_are_the_reason(tests, clock, verified, accepted, said):
    measured = health(tests, verdict=clock, verified=verified)
    measured['skew']['sources'][0].update(accepted=False, reason='no answer within 3 s')
    verdict = decide(measured, accept_unverified=accepted)
    assert ('too few references agree' in verdict['summary']) is said
    assert ('no answer within 3 s' in verdict['summary']) is (verdict['state'] == 'no_reference')
