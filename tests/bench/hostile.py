# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hostile and broken servers do to a measurement: verdict, reason and time of each, as a table.

Each NTP server is asked beside three truechimers and alone; then come names, twins and majorities, and https services.
Real sockets, a network of its own, no clock touched. Ends with 1 when a measurement raises anything, outlasts its
deadline by more than 10 %, or believes what it must not.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import harness
import netns

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import conclusion, measurement, ntplib_loader
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._clock.clock_servers import (
    Authority,
    HttpsServer,
    NtpServer,
    dated,
    honest,
    host_clock,
    packet,
    true_time,
)

BEHIND = 100.0  # the host, in seconds
DEADLINE = 1.2
LIES = ('90 s off', 'era 2 lie', 'smeared by 1 s')  # well-formed and synchronized: alone they can only be unverified


class Told(NamedTuple):
    """What one measurement ended with."""

    skew: dict[str, Any]
    seconds: float

    @property
    def verdict(self) -> str:
        return self.skew['verdict'] + ('' if self.skew['verified'] or self.skew['offset'] is None else ', unverified')

    @property
    def holds_truth(self) -> bool:
        low, high = self.skew['low'], self.skew['high']
        return low is None or low <= BEHIND <= high

    def of(self, name: str) -> dict[str, Any]:
        return next(source for source in self.skew['sources'] if source['source'] == name)


class Bench:
    """Measures, and counts what must not happen."""

    def __init__(self) -> None:
        self.codec = ntplib_loader.load()
        self.measured, self.longest = 0, 0.0
        self.bad: list[str] = []

    def ask(self, what: str, names: Sequence[str], **options: Any) -> Told:
        began = time.monotonic()
        sources = measurement.measure(dict(options, ntp_servers=list(names), timeout=DEADLINE), self.codec,
                                      make_anchor=host_clock(BEHIND))
        told = Told(conclusion.conclude(sources, 5.0), time.monotonic() - began)
        self.measured += 1
        self.longest = max(self.longest, told.seconds)
        if told.seconds > 1.1 * DEADLINE:
            self.bad.append(f'{what}: {told.seconds:.3f} s, deadline {DEADLINE} s')
        return told

    def want(self, what: str, well: bool) -> None:
        if not well:
            self.bad.append(what)


@contextlib.contextmanager
def honest_servers(count: int):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(NtpServer(honest())) for _server in range(count)]


def one_server(bench: Bench, name: str, script: Callable[..., Any], expected: str) -> list[str]:
    """Beside three truechimers, and alone."""
    with honest_servers(3) as good, NtpServer(script) as server:
        beside = bench.ask(name, [each.name for each in [*good, server]])
        told = beside.of(server.name)
    bench.want(f'{name}: beside three it was believed', not told['accepted'] and expected in told['reason'])
    bench.want(f'{name}: it changed the verdict', beside.verdict == 'skewed' and beside.holds_truth)
    with NtpServer(script) as server:
        alone = bench.ask(name, [server.name])
        reason = alone.of(server.name)['reason']
    if name in LIES:
        bench.want(f'{name}: alone it was verified', not alone.skew['verified'])
    else:
        bench.want(f'{name}: alone it was believed', alone.verdict == 'unreachable' and expected in reason)
    return [name, beside.verdict, told['reason'], f'{beside.seconds:.2f}', alone.verdict, f'{alone.seconds:.2f}']


def with_tail(tail: bytes) -> Callable[..., Any]:
    """A good reply with something behind it."""
    return lambda request, _server: [packet(request, true_time(), true_time()) + tail]


def others(bench: Bench) -> list[list[str]]:
    """Rows of what is not one server's packets: (what, verdict, what is said, seconds)."""
    rows: list[list[str]] = []

    def row(what: str, told: Told, said: str, well: bool) -> None:
        bench.want(f'{what}: {told.verdict}, {said}', well)
        rows.append([what, told.verdict, said, f'{told.seconds:.2f}'])

    def row_of_source(what: str, told: Told, name: str, part: str, verdict: str) -> None:
        reason = told.of(name)['reason']
        row(what, told, reason, part in reason and told.verdict == verdict and told.holds_truth)

    with NtpServer(with_tail(os.urandom(20))) as signed, NtpServer(with_tail(bytes([0, 4, 0, 16]) + os.urandom(12))) as extended, \
            NtpServer(with_tail(os.urandom(1352))) as long:
        told = bench.ask('tails', [signed.name, extended.name, long.name])
        row('a signature, an extension field, 1,352 bytes more than a packet has (three servers)', told,
            'accepted: what follows the first 48 bytes is not read', told.verdict == 'skewed' and told.holds_truth)

    # Reference timestamps of healthy servers: an SNTP server has none, a radio clock the moment of its reply, and a server that
    # asks its own sources at the longest interval one of 36 h ago.
    with NtpServer(honest(last_set=0)) as simple, NtpServer(honest()) as radio, NtpServer(
            lambda request, _server: [packet(request, true_time(), true_time(), last_set=true_time() - 35 * 3600)]) as slow:
        told = bench.ask('reference timestamps', [simple.name, radio.name, slow.name])
        row('no reference timestamp, one of this moment, one of 35 h ago (three servers)', told,
            f'{sum(source["accepted"] for source in told.skew["sources"])} accepted',
            told.verdict == 'skewed' and all(source['accepted'] for source in told.skew['sources']))

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(('127.0.0.1', 0))
        dead = f'127.0.0.1:{closed.getsockname()[1]}'
    with honest_servers(3) as good:
        names = [server.name for server in good]
        row_of_source('a closed port, beside three', bench.ask('closed', [*names, dead]), dead, 'nothing listens', 'skewed')
        row_of_source('a closed port, alone', bench.ask('closed', [dead]), dead, 'nothing listens', 'unreachable')
        row_of_source('a name that does not resolve, beside three', bench.ask('name', [*names, 'nowhere.bench']), 'nowhere.bench',
                      'does not resolve', 'skewed')
        row_of_source('a name that does not resolve, alone', bench.ask('name', ['nowhere.bench']), 'nowhere.bench',
                      'does not resolve', 'unreachable')

    ten = [netns.address('loopback', 200, number) for number in range(10)]
    netns.name_hosts({'ten.bench': ten, 'a.bench': ten[:1], 'b.bench': ten[:1], 'c.bench': ten[:1]})
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(NtpServer(honest(), host=ip, port=netns.LOOPBACK_PORT)) for ip in ten]
        told = bench.ask('ten', [f'ten.bench:{netns.LOOPBACK_PORT}'])
        asked = sum(bool(server.requests) for server in servers)
        row('a name with ten addresses', told, f'{asked} were asked, {sum(s["accepted"] for s in told.skew["sources"])} accepted',
            told.verdict == 'skewed' and asked == 4)
    twins = [f'{name}.bench:{netns.LOOPBACK_PORT}' for name in 'abc']
    with honest_servers(2) as good, NtpServer(honest(90), host=ten[0], port=netns.LOOPBACK_PORT):
        told = bench.ask('twins', [*twins, *(server.name for server in good)])
        row('three names for one falseticker, beside two truechimers', told, told.of(twins[1])['reason'],
            told.holds_truth and not told.of(twins[0])['accepted'])

    def falsetickers(what: str, offsets: Sequence[float], good: int, verdict: str, **options: Any) -> None:
        with honest_servers(good) as servers, contextlib.ExitStack() as stack:
            lying = [stack.enter_context(NtpServer(honest(offset))) for offset in offsets]
            told = bench.ask(what, [server.name for server in [*servers, *lying]], **options)
            row(what, told, told.skew['message'], told.verdict == verdict)
    falsetickers('a majority of falsetickers, each for himself (one honest)', (50, -70), 1, 'sources_disagree')
    falsetickers('a majority of falsetickers in league (3 of 5), no service asked', (90, 90, 90), 2, 'skewed')
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(folder)
        with HttpsServer(dated(), *authority.issue('service')) as service:
            falsetickers('the same, with the https service asked as always', (90, 90, 90), 2, 'sources_disagree',
                         https_urls=[service.url()], ca_path=authority.path)
    falsetickers('2 of 4 smeared by 1 s', (-1, -1), 2, 'sources_disagree')
    falsetickers('all 3 smeared by 1 s', (-1, -1, -1), 0, 'skewed')
    return rows


def services(bench: Bench, broken: Mapping[str, tuple[Callable[..., Any], Any]]) -> list[list[str]]:
    """Each alone: (service, verdict, what is said of it, seconds)."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(folder)
        right, elsewhere = authority.issue('right'), authority.issue('elsewhere', host='elsewhere.bench')
        expired = authority.issue('expired', since_days=-90, until_days=-5)
        believed = {'cached for an hour (Age: 3600)': dated(-3600, headers='Age: 3600\r\n')}
        cases = [(name, script, right, expected) for name, (script, expected) in broken.items()]
        cases += [(name, script, right, '') for name, script in believed.items()]
        cases += [('a certificate for another name', dated(), elsewhere, 'certificate'),
                  ("a certificate that has expired by the service's own Date", dated(), expired, 'is not valid at')]
        for name, script, certificate, expected in cases:
            with HttpsServer(script, *certificate) as service:
                told = bench.ask(name, [], https_urls=[service.url()], ca_path=authority.path)
                source = told.of(service.url())
            if name in believed:
                bench.want(f'{name}: {source["reason"]}', source['accepted'] and told.holds_truth)
            else:
                bench.want(f'{name}: it was believed', told.verdict == 'unreachable' and any(
                    part in source['reason'] for part in ([expected] if isinstance(expected, str) else expected)))
            rows.append([name, told.verdict, source['reason'] or 'accepted', f'{told.seconds:.2f}'])
    return rows


def try_all(only: str) -> bool:
    """Say the tables; was everything as wanted? only: hostile servers whose name has this in it, and nothing else."""
    # The unit tests' own lists; they want pytest, which is inside.
    from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._clock.test_https_date import BROKEN
    from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._clock.test_ntp_client import HOSTILE
    bench = Bench()
    harness.heading(f'Hostile and broken servers; the host is {BEHIND:g} s behind, the deadline {DEADLINE} s')
    rows = [one_server(bench, name, script, expected) for name, (script, expected) in HOSTILE.items() if only in name]
    harness.say(harness.table(('server', 'beside 3 honest', 'said of it', 's', 'alone', 's'), rows))
    if not only:
        harness.say(harness.table(('case', 'verdict', 'said', 's'), others(bench)))
        harness.say(harness.table(('https service', 'verdict', 'said of it', 's'), services(bench, BROKEN)))
    harness.say(f'{bench.measured} measurements, none raised anything; the longest took {bench.longest:.2f} s of {DEADLINE} s; '
                f'not as wanted: {len(bench.bad)}')
    for bad in bench.bad:
        harness.say(f'NOT AS WANTED: {bad}')
    return not bench.bad


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', default='', help='hostile servers whose name has this in it')
    harness.add_document_option(parser)
    options = parser.parse_args()
    netns.enter()
    with harness.part('hostile', options.document):
        well = try_all(options.only)
    return 0 if well else 1


if __name__ == '__main__':
    sys.exit(main())
