# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Concludes the offset of this host's clock from the sources' answers, and accepts or rejects each source. Pure."""

import math
from typing import Any, Dict, List, Optional, Sequence

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.marzullo import Agreement, Interval, intersect
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.source import (
    NOT_COUNTED,
    Source,
    interval_of,
    make_source,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.formatting import count, duration, limit, span
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.http_date import iso_utc

# Number of NTP servers whose agreement counts as verified: among three, one may be a falseticker.
_ENOUGH_SERVERS = 3


def agent_source(url_or_tenant: str, low: float, high: float) -> Source:
    """Return a source for the two dates of agent tests. low, high: remote - AEM in seconds, positive if AEM is behind."""
    return make_source(url_or_tenant, 'agent', offset=low + (high - low) / 2, low=low, high=high, samples=1)


def conclude(sources: Sequence[Source], max_skew: float) -> Dict[str, Any]:
    """Return the skew: verdict, offset, bounds, and for each source whether it was accepted, or why not. Pure.

    sources: those of measure() and agent_source(), in any order. They are not changed.
    """
    sources = [dict(source) for source in sources]
    voters = [source for source in sources if source['kind'] != 'agent' and interval_of(source)]
    agents = [source for source in sources if source['kind'] == 'agent' and interval_of(source)]
    moved = next((source['_clock_moved'] for source in sources if source.get('_clock_moved')), 0.0)
    if moved:
        return _skew(sources, max_skew, 'undecided', None, None, (
            f"This host's clock was set by {duration(moved)} while it was being measured, and there was no time left "
            'to measure again. Find out what sets it (two time daemons, the hypervisor), or raise the option timeout.'),
            reason="this host's clock was set while it was being measured")
    if not voters:
        return _from_agents(sources, agents, max_skew)

    agreement = intersect([_bounds(source) for source in voters], _silent_names(sources))
    outvoted = agreement is not None and any(source['tls_verified'] and index not in agreement.members
                                             for index, source in enumerate(voters))
    everything = Interval(min(source['low'] for source in voters), max(source['high'] for source in voters))
    if (outvoted or agreement is None) and _same_verdict(everything, max_skew, outvoted):
        agreement, outvoted = Agreement(everything, everything.middle, tuple(range(len(voters)))), False
    if agreement is None:
        return _skew(sources, max_skew, 'sources_disagree', None, None, _disagreement(voters),
                     reason='no majority of the sources agrees with it')
    for index, source in enumerate(voters):
        source['accepted'] = index in agreement.members
        if not source['accepted']:
            apart = _distance(_bounds(source), [_bounds(voters[i]) for i in agreement.members])
            source['reason'] = f'it differs by {duration(apart)} from the majority of the sources'
    if outvoted:
        for source in voters:
            source['accepted'] = False
        return _skew(sources, max_skew, 'sources_disagree', None, None, _disagreement(voters),
                     reason='the sources contradict each other')
    for source in agents:
        source['accepted'] = _bounds(source).overlaps(agreement.bounds)
        if not source['accepted']:
            apart = _bounds(source).distance(agreement.bounds)
            source['reason'] = ("AEM does not run on this host's clock: its own clock differs from this host's by "
                                f'{duration(apart)} or more')
    return _judge(sources, max_skew, agreement.bounds, agreement.estimate)


def _from_agents(sources: List[Source], agents: List[Source], max_skew: float) -> Dict[str, Any]:
    """Use the agents' dates, if there are any, because no other reference answered."""
    agreement = intersect([_bounds(source) for source in agents])
    if agreement is None:
        if agents:
            return _skew(sources, max_skew, 'sources_disagree', None, None, (
                "The replication agents' own dates contradict each other, and no other source could be used. "
                'Let this host reach an NTP server or an https service (options ntp_servers and https_urls).'),
                reason='no majority of the agents agrees with it')
        return _skew(sources, max_skew, 'unreachable', None, None, _unreachable(sources))
    for index, source in enumerate(agents):
        source['accepted'] = index in agreement.members
        if not source['accepted']:
            source['reason'] = 'the majority of the agents says otherwise'
    return _judge(sources, max_skew, agreement.bounds, agreement.estimate)


def _judge(sources: List[Source], max_skew: float, bounds: Interval, estimate: float) -> Dict[str, Any]:
    """Compare the whole interval, never the estimate, with the threshold."""
    if -max_skew <= bounds.low and bounds.high <= max_skew:
        verdict = 'in_sync'
    elif bounds.is_conclusive(max_skew):
        verdict = 'skewed'
    else:
        verdict = 'undecided'
    skew = _skew(sources, max_skew, verdict, bounds, estimate, '')
    skew['message'] = _message(skew)
    skew['advice'] = _advice(skew)
    return skew


def _skew(sources: List[Source], max_skew: float, verdict: str, bounds: Optional[Interval],
          estimate: Optional[float], message: str, reason: str = '') -> Dict[str, Any]:
    """Build the public result. reason: for sources that are not accepted and do not have a reason yet."""
    host_time = max((source['_host_time'] for source in sources if '_host_time' in source), default=None)
    for source in sources:
        if not source['accepted'] and not source['reason']:
            source['reason'] = reason
    accepted = [source for source in sources if source['accepted']]
    secured = [source for source in accepted if source['tls_verified']]
    servers = [source for source in accepted if source['kind'] == 'ntp']
    direction = 'unknown'
    if verdict == 'in_sync':
        direction = 'none'
    elif bounds is not None and (bounds.low > 0 or bounds.high < 0):
        direction = 'behind' if bounds.low > 0 else 'ahead'
    return {
        'verdict': verdict,
        'direction': direction,
        'offset': _rounded(estimate),
        'low': None if bounds is None else math.floor(bounds.low * 1e6) / 1e6,
        'high': None if bounds is None else math.ceil(bounds.high * 1e6) / 1e6,
        'max_skew': max_skew,
        'verified': bool(secured) or len(servers) >= _ENOUGH_SERVERS,
        'tls_dates_checked': all(source['tls_dates_checked'] for source in secured),
        'host_time': iso_utc(host_time),
        'reference_time': None if host_time is None or estimate is None else iso_utc(host_time + estimate),
        'message': message,
        'advice': '',
        'sources': [_public(source) for source in sources],
    }


def _public(source: Source) -> Source:
    rounded = ('offset', 'low', 'high', 'delay', 'root_distance')
    return {key: _rounded(value) if key in rounded else value
            for key, value in source.items() if not key.startswith('_')}


def _rounded(value: Optional[float]) -> Optional[float]:
    return None if value is None else round(value, 6)


def _bounds(source: Source) -> Interval:
    return Interval(source['low'], source['high'])


def _silent_names(sources: Sequence[Source]) -> int:
    """Return the number of queried names that did not answer on any of their addresses."""
    heard = {source['source'] for source in sources if interval_of(source)}
    return len({source['source'] for source in sources if source.get('_silent')} - heard)


def _same_verdict(everything: Interval, max_skew: float, majority: bool) -> bool:
    """Return whether it does not matter for the verdict which of the sources are right. everything: all of their intervals.

    The clock of a web server is often a second or two off. If this counted as a contradiction, right clocks would fail. A clock is
    wrong only by a majority, and if the sources differ by less than a repaired clock may be off.
    """
    if -max_skew <= everything.low and everything.high <= max_skew:
        return True
    return majority and everything.is_conclusive(max_skew) and everything.width <= 2 * max_skew


def _distance(interval: Interval, others: Sequence[Interval]) -> float:
    """Return the distance in seconds between the middle of an interval and the median of the others' middles."""
    middles = sorted(other.middle for other in others)
    return abs(interval.middle - middles[len(middles) // 2])


def _disagreement(voters: Sequence[Source]) -> str:
    services = [source for source in voters if source['tls_verified']]
    servers = [source for source in voters if source['kind'] == 'ntp']
    # If the services contradict each other too, nothing shows that the servers are wrong.
    agreed = intersect([_bounds(service) for service in services])
    if services and servers and agreed and len(agreed.members) == len(services):
        apart = max((_distance(_bounds(service), [_bounds(server) for server in servers]) for service in services))
        if apart > 1:
            return (f"Your NTP servers and the service's own clock differ by {duration(apart)}: correct the NTP "
                    'servers (option ntp_servers) first. Nothing is decided while they contradict each other.')
    said = ', '.join(f"{source['source']} {source['offset']:+.3f} s" for source in voters[:8])
    return (f'The sources contradict each other and none has a majority ({said}). '
            'Query at least three, and remove the wrong ones (options ntp_servers and https_urls).')


def _unreachable(sources: Sequence[Source]) -> str:
    if not sources:
        return 'No source was queried. Set the option ntp_servers or https_urls.'
    said = '; '.join(sorted({f"{source['source']}: {source['reason']}" for source in sources})[:6])
    return (f'No source could be used: {said}. Set reachable ones in the options ntp_servers or https_urls, '
            'or let this host reach them (UDP port 123, TCP port 443, or a proxy: option https_proxy).')


def _message(skew: Dict[str, Any]) -> str:
    accepted = [source for source in skew['sources'] if source['accepted']]
    dissenting = [source for source in skew['sources']
                  if not source['accepted'] and source['low'] is not None and not source['reason'].startswith(NOT_COUNTED)]
    where = span(skew['low'], skew['high'])
    threshold = f"max_skew of {limit(skew['max_skew'])}"
    by = count(len(accepted), 'source') + (' agrees' if len(accepted) == 1 else ' agree')
    if dissenting:
        by += f', {len(dissenting)} rejected'
    if skew['verdict'] == 'in_sync':
        return f"This host's clock is right: {where}, within the {threshold}; {by}."
    if skew['verdict'] == 'skewed':
        radius = duration((skew['high'] - skew['low']) / 2)
        return (f"This host's clock is {duration(skew['offset'])} {skew['direction']}, give or take {radius}, which is "
                f'more than the {threshold}; {by}.')
    return f"This host's clock is {where}. This range contains the {threshold}, so nothing can be decided; {by}."


def _advice(skew: Dict[str, Any]) -> str:
    """Return the next step for a verdict that has bounds; '' if there is none."""
    if skew['verdict'] == 'undecided':
        return 'Raise the option timeout, change max_skew, or use nearer or more sources.'
    if not skew['verified']:
        return ('The result is not verified: query an HTTPS service (option https_urls) or at least three NTP servers '
                '(option ntp_servers).')
    return 'Correct it: run the role time_sync or the module clock_step.' if skew['verdict'] == 'skewed' else ''
