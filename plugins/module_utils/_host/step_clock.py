# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A step of the clock with all that belongs to it on a host: services stopped around it, the repair remembered."""

from typing import Any, Callable, Dict, Mapping

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import ntplib_loader
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.step import SystemCalls, step
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.clock_hints import remember_repair, rtc_misread
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.service_guard import ServiceGuard


def step_on_host(options: Mapping[str, Any], ntplib: Any, check_mode: bool, warn: Callable[[str], None]) -> Dict[str, Any]:
    """The result of `step`. options: STEP_OPTIONS; ntplib: what the controller sent of it. Raises ClockError, StepRefused."""
    units = ServiceGuard(options['stop_services'], options['stop_services_threshold'], options['stop_services_timeout'])
    done = step(options, ntplib_loader.load(ntplib), check_mode, SystemCalls(rtc_misread=rtc_misread), units)
    if done['after']['verdict'] == 'in_sync' and done['before']['verdict'] != 'in_sync' and not check_mode:
        problem = remember_repair(done['before']['offset'], done['after']['reference_time'])
        if problem:
            warn(problem)
    return done
