#!/usr/bin/python

# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: replication_agent_info
short_description: List the replication agents of an AEM author
version_added: 0.1.0
author:
  - aemops.brand_portal contributors (@aemops)
description:
  - Lists the replication agents of an AEM author with their targets and the state of their queues.
  - Never returns the user and password of an agent, neither encrypted nor in a transport URI.
extends_documentation_fragment:
  - aemops.brand_portal.aem
  - aemops.brand_portal.attributes
  - aemops.brand_portal.attributes.info_module
attributes:
  platform:
    support: full
options:
  queue:
    description:
      - Whether to return the queue of each agent, which takes one request per agent.
    type: bool
    default: true
seealso:
  - module: aemops.brand_portal.replication_agent_test
"""

EXAMPLES = r"""
- name: List the replication agents
  aemops.brand_portal.replication_agent_info:
    username: brand-portal-check
    password: "{{ aem_password }}"
  register: replication

- name: Show the agents whose queue is blocked
  ansible.builtin.debug:
    msg: "{{ replication.agents | selectattr('queue') | selectattr('queue.blocked') | map(attribute='name') }}"
"""

RETURN = r"""
agents:
  description: The agents, in AEM's order.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the agent's node.
      returned: success
      type: str
      sample: mp_replication_agent0_default_acme
    title:
      description: Title of the agent.
      returned: success
      type: str
      sample: acme MP Replication Agent0 Default
    enabled:
      description: Whether the agent is enabled.
      returned: success
      type: bool
      sample: true
    transport_uri:
      description: Transport URI of the agent, without credentials.
      returned: success
      type: str
      sample: https://acme.brand-portal.adobe.com/bin/receive?sling:authRequestLogin=1
    tenant:
      description: Brand Portal tenant of the agent. Empty if it has none.
      returned: success
      type: str
      sample: acme
    brand_portal:
      description: Whether the agent leads to Brand Portal.
      returned: success
      type: bool
      sample: true
    testable:
      description: Whether M(aemops.brand_portal.replication_agent_test) can test the agent if its name is given.
      returned: success
      type: bool
      sample: true
    authentication:
      description:
        - How the agent gets its access token. V(jwt), V(oauth_server_to_server), V(legacy_gateway), or V(unknown) if the
          account may not read the configuration of the agent's access token provider, or if the agent does not use OAuth.
      returned: success
      type: str
      choices: [jwt, oauth_server_to_server, legacy_gateway, unknown]
      sample: oauth_server_to_server
      version_added: 0.2.0
    queue:
      description:
        - State of the agent's queue. V(null) if O(queue) is V(false) or AEM does not show it.
      returned: success
      type: dict
      contains:
        blocked:
          description: Whether the first item cannot be delivered.
          returned: success
          type: bool
          sample: true
        paused:
          description: Whether the queue is paused.
          returned: success
          type: bool
          sample: false
        pending:
          description: Number of items in the queue.
          returned: success
          type: int
          sample: 12
        oldest:
          description: When the oldest item entered the queue, by AEM's clock.
          returned: success
          type: str
          sample: '2017-02-28T18:39:51Z'
        oldest_age:
          description: Number of seconds that the oldest item has waited, by AEM's clock.
          returned: success
          type: float
          sample: 3600.0
kind:
  description:
    - Code of the reason why AEM did not answer. One of V(unreachable), V(starting), V(unauthorized) or V(not_aem).
  returned: failure
  type: str
  sample: unauthorized
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import agents, authentication
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import client as aem_http
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem.argspec import ACCESS_OPTIONS, complaint
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.printable import all_printable, printable


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(ACCESS_OPTIONS, queue={'type': 'bool', 'default': True}),
        supports_check_mode=True,
    )
    wrong = complaint(module.params)
    if wrong:
        module.fail_json(msg=wrong)
    try:
        aem = aem_http.from_params(module.params)
        aem_http.warn_in_clear(module, aem)
        aem_http.wait_if_asked(aem, module.params)
        ways = authentication.Ways(aem)
        found = [
            agents.public(agent, aem.queue_of(agent.name) if module.params['queue'] else None, ways.of(agent.token_provider))
            for agent in aem.list_agents()
        ]
    except aem_http.AemError as error:
        module.fail_json(msg=printable(error.message), kind=error.kind)
    module.exit_json(changed=False, agents=all_printable(found))


if __name__ == '__main__':
    main()
