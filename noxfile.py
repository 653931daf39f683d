# /// script
# dependencies = ["nox>=2025.02.09", "antsibull-nox>=1.0"]
# ///
# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sessions for those who know nox. They call what the Makefile calls; make needs no nox.

    nox --list
    nox --session lint sanity-2.16 units-2.21
"""

from __future__ import annotations

import subprocess
import sys

import nox

try:
    import antsibull_nox
except ImportError:
    print('Without the package antsibull-nox the sessions of antsibull-nox.toml are missing.', file=sys.stderr)
else:
    antsibull_nox.load_antsibull_nox_toml()

CORES = ('2.16', '2.17', '2.18', '2.19', '2.20', '2.21')
ENVIRONMENT = 'tests/tools/environment.py'


def make(target: str) -> None:
    """A session that runs a target of the Makefile, which brings its own environment."""
    @nox.session(name=target, python=False)
    def session(session: nox.Session) -> None:
        session.run('make', target, external=True)


for name in ('lint', 'types', 'units', 'system', 'docs'):
    make(name)


def ansible_test(command: str, core: str, *arguments: str) -> None:
    """A session that runs ansible-test of one ansible-core on the installed collection."""
    @nox.session(name=f'{command}-{core}', python=False)
    def session(session: nox.Session) -> None:
        found = subprocess.run([sys.executable, ENVIRONMENT, f'core-{core}'], stdout=subprocess.PIPE, text=True, check=False)
        if found.returncode:
            session.skip(f'there is no Python for ansible-core {core} on this machine')
        session.run('tests/tools/ansible-test', found.stdout.strip(), command, *arguments, *session.posargs, external=True)


for version in CORES:
    ansible_test('sanity', version)
    ansible_test('units', version, '--venv')
    ansible_test('integration', version, '--venv')
