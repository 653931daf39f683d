# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every test of the _clock package shares."""

import sys

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import ntplib_loader
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import NtplibMissing
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._clock import clock_servers


@pytest.fixture(scope='session')
def codec():
    """The ntplib module."""
    try:
        return ntplib_loader.load()
    except NtplibMissing:
        pytest.skip('ntplib is not installed for %s' % sys.executable)


@pytest.fixture(scope='session')
def authority(tmp_path_factory):
    """A certificate authority."""
    pytest.importorskip('cryptography', reason='the package cryptography makes the certificates of these tests')
    from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._clock.clock_servers import Authority
    return Authority(tmp_path_factory.mktemp('ca'))


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """The proxy settings of the calling environment must not redirect the tests."""
    for name in ('HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy', 'HTTP_PROXY', 'http_proxy', 'NO_PROXY',
                 'no_proxy'):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def virtual(monkeypatch):
    """The time line of servers and hosts in this test: it passes only while one of them waits."""
    monkeypatch.setattr(clock_servers, 'LINE', clock_servers.VirtualLine())
    return clock_servers.LINE
