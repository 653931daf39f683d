# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of the results that a host has registered counts."""

from __future__ import annotations

import pytest

from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _rehearsal as rehearsal
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.context import StageContext
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.results import registered
from ansible_collections.aemops.brand_portal.tests.unit.plugins.hostvars import HostVars

MEASURED = {'host': 'a1', 'state_before': 'healthy', 'state_after': 'healthy', 'passed': True, 'repair_due': False,
            'concluded': False, 'summary': '', 'next_step': '', 'message': '', 'began': '2026-11-27T02:30:00Z'}


def last(**registers):
    hosts = HostVars(a1={f'__{name}' if name != 'fix_bp_jwt_result' else name: said for name, said in registers.items()})
    context = StageContext({}, {'hostvars': hosts}, lambda value: value, lambda module, arguments: {}, True, 'linear')
    return registered(context, ['a1'])['a1']


@pytest.mark.parametrize('said', [{'failed': True, 'msg': "'nowhere' is undefined"}, {'unreachable': True, 'msg': 'nowhere'}],
                         ids=['failed', 'unreachable'])
def test_a_rehearsal_that_failed_is_an_obstacle(said):
    """The task fails where an option of time_sync has no value; the host was healthy when it was measured."""
    found = last(fix_bp_jwt_result=MEASURED, fix_bp_jwt_rehearsal={'changed': False, **said})
    assert not found['passed'] and 'nowhere' in found['rehearsal']['checks'][0]['found'] and 'nowhere' in found['message']


def test_a_rehearsal_of_an_earlier_measurement_says_nothing_about_this_one():
    """A playbook may rehearse first and repair afterwards."""
    rehearsed = rehearsal.conclude(MEASURED, [])
    later = {**MEASURED, 'state_before': 'at_risk', 'passed': False, 'repair_due': True, 'began': '2026-11-27T02:40:00Z'}
    assert last(fix_bp_jwt_result=MEASURED, fix_bp_jwt_rehearsal=rehearsed)['rehearsal']
    assert last(fix_bp_jwt_result=later, fix_bp_jwt_rehearsal=rehearsed) == later


def test_a_host_that_could_not_be_reached_has_no_rehearsal():
    said = {'unreachable': True, 'msg': 'Connection refused'}
    assert last(fix_bp_jwt_result=said, fix_bp_jwt_rehearsal={'changed': False}) == said
    assert last() == {}
