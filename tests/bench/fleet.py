# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hundreds of AEM hosts behind real SSH, cheap enough for one machine: to diagnose and to count, not to repair.

    fleet.py --hosts 200 -- ansible-playbook -i '{inventory}' fix-bp-jwt.yml

One sshd answers at an address of its own for each host; a host's clock is this machine's, as libfaketime shows it to
every login there. One process plays every host's AEM, another Brand Portal, a third the NTP servers. All of it is
in a network that ends with the command (netns.py); no process in it may set a clock.

--hosts N     that many healthy hosts
--spec FILE   JSON, a list of hosts: name, and what is not as usual with it (see Host)
--reference-offset SECONDS
              the NTP servers and Brand Portal are so much ahead of this machine; AEM notices where its scenario is "real"
`{inventory}` and `{folder}` in the command are replaced; the folder has inventory.json, key, ca.pem and requests.json.
AEM_USER and AEM_PASSWORD are set for the command unless it has them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import netem
import netns
import tools

sys.path.append(str(netns.ROOT / 'tests'))

TENANT = 'acme'
USER, PASSWORD = 'replication-tester', 'S3cret-fleet-must-not-be-seen'
# Taken out of their packages: this machine need not have them.
PACKAGES = {'openssh-server': 'usr/sbin/sshd', 'libwrap0': 'usr/lib/x86_64-linux-gnu/libwrap.so.0',
            'libfaketime': 'usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1'}
NTP_SERVERS = 3


class Host(NamedTuple):
    """One host. Everything that is not said is well."""

    name: str
    clock: float = 0.0  # seconds ahead of this machine
    aem: dict[str, Any] = {}  # settings of the stand-in (tests/fakes/aem.py); {'scenario': 'down'}: nothing answers
    up: bool = True  # False: SSH is refused
    variables: dict[str, Any] = {}  # of its inventory


def healthy(count: int) -> list[Host]:
    return [Host(f'author{number:04d}') for number in range(1, count + 1)]


def address(number: int) -> str:
    """Of the host with this number, from 0 on."""
    return f'127.0.{1 + number // 250}.{1 + number % 250}'


class Fleet:
    """The hosts that are up, and where their inventory is."""

    def __init__(self, hosts: Sequence[Host], folder: Path) -> None:
        self.hosts, self.folder = hosts, folder
        self.inventory = folder / 'inventory.json'
        self.sshd: subprocess.Popen[str] | None = None
        self.fakes: list[int] = []  # processes that play AEM, Brand Portal and the NTP servers

    def write_inventory(self, **variables: Any) -> None:
        common = {
            'ansible_user': 'root', 'ansible_ssh_private_key_file': str(self.folder / 'key'),
            'ansible_ssh_common_args': '-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR',
            # Named, so that Ansible does not look for it: that costs each host a call more.
            'ansible_python_interpreter': '/usr/bin/python3',
            'fix_bp_jwt_aem_url': 'http://{{ ansible_host }}:4502', 'fix_bp_jwt_ca_path': str(self.folder / 'ca.pem'),
            'fix_bp_jwt_ntp_servers': [netns.address('public', 1, number) for number in range(NTP_SERVERS)],
            **variables,
        }
        hosts = {host.name: {'ansible_host': address(number), **({} if host.up else {'ansible_port': 9}), **host.variables}
                 for number, host in enumerate(self.hosts)}
        self.inventory.write_text(json.dumps({'aem_authors': {'hosts': hosts, 'vars': common}}, indent=1), encoding='utf-8')

    def start_sshd(self) -> None:
        config = ['ListenAddress 0.0.0.0:22', f'HostKey {self.folder}/host_key', 'PidFile none', 'UsePAM no', 'UseDNS no',
                  'PermitRootLogin yes', 'PasswordAuthentication no', 'StrictModes no', 'PrintMotd no', 'PrintLastLog no',
                  'MaxStartups 2000', 'LogLevel ERROR', f'AuthorizedKeysFile {self.folder}/key.pub']
        library = tools.TREE / PACKAGES['libfaketime']
        for number, host in enumerate(self.hosts):
            if host.clock:
                config += [f'Match LocalAddress {address(number)}',
                           f'  SetEnv LD_PRELOAD={library} FAKETIME={host.clock:+.0f} FAKETIME_DONT_FAKE_MONOTONIC=1']
        (self.folder / 'sshd_config').write_text('\n'.join(config) + '\n', encoding='utf-8')
        sshd = tools.TREE / PACKAGES['openssh-server']
        self.sshd = subprocess.Popen(
            ['setpriv', '--pdeathsig', 'KILL', str(sshd), '-D', '-f', str(self.folder / 'sshd_config')],
            env=dict(os.environ, LD_LIBRARY_PATH=str((tools.TREE / PACKAGES['libwrap0']).parent)), text=True)

    def stop_sshd(self) -> None:
        if self.sshd:
            self.sshd.kill()
            self.sshd.wait()


@contextlib.contextmanager
def running(hosts: Sequence[Host], reference_offset: float = 0.0) -> Iterator[Fleet]:
    """Inside the network namespace only. reference_offset: seconds by which the reference clocks are ahead of this machine."""
    from fakes import ca
    with tempfile.TemporaryDirectory(prefix='fleet-') as name:
        folder = Path(name)
        ca.make(folder, TENANT)
        for key in ('key', 'host_key'):
            subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', str(folder / key)], check=True)
        fleet = Fleet(hosts, folder)
        fleet.write_inventory()
        _furnish(folder)
        ready = netem.FORK.Event()
        fakes = netem.FORK.Process(target=_serve, args=(fleet, reference_offset, ready), daemon=True)
        fakes.start()
        try:
            with netem.Network(1, NTP_SERVERS) as network:
                network.become(netem.World(reference_offset, (netem.Server(),) * NTP_SERVERS), 1)
                fleet.fakes = [process.pid for process in (fakes, network.process) if process.pid]
                fleet.start_sshd()
                if not ready.wait(30):
                    raise RuntimeError('the stand-ins did not start')
                _wait_for_ssh()
                yield fleet
        finally:
            fleet.stop_sshd()
            fakes.terminate()
            fakes.join()
            for place in ('/etc/passwd', '/run'):
                subprocess.run(['umount', '--lazy', place], check=True)


def _furnish(folder: Path) -> None:
    """What sshd wants of a machine: its user and its folder; this machine need not have them."""
    subprocess.run(['mount', '-t', 'tmpfs', 'tmpfs', '/run'], check=True)
    Path('/run/sshd').mkdir(mode=0o755)
    passwd = ['root:x:0:0:root:/root:/bin/sh', 'sshd:x:65533:65534::/run/sshd:/bin/false', 'nobody:x:65534:65534::/:/bin/false']
    (folder / 'passwd').write_text('\n'.join(passwd) + '\n', encoding='utf-8')
    subprocess.run(['mount', '--bind', str(folder / 'passwd'), '/etc/passwd'], check=True)
    netns.name_hosts({f'{TENANT}.brand-portal.adobe.com': ['127.100.0.1'], 'ims-na1.adobelogin.com': ['127.100.0.1']})


def _wait_for_ssh() -> None:
    import socket
    for _attempt in range(200):
        try:
            socket.create_connection(('127.0.1.1', 22), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError('sshd did not start')


def _serve(fleet: Fleet, reference_offset: float, ready: Any) -> None:
    """Brand Portal, and the AEM of each host: whose it is tells the address that was asked."""
    import threading

    from fakes import aem, brand_portal, identity, web
    folder = fleet.folder
    portal = brand_portal.BrandPortal(identity.of(TENANT), (folder / 'agent.pub').read_text(encoding='utf-8'), reference_offset)
    threading.Thread(target=brand_portal.serve(portal, ('127.100.0.1', 443), str(folder / 'long.pem'), str(folder / 'long.key'))
                     .serve_forever, daemon=True).start()
    authors = {}
    for number, host in enumerate(fleet.hosts):
        settings = {**aem.DEFAULTS, 'tenant': TENANT, 'user': USER, 'password': PASSWORD, 'scenario': 'ok',
                    'private_key': str(folder / 'agent.key'), 'ca': str(folder / 'ca.pem'), **host.aem}
        settings['clock_offset'] += host.clock
        authors[address(number)] = aem.Aem(_Settings(settings))  # type: ignore[arg-type]  # no file is read here

    def answer(request: web.Request) -> None:
        author = authors[request.connection.getsockname()[0]]
        if author.configuration.now()['scenario'] == 'down':
            request.close_connection = True
            return None
        request.received = author.now()
        return author(request)
    server = web.Server(('0.0.0.0', 4502), answer)
    ready.set()
    server.serve_forever()


class _Settings(NamedTuple):
    """Replaces aem.Configuration where there is no file."""

    settings: dict[str, Any]

    def now(self) -> dict[str, Any]:
        return self.settings


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--hosts', type=int, default=5)
    parser.add_argument('--spec', type=Path)
    parser.add_argument('--reference-offset', type=float, default=0.0)
    parser.add_argument('command', nargs='+')
    options = parser.parse_args()
    hosts = healthy(options.hosts)
    if options.spec:
        hosts = [Host(**host) for host in json.loads(options.spec.read_text(encoding='utf-8'))]
    missing = netns.enter(prepare=lambda: tools.fetch(PACKAGES))
    if missing:
        sys.exit(f'no SSH server or library for the fleet: {missing}')
    with running(hosts, options.reference_offset) as fleet:
        command = [word.format(inventory=fleet.inventory, folder=fleet.folder) for word in options.command]
        # SSH sessions that outlive a fleet would lead the next one, which has the same addresses, to hosts that are gone.
        environment = {'AEM_USER': USER, 'AEM_PASSWORD': PASSWORD, 'ANSIBLE_SSH_CONTROL_PATH_DIR': str(fleet.folder / 'cp')}
        return subprocess.run(command, env={**environment, **os.environ}, check=False).returncode


if __name__ == '__main__':
    sys.exit(main())
