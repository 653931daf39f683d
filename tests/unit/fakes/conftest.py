# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-ins need Python 3.9, PyJWT and cryptography; the older Pythons run only the tests of what runs on hosts."""

import socket
import sys

import pytest

if sys.version_info < (3, 9):  # noqa: UP036
    collect_ignore_glob = ["test_*.py"]
else:
    from ansible_collections.aemops.brand_portal.tests.fakes import testing
    from ansible_collections.aemops.brand_portal.tests.fakes.client import basic, fetch


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """A directory with the lab's authority, certificates and keys."""
    return testing.make_ca(tmp_path_factory.mktemp("lab"))


@pytest.fixture
def portal(lab):
    with testing.running_portal(lab) as portal:
        yield portal


@pytest.fixture
def aem(lab, portal, tmp_path):
    """An AEM whose agents reach the portal; configure() it as the test needs."""
    with testing.running_aem(lab, portal, name=tmp_path.name) as aem:
        yield aem


@pytest.fixture
def get():
    """get(aem, path): as AEM's user, below /etc/replication/agents.author."""

    def get(aem, path, headers=None):
        if headers is None:
            headers = basic(aem.user, aem.password)
        return fetch(aem.url + "/etc/replication/agents.author" + path, headers=headers)

    return get


@pytest.fixture
def agent():
    return testing.brand_portal_agents()[0]


@pytest.fixture
def free_port():
    """A port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        yield listener.getsockname()[1]


@pytest.fixture
def silent_port():
    """A port where connections are taken and nothing is ever said."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]
