# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a role's options are by default is written in two or three places, which have to say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader

ROLES = Path(__file__).resolve().parents[2] / 'roles'
# Defaults that are looked up when they are used.
LOOKED_UP = {'fix_bp_jwt_aem_user', 'fix_bp_jwt_aem_password'}


def read(role, name):
    return yaml.safe_load((ROLES / role / name).read_text(encoding='utf-8'))


def described(role):
    return read(role, 'meta/argument_specs.yml')['argument_specs']['main']['options']


@pytest.mark.parametrize('role', sorted(path.name for path in ROLES.iterdir()))
def test_the_defaults_are_those_that_are_described(role):
    defaults = read(role, 'defaults/main.yml')
    assert list(defaults) == list(described(role))
    for name, value in defaults.items():
        if name in LOOKED_UP:
            assert 'default' not in described(role)[name]
        else:
            assert (name, described(role)[name]['default']) == (name, value)


@pytest.mark.parametrize('swapped', ['id', 'type', 'server'])
def test_ansible_prints_no_key_that_is_in_place_of_another_value(swapped):
    key = {'server': '192.0.2.1', 'id': 2, 'type': 'SHA1', swapped: 'HEX:S3cret', 'key': '2'}
    module = pytest.importorskip('ansible_collections.aemops.brand_portal.plugins.modules.time_service')
    for name, specification in (('time_sync_keys', described('time_sync')['time_sync_keys']), ('keys', module.ARGUMENTS['keys'])):
        found = ArgumentSpecValidator({name: specification}).validate({name: [key]}, validate_role_argument_spec=True)
        assert 'S3cret' not in ' '.join(found.error_messages)


def test_every_task_of_the_whole_run_needs_no_connection_to_the_first_host():
    tasks = [task for name in ('plan', 'batch', 'report') for task in read('fix_bp_jwt', f'tasks/{name}.yml')
             if task.get('run_once')]
    assert len(tasks) == 4 and all(task['vars'] == tasks[0]['vars'] for task in tasks)
    assert tasks[0]['vars']['ansible_connection'] == 'ansible.builtin.local'


def test_a_repair_reads_the_options_as_they_were_checked():
    """From -e and surveys they come as texts: a comparison with fix_bp_jwt_prove_retries=3 ended the proof of every repair."""
    secret = {'fix_bp_jwt_aem_user', 'fix_bp_jwt_aem_password', 'fix_bp_jwt_https_proxy'}
    read_raw = {}
    for path in [*(ROLES / 'fix_bp_jwt/tasks').glob('*.yml'), ROLES / 'fix_bp_jwt/vars/main.yml']:
        text = re.sub(r'(?m)^\s*#.*$', '', path.read_text(encoding='utf-8'))
        found = set(re.findall(r'(?<![\w.])fix_bp_jwt_\w+', text)) & (set(described('fix_bp_jwt')) - secret)
        if found:
            read_raw[path.name] = found
    assert read_raw == {}


def test_a_repair_sets_each_option_of_time_sync_or_a_rehearsal_checks_it():
    stage = pytest.importorskip('ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.rehearse')
    given = read('fix_bp_jwt', 'tasks/correct.yml')[-1]['vars']
    assert given['time_sync_state'] == 'present'    # absent in the inventory made a repair undo the earlier ones
    assert sorted([*given, *(f'time_sync_{name}' for name in stage.TIME_SYNC)]) == sorted(described('time_sync'))


@pytest.mark.parametrize(('named', 'unit'), [
    ('aem', 'aem.service'), ('aem.service', 'aem.service'), ('aem@author', 'aem@author.service'), ('aem-6.5', 'aem-6.5.service')])
def test_the_unit_that_waits_for_the_clock_has_its_whole_name(named, unit):
    template = pytest.importorskip('ansible.template')
    text = read('fix_bp_jwt', 'vars/main.yml')['__fix_bp_jwt_start_after_sync']
    trusted = getattr(template, 'trust_as_template', str)(text)     # since ansible-core 2.19
    variables = {'__fix_bp_jwt_checked': {'aem_service': named, 'aem_after_time_sync': True}}
    assert template.Templar(DataLoader(), variables=variables).template(trusted) == [unit]


def test_time_sync_has_the_defaults_of_its_module():
    module = pytest.importorskip('ansible_collections.aemops.brand_portal.plugins.modules.time_service')
    options = {**module.STEP_OPTIONS, **module.ARGUMENTS}
    for name, value in read('time_sync', 'defaults/main.yml').items():
        own = name[len('time_sync_'):]
        assert (name, options['max_skew' if own == 'step_threshold' else own].get('default') or '') == (name, value or '')
