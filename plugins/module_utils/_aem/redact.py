# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Removes secrets from the lines that leave this host. Pure.

A wire dump can contain everything that was sent: Authorization and Cookie headers, tokens in JSON bodies, encrypted passwords.
Every pattern here is bounded or anchored by a literal, which keeps the cost linear in the length of the line.
"""

import base64
import re
from typing import List, Sequence, Set
from urllib.parse import quote, quote_plus

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.printable import printable

HIDDEN = '********'
LONGEST = 2000
_CUT = ' [... {0} characters left out]'

_HEADERS = re.compile(r'(?i)((?:authorization|cookie2?)["\']?\s{0,4}[:=])(?!\s{0,4}$).*', re.DOTALL)
_SCHEMES = re.compile(r'(?i)\b(bearer|basic|digest|negotiate|ntlm)\s{1,4}(?!realm\b)["\']?[A-Za-z0-9+/=._~-]{6,}')
# A quotation mark, also one in a string of JSON, in a URL or in HTML.
_QUOTE = r'\\{0,3}["\']|%22|&quot;|&#34;|\\u0022'
_NAMED = re.compile(
    r'(?i)((?:token|secret|api[_-]?key|private[_-]?key|passw(?:or)?d|passphrase|pwd|assertion|j_password|session(?:id)?)'
    r'(?:' + _QUOTE + r')?\s{0,4}(?:[:=]|%3[AD])\s{0,4}(?:\[\s{0,4}){0,3})'
    r'(?:(")(?!\*{8})(?:[^"\\]|\\.)+|(\\"|\')(?!\*{8})[^"\'\\]+'
    r'|((?:' + _QUOTE + r')?)(?!\*{8}|\[)(?:[^\s"\'\\&,;<>{}]+|\\?\{[0-9a-fA-F]+\\?\}))'
)
_JWT = re.compile(r'eyJ[A-Za-z0-9_=-]+(?:\.[A-Za-z0-9_=-]*){0,4}')
_CRYPTO = re.compile(r'\\?\{[0-9a-fA-F]{16,}\\?\}')
_USERINFO = re.compile(r'(?i)\b([a-z][a-z0-9+.-]{1,15}://)[^\s/?#<>"\']{1,500}@')
# Base64 or hexadecimal text that is too long for a word: the rest of a token whose name is on the previous line.
_OPAQUE = re.compile(r'(?<![A-Za-z0-9_+=-])(?=[a-z_+=-]{0,200}[A-Z0-9])[A-Za-z0-9_+=-]{48,}')
# Adobe's client secrets have this prefix.
_CLIENT_SECRET = re.compile(r'\bp8e-[A-Za-z0-9_-]{8,}')
_KEY_BEGIN = re.compile(r'-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----')
_KEY_END = re.compile(r'-----END [A-Z ]{0,30}PRIVATE KEY-----')
_KEY = re.compile(_KEY_BEGIN.pattern + r'(?:(?!-----END).)*(?:' + _KEY_END.pattern + ')?', re.DOTALL)


class Redactor:
    """Hides known secrets (the password of this collection) and secrets that it recognizes by their form."""

    def __init__(self, secrets: Sequence[str] = (), username: str = '') -> None:
        forms: Set[str] = set()
        for secret in secrets:
            if not secret:
                continue
            pair = '{0}:{1}'.format(username, secret).encode('utf-8', 'surrogateescape')
            forms.update((
                secret,
                printable(secret),
                quote(secret, safe='', errors='replace'),
                quote_plus(secret, errors='replace'),
                secret.replace('\\', '\\\\').replace('"', '\\"'),
                base64.b64encode(pair).decode('ascii'),
            ))
        # The longest first: a password may be part of its own encoded form.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        # A password of one to three letters is part of ordinary words: hide it only as a whole word.
        parts = [re.escape(form) if len(form) > 3 else r'(?<!\w){0}(?!\w)'.format(re.escape(form)) for form in ordered]
        self._known = re.compile('|'.join(parts)) if parts else None

    def line(self, text: str, longest: int = LONGEST) -> str:
        """Return the line without secrets and control characters, truncated to the given length."""
        left = len(text) - longest
        # With a margin, to recognize a secret that the cut would split.
        text = printable(text[:longest + 4096])
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        text = _KEY.sub(HIDDEN, text)
        text = _HEADERS.sub(r'\1 ' + HIDDEN, text)
        text = _SCHEMES.sub(r'\1 ' + HIDDEN, text)
        text = _NAMED.sub(r'\1\2\3\4' + HIDDEN, text)
        text = _CLIENT_SECRET.sub(HIDDEN, text)
        text = _JWT.sub(HIDDEN, text)
        text = _CRYPTO.sub(HIDDEN, text)
        text = _USERINFO.sub(r'\1' + HIDDEN + '@', text)
        text = _OPAQUE.sub(HIDDEN, text)
        return text[:longest] + (_CUT.format(left) if left > 0 else '')

    def lines(self, texts: Sequence[str]) -> List[str]:
        """Return the lines without secrets. Hides all lines of a private key in PEM."""
        clean = []
        in_key = False
        for text in texts:
            in_key = in_key or bool(_KEY_BEGIN.search(text[:LONGEST]))
            clean.append(HIDDEN if in_key else self.line(text))
            in_key = in_key and not _KEY_END.search(text[:LONGEST])
        return clean
