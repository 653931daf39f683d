# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The periodic time synchronization of VMware tools, which sets the clock beside a time daemon. Its own command switches it.

VMware's documentation of the tools: use only one form of time synchronization, and disable this one beside NTP.
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
    """Whether the tools set this clock: what answers otherwise, as outside of VMware's machines, does not."""
    return bool(discovery.time_pushers(host, only_pushing=True))


def turn(host: Any, enabled: bool) -> str:
    """Switch the synchronization. Returns '' on success, otherwise the output of the command."""
    done = host.execute(_COMMAND + ['enable' if enabled else 'disable'], _TIMEOUT)
    # Its exit codes differ by version: what it says afterwards counts.
    return '' if is_on(host) == enabled else done.complaint or 'it did not take the command'


def change(log: UndoLog, enabled: bool) -> None:
    """Raises OSError with what the command said."""
    def act() -> None:
        said = turn(log.host, enabled)
        if said:
            raise OSError(f"{' '.join(_COMMAND)} {'enable' if enabled else 'disable'}: {said}")
    log.perform(Entry(ACT, TARGET, {'enabled': not enabled}, {'enabled': enabled}, TURN_ON if enabled else TURN_OFF), act)


def states(entries: Sequence[Entry]) -> Dict[str, bool]:
    """{before, after} of what these acts leave behind; {} where they leave nothing."""
    found: Dict[str, bool] = {}
    for entry in entries:
        if entry.act == ACT and not entry.undone:
            found.setdefault('before', bool(entry.before['enabled']))
            found['after'] = bool(entry.after['enabled'])
    return found


class GuestSyncHandler(Handler):
    """The act is undone as long as the synchronization is as the run left it."""

    def __init__(self, host: Any) -> None:
        self._host = host

    def now(self, entry: Entry) -> State:
        return {'enabled': is_on(self._host)}

    def undo(self, entry: Entry, now: State) -> None:
        said = turn(self._host, entry.before['enabled'])
        if said:
            state = 'on' if entry.before['enabled'] else 'off'
            raise CannotUndo(f'the time synchronization of {TARGET} could not be turned {state} again: {said}')
