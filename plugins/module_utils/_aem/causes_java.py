# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows of the table of causes (causes.py) for messages of Java: TLS, AEM's own keys, and the network. Pure data."""

from ansible_collections.aemops.brand_portal.plugins.module_utils._aem.c_library_words import (
    NETWORK_UNREACHABLE,
    NO_ROUTE,
    NO_SUCH_NAME,
    REFUSED,
    RESET,
    TIMED_OUT,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem.cause import Cause
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem.causes_ims import MIGRATE, RECORDED

_DYNAMIC_MEDIA = 'https://experienceleague.adobe.com/docs/experience-manager-65/assets/dynamic/config-dynamic.html'
_JDK = 'the source of OpenJDK 8 and later'

# The newest updates of Java put the alert that they send before the message of any failed handshake.
_ALERTS = (
    'unexpected_message|bad_record_mac|record_overflow|handshake_failure|(?:bad|unsupported)_certificate|certificate_(?:revoked|'
    'expired|unknown|required)|illegal_parameter|unknown_ca|access_denied|decode_error|decrypt_error|protocol_version|'
    'insufficient_security|internal_error|inappropriate_fallback|missing_extension|unsupported_extension|unrecognized_name|'
    'bad_certificate_status_response|no_application_protocol'
)

CAUSES = (
    # TLS failed on a date. An alert that the other side sent (Received fatal alert: certificate_expired) is not meant.
    Cause(
        'certificate_not_yet_valid',
        r'CertificateNotYetValidException|certificate (?:is )?not (?:yet valid|valid yet)'
        r'|certificate .{0,300}not valid (?:till|until|before)\b'
        r'|\bNotBefore:\s'
        r'|\(bad_certificate\).{0,300}(?:validity|timestamp) check failed',
        'likely', 'behind',
        meaning="By AEM's clock, a certificate of the remote side is not valid yet: the clock may be behind.",
        advice='Compare the measured skew. If the clock is right, find out who presents this certificate: it may be a proxy.',
        source=RECORDED,
    ),
    Cause(
        'certificate_expired',
        r'CertificateExpiredException|certificate (?:has |is )?expired|\bNotAfter:\s'
        r'|\(certificate_expired\).{0,300}(?:validity|timestamp) check failed',
        'likely', 'ahead',
        meaning="By AEM's clock, a certificate of the remote side has expired: the clock is ahead, or it has really expired.",
        advice="Compare the certificate's date with trusted time. If the clock is right, the certificate has to be "
               "renewed: the remote side's, a proxy's, or one in AEM's truststore.",
        source=RECORDED,
    ),
    Cause(
        'certificate_dates', r'(?:validity|timestamp) check failed',
        'likely',
        meaning="By AEM's clock, a certificate of the remote side is not valid yet, or no longer valid; this Java does not say "
                'which.',
        advice='Compare the measured skew. If the clock is right, look at the dates of the certificates that the '
               'remote side, or a proxy, presents, and have the expired one renewed.',
        source=RECORDED,
    ),
    Cause(
        'ocsp_dates', r'response is unreliable: its validity interval',
        'likely',
        meaning="By AEM's clock, the answer about the revocation of a certificate (OCSP) is outside of its validity.",
        advice='Compare the measured skew. If the clock is right, check the OCSP responder, or the proxy that answers AEM.',
        source=_JDK,
    ),

    # AEM's own keys and certificates.
    Cause(
        'unrecoverable_key',
        r'UnrecoverableKeyException|could not decrypt (?:key|data)|get key failed:|cannot recover key'
        r'|keystore was tampered with|keystore password was incorrect',
        meaning='AEM cannot decrypt the private key: the stored password is not that of the keystore.',
        advice='OAuth Server-to-Server needs no keystore (inferred). ' + MIGRATE,
        source=_DYNAMIC_MEDIA,
    ),
    Cause(
        'keystore_not_initialized', r'KeyStoreNotInitiali[sz]edException|uninitiali[sz]ed key ?store',
        meaning='The user of the replication agent has no keystore.',
        advice='OAuth Server-to-Server needs no keystore (inferred). ' + MIGRATE,
        source=_DYNAMIC_MEDIA,
    ),
    Cause(
        'crypto_keys_changed', r'granite\.crypto\.CryptoException|cannot convert byte data',
        meaning='AEM cannot decrypt a secret that it stores: its crypto keys are others than when the secret was saved, as after a '
                'restore, a clone, or an upgrade.',
        advice="Restore AEM's crypto keys (the files hmac and master), or enter the client secret in AEM's IMS configuration "
               'again, and save it.',
        source='Adobe knowledge base KA-26706',
    ),
    Cause(
        'trust_anchors_empty', r'trustAnchors parameter must be non-empty',
        meaning="AEM's Java found no truststore.",
        advice='Set the system property javax.net.ssl.trustStore of AEM to a valid truststore, and restart AEM.',
        source=_DYNAMIC_MEDIA,
    ),

    # The network. A message of Java is in English or in the language of the server's locale, so the patterns include classes.
    Cause(
        'certificate_name',
        r"doesn't match (?:any of the subject alternative names|common name)|hostname in certificate didn't match"
        r'|does not match the certificate subject'
        r'|hostname \S{1,300} not verified'
        r'|no subject alternative (?:DNS|IP address|names?)\b|no name matching .{1,300} found|HTTPS hostname wrong',
        meaning='The certificate is for another name: a proxy or a wrong host answers.',
        advice='Check the address in the transport URI, DNS on the host, and the proxy configured in AEM.',
        source=RECORDED,
    ),
    Cause(
        'not_tls', r'unsupported or unrecognized SSL message|unrecognized SSL message|unsupported record version',
        meaning='The server that answers AEM does not use TLS: it may be a plain-text port or a proxy.',
        advice='Check the port in the transport URI, and the kind and port of the proxy configured in AEM.',
        source=RECORDED + '; Java 8 from memory',
    ),
    Cause(
        'pkix_path', r'PKIX path building failed|path building failed|unable to find valid certification path',
        'likely',
        meaning='AEM does not trust the chain of certificates that the remote side, or a proxy, presents. Java says the same '
                "if a certificate's date is wrong by AEM's clock and the server sends its chain out of order.",
        advice="Compare the measured skew. If the clock is right, look at the dates of the certificates, and add the issuer's "
               "certificate to AEM's truststore.",
        source=RECORDED,
    ),
    Cause(
        'certificate_untrusted', r'PKIX path validation failed|CertPathValidatorException|certificate has been revoked'
        r'|algorithm constraints check failed|certificates do(?:es)? not conform to algorithm constraints'
        r'|anchored by a distrusted|key ?usage does not (?:allow|permit)|is not a CA certificate'
        r'|untrusted certificate|tried to act as a CA',
        meaning='AEM rejects a certificate of the remote side, or of a proxy, for a reason that is not its date.',
        advice="Read the reason at the end of the line. Add the issuer's certificate to AEM's truststore, or have the "
               'certificate replaced.',
        source=_JDK,
    ),
    Cause(
        'unknown_host',
        r'UnknownHostException|UnresolvedAddressException|no such host is known'
        r'|name or service not known|temporary failure in name resolution'
        r'|no address associated with (?:host)?name|nodename nor servname provided'
        # Java's message is the name and the resolver's words, or the name alone when it answers from its own cache. The name of
        # a class has a capital.
        r'|\bmsg: (?-i:[a-z0-9][a-z0-9.-]{0,250}\.[a-z][a-z0-9-]{1,62})(?::\s|\s*$)|' + NO_SUCH_NAME,
        meaning="AEM's host cannot resolve a name.",
        advice='Check DNS on the host, or the proxy configured in AEM.',
        source=RECORDED,
    ),
    Cause(
        'timeout',
        r'timed out\b|timeout waiting for connection|within timeout of \d|TimeoutException|\b\d{1,9} MILLISECONDS\b|' + TIMED_OUT,
        meaning='A connection or an answer timed out.',
        advice='Check the firewall and the proxy configured in AEM, and whether Brand Portal is available.',
        source=RECORDED,
    ),
    Cause(
        'no_route',
        r'NoRouteToHostException|network is (?:unreachable|down)|no route to host|host is (?:unreachable|down)'
        # Java uses only IPv4 or only IPv6, or the host has no address of that family.
        r'|(?:protocol|address) family (?:unavailable|not supported)|BindException(?!: address already in use)'
        r'|cannot assign requested address'
        r'|SOCKS: (?:host|network) unreachable|\((?:connect|sendto) failed\)'
        r'|(?:SocketException|\bmsg): (?:operation not permitted|permission denied)\b'
        '|' + NETWORK_UNREACHABLE + '|' + NO_ROUTE,
        meaning="AEM's host has no route to the address.",
        advice='Check the routes and the firewall of the host, or the proxy configured in AEM.',
        source=RECORDED,
    ),
    Cause(
        'connection_refused',
        r'connection refused|' + REFUSED,
        meaning='Nothing accepts connections at the address AEM calls.',
        advice='Check the firewall, the proxy configured in AEM, and the transport URI of the agent.',
        source=RECORDED,
    ),
    Cause(
        'connection_reset',
        r'connection reset|NoHttpResponseException|failed to respond(?! with)|connection or (?:in|out)bound has closed|broken pipe'
        r'|connection abort'
        r'|(?:socket|connection) (?:is )?closed|unexpected end of (?:file|stream)'
        r'|premature end of|\bEOFException\b|\bEOF reached\b|' + RESET,
        meaning='The connection was closed before the answer.',
        advice='Check the firewall and the proxy configured in AEM, then test again.',
        source=RECORDED,
    ),
    Cause(
        # Java throws this class for both, with the words of the C library.
        'connection_failed', r'ConnectException|\bconnect to \S{1,300} (?:\[[^\]]{0,300}\] )?failed: ',
        meaning='The connection to the address AEM calls was refused, or it timed out: Java uses the language of the server here.',
        advice='Check the firewall, the proxy configured in AEM, and the transport URI of the agent.',
        source=RECORDED,
    ),
    Cause(
        'tls_handshake',
        r'SSL\w{0,20}Exception|TlsFatalAlert|\bhandshake_failure\b'
        r'|received fatal alert|handshake alert|\((?:' + _ALERTS + r')\) |accepted by client preferences'
        r'|does not comply to algorithm constraints|terminated the handshake|during handshake'
        r'|no appropriate protocol|no trusted certificate found|certificate chaining error|peer not authenticated'
        r'|could not generate DH key ?pair|SSL peer shut down|no (?:negotiable )?cipher suites?\b|protocol version is not enabled'
        r'|no available authentication scheme',
        meaning='The TLS handshake with the remote side failed.',
        advice="Check the TLS versions of AEM's Java, its truststore, and whether a proxy intercepts TLS.",
        source=RECORDED,
    ),
)
