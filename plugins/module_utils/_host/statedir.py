# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state that runs keep on a host for later runs. Every account can read it."""

import json
import os
from typing import Any, Dict, List

# Every account may read it; only root writes. A folder in it is the record of a run that has not ended.
STATE = '/var/lib/aemops-brand-portal'
# The log in that folder.
LOG = 'undo.json'


def interrupted(state: str = STATE) -> List[str]:
    """Return the names of the folders of runs that have not ended; [] if there are none. Does not need root."""
    try:
        return sorted(name for name in os.listdir(state) if _has_log(os.path.join(state, name)))
    except OSError:
        return []


def _has_log(folder: str) -> bool:
    """Return whether a folder has the log of a run. One that only root can read counts as such a folder."""
    try:
        return LOG in os.listdir(folder)
    except PermissionError:
        return True
    except OSError:
        return False


def read(path: str) -> Dict[str, Any]:
    """Return the object in the file; {} if there is no file, or it cannot be read."""
    try:
        with open(path, encoding='utf-8') as stream:
            found = json.load(stream)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
