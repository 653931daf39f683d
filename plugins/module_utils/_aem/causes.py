# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of the causes of failures, and the search for the one that explains a page. Pure.

To add a cause, add a row here, in causes_ims.py or in causes_java.py. The rows are in the order of causality: the first row that
matches any of the agent's own lines wins, so a failure that merely follows from another one (a 401 after a refused token) comes
later.
"""

import functools
import re
from typing import List, Optional, Pattern, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import causes_ims, causes_java, dates
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import test_page as pages
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem.cause import NONE, Cause, Finding
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem.causes_ims import SAVE_AGAIN

_PUBLISHING = 'https://helpx.adobe.com/experience-manager/brand-portal/using/troubleshoot-parallel-publishing.html'
_DYNAMIC_MEDIA = 'https://experienceleague.adobe.com/docs/experience-manager-65/assets/dynamic/config-dynamic.html'
_ACCESS_DENIED = 'https://helpx.adobe.com/experience-manager/kb/Access-denied-on-replication-AEM.html'
_REPLICATION = 'https://experienceleague.adobe.com/docs/experience-manager-65/deploying/configuring/replication.html'
_HTTP = 'https://www.rfc-editor.org/rfc/rfc9110#section-15'

_NOT_QUOTED = r'^(?!.*{0})'.format(causes_ims.QUOTED)
_TOKEN_FAILED = re.compile(r'(?i)failed to (?:get (?:an )?|parse )access token|no oauth token|access token provider is not')

CAUSES = causes_ims.CAUSES + tuple(
    cause._replace(context=_NOT_QUOTED) for cause in causes_java.CAUSES
) + (
    # The receiving side has accepted the message.
    Cause(
        'access_denied', r'repository error during node import: (?:OakAccess\d{1,4}: )?access denied',
        meaning="The transport user may not write to the target of the content.",
        advice='Check that the transport user exists on the receiving side and may write to the target.',
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
        meaning='AEM has no active agent of this name in its run mode.',
        advice='Check the name, that the agent is enabled, and that this is the author instance.',
        source=_REPLICATION,
    ),

    # Consequences: they explain a page only if no row above does.
    Cause(
        'oauth_not_initialized', r'no OAuth token available|OAuth not initiali[sz]ed',
        meaning="AEM has no access token provider ready for the user of the agent. Dynamic Media's agent says so (that Brand "
                "Portal's does is inferred).",
        advice=SAVE_AGAIN,
        source=_DYNAMIC_MEDIA,
    ),
    Cause(
        'transport_user_refused',
        meaning='The receiver does not accept the user and the password of the agent. This agent does not authenticate with an '
                'access token, as those of Brand Portal do.',
        advice='Check the transport user and its password in the agent, and that the user exists on the receiving side.',
        source=_ACCESS_DENIED,
    ),
    Cause(
        'key_not_accepted', codes=(401,),
        meaning="Brand Portal does not accept AEM's authentication, although no token was refused.",
        advice=SAVE_AGAIN + ' Then compare the product profile of the credential in Adobe Developer Console; with a key of '
        'the legacy gateway, clean up the Brand Portal configuration and create it again.',
        source=_PUBLISHING,
    ),
    Cause(
        'proxy_authentication_required',
        r'proxy(?: returns)?:? "?HTTP/1\.[01] 407\b|\bSOCKS ?: authentication failed', codes=(407,),
        meaning='A proxy between AEM and Brand Portal requires authentication.',
        advice='Set the user and password of the proxy in AEM.',
        source=_HTTP,
    ),
    Cause(
        'brand_portal_refused', codes=(403, 451),
        meaning='Brand Portal, or a proxy or a firewall in front of it, refused the request of the agent.',
        advice='Let the proxy and the firewall pass HTTPS from AEM to the host of the transport URI. If they do, compare the '
               'product profile of the credential in Adobe Developer Console.',
        source=_HTTP,
    ),
    Cause(
        'not_brand_portal', r'failed to respond with a valid HTTP response', codes=(301, 302, 303, 307, 308, 404, 405, 410, 511),
        meaning='The answer is not from the receiver of Brand Portal: it may be the sign-in page of a proxy, or the transport '
                'URI of the agent is wrong.',
        advice='Check the proxy configured in AEM, and the transport URI of the agent: '
               'https://TENANT.brand-portal.adobe.com/bin/receive?sling:authRequestLogin=1.',
        source=_HTTP,
    ),
    Cause(
        'brand_portal_unavailable', codes=(408, 429, 502, 503, 504) + tuple(range(520, 527)),  # 520 to 526: Cloudflare
        meaning='Brand Portal, or a gateway in front of it, is not available, or accepts no more requests at the moment.',
        advice='Test again later. If the failure persists, ask Adobe whether the tenant is in service.',
        source=_HTTP,
    ),
)

UNKNOWN = Cause(
    'unknown',
    meaning='No cause in the table explains what the agent said.',
    advice='Read the evidence and the log of the agent in AEM.',
)
FOREIGN = UNKNOWN._replace(
    meaning="No cause in the table explains what the agent said. Java uses the language of the server here.",
    advice="Look in AEM's error.log at the same time for the class of the exception (a word such as "
           'java.net.ConnectException): its name is the same in every language.',
)
INCOMPLETE = UNKNOWN._replace(
    meaning='The page ended before the verdict of the agent.',
    advice='Test again; if it happens again, check the error log of AEM, and the proxies between this host and AEM.',
)
NO_TEST_PAGE = UNKNOWN._replace(
    meaning='The answer is not the test page of the agent, but a page from another program.',
    advice='Set the address of AEM itself, without a gateway or a sign-in page in front of it, and test again.',
)
TEST_TIMEOUT = Cause(
    'test_timeout',
    meaning='AEM did not finish the test of the agent in time.',
    advice='Raise test_timeout: a Brand Portal agent may itself wait 180 s for a connection and 600 s for an answer.',
    source='the test page of a Brand Portal agent: Connect Timeout, Socket Timeout',
)
# Known from more than the page: see refined().
TOKEN_OUTLIVED = Cause(
    'token_outlived', clock_related='likely', direction='behind',
    meaning='Brand Portal does not accept the access token, although no token was refused, and the measured clock is behind: '
            'AEM may still use a token that has expired, because it is valid by its own clock (inferred).',
    advice="Correct AEM's clock and test again. If Brand Portal still answers 401: " + SAVE_AGAIN[0].lower() + SAVE_AGAIN[1:],
    source="AEM's token provider keeps a token for as long as it is valid (auth.token.provider.reuse.access.token)",
)
QUEUE_BACKLOG = Cause(
    'queue_backlog',
    meaning='The test timed out, and many items wait in the queue of the agent.',
    advice='Tick "Close Connection" in the extended settings of all four Brand Portal agents, restart AEM, and test again.',
    source=_PUBLISHING,
)
# Everything that RV(tests[].cause) can be.
ALL = CAUSES + (TOKEN_OUTLIVED, QUEUE_BACKLOG, UNKNOWN, TEST_TIMEOUT, NONE)
BY_ID = {cause.id: cause for cause in ALL}

# Adobe's internal error does not name a JWT: an outage of IMS may look the same.
JWT_PROBABLY = BY_ID['jwt_end_of_life']._replace(
    meaning='Adobe IMS answers with an internal error, as it does to a JWT credential: AEM probably uses one. Adobe converted the '
            'last of them to OAuth Server-to-Server on 2026-03-01, and no JWT gets an access token since.',
    advice='See https://status.adobe.com first: IMS may be out of service. If it is not, migrate. ' + causes_ims.MIGRATE,
)
JWT_ENDED = 1772323200  # 2026-03-01T00:00:00Z: the last day on which Adobe converted a JWT credential
# Causes that do not depend on how an agent authenticates, and that hide all other causes.
_OF_THE_NETWORK = (
    'ims_proxy_authentication', 'ims_refused', 'ims_unavailable', 'token_unreadable', 'certificate_name', 'not_tls',
    'certificate_untrusted', 'unknown_host', 'timeout', 'no_route', 'connection_refused', 'connection_reset', 'connection_failed',
    'tls_handshake', 'no_such_agent', 'test_timeout', 'queue_backlog',
)
# Adobe's own messages about a JWT: they are more precise, and have the same advice.
_OF_A_JWT = ('jwt_signature_mismatch', 'no_valid_bindings', 'jwt_malformed', 'jwt_missing', 'invalid_signature', 'invalid_jti')

_GONE = re.compile(causes_ims.QUOTED + r' {0,4}(?:404|405|410)\b')

_WITH_PASSWORD = re.compile(r'\* Auth User:')

_LONGEST = 65536  # characters of a line; the agent's own messages are never as long
_FAILURE = re.compile(r'(?i)error while replicating|transfer failed|failed|exception|\berror\b')
_PROCEDURE = re.compile(
    r'(?i)-{5}|replication \(\w{1,40}\) of|replication test|message sent|sending |\* |adding header|deserialize|no message '
    r'body|create new|creating content|using user')
_TRAILER = re.compile(r'(?i)replication test (?:failed|succeeded)|replication test to ')
_NOT_BEFORE = re.compile(r'NotBefore:\s{0,4}(.{10,60})')
_NOT_AFTER = re.compile(r'NotAfter:\s{0,4}(.{10,60})')


@functools.lru_cache(maxsize=None)
def _compiled() -> Tuple[Tuple[Cause, Pattern[str], Optional[Pattern[str]]], ...]:
    """Compile the table. A host whose tests all succeed does not need it."""
    return tuple(
        (cause, re.compile('(?i)' + cause.pattern), re.compile('(?i)' + cause.context) if cause.context else None)
        for cause in CAUSES if cause.pattern
    )


def explain(page: pages.Page) -> Finding:
    """Return the finding of the first cause of a page. A successful test has the cause none, regardless of its log."""
    if page.succeeded:
        return Finding(NONE, '', None, None)
    own = _messages(page, pages.AGENT)
    body = _messages(page, pages.BODY)
    for cause, pattern, context in _compiled():
        for message in own + body if cause.in_body else own:
            if _shows(message, pattern, context):
                return _finding(cause, message)
    if not any(_TOKEN_FAILED.search(message) for message in own):
        of_answer = _of_answer(page, own)
        if of_answer:
            return _finding(of_answer, _answer(page, own))
    if not page.verdict and page.kind != 'log' and (page.response_code in (None, 200) or not own):
        return _finding(NO_TEST_PAGE if page.kind == 'other' and page.lines else INCOMPLETE, _telling(page, own))
    telling = _telling(page, own)
    return _finding(FOREIGN if _is_foreign(telling) else UNKNOWN, telling)


def _of_answer(page: pages.Page, own: List[str]) -> Optional[Cause]:
    """Return the cause that the status of the answer shows, if any."""
    if page.foreign and page.response_code == 200:
        return BY_ID['not_brand_portal']
    if page.response_code == 401 and any(_WITH_PASSWORD.match(message) for message in own):
        return BY_ID['transport_user_refused']
    return next((cause for cause in CAUSES if page.response_code in cause.codes), None)


def refined(cause: str, evidence: str, response_code: Optional[int], authentication: str, behind: bool,
            now: Optional[float]) -> Cause:
    """Refine the cause with facts that are not on the page: how the agent authenticates, whether AEM's clock is behind, the time.

    now: Unix seconds of a trusted clock, or None. Since JWT_ENDED, no JWT gets a token, regardless of the clock. This is then the
    cause of all failures for lack of a token, but not of failures of the network.
    """
    known = BY_ID[cause]
    tokenless = response_code == 401 or bool(_TOKEN_FAILED.search(evidence))
    unsure = known.id == 'jwt_end_of_life' and 'jwt' not in evidence.lower()
    if known.id == 'jwt_end_of_life' and (
            authentication == 'oauth_server_to_server' or (unsure and authentication == 'legacy_gateway')):
        return BY_ID['ims_unavailable']
    if unsure and authentication == 'unknown':
        return JWT_PROBABLY
    ended = authentication == 'jwt' and now is not None and now >= JWT_ENDED
    # An exchange that Adobe has taken away answers so, too.
    gone = known.id == 'token_unreadable' and bool(_GONE.search(evidence))
    if ended and (tokenless or known.clock_related != 'no') and (gone or known.id not in _OF_THE_NETWORK + _OF_A_JWT):
        return BY_ID['jwt_end_of_life']
    if known.id == 'key_not_accepted' and behind:
        return TOKEN_OUTLIVED
    return known


def by_trusted_time(cause: Cause, not_before: Optional[float], not_after: Optional[float], now: Optional[float]) -> Cause:
    """Return the cause of a certificate's date by a right clock, which may accept or refuse it. All times: Unix seconds."""
    if cause.id not in ('certificate_expired', 'certificate_not_yet_valid') or now is None:
        return cause
    if not_after is not None and now > not_after:
        return cause._replace(
            clock_related='no', direction=None,
            meaning='A certificate of the remote side has expired, by trusted time too: AEM refuses it with any clock.',
            advice="The certificate has to be renewed: the remote side's, a proxy's, or one in AEM's truststore.")
    if not_before is not None and now < not_before:
        return cause._replace(
            clock_related='no', direction=None,
            meaning='A certificate of the remote side is not valid yet, by trusted time too: AEM refuses it with any clock.',
            advice='Find out who presents this certificate: it may be a proxy whose own clock is wrong.')
    if not_before is not None or not_after is not None:
        return cause._replace(
            meaning='A certificate of the remote side is valid by trusted time: AEM refused it by another clock.',
            advice='Compare the measured skew. If the clock is right, it was set in the meantime, or AEM runs on another host: '
                   'test again, and check the address of AEM.')
    return cause


def of_clock(message: str) -> Optional[Cause]:
    """Return the cause of one message of an agent if it may be a clock, otherwise None."""
    for cause, pattern, context in _compiled():
        if _shows(message[:_LONGEST], pattern, context):
            return cause if cause.clock_related != 'no' else None
    return None


def _is_foreign(message: str) -> bool:
    """Return whether the text of an exception in the message is in another language, apart from names and quoted pages."""
    said = message.rpartition('msg: ')[2]
    return causes_ims.QUOTED not in said and any(letter > '\x7f' and letter.isalpha() for letter in said)


def _shows(message: str, pattern: Pattern[str], context: Optional[Pattern[str]]) -> bool:
    return bool(pattern.search(message) and (context is None or context.search(message)))


def _messages(page: pages.Page, kind: str) -> List[str]:
    """Return the different messages of a kind, because a page may repeat a message for megabytes."""
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
    """Return the line that says most about an unknown failure: about the token, a failure, the answer, or any other line."""
    news = [message for message in reversed(own) if not _PROCEDURE.match(message)]
    for wanted in (_TOKEN_FAILED, _FAILURE):
        for message in news:
            if wanted.search(message):
                return message
    if page.response_code is not None:
        return _answer(page, own)
    if news:
        return news[0]
    # The last thing that the agent did before it failed shows where; the trailer only says that it failed.
    return next((message for message in reversed(own) if not _TRAILER.match(message)),
                own[-1] if own else page.lines[-1].message if page.lines else '')
