# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hides the user and password of a URL or address that a message quotes. Pure."""

import re

_HIDDEN = '********@'
# Up to the last @ of the word: a password may contain @ and /. Without a colon, only what cannot be a path.
_CREDENTIALS = re.compile(r"""(://)?(?:[^\s"'<>/:@]{0,200}:(?!//)[^\s"'<>]{1,500}|(?<=://)[^\s"'<>/]{1,500})@(?=[\w\[])""")


def without_credentials(text: str) -> str:
    """Return the text with ******** in place of `user:password` before an @."""
    return _CREDENTIALS.sub(lambda found: (found.group(1) or '') + _HIDDEN, text)
