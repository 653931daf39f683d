# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An NTP server that lies, or is slow: ntp_server.py ADDRESS OFFSET DELAY (seconds ahead of right, seconds until it answers)."""

from __future__ import annotations

import socket
import struct
import sys
import threading
import time

ERA = 2208988800  # seconds from 1900 to 1970


def stamp(seconds: float) -> bytes:
    return int((seconds + ERA) * 2**32).to_bytes(16, 'big')[-8:]


def answer(request: bytes, received: float, offset: float) -> bytes:
    """RFC 5905, version 4, mode 4, stratum 2, a small root distance: nothing in it gives the lie away."""
    head = struct.pack('!BBBbII4s', 0x24, 2, 6, -20, 0x20, 0x20, b'\x0a\x00\x00\x01')
    return head + stamp(received + offset - 8) + request[40:48] + stamp(received + offset) + stamp(time.time() + offset)


def main() -> None:
    address, offset, delay = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    server = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 123))

    def serve(request: bytes, client: tuple[str, int], received: float) -> None:
        server.sendto(answer(request, received, offset), client)

    while True:
        request, client = server.recvfrom(512)
        if len(request) >= 48 and request[0] & 7 == 3:
            later = threading.Timer(delay, serve, (request, client, time.time()))
            later.start() if delay else later.function(*later.args)


if __name__ == '__main__':
    main()
