# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applies a plan, with each act through the undo log."""

import os
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._host import acts, guest_sync, packages
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import texts
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.base import MAY_NOT_BE_ASKED, Daemon, Status
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.package_words import advice_for, complaint_of
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.packages import SHOWN, CannotInstall, Packages
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.systemd import Units
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.companions import BONDS, companions
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.plan import (
    Facts,
    Plan,
    hash_of,
    refuse_removals,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.undo_log import Entry, UndoLog

_TELL, _MEASURE, STEP = 'tell {0} its new sources', 'make {0} measure again', 'step the clock by {0:+.3f} s'


class Failure(Exception):
    """An act failed. doing: the act; why: the reason; advice: the next step, as a sentence."""

    def __init__(self, doing: str, why: str, advice: str = '') -> None:
        super().__init__(f'"{doing}" failed: {why.strip().rstrip(".")}')
        self.advice = advice


class Applied(NamedTuple):
    """An applied plan. measures_again: whether the daemon measures from scratch."""

    plan: Plan
    daemon: Daemon
    measures_again: bool


def _then_run_again(advice: str) -> str:
    return f'{advice[0].upper()}{advice[1:]}, then run again.'


class Apply:
    """Applies a plan. look: finds the daemons and plans again, after a package has installed units and configuration."""

    def __init__(self, log: UndoLog, manager: Packages, look: Callable[[str], Tuple[Plan, Daemon]]) -> None:
        self._log, self._packages, self._look = log, manager, look
        self._units = Units(log.host)

    def run(self, plan: Plan, daemon: Daemon, clock_was_set: bool) -> Applied:
        """Apply the plan. Raises Failure, OSError and Interrupted."""
        if plan.package:
            self._install(plan)
            plan, daemon = self._look(plan.daemon['name'])
        self._write(plan, daemon)
        for other in plan.competitors:
            self._stop(other)
        if plan.guest_sync:
            self._turn_off_guest_sync()
        fresh = self._start(plan, daemon, clock_was_set)
        self._boot(plan)
        return Applied(plan, daemon, fresh)

    def _install(self, plan: Plan) -> None:
        doing = 'Install the package of the daemon'
        check = self._log.stop.check
        try:
            transaction = self._packages.ask(plan.package, check)
        except CannotInstall as cannot:
            raise Failure(doing, str(cannot), _then_run_again(cannot.advice)) from cannot
        strange = refuse_removals(plan.package, transaction.removes)
        if strange:
            raise Failure(doing, f'installing {plan.package} would remove {strange}',
                          f'Install {plan.package} by hand if that is wanted, or use another provider.')
        self._packages.fetch(sorted(transaction.removes))
        replaced = [each['unit'] for each in plan.replaced if each['package'] in transaction.removes]
        try:
            done = packages.install(self._log, self._packages, plan.package, transaction, plan.install_sentence,
                                    plan.daemon['unit'], config_places(plan.daemon), replaced)
        except CannotInstall as cannot:
            raise Failure(doing, str(cannot), _then_run_again(cannot.advice)) from cannot
        if done.code:
            raise Failure(doing, f'{plan.package}: {complaint_of(done)[:SHOWN]}',
                          _then_run_again(advice_for(done.said)))

    def _write(self, plan: Plan, daemon: Daemon) -> None:
        for change in plan.changes:
            file = change.file
            block = texts.block_of(change.after or '') if file.block else ''
            try:
                acts.write_file(self._log, file.path, change.after, change.sentence, 0o640 if file.secret else 0o644,
                                daemon.keys_group if file.secret else '', file.secret, change.before,
                                own=not file.block, silenced=bool(file.silence), block=block and hash_of(block))
            except OSError as error:
                raise Failure(f'Write {file.path}', str(error)) from error
        if plan.start or {'restart', 'add'} & set(plan.effects):
            complaint = daemon.complaint()
            if complaint:
                raise Failure(f"Check the configuration of {plan.daemon['unit']}", complaint)

    def _stop(self, other: Facts) -> None:
        """Stop and disable a daemon that competes with the chosen one. A daemon that no longer exists is no error."""
        unit = other['unit']
        after = {'active': False} if other['masked'] else {'active': False, 'enabled': False}

        def act() -> None:
            said = self._units.verb('stop', [unit]) if other['masked'] else self._units.verb('disable', [unit], '--now')
            if said and any(self._units.state(unit, ['active', 'enabled']).values()):
                raise Failure(f'Stop and disable {unit}', said)
        acts.change_unit(self._log, self._units, unit, after, f'stop and disable {unit}', act, competitor=True,
                         masked=other['masked'])

    def _turn_off_guest_sync(self) -> None:
        try:
            guest_sync.change(self._log, False)
        except OSError as error:
            raise Failure('Turn off the time synchronization of VMware tools', str(error),
                          'Run "vmware-toolbox-cmd timesync disable" on this host, then run again.') from error

    def guest_sync_back(self) -> None:
        """Undo only that act. Raises Failure."""
        for problem in self._log.undo({guest_sync.ACT: guest_sync.GuestSyncHandler(self._log.host)}):
            raise Failure('Turn on the time synchronization of VMware tools', problem)

    def _start(self, plan: Plan, daemon: Daemon, clock_was_set: bool) -> bool:
        """Unmask, enable and start the daemon, or make it read the changes. Return whether it measures from scratch now."""
        unit = plan.daemon['unit']
        if plan.unmask:
            self._order('unmask', unit, {'masked': False})
        if plan.enable:
            self._order('enable', unit, {'enabled': True})
        if plan.start:
            self._units.verb('reset-failed', [unit])
            self._order('start', unit, {'active': True})
            return True
        if daemon.needs_restart(plan.effects) or (plan.effects and not self._tell(plan, daemon)):
            self.restart(unit)
            return True
        if measures_again(plan, daemon.status(), clock_was_set):
            entry = Entry('source', unit, {}, {'measured': 'again'}, _MEASURE.format(unit))
            if not self._perform(entry, daemon.reset_measurements):
                self.restart(unit)
            return True
        return bool(plan.effects)

    def _boot(self, plan: Plan) -> None:
        """Prepare the next boot. Does not change anything that runs."""
        for change in plan.boot:
            acts.write_file(self._log, change.file.path, change.after, change.sentence, expected=change.before, own=True)
        if plan.boot:
            self._units.verb('daemon-reload', [])
        if plan.wait:
            self._order('enable', plan.wait, {'enabled': True})

    def _tell(self, plan: Plan, daemon: Daemon) -> bool:
        sources = [line for change in plan.changes for line in change.sources or []]
        reload = 'reload' in plan.effects
        entry = Entry('source', daemon.unit, {'sources': []}, {'sources': sources}, _TELL.format(daemon.unit),
                      daemon=daemon.facts['name'], reload=reload)
        told = self._perform(entry, lambda: daemon.add_sources(sources) and (not reload or daemon.reload_sources()))
        entry.how['reload'] = reload and told       # a refused one is not to be undone; sources may have been added before it
        return told

    def _perform(self, entry: Entry, act: Callable[[], bool]) -> bool:
        """Perform an act that a daemon may refuse. A refused act counts as not done."""
        entry.done = bool(self._log.perform(entry, act))
        return entry.done

    def restart(self, unit: str) -> None:
        others = companions(self._log.host, unit)
        if others:
            raise Failure(f'Restart {unit}', f'{others} would be restarted together with it',
                          f'Take {unit} out of {BONDS} of {others}, then run again.')
        self._order('restart', unit, {'active': True}, again=True)

    def _order(self, verb: str, unit: str, after: Dict[str, Any], **how: Any) -> None:
        def act() -> None:
            said = self._units.verb(verb, [unit])
            if said:
                raise Failure(f'{verb.capitalize()} {unit}', said, f'See journalctl -b -u {unit}, then run again.')
        acts.change_unit(self._log, self._units, unit, after, f'{verb} {unit}', act, **how)


def measures_again(plan: Plan, status: Status, clock_was_set: bool) -> bool:
    """Return whether a running daemon, which does not have to be restarted, is to measure from scratch.

    Samples from before a step would mislead it, and it should query sources that did not answer again soon.
    """
    return clock_was_set or not (plan.effects or status.synchronized or status.reason == MAY_NOT_BE_ASKED)


def predicted(plan: Plan, daemon: Daemon, status: Status, clock_is_due: bool, max_skew: float) -> List[str]:
    """Return the sentences for what makes a running daemon read the changes, measure again and correct the clock."""
    restart = [f'restart {daemon.unit}']
    if daemon.needs_restart(plan.effects):
        return restart
    if measures_again(plan, status, clock_is_due):
        # chronyd alone can do it without a restart.
        again = [_MEASURE.format(daemon.unit)] if plan.daemon['name'] == 'chrony' else restart
        return [_TELL.format(daemon.unit)] * bool(plan.effects) + again
    steps = daemon.steps and status.synchronized and abs(status.residual_offset) > max_skew and not status.stepped
    return [_TELL.format(daemon.unit)] * bool(plan.effects) + [STEP.format(status.residual_offset)] * steps


def config_places(daemon: Facts) -> Sequence[str]:
    """Return the files and folders of a daemon's configuration."""
    folder = os.path.dirname(daemon['config'])
    places = [daemon['config'] if folder in ('/etc', '/etc/systemd') else folder, daemon['sources_dir'], daemon['config_dir'],
              daemon.get('keys', '')]
    return [place for place in dict.fromkeys(places) if place]
