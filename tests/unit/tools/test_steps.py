# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The summary of make test: what passed, what failed, what was not run and why."""

import threading

import pytest

from ansible_collections.aemops.brand_portal.tests.tools import steps

SYSTEM = '''\
........................................................................ [ 25%]
\x1b[31m=========================== short test summary info ============================\x1b[0m
SKIPPED [2] tests/system/test_targets.py:40: not run: target-3.6: there is no Python 3.6 on this machine
FAILED tests/system/test_heal.py::test_once - AssertionError: no
ERROR tests/system/test_heal.py::test_twice - LabError: no
== 1 failed, 191 passed, 2 skipped, 1 error in 1650.20s (0:27:30) ==
'''
UNITS = '2070 passed, 5 warnings in 33.10s\nnot run: the unit tests on Python 3.6, which is not here\n10 passed in 1.00s\n'


def test_the_summary():
    text = steps.summary([steps.read('units', 0, 59.9, UNITS.splitlines(True)),
                          steps.read('system', 2, 605.0, SYSTEM.splitlines(True)),
                          steps.read('lint', 0, 20.0, ['All checks passed!\n'])], 684.0)
    assert text.splitlines() == [
        '', '=== summary, 11:24 min ===',
        'passed  units      0:59  2070 passed, 5 warnings; 10 passed',
        'FAILED  system    10:05  1 failed, 191 passed, 2 skipped, 1 error',
        '    failed: tests/system/test_heal.py::test_once',
        '    failed: tests/system/test_heal.py::test_twice',
        'passed  lint       0:20',
        'not run  units: the unit tests on Python 3.6, which is not here',
        'not run  system: target-3.6: there is no Python 3.6 on this machine (2 in tests/system/test_targets.py)',
    ]


def test_nothing_left_out_and_many_failures():
    failed = [f'FAILED tests/test_{number}.py::test - no\n' for number in range(30)]
    text = steps.summary([steps.read('units', 1, 1.0, failed)], 1.0)
    assert '    failed: tests/test_19.py::test\n    and 10 more\n' in text
    assert text.endswith('Nothing was left out.')


@pytest.fixture
def make(monkeypatch):
    """Runs main with steps that are functions of this test instead of targets of the Makefile."""
    def main(*arguments, **targets):
        def run(name, show):
            show(f'{name} begins\n')
            return steps.Step(name, targets[name](), 0.0, [], [], [])
        monkeypatch.setattr(steps, 'run', run)
        monkeypatch.setattr(steps.sys, 'argv', ['steps.py', *arguments])
        return steps.main()
    return main


def test_a_step_that_fails_fails_the_whole_and_stops_no_other(make, capsys):
    ran = []
    assert make('lint', 'units', lint=lambda: 1, units=lambda: ran.append('units') or 0) == 1
    assert ran == ['units']
    assert 'FAILED  lint' in capsys.readouterr().out


def test_lanes_run_beside_each_other_and_are_shown_one_after_the_other(make, capsys):
    began = threading.Event()
    assert make('lint', 'units', '+', 'system', lint=lambda: not began.wait(300), units=lambda: 0,
                system=lambda: began.set() or 0) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if 'begins' in line] == [
        'lint begins', 'units begins', 'system begins']


def test_a_step_that_cannot_begin_is_no_success(make, capsys):
    assert make('lint', '+', 'system', lint=lambda: 0, system=lambda: 1 // 0) == 1
    assert 'failed: ZeroDivisionError' in capsys.readouterr().out
