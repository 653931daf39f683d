# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queries all NTP servers and HTTPS services in parallel, under one deadline; conclusion.py evaluates the answers."""

import contextlib
import math
import queue
import threading
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Set, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import https_date, ntp_client
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.argspec import SKEW_OPTIONS
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.clock import Anchor
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import BadOption
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.resolver import Address, Endpoint, parse_endpoint
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.source import Source, make_source
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.tls import Proxy, Trust, context_for, parse_proxy
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.server_word import ServerWord

# A run during which the clock was set is void. With fewer seconds left, another run is useless.
_SHORTEST_RUN = 0.3
_MOST_RUNS = 3  # a clock that is set all the time must not cause many queries to public servers
_TICK = 0.05
_MARGIN = 0.1

_NO_ANSWER = 'no answer in time'
_LONGEST = 3600.0   # largest value of the option timeout, in seconds


class MeasurementPlan(NamedTuple):
    """The checked options."""

    servers: List[Tuple[str, Endpoint]]  # text of the option, and its endpoint
    targets: List[https_date.Target]
    max_skew: float
    timeout: float
    trust: Trust
    proxy: Optional[Proxy]  # of the option; None: that of the environment
    unusable: List[Tuple[str, str]] = []  # words of the host's configuration that are not servers, and why


def plan_for(options: Mapping[str, Any]) -> MeasurementPlan:
    """Check the options. Raises BadOption, which names the option and what to write instead."""
    max_skew = _seconds(options, 'max_skew', 1e9)
    timeout = _seconds(options, 'timeout', _LONGEST)
    trust = Trust(options.get('ca_path') or None, options.get('validate_certs', True))
    proxy = parse_proxy(options['https_proxy']) if options.get('https_proxy') else None
    targets = [https_date.parse_url(str(url)) for url in _unique(options.get('https_urls'))]
    servers: List[Tuple[str, Endpoint]] = []
    unusable: List[Tuple[str, str]] = []
    for text in _unique(options.get('ntp_servers')):
        try:
            if getattr(text, 'reason', ''):
                unusable.append((str(text), text.reason))
            else:
                servers.append((text, parse_endpoint(str(text), ntp_client.PORT, 'ntp_servers')))
        except BadOption:
            if not isinstance(text, ServerWord):    # the user's own option
                raise
            unusable.append((str(text), f'{str(text)!r} is not the name or address of a server ({text.place})'))
    if targets and trust.ca_path:
        context_for(trust)  # finds a ca_path that cannot be loaded before anything is sent
    return MeasurementPlan(servers, targets, max_skew, timeout, trust, proxy, unusable)


def _unique(values: Any) -> List[Any]:
    return list(dict.fromkeys(values or []))


def _seconds(options: Mapping[str, Any], name: str, most: float) -> float:
    value = float(options.get(name, SKEW_OPTIONS[name]['default']))
    if not (math.isfinite(value) and 0 < value <= most):
        raise BadOption(f'{name}: {value:g} is not a number of seconds above 0 and up to {most:g}.')
    return value


class Measurement(NamedTuple):
    """The sources of a measurement, and the anchor that it used."""

    sources: List[Source]
    anchor: Anchor


def measure(options: Mapping[str, Any], codec: Any, wanted_width: float = math.inf,
            make_anchor: Callable[[], Anchor] = Anchor,
            network: ntp_client.Network = ntp_client.REAL_NETWORK) -> List[Source]:
    """Query all NTP servers and https URLs in parallel, under one deadline; see measure_on_anchor()."""
    return measure_on_anchor(options, codec, wanted_width, make_anchor, network).sources


def measure_on_anchor(options: Mapping[str, Any], codec: Any, wanted_width: float = math.inf,
                      make_anchor: Callable[[], Anchor] = Anchor,
                      network: ntp_client.Network = ntp_client.REAL_NETWORK) -> Measurement:
    """Query all NTP servers and https URLs in parallel, under one deadline.

    options: as in argspec.SKEW_OPTIONS. codec: the ntplib module (ntplib_loader.load()), or None.
    wanted_width: seconds; https services are queried again until their interval is as narrow, if the time allows.
    Raises BadOption before anything is sent. Errors of the network become the reasons of the sources.
    """
    plan = plan_for(options)
    anchor = make_anchor()
    end = anchor.monotonic() + plan.timeout
    denied: Set[Address] = set()
    for run in range(1, _MOST_RUNS + 1):
        sources, shift = _run(plan, codec, wanted_width, anchor, end, denied, run < _MOST_RUNS, network)
        if not shift:
            break
        if run == _MOST_RUNS or end - anchor.monotonic() < _SHORTEST_RUN:
            for source in sources:
                source['_clock_moved'] = shift
            break
        anchor = make_anchor()
    now = anchor.now()
    for source in sources:
        source['_host_time'] = now
    return Measurement(sources, anchor)


class _Part(NamedTuple):
    """A part of the measurement that runs in its own thread."""

    run: Callable[[], List[Source]]
    abort: Callable[[], None]
    absent: List[Source]  # the result if the thread does not end in time


def _run(plan: MeasurementPlan, codec: Any, wanted_width: float, anchor: Anchor, end: float, denied: Set[Address],
         may_run_again: bool, network: ntp_client.Network) -> Tuple[List[Source], float]:
    """Measure once; return (sources, seconds by which the host's clock was set during the measurement)."""
    # The parts end a little before the deadline, and this function waits a little longer: their reasons say more than "no answer",
    # and a thread may be late on a busy host.
    margin = min(_MARGIN, plan.timeout / 20)
    sources: List[Source] = [make_source(text, 'ntp', reason=reason) for text, reason in plan.unusable]
    results: 'queue.Queue[Tuple[int, List[Source]]]' = queue.Queue()
    waiting = dict(enumerate(_servers(plan, codec, anchor, end - margin, denied, network)
                             + _services(plan, wanted_width, anchor, end - margin)))
    for number, part in waiting.items():
        _start(number, part, results)
    shift = 0.0
    while waiting and anchor.monotonic() < end + margin:
        with contextlib.suppress(queue.Empty):
            number, come = results.get(timeout=max(0.0, min(_TICK, end + margin - anchor.monotonic())))
            sources += come
            del waiting[number]
        shift = shift or anchor.stepped_by()
        if shift and may_run_again and end - anchor.monotonic() >= _SHORTEST_RUN:
            break
    shift = shift or anchor.stepped_by()
    for part in waiting.values():
        part.abort()
        sources += part.absent
    texts = [t for t, _e in plan.servers] + [t for t, _r in plan.unusable] + [t.url for t in plan.targets]
    order = {text: i for i, text in enumerate(texts)}
    return sorted(sources, key=lambda source: order[source['source']]), shift


def _servers(plan: MeasurementPlan, codec: Any, anchor: Anchor, deadline: float, denied: Set[Address],
             network: ntp_client.Network) -> List[_Part]:
    """Return one part for all NTP servers, because they share a loop."""
    def absent(reason: str, silent: bool) -> List[Source]:
        return [make_source(text, 'ntp', reason=reason, _silent=silent) for text, _endpoint in plan.servers]
    if not plan.servers:
        return []
    if codec is None:
        told = absent('ntplib is missing on the controller and on this host', False)
        return [_Part(lambda: told, lambda: None, told)]
    cancelled = threading.Event()
    query = ntp_client.Query(plan.servers, codec, anchor, deadline, plan.max_skew, denied, cancelled.is_set, network)
    return [_Part(query.run, cancelled.set, absent(_NO_ANSWER, True))]


def _services(plan: MeasurementPlan, wanted_width: float, anchor: Anchor, deadline: float) -> List[_Part]:
    """Return a part for each https service. A service with two URLs is queried once."""
    parts: Dict[Endpoint, _Part] = {}
    twins: List[Source] = []
    for target in plan.targets:
        if target.endpoint in parts:
            first = parts[target.endpoint].absent[0]['source']
            twins.append(make_source(target.url, 'https', reason=f'the same service as {first}: asked once'))
            continue
        question = https_date.Question(target, plan.trust, plan.proxy, anchor, deadline, plan.max_skew, wanted_width)
        parts[target.endpoint] = _Part(question.run, question.abort,
                                       [make_source(target.url, 'https', reason=_NO_ANSWER, _silent=True)])
    return list(parts.values()) + ([_Part(lambda: twins, lambda: None, twins)] if twins else [])


def _start(number: int, part: _Part, results: 'queue.Queue[Tuple[int, List[Source]]]') -> None:
    def work() -> None:
        try:
            results.put((number, part.run()))
        except Exception as error:  # pylint: disable=broad-except  # an exception in a thread would otherwise be lost
            results.put((number, [dict(source, reason=f'it could not be asked ({type(error).__name__}: {error})')
                                  for source in part.absent]))
    try:
        threading.Thread(target=work, daemon=True).start()
    except RuntimeError:  # no more threads: run the parts one after another, within the same deadline
        work()
