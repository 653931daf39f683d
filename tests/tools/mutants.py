# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Break the code that decides and repairs, one operator at a time, and count how many of these mutants the unit tests find.

    mutants.py [--only NAME ...] [--each-place N] [--every N] [--jobs N] [--document FILE]

cosmic-ray makes the mutants in copies of the checkout. It knows up to eleven other operators for one place: of these, --each-place
are tried (1 unless told), and of the places one in --every (1 unless told). Both are chosen by a hash, so that each run tries the
same ones. The page keeps what it has of the files that are not tried. Left out are annotations, because nothing runs them, and "is"
in the place of "==", which makes no difference for the constants of a table and is ruff's to find (F632).
"""

from __future__ import annotations

import argparse
import ast
import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UNITS = 'tests/unit/plugins/'
AIM = 90.0
TIMEOUT = 60.0      # seconds at least for one mutant's tests; and as many times as long as those of the right program take
TIMES = 10
LEFT_OUT = ('_Eq_Is', '_NotEq_IsNot')
SETTINGS = """[cosmic-ray]
module-path = "{module}"
timeout = {timeout}
excluded-modules = []
test-command = "{command}"

[cosmic-ray.distributor]
name = "local"
"""


class Target(t.NamedTuple):
    """A file, and the tests that have to find what is broken in it."""

    module: str
    tests: tuple[str, ...]
    choice: str = ''    # pytest's -k

    @property
    def name(self) -> str:
        return self.module.removeprefix('plugins/').removeprefix('module_utils/').removesuffix('.py')


HOST = 'plugins/module_utils/_host/'
CONTROL = tuple(f'module_utils/_host/{test}.py' for test in (
    'daemons/test_control', 'daemons/test_lost_sources', 'daemons/test_ntp_restrictions', 'daemons/test_corpus', 'test_only'))
ASKS_A_DAEMON = 'not test_references'
TARGETS = (
    Target('plugins/module_utils/_clock/marzullo.py', ('module_utils/_clock/test_marzullo.py',)),
    Target('plugins/module_utils/_clock/conclusion.py', ('module_utils/_clock/test_measurement.py',)),
    Target('plugins/plugin_utils/_verdict.py', ('plugin_utils/test_verdict.py',)),
    Target(HOST + 'packages.py', ('module_utils/_host/test_packages.py', 'module_utils/_host/test_package_words.py')),
    Target(HOST + 'package_managers.py', ('module_utils/_host/test_packages.py', 'module_utils/_host/test_package_words.py')),
    Target(HOST + 'undo_log.py', ('module_utils/_host/test_undo_log.py',)),
    Target(HOST + 'time_service/plan.py', ('module_utils/_host/test_plan.py',)),
    Target(HOST + 'time_service/apply.py', ('module_utils/_host/test_boot.py', 'module_utils/_host/test_time_service.py'),
           'not killed_anywhere and not layout'),
    Target(HOST + 'daemons/base.py', CONTROL, ASKS_A_DAEMON),
    Target(HOST + 'daemons/chrony.py', CONTROL, ASKS_A_DAEMON),
    Target(HOST + 'daemons/ntpd.py', CONTROL, ASKS_A_DAEMON),
    Target(HOST + 'daemons/timesyncd.py', CONTROL, ASKS_A_DAEMON),
)


class Survivor(t.NamedTuple):
    line: int
    operator: str
    diff: str


class Outcome(t.NamedTuple):
    target: Target
    killed: int
    late: int       # of the killed: those whose tests did not end in time
    survivors: list[Survivor]

    @property
    def share(self) -> float:
        total = self.killed + len(self.survivors)
        return 100.0 * self.killed / total if total else 100.0


def annotated(source: str) -> set[tuple[int, int]]:
    """(line, column) of everything inside an annotation."""
    places: set[tuple[int, int]] = set()
    for node in ast.walk(ast.parse(source)):
        for name in ('annotation', 'returns'):
            inside = getattr(node, name, None)
            if isinstance(inside, ast.AST):
                for each in ast.walk(inside):
                    if isinstance(each, ast.expr):
                        places.update((each.lineno, column) for column in range(each.col_offset, each.end_col_offset or 0))
    return places


def chosen(session: Path, source: str, each_place: int, every: int) -> None:
    """Leave in the session what is to be tried."""
    left_out = annotated(source)
    with sqlite3.connect(session) as database:
        rows = database.execute('select job_id, operator_name, occurrence, start_pos_row, start_pos_col '
                                'from mutation_specs').fetchall()
        places: dict[tuple[int, int], list[tuple[str, str]]] = {}
        for job, operator, occurrence, row, column in rows:
            if (row, column) not in left_out and not operator.endswith(LEFT_OUT):
                order = hashlib.sha256(f'{operator} {occurrence}'.encode()).hexdigest()
                places.setdefault((row, column), []).append((order, job))
        wanted = {job for place, jobs in places.items() if _number(repr(place)) % every == 0
                  for _order, job in sorted(jobs)[:each_place]}
        unwanted = [(job,) for job, *_rest in rows if job not in wanted]
        database.executemany('delete from mutation_specs where job_id = ?', unwanted)
        database.executemany('delete from work_items where job_id = ?', unwanted)


def _number(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)


def attempt(target: Target, each_place: int, every: int, folder: Path) -> Outcome:
    """Try one file's mutants in a copy of the checkout."""
    copy = folder / target.name.replace('/', '-')
    copy.mkdir()
    files = subprocess.run(['git', 'ls-files', '-z'], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    archive = subprocess.run(['tar', '--null', '-T', '-', '-cf', '-'], cwd=ROOT, input=files, stdout=subprocess.PIPE,
                             check=True).stdout
    subprocess.run(['tar', '-xf', '-'], cwd=copy, input=archive, check=True)
    cosmic_ray = str(Path(sys.executable).with_name('cosmic-ray'))
    settings, session = copy / 'mutants.toml', copy / 'mutants.sqlite'
    command = [sys.executable, '-m', 'pytest', '-x', '-q', '-p', 'no:xdist', *(UNITS + test for test in target.tests),
               *(['-k', target.choice] if target.choice else [])]
    # What the right program is compiled to stays for the mutants, which leave nothing: two of one second could not be told apart.
    began = time.monotonic()
    run(copy, *command, bytecode=True)
    limit = max(TIMEOUT, TIMES * (time.monotonic() - began))
    settings.write_text(SETTINGS.format(module=target.module, timeout=limit, command=shlex.join(command)), encoding='utf-8')
    run(copy, cosmic_ray, 'init', settings.name, session.name)
    chosen(session, (ROOT / target.module).read_text(encoding='utf-8'), each_place, every)
    run(copy, cosmic_ray, 'exec', settings.name, session.name)
    killed, late, survivors = 0, 0, []
    dump = run(copy, cosmic_ray, 'dump', session.name)
    for line in dump.splitlines():
        item, result = json.loads(line)
        [mutation] = item['mutations']
        if result is None or result['worker_outcome'] != 'normal':
            sys.exit(f'{target.name}: cosmic-ray could not try {mutation}: {result}')
        if result['test_outcome'] == 'survived':
            changed = [each for each in result['diff'].splitlines() if each[:1] in '+-' and each[:3] not in ('+++', '---')]
            survivors.append(Survivor(mutation['start_pos'][0], mutation['operator_name'].removeprefix('core/'),
                                      ' -> '.join(each[1:].strip() for each in changed)))
        else:
            killed += 1
            late += result['output'] == 'timeout'
    shutil.rmtree(copy)
    return Outcome(target, killed, late, sorted(survivors))


def run(folder: Path, *command: str, bytecode: bool = False) -> str:
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          env=dict(os.environ, PYTHONDONTWRITEBYTECODE='' if bytecode else '1'))
    if done.returncode:
        sys.exit(f'{" ".join(command)} in {folder} failed:\n{done.stdout[-3000:]}')
    return done.stdout


HEAD = ['| file | places tried | mutants | killed | of these by time | share |', '|---|---|---|---|---|---|']
ROW = re.compile(r'\| `(?P<name>[^`]+)` \| [^|]+ \| (?P<number>\d+) \| (?P<killed>\d+) \| (?P<late>\d+) \|')
SURVIVOR = re.compile(r'- `(?P<name>[^`:]+):\d+`')


def page(former: str, outcomes: t.Iterable[Outcome], every: int) -> str:
    """The former page with the rows and survivors of these files in the place of their former ones."""
    rows = {found['name']: line for line in former.splitlines() for found in [ROW.match(line)] if found}
    survivors: dict[str, list[str]] = {}
    for line in former.splitlines():
        found = SURVIVOR.match(line)
        if found:
            survivors.setdefault(found['name'], []).append(line)
    for outcome in outcomes:
        name, number = outcome.target.name, outcome.killed + len(outcome.survivors)
        places = 'all' if every == 1 else f'one in {every}'
        rows[name] = f'| `{name}` | {places} | {number} | {outcome.killed} | {outcome.late} | {outcome.share:.0f} % |'
        survivors[name] = [f'- `{name}:{each.line}` {each.operator}: `{_plain(each.diff)}`' for each in outcome.survivors]
    names = [target.name for target in TARGETS if target.name in rows]
    counts = [ROW.match(rows[name]) for name in names]
    total, killed, late = (sum(int(each[key]) for each in counts if each) for key in ('number', 'killed', 'late'))
    share = f'{100.0 * killed / max(total, 1):.0f} %'
    untried = [f'Not tried yet: {", ".join(target.name for target in TARGETS if target.name not in rows)}.', '']
    return '\n'.join([*HEAD, *(rows[name] for name in names), f'| **all** | | {total} | {killed} | {late} | {share} |', '',
                      *(untried if len(names) < len(TARGETS) else []),
                      *(line for name in names for line in survivors.get(name, []))])


def _plain(text: str) -> str:
    return text.replace('|', '\\|').replace('`', "'")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', nargs='*', default=[], help='files whose name contains one of these')
    parser.add_argument('--each-place', type=int, default=1)
    parser.add_argument('--every', type=int, default=1)
    parser.add_argument('--jobs', type=int, default=os.cpu_count(), help='files that are tried at the same time')
    parser.add_argument('--document', type=Path, help='a page with the marks "<!-- mutants -->" and "<!-- end -->"')
    options = parser.parse_args()
    targets = [target for target in TARGETS if not options.only or any(only in target.name for only in options.only)]
    with tempfile.TemporaryDirectory(prefix='mutants-') as folder, \
            concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        outcomes = []
        for outcome in pool.map(lambda target: attempt(target, options.each_place, options.every, Path(folder)), targets):
            outcomes.append(outcome)
            print(f'{outcome.target.name}: {outcome.share:.0f} % of {outcome.killed + len(outcome.survivors)}', flush=True)
    if options.document:
        text = options.document.read_text(encoding='utf-8')
        before, _mark, rest = text.partition('<!-- mutants -->\n')
        former, _mark, after = rest.partition('<!-- end -->')
        options.document.write_text(f'{before}<!-- mutants -->\n{page(former, outcomes, options.every)}\n<!-- end -->{after}',
                                    encoding='utf-8')
    print(page('', outcomes, options.every))
    killed, total = sum(each.killed for each in outcomes), sum(each.killed + len(each.survivors) for each in outcomes)
    return 0 if 100.0 * killed >= AIM * total else 1


if __name__ == '__main__':
    sys.exit(main())
