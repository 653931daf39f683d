# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors that the _clock package raises. It raises no others, regardless of the input of servers and users."""


class ClockError(Exception):
    """Base class of the package's errors. Its text is one or two sentences for the user: fact, option, next step."""


class BadOption(ClockError):
    """A module option is invalid. Raised before anything is sent."""


class NtplibMissing(ClockError):
    """ntplib is missing on this host, and the controller did not send it."""


class Unusable(ClockError):
    """A source or a single reply must not be used. The text is the reason that the user sees."""


class CannotSetClock(ClockError):
    """This process cannot set the clock. The text names the owner of the clock or the missing privilege."""
