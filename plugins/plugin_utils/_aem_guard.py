# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides whether and how AEM is stopped around a step of the clock, and whether it may be stopped now. Pure.

Offsets are reference − host, in seconds.
"""

from __future__ import annotations

import datetime
import re
import shlex
import typing as t
import zoneinfo

from ansible_collections.aemops.brand_portal.plugins.plugin_utils._option_names import in_role_words
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._times import in_two_figures

AUTO = 'auto'
STEP, STOP = 'step', 'stop'
DEFERRED, CANNOT_STOP = 'stop_deferred', 'cannot_stop_aem'

# The effect of a step on a running AEM (Apache Oak: the cluster lease of a document store lasts 120 s of the wall clock).
STEP_UNDER_AEM = (
    'The clock of this host will be stepped by {by} while AEM runs, because {why}. An AEM on a segment store (TarMK) is not '
    'affected. On a document store (MongoDB or a database) {harm}. This run tests AEM afterwards. To stop AEM around the step, '
    '{advice}'
)
HARM = {
    'behind': 'the cluster lease of 120 s counts as lost, and AEM shuts down and does not start again',
    'ahead': 'the cluster lease is not renewed and indexing pauses until time has caught up',
}
# Another AEM of the host than that of fix_bp_jwt_aem_url, or one that was not found there.
ANOTHER = 'the AEM in {home} (PID {pid}), which was not found at fix_bp_jwt_aem_url'
STEP_UNDER_ANOTHER = (
    'The clock of this host will be stepped by {by} under {another}. If it has a document store (MongoDB or a database), {harm}. '
    'To stop it around the step, set fix_bp_jwt_unknown_store=stop.'
)
ANOTHER_STOPPED = '{unit} is stopped around the step, because {another}, {why}'
ANOTHER_CANNOT = '{another}, {why}, and no systemd unit runs it alone, so it cannot be stopped around the step of {by}'
STOP_ANOTHER = ('stop it, run again, and start it afterwards; if it is the AEM of fix_bp_jwt_aem_url, give its own address there '
                'or its unit in fix_bp_jwt_aem_service')
NOT_NAMED = 'fix_bp_jwt_aem_service is empty'
NAME_IT = ('set fix_bp_jwt_aem_service=auto, or give the unit of AEM: "systemctl list-units --all --type=service" lists the units')
STORE_UNKNOWN = 'the repository of AEM is not known'
STOP_UNKNOWN = 'set fix_bp_jwt_unknown_store=stop'
STEPPED_LIVE = 'AEM is not stopped for the step: it runs on a segment store (TarMK; {evidence}), which has no lease to lose'
STOPPED_FOR = '{what} is stopped around the step, because AEM runs on a document store ({evidence}; its lease check is {lease})'
STOPPED_UNKNOWN = '{what} is stopped around the step, because the repository of AEM is not known (fix_bp_jwt_unknown_store=stop)'
CANNOT = ('the step of {by} would end AEM on its document store ({evidence}), and AEM cannot be stopped around it: {reason}')
CANNOT_UNKNOWN = ('AEM must be stopped around the step (fix_bp_jwt_unknown_store=stop), but cannot be: {reason}')
STEP_IT_LIVE = 'to step the clock while AEM runs, set fix_bp_jwt_aem_service to an empty string'
FORBIDDEN = 'fix_bp_jwt_may_stop_aem=false forbids stopping AEM'
OUTSIDE = 'it is {now} in {zone}, and fix_bp_jwt_stop_window={window} is the time in which AEM may be stopped'
ALLOW = 'allow it for this run with fix_bp_jwt_may_stop_aem=true'
WAIT = 'run again within {window} ({zone}), or at once with an empty fix_bp_jwt_stop_window'

# Words that only a shell understands: operators, and redirections.
_OF_A_SHELL = re.compile(r'(?:&&?|\|\|?|;|\d?>{1,2}(?:&\d)?|<|.*;)\Z|\d?>{1,2}[/&\w]')
# ISO 8601 has 24:00 for the end of a day.
_WINDOW = re.compile(r'([01]\d|2[0-3]):([0-5]\d)-(?=\d\d:\d\d\Z)([01]\d|2[0-3]|24(?=:00)):([0-5]\d)')


class Guard(t.NamedTuple):
    """What a repair does with AEM. state: the state that prevents the repair, or ''; why, next_step: those of this state."""

    units: list[str] = []
    program: dict[str, t.Any] = {}     # stop and start (lists of words), pid
    note: str = ''
    warning: str = ''
    state: str = ''
    why: str = ''
    next_step: str = ''


def guard(
    offset: float,
    aem_state: str,
    found: t.Mapping[str, t.Any],
    options: t.Mapping[str, t.Any],
    trusted_now: datetime.datetime | None,
) -> Guard:
    """Decide what to do with AEM around a step by `offset`, which is above the threshold.

    aem_state: that of brand_portal_health_info. found: the key aem of time_service_info, {} before that module has run.
    options: aem_service, aem_unknown_store, aem_stop_command, aem_start_command, may_stop_aem, stop_window, stop_window_zone.
    trusted_now: the correct time. If it is None, because it is not known yet, AEM may be stopped.
    """
    service = options.get('aem_service', '')
    found = {name: in_role_words(value) if name == 'reason' else value for name, value in found.items()}
    if service == AUTO:
        decided = _with_others(offset, _found(offset, aem_state, found, options), found, options)
    elif service:
        decided = Guard(units=[service])
    elif aem_state == 'unreachable':
        decided = Guard()
    else:
        decided = Guard(warning=_warning(offset, NOT_NAMED, NAME_IT))
    if not (decided.units or decided.program) or trusted_now is None:
        return decided
    why, next_step = _not_now(options, trusted_now)
    return decided._replace(state=DEFERRED, why=why, next_step=next_step) if why else decided


def _found(offset: float, aem_state: str, found: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> Guard:
    if not found or (not found['pid'] and aem_state == 'unreachable'):
        return Guard()      # AEM was not searched for yet, or it does not run
    if found['store'] == 'segment':
        return Guard(note=STEPPED_LIVE.format(evidence=found['evidence']))
    known = found['store'] == 'document'
    if not known and options.get('aem_unknown_store', STEP) == STEP:
        reason = found['reason'] or STORE_UNKNOWN
        return Guard(warning=_warning(offset, reason, found['advice'] if found['reason'] else STOP_UNKNOWN))
    commands = {name: shlex.split(options.get(f'aem_{name}_command', '')) for name in ('stop', 'start')}
    by_command = all(commands.values()) and bool(found['pid'])
    if not by_command and not found['stoppable']:
        cannot = CANNOT if known else CANNOT_UNKNOWN
        return Guard(state=CANNOT_STOP, next_step=f'{found["advice"]}; {STEP_IT_LIVE}', why=cannot.format(
            by=in_two_figures(offset), evidence=found['evidence'], reason=found['reason']))
    what = 'AEM' if by_command else found['unit']
    note = (STOPPED_FOR if known else STOPPED_UNKNOWN).format(what=what, evidence=found['evidence'], lease=found['lease_check'])
    if by_command:
        return Guard(program={**commands, 'pid': found['pid']}, note=note)
    return Guard(units=[found['unit']], note=note)


def _warning(offset: float, why: str, advice: str) -> str:
    harm = HARM['behind' if offset > 0 else 'ahead']
    return STEP_UNDER_AEM.format(by=in_two_figures(offset), why=why, harm=harm, advice=advice) + '.'


def _with_others(offset: float, decided: Guard, found: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> Guard:
    """Protect the other AEMs of the host as well: the clock is theirs, too."""
    by, harm = in_two_figures(offset), HARM['behind' if offset > 0 else 'ahead']
    warnings, units, notes = [decided.warning], list(decided.units), [decided.note]
    for other in [] if decided.state else found.get('others') or []:
        another, unit = ANOTHER.format(**other), other['unit']
        why = f'runs on a document store ({other["evidence"]})' if other['store'] == 'document' else 'may run on a document store'
        if other['store'] == 'segment':
            continue
        if other['store'] == 'unknown' and options.get('aem_unknown_store', STEP) == STEP:
            warnings.append(STEP_UNDER_ANOTHER.format(by=by, another=another, harm=harm))
        elif not unit:
            return Guard(state=CANNOT_STOP, why=ANOTHER_CANNOT.format(another=another, why=why, by=by),
                         next_step=f'{STOP_ANOTHER}; {STEP_IT_LIVE}')
        elif unit not in units:
            units.append(unit)
            notes.append(ANOTHER_STOPPED.format(unit=unit, another=another, why=why))
            if not found['pid']:    # most likely the AEM that this warning is about, behind a proxy
                warnings[0] = ''
    return decided._replace(warning=' '.join(filter(None, warnings)), units=units, note='; '.join(filter(None, notes)))


# the time in which AEM may be stopped


def _not_now(options: t.Mapping[str, t.Any], now: datetime.datetime) -> tuple[str, str]:
    """Return (why AEM may not be stopped now, what to do about it), or ('', '') if it may."""
    if not options.get('may_stop_aem', True):
        return FORBIDDEN, ALLOW
    window, zone = options.get('stop_window', ''), options.get('stop_window_zone') or 'UTC'
    if not window or in_window(window, zone, now):
        return '', ''
    here = now.astimezone(zoneinfo.ZoneInfo(zone))
    return OUTSIDE.format(now=here.strftime('%H:%M'), zone=zone, window=window), WAIT.format(window=window, zone=zone)


def in_window(window: str, zone: str, now: datetime.datetime) -> bool:
    """Return whether a moment is in a daily window such as 22:00-05:00, whose end is exclusive."""
    begin, end = _minutes(window)
    here = now.astimezone(zoneinfo.ZoneInfo(zone))
    minute = here.hour * 60 + here.minute
    return begin <= minute < end if begin < end else minute >= begin or minute < end


def complaints(options: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """Yield the errors of these options, which have the names of the role."""
    window, zone = options.get('fix_bp_jwt_stop_window') or '', options.get('fix_bp_jwt_stop_window_zone') or 'UTC'
    if window:
        try:
            _minutes(window)
        except ValueError as error:
            yield f'fix_bp_jwt_stop_window: {error}.'
        try:
            zoneinfo.ZoneInfo(zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            yield (f'fix_bp_jwt_stop_window_zone: the controller has no time zone {zone!r}. Give a name such as Europe/Zurich; '
                   'where the controller lacks them all, install the package tzdata there.')
    commands = {name: options.get(f'fix_bp_jwt_aem_{name}_command') or '' for name in ('stop', 'start')}
    for name, command in commands.items():
        try:
            words = shlex.split(command)
        except ValueError as error:
            yield f'fix_bp_jwt_aem_{name}_command cannot be split into words ({error}).'
            continue
        operator = next((word for word in words if _OF_A_SHELL.match(word)), '')
        if operator:
            yield (f'fix_bp_jwt_aem_{name}_command runs without a shell, which "{operator}" would need. Write a script that does '
                   'it all and give its path, or give sh -c \'...\'.')
    if bool(commands['stop']) != bool(commands['start']):
        yield 'fix_bp_jwt_aem_stop_command and fix_bp_jwt_aem_start_command belong together: give both.'


def _minutes(window: str) -> tuple[int, int]:
    """Return begin and end in minutes of the day. Raises ValueError."""
    match = _WINDOW.fullmatch(str(window).strip())
    if not match:
        raise ValueError(f'{window!r} is not a time window. Write it as 22:00-05:00')
    hours = [int(text) for text in match.groups()]
    begin, end = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
    if begin == end:
        raise ValueError(f'{window} has the same begin and end. Give a window such as 22:00-05:00, or an empty string for any time')
    return begin, end
