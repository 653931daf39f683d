# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set the clock on evidence: measure, decide, step, and measure again."""

import time
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import skew, system_clock
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.arguments import SKEW_OPTIONS
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import BadOption, ClockError
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.system_clock import Anchor
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.words import duration

STEP_OPTIONS: Dict[str, Dict[str, Any]] = dict(
    SKEW_OPTIONS,
    max_step={'type': 'float', 'default': 0.0},
    accept_unverified={'type': 'bool', 'default': False},
)

# A step is to be near: https services are asked until their interval is this narrow. Seconds.
_WANTED_WIDTH = 0.1

# Strangers' servers are not asked again any sooner (RFC 8633 §3). Seconds.
_MANNERS = 2.0


class Hands(NamedTuple):
    """What touches the host; tests put others in its place."""

    measure: Callable[..., skew.Measurement] = skew.measure_on_anchor
    may_set_clock: Callable[[], Optional[str]] = system_clock.may_set_clock
    step_clock: Callable[[float, Anchor], None] = system_clock.step_clock
    write_rtc: Callable[[], Dict[str, object]] = system_clock.write_rtc
    rtc_device: Callable[[], Optional[str]] = system_clock.rtc_device
    sleep: Callable[[float], None] = time.sleep


class StepRefused(ClockError):
    """The clock was not set, or setting it did not help; details holds what the module returns beside the message."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details


def refusal(measured: Mapping[str, Any], max_step: float, accept_unverified: bool) -> Optional[str]:
    """Why a clock with this (skewed or undecidable) skew must not be set; None when it may. Pure.

    max_step: seconds either way; 0 for no limit.
    """
    if measured['verdict'] != 'skewed':
        return f"The clock was not set, because nothing proves how wrong it is. {measured['message']}"
    if not (measured['verified'] or accept_unverified):
        return f"The clock was not set (or allow it with the option accept_unverified). {measured['message']} {measured['advice']}"
    farthest = max(abs(measured['low']), abs(measured['high']))
    if max_step and farthest > max_step:
        return (f"The clock was not set: it is {duration(measured['offset'])} {measured['direction']}, more than the "
                f'max_step of {max_step:g} s. Raise the option max_step if such a step is wanted.')
    return None


def step(options: Mapping[str, Any], codec: Any, check_mode: bool, hands: Optional[Hands] = None) -> Dict[str, Any]:
    """The module's result: changed, before, after, rtc, diff. In check mode all but the setting is done.

    options: STEP_OPTIONS. Raises BadOption, or StepRefused when the clock is wrong and stays so.
    """
    hands = hands or Hands()
    max_step = float(options['max_step'])
    if not 0 <= max_step < float('inf'):
        raise BadOption(f'max_step: {max_step:g} is not a number of seconds, 0 or above (0 is no limit).')
    measurement = hands.measure(options, codec, _WANTED_WIDTH)
    before = skew.conclude(measurement.sources, options['max_skew'])
    rtc = {'device': hands.rtc_device() or 'none', 'written': False, 'reason': 'The clock was not set.'}
    if before['verdict'] == 'in_sync':
        return _result(False, before, before, rtc)
    refused = refusal(before, max_step, options['accept_unverified']) or hands.may_set_clock()
    if refused:
        raise StepRefused(refused, changed=False, before=before, rtc=rtc)
    if check_mode:
        return _result(True, before, _predicted(before), rtc)
    hands.step_clock(before['offset'], measurement.anchor)
    rtc = hands.write_rtc()
    after = _measure_again(options, codec, measurement, hands)
    if after['verdict'] != 'in_sync':
        raise StepRefused(
            f"The clock was set by {before['offset']:+.3f} s, but that it is right now could not be shown: "
            f"{after['message']} If it was set back, find out by whom (a time daemon, the hypervisor).",
            changed=True, before=before, after=after, rtc=rtc)
    return _result(True, before, after, rtc)


def _measure_again(options: Mapping[str, Any], codec: Any, first: skew.Measurement, hands: Hands) -> Dict[str, Any]:
    """The proof: an independent measurement on the clock as it is now. What only did not answer is asked once more."""
    public = any(source['kind'] == 'ntp' and source['samples'] and not source['near'] for source in first.sources)
    hands.sleep(_MANNERS if public else 0.0)
    after = skew.conclude(hands.measure(options, codec, 2 * options['max_skew']).sources, options['max_skew'])
    if after['verdict'] in ('unreachable', 'undecided'):
        hands.sleep(_MANNERS)
        after = skew.conclude(hands.measure(options, codec, _WANTED_WIDTH).sources, options['max_skew'])
    return after


def _predicted(before: Mapping[str, Any]) -> Dict[str, Any]:
    """The skew as the step would leave it."""
    shift = before['offset']
    return dict(before, verdict='in_sync', direction='none', offset=0.0, low=round(before['low'] - shift, 6),
                high=round(before['high'] - shift, 6), host_time=before['reference_time'],
                message=f'Check mode: the clock would be set by {shift:+.3f} s.', sources=[])


def _result(changed: bool, before: Mapping[str, Any], after: Mapping[str, Any], rtc: Mapping[str, Any]
            ) -> Dict[str, Any]:
    return {
        'changed': changed,
        'before': before,
        'after': after,
        'rtc': rtc,
        'diff': {'before': _line(before), 'after': _line(after if changed else before)},
    }


def _line(measured: Mapping[str, Any]) -> str:
    return f"clock {measured['host_time']}, offset {measured['offset']:+.3f} s ({measured['verdict']})\n"
