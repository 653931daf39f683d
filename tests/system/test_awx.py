# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWX as code: the playbook's tasks run the real modules of awx.awx, which make things in a stand-in of AWX's API."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess

import pytest
import yaml

from fakes import controller, testing

from . import playbook
from .conftest import PASSWORD

YAML_BLOCK = re.compile(r'^```yaml\n(.*?)^```', re.DOTALL | re.MULTILINE)
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

    def play(self, *options, settings=None, account=('0123', PASSWORD)):
        settings = SETTINGS if settings is None else settings
        run = playbook.run(
            self.environment, ['ansible-playbook', str(playbook.ROOT / 'playbooks/awx.yml'), '-e', json.dumps(settings), *options],
            CONTROLLER_HOST=f'http://127.0.0.1:{self.server.server_port}', CONTROLLER_OAUTH_TOKEN=TOKEN,
            CONTROLLER_OPTIONAL_API_URLPATTERN_PREFIX=f'{self.awx.prefix}/', AEM_USER=account[0], AEM_PASSWORD=account[1])
        for secret in (PASSWORD, TOKEN, SLACK):
            assert secret not in run.output
        return run

    @property
    def asked(self):
        """The requests that change something."""
        return [entry for entry in self.server.requests if entry['method'] != 'GET']


@contextlib.contextmanager
def controller_of(awx, **settings):
    api = controller.Controller(TOKEN, **settings)
    with testing.served(controller.serve(api)) as server:
        yield Made(awx, server, api)


def assert_refused(awx, settings, *said):
    """The playbook says so before it asks AWX for any change."""
    with controller_of(awx) as made:
        run = made.play(settings=settings)
        assert run.returncode != 0 and made.asked == [], run.output
        for each in said:
            assert each in ' '.join(run.output.split()), run.output


@pytest.fixture(scope='module')
def made(awx):
    """Behind the gateway of Ansible Automation Platform 2.5, which has the controller's API below another path; in many pages."""
    with controller_of(awx, prefix='/api/controller', max_page_size=1) as made:
        run = made.play('-vvv')
        assert run.returncode == 0, run.output[-6000:]
        assert run.recap['localhost']['changed'] >= 12
        yield made


def test_again_changes_nothing_not_even_an_account_that_is_there(made):
    account = made.awx.named('credentials', 'Brand Portal AEM account')
    before, asked = dict(account['inputs']), len(made.asked)
    run = made.play(account=('other', ''))
    assert run.returncode == 0 and run.recap['localhost']['changed'] == 0, run.output[-6000:]
    refused = made.play('-e', 'brand_portal_awx_update_secrets=true', account=('other', ''))
    assert refused.returncode != 0 and 'is written again' in ' '.join(refused.output.split())
    assert account['inputs'] == before and made.asked[asked:] == []


def test_check_mode_asks_for_no_change(made):
    asked = len(made.asked)
    run = made.play('--check')
    assert run.returncode == 0, run.output[-6000:]
    assert run.recap['localhost']['changed'] == 0, run.output[-6000:]
    assert made.asked[asked:] == []


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


def test_a_job_that_nobody_answers_gets_nothing_but_its_mode(made):
    """AWX hands a survey's defaults over as extra variables, which override AEM's unit in the inventory."""
    for template, mode in (('Brand Portal diagnosis', 'diagnose'), ('Brand Portal repair', 'fix')):
        assert made.awx.extra_vars_of(template) == {'fix_bp_jwt_mode': mode}
        answered = made.awx.extra_vars_of(template, {'fix_bp_jwt_max_skew': 3})
        assert answered == {'fix_bp_jwt_mode': mode, 'fix_bp_jwt_max_skew': 3}
    for survey in made.awx.surveys.values():
        # The UI sends '' for an empty text answer only where min is 0.
        assert all('default' not in question and question['required'] is False and question['min'] for question in survey['spec'])


# What others have made under the names of this set, and what is said of it. Words stand for the objects of these names.
OTHERS = {
    'of another organization': ([
        ('credentials', {'name': 'Brand Portal AEM account', 'organization': 'Other', 'credential_type': 'AEM account',
                         'inputs': {'username': 'x', 'password': 'of another tenant'}}),
        ('notification_templates', {'name': 'Brand Portal', 'organization': 'Other', 'notification_type': 'slack',
                                    'notification_configuration': {'token': 'x', 'channels': []}}),
        ('execution_environments', {'name': 'Brand Portal', 'image': 'registry.example.com/all'}),
        ('inventories', {'name': 'Brand Portal', 'organization': 'Other'}),
    ], ['the credential and execution environment and inventory and notification template "Brand Portal AEM account" and '
        '"Brand Portal" of another organization, or of none.']),
    'of another kind': ([
        ('credentials', {'name': 'Brand Portal AEM account', 'credential_type': 'AEM account',
                         'inputs': {'username': 'x', 'password': 'own'}}),
        ('credentials', {'name': 'Brand Portal AEM account', 'organization': 'Default', 'credential_type': 'Machine',
                         'inputs': {'username': 'x', 'password': 'of a host'}}),
        ('inventories', {'name': 'Brand Portal', 'organization': 'Default', 'kind': 'smart'}),
        ('projects', {'name': 'Brand Portal', 'organization': 'Default', 'scm_url': 'https://git.example.com/portal.git'}),
        ('job_templates', {'name': 'Publish', 'organization': 'Default', 'project': 'Brand Portal'}),
    ], ['the credential "Brand Portal AEM account" of another organization, or of none.',
        'the credential "Brand Portal AEM account" of another credential type.',
        'the inventory "Brand Portal" of another kind (smart or constructed).',
        'the project and inventory "Brand Portal" that other job templates use.']),
}


@pytest.mark.parametrize('what', OTHERS)
def test_objects_that_are_not_of_this_set_are_neither_used_nor_changed(awx, what):
    objects, said = OTHERS[what]
    with controller_of(awx) as made:
        made.awx.make('organizations', {'name': 'Other'})
        made.awx.make('credential_types', {'name': 'AEM account', 'kind': 'cloud', 'inputs': {}, 'injectors': {}})
        lists = {'organization': 'organizations', 'credential_type': 'credential_types', 'project': 'projects'}
        for endpoint, fields in objects:
            made.awx.make(endpoint, {name: made.awx.named(lists[name], value)['id'] if name in lists else value
                                     for name, value in fields.items()})
        run = made.play()
        assert run.returncode != 0 and made.asked == [], run.output
        told = ' '.join(run.output.split()).replace('\\"', '"')
        for each in said:
            assert f'AWX already has {each}' in told, run.output
        assert 'Set brand_portal_awx_name to another prefix, or rename what exists. Nothing was changed.' in told


@pytest.mark.parametrize(('settings', 'said'), [
    ({'brand_portal_awx_organization': 'Defualt'}, ['AWX shows no organization "Defualt"']),
    ({'brand_portal_awx_instance_groups': ['default', 'defualt']}, ['AWX does not show the instance groups defualt to this user']),
    ({'brand_portal_awx_machine_credential': 'deploi', 'brand_portal_awx_project_credential': 'deploy'},
     ['AWX shows 0 of the name "deploi"', 'brand_portal_awx_project_credential must be the name of one Source Control credential. '
      'AWX shows 1 of the name "deploy" to this user, which has another type.']),
], ids=['organization', 'instance groups', 'credentials'])
def test_what_a_setting_names_must_exist_before_anything_is_made(awx, settings, said):
    assert_refused(awx, {**SETTINGS, **settings}, *said)


def test_a_credential_type_that_others_use_is_not_changed(awx):
    with controller_of(awx) as made:
        organization = made.awx.named('organizations', 'Default')['id']
        kind = made.awx.make('credential_types', {
            'name': 'AEM account', 'kind': 'cloud', 'inputs': {}, 'injectors': {'extra_vars': {'aem_user': '{{ username }}'}}})
        made.awx.make('credentials', {'name': 'AEM of the backup', 'organization': organization, 'credential_type': kind['id'],
                                      'inputs': {}})
        run = made.play()
        assert run.returncode != 0 and made.asked == [], run.output
        assert 'credentials use it: AEM of the backup.' in ' '.join(run.output.split())


def test_the_reason_of_a_refused_notification_is_printed_without_its_secrets(awx):
    with controller_of(awx) as made:
        run = made.play(settings={**SETTINGS, 'brand_portal_awx_notification_configuration': {'token': SLACK}})
        assert run.returncode != 0
        assert "Missing required fields for Notification Configuration: ['channels']." in ' '.join(run.output.split()), run.output


def test_a_failed_update_of_the_project_is_tried_again(awx):
    settings = {**SETTINGS, 'brand_portal_awx_project_url': 'https://git.example.com/moved.git'}
    with controller_of(awx) as made:
        made.awx.unreachable.add('https://git.example.com/moved.git')
        run = made.play(settings=settings)
        assert run.returncode != 0 and 'roject' in run.output, run.output[-3000:]
        made.awx.unreachable.clear()
        assert made.play(settings=settings).returncode == 0
        assert made.awx.named('projects', 'Brand Portal')['status'] == 'successful'


def test_variables_of_a_host_that_awx_refuses_are_not_printed(awx):
    with controller_of(awx) as made:
        run = made.play('-v', settings={**SETTINGS, 'brand_portal_awx_hosts': {'x' * 600: {'ansible_password': 'B3come-hidden'}}})
        assert run.returncode != 0 and 'no more than 512 characters' in run.output, run.output[-3000:]
        assert 'B3come-hidden' not in run.output


@pytest.mark.parametrize('account', [(' ', PASSWORD), ('0123', '')], ids=['no user', 'no password'])
def test_an_account_that_lacks_something_is_refused_before_anything_is_made(awx, account):
    with controller_of(awx) as made:
        run = made.play(account=account)
        assert run.returncode != 0 and made.asked == []
        said = ' '.join(run.output.split())
        assert 'Export AEM_USER and AEM_PASSWORD' in said and 'does not exist yet' in said


@pytest.mark.parametrize('account', [{'user': None}, {'password': None}, {'user': 123}, {'password': False}], ids=str)
def test_an_account_that_is_not_text_does_not_replace_the_one_in_awx(made, account):
    settings = {f'brand_portal_awx_aem_{name}': value for name, value in account.items()}
    before, asked = dict(made.awx.named('credentials', 'Brand Portal AEM account')['inputs']), len(made.asked)
    run = made.play('-e', 'brand_portal_awx_update_secrets=true', settings={**SETTINGS, **settings})
    assert run.returncode != 0 and 'or one that is not a string' in ' '.join(run.output.split()), run.output
    assert made.awx.named('credentials', 'Brand Portal AEM account')['inputs'] == before and made.asked[asked:] == []


def test_only_a_system_administrator_makes_the_credential_type(awx):
    with controller_of(awx, system_administrator=False) as made:
        run = made.play()
        said = ' '.join(run.output.split())
        assert run.returncode != 0 and 'AWX lets only a system administrator create or change credential types' in said
        assert 'does not exist yet' in said and made.awx.items['projects'] == {}
        # What the system administrator enters by hand, as docs/awx.md describes.
        by_hand = yaml.safe_load(YAML_BLOCK.findall((playbook.ROOT / 'docs/awx.md').read_text())[-2])
        made.awx.make('credential_types', {'name': 'AEM account', 'kind': 'cloud', 'inputs': by_hand, 'injectors': {
            'env': {'AEM_USER': '{{ username }}', 'AEM_PASSWORD': '{{ password }}'}}, 'description': ''})
        run = made.play()
        assert run.returncode == 0, run.output[-6000:]


def test_an_approval_says_that_the_diagnosis_may_not_have_begun(made):
    description = made.awx.named('workflow_approval_templates', 'Brand Portal repair: approve it')['description']
    assert 'did not measure any host' in description


@pytest.fixture(scope='module')
def changed(made):
    """After the tests of what was made at first: the run for other settings, and the host of an inventory file beside them."""
    made.awx.make('hosts', {'name': 'of-the-file', 'has_inventory_sources': True,
                            'inventory': made.awx.named('inventories', 'Brand Portal')['id']})
    channels = {**SETTINGS['brand_portal_awx_notification_configuration'], 'channels': ['#aem-nights']}
    run = made.play(settings={
        **SETTINGS, 'brand_portal_awx_forks': 50, 'brand_portal_awx_notification_configuration': channels,
        'brand_portal_awx_inventory_file': '', 'brand_portal_awx_hosts': {'author1': {'ansible_host': '192.0.2.1'}}})
    assert run.returncode == 0, run.output[-6000:]
    return run


def test_changes_are_made_and_nothing_else(made, changed):
    assert changed.recap['localhost']['changed'] == 3, changed.output[-6000:]   # one task makes both jobs
    assert made.awx.named('job_templates', 'Brand Portal repair')['forks'] == 50


def test_a_notification_with_a_secret_is_written_when_the_rest_differs(made, changed):
    there = made.awx.named('notification_templates', 'Brand Portal')['notification_configuration']
    assert there['channels'] == ['#aem-nights'] and there['token'] == SLACK


def test_the_source_of_an_inventory_file_leaves_awx_with_the_setting(made, changed):
    assert made.awx.items['inventory_sources'] == {}


def test_hosts_leave_awx_and_a_new_password_comes_when_told(made, changed):
    """The last of the tests on this AWX, for it takes a host away."""
    assert 'author2: in the inventory of AWX, but not in brand_portal_awx_hosts' in ' '.join(changed.output.split())
    assert {host['name'] for host in made.awx.items['hosts'].values()} == {'author1', 'author2', 'of-the-file'}
    account = made.awx.named('credentials', 'Brand Portal AEM account')
    account['inputs']['password'] = 'of last year'
    run = made.play('-e', 'brand_portal_awx_prune_hosts=true', '-e', 'brand_portal_awx_update_secrets=true',
                    settings={**SETTINGS, 'brand_portal_awx_hosts': {'author1': {'ansible_host': '192.0.2.1'}}})
    assert run.recap['localhost']['changed'] == 5, run.output[-6000:]   # and the other settings are as they were
    assert {host['name'] for host in made.awx.items['hosts'].values()} == {'author1', 'of-the-file'}
    assert account['inputs']['password'] == PASSWORD


def test_what_is_missing_is_told_before_anything_is_made(awx):
    api = controller.Controller(TOKEN)
    with testing.served(controller.serve(api)) as server:
        run = Made(awx, server, api).play(settings={})
        assert run.returncode != 0
        assert 'Set brand_portal_awx_image' in ' '.join(run.output.split())
        assert server.requests == []


LEAST = {'brand_portal_awx_image': 'registry.example.com/brand-portal:1', 'brand_portal_awx_machine_credential': 'deploy'}


@pytest.mark.parametrize(('settings', 'said'), [
    ({'brand_portal_awx_hosts': ['author1', 'author2'], 'brand_portal_awx_variables': 'fix_bp_jwt_max_skew: 3',
      'brand_portal_awx_rrule': 'DTSTART:20260101T023000Z RRULE:FREQ=DAILY', 'brand_portal_awx_slices': 'four',
      'brand_portal_awx_notification_type': 'email', 'brand_portal_awx_project_url': None, 'brand_portal_awx_prune_hosts': 'maybe',
      'brand_portal_awx_update_secrets': '', 'brand_portal_awx_name': 2026, 'brand_portal_awx_forks': 2.5},
     ['brand_portal_awx_hosts must be hosts by name', 'brand_portal_awx_variables must be variables by name',
      'brand_portal_awx_rrule must be an iCalendar rule', 'brand_portal_awx_slices must be a positive integer',
      'brand_portal_awx_notification_configuration must be', 'brand_portal_awx_project_url must be the URL of a Git repository',
      'brand_portal_awx_prune_hosts must be true or false', 'brand_portal_awx_update_secrets must be true or false',
      'brand_portal_awx_name must be a name that is not a number', 'brand_portal_awx_forks must be a positive integer']),
    ({'brand_portal_awx_hosts': {'author1': 'deploy'}}, ['brand_portal_awx_hosts must be hosts by name']),
    ({'brand_portal_awx_host': {'author1': {}}}, ['Unknown settings: brand_portal_awx_host.']),
    ({'brand_portal_awx_image': None}, ['Set brand_portal_awx_image']),
    ({'brand_portal_awx_prune_hosts': True, 'brand_portal_awx_hosts': None}, ['would remove all hosts from AWX']),
], ids=['of wrong kinds', 'no variables', 'unknown', 'missing', 'no hosts'])
def test_a_setting_of_the_wrong_kind_is_refused_before_anything_is_made(awx, settings, said):
    assert_refused(awx, {**LEAST, **settings}, *said)


def test_nothing_after_a_colon_is_an_empty_setting(awx):
    with controller_of(awx) as made:
        run = made.play(settings={**LEAST, 'brand_portal_awx_hosts': {'author1': None}, 'brand_portal_awx_variables': None,
                                  'brand_portal_awx_instance_groups': None, 'brand_portal_awx_slices': '4',
                                  'brand_portal_awx_inventory_file': None, 'brand_portal_awx_notification_type': None,
                                  'brand_portal_awx_prune_hosts': None, 'brand_portal_awx_update_secrets': None})
        assert run.returncode == 0, run.output[-6000:]
        assert json.loads(made.awx.named('hosts', 'author1')['variables']) == {}
        assert made.awx.named('job_templates', 'Brand Portal diagnosis')['job_slice_count'] == 4


def test_a_template_that_is_unsafe_is_kept_for_the_jobs(awx, tmp_path):
    kept = {'fix_bp_jwt_aem_url': 'http://{{ inventory_hostname }}:4502'}
    marked = f'{{fix_bp_jwt_aem_url: !unsafe "{kept["fix_bp_jwt_aem_url"]}"}}'
    (tmp_path / 'my-awx.yml').write_text(
        f'brand_portal_awx_variables: {marked}\nbrand_portal_awx_hosts: {{author1: {marked}}}\n')
    with controller_of(awx) as made:
        run = made.play('-e', f'@{tmp_path}/my-awx.yml', settings=LEAST)
        assert run.returncode == 0, run.output[-6000:]
        for endpoint, name in (('inventories', 'Brand Portal'), ('hosts', 'author1')):
            assert json.loads(made.awx.named(endpoint, name)['variables']) == kept


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
