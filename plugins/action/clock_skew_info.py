# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module with the controller's ntplib riding along, so that nothing is installed on the host to measure.

One plugin serves every module that speaks NTP: it bears the name of the first, plugin_routing in
meta/runtime.yml sends the others here. The source travels in the module's hidden parameter `_ntplib`.
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
