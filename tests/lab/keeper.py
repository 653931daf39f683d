# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ends a lab when the process that made it has ended, however it ended. Usage: keeper.py OWNER_PID OWNER_START LAB_ID"""

import os
import select
import sys
from contextlib import suppress
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from lab.host import LabError, start_time  # noqa: E402 - the package is found by the line above
from lab.lab import Lab  # noqa: E402

if __name__ == '__main__':
    owner, started, name = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    with suppress(OSError):  # gone already
        descriptor = os.pidfd_open(owner)
        if start_time(owner) == started:
            select.select([descriptor], [], [])
    with suppress(LabError):  # its owner took it down itself
        Lab.load(name).down()
