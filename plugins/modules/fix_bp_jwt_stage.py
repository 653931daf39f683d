#!/usr/bin/python

# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: fix_bp_jwt_stage
short_description: Run one stage of the role fix_bp_jwt on the controller (internal)
version_added: 0.2.0
description:
  - What P(aemops.brand_portal.fix_bp_jwt#role) does in its tasks. It is of no use without the role, whose variables are its
    options.
  - The stages are one action so that a healthy host costs one task.
options:
  stage:
    description:
      - V(measure) checks the options, measures the clock and tests the agents with
        M(aemops.brand_portal.brand_portal_health_info), decides, and gives what the variable C(fix_bp_jwt_result) holds.
      - V(plan) looks at all hosts, decides whether any clock may be corrected, and cuts the hosts that need it into batches.
      - V(begin) names the hosts of the batch O(turn), or none when too many repairs failed.
      - V(prove) measures and tests once more, what and as V(measure) did, and gives the result of
        M(aemops.brand_portal.brand_portal_health_info).
      - V(not_begun) gives the host's result with the reason why no repair was begun.
      - V(rehearse) gives the host's result with what a repair would need, tried as root.
      - V(report) writes the files, sets the statistics, and gives the lines of the table.
      - V(conclude) ends a host as failed or unreachable, unless it passed.
    type: str
    required: true
    choices: [measure, plan, begin, prove, not_begun, rehearse, report, conclude]
  turn:
    description: For V(begin), which of the batches is next, from 0 on.
    type: int
    default: 0
  ready_timeout:
    description: For V(prove), how many seconds AEM is waited for. V(0) does not wait at all.
    type: float
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
  description: The hosts of the run (V(plan)), or of the batch (V(begin)).
  returned: O(stage) is V(plan) or V(begin)
  type: list
  elements: str
lines:
  description: The lines of the table.
  returned: O(stage) is V(report)
  type: list
  elements: str
"""
