# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounds of the host's offset from the Date header of an HTTPS service.

Date is the service's clock, truncated to the second (RFC 9110 §6.6.1). A reply therefore proves
    Date - t_received  <=  offset  <=  Date + 1 - t_sent      (seconds, service - host)
Each further request is timed so that the edge of a second falls in the middle of the remaining interval, which halves it, until it
is as narrow as the round trip.
"""

import contextlib
import http.client
import math
import re
import socket
import ssl
import urllib.parse
from typing import List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.clock import Anchor
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import BadOption, Unusable
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.marzullo import Interval
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.resolver import Endpoint, join, parse_endpoint
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.source import Source, error_reason, make_source
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.tls import (
    Connection,
    Connector,
    DatesRefused,
    Proxy,
    Trust,
    proxy_of_environment,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.credentials import without_credentials
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.http_date import BadDate, iso_utc, parse_http_date

PORT = 443

# Seconds by which two answers may contradict each other: a service has many machines with different clocks, and some servers
# (Tomcat) keep the text of a Date for a second.
_MACHINES_DIFFER = 1.0
_MOST_REQUESTS = 30
_MOST_INTERIM_ANSWERS = 20  # such as 103 Early Hints
# Seconds between two requests that show whether a Date grows older in a cache.
_AGE_GROWS = 1.0


class Target(NamedTuple):
    """A URL whose server is queried for its Date."""

    url: str
    endpoint: Endpoint
    path: str


class Answer(NamedTuple):
    """The relevant headers of a reply."""

    date: int  # Unix seconds
    age: Optional[int]  # seconds since a cache received it from the origin; None: directly from the origin
    stays_open: bool


def parse_url(url: str) -> Target:
    """Parse an https URL. Raises BadOption for any other URL, and for credentials in it."""
    shown = without_credentials(url)
    if re.search(r'[\x00-\x20\x7f]', url):
        raise BadOption(f'https_urls: {shown!r} has a space or a control character in it.')
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise BadOption(f'https_urls: {shown!r} is not a URL.') from None
    if parts.scheme != 'https':
        raise BadOption(f'https_urls: {shown!r} is not an https:// URL. Only a TLS connection proves whose Date it is.')
    if parts.username is not None or parts.password is not None:
        raise BadOption(f'https_urls: {shown!r} was given with credentials. A Date needs none; leave them out.')
    if not host or ('[' in parts.netloc and ':' not in host):
        raise BadOption(f'https_urls: {shown!r} has no host.')
    # A zone of an IPv6 address is written with %25 (RFC 6874), and resolved without.
    text = join(host.replace('%25', '%'), PORT if port is None else port)
    path = (parts.path or '/') + ('?' + parts.query if parts.query else '')
    return Target(url, parse_endpoint(text, PORT, 'https_urls'), urllib.parse.quote(path, safe="/?%:@!$&'()*+,;=~"))


def prove(date: int, age: Optional[int], sent: float, received: float) -> Interval:
    """Return the offsets that one reply allows. sent, received: the host's Unix time before and after. RFC 9110 §6.6.1.

    age: None if Date is that of the delivery. Otherwise it is that of an answer in a cache, which is older by its Age. The cache
    also truncates or rounds Age to seconds, which adds a second on either side (RFC 9111 §5.1).
    """
    if age is None:
        return Interval(date - received, date + 1 - sent)
    return Interval(date + max(0, age - 1) - received, date + age + 2 - sent)


class Proof:
    """The offsets that all replies of a service allow.

    The Date of a cached reply may be that of the stored answer (RFC 9111 §4.2.3: Date + Age is now), or of the delivery, as many
    content delivery networks write it (Date is now). A reply alone does not show which. A reading that the replies contradict is
    dropped; as long as both are possible, the bounds contain both.
    """

    def __init__(self, answer: Answer, sent: float, received: float) -> None:
        """sent, received: the host's Unix time."""
        self._first = answer
        self._stored: Optional[Interval] = prove(answer.date, answer.age, sent, received)
        self._delivered: Optional[Interval] = prove(answer.date, None, sent, received)
        self.bounds = _hull([self._stored, self._delivered])

    @property
    def ambiguous(self) -> bool:
        """Whether it matters which of the readings is right."""
        return self._stored is not None and self._delivered is not None and not self._stored.overlaps(self._delivered)

    def add(self, answer: Answer, sent: float, received: float) -> bool:
        """Add another reply. Return False if it contradicts the replies before. Raises Unusable if it does so by too much."""
        stored, delivered = prove(answer.date, answer.age, sent, received), prove(answer.date, None, sent, received)
        self._stored = self._stored and self._stored.intersection(stored)
        self._delivered = self._delivered and self._delivered.intersection(delivered)
        # What a cache keeps grows older. If Age stays while Date moves on, both belong to the answer.
        if self._stored and answer.age and answer.age == self._first.age and answer.date - self._first.date > 1:
            self._delivered = None
        possible = [reading for reading in (self._stored, self._delivered) if reading]
        self.bounds = _hull(possible) if possible else _either(self.bounds, _hull([stored, delivered]))
        return bool(possible)


def next_edge(offset: Interval, round_trip: float, now: float) -> float:
    """Return when to send the next request (host's Unix time), so that half of its round trip ends at the edge of a second.

    If the offset is the middle of the interval, the service's clock shows a whole second at that moment. The reply therefore
    shows in which half the offset is.
    """
    phase = (now + round_trip / 2 + offset.middle) % 1.0
    return now + (1.0 - phase) % 1.0


class Question:
    """Queries one URL for the time. run() runs in a thread; abort() ends it from another one."""

    def __init__(self, target: Target, trust: Trust, proxy: Optional[Proxy], anchor: Anchor, deadline: float,
                 max_skew: float, wanted_width: float) -> None:
        """proxy: None for that of the environment. deadline: monotonic.

        The query ends when the interval is on one side of max_skew and not wider than wanted_width (s).
        """
        self._target, self._trust, self._proxy, self._anchor, self._deadline = target, trust, proxy, anchor, deadline
        self._max_skew, self._wanted_width = max_skew, wanted_width
        self._connector = Connector(deadline, anchor.monotonic)
        self._source = make_source(target.url, 'https')
        self._proof: Optional[Proof] = None
        self._began, self._fastest = 0.0, math.inf  # the first request (monotonic), and the shortest round trip (seconds)

    def abort(self) -> None:
        self._connector.abort()

    def run(self) -> List[Source]:
        """Return the source, with a reason instead of an interval if it cannot be used."""
        try:
            while self._ask():
                pass
        except Unusable as error:
            self._source['reason'] = str(error)
            self._source['_silent'] = self._anchor.monotonic() >= self._deadline
        except BadOption as error:
            self._source['reason'] = str(error)
        return [self._source]

    def _connect(self) -> Connection:
        proxy = self._proxy or proxy_of_environment(self._target.endpoint.host)
        try:
            connection = self._connector.connect(self._target.endpoint, self._trust, proxy, check_dates=True)
        except DatesRefused as refused:
            try:
                connection = self._connector.connect(self._target.endpoint, self._trust, proxy, check_dates=False)
            except DatesRefused:
                raise Unusable(str(refused)) from None
        self._source.update(address=connection.address, tls_verified=connection.verified,
                            tls_dates_checked=connection.dates_checked,
                            certificate_not_after=iso_utc(connection.validity[1]) if connection.validity else None)
        return connection

    def _ask(self) -> bool:
        """Query over one connection. Return whether another one is worthwhile, after the service has closed it. Raises Unusable."""
        try:
            connection = self._connect()
        except Unusable:
            if self._proof is None:
                raise
            return False
        with contextlib.closing(connection.socket):
            while True:
                try:
                    sent, answer, received = self._exchange(connection.socket)
                except Unusable:
                    if self._proof is None:
                        raise
                    return False
                self._check_validity(connection, answer)
                if not self._add(answer, sent, received) or not self._worth_more(answer.stays_open):
                    return False
                if not answer.stays_open:
                    return True

    def _add(self, answer: Answer, sent: float, received: float) -> bool:
        """Add a reply to the proof and note the result. Return whether it agrees with the replies before."""
        moments, agrees = (self._anchor.at(sent), self._anchor.at(received)), True
        if self._proof is None:
            self._began, self._proof = sent, Proof(answer, *moments)
        else:
            agrees = self._proof.add(answer, *moments)
        self._fastest = min(self._fastest, received - sent)
        proven = self._proof.bounds
        stray = (received - self._began) * self._anchor.drift_rate() + self._anchor.uncertainty + 2e-6
        self._source.update(offset=proven.middle, low=proven.low - stray, high=proven.high + stray, delay=self._fastest,
                            samples=self._source['samples'] + 1)
        return agrees

    def _worth_more(self, stays_open: bool) -> bool:
        """Return whether another request is worthwhile, after waiting for its moment."""
        if self._proof is None or self._source['samples'] >= _MOST_REQUESTS or not (stays_open or self._proof.ambiguous):
            return False
        proven, round_trip = self._proof.bounds, self._fastest
        two_offsets = self._proof.ambiguous and proven.width > 2 * self._max_skew
        if proven.is_conclusive(self._max_skew) and proven.width <= self._wanted_width and not two_offsets:
            return False
        if proven.width <= 2 * round_trip + 0.01:
            return False
        now = self._anchor.now()
        pause = _AGE_GROWS if self._proof.ambiguous else next_edge(proven, round_trip, now) - now
        if self._anchor.monotonic() + pause + 3 * round_trip >= self._deadline:
            return False
        self._anchor.sleep(pause)
        return True

    def _exchange(self, connection: ssl.SSLSocket) -> Tuple[float, Answer, float]:
        """Send one request; return (sent, answer, received), both moments monotonic."""
        head = '\r\n'.join((
            f'HEAD {self._target.path} HTTP/1.1', f'Host: {self._host_header()}', 'User-Agent: aemops.brand_portal',
            'Accept: */*', 'Cache-Control: no-cache', 'Pragma: no-cache', '', '')).encode('ascii')
        connection.settimeout(self._connector.left())
        sent = self._anchor.monotonic()
        try:
            connection.sendall(head)
            response = http.client.HTTPResponse(connection, method='HEAD')
            try:
                _begin(response)
                received = self._anchor.monotonic()
                answer = read_headers(response)
            finally:
                response.close()
        except socket.timeout as error:
            raise Unusable('no answer in time') from error
        except http.client.HTTPException as error:
            raise Unusable(f'its answer is not HTTP ({type(error).__name__})') from error
        except (OSError, ValueError) as error:
            self._connector.left()
            raise Unusable(f'no answer: {error_reason(error)}') from error
        if received > self._deadline:
            raise Unusable('no answer in time')
        return sent, answer, received

    def _host_header(self) -> str:
        endpoint = self._target.endpoint
        # A zone means nothing to the server (RFC 6874 section 4).
        address = endpoint.host.partition('%')[0]
        name = f'[{address}]' if ':' in address else address.encode('idna').decode('ascii')
        return name if endpoint.port == PORT else f'{name}:{endpoint.port}'

    def _check_validity(self, connection: Connection, answer: Answer) -> None:
        """Check a certificate, whose dates the host's clock could not check, against the Date of the service."""
        if not connection.verified or connection.dates_checked:
            return
        if connection.validity is None:
            raise Unusable('its certificate does not say from when to when it is valid')
        since, until = connection.validity
        if answer.date + (answer.age or 0) < since or answer.date > until:
            raise Unusable(f"its certificate (valid from {iso_utc(since)} to {iso_utc(until)}) is not valid at the "
                           f"service's own time, {iso_utc(answer.date)}")


def _hull(intervals: Sequence[Interval]) -> Interval:
    return Interval(min(interval.low for interval in intervals), max(interval.high for interval in intervals))


def _either(one: Interval, other: Interval) -> Interval:
    """Return an interval that contains both, if the machines of a service may differ by as much. Raises Unusable."""
    gap = one.distance(other)
    if gap > _MACHINES_DIFFER:
        raise Unusable(f'its clock moved by {gap:.3f} s or more between two of its answers')
    return _hull([one, other])


def _begin(response: http.client.HTTPResponse) -> None:
    """Read the head of the answer. Before it, any number of interim answers may come, of which Python only skips 100 Continue."""
    response.begin()
    for _interim in range(_MOST_INTERIM_ANSWERS):
        if response.status == 101 or not 100 <= response.status <= 199:
            return
        response.headers = response.msg = None  # type: ignore[assignment]  # with headers, begin() reads nothing more
        response.begin()
    raise http.client.HTTPException('too many interim answers')


def read_headers(response: http.client.HTTPResponse) -> Answer:
    """Return Date and Age of a reply with any status. Raises Unusable."""
    dates = set(response.headers.get_all('Date') or [])
    if not dates:
        raise Unusable(f'its answer (status {response.status}) has no Date')
    if len(dates) > 1:
        raise Unusable('its answer has two different Dates')
    try:
        date = parse_http_date(str(dates.pop()).strip(' \t'))
    except BadDate as error:
        raise Unusable(f'its Date cannot be read: {error}') from error
    ages = response.headers.get_all('Age') or []
    age = None
    if ages:
        text = str(ages[0]).strip(' \t')
        if not re.fullmatch('[0-9]{1,9}', text):
            raise Unusable(f'the Age of its (cached) answer cannot be read: {text[:32]!r}')
        age = int(text)
    return Answer(date, age, not response.will_close)
