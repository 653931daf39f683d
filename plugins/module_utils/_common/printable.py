# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes text from other systems safe to print. Pure.

Text from AEM, Brand Portal, a proxy or a host appears in terminals, logs and reports. There, control characters (C0, C1, DEL)
can move the cursor, set a title or hide text, and bidirectional overrides can reverse it. Each is replaced by its number.
"""

import re
from typing import Any, Mapping, Match

# Line ends and tabs become blanks, because a message is one line. U+2028 and U+2029 also end lines. The other class: C0, DEL and
# C1, the marks and overrides of the Unicode Bidirectional Algorithm (UAX 9), zero-width characters, and lone surrogates.
_BLANKS = re.compile('[\t\n\x0b\x0c\r\x85\u2028\u2029]')
_OBEYED = re.compile(
    '[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]')


def printable(text: str) -> str:
    """Return the text as one line without control characters."""
    return _OBEYED.sub(_number, _BLANKS.sub(' ', text))


def all_printable(value: Any) -> Any:
    """Apply printable() to every string in nested lists and dictionaries, including keys."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {all_printable(name): all_printable(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [all_printable(each) for each in value]
    return value


def _number(match: Match[str]) -> str:
    code = ord(match.group())
    return ('\\x{0:02x}' if code < 256 else '\\u{0:04x}' if code < 65536 else '\\U{0:08x}').format(code)
