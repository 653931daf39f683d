# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Date of one to three services tells: this collection and htpdate on the same ones, in one run.

A service's Date is its clock cut to the second; 5 to 40 ms each way plus queues lie between. Every round is another
offset, other services. htpdate as Debian builds it speaks no TLS, so it asks the same services over plain HTTP.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import harness
import netem
import netns
import tools
from harness import ms, quantile

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import conclusion, measurement
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.http_date import format_http_date
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._clock.clock_servers import Authority, HttpsServer

ASKED_BY_STEP = 0.1  # seconds; the width that clock_step wants


class Reading(NamedTuple):
    """What one tool said. Seconds."""

    tool: str
    error: float | None
    width: float | None
    true: bool | None
    seconds: float
    note: str = ''


def service(rng: random.Random, offset: float) -> Callable[..., bytes]:
    """A script for HttpsServer: the delay to the server, the clock's reading, the delay back."""
    way = rng.uniform(0.005, 0.04)

    def answer(_number: int, _head: str) -> bytes:
        time.sleep(way + rng.expovariate(1 / 0.005))
        date = format_http_date(int((time.time() + offset) // 1))
        time.sleep(way + rng.expovariate(1 / 0.005))
        return f'HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n'.encode('ascii')
    return answer


def ours(title: str, urls: list[str], ca_path: str, width: float, offset: float) -> Reading:
    began = time.monotonic()
    options = {'https_urls': urls, 'ca_path': ca_path, 'timeout': 5.0}
    told = conclusion.conclude(measurement.measure(options, None, width), 5.0)
    seconds = time.monotonic() - began
    if told['offset'] is None:
        return Reading(title, None, None, None, seconds, told['message'])
    return Reading(title, abs(told['offset'] - offset), told['high'] - told['low'], told['low'] <= offset <= told['high'], seconds)


def theirs(title: str, urls: list[str], offset: float) -> Reading:
    asked = tools.htpdate(urls)
    return Reading(title, None if asked.offset is None else abs(asked.offset - offset), None, None, asked.seconds, asked.note)


def one_round(authority: Authority, certificate: tuple[str, str], number: int, seed: int) -> list[Reading]:
    rng = random.Random(f'{seed}/{number}')
    offset = rng.uniform(-30, 30)
    scripts = [service(rng, offset) for _service in range(3)]
    with contextlib.ExitStack() as stack:
        secure = [stack.enter_context(HttpsServer(script, *certificate)).url() for script in scripts]
        plain = [f'http://127.0.0.1:{stack.enter_context(HttpsServer(script)).port}' for script in scripts]
        turns: list[Callable[[], Reading]] = [
            lambda: ours('skew, 1 service, as clock_skew_info asks', secure[:1], authority.path, float('inf'), offset),
            lambda: ours('skew, 1 service, as clock_step asks', secure[:1], authority.path, ASKED_BY_STEP, offset),
            lambda: ours('skew, 3 services, as clock_step asks', secure, authority.path, ASKED_BY_STEP, offset),
            lambda: theirs('htpdate, 1 service', plain[:1], offset),
            lambda: theirs('htpdate, 3 services', plain, offset),
        ]
        rng.shuffle(turns)
        return [turn() for turn in turns]


def measure(count: int, workers: int, seed: int, missing: dict[str, str]) -> bool:
    """Say the table; was the truth always inside?"""
    if 'htpdate' in missing:
        harness.say('Not compared: htpdate: ' + missing['htpdate'])
    harness.heading(f'The Date of https services, 5 to 40 ms each way and queues, {count} rounds')
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(folder)
        certificate = authority.issue('service')

        def work(_network: netem.Network, number: int) -> list[Any]:
            return one_round(authority, certificate, number, seed)
        readings: list[Reading] = harness.rounds(count, workers, 1, work)
    rows = []
    for tool in sorted({reading.tool for reading in readings}, key=lambda tool: (tool.startswith('htpdate'), tool)):
        part = [reading for reading in readings if reading.tool == tool]
        errors = [r.error for r in part if r.error is not None]
        widths = [r.width for r in part if r.width is not None]
        notes = sorted({r.note for r in part if r.error is None})
        rows.append([tool, f'{len(errors)} of {len(part)}', ms(quantile(errors, 0.5)), ms(quantile(errors, 0.95)),
                     ms(quantile(widths, 0.5)), f'{sum(bool(r.true) for r in part)} of {len(widths)}' if widths else 'no interval',
                     *(f'{quantile([r.seconds for r in part], share):.2f}' for share in (0.5, 0.95)), '; '.join(notes)[:120]])
    harness.say(harness.table(('tool', 'answers', 'error median ms', 'p95 ms', 'width median ms', 'truth inside', 'time median s',
                               'p95 s', 'without an answer'), rows))
    return all(reading.true is not False for reading in readings)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--count', type=int, default=64, help='rounds (default 64)')
    parser.add_argument('--workers', type=int, default=8, help='rounds at a time (default 8)')
    parser.add_argument('--seed', type=int, default=1, help='another one makes other services')
    harness.add_document_option(parser)
    options = parser.parse_args()
    missing = netns.enter(prepare=tools.fetch)
    with harness.part('dates', options.document):
        well = measure(options.count, options.workers, options.seed, missing)
    return 0 if well else 1


if __name__ == '__main__':
    sys.exit(main())
