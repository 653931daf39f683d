# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between the levels of AEM: versions, and the way to an access token. docs/aem-levels.md has the sources."""

from typing import Any, NamedTuple

try:
    from . import identity
except ImportError:  # run as a file
    import identity  # type: ignore[no-redef]

CONFIGURATIONS = "/system/console/configMgr/(service.factoryPid=com.adobe.granite.auth.oauth.accesstoken.provider).json"
BUNDLE = "/system/console/bundles/com.adobe.cq.adobeims.core.json"
STORED = "/apps/system/config"
FACTORY = "com.adobe.granite.auth.oauth.accesstoken.provider"


class Level(NamedTuple):
    way: str  # legacy, jwt or s2s: keys of identity.TOKEN_PATHS
    version: str
    oak: str
    adobeims: str  # version of com.adobe.cq.adobeims.core; '' where there is no such bundle
    health: str = ""  # the page that says that it is alive


LEVELS = {
    "6.2": Level("legacy", "6.2.0", "1.4.1", ""),
    "6.5.10": Level("jwt", "6.5.10.0", "1.22.8", "1.1.10", "/systemalive"),
    "6.5.21": Level("s2s", "6.5.21.0", "1.22.20", "1.1.26", "/systemalive"),
    "lts": Level("s2s", "6.6.2", "1.68.0", "1.1.26", "/system/health"),
}


def provider(level: Level, who: identity.Identity) -> dict[str, Any]:
    """The properties of the access token provider that the agents name; no secret is among them."""
    found: dict[str, Any] = {
        "name": f"{who.user}-provider",
        "auth.token.provider.title": "Brand Portal",
        "auth.token.provider.client.id": who.client_id,
        "auth.access.token.request": identity.IMS + identity.TOKEN_PATHS[level.way],
        "auth.token.provider.reuse.access.token": level.way == "s2s",
    }
    if level.way == "s2s":
        found["auth.token.provider.authorization.grants"] = "client_credentials"
    else:
        found["auth.token.provider.keypair.alias"] = "server"
    return found


def configurations(level: Level, who: identity.Identity) -> list[dict[str, Any]]:
    """As the web console shows configurations that match a filter."""
    pid = f"{FACTORY}.0b1f3c52-6f4a-4d5e-9a30-2d1c0f5f8a11"
    properties = {
        name: {"name": name, "optional": False, "is_set": True, "type": 11 if value in (True, False) else 1, "value": value}
        for name, value in provider(level, who).items()
    }
    return [{"pid": pid, "factoryPid": FACTORY, "title": "Adobe Granite OAuth Access Token provider", "properties": properties}]


def stored(level: Level, who: identity.Identity) -> dict[str, str]:
    """The same as files below /apps/system/config, in the format of Apache Felix."""
    lines = [f'{name}={_felix(value)}' for name, value in provider(level, who).items()]
    return {f"{FACTORY}.0b1f3c52.config": "# Configuration created by Apache Sling JCR Installer\n" + "\n".join(lines) + "\n"}


def _felix(value: Any) -> str:
    if isinstance(value, bool):
        return f'B"{str(value).lower()}"'
    return '"' + value.replace("=", "\\=") + '"'


def overview(level: Level) -> dict[str, Any]:
    return {
        "Instance": {"Adobe Experience Manager": level.version, "Run Modes": "author, crx3, crx3tar"},
        "Repository": {"Apache Jackrabbit Oak": level.oak, "Node Store": "Segment Tar"},
    }


def bundle(level: Level) -> dict[str, Any]:
    data = [{"symbolicName": "com.adobe.cq.adobeims.core", "version": level.adobeims, "state": "Active"}]
    return {"status": "Bundle information", "data": data}
