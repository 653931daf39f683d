# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets leave no line that is shown."""

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import redact

JWT = 'eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjE0ODgzMDc0OTF9.c2lnbmF0dXJl'
PASSWORD = 'pl\u00e4nted "secret" / 1'


@pytest.mark.parametrize(
    'line, secret',
    [
        ('>> Authorization: Bearer abcdef0123456789', 'abcdef0123456789'),
        ('adding header: Authorization:Bearer abcdef0123456789', 'abcdef0123456789'),
        ('>> Proxy-Authorization: Basic YWRtaW46YWRtaW4=', 'YWRtaW46YWRtaW4='),
        ('sent with Bearer abcdef0123456789 again', 'abcdef0123456789'),
        ('authorization: Digest username="a", response="deadbeef"', 'deadbeef'),
        ('<< Set-Cookie: login-token=3529326c; Path=/', '3529326c'),
        ('Cookie: a=b; login-token=3529326c', '3529326c'),
        ('{"access_token":"s3cr3t-token","token_type":"bearer"}', 's3cr3t-token'),
        ('{\\"access_token\\": \\"s3cr3t-token\\"}', 's3cr3t-token'),
        ('client_id=x&client_secret=s3cr3t-value&jwt_token=' + JWT, 's3cr3t-value'),
        ('client_id=x&client_secret=s3cr3t-value&jwt_token=' + JWT, JWT),
        ('a token ' + JWT + ' in the middle', JWT),
        ('cut off ' + JWT[:30], JWT[:30]),
        ('* OAuth 2.0 Token: \'abcdef0123\' initialized', 'abcdef0123'),
        ("transportPassword={6fd1c2a9b04e77f03c58d1be92a64f10c773}", '6fd1c2a9b04e77f03c58d1be92a64f10c773'),
        (r"transportPassword=\{6fd1c2a9b04e77f03c58d1be92a64f10c773}", '6fd1c2a9b04e77f03c58d1be92a64f10c773'),
        ('decrypting {6fd1c2a9b04e77f03c58d1be92a64f10c773} failed', '6fd1c2a9b04e77f03c58d1be92a64f10c773'),
        ('Sending to https://admin:hunter2@host/bin', 'hunter2'),
        ('j_password=hunter2&x=1', 'hunter2'),
        ('the password ' + PASSWORD + ' was wrong', 'nted'),
        ('GET /?p=pl%C3%A4nted%20%22secret%22%20%2F%201', 'nted'),
        ('{"p":"pl\u00e4nted \\"secret\\" / 1"}', 'nted'),
        ('the rest of it: ' + 'aB3' * 30, 'aB3' * 10),
        ('{"client_secret":["p8e-s3cr3t"]}', 'p8e-s3cr3t'),
        ('{"client_secret" : [ "p8e-s3cr3t" ]}', 'p8e-s3cr3t'),
        ('client_id%3Dx%26client_secret%3Dp8e-s3cr3t', 'p8e-s3cr3t'),
        ('%7B%22client_secret%22%3A%22p8e-s3cr3t%22%7D', 'p8e-s3cr3t'),
        ('{"proxy.password": "two words, s3cr3t"}', 's3cr3t'),
        ('{"password":"two \\" s3cr3t"}', 's3cr3t'),
        ('password="two words, s3cr3t" for the proxy', 's3cr3t'),
        ("proxy.password='two words, s3cr3t'", 's3cr3t'),
        ('Invalid client secret p8e-s3cr3tValue for the client', 'p8e-s3cr3tValue'),
        ('<client_secret>p8e-s3cr3tValue</client_secret>', 'p8e-s3cr3tValue'),
        ('{\\\\"access_token\\\\":\\\\"s3cr3t\\\\"}', 's3cr3t'),
        ('{&quot;access_token&quot;:&quot;s3cr3t&quot;}', 's3cr3t'),
        (r'access_token\u0022:\u0022s3cr3t\u0022', 's3cr3t'),
        ('bad key -----BEGIN RSA PRIVATE KEY----- MII/s3c+r3t/ab -----END RSA PRIVATE KEY-----', 's3c+r3t'),
        ('bad key -----BEGIN PRIVATE KEY----- MII/s3c+r3t/ab', 's3c+r3t'),
        ('{"private_key":"MII/s3c+r3t/ab"}', 's3c+r3t'),
        ('Connect to http://svc:p@s3cr3t@proxy.corp.local:8080 failed', 's3cr3t'),
    ],
)
def test_secrets_are_hidden(line, secret):
    shown = redact.Redactor([PASSWORD], 'admin').line(line)
    assert secret in line
    assert secret not in shown
    assert redact.HIDDEN in shown


@pytest.mark.parametrize(
    'line',
    [
        'Failed to get an access token for user: mac-acme-replication msg: failed to get access token from '
        'authorization server status: 400 response: {"error":"invalid_grant","error_description":"JWT has expired"}',
        '{"error":"invalid_client","error_description":"invalid client_secret parameter"}',
        'JWT token is missing.',
        '* Using OAuth 2.0 Authorization Grants',
        '<< WWW-Authenticate: Basic realm="Sling (Development)"',
        '<< Vary: Cookie, Authorization',
        '------------------------------------------------------------------------',
        'Sending POST request to https://acme.brand-portal.adobe.com/bin/receive?sling:authRequestLogin=1',
        "ReplicationAction{type=TEST, path[0]='/content', time=1466214883309, userId='admin', revision='null'}",
        'GET https://acme.example?mail=a@b.example',
        '{"error":"invalid_token","error_description":"The token has expired"}',
        'sun.security.provider.certpath.SunCertPathBuilderException: unable to find valid certification path',
        'Failed to get an access token. msg: Could not read the private key: it is empty',
        '<< Content-Security-Policy: default-src https://*.adobe.com; img-src * data: ; report-uri /security-bugs/mac',
    ],
)
def test_what_is_no_secret_stays(line):
    assert redact.Redactor(['hunter2-unused'], 'admin').line(line) == line


def test_a_private_key_is_hidden_over_its_lines():
    lines = ['before', '-----BEGIN RSA PRIVATE KEY-----', 'MIIEow', 'IBAAK', '-----END RSA PRIVATE KEY-----', 'after']
    assert redact.Redactor().lines(lines) == ['before'] + [redact.HIDDEN] * 4 + ['after']


def test_a_short_password_does_not_eat_words():
    redactor = redact.Redactor(['a'], 'admin')
    assert redactor.line('a cat and a dog') == '******** cat and ******** dog'


def test_a_long_line_is_cut_and_a_secret_on_the_cut_is_hidden():
    line = 'x ' * 995 + 'planted-secret ' + 'y ' * 5000
    shown = redact.Redactor(['planted-secret']).line(line)
    assert len(shown) < 2060
    assert 'plant' not in shown
    assert 'characters left out' in shown


@pytest.mark.parametrize('secret', ['corr\tect', 'h\x1borse', 'b\u200batt\u202eery'])
def test_a_secret_of_control_characters_is_hidden_as_well(secret):
    shown = redact.Redactor([secret]).line('before {0} after'.format(secret))
    assert shown == 'before ******** after'


@pytest.mark.parametrize('text', ['\x1b]0;owned\x07', '\x9b31m', 'a\u202eb', 'a\nb'])
def test_a_line_holds_nothing_that_a_terminal_obeys(text):
    assert not set('\x1b\x07\x9b\u202e\n') & set(redact.Redactor().line(text))
    assert not set('\x1b\x07\x9b\u202e\n') & set(''.join(redact.Redactor().lines([text])))
