# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs targets of the Makefile one after the other, and says at the end what passed, what failed and what could not run.

    steps.py lint units + system

The steps of a lane run one after the other, the lanes (between "+") beside each other: lab machines wait more than they work. What
the second lane prints is shown once the first has ended. A step that failed stops no other one; the exit code is then 1.

A step names what it could not run in lines "not run: ..."; pytest names them in its summary of skipped tests.
"""

from __future__ import annotations

import queue
import re
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The last line of pytest, with or without its bars.
CLOSING = re.compile(r'^=* ?((?:\d+ (?:passed|failed|errors?|skipped|warnings?|deselected|xfailed|rerun)(?:, )?)+) in [\d.]+s')
SKIPPED = re.compile(r'^SKIPPED \[(\d+)\] (\S+?)(?::\d+)?: (?:not run: )?(.*)')
FAILED = re.compile(r'^(?:FAILED|ERROR) (\S+)')
NOT_RUN = re.compile(r'^not run: (.*)')
COLOR = re.compile(r'\x1b\[[0-9;]*m')


class Step(t.NamedTuple):
    """The outcome of a step."""

    name: str
    returncode: int
    seconds: float
    counts: list[str]
    failed: list[str]
    not_run: list[str]


def read(name: str, returncode: int, seconds: float, lines: t.Iterable[str]) -> Step:
    """The summary in the output of a step."""
    step = Step(name, returncode, seconds, [], [], [])
    for colored in lines:
        line = COLOR.sub('', colored).rstrip()
        if found := CLOSING.match(line):
            step.counts.append(found.group(1))
        elif found := SKIPPED.match(line):
            step.not_run.append(f'{found.group(3)} ({found.group(1)} in {found.group(2)})')
        elif found := FAILED.match(line):
            step.failed.append(found.group(1))
        elif found := NOT_RUN.match(line):
            step.not_run.append(found.group(1))
    return step


def run(name: str, show: t.Callable[[str], None]) -> Step:
    """One step, with its output passed on as it comes."""
    show(f'\n=== {name} ===\n')
    began = time.monotonic()
    lines = []
    with subprocess.Popen(['make', '--no-print-directory', name], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors='replace') as process:
        assert process.stdout
        for line in process.stdout:
            show(line)
            lines.append(line)
    return read(name, process.returncode, time.monotonic() - began, lines)


class Lane(threading.Thread):
    """Steps that run one after the other, and what they print."""

    def __init__(self, names: t.Sequence[str]) -> None:
        super().__init__(daemon=True)
        self.names = names
        self.steps: list[Step] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def run(self) -> None:
        for name in self.names:
            try:
                step = run(name, self._lines.put)
            except Exception as error:  # in a thread it would be lost, and read as success
                step = Step(name, 1, 0.0, [], [f'{type(error).__name__}: {error}'], [])
            self.steps.append(step)
        self._lines.put(None)

    def show(self) -> None:
        """Print until its last step has ended."""
        for line in iter(self._lines.get, None):
            print(line, end='', flush=True)


def clock(seconds: float) -> str:
    return f'{int(seconds) // 60}:{int(seconds) % 60:02}'


def summary(steps: list[Step], seconds: float) -> str:
    lines = [f'\n=== summary, {clock(seconds)} min ===']
    for step in steps:
        outcome = 'FAILED' if step.returncode else 'passed'
        lines.append(f'{outcome}  {step.name:<8} {clock(step.seconds):>6}  {"; ".join(step.counts)}'.rstrip())
        lines += [f'    failed: {test}' for test in step.failed[:20]]
        if len(step.failed) > 20:
            lines.append(f'    and {len(step.failed) - 20} more')
    lines += [f'not run  {step.name}: {reason}' for step in steps for reason in step.not_run]
    if not any(step.not_run for step in steps):
        lines.append('Nothing was left out.')
    return '\n'.join(lines)


def main() -> int:
    began = time.monotonic()
    lanes = [Lane(names.split()) for names in ' '.join(sys.argv[1:]).split('+')]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.show()
    steps = [step for lane in lanes for step in lane.steps]
    print(summary(steps, time.monotonic() - began), flush=True)
    return 1 if any(step.returncode for step in steps) else 0


if __name__ == '__main__':
    sys.exit(main())
