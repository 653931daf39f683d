# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page reader and the table of causes, over every page the stand-in can write and a few of our own."""

import html
import os
import re
import time

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import causes, charset, redact
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import test_page as page
from ansible_collections.aemops.brand_portal.tests.fakes import messages, scenarios

# In the words of Adobe's article KA-10565: log stamps in an unknown zone, the answer's Date in GMT.
ARTICLE = """\
28.02.2017 18:39:51 - INFO - mp_replication_agent_default_acme : Using user mac-acme-replication for building content.
28.02.2017 18:39:51 - ERROR - mp_replication_agent_default_acme : Failed to get an access token for user: \
mac-acme-replication msg: failed to get access token from authorization server status: 400 response: \
{"error":"invalid_grant","error_description":"JWT has expired"}
28.02.2017 18:39:51 - INFO - mp_replication_agent_default_acme : sent. Response: 401 Unauthorized
28.02.2017 18:39:51 - ERROR - mp_replication_agent_default_acme : >> POST /bin/receive HTTP/1.0
28.02.2017 18:39:51 - ERROR - mp_replication_agent_default_acme : >> Action: Test
28.02.2017 18:39:51 - ERROR - mp_replication_agent_default_acme : --
28.02.2017 18:39:51 - ERROR - mp_replication_agent_default_acme : << HTTP/1.1 401 Unauthorized
28.02.2017 18:39:51 - ERROR - mp_replication_agent_default_acme : << Date: Fri, 03 Mar 2017 04:29:05 GMT
28.02.2017 18:39:51 - ERROR - mp_replication_agent_default_acme : <<
28.02.2017 18:39:51 - ERROR - mp_replication_agent_default_acme : Message sent.
28.02.2017 18:39:51 - INFO - mp_replication_agent_default_acme : Replication (TEST) of /content not successful.
"""


def as_test_page(lines, verdict):
    """A test page of log lines: no level, no agent, escaped, each with a <br>, and a trailer."""
    shown = [re.sub(r' - [A-Z]+ - \S+ : ', ' - ', line) for line in lines]
    return '<h1>Replication test to https://acme.brand-portal.adobe.com/bin/receive</h1><code>{0}</code>{1}'.format(
        ''.join(html.escape(line) + '<br>' for line in shown), trailer(verdict)
    )


def trailer(verdict):
    return '<hr size="1">Replication test <strong>{0}</strong><br>'.format(verdict)


def body_of(*messages):
    return as_test_page(['28.02.2017 18:39:51 - ' + message for message in messages], 'failed')


def delivered(*more):
    """A page of a test that was delivered."""
    return [
        '28.02.2017 18:39:51 - ' + message
        for message in ('sent. Response: 200 OK', '>> POST /bin/receive HTTP/1.0', '--', '<< HTTP/1.1 200 OK') + more
    ]


@pytest.mark.parametrize('scenario', scenarios.SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_page_of_the_stand_in(scenario):
    played = scenarios.play(scenario, scenarios.sample_context())
    written = played[0]
    read = page.read(charset.decode(written.body, written.content_type))
    finding = causes.explain(read)
    assert finding.cause.id == scenario.cause
    assert finding.cause.clock_related == scenario.clock_related
    assert read.succeeded is scenario.succeeded
    assert read.response_code == scenario.response_code
    assert read.remote_date == (1488515345 if scenario.remote_dated else None)
    if not scenario.succeeded and scenario.name != 'empty':
        assert finding.evidence
        assert finding.cause.advice
    shown = '\n'.join(redact.Redactor().lines([line.text for line in read.lines] + [finding.evidence]))
    for secret in scenarios.SECRETS:
        assert secret not in shown


ON_A_LOG = [
    scenario
    for scenario in scenarios.SCENARIOS
    # What has no lines has no log, and no log says "Replication test failed", shows a 200, or is read for its size again.
    if scenario.where == 'test' and not scenario.text and not scenario.name.startswith('page_with_200') and scenario.name not in (
        'cut_in_the_verdict', 'huge', 'huge_ok')
]


@pytest.mark.parametrize('scenario', ON_A_LOG, ids=lambda scenario: scenario.name)
def test_every_cause_and_shape_on_the_log_page(scenario):
    """The same lines with level and agent before each, and nothing behind the last."""
    written = scenarios.play(scenario, scenarios.sample_context(), where='log')[0]
    read = page.read(charset.decode(written.body, written.content_type))
    finding = causes.explain(read)
    assert read.kind == 'log'
    assert (finding.cause.id, finding.cause.clock_related) == (scenario.cause, scenario.clock_related)
    assert (read.succeeded, read.response_code) == (scenario.succeeded, scenario.response_code)
    assert finding.evidence or scenario.succeeded


def test_every_cause_has_a_page_and_every_page_a_cause():
    """A cause added to the table is missed here until the stand-in plays it, and the other way round."""
    played = {scenario.cause for scenario in scenarios.SCENARIOS}
    ids = [cause.id for cause in causes.ALL]
    assert len(ids) == len(set(ids))
    # Not on any page: they need the measured clock, the queue, and the client's own deadline.
    assert set(ids) - played == {'test_timeout', 'token_outlived', 'queue_backlog'}
    assert played < set(ids)


@pytest.mark.parametrize('message', messages.MESSAGES, ids=lambda message: message.name)
def test_every_message_of_the_list_has_its_relation_direction_and_advice(message):
    read = page.read(body_of('Failed to get an access token for user: mac-acme-replication msg: ' + message.token_line,
                             'sent. Response: 401 Unauthorized'))
    finding = causes.explain(read)
    assert (finding.cause.id, finding.cause.clock_related, finding.cause.direction) == (
        message.cause, message.expected.clock, message.expected.direction)
    assert message.expected.advice in finding.cause.advice
    # What the agent quotes of an answer is not what it says.
    assert causes.explain(page.read(body_of('sent. Response: 500 Error', '<< HTTP/1.1 500 Error', '<< X: ' + message.token_line))
                          ).cause.id == 'unknown'


@pytest.mark.parametrize('said', [
    'com.day.cq.replication.ReplicationException: Cannot serialize /content/dam/acme/JWT has expired.jpg',
    'io.jsonwebtoken.ExpiredJwtException: JWT expired at 2026-11-24T09:15:12Z. Current time: 2026-11-24T10:15:00Z',
])
def test_a_jwt_that_is_not_for_an_access_token_says_nothing_about_the_clock(said):
    assert causes.explain(page.read(body_of('Error while replicating: ' + said))).cause.id == 'unknown'
    assert causes.of_clock(said) is None


@pytest.mark.parametrize('said', [
    'JWT has expired',
    'JWT has expired.',
    'invalid_grant: JWT has expired',
    'OAuth2 error: JWT has expired',
    'Could not exchange JWT: JWT has expired',
    'Unable to get an access token: JWT has expired',
    'com.adobe.granite.auth.oauth.OAuthException: JWT has expired',
])
def test_an_expired_jwt_of_adobe_is_told_without_its_json(said):
    assert causes.explain(page.read(body_of(said))).cause.id == 'jwt_expired'


def test_the_list_and_the_table_know_the_same_causes():
    assert set(messages.EXPECTED) == {cause.id for cause in causes.ALL}
    for cause in causes.ALL:
        expected = messages.EXPECTED[cause.id]
        assert (cause.clock_related, cause.direction) == (expected.clock, expected.direction), cause.id
        assert expected.advice in cause.advice, cause.id


def test_every_situation_that_was_recorded_is_judged():
    told = {word['situation'] for word in messages._load()['words']}
    assert told - set(messages.SITUATIONS) == {'well', 'well_out_of_order'}
    assert set(messages.SITUATIONS) < told
    assert {version.split('.')[0] for version in messages.versions()} >= {'11', '17', '21', '25'}


def test_every_cause_says_what_it_means_and_what_to_do():
    for cause in causes.ALL:
        assert cause.meaning
        assert cause.clock_related in ('yes', 'likely', 'no')
        assert cause.direction in (None, 'behind', 'ahead')
        assert cause.direction is None or cause.clock_related != 'no'
        assert cause.id == 'none' or cause.advice
        assert cause.id in ('none', 'unknown') or cause.source


@pytest.mark.parametrize('kind', ['log', 'test'])
def test_the_article_is_read_from_both_pages(kind):
    read = page.read(ARTICLE if kind == 'log' else as_test_page(ARTICLE.splitlines(), 'failed'))
    finding = causes.explain(read)
    assert read.kind == kind
    assert (finding.cause.id, finding.cause.clock_related, finding.cause.direction) == ('jwt_expired', 'yes', 'behind')
    assert 'JWT has expired' in finding.evidence
    assert (read.response_code, read.response_reason) == (401, 'Unauthorized')
    assert read.remote_date == 1488515345
    assert not read.succeeded


# What succeeded means


@pytest.mark.parametrize(
    'rule',
    [
        '<hr size="1">',
        '<HR>',
        '<hr/>',
        '<hr />',
        "<hr size='1' noshade>\r\n",
        '</code><hr>\n',
        '</CODE>',
        '</pre >',
    ],
)
@pytest.mark.parametrize(
    'word',
    [
        'Replication test <strong>succeeded</strong>',
        'Replication  test <b>Succeeded</b>',
        'Replication test <STRONG class="ok">SUCCEEDED</STRONG>',
        'Replication test <em> succeeded. </em>',
    ],
)
def test_success_is_the_trailer_and_200(rule, word):
    lines = as_test_page(delivered(), 'X').split('</code>')[0]
    read = page.read(lines + rule + word + '<br>')
    assert read.succeeded
    assert causes.explain(read).cause.id == 'none'
    assert not page.read(lines.replace('200 OK', '401 Unauthorized') + rule + word).succeeded
    assert not page.read(lines.replace('Response: 200 OK', 'Response: 401 Unauthorized') + rule + word).succeeded
    assert not page.read(lines).succeeded


@pytest.mark.parametrize(
    'message',
    [
        '<< X-Note: Replication test <strong>succeeded</strong>',
        '<< Set-Cookie: a=<hr size="1">Replication test <strong>succeeded</strong><br>',
        'Replication test succeeded',
        'Replication test <strong>succeeded</strong>',
    ],
)
def test_quoted_success_is_none(message):
    lines = as_test_page(delivered(message), 'X').split('</code>')[0]
    assert not page.read(lines).succeeded
    assert not page.read(lines + trailer('failed')).succeeded


def test_a_trailer_with_lines_behind_it_is_none():
    lines = as_test_page(delivered(), 'X').split('</code>')[0]
    unescaped = lines + trailer('succeeded')
    assert page.read(unescaped).succeeded
    assert not page.read(unescaped + '28.02.2017 18:39:52 - << more of the body<br>').succeeded


def test_a_verdict_without_the_rule_before_it_is_none():
    """As in a body that was not escaped and that the page ends within."""
    lines = as_test_page(delivered(), 'X').split('</code>')[0]
    assert not page.read(lines + '28.02.2017 18:39:52 - <p>Replication test <strong>succeeded</strong><br>').succeeded
    assert not page.read(lines + '<br>Replication test <strong>succeeded</strong><br>').succeeded


def test_two_trailers_that_disagree_are_no_success():
    lines = as_test_page(delivered(), 'X').split('</code>')[0]
    assert not page.read(lines + trailer('failed') + trailer('succeeded')).succeeded
    assert not page.read(lines + trailer('succeeded') + trailer('failed')).succeeded


@pytest.mark.parametrize('summary, dump', [('200 OK', '401 Unauthorized'), ('401 Unauthorized', '200 OK')])
def test_a_summary_and_a_conversation_that_disagree_are_no_success(summary, dump):
    lines = [line.replace('Response: 200 OK', 'Response: ' + summary) for line in delivered()]
    lines = [line.replace('<< HTTP/1.1 200 OK', '<< HTTP/1.1 ' + dump) for line in lines]
    read = page.read(as_test_page(lines, 'succeeded'))
    assert (read.response_code, read.succeeded) == (int(summary[:3]), False)


def test_a_page_escaped_as_a_whole_is_read_but_proves_nothing():
    text = html.escape(as_test_page(delivered('<< Date: Fri, 03 Mar 2017 04:29:05 GMT'), 'succeeded'))
    read = page.read(text)
    assert (read.response_code, read.remote_date, read.succeeded) == (200, 1488515345, False)


def test_success_in_comments_and_scripts_is_none():
    lines = as_test_page(delivered(), 'X').split('</code>')[0]
    assert not page.read(lines + '<!--' + trailer('succeeded') + '-->').succeeded
    assert not page.read(lines + '<script>var x = \'' + trailer('succeeded') + '\';</script>').succeeded
    assert page.read('<!-- failed -->' + lines + '<!-- x -->' + trailer('succeeded')).succeeded


# Which line is whose


def test_headers_and_bodies_are_no_causes():
    words = '{"error":"invalid_grant","error_description":"JWT has expired"}'
    marked = body_of(
        'sent. Response: 401 Unauthorized', '<< HTTP/1.1 401 Unauthorized', '<< X: ' + words, '<<', '<< ' + words
    )
    unmarked = body_of(
        'sent. Response: 401 Unauthorized',
        'POST /x HTTP/1.0',
        'A: b',
        '--',
        'HTTP/1.1 401 Unauthorized',
        'X: ' + words,
        '',
        words,
        'Failed to get an access token: ' + words,
        'Message sent.',
    )
    for text in (marked, unmarked):
        assert causes.explain(page.read(text)).cause.id == 'key_not_accepted'


def test_the_status_and_date_come_from_the_head_of_the_last_answer():
    read = page.read(
        body_of(
            '>> POST /x HTTP/1.0',
            '--',
            '<< HTTP/1.1 100 Continue',
            '<<',
            '<< HTTP/1.1 403 Forbidden',
            '<< Date: Fri, 03 Mar 2017 04:00:00 GMT',
            '<<',
            '<< HTTP/1.1 200 OK',
            '<< Date: Fri, 03 Mar 2017 05:00:00 GMT',
            'Message sent.',
        )
    )
    assert (read.response_code, read.response_reason) == (403, 'Forbidden')
    assert read.remote_date == 1488513600
    assert [line.kind for line in read.lines[-4:-2]] == [page.BODY, page.BODY]


@pytest.mark.parametrize('body, succeeded', [
    (['<', '!DOCTYPE html>'], False), (['', '  <HTML lang="en">'], False), (['<!-- x --><html>'], False), ([], True),
    (['R', 'eplicationAction TEST ok.'], True), (['ReplicationAction TEST ok. <html>'], True),
])
def test_a_web_page_in_place_of_the_receiver_s_answer_is_no_success(body, succeeded):
    """A proxy or a firewall may answer 200, and AEM looks at the status only."""
    read = page.read(as_test_page(delivered('<< Server: x', '<<', *('<< ' + line for line in body)), 'succeeded'))
    assert read.succeeded is succeeded
    assert causes.explain(read).cause.id == ('none' if succeeded else 'not_brand_portal')


POSTED = ['>> POST /bin/receive HTTP/1.1', '--']
DATED = '<< Date: Fri, 03 Mar 2017 04:00:00 GMT'


@pytest.mark.parametrize('lines, shown', [
    ([*POSTED, '<< HTTP/1.1 401 Unauthorized', DATED, '<<'], True),
    ([*POSTED, '<< HTTP/1.1 500 Server Error', DATED, '<<', '<< The author is unknown.'], True),
    (['>> CONNECT acme.brand-portal.adobe.com:443 HTTP/1.1', '--', '<< HTTP/1.1 200 Connection established', DATED, '<<'], False),
    (['>> CONNECT acme.brand-portal.adobe.com:443 HTTP/1.1', '--', '<< HTTP/1.1 200 Connection established', DATED, '<<',
      *POSTED, '<< HTTP/1.1 401 Unauthorized', '<<'], False),
    (['>> CONNECT acme.brand-portal.adobe.com:443 HTTP/1.1', '--', '<< HTTP/1.1 200 Connection established', '<<',
      *POSTED, '<< HTTP/1.1 401 Unauthorized', DATED, '<<'], True),
    ([*POSTED, '<< HTTP/1.1 403 Forbidden', DATED, '<<', '<< <html><title>Blocked by policy</title>'], False),
    *(([*POSTED, '<< HTTP/1.1 {0} No'.format(code), DATED, '<<'], False) for code in (302, 307, 407, 502, 503, 504, 511)),
])
def test_the_date_of_a_proxy_is_not_that_of_brand_portal(lines, shown):
    assert page.read(body_of(*lines)).remote_date == (1488513600 if shown else None)


@pytest.mark.parametrize('other, expected', [('05:00:00', None), ('04:00:00', 1488513600)])
def test_an_answer_with_two_dates_shows_no_clock(other, expected):
    """A gateway may add its own Date."""
    fields = ['<< Date: Fri, 03 Mar 2017 04:00:00 GMT', '<< Date: Fri, 03 Mar 2017 {0} GMT'.format(other)]
    assert page.read(as_test_page(delivered(*fields), 'succeeded')).remote_date == expected


@pytest.mark.parametrize('age, date', [('0', 1488513600), ('00', 1488513600), ('300', None), (' 1', None)])
def test_the_date_of_an_answer_from_a_cache_does_not_count(age, date):
    fields = ['<< Age:' + age, '<< Date: Fri, 03 Mar 2017 04:00:00 GMT']
    for head in (fields, fields[::-1]):
        assert page.read(body_of('<< HTTP/1.1 200 OK', *head)).remote_date == date


def test_the_first_second_of_the_epoch_is_a_date():
    assert page.read(body_of('<< HTTP/1.1 200 OK', '<< Date: Thu, 01 Jan 1970 00:00:00 GMT')).remote_date == 0


@pytest.mark.parametrize('reference', ['&#' + '9' * 10000 + ';', '&#x' + 'f' * 10000, '&amp;#' + '0' * 10000 + '60;'])
def test_a_character_reference_of_thousands_of_digits_is_text(reference):
    """Python raises ValueError for it, or converts it in quadratic time."""
    read = page.read('<code>28.02.2017 18:39:51 - a{0}b<br></code>'.format(reference))
    assert read.lines[0].message == 'a{0}b'.format(reference.replace('&amp;', '&'))


def test_a_new_line_inside_a_message_is_a_space_where_there_are_tags():
    read = page.read(
        '<code>28.02.2017 18:39:51 - Failed to get\r\n an access token<br>\n28.02.2017 18:39:52 - b</code>'
    )
    assert [line.message for line in read.lines] == ['Failed to get an access token', 'b']


def test_lines_without_any_tags_end_at_new_lines():
    read = page.read(
        '28.02.2017 18:39:51 - a\r\n28.02.2017 18:39:52 - b\n'
        'Server returned status code 401 with message: No.'
    )
    assert [line.message for line in read.lines][:2] == ['a', 'b']
    assert (read.response_code, read.response_reason) == (401, 'No')


@pytest.mark.parametrize(
    'stamp', ['28.02.2017 18:39:51', '2017-02-28 18:39:51', '2017-02-28T18:39:51,123', '28/02/2017 18:39:51']
)
def test_stamps(stamp):
    read = page.read('<code>{0} - sent. Response: 200 OK<br></code>'.format(stamp))
    assert read.lines[-1].stamp.endswith('18:39:51')
    assert read.response_code == 200


def test_only_the_last_run_of_a_log_counts():
    now_refused = ARTICLE.replace('18:39', '19:40').replace('JWT has expired', 'something new')
    assert causes.explain(page.read(ARTICLE + now_refused)).cause.id == 'unknown'
    assert causes.explain(page.read(now_refused + ARTICLE)).cause.id == 'jwt_expired'


REFUSED = ['sent. Response: 401 Unauthorized', 'Replication (TEST) of /content not successful.']
JWT_EXPIRED = 'Failed to get an access token for user: x msg: {"error":"invalid_grant","error_description":"JWT has expired"}'


@pytest.mark.parametrize('lines, cause, code', [
    ([JWT_EXPIRED, *REFUSED, 'Failed to get an access token for user: x msg: invalid client_secret parameter', *REFUSED],
     'invalid_client_secret', 401),
    ([JWT_EXPIRED, *REFUSED, 'Error while replicating: java.net.ConnectException: Connection refused', REFUSED[1]],
     'connection_refused', None),
    ([JWT_EXPIRED, *REFUSED, REFUSED[1]], 'jwt_expired', 401),
    ([JWT_EXPIRED, *REFUSED, 'The agent is done.'], 'jwt_expired', 401),
])
def test_only_the_last_run_of_a_test_page_counts(lines, cause, code):
    read = page.read(body_of(*lines))
    assert (causes.explain(read).cause.id, read.response_code) == (cause, code)


@pytest.mark.parametrize('before', ['Server returned status code 401 with message: Unauthorized.', 'sent. Response: 401 No'])
def test_an_earlier_run_of_a_test_page_does_not_undo_a_success(before):
    lines = body_of(before, REFUSED[1], 'sent. Response: 200 OK', 'Replication (TEST) of /content successful.')
    assert page.read(lines.replace('<strong>failed', '<strong>succeeded')).succeeded


def test_a_log_tells_of_success_only_when_nothing_is_cut_off():
    healed = ARTICLE.replace('401 Unauthorized', '200 OK').replace('not successful', 'successful')
    shown = '<code>{0}</code></body></html>'.format(''.join(html.escape(line) + '<br>' for line in healed.splitlines()))
    assert page.read(shown).succeeded
    assert not page.read(shown.split('</code>', 1)[0]).succeeded
    assert not page.read(shown.replace('(TEST)', '(ACTIVATE)')).succeeded


# Causes


def token_failure(response):
    return body_of(
        'Failed to get an access token for user: mac-acme-replication msg: failed to get access token from '
        'authorization server status: 400 response: ' + response,
        'sent. Response: 401 Unauthorized',
    )


@pytest.mark.parametrize(
    'response, cause',
    [
        ('{"error":"invalid_jti","error_description":"x"}', 'invalid_jti'),
        ('{"error":"invalid_grant","error_description":"JWT is not yet valid"}', 'jwt_not_yet_valid'),
        ('{"error" : "invalid_token", "error_description" : "JWT has expired"}', 'token_expired'),
        ('{"error_description":"JWT has expired","error":"invalid_grant"}', 'jwt_expired'),
        ('{"error":"invalid_grant","error_description":"something new"}', 'unknown'),
        ('{"error":"invalid_token","error_description":"something new"}', 'unknown'),
        ('{"error":"my_invalid_client-2"}', 'unknown'),
        ('{"error":"invalid_client"}', 'invalid_client'),
    ],
)
def test_what_the_authorization_server_says(response, cause):
    finding = causes.explain(page.read(token_failure(response)))
    assert finding.cause.id == cause
    assert response in finding.evidence


def test_a_tenant_named_like_an_error_is_none():
    for name in ('invalid_client', 'bad_request', 'invalid_scope'):
        text = body_of('Using OAuth 2.0 User: mac-{0}-replication access token'.format(name), 'sent. Response: 401 No')
        assert causes.explain(page.read(text)).cause.id == 'key_not_accepted'


@pytest.mark.parametrize('code, cause', [
    (410, 'not_brand_portal'), (451, 'brand_portal_refused'), (408, 'brand_portal_unavailable'), (521, 'brand_portal_unavailable'),
    (526, 'brand_portal_unavailable'), (418, 'unknown'), (500, 'unknown'), (527, 'unknown')])
def test_the_codes_of_gateways(code, cause):
    assert causes.explain(page.read(body_of('sent. Response: {0} No'.format(code)))).cause.id == cause


def test_timeouts_that_are_settings_are_no_cause():
    text = body_of('* Connect Timeout: 180000', '* Socket Timeout: 600000', 'sent. Response: 401 Unauthorized')
    assert causes.explain(page.read(text)).cause.id == 'key_not_accepted'


def test_a_success_has_no_cause_whatever_its_log_says():
    lines = delivered() + ['28.02.2017 18:39:51 - retried after: java.net.ConnectException: Connection refused']
    assert causes.explain(page.read(as_test_page(lines, 'succeeded'))).cause.id == 'none'


@pytest.mark.parametrize(
    'written, seconds',
    [
        ('CertificateExpiredException: NotAfter: Thu Mar 02 23:59:59 UTC 2017', 1488499199),
        ('CertificateExpiredException: NotAfter: Fri Mar 03 00:59:59 CET 2017', 1488499199),
        ('CertificateExpiredException: NotAfter: Fri Mar 03 05:29:59 GMT+05:30 2017', 1488499199),
        ('CertificateExpiredException: NotAfter: Thu Mar 02 23:59:59 IST 2017', None),
        ('CertificateExpiredException: NotAfter: whenever', None),
    ],
)
def test_the_date_of_an_expired_certificate(written, seconds):
    finding = causes.explain(page.read(body_of('Error while replicating: java.security.cert.' + written)))
    assert (finding.cause.id, finding.cause.clock_related) == ('certificate_expired', 'likely')
    assert finding.not_after == seconds


# Bytes


@pytest.mark.parametrize(
    'body, content_type',
    [
        ('J\u00fcrgen'.encode('utf-8'), 'text/html;charset=utf-8'),
        ('J\u00fcrgen'.encode('utf-8'), ''),
        ('J\u00fcrgen'.encode('latin-1'), ''),
        ('J\u00fcrgen'.encode('latin-1'), 'text/html; Charset="ISO-8859-1"'),
        ('J\u00fcrgen'.encode('utf-16'), ''),
        ('J\u00fcrgen'.encode('utf-16-le'), ''),
        ('J\u00fcrgen'.encode('utf-16-be'), ''),
        ('J\u00fcrgen'.encode('cp500'), 'text/html;charset=cp500'),
        (b'<meta charset="iso-8859-1">J\xfcrgen', 'text/html'),
        (b'<meta http-equiv="Content-Type" content="text/html; charset=windows-1252">J\xfcrgen', 'text/html'),
        (b'\xef\xbb\xbfJ\xc3\xbcrgen', 'text/html;charset=iso-8859-1'),
    ],
)
def test_decode(body, content_type):
    assert charset.decode(body, content_type).endswith('J\u00fcrgen')


@pytest.mark.parametrize(
    'name', ['zip', 'rot13', 'idna', 'punycode', 'unicode_escape', 'x-none', 'hex', 'undefined', '']
)
def test_a_charset_that_is_none_does_not_matter(name):
    assert charset.decode(b'abc \\u0041 \xff', 'text/html;charset=' + name).startswith('abc \\u0041 ')


# Cost

UNITS = [
    '<br>',
    '<hr',
    '<',
    '&',
    '&amp;',
    '&#',
    '&#9',
    '<!--',
    '<script',
    '<br ',
    'Replication test <strong>',
    'eyJ',
    'Cookie:',
    '<hr size="1">Replication test <strong>succeeded</strong>',
    '28.02.2017 18:39:51 - <br>',
    '&lt;&lt; HTTP/1.1 200 OK<br>',
    '\n',
    '\xa0',
    '&#99999999;<br>',
    'Replication (TEST) of ',
    '28.02.2017 18:39:51 - INFO - a : Replication (TEST) of /c successful.<br>',
]


def cost(text):
    """Seconds of the processor."""
    began = time.process_time()
    read = page.read(text)
    finding = causes.explain(read)
    redact.Redactor(['secret']).line(finding.evidence)
    return time.process_time() - began


def assert_linear(texts, most):
    """The second text, four times the first, costs no more than `most` times as much.

    Of several tries the best, for others share the machine; what is quadratic costs 16 times as much in every try.
    """
    spent = [[], []]
    for _try in range(8):
        for text, seconds in zip(texts, spent):
            seconds.append(cost(text))
        small, large = map(min, spent)
        if large < most * small + 0.1:
            return
    raise AssertionError('{0:.3f} s and {1:.3f} s'.format(small, large))


@pytest.mark.parametrize('unit', UNITS)
def test_the_cost_is_linear_for_what_is_repeated(unit):
    assert_linear([unit * (length // len(unit)) for length in (100000, 400000)], 12)


def test_the_cost_of_a_large_page_is_linear():
    """20 MB where pages are fuzzed (make fuzz), a quarter of it in between."""
    largest = 20 if 'AEMOPS_FUZZ_PAGES' in os.environ else 5
    lines = ''.join(html.escape(line) + '<br>' for line in ARTICLE.splitlines())
    assert_linear([lines * int(megabytes * 1000000 // len(lines)) + trailer('failed') for megabytes in (largest / 4, largest)], 8)


@pytest.mark.parametrize('said, foreign', [
    ('Failed to get an access token for user: mac-m\xfcller-replication msg: something new', False),
    ('Failed to get an access token for user: mac-acme-replication msg: Gr\xe4nsen n\xe5dd', True),
    ('Failed to get an access token for user: mac-acme-replication msg: failed to get access token from authorization server '
     'status: 400 response: Zugriff verweigert f\xfcr diese Adresse', False),
])
def test_only_an_exception_speaks_the_language_of_the_server(said, foreign):
    finding = causes.explain(page.read(body_of(said)))
    assert finding.cause.id == 'unknown'
    assert ('language of the server' in finding.cause.meaning) is foreign


@pytest.mark.parametrize('heading, trailing', [
    ('Replikationstest f\xfcr', 'Replikationstest <strong>{0}</strong>'),
    ('Test de r\xe9plication vers', 'Test de r\xe9plication : <strong>{0}</strong>'),
    ('\u30ec\u30d7\u30ea\u30b1\u30fc\u30b7\u30e7\u30f3\u30c6\u30b9\u30c8', '\u30c6\u30b9\u30c8 <strong>{0}</strong>'),
])
@pytest.mark.parametrize('outcome', ['successful', 'not successful', 'begun'])
def test_a_trailer_in_another_language_is_read_by_the_log_above_it(heading, trailing, outcome):
    """The log of the agent is in English in every language of AEM; without its word nothing has succeeded."""
    lines = delivered(
        '<< ', '<< ReplicationAction TEST ok.', 'Message sent.', 'Replication (TEST) of /content {0}.'.format(outcome))
    words = as_test_page(lines, 'succeeded').replace('Replication test to', heading).replace(
        'Replication test <strong>succeeded</strong>', trailing.format('\xf6\xf6\xf6'))
    read = page.read('<html><body>' + words + '</body></html>')
    assert read.succeeded is (outcome == 'successful')
    assert (read.kind, read.response_code) == ('test', 200)
    assert page.read(words[:words.index('<hr')]).succeeded is False


def test_what_a_body_says_is_no_trailer_s_word():
    """Brand Portal's answer may hold the agent's own words, with a stamp or without."""
    lines = delivered('<< ', '<< 2026-11-27 09:00:00 - Replication (TEST) of /content successful.')
    words = as_test_page(lines, 'x').replace('Replication test to', 'Replikationstest').replace('Replication test <', 'Test <')
    assert page.read(words).succeeded is False


@pytest.mark.parametrize('stamp', [
    '27-Nov-2026 09:00:00', 'Nov 27, 2026 9:00:00 AM', 'Nov 27, 2026, 9:00:00\u202fAM', '27 nov. 2026 09:00:00',
    '27.11.2026, 09:00:00', '2026/11/27 9:00:00', '27 nov. 2026, 09.00.00', '1. 12. 2026 9:00:00', '2026. 11. 27. 9:00:00',
    '11/27/26 9:00:00 AM', '27.11.26 09:00:00', '27.11.2026 09:00:00 +0530', '2026-11-27T09:00:00+05:30',
    '2026-11-27T09:00:00.123Z', '27.11.2026 09:00:00 CEST', 'Fri Nov 27 09:00:00 IST 2026', 'Fri Nov 27 09:00:00 CEST 2026',
    '27/11/2026, 9:00:00 p.\xa0m.', '2026\u5e7411\u670827\u65e5 \u4e0a\u53489:00:00',
])
def test_stamps_of_other_locales(stamp):
    lines = [line.replace('28.02.2017 18:39:51', stamp) for line in delivered('<< Date: Fri, 03 Mar 2017 04:29:05 GMT')]
    read = page.read(as_test_page(lines, 'succeeded'))
    assert (read.succeeded, read.remote_date) == (True, 1488515345)
    refused = page.read(as_test_page([line.replace('200 OK', '401 Unauthorized') for line in lines], 'failed'))
    assert (refused.response_code, causes.explain(refused).cause.id) == (401, 'key_not_accepted')


def test_a_page_of_something_else_is_said_to_be_one():
    finding = causes.explain(page.read('<html><title>Sign in</title><form action="/adfs/ls"></form>'))
    assert (finding.cause.id, 'page from another program' in finding.cause.meaning) == ('unknown', True)
