# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that a terminal obeys is left in what others say."""

import unicodedata

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.printable import all_printable, printable


@pytest.mark.parametrize(('text', 'shown'), [
    ('\x1b]0;owned\x07', '\\x1b]0;owned\\x07'),          # sets a terminal's title
    ('\x9b31mred\x9d0;owned\x9c', '\\x9b31mred\\x9d0;owned\\x9c'),  # the same in C1
    ('a\r\nb\tc', 'a  b c'),
    ('\u202egnp.exe', '\\u202egnp.exe'),
    ('a\u2066b\u2069c\u200bd\ufeffe', 'a\\u2066b\\u2069c\\u200bd\\ufeffe'),
    ('a\u2028b', 'a b'),
    ('\udc1b', '\\udc1b'),
    ('\U000e0041', '\\U000e0041'),
    ('Größe — 接続を拒否されました, émoji 😀', 'Größe — 接続を拒否されました, émoji 😀'),
])
def test_it_is_shown_by_its_number(text, shown):
    assert printable(text) == shown


def test_no_control_or_format_character_is_left():
    """Over all of Unicode: no control character, no surrogate, none of the format characters that are not ink."""
    kept = {chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) in ('Cc', 'Cs')
            and chr(code) in printable(chr(code))}
    assert kept == set()
    for bidirectional in ('LRE', 'RLE', 'LRO', 'RLO', 'PDF', 'LRI', 'RLI', 'FSI', 'PDI'):
        codes = [code for code in range(0x110000) if unicodedata.bidirectional(chr(code)) == bidirectional]
        assert codes and all(chr(code) not in printable(chr(code)) for code in codes)


def test_every_text_in_a_structure():
    assert all_printable({'\x1b': ['\x07', {'a': '\x9b'}], 'n': 1, 'x': None, 'b': True}) == {
        '\\x1b': ['\\x07', {'a': '\\x9b'}], 'n': 1, 'x': None, 'b': True}
