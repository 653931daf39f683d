# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One address of an NTP server: its query rate limits, its replies, and whether it votes."""

import itertools
import socket
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import ntp_packet
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.clock import Anchor
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import Unusable
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.marzullo import Interval
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.resolver import Address, is_loopback, is_private
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.server_word import ServerWord


class Pace(NamedTuple):
    """Query rate limits for one address, in seconds."""

    samples: int  # wanted if the result is conclusive
    at_once: bool  # without waiting for the replies in between
    spacing: float  # between two requests
    retry: float  # after a request without a reply
    most: int  # maximum number of requests in one run


# RFC 8633 section 3 and RFC 4330 section 10: a public server gets one request, and another one after 2 s at the earliest;
# servers drop (and may report) faster ones. Servers on private addresses get a few requests, each after the reply to the
# previous one. Loopback has no such limit.
_PUBLIC = Pace(samples=1, at_once=False, spacing=2.0, retry=2.0, most=16)
_PRIVATE = Pace(samples=4, at_once=False, spacing=0.05, retry=0.5, most=24)
_LOOPBACK = Pace(samples=8, at_once=True, spacing=0.025, retry=0.1, most=120)

# Seconds by which a server's clock may change between two replies, while a daemon slews it.
_MAY_WANDER = 0.005


class Peer:
    """One address of one name: its socket, the requests sent, and the replies."""

    def __init__(self, name: str, address: Address) -> None:
        self.name, self.address = str(name), address
        # Its place in the host's configuration; '' for the user's option.
        self.place = f' ({name.place})' if isinstance(name, ServerWord) else ''
        self.pace = _LOOPBACK if is_loopback(address) else _PRIVATE if is_private(address) else _PUBLIC
        self.socket: Optional[socket.socket] = None
        self.asked: Dict[bytes, float] = {}  # nonce -> monotonic moment of sending
        self.requests = 0
        self.last_request = 0.0
        self.waiting = False  # whether there was no reply since the last request
        self.due: Optional[float] = None  # the next request; None: none is wanted
        self.samples: List[ntp_packet.Sample] = []
        self.unmatched = 0
        self.rejected = ''  # why its replies are not used
        self.kod = ''  # the kiss code it sent
        self.closed = False

    @property
    def silent(self) -> bool:
        """Whether there was no reply, and no error that explains it."""
        return not (self.samples or self.rejected or self.kod)

    @property
    def bursting(self) -> bool:
        return self.requests < self.pace.samples

    @property
    def usable(self) -> bool:
        return bool(self.samples) and not self.rejected

    @property
    def least_delay(self) -> float:
        return min(sample.delay for sample in self.samples)

    def is_server_of(self, other: 'Peer') -> bool:
        """Return whether both are addresses of one server: no two clocks were last set in the same fraction of a nanosecond.

        A falseticker that copies the moment from a truechimer does not copy its time.
        """
        return self is not other and any(
            one.last_set and one.last_set == another.last_set and one.interval(_MAY_WANDER).overlaps(another.interval())
            for one in self.samples for another in other.samples)

    def offset_bounds(self, anchor: Anchor) -> Interval:
        """Return the intersection of the samples' intervals, as of now.

        A queue only adds delay, and the interval of a sample (offset +- delay/2 and more) grows with it. The sample with the least
        delay therefore narrows the result most, and samples that were delayed in the other direction narrow the other side. The
        middle of the intersection has half the error of the least-delay sample; a mean would keep the bias of the queues.
        Raises Unusable if two samples contradict each other, because the server's clock was set in between.
        """
        now, rate = anchor.monotonic(), anchor.drift_rate()
        proofs = [sample.interval((now - sample.at) * rate + anchor.uncertainty) for sample in self.samples]
        low, high = max(proof.low for proof in proofs), min(proof.high for proof in proofs)
        if low <= high:
            return Interval(low, high)
        if low - high > _MAY_WANDER:
            raise Unusable(f'its clock moved by {low - high:.3f} s or more between two of its answers')
        return Interval(min(proof.low for proof in proofs), max(proof.high for proof in proofs))


def split_voters(peers: Sequence[Peer]) -> Tuple[List[Peer], List[Peer]]:
    """Return (voters, idle). The addresses of a name vote, but only those of one address family.

    A pool's name has an address for each server. The name of a single server often has two addresses, one per family; if both
    voted, one clock would have two votes. The family with more replies votes (at a tie, the faster one), the other one does not.
    Of several addresses of one server, whatever their names, the fastest votes.
    """
    voters: List[Peer] = []
    idle: List[Peer] = []
    usable = sorted((peer for peer in peers if peer.usable), key=lambda peer: peer.name)
    for _name, group in itertools.groupby(usable, key=lambda peer: peer.name):
        families: Dict[int, List[Peer]] = {}
        for peer in group:
            families.setdefault(peer.address.family, []).append(peer)
        ranked = sorted(families.values(),
                        key=lambda family: (-len(family), min(peer.least_delay for peer in family)))
        voters += ranked[0]
        for family in ranked[1:]:
            idle += family
    servers: List[Peer] = []
    for peer in sorted(voters, key=lambda peer: peer.least_delay):
        (idle if any(peer.is_server_of(other) for other in servers) else servers).append(peer)
    return servers, idle
