# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the AEM of a unit, also one whose script starts it with su.

pam_systemd then moves it out of the unit, into a session of its own.
"""

import os
import re
from typing import List, Sequence

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.aem_repository import aem_home
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.unit_files import unit_settings, values
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.host import Host
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.processes import Processes

# logind counts the sessions of logins by their audit session, and only those that services open as c1, c2 and so on.
_OF_A_SERVICE = re.compile(r'/session-c\d+\.scope(?:/|\Z)')
_PATH = re.compile(r'/[\w.@+-]+(?:/[\w.@+-]+)*')


def programs_of(root: str, unit: str) -> List[int]:
    """Return the AEMs in sessions of services whose folder a command or script of the unit names."""
    proc, host = Processes(root), Host(root=root)
    apart = [pid for pid in proc.pids() if _OF_A_SERVICE.search(proc.cgroup(pid)) and proc.is_java(pid)]
    named = [host.real_path(path) for path in _named(host, unit)] if apart else []
    found = []
    for pid in apart:
        home = aem_home(proc, pid)
        folder = os.path.dirname(host.real_path(home)) if home else '/'
        if folder != '/' and any((path + '/').startswith(folder + '/') for path in named):
            found.append(pid)
    return found


def still_running(root: str, units: Sequence[str], apart: Sequence[int]) -> List[str]:
    """Describe the Java programs of the units, and those apart, that still run. Others, such as log helpers, are ignored."""
    proc = Processes(root)
    cgroups = {pid: proc.cgroup(pid) for pid in proc.pids()}
    return ['{0} (PID {1})'.format(proc.name(pid), pid) for pid, cgroup in cgroups.items()
            if ((pid in apart and cgroup) or [part for part in cgroup.split('/') if part and not part.endswith('.slice')][:1] in
                [[name] for name in units]) and proc.is_java(pid) and proc.state(pid) != 'Z']


def _named(host: Host, unit: str) -> List[str]:
    """Return the paths in the commands of the unit, in their scripts, and in the settings that a SysV script reads."""
    settings = unit_settings(host, unit)
    texts = [each.value for key in ('ExecStart', 'ExecStop') for each in values(settings, 'Service', key)]
    texts += [each.value for each in values(settings, 'Service', 'WorkingDirectory')]
    name = unit.rpartition('.')[0]
    scripts = ['/etc/init.d/' + name, '/etc/default/' + name, '/etc/sysconfig/' + name] + _PATH.findall(' '.join(texts))
    texts += [text for text in (host.read(path) for path in dict.fromkeys(scripts)) if '\0' not in text]
    return _PATH.findall(' '.join(texts))
