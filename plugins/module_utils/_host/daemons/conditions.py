# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks the conditions of a unit, for which systemd skips its start (systemd.unit(5)), and whether it may set the clock."""

import os
from typing import Any, List, Optional, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import config
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.unit_files import Setting, unit_settings


def _conditions(host: Any, unit: str) -> List[Setting]:
    """Return the effective conditions: an empty one resets all previous ones of every kind (systemd.unit(5))."""
    found: List[Setting] = []
    for setting in unit_settings(host, unit):
        if setting.section == 'Unit' and setting.key.startswith('Condition'):
            found = found + [setting] if setting.value else []
    return found


def untold_condition(host: Any, unit: str) -> str:
    """Return the first condition that no file shows (virtualization, kernel command line …), with its place; '' for none."""
    for setting in _conditions(host, unit):
        if _met(host, setting.key, setting.value.lstrip('|!')) is None:
            return '{0}={1} ({2})'.format(setting.key, setting.value, setting.place)
    return ''


def unmet_condition(host: Any, unit: str) -> str:
    """Return the condition for which systemd skips the start of a unit, with its place; '' if there is none.

    systemctl start ends with 0 in this case. Conditions that files do not show (virtualization, capabilities) count as met.
    """
    alternatives: List[Tuple[bool, Setting]] = []
    for setting in _conditions(host, unit):
        value = setting.value
        trigger = value.startswith('|')
        value = value[1:].lstrip() if trigger else value
        negated = value.startswith('!')
        value = value[1:].lstrip() if negated else value
        met = _met(host, setting.key, value)
        good = True if met is None else met != negated
        if trigger:
            alternatives.append((good, setting))
        elif not good:
            return '{0}={1} ({2})'.format(setting.key, setting.value, setting.place)
    if alternatives and not any(good for good, _setting in alternatives):
        setting = alternatives[0][1]
        return '{0}={1} ({2})'.format(setting.key, setting.value, setting.place)
    return ''


_YES = ('1', 'yes', 'y', 'true', 't', 'on')


def without_control(host: Any, unit: str) -> str:
    """Return the setting by which a unit may not set the clock, with its place; '' if it may (systemd.exec(5))."""
    protects, bounds = '', ''
    may, first = True, True     # the first list counts as it is, later ones are merged with it
    for setting in unit_settings(host, unit):
        shown = '{0}={1} ({2})'.format(setting.key, setting.value, setting.place)
        if (setting.section, setting.key) == ('Service', 'ProtectClock'):
            protects = shown if setting.value.lower() in _YES else ''
        elif (setting.section, setting.key) == ('Service', 'CapabilityBoundingSet'):
            inverted = setting.value.startswith('~')
            names = setting.value.lstrip('~').upper().split()
            listed = ('CAP_SYS_TIME' in names) != inverted
            may = listed if first or not names else may and listed if inverted else may or listed
            first = not names
            bounds = '' if may else bounds or shown
    return protects or bounds


def _met(host: Any, key: str, path: str) -> Optional[bool]:
    real = host.path(path)
    if key == 'ConditionPathExists':
        return os.path.exists(real)
    if key == 'ConditionPathExistsGlob':
        return bool(config.matching(host, path))
    if key == 'ConditionPathIsDirectory':
        return os.path.isdir(real)
    if key == 'ConditionPathIsSymbolicLink':
        return os.path.islink(real)
    if key == 'ConditionDirectoryNotEmpty':
        return os.path.isdir(real) and bool(os.listdir(real))
    if key == 'ConditionFileNotEmpty':
        return os.path.isfile(real) and os.path.getsize(real) > 0
    if key == 'ConditionFileIsExecutable':
        return os.path.isfile(real) and os.access(real, os.X_OK)
    return None
