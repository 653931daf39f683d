# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is guessed from how far a clock is off, and what must not be guessed."""

from __future__ import annotations

import pytest

from ansible_collections.aemops.brand_portal.plugins.plugin_utils._skew_causes import (
    drift_hint,
    hints,
    in_hours,
    zone_hint,
)
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._times import in_two_figures

BERLIN, NEW_YORK, INDIA, NEPAL, UTC = [7200, 3600], [-18000, -14400], [19800], [20700], [0]


@pytest.mark.parametrize(('offset', 'zones', 'local', 'said'), [
    # Ahead by the zone: the clock holds local time as UTC. East of Greenwich that is ahead, west of it behind.
    (-7200.4, BERLIN, False, 'local time was taken for UTC'),
    (-3630.0, BERLIN, False, 'local time was taken for UTC'),     # set in winter, found in summer
    (18000.0, NEW_YORK, False, 'local time was taken for UTC'),
    (-19800.0, INDIA, False, 'zone (+5:30 h): local time was taken for UTC'),
    (-20700.0, NEPAL, False, 'zone (+5:45 h): local time was taken for UTC'),
    (7200.0, BERLIN, False, 'UTC was taken for local time'),
    (-18000.0, NEW_YORK, False, 'zone (-5 h): UTC was taken for local time'),
    (19801.0, INDIA, True, 'LOCAL: the hardware clock holds UTC'),
    (-19801.0, INDIA, True, 'LOCAL: local time was taken for UTC'),
    (3590.0, NEW_YORK, False, 'between summer and winter time'),
    (10800.5, INDIA, False, 'off by exactly 3 h'),
    (-12600.0, UTC, False, 'off by exactly 3 h 30 min,'),
    (-900.0, UTC, False, 'off by exactly 15 min,'),
    # Nothing to see here.
    (-7300.0, BERLIN, False, None),
    (120.0, BERLIN, False, None),
    (0.4, BERLIN, False, None),
    (907.0, UTC, False, None),
    (86400.0, UTC, False, None),
    (303177009.0, BERLIN, False, None),
    (7200.0, [], False, 'off by exactly 2 h'),
])
def test_a_skew_that_is_a_zone(offset, zones, local, said):
    hint = zone_hint(offset, zones, local)
    assert (said in hint.fact) if said else hint is None, hint


@pytest.mark.parametrize(('offset', 'days', 'said', 'advice'), [
    (17.28, 4, 'since the last repair (2026-11-21) it drifted by 17.3 s in 4 d: 50 ppm', 'no time daemon corrected it'),
    (-86.4, 4, 'drifted by 86.4 s in 4 d: 250 ppm', 'no time daemon corrected it'),
    (864.0, 4, 'drifted by 14.4 min in 4 d: 2500 ppm, more than an oscillator can', 'hypervisor'),
])
def test_a_clock_that_ran_away_again(offset, days, said, advice):
    hint = drift_hint(offset, f'2026-11-{21 + days}T12:00:00.000Z', {'at': '2026-11-21T12:00:00.000Z', 'offset': 9.0})
    assert said in hint.fact
    assert advice in hint.advice


@pytest.mark.parametrize(('now', 'last'), [
    ('2026-11-25T12:00:00.000Z', {}),
    ('2026-11-25T12:00:00.000Z', {'at': '2026-11-25T11:55:00.000Z'}),    # the repair before this one, minutes ago
    ('2026-11-25T12:00:00.000Z', {'at': '2027-11-25T11:55:00.000Z'}),
    ('2026-11-25T12:00:00.000Z', {'at': 'nonsense'}),
    (None, {'at': '2026-11-21T12:00:00.000Z'}),
])
def test_no_drift_is_guessed(now, last):
    assert drift_hint(100.0, now, last) is None


def test_the_strongest_comes_first_and_who_pushes_time_is_named():
    host = {'zone_offsets': BERLIN, 'rtc_local': False, 'hypervisor_time_sources': ['VMware tools'],
            'last_repair': {'at': '2026-11-21T12:00:00.000Z', 'offset': -7200.0}}
    facts = [hint.fact for hint in hints(-7200.0, '2026-11-25T12:00:00.000Z', host)]
    assert ['zone' in facts[0], 'drifted' in facts[1], facts[2]] == [True, True, 'VMware tools may set this clock too']
    assert hints(-7100.0, '2026-11-25T12:00:00.000Z', {}) == []


def test_words():
    assert [in_hours(zone) for zone in (19800, -12600, 3600)] == ['+5:30 h', '-3:30 h', '+1 h']
    assert [in_two_figures(size) for size in (-3.25, 125, 7200, 86400 * 12.5)] == ['3.2 s', '2.1 min', '2 h', '12.5 d']


@pytest.mark.parametrize(('rtc', 'store', 'waits', 'told'), [
    ('', 'document', False, True), ('', 'document', True, False), ('', 'segment', False, False),
    ('/dev/rtc0', 'document', False, False)])
def test_a_boot_with_a_wrong_clock_that_ends_a_document_store_is_told_of(rtc, store, waits, told):
    host = {'rtc': rtc, 'aem': {'store': store}}
    found = [hint for hint in hints(3 * 86400.0, None, host, waits) if 'no hardware clock' in hint.fact]
    assert bool(found) is told
    assert not told or 'time_sync_wait_at_boot=true and fix_bp_jwt_aem_after_time_sync=true' in found[0].advice
    assert not any('hardware clock' in hint.fact for hint in hints(3 * 86400.0, None, {}))
