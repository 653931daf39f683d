#!/usr/bin/python

# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: time_service_info
short_description: Gather facts about the time daemons and the clock of a host
version_added: 0.1.0
description:
  - Returns which time daemons a host has, their state and their configuration files, and whether the host may set its clock.
  - Reads files and queries systemd once. Changes nothing, and does not try to set the clock.
  - The role P(aemops.brand_portal.fix_bp_jwt#role) runs it before a repair.
extends_documentation_fragment:
  - aemops.brand_portal.attributes
  - aemops.brand_portal.attributes.info_module
author:
  - aemops.brand_portal contributors (@aemops)
options:
  aem_url:
    description:
      - Address of an AEM on this host. With it, the module also returns the process, the systemd unit and the repository of this
        AEM in RV(aem).
      - Only root can see which process listens on a port.
    type: str
    version_added: 0.2.0
  username:
    description:
      - AEM account that reads the system overview of AEM, if the files do not show which repository AEM uses.
        Without an account, the module does not read the overview.
    type: str
    version_added: 0.2.0
  password:
    description: Password of O(username).
    type: str
    version_added: 0.2.0
  ca_path:
    description: File on the host with the CA certificates that verify O(aem_url). They replace the CA certificates of the host.
    type: path
    version_added: 0.2.0
  validate_certs:
    description: Whether to verify the certificate of O(aem_url).
    type: bool
    default: true
    version_added: 0.2.0
notes:
  - Needs no root. The module reads from the capability bounding set (C(CapBnd) in C(/proc/self/status), see capabilities(7))
    and the user namespace whether the clock may be set, so the answer applies to the host, not to the account.
seealso:
  - module: aemops.brand_portal.clock_skew_info
  - module: aemops.brand_portal.time_service
"""

EXAMPLES = r"""
- name: Get the time daemons of the host
  aemops.brand_portal.time_service_info:
  register: time_service

- name: Get the unit and the repository of AEM
  aemops.brand_portal.time_service_info:
    aem_url: http://localhost:4502
  become: true
  register: time_service

- name: Show the daemons that run
  ansible.builtin.debug:
    msg: "{{ time_service.daemons | selectattr('active') | map(attribute='name') }}"
"""

RETURN = r"""
aem:
  description: The AEM at O(aem_url), according to its process and its files.
  returned: when O(aem_url) is given
  type: dict
  version_added: 0.2.0
  contains:
    unit:
      description: The systemd unit that runs only this AEM. Empty if there is none, see RV(aem.reason).
      type: str
      sample: aem.service
    pid:
      description: PID of the process that listens on the port of O(aem_url). V(0) if none was found, or if it is not AEM.
      type: int
    home:
      description: The folder C(crx-quickstart) of this AEM. Empty if it was not found.
      type: str
      sample: /opt/aem/crx-quickstart
    store:
      description:
        - Kind of the repository of AEM. A step of the clock does not harm a V(segment) store (TarMK). AEM on a V(document)
          store (MongoDB or a database) shuts down if the step lets its cluster lease expire.
        - V(unknown) if the command line, the files and the system overview do not show it.
      type: str
      sample: segment
    lease_check:
      description:
        - Lease check of a document store. V(strict) since Apache Oak 1.9.6 (AEM 6.5), V(lenient) before, or V(disabled).
        - V(unknown) for other stores, or if it is not known.
      type: str
      sample: unknown
    evidence:
      description: Where the module found RV(aem.store).
      type: str
      sample: run mode crx3tar
    stoppable:
      description: Whether stopping RV(aem.unit) stops this AEM and nothing else.
      type: bool
    reason:
      description: Why there is no such unit. Empty if there is one.
      type: str
    advice:
      description: What to do about RV(aem.reason).
      type: str
    needs_root:
      description: Whether the module would find more if it ran as root.
      type: bool
    others:
      description: The AEMs of this host that O(aem_url) does not lead to, or that were not found behind it.
      type: list
      elements: dict
      version_added: 1.0.0
      sample: []
      contains:
        pid:
          description: PID of its process.
          type: int
        home:
          description: Its folder C(crx-quickstart).
          type: str
          sample: /opt/publish/crx-quickstart
        unit:
          description: The systemd unit that runs only this AEM. Empty if there is none.
          type: str
          sample: aem-publish.service
        store:
          description: Kind of its repository, as RV(aem.store).
          type: str
          sample: segment
        evidence:
          description: Where the module found its repository.
          type: str
          sample: run mode crx3tar
may_set_clock:
  description: Whether root can set the clock of this host. False in containers, which share the clock of their host.
  returned: always
  type: bool
  sample: true
clock_owner:
  description: Why this host cannot set the clock, and which machine owns it. Empty if RV(may_set_clock=true).
  returned: always
  type: str
  sample: ''
host_time:
  description: Time of the host's clock, in UTC.
  returned: always
  type: str
  sample: '2017-02-28T18:39:51.204Z'
  version_added: 0.2.0
rtc:
  description: Device of the hardware clock (RTC). Empty if there is none.
  returned: always
  type: str
  sample: /dev/rtc0
hypervisor_time_sources:
  description: Descriptions of the time sources through which a hypervisor or a cloud may set the clock.
  returned: always
  type: list
  elements: str
  sample: ['Hyper-V / Azure PTP clock']
zone_offsets:
  description:
    - UTC offset of the host's time zone in seconds, now and, if it differs, in the other half of the year.
    - A clock that is off by exactly one of these was set to local time instead of UTC, or vice versa.
  returned: always
  type: list
  elements: int
  sample: [3600, 7200]
rtc_local:
  description: Whether the hardware clock holds local time (C(LOCAL) in C(/etc/adjtime)).
  returned: always
  type: bool
last_repair:
  description: The last step of the clock by M(aemops.brand_portal.clock_step) on this host. Empty if there was none.
  returned: always
  type: dict
  sample:
    at: '2026-11-25T16:30:00.000Z'
    offset: 3563.212
  contains:
    at:
      description: Time of the step, in UTC by the corrected clock.
      type: str
    offset:
      description: Size of the step in seconds, positive if the clock was behind.
      type: float
package_manager:
  description: The Ansible module that installs packages on this host. Empty if none can be installed.
  returned: always
  type: str
  sample: apt
ntp_servers:
  description: NTP servers of the running daemon, or else of an installed one. The vendor's pool if they name no server.
  returned: always
  type: list
  elements: str
  sample: ['2.debian.pool.ntp.org']
interrupted:
  description: >-
    What interrupted repairs have left on this host, as RV(aemops.brand_portal.brand_portal_health_info#module:interrupted).
    The next repair finishes them.
  returned: always
  type: list
  elements: str
  sample: []
daemons:
  description: All time daemons that the collection knows, installed or not.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: chrony, ntpsec, ntpd, timesyncd, openntpd or ntpd-rs.
      type: str
    installed:
      description: Whether both its unit and its executable exist.
      type: bool
    package:
      description: Package of the daemon on this kind of system. Empty if there is none.
      type: str
    unit:
      description: Systemd unit of the daemon on this host, or the usual unit if it is not installed.
      type: str
    active:
      description: Whether the daemon runs.
      type: bool
    enabled:
      description: Whether the daemon starts at boot.
      type: bool
    masked:
      description: Whether the unit of the daemon is masked.
      type: bool
    condition:
      description: Condition for which systemd does not start the unit, with file and line. Empty if there is none.
      type: str
      version_added: 0.2.0
    config:
      description: The configuration file that the daemon is started with.
      type: str
    sources_dir:
      description: Folder for drop-in files with sources. Empty if the layout has none.
      type: str
    config_dir:
      description: Folder for drop-in files with settings. Empty if the layout has none.
      type: str
    not_read:
      description: >-
        Why the daemon would not read the files of M(aemops.brand_portal.time_service), for example because of a configuration
        from DHCP. Empty if it would.
      type: str
      version_added: 0.2.0
    no_control:
      description: Command-line option that keeps the daemon from setting the clock, and its place. Empty if there is none.
      type: str
      version_added: 0.2.0
steerers:
  description: >-
    Other mechanisms that set the clock of this host, such as PTP, guest services, and units, timers and cron jobs that run
    programs such as C(ntpdate). The module finds them without executing them.
  returned: always
  type: list
  elements: dict
  version_added: 0.2.0
  contains:
    name:
      description: Description of the mechanism.
      type: str
    unit:
      description: systemd unit of the mechanism. Empty if it has none.
      type: str
    place:
      description: The unit, or the file and line, in which the module found the mechanism.
      type: str
    can_stop:
      description: >-
        Whether M(aemops.brand_portal.time_service) stops and disables the mechanism. If not, that module refuses to configure
        a daemon.
      type: bool
    advice:
      description: What to do about a mechanism that cannot be stopped.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import capabilities, clock, rtc
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.http_date import iso_utc
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.importing import IMPORT_LOCK
from ansible_collections.aemops.brand_portal.plugins.module_utils._host import clock_hints
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import discovery, servers
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import System

# The keys of discovery.find_daemons() that are documented and returned.
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
    """Return the key `aem` of the result; {} if the option aem_url is not set."""
    if not params['aem_url']:
        return {}
    # Only a repair looks for AEM's process.
    with IMPORT_LOCK:
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
