# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module with the controller's ntplib riding along, so that nothing is installed on the host to measure.

One plugin serves every module that speaks NTP: it bears the name of the first, plugin_routing in
meta/runtime.yml sends the others here. The source travels in the module's hidden parameter `_ntplib`.
"""

from __future__ import annotations

import functools
import typing as t
from importlib.util import find_spec
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import ntplib_loader


@functools.lru_cache(maxsize=1)
def packed_ntplib() -> str:
    """The controller's ntplib.py, compressed, as text; read once a worker."""
    spec = find_spec('ntplib')
    if spec is None or not spec.origin:
        raise AnsibleActionFail(
            'The Python package ntplib is missing on the controller (not on the AEM host). '
            'Install it beside ansible-core: pip install -r requirements.txt. '
            'In AWX, use an execution environment that has it.'
        )
    return ntplib_loader.carry(Path(spec.origin).read_bytes())


class ActionModule(ActionBase):
    """Adds `_ntplib` to the task's arguments and runs the module of the same name."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args, _ntplib=packed_ntplib())
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars, wrap_async=self._task.async_val))
        return result
