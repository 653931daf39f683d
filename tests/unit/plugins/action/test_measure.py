# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the measurement keeps for the tasks of a repair."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import files as report_files
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.context import StageContext
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.measure import measure
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.plan import plan
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


@pytest.mark.parametrize(('own', 'repaired'), [
    ('fix', ['author1', 'author2']), ('diagnose', ['author1']), ('rehearse', ['author1'])])
def test_a_host_whose_own_variables_say_diagnose_is_not_repaired(own, repaired):
    """The mode of the run is read from its first host."""
    def context_of(name, mode, arguments=(), **more):
        return StageContext(dict(arguments), {**ACCOUNT, 'inventory_hostname': name, 'fix_bp_jwt_mode': mode, **more},
                            lambda value: value, lambda module, arguments: dict(HEALTH), False, 'linear')
    names = ['author1', 'author2']
    hosts = HostVars({name: {'fix_bp_jwt_result': measure(context_of(name, mode))} for name, mode in zip(names, ('fix', own))})
    made = plan(context_of('author1', 'fix', {'hosts': [], 'begun': [], 'stopped': ''}, hostvars=hosts, ansible_play_batch=names,
                           ansible_play_hosts=names, ansible_play_hosts_all=names))
    assert made['pending'] == repaired and sum(made['batches'], []) == repaired
    assert made['hosts'] == made['remaining'] == names


def test_a_full_disk_of_the_controller_is_named_before_the_first_repair(tmp_path, monkeypatch):
    """An empty file could still be made there."""
    def write(*_given):
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(report_files, 'write', write)
    variables = {**ACCOUNT, 'fix_bp_jwt_report_dir': str(tmp_path),
                 **dict.fromkeys(('ansible_play_batch', 'ansible_play_hosts', 'ansible_play_hosts_all'), ['author1'])}
    context = StageContext({'hosts': [], 'begun': [], 'stopped': ''}, variables, lambda value: value,
                           lambda module, arguments: dict(HEALTH), False, 'linear')
    variables['hostvars'] = HostVars(author1={'fix_bp_jwt_result': measure(context)})
    with pytest.raises(AnsibleActionFail, match='cannot be written on the controller: .*No space left.* Nothing was changed'):
        plan(context)
