# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disturbs a repair in every way that has a name, for real, on lab machines, and writes down how host and AEM were left.

    faults.py                     all; writes docs/repair-faults.md
    faults.py disk-full reboot    only these; the others keep their last outcome
    faults.py --list              what there is

A trial: a machine with a wrong clock, the fault, a run; then the fault is lifted, and the playbook is run twice more. What
was printed by a trial that fails is kept in tests/output/repair/.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import re
import sys
import threading
import time
import traceback
import typing as t
from pathlib import Path

if not __package__:  # run as a command
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from repair import faults
    sys.exit(faults.main())

from system import playbook

from lab.host import LabError

from . import disturbances, others
from .hosts import KINDS
from .scene import End, Fault, Scene
from .trial import (
    AGENTS,
    AT_ONCE,
    NEAR,
    NEAR_NTPD,
    NOT_RUN,
    OUTPUT,
    PASSED,
    ROOT,
    Hosts,
    HostUnderTest,
    Seen,
    common_complaints,
    differences,
    earlier_rows,
    not_healed,
    not_repeatable,
    row,
    run_of,
)

DOCUMENT = ROOT / 'docs' / 'repair-faults.md'
OUTCOMES = OUTPUT / 'faults.json'
AEM_BACK = 240  # seconds in which AEM has to be back when no process is left to report it
FAULTS: dict[str, Fault] = {**disturbances.FAULTS, **others.FAULTS}

INTRODUCTION = '''\
# What a disturbed repair leaves behind

<!-- Written by tests/repair/faults.py from a run: `make repair-faults`. -->

Each row is a trial on a lab machine of its own ([how](../tests/lab/README.md)) with AEM on a document store and a clock that is
90 s behind, unless the row says otherwise. The fault is real: a full disk, a killed process, a network that is gone. Then the
fault is lifted and the playbook is run twice more.

In every row it is asserted that no two daemons run, that no file of the host's owners differs by a byte, that AEM is not left
stopped, that the next run heals the host and that the one after it changes nothing; *restored* means that also packages, units
and all of `/etc` are as they were before, but for what others have changed: that has to be there after each run. **✗**:
something of that was not so; it is said below.
'''


# Beside them, a run is cut off before each of its tasks that work on the host: cut-1, cut-2 ...
CUT = 'cut'


# What needs no host.
LOCAL = re.compile(r'\b(include_|import_|set_fact|debug|fail|assert|meta|add_host|group_by|validate_argument|fix_bp_jwt_stage)')


def cut_before(number: int) -> Fault:
    def inject(scene: Scene) -> None:
        scene.at = [(number, scene.cut)]
    return Fault('SSH cut', '', inject, End(), reach=Scene.mend)


def tasks_of_a_run(hosts: Hosts) -> list[tuple[int, str]]:
    """Number and name of the tasks that work on the host in a repair; the run is an undisturbed one."""
    scene = Scene(hosts.boot('none', KINDS['none'], -90, 'cut-none'))
    try:
        assert scene.run().returncode == 0
        started = {event['number']: event for event in scene.happened() if event['event'] == 'start'}
        done = {event['number'] for event in scene.happened() if event['event'] in ('ok', 'failed')}
    finally:
        scene.machine.kill()
    return [(number, event['name'] or event['action']) for number, event in sorted(started.items())
            if number in done and (event['stage'] in ('measure', 'verify') or not LOCAL.search(event['action']))]


def disturb(scene: Scene, fault: Fault) -> dict[str, t.Any]:
    """The whole trial; its outcome, and `printed`."""
    under_test, name = scene.under_test, scene.machine.name
    fault.inject(scene)
    before, was = under_test.look(), scene.machine.fingerprint()
    began = time.monotonic()
    run = scene.run()
    seconds = time.monotonic() - began
    fault.reach(scene)
    scene.wait_for_orphan()
    after, back = wait_for_aem(under_test, before if fault.end.aem else None)
    left = differences(was, scene.machine.fingerprint())
    found = not_as_it_has_to_end(fault, run, before, after, left) + fault.check(scene) + gone(scene, fault)
    fault.lift(scene)
    scene.at = []
    lifted = under_test.look()
    again = under_test.play(variables=scene.variables)
    healed = under_test.look()
    kind = under_test.kind._replace(daemon=fault.daemon or under_test.kind.daemon)
    found += [f'next run: {complaint}' for complaint in not_healed(kind, again, lifted, healed) + gone(scene, fault)]
    third = under_test.play(variables=scene.variables)
    found += not_repeatable(name, third) + [f'third run: {complaint}' for complaint in gone(scene, fault)]
    journal = scene.machine.ssh('journalctl --no-pager --lines 120', check=False).stdout if found else ''
    return {
        'outcome': '; '.join(found) or PASSED, 'seconds': seconds, 'state': words_of(after, left, back),
        'says': message_of(run), 'next': words_of_next(again, name, healed),
        'printed': '\n===== '.join([run.output, f'left: {left}\nbefore: {before}\nafter: {after}', f'next\n{again.output}',
                                   f'{healed}', f'third\n{third.output}', f'journal\n{journal}'])}


def gone(scene: Scene, fault: Fault) -> list[str]:
    """What a second actor has done and is not there any more."""
    if not fault.still or scene.machine.ssh(fault.still, check=False).returncode == 0:
        return []
    return [f'what another administrator did is not there any more ({fault.still})']


def wait_for_aem(under_test: HostUnderTest, before: Seen | None) -> tuple[Seen, float]:
    """What the host is like, and the seconds that AEM took to be as it was: the guard of a run that was cut off may start it."""
    began = time.monotonic()
    after = under_test.look()
    while before and after.aem != before.aem and time.monotonic() < began + AEM_BACK:
        time.sleep(2)
        after = under_test.look()
    return after, time.monotonic() - began


def not_as_it_has_to_end(fault: Fault, run: playbook.Run, before: Seen, after: Seen, left: list[str]) -> list[str]:
    """Complaints about the end of the disturbed run."""
    end, said = fault.end, ' '.join(run.output.split())
    by_others = re.compile('|'.join(end.others) or '(?!)')
    found = [complaint for complaint in common_complaints(before, after, before.aem if end.aem else '')
             if not by_others.search(complaint)]
    found += [f'the run does not say "{words}"' for words in end.says if words not in said]
    if (run.returncode == 0) != end.healed:
        found.append(f'the run ended with {run.returncode}')
    if before.active and not after.active:
        found.append(f'{before.active[0]} does not run any more, and no other one does')
    if end.clock and (abs(after.clock) < 1) != (end.clock == 'right'):
        found.append(f'the clock is {after.clock:+.3f} s off')
    if end.healed and after.agents != [200] * AGENTS:
        found.append(f'the agents are answered {after.agents}')
    if end.restored:
        not_ours = re.compile('|'.join([*end.others, *([end.vendors] if end.vendors else [])]) or '(?!)')
        found += [f'changed: {change}' for change in left if not not_ours.search(change)]
        found += [f'not there: {other}' for other in end.others if not any(re.search(other, change) for change in left)]
    return found


def words_of(seen: Seen, left: list[str], back: float) -> str:
    """A machine in the words of the table."""
    clock = f'clock {seen.clock:+.1f} s' if abs(seen.clock) >= 1 else f'clock right ({seen.clock * 1000:+.0f} ms)'
    runs = [unit.replace('.service', '') for unit in seen.active]
    enabled = [unit.replace('.service', '') for unit in seen.enabled]
    daemon = f'{" and ".join(runs)} runs' if runs else 'no daemon runs'
    if enabled != runs:
        daemon += f', {" and ".join(enabled) or "none"} enabled'
    agents = f'AEM {"runs" if seen.aem == "active" else seen.aem}'
    if seen.aem == 'active':
        agents += f' (came back after {back:.0f} s)' if back > 10 else ''
        agents += f', agents {"200" if set(seen.agents) == {200} else "/".join(map(str, seen.agents))}'
    rest = 'restored' if not left else f'{len(left)} files, units or packages differ'
    return f'{clock}; {daemon}; {agents}; {rest}'


def words_of_next(again: playbook.Run, name: str, healed: Seen) -> str:
    changed = again.recap.get(name, {}).get('changed')
    return f'{"healed" if again.returncode == 0 else "NOT healed"}, changed={changed}, clock {healed.clock * 1000:+.0f} ms'


def message_of(run: playbook.Run) -> str:
    """What the run said why it failed: its last error, else how it ended."""
    failed = ''.join(re.findall(r'^fatal: .*$', run.output, re.MULTILINE))
    found = re.findall(r'"msg": ("(?:[^"\\]|\\.)*")', failed)
    text = json.loads(found[-1]) if found else '(killed)' if run.returncode < 0 else ''
    if 'UNREACHABLE' in run.output:
        text = 'UNREACHABLE: ' + text
    # What stopped the repair is what counts; before it stand the host's name and what was measured.
    return ' '.join(text.rpartition('The repair stopped: ')[2].split())


def try_fault(hosts: Hosts, name: str, fault: Fault) -> dict[str, t.Any]:
    """How one trial went; what was printed is kept when it failed. The lab is as before for the next one."""
    began = time.monotonic()
    kept = OUTPUT / f'fault-{name}.txt'
    kept.unlink(missing_ok=True)
    try:
        kind = KINDS[fault.kind]
        lab = hosts.lab(kind.suite)
        scene = Scene(hosts.boot(fault.kind, kind, fault.clock, name))
        try:
            outcome = disturb(scene, fault)
        finally:
            scene.machine.kill()
            lab.start_ntp()
            lab.start_packages()
            lab.start_brand_portal()
    except Exception as problem:
        outcome = {'outcome': f'could not be tried: {type(problem).__name__}', 'printed': traceback.format_exc()}
    if outcome['outcome'] != PASSED:
        OUTPUT.mkdir(parents=True, exist_ok=True)
        kept.write_text('\n\n'.join([outcome['outcome'], outcome['printed']]), encoding='utf-8')
    return {**outcome, 'run': run_of(), 'whole': time.monotonic() - began}


def run(wanted: t.Sequence[str], environment: playbook.Environment, outcomes: dict[str, t.Any], workers: int = AT_ONCE) -> None:
    """Try them, each worker in a lab of its own, and keep each outcome as soon as it is there."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    waiting: list[tuple[str, str, Fault]] = [(name, FAULTS[name].title, FAULTS[name]) for name in wanted if name in FAULTS]
    lock = threading.Lock()

    def keep(name: str, outcome: dict[str, t.Any]) -> None:
        with lock:
            outcomes[name] = outcome
            OUTCOMES.write_text(json.dumps(outcomes, indent=1), encoding='utf-8')
        print(f'{name}: {outcome["outcome"]} ({outcome["whole"]:.0f} s)', flush=True)

    def work(number: int) -> None:
        with Hosts(environment) as hosts:
            if number == 0 and CUT in wanted:
                for name in [name for name in outcomes if name.startswith(f'{CUT}-')]:
                    del outcomes[name]
                points = tasks_of_a_run(hosts)
                with lock:
                    waiting.extend((f'{CUT}-{count}', f'SSH cut before "{task}"', cut_before(where))
                                   for count, (where, task) in enumerate(points, 1))
            while True:
                with lock:
                    if not waiting:
                        return
                    name, title, fault = waiting.pop(0)
                outcome = try_fault(hosts, name, fault)
                del outcome['printed']
                keep(name, {**outcome, 'title': title})

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))


def document(outcomes: dict[str, t.Any], earlier: dict[str, list[str]]) -> str:
    """The page; `earlier` are the rows of the last one, for what these outcomes do not tell."""
    lines = [INTRODUCTION, row(['fault', '', 'host and AEM afterwards', 'the run says', 'the next run', 'run']),
             row([':--', ':-:'] + [':--'] * 4)]
    cuts = sorted((name for name in outcomes if name.startswith(f'{CUT}-')), key=lambda name: int(name.rpartition('-')[2]))
    failures = []
    for name in [*FAULTS, *cuts]:
        found, fault = outcomes.get(name), FAULTS.get(name)
        title = f'{fault.title}: {fault.how} ({KINDS[fault.kind].title}{_clock(fault)})' if fault else outcomes[name]['title']
        if not found:
            lines.append(row(earlier.get(title) or [title, *['–'] * 4, NOT_RUN]))
            continue
        mark = '✓' if found['outcome'] == PASSED else '✗'
        said = _short(found.get('says', '-') or '(it ends well)')
        lines.append(row([title, mark, found.get('state', '-'), said, found.get('next', '-'), found['run']]))
        if found['outcome'] != PASSED:
            failures.append(f'- {title}: {found["outcome"]}')
    if not cuts:
        lines += [row(cells) for title, cells in earlier.items() if title.startswith('SSH cut')]
    lines += ['', 'Written by `make repair-faults`, or by a run of some of its rows; the last column says when each was run, and',
              f'at which commit. A healed clock is within {NEAR * 1000:.0f} ms ({NEAR_NTPD * 1000:.0f} with ntpd).', '']
    return '\n'.join(lines + (['What failed:', '', *failures, ''] if failures else []))


def _clock(fault: Fault) -> str:
    return '' if fault.clock == Fault._field_defaults['clock'] else f', {-fault.clock} s behind'


def _short(text: str, most: int = 400) -> str:
    return text if len(text) <= most else text[:most].rpartition(' ')[0] + ' …'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='*', metavar='FAULT', help=f'of {", ".join([*FAULTS, CUT])}')
    parser.add_argument('--list', action='store_true', help='say what there is')
    parser.add_argument('--at-once', type=int, default=AT_ONCE, metavar='N', help=f'so many trials at a time ({AT_ONCE})')
    options = parser.parse_args()
    unknown = set(options.names) - {*FAULTS, CUT}
    if unknown:
        parser.error(f'no such fault: {", ".join(sorted(unknown))}')
    if options.list:
        print('\n'.join(f'{name}: {fault.title}: {fault.how}' for name, fault in FAULTS.items()))
        print(f'{CUT}: SSH cut before each task')
        return 0
    outcomes: dict[str, t.Any] = {}
    whole = not options.names
    if not whole and OUTCOMES.exists():
        outcomes = json.loads(OUTCOMES.read_text(encoding='utf-8'))
    try:
        run(options.names or [*FAULTS, CUT], playbook.environment('core-newest'), outcomes, options.at_once)
    except (LabError, playbook.CannotRun) as reason:
        sys.exit(f'The faults cannot be tried here: {reason}')
    DOCUMENT.write_text(document(outcomes, {} if whole else earlier_rows(DOCUMENT)), encoding='utf-8')
    print(f'written: {DOCUMENT.relative_to(ROOT)}')
    return 0 if all(each['outcome'] == PASSED for each in outcomes.values()) else 1
