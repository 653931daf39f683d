# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual environments for the tests, made on first use and kept while their recipe stays the same.

    environment.py NAME         make the environment NAME if need be, print its bin folder
    environment.py --list       name every environment, its interpreter, or why it cannot be made here
    environment.py --missing    only what cannot be made here, as `not run: ...`

`dev` has the newest ansible-core that this machine's interpreters allow, with linters and test tools;
`core-2.16`, `core-2.19`, `core-newest` have that ansible-core and what a run of the playbook needs, on the newest Python
it allows; `core-2.16-3.10` has it on that one; `rulebook`, `fleet`, `docs` and `release` have their tools beside the newest;
`awx` has the collection awx.awx and ansible-builder beside the ansible-core of the last Ansible that brings awx.awx;
`target-3.6` … are the interpreters that modules run under, with what their unit tests need.
"""

from __future__ import annotations

import argparse
import fcntl
import glob
import hashlib
import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / '.cache' / 'environments'

# ansible-core: the controller Pythons it runs on, newest first (docs: "ansible-core support matrix").
CORES = {
    '2.16': ('3.12', '3.11', '3.10'),
    '2.17': ('3.12', '3.11', '3.10'),
    '2.18': ('3.13', '3.12', '3.11'),
    '2.19': ('3.13', '3.12', '3.11'),
    '2.20': ('3.14', '3.13', '3.12'),
    '2.21': ('3.14', '3.13', '3.12'),
}
# The newest ansible-core that the newest tools are tried with; 3.12 before 3.13, as most controllers have it.
NEWEST = (('2.21', '3.12'), ('2.21', '3.13'), ('2.19', '3.11'), ('2.17', '3.10'))
TARGETS = ('3.6', '3.7', '3.8', '3.9', '3.10', '3.11', '3.12', '3.13')
TARGET_REQUIREMENTS = ('pytest>=7.0', 'pytest-xdist', 'hypothesis', 'ntplib>=0.4.0,<0.5', 'cryptography')
# The pip that Python 3.6 brings takes packages that do not run on it; this one is the last for it and knows better.
LAST_PIP_FOR_3_6 = 'pip==21.3.1'
# What the unit tests of the controller's code need beside the code, on each controller of the matrix.
UNIT_REQUIREMENTS = ('hypothesis>=6', 'jsonschema>=4')
RUN_REQUIREMENTS = ('ntplib>=0.4.0,<0.5', 'jmespath>=1.0,<2', 'pytest>=7.0', 'pyjwt>=2.6', 'cryptography>=41')
# Beside the newest ansible-core.
NEWEST_WITH: dict[str, tuple[str, ...]] = {
    'dev': ('-r tests/requirements.txt',),
    'core-newest': RUN_REQUIREMENTS,
    'release': (*RUN_REQUIREMENTS, 'antsibull-changelog>=0.24', 'galaxy-importer>=0.4.20'),
    'docs': (*RUN_REQUIREMENTS, 'antsibull-docs>=2.7', 'myst-parser>=4', 'sphinx>=7', 'sphinx-ansible-theme>=0.10'),
    'rulebook': (*RUN_REQUIREMENTS, 'ansible-rulebook>=1.1,<2', 'ansible-runner>=2.4'),
    'mutants': ('-r tests/requirements.txt', 'cosmic-ray>=8.7,<9'),
    'fleet': (*RUN_REQUIREMENTS, 'ansible-runner>=2.4', 'mitogen>=0.3.54'),
}
AWX = ('2.19', ('ansible>=12,<13', 'ansible-builder>=3.1', 'pytest>=7.0'))


class CannotMake(Exception):
    """This machine lacks what the environment needs; the text says what and how to get it."""


class Environment(t.NamedTuple):
    """A recipe: which interpreter, and what pip installs into it."""

    name: str
    python: str
    requirements: tuple[str, ...]

    @property
    def folder(self) -> Path:
        recipe = [self.python] + [_content(requirement) for requirement in self.requirements]
        return CACHE / f'{self.name}-{hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]}'

    @property
    def bin(self) -> Path:
        return self.folder / 'bin'


def _content(requirement: str) -> str:
    """The content of `-r FILE`, with the files it names in turn; other requirements as they are."""
    if not requirement.startswith('-r '):
        return requirement
    path = ROOT / requirement[3:]
    lines = []
    for line in path.read_text(encoding='utf-8').splitlines():
        if line.startswith('-r '):
            line = _content(f'-r {(path.parent / line[3:].strip()).resolve().relative_to(ROOT)}')
        lines.append(line)
    return '\n'.join(lines)


def interpreters() -> dict[str, str]:
    """Real interpreters by version, e.g. {'3.11': '/usr/bin/python3.11'}.

    Shims of version managers are passed over, and so are the links in virtual environments: an environment whose folder
    comes first on PATH would otherwise become the interpreter of the next one, and change its recipe.
    """
    candidates = glob.glob(os.path.expanduser('~/.pyenv/versions/*/bin/python3.*'))
    candidates += [path for folder in os.get_exec_path() for path in glob.glob(os.path.join(folder, 'python3.*'))]
    found: dict[str, str] = {}
    for path in candidates:
        version = os.path.basename(path)[len('python'):]
        if version.replace('.', '', 1).isdigit() and 'shims' not in path and not _in_virtual_environment(path):
            found.setdefault(version, path)
    return found


def _in_virtual_environment(path: str) -> bool:
    return os.path.exists(os.path.join(os.path.dirname(path), os.pardir, 'pyvenv.cfg'))


def environment(name: str) -> Environment:
    """The recipe of an environment on this machine; CannotMake where no interpreter fits."""
    here = interpreters()
    if name.startswith('target-'):
        version = name[len('target-'):]
        if version not in here:
            raise CannotMake(f'{name}: there is no Python {version} on this machine')
        return Environment(name, here[version], TARGET_REQUIREMENTS)
    if name in NEWEST_WITH:
        for core, version in NEWEST:
            if version in here:
                return Environment(name, here[version], (f'ansible-core~={core}.0',) + NEWEST_WITH[name])
        raise CannotMake(f'{name}: needs Python 3.10 to 3.13, found only {", ".join(sorted(here)) or "none"}')
    core, more = AWX if name == 'awx' else (name[len('core-'):], RUN_REQUIREMENTS)
    core, _dash, wanted = core.partition('-')
    if core not in CORES or wanted not in ('', *CORES[core]):
        raise CannotMake(f'{name}: no such environment; there are {", ".join(names())}')
    fitting = [version for version in CORES[core] if version in here and wanted in ('', version)]
    if not fitting:
        raise CannotMake(f'{name}: ansible-core {core} needs Python {wanted or " or ".join(CORES[core])}, which is not here')
    return Environment(name, here[fitting[0]], (f'ansible-core~={core}.0',) + more + (UNIT_REQUIREMENTS if wanted else ()))


def names() -> list[str]:
    return [*NEWEST_WITH, 'awx'] + [f'core-{core}' for core in CORES] + [f'target-{each}' for each in TARGETS]


def make(recipe: Environment) -> Path:
    """The environment's bin folder; made if it is not there yet, once also when two ask at the same time."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f'{recipe.name}.lock', 'w', encoding='utf-8') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (recipe.folder / 'complete').exists():
            return recipe.bin
        # Another one of this name may be complete and in use by the caller: only `make clean` removes it.
        shutil.rmtree(recipe.folder, ignore_errors=True)
        print(f'making the environment {recipe.name} with {recipe.python}: '
              f'{", ".join(recipe.requirements)}', file=sys.stderr, flush=True)
        _make_venv(recipe)
        pip = [str(recipe.bin / 'python'), '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
        if recipe.name == 'target-3.6':
            _run(pip + [LAST_PIP_FOR_3_6])
        arguments = [word for requirement in recipe.requirements for word in requirement.split(' ', 1)]
        _run(pip + arguments)
        (recipe.folder / 'complete').touch()
    return recipe.bin


def _make_venv(recipe: Environment) -> None:
    command = [recipe.python, '-m', 'venv', str(recipe.folder)]
    if subprocess.run([recipe.python, '-c', 'import ensurepip'], stderr=subprocess.DEVNULL, check=False).returncode:
        version = os.path.basename(recipe.python)
        if os.geteuid() != 0 or not shutil.which('apt-get'):
            raise CannotMake(f'{recipe.python} cannot make virtual environments: install {version}-venv')
        print(f'installing the Debian package {version}-venv', file=sys.stderr, flush=True)
        _run(['apt-get', 'update', '-qq'])
        _run(['apt-get', 'install', '-qq', '-y', '--no-install-recommends', f'{version}-venv'])
    _run(command)


def _run(command: list[str]) -> None:
    """Run, keeping standard output free for the answer of this program."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise CannotMake(f'{" ".join(command)} failed with {done.returncode}:\n{done.stdout.strip()}')


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('name', nargs='?')
    parser.add_argument('--list', action='store_true')
    parser.add_argument('--missing', action='store_true')
    options = parser.parse_args()
    if options.list or options.missing or not options.name:
        for name in names():
            try:
                python = environment(name).python
                if not options.missing:
                    print(f'{name}: {python}')
            except CannotMake as problem:
                print(f'not run: {problem}' if options.missing else problem)
        return 0
    try:
        print(make(environment(options.name)))
    except CannotMake as problem:
        print(problem, file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
