# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The decision: one pure function and one table, from the measurement to the repair.

The results of the agents' tests select a row of `TABLE`, and the measured clock selects a column. The cell is the state of the
host, and `STATES` has its consequences. Nothing here accesses a network or a host.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _aem_guard as aem_guard
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _skew_causes as skew_causes
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._option_names import in_role_words
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._times import in_two_figures, unix_seconds


class State(t.NamedTuple):
    """Consequences of a state: whether the clock is repaired, whether the host is healthy, and the next step."""

    repair: bool
    healthy: bool
    meaning: str
    next_step: str


STATES: dict[str, State] = {
    'healthy': State(
        False, True, 'every Brand Portal agent was answered 200 and the clock is right', ''),
    'at_risk': State(
        True, False, 'the agents are answered 200, but the clock is wrong and will break them',
        'correct the clock: run with fix_bp_jwt_fix_at_risk=true'),
    'jwt_expired': State(
        True, False, 'Brand Portal refuses this host because its clock is wrong',
        'correct the clock: run this playbook without --check'),
    'other_clock': State(
        False, False, "AEM does not run on this host's clock",
        'find where AEM really runs (another host, a container, a proxy in between) and check fix_bp_jwt_aem_url'),
    'not_the_clock': State(
        False, False, 'the agents fail for a reason that is not the clock', ''),
    'not_only_the_clock': State(
        True, False, 'the clock is wrong, and the agents fail for another reason too', ''),
    'aem_unreachable': State(
        True, False, 'AEM does not answer, so 200 could not be asserted',
        'start AEM or correct fix_bp_jwt_aem_url, then run again'),
    'not_testable': State(
        False, False, 'AEM answers, but the agents could not be tested as asked', ''),
    'no_reference': State(
        False, False, 'no reference time is reliable, so nothing is changed',
        'open UDP 123 to an NTP server (fix_bp_jwt_ntp_servers) or HTTPS to the tenant (fix_bp_jwt_https_urls)'),
    'not_kept': State(
        False, True, 'every Brand Portal agent was answered 200 and the clock is right, but nothing keeps it right', ''),
    'unfinished': State(
        True, False, 'an earlier repair of this host was interrupted',
        'finish it: run this playbook without --check'),
    aem_guard.DEFERRED: State(
        False, False, 'the repair has to stop AEM, which is not allowed now', ''),
    aem_guard.CANNOT_STOP: State(
        False, False, 'the repair has to stop AEM, which cannot be done safely', ''),
    'cannot_set_clock': State(
        False, False, "the clock is wrong, but this host may not set it",
        'correct the clock of the machine that this host runs on'),
}

# The state by the results of the agents' tests (row) and the measured clock (column).
TABLE: dict[str, dict[str, str]] = {
    'answered_200': {'in_sync': 'healthy', 'skewed': 'at_risk', 'no_reference': 'no_reference'},
    'clock_cause': {'in_sync': 'other_clock', 'skewed': 'jwt_expired', 'no_reference': 'no_reference'},
    'other_cause': {'in_sync': 'not_the_clock', 'skewed': 'not_only_the_clock', 'no_reference': 'no_reference'},
    'unreachable': {'in_sync': 'aem_unreachable', 'skewed': 'aem_unreachable', 'no_reference': 'no_reference'},
    # Wrong input (password, agent names, address) must be corrected before anything is changed.
    'not_testable': {'in_sync': 'not_testable', 'skewed': 'not_testable', 'no_reference': 'not_testable'},
}

# Advice for a right clock that nothing keeps, by the reason in clock_keeper of brand_portal_health_info.
KEEP_IT = 'run with fix_bp_jwt_fix_not_kept=true'
NOT_KEPT: dict[str, str] = {
    'no_time_daemon': f'enable a time daemon, or have this role install one: {KEEP_IT}',
    'no_control_of_clock': 'start chronyd without the option -x: look at "systemctl cat chronyd" and the file of options that it '
                           'names (/etc/default/chrony, /etc/sysconfig/chronyd); or take "disable ntp" out of the '
                           'configuration of ntpd',
    'own_clock': f'name NTP servers in fix_bp_jwt_ntp_servers and have this role configure them: {KEEP_IT}; and remove the local '
    'clock (server 127.127.1.0, local stratum) from the configuration of the daemon',
    'not_synchronized': 'let this host reach its NTP servers on UDP 123; or name servers that it reaches in '
                        f'fix_bp_jwt_ntp_servers, and have this role configure them: {KEEP_IT}',
}

# AEM reports a clock problem, but its clock and that of the host are both right: the message is not a reason to change one.
CLOCK_IS_RIGHT_BY_NOW = (
    "AEM's clock and this host's are right: if either was corrected a moment ago, run again; "
    "if not, look at the expiry that AEM's token provider gives its JWTs, or migrate to OAuth Server-to-Server (docs/aem-levels.md)"
)

# Messages about AEM name the options of the modules; these are the options of the role.
OPTIONS_TO_CORRECT = {
    'unauthorized': 'fix_bp_jwt_aem_user and fix_bp_jwt_aem_password',
    'unknown_agent': 'fix_bp_jwt_agents',
    'no_agents': 'fix_bp_jwt_agents',
    'not_aem': 'fix_bp_jwt_aem_url',
    'failed': '',  # not a matter of options
}

# The next step without a reliable reference, by the verdict on the clock. Only a skew that is not verified can be accepted.
FIND_REFERENCE = {
    'skewed': 'let this host reach the tenant by HTTPS (fix_bp_jwt_https_urls) or at least three NTP servers '
              '(fix_bp_jwt_ntp_servers); a repair on unverified references needs fix_bp_jwt_accept_unverified=true',
    'sources_disagree': 'find out which of the sources are wrong, and correct or remove them (fix_bp_jwt_ntp_servers, '
                        'fix_bp_jwt_https_urls)',
    'undecided': 'raise fix_bp_jwt_timeout, change fix_bp_jwt_max_skew, or name more or nearer servers in fix_bp_jwt_ntp_servers',
}
# If the clock was set during the measurement, there are no bounds.
FIND_WHO_SETS_IT = 'find out what sets this clock (two time daemons, the hypervisor), and run again'

FAIL_BECAUSE_OF_A_CLOCK = "the agents fail because of a clock, but it is not this host's clock"  # other_clock
FINEST_DATE = 5.0  # seconds: an HTTP Date has whole seconds, and the answer may take some
LONGEST_TEST = 3600.0  # seconds: during a test, the clock of AEM moves on
LIFE_OF_A_TOKEN = 86400.0  # seconds: only an AEM that is ahead by more considers each new access token expired

# States of AEM, as brand_portal_health_info names them, in which it does not answer.
AEM_SILENT = ('unreachable', 'starting')

# Without AEM no agent tells the tenant, whose Date would be a reference.
TENANT_UNKNOWN = 'start AEM or correct fix_bp_jwt_aem_url: the tenant of its agents is a reference'
LOST_BY_THE_JUMP = 'AEM did not come back after the clock was set by {by} while it ran, as with a document store'
START_IT = ('start AEM on this host (its log then mentions a lost lease), run again, and have it stopped the next time: set '
            'fix_bp_jwt_aem_service=auto or to its unit, or fix_bp_jwt_unknown_store=stop')
NOT_STARTED = '{units} was stopped while the clock was set, and could not be started again'
LOOK_AND_START = 'look at "journalctl -u {units}" on this host, correct what it says, and run again, which starts it'
STARTED_NOT_READY = '{units} was stopped while the clock was set and started again, but AEM is not ready yet'
WAIT_LONGER = ('look at "systemctl status {units}" and AEM\'s error.log; if AEM only takes longer, raise '
               'fix_bp_jwt_aem_ready_timeout; then run again')


def decide(
    health: t.Mapping[str, t.Any],
    time_service: dict[str, t.Any] | None = None,
    fix_at_risk: bool = True,
    accept_unverified: bool = False,
    aem_service: str = '',
    aem_stop_above: float = 60.0,
    aem_options: t.Mapping[str, t.Any] | None = None,
    repair_results: t.Mapping[str, t.Any] | None = None,
    fix_not_kept: bool = False,
) -> dict[str, t.Any]:
    """Return the verdict on one host.

    health: the result of brand_portal_health_info (skew, tests, aem). time_service: that of time_service_info, once it has run.
    aem_service, aem_stop_above (seconds): options of the role; aem_options has more of them, see aem_guard.guard.
    repair_results: the results of a repair so far. `keep` is that of time_service, `step` that of clock_step or of the step in
    time_service, each {} if it did not run; `aem` is the state of AEM before the repair.
    The keys of the verdict are `state`, `repair` (whether the clock must be corrected), `healthy`, `summary` (one sentence with
    figures), `next_step` ('' if there is none), `cause` (the id of the first failing agent's cause, or ''), `warning` (how a repair
    may affect AEM, or ''), and `aem`: the units (`stop_services`) or the `program` (commands and PID) that are stopped around the
    step, and a `note` about this. Offsets are reference − host, in seconds.
    """
    skew, tests, aem = health['skew'], health.get('tests') or [], health.get('aem') or {'state': 'ok', 'message': ''}
    failing = [test for test in tests if not test['succeeded']]
    state = _state(skew, tests, aem, time_service, accept_unverified)
    keeper = health.get('clock_keeper') or {}
    if state == 'healthy' and keeper.get('state') == 'not_kept':
        state = 'not_kept'
    # A repair that this run itself could not finish has its own message.
    if not (repair_results or {}).get('step') and _is_unfinished(state, skew['verdict'], health.get('interrupted') or []):
        state = 'unfinished'
    rule = STATES[state]
    repair = rule.repair and (skew['verdict'] == 'skewed' or state == 'unfinished') and (state != 'at_risk' or fix_at_risk)
    # After a repair, the state is only reported.
    repair = repair or (state == 'not_kept' and fix_not_kept and repair_results is None)
    guard = aem_guard.Guard()
    if repair and skew['verdict'] == 'skewed' and abs(skew['offset']) >= aem_stop_above:
        # An AEM that an earlier run left stopped may be started at any time of day.
        stopped = 'service_stop' in (health.get('interrupted') or [])
        guard = aem_guard.guard(
            skew['offset'], aem['state'], (time_service or {}).get('aem') or {},
            {'aem_service': aem_service, **(aem_options or {})},
            None if stopped else _trusted_now(skew, time_service or {}))
        if guard.state:
            state, repair, rule = guard.state, False, STATES[guard.state]
    stepped = _what_was_stepped(repair_results or {})
    was_up = (repair_results or {}).get('aem') not in AEM_SILENT
    down = _why_aem_is_down(stepped, aem_stop_above) if state == 'aem_unreachable' and was_up else None
    facts, steps = _more_to_say(skew, stepped, time_service or {}, (repair_results or {}).get('keep') or {},
                                bool((aem_options or {}).get('aem_after_time_sync')))
    known = _summary(state, skew, failing, aem, time_service, accept_unverified)
    if state == 'not_kept' and not steps:
        facts, steps = [keeper['msg'], *facts], [NOT_KEPT.get(keeper['reason'], '')]
    return {
        'state': state,
        'repair': repair,
        'healthy': rule.healthy and not repair,
        'cause': failing[0]['cause'] if failing else '',
        'summary': _joined([*known, guard.why, guard.note, down[0] if down else '', *facts]),
        'next_step': _joined([down[1] if down else guard.next_step or _next_step(state, rule, failing, aem, skew), *steps]),
        'warning': guard.warning,
        'aem': {'stop_services': guard.units, 'program': guard.program, 'note': guard.note},
    }


def _trusted_now(skew: t.Mapping[str, t.Any], time_service: t.Mapping[str, t.Any]) -> datetime.datetime | None:
    """Return the correct time when time_service_info ran: the host's clock plus the measured offset; None before that."""
    moment = unix_seconds(time_service.get('host_time'))
    return None if moment is None else datetime.datetime.fromtimestamp(moment + skew['offset'], datetime.timezone.utc)


def _is_unfinished(state: str, clock: str, left: t.Sequence[str]) -> bool:
    """Return whether the next step is to finish an interrupted run.

    An AEM that was left stopped is started even if the clock could not be measured, because the tenant, whose Date is the
    reference, is not known without AEM. clock_step then starts it, and still does not set a clock that is not proven wrong.
    """
    if clock == 'in_sync':
        return bool(left) and state in ('healthy', 'not_kept', 'aem_unreachable')
    return 'service_stop' in left and state == 'no_reference'


def _what_was_stepped(repair_results: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the result of the step that has set the clock; {} if there was none."""
    step = repair_results.get('step') or {}
    return step if step.get('changed') and (step.get('before') or {}).get('verdict') == 'skewed' else {}


def _why_aem_is_down(stepped: dict[str, t.Any], aem_stop_above: float) -> tuple[str, str] | None:
    """Return (fact, next step) about an AEM that does not answer after a large step of the clock."""
    if not stepped or abs(stepped['before']['offset']) < aem_stop_above:
        return None
    stopped = stepped.get('stopped') or {}
    down = ' and '.join(stopped.get('not_started') or [])
    if down:
        return NOT_STARTED.format(units=down), LOOK_AND_START.format(units=down)
    units = ' and '.join(stopped.get('units') or [])
    if units:
        return STARTED_NOT_READY.format(units=units), WAIT_LONGER.format(units=units)
    return LOST_BY_THE_JUMP.format(by=in_two_figures(stepped['before']['offset'])), START_IT


def _more_to_say(
    skew: dict[str, t.Any],
    stepped: dict[str, t.Any],
    time_service: dict[str, t.Any],
    keep: dict[str, t.Any],
    waits_at_boot: bool,
) -> tuple[list[str], list[str]]:
    """Return (facts, next steps) about what a repair has left open, and about why the clock was wrong."""
    facts, steps = [], []
    # There is a reason only if the daemon was queried: not in check mode, and not before a step that failed.
    if keep.get('synchronized') is False and skew['verdict'] == 'in_sync' and keep.get('reason'):
        facts.append(str(keep.get('msg') or '').rstrip('.'))
        steps.append(str(keep.get('advice') or '').rstrip('.'))
    wrong = stepped.get('before') or (skew if skew['verdict'] == 'skewed' else {})
    if wrong and time_service:
        found = skew_causes.hints(wrong['offset'], wrong.get('reference_time'), time_service, waits_at_boot)
        facts += [hint.fact for hint in found]
        steps += [hint.advice for hint in found if hint.advice][:1]
    return facts, steps


def _state(
    skew: dict[str, t.Any],
    tests: list[dict[str, t.Any]],
    aem: t.Mapping[str, t.Any],
    time_service: dict[str, t.Any] | None,
    accept_unverified: bool,
) -> str:
    agents = _what_agents_say(tests, aem['state'])
    clock = _what_clock_says(skew, accept_unverified)
    aem_clock = _aem_against_host(skew, aem)
    if clock == 'skewed' and aem_clock == 'differs':
        return 'other_clock'
    if clock == 'in_sync' and agents == 'clock_cause':
        # A cause that is only likely the clock does not count, unless AEM's clock is known to be another one.
        certain = any(test['clock_related'] == 'yes' for test in tests)
        if aem_clock == 'same' or (aem_clock == 'unknown' and not certain):
            return 'not_the_clock'
    contradicted = any(source['kind'] == 'agent' and not source['accepted'] for source in skew['sources'])
    if clock == 'in_sync' and agents == 'answered_200' and contradicted and _own_dates(skew, aem) == 'differs':
        return 'other_clock'
    if clock == 'skewed' and agents == 'clock_cause' and any(_contradicts(test, skew) for test in tests):
        agents = 'other_cause'
    state = TABLE[agents][clock]
    if STATES[state].repair and clock == 'skewed' and time_service and not time_service.get('may_set_clock', True):
        return 'cannot_set_clock'
    return state


def _contradicts(test: dict[str, t.Any], skew: t.Mapping[str, t.Any]) -> bool:
    """Return whether the measured clock does not explain a failure that is only likely a clock: AEM accepts the date by it."""
    if test['succeeded'] or test['clock_related'] != 'likely':
        return False
    if test.get('direction') not in (None, 'behind' if skew['offset'] > 0 else 'ahead'):
        return True
    if test['cause'] == 'ims_throttled':
        return abs(skew['offset']) < LIFE_OF_A_TOKEN
    since, until, moment = (unix_seconds(text) for text in (test.get('not_before'), test.get('not_after'), skew.get('host_time')))
    if moment is None or (since is None and until is None):
        return False
    return (since is None or since < moment - LONGEST_TEST) and (until is None or until > moment + LONGEST_TEST)


def _what_agents_say(tests: list[dict[str, t.Any]], aem_state: str) -> str:
    if aem_state != 'ok':
        return 'unreachable' if aem_state in AEM_SILENT else 'not_testable'
    if not tests:
        return 'not_testable'
    relations = {test['clock_related'] for test in tests if not test['succeeded']}
    if not relations:
        return 'answered_200'
    return 'other_cause' if 'no' in relations else 'clock_cause'


def _what_clock_says(skew: dict[str, t.Any], accept_unverified: bool) -> str:
    """Return the column of the table. Unverified references alone do not make a clock wrong, unless the option allows it."""
    if skew['verdict'] == 'skewed' and not (skew['verified'] or accept_unverified):
        return 'no_reference'
    return skew['verdict'] if skew['verdict'] in ('in_sync', 'skewed') else 'no_reference'


def _aem_against_host(skew: t.Mapping[str, t.Any], aem: t.Mapping[str, t.Any]) -> str:
    """Compare AEM's own Date with the host's clock: same, differs, or unknown.

    If no agent got an answer, for example because TLS failed, only the Date of AEM's own answers is left, in whole seconds.
    """
    agents = [source for source in skew['sources'] if source['kind'] == 'agent']
    if agents:
        return 'same' if all(source['accepted'] for source in agents) else 'differs'
    return _own_dates(skew, aem)


def _own_dates(skew: t.Mapping[str, t.Any], aem: t.Mapping[str, t.Any]) -> str:
    """Compare the Date of AEM's answers with the host's clock. An answer that is of no use may be that of a gateway."""
    offset, allowed = aem.get('clock_offset'), max(skew['max_skew'], FINEST_DATE)
    if not offset or aem.get('state', 'ok') != 'ok':
        return 'unknown'
    if offset['low'] > allowed or offset['high'] < -allowed:
        return 'differs'
    return 'same' if -allowed <= offset['low'] and offset['high'] <= allowed else 'unknown'


def _summary(
    state: str,
    skew: dict[str, t.Any],
    failing: list[dict[str, t.Any]],
    aem: dict[str, t.Any],
    time_service: dict[str, t.Any] | None,
    accept_unverified: bool,
) -> list[str]:
    parts = [STATES[state].meaning, skew['message']]
    if state == 'other_clock' and _fail_because_of_a_clock(failing, skew):
        parts[0] = FAIL_BECAUSE_OF_A_CLOCK
    if state == 'no_reference':
        if skew['verdict'] == 'skewed' and not accept_unverified:
            parts.append('too few references agree for a repair (skew.verified is false)')
        told = [f'{source["source"]}: {source["reason"]}' for source in skew['sources'] if source['reason']]
        parts += [text for text in told if text not in skew['message']]
    if state == 'cannot_set_clock' and time_service:
        parts.append(time_service['clock_owner'])
    if aem['state'] in AEM_SILENT:
        parts.append(aem['message'])
    if failing:
        parts.append(f'{failing[0]["agent"]}: {failing[0]["evidence"]}')
    # The evidence may be a line about a clock, which is not the reason why these agents fail.
    parts += [test['meaning'] for test in failing if test['cause'] == 'jwt_end_of_life'][:1]
    return parts


def _joined(parts: t.Iterable[str]) -> str:
    said = [part for part in parts if part]
    return said[0] if len(said) == 1 else '; '.join(part.rstrip('.') for part in said)


def _fail_because_of_a_clock(failing: list[dict[str, t.Any]], skew: t.Mapping[str, t.Any]) -> bool:
    """Return whether another clock than the host's makes the agents fail. If the host's is wrong, AEM's may be right."""
    relations = {test['clock_related'] for test in failing}
    return 'no' not in relations and ('yes' in relations or ('likely' in relations and skew['verdict'] == 'in_sync'))


def _advice(failing: list[dict[str, t.Any]], relations: tuple[str, ...]) -> str:
    """Return the advice of the first cause with one of these relations to the clock, the first of them first."""
    return next((test['advice'] for relation in relations for test in failing if test['clock_related'] == relation), '')


def _next_step(state: str, rule: State, failing: list[dict[str, t.Any]], aem: t.Mapping[str, t.Any],
               skew: t.Mapping[str, t.Any]) -> str:
    """Return the next step of the state, or the advice of the cause, from the test or from the access to AEM."""
    if state in ('not_the_clock', 'not_only_the_clock'):
        return _advice(failing, ('no', 'likely')) or CLOCK_IS_RIGHT_BY_NOW
    if state == 'other_clock' and not _fail_because_of_a_clock(failing, skew):
        return _joined([rule.next_step, _advice(failing, ('no', 'likely'))])
    if state == 'not_testable':
        said = aem['message'].rstrip('.') or 'find out why AEM gives no agent to test'
        said, option = in_role_words(said), OPTIONS_TO_CORRECT.get(aem['state'], 'fix_bp_jwt_aem_url')
        return said if not option or 'fix_bp_jwt_' in said else f'{said} (in this role: {option})'
    if state == 'no_reference':
        if skew['verdict'] == 'undecided' and skew.get('low') is None:
            return FIND_WHO_SETS_IT
        first = f'{TENANT_UNKNOWN}; or ' if aem['state'] in AEM_SILENT else ''
        return first + FIND_REFERENCE.get(skew['verdict'], rule.next_step)
    return rule.next_step
