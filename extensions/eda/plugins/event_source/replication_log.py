# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Follows AEM's log files and tells when an agent complains of something that a wrong clock causes."""

from __future__ import annotations

import asyncio
import errno
import io
import logging
import math
import os
import re
import stat
import sys
import typing as t
from pathlib import Path

DOCUMENTATION = r"""
short_description: Follow AEM's replication log for failures that a wrong clock causes.
description:
  - Follows files as they grow, through rotation by renaming or truncation, and waits for those that are not there yet.
  - Sends an event for each line of a Brand Portal agent (C(mp_replication_agent)) or of a provider of access tokens that shows
    one of the clock causes of the table in C(plugins/module_utils/_aem/causes.py).
  - Starts at the end of a file. What was logged before is not told, because an agent whose queue is blocked
    complains again with its next attempt.
  - Nothing of a line gets into the event but the name of the agent and the time, so that no secret in a log can.
options:
  logs:
    description:
      - The files to follow, by the name that the host has in the inventory. The playbook is limited to that host.
      - AEM's C(crx-quickstart/logs/replication.log) or C(error.log), as this machine sees it.
    type: dict
    required: true
  interval:
    description: Seconds between two looks at a file.
    type: float
    default: 1.0
"""

EXAMPLES = r"""
- aemops.brand_portal.replication_log:
    logs:
      aem-author-1.example.com: /var/log/remote/aem-author-1/replication.log
      aem-author-2.example.com: /var/log/remote/aem-author-2/replication.log
"""

LOG = logging.getLogger(__name__)
CHUNK = 1 << 20    # bytes read at a time, so that other tasks get their turn
LONGEST = 1 << 16  # bytes of a line that are looked at
MARK = 64          # bytes before our place that tell whether the file was truncated


def _table() -> t.Any:
    """The module with the table of causes. ansible-rulebook runs this file by its path: Python has not found the
    collection for us, and `ansible_collections` may already be the package of a large Ansible installation."""
    ours = Path(__file__).absolute().parents[4]  # .../aemops/brand_portal; in a checkout, its root
    folder = ours.parents[1]
    if folder.name != 'ansible_collections':
        folder = ours / 'collections' / 'ansible_collections'
    sys.path.insert(0, str(folder.parent))
    import ansible_collections
    if str(folder) not in ansible_collections.__path__:
        ansible_collections.__path__.append(str(folder))
    from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import causes
    return causes


CAUSES = _table()


class Follower:
    """The whole lines that are added to a file, whatever happens to it in between."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._partial = b''
        self._mark = b''
        self._complaint = ''
        self._all_is_old = True     # what a file has when it is opened next; not so of one that was not there before
        self._file = self._open()
        self._all_is_old = False

    def lines(self) -> t.Iterator[str]:
        """What was added since the last call. A line that is not finished yet waits for the next one.

        A file that can no longer be read, as of a server that was away, is opened again at its end.
        """
        try:
            yield from self._lines()
        except OSError as problem:
            self._complain(problem)
            if self._file is not None:
                self._file.close()
            self._file, self._all_is_old = None, True

    def _lines(self) -> t.Iterator[str]:
        if self._file is None:
            self._file = self._open()
            if self._file is None:
                return
            self._all_is_old = False
        # Asked before reading: all that was written before the file was replaced is then read to its end.
        replaced = self._replaced(self._file)
        yield from self._read(self._file)
        if replaced:
            if self._partial:
                yield self._text(self._partial)
            self._file.close()
            self._file = self._open()
            if self._file is not None:
                yield from self._read(self._file)

    def _open(self) -> io.FileIO | None:
        self._partial = self._mark = b''
        try:
            if not stat.S_ISREG(os.stat(self.path).st_mode):    # to open a pipe waits for its writer
                raise OSError(errno.EINVAL, 'it is no file')
            file = io.FileIO(self.path)
        except OSError as problem:
            self._complain(problem)
            return None
        self._complaint = ''
        if self._all_is_old:
            self._go_to_the_last_line(file)
        return file

    def _complain(self, problem: OSError) -> None:
        if str(problem) != self._complaint:
            LOG.warning('Cannot read %s: %s. Waiting for it. The user who runs ansible-rulebook needs to read this file '
                        'and its folder.', self.path, problem.strerror)
        self._complaint = str(problem)

    def _go_to_the_last_line(self, file: io.FileIO) -> None:
        """To the end, or to the start of the line that is just being written."""
        end = file.seek(0, os.SEEK_END)
        before = os.pread(file.fileno(), LONGEST, max(0, end - LONGEST))
        whole = before[:before.rfind(b'\n') + 1]
        file.seek(end - (len(before) - len(whole)))
        self._mark = whole[-MARK:]

    def _replaced(self, file: io.FileIO) -> bool:
        """Is there another file of that name by now? An empty one does not count: the writer may still use ours."""
        try:
            there = os.stat(self.path)
        except OSError:
            return False
        return not os.path.samestat(there, os.fstat(file.fileno())) and there.st_size > 0

    def _read(self, file: io.FileIO) -> t.Iterator[str]:
        while chunk := self._added(file):
            self._mark = (self._mark + chunk)[-MARK:]
            *whole, rest = (self._partial + chunk).split(b'\n')
            self._partial = rest[:LONGEST]
            for line in whole:
                yield self._text(line)

    def _added(self, file: io.FileIO) -> bytes:
        """What was added behind our place, or all of a file that no longer has what was before it, however long it is by now.

        Both are read in one call: a file that is truncated between two calls may have grown beyond our place by the second.
        """
        place = file.tell()
        found = os.pread(file.fileno(), len(self._mark) + CHUNK, place - len(self._mark))
        if found.startswith(self._mark):
            added = found[len(self._mark):]
        else:
            self._partial = self._mark = b''
            place, added = 0, os.pread(file.fileno(), CHUNK, 0)
        file.seek(place + len(added))
        return added

    @staticmethod
    def _text(line: bytes) -> str:
        return line[:LONGEST].decode('utf-8', 'replace').rstrip('\r')


class Reader:
    """Tells what the lines of one log mean. A line without a stamp belongs to the entry before it, as a stack trace does."""

    # 24.11.2026 10:15:00.123 *ERROR* [the thread [may be nested]] com.day.cq.replication.Agent.NAME.queue the message
    # The format of the stamp is an option of the logger, and the program that collects the logs, such as syslog, may have added
    # something before it.
    _ENTRY = re.compile(
        r'(.{0,300}?)\*(TRACE|DEBUG|INFO|WARN|ERROR)\*\s{1,4}'
        r'\[.{0,2000}?\]\s{1,4}([\w$-]{1,100}(?:\.[\w$-]{1,200}){1,30})\s{1,4}(.*)', re.DOTALL)
    _STAMP = re.compile(
        r'(?<!\w)(\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|[A-Z][a-z]{2,8}\.? \d{1,2}, \d{4}|\d{1,2}\.? [A-Za-z]{3,9}\.? \d{4}),?[ T]'
        r'(\d{1,2}:\d{2}:\d{2})')
    _AGENT = re.compile(r'com\.day\.cq\.replication\.Agent\.([\w-]{1,200})')
    # error.log is about everything: visitors' tokens, and certificates of other services, expire there every day. What is meant
    # is what the agents of Brand Portal log, and Adobe's own providers of access tokens.
    _CONCERNED = re.compile(
        r'com\.day\.cq\.replication\b(?!\.Agent\.(?!mp_replication_agent))'
        r'|com\.adobe\.granite\.auth\.(?:oauth|ims)\.(?:[\w$]{1,200}\.){0,20}(?:AccessTokenProvider|IMSAccessTokenRequestCustomizer)'
        r'|\S{1,200} (?s:.{0,2000})(?:[Ff]ailed to get (?:an )?access token (?:for user|from authorization server)'
        r'|\bmp_replication_agent)')
    # The name of an asset may be about a certificate or a token. It may have spaces.
    _PATH = re.compile(r'/content/[^:]*')
    _QUOTED = ('<<', '>>')  # what was sent and answered is not what the agent says

    def __init__(self) -> None:
        self._fails = True
        self._concerned = False
        self._agent = self._stamp = ''

    def read(self, line: str) -> dict[str, str] | None:
        """What a line shows, or None. A token or a certificate that expired counts only where it is about replication."""
        message = line
        entry = self._ENTRY.match(line)
        if entry:
            before, level, logger, message = entry.groups()
            agent = self._AGENT.match(logger)
            self._agent = agent.group(1) if agent else ''
            self._stamp = ' '.join((self._STAMP.findall(before) or [()])[-1])
            self._fails = level in ('WARN', 'ERROR')
            self._concerned = bool(self._CONCERNED.match(f'{logger} {self._PATH.sub("", message)}'))
        if not self._fails or message.startswith(self._QUOTED):
            return None
        cause = CAUSES.of_clock(self._PATH.sub('', message))
        if cause is None or not self._concerned:
            return None
        return {'cause': cause.id, 'clock_related': cause.clock_related, 'meaning': cause.meaning,
                'agent': self._agent, 'logged': self._stamp}


async def follow(queue: t.Any, host: str, path: str, interval: float) -> None:
    """Put an event into the queue for each telling line of a file, for ever."""
    follower, reader = Follower(path), Reader()
    while True:
        for line in follower.lines():
            found = reader.read(line)
            if found:
                await queue.put({'replication_log': {'host': host, 'path': path, **found}, 'meta': {'hosts': host}})
            await asyncio.sleep(0)
        await asyncio.sleep(interval)


def _settings(args: dict[str, t.Any]) -> tuple[dict[str, str], float]:
    logs, interval = args.get('logs'), args.get('interval', 1.0)
    if not isinstance(logs, dict) or not logs or not all(
            isinstance(path, str) and path and host for host, path in logs.items()):
        raise ValueError('logs must name the files to follow by inventory host, as {"author1": "/var/log/author1/replication.log"}')
    try:
        interval = float(interval)
    except (TypeError, ValueError):
        interval = 0
    if not 0 < interval < math.inf:
        raise ValueError(f'interval must be a number of seconds above 0, not {args["interval"]!r}')
    return {str(host): path for host, path in logs.items()}, interval


async def main(queue: t.Any, args: dict[str, t.Any]) -> None:
    """What ansible-rulebook calls, with the options of the source."""
    logs, interval = _settings(args)
    await asyncio.gather(*(follow(queue, host, path, interval) for host, path in logs.items()))
