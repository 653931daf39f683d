# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stage `finish_host`: ends a host as failed, or as unreachable, unless it passed."""

from __future__ import annotations

from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _result as host_result
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import table as report_table
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.context import NotPassed, Result, StageContext
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.results import last_word, registered

NOTHING_MEASURED = (
    'Nothing was measured before this task, so nothing is proven. Run the whole role or playbook: without --tags, and without '
    '--start-at-task in its middle. If a run without any host is intended, set fix_bp_jwt_allow_no_hosts=true'
)


def finish_host(context: StageContext) -> Result:
    given, name = context.arguments, context.host
    if not given['planned'] and not context.run_options()['fix_bp_jwt_allow_no_hosts']:
        return {'failed': True, 'msg': NOTHING_MEASURED}
    last = last_word(name, registered(context, [name])[name], given['repair_begun'], given['stopped']) if given['in_run'] else None
    if last is None or last['passed']:
        if given['unwritten']:
            raise NotPassed(given['unwritten'])
        return {}
    said = report_table.last_words(last, given['not_passed'], given['group'])
    if last['state_after'] == host_result.UNREACHABLE:
        return {'unreachable': True, 'msg': said}
    raise NotPassed(said)
