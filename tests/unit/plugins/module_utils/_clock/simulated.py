# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network of NTP servers whose time passes only while the client waits: every run of a test is the same run.

Nothing here opens a socket, starts a thread or reads a clock; so addresses may be anybody's.
"""

import heapq
import itertools
import random
import socket
import struct

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import ntp_client as ntp
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.resolver import Address, Resolved, resolve
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._clock import clock_servers

WIRE = 50e-6  # seconds that a datagram is under way, if nothing else is said


class Simulated:
    """The network: `network` is for the client, `line` its time, NtpServer(...) its servers."""

    def __init__(self, line):
        self.line = line
        self.servers = {}  # (host, port) -> NtpServer
        self.names = {}  # name -> (seconds until the resolver answers, addresses or the reason there are none)
        self.busy = 0.0  # seconds that the host takes to notice what has come
        self.network = ntp.Network(lambda family, kind: Socket(self, family), lambda: Selector(self),
                                   lambda kind: Resolver(self, kind))
        self._events = []
        self._number = itertools.count()

        self.behind = 0.0  # seconds by which the host's clock is, for the kernel's stamps

    def server(self, script, **how):
        return NtpServer(self, script, **how)

    def honest(self, number):
        return [self.server(clock_servers.honest()) for _server in range(number)]

    def after(self, seconds, act):
        heapq.heappush(self._events, (self.line.monotonic() + seconds, next(self._number), act))

    def pass_until(self, moment):
        """Let the next thing happen that is due by then, and time go on so far; False when there is none."""
        if not self._events or self._events[0][0] > moment:
            self.line.sleep(moment - self.line.monotonic())
            return False
        due, _number, act = heapq.heappop(self._events)
        self.line.sleep(due - self.line.monotonic())
        act()
        return True

    def settle(self, seconds):
        """What happens in the time after a run."""
        end = self.line.monotonic() + seconds
        while self.pass_until(end):
            pass


class NtpServer:
    """Answers each request with the datagrams that its script makes: script(request, server) -> list of them.

    delay: seconds, each way; loss: share of the datagrams. `send` and `later` are for the script.
    """

    def __init__(self, world, script, delay=WIRE, loss=0.0, host='127.0.0.1', seed=1):
        self.script, self.delay, self.loss, self.world = script, delay, loss, world
        self.random = random.Random(seed)
        self.port = 1024 + len(world.servers)
        self.name = ('[%s]:%d' if ':' in host else '%s:%d') % (host, self.port)
        self.requests = []  # (moment, request)
        world.servers[host, self.port] = self

    def receive(self, request, client):
        if self.random.random() < self.loss:
            return
        self.world.after(self.delay, lambda: self._answer(request, client))

    def _answer(self, request, client):
        self.requests.append((self.world.line.monotonic(), request))
        self.client = client
        for datagram in self.script(request, self):
            self.send(datagram)

    def send(self, datagram):
        client = self.client
        if self.random.random() >= self.loss:
            self.later(self.delay, lambda: client.arrive(datagram))

    def later(self, seconds, act):
        self.world.after(seconds, act)


class Socket:
    """As much of a connected datagram socket as the client uses."""

    def __init__(self, world, family):
        self.world, self.family, self.server, self.come, self.closed = world, family, None, [], False

    def setblocking(self, _flag):
        pass

    def setsockopt(self, level, option, value):
        assert (level, option, value) == (socket.SOL_SOCKET, 35, 1)

    def connect(self, sockaddr):
        self.server = self.world.servers.get(sockaddr[:2])

    def send(self, datagram):
        assert not self.closed
        if self.server is None:
            self.world.after(WIRE, lambda: self.come.append(ConnectionRefusedError(111, 'Connection refused')))
        else:
            self.server.receive(datagram, self)

    def arrive(self, datagram):
        if not self.closed:
            self.come.append((datagram, self.world.line.true_time() - self.world.behind))

    def recvmsg(self, _size, _more):
        if not self.come:
            raise BlockingIOError
        come = self.come.pop(0)
        if isinstance(come, OSError):
            raise come
        data, stamp = come
        return data, [(socket.SOL_SOCKET, 35, struct.pack('@ll', int(stamp // 1), int(stamp % 1 * 1e9)))], 0, None

    def close(self):
        self.closed = True


class Selector:
    """Waits for what comes, by the time of the simulated network."""

    class Key:
        def __init__(self, data):
            self.data = data

    def __init__(self, world):
        self.world, self.registered = world, {}

    def __enter__(self):
        return self

    def __exit__(self, *_unused):
        assert not self.registered, 'every socket is taken out again, and closed'

    def register(self, fileobj, _events, data):
        self.registered[fileobj] = self.Key(data)

    def unregister(self, fileobj):
        del self.registered[fileobj]

    def select(self, seconds):
        end = self.world.line.monotonic() + seconds
        while not self._ready() and self.world.pass_until(end):
            pass
        ready = self._ready()
        if ready:
            self.world.settle(self.world.busy)
            ready = self._ready()
        return ready

    def _ready(self):
        return [(key, 1) for fileobj, key in self.registered.items() if fileobj.come]


class Resolver:
    """Names of the simulated network; addresses, and names that it does not have, are the real resolver's matter."""

    def __init__(self, world, kind):
        self.world, self.kind, self.come = world, kind, []

    def ask(self, endpoint):
        if endpoint.host not in self.world.names:
            self.come.append(resolve(endpoint, self.kind))
            return
        seconds, found = self.world.names[endpoint.host]
        addresses = () if isinstance(found, str) else tuple(
            Address(socket.AF_INET6 if ':' in ip else socket.AF_INET, (ip, port)) for ip, port in found)
        answer = Resolved(endpoint, addresses, found if isinstance(found, str) else '')
        self.world.after(seconds, lambda: self.come.append(answer))

    def answers(self):
        come, self.come = self.come, []
        return come
