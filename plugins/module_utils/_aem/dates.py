# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parses dates in answers of AEM and Brand Portal: HTTP dates, and Java's Date.toString(). Pure, without locale.

Every function returns whole Unix seconds, or None for an invalid date.
"""

import calendar
import datetime
import re
from typing import Optional

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.http_date import BadDate, iso_utc, parse_http_date

_MONTHS = ('jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec')

_JAVA = re.compile(
    r'[A-Za-z]{3} ([A-Za-z]{3}) (\d{1,2}) (\d{2}):(\d{2}):(\d{2})'
    r' ([A-Za-z]{1,5}|(?:GMT|UTC)?[+-]\d{2}:?\d{2}) (\d{4})'
)
# Only unambiguous names: CST means American and Chinese time, IST that of three countries.
_ZONES = {
    'gmt': 0, 'utc': 0, 'z': 0, 'wet': 0, 'cet': 3600, 'west': 3600, 'cest': 7200, 'eet': 7200, 'eest': 10800,
    'est': -18000, 'edt': -14400, 'pst': -28800, 'pdt': -25200, 'jst': 32400,
}


def _seconds(year: int, month: int, day: int, hour: int, minute: int, second: int) -> Optional[int]:
    try:
        moment = datetime.datetime(year, month, day, hour, minute, min(second, 59))
    except ValueError:
        return None
    # A leap second (60) is the second after :59.
    return calendar.timegm(moment.timetuple()) + max(second - 59, 0) if second <= 60 else None


def _month(name: str) -> int:
    name = name.lower()
    return _MONTHS.index(name) + 1 if name in _MONTHS else 0


def http_date(text: str) -> Optional[int]:
    """Parse an HTTP Date header in any of the three forms of RFC 9110 section 5.6.7."""
    try:
        return parse_http_date(text.strip())
    except BadDate:
        return None


def java_date(text: str) -> Optional[int]:
    """Parse the first Date.toString() in the text, such as C(Sat Mar 04 13:00:00 UTC 2017). None if its zone is ambiguous."""
    match = _JAVA.search(text)
    if not match:
        return None
    name, day, hour, minute, second, zone, year = match.groups()
    zone = zone.lower()
    if zone in _ZONES:
        ahead = _ZONES[zone]
    elif zone[-1].isdigit():
        digits = zone[3:] if zone[0] in 'gu' else zone
        numbers = digits[1:].replace(':', '')
        ahead = (int(numbers[:2]) * 3600 + int(numbers[2:]) * 60) * (-1 if digits[0] == '-' else 1)
    else:
        return None
    local = _seconds(int(year), _month(name), int(day), int(hour), int(minute), int(second))
    return None if local is None else local - ahead


def of_iso(text: str) -> int:
    """Return the Unix seconds of a date in the form of iso(), truncated to the second."""
    year, month, day, hour, minute, second = (int(number) for number in re.findall(r'\d+', text)[:6])
    return calendar.timegm((year, month, day, hour, minute, second))


def iso(seconds: Optional[float]) -> Optional[str]:
    """Return the date in ISO 8601 and UTC, such as C(2017-03-03T04:29:05Z); None for None and for years out of range."""
    return iso_utc(seconds, milliseconds=False)
