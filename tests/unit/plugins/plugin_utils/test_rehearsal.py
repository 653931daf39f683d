# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rehearsal's verdict on a host and its table."""

from __future__ import annotations

import pytest

from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _rehearsal as rehearsal
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _result as host_result
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import document as report_document
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import table as report_table

STATE = {'state_before': 'healthy', 'state_after': 'healthy', 'summary': 'all is well', 'next_step': '', 'passed': True}
FINE = [rehearsal.check('disk', 'the disks have room', passed=True)]
# What the modules, or Ansible, say where a repair would not get past it: each by its own sentence.
TEN = [
    rehearsal.looked({'failed': True, 'msg': 'Missing sudo password'}),
    rehearsal.looked({'failed': True, 'msg': 'MODULE FAILURE', 'module_stderr': 'sudo: sorry, you must have a tty to run sudo'}),
    rehearsal.looked({'unreachable': True, 'msg': 'Failed to connect: no route to host'}),
    [rehearsal.daemon({'failed': True, 'msg': 'chrony.conf line 3 is not accepted. Nothing was changed.',
                       'advice': 'correct line 3'})],
    [rehearsal.check('packages', 'the package chrony cannot be downloaded: 404', 'see that this host reaches its package sources')],
    [rehearsal.check('service', 'systemd has no unit aemm.service', 'correct fix_bp_jwt_aem_service')],
    [rehearsal.check('disk', '/var has 3 MiB left', 'make room')],
    [rehearsal.check('files', '/etc is mounted read-only', 'mount it writable')],
    [rehearsal.check('clock', "this clock is the machine's below", 'repair it there')],
    [rehearsal.measured({**STATE, 'state_before': 'not_testable', 'summary': 'AEM refuses the user',
                         'next_step': 'check the account'})],
]


def test_fifty_hosts_with_ten_obstacles_are_each_named():
    obstacles = iter(TEN)
    rows = []
    for number in range(50):
        found = FINE + (next(obstacles) if number % 5 == 2 else [])
        rows.append(rehearsal.conclude({**STATE, 'host': f'author{number:02d}'}, found, stops=['aem.service'], provider='chrony'))
    lines = rehearsal.table(rows)
    assert len(lines) == 51 and sum(not each['passed'] for each in rows) == 10
    told = [line for line in lines[1:] if ' -> ' in line]
    assert len(told) == 10 and len({line.split('  ')[-1] for line in told}) == 10
    for number, each in enumerate(TEN):
        assert rehearsal.short(each[0]['found']) in told[number] and rehearsal.short(each[0]['advice']) in told[number]
        assert each[0]['found'] in rows[number * 5 + 2]['message'] and each[0]['advice'] in rows[number * 5 + 2]['next_step']
    assert all('none' in line for line in lines[1:] if line not in told)


@pytest.mark.parametrize(('said', 'words'), [
    ({'failed': True, 'msg': 'Missing sudo password'}, '--ask-become-pass'),
    ({'failed': True, 'msg': 'x', 'module_stderr': 'sudo: sorry, you must have a tty to run sudo'}, 'requiretty'),
    ({'failed': True, 'msg': 'x', 'module_stderr': 'deploy is not in the sudoers file'}, 'SECURITY.md'),
])
def test_what_keeps_ansible_from_root_is_told_apart(said, words):
    [each] = rehearsal.looked(said)
    assert each['check'] == 'become' and words in each['advice']
    assert rehearsal.looked({'changed': False, 'may_set_clock': True}) == []


def test_several_obstacles_have_a_line_each():
    found = [rehearsal.check('disk', 'full', 'make room'), rehearsal.check('service', 'no unit', 'name it')]
    last = rehearsal.conclude({**STATE, 'host': 'a'}, found)
    assert rehearsal.table([last])[1:] == [
        'a     healthy  -      -            0        disk: full -> make room',
        '                                            service: no unit -> name it']
    assert not last['passed'] and last['next_step'] == 'make room; name it' and '2 obstacles' in last['message']


def test_the_report_of_a_rehearsal_has_its_table():
    gone = host_result.without_result('gone', {'unreachable': True, 'msg': 'no route'})
    rows = [report_document.listed(gone, 'rehearse', None)]
    lines = report_table.table(report_document.document([], rows, mode='rehearse'))
    assert lines[0].split() == ['host', 'state', 'stops', 'time', 'daemon', 'changes', 'obstacle', '->', 'what', 'to', 'do']
    assert 'no route' in lines[1]
