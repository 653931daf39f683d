# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one call that every host gets, from each controller we support to each Python a host may have.

Against the stand-ins on loopback, with this machine's right clock; nothing here could set it.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from fakes import testing

from . import loopback, playbook
from .conftest import PASSWORD

# ansible-core and the oldest and newest target Pythons it supports (ansible-core support matrix).
COMBINATIONS = [
    ('core-2.16', '3.6'), ('core-2.16', '3.11'),
    ('core-2.19', '3.8'), ('core-2.19', '3.11'),
    ('core-newest', '3.9'), ('core-newest', '3.11'), ('core-newest', '3.13'),
]


@pytest.fixture(scope='module')
def fakes(tmp_path_factory):
    """A Brand Portal and an AEM of their own on loopback, whose agents are answered 200."""
    folder = tmp_path_factory.mktemp('fakes')
    testing.make_ca(folder, 'acme')
    with testing.running_portal(folder, 'acme') as portal, \
         testing.running_aem(folder, portal, password=PASSWORD,
                             transport_uri=f'{portal.url}/bin/receive?sling:authRequestLogin=1') as aem:
        yield folder, aem


def interpreter(version):
    done = subprocess.run([sys.executable, playbook.ROOT / 'tests/tools/environment.py', '--list'],
                          stdout=subprocess.PIPE, text=True, check=True)
    found = dict(line.split(': ', 1) for line in done.stdout.splitlines())[f'target-{version}']
    if not found.startswith('/'):
        pytest.skip(f'not run: {found}')
    return found


@pytest.mark.parametrize(('controller', 'target'), COMBINATIONS)
def test_health_from_controller_to_target(core, fakes, controller, target):
    folder, aem = fakes
    python = interpreter(target)
    health = playbook.ask(core(controller), 'localhost,', 'localhost', 'brand_portal_health_info', {
        'aem_url': aem.url, 'username': aem.user, 'password': PASSWORD, 'ca_path': str(folder / 'ca.pem'),
        'agents': testing.brand_portal_agents('acme'), 'ntp_servers': ['127.0.0.1:9'],
    }, ansible_connection='local', ansible_python_interpreter=python)
    assert (health['aem']['state'], health['aem']['message']) == ('ok', '')
    assert health['aem']['clock_offset']['low'] <= 0 <= health['aem']['clock_offset']['high'], 'AEM has this clock'
    assert [test['response_code'] for test in health['tests']] == [200] * 4
    assert (health['skew']['verdict'], health['skew']['verified']) == ('in_sync', True)
    assert not health['changed']


@pytest.mark.parametrize('name', ['core-2.16', 'core-newest'])
def test_a_password_that_a_vault_has_inline(core, tmp_path, name):
    """As ansible-vault encrypt_string prints it. Up to ansible-core 2.18, it stays encrypted in the variables of an action, and
    Ansible's check of a role fails for a vaulted option with no_log.
    """
    environment, secret = core(name), tmp_path / 'vault-password'
    secret.write_text('of the vault')
    encrypted = subprocess.run([environment.bin / 'ansible-vault', 'encrypt_string', '--vault-password-file', secret,
                                '--stdin-name', 'fix_bp_jwt_aem_password'],
                               input=PASSWORD, stdout=subprocess.PIPE, text=True, check=True).stdout
    with loopback.authors(tmp_path, PASSWORD, {'author1': {}}) as inventory:
        (tmp_path / 'group_vars').mkdir()
        (tmp_path / 'group_vars' / 'aem_authors.yml').write_text(f'fix_bp_jwt_aem_user: admin\n{encrypted}')
        role = tmp_path / 'role.yml'
        role.write_text(json.dumps([{'hosts': 'aem_authors', 'gather_facts': False, 'roles': ['aemops.brand_portal.fix_bp_jwt']}]))
        for book in (playbook.ROOT / 'fix-bp-jwt.yml', role):
            run = playbook.run(environment, ['ansible-playbook', str(book), '-i', str(inventory), '-e', 'fix_bp_jwt_mode=diagnose',
                                             '--vault-password-file', str(secret)])
            assert run.returncode == 0 and PASSWORD not in run.output, run.output
        run = playbook.play(environment, inventory, '-e', 'fix_bp_jwt_mode=diagnose')
        assert run.returncode == 2 and 'fix_bp_jwt_aem_password has no value: ' in run.output, run.output
