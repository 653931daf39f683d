# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a majority says, and that no minority can push the truth out of its bounds."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.marzullo import Interval, intersect

finite = st.floats(-1e9, 1e9)
width = st.floats(0, 100)


def test_two_cliques_of_one_size_keep_both_possibilities():
    # The classical answer, the one largest intersection, would drop [0, 1]; two falsetickers of five can arrange that.
    agreement = intersect([Interval(0, 1), Interval(0, 5), Interval(0, 5), Interval(4, 5), Interval(0.5, 1)])
    assert agreement.bounds == Interval(0, 5)
    three = intersect([Interval(0, 2), Interval(1, 8), Interval(7, 9)])
    assert three.bounds == Interval(1, 8)
    assert three.members == (0, 1, 2)


def test_two_that_contradict_each_other_agree_on_nothing():
    assert intersect([Interval(0, 1), Interval(2, 3)]) is None
    assert intersect([]) is None


def test_a_silent_source_widens_the_bounds_it_could_have_narrowed():
    good, other, falseticker = Interval(-0.01, 0.01), Interval(-0.02, 0.02), Interval(89.9, 90.1)
    assert intersect([good, other, falseticker]).bounds == good
    assert intersect([good, other, falseticker], silent=1).bounds == good  # two of four lie at the most one
    # With two silent ones, two of these three may lie.
    assert intersect([good, other, falseticker], silent=2).bounds == Interval(-0.02, 90.1)
    assert intersect([good, other, falseticker], silent=2).members == (0, 1)


def test_a_narrow_interval_decides_the_estimate():
    agreement = intersect([Interval(-0.5, 0.5), Interval(0.1, 0.102)])
    assert agreement.estimate == pytest.approx(0.101, abs=1e-5)
    assert agreement.bounds == Interval(0.1, 0.102)


def test_a_middle_that_the_others_do_not_allow_counts_for_less():
    """As narrow as the truechimers, and near enough to be a member: but no other interval holds its middle."""
    honest = [Interval(-0.02, 0.02), Interval(-0.021, 0.019), Interval(-0.019, 0.021)]
    agreement = intersect(honest + [Interval(0.015, 0.055)])
    assert agreement.members == (0, 1, 2, 3)
    # Three middles around 0 with three votes each; its own, brought to 0.02, has one.
    assert agreement.estimate == pytest.approx(0.02 / 10)


def test_a_wide_interval_does_not_draw_the_estimate_away():
    """A Date tells the second, three servers the millisecond."""
    servers = [Interval(0.099, 0.101), Interval(0.098, 0.102), Interval(0.097, 0.103)]
    assert intersect(servers + [Interval(-0.85, 0.15)]).estimate == pytest.approx(0.1, abs=1e-4)


@pytest.mark.parametrize('interval, settled', [
    (Interval(-5, 5), True), (Interval(-5, 5.001), False), (Interval(5, 6), False), (Interval(5.001, 6), True),
    (Interval(-9, -5.001), True), (Interval(-9, 9), False),
])
def test_the_interval_not_the_point_clears_the_threshold(interval, settled):
    assert interval.is_conclusive(5) is settled


@given(finite, width, finite, width)
@example(0.0, 1.0, 1.0, 1.0)
def test_overlap_intersection_and_gap_say_the_same(low, wide, other_low, other_wide):
    one, other = Interval(low, low + wide), Interval(other_low, other_low + other_wide)
    assert one.overlaps(other) == (one.intersection(other) is not None) == (one.distance(other) == 0)


def test_intervals_are_closed():
    interval = Interval(1.0, 3.0)
    assert (interval.width, interval.middle) == (2.0, 2.0)
    assert [interval.contains(point) for point in (0.9, 1.0, 2.0, 3.0, 3.1)] == [False, True, True, True, False]
    assert [interval.clamp(point) for point in (0.0, 1.0, 2.5, 3.0, 9.0)] == [1.0, 1.0, 2.5, 3.0, 3.0]
    assert interval.intersection(Interval(3.0, 4.0)) == Interval(3.0, 3.0)
    assert interval.intersection(Interval(3.5, 4.0)) is None
    others = (Interval(5.0, 6.0), Interval(-2.0, -1.0), Interval(2.0, 9.0), Interval(3.0, 4.0))
    assert [interval.distance(other) for other in others] == [2.0, 2.0, 0.0, 0.0]


@pytest.mark.parametrize('threshold, interval, settled', [
    (5, Interval(-5.001, 5), False), (5, Interval(-6, -5), False), (0, Interval(0, 0), True), (0, Interval(-1, 0), False)])
def test_the_threshold_itself_is_within(threshold, interval, settled):
    assert interval.is_conclusive(threshold) is settled


def test_intervals_that_touch_agree_where_they_do():
    agreement = intersect([Interval(0, 1), Interval(1, 2)])
    assert (agreement.bounds, agreement.estimate, agreement.members) == (Interval(1, 1), 1, (0, 1))
    assert intersect([Interval(0, 1), Interval(0.5, 2), Interval(1, 3)]).bounds == Interval(0.5, 2)


def test_a_point_has_the_weight_of_a_microsecond():
    """Not of infinity, and neither of any width."""
    agreement = intersect([Interval(0, 0), Interval(-1e-6, 2e-6), Interval(-3e-6, 3e-6)])
    assert agreement.estimate == pytest.approx(8e-8, rel=1e-6)
    points = intersect([Interval(0.0, 0.0), Interval(-1e-6, 3e-6)])
    assert points.estimate == 0
    assert intersect([Interval(-1, 1), Interval(-1, 3)]).estimate == pytest.approx(1 / 3)


@pytest.mark.parametrize('silent, bounds', [(0, Interval(0, 1)), (1, Interval(0, 1)), (2, Interval(0, 1)), (5, Interval(0, 1))])
def test_one_source_alone_is_its_own_majority(silent, bounds):
    assert intersect([Interval(0, 1)], silent).bounds == bounds


# Over all of them, which takes longest


@st.composite
def votes(draw):
    """(truth, intervals of a majority that hold it, intervals of falsetickers, truechimers that were not heard)."""
    truth = draw(finite)
    honest = [Interval(truth - below, truth + above)
              for below, above in draw(st.lists(st.tuples(width, width), min_size=1, max_size=9))]
    most_liars = len(honest) - 1
    falsetickers = [Interval(low, low + wide)
                    for low, wide in draw(st.lists(st.tuples(finite, width), max_size=most_liars))]
    # Falsetickers that know each other lie best.
    if falsetickers and draw(st.booleans()):
        falsetickers = [Interval(falsetickers[0].low - i / 8, falsetickers[0].high) for i in range(len(falsetickers))]
    unheard = draw(st.integers(0, len(honest) - 1))
    return truth, honest[unheard:], falsetickers, unheard


@given(votes(), st.randoms())
@settings(max_examples=600, deadline=None)
def test_the_truth_is_inside_whatever_a_minority_says_and_whoever_is_silent(case, random):
    truth, honest, falsetickers, unheard = case
    intervals = honest + falsetickers
    random.shuffle(intervals)
    agreement = intersect(intervals, unheard)
    if agreement is None:
        assert unheard, 'a majority was heard, so there is an agreement'
        return
    assert agreement.bounds.low <= truth <= agreement.bounds.high
    assert agreement.bounds.low <= agreement.estimate <= agreement.bounds.high


@given(votes())
@settings(max_examples=300, deadline=None)
def test_every_honest_source_is_a_member_when_all_are_heard(case):
    _truth, honest, falsetickers, unheard = case
    if unheard:
        return
    agreement = intersect(honest + falsetickers)
    assert set(range(len(honest))) <= set(agreement.members)


@given(st.lists(st.tuples(finite, width), min_size=1, max_size=12), st.integers(0, 5), st.randoms())
@settings(max_examples=300, deadline=None)
def test_the_order_does_not_matter(pairs, silent, random):
    intervals = [Interval(low, low + wide) for low, wide in pairs]
    shuffled = list(intervals)
    random.shuffle(shuffled)
    one, other = intersect(intervals, silent), intersect(shuffled, silent)
    assert (one is None) == (other is None)
    if one:
        assert one.bounds == other.bounds
        assert one.estimate == pytest.approx(other.estimate, abs=1e-3)
        assert sorted(intervals[i] for i in one.members) == sorted(shuffled[i] for i in other.members)
