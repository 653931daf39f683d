# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run says of its hosts: one result for each, and the table at the end. Pure; asks nobody."""

from __future__ import annotations

import typing as t

HEADINGS = ('host', 'clock before -> after', 'agents 200', 'state', 'what to do next')
NO_RESULT = {
    'clock': '-', 'agents': '-', 'state': 'no result',
    'next_step': 'this host was unreachable or failed before it was measured: see its own message above',
}


def sum_up(
    host: str,
    before: dict[str, t.Any],
    after: dict[str, t.Any],
    verdict: dict[str, t.Any],
    proof: dict[str, t.Any],
    error: str = '',
    foretold: bool = False,
) -> dict[str, t.Any]:
    """The result of one host: what the fact fix_bp_jwt_result holds.

    `before` and `after` are results of brand_portal_health (`after` is {} where nothing was repaired), `verdict`
    and `proof` the verdicts on them, `error` what stopped a repair, `foretold` whether this is check mode.
    `passed`: proven healthy, or in check mode a host that a run would repair.
    """
    would_repair = foretold and verdict['repair'] and not error
    proven = proof['healthy'] and not error
    next_step = 'run without --check' if would_repair else '' if proven else proof['next_step'] or verdict['next_step']
    result = {
        'host': host,
        'passed': proven or would_repair,
        'state_before': verdict['state'],
        'state_after': proof['state'],
        'repaired': bool(after) and proven,
        'offset_before': before['skew']['offset'],
        'offset_after': after['skew']['offset'] if after else None,
        'agents_before': count_answered(before),
        'agents_after': count_answered(after) if after else None,
        'cause': verdict['cause'],
        'error': error,
        'summary': proof['summary'],
        'next_step': next_step,
    }
    result['message'] = _message(result)
    return result


def count_answered(health: dict[str, t.Any]) -> dict[str, int]:
    """How many agents were answered 200, of how many tested."""
    tests = health.get('tests') or []
    return {'answered': sum(1 for test in tests if test['succeeded']), 'tested': len(tests)}


def _message(result: dict[str, t.Any]) -> str:
    parts = [f'{result["host"]}: {result["state_after"]}: {result["summary"]}']
    if result['error']:
        parts.append(f'The repair stopped: {result["error"]}')
    if result['next_step']:
        parts.append(f'Next: {result["next_step"]}')
    return '. '.join(part.rstrip('.') for part in parts) + '.'


def table(results: t.Iterable[dict[str, t.Any]], hosts: t.Iterable[str]) -> list[str]:
    """The table at the end, a line a host in the order of `hosts`; a host without a result is shown as such."""
    by_host = {result['host']: result for result in results}
    rows = [HEADINGS] + [_row(host, by_host.get(host)) for host in hosts]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS) - 1)]
    lines = ['  '.join([cell.ljust(width) for cell, width in zip(row, widths)] + [row[-1]]) for row in rows]
    return [line.rstrip() for line in lines]


def _row(host: str, result: dict[str, t.Any] | None) -> tuple[str, ...]:
    if result is None:
        return (host, NO_RESULT['clock'], NO_RESULT['agents'], NO_RESULT['state'], NO_RESULT['next_step'])
    clock, agents, state = in_words(result['offset_before']), _of(result['agents_before']), result['state_before']
    if result['agents_after'] is not None:
        clock += f' -> {in_words(result["offset_after"])}'
        agents += f' -> {_of(result["agents_after"])}'
        state += f' -> {result["state_after"]}'
    return (host, clock, agents, state, result['next_step'] or '-')


def _of(agents: dict[str, int]) -> str:
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
    rest, parts = int(size), []
    for name, seconds in units:
        count, rest = divmod(rest, seconds)
        if count:
            parts.append(f'{count} {name}')
    return f'{" ".join(parts[:2])} {side}'
