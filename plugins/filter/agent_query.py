# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter that chooses the agents to test with JMESPath, on the controller."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _jmespath as query


def agent_query(agents: t.Iterable[t.Mapping[str, t.Any]], expression: str) -> list[str]:
    """See agent_query.yml."""
    # jmespath identifies a type by its name, and does not know Ansible's subclasses of str.
    plain = [{key: str(value) if isinstance(value, str) else value for key, value in agent.items()} for agent in agents]
    try:
        return query.names(plain, str(expression))
    except query.Problem as problem:
        raise AnsibleFilterError(f'{problem}. Nothing was changed.') from None


class FilterModule:
    """Entry point for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {'agent_query': agent_query}
