# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of one source of any kind: an element of RV(skew.sources)."""

import errno
import os
import ssl
from typing import Any, Dict, Optional

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.marzullo import Interval

# A plain dict, because the module returns it. Keys that begin with "_" are only for conclude().
Source = Dict[str, Any]

# How the reason of a source begins that answered and has no vote of its own. It was not rejected.
NOT_COUNTED = 'not counted: '


def make_source(source: str, kind: str, address: Optional[str] = None, reason: str = '', **known: Any) -> Source:
    """Return a source with all keys; unknown values are None.

    reason: why it is not used. A source without a reason is usable once it has low and high.
    """
    made: Source = {
        'source': source,
        'address': address,
        'kind': kind,
        'accepted': False,
        'reason': reason,
        'offset': None,
        'low': None,
        'high': None,
        'delay': None,
        'samples': 0,
        'private_address': None,
        'stratum': None,
        'root_distance': None,
        'reference_id': None,
        'tls_verified': None,
        'tls_dates_checked': None,
        'certificate_not_after': None,
    }
    made.update(known)
    return made


def interval_of(source: Source) -> Optional[Interval]:
    """Return the interval of the source; None if it has none or must not be used."""
    if source['reason'] or source['low'] is None or source['high'] is None:
        return None
    return Interval(source['low'], source['high'])


_ERRORS = {
    errno.ECONNREFUSED: 'nothing listens on that port (connection refused)',
    errno.ENETUNREACH: 'there is no route to it (network unreachable)',
    errno.EHOSTUNREACH: 'there is no route to it (host unreachable)',
    errno.EACCES: 'this host denies the connection (access denied)',
    errno.EPERM: "this host's firewall blocks the connection (operation not permitted)",
    errno.EAFNOSUPPORT: 'this host does not speak its address family',
    errno.EADDRNOTAVAIL: 'this host has no address of its family',
    errno.ECONNRESET: 'it reset the connection',
    errno.EPIPE: 'it closed the connection',
    errno.ETIMEDOUT: 'it did not answer (connection timed out)',
}


def error_reason(error: BaseException) -> str:
    """Return the reason for a system error, as text for the user."""
    if isinstance(error, ssl.SSLError):  # its errno is a number of OpenSSL's
        if isinstance(error, ssl.SSLEOFError):
            return _ERRORS[errno.EPIPE]
        return getattr(error, 'reason', None) or str(error)
    number = getattr(error, 'errno', None)
    if number in _ERRORS:
        return _ERRORS[number]
    return os.strerror(number) if isinstance(number, int) and number > 0 else str(error) or type(error).__name__
