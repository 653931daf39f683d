# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that are all this machine, with its right clock: one AEM on loopback, whose agents Brand Portal answers 200."""

from __future__ import annotations

import contextlib
import json
import sys
import typing as t
from pathlib import Path

from fakes import testing


@contextlib.contextmanager
def authors(folder: Path, password: str, hosts: dict[str, dict[str, t.Any]], **variables: t.Any) -> t.Iterator[Path]:
    """The path of an inventory of these hosts with these variables, as long as their AEM runs. `folder` is its own."""
    testing.make_ca(folder, 'acme')
    with testing.running_portal(folder, 'acme') as portal, \
         testing.running_aem(folder, portal, password=password,
                             transport_uri=f'{portal.url}/bin/receive?sling:authRequestLogin=1') as aem:
        common = {
            'ansible_connection': 'local', 'ansible_python_interpreter': sys.executable,
            'fix_bp_jwt_aem_url': aem.url, 'fix_bp_jwt_ca_path': str(folder / 'ca.pem'),
            'fix_bp_jwt_agents': testing.brand_portal_agents('acme'), 'fix_bp_jwt_ntp_servers': ['127.0.0.1:9'],
        }
        path = folder / 'inventory.yml'
        path.write_text(json.dumps({'aem_authors': {'hosts': hosts, 'vars': {**common, **variables}}}))
        yield path
