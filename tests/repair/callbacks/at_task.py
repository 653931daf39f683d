# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a command when a run of Ansible comes to a certain task, and writes down when each task began and how it ended.

AEMOPS_AT_TASK: JSON, [["number of the task, its name or its action", "shell command"], ...]; the task waits until the command
has ended.
AEMOPS_TASKS: the file that gets a JSON line for each event: number, name, action, stage (its argument), event, at (monotonic
seconds).
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = '''
name: at_task
type: notification
short_description: Run a command at a task
description: For tests of what happens when a run is disturbed.
'''


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'notification'
    CALLBACK_NAME = 'at_task'
    CALLBACK_NEEDS_ENABLED = False

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.number = 0
        self.task: t.Any = None
        self.commands: dict[str, list[str]] = {}
        for where, command in json.loads(os.environ.get('AEMOPS_AT_TASK', '[]')):
            self.commands.setdefault(str(where), []).append(command)

    def note(self, event):
        if 'AEMOPS_TASKS' in os.environ:
            with open(os.environ['AEMOPS_TASKS'], 'a', encoding='utf-8') as log:
                log.write(json.dumps({'number': self.number, 'name': self.task.name, 'action': self.task.action,
                                      'stage': str(self.task.args.get('stage', '')), 'event': event,
                                      'at': time.monotonic()}) + '\n')

    def v2_playbook_on_task_start(self, task, is_conditional):
        self.number, self.task = self.number + 1, task
        self.note('start')
        for where in (str(self.number), task.name, task.action):
            for command in self.commands.pop(where, []):
                subprocess.run(['bash', '-c', command], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def v2_runner_on_ok(self, result):
        self.note('ok')

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.note('failed')

    def v2_runner_on_unreachable(self, result):
        self.note('unreachable')

    def v2_runner_on_skipped(self, result):
        self.note('skipped')
