# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait, also where a library stands between this process and the clock."""

import select
import time


def pause(seconds: float) -> None:
    """Sleep that long. Under libfaketime time.sleep(), which sleeps until a time from Python 3.11 on, ends with EINVAL."""
    try:
        time.sleep(seconds)
    except OSError:
        select.select([], [], [], seconds)
