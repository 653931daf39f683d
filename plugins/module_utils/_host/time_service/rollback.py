# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rolls a run back by its log: restores files, units and packages, then reloads or restarts daemons."""

from typing import Dict, List, Sequence

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.acts import FileHandler, UnitHandler
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import discovery
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.guest_sync import ACT, GuestSyncHandler
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.packages import PackagesHandler
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.systemd import NoAnswer, Units
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.companions import companions
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.undo_log import Entry, Handler, State, UndoLog


class SourceHandler(Handler):
    """Sources that were added to a running daemon. They are removed from it after its files are restored."""

    def __init__(self) -> None:
        self.told: List[Entry] = []

    def now(self, entry: Entry) -> State:
        # An interrupted or refused act may have told some of them.
        if 'sources' in entry.after:
            self.told.append(entry)
        return entry.before

    def undo(self, entry: Entry, now: State) -> None:
        """Do nothing: Rollback removes the sources at the end."""


class Rollback:
    """The rollback of one log. units_before: units of time daemons that ran before the run."""

    def __init__(self, log: UndoLog, units_before: Sequence[str]) -> None:
        self._log, self._before = log, units_before
        self._host = log.host
        self._units = Units(log.host)

    def run(self) -> List[str]:
        """Roll back. Return what stays, in sentences. Raises nothing, and no signal stops it."""
        unit_handler, source_handler = UnitHandler(self._host, self._log.booted), SourceHandler()
        handlers: Dict[str, Handler] = {
            'file': FileHandler(self._host), 'unit': unit_handler, 'source': source_handler,
            'packages': PackagesHandler(self._host, self._stop_ours), ACT: GuestSyncHandler(self._host)}
        problems = self._log.undo(handlers)
        for entry in self._log.entries:
            if entry.act not in (*handlers, 'clock') and not entry.undone:
                entry.left = f'this version does not know how to undo "{entry.sentence or entry.target}" of another version'
                problems.append(entry.left)
        try:
            problems += self._tell(unit_handler.restarts, source_handler.told)
            if problems:
                problems += self._not_without_daemon()
        except Exception as error:      # any error must not prevent the report
            problems.append(f'{type(error).__name__}: {error}')
        return problems

    def _stop_ours(self, unit: str) -> str:
        said = self._units.verb('disable', [unit], '--now')
        return f'and could not be stopped: {said}' if said else f'{unit} is stopped and disabled'

    def _tell(self, restarts: Sequence[str], told: Sequence[Entry]) -> List[str]:
        problems = []
        for unit in dict.fromkeys([*restarts, *(entry.target for entry in told)]):
            try:
                said = self._told(unit, unit in restarts, [entry for entry in told if entry.target == unit])
            except NoAnswer as error:
                said = str(error)
            if said:
                problems.append(self._left(unit, f'{unit} was not restarted with its previous configuration: {said}'))
        return problems

    def _told(self, unit: str, restart: bool, entries: Sequence[Entry]) -> str:
        """Have the daemon forget these sources, or restart it. Return why this was impossible. Raises NoAnswer."""
        active = self._units.state(unit, ['active'])['active']
        # One that is removed or stopped has nothing to forget.
        if active is False or (not restart and all(self._forgets(entry) for entry in entries)):
            return ''
        others = companions(self._host, unit)
        return f'{others} would be restarted too' if others else self._units.verb(
            'start' if active == 'failed' else 'restart', [unit])

    def _left(self, unit: str, problem: str) -> str:
        """Record that what the run did to the running daemon stays."""
        for entry in self._log.entries:
            if entry.target == unit and (entry.how.get('again') or entry.act == 'source'):
                entry.undone, entry.left = False, problem
        return problem

    def _forgets(self, entry: Entry) -> bool:
        """Remove the sources from the running daemon. Return False if only a restart can do this."""
        facts = [each for each in discovery.find_daemons(self._host) if each['name'] == entry.how['daemon']]
        daemon = discovery.make(self._host, facts[0]) if facts else None
        return bool(daemon) and daemon.remove_sources(entry.after['sources']) and (  # type: ignore[union-attr]
            not entry.how['reload'] or daemon.reload_sources())     # type: ignore[union-attr]

    def _not_without_daemon(self) -> List[str]:
        """Let the new daemon run if otherwise a host that had a time daemon would have none."""
        ours = [entry.how['unit'] for entry in self._log.entries if entry.act == 'packages' and entry.left]
        try:
            if not ours or not self._before or any(self._units.state(unit, ['active'])['active'] is True for unit in self._before):
                return []
        except NoAnswer:
            return []
        if self._units.verb('enable', ours[:1], '--now'):
            return []
        return [f'{ours[0]} was left running, so that the host is not without a time daemon']
