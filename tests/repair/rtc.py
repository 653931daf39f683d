# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The repair on a machine that has a hardware clock, and what that one makes of the next boot. Run it by `make rtc-test`.

The lab's other machines have none. This one is emulated (tests/lab/emulated.py) and slow; it is healed twice:
once its hardware clock is in 2017; then that one is right and in UTC, but the host takes it to hold local time.
"""

from __future__ import annotations

import json
import sys
import time
import typing as t
from pathlib import Path

if not __package__:  # run as a command
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from repair import rtc
    sys.exit(rtc.main())

from system import playbook

from lab import Lab
from lab.emulated import Emulated, boot
from lab.host import LabError

from .trial import NEAR

WRONG = '2017-02-28T18:39:51'
ZONE = 'Europe/Berlin'
DEVICE = '/dev/rtc0'
RTC_NEAR = 2.0   # seconds: a hardware clock tells whole ones, and the question takes its time
BOOT_NEAR = 2.0  # seconds: as near as a boot can take it from there
WATCHED = 30     # seconds: a kernel that a daemon has synchronized writes the hardware clock itself, a moment later
PLAY = [{'hosts': 'all', 'gather_facts': False, 'roles': ['aemops.brand_portal.time_sync'],
         'post_tasks': [{'name': 'Keep what the module said', 'delegate_to': 'localhost',
                         'ansible.builtin.copy': {'content': '{{ time_sync_result | to_json }}', 'dest': '{{ said }}',
                                                  'mode': '0600'}}]}]


class Failed(Exception):
    """Something was not as it has to be."""


def must(good: bool, what: str) -> None:
    if not good:
        raise Failed(what)
    print(f'   {what}', flush=True)


def heal(machine: Emulated, environment: playbook.Environment, **more: t.Any) -> dict[str, t.Any]:
    """Run the role with these variables more, and return what its module said."""
    play, said = machine.folder / 'play.json', machine.folder / 'said.json'
    play.write_text(json.dumps(PLAY), encoding='utf-8')
    variables = {'time_sync_servers': [machine.lab.network.host], 'time_sync_accept_unverified': True, 'said': str(said),
                 **more}
    inventory = machine.lab.inventory(common=variables, path=machine.folder / 'inventory.json')
    began = time.monotonic()
    run = playbook.run(environment, ['ansible-playbook', str(play), '-i', str(inventory), '--limit', machine.name],
                       ANSIBLE_SSH_CONTROL_PATH_DIR=str(machine.folder / 'cp'))
    if run.returncode:
        raise Failed(f'the role failed:\n{run.output}')
    print(f'   the role took {time.monotonic() - began:.0f} s', flush=True)
    return json.loads(said.read_text(encoding='utf-8'))


def prove(machine: Emulated, said: dict[str, t.Any]) -> None:
    """Both clocks are and stay right, also after a boot without a daemon."""
    must(said['rtc'] == {'device': DEVICE, 'written': True, 'reason': ''}, f'said of the hardware clock: {said["rtc"]}')
    until = time.monotonic() + WATCHED
    while True:
        off = machine.hardware_clock()
        if abs(off) > RTC_NEAR:
            raise Failed(f'the hardware clock is off by {off:+.1f} s')
        if time.monotonic() > until:
            break
        time.sleep(3)
    must(True, f'the hardware clock is right, and {WATCHED} s later: {off:+.1f} s')
    off = machine.clock()
    must(abs(off) < NEAR, f'the clock is off by {off * 1000:+.0f} ms')
    shown = machine.ssh('hwclock --show --utc; tail -n 1 /etc/adjtime').stdout.split('\n')
    must(shown[1] == 'UTC', f'hwclock --show --utc: {shown[0]}, adjtime(5): {shown[1]}')
    unit = said['unit']
    machine.ssh(f'systemctl disable {unit}')
    machine.reboot(timeout=1200)
    state = machine.ssh(f'systemctl is-active {unit}', check=False).stdout.strip()
    off = machine.clock()
    must(state == 'inactive' and abs(off) < BOOT_NEAR, f'booted again, {unit} {state}: the clock is off by {off:+.2f} s')


def in_the_past(machine: Emulated, environment: playbook.Environment) -> None:
    off, hardware = machine.clock(), machine.hardware_clock()
    years = -9 * 365 * 86400
    must(off < years and hardware < years, f'before: the clock is off by {off:+.0f} s, the hardware clock by {hardware:+.0f} s')
    prove(machine, heal(machine, environment))


def misread(machine: Emulated, environment: playbook.Environment) -> None:
    machine.ssh(f'ln -sf /usr/share/zoneinfo/{ZONE} /etc/localtime && test -e /etc/localtime && echo {ZONE} >/etc/timezone')
    machine.write('/etc/adjtime', '0.0 0 0.0\n0\nLOCAL\n')
    machine.reboot(timeout=1200)
    ahead = int(machine.ssh('date +%z').stdout[:3]) * 3600
    off, hardware = machine.clock(), machine.hardware_clock()
    must(abs(off + ahead) < BOOT_NEAR and abs(hardware) < RTC_NEAR,
         f'before: LOCAL, {ZONE}: the clock is off by {off:+.1f} s, the hardware clock by {hardware:+.1f} s')
    prove(machine, heal(machine, environment))


CASES = {'The hardware clock is in February 2017': in_the_past,
         'The hardware clock holds UTC and is taken for local time': misread}


def main() -> int:
    began = time.monotonic()
    try:
        environment = playbook.environment('core-newest')
        with Lab.create(python=sys.executable) as lab:
            machine = boot(lab, 'rtc', WRONG)
            machine.wait_ready(timeout=1200)
            print(f'ready after {time.monotonic() - began:.0f} s', flush=True)
            for title, case in CASES.items():
                print(title, flush=True)
                case(machine, environment)
    except Failed as problem:
        print(f'NOT as it has to be: {problem}', flush=True)
        return 1
    except (LabError, playbook.CannotRun) as problem:
        sys.exit(f'This cannot be run here: {problem}')
    print(f'Both hold ({time.monotonic() - began:.0f} s).')
    return 0
