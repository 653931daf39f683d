# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The decision: one pure function over one table, from what was measured to what is done about it.

Two questions are put to the measurement: what do the agents say (a row of `TABLE`), and what does the clock say
(a column). The answer is a state; `STATES` says what follows from it. Nothing here is asked of a network or a host.
"""

from __future__ import annotations

import typing as t


class State(t.NamedTuple):
    """What follows from a state: is the clock repaired, is the host well as it is, and what people do next."""

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
        False, False, "the agents fail because of a clock, but it is not this host's clock",
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
        False, False, 'no reference time can be believed, so nothing is changed on a guess',
        'open UDP 123 to an NTP server (fix_bp_jwt_ntp_servers) or HTTPS to the tenant (fix_bp_jwt_https_urls)'),
    'cannot_set_clock': State(
        False, False, "the clock is wrong, but it is not this host's to set",
        'correct the clock of the machine that this host runs on'),
}

# What the agents say (row) and what the clock says (column) make the state.
TABLE: dict[str, dict[str, str]] = {
    'answered_200': {'in_sync': 'healthy', 'skewed': 'at_risk', 'no_reference': 'no_reference'},
    'clock_cause': {'in_sync': 'other_clock', 'skewed': 'jwt_expired', 'no_reference': 'no_reference'},
    'other_cause': {'in_sync': 'not_the_clock', 'skewed': 'not_only_the_clock', 'no_reference': 'no_reference'},
    'unreachable': {'in_sync': 'aem_unreachable', 'skewed': 'aem_unreachable', 'no_reference': 'no_reference'},
    # Bad input (password, agent names, address): corrected by people before anything is changed.
    'not_testable': {'in_sync': 'not_testable', 'skewed': 'not_testable', 'no_reference': 'not_testable'},
}

# AEM complains of a clock, yet its clock and this host's are both right: the message is no reason to touch either.
CLOCK_IS_RIGHT_BY_NOW = (
    "AEM's clock and this host's are right: if either was corrected a moment ago, run again; "
    "if not, look at the validity of the integration's certificate and JWT in AEM's and Adobe's consoles"
)

# AEM's own words speak of the modules' options; these are the role's.
OPTIONS_TO_CORRECT = {
    'unauthorized': 'fix_bp_jwt_aem_user and fix_bp_jwt_aem_password',
    'unknown_agent': 'fix_bp_jwt_agents',
    'no_agents': 'fix_bp_jwt_agents',
    'not_aem': 'fix_bp_jwt_aem_url',
}

UNREACHABLE = ('unreachable', 'starting')


def decide(
    health: t.Mapping[str, t.Any],
    time_service: dict[str, t.Any] | None = None,
    fix_at_risk: bool = True,
    accept_unverified: bool = False,
) -> dict[str, t.Any]:
    """The verdict on one host.

    `health` is what brand_portal_health returned (`skew`, `tests`, `aem`); `time_service` what time_service_info did,
    once that was asked. Returns `state`, `repair` (shall the clock be corrected), `healthy`, `summary` (one sentence
    of what is the case, with figures), `next_step` ('' where nothing is left to do) and `cause` (the id of the
    first failing agent's cause, '' when none fails). Offsets are reference − host, in seconds.
    """
    skew, tests, aem = health['skew'], health.get('tests') or [], health.get('aem') or {'state': 'ok', 'message': ''}
    failing = [test for test in tests if not test['succeeded']]
    state = _state(skew, tests, aem['state'], time_service, accept_unverified)
    rule = STATES[state]
    repair = rule.repair and skew['verdict'] == 'skewed' and (state != 'at_risk' or fix_at_risk)
    return {
        'state': state,
        'repair': repair,
        'healthy': rule.healthy,
        'cause': failing[0]['cause'] if failing else '',
        'summary': _summary(state, skew, failing, aem, time_service, accept_unverified),
        'next_step': _next_step(state, rule, failing, aem),
    }


def _state(
    skew: dict[str, t.Any],
    tests: list[dict[str, t.Any]],
    aem_state: str,
    time_service: dict[str, t.Any] | None,
    accept_unverified: bool,
) -> str:
    agents = _what_agents_say(tests, aem_state)
    clock = _what_clock_says(skew, accept_unverified)
    aem_clock = _aem_against_host(skew)
    if clock == 'skewed' and aem_clock == 'differs':
        return 'other_clock'
    if clock == 'in_sync' and aem_clock == 'same' and agents == 'clock_cause':
        return 'not_the_clock'
    state = TABLE[agents][clock]
    if STATES[state].repair and clock == 'skewed' and time_service and not time_service.get('may_set_clock', True):
        return 'cannot_set_clock'
    return state


def _what_agents_say(tests: list[dict[str, t.Any]], aem_state: str) -> str:
    if aem_state != 'ok':
        return 'unreachable' if aem_state in UNREACHABLE else 'not_testable'
    if not tests:
        return 'not_testable'
    relations = {test['clock_related'] for test in tests if not test['succeeded']}
    if not relations:
        return 'answered_200'
    return 'other_cause' if 'no' in relations else 'clock_cause'


def _what_clock_says(skew: dict[str, t.Any], accept_unverified: bool) -> str:
    """A clock that looks wrong to unverified references only is not called wrong, unless that is asked for."""
    if skew['verdict'] == 'skewed' and not (skew['verified'] or accept_unverified):
        return 'no_reference'
    return skew['verdict'] if skew['verdict'] in ('in_sync', 'skewed') else 'no_reference'


def _aem_against_host(skew: dict[str, t.Any]) -> str:
    """Does AEM's own Date agree with the host's clock: same, differs, or unknown (no agent got an answer)."""
    agents = [source for source in skew['sources'] if source['kind'] == 'agent']
    if not agents:
        return 'unknown'
    return 'same' if all(source['accepted'] for source in agents) else 'differs'


def _summary(
    state: str,
    skew: dict[str, t.Any],
    failing: list[dict[str, t.Any]],
    aem: dict[str, t.Any],
    time_service: dict[str, t.Any] | None,
    accept_unverified: bool,
) -> str:
    parts = [STATES[state].meaning, skew['message']]
    if state == 'no_reference':
        if skew['verdict'] == 'skewed' and not accept_unverified:
            parts.append('too few references agree to repair a clock on their word (skew.verified is false)')
        parts += [f'{source["source"]}: {source["reason"]}' for source in skew['sources'] if source['reason']]
    if state == 'cannot_set_clock' and time_service:
        parts.append(time_service['clock_owner'])
    if aem['state'] in UNREACHABLE:
        parts.append(aem['message'])
    if failing:
        parts.append(f'{failing[0]["agent"]}: {failing[0]["evidence"]}')
    return '; '.join(part.rstrip('.') for part in parts if part)


def _next_step(state: str, rule: State, failing: list[dict[str, t.Any]], aem: dict[str, t.Any]) -> str:
    """The rule's own next step, or the advice of whoever knows the cause: the test, or the access to AEM."""
    if state == 'not_the_clock' and failing[0]['clock_related'] != 'no':
        return CLOCK_IS_RIGHT_BY_NOW
    if state in ('not_the_clock', 'not_only_the_clock'):
        return next((test['advice'] for test in failing if test['clock_related'] == 'no'),
                    failing[0]['advice'] if failing else '')
    if state == 'not_testable':
        return f'{aem["message"].rstrip(".")} (in this role: {OPTIONS_TO_CORRECT.get(aem["state"], "fix_bp_jwt_aem_url")})'
    if state == 'no_reference':
        return f'{rule.next_step}; a repair on unverified references needs fix_bp_jwt_accept_unverified=true'
    return rule.next_step
