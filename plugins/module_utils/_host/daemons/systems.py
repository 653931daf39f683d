# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Identifies the system of a host: os-release(5)."""

import re
from typing import Any, List, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import layouts


def systems(host: Any) -> List[str]:
    """Return the words for this system in the layouts, the most specific first."""
    release = host.os_release()
    words = [word.lower() for word in [release.get('ID', '')] + release.get('ID_LIKE', '').split() if word]
    words += [layouts.SAME_AS[word] for word in words if word in layouts.SAME_AS]
    return list(dict.fromkeys(words))


def version(host: Any) -> Tuple[int, ...]:
    """Return VERSION_ID as numbers. Without one, as on a rolling release, return a version newer than all."""
    numbers = re.findall(r'[0-9]+', host.os_release().get('VERSION_ID', ''))
    return tuple(int(each) for each in numbers) or layouts.NEWEST
