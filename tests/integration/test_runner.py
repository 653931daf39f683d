# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook as AWX runs it: ansible-runner's transmit, worker and process, in three folders, and its events read back.

AWX's own part is imitated: the project is a checkout, the inventory of a slice is every n-th host by name, credentials
come as environment variables, extra variables and the answers of a survey as a file of unsafe strings.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys

import pytest
import yaml

from standins import testing

from . import checkout

NAMES = [f'author{number}' for number in range(1, 8)]
PASSWORD = 'S3cret-runner-must-not-be-seen'


class Unsafe(str):
    """A string that AWX marks as not to be templated."""


class Dumper(yaml.SafeDumper):
    """Writes those as AWX does."""


Dumper.add_representer(Unsafe, lambda dumper, value: dumper.represent_scalar('!unsafe', str(value)))


class Job:
    """What a job left behind."""

    def __init__(self, folder, output):
        self.artifacts = folder / 'artifacts'
        assert (self.artifacts / 'rc').exists(), output
        self.output = output
        self.rc = int((self.artifacts / 'rc').read_text())
        files = sorted((self.artifacts / 'job_events').glob('*.json'), key=lambda path: int(path.name.partition('-')[0]))
        self.texts = [path.read_text(encoding='utf-8') for path in files]
        self.events = [json.loads(text) for text in self.texts]

    @property
    def statistics(self):
        """What AWX keeps as the job's artifacts."""
        [last] = [event['event_data'] for event in self.events if event['event'] == 'playbook_on_stats']
        return last['artifact_data']['brand_portal_report']

    @property
    def recap(self):
        [last] = [event['event_data'] for event in self.events if event['event'] == 'playbook_on_stats']
        return last

    def of(self, host):
        """The names of the tasks that ended on a host."""
        return [event['event_data']['task'] for event in self.events
                if event['event'].startswith('runner_on_') and event['event'] != 'runner_on_start'
                and event['event_data'].get('host') == host]


class Awx:
    """Runs jobs as AWX does."""

    def __init__(self, environment, folder, project):
        self.environment, self.folder, self.project = environment, folder, project

    def job(self, name, hosts, survey=None, slices=(1, 1), **credential):
        """`slices`: the number of this job among so many. AWX cuts hosts by name, [n - 1::count]."""
        number, count = slices
        folder = self.folder / re.sub(r'\W+', '-', name)
        private, worker, processed = (folder / part for part in ('private', 'worker', 'processed'))
        for part in (private / 'inventory', private / 'env', worker, processed):
            part.mkdir(parents=True)
        (private / 'project').symlink_to(self.project)
        chosen = {host: hosts[host] for host in sorted(hosts)[number - 1::count]}
        (private / 'inventory' / 'hosts.json').write_text(json.dumps({'aem_authors': {'hosts': chosen}}))
        (private / 'env' / 'envvars').write_text(json.dumps({
            **credential, 'ANSIBLE_FORCE_COLOR': 'True', 'ANSIBLE_HOST_KEY_CHECKING': 'False',
            'ANSIBLE_RETRY_FILES_ENABLED': 'False', 'AWX_HOST': 'https://awx.example.com'}))
        variables = {name: Unsafe(value) if isinstance(value, str) else value for name, value in (survey or {}).items()}
        (private / 'env' / 'extravars').write_text(yaml.dump({**variables, 'awx_job_id': 7, 'tower_job_id': 7}, Dumper=Dumper))
        runner = self.environment.bin / 'ansible-runner'
        command = (f'{runner} transmit {private} -p fix-bp-jwt.yml | {runner} worker --private-data-dir {worker} '
                   f'| {runner} process {processed}')
        kept = {name: value for name, value in os.environ.items() if not name.startswith(('ANSIBLE_', 'AEM_'))}
        done = subprocess.run(['bash', '-c', f'set -o pipefail; {command}'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False, timeout=300,
                              env={**kept, 'PATH': f'{self.environment.bin}:{os.environ["PATH"]}'})
        return Job(processed, done.stdout)


@contextlib.contextmanager
def authors(folder, user, password, tenant='acme'):
    """Variables of hosts that are all this machine, with an AEM that knows this account."""
    folder.mkdir()
    testing.make_ca(folder, tenant)
    with testing.running_portal(folder, tenant) as portal, \
         testing.running_aem(folder, portal, user=user, password=password,
                             transport_uri=f'{portal.url}/bin/receive?sling:authRequestLogin=1') as aem:
        yield {
            'ansible_connection': 'local', 'ansible_python_interpreter': sys.executable,
            'fix_bp_jwt_aem_url': aem.url, 'fix_bp_jwt_ca_path': str(folder / 'ca.pem'),
            'fix_bp_jwt_agents': testing.brand_portal_agents(tenant), 'fix_bp_jwt_ntp_servers': ['127.0.0.1:9'],
        }


@pytest.fixture(scope='module')
def awx(core, tmp_path_factory):
    folder = tmp_path_factory.mktemp('awx')
    return Awx(core('fleet'), folder, checkout.copy(folder / 'project'))


def test_slices_cover_the_fleet_and_each_counts_its_own(awx, tmp_path):
    with authors(tmp_path / 'standins', 'watcher', PASSWORD) as variables:
        hosts = {name: dict(variables) for name in NAMES}
        hosts['author3']['fix_bp_jwt_aem_url'] = 'http://127.0.0.1:9'
        hosts['author4'] = {'ansible_connection': 'ssh', 'ansible_host': '127.0.0.1', 'ansible_port': 9}
        jobs = [awx.job(f'slice{number}', hosts, {'fix_bp_jwt_mode': 'diagnose'}, (number, 3),
                        AEM_USER='watcher', AEM_PASSWORD=PASSWORD) for number in (1, 2, 3)]
    statistics = [job.statistics for job in jobs]
    assert [each['counts']['hosts'] for each in statistics] == [3, 2, 2]
    assert [each['counts']['states'] for each in statistics] == [
        {'healthy': 2, 'unreachable': 1}, {'healthy': 2}, {'healthy': 1, 'no_reference': 1}]
    assert [job.rc for job in jobs] == [4, 0, 2]
    assert [host['host'] for each in statistics for host in each['hosts']] == ['author4', 'author3']
    assert jobs[0].recap['dark'] == {'author4': 1} and jobs[2].recap['failures'] == {'author3': 1}
    assert len(jobs[0].of('author7')) == 1  # a healthy host's events; author1 goes along to report
    for job in jobs:
        assert len(job.events) > 10
        for text in [*job.texts, job.output, (job.artifacts / 'stdout').read_text()]:
            assert PASSWORD not in text


@pytest.mark.parametrize(('user', 'password'), [('0123', 'no'), ('no', '='), ('=', '0123'), ('true', '[1, 2]'), ('{a}', '{{ 1 }}')])
def test_an_account_that_looks_like_something_else_stays_what_it_is(awx, tmp_path, user, password):
    """From ansible-core 2.19 on such texts change their type when they come from a survey; a credential's do not."""
    with authors(tmp_path / 'standins', user, password) as variables:
        job = awx.job(f'account {user} {password}', {'author1': variables}, AEM_USER=user, AEM_PASSWORD=password)
    assert job.rc == 0, job.output
    assert job.statistics['counts']['states'] == {'healthy': 1}


SURVEY = {
    'fix_bp_jwt_serial': '1,25%,100%', 'fix_bp_jwt_max_skew': '5', 'fix_bp_jwt_fix_at_risk': 'no', 'fix_bp_jwt_table_hosts': '0123',
    'fix_bp_jwt_ntp_servers': '127.0.0.1:9,127.0.0.1:10', 'fix_bp_jwt_common_skew_percentage': '50', 'fix_bp_jwt_report_query': '',
    'fix_bp_jwt_stats_hosts': '2',
}


def test_the_answers_of_a_survey_are_understood(awx, tmp_path):
    with authors(tmp_path / 'standins', 'watcher', PASSWORD) as variables:
        del variables['fix_bp_jwt_ntp_servers']
        job = awx.job('survey', dict.fromkeys(NAMES[:3], {**variables, 'fix_bp_jwt_aem_url': 'http://127.0.0.1:9'}), SURVEY,
                      AEM_USER='watcher', AEM_PASSWORD=PASSWORD)
    assert job.rc == 2, job.output
    assert job.statistics['counts']['hosts'] == 3
    assert [host['host'] for host in job.statistics['hosts']] == NAMES[:2] and job.statistics['hosts_left_out'] == 1


@pytest.mark.parametrize(('name', 'answer'), [
    ('fix_bp_jwt_serial', 'no'), ('fix_bp_jwt_max_skew', 'no'), ('fix_bp_jwt_mode', 'no'),
    ('fix_bp_jwt_serial', '='),  # Ansible itself cannot read this, from 2.19 on
])
def test_an_answer_that_does_not_fit_is_refused_before_a_host_is_touched(awx, tmp_path, name, answer):
    hosts = {'author1': {'ansible_connection': 'ssh', 'ansible_host': '127.0.0.1', 'ansible_port': 9}}
    job = awx.job(f'refused {name} {answer}', hosts, {name: answer}, AEM_USER='watcher', AEM_PASSWORD=PASSWORD)
    assert job.rc != 0
    assert name in job.output and 'UNREACHABLE' not in job.output


def test_an_empty_slice(awx, tmp_path):
    """A job with more slices than hosts has some without any."""
    job = awx.job('empty', {'author1': {}}, slices=(2, 2), AEM_USER='watcher', AEM_PASSWORD=PASSWORD)
    assert job.rc == 0, job.output
    assert job.statistics['counts']['hosts'] == 0
