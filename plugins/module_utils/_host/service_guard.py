# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stops services around a step of the clock, and makes sure that they run again.

Three things see to that, each for what the ones before it cannot:

1. The process that stops a unit starts it again, also after an error or a signal.
2. A guard, armed on the host before anything is stopped: a transient service that waits for the process to end (the kernel
   releases its lock however it ended) or for a bound, and then starts the units. It is no child of any session.
3. A journal, on the disk before anything is stopped: the next run finds it after a reboot and starts what was left.
"""

import difflib
import fcntl
import os
import re
import signal
import time
from contextlib import contextmanager, suppress
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import BadOption, ClockError
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.step import Answer, StepHooks
from ansible_collections.aemops.brand_portal.plugins.module_utils._host import statedir
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import TOOK_TOO_LONG, listed
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import System as HostSystem
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.systemd import UP

FOLDER = statedir.STATE + '/service_stop'
GUARD = 'aemops-brand-portal-guard.service'

# Seconds beyond the time a unit may take to stop, after which the guard no longer waits for the process.
_GUARD_MARGIN = 60.0
_ATTEMPTS, _BETWEEN, _SETTLE = 3, 2.0, 1.0
_COMMAND_TIMEOUT = 30.0

_NAME = re.compile(r'[A-Za-z0-9:_\\][A-Za-z0-9:_.\\@-]*\Z')
_LOOKS_LIKE_AEM = re.compile(r'aem|cq5?|crx|quickstart|author', re.IGNORECASE)
_PROPERTIES = ('Id', 'LoadState', 'ActiveState', 'SubState', 'CanStart', 'CanStop', 'RequiredBy', 'BoundBy', 'ConsistsOf')
# A unit that has just been started and waits to be started once more has not been started.
_FAILING = ('auto-restart', 'auto-restart-queued')


class Done(NamedTuple):
    """How a command ended: code 127 where there is no such command, 124 where it took too long."""

    code: int
    out: str
    said: str


class System:
    """What touches the host; tests put another in its place."""

    folder = FOLDER

    def run(self, command: List[str], timeout: float = _COMMAND_TIMEOUT) -> Done:
        """Run a command without a shell, its words in English; timeout in seconds."""
        done = HostSystem().execute(command, timeout)
        return Done(done.code, done.out, done.complaint or 'it ended with {0}'.format(done.code))

    def now(self) -> float:
        """Seconds of a clock that nobody sets."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Refused(ClockError):
    """The units could not be stopped safely, or not be started again; the message says what they are like now."""


class Unit(NamedTuple):
    """A unit as it was before."""

    name: str
    active: str
    loaded: str
    startable: bool
    stoppable: bool
    bound: List[str]    # units that systemd stops along with it, and does not start along with it


class ServiceGuard(StepHooks):
    """Stops `units` while the clock is set by `above` seconds or more. Offsets are reference - host, in seconds.

    The order of calls: look, then any of applies, foretell and around, then finish. Nothing is changed before around or finish.
    timeout: seconds that stopping all of them may take, and starting each.
    """

    def __init__(self, units: List[str], above: float, timeout: float, system: Optional[System] = None) -> None:
        super().__init__()
        self.names = [_full_name(name) for name in units]
        for name, value in (('stop_services_threshold', above), ('stop_services_timeout', timeout)):
            if not 0 <= value < float('inf'):
                raise BadOption('{0}: {1:g} is not a number of seconds, 0 or above.'.format(name, value))
        self.above, self.timeout = above, timeout
        self._system = system or System()
        self._journal = os.path.join(self._system.folder, 'journal.json')
        self._started = os.path.join(self._system.folder, 'started')
        self._lock: Optional[int] = None
        self.running: List[str] = []       # to be stopped and started
        self.left: List[str] = []       # stopped by an earlier run that was cut off, and down since
        self._earlier: Dict[str, Any] = {}
        self._failed = False        # to start one: that is for the next run

    # before

    def inspect(self) -> None:
        """Find out what runs and what an earlier run left. Raises BadOption, Refused; changes nothing."""
        units = self._units(self.names)
        for asked, unit in zip(self.names, units):
            self._check(asked, unit)
        up = [unit for unit in units if unit.active in UP]
        along = self._units(self._closure(up))
        self.running = [unit.name for unit in up] + [unit.name for unit in along if unit.active in UP]
        self._earlier = statedir.read(self._journal)
        if os.path.isdir(self._system.folder):
            self._take_lock()   # is that run still at work?
            self._release()
        if self._earlier:
            self._look_at_earlier()

    def _check(self, asked: str, unit: Unit) -> None:
        where = '(option stop_services; in the role fix_bp_jwt: fix_bp_jwt_aem_service)'
        if unit.loaded in ('not-found', ''):
            alike = self._alike(asked)
            raise BadOption('systemd knows no unit {0} on this host {1}. {2} Nothing was changed.'.format(
                asked, where, 'Units here that may be meant: {0}.'.format(', '.join(alike)) if alike else
                'Find the unit that starts AEM with "systemctl list-units --all --type=service"; where no unit '
                'starts it, leave the option empty.'))
        if unit.active in UP and (unit.loaded != 'loaded' or not unit.startable or not unit.stoppable):
            raise BadOption('{0} runs, but could not be stopped and started again: it is {1}{2} {3}. Correct the unit '
                            '("systemctl cat {0}"), or leave the option empty. Nothing was changed.'.format(
                                unit.name, unit.loaded,
                                '' if unit.loaded != 'loaded' else ' and refuses to be stopped or started by hand', where))

    def _alike(self, asked: str) -> List[str]:
        listed = self._system.run(['systemctl', 'list-units', '--all', '--type=service', '--no-legend', '--no-pager', '--plain'])
        names = [line.split()[0] for line in listed.out.splitlines() if line.split()]
        near = [name for name in names if _LOOKS_LIKE_AEM.search(name)]
        return list(dict.fromkeys(near + difflib.get_close_matches(asked, names, 3, 0.75)))[:5]

    def _closure(self, units: List[Unit]) -> List[str]:
        """Names of the units that systemd stops along with these, near and far."""
        known, waiting = [unit.name for unit in units], [name for unit in units for name in unit.bound]
        found: List[str] = []
        while waiting:
            # A target would start whatever belongs to it, also what somebody has stopped.
            fresh = [name for name in dict.fromkeys(waiting) if name not in known + found and not name.endswith('.target')]
            found += fresh
            waiting = [name for unit in self._units(fresh) for name in unit.bound]
        return found

    def _look_at_earlier(self) -> None:
        names = [str(name) for name in self._earlier.get('units', [])]
        if os.path.exists(self._started):
            self.messages.append('An earlier run was cut off while it had stopped {0}; the guard that it had left on this host '
                             'has started {1} again'.format(listed(names), 'it' if len(names) == 1 else 'them'))
            return
        self.left = [unit.name for unit in self._units(names) if unit.active not in UP and unit.loaded != 'not-found']
        if not self.left:
            self.messages.append('An earlier run was cut off while it was to stop {0}, which runs'.format(listed(names)))

    def needed(self, offset: float) -> bool:
        """Whether a step by this offset stops anything."""
        return bool(self.running) and abs(offset) >= self.above

    def predict(self, offset: float) -> str:
        """What a run would do with the units, in a sentence; '' where there is nothing to say."""
        said = []
        if self.needed(offset):
            said.append('{0} would be stopped meanwhile and started again.'.format(listed(self.running)))
        elif self.names and abs(offset) >= self.above:
            said.append('{0} does not run and would be left so.'.format(listed(self.names)))
        if self.left:
            said.append('{0}, which an earlier run that was cut off has left stopped, would be started.'.format(listed(self.left)))
        return ' '.join(said)

    # during

    def stopped_during(self, offset: float, act: Callable[[], Answer]) -> Answer:
        """Run act, which sets the clock by offset, with the units stopped. They run again when this returns or raises.

        Raises Refused where they could not be stopped, then act is not run, or not be started again; and what act raises.
        """
        if not self.needed(offset):
            return act()
        wanted = self.running + [name for name in self.left if name not in self.running]
        self._begin(wanted)
        began = self._system.now()
        with _signals_noted() as noted:
            try:
                self._stop()
                if self._system.now() - began > self.timeout + _GUARD_MARGIN / 2:
                    raise Refused('The clock was not set: this host took so long that the guard may start {0} any '
                                  'moment. Run again when it is less busy'.format(listed(self.running)))
                answer = act()
            except BaseException as problem:
                self._end(wanted, problem)
                raise
            self._end(wanted, None)
        self.stopped['seconds'] = round(self._system.now() - began, 1)
        self.messages.append('{0} was stopped for {1:.1f} s meanwhile and runs again'.format(
            listed(self.running), self.stopped['seconds']))
        if noted:
            self.messages.append('The signal {0} came meanwhile and was put off'.format(noted[0]))
        return answer

    def recover(self, check_mode: bool) -> str:
        """Start what an earlier run has left stopped and forget about it. Returns the news, in sentences. Raises Refused."""
        if not check_mode and not self._failed and os.path.isdir(self._system.folder):
            self._take_lock()
            if self.left:
                problem = self._start(self.left)
                if problem:
                    self._release()
                    raise Refused(problem)
                self.stopped['units'] = self.left
                self._healed()
            self._forget()
        return ' '.join(_sentence(sentence) for sentence in self.messages)

    def _healed(self) -> None:
        self.messages.append('An earlier run was cut off after it had stopped {0}, and left it so: it was started now'.format(
            listed(self.left)))
        self.changed, self.left = True, []

    # the steps of around

    def _begin(self, wanted: List[str]) -> None:
        try:
            self._take_lock()
            if os.path.exists(self._started):
                os.remove(self._started)
            statedir.write(self._journal, {'units': wanted, 'pid': os.getpid()})
        except OSError as error:
            self._forget()
            raise Refused('{0} was not stopped and the clock not set, because that could not be written down first: {1}'.format(
                listed(self.running), error)) from error
        problem = self._arm(wanted)
        if problem:
            self._forget()
            raise Refused('{0} was not stopped and the clock not set, because the guard that would start it again if this run '
                          'was cut off could not be set up: {1}'.format(listed(self.running), problem))

    def _stop(self) -> None:
        done = self._systemctl('stop', self.running, self.timeout)
        still = [unit for unit in self._units(self.running) if unit.active not in ('inactive', 'failed')]
        if done.code or still:
            raise Refused('The clock was not set, because {0} could not be stopped within {1:g} s: {2}'.format(
                listed([unit.name for unit in still] or self.running), self.timeout,
                done.said if done.code else 'it is ' + still[0].active))

    def _end(self, wanted: List[str], problem: Optional[BaseException]) -> None:
        """Start the units. A problem with that is more than the one there was."""
        failed = self._start(wanted)
        if failed:
            # The journal stays, for the next run.
            self._failed = True
            self._disarm()
            self._release()
            raise Refused('{0}{1}'.format('{0} '.format(_sentence(str(problem))) if problem else 'The clock was set. ', failed))
        self._disarm()
        self._forget()
        self.stopped['units'] = wanted
        if self.left:
            self._healed()
        if problem is not None:
            self.messages.append('{0} runs, as before'.format(listed(wanted)))

    def _start(self, names: List[str]) -> str:
        """Why one of the units does not run, after a few attempts; '' when all do."""
        missing: List[Unit] = []
        done = Done(0, '', '')
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._system.sleep(_BETWEEN)
                self._systemctl('reset-failed', names)
            done = self._systemctl('start', names, self.timeout)
            self._system.sleep(_SETTLE)
            # One whose start has failed may look as if it were starting: systemd tries it again by itself.
            good = UP if done.code in (0, TOOK_TOO_LONG) else ('active',)
            missing = [unit for unit in self._units(names) if unit.active not in good]
            if not missing:
                return ''
        name = missing[0].name
        log = self._system.run(['journalctl', '--unit', name, '_PID=1', '--lines', '4', '--no-pager', '--quiet', '--output', 'cat'])
        return ('{0} could not be started again in {1} attempts ({2}) and is {3}. Next: look at "journalctl -u {0}", correct what '
                'it says and run "systemctl start {0}", or run again, which tries again. systemd says: {4}').format(
                    name, _ATTEMPTS, done.said if done.code else 'it ended at once', missing[0].active,
                    ' | '.join(log.out.splitlines()) or 'nothing')

    # the guard

    def _arm(self, names: List[str]) -> str:
        self._systemctl('reset-failed', [GUARD])
        # flock waits until this process is gone, or for the bound: its time is not moved by the clock's.
        bound = int(self.timeout + _GUARD_MARGIN)
        script = 'flock --wait "$1" "$2" true; folder=$2; shift 2; systemctl start -- "$@" && touch "$folder/started"'
        done = self._system.run(['systemd-run', '--unit', GUARD, '--description', 'Starts what a repair of the clock has stopped',
                                 '/bin/sh', '-c', script, 'sh', str(bound), self._system.folder] + names)
        if done.code:
            return done.said
        guard = self._units([GUARD])
        return '' if guard and guard[0].active in UP else 'it ended at once; look at "journalctl -u {0}"'.format(GUARD)

    def _disarm(self) -> None:
        self._systemctl('stop', [GUARD])

    # the journal

    def _take_lock(self) -> None:
        statedir.make_folder(self._system.folder)
        self._lock = os.open(self._system.folder, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._release()
            raise Refused('Another run is setting the clock of this host, or its guard is about to start units again. '
                          'Wait a minute, then run again. Nothing was changed') from None

    def _forget(self) -> None:
        for path in (self._journal, self._started):
            if os.path.exists(path):
                os.remove(path)
        for folder in (self._system.folder, os.path.dirname(self._system.folder)):
            with suppress(OSError):     # not there, or the record of the last repair is in it
                os.rmdir(folder)
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # systemd

    def _systemctl(self, verb: str, units: List[str], timeout: float = _COMMAND_TIMEOUT) -> Done:
        return self._system.run(['systemctl', '--no-ask-password', verb, '--'] + units, timeout)

    def _units(self, names: List[str]) -> List[Unit]:
        """systemd's view of the units, in the order asked. Raises Refused where there is no systemd to ask."""
        if not names:
            return []
        done = self._system.run(['systemctl', 'show', '--no-pager', '--property', ','.join(_PROPERTIES), '--'] + names)
        blocks = done.out.strip().split('\n\n')
        if done.code or len(blocks) != len(names):
            raise Refused('systemd does not answer on this host, so no unit can be stopped and started again '
                          '("systemctl show": {0}). Leave the option stop_services empty. Nothing was changed'.format(done.said))
        found = []
        for name, block in zip(names, blocks):
            said = dict(line.split('=', 1) for line in block.splitlines() if '=' in line)
            active = said.get('ActiveState', '')
            if said.get('SubState') in _FAILING:
                active = 'failed'
            bound = [word for key in ('RequiredBy', 'BoundBy', 'ConsistsOf') for word in said.get(key, '').split()]
            found.append(Unit(said.get('Id') or name, active, said.get('LoadState', ''), said.get('CanStart') != 'no',
                              said.get('CanStop') != 'no', bound))
        return found


def _full_name(name: str) -> str:
    """The unit's whole name. Raises BadOption for what is no name of a service."""
    whole = name if '.' in name.rpartition('@')[2] else name + '.service'
    if not _NAME.match(whole) or not whole.endswith('.service'):
        raise BadOption('stop_services: "{0}" is not the name of a systemd service, such as aem.service '
                        '(in the role fix_bp_jwt: fix_bp_jwt_aem_service). Nothing was changed.'.format(name))
    return whole


@contextmanager
def _signals_noted() -> Iterator[List[str]]:
    """Put off what would end this process between the stop and the start, which both are bounded."""
    noted: List[str] = []
    numbers = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)
    try:
        before = [signal.signal(number, lambda got, frame: noted.append(signal.Signals(got).name)) for number in numbers]
    except ValueError:      # not the main thread: Python lets only that one handle signals
        yield noted
        return
    try:
        yield noted
    finally:
        for number, handler in zip(numbers, before):
            signal.signal(number, handler)


def _sentence(text: str) -> str:
    return text.rstrip('.') + '.'
