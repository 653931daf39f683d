# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stage `start_batch`: returns the hosts of the next batch, or none if too many repairs failed. Runs once for all hosts."""

from __future__ import annotations

from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _fleet as fleet
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.context import Result, StageContext
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.report import write_unfinished
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.results import registered, run_options

UNWRITABLE = 'the report can no longer be written on the controller ({}), so no further repair was begun'


def start_batch(context: StageContext) -> Result:
    """Return the hosts in `batch`, or none if too many in `begun` failed or no repair of the first batch could be tried."""
    (chosen, _complaint), begun = run_options(context), context.arguments['begun']
    outcomes = {name: result if result['concluded'] else None for name, result in registered(context, begun).items()}
    stopped = fleet.may_go_on(outcomes, chosen['fix_bp_jwt_max_fail_percentage'])
    untried = context.arguments['batch_index'] > 0 and all(fleet.went_wrong(result) is None for result in outcomes.values())
    hosts = [] if stopped or untried else context.arguments['batch']
    if hosts and begun:
        try:
            write_unfinished(context, chosen)
        except OSError as error:  # an error here would end all hosts, without the table of what was repaired
            hosts, stopped = [], UNWRITABLE.format(error)
    return {'hosts': hosts, 'begun': [*begun, *hosts], 'stopped': stopped, 'run': context.arguments.get('run', '')}
