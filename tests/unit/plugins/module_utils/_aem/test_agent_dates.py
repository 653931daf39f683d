# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dates of HTTP and of Java."""

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import dates


@pytest.mark.parametrize(
    'text, expected',
    [
        ('Fri, 03 Mar 2017 04:29:05 GMT', '2017-03-03T04:29:05Z'),
        ('Friday, 03-Mar-17 04:29:05 GMT', '2017-03-03T04:29:05Z'),
        ('Fri Mar  3 04:29:05 2017', '2017-03-03T04:29:05Z'),
        (' Thu, 01 Jan 1970 00:00:00 GMT ', '1970-01-01T00:00:00Z'),
        ('Thu, 19 Jan 2040 03:14:08 GMT', '2040-01-19T03:14:08Z'),
        ('Sun, 06-Nov-94 08:49:37 GMT', '1994-11-06T08:49:37Z'),
        ('Sat, 31 Dec 2016 23:59:60 GMT', '2017-01-01T00:00:00Z'),
        ('Fri, 31 Feb 2017 04:29:05 GMT', None),
        ('Fri, 03 Mar 2017 24:29:05 GMT', None),
        ('Fri, 03 Mrz 2017 04:29:05 GMT', None),
        ('Fri, 03 Mar 2017 04:29:05 CET', None),
        ('sometime last Tuesday', None),
        ('', None),
    ],
)
def test_http_date(text, expected):
    assert dates.iso(dates.http_date(text)) == expected


@pytest.mark.parametrize(
    'text, expected',
    [
        ('Sat Mar 04 13:00:00 UTC 2017', '2017-03-04T13:00:00Z'),
        ('Sat Mar 04 13:00:00 CET 2017', '2017-03-04T12:00:00Z'),
        ('Sat Mar 04 13:00:00 EST 2017', '2017-03-04T18:00:00Z'),
        ('Sat Mar 04 13:00:00 GMT-08:00 2017', '2017-03-04T21:00:00Z'),
        ('x: Sat Mar 04 13:00:00 +0530 2017]', '2017-03-04T07:30:00Z'),
        ('Sat Mar 04 13:00:00 CST 2017', None),
    ],
)
def test_java_date(text, expected):
    assert dates.iso(dates.java_date(text)) == expected


def test_iso_of_what_no_calendar_holds():
    assert dates.iso(None) is None
    assert dates.iso(1e300) is None
    assert dates.iso(-62135596801) is None
