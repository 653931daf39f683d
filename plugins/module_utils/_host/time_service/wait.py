# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits until the daemon keeps the clock, and checks that it uses what was written."""

from typing import Any, Callable, Mapping, NamedTuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import config, discovery, next_steps
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.base import NOT_RUNNING, Daemon, Status
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.systemd import unit_states
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.apply import STEP, Failure
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.undo_log import Entry, UndoLog

# Seconds between two queries of a daemon that is not synchronized yet: a share of the time waited so far, within limits.
_SHORTEST_PAUSE, _LONGEST_PAUSE, _PAUSE_SHARE = 0.2, 1.0, 0.05
# Seconds after which a daemon that does not run counts as failed.
_COMES_UP = 2.0
# Seconds that a daemon corrects by itself within minutes.
_SHORTLY_SLEWED = 0.4
_DOING = 'Wait until the daemon has corrected the clock'


class Limits(NamedTuple):
    """Limits in seconds. tolerant: whether a daemon that does not synchronize stays."""

    sync_timeout: float
    sync_tolerance: float
    max_skew: float
    max_step: float
    tolerant: bool

    @classmethod
    def of(cls, options: Mapping[str, Any], tolerant: bool) -> 'Limits':
        return cls(float(options['sync_timeout']), float(options['sync_tolerance']), float(options['max_skew']),
                   float(options['max_step']), tolerant)

    def good(self, daemon: Daemon, status: Status) -> bool:
        slewed = min(daemon.slews_below, max(self.max_skew, _SHORTLY_SLEWED))
        return status.synchronized and abs(status.residual_offset) <= max(self.sync_tolerance, slewed)

    def in_time(self, daemon: Daemon, waited: float) -> bool:
        """Return whether nothing but a synchronized daemon ends the wait yet."""
        return waited <= min(self.sync_timeout, daemon.patience if self.tolerant else self.sync_timeout)


class Waited(NamedTuple):
    """Result of the wait. moved: whether the daemon was told to correct the clock."""

    status: Status
    moved: bool


class LedAway(Failure):
    """The daemon follows a source that contradicts what this run has measured and verified."""

    def __init__(self, daemon: Daemon, status: Status, by: float) -> None:
        super().__init__(_DOING, f'it is {status.msg}, and leads the clock by {by:+.3f} s away from what this run has verified',
                         _without_wrong_source(daemon, status))


def _without_wrong_source(daemon: Daemon, status: Status) -> str:
    sources = [source for source in daemon.sources() if source.asked]
    followed = [source for source in sources if config.folded(source.host) in map(config.folded, status.follows)]
    # Addresses that the names of the configuration have led to are not known.
    blamed = followed or [source for source in sources if not source.line.own]
    if not blamed or all(source.line.own for source in blamed):
        return 'Name other servers (option servers, in the roles time_sync_servers), then run again.'
    named = ', '.join(dict.fromkeys(f'{source.name} ({source.line.place})' for source in blamed))
    return f"{daemon.choice}Remove {'' if followed else 'those that are wrong of '}{named}, or set only=true (in the roles " \
        'time_sync_only), then run again.'


def wait(log: UndoLog, daemon: Daemon, limits: Limits, restart: Callable[[str], None],
         led_away: Callable[[Status], float] = lambda _status: 0.0) -> Waited:
    """Wait until the daemon is synchronized within the tolerance. Raises Failure and Interrupted.

    led_away: returns by how many seconds a synchronized daemon sets the clock away from what is verified, or 0.0.
    """
    host, began, told = log.host, log.host.now(), False
    while True:
        log.stop.check()
        waited = host.now() - began
        if limits.in_time(daemon, waited) and daemon.still_waits():
            host.sleep(_pause(waited))
            continue
        status = daemon.status()
        away = led_away(status) if status.synchronized else 0.0
        if away:
            raise LedAway(daemon, status, away)
        waited = host.now() - began
        late = waited > limits.sync_timeout
        settled = limits.good(daemon, status) or (limits.tolerant and not status.synchronized and (
            late or not status.answered and waited > daemon.patience))
        unread = daemon.reads_ours() if settled else ''
        if settled and not unread:
            return Waited(status, told)
        if status.reason == NOT_RUNNING and waited > _COMES_UP:
            # systemd looks at some conditions only when it starts a unit, and such a start ends without an error.
            unmet = discovery.condition_of(host, daemon.unit, unit_states(host, [daemon.unit]).get(daemon.unit, {}))
            if unmet:
                raise Failure(_DOING, f'systemd does not start {daemon.unit}: {unmet} is not met',
                              next_steps.MEET_CONDITION)
            raise Failure(_DOING, f'{daemon.unit} does not run any more', status.advice)
        if not told and status.stepped:
            # After a step, ntpd queries its sources only a minute later, and timesyncd reports the offset before it until then.
            restart(daemon.unit)
            told = True
        elif not told and status.synchronized and abs(status.residual_offset) > limits.max_skew:
            told = _step(log, daemon, status, limits)
        if late:
            why = unread or (f'it is {status.msg}' if status.synchronized else status.msg)
            raise Failure(_DOING, f'after {limits.sync_timeout:g} s {why}', status.advice)
        host.sleep(_pause(waited))


def _pause(waited: float) -> float:
    return min(_LONGEST_PAUSE, max(_SHORTEST_PAUSE, waited * _PAUSE_SHARE))


def _step(log: UndoLog, daemon: Daemon, status: Status, limits: Limits) -> bool:
    offset = status.residual_offset
    if limits.max_step and abs(offset) > limits.max_step:
        raise Failure('Correct the clock', f'it is {offset:+.3f} s off, more than max_step allows ({limits.max_step:g} s)',
                      'Raise max_step if such a step is wanted.')
    if not daemon.steps:
        return False
    entry = Entry('clock', 'clock', {'offset': round(offset, 6)}, {'offset': 0.0}, STEP.format(offset))
    if not log.perform(entry, daemon.step):
        entry.done = False      # the daemon refused the command; the next status shows whether it corrects the clock by itself
    return True
