# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutated pages: read without an exception, without a hang, and never taken for a success that they are not.

A few thousand pages in an ordinary run; C(make fuzz) reads 100,000.
"""

import os
import random
import re
import time

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import causes, charset, redact
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import test_page as page
from ansible_collections.aemops.brand_portal.tests.fakes import scenarios

PAGES = int(os.environ.get('AEMOPS_FUZZ_PAGES', '1000'))
LONGEST = 2.0  # seconds of the processor that one of these small pages may take; a hang is far more

PIECES = [
    b'<br>',
    b'<br/>',
    b'<BR >',
    b'<hr size="1">',
    b'</code>',
    b'<strong>',
    b'</strong>',
    b'<span class="error">',
    b'<',
    b'>',
    b'&',
    b'&lt;&lt; ',
    b'&gt;&gt; ',
    b'&amp;lt;',
    b'&amp;amp;',
    b'&#x3c;',
    b'&#60;',
    b'&#' + b'9' * 40 + b';',
    b'&quot;',
    b'<!--',
    b'-->',
    b'<script>',
    b'</script>',
    b'--',
    b'\r\n',
    b'\n',
    b'\0',
    b'\xff\xfe',
    b'\xc3',
    b'\xe2\x80\xa8',
    b' ',
    b'28.02.2017 18:39:51 - ',
    b'2017-02-28 18:39:51 - ',
    b'99.99.9999 99:99:99 - ',
    b' - ERROR - x : ',
    b'HTTP/1.1 ',
    b'HTTP/1.1 200 OK',
    b'Date: Fri, 99 Mar 2017 04:29:05 GMT',
    b'Date: ',
    b'sent. Response: ',
    b'Message sent.',
    b'NotAfter: Fri Feb 31 25:61:61 UTC 0000',
    b'Replication test ',
    b'succeeded',
    b'failed',
    b'JWT has expired',
    b'authorization server status: 500 response: {"error": "internal_error"}',
    b'msg: ',
    b'(certificate_expired) PKIX path validation failed: ',
    b'(bad_certificate) ',
    b'validity check failed',
    b'NotBefore: Fri Jan 01 00:00:00 UTC 2044',
    b'Connect to acme.brand-portal.adobe.com:443 [',
    b'] failed: ',
    b'unable to find valid certification path',
    b'Access token provider is not bind',
    b'dam-replication-service',
    b'contribution ',
    b'\x1b]0;owned\x07',
    b'\xc2\x9b31m',
    b'\xe2\x80\xae',
    '接続を拒否されました'.encode('utf-8'),
    'die Wartezeit für die Verbindung ist abgelaufen'.encode('latin-1'),
    b'no such agent: ',
    b'{"error":',
    b'x' * 5000,
    b'<' * 500,
    b'charset=punycode',
    b'<meta charset="utf-7">',
]
OBEYED = re.compile('[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]')
# A trailer of its own: only for pages whose answer was not 200, which it must not turn into a success.
VERDICT = b'</code><hr size="1">Replication test <strong>succeeded</strong><br>'


def corpus():
    """The stand-in's pages: (bytes, Content-Type, may it succeed, was its answer 200)."""
    context = scenarios.sample_context()
    found = []
    for scenario in scenarios.SCENARIOS:
        written = scenarios.play(scenario, context)[0]
        if len(written.body) < 50000:
            # A log that remembers an older success may be mutated into one that contains nothing else.
            remembers = scenario.where == 'log' and b'/content successful.' in written.body
            may_succeed = scenario.succeeded or remembers
            found.append((written.body, written.content_type, may_succeed, scenario.response_code == 200))
    return found


def mutated(body, others, rng):
    pieces = PIECES + others
    for _number in range(rng.choice((1, 1, 2, 3, 5, 20))):
        here = rng.randrange(len(body) + 1)
        there = min(len(body), here + rng.choice((1, 2, 10, 100, 1000)))
        how = rng.randrange(9)
        if how == 0:
            body = body[:here] + body[there:]
        elif how == 1:
            body = body[:here] + body[here:there] * rng.choice((2, 3, 50)) + body[there:]
        elif how == 2:
            body = body[:here] + rng.choice(pieces) + body[here:]
        elif how == 3:
            body = body[:here] + rng.choice(pieces) + body[there:]
        elif how == 4:
            body = body[:here]
        elif how == 5:
            body = body[:here] + bytes(bytearray(rng.randrange(256) for _byte in range(there - here))) + body[there:]
        elif how == 6:
            body = body[:here] + body[here:there].swapcase() + body[there:]
        elif how == 7:
            at = rng.randrange(len(body) + 1)
            body = body[:at] + body[here:there] + body[at:]
        else:
            body = body[there:] + body[:here]
        body = body[:200000]
    return body


@pytest.mark.parametrize('part', range(10))
def test_fuzz(part):
    pages = corpus()
    failing = [entry for entry in pages if not entry[2] and not entry[3]]
    redactor = redact.Redactor(['correct horse'], 'admin')
    for seed in range(part * PAGES // 10, (part + 1) * PAGES // 10):
        rng = random.Random(seed)
        body, content_type, may_succeed, was_200 = rng.choice(pages)
        others = []
        if not was_200:
            others = [VERDICT, rng.choice(failing)[0]]
        body = mutated(body, others, rng)
        if rng.random() < 0.1:
            content_type = rng.choice(
                ('', 'text/html', 'text/html;charset=' + rng.choice(('utf-16', 'cp500', 'utf-7', 'idna', 'big5')))
            )
        began = time.process_time()
        read = page.read(charset.decode(body, content_type))
        finding = causes.explain(read)
        shown = redactor.lines([line.text for line in read.lines] + [finding.evidence])
        took = time.process_time() - began
        assert took < LONGEST, (seed, took)
        assert may_succeed or not read.succeeded, seed
        assert not OBEYED.search(''.join(shown)), seed
        assert read.succeeded == (finding.cause.id == 'none'), seed
