# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds out with which options and configuration a daemon runs, which differ from its unit until the next restart."""

from typing import Any, Mapping, Optional

from ansible_collections.aemops.brand_portal.plugins.module_utils._host import systemd
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import launch, layouts


def running_launch(host: Any, facts: Mapping[str, Any]) -> Optional[launch.Launch]:
    """Return how the running process was started; None if it is not known."""
    daemon = next(each for each in layouts.DAEMONS if each.name == facts['name'])
    if daemon.name not in launch.COMMAND_LINES:
        return None
    running = launch.of_process(host, facts.get('pid', ''), daemon.binaries)
    if running is None:     # it was started or restarted since
        state = systemd.unit_states(host, [facts['unit']]).get(facts['unit'], {})
        running = launch.of_process(host, state.get('MainPID', ''), daemon.binaries)
    return running


def running_config(host: Any, facts: Mapping[str, Any]) -> str:
    """Return the configuration that the running process was started with; '' if it is not known."""
    running = running_launch(host, facts)
    if running is None:
        return ''
    usual = [path for layout in layouts.all_layouts(facts['name']) if layout.unit == facts['unit']
             for path in (layout.config, '/usr' + layout.config)]
    named = launch.configuration_of(facts['name'], running.arguments)
    return named if named else facts['config'] if facts['config'] in usual else (usual + [''])[0]
