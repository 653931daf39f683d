# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base of every run on a host: a lock, acts through the undo log, and a rollback if an act fails."""

import os
from typing import Any, Dict, List, NoReturn, Optional, Sequence, Tuple, Type

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import ClockError
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.step import StepRefused
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.stop_request import Interrupted, StopRequest
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import discovery, layouts
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.wanted import Refused
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.packages import LookFailed
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.statedir import STATE
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import System
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.systemd import NoAnswer, Units, known_states
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service import result
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.apply import Failure
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.plan import Facts
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.result import TimeServiceFailed
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.rollback import Rollback
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.wait import LedAway
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.undo_log import (
    LOCK,
    Busy,
    Entry,
    Lock,
    LogUnreadable,
    UndoLog,
    changed,
    record,
)

FOLDER = STATE + '/time_service'
NOTHING_CHANGED, _NOTHING_ELSE = 'Nothing was changed.', 'Nothing else was changed.'
_UNDO_FAILED = 'See the acts of the run in /var/lib/aemops-brand-portal/last-run.json, then restore by hand what the message names.'

# Errors that end a run before its acts begin.
LOOKS = (Refused, Busy, ClockError, LookFailed, LogUnreadable, NoAnswer, Interrupted, OSError)
# The next step after an error that does not name one. An OSError names its path.
_ADVICE: Sequence[Tuple[Type[Exception], str]] = (
    (LogUnreadable, 'Look at what that run has changed, remove the file, then run again.'),
    (LookFailed, 'See that the package manager works on this host, then run again.'),
    (NoAnswer, 'See that systemctl works on this host, then run again.'),
    (Interrupted, 'Run again.'),
    (OSError, 'Correct that on this host, then run again.'),
)


def _advice(problem: Exception) -> str:
    if isinstance(problem, PermissionError) and os.geteuid():
        return 'Run as root (become=true).'
    return getattr(problem, 'advice', '') or next((advice for kind, advice in _ADVICE if isinstance(problem, kind)), '')


class Run:
    """A run: takes the lock, undoes an interrupted earlier run, acts through the undo log, and rolls back on failure."""

    # The beginning of the message of a failure.
    failed = ''

    def __init__(self, host: System, check_mode: bool = False, stop: Optional[StopRequest] = None,
                 lock: Optional[Lock] = None) -> None:
        self.host = host
        self.check_mode = check_mode
        self.stop = stop or StopRequest()
        self.lock = lock or Lock(host)
        self.units = Units(host)
        self.log = UndoLog(host, FOLDER, self.stop)
        self.details = result.blank()
        self.entries: List[Entry] = []      # of this run, except those in the log
        self.secrets: List[str] = []
        self.interrupted = False            # whether an interrupted run still has to be undone
        self._may_close = False             # whether the log is that of this run
        self._settled = False               # whether acts of an interrupted run were undone

    def run(self) -> Dict[str, Any]:
        """Return the module's result. Raises TimeServiceFailed with the same keys."""
        try:
            if not self.check_mode:
                self.lock.take()
            try:
                self.interrupted = self.log.read()
                if not self.check_mode and (self.interrupted or self.host.exists(FOLDER)):
                    self._settle()
                    self.interrupted = False
                self._may_close = not self.check_mode
                return result.hidden(self._do(), self.secrets)
            except LOOKS as problem:
                self._end_early(problem)
        except Busy as busy:
            self.details['advice'] = 'Wait until the other run has ended, then run again.'
            raise TimeServiceFailed(str(busy), self.details) from busy
        except OSError as error:
            self.details['advice'] = f'See {LOCK} on this host, then run again.'
            raise TimeServiceFailed(f'The lock of a run cannot be taken: {error}. {NOTHING_CHANGED}', self.details) from error
        finally:
            self.lock.release()

    def _do(self) -> Dict[str, Any]:
        raise NotImplementedError

    def _settle(self) -> None:
        """Undo the acts of an interrupted run whose results are still in place."""
        begun = self.log.begun
        ended = self.log.ended
        problems = list(ended.get('problems', [])) if ended else Rollback(self.log, self.log.how.get('active', [])).run()
        entries = [entry for entry in self.log.entries if entry.reverted or entry.left]
        sentence = f'undo the changes of the interrupted run of {begun}'
        self._settled = any(entry.reverted for entry in entries)
        if entries or problems:
            left = f" What stays: {'; '.join(problems)}." if problems else ''
            what = 'was killed after it had ended.' if ended else 'was interrupted on this host. Its changes were undone first.'
            self.details.update(recovered=f'A run of {begun} {what}{left}', problems=problems)
        try:
            self.log.close(changed=self._settled, msg=sentence, problems=result.hidden(problems, self.secrets))
        except OSError as error:
            raise OSError(f'The record of the interrupted run of {begun}, {self.log.file}, cannot be removed: {error}') from error
        self.log = UndoLog(self.host, FOLDER, self.stop)

    def look(self) -> Tuple[List[Facts], List[Any]]:
        """Return (all time daemons, what else sets the clock). Raises NoAnswer."""
        states = known_states(self.host, layouts.all_units())
        return discovery.find_daemons(self.host, states), discovery.steerers(self.host, known_states)

    def _finish(self, disabled: Sequence[str] = ()) -> Dict[str, Any]:
        """Build the result from the log, and close the log."""
        entries = self.entries + self.log.entries
        found = result.of_log(entries)
        found['disabled'] = [*found['disabled'], *(unit for unit in disabled if unit not in found['disabled'])]
        if self.details['recovered'] and self._settled:
            found['actions'].insert(0, 'undo the changes of an interrupted run')
        found['changed'] = found['changed'] or self._settled or bool(self._step.get('changed'))
        self.details.update(found)
        if self._may_close:
            self._close()
        return self.details

    def _close(self) -> None:
        """Close the log. A file system that became read-only keeps it."""
        said = {key: result.hidden(self.details.get(key, ''), self.secrets) for key in ('problems', 'msg')}
        if any(entry.how.get('half_installed') for entry in self.log.entries):
            record(self.host, self.log.begun, self.entries + self.log.entries, changed=self.details['changed'], **said)
            return      # and keep the log for the next run
        try:
            self.log.close(self.entries, changed=self.details['changed'], **said)
        except OSError as error:
            self.details['problems'] = [*self.details['problems'], f'the record of this run, {self.log.file}, could not be removed '
                                        f'({error}), so that the next run undoes what it lists']

    @property
    def _clock_is_set(self) -> bool:
        return any(entry.act == 'clock' and entry.done for entry in self.entries)

    @property
    def _step(self) -> Dict[str, Any]:
        """The result of the step of the clock. It may have changed only a service that an interrupted run had left stopped."""
        return self.details.get('clock') or {}

    # failures

    def _roll_back(self, unit: str, error: Exception) -> NoReturn:
        acted = bool(self.log.entries)
        problems = Rollback(self.log, self.log.how['active']).run() if acted else []
        what = str(error) if isinstance(error, (Failure, Interrupted, Refused, LookFailed, NoAnswer, OSError)) \
            else f'{type(error).__name__}: {error}'
        tried = '; '.join(entry.sentence for entry in self.log.entries if entry.sentence)
        if not acted:
            back = (_NOTHING_ELSE if self._step.get('changed') or self._settled else NOTHING_CHANGED).rstrip('.')
        elif problems:
            back = f"Not everything could be restored: {'; '.join(problems)}"
        else:
            back = 'Files, units and packages were restored'
        if self._clock_is_set and not isinstance(error, LedAway):
            back += '. The clock stays set'
        said = self._said_by(unit) if acted else []
        usual = 'Run again.' if isinstance(error, Interrupted) else f'See journalctl -b -u {unit}, then run again.'
        advice = getattr(error, 'advice', '') or usual
        if problems:
            advice = f'{advice} {_UNDO_FAILED}'
        self.details.update(restored=not problems, problems=self.details['problems'] + problems, journal=said, advice=advice)
        message = f"{self.failed.format(unit=unit)}: {what.rstrip('.')}." \
            + (f' Tried: {tried}.' if tried else '') + f" {back.rstrip('.')}." + (f" Journal: {' | '.join(said)}" if said else '')
        self._fail(message, error)

    def _said_by(self, unit: str) -> List[str]:
        """Return the daemon's last journal lines. An error here must not prevent the report of the rollback."""
        try:
            return self.units.journal(unit)
        except Exception:       # pylint: disable=broad-except
            return []

    def _end_early(self, problem: Exception) -> NoReturn:
        """End a run before its acts, when at most the clock was set, or after all of them, when only a look fails."""
        if isinstance(problem, StepRefused):
            self.details.update(result.of_step(problem.details), advice=problem.advice, clock=problem.details)
            self._fail(str(problem), problem)
        self.details.update(advice=_advice(problem))
        said = f"{(getattr(problem, 'message', '') or str(problem)).rstrip('.')}."
        acted = changed(self.log.entries) if self._may_close else False
        if self._clock_is_set:
            said += f" {self._step.get('msg') or 'The clock was set.'}"
        if changed(self.entries) or acted or self._settled or (self._step.get('changed') and not self.check_mode):
            said = said.replace(NOTHING_CHANGED, _NOTHING_ELSE)
        elif NOTHING_CHANGED not in said:
            said += f' {NOTHING_CHANGED}'
        self._fail(said, problem)

    def _fail(self, message: str, cause: Exception) -> NoReturn:
        self.details['msg'] = message
        details = result.hidden(self._finish(), self.secrets)
        raise TimeServiceFailed(details.pop('msg'), details) from cause
