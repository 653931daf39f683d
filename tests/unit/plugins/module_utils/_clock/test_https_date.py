# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Date of a service: real TLS on loopback, good, slow, hostile, cached, behind a proxy, with wrong certificates.

The servers and the host live on a virtual time line, which passes only while one of them waits; what is asserted about
time is asserted of that one. A silent service costs real time, because sockets have no other time: there, only the answer counts.
"""

import contextlib
import http.client
import io
import os
import random
import socket
import ssl
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import conclusion, https_date, measurement, tls
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import BadOption, Unusable
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.marzullo import Interval
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.http_date import format_http_date
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._clock import clock_servers
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._clock.clock_servers import (
    HttpsServer,
    Proxy,
    dated,
    host_clock,
    true_time,
)


@pytest.fixture(scope='module')
def certificate(authority):
    return authority.issue()


@pytest.fixture(autouse=True)
def line(virtual):
    return virtual


@pytest.fixture
def real_line(line, monkeypatch):
    """For code that waits on a silent socket, which only has real time."""
    monkeypatch.setattr(clock_servers, 'LINE', clock_servers.RealLine())


def ask(urls, authority, behind=0.0, timeout=30.0, wanted_width=float('inf'), **options):
    """(skew, its first source, seconds it took)"""
    options.setdefault('ca_path', authority.path)
    began = true_time()
    urls = [url if isinstance(url, str) else url.url() for url in urls]
    sources = measurement.measure(dict(options, https_urls=urls, timeout=timeout), None, wanted_width, host_clock(behind))
    took = true_time() - began
    assert took <= timeout or isinstance(clock_servers.LINE, clock_servers.VirtualLine) is False, 'the deadline holds'
    result = conclusion.conclude(sources, options.get('max_skew', 5.0))
    return result, result['sources'][0], took


# What a reply proves, without a network


@given(truth=st.floats(-1e9, 1e9), server=st.floats(0, 4e9), out=st.floats(0, 5), back=st.floats(0, 5),
       age=st.one_of(st.none(), st.floats(0, 100000)))
@settings(max_examples=500)
def test_the_truth_is_inside(truth, server, out, back, age):
    # server: its clock when it answers; a cache keeps the answer for age seconds and tells them cut.
    date = int(server - (age or 0))
    interval = https_date.prove(date, None if age is None else int(age), server - truth - out, server - truth + back)
    assert interval.low - 1e-6 <= truth <= interval.high + 1e-6


@given(truth=st.floats(-0.5, 0.5), start=st.floats(1.7e9, 1.7e9 + 10), latency=st.floats(0.0005, 0.05))
@settings(max_examples=200)
def test_asking_at_the_edge_halves_what_is_left(truth, start, latency):
    now, interval, widths = start, None, []
    for _request in range(6):
        sent, received = now, now + 2 * latency
        proven = https_date.prove(int((now + latency + truth) // 1), None, sent, received)
        interval = proven if interval is None else interval.intersection(proven)
        assert interval.low - 1e-6 <= truth <= interval.high + 1e-6
        widths.append(interval.width)
        later = https_date.next_edge(interval, 2 * latency, received)
        assert 0 <= later - received < 1.000001
        now = later
    assert widths[2] <= 0.25 + 3 * 2 * latency
    assert widths[5] <= 0.04 + 3 * 2 * latency


# Real services


def test_one_request_decides(authority, certificate):
    with HttpsServer(dated(), *certificate) as server:
        result, source, took = ask([server], authority, behind=100)
        assert len(server.heads) == 1
        assert server.heads[0].startswith('HEAD / HTTP/1.1\r\nHost: localhost:%d\r\n' % server.port)
        assert '\r\nCache-Control: no-cache' in server.heads[0]
    assert (result['verdict'], result['direction'], result['verified']) == ('skewed', 'behind', True)
    assert result['tls_dates_checked'] is True
    assert result['low'] <= 100 <= result['high']
    assert 1.0 < result['high'] - result['low'] < 1.3
    assert source['address'] == '127.0.0.1:%d' % server.port
    assert (source['samples'], source['tls_verified']) == (1, True)
    assert took < 0.5


def test_the_threshold_in_between_is_settled_at_the_next_edge(authority, certificate):
    with HttpsServer(dated(), *certificate) as server:
        result, source, took = ask([server], authority, behind=5.5)
        assert server.connections == 1
    assert result['verdict'] == 'skewed'
    assert took < 2.5
    assert source['samples'] <= 4


def test_a_narrow_interval_can_be_asked_for(authority, certificate):
    with HttpsServer(dated(), *certificate, delay=0.02) as server:
        result, source, _took = ask([server], authority, behind=-7, wanted_width=0.1)
        assert server.connections == 1
    assert result['low'] <= -7 <= result['high']
    assert result['high'] - result['low'] < 0.12
    assert result['offset'] == pytest.approx(-7, abs=0.06)
    assert source['samples'] >= 3


@pytest.mark.parametrize('status', ['200 OK', '301 Moved Permanently', '403 Forbidden', '404 Not Found',
                                    '405 Method Not Allowed', '500 Internal Server Error', '503 Unavailable'])
def test_any_status_counts_and_redirects_are_not_followed(authority, certificate, status):
    script = dated(headers='Location: https://elsewhere.invalid/\r\n', status=status)
    with HttpsServer(script, *certificate) as server:
        result, _source, _took = ask([server], authority)
        assert len(server.heads) == 1
    assert result['verdict'] == 'in_sync'


@pytest.mark.parametrize('interim', [
    'HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n',
    'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nDate: {0}\r\n\r\n',
])
def test_an_interim_answer_comes_before_the_answer(authority, certificate, interim):
    """RFC 9110 section 15.2: a client parses any number of them. Their Date is not the answer's."""
    def script(number, head):
        return interim.format(format_http_date(int(true_time()) - 600)).encode() + dated()(number, head)
    with HttpsServer(script, *certificate) as server:
        result, source, _took = ask([server], authority, wanted_width=0.1)
    assert (result['verdict'], source['reason']) == ('in_sync', '')
    assert source['samples'] >= 3


def test_a_cached_answer_counts_with_its_age(authority, certificate):
    with HttpsServer(dated(offset=-3600.4, headers='Age: 3600\r\n'), *certificate) as server:
        result, _source, _took = ask([server], authority)
    assert result['verdict'] == 'in_sync'
    assert result['low'] <= 0 <= result['high']


def cached(age, restamped, headers='', offset=0.0):
    """A script of a cache that has kept its answer for `age` seconds at the beginning. restamped: Date is that of the delivery."""
    stored = true_time() + offset - age

    def script(number, head):
        kept = true_time() + offset - stored
        return dated(offset - (0.0 if restamped else kept), f'Age: {int(kept)}\r\n{headers}')(number, head)
    return script


@pytest.mark.parametrize('restamped', [False, True])
@pytest.mark.parametrize('headers', ['', 'Connection: close\r\n'])
@pytest.mark.parametrize('age', [7.3, 429.6, 45821.2])
def test_a_cache_may_keep_the_date_or_write_its_own(authority, certificate, age, headers, restamped):
    """Fastly answers "Date: now, Age: 429" for an answer that it has kept for 429 s."""
    with HttpsServer(cached(age, restamped, headers), *certificate, delay=0.02) as server:
        result, source, took = ask([server], authority, timeout=5.0)
    assert result['verdict'] == 'in_sync', result['message']
    assert result['low'] <= 0 <= result['high']
    assert source['samples'] > 1
    assert took <= 5


@pytest.mark.parametrize('behind', [-3600, -429.6, 429.6, 3600])
@pytest.mark.parametrize('restamped', [False, True])
def test_a_wrong_clock_is_found_behind_either_cache(authority, certificate, behind, restamped):
    with HttpsServer(cached(429.6, restamped), *certificate, delay=0.02) as server:
        result, _source, _took = ask([server], authority, behind=behind, timeout=8.0)
    assert result['verdict'] == 'skewed', result['message']
    assert result['low'] <= behind <= result['high']
    assert result['high'] - result['low'] < 5


@pytest.mark.parametrize('restamped', [False, True])
def test_one_answer_of_a_cache_says_no_more_than_both_readings_allow(authority, certificate, restamped):
    with HttpsServer(cached(3600, restamped), *certificate) as server:
        result, _source, _took = ask([server], authority, timeout=1.0)
    assert result['verdict'] == 'undecided'
    assert result['low'] <= 0 <= result['high']


def test_a_later_failure_does_not_cost_the_first_answer(authority, certificate):
    answers = [cached(3600, True, 'Connection: close\r\n')]
    with HttpsServer(lambda number, head: answers.pop()(number, head) if answers else b'220 smtp\r\n\r\n', *certificate) as server:
        result, source, _took = ask([server], authority)
    assert (source['reason'], source['samples']) == ('', 1)
    assert result['low'] <= 0 <= result['high']


def test_an_answer_just_fetched_through_a_cache_decides_at_once(authority, certificate):
    with HttpsServer(cached(0.2, True), *certificate) as server:
        result, source, took = ask([server], authority)
    assert (result['verdict'], source['samples']) == ('in_sync', 1)
    assert took < 0.5


def test_a_server_that_closes_after_each_answer(authority, certificate):
    with HttpsServer(dated(headers='Connection: close\r\n'), *certificate) as server:
        result, source, took = ask([server], authority, wanted_width=0.1)
    assert result['verdict'] == 'in_sync'
    assert source['samples'] == 1
    assert took < 0.5


def date(offset=0.0):
    return format_http_date(int((true_time() + offset) // 1)).encode()


def fixed(make):
    return lambda _number, _head: make()


BROKEN = {
    'no Date': (fixed(lambda: b'HTTP/1.1 200 OK\r\n\r\n'), 'has no Date'),
    'malformed Date': (fixed(lambda: b'HTTP/1.1 200 OK\r\nDate: yesterday\r\n\r\n'), 'Date cannot be read'),
    'empty Date': (fixed(lambda: b'HTTP/1.1 200 OK\r\nDate:\r\n\r\n'), 'Date cannot be read'),
    'two Dates': (fixed(lambda: b'HTTP/1.1 200 OK\r\nDate: ' + date() + b'\r\nDate: ' + date(9) + b'\r\n\r\n'),
                  'two different Dates'),
    'malformed Age': (fixed(lambda: b'HTTP/1.1 200 OK\r\nAge: old\r\nDate: ' + date() + b'\r\n\r\n'), 'Age'),
    'negative Age': (fixed(lambda: b'HTTP/1.1 200 OK\r\nAge: -1\r\nDate: ' + date() + b'\r\n\r\n'), 'Age'),
    'enormous Age': (fixed(lambda: b'HTTP/1.1 200 OK\r\nAge: ' + b'9' * 30 + b'\r\nDate: ' + date() + b'\r\n\r\n'),
                     'Age'),
    'no HTTP': (fixed(lambda: b'220 smtp.example ESMTP\r\n\r\n'), 'not HTTP'),
    'random': (fixed(lambda: os.urandom(3000)), 'not HTTP'),
    'endless line': (fixed(lambda: b'HTTP/1.1 200 OK\r\nX: ' + b'x' * 200000), 'not HTTP'),
    'endless headers': (fixed(lambda: b'HTTP/1.1 200 OK\r\n' + b'X: y\r\n' * 20000), 'not HTTP'),
    'closes': (fixed(lambda: None), ('not HTTP', 'no answer: ')),
    'silent': (fixed(lambda: b''), 'in time'),
    'stops half-way': (fixed(lambda: [b'HTTP/1.1 200 OK\r\nDate: ' + date()[:9], 600.0]), 'in time'),
    'drips': (fixed(lambda: [b'HTTP/1.1 200 OK\r\nDate: ' + date() + b'\r\n'] + [0.2, b'X: y\r\n'] * 3000),
              'in time'),
    'hints for ever': (fixed(lambda: b'HTTP/1.1 103 Early Hints\r\n\r\n' * 2000), 'not HTTP'),
    'continues for ever': (fixed(lambda: [b'HTTP/1.1 100 Continue\r\n\r\n', 0.1] * 6000), 'in time'),
}


@pytest.mark.parametrize('name', sorted(BROKEN))
def test_a_broken_service_is_told_and_not_believed(authority, certificate, name, request):
    script, reason = BROKEN[name]
    timeout = 30.0
    if reason == 'in time':
        request.getfixturevalue('real_line')
        timeout = 1.0
    with HttpsServer(script, *certificate) as server:
        result, source, _took = ask([server], authority, timeout=timeout)
    assert result['verdict'] == 'unreachable'
    assert any(part in source['reason'] for part in ([reason] if isinstance(reason, str) else reason))
    assert 'it could not be asked' not in source['reason'], 'that reason is for unforeseen errors'


@pytest.mark.parametrize('name', ['drips', 'continues for ever'])
def test_a_service_that_never_ends_is_hung_up_on(authority, certificate, name, real_line):
    with HttpsServer(BROKEN[name][0], *certificate) as server:
        ask([server], authority, timeout=1.0)
        assert server.all_left.wait(60), 'long before it would end'


def test_a_service_whose_clock_moves_is_not_believed(authority, certificate):
    def script(number, head):
        return dated(3.0 * number)(number, head)
    with HttpsServer(script, *certificate) as server:
        result, source, _took = ask([server], authority, behind=0, wanted_width=0.1)
    assert result['verdict'] == 'unreachable'
    assert 'its clock moved by' in source['reason']


def test_the_machines_of_a_service_may_differ_a_little(authority, certificate):
    def script(number, head):
        return dated(0.1 * (number % 2))(number, head)
    with HttpsServer(script, *certificate) as server:
        result, _source, _took = ask([server], authority, wanted_width=0.02)
    assert result['verdict'] == 'in_sync'
    assert result['low'] <= 0.1
    assert result['high'] >= 0


@pytest.mark.parametrize('since', [0.0, 0.2, 0.4, 0.6, 0.8])
def test_a_server_that_keeps_the_text_of_its_date_for_a_second(authority, certificate, since):
    """As Tomcat does: 0.9 s after the last one was made, an answer may still have the Date of that moment."""
    made = [true_time() - since]

    def script(number, head):
        if true_time() - made[0] > 1:
            made[:] = [true_time()]
        return dated(made[0] - true_time())(number, head)
    with HttpsServer(script, *certificate, delay=0.02) as server:
        result, source, _took = ask([server], authority, behind=90.3, wanted_width=0.1)
    assert source['reason'] == ''
    assert (result['verdict'], source['samples'] > 1) == ('skewed', True)
    assert result['low'] - 1 <= 90.3 <= result['high'] + 1


@pytest.mark.parametrize('validate', [True, False])
def test_the_verification_does_not_depend_on_the_python_of_the_host(authority, monkeypatch, validate):
    """Since Python 3.13, the default refuses certificates without an authority key identifier."""
    create = ssl.create_default_context

    def strict(*_more, **options):
        context = create(**options)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context
    monkeypatch.setattr(ssl, 'create_default_context', strict)
    context = tls.context_for(tls.Trust(authority.path, validate))
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.check_hostname is validate
    assert context.verify_mode == (ssl.CERT_REQUIRED if validate else ssl.CERT_NONE)


def test_a_closed_port(authority):
    with contextlib.closing(socket.socket()) as closed:
        closed.bind(('127.0.0.1', 0))
        _result, source, _took = ask(['https://127.0.0.1:%d/' % closed.getsockname()[1]], authority)
    assert 'nothing listens' in source['reason']


def test_one_that_speaks_no_tls(authority, real_line):
    with Proxy(refuse='400 Bad Request') as plain:
        _result, source, _took = ask(['https://127.0.0.1:%d/' % plain.port], authority, timeout=1.0)
    assert source['accepted'] is False
    assert source['reason']


def test_a_handshake_that_hangs_keeps_the_deadline(authority, real_line):
    with contextlib.closing(socket.socket()) as mute:
        mute.bind(('127.0.0.1', 0))
        mute.listen(1)
        others = set(threading.enumerate())
        before = set(os.listdir('/proc/self/fd'))
        _result, source, _took = ask(['https://127.0.0.1:%d/' % mute.getsockname()[1]], authority, timeout=0.5)
        assert 'no answer in time' in source['reason']
        for thread in set(threading.enumerate()) - others:
            thread.join(30)
        assert set(os.listdir('/proc/self/fd')) <= before


def test_one_service_asked_for_by_two_urls_is_asked_once(authority, certificate):
    with HttpsServer(dated(), *certificate) as server:
        result, _source, _took = ask([server.url(path='/a'), server.url(path='/b')], authority)
        assert len(server.heads) == 1
    assert 'asked once' in result['sources'][1]['reason']


# Certificates


def test_an_unknown_authority_and_a_wrong_name_are_refused_even_if_the_dates_are_wrong_too(authority, certificate):
    with HttpsServer(dated(), *certificate) as server:
        _result, source, _took = ask([server], authority, ca_path=None)
    assert 'its certificate is refused' in source['reason']
    assert 'in the option ca_path' in source['reason'], 'the next step behind a proxy that inspects TLS'
    for name, until in (('other', 80), ('other-old', -1)):
        with HttpsServer(dated(-5 * 86400), *authority.issue(name, -10, until, host='elsewhere.test')) as server:
            _result, source, _took = ask([server], authority)
        assert 'its certificate is refused' in source['reason'] or "doesn't match" in source['reason']
        assert source['offset'] is None


def test_certificates_need_not_be_verified_but_then_nothing_is(authority, certificate):
    with HttpsServer(dated(), *certificate) as server:
        result, source, _took = ask([server], authority, ca_path=None, validate_certs=False)
    assert result['verdict'] == 'in_sync'
    assert result['verified'] is False
    assert source['tls_verified'] is False
    assert 'not verified' in result['advice']


@pytest.mark.parametrize('name, since, until, offset', [
    ('not yet valid', 300, 390, 345 * 86400.0), ('expired', -390, -300, -345 * 86400.0),
])
def test_a_certificate_that_only_the_host_clock_refuses_is_taken_and_told(authority, name, since, until, offset):
    # TLS reads this machine's own clock: to it, such a service lives in another year, as to a host that is wrong.
    with HttpsServer(dated(offset), *authority.issue(name.replace(' ', '-'), since, until)) as server:
        result, source, _took = ask([server], authority)
        assert server.connections == 2
    assert result['verdict'] == 'skewed'
    assert result['low'] <= offset <= result['high']
    assert (result['verified'], result['tls_dates_checked'], source['tls_dates_checked']) == (True, False, False)


@pytest.mark.parametrize('since, until', [(300, 390), (-390, -300)])
def test_a_certificate_that_is_not_valid_at_the_services_own_time_is_refused(authority, since, until):
    with HttpsServer(dated(), *authority.issue('wrong%d' % since, since, until)) as server:
        result, source, _took = ask([server], authority)
    assert result['verdict'] == 'unreachable'
    assert "is not valid at the service's own time" in source['reason']


def test_authorities_from_a_directory(authority, certificate, tmp_path):
    (tmp_path / 'empty').mkdir()
    with HttpsServer(dated(), *certificate) as server:
        _result, source, _took = ask([server], authority, ca_path=str(tmp_path / 'empty'))
    assert 'its certificate is refused' in source['reason']


@pytest.mark.parametrize('content', [None, b'', b'nonsense'])
def test_authorities_that_cannot_be_loaded_are_an_error_before_anything(authority, tmp_path, content):
    path = tmp_path / 'ca.pem'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadOption, match='ca_path'):
        ask(['https://localhost/'], authority, ca_path=str(path))


# Proxies


def test_a_proxy_from_the_environment(authority, certificate, monkeypatch):
    with HttpsServer(dated(), *certificate) as server, Proxy() as proxy:
        monkeypatch.setenv('HTTPS_PROXY', 'http://user:p%%40ss@127.0.0.1:%d' % proxy.port)
        result, source, _took = ask([server], authority)
        assert proxy.heads[0].startswith('CONNECT localhost:%d HTTP/1.1\r\n' % server.port)
        assert 'Proxy-Authorization: Basic dXNlcjpwQHNz\r\n' in proxy.heads[0]  # user:p@ss
        assert 'Proxy-Authorization' not in server.heads[0]
        assert result['verdict'] == 'in_sync'
        assert result['verified'] is True
        assert source['address'] == '127.0.0.1:%d' % proxy.port
        monkeypatch.setenv('NO_PROXY', 'localhost')
        ask([server], authority)
        assert len(proxy.heads) == 1


@pytest.mark.parametrize('url, reason', [
    ('http://user:s3cret@127.0.0.1:{port}', 'refuses a tunnel: 407'),
    ('http://user:s3cret@127.0.0.1:9', 'nothing listens'),
])
@pytest.mark.parametrize('of_the_environment', [True, False])
def test_a_proxy_that_refuses_is_told_without_its_credentials(authority, monkeypatch, url, reason, of_the_environment):
    with Proxy(refuse='407 Not with user:s3cret') as proxy:
        url = url.format(port=proxy.port)
        if of_the_environment:
            monkeypatch.setenv('HTTPS_PROXY', url)
        result, source, _took = ask(['https://localhost:9/'], authority, https_proxy=None if of_the_environment else url)
    assert reason in source['reason']
    assert 's3cret' not in str(result)


@pytest.mark.parametrize('url, reason', [
    ('https://user:s3cret@127.0.0.1:3128', 'of the kind https://'),
    ('socks5://user:s3cret@127.0.0.1:3128', 'of the kind socks5://'),
    ('http://user:s3cret@127.0.0.1:99999', 'not the URL of a proxy'),
    ('http://user:s3cret@[::1', 'not the URL of a proxy'),
    ('http://user:s3cret@', 'not the URL of a proxy'),
    ('http://s3cret:12/34@127.0.0.1:3128', 'not the URL of a proxy'),
    ('http://s3cret:12#34@127.0.0.1:3128', 'not the URL of a proxy'),
    ('http://s3cret:12?34@127.0.0.1:3128', 'not the URL of a proxy'),
    ('http://user:s3 cret@127.0.0.1:3128', 'not the URL of a proxy'),
    ('http://user:s3cret@127.0.0.1:3128\r\nX: y', 'not the URL of a proxy'),
])
def test_what_is_no_proxy_is_told_without_its_credentials(authority, monkeypatch, url, reason):
    with pytest.raises(BadOption, match='https_proxy: .*' + reason) as refused:
        ask(['https://localhost:9/'], authority, https_proxy=url)
    assert 's3' not in str(refused.value)
    monkeypatch.setenv('HTTPS_PROXY', url)
    result, source, _took = ask(['https://localhost:9/'], authority)
    assert source['reason'].startswith("the environment's proxy: ") and reason in source['reason']
    assert 's3' not in str(result)


@pytest.mark.parametrize('url', ['127.0.0.1:3128', 'user:s3cret@127.0.0.1:3128', 'proxy'])
def test_the_option_wants_a_whole_url_and_the_environment_does_not(authority, monkeypatch, url):
    with pytest.raises(BadOption, match="https_proxy: this is not the URL of a proxy"):
        tls.parse_proxy(url)
    monkeypatch.setenv('HTTPS_PROXY', url)
    assert tls.proxy_of_environment('service.test')


def test_a_proxy_of_the_option(authority, certificate, monkeypatch):
    """It is used whatever the environment says, for names that only the proxy can resolve, too."""
    monkeypatch.setenv('HTTPS_PROXY', 'http://127.0.0.1:9')
    monkeypatch.setenv('NO_PROXY', '*')
    with HttpsServer(dated(7), *certificate) as server, Proxy(password='user:p@s/s') as proxy:
        url = 'http://user:%s@127.0.0.1:' + str(proxy.port)
        result, source, _took = ask([server], authority, https_proxy=url % 'p%40s%2Fs')
        assert proxy.heads[0].startswith('CONNECT localhost:%d HTTP/1.1\r\n' % server.port)
        assert 'roxy' not in server.heads[0]
        assert (result['verdict'], result['direction'], result['verified']) == ('skewed', 'behind', True)
        assert result['low'] <= 7 <= result['high']
        assert (source['address'], source['tls_verified']) == ('127.0.0.1:%d' % proxy.port, True)
        _result, source, _took = ask([server], authority, https_proxy=url % 'wrong')
        assert 'refuses a tunnel: 407 Proxy Authentication Required; name a user' in source['reason']
        assert 'option https_proxy' in source['reason']
        assert len(server.heads) == 1


def test_the_certificate_is_the_services_whatever_the_proxy_is(authority):
    """A proxy that answers in the service's place is found out."""
    with HttpsServer(dated(), *authority.issue('impostor', host='impostor.test')) as impostor, \
            Proxy(leads_to=impostor.port) as proxy:
        result, source, _took = ask(['https://localhost:9/'], authority, https_proxy='http://127.0.0.1:%d' % proxy.port)
    assert result['verdict'] == 'unreachable'
    assert 'certificate' in source['reason'] or "doesn't match" in source['reason']


# URLs


@pytest.mark.parametrize('url, reason', [
    ('http://localhost/', 'is not an https:// URL'), ('localhost', 'is not an https:// URL'),
    ('ftp://localhost', 'is not an https:// URL'),
    ('https://', 'has no host'), ('https:///x', 'has no host'), ('https://u:pw@localhost/', 'credentials'),
    ('https://localhost:0/', 'between 1 and 65535'), ('https://localhost:99999/', 'is not a URL'),
    ('https://localhost:x/', 'is not a URL'), ('https://[::1/', 'is not a URL'), ('https://[zz]/', ''),
    ('https://localhost/a b', 'space or a control'), ('https://localhost/\r\nX: y', 'space or a control'),
    ('https://loc\x00alhost/', 'space or a control'),
])
def test_urls_that_cannot_be_used_are_an_error_before_anything(url, reason):
    with pytest.raises(BadOption) as caught:
        https_date.parse_url(url)
    assert reason in str(caught.value)
    assert 'https_urls' in str(caught.value)
    assert 'pw' not in str(caught.value)


@pytest.mark.parametrize('url, host, port, path', [
    ('https://Example.COM', 'example.com', 443, '/'), ('https://h:8443/a/b?c=d#e', 'h', 8443, '/a/b?c=d'),
    ('https://[::1]:4/', '::1', 4, '/'), ('https://h/\u00e9?\u00e9', 'h', 443, '/%C3%A9?%C3%A9'),
    ('https://h/%41', 'h', 443, '/%41'),
    # A zone: an interface, whose name has a case.
    ('https://[fe80::1%25enP1s0]/', 'fe80::1%enP1s0', 443, '/'), ('https://[fe80::1%enP1s0]:8/', 'fe80::1%enP1s0', 8, '/'),
])
def test_urls(url, host, port, path):
    target = https_date.parse_url(url)
    assert (target.endpoint.host, target.endpoint.port, target.path) == (host, port, path)


def test_a_proxy_with_a_zone():
    assert tls.parse_proxy('http://[fe80::1%25enP1s0]:3128').endpoint == ('fe80::1%enP1s0', 3128)


@given(st.text(max_size=40))
@settings(max_examples=300)
def test_no_url_raises_anything_else(text):
    for url in (text, 'https://' + text):
        with contextlib.suppress(BadOption):
            https_date.parse_url(url)


class Wire:
    """A socket that has received so much."""

    def __init__(self, data):
        self.makefile = lambda *_mode: io.BytesIO(data)


def test_ten_thousand_mutated_answers_raise_nothing_else():
    chance = random.Random(9110)
    whole = (b'HTTP/1.1 200 OK\r\nServer: x\r\nDate: Tue, 24 Nov 2026 12:00:00 GMT\r\nAge: 0\r\n'
             b'Connection: keep-alive\r\nContent-Length: 0\r\n\r\n')
    outcomes = {'read': 0, 'refused': 0}
    for _case in range(10000):
        data = bytearray(whole)
        for _edit in range(chance.randint(1, 5)):
            at = chance.randrange(len(data))
            if chance.random() < 0.3:
                del data[at:at + chance.randint(1, 20)]
            else:
                data[at:at + chance.randint(0, 1)] = bytes(chance.getrandbits(8) for _byte in range(
                    chance.choice((1, 1, 1, 30))))
        response = http.client.HTTPResponse(Wire(bytes(data)), method='HEAD')
        try:
            response.begin()
            answer = https_date.read_headers(response)
            assert https_date.prove(answer.date, answer.age, 0, 1).width <= 4
            outcomes['read'] += 1
        except (Unusable, http.client.HTTPException, ValueError):  # what _exchange() turns into a reason
            outcomes['refused'] += 1
    assert sum(outcomes.values()) == 10000
    assert min(outcomes.values()) > 500


def test_a_slow_address_does_not_hold_up_a_fast_one(authority, certificate, monkeypatch, real_line):
    with HttpsServer(dated(), *certificate) as server, contextlib.closing(socket.socket()) as full:
        full.bind(('127.0.0.1', 0))
        full.listen(0)
        with contextlib.ExitStack() as stack:
            for _client in range(4):  # its queue is full: further connections are not answered
                client = stack.enter_context(contextlib.closing(socket.socket()))
                client.setblocking(False)
                client.connect_ex(full.getsockname())
            monkeypatch.setattr(socket, 'getaddrinfo', lambda *_query, **_more: [
                (socket.AF_INET, socket.SOCK_STREAM, 6, '', full.getsockname()),
                (socket.AF_INET, socket.SOCK_STREAM, 6, '', ('127.0.0.1', server.port))])
            result, _source, _took = ask(['https://localhost:%d' % server.port], authority)
    assert result['verdict'] == 'in_sync', 'though the first address never answers'


def test_interval_of_nothing_is_no_interval():
    assert https_date.prove(10, None, 10.2, 10.3) == Interval(10 - 10.3, 11 - 10.2)
    assert tls.proxy_of_environment('localhost') is None
