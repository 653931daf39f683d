# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's ntplib, which is sent to hosts, so that nothing has to be installed there."""

from __future__ import annotations

import functools
from importlib.util import find_spec
from pathlib import Path

from ansible.errors import AnsibleActionFail

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import ntplib_loader


@functools.lru_cache(maxsize=1)
def packed_ntplib() -> str:
    """Return the controller's ntplib.py, compressed, as text. It is read once per worker."""
    spec = find_spec('ntplib')
    if spec is None or not spec.origin:
        raise AnsibleActionFail(
            'The Python package ntplib is missing on the controller (not on the AEM host). '
            'Install it in the environment of ansible-core: pip install -r requirements.txt. '
            'In AWX, use an execution environment that has it.'
        )
    return ntplib_loader.carry(Path(spec.origin).read_bytes())
