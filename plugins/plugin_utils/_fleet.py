# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decisions about all hosts: whether the reference is plausible, the order of the repairs, and when to stop. Pure."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.formatting import offset_text

Result = t.Mapping[str, t.Any]

# What is wrong with these hosts besides the clock was wrong before, and no repair of a clock could have healed it.
NOT_HEALED_BY_A_CLOCK = ('not_only_the_clock', 'aem_unreachable')


class Serial(ValueError):
    """The option fix_bp_jwt_serial cannot be understood."""


def common_skew(results: t.Iterable[Result]) -> tuple[str, float, list[str]]:
    """The largest set of hosts whose clocks one error of the reference would explain: (direction, error, names).

    An error e of the reference (seconds, signed as an offset: positive makes hosts look behind) explains a host when
    its clock is right within its max_skew once e is taken away: some offset in [low, high] is in [e - max_skew,
    e + max_skew]. Hosts that are right, and those without a believable reference, are not asked. ('', 0.0, []) without any.
    """
    best: tuple[str, float, list[str]] = ('', 0.0, [])
    for direction in ('behind', 'ahead'):
        spans = [(clock['low'] - result['max_skew'], clock['high'] + result['max_skew'], result['host'])
                 for result, clock in _clocks(results) if clock['verdict'] == 'skewed' and clock['direction'] == direction]
        # At some lower end the most spans are open at once, for only there one more opens.
        count = most = 0
        error = 0.0
        for value, closes, _host in sorted([(low, 0, host) for low, _high, host in spans]
                                           + [(high, 1, host) for _low, high, host in spans]):
            count += -1 if closes else 1
            if count > most:
                most, error = count, value
        if most > len(best[2]):
            best = direction, error, [host for low, high, host in spans if low <= error <= high]
    return best


def measured(results: t.Iterable[Result]) -> int:
    """How many of them have a clock that was compared with a believable reference."""
    return sum(1 for _result, clock in _clocks(results) if clock['verdict'] in ('in_sync', 'skewed'))


def _clocks(results: t.Iterable[Result]) -> t.Iterator[tuple[Result, t.Mapping[str, t.Any]]]:
    for result in results:
        clock = result.get('clock_before')
        if clock and clock['low'] is not None and clock['high'] is not None:
            yield result, clock


def suspicion(results: t.Sequence[Result], percentage: float, at_least: int) -> str:
    """Why the reference rather than all these clocks must be wrong; '' where nothing says so."""
    direction, _error, alike = common_skew(results)
    total = measured(results)
    if len(alike) < max(at_least, 1) or 100.0 * len(alike) <= percentage * total:
        return ''
    offsets = sorted(result['clock_before']['offset'] for result in results if result['host'] in set(alike))
    middle = offset_text(offsets[len(offsets) // 2])
    return (
        f'{len(alike)} of {total} measured clocks are {direction} by the same amount ({middle}), '
        'so the reference is more likely to be wrong than all of them, and no clock is changed. '
        'Compare the references with another clock that you trust; if these clocks really are all wrong by this amount, run '
        'again with fix_bp_jwt_accept_common_skew=true'
    )


def read_serial(value: t.Any) -> list[str]:
    """fix_bp_jwt_serial as a list of '2' and '25%'. A survey of AWX gives it as a text, such as '1,25%,100%'."""
    if isinstance(value, str):
        text = value.strip()
        try:
            value = json.loads(text) if text.startswith('[') else text.split(',')
        except ValueError:
            value = text.strip('[]').split(',')
    elif not isinstance(value, (list, tuple)):
        value = [value]
    sizes = [str(size).strip().strip('\'"') for size in value]
    for size in sizes:
        number = size[:-1] if size.endswith('%') else size
        if not number.isascii() or not number.isdigit() or int(number) == 0:
            raise Serial(
                f'fix_bp_jwt_serial: {size!r} is neither a number of hosts (from 1 on) nor a share such as 25%. '
                'Give one or several of them, as [1, 25%, 100%]'
            )
    if not sizes:
        raise Serial('fix_bp_jwt_serial is empty. Give a number of hosts or a share, or several, as [1, 25%, 100%]')
    return sizes


def batches(hosts: t.Sequence[str], serial: t.Sequence[str]) -> list[list[str]]:
    """The hosts cut as the play keyword serial would: shares are of all of them, the last size is repeated."""
    rest = list(hosts)
    cut: list[list[str]] = []
    while rest:
        size = serial[min(len(cut), len(serial) - 1)]
        count = max(1, len(hosts) * int(size[:-1]) // 100) if size.endswith('%') else int(size)
        cut.append(rest[:count])
        rest = rest[count:]
    return cut


def pattern(hosts: t.Sequence[str]) -> str:
    """A pattern of Ansible that means just these hosts, whatever characters their names have; one that means none for [].

    Each character that could mean something, to the pattern or to the regular expression in it, is written as its number. The
    localhost that no inventory names is matched by its name only.
    """
    if not hosts:
        return '!all'
    if 'localhost' in hosts:
        others = [name for name in hosts if name != 'localhost']
        return ','.join(['localhost', pattern(others)] if others else ['localhost'])
    names = (''.join(each if each.isascii() and each.isalnum() else f'\\U{ord(each):08x}' for each in name) for name in hosts)
    return f'~({"|".join(names)})$'


def went_wrong(result: Result | None) -> bool | None:
    """Whether the repair that was begun on a host failed. None: it was found out before that nothing may be tried.

    No result: the host was lost in the middle.
    """
    if result is None:
        return True
    if not result['tried']:
        return None
    clock = result['clock_after'] or {}
    alone = result['state_before'] in NOT_HEALED_BY_A_CLOCK and clock.get('verdict') == 'in_sync' and not result['error']
    return not (result['passed'] or alone)


def may_go_on(outcomes: t.Mapping[str, Result | None], percentage: float) -> str:
    """Why no other repair may be begun after these; '' where it may. None means a host that was lost."""
    wrong = [host for host, result in outcomes.items() if went_wrong(result)]
    tried = sum(1 for result in outcomes.values() if went_wrong(result) is not None)
    if not wrong or 100.0 * len(wrong) <= percentage * tried:
        return ''
    named = ', '.join(wrong[:3]) + (f' and {len(wrong) - 3} more' if len(wrong) > 3 else '')
    return (
        f'{len(wrong)} of {tried} repair{"s" if tried > 1 else ""} failed ({named}), more than '
        f'fix_bp_jwt_max_fail_percentage={percentage:g} allows, so no other was begun. See the messages of '
        f'{"these hosts" if len(wrong) > 1 else "this host"}, then run again'
    )
