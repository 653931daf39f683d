#!/usr/bin/python
# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configures a single time daemon on a host; see DOCUMENTATION."""

DOCUMENTATION = r"""
module: time_service
short_description: Configure a single NTP client on a host, and roll back on failure
version_added: 0.2.0
author:
  - aemops.brand_portal contributors (@aemops)
description:
  - Installs, configures, enables and starts one time daemon, waits until it is synchronized, and stops and disables the others.
    The configuration of the vendor stays, with drop-in files or a marked block added.
  - The module inspects the host first and fails before any change if something prevents the run, for example a line of the
    configuration that the daemon does not accept, or a file that cannot be written.
  - Each change is an act that the module records on disk before it does it. If an act fails, the module undoes the acts in
    reverse order. It undoes an act only while the host is still in the state that the act left. A change that another
    administrator made since then stays, and RV(problems) names it.
  - Before it installs a package, the module asks the package manager for all changes of the transaction. A rollback removes or
    restores exactly these packages. If that would affect any other package, the package stays installed, stopped and disabled.
  - If a run was killed or ended by a reboot, the next run undoes its acts by the same rule, and then continues.
  - On C(SIGTERM), C(SIGHUP) or C(SIGINT), the run ends after the current act, undoes its acts, and reports this.
  - Only one run at a time can work on a host. The module refuses a second run and names the PID and the start of the first.
  - The host keeps the acts of the last run in C(/var/lib/aemops-brand-portal/last-run.json), and logs each act to its journal
    (C(journalctl -t aemops-brand-portal)).
  - Nothing is changed on a host that already matches the options. A running daemon reads new sources without a restart if it
    supports that.
  - With O(set_clock), the module first measures and sets the clock in the same call, as M(aemops.brand_portal.clock_step)
    does, because package managers and TLS fail with a wrong clock. The daemon corrects the remaining offset.
  - Needs root.
extends_documentation_fragment:
  - aemops.brand_portal.attributes
  - aemops.brand_portal.clock
  - aemops.brand_portal.service_guard
  - aemops.brand_portal.service_guard.program
attributes:
  check_mode:
    support: full
    details:
      - Check mode also works on a host without the daemon if the layout of the daemon's package is known.
  diff_mode:
    support: full
    details:
      - The diff never shows keys.
  platform:
    platforms: linux
options:
  state:
    description:
      - V(present) configures a time daemon.
      - V(absent) reverts the changes of earlier runs. It removes the files, blocks and backups of this collection, and restores
        the units of time daemons to their state before the first run, unless another administrator has changed them since.
        Packages stay as they are, and RV(msg) names those that a run has replaced. The daemon of a package that a run has
        installed is stopped and disabled if another one is started again. All other options are ignored.
    type: str
    choices: [present, absent]
    default: present
    version_added: 0.2.0
  provider:
    description:
      - NTP client to use. V(ntpd) means NTPsec on systems that ship NTPsec instead of ntpd.
      - V(auto) keeps the client that runs or starts at boot, if it supports the options that are set. Otherwise it uses chrony if
        it is installed, then any other installed client, and installs chrony if there is none.
    type: str
    choices: [auto, chrony, ntpd, timesyncd]
    default: auto
  servers:
    description:
      - NTP servers, each as V(host), V(host:port) or V([IPv6]:port). Servers that are already configured are not written again.
      - If O(servers), O(pools), O(nts_servers) and O(cloud) name no source, the sources stay as they are.
    type: list
    elements: str
    default: []
  pools:
    description:
      - DNS names of NTP pools, each of which resolves to several servers.
    type: list
    elements: str
    default: []
  nts_servers:
    description:
      - NTP servers to query with Network Time Security (RFC 8915), which chrony 4 and NTPsec support.
    type: list
    elements: str
    default: []
  keys:
    description:
      - Symmetric keys of O(servers). The module writes them to the daemon's key file (mode 0640) and never shows them.
    type: list
    elements: dict
    default: []
    suboptions:
      server:
        description: Server in O(servers) that this key authenticates.
        type: str
        required: true
      id:
        description: Number from 1 to 65535 by which client and server identify the key.
        type: str
        required: true
      type:
        description: Algorithm of the key, V(MD5), V(SHA1), V(SHA256), V(SHA384), V(SHA512), V(AES128) or V(AES256).
        type: str
        default: SHA256
      key:
        description: Key in the format of the daemon's key file, for chrony for example C(HEX:) and hexadecimal digits.
        type: str
        required: true
  cloud:
    description:
      - Time source of the cloud that the host runs in. V(aws) is 169.254.169.123, V(gcp) is metadata.google.internal,
        V(azure) is the device C(/dev/ptp_hyperv), which only chrony can use.
      - AWS and GCP spread leap seconds over a day. The module refuses them together with other servers, in the options or in the
        existing configuration, and together with a list of leap seconds (C(leapsectz), C(leapseclist), C(leapfile)). With
        O(only), the module comments out what is in the existing configuration.
    type: str
    choices: [none, aws, gcp, azure]
    default: none
  only:
    description:
      - Whether the daemon uses only O(servers), O(nts_servers), O(pools) and O(cloud). The module comments out other lines that
        name servers, or that take servers from a DHCP lease. systemd-timesyncd gets an empty C(FallbackNTP=).
        O(state=absent) restores these lines.
      - The module fails if the daemon would still use another source. systemd-timesyncd always uses the servers that
        systemd-networkd receives from a DHCP lease (C(UseNTP=) of the network).
    type: bool
    default: false
    version_added: 0.2.0
  max_distance:
    description:
      - Maximum root distance of a source in seconds. C(maxdistance) of chrony, C(tos maxdist) of ntpd,
        C(RootDistanceMaxSec) of timesyncd. V(0) keeps the daemon's own limit.
    type: float
    default: 0
  set_clock:
    description:
      - Whether to measure the clock first, and set it if it is off by more than O(max_skew).
      - If O(ntp_servers) is empty, the module measures against O(servers), O(nts_servers), O(pools) and O(cloud).
    type: bool
    default: false
  wait_at_boot:
    description:
      - Whether each boot waits until the clock is synchronized before it reaches C(time-sync.target), for at most
        O(wait_at_boot_timeout) seconds. Only services that are ordered after that target wait, see O(start_after_sync).
      - Enables the unit that comes with the daemon (C(chrony-wait), C(systemd-time-wait-sync), C(ntpsec-wait)), or writes and
        enables C(aemops-brand-portal-time-wait.service) if there is none.
      - V(false) changes nothing. O(state=absent) reverts it.
    type: bool
    default: false
    version_added: 0.2.0
  wait_at_boot_timeout:
    description: Maximum number of seconds that a boot waits for a synchronized clock.
    type: int
    default: 180
    version_added: 0.2.0
  start_after_sync:
    description:
      - systemd services that each boot starts after C(time-sync.target), by a drop-in with C(Wants=) and C(After=). Without
        O(wait_at_boot), that target does not wait for a synchronized clock. O(state=absent) removes the drop-ins.
    type: list
    elements: str
    default: []
    version_added: 0.2.0
  accept_unverified:
    description:
      - Whether O(set_clock) may act on a result that is not verified, for example one from only one or two NTP servers.
    type: bool
    default: false
  max_step:
    description:
      - Largest step of the clock in seconds, in either direction. Applies to O(set_clock), and to a step that the module requests
        from the daemon. V(0) means no limit.
    type: float
    default: 0.0
  max_skew:
    description:
      - Offset in seconds above which O(set_clock) sets the clock, and above which the module tells a synchronized daemon to step
        the clock instead of slewing it.
  sync_tolerance:
    description:
      - Largest remaining offset, in seconds, at which the clock counts as synchronized.
      - ntpd slews up to 0.128 s by itself and timesyncd up to 0.4 s, which counts as synchronized as well.
        So does what an ntpd with C(-x) or C(tinker step) slews, up to O(max_skew).
    type: float
    default: 0.02
  sync_timeout:
    description:
      - Maximum number of seconds to wait for synchronization.
    type: int
    default: 60
  on_unsynchronized:
    description:
      - How to handle a daemon that is not synchronized within O(sync_timeout), or that cannot be made to keep the clock.
      - V(fail) rolls the run back. V(ignore) leaves the daemon configured and enabled, reports in RV(synchronized), RV(reason)
        and RV(advice) why nothing keeps the clock yet, and stops waiting early if no source answers at all.
      - V(auto) means V(ignore) if O(set_clock) has confirmed with a TLS-verified service in O(https_urls) that the clock is right,
        and V(fail) otherwise.
    type: str
    choices: [auto, fail, ignore]
    default: auto
seealso:
  - module: aemops.brand_portal.time_service_info
  - module: aemops.brand_portal.clock_step
"""

EXAMPLES = r"""
- name: Configure the installed time daemon, or chrony if there is none, with three servers
  aemops.brand_portal.time_service:
    servers: [ntp1.example.com, ntp2.example.com, ntp3.example.com]
  become: true

- name: Set the clock from the service that validates the tokens, and let the daemon keep it synchronized
  aemops.brand_portal.time_service:
    set_clock: true
    https_urls: ['https://example.brand-portal.adobe.com/']
  become: true

- name: Revert the changes of the module
  aemops.brand_portal.time_service:
    state: absent
  become: true

- name: Use the time source of the cloud
  aemops.brand_portal.time_service:
    provider: chrony
    cloud: aws
  become: true
"""

RETURN = r"""
synchronized:
  description: Whether a synchronized daemon keeps the clock. In check mode, whether one already does, without any change.
  returned: always
  type: bool
  sample: true
msg:
  description: Summary of the state of the time service. On failure, what failed, what was done and what was undone.
  returned: always
  type: str
  sample: "chrony.service keeps the clock right: synchronized to 192.0.2.1, +0.000012 s left."
advice:
  description: The next step for the user. Empty if there is none.
  returned: always
  type: str
  version_added: 0.2.0
reason:
  description: >-
    Code of the reason why the daemon does not keep the clock. Empty if it does, or if the reason is not known. One of C(no_source),
    C(unreachable), C(not_selected), C(may_not_be_asked), C(too_old_to_tell), C(own_clock), C(no_control_of_clock),
    C(not_running), C(not_read), C(another_steers) and C(unknown).
  returned: always
  type: str
  version_added: 0.2.0
provider:
  description: The daemon that was chosen, as M(aemops.brand_portal.time_service_info) names it. Empty if none was chosen.
  returned: always
  type: str
  sample: chrony
unit:
  description: The systemd unit of RV(provider).
  returned: always
  type: str
  sample: chrony.service
residual_offset:
  description: Offset in seconds that the daemon still has to correct, positive if the clock is behind. Null if not synchronized.
  returned: always
  type: float
  sample: 0.000012
sources:
  description: All servers and pools that the daemon's configuration names.
  returned: always
  type: list
  elements: str
actions:
  description: One sentence for each act that was done, in order. In check mode, for each act that would be done.
  returned: always
  type: list
  elements: str
  sample: ['write /etc/chrony/sources.d/aemops-brand-portal.sources', 'tell chrony.service its new sources']
acts:
  description:
    - The acts of the run, in order. RV(ignore:changed) is whether one was done and not undone.
    - C(act) is C(file), C(unit), C(packages), C(source), C(clock) or C(service_stop). C(before) and C(after) are the states of
      C(target); they are empty for files with keys.
  returned: always
  type: list
  elements: dict
  version_added: 0.2.0
  sample:
    - {act: unit, target: ntpsec.service, before: {active: true, enabled: true}, after: {active: false, enabled: false},
       done: true, undone: false}
restored:
  description: Whether all acts were undone. V(true) if there was nothing to undo.
  returned: always
  type: bool
problems:
  description: Each change that was not undone, and why.
  returned: always
  type: list
  elements: str
backups:
  description:
    - Files that this run changed, each with the path of the copy that keeps its previous content. These are the vendor's files
      to which the module added a block, and files or blocks of this collection that another administrator has edited.
  returned: always
  type: dict
  sample: {"/etc/chrony.conf": "/etc/chrony.conf.before-aemops-brand-portal"}
stopped:
  description: Services that were stopped while the clock was set, and started again; in check mode, those that would be.
  returned: always
  type: list
  elements: str
  version_added: 0.2.0
  sample: ['aem.service']
downtime:
  description: Number of seconds for which the services in RV(stopped) were stopped.
  returned: always
  type: float
  version_added: 0.2.0
disabled:
  description:
    - Units of other time daemons that the module stopped and disabled, or replaced.
    - V(VMware tools) if the module turned off their time synchronization.
  returned: always
  type: list
  elements: str
  version_added: 0.2.0
unmasked:
  description: Whether RV(unit) was masked, and the module unmasked it.
  returned: always
  type: bool
recovered:
  description: What the module did about an earlier run that was interrupted. Empty if there was none.
  returned: always
  type: str
clock:
  description:
    - Result of O(set_clock). The keys are C(changed), C(before), C(after), C(rtc), C(stopped), C(msg) and C(advice), as
      M(aemops.brand_portal.clock_step) returns them.
    - If the clock was not set, or the measurement afterwards failed, the keys that are not known are missing.
  returned: with set_clock, when the clock was measured
  type: dict
rtc:
  description: Result of writing the hardware clock, as RV(aemops.brand_portal.clock_step#module:rtc).
  returned: always
  type: dict
journal:
  description: The last lines that the daemon wrote to the journal, on failure.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import capabilities, rtc
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import ClockError
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.step import STEP_OPTIONS
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.stop_request import StopRequest
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.references import ntp_servers
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.wanted import Refused, misplaced
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.step_clock import ClockStep
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import System
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.absent import Absent
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.present import HostClock, Present
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.result import TimeServiceFailed, blank

ARGUMENTS = {
    'state': {'type': 'str', 'choices': ['present', 'absent'], 'default': 'present'},
    'provider': {'type': 'str', 'choices': ['auto', 'chrony', 'ntpd', 'timesyncd'], 'default': 'auto'},
    'servers': {'type': 'list', 'elements': 'str', 'default': []},
    'pools': {'type': 'list', 'elements': 'str', 'default': []},
    'nts_servers': {'type': 'list', 'elements': 'str', 'default': []},
    # Ansible would print an id that is not an integer and a type that is not a choice. Either may be the key by mistake.
    'keys': {'type': 'list', 'elements': 'dict', 'default': [], 'no_log': False, 'options': {
        'server': {'type': 'str', 'required': True},
        'id': {'type': 'str', 'required': True},
        'type': {'type': 'str', 'default': 'SHA256'},
        'key': {'type': 'str', 'required': True, 'no_log': True},
    }},
    'cloud': {'type': 'str', 'choices': ['none', 'aws', 'gcp', 'azure'], 'default': 'none'},
    'only': {'type': 'bool', 'default': False},
    'max_distance': {'type': 'float', 'default': 0},
    'set_clock': {'type': 'bool', 'default': False},
    'wait_at_boot': {'type': 'bool', 'default': False},
    'wait_at_boot_timeout': {'type': 'int', 'default': 180},
    'start_after_sync': {'type': 'list', 'elements': 'str', 'default': []},
    'sync_tolerance': {'type': 'float', 'default': 0.02},
    'sync_timeout': {'type': 'int', 'default': 60},
    'on_unsynchronized': {'type': 'str', 'choices': ['auto', 'fail', 'ignore'], 'default': 'auto'},
}


def run_for(options, ntplib, module, stop):
    """Return the run for these options. Raises Refused and ClockError."""
    host = System()
    if options['state'] == 'absent':
        return Absent(host, module.check_mode, stop)
    clock = HostClock(owner=lambda: capabilities.clock_owner() or '', write_rtc=rtc.write_rtc)
    run = Present(options, host, clock, module.check_mode, stop)
    if options['set_clock']:
        options['ntp_servers'] = ntp_servers(options['ntp_servers'] or run.want.references)
        run.setter = ClockStep(options, ntplib, module.check_mode, module.warn, host, run.lock, stop)
    return run


def main():
    module = AnsibleModule(argument_spec=dict(STEP_OPTIONS, **ARGUMENTS), supports_check_mode=True)
    stop = StopRequest()
    stop.listen()
    options = dict(module.params)
    ntplib = options.pop('_ntplib')
    try:
        module.exit_json(**run_for(options, ntplib, module, stop).run())
    except TimeServiceFailed as failed:
        module.fail_json(msg=str(failed), **failed.details)
    except (Refused, ClockError) as refused:
        module.no_log_values.update(misplaced(options))
        message = getattr(refused, 'message', '') or str(refused)
        result = blank()
        result['advice'] = getattr(refused, 'advice', '')
        module.fail_json(msg=message, **result)


if __name__ == '__main__':
    main()
