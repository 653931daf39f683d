# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every page of an agent that a reader must understand, and what it must conclude from it: one list.

It drives three things: the stand-in of AEM (`"scenario": NAME`), the tests of the reader, and the documentation's table.
Standard library only, and nothing newer than Python 3.6.
"""

from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

try:
    from . import agent_log
    from .agent_log import Agent, Answer, Journal, Line, Markup, Verdict
except ImportError:  # run beside aem.py
    import agent_log  # type: ignore[no-redef]
    from agent_log import Agent, Answer, Journal, Line, Markup, Verdict  # type: ignore[no-redef]

REAL = "real"  # not scripted: aem.py does what an agent does

Page = NamedTuple("Page", [("content_type", str), ("body", bytes)])


class Context(NamedTuple):
    """Whose test it is, and when. Brand Portal's Date is given; AEM's own is on its HTTP answer."""

    agent: Agent
    tenant: str
    stamp: Callable[[], str]
    remote_date: str


def plain_page(text: str) -> Page:
    return Page("text/html;charset=utf-8", text.encode("utf-8"))


def _as_they_are(lines: List[Line]) -> List[Line]:
    return lines


class Scenario(NamedTuple):
    """`script` writes the lines; the rest says how they reach the reader and what it must make of them."""

    name: str
    summary: str
    script: Callable[[Journal, Context], Optional[Verdict]]
    cause: str
    clock_related: str  # yes | likely | no
    succeeded: bool
    response_code: Optional[int]  # of Brand Portal's answer; None: there was none
    where: str = "test"  # the page it is about: test | log
    markup: Markup = Markup()
    mangle: Callable[[List[Line]], List[Line]] = _as_they_are
    dress: Callable[[str], Page] = plain_page
    text: Optional[Callable[[Context], str]] = None  # a page that has no lines


def play(scenario: Scenario, context: Context, where: str = "") -> Tuple[Page, List[Line]]:
    """The page as bytes, and the lines the agent's log keeps of it."""
    if scenario.text is not None:
        return scenario.dress(scenario.text(context)), []
    journal = Journal(context.agent, context.stamp)
    verdict = scenario.script(journal, context)
    lines = scenario.mangle(journal.lines)
    if (where or scenario.where) == "log":
        text = agent_log.log_page(context.agent, lines, scenario.markup)
    else:
        text = agent_log.test_page(context.agent, lines, verdict, scenario.markup)
    return scenario.dress(text), journal.lines


SCENARIOS = []  # type: List[Scenario]
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}  # type: Dict[str, Scenario]
