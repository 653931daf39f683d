#!/usr/bin/python
# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how far this host's clock is from the truth; see DOCUMENTATION."""

DOCUMENTATION = r"""
module: clock_skew_info
short_description: Measure how wrong a host's clock is
version_added: 0.1.0
author:
  - aemops.brand_portal contributors (@aemops)
description:
  - Asks NTP servers and HTTPS services for the time, all at once and under one deadline, and says how far the host's
    clock is from theirs.
  - The answer is an interval, RV(skew.low) to RV(skew.high), that holds the true offset as long as those who lie are a
    minority of those who were asked. The verdict compares this interval, never a single number, with O(max_skew).
  - The sign is that of NTP, reference - host. A positive offset means that the host is B(behind).
  - It changes nothing and needs no privileges. It does not fail because the clock is wrong or nobody answers; that is
    in RV(skew.verdict).
extends_documentation_fragment:
  - aemops.brand_portal.attributes
  - aemops.brand_portal.attributes.info_module
  - aemops.brand_portal.clock
seealso:
  - module: aemops.brand_portal.clock_step
  - module: aemops.brand_portal.brand_portal_health_info
"""

EXAMPLES = r"""
- name: Ask the servers of the configured time daemon, or the vendor's pool
  aemops.brand_portal.clock_skew_info:
  register: clock

- name: Ask the service whose tokens are at stake, and three servers of our own
  aemops.brand_portal.clock_skew_info:
    https_urls:
      - https://example.brand-portal.adobe.com/
    ntp_servers:
      - ntp1.example.com
      - ntp2.example.com
      - "[2001:db8::123]:123"
    timeout: 3
  register: clock

- name: Stop here unless the clock is known to be right
  ansible.builtin.assert:
    that: clock.skew.verdict == 'in_sync'
    fail_msg: "{{ clock.skew.message }}"
"""

RETURN = r"""
skew:
  description: What was found out about the host's clock.
  returned: success
  type: dict
  sample:
    verdict: skewed
    direction: behind
    offset: 307839601.003217
    low: 307839600.981
    high: 307839601.025
    max_skew: 5.0
    verified: true
    tls_dates_checked: false
    host_time: '2017-02-28T18:39:51.123Z'
    reference_time: '2026-11-30T18:39:52.126Z'
    message: >-
      This host's clock is 3562 d 23 h behind, give or take 0.022 s, which is more than the max_skew of 5 s;
      5 sources agree.
    advice: 'Correct it: run the role time_sync or the module clock_step.'
    sources: []
  contains:
    verdict:
      description:
        - V(in_sync), the whole interval lies within O(max_skew) either way.
        - V(skewed), the whole interval lies outside of it.
        - V(undecided), the threshold lies within the interval, or the clock was set while it was being measured.
        - V(unreachable), no source could be used.
        - V(sources_disagree), no majority of the sources agrees, or NTP servers contradict a service that TLS verified.
      type: str
    direction:
      description: V(behind) or V(ahead) as far as the interval tells, V(none) when V(in_sync), else V(unknown).
      type: str
    offset:
      description: The best estimate in seconds, reference - host; positive when the host is behind.
      type: float
    low:
      description: The lower bound of the true offset, in seconds.
      type: float
    high:
      description: The upper bound of the true offset, in seconds.
      type: float
    max_skew:
      description: The threshold that was applied, in seconds.
      type: float
    verified:
      description: Whether a service verified by TLS takes part in the agreement, or at least three NTP servers agree.
      type: bool
    tls_dates_checked:
      description: V(false) when a service was believed although its certificate's dates do not fit the host's clock.
      type: bool
    host_time:
      description: The host's clock at the end of the measurement, ISO 8601 in UTC.
      type: str
    reference_time:
      description: The true time at that moment, as far as it is known; RV(skew.host_time) + RV(skew.offset).
      type: str
    message:
      description: All this in a sentence or two for people.
      type: str
    advice:
      description: What to do next; empty when nothing is left to do, or when RV(skew.message) says it.
      type: str
    sources:
      description: Everybody who was asked.
      type: list
      elements: dict
      contains:
        source:
          description: The name or URL as it was asked for.
          type: str
        address:
          description: The address and port that answered (or did not). With a proxy, the proxy's.
          type: str
        kind:
          description: V(ntp), V(https), or V(agent) for a replication agent's own dates.
          type: str
        accepted:
          description: Whether it is believed.
          type: bool
        reason:
          description: Why it is not; empty when it is.
          type: str
        offset:
          description: Its offset in seconds, reference - host.
          type: float
        low:
          description: The lower bound of what it allows, in seconds.
          type: float
        high:
          description: The upper bound of what it allows, in seconds.
          type: float
        delay:
          description: The least round trip in seconds.
          type: float
        samples:
          description: The number of its answers that count.
          type: int
        private_address:
          description: Whether an NTP server has a loopback, link-local or private address; it may be asked more often.
          type: bool
        stratum:
          description: An NTP server's stratum.
          type: int
        root_distance:
          description: An NTP server's own uncertainty in seconds, root delay / 2 + root dispersion.
          type: float
        reference_id:
          description: An NTP server's reference, as an address (or hash) or the name of its clock.
          type: str
        tls_verified:
          description: Whether a service's certificate was verified.
          type: bool
        tls_dates_checked:
          description: Whether that included the certificate's dates.
          type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import conclusion, measurement, ntplib_loader
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.argspec import SKEW_OPTIONS
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import ClockError
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.references import ntp_servers


def main() -> None:
    module = AnsibleModule(argument_spec=SKEW_OPTIONS, supports_check_mode=True)
    options = dict(module.params)
    options['ntp_servers'] = ntp_servers(options['ntp_servers'])
    try:
        sources = measurement.measure(options, ntplib_loader.load(options.pop('_ntplib')))
        module.exit_json(changed=False, skew=conclusion.conclude(sources, options['max_skew']))
    except ClockError as error:
        module.fail_json(msg=str(error))


if __name__ == '__main__':
    main()
