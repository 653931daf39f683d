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
      - systemd services to stop while the clock is stepped, and to start again afterwards, such as AEM on a document
        store, which loses its cluster lease when the clock jumps by 100 seconds.
      - The module stops a service only after it has decided to set the clock and knows that it may. It does not start a
        service that was not running. It also starts the units again that systemd stops together with a service.
      - The module waits for a service that another process is stopping, and does not start it. The clock is not set if the
        service does not end within O(stop_services_timeout).
      - Before the module stops a service, it starts a guard on the host, which starts the service again when the process
        of the module ends for any reason. It also writes a record, from which the next run, for example after a reboot,
        finishes the interrupted one.
      - If a service cannot be stopped within O(stop_services_timeout), the clock is not set.
    type: list
    elements: str
    default: []
  stop_services_threshold:
    version_added: 0.2.0
    description:
      - Smallest step of the clock in seconds, in either direction, for which O(stop_services) are stopped.
    type: float
    default: 60.0
  stop_services_timeout:
    version_added: 0.2.0
    description:
      - Maximum number of seconds to stop O(stop_services), and for each attempt to start them. A minute later the guard
        starts them even if the module still hangs.
    type: float
    default: 300.0
"""

    PROGRAM = r"""
options:
  stop_program:
    version_added: 0.2.0
    description:
      - A program without a systemd unit, to stop and start like O(stop_services).
      - To stop it, a unit is created in C(/run/systemd/system) that runs the commands as root, without a shell, and with the few
        environment variables that systemd sets.
    type: dict
    suboptions:
      stop:
        description: Command that stops the program, and its arguments.
        type: list
        elements: str
        required: true
      start:
        description: Command that starts the program, and its arguments. It must return while the program continues to run.
        type: list
        elements: str
        required: true
      pid:
        description: PID of the process that must end before the clock is set. If it has ended already, nothing is started.
        type: int
        required: true
"""
