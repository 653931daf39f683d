# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A double of the variable hostvars."""

from __future__ import annotations


class HostVars(dict):
    """{host: {variable: value}}"""

    raw_get = dict.__getitem__
