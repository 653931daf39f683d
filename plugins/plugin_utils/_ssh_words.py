# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The message of ansible-core for a host that cannot be reached. Imports little: each start of ansible loads the callback."""

from __future__ import annotations

import re

_INTRODUCTION = re.compile(r'^.*can be reached over ssh: ', re.IGNORECASE)


def words_of_ssh(message: str) -> str:
    """Return the message without what ansible-core puts before the words of ssh."""
    return _INTRODUCTION.sub('', message)
