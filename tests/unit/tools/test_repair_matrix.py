# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of the repair matrix: a run of some rows keeps what earlier runs wrote about the others."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope='module')
def matrix():
    before = list(sys.path)
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    yield importlib.import_module('repair.matrix')
    sys.path[:] = before


def test_a_run_of_some_rows_keeps_the_python_of_the_others(matrix, tmp_path):
    page = tmp_path / 'matrix.md'
    kinds = list(matrix.KINDS)[:3]
    first, second, third = (matrix.KINDS[kind].title for kind in kinds)
    page.write_text(f'With Python 3.6.15: {first}; {second}.\n', encoding='utf-8')
    tried = {'outcome': matrix.PASSED, 'seconds': 1.0, 'again': 1.0, 'rebooted': None, 'whole': 2.0, 'run': 'today'}
    outcomes = {matrix.label(kinds[1], matrix.FIRST): dict(tried, python='Python 3.9.2'),
                matrix.label(kinds[2], matrix.FIRST): dict(tried, python='Python 3.6.15')}
    written = matrix.document(outcomes, 'a command', {}, matrix.earlier_pythons(page))
    assert f'With Python 3.6.15: {first}; {third}.' in written.splitlines()
