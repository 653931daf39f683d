# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options for access to AEM and its agents, shared by the modules (documented in the doc fragment aem)."""

from typing import Any, Dict, Optional

# Access to AEM.
ACCESS_OPTIONS: Dict[str, Dict[str, Any]] = {
    'aem_url': {'type': 'str', 'default': 'http://localhost:4502'},
    'username': {'type': 'str', 'required': True},
    'password': {'type': 'str', 'required': True, 'no_log': True},
    'ca_path': {'type': 'path'},
    'validate_certs': {'type': 'bool', 'default': True},
    'ready_timeout': {'type': 'float', 'default': 0.0},
}

# Which agents to test, and how.
AGENT_OPTIONS: Dict[str, Dict[str, Any]] = {
    'agents': {'type': 'list', 'elements': 'str', 'default': []},
    'test_timeout': {'type': 'float', 'default': 900.0},
    'parallel': {'type': 'int', 'default': 4},
}

AEM_OPTIONS = dict(ACCESS_OPTIONS, **AGENT_OPTIONS)


def complaint(params: Dict[str, Any]) -> Optional[str]:
    """Return the error of a numeric option that is out of range; None if there is none."""
    if params['ready_timeout'] < 0:
        return 'ready_timeout must not be negative, but is {0:g}'.format(params['ready_timeout'])
    if params.get('test_timeout', 1) <= 0:
        return 'test_timeout must be more than 0 s, but is {0:g}'.format(params['test_timeout'])
    if params.get('parallel', 1) < 1:
        return 'parallel must be at least 1, but is {0}'.format(params['parallel'])
    return None
