# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An AEM, a Brand Portal and NTP servers on loopback, until the file that says where they are is removed.

    fakes.py FOLDER      the certificates go there, and at last fakes.json, which tells their addresses
"""

import contextlib
import json
import os
import sys
import time
from pathlib import Path

from ansible_collections.aemops.brand_portal.tests.fakes import testing
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._clock.clock_servers import NtpServer, honest

LONGEST = 900  # seconds; nothing outlives a test for longer
HOUR = 3600.0


def main() -> None:
    folder = Path(sys.argv[1])
    testing.make_ca(folder, 'acme')
    with contextlib.ExitStack() as stack:
        portal = stack.enter_context(testing.running_portal(folder, 'acme'))
        aem = stack.enter_context(testing.running_aem(
            folder, portal, transport_uri=f'{portal.url}/bin/receive?sling:authRequestLogin=1'))
        servers = {name: [stack.enter_context(NtpServer(honest(offset))).name for _server in range(3)]
                   for name, offset in (('right', 0.0), ('ahead', HOUR))}
        told = folder / 'fakes.json'
        fresh = folder / 'fakes.new'
        fresh.write_text(json.dumps({
            'aem_url': aem.url, 'username': aem.user, 'password': aem.password, 'ca_path': str(folder / 'ca.pem'),
            'portal_url': portal.url, 'agents': testing.brand_portal_agents('acme'), 'servers': servers}))
        os.replace(fresh, told)
        ends = time.monotonic() + LONGEST
        while told.exists() and time.monotonic() < ends:
            time.sleep(0.2)


if __name__ == '__main__':
    main()
