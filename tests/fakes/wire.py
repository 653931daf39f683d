# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How AEM talks to the world: verified TLS by AEM's own clock, and failures in a Java virtual machine's words."""

import errno
import http.client
import re
import socket
import ssl
import time
import urllib.parse
from collections.abc import Mapping
from typing import NamedTuple, Optional

import jwt

try:
    from . import identity, messages
    from .agent_log import Answer
except ImportError:  # run as a file
    import identity  # type: ignore[no-redef]
    import messages  # type: ignore[no-redef]
    from agent_log import Answer  # type: ignore[no-redef]

JWT_LIFETIME = 300  # "a few minutes", as IMS advises
# X509_V_FLAG_NO_CHECK_TIME (OpenSSL 1.1.0). The ssl module names it nowhere and cannot set the time to verify at; so
# OpenSSL verifies everything but the dates, and those are compared with AEM's own clock afterwards.
NO_CHECK_TIME = 0x200000
# X509_V_ERR_*: the chain leads to no trusted authority
UNTRUSTED = frozenset((2, 18, 19, 20, 21))
HOSTNAME_MISMATCH, IP_ADDRESS_MISMATCH = 62, 64
JAVA = "11.0.13"  # whose words these are; see java_words.json


class JavaException(Exception):
    """A failure: its message, and the class that `Throwable.toString()` names before it."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


class Timeouts(NamedTuple):
    connect: float = 180.0
    read: float = 600.0


class Network(NamedTuple):
    """What AEM knows of the world outside it."""

    now: float
    ca: Optional[str] = None
    connect_to: Mapping[str, str] = {}  # host -> "address:port" in its place: /etc/hosts, with a port
    timeouts: Timeouts = Timeouts()
    java: str = JAVA
    locale: str = "C"
    dates: str = ""  # how a wrong date shows: "" or "_out_of_order" (the server's chain), "_sunx509" (the trust manager)

    def exception(self, situation: str, host: str = "", port: int = 443, date: str = "") -> JavaException:
        """Return this Java's recorded message for a situation, with this host and date."""
        try:
            kind, said = messages.words_of(self.java, situation, self.locale)
        except KeyError:  # words of Java's own, which are English in every locale
            kind, said = messages.words_of(self.java, situation)
        if host:
            said = _IN_THE_RECORDS.sub(host, said).replace(f"{host}:443", f"{host}:{port}")
        return JavaException(re.sub(r"(?<=NotAfter: ).*|(?<=NotBefore: ).*", date, said) if date else said, kind)


# The names and addresses that java_words.py gave its servers.
_IN_THE_RECORDS = re.compile(r"(?:acme|nxdomain|nodata|servfail)\.brand-portal\.adobe\.com")


def mint(who: identity.Identity, private_key: str, now: float) -> str:
    return jwt.encode(who.claims(int(now) + JWT_LIFETIME), private_key, algorithm="RS256")


def exchange(network: Network, token_url: str, who: identity.Identity, token: str) -> Answer:
    form = {"client_id": who.client_id, "client_secret": who.client_secret, "jwt_token": token}
    body = urllib.parse.urlencode(form).encode()
    return post(network, token_url, {"Content-Type": "application/x-www-form-urlencoded"}, body)


def credentials(network: Network, token_url: str, who: identity.Identity) -> Answer:
    """OAuth Server-to-Server: no time is in it, so no clock but IMS's own matters to the answer."""
    form = {"grant_type": "client_credentials", "client_id": who.client_id, "client_secret": who.client_secret,
            "scope": identity.SCOPES}
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
        raise network.exception("answer_timeout") from error
    except http.client.RemoteDisconnected as error:
        raise network.exception("closed_after_request", host, port) from error
    except ConnectionError as error:
        raise network.exception("reset_after_request") from error
    except ssl.SSLError as error:
        raise JavaException(str(error.reason or error), "javax.net.ssl.SSLException") from error
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
        raise network.exception("unknown_host", host) from error
    except socket.timeout as error:
        raise network.exception("connect_timeout", host, port) from error
    except ConnectionRefusedError as error:
        raise network.exception("refused", host, port) from error
    except OSError as error:
        if error.errno == errno.EHOSTUNREACH:
            raise network.exception("no_route", host, port) from error
        if error.errno == errno.ENETUNREACH:
            raise network.exception("network_unreachable", host, port) from error
        raise JavaException(str(error.strerror), "java.net.SocketException") from error
    channel.settimeout(network.timeouts.read)
    return channel


def _secure(network: Network, channel: socket.socket, host: str) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=network.ca)
    context.verify_flags = context.verify_flags | NO_CHECK_TIME
    try:
        tls = context.wrap_socket(channel, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        raise _untrusted(network, error, host) from error
    except ssl.SSLEOFError as error:
        raise network.exception("closed_in_handshake") from error
    except ssl.SSLError as error:
        raise network.exception("alert_handshake_failure") from error
    try:
        _check_dates(network, tls.getpeercert() or {})
    except JavaException:
        tls.close()
        raise
    return tls


def _untrusted(network: Network, error: ssl.SSLCertVerificationError, host: str) -> JavaException:
    if error.verify_code in UNTRUSTED:
        return network.exception("unknown_authority")
    if error.verify_code in (HOSTNAME_MISMATCH, IP_ADDRESS_MISMATCH):
        return network.exception("wrong_name", host)
    return JavaException(
        f"PKIX path validation failed: java.security.cert.CertPathValidatorException: {error.verify_message}",
        "javax.net.ssl.SSLHandshakeException",
    )


def _check_dates(network: Network, certificate: Mapping[str, object]) -> None:
    """Judge the presented certificate by AEM's clock. The authority's own dates do not count: Java checks none on a
    trust anchor either."""
    not_before = ssl.cert_time_to_seconds(str(certificate["notBefore"]))
    not_after = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    if network.now < not_before:
        raise network.exception(f"not_yet_valid{network.dates}", date=java_date(not_before))
    if network.now > not_after:
        raise network.exception(f"expired{network.dates}", date=java_date(not_after))


def java_date(seconds: float) -> str:
    """`java.util.Date.toString()` in UTC."""
    return time.strftime("%a %b %d %H:%M:%S UTC %Y", time.gmtime(seconds))
