# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets a clock that is proven to be wrong: measures, decides, steps, and measures again."""

import time
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, TypeVar

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import capabilities, clock, conclusion, measurement, rtc
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.argspec import SKEW_OPTIONS
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.clock import Anchor
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import BadOption, ClockError
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.formatting import duration, limit, span
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.stop_request import Interrupted, StopRequest

STEP_OPTIONS: Dict[str, Dict[str, Any]] = dict(
    SKEW_OPTIONS,
    max_step={'type': 'float', 'default': 0.0},
    accept_unverified={'type': 'bool', 'default': False},
    stop_services={'type': 'list', 'elements': 'str', 'default': []},
    stop_services_threshold={'type': 'float', 'default': 60.0},
    stop_services_timeout={'type': 'float', 'default': 300.0},
    stop_program={'type': 'dict', 'options': {
        'stop': {'type': 'list', 'elements': 'str', 'required': True},
        'start': {'type': 'list', 'elements': 'str', 'required': True},
        'pid': {'type': 'int', 'required': True},
    }},
)

# A step should be precise: https services are queried until their interval is this narrow. Seconds.
_WANTED_WIDTH = 0.1

# A result that is wider does not say by how much to set the clock, such as one answer of a cache that may count with its Age or
# without. Seconds.
_VAGUE = 10.0

# Minimum interval between two queries of a public server (RFC 8633 §3). Seconds.
_PUBLIC_MIN_INTERVAL = 2.0


Answer = TypeVar('Answer')


class StepHooks:
    """Hooks around a step of the clock, which do nothing. _host/service_guard.py has the ones that stop services."""

    def __init__(self, stop: Optional[StopRequest] = None) -> None:
        self.stop = stop or StopRequest()
        self.messages: List[str] = []       # what was done, in sentences
        self.changed = False                # whether anything besides the clock was changed
        self.stopped: Dict[str, Any] = {'units': [], 'seconds': 0.0, 'not_started': []}

    def inspect(self) -> None:
        """Find out what has to be done, before anything else. Raises ClockError if it could not be done."""

    def predict(self, _offset: float) -> str:
        """Return what would be done around a step by this offset, in sentences."""
        return ''

    def would_stop(self, _offset: float) -> List[str]:
        """Return the units that would be stopped around a step by this offset, and started again."""
        return []

    def stopped_during(self, _offset: float, act: Callable[[], Answer]) -> Answer:
        """Run act, which sets the clock by this offset, and what has to be done before and after it."""
        return act()

    def recover(self, _check_mode: bool) -> str:
        """At the end in any case, finish what an earlier run has left. Return the messages. Raises ClockError."""
        return ''


class SystemCalls(NamedTuple):
    """Functions that access the host. Tests replace them."""

    measure: Callable[..., measurement.Measurement] = measurement.measure_on_anchor
    may_set_clock: Callable[[], Optional[str]] = capabilities.may_set_clock
    step_clock: Callable[[float, Anchor], None] = clock.step_clock
    write_rtc: Callable[..., Dict[str, object]] = rtc.write_rtc
    rtc_device: Callable[[], Optional[str]] = rtc.rtc_device
    sleep: Callable[[float], None] = time.sleep
    # Returns whether a step by this offset shows that the hardware clock was read in the wrong mode (UTC or LOCAL).
    rtc_misread: Callable[[float], bool] = lambda _offset: False


class StepRefused(ClockError):
    """The clock was not set, or is still wrong. details: what the module returns besides message and advice."""

    def __init__(self, message: str, advice: str = '', **details: Any) -> None:
        super().__init__(message)
        self.advice = advice
        self.details = details


def refusal(measured: Mapping[str, Any], max_step: float, accept_unverified: bool) -> 'Optional[StepRefused]':
    """Return why a clock with this (skewed or undecided) skew must not be set; None if it may. Pure.

    max_step: seconds in either direction; 0 means no limit.
    """
    if measured['verdict'] != 'skewed':
        return StepRefused(f"The clock was not set, because nothing proves how wrong it is. {measured['message']}",
                           measured.get('advice', ''))
    if not (measured['verified'] or accept_unverified):
        return StepRefused(f"The clock was not set, because the result is not verified. {measured['message']}",
                           f"{measured.get('advice', '')} Or set accept_unverified=true to set it anyway.".strip())
    if measured['high'] - measured['low'] > max(_VAGUE, 2 * measured['max_skew']):
        return StepRefused("The clock was not set, because the sources do not tell which time is right: it is "
                           f"{span(measured['low'], measured['high'])}.",
                           'Raise the option timeout, or query NTP servers too (option ntp_servers).')
    farthest = max(abs(measured['low']), abs(measured['high']))
    if max_step and farthest > max_step:
        size = duration(measured['offset']) if abs(measured['offset']) > max_step else f'up to {limit(farthest)}'
        return StepRefused(f"The clock was not set: it is {size} {measured['direction']}, more than the max_step of "
                           f'{limit(max_step)}.', 'Raise the option max_step if such a step is wanted.')
    return None


def step(options: Mapping[str, Any], codec: Any, check_mode: bool, hands: Optional[SystemCalls] = None,
         hooks: Optional[StepHooks] = None) -> Dict[str, Any]:
    """Return the module's result: changed, before, after, rtc, stopped, msg, advice, diff. Check mode only skips the setting,
    and returns actions: what would be done, in sentences.

    options: those of STEP_OPTIONS. Raises BadOption, and StepRefused if the clock is still wrong, or if something else on the host
    is not in its previous state.
    """
    hands, hooks = hands or SystemCalls(), hooks or StepHooks()
    max_step = float(options['max_step'])
    if not 0 <= max_step < float('inf'):
        raise BadOption(f'max_step: {max_step:g} is not a number of seconds, 0 or above (0 is no limit).')
    hooks.inspect()
    details: Dict[str, Any] = {'changed': False}
    try:
        _step(options, codec, check_mode, hands, hooks, details)
    except (ClockError, Interrupted) as problem:
        said = f"{_cause(problem, details).rstrip('.')}. {_recovered(hooks, check_mode)}".strip()
        raise StepRefused(said, getattr(problem, 'advice', ''), **_so_far(details, hooks)) from problem
    try:
        news = hooks.recover(check_mode)
    except ClockError as problem:
        raise StepRefused(f"{details.pop('msg')} {problem}", **_so_far(details, hooks)) from problem
    before, after = details['before'], details['after']
    # Without a step, the units are those that an earlier run left stopped.
    states = ('running', 'running -> stopped -> running') if details['changed'] else ('stopped', 'running')
    details.update(
        diff={'before': _line(before) + _units(hooks, states[0]),
              'after': _line(after if details['changed'] else before) + _units(hooks, states[1])},
        changed=details['changed'] or hooks.changed, stopped=hooks.stopped, advice='',
        msg=f"{details['msg']} {news}".strip())
    return details


def _so_far(details: Mapping[str, Any], hooks: StepHooks) -> Dict[str, Any]:
    result = dict(details)
    result.update({'changed': details['changed'] or hooks.changed, 'stopped': hooks.stopped})
    return result


def _cause(problem: Exception, details: Mapping[str, Any]) -> str:
    if not isinstance(problem, Interrupted):
        return str(problem)
    done = f"The clock was set by {details['before']['offset']:+.3f} s and was not measured again." if details['changed'] else \
        'The clock was not set.'
    return f'{problem}. {done}'


def _recovered(hooks: StepHooks, check_mode: bool) -> str:
    """Return what was recovered, or the error of the recovery, because the caller raises the first error."""
    try:
        return hooks.recover(check_mode)
    except ClockError as problem:
        return str(problem)


def _step(options: Mapping[str, Any], codec: Any, check_mode: bool, hands: SystemCalls, hooks: StepHooks,
          details: Dict[str, Any]) -> None:
    """Measure, decide, set and measure again. Results are added to details as they become known, even if this raises."""
    measurement = hands.measure(options, codec, _WANTED_WIDTH)
    before = details['before'] = conclusion.conclude(measurement.sources, options['max_skew'])
    details['rtc'] = {'device': hands.rtc_device() or 'none', 'written': False, 'reason': 'The clock was not set.'}
    if before['verdict'] == 'in_sync':
        details.update(after=before, msg='The clock was right and was not changed.')
        return
    refused = refusal(before, float(options['max_step']), options['accept_unverified']) or hands.may_set_clock()
    if refused:
        raise refused if isinstance(refused, StepRefused) else StepRefused(refused)
    if check_mode:
        predicted = f"The clock would be set by {before['offset']:+.3f} s. {hooks.predict(before['offset'])}"
        units = hooks.stopped['units'] = hooks.would_stop(before['offset'])
        details.update(changed=True, after=_predicted(before), msg=predicted.strip(), actions=[
            *(f'would stop {unit}' for unit in units), f"would set the clock by {before['offset']:+.3f} s"])
        return

    def act() -> None:
        hands.step_clock(before['offset'], measurement.anchor)
        details['changed'] = True

    try:
        hooks.stopped_during(before['offset'], act)
    finally:
        if details['changed']:
            details['rtc'] = hands.write_rtc(utc=hands.rtc_misread(before['offset']))
    after = details['after'] = _measure_again(options, codec, measurement, hands)
    if after['verdict'] != 'in_sync':
        raise StepRefused(
            f"The clock was set by {before['offset']:+.3f} s, but the measurement afterwards does not show that it is right: "
            f"{after['message']}", 'If it was set back, find out what did it (a time daemon, the hypervisor).')
    details['msg'] = f"The clock was set by {before['offset']:+.3f} s."


def _measure_again(options: Mapping[str, Any], codec: Any, first: measurement.Measurement, hands: SystemCalls) -> Dict[str, Any]:
    """Prove the step with an independent measurement. If it is not conclusive, measure once more."""
    public = any(source['kind'] == 'ntp' and source['samples'] and not source['private_address'] for source in first.sources)
    hands.sleep(_PUBLIC_MIN_INTERVAL if public else 0.0)
    after = conclusion.conclude(hands.measure(options, codec, 2 * options['max_skew']).sources, options['max_skew'])
    if after['verdict'] in ('unreachable', 'undecided'):
        hands.sleep(_PUBLIC_MIN_INTERVAL)
        after = conclusion.conclude(hands.measure(options, codec, _WANTED_WIDTH).sources, options['max_skew'])
    return after


def _predicted(before: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the skew that the step would leave."""
    shift = before['offset']
    return dict(before, verdict='in_sync', direction='none', offset=0.0, low=round(before['low'] - shift, 6),
                high=round(before['high'] - shift, 6), host_time=before['reference_time'],
                message=f'Check mode: the clock would be set by {shift:+.3f} s.', sources=[])


def _units(hooks: StepHooks, state: str) -> str:
    return ''.join(f'{unit}: {state}\n' for unit in hooks.stopped['units'])


def _line(measured: Mapping[str, Any]) -> str:
    return f"clock {measured['host_time']}, offset {measured['offset']:+.3f} s ({measured['verdict']})\n"
