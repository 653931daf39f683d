# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long a clock's repair takes by the role time_sync, and by the same commands typed over one SSH session.

    repair.py [ROUNDS]      5 by default; writes docs/repair-cost.md

Each round boots two copies of one lab machine, whose clock is 90 s behind, one after the other, and repairs one by hand and
one by the role; which one comes first alternates. Nothing else runs at that time.
"""

from __future__ import annotations

import datetime
import json
import statistics
import sys
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT / 'tests')

from system import playbook  # noqa: E402

from repair.hosts import KINDS  # noqa: E402
from repair.trial import NEAR, Hosts, HostUnderTest  # noqa: E402

DOCUMENT = ROOT / 'docs' / 'repair-cost.md'
CALLBACKS = ROOT / 'tests' / 'repair' / 'callbacks'
PLAY = [{'hosts': 'all', 'gather_facts': False, 'roles': ['aemops.brand_portal.time_sync']}]
BEHIND = -90
AIM = 1.5

# What an expert types, with nothing going wrong. The time is read off another clock.
SET = 'date -s @{now} >/dev/null'
CONFIGURE = '''
printf 'server {server} iburst\\n' >/etc/chrony/sources.d/site.sources
systemctl restart chrony
chronyc waitsync 60 0.02 0 1
systemctl is-enabled chrony
chronyc tracking'''
BY_HAND = {
    'none': f'set -e; {SET}; apt-get -q update; DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends chrony;'
    f'{CONFIGURE}',
    'stock': f'set -e; {SET}; {CONFIGURE}',
}


class Timed(t.NamedTuple):
    """Seconds that a repair took, and of each task: [(name, seconds)]."""

    seconds: float
    tasks: list[tuple[str, float]]


def by_hand(under_test: HostUnderTest) -> Timed:
    machine = under_test.machine
    command = BY_HAND[next(name for name in BY_HAND if KINDS[name] is under_test.kind)]
    began = time.monotonic()
    machine.ssh(command.format(now=f'{time.time():.3f}', server=machine.lab.network.host), user='root', timeout=300)
    return Timed(time.monotonic() - began, [])


def by_role(under_test: HostUnderTest) -> Timed:
    machine = under_test.machine
    play, log = machine.folder / 'play.json', machine.folder / 'tasks.jsonl'
    play.write_text(json.dumps(PLAY), encoding='utf-8')
    variables = {'time_sync_servers': [machine.lab.network.host], 'time_sync_accept_unverified': True}
    inventory = machine.lab.inventory(common=variables, path=machine.folder / 'inventory.json')
    began = time.monotonic()
    run = playbook.run(under_test.environment, ['ansible-playbook', str(play), '-i', str(inventory), '--limit', machine.name],
                       ANSIBLE_CALLBACK_PLUGINS=str(CALLBACKS), AEMOPS_TASKS=str(log),
                       ANSIBLE_SSH_CONTROL_PATH_DIR=str(under_test.control))
    ended = time.monotonic()
    assert run.returncode == 0, run.output
    events = [json.loads(line) for line in log.read_text(encoding='utf-8').splitlines()]
    starts = [(event['name'] or event['action'], event['at']) for event in events if event['event'] == 'start']
    ends = [at for _name, at in starts[1:]] + [events[-1]['at']]
    lasted = [(name, end - at) for (name, at), end in zip(starts, ends)]
    return Timed(ended - began, [('Ansible, until the first task', starts[0][1] - began), *lasted,
                                 ('Ansible, after the last one', ended - events[-1]['at'])])


def rounds(hosts: Hosts, kind: str, count: int) -> dict[str, list[Timed]]:
    """Alternating repairs of copies of one machine."""
    ways: dict[str, t.Callable[[HostUnderTest], Timed]] = {'by hand': by_hand, 'by the role': by_role}
    timed: dict[str, list[Timed]] = {name: [] for name in ways}
    for number in range(count):
        for name in list(ways)[::-1 if number % 2 else 1]:
            under_test = hosts.boot(kind, KINDS[kind], BEHIND, f'{kind}-{number}-{name.replace(" ", "-")}')
            try:
                timed[name].append(ways[name](under_test))
                assert abs(under_test.machine.clock()) < NEAR
            finally:
                under_test.machine.kill()
            print(f'{kind} {name}: {timed[name][-1].seconds:.1f} s', flush=True)
    return timed


def document(results: dict[str, dict[str, list[Timed]]], count: int) -> str:
    lines = ['# What a repair of the clock costs', '',
             '<!-- Written by tests/bench/repair.py from a run: `make repair-cost`. -->', '',
             'The role `time_sync`, compared with the same commands over one SSH session by an ideal expert, who types in no',
             'time, reads the time from another clock and meets no problem: no measurement, no agreement of servers, no rollback,',
             f'no proof. Lab machines whose clock is 90 s behind, one at a time, alternating, {count} rounds.',
             f'The aim is a ratio of {AIM} or less.', '',
             '| host | by hand, s | by the role, s | ratio of the medians | of the quickest |', '| :-- | --: | --: | --: | --: |']
    for kind, timed in results.items():
        hand, role = ([each.seconds for each in timed[name]] for name in ('by hand', 'by the role'))
        lines.append(f'| {KINDS[kind].title} | {_spread(hand)} | {_spread(role)} | '
                     f'{statistics.median(role) / statistics.median(hand):.2f} | {min(role) / min(hand):.2f} |')
    lines += ['', 'Seconds are median (quickest to slowest). Where the role\'s go, median of each task:', '',
              f'| task | {" | ".join(KINDS[kind].title for kind in results)} |', '| :-- |' + ' --: |' * len(results)]
    spent = {kind: _tasks(timed['by the role']) for kind, timed in results.items()}
    for name in dict.fromkeys(name for tasks in spent.values() for name in tasks):
        lines.append(f'| {name} | ' + ' | '.join(f'{tasks[name]:.2f}' if name in tasks else '-' for tasks in spent.values()) + ' |')
    lines += ['', f'Run on {datetime.date.today().isoformat()} by `make repair-cost`.', '']
    return '\n'.join(lines)


def _spread(seconds: list[float]) -> str:
    return f'{statistics.median(seconds):.1f} ({min(seconds):.1f} to {max(seconds):.1f})'


def _tasks(timed: list[Timed]) -> dict[str, float]:
    names = dict.fromkeys(name for each in timed for name, _seconds in each.tasks)
    spent = {name: [sum(seconds for task, seconds in each.tasks if task == name) for each in timed] for name in names}
    return {name: statistics.median(seconds) for name, seconds in spent.items()}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with Hosts(playbook.environment('core-newest')) as hosts:
        results = {kind: rounds(hosts, kind, count) for kind in BY_HAND}
    DOCUMENT.write_text(document(results, count), encoding='utf-8')
    print(DOCUMENT.read_text(encoding='utf-8'))


if __name__ == '__main__':
    main()
