# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock for imports inside functions, which several threads may reach at the same time."""

import threading

# Modules of this collection are in Ansible's zip file on the host. Before Python 3.10, zipimport does not tell the import system
# that a module is still being loaded, so another thread that imports it at the same time gets it half-initialized.
IMPORT_LOCK = threading.RLock()
