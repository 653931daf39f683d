# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs have changed for good, kept for state=absent: units before the first of them and after the last, and our own files."""

import json
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from ansible_collections.aemops.brand_portal.plugins.module_utils._host import guest_sync
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.statedir import STATE
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.undo_log import Entry, State

FILE = STATE + '/changes.json'


class Lasting(NamedTuple):
    """units: {unit: {before, after}}; files: {path: hash} of files that are wholly ours, folders that were made for them; packages
    that a run has installed."""

    units: Dict[str, Dict[str, State]]
    files: Dict[str, str]
    packages: List[str]
    folders: List[str]
    silenced: List[str] = []    # files in which lines of others are commented out
    blocks: Dict[str, str] = {}     # {path: hash} of our blocks in files of others
    guest_sync: Dict[str, bool] = {}    # before and after, of the time synchronization of VMware tools


NOTHING = Lasting({}, {}, [], [])


def stored(text: Optional[str]) -> Lasting:
    """What is stored; nothing where there is no text, or one that cannot be read."""
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
    """The file's text with what these acts have changed; '' where they change nothing of it."""
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
