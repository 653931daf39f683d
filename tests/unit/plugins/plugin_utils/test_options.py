# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the role that have lost their type on the way, as in a survey of AWX."""

from __future__ import annotations

import pytest

from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _options as options

ACCOUNT = {'fix_bp_jwt_aem_user': 'watcher', 'fix_bp_jwt_aem_password': '0123'}


def given(**values):
    return {**{name: about['default'] for name, about in options.SPECIFICATION.items() if 'default' in about}, **ACCOUNT, **values}


def test_texts_stay_texts():
    chosen, complaints = options.check(given(fix_bp_jwt_agents=['0123', 'no', '=']))
    assert complaints == []
    assert (chosen['fix_bp_jwt_aem_password'], chosen['fix_bp_jwt_agents']) == ('0123', ['0123', 'no', '='])


@pytest.mark.parametrize('came', [83, 8.5, False])
@pytest.mark.parametrize('name', ['fix_bp_jwt_aem_user', 'fix_bp_jwt_aem_password', 'fix_bp_jwt_agents', 'fix_bp_jwt_mode'])
def test_what_was_a_text_once_is_refused_and_not_shown(name, came):
    for value in (came, [came]) if name == 'fix_bp_jwt_agents' else (came,):
        _chosen, complaints = options.check(given(**{name: value}))
        assert len(complaints) == 1
        assert complaints[0].startswith(f'{name} is a text and came as a number or a truth value')
        assert '8.5' not in complaints[0]


@pytest.mark.parametrize('name', ['fix_bp_jwt_max_skew', 'fix_bp_jwt_table_hosts'])
def test_a_truth_value_is_no_number(name):
    assert options.check(given(**{name: False}))[1] == [f'{name} is a number, not false.']


@pytest.mark.parametrize(('came', 'agents'), [
    ('', []), ([''], []), ([None], []), ('a,b', ['a', 'b']), ('a, b', ['a', 'b']), ('a\nb\n', ['a', 'b']), ([' a '], ['a']),
    ('["a", "b"]', ['a', 'b']), ("['a', 'b']", ['a', 'b']), ('a', ['a']),
])
def test_a_list_as_surveys_and_the_command_line_give_it(came, agents):
    chosen, complaints = options.check({**ACCOUNT, 'fix_bp_jwt_agents': came})
    assert (chosen['fix_bp_jwt_agents'], complaints) == (agents, [])


def test_the_brackets_of_an_address_are_no_list():
    chosen, complaints = options.check({**ACCOUNT, 'fix_bp_jwt_ntp_servers': '[2001:db8::1]:1123'})
    assert (chosen['fix_bp_jwt_ntp_servers'], complaints) == (['[2001:db8::1]:1123'], [])


@pytest.mark.parametrize('name', ['aem_url', 'aem_password', 'aem_stop_command', 'report_dir'])
@pytest.mark.parametrize('came', [['5ecret'], {'a': '5ecret'}, []])
def test_a_list_for_a_text_is_refused_and_not_shown(name, came):
    complaints = options.check({**ACCOUNT, 'fix_bp_jwt_' + name: came})[1]
    assert any(complaint.startswith('fix_bp_jwt_' + name) for complaint in complaints)
    assert '5ecret' not in ' '.join(complaints)


@pytest.mark.parametrize('name', ['aem_stop_above', 'max_step', 'max_skew', 'aem_stop_timeout', 'test_timeout', 'prove_retries'])
@pytest.mark.parametrize('came', ['nan', '-1', float('inf')])
def test_a_number_that_compares_with_nothing_or_is_none_is_refused(name, came):
    """With nan no step would be large enough to stop AEM, nor too large for max_step."""
    assert options.check({**ACCOUNT, 'fix_bp_jwt_' + name: came})[1]


def test_a_name_that_is_almost_an_option_of_time_sync_is_told():
    [said] = options.complaints_about_names(['time_sync_provder', 'time_sync_provider', 'time_sync_of_another_role', 'x'])
    assert 'Unknown option time_sync_provder: time_sync_provider may be meant' in said
    assert options.complaints_about_names(['time_sync_servers', 'time_sync_window']) == []
