# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stage `verify`: the same measurement and the same agents once more, after a repair."""

from __future__ import annotations

from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.context import Result, StageContext

# Causes of a 401 from Brand Portal that no refused token explains.
UNAUTHORIZED = ('key_not_accepted', 'token_outlived')


def verify(context: StageContext) -> Result:
    """The result of brand_portal_health_info for the agents that the argument `agents` names.

    A 401 is believed only the second time: with the first AEM may have shown a token that it kept, which by its
    corrected clock has expired, so that it asks for a new one now.
    """
    chosen, agents = context.host_options(), context.arguments['agents']
    for last in (False, True):
        found = context.health(chosen, agents, ready_timeout=context.arguments['ready_timeout'])
        if last or not any(test['cause'] in UNAUTHORIZED for test in found.get('tests') or []):
            break
    return found
