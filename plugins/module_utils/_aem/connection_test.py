# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the agents' connection tests, and returns their results as RV(tests) documents them."""

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import agents as agents_of_aem
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import cause as cause_of
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import charset, dates, redact
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import client as aem_http
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import test_page as page
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem.answer import TimedOut
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.importing import IMPORT_LOCK

FIRST_LINES, LAST_LINES = 100, 300  # lines of an agent's log that are kept
UNKNOWN = 'unknown'  # how the agent authenticates
LONG_QUEUE = 100  # number of waiting items that explains why a test times out
SURELY_BEHIND = 5.0  # seconds, by the two dates of a test, which have a resolution of two seconds


def run(
    aem: aem_http.Aem, agents: Sequence[agents_of_aem.Agent], timeout: float, parallel: int
) -> List[Dict[str, Any]]:
    """Test the agents, C(parallel) at a time, each for at most C(timeout) seconds. Return the results in the agents' order.

    Raises the first AemError only after all tests have ended, because a test that has begun cannot be canceled.
    """
    tester = Tester(aem, timeout)
    with ThreadPoolExecutor(parallel) as pool:
        tests = [pool.submit(tester.test, agent) for agent in agents]
    return [done.result() for done in tests]


def test(aem: aem_http.Aem, agent: agents_of_aem.Agent, timeout: float) -> Dict[str, Any]:
    """Test one agent."""
    return Tester(aem, timeout).test(agent)


class Tester:
    """Tests the agents of one AEM. Loads the table of causes and the reader of AEM's configuration only for a failure."""

    def __init__(self, aem: aem_http.Aem, timeout: float) -> None:
        self._aem = aem
        self._timeout = timeout
        self._lock = threading.Lock()
        self._ways: Any = None

    def test(self, agent: agents_of_aem.Agent) -> Dict[str, Any]:
        """Test one agent. Problems of AEM itself raise AemError; everything that the agent reports is a result."""
        try:
            answer = self._aem.test_page(agent.name, self._timeout)
        except TimedOut as error:
            with IMPORT_LOCK:
                from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import causes
            finding = cause_of.Finding(causes.TEST_TIMEOUT, error.message, None, None)
            return _result(agent, None, self._with_queue(agent, finding), None, self._aem.redactor)
        text = charset.decode(answer.body, answer.headers.get('Content-Type', ''))
        read = page.read(text)
        if read.kind == 'other' and aem_http.is_login_page(text):
            raise aem_http.AemError(
                'unauthorized',
                'AEM shows its login page instead of the test of {0}. Check the options username and '
                'password.'.format(agent.name),
            )
        if read.succeeded and answer.status == 200:
            return _result(agent, read, cause_of.Finding(cause_of.NONE, '', None, None), answer, self._aem.redactor)
        with IMPORT_LOCK:
            from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import causes
        finding = causes.explain(read)
        if answer.status == 500:
            evidence = 'AEM answered 500 to the test. {0}'.format(finding.evidence)
            finding = cause_of.Finding(causes.UNKNOWN, evidence, None, None)
            read = read._replace(succeeded=False)
        if finding.cause.id == 'timeout':
            finding = self._with_queue(agent, finding)
        return _result(agent, read, finding, answer, self._aem.redactor, self._way(agent, read))

    def _way(self, agent: agents_of_aem.Agent, read: page.Page) -> str:
        with IMPORT_LOCK:
            from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import authentication
        with self._lock:
            self._ways = self._ways or authentication.Ways(self._aem)
        return self._ways.of(agent.token_provider, read)

    def _with_queue(self, agent: agents_of_aem.Agent, finding: cause_of.Finding) -> cause_of.Finding:
        """Return the finding of a time-out, with a long queue as its cause if there is one."""
        with IMPORT_LOCK:
            from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import causes
        try:
            queue = self._aem.queue_of(agent.name)
        except aem_http.AemError:
            return finding
        return finding._replace(cause=causes.QUEUE_BACKLOG) if queue and queue['pending'] >= LONG_QUEUE else finding


def refined(results: Sequence[Dict[str, Any]], behind: Optional[bool], now: Optional[float]) -> List[Dict[str, Any]]:
    """Return the results with causes refined by facts that are not on their pages (causes.refined).

    behind: whether the measurement shows that AEM's clock is behind; None: use the two dates of each result. now: the Unix
    seconds of a trusted clock; None: use the Date of the answer in each result.
    """
    return [result if result['succeeded'] else _refined(result, behind, now) for result in results]


def _refined(result: Dict[str, Any], behind: Optional[bool], now: Optional[float]) -> Dict[str, Any]:
    with IMPORT_LOCK:
        from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import causes
    if behind is None:
        behind = bool(result['skew']) and result['skew']['low'] > SURELY_BEHIND
    if now is None and result['remote_date']:
        now = dates.of_iso(result['remote_date'])
    way = result['authentication']
    found = causes.refined(result['cause'], result['evidence'], result['response_code'], way, behind, now)
    since, until = (dates.of_iso(result[key]) if result[key] else None for key in ('not_before', 'not_after'))
    found = causes.by_trusted_time(found, since, until, now)
    if way == UNKNOWN and found.id == 'jwt_expired' and now is not None and now >= causes.JWT_ENDED:
        way = 'legacy_gateway'  # inferred: nothing else takes a JWT any more
    elif way == UNKNOWN and found.id == 'jwt_end_of_life' and found != causes.JWT_PROBABLY:
        way = 'jwt'
    return dict(result, authentication=way, cause=found.id, clock_related=found.clock_related, direction=found.direction,
                meaning=result['meaning'] if found == causes.BY_ID[result['cause']] else found.meaning,
                advice=result['advice'] if found == causes.BY_ID[result['cause']] else found.advice)


def _result(
    agent: agents_of_aem.Agent,
    read: Optional[page.Page],
    finding: cause_of.Finding,
    answer: Optional[aem_http.AemAnswer],
    redactor: redact.Redactor,
    way: str = UNKNOWN,
) -> Dict[str, Any]:
    aem_date = aem_http.date_of(answer) if answer else None
    remote_date = read.remote_date if read else None
    skew = None
    if aem_date is not None and remote_date is not None and answer is not None:
        low, high = skew_interval(aem_date, remote_date, answer.elapsed)
        # Rounded outwards to milliseconds.
        skew = {'low': math.floor(low * 1000) / 1000.0, 'high': math.ceil(high * 1000) / 1000.0}
    return {
        'agent': agent.name,
        'tenant': agent.tenant,
        'succeeded': bool(read and read.succeeded),
        'response_code': read.response_code if read else None,
        'response_reason': redactor.line(read.response_reason) if read else '',
        'cause': finding.cause.id,
        'clock_related': finding.cause.clock_related,
        'direction': finding.cause.direction,
        'meaning': finding.cause.meaning,
        'advice': finding.cause.advice,
        'authentication': way,
        'evidence': redactor.line(finding.evidence),
        'not_before': dates.iso(finding.not_before),
        'not_after': dates.iso(finding.not_after),
        'aem_date': dates.iso(aem_date),
        'remote_date': dates.iso(remote_date),
        'skew': skew,
        # Results of a whole fleet are kept, by the controller until the report, by AWX forever. A success needs no log.
        'log': _log(read, redactor) if read and not read.succeeded else [],
    }


def _log(read: page.Page, redactor: redact.Redactor) -> List[str]:
    texts = [line.text for line in read.lines]
    left_out = len(texts) - FIRST_LINES - LAST_LINES
    if left_out > 0:
        texts = texts[:FIRST_LINES] + ['[... {0} lines left out]'.format(left_out)] + texts[-LAST_LINES:]
    return redactor.lines(texts)


def skew_by_tenant(results: Sequence[Dict[str, Any]]) -> Dict[str, Tuple[float, float]]:
    """Combine the tests of each tenant's agents to bounds of remote clock minus AEM's: (low, high) in seconds.

    All of them bound the same difference of two clocks, so the true one is in their intersection. If they do not overlap, a clock
    was set in between, and only the hull of all of them contains it. Agents that do not lead to Brand Portal have another remote
    clock and are left out.
    """
    spans: Dict[str, List[Tuple[float, float]]] = {}
    for result in results:
        if result['tenant'] and result['skew']:
            spans.setdefault(result['tenant'], []).append((result['skew']['low'], result['skew']['high']))
    together = {}
    for tenant, bounds in spans.items():
        low, high = max(low for low, _high in bounds), min(high for _low, high in bounds)
        if low > high:
            low, high = min(low for low, _high in bounds), max(high for _low, high in bounds)
        together[tenant] = low, high
    return together


def skew_interval(aem_date: float, remote_date: float, elapsed: float) -> Tuple[float, float]:
    """Return bounds of remote clock minus AEM's clock, in seconds. Positive if AEM is behind.

    Both dates are HTTP dates, truncated to the second. Let the request last from 0 to C(elapsed) by a steady clock. AEM's clock
    showed aem_date + f (0 <= f < 1) at some moment a of the request: some servers stamp an answer when the request arrives, others
    when they begin to send. The remote clock showed remote_date + g (0 <= g < 1) at some moment r of the request, because AEM
    queried the remote side during it. Then

        remote - AEM = (remote_date + g - r) - (aem_date + f - a) = (remote_date - aem_date) + (g - f) + (a - r)

    with abs(g - f) < 1 and abs(a - r) <= elapsed. A slow test therefore has a wide interval.
    """
    difference = float(remote_date - aem_date)
    return difference - 1.0 - elapsed, difference + 1.0 + elapsed
