# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of all modules that measure the clock, and what they mean once checked."""

import math
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import http_date, ntp
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.addresses import Endpoint, parse_endpoint
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import BadOption
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.tls import Proxy, Trust, context_for, parse_proxy

# For AnsibleModule(argument_spec=...); documented in the fragment aemops.brand_portal.clock.
SKEW_OPTIONS: Dict[str, Dict[str, Any]] = {
    'ntp_servers': {'type': 'list', 'elements': 'str', 'default': []},
    'https_urls': {'type': 'list', 'elements': 'str', 'default': []},
    'max_skew': {'type': 'float', 'default': 5.0},
    'timeout': {'type': 'float', 'default': 5.0},
    'ca_path': {'type': 'path'},
    'validate_certs': {'type': 'bool', 'default': True},
    # It may have a password in it.
    'https_proxy': {'type': 'str', 'no_log': True},
    # Carried from the controller by the action plugin; no_log keeps 8 KB of text out of logs and -vvv.
    '_ntplib': {'type': 'str', 'no_log': True},
}

_LONGEST = 3600.0


class Plan(NamedTuple):
    """The checked options."""

    servers: List[Tuple[str, Endpoint]]  # as asked, and what it means
    targets: List[http_date.Target]
    max_skew: float
    timeout: float
    trust: Trust
    proxy: Optional[Proxy]  # of the option; None leaves it to the environment


def plan_for(options: Mapping[str, Any]) -> Plan:
    """Raises BadOption, naming the option and what to write instead."""
    max_skew = _seconds(options, 'max_skew', 1e9)
    timeout = _seconds(options, 'timeout', _LONGEST)
    trust = Trust(options.get('ca_path') or None, options.get('validate_certs', True))
    proxy = parse_proxy(options['https_proxy']) if options.get('https_proxy') else None
    targets = [http_date.parse_url(str(url)) for url in _unique(options.get('https_urls'))]
    servers = [(str(text), parse_endpoint(str(text), ntp.PORT, 'ntp_servers'))
               for text in _unique(options.get('ntp_servers'))]
    if targets and trust.ca_path:
        context_for(trust)  # a ca_path that cannot be loaded is found before anything is sent
    return Plan(servers, targets, max_skew, timeout, trust, proxy)


def _unique(values: Any) -> List[Any]:
    return list(dict.fromkeys(values or []))


def _seconds(options: Mapping[str, Any], name: str, most: float) -> float:
    value = float(options.get(name, SKEW_OPTIONS[name]['default']))
    if not (math.isfinite(value) and 0 < value <= most):
        raise BadOption(f'{name}: {value:g} is not a number of seconds above 0 and up to {most:g}.')
    return value
