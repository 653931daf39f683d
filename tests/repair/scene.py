# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a disturbed repair is made of: a scene, a fault, and how it has to end."""

from __future__ import annotations

import json
import shlex
import sys
import threading
import time
import typing as t
from pathlib import Path

from system import playbook

from lab import Lab

from .trial import HostUnderTest

CALLBACKS = Path(__file__).with_name('callbacks')
NTP_SERVER = Path(__file__).with_name('ntp_server.py')
AEM_CONFIGURATION = '/etc/aem-standin/config.json'

# A run is disturbed by what is seen on the host. From this module on it is looked at: the one that finds out what is there.
REPAIR = 'aemops.brand_portal.time_service_info'
AEM_STOPPED = '! systemctl is-active -q aem'
INSTALLING = 'pgrep -x "apt-get|dpkg|dnf|yum|zypper|rpm" >/dev/null'
# The module is the Python that sudo started with nothing but its name: it gets its program on its standard input.
MODULE = '$(pgrep -f "^/usr/(bin/python3[.0-9]*|libexec/platform-python)( -I)?$" -u root)'


def ntp_server(lab: Lab, number: int, offset: float, delay: float) -> str:
    """Start an NTP server that lies or is slow, at an address of its own; returns that. Its service is called ntpNUMBER."""
    address = f'{lab.network.host.rpartition(".")[0]}.{100 + number}'
    lab.network.inside('address', 'replace', f'{address}/24', 'dev', 'br0')
    process = lab.services.process(f'ntp{number}')
    process.start([sys.executable, NTP_SERVER, address, str(offset), str(delay)], lab.network.namespace,
                  lab.services.log(f'ntp{number}'))
    return address


class Scene:
    """One trial: a machine in a lab that no other trial uses at the same time, and all that a fault is made of."""

    def __init__(self, under_test: HostUnderTest) -> None:
        self.under_test = under_test
        self.machine = under_test.machine
        self.lab = under_test.machine.lab
        self.variables: dict[str, t.Any] = {}
        self.at: list[tuple[int | str, str]] = []  # (task, what to do when the run comes there)
        self.tasks = self.machine.folder / 'tasks.jsonl'
        self.second: playbook.Run | None = None
        self._second: threading.Thread | None = None

    def run(self) -> playbook.Run:
        return self.under_test.play(variables=self.variables, ANSIBLE_CALLBACK_PLUGINS=str(CALLBACKS),
                                    AEMOPS_AT_TASK=json.dumps(self.at), AEMOPS_TASKS=str(self.tasks))

    def as_root(self, command: str) -> str:
        """A shell command for this machine that runs one in the guest, outside of Ansible's connections."""
        ssh = ['ssh', *self.machine.ssh_args, '-i', str(self.lab.image.key), f'root@{self.machine.address}', command]
        return ' '.join(map(shlex.quote, ssh))

    @property
    def cut(self) -> str:
        """A shell command that takes the machine off the network, and ends what Ansible and we have open to it."""
        network = self.lab.network
        control, sockets = (shlex.quote(str(path)) for path in (self.under_test.control, self.machine.sockets))
        return (f'ip -netns {network.namespace} link set {self.machine.tap} down; '
                f'ip route add unreachable {self.machine.address}/32; '
                f'for socket in {control}/* {sockets}.*; do '
                '[ ! -S "$socket" ] || ssh -q -S "$socket" -O exit nobody 2>/dev/null; done; true')

    def mend(self) -> None:
        for command in (f'ip route del unreachable {self.machine.address}/32',
                        f'ip -netns {self.lab.network.namespace} link set {self.machine.tap} up'):
            playbook.subprocess.run(shlex.split(command), check=True)
        deadline = time.monotonic() + 60
        while self.machine.ssh('true', check=False).returncode and time.monotonic() < deadline:
            time.sleep(1)

    def wait_for_orphan(self) -> None:
        """A module whose controller is gone goes on by itself; another run would be told to wait for it."""
        self.machine.ssh(f'for i in $(seq 600); do [ -n "{MODULE}" ] || exit 0; sleep 0.2; done; exit 1', timeout=200)

    def ntp_server(self, number: int, offset: float, delay: float) -> str:
        return ntp_server(self.lab, number, offset, delay)

    def when(self, seen: str, then: str, seconds: int = 300) -> None:
        """Run a command in the guest when something is to be seen there, beside the run that is about to begin."""
        waiting = f'for i in $(seq {seconds * 5}); do if {seen}; then {then}; exit; fi; sleep 0.2; done'
        self.at.append((REPAIR, f'({self.as_root(waiting)}) >{shlex.quote(str(self.machine.folder))}/second.txt 2>&1 &'))

    def second_controller(self, seen: str) -> None:
        """Begin another run, from another controller, as soon as something is to be seen on the host."""
        def play() -> None:
            self.machine.ssh(once(seen, 'true'), timeout=300)
            self.second = self.under_test.play(variables=self.variables)
        self._second = threading.Thread(target=play, daemon=True)
        self._second.start()

    def wait_for_second(self) -> None:
        assert self._second
        self._second.join(600)

    def happened(self) -> list[dict[str, t.Any]]:
        """The events of the run's tasks."""
        return [json.loads(line) for line in self.tasks.read_text(encoding='utf-8').splitlines()] if self.tasks.exists() else []


def once(seen: str, then: str) -> str:
    """A program for the guest that waits until something can be seen there, and acts."""
    return f'until {seen}; do sleep 0.1; done; {then}'


def take_time(scene: Scene, seconds: int = 4) -> None:
    """AEM takes some seconds to stop, as a real one does (that takes more): there is time to come in between."""
    scene.machine.write('/etc/systemd/system/aem.service.d/slow.conf', f'[Service]\nExecStop=/bin/sleep {seconds}\n')
    scene.machine.ssh('systemctl daemon-reload')


class End(t.NamedTuple):
    """How a disturbed run has to end: what it says, and what the host is like then.

    `restored`: everything but the clock is as it was, but for what matches `others`: what a second actor has done, each of which
    has to be there, and `vendors`: what a removed package leaves behind on that system. `clock`: right, or as it was; None:
    either. `aem` is False where the fault itself keeps AEM down. `healed`: the run gets through in spite of it, and the agents are
    answered 200.
    """

    says: tuple[str, ...] = ()
    restored: bool = False
    healed: bool = False
    clock: str | None = None
    aem: bool = True
    others: tuple[str, ...] = ()
    vendors: str = ''


def nothing(_scene: Scene) -> None:
    """There is nothing to be done."""


def all_well(_scene: Scene) -> list[str]:
    """There is nothing more to be looked at."""
    return []


class Fault(t.NamedTuple):
    """`inject` makes it, or plans it; `reach` makes the machine one that can be looked at; `lift` ends it.

    `check` finds what else is wrong after the run, in words; `still` is a command that has to succeed in the guest after it and
    after each later one; `daemon` is the unit that keeps the time at the end, where that is not the kind's.
    """

    title: str
    how: str
    inject: t.Callable[[Scene], None]
    end: End
    lift: t.Callable[[Scene], None] = nothing
    reach: t.Callable[[Scene], None] = nothing
    kind: str = 'none'
    clock: int = -90
    check: t.Callable[[Scene], list[str]] = all_well
    still: str = ''
    daemon: str = ''
