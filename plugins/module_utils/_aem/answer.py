# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers of AEM, and the errors for a missing answer."""

import ipaddress
from typing import Any, NamedTuple, Optional

from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import dates


class AemAnswer(NamedTuple):
    """An HTTP answer with any status."""

    status: int
    headers: Any
    body: bytes
    elapsed: float  # seconds from before the connection to the end of the body, by this host's monotonic clock
    complete: bool = True  # False: the connection broke before the end of the body


class AemError(Exception):
    """AEM gave no usable answer. C(kind) is V(unreachable), V(starting), V(unauthorized) or V(not_aem)."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class TimedOut(AemError):
    """AEM did not answer in time."""


def date_of(answer: AemAnswer) -> Optional[int]:
    """Return the time of AEM's clock when it began to answer (Unix seconds).

    None if the answer may be from a cache, or has two different dates, of which one is a proxy's.
    """
    if (answer.headers.get('Age') or '0').strip() != '0':
        return None
    found = {dates.http_date(value) for name, value in answer.headers.items() if name.lower() == 'date'}
    return found.pop() if len(found) == 1 else None


def is_login_page(text: str) -> bool:
    return 'QUICKSTART_HOMEPAGE' in text or 'j_security_check' in text


def is_loopback_name(host: str) -> bool:
    name = host.lower().rstrip('.')
    if name in ('localhost', 'localhost.localdomain', 'ip6-localhost') or name.endswith('.localhost'):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
