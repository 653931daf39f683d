# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""After a correction a 401 is believed only the second time."""

from __future__ import annotations

import types

import pytest

from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.verify import verify


def verified(*answers):
    """(what the stage verify returns, how often the host was asked), when the host's answers are these."""
    asked = []

    def health(_chosen, agents, **_more):
        assert agents == ['a']
        asked.append(agents)
        return answers[len(asked) - 1]
    context = types.SimpleNamespace(arguments={'agents': ['a'], 'ready_timeout': 0}, host_options=dict, health=health)
    return verify(context), len(asked)


def answered(*causes):
    return {'skew': {}, 'tests': [{'cause': cause} for cause in causes]}


GOOD, LOST = answered('none', 'none'), {'failed': True, 'msg': 'no space left on device'}


@pytest.mark.parametrize('unauthorized', ['key_not_accepted', 'token_outlived'])
def test_a_401_is_asked_again(unauthorized):
    refused = answered('none', unauthorized)
    assert verified(refused, GOOD) == (GOOD, 2)
    assert verified(refused, refused, GOOD) == (refused, 2)


@pytest.mark.parametrize('answer', [GOOD, answered('jwt_expired'), answered('jwt_end_of_life'), answered(), LOST, {'tests': None}])
def test_everything_else_is_believed_at_once(answer):
    assert verified(answer) == (answer, 1)
