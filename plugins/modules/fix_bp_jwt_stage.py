#!/usr/bin/python

# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: fix_bp_jwt_stage
short_description: Run one stage of the role fix_bp_jwt on the controller (internal)
version_added: 0.2.0
description:
  - Runs the stages of P(aemops.brand_portal.fix_bp_jwt#role). It reads the options of the role, and does not work without it.
  - The stages are one action so that a healthy host costs one task.
options:
  stage:
    description:
      - V(measure) checks the options of the role, measures the clock and tests the agents with
        M(aemops.brand_portal.brand_portal_health_info), decides, and returns the content of the variable C(fix_bp_jwt_result).
      - V(plan) decides from the results of all O(hosts) whether any clock may be corrected, and divides the hosts that need a
        repair into batches.
      - V(start_batch) returns the hosts of O(batch), or none if too many repairs failed.
      - V(verify) measures the clock and tests O(agents) again after a repair, and returns the result of
        M(aemops.brand_portal.brand_portal_health_info).
      - V(skip_host) returns the result of a host whose repair does not begin, with the reason in O(stopped).
      - V(rehearse) checks as root what a repair needs, changes nothing, and returns the result of the host with its findings.
      - V(report) writes the report of all O(hosts), sets the statistics, and returns the lines of the table.
      - V(finish_host) fails for a host that did not pass.
    type: str
    required: true
    choices: [measure, plan, start_batch, verify, skip_host, rehearse, report, finish_host]
  hosts:
    description: Names of all hosts of the run, for O(stage=plan), O(stage=start_batch), and O(stage=report).
    type: list
    elements: str
    default: []
  begun:
    description:
      - Names of the hosts whose repair has begun, for O(stage=plan), O(stage=start_batch), and O(stage=report).
      - A host that is listed here and has no result of its repair counts as lost.
    type: list
    elements: str
    default: []
  batch:
    description: Names of the hosts to repair next, for O(stage=start_batch).
    type: list
    elements: str
    default: []
  batch_index:
    description: Index of O(batch) in the plan, starting with V(0), for O(stage=start_batch).
    type: int
    default: 0
  run:
    description:
      - The value that an earlier O(stage=plan) of this run returned, for O(stage=plan) and O(stage=start_batch).
      - An empty string begins a new run.
    type: str
    default: ''
  stopped:
    description:
      - Why no further repair may begin, for O(stage=plan), O(stage=skip_host), O(stage=report), and O(stage=finish_host).
      - An empty string means that repairs may begin.
    type: str
    default: ''
  agents:
    description: Names of the agents to test, for O(stage=verify).
    type: list
    elements: str
    default: []
  ready_timeout:
    description:
      - Maximum number of seconds to wait for AEM, for O(stage=verify).
      - V(0) does not wait.
    type: float
    default: 0
  planned:
    description: Whether the run has measured its hosts and has a plan, for O(stage=finish_host).
    type: bool
    default: false
  in_run:
    description: Whether this host is part of the run, for O(stage=finish_host).
    type: bool
    default: false
  repair_begun:
    description: Whether the repair of this host has begun, for O(stage=finish_host).
    type: bool
    default: false
  not_passed:
    description: >-
      Number of hosts of the run that did not pass, for O(stage=finish_host). The message is shorter if there are many.
    type: int
    default: 0
  unwritten:
    description:
      - Why the report could not be written, for O(stage=finish_host) of the host that wrote it. This host then fails.
    type: str
    default: ''
  group:
    description:
      - Number of the group in the table that this host belongs to, for O(stage=finish_host).
      - V(0) means that the table has a line for each host.
    type: int
    default: 0
extends_documentation_fragment:
  - aemops.brand_portal.attributes
  - aemops.brand_portal.attributes.info_module
author:
  - aemops.brand_portal contributors (@aemops)
seealso:
  - module: aemops.brand_portal.brand_portal_health_info
"""

EXAMPLES = r"""
- name: Diagnose hosts with the role's own options
  ansible.builtin.include_role:
    name: aemops.brand_portal.fix_bp_jwt
  vars:
    fix_bp_jwt_mode: diagnose
"""

RETURN = r"""
hosts:
  description: The hosts of the run (O(stage=plan)), or of the batch (O(stage=start_batch)).
  returned: when O(stage) is V(plan) or V(start_batch)
  type: list
  elements: str
lines:
  description: The lines of the table.
  returned: when O(stage) is V(report)
  type: list
  elements: str
"""
