# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is decided over many hosts at once."""

from __future__ import annotations

import re

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _fleet as fleet
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _result as host_result


def host(name, offset, verdict=None, width=0.02, max_skew=5.0):
    """A measured host; offset None: no reference could be believed."""
    if offset is None:
        clock = {'verdict': 'unreachable', 'direction': 'unknown', 'offset': None, 'low': None, 'high': None}
    else:
        wrong = abs(offset) - width > max_skew
        clock = {'verdict': verdict or ('skewed' if wrong else 'in_sync'),
                 'direction': ('behind' if offset > 0 else 'ahead') if wrong else 'none',
                 'offset': offset, 'low': offset - width, 'high': offset + width}
    return {'host': name, 'max_skew': max_skew, 'clock_before': clock}


def hosts(*offsets, **settings):
    return [host(f'h{number}', offset, **settings) for number, offset in enumerate(offsets)]


def suspicion(results, percentage=50, at_least=5):
    return fleet.suspicion(results, percentage, at_least)


# The brake


def test_a_fleet_that_is_off_alike_makes_the_reference_suspect():
    said = suspicion(hosts(*[3600.0 + number for number in range(6)], 0.0))
    assert said.startswith('6 of 7 measured clocks are behind by the same amount (1 h behind)')
    assert 'no clock is changed' in said and 'fix_bp_jwt_accept_common_skew=true' in said


def test_ahead_as_well():
    assert '5 of 5 measured clocks are ahead' in suspicion(hosts(*[-90.0] * 5))


@pytest.mark.parametrize(('results', 'why'), [
    (hosts(*[3600.0] * 4), 'fewer than it takes'),
    (hosts(*[3600.0] * 5, *[0.0] * 5), 'just half of them, which is not more'),
    (hosts(*[100.0 * number for number in range(1, 9)]), 'each by another amount'),
    (hosts(*[60.0] * 4, *[-60.0] * 4), 'in two directions'),
    (hosts(*[None] * 8), 'no host was measured'),
    (hosts(*[0.3] * 8), 'all are right'),
    ([], 'no host'),
])
def test_what_is_no_reason_to_suspect_it(results, why):
    assert suspicion(results) == '', why


def test_hosts_without_a_measured_clock_are_no_share_of_it():
    assert '5 of 6 measured' in suspicion(hosts(*[3600.0] * 5, 0.0, *[None] * 20))


def test_unreachable_hosts_are_passed_over():
    results = [*hosts(*[3600.0] * 5), host_result.without_result('gone', {'unreachable': True})]
    assert '5 of 5 measured' in suspicion(results)


def test_the_share_and_the_number_can_be_set():
    results = hosts(*[3600.0] * 3, *[0.0] * 7)
    assert suspicion(results, 29, 3)
    assert not suspicion(results, 30, 3)
    assert not suspicion(results, 29, 4)
    assert not suspicion(hosts(*[3600.0] * 9), 100, 1)


def test_the_same_amount_is_what_one_error_of_the_reference_explains():
    assert len(fleet.common_skew(hosts(100.0, 110.0))[2]) == 2  # the reference is off by 105 s: both are right within 5 s
    assert len(fleet.common_skew(hosts(100.0, 110.1))[2]) == 1
    assert len(fleet.common_skew(hosts(100.0, 110.1, width=0.1))[2]) == 2  # as far as anybody can tell


@given(st.lists(st.floats(-200, 200), max_size=25))
def test_the_largest_set_is_found(offsets):
    results = hosts(*offsets)
    direction, error, alike = fleet.common_skew(results)
    off = [result for result in results if result['clock_before']['verdict'] == 'skewed']

    def explained(value, side):
        return [result['host'] for result in off if result['clock_before']['direction'] == side
                and result['clock_before']['low'] - 5 <= value <= result['clock_before']['high'] + 5]
    best = max((len(explained(result['clock_before'][end] + add, side)) for result in off for side in ('behind', 'ahead')
                for end, add in (('low', -5), ('high', 5))), default=0)
    assert len(alike) == best
    assert alike == (explained(error, direction) if direction else [])


# Batches


@pytest.mark.parametrize(('given', 'sizes'), [
    (['1', '25%', '100%'], ['1', '25%', '100%']), ([1, '25%'], ['1', '25%']), (2, ['2']), ('10%', ['10%']),
    ('1,25%,100%', ['1', '25%', '100%']), ('[1, "25%"]', ['1', '25%']), ("['1', '25%']", ['1', '25%']), ((1, 5), ['1', '5']),
])
def test_serial_however_it_is_given(given, sizes):
    """A survey of AWX gives it as a text, which newer versions of Ansible may have made a tuple of."""
    assert fleet.read_serial(given) == sizes


@pytest.mark.parametrize('given', [0, '0%', 'all', '-1', [], '', [1, 'many'], 1.5, None, True, '٣'])
def test_serial_that_is_none_is_refused(given):
    with pytest.raises(fleet.Serial, match='fix_bp_jwt_serial'):
        fleet.read_serial(given)


def test_a_canary_then_a_quarter_then_the_others():
    names = [f'h{number}' for number in range(20)]
    assert [len(batch) for batch in fleet.batches(names, ['1', '25%', '100%'])] == [1, 5, 14]


def test_the_last_size_is_repeated_and_a_share_is_at_least_one():
    assert fleet.batches(list('abcde'), ['1', '2']) == [['a'], ['b', 'c'], ['d', 'e']]
    assert fleet.batches(list('abc'), ['1%']) == [['a'], ['b'], ['c']]
    assert fleet.batches([], ['1']) == []


SIZES = st.one_of(st.integers(1, 70).map(str), st.integers(1, 100).map('{}%'.format))


@given(st.integers(0, 60), st.lists(SIZES, min_size=1, max_size=4))
def test_every_host_has_its_turn_once(number, serial):
    names = [str(each) for each in range(number)]
    assert [name for batch in fleet.batches(names, serial) for name in batch] == names


# Going on


def outcome(passed, tried=True, before='jwt_expired', after='in_sync', error=''):
    return {'passed': passed, 'tried': tried, 'state_before': before, 'error': error, 'clock_after': {'verdict': after}}


HEALED, FAILED = outcome(True), outcome(False)


@pytest.mark.parametrize(('outcomes', 'percentage', 'stops'), [
    ({}, 0, False),
    ({'a': HEALED}, 0, False),
    ({'a': FAILED}, 0, True),
    ({'a': FAILED}, 100, False),
    ({'a': HEALED, 'b': FAILED}, 49, True),
    ({'a': HEALED, 'b': FAILED}, 50, False),
    ({'a': None}, 0, True),  # it was lost on the way
    ({'a': outcome(False, tried=False)}, 0, False),
    ({'a': outcome(False, tried=False), 'b': FAILED, 'c': HEALED}, 40, True),  # the untried one is no share of it
    ({'a': outcome(False, before='not_only_the_clock')}, 0, False),
    ({'a': outcome(False, before='aem_unreachable')}, 0, False),
    ({'a': outcome(False, before='not_only_the_clock', after='skewed')}, 0, True),
    ({'a': outcome(False, before='not_only_the_clock', error='Start chrony')}, 0, True),
])
def test_when_no_other_repair_is_begun(outcomes, percentage, stops):
    assert bool(fleet.may_go_on(outcomes, percentage)) is stops


def test_it_names_those_that_failed():
    said = fleet.may_go_on({f'h{number}': FAILED for number in range(5)}, 10)
    assert said.startswith('5 of 5 repairs failed (h0, h1, h2 and 2 more), more than fix_bp_jwt_max_fail_percentage=10 allows')


USUAL = st.from_regex(r'(?a:[A-Za-z_][\w.-]{0,20})', fullmatch=True)
# Not the implicit localhost, which is matched by its name, and no name that only its last line break makes different.
NAME = st.one_of(USUAL, st.text(min_size=1)).filter(lambda name: name not in fleet.LOCALHOST and not name.endswith('\n'))


@given(st.lists(NAME, min_size=1, max_size=5, unique=True), NAME, USUAL)
def test_a_pattern_means_just_these_hosts(names, other, group):
    """As ansible-core reads it, which prefers a group to a host in a regular expression."""
    inventory = InventoryManager(DataLoader(), parse=False)
    for name in (*names, other):
        inventory.add_host(name)
    for name in [group, *(name for name in names if re.fullmatch(r'(?a:[A-Za-z_][\w.-]*)', name))]:
        inventory.add_group(name)
        inventory.add_host(other, name)
    inventory.reconcile_inventory()
    assert {host.name for host in inventory.get_hosts(fleet.pattern(names))} == set(names)


def test_a_pattern_of_no_host_means_none():
    assert fleet.pattern([]) == '!all'


@pytest.mark.parametrize(('names', 'expected'), [
    (['localhost'], 'localhost'), (['localhost', 'a 1'], 'localhost,~(a\\U000000201)$'), (['a1', 'localhost'], 'a1,localhost'),
    (['127.0.0.1'], '127.0.0.1'), (['::1'], '::1'), (['1', '127.0.0.1'], '127.0.0.1,~(1)$'), (['True'], 'True,True'),
])
def test_the_localhost_that_no_inventory_names_is_matched_by_its_name_alone(names, expected):
    assert fleet.pattern(names) == expected
