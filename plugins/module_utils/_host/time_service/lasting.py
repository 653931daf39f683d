# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of permanent changes for state=absent: units before the first and after the last run, and our own files."""

import json
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from ansible_collections.aemops.brand_portal.plugins.module_utils._host import guest_sync
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.statedir import STATE
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.undo_log import Entry, State

FILE = STATE + '/changes.json'


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


NOTHING = Lasting({}, {}, [], [])


def stored(text: Optional[str]) -> Lasting:
    """Parse the record. Without a text, or with an invalid one, it is empty."""
    try:
        found = json.loads(text or '{}')
        units = {str(unit): {'before': dict(states['before']), 'after': dict(states['after'])}
                 for unit, states in found.get('units', {}).items()}
        return Lasting(units, dict(found.get('files', {})), list(found.get('packages', [])),
                       list(found.get('folders', [])), list(found.get('silenced', [])),
                       dict(found.get('blocks', {})), dict(found.get('guest_sync', {})))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Lasting({}, {}, [], [], [], {}, {})


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
        elif entry.act == 'packages' and entry.target not in known.packages:
            known.packages.append(entry.target)
    sync = guest_sync.states(entries)
    known.guest_sync.update(sync, **{'before': known.guest_sync.get('before', sync['before'])} if sync else {})
    return _text(known) if _text(known) != before else ''


def _text(known: Lasting) -> str:
    return json.dumps(known._asdict(), sort_keys=True)
