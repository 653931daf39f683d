# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes docs/deciding.md and its picture from the decision table.

    document_decision.py            write the files
    document_decision.py --check    fail when they are not what would be written
"""

from __future__ import annotations

import sys
import typing as t
from xml.sax.saxutils import escape

from generated import COLLECTIONS, ROOT, settle

sys.path.insert(0, str(COLLECTIONS))

from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _verdict as verdict  # noqa: E402

AGENTS = {
    'answered_200': 'are all answered 200',
    'clock_cause': 'fail because of a clock',
    'other_cause': 'fail for another reason',
    'unreachable': 'cannot be tested: AEM does not answer',
    'not_testable': 'cannot be tested as requested',
}
CLOCKS = {'in_sync': 'right', 'skewed': 'wrong', 'no_reference': 'unknown'}
# What happens: the words, and the colors of the picture (background, frame).
NOTHING, REPAIR, REPAIR_AND_FAIL, FAIL = 'nothing to do', 'repair', 'repair, then fail', 'change nothing, fail'
COLORS = {NOTHING: ('#e3f4e3', '#2e7d32'), REPAIR: ('#dceafb', '#1565c0'),
          REPAIR_AND_FAIL: ('#fff1d6', '#b26a00'), FAIL: ('#fbe3e3', '#b3261e')}

TEXT = '''\
# How it decides

<!-- Written by tests/tools/document_decision.py from plugins/plugin_utils/_verdict.py: change that table instead. -->

The results of the agents' own tests and the measured clock determine the state of a host, and the state determines what happens.
`aemops.brand_portal.jwt_verdict` is this decision as a filter; the role uses nothing else.

![Measure, decide, repair, prove: the state and what happens for each answer of the agents and of the clock](deciding.svg)

{table}

## What the clock says

*Wrong* and *right* are measured: the whole interval that contains the true offset is beyond `fix_bp_jwt_max_skew`, or within
it. [Which references are trusted](trust.md) is decided before. *Unknown* covers all other cases: no reference is reachable, the
references disagree, the interval contains the threshold, or only one or two plain NTP servers indicate a wrong clock and
`fix_bp_jwt_accept_unverified` does not allow a repair.

## What the agents say

The test of each agent is AEM's own, and its log is searched for a [cause](causes.md). If one of several agents has a cause that is
not the clock, the row is *another reason*: correcting the clock alone does not heal this host, and the run says so.
The same holds for a cause that is only likely a clock, if the measured clock is wrong in the other direction, or by too little:
the date of a certificate that the agent shows is valid by it, or Adobe throttles an AEM that is ahead by less than a day.

## Three things the table does not show

- The clock is wrong, and AEM's own `Date` contradicts the host's clock: AEM runs elsewhere, so nothing is changed
  (`other_clock`). The same applies if the clock is right and all agents are answered 200, but the `Date` of AEM and the
  dates of the agents' tests both show that AEM's clock is wrong. In the opposite case, if both clocks are right now and an agent
  still reports a clock problem, the state is `not_the_clock`.
  The same applies to a right clock and a cause that is only `likely` the clock, such as a certificate's date.
- A repair is due on a host that cannot set its clock, such as a container: `cannot_set_clock`. No attempt is made.
- The clock is right, but an earlier repair of this host was interrupted, or no daemon could be configured
  to keep the clock. The state is `unfinished`, and the next run finishes it ([how a repair works](repair.md)). An AEM that it left
  stopped is started even if the clock is unknown.

## The states

{states}
'''


def action(agents: str, clock: str) -> str:
    state = verdict.TABLE[agents][clock]
    rule = verdict.STATES[state]
    if rule.healthy:
        return NOTHING
    if not rule.repair or clock != 'skewed':
        return FAIL
    return REPAIR if state in ('jwt_expired', 'at_risk') else REPAIR_AND_FAIL


def document() -> str:
    table = [_row(['the agents', *(f'clock: {words}' for words in CLOCKS.values())]), _row(['---'] * 4)]
    table += [_row([words] + [f'`{verdict.TABLE[agents][clock]}`: {action(agents, clock)}' for clock in CLOCKS])
              for agents, words in AGENTS.items()]
    states = [_row(['state', 'meaning', 'next step for the user']), _row(['---'] * 3)]
    states += [_row([f'`{name}`', rule.meaning, rule.next_step or _whose_advice(name)])
               for name, rule in verdict.STATES.items()]
    return TEXT.format(table='\n'.join(table), states='\n'.join(states))


def _whose_advice(state: str) -> str:
    if verdict.STATES[state].healthy:
        return 'nothing'
    return 'the message says what the access to AEM lacks' if state == 'not_testable' else 'the advice of the [cause](causes.md)'


def _row(cells: t.Iterable[str]) -> str:
    return f'| {" | ".join(cells)} |'


def picture() -> str:
    """The way of a host, and under "decide" the table, each cell in the color of what happens."""
    left, top, width, height = 226, 132, 196, 52
    parts = [f'<rect width="840" height="{top + 5 * (height + 8) + 34}" fill="#ffffff"/>']
    for number, (name, what) in enumerate((('measure', 'one call, any user'), ('decide', 'one table'),
                                           ('repair', 'where blue or yellow'), ('prove', 'all agents 200'))):
        x = 20 + number * 204
        parts.append(f'<rect x="{x}" y="16" width="172" height="48" rx="8" fill="#f1f3f4" stroke="#5f6368"/>')
        parts.append(_words(x + 86, 37, name, weight='bold') + _words(x + 86, 55, what, size=12))
        if number < 3:
            parts.append(f'<path d="M{x + 174} 40h24m-7 -5l7 5l-7 5" fill="none" stroke="#5f6368"/>')
    parts.append(_words(20, 100, 'What the agents say', weight='bold', anchor='start'))
    parts.append(_words(left, 100, 'What the clock says', weight='bold', anchor='start'))
    for column, words in enumerate(CLOCKS.values()):
        parts.append(_words(left + column * (width + 8) + width / 2, top - 8, words))
    for row, (agents, words) in enumerate(AGENTS.items()):
        y = top + row * (height + 8)
        parts.append(_words(20, y + height / 2 + 5, words, anchor='start', size=13))
        for column, clock in enumerate(CLOCKS):
            x, what = left + column * (width + 8), action(agents, clock)
            fill, frame = COLORS[what]
            parts.append(f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{fill}" stroke="{frame}"/>')
            parts.append(_words(x + width / 2, y + 22, verdict.TABLE[agents][clock], weight='bold', size=13))
            parts.append(_words(x + width / 2, y + 40, what, size=12))
    height_of_all = top + 5 * (height + 8) + 34
    parts.append(_words(20, height_of_all - 14, "also: other_clock where AEM does not run on this host's clock, "
                        'cannot_set_clock where the clock is not this host\'s to set', anchor='start', size=12))
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 840 {height_of_all}" role="img" '
            'font-family="Helvetica, Arial, sans-serif">\n<title>How it decides</title>\n')
    return head + '\n'.join(parts) + '\n</svg>\n'


def _words(x: float, y: float, text: str, weight: str = 'normal', anchor: str = 'middle', size: int = 14) -> str:
    return (f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
            f'fill="#202124">{escape(text)}</text>')


if __name__ == '__main__':
    settle(__doc__, {ROOT / 'docs' / 'deciding.md': document(), ROOT / 'docs' / 'deciding.svg': picture()})
