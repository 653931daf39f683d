# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only file that reads or sets the wall clock."""

import time
from typing import Callable, Optional, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import CannotSetClock

# A wall clock that differs from the monotonic one by more than this has been set, because slewing moves both.
STEP_SECONDS = 0.002

# Assumed frequency error of a host's oscillator (RFC 5905 PHI).
PHI = 15e-6

Clock = Callable[[], float]


def _raw_monotonic() -> float:
    """Return the seconds of the raw oscillator, which no daemon slews; without such a clock, of the monotonic clock."""
    raw = getattr(time, 'CLOCK_MONOTONIC_RAW', None)
    return time.monotonic() if raw is None else time.clock_gettime(raw)


class Anchor:
    """A reading of the wall clock, from which all later times are derived with the monotonic clock.

    It gives a measurement one continuous time scale, and shows whether the clock was set in the meantime.
    """

    def __init__(self, wall: Clock = time.time, monotonic: Clock = time.monotonic, raw: Clock = _raw_monotonic,
                 stamped: Optional[bool] = None, sleep: Callable[[float], None] = time.sleep) -> None:
        """stamped: whether `wall` is the clock of the kernel's timestamps; None: if it is time.time. sleep: on this time line."""
        self._wall, self.monotonic, self._raw_clock, self.sleep = wall, monotonic, raw, sleep
        self._stamped = wall is time.time if stamped is None else stamped
        self._wall_at, self._at, self._uncertainty = self._pair()
        self._raw_at = raw()

    def _pair(self) -> Tuple[float, float, float]:
        """Return (wall, monotonic, uncertainty in seconds) at one moment: the best of three readings."""
        tries = []
        for _attempt in range(3):
            before, wall, after = self.monotonic(), self._wall(), self.monotonic()
            tries.append((wall, before + (after - before) / 2, (after - before) / 2))
        return min(tries, key=lambda pair: pair[2])

    @property
    def uncertainty(self) -> float:
        """Seconds by which the anchor itself may be off: half of the time between its readings."""
        return self._uncertainty

    def at(self, moment: float) -> float:
        """Return the reading of the wall clock (Unix seconds) at a moment in monotonic seconds."""
        return self._wall_at + (moment - self._at)

    def now(self) -> float:
        """Return the Unix seconds that the wall clock would show now if it had not been set since."""
        return self.at(self.monotonic())

    def arrival(self, stamp: Optional[float], earliest: float) -> float:
        """Return the monotonic moment at which the kernel received a datagram that was just read.

        stamp: the kernel's timestamp of the datagram (Unix seconds by the wall clock), or None. A busy host reads a reply long
        after it arrived, and this delay would count as part of the round trip. earliest: monotonic. A stamp before it, or in the
        future, is ignored, because the clock was set or is not that of the kernel.
        """
        wall = self._wall()
        now = self.monotonic()  # the later reading of the two: an interruption in between makes the answer late, not early
        moment = now - (wall - stamp) if self._stamped and stamp is not None else now
        return moment if earliest <= moment <= now else now

    def stepped_by(self) -> float:
        """Return by how many seconds the wall clock has been set since; 0.0 if it has not been set."""
        wall, moment, uncertainty = self._pair()
        shift = wall - self.at(moment)
        return shift if abs(shift) > STEP_SECONDS + uncertainty + self._uncertainty else 0.0

    def drift_rate(self) -> float:
        """Return the frequency error of the host's time line, in seconds per second: a daemon's slewing, at least PHI."""
        raw, elapsed = self._raw_clock() - self._raw_at, self.monotonic() - self._at
        slewed = abs(elapsed - raw) / raw if raw > 0.05 else 0.0
        return max(PHI, slewed)


def step_clock(offset: float, anchor: Anchor) -> None:
    """Step the wall clock to the anchor's time plus offset (seconds, reference - host).

    The target is derived from the monotonic clock at this moment, so the time since the measurement is included.
    Raises CannotSetClock if the kernel refuses.
    """
    try:
        time.clock_settime(time.CLOCK_REALTIME, anchor.now() + offset)
    except (OSError, OverflowError, AttributeError) as error:
        raise CannotSetClock(f'The system refused to set its clock: {error}. '
                             'Run it as root (become), outside of any sandbox that protects the clock.') from error
