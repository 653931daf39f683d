# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stage `verify`: measures the clock and tests the same agents again, after a repair."""

from __future__ import annotations

from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.context import Result, StageContext

# Causes of a 401 from Brand Portal that no refused token explains.
UNAUTHORIZED = ('key_not_accepted', 'token_outlived')


def verify(context: StageContext) -> Result:
    """Return the result of brand_portal_health_info for the agents in the argument `agents`.

    After a 401, the agents are tested a second time: AEM may have used a cached token that has expired by the corrected clock, and
    then requests a new one.
    """
    chosen, agents = context.host_options(), context.arguments['agents']
    for last in (False, True):
        found = context.health(chosen, agents, ready_timeout=context.arguments['ready_timeout'])
        if last or not any(test['cause'] in UNAUTHORIZED for test in found.get('tests') or []):
            break
    return found
