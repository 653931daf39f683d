# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP dates (RFC 9110 §5.6.7) and ISO 8601 dates, independent of locale, time zone and the host's clock."""

import datetime
import re
from typing import Optional

_DAYS = ('Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun')
_LONG_DAYS = ('Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday')
_MONTHS = ('Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec')
_TIME = '(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})'
_MONTH = '(?P<month>' + '|'.join(_MONTHS) + ')'

_FORMS = tuple(re.compile(form) for form in (
    # Sun, 06 Nov 1994 08:49:37 GMT
    '(?P<day>' + '|'.join(_DAYS) + '), (?P<date>[0-9]{2}) ' + _MONTH + ' (?P<year>[0-9]{4}) ' + _TIME + ' GMT',
    # Sunday, 06-Nov-94 08:49:37 GMT; some servers shorten the day
    '(?P<day>' + '|'.join(_LONG_DAYS + _DAYS) + '), (?P<date>[0-9]{2})-' + _MONTH + '-(?P<year>[0-9]{2}) ' + _TIME + ' GMT',
    # Sun Nov  6 08:49:37 1994
    '(?P<day>' + '|'.join(_DAYS) + ') ' + _MONTH + ' (?P<date>[0-9]{2}| [0-9]) ' + _TIME + ' (?P<year>[0-9]{4})',
))

_UNIX_EPOCH = datetime.date(1970, 1, 1).toordinal()
# The year of this release, because the host's clock may be wrong by decades.
_PIVOT_YEAR = 2026


class BadDate(ValueError):
    """The text is not an HTTP date."""


def parse_http_date(text: str) -> int:
    """Return the Unix seconds (UTC) of an HTTP date in any of its three forms, parsed strictly.

    A leap second (:60) counts as the first second of the next minute, as in Unix time.
    Raises BadDate for anything else, including a day of the week that does not match the date.
    """
    for form in _FORMS:
        match = form.fullmatch(text)
        if match:
            break
    else:
        raise BadDate(f'{text[:64]!r} is not an HTTP date')
    year = int(match.group('year'))
    if len(match.group('year')) == 2:
        year = _whole_year(year)
    month, day = _MONTHS.index(match.group('month')) + 1, int(match.group('date'))
    try:
        date = datetime.date(year, month, day)
    except ValueError:
        raise BadDate(f'{text!r} names a day that does not exist') from None
    if _DAYS[date.weekday()] != match.group('day')[:3]:
        raise BadDate(f'{text!r} names the wrong day of the week')
    hour, minute, second = (int(match.group(part)) for part in ('hour', 'minute', 'second'))
    if hour > 23 or minute > 59 or second > 60:
        raise BadDate(f'{text!r} names a time that does not exist')
    return (date.toordinal() - _UNIX_EPOCH) * 86400 + hour * 3600 + minute * 60 + second


def _whole_year(two_digits: int) -> int:
    """RFC 9110: a year that seems more than 50 years ahead is the most recent past one (ahead of the release)."""
    year = _PIVOT_YEAR - _PIVOT_YEAR % 100 + two_digits
    if year > _PIVOT_YEAR + 50:
        year -= 100
    elif year <= _PIVOT_YEAR - 50:
        year += 100
    return year


def format_http_date(unix: int) -> str:
    """Return the IMF-fixdate of Unix seconds, the form that servers send."""
    days, seconds = divmod(int(unix), 86400)
    date = datetime.date.fromordinal(_UNIX_EPOCH + days)
    return '{}, {:02d} {} {:04d} {:02d}:{:02d}:{:02d} GMT'.format(
        _DAYS[date.weekday()], date.day, _MONTHS[date.month - 1], date.year,
        seconds // 3600, seconds // 60 % 60, seconds % 60)


def iso_utc(unix: Optional[float], milliseconds: bool = True) -> Optional[str]:
    """Return ``2017-02-28T18:39:51.123Z``, or without milliseconds ``2017-02-28T18:39:51Z``, rounded down.

    Returns None for None, and for years that do not have four digits.
    """
    if unix is None:
        return None
    try:
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(
            milliseconds=round(unix * 1000) if milliseconds else int(unix) * 1000)
    except (OverflowError, ValueError):
        return None
    return moment.isoformat(timespec='milliseconds' if milliseconds else 'seconds') + 'Z'
