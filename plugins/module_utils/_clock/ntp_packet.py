# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks an NTP reply: whether it answers our request, whether it is valid, and what it proves.

The codec is ntplib's NTPPacket; the rules are RFC 5905 (§7.3, §8, §A.5.1) and RFC 8633.
All times are seconds; offsets are server - host: positive means that the host is behind.
"""

import os
from typing import Any, NamedTuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.era import unix_time
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import Unusable
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.marzullo import Interval
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.formatting import duration

LENGTH = 48  # bytes; extension fields and MACs may follow (RFC 5905 §7.3)

# Seconds. A server with a larger uncertainty is not a reference (1.5 s is ntpd's default; RFC 5905 has 1 s, chrony 3 s).
MAX_ROOT_DISTANCE = 1.5

_VERSION, _CLIENT, _SERVER = 4, 3, 4
_MODES = ('0 (reserved)', '1 (symmetric active)', '2 (symmetric passive)', '3 (client)', '4 (server)',
          '5 (broadcast)', '6 (control)', '7 (private)')
_KISSES = {
    'DENY': 'access denied',
    'RSTR': 'access restricted',
    'RATE': 'asked too often',
}
# chronyd and w32time send no code, ntpd its state.
_NOT_SYNCHRONIZED = ('', 'INIT', 'STEP', 'XFAC')

# Seconds: the longest poll interval of RFC 5905 (§7.2, MAXPOLL is 2^17). Nothing keeps a clock that was set longer ago.
MAX_REFERENCE_AGE = 131072.0
# A server may note its last update a moment after it has stamped the packet.
_REFERENCE_AHEAD = 1.0

# Error of the doubles and of the two clock readings, in addition to the measured errors.
_RESOLUTION = 2e-6


class KissOfDeath(Unusable):
    """The server sent a kiss-o'-death (RFC 5905 §7.4) and must not be queried again in this run."""


class Sample(NamedTuple):
    """Result of one exchange, in seconds."""

    offset: float
    delay: float  # round trip less the server's own time
    root_distance: float  # root delay / 2 + root dispersion: the server's own uncertainty
    precision: float  # of the server's clock
    stratum: int
    reference_id: str
    at: float  # monotonic moment of its arrival
    last_set: int = 0  # the raw reference timestamp, which tells servers apart; 0 if it is missing or a whole second

    def interval(self, stray: float = 0.0) -> Interval:
        """Return the bounds of the offset (RFC 5905 §11.2). stray: seconds by which the host's time line may have drifted since."""
        radius = self.delay / 2 + self.root_distance + self.precision + stray + _RESOLUTION
        return Interval(self.offset - radius, self.offset + radius)


def request(codec: Any) -> bytes:
    """Return a client packet whose transmit timestamp is 64 random bits.

    It does not reveal the host's clock, and only a server that received the request can answer it.
    """
    data = codec.NTPPacket(version=_VERSION, mode=_CLIENT).to_data()
    return data[:40] + os.urandom(8)


def nonce_of(data: bytes) -> bytes:
    """Return the transmit timestamp of a request, which the reply must contain."""
    return data[40:48]


def originate_of(data: bytes) -> bytes:
    """Return the raw originate timestamp of a reply; b'' if the datagram is too short."""
    return data[24:32] if len(data) >= LENGTH else b''


def read(codec: Any, data: bytes, sent: float, received: float, sent_wall: float) -> Sample:
    """Check a reply whose originate timestamp is that of our request.

    sent, received: monotonic; sent_wall: the anchored Unix time of sending (T1).
    Raises Unusable, whose text is the reason for the user, and KissOfDeath for a kiss code.
    """
    packet = codec.NTPPacket()
    try:
        packet.from_data(data[:LENGTH])
    except codec.NTPException as error:
        raise Unusable(f'its packet cannot be read ({error})') from error
    if packet.mode != _SERVER:
        raise Unusable(f'it answers in mode {_MODES[packet.mode]} instead of 4 (server)')
    if not 1 <= packet.version <= _VERSION:
        raise Unusable(f'it answers in NTP version {packet.version}')
    code = ''.join(chr(byte) for byte in data[12:16] if 0x21 <= byte <= 0x7e)
    # Stratum 16 is sent as 0 (RFC 5905, figure 11): not each of these is a kiss-o'-death.
    if packet.leap == 3 and (packet.stratum != 0 or code in _NOT_SYNCHRONIZED):
        raise Unusable('its clock is not synchronized (leap indicator 3)')
    if packet.stratum == 0:
        raise KissOfDeath(f'it sent the kiss code {code or "(none)"}: {_KISSES.get(code, "do not use it now")} '
                          '(stratum 0)')
    if packet.stratum >= 16:
        raise Unusable(f'its clock is not synchronized (stratum {packet.stratum})')
    raw_received, raw_transmitted = (int.from_bytes(data[at:at + 8], 'big') for at in (32, 40))
    if raw_transmitted == 0:
        raise Unusable('its transmit timestamp is zero')
    if raw_received == 0:
        raise Unusable('its receive timestamp is zero')
    # T3 - T2 modulo 2^64: exact, and correct across the end of an era.
    held = ((raw_transmitted - raw_received + 2**63) % 2**64 - 2**63) / 4294967296.0
    precision = 2.0 ** packet.precision
    root_distance = packet.root_delay / 2 + packet.root_dispersion
    if held < 0:
        raise Unusable(f'its reply left {-held:.6f} s before the request arrived (its clock is moving)')
    if root_distance + precision >= MAX_ROOT_DISTANCE:
        raise Unusable(f'its own uncertainty is too large (root distance {root_distance:.3f} s, '
                       f'precision {precision:.2g} s; the limit is {MAX_ROOT_DISTANCE} s)')
    elapsed = received - sent
    delay = elapsed - held
    if delay < -(precision + 1e-4):
        raise Unusable(f'it claims to have held the request for {held:.6f} s of the {elapsed:.6f} s it took '
                       '(negative delay)')
    last_set = int.from_bytes(data[16:24], 'big')
    _check_reference(last_set, raw_transmitted)
    return Sample(
        # ((T2 - T1) + (T3 - T4)) / 2 with T3 = T2 + held and T4 = T1 + elapsed
        offset=unix_time(raw_received) - sent_wall + (held - elapsed) / 2,
        delay=max(delay, 0.0),
        root_distance=root_distance,
        precision=precision,
        stratum=packet.stratum,
        reference_id=_reference_id(data[12:16], packet.stratum),
        at=received,
        # Radio clocks write the second in which the signal came, which is the same for all of them.
        last_set=last_set if last_set & 0xFFFFFFFF else 0,
    )


def _check_reference(raw_reference: int, raw_transmitted: int) -> None:
    """Check the reference timestamp: when the server's clock was last set (RFC 5905 §7.3), or zero. Raises Unusable."""
    if raw_reference == 0:
        return
    age = ((raw_transmitted - raw_reference + 2**63) % 2**64 - 2**63) / 4294967296.0
    if age > MAX_REFERENCE_AGE:
        raise Unusable(f'its clock was last set {duration(age)} ago (reference timestamp; the limit is '
                       f'{duration(MAX_REFERENCE_AGE)})')
    if age < -_REFERENCE_AHEAD:
        raise Unusable(f'its clock was last set {duration(age)} after it sent its reply (reference timestamp in the future)')


def _reference_id(raw: bytes, stratum: int) -> str:
    """Return the name of the clock for stratum 1, otherwise the upstream's IPv4 address (or a hash of its IPv6 address)."""
    if stratum == 1:
        return ''.join(chr(byte) for byte in raw if 0x21 <= byte <= 0x7e)
    return '.'.join(str(byte) for byte in raw)
