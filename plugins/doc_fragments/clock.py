# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that measure the clock have in common: options, method, and the shape of RV(skew)."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  ntp_servers:
    description:
      - NTP servers to ask, each as V(host), V(host:port) or V([IPv6 address]:port). The port is 123 unless given.
      - Up to four IPv4 and four IPv6 addresses of each name are asked. Each address has a vote, but only one family
        of a name votes, the one of which more answer; a name may be one server with two addresses, and a server must
        not be its own witness. Two names for one address have one vote.
      - When empty, the servers of the time daemon that is configured on the host are asked; when there are none,
        the vendor's pool.
    type: list
    elements: str
    default: []
  https_urls:
    description:
      - HTTPS services whose C(Date) header is asked for. One that is verified by TLS is never outvoted by NTP servers.
      - Redirects are not followed, and any status counts that comes with a C(Date).
    type: list
    elements: str
    default: []
  max_skew:
    description:
      - The threshold between V(in_sync) and V(skewed), in seconds either way.
    type: float
    default: 5.0
  timeout:
    description:
      - One deadline for the whole measurement, in seconds; name resolution is included.
    type: float
    default: 5.0
  ca_path:
    description:
      - A PEM file, or a directory as made by C(openssl rehash), with the authorities that O(https_urls) are verified
        against. It replaces those of the system.
    type: path
  validate_certs:
    description:
      - With V(false) the certificates of O(https_urls) are not verified; such a source still votes, but does not make
        the result verified.
    type: bool
    default: true
  https_proxy:
    description:
      - The proxy through which O(https_urls) are asked (C(CONNECT)), as V(http://HOST:PORT) or
        V(http://USER:PASSWORD@HOST:PORT). It has to be spoken to in plain HTTP; what it carries stays TLS from end to end.
      - Unless given, the environment's E(HTTPS_PROXY), E(ALL_PROXY) and E(NO_PROXY) are honoured. When given, they are not.
      - User and password are shown nowhere. A tunnel costs round trips before the C(Date) is asked for, none while it is.
    type: str
  _ntplib:
    description:
      - Not for users. The action plugin puts the controller's C(ntplib) here, so that none has to be on the host.
    type: str
notes:
  - Needs C(ntplib) on the controller only; it is carried to the host. A host that has its own uses that.
  - Nothing depends on the host's locale, time zone or C(/etc/services), and the host's clock may stand anywhere
    between 1970 and 2106.
  - "NTP: every reply must carry the random 64 bits of its request. Rejected, with the reason in
    C(skew.sources[].reason), are other modes than 4, kiss codes (such a server is asked no more), leap indicator 3,
    stratum 0 and 16 or above, zero timestamps, timestamps that contradict each other or the round trip, and servers
    whose own uncertainty is 1.5 s or more (root delay / 2 + root dispersion + precision)."
  - "A sample's interval is offset ± (delay / 2 + root distance + precision + age × the host's frequency error); a
    server's is what all of its samples allow, so that the one with the least delay counts most. Public servers are
    asked once, and again after 2 s at the earliest and only in doubt; loopback and private addresses up to eight and
    four times."
  - "HTTPS: a reply proves Date - t_received ≤ offset ≤ Date + 1 - t_sent. It is asked again only in doubt, when
    the service's next second edge falls in the middle of what is left."
  - A clock that is off by months makes certificates look expired or not yet valid. The service is then asked a second
    time without the certificates' dates (chain and host name are still verified), and the C(Date) has to lie within
    the certificate's validity. C(skew.tls_dates_checked) is then V(false).
seealso:
  - name: RFC 5905, Network Time Protocol Version 4
    description: Packet, checks and selection.
    link: https://www.rfc-editor.org/rfc/rfc5905
  - name: RFC 8633, Network Time Protocol Best Current Practices
    description: Manners towards servers.
    link: https://www.rfc-editor.org/rfc/rfc8633
  - name: RFC 9110, HTTP Semantics
    description: The Date header.
    link: https://www.rfc-editor.org/rfc/rfc9110#section-6.6.1
"""
