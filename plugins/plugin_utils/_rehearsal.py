# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rehearsal of a repair: the checks of one host, and the table of all hosts. Pure."""

from __future__ import annotations

import re
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _aem_guard as aem_guard
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._option_names import in_role_words

Check = dict[str, t.Any]
Result = t.Mapping[str, t.Any]

# States of a host in which a repair could be proven, because a repair solves all problems of the host.
PROVABLE = ('healthy', 'at_risk', 'jwt_expired', 'interrupted', 'unfinished', 'not_kept', 'stop_deferred')
HEADINGS = ('host', 'state', 'stops', 'time daemon', 'changes', 'obstacle', 'what to do')
_NO_TTY = re.compile(r'must have a tty|no tty present|requiretty')
_PASSWORD = re.compile(r'(?i)missing .*password|password is required|incorrect .*password')


def check(name: str, found: str, advice: str = '', passed: bool = False) -> Check:
    return {'check': name, 'passed': passed, 'found': found.rstrip('.'), 'advice': advice.rstrip('.')}


def measured(result: Result) -> Check:
    """Check whether a repair of this host could be proven."""
    if result['state_before'] in PROVABLE:
        return check('proof', 'the clock can be measured and the agents can be tested', passed=True)
    return check('proof', f'{result["state_before"]}: {result["summary"]}', result['next_step'])


def looked(said: Result) -> list[Check]:
    """Return the failed check of the first call that becomes root; [] if it succeeded."""
    if not said.get('failed') and not said.get('unreachable'):
        return []
    told = (said.get('msg') or said.get('exception'), said.get('module_stderr'), said.get('module_stdout'))
    text = ' '.join(' '.join(str(part) for part in told if part).split())
    if _NO_TTY.search(text):
        advice = ('take requiretty out of sudoers for this account ("Defaults:ACCOUNT !requiretty"), or set '
                  'fix_bp_jwt_pipelining=false for this host (SECURITY.md says what that shows)')
    elif _PASSWORD.search(text):
        advice = 'give --ask-become-pass or ansible_become_password, or let the account use sudo without one (SECURITY.md)'
    else:
        advice = 'let the account of Ansible become root on this host (SECURITY.md lists the sudoers lines)'
    return [check('become', text[:300] or 'become failed', advice)]


def daemon(said: Result) -> Check:
    """Return the check from the result of time_service in check mode."""
    if said.get('failed'):
        text = str(said.get('msg') or 'time_service failed')
        advice = in_role_words(str(said.get('advice') or 'correct it on this host'))
        return check('time_daemon', text.replace(' Nothing was changed.', ''), advice)
    daemon, unit = said.get('provider') or 'a time daemon', said.get('unit') or 'no unit yet'
    return check('time_daemon', f'{daemon} would keep the clock ({unit})', passed=True)


def of_time_sync(values: t.Mapping[str, t.Any], specification: t.Mapping[str, t.Any]) -> tuple[dict[str, t.Any], list[Check]]:
    """Return the values that the role time_sync accepts, and a failed check for each other one."""
    fit: dict[str, t.Any] = {}
    checks = []
    for name, value in values.items():
        validator = ArgumentSpecValidator({name: specification[name]})
        said = validator.validate({name: value}, validate_role_argument_spec=True).error_messages
        if value is None:
            checks.append(check('time_daemon', f'{name} has no value', 'give it one, or take it out of the inventory'))
        elif said:
            checks.append(check('time_daemon', '; '.join(said), f'correct {name} in the inventory'))
        else:
            fit[name] = value
    return fit, checks


def each_once(daemon: Check, others: t.Sequence[Check]) -> list[Check]:
    """Return the checks without duplicates from two modules: the host may not set its clock, or an option is wrong."""
    others = [{**each, 'found': in_role_words(each['found']), 'advice': in_role_words(each['advice'])} for each in others]
    if any(not each['passed'] and each['check'] == 'clock' and each['found'] in daemon['found'] for each in others):
        return others
    return [daemon, *(each for each in others if each['passed'] or each['found'] != daemon['found'])]


def aem(decided: Result) -> Check | None:
    """Return the failed check if AEM could not be stopped for a clock that is an hour off; None if it can."""
    if decided['state'] in (aem_guard.CANNOT_STOP, aem_guard.DEFERRED):
        return check('service', decided['summary'], decided['next_step'])
    return None


def conclude(result: Result, checks: t.Sequence[Check], **plan: t.Any) -> dict[str, t.Any]:
    """Return the host's result with its rehearsal. plan: stops (units), provider, actions."""
    obstacles = [each for each in checks if not each['passed']]
    rehearsal = {'checks': list(checks), 'stops': list(plan.get('stops') or []), 'provider': plan.get('provider') or '',
                 'actions': list(plan.get('actions') or [])}
    last = {**result, 'rehearsal': rehearsal, 'passed': not obstacles, 'concluded': True, 'repair_due': False}
    said = '; '.join(f'{each["check"]}: {each["found"]}' for each in obstacles)
    last['next_step'] = '; '.join(dict.fromkeys(each['advice'] for each in obstacles if each['advice']))
    last['message'] = f'{result["host"]}: no obstacle to a repair was found.'
    if obstacles:
        number = f'{len(obstacles)} obstacle{"s" if len(obstacles) > 1 else ""}'
        last['message'] = f'{result["host"]}: a repair would meet {number}: {said}. Next: {last["next_step"]}.'
    return last


def short(text: str, width: int = 100) -> str:
    """Truncate a sentence that would make the table too wide; the report has all of it."""
    return text if len(text) <= width else text[:width - 1].rstrip() + '…'


def table(rows: t.Iterable[Result]) -> list[str]:
    """Return a line for each host, and one for each further obstacle, for a change advisory board."""
    lines = [HEADINGS]
    for row in rows:
        found = row.get('rehearsal')
        if not found:
            lines.append((row['host'], str(row.get('state_after')), '-', '-', '-', short(row.get('error') or 'not rehearsed'),
                          short(row.get('next_step') or '-')))
            continue
        obstacles = [each for each in found['checks'] if not each['passed']] or [check('-', 'none', '-', True)]
        for number, each in enumerate(obstacles):
            words = each['found'] if each['passed'] else f'{each["check"]}: {short(each["found"])}'
            first = (row['host'], str(row.get('state_before')), ', '.join(found['stops']) or '-', found['provider'] or '-',
                     str(len(found['actions']))) if not number else ('',) * 5
            lines.append((*first, words, short(each['advice']) or '-'))
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS) - 2)]
    return ['  '.join([*(cell.ljust(width) for cell, width in zip(line, widths)), ' -> '.join(line[-2:])
                       if line[-1] != '-' else line[-2]]).rstrip() for line in lines]
