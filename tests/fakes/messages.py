# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: UP006, UP031, UP035  (nothing newer than Python 3.6 here)
"""What AEM's agents, Adobe IMS and Java say, line by line, and what a right reader makes of each line: one list.

It drives the tests of the table of causes, the scenarios of the fake AEM (scenarios.py), and the samples in docs/causes.md.
AEM prints an exception's message after `msg:`, never its class; the class is in the line `Error while replicating:` and in
error.log. Java's own words are in java_words.json, recorded from real JVMs by tests/tools/java_words.py.

Standard library only, and nothing newer than Python 3.6.
"""

import json
import os
from typing import Dict, List, NamedTuple, Optional, Tuple

HERE = os.path.dirname(os.path.abspath(__file__))


class Message(NamedTuple):
    """One failure as it is told. `status` is IMS's answer; without one, `said` is the message of an exception."""

    name: str
    said: str
    cause: str
    status: int = 0
    kind: str = ""  # the exception's class; '' where none is known
    everywhere: bool = True  # an exception: Brand Portal cannot be asked either, so a verdict line with the class follows
    source: str = ""

    @property
    def expected(self) -> "Expected":
        return EXPECTED[self.cause]

    @property
    def token_line(self) -> str:
        """What follows `msg:`."""
        if not self.status:
            return self.said
        return "failed to get access token from authorization server status: %d response: %s" % (self.status, self.said)


class Expected(NamedTuple):
    """The expected content of the table for a cause, written a second time to detect changes."""

    clock: str
    direction: Optional[str]
    advice: str  # words that the advice must have


_NO, _MIGRATE = "no", "OAuth Server-to-Server"
EXPECTED: Dict[str, Expected] = {
    "none": Expected(_NO, None, ""),
    "unknown": Expected(_NO, None, "log"),
    "jwt_signature_mismatch": Expected(_NO, None, _MIGRATE),
    "no_valid_bindings": Expected(_NO, None, _MIGRATE),
    "jwt_malformed": Expected(_NO, None, _MIGRATE),
    "jwt_missing": Expected(_NO, None, _MIGRATE),
    "jwt_end_of_life": Expected(_NO, None, _MIGRATE),
    "jwt_not_yet_valid": Expected("likely", "ahead", "measured skew"),
    "token_expired": Expected("likely", "behind", "measured skew"),
    "jwt_expired": Expected("yes", "behind", "Correct AEM's clock"),
    "invalid_client_secret": Expected(_NO, None, "client secret"),
    "client_not_allowed": Expected(_NO, None, _MIGRATE),
    "invalid_signature": Expected(_NO, None, _MIGRATE),
    "invalid_scope": Expected(_NO, None, "product profile"),
    "invalid_jti": Expected(_NO, None, _MIGRATE),
    "bad_request": Expected(_NO, None, "identifiers"),
    "unauthorized_client": Expected(_NO, None, "product profile"),
    "unsupported_grant_type": Expected(_NO, None, "choose OAuth"),
    "invalid_client": Expected(_NO, None, "client ID"),
    "access_denied_ims": Expected(_NO, None, "product profile"),
    "ims_proxy_authentication": Expected(_NO, None, "user and password"),
    "ims_refused": Expected(_NO, None, "ims-na1.adobelogin.com"),
    "ims_throttled": Expected("likely", "ahead", "measured skew"),
    "ims_unavailable": Expected(_NO, None, "status.adobe.com"),
    "token_unreadable": Expected(_NO, None, "proxy"),
    "token_provider_missing": Expected(_NO, None, "save and close"),
    "token_outlived": Expected("likely", "behind", "save and close"),
    "certificate_not_yet_valid": Expected("likely", "behind", "measured skew"),
    "certificate_expired": Expected("likely", "ahead", "renewed"),
    "certificate_dates": Expected("likely", None, "renewed"),
    "ocsp_dates": Expected("likely", None, "OCSP"),
    "pkix_path": Expected("likely", None, "truststore"),
    "certificate_untrusted": Expected(_NO, None, "truststore"),
    "certificate_name": Expected(_NO, None, "DNS"),
    "not_tls": Expected(_NO, None, "port"),
    "tls_handshake": Expected(_NO, None, "TLS versions"),
    "unknown_host": Expected(_NO, None, "DNS"),
    "connection_refused": Expected(_NO, None, "firewall"),
    "connection_failed": Expected(_NO, None, "firewall"),
    "timeout": Expected(_NO, None, "firewall"),
    "no_route": Expected(_NO, None, "routes"),
    "connection_reset": Expected(_NO, None, "firewall"),
    "unrecoverable_key": Expected(_NO, None, _MIGRATE),
    "keystore_not_initialized": Expected(_NO, None, _MIGRATE),
    "trust_anchors_empty": Expected(_NO, None, "trustStore"),
    "crypto_keys_changed": Expected(_NO, None, "client secret"),
    "access_denied": Expected(_NO, None, "transport user"),
    "publish_forbidden": Expected(_NO, None, "support ticket"),
    "two_authors": Expected(_NO, None, "all authors but one"),
    "no_such_agent": Expected(_NO, None, "enabled"),
    "oauth_not_initialized": Expected(_NO, None, "save and close"),
    "transport_user_refused": Expected(_NO, None, "password"),
    "key_not_accepted": Expected(_NO, None, "save and close"),
    "proxy_authentication_required": Expected(_NO, None, "user and password"),
    "brand_portal_refused": Expected(_NO, None, "firewall"),
    "not_brand_portal": Expected(_NO, None, "transport URI"),
    "brand_portal_unavailable": Expected(_NO, None, "Test again"),
    "queue_backlog": Expected(_NO, None, "Close Connection"),
    "test_timeout": Expected(_NO, None, "test_timeout"),
}


def ims(error: str, description: str) -> str:
    return '{"error":"%s","error_description":"%s"}' % (error, description)


_DEV_CONSOLE = "adobe-dev-console issue "
_JDK = "the source of the JDK"

# Adobe's answers to the request for an access token: (name, status, body, cause, source)
_IMS: List[Tuple[str, int, str, str, str]] = [
    ("jwt_end_of_life", 500, '{"error": "internal_error", "error_description": "Please try again later"}',
     "jwt_end_of_life", _DEV_CONSOLE + "124"),
    ("jwt_expired", 400, ims("invalid_grant", "JWT has expired"), "jwt_expired", "KA-10565"),
    ("token_expired", 400, ims("invalid_token", "The token has expired"), "token_expired", ""),
    ("jwt_not_yet_valid", 400, ims("invalid_token", "The JWT is not yet valid"), "jwt_not_yet_valid", ""),
    ("jwt_signature_mismatch", 400, ims("invalid_token", "Could not match JWT signature to any of the bindings"),
     "jwt_signature_mismatch", ""),
    ("jwt_signature_mismatch_old", 400, ims("invalid_token", "Could not match signature to any of the bindings"),
     "jwt_signature_mismatch", "an older SDK"),
    ("no_valid_bindings", 400,
     ims("invalid_token", "No valid bindings were found for organization and technical account combination"),
     "no_valid_bindings", ""),
    ("jwt_malformed", 400, ims("invalid_token", "JWT token is incorrectly formatted, and can not be decoded."),
     "jwt_malformed", ""),
    ("jwt_missing", 400, ims("invalid_token", "JWT token is missing."), "jwt_missing", ""),
    ("invalid_client_secret", 400, ims("invalid_client", "invalid client_secret parameter"), "invalid_client_secret",
     "Adobe's own client, KA-23909"),
    ("invalid_client", 400, ims("invalid_client", "invalid client_id parameter"), "invalid_client", ""),
    ("organization_invalid", 400, ims("invalid_client", "the organization associated with this client is invalid"),
     "invalid_client", "helpx, the legacy gateway"),
    ("user_invalid", 400, ims("invalid_client", "the user associated with this client is invalid"), "invalid_client",
     "helpx, the legacy gateway"),
    ("invalid_signature", 400, ims("invalid_signature", "The signature of the JWT is invalid"), "invalid_signature", ""),
    ("invalid_scope", 400, ims("invalid_scope", "Invalid metascope."), "invalid_scope", ""),
    ("invalid_scope_of_jwt", 400,
     '{"error_description":"The metascopes in the JWT are not a subset of the metascopes in the binding.",'
     '"error":"invalid_scope"}', "invalid_scope", _DEV_CONSOLE + "54"),
    ("invalid_jti", 400, ims("invalid_jti", "The jti claim is required and must not have been used before"),
     "invalid_jti", ""),
    ("bad_request", 400, ims("bad_request", "The request could not be understood"), "bad_request", ""),
    ("access_denied_ims", 400, ims("access_denied", "The client may not use this scope"), "access_denied_ims", "RFC 6749"),
    ("access_denied_of_code", 400, "access_denied", "access_denied_ims", "aio-lib-ims"),
    ("profile_not_valid", 403, '{"error_code":"403023","message":"Profile is not valid"}', "access_denied_ims",
     "Adobe's API gateway; not seen from Brand Portal"),
    ("unauthorized_client", 400, '{"error":"unauthorized_client"}', "unauthorized_client", "RFC 6749"),
    ("unsupported_grant_type", 400, '{"error":"unsupported_grant_type"}', "unsupported_grant_type", "RFC 6749"),
    ("client_not_allowed", 403, '{"error":"This client: 3f2a-acme-bp is no longer allowed to get access token."}',
     "client_not_allowed", "the legacy gateway"),
    ("ims_proxy_authentication", 407, "<html><h1>Proxy Authentication Required</h1></html>", "ims_proxy_authentication",
     "recorded: HttpClient gives a proxy's refusal of CONNECT as the answer"),
    ("ims_refused", 403, "<html><h1>Access to this site is blocked</h1></html>", "ims_refused", "as above"),
    ("ims_unavailable", 503, "<html><body>Service Unavailable</body></html>", "ims_unavailable", "as above"),
    ("ims_bad_gateway", 502, "", "ims_unavailable", "as above"),
    ("ims_throttled", 429, '{"error":"too_many_requests"}', "ims_throttled", "inferred"),
    ("expired_grant", 400, ims("invalid_grant", "The assertion has expired"), "token_expired", "RFC 7521"),
    ("token_expired_as_a_code", 400, '{"error":"token_expired"}', "token_expired", ""),
    ("token_expired_as_a_description", 400, ims("invalid_token", "token_expired"), "token_expired", ""),
    ("exp_in_the_past", 400, ims("invalid_token", "The exp claim is in the past"), "token_expired", "RFC 7519"),
    ("iat_in_the_future", 400, ims("invalid_token", "iat is in the future"), "jwt_not_yet_valid", "RFC 7519"),
    ("exp_too_far", 400, ims("bad_request", "The exp claim is too far in the future"), "jwt_not_yet_valid", "RFC 7519"),
    ("certificate_expired_at_adobe", 400, ims("invalid_token", "The certificate has expired"), "no_valid_bindings", ""),
    ("client_secret_expired", 400, ims("invalid_client", "client_secret has expired"), "invalid_client_secret", ""),
    ("license_expired", 400, ims("invalid_token", "The license has expired"), "unknown", ""),
    ("invalid_request", 400, ims("invalid_request", "Missing scope parameter"), "bad_request", "RFC 6749"),
    ("ims_redirected", 307, "", "token_unreadable", "a proxy that wants people to sign in, as Zscaler's"),
    ("ims_request_rejected", 200, "<html><title>Request Rejected</title>", "token_unreadable", "F5"),
    ("ims_not_found", 404, "", "token_unreadable", "another server, or another path"),
    ("ims_page_of_a_gateway", 400, "<html><h1>Invalid URL</h1>The certificate has expired", "token_unreadable", "Akamai"),
    ("jwt_valid_later", 400, ims("invalid_token", "The JWT is not valid yet"), "jwt_not_yet_valid", "RFC 7519"),
    ("jwt_before_use_time", 400, ims("invalid_token", "JWT before use time"), "jwt_not_yet_valid", "Nimbus, from memory"),
    ("jwt_not_accepted_before", 400, ims("invalid_grant", "JWT must not be accepted before 2026-11-27T09:00:00Z"),
     "jwt_not_yet_valid", "JJWT, from memory"),
    ("issued_at_in_the_future", 400, ims("invalid_token", "The issued at time is in the future"), "jwt_not_yet_valid", "RFC 7519"),
    ("jwt_used_twice", 400, ims("invalid_grant", "The JWT was used before"), "unknown", "RFC 7523"),
    ("technical_account_removed", 400, ims("invalid_token", "The technical account has been removed"), "invalid_client", ""),
    ("user_expired", 400, ims("invalid_grant", "User account has expired"), "invalid_client", ""),
    ("token_of_an_account_expired", 400, ims("invalid_grant", "The token of the technical account has expired"),
     "token_expired", ""),
    ("user_token_expired", 400, ims("invalid_token", "User token has expired"), "token_expired", ""),
    ("account_refused_for_its_token", 400,
     ims("invalid_grant", "Technical account authentication failed, access token expired"), "token_expired", ""),
    ("user_refused_for_exp", 400, ims("invalid_token", "User login failed as the exp claim is in the past"), "token_expired", ""),
    ("jwt_deprecated", 400, ims("invalid_grant", "The Service Account (JWT) credential is deprecated and has expired"),
     "jwt_end_of_life", ""),
    ("jwt_credentials_expired", 400, ims("invalid_grant", "JWT credentials have expired"), "jwt_end_of_life", ""),
    ("jwt_not_supported", 400, ims("unsupported_grant_type", "JWT exchange is no longer supported"), "jwt_end_of_life", ""),
    ("jwt_credentials_not_accepted", 400, ims("invalid_grant", "JWT credentials are no longer accepted"), "jwt_end_of_life", ""),
    ("jwt_no_longer_valid", 400, ims("invalid_token", "The JWT is no longer valid because it has expired"), "token_expired", ""),
    ("exp_in_the_past_by_another_code", 400, ims("bad_request", "The exp claim is in the past"), "token_expired", ""),
    ("assertion_expired_by_another_code", 400, ims("invalid_client", "The client assertion has expired"), "token_expired", ""),
    ("scope_expired", 400, ims("bad_request", "The scope has expired"), "bad_request", ""),
    ("lifetime_too_long", 400, ims("invalid_token", "JWT lifetime exceeds the maximum of 24 hours"), "jwt_not_yet_valid", ""),
    ("exp_less_than_a_day", 400, ims("invalid_token", "JWT expiry should be less than 24 hours from now"), "jwt_not_yet_valid", ""),
    ("exp_in_the_future", 400, ims("invalid_token", "The exp claim must be in the future"), "token_expired", ""),
    ("client_secret_not_valid", 401, ims("invalid_client", "The client secret provided is not valid"), "invalid_client_secret", ""),
    ("ims_server_error", 400, '{"error" : "server_error"}', "ims_unavailable", "RFC 6749"),
    ("ims_temporarily_unavailable", 400, ims("temporarily_unavailable", "Try later"), "ims_unavailable", "RFC 6749"),
    ("ims_slow_down", 400, '{"error":"slow_down"}', "ims_throttled", "RFC 8628"),
    ("ims_page_of_blue_coat", 400, "<HTML><TITLE>Request Error</TITLE>Request Error (invalid_request)", "token_unreadable",
     "Blue Coat, from memory"),
    ("certificate_of_an_account_expired", 400,
     ims("invalid_token", "Certificate for this technical account expired on 2026-01-01"), "no_valid_bindings", ""),
    ("certificate_of_a_jwt_expired", 400, ims("invalid_grant", "The certificate used to sign the JWT has expired"),
     "no_valid_bindings", ""),
    ("expired_certificate", 400, ims("invalid_token", "expired certificate"), "no_valid_bindings", ""),
    ("public_key_expired", 400, ims("invalid_token", "Public key used for JWT is expired"), "no_valid_bindings", ""),
    ("jwt_expired_beside_a_certificate", 400, ims("invalid_grant", "JWT has expired, or its certificate is unknown"),
     "jwt_expired", ""),
    ("client_secret_past_its_expiration", 400, ims("invalid_token", "Client secret is past its expiration date"),
     "invalid_client_secret", ""),
    ("client_secret_revoked", 401, ims("invalid_client", "The client_secret has been revoked"), "invalid_client_secret", ""),
    ("expiration_exceeded", 400, ims("invalid_token", "JWT expiration time exceeded"), "token_expired", ""),
    ("lifetime_exceeded", 400, ims("invalid_grant", "The lifetime of the JWT is exceeded"), "token_expired", ""),
    ("exp_missing", 400, ims("invalid_token", "The expiration claim is required"), "unknown", ""),
    ("exp_before_now", 400, ims("invalid_token", "JWT exp is before the current time"), "token_expired", "RFC 7519"),
    ("nbf_later", 400, ims("invalid_grant", "JWT nbf is later than the current time"), "jwt_not_yet_valid", "RFC 7519"),
    ("issued_in_future", 400, ims("invalid_token", "JWT issued in future"), "jwt_not_yet_valid", "RFC 7519"),
    ("used_too_early", 400, ims("invalid_token", "Token used too early"), "jwt_not_yet_valid", ""),
    ("jwt_not_active", 400, ims("invalid_token", "jwt not active"), "jwt_not_yet_valid", "node-jsonwebtoken"),
    ("issued_at_a_time_to_come", 400, ims("invalid_token", "'Issued at' claim ('iat') must be a time in the past"),
     "jwt_not_yet_valid", "GitHub"),
    ("not_accepted_before", 400, ims("invalid_grant", "The JWT is not accepted before 2026-11-27T10:00:00Z"), "jwt_not_yet_valid",
     "RFC 7519"),
    ("iat_after_now", 400, ims("invalid_grant", "iat claim is after the current time"), "jwt_not_yet_valid", "RFC 7519"),
    ("issued_later_than_now", 400, ims("invalid_token", "The assertion was issued at a time later than now"), "jwt_not_yet_valid",
     ""),
    # Keycloak says so of a token that has expired, too
    ("token_not_active", 400, ims("invalid_token", "Token is not active"), "unknown", "Keycloak"),
    # Adobe's clock alone decides about these
    ("authorization_code_expired", 400, ims("invalid_grant", "The authorization code has expired"), "unknown", "RFC 6749"),
    ("refresh_token_expired", 400, ims("invalid_grant", "refresh_token expired"), "unknown", "RFC 6749"),
    ("session_expired", 400, ims("invalid_token", "The session has expired"), "unknown", ""),
    ("expiry_malformed", 400, ims("invalid_token", "expiration claim has an invalid format"), "unknown", "RFC 7519"),
    ("organization_suspended", 403, ims("access_denied", "Organization is suspended"), "invalid_client", ""),
    ("client_secret_with_an_underscore", 401, ims("invalid_client", "Invalid client_secret"), "invalid_client_secret", ""),
    ("ims_signed_in_first", 511, "<html>Network Authentication Required</html>", "token_unreadable", "RFC 6585"),
    # The clock and the network in these messages are those of the proxy.
    ("ims_proxy_without_tls", 502, "X509_V_ERR_CERT_HAS_EXPIRED: certificate has expired", "ims_unavailable", "squid"),
    ("ims_proxy_without_words", 400, "Connect failed: certificate is not yet valid", "unknown", ""),
    ("token_refused_without_words", 400, 'Unknown macro: {"error"}', "unknown", "Adobe's page lost the answer"),
]

# Messages of exceptions that make an access token impossible: (name, class, message, cause, source)
_TOKENLESS: List[Tuple[str, str, str, str, str]] = [
    ("token_provider_missing", "", "Access token provider is not bind", "token_provider_missing", "commerce-salesforce"),
    ("token_unreadable", "java.io.IOException", "failed to parse access token: <html><body>Welcome</body></html>",
     "token_unreadable", "commerce-salesforce"),
    ("keystore_not_initialized", "com.adobe.granite.keystore.KeyStoreNotInitialisedException",
     "Uninitialised key store for user mac-acme-replication", "keystore_not_initialized", "config-dynamic"),
    ("unrecoverable_key", "java.lang.SecurityException",
     "java.security.UnrecoverableKeyException: Could not decrypt key: Could not decrypt data.", "unrecoverable_key",
     "config-dynamic"),
    ("proxy_of_the_jdk_503", "java.io.IOException",
     'Unable to tunnel through proxy. Proxy returns "HTTP/1.1 503 Service Unavailable"', "ims_unavailable",
     "HttpURLConnection, from memory"),
    ("refused_by_proxy", "org.apache.http.impl.execchain.TunnelRefusedException",
     "CONNECT refused by proxy: HTTP/1.1 403 Forbidden", "ims_refused", "HttpClient 4.5"),
    ("refused_by_proxy_503", "org.apache.http.impl.execchain.TunnelRefusedException",
     "CONNECT refused by proxy: HTTP/1.1 503 Service Unavailable", "ims_unavailable", "HttpClient 4.5"),
    ("jwt_end_of_life_escaped", "", 'failed to get access token from authorization server status: 500 response: '
     '{\\"error\\":\\"internal_error\\"}', "jwt_end_of_life", ""),
    ("unknown_host_of_a_proxy", "java.net.UnknownHostException", "proxy.corp.local", "unknown_host", "Java's cached answer"),
    ("unknown_host_of_windows", "java.net.UnknownHostException", "No such host is known (ims-na1.adobelogin.com)", "unknown_host",
     _JDK),
    ("unknown_host_of_nio", "", "java.nio.channels.UnresolvedAddressException", "unknown_host", _JDK),
    ("socks_refused", "java.net.SocketException", "SOCKS: Host unreachable", "no_route", _JDK),
    ("socks_login", "java.net.SocketException", "SOCKS : authentication failed", "proxy_authentication_required", _JDK),
    ("key_of_another_password", "java.security.UnrecoverableKeyException", "Cannot recover key", "unrecoverable_key", _JDK),
    ("key_of_another_password_12", "java.security.UnrecoverableKeyException",
     "Get Key failed: Given final block not properly padded", "unrecoverable_key", _JDK),
    ("unknown_host_without_a_dot", "java.net.UnknownHostException", "proxy: Der Name oder der Dienst ist nicht bekannt",
     "unknown_host", "glibc"),
    ("pool_exhausted", "org.apache.http.conn.ConnectionPoolTimeoutException", "Timeout waiting for connection from pool",
     "timeout", "HttpClient 4.5"),
    ("timeout_of_httpclient_5", "java.net.SocketTimeoutException", "180000 MILLISECONDS", "timeout", "HttpClient 5, from memory"),
    ("refused_in_german", "java.net.ConnectException", "Verbindungsaufbau abgelehnt", "connection_refused", "glibc"),
    ("refused_in_french", "java.net.ConnectException", "Connexion refusée", "connection_refused", "glibc"),
    ("refused_in_japanese", "java.net.ConnectException", "接続を拒否されました", "connection_refused", "glibc"),
    ("refused_in_spanish", "java.net.ConnectException", "Conexión rehusada", "connection_refused", "glibc"),
    ("refused_in_italian", "java.net.ConnectException", "Connessione rifiutata", "connection_refused", "glibc"),
    ("refused_in_portuguese", "java.net.ConnectException", "Conexão recusada", "connection_refused", "glibc"),
    ("refused_in_chinese", "java.net.ConnectException", "拒绝连接", "connection_refused", "glibc"),
    ("refused_in_taiwanese", "java.net.ConnectException", "連線被拒絕", "connection_refused", "glibc"),
    ("refused_in_korean", "java.net.ConnectException", "연결이 거부됨", "connection_refused", "glibc"),
    ("refused_in_dutch", "java.net.ConnectException", "Verbinding is geweigerd", "connection_refused", "glibc"),
    ("refused_in_polish", "java.net.ConnectException", "Połączenie odrzucone", "connection_refused", "glibc"),
    ("refused_in_russian", "java.net.ConnectException", "В соединении отказано", "connection_refused", "glibc"),
    ("no_cipher_in_common", "javax.net.ssl.SSLHandshakeException", "no cipher suites in common", "tls_handshake", _JDK),
    ("old_protocol_8", "javax.net.ssl.SSLHandshakeException", "Server chose TLSv1, but that protocol version is not enabled or not "
     "supported by the client.", "tls_handshake", _JDK + " 8"),
    ("no_more_files", "java.net.SocketException", "Too many open files", "unknown", "glibc"),
    ("class_as_a_message", "", "java.lang.NullPointerException", "unknown", ""),
    ("keystore_of_another_password", "java.io.IOException", "Keystore was tampered with, or password was incorrect",
     "unrecoverable_key", _JDK),
    ("keystore_of_another_password_11", "java.io.IOException", "keystore password was incorrect", "unrecoverable_key", _JDK),
    ("keystore_not_loaded", "java.security.KeyStoreException", "Uninitialized keystore", "keystore_not_initialized", _JDK),
    ("no_http", "org.apache.http.client.ClientProtocolException", "The server failed to respond with a valid HTTP response",
     "token_unreadable", "HttpClient 4.5"),
    ("timeout_of_httpclient_3", "org.apache.commons.httpclient.ConnectTimeoutException",
     "The host did not accept the connection within timeout of 10000 ms", "timeout", "HttpClient 3.1"),
    ("not_tls_by_its_version", "javax.net.ssl.SSLException", "Unsupported record version Unknown-72.84", "not_tls", _JDK),
    ("blocked_on_the_host_17", "java.net.SocketException", "Operation not permitted", "no_route", _JDK + " 17"),
    ("blocked_on_windows", "java.net.SocketException", "Permission denied: connect", "no_route", _JDK),
    ("old_protocol", "javax.net.ssl.SSLHandshakeException",
     "The server selected protocol version TLS10 is not accepted by client preferences [TLS13, TLS12]", "tls_handshake", _JDK),
    ("old_protocol_25", "javax.net.ssl.SSLHandshakeException",
     "(protocol_version) The server selected protocol version TLS10 is not accepted by client preferences [TLS13, TLS12]",
     "tls_handshake", _JDK + " 25"),
    ("alert_of_our_own", "javax.net.ssl.SSLProtocolException", "(illegal_parameter) Invalid ECDHE parameters", "tls_handshake",
     _JDK + " 25"),
    ("name_refused_8", "javax.net.ssl.SSLProtocolException", "handshake alert:  unrecognized_name", "tls_handshake", _JDK + " 8"),
    ("closed_in_the_handshake", "javax.net.ssl.SSLProtocolException", "Received close_notify during handshake", "tls_handshake",
     _JDK),
    ("weak_key_exchange", "javax.net.ssl.SSLHandshakeException", "DH ServerKeyExchange does not comply to algorithm constraints",
     "tls_handshake", _JDK),
    ("certificate_blocked", "sun.security.validator.ValidatorException", "Untrusted certificate: CN=proxy", "certificate_untrusted",
     _JDK),
    ("no_authority_8", "sun.security.validator.ValidatorException", "End user tried to act as a CA", "certificate_untrusted", _JDK),
    ("crypto_keys_changed", "com.adobe.granite.crypto.CryptoException", "Cannot convert byte data", "crypto_keys_changed",
     "Adobe knowledge base KA-26706"),
    ("unrecoverable_key_bare", "java.security.UnrecoverableKeyException", "Could not decrypt key: Could not decrypt data.",
     "unrecoverable_key", "getMessage()"),
]

_SSL = "javax.net.ssl.SSLHandshakeException"
_VALIDATOR = "sun.security.validator.ValidatorException: "
_PATH = "java.security.cert.CertPathValidatorException: "
_BUILDER = (
    "sun.security.provider.certpath.SunCertPathBuilderException: unable to find valid certification path to requested target"
)
# Messages of exceptions that keep AEM from IMS and Brand Portal alike: (name, class, message, cause, source). What is
# recorded is in java_words.json; these are Java 8's and others that no server here can provoke.
_NOWHERE: List[Tuple[str, str, str, str, str]] = [
    ("certificate_not_yet_valid", _SSL,
     "java.security.cert.CertificateNotYetValidException: NotBefore: Wed Mar 01 00:00:00 UTC 2017",
     "certificate_not_yet_valid", _JDK + " 8"),
    ("certificate_expired", _SSL,
     "java.security.cert.CertificateExpiredException: NotAfter: Thu Mar 02 23:59:59 UTC 2017",
     "certificate_expired", _JDK + " 8"),
    ("certificate_dates", _SSL, _VALIDATOR + "PKIX path validation failed: " + _PATH + "validity check failed",
     "certificate_dates", _JDK + " 8"),
    ("certificate_dates_java7", _SSL, _VALIDATOR + "PKIX path validation failed: " + _PATH + "timestamp check failed",
     "certificate_dates", _JDK + " 8 of 2012"),
    ("pkix_path", _SSL, _VALIDATOR + "PKIX path building failed: " + _BUILDER, "pkix_path", _JDK + " 8"),
    ("ocsp_dates", _SSL, "PKIX path validation failed: " + _PATH
     + "Response is unreliable: its validity interval is out-of-date", "ocsp_dates", _JDK),
    ("certificate_untrusted", _SSL, "PKIX path validation failed: " + _PATH
     + "Path does not chain with any of the trust anchors", "certificate_untrusted", _JDK),
    ("certificate_revoked", _SSL, "PKIX path validation failed: " + _PATH
     + "Certificate has been revoked, reason: KEY_COMPROMISE", "certificate_untrusted", _JDK),
    ("certificate_name_of_subject", "javax.net.ssl.SSLPeerUnverifiedException",
     "Certificate for <acme.brand-portal.adobe.com> doesn't match common name of the certificate subject: proxy",
     "certificate_name", "HttpClient 4.5"),
    ("certificate_name_4_4", "javax.net.ssl.SSLPeerUnverifiedException",
     "Host name 'acme.brand-portal.adobe.com' does not match the certificate subject provided by the peer (CN=proxy)",
     "certificate_name", "HttpClient 4.4"),
    ("certificate_revoked_alone", "java.security.cert.CertificateException", "Certificate has been revoked, reason: UNSPECIFIED",
     "certificate_untrusted", _JDK),
    ("algorithm_disabled", "java.security.cert.CertificateException",
     "Algorithm constraints check failed on signature algorithm: SHA1withRSA", "certificate_untrusted", _JDK),
    ("algorithm_disabled_8", "java.security.cert.CertificateException", "Certificates do not conform to algorithm constraints",
     "certificate_untrusted", _JDK + " 8"),
    ("authority_distrusted", _SSL, "TLS Server certificate issued after 2024-11-11 and anchored by a distrusted legacy Entrust "
     "root CA: CN=Entrust Root", "certificate_untrusted", _JDK),
    ("certificate_without_its_use", _SSL, "Extended key usage does not permit use for TLS server authentication",
     "certificate_untrusted", _JDK),
    ("no_authority", _SSL, 'TrustAnchor with subject "CN=proxy" is not a CA certificate', "certificate_untrusted", _JDK),
    ("dh_key_pair", "javax.net.ssl.SSLException", "java.lang.RuntimeException: Could not generate DH keypair", "tls_handshake",
     _JDK),
    ("closed_while_reading", "java.net.SocketException", "Connection or inbound has closed", "connection_reset", _JDK),
    ("closed_while_writing", "java.net.SocketException", "Connection or outbound has closed", "connection_reset", _JDK),
    ("proxy_password", "java.io.IOException",
     'Unable to tunnel through proxy. Proxy returns "HTTP/1.1 407 Proxy Authentication Required"', "proxy_authentication_required",
     _JDK),
    ("not_tls_8", "javax.net.ssl.SSLException", "Unrecognized SSL message, plaintext connection?", "not_tls",
     "Java 8 from memory"),
    ("handshake_closed_8", _SSL, "Remote host closed connection during handshake", "tls_handshake", "Java 8 from memory"),
    ("handshake_no_protocol", _SSL, "No appropriate protocol (protocol is disabled or cipher suites are inappropriate)",
     "tls_handshake", "from memory"),
    ("handshake_chaining", "sun.security.validator.ValidatorException", "Certificate chaining error", "tls_handshake", _JDK),
    ("reset_by_peer_in_japanese", "java.net.SocketException", "接続が相手からリセットされました", "connection_reset",
     "jPOS-EE PR 231"),
    ("reset_in_new_french", "java.net.SocketException", "Connexion réinitialisée par le correspondant", "connection_reset",
     "a newer glibc"),
    ("timed_out_in_new_french", "java.net.ConnectException", "Connexion terminée par expiration du délai d\u2019attente", "timeout",
     "a newer glibc"),
    ("certificate_not_valid_until", _SSL, "certificate not valid until Tue Jan 01 00:00:00 UTC 2030", "certificate_not_yet_valid",
     "IBM's Java, from memory"),
    ("certificate_not_valid_till", _SSL, "certificate not valid till 20300101000000GMT+00:00", "certificate_not_yet_valid",
     "Bouncy Castle, from memory"),
    ("certificate_not_valid_yet", _SSL, "Certificate is not valid yet", "certificate_not_yet_valid", "from memory"),
    ("blocked_on_the_host", "javax.net.ssl.SSLException", "java.net.SocketException: Operation not permitted", "no_route", "glibc"),
    ("handshake_shut_down", _SSL, "SSL peer shut down incorrectly", "tls_handshake", "from memory"),
    ("alert_bad_certificate", _SSL, "(bad_certificate) Received fatal alert: bad_certificate", "tls_handshake", "as recorded"),
    ("certificate_signature", _SSL, "PKIX path validation failed: " + _PATH + "signature check failed",
     "certificate_untrusted", _JDK),
    ("no_ipv6", "java.net.SocketException", "Protocol family unavailable", "no_route", _JDK),
    ("no_ipv4", "java.net.SocketException", "Address family not supported by protocol (connect failed)", "no_route", "glibc"),
    ("no_address_of_the_family", "java.net.BindException", "Cannot assign requested address (connect failed)", "no_route", "glibc"),
    ("certificate_name_of_okhttp", "javax.net.ssl.SSLPeerUnverifiedException",
     "Hostname acme.brand-portal.adobe.com not verified:", "certificate_name", "OkHttp, from memory"),
    ("alert_of_bouncy_castle", "org.bouncycastle.tls.TlsFatalAlertReceived", "handshake_failure(40)", "tls_handshake",
     "Bouncy Castle, from memory"),
    ("end_of_the_stream", "java.io.EOFException", "EOF reached while reading", "connection_reset", _JDK),
    ("broken_pipe", "java.net.SocketException", "Broken pipe (Write failed)", "connection_reset", _JDK),
    ("refused_in_swedish", "org.apache.http.conn.HttpHostConnectException",
     "Connect to acme.brand-portal.adobe.com:443 [acme.brand-portal.adobe.com/203.0.113.7] failed: Förbindelsen förvägrad",
     "connection_refused", "glibc"),
    ("timeout_in_czech", "java.net.ConnectException", "Spojení bylo příliš dlouho neaktivní", "timeout", "glibc"),
    ("no_route_in_turkish", "java.net.NoRouteToHostException", "Makinaya ağ üzerinden yol yok", "no_route", "glibc"),
    ("unreachable_in_finnish", "java.net.SocketException", "Verkkoa ei tavoiteta", "no_route", "glibc"),
    ("reset_in_ukrainian", "java.net.SocketException", "Вузол розірвав з\u2019єднання", "connection_reset", "glibc"),
    ("failed_in_hebrew", "org.apache.http.conn.HttpHostConnectException",
     "Connect to acme.brand-portal.adobe.com:443 [acme.brand-portal.adobe.com/203.0.113.7] failed: החיבור נדחה",
     "connection_failed", "from memory"),
    ("failed_in_hindi", "", "java.net.ConnectException: संपर्क अस्वीकृत", "connection_failed", "from memory"),
    ("no_more_files_in_german", "java.net.SocketException", "Zu viele offene Dateien", "unknown", "glibc"),
    ("no_address_in_german", "", "java.net.BindException: Die angeforderte Adresse kann nicht zugewiesen werden", "no_route",
     "glibc"),
    ("no_port_left", "", "java.net.BindException: Address already in use", "unknown", "glibc"),
    ("reset_while_connecting", "org.apache.http.conn.HttpHostConnectException",
     "Connect to acme.brand-portal.adobe.com:443 [acme.brand-portal.adobe.com/203.0.113.7] failed: Connection reset",
     "connection_reset", "HttpClient 4.5"),
    ("nothing_known_in_swedish", "java.io.IOException", "Gränsen för antalet öppna filer är nådd", "unknown", "glibc"),
]

# The situations of java_words.json: what a right reader makes of each; for words without a direction see _of().
SITUATIONS: Dict[str, str] = {
    "not_yet_valid": "certificate_not_yet_valid",
    "expired": "certificate_expired",
    "intermediate_not_yet_valid": "certificate_not_yet_valid",
    "intermediate_expired": "certificate_expired",
    "not_yet_valid_out_of_order": "pkix_path",
    "expired_out_of_order": "pkix_path",
    "not_yet_valid_sunx509": "certificate_not_yet_valid",
    "expired_sunx509": "certificate_expired",
    "wrong_name": "certificate_name",
    "unknown_authority": "pkix_path",
    "unknown_authority_sunx509": "tls_handshake",
    "intermediate_missing": "pkix_path",
    "plain_text": "not_tls",
    "refused": "connection_refused",
    "connect_timeout": "timeout",
    "connect_timeout_of_the_kernel": "timeout",
    "handshake_timeout": "timeout",
    "answer_timeout": "timeout",
    "reset_in_handshake": "connection_reset",
    "reset_after_request": "connection_reset",
    "closed_in_handshake": "tls_handshake",
    "closed_after_request": "connection_reset",
    "alert_handshake_failure": "tls_handshake",
    "alert_certificate_expired": "tls_handshake",
    "alert_access_denied": "tls_handshake",
    "alert_protocol_version": "tls_handshake",
    "alert_internal_error": "tls_handshake",
    "alert_unrecognized_name": "tls_handshake",
    "no_route": "no_route",
    "network_unreachable": "no_route",
    "unknown_host": "unknown_host",
    "unknown_host_again": "unknown_host",
    "unknown_host_without_address": "unknown_host",
    "unknown_host_no_name_server": "unknown_host",
    "proxy_407": "ims_proxy_authentication",
    "proxy_403": "ims_refused",
    "proxy_503": "ims_unavailable",
    "proxy_refused": "connection_refused",
}


def _load() -> dict:
    with open(os.path.join(HERE, "java_words.json"), encoding="utf-8") as file:
        return json.load(file)


def words_of(java: str, situation: str, locale: str = "C") -> Tuple[str, str]:
    """(class, message) of what this version of Java says; raises KeyError where it was not recorded."""
    for said in _load()["words"]:
        if said["situation"] == situation and said["locale"] == locale and java in said["java"]:
            return said["class"], said["message"]
    raise KeyError((java, situation, locale))


def versions() -> List[str]:
    """The Java versions that were asked."""
    return list(_load()["java"])


def _of(situation: str, said: str) -> str:
    """Older updates of Java say "validity check failed" and not in which direction."""
    if "validity check failed" in said and not said.startswith("("):
        return "certificate_dates"
    return SITUATIONS[situation]


def _recorded() -> List[Message]:
    found: List[Message] = []
    seen = set()
    for word in _load()["words"]:
        situation, java = word["situation"], word["java"][0]
        if situation not in SITUATIONS:  # nothing failed
            continue
        name = "java_%s_%s" % (situation, java) + ("" if word["locale"] == "C" else "_" + word["locale"])
        where = "Java " + ", ".join(word["java"])
        if "status" in word:
            found.append(Message(name, "", SITUATIONS[situation], word["status"], source=where))
            continue
        key = (situation, word["class"], word["message"])
        if key in seen:  # not in the C library's words after all
            continue
        seen.add(key)
        message = Message(name, word["message"], _of(situation, word["message"]), 0, word["class"], True, where)
        found.append(message)
        if word["locale"] != "C":  # the class is not on the page when only the token could not be obtained
            found.append(message._replace(name=name + "_bare", everywhere=False))
    return found


WRITTEN: List[Message] = (
    [Message(name, body, cause, status, source=source) for name, status, body, cause, source in _IMS]
    + [Message(name, said, cause, 0, kind, False, source) for name, kind, said, cause, source in _TOKENLESS]
    + [Message(name, said, cause, 0, kind, True, source) for name, kind, said, cause, source in _NOWHERE]
)
RECORDED: List[Message] = _recorded()
MESSAGES: List[Message] = WRITTEN + RECORDED
