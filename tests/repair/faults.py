# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disturbs a repair in every way that has a name, for real, on lab machines, and writes down how host and AEM were left.

    faults.py                     all; writes docs/repair-faults.md
    faults.py disk-full reboot    only these; the others keep their last outcome
    faults.py --list              what there is

A trial: a machine with a wrong clock, the fault, a run; then the fault is lifted, and the playbook is run twice more. What
was printed by a trial that fails is kept in tests/output/repair/.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import datetime
import json
import re
import shlex
import sys
import threading
import time
import traceback
import typing as t
from pathlib import Path

if not __package__:  # run as a command
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from repair import faults
    sys.exit(faults.main())

from system import playbook

from lab.host import LabError

from .hosts import KINDS
from .trial import (
    AGENTS,
    AT_ONCE,
    NEAR,
    OUTPUT,
    PASSED,
    ROOT,
    Hosts,
    Patient,
    Seen,
    common_complaints,
    differences,
    not_healed,
    not_repeatable,
    row,
)

DOCUMENT = ROOT / 'docs' / 'repair-faults.md'
OUTCOMES = OUTPUT / 'faults.json'
CALLBACKS = Path(__file__).with_name('callbacks')
NTP_SERVER = Path(__file__).with_name('ntp_server.py')
AEM_BACK = 240  # seconds in which AEM has to be back when nobody is left who could say so
AEM_CONFIGURATION = '/etc/aem-standin/config.json'

# A run is disturbed by what is seen on the host, not by the names of tasks; from this one on it is looked at.
REPAIR = 'Find out what keeps time on this host'
AEM_STOPPED = '! systemctl is-active -q aem'
INSTALLING = 'pgrep -x "apt-get|dpkg" >/dev/null'
# The module is the Python that sudo started with nothing but its name: it gets its program on its standard input.
MODULE = '$(pgrep -f "^/usr/bin/python3( -I)?$" -u root)'

INTRODUCTION = '''\
# What a disturbed repair leaves behind

<!-- Written by tests/repair/faults.py from a run: `make repair-faults`. -->

Each row is a trial on a lab machine of its own ([how](../tests/lab/README.md)) with AEM on a document store and a clock that is
90 s behind, unless the row says otherwise. The fault is real: a full disk, a killed process, a network that is gone. Then the
fault is lifted and the playbook is run twice more.

In every row it is asserted that no two daemons run, that no file of the host's owners differs by a byte, that AEM is not left
stopped, that the next run heals the host and that the one after it changes nothing; *restored* means that also packages, units
and all of `/etc` are as they were before. **✗**: something of that was not so; it is said below.
'''


class Scene:
    """One trial: a machine in a lab that no other trial uses meanwhile, and all that a fault is made of."""

    def __init__(self, patient: Patient) -> None:
        self.patient = patient
        self.machine = patient.machine
        self.lab = patient.machine.lab
        self.variables: dict[str, t.Any] = {}
        self.at: list[tuple[int | str, str]] = []  # (task, what to do when the run comes there)
        self.tasks = self.machine.folder / 'tasks.jsonl'

    def run(self) -> playbook.Run:
        return self.patient.play(variables=self.variables, ANSIBLE_CALLBACK_PLUGINS=str(CALLBACKS),
                                 AEMOPS_AT_TASK=json.dumps(self.at), AEMOPS_TASKS=str(self.tasks))

    def as_root(self, command: str) -> str:
        """A shell command for this machine that runs one in the guest, outside of Ansible's connections."""
        ssh = ['ssh', *self.machine.ssh_args, '-i', str(self.lab.image.key), f'root@{self.machine.address}', command]
        return ' '.join(map(shlex.quote, ssh))

    @property
    def cut(self) -> str:
        """A shell command that takes the machine off the network, and ends what Ansible has open to it."""
        network, control = self.lab.network, shlex.quote(str(self.patient.control))
        return (f'ip -netns {network.namespace} link set {self.machine.tap} down; '
                f'ip route add unreachable {self.machine.address}/32; '
                f'for socket in {control}/*; do [ ! -S "$socket" ] || ssh -q -S "$socket" -O exit nobody 2>/dev/null; done; true')

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
        """Start an NTP server that lies or is slow, at an address of its own; returns that."""
        address = f'{self.lab.network.host.rpartition(".")[0]}.{100 + number}'
        self.lab.network.inside('address', 'replace', f'{address}/24', 'dev', 'br0')
        log = self.lab.services.log(f'ntp{number}')
        process = self.lab.services.process(f'ntp{number}')
        process.start([sys.executable, NTP_SERVER, address, str(offset), str(delay)], self.lab.network.namespace, log)
        return address

    def happened(self) -> list[dict[str, t.Any]]:
        """The events of the run's tasks."""
        return [json.loads(line) for line in self.tasks.read_text(encoding='utf-8').splitlines()] if self.tasks.exists() else []


class End(t.NamedTuple):
    """How a disturbed run has to end: what it says, and what the host is like then.

    `restored`: everything but the clock is as it was. `clock`: right, or as it was; None: either. `aem` is False where the
    fault itself keeps AEM down. `healed`: the run gets through in spite of it, and the agents are answered 200.
    """

    says: tuple[str, ...] = ()
    restored: bool = False
    healed: bool = False
    clock: str | None = None
    aem: bool = True


def nothing(_scene: Scene) -> None:
    """There is nothing to be done."""


class Fault(t.NamedTuple):
    """`inject` makes it, or plans it; `reach` makes the machine one that can be looked at; `lift` ends it."""

    title: str
    how: str
    inject: t.Callable[[Scene], None]
    end: End
    lift: t.Callable[[Scene], None] = nothing
    reach: t.Callable[[Scene], None] = nothing
    kind: str = 'none'
    clock: int = -90


def no_packages(scene: Scene) -> None:
    scene.lab.stop_packages()


def packages_again(scene: Scene) -> None:
    scene.lab.start_packages()


def fill_disk(scene: Scene) -> None:
    """To the last block: root may use those that are kept for it."""
    scene.machine.ssh('cat /dev/zero >/fill 2>/dev/null; for i in 1 2 3; do cat /dev/zero >/fill$i 2>/dev/null; done; sync; '
                      'if echo x >/etc/full-test 2>/dev/null; then false; else rm -f /etc/full-test; fi', timeout=300)


def empty_disk(scene: Scene) -> None:
    scene.machine.ssh('rm -f /fill /fill?')


def mistype(scene: Scene) -> None:
    """While chrony runs: it will not start again with this."""
    scene.machine.ssh("cp -p /etc/chrony/chrony.conf /root/chrony.conf; echo 'sever ntp1.site.example' >>/etc/chrony/chrony.conf")


def type_again(scene: Scene) -> None:
    scene.machine.ssh('cp -p /root/chrony.conf /etc/chrony/chrony.conf')


def short_life(scene: Scene) -> None:
    """Whoever starts chrony sees it start, and end a second later."""
    scene.machine.write('/etc/systemd/system/chrony.service.d/short.conf', '[Service]\nRuntimeMaxSec=1\n')
    scene.machine.ssh('systemctl daemon-reload')


def long_life(scene: Scene) -> None:
    scene.machine.ssh('rm -r /etc/systemd/system/chrony.service.d; systemctl daemon-reload')


def no_reference(scene: Scene) -> None:
    scene.lab.stop_ntp()
    scene.lab.stop_brand_portal()


def references_again(scene: Scene) -> None:
    scene.lab.start_ntp()
    scene.lab.start_brand_portal()
    scene.variables = {}


def liars(scene: Scene) -> None:
    scene.variables['fix_bp_jwt_ntp_servers'] = [scene.ntp_server(number, 86400, 0) for number in (1, 2, 3)]


def one_liar(scene: Scene) -> None:
    """Beside two honest servers and the tenant's Date."""
    scene.variables['fix_bp_jwt_ntp_servers'] = [scene.lab.network.host, scene.ntp_server(4, 0, 0), scene.ntp_server(5, 3600, 0)]


def slow(scene: Scene) -> None:
    scene.variables['fix_bp_jwt_ntp_servers'] = [scene.ntp_server(number, 0, 30) for number in (6, 7)]


def other_servers(scene: Scene) -> None:
    scene.variables = {}


def ntp_blocked(scene: Scene) -> None:
    scene.lab.stop_ntp()


def ntp_again(scene: Scene) -> None:
    scene.lab.start_ntp()


def once(seen: str, then: str) -> str:
    """A program for the guest that waits until something can be seen there, and acts."""
    return f'until {seen}; do sleep 0.1; done; {then}'


def take_time(scene: Scene) -> None:
    """AEM takes some seconds to stop, as a real one does (that takes more): there is time to come in between."""
    scene.machine.write('/etc/systemd/system/aem.service.d/slow.conf', '[Service]\nExecStop=/bin/sleep 4\n')
    scene.machine.ssh('systemctl daemon-reload')


def kill_module(seen: str) -> t.Callable[[Scene], None]:
    def inject(scene: Scene) -> None:
        take_time(scene)
        scene.at = [(REPAIR, f'({scene.as_root(once(seen, f"kill -9 {MODULE}"))}) >/dev/null 2>&1 &')]
    return inject


def kill_controller(seen: str) -> t.Callable[[Scene], None]:
    def inject(scene: Scene) -> None:
        take_time(scene)
        kill = 'children=$(pgrep -P $ansible); kill -9 $ansible $children'
        scene.at = [(REPAIR, f'ansible=$PPID; ({scene.as_root(once(seen, "true"))}; {kill}) >/dev/null 2>&1 &')]
    return inject


# The machine's file system has no journal, so what is written has to be on the disk before it is reset.
RESET = 'sync; echo b >/proc/sysrq-trigger'


def reboot(seen: str, how: str) -> t.Callable[[Scene], None]:
    def inject(scene: Scene) -> None:
        take_time(scene)
        scene.at = [(REPAIR, f'(timeout 60 {scene.as_root(once(seen, how))}) >/dev/null 2>&1 &')]
    return inject


def after_reboot(scene: Scene) -> None:
    scene.machine.wait_ready(boots=2)


def no_start(scene: Scene) -> None:
    """AEM runs, and will not start again once it is stopped."""
    scene.machine.write('/etc/systemd/system/aem.service.d/broken.conf', '[Service]\nExecStartPre=/bin/false\nRestart=no\n')
    scene.machine.ssh('systemctl daemon-reload')


def start_again(scene: Scene) -> None:
    scene.variables = {}
    scene.machine.ssh('rm -rf /etc/systemd/system/aem.service.d; systemctl daemon-reload; systemctl reset-failed aem; '
                      'systemctl start aem')
    scene.machine.wait_aem()


def never_ready(scene: Scene) -> None:
    """Once the repair has begun it answers 503, for an hour after each start."""
    scene.variables['fix_bp_jwt_aem_ready_timeout'] = 20
    scene.machine.configure_aem(starting_seconds=0)
    change = f"sed -i 's/\"starting_seconds\": 0/\"starting_seconds\": 3600/' {AEM_CONFIGURATION}"
    scene.at = [(REPAIR, scene.as_root(change))]


def ready_again(scene: Scene) -> None:
    scene.variables = {}
    scene.machine.configure_aem(starting_seconds=0)


def no_service(scene: Scene) -> None:
    scene.variables['fix_bp_jwt_aem_service'] = ''


FAULTS: dict[str, Fault] = {
    'no-packages': Fault('package install fails', 'the package server is down', no_packages,
                         End(('package',), restored=True, clock='right'), packages_again),
    'disk-full': Fault('disk full, daemon there', 'not a block is free', fill_disk, End(('make room on this host',), restored=True),
                       empty_disk, kind='stock'),
    'disk-full-install': Fault('disk full, daemon to be installed', 'not a block is free', fill_disk,
                               End(('make room on this host',), restored=True), empty_disk),
    'rejected': Fault('configuration rejected by the daemon', 'chrony runs; since it was started somebody has mistyped a line',
                      mistype, End(('chrony.conf', 'sever'), restored=True, clock='wrong'), type_again, kind='stock'),
    'dies': Fault('daemon starts and dies', 'chrony is ended a second after each start', short_life,
                  End(('chrony',), restored=True, clock='right'), long_life),
    'dies-masked': Fault('daemon starts and dies', 'the same, chrony being there', short_life,
                         End(('chrony',), restored=True, clock='right'), long_life, kind='masked'),
    'unreachable': Fault('servers unreachable', 'no NTP server and no Brand Portal can be reached', no_reference,
                         End(('no_reference', 'open UDP 123'), restored=True, clock='wrong'), references_again),
    'liars': Fault('servers lie', 'all three NTP servers are a day ahead, the tenant\'s Date is right', liars,
                   End(('no_reference',), restored=True, clock='wrong'), other_servers),
    'one-liar': Fault('one server lies', 'one of three NTP servers is an hour ahead', one_liar, End(healed=True, clock='right')),
    'slow': Fault('servers answer after 30 s', 'both NTP servers do', slow,
                  End(('UDP 123',), healed=True, clock='right'), other_servers),
    'blocked': Fault('NTP blocked', 'nothing listens on UDP 123; HTTPS works', ntp_blocked,
                     End(('UDP 123',), healed=True, clock='right'), ntp_again),
    'step-killed': Fault('module killed while AEM is stopped', 'kill -9 on the host', kill_module(AEM_STOPPED), End()),
    'module-killed': Fault('module killed while it installs', 'kill -9 on the host', kill_module(INSTALLING), End()),
    'controller-killed': Fault('controller killed while AEM is stopped', 'kill -9 of ansible-playbook and its children',
                               kill_controller(AEM_STOPPED), End()),
    'controller-killed-late': Fault('controller killed while the daemon is installed', 'kill -9 of it and its children',
                                    kill_controller(INSTALLING), End()),
    'reboot': Fault('reboot while the daemon is installed', 'somebody says `reboot`', reboot(INSTALLING, 'reboot'), End(),
                    reach=after_reboot),
    'reset': Fault('reset while the daemon is installed', 'the machine starts anew without a word to anybody',
                   reboot(INSTALLING, RESET), End(), reach=after_reboot),
    'reset-early': Fault('reset while AEM is stopped', 'the machine starts anew without a word to anybody',
                         reboot(AEM_STOPPED, RESET), End(), reach=after_reboot),
    'no-aem': Fault('AEM does not come back', 'its unit cannot be started again', no_start,
                    End(('AEM',), clock='right', aem=False), start_again),
    'never-ready': Fault('AEM comes back and never gets ready', 'it starts and answers 503 for an hour', never_ready,
                         End(('AEM',), clock='right'), ready_again),
    'lease': Fault('AEM dies when the clock jumps', 'nobody has told the role its service', no_service,
                   End(('AEM',), clock='right', aem=False), start_again, clock=-150),
}
# Beside them, a run is cut off before each of its tasks that work on the host: cut-1, cut-2 ...
CUT = 'cut'


# What needs no host.
LOCAL = re.compile(r'\b(include_|import_|set_fact|debug|fail|assert|meta|add_host|group_by|validate_argument|fix_bp_jwt_stage)')


def cut_before(number: int) -> Fault:
    def inject(scene: Scene) -> None:
        scene.at = [(number, scene.cut)]
    return Fault('SSH cut', '', inject, End(), reach=Scene.mend)


def tasks_of_a_run(hosts: Hosts) -> list[tuple[int, str]]:
    """Number and name of the tasks that work on the host in a repair; the run is an undisturbed one."""
    scene = Scene(hosts.patient('none', KINDS['none'], -90, 'cut-none'))
    try:
        assert scene.run().returncode == 0
        started = {event['number']: event for event in scene.happened() if event['event'] == 'start'}
        done = {event['number'] for event in scene.happened() if event['event'] in ('ok', 'failed')}
    finally:
        scene.machine.kill()
    return [(number, event['name'] or event['action']) for number, event in sorted(started.items())
            if number in done and (event['step'] in ('measure', 'prove') or not LOCAL.search(event['action']))]


def disturb(scene: Scene, fault: Fault) -> dict[str, t.Any]:
    """The whole trial; its outcome, and `printed`."""
    patient, name = scene.patient, scene.machine.name
    fault.inject(scene)
    before, was = patient.look(), scene.machine.fingerprint()
    began = time.monotonic()
    run = scene.run()
    seconds = time.monotonic() - began
    fault.reach(scene)
    scene.wait_for_orphan()
    after, back = wait_for_aem(patient, before if fault.end.aem else None)
    left = differences(was, scene.machine.fingerprint())
    found = not_as_it_has_to_end(fault, run, before, after, left)
    fault.lift(scene)
    scene.at = []
    lifted = patient.look()
    again = patient.play(variables=scene.variables)
    healed = patient.look()
    found += [f'next run: {complaint}' for complaint in not_healed(patient.kind, again, lifted, healed)]
    third = patient.play(variables=scene.variables)
    found += not_repeatable(name, third)
    journal = scene.machine.ssh('journalctl --no-pager --lines 120', check=False).stdout if found else ''
    return {
        'outcome': '; '.join(found) or PASSED, 'seconds': seconds, 'state': words_of(after, left, back),
        'says': message_of(run), 'next': words_of_next(again, name, healed),
        'printed': '\n===== '.join([run.output, f'left: {left}\nbefore: {before}\nafter: {after}', f'next\n{again.output}',
                                   f'{healed}', f'third\n{third.output}', f'journal\n{journal}'])}


def wait_for_aem(patient: Patient, before: Seen | None) -> tuple[Seen, float]:
    """What the host is like, and the seconds that AEM took to be as it was: whoever was cut off may have left word to start it."""
    began = time.monotonic()
    after = patient.look()
    while before and after.aem != before.aem and time.monotonic() < began + AEM_BACK:
        time.sleep(2)
        after = patient.look()
    return after, time.monotonic() - began


def not_as_it_has_to_end(fault: Fault, run: playbook.Run, before: Seen, after: Seen, left: list[str]) -> list[str]:
    """Complaints about the end of the disturbed run."""
    end, said = fault.end, ' '.join(run.output.split())
    found = common_complaints(before, after, before.aem if end.aem else '')
    found += [f'the run does not say "{words}"' for words in end.says if words not in said]
    if (run.returncode == 0) != end.healed:
        found.append(f'the run ended with {run.returncode}')
    if before.active and not after.active:
        found.append(f'{before.active[0]} does not run any more, and no other one does')
    if end.clock and (abs(after.clock) < 1) != (end.clock == 'right'):
        found.append(f'the clock is {after.clock:+.3f} s off')
    if end.healed and after.agents != [200] * AGENTS:
        found.append(f'the agents are answered {after.agents}')
    return found + ([f'changed: {change}' for change in left] if end.restored else [])


def words_of(seen: Seen, left: list[str], back: float) -> str:
    """A machine in the words of the table."""
    clock = f'clock {seen.clock:+.1f} s' if abs(seen.clock) >= 1 else f'clock right ({seen.clock * 1000:+.0f} ms)'
    runs = [unit.replace('.service', '') for unit in seen.active]
    enabled = [unit.replace('.service', '') for unit in seen.enabled]
    daemon = f'{" and ".join(runs)} runs' if runs else 'no daemon runs'
    if enabled != runs:
        daemon += f', {" and ".join(enabled) or "none"} enabled'
    agents = f'AEM {"runs" if seen.aem == "active" else seen.aem}'
    if seen.aem == 'active':
        agents += f' (came back after {back:.0f} s)' if back > 10 else ''
        agents += f', agents {"200" if set(seen.agents) == {200} else "/".join(map(str, seen.agents))}'
    rest = 'restored' if not left else f'{len(left)} files, units or packages differ'
    return f'{clock}; {daemon}; {agents}; {rest}'


def words_of_next(again: playbook.Run, name: str, healed: Seen) -> str:
    changed = again.recap.get(name, {}).get('changed')
    return f'{"healed" if again.returncode == 0 else "NOT healed"}, changed={changed}, clock {healed.clock * 1000:+.0f} ms'


def message_of(run: playbook.Run) -> str:
    """What the run said why it failed: its last error, else how it ended."""
    failed = ''.join(re.findall(r'^fatal: .*$', run.output, re.MULTILINE))
    found = re.findall(r'"msg": ("(?:[^"\\]|\\.)*")', failed)
    text = json.loads(found[-1]) if found else '(killed)' if run.returncode < 0 else ''
    if 'UNREACHABLE' in run.output:
        text = 'UNREACHABLE: ' + text
    # What stopped the repair is what counts; before it stand the host's name and what was measured.
    return ' '.join(text.rpartition('The repair stopped: ')[2].split())


def try_fault(hosts: Hosts, name: str, fault: Fault) -> dict[str, t.Any]:
    """How one trial went; what was printed is kept when it failed. The lab is as before for the next one."""
    began = time.monotonic()
    kept = OUTPUT / f'fault-{name}.txt'
    kept.unlink(missing_ok=True)
    try:
        kind = KINDS[fault.kind]
        lab = hosts.lab(kind.suite)
        scene = Scene(hosts.patient(fault.kind, kind, fault.clock, name))
        try:
            outcome = disturb(scene, fault)
        finally:
            scene.machine.kill()
            lab.start_ntp()
            lab.start_packages()
            lab.start_brand_portal()
    except Exception as problem:
        outcome = {'outcome': f'could not be tried: {type(problem).__name__}', 'printed': traceback.format_exc()}
    if outcome['outcome'] != PASSED:
        OUTPUT.mkdir(parents=True, exist_ok=True)
        kept.write_text('\n\n'.join([outcome['outcome'], outcome['printed']]), encoding='utf-8')
    return {**outcome, 'day': datetime.date.today().isoformat(), 'whole': time.monotonic() - began}


def run(wanted: t.Sequence[str], environment: playbook.Environment, outcomes: dict[str, t.Any], workers: int = AT_ONCE) -> None:
    """Try them, each worker in a lab of its own, and keep each outcome as soon as it is there."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    waiting: list[tuple[str, str, Fault]] = [(name, FAULTS[name].title, FAULTS[name]) for name in wanted if name in FAULTS]
    lock = threading.Lock()

    def keep(name: str, outcome: dict[str, t.Any]) -> None:
        with lock:
            outcomes[name] = outcome
            OUTCOMES.write_text(json.dumps(outcomes, indent=1), encoding='utf-8')
        print(f'{name}: {outcome["outcome"]} ({outcome["whole"]:.0f} s)', flush=True)

    def work(number: int) -> None:
        with Hosts(environment) as hosts:
            if number == 0 and CUT in wanted:
                for name in [name for name in outcomes if name.startswith(f'{CUT}-')]:
                    del outcomes[name]
                points = tasks_of_a_run(hosts)
                with lock:
                    waiting.extend((f'{CUT}-{count}', f'SSH cut before "{task}"', cut_before(where))
                                   for count, (where, task) in enumerate(points, 1))
            while True:
                with lock:
                    if not waiting:
                        return
                    name, title, fault = waiting.pop(0)
                outcome = try_fault(hosts, name, fault)
                del outcome['printed']
                keep(name, {**outcome, 'title': title})

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))


def document(outcomes: dict[str, t.Any]) -> str:
    lines = [INTRODUCTION, row(['fault', '', 'host and AEM afterwards', 'the run says', 'the next run']),
             row([':--', ':-:'] + [':--'] * 3)]
    cuts = sorted((name for name in outcomes if name.startswith(f'{CUT}-')), key=lambda name: int(name.rpartition('-')[2]))
    failures = []
    for name in [name for name in FAULTS if name in outcomes] + cuts:
        found = outcomes[name]
        fault = FAULTS.get(name)
        title = f'{fault.title}: {fault.how} ({KINDS[fault.kind].title}{_clock(fault)})' if fault else found['title']
        mark = '✓' if found['outcome'] == PASSED else '✗'
        said = _short(found.get('says', '-') or '(it ends well)')
        lines.append(row([title, mark, found.get('state', '-'), said, found.get('next', '-')]))
        if found['outcome'] != PASSED:
            failures.append(f'- {title}: {found["outcome"]}')
    days = sorted({each['day'] for each in outcomes.values()})
    lines += ['', f'Run on {" to ".join(days[:1] + days[1:][-1:])} by `make repair-faults`. '
              f'A healed clock is within {NEAR * 1000:.0f} ms.', '']
    return '\n'.join(lines + (['What failed:', '', *failures, ''] if failures else []))


def _clock(fault: Fault) -> str:
    return '' if fault.clock == Fault._field_defaults['clock'] else f', {-fault.clock} s behind'


def _short(text: str, most: int = 400) -> str:
    return text if len(text) <= most else text[:most].rpartition(' ')[0] + ' …'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='*', metavar='FAULT', help=f'of {", ".join([*FAULTS, CUT])}')
    parser.add_argument('--list', action='store_true', help='say what there is')
    parser.add_argument('--at-once', type=int, default=AT_ONCE, metavar='N', help=f'so many trials at a time ({AT_ONCE})')
    options = parser.parse_args()
    unknown = set(options.names) - {*FAULTS, CUT}
    if unknown:
        parser.error(f'no such fault: {", ".join(sorted(unknown))}')
    if options.list:
        print('\n'.join(f'{name}: {fault.title}: {fault.how}' for name, fault in FAULTS.items()))
        print(f'{CUT}: SSH cut before each task')
        return 0
    outcomes: dict[str, t.Any] = {}
    if options.names and OUTCOMES.exists():
        outcomes = json.loads(OUTCOMES.read_text(encoding='utf-8'))
    try:
        run(options.names or [*FAULTS, CUT], playbook.environment('core-newest'), outcomes, options.at_once)
    except (LabError, playbook.CannotRun) as reason:
        sys.exit(f'The faults cannot be tried here: {reason}')
    DOCUMENT.write_text(document(outcomes), encoding='utf-8')
    print(f'written: {DOCUMENT.relative_to(ROOT)}')
    return 0 if all(each['outcome'] == PASSED for each in outcomes.values()) else 1
