# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the lab needs from this machine: where it can never run, tests skip; where something failed, they fail."""

from __future__ import annotations

import os
import shutil

import pytest

from lab import host


@pytest.fixture
def without_boot(monkeypatch, tmp_path):
    """A machine that could run the lab, but for one command; returns a function that says how the installation of it ends."""
    monkeypatch.setattr(host.platform, 'system', lambda: 'Linux')
    monkeypatch.setattr(host.platform, 'machine', lambda: 'x86_64')
    monkeypatch.setattr(os, 'geteuid', lambda: 0)
    monkeypatch.setattr(host.Path, 'exists', lambda path: True)
    monkeypatch.setattr(host, 'processor_state_is_large', lambda: False)
    monkeypatch.setattr(shutil, 'which', lambda command: None if command == 'linux.uml' else f'/usr/bin/{command}')

    def installation(script):
        path = tmp_path / 'packages'
        path.write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/asked\n{script}\n')
        path.chmod(0o755)
        monkeypatch.setattr(host, 'PACKAGES', path)
        return tmp_path / 'asked'
    return installation


def test_what_is_missing_is_installed(without_boot):
    asked = without_boot('exit 0')
    host.require()
    assert asked.read_text() == 'user-mode-linux\n'


def test_an_installation_that_fails_is_a_failure_and_no_reason_to_skip(without_boot):
    without_boot('echo "E: Could not get lock /var/lib/apt/lists/lock" >&2; exit 100')
    with pytest.raises(host.LabError, match='Could not get lock') as failure:
        host.require()
    assert not isinstance(failure.value, host.CannotRunHere)


def test_without_root_no_lab_can_run_here(without_boot, monkeypatch):
    without_boot('exit 0')
    monkeypatch.setattr(os, 'geteuid', lambda: 1000)
    with pytest.raises(host.CannotRunHere, match='run it as root'):
        host.require()
