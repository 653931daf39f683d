# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the replication agents of an AEM author from AEM's JSON, and chooses those to test. Pure.

That JSON contains credentials, encrypted or not. Only the fields of Agent are read from it.
"""

import ipaddress
import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence
from urllib.parse import urlsplit

from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import dates, redact
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.credentials import without_credentials

BRAND_PORTAL = '.brand-portal.adobe.com'
_PURGING = ('cq-action:', 'cq-handle:', 'purge', 'x-dispatcher')  # headers of agents that flush a cache


class Agent(NamedTuple):
    """The properties of an agent that this collection uses; it reads nothing else from AEM's JSON."""

    name: str
    title: str
    enabled: bool
    transport_uri: str  # without user and password
    tenant: str         # '' if the agent does not lead to Brand Portal
    origin: str         # https://host/ of the transport URI; '' if it is not HTTPS or has no valid host
    untestable: str     # why the agent is never tested; '' if it may be
    token_provider: str = ''  # name of the access token provider of an agent with OAuth


class AgentsError(Exception):
    """The requested agents cannot be tested; C(kind) is V(unknown_agent) or V(no_agents)."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


def parse(name: str, content: Dict[str, Any]) -> Optional[Agent]:
    """Return the agent of a jcr:content; None for a page that is not an agent."""
    kind = _text(content, 'sling:resourceType')
    uri = _text(content, 'transportUri')
    if 'cq/replication/components/' not in kind and not uri or kind.endswith('/agentlist'):
        return None
    host, path, origin = '', '', ''
    try:
        parts = urlsplit(uri)
        host, path = (parts.hostname or '').rstrip('.').lower(), parts.path.lower()
        if parts.scheme == 'https' and _can_be(host):
            authority = '[{0}]'.format(host) if ':' in host else host
            origin = 'https://{0}{1}/'.format(authority, ':{0}'.format(parts.port) if parts.port else '')
    except ValueError:
        pass  # an invalid URI has no host, so this is not a Brand Portal agent
    tenant = host[:-len(BRAND_PORTAL)] if host.endswith(BRAND_PORTAL) else ''
    return Agent(
        name=name,
        title=_text(content, 'jcr:title') or name,
        enabled=_true(content, 'enabled'),
        transport_uri=redact.Redactor().line(uri),
        tenant=tenant,
        origin=origin,
        untestable=_why_untestable(content, kind, uri, path, tenant),
        token_provider=_text(content, 'accessTokenProviderName') if _true(content, 'enableOauth') else '',
    )


def _why_untestable(content: Dict[str, Any], kind: str, uri: str, path: str, tenant: str) -> str:
    """Return why a test of this agent could do harm; '' for one that leads to a receiver, which recognizes a test.

    AEM's receiver is /bin/receive. Everything else may be a purge agent, because each CDN has its own kind.
    """
    outbox = any(name.endswith(('/revagent', '/outbox')) for name in (kind, _text(content, 'cq:template')))
    outbox = outbox or uri.startswith('repo:') or 'outbox' in path
    if outbox or _true(content, 'reverseReplication'):
        return 'it is for reverse replication, whose outbox a test must not touch'
    serialization = _text(content, 'serializationType').lower()
    headers = content.get('protocolHTTPHeaders')
    told = ' '.join(str(header) for header in headers) if isinstance(headers, list) else str(headers or '')
    purges = [header for header in _PURGING if header in told.lower()]
    if serialization == 'flush' or '/invalidate.cache' in path or purges:
        return 'it flushes a cache: a test would empty it'
    if uri.startswith('static:') or serialization == 'static':
        return 'it writes static files'
    if serialization not in ('', 'durbo'):
        return 'it does not send content to a receiver (its serialization type is {0}): a test may purge what it leads to'.format(
            redact.Redactor().line(serialization, 60))
    method = _text(content, 'protocolHTTPMethod')
    if method.upper() not in ('', 'POST'):
        return 'it sends {0} requests, which a receiver does not take: a test may purge what it leads to'.format(
            redact.Redactor().line(method, 60))
    if not uri.lower().startswith(('http://', 'https://')) or (not tenant and not path.endswith('/bin/receive')):
        return 'it does not lead to a receiver (/bin/receive): a test may purge what it leads to'
    return ''


def parse_tree(tree: Dict[str, Any]) -> List[Agent]:
    """Return the agents of C(agents.author.2.json), in AEM's order."""
    parsed = (
        parse(name, node['jcr:content']) for name, node in tree.items()
        if isinstance(node, dict) and isinstance(node.get('jcr:content'), dict)
    )
    return [agent for agent in parsed if agent is not None]


def names_in(tree: Dict[str, Any]) -> List[str]:
    """Return the names of the children of C(agents.author.1.json), which does not show what they are."""
    return [name for name, node in tree.items() if isinstance(node, dict) and not name.startswith(('jcr:', 'rep:'))]


def select(agents: Sequence[Agent], names: Sequence[str]) -> List[Agent]:
    """Return the agents to test: those named, regardless of their target, or else all enabled Brand Portal agents.

    Raises AgentsError if a name is unknown, if an agent must not be tested, or if there is no agent to test.
    """
    if not names:
        chosen = [agent for agent in agents if agent.tenant and agent.enabled and not agent.untestable]
        if not chosen:
            disabled = ', '.join(agent.name for agent in agents if agent.tenant and not agent.enabled)
            harmful = '; '.join(
                '{0}: {1}'.format(agent.name, agent.untestable) for agent in agents if agent.tenant and agent.enabled)
            there = '; '.join(filter(None, [disabled and 'disabled: ' + disabled, harmful and 'not to be tested: ' + harmful]))
            raise AgentsError(
                'no_agents',
                'AEM has no enabled Brand Portal agent{0}. Configure Brand Portal in AEM, or name the agents to test '
                'in the option agents{1}.'.format(
                    ' that can be tested' * bool(harmful) + (' ({0})'.format(there) if there else ' that this account may read'),
                    '' if there else '. If there are some, grant the account jcr:read below /etc/replication'),
            )
        return chosen
    known = {agent.name: agent for agent in agents}
    wanted = list(dict.fromkeys(names))
    unknown = [name for name in wanted if name not in known]
    if unknown:
        there = ', '.join(agent.name for agent in agents if agent.enabled and not agent.untestable)
        raise AgentsError(
            'unknown_agent',
            'AEM has no agent {0}. The option agents may name: {1}.'.format(
                without_credentials(', '.join(unknown)), there or 'none'),
        )
    refused = [
        '{0}: {1}'.format(name, known[name].untestable or 'it is disabled in AEM')
        for name in wanted if known[name].untestable or not known[name].enabled
    ]
    if refused:
        raise AgentsError(
            'unknown_agent', 'These agents must not be tested: {0}. Remove them from the option agents.'.format('; '.join(refused))
        )
    return [known[name] for name in wanted]


def origins(agents: Sequence[Agent]) -> List[str]:
    """Return the HTTPS origins of the services that validate these agents' tokens, without duplicates, in order."""
    return list(dict.fromkeys(agent.origin for agent in agents if agent.origin))


def public(agent: Agent, queue: Optional[Dict[str, Any]] = None, authentication: str = 'unknown') -> Dict[str, Any]:
    """Return the agent as an element of RV(agents)."""
    return {
        'name': agent.name,
        'title': agent.title,
        'enabled': agent.enabled,
        'transport_uri': agent.transport_uri,
        'tenant': agent.tenant,
        'brand_portal': bool(agent.tenant),
        'testable': agent.enabled and not agent.untestable,
        'authentication': authentication,
        'queue': queue,
    }


def parse_queue(answer: Dict[str, Any], now: Optional[int]) -> Optional[Dict[str, Any]]:
    """Return the state of a queue, or None for other content. C(now) is AEM's own clock, which has stamped the items."""
    items = answer.get('queue')
    status = answer.get('metaData')
    status = status.get('queueStatus') if isinstance(status, dict) else None
    if not isinstance(items, list) or not isinstance(status, dict):
        return None
    stamps = [item.get('time') for item in items if isinstance(item, dict)]
    times = [stamp / 1000.0 for stamp in stamps if isinstance(stamp, (int, float))]
    oldest = min(times) if times else None
    return {
        'blocked': _true(status, 'isBlocked'),
        'paused': _true(status, 'isPaused'),
        'pending': len(items),
        'oldest': dates.iso(oldest),
        'oldest_age': None if oldest is None or now is None else round(now - oldest, 1),
    }


def _can_be(host: str) -> bool:
    """Return whether this is a valid host. AEM accepts any text there, and a test of the agent shows the error."""
    if ':' not in host:
        return bool(re.fullmatch(r'[\w.-]{1,253}', host))
    try:
        ipaddress.IPv6Address(host.partition('%')[0])
    except ValueError:
        return False
    return True


def _text(content: Dict[str, Any], key: str) -> str:
    value = content.get(key)
    if isinstance(value, list):
        value = value[0] if value else ''
    return value.strip() if isinstance(value, str) else ''


def _true(content: Dict[str, Any], key: str) -> bool:
    """AEM stores a flag as a boolean or, from the classic dialogs, as a string."""
    value = content.get(key)
    if isinstance(value, list):
        value = value[0] if value else False
    return value is True or isinstance(value, str) and value.strip().lower() == 'true'
