# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An AEM host that is a real container (systemd-nspawn): its clock is that of the machine below, and is left alone.

The container is booted from the lab's image, in a network of its own, and nothing in it or around it has CAP_SYS_TIME.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import time
import uuid

import pytest

from lab.host import WITHOUT_CLOCK, CannotRunHere
from lab.image import Image

from . import playbook

NSPAWN = 'usr/bin/systemd-nspawn'


def nspawn(folder):
    """systemd-nspawn, of this machine or out of the package that belongs to its systemd; it is not installed."""
    if shutil.which('systemd-nspawn'):
        return shutil.which('systemd-nspawn')
    version = subprocess.run(['dpkg-query', '-Wf', '${Version}', 'libsystemd-shared'], capture_output=True, text=True, check=False)
    done = subprocess.run(['apt-get', 'download', f'systemd-container={version.stdout}'], cwd=folder, capture_output=True,
                          text=True, check=False)
    packages = list(folder.glob('systemd-container*.deb'))
    if not packages:
        pytest.skip(f'not run: systemd-nspawn is missing and cannot be installed: {done.stderr.strip()}')
    subprocess.run(['dpkg-deb', '--extract', packages[0], folder], check=True)
    return str(folder / NSPAWN)


@pytest.fixture(scope='module')
def container(tmp_path_factory):
    """(the program that boots one, its root file system, the key for it)"""
    if os.geteuid() or platform.machine() != 'x86_64' or not shutil.which('debugfs'):
        pytest.skip('not run: it needs root, x86_64 and debugfs')
    folder = tmp_path_factory.mktemp('container')
    try:
        image = Image.of().build()
    except CannotRunHere as reason:
        pytest.skip(f'not run: {reason}')
    program = nspawn(folder)
    root = folder / 'root'
    root.mkdir()
    subprocess.run(['debugfs', '-R', f'rdump / {root}', image.disk], check=True, capture_output=True)
    (root / 'etc/machine-id').write_text(uuid.uuid4().hex + '\n')
    yield program, root, image.key
    shutil.rmtree(root)


def test_a_container_s_clock_is_found_not_to_be_its_own_before_anything_is_touched(container, newest, tmp_path):
    """A verified reference says that its clock is two days behind, and root by sudo asks for the repair."""
    program = tmp_path / 'run.py'
    program.write_text(PROGRAM)
    drift = time.time() - time.monotonic()
    done = subprocess.run(
        ['unshare', '--net', '--mount', *WITHOUT_CLOCK, sys.executable, program, tmp_path, newest.bin, playbook.ROOT,
         *map(str, container)], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    said = playbook.Run(done.returncode, done.stdout)
    assert abs(time.time() - time.monotonic() - drift) < 1
    assert 'RUNS IN systemd-nspawn WITHOUT CAP_SYS_TIME' in said.output, said.output[-6000:]
    assert said.remote_calls == ['brand_portal_health_info', 'time_service_info', 'clock_step'], said.output[-6000:]
    assert '  cannot_set_clock  correct the clock of the machine that this host runs on' in said.row('contained')
    assert said.recap['contained']['changed'] == 0
    flat = ' '.join(said.output.split())
    owner = "CAP_SYS_TIME is not in this host's bounding set (container: systemd-nspawn). Correct the clock of that machine"
    assert flat.count(owner) >= 2, 'the playbook and clock_step alone both say it'
    assert 'THE CONTAINER IS AS IT WAS' in said.output


PROGRAM = '''
"""In a network of its own, without CAP_SYS_TIME: a container, AEM beside it, a Brand Portal two days ahead, the playbook."""
import json, os, subprocess, sys, time
from pathlib import Path

folder, bin, repository, nspawn, root, key = map(Path, sys.argv[1:])
sys.path.insert(0, str(repository / 'tests'))
from lab.fingerprint import changes
from fakes import testing

capabilities = dict(line.split(':') for line in open('/proc/self/status') if ':' in line)['CapBnd']
assert not int(capabilities, 16) >> 25 & 1, 'this must never run where the clock could be set'
subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
options = ['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR', '-o', 'BatchMode=yes']


def ssh(command, **more):
    return subprocess.run(['ssh', *options, '-o', 'ConnectTimeout=2', '-i', key, 'root@127.0.0.1', command],
                          stdout=subprocess.PIPE, text=True, **more)


def fingerprint():
    taken = json.loads(ssh('python3 -S -', input=(repository / 'tests/lab/fingerprint.py').read_text(), check=True).stdout)
    return {**taken, 'clock': 0.0}


def ansible(*command, **variables):
    return subprocess.run([bin / command[0], *command[1:], '-i', folder / 'inventory.json', '-vvv'], cwd=repository, check=False,
                          env={**os.environ, 'ANSIBLE_NOCOLOR': '1', 'ANSIBLE_COLLECTIONS_PATH': str(repository / 'collections'),
                               'PATH': f'{bin}:{os.environ["PATH"]}', **variables})


testing.make_ca(folder)
(root / 'etc/test-ca.pem').write_bytes((folder / 'ca.pem').read_bytes())
machine = subprocess.Popen([nspawn, '--quiet', '--boot', '--register=no', '--keep-unit', '--console=pipe', '--directory', root],
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
try:
    end = time.monotonic() + 90
    while ssh('systemctl is-system-running --wait').stdout.strip() not in ('running', 'degraded'):
        assert time.monotonic() < end and machine.poll() is None, 'the container did not boot'
        time.sleep(0.5)
    kind, bounding = ssh('cat /run/systemd/container; grep CapBnd /proc/self/status').stdout.split('CapBnd:')
    assert not int(bounding, 16) >> 25 & 1
    print('RUNS IN', kind.strip(), 'WITHOUT CAP_SYS_TIME', flush=True)
    with testing.running_portal(folder, clock_offset=2 * 86400 + 3600) as portal, \\
         testing.running_aem(folder, portal, transport_uri=portal.url + '/bin/receive?sling:authRequestLogin=1') as aem:
        variables = {
            'ansible_host': '127.0.0.1', 'ansible_user': 'deploy', 'ansible_ssh_private_key_file': str(key),
            'ansible_ssh_common_args': ' '.join(options), 'ansible_python_interpreter': '/usr/bin/python3',
            'fix_bp_jwt_aem_url': aem.url, 'fix_bp_jwt_agents': testing.brand_portal_agents(),
            'fix_bp_jwt_ca_path': '/etc/test-ca.pem', 'fix_bp_jwt_ntp_servers': ['127.0.0.1:9'],
        }
        (folder / 'inventory.json').write_text(json.dumps({'aem_authors': {'hosts': {'contained': variables}}}))
        before = fingerprint()
        ansible('ansible-playbook', repository / 'fix-bp-jwt.yml', AEM_USER=aem.user, AEM_PASSWORD=aem.password)
        ansible('ansible', 'contained', '--become', '-m', 'aemops.brand_portal.clock_step', '-a', json.dumps({
            'ntp_servers': ['127.0.0.1:9'], 'https_urls': [portal.url], 'ca_path': '/etc/test-ca.pem'}))
        differences = changes(before, fingerprint())
        print('THE CONTAINER IS AS IT WAS' if not differences else differences, flush=True)
finally:
    ssh('systemctl poweroff')
    try:
        machine.wait(30)
    except subprocess.TimeoutExpired:
        machine.kill()
'''
