# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for AEM and Brand Portal: the only place in this repository where anything is pretended.

They know nothing about the repair. Each runs on a clock of its own (this machine's plus an offset), so that a wrong
clock can be played without touching one.
"""
