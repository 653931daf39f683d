# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs one stage of the role fix_bp_jwt on the controller; each stage is a file of plugin_utils/_stages.

The stages are one action so that a healthy host costs one task: checking the options, the one call to the host, the verdict and
the host's result. As tasks of their own they would cost more than the call (docs/scale.md).

A stage gets the results of earlier stages as arguments of its task. It reads three things from variables instead:

- The options of the role. As an argument all of them would be rendered for each healthy host, not only those that contain a
  template (10 ms instead of 1 ms of the controller with ansible-core 2.16, 29 ms instead of 2 ms with 2.21). Up to 2.18, Ansible
  would convert a string that looks like a list or a boolean. The password would be among the arguments of a task, which
  callbacks see. The tasks of a repair use the options as the stage `measure` has checked them (fix_bp_jwt_result.options).
- The results that hosts have registered (plugin_utils/_stages/results.py has the reason).
- Facts about the play from Ansible and AWX: its hosts, its strategy, the job.
"""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.aemops.brand_portal.plugins.plugin_utils._options import SPECIFICATION
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report.table import FEW
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.context import DELEGATED, NotPassed, StageContext
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.finish_host import finish_host
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.measure import measure
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.plan import plan
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.rehearse import rehearse
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.report import report
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.skip_host import skip_host
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.start_batch import start_batch
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.verify import verify

STAGES: dict[str, t.Callable[[StageContext], dict[str, t.Any]]] = {
    'measure': measure, 'plan': plan, 'start_batch': start_batch, 'verify': verify, 'skip_host': skip_host,
    'rehearse': rehearse, 'report': report, 'finish_host': finish_host,
}
GROUP = SPECIFICATION['fix_bp_jwt_hosts']['default']
NOT_THE_PATTERN = (
    'fix_bp_jwt_hosts={0} has no effect here, and the hosts of {1} would be measured instead: Ansible selects the hosts of a play '
    'before it reads the inventory\'s variables. Take fix_bp_jwt_hosts out of the inventory, and set it with -e, or in vars of '
    'import_playbook'
)
# modules/fix_bp_jwt_stage.py describes them.
ARGUMENTS: dict[str, dict[str, t.Any]] = {
    'stage': {'type': 'str', 'required': True, 'choices': list(STAGES)},
    'hosts': {'type': 'list', 'elements': 'str', 'default': []},
    'begun': {'type': 'list', 'elements': 'str', 'default': []},
    'batch': {'type': 'list', 'elements': 'str', 'default': []},
    'batch_index': {'type': 'int', 'default': 0},
    'run': {'type': 'str', 'default': ''},
    'stopped': {'type': 'str', 'default': ''},
    'agents': {'type': 'list', 'elements': 'str', 'default': []},
    'ready_timeout': {'type': 'float', 'default': 0.0},
    'planned': {'type': 'bool', 'default': False},
    'in_run': {'type': 'bool', 'default': False},
    'repair_begun': {'type': 'bool', 'default': False},
    'not_passed': {'type': 'int', 'default': 0},
    'unwritten': {'type': 'str', 'default': ''},
    'group': {'type': 'int', 'default': 0},
}


class ActionModule(ActionBase):
    """See modules/fix_bp_jwt_stage.py."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        variables = task_vars or {}

        def execute(module: str, arguments: dict[str, t.Any]) -> dict[str, t.Any]:
            return self._execute_module(module_name=module, module_args=arguments, task_vars=variables)

        unused, arguments = self.validate_argument_spec(ARGUMENTS)
        host, other = variables.get('inventory_hostname'), self._task.delegate_to
        if other and other != host and arguments['stage'] in ('measure', 'verify', 'rehearse'):
            raise NotPassed(f'{DELEGATED.format(other, host)}. Nothing was changed.')
        if arguments['stage'] == 'measure' and self._task.play.hosts == [GROUP]:
            pattern = self._templar.template(variables.get('fix_bp_jwt_hosts'))
            if pattern not in (None, '', GROUP, [GROUP]):
                raise NotPassed(f'{NOT_THE_PATTERN.format(pattern, GROUP)}. Nothing was changed.')
        context = StageContext(arguments, variables, self._templar.template, execute, bool(self._task.check_mode),
                               self._task.play.strategy)
        result.update({'changed': False, **_run(arguments['stage'], context)})
        return result


def _run(stage: str, context: StageContext) -> dict[str, t.Any]:
    """Return the result of the stage. Of many hosts, one that could not be measured is shown as failed only once, at the end."""
    try:
        return STAGES[stage](context)
    except NotPassed as problem:
        if stage != 'measure' or len(context.variables['ansible_play_hosts_all']) <= FEW:
            raise
        return {**problem.result, 'failed': False, 'msg': problem.message}
