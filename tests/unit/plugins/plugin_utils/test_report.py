# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a run about its hosts."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _rehearsal as rehearsal
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._drift import with_history
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report.document import (
    count,
    document,
    kept,
    listed,
    statistics,
)
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report.metrics import metrics, read_metrics
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report.page import page
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report.table import last_words, numbers, table, what_next
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._result import (
    AFTER_AN_ERROR,
    conclude,
    sum_up,
    without_result,
)


def health(offset, answered, tested=4):
    return {'skew': {'verdict': 'skewed' if abs(offset) > 5 else 'in_sync', 'direction': 'behind' if offset > 5 else 'none',
                     'offset': offset, 'low': offset, 'high': offset, 'verified': True, 'max_skew': 5.0},
            'tests': [{'agent': f'agent{number}', 'succeeded': number < answered} for number in range(tested)]}


def verdict(state, repair=False, healthy=False, next_step='do this'):
    return {'state': state, 'repair': repair, 'healthy': healthy, 'cause': '', 'summary': f'it is {state}',
            'next_step': '' if healthy else next_step}


HEALTHY = verdict('healthy', healthy=True)
EXPIRED = verdict('jwt_expired', repair=True)


def test_a_healed_host_passes_and_shows_before_and_after():
    result = sum_up('aem1', health(90.0, 0), health(0.002, 4), EXPIRED, HEALTHY)
    assert (result['passed'], result['repaired'], result['next_step']) == (True, True, '')
    row = table_of([result])[1]
    assert '1 min 30 s behind -> 2.0 ms behind' in row
    assert '0 of 4 -> 4 of 4' in row
    assert 'jwt_expired -> healthy' in row


def test_how_an_agent_authenticates_is_told_by_the_test_that_asked():
    failed, succeeded = {'succeeded': False, 'authentication': 'jwt'}, {'succeeded': True, 'authentication': 'unknown'}
    before, after = ({'skew': health(0.0, 0)['skew'], 'tests': [dict(test, agent='a')]} for test in (failed, succeeded))
    assert sum_up('aem1', before, after, EXPIRED, HEALTHY)['agents'][0]['authentication'] == 'jwt'
    assert sum_up('aem1', after, {}, HEALTHY, HEALTHY)['agents'][0]['authentication'] == 'unknown'
    assert sum_up('aem1', health(0.0, 4), {}, HEALTHY, HEALTHY)['agents'][0]['authentication'] == 'unknown'


@pytest.mark.parametrize('mode', [{'check_mode': True}, {'diagnose_only': True}])
def test_a_clock_that_is_not_the_cure_is_not_told_to_be_one(mode):
    found = verdict('not_only_the_clock', repair=True, next_step='migrate to OAuth Server-to-Server')
    result = sum_up('aem1', health(90.0, 0), {}, found, found, **mode)
    assert result['next_step'].startswith('run with') and result['next_step'].endswith('migrate to OAuth Server-to-Server')


def test_a_repair_that_stopped_fails_and_says_where():
    result = sum_up('aem1', health(90.0, 0), {}, EXPIRED, EXPIRED, error='Install the package: no network')
    assert (result['passed'], result['repaired']) == (False, False)
    assert 'Install the package: no network. Next: correct what stopped the repair, then run again' in result['message']


def test_a_repair_that_stopped_fails_even_if_the_proof_is_healthy():
    assert not sum_up('aem1', health(90.0, 0), health(0.0, 4), EXPIRED, HEALTHY, error='RTC')['passed']


def test_the_next_step_after_an_error_is_the_advice_of_what_failed():
    failed = {'failed': True, 'advice': 'Wait until the other run has ended, then run again.'}

    def next_step(after, left, changes):
        result = sum_up('aem1', health(90.0, 0), after, EXPIRED, left, error='it failed', repair_due=True, changes=changes)
        return result['next_step']
    assert next_step(health(90.0, 0), EXPIRED, failed) == 'Wait until the other run has ended, then run again'
    # What the verdict after it asks for comes second.
    left = verdict('not_kept', next_step='name NTP servers')
    assert next_step(health(0.0, 4), left, failed) == 'Wait until the other run has ended, then run again; name NTP servers'
    assert next_step(health(0.0, 4), {**left, 'next_step': 'Wait until the other run has ended, then run again'}, failed) \
        == 'Wait until the other run has ended, then run again'
    # Not the advice of a run that ended well.
    assert next_step(health(90.0, 0), EXPIRED, {**failed, 'failed': False}) == 'correct what stopped the repair, then run again'


def test_check_mode_passes_what_a_run_would_repair_and_fails_the_rest():
    assert sum_up('aem1', health(90.0, 0), {}, EXPIRED, EXPIRED, check_mode=True)['passed']
    other = verdict('not_the_clock')
    assert not sum_up('aem1', health(0.0, 0), {}, other, other, check_mode=True)['passed']
    assert not sum_up('aem1', health(90.0, 0), {}, EXPIRED, EXPIRED)['passed']


@pytest.mark.parametrize('state', ['not_only_the_clock', 'aem_unreachable'])
def test_check_mode_fails_what_a_run_would_correct_and_not_heal(state):
    other = verdict(state, repair=True)
    result = sum_up('aem1', health(90.0, 0), {}, other, other, check_mode=True)
    assert not result['passed'] and result['repair'] == 'predicted'


def table_of(results, **about):
    return table(document(results, results, **about))


def test_a_host_without_a_result_is_not_forgotten():
    results = [without_result('aem1', {'unreachable': True, 'msg': 'no\nroute'}), without_result('aem2', {}),
               sum_up('aem3', health(0.0, 4), {}, HEALTHY, HEALTHY)]
    lines = table_of(results)
    assert lines[1].startswith('aem1') and 'unreachable' in lines[1]
    assert lines[2].startswith('aem2') and 'no result' in lines[2]
    assert lines[3].startswith('aem3') and 'healthy' in lines[3]
    assert 'no route' in results[0]['message']
    counts = count(results)
    assert counts == {'hosts': 3, 'passed': 1, 'failed': 0, 'repaired': 0, 'unreachable': 1, 'no_result': 1,
                      'states': {'healthy': 1, 'no_result': 1, 'unreachable': 1}}


def test_a_host_that_cannot_run_a_module_says_why():
    """What ansible-core returns for a module on a full disk, on 2.16 and 2.21."""
    traceback = ('Traceback (most recent call last):\n  File "<stdin>", line 107, in <module>\n'
                 "FileNotFoundError: [Errno 2] No usable temporary directory found in ['/tmp', '/var/tmp']\n")
    for message in ('MODULE FAILURE\nSee stdout/stderr for the exact error', 'Module result deserialization failed'):
        result = without_result('aem1', {'failed': True, 'msg': message, 'module_stderr': traceback})
        assert "No usable temporary directory found in ['/tmp', '/var/tmp']. Next: make room on this host" in result['message']
    said = "MODULE FAILURE: FileNotFoundError: [Errno 2] No usable temporary directory found in ['/tmp', '/var/tmp']"
    assert without_result('aem1', {'failed': True, 'msg': said, 'module_stderr': traceback})['error'] == said, 'once'
    secret = without_result('aem1', {'failed': True, 'msg': 'MODULE FAILURE', 'module_stderr': "ValueError: 'S3cret'\n"})
    assert 'S3cret' not in secret['message']
    assert secret['next_step'] == 'correct what the message says, then run again'


def test_no_hosts():
    assert table_of([]) == ['No host was in this run.']


# The document and what is made of it

SCHEMA = json.loads((Path(__file__).parents[4] / 'docs/report.schema.json').read_text(encoding='utf-8'))
RUN = {'started_at': '2026-11-25T02:30:00Z', 'finished_at': '2026-11-25T02:31:30Z', 'collection_version': '0.1.0', 'max_skew': 5.0}


def fleet(healthy):
    """So many healthy hosts and one of each other kind."""
    due = sum_up('waits', health(90.0, 0), {}, EXPIRED, EXPIRED)
    results = [sum_up(f'h{number}', health(0.0, 4), {}, HEALTHY, HEALTHY) for number in range(healthy)]
    return results + [
        sum_up('healed', health(90.0, 0), health(0.002, 4), EXPIRED, HEALTHY, repair_due=True),
        conclude(due, stopped='1 of 1 repairs failed'), conclude({**due, 'host': 'lost'}, lost=True),
        without_result('gone', {'unreachable': True, 'msg': 'no route'}),
        without_result('bad', {'failed': True, 'msg': 'no python'}),
    ]


def report_of(results, **about):
    about = {**RUN, **about}
    return document(results, [listed(result, about.get('mode', 'fix'), about['finished_at']) for result in results], **about)


@pytest.mark.parametrize('results', [[], fleet(0), fleet(3)], ids=['no host', 'the sick', 'all kinds'])
def test_the_document_is_as_its_schema_says(results):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft202012Validator(SCHEMA)
    validator.validate(json.loads(json.dumps(report_of(results))))
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(report_of(results, mode='repair'))


def test_a_repair_that_was_not_begun_says_why_and_never_passes():
    predicted = sum_up('waits', health(90.0, 0), {}, EXPIRED, EXPIRED, check_mode=True)
    assert predicted['passed'] and predicted['next_step'] == 'run without --check'
    last = conclude(predicted, stopped='the reference is suspect')
    assert not last['passed'] and last['error'] == 'not begun: the reference is suspect'
    assert 'The repair was not begun: the reference is suspect. Next: see why this run stopped.' in last['message']
    healthy = sum_up('well', health(0.0, 4), {}, HEALTHY, HEALTHY)
    assert conclude(healthy, stopped='the reference is suspect') == healthy


def test_above_the_limit_those_that_passed_are_one_line():
    lines = table(report_of(fleet(60)), 50)
    assert len([line for line in lines if line.startswith('h')]) == 2  # the headings, and the one that was healed
    assert '60 more hosts passed and are not listed.' in lines
    assert lines[-1].startswith('65 hosts: 61 passed (1 repaired), 2 failed, 1 unreachable, 1 no result; ')
    assert table(report_of([sum_up(f'h{number}', health(0.0, 4), {}, HEALTHY, HEALTHY) for number in range(9)]), 5) == [
        '9 hosts passed and are not listed.', '9 hosts: 9 passed; healthy 9']


def test_the_statistics_are_bounded():
    said = {'unreachable': True, 'msg': 'x' * 10000}
    results = [without_result(f'author{number:04d}.example.com', said) for number in range(5000)]
    kept = statistics(report_of(results), 100)
    assert kept['counts']['unreachable'] == 5000 and len(kept['hosts']) == 100 and kept['hosts_left_out'] == 4900
    assert len(json.dumps(kept)) < 100_000


def test_metrics():
    results = [*fleet(1), sum_up('a"b\\c', health(0.0, 4), {}, HEALTHY, HEALTHY)]
    lines = metrics(report_of(results)).splitlines()
    assert 'brand_portal_last_run_duration_seconds 90' in lines
    assert 'brand_portal_hosts{result="passed"} 3' in lines
    assert 'brand_portal_host_clock_offset_seconds{host="healed"} 0.002' in lines
    assert r'brand_portal_host_state{host="a\"b\\c",state="healthy"} 1' in lines
    assert not any('host="gone"' in line and 'offset' in line for line in lines)
    names = [line.split()[2] for line in lines if line.startswith('# TYPE')]
    assert len(names) == len(set(names)) and all(f'# HELP {name} ' in '\n'.join(lines) for name in names)
    assert 'duration' not in metrics(report_of([], started_at=None))


def test_check_mode_and_a_diagnosis_never_look_healed():
    for way, mode in (({'check_mode': True}, 'check'), ({'diagnose_only': True}, 'diagnose')):
        report = report_of([sum_up('sick', health(90.0, 0), {}, EXPIRED, EXPIRED, **way)], mode=mode)
        lines = metrics(report).splitlines()
        assert 'brand_portal_host_passed{host="sick"} 0' in lines and 'brand_portal_hosts{result="passed"} 0' in lines
        assert any(line.startswith(f'brand_portal_last_run_info{{mode="{mode}"') for line in lines)
        assert report['hosts'][0]['healthy'] is False and report['hosts'][0]['repair'] == 'predicted'
    foreseen = sum_up('a', health(90.0, 0), {}, EXPIRED, EXPIRED, check_mode=True)
    assert '1 passed (1 would be repaired)' in '\n'.join(table(report_of([foreseen, without_result('c', {})])))


LATER = '2026-11-26T02:31:30Z'


def test_a_run_over_a_part_keeps_the_rows_of_the_others():
    former = report_of(fleet(2))
    now = [sum_up('h0', health(90.0, 0), {}, EXPIRED, EXPIRED)]
    rows = [listed(result, 'fix', LATER) for result in now]
    rows += kept(json.loads(json.dumps(former)), {'h0'}, LATER, 7)
    report = document(now, rows, finished_at=LATER)
    assert [row['host'] for row in rows] == ['h0', 'h1', 'healed', 'waits', 'lost', 'gone', 'bad']
    assert {row['age'] for row in rows[1:]} == {86400} and report['kept'] == 6 and report['counts']['hosts'] == 1
    jsonschema.validate(json.loads(json.dumps({**report, **RUN, 'finished_at': LATER})), SCHEMA)
    lines = table(report)
    assert lines[1].startswith('h0') and not any(line.startswith('h1') for line in lines)
    assert '6 more hosts of earlier runs in the report.' in lines
    named = statistics({**report, **RUN}, 100)
    assert [host['host'] for host in named['hosts']] == ['h0'] and named['hosts_left_out'] == 0
    assert kept(former, set(), '2026-12-24T02:31:30Z', 7) == [] and kept(former, set(), LATER, 0) == []


@pytest.mark.parametrize('former', [None, [], {'schema_version': 2, 'hosts': [{'host': 'a'}]},
                                    {'schema_version': 1, 'hosts': [1, {}]}, {'schema_version': 1, 'hosts': 5},
                                    {'schema_version': 1, 'hosts': [{'host': 'a', 'state_after': 'healthy', 'reported_at': 5}]}])
def test_what_is_no_report_of_ours_is_not_kept(former):
    assert kept(former, set(), LATER, 7) == []


@pytest.mark.parametrize(('row', 'is_kept'), [
    ({'host': 'a', 'state_after': 'at_risk'}, True), ({'host': 'a', 'state_after': None, 'passed': True}, False),
    ({'host': 'a', 'state_after': 'at_risk', 'clock_before': 300.0}, False),
    ({'host': 'a', 'state_after': 'at_risk', 'agents': 4}, False),
])
def test_a_row_that_a_query_shaped_in_an_older_version_stops_no_report(row, is_kept):
    """0.1.0 wrote no `results` beside them."""
    former = {'schema_version': 1, 'finished_at': RUN['finished_at'], 'hosts': [row]}
    rows = with_history(kept(json.loads(json.dumps(former)), set(), LATER, 7), former, 5.0)
    assert [each['passed'] for each in rows] == ([False] if is_kept else [])
    report = {**document([], rows), **RUN}
    assert ('brand_portal_host_passed{host="a"} 0' in metrics(report)) is is_kept
    assert page(report) and table(report)


def test_the_metrics_keep_the_series_of_the_others():
    names = ['h0', 'a"b\\c']
    former = metrics(report_of([sum_up(name, health(1.5, 3), {}, HEALTHY, HEALTHY) for name in names] + fleet(0)))
    now = report_of([sum_up('h0', health(90.0, 0), {}, EXPIRED, EXPIRED)], finished_at=LATER)
    lines = metrics(now, former).splitlines()
    assert r'brand_portal_host_passed{host="a\"b\\c"} 1' in lines and 'brand_portal_host_passed{host="h0"} 0' in lines
    assert r'brand_portal_host_clock_offset_seconds{host="a\"b\\c"} 1.5' in lines
    assert 'brand_portal_host_agents_answered{host="healed"} 4' in lines
    assert 'brand_portal_hosts{result="passed"} 2' in lines and 'brand_portal_last_run_hosts 1' in lines
    assert 'brand_portal_hosts{result="unreachable"} 1' in lines
    assert metrics(now, metrics(now, former)) == metrics(now, former)
    assert metrics(now, former, days=0.5) == metrics(now) and metrics(now, 'no metrics\n') == metrics(now)
    foreign = former.replace('agents_answered{host="healed"} 4', 'agents_answered{host="healed"} NaN')
    assert 'brand_portal_host_passed{host="healed"} 1' in metrics(now, foreign) and 'NaN' not in metrics(now, foreign)
    ahead = metrics(report_of([sum_up('ahead', health(1.5, 3), {}, HEALTHY, HEALTHY)], finished_at='2099-01-01T00:00:00Z'))
    assert metrics(now, ahead) == metrics(now)  # of a controller whose clock was wrong: it would stay for years


def test_a_query_shapes_what_is_listed_never_counts_or_metrics():
    results = fleet(2)
    rows = [listed(result, 'fix', RUN['finished_at']) for result in results]
    shaped = [{'host': row['host'], 'state': row['state_after']} for row in rows if row['host'] != 'h1']
    report, full = document(results, shaped, rows, **RUN), document(results, rows, **RUN)
    jsonschema.validate(json.loads(json.dumps({**report, 'hosts': rows})), SCHEMA)
    assert metrics(report) == metrics(full) and report['counts'] == full['counts']
    assert 'healed' in '\n'.join(table(report)) and 'jwt_expired -> healthy' in '\n'.join(table(report))
    assert [row['host'] for row in statistics(report, 100)['hosts']] == ['waits', 'lost', 'gone', 'bad']
    assert [row['host'] for row in kept(json.loads(json.dumps(report)), set(), LATER, 7)] == [row['host'] for row in rows]


def test_both_codes_are_kept():
    before, after = health(90.0, 0, 1), health(0.0, 1, 1)
    before['tests'][0].update(response_code=401, cause='jwt_expired')
    after['tests'][0].update(response_code=200, cause='none')
    [agent] = sum_up('a', before, after, EXPIRED, HEALTHY, repair_due=True)['agents']
    assert (agent['response_code_before'], agent['response_code_after'], agent['response_code']) == (401, 200, 200)
    assert (agent['cause_before'], agent['cause']) == ('jwt_expired', '')


def test_what_was_changed_is_in_the_result():
    done = {'actions': ['Set the clock'], 'acts': [{'act': 'clock'}], 'stopped': ['aem.service'], 'downtime': 2.4, 'backups': {},
            'disabled': [], 'restored': False, 'problems': []}
    result = sum_up('a', health(90.0, 0), health(0.0, 4), EXPIRED, HEALTHY, repair_due=True,
                    changes={**done, 'msg': 'done', 'rc': 0})
    assert result['changes'] == done and result['repair'] == 'proven'
    assert sum_up('a', health(0.0, 4), {}, HEALTHY, HEALTHY)['changes'] is None


@pytest.mark.parametrize(('keywords', 'repair'), [
    ({}, 'due'), ({'check_mode': True}, 'predicted'), ({'diagnose_only': True}, 'predicted'),
    ({'repair_due': True, 'error': 'no'}, 'failed'),
    ({'repair_due': True}, 'not_proven'), ({'repair_due': True, 'check_mode': True}, 'predicted'),
])
def test_what_became_of_the_repair(keywords, repair):
    assert sum_up('a', health(90.0, 0), {}, EXPIRED, EXPIRED, **keywords)['repair'] == repair


# What keeps the clock

KEPT = {'state': 'kept', 'by': 'chronyd', 'source': '192.0.2.20', 'reason': '', 'msg': 'It is kept.', 'kernel_synchronized': True,
        'maximum_error': 0.05, 'estimated_error': 0.001}
UNKEPT = {**KEPT, 'state': 'not_kept', 'by': '', 'source': '', 'reason': 'no_time_daemon', 'msg': 'Nothing keeps the clock.'}
NOT_KEPT = {**verdict('not_kept', healthy=True), 'next_step': 'enable a time daemon'}


def test_the_table_tells_what_keeps_the_clock_and_never_leaves_out_one_that_nothing_keeps():
    results = [sum_up(f'aem{number}', {**health(0.0, 4), 'clock_keeper': KEPT}, {}, HEALTHY, HEALTHY) for number in range(60)]
    results.append(sum_up('left', {**health(0.0, 4), 'clock_keeper': UNKEPT}, {}, NOT_KEPT, NOT_KEPT))
    lines = [' '.join(line.split()) for line in table_of(results)]
    assert lines[1] == 'left 0 s off nothing 4 of 4 not_kept enable a time daemon'
    assert lines[2] == '60 more hosts passed and are not listed.'
    assert 'not_kept 1' in lines[3]
    assert 'chronyd (192.0.2.20)' in ' '.join(table_of(results[:1]))
    assert table_of([sum_up('aem', health(0.0, 4), {}, HEALTHY, HEALTHY)])[1].split()[4] == '-'


def test_the_keeper_after_a_repair_is_what_counts():
    result = sum_up('aem1', {**health(90.0, 0), 'clock_keeper': UNKEPT}, {**health(0.0, 4), 'clock_keeper': KEPT}, EXPIRED, HEALTHY)
    assert result['clock_keeper']['by'] == 'chronyd'


def test_a_daemon_that_was_brought_and_reaches_nothing_has_repaired_nothing():
    unkept = {**health(0.0, 4), 'clock_keeper': UNKEPT}
    result = sum_up('aem1', unkept, unkept, {**NOT_KEPT, 'repair': True}, NOT_KEPT, repair_due=True)
    assert (result['passed'], result['repaired'], result['next_step']) == (True, False, 'enable a time daemon')


def test_a_repair_that_waits_until_aem_may_be_stopped_is_due_and_fails():
    result = sum_up('aem1', health(90.0, 0), {}, verdict('stop_deferred'), verdict('stop_deferred'), repair_due=True)
    assert (result['passed'], result['tried'], result['repair'], result['repair_due']) == (False, False, 'due', True)


@pytest.mark.parametrize(('found', 'verdict_on_it', 'obstacles', 'result', 'passed'), [
    (health(0.0, 4), HEALTHY, 0, 'passed', '1'), (health(0.0, 4), HEALTHY, 2, 'failed', '1'),
    (health(90.0, 0), EXPIRED, 0, 'would_be_repaired', '0'), (health(90.0, 0), EXPIRED, 1, 'failed', '0'),
])
def test_metrics_of_a_rehearsal_tell_its_own_outcome(found, verdict_on_it, obstacles, result, passed):
    checks = [rehearsal.check('proof', 'fine', passed=True), *[rehearsal.check('disk', 'full', 'make room')] * obstacles]
    row = rehearsal.conclude(sum_up('aem1', found, {}, verdict_on_it, verdict_on_it, diagnose_only=True), checks)
    said = metrics(document_of([row], '2026-11-25T02:00:00Z'))
    assert f'brand_portal_hosts{{result="{result}"}} 1' in said
    assert f'brand_portal_host_rehearsal_obstacles{{host="aem1"}} {obstacles}' in said
    assert f'brand_portal_host_passed{{host="aem1"}} {passed}' in said
    assert read_metrics(said)['aem1'].obstacles == obstacles and read_metrics(said)['aem1'].result == result


def test_metrics_of_the_clock_and_what_keeps_it_and_of_the_last_repair_which_later_runs_hand_on():
    dated = {**health(0.0, 4), 'clock_keeper': KEPT}
    dated['skew']['sources'] = [{'certificate_not_after': '2027-01-01T00:00:00.000Z'}, {'certificate_not_after': None},
                                {'certificate_not_after': '2026-12-26T00:00:00.000Z'}]
    repaired = sum_up('aem1', {**health(90.0, 0), 'clock_keeper': UNKEPT}, dated, EXPIRED, HEALTHY, repair_due=True,
                      changes={'stopped': ['aem.service'], 'downtime': 12.5})
    first = metrics(document_of([repaired], '2026-11-25T02:00:00Z'))
    said = dict(line.rsplit(' ', 1) for line in first.splitlines() if not line.startswith('#'))
    host = '{host="aem1"}'
    assert said[f'brand_portal_host_clock_kept{host}'] == '1'
    assert said['brand_portal_host_clock_keeper_info{host="aem1",by="chronyd",source="192.0.2.20"}'] == '1'
    assert said[f'brand_portal_host_certificate_expiry_timestamp_seconds{host}'] == '1798243200'
    assert said[f'brand_portal_host_aem_downtime_seconds{host}'] == '12.5'
    assert said[f'brand_portal_host_clock_maximum_error_seconds{host}'] == '0.05'
    assert (said[f'brand_portal_host_clock_offset_low_seconds{host}'], said['brand_portal_max_skew_seconds']) == ('0', '5')
    later = metrics(document_of([sum_up('aem1', {**health(0.1, 4), 'clock_keeper': UNKEPT}, {}, NOT_KEPT, NOT_KEPT)],
                                '2026-11-26T02:00:00Z'), first)
    assert f'brand_portal_host_aem_downtime_seconds{host} 12.5' in later
    assert f'brand_portal_host_clock_kept{host} 0' in later and 'keeper_info' not in later
    assert read_back(later) == read_back(first)


@pytest.mark.parametrize('mode', ['check', 'fix'])
def test_a_repair_that_failed_before_it_changed_anything_is_not_the_last_repair(mode):
    """For a week after a repair, no alert tells that a clock drifts."""
    healed = sum_up('aem1', health(90.0, 0), health(0.0, 4), EXPIRED, HEALTHY, repair_due=True, changes={'downtime': 12.5})
    first = metrics(document_of([healed], '2026-11-25T02:00:00Z'))
    failed = sum_up('aem1', health(90.0, 0), {}, EXPIRED, EXPIRED, error='sudo: a password is required', repair_due=True,
                    check_mode=mode == 'check', changes={'failed': True, 'actions': ['x']} if mode == 'check' else {})
    assert failed['repair'] == 'failed'
    assert read_back(metrics(document_of([failed], LATER, mode), first)) == read_back(first)
    assert 'repaired_timestamp' not in metrics(document_of([failed], LATER, mode))


def document_of(results, finished, mode='fix'):
    rows = [listed(result, mode, finished) for result in results]
    return document(results, rows, started_at=finished, finished_at=finished, max_skew=5.0)


def read_back(text):
    """What a later run takes over of the last repair."""
    sample = next(iter(read_metrics(text).values()))
    return sample.repaired_at, sample.downtime


def test_hosts_with_different_errors_are_in_different_groups():
    """The table has the error of the first host of a group, and no other output has those of the others."""
    errors = [{'failed': True, 'msg': 'fix_bp_jwt_max_skew must be a number'}, {'failed': True, 'msg': 'AEM needs an account'},
              {'unreachable': True, 'msg': 'ssh: connect to host 192.0.2.{0} port 22: Connection refused'},
              {'unreachable': True, 'msg': 'ssh: Could not resolve hostname host{0}: Name or service not known'}]
    results = [without_result(f'host{number}', {**said, 'msg': said['msg'].format(number)})
               for number, said in enumerate(errors * 30)]
    lines = table(document_of(results, '2026-11-25T02:00:00Z'), 50)
    assert [sum(1 for line in lines if words in line) for words in ('must be', 'needs an', 'refused', 'not resolve')] == [1] * 4
    assert sum(line.startswith('no. ') for line in lines) == 4


def test_a_few_that_failed_are_in_the_table_beside_many_that_passed_with_a_next_step():
    noted = {**HEALTHY, 'next_step': 'open UDP 123 to 192.0.2.1'}
    results = [sum_up(f'well{number}', health(0.0, 4), {}, noted, noted) for number in range(60)]
    results += [sum_up(f'sick{number}', health(90.0, 0), {}, EXPIRED, EXPIRED) for number in range(3)]
    report = document_of(results, '2026-11-25T02:00:00Z')
    lines = table(report, 50)
    assert any(line.startswith('no. 1: healthy: well0, ') for line in lines)
    assert 'no. 2: jwt_expired: sick0, sick1, sick2' in lines and numbers(report, 50)['sick1'] == 2


def test_many_hosts_that_would_be_repaired_do_not_look_as_if_they_passed():
    results = [sum_up(f'a{number}', health(90.0, 0), {}, EXPIRED, EXPIRED, check_mode=True) for number in range(60)]
    assert '60 hosts: 60 passed (60 would be repaired); jwt_expired 60' in table(document_of(results, '2026-11-25T02:00:00Z'), 50)


def test_a_rehearsal_of_many_hosts_refers_to_no_group():
    """Its table has a line for each host."""
    full = [rehearsal.check('disk', '/etc has 1 MiB left', 'make room')]
    results = [rehearsal.conclude(sum_up(f'a{number}', health(0.0, 4), {}, HEALTHY, HEALTHY), full) for number in range(60)]
    report = {**document_of(results, '2026-11-25T02:00:00Z'), 'mode': 'rehearse'}
    assert numbers(report, 50) == {} and any(line.startswith('a59 ') for line in table(report, 50))


def test_too_many_that_did_not_pass_are_grouped_and_said_in_a_word():
    denied = verdict('not_testable', next_step='check the account')
    results = [sum_up(f'a{number}', health(0.0, 0), {}, denied, denied) for number in range(300)] + fleet(5)
    report = report_of(results)
    lines = table(report, 50)
    assert lines[0] == 'no. 1: not_testable: a0, a1, a2, a3, a4 and 295 more'
    assert lines[1] == '    as a0: check the account' and len(lines) < 20 and '5 more hosts passed and are not listed.' in lines
    group = numbers(report, 50)[results[7]['host']]
    assert last_words(results[7], 305, group) == 'no. 1' and numbers(report, 500) == {}
    assert last_words(results[7], 3) == results[7]['message']
    assert last_words(results[7], 30) == 'not_testable: check the account'
    assert last_words(results[7], 0) == results[7]['message']


def test_hosts_with_the_same_long_error_are_one_group():
    results = [without_result(f'a{number}', {'unreachable': True, 'msg': (
        f"Failed to connect to the host via ssh: Warning: Permanently added '10.0.{number}.7' (ED25519) to the list of known "
        "hosts.\n** WARNING: connection is not using a post-quantum key exchange algorithm.\n** This session may be vulnerable to "
        f'"store now, decrypt later" attacks.\nadmin@10.0.{number}.7: Permission denied (publickey).')}) for number in range(120)]
    assert set(numbers(report_of(results), 50).values()) == {1}


def test_the_table_names_the_services_that_were_down():
    done = {'actions': ['x'], 'stopped': ['aem.service'], 'downtime': 41.83}
    healed = sum_up('a', health(90.0, 0), health(0.0, 4), EXPIRED, HEALTHY, repair_due=True, changes=done)
    assert 'a: aem.service was stopped for 41.8 s while the clock was set.' in table(report_of([healed]))
    would = sum_up('a', health(90.0, 0), {}, EXPIRED, EXPIRED, repair_due=True, check_mode=True, changes={**done, 'downtime': 0})
    assert 'a: aem.service would be stopped while the clock is set, and started again.' in table(report_of([would], mode='check'))


def test_the_services_that_were_down_are_named_in_a_large_run_and_whatever_a_query_lists():
    def results_of(count, check_mode=False):
        after = ({}, EXPIRED, EXPIRED) if check_mode else (health(0.0, 4), EXPIRED, HEALTHY)
        return [sum_up(f'a{number}', health(90.0, 0), *after, repair_due=True, check_mode=check_mode,
                       changes={'actions': ['x'], 'stopped': ['aem.service'], 'downtime': 0 if check_mode else 40.0 + number})
                for number in range(count)]
    assert ('aem.service was stopped on 60 hosts for 40.0 s to 99.0 s while the clock was set.'
            in table(report_of(results_of(60)), 50))
    assert ('aem.service would be stopped on 60 hosts while the clock is set, and started again.'
            in table(report_of(results_of(60, check_mode=True), mode='check'), 50))
    rows = [listed(result, 'fix', RUN['finished_at']) for result in results_of(1)]
    shaped = document(results_of(1), [{'host': 'a0', 'state': 'healthy'}], rows, **RUN)
    assert 'a0: aem.service was stopped for 40.0 s while the clock was set.' in table(shaped)


@pytest.mark.parametrize(('said', 'cell'), [
    ({'msg': "fix_bp_jwt_max_skew must be a number, not 'five'. Nothing was changed."},
     "fix_bp_jwt_max_skew must be a number, not 'five'. Nothing was changed."),
    ({'unreachable': True, 'msg': 'Data could not be sent to remote host "192.0.2.3". Make sure this host can be reached over ssh: '
                                  'ssh: connect to host 192.0.2.3 port 22: Connection refused'},
     'ssh: connect to host 192.0.2.3 port 22: Connection refused'),
    ({'unreachable': True, 'msg': ''}, 'see that Ansible can log in to this host, then run again'),
    ({'msg': 'x' * 500}, 'x' * 199 + '…'),
])
def test_the_table_says_what_went_wrong_where_that_is_to_be_corrected(said, cell):
    assert what_next(without_result('a1', said)) == cell


def test_the_table_has_the_advice_of_a_host_that_was_measured_and_nothing_where_nothing_is_left():
    assert what_next({'next_step': 'open UDP 123', 'error': 'not begun: 1 of 1'}) == 'open UDP 123'
    assert what_next({'next_step': '', 'error': ''}) == what_next({}) == '-'
    failed = {'next_step': AFTER_AN_ERROR, 'error': 'Install the package: no network'}
    assert what_next(failed) == 'Install the package: no network'
