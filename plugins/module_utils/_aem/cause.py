# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The type of a cause, and the cause of a test that succeeded: all that a healthy host loads of the causes."""

from typing import NamedTuple, Optional, Tuple


class Cause(NamedTuple):
    """A row of the table."""

    id: str
    pattern: str = ''                # searched in each of the agent's own lines, in any case; '' in rows found otherwise
    clock_related: str = 'no'        # 'yes', 'likely' (measure before you believe it) or 'no'
    direction: Optional[str] = None  # if it is the clock: AEM is 'behind' or 'ahead'
    meaning: str = ''
    advice: str = ''
    source: str = ''
    context: str = ''                # when not '', the same line must match this as well
    in_body: bool = False            # also look into the body of Brand Portal's answer
    codes: Tuple[int, ...] = ()      # instead of a pattern: Brand Portal's answer, when no line about a token explains it


class Finding(NamedTuple):
    """The cause of a page's failure and the line that shows it."""

    cause: Cause
    evidence: str               # secrets still in it
    not_before: Optional[int]   # a certificate's dates when the line tells them, seconds since the epoch
    not_after: Optional[int]


NONE = Cause('none', meaning='The agent delivered its test to Brand Portal.')
