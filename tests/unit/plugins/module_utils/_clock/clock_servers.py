# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers on loopback for the _clock package's tests: scripted NTP, HTTPS with made certificates, an HTTP proxy.

They tell the truth by the same monotonic time line a test's anchor uses, so that a test knows the true offset exactly.
"""

import base64
import contextlib
import datetime
import random
import select
import socket
import ssl
import struct
import threading
import time

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.clock import Anchor
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.era import ntp_timestamp
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.http_date import format_http_date

# True time of all tests begins with this machine's clock (TLS libraries read it) when this file is loaded.
TRUE_START = time.time()


class RealLine:
    """The time line of a test: this machine's monotonic clock."""

    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)

    def __init__(self):
        self.began = self.monotonic()

    def true_time(self):
        """Unix seconds."""
        return TRUE_START + (self.monotonic() - self.began)


class VirtualLine(RealLine):
    """A time line that passes only while something sleeps on it: how busy the machine is does not show."""

    _now = 5000.0

    def monotonic(self):
        return self._now

    def sleep(self, seconds):
        self._now += max(0.0, seconds)


# The one that servers and hosts of this process live on; the fixture `virtual` replaces it for a test.
LINE = RealLine()


def true_time():
    """Unix seconds."""
    return LINE.true_time()


def host_clock(behind, stamped=None):
    """A make_anchor() for a host whose wall clock is so many seconds behind the truth."""
    line = LINE
    return lambda: Anchor(wall=lambda: line.true_time() - behind, monotonic=line.monotonic, raw=line.monotonic,
                          stamped=stamped, sleep=line.sleep)


def packet(request, received, transmitted, leap=0, version=4, mode=4, stratum=2, poll=6, precision=-23,
           root_delay=0.001, root_dispersion=0.001, reference=b'\x7f\x00\x00\x01', originate=None, last_set=None):
    """A server's reply. received, transmitted, last_set (the second of received if None): Unix seconds, or raw 64-bit integers."""
    def raw(moment):
        return (moment if isinstance(moment, int) else ntp_timestamp(moment)).to_bytes(8, 'big')
    return struct.pack('!BBBbII4s', leap << 6 | version << 3 | mode, stratum, poll, precision,
                       int(root_delay * 65536), int(root_dispersion * 65536), reference) + raw(
                           received >> 32 << 32 if last_set is None and isinstance(received, int) else
                           received // 1 if last_set is None else last_set) + (
        request[40:48] if originate is None else originate) + raw(received) + raw(transmitted)


def honest(offset=0.0, **fields):
    """A script for NtpServer: the truth plus an offset."""
    def script(request, server):
        now = true_time() + offset
        return [packet(request, now, true_time() + offset, **fields)]
    return script


class Server:
    """Runs in a thread of its own until it is left."""

    def _begin(self, listening):
        self._listening = listening
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_unused):
        self._stop.set()
        self._thread.join()
        self._listening.close()


class NtpServer(Server):
    """Answers each request with the datagrams its script makes; a script may also use the server's socket itself.

    script(request, server) -> list of datagrams. delay: callable or seconds, each way; loss: share of the datagrams.
    """

    def __init__(self, script, delay=0.0, loss=0.0, host='127.0.0.1', port=0, seed=1):
        self.script, self.loss = script, loss
        self.delay = delay if callable(delay) else lambda: delay
        self.random = random.Random(seed)
        family = socket.AF_INET6 if ':' in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((host, port))
        self.port = self.socket.getsockname()[1]
        self.name = ('[%s]:%d' if ':' in host else '%s:%d') % (host, self.port)
        self.requests = []
        self._pending = []  # (moment, function)
        self._begin(self.socket)

    def later(self, seconds, function):
        self._pending.append((time.monotonic() + seconds, function))

    def _run(self):
        while not self._stop.is_set():
            due = [entry for entry in self._pending if entry[0] <= time.monotonic()]
            for entry in due:
                self._pending.remove(entry)
                entry[1]()
            pause = min([entry[0] - time.monotonic() for entry in self._pending] + [0.02])
            if not select.select([self.socket], [], [], max(0, pause))[0]:
                continue
            try:
                request, client = self.socket.recvfrom(2048)
            except OSError:
                continue
            self.requests.append((time.monotonic(), request))
            if self.random.random() < self.loss:
                continue
            self.later(self.delay(), lambda request=request, client=client: self._answer(request, client))

    def _answer(self, request, client):
        self.client = client
        for datagram in self.script(request, self):
            if self.random.random() >= self.loss:
                self.later(self.delay(), lambda datagram=datagram: self._send(datagram, client))

    def send(self, datagram):
        """For scripts: to the client that is answered now."""
        self._send(datagram, self.client)

    def _send(self, datagram, client):
        with contextlib.suppress(OSError):
            self.socket.sendto(datagram, client)


def dated(offset=0.0, headers='', status='200 OK'):
    """A script for HttpsServer: an answer with the true Date plus an offset."""
    def script(_number, _head):
        date = format_http_date(int((true_time() + offset) // 1))
        return ('HTTP/1.1 %s\r\nDate: %s\r\nContent-Length: 0\r\n%s\r\n' % (status, date, headers)).encode('latin-1')
    return script


class Listener(Server):
    """Accepts connections on a port of its own and serves each in a thread, until it is left."""

    def __init__(self, host='127.0.0.1'):
        self._listener = socket.socket()
        self._listener.bind((host, 0))
        self._listener.listen(20)
        self._listener.settimeout(0.05)
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        self._begin(self._listener)

    def _run(self):
        while not self._stop.is_set():
            try:
                client, _address = self._listener.accept()
            except OSError:
                continue
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        raise NotImplementedError


class HttpsServer(Listener):
    """TLS, or plain HTTP when there is no certificate, with keep-alive.

    script(number, head) -> bytes to send; None closes; a list is sent in pieces with pauses.
    """

    def __init__(self, script, certificate=None, key=None, host='127.0.0.1', delay=0.0):
        self.script, self.delay = script, delay
        self.heads, self.moments = [], []
        self._context = None
        if certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if hasattr(ssl, 'PROTOCOL_TLS_SERVER')
                                           else ssl.PROTOCOL_TLS)
            self._context.load_cert_chain(certificate, key)
        self.open = 0
        self.all_left = threading.Event()  # a client has come, and none is left
        super().__init__(host)

    def url(self, host='localhost', path='/'):
        return 'https://%s:%d%s' % (host, self.port, path)

    @contextlib.contextmanager
    def _counted(self):
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1
            if not self.open:
                self.all_left.set()

    def _serve(self, client):
        with contextlib.suppress(OSError, ValueError):
            client.settimeout(10)
            try:
                connection = self._context.wrap_socket(client, server_side=True) if self._context else client
            except (OSError, ValueError):
                client.close()
                return
            with contextlib.closing(connection), self._counted():
                number, held = 0, b''
                while not self._stop.is_set():
                    while b'\r\n\r\n' not in held:
                        come = connection.recv(4096)
                        if not come:
                            return
                        held += come
                    head, _end, held = held.partition(b'\r\n\r\n')
                    self.heads.append(head.decode('latin-1'))
                    self.moments.append(true_time())
                    LINE.sleep(self.delay / 2)
                    answer = self.script(number, head)
                    number += 1
                    LINE.sleep(self.delay / 2)
                    if answer is None:
                        return
                    for piece in answer if isinstance(answer, list) else [answer]:
                        if isinstance(piece, float):
                            if self._stop.wait(piece):
                                return
                        else:
                            connection.sendall(piece)


class Proxy(Listener):
    """An HTTP proxy that opens tunnels, once it is given its USER:PASSWORD if it has one; or refuses with a status line.

    leads_to: the port that every tunnel leads to, wherever it was asked to lead.
    """

    def __init__(self, refuse=None, password=None, leads_to=None):
        self.heads, self._refuse, self._password, self._leads_to = [], refuse, password, leads_to
        super().__init__()

    def _serve(self, client):
        with contextlib.closing(client), contextlib.suppress(OSError):
            held = b''
            while b'\r\n\r\n' not in held:
                held += client.recv(4096)
            self.heads.append(held.decode('latin-1'))
            refuse = self._refuse
            if self._password and base64.b64encode(self._password.encode()) not in held.split():
                refuse = '407 Proxy Authentication Required'
            if refuse:
                client.sendall(('HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n' % refuse).encode())
                return
            host, _colon, port = held.split()[1].decode().rpartition(':')
            with contextlib.closing(socket.create_connection((host, self._leads_to or int(port)), 5)) as server:
                client.sendall(b'HTTP/1.1 200 Connection established\r\n\r\n')
                while not self._stop.is_set():
                    for ready in select.select([client, server], [], [], 0.05)[0]:
                        come = ready.recv(65536)
                        if not come:
                            return
                        (server if ready is client else client).sendall(come)


class Authority:
    """A certificate authority made with the package cryptography; its dates are those of the tests' true time."""

    def __init__(self, folder):
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec
        self._x509, self._ec, self.folder = x509, ec, str(folder)
        self._key = self._new_key()
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, 'Test authority')])
        certificate = self._sign(self._name, self._key, -400, 4000, x509.BasicConstraints(True, None), None)
        self.path = self._write('ca.pem', certificate)

    def _new_key(self):
        try:
            return self._ec.generate_private_key(self._ec.SECP256R1())
        except TypeError:  # old releases want a backend
            from cryptography.hazmat.backends import default_backend
            return self._ec.generate_private_key(self._ec.SECP256R1(), default_backend())

    def _sign(self, subject, key, since_days, until_days, extension, names):
        from cryptography.hazmat.primitives import hashes
        now = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=int(TRUE_START))
        builder = (self._x509.CertificateBuilder().subject_name(subject).issuer_name(self._name)
                   .public_key(key.public_key()).serial_number(self._x509.random_serial_number())
                   .not_valid_before(now + datetime.timedelta(days=since_days))
                   .not_valid_after(now + datetime.timedelta(days=until_days))
                   .add_extension(extension, critical=True)
                   .add_extension(self._x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
                   .add_extension(self._x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                                  critical=False))
        if extension.ca:
            builder = builder.add_extension(self._x509.KeyUsage(
                True, False, False, False, False, True, True, False, False), critical=True)
        if names:
            builder = builder.add_extension(self._x509.SubjectAlternativeName(names), critical=False)
        try:
            return builder.sign(self._key, hashes.SHA256())
        except TypeError:
            from cryptography.hazmat.backends import default_backend
            return builder.sign(self._key, hashes.SHA256(), default_backend())

    def _write(self, name, certificate):
        from cryptography.hazmat.primitives import serialization
        path = self.folder + '/' + name
        with open(path, 'wb') as file:
            file.write(certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def issue(self, name='server', since_days=-10, until_days=80, host='localhost'):
        """(certificate path, key path) valid from so many days after the true time until so many days after it."""
        import ipaddress

        from cryptography.hazmat.primitives import serialization
        key = self._new_key()
        subject = self._x509.Name([self._x509.NameAttribute(self._x509.NameOID.COMMON_NAME, host)])
        names = [self._x509.DNSName(host)]
        if host == 'localhost':
            names.append(self._x509.IPAddress(ipaddress.ip_address('127.0.0.1')))
        path = self._write(name + '.pem', self._sign(subject, key, since_days, until_days,
                                                     self._x509.BasicConstraints(False, None), names))
        with open(self.folder + '/' + name + '.key', 'wb') as file:
            file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                         serialization.NoEncryption()))
        return path, self.folder + '/' + name + '.key'
