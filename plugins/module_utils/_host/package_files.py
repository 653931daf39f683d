# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration files of a package: their content, and when they were written."""

import contextlib
import hashlib
import os
from typing import Dict, List, Sequence

from ansible_collections.aemops.brand_portal.plugins.module_utils._common import files
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import System


def fingerprints(host: System, places: Sequence[str]) -> Dict[str, str]:
    """Return {path: hash} of all files in these places, which are files or folders."""
    found = {}
    for path in files_in(host, places):
        try:
            content = files.read(host.path(path))
        except OSError:
            continue
        found[path] = hashlib.sha256(content or b'').hexdigest()
    return found


def files_in(host: System, places: Sequence[str]) -> List[str]:
    """Return the paths of all files in these places, which are files or folders."""
    found: List[str] = []
    for place in places:
        real = host.path(place)
        found += [real] if os.path.isfile(real) else [os.path.join(folder, name) for folder, _folders, names in os.walk(real)
                                                      for name in names]
    return ['/' + os.path.relpath(path, host.root) for path in found]


def written_outside(host: System, places: Sequence[str], begun: float, ended: float) -> List[str]:
    """Return the files in these places that were not written between these moments of the wall clock, which may be set since."""
    found = []
    for path in files_in(host, places):
        with contextlib.suppress(OSError):
            # Files of a package have the time of its build, and a new label or owner is not a new content.
            status = os.stat(host.path(path))
            found += [path] if min(status.st_mtime, status.st_ctime) > ended or status.st_ctime < begun - 1 else []
    return sorted(found)
