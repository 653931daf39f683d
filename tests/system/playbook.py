# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs ansible as people do and reads what it printed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECAP = re.compile(r'^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)', re.MULTILINE)
# One line for each module that is sent to a host, at -vvv.
REMOTE_CALL = re.compile(r'^Using module file \S*/(\w+)\.py', re.MULTILINE)


class Environment(t.NamedTuple):
    """A virtual environment with an ansible-core in it."""

    name: str
    bin: Path


class CannotRun(Exception):
    """This machine has no interpreter for what is asked; the text says which."""


def environment(name: str) -> Environment:
    done = subprocess.run([sys.executable, ROOT / 'tests/tools/environment.py', name],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotRun(done.stderr.strip())
    return Environment(name, Path(done.stdout.strip()))


class Run:
    """What a command of ansible printed and how it ended."""

    def __init__(self, returncode: int, output: str) -> None:
        self.returncode = returncode
        self.output = output

    @property
    def recap(self) -> dict[str, dict[str, int]]:
        names = ('ok', 'changed', 'unreachable', 'failed')
        return {host: dict(zip(names, map(int, counts))) for host, *counts in RECAP.findall(self.output)}

    @property
    def remote_calls(self) -> list[str]:
        """The modules that were run on hosts, in order; needs a run at -vvv."""
        return REMOTE_CALL.findall(self.output)

    def row(self, host: str) -> str:
        """The host's line of the table at the end."""
        rows = re.findall(rf'^\s+"({re.escape(host)}  [^"]*)"', self.output, re.MULTILINE)
        assert rows, f'no row for {host} in\n{self.output}'
        return rows[-1]


def run(environment: Environment, command: list[str], cwd: Path = ROOT, **variables: str) -> Run:
    """Run one of ansible's commands with nothing of the user's settings, plus `variables` in the environment."""
    settings = {
        'ANSIBLE_NOCOLOR': '1', 'ANSIBLE_INJECT_FACT_VARS': 'False', 'ANSIBLE_LOCALHOST_WARNING': 'False',
        'ANSIBLE_INVENTORY_UNPARSED_WARNING': 'False', 'ANSIBLE_COLLECTIONS_PATH': str(ROOT / 'collections'),
        'PATH': f'{environment.bin}:{os.environ["PATH"]}',
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith('ANSIBLE_')}
    done = subprocess.run([str(environment.bin / command[0]), *command[1:]], cwd=cwd, env={**kept, **settings, **variables},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors='replace', timeout=900, check=False)
    assert '[DEPRECATION WARNING]' not in done.stdout, done.stdout
    return Run(done.returncode, done.stdout)


def play(environment: Environment, inventory: Path, *options: str, cwd: Path = ROOT, **variables: str) -> Run:
    """Run the playbook of this checkout, by its path, without telling ansible where the collection is."""
    variables.setdefault('ANSIBLE_COLLECTIONS_PATH', '/nonexistent')
    return run(environment, ['ansible-playbook', str(ROOT / 'fix-bp-jwt.yml'), '-i', str(inventory), *options],
               cwd=cwd, **variables)


def ask(environment: Environment, inventory: str | Path, host: str, module: str, arguments: dict[str, t.Any],
        **extra: t.Any) -> dict[str, t.Any]:
    """Run one module of ours on one host and return what it returned."""
    # A play in a file: what is asked may have a password in it, which a command line would show to everybody here.
    with tempfile.NamedTemporaryFile('w', suffix='.json', encoding='utf-8') as book:
        json.dump([{'hosts': host, 'gather_facts': False, 'vars': extra,
                    'tasks': [{f'aemops.brand_portal.{module}': arguments}]}], book)
        book.flush()
        done = run(environment, ['ansible-playbook', book.name, '-v', '-i', str(inventory)],
                   ANSIBLE_STDOUT_CALLBACK='default', ANSIBLE_CALLBACK_RESULT_FORMAT='json')
    found = re.search(r'=> (\{.*\})', done.output, re.DOTALL)
    assert found and done.returncode == 0, done.output
    return json.loads(found.group(1))
