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
_SERVER = 'https://developer.adobe.com/developer-console/docs/guides/authentication/ServerToServerAuthentication/'
_MIGRATION = 'https://experienceleague.adobe.com/en/docs/experience-manager-65/content/security/jwt-credentials-deprecation-in-adobe-developer-console'
_PUBLISHING = 'https://helpx.adobe.com/experience-manager/brand-portal/using/troubleshoot-parallel-publishing.html'
_CONFIGURE = 'https://helpx.adobe.com/experience-manager/6-3/assets/using/brand-portal-configuring-integration.html'
_DYNAMIC_MEDIA = 'https://experienceleague.adobe.com/docs/experience-manager-65/assets/dynamic/config-dynamic.html'
_ACCESS_DENIED = 'https://helpx.adobe.com/experience-manager/kb/Access-denied-on-replication-AEM.html'
_REPLICATION = 'https://experienceleague.adobe.com/docs/experience-manager-65/deploying/configuring/replication.html'
_HTTP = 'https://www.rfc-editor.org/rfc/rfc9110#section-15'
_OAUTH = 'https://www.rfc-editor.org/rfc/rfc6749#section-5.2'
_TRANSPORT = "Adobe's open-source sibling of AEM's transport (adobe/commerce-salesforce)"
# tests/fakes/java_words.json: recorded from Java 11 to 25 by "make java-words".
_RECORDED = 'recorded from Java 11, 17, 21 and 25 with Apache HttpClient 4.5 (make java-words)'
_JDK = 'the source of OpenJDK 8 and later'

_MIGRATE = (
    'In AEM, open Tools, Security, Adobe IMS Integration, and change the configuration of Brand Portal to OAuth '
    'Server-to-Server. AEM 6.5.21 and later and AEM 6.5 LTS can do this; AEM 6.5.11 to 6.5.20 need the hotfix '
    'ims-jwt-compatibility-package-6.5-1.0 first, and an older AEM has to be updated first.'
)
_NO_NEW_CERTIFICATE = 'Adobe has taken no new certificate of a JWT integration since 2025-06-30. ' + _MIGRATE
_CREDENTIAL = (
    'In Adobe Developer Console, check that the credential has the Brand Portal API and its product profile, and compare '
    'its client ID, secret and scopes with the IMS configuration in AEM.'
)
_SAVE_AGAIN = (
    'In AEM, open the IMS configuration of Brand Portal (Tools, Security, Adobe IMS Integration), save and close it, and '
    'check its health.'
)

# A line about the exchange for an access token; the narrow form is one that quotes what the server answered.
_TOKEN = r'access token|authorization server|\berror["\']?\s{0,4}[:=]|ims/'
_ANSWERED = r'authorization server|\berror(?:_code)?["\']?\s{0,4}[:=]'
_TOKEN_FAILED = re.compile(r'(?i)failed to (?:get (?:an )?|parse )access token|no oauth token|access token provider is not')

# Java repeats the words of the C library, in the language of the server's locale: these are glibc's in German, French,
# Japanese, Spanish, Italian, Portuguese, Chinese, Korean, Dutch, Polish and Russian. Where an exception has a class of its
# own, or Java adds the English words, no more is needed.
_TIMED_OUT = (
    "die wartezeit für die verbindung ist abgelaufen|expiration du délai d'attente|接続がタイムアウト|expiró el tiempo de "
    'conexión|connessione scaduta|tempo esgotado para conexão|连接超时|連線超過時間|연결 시간 초과|verbinding is verlopen|'
    'przekroczony czas oczekiwania na połączenie|время ожидания соединения истекло'
)
_NETWORK_UNREACHABLE = (
    "das netzwerk ist nicht erreichbar|le réseau n'est pas accessible|ネットワークに届きません|la red es inaccesible|la rete non è "
    'raggiungibile|a rede está fora de alcance|网络不可达|無法接觸網路|네트워크가 접근 불가능|netwerk is onbereikbaar|sieć jest '
    'niedostępna|сеть недоступна'
)
_NO_ROUTE = (
    "keine route zum zielrechner|aucun chemin d'accès pour atteindre|ホストへの経路がありません|no existe ninguna ruta hasta|"
    'nessun instradamento per|não há rota para o host|没有到主机的路由|找不到通往該主機的路由|호스트로 갈 루트가 없음|'
    'geen route naar host|brak trasy do hosta|нет маршрута до узла'
)
_RESET = (
    'vom kommunikationspartner zurückgesetzt|connexion ré-initialisée|接続が相手からリセット|conexión reinicializada|connessione '
    'interrotta dal corrispondente|conexão fechada pela outra ponta|连接被对方重设|連線被對方重設|상대편이 연결을 끊음|'
    'verbinding is weggevallen|połączenie zerwane|соединение разорвано'
)


def _error(code: str) -> str:
    """An OAuth error code as a word of its own: not as part of a tenant's or an agent's name."""
    return r'(?<![\w-]){0}(?![\w-])'.format(code)


CAUSES = (
    # The authorization server has answered: nothing says more about the cause than its own words.
    Cause(
        'jwt_signature_mismatch', r'could not match (?:JWT )?signature to any of the bindings',
        meaning='Adobe knows no public key that fits the signature of the JWT: the certificate of the integration has '
                'expired at Adobe, or the key in AEM is another one.',
        advice=_NO_NEW_CERTIFICATE,
        source=_IMS,
    ),
    Cause(
        'no_valid_bindings', r'no valid bindings were found for organization and technical account combination',
        meaning='The public key of the integration at Adobe is missing or has expired.',
        advice=_NO_NEW_CERTIFICATE,
        source=_IMS,
    ),
    Cause(
        'jwt_malformed', r'JWT token is incorrectly formatted',
        meaning='Adobe cannot decode the JWT.',
        advice='A JWT integration cannot be created again. ' + _MIGRATE,
        source=_IMS,
    ),
    Cause(
        'jwt_missing', r'JWT token is missing',
        meaning='AEM sent no JWT: it could not sign one, because the private key is broken or missing.',
        advice='A JWT integration cannot be created again. ' + _MIGRATE,
        source=_IMS,
    ),
    Cause(
        'jwt_end_of_life', r'\berror["\']?\s{0,4}[:=]\s{0,4}["\']?internal_error(?![\w-])',
        meaning='AEM uses a JWT credential. Adobe converted the last of them to OAuth Server-to-Server on 2026-03-01, and '
                'no JWT gets an access token since: no correction of a clock makes these agents work.',
        advice=_MIGRATE,
        source='https://github.com/AdobeDocs/adobe-dev-console/issues/124 (the text rests on this one report)',
        context=r'authorization server|access token|\bims/',
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
        meaning="The JWT's expiry is already past for Adobe: the clock AEM signs with is behind. Since 2026-03-01 only the "
                'legacy OAuth gateway still takes JWTs (inferred).',
        advice="Set AEM's clock right and keep it so with NTP, then test again.",
        source=_KA,
    ),
    Cause(
        'invalid_client_secret', r'invalid client_secret parameter',
        meaning='Adobe does not accept the client secret: it was rotated or deleted in Adobe Developer Console, or AEM has '
                'lost its crypto keys in an upgrade or a restore.',
        advice="Enter the current client secret in AEM's IMS configuration, and save it. If Adobe still refuses it, restore "
               "AEM's crypto keys.",
        source='Adobe knowledge base KA-23909',
    ),
    Cause(
        'client_not_allowed', r'this client: .{1,300}? is no longer allowed to get access token',
        meaning='The application is one of the legacy OAuth gateway, and Adobe does not serve it any more.',
        advice='The legacy gateway takes no new applications. ' + _MIGRATE,
        source=_CONFIGURE,
    ),
    Cause(
        'invalid_signature', _error('invalid_signature'),
        meaning='The signature of the JWT fits no certificate of the integration, or not the algorithm it names.',
        advice=_NO_NEW_CERTIFICATE,
        source=_IMS, context=_TOKEN,
    ),
    Cause(
        'invalid_scope', _error('invalid_scope'),
        meaning='AEM asks for scopes that the credential does not have.',
        advice=_CREDENTIAL,
        source=_IMS, context=_TOKEN,
    ),
    Cause(
        'invalid_jti', _error('invalid_jti'),
        meaning='The integration demands a jti claim; it is missing or was used before.',
        advice='A JWT integration cannot be changed any more. ' + _MIGRATE,
        source='https://www.adobe.io/apis/cloudplatform/console/authentication/connect.html',
        context=_TOKEN,
    ),
    Cause(
        'bad_request', _error('bad_request'),
        meaning='Adobe can decode the request for a token, but something in it has a wrong form.',
        advice='Compare the organization, account and client identifiers in AEM with those of the credential in Adobe '
               'Developer Console.',
        source=_IMS, context=_TOKEN,
    ),
    Cause(
        'unauthorized_client', _error('unauthorized_client'),
        meaning='The credential at Adobe may not use the kind of grant that AEM asks with.',
        advice=_CREDENTIAL,
        source=_OAUTH, context=_ANSWERED,
    ),
    Cause(
        'unsupported_grant_type', _error('unsupported_grant_type'),
        meaning="AEM's token provider asks Adobe with a kind of grant that Adobe does not know there.",
        advice='Let AEM make the provider again: open the IMS configuration of Brand Portal (Tools, Security, Adobe IMS '
               'Integration), choose OAuth, save and close it.',
        source=_OAUTH, context=_ANSWERED,
    ),
    Cause(
        'invalid_client', _error('invalid_client'),
        meaning='Adobe does not know the credential, or its client ID and secret do not belong together, or its '
                'organization or user is not valid any more.',
        advice='Compare the client ID and secret in AEM with those of the credential in Adobe Developer Console.',
        source=_IMS, context=_TOKEN,
    ),
    Cause(
        'access_denied_ims', r'(?<![\w(-])access_denied(?![\w-])|\b403023\b|\bprofile is not valid',
        meaning='Adobe refuses the credential: it lacks the Brand Portal API or its product profile.',
        advice=_CREDENTIAL,
        source=_OAUTH, context=_ANSWERED,
    ),
    Cause(
        'ims_proxy_authentication', r'authorization server status: {0,4}407\b',
        meaning="A proxy between AEM and Adobe IMS wants a password. AEM shows the proxy's answer as if IMS had given it.",
        advice='Give the proxy configured in AEM its user and password.',
        source=_RECORDED,
    ),
    Cause(
        'ims_refused', r'authorization server status: {0,4}403\b',
        meaning='The request to Adobe IMS was refused on the way, by a proxy or a firewall, or by IMS.',
        advice='Let the proxy and the firewall pass HTTPS from AEM to ims-na1.adobelogin.com. '
               'If they do, check the credential in Adobe Developer Console.',
        source=_RECORDED,
    ),
    Cause(
        'ims_throttled', r'authorization server status: {0,4}429\b',
        'likely', 'ahead',
        meaning='Adobe throttles this credential, because AEM asks for too many access tokens. An AEM that is a day or more '
                'ahead takes every token for expired and asks for a new one each time (inferred).',
        advice='Compare the measured skew. If the clock is right, look for what else uses the same credential.',
        source=_SERVER,
    ),
    Cause(
        'ims_unavailable', r'authorization server status: {0,4}5\d\d\b',
        meaning='Adobe IMS, or a proxy before it, is not available.',
        advice='See https://status.adobe.com, and check that the proxy configured in AEM reaches ims-na1.adobelogin.com. Then '
               'test again.',
        source=_RECORDED,
    ),
    Cause(
        'token_unreadable', r'failed to parse access token',
        meaning='What answered AEM was not Adobe IMS: its answer holds no access token. It may be the page of a proxy.',
        advice='Check the proxy configured in AEM, and that the address of the token provider leads to Adobe IMS.',
        source=_TRANSPORT,
    ),
    Cause(
        'token_provider_missing', r'access token provider is not b(?:ind|ound)',
        meaning='AEM has no access token provider of the name that the agent asks for: its OSGi configuration is missing '
                'or not active.',
        advice=_SAVE_AGAIN,
        source=_TRANSPORT,
    ),

    # TLS failed on a date. An alert that the other side sent (Received fatal alert: certificate_expired) is not meant.
    Cause(
        'certificate_not_yet_valid',
        r'CertificateNotYetValidException|certificate is not yet valid|\bNotBefore:\s'
        r'|\(bad_certificate\).{0,300}(?:validity|timestamp) check failed',
        'likely', 'behind',
        meaning="For AEM's clock a certificate of the remote side is not valid yet: the clock may be behind.",
        advice='Compare the measured skew. If the clock is right, look at who presents this certificate: a proxy may.',
        source=_RECORDED,
    ),
    Cause(
        'certificate_expired',
        r'CertificateExpiredException|certificate (?:has |is )?expired|\bNotAfter:\s'
        r'|\(certificate_expired\).{0,300}(?:validity|timestamp) check failed',
        'likely', 'ahead',
        meaning="For AEM's clock a certificate of the remote side has expired: the clock is ahead, or it really has.",
        advice="Compare the certificate's date with trusted time. If the clock is right, the certificate has to be "
               "renewed: the remote side's, a proxy's, or one in AEM's truststore.",
        source=_RECORDED,
    ),
    Cause(
        'certificate_dates', r'(?:validity|timestamp) check failed',
        'likely',
        meaning="For AEM's clock a certificate of the remote side is not valid, yet or any more; this Java does not tell which.",
        advice='Compare the measured skew. If the clock is right, look at the dates of the certificates that the '
               'remote side, or a proxy, presents, and have the expired one renewed.',
        source=_RECORDED,
    ),
    Cause(
        'ocsp_dates', r'response is unreliable: its validity interval',
        'likely',
        meaning="For AEM's clock the answer about the revocation of a certificate (OCSP) is outside its dates.",
        advice='Compare the measured skew. If the clock is right, look at the OCSP responder or the proxy that answers AEM.',
        source=_JDK,
    ),

    # AEM's own keys and certificates.
    Cause(
        'unrecoverable_key', r'UnrecoverableKeyException|could not decrypt (?:key|data)',
        meaning='AEM cannot decrypt the private key: the password it has stored is not the one of the keystore.',
        advice='OAuth Server-to-Server needs no keystore (inferred). ' + _MIGRATE,
        source=_DYNAMIC_MEDIA,
    ),
    Cause(
        'keystore_not_initialized', r'KeyStoreNotInitiali[sz]edException|uninitiali[sz]ed key store',
        meaning='The user of the replication agent has no keystore.',
        advice='OAuth Server-to-Server needs no keystore (inferred). ' + _MIGRATE,
        source=_DYNAMIC_MEDIA,
    ),
    Cause(
        'trust_anchors_empty', r'trustAnchors parameter must be non-empty',
        meaning="AEM's Java found no truststore.",
        advice='Let the system property javax.net.ssl.trustStore of AEM name a valid truststore, and restart AEM.',
        source=_DYNAMIC_MEDIA,
    ),

    # The way there. A message of Java is in English or in the language of the server's locale, so classes are searched, too.
    Cause(
        'certificate_name',
        r"doesn't match (?:any of the subject alternative names|common name)|hostname in certificate didn't match"
        r'|no subject alternative (?:DNS|IP address|names?)\b|no name matching .{1,300} found|HTTPS hostname wrong',
        meaning='The certificate is one for another name: a proxy or a wrong host answers.',
        advice='Check the address in the transport URI, DNS on the host, and the proxy configured in AEM.',
        source=_RECORDED,
    ),
    Cause(
        'not_tls', r'unsupported or unrecognized SSL message|unrecognized SSL message',
        meaning='What answers AEM there does not speak TLS: a plain-text port or a proxy.',
        advice='Check the port in the transport URI, and the kind and port of the proxy configured in AEM.',
        source=_RECORDED + '; Java 8 from memory',
    ),
    Cause(
        'pkix_path', r'PKIX path building failed|path building failed|unable to find valid certification path',
        'likely',
        meaning='AEM does not trust the chain of certificates that the remote side, or a proxy, presents. Java says the same '
                "where a certificate's date is wrong for AEM's clock and the server sends its chain out of order.",
        advice="Compare the measured skew. If the clock is right, look at the dates of the certificates, and add the issuer's "
               "certificate to AEM's truststore.",
        source=_RECORDED,
    ),
    Cause(
        'certificate_untrusted', r'PKIX path validation failed|CertPathValidatorException',
        meaning='AEM rejects a certificate of the remote side, or of a proxy, for a reason that is not its date.',
        advice="Read the reason at the end of the line. Add the issuer's certificate to AEM's truststore, or have the "
               'certificate replaced.',
        source=_JDK,
    ),
    Cause(
        'unknown_host',
        r'UnknownHostException|name or service not known|temporary failure in name resolution'
        r'|no address associated with (?:host)?name|nodename nor servname provided'
        # Java's message is the name and the resolver's words, or the name alone when it answers from its own cache.
        r'|\bmsg: [\w.-]{1,253}\.(?:com|net)(?::\s|\s*$)',
        meaning="AEM's host cannot resolve a name.",
        advice='Check DNS on the host, or the proxy configured in AEM.',
        source=_RECORDED,
    ),
    Cause(
        'timeout', r'timed out\b|TimeoutException|' + _TIMED_OUT,
        meaning='A connection was not made, or an answer did not come, in time.',
        advice='Check the firewall and the proxy configured in AEM, and whether Brand Portal is available.',
        source=_RECORDED,
    ),
    Cause(
        'no_route',
        r'NoRouteToHostException|network is (?:unreachable|down)|no route to host|host is (?:unreachable|down)'
        r'|\(connect failed\)|' + _NETWORK_UNREACHABLE + '|' + _NO_ROUTE,
        meaning="AEM's host has no way to the address.",
        advice='Check the routes and the firewall of the host, or the proxy configured in AEM.',
        source=_RECORDED,
    ),
    Cause(
        'connection_refused',
        r'connection refused|ConnectException|HttpHostConnectException'
        r'|\bconnect to \S{1,300} (?:\[[^\]]{0,300}\] )?failed: ',
        meaning='Nothing accepts connections at the address AEM calls.',
        advice='Check the firewall, the proxy configured in AEM, and the transport URI of the agent.',
        source=_RECORDED,
    ),
    Cause(
        'connection_reset',
        r'connection reset|NoHttpResponseException|failed to respond|broken pipe|connection abort|java\.net\.SocketException'
        r'|premature end of|' + _RESET,
        meaning='The connection was closed before the answer.',
        advice='Check the firewall and the proxy configured in AEM, then test again.',
        source=_RECORDED,
    ),
    Cause(
        'tls_handshake',
        r'SSL\w{0,20}Exception|received fatal alert|remote host (?:terminated the|closed connection during) handshake'
        r'|no appropriate protocol|no trusted certificate found|certificate chaining error|peer not authenticated',
        meaning='TLS could not be agreed on with the remote side.',
        advice="Check the TLS versions of AEM's Java, its truststore, and whether a proxy breaks TLS open.",
        source=_RECORDED,
    ),

    # The other side has taken the message.
    Cause(
        'access_denied', r'repository error during node import: access denied',
        meaning="The transport user may not write where the content is to go.",
        advice='Check that the transport user exists on the receiving side and may write there.',
        source=_ACCESS_DENIED, in_body=True,
    ),
    Cause(
        'publish_forbidden', r'dam-replication-service',
        meaning='Brand Portal forbids its own service user to import the content; the test of the agent passes.',
        advice='Open a support ticket with Adobe.',
        source=_PUBLISHING, context=r'denied|forbidden|not allowed|\b403\b', in_body=True,
    ),
    Cause(
        'two_authors', r'does not receive the requesting token|contribution\b.{0,100}\bnot imported',
        meaning='The Brand Portal tenant is configured on more than one author.',
        advice='Remove the Brand Portal configuration from all authors but one.',
        source='https://experienceleague.adobe.com/docs/experience-manager-brand-portal/using/introduction/brand-portal-faqs.html',
        in_body=True,
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
        meaning="AEM has no access token provider ready for the user of the agent. Dynamic Media's agent says so (that Brand "
                "Portal's does is inferred).",
        advice=_SAVE_AGAIN,
        source=_DYNAMIC_MEDIA,
    ),
    Cause(
        'key_not_accepted', codes=(401,),
        meaning='Brand Portal does not accept what AEM shows, though no token was refused.',
        advice=_SAVE_AGAIN + ' Then compare the product profile of the credential in Adobe Developer Console; with a key of '
               'the legacy gateway, clean up the Brand Portal configuration and create it again.',
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
FOREIGN = UNKNOWN._replace(
    meaning="No cause in the table explains what the agent said. Java repeats the words of the server's language here.",
    advice="Look in AEM's error.log at the same time for the class of the exception (a word such as "
           'java.net.ConnectException): its name is the same in every language.',
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
# Known from more than the page: see refined().
TOKEN_OUTLIVED = Cause(
    'token_outlived', clock_related='likely', direction='behind',
    meaning='Brand Portal does not accept the access token, AEM was refused none, and the measured clock is behind: AEM may '
            'go on using a token that has expired, because by its own clock it has not (inferred).',
    advice="Set AEM's clock right and test again. If 401 stays: " + _SAVE_AGAIN[0].lower() + _SAVE_AGAIN[1:],
    source="AEM's token provider keeps a token for as long as it is valid (auth.token.provider.reuse.access.token)",
)
QUEUE_BACKLOG = Cause(
    'queue_backlog',
    meaning='The test ran into a time-out, and many items wait in the queue of the agent.',
    advice='Tick "Close Connection" in the extended settings of all four Brand Portal agents, restart AEM, and test again.',
    source=_PUBLISHING,
)
# Everything that RV(tests[].cause) can be.
ALL = CAUSES + (TOKEN_OUTLIVED, QUEUE_BACKLOG, UNKNOWN, TEST_TIMEOUT, NONE)
BY_ID = {cause.id: cause for cause in ALL}

JWT_ENDED = 1772323200  # 2026-03-01T00:00:00Z: the last day on which Adobe converted a JWT credential
# Causes that an agent has whichever way it authenticates, and that have to go before anything else can be told.
_OF_THE_NETWORK = (
    'ims_proxy_authentication', 'ims_refused', 'ims_unavailable', 'token_unreadable', 'certificate_name', 'not_tls',
    'certificate_untrusted', 'unknown_host', 'timeout', 'no_route', 'connection_refused', 'connection_reset', 'tls_handshake',
    'no_such_agent', 'test_timeout', 'queue_backlog',
)

_LONGEST = 65536  # of a line; what the agent says of itself is never as long
_FAILURE = re.compile(r'(?i)error while replicating|transfer failed|failed|exception|\berror\b')
_PROCEDURE = re.compile(
    r'(?i)-{5}|replication \(\w{1,40}\) of|replication test|message sent|sending |\* |adding header|deserialize|no message '
    r'body|create new|creating content|using user')
_TRAILER = re.compile(r'(?i)replication test (?:failed|succeeded)|replication test to ')
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
    telling = _telling(page, own)
    foreign = any(letter > '\x7f' and letter.isalpha() for letter in telling)
    return _finding(FOREIGN if foreign else UNKNOWN, telling)


def refined(cause: str, evidence: str, response_code: Optional[int], authentication: str, behind: bool,
            now: Optional[float]) -> Cause:
    """The cause when more is known than the page: how the agent authenticates, whether AEM's clock is behind, the trusted time.

    now: seconds since the epoch by a clock that is believed, None where there is none. From JWT_ENDED on no JWT gets a token,
    whatever the clock: then that is the cause of what fails for want of a token. A failure of the network stays what it is.
    """
    known = BY_ID[cause]
    tokenless = response_code == 401 or bool(_TOKEN_FAILED.search(evidence))
    if known.id == 'jwt_end_of_life' and authentication in ('oauth_server_to_server', 'legacy_gateway'):
        return BY_ID['ims_unavailable']
    if authentication == 'jwt' and now is not None and now >= JWT_ENDED and (tokenless or known.clock_related != 'no') \
            and known.id not in _OF_THE_NETWORK:
        return BY_ID['jwt_end_of_life']
    if known.id == 'key_not_accepted' and behind:
        return TOKEN_OUTLIVED
    return known


def of_clock(message: str) -> Optional[Cause]:
    """The cause of one message of an agent when a clock may be the reason of it, else None."""
    for cause, pattern, context in _compiled():
        if _shows(message[:_LONGEST], pattern, context):
            return cause if cause.clock_related != 'no' else None
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
    """The line that says most about an unknown failure: one about the token, of a failure, the answer, what is left."""
    news = [message for message in reversed(own) if not _PROCEDURE.match(message)]
    for wanted in (_TOKEN_FAILED, _FAILURE):
        for message in news:
            if wanted.search(message):
                return message
    if page.response_code is not None:
        return _answer(page, own)
    if news:
        return news[0]
    # The last thing the agent did before it failed says where; the trailer only says that.
    return next((message for message in reversed(own) if not _TRAILER.match(message)),
                own[-1] if own else page.lines[-1].message if page.lines else '')
