# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""NTP servers used for a measurement."""

from typing import List, Optional

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.importing import IMPORT_LOCK


def ntp_servers(given: Optional[List[str]]) -> List[str]:
    """Return the given servers, or else those of this host's own time daemon or of the vendor's pool."""
    if given:
        return given
    # Imported here because not every measurement needs the layouts of all daemons (docs/scale.md).
    with IMPORT_LOCK:
        from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.servers import effective_ntp_servers
        from ansible_collections.aemops.brand_portal.plugins.module_utils._host.host import Host
    return list(effective_ntp_servers(Host(_output)))


def _output(command: List[str]) -> str:
    """Return the output of a command; '' if it cannot be run."""
    with IMPORT_LOCK:
        from ansible_collections.aemops.brand_portal.plugins.module_utils._common.process import run
    return run(command, 10.0).out
