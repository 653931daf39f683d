# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Installs the package of a daemon, and can undo exactly that transaction.

The package manager simulates the transaction first. The undo is limited to the packages of this simulation; if it would change
another package, the installed one stays. Ansible's own modules cannot undo a transaction, and a play can lose a host between two
tasks.
"""

import os
import re
import time
from typing import Any, Callable, Dict, List, Mapping, NoReturn, Sequence, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.process import Done
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.stop_request import Interrupted
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.package_files import files_in, fingerprints, written_outside
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.package_managers import MANAGERS, Transaction
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.package_words import (
    MISSING_ON_MIRROR,
    UNREACHED,
    advice_for,
    complaint_of,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.processes import Processes
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import System, listed
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.systemd import Units
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.undo_log import CannotUndo, Entry, Handler, State, UndoLog

_QUIET = {'DEBIAN_FRONTEND': 'noninteractive', 'APT_LISTCHANGES_FRONTEND': 'none', 'NEEDRESTART_SUSPEND': '1',
          'ZYPP_LOCK_TIMEOUT': '0'}
# Seconds. A slow mirror or a small machine may take long.
_LONGEST = 900.0
# Seconds to wait for another package manager's lock, and between two tries.
LOCK_WAIT, _LOCK_PAUSE = 300.0, 5.0
# Characters of a complaint that a message has.
SHOWN = 600
_LOCKED = re.compile(r'(?i)could not get lock|unable to (acquire|lock)|frontend lock was locked|existing lock|'
                     r'another copy is running|transaction lock|system management is locked|another app is currently holding|'
                     # dnf 4 with exit_on_lock, while another one reads its sources; dpkg
                     r'(?:metadata|rpmdb|cachedir|log) already locked by \d|database is locked by another process')
# Errors for which waiting for the lock does not help.
_NO_LOCK = re.compile(r'(?i)read-only|permission denied|are you root')

_LISTING_ERROR = re.compile('(?m)^error:')

# States of a package besides its version.
GONE, CONFIGURED = '', 'removed, configuration kept'
OUT = (GONE, CONFIGURED)
_BROKEN = 'half-installed'


class LookFailed(Exception):
    """The package manager could not list its packages. Nothing may be changed without that list."""


class CannotInstall(Exception):
    """The package cannot be installed; the text says why."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


class Packages:
    """The packages of a host."""

    def __init__(self, host: System, manager: str) -> None:
        self._host = host
        self.name = manager
        self.manager = MANAGERS[manager]

    def _run(self, command: List[str], names: Sequence[str] = (), check: Callable[[], None] = lambda: None) -> Done:
        """Run a command; if another package manager holds the lock, wait with a limit. check may end the waiting."""
        limit = self._host.now() + LOCK_WAIT
        while True:
            done = self._host.execute(command + list(names), _LONGEST, _QUIET)
            if not done.code or not _LOCKED.search(done.said) or _NO_LOCK.search(done.said):
                return done
            if self._host.now() >= limit:
                return done._replace(err=f'another package manager has held its lock for {LOCK_WAIT:g} s: {complaint_of(done)}')
            check()
            self._host.sleep(_LOCK_PAUSE)

    # looks

    def installed(self) -> Dict[str, str]:
        """Return {name: version} of all packages; CONFIGURED if only the configuration is left. Raises LookFailed."""
        done = self._host.execute(self.manager.listing, _LONGEST, _QUIET)
        # rpm leaves out what it cannot read, and may end with 0.
        if done.code or _LISTING_ERROR.search(done.err):
            raise LookFailed(f'the installed packages cannot be listed: {done.complaint[-300:]}')
        found = {}
        rows = [line.split() for line in done.out.splitlines() if line.strip()]
        native = next((words[3] for words in rows if words[0] == 'dpkg' and len(words) > 3), '')
        for words in rows:
            state = words[1][1:2] if len(words) > 1 else ''
            if state not in ('', 'n'):
                version = words[2] if len(words) > 2 else ''
                # As the simulations of apt-get name a package of another architecture.
                foreign = words[3] if native and len(words) > 3 and words[3] not in (native, 'all') else ''
                name = f'{words[0]}:{foreign}' if foreign else words[0]
                found[name] = CONFIGURED if state == 'c' else version if state == 'i' else f'{_BROKEN} {version}'
        if not found:
            raise LookFailed(f'"{self.manager.listing[0]}" lists no package at all')
        return found

    def states(self, names: Sequence[str]) -> Dict[str, str]:
        """Return {name: version, CONFIGURED or GONE} of these packages. Raises LookFailed."""
        found = self.installed()
        return {name: found.get(name, GONE) for name in names}

    def ask(self, name: str, check: Callable[[], None] = lambda: None) -> Transaction:
        """Simulate the installation of this package, and download it where a separate command does that.

        Refreshes outdated package lists, which also name versions that the mirror has no more. Raises CannotInstall.
        """
        def simulate_and_fetch() -> Tuple[Transaction, Done, Done]:
            transaction, done = self._simulate([name], check)
            return transaction, done, self.fetch([name] if name in transaction.installs else [], check)
        transaction, done, fetched = simulate_and_fetch()
        if self.manager.refresh and (name not in transaction.installs or MISSING_ON_MIRROR.search(fetched.said)):
            refreshed = self._run(self.manager.refresh, (), check)
            transaction, done, fetched = simulate_and_fetch()
            if name not in transaction.installs and (refreshed.code or UNREACHED in refreshed.said):
                # apt-get update only warns of a mirror that it cannot reach, and then ends with 0.
                done = refreshed._replace(err=f'{complaint_of(done)} {complaint_of(refreshed)}')
        failed = done if name not in transaction.installs else fetched
        if failed is done or fetched.code:
            raise CannotInstall(f'{name}: {complaint_of(failed)[:SHOWN]}', advice_for(failed.said))
        return transaction

    def fetch(self, names: Sequence[str], check: Callable[[], None] = lambda: None) -> Done:
        """Download packages, which changes nothing yet: new ones, and those to replace, which otherwise only a network restores."""
        return self._run(self.manager.fetch, names, check) if names and self.manager.fetch else Done(0, '', '')

    def _simulate(self, names: Sequence[str], check: Callable[[], None]) -> Tuple[Transaction, Done]:
        return self._asked(self.manager.simulate, names, check)

    def _asked(self, command: List[str], names: Sequence[str],
               check: Callable[[], None] = lambda: None) -> Tuple[Transaction, Done]:
        """Run a simulation. Return its transaction, and its result with the output as plain text."""
        done = self._run(command, names, check)
        return self.manager.parse(done.out), done._replace(out=self.manager.words(done.out))

    def would_change(self, name: str) -> List[str]:
        """Return the names of all packages that installing this one would change now."""
        return self._simulate([name], lambda: None)[0].names

    def would_undo(self, removed: Sequence[str], installed: Sequence[str], purge: bool) -> List[str]:
        """Return the names of all packages that removing these and restoring those would change. Raises LookFailed."""
        touched: List[str] = []
        for command, names in self._undoing(removed, installed, purge, simulate=True):
            transaction, done = self._asked(command, names)
            if not transaction.names:
                raise LookFailed(f'"{command[0]}" does not show what undoing it would do: {complaint_of(done)[-300:]}')
            touched += transaction.names
        return sorted(set(touched))

    def _undoing(self, removed: Sequence[str], installed: Sequence[str], purge: bool,
                 simulate: bool) -> List[Tuple[List[str], List[str]]]:
        """Return the commands of the undo, with their packages. apt needs one transaction to reverse a replacement."""
        manager = self.manager
        if self.name == 'apt':
            command = manager.simulate_removal if simulate else manager.remove
            return [(command[:-1] + ['--purge'] * purge + command[-1:], [name + '-' for name in removed] + list(installed))]
        steps = [(manager.simulate_removal if simulate else manager.remove, list(removed)),
                 (manager.simulate if simulate else manager.install, list(installed))]
        return [step for step in steps if step[1]]

    # acts

    def install(self, name: str, check: Callable[[], None] = lambda: None, removing: bool = True) -> Done:
        """Install a package. removing: whether it may remove others; by default, dnf, yum and zypper remove none."""
        command, keep = self.manager.install, ['--no-remove'] if self.name == 'apt' and not removing else []
        done = self._run(command[:-1] + keep + command[-1:], [name], check)
        if done.code == 124:
            self.mend()
        # zypper(8), informational exit codes: the package was installed, but a repository was skipped or a restart is needed.
        return done._replace(code=0) if self.name == 'zypper' and done.code in (100, 101, 102, 103, 106) else done

    def undo(self, removed: Sequence[str], installed: Sequence[str], purge: bool) -> str:
        """Undo the transaction. Returns why it failed, or ''."""
        for command, names in self._undoing(removed, installed, purge, simulate=False):
            done = self._run(command, names)
            if done.code == 124:
                self.mend()
            if done.code and not self._undone(removed, installed, names):
                return complaint_of(done)[-500:]
        if purge and installed:
            self.purge([name for name, state in self.states(removed).items() if state == CONFIGURED])
        return ''

    def _undone(self, removed: Sequence[str], installed: Sequence[str], names: Sequence[str]) -> bool:
        """Return whether a command for these names did its work. It also fails for another package that is broken, or a mirror."""
        now = self.states([*removed, *installed])
        gone = [name for name in removed if name in names or name + '-' in names]
        return all(now[name] in OUT for name in gone) and all(
            now[name] not in OUT and not now[name].startswith(_BROKEN) for name in installed if name in names)

    def purge(self, names: Sequence[str]) -> None:
        if names and self.manager.purge:
            self._run(self.manager.purge, names)

    def wait_for(self, name: str) -> None:
        """Wait for the package manager of a killed run, which still installs this package. Raises CannotUndo."""
        words, processes, limit = {*self.manager.install[1:], name}, Processes(self._host.root), self._host.now() + LOCK_WAIT
        while True:
            found = [str(pid) for pid in processes.pids() if words <= set(processes.command(pid))]
            if not found:
                return
            if self._host.now() >= limit:
                raise CannotUndo(f'the package {name} was not undone: the {self.name} of an interrupted run still installs it '
                                 f'(PID {listed(found)})')
            self._host.sleep(_LOCK_PAUSE)

    def mend(self) -> None:
        """Let a package manager that was killed complete its transaction."""
        if self.manager.mend:
            self._run(self.manager.mend)


def install(log: UndoLog, packages: Packages, name: str, transaction: Transaction, sentence: str, unit: str,
            config: Sequence[str], replaced: Sequence[str] = ()) -> Done:
    """Install the package through the log. unit: that of its daemon. config: the current or future places of its configuration.

    replaced: units of the packages that it replaces; a reinstalled package starts its unit regardless of its previous state.
    Raises CannotInstall if packages or units have changed since the transaction was simulated.
    """
    names = transaction.names
    before = packages.states(names)
    after = {each: transaction.installs.get(each, transaction.upgrades.get(each, GONE)) for each in names}
    units = _unit_states(log.host, replaced)
    entry = Entry('packages', name, before, after, sentence, unit=unit, manager=packages.name, config=list(config),
                  folders=[place for place in config if not log.host.exists(place)], there=sorted(files_in(log.host, config)),
                  upgraded=sorted(transaction.upgrades), units=units, begun=int(time.time()))

    def act() -> Done:
        # Another administrator may have installed, removed, started or masked something in the meantime.
        entry.undone = True     # nothing is done yet, even if reading a state fails
        if (packages.states(names), packages.would_change(name), _unit_states(log.host, replaced)) != (before, names, units):
            raise CannotInstall(f'another administrator has changed packages or units of this host a moment ago, so that {name} '
                                'was not installed', 'let the other administrator finish')
        entry.undone = False
        try:
            done = packages.install(name, log.stop.check, removing=bool(transaction.removes))
        except Interrupted:
            entry.how['waited'] = True      # for another package manager, so that nothing was begun
            raise
        if done.code and packages.name == 'apt' and _without_rest(packages.states(names)) == after:
            # dpkg has configured all of it. apt-get also fails for another package that was broken before.
            done = done._replace(code=0)
        if not done.code:
            entry.after = packages.states(names)
            entry.how['files'] = fingerprints(log.host, config)
        return done
    return log.perform(entry, act)


def _without_rest(states: Mapping[str, str]) -> Dict[str, str]:
    return {name: GONE if state == CONFIGURED else state for name, state in states.items()}


def _unit_states(host: System, units: Sequence[str]) -> Dict[str, State]:
    states = {unit: Units(host).state(unit, ['active', 'enabled', 'masked']) for unit in units}
    return {unit: dict(state, active=state['active'] is True) for unit, state in states.items()}


def _version(state: str) -> str:
    """Return a version without the epoch 0, which rpm lists, and which the simulations of dnf, yum and zypper leave out."""
    return state[2:] if state.startswith('0:') else state


# What the log of another version may lack.
_DEFAULTS: Dict[str, Any] = {'config': [], 'folders': [], 'there': [], 'upgraded': [], 'units': {}, 'begun': 0}


class PackagesHandler(Handler):
    """A transaction counts as ours while each of its packages has the version that it installed."""

    def __init__(self, host: System, stop_unit: Callable[[str], str]) -> None:
        self._host, self._stop_unit = host, stop_unit

    def _packages(self, entry: Entry) -> Packages:
        return Packages(self._host, entry.how['manager'])

    def settle(self, entry: Entry) -> None:
        entry.how = dict(_DEFAULTS, **entry.how)
        if (entry.done and not entry.how.get('half_installed')) or entry.how.get('waited'):
            return
        self._packages(entry).wait_for(entry.target)
        if 'files' not in entry.how:
            # The run was killed before it could record the files of the package, which the package manager completed. What was
            # written long after it is of others. Looked at first, because a repair of the package may write files as well.
            begun = entry.how['begun']
            entry.how['edited'] = written_outside(self._host, entry.how['config'], begun, begun + _LONGEST)
        self._packages(entry).mend()

    def clear_up(self, entry: Entry) -> None:
        """Remove folders that stayed because our file was in them when another administrator removed the package."""
        for place in entry.how['folders']:
            for folder, _folders, _names in os.walk(self._host.path(place), topdown=False):
                self._host.remove_folder('/' + os.path.relpath(folder, self._host.root))

    def now(self, entry: Entry) -> State:
        try:
            found = self._packages(entry).states(list(entry.before))
        except LookFailed as failed:
            if entry.done:
                self._keep(entry, [name for name, state in entry.before.items() if state in OUT], [], str(failed))
            raise
        # Upgrades of other packages are not undone.
        return {name: entry.before[name] if name in entry.how['upgraded'] else state for name, state in found.items()}

    def ours(self, entry: Entry, now: State) -> bool:
        return not self._foreign(entry, now)

    @staticmethod
    def _foreign(entry: Entry, now: Mapping[str, str]) -> List[str]:
        """Return the packages in neither the state before nor after the run. Half-installed ones may be of an interrupted run."""
        return [name for name, state in now.items()
                if _version(state) not in (_version(entry.before[name]), _version(entry.after[name]))
                and not state.startswith(_BROKEN)
                and not (state in OUT and (entry.before[name] in OUT or entry.after[name] in OUT))]

    def undo(self, entry: Entry, now: State) -> None:
        packages, before = self._packages(entry), entry.before
        removed = [name for name in before if before[name] in OUT and now[name] not in OUT]
        installed = [name for name in before if before[name] not in OUT and now[name] in OUT]
        left = [name for name in before if before[name] == GONE and now[name] == CONFIGURED]
        if not removed and not installed:
            if left and not self._edited(entry):
                packages.purge(left)
            return
        edited = self._edited(entry)
        had_configuration = any(before[name] == CONFIGURED for name in removed)
        there = [] if had_configuration else entry.how.get('there', [])
        of_others = f'another administrator has changed {listed(edited)}' if edited else \
            f'{listed(there)} existed before it' if there else ''
        purge = not of_others and not had_configuration
        if of_others and not packages.manager.purge:
            self._keep(entry, removed, installed, of_others)
        try:
            others = [name for name in packages.would_undo(removed, installed, purge) if name not in before]
            said = f'undoing it would also change {listed(others)}' if others else packages.undo(removed, installed, purge)
        except LookFailed as failed:
            said = str(failed)
        if said:
            self._keep(entry, removed, installed, said)
        # systemd remembers that a unit has failed after the unit is gone.
        Units(self._host).verb('reset-failed', [entry.how['unit']] if removed else [])
        for unit, state in entry.how['units'].items():
            self._bring(unit, state)
        if of_others:
            raise CannotUndo(f'the package {listed(removed)} was removed again, but its configuration stays, because {of_others}')
        if entry.how['upgraded']:
            raise CannotUndo(f"the package {listed(entry.how['upgraded'])} was upgraded as well and keeps its new version")

    def finish(self, entry: Entry) -> None:
        """Restore the units of packages that were reinstalled. A package starts and enables its unit."""
        units, fresh = Units(self._host), {'active': True, 'enabled': True, 'masked': False}
        for unit, state in entry.how['units'].items():
            now = {key: value is True for key, value in units.state(unit, list(fresh)).items()}
            if now == fresh:
                self._bring(unit, state)
            elif now != {key: state[key] is True for key in fresh}:
                raise CannotUndo(f'{unit} was changed after its package came back and was left as it is now')

    def _bring(self, unit: str, state: State) -> None:
        said = Units(self._host).bring(unit, dict(state))
        if said:
            raise CannotUndo(f'{unit} could not be restored to its previous state: {said}')

    def _keep(self, entry: Entry, removed: Sequence[str], installed: Sequence[str], why: str) -> NoReturn:
        """Stop the unit of a package that stays, and name it, and those that do not come back."""
        stay = 'stays installed'
        try:
            now = self._packages(entry).states([*removed, *installed])
        except LookFailed:
            now, stay = dict.fromkeys(removed, 'unknown'), 'may still be installed'
        if any(state.startswith(_BROKEN) for state in now.values()):
            # The package manager was cut off as well, as by a shutdown.
            entry.how['half_installed'], stay, why = True, 'is only half installed', f'{why}; the next run undoes it'
        stays, lost = [name for name in removed if now[name] not in OUT], [name for name in installed if now.get(name) in OUT]
        what = [f"the package {listed(stays)} {stay} ({self._stop_unit(entry.how['unit'])})"] if stays else []
        what += [f'the package {listed(lost)} was not installed again'] if lost else []
        raise CannotUndo(f"{listed(what) or f'the package {entry.target} could not be restored'}, because {why}")

    def _edited(self, entry: Entry) -> List[str]:
        """Return the configuration that others changed since the installation. Our own changes are undone before this check."""
        came = entry.how.get('files')
        if came is None:
            return list(entry.how.get('edited', []))
        now = fingerprints(self._host, entry.how['config'])
        return sorted(path for path in now if now[path] != came.get(path, ''))
