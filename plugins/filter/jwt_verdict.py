# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters for the decision and the report, which plugin_utils/_verdict.py and plugin_utils/_report implement."""

from __future__ import annotations

import typing as t

from ansible import context
from ansible.errors import AnsibleFilterError

from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _options as options
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _result as host_result
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _verdict as verdict
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import document as report_document
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import table as report_table


def jwt_verdict(health: t.Any, **options: t.Any) -> dict[str, t.Any]:
    """See jwt_verdict.yml."""
    if not isinstance(health, t.Mapping) or 'skew' not in health:
        raise AnsibleFilterError(
            'aemops.brand_portal.jwt_verdict expects the result of aemops.brand_portal.brand_portal_health_info '
            f'(a dictionary with skew and tests), not {type(health).__name__}'
        )
    return verdict.decide(health, **options)


def brand_portal_table(hostvars: t.Any, hosts: t.Iterable[str]) -> list[str]:
    """See brand_portal_table.yml."""
    found = {host: hostvars[host].get('fix_bp_jwt_result') or {} for host in hosts}
    results = [result if 'state_before' in result else host_result.without_result(host, result) for host, result in found.items()]
    return report_table.table(report_document.document(results, results))


def brand_portal_runs(_value: t.Any) -> bool:
    """See brand_portal_runs.yml."""
    return not any(context.CLIARGS.get(name) for name in ('syntax', 'listhosts', 'listtasks', 'listtags'))


def brand_portal_hosts(value: t.Any) -> str | list[str]:
    """See brand_portal_hosts.yml."""
    try:
        return options.hosts_pattern(value)
    except options.Unfit as problem:
        raise AnsibleFilterError(str(problem)) from None


class FilterModule:
    """Entry point for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            'jwt_verdict': jwt_verdict,
            'brand_portal_result': host_result.sum_up,
            'brand_portal_table': brand_portal_table,
            'brand_portal_hosts': brand_portal_hosts,
            'brand_portal_runs': brand_portal_runs,
        }
