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
        assert complaints[0].startswith(f'{name} must be a string, but it is a number or a boolean')
        assert '8.5' not in complaints[0]


@pytest.mark.parametrize(('name', 'kind'), [('fix_bp_jwt_max_skew', 'a number'), ('fix_bp_jwt_table_hosts', 'an integer')])
def test_a_truth_value_is_no_number(name, kind):
    assert options.check(given(**{name: False}))[1] == [f'{name} must be {kind}, not false.']


@pytest.mark.parametrize(('came', 'agents'), [
    ('', []), ([''], []), ([None], []), ('a,b', ['a', 'b']), ('a, b', ['a', 'b']), ('a\nb\n', ['a', 'b']), ([' a '], ['a']),
    ('["a", "b"]', ['a', 'b']), ("['a', 'b']", ['a', 'b']), ('a', ['a']), ('[a, b]', ['a', 'b']), ('- a\n- b\n', ['a', 'b']),
    ([' ', 'a'], ['a']), (['', None], []), (None, []), (' ', []), ('a,,b', ['a', 'b']), ('"a", "b"', ['a', 'b']), ('[]', []),
    (('a', 'b'), ['a', 'b']),
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


def options_of(**values):
    return options.check({**ACCOUNT, **{'fix_bp_jwt_' + name: value for name, value in values.items()}})


@pytest.mark.parametrize(('name', 'default'), [
    ('aem_service', 'auto'), ('aem_url', 'http://localhost:4502'), ('mode', 'fix'), ('serial', ['1', '25%', '100%']),
    ('max_skew', 5.0), ('ntp_servers', []), ('validate_certs', True), ('report_dir', ''), ('may_stop_aem', True),
    ('prove_retries', 3)])
def test_null_is_the_default(name, default):
    """As in "fix_bp_jwt_aem_service:" of an inventory: AEM would have been left running under the step."""
    chosen, complaints = options_of(**{name: None})
    assert (chosen['fix_bp_jwt_' + name], complaints) == (default, [])


@pytest.mark.parametrize('name', ['aem_user', 'aem_password'])
def test_an_account_of_null_is_none(name):
    [said] = options_of(**{name: None})[1]
    assert said.startswith('AEM needs an account')


@pytest.mark.parametrize(('name', 'came', 'said'), [
    ('max_skew', 'five', "fix_bp_jwt_max_skew must be a number, not 'five'."),
    ('max_skew', '', "fix_bp_jwt_max_skew must be a number, not ''."),
    ('max_step', '1 h', "fix_bp_jwt_max_step must be a number, not '1 h'."),
    ('timeout', [5], 'fix_bp_jwt_timeout must be a number, not [5].'),
    ('aem_stop_above', {'seconds': 60}, "fix_bp_jwt_aem_stop_above must be a number, not {'seconds': 60}."),
    ('prove_delay', '1.5', "fix_bp_jwt_prove_delay must be an integer, not '1.5'."),
    ('aem_ready_timeout', 'long', "fix_bp_jwt_aem_ready_timeout must be an integer, not 'long'."),
    ('table_hosts', 'all', "fix_bp_jwt_table_hosts must be an integer, not 'all'."),
    ('max_skew', 0, 'fix_bp_jwt_max_skew must be more than 0.'),
    ('timeout', '0', 'fix_bp_jwt_timeout must be more than 0.'),
    ('test_timeout', 0.0, 'fix_bp_jwt_test_timeout must be more than 0.'),
    ('ntp_servers', {'a': 1}, 'fix_bp_jwt_ntp_servers must be a list of strings, but it is a dictionary.'),
    ('agents', '[1, 2]', 'fix_bp_jwt_agents must be a string, but it is a number'),
    ('validate_certs', 'nope', "fix_bp_jwt_validate_certs must be true or false, not 'nope'."),
    ('may_stop_aem', '', "fix_bp_jwt_may_stop_aem must be true or false, not ''."),
    ('fix_at_risk', [True], 'fix_bp_jwt_fix_at_risk must be true or false, not [True].'),
    ('mode', 'Repair', 'value of fix_bp_jwt_mode must be one of: fix, diagnose, rehearse, got: Repair'),
    ('aem_service', 'aem service', "fix_bp_jwt_aem_service: 'aem service' is not the name of a systemd unit"),
    ('aem_service', '../aem', "fix_bp_jwt_aem_service: '../aem' is not the name of a systemd unit"),
    ('aem_service', 'aem; reboot', "fix_bp_jwt_aem_service: 'aem; reboot' is not the name of a systemd unit"),
    ('aem_password', 'p\udce9ss', 'fix_bp_jwt_aem_password is not valid UTF-8.'),
    ('aem_url', 'http://\udce9', 'fix_bp_jwt_aem_url is not valid UTF-8.'),
    ('report_dir', '~nobody-of-this-name/x', "fix_bp_jwt_report_dir: '~nobody-of-this-name/x' is not a path on the controller."),
    ('prometheus_file', '/a\0b.prom', 'fix_bp_jwt_prometheus_file: '),
    ('agent_query', '[?', 'The option fix_bp_jwt_agent_query is not valid JMESPath'),
])
def test_what_does_not_fit_is_refused_in_our_words(name, came, said):
    [complaint] = options_of(**{name: came})[1]
    assert complaint.startswith(said)


@pytest.mark.parametrize(('name', 'came', 'chosen'), [
    ('aem_url', ' http://localhost:4502/ ', 'http://localhost:4502/'), ('mode', 'fix ', 'fix'), ('aem_service', 'AUTO', 'auto'),
    ('aem_service', ' aem.service\n', 'aem.service'), ('aem_service', 'aem@blue.service', 'aem@blue.service'),
    ('agent_query', ' ', ''), ('report_query', '\n', ''), ('report_dir', '~/reports', '/home/ops/reports'),
    ('prometheus_file', '~/a.prom ', '/home/ops/a.prom'), ('validate_certs', ' False ', False), ('may_stop_aem', 'no', False),
    ('accept_unverified', 'false', False), ('max_fail_percentage', '10%', 10.0), ('common_skew_percentage', ' 5 % ', 5.0),
    ('max_skew', ' 3 ', 3.0), ('prove_retries', '5', 5), ('stop_window', ' 22:00 - 05:00 ', '22:00-05:00'),
    ('https_urls', ' https://a/ , https://b/', ['https://a/', 'https://b/']),
])
def test_what_is_meant_is_understood(monkeypatch, name, came, chosen):
    monkeypatch.setenv('HOME', '/home/ops')
    found, complaints = options_of(**{name: came})
    assert (found['fix_bp_jwt_' + name], complaints) == (chosen, [])


def test_the_account_keeps_its_blanks():
    chosen, complaints = options_of(aem_user=' watcher', aem_password=' a b ')
    assert (chosen['fix_bp_jwt_aem_user'], chosen['fix_bp_jwt_aem_password'], complaints) == (' watcher', ' a b ', [])


def test_a_repair_gets_what_was_checked_and_nothing_secret():
    chosen, complaints = options_of(ntp_servers='- ntp1\n- ntp2', prove_retries='5', https_proxy='http://u:5ecret@proxy:3128',
                                    aem_service=None, may_stop_aem='no')
    assert complaints == []
    repair = options.for_repair(chosen)
    assert (repair['ntp_servers'], repair['prove_retries'], repair['aem_service'], repair['may_stop_aem']) == (
        ['ntp1', 'ntp2'], 5, 'auto', False)
    assert '5ecret' not in str(repair) and '0123' not in str(repair)


@pytest.mark.parametrize('value', ['\x1b]0;title\x07', '?' * 100000, '\u202e'])
@pytest.mark.parametrize('name', [
    'fix_bp_jwt_mode', 'fix_bp_jwt_prometheus_file', 'fix_bp_jwt_report_query', 'fix_bp_jwt_stop_window'])
def test_a_message_quotes_no_control_character_and_no_enormous_value(name, value):
    _chosen, complaints = options.check({'fix_bp_jwt_aem_user': 'u', 'fix_bp_jwt_aem_password': 'p', name: value})
    assert complaints
    for complaint in complaints:
        assert '\x1b' not in complaint and '\u202e' not in complaint and len(complaint) < 1100


@pytest.mark.parametrize(('value', 'pattern'), [
    (None, 'aem_authors'), ('a*', 'a*'), (' a1 ', 'a1'), ('a1,,a2', 'a1,,a2'), ('::1', '::1'),
    (['', 'all:!a4', None, ' b '], ['all:!a4', 'b'])])
def test_a_pattern_of_hosts(value, pattern):
    assert options.hosts_pattern(value) == pattern


@pytest.mark.parametrize(('value', 'said'), [
    *(pytest.param(value, 'is empty', id=repr(value)) for value in ('', ' ', ',', ' , ,', ':', [], [''], [None], [',', ' '])),
    *(pytest.param(value, 'is neither a pattern', id=repr(value)) for value in (5, True, {}, {'a': 1}, [5], [['a']]))])
def test_what_is_no_pattern_of_hosts_is_refused_by_the_name_of_the_option(value, said):
    """Ansible takes nothing but separators for all hosts of the inventory, also those that are no AEM authors."""
    with pytest.raises(options.Unfit, match=f'^fix_bp_jwt_hosts {said}.* omit it to use the group aem_authors'):
        options.hosts_pattern(value)
