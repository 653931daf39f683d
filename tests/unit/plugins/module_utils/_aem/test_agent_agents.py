# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Agents from AEM's JSON, and which of them are tested."""

import json

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import agents

AGENT = 'cq/replication/components/agent'


def uri(tenant):
    return 'https://{0}.brand-portal.adobe.com/bin/receive?sling:authRequestLogin=1'.format(tenant)


def content(**properties):
    written = {
        'sling:resourceType': AGENT,
        'jcr:title': 'An Agent',
        'enabled': 'true',
        'serializationType': 'durbo',
        'transportUri': uri('acme'),
        'transportUser': 'somebody',
        'transportPassword': '{6fd1c2a9b04e77f03c58d1be92a64f10}',
    }
    written.update({name.replace('__', ':'): value for name, value in properties.items()})
    return written


def tree(**contents):
    nodes = {name: {'jcr:primaryType': 'cq:Page', 'jcr:content': node} for name, node in contents.items()}
    nodes['jcr:primaryType'] = 'cq:Page'
    nodes['jcr:content'] = {
        'sling:resourceType': 'cq/replication/components/agentlist',
        'jcr:title': 'Agents on Author',
    }
    return nodes


@pytest.mark.parametrize(
    'value, enabled',
    [
        (True, True),
        ('true', True),
        (' TRUE ', True),
        (['true'], True),
        (False, False),
        ('false', False),
        ('', False),
        (None, False),
        (1, False),
        ([], False),
        ('yes', False),
    ],
)
def test_enabled_is_a_boolean_or_a_string(value, enabled):
    assert agents.parse('a', content(enabled=value)).enabled is enabled


@pytest.mark.parametrize(
    'address, tenant, origin',
    [
        (uri('acme'), 'acme', 'https://acme.brand-portal.adobe.com/'),
        ('https://ACME.Brand-Portal.Adobe.com./bin/receive', 'acme', 'https://acme.brand-portal.adobe.com/'),
        ('https://acme.brand-portal.adobe.com:8443/x', 'acme', 'https://acme.brand-portal.adobe.com:8443/'),
        ('https://u:p@acme.brand-portal.adobe.com/x', 'acme', 'https://acme.brand-portal.adobe.com/'),
        ('https://a.b.brand-portal.adobe.com/x', 'a.b', 'https://a.b.brand-portal.adobe.com/'),
        ('https://brand-portal.adobe.com/x', '', 'https://brand-portal.adobe.com/'),
        ('https://evil.example/?acme.brand-portal.adobe.com', '', 'https://evil.example/'),
        ('https://acme.brand-portal.adobe.com.evil.example/', '', 'https://acme.brand-portal.adobe.com.evil.example/'),
        ('http://localhost:4503/bin/receive', '', ''),
        ('https://[::1]:4503/', '', 'https://[::1]:4503/'),
        ('https://[broken', '', ''),
        ('https://host:notaport/', '', ''),
        ('https://=.brand-portal.adobe.com/x', '=', ''),
        ('https://a b.brand-portal.adobe.com/x', 'a b', ''),
        ('https://[g::1]/', '', ''),
        ('https://0123.brand-portal.adobe.com/x', '0123', 'https://0123.brand-portal.adobe.com/'),
    ],
)
def test_the_tenant_is_the_host_of_the_transport_uri(address, tenant, origin):
    agent = agents.parse('a', content(transportUri=address))
    assert (agent.tenant, agent.origin) == (tenant, origin)


@pytest.mark.parametrize(
    'properties',
    [
        {'reverseReplication': True},
        {'reverseReplication': 'true'},
        {'transportUri': 'repo://var/replication/outbox'},
        {'transportUri': 'https://acme.brand-portal.adobe.com/bin/Outbox'},
        {'sling__resourceType': 'cq/replication/components/revagent'},
        {'sling__resourceType': 'cq/replication/components/outbox'},
        {'serializationType': 'flush'},
        {'transportUri': 'static://x'},
    ],
)
def test_some_agents_are_never_tested(properties):
    found = agents.parse_tree(tree(a=content(**properties)))
    assert found[0].untestable
    assert not agents.public(found[0])['testable']
    with pytest.raises(agents.AgentsError) as all_of_them:
        agents.select(found, [])
    assert all_of_them.value.kind == 'no_agents'
    with pytest.raises(agents.AgentsError) as named:
        agents.select(found, ['a'])
    assert named.value.kind == 'unknown_agent'


def found_in(**contents):
    return agents.parse_tree(tree(**contents))


def test_all_enabled_brand_portal_agents_of_all_tenants():
    found = found_in(
        a=content(),
        b=content(enabled=False),
        c=content(transportUri=uri('other'), enabled=True),
        d=content(transportUri='http://localhost:4503/bin/receive'),
    )
    chosen = agents.select(found, [])
    assert [agent.name for agent in chosen] == ['a', 'c']
    assert agents.origins(chosen) == ['https://acme.brand-portal.adobe.com/', 'https://other.brand-portal.adobe.com/']


def test_named_agents_are_taken_whatever_they_lead_to():
    found = found_in(a=content(), d=content(transportUri='http://localhost:4503/bin/receive'))
    assert [agent.name for agent in agents.select(found, ['d', 'a', 'd'])] == ['d', 'a']


def test_an_unknown_agent_is_answered_with_those_there_are():
    found = found_in(a=content(), b=content(enabled=False), c=content(reverseReplication=True))
    with pytest.raises(agents.AgentsError) as error:
        agents.select(found, ['a', 'nobody'])
    assert error.value.kind == 'unknown_agent'
    assert error.value.message == 'AEM has no agent nobody. The option agents may name: a.'
    with pytest.raises(agents.AgentsError) as disabled:
        agents.select(found, ['b'])
    assert 'b: it is disabled in AEM' in disabled.value.message


def test_no_credentials_are_taken_out_of_the_tree():
    shown = json.dumps(
        [agents.public(agent) for agent in found_in(a=content(transportUri='https://me:hunter2@h/', clientSecret='cs'))]
    )
    for secret in ('6fd1c2a9', 'somebody', 'hunter2', 'cs"'):
        assert secret not in shown


@pytest.mark.parametrize('shown, words', [
    ({}, 'grant the account jcr:read below /etc/replication'),
    ({'mp_0': content(enabled='false')}, '(disabled: mp_0)'),
    ({'mp_0': content(enabled='false'), 'mp_1': content(serializationType='flush')},
     'AEM has no enabled Brand Portal agent that can be tested (disabled: mp_0; not to be tested: mp_1: it flushes a cache'),
])
def test_no_agent_to_test_may_be_one_that_the_account_does_not_see(shown, words):
    with pytest.raises(agents.AgentsError) as error:
        agents.select(agents.parse_tree(tree(**shown)), [])
    assert words in error.value.message
    assert ('grant' in error.value.message) is (not shown)


def test_pages_that_are_no_agents():
    assert agents.parse('x', {'jcr:title': 'A folder'}) is None
    assert agents.parse_tree({'a': 'text', 'b': {'jcr:content': 'text'}, 'c': {}}) == []
    assert agents.names_in(tree(a=content(), b=content())) == ['a', 'b']


QUEUE = {
    'metaData': {'queueStatus': {'isBlocked': True, 'isPaused': 'false'}},
    'queue': [{'id': '1', 'time': 1488307191000}, {'id': '2', 'time': 1488307100500}, {'id': '3'}, 'odd'],
}


def test_a_queue():
    assert agents.parse_queue(QUEUE, 1488307200) == {
        'blocked': True,
        'paused': False,
        'pending': 4,
        'oldest': '2017-02-28T18:38:20Z',
        'oldest_age': 99.5,
    }
    assert agents.parse_queue(dict(QUEUE, queue=[]), 1488307200)['oldest_age'] is None
    for odd in ({}, {'queue': []}, {'queue': 1, 'metaData': {'queueStatus': {}}}, {'queue': [], 'metaData': []}):
        assert agents.parse_queue(odd, None) is None
