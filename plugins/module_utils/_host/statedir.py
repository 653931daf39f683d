# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs leave on a host for the next run, readable by every account."""

import json
import os
from typing import Any, Dict, List

# Anybody may read what is in it; only root writes. A folder in it is the record of a run that has not ended.
STATE = '/var/lib/aemops-brand-portal'


def interrupted(state: str = STATE) -> List[str]:
    """What earlier runs have begun and not ended, by the names of their folders; [] on a host in order. No root needed."""
    try:
        return sorted(name for name in os.listdir(state) if os.path.isdir(os.path.join(state, name)))
    except OSError:
        return []


def read(path: str) -> Dict[str, Any]:
    """The file's object; {} where there is none, or it cannot be read."""
    try:
        with open(path, encoding='utf-8') as stream:
            found = json.load(stream)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
