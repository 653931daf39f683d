#!/usr/bin/python
# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets a clock that is proven to be wrong; see DOCUMENTATION."""

DOCUMENTATION = r"""
module: clock_step
short_description: Set a host's clock if a measurement proves it wrong
version_added: 0.1.0
author:
  - aemops.brand_portal contributors (@aemops)
description:
  - Measures the clock as M(aemops.brand_portal.clock_skew_info) does. If the verdict is V(skewed), the module steps the clock to
    the right time, writes the hardware clock if there is one, and measures again. It fails unless the second verdict is
    V(in_sync).
  - Use it on hosts where no time daemon can set the clock, because none is installed yet, NTP is blocked, or the clock is so
    wrong that no package can be installed. Configure a daemon afterwards, for example with the role
    C(aemops.brand_portal.time_sync).
  - Does not change a clock that is V(in_sync).
  - Fails without setting the clock if the verdict is V(undecided), V(unreachable) or V(sources_disagree), if the result is
    not verified, if the step would exceed O(max_step), or if this host cannot set its clock, such as a container, whose
    clock is that of its machine. RV(advice) has the next step.
  - Writes the hardware clock in the mode of C(/etc/adjtime), but in UTC if that mode is C(LOCAL) and the clock was off by
    exactly the UTC offset of the host's time zone.
  - C(SIGTERM), C(SIGHUP) and C(SIGINT) end the run before the clock is set, or after the services run again.
  - Needs root (or C(CAP_SYS_TIME)) to set the clock.
extends_documentation_fragment:
  - aemops.brand_portal.attributes
  - aemops.brand_portal.clock
  - aemops.brand_portal.service_guard
  - aemops.brand_portal.service_guard.program
attributes:
  check_mode:
    support: full
    details:
      - Measures and decides, then reports the step without setting the clock.
  diff_mode:
    support: full
  platform:
    platforms: linux
options:
  max_step:
    description:
      - Largest step of the clock in seconds, in either direction. V(0) means no limit.
    type: float
    default: 0.0
  accept_unverified:
    description:
      - Whether to act on a result that is not verified, for example one from only one or two NTP servers.
    type: bool
    default: false
notes:
  - After a step backwards, the clock shows the same time twice. This can harm databases and AEM; see O(stop_services).
  - Public NTP servers are queried at most once every two seconds.
seealso:
  - module: aemops.brand_portal.clock_skew_info
"""

EXAMPLES = r"""
- name: Set the clock from the service that validates the tokens
  aemops.brand_portal.clock_step:
    https_urls:
      - https://example.brand-portal.adobe.com/
  become: true

- name: Set the clock from one local server, by no more than an hour
  aemops.brand_portal.clock_step:
    ntp_servers:
      - ntp.example.com
    accept_unverified: true
    max_step: 3600
  become: true

- name: Set the clock, and stop AEM for a step of a minute or more
  aemops.brand_portal.clock_step:
    https_urls:
      - https://example.brand-portal.adobe.com/
    stop_services:
      - aem.service
  become: true
"""

RETURN = r"""
before:
  description: The skew before the step, as RV(aemops.brand_portal.clock_skew_info#module:skew).
  returned: when it could be measured
  type: dict
after:
  description:
    - The skew after the step.
    - In check mode, the predicted skew, without sources. Equal to RV(before) if nothing was changed.
  returned: unless the step was refused
  type: dict
msg:
  description: What the module did, or would do in check mode, including O(stop_services). On failure, the reason and what was done.
  returned: always
  type: str
  sample: The clock was set by +3563.212 s. aem.service was stopped for 4.1 s and runs again.
advice:
  description: The next step for the user. Empty if there is none.
  returned: always
  type: str
  version_added: 0.2.0
actions:
  description:
    - One sentence for each act that was done, in order. In check mode, for each act that would be done.
    - Each is also in the host's journal (C(journalctl -t aemops-brand-portal)).
  returned: when the options are valid
  type: list
  elements: str
  version_added: 0.2.0
  sample: ['stop aem.service', 'set the clock by +3563.212 s']
acts:
  description:
    - RV(actions) as structured data. The host keeps the acts of the last run in C(/var/lib/aemops-brand-portal/last-run.json).
  returned: when the options are valid
  type: list
  elements: dict
  version_added: 0.2.0
  sample:
    - {act: service_stop, target: aem.service, before: {active: true}, after: {active: false}, done: true, undone: true}
stopped:
  description: Services that were stopped while the clock was set, and started again; in check mode, those that would be.
  returned: when the options are valid
  type: dict
  sample:
    units: [aem.service]
    seconds: 4.1
    not_started: []
  contains:
    units:
      description:
        - The services that were stopped, including those that systemd stops together with them, and those that an interrupted
          earlier run left stopped.
      type: list
      elements: str
    seconds:
      description: Number of seconds for which they were stopped.
      type: float
    not_started:
      description: The services in RV(stopped.units) that could not be started again. The next run tries again.
      type: list
      elements: str
      version_added: 1.0.0
rtc:
  description: Result of writing the hardware clock (RTC).
  returned: when the skew could be measured
  type: dict
  sample:
    device: /dev/rtc0
    written: true
    reason: ''
  contains:
    device:
      description: Path of the hardware clock's device, or V(none).
      type: str
    written:
      description: Whether the right time was written to the hardware clock.
      type: bool
    reason:
      description: Why the hardware clock was not written, or what may overwrite it before the next boot. Empty otherwise.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import ClockError
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.step import STEP_OPTIONS, StepRefused
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.stop_request import StopRequest
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.references import ntp_servers
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.step_clock import step_on_host
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.undo_log import Busy


def main() -> None:
    module = AnsibleModule(argument_spec=STEP_OPTIONS, supports_check_mode=True)
    stop = StopRequest()
    stop.listen()
    options = dict(module.params)
    options['ntp_servers'] = ntp_servers(options['ntp_servers'])
    try:
        module.exit_json(**step_on_host(options, options.pop('_ntplib'), module.check_mode, module.warn, stop=stop))
    except StepRefused as refused:
        module.fail_json(msg=str(refused), advice=refused.advice, **refused.details)
    except (ClockError, Busy, OSError) as error:
        module.fail_json(msg=str(error), advice='', changed=False)


if __name__ == '__main__':
    main()
