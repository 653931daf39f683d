# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Of any configuration: what is written is read again as it was wanted, nothing else changes, and nothing raises but a refusal."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import conditions, config, discovery, servers, texts
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.others import setter_in
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.wanted import Refused, wanted
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.host import Host

# (daemon, unit, binary, its file, what the vendor's file says in any case)
KINDS = {
    'chrony with folders': ('chrony', 'chrony.service', '/usr/sbin/chronyd', '/etc/chrony/chrony.conf',
                            'confdir /etc/chrony/conf.d\nsourcedir /etc/chrony/sources.d\n'),
    'chrony with a block': ('chrony', 'chronyd.service', '/usr/sbin/chronyd', '/etc/chrony.conf', 'makestep 1 3\n'),
    'ntpd': ('ntpd', 'ntpd.service', '/usr/sbin/ntpd', '/etc/ntp.conf', 'driftfile /var/lib/ntp/drift\n'),
    'ntpsec': ('ntpsec', 'ntpsec.service', '/usr/sbin/ntpd', '/etc/ntpsec/ntp.conf', 'driftfile /var/lib/ntpsec/ntp.drift\n'),
    'timesyncd': ('timesyncd', 'systemd-timesyncd.service', '/usr/lib/systemd/systemd-timesyncd', '/etc/systemd/timesyncd.conf',
                  '[Time]\n'),
}
NAMES = st.from_regex(r'[a-z]{1,8}\.(example|test)', fullmatch=True)
ADDRESSES = st.one_of(st.integers(1, 254).map('198.51.100.{0}'.format), st.integers(1, 65535).map('2001:db8::{0:x}'.format))
SERVERS = st.one_of(NAMES, ADDRESSES)
NOT_SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def vendor_lines(draw, name):
    """Lines that an administrator may have written."""
    server = draw(SERVERS)
    chrony = ['server {0} iburst', 'pool {0} maxsources 3', 'Server {0} port 1123', 'peer {0}', '# server {0}', '! pool {0}',
              'server {0} nts', 'maxdistance 9', 'minsources 2', 'authselectmode mix', 'makestep 1 3', 'leapsectz right/UTC', '']
    ntpd = ['server {0} iburst', 'pool {0}', 'server -4 {0}', 'peer {0} # old', '#server {0}', 'tos minclock 4 minsane 3',
            'restrict default ignore', 'restrict default kod nomodify noquery', 'restrict 127.0.0.1', 'server 127.127.1.0', '']
    timesyncd = ['NTP={0}', 'FallbackNTP={0}', '#NTP={0}', 'PollIntervalMaxSec=300', 'NTP=', '']
    return draw(st.sampled_from({'chrony': chrony, 'timesyncd': timesyncd}.get(name, ntpd))).format(server)


def host_of(tmp_path, kind, text):
    _name, unit, binary, path, start = KINDS[kind]
    planned = {path: text, binary: '', '/usr/lib/systemd/system/' + unit: '', '/etc/os-release': 'ID=test\n'}
    return config.Overlay(Host(root=str(tmp_path)), planned)


def daemon_of(host, kind):
    facts = next(each for each in discovery.find_daemons(host, {}) if each['name'] == KINDS[kind][0])
    return discovery.make(host, dict(facts, unit=KINDS[kind][1]))


WANTS = {
    'chrony': st.fixed_dictionaries({
        'servers': st.lists(st.one_of(SERVERS, NAMES.map('{0}:1123'.format)), max_size=3), 'pools': st.lists(NAMES, max_size=2),
        'nts_servers': st.lists(NAMES, max_size=2), 'max_distance': st.sampled_from([0, 1.5])}),
    'ntpd': st.fixed_dictionaries({'servers': st.lists(SERVERS, max_size=3), 'pools': st.lists(NAMES, max_size=2)}),
    'timesyncd': st.fixed_dictionaries({'servers': st.lists(SERVERS, max_size=3), 'max_distance': st.sampled_from([0, 2.0])}),
}
WANTS['ntpsec'] = WANTS['ntpd']


@pytest.mark.parametrize('kind', sorted(KINDS))
@given(data=st.data())
@NOT_SLOW
def test_what_is_written_is_read_as_it_was_wanted_and_nothing_else_changes(tmp_path, kind, data):
    name, _unit, _binary, path, start = KINDS[kind]
    ending = data.draw(st.sampled_from(['\n', '\r\n']))
    before = ending.join(start.splitlines() + data.draw(st.lists(vendor_lines(name), max_size=6))) + data.draw(
        st.sampled_from(['', ending]))
    host = host_of(tmp_path, kind, before)
    daemon, want = daemon_of(host, kind), wanted(data.draw(WANTS[name]))
    try:
        daemon.check_against(want)
        planned = daemon.files(want)
    except Refused as refused:
        assert refused.message
        return
    after = {file.path: texts.current(file, host.read(file.path) if host.exists(file.path) else None) for file in planned}
    later = config.Overlay(host, dict(host.planned, **after))
    if path in after:
        assert texts.without_block(after[path]) == before
    assert {each for each in after if each != path} <= {file.path for file in planned if texts.OWN_NAME in file.path}
    again = daemon_of(later, kind)
    asked = [source for source in again.sources() if source.kind in config.ASKED and source.asked]
    for server in want.all_servers:
        found = [source for source in asked if config.folded(source.host) == config.folded(server.host)
                 and (source.port or 123) == (server.port or 123)]
        assert found, (server, after)
        assert server not in want.nts_servers or any(source.nts for source in found)
    own = [line.text for line in again.lines() if line.own]
    assert not want.max_distance or any('{0:g}'.format(want.max_distance) in line for line in own)
    # A second run finds nothing to do, and a run that wants nothing takes all of ours away.
    for file in again.files(want):
        assert texts.current(file, later.read(file.path) or None) == (later.read(file.path) or None)
    for line in again.lines(without_own=True):
        assert not line.own


ODD = st.one_of(
    st.text(max_size=200),
    st.lists(st.sampled_from([
        'server', 'pool', 'include', 'include /etc/*', 'confdir', 'sourcedir /', 'server \0', '[Time', 'NTP', '=', 'restrict',
        'restrict -6', 'restrict default mask', 'restrict x mask', 'tos', 'includefile', 'includefile /', 'includefile \0',
        'refclock', 'server -4', 'minsources x', 'authselectmode', 'keyfile', 'server a port', 'server a port 99999999999',
        '\\', 'NTP=\\', '"', "'", 'server fe80::1%', 'server [', 'server a,b', 'local',
        'server ' + 'x' * 300, 'confdir /etc/chrony /etc/chrony']),
        max_size=12).map('\n'.join))


@pytest.mark.parametrize('kind', sorted(KINDS))
@given(text=ODD, unit=ODD, defaults=ODD)
@NOT_SLOW
def test_an_invalid_configuration_never_raises(tmp_path, kind, text, unit, defaults):
    host = host_of(tmp_path, kind, text)
    host.planned.update({'/usr/lib/systemd/system/' + KINDS[kind][1]: unit, '/etc/default/chrony': defaults,
                         '/etc/sysconfig/ntpd': defaults, '/etc/default/ntpsec': defaults, '/proc/net/fib_trie': text,
                         '/etc/crontab': text})
    for word in servers.effective_ntp_servers(host):
        assert isinstance(word, str)
    daemon = daemon_of(host, kind)
    assert isinstance(daemon.source_names(), list)
    want = wanted({'servers': ['wanted.example'], 'max_distance': 1.5})
    try:
        daemon.check_against(want)
        daemon.files(want)
    except Refused:
        pass
    conditions.unmet_condition(host, KINDS[kind][1])


@given(st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_no_line_of_a_crontab_raises(text):
    assert isinstance(setter_in(text), str)
