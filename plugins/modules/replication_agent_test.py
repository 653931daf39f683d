#!/usr/bin/python

# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: replication_agent_test
short_description: Test the replication agents of an AEM author and find the cause of failures
version_added: 0.1.0
author:
  - aemops.brand_portal contributors (@aemops)
description:
  - Runs the connection test of the replication agents of an AEM author, as the button "Test Connection" does, and reads
    from the resulting page whether Brand Portal answered 200, and if not, the cause.
  - AEM answers with the HTTP status 200 regardless of the result of a test. The module evaluates the answer of Brand Portal
    and the verdict in the page instead.
  - A failed test is a result, not a failure of the module. The module fails if AEM does not answer, if O(agents) names an
    agent that AEM does not have, or if there is no agent to test.
extends_documentation_fragment:
  - aemops.brand_portal.aem
  - aemops.brand_portal.aem.agents
  - aemops.brand_portal.attributes
  - aemops.brand_portal.attributes.info_module
attributes:
  platform:
    support: full
notes:
  - A test replicates nothing, and changes only the log of the agent in AEM. The module therefore also runs the tests in check
    mode.
seealso:
  - module: aemops.brand_portal.replication_agent_info
  - name: Adobe knowledge base KA-10565
    description: The article on the failure with RV(tests[].cause=jwt_expired).
    link: https://experienceleague.adobe.com/en/docs/experience-cloud-kcs/kbarticles/ka-10565
"""

EXAMPLES = r"""
- name: Test all enabled Brand Portal agents
  aemops.brand_portal.replication_agent_test:
    username: brand-portal-check
    password: "{{ aem_password }}"
  register: replication

- name: Assert that Brand Portal answered 200 to all of them
  ansible.builtin.assert:
    that: replication.tests | rejectattr('succeeded') | length == 0
    fail_msg: "{{ replication.tests | rejectattr('succeeded') | map(attribute='advice') | unique | join(' ') }}"

- name: Test one agent of an AEM with a context path and a private CA
  aemops.brand_portal.replication_agent_test:
    aem_url: https://author.example.com/author
    ca_path: /etc/pki/tls/certs/example.pem
    username: brand-portal-check
    password: "{{ aem_password }}"
    agents:
      - mp_replication_agent0_default_acme
"""

RETURN = r"""
tests:
  description: Result of the test of each agent.
  returned: success
  type: list
  elements: dict
  contains:
    agent:
      description: Name of the agent.
      returned: success
      type: str
      sample: mp_replication_agent0_default_acme
    tenant:
      description: Brand Portal tenant of the agent. Empty if it has none.
      returned: success
      type: str
      sample: acme
    succeeded:
      description: Whether the page says that the test succeeded and Brand Portal answered 200, with anything but a web page.
      returned: success
      type: bool
      sample: false
    response_code:
      description: HTTP status with which Brand Portal answered. V(null) if there was no answer.
      returned: success
      type: int
      sample: 401
    response_reason:
      description: Reason phrase that came with RV(tests[].response_code).
      returned: success
      type: str
      sample: Unauthorized
    cause:
      description:
        - Cause of the failure, as a code. V(none) if the test succeeded, V(unknown) if no known cause explains it.
      returned: success
      type: str
      sample: jwt_expired
    clock_related:
      description:
        - Whether a wrong clock is the cause. V(likely) needs a measured skew as confirmation.
        - This module uses the dates of AEM and Brand Portal instead of a measured skew.
          M(aemops.brand_portal.brand_portal_health_info) uses the measured skew.
      returned: success
      type: str
      choices: ['yes', likely, 'no']
      sample: 'yes'
    authentication:
      description:
        - How the agent gets its access token. V(jwt), V(oauth_server_to_server), V(legacy_gateway), or V(unknown) if
          the account may not read it and the page does not show it. The module asks for it only if the test failed.
      returned: success
      type: str
      choices: [jwt, oauth_server_to_server, legacy_gateway, unknown]
      sample: oauth_server_to_server
      version_added: 0.2.0
    direction:
      description: Direction in which AEM's clock is off if the clock is the cause, V(behind) or V(ahead). Otherwise V(null).
      returned: success
      type: str
      sample: behind
    meaning:
      description: Explanation of RV(tests[].cause).
      returned: success
      type: str
      sample: "The JWT's expiry is already past for Adobe: the clock AEM signs with is behind."
    advice:
      description: The next step for the user.
      returned: success
      type: str
      sample: "Correct AEM's clock and keep it right with NTP, then test again."
    evidence:
      description: The line of the agent's log that shows the cause, without secrets.
      returned: success
      type: str
      sample: >-
        Failed to get an access token for user: mac-acme-replication msg: failed to get access token from authorization
        server status: 400 response: {"error":"invalid_grant","error_description":"JWT has expired"}
    not_before:
      description: Start of the validity of the certificate in RV(tests[].evidence), in UTC, if the line contains it.
      returned: success
      type: str
      sample: '2017-03-01T00:00:00Z'
    not_after:
      description: End of the validity of the certificate in RV(tests[].evidence), in UTC, if the line contains it.
      returned: success
      type: str
      sample: '2019-03-01T12:00:00Z'
    aem_date:
      description: AEM's own clock during the test, in UTC.
      returned: success
      type: str
      sample: '2017-02-28T18:39:51Z'
    remote_date:
      description: Brand Portal's clock during the test, in UTC.
      returned: success
      type: str
      sample: '2017-03-03T04:29:05Z'
    skew:
      description:
        - Bounds of the remote clock minus AEM's clock in seconds. Positive if AEM is behind. The width of the interval is
          the duration of the test. V(null) if one of the dates is missing.
      returned: success
      type: dict
      contains:
        low:
          description: Lower bound.
          returned: success
          type: float
          sample: 208151.7
        high:
          description: Upper bound.
          returned: success
          type: float
          sample: 208156.3
    log:
      description:
        - The agent's log of this test, without secrets. The middle of a very long log is left out.
        - Empty if the test succeeded.
      returned: success
      type: list
      elements: str
      sample: ['28.02.2017 18:39:51 - sent. Response: 401 Unauthorized']
kind:
  description:
    - Code of the reason why no agent was tested. One of V(unreachable), V(starting), V(unauthorized), V(not_aem),
      V(unknown_agent) or V(no_agents).
  returned: failure
  type: str
  sample: unauthorized
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import agents
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import client as aem_http
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import connection_test as test
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem.argspec import AEM_OPTIONS, complaint
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.printable import all_printable, printable


def main() -> None:
    module = AnsibleModule(argument_spec=dict(AEM_OPTIONS), supports_check_mode=True)
    wrong = complaint(module.params)
    if wrong:
        module.fail_json(msg=wrong)
    try:
        aem = aem_http.from_params(module.params)
        aem_http.warn_in_clear(module, aem)
        aem_http.wait_if_asked(aem, module.params)
        chosen = agents.select(aem.list_agents(), module.params['agents'])
        tests = test.run(aem, chosen, module.params['test_timeout'], module.params['parallel'])
    except (aem_http.AemError, agents.AgentsError) as error:
        module.fail_json(msg=printable(error.message), kind=error.kind)
    module.exit_json(changed=False, tests=all_printable(test.refined(tests, None, None)))


if __name__ == '__main__':
    main()
