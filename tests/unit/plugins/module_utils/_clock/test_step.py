# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Setting the clock: when it is refused, what is set, what the second measurement must say. On a fake clock."""

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import conclusion, measurement
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import step as stepping
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.clock import Anchor
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import BadOption, CannotSetClock, ClockError
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.source import make_source
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.step import StepRefused, SystemCalls, refusal, step
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._clock.clock_servers import (
    honest,
    host_clock,
    true_time,
)
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._clock.simulated import Simulated

OPTIONS = {'ntp_servers': [], 'https_urls': [], 'max_skew': 5.0, 'timeout': 1.0, 'max_step': 0.0,
           'accept_unverified': False}
RTC = {'device': '/dev/rtc0', 'written': True, 'reason': ''}


class FakeHost:
    """A host with a clock that is so many seconds behind, and a record of what is done to it."""

    def __init__(self, behind, servers, refuses=None, sets_back=False):
        self.world = servers[0].world if servers else None
        self.behind, self.servers, self.refuses, self.sets_back = behind, servers, refuses, sets_back
        self.stepped, self.rtc_written, self.slept, self.measured = [], 0, [], 0

    def anchor(self):
        return host_clock(self.behind)()

    def measure(self, options, codec, wanted_width):
        self.measured += 1
        return measurement.measure_on_anchor(dict(options, ntp_servers=[server.name for server in self.servers]), codec,
                                             wanted_width, self.anchor, *([self.world.network] if self.world else []))

    def step_clock(self, offset, anchor):
        self.stepped.append(offset)
        if not self.sets_back:
            self.behind = true_time() - (anchor.now() + offset)

    def write_rtc(self, utc=False):
        self.rtc_written += 1
        self.rtc_utc = utc
        return RTC

    @property
    def hands(self):
        return SystemCalls(self.measure, lambda: self.refuses, self.step_clock, self.write_rtc, lambda: '/dev/rtc0',
                           self.slept.append)


@pytest.fixture
def world(virtual):
    return Simulated(virtual)


@pytest.fixture
def servers(world):
    return world.honest(3)


@pytest.mark.parametrize('behind', [3e8, -3e8, 60.0, -60.0])
def test_a_wrong_clock_is_set_and_proven_right(codec, servers, behind):
    host = FakeHost(behind, servers)
    result = step(OPTIONS, codec, False, host.hands)
    assert result['changed'] is True
    assert host.stepped == [pytest.approx(behind, abs=0.01)]
    assert abs(host.behind) < 0.01
    assert (result['before']['verdict'], result['after']['verdict']) == ('skewed', 'in_sync')
    assert result['after']['sources'], 'the second measurement is a real one'
    assert (host.measured, host.rtc_written) == (2, 1)
    assert result['rtc'] == RTC
    assert '%+.0f' % behind in result['diff']['before']
    assert 'skewed' in result['diff']['before']
    assert 'in_sync' in result['diff']['after']


def test_a_right_clock_is_left_alone(codec, servers):
    host = FakeHost(1.0, servers)
    result = step(OPTIONS, codec, False, host.hands)
    assert result['changed'] is False
    assert (host.stepped, host.rtc_written) == ([], 0)
    assert result['before'] == result['after']
    assert result['diff']['before'] == result['diff']['after']
    assert result['rtc']['written'] is False


def test_check_mode_measures_decides_and_changes_nothing(codec, servers):
    host = FakeHost(90.0, servers)
    result = step(OPTIONS, codec, True, host.hands)
    assert result['changed'] is True
    assert (host.stepped, host.rtc_written, host.measured) == ([], 0, 1)
    assert result['after']['offset'] == 0.0
    assert result['after']['host_time'] == result['before']['reference_time']
    assert 'would be set by +90.0' in result['after']['message']
    assert len(result['actions']) == 1 and result['actions'][0].startswith('would set the clock by +90.0')
    assert result['diff']['before'] != result['diff']['after']


@pytest.mark.parametrize('check_mode', [False, True])
@pytest.mark.parametrize('how, options, said', [
    ({'servers': 0}, {}, 'No source was queried'),
    ({'servers': 1}, {}, 'accept_unverified'),
    ({'servers': 2}, {}, 'accept_unverified'),
    ({'servers': 3}, {'max_step': 89.0}, 'more than the max_step of 89 s'),
    ({'servers': 3, 'refuses': "This host's clock belongs to X"}, {}, "This host's clock belongs to X"),
    ({'servers': 3, 'behind': 5.0}, {}, 'nothing proves how wrong it is'),
])
def test_refusals(codec, servers, how, options, said, check_mode):
    host = FakeHost(how.get('behind', 90.0), servers[:how['servers']], how.get('refuses'))
    with pytest.raises(StepRefused) as caught:
        step(dict(OPTIONS, **options), codec, check_mode, host.hands)
    assert said in str(caught.value) + caught.value.advice
    assert caught.value.advice not in str(caught.value) or not caught.value.advice
    assert (host.stepped, host.rtc_written) == ([], 0)
    assert caught.value.details['changed'] is False
    assert caught.value.details['before']['verdict']


def test_unverified_can_be_accepted_and_a_step_just_short_of_the_limit(codec, servers):
    host = FakeHost(90.0, servers[:1])
    result = step(dict(OPTIONS, accept_unverified=True, max_step=90.5), codec, False, host.hands)
    assert result['changed'] is True


def test_sources_that_disagree_set_nothing(world, codec):
    host = FakeHost(0, [world.server(honest(90)), world.server(honest(200))])
    with pytest.raises(StepRefused, match='contradict each other'):
        step(dict(OPTIONS, accept_unverified=True), codec, False, host.hands)
    assert host.stepped == []


def test_a_clock_that_is_set_back_is_a_failure_that_has_changed_something(codec, servers):
    host = FakeHost(90.0, servers, sets_back=True)
    with pytest.raises(StepRefused, match='the measurement afterwards does not show that it is right') as caught:
        step(OPTIONS, codec, False, host.hands)
    details = caught.value.details
    assert details['changed'] is True
    assert details['after']['verdict'] == 'skewed'
    assert 'was set by +90.0' in str(caught.value)


def test_sources_that_fall_silent_after_the_step_are_asked_once_more(codec, servers):
    host = FakeHost(90.0, servers)
    original = host.measure
    host.measure = lambda *arguments: measurement.Measurement([], Anchor()) if host.measured == 1 and not host.slept[1:] \
        else original(*arguments)
    result = step(OPTIONS, codec, False, host.hands)
    assert result['after']['verdict'] == 'in_sync'
    assert host.slept == [0.0, 2.0]


def test_strangers_are_not_asked_again_at_once(codec, servers, monkeypatch):
    host = FakeHost(90.0, servers)
    original = host.measure

    def public(*arguments):
        measurement = original(*arguments)
        for source in measurement.sources:
            source['private_address'] = False
        return measurement
    host.measure = public
    step(OPTIONS, codec, False, host.hands)
    assert host.slept == [2.0]


def test_a_kernel_that_refuses_is_told(codec, servers):
    host = FakeHost(90.0, servers)

    def refuses(_offset, _anchor):
        raise CannotSetClock('The system refused to set its clock')
    host.step_clock = refuses
    with pytest.raises(StepRefused, match='refused to set its clock') as caught:
        step(OPTIONS, codec, False, host.hands)
    assert host.rtc_written == 0
    assert caught.value.details['changed'] is False
    assert caught.value.details['before']['verdict'] == 'skewed'


@pytest.mark.parametrize('misread', [True, False])
def test_a_hardware_clock_that_was_read_in_the_wrong_mode_is_written_in_utc(codec, servers, misread):
    host = FakeHost(7200.0, servers)
    step(OPTIONS, codec, False, host.hands._replace(rtc_misread=lambda offset: misread and abs(offset - 7200) < 1))
    assert host.rtc_utc is misread


class Recorded(stepping.StepHooks):
    """What step asks of its companion, in order."""

    def __init__(self, host, fails=''):
        super().__init__()
        self.host, self.fails, self.asked = host, fails, []

    def _note(self, name):
        self.asked.append((name, len(self.host.stepped)))
        if name == self.fails:
            raise ClockError('%s went wrong' % name)

    def inspect(self):
        self._note('inspect')

    def predict(self, _offset):
        self._note('predict')
        return 'X would be stopped.'

    def stopped_during(self, offset, act):
        self._note('before')
        act()
        self._note('after')

    def recover(self, _check_mode):
        self._note('recover')
        return 'X was stopped.'


@pytest.mark.parametrize('behind, check_mode, refuses, asked', [
    (90.0, False, None, [('inspect', 0), ('before', 0), ('after', 1), ('recover', 1)]),
    (90.0, True, None, [('inspect', 0), ('predict', 0), ('recover', 0)]),
    (1.0, False, None, [('inspect', 0), ('recover', 0)]),
    (90.0, False, 'It is not ours', [('inspect', 0), ('recover', 0)]),
])
def test_nothing_is_stopped_before_all_is_decided(codec, servers, behind, check_mode, refuses, asked):
    host = FakeHost(behind, servers, refuses)
    companion = Recorded(host)
    try:
        said = step(OPTIONS, codec, check_mode, host.hands, companion)['msg']
    except StepRefused as refused:
        said = str(refused)
    assert companion.asked == asked
    assert said.endswith('X was stopped.')
    assert ('X would be stopped.' in said) is check_mode


class Stopping(stepping.StepHooks):
    """A companion that stops X for every step, or finds it left stopped."""

    def would_stop(self, _offset):
        return ['X.service']

    def stopped_during(self, _offset, act):
        act()
        self.stopped.update(units=['X.service'], seconds=4.1)

    def recover(self, _check_mode):
        self.changed = bool(self.stopped['units'])
        return ''


@pytest.mark.parametrize('check_mode, seconds', [(True, 0.0), (False, 4.1)])
def test_what_is_stopped_is_in_the_result_and_in_the_diff_before_it_happens_too(codec, servers, check_mode, seconds):
    host = FakeHost(90.0, servers)
    result = step(OPTIONS, codec, check_mode, host.hands, Stopping())
    assert result['stopped'] == {'units': ['X.service'], 'seconds': seconds, 'not_started': []}
    assert result['diff']['before'].endswith('X.service: running\n')
    assert result['diff']['after'].endswith('X.service: running -> stopped -> running\n')


def test_what_an_earlier_run_left_stopped_is_in_the_diff_as_that(codec, servers):
    companion = Stopping()
    companion.stopped = {'units': ['X.service'], 'seconds': 0.0}
    result = step(OPTIONS, codec, False, FakeHost(0.0, servers).hands, companion)
    assert result['diff']['before'].endswith('X.service: stopped\n') and result['diff']['after'].endswith('X.service: running\n')


@pytest.mark.parametrize('fails, changed', [('before', False), ('after', True), ('recover', True)])
def test_what_goes_wrong_around_the_step_is_told_with_what_was_done(codec, servers, fails, changed):
    host = FakeHost(90.0, servers)
    with pytest.raises(StepRefused, match='%s went wrong' % fails) as caught:
        step(OPTIONS, codec, False, host.hands, Recorded(host, fails))
    assert caught.value.details['changed'] is changed
    assert caught.value.details['before']['verdict'] == 'skewed'
    assert host.rtc_written == changed, 'a clock that was set is written to the hardware clock, whatever else went wrong'


def test_one_of_two_times_is_not_set():
    """One answer of a cache, which may count with its Age or without: the middle of both is certainly wrong."""
    source = make_source('https://a.test/', 'https', offset=3800, low=3600.0, high=4030.0, tls_verified=True,
                         tls_dates_checked=True)
    measured = conclusion.conclude([source], 5)
    assert measured['verdict'] == 'skewed'
    refused = refusal(measured, 0, False)
    assert 'between 1 h and 1 h 7 min behind' in str(refused)
    assert 'ntp_servers' in refused.advice
    assert refusal(dict(measured, max_skew=300.0), 0, False) is None, 'precise enough for this user'


@pytest.mark.parametrize('max_step', [-1, float('nan'), float('inf')])
def test_bad_options(max_step):
    with pytest.raises(BadOption, match='max_step'):
        step(dict(OPTIONS, max_step=max_step), None, False, FakeHost(0, []).hands)


def test_the_decision_is_about_the_interval():
    sources = [make_source('n%d' % i, 'ntp', offset=100, low=99.0, high=101.0) for i in range(3)]
    measured = conclusion.conclude(sources, 5)
    assert 'it is up to 101 s behind, more than the max_step of 100.5 s' in str(refusal(measured, 100.5, False))
    assert refusal(measured, 101.0, False) is None
    assert stepping.STEP_OPTIONS['_ntplib']['no_log'] is True
