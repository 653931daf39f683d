# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many hosts in one run: what is counted, when nothing is repaired, in which order, and what is said of it.

The first part is diagnosing on the cheap fleet of tests/bench/fleet.py, where no process can set a clock. The second
repairs three lab machines in one run.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import jsonschema
import pytest

from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _result as host_result
from lab.fingerprint import changes

from . import playbook
from .author_host import AuthorHost
from .conftest import PASSWORD

FIVE_WAYS = [
    {'name': 'a0', 'variables': {'fix_bp_jwt_max_skew': 'five'}},
    {'name': 'a1'},
    {'name': 'a2', 'clock': -300},
    {'name': 'a3', 'up': False},
    {'name': 'a4', 'aem': {'scenario': 'down'}},
    {'name': 'a5', 'aem': {'scenario': 'access_denied'}},
    {'name': 'a6', 'variables': {'fix_bp_jwt_max_skw': 3}},
    {'name': 'a7'},
]
ALIKE = [{'name': f'a{number}', 'clock': -3600} for number in range(1, 7)] + [{'name': 'a7'}, {'name': 'a8', 'clock': 400}]

# Their agents really ask IMS for a token and Brand Portal for an answer.
RIGHT = [{'name': f'a{number}', 'aem': {'scenario': 'real'}} for number in range(1, 6)]


# The fleet's inventory as a cloud's plugin gives it: hosts by name, each with its variables.
BY_SCRIPT = '''#!{python}
import json, os
group = json.load(open(os.environ["FLEET"] + "/inventory.json"))["aem_authors"]
hosts = group["hosts"]
print(json.dumps({{"aem_authors": {{"hosts": list(hosts), "vars": group["vars"]}}, "_meta": {{"hostvars": hosts}}}}))
'''


class Fleet:
    """Runs the playbook on the cheap fleet and reads what it wrote."""

    def __init__(self, environment, folder):
        self.environment, self.folder = environment, folder

    def play(self, spec, *options, book=None, reference_offset=0, again=False, named_by_script=False, **variables):
        """`again` keeps the report of the run before. `named_by_script`: the inventory is a program's, which parses no name."""
        (self.folder / 'spec.json').write_text(json.dumps(spec))
        for name in () if again else ('brand-portal.json', 'brand-portal.html', 'brand_portal.prom'):
            (self.folder / name).unlink(missing_ok=True)
        inventory = '{inventory}'
        if named_by_script:
            script = self.folder / 'inventory.py'
            script.write_text(BY_SCRIPT.format(python=sys.executable))
            script.chmod(0o755)
            inventory = str(script)
        command = [sys.executable, str(playbook.ROOT / 'tests/bench/fleet.py'), '--spec', str(self.folder / 'spec.json'),
                   '--reference-offset', str(reference_offset), '--', 'env', 'FLEET={folder}',
                   str(self.environment.bin / 'ansible-playbook'), str(book or playbook.ROOT / 'fix-bp-jwt.yml'),
                   '-i', inventory, '-e', f'fix_bp_jwt_report_dir={self.folder}',
                   '-e', f'fix_bp_jwt_prometheus_file={self.folder}/brand_portal.prom', '--forks', '10', *options]
        settings = {'ANSIBLE_NOCOLOR': '1', 'ANSIBLE_INJECT_FACT_VARS': 'False', 'ANSIBLE_LOCALHOST_WARNING': 'False',
                    'ANSIBLE_COLLECTIONS_PATH': str(playbook.ROOT / 'collections'), 'ANSIBLE_PIPELINING': 'True',
                    'PATH': f'{self.environment.bin}:{os.environ["PATH"]}'}
        kept = {name: value for name, value in os.environ.items() if not name.startswith('ANSIBLE_')}
        done = subprocess.run(command, cwd=self.folder, env={**kept, **settings, **variables}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
        if 'no SSH server or library for the fleet' in done.stdout or 'unshare failed' in done.stdout:
            pytest.skip(f'not run, the fleet needs what this machine lacks: {done.stdout.strip()}')
        assert 'S3cret-fleet' not in done.stdout
        return playbook.Run(done.returncode, done.stdout)

    @property
    def report(self):
        return json.loads((self.folder / 'brand-portal.json').read_text(encoding='utf-8'))

    def states(self):
        return {host['host']: host['state_after'] for host in self.report['hosts']}

    def metric(self, name):
        lines = (self.folder / 'brand_portal.prom').read_text(encoding='utf-8')
        found = re.findall(rf'^brand_portal_{re.escape(name)} (\S+)$', lines, re.MULTILINE)
        assert len(found) == 1, name
        return float(found[0])


@pytest.fixture
def fleet(core, tmp_path):
    return Fleet(core('fleet'), tmp_path)


def begun(run):
    """The hosts of each batch whose repair was begun; within a batch no host is first."""
    return [', '.join(sorted(hosts.split(', '))) for hosts in re.findall(r'included: \S*/repair.yml for (.*)', run.output)]


def nothing_was_changed(run):
    assert all(counts['changed'] == 0 for counts in run.recap.values()), run.output
    assert 'Find out what keeps time' not in run.output


@pytest.mark.parametrize('strategy', ['linear', 'free', 'host_pinned', 'mitogen_free'])
def test_every_host_is_counted_whatever_the_strategy(fleet, strategy):
    settings = {'ANSIBLE_STRATEGY': strategy, 'ANSIBLE_DEPRECATION_WARNINGS': 'False'}
    if strategy.startswith('mitogen'):
        [plugins] = fleet.environment.bin.parent.glob('lib/python*/site-packages/ansible_mitogen/plugins/strategy')
        # Mitogen overrides ssh's own option, which the fleet's inventory has.
        settings.update(ANSIBLE_STRATEGY_PLUGINS=str(plugins), ANSIBLE_HOST_KEY_CHECKING='False')
    run = fleet.play(FIVE_WAYS, '-e', 'fix_bp_jwt_mode=diagnose', **settings)
    nothing_was_changed(run)
    assert run.returncode == 4, run.output  # as always when Ansible could not reach a host
    assert fleet.states() == {'a0': 'no_result', 'a1': 'healthy', 'a2': 'at_risk', 'a3': 'unreachable', 'a4': 'aem_unreachable',
                              'a5': 'not_the_clock', 'a6': 'no_result', 'a7': 'healthy'}
    jsonschema.validate(fleet.report, json.loads((playbook.ROOT / 'docs/report.schema.json').read_text(encoding='utf-8')))
    assert fleet.report['counts'] == {
        'hosts': 8, 'passed': 2, 'failed': 3, 'repaired': 0, 'unreachable': 1, 'no_result': 2,
        'states': {'aem_unreachable': 1, 'at_risk': 1, 'healthy': 2, 'no_result': 2, 'not_the_clock': 1, 'unreachable': 1}}
    assert {host: (counts['unreachable'], counts['failed']) for host, counts in run.recap.items()} == {
        'a0': (0, 1), 'a1': (0, 0), 'a2': (0, 1), 'a3': (1, 0), 'a4': (0, 1), 'a5': (0, 1), 'a6': (0, 1), 'a7': (0, 0)}
    hosts = {host['host']: host for host in fleet.report['hosts']}
    assert hosts['a2']['clock_before']['offset'] == pytest.approx(300, abs=1.5)  # libfaketime shows whole seconds
    assert hosts['a5']['cause'] == 'access_denied' and 'Access denied' in hosts['a5']['evidence']
    # ssh says the first, unless it has ended before Ansible has written the module to it.
    assert hosts['a3']['clock_before'] is None and re.search('Connection refused|could not be sent', hosts['a3']['error'])
    assert "fix_bp_jwt_max_skew must be a number, not 'five'." in hosts['a0']['error']
    assert 'Unknown option fix_bp_jwt_max_skw' in hosts['a6']['error']
    assert run.output.count('"host  clock before') == 1  # one report


def test_a_healthy_host_costs_one_task(fleet):
    run = fleet.play([{'name': f'a{number}'} for number in range(1, 6)], '-vvv')
    assert run.returncode == 0, run.output[-6000:]
    assert run.remote_calls == ['brand_portal_health_info'] * 5
    tasks = [sum(counts[name] for name in ('ok', 'failed')) for counts in run.recap.values()]
    assert tasks[1:] == [1] * 4  # the first speaks for all of them
    assert fleet.metric('hosts{result="passed"}') == 5
    assert fleet.metric('host_passed{host="a3"}') == 1
    assert fleet.metric('host_agents_answered{host="a3"}') == 4
    assert abs(fleet.metric('host_clock_offset_seconds{host="a3"}')) < 1
    assert fleet.metric('last_run_timestamp_seconds') > 1.7e9


@pytest.mark.parametrize('options', [(), ('--check',)], ids=['run', 'check'])
def test_a_reference_that_makes_the_fleet_look_wrong_changes_nothing(fleet, options):
    """Six clocks that are an hour behind look just as six clocks that are right to a reference that is an hour ahead."""
    run = fleet.play(ALIKE, '-vvv', *options, ANSIBLE_STRATEGY='free')
    nothing_was_changed(run)
    assert set(run.remote_calls) == {'brand_portal_health_info'}
    assert run.returncode == 2
    assert '6 of 8 measured clocks are behind by the same amount (1 h behind)' in fleet.report['stopped']
    assert 'STOPPED: 6 of 8 measured clocks' in run.output
    assert fleet.report['counts']['failed'] == 7
    assert all('not begun: 6 of 8' in host['error'] for host in fleet.report['hosts'] if host['host'] != 'a7')
    assert fleet.metric('repairs_stopped') == 1


@pytest.mark.parametrize('offset', [3600, -3600], ids=['ahead', 'behind'])
def test_a_reference_that_lies_changes_nothing(fleet, offset):
    """The clocks are right; every NTP server and the tenant are an hour off, by which IMS judges the tokens as well."""
    run = fleet.play(RIGHT, '-vvv', reference_offset=offset)
    nothing_was_changed(run)
    assert set(run.remote_calls) == {'brand_portal_health_info'}
    assert run.returncode == 2
    look, state = ('behind', 'jwt_expired') if offset > 0 else ('ahead', 'at_risk')
    assert f'STOPPED: 5 of 5 measured clocks are {look} by the same amount (1 h {look})' in run.output
    assert set(fleet.states().values()) == {state}
    for host in fleet.report['hosts']:
        assert host['clock_before']['offset'] == pytest.approx(offset, abs=1) and host['clock_before']['verified']
        assert host['error'].startswith('not begun: 5 of 5 measured clocks') and not host['passed']
    assert fleet.metric('repairs_stopped') == 1


def test_a_reference_that_lies_is_followed_when_told_so(fleet):
    run = fleet.play(RIGHT, '--check', '-e', 'fix_bp_jwt_accept_common_skew=true', '-e', 'fix_bp_jwt_serial=100%',
                     reference_offset=3600)
    assert fleet.report['stopped'] == '' and 'STOPPED' not in run.output
    assert begun(run) == ['a1, a2, a3, a4, a5']
    # Here no host may set its clock, which is checked next.
    assert set(fleet.states().values()) == {'cannot_set_clock'}


def test_told_otherwise_it_goes_on_and_the_next_host_is_the_canary_of_those_that_cannot_be_tried(fleet):
    """No host of the fleet may set its clock, which is found out before anything is tried: such a host proves nothing."""
    run = fleet.play(ALIKE[4:], '--check', '-e', 'fix_bp_jwt_accept_common_skew=true', '-e', 'fix_bp_jwt_common_skew_hosts=2')
    assert run.returncode == 2, run.output
    assert fleet.states() == {'a5': 'cannot_set_clock', 'a6': 'cannot_set_clock', 'a7': 'healthy', 'a8': 'cannot_set_clock'}
    assert fleet.report['stopped'] == ''
    assert begun(run) == ['a5', 'a6', 'a8']  # one after the other


def test_when_nobody_can_be_reached_the_report_still_comes(fleet):
    run = fleet.play([{'name': 'a1', 'up': False}, {'name': 'a2', 'up': False}])
    assert run.returncode == 4
    assert fleet.report['counts']['unreachable'] == 2
    assert 'unreachable' in run.row('a1') and 'unreachable' in run.row('a2')


def test_a_limit_and_a_shaped_report(fleet):
    """The counts are of all hosts of this run; the query says what is listed."""
    run = fleet.play(FIVE_WAYS, '--limit', 'a1,a2,a5', '-e', 'fix_bp_jwt_mode=diagnose',
                     '-e', json.dumps({'fix_bp_jwt_report_query': '[?!passed].{host: host, state_after: state_after}'}).replace(
                         '{', '{{').replace('}', '}}'))
    assert run.returncode == 2
    assert fleet.report['hosts'] == [{'host': 'a2', 'state_after': 'at_risk'}, {'host': 'a5', 'state_after': 'not_the_clock'}]
    assert fleet.report['counts']['hosts'] == 3
    assert run.row('a2').split() == ['a2', '-', '-', '-', 'at_risk', '-']
    assert '"3 hosts: 1 passed, 2 failed; at_risk 1, healthy 1, not_the_clock 1"' in run.output


ONE_IS_WRONG = [{'name': 'a1'}, {'name': 'a4', 'clock': -300}]


@pytest.mark.parametrize('options', [
    ('-e', 'fix_bp_jwt_hosts=authors'), ('-i', 'db1,', '--limit', 'db1'),
    ('--tags', 'nothing'), ('--tags', 'nothing', '--skip-tags', 'always'), ('--check', '--tags', 'x'),
    ('--start-at-task', 'aemops.brand_portal.fix_bp_jwt : Write the report'), ('--start-at-task', 'Assert*'),
], ids=' '.join)
def test_a_run_that_measured_no_host_fails_and_says_why(fleet, options):
    run = fleet.play(ONE_IS_WRONG, *options)
    assert run.returncode != 0, run.output
    assert 'No host was measured, so this run proves nothing.' in ' '.join(run.output.split())
    assert not (fleet.folder / 'brand-portal.json').exists()


def test_a_run_that_measured_no_host_fails_where_ansible_ignores_what_is_undefined(core, tmp_path):
    """Up to ansible-core 2.18, it took the template for the pattern, and the run was green."""
    run = Fleet(core('core-2.16'), tmp_path).play(ONE_IS_WRONG, '--tags', 'x', ANSIBLE_ERROR_ON_UNDEFINED_VARS='False')
    assert run.returncode != 0 and 'No host was measured, so this run proves nothing.' in ' '.join(run.output.split()), run.output


def test_a_run_that_begins_after_the_measurement_fails(fleet):
    run = fleet.play(ONE_IS_WRONG, '--start-at-task', 'aemops.brand_portal.fix_bp_jwt : Look at all hosts together*')
    assert run.returncode != 0, run.output
    assert {counts['failed'] for counts in run.recap.values()} == {1}


def test_the_role_alone_proves_nothing_where_it_did_not_measure(fleet):
    run = fleet.play(ONE_IS_WRONG, '--start-at-task', 'aemops.brand_portal.fix_bp_jwt : Assert*', book=role_alone(fleet.folder))
    assert run.returncode == 2, run.output
    assert 'Nothing was measured before this task' in run.output
    assert {counts['failed'] for counts in run.recap.values()} == {1}


@pytest.mark.parametrize(('value', 'said'), [
    ('""', 'is empty'), ('[]', 'is empty'), ('","', 'is empty'), ('[null, ""]', 'is empty'), ('5', 'is neither a pattern')])
def test_what_is_no_pattern_is_refused_by_the_name_of_the_option(fleet, value, said):
    """Of a pattern such as "$A,$B" with both empty, Ansible makes the whole inventory."""
    run = fleet.play(ONE_IS_WRONG, '-e', '{{"fix_bp_jwt_hosts": ' + value + '}}')
    assert run.returncode != 0 and f'fix_bp_jwt_hosts {said}' in ' '.join(run.output.split()), run.output
    assert 'TASK' not in run.output


def test_a_pattern_in_the_inventory_which_has_no_effect_is_refused(fleet):
    """The run was green for the hosts of aem_authors, and the hosts of the pattern were never measured."""
    more = fleet.folder / 'more.ini'
    more.write_text('[production]\na4\n[all:vars]\nfix_bp_jwt_hosts=production\n')
    run = fleet.play(ONE_IS_WRONG[:1], '-i', str(more))
    assert run.returncode == 2 and 'fix_bp_jwt_hosts=production has no effect here' in run.output, run.output
    run = fleet.play(ONE_IS_WRONG, '-i', str(more), '-e', 'fix_bp_jwt_hosts=production', '-e', 'fix_bp_jwt_mode=diagnose')
    assert run.returncode == 2 and fleet.states() == {'a4': 'at_risk'}, run.output


def test_a_pattern_of_null_is_the_group(fleet):
    run = fleet.play(ONE_IS_WRONG[:1], '-e', '{{"fix_bp_jwt_hosts": null, "fix_bp_jwt_mode": "diagnose"}}')
    assert run.returncode == 0 and fleet.states() == {'a1': 'healthy'}, run.output


def test_no_host_at_all_where_that_is_meant(fleet):
    run = fleet.play(FIVE_WAYS, '-e', 'fix_bp_jwt_hosts=authors', '-e', 'fix_bp_jwt_allow_no_hosts=true')
    assert run.returncode == 0, run.output
    assert fleet.report['counts']['hosts'] == 0 and fleet.report['hosts'] == []
    assert 'No host was in this run.' in run.output


def test_a_rehearsal_is_for_every_host_and_changes_nothing(fleet):
    spec = [{'name': 'a1'}, {'name': 'a2', 'variables': {'fix_bp_jwt_aem_service': 'aemm.service'}}, {'name': 'a3', 'up': False},
            {'name': 'a5', 'variables': {'ansible_become_user': 'nobody'}}, {'name': 'a6', 'aem': {'scenario': 'down'}}]
    run = fleet.play(spec, '-e', 'fix_bp_jwt_mode=rehearse')
    nothing_was_changed(run)
    assert run.returncode == 4, run.output
    hosts = {host['host']: host for host in fleet.report['hosts']}
    obstacles = {name: {each['check'] for each in (host['rehearsal'] or {'checks': []})['checks'] if not each['passed']}
                 for name, host in hosts.items()}
    # The hosts of the fleet are containers without systemd.
    assert 'clock' in obstacles['a1'] and 'service' not in obstacles['a1']
    assert 'service' in obstacles['a2'] and hosts['a2']['rehearsal']['stops'] == ['aemm.service']
    assert hosts['a3']['rehearsal'] is None and hosts['a3']['state_after'] == 'unreachable'
    assert 'become' in obstacles['a5'] and 'proof' in obstacles['a6']
    assert fleet.report['mode'] == 'rehearse' and not any(host['passed'] for host in hosts.values())
    assert 'obstacle -> what to do' in run.output
    jsonschema.validate(fleet.report, json.loads((playbook.ROOT / 'docs/report.schema.json').read_text(encoding='utf-8')))


def test_the_password_is_in_no_file_of_a_host_from_whatever_folder(fleet):
    """Ansible reads the checkout's ansible.cfg only there; without pipelining it copies a module with its arguments."""
    null = {'fix_bp_jwt_pipelining': None}  # means the default
    run = fleet.play([{'name': 'a1'}, {'name': 'a2', 'variables': null}], '-vvvv', ANSIBLE_PIPELINING='False')
    assert run.returncode == 0 and 'AnsiballZ' not in run.output, run.output[-3000:]
    run = fleet.play([{'name': 'a1', 'variables': {'fix_bp_jwt_pipelining': False}}], '-vvvv', ANSIBLE_PIPELINING='True')
    assert run.returncode == 0 and 'AnsiballZ' in run.output  # the very thing that the test looks for


def test_a_large_fleet_with_a_wrong_password_says_it_once(fleet):
    """Of 200 characters a host, ansible-core's own recap takes 118."""
    hosts = [{'name': f'a{number}'} for number in range(1, 61)]
    run = fleet.play(hosts, '-e', 'fix_bp_jwt_table_hosts=20', AEM_PASSWORD='S3cret-wrong')
    assert run.returncode == 2 and all(counts['failed'] == 1 for counts in run.recap.values())
    assert 'no. 1: not_testable: ' in run.output and run.output.count('does not accept the user') <= 1
    assert len(run.output) < 60 * 195 + 2500, run.output
    assert '[ERROR]' not in run.output


@pytest.mark.parametrize(('settings', 'each', 'said'), [
    ({'AEM_PASSWORD': 'S3cret-wrong'}, 'failed: aem-author-017.prod.eu-west-1.example.com: no. 1', 'does not accept the user'),
    ({'AEM_USER': ''}, 'failed: aem-author-017.prod.eu-west-1.example.com: no. 1', 'set the environment variables AEM_USER'),
])
def test_the_brief_output_of_a_large_fleet_has_one_line_a_host_besides_the_recap(fleet, settings, each, said):
    """300 hosts with such names print less than 60 kB, of which ansible-core's recap takes 40."""
    hosts = [{'name': f'aem-author-{number:03}.prod.eu-west-1.example.com'} for number in range(1, 31)]
    run = fleet.play(hosts, '-e', 'fix_bp_jwt_table_hosts=20', ANSIBLE_STDOUT_CALLBACK='aemops.brand_portal.brief', **settings)
    assert run.returncode == 2 and len(run.recap) == 30 and all(counts['failed'] == 1 for counts in run.recap.values()), run.output
    assert each in run.output and said in run.output and 'ok: [' not in run.output.replace('ok: [aem-author-001', '')
    assert run.output.count(said) <= 2 and len(run.output) < 30 * 190 + 1500, len(run.output)


# What a dynamic inventory may give as a name; the third is what clouds make of a label.
NAMES = ['author1.example.com:4502', '10.0.0.1:22', 'Author 4 (west) #1', 'a*', '~b', 'ünï']


def test_hosts_of_any_name_are_measured_and_counted(fleet):
    spec = [{'name': name, 'clock': 0 if number == 0 else -300} for number, name in enumerate(NAMES)]
    run = fleet.play(spec, '-e', 'fix_bp_jwt_mode=diagnose', '-e', 'fix_bp_jwt_common_skew_hosts=9', named_by_script=True)
    assert run.returncode == 2, run.output
    assert fleet.states() == {name: 'healthy' if number == 0 else 'at_risk' for number, name in enumerate(NAMES)}
    assert run.output.count('"host ') == 1


def test_a_group_with_the_name_of_a_host_adds_none_of_its_hosts(fleet):
    """Clouds and DNS names give such groups. Of a pattern, Ansible prefers the group, also for a regular expression."""
    groups = fleet.folder / 'groups.ini'
    groups.write_text('[a4]\na4\ndb1 ansible_connection=local\n')
    run = fleet.play(ONE_IS_WRONG, '-i', str(groups))
    assert run.returncode == 2 and begun(run) == ['a4'] and 'db1' not in run.recap, run.output
    assert fleet.states() == {'a1': 'healthy', 'a4': 'cannot_set_clock'}


@pytest.mark.parametrize('name', ['localhost', '127.0.0.1'])
def test_the_localhost_that_no_inventory_names_is_measured_and_reported(fleet, name):
    run = fleet.play([{'name': 'a1'}], '-e', f'fix_bp_jwt_hosts={name}', '-e', 'fix_bp_jwt_mode=diagnose')
    assert run.returncode == 2, run.output
    assert list(fleet.states()) == [name]
    assert 'No host was measured' not in run.output


TWO_IMPORTS = """
- ansible.builtin.import_playbook: aemops.brand_portal.fix_bp_jwt
  vars: {fix_bp_jwt_hosts: 'all:!a4'}
- ansible.builtin.import_playbook: aemops.brand_portal.fix_bp_jwt
  vars: {fix_bp_jwt_hosts: [a4, nowhere]}
"""


def test_a_second_import_for_other_hosts_repairs_and_asserts_these(fleet):
    """The plan of the first import is still in the variables of its hosts."""
    book = fleet.folder / 'two.yml'
    book.write_text(TWO_IMPORTS)
    spec = [{'name': 'a1'}, {'name': 'a2'}, {'name': 'a3'}, {'name': 'a4', 'clock': -300}, {'name': 'a5'}]
    run = fleet.play(spec, book=book, PYTHONHASHSEED='2')
    assert run.returncode == 2 and begun(run) == ['a4'], run.output
    assert fleet.states()['a4'] == 'cannot_set_clock' and run.recap['a4']['failed'] == 1
    assert fleet.report['counts']['hosts'] == 1 and fleet.report['kept'] == 4


AFTER_A_REPAIR = """
- hosts: aem_authors
  gather_facts: false
  tasks:
    - name: Leave what an earlier import that repaired the host leaves
      ansible.builtin.set_fact:
        __fix_bp_jwt_plan: {hosts: [a1, a4, gone], run: '1', batches: [[a1]], stopped: '', wanted: true, rehearse: false,
                            repair_hosts: '~(gone)$', report_hosts: '~(gone)$', pending: [a1]}
        __fix_bp_jwt_batch: {hosts: [a1], begun: [a1, a4], run: '1', stopped: no further repair was begun}
        __fix_bp_jwt_error: an earlier error
        time_sync_result: {actions: [an earlier action], changed: true}
- ansible.builtin.import_playbook: aemops.brand_portal.fix_bp_jwt
"""


def test_a_second_import_for_the_same_hosts_begins_anew(fleet):
    """A host that the first import repaired is not lost, and one that is wrong again is repaired again."""
    book = fleet.folder / 'again.yml'
    book.write_text(AFTER_A_REPAIR)
    run = fleet.play(ONE_IS_WRONG, book=book)
    assert fleet.states() == {'a1': 'healthy', 'a4': 'cannot_set_clock'} and begun(run) == ['a4'], run.output
    assert {host: counts['failed'] for host, counts in run.recap.items()} == {'a1': 0, 'a4': 1}
    assert fleet.report['counts']['passed'] == 1 and fleet.report['stopped'] == ''
    hosts = {host['host']: host for host in fleet.report['hosts']}
    assert all('earlier' not in json.dumps(host) for host in hosts.values())


def test_a_host_that_a_condition_leaves_out_is_none_of_the_run(fleet):
    """It was counted as no_result, with exit code 0."""
    book = fleet.folder / 'when.yml'
    book.write_text(json.dumps([{'import_playbook': 'aemops.brand_portal.fix_bp_jwt', 'when': 'inventory_hostname != "a4"'}]))
    fleet.play(ONE_IS_WRONG, '-e', 'fix_bp_jwt_mode=diagnose')
    run = fleet.play(ONE_IS_WRONG, '-e', 'fix_bp_jwt_mode=diagnose', book=book, again=True)
    assert run.returncode == 0 and fleet.report['counts']['hosts'] == 1, run.output
    assert fleet.states() == {'a1': 'healthy', 'a4': 'at_risk'} and fleet.metric('host_passed{host="a4"}') == 0


@pytest.mark.parametrize('variables', [
    {'fix_bp_jwt_table_hosts': 'many'}, {'fix_bp_jwt_mode': 'repair'}, {'fix_bp_jwt_stats_hosts': '{{ nowhere }}'},
    {'ansible_connection': 'nowhere.nothing.nope'}, {'ansible_port': 'x22'}, {'ansible_host': '{{ nowhere }}'},
    {'ansible_become': True, 'ansible_become_method': 'nope'}, {'ansible_ssh_timeout': 'soon'}, {'ansible_shell_type': 'nope'},
], ids=str)
def test_a_first_host_that_nothing_can_run_on_does_not_end_the_run_of_the_others(fleet, variables):
    """The tasks of the whole run are tasks of the first host. The sick hosts were green, and there was no report."""
    run = fleet.play([{'name': 'a0', 'variables': variables}, *ONE_IS_WRONG])
    assert fleet.states() == {'a0': 'no_result', 'a1': 'healthy', 'a4': 'cannot_set_clock'} and begun(run) == ['a4'], run.output
    assert {host: counts['failed'] for host, counts in run.recap.items()} == {'a0': 1, 'a1': 0, 'a4': 1}


def test_the_options_of_the_run_see_the_connection_of_their_host(fleet):
    query = "[].{host: host, where: '{{ ansible_user }}@{{ ansible_host }}'}"
    run = fleet.play([{'name': 'a1', 'variables': {'fix_bp_jwt_report_query': query}}])
    assert run.returncode == 0 and re.fullmatch('root@[0-9.]+', fleet.report['hosts'][0]['where']), run.output


def test_a_connection_whose_values_only_the_author_hosts_have(fleet):
    """The localhost of the inventory has no value for these; the tasks of the whole run must not need one."""
    more = fleet.folder / 'more.ini'
    more.write_text('localhost\n[all:vars]\nansible_user={{ account }}\nansible_port={{ door }}\n')
    run = fleet.play([{**host, 'variables': {'account': 'root', 'door': 22}} for host in ONE_IS_WRONG], '-i', str(more))
    assert fleet.states() == {'a1': 'healthy', 'a4': 'cannot_set_clock'} and run.returncode == 2, run.output


def test_a_first_host_that_only_diagnoses_leaves_the_others_their_own_mode(fleet):
    run = fleet.play([{'name': 'a1', 'variables': {'fix_bp_jwt_mode': 'diagnose'}}, {'name': 'a4', 'clock': -300},
                      {'name': 'a5', 'clock': -900, 'variables': {'fix_bp_jwt_mode': 'diagnose'}}])
    assert begun(run) == ['a4'] and fleet.states() == {'a1': 'healthy', 'a4': 'cannot_set_clock', 'a5': 'at_risk'}, run.output
    assert {host['host']: host['mode'] for host in fleet.report['hosts']} == {'a1': 'diagnose', 'a4': 'fix', 'a5': 'diagnose'}
    assert fleet.report['mode'] == 'fix' and 'fix_bp_jwt_mode=fix' in run.row('a5')


def test_a_host_without_python_is_reported_with_what_it_said(fleet):
    run = fleet.play([{'name': 'a1'}, {'name': 'a2', 'variables': {'ansible_python_interpreter': '/nowhere/python3'}}],
                     '-e', 'fix_bp_jwt_mode=diagnose')
    assert fleet.states() == {'a1': 'healthy', 'a2': 'no_result'}, run.output
    error = next(host['error'] for host in fleet.report['hosts'] if host['host'] == 'a2')
    assert 'not found' in error.lower() and 'ansible_python_interpreter' in error


def test_any_errors_fatal_of_the_configuration_does_not_stop_the_others(fleet):
    # With the role alone, Ansible checks the types of options before; there, any_errors_fatal is the play's own to give.
    for book, option in ((None, {'fix_bp_jwt_max_skew': 'five'}), (role_alone(fleet.folder), {'fix_bp_jwt_max_skw': 5})):
        spec = [{'name': 'a1'}, {'name': 'a2', 'variables': option}, {'name': 'a3', 'up': False}, {'name': 'a4', 'clock': -300}]
        run = fleet.play(spec, book=book, ANSIBLE_ANY_ERRORS_FATAL='1')
        assert run.returncode != 0
        assert fleet.states() == {'a1': 'healthy', 'a2': 'no_result', 'a3': 'unreachable', 'a4': 'cannot_set_clock'}
        recap = {host: (counts['unreachable'], counts['failed']) for host, counts in run.recap.items()}
        assert {host: recap[host] for host in ('a2', 'a3', 'a4')} == {'a2': (0, 1), 'a3': (1, 0), 'a4': (0, 1)}, run.output


def test_check_mode_never_looks_healed(fleet):
    run = fleet.play(ONE_IS_WRONG, '--check')
    assert fleet.states()['a4'] == 'cannot_set_clock' and run.returncode == 2  # no host of the fleet may set its clock
    fleet.play(ONE_IS_WRONG, '-e', 'fix_bp_jwt_mode=diagnose')
    assert fleet.metric('host_passed{host="a4"}') == 0 and fleet.metric('host_passed{host="a1"}') == 1
    assert 'mode="diagnose"' in (fleet.folder / 'brand_portal.prom').read_text()


def test_a_run_over_a_part_keeps_the_rows_and_series_of_the_others(fleet):
    fleet.play(ONE_IS_WRONG, '-e', 'fix_bp_jwt_mode=diagnose')
    run = fleet.play(ONE_IS_WRONG, '--limit', 'a1', again=True)
    assert run.returncode == 0, run.output
    a4 = {host['host']: host for host in fleet.report['hosts']}['a4']
    assert a4['state_after'] == 'at_risk' and a4['mode'] == 'diagnose' and a4['age'] > 0
    assert fleet.report['counts']['hosts'] == 1 and fleet.report['kept'] == 1
    assert fleet.metric('host_passed{host="a4"}') == 0 and fleet.metric('hosts{result="failed"}') == 1
    assert 'a4' in (fleet.folder / 'brand-portal.html').read_text()
    assert '1 more host of earlier runs in the report.' in run.output
    fleet.play(ONE_IS_WRONG, '--limit', 'a1', '-e', 'fix_bp_jwt_report_keep_days=0', again=True)
    assert [host['host'] for host in fleet.report['hosts']] == ['a1']


@pytest.mark.parametrize(('option', 'said'), [
    ('fix_bp_jwt_report_query=[?', 'fix_bp_jwt_report_query is not valid JMESPath'),
    ('fix_bp_jwt_report_query=[].host', 'fix_bp_jwt_report_query does not return a list of objects'),
    ('fix_bp_jwt_report_dir=/proc/nowhere', 'The report cannot be written on the controller'),
    ('fix_bp_jwt_serial=1,some', "fix_bp_jwt_serial: 'some' is neither a positive number of hosts"),
    ('fix_bp_jwt_max_fail_percentage=200', 'fix_bp_jwt_max_fail_percentage must be a percentage'),
    ('fix_bp_jwt_mode=repair', 'value of fix_bp_jwt_mode must be one of: fix, diagnose'),
    ('fix_bp_jwt_prometheus_file=/tmp/brand_portal.txt', 'ends with .prom'),
])
def test_bad_input_is_refused_before_anything_is_changed(fleet, option, said):
    run = fleet.play(ONE_IS_WRONG, '-e', option)
    nothing_was_changed(run)
    assert run.returncode == 2 and run.recap['a1']['failed'] == run.recap['a4']['failed'] == 1, run.output
    assert said in ' '.join(run.output.split())


# The role alone


def role_alone(folder, **keywords):
    path = folder / 'alone.yml'
    path.write_text(json.dumps([{'hosts': 'aem_authors', 'gather_facts': False, **keywords,
                                 'roles': ['aemops.brand_portal.fix_bp_jwt']}]))
    return path


def test_the_role_alone_does_the_whole_for_its_play(fleet):
    run = fleet.play(FIVE_WAYS, '-e', 'fix_bp_jwt_mode=diagnose', book=role_alone(fleet.folder))
    assert run.returncode == 4, run.output
    assert fleet.report['counts']['states'] == {
        'aem_unreachable': 1, 'at_risk': 1, 'healthy': 2, 'no_result': 2, 'not_the_clock': 1, 'unreachable': 1}
    assert run.recap['a3']['unreachable'] == 1 and run.recap['a7']['failed'] == 0


def test_the_role_alone_in_batches_of_its_play_counts_every_host_once(fleet):
    """With the play keyword serial, the hosts of later batches are not measured when the first ones report."""
    run = fleet.play([{'name': f'a{number}'} for number in range(1, 4)], '-e', 'fix_bp_jwt_mode=diagnose',
                     book=role_alone(fleet.folder, serial=2))
    assert run.returncode == 0, run.output
    assert fleet.states() == {'a1': 'healthy', 'a2': 'healthy', 'a3': 'healthy'}
    assert 'no result' not in run.output and '"2 hosts: 2 passed; healthy 2"' in run.output


def test_an_unreachable_host_ends_as_such_in_a_play_that_ignores_these(fleet):
    run = fleet.play([{'name': 'a1'}, {'name': 'a3', 'up': False}], '-e', 'fix_bp_jwt_mode=diagnose',
                     book=role_alone(fleet.folder, ignore_unreachable=True))
    assert run.returncode == 4 and run.recap['a3']['unreachable'] == 1, run.output


@pytest.mark.parametrize('keywords', [{'ignore_errors': True}, {'run_once': True}], ids=str)
def test_the_role_measures_and_asserts_every_host_whatever_it_inherits(fleet, keywords):
    book = fleet.folder / 'keywords.yml'
    book.write_text(json.dumps([{'hosts': 'aem_authors', 'gather_facts': False, 'tasks': [
        {'include_role': {'name': 'aemops.brand_portal.fix_bp_jwt', 'apply': keywords}}]}]))
    run = fleet.play(ONE_IS_WRONG, '-e', 'fix_bp_jwt_mode=diagnose', book=book)
    assert run.returncode == 2 and fleet.states() == {'a1': 'healthy', 'a4': 'at_risk'}, run.output
    assert (run.recap['a1']['failed'], run.recap['a4']['failed']) == (0, 1)


def test_an_error_of_the_whole_run_is_not_ignored(fleet):
    book = role_alone(fleet.folder, ignore_errors=True)
    run = fleet.play(ONE_IS_WRONG[:1], '-e', 'fix_bp_jwt_report_dir=/proc/nowhere', book=book)
    assert run.returncode == 2 and 'The report cannot be written on the controller' in run.output, run.output


def test_a_host_that_a_condition_of_an_include_leaves_out_is_none_of_the_run(fleet):
    book = fleet.folder / 'include.yml'
    book.write_text(json.dumps([{'hosts': 'aem_authors', 'gather_facts': False, 'tasks': [
        {'include_role': {'name': 'aemops.brand_portal.fix_bp_jwt'}, 'when': 'inventory_hostname != "a4"'}]}]))
    run = fleet.play(ONE_IS_WRONG, '-e', 'fix_bp_jwt_mode=diagnose', book=book)
    assert run.returncode == 0 and fleet.states() == {'a1': 'healthy'}, run.output


def test_a_role_that_is_delegated_to_another_host_proves_nothing(fleet):
    book = fleet.folder / 'delegated.yml'
    book.write_text(json.dumps([{'hosts': 'aem_authors', 'gather_facts': False, 'tasks': [
        {'include_role': {'name': 'aemops.brand_portal.fix_bp_jwt', 'apply': {'delegate_to': 'a1'}}}]}]))
    run = fleet.play(ONE_IS_WRONG, '-e', 'fix_bp_jwt_mode=diagnose', book=book)
    assert run.returncode == 2 and fleet.states() == {'a1': 'healthy', 'a4': 'no_result'}, run.output
    assert 'delegate_to=a1 would run this role on that host for a4' in run.row('a4')


OPTIONS_THAT_DO_NOT_FIT = {
    'url': ({'fix_bp_jwt_aem_url': 'http://u:{secret}@localhost:4502'}, 'fix_bp_jwt_aem_url must not hold a user and password'),
    'template': ({'fix_bp_jwt_aem_url': 'http://{{ nowhere }}:4502'}, "fix_bp_jwt_aem_url has no value: 'nowhere' is undefined"),
    'servers': ({'fix_bp_jwt_ntp_servers': '- ntp1 iburst'}, "fix_bp_jwt_ntp_servers: 'ntp1 iburst' has no host"),
    'proxy': ({'fix_bp_jwt_https_proxy': 'socks5://u:{secret}@proxy:1'}, 'fix_bp_jwt_https_proxy: a proxy of the kind socks5://'),
    'timeout': ({'fix_bp_jwt_timeout': 99999}, 'fix_bp_jwt_timeout: 99999 is not a number of seconds'),
    'query': ({'fix_bp_jwt_agent_query': 'length(@)'}, 'fix_bp_jwt_agent_query does not return a list of names, but 10.'),
}
# Options whose value a message quotes.
QUOTED = ('aem_url', 'ntp_servers', 'agents', 'agent_query', 'aem_service', 'ca_path', 'stop_window', 'unknown_store', 'max_skew',
          'fix_at_risk', 'https_urls')


def test_credentials_in_an_option_are_in_no_message(fleet):
    secret = 'S3cret-fleet/in@an-option'
    spec = [{'name': f'{name}-{number}', 'variables': {f'fix_bp_jwt_{name}': form.format(secret)}} for name in QUOTED
            for number, form in enumerate(('https://user:{}@host.example.com', 'user:{}@host.example.com'))]
    run = fleet.play(spec, '-e', 'fix_bp_jwt_mode=diagnose')
    assert run.returncode == 2 and '********@host.example.com' in run.output
    for part in secret.split('@'):
        assert part not in run.output and all(part not in file.read_text() for file in fleet.folder.glob('brand*portal*'))
    assert fleet.report['counts']['passed'] == 0


def test_what_does_not_fit_is_said_once_in_the_words_of_the_role(fleet):
    secret = 'S3cret-fleet-in-an-option'
    spec = [{'name': name, 'variables': {key: value.replace('{secret}', secret) if isinstance(value, str) else value
                                         for key, value in variables.items()}}
            for name, (variables, _said) in OPTIONS_THAT_DO_NOT_FIT.items()]
    run = fleet.play(spec)
    nothing_was_changed(run)
    assert run.returncode == 2 and secret not in run.output
    errors = {host['host']: host['error'] for host in fleet.report['hosts']}
    for name, (_variables, said) in OPTIONS_THAT_DO_NOT_FIT.items():
        assert errors[name].count(said) == 1, errors
        assert said[:40] in run.row(name)


def test_the_role_alone_repairs_nothing_where_hosts_run_ahead_of_each_other(fleet):
    run = fleet.play(ALIKE[5:], book=role_alone(fleet.folder, strategy='free'))
    nothing_was_changed(run)
    assert run.returncode == 2
    assert 'The strategy free of this play lets a host run ahead of the others' in run.output
    assert fleet.states() == {'a6': 'at_risk', 'a7': 'healthy', 'a8': 'at_risk'}


# Three lab machines in one run


class Three:
    """Three machines whose clocks are wrong, each by another amount. `first` may not become root on request."""

    def __init__(self, lab, environment, folder):
        self.lab, self.environment, self.folder = lab, environment, folder
        self.authors = {name: AuthorHost(lab, name, clock, environment)
                        for name, clock in (('first', '-2d'), ('second', '2017-02-28T18:39:51Z'), ('third', '-400d'))}

    def play(self, *options, first='ops', **variables):
        common = {'fix_bp_jwt_ntp_servers': [self.lab.network.host], 'fix_bp_jwt_report_dir': str(self.folder), **variables}
        inventory = self.lab.inventory(common=common, first={'ansible_user': first})
        return playbook.play(self.environment, inventory, *options, AEM_USER='admin', AEM_PASSWORD=PASSWORD)

    def clock(self, name):
        return abs(self.authors[name].machine.clock())

    @property
    def hosts(self):
        return {host['host']: host for host in self.report['hosts']}

    @property
    def report(self):
        return json.loads((self.folder / 'brand-portal.json').read_text(encoding='utf-8'))


@pytest.fixture(scope='module')
def three(lab, newest, tmp_path_factory):
    return Three(lab, newest, tmp_path_factory.mktemp('report'))


def test_a_canary_that_fails_stops_the_roll_out(three):
    before = {name: three.authors[name].machine.fingerprint() for name in three.authors}
    run = three.play()
    assert run.returncode == 2, run.output[-6000:]
    assert begun(run) == ['first']
    for name, fingerprint in before.items():
        assert changes(fingerprint, three.authors[name].machine.fingerprint()) == []
    assert '1 of 1 repair failed (first)' in three.report['stopped'] and 'STOPPED: 1 of 1' in run.output
    assert 'sudo' in three.hosts['first']['error']
    for name in ('second', 'third'):
        assert 'see why this run stopped' in run.row(name)
        assert not three.hosts[name]['passed'] and three.hosts[name]['error'].startswith('not begun: 1 of 1 repair failed')
    assert {host: counts['failed'] for host, counts in run.recap.items()} == {'first': 1, 'second': 1, 'third': 1}
    assert three.report['counts'] == {'hosts': 3, 'passed': 0, 'failed': 3, 'repaired': 0, 'unreachable': 0, 'no_result': 0,
                                      'states': {'jwt_expired': 3}}


def test_two_are_healed_beside_one_that_cannot_be(three):
    run = three.play(fix_bp_jwt_serial='1,100%', fix_bp_jwt_max_fail_percentage=100)
    assert run.returncode == 2, run.output[-6000:]
    assert begun(run) == ['first', 'second, third']
    assert three.clock('first') > 86400
    for name in ('second', 'third'):
        assert three.clock(name) < 0.05
        assert '0 of 4 -> 4 of 4' in run.row(name) and 'jwt_expired -> healthy' in run.row(name)
    assert ' jwt_expired ' in f"{' '.join(run.row('first').split())} "
    assert three.report['stopped'] == '' and three.report['complete']
    assert three.report['counts']['repaired'] == 2 and three.report['counts']['failed'] == 1
    assert three.hosts['second']['agents'][0]['succeeded_before'] is False and three.hosts['second']['agents'][0]['succeeded_after']
    assert three.hosts['third']['clock_before']['offset'] == pytest.approx(400 * 86400, abs=120)
    assert abs(three.hosts['third']['clock_after']['offset']) < 0.05
    assert {host: counts['failed'] for host, counts in run.recap.items()} == {'first': 1, 'second': 0, 'third': 0}


def test_a_host_that_is_lost_in_the_middle_is_reported(three):
    """As one whose logins do not survive the step of its clock, such as those with certificates that have ended by then."""
    machine = three.authors['first'].machine
    year = machine.ssh('date +%s').stdout.strip()
    machine.ssh(f'systemd-run --quiet sh -c "while [ \\$(date +%s) -lt $(({year} + 3600)) ]; do sleep 0.1; done; '
                'systemctl stop ssh.socket ssh.service; pkill sshd"')
    run = three.play('--limit', 'first,second', first='deploy')
    assert run.returncode == 4, run.output[-6000:]
    assert run.recap['first']['unreachable'] == 1 and run.recap['second']['failed'] == 0
    assert three.hosts['first']['error'] == host_result.LOST_ON_THE_WAY
    assert 'check the clock and AEM on the host' in run.row('first')
    assert three.report['counts']['passed'] == 1 and three.report['counts']['failed'] == 1
