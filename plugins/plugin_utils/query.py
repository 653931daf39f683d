# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What fix_bp_jwt_report_query chooses of the hosts' results. Pure."""

from __future__ import annotations

import typing as t

try:
    import jmespath
except ImportError:
    jmespath = None

EXAMPLE = '[?!passed].{host: host, state: state_after, next_step: next_step}'


class Problem(ValueError):
    """The expression cannot be used; the text says why and what to do."""


def understand(expression: str) -> None:
    """Refuse an expression that is not JMESPath; an empty one is none."""
    if not expression:
        return
    if jmespath is None:
        raise Problem('The option fix_bp_jwt_report_query needs the Python package jmespath on the controller. Install it beside '
                      'ansible-core: pip install -r requirements.txt. In AWX, use an execution environment that has it')
    try:
        jmespath.compile(expression)
    except jmespath.exceptions.JMESPathError as error:
        raise _complaint(expression, f'is no valid JMESPath: {error}') from error


def shape(hosts: list[dict[str, t.Any]], expression: str) -> list[dict[str, t.Any]]:
    """What the expression gives of the hosts: a list of objects that have their host."""
    if not expression:
        return hosts
    understand(expression)
    try:
        chosen = jmespath.search(expression, hosts)
    except jmespath.exceptions.JMESPathError as error:
        raise _complaint(expression, f'cannot be applied: {error}') from error
    if not isinstance(chosen, list) or not all(isinstance(each, dict) for each in chosen):
        raise _complaint(expression, f'gives no list of objects, but {chosen!r:.200}')
    if not all(isinstance(each.get('host'), str) for each in chosen):
        raise _complaint(expression, 'leaves out the host of an element')
    return chosen


def _complaint(expression: str, what: str) -> Problem:
    return Problem(f'The option fix_bp_jwt_report_query {what}. The expression is: {expression}. Correct it, as in {EXAMPLE}')
