# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a bench runs: a network of its own that ends with it, names of its own, and no right to set any clock.

`enter()` starts the program again inside. Nothing is left behind: the namespaces go with the last process in them.
"""

from __future__ import annotations

import atexit
import ctypes
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
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

# An address of each kind that the measurement treats differently: see ntp_peer.Pace. The "public" ones are carriers' (RFC 6598),
# which count as public; no packet leaves this machine. The servers of the first two kinds are in a network namespace of their own,
# since a host's own addresses are no reference for its clock. On loopback another port than NTP's is accepted, as for a tunnel.
BLOCKS = {'public': '100.64', 'near': '10.99', 'loopback': '127.99'}
LOOPBACK_PORT = 1123
_HERE, _THERE = '192.0.2.1', '192.0.2.2'    # the two ends of the link between the namespaces (RFC 5737)
_SERVERS = 'AEMOPS_BENCH_SERVERS'           # the process that keeps the servers' namespace
_CLONE_NEWNET = 0x40000000


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


def endpoint(ip: str) -> str:
    """The address as the option ntp_servers takes it."""
    return f'{ip}:{LOOPBACK_PORT}' if ip.startswith(BLOCKS['loopback']) else ip


def enter_servers() -> None:
    """Move this process into the servers' namespace; sockets that are open stay where they were made."""
    with open(f'/proc/{os.environ[_SERVERS]}/ns/net', 'rb') as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), 'setns')


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
    _run('ip', 'address', 'add', f"{BLOCKS['loopback']}.0.1/16", 'dev', 'lo')
    _make_servers_namespace()
    folder = Path(tempfile.mkdtemp(prefix='names-'))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / 'nsswitch.conf').write_text('hosts: files\npasswd: files\ngroup: files\n', encoding='utf-8')
    os.environ['AEMOPS_BENCH_HOSTS'] = str(folder / 'hosts')
    name_hosts({})
    for name in ('hosts', 'nsswitch.conf'):
        _run('mount', '--bind', folder / name, f'/etc/{name}')


def _make_servers_namespace() -> None:
    """Another network namespace, with a link to this one, in which each address of the blocks is local."""
    keeper = subprocess.Popen(['unshare', '--net', 'setpriv', '--pdeathsig', 'KILL', 'sleep', 'infinity'])
    atexit.register(keeper.kill)
    os.environ[_SERVERS] = str(keeper.pid)
    here = os.readlink('/proc/self/ns/net')
    while os.readlink(f'/proc/{keeper.pid}/ns/net') == here:
        if keeper.poll() is not None:
            sys.exit('unshare --net failed: this program needs root, or user namespaces')
        time.sleep(0.005)
    there = ('nsenter', '--net', '-t', keeper.pid)
    _run('ip', 'link', 'add', 'servers', 'type', 'veth', 'peer', 'name', 'clients', 'netns', keeper.pid)
    _run('ip', 'address', 'add', f'{_HERE}/30', 'dev', 'servers')
    _run('ip', 'link', 'set', 'servers', 'up')
    _run(*there, 'ip', 'link', 'set', 'lo', 'up')
    _run(*there, 'ip', 'address', 'add', f'{_THERE}/30', 'dev', 'clients')
    _run(*there, 'ip', 'link', 'set', 'clients', 'up')
    for kind in ('public', 'near'):
        _run(*there, 'ip', 'route', 'add', 'local', f'{BLOCKS[kind]}.0.0/16', 'dev', 'lo')
        _run('ip', 'route', 'add', f'{BLOCKS[kind]}.0.0/16', 'via', _THERE)


def _run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True)
