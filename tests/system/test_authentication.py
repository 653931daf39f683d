# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brand Portal as it is today, on real machines: OAuth Server-to-Server, the end of JWT, and the words of each Java.

`right` has a right clock, and nothing that is found there may change it. `wrong` goes from one wrong clock to the next.
"""

from __future__ import annotations

import pytest

from fakes import agents, messages, testing

from . import playbook
from .author_host import AuthorHost
from .conftest import PASSWORD
from .test_decisions import NEAR, ONCE, assert_says, let_aem_be_real, make_wrong_again, row_of, unchanged

HOUR, DAY = 3600, 86400
# What the certificate of Brand Portal is to an AEM that is 400 days behind, by the Java that AEM runs on.
JAVAS = {
    '11.0.13': 'certificate_dates', '17.0.9': 'certificate_dates', '17.0.21.1': 'certificate_not_yet_valid',
    '21.0.8': 'certificate_dates', '25.0.2': 'certificate_not_yet_valid',
}


@pytest.fixture(scope='module')
def right(lab, newest):
    author = AuthorHost(lab, 'right', None, newest, level='6.5.21')
    let_aem_be_real(author)  # what unchanged() puts back is then what was there
    return author


@pytest.fixture(scope='module')
def wrong(lab, newest):
    return AuthorHost(lab, 'wrong', -3 * HOUR, newest, level='6.5.21', log='/var/log/aem-requests')


def diagnosed(author):
    """The result of the one call to the host for each agent, by its name."""
    health = playbook.ask(author.environment, author.inventory(), author.machine.name, 'brand_portal_health_info', {
        'username': 'admin', 'password': PASSWORD, 'ntp_servers': [author.lab.network.host]})
    return {test['agent']: test for test in health['tests']}


# A right clock


def test_server_to_server_is_healthy(right):
    run = right.assert_unchanged_by('-vvv')
    assert run.returncode == 0, run.output[-6000:]
    assert ' 4 of 4 ' in row_of(run, right)
    assert run.remote_calls == ['brand_portal_health_info']


def test_the_end_of_jwt_is_not_the_clock(right):
    with unchanged(right):
        right.machine.configure_aem(level='6.5.10')
        run = right.play()
        assert_says(run, right, 'not_the_clock', 'internal_error', 'no JWT gets an access token since', 'OAuth Server-to-Server')
        assert {(test['cause'], test['authentication']) for test in diagnosed(right).values()} == {('jwt_end_of_life', 'jwt')}
        right.machine.configure_aem(level='6.5.21')


@pytest.mark.parametrize(('scenario', 'said', 'advice'), [
    ('java_expired_out_of_order_17.0.21.1', 'unable to find valid certification path', "add the issuer's certificate"),
    ('certificate_expired', 'NotAfter: Thu Mar 02 23:59:59 UTC 2017', 'has to be renewed'),
    ('java_expired_11.0.13', 'validity check failed', 'have the expired one renewed'),
])
def test_a_certificate_is_not_the_clock_while_that_is_right(right, scenario, said, advice):
    with unchanged(right):
        right.machine.configure_aem(scenario=scenario)
        run = right.play()
    assert_says(run, right, 'not_the_clock', said, advice)
    assert 'other_clock' not in run.output


def test_what_controls_a_terminal_or_a_template_does_not_reach_it(right):
    with unchanged(right):
        right.machine.configure_aem(scenario='terminal_escapes')
        run = right.play('-vvv')
    assert_says(run, right, 'not_the_clock', 'x1b]0;owned', '{{ 7 * 6 }}')
    for obeyed in ('\x1b]', '\x07', '\x9b', '\x9d', '\u202e'):
        assert obeyed not in run.output, repr(obeyed)


# A wrong clock


def test_a_token_that_outlived_its_end_is_healed(wrong):
    """The token is 25 hours old. By AEM's clock, three hours behind, it is good for two more."""
    wrong.lab.start_brand_portal(clock_offset=-25 * HOUR)
    assert 'sent. Response: 200 OK' in wrong.test_page(0)
    wrong.lab.start_brand_portal()
    page = wrong.test_page(0)
    assert 'sent. Response: 401 Unauthorized' in page and 'access token' not in page
    for test in diagnosed(wrong).values():
        assert (test['cause'], test['clock_related'], test['authentication']) == (
            'token_outlived', 'likely', 'oauth_server_to_server')
    run = wrong.play(fix_bp_jwt_prove_retries=0)
    assert run.returncode == 0, run.output[-6000:]
    assert row_of(run, wrong).endswith(' 0 of 4 -> 4 of 4 jwt_expired -> healthy -')
    assert abs(wrong.machine.clock()) < NEAR
    assert 'sent. Response: 200 OK' in wrong.test_page(0)


def test_a_401_that_stays_is_asked_twice_and_gets_adobe_s_advice(wrong):
    """Brand Portal does not know the signature of the token that AEM keeps: its IMS signs with the key of another certificate."""
    make_wrong_again(wrong, -3 * HOUR)
    wrong.lab.start_brand_portal(cert='short')
    before = len(logged_tests(wrong))
    run = wrong.play(fix_bp_jwt_prove_retries=0)
    wrong.lab.start_brand_portal()
    assert abs(wrong.machine.clock()) < NEAR
    assert_says(run, wrong, 'jwt_expired -> not_the_clock', 'open the IMS configuration of Brand Portal', 'save and close it')
    assert len(logged_tests(wrong)) - before == 3 * 4  # before, and twice after


def test_the_end_of_jwt_with_a_wrong_clock_is_said_and_the_clock_is_corrected(wrong):
    make_wrong_again(wrong, -2 * DAY)
    wrong.machine.configure_aem(level='6.5.10')
    run = wrong.play(**ONCE)
    wrong.machine.configure_aem(level='6.5.21')
    assert abs(wrong.machine.clock()) < NEAR
    assert_says(run, wrong, 'not_only_the_clock -> not_the_clock', 'no JWT gets an access token since', 'OAuth Server-to-Server')
    assert ' 0 of 4 -> 0 of 4 ' in row_of(run, wrong)


def test_400_days_behind_the_words_of_each_java_lead_to_the_clock(wrong):
    make_wrong_again(wrong, -400 * DAY)
    wrong.lab.start_brand_portal(cert='short')
    names = testing.brand_portal_agents(wrong.lab.tenant) + ['fifth']
    fifth = {'transportUri': agents.brand_portal_uri(wrong.lab.tenant), 'enabled': True, 'enableOauth': 'true',
             'transportUser': 'x', 'accessTokenProviderName': f'mac-{wrong.lab.tenant}-replication-provider'}
    wrong.machine.configure_aem(java=dict(zip(names, JAVAS)), agents={'fifth': fifth})
    wrong.machine.ssh('systemctl restart aem')  # no token is kept from before
    wrong.machine.wait_aem()
    found = diagnosed(wrong)
    for name, (java, cause) in zip(names, JAVAS.items()):
        assert found[name]['cause'] == cause, (java, found[name])
        assert messages.words_of(java, 'not_yet_valid')[1] in found[name]['evidence']
    run = wrong.play()
    assert run.returncode == 0, run.output[-6000:]
    assert row_of(run, wrong).endswith(' 0 of 5 -> 5 of 5 jwt_expired -> healthy -')
    assert abs(wrong.machine.clock()) < NEAR


def logged_tests(author):
    """The tests that AEM was asked for, in its own log."""
    log = author.machine.ssh('cat /var/log/aem-requests 2>/dev/null || true').stdout
    return [line for line in log.splitlines() if '"tested"' in line]
