# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors for answers of AEM that are of no use, and for none: what is wrong, and the option to change. Asks nothing itself."""

import re
import ssl
from http.client import BadStatusLine, RemoteDisconnected
from typing import Any, Callable
from urllib.error import URLError
from urllib.parse import urljoin, urlsplit

from ansible_collections.aemops.brand_portal.plugins.module_utils._aem.answer import AemAnswer, AemError, TimedOut, is_login_page

_THROUGH = (' The request went through the proxy {0}, which the environment names: add the host of aem_url to no_proxy to '
            'connect to AEM directly.')
# Not Communique/4.x: the dispatcher adds it to the name of its web server.
_OF_AEM = re.compile(r'(?i)jetty|day-servlet|sling|websphere|weblogic|jboss|wildfly|undertow')
_WITHOUT_TLS = re.compile(r'(?i)plain HTTP\b')  # nginx and Apache, in an error page of their own
# OpenSSL's messages about a failed handshake, and the advice.
_TLS = (
    (r'not yet valid|has expired', "Check this host's clock, and the dates of the certificate"),
    (r"mismatch, certificate is not valid for|doesn't match|match either of", 'Set aem_url to the name in the certificate'),
    (r'CERTIFICATE_VERIFY_FAILED|unable to get|self[- ]signed',
     'Set ca_path to the CA that signed its certificate, or check aem_url'),
    (r'no certificate or crl found|no start line|PEM lib', 'The file of ca_path has no certificate in PEM format: replace it'),
    (r'wrong[_ ]version[_ ]number|unknown[_ ]protocol|http[_ ]request|packet length too long|record layer failure',
     'That port does not speak TLS: use http:// in aem_url, or the port for HTTPS'),
    (r'certificate[_ ]required|bad[_ ]certificate', 'It requires a client certificate, which this collection does not support: set '
     'aem_url to an address of AEM that needs none, such as http://localhost:4502'),
)
_OTHER_TLS = 'Check aem_url, and that both sides have a version and a cipher of TLS in common'


def of_status(aem: Any, path: str, answer: AemAnswer, text: str, is_aem: Callable[[], bool]) -> AemError:
    """Return the error for an HTTP status other than 200. is_aem: returns whether an AEM answers at this address."""
    status = answer.status
    through = _THROUGH.format(aem.proxy) if aem.proxy else ''
    if status == 407:
        return AemError('unreachable', 'A proxy in front of AEM at {0} requires authentication (407).{1}'.format(
            aem.url, through or ' Set aem_url to the address of AEM itself.'))
    if status == 503 or 'AuthenticationSupport service missing' in text:
        return AemError('starting', 'AEM at {0} is starting, or not able to serve ({1}). Wait and try again, or set '
                        'ready_timeout.{2}'.format(aem.url, status, _before_aem(answer) + through))
    if status in (401, 403):
        return not_logged_in(aem, 'it answers {0}'.format(status), _before_aem(answer) + through)
    if 300 <= status < 400:
        location = answer.headers.get('Location') or ''
        try:
            target = urlsplit(urljoin(aem.url + path, location))
            here = target.netloc == urlsplit(aem.url).netloc
            where = aem.redactor.line(target._replace(query='', fragment='').geturl(), 200) if location else 'no address'
        except ValueError:      # an invalid location
            target, here, where = urlsplit(''), False, aem.redactor.line(location, 200)
        if is_login_page(text) or ('login' in target.path and (here or '/core/content/login' in target.path)):
            return not_logged_in(aem, 'it leads to its login page')
        if re.search(r'(?i)saml|\bsso\b|adfs|oauth|openid|login|sign-?in', where):
            return _signs_in(aem, 'redirects to a sign-in page ({0} to {1})'.format(status, where))
        return AemError('not_aem', 'The server at {0} redirects to another address ({1} to {2}). Set aem_url to the address of AEM '
                        'itself.'.format(aem.url, status, where))
    if status in (502, 504):
        return AemError('unreachable', 'A gateway at {0} does not reach AEM ({1}). Set aem_url to the address of AEM itself, or '
                        'start AEM.{2}'.format(aem.url, status, through))
    if status == 429:
        return AemError('unreachable', 'A gateway in front of AEM at {0} accepts no more requests now (429). Wait and try again, '
                        'or set aem_url to the address of AEM itself.{1}'.format(aem.url, through))
    if status == 500 and ('ApacheSling' in text or is_aem()):
        return AemError('starting', 'AEM at {0} answers 500 to {1}: it is starting, or it has a problem. See the error.log of '
                        'AEM, and try again.{2}'.format(aem.url, path, through))
    if status == 404 and is_aem():
        return AemError(
            'unauthorized',
            'AEM at {0} does not show {1} to the user {2!r} (404). Grant the user of the option username jcr:read '
            'below /etc/replication; a publish instance has no such agents, and a dispatcher may filter this path.{3}'.format(
                aem.url, path, aem.username, _before_aem(answer) + through))
    if status == 400 and _WITHOUT_TLS.search(text):
        return AemError('not_aem', 'The port of {0} speaks TLS: use https:// in aem_url.{1}'.format(aem.url, through))
    return AemError('not_aem', 'The server at {0} is not an AEM author: {1} gives {2}. Check aem_url, its port and its context '
                    'path.{3}'.format(aem.url, path, status, through))


def _signs_in(aem: Any, how: str) -> AemError:
    return AemError(
        'not_aem',
        'The server at {0} {1}. Set aem_url to the address of AEM itself. If AEM itself does this, it does not accept the user '
        '{2!r}: set a user with a password in AEM in the options username and password.'.format(aem.url, how, aem.username))


def not_logged_in(aem: Any, how: str, more: str = '') -> AemError:
    return AemError(
        'unauthorized',
        'AEM at {0} does not accept the user {1!r}: {2}. Check the options username and password; this says '
        'nothing about Brand Portal.{3}'.format(aem.url, aem.username, how, more))


def of_test_page(aem: Any, name: str, answer: AemAnswer) -> AemError:
    """Return the error for an agent that this account sees, and whose test page it does not."""
    return AemError(
        'unauthorized',
        'AEM shows {0} to the user {1!r}, but not its test page ({2}). Grant the user of the option username '
        'jcr:read below /libs/cq/replication, too.{3}'.format(name, aem.username, answer.status, _before_aem(answer)))


def of_content(aem: Any, path: str, answer: AemAnswer, text: str) -> AemError:
    """Return the error for an answer that is not JSON."""
    if not answer.complete:
        return AemError(
            'unreachable',
            'AEM at {0} broke off its answer to {1} after {2} bytes. See the error.log of AEM, and whether a gateway or a proxy is '
            'between here and AEM.'.format(aem.url, path, len(answer.body)))
    if is_login_page(text):
        return not_logged_in(aem, 'it shows its login page')
    if 'SAMLRequest' in text:
        return _signs_in(aem, 'shows a sign-in page')
    return AemError('not_aem', 'The server at {0} is not an AEM author: {1} is not JSON. Check aem_url, its port and its context '
                    'path.{2}'.format(aem.url, path, _THROUGH.format(aem.proxy) if aem.proxy else ''))


def timed_out(aem: Any, url: str, timeout: float) -> TimedOut:
    remedy = 'or raise test_timeout' if url.endswith('.test.html') else 'and that aem_url is right'
    return TimedOut('unreachable', 'AEM gave no complete answer within {0:g} s: {1}. Check that AEM works, {2}.{3}'.format(
        timeout, url, remedy, _THROUGH.format(aem.proxy) if aem.proxy else ''))


def of_exception(aem: Any, url: str, error: Exception, timeout: float) -> AemError:
    """Return the error for an exception instead of an answer."""
    reason = error.reason if isinstance(error, URLError) else error
    text = ' '.join(aem.redactor.line(str(reason), 300).split())
    through = _THROUGH.format(aem.proxy) if aem.proxy else ''
    # socket.timeout is TimeoutError only since Python 3.10; ETIMEDOUT is one always, and no answer either.
    if isinstance(reason, TimeoutError) or 'timed out' in text:
        return timed_out(aem, url, timeout)
    if isinstance(reason, ssl.SSLError) or 'certificate' in text.lower():
        remedy = next((remedy for words, remedy in _TLS if re.search('(?i)' + words, text)), _OTHER_TLS)
        return AemError('unreachable', 'TLS with AEM at {0} failed: {1}. {2}.{3}'.format(
            aem.url, text.rstrip('.'), remedy, through))
    if isinstance(reason, BadStatusLine) and not isinstance(reason, RemoteDisconnected):
        return AemError('unreachable', 'The server at {0} does not speak HTTP: {1}. Check aem_url, its port, and whether it must '
                        'be https.{2}'.format(aem.url, text, through))
    remedy = 'that AEM runs, and whether aem_url must be https' if isinstance(reason, RemoteDisconnected) else 'and that AEM runs'
    return AemError('unreachable', 'AEM at {0} cannot be reached: {1}. Check aem_url, {2}.{3}'.format(
        aem.url, text or type(reason).__name__, remedy, through))


def _before_aem(answer: AemAnswer) -> str:
    """Return a hint about a server in front of AEM that may have refused the request, from the answer's headers."""
    server = ' '.join((answer.headers.get('Server') or '').split())[:60]
    if not server or _OF_AEM.search(server):
        return ''
    return ' If this is not AEM, but a web server or a firewall in front of it (its name is {0}), set aem_url to the address of ' \
           'AEM itself.'.format(server)
