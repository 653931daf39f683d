# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role time_sync alone, on a machine whose clock timesyncd was to keep: replaced by chrony, or put back."""

from __future__ import annotations

import json

import pytest

from lab.fingerprint import changes

from . import playbook

PLAY = [{'hosts': 'all', 'gather_facts': False, 'roles': ['aemops.brand_portal.time_sync']}]
NEAR = 0.05


class Host:
    """A machine with timesyncd that was told of a server which does not answer, so that its clock is wrong."""

    def __init__(self, lab, environment, folder):
        self.lab, self.environment = lab, environment
        self.play_file = folder / 'play.json'
        self.play_file.write_text(json.dumps(PLAY))
        self.machine = lab.machine('timesyncd').wait_ready()
        self.machine.ssh('apt-get -q update && apt-get -qy install systemd-timesyncd && systemctl is-active systemd-timesyncd')
        self.machine.set_clock('-90s')

    def play(self, *options, **variables):
        inventory = self.lab.inventory(common={'time_sync_accept_unverified': True, 'time_sync_wait': 10, **variables})
        return playbook.run(self.environment, ['ansible-playbook', str(self.play_file), '-i', str(inventory),
                                               '--limit', self.machine.name, *options])


@pytest.fixture(scope='module')
def host(lab, newest, tmp_path_factory):
    return Host(lab, newest, tmp_path_factory.mktemp('time_sync'))


def test_a_server_that_does_not_answer_leaves_everything_as_it_was(host):
    before = host.machine.fingerprint()
    unanswered = str(host.machine.address)
    run = host.play(time_sync_servers=[unanswered], time_sync_pools=[], time_sync_https_urls=[])
    assert run.returncode != 0
    assert changes(before, host.machine.fingerprint()) == []
    assert 'unreachable' in run.output


def test_a_daemon_that_never_synchronises_is_taken_back(host):
    """A clock that only HTTPS could set, and an NTP server that is silent: chrony waits in vain and goes again."""
    before = host.machine.fingerprint()
    host.lab.stop_ntp()
    try:
        run = host.play(time_sync_servers=[host.lab.network.host], time_sync_validate_certs=False,
                        time_sync_https_urls=[f'https://{host.lab.network.host}/'])
    finally:
        host.lab.start_ntp()
    assert run.returncode != 0
    said = ' '.join(run.output.split())
    assert '"Wait until the daemon has corrected the clock" failed' in said.replace('\\"', '"')
    assert 'put back as they were' in said
    states = host.machine.ssh('systemctl is-active systemd-timesyncd chrony', check=False).stdout.split()
    assert states == ['active', 'inactive']
    left = changes(before, host.machine.fingerprint())
    assert not [change for change in left if 'aemops-brand-portal' in change], left


def test_chrony_takes_over_and_a_second_run_changes_nothing(host):
    host.machine.set_clock('-90s')
    run = host.play(time_sync_servers=[host.lab.network.host])
    assert run.returncode == 0, run.output
    assert abs(host.machine.clock()) < NEAR
    assert host.machine.ssh('systemctl is-active systemd-timesyncd', check=False).stdout.strip() != 'active'
    assert host.machine.ssh('systemctl is-enabled chrony').stdout.strip() == 'enabled'
    before = host.machine.fingerprint()
    again = host.play(time_sync_servers=[host.lab.network.host])
    assert again.returncode == 0, again.output
    assert again.recap[host.machine.name]['changed'] == 0
    assert changes(before, host.machine.fingerprint()) == []


def test_new_sources_are_taken_back_from_a_running_chrony(host):
    """The daemon is asked for more than it can do; the sources file is the former one again, byte for byte."""
    file = '/etc/chrony/sources.d/aemops-brand-portal.sources'
    former = host.machine.ssh(f'cat {file}').stdout
    run = host.play(time_sync_servers=[host.lab.network.host, host.machine.address], time_sync_max_correction='0.000000001')
    assert run.returncode != 0
    assert 'put back as they were' in ' '.join(run.output.split())
    assert host.machine.ssh(f'cat {file}').stdout == former
    assert host.machine.ssh('systemctl is-active chrony').stdout.strip() == 'active'
    assert host.machine.address not in host.machine.ssh('chronyc -n sources').stdout
