# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options for access to AEM and for the choice of agents."""


class ModuleDocFragment:
    # Access to AEM.
    DOCUMENTATION = r"""
options:
  aem_url:
    description:
      - Address of the AEM author as seen from the host the module runs on, with its context path if it has one, such as
        V(http://localhost:4502/author).
      - The module connects to the host itself without a proxy, and to other hosts with the proxy settings of the
        environment.
    type: str
    default: http://localhost:4502
  username:
    description:
      - AEM user that lists and tests the agents. It needs to read C(/etc/replication), and to test agents also
        C(/libs/cq/replication). A test is a GET request, so the user needs no right to write.
    type: str
    required: true
  password:
    description:
      - Password of O(username). It is sent with each request over basic authentication and appears in no result.
    type: str
    required: true
  ca_path:
    description:
      - File on the host with the CA certificates, in PEM, that verify O(aem_url).
    type: path
  validate_certs:
    description:
      - Whether to verify TLS certificates.
    type: bool
    default: true
  ready_timeout:
    description:
      - Maximum number of seconds to wait until AEM is ready, for example after a restart. V(0) does not wait.
    type: float
    default: 0
"""

    # Which agents to test, and how.
    AGENTS = r"""
options:
  agents:
    description:
      - Names of the agents to test, which need not lead to Brand Portal. No agent is tested if AEM does not have one of them.
      - An empty list tests all enabled agents whose transport URI leads to C(*.brand-portal.adobe.com).
      - Agents for reverse replication, agents that flush or purge a cache, agents that do not lead to a receiver
        (C(/bin/receive)), and disabled agents are never tested.
    type: list
    elements: str
    default: []
  test_timeout:
    description:
      - Maximum number of seconds for the test of one agent. A Brand Portal agent itself may wait 180 seconds for a
        connection and 600 seconds for an answer.
    type: float
    default: 900
  parallel:
    description:
      - Number of agents to test at the same time.
    type: int
    default: 4
"""
