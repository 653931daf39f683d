# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AEM while the clock jumps, on a real machine: stopped, started, and never left stopped, whatever is killed in between.

The stand-in of AEM plays one on a document store: a jump under it ends it for good.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest

from lab.fingerprint import changes

from . import playbook
from .author_host import AuthorHost
from .conftest import PASSWORD

WRONG = '2017-02-28T18:39:51Z'
NEAR = 0.05  # seconds
LOCK = '/run/aemops-brand-portal.lock'
JOURNAL = '/var/lib/aemops-brand-portal/service_stop/undo.json'
DROP_IN = '/etc/systemd/system/aem.service.d/test.conf'
SERVICE = {'fix_bp_jwt_aem_service': 'aem.service'}


class Guarded(AuthorHost):
    """The machine, with what happens to its AEM in view."""

    def aem(self):
        return self.machine.ssh('systemctl is-active aem', check=False).stdout.strip()

    def until(self, condition, seconds, what):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f'{what}: not within {seconds} s'
            time.sleep(0.2)

    def drop_in(self, text=''):
        """Change the unit of AEM; nothing is put there by default."""
        if text:
            self.machine.write(DROP_IN, f'[Service]\n{text}\n')
        else:
            self.machine.ssh(f'rm -f {DROP_IN}')
        self.machine.ssh('systemctl daemon-reload')

    def reset(self):
        """AEM runs on a clock that is wrong, and no run has left anything. A daemon stays; it is stopped."""
        self.drop_in()
        self.machine.ssh('rm -rf /var/lib/aemops-brand-portal; systemctl reset-failed aem; systemctl stop aem', check=False)
        self.machine.ssh('systemctl disable -q --now chrony', check=False)
        self.machine.set_clock(WRONG)
        self.machine.ssh('systemctl enable -q aem; systemctl start aem')
        self.machine.wait_aem()
        assert self.left() == ''
        return self

    def left(self):
        """What is left of runs that were cut off."""
        return self.machine.ssh('ls -d /var/lib/aemops-brand-portal/*/ 2>/dev/null; systemctl --no-legend --plain list-units '
                                "'aemops-brand-portal-*'", check=False).stdout

    def step(self, *options, **arguments):
        """clock_step alone, through its own command."""
        return playbook.run(self.environment, self.step_command(*options, **arguments))

    def step_command(self, *options, **arguments):
        arguments = {'ntp_servers': [self.lab.network.host], 'accept_unverified': True, 'stop_services': ['aem'],
                     'stop_services_timeout': 20, **arguments}
        return ['ansible', self.machine.name, '-i', str(self.inventory()), '--become', '-m', 'aemops.brand_portal.clock_step',
                '-a', json.dumps(arguments), *options]

    def begin(self, command=None):
        """Begin a command of ansible, clock_step alone unless told; come back while it stops AEM, which a slow unit makes last."""
        self.drop_in('ExecStopPost=/bin/sleep 4')
        program, *options = command or self.step_command()
        settings = {'ANSIBLE_COLLECTIONS_PATH': str(playbook.ROOT / 'collections'), 'AEM_USER': 'admin', 'AEM_PASSWORD': PASSWORD,
                    'ANSIBLE_HOST_KEY_CHECKING': 'False', 'PATH': f'{self.environment.bin}:{os.environ["PATH"]}'}
        run = subprocess.Popen([str(self.environment.bin / program), *options], env={**os.environ, **settings},
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT,
                               start_new_session=True)
        try:
            self.until(lambda: self.aem() == 'deactivating', 150, 'AEM is being stopped')
        except BaseException:
            os.killpg(run.pid, signal.SIGKILL)
            raise
        return run


@pytest.fixture(scope='module')
def guarded(lab, newest):
    author = Guarded(lab, 'guarded', WRONG, newest, lease=True)
    author.machine.ssh('command -v flock systemd-run')
    return author


def test_an_unknown_unit_is_refused_before_anything_is_changed(guarded):
    run = guarded.assert_unchanged_by(fix_bp_jwt_aem_service='aem-author')
    said = ' '.join(run.output.split())
    assert run.returncode != 0
    assert 'systemd has no unit aem-author.service on this host' in said
    assert 'fix_bp_jwt_aem_service' in said
    assert 'Units here that may be meant: aem.service' in said
    for name in ('aem*', '-x', 'multi-user.target'):
        assert 'is not the name of a systemd service' in guarded.step(stop_services=[name]).output
    assert guarded.aem() == 'active'


def test_check_mode_says_what_would_be_stopped_and_stops_nothing(guarded):
    before = guarded.machine.fingerprint()
    run = guarded.step('--check', '--diff')
    assert 'aem.service would be stopped and started again' in run.output
    assert changes(before, guarded.machine.fingerprint()) == []
    warned = guarded.assert_unchanged_by('--check')
    assert 'counts as lost, and AEM shuts down' in ' '.join(warned.output.split())


def test_what_is_refused_stops_nothing(guarded):
    pid = guarded.machine.ssh('systemctl show -p MainPID aem').stdout
    assert 'more than the max_step' in guarded.step(max_step=60).output
    assert 'accept_unverified' in guarded.step(accept_unverified=False).output
    assert guarded.machine.ssh('systemctl show -p MainPID aem').stdout == pid
    assert guarded.left() == ''


def test_a_stop_that_hangs_sets_nothing(guarded):
    guarded.drop_in('ExecStop=/bin/sleep 60')
    run = guarded.step(stop_services_timeout=3)
    assert 'The clock was not set, because aem.service could not be stopped within 3 s' in run.output
    assert guarded.machine.clock() < -1e8


def test_it_is_stopped_the_clock_set_and_started(guarded):
    guarded.reset()
    run = guarded.play('-v', **SERVICE)
    assert run.returncode == 0, run.output[-6000:]
    assert '0 of 4 -> 4 of 4' in run.row('guarded')
    assert abs(guarded.machine.clock()) < NEAR
    assert 'aem.service was stopped for' in run.output
    log = guarded.machine.ssh("journalctl -u aem _PID=1 -o short-iso --no-pager | tail -n 12").stdout
    stopped = [line[:4] for line in log.splitlines() if 'Stopped' in line]
    started = [line[:4] for line in log.splitlines() if 'Started' in line]
    assert stopped[-1] == '2017' and started[-1] > '2017', log
    assert guarded.left() == ''


def test_one_that_was_stopped_by_hand_stays_stopped(guarded):
    guarded.reset()
    guarded.machine.ssh('systemctl stop aem')
    run = guarded.step()
    assert run.returncode == 0, run.output
    assert abs(guarded.machine.clock()) < NEAR
    assert guarded.aem() == 'inactive'


def test_a_start_that_fails_is_told_with_the_next_step_and_the_next_run_tries_again(guarded):
    guarded.reset()
    # From 2018 on this AEM refuses to start.
    guarded.drop_in("ExecStartPre=/bin/sh -c 'test $(date +%%Y) -lt 2018'")
    run = guarded.play(**SERVICE, fix_bp_jwt_prove_retries=0, fix_bp_jwt_aem_ready_timeout=20)
    said = ' '.join(run.output.split())
    assert run.returncode != 0
    assert 'The clock was set. aem.service could not be started again in 3 attempts' in said
    assert 'systemctl start aem.service' in said
    assert 'aem_unreachable' in run.row('guarded')
    assert abs(guarded.machine.clock()) < NEAR
    # systemd itself tries again every second, and would be the first.
    guarded.machine.ssh('systemctl stop aem')
    guarded.drop_in()
    again = guarded.play('-v', **SERVICE)
    assert again.returncode == 0, again.output[-6000:]
    assert 'unfinished -> healthy' in again.row('guarded')
    assert 'stopped: it was started now' in ' '.join(again.output.split())
    assert guarded.left() == ''


def test_the_controller_is_killed_right_after_aem_was_stopped(guarded):
    guarded.reset()
    run = guarded.begin(['ansible-playbook', str(playbook.ROOT / 'fix-bp-jwt.yml'), '-i', str(guarded.inventory(**SERVICE)),
                         '--limit', guarded.machine.name])
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    guarded.until(lambda: guarded.aem() == 'active', 90, 'AEM runs again by itself')
    # The module may still run: without its controller it goes on to its own end.
    guarded.machine.ssh(f'flock {LOCK} true', timeout=300)
    guarded.drop_in()
    healed = guarded.play(**SERVICE)
    assert healed.returncode == 0, healed.output[-6000:]
    assert guarded.left() == ''


def test_the_module_is_killed_right_after_aem_was_stopped(guarded):
    guarded.reset()
    run = guarded.begin()
    try:
        guarded.machine.ssh(f'kill -9 $(python3 -c "import json; print(json.load(open(\'{JOURNAL}\'))[\'pid\'])")')
        guarded.until(lambda: guarded.aem() == 'active', 90, 'AEM runs again by itself')
        assert guarded.machine.clock() < -1e8, 'the clock was not set'
        assert run.wait(timeout=300) != 0
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
    guarded.drop_in()
    healed = guarded.step('-v')
    assert healed.returncode == 0, healed.output[-6000:]
    assert abs(guarded.machine.clock()) < NEAR
    assert 'the guard service has already started it again' in ' '.join(healed.output.split())
    assert guarded.left() == ''


def test_the_plug_is_pulled_while_aem_is_stopped(guarded):
    """AEM is not started at boot here: only the next run knows that it is to run."""
    guarded.reset()
    guarded.machine.ssh('systemctl disable -q aem')
    run = guarded.begin()
    guarded.machine.ssh('sync')    # the lab's disk has no journal: a file system cut in the middle would be another test
    guarded.machine.kill()
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    guarded.machine.start().wait_ready()
    assert guarded.aem() == 'inactive'
    guarded.drop_in()
    # With AEM down and one plain NTP server the clock is unknown: AEM is started, and no clock is set.
    begun = guarded.play(**SERVICE)
    assert 'stopped: it was started now' in ' '.join(begun.output.split())
    assert 'The clock was not set' in begun.output
    assert guarded.aem() == 'active'
    assert guarded.machine.clock() < -1e8
    healed = guarded.step()
    assert healed.returncode == 0, healed.output
    assert abs(guarded.machine.clock()) < NEAR
    assert guarded.aem() == 'active'
    assert guarded.left() == ''


def test_without_a_unit_the_harm_is_told_before_and_seen_afterwards(guarded):
    guarded.reset()
    run = guarded.play(fix_bp_jwt_aem_ready_timeout=3, fix_bp_jwt_prove_retries=0)
    assert run.returncode != 0
    said = ' '.join(run.output.split())
    told = said.index('while AEM runs, because the process on its port')
    assert told < said.index('Configure one time daemon')
    assert 'aem_unreachable' in run.row('guarded')
    assert 'AEM did not come back after the clock was set by' in said
    assert 'start AEM on this host' in run.row('guarded')
    assert abs(guarded.machine.clock()) < NEAR
