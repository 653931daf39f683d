# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run says of its hosts."""

from __future__ import annotations

import pytest

from ansible_collections.aemops.brand_portal.plugins.plugin_utils.report import (
    count,
    document,
    in_words,
    sum_up,
    table,
    without_result,
)


def health(offset, answered, tested=4):
    return {'skew': {'offset': offset, 'low': offset, 'high': offset, 'max_skew': 5.0},
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
    assert 'Install the package: no network' in result['message']


def test_a_repair_that_stopped_fails_even_if_the_proof_is_healthy():
    assert not sum_up('aem1', health(90.0, 0), health(0.0, 4), EXPIRED, HEALTHY, error='RTC')['passed']


def test_check_mode_passes_what_a_run_would_repair_and_fails_the_rest():
    assert sum_up('aem1', health(90.0, 0), {}, EXPIRED, EXPIRED, foretold=True)['passed']
    other = verdict('not_the_clock')
    assert not sum_up('aem1', health(0.0, 0), {}, other, other, foretold=True)['passed']
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


def test_no_hosts():
    assert table_of([]) == ['No host was in this run.']
