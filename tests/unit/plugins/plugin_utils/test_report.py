# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run says of its hosts."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from ansible_collections.aemops.brand_portal.plugins.plugin_utils.report import (
    conclude,
    count,
    document,
    in_words,
    listed,
    metrics,
    statistics,
    sum_up,
    table,
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


@pytest.mark.parametrize(('offset', 'words'), [
    (None, 'unknown'),
    (0.0001, '0.000 s off'),
    (0.0123, '0.012 s behind'),
    (-7.0, '7.000 s ahead'),
    (90.4, '1 min 30 s behind'),
    (-400 * 86400.0, '1 y 35 d ahead'),
    (208174.0, '2 d 9 h behind'),
])
def test_offsets_in_words(offset, words):
    assert in_words(offset) == words


def test_a_healed_host_passes_and_shows_before_and_after():
    result = sum_up('aem1', health(90.0, 0), health(0.002, 4), EXPIRED, HEALTHY)
    assert (result['passed'], result['repaired'], result['next_step']) == (True, True, '')
    row = table_of([result])[1]
    assert '1 min 30 s behind -> 0.002 s behind' in row
    assert '0 of 4 -> 4 of 4' in row
    assert 'jwt_expired -> healthy' in row


def test_a_repair_that_stopped_fails_and_says_where():
    result = sum_up('aem1', health(90.0, 0), {}, EXPIRED, EXPIRED, error='Install the package: no network')
    assert (result['passed'], result['repaired']) == (False, False)
    assert 'Install the package: no network. Next: correct what stopped the repair, then run again' in result['message']


def test_a_repair_that_stopped_fails_even_if_the_proof_is_healthy():
    assert not sum_up('aem1', health(90.0, 0), health(0.0, 4), EXPIRED, HEALTHY, error='RTC')['passed']


def test_check_mode_passes_what_a_run_would_repair_and_fails_the_rest():
    assert sum_up('aem1', health(90.0, 0), {}, EXPIRED, EXPIRED, check_mode=True)['passed']
    other = verdict('not_the_clock')
    assert not sum_up('aem1', health(0.0, 0), {}, other, other, check_mode=True)['passed']
    assert not sum_up('aem1', health(90.0, 0), {}, EXPIRED, EXPIRED)['passed']


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
        conclude(due, stopped='1 of 1 repairs failed'), conclude(due, lost=True),
        without_result('gone', {'unreachable': True, 'msg': 'no route'}),
        without_result('bad', {'failed': True, 'msg': 'no python'}),
    ]


def report_of(results, **about):
    return document(results, [listed(result) for result in results], **{**RUN, **about})


@pytest.mark.parametrize('results', [[], fleet(0), fleet(3)], ids=['no host', 'the sick', 'all kinds'])
def test_the_document_is_as_its_schema_says(results):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft202012Validator(SCHEMA)
    validator.validate(json.loads(json.dumps(report_of(results))))
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(report_of(results, mode='repair'))


def test_a_repair_that_was_not_begun_says_why_and_never_passes():
    foretold = sum_up('waits', health(90.0, 0), {}, EXPIRED, EXPIRED, check_mode=True)
    assert foretold['passed'] and foretold['next_step'] == 'run without --check'
    last = conclude(foretold, stopped='the reference is suspect')
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
