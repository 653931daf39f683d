# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role time_sync alone on a real machine: what it keeps, what it changes, what it puts back.

One machine, in the order of the tests: timesyncd is kept, then replaced by chrony, whose configuration gets a user's edits,
is broken, is like Red Hat's. The whole matrix has a command of its own.
"""

from __future__ import annotations

import json
import subprocess
import time

import pytest

from lab.fingerprint import changes
from repair.scene import ntp_server

from . import playbook

PLAY = [{'hosts': 'all', 'gather_facts': False, 'roles': ['aemops.brand_portal.time_sync']}]
NEAR = 0.05
SOURCES = '/etc/chrony/sources.d/aemops-brand-portal.sources'
# What a package that came and went leaves: the account files' own backups, and a daemon that was started again.
HARMLESS = ('clock: moved', 'etc: /etc/passwd-:', 'etc: /etc/shadow-:', 'etc: /etc/group-:', 'etc: /etc/gshadow-:',
            'units: systemd-timesyncd.service: LoadState=loaded ActiveState=active UnitFileState=enabled MainPID=')
# A daemon that had to read its keys again.
RESTARTED = ('clock: moved', 'units: chrony.service: LoadState=loaded ActiveState=active UnitFileState=enabled MainPID=')
# The module is known by the lock it holds; the package manager dies with it, as in a power cut.
KILL = ('for fd in /proc/[0-9]*/fd/*; do [ "$(readlink $fd)" = /run/aemops-brand-portal.lock ] && echo $fd; done '
        '| cut -d/ -f3 | xargs -r kill -9; pkill -9 apt-get; pkill -9 dpkg')
LOG = '/var/lib/aemops-brand-portal/time_service/undo.json'


class Host:
    """A machine with timesyncd as Debian ships it, whose clock is wrong."""

    def __init__(self, lab, environment, folder):
        self.lab, self.environment = lab, environment
        self.play_file = folder / 'play.json'
        self.play_file.write_text(json.dumps(PLAY))
        self.machine = lab.machine('timesyncd').wait_ready()
        self.machine.put(lab.certificates() / 'ca.pem', '/etc/lab-ca.pem', mode=0o644)
        self.machine.ssh('apt-get -q update && apt-get -qy install systemd-timesyncd && systemctl is-active systemd-timesyncd')

    def command(self, *options, **variables):
        inventory = self.lab.inventory(common={'time_sync_accept_unverified': True, 'time_sync_sync_timeout': 20,
                                               'time_sync_servers': [self.lab.network.host], **variables})
        return ['ansible-playbook', str(self.play_file), '-i', str(inventory), '--limit', self.machine.name, *options]

    def play(self, *options, **variables):
        return playbook.run(self.environment, self.command(*options, **variables))

    def heals(self, *options, **variables):
        """A run that succeeds and changes something; then one that changes nothing. Returns the first."""
        run = self.play(*options, **variables)
        assert run.returncode == 0, run.output
        assert run.recap[self.machine.name]['changed'] > 0
        assert abs(self.machine.clock()) < NEAR
        before = self.machine.fingerprint()
        again = self.play('-vvv', **variables)
        assert again.returncode == 0, again.output
        assert again.recap[self.machine.name]['changed'] == 0
        assert again.remote_calls == ['time_service']
        assert changes(before, self.machine.fingerprint()) == []
        return run

    def fails(self, *options, harmless=('clock: moved',), **variables):
        """A run that fails and leaves everything but the clock (and `harmless`) as it was. Returns what it said, in one line."""
        before = self.machine.fingerprint()
        run = self.play(*options, **variables)
        assert run.returncode != 0, run.output
        left = [change for change in changes(before, self.machine.fingerprint()) if not change.startswith(harmless)]
        assert left == [], '\n'.join(left)
        return ' '.join(run.output.split())

    def states(self, *units):
        return self.machine.ssh(f'systemctl is-active {" ".join(units)}', check=False).stdout.split()


@pytest.fixture(scope='module')
def host(lab, newest, tmp_path_factory):
    return Host(lab, newest, tmp_path_factory.mktemp('time_sync'))


def test_a_server_that_does_not_answer_leaves_everything_as_it_was(host):
    host.machine.set_clock('-90s')
    assert 'unreachable' in host.fails(time_sync_servers=[str(host.machine.address)])


def test_what_cannot_work_is_refused_before_the_clock_is_touched(host):
    before = host.machine.fingerprint()
    for variables, reason in (
        ({'time_sync_cloud': 'aws'}, 'cloud=aws cannot be combined with'),
        ({'time_sync_servers': ['no host']}, 'is not the name or address of a server'),
        ({'time_sync_keys': [{'server': 'elsewhere', 'id': 7, 'key': 'HEX:S3cret'}]}, 'which is not one of servers'),
    ):
        run = host.play('-vvv', **variables)
        said = ' '.join(run.output.split())
        assert run.returncode != 0
        assert reason in said
        assert 'S3cret' not in said
    assert changes(before, host.machine.fingerprint(), clock_tolerance=NEAR) == []


def test_a_working_timesyncd_is_kept(host):
    host.heals()
    assert host.states('systemd-timesyncd', 'chrony') == ['active', 'inactive']


def test_with_ntp_blocked_a_verified_service_sets_the_clock_and_the_truth_is_told(host):
    # Set and stopped together, else timesyncd asks at once.
    host.lab.stop_ntp()
    host.machine.set_clock('-90s')
    try:
        run = host.play(time_sync_https_urls=[f'https://{host.lab.network.host}/'], time_sync_ca_path='/etc/lab-ca.pem')
    finally:
        host.lab.start_ntp()
    assert run.returncode == 0, run.output
    said = ' '.join(run.output.split())
    assert 'The clock is right now, but nothing keeps it right' in said
    assert f'cannot use {host.lab.network.host} either: nothing listens on that port (connection refused)' in said
    assert abs(host.machine.clock()) < 1
    assert host.states('systemd-timesyncd') == ['active']


def test_a_wrong_server_of_others_that_timesyncd_follows_is_named(host):
    """The server of this run comes after it in timesyncd's list, and a verified service shows which of them is right."""
    network, file = host.lab.network, '/etc/systemd/timesyncd.conf.d/10-site.conf'
    wrong = ntp_server(host.lab, 1, 3600, 0)
    host.play(time_sync_state='absent')
    # Until the run restarts it, the daemon does not know of it.
    host.machine.write(file, f'[Time]\nNTP={wrong}\n')
    try:
        host.machine.set_clock('-90s')
        said = host.fails(time_sync_https_urls=[f'https://{network.host}/'], time_sync_ca_path='/etc/lab-ca.pem',
                          harmless=(*HARMLESS, 'time state: /run/systemd/timesync/'))
        assert f'synchronized to {wrong}' in said and 'away from what this run has verified' in said, said
        assert f'Remove {wrong} ({file}' in said
        assert 'The clock stays set' not in said
    finally:
        host.lab.services.stop('ntp1')
        host.machine.ssh(f'rm {file}; systemctl restart systemd-timesyncd')


def test_a_daemon_that_never_synchronises_is_taken_back_with_its_package(host):
    """An unverified service sets the clock, the NTP server is silent: chrony comes, waits in vain, and goes."""
    host.lab.stop_ntp()
    try:
        said = host.fails(harmless=HARMLESS, time_sync_provider='chrony', time_sync_validate_certs=False, time_sync_sync_timeout=3,
                          time_sync_https_urls=[f'https://{host.lab.network.host}/'])
    finally:
        host.lab.start_ntp()
    assert '"Wait until the daemon has corrected the clock" failed' in said.replace('\\"', '"')
    assert 'were restored' in said
    assert 'chronyd' in said.split('Journal:')[1]
    assert host.states('systemd-timesyncd', 'chrony') == ['active', 'inactive']


def test_what_chrony_will_be_is_predicted_and_a_killed_run_is_finished_by_the_next(host):
    predicted = host.play('--check', '--diff', time_sync_provider='chrony')
    assert predicted.returncode == 0, predicted.output
    assert 'would install the package chrony, which replaces systemd-timesyncd' in predicted.output

    with subprocess.Popen(host.command(time_sync_provider='chrony'), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          env={'PATH': f'{host.environment.bin}:/usr/bin:/bin', 'HOME': '/root',
                               'ANSIBLE_COLLECTIONS_PATH': str(playbook.ROOT / 'collections')}) as run:
        deadline = time.monotonic() + 60
        while host.machine.ssh(f'grep -q "act.: .packages" {LOG}', check=False).returncode:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        time.sleep(5)
        host.machine.ssh(KILL, check=False)
        run.wait(60)
    assert host.machine.ssh(f'test -f {LOG}', check=False).returncode == 0, 'the run was over before it could be killed'

    run = host.heals('--diff', time_sync_provider='chrony')
    assert 'Its changes were undone first' in ' '.join(run.output.split())
    assert host.states('systemd-timesyncd', 'chrony') == ['inactive', 'active']
    assert host.machine.ssh('systemctl is-enabled chrony').stdout.strip() == 'enabled'
    assert host.machine.ssh('ls -d /var/lib/aemops*/*/', check=False).stdout == ''


def test_a_users_edits_stay_and_a_running_chrony_is_not_restarted(host):
    host.machine.ssh('echo "# our own: maxupdateskew is on purpose" >>/etc/chrony/chrony.conf; '
                     'printf "server 192.0.2.9 iburst" >/etc/chrony/sources.d/ours.sources')
    look = 'md5sum /etc/chrony/chrony.conf /etc/chrony/sources.d/ours.sources; systemctl show -p MainPID chrony'
    before = host.machine.ssh(look).stdout
    host.machine.set_clock('+7s')
    host.heals(time_sync_servers=[host.lab.network.host, '192.0.2.10'], time_sync_timeout=2)
    assert host.machine.ssh(look).stdout == before
    assert '192.0.2.10' in host.machine.ssh('chronyc -n sources').stdout


def test_new_sources_are_taken_back_from_a_running_chrony(host):
    """No server answers, and the clock is right by a service that TLS does not verify: the sources file is the former one again."""
    host.lab.stop_ntp()
    try:
        host.machine.ssh('systemctl restart chrony')
        said = host.fails(time_sync_servers=[host.lab.network.host, host.machine.address], time_sync_validate_certs=False,
                          time_sync_https_urls=[f'https://{host.lab.network.host}/'], time_sync_sync_timeout=3)
    finally:
        host.lab.start_ntp()
    assert 'were restored' in said
    assert host.machine.address not in host.machine.ssh('chronyc -n sources').stdout


KEY, WRONG_KEY = 'HEX:' + '6A1F' * 16, 'HEX:' + 'F1A6' * 16


@pytest.fixture
def proving(host):
    """The NTP server proves who it is; the host trusts the lab's CA for NTS, as one with a CA of its own would be told to."""
    host.machine.ssh('echo "ntstrustedcerts /etc/lab-ca.pem" >/etc/chrony/conf.d/ours.conf; systemctl restart chrony')
    host.lab.stop_ntp()
    host.lab.start_ntp(keys=f'7 SHA256 {KEY}\n')
    yield
    host.lab.stop_ntp()
    host.lab.start_ntp()
    host.machine.ssh('rm /etc/chrony/conf.d/ours.conf')


def authentication(host):
    """chrony's own view of its sources, as chronyc(1) has it: {address: [mode, key id, type, length, ...]}."""
    rows = host.machine.ssh('chronyc -c -n authdata').stdout.split()
    return {row.split(',')[0]: row.split(',')[1:] for row in rows}


def test_a_server_proves_itself_by_a_key_that_nobody_sees(host, proving):
    server = host.lab.network.host
    shared = {'server': server, 'id': 7, 'type': 'SHA256'}
    said = host.fails('-vvv', '--diff', harmless=RESTARTED, time_sync_keys=[dict(shared, key=WRONG_KEY)], time_sync_sync_timeout=10)
    assert WRONG_KEY not in said
    assert 'were restored' in said
    assert authentication(host)[server][0] == '-'

    host.machine.set_clock('-7s')
    run = host.heals('-vvv', '--diff', time_sync_keys=[dict(shared, key=KEY)])
    assert KEY not in run.output
    assert authentication(host)[server][:2] == ['SK', '7']
    assert host.machine.ssh('stat -c %a /etc/chrony/chrony.keys').stdout.strip() == '640'


def test_a_server_proves_itself_by_nts(host, proving):
    server = host.lab.network.host
    host.machine.set_clock('-7s')
    host.heals(time_sync_servers=[], time_sync_nts_servers=[server])
    mode, _key, _type, _length, _last, _attempts, naks, cookies, *_rest = authentication(host)[server]
    assert (mode, naks) == ('NTS', '0')
    assert int(cookies) > 0


def test_a_line_that_the_daemon_rejects_is_named(host):
    host.machine.ssh('cp -p /etc/chrony/chrony.conf /root/; echo "frobnicate 7" >>/etc/chrony/chrony.conf')
    host.machine.set_clock('-90s')
    said = host.fails()
    assert 'Invalid directive at line' in said
    assert 'in file /etc/chrony/chrony.conf: \\"frobnicate 7\\"' in said
    assert host.machine.clock() < -80
    host.machine.ssh('cp -p /root/chrony.conf /etc/chrony/chrony.conf')


def test_without_folders_a_marked_block_is_added_and_a_masked_unit_comes_back(host):
    """chrony.conf as Red Hat has it: no folder but one below /run. And without an end of its last line."""
    host.machine.ssh('systemctl disable -q --now chrony; systemctl mask -q chrony; rm /etc/chrony/sources.d/*.sources; '
                     'printf "pool 2.example.pool.ntp.org iburst\nsourcedir /run/chrony-dhcp\ndriftfile /var/lib/chrony/drift\n'
                     'makestep 1 3\nrtcsync" >/etc/chrony/chrony.conf; chmod 640 /etc/chrony/chrony.conf')
    before = host.machine.ssh('cat /etc/chrony/chrony.conf').stdout
    host.machine.set_clock('-7s')
    host.heals()
    after = host.machine.ssh('cat /etc/chrony/chrony.conf').stdout
    assert after.startswith(before)
    assert f'server {host.lab.network.host} iburst' in after[len(before):]
    assert host.machine.ssh('cat /etc/chrony/chrony.conf.before-aemops-brand-portal').stdout == before
    assert host.machine.ssh('stat -c %a /etc/chrony/chrony.conf').stdout.strip() == '640'
