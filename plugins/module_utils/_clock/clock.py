# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only file that reads or sets the wall clock."""

import time
from typing import Callable, Optional, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import CannotSetClock

# A wall clock that has left the monotonic one by more than this has been set: slewing (adjtime, NTP) moves both.
STEP_SECONDS = 0.002

# The frequency error a host's oscillator is granted (RFC 5905 PHI).
PHI = 15e-6

Clock = Callable[[], float]


def _raw_monotonic() -> float:
    """Seconds of the oscillator itself, which no daemon slews; where there is none, the monotonic clock."""
    raw = getattr(time, 'CLOCK_MONOTONIC_RAW', None)
    return time.monotonic() if raw is None else time.clock_gettime(raw)


class Anchor:
    """A reading of the wall clock, from which all later times are derived with the monotonic clock.

    So a measurement has one continuous time scale, and detects that the clock was set during the run.
    """

    def __init__(self, wall: Clock = time.time, monotonic: Clock = time.monotonic, raw: Clock = _raw_monotonic,
                 stamped: Optional[bool] = None, sleep: Callable[[float], None] = time.sleep) -> None:
        """stamped: is `wall` the clock of the kernel's stamps? None: if it is the system's own. sleep: waits on this line."""
        self._wall, self.monotonic, self._raw_clock, self.sleep = wall, monotonic, raw, sleep
        self._stamped = wall is time.time if stamped is None else stamped
        self._wall_at, self._at, self._uncertainty = self._pair()
        self._raw_at = raw()

    def _pair(self) -> Tuple[float, float, float]:
        """(wall, monotonic, half of what lay between) at one moment: of three tries the one least interrupted."""
        tries = []
        for _attempt in range(3):
            before, wall, after = self.monotonic(), self._wall(), self.monotonic()
            tries.append((wall, before + (after - before) / 2, (after - before) / 2))
        return min(tries, key=lambda pair: pair[2])

    @property
    def uncertainty(self) -> float:
        """Seconds by which the anchor itself may be off: half of what lay between its readings."""
        return self._uncertainty

    def at(self, moment: float) -> float:
        """The wall clock's reading (Unix seconds) at a moment given in monotonic seconds."""
        return self._wall_at + (moment - self._at)

    def now(self) -> float:
        """Unix seconds by this anchor: what the wall clock would read if it had not been set since."""
        return self.at(self.monotonic())

    def arrival(self, stamp: Optional[float], earliest: float) -> float:
        """The monotonic moment at which the kernel took in a datagram that is in hand now.

        stamp: the wall clock's reading (Unix seconds) then, as the kernel gives it; None when it gave none. A busy host
        reads a reply long after it came, and what lies between would count as the way back. earliest: monotonic; a
        stamp that says it came before that, or is yet to come, is none: the clock was set, or is not the kernel's.
        """
        wall = self._wall()
        now = self.monotonic()  # the later reading of the two: an interruption in between makes the answer late, not early
        moment = now - (wall - stamp) if self._stamped and stamp is not None else now
        return moment if earliest <= moment <= now else now

    def stepped_by(self) -> float:
        """Seconds by which the wall clock has been set since; 0.0 when it was not."""
        wall, moment, uncertainty = self._pair()
        shift = wall - self.at(moment)
        return shift if abs(shift) > STEP_SECONDS + uncertainty + self._uncertainty else 0.0

    def drift_rate(self) -> float:
        """Seconds per second by which the host's time line may stray: a daemon's slewing, at least PHI."""
        raw, elapsed = self._raw_clock() - self._raw_at, self.monotonic() - self._at
        slewed = abs(elapsed - raw) / raw if raw > 0.05 else 0.0
        return max(PHI, slewed)


def step_clock(offset: float, anchor: Anchor) -> None:
    """Set the wall clock to the anchor's time plus offset (seconds, reference - host), at once.

    The target is derived from the monotonic clock at the moment of setting: the time spent on the way is not lost.
    Raises CannotSetClock when the kernel refuses.
    """
    try:
        time.clock_settime(time.CLOCK_REALTIME, anchor.now() + offset)
    except (OSError, OverflowError, AttributeError) as error:
        raise CannotSetClock(f'The system refused to set its clock: {error}. '
                             'Run it as root (become), outside of any sandbox that protects the clock.') from error
