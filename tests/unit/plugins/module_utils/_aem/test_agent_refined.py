# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts about a failure that are not on the agent's page:  how it authenticates, the measured clock, the queue."""

import json

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import agents, authentication, causes
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import client as aem_http
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import connection_test as test
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import test_page as page

NOW = 1795700000  # November 2026
BEFORE = causes.JWT_ENDED - 1
NO_TOKEN = 'Failed to get an access token for user: x msg: '
NOT_YET = NO_TOKEN + 'PKIX path validation failed: java.security.cert.CertPathValidatorException: validity check failed'


@pytest.mark.parametrize(('cause', 'evidence', 'code', 'way', 'behind', 'now', 'becomes'), [
    # A JWT after its end, regardless of the clock and of a clock in the message
    ('jwt_expired', NO_TOKEN + '{}', 401, 'jwt', True, NOW, 'jwt_end_of_life'),
    ('certificate_dates', NOT_YET, None, 'jwt', True, NOW, 'jwt_end_of_life'),
    ('pkix_path', NOT_YET, 401, 'jwt', False, NOW, 'jwt_end_of_life'),
    ('unknown', NO_TOKEN + 'null', 401, 'jwt', False, NOW, 'jwt_end_of_life'),
    ('key_not_accepted', 'sent. Response: 401 Unauthorized', 401, 'jwt', True, NOW, 'jwt_end_of_life'),
    ('keystore_not_initialized', NO_TOKEN + 'Uninitialised key store', 401, 'jwt', False, NOW, 'jwt_end_of_life'),
    ('jwt_end_of_life', NO_TOKEN + '500', 401, 'jwt', False, NOW, 'jwt_end_of_life'),
    ('jwt_end_of_life', NO_TOKEN + '500', 401, 'unknown', False, NOW, 'jwt_end_of_life'),
    # Adobe's words on the JWT itself, and what comes before any token, stay
    ('jwt_signature_mismatch', NO_TOKEN + '{}', 401, 'jwt', False, NOW, 'jwt_signature_mismatch'),
    ('unknown_host', NO_TOKEN + 'ims-na1.adobelogin.com', 401, 'jwt', False, NOW, 'unknown_host'),
    ('access_denied', 'Repository error during node import: Access denied', 200, 'jwt', False, NOW, 'access_denied'),
    # The exchange is not there any more; a proxy's page is something else
    ('token_unreadable', NO_TOKEN + 'x authorization server status: 404 response: ', 401, 'jwt', False, NOW, 'jwt_end_of_life'),
    ('token_unreadable', NO_TOKEN + 'x authorization server status: 410 response: {}', 401, 'jwt', True, NOW, 'jwt_end_of_life'),
    ('token_unreadable', NO_TOKEN + 'x authorization server status: 307 response: ', 401, 'jwt', False, NOW, 'token_unreadable'),
    ('token_unreadable', NO_TOKEN + 'x authorization server status: 404 response: ', 401, 'oauth_server_to_server', False, NOW,
     'token_unreadable'),
    # Before its end, and where no time is believed, it is not told
    ('jwt_expired', NO_TOKEN + '{}', 401, 'jwt', True, BEFORE, 'jwt_expired'),
    ('jwt_expired', NO_TOKEN + '{}', 401, 'jwt', True, None, 'jwt_expired'),
    # The legacy gateway and Server-to-Server have no JWT of that kind
    ('jwt_expired', NO_TOKEN + '{}', 401, 'legacy_gateway', True, NOW, 'jwt_expired'),
    ('jwt_end_of_life', NO_TOKEN + '500', 401, 'oauth_server_to_server', False, NOW, 'ims_unavailable'),
    ('certificate_dates', NOT_YET, None, 'oauth_server_to_server', True, NOW, 'certificate_dates'),
    # 401 without a line about a token
    ('key_not_accepted', 'sent. Response: 401 Unauthorized', 401, 'oauth_server_to_server', True, NOW, 'token_outlived'),
    ('key_not_accepted', 'sent. Response: 401 Unauthorized', 401, 'unknown', True, None, 'token_outlived'),
    ('key_not_accepted', 'sent. Response: 401 Unauthorized', 401, 'unknown', False, NOW, 'key_not_accepted'),
    ('invalid_client_secret', NO_TOKEN + '{}', 401, 'oauth_server_to_server', True, NOW, 'invalid_client_secret'),
])
def test_more_than_the_page_is_known(cause, evidence, code, way, behind, now, becomes):
    assert causes.refined(cause, evidence, code, way, behind, now).id == becomes


def test_neither_end_of_life_nor_a_network_failure_is_ever_the_clocks():
    for name in ('jwt_end_of_life', 'key_not_accepted', *causes._OF_THE_NETWORK):
        assert causes.BY_ID[name].clock_related == 'no'
    assert causes.TOKEN_OUTLIVED.clock_related == 'likely'


# How it authenticates


class Fake:
    """An AEM that shows these pages to this account."""

    def __init__(self, pages):
        self.pages = pages
        self.asked = []

    def get(self, path, _timeout):
        self.asked.append(path)
        shown = self.pages.get(path)
        if shown is None:
            return aem_http.AemAnswer(404, {}, b'', 0.0)
        body = shown if isinstance(shown, str) else json.dumps(shown)
        return aem_http.AemAnswer(200, {'Content-Type': 'application/json'}, body.encode(), 0.0)


def configured(**properties):
    shown = {name.replace('_', '.'): {'value': value} for name, value in properties.items()}
    return {authentication.CONFIGURATIONS: [{'pid': 'p', 'properties': shown}]}


def listed(request, grants=None):
    properties = {'name': {'value': 'bp'}, 'auth.access.token.request': {'value': request}}
    if grants:
        properties['auth.token.provider.authorization.grants'] = grants
    return {authentication.CONFIGURATIONS: [{'pid': 'p', 'properties': properties}, {'pid': 'q', 'properties': {}}, None]}


@pytest.mark.parametrize(('pages', 'way'), [
    (listed('https://ims-na1.adobelogin.com/ims/exchange/jwt'), 'jwt'),
    (listed('https://ims-na1.adobelogin.com/ims/exchange/jwt/'), 'jwt'),
    (listed('https://ims-na1.adobelogin.com/ims/token/v3'), 'oauth_server_to_server'),
    (listed('https://ims-na1.adobelogin.com/ims/token'), 'oauth_server_to_server'),
    (listed('https://ims/x', {'values': ['client_credentials']}), 'oauth_server_to_server'),
    (listed('https://gateway.example.com/oauth'), 'legacy_gateway'),
    (listed(''), 'unknown'),
    ({authentication.CONFIGURATIONS: '<html>login</html>'}, 'unknown'),
    ({}, 'unknown'),
    ({authentication.OVERVIEW: {'Instance': {'Adobe Experience Manager': '6.2.0'}}}, 'legacy_gateway'),
    ({authentication.OVERVIEW: {'Instance': {'Adobe Experience Manager': '6.5.3.0'}}}, 'legacy_gateway'),
    ({authentication.OVERVIEW: {'Instance': {'Adobe Experience Manager': '6.5.10.0'}}}, 'unknown'),
    ({authentication.OVERVIEW: {'Instance': {'Adobe Experience Manager': '6.6.2'}}}, 'unknown'),
    ({authentication.OVERVIEW: {'Instance': {'Adobe Experience Manager': '6.5 LTS SP3'}}}, 'unknown'),
    ({authentication.OVERVIEW: {'Instance': None}}, 'unknown'),
    ({authentication.OVERVIEW: {'Instance': {}, 'Repository': {'Apache Jackrabbit Oak': '1.4.1'}}}, 'legacy_gateway'),
    ({authentication.OVERVIEW: {'Instance': {}, 'Repository': {'Apache Jackrabbit Oak': '1.22.3'}}}, 'unknown'),
    ({authentication.OVERVIEW: {'Instance': {}, 'Repository': []}}, 'unknown'),
    ({authentication.OVERVIEW: []}, 'unknown'),
])
def test_the_way_from_what_the_account_may_read(pages, way):
    aem = Fake(pages)
    ways = authentication.Ways(aem)
    assert ways.of('bp') == way
    asked = len(aem.asked)
    assert ways.of('bp') == way and len([path for path in aem.asked[asked:] if path != authentication.OVERVIEW]) == 0


def test_the_way_from_the_repository_where_the_console_is_hidden():
    name = authentication.FACTORY + '.0b1f3c52.config'
    stored = '# by the installer\nname="bp"\nauth.access.token.request="https\\://ims-na1.adobelogin.com/ims/exchange/jwt"\n'
    aem = Fake({authentication.STORED + '.1.json': {name: {}, 'other.config': {}}, authentication.STORED + '/' + name: stored})
    assert authentication.Ways(aem).of('bp') == 'jwt'
    assert authentication.STORED + '/other.config' not in aem.asked


def test_another_provider_tells_nothing():
    assert authentication.Ways(Fake(listed('https://ims-na1.adobelogin.com/ims/exchange/jwt'))).of('another') == 'unknown'


@pytest.mark.parametrize(('said', 'way'), [
    ('POST https://ims-na1.adobelogin.com/ims/exchange/jwt', 'jwt'),
    ('POST https://ims-na1.adobelogin.com/ims/exchange/v1/jwt/', 'jwt'),
    ('{"error":"invalid_token","error_description":"Could not match signature to any of the bindings"}', 'jwt'),
    ('https://ims-na1.adobelogin.com/ims/token/v3', 'oauth_server_to_server'),
    ('This client: 3f2a is no longer allowed to get access token.', 'legacy_gateway'),
    ('JWT has expired', 'unknown'),
])
def test_the_way_from_the_page(said, way):
    read = page.read('2026-11-26 10:00:00 - {0}<br>2026-11-26 10:00:00 - << X: /ims/exchange/jwt<br>'.format(said))
    assert authentication.of_page(read) == way
    assert authentication.Ways(Fake({})).of('', read) == way


# Results as the modules give them


def result(**changes):
    found = {
        'agent': 'a', 'succeeded': False, 'cause': 'key_not_accepted', 'evidence': 'sent. Response: 401 Unauthorized',
        'response_code': 401, 'authentication': 'unknown', 'skew': None, 'remote_date': None, 'meaning': 'm', 'advice': 'a',
        'clock_related': 'no', 'direction': None, 'not_before': None, 'not_after': None,
    }
    return dict(found, **changes)


def test_the_agents_own_dates_stand_in_for_a_measurement():
    behind, right = {'low': 10797.0, 'high': 10803.0}, {'low': -2.0, 'high': 2.0}
    for skew, cause in ((behind, 'token_outlived'), (right, 'key_not_accepted'), (None, 'key_not_accepted')):
        (found,) = test.refined([result(skew=skew)], None, None)
        assert found['cause'] == cause
    (found,) = test.refined([result(skew=behind)], False, None)  # measured to be right
    assert found['cause'] == 'key_not_accepted'
    (found,) = test.refined([result(authentication='jwt', remote_date='2026-11-26T10:00:00Z')], None, None)
    assert (found['cause'], found['clock_related'], found['direction']) == ('jwt_end_of_life', 'no', None)
    assert 'OAuth Server-to-Server' in found['advice']


@pytest.mark.parametrize(('cause', 'date', 'now', 'clock_related'), [
    ('certificate_expired', 'not_after', NOW, 'no'),
    ('certificate_expired', 'not_after', NOW - 86400, 'likely'),
    ('certificate_not_yet_valid', 'not_before', NOW - 86400, 'no'),
    ('certificate_not_yet_valid', 'not_before', NOW, 'likely'),
    ('certificate_expired', 'not_after', None, 'likely'),   # no time is believed
    ('certificate_expired', None, NOW, 'likely'),           # the message has no date
])
def test_a_certificate_that_trusted_time_refuses_too_is_not_the_clocks(cause, date, now, clock_related):
    """However wrong the clock is: with a right one, the same certificate is refused."""
    known = causes.BY_ID[cause]
    said = result(cause=cause, evidence='NotAfter: x', response_code=None, clock_related='likely', direction=known.direction,
                  not_before=None, not_after=None, meaning=known.meaning, advice=known.advice)
    if date:
        said[date] = '2026-11-26T00:00:00Z'     # in the day before NOW
    (found,) = test.refined([said], True, now)
    assert (found['cause'], found['clock_related']) == (cause, clock_related)
    assert found['direction'] == (None if clock_related == 'no' else known.direction)
    assert ('trusted time too' in found['meaning']) is (clock_related == 'no')
    assert ('skew' in found['advice'] or 'trusted time' in found['advice']) is (clock_related == 'likely')
    valid = bool(date and now and clock_related == 'likely')
    assert ('valid by trusted time' in found['meaning']) is valid
    assert not valid or 'renewed' not in found['advice']


def test_the_way_is_told_where_the_words_leave_one():
    expired = result(cause='jwt_expired', evidence=NO_TOKEN + '{}')
    assert test.refined([expired], True, NOW)[0]['authentication'] == 'legacy_gateway'
    assert test.refined([expired], True, BEFORE)[0]['authentication'] == 'unknown'
    ended = result(cause='jwt_end_of_life', evidence=NO_TOKEN + 'JWT exchange is no longer supported')
    assert test.refined([ended], False, None)[0]['authentication'] == 'jwt'


@pytest.mark.parametrize(('way', 'cause', 'advice'), [
    ('unknown', 'jwt_end_of_life', 'status.adobe.com first'), ('legacy_gateway', 'ims_unavailable', 'status.adobe.com'),
    ('oauth_server_to_server', 'ims_unavailable', 'status.adobe.com'), ('jwt', 'jwt_end_of_life', 'OAuth Server-to-Server')])
def test_an_internal_error_of_adobe_is_the_end_of_jwt_for_sure_only_for_a_jwt(way, cause, advice):
    """The same words may come from an IMS that is out of service."""
    known = causes.BY_ID['jwt_end_of_life']
    said = result(cause=known.id, meaning=known.meaning, advice=known.advice, authentication=way,
                  evidence=NO_TOKEN + 'x status: 500 response: {"error": "internal_error"}')
    (found,) = test.refined([said], False, NOW)
    assert (found['cause'], found['authentication']) == (cause, way)
    assert advice in found['advice']
    assert ('probably' in found['meaning']) is (way == 'unknown')


def test_a_success_is_left_alone():
    succeeded = result(succeeded=True, cause='none', authentication='jwt')
    assert test.refined([succeeded], True, NOW) == [succeeded]


# Agents that a test would let purge a cache


def agent(**properties):
    content = {'sling:resourceType': 'cq/replication/components/agent', 'enabled': True, **properties}
    return agents.parse('a', content)


@pytest.mark.parametrize('properties', [
    {'serializationType': 'flush', 'transportUri': 'http://127.0.0.1/dispatcher/invalidate.cache'},
    {'transportUri': 'http://127.0.0.1/dispatcher/invalidate.cache'},
    {'transportUri': 'http://127.0.0.1/', 'protocolHTTPHeaders': ['CQ-Action:{action}', 'CQ-Handle:{path}']},
    {'transportUri': 'http://127.0.0.1/bin/receive', 'protocolHTTPHeaders': ['CQ-Action:{action}']},
    {'transportUri': 'http://127.0.0.1/bin/receive', 'protocolHTTPHeaders': 'CQ-Action:{action}'},
    {'serializationType': 'akamai', 'transportUri': 'akamai://purge.example.com'},
    {'sling:resourceType': 'akamai/replication/components/akamai', 'transportUri': 'akamai://purge.example.com'},
    {'serializationType': 'durbo', 'transportUri': 'https://api.fastly.com/service/x/purge_all'},
    {'transportUri': 'cloudfront://distribution'},
    {'serializationType': 'cloudfront', 'transportUri': 'https://cdn.example.com/bin/receive'},
    {'transportUri': 'https://api.cloudflare.com/client/v4/zones/x/purge_cache'},
    {'transportUri': 'tnt://'},
    {'transportUri': 'static://'},
    {'transportUri': ''},
    {'transportUri': 'http://cdn.example.com/bin/receive', 'protocolHTTPMethod': 'PURGE'},
    {'transportUri': 'http://publish:4503/bin/receive', 'cq:template': '/libs/cq/replication/templates/revagent'},
    {'transportUri': 'cloudfront://distribution/bin/receive'},
    {'transportUri': 'https://acme.brand-portal.adobe.com/bin/receive', 'serializationType': 'flush'},
])
def test_an_agent_that_may_purge_is_never_tested(properties):
    assert agent(**properties).untestable
    with pytest.raises(agents.AgentsError, match='must not be tested'):
        agents.select([agent(**properties)], ['a'])


@pytest.mark.parametrize('properties', [
    {'transportUri': 'https://acme.brand-portal.adobe.com/bin/receive?sling:authRequestLogin=1', 'serializationType': 'durbo'},
    {'transportUri': 'http://publish:4503/bin/receive?sling:authRequestLogin=1', 'protocolHTTPMethod': 'POST'},
    {'transportUri': 'http://publish/bin/receive', 'protocolHTTPMethod': '', 'cq:template': '/libs/cq/replication/templates/agent'},
    {'transportUri': 'https://publish/context/bin/receive', 'serializationType': 'durbo'},
    {'transportUri': 'https://acme.brand-portal.adobe.com/bin/receive', 'protocolHTTPHeaders': ['Action:{action}']},
])
def test_an_agent_that_leads_to_a_receiver_is_tested(properties):
    assert not agent(**properties).untestable


def test_the_name_of_the_token_provider_is_taken_from_an_agent_with_oauth():
    assert agent(enableOauth='true', accessTokenProviderName='bp').token_provider == 'bp'
    assert agent(enableOauth='false', accessTokenProviderName='bp').token_provider == ''
