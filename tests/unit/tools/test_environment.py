# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test environments on a plain machine: found by its own interpreters, never removed while in use."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[2] / 'tools/environment.py'


@pytest.fixture
def environment(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location('environment_under_test', FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, 'CACHE', tmp_path / 'cache')
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))      # no ~/.pyenv
    return module


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('#!/bin/sh\n', encoding='ascii')
    path.chmod(0o755)
    return path


def test_a_virtual_environment_on_path_is_no_interpreter(environment, tmp_path, monkeypatch):
    real = executable(tmp_path / 'usr/bin/python3.11')
    fleet = executable(tmp_path / 'cache/fleet-0123456789ab/bin/python3.11')
    (fleet.parents[1] / 'pyvenv.cfg').touch()
    foreign = executable(tmp_path / 'venv/bin/python3.12')
    (foreign.parents[1] / 'pyvenv.cfg').touch()
    monkeypatch.setenv('PATH', os.pathsep.join(str(path.parent) for path in (fleet, foreign, real)))
    assert environment.interpreters() == {'3.11': str(real)}


def test_a_complete_environment_of_another_recipe_stays(environment, monkeypatch):
    old = environment.CACHE / 'dev-0123456789ab'
    old.mkdir(parents=True)
    (old / 'complete').touch()
    monkeypatch.setattr(environment, '_make_venv', lambda recipe: recipe.bin.mkdir(parents=True))
    monkeypatch.setattr(environment, '_run', lambda command: None)
    made = environment.make(environment.Environment('dev', '/usr/bin/python3.11', ('pytest',)))
    assert made.is_dir() and made.parent != old
    assert (old / 'complete').exists()


def test_an_environment_that_was_cut_off_is_made_again(environment, monkeypatch):
    recipe = environment.Environment('dev', '/usr/bin/python3.11', ('pytest',))
    (recipe.folder / 'half').mkdir(parents=True)
    monkeypatch.setattr(environment, '_make_venv', lambda made: made.bin.mkdir(parents=True))
    monkeypatch.setattr(environment, '_run', lambda command: None)
    environment.make(recipe)
    assert not (recipe.folder / 'half').exists() and (recipe.folder / 'complete').exists()


def test_pip_finds_the_requirements_from_any_folder(environment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = []
    monkeypatch.setattr(subprocess, 'run', lambda command, **more: seen.append(more['cwd']) or
                        subprocess.CompletedProcess(command, 0, '', ''))
    environment._run(['pip', 'install', '-r', 'tests/requirements.txt'])
    assert seen == [environment.ROOT]
