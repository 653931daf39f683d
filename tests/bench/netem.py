# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NTP servers behind a wide-area network, on real sockets: delay, queues that differ by direction, loss, and lies.

The servers are a process of their own, so that the client is timed alone. A datagram is held for the time its
way takes; the server reads its clock when the request is out of its queue. The truth is this machine's clock plus
`World.truth`, so a host that reads this machine's clock is behind by exactly that.
"""

from __future__ import annotations

import heapq
import math
import multiprocessing
import random
import selectors
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import netns

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.era import ntp_timestamp

PORT = 123

# Children begin as copies: what they are to do needs no pickling.
FORK = multiprocessing.get_context('fork')


class Server(NamedTuple):
    """One server and the way to it. Seconds, but for `loss` (the share of datagrams lost, each way)."""

    out: float = 0.0  # least delay to the server
    back: float = 0.0
    queue_out: float = 0.0  # mean of what an exponential queue adds
    queue_back: float = 0.0
    loss: float = 0.0
    error: float = 0.0  # its clock - the truth
    root_delay: float = 0.001
    root_dispersion: float = 0.001
    honest: bool = True
    silent: bool = False


class World(NamedTuple):
    """The truth (reference - host, seconds) and those who are asked for it."""

    truth: float
    servers: tuple[Server, ...]


def honest_server(rng: random.Random, loss: float = 0.0, two_ways: bool = True) -> Server:
    """2 to 40 ms each way plus a queue of 0 to 10 ms mean, each way its own; a clock that errs within what it says.

    two_ways: the replies take another way than the requests, with a least delay of its own.
    """
    out = rng.uniform(0.002, 0.04)
    distance = math.exp(rng.uniform(math.log(0.0005), math.log(0.02)))
    share = rng.random()
    return Server(out=out, back=rng.uniform(0.002, 0.04) if two_ways else out, queue_out=rng.uniform(0, 0.01),
                  queue_back=rng.uniform(0, 0.01), loss=loss, error=rng.uniform(-distance, distance),
                  root_delay=2 * distance * share, root_dispersion=distance * (1 - share))


def lie(rng: random.Random) -> float:
    """Seconds a falseticker is off: near the truth (it wants to be believed) or far from it."""
    size = rng.choice((rng.uniform(0.02, 0.1), rng.uniform(0.1, 1), rng.uniform(1, 100), rng.uniform(1e3, 1e8)))
    return rng.choice((-1, 1)) * size


def with_falsetickers(rng: random.Random, servers: Sequence[Server], falsetickers: int) -> tuple[Server, ...]:
    """Some of them lie, in league or each for himself, and claim to know the time to the microsecond."""
    made = list(servers)
    common = lie(rng) if rng.random() < 0.5 else None
    for number in rng.sample(range(len(made)), falsetickers):
        made[number] = made[number]._replace(error=lie(rng) if common is None else common, honest=False,
                                             root_delay=0.0, root_dispersion=0.0)
    return tuple(made)


class Network:
    """A process of servers, each at one address of every kind, in a block of addresses of its own.

    `become()` makes another world of it.
    """

    def __init__(self, block: int, most: int) -> None:
        self._block, self.name = block, self.name_of(block)
        self._pipe, theirs = FORK.Pipe()
        places = [(address, number) for kind in netns.BLOCKS for number, address in enumerate(self.addresses(kind, most))]
        self.process = FORK.Process(target=_serve, args=(theirs, places), daemon=True)
        self.process.start()
        theirs.close()  # so that the end of that process is noticed here
        self._pipe.recv()

    @staticmethod
    def name_of(block: int) -> str:
        """The name that a bench may let stand for all of a block's servers (netns.name_hosts)."""
        return f'pool{block}.bench'

    def addresses(self, kind: str, count: int) -> list[str]:
        """Of the first servers; kind: see netns.BLOCKS."""
        return [netns.address(kind, self._block, number) for number in range(count)]

    def become(self, world: World, seed: int) -> None:
        self._pipe.send((world, seed))
        self._pipe.recv()

    def __enter__(self) -> Network:
        return self

    def __exit__(self, *_unused: object) -> None:
        self.process.terminate()
        self.process.join()


def _serve(pipe: Any, places: list[tuple[str, int]]) -> None:
    # select(), not epoll: its time-outs are as fine as a microsecond.
    with selectors.SelectSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)

        def listen(address: str, port: int, number: int) -> None:
            listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            listener.setblocking(False)
            listener.bind((address, port))
            selector.register(listener, selectors.EVENT_READ, number)

        loopback = [place for place in places if place[0].startswith(netns.BLOCKS['loopback'])]
        for address, number in loopback:
            for port in (PORT, netns.LOOPBACK_PORT):
                listen(address, port, number)
        netns.enter_servers()
        for address, number in set(places) - set(loopback):
            listen(address, PORT, number)
        pipe.send('ready')
        _Servers(pipe, selector).run()


class _Servers:
    def __init__(self, pipe: Any, selector: selectors.BaseSelector) -> None:
        self._pipe, self._selector = pipe, selector
        self._world = World(0.0, ())
        self._random = random.Random()
        self._flying: list[tuple[float, int, Any]] = []  # (moment, number, what is to be done then)
        self._launched = 0

    def run(self) -> None:
        while True:
            pause = None
            if self._flying:
                pause = max(0.0, self._flying[0][0] - time.monotonic())
            for key, _events in self._selector.select(pause):
                if key.fileobj is self._pipe:
                    try:
                        self._world, seed = self._pipe.recv()
                    except EOFError:
                        return
                    self._random.seed(seed)
                    self._flying.clear()
                    self._pipe.send('done')
                else:
                    self._arrive(key.fileobj, key.data)
            while self._flying and self._flying[0][0] <= time.monotonic():
                heapq.heappop(self._flying)[2]()

    def _arrive(self, listener: Any, number: int) -> None:
        try:
            request, client = listener.recvfrom(2048)
        except BlockingIOError:
            return
        if number >= len(self._world.servers):
            return
        server = self._world.servers[number]
        if not server.silent and len(request) >= 48:
            self._fly(server, server.out, server.queue_out, lambda: self._answer(listener, server, request, client))

    def _answer(self, listener: Any, server: Server, request: bytes, client: Any) -> None:
        now = ntp_timestamp(time.time() + self._world.truth + server.error).to_bytes(8, 'big')
        version = request[0] >> 3 & 7
        reply = struct.pack('!BBBbII4s', version << 3 | 4, 2, request[2], -23, math.ceil(server.root_delay * 65536),
                            math.ceil(server.root_dispersion * 65536), b'\x0a\x00\x00\x01')
        reply += now + request[40:48] + now + now
        self._fly(server, server.back, server.queue_back, lambda: listener.sendto(reply, client))

    def _fly(self, server: Server, least: float, queue: float, land: Any) -> None:
        lost = self._random.random() < server.loss
        delay = least + (self._random.expovariate(1 / queue) if queue else 0.0)
        if not lost:
            self._launched += 1
            heapq.heappush(self._flying, (time.monotonic() + delay, self._launched, land))
