# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors that the _clock package raises; it raises no others, whatever a server or a user sends."""


class ClockError(Exception):
    """Base of the package's errors. Its text is one or two sentences for people: fact, option, next step."""


class BadOption(ClockError):
    """A module option that cannot be used; found before anything is sent."""


class NtplibMissing(ClockError):
    """ntplib is missing on this host, and the controller did not send it."""


class Unusable(ClockError):
    """A source or a single reply that must not be used. The text is the reason that the user sees."""


class CannotSetClock(ClockError):
    """This process cannot set the clock. The text says who owns the clock, or which right is missing."""
