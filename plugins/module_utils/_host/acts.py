# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Acts on files and units, which the undo log records and undoes."""

import os
from typing import Any, Callable, Dict, Iterable, List, Optional

from ansible_collections.aemops.brand_portal.plugins.module_utils._common import files
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import System
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.systemd import Units, own_link
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.undo_log import CannotUndo, Entry, Handler, State, UndoLog


def _content(host: System, path: str) -> Optional[bytes]:
    return files.read(host.path(path))


# Files


def write_file(log: UndoLog, path: str, text: Optional[str], sentence: str, mode: int = 0o644, group: str = '',
               secret: bool = False, expected: Optional[str] = None, like: str = '', **how: Any) -> None:
    """Write the file, or remove it (None), if its text is still the expected one, from which the new text was derived.

    The previous content is first copied to the folder of the log. Raises OSError.
    """
    host = log.host
    before = _content(host, path)
    if host.text(path) != expected:
        raise OSError(f'{path} was changed by another administrator a moment ago')
    after = None if text is None else text.encode('utf-8', 'surrogateescape')
    missing: List[str] = []
    folder = os.path.dirname(path)
    while not host.exists(folder):
        missing.insert(0, folder)
        folder = os.path.dirname(folder)
    kept = ''
    if before is not None:
        kept = f'{log.folder}/{len(log.entries)}-{os.path.basename(path)}'
        log.save()      # makes the folder
        host.copy(path, kept)
        if after is not None:
            host.write(kept + '.after', str(text), 0o600)
        if _content(host, kept) != before:
            raise OSError(f'{path} was changed while it was copied')
    entry = Entry('file', path, {'sha256': files.fingerprint(before)}, {'sha256': files.fingerprint(after)}, sentence,
                  kept=kept, folders=missing, secret=secret, linked=before is None and os.path.islink(host.path(path)), **how)

    def act() -> None:
        entry.undone = True     # nothing is done yet
        # The file may have been edited since it was read.
        if files.fingerprint(_content(host, path)) != entry.before['sha256']:
            raise OSError(f'{path} was changed by another administrator a moment ago')
        entry.undone = False
        if text is None:
            host.remove(path)
            return
        if missing:
            host.make_folder(missing[-1])
        host.write(path, text, mode, group, like)
    log.perform(entry, act)


class FileHandler(Handler):
    """A file counts as ours while it has the content that this collection wrote."""

    def __init__(self, host: System) -> None:
        self._host = host

    def settle(self, entry: Entry) -> None:
        files.discard_new(self._host.path(entry.target))

    def now(self, entry: Entry) -> State:
        return {'sha256': files.fingerprint(_content(self._host, entry.target))}

    def ours(self, entry: Entry, now: State) -> bool:
        return now == entry.after or self._half_written(entry)

    def _half_written(self, entry: Entry) -> bool:
        """Where a rename is impossible, a file is rewritten in place, and the write may have been interrupted."""
        kept = entry.how['kept']
        return (not entry.done or entry.reverted) and bool(kept) and files.mixture(
            *(_content(self._host, path) for path in (entry.target, kept, kept + '.after')))

    def undo(self, entry: Entry, now: State) -> None:
        host, kept = self._host, entry.how.get('kept', '')
        if not entry.before['sha256']:
            # A link that led nowhere stays, and leads nowhere again.
            linked = entry.how.get('linked') and os.path.islink(host.path(entry.target))
            host.remove(host.real_path(entry.target) if linked else entry.target)
        else:
            content = _content(host, kept)
            if files.fingerprint(content) != entry.before['sha256']:
                raise CannotUndo(f'{entry.target} could not be restored: its copy {kept} is missing or damaged')
            host.write(entry.target, (content or b'').decode('utf-8', 'surrogateescape'), 0o644, like=kept, restores=True)
        if entry.target.startswith('/etc/systemd/system/'):
            Units(host).verb('daemon-reload', [])

    def clear_up(self, entry: Entry) -> None:
        for folder in reversed(entry.how['folders']):
            self._host.remove_folder(folder)


# Units


def change_unit(log: UndoLog, units: Units, unit: str, after: State, sentence: str, act: Callable[[], Any], **how: Any) -> None:
    """Bring the unit into the state `after` (some of active, enabled, masked)."""
    found = unit_state(units, unit, ['active', *after])
    entry = Entry('unit', unit, {key: found[key] for key in after}, after, sentence, links=units.links(unit), ran=found['active'],
                  **how)

    def perform() -> None:
        entry.undone = True     # nothing is done yet, even if reading the state fails
        now = entry.before if how.get('again') else unit_state(units, unit, after)
        changed = now != entry.before
        if changed:
            # Another administrator has just changed some or all of it, which this run must not undo.
            entry.before, entry.how['links'] = now, units.links(unit)
            if now == after:
                return
        entry.undone = False
        if changed:
            log.save()
        act()
        entry.how['links_after'] = units.links(unit)
    log.perform(entry, perform)


def unit_state(units: Units, unit: str, keys: Iterable[str]) -> State:
    """Return the state to which the unit can be restored. A failed unit counts as one that does not run."""
    state = units.state(unit, list(keys))
    return {key: False if value == 'failed' else value for key, value in state.items()}


class UnitHandler(Handler):
    """Each part of a unit's state counts as ours while it has the value that the run set, or the unit failed since."""

    def __init__(self, host: System, booted: bool = False) -> None:
        self._units = Units(host)
        self._host = host
        self._booted = booted
        self.restarts: List[str] = []       # daemons to restart once all of their files are restored

    def now(self, entry: Entry) -> State:
        if entry.how.get('again'):
            state = self._units.state(entry.target, ['active'])
            if state['active'] is False:
                return state
            self.restarts.append(entry.target)
            return entry.before
        state = self._units.state(entry.target, list(entry.after))
        if self._booted and entry.before.get('active') is False:
            state['active'] = False     # if it runs, the boot has started it, not the run
        if entry.after.get('enabled') is True and state['enabled'] is False and self._still_linked(entry):
            state['enabled'] = True
        return state

    def _still_linked(self, entry: Entry) -> bool:
        """Return whether a link of the run would enable the unit once others, who have masked it, unmask it."""
        made = set(entry.how.get('links_after', {}).items()) - set(entry.how['links'].items())
        return bool(made & set(self._units.links(entry.target, self._linked(entry)).items()))

    def ours(self, entry: Entry, now: State) -> bool:
        return not entry.how.get('again') and all(
            value in (entry.before[key], entry.after[key], 'failed') for key, value in now.items())

    def undo(self, entry: Entry, now: State) -> None:
        unit, before = entry.target, entry.before
        if 'links_after' not in entry.how:      # killed in the act, perhaps before the unit was linked again
            self._units.link(own_link(unit, entry.how['links']))
        found = self._units.links(unit, self._linked(entry))
        failed = []
        for verb, due in (
                ('stop', before.get('active') is False and now.get('active') is True or self._started_at_boot(entry)),
                ('reset-failed', before.get('active') is False),
                ('unmask', before.get('masked') is False and now.get('masked') is True),
                ('disable', before.get('enabled') is False and now.get('enabled') is True),
                ('enable', before.get('enabled') is True and now.get('enabled') is False),
                ('mask', before.get('masked') is True and now.get('masked') is False)):
            said = self._units.verb(verb, [unit]) if due else ''
            if said and verb != 'reset-failed':
                failed.append(f'{unit} could not be restored: systemctl {verb}: {said}')
        if {'enabled', 'masked'} & set(before):
            self._links_back(entry, found)
        if before.get('active') is True and now.get('active') is not True:
            # A unit that was masked while it ran starts only if it is unmasked for that moment.
            was_masked = entry.how.get('masked') is True and self._units.state(unit, ['masked'])['masked']
            for verb in ('unmask', 'start', 'mask') if was_masked else ('start',):
                said = self._units.verb(verb, [unit])
                if said:
                    failed.append(f'{unit} could not be started again: systemctl {verb}: {said}')
        if failed:
            raise CannotUndo('; '.join(failed))

    def _started_at_boot(self, entry: Entry) -> bool:
        """Return whether the unit runs only because the run had enabled it before the boot."""
        return self._booted and entry.before.get('enabled') is False and entry.how.get('ran') is False

    @staticmethod
    def _linked(entry: Entry) -> List[str]:
        return [*entry.how['links'], *entry.how.get('links_after', {})]

    def _links_back(self, entry: Entry, found: Dict[str, str]) -> None:
        """Restore links that enable and disable do not: those that differ from the unit's [Install] section."""
        before, made = entry.how['links'], entry.how.get('links_after')
        if made is None:
            return
        current = self._units.links(entry.target, self._linked(entry))
        changed = False
        for path in sorted({*before, *made, *found, *current}):
            # A link that differs from what the run left belongs to another administrator.
            wanted = before.get(path) if found.get(path) == made.get(path) else found.get(path)
            if current.get(path) == wanted:
                continue
            changed = True
            if wanted is None:
                self._host.remove(path)
            else:
                self._host.link(path, wanted)
        if changed:
            self._units.verb('daemon-reload', [])
