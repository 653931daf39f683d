# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An HTTP(S) client for AEM authors, with one deadline for each request, and errors that say what to change.

It uses the HTTP client of the standard library. ansible.module_utils.urls reads the host's certificate store again for each
request, even for plain HTTP, which takes more time than everything else here. Nothing here changes AEM: every request is a GET.
"""

import base64
import contextlib
import http.client
import json
import os
import queue
import re
import ssl
import threading
import time
import urllib.request
import zlib
from typing import Any, Callable, Dict, List, Optional, Tuple
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit

from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import agents as agents_of_aem
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import charset, redact
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem.answer import (
    AemAnswer,
    AemError,
    date_of,
    is_login_page,
    is_loopback_name,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.credentials import without_credentials
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.importing import IMPORT_LOCK
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.tls_context import client_context

AGENTS = '/etc/replication/agents.author'
LOGIN = '/libs/granite/core/content/login.html'
OVERVIEW = '/libs/granite/operations/content/systemoverview/export.json'
LARGEST = 32 * 1024 * 1024  # bytes of an answer
QUICK = 30.0  # seconds for everything but a test


class Aem:
    """One AEM author. Safe to use from several threads."""

    def __init__(
        self, url: str, username: str, password: str, ca_path: Optional[str] = None, validate_certs: bool = True,
        clock: Optional[Callable[[], float]] = None,
    ) -> None:
        """clock: this host's wall clock (Unix seconds), to compare AEM's clock with."""
        self.redactor = redact.Redactor([password], username)
        try:
            parts = urlsplit(url)
            host, _port = parts.hostname or '', parts.port
        except ValueError:
            parts, host = urlsplit(''), ''
        if parts.scheme not in ('http', 'https') or not host or parts.query or parts.fragment:
            raise AemError(
                'unreachable',
                'aem_url is not the address of an AEM author: {0!r}. Give it as http://localhost:4502 or '
                'https://host:port/context.'.format(without_credentials(self.redactor.line(url))),
            )
        if parts.username is not None:
            raise AemError(
                'unreachable', 'aem_url must not hold a user and password: give them in the options username and password.')
        ca_path = ca_path if parts.scheme == 'https' and validate_certs else None
        if ca_path and not os.path.isfile(ca_path):
            raise AemError(
                'unreachable',
                'ca_path is not a file on this host: {0}. Put the CA certificate there.'.format(without_credentials(ca_path)),
            )
        # A zone of an IPv6 address is written with %25 (RFC 6874), and resolved without.
        netloc = parts.netloc.replace('%25', '%') if ':' in host else parts.netloc
        self.url = '{0}://{1}{2}'.format(parts.scheme, netloc, parts.path.rstrip('/'))
        self.username = username
        self._credentials = 'Basic ' + base64.b64encode('{0}:{1}'.format(username, password).encode('utf-8')).decode('ascii')
        self._ca_path = ca_path
        self._validate_certs = validate_certs
        self._on_this_host = is_loopback_name(host)
        self._opener: Optional[urllib.request.OpenerDirector] = None
        self._clock = clock
        self._offset: Optional[Tuple[float, float]] = None
        self.proxy = ''  # that the requests go through, without its password

    @property
    def in_clear(self) -> bool:
        """Whether the password goes to another host without TLS."""
        return self.url.startswith('http:') and not self._on_this_host

    @property
    def clock_offset(self) -> Optional[Dict[str, float]]:
        """Bounds of AEM's clock minus this host's, in seconds, from the Date of its answers; None if none had one."""
        return {'low': round(self._offset[0], 3), 'high': round(self._offset[1], 3)} if self._offset else None

    def list_agents(self) -> List[agents_of_aem.Agent]:
        """Return the agents, with one request, or with one for each agent if the tree is too large for one (Sling's 300)."""
        tree = self._json(AGENTS + '.2.json', or_too_deep=True)
        if isinstance(tree, dict):
            return agents_of_aem.parse_tree(tree)
        shallow = self._json(AGENTS + '.1.json', or_too_deep=True)
        if not isinstance(shallow, dict):
            raise AemError(
                'not_aem',
                'AEM shows no agents below {0}: there are too many. Raise "JSON Max results" of the Apache Sling GET '
                'Servlet in AEM.'.format(self.url + AGENTS),
            )
        found = []
        for name in agents_of_aem.names_in(shallow):
            content = self._json('{0}/{1}/jcr:content.json'.format(AGENTS, quote(name, safe='')), or_missing=True)
            agent = agents_of_aem.parse(name, content) if isinstance(content, dict) else None
            if agent is not None:
                found.append(agent)
        return found

    def queue_of(self, name: str) -> Optional[Dict[str, Any]]:
        """Return the state of an agent's queue; None if AEM does not show one."""
        path = '{0}/{1}/jcr:content.queue.json'.format(AGENTS, quote(name, safe=''))
        answer = self.get(path, QUICK)
        if answer.status != 200:
            return None
        content = _parse(charset.decode(answer.body, answer.headers.get('Content-Type', '')))
        return agents_of_aem.parse_queue(content, date_of(answer)) if isinstance(content, dict) else None

    def system_overview(self) -> Dict[str, Any]:
        """Return the export of AEM's system overview; {} if this account may not read it, or AEM does not answer."""
        try:
            answer = self.get(OVERVIEW, QUICK)
        except AemError:
            return {}
        content = _parse(charset.decode(answer.body, answer.headers.get('Content-Type', ''))) if answer.status == 200 else None
        return content if isinstance(content, dict) else {}

    def test_page(self, name: str, timeout: float) -> AemAnswer:
        """Let an agent test its connection, and return its page, which may take minutes. Raises AemError and TimedOut."""
        path = '{0}/{1}.test.html'.format(AGENTS, quote(name, safe=''))
        answer = self.get(path, timeout)
        if answer.status in (403, 404):
            raise _errors().of_test_page(self, name, answer)
        if answer.status not in (200, 500):
            self._complain(answer, path)
        return answer

    def wait_ready(self, seconds: float, pause: float = 2.0) -> float:
        """Wait until AEM shows its login page, or its agents if another service signs people in; return the seconds it took.

        Raises the last AemError.
        """
        began = time.monotonic()
        while True:
            limit = max(0.1, min(10.0, began + seconds - time.monotonic()))
            try:
                answer = self.get(LOGIN, limit, authenticated=False)
                if answer.status == 200 and b'QUICKSTART_HOMEPAGE' in answer.body:
                    return time.monotonic() - began
                if answer.status in (200, 301, 302, 303, 307, 401, 403) and self._shows_agents(limit):
                    return time.monotonic() - began
                error = AemError(
                    'starting',
                    'AEM at {0} is starting: no login page yet ({1}).'.format(self.url, answer.status),
                )
            except AemError as failure:
                error = failure
            if time.monotonic() + pause > began + seconds:
                raise AemError(
                    error.kind, '{0} Waited {1:g} s for it (option ready_timeout).'.format(error.message, seconds)
                )
            time.sleep(pause)

    def _shows_agents(self, timeout: float) -> bool:
        answer = self.get(AGENTS + '.1.json', timeout)
        content = _parse(charset.decode(answer.body, answer.headers.get('Content-Type', '')))
        return (answer.status, type(content)) in ((200, dict), (300, list))

    def get(self, path: str, timeout: float, authenticated: bool = True) -> AemAnswer:
        """Send a GET request, which ends after C(timeout) seconds in any case. No HTTP status is an AemError."""
        url = self.url + path
        results: queue.Queue = queue.Queue()

        def work() -> None:
            try:
                results.put(self._get(url, time.monotonic() + timeout, authenticated))
            except Exception as error:  # handed over to the waiting thread
                results.put(error)

        # A thread, because name resolution and a slow answer have no deadline. It ends with the process.
        threading.Thread(target=work, daemon=True).start()
        try:
            result = results.get(timeout=timeout + 0.5)
        except queue.Empty:
            raise _errors().timed_out(self, url, timeout) from None
        if isinstance(result, AemError):
            raise result
        if isinstance(result, Exception):
            raise _errors().of_exception(self, url, result, timeout)
        return result

    def _get(self, url: str, deadline: float, authenticated: bool) -> AemAnswer:
        began = time.monotonic()
        headers = {'Accept-Encoding': 'identity', 'Cache-Control': 'no-cache', 'User-Agent': 'aemops.brand_portal'}
        request = urllib.request.Request(url, headers=headers)
        if authenticated:
            request.add_unredirected_header('Authorization', self._credentials)
        if self._opener is None:
            self._opener = self._make_opener()
        wall = self._clock() if self._clock else 0.0
        try:
            response = self._opener.open(request, timeout=max(0.1, deadline - began))
        except HTTPError as error:
            response = error
        with contextlib.closing(response):
            body, complete = self._read(url, response, deadline)
        if re.search('gzip|deflate', (response.headers.get('Content-Encoding') or '').lower()):
            body = self._unzip(url, body)
        answer = AemAnswer(response.getcode(), response.headers, body, time.monotonic() - began, complete)
        if self._clock:
            self._compare(answer, wall)
        return answer

    def _compare(self, answer: AemAnswer, wall: float) -> None:
        """Narrow the offset of AEM's clock, which showed Date + f (0 <= f < 1) at some moment of the request.

        A server may keep its Date for a second, so f may be up to 2. All answers bound the same difference. If the bounds do not
        overlap, they are of two clocks, or of one that was set in between.
        """
        date = date_of(answer)
        if date is None:
            return
        low, high = date - wall - answer.elapsed, date + 2.0 - wall
        before = self._offset or (low, high)
        overlap = max(low, before[0]), min(high, before[1])
        self._offset = overlap if overlap[0] <= overlap[1] else (min(low, before[0]), max(high, before[1]))

    def _make_opener(self) -> urllib.request.OpenerDirector:
        """Return an opener with only the necessary handlers. It does not follow redirects, which would get the password."""
        handlers = [urllib.request.HTTPHandler(), urllib.request.HTTPErrorProcessor(), urllib.request.HTTPDefaultErrorHandler()]
        if not self._on_this_host:  # no proxy for this host, regardless of the environment
            handlers.append(urllib.request.ProxyHandler())
            parts = urlsplit(self.url)
            if not urllib.request.proxy_bypass(parts.hostname or ''):
                # A password may have any character, and the address no scheme.
                proxy = re.sub(r'(?s)^([a-z][a-z0-9+.-]*://)?.*@', r'\1', urllib.request.getproxies().get(parts.scheme, ''))
                self.proxy = self.redactor.line(proxy)
        if self.url.startswith('https:'):
            handlers.append(urllib.request.HTTPSHandler(context=client_context(self._ca_path, self._validate_certs)))
        opener = urllib.request.OpenerDirector()
        for handler in handlers:
            opener.add_handler(handler)
        return opener

    def _read(self, url: str, response: Any, deadline: float) -> Tuple[bytes, bool]:
        """Return (the body, or its part before the connection broke; whether it is all). Raises TimeoutError, AemError."""
        chunks: List[bytes] = []
        size = 0
        complete = True
        # read1 returns the available bytes; read would wait for a whole block, even from a slow server.
        read = getattr(response, 'read1', response.read)
        while time.monotonic() < deadline:
            try:
                chunk = read(65536)
            except (http.client.IncompleteRead, ConnectionError, ssl.SSLError):
                chunk, complete = b'', False
            if not chunk:
                # read1 takes a connection that ends too early for the end.
                return b''.join(chunks), complete and not getattr(response, 'length', None)
            chunks.append(chunk)
            size += len(chunk)
            if size > LARGEST:
                raise self._too_large(url)
        raise TimeoutError()

    def _unzip(self, url: str, body: bytes) -> bytes:
        unzip = zlib.decompressobj(47)  # gzip's head, or zlib's
        try:
            plain = unzip.decompress(body, LARGEST)
        except zlib.error:
            return body
        if unzip.unconsumed_tail:
            raise self._too_large(url)
        return plain

    def _json(self, path: str, or_too_deep: bool = False, or_missing: bool = False) -> Any:
        answer = self.get(path, QUICK)
        if or_missing and answer.status == 404:
            return None
        text = charset.decode(answer.body, answer.headers.get('Content-Type', ''))
        content = _parse(text)
        if or_too_deep and answer.status == 300 and isinstance(content, list):
            return None
        if answer.status != 200:
            self._complain(answer, path)
        if isinstance(content, dict):
            return content
        raise _errors().of_content(self, path, answer, text)

    def _complain(self, answer: AemAnswer, path: str) -> None:
        """Raise the AemError for an HTTP status other than 200."""
        text = charset.decode(answer.body[:65536], answer.headers.get('Content-Type', ''))
        raise _errors().of_status(self, path, answer, text, self._is_aem)

    def _is_aem(self) -> bool:
        try:
            return is_login_page(charset.decode(self.get(LOGIN, QUICK, authenticated=False).body[:1048576]))
        except AemError:
            return False

    def _too_large(self, url: str) -> AemError:
        return AemError(
            'not_aem',
            'The answer of {0} is larger than {1} MiB, which no page of an AEM agent is. Check aem_url.'.format(
                url, LARGEST // 1048576
            ),
        )


def _errors() -> Any:
    """Return the module that makes the errors. A healthy host does not load it."""
    with IMPORT_LOCK:
        from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import no_answer
    return no_answer


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def from_params(params: Dict[str, Any], clock: Optional[Callable[[], float]] = None) -> Aem:
    """Return the client for the options of a module."""
    return Aem(params['aem_url'], params['username'], params['password'], params['ca_path'], params['validate_certs'], clock)


def warn_in_clear(module: Any, aem: Aem) -> None:
    """Warn if the password goes to AEM without TLS."""
    if aem.in_clear:
        module.warn(
            'aem_url is {0}: the password of {1!r} goes to another host without TLS, and can be read on the way. Give aem_url '
            'an address with https, or run the module on the host of AEM.'.format(aem.url, aem.username))


def wait_if_asked(aem: Aem, params: Dict[str, Any]) -> None:
    """Wait for AEM if O(ready_timeout) is set."""
    if params['ready_timeout'] > 0:
        aem.wait_ready(params['ready_timeout'])
