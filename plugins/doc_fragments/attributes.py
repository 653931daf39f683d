# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three attributes every module of this collection documents."""


class ModuleDocFragment:
    # C(support) is the module's own to say; a module that measures only overrides nothing but that.
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

    # For modules that change nothing whatever the mode.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This module changes nothing; check mode measures for real.
  diff_mode:
    support: N/A
    details:
      - This module changes nothing.
"""
