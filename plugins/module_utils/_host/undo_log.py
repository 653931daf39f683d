# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The acts of a run, each recorded on disk before it is done, and their undo.

An act names its target, the state before and the state after. It is undone only while the target is still in the state after it.
Later changes of another administrator are left alone and reported. The next run undoes an interrupted one by the same rule.
"""

import contextlib
import fcntl
import json
import os
import re
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.stop_request import StopRequest
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.statedir import LOG, STATE
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import System, listed

# Gone after a boot, like the processes that could hold it.
LOCK = '/run/aemops-brand-portal.lock'
_BOOT_ID = '/proc/sys/kernel/random/boot_id'
# The log, the numbered copies, the mark of the guard, and what an interrupted write leaves of them.
_OURS = re.compile(rf'\.?(\d+-.*|started|{re.escape(LOG)}(\..*)?)$')
LAST_RUN = STATE + '/last-run.json'

# Seconds for which the guard of a killed run may still hold the lock.
_HANDOVER = 1.0

State = Dict[str, Any]


class Busy(Exception):
    """Another run works on this host."""


class LogUnreadable(Exception):
    """The log of an earlier run cannot be read, so nothing may be changed."""


class Lock:
    """Allows one run at a time on a host. The kernel releases it when the process ends."""

    def __init__(self, host: System) -> None:
        self._host = host
        self.path = host.path(LOCK)
        self._descriptor: Optional[int] = None

    @property
    def held(self) -> bool:
        return self._descriptor is not None

    def take(self) -> None:
        """Take the lock. Raises Busy with the PID and the start of the run that holds it, and OSError.

        An account that may not write the file gets no lock. It cannot change anything either, which a later message says.
        """
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        limit = self._host.now() + _HANDOVER
        while self._descriptor is None:
            try:
                # An account that can read it could hold the lock.
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            except PermissionError:
                if os.geteuid() == 0:
                    raise
                return
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                holder = _holder(descriptor)
                os.close(descriptor)
                if holder.get('pid') and not os.path.exists(f"/proc/{holder['pid']}") and self._host.now() < limit:
                    self._host.sleep(0.1)
                    continue
                raise Busy(_busy(holder, self.path)) from None
            # The file may have been removed, or replaced by another one, before the lock was held.
            if _same_file(descriptor, self.path):
                self._descriptor = descriptor
            else:
                os.close(descriptor)
        os.fchmod(self._descriptor, 0o600)      # of an earlier version
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps({'pid': os.getpid(), 'since': now_utc()}).encode(), 0)

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _same_file(descriptor: int, path: str) -> bool:
    try:
        there = os.stat(path)
    except OSError:
        return False
    held = os.fstat(descriptor)
    return (held.st_dev, held.st_ino) == (there.st_dev, there.st_ino)


def _holder(descriptor: int) -> Dict[str, Any]:
    try:
        found = json.loads(os.pread(descriptor, 4096, 0).decode('utf-8', 'replace') or '{}')
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _busy(holder: Mapping[str, Any], path: str) -> str:
    if not (holder.get('pid') and holder.get('since')):
        return 'Another run is repairing this host. Nothing was changed. Wait until it has ended, then run again.'
    if not os.path.exists(f"/proc/{holder['pid']}"):
        return (f"The run with the PID {holder['pid']} (since {holder['since']}) has ended, but another process holds its lock. "
                f'Nothing was changed. See "fuser -v {path}" on this host, end that process, then run again.')
    return (f"Another run (PID {holder['pid']}, since {holder['since']}) is repairing this host. Nothing was changed. "
            f'Wait until it has ended, or end it with "kill {holder["pid"]}", then run again.')


def now_utc() -> str:
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())


_STORED = (('act', str), ('target', str), ('before', dict), ('after', dict))


class Entry:
    """One act. how: data for its undo, never shown. sentence: description for the user, '' if the act is not reported."""

    def __init__(self, act: str, target: str, before: State, after: State, sentence: str = '', **how: Any) -> None:
        self.act, self.target, self.before, self.after, self.sentence, self.how = act, target, before, after, sentence, how
        self.done = False
        self.undone = False
        self.reverted = False   # whether its undo has changed the host
        self.left = ''          # why it could not be undone

    def stored(self) -> Dict[str, Any]:
        return dict(vars(self))

    @classmethod
    def restored(cls, stored: Mapping[str, Any]) -> 'Entry':
        for key, kind in _STORED:
            if not isinstance(stored[key], kind):
                raise TypeError(f'{key} is a {type(stored[key]).__name__}')
        # The log of another version may lack the others.
        entry = cls(stored['act'], stored['target'], stored['before'], stored['after'], str(stored.get('sentence', '')),
                    **stored.get('how', {}))
        entry.done, entry.undone = stored.get('done') is True, stored.get('undone') is True
        entry.reverted, entry.left = stored.get('reverted') is True, str(stored.get('left', ''))
        return entry

    @property
    def stays(self) -> bool:
        """Whether the change of this act is still in place."""
        return (self.done or bool(self.left)) and not self.undone

    def shown(self) -> Dict[str, Any]:
        """Return the act for the result. how.secret hides the states, because even a hash reveals something."""
        secret = bool(self.how.get('secret'))
        return {'act': self.act, 'target': self.target, 'before': {} if secret else self.before,
                'after': {} if secret else self.after, 'done': self.done, 'undone': self.undone}


class Handler:
    """A kind of act: reads the state of its target, and undoes it. Both may raise."""

    def settle(self, entry: Entry) -> None:
        """Remove leftovers of an interrupted act, before its state is read."""

    def now(self, entry: Entry) -> State:
        """Return the state of the target, with the keys of entry.after."""
        raise NotImplementedError

    def ours(self, entry: Entry, now: State) -> bool:
        """Return whether this is the state after the act, or after an interrupted act."""
        return now == entry.after

    def undo(self, entry: Entry, now: State) -> None:
        raise NotImplementedError

    def finish(self, entry: Entry) -> None:
        """Complete an undo that was interrupted after it had restored the target."""

    def clear_up(self, entry: Entry) -> None:
        """Remove empty folders that were created for the target, after it was restored."""


class CannotUndo(Exception):
    """An act cannot be undone; the text says what stays, and why."""


class UndoLog:
    """The acts of one run, stored in `folder` while it runs. The caller holds the lock from before read() to after close()."""

    def __init__(self, host: System, folder: str, stop: Optional[StopRequest] = None) -> None:
        self.host = host
        self.folder = folder
        self.file = f'{folder}/{LOG}'
        self.stop = stop or StopRequest()
        self.begun = now_utc()
        self.entries: List[Entry] = []
        self._boot = host.read(_BOOT_ID).strip()
        self.how: Dict[str, Any] = {'boot': self._boot}     # data that the rollback needs besides the acts
        self.ended: Dict[str, Any] = {}     # the record of a run that was killed before it could remove its log

    # earlier runs

    @property
    def booted(self) -> bool:
        """Return whether the host was booted since these acts."""
        return bool(self.how.get('boot', self._boot) != self._boot)

    def read(self) -> bool:
        """Read the acts of an interrupted run; return whether there are any. Raises LogUnreadable."""
        text = self.host.text(self.file)
        if text is None:
            foreign = [name for name in self.host.names(self.folder) if not _OURS.match(name)]
            if foreign:
                raise LogUnreadable(f"{self.folder} has {listed(foreign)}, which this version does not know. An interrupted run of "
                                    'another version may list in it what it changed. Look at the host, move it out of that folder, '
                                    'then run again. Nothing was changed.')
            return False
        try:
            stored = json.loads(text)
            self.begun, self.entries = str(stored['begun']), [Entry.restored(each) for each in stored['entries']]
            self.how = dict(stored.get('how', {}))
            self.ended = dict(self.how.pop('ended', {}))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise LogUnreadable(f'{self.file} cannot be read ({error}). It lists what an interrupted run changed. Look at '
                                'the host, remove that file, then run again. Nothing was changed.') from error
        self.entries = [] if self.ended else self.entries
        return bool(self.entries)

    # acts

    def perform(self, entry: Entry, act: Callable[[], Any]) -> Any:
        """Do one act. Raises Interrupted or OSError before it (a signal, or no record), and the errors of the act."""
        self.begin([entry])
        if entry.sentence:
            self.host.log(entry.sentence)
        result = act()
        entry.done = not entry.undone       # an act that found nothing to do is none
        self.save()
        return result

    def begin(self, entries: List[Entry]) -> None:
        """Record acts before they are done. Raises Interrupted and OSError."""
        self.stop.check()
        known = list(self.entries)
        self.entries += entries
        try:
            self.save()
        except BaseException:
            self.entries = known
            raise

    def save(self) -> None:
        """Write the log. It is on the disk when this returns."""
        if not self.host.exists(self.folder):
            self.host.make_folder(STATE)
            self.host.make_folder(self.folder, 0o700)
        self.host.write(self.file, json.dumps({'begun': self.begun, 'pid': os.getpid(), 'how': self.how,
                                               'entries': [entry.stored() for entry in self.entries]}, sort_keys=True), 0o600)

    # undo

    def undo(self, handlers: Mapping[str, Handler]) -> List[str]:
        """Undo the acts in reverse order. Return what stays, in sentences. Neither a signal nor an error stops it."""
        problems: List[str] = []
        foreign: List[str] = []
        failed: Dict[str, str] = {}
        for entry in reversed(self.entries):
            handler = handlers.get(entry.act)
            if entry.undone or handler is None:
                continue
            if entry.target in foreign:
                entry.left = 'another administrator has changed it since'
                continue
            problem = self._undo(entry, handler, foreign)
            if problem and not (entry.target in foreign and entry.target in failed):
                # Otherwise the state is that after a later act of this run, which could not be undone either.
                failed[entry.target] = problem + self._kept(entry)
                problems.append(failed[entry.target])
            entry.left = failed[entry.target] if problem else entry.left
            self._save_if_possible()
        return problems

    def _undo(self, entry: Entry, handler: Handler, foreign: List[str]) -> str:
        """Undo one act. Return why that failed, or ''. foreign: gets the target if another administrator has changed it."""
        what = f'the package {entry.target}' if entry.act == 'packages' else entry.target
        try:
            handler.settle(entry)
            now = handler.now(entry)
            if now != entry.before:
                if not handler.ours(entry, now):
                    foreign.append(entry.target)
                    return f'{what} was changed by another administrator afterwards and was left as it is now'
                self.host.log(f'undo: {entry.sentence or entry.target}')
                entry.reverted = True
                self._save_if_possible()
                handler.undo(entry, now)
                now = handler.now(entry)
                if now != entry.before:
                    return f'{what} could not be restored: ' + (
                        'its content is not the previous one' if entry.act == 'file' else
                        f'it is {_words(now)}, it was {_words(entry.before)}')
            elif entry.reverted:
                handler.finish(entry)
            handler.clear_up(entry)
        except CannotUndo as problem:
            return str(problem)
        except Exception as error:  # an error must not prevent the undo of the other acts
            return f'{what} could not be restored: {error}'
        entry.undone = True
        return ''

    def _save_if_possible(self) -> None:
        """Save the log, but ignore errors such as a full disk. A repeated undo reads each target again."""
        with contextlib.suppress(OSError):
            self.save()

    # the end

    def _place(self, entry: Entry) -> str:
        """Return where the copy of a file that could not be restored is kept without the log; '' if there is no copy."""
        kept = entry.how.get('kept', '')
        return f'{STATE}/{self.begun}-{os.path.basename(kept)}' if kept and self.host.exists(kept) else ''

    def _kept(self, entry: Entry) -> str:
        """Name that place for a problem: the copy from before the first act on the file."""
        place = self._place(next(each for each in self.entries if (each.act, each.target) == (entry.act, entry.target)))
        return f' (its previous content is in {place})' if place else ''

    def close(self, before: Sequence[Entry] = (), **result: Any) -> None:
        """End the log after all acts are done, or undone as far as possible: keep them as the last run, and remove the log.

        before: acts of this run that have their own log.
        """
        for entry in self.entries:
            place = self._place(entry) if entry.left and not entry.undone else ''
            if place:
                self.host.copy(entry.how['kept'], place)
        content = self.ended or _content(self.begun, [*before, *self.entries], **result)
        if self.entries:
            self.how['ended'] = content     # from now on, no later run undoes it
            self._save_if_possible()
        self.entries = []
        _write(self.host, content)
        self.forget()
        self.how.pop('ended', None)

    def forget(self) -> None:
        """Remove the folder with all copies. The log is removed first: copies without a log do not belong to a run."""
        self.host.remove(self.file)
        for name in self.host.names(self.folder):
            if _OURS.match(name):
                self.host.remove(f'{self.folder}/{name}')
        self.host.remove_folder(self.folder)
        self.host.remove_folder(STATE)


def _words(state: State) -> str:
    return ', '.join(f'{key} {value}' for key, value in sorted(state.items()))


# Results


def record(host: System, begun: str, entries: Sequence[Entry], **result: Any) -> None:
    """Record the acts of a run as the host's last run. A run without acts keeps the previous record."""
    _write(host, _content(begun, entries, **result))


def _content(begun: str, entries: Sequence[Entry], **result: Any) -> Dict[str, Any]:
    return dict(result, begun=begun, ended=now_utc(), pid=os.getpid(), actions=actions(entries),
                acts=[entry.shown() for entry in entries]) if entries else {}


def _write(host: System, content: Mapping[str, Any]) -> None:
    if not content:
        return
    with contextlib.suppress(OSError):      # only a report; the disk may be full
        host.make_folder(STATE)
        host.write(LAST_RUN, json.dumps(content, sort_keys=True, indent=1) + '\n', 0o644)


def actions(entries: Sequence[Entry]) -> List[str]:
    """Return a sentence for each act that was done, in order."""
    return [entry.sentence for entry in entries if entry.sentence and (entry.done or entry.left)]


def changed(entries: Sequence[Entry]) -> bool:
    """Return whether an act was done and not undone."""
    return any(entry.stays for entry in entries)
