# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the stand-ins inside a test, on loopback ports of their own.

    with running_portal(directory, "acme") as portal, running_aem(directory, portal) as aem:
        ...  # aem.url, aem.user, aem.password; portal.url
        aem.configure(clock_offset=-2 * 86400)  # from the next request on
        portal.requests, aem.requests  # what was asked of them

`directory` holds what ca.py made: `make_ca(directory, "acme")`.
"""

import contextlib
import datetime
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Optional

from cryptography import x509

from . import aem as aem_standin
from . import agents, brand_portal, ca, identity, web

TENANT = "acme"


def make_ca(directory: Path, tenant: str = TENANT) -> Path:
    return ca.make(directory, tenant)


def dates_of(certificate: Path) -> tuple[datetime.datetime, datetime.datetime]:
    """From when and until when it is valid; in UTC, whether cryptography says so or not."""
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    if hasattr(found, "not_valid_before_utc"):  # cryptography 42
        return found.not_valid_before_utc, found.not_valid_after_utc
    utc = datetime.timezone.utc
    return found.not_valid_before.replace(tzinfo=utc), found.not_valid_after.replace(tzinfo=utc)


class Portal(NamedTuple):
    tenant: str
    server: web.Server
    application: brand_portal.BrandPortal

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.server_port}"

    @property
    def url(self) -> str:
        return f"https://localhost:{self.server.server_port}"

    @property
    def requests(self) -> list[dict[str, Any]]:
        return self.server.requests


class Aem(NamedTuple):
    server: web.Server
    path: Path
    user: str
    password: str

    @property
    def url(self) -> str:
        settings = json.loads(self.path.read_text())
        scheme = "https" if settings.get("cert") else "http"
        return f"{scheme}://localhost:{self.server.server_port}{settings.get('context_path', '')}"

    @property
    def requests(self) -> list[dict[str, Any]]:
        return self.server.requests

    @property
    def application(self) -> Any:
        return self.server.application

    @property
    def tested(self) -> list[str]:
        """The agents that were tested, in the order their tests ended."""
        return [entry["tested"] for entry in self.requests if "tested" in entry]

    def configure(self, **changes: Any) -> None:
        """Rewrite the configuration file at once; the next request reads it."""
        settings = {**json.loads(self.path.read_text()), **changes}
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(settings))
        os.replace(fresh, self.path)


@contextlib.contextmanager
def served(server: web.Server) -> Iterator[web.Server]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@contextlib.contextmanager
def running_portal(
    directory: Path,
    tenant: str = TENANT,
    certificate: str = "long",
    clock_offset: float = 0.0,
    public_key: Optional[str] = None,
    date: str = "normal",
    reject_tokens: bool = False,
) -> Iterator[Portal]:
    key = Path(public_key or directory / "agent.pub").read_text()
    signing_key = (directory / f"{certificate}.key").read_text()
    application = brand_portal.BrandPortal(identity.of(tenant), key, clock_offset, reject_tokens, signing_key)
    server = brand_portal.serve(
        application,
        ("127.0.0.1", 0),
        str(directory / f"{certificate}.pem"),
        str(directory / f"{certificate}.key"),
        date,
    )
    with served(server):
        yield Portal(tenant, server, application)


@contextlib.contextmanager
def running_aem(
    directory: Path, portal: Optional[Portal] = None, name: str = "aem", **settings: Any
) -> Iterator[Aem]:
    """AEM's agents carry the tenant's real address; connect_to leads them to the portal, if there is one."""
    tenant = portal.tenant if portal else settings.get("tenant", TENANT)
    given: dict[str, Any] = {
        "listen": ["127.0.0.1", 0],
        "user": "admin",
        "password": "correct horse",
        "tenant": tenant,
        "private_key": str(directory / "agent.key"),
        "ca": str(directory / "ca.pem"),
        "timeouts": {"connect": 60, "read": 60},
    }
    if portal:
        given["connect_to"] = {
            f"{tenant}.brand-portal.adobe.com": portal.address,
            "ims-na1.adobelogin.com": portal.address,
        }
    given.update(settings)
    path = directory / f"{name}.json"
    path.write_text(json.dumps(given))
    configuration = aem_standin.Configuration(path)
    with served(aem_standin.serve(configuration, lease_lost=lambda message: None)) as server:
        yield Aem(server, path, given["user"], given["password"])


def brand_portal_agents(tenant: str = TENANT) -> list[str]:
    return agents.brand_portal_names(tenant)
