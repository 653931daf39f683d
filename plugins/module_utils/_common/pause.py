# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sleep that also works under libraries that fake the clock."""

import select
import time


def pause(seconds: float) -> None:
    """Sleep for this time. Under libfaketime, time.sleep() of Python 3.11 and later (clock_nanosleep) fails with EINVAL."""
    try:
        time.sleep(seconds)
    except OSError:
        select.select([], [], [], seconds)
