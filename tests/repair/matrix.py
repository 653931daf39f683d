# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Heals every kind of host with every kind of wrong clock, on lab machines, and records the results.

    matrix.py                                        all; writes docs/repair-matrix.md
    matrix.py --rows stock redhat --columns '-7 s'   only these; the others keep their last outcome
    matrix.py --list                                 what there is

A cell that fails keeps what was printed in tests/output/repair/.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import json
import re
import statistics
import sys
import time
import traceback
import typing as t
from pathlib import Path

if not __package__:  # run as a command
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from repair import matrix
    sys.exit(matrix.main())

from system import playbook

from lab.host import LabError

from . import hosts, ways_in
from .hosts import CLOCKS
from .trial import AT_ONCE, NEAR, NEAR_NTPD, NOT_RUN, OUTPUT, PASSED, ROOT, Hosts, earlier_rows, heal, row, run_of

KINDS = {**hosts.KINDS, **ways_in.KINDS}
# Kinds that are there to be healed once, not with every clock.
ONCE = {kind for kind, each in KINDS.items() if each.suite != 'bookworm'} | set(ways_in.KINDS)

DOCUMENT = ROOT / 'docs' / 'repair-matrix.md'
# Rows that tests/repair/selinux.py writes: title, what the host is like before.
SELINUX = {
    'SELinux enforcing, no daemon': 'an emulated machine (`make selinux-test`); nothing keeps the time',
    "SELinux enforcing, RHEL's layout": 'the same machine, with `/etc/chrony.conf` and `chronyd.service`',
}
OUTCOMES = OUTPUT / 'matrix.json'
FIRST = next(iter(CLOCKS))
INTRODUCTION = f'''\
# The repair on every kind of host

<!-- Written by tests/repair/matrix.py from a run: `make repair-matrix`. -->

Each cell is a machine of its own ([how](../tests/lab/README.md)): Debian with systemd, a real time daemon, a clock that is
wrong since it booted, and stand-ins for AEM (on a document store, whose lease a jump of the clock would break) and Brand
Portal. The playbook runs as users run it, with one NTP server to configure and AEM's service named.

**✓** healed: all agents answered 200, the clock within {NEAR * 1000:.0f} ms ({NEAR_NTPD * 1000:.0f} with ntpd), the
daemon of the last column and no other one running and enabled, the files of the host's owners there byte for byte, AEM
running, and a second run `changed=0`. The number is the
seconds of the first run. **✗** one of these was not so; it is said below. **–** not tried. **rebooted**: after the first column's
two runs the machine, which has no hardware clock, boots with the wrong clock again, and so many seconds after it was ready the
daemon alone has brought it right and the agents are answered 200.
'''


def label(kind: str, clock: str) -> str:
    """A host name for a cell."""
    return f'{kind}-{list(CLOCKS).index(clock)}'


def cells(kinds: t.Sequence[str], clocks: t.Sequence[str]) -> list[tuple[str, str]]:
    return [(kind, clock) for clock in clocks for kind in kinds if kind not in ONCE or clock == FIRST]


def diagonal() -> list[tuple[str, str]]:
    """Cells that touch each row and each column, each row once; of the hosts with RPM packages one that installs.

    Without the host that has no daemon: tests/system/test_heal.py heals one.
    """
    clocks = list(CLOCKS)
    whole = [kind for kind in KINDS if kind not in ONCE and kind != 'none']
    return [(kind, clocks[number % len(clocks)]) for number, kind in enumerate(whole)] + [('none-rhel-8', FIRST)]


def try_cell(labs: Hosts, kind: str, clock: str) -> dict[str, t.Any]:
    """How one cell went; what was printed is kept when it failed."""
    began = time.monotonic()
    kept = OUTPUT / f'{label(kind, clock)}.txt'
    kept.unlink(missing_ok=True)
    outcome: dict[str, t.Any] = {'run': run_of()}
    try:
        under_test = labs.boot(kind, KINDS[kind], CLOCKS[clock], label(kind, clock))
        try:
            outcome['python'] = under_test.python
            trial = heal(under_test, then_reboot=clock == FIRST)
        finally:
            for machine in (under_test.machine, *under_test.also):
                machine.kill()
        outcome.update(seconds=trial.seconds, again=trial.again, rebooted=trial.rebooted)
        complaints, printed = trial.complaints, trial.output
    except Exception as problem:
        complaints, printed = [f'could not be tried: {type(problem).__name__}'], traceback.format_exc()
    if complaints:
        kept.write_text(f'{complaints}\n\n{printed}', encoding='utf-8')
    return {**outcome, 'outcome': '; '.join(complaints) or PASSED, 'whole': time.monotonic() - began}


def run(wanted: t.Sequence[tuple[str, str]], environment: playbook.Environment, outcomes: dict[str, t.Any]) -> None:
    """Try the cells, some at a time, and keep each outcome as soon as it is there."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    with Hosts(environment) as labs, concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        running = {pool.submit(try_cell, labs, *cell): cell for cell in wanted}
        for done in concurrent.futures.as_completed(running):
            name = label(*running[done])
            outcomes[name] = done.result()
            OUTCOMES.write_text(json.dumps(outcomes, indent=1), encoding='utf-8')
            print(f'{name}: {outcomes[name]["outcome"]} ({outcomes[name]["whole"]:.0f} s)', flush=True)


def document(outcomes: dict[str, t.Any], command: str, earlier: dict[str, list[str]],
             pythons_before: t.Mapping[str, str] | None = None) -> str:
    """The page. earlier, pythons_before: the rows and Pythons (by title) of the last one, for hosts without an outcome."""
    lines = [INTRODUCTION, row(['host', *CLOCKS, 'rebooted', 'keeps the time afterwards', 'run']),
             row([':--'] + [':-:'] * (len(CLOCKS) + 1) + [':--'] * 2)]
    failures, refusals = [], []
    for kind, each in KINDS.items():
        marks = []
        runs = [outcomes[label(kind, clock)]['run'] for clock in CLOCKS if label(kind, clock) in outcomes]
        before = earlier.get(each.title, ['–'] * (len(CLOCKS) + 4))
        for number, clock in enumerate(CLOCKS, 1):
            found = outcomes.get(label(kind, clock))
            marks.append(_mark(found, bool(each.refused)) if found else before[number])
            if found and found['outcome'] != PASSED:
                failures.append(f'- {each.title}, {clock}: {found["outcome"]}')
        keeps = '(refused)' if each.refused else f'`{each.daemon.replace(".service", "")}`'
        first = outcomes.get(label(kind, FIRST))
        rebooted = _rebooted(first) if first else before[len(CLOCKS) + 1].replace('–', '')
        run = max(runs, default=before[-1] if each.title in earlier else NOT_RUN)
        lines.append(row([each.title, *marks, rebooted, keeps, run]))
        if each.refused:
            refusals.append(each.title)
    lines += [row(earlier.get(title) or [title, *['–'] * (len(CLOCKS) + 1), '', NOT_RUN]) for title in SELINUX]
    found = list(outcomes.values())
    if refusals:
        lines += ['', f'**refused**: {", ".join(refusals)}. The run fails and says why; where a configuration is broken it names',
                  'the file and the line, as only its owners know what was meant. Everything, the clock too, is as it was.']
    again, whole = ([each[what] for each in found if what in each] for what in ('again', 'whole'))
    if again:
        lines += ['', f'A second run takes {statistics.median(again):.0f} s ({min(again):.0f} to {max(again):.0f}), a cell '
                  f'with boot, two runs and looking {statistics.median(whole):.0f} s.']
    pythons = collections.defaultdict(list)
    for kind, each in KINDS.items():
        last = (pythons_before or {}).get(each.title, '')
        pythons[(outcomes.get(label(kind, FIRST)) or {}).get('python', last)].append(each.title)
    lines += ['', *(f'With {python}: {"; ".join(titles)}.' for python, titles in sorted(pythons.items()) if ' 3.6' in python)]
    lines += ['', f'Written by `{command}`, or by a run of some of its rows, two machines at a time on two cores that had other',
              'work as well; the last column says when each row was run last, and at which commit.', '']
    lines += ['What the hosts are like before:', '', *[f'- {each.title}: {each.before}.' for each in KINDS.values()],
              *[f'- {title}: {before}.' for title, before in SELINUX.items()], '']
    lines += [*NOT_HAD]
    return '\n'.join(lines + (['What failed:', '', *failures, ''] if failures else []))


NOT_HAD = '''\
Not available: the systems and packages of RHEL, Amazon Linux, Oracle Linux, SUSE and Ubuntu. The rows with these names are
Debian machines with the real `dnf` 4.14, `zypper` 1.14 and `rpm` 4.18, an RPM database, and packages that the lab builds
([how](../tests/lab/rpm.py)): Debian's chronyd 4.3 and ntpd (NTPsec 1.2) with the vendor's paths, user, units, presets and
scriptlets, under the vendor's `os-release`. `yum` is a link to `dnf`, as from RHEL 8 on; RHEL 7's own yum 3 is another program.
"RHEL's layout" has no package manager at all. Debian 13's systemd puts a clock from before its own build date forward to it, so
there the clock is set wrong after the boot.
'''.splitlines()


def earlier_pythons(document: Path) -> dict[str, str]:
    """The Python of each host, by its title, that the page names."""
    text = document.read_text(encoding='utf-8') if document.exists() else ''
    lines = re.findall(r'(?m)^With (Python \S+): (.*)\.$', text)
    return {title: python for python, titles in lines for title in titles.split('; ')}


def _rebooted(found: dict[str, t.Any] | None) -> str:
    seconds = (found or {}).get('rebooted')
    return '' if seconds is None else f'{seconds:.0f}'


def _mark(found: dict[str, t.Any], refused: bool) -> str:
    if found['outcome'] != PASSED:
        return '✗'
    return f'{"refused" if refused else "✓"} {found["seconds"]:.0f}'


def clock_arguments(arguments: list[str]) -> list[str]:
    """`-7 s` is a column, not an option: let argparse see it as a word."""
    return [f' {word}' if re.match(r'-\d', word) else word for word in arguments]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rows', nargs='+', choices=list(KINDS), metavar='KIND', help=f'of {", ".join(KINDS)}')
    parser.add_argument('--columns', nargs='+', choices=list(CLOCKS), type=str.strip, metavar='CLOCK',
                        help=f'of {", ".join(CLOCKS)}')
    parser.add_argument('--diagonal', action='store_true', help='the cells that make test tries')
    parser.add_argument('--list', action='store_true', help='say what would be tried')
    options = parser.parse_args(clock_arguments(sys.argv[1:]))
    wanted = diagonal() if options.diagonal else cells(options.rows or list(KINDS), options.columns or list(CLOCKS))
    if options.list:
        print('\n'.join(f'{label(*cell)}: {KINDS[cell[0]].title}, {cell[1]}' for cell in wanted))
        return 0
    whole = not (options.rows or options.columns or options.diagonal)
    outcomes: dict[str, t.Any] = {}
    if not whole and OUTCOMES.exists():
        outcomes = json.loads(OUTCOMES.read_text(encoding='utf-8'))
    try:
        run(wanted, playbook.environment('core-newest'), outcomes)
    except (LabError, playbook.CannotRun) as reason:
        sys.exit(f'The matrix cannot be run here: {reason}')
    earlier = {title: cells for title, cells in earlier_rows(DOCUMENT).items() if title in SELINUX or not whole}
    pythons = {} if whole else earlier_pythons(DOCUMENT)
    DOCUMENT.write_text(document(outcomes, 'make repair-matrix', earlier, pythons), encoding='utf-8')
    print(f'written: {DOCUMENT.relative_to(ROOT)}')
    return 0 if all(outcomes[label(*cell)]['outcome'] == PASSED for cell in wanted) else 1
