# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a clock will be wrong, by the offsets of the last nights."""

from __future__ import annotations

import random

import pytest

from ansible_collections.aemops.brand_portal.plugins.plugin_utils._drift import KEPT_POINTS, history, with_history, wrong_in_days


def night(day, hour=2):
    return f'2026-11-{day:02}T{hour:02}:00:00Z'


def nights(offset, count, width=0.02):
    return [[night(day + 1), offset(day) - width, offset(day) + width] for day in range(count)]


def row(when, offset=0.0, after=None, host='aem1', **more):
    clocks = {'clock_before': {'low': offset - 0.01, 'high': offset + 0.01},
              'clock_after': None if after is None else {'low': after - 0.01, 'high': after + 0.01}}
    return {'host': host, 'reported_at': when, **clocks, **more}


@pytest.mark.parametrize('per_day, days', [(0.4, 12.5), (-0.36, 13.9), (1.2, 4.2), (0.2, 25.0)])
def test_a_drift_says_when_it_will_be_wrong(per_day, days):
    for seen in (3, 4):
        if abs(per_day) * seen < 5:
            assert wrong_in_days(nights(lambda day: per_day * day, seen), 5.0) == pytest.approx(days - seen + 1, abs=0.3)


def test_noise_and_a_standing_offset_say_nothing():
    draw = random.Random('noise')
    for _trial in range(200):
        points = nights(lambda day: draw.uniform(-0.05, 0.05), 7)
        assert wrong_in_days(points, 5.0) is None
    assert wrong_in_days(nights(lambda day: 3.0, 7), 5.0) is None


@pytest.mark.parametrize('points, max_skew', [
    (nights(lambda day: day, 2), 5.0), ([], 5.0), (nights(lambda day: 0.4 * day, 7), None), (nights(lambda day: 2.0 * day, 5), 5.0),
    ([[night(1, hour), hour, hour] for hour in range(4)], 5.0)])
def test_too_few_nights_or_wrong_already(points, max_skew):
    assert wrong_in_days(points, max_skew) is None


def test_the_history_grows_by_a_point_a_run_and_begins_again_with_a_repair():
    points = []
    for day in range(1, 25):
        points = history(points, row(night(day), day / 100))
    assert len(points) == KEPT_POINTS and points[-1] == [night(24), pytest.approx(0.23), pytest.approx(0.25)]
    again = history(points, row('2026-11-24T02:05:00Z', 0.3))      # the same run writes its report again
    assert len(again) == KEPT_POINTS and again[-2][0] == night(23)
    assert history(points, row(night(25), 90.0, after=0.0)) == [[night(25), -0.01, 0.01]]
    assert history(points, {'host': 'aem1', 'reported_at': night(25), 'clock_before': None}) == points
    junk = ['junk', [1, 2], ['x', 1, 2], [night(1), None, 'x'], [night(2), 0.0, float('nan')]]
    assert history(junk, row(night(25))) == [[night(25), -0.01, 0.01]]


def test_rows_take_their_history_from_the_former_report():
    former = {'results': [{'host': 'aem1', 'clock_history': nights(lambda day: 0.4 * day, 6)}, {'host': 'aem2'}, 'junk']}
    made = with_history([row(night(7), 2.4), row(night(7), 0.0, host='aem2')], former, 5.0)
    assert [len(each['clock_history']) for each in made] == [7, 1]
    assert made[0]['wrong_in_days'] == pytest.approx(6.5, abs=0.2) and made[1]['wrong_in_days'] is None
    for broken in (None, [], {'results': None}, {'hosts': [{}]}):
        assert with_history([row(night(7))], broken, 5.0)[0]['clock_history'] == [[night(7), -0.01, 0.01]]
