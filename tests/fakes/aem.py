# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for an AEM author whose replication agents really talk to Brand Portal.

    aem.py --config FILE.json

In the scenario "real" nothing is scripted: an agent's test gets an access token from IMS over verified TLS, posts to Brand
Portal with it, and prints what happened in AEM's own format. How it gets the token depends on the level of AEM (levels.py):
with an RS256 JWT that it mints by this fake's clock, or with a client secret; a token of the second kind is kept until it
has expired by this fake's clock. Exceptions speak as a recorded Java does (java_words.json). Any other
scenario (scenarios.py) prints its own lines. The configuration is read again at each request; only the keys listen,
cert, key and log are fixed at the start. DEFAULTS below lists every key.
"""

import argparse
import json
import os
import ssl
import sys
import threading
import time
import urllib.parse
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

import jwt

try:
    from . import agent_log, agents, identity, levels, scenarios, web, wire
except ImportError:  # run as a file
    import agent_log  # type: ignore[no-redef]
    import agents  # type: ignore[no-redef]
    import identity  # type: ignore[no-redef]
    import levels  # type: ignore[no-redef]
    import scenarios  # type: ignore[no-redef]
    import web  # type: ignore[no-redef]
    import wire  # type: ignore[no-redef]

DEFAULTS: dict[str, Any] = {
    "listen": ["127.0.0.1", 4502],
    "cert": None,  # with key: HTTPS
    "key": None,
    "log": None,  # a file that gets one JSON line for each request
    "context_path": "",
    "user": "admin",
    "password": "admin",
    "login_page": False,  # true: 200 with the login page where another AEM says 401; "redirect": 302 to it
    "tenant": None,  # required
    "client_id": "",  # by default what brand_portal.py expects of the tenant
    "client_secret": "",
    "transport_uri": "",  # by default https://<tenant>.brand-portal.adobe.com/bin/receive?sling:authRequestLogin=1
    "level": "6.2",  # of levels.LEVELS; the article's is the default
    "java": wire.JAVA,  # whose words: a version in java_words.json, or {agent: version}
    "locale": "C",  # the server's: C, de, fr or ja
    "certificate_dates": "",  # wire.Network.dates
    "console_hidden": False,  # true: the user may not read the web console, and so neither providers nor bundles
    "token_url": "",  # by default that of the level
    "private_key": None,  # agent.key of ca.py; a missing file is a key store that was never initialized
    "ca": None,  # ca.pem of ca.py
    "connect_to": {},  # host -> "address:port" to connect to in its place
    "timeouts": {"connect": 180, "read": 600},
    "brand_portal_agents": 4,  # 1: as before AEM 6.2 SP1-CFP5
    "agents": {},  # name -> properties to add or alter, or null to remove
    "agents_hidden": False,  # the user may not read /etc/replication: 404
    "max_depth": None,  # the deepest JSON of the whole tree that is given; deeper: 300 and a list
    "queued": 0,  # items that wait in each Brand Portal agent's queue until a test of it succeeds
    "scenario": scenarios.REAL,
    "scenarios": {},  # agent -> scenario
    "clock_offset": 0,  # seconds this AEM is ahead of its machine
    "date": "normal",  # web.date_headers
    "date_at": "received",  # "sent": Date tells when the answer was sent; Jetty tells when the request came
    "date_format": "dotted",  # "iso": as on 6.5
    "stamp_zone_hours": None,  # the zone of the log's stamps, by default the machine's own
    "delay": 0,  # seconds each test takes longer
    "starting_seconds": 0,  # 503 for so long after the start
    "lease": False,  # a document store's lease: "strict" (true): a forward step of the clock ends this AEM; "lenient"
    "overview": None,  # the system overview: a dict, or "level": the level's; None: this account may not read it
}

LOGIN_PATH = "/libs/granite/core/content/login.html"
OVERVIEW_PATH = "/libs/granite/operations/content/systemoverview/export.json"
LOGIN_PAGE = (
    b"<!DOCTYPE html><html><head><title>AEM Sign In</title></head>"
    b'<body><!-- QUICKSTART_HOMEPAGE --><form class="coral-Form" action="j_security_check"></form></body></html>'
)
STARTING = (
    b"<html><head><title>Error 503 AuthenticationSupport service missing. Cannot authenticate request.</title></head>"
    b"<body><h2>HTTP ERROR 503</h2></body></html>"
)
JSON_TYPE = ("Content-Type", "application/json;charset=utf-8")
HTML_TYPE = ("Content-Type", "text/html;charset=utf-8")
REALM = 'Basic realm="Sling (Development)"'

# Oak's document store: the lease holds 120 s, is renewed every 10 s and counts as lost 20 s before its end.
# A lenient check (before Oak 1.9.6) waits for the renewal up to five times a second; a strict one ends the store at once.
LEASE, RENEWED_EVERY, FAILURE_MARGIN = 120.0, 10.0, 20.0
LEASE_LOST = 70  # exit code; aem.service does not restart on it: a real AEM stays down, too


class Configuration:
    """The JSON file, read again whenever it is asked for; a file that is broken just now changes nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._settings: dict[str, Any] = {}
        self._settings = self._read()

    def now(self) -> dict[str, Any]:
        try:
            self._settings = self._read()
        except (OSError, ValueError) as error:
            print(f"{self._path}: {error}; going on with what it said before", file=sys.stderr, flush=True)
        return self._settings

    def _read(self) -> dict[str, Any]:
        given = json.loads(self._path.read_text(encoding="utf-8"))
        unknown = sorted(set(given) - set(DEFAULTS))
        if unknown:
            raise ValueError(f"no such key: {', '.join(unknown)}")
        settings = {**DEFAULTS, **given}
        if not settings["tenant"]:
            raise ValueError("tenant is required")
        if settings["level"] not in levels.LEVELS:
            raise ValueError(f"no such level: {settings['level']}")
        for name in [settings["scenario"], *settings["scenarios"].values()]:
            if name != scenarios.REAL and name not in scenarios.BY_NAME:
                raise ValueError(f"no such scenario: {name}")
        for key in ("private_key", "ca", "cert", "key", "log"):
            if settings[key]:
                settings[key] = str(self._path.parent / settings[key])
        return settings


class Author(NamedTuple):
    """One reading of the configuration, and what follows from it."""

    settings: dict[str, Any]

    def now(self) -> float:
        return time.time() + float(self.settings["clock_offset"])

    def stamp(self, date_format: str = "") -> str:
        zone = self.settings["stamp_zone_hours"]
        now = time.localtime(self.now()) if zone is None else time.gmtime(self.now() + 3600 * zone)
        return time.strftime(agent_log.STAMPS[date_format or self.settings["date_format"]], now)

    @property
    def identity(self) -> identity.Identity:
        settings = self.settings
        return identity.of(settings["tenant"], settings["client_id"], settings["client_secret"])

    def known_agents(self) -> dict[str, agents.Properties]:
        settings, who = self.settings, self.identity
        uri = settings["transport_uri"] or agents.brand_portal_uri(settings["tenant"])
        return agents.standard(
            settings["tenant"], uri, who.user, who.client_secret, settings["brand_portal_agents"], settings["agents"]
        )

    def described(self, name: str, properties: agents.Properties) -> agent_log.Agent:
        parts = urllib.parse.urlsplit(properties["transportUri"])
        return agent_log.Agent(
            name=name,
            title=properties["jcr:title"],
            user=properties.get("transportUser", ""),
            host=parts.hostname or "",
            port=parts.port or -1,
            transport_uri=properties["transportUri"],
            path=parts.path,
            timeouts_shown=self.settings["date_format"] == "iso",
        )

    @property
    def level(self) -> levels.Level:
        return levels.LEVELS[self.settings["level"]]

    @property
    def token_url(self) -> str:
        return self.settings["token_url"] or identity.IMS + identity.TOKEN_PATHS[self.level.way]

    def network(self, agent: str = "") -> wire.Network:
        settings = self.settings
        java = settings["java"]
        return wire.Network(
            self.now(), settings["ca"], settings["connect_to"], wire.Timeouts(**settings["timeouts"]),
            java.get(agent, wire.JAVA) if isinstance(java, dict) else java, settings["locale"], settings["certificate_dates"],
        )


class Tokens:
    """The access tokens that this AEM keeps, each until the end that its claims tell, by this AEM's clock."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, float]] = {}

    def valid(self, client_id: str, now: float) -> Optional[str]:
        token, end = self._kept.get(client_id, ("", 0.0))
        return token if now < end else None

    def keep(self, client_id: str, token: str) -> None:
        claims = jwt.decode(token, options={"verify_signature": False})
        self._kept[client_id] = token, (int(claims["created_at"]) + int(claims["expires_in"])) / 1000


def real_test(author: Author, journal: agent_log.Journal, oauth: bool, tokens: Tokens) -> agent_log.Verdict:
    """What the agent does, and a record of the result."""
    time.sleep(author.settings["delay"])
    journal.opening(oauth)
    headers = {
        "Action": "Test", "Path": "/content", "Handle": "/content", "Referer": "about:blank",
        "Content-Type": "application/octet-stream",
    }
    if oauth:
        token = _access_token(author, journal, tokens)
        if token:
            headers["Authorization"] = f"Bearer {token}"
    journal.sending()
    try:
        answer = wire.post(author.network(journal.agent.name), journal.agent.transport_uri, headers)
    except wire.JavaException as exception:
        return journal.not_sent(str(exception), exception.kind)
    return journal.answered(answer)


def _access_token(author: Author, journal: agent_log.Journal, tokens: Tokens) -> Optional[str]:
    """Without a token AEM says so, and sends its request all the same."""
    who, network = author.identity, author.network(journal.agent.name)
    if author.level.way == "s2s":
        return _by_credentials(author, journal, tokens, who, network)
    try:
        private_key = Path(author.settings["private_key"] or "").read_text(encoding="utf-8")
    except OSError:
        journal.no_token(f"Uninitialised key store for user {who.user}")
        return None
    try:
        answer = wire.exchange(
            network, author.token_url, who, wire.mint(who, private_key, author.now())
        )
    except wire.JavaException as exception:
        journal.no_token(str(exception))
        return None
    except (ValueError, jwt.PyJWTError):
        journal.no_token("java.security.UnrecoverableKeyException: Could not decrypt key: Could not decrypt data.")
        return None
    if answer.status != 200:
        journal.token_refused(answer.status, answer.body)
        return None
    journal.token()
    return str(json.loads(answer.body)["access_token"])


def _by_credentials(
    author: Author, journal: agent_log.Journal, tokens: Tokens, who: identity.Identity, network: wire.Network
) -> Optional[str]:
    token = tokens.valid(who.client_id, author.now())
    if token is None:
        try:
            answer = wire.credentials(network, author.token_url, who)
        except wire.JavaException as exception:
            journal.no_token(str(exception))
            return None
        if answer.status != 200:
            journal.token_refused(answer.status, answer.body)
            return None
        token = str(json.loads(answer.body)["access_token"])
        tokens.keep(who.client_id, token)
    journal.token()
    return token


class Aem:
    """The application behind the port."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self._started = time.monotonic()
        self.wait: Callable[[float], None] = time.sleep  # how a test takes its `delay`
        self._logs: dict[str, list[agent_log.Line]] = {}
        self._healed: dict[str, bool] = {}
        self._tokens = Tokens()
        self._lock = threading.Lock()

    def now(self) -> float:
        return Author(self.configuration.now()).now()

    def __call__(self, request: web.Request) -> None:
        author = Author(self.configuration.now())
        settings = author.settings
        request.server.date_mode = settings["date"]
        if time.monotonic() - self._started < settings["starting_seconds"]:
            return request.answer(503, STARTING, [HTML_TYPE])
        path = urllib.parse.unquote(urllib.parse.urlsplit(request.path).path)
        prefix = settings["context_path"].rstrip("/")
        if not path.startswith(prefix + "/"):
            return request.answer(404)
        path = path[len(prefix) :]
        if path == LOGIN_PATH:
            return request.answer(200, LOGIN_PAGE, [HTML_TYPE])
        if not self._authenticated(request, settings):
            return self._ask_to_log_in(request, settings)
        if request.command == "POST":  # CSRF and referrer filter: nothing here is for changing
            request.body()
            return request.answer(403)
        return self._get(request, author, path)

    @staticmethod
    def _authenticated(request: web.Request, settings: dict[str, Any]) -> bool:
        credentials = web.basic_credentials(request.headers.get("Authorization") or "")
        return credentials == (settings["user"], settings["password"])

    @staticmethod
    def _ask_to_log_in(request: web.Request, settings: dict[str, Any]) -> None:
        agent = request.headers.get("User-Agent") or ""
        browser = "Mozilla" in agent or "Opera" in agent
        if browser or settings["login_page"] == "redirect":
            return request.answer(302, headers=[("Location", settings["context_path"] + LOGIN_PATH)])
        if settings["login_page"]:
            return request.answer(200, LOGIN_PAGE, [HTML_TYPE])
        return request.answer(401, headers=[("WWW-Authenticate", REALM)])

    def _get(self, request: web.Request, author: Author, path: str) -> None:
        about = self._about_itself(author, path)
        if about is not None:
            return request.answer(200, about.encode() if isinstance(about, str) else json.dumps(about).encode(), [JSON_TYPE])
        below = path[len(agents.ROOT) :] if path.startswith(agents.ROOT) else None
        if path == OVERVIEW_PATH and author.settings["overview"] is not None:
            shown = author.settings["overview"]
            shown = levels.overview(author.level) if shown == "level" else shown
            return request.answer(200, json.dumps(shown).encode(), [JSON_TYPE])
        if below is None or author.settings["agents_hidden"]:
            return request.answer(404)
        if below.endswith(".json"):
            return self._json(request, author, below[: -len(".json")])
        for selector, page in ((".test.html", self._test), (".log.html", self._log)):
            if below.startswith("/") and below.endswith(selector):
                return page(request, author, below[1 : -len(selector)])
        return request.answer(404)

    @staticmethod
    def _about_itself(author: Author, path: str) -> Any:
        """What an account with the rights reads of AEM's levels and providers; None where there is no such page."""
        level, who = author.level, author.identity
        if path == level.health:
            return {"overallResult": "OK", "results": []} if level.health == "/system/health" else "OK"
        if author.settings["console_hidden"]:
            return None
        stored = levels.stored(level, who)
        if path.startswith(levels.STORED):
            below = path[len(levels.STORED) :]
            if below == ".1.json":
                return {"jcr:primaryType": "sling:Folder", **{name: {"jcr:primaryType": "nt:file"} for name in stored}}
            return stored.get(below[1:])
        pages = {levels.CONFIGURATIONS: levels.configurations, levels.BUNDLE: lambda level, _who: levels.bundle(level)}
        return pages[path](level, who) if path in pages and (path != levels.BUNDLE or level.adobeims) else None

    # Agents as JSON

    def _json(self, request: web.Request, author: Author, below: str) -> None:
        if below.endswith("/jcr:content.queue"):
            return self._queue(request, author, below[1 : -len("/jcr:content.queue")])
        head, dot, selector = below.rpartition(".")
        depth = {"infinity": -1, "-1": -1}.get(selector, int(selector) if selector.isdigit() else None)
        if not dot or depth is None:
            head, depth = below, 0
        node: Any = agents.tree(author.known_agents())
        for name in filter(None, head.split("/")):
            node = node.get(name)
            if not isinstance(node, dict):
                return request.answer(404)
        allowed = author.settings["max_depth"]
        if not head and allowed is not None and not 0 <= depth <= allowed:
            shallower = [f"{agents.ROOT}.{level}.json" for level in range(allowed, -1, -1)]
            return request.answer(300, json.dumps(shallower).encode(), [JSON_TYPE])
        return request.answer(200, json.dumps(agents.at_depth(node, depth)).encode(), [JSON_TYPE])

    def _queue(self, request: web.Request, author: Author, name: str) -> None:
        properties = author.known_agents().get(name)
        if properties is None:
            return request.answer(404)
        waiting = author.settings["queued"] if agents.uses_oauth(properties) and not self._healed.get(name) else 0
        now = int(author.now() * 1000)
        items = [
            {
                "id": f"{index}-{name}",
                "path": f"/content/dam/mac/{author.settings['tenant']}/asset{index}.jpg",
                "time": now - 60000 * (waiting - index),
                "userid": "admin",
                "type": "Activate",
                "size": 0,
                "lastProcessed": now - 30000,
                "numProcessed": 3 if index == 0 else 0,
            }
            for index in range(waiting)
        ]
        status = {
            "agentId": name, "agentName": properties["jcr:title"], "isBlocked": bool(items), "isPaused": False,
            "time": now, "processingSince": 0, "lastProcessTime": now - 30000, "nextRetryPeriod": 60000 if items else 0,
        }
        answer = {"metaData": {"root": "queue", "queueStatus": status}, "queue": items}
        return request.answer(200, json.dumps(answer).encode(), [JSON_TYPE])

    # Tests and logs

    def _test(self, request: web.Request, author: Author, name: str) -> None:
        properties = author.known_agents().get(name)
        request.note["tested"] = name
        if properties is None or not agents.is_enabled(properties):
            return self._page(request, author, scenarios.plain_page(agent_log.no_such_agent(name)))
        agent = author.described(name, properties)
        scenario = author.settings["scenarios"].get(name, author.settings["scenario"])
        if scenario == scenarios.REAL:
            journal = agent_log.Journal(agent, author.stamp)
            verdict = real_test(author, journal, agents.uses_oauth(properties), self._tokens)
            page = scenarios.plain_page(agent_log.test_page(agent, journal.lines, verdict))
            lines, succeeded = journal.lines, verdict.succeeded
        else:
            self.wait(author.settings["delay"])
            script = scenarios.BY_NAME[scenario]
            page, lines = scenarios.play(script, self._context(author, agent), "test")
            succeeded = script.succeeded
        with self._lock:
            self._logs.setdefault(name, []).extend(lines)
            self._healed[name] = succeeded
        return self._page(request, author, page)

    def _log(self, request: web.Request, author: Author, name: str) -> None:
        properties = author.known_agents().get(name)
        if properties is None:
            return self._page(request, author, scenarios.plain_page(agent_log.no_such_agent(name)))
        agent = author.described(name, properties)
        script = scenarios.BY_NAME.get(author.settings["scenarios"].get(name, author.settings["scenario"]))
        if script is not None and script.where == "log":
            return self._page(request, author, scenarios.play(script, self._context(author, agent), "log")[0])
        with self._lock:
            lines = list(self._logs.get(name, []))
        return self._page(request, author, scenarios.plain_page(agent_log.log_page(agent, lines)))

    @staticmethod
    def _context(author: Author, agent: agent_log.Agent) -> scenarios.Context:
        # A scripted Brand Portal has the machine's time: it is AEM whose clock is off by clock_offset.
        return scenarios.Context(agent, author.settings["tenant"], author.stamp, web.http_date(time.time()))

    @staticmethod
    def _page(request: web.Request, author: Author, page: scenarios.Page) -> None:
        date = request.received if author.settings["date_at"] == "received" else None
        request.answer(200, page.body, [("Content-Type", page.content_type)], date=date)


def keep_lease(
    renewed: float,
    now: Callable[[], float],
    lost: Callable[[str], None],
    every: float = 1.0,
    lenient: bool = False,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Renew a wall-clock lease, taken at `renewed`, as Oak's document store does, until a step has made it lapse.

    A step backwards only means that nothing is renewed until the clock has caught up. With a lenient check the store goes on
    when the lease is renewed after all, which nothing hinders here: there is no other node that recovers it.
    """
    while True:
        pause(every)
        late = now() - (renewed + LEASE - FAILURE_MARGIN)
        if late >= 0 and not lenient:
            return lost(
                "*ERROR* org.apache.jackrabbit.oak.plugins.document.ClusterNodeInfo This oak instance failed to update "
                f"the lease in time ({late:.0f} s late) and can therefore no longer access this DocumentNodeStore."
            )
        if now() >= renewed + RENEWED_EVERY:
            renewed = now()


def _stop_for_good(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
    os._exit(LEASE_LOST)


def serve(configuration: Configuration, lease_lost: Callable[[str], None] = _stop_for_good) -> web.Server:
    settings = configuration.now()
    application = Aem(configuration)
    tls = None
    if settings["cert"]:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(settings["cert"], settings["key"])
    address: tuple[str, int] = (settings["listen"][0], int(settings["listen"][1]))
    server = web.Server(address, application, application.now, tls, log=settings["log"])
    if settings["lease"]:
        threading.Thread(
            target=keep_lease, args=(application.now(), application.now, lease_lost), daemon=True,
            kwargs={"lenient": settings["lease"] == "lenient"},
        ).start()
    return server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, type=Path)
    parser.add_argument("java", nargs="*", help="what a real AEM's command line says, after --; nothing here reads it")
    options = parser.parse_args()
    server = serve(Configuration(options.config))
    print(f"AEM stand-in at port {server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
