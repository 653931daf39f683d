# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the lab needs from the machine it runs on, and how processes are started and ended there."""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

CACHE = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'aemops-brand-portal' / 'lab'
STATE = Path('/var/lib/aemops-lab')

# command -> Debian packages
COMMANDS = {
    'linux.uml': 'user-mode-linux',
    'mmdebstrap': 'mmdebstrap',
    'mke2fs': 'e2fsprogs',
    'ip': 'iproute2',
    'ssh': 'openssh-client',
    'apt-ftparchive': 'apt-utils',
    'unshare': 'util-linux',
    'setpriv': 'util-linux',
    'taskset': 'util-linux',
    'nsenter': 'util-linux',
}

PACKAGES = Path(__file__).parents[1] / 'tools' / 'packages'

# Nothing the lab starts may touch this machine's clock, whatever it thinks it is.
WITHOUT_CLOCK = ['setpriv', '--bounding-set=-sys_time', '--inh-caps=-sys_time']


# Up to 6.12, User-Mode Linux cannot give a process back a state of more than 2696 bytes; with AMX it has 11008.
STATE_IS_LARGE = 'amx_tile'
XSTATE = Path(__file__).with_name('xstate.c')


class LabError(Exception):
    """The lab cannot go on; the message says what is missing and what to do."""


class CannotRunHere(LabError):
    """This machine cannot run a lab, and no retry changes that: tests that need one skip. Any other error fails them."""


def say(text):
    print(f'lab: {text}', file=sys.stderr, flush=True)


@contextmanager
def step(text):
    """Say what is being done and how long it took, one line each."""
    began = time.monotonic()
    say(f'{text} ...')
    yield
    say(f'{text}: {time.monotonic() - began:.1f} s')


def run(*command, **options):
    """Run a command; a failure carries its output."""
    options.setdefault('stdout', subprocess.PIPE)
    options.setdefault('stderr', subprocess.STDOUT)
    done = subprocess.run([str(word) for word in command], text=True, check=False, **options)
    if done.returncode:
        raise LabError(f'{" ".join(map(str, command))} ended with {done.returncode}:\n{(done.stdout or "")[-3000:]}')
    return done.stdout or ''


@contextmanager
def locked(path):
    """Only one process at a time gets past here; the lock goes with the process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'w') as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def require():
    """Check this machine, install the missing packages. Raises CannotRunHere with everything that is missing."""
    problems = []
    if platform.system() != 'Linux' or platform.machine() != 'x86_64':
        problems.append(f'User-Mode Linux needs Linux on x86_64, this is {platform.system()} on {platform.machine()}')
    if os.geteuid() != 0:
        problems.append('the lab makes network namespaces and a root file system: run it as root')
    if not Path('/dev/net/tun').exists():
        problems.append('/dev/net/tun is missing: load the module tun, or give it to this container')
    commands = {**COMMANDS, **({'gcc': 'gcc libc6-dev'} if processor_state_is_large() else {})}
    missing = sorted({word for command, packages in commands.items() if not shutil.which(command) for word in packages.split()})
    if missing and not shutil.which('apt-get'):
        problems.append(f'these commands\' Debian packages are missing and there is no apt-get: {" ".join(missing)}')
    if problems:
        raise CannotRunHere('this machine cannot run the lab: ' + '; '.join(problems))
    if missing:
        with step(f'installing on this machine: {" ".join(missing)}'):
            run(PACKAGES, *missing)  # one caller at a time: apt-get update does not wait for another one


def memory_folder(otherwise):
    """Where a machine's memory file goes: /dev/shm, unless a container made that small or forbids programs in it."""
    try:
        place = os.statvfs('/dev/shm')
    except OSError:
        return otherwise
    fits = place.f_bavail * place.f_frsize > 1 << 30 and not place.f_flag & os.ST_NOEXEC
    return Path('/dev/shm') if fits else otherwise


def processor():
    """The number of this machine's processor for the next lab machine: the one with the fewest of them.

    A machine is a kernel's process and one for each program in it, of which only one runs at a time. On two processors each call
    of a system function wakes the other one, and the same work takes half as much time again.
    """
    taken: list[int] = []
    for record in STATE.glob('lab*/machines/*/process.json'):
        pid = Process(record).pid
        with suppress(ProcessLookupError):
            taken += os.sched_getaffinity(pid) if pid else ()
    return min(sorted(os.sched_getaffinity(0)), key=taken.count)


def processor_state_is_large():
    """Whether User-Mode Linux needs xstate.c on this processor."""
    return STATE_IS_LARGE in Path('/proc/cpuinfo').read_text().split()


def preload():
    """What User-Mode Linux needs in its environment: nothing, or LD_PRELOAD with xstate.c, built when first asked for."""
    if not processor_state_is_large():
        return {}
    source = XSTATE.read_bytes()
    library = CACHE / f'xstate-{hashlib.sha256(source).hexdigest()[:16]}.so'
    if not library.exists():
        with locked(CACHE / 'lock'):
            unfinished = library.with_suffix('.part')
            run('gcc', '-O2', '-shared', '-fPIC', '-o', unfinished, XSTATE, '-ldl')
            unfinished.rename(library)
    return {'LD_PRELOAD': str(library)}


def start_time(pid):
    """Clock ticks since boot at which the process began, or None: with the pid it names one process for ever."""
    try:
        text = Path(f'/proc/{pid}/stat').read_text()
    except OSError:
        return None
    fields = text.rpartition(')')[2].split()
    return None if fields[0] == 'Z' else int(fields[19])


class Process:
    """A process of a lab, remembered in a file so that another process can end it."""

    def __init__(self, record):
        self.record = Path(record)

    def start(self, command, namespace, log, environment=None):
        """Start it in a network namespace (None: this machine's own), in a process group of its own."""
        enter = ['nsenter', f'--net=/run/netns/{namespace}'] if namespace else []
        with open(log, 'ab') as output:
            child = subprocess.Popen(
                [*enter, *WITHOUT_CLOCK, '--', *map(str, command)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, env=environment)
        self.record.write_text(json.dumps({'pid': child.pid, 'started': start_time(child.pid)}))
        CHILDREN[child.pid] = child

    @property
    def pid(self):
        """The process's id while it lives, else None."""
        try:
            known = json.loads(self.record.read_text())
        except (OSError, ValueError):
            return None
        if known['pid'] in CHILDREN:
            CHILDREN[known['pid']].poll()
        return known['pid'] if known['started'] and start_time(known['pid']) == known['started'] else None

    def wait(self, timeout):
        """Wait for its end; says whether it came."""
        deadline = time.monotonic() + timeout
        while self.pid and time.monotonic() < deadline:
            time.sleep(0.05)
        return not self.pid

    def stop(self):
        """End it and its children (it leads its own process group)."""
        pid = self.pid
        if pid:
            os.killpg(pid, signal.SIGKILL)
            self.wait(10)
        self.record.unlink(missing_ok=True)


CHILDREN: dict[int, subprocess.Popen] = {}  # our own children, so that their ends are collected
