# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: UP006, UP031, UP035  (nothing newer than Python 3.6 here)
"""Every page of an agent that a reader must understand, and what it must conclude from it: one list.

It drives three things: the stand-in of AEM (`"scenario": NAME`), the tests of the reader, and the documentation's
table. Standard library only, and nothing newer than Python 3.6.

    for scenario in SCENARIOS:
        page = play(scenario, sample_context()).page
        # page.content_type, page.body (bytes)
        # scenario.cause, .clock_related, .succeeded, .response_code, .remote_dated

A scenario says what happened (`script`, in the words of agent_log.Journal) and, apart from it, how that reached the
reader (`markup`, `mangle`, `dress`): so that any failure is available in any malformed page.
"""

from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

try:
    from . import agent_log, messages
    from .agent_log import Agent, Answer, Journal, Line, Markup, Verdict
except ImportError:  # run beside aem.py
    import agent_log  # type: ignore[no-redef]
    import messages  # type: ignore[no-redef]
    from agent_log import Agent, Answer, Journal, Line, Markup, Verdict  # type: ignore[no-redef]

REAL = "real"  # not scripted: aem.py does what an agent does

Headers = Sequence[Tuple[str, str]]


class Page(NamedTuple):
    content_type: str
    body: bytes


class Played(NamedTuple):
    page: Page
    lines: List[Line]


class Context(NamedTuple):
    """Whose test it is, and when. Brand Portal's Date is given; AEM's own is on its HTTP answer."""

    agent: Agent
    tenant: str
    stamp: Callable[[str], str]  # of now, in the format of this name, or in AEM's own when it is ''
    remote_date: str


def plain_page(text: str) -> Page:
    return Page("text/html;charset=utf-8", text.encode("utf-8"))


def _as_they_are(lines: List[Line]) -> List[Line]:
    return lines


class Scenario(NamedTuple):
    """What happened, how it reached the reader, and what a right reader makes of it."""

    name: str
    summary: str
    script: Callable[[Journal, Context], Optional[Verdict]]
    cause: str
    clock_related: str  # yes | likely | no
    succeeded: bool
    response_code: Optional[int]  # of Brand Portal's answer; None: the page has none
    remote_dated: bool  # Brand Portal's Date can be read from the page
    where: str = "test"  # the page it is about: test | log
    date_format: str = ""
    markup: Markup = Markup()
    mangle: Callable[[List[Line]], List[Line]] = _as_they_are
    dress: Callable[[str], Page] = plain_page
    text: Optional[Callable[[Context], str]] = None  # a page that has no lines


def play(scenario: Scenario, context: Context, where: str = "") -> Played:
    """The page as bytes, and the lines the agent's log keeps of it."""
    if scenario.text is not None:
        return Played(scenario.dress(scenario.text(context)), [])
    journal = Journal(context.agent, lambda: context.stamp(scenario.date_format))
    verdict = scenario.script(journal, context)
    lines = scenario.mangle(journal.lines)
    if (where or scenario.where) == "log":
        text = agent_log.log_page(context.agent, lines, scenario.markup)
    else:
        text = agent_log.test_page(context.agent, lines, verdict, scenario.markup)
    return Played(scenario.dress(text), journal.lines)


def sample_context() -> Context:
    """The moment of KA-10565: AEM's log stamp, and Brand Portal's Date two and a half days later."""
    stamps = {"": "28.02.2017 18:39:51", "dotted": "28.02.2017 18:39:51", "iso": "2017-02-28 18:39:51"}
    agent = Agent(
        name="mp_replication_agent0_default_acme",
        title="acme MP Replication Agent0 Default",
        user="mac-acme-replication",
        host="acme.brand-portal.adobe.com",
        port=-1,
        transport_uri="https://acme.brand-portal.adobe.com/bin/receive?sling:authRequestLogin=1",
    )
    return Context(agent, "acme", stamps.__getitem__, SAMPLE_REMOTE_DATE)


SAMPLE_REMOTE_DATE = "Fri, 03 Mar 2017 04:29:05 GMT"

# Brand Portal's answers

_REALM = ("WWW-Authenticate", 'Basic realm="Sling (Development)"')
_GUARDS: List[Tuple[str, str]] = [
    ("X-Frame-Options", "SAMEORIGIN"),
    ("Content-Security-Policy", "default-src 'self' https://*.adobe.com; img-src * data: ; object-src 'self'"),
    ("Set-Cookie", "renderid=rend2; path=/;Secure"),
    ("Vary", "User-Agent,Accept-Encoding"),
]
_SERVER = ("Server", "Apache/2.4.10 (Unix) Communique/4.2.1")


def _answer(
    context: Context, status: int, reason: str, headers: Headers = (), body: str = "", dated: bool = True
) -> Answer:
    date = [("Date", context.remote_date)] if dated else []
    size = [("Content-Length", str(len(body)))]
    return Answer("HTTP/1.1", status, reason, date + [_SERVER] + list(headers) + _GUARDS + size, body)


def accepted(context: Context, headers: Headers = ()) -> Answer:
    plain = ("Content-Type", "text/plain;charset=UTF-8")
    return _answer(context, 200, "OK", [plain] + list(headers), "ReplicationAction TEST ok.")


def unauthorized(context: Context, headers: Headers = (), dated: bool = True) -> Answer:
    return _answer(context, 401, "Unauthorized", [_REALM] + list(headers), "", dated)


# What happened: scripts

Script = Callable[[Journal, Context], Optional[Verdict]]
EXPIRED = messages.ims("invalid_grant", "JWT has expired")


def succeeds(*headers: Tuple[str, str], body_split: bool = False) -> Script:
    """AEM gets a token and the test is delivered; the answer also has these `headers`."""

    def script(journal: Journal, context: Context) -> Verdict:
        journal.opening()
        journal.token()
        journal.sending()
        return journal.answered(accepted(context, headers), body_split)

    return script


def refused(status: int, response: str, *headers: Tuple[str, str], dated: bool = True) -> Script:
    """IMS refuses the JWT; AEM posts without a token and gets a 401, with `headers` and with or without a Date."""

    def script(journal: Journal, context: Context) -> Verdict:
        journal.opening()
        journal.token_refused(status, response)
        journal.sending()
        return journal.answered(unauthorized(context, headers, dated))

    return script


def not_accepted(*headers: Tuple[str, str]) -> Script:
    """AEM gets a token, but Brand Portal answers 401."""

    def script(journal: Journal, context: Context) -> Verdict:
        journal.opening()
        journal.token()
        journal.sending()
        return journal.answered(unauthorized(context, headers))

    return script


def tokenless(message: str) -> Script:
    """AEM gets no token for a reason of its own, posts without and gets a 401."""

    def script(journal: Journal, context: Context) -> Verdict:
        journal.opening()
        journal.no_token(message)
        journal.sending()
        return journal.answered(unauthorized(context))

    return script


def unreachable(message: str, kind: str, also_ims: bool = True) -> Script:
    """Neither IMS nor Brand Portal can be asked, or only Brand Portal cannot."""

    def script(journal: Journal, context: Context) -> Verdict:
        journal.opening()
        if also_ims:
            journal.no_token(message)
        else:
            journal.token()
        journal.sending()
        return journal.not_sent(message, kind)

    return script


def answered(status: int, reason: str, body: str = "") -> Script:
    """A token was had, and Brand Portal (or a proxy before it) says something else than 200."""

    def script(journal: Journal, context: Context) -> Verdict:
        journal.opening()
        journal.token()
        journal.sending()
        return journal.answered(_answer(context, status, reason, [], body))

    return script


def _transfer_failed(exception: str) -> Script:
    """The agent gave up before it sent anything."""

    def script(journal: Journal, context: Context) -> Verdict:
        journal.opening()
        action = "ReplicationAction{type=TEST, path[0]='/content', userId='admin', revision='null'}"
        failed = "Transfer failed for %s. %s" % (action, exception.replace("USER", context.agent.user))
        journal.error(failed)
        return journal.broken("com.day.cq.replication.ReplicationException: " + failed)

    return script


def _token_had(message: str, kind: str) -> Script:
    return unreachable(message, kind, also_ims=False)


def _no_news(journal: Journal, context: Context) -> Verdict:
    """The agent stops after it began to send, and says no more than that it failed."""
    journal.opening()
    journal.token()
    journal.sending()
    return Verdict(False, "")


def _basic(journal: Journal, context: Context) -> Verdict:
    """An agent with a user and a password, as one that leads to a publish instance."""
    journal.opening(oauth=False)
    journal.sending()
    return journal.answered(unauthorized(context))


def _oauth_not_initialized(journal: Journal, context: Context) -> Verdict:
    journal.opening()
    journal.error("No OAuth token available. OAuth not initialized")
    journal.sending()
    return journal.answered(unauthorized(context))


def _access_denied(journal: Journal, context: Context, words: str = "Access denied") -> Verdict:
    """The answer is 200, and the receiver's word in it is no all the same."""
    journal.opening()
    journal.token()
    journal.sending()
    denied = "Repository error during node import: %s" % words
    answer = _answer(context, 200, "OK", [], "error: com.day.cq.replication.ReplicationException: %s" % denied)
    journal.info("sent. Response: 200 OK")
    journal.error("Replication (TEST) of /content not successful. Conversation follows")
    journal.dump("ERROR", answer)
    return journal.over(False, denied)


def _oak_denies(journal: Journal, context: Context) -> Verdict:
    return _access_denied(journal, context, "OakAccess0000: Access denied")


def _contradicted(journal: Journal, context: Context) -> Verdict:
    """200, and yet the agent calls it a failure and says no more."""
    journal.opening()
    journal.token()
    journal.sending()
    journal.info("sent. Response: 200 OK")
    journal.error("Replication (TEST) of /content not successful. Conversation follows")
    journal.dump("ERROR", accepted(context))
    return journal.over(False, "Replication (TEST) of /content not successful.")


def _then(*scripts: Script) -> Script:
    """One after the other on one page; the last one's verdict is the page's."""

    def script(journal: Journal, context: Context) -> Optional[Verdict]:
        verdict = None
        for one in scripts:
            verdict = one(journal, context)
        return verdict

    return script


def _huge(line_count: int, status: int) -> Script:
    def script(journal: Journal, context: Context) -> Verdict:
        journal.opening()
        if status == 200:
            journal.token()
        else:
            journal.token_refused(400, EXPIRED)
        journal.sending()
        line = "<p class='filler'>JWT succeeded failed 200 OK 401 Unauthorized %s</p>\n" % ("x" * 400)
        reason = "OK" if status == 200 else "Unauthorized"
        return journal.answered(_answer(context, status, reason, [], "TEST\n" + line * line_count))

    return script


# Not one of these may leave a reader in what it returns as the log.
SECRETS = (
    "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjE0ODgzMDc0OTF9.c2lnbmF0dXJl",
    "p8e-0f6c2b1a-client-secret",
    "3529326c-1500-4888-a4a3-login-token",
    "YWRtaW46Y29ycmVjdCBob3JzZQ==",
)


def _secrets_shown(journal: Journal, context: Context) -> Verdict:
    """An agent at level DEBUG that is careless with what it knows."""
    token, secret, login, basic = SECRETS
    journal.opening()
    form = "client_id=acme&client_secret=%s&jwt_token=%s" % (secret, token)
    journal.debug("POST https://ims-na1.adobelogin.com/ims/exchange/jwt %s" % form)
    journal.token_refused(400, EXPIRED)
    journal.sending()
    journal.debug("adding header: Authorization:Bearer %s" % token, ">> Authorization: Bearer %s" % token)
    journal.debug(">> Proxy-Authorization: Basic %s" % basic)
    return journal.answered(unauthorized(context, [("Set-Cookie", "login-token=%s; Path=/; HttpOnly" % login)]))


# How it reached the reader: mangled lines and dressed pages


def marks_lost(lines: List[Line]) -> List[Line]:
    """Some published copies of the article have lost the marks, angle brackets and all."""
    return [
        line._replace(text=line.text[2:].lstrip()) if line.text[:2] in (">>", "<<") else line for line in lines
    ]


def headers_lower(lines: List[Line]) -> List[Line]:
    """As a proxy that speaks HTTP/2 writes the names of headers."""

    def lower(line: Line) -> Line:
        name, colon, value = line.text.partition(": ")
        return line._replace(text=name.lower() + colon + value) if name.startswith("<< ") and colon else line

    return [lower(line) for line in lines]


def cut_after(words: str, more: int = 0) -> Callable[[str], Page]:
    """A page that ends in the middle: `more` characters behind the first time these words stand in it."""

    def dress(text: str) -> Page:
        return plain_page(text[: text.index(words) + len(words) + more])

    return dress


def encoded(encoding: str, charset: str) -> Callable[[str], Page]:
    """The page in another encoding, with a title that shows it; charset '' declares none."""

    def dress(text: str) -> Page:
        content_type = "text/html" + (";charset=%s" % charset if charset else "")
        return Page(content_type, text.replace("MP Replication Agent", "MP-R\u00e9plication \u00fc").encode(encoding))

    return dress


def broken_utf8(text: str) -> Page:
    """Declared as UTF-8, with bytes that are not, here and there and in the line that matters."""
    page = plain_page(text)
    for words in (b"HttpClient for ", b"msg: ", b"renderid=", b"TEST ok."):
        page = page._replace(body=page.body.replace(words, b"\xc3\x28" + words + b"\xff"))
    return page


def _twice(text: str) -> str:
    once = Markup().escape(text)
    return agent_log.escape(once)


def _numeric(text: str) -> str:
    for character in "&<>\"'":
        text = text.replace(character, "\0%d;" % ord(character))
    return text.replace("\0", "&#")


_EXPIRES = refused(400, EXPIRED)
_UNKNOWN_HOST = unreachable("acme.brand-portal.adobe.com: Name or service not known", "java.net.UnknownHostException")
_SUCCEEDS = succeeds()
_UNRECOVERABLE = (
    "java.lang.SecurityException: java.security.UnrecoverableKeyException: "
    "Could not decrypt key: Could not decrypt data."
)
_KEYSTORE = "com.adobe.granite.keystore.KeyStoreNotInitialisedException: Uninitialised key store for user USER"
_ANCHORS = (
    "java.io.IOException: Failed to execute request: java.lang.RuntimeException: Unexpected error: "
    "java.security.InvalidAlgorithmParameterException: the trustAnchors parameter must be non-empty"
)


# Shorthands for the lists below


def _failure(
    name: str, summary: str, script: Script, code: Optional[int], cause: str = "", clock: str = "no"
) -> Scenario:
    """The cause is the name unless it is said; Brand Portal's Date can be read when Brand Portal answered, and no proxy."""
    return Scenario(name, summary, script, cause or name, clock, False, code, code not in (None, 307, 407, 503))


def _java(name: str, summary: str, situation: str, script: Callable[[str, str], Script], code: Optional[int]) -> Scenario:
    """A failure in the words of Java 17; `script` makes it of message and class."""
    kind, said = messages.words_of("17.0.9", situation)
    return _failure(name, summary, script(said, kind), code, messages.SITUATIONS[situation])


def _of_message(message: messages.Message) -> Scenario:
    """A message of the list, as an agent's page tells it."""
    if message.status:
        script, code = refused(message.status, message.said), 401
    elif message.everywhere:
        script, code = unreachable(message.said, message.kind), None
    else:
        script, code = tokenless(message.said), 401
    return _failure(message.name, message.said, script, code, message.cause, message.expected.clock)


def _expired(name: str, summary: str, script: Script = _EXPIRES) -> Scenario:
    """The failure of KA-10565."""
    return _failure(name, summary, script, 401, "jwt_expired", "yes")


def _fine(name: str, summary: str, script: Script = _SUCCEEDS) -> Scenario:
    return Scenario(name, summary, script, "none", "no", True, 200, True)


def _without_lines(name: str, summary: str, text: Callable[[Context], str], cause: str = "unknown") -> Scenario:
    return Scenario(name, summary, lambda journal, context: None, cause, "no", False, None, False, text=text)


# Beside the messages of the list: what needs a script of its own
ROWS = [
    _fine("ok", "The agent delivers its test."),
    *map(_of_message, messages.WRITTEN),
    _failure(
        "certificate_of_ims_not_yet_valid", "Only the certificate of IMS is younger than AEM's clock.",
        tokenless(messages.words_of("17.0.9", "not_yet_valid_sunx509")[1]), 401, "certificate_not_yet_valid", "likely",
    ),
    _failure("key_not_accepted", "401 although there is a token.", not_accepted(), 401),
    _failure("transport_user_refused", "401 to an agent that sends a user and a password.", _basic, 401),
    _failure("oauth_not_initialized", "There is no access token provider.", _oauth_not_initialized, 401),
    _failure(
        "keystore_not_initialized_at_once", "There is no key store, and that ends the transfer.",
        _transfer_failed(_KEYSTORE), None, "keystore_not_initialized",
    ),
    _failure(
        "unrecoverable_key_at_once", "The key store's password is wrong, and that ends the transfer.",
        _transfer_failed(_UNRECOVERABLE), None, "unrecoverable_key",
    ),
    _failure("trust_anchors_empty", "Java finds no truststore.", _transfer_failed(_ANCHORS), None),
    _java("connection_refused", "Nothing listens there.", "refused", unreachable, None),
    _java("unknown_host", "DNS knows neither IMS nor the tenant.", "unknown_host", unreachable, None),
    _java("unknown_host_of_tenant", "DNS does not know the tenant; the token was had.", "unknown_host", _token_had, None),
    _java(
        "unknown_host_of_ims", "DNS does not know IMS: Brand Portal's 401 is only the consequence.", "unknown_host",
        lambda said, _kind: tokenless(said), 401,
    ),
    _java("connect_timeout", "No connection in time.", "connect_timeout", unreachable, None),
    _java("read_timeout", "No answer in time; the token was had.", "answer_timeout", _token_had, None),
    _java("no_route", "No way to the address.", "no_route", unreachable, None),
    _java("connection_reset", "The connection is closed before the answer.", "reset_after_request", unreachable, None),
    _java("tls_handshake", "TLS cannot be agreed on.", "alert_handshake_failure", unreachable, None),
    _java("certificate_name", "The certificate is another's.", "wrong_name", unreachable, None),
    _java("not_tls", "A port that speaks no TLS.", "plain_text", unreachable, None),
    _failure(
        "proxy_authentication_required", "A proxy in between requires authentication.",
        answered(407, "Proxy Authentication Required"), 407,
    ),
    _failure(
        "brand_portal_unavailable", "Brand Portal is out of service.", answered(503, "Service Unavailable"), 503
    ),
    _failure("access_denied", "200, and the transport user may not write.", _access_denied, 200),
    _failure(
        "access_denied_by_oak", "The same in the words of Oak.", _oak_denies, 200, "access_denied",
    ),
    _failure(
        "no_http_from_brand_portal", "A port that speaks no HTTP; the token was had.",
        _token_had("The server failed to respond with a valid HTTP response", "org.apache.http.ProtocolException"), None,
        "not_brand_portal",
    ),
    _failure(
        "publish_forbidden", "Brand Portal's own user may not import.",
        answered(403, "Forbidden", "dam-replication-service: Access denied"), 403,
    ),
    _failure(
        "two_authors", "The tenant belongs to another author as well.",
        answered(500, "Server Error", "The author does not receive the requesting token"), 500,
    ),
    _without_lines(
        "no_such_agent", "Another name, another run mode, or an agent that is not active.",
        lambda context: agent_log.no_such_agent(context.agent.name), "no_such_agent",
    ),
    _failure("server_error", "Brand Portal itself fails.", answered(500, "Internal Server Error"), 500, "unknown"),
    _failure(
        "forbidden", "A firewall's own page in place of Brand Portal's.",
        answered(403, "Forbidden", "<html><h1>Blocked</h1>\nYour request has been refused.</html>"), 403,
        "brand_portal_refused",
    )._replace(remote_dated=False),
    _failure(
        "signed_in_first", "A proxy that wants people to sign in.", answered(307, "Temporary Redirect"), 307, "not_brand_portal",
    ),
    _failure(
        "page_with_200", "A firewall's own page, and AEM looks at its status only.",
        answered(200, "OK", "<html><title>Request Rejected</title>\nThe requested URL was rejected.</html>"), 200,
        "not_brand_portal",
    )._replace(remote_dated=False),
    *(
        _failure(
            "page_with_200_%s" % name, "A web page that begins in another way.", answered(200, "OK", body), 200,
            "not_brand_portal",
        )._replace(remote_dated=False)
        for name, body in (
            ("xhtml", '<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C"><html><body>Sign in</body></html>'),
            ("script", '<script>window.location="https://portal.example.com/"</script>'),
            ("meta", '<META http-equiv="refresh" content="0;url=https://portal.example.com/">'),
            ("form", '<body onload="document.forms[0].submit()"><form action="https://idp.example.com"></form></body>'),
        )
    ),
    _failure(
        "brand_portal_throttles", "Too many requests.", answered(429, "Too Many Requests"), 429, "brand_portal_unavailable",
    ),
    _failure("no_receiver", "The transport URI is wrong.", answered(404, "Not Found"), 404, "not_brand_portal"),
    _failure("failed_without_a_word", "The trailer says that it failed, and nothing says why.", _no_news, None, "unknown"),
]

# The words of real Java virtual machines
JAVA = [_of_message(message) for message in messages.RECORDED]

# Words where they mean nothing
TRAPS = [
    _expired(
        "succeeded_in_a_header", "It failed; a cookie and another header say otherwise.",
        refused(
            400, EXPIRED,
            ("Set-Cookie", "last=Replication test <strong>succeeded</strong><br>; path=/"),
            ("X-Note", "sent. Response: 200 OK; HTTP/1.1 200 OK; ReplicationAction TEST ok."),
        ),
    ),
    _fine(
        "expired_in_a_header", "It succeeded; headers mention an expired JWT and a failure.",
        succeeds(
            ("X-Last-Error", "Failed to get an access token for user: x msg: " + EXPIRED),
            ("X-Page", '<hr size="1">Replication test <strong>failed</strong><br>'),
        ),
    ),
    _failure(
        "expired_in_a_header_of_a_refusal", "401 with a token; a header mentions an expired JWT.",
        not_accepted(("X-Last-Error", "invalid_grant: JWT has expired")), 401, "key_not_accepted",
    ),
    _fine("retried", "Two conversations on one page: refused, then delivered.", _then(_EXPIRES, _SUCCEEDS)),
    _expired("refused_twice", "Two conversations on one page.", _then(_EXPIRES, _EXPIRES)),
    _failure("not_successful_with_200", "200, but the agent calls it a failure.", _contradicted, 200, "unknown"),
    _fine("body_split", "The body of the answer on two lines.", succeeds(body_split=True)),
    _failure(
        "terminal_escapes", "IMS's answer would set a terminal's title, colors and direction.",
        refused(400, messages.ims("invalid_client", "\x1b]0;owned\x07 \x9b31m \x9d0;owned\x9c \u202e{{ 7 * 6 }}")), 401,
        "invalid_client",
    ),
    _expired("secrets_shown", "The agent's log shows tokens and cookies.", _secrets_shown),
    _expired(
        "no_remote_date", "Brand Portal's answer has no Date.", refused(400, EXPIRED, dated=False)
    )._replace(remote_dated=False),
    _expired(
        "bad_remote_date", "Brand Portal's Date is no date.",
        refused(400, EXPIRED, ("Date", "sometime last Tuesday"), dated=False),
    )._replace(remote_dated=False),
]

# The same two things, harder to read
_CLOSED = Markup(line_end="<br/>\n", rule='<hr size="1"/>\n')
_CRLF = Markup(line_end="<br>\r\n", rule='<hr size="1">\r\n')
SHAPES = [
    _expired("marks_lost", "The marks >> and << are gone.")._replace(mangle=marks_lost),
    _fine("marks_lost_ok", "The marks >> and << are gone.")._replace(mangle=marks_lost),
    _expired("headers_lower", "Names of headers in small letters.")._replace(mangle=headers_lower),
    _expired("double_escaped", "Escaped twice.")._replace(markup=Markup(escape=_twice)),
    _fine("double_escaped_ok", "Escaped twice.")._replace(markup=Markup(escape=_twice)),
    _expired("numeric_entities", "Escaped by number.")._replace(markup=Markup(escape=_numeric)),
    _expired("not_escaped", "Not escaped at all.")._replace(markup=Markup(escape=str)),
    _fine("not_escaped_ok", "Not escaped at all.")._replace(markup=Markup(escape=str)),
    _expired("iso_stamps", "Stamps as on 6.5.")._replace(date_format="iso"),
    _fine("iso_stamps_ok", "Stamps as on 6.5.")._replace(date_format="iso"),
    _expired("line_end_closed", "<br/>, with a new line.")._replace(markup=_CLOSED),
    _expired("line_end_spaced", "<br />, and <hr>.")._replace(markup=Markup(line_end="<br />", rule="<hr>")),
    _fine("line_end_crlf", "<br> and CR LF.")._replace(markup=_CRLF),
    _expired("upper", "Tags in capitals.")._replace(markup=Markup(upper=True)),
    _fine("upper_ok", "Tags in capitals.")._replace(markup=Markup(upper=True)),
    _expired("huge", "5 MB.", _huge(11000, 401)),
    _fine("huge_ok", "5 MB.", _huge(11000, 200)),
    _expired("latin1", "ISO-8859-1, declared.")._replace(dress=encoded("latin-1", "ISO-8859-1")),
    _expired("latin1_undeclared", "ISO-8859-1, not declared.")._replace(dress=encoded("latin-1", "")),
    _expired("latin1_as_utf8", "ISO-8859-1, declared as UTF-8.")._replace(dress=encoded("latin-1", "utf-8")),
    _expired("utf16", "UTF-16 with a byte order mark, declared.")._replace(dress=encoded("utf-16", "UTF-16")),
    _fine("utf16_undeclared", "UTF-16 with a byte order mark, not declared.")._replace(dress=encoded("utf-16", "")),
    _expired("utf8_bom", "UTF-8 with a byte order mark.")._replace(dress=encoded("utf-8-sig", "utf-8")),
    _expired("unknown_charset", "An unknown charset.")._replace(dress=encoded("utf-8", "x-unknown")),
    _expired("broken_utf8", "Bytes that are not UTF-8.")._replace(dress=broken_utf8),
    _fine("broken_utf8_ok", "Bytes that are not UTF-8.")._replace(dress=broken_utf8),
]

# Pages that end in the middle: nothing is proven, but what is there can be read
CUT = [
    _expired("cut_after_token_line", "It ends before Brand Portal was asked.")._replace(
        dress=cut_after("JWT has expired&quot;}"), response_code=None, remote_dated=False
    ),
    _expired("cut_in_the_dump", "It ends within a header.")._replace(dress=cut_after("X-Frame-Opt")),
    _expired("cut_in_the_verdict", "It ends within the last word.")._replace(
        dress=cut_after("Replication test <strong>fai")
    ),
    _fine("cut_after_200", "It ends after the good answer and before the verdict.")._replace(
        dress=cut_after("sent. Response: 200 OK"), cause="unknown", succeeded=False, remote_dated=False
    ),
    _failure("cut_in_an_entity", "It ends within an escaped character.", _EXPIRES, None, "unknown")._replace(
        dress=cut_after("response: {&qu")
    ),
    _without_lines("empty", "Nothing at all.", lambda context: ""),
    _without_lines(
        "another_page", "A page that is no test.", lambda context: "<html><h1>Welcome</h1>200 OK, succeeded</html>"
    ),
]

# Log pages: level and agent in each line, the newest last, no dump of what went well, no verdict at the end
LOGS = [
    scenario._replace(where="log")
    for scenario in (
        _expired("log_jwt_expired", "The page KA-10565 quotes."),
        _expired("log_iso", "The same with the stamps of 6.5.")._replace(date_format="iso"),
        _expired("log_marks_lost", "The same without >> and <<.")._replace(mangle=marks_lost),
        _fine("log_ok", "A log of a success.")._replace(remote_dated=False),
        _fine("log_healed", "Refused before, delivered last.", _then(_EXPIRES, _SUCCEEDS))._replace(
            remote_dated=False
        ),
        _expired("log_broken", "Delivered before, refused last.", _then(_SUCCEEDS, _EXPIRES)),
        _failure(
            "log_other_cause_last", "Expired before; now DNS fails.",
            _then(_EXPIRES, _UNKNOWN_HOST), None, "unknown_host",
        ),
    )
]

SCENARIOS: List[Scenario] = ROWS + JAVA + TRAPS + SHAPES + CUT + LOGS
BY_NAME: Dict[str, Scenario] = {scenario.name: scenario for scenario in SCENARIOS}
