# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads ntplib from the host, or from the text that the controller sent, so that a measurement installs nothing."""

import base64
import importlib
import types
import zlib
from typing import Any, Optional

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import NtplibMissing


def load(carried: Optional[str] = None) -> Any:
    """Return an ntplib module whose NTPPacket works.

    carried: the source of ntplib that the controller sent, zlib-compressed and base64-encoded, or None.
    Raises NtplibMissing if the host has no ntplib and the controller sent none, or a broken one.
    """
    try:
        own = importlib.import_module('ntplib')
        if _works(own):
            return own
    except Exception:  # pylint: disable=broad-except  # a module of that name from another source may raise anything
        pass
    if not carried:
        raise NtplibMissing('ntplib is missing on the controller and on this host. '
                            'Install it on the controller: pip install ntplib.')
    module = types.ModuleType('ntplib')
    try:
        source = zlib.decompress(base64.b64decode(carried)).decode('utf-8')
        exec(compile(source, 'ntplib.py', 'exec'), module.__dict__)  # pylint: disable=exec-used
    except Exception as error:  # pylint: disable=broad-except  # running a text may end in any way
        raise NtplibMissing(f"The controller's ntplib could not be loaded: {error}. "
                            'Install ntplib 0.4 or newer on the controller.') from error
    if not _works(module):
        raise NtplibMissing("The controller's ntplib has no working NTPPacket. "
                            'Install ntplib 0.4 or newer on the controller.')
    return module


def carry(source: bytes) -> str:
    """Encode a source file in the form that load() expects."""
    return base64.b64encode(zlib.compress(source, 9)).decode('ascii')


def _works(module: Any) -> bool:
    """Return whether the packet class writes 48 bytes and reads them back."""
    try:
        data = module.NTPPacket(version=4, mode=3).to_data()
        packet = module.NTPPacket()
        packet.from_data(data)
        return len(data) == 48 and packet.mode == 3
    except Exception:  # pylint: disable=broad-except
        return False
