# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the system tests share: environments with an ansible-core, and a lab with Brand Portal beside it."""

from __future__ import annotations

import sys

import pytest

from lab import Lab
from lab.host import CannotRunHere

from . import playbook

# Recognisable, so that it can be searched for in everything a run shows.
PASSWORD = 'S3cret-kJ29x-must-not-be-seen'
# The files that take minutes, the longest first, so that no worker is left with one of them when the others are done.
LONG = ('test_repair', 'test_awx', 'test_fleet', 'test_time_sync', 'test_heal', 'test_guard', 'test_decisions',
        'test_authentication', 'test_aem_layouts', 'test_docs', 'test_events')


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


@pytest.fixture(scope='session')
def core():
    """Gives the environment of a version of ansible-core; skips where this machine has no Python for it."""
    def get(name):
        try:
            return playbook.environment(name)
        except playbook.CannotRun as reason:
            pytest.skip(f'not run: {reason}')
    return get


@pytest.fixture(scope='session')
def newest(core):
    return core('core-newest')


def make_lab(certificate):
    """A lab whose Brand Portal shows the `long` (2010 to 2040) or the `short` (90 days) certificate."""
    try:
        lab = Lab.create(python=sys.executable)
    except CannotRunHere as reason:
        pytest.skip(f'not run, the lab needs what this machine lacks: {reason}')
    lab.start_brand_portal(cert=certificate)
    return lab


@pytest.fixture(scope='module')
def lab():
    """A lab whose Brand Portal certificate is valid from 2010: a wrong clock fails on the JWT, as in Adobe's article."""
    with make_lab('long') as lab:
        yield lab


@pytest.fixture(scope='module')
def lab_with_short_certificates():
    """A lab whose Brand Portal certificate is valid for 90 days: a clock that is far off fails on TLS first."""
    with make_lab('short') as lab:
        yield lab
