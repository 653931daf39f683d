# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The repair on a machine that enforces SELinux. Run it by `make selinux-test`.

An emulated machine (tests/lab/emulated.py) with Debian's kernel and its policy "default", the reference policy. It is healed
while it enforces, and asked afterwards: whether each file that a run has written has the label of its place, whether the kernel
has denied anything, and whether all of it holds after a boot that enforces from its start. Then the same on RHEL's layout, where
the configuration is edited in place.
"""

from __future__ import annotations

import re
import sys
import time
import typing as t
from pathlib import Path

if not __package__:  # run as a command
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from repair import selinux
    sys.exit(selinux.main())

from system import playbook

from lab import Lab, redhat
from lab.emulated import Labeled, boot
from lab.host import LabError

from . import matrix, rtc
from .rtc import Failed, must
from .trial import NEAR, keep_row, run_of

WRONG = '2017-02-28T18:39:51'
SETTLES = 10     # seconds that the daemon has after a boot
SITE = 'site.service'
SERVICE = '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n'
# What a run may have written, beside the targets of its acts.
PLACES = ['/etc/chrony', '/etc/chrony.conf', '/etc/chrony.keys', '/etc/adjtime', '/etc/systemd/system', '/var/lib/chrony',
          '/var/lib/aemops-brand-portal', '/run/aemops-brand-portal.lock']


def enforce(machine: Labeled) -> None:
    """Label the whole disk, then boot with the policy enforced from the start."""
    machine.ssh("sed -i 's/^SELINUX=.*/SELINUX=permissive/; s/^SELINUXTYPE=.*/SELINUXTYPE=default/' /etc/selinux/config")
    machine.ssh('fixfiles -F -f relabel', timeout=3600)
    machine.ssh("sed -i 's/^SELINUX=.*/SELINUX=enforcing/' /etc/selinux/config")
    machine.reboot(timeout=1200)
    # The lab's own first process has written these before there was a policy.
    machine.ssh('restorecon -F /etc/hostname /etc/hosts /etc/machine-id /usr/lib/clock-epoch')
    must(machine.ssh('getenforce').stdout == 'Enforcing\n', 'SELinux is enforcing')


def denied(machine: Labeled) -> list[str]:
    """What the kernel has denied since the boot."""
    said = machine.ssh('journalctl --boot --no-pager -q -o cat; cat /var/log/audit/audit.log 2>/dev/null', check=False).stdout
    return sorted({line for line in said.splitlines() if re.search(r'avc:\s+denied', line)})


def heal(machine: Labeled, environment: playbook.Environment) -> dict[str, t.Any]:
    """Run the role, and return what its module said."""
    try:
        return rtc.heal(machine, environment, time_sync_stop_services=[SITE])
    except Failed as error:
        raise Failed(f'{error}\n{denied(machine)}') from error


def of_the_package(machine: Labeled, environment: playbook.Environment) -> set[tuple[str, str]]:
    """The programs that are denied something when Ansible alone installs the package: its scripts start them.

    Debian's policy lets these programs write to a terminal, but neither to a file nor to a pipe in which the output of apt-get is
    kept. The kernel then gives them /dev/null instead, and they do their work.
    """
    before = denied(machine)
    machine.ssh('apt-get -o Acquire::Check-Date=false update -qq', timeout=1200)
    inventory = machine.lab.inventory(path=machine.folder / 'inventory.json')
    command = 'apt-get -y -q --no-install-recommends -o Dpkg::Use-Pty=0 install chrony'
    run = playbook.run(environment, ['ansible', machine.name, '-i', str(inventory), '--become', '-m', 'ansible.builtin.command',
                                     '-a', command], ANSIBLE_SSH_CONTROL_PATH_DIR=str(machine.folder / 'cp'))
    must(not run.returncode, 'the package was installed by Ansible alone')
    machine.ssh('apt-get purge -qqy chrony; userdel _chrony; groupdel _chrony; rm -rf /var/lib/chrony', check=False, timeout=1200)
    return {who(line) for line in denied(machine) if line not in before}


def who(line: str) -> tuple[str, str]:
    """The program that was denied something, and its domain."""
    found = re.search(r'comm="([^"]*)".* scontext=\S*?:\S*?:(\w+)', line)
    return (found.group(1), found.group(2)) if found else (line, '')


def prove(machine: Labeled, environment: playbook.Environment, unit: str, usual: t.Collection[tuple[str, str]] = ()) -> float:
    """Heal it, look at labels and denials, run again, boot again. Returns the seconds of the first run."""
    before, began = denied(machine), time.monotonic()
    said = heal(machine, environment)
    seconds = time.monotonic() - began
    off = machine.clock()
    must(said['synchronized'] and abs(off) < NEAR, f'healed: {len(said["acts"])} acts, the clock is off by {off * 1000:+.0f} ms')
    written = [act['target'] for act in said['acts'] if act['act'] == 'file']
    must(bool(written), f'written: {" ".join(written)}')
    shown = machine.ssh(f'restorecon -n -v -R {" ".join([*written, *PLACES])} 2>/dev/null', check=False).stdout
    # A place without a default has none to be wrong.
    wrong = '\n'.join(line for line in shown.splitlines() if not line.startswith('Warning no default label'))
    must(not wrong, f'labels that restorecon would change: {wrong.strip() or "none"}')
    new = [line for line in denied(machine) if line not in before and who(line) not in usual]
    must(not new, 'denied during the run: ' + ('\n'.join(new) or 'nothing'))
    again = heal(machine, environment)
    must(not again['changed'], 'a second run changes nothing')
    machine.reboot(timeout=1200)
    state = machine.ssh(f'getenforce; systemctl is-active {unit}', check=False).stdout.split()
    time.sleep(SETTLES)
    off = machine.clock()
    must(state == ['Enforcing', 'active'] and abs(off) < NEAR,
         f'booted again: {" ".join(state)}, the clock is off by {off * 1000:+.0f} ms')
    ours = [line for line in denied(machine) if re.search(r'chronyd|aemops', line)]
    must(not ours, 'denied to the daemon: ' + ('\n'.join(ours) or 'nothing'))
    return seconds


def no_daemon(machine: Labeled, environment: playbook.Environment) -> float:
    machine.write(f'/etc/systemd/system/{SITE}', SERVICE)
    machine.ssh(f'restorecon /etc/systemd/system/{SITE}; systemctl daemon-reload; systemctl enable -q --now {SITE}')
    usual = of_the_package(machine, environment)
    print(f'   denied to the scripts of the package when Ansible alone installs it: {sorted(usual) or "nothing"}', flush=True)
    return prove(machine, environment, 'chrony', usual)


def layout_of_redhat(machine: Labeled, environment: playbook.Environment) -> float:
    machine.ssh('systemctl disable -q --now chrony; rm -rf /etc/chrony/sources.d/aemops* /etc/chrony/conf.d/aemops*')
    redhat.rearrange(machine)
    machine.ssh('restorecon -R /etc /usr/lib/systemd /usr/sbin/chronyd')
    return prove(machine, environment, 'chronyd')


# A row of the repair matrix: the case, and the daemon that keeps the time afterwards.
CASES = dict(zip(matrix.SELINUX, [(no_daemon, 'chrony'), (layout_of_redhat, 'chronyd')]))


def main() -> int:
    began = time.monotonic()
    try:
        environment = playbook.environment('core-newest')
        with Lab.create('selinux', python=sys.executable) as lab:
            machine = t.cast(Labeled, boot(lab, 'labeled', WRONG, memory=1024, kind=Labeled))
            machine.wait_ready(timeout=1200)
            print(f'ready after {time.monotonic() - began:.0f} s', flush=True)
            enforce(machine)
            print(f'enforcing after {time.monotonic() - began:.0f} s', flush=True)
            for title, (case, daemon) in CASES.items():
                print(title, flush=True)
                seconds = case(machine, environment)
                untried = ['–'] * (len(matrix.CLOCKS) - 1)
                keep_row(matrix.DOCUMENT, [title, f'✓ {seconds:.0f}', *untried, f'{SETTLES}', f'`{daemon}`', run_of()])
    except Failed as problem:
        print(f'NOT as it has to be: {problem}', flush=True)
        return 1
    except (LabError, playbook.CannotRun) as problem:
        sys.exit(f'This cannot be run here: {problem}')
    print(f'Both hold ({time.monotonic() - began:.0f} s).')
    return 0
