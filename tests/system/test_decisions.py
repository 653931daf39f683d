# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every row of the decision table, end to end on real machines; `jwt_expired` and a silent network are in test_heal.py.

`right` has a right clock, and nothing that is found there may change it. `wrong` is two days behind; first it is shown
to those who must leave it alone, then it is repaired, and set wrong again for the next row.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time

import pytest

from ansible_collections.aemops.brand_portal.plugins.filter.jwt_verdict import jwt_verdict
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import causes, dates
from fakes import agents, scenarios, testing
from lab.fingerprint import changes

from . import playbook
from .author_host import AuthorHost
from .conftest import PASSWORD

DAYS = 2 * 86400
NEAR = 0.05  # seconds: what a healed clock may be off
# A failing test would be tried again and again; the causes here do not go away by waiting.
ONCE = {'fix_bp_jwt_prove_retries': 1, 'fix_bp_jwt_prove_delay': 0}


@pytest.fixture(scope='module')
def right(lab, newest):
    return AuthorHost(lab, 'right', None, newest)


@pytest.fixture(scope='module')
def wrong(lab, newest):
    return AuthorHost(lab, 'wrong', -DAYS, newest)


@pytest.fixture(autouse=True)
def real_aem(request):
    """Before each test AEM does what a real one does."""
    for name in {'right', 'wrong'} & set(request.fixturenames):
        let_aem_be_real(request.getfixturevalue(name))


def let_aem_be_real(author):
    author.machine.configure_aem(
        scenario=scenarios.REAL, scenarios={}, clock_offset=0, agents={}, client_secret='', delay=0)


@contextlib.contextmanager
def unchanged(author):
    """What happens herein changes nothing on the machine, but for what AEM is told to play."""
    before = author.machine.fingerprint()
    yield
    let_aem_be_real(author)
    assert changes(before, author.machine.fingerprint()) == []


def make_wrong_again(author, clock):
    """As if nothing had ever kept its time: the daemon of an earlier repair is there, but does not run."""
    author.machine.ssh('systemctl disable -q --now chrony')
    author.machine.set_clock(clock)


def row_of(run, author):
    """The host's line of the table, with single spaces."""
    return ' '.join(run.row(author.machine.name).split())


def assert_says(run, author, state, *words):
    """The run failed, and its table and its message say the state, the reason and the next step."""
    assert run.returncode != 0, run.output[-6000:]
    row = row_of(run, author)
    flat = ' '.join(run.output.split())
    assert f' {state} ' in row, row
    for word in words:
        assert word in flat, f'{word!r} is not in\n{run.output[-6000:]}'


# A right clock: nothing is changed, whatever the agents say


def test_well_but_for_the_daemon_that_the_lab_machine_lacks(right):
    run = right.assert_unchanged_by('-vvv')
    assert run.returncode == 0, run.output[-6000:]
    assert run.remote_calls == ['brand_portal_health_info']
    assert ' nothing 4 of 4 not_kept enable a time daemon' in row_of(run, right)


def test_other_clock_when_aem_s_clock_is_wrong_and_the_host_s_is_right(right):
    right.machine.configure_aem(clock_offset=-DAYS)
    run = right.assert_unchanged_by()
    assert_says(run, right, 'other_clock', "it is not this host's clock", 'find where AEM really runs', 'JWT has expired')


def test_not_the_clock(right):
    with unchanged(right):
        for name in ('invalid_client_secret', 'key_not_accepted', 'pkix_path', 'access_denied'):
            advice = next(cause.advice for cause in causes.ALL if cause.id == name)
            right.machine.configure_aem(scenario=name)
            assert_says(right.play(), right, 'not_the_clock', 'for a reason that is not the clock', advice)


def test_not_the_clock_when_an_agent_s_test_takes_too_long(right):
    right.machine.configure_aem(delay=4)
    run = right.assert_unchanged_by(fix_bp_jwt_test_timeout=1)
    assert_says(run, right, 'not_the_clock', 'AEM gave no complete answer within 1 s', 'Raise fix_bp_jwt_test_timeout')


def test_no_cause_there_is_leads_to_a_change_while_the_clock_is_right(right):
    """Every page of the stand-in in one call: an agent for each, and the verdict on each alone and on all together."""
    played = {f'plays_{scenario.name}': scenario for scenario in scenarios.SCENARIOS
              if scenario.where == 'test' and not scenario.name.startswith('huge')}
    assert {scenario.cause for scenario in played.values()} == {cause.id for cause in causes.ALL} - {
        'test_timeout', 'token_outlived', 'queue_backlog'}
    uri = agents.brand_portal_uri(right.lab.tenant)
    with unchanged(right):
        right.machine.configure_aem(
            agents={name: {'transportUri': uri, 'enabled': True} for name in played},
            scenarios={name: scenario.name for name, scenario in played.items()})
        health = playbook.ask(right.environment, right.inventory(), 'right', 'brand_portal_health_info', {
            'username': 'admin', 'password': PASSWORD, 'ntp_servers': [right.lab.network.host], 'agents': list(played)})
    assert (health['skew']['verdict'], health['skew']['verified']) == ('in_sync', True)
    by_id = {cause.id: cause for cause in causes.ALL}
    for test in health['tests']:
        scenario = played[test['agent']]
        if test['authentication'] == 'jwt' and not scenario.succeeded:      # the page says so, and the time of JWT is over
            scenario = ended(scenario, test)
        related = scenario.clock_related
        if test['not_before'] or test['not_after']:     # a right clock may refuse the certificate as well
            related = by_time(test).clock_related
        assert (test['cause'], test['clock_related']) == (scenario.cause, related), test
        assert (test['succeeded'], test['response_code']) == (scenario.succeeded, scenario.response_code), test
        verdict = jwt_verdict({**health, 'tests': [test]})
        assert not verdict['repair'], test
        if scenario.succeeded:
            assert verdict['state'] == 'not_kept'
            continue
        assert verdict['cause'] == scenario.cause
        assert test['evidence'] or scenario.name == 'empty', test
        assert test['advice'] and test['meaning'], test
        assert verdict['next_step'], test
        assert verdict['state'] == 'not_the_clock', test
        if scenario.clock_related != 'yes':
            assert verdict['next_step'] == test['advice']
            # All pages that were cut off are `unknown`, with an advice of their own. An internal error names no JWT.
            assert test['advice'] in (by_id[scenario.cause].advice, by_time(test).advice) or scenario.cause == 'unknown' or (
                scenario.cause == 'jwt_end_of_life' and test['advice'] == causes.JWT_PROBABLY.advice), test
    assert not jwt_verdict(health)['repair']


def ended(scenario, test):
    """The scenario with the cause that it has since JWT has ended, by a trusted time."""
    known = causes.refined(scenario.cause, test['evidence'], test['response_code'], 'jwt', False, causes.JWT_ENDED)
    return scenario._replace(cause=known.id, clock_related=known.clock_related)


def by_time(test):
    """The cause of a test with a date of a certificate, by the time of this machine."""
    since, until = (dates.of_iso(test[key]) if test[key] else None for key in ('not_before', 'not_after'))
    return causes.by_trusted_time(next(cause for cause in causes.ALL if cause.id == test['cause']), since, until, time.time())


def test_aem_unreachable_with_a_right_clock(right):
    right.machine.ssh('systemctl stop aem')
    try:
        run = right.assert_unchanged_by(fix_bp_jwt_https_urls=[f'https://{right.lab.names[0]}/'])
    finally:
        right.machine.ssh('systemctl start aem')
        right.machine.wait_aem()
    assert_says(run, right, 'aem_unreachable', '200 could not be asserted', 'start AEM or correct fix_bp_jwt_aem_url')


def test_no_reference_when_brand_portal_and_ntp_contradict_each_other(right):
    right.lab.start_brand_portal(clock_offset=300)
    try:
        run = right.assert_unchanged_by()
    finally:
        right.lab.start_brand_portal()
    assert_says(run, right, 'no_reference', "Your NTP servers and the service's own clock differ by 5 min",
                'correct the NTP servers')


def test_not_testable_without_an_enabled_agent(right):
    right.machine.configure_aem(agents={name: {'enabled': False} for name in testing.brand_portal_agents()})
    run = right.assert_unchanged_by()
    assert_says(run, right, 'not_testable', 'AEM has no enabled Brand Portal agent', 'Configure Brand Portal in AEM')


# Which agents are asked


def test_a_query_chooses_the_agents(right):
    run = right.assert_unchanged_by('-vvv', fix_bp_jwt_agent_query="[?enabled && contains(title, 'Agent1')].name")
    assert run.returncode == 0, run.output[-6000:]
    assert run.remote_calls == ['replication_agent_info', 'brand_portal_health_info']
    assert ' 1 of 1 not_kept ' in row_of(run, right)


def test_a_query_that_does_not_fit_is_told_and_changes_nothing(wrong):
    named = {'fix_bp_jwt_agents': ['publish']}
    with unchanged(wrong):
        for query, said, more in (
            ('[?enabled', 'fix_bp_jwt_agent_query is not valid JMESPath', {}),
            ("[?title == 'x'].name", 'selects none of the agents that AEM has (publish, flush,', {}),
            ('[].name', 'set only one of them', named),
        ):
            run = wrong.play(fix_bp_jwt_agent_query=query, **more)
            assert run.returncode != 0
            flat = ' '.join(run.output.split())
            assert said in flat, run.output[-6000:]
            assert 'Nothing was changed' in flat


def test_a_query_of_an_aem_that_refuses_is_told_as_ever(wrong):
    run = wrong.assert_unchanged_by(password='wrong-one', fix_bp_jwt_agent_query='[].name')
    assert_says(run, wrong, 'not_testable', 'does not accept the user', 'Check fix_bp_jwt_aem_user and fix_bp_jwt_aem_password')


# A wrong clock that must not be touched


def test_not_testable_comes_before_any_repair(wrong):
    wrong.machine.configure_aem(agents={name: {'enabled': False} for name in testing.brand_portal_agents()})
    run = wrong.assert_unchanged_by()
    assert_says(run, wrong, 'not_testable', 'Configure Brand Portal in AEM')


def test_other_clock_when_the_host_s_clock_is_wrong_and_aem_s_is_right(wrong):
    """AEM answers from another machine, for example behind a proxy: a correction of this host would not help."""
    wrong.machine.configure_aem(clock_offset=DAYS)
    run = wrong.assert_unchanged_by()
    assert_says(run, wrong, 'other_clock', "AEM does not run on this host's clock", 'find where AEM really runs')


def test_no_reference_when_one_plain_ntp_server_is_all_there_is(wrong):
    wrong.lab.stop_brand_portal()
    try:
        run = wrong.assert_unchanged_by()
    finally:
        wrong.lab.start_brand_portal()
    assert_says(run, wrong, 'no_reference', 'too few references agree', 'fix_bp_jwt_accept_unverified=true')


def test_cannot_set_clock_where_the_clock_belongs_to_the_machine_below(wrong):
    """As in a container: root by sudo, and no CAP_SYS_TIME in the bounding set of anything that comes from that sshd."""
    wrong.machine.ssh('systemd-run -q --unit=contained -p CapabilityBoundingSet=~CAP_SYS_TIME /usr/sbin/sshd -D -p 2222')
    try:
        run = wrong.assert_unchanged_by('-vvv', ansible_port=2222)
    finally:
        wrong.machine.ssh('systemctl stop contained')
    assert run.remote_calls == ['brand_portal_health_info', 'time_service_info']
    assert_says(run, wrong, 'cannot_set_clock', "This host's clock belongs to the machine that runs it",
                'CAP_SYS_TIME is not in this host', 'correct the clock of the machine that this host runs on')


# A wrong clock that is repaired


def test_not_only_the_clock_is_repaired_and_then_fails_with_what_is_left(wrong):
    wrong.machine.configure_aem(client_secret='lost-by-an-upgrade')
    run = wrong.play(**ONCE)
    assert abs(wrong.machine.clock()) < NEAR
    assert_says(run, wrong, 'not_only_the_clock -> not_the_clock', 'invalid client_secret parameter',
                "restore AEM's crypto keys")
    assert 'behind -> ' in run.row('wrong')


def test_at_risk_is_left_alone_where_that_is_wanted_and_repaired_otherwise(wrong):
    make_wrong_again(wrong, -120)
    run = wrong.assert_unchanged_by(fix_bp_jwt_fix_at_risk=False)
    assert_says(run, wrong, 'at_risk', 'will break them', 'run with fix_bp_jwt_fix_at_risk=true')
    assert ' 4 of 4 ' in row_of(run, wrong)
    run = wrong.play()
    assert run.returncode == 0, run.output[-6000:]
    assert abs(wrong.machine.clock()) < NEAR
    assert row_of(run, wrong).endswith(' 4 of 4 -> 4 of 4 at_risk -> healthy -')


def test_aem_unreachable_with_a_wrong_clock_is_repaired_and_fails(wrong):
    make_wrong_again(wrong, -DAYS)
    wrong.machine.ssh('systemctl stop aem')
    try:
        run = wrong.play(fix_bp_jwt_https_urls=[f'https://{wrong.lab.names[0]}/'], **ONCE)
    finally:
        wrong.machine.ssh('systemctl start aem')
        wrong.machine.wait_aem()
    assert abs(wrong.machine.clock()) < NEAR
    assert_says(run, wrong, 'aem_unreachable -> aem_unreachable', 'start AEM or correct fix_bp_jwt_aem_url')


# The machine that runs the tests: its clock cannot be set from here, and must not be

ALONE = ['unshare', '--net', '--mount', 'setpriv', '--bounding-set=-sys_time', '--inh-caps=-sys_time']


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which('unshare') or not shutil.which('setpriv'),
                    reason='not run: it needs root, unshare and setpriv')
def test_cannot_set_clock_on_this_very_machine(newest, tmp_path):
    """Everything a repair would need is there but the right: a verified reference says this clock is two days behind."""
    program = tmp_path / 'run.py'
    program.write_text(LOCAL)
    drift = time.time() - time.monotonic()
    done = subprocess.run([*ALONE, sys.executable, program, tmp_path, newest.bin, playbook.ROOT], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    assert abs(time.time() - time.monotonic() - drift) < 1
    run = playbook.Run(done.returncode, done.stdout)
    assert run.remote_calls == ['brand_portal_health_info', 'time_service_info'], run.output[-6000:]
    assert run.recap['localhost']['changed'] == 0
    assert run.returncode == 2
    assert '  cannot_set_clock  correct the clock of the machine that this host runs on' in run.row('localhost')
    assert 'localhost  2 d ' in run.row('localhost')
    assert "This host's clock belongs to the machine that runs it" in run.output


LOCAL = '''
"""In a network of its own, without CAP_SYS_TIME: AEM here, a Brand Portal two days ahead, and the playbook."""
import json, os, subprocess, sys
from pathlib import Path

folder, bin, root = map(Path, sys.argv[1:])
sys.path.insert(0, str(root / 'tests'))
from fakes import testing

capabilities = dict(line.split(':') for line in open('/proc/self/status') if ':' in line)['CapBnd']
assert not int(capabilities, 16) >> 25 & 1, 'this must never run where the clock could be set'
subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
testing.make_ca(folder)
with testing.running_portal(folder, clock_offset=2 * 86400 + 3600) as portal, \\
     testing.running_aem(folder, portal, transport_uri=portal.url + '/bin/receive?sling:authRequestLogin=1') as aem:
    variables = {
        'ansible_connection': 'local', 'ansible_python_interpreter': sys.executable,
        'fix_bp_jwt_aem_url': aem.url, 'fix_bp_jwt_agents': testing.brand_portal_agents(),
        'fix_bp_jwt_ca_path': str(folder / 'ca.pem'), 'fix_bp_jwt_ntp_servers': ['127.0.0.1:9'],
    }
    inventory = folder / 'inventory.json'
    inventory.write_text(json.dumps({'aem_authors': {'hosts': {'localhost': variables}}}))
    done = subprocess.run(
        [bin / 'ansible-playbook', root / 'fix-bp-jwt.yml', '-i', inventory, '-vvv'],
        cwd=root, env={**os.environ, 'AEM_USER': aem.user, 'AEM_PASSWORD': aem.password, 'ANSIBLE_NOCOLOR': '1',
                       'ANSIBLE_LOCALHOST_WARNING': 'False'}, check=False)
sys.exit(done.returncode)
'''
