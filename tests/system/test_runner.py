# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook as AWX runs it (runner.py): slices, credentials, surveys, and what a job's events tell."""

from __future__ import annotations

import contextlib
import re
import sys

import pytest

from fakes import testing

from . import checkout, playbook
from .runner import Awx

NAMES = [f'author{number}' for number in range(1, 8)]
PASSWORD = 'S3cret-runner-must-not-be-seen'


@contextlib.contextmanager
def authors(folder, user, password, tenant='acme', **aem_settings):
    """Variables of hosts that are all this machine, with an AEM that knows this account."""
    folder.mkdir()
    testing.make_ca(folder, tenant)
    with testing.running_portal(folder, tenant) as portal, \
         testing.running_aem(folder, portal, user=user, password=password, **{
             'transport_uri': f'{portal.url}/bin/receive?sling:authRequestLogin=1', **aem_settings}) as aem:
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
    with authors(tmp_path / 'fakes', 'watcher', PASSWORD) as variables:
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


@pytest.mark.parametrize(('user', 'password', 'tenant'), [
    ('0123', 'no', 'no'), ('no', '=', '='), ('=', '0123', '0123'), ('true', '[1, 2]', 'true'), ('{a}', '{{ 1 }}', 'acme')])
def test_an_account_that_looks_like_something_else_stays_what_it_is(awx, tmp_path, user, password, tenant):
    """From ansible-core 2.19 on such texts change their type when they come from a survey; those of a credential and of
    the inventory do not. A tenant is in the names of its agents."""
    with authors(tmp_path / 'fakes', user, password, tenant) as variables:
        job = awx.job(f'account {user} {password}', {'author1': variables}, AEM_USER=user, AEM_PASSWORD=password)
    assert job.rc == 0, job.output
    assert job.statistics['counts']['states'] == {'healthy': 1}


def test_a_tenant_that_cannot_be(awx, tmp_path):
    """AEM takes whatever is typed as a transport URI. No server is asked for the time there; the agents' tests tell the rest."""
    with authors(tmp_path / 'fakes', 'watcher', PASSWORD, '=', transport_uri='', scenario='unknown_host_of_tenant') as variables:
        del variables['fix_bp_jwt_agents']
        job = awx.job('tenant', {'author1': variables}, AEM_USER='watcher', AEM_PASSWORD=PASSWORD)
    assert job.rc == 2 and job.recap['changed'] == {}, job.output
    assert job.statistics['counts']['states'] == {'no_reference': 1}
    assert job.statistics['hosts'][0]['cause'] == 'unknown_host'


SURVEY = {
    'fix_bp_jwt_serial': '1,25%,100%', 'fix_bp_jwt_max_skew': '5', 'fix_bp_jwt_fix_at_risk': 'no', 'fix_bp_jwt_table_hosts': '0123',
    'fix_bp_jwt_ntp_servers': '127.0.0.1:9,127.0.0.1:10', 'fix_bp_jwt_common_skew_percentage': '50', 'fix_bp_jwt_report_query': '',
    'fix_bp_jwt_stats_hosts': '2',
}


def test_the_answers_of_a_survey_are_understood(awx, tmp_path):
    with authors(tmp_path / 'fakes', 'watcher', PASSWORD) as variables:
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
def test_an_answer_that_does_not_fit_is_refused_before_a_host_is_touched(awx, name, answer):
    hosts = {'author1': {'ansible_connection': 'ssh', 'ansible_host': '127.0.0.1', 'ansible_port': 9}}
    job = awx.job(f'refused {name} {answer}', hosts, {name: answer}, AEM_USER='watcher', AEM_PASSWORD=PASSWORD)
    assert job.rc != 0
    assert name in job.output and 'UNREACHABLE' not in job.output


@pytest.mark.parametrize('answer', ['0123', 'no', '='])
@pytest.mark.parametrize('name', ['fix_bp_jwt_aem_user', 'fix_bp_jwt_aem_password', 'fix_bp_jwt_agents'])
def test_a_text_that_became_something_else_is_refused_before_a_host_is_touched(awx, name, answer):
    """It would be another user, password or agent: a wrong login every night."""
    version = re.search(r'core 2\.(\d+)', playbook.run(awx.environment, ['ansible', '--version']).output)
    if int(version[1]) < 19:
        pytest.skip('not run: before ansible-core 2.19 these texts stay texts')
    hosts = {'author1': {'ansible_connection': 'ssh', 'ansible_host': '127.0.0.1', 'ansible_port': 9}}
    job = awx.job(f'text {name} {answer}', hosts, {name: answer}, AEM_USER='watcher', AEM_PASSWORD=PASSWORD)
    assert job.rc != 0
    assert name in job.output and 'UNREACHABLE' not in job.output


def test_a_tenant_that_cannot_be_as_the_answer_of_a_survey(awx, tmp_path):
    with authors(tmp_path / 'fakes', 'watcher', PASSWORD) as variables:
        job = awx.job('urls', {'author1': variables}, {'fix_bp_jwt_https_urls': 'https://=.brand-portal.adobe.com'},
                      AEM_USER='watcher', AEM_PASSWORD=PASSWORD)
    assert job.rc == 2 and job.recap['changed'] == {}, job.output
    assert "https_urls: '=.brand-portal.adobe.com:443' has no host" in ' '.join(job.output.split())


def test_an_empty_slice(awx):
    """AWX makes no more slices than hosts, but a limit may leave one without any."""
    job = awx.job('empty', {'author1': {}}, slices=(2, 2), AEM_USER='watcher', AEM_PASSWORD=PASSWORD)
    assert job.rc != 0 and 'No host was measured' in job.output, job.output
    job = awx.job('allowed', {'author1': {}}, {'fix_bp_jwt_allow_no_hosts': True}, slices=(2, 2), AEM_USER='watcher',
                  AEM_PASSWORD=PASSWORD)
    assert job.rc == 0, job.output
    assert job.statistics['counts']['hosts'] == 0
