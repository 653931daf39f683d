# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A part of `make repair-matrix` that touches each kind of host and each wrong clock, two machines at a time; and of
`make repair-faults` those that hurt most where they are not met and that no other test here is about.

A package that cannot be installed and servers out of reach: test_heal.py. A killed controller: test_guard.py.
"""

from __future__ import annotations

import concurrent.futures

import pytest

from lab.host import CannotRunHere
from repair import faults, matrix
from repair.trial import Hosts, heal


@pytest.fixture(scope='module')
def hosts(newest):
    with Hosts(newest) as hosts:
        try:
            hosts.lab()
        except CannotRunHere as reason:
            pytest.skip(f'not run, the lab needs what this machine lacks: {reason}')
        yield hosts


@pytest.fixture(scope='module')
def trials(hosts):
    """The trials of all cells, begun at once: each test waits for its own."""
    def trial(kind, clock):
        author = hosts.boot(kind, matrix.KINDS[kind], matrix.CLOCKS[clock], matrix.label(kind, clock))
        try:
            return heal(author)
        finally:
            author.machine.kill()

    with concurrent.futures.ThreadPoolExecutor(matrix.AT_ONCE) as pool:
        begun = {cell: pool.submit(trial, *cell) for cell in matrix.diagonal()}
        yield begun
        for future in begun.values():
            future.cancel()


@pytest.mark.parametrize('cell', matrix.diagonal(), ids=' '.join)
def test_heals_and_a_second_run_changes_nothing(trials, cell):
    trial = trials[cell].result()
    assert trial.complaints == [], trial.output


@pytest.mark.parametrize('name', ['rejected', 'foreign-package'])
def test_nothing_is_lost_and_the_next_run_heals(hosts, name):
    outcome = faults.try_fault(hosts, name, faults.FAULTS[name])
    assert outcome['outcome'] == faults.PASSED, outcome['printed']
