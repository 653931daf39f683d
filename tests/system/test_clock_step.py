# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module clock_step on a real kernel whose clock is in another decade; no role, no daemon."""

from __future__ import annotations

import json
import re

import pytest

from . import playbook

NEAR = 0.05  # seconds

# The lab's service shows a certificate of 2010 to 2040: is it valid by that clock?
CLOCKS = {'1970-01-02T00:00:00Z': False, '2017-02-28T18:39:51Z': True, '2040-06-01T12:00:00Z': False}


class Host:
    """A machine, and the module run on it."""

    def __init__(self, lab, environment):
        self.lab, self.environment = lab, environment
        self.machine = lab.machine('decades').wait_ready()
        self.machine.put(lab.certificates() / 'ca.pem', '/etc/lab-ca.pem', mode=0o644)

    def step(self, *options, user='deploy', become=True, failing=False, python='/usr/bin/python3', **arguments):
        """(what the module returned, all that was printed)"""
        arguments = {'ntp_servers': [self.lab.network.host], 'https_urls': [f'https://{self.lab.network.host}/'],
                     'ca_path': '/etc/lab-ca.pem', **arguments}
        run = playbook.run(self.environment, [
            'ansible', self.machine.name, '-i', str(self.lab.inventory(user=user)), '-m', 'aemops.brand_portal.clock_step',
            '-a', json.dumps(arguments), '-e', json.dumps({'ansible_become': become, 'ansible_python_interpreter': python}),
            *options], ANSIBLE_LOAD_CALLBACK_PLUGINS='1', ANSIBLE_STDOUT_CALLBACK='default', ANSIBLE_CALLBACK_RESULT_FORMAT='json')
        assert (run.returncode != 0) == failing, run.output
        return json.loads(re.search(r'(?:=> |>> )(\{.*\})', run.output, re.DOTALL).group(1)), run.output

    def behind(self):
        """True offset, in seconds."""
        return -self.machine.clock()


@pytest.fixture(scope='module')
def host(lab, newest):
    return Host(lab, newest)


@pytest.mark.parametrize('clock', CLOCKS)
def test_a_clock_of_another_decade_is_set(host, clock):
    host.machine.set_clock(clock)
    behind = host.behind()

    predicted, said = host.step('--check', '--diff')
    assert predicted['changed']
    assert predicted['rtc'] == {'device': 'none', 'written': False, 'reason': 'The clock was not set.'}
    shown = re.search(rf'^-clock {clock[:10]}T\S+, offset (\S+) s \(skewed\)\n\+clock \S+, offset \+0\.000 s \(in_sync\)$', said,
                      re.MULTILINE)
    assert shown and float(shown.group(1)) == pytest.approx(behind, abs=NEAR), said
    assert host.behind() == pytest.approx(behind, abs=NEAR), 'check mode has set the clock'

    done, _said = host.step()
    before, after = done['before'], done['after']
    assert done['changed']
    assert (before['verdict'], before['verified'], before['tls_dates_checked']) == ('skewed', True, CLOCKS[clock])
    assert before['direction'] == ('behind' if behind > 0 else 'ahead')
    assert before['offset'] == pytest.approx(behind, abs=NEAR)
    assert before['low'] - NEAR <= behind <= before['high'] + NEAR
    assert (after['verdict'], after['tls_dates_checked']) == ('in_sync', True)
    assert done['rtc'] == {'device': 'none', 'written': False, 'reason': 'This host has no hardware clock.'}
    assert host.behind() == pytest.approx(0, abs=NEAR)


def test_a_right_clock_is_left_alone(host):
    host.machine.set_clock(None)
    done, _said = host.step()
    assert not done['changed']
    assert done['before'] == done['after']
    assert host.behind() == pytest.approx(0, abs=NEAR)


def test_what_must_not_be_done_is_refused_and_not_tried(host):
    host.machine.set_clock('-90s')
    behind = host.behind()
    host.machine.write('/usr/local/bin/confined', '#!/bin/sh\nexec setpriv --bounding-set=-sys_time python3 "$@"\n', mode=0o755)
    for settings, reason in (
        ({'max_step': 60}, 'more than the max_step of 60 s'),
        ({'https_urls': []}, 'Or set accept_unverified=true'),
        ({'become': False}, 'Use become'),
        ({'python': '/usr/local/bin/confined'}, "This host's clock belongs to the machine that runs it"),
    ):
        refused, _said = host.step(failing=True, **settings)
        assert reason in f"{refused['msg']} {refused['advice']}"
        assert not refused['changed']
        assert refused['before']['offset'] == pytest.approx(behind, abs=NEAR)
    assert host.behind() == pytest.approx(behind, abs=NEAR)
