# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NTP's eras: any moment from 1995 to 2128 comes back as it was written, whatever the host's clock says."""

import calendar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.era import PIVOT, ntp_timestamp, unix_time


def unix(*moment):
    return calendar.timegm(moment)


@given(st.integers(unix(1993, 1, 1, 0, 0, 0), unix(2128, 1, 1, 0, 0, 0)), st.integers(0, 2**32 - 1))
def test_every_second_of_the_window_comes_back(seconds, fraction):
    timestamp = ((seconds + 2208988800) % 2**32) << 32 | fraction
    assert abs(unix_time(timestamp) - (seconds + fraction / 2**32)) <= 5e-7


@given(st.floats(unix(1993, 1, 1, 0, 0, 0), unix(2128, 1, 1, 0, 0, 0)))
def test_writing_and_reading_are_inverse(moment):
    assert unix_time(ntp_timestamp(moment)) == pytest.approx(moment, abs=5e-7)


@pytest.mark.parametrize('raw, moment', [
    (0xFFFFFFFF << 32, unix(2036, 2, 7, 6, 28, 15)),  # the last second of era 0
    (0, unix(2036, 2, 7, 6, 28, 16)),  # the first one of era 1
    (1 << 32, unix(2036, 2, 7, 6, 28, 17)),
    ((unix(2026, 11, 24, 0, 0, 0) + 2208988800) << 32, unix(2026, 11, 24, 0, 0, 0)),
])
def test_the_end_of_era_0(raw, moment):
    assert unix_time(raw) == moment


def test_the_pivot_is_the_release():
    assert unix(2026, 11, 1, 0, 0, 0) == PIVOT
