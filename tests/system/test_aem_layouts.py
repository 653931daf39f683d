# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AEM that is found and guarded by itself: as people run it, on each store, with clocks that are wrong in each way.

`make aem-layouts` tries every cell; `make test` a few. One machine serves all of them.
"""

from __future__ import annotations

import datetime
import os
import re

import pytest

from lab import aem_layouts

from .author_host import AuthorHost

OFFSETS = {'-90 s': -90, '-3 h': -3 * 3600, '+400 d': 400 * 86400}
ALL = [(runs, store, offset) for runs in ('systemd', 'sysv', 'session', 'container', 'two') for store in
       ('segment', 'document-strict', 'document-lenient') for offset in OFFSETS]
FEW = [('systemd', 'document-strict', '-3 h'), ('systemd', 'segment', '+400 d'), ('sysv', 'document-lenient', '-90 s')]
EVERY = os.environ.get('AEMOPS_AEM_LAYOUTS') == 'all'
NEAR = 0.5  # seconds
PUBLISH = 4503


@pytest.fixture(scope='module')
def machine(lab, newest):
    return AuthorHost(lab, 'layouts', None, newest)


def pid_at(machine, port):
    said = machine.ssh(f"ss -Hltnp 'sport = :{port}'", check=False).stdout
    found = re.search(r'pid=(\d+)', said)
    return found.group(1) if found else ''


def began_of(machine, name):
    """How often systemd has started and stopped the unit."""
    return machine.ssh(f'systemctl show -p ActiveEnterTimestampMonotonic -p InactiveEnterTimestampMonotonic {name}').stdout


@pytest.mark.parametrize('runs, store, offset', ALL if EVERY else FEW)
def test_it_is_found_and_stopped_only_where_it_has_to_be(machine, runs, store, offset):
    host = machine.machine
    for name in ('aem', 'publish'):
        aem_layouts.remove(host, name)
    host.ssh('rm -rf /var/lib/aemops-brand-portal; systemctl disable -q --now chrony', check=False)
    host.set_clock(OFFSETS[offset])
    aem_layouts.arrange(host, 'systemd' if runs == 'two' else runs, store)
    if runs == 'two':
        aem_layouts.arrange(host, 'systemd', store='segment', name='publish', port=PUBLISH)
    before, publish = pid_at(host, 4502), pid_at(host, PUBLISH)
    run = machine.play('-v')
    said = ' '.join(run.output.split())
    document, unit = store.startswith('document'), runs in ('systemd', 'sysv', 'two')
    if document and not unit:
        assert run.returncode != 0
        assert 'cannot_stop_aem' in run.row('layouts')
        assert {'session': 'session of a user', 'container': 'container engine'}[runs] in said
        assert abs(host.clock() - OFFSETS[offset]) < NEAR + 60, 'the clock was not set'
        assert pid_at(host, 4502) == before
        return
    assert run.returncode == 0, run.output[-6000:]
    assert abs(host.clock()) < NEAR
    assert '-> healthy' in run.row('layouts')
    if document:
        assert re.search(r'aem\.service was stopped for \d+\.\d s', said), said[-6000:]
        assert pid_at(host, 4502) != before
    else:
        assert 'AEM is not stopped for the step: it runs on a segment store' in said
        assert pid_at(host, 4502) == before
    assert pid_at(host, PUBLISH) == publish, 'the other AEM was touched'


@pytest.mark.skipif(not EVERY, reason='not run: it takes minutes; make aem-layouts runs it')
def test_the_window_is_judged_by_the_right_time_on_a_machine_at_noon_of_another_year(machine):
    host = machine.machine
    for name in ('aem', 'publish'):
        aem_layouts.remove(host, name)
    host.ssh('rm -rf /var/lib/aemops-brand-portal; systemctl disable -q --now chrony', check=False)
    host.set_clock('2017-02-28T12:00:00Z')
    aem_layouts.arrange(host, 'systemd', 'document-strict')
    before = pid_at(host, 4502)
    hour = datetime.datetime.now(datetime.timezone.utc).hour
    noon = '11:30-12:30' if not 11 <= hour <= 12 else '17:00-18:00'
    run = machine.play(fix_bp_jwt_stop_window=noon)     # its own noon is inside, the right time is not
    assert run.returncode != 0
    assert 'stop_deferred' in run.row('layouts') and noon in run.row('layouts')
    assert host.clock() < -1e8 and pid_at(host, 4502) == before
    forbidden = machine.play(fix_bp_jwt_may_stop_aem=False)
    assert 'stop_deferred' in forbidden.row('layouts') and forbidden.returncode != 0
    inside = f'{(hour - 1) % 24:02}:00-{(hour + 2) % 24:02}:00'
    run = machine.play(fix_bp_jwt_stop_window=inside)
    assert run.returncode == 0, run.output[-6000:]
    assert abs(host.clock()) < NEAR and pid_at(host, 4502) != before
