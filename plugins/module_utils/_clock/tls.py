# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens verified TLS connections under one deadline: resolves, connects, tunnels through a proxy, does the handshake.

The connection is separate from the request, so that the request can be timed alone. The host's clock, which may be wrong, decides
whether the dates of a certificate are valid. A second attempt may skip this check, and only this one; the result says so.
"""

import base64
import contextlib
import http.client
import os
import re
import selectors
import socket
import ssl
import time
import urllib.parse
import urllib.request
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import BadOption, Unusable
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.resolver import (
    Address,
    Endpoint,
    Resolver,
    join,
    parse_endpoint,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.source import error_reason
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.credentials import without_credentials
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.tls_context import client_context

# X509_V_FLAG_NO_CHECK_TIME (openssl/x509_vfy.h): chain and host name are still verified.
_NO_CHECK_TIME = 0x200000

# X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_DATE_CODES = (9, 10)

# X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, DEPTH_ZERO_SELF_SIGNED_CERT, SELF_SIGNED_CERT_IN_CHAIN, UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
# UNABLE_TO_VERIFY_LEAF_SIGNATURE
_ISSUER_CODES = (2, 18, 19, 20, 21)
_OWN_CA = '; if a proxy inspects TLS, or the service has its own CA, name the CA certificate in the option ca_path'

# RFC 8305 §5: seconds before the next address is tried in parallel with one that has not answered yet.
_CONNECTION_ATTEMPT_DELAY = 0.25
_MAX_ADDRESSES = 8


class Trust(NamedTuple):
    """How the identity of a server is verified."""

    ca_path: Optional[str] = None  # file or directory that replaces the system's CA certificates
    validate: bool = True


class Proxy(NamedTuple):
    """An HTTP proxy to tunnel through. The credentials never leave this file."""

    endpoint: Endpoint
    authorization: Optional[str]


class Connection(NamedTuple):
    """A TLS connection, ready for a request."""

    socket: ssl.SSLSocket
    address: str  # "ip:port" of the peer: the server, or the proxy
    verified: bool  # chain and host name
    dates_checked: bool  # and the certificate's dates
    validity: Optional[Tuple[int, int]]  # the certificate's notBefore and notAfter, Unix seconds, where TLS verified it


class DatesRefused(Unusable):
    """The certificate is refused, possibly only because of its dates."""


def context_for(trust: Trust, check_dates: bool = True) -> ssl.SSLContext:
    """Return the TLS context. Raises BadOption if the certificates in ca_path cannot be loaded."""
    try:
        context = client_context(trust.ca_path, trust.validate)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        shown = without_credentials(trust.ca_path or '')
        raise BadOption(f'ca_path: no certificates can be loaded from {shown}: {error_reason(error)}.') from error
    if trust.validate and not check_dates:
        context.verify_flags |= _NO_CHECK_TIME
    return context


def parse_proxy(url: str, named_by: str = 'https_proxy') -> Proxy:
    """Parse the URL of a proxy. Raises BadOption, whose text quotes only the scheme: a password may be anywhere in the URL."""
    scheme = re.match('([A-Za-z][A-Za-z0-9+.-]*)://', url)
    if scheme and scheme.group(1).lower() != 'http':
        raise BadOption(f'{named_by}: a proxy of the kind {scheme.group(1)}:// cannot be used, only http:// ones can. '
                        'Set the option https_proxy to http://HOST:PORT or http://USER:PASSWORD@HOST:PORT.')
    try:
        parts = urllib.parse.urlsplit(url)
        # With a "/", "?" or "#" in a password that is not written as %XX, the host would be wrong.
        if not scheme or re.search(r'[\x00-\x20\x7f?#]', url) or parts.path not in ('', '/') or not parts.hostname:
            raise ValueError
        endpoint = parse_endpoint(join(parts.hostname.replace('%25', '%'), parts.port or 80), 80, named_by)
    except (ValueError, BadOption):
        raise BadOption(f"{named_by}: this is not the URL of a proxy. Set the option https_proxy to http://HOST:PORT or "
                        'http://USER:PASSWORD@HOST:PORT, special characters of the password as %XX.') from None
    authorization = None
    if parts.username is not None:
        pair = urllib.parse.unquote(parts.username) + ':' + urllib.parse.unquote(parts.password or '')
        authorization = 'Basic ' + base64.b64encode(pair.encode('utf-8')).decode('ascii')
    return Proxy(endpoint, authorization)


def proxy_of_environment(host: str) -> Optional[Proxy]:
    """Return the proxy that the environment (HTTPS_PROXY, ALL_PROXY, NO_PROXY) names for a host, or None.

    Raises Unusable if this proxy cannot be used.
    """
    proxies = urllib.request.getproxies()
    url = proxies.get('https') or proxies.get('all')
    if not url or urllib.request.proxy_bypass(host):
        return None
    try:
        return parse_proxy(url if '://' in url else 'http://' + url, "the environment's proxy")
    except BadOption as error:
        raise Unusable(str(error)) from None


class Connector:
    """Opens connections until a deadline. abort() ends the current operation from another thread."""

    def __init__(self, deadline: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._deadline, self._clock = deadline, clock
        self._socket: Optional[socket.socket] = None
        self._aborted = False

    def left(self) -> float:
        """Return the seconds to the deadline. Raises Unusable after it."""
        left = self._deadline - self._clock()
        if left <= 0 or self._aborted:
            raise Unusable('no answer in time')
        return left

    def abort(self) -> None:
        """Wake the thread that waits on the connection, which then fails at once."""
        self._aborted = True
        current = self._socket
        if current is not None:
            # The method of the plain socket: that of SSLSocket would drop its state while the other thread uses it.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(current, socket.SHUT_RDWR)

    def connect(self, endpoint: Endpoint, trust: Trust, proxy: Optional[Proxy], check_dates: bool) -> Connection:
        """Connect. Raises Unusable with the reason, and DatesRefused if an attempt without the certificate's dates may work."""
        context = context_for(trust, check_dates)
        plain, address = self._reach(proxy.endpoint if proxy else endpoint)
        try:
            self._socket = plain
            plain.settimeout(self.left())
            if proxy:
                self._tunnel(plain, endpoint, proxy)
            # From here on the TLS socket owns the connection.
            wrapped = context.wrap_socket(plain, server_hostname=endpoint.host.partition('%')[0],
                                          do_handshake_on_connect=False)
        except (OSError, ValueError) as error:
            plain.close()
            raise Unusable(f'no TLS connection: {error_reason(error)}') from error
        except BaseException:
            plain.close()
            raise
        try:
            self._socket = wrapped
            self._shake_hands(wrapped)
        except BaseException:
            wrapped.close()
            raise
        verified = trust.validate
        return Connection(wrapped, str(address), verified, verified and check_dates,
                          _validity(wrapped) if verified else None)

    def _reach(self, endpoint: Endpoint) -> Tuple[socket.socket, Address]:
        """Return the first connection that succeeds; addresses are tried in parallel, each a little after the previous one."""
        resolver = Resolver(socket.SOCK_STREAM)
        resolver.ask(endpoint)
        resolved = resolver.wait(self.left())
        if resolved is None:
            raise Unusable(f'the name {endpoint.host} was not resolved within the time')
        if resolved.reason:
            raise Unusable(resolved.reason)
        waiting = list(resolved.addresses[:_MAX_ADDRESSES])
        failed: List[str] = []
        attempts: Dict[socket.socket, Address] = {}
        next_attempt = self._clock()
        with selectors.DefaultSelector() as selector:
            try:
                while waiting or attempts:
                    if waiting and (not attempts or self._clock() >= next_attempt):
                        address = waiting.pop(0)
                        next_attempt = self._clock() + _CONNECTION_ATTEMPT_DELAY
                        try:
                            attempt = _begin(address)
                        except (OSError, OverflowError) as error:
                            failed.append(error_reason(error))
                            continue
                        attempts[attempt] = address
                        selector.register(attempt, selectors.EVENT_WRITE, attempt)
                    pause = min(self.left(), 0.1)
                    for key, _events in selector.select(pause):
                        attempt = key.data
                        selector.unregister(attempt)
                        address = attempts.pop(attempt)
                        number = attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                        if not number:
                            return attempt, address
                        attempt.close()
                        failed.append(error_reason(OSError(number, os.strerror(number))))
                        next_attempt = self._clock()
            finally:
                for attempt in attempts:
                    attempt.close()
        raise Unusable(failed[0] if failed else 'the name has no address')

    def _tunnel(self, plain: socket.socket, endpoint: Endpoint, proxy: Proxy) -> None:
        """CONNECT (RFC 9110 §9.3.6)."""
        target = join(endpoint.host, endpoint.port)
        lines = [f'CONNECT {target} HTTP/1.1', f'Host: {target}']
        if proxy.authorization:
            lines.append('Proxy-Authorization: ' + proxy.authorization)
        try:
            plain.sendall('\r\n'.join(lines + ['', '']).encode('latin-1'))
            response = http.client.HTTPResponse(plain, method='CONNECT')
            response.begin()
            status = response.status
            response.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unusable(f'the proxy {proxy.endpoint} did not open a tunnel ({error_reason(error)})') from error
        if not 200 <= status <= 299:
            # Not the proxy's own text, which might quote the request.
            login = '; name a user and password that it accepts in the option https_proxy' if status == 407 else ''
            raise Unusable(f'the proxy {proxy.endpoint} refuses a tunnel: {status} {http.client.responses.get(status, "")}{login}')

    def _shake_hands(self, wrapped: ssl.SSLSocket) -> None:
        try:
            wrapped.settimeout(self.left())
            wrapped.do_handshake()
        except ssl.CertificateError as error:
            self.left()
            code, text = getattr(error, 'verify_code', None), getattr(error, 'verify_message', None) or str(error)
            kind = DatesRefused if code in _DATE_CODES else Unusable
            raise kind(f'its certificate is refused: {text}{_OWN_CA if code in _ISSUER_CODES else ""}') from error
        except ssl.SSLError as error:
            self.left()
            if error.reason == 'CERTIFICATE_VERIFY_FAILED':
                # Python 3.6 does not say why; a second attempt without the dates shows whether they were the reason.
                raise DatesRefused(f'its certificate is refused (its authority is unknown, or its dates are wrong){_OWN_CA}'
                                   ) from error
            raise Unusable(f'it does not speak valid TLS ({error.reason or error_reason(error)})') from error
        except (OSError, ValueError) as error:
            self.left()
            raise Unusable(f'no TLS connection: {error_reason(error)}') from error


def _begin(address: Address) -> socket.socket:
    """Return a socket that is connecting."""
    attempt = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        attempt.setblocking(False)
        attempt.connect(address.sockaddr)
    except BlockingIOError:
        pass
    except BaseException:
        attempt.close()
        raise
    return attempt


def _validity(connection: ssl.SSLSocket) -> Optional[Tuple[int, int]]:
    certificate = connection.getpeercert() or {}
    try:
        return (int(ssl.cert_time_to_seconds(str(certificate['notBefore']))),
                int(ssl.cert_time_to_seconds(str(certificate['notAfter']))))
    except (KeyError, ValueError):
        return None
