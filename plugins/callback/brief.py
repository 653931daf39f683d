# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: brief
type: stdout
short_description: Output for runs over many hosts that leaves out hosts without problems
version_added: 0.2.0
author: aemops.brand_portal contributors (@aemops)
description:
  - Works like the callback P(ansible.builtin.default#callback), but prints no lines for hosts without problems, skipped tasks and
    included files.
  - Prints one short line for a host that the role P(aemops.brand_portal.fix_bp_jwt#role) ends as failed, and the first ten
    different reasons why hosts could not be measured. Prints the table of the role, the changes of a repair and the recap as usual.
  - With C(-v), prints everything that the default callback prints.
  - Set it with E(ANSIBLE_STDOUT_CALLBACK=aemops.brand_portal.brief).
requirements:
  - set as stdout in configuration
extends_documentation_fragment:
  - default_callback
  - result_format_callback
"""

import typing as t

from ansible import constants
from ansible.plugins.callback.default import CallbackModule as DefaultCallback

from ansible_collections.aemops.brand_portal.plugins.plugin_utils._ssh_words import words_of_ssh

STAGE = 'fix_bp_jwt_stage'
LONGEST = 120  # characters of the reason why a host could not be measured; the table has all of it
FEW = 10  # different reasons that are shown before the table


class CallbackModule(DefaultCallback):
    """The default callback with fewer lines."""

    CALLBACK_NAME = 'aemops.brand_portal.brief'

    def set_options(self, *arguments: t.Any, **keywords: t.Any) -> None:
        super().set_options(*arguments, **keywords)
        self._reasons: set[str] = set()
        if not self._display.verbosity:
            self.set_option('display_skipped_hosts', False)  # a task's heading then comes with its first line

    def v2_runner_on_ok(self, result: t.Any) -> None:
        task, said = _task_and_result(result)
        loud = said.get('changed') or said.get('warnings') or said.get('deprecations') or said.get('_ansible_verbose_always')
        if loud or self._display.verbosity or task.action in ('debug', 'ansible.builtin.debug'):
            super().v2_runner_on_ok(result)

    def v2_playbook_on_include(self, included_file: t.Any) -> None:
        if self._display.verbosity:
            super().v2_playbook_on_include(included_file)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        if not self._said_briefly(result, 'failed'):
            super().v2_runner_on_failed(result, ignore_errors)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        if not self._said_briefly(result, 'unreachable'):
            super().v2_runner_on_unreachable(result)

    def _said_briefly(self, result: t.Any, what: str) -> bool:
        """Print one line if this is the measurement or the end of a host; return whether it is."""
        task, said = _task_and_result(result)
        if self._display.verbosity or task.action.rpartition('.')[2] != STAGE or \
                task.args.get('stage') not in ('measure', 'finish_host'):
            return False
        host, message = self.host_label(result), ' '.join(str(said.get('msg') or '').split())
        if task.args['stage'] == 'measure':
            if message in self._reasons or len(self._reasons) >= FEW:
                return True
            self._reasons.add(message)
            message = words_of_ssh(message)
            if len(message) > LONGEST:
                message = message[:LONGEST - 1] + '…'
        if self._last_task_banner != task._uuid:
            self._print_task_banner(task)
        self._display.display(f'{what}: {host}: {message.removeprefix(f"{host}: ")}', color=constants.COLOR_ERROR)
        return True


def _task_and_result(result: t.Any) -> tuple[t.Any, t.Mapping[str, t.Any]]:
    """Up to ansible-core 2.18 these are private attributes."""
    if hasattr(result, 'task'):
        return result.task, result.result
    return result._task, result._result
