# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parses the test page and the log page of an AEM replication agent. Pure.

A test page consists of C(<h1>Replication test to URI</h1><code>), lines C(DATE - MESSAGE<br>), and a trailer
C(<hr size="1">Replication test <strong>succeeded</strong><br>). A log page has C(DATE - LEVEL - AGENT : MESSAGE<br>).
Both quote the conversation with the remote side: C(>> ) before the request, C(--), and C(<< ) before the answer.

Two rules prevent quoted text from being mistaken for AEM's own:

* Lines are split at real tags before anything is unescaped: a quoted body is escaped, so it cannot end a line or create a
  trailer.
* Each line belongs to the agent, the request, the answer's headers or the answer's body. Causes are searched for only in the
  agent's own lines, the response code and the remote date only in the answer's headers.

The cost is linear in the size of the page: one pass of bounded patterns, none of which can match a character from two starting
points.
"""

import html
import re
from typing import Iterator, List, Match, NamedTuple, Optional, Pattern, Set, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import dates

# Kinds of lines
AGENT = 'agent'
REQUEST = 'request'
HEADER = 'header'
BODY = 'body'


class PageLine(NamedTuple):
    """A line, and the part of the conversation that it belongs to."""

    kind: str     # AGENT, REQUEST, HEADER or BODY
    stamp: str    # as written, in AEM's own zone; '' if there is none
    level: str    # the log page's level; '' on a test page
    message: str  # unescaped, without the mark of a quoted line
    text: str     # the whole line, unescaped


class Page(NamedTuple):
    """The parsed content of a page."""

    kind: str                     # 'test', 'log' or 'other' (no replication agent wrote this)
    transport_uri: str            # from the test page's heading
    lines: List[PageLine]             # of the last run on the page
    response_code: Optional[int]  # Brand Portal's answer, never AEM's own HTTP status
    response_reason: str
    remote_date: Optional[int]    # the Date of Brand Portal's answer, seconds since the epoch
    verdict: str                  # that of the agent: 'succeeded', 'failed', or '' on a page without one
    foreign: bool                 # whether the last answer is a web page, which the receiver never sends
    succeeded: bool               # whether the verdict is 'succeeded' and the answer was the receiver's 200


_TOO_MUCH = 200  # characters looked at in a tag or around a mark

_COMMENT = re.compile(r'<!--'), re.compile(r'-->')
_SCRIPT = re.compile(r'(?i)<script\b'), re.compile(r'(?i)</script\s{0,9}>')
_STYLE = re.compile(r'(?i)<style\b'), re.compile(r'(?i)</style\s{0,9}>')

_BREAK = re.compile(
    r'(?i)<\s{0,3}/?\s{0,3}(br|hr|h[1-6]|p|div|li|tr|td|pre|code|tt|table|ul|ol|body|html|head|title)'
    r'(?:\s[^<>]{0,300}|/)?\s{0,3}>'
)
_INLINE = re.compile(
    r'(?i)</?(?:strong|b|em|i|u|a|span|font|small|big|meta|link|img|input|form|center)(?:\s[^<>]{0,500}|/)?>'
)
_ENDS_THE_LOG = ('hr', 'h1', 'h2', 'h3', 'body', 'html', 'head')
_ESCAPED_MARKUP = re.compile(r'(?i)&(?:amp;)?lt;br\s{0,3}/?\s{0,3}&(?:amp;)?gt;')
_ENORMOUS_REFERENCE = re.compile(r'&(?=#[xX]?[0-9a-fA-F]{8})')
_NEWLINE = re.compile(r'\r\n|\r|\n')

_ZONE = r'(?:\s?(?:Z|(?:GMT|UTC)?[+-]\d{2}:?\d{2}|[A-Z]{3,5})(?=\s))?'
_STAMP = re.compile(
    r'(\d{2}[./-]\d{2}[./-]\d{4}|\d{4}[./-]\d{2}[./-]\d{2})[ T](\d{2}:\d{2}:\d{2})(?:[.,]\d{1,9})?' + _ZONE +
    r'\s{1,4}[-\u2013](?:\s{1,4}|$)'
)
# Java's formats of a date in other locales: "Nov 27, 2026, 9:00:00 AM - ", "27 nov. 2026 09:00:00 - ", and its Date.toString().
_OTHER_STAMP = re.compile(
    r'(?=.{0,27}(?<!\d)\d{4}(?!\d)|\d{1,2}[./-]\d{1,2}[./-]\d{2}[\s,])([^\W_][\w.,/\s-]{5,40}?)[\s,](?:上午|下午)?'
    r'(\d{1,2}[:.]\d{2}[:.]\d{2}(?:\s?[APap]\.?\s?[Mm]\.?)?)' + _ZONE + r'(?:\s\d{4})?'
    r'\s{1,4}[-\u2013](?:\s{1,4}|$)'
)
_LEVEL = re.compile(r'(TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL)\s{1,4}-\s{1,4}(\S{1,300})\s{1,4}:(?:\s|$)')

_REQUEST_LINE = re.compile(r'(?:GET|POST|PUT|HEAD|DELETE|OPTIONS|CONNECT) \S{1,4000} HTTP/\d')
_STATUS_LINE = re.compile(r'HTTP/\d(?:\.\d)?\s{1,4}(\d{3})(?!\d)\s{0,4}')
_FIELD = re.compile(r'[A-Za-z0-9!#$%&\'*+.^_`|~-]{1,100}:')
_DATE_FIELD = re.compile(r'(?i)date\s{0,4}:')
_OF_A_PROXY = re.compile(r'HTTP/\d(?:\.\d)?\s{1,4}(?:3\d\d|407|50[234]|511)(?!\d)')
_AGED = re.compile(r'(?i)age\s{0,4}:\s{0,4}0{0,9}[1-9]')
_WEB_PAGE = re.compile(r'[\s\ufeff]{0,99}<[A-Za-z!?]')
_END_OF_WIRE = re.compile(r'(?:Message sent\.|-{10,}\s{0,4}$)')
_SENT = re.compile(r'(?:Message )?sent\.\s{1,4}Response:\s{0,4}(\d{3})(?!\d)\s{0,4}')
_SERVER_RETURNED = re.compile(
    r'Server returned status code (\d{3})(?!\d)(?: with message: ([^.\r\n]{0,200}))?'
)
_END_OF_TEST = re.compile(r'Replication \(TEST\) of \S{0,4000} (not )?successful\.?$')
_END_OF_RUN = re.compile(r'Replication \([A-Za-z_ ]{1,40}\) of .{0,4000}? successful\.?$')

_COMPLETE = re.compile(r'(?i)</(?:code|body|html)\s{0,9}>\s*$')

_TITLE = re.compile(r'Replication test to\s{1,4}(.{0,2000})')
_VERDICT = re.compile(
    r'(?i)Replication\s{1,20}test\s{1,20}<(strong|b|em|i|span|font)(?:\s[^<>]{0,200})?>'
    r'\s{0,20}(succeeded|failed)\s{0,20}[.!]?\s{0,20}</\1\s{0,9}>'
)
_BEFORE_VERDICT = re.compile(
    r'(?i)(?:<hr(?:\s[^<>]{0,100}|/)?\s{0,3}>|</(?:code|pre)\s{0,3}>)(?:\s|<[^<>]{0,100}>)*$'
)
# A trailer in the words of another language.
_OTHER_TRAILER = re.compile(
    r'(?i)<hr(?:\s[^<>]{0,100}|/)?\s{0,3}>[^<>]{1,300}<strong>[^<>]{1,100}</strong>[^<>]{0,100}(?:<[^<>]{1,100}>[^<>]{0,400}){0,9}$')
_NO_SUCH_AGENT = re.compile(r'(?i)no such agent:')


def read(text: str) -> Page:
    """Read a page of either kind. Never raises; an unreadable page has kind 'other' and has not succeeded."""
    for opening, closing in (_COMMENT, _SCRIPT, _STYLE):
        text = _without(text, opening, closing)
    verdict = _verdict(text)
    if not _BREAK.search(text) and _ESCAPED_MARKUP.search(text):
        # The page was escaped as a whole, for example when it was saved: its trailer does not prove anything.
        text = _unescape(text, 1)
    lines = _classify(_texts(text))
    kind, title = _kind(lines, verdict)
    if kind == 'log':
        lines = _last_run(lines)
        # The missing part of the page may be about a later run: an old success proves nothing.
        verdict = _closing_word(lines) if _COMPLETE.search(text[-_TOO_MUCH:]) else ''
    else:
        lines = _last_test(lines)
        if not verdict and not title and _OTHER_TRAILER.search(text[-4000:]):
            # The log is in English in every language of AEM: "Replication (TEST) of /content successful."
            verdict = _closing_word([line for line in lines if line.stamp])
    code, reason, codes = _response(lines)
    foreign = bool(_WEB_PAGE.match(_last_body(lines)))
    return Page(
        kind=kind,
        transport_uri=title,
        lines=lines,
        response_code=code,
        response_reason=reason,
        remote_date=None if foreign else _remote_date(lines),
        verdict=verdict,
        foreign=foreign,
        succeeded=verdict == 'succeeded' and codes == {200} and not foreign,
    )


def _without(text: str, opening: Pattern[str], closing: Pattern[str]) -> str:
    """Remove the text between two patterns. An opening without a closing stays."""
    parts = []
    position = 0
    while True:
        start = opening.search(text, position)
        end = closing.search(text, start.end()) if start else None
        if not start or not end:
            parts.append(text[position:])
            return ''.join(parts)
        parts.append(text[position:start.start()])
        position = end.end()


def _verdict(text: str) -> str:
    """Return the verdict of the trailer. AEM writes it as markup after the last log line; quoted text has no markup."""
    found = list(_VERDICT.finditer(text))
    if not found:
        return ''
    last = found[-1]
    before = text[max(0, last.start() - _TOO_MUCH):last.start()]
    if not _BEFORE_VERDICT.search(before) or any(
            _stamped(line.strip()) for line, _tag in _segments(text[last.end():])):
        return ''
    words = {match.group(2).lower() for match in found}
    return 'failed' if 'failed' in words else 'succeeded'


def _segments(text: str) -> Iterator[Tuple[str, str]]:
    """Split the page at tags that end a line: (raw text, name of the tag)."""
    position = 0
    for tag in _BREAK.finditer(text):
        yield text[position:tag.start()], tag.group(1).lower()
        position = tag.end()
    yield text[position:], ''


def _texts(text: str) -> Iterator[Tuple[str, bool]]:
    """Yield the lines as a browser shows them: (unescaped text, whether the log ends after it)."""
    has_breaks = _BREAK.search(text) is not None
    for segment, tag in _segments(text):
        segment = segment.strip()
        if segment:
            for line in _physical_lines(segment, joined=has_breaks):
                line = _INLINE.sub('', line) if '<' in line else line
                line = _unescape(line).replace('\xa0', ' ').strip() if '&' in line or '\xa0' in line else line.strip()
                if line:
                    yield line, False
        if tag in _ENDS_THE_LOG:
            yield '', True


def _physical_lines(segment: str, joined: bool) -> List[str]:
    """Split at newlines that a stamp follows, or at all of them on a page without tags. Others count as spaces."""
    pieces = _NEWLINE.split(segment)
    if len(pieces) == 1 or not joined:
        return pieces
    lines: List[List[str]] = []
    for piece in pieces:
        if lines and not _stamped(piece.lstrip()):
            lines[-1].append(piece.strip())
        else:
            lines.append([piece])
    return [' '.join(line) for line in lines]


def _unescape(text: str, times: int = 3) -> str:
    """Convert HTML entities to characters until nothing changes: some pages are escaped twice."""
    for _again in range(times):
        # Python refuses a character reference of thousands of digits, or takes very long.
        plain = html.unescape(_ENORMOUS_REFERENCE.sub('&amp;', text))
        if plain == text:
            break
        text = plain
    return text


def _classify(texts: Iterator[Tuple[str, bool]]) -> List[PageLine]:
    """Distinguish the agent's own lines from the quoted conversation, with or without the marks >> and <<."""
    lines = []
    state = AGENT       # which part of a conversation the next wire line belongs to
    unmarked = False    # this conversation has lost its marks
    expecting = False   # the request is over: an answer's status line may follow
    for text, log_ends in texts:
        if log_ends:
            state, unmarked, expecting = AGENT, False, False
            continue
        stamp = level = ''
        message = text
        stamped = _stamped(text)
        if stamped:
            stamp = ' '.join(stamped.groups())
            message = text[stamped.end():].strip()
            leveled = _LEVEL.match(message)
            if leveled:
                level = leveled.group(1)
                message = message[leveled.end():].strip()
        kind = AGENT
        if message.startswith('>>'):
            message = message[2:].strip()
            kind, state, unmarked, expecting = REQUEST, REQUEST, False, True
        elif message.startswith('<<'):
            message = message[2:].strip()
            unmarked = False
            kind, state, expecting = _answer(message, state, expecting)
        elif message == '--' and state != BODY:
            kind, expecting = REQUEST, True
        elif _END_OF_WIRE.match(message):
            state, unmarked, expecting = AGENT, False, False
        elif unmarked and state == BODY:
            kind = BODY
        elif _STATUS_LINE.match(message):
            unmarked = True
            kind, state, expecting = _answer(message, state, expecting)
        elif _REQUEST_LINE.match(message):
            kind, state, unmarked, expecting = REQUEST, REQUEST, True, True
        elif unmarked and _FIELD.match(message):
            kind = state
        elif unmarked and not message:
            kind, state, expecting = _answer(message, state, expecting)
        elif unmarked:
            state, unmarked = AGENT, False
        lines.append(PageLine(kind, stamp, level, message, text))
    return lines


def _answer(message: str, state: str, expecting: bool) -> Tuple[str, str, bool]:
    """Classify a line of an answer: (its kind, the state after it, whether a status line must follow)."""
    status = _STATUS_LINE.match(message)
    if status and state != BODY:
        # After 100 Continue, other headers follow.
        return HEADER, HEADER, status.group(1).startswith('1')
    if state == HEADER and not message:
        return HEADER, (REQUEST if expecting else BODY), expecting
    if state == BODY:
        return BODY, BODY, False
    if _FIELD.match(message):
        return HEADER, HEADER, False
    return BODY, BODY, False


def _stamped(text: str) -> Optional[Match[str]]:
    return _STAMP.match(text) or _OTHER_STAMP.match(text)


def _kind(lines: List[PageLine], verdict: str) -> Tuple[str, str]:
    title = next((match.group(1).strip() for match in (
        _TITLE.match(line.message) for line in lines[:50] if not line.stamp) if match), None)
    if title is not None or verdict:
        return 'test', title or ''
    if any(_NO_SUCH_AGENT.match(line.message) for line in lines if not line.stamp and line.kind == AGENT):
        return 'test', ''
    stamped = [line for line in lines if line.stamp]
    if not stamped:
        return 'other', ''
    return ('log' if 2 * sum(1 for line in stamped if line.level) > len(stamped) else 'test'), ''


def _last_run(lines: List[PageLine]) -> List[PageLine]:
    """Return the last run on a log page, which has many runs. Only the last one shows the current state."""
    runs: List[List[PageLine]] = [[]]
    for line in lines:
        runs[-1].append(line)
        if line.kind == AGENT and _END_OF_RUN.match(line.message):
            runs.append([])
    for run in reversed(runs):
        if any(_SENT.match(line.message) or line.level == 'ERROR' for line in run if line.kind == AGENT):
            return run
    return runs[-1] or (runs[-2] if len(runs) > 1 else [])


def _last_test(lines: List[PageLine]) -> List[PageLine]:
    """Return the last run on a test page, which may repeat the log of earlier ones, and what follows it."""
    start = begin = 0
    for number, line in enumerate(lines):
        if line.kind == AGENT and line.stamp and _END_OF_RUN.match(line.message):
            if number > begin:
                start = begin
            begin = number + 1
    return lines[start:]


def _closing_word(lines: List[PageLine]) -> str:
    """Return the verdict of a log page, which has no trailer: the agent's last line of the last run, if that was a test."""
    closing = lines[-1] if lines else None
    match = _END_OF_TEST.match(closing.message) if closing and closing.kind == AGENT and closing.stamp else None
    return ('failed' if match.group(1) else 'succeeded') if match else ''


def _response(lines: List[PageLine]) -> Tuple[Optional[int], str, Set[int]]:
    """Return code and reason of Brand Portal's last answer, and its codes from all places, which should agree."""
    told = None     # the agent's summary: sent. Response: 401 Unauthorized
    dumped = None   # the status line of the conversation
    returned = None
    for line in lines:
        if line.kind == AGENT:
            match = _SENT.match(line.message)
            if match:
                told = int(match.group(1)), line.message[match.end():].strip()
                dumped = None
            match = _SERVER_RETURNED.search(line.message[:20000])
            if match:
                returned = int(match.group(1)), (match.group(2) or '').strip()
        elif line.kind == HEADER:
            match = _STATUS_LINE.match(line.message)
            if match and not match.group(1).startswith('1'):
                dumped = int(match.group(1)), line.message[match.end():].strip()
    last = told or dumped or returned
    codes = {answer[0] for answer in (told, dumped, returned) if answer}
    return (last[0], last[1][:_TOO_MUCH], codes) if last else (None, '', codes)


def _remote_date(lines: List[PageLine]) -> Optional[int]:
    """Return the Date of the last answer, if it shows Brand Portal's clock.

    It may be that of a proxy, which answers CONNECT or with one of its codes, or of a cache (Age), or there are two.
    """
    head: List[str] = []
    tunnel = False
    for line in lines:
        if line.kind == REQUEST and _REQUEST_LINE.match(line.message):
            head, tunnel = [], line.message.startswith('CONNECT ')
        elif line.kind == HEADER:
            if _STATUS_LINE.match(line.message):
                head = []
            head.append(line.message)
    if tunnel or any(_OF_A_PROXY.match(field) or _AGED.match(field) for field in head):
        return None
    found = {dates.http_date(field.partition(':')[2][:_TOO_MUCH]) for field in head if _DATE_FIELD.match(field)}
    return found.pop() if len(found) == 1 else None


def _last_body(lines: List[PageLine]) -> str:
    """Return the start of the body of the last answer. AEM may quote it in several lines, of which the first has one letter."""
    body = ''
    for line in lines:
        if line.kind == HEADER and _STATUS_LINE.match(line.message):
            body = ''
        elif line.kind == BODY and len(body) < _TOO_MUCH:
            body += line.message[:_TOO_MUCH]
    return body
