# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the measurement keeps for the tasks of a repair."""

from __future__ import annotations

import pytest

from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.context import StageContext
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.measure import measure

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
