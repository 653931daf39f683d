# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every unit test."""

try:
    from hypothesis import HealthCheck, settings
except ImportError:  # only the tests that need it do not run
    pass
else:
    # How long an example takes says how busy the machine is, and nothing about the code.
    settings.register_profile('any machine', deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile('any machine')
