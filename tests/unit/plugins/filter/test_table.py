# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table for plays of one's own; the role makes it of the whole report."""

from __future__ import annotations

import pytest

pytest.importorskip('ansible')

from ansible_collections.aemops.brand_portal.plugins.filter.jwt_verdict import brand_portal_table  # noqa: E402

RESULT = 'fix_bp_jwt_result'


def test_a_line_a_host_in_the_order_asked_for_whatever_became_of_it():
    measured = {
        'host': 'well', 'passed': True, 'state_before': 'at_risk', 'state_after': 'healthy', 'repaired': True, 'next_step': '',
        'clock_before': {'offset': 120.0}, 'clock_after': {'offset': 0.001},
        'agents_before': {'answered': 4, 'tested': 4}, 'agents_after': {'answered': 4, 'tested': 4},
    }
    hostvars = {'well': {RESULT: measured}, 'gone': {RESULT: {'unreachable': True, 'msg': 'no route'}}, 'never': {}, 'other': {}}
    lines = [' '.join(line.split()) for line in brand_portal_table(hostvars, ['gone', 'well', 'never'])]
    assert lines[0].startswith('host clock before -> after')
    assert lines[1] == 'gone - - - unreachable no route'
    assert lines[2] == 'well 2 min behind -> 1.0 ms behind - 4 of 4 -> 4 of 4 at_risk -> healthy -'
    assert lines[3].startswith('never - - - no result run the whole playbook, without --start-at-task')
    assert lines[4].startswith('3 hosts: 1 passed (1 repaired), 1 unreachable, 1 no result')
