# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes that every module of this collection documents."""


class ModuleDocFragment:
    # Each module states its own C(support).
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the changed status it predicts, without modifying the target.
  diff_mode:
    description: Returns details on what has changed (or would change in C(check_mode)), when in diff mode.
  platform:
    description: The operating systems that can be operated against.
    platforms: posix
    support: full
"""

    # For modules that never change anything.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This module changes nothing. It works the same way in check mode.
  diff_mode:
    support: N/A
    details:
      - This module changes nothing.
"""
