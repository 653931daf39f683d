# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of all modules that measure the clock."""

from typing import Any, Dict

# For AnsibleModule(argument_spec=...); documented in the fragment aemops.brand_portal.clock.
SKEW_OPTIONS: Dict[str, Dict[str, Any]] = {
    'ntp_servers': {'type': 'list', 'elements': 'str', 'default': []},
    'https_urls': {'type': 'list', 'elements': 'str', 'default': []},
    'max_skew': {'type': 'float', 'default': 5.0},
    'timeout': {'type': 'float', 'default': 5.0},
    'ca_path': {'type': 'path'},
    'validate_certs': {'type': 'bool', 'default': True},
    # May contain a password.
    'https_proxy': {'type': 'str', 'no_log': True},
    # Sent by the action plugin on the controller; no_log keeps 8 KB of text out of logs and -vvv.
    '_ntplib': {'type': 'str', 'no_log': True},
}
