#!/usr/bin/python
# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let one time daemon keep a host's clock; see DOCUMENTATION."""

DOCUMENTATION = r"""
module: time_service
short_description: Configure a single NTP client on a host, and roll back on failure
version_added: 0.2.0
author:
  - aemops.brand_portal contributors (@aemops)
description:
  - Brings a host to one time daemon that is installed, configured beside the vendor's configuration, enabled, running and
    synchronized, and stops and disables the others.
  - The module looks at everything first. It says what is in the way before it changes anything, for instance a configuration
    that the daemon does not accept, with its line, or a file that cannot be written.
  - Each change is an act that is written to disk before it is done. When an act fails, the module undoes the acts in reverse
    order. It undoes an act only while the host still is as the act left it. What another administrator has changed since stays
    and is named in RV(problems).
  - A package is installed only after the package manager was asked what else that would change. Exactly these packages are
    removed or restored again. Where that would touch any other package, the package stays, stopped and disabled.
  - A run that was killed, or ended by a reboot, is undone by the next one by the same rule, which then goes on.
  - C(SIGTERM), C(SIGHUP) and C(SIGINT) are honored between two acts. The run then undoes its acts and says so.
  - One run at a time works on a host. A second one is refused with the PID and the start of the first.
  - The acts of the last run are kept in C(/var/lib/aemops-brand-portal/last-run.json), and each is in the host's journal
    (C(journalctl -t aemops-brand-portal)).
  - Nothing is changed on a host that already matches the options. A running daemon reads new sources without a restart where
    it can.
  - With O(set_clock) the clock is measured and set first, in the same call, exactly as M(aemops.brand_portal.clock_step) does
    it; with a wrong clock package managers and TLS refuse to work. The daemon corrects what is left.
  - Needs root.
extends_documentation_fragment:
  - aemops.brand_portal.attributes
  - aemops.brand_portal.clock
  - aemops.brand_portal.service_guard
attributes:
  check_mode:
    support: full
    details:
      - Also on a host without the daemon, where the layout of its package is known in advance.
  diff_mode:
    support: full
    details:
      - Keys are never shown.
  platform:
    platforms: linux
options:
  state:
    description:
      - V(present) has a daemon keep the clock.
      - V(absent) takes back what runs of this module have changed. It removes this collection's files, blocks and backups, and
        brings the units of time daemons into the state before the first run, as far as they still are in the state after the
        last one. It keeps what others have changed, and packages. All other options are ignored.
    type: str
    choices: [present, absent]
    default: present
    version_added: 0.2.0
  provider:
    description:
      - NTP client to use. V(ntpd) is NTPsec where the system has that instead.
      - V(auto) keeps the one that works (runs or starts at boot) and can do what is asked. Where none does, it takes chrony if
        that is installed, else another one that is, else it installs chrony.
    type: str
    choices: [auto, chrony, ntpd, timesyncd]
    default: auto
  servers:
    description:
      - NTP servers, each as V(host), V(host:port) or V([IPv6]:port). Those that are configured already are not written twice.
      - When this, O(pools), O(nts_servers) and O(cloud) name nothing, the sources stay as they are.
    type: list
    elements: str
    default: []
  pools:
    description:
      - DNS names of NTP pools, each giving several servers.
    type: list
    elements: str
    default: []
  nts_servers:
    description:
      - NTP servers that are asked with Network Time Security (RFC 8915), by chrony 4 or NTPsec.
    type: list
    elements: str
    default: []
  keys:
    description:
      - Symmetric keys of O(servers). They go into the daemon's key file (mode 0640) and are shown nowhere.
    type: list
    elements: dict
    default: []
    suboptions:
      server:
        description: The one of O(servers) that is authenticated with this key.
        type: str
        required: true
      id:
        description: The number that both sides know the key by.
        type: int
        required: true
      type:
        description: The algorithm.
        type: str
        choices: [MD5, SHA1, SHA256, SHA384, SHA512, AES128, AES256]
        default: SHA256
      key:
        description: The key as the daemon's key file has it, for chrony say C(HEX:) and hexadecimal digits.
        type: str
        required: true
  cloud:
    description:
      - The time source of the cloud that the host runs in. V(aws) is 169.254.169.123, V(gcp) metadata.google.internal,
        V(azure) the device C(/dev/ptp_hyperv), which chrony alone can use.
      - AWS and GCP spread leap seconds over a day. They are refused beside other servers, in the options or in what is configured
        already, and beside C(leapsectz).
    type: str
    choices: [none, aws, gcp, azure]
    default: none
  only:
    description:
      - Have the daemon ask the given O(servers), O(nts_servers), O(pools) and O(cloud) only. Lines of others that name servers
        are commented out, in place, and so are those by which a DHCP lease brings some. systemd-timesyncd gets an empty
        C(FallbackNTP=). O(state=absent) puts them back.
      - Refused where another source would still be asked. What a DHCP lease gives to systemd-networkd, systemd-timesyncd asks
        all the same (C(UseNTP=) of the network).
    type: bool
    default: false
    version_added: 0.2.0
  max_distance:
    description:
      - Seconds that a source's root distance may have. C(maxdistance) of chrony, C(tos maxdist) of ntpd,
        C(RootDistanceMaxSec) of timesyncd. V(0) leaves the daemon's own limit.
    type: float
    default: 0
  set_clock:
    description:
      - Measure the clock first, and set it when it is off by more than O(max_skew).
      - Then O(ntp_servers), when empty, are O(servers), O(nts_servers), O(pools) and O(cloud).
    type: bool
    default: false
  wait_at_boot:
    description:
      - Have the next boot wait until the clock is synchronized before it reaches C(time-sync.target), at most for
        O(wait_at_boot_timeout) seconds. Only services that are ordered after that target wait, see O(start_after_sync).
      - Enables the unit that comes with the daemon (C(chrony-wait), C(systemd-time-wait-sync), C(ntpsec-wait)), or writes and
        enables C(aemops-brand-portal-time-wait.service) where there is none.
      - V(false) changes nothing. O(state=absent) takes it back.
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
      - Systemd services that a boot starts after C(time-sync.target), by a drop-in with C(Wants=) and C(After=). It takes
        O(wait_at_boot) to make that target wait for anything. O(state=absent) removes the drop-ins.
    type: list
    elements: str
    default: []
    version_added: 0.2.0
  accept_unverified:
    description:
      - With O(set_clock), also act on a result that is not verified, from one or two NTP servers for instance.
    type: bool
    default: false
  max_step:
    description:
      - The farthest the clock may be set, by O(set_clock) or by a daemon that is told to, in seconds either way. V(0) is no limit.
    type: float
    default: 0.0
  max_skew:
    description:
      - Seconds of skew from which the clock is set with O(set_clock), and from which a synchronized daemon is told to step it
        instead of slewing.
  sync_tolerance:
    description:
      - Seconds that the daemon may still have to correct when the clock is called right. timesyncd slews up to 0.4 s by itself.
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
      - V(fail) undoes the run. V(ignore) leaves the daemon configured and enabled, and says in RV(synchronized), RV(reason) and
        RV(advice) why nothing keeps the clock yet; it does not wait on when no source answers at all.
      - V(auto) is V(ignore) when O(set_clock) found or set the clock right by one of O(https_urls) that TLS has verified,
        else V(fail).
    type: str
    choices: [auto, fail, ignore]
    default: auto
seealso:
  - module: aemops.brand_portal.time_service_info
  - module: aemops.brand_portal.clock_step
"""

EXAMPLES = r"""
- name: Let the daemon that is there, or else chrony, keep the time by our servers
  aemops.brand_portal.time_service:
    servers: [ntp1.example.com, ntp2.example.com, ntp3.example.com]
  become: true

- name: Set the clock by the service that judges our tokens, and let the daemon keep it
  aemops.brand_portal.time_service:
    set_clock: true
    https_urls: ['https://example.brand-portal.adobe.com/']
  become: true

- name: Take back what the module has changed
  aemops.brand_portal.time_service:
    state: absent
  become: true

- name: Keep the time by the cloud's own source
  aemops.brand_portal.time_service:
    provider: chrony
    cloud: aws
  become: true
"""

RETURN = r"""
synchronized:
  description: Whether a synchronized daemon keeps the clock. In check mode, whether one does without a change.
  returned: always
  type: bool
  sample: true
msg:
  description: The state in a sentence. On failure what failed, what was tried and what was undone.
  returned: always
  type: str
  sample: "The clock is kept right by chrony.service: synchronized to 192.0.2.1, +0.000012 s left."
advice:
  description: The next step, empty where there is none.
  returned: always
  type: str
  version_added: 0.2.0
reason:
  description: >-
    Code of why the daemon does not keep the clock, empty where it does or where that is not known. One of C(no_source),
    C(unreachable), C(not_selected), C(may_not_be_asked), C(too_old_to_tell), C(own_clock), C(no_control_of_clock),
    C(not_running), C(not_read), C(another_steers) and C(unknown).
  returned: always
  type: str
  version_added: 0.2.0
provider:
  description: The daemon that was chosen, as M(aemops.brand_portal.time_service_info) names it. Empty before one is.
  returned: always
  type: str
  sample: chrony
unit:
  description: Its systemd unit.
  returned: always
  type: str
  sample: chrony.service
residual_offset:
  description: Seconds that the daemon still has to correct, positive when the clock is behind. Null when it is not synchronized.
  returned: always
  type: float
  sample: 0.000012
sources:
  description: All servers and pools that the daemon's configuration names.
  returned: always
  type: list
  elements: str
actions:
  description: A sentence for each act that was done, in order. In check mode, what would be done.
  returned: always
  type: list
  elements: str
  sample: ['write /etc/chrony/sources.d/aemops-brand-portal.sources', 'let chrony.service know its new sources']
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
  description: Whether everything could be undone. V(true) where nothing had to be.
  returned: always
  type: bool
problems:
  description: What was not undone, and why.
  returned: always
  type: list
  elements: str
backups:
  description:
    - The files that were changed in this run and whose former content is kept, and where it is. These are the vendor's files that
      get this collection's block, and files or blocks of this collection that another administrator has edited.
  returned: always
  type: dict
  sample: {"/etc/chrony.conf": "/etc/chrony.conf.before-aemops-brand-portal"}
stopped:
  description: Units of services that were stopped while the clock was set, and started again.
  returned: always
  type: list
  elements: str
  version_added: 0.2.0
  sample: ['aem.service']
downtime:
  description: Seconds that they were stopped.
  returned: always
  type: float
  version_added: 0.2.0
disabled:
  description: Units of other time daemons that were stopped and disabled, or replaced.
  returned: always
  type: list
  elements: str
  version_added: 0.2.0
unmasked:
  description: Whether the unit was masked, and was unmasked.
  returned: always
  type: bool
recovered:
  description: What was done about a former run that was cut off; empty where there was none.
  returned: always
  type: str
clock:
  description:
    - With O(set_clock), what was measured and done, with the keys of M(aemops.brand_portal.clock_step), C(changed), C(before),
      C(after), C(rtc), C(stopped), C(msg) and C(advice).
    - Of a clock that was not set, or not shown to be right afterwards, the keys that are known.
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
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.wanted import KEY_TYPES, Refused
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
    'keys': {'type': 'list', 'elements': 'dict', 'default': [], 'no_log': False, 'options': {
        'server': {'type': 'str', 'required': True},
        'id': {'type': 'int', 'required': True},
        'type': {'type': 'str', 'choices': list(KEY_TYPES), 'default': 'SHA256'},
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
    """The run that these options ask for. Raises Refused, ClockError."""
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
        message = getattr(refused, 'message', '') or str(refused)
        result = blank()
        result['advice'] = getattr(refused, 'advice', '')
        module.fail_json(msg=message, **result)


if __name__ == '__main__':
    main()
