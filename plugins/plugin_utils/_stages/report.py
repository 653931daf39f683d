# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stage `report`: writes the files and returns the statistics and the lines of the table. Runs once for all hosts."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from ansible.utils.display import Display

from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _drift as drift
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _jmespath as query
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import document as report_document
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import files as report_files
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import page
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import table as report_table
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.context import (
    NotPassed,
    Options,
    Result,
    StageContext,
    now,
)
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.results import (
    last_word,
    registered,
    run_mode,
    run_options,
)

NOT_OVER = 'This was written before the run was over; it may have died'

UNWRITTEN = (
    'The report could not be written: {}. Correct fix_bp_jwt_report_dir or fix_bp_jwt_prometheus_file, or make room there, then '
    'run again'
)

display = Display()


def report(context: StageContext) -> Result:
    """Write the report of the results that the hosts in the argument `hosts` registered."""
    if _is_early(context):
        return {'lines': []}
    chosen, complaint = run_options(context)
    if complaint and not context.arguments['hosts']:
        raise NotPassed(f'{complaint}.')
    with report_files.alone(chosen):
        return _write(context, chosen)


def _write(context: StageContext, chosen: Options) -> Result:
    document, problem = _document(context, chosen, complete=True)
    lines = report_table.table(document, chosen['fix_bp_jwt_table_hosts'])
    statistics = report_document.statistics(document, chosen['fix_bp_jwt_stats_hosts'])
    counts = document['counts']
    done: Result = {'lines': lines, 'not_passed': counts['hosts'] - counts['passed'],
                    'groups': report_table.numbers(document, chosen['fix_bp_jwt_table_hosts']),
                    'ansible_stats': {'data': {'brand_portal_report': statistics}, 'per_host': False, 'aggregate': False}}
    try:
        report_files.write(chosen, document)
    except OSError as error:
        problem = UNWRITTEN.format(error)
    if problem:  # a failure here would hide the table, and which other hosts failed
        done.update(lines=[*lines, f'{problem}.'], unwritten={context.host: problem})
    return done


def write_unfinished(context: StageContext, chosen: Options) -> None:
    """Write the files before repairs begin, so that they exist if the run is killed."""
    with report_files.alone(chosen):
        report_files.write(chosen, _document(context, chosen, complete=False)[0])


def _is_early(context: StageContext) -> bool:
    """Without lockstep, run_once runs for each host: return whether another host is not measured yet."""
    others = reversed(context.variables['ansible_play_hosts'])
    return bool(context.out_of_step()) and not all(registered(context, [name])[name] for name in others)


def _document(context: StageContext, chosen: Options, complete: bool) -> tuple[Result, str]:
    """Return the document, and '' or what is wrong with the query, if this has stopped the run."""
    begun, stopped = context.arguments['begun'], context.arguments['stopped']
    found = registered(context, context.arguments['hosts'])
    last = [last_word(name, result, name in begun, stopped) for name, result in found.items()]
    began = [result['began'] for result in found.values() if 'began' in result]
    thresholds = [result['max_skew'] for result in last if result['max_skew'] is not None]
    written_at, mode, days = now(), run_mode(context, chosen, found.values()), chosen['fix_bp_jwt_report_keep_days']
    rows = [report_document.listed(result, found[result['host']].get('mode', mode), written_at) for result in last]
    limit = max(set(thresholds), key=thresholds.count, default=None)
    former = report_files.former(chosen)
    kept = report_files.without_damaged(report_document.kept(former, {row['host'] for row in rows}, written_at, days))
    rows = drift.with_history(rows + kept, former, limit)
    try:
        listed, problem = shape(rows, mode, chosen), ''
    except query.Problem as error:  # rare, unless it has stopped the run before the repairs; the report is still written
        said = f'{error}. The report lists all hosts instead'
        display.warning(f'{said}.')
        listed, problem = rows, said if stopped else ''
    return report_document.document(
        last, listed, rows, collection_version=_version(), started_at=min(began, default=None), finished_at=written_at,
        complete=complete, mode=mode, max_skew=limit, stopped=stopped or ('' if complete else NOT_OVER)), problem


def shape(rows: list[Result], mode: str, chosen: Options) -> list[Result]:
    """Apply the query of the options to the rows of the hosts. Raises query.Problem, also if the result cannot be shown."""
    def show(listed: list[Result]) -> None:
        document = report_document.document([], listed, rows, mode=mode)
        json.dumps(document)
        page.page(document)
        report_table.table(document, len(listed))
        report_table.table(document, 0)
    return query.shape(rows, chosen['fix_bp_jwt_report_query'], show)


def _version() -> str:
    """Return the version of this collection from the manifest of the installed one, or from galaxy.yml of a checkout."""
    root = Path(__file__).parents[3]
    manifest = root / 'MANIFEST.json'
    if manifest.exists():
        return json.loads(manifest.read_text(encoding='utf-8'))['collection_info']['version']
    return yaml.safe_load((root / 'galaxy.yml').read_text(encoding='utf-8'))['version']
