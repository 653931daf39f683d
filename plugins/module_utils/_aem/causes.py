# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why Brand Portal refuses: one table of causes, and the search for the one that explains a page. Pure.

To add a cause, add a row. The order of the rows is the order of causality: the first row that matches any of the
agent's own lines wins, so what merely follows from another failure (a 401 after a refused token) stands further down.
"""

import functools
import re
from typing import List, NamedTuple, Optional, Pattern, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import dates
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import page as pages


class Cause(NamedTuple):
    """A row of the table."""

    id: str
    pattern: str = ''                # searched in each of the agent's own lines, in any case; '' in rows found otherwise
    clock_related: str = 'no'        # 'yes', 'likely' (measure before you believe it) or 'no'
    direction: Optional[str] = None  # if it is the clock: AEM is 'behind' or 'ahead'
    meaning: str = ''
    advice: str = ''
    source: str = ''
    context: str = ''                # when not '', the same line must match this as well
    in_body: bool = False            # also look into the body of Brand Portal's answer
    codes: Tuple[int, ...] = ()      # instead of a pattern: Brand Portal's answer, when no line about a token explains it


class Finding(NamedTuple):
    """The cause of a page's failure and the line that shows it."""

    cause: Cause
    evidence: str               # secrets still in it
    not_before: Optional[int]   # a certificate's dates when the line tells them, seconds since the epoch
    not_after: Optional[int]


_KA = 'Adobe knowledge base KA-10565'
_IMS = 'https://developer.adobe.com/developer-console/docs/guides/authentication/JWT/'
_PUBLISHING = 'https://helpx.adobe.com/experience-manager/brand-portal/using/troubleshoot-parallel-publishing.html'
_CONFIGURE = 'https://helpx.adobe.com/experience-manager/6-3/assets/using/brand-portal-configuring-integration.html'
_DYNAMIC_MEDIA = 'https://experienceleague.adobe.com/docs/experience-manager-65/assets/dynamic/config-dynamic.html'
_ACCESS_DENIED = 'https://helpx.adobe.com/experience-manager/kb/Access-denied-on-replication-AEM.html'
_REPLICATION = 'https://experienceleague.adobe.com/docs/experience-manager-65/deploying/configuring/replication.html'
_JAVA_CERT = 'https://docs.oracle.com/javase/8/docs/api/java/security/cert/package-summary.html'
_JAVA_NET = 'https://docs.oracle.com/javase/8/docs/api/java/net/package-summary.html'
_JAVA_SSL = 'https://docs.oracle.com/javase/8/docs/api/javax/net/ssl/package-summary.html'
_HTTP = 'https://www.rfc-editor.org/rfc/rfc9110#section-15'

# A line about the exchange of the JWT for an access token.
_TOKEN = r'access token|authorization server|\berror["\']?\s{0,4}[:=]|ims/'
_TOKEN_FAILED = re.compile(r'(?i)failed to get (?:an )?access token|no oauth token')


def _error(code: str) -> str:
    """An OAuth error code as a word of its own: not as part of a tenant's or an agent's name."""
    return r'(?<![\w-]){0}(?![\w-])'.format(code)


CAUSES = (
    # The authorization server has answered: nothing says more about the cause than its own words.
    Cause(
        'jwt_signature_mismatch', r'could not match JWT signature to any of the bindings',
        meaning='Adobe knows no public key that fits the signature of the JWT.',
        advice="Compare the certificate in AEM's keystore with the one of the integration at Adobe, where an expired "
               'one does not count, and create the Brand Portal configuration anew with a fresh pair of keys.',
        source=_IMS,
    ),
    Cause(
        'no_valid_bindings', r'no valid bindings were found for organization and technical account combination',
        meaning='The public key of the integration at Adobe is missing or has expired.',
        advice='Upload a new public certificate to the integration at Adobe, and create the Brand Portal '
               'configuration anew.',
        source=_IMS,
    ),
    Cause(
        'jwt_malformed', r'JWT token is incorrectly formatted',
        meaning='Adobe cannot decode the JWT.',
        advice='Check the private key and the organization, account and client identifiers, and create the '
               'Brand Portal configuration anew.',
        source=_IMS,
    ),
    Cause(
        'jwt_missing', r'JWT token is missing',
        meaning='AEM sent no JWT: it could not sign one, because the private key is broken or missing.',
        advice='Create the keystore entry and the Brand Portal configuration anew.',
        source=_IMS,
    ),
    Cause(
        'jwt_not_yet_valid', r'(?:JWT|token)(?: token)? (?:is )?not yet valid|issued in the future',
        'likely', 'ahead',
        meaning='The JWT is valid only from a later moment on: the clock AEM signs with may be ahead.',
        advice='Compare the measured skew. If the clock is right, look at the token provider that makes the JWT.',
        source='https://www.rfc-editor.org/rfc/rfc7519#section-4.1.5',
        context=_TOKEN,
    ),
    Cause(
        'token_expired', r'\bexpired\b|\bexpiry\b|\bexpiration\b',
        'likely', 'behind',
        meaning='Adobe calls the token invalid because of its expiry: the clock AEM signs with may be behind.',
        advice='Compare the measured skew. If the clock is right, look at the expiry that the token provider sets.',
        source=_IMS,
        context=_error('invalid_token'),
    ),
    Cause(
        'jwt_expired', r'\bJWT(?: token)? (?:has |is )?expired\b',
        'yes', 'behind',
        meaning="The JWT's expiry is already past for Adobe: the clock AEM signs with is behind.",
        advice="Set AEM's clock right and keep it so with NTP, then test again.",
        source=_KA,
    ),
    Cause(
        'invalid_client_secret', r'invalid client_secret parameter',
        meaning="Adobe does not accept the client secret: AEM's crypto keys may be lost by an upgrade or a restore.",
        advice="Restore AEM's crypto keys or enter the client secret again, and create the Brand Portal configuration "
               'anew.',
        source=_IMS,
    ),
    Cause(
        'client_not_allowed', r'this client: .{1,300}? is no longer allowed to get access token',
        meaning='The application is one of the legacy OAuth gateway, which Adobe does not serve any more.',
        advice='Move the Brand Portal configuration to Adobe Developer Console.',
        source=_CONFIGURE,
    ),
    Cause(
        'invalid_signature', _error('invalid_signature'),
        meaning='The signature of the JWT fits no certificate of the integration, or not the algorithm it names.',
        advice="Compare the certificate in AEM's keystore with the one of the integration at Adobe.",
        source=_IMS, context=_TOKEN,
    ),
    Cause(
        'invalid_scope', _error('invalid_scope'),
        meaning='The JWT asks for scopes that the integration does not have.',
        advice='Compare the scopes in AEM with those of the integration at Adobe.',
        source=_IMS, context=_TOKEN,
    ),
    Cause(
        'invalid_jti', _error('invalid_jti'),
        meaning='The integration demands a jti claim; it is missing or was used before.',
        advice='Look at the token provider in AEM: each JWT needs a jti of its own.',
        source='https://www.adobe.io/apis/cloudplatform/console/authentication/connect.html',
        context=_TOKEN,
    ),
    Cause(
        'bad_request', _error('bad_request'),
        meaning='Adobe can decode the JWT, but a claim in it has a wrong form.',
        advice='Compare the organization, account and client identifiers in AEM with those of the integration.',
        source=_IMS, context=_TOKEN,
    ),
    Cause(
        'invalid_client', _error('invalid_client'),
        meaning='Adobe does not know the integration, or its client identifier and secret do not belong together.',
        advice='Compare the client identifier and secret in AEM with those of the integration at Adobe.',
        source=_IMS, context=_TOKEN,
    ),

    # TLS failed on a date.
    Cause(
        'certificate_not_yet_valid', r'CertificateNotYetValidException|certificate is not yet valid',
        'likely', 'behind',
        meaning="For AEM's clock the certificate of the remote side is not valid yet: the clock may be behind.",
        advice='Compare the measured skew. If the clock is right, look at who presents this certificate: a proxy may.',
        source=_JAVA_CERT,
    ),
    Cause(
        'certificate_expired', r'CertificateExpiredException|certificate (?:has |is )?expired',
        'likely', 'ahead',
        meaning="For AEM's clock a certificate of the remote side has expired: the clock is ahead, or it really has.",
        advice="Compare the certificate's date with trusted time. If the clock is right, the certificate has to be "
               "renewed: the remote side's, a proxy's, or one in AEM's truststore.",
        source=_JAVA_CERT,
    ),
    Cause(
        'certificate_dates', r'(?:validity|timestamp) check failed',
        'likely',
        meaning="For AEM's clock a certificate of the remote side is not valid, yet or any more; Java tells not which.",
        advice='Compare the measured skew. If the clock is right, look at the dates of the certificates that the '
               'remote side, or a proxy, presents.',
        source=_JAVA_CERT,
    ),

    # AEM's own keys and certificates.
    Cause(
        'unrecoverable_key', r'UnrecoverableKeyException',
        meaning='AEM cannot decrypt the private key: the password it has stored is not the one of the keystore.',
        advice="Enter the keystore's password again, or create the keystore and the Brand Portal configuration anew.",
        source=_DYNAMIC_MEDIA,
    ),
    Cause(
        'keystore_not_initialized', r'KeyStoreNotInitiali[sz]edException',
        meaning='The user of the replication agent has no keystore.',
        advice='Create the keystore of that user (Tools, Security, Users) and the Brand Portal configuration anew.',
        source=_DYNAMIC_MEDIA,
    ),
    Cause(
        'trust_anchors_empty', r'trustAnchors parameter must be non-empty',
        meaning="AEM's Java found no truststore.",
        advice='Let the system property javax.net.ssl.trustStore of AEM name a valid truststore, and restart AEM.',
        source=_DYNAMIC_MEDIA,
    ),

    # The way there.
    Cause(
        'pkix_path', r'PKIX path (?:building|validation) failed|unable to find valid certification path',
        meaning='AEM does not trust the certificate the remote side, or a proxy on the way, presents.',
        advice="Add the issuer's certificate to AEM's truststore.",
        source=_JAVA_CERT,
    ),
    Cause(
        'unknown_host', r'UnknownHostException|name or service not known',
        meaning="AEM's host cannot resolve a name.",
        advice='Check DNS on the host, or the proxy configured in AEM.',
        source=_JAVA_NET,
    ),
    Cause(
        'connection_refused', r'connection refused',
        meaning='Nothing accepts connections at the address AEM calls.',
        advice='Check the firewall, the proxy configured in AEM, and the transport URI of the agent.',
        source=_JAVA_NET,
    ),
    Cause(
        'timeout', r'timed out\b|TimeoutException',
        meaning='A connection was not made, or an answer did not come, in time.',
        advice='Check the firewall and the proxy configured in AEM, and whether Brand Portal is available.',
        source=_JAVA_NET,
    ),
    Cause(
        'no_route', r'NoRouteToHostException|network is unreachable|no route to host',
        meaning="AEM's host has no way to the address.",
        advice='Check the routes and the firewall of the host, or the proxy configured in AEM.',
        source=_JAVA_NET,
    ),
    Cause(
        'tls_handshake', r'SSLHandshakeException|SSLPeerUnverifiedException|received fatal alert',
        meaning='TLS could not be agreed on with the remote side.',
        advice="Check the TLS versions of AEM's Java, and whether a proxy breaks TLS open.",
        source=_JAVA_SSL,
    ),
    Cause(
        'connection_reset', r'connection reset|NoHttpResponseException|failed to respond',
        meaning='The connection was closed before the answer.',
        advice='Check the firewall and the proxy configured in AEM, then test again.',
        source=_JAVA_NET,
    ),

    # The other side has taken the message.
    Cause(
        'access_denied', r'repository error during node import: access denied',
        meaning="The transport user may not write where the content is to go.",
        advice='Check that the transport user exists on the receiving side and may write there.',
        source=_ACCESS_DENIED, in_body=True,
    ),
    Cause(
        'no_such_agent', r'^no such agent:',
        meaning='AEM has no active agent of this name in the run mode it runs in.',
        advice='Check the name, that the agent is enabled, and that this is the author instance.',
        source=_REPLICATION,
    ),

    # Consequences: they explain a page only when nothing above does.
    Cause(
        'oauth_not_initialized', r'no OAuth token available|OAuth not initiali[sz]ed',
        meaning='AEM has no access token provider ready for the user of the agent.',
        advice='Check the keystore of that user, and create the Brand Portal configuration anew.',
        source=_DYNAMIC_MEDIA,
    ),
    Cause(
        'key_not_accepted', codes=(401,),
        meaning='Brand Portal does not accept what AEM shows, though no token was refused: the user of the replication '
                'agent does not have the latest private key.',
        advice='Clean up the Brand Portal configuration and create it anew.',
        source=_PUBLISHING,
    ),
    Cause(
        'proxy_authentication_required', codes=(407,),
        meaning='A proxy between AEM and Brand Portal wants a password.',
        advice='Give the proxy configured in AEM its user and password.',
        source=_HTTP,
    ),
    Cause(
        'brand_portal_unavailable', codes=(502, 503, 504),
        meaning='Brand Portal, or a gateway before it, is not available.',
        advice='Test again later; if it stays, ask Adobe whether the tenant is in service.',
        source=_HTTP,
    ),
)

NONE = Cause('none', meaning='The agent delivered its test to Brand Portal.')
UNKNOWN = Cause(
    'unknown',
    meaning='No cause in the table explains what the agent said.',
    advice='Read the evidence and the log of the agent in AEM.',
)
INCOMPLETE = UNKNOWN._replace(
    meaning='The page ended before the verdict of the agent.',
    advice='Test again; if it happens again, look into the error log of AEM, and at proxies between here and AEM.',
)
TEST_TIMEOUT = Cause(
    'test_timeout',
    meaning='AEM did not finish the test of the agent in the time given.',
    advice='Raise test_timeout: a Brand Portal agent may itself wait 180 s for a connection and 600 s for an answer.',
    source='the test page of a Brand Portal agent: Connect Timeout, Socket Timeout',
)
# Everything that RV(tests[].cause) can be.
ALL = CAUSES + (UNKNOWN, TEST_TIMEOUT, NONE)

_LONGEST = 65536  # of a line; what the agent says of itself is never as long
_FAILURE = re.compile(r'(?i)error while replicating|transfer failed|failed|exception|\berror\b')
_PROCEDURE = re.compile(r'(?i)-{5}|replication \(\w{1,40}\) of|replication test|message sent|sending |\* ')
_NOT_BEFORE = re.compile(r'NotBefore:\s{0,4}(.{10,60})')
_NOT_AFTER = re.compile(r'NotAfter:\s{0,4}(.{10,60})')


@functools.lru_cache(maxsize=None)
def _compiled() -> Tuple[Tuple[Cause, Pattern[str], Optional[Pattern[str]]], ...]:
    """The table ready to search with; a host whose tests all succeed never pays for it."""
    return tuple(
        (cause, re.compile('(?i)' + cause.pattern), re.compile('(?i)' + cause.context) if cause.context else None)
        for cause in CAUSES if cause.pattern
    )


def explain(page: pages.Page) -> Finding:
    """The most causal finding of a page; a test that succeeded has cause none, whatever its log says on the way."""
    if page.succeeded:
        return Finding(NONE, '', None, None)
    own = _messages(page, pages.AGENT)
    body = _messages(page, pages.BODY)
    for cause, pattern, context in _compiled():
        for message in own + body if cause.in_body else own:
            if _shows(message, pattern, context):
                return _finding(cause, message)
    if not any(_TOKEN_FAILED.search(message) for message in own):
        for cause in CAUSES:
            if page.response_code in cause.codes:
                return _finding(cause, _answer(page, own))
    if not page.verdict and page.kind != 'log' and (page.response_code in (None, 200) or not own):
        return _finding(INCOMPLETE, _telling(page, own))
    return _finding(UNKNOWN, _telling(page, own))


def of_clock(message: str) -> Optional[Cause]:
    """The first cause in one message of an agent that a clock may be the reason of; None when there is none."""
    for cause, pattern, context in _compiled():
        if cause.clock_related != 'no' and _shows(message[:_LONGEST], pattern, context):
            return cause
    return None


def _shows(message: str, pattern: Pattern[str], context: Optional[Pattern[str]]) -> bool:
    return bool(pattern.search(message) and (context is None or context.search(message)))


def _messages(page: pages.Page, kind: str) -> List[str]:
    """Each message of a kind once, for a page may repeat itself for megabytes."""
    return list(dict.fromkeys(line.message[:_LONGEST] for line in page.lines if line.kind == kind))


def _finding(cause: Cause, message: str) -> Finding:
    before, after = _NOT_BEFORE.search(message), _NOT_AFTER.search(message)
    return Finding(
        cause, message,
        dates.java_date(before.group(1)) if before else None,
        dates.java_date(after.group(1)) if after else None,
    )


def _answer(page: pages.Page, own: List[str]) -> str:
    code = str(page.response_code)
    for message in own:
        if code in message and 'esponse' in message or 'status code ' + code in message:
            return message
    return '{0} {1}'.format(code, page.response_reason).strip()


def _telling(page: pages.Page, own: List[str]) -> str:
    """The line that says most about an unknown failure: one about the token, of a failure, the answer, the last."""
    for wanted in (_TOKEN_FAILED, _FAILURE):
        for message in reversed(own):
            if wanted.search(message) and not _PROCEDURE.match(message):
                return message
    if page.response_code is not None:
        return _answer(page, own)
    return own[-1] if own else (page.lines[-1].message if page.lines else '')
