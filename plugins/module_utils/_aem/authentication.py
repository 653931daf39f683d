# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How AEM gets the access tokens of its agents: V(jwt), V(oauth_server_to_server), V(legacy_gateway) or V(unknown).

This is determined only if an agent fails or the user asks for it, from what the account may read: the configuration of the
agent's access token provider, or else Adobe's messages on the agent's page, or else AEM's version. Of a configuration, only
the two values that show the method are kept.
"""

import json
import re
import threading
from typing import Any, Dict, Iterator, List, Mapping, Optional
from urllib.parse import quote

from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import charset
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import test_page as pages

JWT, SERVER_TO_SERVER, LEGACY_GATEWAY, UNKNOWN = 'jwt', 'oauth_server_to_server', 'legacy_gateway', 'unknown'

FACTORY = 'com.adobe.granite.auth.oauth.accesstoken.provider'
CONFIGURATIONS = '/system/console/configMgr/{0}.json'.format(quote('(service.factoryPid={0})'.format(FACTORY), safe='()=.'))
STORED = '/apps/system/config'
OVERVIEW = '/libs/granite/operations/content/systemoverview/export.json'
QUICK = 15.0      # seconds for one of these pages
MOST_FILES = 20   # stored configurations that are read

_REQUEST, _GRANTS, _NAME = 'auth.access.token.request', 'auth.token.provider.authorization.grants', 'name'
_STORED = re.compile(r'^\s*"?([\w.]{1,100})"?\s*=\s*\w?[\[("]{1,3}((?:\\.|[^"\\\r\n]){0,2000})', re.MULTILINE)
_VERSION = re.compile(r'(?i)^(?!.*\bLTS\b).*?\b6\.(\d{1,2})(?:\.(\d{1,3}))?(?:\.(\d{1,3}))?(?:\.\d+)*\b')
_OAK_OF_6_2 = re.compile(r'1\.[0-5]\.')  # AEM 6.3 came with Oak 1.6
_EXCHANGE = re.compile(r'/ims/exchange/(?:v\d/)?jwt')
_LEGACY_WORDS = re.compile(r'(?i)no longer allowed to get access token|the (?:organization|user) associated with this client is')
_JWT_WORDS = re.compile(
    r'(?i)could not match (?:JWT )?signature to any|no valid bindings were found|\bJWT token is\b|in the JWT are not a subset')


class Ways:
    """The ways of one AEM's access token providers; each page is asked for once, when the first agent needs it."""

    def __init__(self, aem: Any) -> None:
        self._aem = aem
        self._lock = threading.Lock()
        self._providers: Optional[Dict[str, str]] = None
        self._level = UNKNOWN

    def of(self, provider: str, read: Optional[pages.Page] = None) -> str:
        """Return the method of an agent with this access token provider. read: its test page, if it is known."""
        with self._lock:
            if self._providers is None:
                self._providers = _providers(self._aem)
            known = self._providers.get(provider, UNKNOWN) if provider else UNKNOWN
            if known == UNKNOWN and read is not None:
                known = of_page(read)
            if known == UNKNOWN and provider:
                known = self._level = self._level if self._level != UNKNOWN else _of_level(self._aem)
            return known


def of_properties(properties: Mapping[str, Any]) -> str:
    """Return the method that the configuration of an access token provider shows."""
    request, grants = (_plain(properties.get(key)).lower() for key in (_REQUEST, _GRANTS))
    if 'client_credentials' in grants or '/ims/token' in request:
        return SERVER_TO_SERVER
    if '/ims/exchange/' in request:
        return JWT
    return LEGACY_GATEWAY if request.startswith('https://') else UNKNOWN


def of_page(read: pages.Page) -> str:
    """Return the method that the agent's own lines on its page show."""
    for line in read.lines:
        if line.kind != pages.AGENT:
            continue
        message = line.message[:20000]
        if _EXCHANGE.search(message) or _JWT_WORDS.search(message):
            return JWT
        if '/ims/token/' in message or 'client_credentials' in message:
            return SERVER_TO_SERVER
        if _LEGACY_WORDS.search(message):
            return LEGACY_GATEWAY
    return UNKNOWN


def of_version(text: str) -> str:
    """Return the only possible method of a version of AEM: before 6.3.3, and 6.5.0 to 6.5.3 only have the gateway."""
    match = _VERSION.search(text)
    if not match:
        return UNKNOWN
    numbers = tuple(int(part or 0) for part in match.groups())
    return LEGACY_GATEWAY if numbers < (3, 3) or (5, 0) <= numbers < (5, 4) else UNKNOWN


def _providers(aem: Any) -> Dict[str, str]:
    """Return the method of each access token provider by its name; empty if the account may read none."""
    found = {}
    for properties in _configured(aem) or _stored(aem):
        name = _plain(properties.get(_NAME))
        if name:
            found[name] = of_properties(properties)
    return found


def _configured(aem: Any) -> List[Dict[str, Any]]:
    listed = _content(aem, CONFIGURATIONS)
    shown = [entry.get('properties') for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    return [properties for properties in shown if isinstance(properties, dict)]


def _stored(aem: Any) -> Iterator[Dict[str, str]]:
    """Yield the configurations that AEM stores in its repository, in the format of Apache Felix."""
    folder = _content(aem, STORED + '.1.json')
    names = [name for name in folder if name.startswith(FACTORY) and name.endswith('.config')] if isinstance(folder, dict) else []
    for name in names[:MOST_FILES]:
        text = _text(aem, '{0}/{1}'.format(STORED, quote(name, safe='')))
        if text:
            yield {key: value.replace('\\', '') for key, value in _STORED.findall(text)}


def _of_level(aem: Any) -> str:
    overview = _content(aem, OVERVIEW)
    instance = overview.get('Instance') if isinstance(overview, dict) else None
    if isinstance(instance, dict):
        way = of_version(_plain(instance.get('Adobe Experience Manager')))
        repository = overview.get('Repository')
        oak = _plain(repository.get('Apache Jackrabbit Oak')) if isinstance(repository, dict) else ''
        return LEGACY_GATEWAY if way == UNKNOWN and _OAK_OF_6_2.match(oak) else way
    return UNKNOWN


def _plain(value: Any) -> str:
    """Return the value of a property, which the web console wraps and which may be a list."""
    if isinstance(value, dict):
        value = value.get('value', value.get('values'))
    if isinstance(value, list):
        value = ' '.join(str(each) for each in value)
    return value if isinstance(value, str) else ''


def _content(aem: Any, path: str) -> Any:
    try:
        return json.loads(_text(aem, path) or 'null')
    except (ValueError, RecursionError):
        return None


def _text(aem: Any, path: str) -> str:
    """Return the text of a page of AEM; '' if AEM does not show it for any reason."""
    try:
        answer = aem.get(path, QUICK)
    except Exception:  # the run does not depend on this answer
        return ''
    return charset.decode(answer.body, answer.headers.get('Content-Type', '')) if answer.status == 200 else ''
