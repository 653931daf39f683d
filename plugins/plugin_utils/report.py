# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run says of its hosts: a result for each, the document of all, and the table, metrics and statistics made of it.

Pure. Offsets are reference − host, in seconds: positive is behind. docs/report.md describes the document.
"""

from __future__ import annotations

import datetime
import re
import typing as t

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.formatting import offset_text
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import rehearsal
from ansible_collections.aemops.brand_portal.plugins.plugin_utils.aem_guard import DEFERRED
from ansible_collections.aemops.brand_portal.plugins.plugin_utils.fleet import NOT_HEALED_BY_A_CLOCK
from ansible_collections.aemops.brand_portal.plugins.plugin_utils.verdict import STATES

SCHEMA_VERSION = 1
KEEPER = ('state', 'by', 'source', 'reason', 'msg', 'maximum_error', 'estimated_error')
CLOCK = ('verdict', 'direction', 'offset', 'low', 'high', 'verified')
HEADINGS = ('host', 'clock before -> after', 'kept by', 'agents 200', 'state', 'what to do next')
UNREACHABLE, NO_RESULT = 'unreachable', 'no_result'
LONGEST_WORD = 500  # characters of a text in the statistics, of which AWX keeps thousands
LOST_ON_THE_WAY = 'the host could no longer be reached in the middle of the repair'
AFTER_AN_ERROR = 'correct what stopped the repair, then run again'
LOOK_AT_IT = 'look at the host itself: what its clock and its AEM are like now is not known, then run again'
WITHOUT_RESULT = {
    UNREACHABLE: ('the host could not be reached', 'see that Ansible can log in to this host, then run again'),
    NO_RESULT: ('the host failed before it was measured', 'correct what the message says, then run again'),
}
MAKE_ROOM = 'make room on this host ("df -h /tmp /var/tmp ~" there), or let Ansible write to one of them, then run again'
# The last line of a Python that could not even begin, where it tells of the system: it holds no argument of the module.
_SYSTEM_SAID = re.compile(r'^\w+: (\[Errno \d+\] .*)$', re.MULTILINE)
_NO_ROOM = re.compile(r'No space left on device|No usable temporary directory')


# What became of a repair, in a host's result as `repair`.
NONE = 'none'                # none was due, or this host may not set its clock
DUE = 'due'                  # due and not tried yet
PREDICTED = 'predicted'      # due, but check mode and fix_bp_jwt_mode=diagnose change nothing
NOT_BEGUN = 'not_begun'      # due, but this run has stopped before
FAILED = 'failed'            # begun, and stopped by an error
NOT_PROVEN = 'not_proven'    # came to its end, but the host is not proven healthy
PROVEN = 'proven'
LOST = 'lost'                # the host could no longer be reached in the middle of it


def sum_up(
    host: str,
    before: dict[str, t.Any],
    after: dict[str, t.Any],
    verdict: dict[str, t.Any],
    verdict_after: dict[str, t.Any],
    error: str = '',
    check_mode: bool = False,
    repair_due: bool | None = None,
    diagnose_only: bool = False,
    changes: t.Mapping[str, t.Any] | None = None,
) -> dict[str, t.Any]:
    """The result of one host: what the variable fix_bp_jwt_result holds.

    `before` and `after` are results of brand_portal_health_info (`after` is {} where nothing was repaired), `verdict`
    and `verdict_after` the verdicts on them, `error` what stopped a repair, `check_mode` whether this is check mode.
    `diagnose_only`: whether nothing is repaired whatever is found.
    `repair_due`: None before a repair; after it, whether one was due (`verdict` then knows whether the host may set its clock).
    `passed`: proven healthy, or in check mode a host that a run would repair.
    `changes`: the result of time_service, {} where it was not run.
    """
    tried = repair_due is not None and (verdict['repair'] or bool(error))
    would_repair = check_mode and verdict['repair'] and not error and verdict['state'] not in NOT_HEALED_BY_A_CLOCK
    proven = verdict_after['healthy'] and not error
    # Also a host that is well may have something left open: say, that nothing keeps its clock right.
    left = '' if error and verdict_after['repair'] else verdict_after['next_step']  # '': what is left to do is what was tried
    next_step = left or ('' if proven else AFTER_AN_ERROR if error else verdict['next_step'])
    if verdict['repair'] and not error and (check_mode or diagnose_only):
        next_step = 'run without --check' if check_mode else 'run with fix_bp_jwt_mode=fix'
        if verdict['state'] == 'not_only_the_clock':  # the clock alone cures nothing
            next_step = f'{next_step}, and for what else keeps the agents from working: {verdict["next_step"]}'
    failing = [test for test in before.get('tests') or [] if not test['succeeded']]
    result = {
        'host': host,
        'passed': proven or would_repair,
        'healthy': proven,
        'state_before': verdict['state'],
        'state_after': verdict_after['state'],
        # A daemon that was brought and reaches no source has repaired nothing.
        'repaired': bool(after) and proven and verdict['state'] != verdict_after['state'],
        'repair': DUE if verdict['state'] == DEFERRED else _what_became(
            verdict['repair'], repair_due is not None, tried, bool(error), bool(after) and proven, check_mode or diagnose_only),
        'repair_due': verdict['repair'] if repair_due is None else repair_due,
        'tried': tried,
        'concluded': repair_due is not None,
        'offset_before': before['skew']['offset'],
        'offset_after': after['skew']['offset'] if after else None,
        'max_skew': before['skew'].get('max_skew'),
        'clock_before': clock(before),
        'clock_after': clock(after) if after else None,
        'clock_keeper': keeper(after or before),
        'certificate_not_after': certificate_expiry(after or before),
        'agents_before': count_answered(before),
        'agents_after': count_answered(after) if after else None,
        'agents': agents(before, after),
        'changes': changes_of(changes or {}),
        'cause': verdict['cause'],
        'meaning': failing[0].get('meaning', '') if failing else STATES[verdict['state']].meaning,
        'evidence': failing[0].get('evidence', '') if failing else '',
        'error': error,
        'summary': verdict_after['summary'],
        'next_step': next_step,
    }
    result['message'] = _message(result)
    return result


def _what_became(due: bool, over: bool, tried: bool, error: bool, proven: bool, predicts: bool) -> str:
    if not over:
        return (PREDICTED if predicts else DUE) if due else NONE
    if not tried:
        return NONE
    if error:
        return FAILED
    if predicts:
        return PREDICTED
    return PROVEN if proven else NOT_PROVEN


# What a result of time_service says of its acts, by the type that a report shows.
CHANGES: dict[str, t.Any] = {
    'actions': [], 'acts': [], 'backups': {}, 'stopped': [], 'downtime': 0.0, 'disabled': [], 'restored': False, 'problems': [],
}


def changes_of(result: t.Mapping[str, t.Any]) -> dict[str, t.Any] | None:
    """What was changed on a host, or in check mode would be; None where time_service was not run."""
    if not any(name in result for name in CHANGES):
        return None
    kept = {name: result.get(name) or default for name, default in CHANGES.items()}
    clock_stop = (result.get('clock') or {}).get('stopped') or {}
    if not kept['stopped']:
        kept['stopped'] = list(clock_stop.get('units') or [])
    if not kept['downtime']:
        kept['downtime'] = float(clock_stop.get('seconds') or 0.0)
    return kept


def clock(health: dict[str, t.Any]) -> dict[str, t.Any]:
    """What was measured of the clock."""
    return {name: health['skew'].get(name) for name in CLOCK}


def certificate_expiry(health: dict[str, t.Any]) -> str | None:
    """When the first of the tenants' and services' certificates expires, ISO 8601 in UTC; None where none is known."""
    known = [source.get('certificate_not_after') for source in health['skew'].get('sources') or []]
    return min((date for date in known if date), default=None)


def keeper(health: dict[str, t.Any]) -> dict[str, t.Any] | None:
    """What keeps the clock, as it was measured last."""
    found = health.get('clock_keeper')
    return {name: found.get(name) for name in KEEPER} if found else None


def count_answered(health: dict[str, t.Any]) -> dict[str, int]:
    """How many agents were answered 200, of how many tested."""
    tests = health.get('tests') or []
    return {'answered': sum(1 for test in tests if test['succeeded']), 'tested': len(tests)}


def agents(before: dict[str, t.Any], after: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """Each agent before and after a repair; `response_code` and `cause` are those of its last test."""
    then = {test['agent']: test for test in before.get('tests') or []}
    now = {test['agent']: test for test in after.get('tests') or []}
    listed = []
    for name in {**then, **now}:
        last = now.get(name) or then[name]
        listed.append({
            'agent': name,
            'succeeded_before': then[name]['succeeded'] if name in then else None,
            'succeeded_after': now[name]['succeeded'] if name in now else None,
            'response_code': last.get('response_code'),
            'response_code_before': then[name].get('response_code') if name in then else None,
            'response_code_after': now[name].get('response_code') if name in now else None,
            'cause': _cause(last),
            'cause_before': _cause(then[name]) if name in then else '',
            'authentication': _authentication(now.get(name), then.get(name)),
        })
    return listed


def _authentication(*tests: t.Mapping[str, t.Any] | None) -> str:
    """How the agent gets its access token, by whichever test knows; a test that succeeded does not ask."""
    known = [test.get('authentication') or 'unknown' for test in tests if test]
    return next((way for way in known if way != 'unknown'), 'unknown')


def _cause(test: t.Mapping[str, t.Any]) -> str:
    return '' if test['succeeded'] else test.get('cause', '')


def without_result(host: str, said: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """A host that was not measured. `said`: how Ansible ended its measurement (unreachable, msg, module_stderr), or {}."""
    state = UNREACHABLE if said.get('unreachable') else NO_RESULT
    summary, next_step = WITHOUT_RESULT[state]
    error = ' '.join([str(said.get('msg') or ''), *_SYSTEM_SAID.findall(str(said.get('module_stderr') or ''))[-1:]])
    if _NO_ROOM.search(error):
        next_step = MAKE_ROOM
    result = {
        'host': host, 'passed': False, 'healthy': False, 'state_before': state, 'state_after': state, 'repaired': False,
        'repair': NONE, 'repair_due': False, 'tried': False, 'concluded': False, 'changes': None,
        'offset_before': None, 'offset_after': None, 'max_skew': None,
        'clock_before': None, 'clock_after': None, 'clock_keeper': None, 'certificate_not_after': None,
        'agents_before': None, 'agents_after': None, 'agents': [],
        'cause': '', 'meaning': '', 'evidence': '',
        'error': ' '.join(error.split()), 'summary': summary, 'next_step': next_step,
    }
    result['message'] = _message(result)
    return result


def conclude(result: t.Mapping[str, t.Any], stopped: str = '', lost: bool = False) -> dict[str, t.Any]:
    """The last word on a host whose repair was due: why it was not begun (`stopped`), or that it was `lost` on the way."""
    last = dict(result)
    if last.get('rehearsal'):
        return last
    if lost:
        last.update(passed=False, healthy=False, repair=LOST, error=LOST_ON_THE_WAY, next_step=LOOK_AT_IT)
    elif last['repair_due'] and not last['tried'] and stopped:
        last.update(passed=False, healthy=False, repair=NOT_BEGUN, error=f'not begun: {stopped}',
                    next_step='see why this run stopped')
    last['message'] = _message(last)
    return last


# How a sentence with `error` begins, by `repair`. Of a host without a result the error is Ansible's own sentence.
ERROR_BEGINS = {NOT_BEGUN: 'The repair was ', FAILED: 'The repair stopped: ', LOST: 'The repair stopped: '}


def _message(result: t.Mapping[str, t.Any]) -> str:
    parts = [f'{result["host"]}: {result["state_after"]}: {result["summary"]}']
    if result['error']:
        parts.append(ERROR_BEGINS.get(result['repair'], '') + result['error'])
    if result['next_step']:
        parts.append(f'Next: {result["next_step"]}')
    return '. '.join(part.rstrip('.') for part in parts) + '.'


def document(
    results: t.Sequence[t.Mapping[str, t.Any]],
    hosts: list[dict[str, t.Any]],
    rows: list[dict[str, t.Any]] | None = None,
    **about: t.Any,
) -> dict[str, t.Any]:
    """The document: counts over all `results`, and the `hosts` to list. `about` is what it says of the run (ABOUT).

    `rows` are those of all hosts, also of the ones that an earlier run has left: `hosts` where nothing has shaped them.
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
# Of a result; what else it has is for the role.
LISTED = ('host', 'passed', 'healthy', 'state_before', 'state_after', 'repaired', 'repair', 'clock_before', 'clock_after',
          'clock_keeper', 'certificate_not_after', 'agents_before', 'agents_after', 'agents', 'changes', 'rehearsal', 'cause',
          'meaning', 'evidence', 'next_step', 'error', 'summary', 'message')
# Of a row that a query has shaped, so that it is still known how the host is.
HOW_IT_IS = ('passed', 'healthy', 'state_before', 'state_after', 'repaired', 'repair', 'age')


def listed(result: t.Mapping[str, t.Any], mode: str = 'fix', reported_at: str | None = None) -> dict[str, t.Any]:
    """A host as the document lists it; `age` is 0 for a host of this run."""
    return {**{name: result.get(name) for name in LISTED}, 'mode': mode, 'reported_at': reported_at, 'age': 0}


def kept(former: t.Any, hosts: t.Container[str], now: str, days: float) -> list[dict[str, t.Any]]:
    """The rows of an earlier document for the hosts that are not in this run, with their age in seconds.

    Not those that are older than `days`, and none of what is no document of ours.
    """
    if not isinstance(former, dict) or former.get('schema_version') != SCHEMA_VERSION:
        return []
    rows, end = [], _seconds(now) or 0.0
    for row in former.get('results') or former.get('hosts') or []:
        if not isinstance(row, dict) or not isinstance(row.get('host'), str) or row['host'] in hosts or 'state_after' not in row:
            continue
        at = row.get('reported_at') or former.get('finished_at')
        try:
            age = max(1, round(end - (_seconds(at) or 0.0)))
        except (ValueError, TypeError, AttributeError):
            continue
        if age <= days * 86400:
            missing = {'healthy': bool(row.get('passed')) and row['state_after'] == 'healthy', 'repair': NONE, 'changes': None,
                       'mode': former.get('mode', 'fix')}
            rows.append({**missing, **row, 'reported_at': at, 'age': age})
    return rows


def rows_of(report: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """The rows of all hosts, as they were before a query shaped them."""
    return report.get('results') or report['hosts']


def shaped(report: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """The hosts to list, each with how it is (HOW_IT_IS), which a query may have left out."""
    known = {row['host']: {name: row[name] for name in HOW_IT_IS if name in row} for row in rows_of(report)}
    return [{**known.get(host['host'], {}), **host} for host in report['hosts']]


def count(results: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """How many hosts there are of each kind; passed, failed, unreachable and no_result are all of them."""
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


# In the terminal

FEW = 10  # hosts, of which each is worth a paragraph


def last_words(result: t.Mapping[str, t.Any], said: t.Mapping[str, t.Any]) -> str:
    """How a host ends that did not pass: the less is said of each, the more of them there are (`said`: not_passed, groups)."""
    if said.get('not_passed', 0) <= FEW:
        return result['message']
    number = said.get('groups', {}).get(result['host'])
    if number:
        return f'no. {number}'  # of the table; with ansible-core's own words around it, more would be too much
    return rehearsal.short(f'{result["state_after"]}: {result["next_step"] or result["error"] or result["summary"]}')


def table(report: t.Mapping[str, t.Any], at_most: int = 50) -> list[str]:
    """The lines at the end: a host each, and why no other repair was begun.

    With more than `at_most` hosts those that passed without a repair and have nothing left to do are summed up in a line.
    """
    hosts, counts = [host for host in shaped(report) if not host.get('age')], report['counts']
    if report['mode'] == 'rehearse':
        known = {row['host']: row for row in rows_of(report)}
        return [*rehearsal.table(known.get(host['host'], host) for host in hosts), in_figures(counts)]
    loud = [host for host in hosts if len(hosts) <= at_most or not host.get('passed') or host.get('repaired')
            or host.get('next_step')]
    quiet = len(hosts) - len(loud)
    if len(loud) > at_most:
        passed_more = [f'{quiet} more hosts passed and are not listed.'] if quiet else []
        stopped = [f'STOPPED: {report["stopped"]}.'] if report['stopped'] else []
        return [*_in_groups(grouped(report, at_most)), *passed_more, in_figures(counts), *stopped]
    rows = [HEADINGS] + [_row(host) for host in loud] if loud else []
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS) - 1)] if rows else []
    lines = ['  '.join([cell.ljust(width) for cell, width in zip(row, widths)] + [row[-1]]).rstrip() for row in rows]
    if quiet:
        lines.append(f'{quiet} {"more " if rows else ""}hosts passed and are not listed.')
    if not counts['hosts']:
        lines.append('No host was in this run.')
    elif len(hosts) != counts['hosts'] or counts['hosts'] > 1:
        foreseen = [row for row in rows_of(report) if not row.get('age') and row.get('passed') and not row.get('healthy', True)]
        lines.append(in_figures(counts, len(foreseen)))
    if report.get('kept'):
        lines.append(f'{report["kept"]} more host{"s" if report["kept"] > 1 else ""} of earlier runs in the report.')
    if report['stopped']:
        lines.append(f'STOPPED: {report["stopped"]}.')
    return lines


def grouped(report: t.Mapping[str, t.Any], at_most: int) -> list[list[t.Mapping[str, t.Any]]]:
    """The hosts to name by state and cause, the largest group first, where they are too many for a line each; else none."""
    hosts = [host for host in shaped(report) if not host.get('age')]
    loud = [host for host in hosts if not host.get('passed') or host.get('repaired')]
    groups: dict[tuple[t.Any, ...], list[t.Mapping[str, t.Any]]] = {}
    for host in loud if len(loud) > at_most else []:
        key = host.get('state_before'), host.get('state_after'), host.get('cause'), host.get('repair')
        groups.setdefault(key, []).append(host)
    return sorted(groups.values(), key=len, reverse=True)


def numbers(report: t.Mapping[str, t.Any], at_most: int) -> dict[str, int]:
    """The number of each host's group in the table; {} where each has a line."""
    return {host['host']: number for number, group in enumerate(grouped(report, at_most), 1) for host in group}


def _in_groups(groups: list[list[t.Mapping[str, t.Any]]]) -> list[str]:
    lines = []
    for number, group in enumerate(groups, 1):
        first = group[0]
        names = ', '.join(host['host'] for host in group[:5]) + (f' and {len(group) - 5} more' if len(group) > 5 else '')
        cause = f' ({first["cause"]})' if first.get('cause') else ''
        lines.append(f'no. {number}: {_row(first)[-2]}{cause}: {names}')
        if first.get('next_step'):
            lines.append(f'    as {first["host"]}: {rehearsal.short(str(first["next_step"]), 300)}')
    return lines


def in_figures(counts: t.Mapping[str, t.Any], would_be_repaired: int = 0) -> str:
    """'12 hosts: 10 passed (1 repaired), 1 failed, 1 unreachable; healthy 10, not_the_clock 1, unreachable 1'."""
    ways = (('repaired', counts['repaired']), ('would be repaired', would_be_repaired))
    how = [f'{number} {words}' for words, number in ways if number]
    passed = f'{counts["passed"]} passed' + (f' ({", ".join(how)})' if how else '')
    words = [passed] + [f'{counts[name]} {name.replace("_", " ")}' for name in ('failed', UNREACHABLE, NO_RESULT) if counts[name]]
    states = ', '.join(f'{state} {number}' for state, number in counts['states'].items())
    return f'{counts["hosts"]} host{"s" if counts["hosts"] > 1 else ""}: {", ".join(words)}; {states}'


def _row(host: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    """A host that a query has shaped lacks what it lacks."""
    before, after = host.get('clock_before'), host.get('clock_after')
    clock, agents, state = '-', '-', host.get('state_before') or host.get('state_after') or '-'
    if before:
        clock = offset_text(before['offset'])
    if host.get('agents_before'):
        agents = _of(host['agents_before'])
    if after:
        clock += f' -> {offset_text(after["offset"])}'
        agents += f' -> {_of(host["agents_after"])}' if host.get('agents_after') else ''
        state += f' -> {host.get("state_after")}'
    elif host.get('state_after') and host['state_after'] != state:
        state += f' -> {host["state_after"]}'
    return (host['host'], clock, kept_by(host), agents, state.replace(NO_RESULT, 'no result'), host.get('next_step') or '-')


def kept_by(host: t.Mapping[str, t.Any]) -> str:
    """'chronyd (192.0.2.20)', 'nothing, wrong in 6.5 d', '-' where it is not known."""
    found = host.get('clock_keeper') or {}
    words = {'not_kept': 'nothing', 'kept': str(found.get('by') or '-')}.get(str(found.get('state')), '-')
    if words != '-' and found.get('source'):
        words += f' ({found["source"]})'
    return words + (f', wrong in {host["wrong_in_days"]:g} d' if host.get('wrong_in_days') is not None else '')


def _of(agents: t.Mapping[str, int]) -> str:
    return f'{agents["answered"]} of {agents["tested"]}'


# For AWX


def statistics(report: t.Mapping[str, t.Any], at_most: int) -> dict[str, t.Any]:
    """What AWX keeps with the job: the counts, and the first `at_most` hosts that did not pass. Bounded for any fleet."""
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


# For Prometheus


class Sample(t.NamedTuple):
    """What the metrics say of a host. `at` is in seconds since the epoch."""

    state: str
    healthy: bool
    result: str  # passed, would_be_repaired, failed, unreachable or no_result
    mode: str
    at: float | None
    offset: float | None = None
    tested: int | None = None
    answered: int | None = None
    low: float | None = None
    high: float | None = None
    kept: float | None = None                   # 1 or 0
    by: str = ''
    source: str = ''
    maximum_error: float | None = None
    certificate: float | None = None            # seconds since the epoch
    repaired_at: float | None = None            # seconds since the epoch
    downtime: float | None = None               # seconds, of AEM at the last repair


def metrics(report: t.Mapping[str, t.Any], former: str = '', days: float = 7.0) -> str:
    """The same for node_exporter's textfile collector, in Prometheus' text format.

    `former` is the text of an earlier run: its hosts that are in none of the report's rows are kept, for so many days.
    """
    started, finished = (_seconds(report[name]) for name in ('started_at', 'finished_at'))
    samples = {row['host']: _sample(row) for row in rows_of(report)}
    for host, sample in read_metrics(former).items():
        if host in samples and samples[host].repaired_at is None:
            samples[host] = samples[host]._replace(repaired_at=sample.repaired_at, downtime=sample.downtime)
        if sample.at and finished and finished - sample.at <= days * 86400:
            samples.setdefault(host, sample)
    results = [sample.result for sample in samples.values()]
    families: list[tuple[str, str, list[tuple[dict[str, str], float | None]]]] = [
        ('last_run_timestamp_seconds', 'When the last run ended, in seconds since the epoch.', [({}, finished)]),
        ('last_run_duration_seconds', 'How long the last run took from the first measurement on.',
         [({}, finished - started if finished and started else None)]),
        ('last_run_info', 'The mode of the last run: fix, check, diagnose or rehearse. Only fix changes a host.',
         [({'mode': report['mode'], 'version': report['collection_version']}, 1.0)]),
        ('last_run_hosts', 'Hosts that the last run was for.', [({}, report['counts']['hosts'])]),
        ('max_skew_seconds', 'The offset up to which a clock counts as right.', [({}, report.get('max_skew'))]),
        ('repairs_stopped', '1 when the last run refused to begin repairs, for the reason its report gives.',
         [({}, float(bool(report['stopped'])))]),
        ('hosts', 'Hosts by their last result: passed, would_be_repaired, failed, unreachable, no_result.',
         [({'result': name}, results.count(name)) for name in RESULTS]),
        ('hosts_repaired', 'Hosts whose clock the last run corrected and proved.', [({}, report['counts']['repaired'])]),
        ('hosts_state', 'Hosts by the state they were left in.',
         [({'state': state}, sum(sample.state == state for sample in samples.values()))
          for state in sorted({sample.state for sample in samples.values()})]),
        ('host_passed', '1 when the host is proven healthy. A host that a run would repair is 0, in check mode too.',
         [({'host': host}, float(sample.healthy)) for host, sample in samples.items()]),
        ('host_state', '1 for the state that the host was left in.',
         [({'host': host, 'state': sample.state}, 1.0) for host, sample in samples.items()]),
        ('host_reported_timestamp_seconds', 'When the run ended that told this of the host, and the mode of that run.',
         [({'host': host, 'mode': sample.mode, 'result': sample.result}, sample.at) for host, sample in samples.items()]),
        ('host_clock_offset_seconds', 'Reference minus host clock at its last measurement: positive is behind.',
         [({'host': host}, sample.offset) for host, sample in samples.items()]),
        ('host_clock_offset_low_seconds', 'The lower bound of the offset: the true one is not below it.',
         [({'host': host}, sample.low) for host, sample in samples.items()]),
        ('host_clock_offset_high_seconds', 'The upper bound of the offset: the true one is not above it.',
         [({'host': host}, sample.high) for host, sample in samples.items()]),
        ('host_clock_kept', '1 when something keeps the clock of the host, 0 when nothing does; absent where it is not known.',
         [({'host': host}, sample.kept) for host, sample in samples.items()]),
        ('host_clock_keeper_info', 'What keeps the clock, and the source that it is synchronized to.',
         [({'host': host, 'by': sample.by, 'source': sample.source}, 1.0) for host, sample in samples.items() if sample.kept]),
        ('host_clock_maximum_error_seconds', 'The greatest error of the clock that the kernel of the host knows of.',
         [({'host': host}, sample.maximum_error) for host, sample in samples.items()]),
        ('host_certificate_expiry_timestamp_seconds', 'When the first certificate of the tenants and services expires.',
         [({'host': host}, sample.certificate) for host, sample in samples.items()]),
        ('host_repaired_timestamp_seconds', 'When the run ended that repaired the host last.',
         [({'host': host}, sample.repaired_at) for host, sample in samples.items()]),
        ('host_aem_downtime_seconds', 'How long AEM was stopped by the last repair of the host.',
         [({'host': host}, sample.downtime) for host, sample in samples.items()]),
        ('host_agents_tested', 'Brand Portal agents that were tested on the host.',
         [({'host': host}, sample.tested) for host, sample in samples.items()]),
        ('host_agents_answered', 'Of these, the agents that Brand Portal answered 200.',
         [({'host': host}, sample.answered) for host, sample in samples.items()]),
    ]
    lines = []
    for name, text, found in families:
        known = [(labels, value) for labels, value in found if value is not None]
        if known:
            lines += [f'# HELP {PREFIX}{name} {text}', f'# TYPE {PREFIX}{name} gauge']
            lines += [f'{PREFIX}{name}{_labels(labels)} {value:.10g}' for labels, value in known]
    return '\n'.join(lines) + '\n'


PREFIX = 'brand_portal_'
KEPT = {'kept': 1.0, 'not_kept': 0.0}
RESULTS = ('passed', 'would_be_repaired', 'failed', UNREACHABLE, NO_RESULT)
_LINE = re.compile(rf'^{PREFIX}(host_\w+)\{{(.*)\}} (\S+)$', re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPED = {'\\\\': '\\', '\\"': '"', '\\n': '\n'}


def _sample(row: t.Mapping[str, t.Any]) -> Sample:
    clock, agents = _last(row, 'clock'), _last(row, 'agents')
    found, changes = row.get('clock_keeper') or {}, row.get('changes') or {}
    changed = row.get('repair') in (FAILED, NOT_PROVEN, PROVEN)
    result = ('passed' if row['healthy'] else 'would_be_repaired' if row['passed']
              else row['state_after'] if row['state_after'] in WITHOUT_RESULT else 'failed')
    return Sample(row['state_after'], row['healthy'], result, row.get('mode') or 'fix', _seconds(row.get('reported_at')),
                  clock.get('offset'), agents.get('tested'), agents.get('answered'), clock.get('low'), clock.get('high'),
                  KEPT.get(str(found.get('state'))), found.get('by') or '', found.get('source') or '', found.get('maximum_error'),
                  _seconds(row.get('certificate_not_after')), _seconds(row.get('reported_at')) if changed else None,
                  changes.get('downtime') if changed else None)


def read_metrics(text: str) -> dict[str, Sample]:
    """What an earlier file of these metrics says of each host; what cannot be read is left out."""
    found: dict[str, dict[str, t.Any]] = {}
    for name, labels, value in _LINE.findall(text):
        label = {key: re.sub(r'\\.', lambda escaped: _ESCAPED.get(escaped.group(), escaped.group()), raw)
                 for key, raw in _LABEL.findall(labels)}
        try:
            found.setdefault(label.get('host', ''), {})[name] = (float(value), label)
        except ValueError:
            continue
    samples = {}
    for host, said in found.items():
        about = said.get('host_reported_timestamp_seconds')
        if about and 'host_state' in said and 'host_passed' in said:
            value = {name: number for name, (number, _label) in said.items()}
            keeper = said.get('host_clock_keeper_info', (1.0, {}))[1]
            samples[host] = Sample(said['host_state'][1].get('state', ''), value['host_passed'] == 1, about[1].get('result', ''),
                                   about[1].get('mode', ''), about[0], value.get('host_clock_offset_seconds'),
                                   _whole(value.get('host_agents_tested')), _whole(value.get('host_agents_answered')),
                                   value.get('host_clock_offset_low_seconds'), value.get('host_clock_offset_high_seconds'),
                                   value.get('host_clock_kept'), keeper.get('by', ''), keeper.get('source', ''),
                                   value.get('host_clock_maximum_error_seconds'),
                                   value.get('host_certificate_expiry_timestamp_seconds'),
                                   value.get('host_repaired_timestamp_seconds'), value.get('host_aem_downtime_seconds'))
    return samples


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _seconds(iso: str | None) -> float | None:
    return datetime.datetime.fromisoformat(iso.replace('Z', '+00:00')).timestamp() if iso else None


def _last(host: t.Mapping[str, t.Any], what: str) -> t.Mapping[str, t.Any]:
    return host.get(f'{what}_after') or host.get(f'{what}_before') or {}


def _labels(labels: t.Mapping[str, str]) -> str:
    def quote(value: str) -> str:
        return '"' + value.replace('\\', '\\\\').replace('"', '\\"').replace('\n', '\\n') + '"'
    return '{' + ','.join(f'{name}={quote(value)}' for name, value in labels.items()) + '}' if labels else ''
