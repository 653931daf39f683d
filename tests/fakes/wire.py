# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How AEM talks to the world: verified TLS by AEM's own clock, and failures in a Java virtual machine's words."""

import errno
import http.client
import socket
import ssl
import time
import urllib.parse
from collections.abc import Mapping
from typing import NamedTuple, Optional

import jwt

try:
    from . import identity
    from .agent_log import Answer
except ImportError:  # run as a file
    import identity  # type: ignore[no-redef]
    from agent_log import Answer  # type: ignore[no-redef]

JWT_LIFETIME = 300  # "a few minutes", as IMS advises
# X509_V_FLAG_NO_CHECK_TIME (OpenSSL 1.1.0). The ssl module names it nowhere and cannot set the time to verify at; so
# OpenSSL verifies everything but the dates, and those are compared with AEM's own clock afterwards.
NO_CHECK_TIME = 0x200000
# X509_V_ERR_*: the chain leads to no trusted authority
UNTRUSTED = frozenset((2, 18, 19, 20, 21))
HOSTNAME_MISMATCH, IP_ADDRESS_MISMATCH = 62, 64
NO_PATH = (
    "sun.security.validator.ValidatorException: PKIX path building failed: "
    "sun.security.provider.certpath.SunCertPathBuilderException: "
    "unable to find valid certification path to requested target"
)


class JavaException(Exception):
    """A failure as `Throwable.toString()` prints it."""


class Timeouts(NamedTuple):
    connect: float = 180.0
    read: float = 600.0


class Network(NamedTuple):
    """What AEM knows of the world outside it."""

    now: float
    ca: Optional[str] = None
    connect_to: Mapping[str, str] = {}  # host -> "address:port" in its place: /etc/hosts, with a port
    timeouts: Timeouts = Timeouts()


def mint(who: identity.Identity, private_key: str, now: float) -> str:
    return jwt.encode(who.claims(int(now) + JWT_LIFETIME), private_key, algorithm="RS256")


def exchange(network: Network, token_url: str, who: identity.Identity, token: str) -> Answer:
    form = {"client_id": who.client_id, "client_secret": who.client_secret, "jwt_token": token}
    body = urllib.parse.urlencode(form).encode()
    return post(network, token_url, {"Content-Type": "application/x-www-form-urlencoded"}, body)


def post(network: Network, url: str, headers: dict[str, str], body: bytes = b"") -> Answer:
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    channel = _connect(network, host, port)
    connection = http.client.HTTPConnection(host, port)
    try:
        connection.sock = _secure(network, channel, host) if parts.scheme == "https" else channel
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, {**headers, "Connection": "close"})
        response = connection.getresponse()
        content = response.read().decode("utf-8", "replace")
        version = "HTTP/1.1" if response.version == 11 else "HTTP/1.0"
        return Answer(version, response.status, response.reason, response.getheaders(), content)
    except socket.timeout as error:
        raise JavaException("java.net.SocketTimeoutException: Read timed out") from error
    except http.client.RemoteDisconnected as error:
        raise JavaException(f"org.apache.http.NoHttpResponseException: {host}:{port} failed to respond") from error
    except ConnectionError as error:
        raise JavaException("java.net.SocketException: Connection reset") from error
    except ssl.SSLError as error:
        raise JavaException(f"javax.net.ssl.SSLException: {error.reason or error}") from error
    finally:
        connection.close()
        channel.close()


def _connect(network: Network, host: str, port: int) -> socket.socket:
    address: tuple[str, int] = (host, port)
    if host in network.connect_to:
        name, _colon, number = network.connect_to[host].partition(":")
        address = (name, int(number or port))
    try:
        channel = socket.create_connection(address, network.timeouts.connect)
    except socket.gaierror as error:
        raise JavaException(f"java.net.UnknownHostException: {host}") from error
    except socket.timeout as error:
        raise JavaException("java.net.SocketTimeoutException: connect timed out") from error
    except ConnectionRefusedError as error:
        raise JavaException("java.net.ConnectException: Connection refused (Connection refused)") from error
    except OSError as error:
        if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
            raise JavaException("java.net.NoRouteToHostException: No route to host (Host unreachable)") from error
        raise JavaException(f"java.net.SocketException: {error.strerror}") from error
    channel.settimeout(network.timeouts.read)
    return channel


def _secure(network: Network, channel: socket.socket, host: str) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=network.ca)
    context.verify_flags = context.verify_flags | NO_CHECK_TIME
    try:
        tls = context.wrap_socket(channel, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        raise JavaException(_untrusted(error, host)) from error
    except ssl.SSLEOFError as error:
        raise JavaException(
            "javax.net.ssl.SSLHandshakeException: Remote host closed connection during handshake"
        ) from error
    except ssl.SSLError as error:
        raise JavaException("javax.net.ssl.SSLHandshakeException: Received fatal alert: handshake_failure") from error
    _check_dates(tls.getpeercert() or {}, network.now)
    return tls


def _untrusted(error: ssl.SSLCertVerificationError, host: str) -> str:
    if error.verify_code in UNTRUSTED:
        return f"javax.net.ssl.SSLHandshakeException: {NO_PATH}"
    if error.verify_code in (HOSTNAME_MISMATCH, IP_ADDRESS_MISMATCH):
        return (
            f"javax.net.ssl.SSLPeerUnverifiedException: Certificate for <{host}> doesn't match any of the subject "
            "alternative names"
        )
    return (
        "javax.net.ssl.SSLHandshakeException: sun.security.validator.ValidatorException: PKIX path validation failed: "
        f"java.security.cert.CertPathValidatorException: {error.verify_message}"
    )


def _check_dates(certificate: Mapping[str, object], now: float) -> None:
    """Judge the presented certificate by AEM's clock. The authority's own dates do not count: Java checks none on a
    trust anchor either."""
    not_before = ssl.cert_time_to_seconds(str(certificate["notBefore"]))
    not_after = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    if now < not_before:
        fault = f"CertificateNotYetValidException: NotBefore: {java_date(not_before)}"
    elif now > not_after:
        fault = f"CertificateExpiredException: NotAfter: {java_date(not_after)}"
    else:
        return
    raise JavaException(f"javax.net.ssl.SSLHandshakeException: java.security.cert.{fault}")


def java_date(seconds: float) -> str:
    """`java.util.Date.toString()` in UTC."""
    return time.strftime("%a %b %d %H:%M:%S UTC %Y", time.gmtime(seconds))
