# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds likely causes of an offset: local time instead of UTC, drift, a hypervisor. Pure.

A hint explains; it never decides. Offsets are reference − host, in seconds: a clock that is ahead has a negative one.
"""

from __future__ import annotations

import typing as t

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.formatting import duration
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._times import in_two_figures, unix_seconds

HOUR, QUARTER = 3600.0, 900.0

# Maximum distance from a zone's offset, in seconds: larger for this host's own zone, which is a likelier cause than any other.
OWN_ZONE_WITHIN, ANY_ZONE_WITHIN = 60.0, 5.0
FARTHEST_ZONE = 14 * HOUR

# Above this rate, the cause is not an oscillator, but something that sets or stops the clock. Parts per million.
NO_OSCILLATOR = 500.0
# A repair soon after another one says nothing about drift. Seconds.
TOO_SOON = 600.0


class Hint(t.NamedTuple):
    """A finding with {placeholders} for figures, and the advice for it ('' if there is none)."""

    fact: str
    advice: str


# By the mode of the hardware clock, and the direction in which the clock is off by the host's own zone.
ZONE_HINTS: dict[tuple[str, str], Hint] = {
    ('utc', 'local_as_utc'): Hint(
        "it was off by the UTC offset of this host's zone ({zone}): local time was taken for UTC",
        'check that the hypervisor provides its hardware clock in UTC (libvirt: <clock offset="utc"/>), or find out who entered '
        'local time; the repair writes the hardware clock in UTC'),
    ('utc', 'utc_as_local'): Hint(
        "it was off by the UTC offset of this host's zone ({zone}): UTC was taken for local time",
        'find out who set the clock by hand (date --set takes local time); the repair writes the hardware clock in UTC'),
    ('local', 'local_as_utc'): Hint(
        "it was off by the UTC offset of this host's zone ({zone}), and /etc/adjtime says LOCAL: local time was taken for "
        'UTC',
        'keep the hardware clock in UTC: timedatectl set-local-rtc 0'),
    ('local', 'utc_as_local'): Hint(
        "it was off by the UTC offset of this host's zone ({zone}), and /etc/adjtime says LOCAL: the hardware clock holds "
        'UTC and is read as local time at each boot',
        'keep the hardware clock in UTC: timedatectl set-local-rtc 0'),
}
SUMMER_TIME = Hint('it was off by the hour between summer and winter time of this host',
                   'find out who sets the clock by hand when summer time begins or ends, which does not change UTC')
OTHER_ZONE = Hint('it was off by exactly {zone}, like the difference of two time zones: the time of another zone may have been '
                  'entered', '')
RAN_AWAY = Hint('since the last repair ({at}) it drifted by {by} in {within}: {ppm} ppm',
                'find out why no time daemon corrected it: none runs, or it does not reach its servers on UDP 123')
RAN_AWAY_FAST = Hint('since the last repair ({at}) it drifted by {by} in {within}: {ppm} ppm, more than an oscillator can',
                     "check the hypervisor's time (a suspended or migrated machine, tools that set time) and what else sets this "
                     'clock')
# If AEM starts on a document store before the clock is right, the step of the daemon ends it.
HURT_AT_BOOT = Hint('this host has no hardware clock, so each boot begins with a wrong clock, and its correction ends an AEM on a '
                    'document store',
                    'have each boot wait for a right clock before it starts AEM: time_sync_wait_at_boot=true and '
                    'fix_bp_jwt_aem_after_time_sync=true')
PUSHED = Hint('{pushers} may set this clock too', '')


def hints(offset: float, reference_time: str | None, host: t.Mapping[str, t.Any],
          waits_at_boot: bool = False) -> list[Hint]:
    """Return the hints for a clock that is off by `offset`, the strongest first.

    reference_time: the correct time (ISO 8601, UTC). host: the result of time_service_info; keys may be missing. waits_at_boot:
    whether each boot starts AEM only after the clock is right.
    """
    found = [zone_hint(offset, host.get('zone_offsets') or [], bool(host.get('rtc_local'))),
             drift_hint(offset, reference_time, host.get('last_repair') or {})]
    if host.get('rtc') == '' and (host.get('aem') or {}).get('store') == 'document' and not waits_at_boot:
        found.append(HURT_AT_BOOT)
    pushers = host.get('hypervisor_time_sources') or []
    if pushers:
        found.append(_filled(PUSHED, pushers=' and '.join(pushers)))
    return [hint for hint in found if hint]


def zone_hint(offset: float, zones: t.Sequence[int], rtc_local: bool) -> Hint | None:
    """Return a hint if the skew is that of a zone: this host's own, its summer time, or any other."""
    for zone in zones:
        if zone and abs(abs(offset) - abs(zone)) <= OWN_ZONE_WITHIN:
            # Local time is `zone` seconds ahead of UTC, and so is a clock that has local time as UTC.
            side = 'local_as_utc' if (offset > 0) != (zone > 0) else 'utc_as_local'
            return _filled(ZONE_HINTS['local' if rtc_local else 'utc', side], zone=in_hours(zone))
    if len(zones) > 1 and abs(abs(offset) - abs(zones[0] - zones[1])) <= OWN_ZONE_WITHIN:
        return SUMMER_TIME
    quarters = round(offset / QUARTER)
    if quarters and abs(offset) <= FARTHEST_ZONE and abs(offset - quarters * QUARTER) <= ANY_ZONE_WITHIN:
        return _filled(OTHER_ZONE, zone=duration(quarters * QUARTER))
    return None


def drift_hint(offset: float, reference_time: str | None, last_repair: t.Mapping[str, t.Any]) -> Hint | None:
    """Return a hint if the clock has drifted since its last repair."""
    then, now = unix_seconds(last_repair.get('at')), unix_seconds(reference_time)
    if then is None or now is None or now - then < TOO_SOON:
        return None
    rate = abs(offset) / (now - then) * 1e6
    return _filled(RAN_AWAY if rate <= NO_OSCILLATOR else RAN_AWAY_FAST, at=str(last_repair['at'])[:10], by=in_two_figures(offset),
                   within=in_two_figures(now - then), ppm=f'{rate:.3g}' if rate < 1000 else f'{rate:.0f}')


def in_hours(zone: float) -> str:
    """Return the offset of a zone as text: +1 h, -3:30 h."""
    hours, minutes = divmod(round(abs(zone) / 60), 60)
    return f'{"-" if zone < 0 else "+"}{hours}{f":{minutes:02}" if minutes else ""} h'


def _filled(hint: Hint, **figures: str) -> Hint:
    return Hint(hint.fact.format(**figures), hint.advice)
