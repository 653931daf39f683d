# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decodes an answer whose character set may be declared wrongly or not at all. Pure."""

import codecs
import re

_META = re.compile(br'(?i)<meta\b[^<>]{0,300}?charset\s{0,4}=\s{0,4}["\']?\s{0,4}([A-Za-z0-9_.:-]{1,40})')
_CHARSET = re.compile(r'(?i)charset\s{0,4}=\s{0,4}["\']?\s{0,4}([A-Za-z0-9_.:-]{1,40})')
# Families of character sets a page may be in; others (punycode, unicode_escape, ...) are slow or not character sets.
_FAMILIES = (
    'utf-8', 'utf-16', 'utf-32', 'ascii', 'iso8859', 'latin', 'cp', 'koi8', 'mac', 'shift_jis', 'euc', 'gb', 'big5',
    'iso2022', 'tis', 'hp', 'kz', 'ptcp', 'johab',
)
_BOMS = (
    (codecs.BOM_UTF8, 'utf-8-sig'), (codecs.BOM_UTF32_LE, 'utf-32'), (codecs.BOM_UTF32_BE, 'utf-32'),
    (codecs.BOM_UTF16_LE, 'utf-16'), (codecs.BOM_UTF16_BE, 'utf-16'),
)


def decode(body: bytes, content_type: str = '') -> str:
    """Decode by byte order mark, Content-Type, meta element, or else by the bytes themselves. Never raises."""
    candidates = [name for mark, name in _BOMS if body.startswith(mark)][:1]
    declared = _CHARSET.search(content_type or '')
    if declared:
        candidates.append(declared.group(1))
    meta = _META.search(body[:4096])
    if meta:
        candidates.append(meta.group(1).decode('ascii'))
    if not candidates and b'\0' in body[:64]:
        candidates.append('utf-16-le' if body[1:2] == b'\0' else 'utf-16-be')
    for name in candidates:
        try:
            codec = codecs.lookup(name).name
        except (LookupError, ValueError):
            continue
        if codec.startswith(_FAMILIES):
            try:
                return body.decode(codec, 'replace')
            except (LookupError, UnicodeError):
                continue
    try:
        return body.decode('utf-8')
    except UnicodeDecodeError:
        return body.decode('cp1252', 'replace')
