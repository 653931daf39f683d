# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stops services around a step of the clock, and makes sure that they run again.

Three mechanisms ensure this, each for the cases that the previous ones do not cover:

1. The process that stops a unit starts it again, even after an error. It handles a signal afterwards.
2. A guard, which is started before anything is stopped: a transient service that waits until the process has ended (the kernel
   then releases its lock) or until a limit, and then starts the units. It does not belong to a session.
3. A log, which is on the disk before anything is stopped: after a reboot, the next run reads it and starts the units.
"""

import difflib
import re
from typing import Callable, List, NamedTuple, Optional, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import BadOption, ClockError
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.step import Answer, StepHooks
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.process import TOOK_TOO_LONG, Done
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.stop_request import StopRequest
from ansible_collections.aemops.brand_portal.plugins.module_utils._host import aem_session, statedir
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import System, listed
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.systemd import UP, full_name, known_bonds, stopped_along
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.undo_log import Entry, Lock, LogUnreadable, UndoLog

FOLDER = statedir.STATE + '/service_stop'
GUARD = 'aemops-brand-portal-guard.service'

# Seconds after the limit for stopping the units for which the guard still waits for the process.
_GUARD_MARGIN = 60.0
_ATTEMPTS, _BETWEEN, _SETTLE = 3, 2.0, 1.0
_COMMAND_TIMEOUT = 30.0

# flock exits with 1 at its limit. Any other failure does not mean that the process has ended.
_SCRIPT = ('limit=$1 lock=$2 folder=$3; shift 3; flock --wait "$limit" "$lock" true || [ $? -eq 1 ] || sleep "$limit"; '
           'systemctl start -- "$@" && touch "$folder/started"')
_FLOCK = ('/usr/bin/flock', '/bin/flock')

_LOOKS_LIKE_AEM = re.compile(r'aem|cq5?|crx|quickstart|author', re.IGNORECASE)
_PROPERTIES = ['Id', 'LoadState', 'ActiveState', 'SubState', 'CanStart', 'CanStop', 'ActiveEnterTimestampMonotonic']
# A unit that waits for its automatic restart does not run.
_FAILING = ('auto-restart', 'auto-restart-queued')


class StopRefused(ClockError):
    """The units could not be stopped safely, or could not be started again. The message has their state."""


class Unit(NamedTuple):
    """A unit in its state before the step."""

    name: str
    active: str
    loaded: str
    startable: bool
    stoppable: bool
    has_run: bool       # since the boot
    bound: List[str]    # units that systemd stops together with it, but does not start together with it


class ServiceGuard(StepHooks):
    """Stops `units` while the clock is set by `above` seconds or more. Offsets are reference - host, in seconds.

    The order of calls is inspect, then any of needed, predict and stopped_during, then recover. Only stopped_during and recover
    change something; for these, the caller must hold the lock from before inspect until after recover.
    timeout: seconds to stop all units, and for each attempt to start them.
    """

    def __init__(self, units: List[str], above: float, timeout: float, host: Optional[System] = None,
                 lock: Optional[Lock] = None, stop: Optional[StopRequest] = None) -> None:
        super().__init__(stop)
        self.names = list(dict.fromkeys(_service(name) for name in units))
        for name, value in (('stop_services_threshold', above), ('stop_services_timeout', timeout)):
            if not 0 <= value < float('inf'):
                raise BadOption('{0}: {1:g} is not a number of seconds, 0 or above.'.format(name, value))
        self.above, self.timeout = above, timeout
        self._host = host or System()
        self._lock = lock or Lock(self._host)
        self._log = UndoLog(self._host, FOLDER, self.stop)
        self._started = FOLDER + '/started'
        self.running: List[str] = []       # to be stopped and started
        self.left: List[str] = []       # stopped by an interrupted earlier run, and still down
        self._ending: List[str] = []        # being stopped by others; not to be started
        self.entries: List[Entry] = []      # of this run, for its record
        self._bonds: List[str] = []         # properties that name the units that systemd stops along
        self._failed = False        # whether a unit could not be started; the next run tries again

    # before

    def inspect(self) -> None:
        """Find out what runs and what an earlier run left, without any change. Raises BadOption and StopRefused."""
        for asked, unit in zip(self.names, self._find()):
            self._check(asked, unit)
        earlier = UndoLog(self._host, FOLDER)
        try:
            earlier.read()
        except LogUnreadable as error:
            raise StopRefused(str(error)) from error
        if earlier.entries:
            self._inspect_earlier([entry.target for entry in earlier.entries if entry.act == 'service_stop'], earlier.booted)

    def _find(self) -> List[Unit]:
        """Find out what runs now, and what is being stopped. Return the units, those of the option first."""
        units = self._units(self.names + self.left)
        up = [unit for unit in units if unit.active in UP]
        up += [unit for unit in self._units(self._closure(up)) if unit.active in UP]
        self.running = list(dict.fromkeys(unit.name for unit in up))
        self.left = [name for name in self.left if name not in self.running]
        self._ending = [unit.name for unit in units if unit.active == 'deactivating']
        return units

    def _look_again(self) -> None:
        """Find out what runs now, once no other process stops or starts the units. Raises StopRefused."""
        self._find()
        ending, limit = self._ending, self._host.now() + self.timeout
        while self._ending and self._host.now() < limit:
            self.stop.check()
            self._host.sleep(_BETWEEN)
            self._find()
        if self._ending:
            raise StopRefused('The clock was not set, because {0}, which another process stops, still runs {1:g} s later. Run '
                              'again when it has ended'.format(listed(self._ending), self.timeout))
        if self.left and self._units([GUARD])[0].active in UP:
            raise StopRefused('The clock was not set, because {0} is about to start {1}, which an interrupted run has stopped. Run '
                              'again'.format(GUARD, listed(self.left)))
        if ending:
            self.messages.append('Another process was stopping {0}, which this run waited for'.format(listed(ending)))

    def _check(self, asked: str, unit: Unit) -> None:
        where = '(option stop_services; in the role fix_bp_jwt: fix_bp_jwt_aem_service)'
        if unit.loaded in ('not-found', ''):
            alike = self._alike(asked)
            raise BadOption('systemd has no unit {0} on this host {1}. {2} Nothing was changed.'.format(
                asked, where, 'Units here that may be meant: {0}.'.format(', '.join(alike)) if alike else
                'Find the unit that starts AEM with "systemctl list-units --all --type=service"; if no unit '
                'starts it, leave the option empty.'))
        if unit.active in UP and (unit.loaded != 'loaded' or not unit.startable or not unit.stoppable):
            raise BadOption('{0} runs, but could not be stopped and started again: it is {1}{2} {3}. Correct the unit '
                            '("systemctl cat {0}"), or leave the option empty. Nothing was changed.'.format(
                                unit.name, unit.loaded,
                                '' if unit.loaded != 'loaded' else ' and refuses to be stopped or started by hand', where))

    def _alike(self, asked: str) -> List[str]:
        shown = self._run(['systemctl', 'list-units', '--all', '--type=service', '--no-legend', '--no-pager', '--plain'])
        names = [line.split()[0] for line in shown.out.splitlines() if line.split()]
        near = [name for name in names if _LOOKS_LIKE_AEM.search(name)]
        return list(dict.fromkeys(near + difflib.get_close_matches(asked, names, 3, 0.75)))[:5]

    def _closure(self, units: List[Unit]) -> List[str]:
        """Return the names of the units that systemd stops together with these, directly or indirectly."""
        known, waiting = [unit.name for unit in units], [name for unit in units for name in unit.bound]
        found: List[str] = []
        while waiting:
            # A target would start all of its units, even those that were stopped by hand.
            fresh = [name for name in dict.fromkeys(waiting) if name not in known + found and not name.endswith('.target')]
            found += fresh
            waiting = [name for unit in self._units(fresh) for name in unit.bound]
        return found

    def _inspect_earlier(self, names: List[str], booted: bool) -> None:
        """names: the units that the earlier run stopped. booted: whether the host was booted since."""
        if self._host.exists(self._started):
            self.messages.append('An earlier run was interrupted after it stopped {0}; the guard service has already started {1} '
                                 'again'.format(listed(names), 'it' if len(names) == 1 else 'them'))
            return
        down = [unit for unit in self._units(names) if unit.active not in UP]
        # A unit that ran after the boot was stopped by another administrator, or failed by itself.
        self.left = [unit.name for unit in down if unit.loaded not in ('not-found', 'masked') and not (booted and unit.has_run)]
        others = [unit.name for unit in down if unit.name not in self.left]
        if others:
            self.messages.append('An earlier run was interrupted after it stopped {0}, which was masked, stopped or removed since, '
                                 'and was not started. Start AEM if it does not run and should'.format(listed(others)))
        elif not self.left:
            self.messages.append('An earlier run was interrupted while it was stopping {0}, which runs'.format(listed(names)))

    def needed(self, offset: float) -> bool:
        """Return whether a step by this offset stops anything."""
        return bool(self.running) and abs(offset) >= self.above

    def would_stop(self, offset: float) -> List[str]:
        return list(self.running) if self.needed(offset) else []

    def predict(self, offset: float) -> str:
        """Return what a run would do with the units, in sentences; '' for nothing."""
        if abs(offset) < self.above:
            return ''
        if self.running:
            return '{0} would be stopped and started again.'.format(listed(self.running))
        if self._ending:
            return 'Another process is stopping {0}, which would be waited for.'.format(listed(self._ending))
        return '{0} does not run and would not be started.'.format(listed(self.names)) if self.names else ''

    # during

    def stopped_during(self, offset: float, act: Callable[[], Answer]) -> Answer:
        """Run act, which sets the clock by offset, with the units stopped. They run again when this returns or raises.

        Raises StopRefused if they cannot be stopped (act is then not run) or not be started again, and the errors of act.
        """
        if abs(offset) >= self.above:
            self._look_again()
        entry = Entry('clock', 'clock', {'offset': round(offset, 6)}, {'offset': 0.0}, 'set the clock by {0:+.3f} s'.format(offset))
        if not self.needed(offset):
            self.stop.check()
            self._host.log(entry.sentence)
            answer = act()
            entry.done = True
            self.entries = [entry]
            if self.names and abs(offset) >= self.above:
                self.messages.append('{0} did not run, so nothing was stopped while the clock was set'.format(listed(self.names)))
            return answer
        wanted = self.running + [name for name in self.left if name not in self.running]
        self._begin(wanted)
        began = self._host.now()
        try:
            self._stop()
            if self._host.now() - began > self.timeout + _GUARD_MARGIN / 2:
                raise StopRefused('The clock was not set: stopping {0} took so long that the guard is about to start it again. '
                                  'Run again when the host is less busy'.format(listed(self.running)))
            answer = self._log.perform(entry, act)
        except BaseException as problem:
            self._end(wanted, problem, began)
            raise
        self._end(wanted, None, began)
        self.messages.append('{0} was stopped for {1:.1f} s and runs again'.format(listed(self.running), self.stopped['seconds']))
        # For a signal that was received while they were stopped.
        self.stop.check()
        return answer

    def recover(self, check_mode: bool) -> str:
        """Start the units that an earlier run left stopped, and clear its log. Return the messages. Raises StopRefused."""
        if check_mode and self.left:
            self.messages.append('{0}, which an interrupted earlier run left stopped, would be started'.format(listed(self.left)))
            self.changed, self.stopped['units'] = True, self.stopped['units'] or self.left
        if not check_mode and not self._failed and self._host.exists(FOLDER):
            if self.left:
                problem, _down = self._start(self.left)
                if problem:
                    raise StopRefused(problem)
                self.stopped['units'] = self.left
                self._healed()
            self._log.forget()
        return ' '.join(_sentence(sentence) for sentence in self.messages)

    def _healed(self) -> None:
        self.messages.append('An earlier run was interrupted and left {0} stopped: it was started now'.format(listed(self.left)))
        self.changed, self.left = True, []

    # the steps of stopped_during

    def _begin(self, wanted: List[str]) -> None:
        """Record the units to be stopped, and start the guard."""
        try:
            self._host.remove(self._started)
            self._log.begin([Entry('service_stop', name, {'active': True}, {'active': False}, 'stop {0}'.format(name))
                             for name in wanted])
        except OSError as error:
            self._not_begun()
            raise StopRefused('{0} was not stopped and the clock not set, because this could not be recorded first: {1}'.format(
                listed(self.running), error)) from error
        problem = self._arm(wanted)
        if problem:
            self._not_begun()
            raise StopRefused('{0} was not stopped and the clock not set, because the guard that would start it again if this run '
                              'was interrupted could not be set up: {1}'.format(listed(self.running), problem))

    def _not_begun(self) -> None:
        """Clear the log, unless recover() still needs it for what an earlier run left."""
        if not self.left:
            self._log.forget()

    def _stop(self) -> None:
        self._host.log('stop {0}'.format(listed(self.running)))
        began = self._host.now()
        apart = [pid for name in self.running for pid in aem_session.programs_of(self._host.root, name)]
        done = self._systemctl('stop', self.running, self.timeout)
        still = [unit for unit in self._units(self.running) if unit.active not in ('inactive', 'failed')]
        if done.code or still:
            raise StopRefused('The clock was not set, because {0} could not be stopped within {1:g} s: {2}'.format(
                listed([unit.name for unit in still] or self.running), self.timeout,
                done.complaint if done.code else 'it is ' + still[0].active))
        # A unit that systemd generates for a SysV script, or one with KillMode=process, is stopped once its script has ended. AEM
        # may continue to run for minutes, even while the clock is set.
        left = aem_session.still_running(self._host.root, self.running, apart)
        while left and self._host.now() - began <= self.timeout:
            self._host.sleep(_BETWEEN)
            left = aem_session.still_running(self._host.root, self.running, apart)
        if left:
            raise StopRefused('The clock was not set, because {0} is stopped, but {1} of it still run {2:g} s later'.format(
                listed(self.running), listed(left), self.timeout))

    def _end(self, wanted: List[str], problem: Optional[BaseException], began: float) -> None:
        """Start the units. A failure to start takes precedence over an earlier error."""
        failed, down = self._start(wanted)
        for entry in self._log.entries:
            if entry.act == 'service_stop':
                entry.done, entry.undone = True, not failed
        self.entries = list(self._log.entries)
        self.stopped.update(seconds=round(self._host.now() - began, 1), units=wanted, not_started=down)
        if failed:
            # The log stays, for the next run.
            self._failed = True
            self._disarm()
            raise StopRefused('{0}{1}'.format('{0} '.format(_sentence(str(problem))) if problem else 'The clock was set. ', failed))
        self._disarm()
        self._log.forget()
        if self.left:
            self._healed()
        if problem is not None:
            self.messages.append('{0} runs again'.format(listed(wanted)))

    def _start(self, names: List[str]) -> Tuple[str, List[str]]:
        """Start the units in a few attempts. Return (why one of them does not run, or ''; those that do not run)."""
        missing: List[Unit] = []
        done = Done(0, '', '')
        self._host.log('start {0}'.format(listed(names)))
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._host.sleep(_BETWEEN)
                self._systemctl('reset-failed', names)
            done = self._systemctl('start', names, self.timeout)
            self._host.sleep(_SETTLE)
            # A unit whose start has failed may be in the state "activating", because systemd tries again by itself.
            good = UP if done.code in (0, TOOK_TOO_LONG) else ('active',)
            try:
                missing = [unit for unit in self._units(names) if unit.active not in good]
            except StopRefused as unanswered:
                return 'It is not known whether {0} runs again. {1}'.format(listed(names), unanswered), list(names)
            if not missing:
                return '', []
        name = missing[0].name
        log = self._run(['journalctl', '--unit', name, '_PID=1', '--lines', '4', '--no-pager', '--quiet', '--output', 'cat'])
        return ('{0} could not be started again in {1} attempts ({2}) and is {3}. Next: look at "journalctl -u {0}", correct what '
                'it says and run "systemctl start {0}", or run again, which tries again. systemd says: {4}').format(
                    name, _ATTEMPTS, done.complaint if done.code else 'it ended at once', missing[0].active,
                    ' | '.join(log.out.splitlines()) or 'nothing'), [unit.name for unit in missing]

    # the guard

    def _arm(self, names: List[str]) -> str:
        """Start the guard. Returns why it does not run, or ''."""
        if not any(self._host.exists(path) for path in _FLOCK):
            return 'flock is not installed (package util-linux)'
        self._systemctl('reset-failed', [GUARD])
        # flock waits until this process has ended, or for the limit, which a step of the clock does not affect.
        limit = int(self.timeout + _GUARD_MARGIN)
        done = self._run(['systemd-run', '--unit', GUARD, '--description', 'Starts what a repair of the clock has stopped',
                          '/bin/sh', '-c', _SCRIPT, 'sh', str(limit), self._lock.path, self._host.path(FOLDER)] + names)
        if done.code:
            return done.complaint
        guard = self._units([GUARD])
        return '' if guard and guard[0].active in UP else 'it ended at once; look at "journalctl -u {0}"'.format(GUARD)

    def _disarm(self) -> None:
        self._systemctl('stop', [GUARD])

    # systemd

    def _run(self, command: List[str], timeout: float = _COMMAND_TIMEOUT) -> Done:
        return self._host.execute(command, timeout)

    def _systemctl(self, verb: str, units: List[str], timeout: float = _COMMAND_TIMEOUT) -> Done:
        return self._run(['systemctl', '--no-ask-password', verb, '--'] + units, timeout)

    def _units(self, names: List[str]) -> List[Unit]:
        """Return the units as systemd describes them, in the given order. Raises StopRefused if systemd does not answer."""
        if not names:
            return []
        self._bonds = self._bonds or known_bonds(self._host, names[0])
        done = self._run(['systemctl', 'show', '--no-pager', '--property', ','.join(_PROPERTIES + self._bonds), '--'] + names)
        blocks = done.out.strip().split('\n\n')
        if done.code or len(blocks) != len(names):
            raise StopRefused('systemd does not answer on this host, so no unit can be stopped and started again '
                              '("systemctl show": {0}). Leave the option stop_services empty. Nothing was changed'
                              .format(done.complaint))
        found = []
        for name, block in zip(names, blocks):
            said = dict(line.split('=', 1) for line in block.splitlines() if '=' in line)
            active = said.get('ActiveState', '')
            if said.get('SubState') in _FAILING:
                active = 'failed'
            found.append(Unit(said.get('Id') or name, active, said.get('LoadState', ''), said.get('CanStart') != 'no',
                              said.get('CanStop') != 'no', said.get('ActiveEnterTimestampMonotonic', '0') not in ('0', ''),
                              stopped_along([said])))
        return found


def _service(name: str) -> str:
    """Return the unit's full name. Raises BadOption if it is not the name of a service."""
    whole = full_name(name)
    if not whole.endswith('.service'):
        raise BadOption('stop_services: "{0}" is not the name of a systemd service, such as aem.service '
                        '(in the role fix_bp_jwt: fix_bp_jwt_aem_service). Nothing was changed.'.format(name))
    return whole


def _sentence(text: str) -> str:
    return text.rstrip('.') + '.'
