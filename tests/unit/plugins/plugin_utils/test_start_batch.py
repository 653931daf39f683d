# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the next batch begins."""

from __future__ import annotations

import pytest

from ansible_collections.aemops.brand_portal.plugins.plugin_utils._result import sum_up
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.context import StageContext
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.start_batch import start_batch
from ansible_collections.aemops.brand_portal.tests.unit.plugins.hostvars import HostVars


def health(offset):
    return {'skew': {'verdict': 'skewed' if offset else 'in_sync', 'direction': 'behind', 'offset': offset, 'low': offset,
                     'high': offset, 'verified': True, 'max_skew': 5.0}, 'tests': []}


def verdict(state):
    well = state == 'healthy'
    return {'state': state, 'repair': not well, 'healthy': well, 'cause': '', 'summary': '', 'next_step': ''}


@pytest.mark.parametrize('writable', [True, False])
def test_no_repair_begins_once_the_report_cannot_be_written_but_the_run_goes_on_to_its_table(tmp_path, writable):
    """A controller whose disk is full after the canary."""
    healed = sum_up('a1', health(90.0), health(0.0), verdict('jwt_expired'), verdict('healthy'), repair_due=True)
    variables = {'inventory_hostname': 'a1', 'fix_bp_jwt_report_dir': str(tmp_path if writable else tmp_path / 'gone'),
                 'hostvars': HostVars(a1={'fix_bp_jwt_result': healed}, a2={}), 'ansible_play_hosts_all': ['a1', 'a2']}
    arguments = {'hosts': ['a1', 'a2'], 'begun': ['a1'], 'batch': ['a2'], 'batch_index': 1, 'stopped': ''}
    context = StageContext(arguments, variables, lambda value: value, lambda module, arguments: {}, False, 'linear')
    made = start_batch(context)
    assert made['hosts'] == (['a2'] if writable else []) and made['begun'] == ['a1', *made['hosts']]
    assert ('the report can no longer be written' in made['stopped']) is not writable
