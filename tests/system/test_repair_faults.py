# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Some of `make repair-faults`: those that hurt most where they are not met and that no other test here is about.

A package that cannot be installed and servers out of reach: test_heal.py. A killed controller: test_guard.py.
"""

from __future__ import annotations

import pytest

from lab.host import CannotRunHere
from repair import faults
from repair.trial import Hosts


@pytest.fixture(scope='module')
def hosts(newest):
    with Hosts(newest) as hosts:
        try:
            hosts.lab()
        except CannotRunHere as reason:
            pytest.skip(f'not run, the lab needs what this machine lacks: {reason}')
        yield hosts


@pytest.mark.parametrize('name', ['rejected', 'foreign-package'])
def test_nothing_is_lost_and_the_next_run_heals(hosts, name):
    outcome = faults.try_fault(hosts, name, faults.FAULTS[name])
    assert outcome['outcome'] == faults.PASSED, outcome['printed']
