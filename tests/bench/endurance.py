# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many measurements in one process: do memory, descriptors and threads stay flat?

Each asks honest servers, one that is silent, one that kisses, a closed port, a name that does not resolve and an https
service, so that every way out is taken. The servers are a process of their own. Ends with 1 when anything grows.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import harness
import netem
import netns

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import conclusion, measurement, ntplib_loader
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._clock.clock_servers import (
    Authority,
    HttpsServer,
    NtpServer,
    dated,
    honest,
    packet,
    true_time,
)

MAY_GROW = 512  # KiB between the first look and the last; one leaked socket a measurement would be more
DEADLINE = 0.3


def serve(pipe: Any) -> None:
    """Tell the names, the URL and the authority; serve until the other end is closed."""
    def kiss(request: bytes, _server: NtpServer) -> list[bytes]:
        return [packet(request, true_time(), true_time(), stratum=0, reference=b'RATE')]
    with contextlib.ExitStack() as stack:
        authority = Authority(stack.enter_context(tempfile.TemporaryDirectory()))
        scripts = [honest(), honest(), honest(), kiss, lambda _request, _server: []]
        servers = [stack.enter_context(NtpServer(script)) for script in scripts]
        service = stack.enter_context(HttpsServer(dated(), *authority.issue('service')))
        pipe.send(([server.name for server in servers], service.url(), authority.path))
        with contextlib.suppress(EOFError):
            pipe.recv()


def look() -> tuple[int, int, int]:
    """(resident KiB, descriptors, threads) of this process."""
    gc.collect()
    pages = int(Path('/proc/self/statm').read_text(encoding='ascii').split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE') // 1024, len(os.listdir('/proc/self/fd')), threading.active_count()


def measure(count: int) -> bool:
    """Say the table; did everything stay flat?"""
    pipe, theirs = netem.FORK.Pipe()
    process = netem.FORK.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    names, url, ca_path = pipe.recv()
    codec = ntplib_loader.load()
    harness.heading(f'{count} measurements in one process, each with a deadline of {DEADLINE} s')
    asked = {'ntp_servers': [*names, '127.0.0.1:9', 'nowhere.bench'], 'https_urls': [url], 'ca_path': ca_path, 'timeout': DEADLINE}
    looks, verdicts, took = [], set(), []
    for number in range(1, count + 1):
        began = time.monotonic()
        verdicts.add(conclusion.conclude(measurement.measure(asked, codec), 5.0)['verdict'])
        took.append(time.monotonic() - began)
        if number % (count // 10) == 0:
            looks.append((number, *look()))
        harness.progress(number, count)
    harness.say(harness.table(('after', 'resident KiB', 'descriptors', 'threads'), looks))
    (_first, memory, *others), (_last, memory_at_end, *others_at_end) = looks[0], looks[-1]
    grown = memory_at_end - memory
    harness.say(f'Verdicts: {", ".join(sorted(verdicts))}. Memory grew by {grown} KiB. '
                f'Median time {harness.quantile(took, 0.5):.3f} s, longest {max(took):.3f} s.')
    return grown <= MAY_GROW and others_at_end == others


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--count', type=int, default=1000, help='measurements (default 1000: 5 minutes)')
    harness.add_document_option(parser)
    options = parser.parse_args()
    netns.enter()
    with harness.part('endurance', options.document):
        well = measure(options.count)
    return 0 if well else 1


if __name__ == '__main__':
    sys.exit(main())
