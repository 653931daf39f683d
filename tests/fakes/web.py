# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP server with a clock of its own: what both stand-ins serve with."""

import base64
import email.utils
import http.server
import json
import socket
import socketserver
import ssl
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any, Callable, Optional

Headers = Iterable[tuple[str, str]]


def http_date(seconds: float) -> str:
    return email.utils.formatdate(int(seconds), usegmt=True)


def date_headers(mode: str, now: float) -> list[tuple[str, str]]:
    """The Date header, or the way it is broken: normal | missing | malformed | aged:SECONDS (a cache's answer)."""
    kind, _colon, age = mode.partition(":")
    if kind == "missing":
        return []
    if kind == "malformed":
        return [("Date", "sometime last Tuesday")]
    if kind == "aged":
        return [("Date", http_date(now - float(age))), ("Age", str(int(float(age))))]
    if kind == "normal":
        return [("Date", http_date(now))]
    raise ValueError(f"no such way to answer with a Date: {mode}")


def basic_credentials(header: str) -> Optional[tuple[str, str]]:
    scheme, _space, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _colon, password = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
    except ValueError:
        return None
    return user, password


class Server(http.server.ThreadingHTTPServer):
    """`application(request)` answers; `now()` is the only clock it shows."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(
        self,
        address: tuple[str, int],
        application: "Callable[[Request], None]",
        now: Callable[[], float] = time.time,
        tls: Optional[ssl.SSLContext] = None,
        server_name: str = "",
        log: Optional[str] = None,
    ) -> None:
        self.application = application
        self.now = now
        self.tls = tls
        self.server_name_header = server_name
        self.date_mode = "normal"
        self.requests: list[dict[str, Any]] = []
        self._log = log
        self._lock = threading.Lock()
        super().__init__(address, Request)

    def server_bind(self) -> None:
        # Not HTTPServer's: that one looks the host's own name up, which waits for DNS on a host that has none.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def finish_request(self, request: Any, client_address: Any) -> None:
        # The handshake belongs to the connection's own thread: a client that never completes it blocks no other client.
        if self.tls is not None:
            request.settimeout(30)
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)
        if self.tls is not None:
            request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, (OSError, ssl.SSLError)):  # the client went away or did not like the certificate
            self.record({"client": client_address[0], "error": str(error)})
        else:
            super().handle_error(request, client_address)

    def record(self, entry: dict[str, Any]) -> None:
        entry = {"time": round(self.now(), 3), **entry}
        with self._lock:
            self.requests.append(entry)
            if self._log:
                with open(self._log, "a", encoding="utf-8") as file:
                    file.write(json.dumps(entry) + "\n")


class Request(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    server: Server

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def parse_request(self) -> bool:
        self.received = self.server.now()
        self.note: dict[str, Any] = {}
        return super().parse_request()

    def _serve(self) -> None:
        self.server.application(self)

    do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = _serve

    def body(self) -> bytes:
        return self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 1 << 20))

    def answer(
        self,
        status: int,
        body: bytes = b"",
        headers: Headers = (),
        date: Optional[float] = None,
        reason: Optional[str] = None,
    ) -> None:
        """Answer in one write; Date comes first, as the real services send it."""
        head = date_headers(self.server.date_mode, self.server.now() if date is None else date)
        if self.server.server_name_header:
            head.append(("Server", self.server.server_name_header))
        head += list(headers)
        head.append(("Content-Length", str(len(body))))
        self.send_response_only(status, reason)
        for name, value in head:
            self.send_header(name, value)
        self.server.record(
            {"client": self.client_address[0], "method": self.command, "path": self.path, "status": status, **self.note}
        )
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class names it so)
        return
