# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table at the end of a run: a line for each host, or for each group if there are many. Pure."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.formatting import offset_text
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _rehearsal as rehearsal
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report.document import rows_of, shaped
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._result import (
    AFTER_AN_ERROR,
    NO_RESULT,
    UNREACHABLE,
    WITHOUT_RESULT,
)
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._ssh_words import words_of_ssh

HEADINGS = ('host', 'clock before -> after', 'kept by', 'agents 200', 'state', 'what to do next')
FEW = 10  # hosts, of which each is worth a paragraph


def last_words(result: t.Mapping[str, t.Any], not_passed: int, group: int = 0) -> str:
    """Message of a host that did not pass. The more such hosts there are (`not_passed`), the shorter it is.

    group: the number of the host's group in the table, 0 where the hosts have a line each.
    """
    if not_passed <= FEW:
        return result['message']
    if group:
        return f'no. {group}'  # of the table; with ansible-core's own words around it, more would be too much
    said = what_next(result) if result['next_step'] else result['error'] or result['summary']
    return rehearsal.short(f'{result["state_after"]}: {said}')


# Next steps that send the reader to the error, which is the better cell then.
SEE_THE_ERROR = (AFTER_AN_ERROR, *(step for _summary, step in WITHOUT_RESULT.values()))
_NUMBER = re.compile(r'\d+')


def what_next(host: t.Mapping[str, t.Any], width: int = 200) -> str:
    """Return the next step in one line, or the error if the step is to correct it; '-' if there is none."""
    error, step = str(host.get('error') or ''), host.get('next_step')
    if error and step in SEE_THE_ERROR:
        step = words_of_ssh(error)
    return rehearsal.short(' '.join(str(step or '-').split()), width)


def table(report: t.Mapping[str, t.Any], at_most: int = 50) -> list[str]:
    """Return the lines of the table at the end: one for each host, and why no further repair was begun.

    With more than `at_most` hosts, one line sums up those that passed without a repair and have no next step.
    """
    hosts, counts = [host for host in shaped(report) if not host.get('age')], report['counts']
    if report['mode'] == 'rehearse':
        known = {row['host']: row for row in rows_of(report)}
        return [*rehearsal.table(known.get(host['host'], host) for host in hosts), in_figures(counts)]
    loud = hosts if len(hosts) <= at_most else _loud(hosts)
    quiet = len(hosts) - len(loud)
    foreseen = sum(bool(row.get('passed')) and not row.get('healthy', True) for row in rows_of(report) if not row.get('age'))
    if len(loud) > at_most:
        passed_more = [f'{quiet} more hosts passed and are not listed.'] if quiet else []
        return [*_in_groups(grouped(report, at_most)), *passed_more, *_stops(report, at_most), in_figures(counts, foreseen),
                *_of_the_run(report)]
    rows = [HEADINGS] + [_row(host) for host in loud] if loud else []
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS) - 1)] if rows else []
    lines = ['  '.join([cell.ljust(width) for cell, width in zip(row, widths)] + [row[-1]]).rstrip() for row in rows]
    if quiet:
        lines.append(f'{quiet} {"more " if rows else ""}hosts passed and are not listed.')
    lines += _stops(report, at_most)
    if not counts['hosts']:
        lines.append('No host was in this run.')
    elif len(hosts) != counts['hosts'] or counts['hosts'] > 1:
        lines.append(in_figures(counts, foreseen))
    return lines + _of_the_run(report)


def _of_the_run(report: t.Mapping[str, t.Any]) -> list[str]:
    kept, stopped = report.get('kept'), report['stopped']
    lines = [f'{kept} more host{"s" if kept > 1 else ""} of earlier runs in the report.'] if kept else []
    return [*lines, f'STOPPED: {stopped}.'] if stopped else lines


def _stops(report: t.Mapping[str, t.Any], at_most: int) -> list[str]:
    """Return which services were stopped, and for how long, in a line for each host, or in one line if there are too many.

    A query does not leave out any of them.
    """
    found = [(row['host'], row['changes']) for row in rows_of(report)
             if not row.get('age') and (row.get('changes') or {}).get('stopped')]
    if len(found) <= at_most:
        return [f'{host}: {_stop(changes["stopped"], [changes], report["mode"])}' for host, changes in found]
    units = dict.fromkeys(unit for _host, changes in found for unit in changes['stopped'])
    named = [*list(units)[:3], f'{len(units) - 3} more'] if len(units) > 3 else list(units)
    return [_stop(named, [changes for _host, changes in found], report['mode'], f' on {len(found)} hosts')]


def _stop(units: t.Sequence[str], all_changes: t.Sequence[t.Mapping[str, t.Any]], mode: str, where: str = '') -> str:
    named = ' and '.join(units)
    if mode == 'check':
        return f'{named} would be stopped{where} while the clock is set, and started again.'
    seconds = [f'{downtime:.1f} s' for downtime in sorted(changes.get('downtime') or 0.0 for changes in all_changes) if downtime]
    how_long = f' for {" to ".join(dict.fromkeys([seconds[0], seconds[-1]]))}' if seconds else ''
    return f'{named} was stopped{where}{how_long} while the clock was set.'


def _loud(hosts: t.Sequence[t.Mapping[str, t.Any]]) -> list[t.Mapping[str, t.Any]]:
    """Return the hosts that did not pass, were repaired, or have a next step."""
    return [host for host in hosts if not host.get('passed') or host.get('repaired') or host.get('next_step')]


def grouped(report: t.Mapping[str, t.Any], at_most: int) -> list[list[t.Mapping[str, t.Any]]]:
    """Return groups of hosts by state, cause and next step, the largest first, if there are too many hosts for a line each."""
    hosts = [host for host in shaped(report) if not host.get('age')]
    loud = _loud(hosts)
    groups: dict[tuple[t.Any, ...], list[t.Mapping[str, t.Any]]] = {}
    for host in loud if len(loud) > at_most else []:
        # The same step for another host has another name or address in it, also of another length.
        step = _NUMBER.sub('0', what_next(host, 1000).replace(host['host'], ''))[:150]
        key = host.get('state_before'), host.get('state_after'), host.get('cause'), host.get('repair'), step
        groups.setdefault(key, []).append(host)
    return sorted(groups.values(), key=len, reverse=True)


def numbers(report: t.Mapping[str, t.Any], at_most: int) -> dict[str, int]:
    """Return the number of each host's group in the table; {} if each host has a line, as after a rehearsal."""
    if report['mode'] == 'rehearse':
        return {}
    return {host['host']: number for number, group in enumerate(grouped(report, at_most), 1) for host in group}


def _in_groups(groups: list[list[t.Mapping[str, t.Any]]]) -> list[str]:
    lines = []
    for number, group in enumerate(groups, 1):
        first = group[0]
        names = ', '.join(host['host'] for host in group[:5]) + (f' and {len(group) - 5} more' if len(group) > 5 else '')
        cause = f' ({first["cause"]})' if first.get('cause') else ''
        lines.append(f'no. {number}: {_row(first)[-2]}{cause}: {names}')
        if first.get('next_step'):
            lines.append(f'    as {first["host"]}: {what_next(first, 300)}')
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
    """Return the cells of a host. A report query may have removed keys."""
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
    return (host['host'], clock, kept_by(host), agents, state.replace(NO_RESULT, 'no result'), what_next(host))


def kept_by(host: t.Mapping[str, t.Any]) -> str:
    """'chronyd (192.0.2.20)', 'nothing, wrong in 6.5 d', '-' where it is not known."""
    found = host.get('clock_keeper') or {}
    words = {'not_kept': 'nothing', 'kept': str(found.get('by') or '-')}.get(str(found.get('state')), '-')
    if words != '-' and found.get('source'):
        words += f' ({found["source"]})'
    return words + (f', wrong in {host["wrong_in_days"]:g} d' if host.get('wrong_in_days') is not None else '')


def _of(agents: t.Mapping[str, int]) -> str:
    return f'{agents["answered"]} of {agents["tested"]}'
