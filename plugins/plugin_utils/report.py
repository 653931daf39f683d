# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run says of its hosts: a result for each, the document of all, and the table, metrics and statistics made of it.

Pure; asks nobody. Offsets are reference − host, in seconds: positive is behind. docs/report.md describes the document.
"""

from __future__ import annotations

import datetime
import re
import typing as t

from ansible_collections.aemops.brand_portal.plugins.plugin_utils.verdict import STATES

SCHEMA_VERSION = 1
CLOCK = ('verdict', 'direction', 'offset', 'low', 'high', 'verified')
HEADINGS = ('host', 'clock before -> after', 'agents 200', 'state', 'what to do next')
UNREACHABLE, NO_RESULT = 'unreachable', 'no_result'
LONGEST_WORD = 500  # characters of a text in the statistics, of which AWX keeps thousands
LOST = 'the host could no longer be reached in the middle of the repair'
NOT_BEGUN = 'not begun'  # how an error begins that stands where no repair was begun
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
) -> dict[str, t.Any]:
    """The result of one host: what the variable fix_bp_jwt_result holds.

    `before` and `after` are results of brand_portal_health_info (`after` is {} where nothing was repaired), `verdict`
    and `verdict_after` the verdicts on them, `error` what stopped a repair, `check_mode` whether this is check mode.
    `diagnose_only`: whether nothing is repaired whatever is found.
    `repair_due`: None before a repair; after it, whether one was due (`verdict` then knows whether the host may set its clock).
    `passed`: proven healthy, or in check mode a host that a run would repair.
    """
    tried = repair_due is not None and (verdict['repair'] or bool(error))
    would_repair = check_mode and verdict['repair'] and not error
    proven = verdict_after['healthy'] and not error
    # Also a host that is well may have something left open: say, that nothing keeps its clock right.
    left = '' if error and verdict_after['repair'] else verdict_after['next_step']  # '': what is left to do is what was tried
    next_step = left or ('' if proven else AFTER_AN_ERROR if error else verdict['next_step'])
    if verdict['repair'] and not error and (check_mode or diagnose_only):
        next_step = 'run without --check' if check_mode else 'run with fix_bp_jwt_mode=fix'
    failing = [test for test in before.get('tests') or [] if not test['succeeded']]
    result = {
        'host': host,
        'passed': proven or would_repair,
        'state_before': verdict['state'],
        'state_after': verdict_after['state'],
        'repaired': bool(after) and proven,
        'repair_due': verdict['repair'] if repair_due is None else repair_due,
        'tried': tried,
        'concluded': repair_due is not None,
        'offset_before': before['skew']['offset'],
        'offset_after': after['skew']['offset'] if after else None,
        'max_skew': before['skew'].get('max_skew'),
        'clock_before': clock(before),
        'clock_after': clock(after) if after else None,
        'agents_before': count_answered(before),
        'agents_after': count_answered(after) if after else None,
        'agents': agents(before, after),
        'cause': verdict['cause'],
        'meaning': failing[0].get('meaning', '') if failing else STATES[verdict['state']].meaning,
        'evidence': failing[0].get('evidence', '') if failing else '',
        'error': error,
        'summary': verdict_after['summary'],
        'next_step': next_step,
    }
    result['message'] = _message(result)
    return result


def clock(health: dict[str, t.Any]) -> dict[str, t.Any]:
    """What was measured of the clock."""
    return {name: health['skew'].get(name) for name in CLOCK}


def count_answered(health: dict[str, t.Any]) -> dict[str, int]:
    """How many agents were answered 200, of how many tested."""
    tests = health.get('tests') or []
    return {'answered': sum(1 for test in tests if test['succeeded']), 'tested': len(tests)}


def agents(before: dict[str, t.Any], after: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """Each agent before and after a repair; the code and the cause are of its last test."""
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
            'cause': '' if last['succeeded'] else last.get('cause', ''),
        })
    return listed


def without_result(host: str, said: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """A host that was not measured. `said`: how Ansible ended its measurement (unreachable, msg, module_stderr), or {}."""
    state = UNREACHABLE if said.get('unreachable') else NO_RESULT
    summary, next_step = WITHOUT_RESULT[state]
    error = ' '.join([str(said.get('msg') or ''), *_SYSTEM_SAID.findall(str(said.get('module_stderr') or ''))[-1:]])
    if _NO_ROOM.search(error):
        next_step = MAKE_ROOM
    result = {
        'host': host, 'passed': False, 'state_before': state, 'state_after': state, 'repaired': False, 'repair_due': False,
        'tried': False, 'concluded': False, 'offset_before': None, 'offset_after': None, 'max_skew': None,
        'clock_before': None, 'clock_after': None, 'agents_before': None, 'agents_after': None, 'agents': [],
        'cause': '', 'meaning': '', 'evidence': '',
        'error': ' '.join(error.split()), 'summary': summary, 'next_step': next_step,
    }
    result['message'] = _message(result)
    return result


def conclude(result: t.Mapping[str, t.Any], stopped: str = '', lost: bool = False) -> dict[str, t.Any]:
    """The last word on a host whose repair was due: why it was not begun (`stopped`), or that it was `lost` on the way."""
    last = dict(result)
    if lost:
        last.update(passed=False, error=LOST, next_step=LOOK_AT_IT)
    elif last['repair_due'] and not last['tried'] and stopped:
        last.update(passed=False, error=f'{NOT_BEGUN}: {stopped}', next_step='see why this run stopped')
    last['message'] = _message(last)
    return last


def _message(result: t.Mapping[str, t.Any]) -> str:
    parts = [f'{result["host"]}: {result["state_after"]}: {result["summary"]}']
    if result['error']:
        what = 'The repair was ' if result['error'].startswith(NOT_BEGUN) else 'The repair stopped: '
        parts.append(('' if result['agents_before'] is None else what) + result['error'])
    if result['next_step']:
        parts.append(f'Next: {result["next_step"]}')
    return '. '.join(part.rstrip('.') for part in parts) + '.'


def document(
    results: t.Sequence[t.Mapping[str, t.Any]],
    hosts: list[dict[str, t.Any]],
    **about: t.Any,
) -> dict[str, t.Any]:
    """The document: counts over all `results`, and the `hosts` to list. `about` is what it says of the run (ABOUT)."""
    return {
        'schema_version': SCHEMA_VERSION,
        **{name: about.get(name, default) for name, default in ABOUT.items()},
        'counts': count(results),
        'hosts': hosts,
    }


ABOUT: dict[str, t.Any] = {
    'collection_version': '', 'started_at': None, 'finished_at': None, 'complete': True, 'mode': 'fix', 'max_skew': None,
    'stopped': '',
}
# Of a result; what else it has is for the role.
LISTED = ('host', 'passed', 'state_before', 'state_after', 'repaired', 'clock_before', 'clock_after', 'agents_before',
          'agents_after', 'agents', 'cause', 'meaning', 'evidence', 'next_step', 'error', 'summary', 'message')


def listed(result: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """A host as the document lists it."""
    return {name: result[name] for name in LISTED}


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


def table(report: t.Mapping[str, t.Any], at_most: int = 50) -> list[str]:
    """The lines at the end: a host each, and why no other repair was begun.

    With more than `at_most` hosts those that passed without a repair are summed up in a line.
    """
    hosts, counts = report['hosts'], report['counts']
    loud = [host for host in hosts if len(hosts) <= at_most or not host.get('passed') or host.get('repaired')]
    quiet = len(hosts) - len(loud)
    rows = [HEADINGS] + [_row(host) for host in loud] if loud else []
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS) - 1)] if rows else []
    lines = ['  '.join([cell.ljust(width) for cell, width in zip(row, widths)] + [row[-1]]).rstrip() for row in rows]
    if quiet:
        lines.append(f'{quiet} {"more " if rows else ""}hosts passed and are not listed.')
    if not counts['hosts']:
        lines.append('No host was in this run.')
    elif len(hosts) != counts['hosts'] or counts['hosts'] > 1:
        lines.append(in_figures(counts))
    if report['stopped']:
        lines.append(f'STOPPED: {report["stopped"]}.')
    return lines


def in_figures(counts: t.Mapping[str, t.Any]) -> str:
    """'12 hosts: 10 passed (1 repaired), 1 failed, 1 unreachable; healthy 10, not_the_clock 1, unreachable 1'."""
    passed = f'{counts["passed"]} passed' + (f' ({counts["repaired"]} repaired)' if counts['repaired'] else '')
    words = [passed] + [f'{counts[name]} {name.replace("_", " ")}' for name in ('failed', UNREACHABLE, NO_RESULT) if counts[name]]
    states = ', '.join(f'{state} {number}' for state, number in counts['states'].items())
    return f'{counts["hosts"]} host{"s" if counts["hosts"] > 1 else ""}: {", ".join(words)}; {states}'


def _row(host: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    """A host that a query has shaped lacks what it lacks."""
    before, after = host.get('clock_before'), host.get('clock_after')
    clock, agents, state = '-', '-', host.get('state_before') or host.get('state_after') or '-'
    if before:
        clock = in_words(before['offset'])
    if host.get('agents_before'):
        agents = _of(host['agents_before'])
    if after:
        clock += f' -> {in_words(after["offset"])}'
        agents += f' -> {_of(host["agents_after"])}' if host.get('agents_after') else ''
        state += f' -> {host.get("state_after")}'
    elif host.get('state_after') and host['state_after'] != state:
        state += f' -> {host["state_after"]}'
    return (host['host'], clock, agents, state.replace(NO_RESULT, 'no result'), host.get('next_step') or '-')


def _of(agents: t.Mapping[str, int]) -> str:
    return f'{agents["answered"]} of {agents["tested"]}'


def in_words(offset: float | None) -> str:
    """An offset (reference − host, seconds) as people say it: '9 y 268 d behind', '0.012 s behind', 'unknown'."""
    if offset is None:
        return 'unknown'
    side = 'behind' if offset > 0 else 'ahead'
    size = abs(offset)
    if size < 0.0005:
        return '0.000 s off'
    if size < 60:
        return f'{size:.3f} s {side}'
    units = (('y', 365 * 86400), ('d', 86400), ('h', 3600), ('min', 60), ('s', 1))
    rest, parts = round(size), []
    for name, seconds in units:
        count, rest = divmod(rest, seconds)
        if count:
            parts.append(f'{count} {name}')
    return f'{" ".join(parts[:2])} {side}'


# For AWX


def statistics(report: t.Mapping[str, t.Any], at_most: int) -> dict[str, t.Any]:
    """What AWX keeps with the job: the counts, and the first `at_most` hosts that did not pass. Bounded for any fleet."""
    sick = [host for host in report['hosts'] if not host.get('passed', False)]
    return {
        **{name: report[name] for name in ('schema_version', 'mode', 'started_at', 'finished_at', 'stopped', 'counts')},
        'hosts': [_short(host) for host in sick[:at_most]],
        'hosts_left_out': max(0, len(sick) - at_most),
    }


def _short(host: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    kept = {name: host.get(name) for name in ('host', 'state_before', 'state_after', 'cause', 'next_step', 'error')}
    return {name: value[:LONGEST_WORD] if isinstance(value, str) else value for name, value in kept.items()}


# For Prometheus


def metrics(report: t.Mapping[str, t.Any]) -> str:
    """The same for node_exporter's textfile collector, in Prometheus' text format."""
    started, finished = (_seconds(report[name]) for name in ('started_at', 'finished_at'))
    tested = [(host, _last(host, 'agents')) for host in report['hosts'] if _last(host, 'agents')]
    families: list[tuple[str, str, list[tuple[dict[str, str], float]]]] = [
        ('last_run_timestamp_seconds', 'When the last run ended, in seconds since the epoch.', _if(finished, finished)),
        ('last_run_duration_seconds', 'How long the last run took from the first measurement on.',
         _if(started, (finished or 0.0) - (started or 0.0))),
        ('repairs_stopped', '1 when the last run refused to begin repairs, for the reason its report gives.',
         [({}, float(bool(report['stopped'])))]),
        ('hosts', 'Hosts of the last run by result: passed, failed, unreachable, no_result.',
         [({'result': name}, report['counts'][name]) for name in ('passed', 'failed', UNREACHABLE, NO_RESULT)]),
        ('hosts_repaired', 'Hosts whose clock the last run corrected and proved.', [({}, report['counts']['repaired'])]),
        ('hosts_state', 'Hosts of the last run by the state they were left in.',
         [({'state': state}, number) for state, number in report['counts']['states'].items()]),
        ('host_passed', '1 when the host is proven healthy, or in check mode would be repaired.',
         [({'host': host['host']}, float(host['passed'])) for host in report['hosts'] if 'passed' in host]),
        ('host_state', '1 for the state that the host was left in.',
         [({'host': host['host'], 'state': host['state_after']}, 1.0) for host in report['hosts'] if host.get('state_after')]),
        ('host_clock_offset_seconds', 'Reference minus host clock at its last measurement: positive is behind.',
         [({'host': host['host']}, offset) for host in report['hosts'] for offset in [_last(host, 'clock').get('offset')]
          if offset is not None]),
        ('host_agents_tested', 'Brand Portal agents that were tested on the host.',
         [({'host': host['host']}, agents['tested']) for host, agents in tested]),
        ('host_agents_answered', 'Of these, the agents that Brand Portal answered 200.',
         [({'host': host['host']}, agents['answered']) for host, agents in tested]),
    ]
    lines = []
    for name, text, samples in families:
        if samples:
            lines += [f'# HELP brand_portal_{name} {text}', f'# TYPE brand_portal_{name} gauge']
            lines += [f'brand_portal_{name}{_labels(labels)} {value:.10g}' for labels, value in samples]
    return '\n'.join(lines) + '\n'


def _seconds(iso: str | None) -> float | None:
    return datetime.datetime.fromisoformat(iso.replace('Z', '+00:00')).timestamp() if iso else None


def _if(known: float | None, value: float | None) -> list[tuple[dict[str, str], float]]:
    return [({}, value)] if known is not None and value is not None else []


def _last(host: t.Mapping[str, t.Any], what: str) -> t.Mapping[str, t.Any]:
    return host.get(f'{what}_after') or host.get(f'{what}_before') or {}


def _labels(labels: t.Mapping[str, str]) -> str:
    def quote(value: str) -> str:
        return '"' + value.replace('\\', '\\\\').replace('"', '\\"').replace('\n', '\\n') + '"'
    return '{' + ','.join(f'{name}={quote(value)}' for name, value in labels.items()) + '}' if labels else ''
