# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Choosing agents with JMESPath: the results, and the errors for unsuitable expressions."""

from __future__ import annotations

import pytest

pytest.importorskip('ansible')

from ansible.errors import AnsibleFilterError  # noqa: E402

from ansible_collections.aemops.brand_portal.plugins.filter import agent_query as module  # noqa: E402
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _jmespath as query  # noqa: E402


class TaggedStr(str):
    """As Ansible's own kinds of str: JMESPath does not know them for strings."""


AGENTS = [
    {'name': TaggedStr('one'), 'title': TaggedStr('acme DAM 1'), 'enabled': True, 'brand_portal': True, 'queue': None},
    {'name': TaggedStr('two'), 'title': TaggedStr('acme DAM 2'), 'enabled': False, 'brand_portal': True, 'queue': None},
    {'name': TaggedStr('publish'), 'title': TaggedStr('Publish'), 'enabled': True, 'brand_portal': False, 'queue': None},
]


@pytest.mark.parametrize(('expression', 'names'), [
    (query.SAMPLES[query.AGENTS], ['one']),
    ('[].name', ['one', 'two', 'publish']),
    ('reverse([?brand_portal].name)', ['two', 'one']),
    (TaggedStr("[?starts_with(name, 'pub')].name"), ['publish']),
])
def test_what_it_chooses(expression, names):
    chosen = module.agent_query(AGENTS, expression)
    assert chosen == names
    assert {type(name) for name in chosen} == {str}


@pytest.mark.parametrize(('expression', 'why'), [
    ('[?enabled', 'is not valid JMESPath'),
    ('[?frobnicate(title)].name', 'frobnicate'),
    ("[?contains(enabled, 'x')].name", 'contains()'),
    ('', 'is not valid JMESPath'),
    ('length(@)', 'does not return a list of names, but 3'),
    ('[0].name', "does not return a list of names, but 'one'"),
    ('[].enabled', 'does not return a list of names'),
    ('[].{n: name}', 'does not return a list of names'),
    ('nothing', 'does not return a list of names, but None'),
    ("[?title == 'absent'].name", 'selects none of the agents that AEM has (one, two, publish)'),
])
def test_what_it_refuses(expression, why):
    with pytest.raises(AnsibleFilterError) as error:
        module.agent_query(AGENTS, expression)
    said = str(error.value)
    assert why in said
    assert 'fix_bp_jwt_agent_query' in said
    assert f'The expression is: {expression}.' in said
    assert 'Correct it, as in' in said


def test_without_jmespath_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(query, 'jmespath', None)
    with pytest.raises(AnsibleFilterError, match='Python package jmespath on the controller.*pip install'):
        module.agent_query(AGENTS, '[].name')
