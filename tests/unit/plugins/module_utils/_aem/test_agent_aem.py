# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AEM over HTTP and the agents' tests, against the stand-ins and a few servers that misbehave."""

import contextlib
import datetime
import gc
import gzip
import http.client
import http.server
import json
import socket
import ssl
import sys
import threading
import time
import types
import zlib

import pytest

if sys.version_info < (3, 9):  # the stand-ins' servers need it; Python 3.6 is tried with them from outside
    pytest.skip('the stand-ins run on Python 3.9 and later', allow_module_level=True)
pytest.importorskip('jwt')

from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import agents, no_answer, redact
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import client as aem_http
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import connection_test as agent_test
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem.answer import TimedOut
from ansible_collections.aemops.brand_portal.tests.fakes import agents as standin_agents
from ansible_collections.aemops.brand_portal.tests.fakes import scenarios, testing

TENANT = 'acme'
NAMES = testing.brand_portal_agents(TENANT)
TWO_DAYS = 2 * 86400


@pytest.fixture(scope='module')
def directory(tmp_path_factory):
    path = tmp_path_factory.mktemp('ca')
    testing.make_ca(path, TENANT)
    return path


@pytest.fixture(scope='module')
def portal(directory):
    with testing.running_portal(directory, TENANT) as running:
        yield running


@pytest.fixture
def author(directory, portal):
    with testing.running_aem(directory, portal) as running:
        yield running


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in (
        'http_proxy',
        'https_proxy',
        'HTTP_PROXY',
        'HTTPS_PROXY',
        'ALL_PROXY',
        'all_proxy',
        'no_proxy',
        'NO_PROXY',
    ):
        monkeypatch.delenv(name, raising=False)


def client(author, **options):
    given = {'url': author.url, 'username': author.user, 'password': author.password}
    given.update(options)
    return aem_http.Aem(**given)


def run(author, names=(), timeout=30.0, parallel=4, **options):
    aem = client(author, **options)
    return agent_test.run(aem, agents.select(aem.list_agents(), names), timeout, parallel)


@contextlib.contextmanager
def serving(answer):
    """A server that answers every GET with answer(handler)."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            with contextlib.suppress(OSError):
                answer(self)

        def log_message(self, *_args):
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.02}, daemon=True).start()
    try:
        yield 'http://127.0.0.1:{0}'.format(server.server_port)
    finally:
        server.shutdown()
        server.server_close()


def saying(status, body=b'', headers=()):
    def answer(handler):
        handler.send_response_only(status)     # no name of a server, and no Date
        for name, value in headers:
            handler.send_header(name, value)
        handler.send_header('Content-Length', str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def behind_a_filter(handler):
    """A dispatcher that lets only the sign-in page pass."""
    status = 200 if 'login' in handler.path else 404
    saying(status, b'QUICKSTART_HOMEPAGE', [('Server', 'Apache')])(handler)


def error_of(url, **options):
    with pytest.raises(aem_http.AemError) as error:
        aem_http.Aem(url, 'admin', 'planted-password', **options).list_agents()
    assert 'planted-password' not in error.value.message
    return error.value


# Listing


def test_agents_are_listed_in_one_request(author):
    found = client(author).list_agents()
    assert len(author.requests) == 1
    assert [agent.name for agent in found if agent.tenant == TENANT and agent.enabled] == NAMES
    assert [agent.name for agent in found if agent.untestable] == ['flush', 'publish_reverse', 'outbox', 'static']


def test_a_tree_too_large_for_one_request_is_read_agent_by_agent(author):
    whole = client(author).list_agents()
    author.configure(max_depth=1)
    assert client(author).list_agents() == whole
    author.configure(max_depth=0)
    with pytest.raises(aem_http.AemError) as error:
        client(author).list_agents()
    assert error.value.kind == 'not_aem'
    assert 'JSON Max results' in error.value.message


def test_agents_of_several_tenants_flags_as_strings_and_odd_names(author):
    uri = standin_agents.brand_portal_uri('other')
    author.configure(
        agents={
            NAMES[0]: {'enabled': 'false'},
            'an agent with spaces & \u00fcml\u00e4uts?': {'transportUri': uri, 'enabled': 'true'},
        }
    )
    found = client(author).list_agents()
    chosen = agents.select(found, [])
    assert [agent.name for agent in chosen] == NAMES[1:] + ['an agent with spaces & \u00fcml\u00e4uts?']
    author.configure(scenario='ok', max_depth=1)
    assert all(result['succeeded'] for result in run(author))


def test_the_system_overview_where_this_account_may_read_it(author):
    assert client(author).system_overview() == {}
    author.configure(overview={'Repository': {'Node Store': 'Segment Tar'}})
    assert client(author).system_overview() == {'Repository': {'Node Store': 'Segment Tar'}}
    assert client(author, password='wrong').system_overview() == {}
    with serving(saying(200, b'[1]')) as url:
        assert aem_http.Aem(url, 'admin', 'x').system_overview() == {}
    assert aem_http.Aem('http://127.0.0.1:1', 'admin', 'x').system_overview() == {}


def test_queues(author):
    author.configure(queued=3, clock_offset=-TWO_DAYS)
    aem = client(author)
    queue = aem.queue_of(NAMES[0])
    assert (queue['blocked'], queue['paused'], queue['pending']) == (True, False, 3)
    assert 178 <= queue['oldest_age'] <= 182  # by AEM's own clock, which is two days off
    assert aem.queue_of('publish')['pending'] == 0
    assert aem.queue_of('nobody') is None


@pytest.mark.parametrize('offset', [0, -TWO_DAYS, 400 * 86400])
def test_the_clock_of_aem_against_the_host_s_by_the_date_of_its_answers(author, offset):
    author.configure(clock_offset=offset)
    assert client(author).clock_offset is None
    aem = client(author, clock=time.time)
    assert aem.clock_offset is None  # nothing was asked yet
    aem.list_agents()
    bounds = aem.clock_offset
    assert bounds['low'] <= offset <= bounds['high']
    for _answer in range(3):
        aem.list_agents()
        assert bounds['low'] <= aem.clock_offset['low'] <= offset <= aem.clock_offset['high'] <= bounds['high']


def test_an_answer_of_a_cache_tells_nothing_of_aem_s_clock(author):
    author.configure(date='aged:60')
    aem = client(author, clock=time.time)
    aem.list_agents()
    assert aem.clock_offset is None


@pytest.mark.parametrize(('other', 'told'), [('06:00:00', True), ('09:00:00', False)])
def test_two_different_dates_tell_nothing_of_aem_s_clock(other, told):
    headers = http.client.HTTPMessage()
    for time_of_day in '06:00:00', other:
        headers.add_header('Date', 'Fri, 27 Nov 2026 {0} GMT'.format(time_of_day))
    assert aem_http.date_of(aem_http.AemAnswer(200, headers, b'', 0.0)) == (1795759200 if told else None)


def test_no_connection_is_left_open(author, recwarn):
    """An answer of any status is closed: Python warns of sockets that are not."""
    aem = client(author)
    for path in ('/nowhere', aem_http.AGENTS + '.2.json'):
        aem.get(path, 5)
    with contextlib.suppress(aem_http.AemError):
        client(author, password='wrong').list_agents()
    gc.collect()
    assert [str(warning.message) for warning in recwarn if issubclass(warning.category, ResourceWarning)] == []


@pytest.mark.parametrize(('url', 'said'), [
    ('http://author.example.com:4502', True), ('http://10.0.0.5:4502', True), ('https://author.example.com', False),
    ('http://localhost:4502', False), ('http://127.0.0.1:4502', False), ('http://[::1]:4502', False),
])
def test_a_password_in_clear_to_another_host_is_warned_of(url, said):
    warned = []
    module = types.SimpleNamespace(warn=warned.append)
    aem_http.warn_in_clear(module, aem_http.Aem(url, 'monitor', 'correct horse'))
    assert bool(warned) is said
    assert not said or ('https' in warned[0] and 'correct horse' not in warned[0])


@pytest.mark.parametrize(('level', 'way'), [
    ('6.2', 'legacy_gateway'), ('6.5.10', 'jwt'), ('6.5.21', 'oauth_server_to_server'), ('lts', 'oauth_server_to_server'),
])
@pytest.mark.parametrize('hidden', [False, True])
def test_how_the_agents_of_each_level_authenticate(author, level, way, hidden):
    author.configure(level=level, scenario='key_not_accepted', console_hidden=hidden, overview='level')
    for result in run(author):
        assert result['authentication'] == (way if not hidden or level == '6.2' else 'unknown')


def test_a_host_whose_agents_succeed_is_not_asked_how_they_authenticate(author):
    run(author)
    assert not [entry for entry in author.requests if 'console' in entry['path'] or 'config' in entry['path']]


@pytest.mark.parametrize(('queued', 'cause'), [(150, 'queue_backlog'), (3, 'timeout')])
def test_a_time_out_behind_a_long_queue_is_told_apart(author, queued, cause):
    author.configure(queued=queued, scenario='read_timeout')
    assert {result['cause'] for result in run(author)} == {cause}


def test_context_path(directory, portal):
    with testing.running_aem(directory, portal, context_path='/author') as author:
        assert author.url.endswith('/author')
        assert all(result['succeeded'] for result in run(author))
        assert all(result['succeeded'] for result in run(author, url=author.url + '/'))
        error = error_of(author.url[: -len('/author')])
    assert (error.kind, 'context path' in error.message) == ('not_aem', True)


# Testing


def test_the_failure_and_its_repair(author, portal):
    author.configure(clock_offset=-TWO_DAYS)
    for result in run(author):
        assert (result['succeeded'], result['response_code'], result['cause']) == (False, 401, 'jwt_expired')
        assert (result['clock_related'], result['direction'], result['tenant']) == ('yes', 'behind', TENANT)
        assert result['skew']['low'] < TWO_DAYS < result['skew']['high']
        assert result['skew']['high'] - result['skew']['low'] < 30
    author.configure(clock_offset=0)
    results = run(author)
    assert [result['agent'] for result in results] == NAMES
    for result in results:
        assert (result['succeeded'], result['response_code'], result['cause']) == (True, 200, 'none')
        assert result['skew']['low'] < 0 < result['skew']['high']
    assert set(author.tested) == set(NAMES)


@pytest.mark.parametrize('date_at', ['received', 'sent'])
@pytest.mark.parametrize('offset', [-90.0, 45.0])
def test_the_skew_holds_the_truth_in_a_slow_test(author, date_at, offset):
    author.configure(clock_offset=offset, delay=1.5, date_at=date_at, scenario='ok')
    result = run(author, NAMES[:1])[0]
    assert result['skew']['low'] < -offset < result['skew']['high']
    assert 5 < result['skew']['high'] - result['skew']['low'] < 30


@pytest.mark.parametrize('scenario', ['no_remote_date', 'bad_remote_date', 'unknown_host'])
def test_no_skew_without_both_dates(author, scenario):
    author.configure(scenario=scenario)
    assert run(author, NAMES[:1])[0]['skew'] is None


@pytest.mark.parametrize('date', ['missing', 'malformed', 'aged:500'])
def test_no_skew_from_a_date_of_aem_that_is_none_or_a_cache_s(author, date):
    author.configure(scenario='ok', date=date)
    result = run(author, NAMES[:1])[0]
    assert (result['succeeded'], result['skew'], result['aem_date']) == (True, None, None)


def of_each_outcome():
    """One scenario for each outcome of a test, and each way to make its page; test_agent_page.py reads the pages of all."""
    return list({(each.cause, each.response_code, each.dress, each.mangle): each
                 for each in scenarios.SCENARIOS if each.where == 'test'}.values())


@pytest.mark.parametrize('scenario', of_each_outcome(), ids=lambda scenario: scenario.name)
def test_every_outcome_over_http(author, scenario):
    author.configure(scenario=scenario.name)
    result = run(author, NAMES[:1])[0]
    assert (result['cause'], result['clock_related']) == (scenario.cause, scenario.clock_related)
    assert (result['succeeded'], result['response_code']) == (scenario.succeeded, scenario.response_code)
    shown = json.dumps(result)
    for secret in scenarios.SECRETS + (author.password,):
        assert secret not in shown
    assert len(result['log']) <= agent_test.FIRST_LINES + agent_test.LAST_LINES + 1
    assert bool(result['log']) == (not scenario.succeeded and scenario.name != 'empty')


def test_agents_are_told_apart(author):
    author.configure(scenario='ok', scenarios={NAMES[1]: 'unknown_host', NAMES[3]: 'jwt_expired'})
    assert [result['cause'] for result in run(author)] == ['none', 'unknown_host', 'none', 'jwt_expired']


def test_nothing_is_tested_when_a_name_is_wrong(author):
    with pytest.raises(agents.AgentsError) as error:
        run(author, [NAMES[0], 'nobody'])
    assert error.value.kind == 'unknown_agent'
    assert NAMES[0] in error.value.message
    for name in ('outbox', 'publish_reverse', 'flush', 'mp_replication_agent_default_formertenant'):
        with pytest.raises(agents.AgentsError):
            run(author, [name])
    author.configure(agents=dict.fromkeys(NAMES))
    with pytest.raises(agents.AgentsError) as error:
        run(author)
    assert error.value.kind == 'no_agents'
    assert author.tested == []


def test_an_agent_that_goes_away_between_list_and_test(author):
    aem = client(author)
    chosen = agents.select(aem.list_agents(), NAMES[:1])
    author.configure(agents={NAMES[0]: None})
    result = agent_test.run(aem, chosen, 30, 1)[0]
    assert (result['succeeded'], result['cause']) == (False, 'no_such_agent')


@pytest.mark.parametrize('parallel, at_once', [(1, 1), (3, 3), (4, 4), (99, 4)])
def test_parallel_is_a_limit(author, parallel, at_once):
    """A test ends only when as many as may be are under way; and never are there more."""
    author.configure(scenario='ok', delay=1)
    lock, under_way, most, enough = threading.Lock(), [], [], threading.Event()

    def wait(_seconds):
        with lock:
            under_way.append(None)
            most.append(len(under_way))
            if len(under_way) == at_once:
                enough.set()
        assert enough.wait(60)
        with lock:
            under_way.pop()
    author.application.wait = wait
    results = run(author, timeout=90.0, parallel=parallel)
    assert all(result['succeeded'] for result in results)
    assert (len(most), max(most)) == (4, at_once)


def test_a_test_that_takes_too_long_is_a_result(author):
    author.configure(scenario='ok', delay=1)
    released = threading.Event()
    author.application.wait = lambda _seconds: released.wait(300)
    results = run(author, timeout=0.7)
    released.set()
    assert [result['cause'] for result in results] == ['test_timeout'] * 4
    assert {result['clock_related'] for result in results} == {'no'}
    assert 'test_timeout' in results[0]['evidence']


def test_aem_that_breaks_in_the_middle_is_an_error(author):
    aem = client(author)
    chosen = agents.select(aem.list_agents(), [])
    author.configure(starting_seconds=3600)
    with pytest.raises(aem_http.AemError) as error:
        agent_test.run(aem, chosen, 30, 4)
    assert error.value.kind == 'starting'
    author.configure(starting_seconds=0, password='changed')
    with pytest.raises(aem_http.AemError) as error:
        agent_test.run(aem, chosen, 30, 4)
    assert error.value.kind == 'unauthorized'
    author.configure(login_page=True)
    with pytest.raises(aem_http.AemError) as error:
        agent_test.run(aem, chosen, 30, 4)
    assert error.value.kind == 'unauthorized'


def test_aem_that_fails_to_render_the_page_is_a_result():
    with serving(saying(500, b'<html>java.lang.NullPointerException</html>')) as url:
        aem = aem_http.Aem(url, 'admin', 'x')
        agent = agents.Agent('a', 'A', True, '', '', '', '')
        result = agent_test.run(aem, [agent], 5, 1)[0]
    assert (result['cause'], result['succeeded']) == ('unknown', False)
    assert 'AEM answered 500' in result['evidence']


def test_a_page_cut_by_the_connection_is_no_success():
    def answer(handler):
        handler.send_response(200)
        handler.send_header('Content-Type', 'text/html')
        handler.send_header('Content-Length', '100000')
        handler.end_headers()
        handler.wfile.write(b'<h1>Replication test to x</h1><code>28.02.2017 18:39:51 - sent. Response: 200 OK<br>')
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)

    with serving(answer) as url:
        agent = agents.Agent('a', 'A', True, '', '', '', '')
        result = agent_test.run(aem_http.Aem(url, 'admin', 'x'), [agent], 5, 1)[0]
    assert (result['cause'], result['succeeded'], result['response_code']) == ('unknown', False, 200)


def test_credentials_go_with_every_request_but_to_no_other_host(author):
    with serving(saying(404)) as elsewhere:
        for status in (301, 302, 307, 308):
            with serving(saying(status, headers=[('Location', elsewhere + '/x?token=abc')])) as url:
                error = error_of(url)
                assert error.kind == 'not_aem'
                assert elsewhere in error.message
                assert 'abc' not in error.message


def test_a_password_of_any_characters(directory, portal):
    password = 'p\u00e4ss: "w\u00f6rd" %41/\u20ac'
    with testing.running_aem(directory, portal, password=password) as author:
        results = run(author)
        assert all(result['succeeded'] for result in results)


# AEM's own troubles, told apart


@pytest.mark.parametrize(
    'settings, words',
    [
        ({'login_page': False}, '401'),
        ({'login_page': True}, 'login page'),
        ({'login_page': 'redirect'}, 'login page'),
    ],
)
def test_wrong_credentials(author, settings, words):
    author.configure(**settings)
    error = error_of(author.url)
    assert error.kind == 'unauthorized'
    assert words in error.message
    assert 'username and password' in error.message


def test_agents_that_the_user_may_not_see(author):
    author.configure(agents_hidden=True)
    with pytest.raises(aem_http.AemError) as error:
        client(author).list_agents()
    assert error.value.kind == 'unauthorized'
    assert '/etc/replication' in error.value.message


@pytest.mark.parametrize(
    'answer, kind',
    [
        (saying(503), 'starting'),
        (saying(500, b'AuthenticationSupport service missing. Cannot authenticate request.'), 'starting'),
        (saying(502), 'unreachable'),
        (saying(504), 'unreachable'),
        (saying(403), 'unauthorized'),
        (saying(404), 'not_aem'),
        (saying(500), 'not_aem'),
        (saying(200, b'<html>It works!</html>'), 'not_aem'),
        (saying(200, b'[1]'), 'not_aem'),
        (saying(200, b''), 'not_aem'),
        (saying(200, b'[' * 100000), 'not_aem'),
        (saying(204), 'not_aem'),
        (saying(300, b'[]'), 'not_aem'),
        (lambda handler: handler.wfile.write(b'SSH-2.0-OpenSSH_9.2\r\n'), 'unreachable'),
        (lambda handler: None, 'unreachable'),
    ],
)
def test_what_is_no_aem(answer, kind):
    with serving(answer) as url:
        error = error_of(url)
    assert error.kind == kind
    assert error.message.endswith('.')


@pytest.mark.parametrize('answer, kind, words', [
    (saying(302, headers=[('Location', 'https://sso.example/saml?SAMLRequest=x')]), 'not_aem',
     ['to a sign-in page (302 to https://sso.example/saml)', 'username and password']),
    (saying(302, headers=[('Location', 'https://login.example/oauth2/authorize')]), 'not_aem', ['to a sign-in page']),
    (saying(302, headers=[('Location', '/libs/granite/core/content/login.html?resource=x')]), 'unauthorized', ['its login page']),
    (saying(302), 'not_aem', ['302 to no address']),
    (saying(302, headers=[('Location', 'https://[nothing')]), 'not_aem', ['302 to https://[nothing']),
    (saying(302, headers=[('Location', 'https://author.example/libs/granite/core/content/login.html')]), 'unauthorized',
     ['its login page']),
    (saying(403, headers=[('Server', 'Apache/2.4 (Red Hat)')]), 'unauthorized', ['web server or a firewall', 'aem_url']),
    (saying(500, b'<h2>Internal Server Error</h2><address>ApacheSling/2.7 (jetty/9.4.48, Linux)</address>'), 'starting',
     ['answers 500 to /etc/replication', 'error.log']),
    (saying(503, headers=[('Server', 'nginx/1.26')]), 'starting', ['503', 'a web server or a firewall in front of it']),
    (saying(400, b'<h1>400 Bad Request</h1>The plain HTTP request was sent to HTTPS port'), 'not_aem', ['use https:// in aem_url']),
    (saying(400, b"Reason: You're speaking plain HTTP to an SSL-enabled server port."), 'not_aem', ['use https:// in aem_url']),
    (saying(200, b'<body onload="submit()"><form action="https://idp"><input type="hidden" name="SAMLRequest" value="x"/></form>'),
     'not_aem', ['sign-in page', 'username and password']),
    (saying(429, headers=[('Retry-After', '30')]), 'unreachable', ['A gateway in front of AEM', 'Wait and try again']),
    *((saying(status, headers=[('Server', 'Apache/2.4.58 (Unix) Communique/4.3.6')]), kind, ['in front of it', 'aem_url'])
      for status, kind in ((401, 'unauthorized'), (403, 'unauthorized'), (503, 'starting'))),
    (behind_a_filter, 'unauthorized', ['jcr:read', 'dispatcher', 'in front of it', 'aem_url']),
    (saying(407), 'unreachable', ['A proxy in front of AEM', '407']),
    (saying(300, b'<html>Multiple Choices</html>'), 'not_aem', ['redirects to another address']),
    (lambda handler: handler.wfile.write(b'SSH-2.0-OpenSSH_9.2\r\n'), 'unreachable', ['does not speak HTTP: SSH-2.0-OpenSSH_9.2.']),
])
def test_what_stands_before_aem_is_told_apart(answer, kind, words):
    with serving(answer) as url:
        error = error_of(url)
    assert error.kind == kind
    assert [word for word in words if word not in error.message] == []


@pytest.mark.parametrize('status', [403, 404])
@pytest.mark.parametrize('server, words', [('Jetty(9.4)', ''), ('Apache', 'web server'), ('Apache Communique/4.3', 'web server')])
def test_a_test_page_that_is_hidden_is_no_wrong_password(status, server, words):
    """A web server before AEM may have a filter for it."""
    def answer(handler):
        handler.wfile.write('HTTP/1.1 {0} No\r\nServer: {1}\r\nContent-Length: 0\r\n\r\n'.format(status, server).encode())

    with serving(answer) as url, pytest.raises(aem_http.AemError) as error:
        aem_http.Aem(url, 'admin', 'planted-password').test_page('mp_0', 20)
    assert error.value.kind == 'unauthorized'
    assert 'but not its test page ({0})'.format(status) in error.value.message
    assert ('web server' in error.value.message) is bool(words)


def broken_off(handler):
    handler.send_response(200)
    handler.send_header('Content-Length', '1000')
    handler.end_headers()
    handler.wfile.write(b'{"jcr:content": ')


def broken_off_in_chunks(handler):
    handler.wfile.write(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{"jcr:content": \r\n')


@pytest.mark.parametrize('answer', [broken_off, broken_off_in_chunks])
def test_an_answer_that_breaks_off_is_no_other_service(answer):
    with serving(answer) as url:
        error = error_of(url)
    assert error.kind == 'unreachable'
    assert 'broke off its answer' in error.message
    assert '16 bytes' in error.message


@pytest.mark.parametrize('coding, pack', [('gzip', gzip.compress), ('deflate', zlib.compress), ('x-gzip', gzip.compress)])
def test_a_compressed_answer_is_read_though_none_was_asked_for(coding, pack):
    with serving(saying(200, pack(b'{"jcr:primaryType": "cq:Page"}'), [('Content-Encoding', coding)])) as url:
        assert aem_http.Aem(url, 'admin', 'planted-password').list_agents() == []


def test_the_proxy_of_the_environment_is_named(monkeypatch):
    with socket.socket() as unused:
        unused.bind(('127.0.0.1', 0))
        monkeypatch.setenv('http_proxy', 'http://me:planted-password@127.0.0.1:{0}'.format(unused.getsockname()[1]))
        error = error_of('http://author.example:4502')
        assert 'went through the proxy http://' in error.message
        assert 'no_proxy' in error.message
        monkeypatch.setenv('no_proxy', 'author.example')
        assert 'proxy' not in error_of('http://author.example:4502').message


@pytest.mark.parametrize('proxy', [
    'svc:s3cret@127.0.0.1:{0}', 'http://svc:s3cret@127.0.0.1:{0}', 'http://svc:s3/cret@127.0.0.1:{0}', 'http://svc:s3#cret@127.0.0.1:{0}',
    'http://svc:s3@cret@127.0.0.1:{0}', 'svc:s3/cret@127.0.0.1:{0}', 'http://svc:s3?cret@127.0.0.1:{0}'])
def test_the_password_of_a_proxy_is_not_shown(monkeypatch, proxy):
    with socket.socket() as unused:
        unused.bind(('127.0.0.1', 0))
        monkeypatch.setenv('http_proxy', proxy.format(unused.getsockname()[1]))
        message = error_of('http://author.example:4502').message
        assert 's3' not in message and 'cret' not in message, message
        assert 'went through the proxy' in message


@pytest.mark.parametrize('said, remedy', [
    ('[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1000)', 'does not speak TLS'),
    ('[SSL: UNKNOWN_PROTOCOL] unknown protocol (_ssl.c:852)', 'does not speak TLS'),
    ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: Hostname mismatch, certificate is not valid for 'a'.",
     'the name in the certificate'),
    ("hostname 'a' doesn't match 'b'", 'the name in the certificate'),
    ('[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired', "this host's clock"),
    ('[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self signed certificate', 'Set ca_path to the CA'),
    ('[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required', 'client certificate'),
    ('[X509: NO_CERTIFICATE_OR_CRL_FOUND] no certificate or crl found', 'no certificate in PEM format'),
    ('[SSL: TLSV1_ALERT_PROTOCOL_VERSION] tlsv1 alert protocol version', 'a version and a cipher of TLS in common'),
])
def test_the_next_step_fits_what_tls_says(said, remedy):
    aem = aem_http.Aem('https://author.example', 'admin', 'x')
    error = no_answer.of_exception(aem, 'https://author.example/', ssl.SSLError(said), 5)
    assert error.kind == 'unreachable'
    assert remedy in error.message


def test_nobody_listens():
    with socket.socket() as unused:
        unused.bind(('127.0.0.1', 0))
        error = error_of('http://127.0.0.1:{0}'.format(unused.getsockname()[1]))
    assert error.kind == 'unreachable'
    assert 'aem_url' in error.message


@pytest.mark.parametrize(
    'url',
    [
        'localhost:4502',
        'ftp://localhost',
        'http://',
        'http://h:port',
        'http://h/?a=b',
        'http://[',
        '',
        'http://u:planted-password@h',
    ],
)
def test_an_address_that_is_none(url):
    error = error_of(url)
    assert error.kind == 'unreachable'
    assert 'aem_url' in error.message


def test_a_name_nobody_knows():
    assert error_of('http://author.invalid:4502').kind == 'unreachable'


def test_an_answer_too_large(monkeypatch):
    monkeypatch.setattr(aem_http, 'LARGEST', 100000)
    with serving(saying(200, b' ' * 100001)) as url:
        assert 'larger than' in error_of(url).message

    with serving(saying(200, gzip.compress(b' ' * 100001), [('Content-Encoding', 'gzip')])) as url:
        assert 'larger than' in error_of(url).message


def test_a_deadline_holds_for_an_answer_that_drips(monkeypatch):
    monkeypatch.setattr(aem_http, 'QUICK', 0.6)

    def drip(handler):
        handler.send_response(200)
        handler.end_headers()
        for _drop in range(6000):
            handler.wfile.write(b' ')
            handler.wfile.flush()
            time.sleep(0.05)

    def drip_head(handler):
        handler.wfile.write(b'HTTP/1.1 200 OK\r\nX: ')
        for _drop in range(6000):
            handler.wfile.write(b'x')
            handler.wfile.flush()
            time.sleep(0.05)

    released = threading.Event()
    for answer in (drip, drip_head, lambda handler: released.wait(300)):
        with serving(answer) as url:
            assert isinstance(error_of(url), TimedOut)
    released.set()


# TLS and proxies


def test_https_with_a_private_ca(directory, portal):
    with testing.running_aem(
        directory, portal, cert=str(directory / 'long.pem'), key=str(directory / 'long.key')
    ) as author:
        assert all(result['succeeded'] for result in run(author, ca_path=str(directory / 'ca.pem')))
        assert len(client(author, validate_certs=False).list_agents()) > 4
        error = error_of(author.url)
        assert error.kind == 'unreachable'
        assert 'ca_path' in error.message
        missing = error_of(author.url, ca_path=str(directory / 'nowhere.pem'))
        assert 'ca_path is not a file' in missing.message
        plain = error_of(author.url.replace('https', 'http'))
        assert plain.kind == 'unreachable'


@pytest.mark.parametrize('days', [(-20, -10), (10, 20)])
def test_https_with_a_certificate_whose_dates_do_not_fit_the_clock(directory, portal, days):
    """What a wrong clock of this host looks like, too."""
    cert, key = certificate_valid(directory, *days)
    with testing.running_aem(directory, portal, name='dates', cert=cert, key=key) as author:
        error = error_of(author.url, ca_path=cert)
    assert error.kind == 'unreachable'
    assert "this host's clock" in error.message


def certificate_valid(directory, first_day, last_day):
    """A certificate of localhost's own, valid between two days from now."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, 'localhost')])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=first_day))
        .not_valid_after(now + datetime.timedelta(days=last_day))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName('localhost')]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = directory / 'dated.pem', directory / 'dated.key'
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return str(paths[0]), str(paths[1])


def test_proxies_are_for_other_hosts(author, monkeypatch):
    seen = []

    def proxy(handler):
        seen.append(handler.path)
        saying(200, b'{"a": {"jcr:content": {"transportUri": "https://x.brand-portal.adobe.com/"}}}')(handler)

    with serving(proxy) as url:
        monkeypatch.setenv('http_proxy', url)
        assert len(client(author).list_agents()) > 4  # on loopback: not through the proxy
        for host in ('127.0.0.1', '127.9.9.9'):
            with contextlib.suppress(aem_http.AemError):
                client(author, url=author.url.replace('localhost', host)).list_agents()
        assert seen == []
        assert len(aem_http.Aem('http://author.invalid:4502', 'a', 'b').list_agents()) == 1
        assert seen == ['http://author.invalid:4502/etc/replication/agents.author.2.json']
        monkeypatch.setenv('no_proxy', 'author.invalid')
        assert error_of('http://author.invalid:4502').kind == 'unreachable'


# Waiting


def test_aem_that_starts_is_waited_for_only_when_asked(directory, portal, monkeypatch):
    with testing.running_aem(directory, portal, starting_seconds=86400) as author:
        aem = client(author)
        with pytest.raises(aem_http.AemError) as error:
            aem.list_agents()
        assert error.value.kind == 'starting'
        with pytest.raises(aem_http.AemError) as error:
            aem.wait_ready(0.2, pause=0.1)
        assert error.value.kind == 'starting'
        assert 'ready_timeout' in error.value.message
        paused = []

        def pause(seconds):
            paused.append(seconds)
            if len(paused) == 2:
                author.configure(starting_seconds=0)
        # Not time.sleep itself, which the threads of other servers use as well.
        monkeypatch.setattr(aem_http, 'time', types.SimpleNamespace(sleep=pause, monotonic=time.monotonic))
        assert aem.wait_ready(600, pause=0.1) > 0
        monkeypatch.undo()
        assert paused == [0.1, 0.1]
        assert aem.list_agents()
        waited = []
        aem.wait_ready = waited.append
        aem_http.wait_if_asked(aem, {'ready_timeout': 0})
        aem_http.wait_if_asked(aem, {'ready_timeout': 5})
        assert waited == [5]


@pytest.mark.parametrize('login', [
    saying(302, headers=[('Location', 'https://sso.example/saml')]), saying(200, b'<html>Welcome to Acme</html>'), saying(403)])
@pytest.mark.parametrize('up', [True, False])
def test_an_aem_with_another_login_page_is_ready_when_it_shows_its_agents(login, up):
    def answer(handler):
        if handler.path == aem_http.LOGIN:
            login(handler)
        elif not up or handler.headers.get('Authorization') is None:
            saying(503)(handler)
        else:
            saying(200, b'{"jcr:primaryType": "cq:Page"}')(handler)

    with serving(answer) as url:
        aem = aem_http.Aem(url, 'admin', 'planted-password')
        if up:
            assert aem.wait_ready(600, pause=0.1) >= 0
            return
        with pytest.raises(aem_http.AemError, match='ready_timeout'):
            aem.wait_ready(0.2, pause=0.1)


def test_waiting_for_nobody_ends():
    with pytest.raises(aem_http.AemError) as error:
        aem_http.Aem('http://127.0.0.1:1', 'a', 'b').wait_ready(0.5, pause=0.1)
    assert error.value.kind == 'unreachable'


# The interval


@pytest.mark.parametrize('aem_at', [0.0, 0.4, 3.0])
@pytest.mark.parametrize('remote_at', [0.0, 1.7, 3.0])
@pytest.mark.parametrize('fraction', [0.0, 0.37, 0.999])
@pytest.mark.parametrize('skew', [-300.4, 0.0, 0.3, 208154.0])
def test_the_interval_holds_the_truth(aem_at, remote_at, fraction, skew):
    """Both clocks are cut to the second, at any two moments of a request of 3 s."""
    aem_date = int(1488307191 + fraction + aem_at)
    remote_date = int(1488307191 + fraction + remote_at + skew)
    low, high = agent_test.skew_interval(aem_date, remote_date, 3.0)
    assert low <= skew <= high
    assert high - low == 8.0


def test_the_tests_of_a_tenant_are_taken_together():
    def result(tenant, low, high):
        return {'tenant': tenant, 'skew': None if low is None else {'low': low, 'high': high}}

    assert agent_test.skew_by_tenant([
        result('a', -1.0, 5.0),
        result('a', 2.0, 9.0),
        result('a', None, None),
        result('b', 1.0, 2.0),
        result('b', 3.0, 4.0),
        result('', 7.0, 8.0),
        result('c', None, None),
    ]) == {'a': (2.0, 5.0), 'b': (1.0, 4.0)}


def test_iso_dates(author):
    author.configure(scenario='ok')
    result = run(author, NAMES[:1])[0]
    for name in ('aem_date', 'remote_date'):
        moment = datetime.datetime.strptime(result[name], '%Y-%m-%dT%H:%M:%SZ').replace(tzinfo=datetime.timezone.utc)
        assert abs(moment.timestamp() - time.time()) < 60


def test_evidence_and_reason_are_without_secrets():
    lines = (
        '28.02.2017 18:39:51 - Failed to get an access token with client_secret=planted-secret, planted-password<br>'
        '28.02.2017 18:39:51 - sent. Response: 401 planted-password<br>'
    )
    with serving(saying(200, ('<h1>Replication test to x</h1><code>' + lines).encode())) as url:
        agent = agents.Agent('a', 'A', True, '', '', '', '')
        result = agent_test.run(aem_http.Aem(url, 'admin', 'planted-password'), [agent], 5, 1)[0]
    assert result['evidence'].startswith('Failed to get an access token with client_secret=')
    assert 'planted' not in json.dumps(result)


def test_planted_secrets_are_in_no_result(author):
    author.configure(
        scenario='secrets_shown',
        agents={NAMES[0]: {'transportUri': 'https://me:planted-uri-password@acme.brand-portal.adobe.com/bin/receive'}},
    )
    aem = client(author)
    found = aem.list_agents()
    shown = json.dumps([agents.public(agent, aem.queue_of(agent.name)) for agent in found] + run(author))
    for secret in scenarios.SECRETS + (
        author.password,
        standin_agents.ENCRYPTED.strip('{}'),
        'planted-uri-password',
        'p8e-former',
    ):
        assert secret not in shown
    assert redact.HIDDEN in shown
