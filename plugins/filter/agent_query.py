# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agents to test, chosen with JMESPath on the controller."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

try:
    import jmespath
except ImportError:
    jmespath = None

EXAMPLE = "[?enabled && contains(title, 'DAM')].name"


def agent_query(agents: t.Iterable[t.Mapping[str, t.Any]], expression: str) -> list[str]:
    """See agent_query.yml."""
    if jmespath is None:
        raise AnsibleFilterError(
            'The option fix_bp_jwt_agent_query needs the Python package jmespath on the controller (not on the AEM '
            'host). Install it beside ansible-core: pip install -r requirements.txt. In AWX, use an execution '
            'environment that has it.'
        )
    # JMESPath knows types by their very names; Ansible's own kinds of str are none of them.
    plain = [{key: str(value) if isinstance(value, str) else value for key, value in agent.items()} for agent in agents]
    try:
        names = jmespath.search(str(expression), plain)
    except jmespath.exceptions.JMESPathError as error:
        raise _complaint(expression, f'is no valid JMESPath: {error}') from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _complaint(expression, f'gives no list of names, but {names!r:.200}')
    if not names:
        there = ', '.join(agent['name'] for agent in plain)
        raise _complaint(expression, f'chooses none of the agents that AEM has ({there or "none"})')
    return names


def _complaint(expression: str, what: str) -> AnsibleFilterError:
    return AnsibleFilterError(
        f'The option fix_bp_jwt_agent_query {what}. The expression is: {expression}. '
        f'Correct it, as in {EXAMPLE}. Nothing was changed.'
    )


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {'agent_query': agent_query}
