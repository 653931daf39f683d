# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of the host's own configuration: they never stop a measurement, and the host is no witness for itself."""

import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import conclusion, measurement, ntplib_loader
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import BadOption
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.ntp_client import PORT, Query
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.resolver import Address, parse_endpoint
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.server_word import ServerWord
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._clock.clock_servers import (
    HttpsServer,
    NtpServer,
    dated,
    honest,
    host_clock,
)

PLACE = '/etc/chrony.conf line 3'


@pytest.mark.parametrize('word', [ServerWord('a.example,b.example', PLACE), ServerWord('-4', PLACE, 'no server (%s)' % PLACE)])
def test_a_word_that_is_no_server_becomes_a_source_with_its_place(authority, word):
    with HttpsServer(dated(), *authority.issue('tenant')) as tenant:
        options = {'ntp_servers': [word], 'https_urls': [tenant.url()], 'ca_path': authority.path, 'timeout': 5}
        found = conclusion.conclude(measurement.measure(options, ntplib_loader.load(), make_anchor=host_clock(0)), 5.0)
    assert (found['verdict'], found['verified']) == ('in_sync', True)
    bad = found['sources'][0]
    assert (bad['source'], bad['accepted'], bad['low']) == (str(word), False, None)
    assert PLACE in bad['reason']


def test_the_same_word_of_the_user_s_option_is_refused():
    with pytest.raises(BadOption, match='has no host'):
        measurement.plan_for({'ntp_servers': ['a.example,b.example']})


@given(st.text(max_size=30), st.text(max_size=10))
@settings(max_examples=300)
def test_no_word_of_the_host_raises(word, reason):
    plan = measurement.plan_for({'ntp_servers': [ServerWord(word, PLACE, reason)]})
    assert len(plan.servers) + len(plan.unusable) == 1


def test_the_host_s_own_daemon_does_not_outvote_the_tenant(authority):
    with NtpServer(honest(-90, stratum=6)) as own, HttpsServer(dated(), *authority.issue('tenant')) as tenant:
        options = {'ntp_servers': [ServerWord(own.name, PLACE)], 'https_urls': [tenant.url()], 'ca_path': authority.path,
                   'timeout': 5}
        found = conclusion.conclude(measurement.measure(options, ntplib_loader.load(), make_anchor=host_clock(90)), 5.0)
        assert (found['verdict'], found['verified']) == ('skewed', True)
        assert 'is this host itself' in found['sources'][0]['reason']
        assert PLACE in found['sources'][0]['reason']
        # The user's own word with a port of its own may be a tunnel.
        options['ntp_servers'] = [str(options['ntp_servers'][0])]
        found = conclusion.conclude(measurement.measure(options, ntplib_loader.load(), make_anchor=host_clock(90)), 5.0)
        assert found['verdict'] == 'sources_disagree'


class Connected:
    """A socket whose own address the kernel has chosen."""

    def __init__(self, own):
        self.own = own

    def getsockname(self):
        return (self.own, 40000)


@pytest.mark.parametrize(('address', 'own', 'place', 'port', 'itself'), [
    ('192.0.2.7', '192.0.2.7', '', PORT, True), ('192.0.2.7', '192.0.2.9', '', PORT, False),
    ('192.0.2.7', '192.0.2.7', '', 1123, False), ('192.0.2.7', '192.0.2.7', ' (x)', 1123, True),
    ('127.0.0.5', '127.0.0.1', '', PORT, True), ('0.0.0.0', '127.0.0.1', ' (x)', PORT, True),
    ('2001:db8::1', '2001:db8::1', '', PORT, True), ('2001:db8::1', '2001:db8::2', ' (x)', PORT, False),
])
def test_an_own_address_is_told_by_what_the_kernel_chooses(address, own, place, port, itself):
    class Peer:
        pass
    peer = Peer()
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    peer.address, peer.place, peer.socket = Address(family, (address, port)), place, Connected(own)
    assert Query._is_own_clock(peer) is itself


@pytest.mark.parametrize('text', ['[fe80::1234%enP1s0]:123', 'fe80::1234%enP1s0', '[FE80::1234%enP1s0]'])
def test_the_zone_of_an_address_keeps_its_case(text):
    assert parse_endpoint(text, 123, 'ntp_servers') == ('fe80::1234%enP1s0', 123)
