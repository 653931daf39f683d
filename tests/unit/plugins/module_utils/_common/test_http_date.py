# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP dates: the three forms of RFC 9110, read strictly and without the locale."""

import calendar
import contextlib
import datetime
import email.utils
import locale
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.http_date import (
    BadDate,
    format_http_date,
    iso_utc,
    parse_http_date,
)

any_second = st.integers(calendar.timegm((1, 1, 1, 0, 0, 0)), calendar.timegm((9999, 12, 31, 23, 59, 59)))
DAYS = ('Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday')


@given(any_second)
def test_fixdate_comes_back(unix):
    assert parse_http_date(format_http_date(unix)) == unix


@given(st.integers(0, 2**32))
def test_fixdate_is_what_others_write(unix):
    assert format_http_date(unix) == email.utils.formatdate(unix, usegmt=True)


@given(any_second)
def test_asctime_comes_back(unix):
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=unix)
    fix = format_http_date(unix)
    text = '%s %s %2d %s %04d' % (fix[:3], fix[8:11], moment.day, fix[17:25], moment.year)
    assert parse_http_date(text) == unix


@given(st.integers(calendar.timegm((1977, 1, 1, 0, 0, 0)), calendar.timegm((2076, 12, 31, 23, 59, 59))))
def test_rfc850_comes_back_within_fifty_years_of_the_release(unix):
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=unix)
    fix = format_http_date(unix)
    text = '%s, %02d-%s-%02d %s GMT' % (DAYS[moment.weekday()], moment.day, fix[8:11], moment.year % 100, fix[17:25])
    assert parse_http_date(text) == unix


@pytest.mark.parametrize('text', [
    'Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994',
])
def test_the_examples_of_the_rfc(text):
    assert parse_http_date(text) == 784111777


def test_a_leap_second_is_the_next_second():
    assert parse_http_date('Sat, 31 Dec 2016 23:59:60 GMT') == calendar.timegm((2017, 1, 1, 0, 0, 0))


@pytest.mark.parametrize('text', [
    '', ' ', 'now', '0', 'Sun, 06 Nov 1994 08:49:37', 'Sun, 06 Nov 1994 08:49:37 UTC',
    'Sun, 06 Nov 1994 08:49:37 +0000',
    'Mon, 06 Nov 1994 08:49:37 GMT', 'Sun, 6 Nov 1994 08:49:37 GMT', 'Sun, 06 nov 1994 08:49:37 GMT',
    'Sun, 31 Feb 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 24:00:00 GMT', 'Sun, 06 Nov 1994 08:60:37 GMT',
    'Sun, 06 Nov 1994 08:49:61 GMT', 'Sun, 06 Nov 0000 08:49:37 GMT', 'Sun, 06 Nov 1994 08:49:37 GMT\n',
    'Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT', 'So, 06 Nov 1994 08:49:37 GMT',
    'Sun, \u0660\u0666 Nov 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 08:49:37 GMT' + 'x' * 100000,
    '1994-11-06T08:49:37Z', '784111777',
])
def test_anything_else_is_refused(text):
    with pytest.raises(BadDate):
        parse_http_date(text)


@given(st.text())
@settings(max_examples=500)
def test_no_text_raises_anything_else(text):
    with contextlib.suppress(BadDate):
        parse_http_date(text)


def test_no_mutation_of_a_date_raises_anything_else():
    chance = random.Random(7)
    forms = ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994']
    alphabet = 'SunMoTeWdhFriaJbApyglcvNDO0123456789:,- GMT\r\n\x00\xff'
    read = 0
    for _case in range(30000):
        text = list(chance.choice(forms))
        for _edit in range(chance.randint(1, 3)):
            text[chance.randrange(len(text))] = chance.choice(alphabet)
        with contextlib.suppress(BadDate):
            read += isinstance(parse_http_date(''.join(text)), int)
    assert 0 < read < 15000


def test_the_locale_does_not_matter():
    before = locale.setlocale(locale.LC_ALL)
    found = False
    for name in ('de_DE.UTF-8', 'fr_FR.UTF-8', 'ja_JP.UTF-8', 'tr_TR.UTF-8', 'C'):
        try:
            locale.setlocale(locale.LC_ALL, name)
        except locale.Error:
            continue
        found = True
        try:
            assert parse_http_date('Tue, 28 Feb 2017 18:39:51 GMT') == 1488307191
            assert format_http_date(1488307191) == 'Tue, 28 Feb 2017 18:39:51 GMT'
        finally:
            locale.setlocale(locale.LC_ALL, before)
    assert found


@pytest.mark.parametrize('unix, text', [
    (None, None), (0, '1970-01-01T00:00:00.000Z'), (1488307191.1234, '2017-02-28T18:39:51.123Z'),
    (4294967296.5, '2106-02-07T06:28:16.500Z'), (-1.0, '1969-12-31T23:59:59.000Z'), (1e12, None), (-1e12, None),
])
def test_iso_8601(unix, text):
    assert iso_utc(unix) == text
