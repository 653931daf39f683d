# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of permanent changes for state=absent: units before the first and after the last run, and our own files."""

import json
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from ansible_collections.aemops.brand_portal.plugins.module_utils._host import guest_sync
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.wanted import Refused
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.packages import OUT
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.statedir import STATE
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.undo_log import Entry, State

FILE = STATE + '/changes.json'
# The parts of a unit's state: systemd.Units.state.
_KEYS = {'active', 'enabled', 'masked'}


class Lasting(NamedTuple):
    """Permanent changes. units: {unit: {before, after}}. files: {path: hash} of files that are entirely ours. packages: installed
    by a run. folders: created for the files."""

    units: Dict[str, Dict[str, State]]
    files: Dict[str, str]
    packages: List[str]
    folders: List[str]
    silenced: List[str] = []    # files in which a run has commented out lines
    blocks: Dict[str, str] = {}     # {path: hash} of our blocks in other files
    guest_sync: Dict[str, bool] = {}    # before and after, of the time synchronization of VMware tools
    replaced: List[str] = []    # packages that a run has removed


NOTHING = Lasting({}, {}, [], [])


def stored(text: Optional[str]) -> Lasting:
    """Parse the record; None, without the file, is an empty one. Raises Refused if it cannot be read."""
    try:
        found = json.loads('{}' if text is None else text)
        units = {_of(str, unit): {when: _state(states[when]) for when in ('before', 'after')}
                 for unit, states in found.get('units', {}).items()}
        return Lasting(units, _texts(found.get('files', {})), _names(found.get('packages', [])), _names(found.get('folders', [])),
                       _names(found.get('silenced', [])), _texts(found.get('blocks', {})),
                       {_of(str, when): _of(bool, value) for when, value in found.get('guest_sync', {}).items()},
                       _names(found.get('replaced', [])))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        # Counted as empty, it would be written again without what earlier runs have recorded.
        raise Refused(f'{FILE} cannot be read ({error!r}). It records what earlier runs have changed on this host.',
                      'Restore it from a backup, or move it away if there is none (state=absent then finds only our files), then '
                      'run again.') from error


def _of(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f'a {type(value).__name__} instead of a {kind.__name__}')      # its value may be a hash of keys
    return value


def _state(value: Any) -> State:
    state = {key: _of(bool, each) for key, each in _of(dict, value).items()}
    if set(state) - _KEYS:
        raise ValueError(f'{sorted(state)} is no state of a unit')
    return state


def _texts(value: Any) -> Dict[str, str]:
    return {_of(str, path): _of(str, each) for path, each in _of(dict, value).items()}


def _names(value: Any) -> List[str]:
    return [_of(str, each) for each in _of(list, value)]


def merged(text: Optional[str], entries: Sequence[Entry]) -> str:
    """Return the record with the changes of these acts added; '' if they do not change it."""
    known = stored(text)
    before = _text(known)
    for entry in entries:
        if entry.undone:
            continue
        if entry.act == 'unit' and not entry.how.get('again'):
            states: Dict[str, Any] = known.units.setdefault(entry.target, {'before': {}, 'after': {}})
            states['before'] = {**entry.before, **states['before']}
            states['after'] = {**states['after'], **entry.after}
        elif entry.act == 'file' and entry.how.get('own'):
            known.files[entry.target] = entry.after['sha256']
            known.folders.extend(folder for folder in entry.how['folders'] if folder not in known.folders)
        elif entry.act == 'file':
            if entry.how.get('silenced') and entry.target not in known.silenced:
                known.silenced.append(entry.target)
            if entry.how.get('block'):
                known.blocks[entry.target] = entry.how['block']
        elif entry.act == 'packages':
            removed = [name for name in entry.before if entry.before[name] not in OUT and entry.after[name] in OUT]
            known.packages.extend({entry.target} - set(known.packages))
            known.replaced.extend(sorted(set(removed) - set(known.replaced)))
    sync = guest_sync.states(entries)
    known.guest_sync.update(sync, **{'before': known.guest_sync.get('before', sync['before'])} if sync else {})
    return _text(known) if _text(known) != before else ''


def _text(known: Lasting) -> str:
    return json.dumps(known._asdict(), sort_keys=True)
