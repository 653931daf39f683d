# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the measurement keeps for the tasks of a repair."""

from __future__ import annotations

import json
import re

import pytest

from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import files as report_files
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.context import NotPassed, StageContext
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.measure import measure
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.plan import plan
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.report import report
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.start_batch import start_batch
from ansible_collections.aemops.brand_portal.tests.unit.plugins.hostvars import HostVars

HEALTH = {
    'skew': {'verdict': 'skewed', 'verified': True, 'offset': 90.0, 'low': 89.0, 'high': 91.0, 'max_skew': 5.0, 'message': 'behind',
             'direction': 'behind', 'host_time': '', 'reference_time': '', 'sources': []},
    'tests': [], 'aem': {'state': 'unreachable', 'message': 'down', 'clock_offset': None}, 'interrupted': [], 'clock_keeper': {},
}


ACCOUNT = {'inventory_hostname': 'author1', 'fix_bp_jwt_aem_user': 'u', 'fix_bp_jwt_aem_password': 'p'}


@pytest.mark.parametrize('check_mode', [False, True])
def test_the_tasks_of_a_repair_are_told_whether_they_only_predict(check_mode):
    """Of the task itself: the variable ansible_check_mode is that of the command line, whatever a play or a block says."""
    variables = {**ACCOUNT, 'ansible_check_mode': not check_mode}
    context = StageContext({}, variables, lambda value: value, lambda module, arguments: dict(HEALTH), check_mode, 'linear')
    found = measure(context)
    assert found['check_mode'] is check_mode
    assert found['repair'] == ('predicted' if check_mode else 'due')


def test_a_diagnosis_in_check_mode_passes_no_host_that_a_diagnosis_would_not():
    variables = {**ACCOUNT, 'fix_bp_jwt_mode': 'diagnose'}
    health = {**HEALTH, 'tests': [{'agent': 'a', 'succeeded': True}], 'aem': {'state': 'ok', 'message': '', 'clock_offset': None}}
    context = StageContext({}, variables, lambda value: value, lambda module, arguments: dict(health), True, 'linear')
    found = measure(context)
    assert found['state_before'] == 'at_risk' and not found['passed']
    assert 'fix_bp_jwt_mode=fix' in found['next_step']


@pytest.mark.parametrize(('modes', 'repaired'), [
    (('fix', 'fix'), ['author1', 'author2']), (('fix', 'diagnose'), ['author1']), (('fix', 'rehearse'), ['author1']),
    (('diagnose', 'fix'), ['author2']), (('rehearse', 'fix'), ['author2'])], ids=str)
def test_each_host_has_its_own_mode(modes, repaired):
    def context_of(name, mode, arguments=(), **more):
        return StageContext(dict(arguments), {**ACCOUNT, 'inventory_hostname': name, 'fix_bp_jwt_mode': mode, **more},
                            lambda value: value, lambda module, arguments: dict(HEALTH), False, 'linear')
    names = ['author1', 'author2']
    hosts = HostVars({name: {'fix_bp_jwt_result': measure(context_of(name, mode))} for name, mode in zip(names, modes)})
    made = plan(context_of('author1', modes[0], {'hosts': [], 'begun': [], 'stopped': ''}, hostvars=hosts, ansible_play_batch=names,
                           ansible_play_hosts=names, ansible_play_hosts_all=names))
    assert made['pending'] == repaired and sum(made['batches'], []) == repaired
    assert made['hosts'] == made['remaining'] == names and not made['rehearse']


def run(stage, name, fleet, **arguments):
    """Run a stage for one of these hosts: {name: its variables}."""
    play = dict.fromkeys(('ansible_play_batch', 'ansible_play_hosts', 'ansible_play_hosts_all'), list(fleet))
    return stage(StageContext({'hosts': list(fleet), 'begun': [], 'stopped': '', **arguments}, {
        **ACCOUNT, 'inventory_hostname': name, 'hostvars': HostVars(fleet), **play, **fleet[name]},
        lambda value: value, lambda module, given: dict(HEALTH), False, 'linear'))


def measured(**hosts):
    """Measure each host with its options, as the role does; return the variables of the hosts."""
    for name, variables in hosts.items():
        try:
            variables['fix_bp_jwt_result'] = run(measure, name, {name: variables})
        except NotPassed as problem:
            variables['fix_bp_jwt_result'] = {'failed': True, 'msg': problem.message}
    return hosts


WRONG = [{'fix_bp_jwt_table_hosts': 'many'}, {'fix_bp_jwt_serial': 'some'}, {'fix_bp_jwt_report_query': '[?'},
         {'fix_bp_jwt_mode': 'repair'}]


@pytest.mark.parametrize('wrong', WRONG, ids=str)
def test_a_wrong_option_of_the_first_host_does_not_end_the_run_of_the_others(tmp_path, wrong):
    """The options of the run are those of the first host that was measured with its own."""
    hosts = measured(a0={**wrong}, a1={'fix_bp_jwt_report_dir': str(tmp_path), 'fix_bp_jwt_serial': '1'}, a2={})
    made = run(plan, 'a0', hosts)
    assert made['pending'] == ['a1', 'a2'] and made['batches'] == [['a1'], ['a2']] and not made['stopped']
    assert run(start_batch, 'a0', hosts, batch=['a1'], batch_index=0)['hosts'] == ['a1']
    written = json.loads((tmp_path / 'brand-portal.json').read_text(encoding='utf-8'))
    assert {row['host']: row['state_after'] for row in written['hosts']} == {
        'a0': 'no_result', 'a1': 'aem_unreachable', 'a2': 'aem_unreachable'}


@pytest.mark.parametrize('wrong', WRONG, ids=str)
def test_a_wrong_option_of_every_host_is_in_the_table_and_the_report_stays_as_it_is(tmp_path, wrong):
    options = {**wrong, 'fix_bp_jwt_report_dir': str(tmp_path)}
    hosts = measured(a0={**options}, a1={**options})
    made = run(plan, 'a0', hosts)
    assert next(iter(wrong)) in made['stopped'] and not made['batches'] and made['hosts'] == ['a0', 'a1']
    lines = run(report, 'a0', hosts, stopped=made['stopped'])['lines']
    assert lines[-1].startswith('STOPPED: ') and next(iter(wrong)) in lines[-1] and not any(tmp_path.iterdir())
    with pytest.raises(NotPassed, match=next(iter(wrong))):
        run(report, 'a0', hosts, hosts=[])


def test_a_query_that_cannot_be_applied_repairs_nothing_and_fails(tmp_path):
    query = {'fix_bp_jwt_report_query': '[].host', 'fix_bp_jwt_report_dir': str(tmp_path)}
    hosts = measured(a0={**query}, a1={**query})
    made = run(plan, 'a0', hosts)
    assert 'does not return a list of objects' in made['stopped'] and not made['batches']
    done = run(report, 'a0', hosts, stopped=made['stopped'])
    assert 'The report lists all hosts instead' in done['unwritten']['a0'] and done['lines'][1].startswith('a0')


@pytest.mark.parametrize(('key', 'content'), [
    ('clock_before', 'clock_before.offset'), ('clock_before', '{verdict: clock_before.verdict}'), ('agents_before', '`4`'),
    ('agents_before', '{answered: agents_before.answered}'), ('agents', '`4`'), ('changes', "'none'"),
    ('state_before', '[state_before]'), ('rehearsal', '`1`'), ('wrong_in_days', 'host')], ids=str)
def test_a_query_that_gives_other_content_to_a_key_is_refused_before_it_breaks_the_table(key, content):
    query = {'fix_bp_jwt_report_query': f'[].{{host: host, own: cause, {key}: {content}}}'}
    hosts = measured(a0={**query}, a1={**query})
    made = run(plan, 'a0', hosts)
    assert f'gives other content to {key}, which the table and the page cannot show' in made['stopped'] and not made['batches']
    assert run(report, 'a0', hosts, stopped=made['stopped'])['lines'][1].startswith('a0')


@pytest.mark.parametrize('query', [
    '[].{host: host, state: state_after}', '[].{host: host, agents: agents[?!succeeded_after]}', '[].{host: host, passed: passed}',
    '[?clock_before.offset > `5`]', '[].{host: host, clock_before: clock_before, next_step: state_after}', '[]'])
def test_a_query_that_can_be_shown_is_applied(query):
    made = run(plan, 'a0', measured(a0={'fix_bp_jwt_report_query': query}))
    assert not made['stopped'] and made['batches'] == [['a0']]


def test_a_full_disk_of_the_controller_is_named_before_the_first_repair(tmp_path, monkeypatch):
    """An empty file could still be made there."""
    def write(*_given):
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(report_files, 'write', write)
    made = run(plan, 'a0', measured(a0={'fix_bp_jwt_report_dir': str(tmp_path)}))
    assert re.match('The report cannot be written on the controller: .*No space left.* Nothing was changed', made['stopped'])
    assert made['pending'] == ['a0'] and made['wanted'] and not made['batches']
