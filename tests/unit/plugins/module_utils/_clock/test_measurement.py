# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is concluded from the sources (pure), and what a clock that is set during the run does to it (real sockets)."""

import itertools
import json
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import conclusion, measurement
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.clock import Anchor
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import BadOption
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.source import make_source
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._clock.clock_servers import (
    HttpsServer,
    NtpServer,
    dated,
    honest,
    packet,
    true_time,
)
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._clock.simulated import Simulated

HOST_TIME = 1488307191.123


def ntp(middle, radius=0.01, name=None, **more):
    name = name or 'ntp%g.test' % middle
    return make_source(name, 'ntp', '192.0.2.1:123', offset=middle, low=middle - radius, high=middle + radius,
                       samples=1, delay=0.01, stratum=2, private_address=False, _host_time=HOST_TIME, **more)


def https(middle, verified=True, dates=True, name='https://tenant.test/', radius=0.52):
    return make_source(name, 'https', '192.0.2.2:443', offset=middle, low=middle - radius, high=middle + radius,
                       samples=1, tls_verified=verified, tls_dates_checked=dates, _host_time=HOST_TIME)


def dead(name='dead.test', kind='ntp', silent=True):
    return make_source(name, kind, reason='no answer within 5.0 s', _silent=silent, _host_time=HOST_TIME)


def agent(middle):
    return conclusion.agent_source('tenant', middle - 1, middle + 1)


def accepted(result):
    return [source['accepted'] for source in result['sources']]


CASES = [
    # sources, verdict, direction, verified, who is accepted, a piece of the message
    ([ntp(0), ntp(0.001), ntp(-0.001)], 'in_sync', 'none', True, [1, 1, 1], 'clock is right'),
    ([ntp(0)], 'in_sync', 'none', False, [1], 'not verified'),
    ([ntp(0), ntp(0.001)], 'in_sync', 'none', False, [1, 1], '2 sources agree'),
    ([https(0.3)], 'in_sync', 'none', True, [1], '1 source agrees'),
    ([https(0.3, verified=False)], 'in_sync', 'none', False, [1], 'not verified'),
    ([ntp(90), ntp(90), ntp(90)], 'skewed', 'behind', True, [1, 1, 1], '1 min 30 s behind'),
    ([ntp(-90), https(-90.2)], 'skewed', 'ahead', True, [1, 1], '1 min 30 s ahead, give or take 10 ms'),
    ([ntp(3e8), https(3e8 + 0.2, dates=False)], 'skewed', 'behind', True, [1, 1], '9 y 187 d behind'),
    ([ntp(5, 0.5)], 'undecided', 'behind', False, [1], 'contains the max_skew'),
    ([ntp(-5, 0.5)], 'undecided', 'ahead', False, [1], 'contains the max_skew'),
    ([ntp(0, 6.0)], 'undecided', 'unknown', False, [1], 'contains the max_skew'),
    ([ntp(0), ntp(0.001), ntp(90)], 'in_sync', 'none', False, [1, 1, 0], '1 rejected'),
    ([ntp(0), ntp(90)], 'sources_disagree', 'unknown', False, [0, 0], 'none has a majority'),
    ([ntp(0), ntp(50), ntp(90)], 'sources_disagree', 'unknown', False, [0, 0, 0], 'none has a majority'),
    # A verified service is never outvoted.
    ([ntp(300), ntp(300), ntp(300), https(0)], 'sources_disagree', 'unknown', False, [0] * 4, 'differ by 5 min'),
    ([ntp(300), https(0)], 'sources_disagree', 'unknown', False, [0, 0], 'correct the NTP servers'),
    ([ntp(300), https(0, verified=False)], 'sources_disagree', 'unknown', False, [0, 0], 'none has a majority'),
    ([ntp(0), ntp(0), ntp(0), https(300, verified=False)], 'in_sync', 'none', True, [1, 1, 1, 0], '1 rejected'),
    ([https(0), https(300, name='https://b.test/')], 'sources_disagree', 'unknown', False, [0, 0], 'contradict'),
    # Sources that differ, and lead to the same verdict whichever of them is right.
    ([https(0), ntp(1.2), ntp(1.2), ntp(1.2)], 'in_sync', 'none', True, [1] * 4, '4 sources agree'),
    ([ntp(0.5), ntp(0.7)], 'in_sync', 'none', False, [1, 1], 'between 490 ms and 710 ms behind'),
    ([https(3601.5), ntp(3600), ntp(3600), ntp(3600)], 'skewed', 'behind', True, [1] * 4, 'which is more than the max_skew'),
    ([https(0), ntp(5.5), ntp(5.5), ntp(5.5)], 'sources_disagree', 'unknown', False, [0] * 4, 'differ by 5.50 s'),
    ([https(3620), ntp(3600), ntp(3600), ntp(3600)], 'sources_disagree', 'unknown', False, [0] * 4, 'differ by 20.0 s'),
    ([ntp(3600), ntp(3603)], 'sources_disagree', 'unknown', False, [0, 0], 'none has a majority'),
    ([ntp(4), ntp(-4)], 'in_sync', 'none', False, [1, 1], 'clock is right'),
    # Services that contradict each other prove nothing against NTP servers that agree with one of them.
    ([https(0), https(600, name='https://b.test/'), ntp(0), ntp(0.001), ntp(-0.001)], 'sources_disagree', 'unknown', False, [0] * 5,
     'https://b.test/ +600.000 s'),
    ([https(0), https(0.1, name='https://b.test/'), ntp(300), ntp(300), ntp(300)], 'sources_disagree', 'unknown', False, [0] * 5,
     'correct the NTP servers'),
    ([https(0), https(0.1, name='https://b.test/'), ntp(300)], 'in_sync', 'none', True, [1, 1, 0], '1 rejected'),
    # Who cannot be used.
    ([], 'unreachable', 'unknown', False, [], 'No source was queried'),
    ([dead(), dead('b.test')], 'unreachable', 'unknown', False, [0, 0], 'dead.test: no answer within 5.0 s'),
    ([dead(), https(0)], 'in_sync', 'none', True, [0, 1], 'clock is right'),
    ([ntp(0), ntp(90, name='falseticker.test'), ntp(90, name='falseticker2.test'), dead(), dead('b.test')], 'undecided', 'unknown',
     False, [0, 1, 1, 0, 0], 'between'),
    ([ntp(0), ntp(0.001), ntp(90), dead('ntp0.test')], 'in_sync', 'none', False, [1, 1, 0, 0], 'clock is right'),
    # Agents confirm, stand in, or show that AEM has another clock; they never vote.
    ([https(0), agent(0.4)], 'in_sync', 'none', True, [1, 1], '2 sources agree'),
    ([https(0), agent(90)], 'in_sync', 'none', True, [1, 0], '1 rejected'),
    ([ntp(0), agent(90), agent(90), agent(90)], 'in_sync', 'none', False, [1, 0, 0, 0], '3 rejected'),
    ([dead(), agent(90)], 'skewed', 'behind', False, [0, 1], 'not verified'),
    ([agent(-3600)], 'skewed', 'ahead', False, [1], 'not verified'),
    ([agent(5)], 'undecided', 'behind', False, [1], 'contains the max_skew'),
    ([agent(0), agent(90)], 'sources_disagree', 'unknown', False, [0, 0], 'agents'),
    ([ntp(0), ntp(90), agent(0)], 'sources_disagree', 'unknown', False, [0, 0, 0], 'none has a majority'),
]


@pytest.mark.parametrize('sources, verdict, direction, verified, who, message', CASES)
def test_conclusions(sources, verdict, direction, verified, who, message):
    before = json.dumps(sources, sort_keys=True)
    result = conclusion.conclude(sources, 5.0)
    assert json.dumps(sources, sort_keys=True) == before, 'it is pure'
    assert (result['verdict'], result['direction'], result['verified']) == (verdict, direction, verified)
    assert accepted(result) == [bool(yes) for yes in who]
    assert message in f"{result['message']} {result['advice']}"
    for source in result['sources']:
        assert (source['reason'] == '') == source['accepted'], 'each rejected source has a reason'
        assert not [key for key in source if key.startswith('_')]
    json.dumps(result, allow_nan=False)


def test_the_other_family_of_a_server_is_not_called_rejected():
    """Three dual-stack servers: their IPv6 addresses agree, and have no vote of their own."""
    other = [dict(ntp(0, name='ntp%d.test' % number), reason='not counted: its other family votes') for number in range(3)]
    result = conclusion.conclude([ntp(0, name='ntp%d.test' % number) for number in range(3)] + other, 5.0)
    assert result['message'].endswith('; 3 sources agree.')
    assert accepted(result) == [True] * 3 + [False] * 3


@pytest.mark.parametrize('sources', [case[0] for case in CASES])
def test_the_order_of_the_sources_does_not_matter(sources):
    verdicts = {conclusion.conclude(order, 5.0)['verdict'] for order in itertools.islice(itertools.permutations(sources), 24)}
    assert len(verdicts) == 1


def test_times_and_rounding():
    result = conclusion.conclude([ntp(100.12345678, 0.0000004)], 5)
    assert result['host_time'] == '2017-02-28T18:39:51.123Z'
    assert result['reference_time'] == '2017-02-28T18:41:31.246Z'
    assert result['offset'] == 100.123457
    assert result['low'] <= 100.12345638
    assert result['high'] >= 100.12345718
    assert conclusion.conclude([agent(0)], 5)['host_time'] is None


def test_dates_that_were_not_checked_are_told():
    assert conclusion.conclude([https(9, dates=False)], 5)['tls_dates_checked'] is False
    assert conclusion.conclude([https(9, dates=True)], 5)['tls_dates_checked'] is True
    both = conclusion.conclude([https(9, dates=False), https(9, name='https://b.test/')], 5)
    assert both['tls_dates_checked'] is False


def test_a_rejected_source_is_told_by_how_much_it_differs_from_the_median():
    result = conclusion.conclude([ntp(middle, 5.0) for middle in (0, 1, 2, 3, 4)] + [ntp(92)], 5)
    assert result['sources'][5]['reason'] == 'it differs by 1 min 30 s from the majority of the sources'


@pytest.mark.parametrize('sources, advice', [
    ([https(0)], ''), ([https(90)], 'Correct it'), ([ntp(0)], 'The result is not verified'),
    ([https(5)], 'Raise the option timeout')])
def test_what_to_do_next(sources, advice):
    said = conclusion.conclude(sources, 5)['advice']
    assert said.startswith(advice) and bool(said) is bool(advice)


def test_the_dates_of_an_agent_lie_in_the_middle_of_their_bounds():
    for low, high in (-1.0, 3.0), (-9.0, -7.0), (89.0, 91.0):
        source = conclusion.agent_source('tenant', low, high)
        assert (source['low'], source['offset'], source['high']) == (low, (low + high) / 2, high)


def test_an_agent_with_another_clock_is_told_by_how_much():
    result = conclusion.conclude([https(0), agent(3601.52)], 5)
    assert result['sources'][1]['reason'].startswith("AEM does not run on this host's clock")
    assert '1 h or more' in result['sources'][1]['reason']


offsets = st.floats(-1e8, 1e8)


@given(truth=offsets, honest_radii=st.lists(st.floats(1e-6, 2), min_size=1, max_size=6),
       lies=st.lists(st.tuples(offsets, st.floats(1e-6, 100)), max_size=5), silent=st.integers(0, 4),
       secured=st.booleans(), limit=st.floats(0.001, 1e6))
@settings(max_examples=500, deadline=None)
def test_no_minority_makes_a_wrong_verdict(truth, honest_radii, lies, silent, secured, limit):
    lies = lies[:len(honest_radii) + silent - 1]  # fewer than half of all; those that are silent are honest
    sources = [ntp(truth, radius, name='h%d' % i) for i, radius in enumerate(honest_radii)]
    sources += [ntp(middle, radius, name='l%d' % i) for i, (middle, radius) in enumerate(lies)]
    sources += [dead('s%d' % i) for i in range(silent)]
    if secured and len(lies) < len(honest_radii):
        sources.append(https(truth))
    result = conclusion.conclude(sources, limit)
    if result['low'] is not None:
        assert result['low'] <= truth <= result['high']
        assert result['low'] <= result['offset'] + 1e-6
        assert result['offset'] - 1e-6 <= result['high']
    if result['verdict'] == 'in_sync':
        assert abs(truth) <= limit + 1e-5
    elif result['verdict'] == 'skewed':
        assert abs(truth) >= limit - 1e-5
        assert result['direction'] == ('behind' if truth > 0 else 'ahead')


# Measuring


def test_both_kinds_are_asked_side_by_side(codec, authority):
    """Each answers only when the other one has been asked too."""
    asked_ntp, asked_https = threading.Event(), threading.Event()

    def answer(request, server):
        asked_ntp.set()
        return honest()(request, server) if asked_https.is_set() else []

    def date(number, head):
        asked_https.set()
        assert asked_ntp.wait(60)
        return dated()(number, head)
    with HttpsServer(date, *authority.issue('side')) as service, NtpServer(answer) as server:
        sources = measurement.measure({'ntp_servers': [server.name], 'https_urls': [service.url()], 'ca_path': authority.path,
                                       'timeout': 60}, codec)
    result = conclusion.conclude(sources, 5)
    assert accepted(result) == [True, True]
    assert [source['kind'] for source in result['sources']] == ['ntp', 'https']
    assert result['verified'] is True


def test_without_ntplib_the_servers_say_so():
    sources = measurement.measure({'ntp_servers': ['127.0.0.1', 'b.test'], 'https_urls': []}, None)
    assert [source['reason'] for source in sources] == ['ntplib is missing on the controller and on this host'] * 2


@pytest.mark.parametrize('options, said', [
    ({'max_skew': 0}, 'max_skew: 0'), ({'max_skew': -1}, 'max_skew: -1'), ({'max_skew': float('nan')}, 'max_skew: nan'),
    ({'timeout': 0}, 'timeout: 0'), ({'timeout': float('inf')}, 'timeout: inf'), ({'timeout': 3601}, 'timeout: 3601'),
    ({'ntp_servers': ['a b']}, "'a b'"), ({'ntp_servers': ['']}, 'has no host'),
    ({'ntp_servers': ['h:0']}, 'between 1 and 65535'), ({'ntp_servers': ['h:x']}, 'is not a number'),
    ({'ntp_servers': ['1:2:3']}, 'neither'), ({'ntp_servers': ['[h]:1']}, 'no IPv6 address'),
    ({'ntp_servers': ['http://h']}, 'is not a number'), ({'https_urls': ['http://h']}, 'not an https'),
])
def test_options_that_cannot_be_used_are_an_error_before_anything(options, said):
    with pytest.raises(BadOption) as caught:
        measurement.measure(options, None)
    assert said in str(caught.value)


@pytest.fixture
def world(virtual, monkeypatch):
    """A simulated network, and a host that has no threads left: so one thing happens after the other."""
    def none_left(*_arguments, **_more):
        raise RuntimeError("can't start new thread")
    monkeypatch.setattr(measurement.threading, 'Thread', none_left)
    return Simulated(virtual)


class MovingClock:
    """A wall clock that is set after a while."""

    def __init__(self, world, *steps):
        self.line, self.began, self.steps = world.line, world.line.monotonic(), steps

    def wall(self):
        gone = self.line.monotonic() - self.began
        return true_time() + sum(by for after, by in self.steps if gone >= after)

    def anchor(self):
        return Anchor(wall=self.wall, monotonic=self.line.monotonic, raw=self.line.monotonic)


def measure(world, codec, clock, servers, timeout):
    return measurement.measure({'ntp_servers': [server.name for server in servers], 'timeout': timeout}, codec,
                               make_anchor=clock.anchor, network=world.network)


@pytest.mark.parametrize('step', [3600.0, -86400.0, 0.05])
def test_a_clock_that_is_set_during_the_run_is_measured_again(world, codec, step):
    clock = MovingClock(world, (0.1, step))
    began = true_time()
    sources = measure(world, codec, clock, [world.server(honest(), delay=0.05), world.server(honest(), delay=0.05)], 3)
    assert true_time() - began < 1
    result = conclusion.conclude(sources, 5)
    assert result['low'] <= -step <= result['high']
    assert result['offset'] == pytest.approx(-step, abs=0.001)


def test_a_clock_that_is_set_while_an_answer_is_awaited_ends_the_wait(codec):
    """With threads and sockets: the second server says nothing in the first run, and all there is to do is to wait."""
    with NtpServer(honest()) as one, NtpServer(lambda request, server: honest()(request, server) if stepped() else []) as two:
        def stepped():
            return len(two.requests) > 2
        sources = measurement.measure({'ntp_servers': [one.name, two.name], 'timeout': 120}, codec,
                                      make_anchor=lambda: Anchor(wall=lambda: true_time() + 500 * stepped()))
    result = conclusion.conclude(sources, 5)
    assert result['verdict'] == 'skewed', 'undecided is what it would be after the whole time'
    assert result['low'] <= -500 <= result['high']


def test_a_clock_that_is_set_when_no_time_is_left_is_undecided(world, codec):
    clock = MovingClock(world, (0.45, -300.0))
    sources = measure(world, codec, clock, [world.server(honest(), delay=0.05), world.server(lambda *_unused: [])], 0.6)
    result = conclusion.conclude(sources, 5)
    assert result['verdict'] == 'undecided'
    assert result['offset'] is None
    assert 'clock was set by 5 min while it was being measured' in result['message']
    assert accepted(result) == [False, False]
    assert 'clock was set' in result['sources'][0]['reason']


def test_a_clock_that_is_set_all_the_time_ends_undecided_and_strangers_are_not_pestered(world, codec):
    clock = MovingClock(world, *[(0.2 * i, 10.0) for i in range(1, 30)])
    silent = world.server(lambda *_unused: [])
    sources = measure(world, codec, clock, [world.server(honest(), delay=0.15), silent], 3)
    assert len(silent.requests) < 60
    assert conclusion.conclude(sources, 5)['verdict'] == 'undecided'


def test_a_kiss_code_holds_for_the_second_run_too(world, codec):
    clock = MovingClock(world, (0.3, 100.0))

    def script(request, _server):
        return [packet(request, true_time(), true_time(), stratum=0, reference=b'DENY')]
    kissing = world.server(script)
    slow = world.server(honest(), delay=0.2)
    sources = measure(world, codec, clock, [kissing, slow], 3)
    assert len(slow.requests) > 8, 'there was a second run'
    assert len(kissing.requests) == 1
    assert 'kiss code' in sources[0]['reason']


def test_one_step_of_a_slewing_daemon_widens_the_interval():
    raw = iter([0.0, 10.0])
    now = [100.0]
    anchor = Anchor(wall=lambda: now[0], monotonic=lambda: now[0], raw=lambda: next(raw))
    now[0] = 110.005
    assert anchor.drift_rate() == pytest.approx(0.0005)


def test_a_part_that_fails_as_nobody_has_thought_of_is_a_reason_not_an_error(codec):
    def fails(*_unused):
        raise MemoryError('no room')
    sources = measurement.measure({'ntp_servers': ['127.0.0.1:9'], 'timeout': 60}, codec,
                                  network=measurement.ntp_client.Network(selector=fails))
    assert sources[0]['reason'] == 'it could not be asked (MemoryError: no room)'
