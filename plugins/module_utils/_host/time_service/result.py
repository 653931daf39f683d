# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the result of the module from the undo log, with the same keys in every outcome."""

import re
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.base import Status
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.guest_sync import ACT
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.plan import Plan
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.undo_log import Entry, actions, changed

HIDDEN = '********'
# Prefixes of keys (chrony.conf(5), keyfile), without which a message may show them.
_ENCODINGS = ('HEX:', 'ASCII:')
# How Python keeps such bytes: surrogateescape.
_NOT_UTF8 = re.compile('[\ud800-\udfff]')
RTC_LEFT_ALONE = {'device': '', 'written': False, 'reason': 'The daemon has not set the clock.'}
_OF_STEP = ('changed', 'before', 'after', 'rtc', 'stopped', 'msg', 'advice')


class TimeServiceFailed(Exception):
    """The run failed; details has the same keys as a success."""

    def __init__(self, message: str, details: Dict[str, Any]) -> None:
        super().__init__(message)
        self.details = details


def blank() -> Dict[str, Any]:
    """Return the result of a run without findings and acts."""
    return {
        'changed': False, 'synchronized': False, 'reason': '', 'advice': '', 'provider': '', 'unit': '', 'residual_offset': None,
        'sources': [], 'actions': [], 'acts': [], 'restored': True, 'problems': [], 'backups': {}, 'stopped': [],
        'downtime': 0.0, 'disabled': [], 'unmasked': False, 'recovered': '', 'journal': [], 'rtc': dict(RTC_LEFT_ALONE), 'diff': []}


def of_log(entries: Sequence[Entry]) -> Dict[str, Any]:
    """Return the keys of the result that follow from the acts."""
    return {
        'changed': changed(entries),
        'actions': actions(entries),
        'acts': [entry.shown() for entry in entries],
        'backups': {entry.how['of']: entry.target for entry in entries
                    if entry.act == 'file' and entry.how.get('of') and entry.stays},
        'disabled': [entry.target for entry in entries if entry.stays and (
            entry.act == 'unit' and entry.how.get('competitor') or entry.act == ACT)],
        'unmasked': any(entry.act == 'unit' and entry.after.get('masked') is False and entry.stays for entry in entries),
    }


def of_step(step: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the keys of the result that follow from a step of the clock in the same call."""
    stopped = step.get('stopped') or {}
    found = {'clock': {key: step[key] for key in _OF_STEP if key in step}, 'stopped': list(stopped.get('units') or []),
             'downtime': float(stopped.get('seconds') or 0.0)}
    if step['changed'] and 'rtc' in step:
        found['rtc'] = step['rtc']
    return found


def of_plan(plan: Plan, status: Optional[Status], synchronized: bool, pushers: Sequence[str], sources: List[str],
            right: bool) -> Dict[str, Any]:
    """Return the keys of the result that describe the daemon, with the next step if it does not keep the clock.

    right: whether this run has measured that the clock is right.
    """
    unit = plan.daemon['unit']
    advice = '' if synchronized or not status else status.advice
    if synchronized and status:
        message = f'{unit} keeps the clock right: {status.msg}.'
    elif status:
        begin = 'The clock is right now, but nothing keeps it right' if right else 'Nothing keeps the clock right'
        message = f'{begin}: {unit} is configured and enabled, but {status.msg}.'
    else:
        message = f'No time daemon keeps the clock right: {unit} does not run.'
    if pushers:
        message += f" This clock is also set by {', '.join(pushers)}."
    return {'provider': plan.daemon['name'], 'unit': unit, 'synchronized': synchronized, 'msg': message, 'advice': advice,
            'reason': '' if synchronized or not status else status.reason, 'sources': sources,
            'residual_offset': round(status.residual_offset, 6) if status and status.synchronized else None}


def hidden(value: Any, secrets: Sequence[str]) -> Any:
    """Return the value with every secret in it hidden, and with U+FFFD for each byte of a file that is not UTF-8.

    ansible-core 2.19 and later fails a task with such a result, after the host was changed.
    """
    if isinstance(value, str):
        bare = [secret.partition(':')[2] for secret in secrets if secret.upper().startswith(_ENCODINGS)]
        for secret in sorted({*secrets, *bare} - {''}, key=len, reverse=True):
            value = value.replace(secret, HIDDEN)
        return _NOT_UTF8.sub('\ufffd', value)
    if isinstance(value, dict):
        return {key: hidden(each, secrets) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [hidden(each, secrets) for each in value]
    return value
