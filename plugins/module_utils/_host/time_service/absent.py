# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reverts the changes of earlier runs to a host's time service, except for those that others have changed since."""

import os
from functools import partial
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.files import fingerprint
from ansible_collections.aemops.brand_portal.plugins.module_utils._host import acts, guest_sync
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import discovery, layouts
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.texts import (
    BLOCK_BEGIN,
    BLOCK_END,
    OWN_NAME,
    SILENCED,
    File,
    without_ours,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import listed
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.systemd import known_states
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service import lasting
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.apply import Failure
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.companions import (
    refuse_restarting,
    refuse_stopping,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.plan import EDITED, Change, Facts, edited
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.run import Run
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.undo_log import State

# The order of the verbs that restore a unit; starting it is last.
_VERBS = (('stop', 'active', False), ('unmask', 'masked', False), ('disable', 'enabled', False), ('enable', 'enabled', True),
          ('mask', 'masked', True), ('start', 'active', True))


class UnitBack(NamedTuple):
    """A unit, and the part of its state to restore, which is still as the runs have left it."""

    unit: str
    to: State

    @property
    def verbs(self) -> List[str]:
        return [verb for verb, key, value in _VERBS if self.to.get(key) is value]

    @property
    def sentence(self) -> str:
        return f'{listed(self.verbs)} {self.unit}'


class Undoing(NamedTuple):
    """The changes to revert. left: what another administrator has changed since, in sentences."""

    changes: List[Change]
    units: List[UnitBack]
    restarts: List[str]
    left: List[str]
    guest_sync: bool = False    # whether to turn the time synchronization of VMware tools on again

    @property
    def sentences(self) -> List[str]:
        return [change.sentence for change in self.changes] + [unit.sentence for unit in self.units] \
            + [f'restart {unit}' for unit in self.restarts] + ([guest_sync.TURN_ON] if self.guest_sync else [])


class Absent(Run):
    """Removes our files and blocks, and restores units to the state before the first run."""

    failed = 'Could not revert the changes of this role'

    def _do(self) -> Dict[str, Any]:
        daemons, _steerers = self.look()
        known = lasting.stored(self.host.text(lasting.FILE))
        undoing = self._plan(daemons, known)
        for change in undoing.changes:
            obstacle = self.host.obstacle(change.file.path)
            if obstacle:
                raise OSError(f'{change.file.path} cannot be written: {obstacle}')
        refuse_stopping(self.host, [back.unit for back in undoing.units if back.to.get('active') is False])
        for unit in undoing.restarts:
            refuse_restarting(self.host, unit)
        installed = {each['package'] for each in daemons if each['installed']}
        there = [name for name in known.packages if name in installed]
        stays = f" The package {listed(there)} stays installed." if there else ''
        lost = [name for name in known.replaced if name not in installed]
        stays += f" The package {listed(lost)}, which an earlier run replaced, is not installed again." if lost else ''
        self.details.update(problems=self.details['problems'] + undoing.left)
        if self.check_mode:
            sentences = [f'would undo the changes of the interrupted run of {self.log.begun}'] if self.interrupted else []
            sentences += [f'would {sentence}' for sentence in undoing.sentences]
            self.details.update(changed=bool(sentences), actions=sentences, diff=[change.diff() for change in undoing.changes],
                                msg=f"Check mode: a run {'; '.join(sentences)}." if sentences else _nothing(undoing))
            return self.details
        try:
            self._apply(undoing, daemons)
        except Exception as error:      # after any error, restore the host first
            self._roll_back('the time daemon', error)
        self._clear(known, undoing)
        self.details.update(
            diff=[change.diff() for change in undoing.changes],
            msg=f"Reverted: {'; '.join(undoing.sentences)}.{stays}" if undoing.sentences else _nothing(undoing))
        return self._finish()

    # looking

    def _plan(self, daemons: List[Facts], known: lasting.Lasting) -> Undoing:
        changes: List[Change] = []
        restarts: List[str] = []
        left: List[str] = []
        there = self.host.exists(layouts.VMWARE_TOOL)
        guest = known.guest_sync == {'before': True, 'after': False} and there and not guest_sync.is_on(self.host)
        installed = [each for each in daemons if each['package'] in known.packages]
        units = _without_ours_beside(self._units_back(known, left), installed, guest)
        stopped = [each.unit for each in units if each.to.get('active') is False]
        for daemon in daemons:
            found = self._own_files(daemon, known, left)
            changes += [change for change in found if change.file.path not in [each.file.path for each in changes]]
            if daemon['active'] and daemon['unit'] not in stopped and any(change.file.effect for change in found):
                restarts.append(daemon['unit'])
        changes += self._elsewhere(known, [change.file.path for change in changes], left)
        return Undoing(changes, units, restarts, left, guest)

    def _elsewhere(self, known: lasting.Lasting, there: Sequence[str], left: List[str]) -> List[Change]:
        """Return the changes in recorded files that no daemon reads now, and in those for the next boot."""
        found = []
        for path, written in sorted(known.files.items()):
            text = self.host.text(path) if path not in there else None
            if text is None or any(path in each for each in left):
                continue
            if written == fingerprint(text.encode('utf-8', 'surrogateescape')):
                found.append(Change(File(path, None, effect=''), text, None))
            else:
                left.append(f'{path} was changed by another administrator and stays. Remove it by hand if it is not needed')
        for path in sorted(set(known.blocks) - set(there)):
            found += [change._replace(file=change.file._replace(effect='')) for change in self._block(path, True, known, left)
                      if change.file.path not in there]
        return found

    def _own_files(self, daemon: Mapping[str, Any], known: lasting.Lasting, left: List[str]) -> List[Change]:
        """Return the changes for our files of a daemon, in all layouts of its package; backups have no effect on it."""
        places = [(daemon['config'], daemon['sources_dir'], daemon['config_dir'], daemon['keys'])] + [
            (each.config, each.sources_dir, each.config_dir, each.keys) for each in layouts.all_layouts(daemon['name'])]
        found: List[Change] = []
        silenced = known.silenced if daemon['active'] or daemon['installed'] else []
        for config, sources_dir, config_dir, keys in places:
            for folder, suffix in ((sources_dir, 'sources'), (config_dir, 'conf')):
                path = f'{folder}/{OWN_NAME}.{suffix}'
                text = self.host.text(path) if folder else None
                if text is None or path in [change.file.path for change in found]:
                    continue
                written = known.files.get(path)
                if written in (None, fingerprint(text.encode('utf-8', 'surrogateescape'))):
                    found.append(Change(File(path, None), text, None))
                elif not any(path in each for each in left):
                    left.append(f'{path} was changed by another administrator and stays. Remove it by hand if it is not needed')
            for path in dict.fromkeys([config, keys, *self._key_files(daemon), *silenced]):
                found += [change for change in self._block(path, path not in (config, *silenced), known, left)
                          if change.file.path not in [each.file.path for each in found]]
        return found

    def _key_files(self, daemon: Mapping[str, Any]) -> List[str]:
        if not daemon['installed'] or daemon['name'] not in [known.name for known in layouts.DAEMONS if known.provider]:
            return []
        lines = discovery.make(self.host, daemon).lines()
        return [os.path.join('/', line.words[1]) for line in lines
                if line.directive in ('keyfile', 'keys') and len(line.words) > 1]

    def _block(self, path: str, secret: bool, known: lasting.Lasting, left: List[str]) -> List[Change]:
        text = self.host.text(path) if path else None
        found: List[Change] = []
        if edited(File(path, '', block=True), text, known) == EDITED:
            if not any(path in each for each in left):
                left.append(f'the block of this role in {path} was changed by another administrator and stays. Remove it by hand '
                            'if it is not needed')
            return found
        if text is not None and (BLOCK_BEGIN in text or SILENCED in text):
            rest = without_ours(text)
            if BLOCK_BEGIN in rest:
                if not any(path in each for each in left):
                    left.append(f'the block of this role in {path} has no end ("{BLOCK_END}") and stays. Remove it by hand')
                return found
            # A file that contains only our block was created for it, unless a link leads to it, or it was there, and empty.
            created = not rest and not os.path.islink(self.host.path(path)) and not self.host.exists(f'{path}.before-{OWN_NAME}')
            found.append(Change(File(path, '', block=True, secret=secret), text, None if created else rest))
        backup = f'{path}.before-{OWN_NAME}'
        former = self.host.text(backup) if path else None
        if former is not None:
            found.append(Change(File(backup, None, effect='', secret=secret), former, None))
        return found

    def _units_back(self, known: lasting.Lasting, left: List[str]) -> List[UnitBack]:
        """Return the parts of each unit's state that are still as the runs have left them. Missing units are left out."""
        found = []
        states = known_states(self.host, sorted(known.units)) if known.units else {}
        for unit in sorted(known.units):
            if states[unit].get('LoadState') == 'not-found':
                continue
            before, after = known.units[unit]['before'], known.units[unit]['after']
            now = acts.unit_state(self.units, unit, [*after, 'masked'])
            to = {key: before[key] for key in after if before.get(key) != after[key] and now[key] == after[key]}
            if now['masked'] and 'masked' not in to and True in to.values():
                # systemd neither enables nor starts it.
                left.append(f'{unit} was masked by another administrator and stays masked. If it is needed, run "systemctl unmask '
                            f'{unit}", then run again')
            elif to:
                found.append(UnitBack(unit, to))
        return found

    # doing

    def _apply(self, undoing: Undoing, daemons: List[Facts]) -> None:
        self.log.how['active'] = [each['unit'] for each in daemons if each['active']]
        for change in undoing.changes:
            acts.write_file(self.log, change.file.path, change.after, change.sentence, secret=change.file.secret,
                            expected=change.before)
        for daemon in daemons:
            if daemon['unit'] in undoing.restarts:
                complaint = discovery.make(self.host, daemon).complaint()
                if complaint:
                    raise Failure(f"Check the configuration of {daemon['unit']}", complaint)
        for back in undoing.units:
            acts.change_unit(self.log, self.units, back.unit, back.to, back.sentence, partial(self._order, back.verbs, back.unit))
        if any(change.file.path.startswith('/etc/systemd/system/') for change in undoing.changes):
            self.units.verb('daemon-reload', [])
        for unit in undoing.restarts:
            acts.change_unit(self.log, self.units, unit, {'active': True}, f'restart {unit}',
                             partial(self._order, ['restart'], unit), again=True)
        if undoing.guest_sync:
            guest_sync.change(self.log, True)
        self.stop.check()

    def _clear(self, known: lasting.Lasting, undoing: Undoing) -> None:
        """Remove empty folders that were created for our files, and the record of the changes."""
        try:
            for folder in sorted(known.folders, reverse=True):
                self.host.remove_folder(folder)
            if not undoing.left:
                self.host.remove(lasting.FILE)
        except OSError as error:
            raise OSError(f'The changes were reverted, but what is left of them cannot be removed: {error}') from error

    def _order(self, verbs: List[str], unit: str) -> None:
        for verb in verbs:
            said = self.units.verb(verb, [unit])
            if said:
                raise Failure(f'{verb.capitalize()} {unit}', said, f'See journalctl -b -u {unit}, then run again.')


def _without_ours_beside(units: List[UnitBack], installed: List[Facts], guest: bool) -> List[UnitBack]:
    """Return the units in their order, with those of installed packages stopped if something else steers the clock again.

    Units to stop come before units to start: two daemons must not steer one clock. installed: daemons from packages of the runs.
    """
    for daemon in installed:
        others = [each for each in units if each.unit != daemon['unit']]
        if guest or any(True in (each.to.get('active'), each.to.get('enabled')) for each in others):
            to = {key: False for key in ('active', 'enabled') if daemon[key]}
            units = others + ([UnitBack(daemon['unit'], to)] if to else [])
    return sorted(units, key=lambda each: each.to.get('active') is True)


def _nothing(undoing: Undoing) -> str:
    return 'This host has no changes of this role.' if not undoing.left else \
        f"Nothing was reverted: {'; '.join(undoing.left)}."
