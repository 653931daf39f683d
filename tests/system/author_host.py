# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab machine with AEM on it, and the playbook that is run on it."""

from __future__ import annotations

from lab.fingerprint import changes

from . import playbook
from .conftest import PASSWORD


class AuthorHost:
    """A machine, and how the playbook is run on it."""

    def __init__(self, lab, name, clock, environment, **aem):
        self.lab = lab
        self.environment = environment
        self.machine = lab.machine(name, clock=clock).wait_ready()
        self.machine.deploy_aem(password=PASSWORD, **aem)

    def inventory(self, user='deploy', **variables):
        """Of this machine alone, with its NTP server unless `variables` say otherwise."""
        common = {'fix_bp_jwt_ntp_servers': [self.lab.network.host], **variables}
        return self.lab.inventory(user=user, common=common)

    def play(self, *options, user='deploy', password=PASSWORD, cwd=playbook.ROOT, **variables):
        inventory = self.inventory(user, **variables)
        run = playbook.play(self.environment, inventory, '--limit', self.machine.name, *options, cwd=cwd,
                            AEM_USER='admin', AEM_PASSWORD=password)
        for secret in {PASSWORD, password} - {''}:
            assert secret not in run.output, 'the password is to be seen'
        return run

    def test_page(self, agent):
        """The test page of an agent as a browser gets it."""
        return self.read_aem(f'/mp_replication_agent{agent}_default_{self.lab.tenant}.test.html')

    def read_aem(self, path):
        """What AEM answers below its agents' folder, as a browser gets it."""
        program = ('import base64, sys, urllib.request as u; '
                   'q = u.Request(sys.argv[1]); '
                   'q.add_header("Authorization", "Basic " + base64.b64encode(sys.stdin.buffer.read()).decode()); '
                   'print(u.urlopen(q).read().decode())')
        url = f'http://localhost:4502/etc/replication/agents.author{path}'
        return self.machine.ssh(f"python3 -c '{program}' {url}", input=f'admin:{PASSWORD}').stdout

    def assert_unchanged_by(self, *options, **settings):
        """Run the playbook and show that the machine is the same as before."""
        before = self.machine.fingerprint()
        run = self.play(*options, **settings)
        assert changes(before, self.machine.fingerprint()) == []
        return run
