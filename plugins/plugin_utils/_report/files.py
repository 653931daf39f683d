# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks, writes and reads the files of the report on the controller."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import tempfile
import time
import typing as t
from pathlib import Path

from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _drift as drift
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import document as report_document
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import metrics, page

Options = t.Mapping[str, t.Any]
LOCK_ATTEMPTS = 300  # ten a second


def check(options: Options) -> None:
    """Raise OSError if a file could not be written."""
    for folder in filter(None, (options['fix_bp_jwt_report_dir'], os.path.dirname(options['fix_bp_jwt_prometheus_file']))):
        os.makedirs(folder, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    written = [_path(options), _page(options)] if options['fix_bp_jwt_report_dir'] else []
    for path in [*written, options['fix_bp_jwt_prometheus_file']]:
        if os.path.isdir(path):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)


def write(options: Options, document: dict[str, t.Any]) -> None:
    """Write the page and the JSON, and at the end of a run also the metrics."""
    folder, file = options['fix_bp_jwt_report_dir'], options['fix_bp_jwt_prometheus_file']
    if folder:
        _replace(_path(options), json.dumps(document, indent=1, ensure_ascii=False) + '\n')
        _replace(_page(options), page.page(document))
    if file and document['complete']:
        _replace(file, metrics.metrics(document, _read(file), options['fix_bp_jwt_report_keep_days']))


@contextlib.contextmanager
def alone(options: Options) -> t.Iterator[None]:
    """Let no other run on this controller read and replace the files: it would lose the hosts of this one."""
    report, file = options['fix_bp_jwt_report_dir'], options['fix_bp_jwt_prometheus_file']
    folders = {os.path.realpath(folder) for folder in (report, file and (os.path.dirname(file) or '.')) if folder}
    with contextlib.ExitStack() as stack:
        for folder in sorted(folders):  # in the same order in each run, or two could wait for each other
            with contextlib.suppress(OSError):  # it cannot be locked, as on some network file systems
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
                stack.callback(os.close, descriptor)
                _lock(descriptor)
        yield


def _lock(descriptor: int) -> None:
    """Wait for the lock, which a run holds for less than a second, but not forever: a run may be stopped while it holds it."""
    for _attempt in range(LOCK_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(0.1)


def former(options: Options) -> t.Any:
    """Return the document of an earlier run; None if there is none, or it cannot be read."""
    if not options['fix_bp_jwt_report_dir']:
        return None
    try:
        return json.loads(_read(_path(options)) or 'null')
    except (ValueError, RecursionError):
        return None


def without_damaged(rows: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Return the rows of an earlier report that can be written again. Its file may have any content."""
    try:
        document = report_document.document(rows, drift.with_history(rows, None, 1.0))
        json.dumps(document, allow_nan=False, ensure_ascii=False).encode()
        page.page(document)
        metrics.metrics(document)
    except Exception:  # pylint: disable=broad-except  # one row must not prevent the report of the others
        half = len(rows) // 2
        return without_damaged(rows[:half]) + without_damaged(rows[half:]) if half else []
    return rows


def _path(options: Options) -> str:
    return os.path.join(options['fix_bp_jwt_report_dir'], 'brand-portal.json')


def _page(options: Options) -> str:
    return os.path.join(options['fix_bp_jwt_report_dir'], 'brand-portal.html')


def _read(path: str) -> str:
    """Return the text of a file of an earlier run; '' if there is none, or it cannot be read."""
    try:
        return Path(path).read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError):
        return ''


def _replace(path: str, text: str) -> None:
    """Replace a file atomically, so that readers see the old or the new content."""
    with tempfile.NamedTemporaryFile('w', encoding='utf-8', dir=os.path.dirname(path) or '.', delete=False) as file:
        try:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)
            file.close()
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
