#!/usr/bin/python

# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: brand_portal_health_info
short_description: Measure the clock and test the Brand Portal agents of an AEM host in one call
version_added: 0.2.0
description:
  - Runs the measurements of M(aemops.brand_portal.clock_skew_info) and M(aemops.brand_portal.replication_agent_test)
    concurrently in a single module call.
  - The HTTPS C(Date) of the agents' tenants is always a reference, because their clock validates the JWTs.
  - The two dates in each test of an agent are sources of kind V(agent). They do not vote. They confirm the other sources,
    replace them if none can be reached, and show whether AEM runs on this host's clock.
  - An unhealthy host is not a failure of the module. AEM that is down, agents that are refused and a clock that cannot be
    measured are results, which P(aemops.brand_portal.jwt_verdict#filter) evaluates.
extends_documentation_fragment:
  - aemops.brand_portal.clock
  - aemops.brand_portal.aem
  - aemops.brand_portal.aem.agents
  - aemops.brand_portal.attributes
  - aemops.brand_portal.attributes.info_module
author:
  - aemops.brand_portal contributors (@aemops)
notes:
  - The module does not need root, and installs nothing on the host. The controller sends its ntplib with the module.
seealso:
  - module: aemops.brand_portal.clock_skew_info
  - module: aemops.brand_portal.replication_agent_test
  - plugin: aemops.brand_portal.jwt_verdict
    plugin_type: filter
  - name: Test Connection of the replication agent fails with "JWT has expired"
    description: Adobe's knowledge base article KA-10565.
    link: https://experienceleague.adobe.com/en/docs/experience-cloud-kcs/kbarticles/ka-10565
"""

EXAMPLES = r"""
- name: Measure the clock and test all Brand Portal agents of an AEM author
  aemops.brand_portal.brand_portal_health_info:
    username: brand-portal-check
    password: "{{ vault_aem_password }}"
  register: health

- name: Show the verdict
  ansible.builtin.debug:
    msg: "{{ (health | aemops.brand_portal.jwt_verdict).summary }}"
"""

RETURN = r"""
skew:
  description: The clock, as M(aemops.brand_portal.clock_skew_info) returns it, with the agents among its sources.
  returned: always
  type: dict
  sample:
    verdict: skewed
    direction: behind
    offset: 208174.2
    verified: true
tests:
  description:
    - The result of each agent's test, as M(aemops.brand_portal.replication_agent_test) returns it.
    - Empty if RV(aem.state) is not V(ok).
  returned: always
  type: list
  elements: dict
  sample:
    - agent: mp_replication_agent0_default_acme
      succeeded: false
      response_code: 401
      cause: jwt_expired
interrupted:
  description:
    - Codes of what interrupted repairs have left on this host. V(service_stop) means that services are stopped for a step of the
      clock, V(time_service) that the time service is partly changed, V(no_time_daemon) that M(aemops.brand_portal.clock_step) has
      corrected the clock and no time daemon starts at boot. Empty if no repair was interrupted.
  returned: always
  type: list
  elements: str
  sample: []
clock_keeper:
  description:
    - Whether anything keeps the clock of this host synchronized, according to the kernel (adjtimex(2), read only), the running
      time daemon and its answer on the loopback interface. Needs no root.
  returned: always
  type: dict
  version_added: 0.2.0
  contains:
    state:
      description: V(kept), V(not_kept), or V(unknown).
      type: str
      sample: kept
    by:
      description: The program that keeps the clock, or that runs without keeping it. Empty if there is none.
      type: str
      sample: chronyd
    source:
      description: The source of RV(clock_keeper.by), as an address or a reference identifier. Empty if it is not known.
      type: str
      sample: 192.0.2.20
    reason:
      description:
        - Why RV(clock_keeper.state) is V(not_kept). V(no_time_daemon), V(no_control_of_clock) for a chronyd with C(-x)
          or an ntpd with C(disable ntp), V(own_clock) for a daemon that follows the clock of the host itself, or
          V(not_synchronized). Empty otherwise.
      type: str
    msg:
      description: Sentence with RV(clock_keeper.state) and RV(clock_keeper.reason).
      type: str
    kernel_synchronized:
      description: >-
        Whether the kernel considers its clock synchronized (C(STA_UNSYNC) is not set). V(null) if the module may not query it.
      type: bool
    maximum_error:
      description: Maximum error of the clock in seconds, according to the kernel.
      type: float
    estimated_error:
      description: Estimated error of the clock in seconds, according to the daemon.
      type: float
aem:
  description: Whether the module could test the agents.
  returned: always
  type: dict
  contains:
    state:
      description:
        - V(ok) if the agents were tested.
        - V(unreachable) or V(starting) if AEM does not answer (yet), V(unauthorized) if it refuses the account,
          V(not_aem) if something else answers, V(unknown_agent) if AEM does not have an agent that O(agents) names,
          V(no_agents) if there is no enabled Brand Portal agent.
        - V(failed), since version 0.2.0, if the collection itself failed. RV(aem.message) has the type of the error.
      type: str
      sample: ok
    message:
      description: The problem and the next step. Empty if RV(aem.state) is V(ok).
      type: str
      sample: ''
    clock_offset:
      description:
        - Bounds of AEM's clock minus this host's clock in seconds, from the C(Date) of AEM's answers. Positive if AEM is
          ahead of the host. V(null) if no answer had a C(Date).
      type: dict
      version_added: 0.2.0
      contains:
        low:
          description: Lower bound.
          type: float
          sample: -0.812
        high:
          description: Upper bound.
          type: float
          sample: 1.107
"""

import threading

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import agents, dates
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import client as aem_http
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import connection_test as test
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem.argspec import AEM_OPTIONS, complaint
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import conclusion, measurement, ntplib_loader
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.argspec import SKEW_OPTIONS
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.clock import Anchor
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import ClockError
from ansible_collections.aemops.brand_portal.plugins.module_utils._common import process
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.printable import all_printable
from ansible_collections.aemops.brand_portal.plugins.module_utils._host import clock_keeper
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.clock_hints import interrupted
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.references import ntp_servers

# Time limit in seconds for one query to a time daemon or to the tool of a hypervisor.
COMMAND_TIMEOUT = 5.0


class AgentTests(threading.Thread):
    """Tests the agents in a thread during the measurement. What prevents the tests becomes `aem`."""

    def __init__(self, params):
        super().__init__(daemon=True)
        self.params = params
        self.client = aem_http.from_params(params, Anchor().now)
        self.aem = {'state': 'ok', 'message': ''}
        self.chosen = []
        self.tests = []

    def find_agents(self):
        """Choose the agents. The measurement of the clock needs their tenants."""
        def find():
            aem_http.wait_if_asked(self.client, self.params)
            self.chosen = agents.select(self.client.list_agents(), self.params['agents'])
        self._try(find)

    def run(self):
        def test_all():
            self.tests = test.run(self.client, self.chosen, self.params['test_timeout'], self.params['parallel'])
        if self.chosen:
            self._try(test_all)

    def _try(self, work):
        try:
            work()
        except (aem_http.AemError, agents.AgentsError) as error:
            self.aem = {'state': error.kind, 'message': error.message}
        except Exception as error:  # pylint: disable=broad-except  # in a thread it would be lost, and read as "no agents"
            # Only the type of the error: its text may quote the request to AEM, including the account.
            kind = type(error).__name__
            self.aem = {'state': 'failed', 'message': f'The agents could not be tested, because this collection failed ({kind}). '
                                                      'Report it with the versions of AEM and Python.'}

    def concluded(self, skew):
        """Return the results, with their causes refined by the measured clock."""
        behind = (skew['verdict'], skew['direction']) == ('skewed', 'behind')
        believed = skew['verified'] and skew['verdict'] in ('in_sync', 'skewed')
        return test.refined(self.tests, behind, dates.of_iso(skew['reference_time']) if believed else None)

    def sources(self):
        """Return the two dates of the tests as one source for each tenant."""
        return [conclusion.agent_source(tenant, *bounds) for tenant, bounds in test.skew_by_tenant(self.tests).items()]


def main():
    module = AnsibleModule(argument_spec=dict(SKEW_OPTIONS, **AEM_OPTIONS), supports_check_mode=True)
    options = dict(module.params, ntp_servers=ntp_servers(module.params['ntp_servers']))
    wrong = complaint(module.params)
    if wrong:
        module.fail_json(msg=wrong)
    try:
        measurement.plan_for(options)
        codec = ntplib_loader.load(module.params['_ntplib'])
        agent_tests = AgentTests(module.params)
        aem_http.warn_in_clear(module, agent_tests.client)
        agent_tests.find_agents()
        agent_tests.start()
        options['https_urls'] = options['https_urls'] + agents.origins(agent_tests.chosen)
        sources = measurement.measure(options, codec)
    except ClockError as error:
        module.fail_json(msg=str(error))
    except aem_http.AemError as error:
        module.fail_json(msg=error.message, kind=error.kind)
    # The agents' tests take longer.
    keeper = clock_keeper.look(lambda command: process.run(command, COMMAND_TIMEOUT).out)
    agent_tests.join()
    skew = conclusion.conclude(sources + agent_tests.sources(), module.params['max_skew'])
    module.exit_json(
        changed=False,
        skew=skew,
        tests=all_printable(agent_tests.concluded(skew)),
        aem=all_printable(dict(agent_tests.aem, clock_offset=agent_tests.client.clock_offset)),
        interrupted=interrupted(keeper=clock_keeper.lasting_steerer(keeper)),
        clock_keeper=keeper,
    )


if __name__ == '__main__':
    main()
