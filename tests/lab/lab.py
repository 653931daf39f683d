# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab: machines with wrong clocks on a network of their own, with NTP, packages and Brand Portal beside them."""

import sys
from pathlib import Path

if not __package__:  # run as a command
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from lab.cli import main
    sys.exit(main())

import json
import os
import re
import secrets
import shutil

from .host import STATE, LabError, Process, locked, run, start_time
from .image import Image
from .machine import Machine, hang_up
from .network import Network
from .services import FAKES, Services


class Lab:
    """`with Lab.create() as lab: ...`, or `Lab.load(id)` for one that runs already."""

    def __init__(self, number):
        self.id = f'lab{number}'
        self.folder = STATE / self.id
        self.network = Network(number)
        self.known_hosts = self.folder / 'known_hosts'
        self.sockets = self.folder / 'ssh'  # of our connections to the machines
        known = json.loads((self.folder / 'lab.json').read_text())
        self.image = Image(known['suite'], known['image'])
        self.python = known['python']
        self.tenant = known['tenant']
        self.owner = known['owner']
        self.token = known['token']
        self.services = Services(self)

    @classmethod
    def create(cls, suite='bookworm', python=sys.executable, tenant='acme', keep=False):
        """A new lab with NTP and packages served. It ends with this process unless `keep`.

        `python` runs the stand-in for Brand Portal (it needs PyJWT and cryptography); `tenant` is whose portal it is.
        """
        image = Image.of(suite).build()
        owner = None if keep else [os.getpid(), start_time(os.getpid())]
        STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(STATE / 'lock'):
            number = Network.free({int(path.name[3:]) for path in STATE.glob('lab*')})
            folder = STATE / f'lab{number}'
            (folder / 'machines').mkdir(parents=True)
            (folder / 'lab.json').write_text(json.dumps({
                'suite': suite, 'image': str(image.folder), 'python': python, 'tenant': tenant, 'owner': owner,
                'token': secrets.token_hex(8)}))
            lab = cls(number)
        try:
            lab.network.up()
            if owner:
                lab.keeper.start([sys.executable, Path(__file__).with_name('keeper.py'), *owner, lab.id],
                                 None, folder / 'keeper.log')
            lab._write_known_hosts()
            lab.start_ntp()
            lab.start_packages()
        except BaseException:
            lab.down()
            raise
        return lab

    def _write_known_hosts(self):
        kind, key = Path(f'{self.image.host_key}.pub').read_text().split()[:2]
        self.known_hosts.write_text(f'{self.network.host.rpartition(".")[0]}.* {kind} {key}\n')

    @property
    def keeper(self):
        return Process(self.folder / 'keeper.json')

    @staticmethod
    def all():
        """The labs of this machine."""
        return [Lab(int(path.parent.name[3:])) for path in sorted(STATE.glob('lab*/lab.json'))]

    @classmethod
    def load(cls, name):
        if not (STATE / name / 'lab.json').exists():
            raise LabError(f'no lab {name}: lab.py list shows those there are')
        return cls(int(name[3:]))

    def machine(self, name, clock=None, base=None, memory=384, kind=Machine):
        """Start a machine and return it at once; then `wait_ready()`.

        `clock`: None (right), seconds from the right time, '+400d', or a date such as '2017-02-28T18:39:51Z'.
        `base`: a stopped machine, or a copy of its `disk`, to start from instead of the fresh image. `kind`: its class.
        """
        if not re.fullmatch('[a-z][a-z0-9-]*', name) or name in self.machines:
            raise LabError(f'{name!r}: a machine needs a host name that no other machine of the lab has')
        with locked(self.folder / 'lock'):
            index = len(list((self.folder / 'machines').iterdir()))
            network = self.network.add_machine(index)
            machine = kind.create(self, name, clock, base, memory, network)
        return machine.start()

    @property
    def machines(self):
        return {path.name: Machine(self, path.name) for path in sorted((self.folder / 'machines').iterdir())}

    # services at the bridge address

    def start_ntp(self, keys=''):
        """With `keys`, lines of a key file, the server also proves who it is: by these, and by NTS with the CA's certificate."""
        self.services.start_ntp(keys)

    def stop_ntp(self):
        """No reference can be reached any more: the port is closed."""
        self.services.stop('ntp')

    def start_packages(self):
        self.services.start_packages()

    def stop_packages(self):
        self.services.stop('packages')

    def start_brand_portal(self, cert='long', clock_offset=0):
        """The stand-in of the tenant and of its token server, on 443; one that runs is replaced.

        `cert`: 'long' (2010 to 2040) or 'short' (90 days, as real ones); `clock_offset`: seconds it is ahead of the right time.
        """
        self.stop_brand_portal()
        self.services.start_brand_portal(cert, clock_offset)

    def stop_brand_portal(self):
        self.services.stop('brand_portal')

    @property
    def names(self):
        """The names under which the machines find the Brand Portal stand-in."""
        return [f'{self.tenant}.brand-portal.adobe.com', 'ims-na1.adobelogin.com']

    def certificates(self):
        """The folder of the lab's CA, made when first asked for."""
        folder = self.folder / 'tls'
        if not (folder / 'ca.pem').exists():
            run(self.python, FAKES / 'ca.py', folder, '--tenant', self.tenant, '--host', self.network.host)
        return folder

    # for the controller

    def inventory(self, user='deploy', group='aem_authors', common=None, path=None, **of_machine):
        """Write an inventory of all machines and return its path (`path`, or one that the next call writes again).

        `common` are variables of the group; `NAME={...}` are those of one machine.
        """
        machines = self.machines.values()
        hosts = {machine.name: {'ansible_host': machine.address, **of_machine.get(machine.name, {})} for machine in machines}
        access = {
            'ansible_user': user,
            'ansible_ssh_private_key_file': str(self.image.key),
            'ansible_ssh_common_args': ' '.join(self.ssh_args),
            'ansible_python_interpreter': '/usr/bin/python3',
        }
        path = path or self.folder / 'inventory.json'
        path.write_text(json.dumps({group: {'hosts': hosts, 'vars': {**access, **(common or {})}}}, indent=2) + '\n')
        return path

    @property
    def ssh_args(self):
        """Options for ssh, scp and Ansible: own key, own known hosts, no questions, nothing of the user's."""
        return ['-F', 'none', '-o', f'UserKnownHostsFile={self.known_hosts}', '-o', 'GlobalKnownHostsFile=/dev/null',
                '-o', 'StrictHostKeyChecking=yes', '-o', 'IdentitiesOnly=yes', '-o', 'IdentityAgent=none', '-o', 'BatchMode=yes',
                '-o', 'ConnectTimeout=20', '-o', 'LogLevel=ERROR']

    def down(self):
        """End everything, remove everything but the caches. Its number may belong to another lab by now: that one stays."""
        with locked(STATE / 'lock'):
            try:
                if json.loads((self.folder / 'lab.json').read_text())['token'] != self.token:
                    return
            except FileNotFoundError:
                return
            if self.keeper.pid != os.getpid():
                self.keeper.stop()
            hang_up(self.sockets)
            self.network.down()
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.down()
