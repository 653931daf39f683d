# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fleet of healthy hosts costs the controller, beside the least that Ansible can do with it.

cost     the playbook, a play that runs ansible.builtin.ping once, and plays that make the playbook's one call and nothing
         else, for the clock alone and with the agents' tests, by turns on the same hosts over real SSH; then as if each
         host had a processor of its own
growth   the playbook with fewer and with more hosts: is the cost of each the same? And what follows for many more
many     a thousand hosts in one job: the controller's memory, and the time its report takes

The hosts are those of fleet.py, in a network of their own. Controller and hosts share this machine's processors, so the
table tells apart whose processor time it was.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import json
import os
import re
import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import fleet
import harness
import netns
import resource_usage
import tools

# The least that Ansible can do with a host, and the least that we can: one call and nothing around it, for the clock
# alone and with the agents' tests.
CLOCK_OPTIONS = {'ca_path': '{{ fix_bp_jwt_ca_path }}', 'ntp_servers': '{{ fix_bp_jwt_ntp_servers }}'}
LEAST = {
    'ansible.builtin.ping': {},
    'aemops.brand_portal.clock_skew_info': {'https_urls': [f'https://{fleet.TENANT}.brand-portal.adobe.com'], **CLOCK_OPTIONS},
    'aemops.brand_portal.brand_portal_health_info': {
        'aem_url': '{{ fix_bp_jwt_aem_url }}', 'username': fleet.USER, 'password': fleet.PASSWORD, **CLOCK_OPTIONS},
}
PING, CLOCK, CALL, BOOK = 'ping', 'clock_skew_info', 'brand_portal_health_info', 'fix-bp-jwt.yml'
STAMP = re.compile(r'^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) .*?\| +(PLAY|TASK|RUNNING HANDLER) (?:\[(.*)\]|RECAP)', re.MULTILINE)
TIMES = '%Y-%m-%d %H:%M:%S,%f'
RECAP = re.compile(r'^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)', re.MULTILINE)


# In the place of a host's Python: it runs the module, and keeps the result and the duration.
RECORD = '''\
#!/usr/bin/python3
import subprocess, sys, time
module = sys.stdin.buffer.read()
began = time.monotonic()
answer = subprocess.run(["/usr/bin/python3"], input=module, stdout=subprocess.PIPE).stdout
seconds = time.monotonic() - began
name = "brand_portal_health_info" if b"brand_portal_health_info" in module else "ping"
with open("{folder}/" + name, "wb") as kept:
    kept.write(answer)
with open("{folder}/" + name + ".seconds", "a") as kept:
    print(seconds, file=kept)
sys.stdout.buffer.write(answer)
'''
# And in its place again: a host that takes as long and answers the same, but takes no processor from the others.
REPLAY = '''\
#!/bin/sh
if [ "$(grep -c brand_portal_health_info)" -gt 0 ]; then sleep {health:.3f}; cat {folder}/brand_portal_health_info
else sleep {ping:.3f}; cat {folder}/ping; fi
'''


class Run(NamedTuple):
    """One run of a playbook over the whole fleet. Seconds of processor time; KiB."""

    what: str
    hosts: int
    wall: float
    controller: float
    on_hosts: float
    fakes: float
    main_peak: int
    peak: int
    tasks: dict[str, float]  # how long each task took, by name

    @property
    def undisturbed(self) -> float:
        """Wall time less what the stand-ins for AEM, Brand Portal and the time servers took of this machine at the same time."""
        return self.wall - self.fakes / (os.cpu_count() or 1)

    @property
    def processors(self) -> float:
        return self.controller + self.on_hosts


class Fleet:
    """The hosts of a row, and how a playbook is run over all of them."""

    def __init__(self, hosts: fleet.Fleet, forks: int) -> None:
        self.fleet, self.forks, self._numbers = hosts, forks, itertools.count(1)
        self.books = {BOOK: netns.ROOT / BOOK}
        for module, arguments in LEAST.items():
            name = module.rpartition('.')[2]
            self.books[name] = hosts.folder / f'{name}.yml'
            self.books[name].write_text(json.dumps(
                [{'name': name, 'hosts': 'aem_authors', 'gather_facts': False, 'tasks': [{module: arguments}]}]), encoding='utf-8')

    def play(self, what: str, *options: str, hosts: int = 0) -> Run:
        """what: PING, CLOCK, CALL or BOOK. All get the settings of the checkout, and connections of their own. hosts: 0 is all."""
        folder = self.fleet.folder / f'run{next(self._numbers)}'
        folder.mkdir()
        assert self.fleet.sshd
        cost = resource_usage.run(
            [str(Path(sys.executable).parent / 'ansible-playbook'), str(self.books[what]), '-i', str(self.fleet.inventory),
             '--forks', str(self.forks), *options],
            [self.fleet.sshd.pid, *self.fleet.fakes], cwd=netns.ROOT,
            env={**os.environ, 'AEM_USER': fleet.USER, 'AEM_PASSWORD': fleet.PASSWORD, 'ANSIBLE_NOCOLOR': '1',
                 'ANSIBLE_LOG_PATH': str(folder / 'log'), 'ANSIBLE_LOCAL_TEMP': str(folder / 'tmp'),
                 'ANSIBLE_SSH_CONTROL_PATH_DIR': str(folder / 'cp'), 'ANSIBLE_COLLECTIONS_PATH': str(netns.ROOT / 'collections')})
        well = [host for host, *counts in RECAP.findall(cost.output) if counts[1:] == ['0', '0', '0']]
        if cost.returncode or len(well) != (hosts or len(self.fleet.hosts)):
            raise RuntimeError(f'{what} ended with {cost.returncode}, {len(well)} hosts well:\n{cost.output[-4000:]}')
        return Run(what, len(well), cost.wall, cost.cpu, cost.others_cpu[0], sum(cost.others_cpu[1:]), cost.main_peak,
                   cost.peak, tasks_of((folder / 'log').read_text(encoding='utf-8')))

    def give_processors(self) -> dict[str, float]:
        """From now on the hosts are played back, as if each had a processor of its own. Returns the seconds each module takes."""
        folder = self.fleet.folder
        for name, program in (('record', RECORD.format(folder=folder)), ('replay', '')):
            (folder / name).write_text(program, encoding='utf-8')
            (folder / name).chmod(0o755)
        self.fleet.write_inventory(ansible_python_interpreter=str(folder / 'record'))
        alone = self.fleet.hosts[0].name
        for what in (PING, BOOK) * 3:
            self.play(what, '--limit', alone, hosts=1)
        seconds = {module: min(map(float, (folder / f'{module}.seconds').read_text(encoding='utf-8').split()))
                   for module in (PING, CALL)}
        (folder / 'replay').write_text(
            REPLAY.format(folder=folder, ping=seconds[PING], health=seconds[CALL]), encoding='utf-8')
        self.fleet.write_inventory(ansible_python_interpreter=str(folder / 'replay'))
        return seconds


def tasks_of(log: str) -> dict[str, float]:
    """Seconds from the beginning of each task to that of the next thing, by the log's own stamps."""
    stamps = [(datetime.datetime.strptime(stamp, TIMES), kind, name) for stamp, kind, name in STAMP.findall(log)]
    times: dict[str, float] = {}
    for (begins, kind, name), (ends, *_next) in itertools.pairwise(stamps):
        if kind != 'PLAY':
            times[name] = times.get(name, 0) + (ends - begins).total_seconds()
    return times


def by_turns(bench: Fleet, rounds: int, plays: Sequence[str]) -> dict[str, list[Run]]:
    """The plays over the fleet, each `rounds` times."""
    runs: dict[str, list[Run]] = {what: [] for what in plays}
    for number in range(rounds):
        for what in runs if number % 2 else reversed(runs):
            runs[what].append(bench.play(what))
            harness.progress(sum(map(len, runs.values())), len(runs) * rounds)
    return runs


def median(runs: Sequence[Run], figure: str) -> float:
    return statistics.median(getattr(run, figure) for run in runs)


FIGURES = {'wall': 'wall s', 'undisturbed': 'wall less the stand-ins s', 'controller': "controller's CPU s",
           'on_hosts': "hosts' CPU s", 'processors': 'CPU of both s', 'fakes': "stand-ins' CPU s"}
AT_MOST = 1.3
ASIDE = f"{BOOK}, the agents' tests aside"

Figures = dict[str, float]  # by the names of FIGURES


def cost(count: int, rounds: int, forks: int) -> bool:
    harness.heading(f'{count} healthy hosts over SSH, {forks} forks, median of {rounds} runs each, by turns')
    with fleet.running(fleet.healthy(count)) as hosts:
        bench = Fleet(hosts, forks)
        runs = by_turns(bench, rounds, (PING, CLOCK, CALL, BOOK))
        shared = {what: medians(part, FIGURES) for what, part in runs.items()}
        # What the agents' tests cost, their Python on the hosts included, is what the one call costs more with them.
        shared[ASIDE] = {figure: shared[BOOK][figure] - shared[CALL][figure] + shared[CLOCK][figure] for figure in FIGURES}
        show_cost(shared, count)
        harness.say(harness.table(('task', 'wall s'), [(name, f'{seconds:.1f}') for name, seconds in runs[BOOK][-1].tasks.items()]))
        alone = bench.give_processors()
        own = {what: medians(part, ('wall', 'controller')) for what, part in by_turns(bench, rounds, (PING, BOOK)).items()}
    harness.say('The same, each host with a processor of its own: its answer is played back after the time that it took alone, '
                f'{alone[PING]:.2f} s for ping and {alone[CALL]:.2f} s for brand_portal_health_info.\n')
    show_cost(own, count)
    return all(ours[figure] <= AT_MOST * least[figure]
               for ours, least, figures in ((shared[ASIDE], shared[PING], ('undisturbed', 'controller', 'processors')),
                                            (own[BOOK], own[PING], ('wall', 'controller'))) for figure in figures)


def medians(runs: Sequence[Run], figures: Iterable[str]) -> Figures:
    return {figure: median(runs, figure) for figure in figures}


def show_cost(costs: dict[str, Figures], count: int) -> None:
    """A table of the plays, their ratios to the first, and what a host costs the playbook."""
    first, *others = costs
    least, figures = costs[first], list(costs[first])
    rows = [[what, *(f'{each[figure]:.1f}' for figure in figures)] for what, each in costs.items()]
    rows += [[f'**{what} / {first}**', *(_ratio(costs[what][figure], least[figure]) for figure in figures)] for what in others]
    rows.append([f'{BOOK}, a host ms', *(f'{costs[BOOK][figure] / count * 1e3:.0f}' for figure in figures)])
    harness.say(harness.table(('play', *(FIGURES[figure] for figure in figures)), rows))


def _ratio(ours: float, least: float) -> str:
    """`-` where ping needs next to nothing of it."""
    return f'**{ours / least:.2f}**' if least > 0.5 else '-'


class Line(NamedTuple):
    """A cost that grows with the hosts: start + each * hosts."""

    start: float
    each: float

    def of(self, hosts: float) -> float:
        return self.start + self.each * hosts


def line_through(points: Sequence[tuple[int, float]]) -> Line:
    """Least squares."""
    fit = statistics.linear_regression(*zip(*points))
    return Line(fit.intercept, fit.slope)


def growth(counts: Sequence[int], rounds: int, forks: int) -> bool:
    harness.heading(f'Does the cost of a host grow with the fleet? {forks} forks, median of {rounds} runs')
    rows, walls, cpus, memories = [], [], [], []
    for count in counts:
        with fleet.running(fleet.healthy(count)) as hosts:
            ours = by_turns(Fleet(hosts, forks), rounds, [BOOK])[BOOK]
        wall, cpu, memory = (median(ours, figure) for figure in ('wall', 'controller', 'main_peak'))
        rows.append([count, f'{wall:.1f}', f'{wall / count * 1e3:.0f}', f'{cpu / count * 1e3:.0f}',
                     f'{memory / 1024:.0f}', f'{median(ours, "peak") / 1024:.0f}'])
        walls.append((count, wall))
        cpus.append((count, cpu))
        memories.append((count, memory / 1024))
    harness.say(harness.table(('hosts', 'wall s', 'wall a host ms', "controller's CPU a host ms", "ansible-playbook's memory MiB",
                               'with its forks MiB'), rows))
    spread = {what: max(each) / min(each) - 1 for what, each in (
        ('wall time', [wall / count for count, wall in walls]), ("controller's CPU", [cpu / count for count, cpu in cpus]))}
    wall, cpu, memory = map(line_through, (walls, cpus, memories))
    harness.say('A host of the dearest row costs '
                + ' and '.join(f'{share:.0%} more {what}' for what, share in spread.items())
                + ' than one of the cheapest. The lines through the rows: '
                f'wall {wall.start:.1f} s + {wall.each * 1e3:.0f} ms a host, controller\'s CPU {cpu.start:.1f} s + '
                f'{cpu.each * 1e3:.0f} ms a host, memory {memory.start:.0f} MiB + {memory.each * 1e3:.0f} KiB a host.\n')
    model(cpu, memory)
    return spread["controller's CPU"] <= 0.1  # wall time depends on who else has work


# A job of AWX, and how long a host keeps one of its forks: SSH, Python, and the agents' tests beside the measurement.
JOB_CORES, JOB_FORKS, JOB_HOSTS = 2, 50, 1000
CALLS = {'an AEM that answers at once': 2.0, 'a slow one': 20.0, 'every test times out': 180.0}


def model(cpu: Line, memory: Line) -> None:
    rows = []
    for hosts in (1000, 5000, 50000):
        jobs = max(1, hosts // JOB_HOSTS)
        part = hosts / jobs
        computing = cpu.of(part) / JOB_CORES
        rows.append([f'{hosts:,}', jobs, f'{jobs * cpu.of(part) / 60:.0f}', f'{memory.of(part):.0f}',
                     *(f'{max(computing, part * seconds / JOB_FORKS) / 60:.1f}' for seconds in CALLS.values())])
    harness.say(f'What follows for jobs of {JOB_HOSTS:,} hosts, {JOB_FORKS} forks and {JOB_CORES} processors like this machine\'s, '
                'all at the same time. A host keeps a fork for '
                + ', '.join(f'{seconds:g} s ({who})' for who, seconds in CALLS.items()) + ':\n')
    harness.say(harness.table(('hosts', 'jobs', "controllers' CPU min, all jobs", 'memory a job MiB',
                               *(f'minutes, {who}' for who in CALLS)), rows))


def many(count: int, forks: int) -> bool:
    harness.heading(f'{count} healthy hosts in one job, {forks} forks, connections of the kind local')
    with fleet.running(fleet.healthy(count)) as hosts:
        hosts.write_inventory(ansible_connection='local')
        bench = Fleet(hosts, forks)
        ping, ours = bench.play(PING), bench.play(BOOK)
    harness.say(harness.table(
        ('playbook', 'wall s', "controller's and hosts' CPU s", "ansible-playbook's memory MiB", 'with its forks MiB'),
        [[run.what, f'{run.wall:.0f}', f'{run.controller:.0f}', f'{run.main_peak / 1024:.0f}', f'{run.peak / 1024:.0f}']
         for run in (ping, ours)]))
    harness.say(harness.table(('task', 'wall s'), [(name, f'{seconds:.1f}') for name, seconds in ours.tasks.items()]))
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('what', choices=['cost', 'growth', 'many'])
    parser.add_argument('--hosts', type=int, nargs='+', help='default: 200; 50 100 200 for "growth"; 1000 for "many"')
    parser.add_argument('--rounds', type=int, default=3, help='runs of each playbook, by turns (default 3)')
    parser.add_argument('--forks', type=int, default=20, help="as in the checkout's ansible.cfg (default 20)")
    harness.add_document_option(parser)
    options = parser.parse_args()
    missing = netns.enter(prepare=lambda: tools.fetch(fleet.PACKAGES))
    if missing:
        sys.exit(f'no SSH server or library for the fleet: {missing}')
    with harness.part(f'scale {options.what}', options.document):
        if options.what == 'growth':
            well = growth(options.hosts or [50, 100, 200], options.rounds, options.forks)
        elif options.what == 'cost':
            well = cost((options.hosts or [200])[0], options.rounds, options.forks)
        else:
            well = many((options.hosts or [1000])[0], options.forks)
    return 0 if well else 1


if __name__ == '__main__':
    sys.exit(main())
