# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The type of a cause, and the cause of a successful test. A healthy host loads nothing else of the causes."""

from typing import NamedTuple, Optional, Tuple


class Cause(NamedTuple):
    """A row of the table."""

    id: str
    pattern: str = ''                # searched in each of the agent's own lines, in any case; '' in rows found otherwise
    clock_related: str = 'no'        # 'yes', 'likely' (needs a measured skew as confirmation) or 'no'
    direction: Optional[str] = None  # if it is the clock: AEM is 'behind' or 'ahead'
    meaning: str = ''
    advice: str = ''
    source: str = ''
    context: str = ''                # unless '', the same line must match this as well
    in_body: bool = False            # also search the body of Brand Portal's answer
    codes: Tuple[int, ...] = ()      # instead of a pattern: Brand Portal's answer, when no line about a token explains it


class Finding(NamedTuple):
    """The cause of a page's failure and the line that shows it."""

    cause: Cause
    evidence: str               # not redacted yet
    not_before: Optional[int]   # dates of a certificate, if the line has them, in Unix seconds
    not_after: Optional[int]


NONE = Cause('none', meaning='The agent delivered its test to Brand Portal.')
