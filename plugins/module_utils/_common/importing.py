# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports that only some hosts need are inside of functions, and several threads may come to them at once."""

import threading

# A module of this collection lies in Ansible's zip file on the host. Before Python 3.10 another thread that imports it at the same
# time gets it half-initialized, as zipimport does not tell the import system that it is still being loaded.
IMPORT_LOCK = threading.RLock()
