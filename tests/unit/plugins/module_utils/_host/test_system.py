# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What touches a host: its journal is told, in systemd's protocol or in syslog's."""

import os
import socket

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import System


@pytest.mark.parametrize('path, expected', [
    ('run/systemd/journal/socket', 'MESSAGE=stop aem.service PRIORITY=0\nPRIORITY=5\nSYSLOG_IDENTIFIER=aemops-brand-portal\n'
     'SYSLOG_FACILITY=1\n'),
    ('dev/log', '<13>aemops-brand-portal[{0}]: stop aem.service PRIORITY=0'),
], ids=['journal', 'syslog'])
def test_the_hosts_journal_is_told(tmp_path, monkeypatch, path, expected):
    place = tmp_path / path
    place.parent.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)     # a socket's path is short, that of a test's folder may not be
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(path)
        host = System('')
        host.path = lambda path: path.lstrip('/')
        host.log('stop aem.service\nPRIORITY=0')
        assert journal.recv(4096).decode() == expected.format(os.getpid())    # of now: each test may have a process of its own


def test_a_host_without_a_journal_is_none_the_worse(tmp_path):
    System(str(tmp_path)).log('stop aem.service')
