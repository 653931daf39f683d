# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was, written down before it is changed: the way back for a run that fails, and for the next after one that was killed."""

import fcntl
import json
import os
import time
from typing import Any, Dict, List, Optional

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.statedir import STATE
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import System

# Anybody may see that the folder is there; what is in it, only root.
FOLDER = STATE + '/time_service'
FILE = FOLDER + '/journal.json'

# Links that systemd makes for what is enabled, masked, or has another name.
UNIT_LINKS = '/etc/systemd/system'


class Busy(Exception):
    """Another run is at work on this host."""


class Journal:
    """One run's record. `state` is what is written; each change of it is on the disk before it is acted upon."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._lock: Optional[int] = None
        self.state: Dict[str, Any] = {}
        self.found = False      # a former run left it

    def read(self) -> None:
        """Take over what a former run left; a journal that was never finished writing had nothing to say yet."""
        text = self._system.text(FILE)
        try:
            self.state = json.loads(text) if text else {}
        except ValueError:
            self.state = {}
        self.found = bool(self.state)

    def open(self, **before: Any) -> None:
        """Begin. What a former run has written down counts more than what is found now. Raises Busy, OSError."""
        self._system.make_folder(STATE)
        self._system.make_folder(FOLDER, 0o700)
        self._lock = os.open(self._system.path(FOLDER), os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            self._lock = None
            raise Busy('Another run is changing the time service of this host. Wait until it has ended, then run again.') from None
        try:
            self._begin(before)
        except OSError:
            if not self.found:
                self.close({})
            raise

    def _begin(self, before: Dict[str, Any]) -> None:
        fresh = dict(before, begun=time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()), files={}, folders=[], packages=None,
                     links=self._system.links(UNIT_LINKS), doing='')
        self.state = dict(fresh, **self.state)
        self._save()

    def _save(self) -> None:
        self._system.write(FILE, json.dumps(self.state, sort_keys=True), 0o600)

    def note(self, **more: Any) -> None:
        """Write down before it is done."""
        self.state.update(more)
        self._save()

    # files

    def keep_file(self, path: str) -> None:
        """Before a file is written or removed: have it under a second name, or know that it was not there."""
        if path not in self.state['files']:
            there = self._system.text(path) is not None
            folder, name = os.path.split(path)
            self.state['files'][path] = {'kept': '{0}/.{1}.aemops-before'.format(folder, name) if there else ''}
            self._save()
        kept = self.state['files'][path]['kept']
        if kept:
            self._system.keep(path, kept)
        else:
            missing: List[str] = []
            folder = os.path.dirname(path)
            while not self._system.exists(folder):
                missing.insert(0, folder)
                folder = os.path.dirname(folder)
            if missing:
                self.note(folders=self.state['folders'] + missing)
                self._system.make_folder(missing[-1])

    def put_file_back(self, path: str) -> None:
        kept = self.state['files'][path]['kept']
        if not kept:
            self._system.remove(path)
        elif self._system.exists(kept):
            self._system.move(kept, path)

    def put_files_back(self) -> List[str]:
        """Returns what could not be put back."""
        problems = []
        for path in self.state['files']:
            try:
                self.put_file_back(path)
            except OSError as error:
                problems.append('{0} could not be put back: {1}'.format(path, error))
        for folder in reversed(self.state['folders']):
            try:
                self._system.remove(folder)
            except OSError as error:
                problems.append('{0} could not be removed: {1}'.format(folder, error))
        return problems

    def put_links_back(self, units: List[str]) -> bool:
        """The links about these units as they were; returns whether systemd has to look again."""
        before, after = self.state['links'], self._system.links(UNIT_LINKS)
        changed = False
        for path in set(before) | set(after):
            about = {os.path.basename(path)} | {os.path.basename(links[path]) for links in (before, after) if path in links}
            if before.get(path) == after.get(path) or not about & set(units):
                continue
            changed = True
            if path in before:
                self._system.link(path, before[path])
            else:
                self._system.remove(path)
        return changed

    # the end

    def close(self, backup: Dict[str, str]) -> None:
        """All is done, or all is put back. backup: {file: the name under which its former content stays}."""
        for path, known in self.state.get('files', {}).items():
            if known['kept'] and self._system.exists(known['kept']):
                if path in backup:
                    self._system.move(known['kept'], backup[path])
                else:
                    self._system.remove(known['kept'])
        for name in os.listdir(self._system.path(FOLDER)):
            self._system.remove(os.path.join(FOLDER, name))
        self._system.remove(FOLDER)
        self._system.remove(STATE)
        self.state, self.found = {}, False
        self.unlock()

    def unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
