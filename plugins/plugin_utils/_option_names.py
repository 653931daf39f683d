# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replaces the names of module options in a message with those of the role's options. Pure."""

from __future__ import annotations

import re

NAMES = {
    'aem_url': 'fix_bp_jwt_aem_url', 'username': 'fix_bp_jwt_aem_user', 'password': 'fix_bp_jwt_aem_password',
    'agents': 'fix_bp_jwt_agents', 'test_timeout': 'fix_bp_jwt_test_timeout', 'ntp_servers': 'fix_bp_jwt_ntp_servers',
    'https_urls': 'fix_bp_jwt_https_urls', 'https_proxy': 'fix_bp_jwt_https_proxy', 'timeout': 'fix_bp_jwt_timeout',
    'max_skew': 'fix_bp_jwt_max_skew', 'max_step': 'fix_bp_jwt_max_step', 'ca_path': 'fix_bp_jwt_ca_path',
    'validate_certs': 'fix_bp_jwt_validate_certs', 'accept_unverified': 'fix_bp_jwt_accept_unverified',
    'stop_services': 'fix_bp_jwt_aem_service', 'stop_services_timeout': 'fix_bp_jwt_aem_stop_timeout',
    'stop_services_threshold': 'fix_bp_jwt_aem_stop_above', 'nts_servers': 'time_sync_nts_servers',
    'max_distance': 'time_sync_max_distance', 'sync_timeout': 'time_sync_sync_timeout',
    'sync_tolerance': 'time_sync_sync_tolerance',
    'provider': 'time_sync_provider', 'on_unsynchronized': 'time_sync_on_unsynchronized',
}
# These are English words: they mean an option only at the beginning of a message and before a colon.
WORDS = {'servers': 'fix_bp_jwt_ntp_servers', 'pools': 'time_sync_pools', 'keys': 'time_sync_keys', 'cloud': 'time_sync_cloud',
         'only': 'time_sync_only'}
# Names that are not English words mean an option anywhere.
_CLEAR = '|'.join(name for name in NAMES if '_' in name and name != 'max_skew')
_ANY = '|'.join(sorted(NAMES, key=len, reverse=True))
_NAMED = re.compile(rf'\b(?:[Tt]he )?options? ((?:{_ANY})(?:(?:, | and | or )(?:{_ANY}))*)\b(?!=)')
_ALONE = re.compile(rf'(?<![\w.])({_CLEAR})\b')
_BEGINS = re.compile(rf'(?:^|(?<=[.:;] ))({"|".join([*NAMES, *WORDS])})(?=: )')  # as in "max_skew: 0 is not a number"
_REFUSED = re.compile(rf"(value of |argument ')({'|'.join([*NAMES, *WORDS])})\b")  # as Ansible refuses an argument
_BOTH = re.compile(r'\((?:option \w+; )?in the role fix_bp_jwt: ')    # a message that already names the role's option
_EACH = re.compile(rf'\b(?:{_ANY})\b')


def in_role_words(text: str) -> str:
    """Return a module's sentence with the role's options. A sentence that already names these stays unchanged."""
    if '(in this role:' in text:
        return text
    text = _BOTH.sub('(', text)
    text = _NAMED.sub(lambda found: _EACH.sub(lambda name: NAMES[name.group()], found.group(1)), text)
    text = _REFUSED.sub(lambda found: found.group(1) + {**NAMES, **WORDS}[found.group(2)], text)
    text = _BEGINS.sub(lambda found: {**NAMES, **WORDS}[found.group()], text)
    return _ALONE.sub(lambda found: NAMES[found.group()], text)
