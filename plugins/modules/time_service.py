#!/usr/bin/python
# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let one time daemon keep a host's clock; see DOCUMENTATION."""

DOCUMENTATION = r"""
module: time_service
short_description: Let one time daemon keep a host's clock right, or leave everything as it was
version_added: 0.1.0
author:
  - aemops.brand_portal contributors (@aemops)
description:
  - Brings a host to one time daemon that is installed, configured beside the vendor's configuration, enabled, running and
    synchronised, and sees to it that no other daemon fights it.
  - Everything is looked at first. What is in the way is said before anything is changed, a configuration that the
    daemon does not accept with its line, for instance.
  - A failure on the way puts files, units (enabled, masked, running) and packages back as they were, and the message says
    what was tried, with what the daemon wrote to the journal.
  - What was, is written down below C(/var/lib/aemops-brand-portal) before it is changed, and removed at the end. So a run
    that was killed, or cut off by a reboot, is finished by the next one, which says so.
  - A host that is as it shall be is left alone; nothing is restarted. A running daemon reads new sources without a restart
    where it can.
  - With O(set_clock) the clock is measured and set first, in the same call, exactly as M(aemops.brand_portal.clock_step) does
    it; with a wrong clock package managers and TLS refuse to work. What is left the daemon corrects.
  - Needs root.
extends_documentation_fragment:
  - aemops.brand_portal.attributes
  - aemops.brand_portal.clock
  - aemops.brand_portal.service_guard
attributes:
  check_mode:
    support: full
    details:
      - Also on a host without the daemon, where the layout of its package is known beforehand.
  diff_mode:
    support: full
    details:
      - Keys are never shown.
  platform:
    platforms: linux
options:
  provider:
    description:
      - The daemon that shall keep the time. V(ntpd) is NTPsec where the system has that instead.
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
      - Seconds of skew from which the clock is set with O(set_clock), and from which a synchronised daemon is told to step it
        instead of slewing.
  stepped:
    description:
      - The clock was set a moment ago, so that what a running daemon has measured before is to be forgotten.
    type: bool
    default: false
  sync_tolerance:
    description:
      - Seconds that the daemon may still have to correct when the clock is called right. timesyncd slews up to 0.4 s by itself.
    type: float
    default: 0.02
  sync_timeout:
    description:
      - Seconds to wait for that.
    type: int
    default: 60
  on_unsynchronized:
    description:
      - What a daemon is that runs, but reaches no source in that time.
      - V(fail) puts everything back. V(ignore) leaves it configured and enabled, and says in RV(synchronized) and RV(message)
        that nothing keeps the clock right yet; it does not wait on when no source answers at all.
      - V(auto) tolerates it when O(set_clock) found or set the clock right by one of O(https_urls) that TLS has verified.
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

- name: Keep the time by the cloud's own source
  aemops.brand_portal.time_service:
    provider: chrony
    cloud: aws
  become: true
"""

RETURN = r"""
synchronized:
  description: Whether a synchronised daemon keeps the clock right now. In check mode, whether one does without a change.
  returned: always
  type: bool
  sample: true
message:
  description: The state in a sentence, with what to do where RV(synchronized=false).
  returned: success
  type: str
  sample: "The clock is kept right by chrony.service: synchronised to 192.0.2.1, +0.000012 s left."
provider:
  description: The daemon that was chosen, as M(aemops.brand_portal.time_service_info) names it.
  returned: success
  type: str
  sample: chrony
unit:
  description: Its systemd unit.
  returned: success
  type: str
  sample: chrony.service
residual_offset:
  description: Seconds that the daemon still has to correct, positive when the clock is behind. Null when it is not synchronised.
  returned: success
  type: float
  sample: 0.000012
sources:
  description: All servers and pools that the daemon's configuration names.
  returned: success
  type: list
  elements: str
actions:
  description: What was done, in order. In check mode, what would be.
  returned: always
  type: list
  elements: str
  sample: ['write /etc/chrony/sources.d/aemops-brand-portal.sources', 'let chrony.service know its new sources']
stopped:
  description: Units of other daemons that were stopped and disabled, or replaced.
  returned: success
  type: list
  elements: str
unmasked:
  description: Whether somebody had masked the unit that keeps the time now.
  returned: success
  type: bool
backups:
  description: The vendor's files that were edited, and where they are as they were before.
  returned: success
  type: dict
  sample: {"/etc/chrony.conf": "/etc/chrony.conf.before-aemops-brand-portal"}
recovered:
  description: What was made of a former run that had been cut off; empty where there was none.
  returned: success
  type: str
clock:
  description:
    - With O(set_clock), what was measured and done, with the keys of M(aemops.brand_portal.clock_step), C(changed), C(before),
      C(after), C(rtc), C(stopped) and C(message).
    - Of a clock that was not set, or not shown to be right afterwards, the keys that are known.
  returned: with set_clock, when the clock was measured
  type: dict
rtc:
  description: What became of the hardware clock, as RV(aemops.brand_portal.clock_step#module:rtc).
  returned: success
  type: dict
restored:
  description: Whether everything could be put back.
  returned: failure after something was changed
  type: bool
problems:
  description: What could not.
  returned: failure after something was changed
  type: list
  elements: str
journal:
  description: What the daemon wrote to the journal last.
  returned: failure after something was changed
  type: list
  elements: str
"""

import signal

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import capabilities, rtc
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import ClockError
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.step import STEP_OPTIONS, StepRefused
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.references import ntp_servers
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.wanted import KEY_TYPES, Refused
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.journal import Busy
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.keep import Clock, Keeper, KeepFailed
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.step_clock import step_on_host
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import System

ARGUMENTS = {
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
    'max_distance': {'type': 'float', 'default': 0},
    'set_clock': {'type': 'bool', 'default': False},
    'stepped': {'type': 'bool', 'default': False},
    'sync_tolerance': {'type': 'float', 'default': 0.02},
    'sync_timeout': {'type': 'int', 'default': 60},
    'on_unsynchronized': {'type': 'str', 'choices': ['auto', 'fail', 'ignore'], 'default': 'auto'},
}


class Ended(Exception):
    """Somebody wants this run to end: it ends by putting back."""


def end(number, _frame):
    signal.signal(number, signal.SIG_IGN)   # once is enough
    raise Ended('the run was ended by signal {0}'.format(number))


def main():
    module = AnsibleModule(argument_spec=dict(STEP_OPTIONS, **ARGUMENTS), supports_check_mode=True)
    options = dict(module.params)
    ntplib = options.pop('_ntplib')
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, end)
    clock = Clock(owner=lambda: capabilities.clock_owner() or '', write_rtc=rtc.write_rtc)
    try:
        keeper = Keeper(options, System(), clock, module.check_mode)
        options['ntp_servers'] = ntp_servers(options['ntp_servers'] or keeper.want.references)
        set_clock = (lambda: step_on_host(options, ntplib, module.check_mode, module.warn)) if options['set_clock'] else None
        module.exit_json(**keeper.run(set_clock))
    except StepRefused as refused:
        module.fail_json(msg=str(refused), changed=refused.details['changed'], synchronized=False, actions=[],
                         clock=refused.details)
    except ClockError as error:
        module.fail_json(msg=str(error), synchronized=False, actions=[])
    except KeepFailed as failed:
        module.fail_json(msg=str(failed), **failed.details)
    except Ended as ended:
        module.fail_json(msg='Nothing of the time service was changed: {0}.'.format(ended), changed=False, synchronized=False,
                         actions=[])
    except (Refused, Busy) as refused:
        module.fail_json(msg=str(refused), changed=False, synchronized=False, actions=[])


if __name__ == '__main__':
    main()
