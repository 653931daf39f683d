# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab machine with a wrong clock: `from lab import Lab` with `tests/` on the path. See README.md."""

from .fingerprint import changes
from .host import LabError
from .lab import Lab
from .machine import Machine

__all__ = ['Lab', 'LabError', 'Machine', 'changes']
