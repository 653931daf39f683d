# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows of the table of causes (causes.py) for answers of Adobe IMS, and for missing ones. Pure data."""

from ansible_collections.aemops.brand_portal.plugins.module_utils._aem.cause import Cause

_KA = 'Adobe knowledge base KA-10565'
_IMS = 'https://developer.adobe.com/developer-console/docs/guides/authentication/JWT/'
_SERVER = 'https://developer.adobe.com/developer-console/docs/guides/authentication/ServerToServerAuthentication/'
_CONFIGURE = 'https://helpx.adobe.com/experience-manager/6-3/assets/using/brand-portal-configuring-integration.html'
_OAUTH = 'https://www.rfc-editor.org/rfc/rfc6749#section-5.2'
_TRANSPORT = "Adobe's open-source sibling of AEM's transport (adobe/commerce-salesforce)"
RECORDED = 'recorded from Java 11, 17, 21 and 25 with Apache HttpClient 4.5 (make java-words)'

MIGRATE = (
    'In AEM, open Tools, Security, Adobe IMS Integration, and change the configuration of Brand Portal to OAuth '
    'Server-to-Server. AEM 6.5.21 and later and AEM 6.5 LTS can do this; AEM 6.5.11 to 6.5.20 need the hotfix '
    'ims-jwt-compatibility-package-6.5-1.0 first, and an older AEM has to be updated first.'
)
_NO_NEW_CERTIFICATE = 'Adobe has not accepted new certificates for JWT integrations since 2025-06-30. ' + MIGRATE
_CREDENTIAL = (
    'In Adobe Developer Console, check that the credential has the Brand Portal API and its product profile, and compare '
    'its client ID, secret and scopes with the IMS configuration in AEM.'
)
SAVE_AGAIN = (
    'In AEM, open the IMS configuration of Brand Portal (Tools, Security, Adobe IMS Integration), save and close it, and '
    'check its health.'
)

# A line that quotes an answer without an access token: its words are not those of Java.
QUOTED = 'authorization server status:'
# A line about the exchange for an access token. The narrow form quotes the answer of the server.
_TOKEN = r'access token|authorization server|\berror\\?["\']?\s{0,4}[:=]|ims/'
# What an exchange of JWTs may write instead of the answer, or all that is left of it.
_FROM_ADOBE = (
    r'|invalid_grant|\bOAuth|bearer|\bIMS\b|token (?:exchange|endpoint|service)|exchang(?:e|ing) (?:the |a )?(?:JWT|token)'
    r'|^\W*JWT has expired\W*$'
)
_ANSWERED = r'authorization server|\berror(?:_code)?\\?["\']?\s{0,4}[:=]'
_DESCRIPTION = r'error_description\\?["\']?\s{0,4}[:=]'
# A description that is about the owner of the credential, not about a token of it.
_OWNER = (
    _DESCRIPTION + r'\s{0,4}\\?["\']?(?:(?!token\b|JWT\b|assertion\b)\w{1,20} ){0,3}(?:account|user|organi[sz]ation)\b'
    r'(?![^"\\]{0,100}\b(?:token|JWT|assertion|exp|session)\b)'
)


def _without(pattern: str) -> str:
    return r'^(?!.*{0})'.format(pattern)


def _error(code: str) -> str:
    """Return a pattern for an OAuth error code as a whole word, not as a part of the name of a tenant or an agent."""
    return r'(?<![\w-]){0}(?![\w-])'.format(code)


def _code(codes: str) -> str:
    """Return a pattern for these values of the field error."""
    return r'\berror\\?["\']?\s{{0,4}}[:=]\s{{0,4}}\\?["\']?(?:{0})(?![\w-])'.format(codes)


CAUSES = (
    # The authorization server has answered: its own words say most about the cause.
    Cause(
        'jwt_signature_mismatch', r'could not match (?:JWT )?signature to any of the bindings',
        meaning='Adobe has no public key that matches the signature of the JWT: the certificate of the integration has '
                'expired at Adobe, or AEM has another key.',
        advice=_NO_NEW_CERTIFICATE,
        source=_IMS,
    ),
    Cause(
        'no_valid_bindings',
        r'no valid bindings were found for organization and technical account combination'
        # Also a certificate that is described further: "The certificate used to sign the JWT has expired".
        r'|' + _DESCRIPTION + r'.{0,200}\b(?:(?:certificate|public key)\b[^"\\]{0,100}\bexpired'
        r'|expired (?:certificate|public key))\b',
        meaning='The public key of the integration at Adobe is missing or has expired.',
        advice=_NO_NEW_CERTIFICATE,
        source=_IMS,
    ),
    Cause(
        'jwt_malformed', r'JWT token is incorrectly formatted',
        meaning='Adobe cannot decode the JWT.',
        advice='A JWT integration cannot be created again. ' + MIGRATE,
        source=_IMS,
    ),
    Cause(
        'jwt_missing', r'JWT token is missing',
        meaning='AEM sent no JWT: it could not sign one, because the private key is broken or missing.',
        advice='A JWT integration cannot be created again. ' + MIGRATE,
        source=_IMS,
    ),
    Cause(
        'jwt_end_of_life',
        _code('internal_error')
        + r'|\bJWTs?\b.{0,60}\b(?:deprecated|discontinued|end[ -]of[ -]life|no longer (?:supported|available))\b'
        # A single JWT that is no longer valid may have expired.
        r'|\bJWT(?:s|\)? (?:credential|integration|authentication|exchange)s?)\b.{0,40}\bno longer (?:accepted|valid)\b'
        r'|\bJWT (?:credential|integration)s? (?:has |have |is |are )?expired\b',
        meaning='AEM uses a JWT credential. Adobe converted the last of them to OAuth Server-to-Server on 2026-03-01, and '
                'no JWT gets an access token since: no correction of a clock makes these agents work.',
        advice=MIGRATE,
        source='https://github.com/AdobeDocs/adobe-dev-console/issues/124 (the text rests on this one report)',
        context=r'authorization server|access token|\bims/',
    ),
    Cause(
        'jwt_not_yet_valid',
        r'(?:JWT|token|assertion)(?: token)? (?:is )?(?:not (?:yet (?:valid|active)|(?:valid|active) yet)|before use time)'
        r'|\bJWT not active\b'
        r'|used (?:before issued|too early)'
        r"|(?:(?:cannot|can't|must not) be (?:used|accepted)|not accepted) before"
        r'|issued\b.{0,30}\b(?:in (?:the )?future|later than (?:now|the current))\b'
        r'|\b(?:nbf|iat)\b.{0,60}\b(?:future|later|after (?:now|the current)|must be (?:a time )?in the past)\b'
        r'|\b(?:exp|expiry|expiration|lifetime)\b.{0,60}(?:too far|too long|exceeds\b|maximum'
        r'|(?:less|more|longer) than \d)',
        'likely', 'ahead',
        meaning='By the clock of Adobe, the JWT is valid only from a later moment on, or for too long: the clock AEM signs with '
                'may be ahead.',
        advice='Compare the measured skew. If the clock is right, check the token provider that creates the JWT.',
        source='https://www.rfc-editor.org/rfc/rfc7519#section-4.1.5',
        context=_TOKEN,
    ),
    Cause(
        'jwt_expired', r'\bJWT(?: token)? (?:has |is )?expired\b',
        'yes', 'behind',
        meaning="The JWT's expiry is already past for Adobe: the clock AEM signs with is behind. Since 2026-03-01 only the "
                'legacy OAuth gateway still takes JWTs (inferred).',
        advice="Correct AEM's clock and keep it right with NTP, then test again.",
        # Other programs have JWTs, too, and content may have any name.
        source=_KA, context=_without(_error('invalid_token')) + '(?=.*(?:' + _TOKEN + _FROM_ADOBE + '))',
    ),
    Cause(
        'token_expired',
        r'^(?!.*\b(?:certificate|key|secret|licen[cs]e|entitlement|subscription|contract|password|trial|credentials?|integration|'
        r'profile|refresh[ _]token|code|session|consent)(?: (?:has|have|is|are|was|been|deprecated|and|past|its)\b){0,4} '
        r'(?:expired|expiration|expiry)\b)'
        r'(?!.*' + _OWNER + r')'
        r'(?!.*\b(?:exp|expiry|expiration)\b[^"\\]{0,30}\b(?:missing|required|format|integer|number)\b)'
        r'(?!.*\bmissing\b[^"\\]{0,40}\b(?:exp|expiry|expiration)\b)'
        r'.*(?:\b(?:token_)?expired\b|\bexpiry\b|\bexpiration\b|\blifetime\b.{0,40}\bexceeded\b'
        r'|\bexp\b.{0,60}\b(?:past|future|before (?:now|the current time))\b)',
        'likely', 'behind',
        meaning='Adobe calls the token invalid because of its expiry: the clock AEM signs with may be behind.',
        advice='Compare the measured skew. If the clock is right, check the expiry that the token provider sets.',
        source=_IMS,
        context=_error('invalid_(?:token|grant)') + '|' + _code('token_expired')
        # Other codes are about other parts of the request, too.
        + '|' + _DESCRIPTION + r'.{0,200}(?:\bexp\b.{0,60}\bpast\b|\b(?:JWT|assertion)\b(?: \w{1,20}){0,3} expired\b)',
    ),
    Cause(
        'invalid_client_secret',
        r'invalid client[_ ]secret|'
        r'\bclient[_ ]secret\b(?: (?:provided|has|is|was|been|past|its)\b){0,3} '
        r'(?:expired|expiration|invalid|wrong|incorrect|not valid|revoked|deleted|rotated|disabled)',
        meaning='Adobe does not accept the client secret: it was rotated or deleted in Adobe Developer Console, or AEM has '
                'lost its crypto keys in an upgrade or a restore.',
        advice="Enter the current client secret in AEM's IMS configuration, and save it. If Adobe still refuses it, restore "
               "AEM's crypto keys.",
        source='Adobe knowledge base KA-23909',
    ),
    Cause(
        'client_not_allowed', r'this client: .{1,300}? is no longer allowed to get access token',
        meaning='The application belongs to the legacy OAuth gateway, and Adobe no longer serves it.',
        advice='The legacy gateway does not accept new applications. ' + MIGRATE,
        source=_CONFIGURE,
    ),
    Cause(
        'invalid_signature', _error('invalid_signature'),
        meaning='The signature of the JWT does not match a certificate of the integration, or the algorithm in the JWT.',
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
        advice='A JWT integration cannot be changed any more. ' + MIGRATE,
        source='https://www.adobe.io/apis/cloudplatform/console/authentication/connect.html',
        context=_TOKEN,
    ),
    Cause(
        # In parentheses, it is the name of an error of a proxy (Blue Coat).
        'bad_request', r'(?<!\()' + _error('(?:bad|invalid)_request'),
        meaning='Adobe can decode the request for a token, but a part of it has a wrong format.',
        advice='Compare the organization, account and client identifiers in AEM with those of the credential in Adobe '
               'Developer Console.',
        source=_IMS, context=_TOKEN,
    ),
    Cause(
        'unauthorized_client', _error('unauthorized_client'),
        meaning="The credential at Adobe may not use the grant type of AEM's request.",
        advice=_CREDENTIAL,
        source=_OAUTH, context=_ANSWERED,
    ),
    Cause(
        'unsupported_grant_type', _error('unsupported_grant_type'),
        meaning="AEM's token provider uses a grant type that Adobe does not support there.",
        advice='Let AEM create the provider again: open the IMS configuration of Brand Portal (Tools, Security, Adobe IMS '
               'Integration), choose OAuth, save and close it.',
        source=_OAUTH, context=_ANSWERED,
    ),
    Cause(
        'invalid_client',
        _error('invalid_client') + '|' + _OWNER
        + r'.{0,60}\b(?:removed|deleted|disabled|deactivated|suspended|locked|blocked|terminated|expired|inactive|invalid'
        r'|not (?:found|exist|active|valid))\b',
        meaning='Adobe does not know the credential, or its client ID and secret do not match, or its '
                'organization, technical account or user is not valid any more.',
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
        meaning="A proxy between AEM and Adobe IMS requires authentication. AEM shows the proxy's answer as if it came from IMS.",
        advice='Set the user and password of the proxy in AEM.',
        source=RECORDED,
    ),
    Cause(
        'ims_refused', r'authorization server status: {0,4}403\b|(?:through|refused by) proxy.{0,60}\b403\b',
        meaning='A proxy, a firewall or Adobe IMS itself refused the request to IMS.',
        advice='Let the proxy and the firewall pass HTTPS from AEM to ims-na1.adobelogin.com. '
               'If they do, check the credential in Adobe Developer Console.',
        source=RECORDED,
    ),
    Cause(
        'ims_throttled', r'authorization server status: {0,4}429\b|' + _code('slow_down|too_many_requests'),
        'likely', 'ahead',
        meaning='Adobe throttles this credential, because AEM asks for too many access tokens. An AEM that is a day or more '
                'ahead considers every token expired and requests a new one each time (inferred).',
        advice='Compare the measured skew. If the clock is right, find out what else uses the same credential.',
        source=_SERVER,
    ),
    Cause(
        'ims_unavailable',
        r'authorization server status: {0,4}5(?!11)\d\d\b|(?:through|refused by) proxy.{0,60}\b5\d\d\b|'
        + _code('server_error|temporarily_unavailable'),
        meaning='Adobe IMS, or a proxy in front of it, is not available.',
        advice='See https://status.adobe.com, and check that the proxy configured in AEM reaches ims-na1.adobelogin.com. Then '
               'test again.',
        source=RECORDED,
    ),
    Cause(
        'token_unreadable',
        r'failed to parse access token|authorization server status: {0,4}(?:[23]\d\d|404|405|410|511)\b'
        r'|access token\b.{0,300}\bfailed to respond with a valid HTTP response'
        r'|authorization server status: {0,4}\d{3} response: {0,4}<',
        meaning='The answer is not from Adobe IMS: it contains no access token. It may be the page of a proxy.',
        advice='Check the proxy configured in AEM, and that the address of the token provider leads to Adobe IMS.',
        source=_TRANSPORT,
    ),
    Cause(
        'token_provider_missing', r'access token provider is not b(?:ind|ound)',
        meaning='AEM has no access token provider of the name that the agent asks for: its OSGi configuration is missing '
                'or not active.',
        advice=SAVE_AGAIN,
        source=_TRANSPORT,
    ),
)
