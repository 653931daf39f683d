#!/usr/bin/python

# Copyright (c) 2026, aemops.brand_portal contributors
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
options:
  aem_url:
    description:
      - The address of an AEM on this host, to find its process, its systemd unit and its repository too. See RV(aem).
      - Only root sees which process listens on a port.
    type: str
    version_added: 0.2.0
  username:
    description:
      - The AEM account that reads the system overview of AEM, where the files do not tell which repository it runs on.
        Without an account the overview is not asked.
    type: str
    version_added: 0.2.0
  password:
    description: The password of the AEM account.
    type: str
    version_added: 0.2.0
  ca_path:
    description: The file of CA certificates on the host to verify the certificate of AEM with, instead of the host's own.
    type: path
    version_added: 0.2.0
  validate_certs:
    description: Whether to verify the certificate of AEM.
    type: bool
    default: true
    version_added: 0.2.0
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

- name: Find out which unit runs AEM, and on what repository
  aemops.brand_portal.time_service_info:
    aem_url: http://localhost:4502
  become: true
  register: time_service

- name: Name the daemons that run
  ansible.builtin.debug:
    msg: "{{ time_service.daemons | selectattr('active') | map(attribute='name') }}"
"""

RETURN = r"""
aem:
  description: The AEM behind O(aem_url), as its process and its files show it.
  returned: when O(aem_url) is given
  type: dict
  version_added: 0.2.0
  contains:
    unit:
      description: The systemd unit that runs AEM and nothing else; empty where there is none, see RV(aem.reason).
      type: str
      sample: aem.service
    pid:
      description: The process that listens on the port of O(aem_url); V(0) where none was found.
      type: int
    home:
      description: The folder C(crx-quickstart) of this AEM; empty where it was not found.
      type: str
      sample: /opt/aem/crx-quickstart
    store:
      description:
        - The kind of its repository. A step of the clock does no harm to a V(segment) store (TarMK). It ends a V(document)
          store (MongoDB or a database) whose cluster lease lapses by it.
        - V(unknown) where neither the command line nor the files nor the system overview tell.
      type: str
      sample: segment
    lease_check:
      description:
        - Of a document store. V(strict), as since Apache Oak 1.9.6 (AEM 6.5), V(lenient) as before, or V(disabled).
        - V(unknown) otherwise.
      type: str
      sample: unknown
    evidence:
      description: What tells RV(aem.store).
      type: str
      sample: run mode crx3tar
    stoppable:
      description: Whether stopping RV(aem.unit) stops this AEM and nothing else.
      type: bool
    reason:
      description: Why there is no such unit; empty where there is one.
      type: str
    advice:
      description: What to do about RV(aem.reason).
      type: str
    needs_root:
      description: Whether only root can see more.
      type: bool
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
host_time:
  description: What the clock of the host reads, in UTC.
  returned: always
  type: str
  sample: '2017-02-28T18:39:51.204Z'
  version_added: 0.2.0
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
  description: The Ansible module that installs packages here; empty where none can be installed.
  returned: always
  type: str
  sample: apt
ntp_servers:
  description: The servers of the daemon that works here, else of one that is installed, or the vendor's pool where none names any.
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
      description: chrony, ntpsec, ntpd, timesyncd, openntpd or ntpd-rs.
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
      description: Whether its unit is masked.
      type: bool
    condition:
      description: The condition of its unit that is not met, so that systemd skips its start, with file and line; empty otherwise.
      type: str
      version_added: 0.2.0
    config:
      description: The configuration file that it is started with.
      type: str
    sources_dir:
      description: Where source files may be dropped beside the configuration; empty where the layout has no such place.
      type: str
    config_dir:
      description: Where settings may be dropped beside the configuration; empty where the layout has no such place.
      type: str
    not_read:
      description: >-
        Why it would not read what M(aemops.brand_portal.time_service) writes, a configuration from DHCP for
        instance; empty where it would.
      type: str
      version_added: 0.2.0
    no_control:
      description: The option it is started with by which it never sets the clock, with its place; empty where it does.
      type: str
      version_added: 0.2.0
steerers:
  description: >-
    What sets this clock beside a time daemon, found without executing it. PTP, guest services, units, timers and cron jobs that run
    C(ntpdate) and the like.
  returned: always
  type: list
  elements: dict
  version_added: 0.2.0
  contains:
    name:
      description: What it is, in words.
      type: str
    unit:
      description: Its systemd unit; empty where it has none.
      type: str
    place:
      description: The unit, or the file and line, where it was found.
      type: str
    can_stop:
      description: >-
        Whether M(aemops.brand_portal.time_service) stops and disables it. Otherwise it refuses to run a second one beside it.
      type: bool
    advice:
      description: What to do about one that is not stopped.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import capabilities, clock, rtc
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.http_date import iso_utc
from ansible_collections.aemops.brand_portal.plugins.module_utils._host import clock_hints
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import discovery, servers
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import System

# Of discovery.find_daemons, what is documented.
DAEMON_KEYS = ('name', 'installed', 'package', 'unit', 'active', 'enabled', 'masked', 'condition', 'config', 'sources_dir',
               'config_dir', 'not_read', 'no_control')

OPTIONS = {
    'aem_url': {'type': 'str'},
    'username': {'type': 'str'},
    'password': {'type': 'str', 'no_log': True},
    'ca_path': {'type': 'path'},
    'validate_certs': {'type': 'bool', 'default': True},
}


def find_aem(params):
    """The key aem; {} where nothing of AEM was asked."""
    if not params['aem_url']:
        return {}
    # Only a repair looks for AEM's process.
    from ansible_collections.aemops.brand_portal.plugins.module_utils._aem.client import Aem, AemError
    from ansible_collections.aemops.brand_portal.plugins.module_utils._host import aem_process

    def overview():
        try:
            return Aem(params['aem_url'], params['username'], params['password'], params['ca_path'],
                       params['validate_certs']).system_overview()
        except AemError:
            return {}

    asked = overview if params['username'] and params['password'] else None
    return {'aem': aem_process.find(params['aem_url'], overview=asked)}


def main():
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)

    host = System()
    daemons = discovery.find_daemons(host)
    clock_owner = capabilities.clock_owner() or ''
    module.exit_json(
        changed=False,
        may_set_clock=not clock_owner,
        clock_owner=clock_owner,
        host_time=iso_utc(clock.Anchor().now()),
        rtc=rtc.rtc_device() or '',
        hypervisor_time_sources=discovery.time_pushers(host),
        package_manager=discovery.package_manager(host),
        ntp_servers=servers.effective_ntp_servers(host),
        interrupted=clock_hints.interrupted(),
        daemons=[{key: facts[key] for key in DAEMON_KEYS} for facts in daemons],
        steerers=[dict(steerer._asdict()) for steerer in discovery.steerers(host)],
        **dict(clock_hints.facts(), **find_aem(module.params))
    )


if __name__ == '__main__':
    main()
