# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services that systemd stops or restarts together with a time daemon, because they require it (systemd.unit(5))."""

from typing import Any, Sequence

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.wanted import ANOTHER_STEERS, NOT_READ, Refused
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import listed
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.systemd import dependents
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.boot import WAITING

# Settings of a service by which systemd stops it together with another unit.
BONDS = 'Requires=, Requisite=, BindsTo=, PartOf= and StopPropagatedFrom='


def companions(host: Any, unit: str) -> str:
    """Return the running services that require the unit, except for those that only wait, as a list in words; '' for none.

    Raises NoAnswer.
    """
    return listed([each for each in dependents(host, unit) if each not in WAITING])


def refuse_stopping(host: Any, units: Sequence[str]) -> None:
    """Raise Refused if other services would be stopped together with one of these daemons: nothing would start them again."""
    for unit in units:
        stopped = companions(host, unit)
        if stopped:
            raise Refused(
                f'{stopped} would be stopped together with {unit}, and not be started again.',
                f'Take {unit} out of {BONDS} of {stopped}, or keep {unit} (option provider), then run again.', ANOTHER_STEERS)


def refuse_restarting(host: Any, unit: str) -> None:
    """Raise Refused if other services would be restarted together with this daemon."""
    restarted = companions(host, unit)
    if restarted:
        raise Refused(
            f'{unit} would have to be restarted to read its configuration, and {restarted} would be restarted together with it.',
            f'Take {unit} out of {BONDS} of {restarted} (Wants= and After= start them in the same order), then run again.',
            NOT_READ)
