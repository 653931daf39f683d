# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The User-Mode Linux of lab machines: one that runs their programs under seccomp, where it is available.

Since Linux 6.16 that needs no ptrace, and a lab machine does the same work in half the time. Debian has it from forky on. It is
taken out of its package, with the C library that it needs, and not installed; without it, this machine's own is used.
"""

import functools
import hashlib
import os
import re
import tempfile
from pathlib import Path

from .host import CACHE, LabError, locked, run, say, step
from .image import sources, write_apt_settings

SUITE = 'forky'
PACKAGES = ('user-mode-linux', 'libc6')
LIBRARIES = 'usr/lib/x86_64-linux-gnu'
KEYRING = Path('/usr/share/keyrings/debian-archive-keyring.gpg')


@functools.cache
def settings():
    """The environment by which `kernel` finds it; {} where it is not available now."""
    folder = CACHE / ('uml-' + hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16])
    with locked(CACHE / 'lock-uml'):
        if not folder.exists():
            with step('taking a faster User-Mode Linux out of its package'), tempfile.TemporaryDirectory(dir=CACHE) as name:
                work = Path(name)
                try:
                    _fetch(work)
                except LabError as error:
                    say(f'it is not available, so lab machines take twice as long: {str(error).strip().splitlines()[-1]}')
                    return {}
                os.rename(work / 'out', folder)
    return {'LAB_KERNEL': str(folder)}


def _fetch(work):
    """Unpack the packages of the suite into work/out. Raises LabError."""
    for folder in ('state/lists/partial', 'cache/archives/partial', 'unpacked'):
        (work / folder).mkdir(parents=True)
    signed = f'[signed-by={KEYRING}] ' if KEYRING.exists() else ''
    lines = [line.replace('deb ', f'deb {signed}', 1) for line in sources(SUITE).splitlines()
             if re.fullmatch(rf'deb \S+ {SUITE} main', line)]
    (work / 'sources.list').write_text('\n'.join(lines) + '\n')
    write_apt_settings(work / 'apt.conf')
    with open(work / 'apt.conf', 'a') as settings_of_apt:
        settings_of_apt.write(f'Dir::State "{work}/state";\nDir::Cache "{work}/cache";\nDir::State::status "/dev/null";\n'
                              f'Dir::Etc::sourcelist "{work}/sources.list";\nDir::Etc::sourceparts "-";\n'
                              'APT::Sandbox::User "root";\nAcquire::Languages "none";\n')
    environment = dict(os.environ, APT_CONFIG=str(work / 'apt.conf'))
    run('apt-get', 'update', '-qq', '-o', 'APT::Update::Error-Mode=any', env=environment)
    run('apt-get', 'download', '-qq', *PACKAGES, cwd=work, env=environment)
    for package in work.glob('*.deb'):
        run('dpkg-deb', '--extract', package, work / 'unpacked')
    for file in ('usr/bin/linux.uml', f'{LIBRARIES}/libc.so.6', f'{LIBRARIES}/ld-linux-x86-64.so.2'):
        (work / 'out' / file).parent.mkdir(parents=True, exist_ok=True)
        run('cp', '--dereference', work / 'unpacked' / file, work / 'out' / file)
