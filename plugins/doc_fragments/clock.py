# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options, method, and references of the modules that measure the clock."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  ntp_servers:
    description:
      - NTP servers to query, each as V(host), V(host:port) or V([IPv6 address]:port). The default port is 123.
      - The module queries up to four IPv4 and four IPv6 addresses of each name. Each address has one vote, but only the
        address family with more replies votes, because both families often lead to the same server. Two names for one
        address have one vote.
      - If the list is empty, the module queries the servers of the time daemon that is configured on the host, or the
        vendor's pool if there are none.
    type: list
    elements: str
    default: []
  https_urls:
    description:
      - HTTPS services whose C(Date) header is used as a reference. NTP servers never outvote a service that TLS has
        verified.
      - The module does not follow redirects, and accepts any HTTP status that comes with a C(Date) header.
    type: list
    elements: str
    default: []
  max_skew:
    description:
      - Threshold between the verdicts V(in_sync) and V(skewed), in seconds in either direction.
    type: float
    default: 5.0
  timeout:
    description:
      - Deadline for the whole measurement, including name resolution, in seconds.
    type: float
    default: 5.0
  ca_path:
    description:
      - PEM file, or directory as created by C(openssl rehash), with the CA certificates that verify O(https_urls). They
        replace the CA certificates of the system.
    type: path
  validate_certs:
    description:
      - Whether to verify the certificates of O(https_urls). A service that is not verified still votes, but does not
        make the result verified.
    type: bool
    default: true
  https_proxy:
    version_added: 0.2.0
    description:
      - Proxy for O(https_urls) (C(CONNECT)), as V(http://HOST:PORT) or V(http://USER:PASSWORD@HOST:PORT). The module
        speaks plain HTTP to the proxy; the tunnel carries TLS from end to end.
      - If this option is not set, the module uses E(HTTPS_PROXY), E(ALL_PROXY) and E(NO_PROXY) of the environment. If it
        is set, the module ignores them.
      - User and password appear in no result and no log. A tunnel takes additional round trips before the request for the
        C(Date) header, but none during it.
    type: str
  _ntplib:
    description:
      - Internal. The action plugin passes the source of the controller's C(ntplib) here, so that the host does not need it.
    type: str
notes:
  - The module needs C(ntplib) only on the controller, which sends it to the host. A host that has C(ntplib) uses its own.
  - The result does not depend on the locale, the time zone or C(/etc/services) of the host. The host's clock may show any
    time between 1970 and 2106.
  - "NTP: every reply must carry the random 64-bit transmit timestamp of its request. The module rejects modes other than
    4, kiss-o'-death codes (and does not query that server again), leap indicator 3, stratum 0 and 16 or above, zero
    timestamps, timestamps that contradict each other or the round trip, and servers whose own uncertainty is 1.5 s or
    more (root delay / 2 + root dispersion + precision). RV(aemops.brand_portal.clock_skew_info#module:skew.sources)
    has the reason for each."
  - "The interval of a sample is offset ± (delay / 2 + root distance + precision + age × the host's frequency error). The
    interval of a server is the intersection of its samples, so that the sample with the least delay counts most. The
    module queries a public server once, and again only if the result is undecided and not before 2 s have passed; it
    queries loopback addresses up to eight times and private addresses up to four times."
  - "HTTPS: a reply proves Date - t_received ≤ offset ≤ Date + 1 - t_sent. If the result is undecided, the module times
    the next request so that the next full second of the service falls in the middle of the remaining interval. The C(Date)
    of a reply with C(Age) may be that of the stored reply or that of the delivery; the interval contains both until
    further replies show which."
  - A clock that is off by months makes certificates look expired or not yet valid. The module then repeats the request
    without checking the dates of the certificates. It still verifies chain and host name, requires the C(Date) to be
    within the validity of the certificate, and returns C(skew.tls_dates_checked=false).
seealso:
  - name: RFC 5905, Network Time Protocol Version 4
    description: Packet format, sanity checks, and selection algorithm.
    link: https://www.rfc-editor.org/rfc/rfc5905
  - name: RFC 8633, Network Time Protocol Best Current Practices
    description: Query rate limits and client etiquette.
    link: https://www.rfc-editor.org/rfc/rfc8633
  - name: RFC 9110, HTTP Semantics
    description: Definition of the Date header.
    link: https://www.rfc-editor.org/rfc/rfc9110#section-6.6.1
"""
