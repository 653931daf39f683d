# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module and sends the controller's ntplib along, because a measurement installs nothing on the host.

One plugin serves every module that uses NTP. It has the name of the first one; plugin_routing in meta/runtime.yml
routes the others to it. The source of ntplib is in the hidden parameter `_ntplib` of the module.
"""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.aemops.brand_portal.plugins.plugin_utils._ntplib import packed_ntplib


class ActionModule(ActionBase):
    """Adds `_ntplib` to the task's arguments and runs the module of the same name."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args, _ntplib=packed_ntplib())
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars, wrap_async=self._task.async_val))
        return result
