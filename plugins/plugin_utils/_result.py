# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the result of one host: its state before and after, the changes, and the next step. Pure.

Offsets are reference − host, in seconds, positive if the host is behind. docs/report.md describes the keys.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.aemops.brand_portal.plugins.plugin_utils._aem_guard import DEFERRED
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._fleet import NOT_HEALED_BY_A_CLOCK
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._option_names import in_role_words
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._verdict import STATES

KEEPER = ('state', 'by', 'source', 'reason', 'msg', 'maximum_error', 'estimated_error')
CLOCK = ('verdict', 'direction', 'offset', 'low', 'high', 'verified')
UNREACHABLE, NO_RESULT = 'unreachable', 'no_result'
LOST_ON_THE_WAY = 'the host became unreachable during the repair'
AFTER_AN_ERROR = 'correct what stopped the repair, then run again'
LOOK_AT_IT = 'check the clock and AEM on the host, because their state is not known, then run again'
WITHOUT_RESULT = {
    UNREACHABLE: ('the host could not be reached', 'see that Ansible can log in to this host, then run again'),
    NO_RESULT: ('the host failed before it was measured', 'correct what the message says, then run again'),
}
# The task that measures was not in the run, or not for this host, as after meta: end_host.
NOT_ASKED = ('the host was not measured',
             'run the whole playbook, without --start-at-task, or see why the host left the play before')
MAKE_ROOM = 'make room on this host ("df -h /tmp /var/tmp ~" there), or let Ansible write to one of them, then run again'
# The last line of a Python that failed to start, if it is an error of the system: it contains no argument of the module.
_SYSTEM_SAID = re.compile(r'^\w+: (\[Errno \d+\] .*)$', re.MULTILINE)
_NO_ROOM = re.compile(r'No space left on device|No usable temporary directory')


# Outcomes of a repair: the key `repair` of a host's result.
NONE = 'none'                # not due, or this host may not set its clock
DUE = 'due'                  # due and not tried yet
PREDICTED = 'predicted'      # due, but check mode and fix_bp_jwt_mode=diagnose change nothing
NOT_BEGUN = 'not_begun'      # due, but the run stopped before it
FAILED = 'failed'            # begun, but stopped by an error
NOT_PROVEN = 'not_proven'    # completed, but the host is not proven healthy
PROVEN = 'proven'
LOST = 'lost'                # the host became unreachable during the repair


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
    """Return the result of one host: the content of the variable fix_bp_jwt_result.

    before, after: results of brand_portal_health_info; `after` is {} if nothing was repaired. verdict, verdict_after: the verdicts
    on them. error: the error that stopped the repair. diagnose_only: whether nothing is repaired in any case.
    repair_due: None before a repair; after it, whether it was due (`verdict` then considers whether the host may set its clock).
    changes: the result of time_service, {} if it did not run. If it failed, its advice is the first next step.
    The key `passed` is true for a host that is proven healthy, and in check mode for one that a run would repair.
    """
    tried = repair_due is not None and (verdict['repair'] or bool(error))
    would_repair = check_mode and verdict['repair'] and not error and verdict['state'] not in NOT_HEALED_BY_A_CLOCK
    proven = verdict_after['healthy'] and not error
    # A healthy host may also have a next step, for example if nothing keeps its clock right.
    # With an error, the next step of the verdict would be the repair that was just tried.
    left = '' if error and verdict_after['repair'] else verdict_after['next_step']
    advice = str(changes.get('advice') or '').rstrip('.') if error and changes and changes.get('failed') else ''
    next_step = '; '.join(filter(None, [advice if advice not in left else '', left])) \
        or ('' if proven else AFTER_AN_ERROR if error else verdict['next_step'])
    if verdict['repair'] and not error and (check_mode or diagnose_only):
        next_step = 'run without --check' if check_mode else 'run with fix_bp_jwt_mode=fix'
        if verdict['state'] == 'not_only_the_clock':  # correcting the clock alone is not enough
            next_step = f'{next_step}, and for what else keeps the agents from working: {verdict["next_step"]}'
    failing = [test for test in before.get('tests') or [] if not test['succeeded']]
    result = {
        'host': host,
        'passed': proven or would_repair,
        'healthy': proven,
        'state_before': verdict['state'],
        'state_after': verdict_after['state'],
        # A new daemon that reaches no source is not a repair.
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
        'error': in_role_words(error),
        'summary': in_role_words(verdict_after['summary']),
        'next_step': in_role_words(next_step),
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


# The keys of a result of time_service that the report shows, with their default values.
CHANGES: dict[str, t.Any] = {
    'actions': [], 'acts': [], 'backups': {}, 'stopped': [], 'downtime': 0.0, 'disabled': [], 'restored': False, 'problems': [],
}


def changes_of(result: t.Mapping[str, t.Any]) -> dict[str, t.Any] | None:
    """Return what was changed on a host, or would be in check mode; None if time_service did not run."""
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
    """Return the measured values of the clock."""
    return {name: health['skew'].get(name) for name in CLOCK}


def certificate_expiry(health: dict[str, t.Any]) -> str | None:
    """Return when the first certificate of the tenants and services expires, in ISO 8601 and UTC; None if unknown."""
    known = [source.get('certificate_not_after') for source in health['skew'].get('sources') or []]
    return min((date for date in known if date), default=None)


def keeper(health: dict[str, t.Any]) -> dict[str, t.Any] | None:
    """Return what keeps the clock, according to the last measurement."""
    found = health.get('clock_keeper')
    return {name: found.get(name) for name in KEEPER} if found else None


def count_answered(health: dict[str, t.Any]) -> dict[str, int]:
    """Return the number of agents that were answered 200, and of those tested."""
    tests = health.get('tests') or []
    return {'answered': sum(1 for test in tests if test['succeeded']), 'tested': len(tests)}


def agents(before: dict[str, t.Any], after: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """Return each agent before and after a repair. `response_code` and `cause` are those of its last test."""
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
    """Return how the agent gets its access token, from a test that knows it; a successful test does not."""
    known = [test.get('authentication') or 'unknown' for test in tests if test]
    return next((way for way in known if way != 'unknown'), 'unknown')


def _cause(test: t.Mapping[str, t.Any]) -> str:
    return '' if test['succeeded'] else test.get('cause', '')


def without_result(host: str, said: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the result of a host that was not measured. said: Ansible's result (unreachable, msg, module_stderr), or {}."""
    state = UNREACHABLE if said.get('unreachable') else NO_RESULT
    summary, next_step = WITHOUT_RESULT[state]
    error = str(said.get('msg') or '')
    system_said = _SYSTEM_SAID.findall(str(said.get('module_stderr') or ''))[-1:]
    error = ' '.join([error, *(line for line in system_said if line not in error)])
    if _NO_ROOM.search(error):
        next_step = MAKE_ROOM
    elif not said:
        summary, next_step = NOT_ASKED
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
    """Return the final result of a host whose repair was due. stopped: why it did not begin. lost: it became unreachable."""
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


# Beginnings of a sentence with `error`, by `repair`. For a host without a result, the error is Ansible's own sentence.
ERROR_BEGINS = {NOT_BEGUN: 'The repair was ', FAILED: 'The repair stopped: ', LOST: 'The repair stopped: '}


def _message(result: t.Mapping[str, t.Any]) -> str:
    parts = [f'{result["host"]}: {result["state_after"]}: {result["summary"]}']
    if result['error']:
        parts.append(ERROR_BEGINS.get(result['repair'], '') + result['error'])
    if result['next_step']:
        parts.append(f'Next: {result["next_step"]}')
    return '. '.join(part.rstrip('.') for part in parts) + '.'
