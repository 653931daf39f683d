# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decisions about all hosts: whether the reference is plausible, the order of the repairs, and when to stop. Pure."""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.formatting import offset_text

Result = t.Mapping[str, t.Any]

# These hosts have another problem, which they had before and which no repair of a clock solves.
NOT_HEALED_BY_A_CLOCK = ('not_only_the_clock', 'aem_unreachable')
# ansible.constants.LOCALHOST: names for which Ansible makes a host that no inventory has.
LOCALHOST = ('127.0.0.1', 'localhost', '::1')
# Names that have no meaning in a pattern, and that look neither like a number nor like a list of numbers.
_USUAL_NAME = re.compile(r'(?a:[A-Za-z_][\w.-]*)')


class Serial(ValueError):
    """The option fix_bp_jwt_serial cannot be understood."""


def common_skew(results: t.Iterable[Result]) -> tuple[str, float, list[str]]:
    """Return the largest set of hosts whose offsets one error of the reference would explain: (direction, error, names).

    An error e of the reference (seconds, with the sign of an offset: positive makes hosts look behind) explains a host if its clock
    is within max_skew once e is subtracted: some offset in [low, high] is in [e - max_skew, e + max_skew]. Hosts with a correct
    clock or without a reliable reference do not count. Returns ('', 0.0, []) if there are no hosts.
    """
    best: tuple[str, float, list[str]] = ('', 0.0, [])
    for direction in ('behind', 'ahead'):
        spans = [(clock['low'] - result['max_skew'], clock['high'] + result['max_skew'], result['host'])
                 for result, clock in _clocks(results) if clock['verdict'] == 'skewed' and clock['direction'] == direction]
        # The maximum number of overlapping spans is reached at a lower end, because only there another one begins.
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
    """Return the number of hosts whose clock was compared with a reliable reference."""
    return sum(1 for _result, clock in _clocks(results) if clock['verdict'] in ('in_sync', 'skewed'))


def _clocks(results: t.Iterable[Result]) -> t.Iterator[tuple[Result, t.Mapping[str, t.Any]]]:
    for result in results:
        clock = result.get('clock_before')
        if clock and clock['low'] is not None and clock['high'] is not None:
            yield result, clock


def suspicion(results: t.Sequence[Result], percentage: float, at_least: int) -> str:
    """Return why the reference is more likely to be wrong than the clocks; '' if it is not."""
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
    """Parse fix_bp_jwt_serial to a list such as ['2', '25%']. A survey of AWX returns a string, such as '1,25%,100%'."""
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
                f'fix_bp_jwt_serial: {size!r} is neither a positive number of hosts nor a percentage such as 25%. '
                'Set one or several of them, such as [1, 25%, 100%]'
            )
    if not sizes:
        raise Serial('fix_bp_jwt_serial is empty. Set a number of hosts or a percentage, or several, such as [1, 25%, 100%]')
    return sizes


def batches(hosts: t.Sequence[str], serial: t.Sequence[str]) -> list[list[str]]:
    """Divide the hosts as the play keyword serial does: percentages are of all hosts, and the last size is repeated."""
    rest = list(hosts)
    cut: list[list[str]] = []
    while rest:
        size = serial[min(len(cut), len(serial) - 1)]
        count = max(1, len(hosts) * int(size[:-1]) // 100) if size.endswith('%') else int(size)
        cut.append(rest[:count])
        rest = rest[count:]
    return cut


def pattern(hosts: t.Sequence[str]) -> str:
    """Return an Ansible pattern that matches exactly these hosts, with any characters in their names, or no host for [].

    A usual name is given as it is, because Ansible then prefers the host to a group of the same name. In any other name, each
    character that could be special, in the pattern or in its regular expression, is written as its number. The implicit localhost,
    which has the name by which a pattern asked for it, can only be matched by this name.
    """
    if not hosts:
        return '!all'
    usual = dict.fromkeys(name for name in hosts if name in LOCALHOST or _USUAL_NAME.fullmatch(name))
    others = [''.join(each if each.isascii() and each.isalnum() else f'\\U{ord(each):08x}' for each in name)
              for name in hosts if name not in usual]
    said = ','.join([*usual, *([f'~({"|".join(others)})$'] if others else [])])
    # Up to ansible-core 2.18, a template whose whole result is True or False is a boolean.
    return f'{said},{said}' if said in ('True', 'False') else said


def went_wrong(result: Result | None) -> bool | None:
    """Return whether the repair of a host failed; None if it was not tried, because the host may not set its clock.

    result: None if the host was lost during the repair.
    """
    if result is None:
        return True
    if not result['tried']:
        return None
    clock = result['clock_after'] or {}
    alone = result['state_before'] in NOT_HEALED_BY_A_CLOCK and clock.get('verdict') == 'in_sync' and not result['error']
    return not (result['passed'] or alone)


def may_go_on(outcomes: t.Mapping[str, Result | None], percentage: float) -> str:
    """Return why no further repair may begin after these outcomes; '' if one may. An outcome of None is a lost host."""
    wrong = [host for host, result in outcomes.items() if went_wrong(result)]
    tried = sum(1 for result in outcomes.values() if went_wrong(result) is not None)
    if not wrong or 100.0 * len(wrong) <= percentage * tried:
        return ''
    named = ', '.join(wrong[:3]) + (f' and {len(wrong) - 3} more' if len(wrong) > 3 else '')
    return (
        f'{len(wrong)} of {tried} repair{"s" if tried > 1 else ""} failed ({named}), more than '
        f'fix_bp_jwt_max_fail_percentage={percentage:g} allows, so no further repair was begun. See the messages of '
        f'{"these hosts" if len(wrong) > 1 else "this host"}, then run again'
    )
