# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking real sockets on loopback: what the kernel and the resolver add to test_ntp.py.

Nothing here is asserted about how long something takes: the deadlines are only there to end a test that hangs.
"""

import contextlib
import os
import socket
import sys
import threading
import time

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import conclusion, measurement, ntp_client
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._clock.clock_servers import (
    NtpServer,
    honest,
    host_clock,
    packet,
    true_time,
)

BEHIND = 100.0


def ask(codec, servers, timeout=30.0, behind=BEHIND):
    names = [server if isinstance(server, str) else server.name for server in servers]
    sources = measurement.measure({'ntp_servers': names, 'timeout': timeout}, codec, make_anchor=host_clock(behind))
    return conclusion.conclude(sources, 5.0)


def test_three_honest_servers(codec):
    with NtpServer(honest()) as one, NtpServer(honest()) as two, NtpServer(honest()) as three:
        result = ask(codec, [one, two, three])
    assert (result['verdict'], result['direction'], result['verified']) == ('skewed', 'behind', True)
    assert result['low'] <= BEHIND <= result['high']
    assert [source['accepted'] for source in result['sources']] == [True] * 3


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='only Linux stamps datagrams as they come in')
def test_the_kernel_stamps_what_comes_in():
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as receiver, \
            contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sender:
        receiver.bind(('127.0.0.1', 0))
        receiver.setsockopt(socket.SOL_SOCKET, ntp_client._STAMP, 1)
        before = time.time()
        sender.sendto(b'x', receiver.getsockname())
        data, stamp = ntp_client._read(receiver)
    assert data == b'x'
    assert before - 0.001 <= stamp <= time.time() + 0.001


def test_a_closed_port_is_told(codec):
    closed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    closed.bind(('127.0.0.1', 0))
    name = '127.0.0.1:%d' % closed.getsockname()[1]
    closed.close()
    assert 'nothing listens' in ask(codec, [name])['sources'][0]['reason']


def test_an_answer_from_another_port_is_none(codec):
    def script(request, server):
        with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as other:
            other.sendto(packet(request, true_time() + 90, true_time() + 90), server.client)
        return []
    with NtpServer(script) as server:
        result = ask(codec, [server], timeout=0.5)
    assert result['verdict'] == 'unreachable'
    assert 'no answer within' in result['sources'][0]['reason']


def test_a_real_resolver_and_a_name_it_does_not_know(codec, monkeypatch):
    def fails(*_query):
        raise socket.gaierror(socket.EAI_NONAME, 'Name or service not known')
    monkeypatch.setattr(socket, 'getaddrinfo', fails)
    result = ask(codec, ['nowhere.test'])
    assert 'does not resolve (Name or service not known)' in result['sources'][0]['reason']


def test_a_resolver_that_hangs_does_not_hang_the_measurement(codec, monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(socket, 'getaddrinfo', lambda *_query: released.wait() and [])
    try:
        result = ask(codec, ['slow.test'], timeout=0.5)
    finally:
        released.set()
    assert 'its name was not resolved within' in result['sources'][0]['reason']


def ipv6_works():
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.bind(('::1', 0))
        return True
    return False


@pytest.mark.skipif(not ipv6_works(), reason='this machine has no IPv6 loopback')
def test_a_server_of_ipv6(codec):
    with NtpServer(honest(), host='::1') as server:
        assert ask(codec, [server])['verdict'] == 'skewed'


def test_nothing_is_left_behind(codec):
    def descriptors():
        return set(os.listdir('/proc/self/fd'))
    with NtpServer(honest()) as good, NtpServer(lambda request, _server: [
            packet(request, true_time(), true_time(), stratum=0, reference=b'DENY')]) as kissing:
        names = [good.name, kissing.name, '127.0.0.1:9', 'a..b']
        ask(codec, names)
        before, threads = descriptors(), set(threading.enumerate())
        for _run in range(5):
            ask(codec, names)
        for thread in set(threading.enumerate()) - threads:
            thread.join(30)
        assert set(threading.enumerate()) <= threads
        assert descriptors() <= before
