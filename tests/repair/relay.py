# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Passes connections from one address to another: relay.py ADDRESS OTHER PORT (the port is that of both)."""

from __future__ import annotations

import socket
import sys
import threading


def pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while True:
            content = source.recv(65536)
            if not content:
                target.shutdown(socket.SHUT_WR)
                return
            target.sendall(content)
    except OSError:
        target.close()


def main() -> None:
    address, other, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with socket.create_server((address, port), family=socket.AF_INET6 if ':' in address else socket.AF_INET) as server:
        while True:
            client, _peer = server.accept()
            onwards = socket.create_connection((other, port), timeout=30)
            onwards.settimeout(None)
            for pair in ((client, onwards), (onwards, client)):
                threading.Thread(target=pump, args=pair, daemon=True).start()


if __name__ == '__main__':
    main()
