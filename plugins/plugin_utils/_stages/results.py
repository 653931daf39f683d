# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the results of measurements and repairs that the hosts have registered, from their variables.

They are not arguments of the tasks: for templates, Ansible would resolve every variable of every host, and up to ansible-core 2.18
it would convert the values to text and back.
"""

from __future__ import annotations

import typing as t

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.printable import all_printable
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _options as options
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _rehearsal as rehearsal
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _result as host_result
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.context import (
    NotPassed,
    Options,
    Result,
    StageContext,
    plain,
)

REHEARSAL = '__fix_bp_jwt_rehearsal'


def registered(context: StageContext, hosts: t.Iterable[str]) -> dict[str, Result]:
    """Return what each host's measurement, repair or rehearsal registered; {} for a host without a result."""
    found = {name: context.variables['hostvars'].raw_get(name) for name in hosts}
    return {name: all_printable(_last(plain(said.get(options.RESULT) or {}), plain(said.get(REHEARSAL) or {})))
            for name, said in found.items()}


def _last(result: Result, rehearsed: Result) -> Result:
    """Return the result with its rehearsal, if there is one. A rehearsal of an earlier measurement in this run does not count."""
    if 'state_before' not in result:
        return result
    if rehearsed.get('failed') or rehearsed.get('unreachable'):
        said = str(rehearsed.get('msg') or 'the rehearsal failed')
        return rehearsal.conclude(result, [rehearsal.check('rehearsal', said, 'correct what the message says, then run again')])
    return rehearsed if 'rehearsal' in rehearsed and rehearsed.get('began') == result.get('began') else result


def run_options(context: StageContext) -> tuple[Options, str]:
    """Return the options of the whole run, and '' or why they are the defaults.

    They are those of the first host that was measured, as its measurement has checked them: the variables of the connection, which
    they may contain, have other values in the tasks of the whole run. If no host was measured, they are those of this host.
    """
    for name in context.variables['ansible_play_hosts_all']:
        result = registered(context, [name])[name]
        if 'run_options' in result:
            return {**options.DEFAULTS_OF_THE_RUN, **result['run_options']}, ''
    try:
        return context.run_options(), ''
    except NotPassed as problem:
        return dict(options.DEFAULTS_OF_THE_RUN), problem.message.rstrip('.')


def run_mode(context: StageContext, chosen: Options, results: t.Iterable[Result]) -> str:
    """Return fix or check if at least one host has this mode, or the mode of `chosen`. After a repair, a result has no mode."""
    if any('state_before' in result and result.get('mode', 'fix') in ('fix', 'check') for result in results):
        chosen = {**chosen, 'fix_bp_jwt_mode': 'fix'}
    return context.mode(chosen)


def measured(context: StageContext) -> Result:
    """Return the last result of the measurement or repair that this host registered."""
    return plain(context.variables[options.RESULT])


def last_word(name: str, result: Result, begun: bool, stopped: str) -> Result:
    """Return the final result of a host. begun: whether its repair began. stopped: why no further repair began, or ''."""
    if 'state_before' not in result:
        return host_result.without_result(name, result)
    return host_result.conclude(result, stopped, lost=begun and not result['concluded'])
