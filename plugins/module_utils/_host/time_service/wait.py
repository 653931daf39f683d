# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits until the daemon keeps the clock, and checks that it uses what was written."""

from typing import Any, Callable, Mapping, NamedTuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.base import NOT_RUNNING, Daemon, Status
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.apply import Failure
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.undo_log import Entry, UndoLog

# Seconds between two queries of a daemon that is not synchronized yet: a share of the time waited so far, within limits.
_SHORTEST_PAUSE, _LONGEST_PAUSE, _PAUSE_SHARE = 0.2, 1.0, 0.05
# Seconds after which a daemon that does not run counts as failed.
_COMES_UP = 2.0
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
        return status.synchronized and abs(status.residual_offset) <= max(self.sync_tolerance, daemon.slews_below)


class Waited(NamedTuple):
    """Result of the wait. moved: whether the daemon was told to correct the clock."""

    status: Status
    moved: bool


def wait(log: UndoLog, daemon: Daemon, limits: Limits, restart: Callable[[str], None]) -> Waited:
    """Wait until the daemon is synchronized within the tolerance. Raises Failure and Interrupted."""
    host, began, told = log.host, log.host.now(), False
    while True:
        log.stop.check()
        status = daemon.status()
        waited = host.now() - began
        late = waited > limits.sync_timeout
        settled = limits.good(daemon, status) or (limits.tolerant and not status.synchronized and (
            late or not status.answered and waited > daemon.patience))
        unread = daemon.reads_ours() if settled else ''
        if settled and not unread:
            return Waited(status, told)
        if status.reason == NOT_RUNNING and waited > _COMES_UP:
            raise Failure(_DOING, f'{daemon.unit} does not run any more', status.advice)
        if not told and status.synchronized and abs(status.residual_offset) > limits.max_skew:
            told = _step(log, daemon, status, limits)
        elif not told and status.stepped:
            # After a step, ntpd queries its sources again only after a minute.
            restart(daemon.unit)
            told = True
        if late:
            why = unread or (f'it is {status.msg}' if status.synchronized else status.msg)
            raise Failure(_DOING, f'after {limits.sync_timeout:g} s {why}', status.advice)
        host.sleep(min(_LONGEST_PAUSE, max(_SHORTEST_PAUSE, waited * _PAUSE_SHARE)))


def _step(log: UndoLog, daemon: Daemon, status: Status, limits: Limits) -> bool:
    offset = status.residual_offset
    if limits.max_step and abs(offset) > limits.max_step:
        raise Failure('Correct the clock', f'it is {offset:+.3f} s off, more than max_step allows ({limits.max_step:g} s)',
                      'Raise max_step if such a step is wanted.')
    entry = Entry('clock', 'clock', {'offset': round(offset, 6)}, {'offset': 0.0}, f'step the clock by {offset:+.3f} s')
    if not log.perform(entry, daemon.step):
        entry.done = False      # the daemon refused the command; the next status shows whether it corrects the clock by itself
    return True
