# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stage `skip_host`: returns the result of a host whose repair does not begin, with the reason."""

from __future__ import annotations

from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _result as host_result
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.context import Result, StageContext
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.results import measured


def skip_host(context: StageContext) -> Result:
    return host_result.conclude(measured(context), context.arguments['stopped'])
