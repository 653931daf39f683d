# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A machine of some kind with a wrong clock, the playbook run on it, and what the machine is like then."""

from __future__ import annotations

import base64
import datetime
import json
import re
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

from system import playbook

from lab import Lab
from lab.fingerprint import changes
from lab.machine import Machine

from .hosts import KINDS, TIME_UNITS, Kind

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / 'tests' / 'output' / 'repair'
AT_ONCE = 2  # trials, each on a machine of its own
PASSED = 'passed'
NOT_RUN = 'not run'
PASSWORD = 'repair-password'
NEAR = 0.05  # seconds that a healed clock may be off
NEAR_NTPD = 0.2  # with ntpd, which takes minutes to slew what it has measured wrong on a busy processor
RIGHT_AGAIN = 120  # seconds that a daemon may take after a boot
AGENTS = 4
AEM = 'aem.service'

# What the role has marked as its own in a file of another administrator, with the line end that it brings along.
MARKED = re.compile(rb'\n# BEGIN aemops\.brand_portal[^\n]*\n.*?\n# END aemops\.brand_portal[^\n]*\n', re.DOTALL)

# The program that looks at a machine, in the machine: units, files, and how the agents' own tests end (when AEM runs).
LOOK = r'''
import base64, json, re, subprocess, sys, urllib.request
asked = json.load(sys.stdin)
shown = subprocess.run(['systemctl', 'show', '--property', 'Id,LoadState,ActiveState,UnitFileState'] + asked['units'],
                       stdout=subprocess.PIPE, universal_newlines=True).stdout
units = [dict(line.split('=', 1) for line in block.splitlines() if line) for block in shown.split('\n\n')]
files = {}
for path in asked['files']:
    try:
        with open(path, 'rb') as content:
            files[path] = base64.b64encode(content.read()).decode()
    except OSError:
        files[path] = None
codes = []
running = any(unit['Id'] == asked['aem'] and unit['ActiveState'] == 'active' for unit in units)
for name in asked['agents'] if running else []:
    page = urllib.request.Request('http://localhost:4502/etc/replication/agents.author/%s.test.html' % name)
    page.add_header('Authorization', 'Basic ' + base64.b64encode(('admin:' + asked['password']).encode()).decode())
    try:
        said = urllib.request.urlopen(page, timeout=60).read().decode()
        codes += [int(code) for code in re.findall(r'sent\. Response: (\d+)', said)[-1:]] or [0]
    except OSError:
        codes.append(0)
print(json.dumps({'units': {unit['Id']: unit for unit in units}, 'files': files, 'agents': codes}))
'''


class Seen(t.NamedTuple):
    """What a machine is like: its clock (seconds from right), its units, files (bytes, None: not there), agents' answers."""

    clock: float
    units: dict[str, dict[str, str]]
    files: dict[str, bytes | None]
    agents: list[int]

    @property
    def active(self) -> list[str]:
        """The time daemons that run."""
        return sorted(name for name, unit in self.units.items() if name != AEM and unit['ActiveState'] in ('active', 'activating'))

    @property
    def enabled(self) -> list[str]:
        """The time daemons that will run after the next boot."""
        return sorted(name for name, unit in self.units.items() if name != AEM and unit['UnitFileState'] in ('enabled', 'alias'))

    @property
    def aem(self) -> str:
        return self.units[AEM]['ActiveState']


class HostUnderTest:
    """A machine of a kind, with AEM on it whose repository a jump of the clock would break (a document store's lease)."""

    def __init__(self, machine: Machine, kind: Kind, environment: playbook.Environment) -> None:
        self.machine = machine
        self.kind = kind
        # A lab made without a Python 3.6 shows the kind on the image's own.
        has_own = kind.python and machine.ssh(f'test -x {kind.python}', check=False).returncode == 0
        self.interpreter = kind.python if has_own else '/usr/bin/python3'
        self.environment = playbook.environment('core-2.16') if has_own else environment
        self.python = machine.ssh(f'{self.interpreter} -V').stdout.strip()
        # connections of its own: another lab may have had this address a moment ago
        self.control = machine.folder / 'cp'
        self.variables: dict[str, t.Any] = dict(kind.variables)
        self.also: list[Machine] = []  # machines that it needs
        if kind.access:
            kind.access(self)

    def inventory(self, **variables: t.Any) -> Path:
        common = {'fix_bp_jwt_ntp_servers': [self.machine.lab.network.host], 'fix_bp_jwt_aem_service': AEM,
                  'ansible_python_interpreter': self.interpreter, **self.variables, **variables}
        own = {self.machine.name: {'ansible_host': self.machine.address}}
        return self.machine.lab.inventory(common=common, path=self.machine.folder / 'inventory.json', **own)

    def play(self, *options: str, variables: t.Mapping[str, t.Any] | None = None, **settings: str) -> playbook.Run:
        """Run the playbook; `variables` are the inventory's, `settings` Ansible's (its environment)."""
        run = playbook.play(self.environment, self.inventory(**variables or {}), '--limit', self.machine.name, *options,
                            AEM_USER='admin', AEM_PASSWORD=PASSWORD, ANSIBLE_SSH_CONTROL_PATH_DIR=str(self.control),
                            **{**self.kind.settings, **settings})
        for secret in (PASSWORD, self.variables.get('ansible_become_password')):
            assert not secret or secret not in run.output
        return run

    def look(self) -> Seen:
        tenant = self.machine.lab.tenant
        asked = {'units': [*TIME_UNITS, AEM], 'files': self.kind.kept, 'aem': AEM, 'password': PASSWORD,
                 'agents': [f'mp_replication_agent{number}_default_{tenant}' for number in range(AGENTS)]}
        self.machine.write('/run/look.py', LOOK)
        seen = json.loads(self.machine.ssh('python3 -S /run/look.py', input=json.dumps(asked)).stdout)
        files = {path: None if content is None else base64.b64decode(content) for path, content in seen['files'].items()}
        return Seen(self.machine.clock(), seen['units'], files, seen['agents'])


class Hosts:
    """Labs, one for each Debian suite, with a stopped machine of each kind to make others from; made when first asked for."""

    def __init__(self, environment: playbook.Environment) -> None:
        self.environment = environment
        self._labs: dict[str, Lab] = {}
        self._bases: dict[str, Machine] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def lab(self, suite: str = 'bookworm') -> Lab:
        with self._once(suite):
            if suite not in self._labs:
                lab = self._labs[suite] = Lab.create(suite=suite, python=sys.executable)
                lab.start_brand_portal(cert='long')
        return self._labs[suite]

    def base(self, name: str, kind: Kind) -> Machine:
        """The machine of this kind that others are copies of."""
        before = self.base(kind.upon, KINDS[kind.upon]) if kind.upon else self._prepared(
            f'author-{kind.suite}', kind.suite, None, lambda machine: machine.deploy_aem(password=PASSWORD, lease=True))
        return self._prepared(f'base-{name}', kind.suite, before, kind.make) if kind.made_by else before

    def _prepared(self, name: str, suite: str, base: Machine | None, make: t.Callable[[Machine], None]) -> Machine:
        lab = self.lab(suite)
        with self._once(name):
            if name not in self._bases:
                machine = lab.machine(name, base=base).wait_ready()
                make(machine)
                machine.stop()
                self._bases[name] = machine
        return self._bases[name]

    def boot(self, name: str, kind: Kind, clock: int, label: str) -> HostUnderTest:
        """A machine of this kind, booted with its clock so many seconds from right, AEM ready; `label` names it."""
        base = self.base(name, kind)
        machine = self.lab(kind.suite).machine(label, clock, base=base).wait_ready()
        if abs(machine.clock() - clock) > 1:  # Debian 13's systemd knows that it is not as late as that
            machine.set_clock(clock)
        machine.wait_aem()
        return HostUnderTest(machine, kind, self.environment)

    def _once(self, name: str) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(name, threading.Lock())

    def __enter__(self) -> Hosts:
        return self

    def __exit__(self, *_error: object) -> None:
        for lab in self._labs.values():
            lab.down()


def without_ours(content: bytes | None) -> bytes | None:
    """A file without the block that the role has marked as its own."""
    return None if content is None else MARKED.sub(b'', content)


def differences(before: dict[str, t.Any], after: dict[str, t.Any]) -> list[str]:
    """What differs for good between two fingerprints.

    Not the clock, nor that something runs under another process id, nor the copies that useradd and userdel make of what was
    before them, as a package's scripts call them.
    """
    without = [{**each, 'units': {name: re.sub(r' MainPID=\d+', '', unit) for name, unit in each['units'].items()}}
               for each in (before, after)]
    passing = re.compile('clock: |etc: /etc/(passwd|group|shadow|gshadow|subuid|subgid)-:')
    return [change for change in changes(*without) if not passing.match(change)]


def common_complaints(before: Seen, after: Seen, aem: str) -> list[str]:
    """What must hold however a run ended: no two daemons, nobody's file altered, AEM as it has to be ('' says nothing)."""
    found = []
    if len(after.active) > 1:
        found.append(f'{" and ".join(after.active)} fight one another')
    found += [f'{path} was altered' for path, content in before.files.items()
              if without_ours(after.files[path]) != without_ours(content)]
    if aem and after.aem != aem:
        found.append(f'AEM is {after.aem}, not {aem}')
    return found


def near(kind: Kind) -> float:
    return NEAR_NTPD if kind.daemon.startswith('ntp') else NEAR


def not_healed(kind: Kind, run: playbook.Run, before: Seen, after: Seen) -> list[str]:
    """Why a machine is not what a repair has to make of it; empty: it is."""
    found = common_complaints(before, after, 'active')
    if run.returncode:
        found.append(f'the run ended with {run.returncode}')
    if abs(after.clock) > near(kind):
        found.append(f'the clock is {after.clock:+.3f} s off')
    if after.agents != [200] * AGENTS:
        found.append(f'the agents are answered {after.agents}')
    for what, units in (('runs', after.active), ('is enabled', after.enabled)):
        if units != [kind.daemon]:
            found.append(f'{" and ".join(units) or "no daemon"} {what}, not {kind.daemon}')
    return found


def not_repeatable(name: str, again: playbook.Run) -> list[str]:
    """What is wrong with a second run, which has nothing to do."""
    changed = again.recap.get(name, {}).get('changed')
    return [] if (again.returncode, changed) == (0, 0) else [f'the second run ended with {again.returncode}, changed={changed}']


def not_refused(kind: Kind, run: playbook.Run, before: Seen, after: Seen, changed: list[str]) -> list[str]:
    """Why a run that could not heal was not as good as none; `changed` is what differs on the machine."""
    found = common_complaints(before, after, 'active')
    if not run.returncode:
        found.append('the run ended well')
    if abs(after.clock - before.clock) > 1:
        found.append(f'the clock went from {before.clock:+.1f} to {after.clock:+.1f} s off')
    said = ' '.join(run.output.split())
    found += [f'the run does not say "{words}"' for words in kind.refused if words not in said]
    return found + [f'changed: {change}' for change in changed]


class Trial(t.NamedTuple):
    """How one trial went: complaints (none: well), and seconds that the two runs took and the clock after a reboot."""

    complaints: list[str]
    seconds: float
    again: float
    output: str
    rebooted: float | None = None


def reboot(under_test: HostUnderTest) -> tuple[list[str], float]:
    """Boot with the wrong clock again, as the machine has no hardware clock, and let the daemon alone bring it right.

    Returns complaints, and the seconds from the machine being ready until the clock was right. AEM's repository is one that
    survives a jump: without a hardware clock there is one at each boot, whatever keeps the time.
    """
    machine = under_test.machine
    machine.configure_aem(lease=False)
    machine.reboot()
    wrong, began = machine.clock(), time.monotonic()
    while abs(machine.clock()) > near(under_test.kind) and time.monotonic() < began + RIGHT_AGAIN:
        time.sleep(1)
    seconds = time.monotonic() - began
    machine.wait_aem()
    seen = under_test.look()
    found = common_complaints(seen, seen, 'active')
    if abs(seen.clock) > near(under_test.kind):
        found.append(f'the clock, {wrong:+.1f} s off at the boot, is {seen.clock:+.3f} s off after {seconds:.0f} s')
    if seen.active != [under_test.kind.daemon]:
        found.append(f'{" and ".join(seen.active) or "no daemon"} runs, not {under_test.kind.daemon}')
    if seen.agents != [200] * AGENTS:
        found.append(f'the agents are answered {seen.agents}')
    return [f'after a reboot: {complaint}' for complaint in found], seconds


def heal(under_test: HostUnderTest, then_reboot: bool = False) -> Trial:
    """Run the playbook twice on a machine, and judge by its kind."""
    kind, machine = under_test.kind, under_test.machine
    before, as_it_was = under_test.look(), machine.fingerprint() if under_test.kind.refused else {}
    began = time.monotonic()
    run = under_test.play()
    seconds = time.monotonic() - began
    after = under_test.look()
    if kind.refused:
        found = not_refused(kind, run, before, after, differences(as_it_was, machine.fingerprint()))
    else:
        found = not_healed(kind, run, before, after)
    began = time.monotonic()
    again = under_test.play()
    spent = time.monotonic() - began
    if not kind.refused:
        found += not_repeatable(machine.name, again)
    rebooted = None
    if then_reboot and not kind.refused and not found:
        found, rebooted = reboot(under_test)
    journal = '' if not found else machine.ssh('journalctl --no-pager --boot --lines 80', check=False).stdout
    output = f'{run.output}\n===== again =====\n{again.output}\n===== journal =====\n{journal}\n===== seen =====\n{after}'
    return Trial(found, seconds, spent, output, rebooted)


def row(words: t.Iterable[str]) -> str:
    """A row of a table in Markdown."""
    return f'| {" | ".join(word.replace("|", "/") for word in words)} |'


def earlier_rows(document: Path) -> dict[str, list[str]]:
    """The rows of the tables of a document as it is, by their first cell, without those that were not run: what a run of some of
    them leaves as it is."""
    lines = document.read_text(encoding='utf-8').splitlines() if document.exists() else []
    rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in lines if line.startswith('| ')]
    return {cells[0]: cells for cells in rows if cells[-1] != NOT_RUN}


def keep_row(document: Path, cells: t.Sequence[str]) -> None:
    """Write one row of the table of a document, in the place of the one with the same first cell, or as the last one."""
    lines = document.read_text(encoding='utf-8').splitlines()
    rows = [number for number, line in enumerate(lines) if line.startswith('| ')]
    same = [number for number in rows if lines[number].startswith(f'| {cells[0]} |')]
    lines[same[0] if same else rows[-1] + 1:same[0] + 1 if same else rows[-1] + 1] = [row(cells)]
    document.write_text('\n'.join(lines) + '\n', encoding='utf-8')


def run_of() -> str:
    """The day and the commit of a run, for its row."""
    commit = subprocess.run(['git', 'rev-parse', '--short', 'HEAD'], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    return f'{datetime.date.today().isoformat()}, {commit.strip()}'
