#!/usr/bin/python

# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: repair_rehearsal_info
short_description: Check whether a repair of the clock can succeed on a host
version_added: 0.2.0
description:
  - Checks whether a repair can become root, set the clock, stop and start the given services, download the package of a time
    daemon, and write its files. Changes nothing.
  - The role P(aemops.brand_portal.fix_bp_jwt#role) runs it with
    O(aemops.brand_portal.fix_bp_jwt#role:main:fix_bp_jwt_mode=rehearse).
options:
  stop_services:
    description: Names of the systemd services that a repair stops while it sets the clock.
    type: list
    elements: str
    default: []
  provider:
    description: The time daemon that a repair uses, as O(aemops.brand_portal.time_service#module:provider).
    type: str
    choices: [auto, chrony, ntpd, timesyncd]
    default: auto
extends_documentation_fragment:
  - aemops.brand_portal.attributes
  - aemops.brand_portal.attributes.info_module
  - aemops.brand_portal.service_guard.program
author:
  - aemops.brand_portal contributors (@aemops)
seealso:
  - module: aemops.brand_portal.time_service
  - module: aemops.brand_portal.time_service_info
"""

EXAMPLES = r"""
- name: Check what a repair needs
  aemops.brand_portal.repair_rehearsal_info:
    stop_services: [aem.service]
  become: true
  register: rehearsal

- name: Show the checks that failed
  ansible.builtin.debug:
    msg: "{{ rehearsal.checks | rejectattr('passed') | map(attribute='found') }}"
"""

RETURN = r"""
checks:
  description: The checks of the rehearsal.
  returned: always
  type: list
  elements: dict
  contains:
    check:
      description: C(become), C(clock), C(systemd), C(service), C(packages), C(disk) or C(files).
      type: str
    passed:
      description: Whether the check passed.
      type: bool
    found:
      description: What the check found.
      type: str
    advice:
      description: What to do if the check failed. Empty if it passed.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import capabilities
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.step import STEP_OPTIONS
from ansible_collections.aemops.brand_portal.plugins.module_utils._host import rehearsal
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import System

OPTIONS = {
    'stop_services': {'type': 'list', 'elements': 'str', 'default': []},
    'stop_program': STEP_OPTIONS['stop_program'],
    'provider': {'type': 'str', 'choices': ['auto', 'chrony', 'ntpd', 'timesyncd'], 'default': 'auto'},
}


def main():
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    checks = rehearsal.rehearse(System(), module.params['stop_services'], module.params['provider'],
                                clock_owner=lambda: capabilities.clock_owner() or '', program=module.params['stop_program'])
    module.exit_json(changed=False, checks=[dict(check._asdict()) for check in checks])


if __name__ == '__main__':
    main()
