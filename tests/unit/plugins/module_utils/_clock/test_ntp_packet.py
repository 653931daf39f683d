# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One reply: which are believed, what they prove, and that no datagram raises anything but Unusable."""

import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import ntp_packet
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.era import ntp_timestamp
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import Unusable
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._clock.clock_servers import packet

NOW = 1795521600.0


def read(codec, data, sent=10.0, received=10.02, sent_wall=NOW):
    return ntp_packet.read(codec, data, sent, received, sent_wall)


def test_a_request_tells_nothing_and_no_two_are_alike(codec):
    requests = {ntp_packet.request(codec) for _request in range(200)}
    assert len(requests) == 200
    for request in requests:
        assert len(request) == 48
        assert request[0] == 0b00_100_011  # no leap warning, version 4, client
        assert request[1:40] == bytes(39)
        assert ntp_packet.nonce_of(request) == request[40:]


def test_offset_and_delay_are_those_of_rfc_5905(codec):
    request = ntp_packet.request(codec)
    sample = read(codec, packet(request, NOW + 100.008, NOW + 100.009))
    assert sample.delay == pytest.approx(0.019, abs=1e-6)
    assert sample.offset == pytest.approx(((NOW + 100.008 - NOW) + (NOW + 100.009 - NOW - 0.02)) / 2, abs=1e-6)
    assert (sample.stratum, sample.reference_id) == (2, '127.0.0.1')
    assert sample.interval().low == pytest.approx(sample.offset - 0.0095 - 0.0015, abs=2e-5)


@given(host=st.floats(0, 2**32 + 2**31), offset=st.floats(-1e8, 1e8), out=st.floats(0, 2), held=st.floats(0, 2),
       back=st.floats(0, 2), wander=st.floats(0, 0.1))
@settings(max_examples=400, deadline=None)
def test_the_truth_is_inside_for_any_host_clock_era_and_asymmetry(codec, host, offset, out, held, back, wander):
    reference = 820454400.0 + (host + offset - 820454400.0) % (2**32 - 2**27)  # any moment the window has
    request = ntp_packet.request(codec)
    data = packet(request, reference + out + wander, reference + out + held + wander, root_delay=0,
                  root_dispersion=0.1001)
    sample = read(codec, data, 10.0, 10.0 + out + held + back, host)
    assert sample.interval().low <= reference - host <= sample.interval().high
    assert sample.delay == pytest.approx(out + back, abs=1e-5)


@pytest.mark.parametrize('fields, reason', [
    ({'mode': 0}, 'mode 0'), ({'mode': 1}, 'mode 1'), ({'mode': 2}, 'mode 2'), ({'mode': 3}, 'mode 3'),
    ({'mode': 5}, 'mode 5'), ({'mode': 6}, 'mode 6'), ({'mode': 7}, 'mode 7'),
    ({'version': 0}, 'version 0'), ({'version': 5}, 'version 5'), ({'version': 7}, 'version 7'),
    ({'leap': 3}, 'leap indicator 3'), ({'stratum': 16}, 'stratum 16'), ({'stratum': 255}, 'stratum 255'),
    ({'stratum': 0, 'reference': b'RATE'}, 'kiss code RATE: asked too often'),
    ({'stratum': 0, 'reference': b'DENY'}, 'kiss code DENY: access denied'),
    ({'stratum': 0, 'reference': b'RSTR'}, 'kiss code RSTR'),
    ({'stratum': 0, 'leap': 3, 'reference': b'RATE'}, 'kiss code RATE'),
    *(({'stratum': 0, 'leap': 3, 'reference': code}, 'not synchronized (leap indicator 3)')
      for code in (bytes(4), b'INIT', b'STEP', b'XFAC')),
    ({'stratum': 0, 'reference': bytes(4)}, 'kiss code (none)'),
    ({'stratum': 0, 'reference': b'\x1b]\x07\xff'}, 'kiss code ]'),
    ({'root_dispersion': 20.0}, 'root distance 20.0'), ({'root_delay': 3.1}, 'root distance 1.5'),
    ({'root_dispersion': 1.5}, 'root distance 1.5'), ({'root_delay': 65535.5}, 'root distance'),
    ({'precision': 1}, 'precision 2'), ({'precision': 127}, 'precision 1.7e+38'),
])
def test_rejections(codec, fields, reason):
    request = ntp_packet.request(codec)
    with pytest.raises(Unusable) as caught:
        read(codec, packet(request, NOW, NOW + 0.001, **fields))
    assert reason in str(caught.value)
    assert isinstance(caught.value, ntp_packet.KissOfDeath) == ('kiss' in reason)


@pytest.mark.parametrize('received, transmitted, reason', [
    (NOW, 0, 'transmit timestamp is zero'), (0, NOW, 'receive timestamp is zero'),
    (NOW + 1, NOW, 'left 1.000000 s before'), (NOW, NOW + 5, 'negative delay'),
    (NOW, NOW + 0.0205, 'negative delay'), (NOW, NOW + 2**30, 'negative delay'),
])
def test_timestamps_that_cannot_be(codec, received, transmitted, reason):
    with pytest.raises(Unusable) as caught:
        read(codec, packet(ntp_packet.request(codec), received, transmitted))
    assert reason in str(caught.value)


@pytest.mark.parametrize('fields', [
    {'leap': 0}, {'leap': 1}, {'leap': 2}, {'version': 1}, {'version': 3}, {'stratum': 1, 'reference': b'GPS\x00'},
    {'stratum': 15}, {'precision': -6}, {'precision': 0, 'root_dispersion': 0.4}, {'root_dispersion': 1.49},
])
def test_what_is_usual_or_merely_poor_is_believed(codec, fields):
    assert read(codec, packet(ntp_packet.request(codec), NOW, NOW + 0.001, **fields)).offset == pytest.approx(
        -0.0095, abs=1e-5)


def test_a_delay_that_is_negative_by_the_servers_precision_counts_as_none(codec):
    sample = read(codec, packet(ntp_packet.request(codec), NOW, NOW + 0.0210, precision=-9), 10.0, 10.02)
    assert sample.delay == 0


def test_a_reply_across_the_end_of_the_era(codec):
    end = ntp_timestamp(2085978496.0 - 0.25)
    sample = read(codec, packet(ntp_packet.request(codec), end, (end + 2**31) % 2**64), 10.0, 11.0, 2085978495.5)
    assert sample.offset == pytest.approx(0.0, abs=1e-6)
    assert sample.delay == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize('length', [0, 1, 31, 32, 47])
def test_what_is_too_short_for_a_packet_is_nobodys_reply(length):
    assert ntp_packet.originate_of(bytes(length)) == b''


PACKETS = 100000 if 'AEMOPS_FUZZ_PAGES' in os.environ else 20000  # make fuzz


def test_random_and_mutated_packets_raise_nothing_else(codec):
    chance = random.Random(5905)
    outcomes = {'read': 0, 'unusable': 0}
    request = ntp_packet.request(codec)
    for case in range(PACKETS):
        if case % 2:
            data = bytearray(packet(request, NOW, NOW + 0.001))
            for _edit in range(chance.randint(1, 4)):
                data[chance.randrange(48)] = chance.getrandbits(8)
            data = bytes(data)
        else:
            data = chance.getrandbits(8 * 48).to_bytes(48, 'big')
        if case % 7 == 0:
            data += os.urandom(chance.randrange(1000))
        try:
            sample = read(codec, data)
            bounds = sample.interval()
            assert bounds.low <= sample.offset <= bounds.high
            assert -2**33 < sample.offset < 2**33
            assert bounds.width < 2 * ntp_packet.MAX_ROOT_DISTANCE + 0.03
            outcomes['read'] += 1
        except Unusable:
            outcomes['unusable'] += 1
    assert sum(outcomes.values()) == PACKETS
    assert min(outcomes.values()) > PACKETS / 20


@pytest.mark.parametrize(('last_set', 'reason'), [
    (0, ''), (NOW, ''), (NOW - 131071, ''), (NOW + 0.9, ''), (NOW - 40 * 3600, 'its clock was last set 1 d 16 h ago'),
    (NOW - 131073, 'last set 1 d 12 h ago'), (NOW + 3, 'its clock was last set 3.00 s after it sent its reply'),
    (NOW + 3e8, 'its clock was last set 9 y 187 d after it sent its reply'), (NOW - 3e8, 'last set 9 y 187 d ago'),
])
def test_a_clock_that_was_set_long_ago_or_in_the_future_is_no_reference(codec, last_set, reason):
    data = packet(ntp_packet.request(codec), NOW, NOW, last_set=last_set)
    if not reason:
        assert read(codec, data).stratum == 2
        return
    with pytest.raises(Unusable) as unusable:
        read(codec, data)
    assert reason in str(unusable.value)


def test_the_age_of_a_clock_is_told_across_the_end_of_an_era(codec):
    after = 2085978496.0 + 600      # 2036-02-07, 10 minutes into the next era
    data = packet(ntp_packet.request(codec), after, after, last_set=after - 3600)
    assert read(codec, data, sent_wall=after).stratum == 2
