# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The main job on real machines: from "JWT has expired" to 200, what it refuses, and what it leaves alone.

The clock of one machine is in February 2017, and it has no time daemon. The tests go through its life in this order:
first everything that must change nothing, then the repair, then what must hold afterwards.
"""

from __future__ import annotations

import time

import pytest

from lab.fingerprint import changes

from . import playbook
from .author_host import AuthorHost
from .conftest import PASSWORD

WRONG = '2017-02-28T18:39:51Z'
NEAR = 0.05  # seconds: what a healed clock may be off


@pytest.fixture(scope='module')
def author(lab, newest):
    return AuthorHost(lab, 'author2017', WRONG, newest)


def test_the_article_s_failure_is_there(author):
    page = author.test_page(0)
    assert 'JWT has expired' in page
    assert 'sent. Response: 401 Unauthorized' in page
    assert '<strong>failed</strong>' in page


def test_measuring_needs_no_root(author):
    """As an account without sudo, on the machine whose clock is wrong."""
    inventory = author.inventory(user='ops')
    access = {'username': 'admin', 'password': PASSWORD}
    servers = {'ntp_servers': [author.lab.network.host]}
    skew = playbook.ask(author.environment, inventory, author.machine.name, 'clock_skew_info', servers)['skew']
    assert (skew['verdict'], skew['direction']) == ('skewed', 'behind')
    assert skew['offset'] == pytest.approx(-author.machine.clock(), abs=0.5)
    health = playbook.ask(author.environment, inventory, author.machine.name, 'brand_portal_health_info',
                          {**access, **servers})
    assert health['skew']['verified']
    assert [test['cause'] for test in health['tests']] == ['jwt_expired'] * 4
    agents = playbook.ask(author.environment, inventory, author.machine.name, 'replication_agent_info', access)['agents']
    assert sum(agent['brand_portal'] and agent['enabled'] for agent in agents) == 4
    tests = playbook.ask(author.environment, inventory, author.machine.name, 'replication_agent_test', access)['tests']
    assert [test['response_code'] for test in tests] == [401] * 4
    service = playbook.ask(author.environment, inventory, author.machine.name, 'time_service_info', {})
    assert service['may_set_clock']
    assert not any(daemon['installed'] for daemon in service['daemons'])


def test_check_mode_changes_nothing_and_says_what_a_run_would(author):
    run = author.assert_unchanged_by('--check', '--diff')
    assert run.returncode == 0, run.output
    assert 'would install the package chrony' in run.output
    assert 'would enable chrony.service' in run.output and 'would start chrony.service' in run.output
    assert 'run without --check' in run.row(author.machine.name)


@pytest.fixture(scope='module')
def before_bad_input(author):
    return author.machine.fingerprint()


@pytest.mark.parametrize(('settings', 'said', 'next_step'), [
    ({'password': 'wrong-one'}, 'does not accept the user', 'Check fix_bp_jwt_aem_user and fix_bp_jwt_aem_password'),
    ({'password': ''}, 'AEM_PASSWORD', 'environment variable'),
    ({'fix_bp_jwt_agents': ['no_such_agent']}, 'AEM has no agent no_such_agent', 'mp_replication_agent0_default_acme'),
    ({'fix_bp_jwt_max_skw': 3}, 'Unknown option fix_bp_jwt_max_skw', 'Correct the name'),
    ({'fix_bp_jwt_max_skew': 'five'}, 'fix_bp_jwt_max_skew', "must be a number, not 'five'"),
    ({'fix_bp_jwt_max_skew': -1}, 'fix_bp_jwt_max_skew', 'a number of 0 or more'),
    ({'fix_bp_jwt_aem_url': 'localhost:4502'}, 'aem_url', 'http://localhost:4502'),
    ({'fix_bp_jwt_https_urls': ['http://plain.example/']}, 'http://plain.example/', 'https'),
], ids=['wrong password', 'no password', 'unknown agent', 'unknown option', 'option of a wrong type',
        'option out of range', 'malformed address', 'plain HTTP as a reference'])
def test_bad_input_gets_a_clear_error(author, before_bad_input, settings, said, next_step):
    run = author.play('-vvv', **settings)
    assert run.returncode != 0
    flat = ' '.join(run.output.split())
    assert said in flat
    assert next_step in flat


def test_none_of_this_bad_input_changes_anything(author, before_bad_input):
    assert changes(before_bad_input, author.machine.fingerprint()) == []


def test_without_a_reference_nothing_is_changed(author):
    author.lab.stop_ntp()
    author.lab.stop_brand_portal()
    try:
        run = author.assert_unchanged_by('-vvv')
    finally:
        author.lab.start_ntp()
        author.lab.start_brand_portal()
    assert run.returncode != 0
    assert 'no_reference' in run.row(author.machine.name)
    flat = ' '.join(run.output.split())
    assert f'{author.lab.network.host}: nothing listens on that port' in flat
    assert 'open UDP 123' in flat


def test_one_run_heals_it(author, tmp_path):
    """From any directory, as the unprivileged account with sudo, and with nothing of the password to be seen at -vvv."""
    run = author.play('-vvv', cwd=tmp_path)
    assert run.returncode == 0, run.output[-6000:]
    row = run.row(author.machine.name)
    assert '0 of 4 -> 4 of 4' in row
    assert 'jwt_expired -> healthy' in row
    assert abs(author.machine.clock()) < NEAR
    for agent in range(4):
        page = author.test_page(agent)
        assert 'sent. Response: 200 OK' in page
        assert '<strong>succeeded</strong>' in page


def test_a_healthy_host_costs_one_call_and_is_not_changed(author):
    run = author.assert_unchanged_by('-vvv')
    assert run.returncode == 0
    assert run.remote_calls == ['brand_portal_health_info']
    assert run.recap[author.machine.name]['changed'] == 0
    assert 'healthy' in run.row(author.machine.name)


def test_with_aem_down_the_run_fails_and_says_what_to_do(author):
    author.machine.ssh('systemctl stop aem')
    try:
        run = author.assert_unchanged_by('-vvv')
    finally:
        author.machine.ssh('systemctl start aem')
        author.machine.wait_aem()
    assert run.returncode != 0
    assert 'aem_unreachable' in run.row(author.machine.name)
    assert 'start AEM or correct fix_bp_jwt_aem_url' in ' '.join(run.output.split())


def test_after_a_reboot_the_daemon_alone_brings_the_clock_right(author):
    author.machine.reboot()
    states = author.machine.ssh('systemctl is-enabled chrony; systemctl is-active chrony', check=False).stdout.split()
    assert states == ['enabled', 'active']
    # Without a hardware clock it came up in 2017 again; how far the daemon had got when SSH answered is its affair.
    assert '2017' in author.machine.ssh('journalctl --boot --output short-iso --no-pager | head -n 3').stdout
    deadline = time.monotonic() + 60
    while abs(author.machine.clock()) > NEAR:
        assert time.monotonic() < deadline, author.machine.ssh('journalctl -u chrony -n 20 --no-pager').stdout
        time.sleep(1)
    author.machine.wait_aem()
    run = author.play()
    assert (run.returncode, run.recap[author.machine.name]['changed']) == (0, 0)


def test_a_machine_ahead_fails_on_tls_and_heals_too(lab_with_short_certificates, newest):
    ahead = AuthorHost(lab_with_short_certificates, 'ahead', '+400d', newest)
    page = ahead.test_page(0)
    assert 'validity check failed' in page
    run = ahead.play()
    assert run.returncode == 0, run.output[-6000:]
    assert '0 of 4 -> 4 of 4' in run.row('ahead')
    assert abs(ahead.machine.clock()) < NEAR


def test_a_repair_that_cannot_finish_fails_and_puts_back(lab, newest):
    """No package can be installed: the clock is right, nothing half-configured stays, and the run names the missing package."""
    author = AuthorHost(lab, 'nopackages', '-2d', newest)
    before = author.machine.fingerprint()
    lab.stop_packages()
    try:
        run = author.play()
    finally:
        lab.start_packages()
    assert run.returncode != 0
    assert 'Install the package of the daemon' in run.output
    left = [change for change in changes(before, author.machine.fingerprint()) if not change.startswith('clock: moved')]
    assert left == []
    assert abs(author.machine.clock()) < NEAR
    assert '0 of 4 -> 4 of 4' in run.row(author.machine.name)


@pytest.fixture(scope='module')
def with_lease(lab, newest):
    """With an AEM that dies when time jumps under it (a document store's lease): the role stops it during the step."""
    return AuthorHost(lab, 'with-lease', WRONG, newest, lease=True)


@pytest.mark.parametrize('version', ['2.16', '2.19'])
def test_older_controllers_heal_as_well(with_lease, core, version):
    """Each of them a machine that has, or had, no daemon: what the one before has installed does not run."""
    with_lease.environment = core(f'core-{version}')
    with_lease.machine.ssh('systemctl disable -q --now chrony', check=False)
    with_lease.machine.set_clock(WRONG)
    with_lease.machine.ssh('systemctl restart aem')     # the jump back has ended it
    with_lease.machine.wait_aem()
    run = with_lease.play(fix_bp_jwt_aem_service='aem.service')
    assert run.returncode == 0, run.output[-6000:]
    assert '0 of 4 -> 4 of 4' in run.row(with_lease.machine.name)
    assert abs(with_lease.machine.clock()) < NEAR
    again = with_lease.play('-vvv')
    assert again.remote_calls == ['brand_portal_health_info']
    assert again.recap[with_lease.machine.name]['changed'] == 0
