# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turns the periodic time synchronization of VMware tools on and off, which sets the clock in addition to a time daemon.

According to VMware's documentation, only one form of time synchronization may be used, and NTP requires to disable this one.
"""

from typing import Any, Dict, Sequence

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import discovery, layouts
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.undo_log import CannotUndo, Entry, Handler, State, UndoLog

ACT = 'guest_sync'
TARGET = 'VMware tools'
TURN_OFF = f'turn off the time synchronization of {TARGET}'
TURN_ON = f'turn on the time synchronization of {TARGET}'
_COMMAND = layouts.VMWARE_TIMESYNC.split()
_TIMEOUT = 30.0


def is_on(host: Any) -> bool:
    """Return whether the tools set this clock. Any other answer of the command, such as outside of VMware, means no."""
    return bool(discovery.time_pushers(host, only_pushing=True))


def turn(host: Any, enabled: bool) -> str:
    """Switch the synchronization. Returns '' on success, otherwise the output of the command."""
    done = host.execute(_COMMAND + ['enable' if enabled else 'disable'], _TIMEOUT)
    # Its exit codes differ by version, so the state afterwards counts.
    return '' if is_on(host) == enabled else done.complaint or 'it did not take the command'


def change(log: UndoLog, enabled: bool) -> None:
    """Switch the synchronization through the log. Raises OSError with the output of the command."""
    def act() -> None:
        said = turn(log.host, enabled)
        if said:
            raise OSError(f"{' '.join(_COMMAND)} {'enable' if enabled else 'disable'}: {said}")
    log.perform(Entry(ACT, TARGET, {'enabled': not enabled}, {'enabled': enabled}, TURN_ON if enabled else TURN_OFF), act)


def states(entries: Sequence[Entry]) -> Dict[str, bool]:
    """Return {before, after} of the acts that were not undone; {} if there is none."""
    found: Dict[str, bool] = {}
    for entry in entries:
        if entry.act == ACT and not entry.undone:
            found.setdefault('before', bool(entry.before['enabled']))
            found['after'] = bool(entry.after['enabled'])
    return found


class GuestSyncHandler(Handler):
    """Undoes the act if the synchronization still is in the state that the run left."""

    def __init__(self, host: Any) -> None:
        self._host = host

    def now(self, entry: Entry) -> State:
        return {'enabled': is_on(self._host)}

    def undo(self, entry: Entry, now: State) -> None:
        said = turn(self._host, entry.before['enabled'])
        if said:
            state = 'on' if entry.before['enabled'] else 'off'
            raise CannotUndo(f'the time synchronization of {TARGET} could not be turned {state} again: {said}')
