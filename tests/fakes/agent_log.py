# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: UP006, UP031, UP035  (nothing newer than Python 3.6 here)
"""What a replication agent writes during a test, and the two pages that show it.

A test page (`<agent>.test.html`) shows every line as `DATE - MESSAGE`; a log page (`<agent>.log.html`) shows the lines
of level INFO and above as `DATE - LEVEL - AGENT : MESSAGE`. Both are always HTTP 200.

Standard library only, and nothing newer than Python 3.6: the tests of the reader use it on every Python it runs on.
"""

from typing import Callable, Iterable, List, NamedTuple, Optional, Tuple
from xml.sax.saxutils import escape

DASHES = "-" * 48
STAMPS = {"dotted": "%d.%m.%Y %H:%M:%S", "iso": "%Y-%m-%d %H:%M:%S"}  # seen 2014-2017; seen on 6.5


class Line(NamedTuple):
    stamp: str
    level: str
    text: str


class Answer(NamedTuple):
    """What the receiver answered; version is HTTP/1.1 or HTTP/1.0."""

    version: str
    status: int
    reason: str
    headers: List[Tuple[str, str]]
    body: str


class Verdict(NamedTuple):
    succeeded: bool
    message: str


class Markup(NamedTuple):
    """How a version of AEM writes a page; only what differs between them."""

    line_end: str = "<br>"
    rule: str = '<hr size="1">'
    upper: bool = False
    escape: Callable[[str], str] = lambda text: escape(text, {'"': "&quot;"})


PLAIN = Markup()


class Agent(NamedTuple):
    """The agent whose test is written about."""

    name: str
    title: str
    user: str
    host: str
    port: int  # -1 when the address names none: AEM prints it so
    transport_uri: str
    path: str = "/bin/receive"
    timeouts_shown: bool = False  # 6.5 prints them, 6.2 did not


class Journal:
    """The lines of one test, in the words AEM uses."""

    def __init__(self, agent: Agent, stamp: Callable[[], str]) -> None:
        self.agent = agent
        self.lines: List[Line] = []
        self._stamp = stamp

    def write(self, level: str, text: str) -> None:
        self.lines.append(Line(self._stamp(), level, text))

    def info(self, text: str) -> None:
        self.write("INFO", text)

    def error(self, text: str) -> None:
        self.write("ERROR", text)

    def debug(self, *texts: str) -> None:
        for text in texts:
            self.write("DEBUG", text)

    # The parts of a test, in their order

    def opening(self, oauth: bool = True) -> None:
        if oauth:
            self.info("Using user %s for building content." % self.agent.user)
        self.info("Creating content for path /content")
        self.info("Create new HttpClient for %s" % self.agent.title)
        if not oauth:
            self.info("* Auth User: %s" % self.agent.user)
        self.info("* HTTP Version: 1.1")
        if self.agent.timeouts_shown:
            self.info("* Connect Timeout: 180000")
            self.info("* Socket Timeout: 600000")
        if oauth:
            self.info("* Using OAuth 2.0 Authorization Grants")
            self.info("* OAuth 2.0 User: %s" % self.agent.user)

    def token(self) -> None:
        self.info("* OAuth 2.0 Token: '*****' initialized")

    def no_token(self, message: str) -> None:
        self.error("Failed to get an access token for user: %s msg: %s" % (self.agent.user, message))

    def token_refused(self, status: int, response: str) -> None:
        failed = "failed to get access token from authorization server"
        self.no_token("%s status: %d response: %s" % (failed, status, response))

    def sending(self) -> None:
        self.debug(
            "adding header: Action:Test",
            "adding header: Path:/content",
            "adding header: Handle:/content",
            "deserialize content for delivery",
            "No message body: Content ReplicationContent.VOID is empty",
        )
        self.info("Sending POST request to %s" % self.agent.transport_uri)

    def answered(self, answer: Answer, body_split: bool = False) -> Verdict:
        """The answer of the receiver, the wire dump and the closing line."""
        succeeded = answer.status == 200
        self.info(("sent. Response: %d %s" % (answer.status, answer.reason)).rstrip())
        level = "DEBUG" if succeeded else "ERROR"
        if not succeeded:
            self.error("Replication (TEST) of /content not successful. Conversation follows")
        self.dump(level, answer, body_split)
        return self.over(succeeded, "" if succeeded else "Replication (TEST) of /content not successful.")

    def dump(self, level: str, answer: Answer, body_split: bool = False) -> None:
        request = [
            "POST %s HTTP/1.0" % self.agent.path,  # AEM prints 1.0 whatever it speaks
            "Action: Test",
            "Path: /content",
            "Handle: /content",
            "Referer: about:blank",
            "Content-Length: 0",
            "Content-Type: application/octet-stream",
        ]
        status_line = ("%s %d %s" % (answer.version, answer.status, answer.reason)).rstrip()
        response = [status_line] + ["%s: %s" % header for header in answer.headers] + [""]
        body = answer.body.splitlines()
        if body_split and body:
            body = [body[0][:1], body[0][1:]] + body[1:]
        texts = [DASHES, "Sending message to %s:%d" % (self.agent.host, self.agent.port)]
        texts += [">> " + line for line in request]
        texts += ["--"]
        texts += [("<< " + line).rstrip() for line in response + body]
        texts += ["Message sent.", DASHES]
        for text in texts:
            self.write(level, text)

    def not_sent(self, message: str, kind: str = "") -> Verdict:
        """The receiver could not be asked at all. Only the verdict's line names the class of the exception (`kind`)."""
        self.error("Error while sending request: %s" % message)
        thrown = "%s: %s" % (kind, message) if kind else message
        return self.broken("com.day.cq.replication.ReplicationException: Error while sending request: %s" % thrown)

    def broken(self, exception: str) -> Verdict:
        self.error("Error while replicating: %s" % exception)
        return Verdict(False, exception)

    def over(self, succeeded: bool, message: str = "") -> Verdict:
        self.info("Replication (TEST) of /content %ssuccessful." % ("" if succeeded else "not "))
        return Verdict(succeeded, message)


# The pages


def test_page(agent: Agent, lines: Iterable[Line], verdict: Optional[Verdict], markup: Markup = PLAIN) -> str:
    """The page of a test; without a verdict it stops where the lines stop."""
    parts = [
        "<html><head><title>AEM Replication</title>",
        '<style type="text/css">code { font-family:lucida sans typewriter, courier new, monospace; }</style></head>',
        "<body><h1>Replication test to %s</h1><code>" % markup.escape(agent.transport_uri),
    ]
    parts += ["%s - %s%s" % (line.stamp, markup.escape(line.text), markup.line_end) for line in lines]
    if verdict is not None:
        word = "succeeded" if verdict.succeeded else "failed"
        parts.append("</code>%sReplication test <strong>%s</strong>%s" % (markup.rule, word, markup.line_end))
        if verdict.message:
            parts.append('<span class="error">%s</span>%s' % (markup.escape(verdict.message), markup.line_end))
        parts.append("</body></html>")
    return _join(parts, markup)


def log_page(agent: Agent, lines: Iterable[Line], markup: Markup = PLAIN) -> str:
    """The agent's log, the newest line last; it is kept at level INFO."""
    parts = ["<html><head><title>AEM Replication Log</title></head><body><code>"]
    parts += [
        "%s - %s - %s : %s%s" % (line.stamp, line.level, agent.name, markup.escape(line.text), markup.line_end)
        for line in lines
        if line.level != "DEBUG"
    ]
    parts.append("</code></body></html>")
    return _join(parts, markup)


def no_such_agent(name: str, markup: Markup = PLAIN) -> str:
    """What AEM answers for an agent it does not have, and for one that is not active."""
    return "no such agent: %s%s" % (markup.escape(name), markup.line_end)


def _join(parts: List[str], markup: Markup) -> str:
    if markup.upper:
        return "".join(_upper_tags(part) for part in parts)
    return "".join(parts)


def _upper_tags(text: str) -> str:
    """Tags in capitals; the text between them, escaped, holds no angle brackets."""
    pieces = text.split("<")
    return "<".join([pieces[0]] + [_upper_tag(piece) for piece in pieces[1:]])


def _upper_tag(piece: str) -> str:
    tag, bracket, rest = piece.partition(">")
    name, space, attributes = tag.partition(" ")
    return name.upper() + space + attributes + bracket + rest
