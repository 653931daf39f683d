# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evaluates the JMESPath options fix_bp_jwt_agent_query and fix_bp_jwt_report_query. Pure."""

from __future__ import annotations

import typing as t

try:
    import jmespath
except ImportError:
    jmespath = None

AGENTS, REPORT = 'fix_bp_jwt_agent_query', 'fix_bp_jwt_report_query'
SAMPLES = {
    AGENTS: "[?brand_portal && enabled].name",
    REPORT: '[?!passed].{host: host, state: state_after, next_step: next_step}',
}


class Problem(ValueError):
    """The expression cannot be used; the text says why and what to do."""


def understand(expression: str, option: str = REPORT) -> None:
    """Refuse an expression that is not JMESPath."""
    if jmespath is None:
        raise Problem(f'The option {option} needs the Python package jmespath on the controller (not on the AEM host). Install it '
                      'in the environment of ansible-core: pip install -r requirements.txt. In AWX, use an execution environment '
                      'that has it')
    try:
        jmespath.compile(expression)
    except jmespath.exceptions.JMESPathError as error:
        raise _complaint(option, expression, f'is not valid JMESPath: {error}') from error


def names(agents: list[dict[str, t.Any]], expression: str) -> list[str]:
    """Return the names of the agents that the expression selects, in its order. agents: those of replication_agent_info."""
    chosen = _search(AGENTS, expression, agents)
    if not isinstance(chosen, list) or not all(isinstance(name, str) for name in chosen):
        raise _complaint(AGENTS, expression, f'does not return a list of names, but {chosen!r:.200}')
    if not chosen:
        there = ', '.join(agent['name'] for agent in agents)
        titles = ', '.join(f'"{agent["title"]}"' for agent in agents[:10] if agent.get('title'))
        raise _complaint(AGENTS, expression, f'selects none of the agents that AEM has ({there or "none"})'
                         + (f', whose titles are {titles}' if titles else ''))
    return chosen


def shape(
    hosts: list[dict[str, t.Any]],
    expression: str,
    show: t.Callable[[list[dict[str, t.Any]]], object] = lambda chosen: None,
) -> list[dict[str, t.Any]]:
    """Apply the expression, which must return a list of objects with their host. An empty one returns the hosts unchanged.

    show: shows the objects, and raises any exception if the content of one of their keys is not that of a host.
    """
    if not expression:
        return hosts
    chosen = _search(REPORT, expression, hosts)
    if not isinstance(chosen, list) or not all(isinstance(each, dict) for each in chosen):
        raise _complaint(REPORT, expression, f'does not return a list of objects, but {chosen!r:.200}')
    if not all(isinstance(each.get('host'), str) for each in chosen):
        raise _complaint(REPORT, expression, 'leaves out the host of an element')
    try:
        show(chosen)
    except Exception:  # pylint: disable=broad-except  # the expression may put anything in place of anything
        changed = ', '.join(_changed(hosts, chosen)) or 'a key'
        raise _complaint(REPORT, expression, f'gives other content to {changed}, which the table and the page cannot show. '
                                             'Give it another key') from None
    return chosen


def _changed(hosts: list[dict[str, t.Any]], chosen: list[dict[str, t.Any]]) -> list[str]:
    """Return the keys of hosts that have other content in the chosen objects."""
    known = {host['host']: host for host in hosts}
    return sorted({name for each in chosen for name, value in each.items()
                   if known.get(each['host'], {}).get(name, value) != value})


def _search(option: str, expression: str, data: list[dict[str, t.Any]]) -> t.Any:
    understand(expression, option)
    try:
        return jmespath.search(expression, data)
    except jmespath.exceptions.JMESPathError as error:
        raise _complaint(option, expression, f'cannot be applied: {error}') from error


def _complaint(option: str, expression: str, what: str) -> Problem:
    sample = '' if expression == SAMPLES[option] else f', as in {SAMPLES[option]}'
    return Problem(f'The option {option} {what}. The expression is: {expression}. Correct it{sample}')
