# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The arguments of the stages: documented, and passed by the role's tasks."""

from __future__ import annotations

from pathlib import Path

import yaml

from ansible_collections.aemops.brand_portal.plugins.action.fix_bp_jwt_stage import ARGUMENTS, STAGES
from ansible_collections.aemops.brand_portal.plugins.modules import fix_bp_jwt_stage

TASKS = Path(__file__).parents[4] / 'roles/fix_bp_jwt/tasks'


def stage_tasks(tasks):
    for task in tasks:
        if 'aemops.brand_portal.fix_bp_jwt_stage' in task:
            yield task['aemops.brand_portal.fix_bp_jwt_stage']
        yield from stage_tasks(task.get('block', []))


PASSED = [given for path in sorted(TASKS.glob('*.yml')) for given in stage_tasks(yaml.safe_load(path.read_text(encoding='utf-8')))]


def test_the_documentation_has_each_argument_with_its_type_and_default():
    documented = yaml.safe_load(fix_bp_jwt_stage.DOCUMENTATION)['options']
    plain = {name: {key: value for key, value in option.items() if key != 'description'} for name, option in documented.items()}
    assert plain == ARGUMENTS


def test_the_tasks_run_every_stage_once_and_pass_every_argument():
    assert sorted(given['stage'] for given in PASSED) == sorted(STAGES)
    assert {name for given in PASSED for name in given} == set(ARGUMENTS)
