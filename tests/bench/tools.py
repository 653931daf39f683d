# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tools others measure a clock with, taken out of their Debian packages; nothing is installed, so nothing starts.

Each asks the given servers once and answers with the offset it prints (reference - host, seconds), or None.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from harness import quantile

PACKAGES = {
    'chrony': 'usr/sbin/chronyd',
    'ntpsec-ntpdig': 'usr/bin/ntpdig',
    'python3-ntp': 'usr/lib/python3/dist-packages/ntp/packet.py',
    'monitoring-plugins-basic': 'usr/lib/nagios/plugins/check_ntp_time',
    'htpdate': 'usr/sbin/htpdate',
}
TREE = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'aemops-brand-portal' / 'bench' / 'tools'

# A tool that has not answered by then is ended: several times what it needs when all is well. Seconds.
LONGEST = 25


class Asked(NamedTuple):
    """What a tool said and how long it took; offset None: it gave none, `note` says why."""

    offset: float | None
    seconds: float
    note: str = ''


class Tool(NamedTuple):
    """How a tool is called: `ask(addresses, name)`, where the name resolves to all the addresses."""

    title: str
    packages: Sequence[str]
    ask: Callable[[list[str], str], Asked]


def fetch(packages: Mapping[str, str] | None = None) -> dict[str, str]:
    """Unpack what is missing of {package: a file of it} (PACKAGES), and return the reason for each that is not available."""
    missing: dict[str, str] = {}
    for package, file in (PACKAGES if packages is None else packages).items():
        if (TREE / file).exists():
            continue
        with tempfile.TemporaryDirectory(prefix='bench-') as folder:
            os.chmod(folder, 0o755)
            done = _apt(folder, package)
            if done.returncode:
                with contextlib.suppress(OSError):  # without apt, or without the right: the second try tells
                    subprocess.run(['apt-get', 'update', '-qq'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
                done = _apt(folder, package)
            found = list(Path(folder).glob('*.deb'))
            if done.returncode or not found:
                missing[package] = ' '.join(done.stdout.split())[-200:] or 'apt-get download failed'
                continue
            TREE.mkdir(parents=True, exist_ok=True)
            subprocess.run(['dpkg-deb', '--extract', str(found[0]), str(TREE)], check=True)
    return missing


def _apt(folder: str, package: str) -> subprocess.CompletedProcess[str]:
    command = ['apt-get', 'download', package]
    if not shutil.which(command[0]):
        return subprocess.CompletedProcess(command, 1, 'this machine has no apt-get')
    return subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def versions() -> str:
    """For the head of a table."""
    said = [_run([str(TREE / 'usr/sbin/chronyd'), '--version'])[1], _ntpdig(['--version'])[1],
            _run([str(TREE / 'usr/lib/nagios/plugins/check_ntp_time'), '--version'])[1],
            _run([str(TREE / 'usr/sbin/htpdate'), '-v'])[1]]
    return '; '.join(text.splitlines()[0].partition(' (+')[0] for text in said if text)


def _run(command: list[str], **environment: str) -> tuple[float, str]:
    """(seconds, what it printed)"""
    began = time.monotonic()
    try:
        done = subprocess.run(command, env=dict(os.environ, LC_ALL='C.UTF-8', **environment), timeout=LONGEST, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except subprocess.TimeoutExpired:
        return time.monotonic() - began, f'it was ended after {LONGEST} s'
    except OSError as error:
        return 0.0, str(error)
    return time.monotonic() - began, done.stdout


def _asked(answer: tuple[float, str], pattern: str) -> Asked:
    seconds, text = answer
    found = re.search(pattern, text)
    if found:
        return Asked(float(found.group(1)), seconds)
    lines = text.strip().splitlines() or ['it printed nothing']
    return Asked(None, seconds, re.sub(r'^\S+Z ', '', lines[max(0, len(lines) - 2)]))


def _chronyd(options: str) -> Callable[[list[str], str], Asked]:
    """-Q prints and exits; -x besides, so that not even a mistake could set the clock."""
    def ask(addresses: list[str], _name: str) -> Asked:
        with tempfile.TemporaryDirectory() as folder:
            lines = [f'server {address} {options}' for address in addresses]
            return _asked(_run([str(TREE / 'usr/sbin/chronyd'), '-Q', '-x', '-u', 'root', '-t', str(LONGEST - 5), '-f', '/dev/null',
                                *lines, 'cmdport 0', f'pidfile {folder}/pid']), r'clock wrong by (\S+) seconds')
    return ask


def _ntpdig(arguments: list[str]) -> tuple[float, str]:
    return _run(['/usr/bin/python3', str(TREE / 'usr/bin/ntpdig'), *arguments],
                PYTHONPATH=str(TREE / 'usr/lib/python3/dist-packages'),
                LD_LIBRARY_PATH=str(TREE / 'usr/lib/x86_64-linux-gnu/ntp'))


def _check_ntp_time(_addresses: list[str], name: str) -> Asked:
    return _asked(_run([str(TREE / 'usr/lib/nagios/plugins/check_ntp_time'), '-H', name, '-t', '20']), r'Offset (\S+) secs')


def _ntplib(addresses: list[str], _name: str) -> Asked:
    """One after the other as its documentation shows it; of what they say the median, the kindest reading."""
    ntplib = importlib.import_module('ntplib')  # not everywhere --help is asked for
    began, offsets = time.monotonic(), []
    for address in addresses:
        with contextlib.suppress(ntplib.NTPException, OSError):
            offsets.append(ntplib.NTPClient().request(address, port=123, version=4).offset)
    return Asked(quantile(offsets, 0.5) if offsets else None, time.monotonic() - began, '' if offsets else 'no answer')


def htpdate(urls: list[str]) -> Asked:
    """-q asks only. It prints the offset that the clock would have to be set by."""
    return _asked(_run([str(TREE / 'usr/sbin/htpdate'), '-q', '-n', *urls]), r'Offset (\S+) seconds')


NTP_TOOLS = (
    Tool('chronyd -Q, iburst', ['chrony'], _chronyd('iburst')),
    Tool('chronyd -Q, iburst maxsamples 1', ['chrony'], _chronyd('iburst maxsamples 1')),
    Tool('ntpdig (ntpsec)', ['ntpsec-ntpdig', 'python3-ntp'],
         lambda addresses, _name: _asked(_ntpdig(['-j', *addresses]), r'"offset":([^,]+),')),
    Tool('ntpdig -p 4', ['ntpsec-ntpdig', 'python3-ntp'],
         lambda addresses, _name: _asked(_ntpdig(['-j', '-p', '4', *addresses]), r'"offset":([^,]+),')),
    Tool('check_ntp_time', ['monitoring-plugins-basic'], _check_ntp_time),
    Tool('ntplib, one by one', [], _ntplib),
)
# It polls every 64 s and wants several answers: too long to wait for in practice, but the comparison includes it.
CHRONYD_WITHOUT_IBURST = Tool('chronyd -Q, no iburst', ['chrony'], _chronyd(''))
