# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One way of writing durations, offsets and intervals."""

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._common import formatting

DAY = 86400


@pytest.mark.parametrize('seconds, text', [
    (0, '0 s'), (0.00004, '0 s'), (0.00021, '0.2 ms'), (-0.0034, '3.4 ms'), (0.01234, '12 ms'), (0.9994, '999 ms'),
    (0.9996, '1.00 s'), (3.214, '3.21 s'), (9.996, '10.0 s'), (59.94, '59.9 s'), (59.96, '1 min'),
    (60, '1 min'), (305, '5 min 5 s'),
    (3600, '1 h'), (12000, '3 h 20 min'), (3605, '1 h'), (DAY, '1 d'), (DAY + 61, '1 d'), (400 * DAY, '1 y 35 d'),
    (3557 * DAY + 75600, '9 y 272 d'), (307839601, '9 y 277 d'),
])
def test_a_duration(seconds, text):
    assert formatting.duration(seconds) == text
    assert formatting.duration(-seconds) == text


@pytest.mark.parametrize('offset, text', [
    (None, 'unknown'), (0.0, '0 s off'), (0.0002, '0.2 ms behind'), (-90, '1 min 30 s ahead'), (3557 * DAY, '9 y 272 d behind'),
])
def test_an_offset(offset, text):
    assert formatting.offset_text(offset) == text


@pytest.mark.parametrize('low, high, text', [
    (-0.0002, 0.0001, 'within 0.2 ms'), (0.0, 0.0, 'within 0 s'), (-0.9, 0.2, 'between 900 ms ahead and 200 ms behind'),
    (1.5, 2.5, 'between 1.50 s and 2.50 s behind'), (-2.5, -1.5, 'between 1.50 s and 2.50 s ahead'),
    (90.01, 90.02, '1 min 30 s behind'), (-90.02, -90.01, '1 min 30 s ahead'),
    (-3.0, 3.0, 'within 3.00 s'),
])
def test_an_interval(low, high, text):
    assert formatting.span(low, high) == text


@pytest.mark.parametrize('seconds, text', [(5.0, '5 s'), (0.5, '0.5 s'), (2592000.0, '2592000 s')])
def test_a_threshold_keeps_its_digits(seconds, text):
    assert formatting.limit(seconds) == text
