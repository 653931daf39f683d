# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWX as code: the playbook's tasks run the real modules of awx.awx, which make things in a stand-in of AWX's API."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest
import yaml

from fakes import controller, testing

from . import playbook
from .conftest import PASSWORD

TOKEN = 'T0ken-must-not-be-seen'
SLACK = 'Sl4ck-must-not-be-seen'
SETTINGS = {
    'brand_portal_awx_image': 'registry.example.com/brand-portal:1', 'brand_portal_awx_machine_credential': 'deploy',
    'brand_portal_awx_hosts': {'author1': {'ansible_host': '192.0.2.1'}, 'author2': {}},
    'brand_portal_awx_inventory_file': 'inventory.yml', 'brand_portal_awx_variables': {'fix_bp_jwt_max_step': 864000},
    'brand_portal_awx_slices': 4, 'brand_portal_awx_instance_groups': ['default'],
    'brand_portal_awx_notification_type': 'slack',
    'brand_portal_awx_notification_configuration': {'token': SLACK, 'channels': ['#aem'], 'hex_color': ''},
}


@pytest.fixture(scope='module')
def awx(core):
    return core('awx')


class Made:
    """What is in AWX, and how the playbook is run on it."""

    def __init__(self, environment, server, awx):
        self.environment, self.server, self.awx = environment, server, awx

    def play(self, *options, settings=None):
        settings = SETTINGS if settings is None else settings
        run = playbook.run(
            self.environment, ['ansible-playbook', str(playbook.ROOT / 'playbooks/awx.yml'), '-e', json.dumps(settings), *options],
            CONTROLLER_HOST=f'http://127.0.0.1:{self.server.server_port}', CONTROLLER_OAUTH_TOKEN=TOKEN,
            AEM_USER='0123', AEM_PASSWORD=PASSWORD)
        for secret in (PASSWORD, TOKEN, SLACK):
            assert secret not in run.output
        return run

    @property
    def asked(self):
        """The requests that change something."""
        return [entry for entry in self.server.requests if entry['method'] != 'GET']


@pytest.fixture(scope='module')
def made(awx):
    api = controller.Controller(TOKEN)
    with testing.served(controller.serve(api)) as server:
        made = Made(awx, server, api)
        run = made.play('-vvv')
        assert run.returncode == 0, run.output[-6000:]
        assert run.recap['localhost']['changed'] >= 12
        yield made


def test_again_changes_nothing(made):
    before = len(made.asked)
    for options in ((), ('--check',)):
        run = made.play(*options)
        assert run.returncode == 0, run.output[-6000:]
        assert run.recap['localhost']['changed'] == 0, run.output[-6000:]
    assert made.asked[before:] == []


def test_a_change_is_made_and_nothing_else(made):
    run = made.play(settings={**SETTINGS, 'brand_portal_awx_forks': 50})
    assert run.recap['localhost']['changed'] == 1, run.output[-6000:]  # one task makes both jobs
    assert made.awx.named('job_templates', 'Brand Portal repair')['forks'] == 50
    assert made.play().recap['localhost']['changed'] == 1


def test_a_new_password_only_when_asked(made):
    account = made.awx.named('credentials', 'Brand Portal AEM account')
    account['inputs']['password'] = 'of last year'
    assert made.play().recap['localhost']['changed'] == 0
    assert made.play('-e', 'brand_portal_awx_update_secrets=true').recap['localhost']['changed'] >= 1
    assert account['inputs']['password'] == PASSWORD


def test_the_account_goes_by_environment_variables(made):
    kind = made.awx.named('credential_types', 'AEM account')
    assert kind['injectors'] == {'env': {'AEM_USER': '{{ username }}', 'AEM_PASSWORD': '{{ password }}'}}
    account = made.awx.named('credentials', 'Brand Portal AEM account')
    assert account['inputs'] == {'username': '0123', 'password': PASSWORD}
    assert account['credential_type'] == kind['id']
    for template in ('Brand Portal diagnosis', 'Brand Portal repair'):
        assert made.awx.linked('job_templates', template, 'credentials') == ['deploy', 'Brand Portal AEM account']
        assert 'password' not in made.awx.named('job_templates', template)['extra_vars']


def test_only_diagnoses_are_sliced(made):
    jobs = [made.awx.named('job_templates', f'Brand Portal {what}') for what in ('diagnosis', 'repair')]
    assert [json.loads(job['extra_vars']) for job in jobs] == [{'fix_bp_jwt_mode': 'diagnose'}, {'fix_bp_jwt_mode': 'fix'}]
    assert [job['job_slice_count'] for job in jobs] == [4, 1]
    assert {job['playbook'] for job in jobs} == {'fix-bp-jwt.yml'}


def test_a_repair_waits_for_an_approval(made):
    def after(node):
        return {kind: made.awx.linked('workflow_job_template_nodes', node, kind)
                for kind in ('success_nodes', 'failure_nodes', 'always_nodes')}
    nothing = {'success_nodes': [], 'failure_nodes': [], 'always_nodes': []}
    assert after('diagnose') == {**nothing, 'failure_nodes': ['approve']}
    assert after('approve') == {**nothing, 'success_nodes': ['repair']}
    assert after('repair') == nothing
    runs = {node['identifier']: node['unified_job_template'] for node in made.awx.items['workflow_job_template_nodes'].values()}
    assert runs == {
        'diagnose': made.awx.named('job_templates', 'Brand Portal diagnosis')['id'],
        'approve': made.awx.named('workflow_approval_templates', 'Brand Portal repair: approve it')['id'],
        'repair': made.awx.named('job_templates', 'Brand Portal repair')['id'],
    }
    assert made.awx.linked('workflow_job_templates', 'Brand Portal every night', 'notification_templates_approvals') == [
        'Brand Portal']


def test_it_runs_every_night(made):
    schedule = made.awx.named('schedules', 'Brand Portal every night')
    assert schedule['unified_job_template'] == made.awx.named('workflow_job_templates', 'Brand Portal every night')['id']
    assert 'FREQ=DAILY' in schedule['rrule']


def test_the_hosts(made):
    assert made.awx.linked('groups', 'aem_authors', 'hosts') == ['author1', 'author2']
    assert json.loads(made.awx.named('hosts', 'author1')['variables']) == {'ansible_host': '192.0.2.1'}
    source = made.awx.named('inventory_sources', 'Brand Portal hosts')
    assert (source['source'], source['source_path']) == ('scm', 'inventory.yml')


def test_surveys_ask_for_options_that_there_are_in_words_that_stay_what_they_are(made):
    described = yaml.safe_load((playbook.ROOT / 'roles/fix_bp_jwt/meta/argument_specs.yml').read_text())
    options = described['argument_specs']['main']['options']
    assert len(made.awx.surveys) == 2
    for survey in made.awx.surveys.values():
        for question in survey['spec']:
            assert question['variable'] in options
            assert question['type'] not in ('password', 'multiplechoice', 'multiselect')
            if question['type'] == 'text' and question['default']:
                assert yaml.safe_load(question['default']) == question['default']


def test_what_is_missing_is_told_before_anything_is_made(awx):
    api = controller.Controller(TOKEN)
    with testing.served(controller.serve(api)) as server:
        run = Made(awx, server, api).play(settings={})
        assert run.returncode != 0
        assert 'Give brand_portal_awx_image' in ' '.join(run.output.split())
        assert server.requests == []


def test_awx_offers_the_playbooks_that_people_run():
    """AWX lists every YAML file that has such a line, outside folders of these names."""
    tracked = subprocess.run(['git', 'ls-files', '*.yml', '*.yaml'], cwd=playbook.ROOT, stdout=subprocess.PIPE, text=True,
                             check=True)
    line = re.compile(r'^\s*-?\s*(?:hosts|include|import_playbook|ansible\.builtin\.import_playbook):\s*.*$', re.MULTILINE)
    aside = {'roles', 'tasks', 'group_vars', 'host_vars'}
    offered = [path for path in tracked.stdout.split()
               if not (set(path.split('/')[:-1]) & aside or any(part.startswith('.') for part in path.split('/')))
               and line.search((playbook.ROOT / path).read_text())]
    assert 'fix-bp-jwt.yml' in offered
    assert {path for path in offered if path.startswith('tests/')} == set()


def test_every_variable_is_documented():
    variables = yaml.safe_load((playbook.ROOT / 'playbooks/vars/awx.yml').read_text())
    documented = (playbook.ROOT / 'docs/awx.md').read_text()
    assert [name for name in variables if f'`{name}`' not in documented] == []


# The image


def test_an_image_is_described(awx, tmp_path):
    """ansible-builder takes the description, and what it would install is what the requirements say."""
    for name in ('execution-environment.yml', 'requirements.txt', 'bindep.txt'):
        shutil.copy(playbook.ROOT / name, tmp_path)
    run = playbook.run(awx, ['ansible-builder', 'create', '--output-filename', 'Containerfile'], cwd=tmp_path)
    assert run.returncode == 0, run.output
    recipe = (tmp_path / 'context/Containerfile').read_text()
    assert 'ansible-core>=2.16,<2.17' in recipe and 'rockylinux' in recipe
    for name in ('requirements.txt', 'bindep.txt'):
        assert (tmp_path / 'context/_build' / name).read_text() == (playbook.ROOT / name).read_text()


def test_the_installed_collection_says_what_an_image_needs(awx, tmp_path):
    subprocess.run([playbook.ROOT / 'tests/tools/install-collection', awx.bin / 'ansible-galaxy', tmp_path], check=True,
                   stdout=subprocess.DEVNULL)
    run = playbook.run(awx, ['ansible-builder', 'introspect', str(tmp_path), '--write-pip', 'pip', '--write-bindep', 'bindep'],
                       cwd=tmp_path)
    assert run.returncode == 0, run.output
    pip, bindep = ((tmp_path / name).read_text() for name in ('pip', 'bindep'))
    assert sorted(re.findall(r'^([\w-]+)', pip, re.MULTILINE)) == ['jmespath', 'ntplib']
    assert sorted(re.findall(r'^([\w-]+)', bindep, re.MULTILINE)) == ['openssh-client', 'openssh-clients', 'sshpass']
