# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a bench runs: a network of its own that ends with it, names of its own, and no right to set any clock.

`enter()` starts the program again inside. Nothing is left behind: the namespaces go with the last process in them.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_INSIDE = 'AEMOPS_BENCH_ROOM'

# The collection, and the servers its unit tests have.
sys.path.insert(0, str(ROOT / 'collections'))

# Nothing that a bench starts may touch this machine's clock, whatever it thinks it is.
_WITHOUT_CLOCK = ['setpriv', '--bounding-set=-sys_time', '--inh-caps=-sys_time']
_CAP_SYS_TIME = 25

# An address of each kind that the measurement treats differently: see ntp_peer.Pace. The namespace has all of them on its `lo`.
# The "public" ones are carriers' (RFC 6598), which count as public; no packet leaves the namespace.
BLOCKS = {'public': '100.64', 'near': '10.99', 'loopback': '127.99'}


def enter(prepare: Callable[[], Any] | None = None) -> Any:
    """Start the program again inside the namespace, under the tests' own Python; outside this never returns.

    prepare: called outside, where there is a network; inside, enter() returns what it returned (as JSON can tell it).
    """
    if _INSIDE in os.environ:
        _furnish()
        return json.loads(os.environ[_INSIDE])
    prepared = json.dumps(prepare() if prepare else None)
    python = _python()
    as_root = [] if os.geteuid() == 0 else ['--map-root-user']
    with tempfile.TemporaryDirectory(prefix='bench-') as folder:
        command = ['unshare', *as_root, '--net', '--mount', '--fork', '--kill-child', *_WITHOUT_CLOCK, str(python), *sys.argv]
        sys.exit(subprocess.run(command, env=dict(os.environ, TMPDIR=folder, **{_INSIDE: prepared}), check=False).returncode)


def _python() -> Path:
    """The tests' own Python: the one that runs this where it is one of theirs."""
    if (Path(sys.prefix) / 'complete').exists() and importlib.util.find_spec('hypothesis'):
        return Path(sys.executable)
    made = subprocess.run([sys.executable, ROOT / 'tests/tools/environment.py', 'dev'],
                          stdout=subprocess.PIPE, text=True, check=False)
    if made.returncode:
        sys.exit(made.returncode)
    return Path(made.stdout.strip()) / 'python'


def address(kind: str, block: int, number: int) -> str:
    """The IP address of server `number` in a block of one's own."""
    return f'{BLOCKS[kind]}.{block}.{number + 1}'


def name_hosts(names: dict[str, list[str]]) -> None:
    """Let these names resolve to these addresses in the namespace; no other name resolves."""
    lines = ['127.0.0.1 localhost'] + [f'{ip} {name}' for name, ips in names.items() for ip in ips]
    Path(os.environ['AEMOPS_BENCH_HOSTS']).write_text('\n'.join(lines) + '\n', encoding='utf-8')


def _furnish() -> None:
    status = Path('/proc/self/status').read_text(encoding='utf-8')
    bounding = next(line for line in status.splitlines() if line.startswith('CapBnd'))
    if int(bounding.split()[1], 16) >> _CAP_SYS_TIME & 1:
        sys.exit('this process could set the clock of this machine: it does not go on')
    for word in ('http_proxy', 'https_proxy', 'all_proxy', 'no_proxy'):
        os.environ.pop(word, None)
        os.environ.pop(word.upper(), None)
    _run('ip', 'link', 'set', 'lo', 'up')
    for prefix in BLOCKS.values():
        _run('ip', 'address', 'add', f'{prefix}.0.1/16', 'dev', 'lo')
        _run('ip', 'route', 'replace', 'local', f'{prefix}.0.0/16', 'dev', 'lo')  # every address of the block is ours
    folder = Path(tempfile.mkdtemp(prefix='names-'))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / 'nsswitch.conf').write_text('hosts: files\npasswd: files\ngroup: files\n', encoding='utf-8')
    os.environ['AEMOPS_BENCH_HOSTS'] = str(folder / 'hosts')
    name_hosts({})
    for name in ('hosts', 'nsswitch.conf'):
        _run('mount', '--bind', folder / name, f'/etc/{name}')


def _run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True)
