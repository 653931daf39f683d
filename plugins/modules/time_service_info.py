#!/usr/bin/python

# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: time_service_info
short_description: Find out what keeps time on a host and whether it may set its clock
version_added: 0.1.0
description:
  - Tells which time daemons a host has, in which state they are and where they are configured,
    and whether the host may set its clock at all.
  - Reads files and asks systemd once. Changes nothing and never tries to set the clock to find out.
  - It is the fact-finding call of the role P(aemops.brand_portal.fix_bp_jwt#role) before a repair.
extends_documentation_fragment:
  - aemops.brand_portal.attributes
  - aemops.brand_portal.attributes.info_module
author:
  - aemops.brand_portal contributors (@aemops)
notes:
  - No root is needed. Whether the clock may be set is read from the capability bounding set
    (C(CapBnd) in C(/proc/self/status), see capabilities(7)) and the user namespace, so the answer is the host's,
    not that of the account which asks.
seealso:
  - module: aemops.brand_portal.clock_skew_info
  - module: aemops.brand_portal.time_service
"""

EXAMPLES = r"""
- name: Find out what keeps time here
  aemops.brand_portal.time_service_info:
  register: time_service

- name: Name the daemons that run
  ansible.builtin.debug:
    msg: "{{ time_service.daemons | selectattr('active') | map(attribute='name') }}"
"""

RETURN = r"""
may_set_clock:
  description: Whether this host can set its clock, given the rights. False in containers that share their host's clock.
  returned: always
  type: bool
  sample: true
clock_owner:
  description: Whose clock it is, in words, where RV(may_set_clock=false); empty otherwise.
  returned: always
  type: str
  sample: ''
rtc:
  description: The device of the real-time clock that keeps time over a reboot; empty where there is none.
  returned: always
  type: str
  sample: /dev/rtc0
hypervisor_time_sources:
  description: Time sources by which a hypervisor or cloud may set this clock, in words.
  returned: always
  type: list
  elements: str
  sample: ['Hyper-V / Azure PTP clock']
zone_offsets:
  description:
    - Seconds by which this host's local time is ahead of UTC, now and, where that differs, in the other half of the year.
    - A clock that is off by just that took local time for UTC, or the other way round.
  returned: always
  type: list
  elements: int
  sample: [3600, 7200]
rtc_local:
  description: Whether the real-time clock is taken to hold local time (C(LOCAL) in C(/etc/adjtime)).
  returned: always
  type: bool
last_repair:
  description: What M(aemops.brand_portal.clock_step) did last on this host; empty where it never did.
  returned: always
  type: dict
  sample:
    at: '2026-11-25T16:30:00.000Z'
    offset: 3563.212
  contains:
    at:
      description: When, in UTC by the right time.
      type: str
    offset:
      description: By how many seconds the clock was set.
      type: float
package_manager:
  description: The Ansible module that installs packages here.
  returned: always
  type: str
  sample: apt
ntp_servers:
  description: The servers of the daemon that is configured here, or the vendor's pool where none is.
  returned: always
  type: list
  elements: str
  sample: ['2.debian.pool.ntp.org']
interrupted:
  description: >-
    What repairs have begun on this host and not ended, as RV(aemops.brand_portal.brand_portal_health_info#module:interrupted).
    The next one finishes them.
  returned: always
  type: list
  elements: str
  sample: []
daemons:
  description: Every time daemon that is known, whether the host has it or not.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: chrony, ntpsec, ntpd, timesyncd or openntpd.
      type: str
    installed:
      description: Its unit and its binary are there.
      type: bool
    package:
      description: The package that brings it on this kind of system; empty where there is none.
      type: str
    unit:
      description: Its systemd unit on this host, or the usual one where it is not installed.
      type: str
    active:
      description: It runs now.
      type: bool
    enabled:
      description: It starts at boot.
      type: bool
    masked:
      description: Somebody masked its unit.
      type: bool
    config:
      description: Its configuration file.
      type: str
    sources_dir:
      description: Where source files may be dropped beside the configuration; empty where the layout has no such place.
      type: str
    config_dir:
      description: Where settings may be dropped beside the configuration; empty where the layout has no such place.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import system_clock
from ansible_collections.aemops.brand_portal.plugins.module_utils._host import clock_hints, time_service


def main():
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)

    def run(command):
        return module.run_command(command)[1] if module.get_bin_path(command[0]) else ''

    host = time_service.Host(run)
    clock_owner = system_clock.clock_owner() or ''
    module.exit_json(
        changed=False,
        may_set_clock=not clock_owner,
        clock_owner=clock_owner,
        rtc=system_clock.rtc_device() or '',
        hypervisor_time_sources=time_service.time_pushers(host),
        package_manager=time_service.package_manager(host),
        ntp_servers=time_service.default_ntp_servers(host),
        interrupted=clock_hints.interrupted(),
        daemons=time_service.find_daemons(host),
        **clock_hints.facts()
    )


if __name__ == '__main__':
    main()
