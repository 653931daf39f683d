# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queries NTP servers: all addresses of all names in one loop, one connected socket each, under one deadline.

The loop never waits for a single server: a datagram, an answer of the resolver, or a timer continues it. Silent servers, floods
and refusals only affect their own source.
"""

import contextlib
import selectors
import socket
import struct
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import ntp_packet
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.clock import Anchor
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import Unusable
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.marzullo import intersect
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.ntp_peer import Peer, split_voters
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.resolver import (
    Address,
    Endpoint,
    Resolved,
    Resolver,
    is_loopback,
    is_private,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.source import (
    NOT_COUNTED,
    Source,
    error_reason,
    make_source,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.formatting import count

PORT = 123

# The addresses of each family that are queried for one name (chrony's "pool" uses as many).
MAX_ADDRESSES = 4

# If the result is conclusive, repeats end after this time, and a query does not wait longer for a silent server whose answer
# could not change the verdict. A round trip to any place on earth takes less.
_BURST_SECONDS = 0.4
_PATIENCE_SECONDS = 0.4

# Linux timestamps datagrams on arrival (SO_TIMESTAMPNS, which Python does not define), as a struct timespec.
_STAMP = 35
_TIMESPEC = struct.Struct('@ll')

_MAX_BATCH = 64  # datagrams read from one socket in a row: a flood must not starve the others


class Network(NamedTuple):
    """Access to the network. Tests use a simulated one, whose time passes only while the query waits."""

    socket: Callable[[int, int], Any] = socket.socket  # (family, type)
    selector: Callable[[], Any] = selectors.DefaultSelector
    resolver: Callable[[int], Any] = Resolver  # (type)


REAL_NETWORK = Network()


class Query:
    """A query of all servers. run() is its only public method."""

    def __init__(self, servers: Sequence[Tuple[str, Endpoint]], codec: Any, anchor: Anchor, deadline: float,
                 max_skew: float, denied: Set[Address], cancelled: Callable[[], bool],
                 network: Network = REAL_NETWORK) -> None:
        """servers: (text of the option, endpoint). deadline: monotonic. denied: addresses that sent a kiss code."""
        self._network = network
        self._codec, self._anchor, self._deadline, self._max_skew = codec, anchor, deadline, max_skew
        self._denied, self._cancelled = denied, cancelled
        self._clock = anchor.monotonic
        self._names: Dict[Endpoint, str] = {}
        for text, endpoint in servers:
            self._names.setdefault(endpoint, text)
        self._unresolved: Set[Endpoint] = set(self._names)
        self._peers: List[Peer] = []
        self._told: List[Source] = []  # sources without a peer
        self._started = self._clock()

    def run(self) -> List[Source]:
        resolver = self._network.resolver(socket.SOCK_DGRAM)
        with self._network.selector() as self._selector:
            try:
                return self._loop(resolver)
            finally:
                for peer in self._peers:
                    self._close(peer)

    def _loop(self, resolver: Any) -> List[Source]:
        for endpoint in self._names:
            resolver.ask(endpoint)
        while not self._cancelled():
            for resolved in resolver.answers():
                self._admit(resolved)
            now = self._clock()
            if now >= self._deadline:
                break
            self._send_due(now)
            if self._enough(self._clock()):
                break
            self._receive(self._pause(self._clock()))
        return self._tell()

    def _admit(self, resolved: Resolved) -> None:
        """Open a socket for each address of a name that has been resolved."""
        self._unresolved.discard(resolved.endpoint)
        name = self._names[resolved.endpoint]
        if resolved.reason:
            self._told.append(make_source(name, 'ntp', reason=resolved.reason))
        families: Dict[int, int] = {}
        for address in resolved.addresses:
            families[address.family] = families.get(address.family, 0) + 1
            if families[address.family] > MAX_ADDRESSES:
                continue
            twin = next((peer for peer in self._peers if peer.address == address), None)
            if twin is not None:
                self._told.append(make_source(name, 'ntp', str(address),
                                              f'the same server as {twin.name}: asked and counted once'))
                continue
            peer = Peer(name, address)
            self._peers.append(peer)
            if address in self._denied:
                peer.kod = 'it sent a kiss code before and is not asked again in this run'
                continue
            self._open(peer)

    def _open(self, peer: Peer) -> None:
        try:
            peer.socket = self._network.socket(peer.address.family, socket.SOCK_DGRAM)
            peer.socket.setblocking(False)
            with contextlib.suppress(OSError):
                peer.socket.setsockopt(socket.SOL_SOCKET, _STAMP, 1)
            # Connected: the kernel chooses a random port (RFC 9109), drops datagrams of other senders, and reports refusals.
            peer.socket.connect(peer.address.sockaddr)
            if self._is_own_clock(peer):
                address = peer.address.sockaddr[0]
                peer.rejected = f'{address} is this host itself, which cannot be a reference for its own clock{peer.place}'
                self._close(peer)
                return
            self._selector.register(peer.socket, selectors.EVENT_READ, peer)
        except (OSError, OverflowError) as error:
            peer.rejected = error_reason(error)
            self._close(peer)
            return
        peer.due = self._clock()

    @staticmethod
    def _is_own_clock(peer: Peer) -> bool:
        """Return whether this is an address of the host itself, whose own time daemon would answer.

        For an own address, the kernel chooses the same address as the source. Another port may lead elsewhere (a tunnel): it is
        then used if the user named it, but not if the host's configuration did.
        """
        if peer.address.sockaddr[1] != PORT and not peer.place:
            return False
        return is_loopback(peer.address) or peer.socket is not None and peer.socket.getsockname()[0] == peer.address.sockaddr[0]

    def _close(self, peer: Peer) -> None:
        peer.due = None
        if peer.socket is not None and not peer.closed:
            peer.closed = True
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(peer.socket)
            peer.socket.close()

    def _send_due(self, now: float) -> None:
        for peer in self._peers:
            if peer.due is None or peer.due > now:
                continue
            # A lost repeat is not sent again: the samples of the peer are enough.
            lost_repeat = peer.samples and peer.waiting and not (peer.pace.at_once and peer.bursting)
            if lost_repeat or peer.requests >= peer.pace.most or peer.socket is None:
                peer.due = None
                continue
            self._send(peer, peer.socket)

    def _send(self, peer: Peer, connected: socket.socket) -> None:
        packet = ntp_packet.request(self._codec)
        sent = self._clock()
        try:
            connected.send(packet)
        except (BlockingIOError, InterruptedError):
            peer.due = sent + 0.01
            return
        except OSError as error:
            self._fail(peer, error)
            return
        peer.asked[ntp_packet.nonce_of(packet)] = sent
        peer.requests += 1
        peer.last_request = sent
        peer.waiting = True
        peer.due = sent + (peer.pace.spacing if peer.pace.at_once and peer.bursting else peer.pace.retry)

    def _fail(self, peer: Peer, error: OSError) -> None:
        if not peer.samples:
            peer.rejected = error_reason(error)
        self._close(peer)

    def _receive(self, seconds: float) -> None:
        for key, _events in self._selector.select(seconds):
            peer = key.data
            for _datagram in range(_MAX_BATCH):
                if peer.closed:
                    break
                try:
                    data, stamp = _read(peer.socket)
                except (BlockingIOError, InterruptedError):
                    break
                except OSError as error:
                    self._fail(peer, error)
                    break
                self._take(peer, data, stamp)

    def _take(self, peer: Peer, data: bytes, stamp: Optional[float]) -> None:
        # A reply without one of our nonces proves nothing, not even that the server is bad: it is dropped.
        sent = peer.asked.pop(ntp_packet.originate_of(data), None)
        received = self._anchor.arrival(stamp, self._started if sent is None else sent)
        if sent is None or received > self._deadline:
            peer.unmatched += 1
            return
        try:
            sample = ntp_packet.read(self._codec, data, sent, received, self._anchor.at(sent))
        except ntp_packet.KissOfDeath as error:
            peer.kod = str(error)
            self._denied.add(peer.address)
            self._close(peer)
            return
        except Unusable as error:
            peer.rejected = str(error)
            self._close(peer)
            return
        peer.samples.append(sample)
        peer.waiting = False
        if len(peer.samples) >= peer.pace.samples:
            peer.due = None
        elif not peer.pace.at_once:
            peer.due = max(received, peer.last_request + peer.pace.spacing)

    def _enough(self, now: float) -> bool:
        """Return whether further replies cannot improve the result."""
        burst_over = now - self._started >= _BURST_SECONDS
        if not burst_over and any(peer.due is not None for peer in self._peers):
            return False
        doubtful = self._decided(0) is False
        asked_again = doubtful and self._ask_again(now)
        if self._unresolved or any(peer.silent for peer in self._peers):
            return not doubtful and self._can_do_without_the_silent(now)
        return not asked_again

    def _patience_ends(self) -> float:
        slowest = max([sample.delay for peer in self._peers for sample in peer.samples] or [0.0])
        return self._started + max(_PATIENCE_SECONDS, 4 * slowest)

    def _can_do_without_the_silent(self, now: float) -> bool:
        if now < self._patience_ends():
            return False
        heard = {peer.name for peer in self._peers if peer.usable}
        silent = {peer.name for peer in self._peers if peer.silent} - heard
        voters, _idle = split_voters(self._peers)
        return len(voters) >= 3 and self._decided(len(self._unresolved) + len(silent)) is True

    def _decided(self, silent: int) -> Optional[bool]:
        """Return whether the whole interval is on one side of max_skew; None if there is no majority."""
        intervals = []
        for peer in split_voters(self._peers)[0]:
            with contextlib.suppress(Unusable):
                intervals.append(peer.offset_bounds(self._anchor))
        agreement = intersect(intervals, silent)
        return None if agreement is None else agreement.bounds.is_conclusive(self._max_skew)

    def _ask_again(self, now: float) -> bool:
        """Schedule one more sample of each peer, because the result is undecided. Return False if no peer is left."""
        again = False
        for peer in self._peers:
            if not peer.usable or peer.closed or peer.requests >= peer.pace.most:
                continue
            again = True
            if peer.due is None:
                peer.pace = peer.pace._replace(samples=len(peer.samples) + 1, spacing=max(peer.pace.spacing, 0.1))
                peer.due = max(now, peer.last_request + peer.pace.spacing)
        return again

    def _pause(self, now: float) -> float:
        """Return the seconds that the loop may sleep."""
        moments = [self._deadline, now + (0.01 if self._unresolved else 0.1)]
        moments += [peer.due for peer in self._peers if peer.due is not None]
        moments += [moment for moment in (self._started + _BURST_SECONDS, self._patience_ends()) if moment > now]
        return max(0.0, min(moments) - now)

    def _tell(self) -> List[Source]:
        waited = self._clock() - self._started
        told = [make_source(self._names[endpoint], 'ntp', _silent=True,
                            reason=f'its name was not resolved within {waited:.1f} s')
                for endpoint in self._names if endpoint in self._unresolved]
        voters, idle = split_voters(self._peers)
        for peer in self._peers:
            source = make_source(peer.name, 'ntp', str(peer.address), samples=len(peer.samples),
                                 private_address=is_private(peer.address))
            told.append(source)
            if peer.silent:
                ignored = f" (ignored {count(peer.unmatched, 'datagram')} that answered no request)"
                source['reason'] = f'no answer within {waited:.1f} s' + (ignored if peer.unmatched else '')
                source['_silent'] = True
                continue
            if not peer.usable:
                source['reason'] = peer.rejected or peer.kod
                continue
            try:
                interval = peer.offset_bounds(self._anchor)
            except Unusable as error:
                source['reason'] = str(error)
                continue
            best = min(peer.samples, key=lambda sample: sample.delay)
            source.update(offset=interval.middle, low=interval.low, high=interval.high, delay=best.delay,
                          stratum=best.stratum, root_distance=best.root_distance, reference_id=best.reference_id)
            if peer in idle:
                twin = next((other for other in voters if other.is_server_of(peer)), None)
                source['reason'] = NOT_COUNTED + (
                    f'its clock was last set at the same moment as that of {twin.address}: it is the same server' if twin else
                    f'{peer.name} may be one server with an IPv4 and an IPv6 address, and its other family votes')
        return told + self._told


def _read(connected: socket.socket) -> Tuple[bytes, Optional[float]]:
    """Return a datagram and the kernel's timestamp of it (Unix seconds), or None instead. Raises OSError."""
    data, more, _flags, _address = connected.recvmsg(2048, 64)
    for level, kind, content in more:
        if (level, kind, len(content)) == (socket.SOL_SOCKET, _STAMP, _TIMESPEC.size):
            seconds, nanoseconds = _TIMESPEC.unpack(content)
            return data, seconds + nanoseconds / 1e9
    return data, None
