# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many rounds at a time, and their figures as tables, in a document if that is wanted: what all benches share."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from netem import FORK, Network


def rounds(count: int, workers: int, servers: int, work: Callable[[Network, int], list[Any]]) -> list[Any]:
    """What `work(network, number)` makes of each round, in any order; each worker is a process with its own network.

    Most of a measurement is waiting, so there may be several workers a core; too many and they wait for each other.
    """
    numbers, results = FORK.Value('i', 0), FORK.SimpleQueue()

    def run(block: int) -> None:
        try:
            with Network(block, servers) as network:
                while True:
                    with numbers.get_lock():
                        number = numbers.value
                        numbers.value += 1
                    if number >= count:
                        break
                    results.put(work(network, number))
        except BaseException:  # also what pytest or a reader would never see: the parent tells it
            results.put(traceback.format_exc())
    harness = [FORK.Process(target=run, args=(block,)) for block in range(1, workers + 1)]
    for process in harness:
        process.start()
    done: list[Any] = []
    try:
        for number in range(count):
            come = results.get()
            if isinstance(come, str):
                raise RuntimeError(come)
            done += come
            progress(number + 1, count)
        for process in harness:  # each ends its servers, whose addresses the next ones want
            process.join(10)
    finally:
        for process in harness:
            process.terminate()
            process.join()
    return done


def progress(done: int, of: int) -> None:
    """A line that overwrites itself, for who watches."""
    if sys.stderr.isatty():
        print(f'\r{done} of {of}', end='\n' if done == of else '', file=sys.stderr, flush=True)


def quantile(values: Iterable[float], share: float) -> float:
    """The smallest value that is exceeded by no more than the rest: 0.5 is the median. NaN of nothing."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, max(0, math.ceil(share * len(ranked)) - 1))] if ranked else math.nan


def ms(seconds: float) -> str:
    """Seconds as milliseconds with three figures."""
    if math.isnan(seconds):
        return '-'
    milliseconds = seconds * 1e3
    return f'{milliseconds:.0f}' if milliseconds >= 100 else f'{milliseconds:.3g}'


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Markdown."""
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join('| ' + ' | '.join(str(cell) for cell in line) + ' |' for line in lines) + '\n'


def heading(text: str) -> None:
    """What follows, with the command that made it and the load of the machine it was measured on."""
    load = ' '.join(f'{value:.1f}' for value in os.getloadavg())
    words = [word for word in sys.argv[1:] if word != DOCUMENT and not word.endswith('.md')]
    command = ' '.join(['python3', f'tests/bench/{Path(sys.argv[0]).name}', *words])
    niceness = min(os.getpriority(os.PRIO_PROCESS, 0), _niceness_of_session())
    said = f', at a niceness of {niceness}' if niceness else ''
    say(f'\n#### {text}\n\n`{command}` on {time.strftime("%Y-%m-%d", time.gmtime())}, Python {sys.version.split()[0]}, '
        f'{os.cpu_count()} cores, load {load} at the start{said}.\n')


def _niceness_of_session() -> int:
    """Where sessions are scheduled as groups, that of a process counts within its own only."""
    try:
        return int(Path('/proc/self/autogroup').read_text(encoding='ascii').split()[-1])
    except (OSError, ValueError, IndexError):
        return 0


# Documents: each table is written into the part that the page marks for it; no figure is copied by hand

DOCUMENT = '--document'
_said: list[str] = []


def say(text: str) -> None:
    """Print the line, and keep it for the document."""
    print(text, flush=True)
    _said.append(text)


def add_document_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(DOCUMENT, type=Path, metavar='PAGE.md', help='write the tables into the part of this page that is theirs')


@contextlib.contextmanager
def part(name: str, document: Path | None) -> Iterator[None]:
    """What is said within replaces the part of that name, unless something fails before its end."""
    page = document.read_text(encoding='utf-8') if document else ''
    begins, ends = f'<!-- measured: {name} -->\n', f'<!-- end of {name} -->'
    if document and not 0 <= page.find(begins) < page.find(ends):
        sys.exit(f'{document} has no part {begins.strip()} … {ends}')
    _said.clear()
    yield
    if document:
        page = document.read_text(encoding='utf-8')
        before, after = page[:page.index(begins) + len(begins)], page[page.index(ends):]
        document.write_text(before + '\n'.join(_said).strip('\n') + '\n\n' + after, encoding='utf-8')
