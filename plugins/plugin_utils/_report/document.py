# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the document of all hosts (the JSON file), and the statistics for AWX. Pure; docs/report.schema.json describes it."""

from __future__ import annotations

import typing as t

from ansible_collections.aemops.brand_portal.plugins.plugin_utils._result import NONE, WITHOUT_RESULT
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._times import unix_seconds

SCHEMA_VERSION = 1
LONGEST_WORD = 500  # maximum number of characters of a text in the statistics, of which AWX keeps thousands


def document(
    results: t.Sequence[t.Mapping[str, t.Any]],
    hosts: list[dict[str, t.Any]],
    rows: list[dict[str, t.Any]] | None = None,
    **about: t.Any,
) -> dict[str, t.Any]:
    """Return the document: counts of all `results`, the `hosts` to list, and facts about the run (`about`, see ABOUT).

    rows: the rows of all hosts, including those kept from earlier runs. Equal to `hosts` unless a query has shaped them.
    """
    rows = hosts if rows is None else rows
    return {
        'schema_version': SCHEMA_VERSION,
        **{name: about.get(name, default) for name, default in ABOUT.items()},
        'counts': count(results),
        'kept': sum(1 for row in rows if row.get('age')),
        'hosts': hosts,
        **({} if hosts == rows else {'results': rows}),
    }


ABOUT: dict[str, t.Any] = {
    'collection_version': '', 'started_at': None, 'finished_at': None, 'complete': True, 'mode': 'fix', 'max_skew': None,
    'stopped': '',
}
# The keys of a result that the document lists. The others are only for the role.
LISTED = ('host', 'passed', 'healthy', 'state_before', 'state_after', 'repaired', 'repair', 'clock_before', 'clock_after',
          'clock_keeper', 'certificate_not_after', 'agents_before', 'agents_after', 'agents', 'changes', 'rehearsal', 'cause',
          'meaning', 'evidence', 'next_step', 'error', 'summary', 'message')
OF_DICTS = ('clock_before', 'clock_after', 'clock_keeper', 'agents_before', 'agents_after', 'changes', 'rehearsal')
OF_LISTS = ('agents', 'clock_history')
# Keys that are added again to a row that a query has shaped, because the page needs them.
HOW_IT_IS = ('passed', 'healthy', 'state_before', 'state_after', 'repaired', 'repair', 'age')


def listed(result: t.Mapping[str, t.Any], mode: str = 'fix', reported_at: str | None = None) -> dict[str, t.Any]:
    """Return a host as the document lists it. `age` is 0 for a host of this run."""
    return {**{name: result.get(name) for name in LISTED}, 'mode': mode, 'reported_at': reported_at, 'age': 0}


def kept(former: t.Any, hosts: t.Container[str], now: str, days: float) -> list[dict[str, t.Any]]:
    """Return the rows of an earlier document for the hosts that are not in this run, with their age in seconds.

    Rows older than `days` are left out, and so are those of a controller whose clock was ahead by more. A file that is not such a
    document has no rows.
    """
    if not isinstance(former, dict) or former.get('schema_version') != SCHEMA_VERSION:
        return []
    rows, seen, end = [], set(), unix_seconds(now) or 0.0
    for row in former_rows(former):
        if not _is_of_a_host(row) or row['host'] in hosts or row['host'] in seen:
            continue
        at = row.get('reported_at') or former.get('finished_at')
        then = unix_seconds(at)
        if then is None:
            continue
        age = max(1, round(end - then))
        if abs(end - then) <= days * 86400:
            seen.add(row['host'])
            healthy = bool(row.get('passed')) and row['state_after'] == 'healthy'
            missing = {'passed': False, 'healthy': healthy, 'repaired': False, 'repair': NONE, 'changes': None,
                       'mode': former.get('mode', 'fix')}
            rows.append({**missing, **row, 'reported_at': at, 'age': age})
    return rows


def former_rows(former: t.Any) -> list[dict[str, t.Any]]:
    """Return the rows of all hosts in an earlier report, which may have any content."""
    listed = former.get('results') or former.get('hosts') if isinstance(former, dict) else None
    return [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []


def _is_of_a_host(row: t.Mapping[str, t.Any]) -> bool:
    """Return whether a row has the types of a host's row. Version 0.1.0 wrote only the rows that a query had shaped."""
    return (all(row.get(name) and isinstance(row[name], str) for name in ('host', 'state_after'))
            and all(isinstance(row.get(name) or {}, dict) for name in OF_DICTS)
            and all(isinstance(row.get(name) or [], list) for name in OF_LISTS))


def rows_of(report: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """Return the rows of all hosts, before a query shaped them."""
    return report.get('results') or report['hosts']


def shaped(report: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """Return the hosts to list, with the keys in HOW_IT_IS, which a query may have left out."""
    known = {row['host']: {name: row[name] for name in HOW_IT_IS if name in row} for row in rows_of(report)}
    return [{**known.get(host['host'], {}), **host} for host in report['hosts']]


def count(results: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """Return the number of hosts of each kind. passed, failed, unreachable and no_result add up to all hosts."""
    states: dict[str, int] = {}
    for result in results:
        states[result['state_after']] = states.get(result['state_after'], 0) + 1
    passed = sum(1 for result in results if result['passed'])
    silent = {state: states.get(state, 0) for state in WITHOUT_RESULT}
    return {
        'hosts': len(results),
        'passed': passed,
        'failed': len(results) - passed - sum(silent.values()),
        'repaired': sum(1 for result in results if result['repaired']),
        **silent,
        'states': dict(sorted(states.items())),
    }


# For AWX


def statistics(report: t.Mapping[str, t.Any], at_most: int) -> dict[str, t.Any]:
    """Return the statistics for AWX: the counts, and at most `at_most` hosts that did not pass, in any fleet."""
    rows = {row['host']: row for row in rows_of(report)}
    chosen = [rows[host['host']] for host in report['hosts'] if host['host'] in rows]
    sick = [row for row in chosen if not row['passed'] and not row.get('age')]
    return {
        **{name: report[name] for name in ('schema_version', 'mode', 'started_at', 'finished_at', 'stopped', 'counts')},
        'hosts': [_short(host) for host in sick[:at_most]],
        'hosts_left_out': max(0, len(sick) - at_most),
    }


def _short(host: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    kept = {name: host.get(name) for name in ('host', 'state_before', 'state_after', 'cause', 'next_step', 'error')}
    return {name: value[:LONGEST_WORD] if isinstance(value, str) else value for name, value in kept.items()}
