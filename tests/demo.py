# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The main job, to watch: a real machine whose clock is in February 2017 and which is healed by the playbook.

Run it by `make demo`. Nothing is left running; the image of the machine stays in the cache for the next time.
"""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from lab import Lab, aem_layouts
from lab.host import LabError

ROOT = Path(__file__).resolve().parents[1]
WRONG = '2017-02-28T18:39:51Z'
PASSWORD = 'demo-password'


def say(text: str) -> None:
    print(f'\n== {text}', flush=True)


def show_failing_test(machine) -> None:
    """The end of the test page of one agent, as AEM's own button "Test Connection" shows it."""
    agent = f'mp_replication_agent0_default_{machine.lab.tenant}'
    page = machine.ssh('python3 -c "import sys, urllib.request as u; m = u.HTTPPasswordMgrWithPriorAuth();'
                       " m.add_password(None, 'http://localhost:4502', 'admin', sys.stdin.read(), is_authenticated=True);"
                       " print(u.build_opener(u.HTTPBasicAuthHandler(m))"
                       f".open('http://localhost:4502/etc/replication/agents.author/{agent}.test.html').read().decode())\"",
                       input=PASSWORD).stdout
    lines = [html.unescape(re.sub(r'<[^>]*>', '', line)).strip() for line in re.split(r'<br ?/?>', page)]
    for line in lines:
        if re.search('access token|sent. Response|Replication test (succeeded|failed)', line):
            print(f'   {line}')


# Of Ansible's output: the tasks at which each of the four parts of a run begins, and the lines that tell nothing here.
PARTS = {'Measure the clock': 'Measure', 'Look at all hosts': 'Decide', 'Find out what keeps time': 'Repair',
         'Measure again and test': 'Prove', 'Write the report': 'Report'}
NOTHING = re.compile(r'included: |skipping: |PLAY \[|$')


def heal(inventory: Path) -> int:
    environment = dict(os.environ, AEM_USER='admin', AEM_PASSWORD=PASSWORD, PYTHONUNBUFFERED='1')
    command = [str(Path(sys.executable).parent / 'ansible-playbook'), 'fix-bp-jwt.yml', '-i', str(inventory)]
    begun: set[str] = set()
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as run:
        for line in run.stdout or []:
            if line.startswith('TASK ['):
                task = line[len('TASK ['):].rpartition(']')[0].rpartition(' : ')[2]
                part = next((part for begins, part in PARTS.items() if task.startswith(begins) and part not in begun), '')
                begun.add(part)
                print(f'\n-- {part}' if part else '', f'   {task} ...', sep='\n' if part else '', flush=True)
            elif not NOTHING.match(line):
                print('   ' + line, end='', flush=True)
    return run.returncode


def main() -> int:
    began = time.monotonic()
    say('A machine of its own: User-Mode Linux with systemd, sshd, AEM and a clock in February 2017')
    print('   The first time, making its root file system takes one to two minutes without a word; again it takes seconds.')
    with Lab.create(python=sys.executable) as lab:
        lab.start_brand_portal(cert='long')
        machine = lab.machine('author1', clock=WRONG).wait_ready()
        machine.deploy_aem(password=PASSWORD)
        # A document store, so that the repair finds the unit by itself and stops AEM around the step.
        aem_layouts.arrange(machine, 'systemd', 'document-strict')
        inventory = lab.inventory(common={'fix_bp_jwt_ntp_servers': [lab.network.host]})
        say('Its clock and the test of its first replication agent')
        print('   ' + machine.ssh('date -u').stdout.strip())
        show_failing_test(machine)
        say(f'AEM_USER=... AEM_PASSWORD=... ansible-playbook fix-bp-jwt.yml -i {inventory.name}')
        code = heal(inventory)
        say('Its clock and the same test now')
        print('   ' + machine.ssh('date -u').stdout.strip())
        show_failing_test(machine)
        print(f'   The clock is {abs(machine.clock()) * 1000:.0f} ms from the time server\'s.')
    say(f'{"Healed" if code == 0 else "NOT healed"}; everything is stopped and removed again '
        f'({time.monotonic() - began:.0f} s).')
    return code


if __name__ == '__main__':
    try:
        sys.exit(main())
    except LabError as problem:
        sys.exit(f'The demo cannot run here: {problem}')
