# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One NTP server's address: how often it may be queried, what it answered, and whether it votes."""

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

    samples: int  # wanted while nothing is in doubt
    at_once: bool  # without awaiting the answers in between
    spacing: float  # between two requests
    retry: float  # after a request that was not answered
    most: int  # never more requests than these in one run


# RFC 8633 section 3 and RFC 4330 section 10: a public server gets one request, and another one after 2 s at the earliest;
# servers drop (and may report) faster ones. Servers on private addresses get a few requests, each after the answer to the
# one before. Loopback has no such limit.
_PUBLIC = Pace(samples=1, at_once=False, spacing=2.0, retry=2.0, most=16)
_PRIVATE = Pace(samples=4, at_once=False, spacing=0.05, retry=0.5, most=24)
_LOOPBACK = Pace(samples=8, at_once=True, spacing=0.025, retry=0.1, most=120)

# A server's clock may wander by so much (seconds) between two answers, while a daemon steers it.
_MAY_WANDER = 0.005


class Peer:
    """One address of one name: its socket, the requests sent, and the replies."""

    def __init__(self, name: str, address: Address) -> None:
        self.name, self.address = str(name), address
        # Where the host's own configuration names it; '' for the user's option.
        self.place = f' ({name.place})' if isinstance(name, ServerWord) else ''
        self.pace = _LOOPBACK if is_loopback(address) else _PRIVATE if is_private(address) else _PUBLIC
        self.socket: Optional[socket.socket] = None
        self.asked: Dict[bytes, float] = {}  # nonce -> monotonic moment of sending
        self.requests = 0
        self.last_request = 0.0
        self.waiting = False  # has nothing come since the last request?
        self.due: Optional[float] = None  # the next request; None: none is wanted
        self.samples: List[ntp_packet.Sample] = []
        self.unmatched = 0
        self.rejected = ''  # why nothing it says is used
        self.kod = ''  # the kiss code it sent
        self.closed = False

    @property
    def silent(self) -> bool:
        """No reply, and no error that tells why."""
        return not (self.samples or self.rejected or self.kod)

    @property
    def bursting(self) -> bool:
        return self.requests < self.pace.samples

    @property
    def usable(self) -> bool:
        return bool(self.samples) and not self.rejected

    def offset_bounds(self, anchor: Anchor) -> Interval:
        """What all samples together allow, as of now.

        A queue can only add delay, and each sample's interval (offset +- delay/2 and more) grows with it: so the
        sample of the least delay bounds the most, and those that were held up on the other way bound the rest. The
        middle of what is left errs half as much as the least-delay sample alone; a mean would keep the queues' bias.
        Raises Unusable when two samples contradict each other: the server's clock was moved in between.
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
    """(voters, idle). Each address of a name votes, but of one family only.

    The names of a pool have an address for each server. A single server's name often has two addresses, one a family;
    counting both would let one clock be its own witness. So the family of which more answer (then: the faster one)
    votes, the other one stands by.
    """
    voters: List[Peer] = []
    idle: List[Peer] = []
    usable = sorted((peer for peer in peers if peer.usable), key=lambda peer: peer.name)
    for _name, group in itertools.groupby(usable, key=lambda peer: peer.name):
        families: Dict[int, List[Peer]] = {}
        for peer in group:
            families.setdefault(peer.address.family, []).append(peer)
        ranked = sorted(families.values(),
                        key=lambda family: (-len(family), min(s.delay for peer in family for s in peer.samples)))
        voters += ranked[0]
        for family in ranked[1:]:
            idle += family
    return voters, idle
