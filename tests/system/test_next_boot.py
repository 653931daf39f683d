# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host without a hardware clock boots in 2017 with an AEM on a document store: the step ends it, or it starts after the step."""

from __future__ import annotations

import json
import os
import time

import pytest

from . import playbook
from .author_host import AuthorHost
from .conftest import PASSWORD

BOOTS_IN = '2017-02-28T18:39:51Z'
NEAR = 0.5      # seconds
# timesyncd starts a boot at the time that it saved last, which is right after an orderly reboot. This host loses it, as one does
# whose /var is made again at each boot, and so begins at the build date of its systemd.
FORGETS = '[Service]\nExecStopPost=+/bin/rm -f /var/lib/systemd/timesync/clock /var/lib/private/systemd/timesync/clock\n'
LIMIT = 25      # seconds that a boot waits


class Booting(AuthorHost):
    """The machine, its time service and its boots."""

    def keep(self, provider, **options):
        """Have the daemon keep the clock, with the module's own command."""
        arguments = {'servers': [self.lab.network.host], 'provider': provider, 'set_clock': True, 'accept_unverified': True,
                     'stop_services': ['aem'], 'max_skew': 5, 'wait_at_boot_timeout': LIMIT, **options}
        run = playbook.run(self.environment, [
            'ansible', self.machine.name, '-i', str(self.inventory()), '--become', '-m', 'aemops.brand_portal.time_service',
            '-a', json.dumps(arguments)])
        assert run.returncode == 0, run.output[-4000:]
        return run

    def until(self, condition, seconds, what):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f'{what}: not within {seconds} s; {self.state()}'
            time.sleep(0.5)

    def aem(self):
        return self.machine.ssh('systemctl is-active aem', check=False).stdout.strip()

    def state(self):
        return self.machine.ssh(
            'systemctl --no-pager list-jobs; systemctl --no-pager --failed; systemctl status -n 5 --no-pager aem chrony ntpsec '
            'systemd-timesyncd chrony-wait ntpsec-wait systemd-time-wait-sync 2>&1 | tail -60', check=False).stdout

    def started(self):
        """When AEM was started, by the clock of that moment."""
        return self.machine.ssh('systemctl show -p ActiveEnterTimestamp --value aem').stdout

    def right(self):
        return abs(self.machine.clock()) < NEAR


@pytest.mark.skipif(os.environ.get('AEMOPS_AEM_LAYOUTS') != 'all', reason='not run: it takes minutes; make aem-layouts runs it')
@pytest.mark.parametrize('provider, unit', [('chrony', 'chrony'), ('ntpd', 'ntpsec'), ('timesyncd', 'systemd-timesyncd')])
def test_a_boot_in_2017(lab, newest, provider, unit):
    host = Booting(lab, f'boots-{provider}', BOOTS_IN, newest, lease='strict')
    host.machine.write('/etc/systemd/system/systemd-timesyncd.service.d/forgets.conf', FORGETS)
    host.machine.ssh('systemctl daemon-reload')
    host.keep(provider)
    assert host.aem() == 'active' and host.right()
    lab.stop_ntp()      # until AEM runs: which of the two comes first is a race
    try:
        host.machine.reboot()
        host.until(lambda: host.aem() == 'active' and not host.right(), 120, 'AEM starts with a wrong clock')
    finally:
        lab.start_ntp()
    host.until(lambda: host.aem() == 'failed', 180, 'the step of the daemon ends AEM')
    host.keep(provider, wait_at_boot=True, start_after_sync=['aem.service'])
    host.machine.reboot()
    host.until(lambda: host.aem() == 'active', 120, 'AEM starts once the clock is right')
    assert host.right() and '2017' not in host.started(), host.started()
    time.sleep(3)       # the lease is looked at every second
    assert host.aem() == 'active'
    # Without a server in reach it starts all the same, once the limit is over.
    lab.stop_ntp()
    try:
        host.machine.reboot()
        host.until(lambda: host.aem() == 'active', LIMIT + 60, 'AEM starts after the limit')
        assert not host.right()
        uptime = float(host.machine.ssh('cat /proc/uptime').stdout.split()[0])
        assert uptime >= LIMIT - 5
    finally:
        lab.start_ntp()
    assert PASSWORD not in host.state()
