# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The context of TLS clients, alike on every Python."""

import os
import ssl
from typing import Optional


def client_context(ca_path: Optional[str], validate: bool) -> ssl.SSLContext:
    """Return a new context. ca_path: file or directory that replaces the system's CA certificates. Raises OSError, ValueError."""
    if ca_path and os.path.isdir(ca_path):
        context = ssl.create_default_context(capath=ca_path)
    else:
        context = ssl.create_default_context(cafile=ca_path or None)
    # Python 3.13 has it by default. Many proxies that inspect TLS have CA certificates that break RFC 5280 in small ways, such as
    # no authority key identifier; OpenSSL and Java accept them. The result must not depend on the host's Python.
    context.verify_flags &= ~getattr(ssl, 'VERIFY_X509_STRICT', 0)
    if not validate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
