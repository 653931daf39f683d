# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A message of a module in the words of the role."""

from __future__ import annotations

import pytest

from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _options as options
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._option_names import NAMES, WORDS, in_role_words


@pytest.mark.parametrize(('text', 'words'), [
    ('Check the options username and password; this', 'Check fix_bp_jwt_aem_user and fix_bp_jwt_aem_password; this'),
    ('Name some with the options ntp_servers or https_urls.', 'Name some with fix_bp_jwt_ntp_servers or fix_bp_jwt_https_urls.'),
    ('or a proxy: option https_proxy)', 'or a proxy: fix_bp_jwt_https_proxy)'),
    ('Raise the option max_step if such a step is wanted.', 'Raise fix_bp_jwt_max_step if such a step is wanted.'),
    ('Set accept_unverified=true', 'Set fix_bp_jwt_accept_unverified=true'),
    ('Remove them from the option agents.', 'Remove them from fix_bp_jwt_agents.'),
    ('Grant the user of the option username jcr:read', 'Grant the user of fix_bp_jwt_aem_user jcr:read'),
    ('aem_url must not hold a user', 'fix_bp_jwt_aem_url must not hold a user'),
    ('The option agents may name: a, b', 'fix_bp_jwt_agents may name: a, b'),
    ('value of provider must be one of: auto', 'value of time_sync_provider must be one of: auto'),
    ("argument 'keys' is of type str", "argument 'time_sync_keys' is of type str"),
    ('max_skew: 0 is not a number', 'fix_bp_jwt_max_skew: 0 is not a number'),
    ('timeout: 99999 is not a number', 'fix_bp_jwt_timeout: 99999 is not a number'),
    ("Correct the clock: servers: \"a b\" is no name", "Correct the clock: fix_bp_jwt_ntp_servers: \"a b\" is no name"),
    ('keys: the id of entry 1 is not a number', 'time_sync_keys: the id of entry 1 is not a number'),
    ('no unit aem.service on this host (option stop_services; in the role fix_bp_jwt: fix_bp_jwt_aem_service)',
     'no unit aem.service on this host (fix_bp_jwt_aem_service)'),
    ('max_distance: 5000 is not', 'time_sync_max_distance: 5000 is not'),
])
def test_options_have_the_names_of_the_role(text, words):
    assert in_role_words(text) == words
    assert in_role_words(words) == words


@pytest.mark.parametrize('text', [
    'within the max_skew of 5 s', 'three servers: a, b, c', 'chronyd with the option only',
    'the agents are answered 200', 'chronyd runs with the option -x', 'its password and username',
    'run again with fix_bp_jwt_max_step=0', 'Check the options username and password (in this role: fix_bp_jwt_aem_user)',
])
def test_other_words_stay(text):
    assert in_role_words(text) == text


def test_the_names_exist():
    names = {*NAMES.values(), *WORDS.values()}
    assert names <= {*options.SPECIFICATION, *options.read_specification('time_sync')}
