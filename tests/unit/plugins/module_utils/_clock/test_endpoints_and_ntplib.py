# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, ports and addresses as people write them; ntplib from the host or from the controller."""

import errno
import importlib
import socket
import ssl
import sys
import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import ntplib_loader
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import BadOption, NtplibMissing
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.resolver import (
    Address,
    is_private,
    join,
    parse_endpoint,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.source import error_reason


@pytest.mark.parametrize('text, host, port', [
    ('pool.ntp.org', 'pool.ntp.org', 123), ('Time.Example.COM.', 'time.example.com', 123), ('h:4', 'h', 4),
    ('192.0.2.1', '192.0.2.1', 123), ('192.0.2.1:1123', '192.0.2.1', 1123), ('2001:db8::1', '2001:db8::1', 123),
    ('[2001:db8::1]', '2001:db8::1', 123), ('[2001:DB8::1]:99', '2001:db8::1', 99),
    ('fe80::1%eth0', 'fe80::1%eth0', 123), (' spaced ', 'spaced', 123), ('under_score', 'under_score', 123),
    ('b\u00fccher.example', 'b\u00fccher.example', 123),
])
def test_endpoints(text, host, port):
    assert parse_endpoint(text, 123, 'ntp_servers') == (host, port)


@pytest.mark.parametrize('text', ['', ' ', ':', ':123', 'h:', 'h:1a', 'h:0', 'h:65536', '[h]', '[::1', '::1]', '[::1]x',
                                  'a b', 'a/b', 'u@h', 'a,b', '1:2:3', 'h:-1', 'a\x00b', 'x' * 254])
def test_what_names_no_endpoint(text):
    with pytest.raises(BadOption, match='ntp_servers'):
        parse_endpoint(text, 123, 'ntp_servers')


@given(st.text(max_size=30))
@settings(max_examples=500)
def test_no_text_raises_anything_else(text):
    try:
        endpoint = parse_endpoint(text, 123, 'x')
    except BadOption:
        return
    assert parse_endpoint(str(endpoint), 1, 'x') == endpoint


@pytest.mark.parametrize('ip, near', [
    ('10.0.0.1', True), ('172.16.3.4', True), ('192.168.1.1', True), ('127.8.8.8', True), ('169.254.169.123', True),
    ('::1', True), ('fe80::1%2', True), ('fd12::1', True),
    ('8.8.8.8', False), ('100.64.0.1', False), ('2606:4700::1', False),
])
def test_near(ip, near):
    assert is_private(Address(2, (ip, 123))) is near


@pytest.mark.parametrize('error, words', [
    (ConnectionRefusedError(errno.ECONNREFUSED, 'x'), 'nothing listens on that port (connection refused)'),
    (OSError(errno.EPERM, 'x'), "this host's firewall blocks the connection (operation not permitted)"),
    (ssl.SSLEOFError(ssl.SSL_ERROR_EOF, 'EOF occurred'), 'it closed the connection'),
    (ssl.SSLError(ssl.SSL_ERROR_SSL, 'wrong version number'), 'wrong version number'),  # 1, which is EPERM elsewhere
    (socket.timeout('timed out'), 'timed out'), (ValueError(), 'ValueError'),
])
def test_errors_in_words(error, words):
    assert words in error_reason(error)


def test_join():
    assert (join('h', 1), join('::1', 2)) == ('h:1', '[::1]:2')


def source(codec):
    with open(codec.__file__, 'rb') as file:
        return file.read()


def without_ntplib(monkeypatch):
    real = importlib.import_module

    def fails(name, *more):
        if name == 'ntplib':
            raise ImportError(name)
        return real(name, *more)
    monkeypatch.setattr(importlib, 'import_module', fails)


def test_the_carried_ntplib_serves_where_the_host_has_none(codec, monkeypatch):
    if not hasattr(codec, '__file__'):
        pytest.skip('ntplib has no file')
    without_ntplib(monkeypatch)
    module = ntplib_loader.load(ntplib_loader.carry(source(codec)))
    assert module is not codec
    assert module.NTPPacket().mode == 3
    assert 'ntplib' not in sys.modules or sys.modules['ntplib'] is codec


@pytest.mark.parametrize('carried', [None, '', 'x', '!!!', 'AAAA', ntplib_loader.carry(b'x ='),
                                     ntplib_loader.carry(b'import nothing_like_this'), ntplib_loader.carry(b'x = 1'),
                                     ntplib_loader.carry(b'\xff\xfe'), ntplib_loader.carry(b'1/0')])
def test_no_ntplib_is_told_clearly(monkeypatch, carried):
    without_ntplib(monkeypatch)
    with pytest.raises(NtplibMissing, match='controller'):
        ntplib_loader.load(carried)


def test_a_strangers_module_of_that_name_is_not_used(codec, monkeypatch):
    if not hasattr(codec, '__file__'):
        pytest.skip('ntplib has no file')
    carried = ntplib_loader.carry(source(codec))
    monkeypatch.setitem(sys.modules, 'ntplib', types.ModuleType('ntplib'))
    assert ntplib_loader.load(carried).NTPPacket
