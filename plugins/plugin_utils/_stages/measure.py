# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stage `measure`: checks the options, measures the clock, tests the agents, decides, and returns the host's result."""

from __future__ import annotations

from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _jmespath as query
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _options as options
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _result as host_result
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _verdict as verdict
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.context import (
    NotPassed,
    Result,
    StageContext,
    aem_access,
    now,
    plain,
)


def measure(context: StageContext) -> Result:
    chosen = context.host_options()
    agents = chosen['fix_bp_jwt_agents']
    if chosen['fix_bp_jwt_agent_query']:
        listed = context.call('replication_agent_info', {**aem_access(chosen), 'queue': False})
        # If AEM does not answer here, the measurement fails in the same way and returns this as a result.
        if 'agents' in listed:
            try:
                agents = query.names(plain(listed['agents']), chosen['fix_bp_jwt_agent_query'])
            except query.Problem as problem:
                raise NotPassed(f'{problem}. Nothing was changed.') from None  # ansible-core 2.19 and later would print it twice
        elif 'kind' not in listed:
            raise _failed(listed)
    began = now()
    health = context.health(chosen, agents)
    if 'skew' not in health:
        raise _failed(health)
    decided = verdict.decide(health, fix_at_risk=chosen['fix_bp_jwt_fix_at_risk'],
                             accept_unverified=chosen['fix_bp_jwt_accept_unverified'],
                             fix_not_kept=chosen['fix_bp_jwt_fix_not_kept'])
    mode = context.mode(chosen)
    found = host_result.sum_up(context.host, health, {}, decided, decided,
                               check_mode=mode == 'check', diagnose_only=mode in ('diagnose', 'rehearse'))
    if mode == 'diagnose' and context.runs_in_awx():
        found['next_step'] = found['next_step'].replace(
            'run with fix_bp_jwt_mode=fix', 'approve the repair in the workflow, or launch the job template that repairs')
    kept = {} if decided['healthy'] and mode != 'rehearse' else {
        'check_mode': context.check_mode, 'options': options.for_repair(chosen),
        'health': {name: health[name] for name in ('skew', 'tests', 'aem', 'interrupted', 'clock_keeper')}}
    warned = {'warnings': health['warnings']} if health.get('warnings') else {}
    return {**found, **kept, **warned, 'mode': mode, 'agents_chosen': agents, 'began': began,
            'run_options': options.for_the_run(chosen)}


def _failed(said: Result) -> NotPassed:
    """Return the failure of a module in one line, with the error output of the host, which the result of the host may need."""
    printed = {'module_stderr': said['module_stderr']} if 'module_stderr' in said else {}
    return NotPassed(str(said.get('msg') or 'the module failed'), **printed)
