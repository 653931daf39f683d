#!/usr/bin/python
# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the offset of a host's clock; see DOCUMENTATION."""

DOCUMENTATION = r"""
module: clock_skew_info
short_description: Measure the offset of a host's clock
version_added: 0.2.0
author:
  - aemops.brand_portal contributors (@aemops)
description:
  - Queries NTP servers and HTTPS services for the time in parallel under one deadline, and returns the offset between
    the host's clock and theirs.
  - The result is an interval, RV(skew.low) to RV(skew.high), that contains the true offset as long as falsetickers are a
    minority of the sources. The verdict compares this interval with O(max_skew), never a single number.
  - Offsets have the sign that NTP uses, reference - host. A positive offset means that the host is B(behind).
  - The module changes nothing and needs no privileges. A wrong clock or missing replies are not a failure of the module;
    RV(skew.verdict) has the result.
extends_documentation_fragment:
  - aemops.brand_portal.attributes
  - aemops.brand_portal.attributes.info_module
  - aemops.brand_portal.clock
seealso:
  - module: aemops.brand_portal.clock_step
  - module: aemops.brand_portal.brand_portal_health_info
"""

EXAMPLES = r"""
- name: Query the servers of the configured time daemon, or the vendor's pool
  aemops.brand_portal.clock_skew_info:
  register: clock

- name: Query the service that validates the tokens, and three NTP servers
  aemops.brand_portal.clock_skew_info:
    https_urls:
      - https://example.brand-portal.adobe.com/
    ntp_servers:
      - ntp1.example.com
      - ntp2.example.com
      - "[2001:db8::123]:123"
    timeout: 3
  register: clock

- name: Assert that the clock is right
  ansible.builtin.assert:
    that: clock.skew.verdict == 'in_sync'
    fail_msg: "{{ clock.skew.message }}"
"""

RETURN = r"""
skew:
  description: The result of the measurement.
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
      This host's clock is 9 y 277 d behind, give or take 22 ms, which is more than the max_skew of 5 s;
      5 sources agree.
    advice: 'Correct it: run the role time_sync or the module clock_step.'
    sources: []
  contains:
    verdict:
      description:
        - V(in_sync) if the whole interval is within O(max_skew) in either direction.
        - V(skewed) if the whole interval is outside of O(max_skew).
        - V(undecided) if the interval contains the threshold, or if the clock was set during the measurement.
        - V(unreachable) if no source gave a usable answer.
        - V(sources_disagree) if no majority of the sources agrees, or if NTP servers contradict a service that TLS has
          verified. If the intervals of all sources are within O(max_skew), the clock is V(in_sync) nevertheless, because
          it does not matter which source is right. If NTP servers and a verified service differ by no more than twice
          O(max_skew) and are all outside of it on the same side, the clock is V(skewed).
      type: str
    direction:
      description: V(behind) or V(ahead) if the interval shows the direction, V(none) if the clock is in sync, otherwise V(unknown).
      type: str
    offset:
      description: Best estimate of the offset in seconds, reference - host. Positive if the host is behind.
      type: float
    low:
      description: Lower bound of the true offset, in seconds.
      type: float
    high:
      description: Upper bound of the true offset, in seconds.
      type: float
    max_skew:
      description: The value of O(max_skew), in seconds.
      type: float
    verified:
      description: Whether a service that TLS has verified is part of the agreement, or at least three NTP servers agree.
      type: bool
    tls_dates_checked:
      description: V(false) if the module accepted a service although the dates of its certificate contradict the host's clock.
      type: bool
    host_time:
      description: Time of the host's clock at the end of the measurement, in ISO 8601 format and UTC.
      type: str
    reference_time:
      description: Estimate of the true time at that moment, RV(skew.host_time) + RV(skew.offset).
      type: str
    message:
      description: Summary of the result in one or two sentences.
      type: str
    advice:
      description: Next step. Empty if there is nothing left to do, or if RV(skew.message) contains it.
      type: str
    sources:
      description: All sources that were queried.
      type: list
      elements: dict
      contains:
        source:
          description: Name or URL of the source, as given.
          type: str
        address:
          description: Address and port that the module queried. With a proxy, those of the proxy.
          type: str
        kind:
          description: V(ntp), V(https), or V(agent) for the dates in the test of a replication agent.
          type: str
        accepted:
          description: Whether the source is part of the agreement (a truechimer).
          type: bool
        reason:
          description: Why the source was rejected. Empty if it was accepted.
          type: str
        offset:
          description: Offset that the source reports, in seconds, reference - host.
          type: float
        low:
          description: Lower bound of the offset by this source, in seconds.
          type: float
        high:
          description: Upper bound of the offset by this source, in seconds.
          type: float
        delay:
          description: Shortest round trip in seconds.
          type: float
        samples:
          description: Number of valid replies.
          type: int
        private_address:
          description: Whether the NTP server has a loopback, link-local or private address, which the module queries more often.
          type: bool
        stratum:
          description: Stratum of the NTP server.
          type: int
        root_distance:
          description: Root distance of the NTP server in seconds, root delay / 2 + root dispersion.
          type: float
        reference_id:
          description: Reference ID of the NTP server, as an address, a hash, or the name of its clock.
          type: str
        tls_verified:
          description: Whether TLS verified the certificate of the service.
          type: bool
        tls_dates_checked:
          description: Whether the verification included the dates of the certificate.
          type: bool
        certificate_not_after:
          description: When the certificate of the service expires, in UTC. V(null) if TLS did not verify it.
          type: str
          version_added: 0.2.0
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import conclusion, measurement, ntplib_loader
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.argspec import SKEW_OPTIONS
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import ClockError
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.references import ntp_servers


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
