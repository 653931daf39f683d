# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps the clock of a host: stops services around the step, and records the repair."""

import json
from typing import Any, Callable, Dict, List, Mapping, Optional

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import ntplib_loader
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.step import StepRefused, SystemCalls, step
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.stop_request import StopRequest
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.clock_hints import LAST_REPAIR, rtc_misread
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.program_guard import guard_of
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.statedir import STATE
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import System
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.undo_log import Entry, Lock, actions, now_utc, record


class ClockStep:
    """One step of a host's clock. The caller must hold the lock, except in check mode.

    options: those of STEP_OPTIONS. ntplib: its source that the controller sent.
    """

    def __init__(self, options: Mapping[str, Any], ntplib: Any, check_mode: bool, warn: Callable[[str], None],
                 host: Optional[System] = None, lock: Optional[Lock] = None, stop: Optional[StopRequest] = None) -> None:
        self._options, self._ntplib, self._check_mode, self._warn = options, ntplib, check_mode, warn
        self._host = host or System()
        bounds = options['stop_services_threshold'], options['stop_services_timeout']
        program = options.get('stop_program')
        self._guard = guard_of(options['stop_services'], *bounds, program, self._host, lock, stop)

    @property
    def entries(self) -> List[Entry]:
        """The acts of the step, for last-run.json."""
        return self._guard.entries

    def run(self) -> Dict[str, Any]:
        """Return the result of step() and the acts. Raises ClockError and StepRefused."""
        try:
            done = step(self._options, ntplib_loader.load(self._ntplib), self._check_mode, SystemCalls(rtc_misread=rtc_misread),
                        self._guard)
        except StepRefused as refused:
            refused.details.update(self._acts())
            raise
        if done['after']['verdict'] == 'in_sync' and done['before']['verdict'] != 'in_sync' and not self._check_mode:
            problem = remember_repair(self._host, done['before']['offset'], done['after']['reference_time'])
            if problem:
                self._warn(problem)
        return dict(self._acts(), **done)

    def _acts(self) -> Dict[str, Any]:
        return {'acts': [entry.shown() for entry in self.entries], 'actions': actions(self.entries)}


def step_on_host(options: Mapping[str, Any], ntplib: Any, check_mode: bool, warn: Callable[[str], None],
                 host: Optional[System] = None, stop: Optional[StopRequest] = None) -> Dict[str, Any]:
    """Do a whole run under the lock, and record it as the last run. Raises ClockError, StepRefused, Busy and OSError."""
    host = host or System()
    lock, begun = Lock(host), now_utc()
    if not check_mode:
        lock.take()
    try:
        clock = ClockStep(options, ntplib, check_mode, warn, host, lock, stop)
        try:
            done = clock.run()
        except StepRefused as refused:
            record(host, begun, clock.entries, changed=refused.details['changed'], msg=str(refused), problems=[str(refused)])
            raise
        record(host, begun, clock.entries, changed=done['changed'], msg=done['msg'], problems=[])
        return done
    finally:
        lock.release()


def remember_repair(host: System, offset: float, at: str) -> str:
    """Record that the clock was corrected by offset (seconds, reference - host) at the right time `at` (ISO 8601, UTC).

    Returns why it could not be recorded, or ''. The clock itself is right by then.
    """
    try:
        host.make_folder(STATE)
        host.write(f'{STATE}/{LAST_REPAIR}', json.dumps({'offset': round(offset, 3), 'at': at}, sort_keys=True), 0o644)
    except OSError as error:
        return f'The repair could not be recorded, so that drift would not be noticed: {error}'
    return ''
