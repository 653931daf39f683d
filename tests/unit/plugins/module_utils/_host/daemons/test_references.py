# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of a measurement, and what a host that was told need not read."""

import os
import subprocess
import sys

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import references, servers
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._host.hosts import FakeHost

PROGRAM = '''
import sys
from ansible_collections.aemops.brand_portal.plugins.module_utils._host import clock_hints
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import references
print(references.ntp_servers(['a.example']), clock_hints.interrupted({root!r}))
print([name for name in sys.modules if name.endswith(('.daemons.layouts', '.daemons.servers'))])
'''


@pytest.mark.parametrize('given', [None, []])
def test_without_any_the_host_s_own_are_asked(monkeypatch, given):
    monkeypatch.setattr(servers, 'effective_ntp_servers', lambda host: ['own.example'])
    assert references.ntp_servers(given) == ['own.example']


def test_a_host_that_was_told_reads_nothing_of_layouts(tmp_path):
    done = subprocess.run([sys.executable, '-c', PROGRAM.format(root=str(tmp_path))], stdout=subprocess.PIPE, check=True,
                          env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)))
    assert done.stdout.decode().splitlines() == ["['a.example'] []", '[]']


ONE_DAEMON = '''
import sys
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import servers
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.host import Host
print(servers.effective_ntp_servers(Host(root={root!r})))
print(sorted(name.rpartition('.')[2] for name in sys.modules if '._host.' in name))
'''


def test_a_host_with_one_daemon_reads_no_more_than_its_reader(tmp_path):
    host = FakeHost(tmp_path).has('chrony')
    host.put('/etc/chrony/chrony.conf', 'server a.example iburst\n')
    done = subprocess.run([sys.executable, '-c', ONE_DAEMON.format(root=str(tmp_path))], stdout=subprocess.PIPE, check=True,
                          env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)))
    assert done.stdout.decode().splitlines() == [
        "['a.example']", str(['chrony_config', 'config', 'daemons', 'host', 'launch', 'layouts', 'servers', 'systems',
                             'unit_files'])]


def test_a_line_of_a_source_folder_counts_when_it_is_written_to_its_end(tmp_path):
    host = FakeHost(tmp_path, 'debian-12', {'/etc/chrony/chrony.conf': 'sourcedir /etc/chrony/sources.d\nserver last.example'})
    host.has('chrony').put('/etc/chrony/sources.d/site.sources', 'server a.example\r\nserver b.example')
    assert servers.effective_ntp_servers(host) == ['last.example', 'a.example']
