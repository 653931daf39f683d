# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stage `rehearse`: checks what a repair needs, as root, with modules that change nothing. Its task runs in check mode."""

from __future__ import annotations

import typing as t

from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _options as options
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _rehearsal as rehearsal
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _verdict as verdict
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.context import (
    Options,
    Result,
    StageContext,
    aem_access,
    plain,
)
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.results import measured

# Options of the role time_sync that a repair takes from the inventory. tasks/correct.yml sets the others.
TIME_SYNC = ('provider', 'pools', 'nts_servers', 'keys', 'cloud', 'only', 'max_distance', 'sync_tolerance', 'sync_timeout',
             'on_unsynchronized', 'wait_at_boot', 'wait_at_boot_timeout')
PROGRAM = 'AEM (by its commands)'


def rehearse(context: StageContext) -> Result:
    """Return the host's result with its rehearsal."""
    chosen, result = context.host_options(), measured(context)
    if 'health' not in result:
        return {}
    checks = [rehearsal.measured(result)]
    look = context.try_to_call('time_service_info', aem_access(chosen))
    failed = rehearsal.looked(look)
    if failed:
        return rehearsal.conclude(result, [*failed, *checks])
    # One hour behind: large enough that a repair would stop AEM if it has to.
    skew = {**result['health']['skew'], 'verdict': 'skewed', 'direction': 'behind', 'offset': 3600.0, 'verified': True}
    decided = verdict.decide({**result['health'], 'skew': {**skew, 'sources': []}}, {**look, 'may_set_clock': True},
                             **_stopping_of_aem(chosen))
    checks += [each for each in [rehearsal.aem(decided)] if each]
    units, program = decided['aem']['stop_services'], decided['aem']['program']
    given = {f'time_sync_{name}': context.variables.get(f'time_sync_{name}') for name in TIME_SYNC
             if f'time_sync_{name}' in context.variables}
    fit, wrong = rehearsal.of_time_sync(plain(context.template(given)), options.read_specification('time_sync'))
    checks += wrong
    named = {name.removeprefix('time_sync_'): value for name, value in fit.items()}
    service = context.try_to_call('time_service', {'servers': chosen['fix_bp_jwt_ntp_servers'], **named})
    daemon = rehearsal.daemon(service)
    units = units if isinstance(units, list) and all(isinstance(unit, str) for unit in units) else []
    more = context.try_to_call('repair_rehearsal_info', {
        'stop_services': units, 'stop_program': program or None, 'provider': named.get('provider')})
    checks += rehearsal.each_once(daemon, more.get('checks') or [
        rehearsal.check('host', str(more.get('msg') or 'the host could not be looked at'), 'correct what the message says')])
    stops = [*units, PROGRAM] if program else units
    return rehearsal.conclude(result, checks, stops=stops, provider=service.get('provider'), actions=service.get('actions'))


def _stopping_of_aem(chosen: Options) -> dict[str, t.Any]:
    """Return the options about stopping AEM, without the time window: a rehearsal checks whether AEM may be stopped at all."""
    return {'aem_service': chosen['fix_bp_jwt_aem_service'], 'aem_stop_above': chosen['fix_bp_jwt_aem_stop_above'], 'aem_options': {
        'aem_unknown_store': chosen['fix_bp_jwt_unknown_store'], 'aem_stop_command': chosen['fix_bp_jwt_aem_stop_command'],
        'aem_start_command': chosen['fix_bp_jwt_aem_start_command'], 'may_stop_aem': chosen['fix_bp_jwt_may_stop_aem'],
        'stop_window': ''}}
