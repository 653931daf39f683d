# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stage `plan`: decides which hosts are repaired, in which batches, or why none may be. Runs once for all hosts."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _drift as drift
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _fleet as fleet
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _jmespath as query
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import document as report_document
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import files as report_files
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.context import Options, Result, StageContext
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.report import shape, write_unfinished
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.results import registered, run_mode, run_options


def plan(context: StageContext) -> Result:
    """Return the plan, from the arguments `hosts`, `begun` and `stopped`.

    Its keys are hosts: those of the run; pending: those to repair; batches: the same, in the order of their repair; remaining: the
    hosts of the next plays; repair_hosts, report_hosts: patterns of the hosts of these plays; rehearse, wanted: whether hosts are
    rehearsed or repaired; stopped: why no repair may begin, or ''; run: a value that only the plans and batches of this run have,
    and that is greater in a later run.
    """
    (chosen, complaint), begun = run_options(context), context.arguments['begun']
    reachable = set(context.variables['ansible_play_batch'])
    # With the play keyword serial, the hosts of later batches are not measured yet.
    later = set(context.variables['ansible_play_hosts']) - reachable
    hosts = dict.fromkeys([*context.arguments['hosts'], *context.variables['ansible_play_hosts_all']])
    found = registered(context, hosts)
    # A host that a condition of the playbook (when) left out is none of this run: an import skips its task, an include has none
    # for it. The host is still in the play, unlike one that failed before it could be measured.
    left_out = reachable if any(found.values()) and not context.out_of_step() else set()
    results = {name: result for name, result in found.items()
               if (result or name not in later | left_out) and not result.get('skipped')}
    known = {name: result for name, result in results.items() if 'state_before' in result}
    mode = run_mode(context, chosen, known.values())
    # A host whose own mode is diagnose or rehearse is not repaired by a run that repairs others.
    pending = [name for name, result in known.items()
               if name in reachable and result['repair_due'] and not result['concluded'] and name not in begun
               and result.get('mode', mode) in (mode, 'fix', 'check')]
    rehearse, stopped = mode == 'rehearse', context.arguments['stopped'] or complaint
    if not begun:
        stopped = stopped or _of_the_outputs(lambda: _check_outputs(chosen, known, mode))
        if rehearse:
            pending = []
        elif not stopped and not chosen['fix_bp_jwt_accept_common_skew']:
            stopped = fleet.suspicion(list(known.values()), chosen['fix_bp_jwt_common_skew_percentage'],
                                      chosen['fix_bp_jwt_common_skew_hosts'])
        stopped = stopped or (context.out_of_step() if pending and mode != 'diagnose' else '')
    may_repair = not stopped and mode not in ('diagnose', 'rehearse')
    batches = fleet.batches(pending if may_repair else [], chosen['fix_bp_jwt_serial'])
    if batches and not begun:  # later, each batch does this
        stopped = _of_the_outputs(lambda: write_unfinished(context, chosen))
        batches = [] if stopped else batches
    well = [name for name, result in results.items()
            if name in reachable and result.get('passed') and not result['repair_due']]
    # One host that passed remains, and reports even if all others are lost. A rehearsal needs all of them.
    needless = set([] if rehearse else well[1:])
    remaining = [name for name in results if name in reachable and name not in needless]
    wanted = bool(batches or (pending and stopped))
    return {'hosts': list(results), 'remaining': remaining, 'pending': pending, 'batches': batches, 'stopped': stopped,
            'repair_hosts': fleet.pattern(remaining if rehearse or wanted else []),
            'report_hosts': fleet.pattern(remaining), 'rehearse': rehearse, 'wanted': wanted,
            'run': context.arguments.get('run') or f'run-{time.time_ns()}'}


def _check_outputs(chosen: Options, results: t.Mapping[str, Result], mode: str) -> None:
    rows = drift.with_history([report_document.listed(result, mode) for result in results.values()], None, None)
    shape(rows, mode, chosen)
    report_files.check(chosen)


def _of_the_outputs(write: t.Callable[[], None]) -> str:
    """Return why the report cannot be written, which is a reason to repair nothing; '' if it can."""
    try:
        write()
    except query.Problem as error:
        return f'{error}. Nothing was changed'
    except OSError as error:
        return (f'The report cannot be written on the controller: {error}. Correct fix_bp_jwt_report_dir or '
                'fix_bp_jwt_prometheus_file, or make room there. Nothing was changed')
    return ''
