# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plain HTTP client for the tests of the stand-ins: whatever is answered is an answer."""

import base64
import html
import re
import ssl
import urllib.error
import urllib.request


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode("utf-8")

    @property
    def lines(self):
        """The messages of a test page, or whole lines of a log page, as a browser shows them."""
        code = self.text.partition("<code>")[2]
        lines = [html.unescape(line) for line in re.split("<br>|</code>", code)]
        return [re.sub(r"^[-.\d]{10} [\d:]{8} - ", "", line) for line in lines if re.match(r"[-.\d]{10} ", line)]


# For addresses without TLS: urllib would read this machine's certificates for each of them.
_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


def fetch(url, data=None, headers=(), ca=None):
    """Redirects are not followed, and an error is an answer, too."""
    request = urllib.request.Request(url, data, dict(headers))
    trusted = ssl.create_default_context(cafile=str(ca)) if ca else _NOBODY
    handlers = [_NoRedirect(), urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusted)]
    try:
        response = urllib.request.build_opener(*handlers).open(request, timeout=20)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        return Answer(response.status, response.headers, response.read())


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
