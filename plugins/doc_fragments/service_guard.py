# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


class ModuleDocFragment:
    """Options of modules that set the clock: which services are stopped around the step."""

    DOCUMENTATION = r"""
options:
  stop_services:
    version_added: 0.2.0
    description:
      - systemd services that are stopped while the clock jumps, and started again afterwards, such as AEM on a document
        store, which loses its cluster lease when time jumps by 100 seconds.
      - Nothing is stopped before it is certain that the clock is to be set and may be. A service that does not run is not
        started. What systemd stops along with a service is started again along with it.
      - Before a service is stopped, a guard is set up on the host that starts it again at once when this module's process
        ends in whatever way, and a record is written by which the next run, after a reboot say, finishes what was begun.
      - When one of them cannot be stopped within O(stop_services_timeout), the clock is not set.
    type: list
    elements: str
    default: []
  stop_services_threshold:
    version_added: 0.2.0
    description:
      - Seconds of correction, either way, from which O(stop_services) are stopped.
    type: float
    default: 60.0
  stop_services_timeout:
    version_added: 0.2.0
    description:
      - Seconds that stopping O(stop_services) may take, and each attempt to start them. A minute after that the guard starts
        them also while this module still hangs.
    type: float
    default: 300.0
  stop_program:
    version_added: 0.2.0
    description:
      - A program that no systemd unit runs, stopped and started like O(stop_services).
      - Its commands are run as root by a unit in C(/run/systemd/system), without a shell and with the few environment variables
        that systemd gives.
    type: dict
    version_added: 0.2.0
    suboptions:
      stop:
        description: The command that stops it, and its arguments.
        type: list
        elements: str
        required: true
      start:
        description: The command that starts it. It has to end while the program goes on in the background.
        type: list
        elements: str
        required: true
      pid:
        description: The process that has to be gone before the clock is set. One that is gone already is not started.
        type: int
        required: true
"""
