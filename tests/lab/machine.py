# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One machine of a lab: a User-Mode Linux process with its own clock, disk and systemd."""

import json
import os
import re
import shlex
import subprocess
import time
from datetime import datetime, timezone
from pathlib import Path

from . import aem, uml
from .fingerprint import __file__ as FINGERPRINT
from .host import LabError, Process, memory_folder, preload, processor, run

KERNEL = Path(__file__).parent / 'kernel'
READY = b'LAB-READY'

# Programs for the guest. The first tells its own time at every line: see Machine.clock
TELL_TIME = 'import sys,time\nfor _ in sys.stdin: print(repr(time.time()), flush=True)'
MOVE_TIME = 'import sys,time\ntime.clock_settime(time.CLOCK_REALTIME, time.time() + float(sys.argv[1]))'


def kernel_clock(clock):
    """The `lab.clock` argument: '' (right), '@SECONDS' (a date), '+SECONDS' (from the right time).

    `clock` is None, a number of seconds, '+400d'/'-36h'/'+90s', or an ISO 8601 date (UTC unless it says otherwise).
    """
    if clock is None or clock == '':
        return ''
    if isinstance(clock, (int, float)):
        return f'{int(clock):+d}'
    short = re.fullmatch(r'([+-]\d+)([smhd]?)', clock)
    if short:
        return f'{int(short.group(1)) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[short.group(2)]:+d}'
    date = datetime.fromisoformat(re.sub('Z$', '+00:00', clock))
    if date.tzinfo is None:
        date = date.replace(tzinfo=timezone.utc)
    return f'@{int(date.timestamp())}'


def hang_up(sockets, name='*'):
    """End the connections whose sockets are in this folder."""
    for socket in sockets.glob(f'{name}.*'):
        subprocess.run(['ssh', '-q', '-S', str(socket), '-O', 'exit', 'nobody'], check=False, capture_output=True)


class Machine:
    """Made by `Lab.machine`. Its state is in `folder`; another process finds it there again."""

    def __init__(self, lab, name):
        self.lab = lab
        self.name = name
        self.folder = lab.folder / 'machines' / name
        self.console = self.folder / 'console.log'
        self.disk = self.folder / 'disk.cow'
        self.sockets = lab.sockets / name  # one a user; not in `folder`, whose path may be too long for a socket
        self.process = Process(self.folder / 'process.json')
        known = json.loads((self.folder / 'machine.json').read_text())
        self.clock_at_boot = known['clock']
        self.memory = known['memory']
        self.tap, self.mac, self.address = known['network']

    @classmethod
    def create(cls, lab, name, clock, base, memory, network):
        folder = lab.folder / 'machines' / name
        folder.mkdir(parents=True)
        (folder / 'machine.json').write_text(json.dumps({'clock': kernel_clock(clock), 'memory': memory, 'network': network}))
        if base is not None:
            disk = base.disk if isinstance(base, Machine) else Path(base)
            if isinstance(base, Machine) and base.process.pid:
                raise LabError(f'{base.name} is running: stop() it before its disk is used as a base')
            run('cp', '--sparse=always', '--reflink=auto', disk, folder / 'disk.cow')
        return cls(lab, name)

    # life

    def start(self):
        """Start it; returns at once. `wait_ready` waits for SSH."""
        if self.process.pid:
            raise LabError(f'{self.name} is running already')
        self.console.write_bytes(b'')
        network = self.lab.network
        # gro=1: without it the kernel drops the large packets it has asked the tap for, and TCP crawls at 30 kB/s
        command = ['taskset', '--cpu-list', processor(), KERNEL,
                   f'ubd0={self.disk},{self.lab.image.disk}', 'root=/dev/ubda', 'rw', f'mem={self.memory}M',
                   f'vec0:transport=tap,ifname={self.tap},mac={self.mac},gro=1', 'con=null', 'con0=null,fd:1', 'ssl=null',
                   f'uml_dir={self.folder}', 'init=/usr/lib/lab/init', 'quiet', 'systemd.show_status=0',
                   f'lab.name={self.name}', f'lab.address={self.address}/24', f'lab.host={network.host}',
                   f'lab.clock={self.clock_at_boot}']
        environment = dict(os.environ, TMPDIR=str(memory_folder(self.folder)), HOME=str(self.folder),
                           **(uml.settings() or preload()))
        self.process.start(command, network.namespace, self.console, environment)
        return self

    def wait_ready(self, timeout=180, boots=1):
        """Wait until the machine has said `boots` times on its console that SSH answers."""
        self.hang_up()
        deadline = time.monotonic() + timeout
        while self.console.read_bytes().count(READY) < boots:
            if not self.process.pid:
                raise LabError(f'{self.name} has ended. Its console:\n{self.console_tail()}')
            if time.monotonic() > deadline:
                raise LabError(f'{self.name} was not ready after {timeout} s. Its console:\n{self.console_tail()}')
            time.sleep(0.05)
        return self

    def console_tail(self, lines=30):
        return '\n'.join(self.console.read_text(errors='replace').splitlines()[-lines:])

    def reboot(self, timeout=180):
        """The guest reboots; its disk stays. It has no hardware clock: the wrong clock it was made with comes back."""
        boots = self.console.read_bytes().count(READY)
        self.ssh('systemctl --no-block reboot')
        return self.wait_ready(timeout, boots + 1)

    def stop(self, timeout=60):
        """Shut it down cleanly (its disk can then be a base); kill it if that takes too long."""
        if self.process.pid:
            self.ssh('systemctl --no-block poweroff', check=False)
            self.process.wait(timeout)
        self.kill()

    def kill(self):
        """Pull the plug."""
        self.process.stop()
        self.hang_up()

    # access

    @property
    def ssh_args(self):
        return self.lab.ssh_args

    @property
    def our_ssh_args(self):
        """Those and our key, over one connection a user: a login takes the guest half a second of processor time."""
        self.sockets.parent.mkdir(exist_ok=True)
        return [*self.ssh_args, '-i', str(self.lab.image.key),
                '-o', 'ControlMaster=auto', '-o', 'ControlPersist=60', '-o', f'ControlPath={self.sockets}.%r']

    def hang_up(self):
        """End our connections: the guest, or the way to it, is no longer what they know."""
        hang_up(self.sockets.parent, self.sockets.name)

    def ssh(self, command, user='root', check=True, input=None, timeout=120):  # noqa: A002 - as in subprocess.run
        """Run a shell command in the guest, `input` (text or bytes) on its stdin; returns the CompletedProcess (text)."""
        given = input.encode() if isinstance(input, str) else input or b''
        done = subprocess.run(['ssh', *self.our_ssh_args, f'{user}@{self.address}', command],
                              input=given, check=False, timeout=timeout, capture_output=True)
        done.stdout, done.stderr = (text.decode(errors='replace') for text in (done.stdout, done.stderr))
        if check and done.returncode:
            raise LabError(f'{self.name}: {command!r} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}')
        return done

    def put(self, local, remote, mode=None):
        """Copy a file into the guest, as root."""
        run('scp', '-q', *self.our_ssh_args, local, f'root@{self.address}:{remote}')
        if mode is not None:
            self.ssh(f'chmod {mode:o} {shlex.quote(str(remote))}')

    def write(self, remote, text, mode=0o644):
        """Write a text file in the guest, as root; its folder is made."""
        path = shlex.quote(str(remote))
        self.ssh(f'mkdir -p "$(dirname {path})" && umask 077 && cat >{path} && chmod {mode:o} {path}', input=text)

    # the clock

    def clock(self, samples=8):
        """Guest's time minus this machine's, in seconds; `clock_and_error` says how good it is (some milliseconds)."""
        return self.clock_and_error(samples)[0]

    def clock_and_error(self, samples=8):
        """Ask the guest's time over one open SSH session, bracketed by our own; the quickest answer wins.

        The guest's stamp was taken between our two, so the error is at most half the quickest round trip.
        """
        talk = subprocess.Popen(['ssh', *self.our_ssh_args, f'root@{self.address}', f'exec python3 -uSc {shlex.quote(TELL_TIME)}'],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        seen = []
        with talk:
            assert talk.stdin and talk.stdout
            for _sample in range(samples + 1):  # the first one waits for Python to start
                before = time.time()
                talk.stdin.write('\n')
                answer = talk.stdout.readline()
                after = time.time()
                if not answer:
                    raise LabError(f'{self.name} did not tell its time')
                seen.append((after - before, float(answer) - (before + after) / 2))
            talk.stdin.close()
        trip, offset = min(seen)
        return offset, trip / 2

    def set_clock(self, clock):
        """Set the guest's clock now, over SSH; `clock` as in `Lab.machine`. The guest must be User-Mode Linux.

        There is no local way into this: the command only ever goes to the guest's address, and there it checks again.
        """
        word = kernel_clock(clock) or '+0'
        wanted = int(word[1:]) - time.time() if word.startswith('@') else int(word)
        self.ssh(f"grep -q 'User Mode Linux' /proc/cpuinfo && python3 -Sc {shlex.quote(MOVE_TIME)} {wanted - self.clock():.6f}")

    # what is on it

    def deploy_aem(self, **settings):
        """Put the stand-in of AEM on it (http://localhost:4502, admin/admin) and wait until it is ready.

        `settings` are keys of the stand-in's configuration, say `scenario` or `lease`; see tests/fakes/aem.py.
        """
        aem.deploy(self, **settings)

    def configure_aem(self, **settings):
        """Change keys of the stand-in's configuration; they hold from its next request."""
        aem.configure(self, **settings)

    def wait_aem(self):
        """Wait until AEM's login page answers, say after a reboot."""
        aem.wait(self)

    def fingerprint(self):
        """What the machine is like: packages, /etc, units, boot, offset of its clock. Compare with `fingerprint.changes`."""
        taken = json.loads(self.ssh('python3 -S -', input=Path(FINGERPRINT).read_text()).stdout)
        return {**taken, 'clock': self.clock()}
