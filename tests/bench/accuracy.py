# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far from the truth is a measured offset, is the truth inside the interval, and how long does it take?

truth    many measurements in bad networks with lying minorities: counts the intervals that do not hold the truth
compare  the same servers asked by this collection and by other tools, in one run
silent   one server never answers: is the deadline kept?

Everything happens in a network of its own on real sockets; no clock is touched, nothing is installed.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
from typing import Any, NamedTuple

import harness
import netem
import netns
import tools
from harness import ms, quantile

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import conclusion, measurement, ntplib_loader

MOST_SERVERS = 9

# Public servers are asked once, our own network's up to 4 times, loopback's 8 times: see ntp_peer.Pace.
OURS = {'public': 'skew, public addresses', 'near': 'skew, private addresses', 'loopback': 'skew, loopback addresses'}
MAX_SKEW = 5.0


class Measured(NamedTuple):
    """One measurement. Seconds."""

    kind: str
    loss: float
    asked: int
    falsetickers: int
    truth: float
    verdict: str
    offset: float | None
    low: float | None
    high: float | None
    seconds: float
    timeout: float

    @property
    def error(self) -> float:
        assert self.offset is not None
        return abs(self.offset - self.truth)

    @property
    def true(self) -> bool:
        """Is the truth inside? Reported figures are rounded outwards to a microsecond; doubles near 2e9 need 2e-7."""
        assert self.low is not None and self.high is not None
        return self.low - 5e-7 <= self.truth <= self.high + 5e-7

    @property
    def wrong(self) -> bool:
        """Does the verdict contradict the truth?"""
        off = abs(self.truth) > MAX_SKEW
        return (self.verdict == 'in_sync' and off) or (self.verdict == 'skewed' and not off)


def measure(addresses: list[str], timeout: float) -> tuple[dict[str, Any], float]:
    """(skew, seconds it took)"""
    codec = ntplib_loader.load()
    began = time.monotonic()
    options = {'ntp_servers': [netns.endpoint(ip) for ip in addresses], 'timeout': timeout, 'max_skew': MAX_SKEW}
    result = conclusion.conclude(measurement.measure(options, codec), MAX_SKEW)
    return result, time.monotonic() - began


# truth


def bad_world(rng: random.Random) -> tuple[netem.World, float, int]:
    """(world, loss, falsetickers): 1 to 9 servers, up to 30 % loss, any minority lying; the host off by nothing to decades."""
    count = rng.choice((1, 2, 3, 3, 4, 4, 5, 5, 6, 7, 8, 9))
    loss = rng.uniform(0, 0.3)
    falsetickers = rng.randint(0, (count - 1) // 2)
    servers = netem.with_falsetickers(rng, [netem.honest_server(rng, loss) for _server in range(count)], falsetickers)
    truth = rng.choice((0.0, rng.uniform(-4, 4), rng.uniform(-100, 100), rng.uniform(4.9, 5.1), rng.uniform(-1e9, 1e9)))
    return netem.World(truth, servers), loss, falsetickers


def truth(count: int, workers: int, seed: int, timeout: float) -> bool:
    """Print the table; is all well?"""
    kinds = list(OURS)

    def work(network: netem.Network, number: int) -> list[Measured]:
        rng = random.Random(f'{seed}/{number}')
        kind = kinds[number % len(kinds)]
        world, loss, falsetickers = bad_world(rng)
        network.become(world, number)
        result, seconds = measure(network.addresses(kind, len(world.servers)), timeout)
        return [Measured(kind, loss, len(world.servers), falsetickers, world.truth, result['verdict'], result['offset'],
                         result['low'], result['high'], seconds, timeout)]
    harness.heading(f'Truth: {count} measurements, 1 to 9 servers, loss 0 to 30 % each way, any minority lying')
    all_of_them: list[Measured] = harness.rounds(count, workers, MOST_SERVERS, work)
    slices = [(OURS[kind], [m for m in all_of_them if m.kind == kind]) for kind in kinds]
    slices += [(f'loss {low} to {low + 10} %', [m for m in all_of_them if low <= m.loss * 100 < low + 10]) for low in (0, 10, 20)]
    slices += [('no falseticker', [m for m in all_of_them if not m.falsetickers]),
               ('falsetickers', [m for m in all_of_them if m.falsetickers]),
               ('**all**', all_of_them)]
    harness.say(harness.table(
        ('measurements', 'n', 'with an interval', 'truth outside', 'wrong verdict', 'error median ms', 'p95 ms',
         'width median ms', 'p95 ms', 'time median s', 'p95 s', 'longest s'),
        [_truth_row(title, part) for title, part in slices]))
    verdicts = {verdict: sum(m.verdict == verdict for m in all_of_them) for verdict in sorted({m.verdict for m in all_of_them})}
    harness.say('Verdicts: ' + ', '.join(f'{verdict} {number}' for verdict, number in verdicts.items()) + '.\n')
    false = [m for m in all_of_them if m.low is not None and not m.true or m.wrong]
    for measured in false:
        harness.say(f'FALSE: {measured}')
    late = [m for m in all_of_them if m.seconds > 1.1 * m.timeout]
    if late:
        harness.say(f'{len(late)} took more than 1.1 times the deadline, up to {max(m.seconds for m in late):.2f} s\n')
    return not false


def _truth_row(title: str, part: list[Measured]) -> list[Any]:
    given = [m for m in part if m.low is not None and m.high is not None]
    widths = [m.high - m.low for m in given if m.high is not None and m.low is not None]
    return [title, len(part), len(given), sum(not m.true for m in given), sum(m.wrong for m in part),
            ms(quantile([m.error for m in given], 0.5)), ms(quantile([m.error for m in given], 0.95)),
            ms(quantile(widths, 0.5)), ms(quantile(widths, 0.95)),
            *(f'{quantile([m.seconds for m in part], share):.2f}' for share in (0.5, 0.95, 1))]


# compare


class Reading(NamedTuple):
    """What one tool said of one world."""

    tool: str
    error: float | None
    width: float | None
    true: bool | None
    seconds: float
    note: str


def _loopback(_rng: random.Random) -> tuple[netem.Server, ...]:
    return tuple(netem.Server() for _server in range(5))


def _queues(rng: random.Random) -> tuple[netem.Server, ...]:
    return tuple(netem.honest_server(rng, two_ways=False) for _server in range(5))


def _two_ways(rng: random.Random) -> tuple[netem.Server, ...]:
    return tuple(netem.honest_server(rng) for _server in range(5))


def _bad(rng: random.Random) -> tuple[netem.Server, ...]:
    return netem.with_falsetickers(rng, [netem.honest_server(rng, loss=0.1) for _server in range(5)], rng.randint(1, 2))


# (title, maker, the kinds of addresses that such servers have and that we treat differently)
WORLDS = {
    'loopback': ('Loopback: 5 servers at once, no delay', _loopback, ('loopback',)),
    'wan': ('WAN: 5 servers, 2 to 40 ms each way, queues that differ by direction', _queues, ('public', 'near')),
    'two-ways': ('WAN, replies by another way: 2 to 40 ms there, 2 to 40 ms back', _two_ways, ('public', 'near')),
    'bad': ('WAN as before, 10 % loss each way, 1 or 2 of the 5 lying', _bad, ('public', 'near')),
}


# The whole of what a module does on a host but for Ansible's own part: a new Python, the imports, ntplib, the answer.
_PROCESS = """
import json, sys
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import ntplib_loader, conclusion, measurement
options = json.loads(sys.argv[1])
print(json.dumps(conclusion.conclude(measurement.measure(options, ntplib_loader.load()), 5.0)))
"""


def _ours_as_a_process(addresses: list[str]) -> tuple[dict[str, Any], float]:
    began = time.monotonic()
    options = json.dumps({'ntp_servers': [netns.endpoint(ip) for ip in addresses]})
    done = subprocess.run([sys.executable, '-c', _PROCESS, options], check=True,
                          stdout=subprocess.PIPE, env={'PYTHONPATH': str(netns.ROOT / 'collections')})
    return json.loads(done.stdout), time.monotonic() - began


def compare(world_name: str, count: int, workers: int, seed: int, missing: dict[str, str]) -> None:
    """Each round is a new world that every tool is asked about, in an order that is new, too."""
    title, make, kinds = WORLDS[world_name]
    process = f'{OURS[kinds[0]]}, with the start of Python'
    others = [tool for tool in tools.NTP_TOOLS if not set(tool.packages) & set(missing)]

    def ours(network: netem.Network, kind: str, truth_: float, as_process: bool = False) -> Reading:
        addresses = network.addresses(kind, 5)
        result, seconds = _ours_as_a_process(addresses) if as_process else measure(addresses, 5.0)
        name = process if as_process else OURS[kind]
        if result['offset'] is None:
            return Reading(name, None, None, None, seconds, result['verdict'])
        return Reading(name, abs(result['offset'] - truth_), result['high'] - result['low'],
                       result['low'] <= truth_ <= result['high'], seconds, '')

    def theirs(network: netem.Network, tool: tools.Tool, truth_: float) -> Reading:
        asked = tool.ask(network.addresses('public', 5), network.name)
        error = None if asked.offset is None else abs(asked.offset - truth_)
        return Reading(tool.title, error, None, None, asked.seconds, asked.note)

    def work(network: netem.Network, number: int) -> list[Reading]:
        rng = random.Random(f'{seed}/{world_name}/{number}')
        world = netem.World(rng.uniform(-0.4, 0.4), make(rng))
        turns = [lambda kind=kind: ours(network, kind, world.truth) for kind in kinds]
        turns.append(lambda: ours(network, kinds[0], world.truth, as_process=True))
        turns += [lambda tool=tool: theirs(network, tool, world.truth) for tool in others]
        if number < 2 and not missing.get('chrony'):
            turns.append(lambda: theirs(network, tools.CHRONYD_WITHOUT_IBURST, world.truth))
        rng.shuffle(turns)
        readings = []
        for turn, ask in enumerate(turns):
            network.become(world, number * 100 + turn)
            readings.append(ask())
        return readings
    netns.name_hosts({netem.Network.name_of(block): [netns.address('public', block, number) for number in range(5)]
                     for block in range(1, workers + 1)})
    harness.heading(f'{title}, {count} rounds')
    readings: list[Reading] = harness.rounds(count, workers, 5, work)
    yardstick = _times(readings, 'chronyd -Q, iburst')
    names = [*OURS.values(), process, *(tool.title for tool in tools.NTP_TOOLS),
             tools.CHRONYD_WITHOUT_IBURST.title]
    rows = [_compare_row(name, [r for r in readings if r.tool == name], yardstick) for name in names]
    headings = ('tool', 'answers', 'off by > 1 s', 'error median ms', 'p95 ms', 'width median ms', 'truth inside',
                'time median s', 'p95 s', 'time / chronyd iburst', 'without an answer')
    harness.say(harness.table(headings, [row for row in rows if row]))
    for package, reason in missing.items():
        harness.say(f'Not compared: {package}: {reason}')


def _times(readings: list[Reading], tool: str) -> float:
    return quantile([r.seconds for r in readings if r.tool == tool], 0.5)


def _compare_row(name: str, part: list[Reading], yardstick: float) -> list[Any] | None:
    if not part:
        return None
    errors = [r.error for r in part if r.error is not None]
    widths = [r.width for r in part if r.width is not None]
    times = [r.seconds for r in part]
    notes = sorted({r.note for r in part if r.error is None})
    return [name, f'{len(errors)} of {len(part)}', sum(error > 1 for error in errors),
            ms(quantile(errors, 0.5)), ms(quantile(errors, 0.95)), ms(quantile(widths, 0.5)),
            f'{sum(bool(r.true) for r in part)} of {len(widths)}' if widths else 'no interval',
            f'{quantile(times, 0.5):.2f}', f'{quantile(times, 0.95):.2f}', f'{quantile(times, 0.5) / yardstick:.3f}',
            '; '.join(notes)[:120]]


# silent


def silent(count: int, seed: int) -> bool:
    """One server never answers: alone, where it could change the verdict, and where it could not."""
    harness.heading(f'One server is silent, {count} measurements a row')
    rows, kept = [], True
    with netem.Network(1, MOST_SERVERS) as network:
        for others, timeout in ((0, 0.5), (0, 2.0), (2, 0.5), (2, 1.0), (2, 2.0), (2, 5.0), (4, 5.0)):
            for kind in OURS:
                took = []
                for number in range(count):
                    rng = random.Random(f'{seed}/{others}/{timeout}/{number}')
                    servers = tuple(netem.honest_server(rng) for _server in range(others)) + (netem.Server(silent=True),)
                    network.become(netem.World(0.0, servers), number)
                    took.append(measure(network.addresses(kind, len(servers)), timeout)[1])
                kept = kept and max(took) <= 1.1 * timeout
                rows.append([f'{others} that answer and 1 that does not', kind, timeout, f'{statistics.median(took):.3f}',
                             f'{max(took):.3f}', f'{max(took) / timeout:.3f}'])
    harness.say(harness.table(('servers', 'addresses', 'deadline s', 'time median s', 'longest s', 'longest / deadline'), rows))
    return kept


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('what', nargs='*', choices=['truth', 'compare', 'silent', []], help='default: all three')
    parser.add_argument('--count', type=int, default=2400, help='measurements of "truth" (default 2400: 5 minutes)')
    parser.add_argument('--asks', type=int, default=64, help='rounds of "compare" (default 64: 9 minutes)')
    parser.add_argument('--worlds', nargs='+', choices=list(WORLDS), default=list(WORLDS), help='of "compare"')
    parser.add_argument('--workers', type=int, default=12, help='measurements at a time (default 12)')
    parser.add_argument('--seed', type=int, default=1, help='another one makes other worlds')
    harness.add_document_option(parser)
    options = parser.parse_args()
    what = options.what or ['truth', 'compare', 'silent']
    missing = netns.enter(prepare=tools.fetch if 'compare' in what else None)
    well = True
    if 'truth' in what:
        with harness.part('accuracy truth', options.document):
            well = truth(options.count, options.workers, options.seed, 5.0) and well
    if 'compare' in what:
        with harness.part('accuracy compare', options.document):
            harness.say('Compared with: ' + tools.versions())
            for world in options.worlds:
                compare(world, options.asks, min(8, options.workers), options.seed, missing)
    if 'silent' in what:
        with harness.part('accuracy silent', options.document):
            well = silent(max(2, options.count // 200), options.seed) and well
    return 0 if well else 1


if __name__ == '__main__':
    sys.exit(main())
