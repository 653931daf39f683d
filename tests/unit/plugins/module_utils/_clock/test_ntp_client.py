# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking servers that are honest, hostile, broken, silent and slow, on a simulated network.

For each hostile server: what is said of it, that it does not sway three truechimers, and what it costs in time.
test_ntp_sockets.py asks real sockets.
"""

import os
import socket

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import (
    conclusion,
    measurement,
    ntp_peer,
    resolver,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.era import ntp_timestamp
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._clock.clock_servers import (
    honest,
    host_clock,
    packet,
    true_time,
)
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._clock.simulated import Simulated

BEHIND = 100.0  # the host of most tests, in seconds


@pytest.fixture
def world(virtual):
    return Simulated(virtual)


def ask(world, codec, servers, timeout=1.0, behind=BEHIND, **options):
    """(skew, seconds it took)"""
    world.behind = behind
    began = true_time()
    names = [server if isinstance(server, str) else server.name for server in servers]
    sources = measurement.measure(dict(options, ntp_servers=names, timeout=timeout), codec,
                                  make_anchor=host_clock(behind, stamped=True), network=world.network)
    took = true_time() - began
    assert took <= timeout, 'the deadline holds'
    return conclusion.conclude(sources, options.get('max_skew', 5.0)), took


def of(skewed, server):
    return next(source for source in skewed['sources'] if source['source'] == server.name)


def test_three_honest_servers_tell_the_offset_quickly(world, codec):
    servers = world.honest(3)
    result, took = ask(world, codec, servers)
    assert result['verdict'] == 'skewed'
    assert result['direction'] == 'behind'
    assert result['verified'] is True
    assert result['low'] <= BEHIND <= result['high']
    assert result['offset'] == pytest.approx(BEHIND, abs=0.002)
    assert took < 0.5
    assert {source['samples'] for source in result['sources']} == {8}


def reply(**fields):
    def script(request, _server):
        now = true_time()
        return [packet(request, now, now, **fields)]
    return script


def raw(make):
    """A script that answers with make(request)."""
    return lambda request, _server: [make(request)]


def flood(request, server):
    """The kind of storm that made a naive client wait for ever: strays without end."""
    stray = packet(request, true_time(), true_time(), originate=os.urandom(8))
    for _stray in range(300):
        server.send(stray)
    return []


def late(request, server):
    now = true_time()
    server.later(1.3, lambda: server.send(packet(request, now, now)))
    return []


def stepping(seconds):
    def script(request, server):
        now = true_time() + (seconds if len(server.requests) > 3 else 0)
        return [packet(request, now, now)]
    return script


def goes_mad(**fields):
    """Honest at first."""
    def script(request, server):
        now = true_time()
        return [packet(request, now, now, **(fields if len(server.requests) > 2 else {}))]
    return script


SILENT = 'no answer within'
HOSTILE = {
    'kiss DENY': (reply(stratum=0, reference=b'DENY'), 'kiss code DENY'),
    'kiss RATE': (reply(stratum=0, reference=b'RATE'), 'kiss code RATE'),
    'kiss nonsense': (reply(stratum=0, reference=b'\x00\x1b[A'), 'kiss code [A'),
    'leap 3': (reply(leap=3), 'leap indicator 3'),
    'stratum 16': (reply(stratum=16), 'stratum 16'),
    'stratum 200': (reply(stratum=200), 'stratum 200'),
    'mode 0': (reply(mode=0), 'mode 0'),
    'mode 1': (reply(mode=1), 'mode 1'),
    'mode 2': (reply(mode=2), 'mode 2'),
    'mode 3': (reply(mode=3), 'mode 3'),
    'mode 5': (reply(mode=5), 'mode 5'),
    'mode 6': (reply(mode=6), 'mode 6'),
    'mode 7': (reply(mode=7), 'mode 7'),
    'version 7': (reply(version=7), 'version 7'),
    'echo of the request': (raw(lambda request: request), SILENT),
    'zero originate': (reply(originate=bytes(8)), SILENT),
    'forged originate': (reply(originate=b'\xee' * 8), SILENT),
    'zero transmit': (raw(lambda request: packet(request, true_time(), 0)), 'transmit timestamp is zero'),
    'zero receive': (raw(lambda request: packet(request, 0, true_time())), 'receive timestamp is zero'),
    'T3 before T2': (raw(lambda request: packet(request, true_time(), true_time() - 1)), 'before the request arrived'),
    'held too long': (raw(lambda request: packet(request, true_time() - 9, true_time())), 'negative delay'),
    'root distance 20 s': (reply(root_dispersion=20), 'root distance 20'),
    'last set 37 h ago': (raw(lambda request: packet(request, true_time(), true_time(), last_set=true_time() - 37 * 3600)),
                          'last set 1 d 13 h ago'),
    'last set in its future': (raw(lambda request: packet(request, true_time(), true_time(), last_set=true_time() + 60)),
                               'reference timestamp in the future'),
    'short': (raw(lambda request: packet(request, true_time(), true_time())[:47]), SILENT),
    'empty': (raw(lambda _request: b''), SILENT),
    'random': (raw(lambda _request: os.urandom(48)), SILENT),
    'random and long': (raw(lambda _request: os.urandom(1400)), SILENT),
    'flood of strays': (flood, 'datagrams that answered no request'),
    'silent': (lambda _request, _server: [], SILENT),
    'after the deadline': (late, SILENT),
    'stepping by 20 s during the run': (stepping(20), 'its clock moved by 19.9'),
    'stepping back by 0.1 s during the run': (stepping(-0.1), 'its clock moved by 0.09'),
    'loses its own source during the run': (goes_mad(leap=3), 'leap indicator 3'),
    'era 2 lie': (raw(lambda request: packet(request, ntp_timestamp(true_time()) ^ 1 << 63,
                                             ntp_timestamp(true_time()) ^ 1 << 63)), 'differs by'),
    '90 s off': (honest(90), 'differs by 1 min 30 s'),
    'smeared by 1 s': (honest(-1), 'differs by 1.00 s'),
}


@pytest.mark.parametrize('name', sorted(HOSTILE))
def test_a_hostile_server_beside_three_honest_ones(world, codec, name, record_property):
    script, reason = HOSTILE[name]
    servers, hostile = world.honest(3), world.server(script)
    result, took = ask(world, codec, servers + [hostile], timeout=1.2)
    record_property('seconds', round(took, 3))
    told = of(result, hostile)
    assert reason in told['reason']
    assert told['accepted'] is False
    assert result['verdict'] == 'skewed'
    assert result['low'] <= BEHIND <= result['high']
    assert result['high'] - result['low'] < 0.1
    assert sum(source['accepted'] for source in result['sources']) == 3
    if reason not in (SILENT, 'datagrams that answered no request'):
        assert took < 0.7, 'only a silent server is waited for'


@pytest.mark.parametrize('name', sorted(set(HOSTILE) - {'90 s off', 'smeared by 1 s', 'era 2 lie'}))
def test_a_hostile_server_alone_is_not_believed(world, codec, name):
    script, reason = HOSTILE[name]
    hostile = world.server(script)
    result, _took = ask(world, codec, [hostile], timeout=0.6)
    assert result['verdict'] == 'unreachable'
    assert result['offset'] is None
    assert result['verified'] is False
    assert reason in of(result, hostile)['reason']
    assert hostile.name in result['message']


@pytest.mark.parametrize('tail', [b'\x00' * 4, os.urandom(20), os.urandom(1400)], ids=['4', '20', '1400'])
def test_extension_fields_and_signatures_do_not_matter(world, codec, tail):
    server = world.server(raw(lambda request: packet(request, true_time(), true_time()) + tail))
    result, _took = ask(world, codec, [server])
    assert result['verdict'] == 'skewed'


def test_a_kiss_code_ends_the_asking_and_keeps_what_was_learned(world, codec):
    server = world.server(goes_mad(stratum=0, reference=b'RATE'))
    result, took = ask(world, codec, [server])
    world.settle(0.3)
    asked = len(server.requests)
    assert result['verdict'] == 'skewed'
    assert took < 0.3
    assert asked <= 5, 'no more than were under way'


def test_a_reply_counts_once(world, codec):
    def script(request, _server):
        now = true_time()
        return [packet(request, now, now)] * 5
    server = world.server(script)
    result, _took = ask(world, codec, [server])
    assert of(result, server)['samples'] == 8


def test_a_name_that_does_not_resolve(world, codec):
    world.names['nowhere.test'] = (0.05, 'the name does not resolve (Name or service not known)')
    servers = world.honest(3)
    result, took = ask(world, codec, servers + ['nowhere.test'], timeout=3)
    assert 'does not resolve (Name or service not known)' in result['sources'][-1]['reason']
    assert result['verdict'] == 'skewed'
    assert took < 0.6


def test_a_resolver_that_hangs_does_not_cost_the_deadline(world, codec):
    world.names['slow.test'] = (5.0, [])
    result, took = ask(world, codec, ['slow.test'], timeout=0.5)
    assert 'not resolved within 0.5 s' in result['sources'][0]['reason']
    assert 0.45 < took < 0.5, 'a little is left for the report'
    servers = world.honest(3)
    result, took = ask(world, codec, servers + ['slow.test'], timeout=4)
    assert result['verdict'] == 'skewed'
    assert took < 1.4, 'three that agree need not wait for it'


@pytest.mark.parametrize('name', ['a..b', 'x' * 64 + '.test', '.'])
def test_names_that_no_resolver_takes(world, codec, name):
    result, _took = ask(world, codec, [name])
    assert 'does not resolve' in result['sources'][0]['reason']


def test_of_ten_addresses_four_are_asked_and_each_has_a_vote(world, codec):
    servers = world.honest(10)
    world.names['pool.test'] = (0.01, [('127.0.0.1', server.port) for server in servers])
    result, _took = ask(world, codec, ['pool.test'])
    assert [bool(server.requests) for server in servers] == [True] * 4 + [False] * 6
    assert [source['accepted'] for source in result['sources']] == [True] * 4
    assert result['verified'] is True


def test_two_names_of_one_address_have_one_vote(world, codec):
    falseticker = world.server(honest(90))
    good = world.server(honest())
    other = world.server(honest())
    world.names.update((name, (0.01, [('127.0.0.1', falseticker.port)])) for name in ('a.test', 'b.test', 'c.test'))
    result, _took = ask(world, codec, ['a.test', 'b.test', 'c.test', good, other])
    assert result['low'] <= BEHIND <= result['high']
    assert result['verified'] is False
    reasons = [source['reason'] for source in result['sources'] if source['source'] in ('a.test', 'b.test', 'c.test')]
    assert sum('asked and counted once' in reason for reason in reasons) == 2


@pytest.mark.parametrize('names', [['a.test'], ['a.test', 'b.test', 'c.test']])
def test_one_server_with_several_addresses_has_one_vote(world, codec, names):
    """All of them show when its clock was last set. One that is wrong must not be a majority."""
    def same(request, _server):
        return [packet(request, true_time() + 90, true_time() + 90, last_set=true_time_of_last_set)]
    true_time_of_last_set = true_time() - 33.4375 + 90
    lying = [world.server(same, delay=0.001 * number) for number in (2, 1, 3)]
    addresses = [('127.0.0.1', server.port) for server in lying]
    world.names.update({'a.test': (0.01, addresses)} if len(names) == 1 else
                       {name: (0.01, [address]) for name, address in zip(names, addresses)})
    result, _took = ask(world, codec, names + world.honest(2))
    assert result['low'] <= BEHIND <= result['high']
    assert result['verified'] is False
    reasons = sorted(source['reason'] for source in result['sources'] if source['source'] in names)
    assert [reason.startswith('not counted: its clock was last set at the same moment') for reason in reasons] == [
        False, True, True]
    assert '127.0.0.1:{0}'.format(lying[1].port) in reasons[1], 'the fastest of them votes'


def test_a_falseticker_that_copies_when_another_clock_was_set_takes_no_vote(world, codec):
    last_set = true_time() - 33.4375
    good = [world.server(honest(last_set=last_set + number), delay=0.002) for number in range(2)]
    bad = world.server(lambda request, _server: [packet(request, true_time() + 90, true_time() + 90, last_set=last_set)])
    result, _took = ask(world, codec, [*good, bad])
    assert result['low'] <= BEHIND <= result['high']
    assert not [source for source in result['sources'] if source['reason'].startswith('not counted')]


def test_servers_of_one_radio_clock_that_ticks_seconds_are_several(world, codec):
    """A reference timestamp without a fraction is that of the second, which they all have in common."""
    second = true_time() // 1
    servers = [world.server(honest(last_set=second, stratum=1, reference=b'GPS\0')) for _number in range(3)]
    result, _took = ask(world, codec, servers)
    assert result['verified'] is True


def test_both_families_are_asked_and_one_votes(world, codec):
    four = world.server(honest())
    six = world.server(honest(), host='::1')
    other = world.server(honest(3))
    world.names['dual.test'] = (0.01, [('::1', six.port), ('127.0.0.1', four.port)])
    result, _took = ask(world, codec, ['dual.test', other])
    assert four.requests
    assert six.requests
    assert result['verdict'] == 'sources_disagree', 'its own two addresses are no majority'
    assert sum('its other family votes' in source['reason'] for source in result['sources']) == 1


def test_the_family_that_answers_votes(world, codec):
    four = world.server(lambda *_unused: [])
    six = world.server(honest(), host='::1')
    world.names['dual.test'] = (0.01, [('127.0.0.1', four.port), ('::1', six.port)])
    result, _took = ask(world, codec, ['dual.test', six.name])
    assert result['verdict'] == 'skewed'


def test_a_majority_of_liars_that_agree_wins_and_one_that_does_not_agree_decides_nothing(world, codec):
    good = world.server(honest())
    bad = world.server(honest(50))
    worse = world.server(honest(-70))
    result, took = ask(world, codec, [good, bad, worse])
    assert result['verdict'] == 'sources_disagree'
    assert result['offset'] is None
    assert took < 0.6, 'more samples could not tell more'
    assert all('no majority' in source['reason'] for source in result['sources'])


def test_two_liars_and_two_that_are_lost_do_not_make_a_wrong_answer(world, codec):
    good = world.server(honest())
    falseticker = world.server(honest(90))
    other = world.server(honest(90))
    lost = world.server(lambda *_unused: [])
    lost_too = world.server(lambda *_unused: [])
    result, _took = ask(world, codec, [good, falseticker, other, lost, lost_too], timeout=1.5, behind=0)
    assert result['low'] <= 0 <= result['high']
    assert result['verdict'] == 'undecided'


def test_a_silent_server_is_waited_for_until_the_deadline_while_it_could_matter(world, codec):
    one = world.server(honest())
    two = world.server(honest())
    silent = world.server(lambda *_unused: [])
    result, took = ask(world, codec, [one, two, silent], timeout=1.5)
    assert result['verdict'] == 'skewed'
    assert 1.4 < took < 1.5
    assert len(silent.requests) >= 10


@pytest.mark.parametrize('stamped', [True, False])
def test_a_host_too_busy_to_read_is_none_the_worse(world, codec, stamped):
    """Replies that lie in the socket for 40 ms have not been on their way for 40 ms; without stamps they seem to."""
    world.busy = 0.04
    servers = world.honest(3)
    world.behind = BEHIND
    sources = measurement.measure({'ntp_servers': [server.name for server in servers]}, codec,
                                  make_anchor=host_clock(BEHIND, stamped), network=world.network)
    for source in sources:
        assert source['samples'] > 1
        assert (source['delay'] < 0.001) is stamped
        assert (abs(source['offset'] - BEHIND) < 0.001) is stamped
        assert source['low'] <= BEHIND <= source['high']


def test_loss_is_made_good_by_asking_again(world, codec):
    servers = [world.server(honest(), delay=0.01, loss=0.3, seed=seed) for seed in range(5)]
    result, took = ask(world, codec, servers, timeout=3)
    assert result['low'] <= BEHIND <= result['high']
    assert all(source['accepted'] for source in result['sources'])
    assert took < 1.5


def test_the_threshold_within_the_interval_is_asked_about_until_the_deadline(world, codec):
    server = world.server(honest(root_dispersion=0.5))
    result, took = ask(world, codec, [server], timeout=1, behind=5.1)
    asked = len(server.requests)
    assert result['verdict'] == 'undecided'
    assert result['direction'] == 'behind'
    assert 'contains the max_skew of 5 s' in result['message']
    assert 8 < asked < 25
    assert took > 0.9


def test_more_samples_decide(world, codec):
    def narrowing(request, server):
        now = true_time()
        return [packet(request, now, now, root_dispersion=0.5 if len(server.requests) <= 8 else 0.001)]
    server = world.server(narrowing)
    result, took = ask(world, codec, [server], timeout=3, behind=5.1)
    assert result['verdict'] == 'skewed'
    assert took < 1


@pytest.mark.parametrize('address, samples, least_pause', [
    ('8.8.8.8', 1, 2.0), ('2001:4860::1', 1, 2.0), ('10.1.2.3', 4, 0.05),
    ('169.254.169.123', 4, 0.05), ('fd00::1', 4, 0.05), ('127.0.0.1', 8, 0.025),
])
def test_manners(address, samples, least_pause):
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    peer = ntp_peer.Peer('name', resolver.Address(family, (address, 123)))
    assert peer.pace.samples == samples
    assert peer.pace.spacing == least_pause


def test_a_public_server_is_asked_once_and_again_after_two_seconds_only_in_doubt(world, codec):
    servers = [world.server(honest(), host='8.8.8.%d' % number) for number in range(3)]
    ask(world, codec, servers, timeout=3)
    assert [len(server.requests) for server in servers] == [1, 1, 1]
    result, _took = ask(world, codec, servers, timeout=2.6, max_skew=BEHIND)
    assert result['verdict'] == 'undecided'
    for server in servers:
        moments = [moment for moment, _request in server.requests[1:]]
        assert len(moments) == 2
        assert moments[1] - moments[0] >= 1.99


def test_a_near_server_that_answers_one_request_only_is_not_pestered(world, codec):
    def limited(request, server):
        now = true_time()
        return [packet(request, now, now)] if len(server.requests) == 1 else []
    server = world.server(limited, host='10.1.2.3')
    result, took = ask(world, codec, [server], timeout=3)
    assert len(server.requests) == 2
    assert result['verdict'] == 'skewed'
    assert took < 0.8
    silent = world.server(lambda *_unused: [], host='10.1.2.4')
    server.requests.clear()
    ask(world, codec, [server, silent], timeout=1.6)
    assert len(server.requests) == 2, 'nor while another one is waited for'


def test_the_host_clock_does_not_matter(world, codec):
    servers = world.honest(3)
    for host in (86400, 1488307191, 2082672000, 2086041600, 2208988800, 4291747200):  # 1970 ... 2106
        behind = true_time() - host
        result, _took = ask(world, codec, servers, behind=behind)
        assert result['offset'] == pytest.approx(behind, abs=0.005)
        assert result['verdict'] == 'skewed'
        assert result['direction'] == ('behind' if behind > 0 else 'ahead')
