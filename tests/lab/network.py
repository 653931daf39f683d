# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab's network: a namespace with a bridge, taps for the machines, one pair of interfaces to this machine.

Nothing is routed: the machines see the bridge address (services) and this machine (SSH), and nothing else.
"""

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from .host import LabError, run

PREFIX = '10.213'
FIRST_MACHINE = 10


class Network:
    def __init__(self, number):
        self.number = number
        self.namespace = f'aemops-lab{number}'
        self.uplink = f'aemlab{number}'
        self.host = f'{PREFIX}.{number}.1'          # bridge: NTP, packages, Brand Portal
        self.controller = f'{PREFIX}.{number}.254'  # this machine, as the lab machines see it

    @staticmethod
    def free(taken):
        """The first number whose subnet no lab and no interface of this machine uses."""
        used = {address.get('local', '') for link in json.loads(run('ip', '-json', 'address')) for address in link['addr_info']}
        used |= {route.get('dst', '') for route in json.loads(run('ip', '-json', 'route', 'show', 'table', 'all'))}
        for number in range(1, 250):
            if number not in taken and not any(word.startswith(f'{PREFIX}.{number}.') for word in used):
                return number
        raise LabError(f'no free subnet in {PREFIX}.0.0/16: end other labs first (lab.py list, lab.py down)')

    def inside(self, *command):
        return run('ip', '-netns', self.namespace, *command)

    def up(self):
        run('ip', 'netns', 'add', self.namespace)
        self.inside('link', 'set', 'lo', 'up')
        # An address of its own: by itself a bridge takes the lowest of its ports', so each new machine could change it, and
        # the others would not reach it for as long as they believe the old one, half a minute.
        self.inside('link', 'add', 'br0', 'address', f'02:ae:{self.number:02x}:00:01:00', 'type', 'bridge', 'forward_delay', '0')
        self.inside('address', 'add', f'{self.host}/24', 'dev', 'br0')
        self.inside('link', 'set', 'br0', 'up')
        run('ip', 'link', 'add', self.uplink, 'type', 'veth', 'peer', 'name', 'uplink', 'netns', self.namespace)
        self.inside('link', 'set', 'uplink', 'master', 'br0', 'up')
        run('ip', 'address', 'add', f'{self.controller}/24', 'dev', self.uplink)
        run('ip', 'link', 'set', self.uplink, 'up')
        # packets no larger than the wire's: the machines take them 2.5 times faster than those they have to cut up
        run('ip', 'link', 'set', self.uplink, 'gso_max_segs', '1')
        self.inside('link', 'set', 'br0', 'gso_max_segs', '1')

    def add_machine(self, index):
        """A tap for the machine; returns its name, MAC and address."""
        tap = f'tap{index}'
        if not any(link['ifname'] == tap for link in json.loads(self.inside('-json', 'link'))):
            self.inside('tuntap', 'add', tap, 'mode', 'tap')
            self.inside('link', 'set', tap, 'master', 'br0', 'up')
        return tap, f'02:ae:{self.number:02x}:00:00:{index:02x}', f'{PREFIX}.{self.number}.{FIRST_MACHINE + index}'

    def processes(self):
        """Every process in the namespace: all that the lab started."""
        if not Path('/run/netns', self.namespace).exists():
            return []
        return [int(pid) for pid in run('ip', 'netns', 'pids', self.namespace).split()]

    def down(self):
        for _attempt in range(100):
            pids = self.processes()
            if not pids:
                break
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        if Path('/sys/class/net', self.uplink).exists():
            run('ip', 'link', 'delete', self.uplink)
        if Path('/run/netns', self.namespace).exists():
            run('ip', 'netns', 'delete', self.namespace)
