# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals that ask a run to end set a flag. The run checks it between two acts, but never during a rollback."""

import signal
from typing import Any

NUMBERS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Interrupted(Exception):
    """A signal asked this run to end."""


class StopRequest:
    """The signal that asked this run to end; `name` is '' until there is one."""

    def __init__(self) -> None:
        self.name = ''

    def listen(self) -> None:
        """Record SIGTERM, SIGHUP and SIGINT from now on, instead of ending the process. Only for the main thread."""
        for number in NUMBERS:
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: Any) -> None:
        self.name = self.name or signal.Signals(number).name

    def check(self) -> None:
        """Raise Interrupted if a signal has been received."""
        if self.name:
            raise Interrupted(f'{self.name} was received')
