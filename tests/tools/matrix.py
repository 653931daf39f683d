# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tries every ansible-core on every Python it allows against every Python a host may have, and records the results.

    matrix.py                       all that this machine has interpreters for; writes docs/compatibility.md
    matrix.py core-2.16 target-3.6  only these; the others keep their last outcome

For a controller: the unit tests of what runs there, and the playbook against the stand-ins on loopback, each Python a host of
its own. For a target: the unit tests of what runs on hosts. A warning of our code is a failure everywhere.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'tests'), str(ROOT / 'tests' / 'tools')]

import environment as environments  # noqa: E402
from system import loopback, playbook  # noqa: E402

DOCUMENT = ROOT / 'docs' / 'compatibility.md'
OUTCOMES = ROOT / 'tests' / 'output' / 'matrix.json'
# The oldest Python that an ansible-core still speaks to (docs: "ansible-core support matrix").
OLDEST_TARGET = {'2.16': '3.6', '2.17': '3.7', '2.18': '3.8', '2.19': '3.8', '2.20': '3.9', '2.21': '3.9'}
ON_CONTROLLERS = ('tests/unit/plugins/filter', 'tests/unit/plugins/plugin_utils', 'tests/unit/extensions')
ON_TARGETS = ('tests/unit/plugins/module_utils',)
PASSED = 'passed'
PASSWORD = 'matrix-password'
INTRODUCTION = '''\
# What runs with what

<!-- Written by tests/tools/matrix.py from a run: `make test-matrix`. -->

Each ansible-core runs the playbook from each Python it allows to each Python a host may have, against stand-ins for AEM and
Brand Portal, with injected facts off. A cell is that host's end of the run; the unit tests are those of the code that runs
on that side. A warning or a deprecation in a run's output, or raised by our code, counts as a failure.

**✓** passed · **✗** failed · **–** that ansible-core no longer speaks to that Python · **·** the interpreter was not there
'''


class Outcomes(t.TypedDict):
    """By controller ('2.16-3.10') and by target ('3.6'); what is not 'passed' says what happened instead."""

    controllers: dict[str, dict[str, t.Any]]
    targets: dict[str, dict[str, str]]


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split('.')))


def speaks(core: str, target: str) -> bool:
    """Does that ansible-core still run modules on that Python?"""
    return numbers(target) >= numbers(OLDEST_TARGET[core])


def names() -> list[str]:
    """All environments that the matrix is made of."""
    cores = [f'core-{core}-{python}' for core, pythons in environments.CORES.items() for python in sorted(pythons, key=numbers)]
    return cores + [f'target-{python}' for python in environments.TARGETS]


def made(name: str) -> Path | None:
    """The environment's bin folder, None where this machine has no interpreter for it."""
    try:
        return environments.make(environments.environment(name))
    except environments.CannotMake as reason:
        print(f'{name}: {reason}', file=sys.stderr)
        return None


def units(folder: Path, paths: t.Sequence[str]) -> str:
    done = subprocess.run([folder / 'python', '-m', 'pytest', '-q', *paths], cwd=ROOT, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ''
    if done.returncode:
        print(done.stdout[-4000:], file=sys.stderr)
        return last or f'ended with {done.returncode}'
    return PASSED


def complaints(output: str) -> list[str]:
    """The warnings in a run's output that a user would ask us about."""
    ours = re.compile(r'\[(?:DEPRECATION )?WARNING\]|Warning: .*aemops|aemops/brand_portal\S*:\d+: \w*Warning')
    return [line for line in output.splitlines() if ours.search(line)]


def play(name: str, bin_folder: Path, targets: t.Sequence[str]) -> dict[str, str]:
    """One run of the playbook; how it ended for each host."""
    hosts = {f'python-{python}': {'ansible_python_interpreter': environments.interpreters()[python]} for python in targets}
    with tempfile.TemporaryDirectory() as folder, loopback.authors(Path(folder), PASSWORD, hosts) as path:
        run = playbook.play(playbook.Environment(name, bin_folder), path, AEM_USER='admin', AEM_PASSWORD=PASSWORD,
                            PYTHONWARNINGS='default')
    warned = complaints(run.output)
    outcomes = {}
    for python in targets:
        recap = run.recap.get(f'python-{python}', {})
        well = recap and not (recap['failed'] or recap['unreachable'] or recap['changed'])
        outcomes[python] = 'failed' if not well else warned[0] if warned else PASSED
    if set(outcomes.values()) != {PASSED}:
        print(run.output[-8000:], file=sys.stderr)
    return outcomes


def try_controller(name: str) -> dict[str, t.Any] | None:
    folder = made(name)
    if folder is None:
        return None
    core = name.split('-')[1]
    here = environments.interpreters()
    targets = [python for python in environments.TARGETS if python in here and speaks(core, python)]
    version = subprocess.run([folder / 'python', '-c', 'import ansible.release as r; print(r.__version__)'],
                             stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    return {'version': version, 'units': units(folder, ON_CONTROLLERS), 'targets': play(name, folder, targets)}


def try_target(name: str) -> dict[str, str] | None:
    folder = made(name)
    if folder is None:
        return None
    version = subprocess.run([folder / 'python', '-c', 'import platform; print(platform.python_version())'],
                             stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    return {'version': version, 'units': units(folder, ON_TARGETS)}


def keep(outcomes: dict[str, t.Any], name: str, outcome: t.Any) -> None:
    outcomes.pop(name, None)
    if outcome is not None:
        outcomes[name] = outcome


def document(outcomes: Outcomes, day: str) -> str:
    pythons = environments.TARGETS
    head = ['ansible-core', 'on Python', 'units', *pythons]
    lines = [INTRODUCTION, _row(head), _row([':--'] * 2 + [':-:'] * (len(head) - 2))]
    for name in names():
        kind, core, *python = name.split('-')
        if kind == 'core':
            nothing: dict[str, t.Any] = {'version': core, 'units': None, 'targets': {}}
            found = outcomes['controllers'].get(f'{core}-{python[0]}', nothing)
            cells = [_mark(found['targets'].get(each)) if speaks(core, each) else '–' for each in pythons]
            lines.append(_row([found['version'], *python, _mark(found['units']), *cells]))
    tried = [outcomes['targets'].get(each) for each in pythons]
    lines.append(_row(['units on the host', '', ''] + [_mark(each['units'] if each else None) for each in tried]))
    versions = ', '.join(each['version'] for each in tried if each)
    lines += ['', f'Run on {day} by `make test-matrix`; the hosts\' Pythons were {versions}.', '']
    failures = [f'- ansible-core {name}, {where}: {what}' for name, found in outcomes['controllers'].items()
                for where, what in [('units', found['units']), *found['targets'].items()] if what != PASSED]
    failures += [f'- Python {name}, units: {found["units"]}' for name, found in outcomes['targets'].items()
                 if found['units'] != PASSED]
    return '\n'.join(lines + (['What failed:', '', *failures, ''] if failures else []))


def _row(cells: t.Iterable[str]) -> str:
    return f'| {" | ".join(cells)} |'


def _mark(outcome: str | None) -> str:
    return '·' if outcome is None else '✓' if outcome == PASSED else '✗'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='*', metavar='NAME', help='beginnings of names: core-2.16, core-2.16-3.10, target-3.6')
    options = parser.parse_args()
    wanted = [name for name in names() if not options.names or name.startswith(tuple(options.names))]
    if not wanted:
        parser.error(f'nothing of that name; there are {", ".join(names())}')
    outcomes: Outcomes = {'controllers': {}, 'targets': {}}
    if options.names and OUTCOMES.exists():
        outcomes = json.loads(OUTCOMES.read_text(encoding='utf-8'))
    OUTCOMES.parent.mkdir(parents=True, exist_ok=True)
    for name in wanted:
        print(f'{name} …', flush=True)
        kind, _dash, rest = name.partition('-')
        if kind == 'core':
            keep(outcomes['controllers'], rest, try_controller(name))
        else:
            keep(outcomes['targets'], rest, try_target(name))
        OUTCOMES.write_text(json.dumps(outcomes, indent=1), encoding='utf-8')
    text = document(outcomes, datetime.date.today().isoformat())
    DOCUMENT.write_text(text, encoding='utf-8')
    print(text)
    return 1 if 'What failed:' in text else 0


if __name__ == '__main__':
    os.environ.pop('PYTHONWARNINGS', None)
    sys.exit(main())
