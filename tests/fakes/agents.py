# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agents of an author: four for Brand Portal, and the company they keep."""

from typing import Any, Optional

ROOT = "/etc/replication/agents.author"
PUBLISH_URI = "http://localhost:4503/bin/receive?sling:authRequestLogin=1"
# What AEM's crypto support makes of a password: it must never leave AEM, encrypted or not.
ENCRYPTED = "{6fd1c2a9b04e77f03c58d1be92a64f10c7735f9d2b81e04a6d3c59e8f7a1b2c4}"

Properties = dict[str, Any]


def brand_portal_uri(tenant: str) -> str:
    return f"https://{tenant}.brand-portal.adobe.com/bin/receive?sling:authRequestLogin=1"


def brand_portal_names(tenant: str, count: int = 4) -> list[str]:
    """Four since AEM 6.2 SP1-CFP5 and 6.3.0.2; before, one without a number."""
    if count == 1:
        return [f"mp_replication_agent_default_{tenant}"]
    return [f"mp_replication_agent{number}_default_{tenant}" for number in range(count)]


def _page(title: str, kind: str = "agent", **properties: Any) -> Properties:
    return {
        "jcr:primaryType": "nt:unstructured",
        "jcr:title": title,
        "jcr:description": f"{title} of the stand-in",
        "jcr:lastModified": "Tue Feb 28 2017 10:00:00 GMT+0000",
        "jcr:lastModifiedBy": "admin",
        "sling:resourceType": f"cq/replication/components/{kind}",
        "cq:template": f"/libs/cq/replication/templates/{kind}",
        "logLevel": "info",
        "retryDelay": "60000",
        "serializationType": "durbo",
        **properties,
    }


def _brand_portal(tenant: str, name: str, uri: str, user: str, client_secret: str, **properties: Any) -> Properties:
    number = name[len("mp_replication_agent") : name.index("_default_")]
    return _page(
        f"{tenant} MP Replication Agent{number} Default" if number else f"{tenant} MP Replication Agent Default",
        transportUri=uri,
        userId=user,
        transportUser=user,
        transportPassword=ENCRYPTED,
        enableOauth="true",
        accessTokenProviderName=f"{user}-provider",
        clientSecret=client_secret,
        protocolHTTPHeaders=["Action:{action}", "Path:{path}", "Handle:{path}"],
        **properties,
    )


def standard(
    tenant: str,
    uri: str,
    user: str,
    client_secret: str,
    count: int = 4,
    changes: Optional[dict[str, Optional[Properties]]] = None,
) -> dict[str, Properties]:
    """jcr:content of each agent by its name; `changes` adds, alters (property by property) and removes (null)."""
    agents: dict[str, Properties] = {
        "publish": _page(
            "Default Agent",
            transportUri=PUBLISH_URI,
            transportUser="admin",
            transportPassword=ENCRYPTED,
            userId="your_replication_user",
            enabled="true",
        ),
        "flush": _page(
            "Dispatcher Flush",
            transportUri="http://localhost:8000/dispatcher/invalidate.cache",
            serializationType="flush",
            protocolHTTPMethod="GET",
            protocolHTTPHeaders=["CQ-Action:{action}", "CQ-Handle:{path}", "CQ-Path:{path}"],
            enabled="false",
        ),
        "publish_reverse": _page(
            "Reverse Replication Agent",
            kind="revagent",
            transportUri=PUBLISH_URI,
            transportUser="admin",
            transportPassword=ENCRYPTED,
            reverseReplication="true",
            protocolHTTPMethod="GET",
            enabled=True,
        ),
        "outbox": _page(
            "Outbox", kind="outbox", transportUri="repo://var/replication/outbox", reverseReplication=True, enabled=True
        ),
        "static": _page(
            "Static Agent", transportUri="static://", serializationType="static", enabled=False
        ),
    }
    # Of the four some were saved by the classic dialog, which writes a string, and some by Brand Portal's own setup.
    for number, name in enumerate(brand_portal_names(tenant, count)):
        agents[name] = _brand_portal(tenant, name, uri, user, client_secret, enabled=True if number % 2 else "true")
    left_over = "mp_replication_agent_default_formertenant"
    agents[left_over] = _brand_portal(
        "formertenant", left_over, brand_portal_uri("formertenant"), "mac-formertenant-replication", "p8e-former",
        enabled="false",
    )
    for name, properties in (changes or {}).items():
        if properties is None:
            agents.pop(name, None)
        elif name in agents:
            agents[name] = {**agents[name], **properties}
        else:
            agents[name] = _page(name, **properties)
    return agents


def is_enabled(properties: Properties) -> bool:
    return str(properties.get("enabled", "false")).lower() == "true"


def uses_oauth(properties: Properties) -> bool:
    return str(properties.get("enableOauth", "false")).lower() == "true"


def tree(agents: dict[str, Properties]) -> dict[str, Any]:
    """The repository below /etc/replication/agents.author, as nested nodes."""
    root: dict[str, Any] = {
        "jcr:primaryType": "cq:Page",
        "jcr:createdBy": "admin",
        "jcr:content": {
            "jcr:primaryType": "cq:PageContent",
            "jcr:title": "Agents on Author",
            "sling:resourceType": "cq/replication/components/agentlist",
        },
    }
    for name, properties in agents.items():
        root[name] = {"jcr:primaryType": "cq:Page", "jcr:createdBy": "admin", "jcr:content": properties}
    return root


def at_depth(node: dict[str, Any], depth: int) -> dict[str, Any]:
    """A node as Sling's JSON renderer shows it: its properties, and `depth` levels of children (-1: all of them)."""
    shown = {}
    for name, value in node.items():
        if not isinstance(value, dict):
            shown[name] = value
        elif depth:
            shown[name] = at_depth(value, depth - 1)
    return shown
