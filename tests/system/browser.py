# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real browser without a window: Chromium, driven over the W3C WebDriver protocol by what Python brings.

    with Browser() as browser:
        browser.open(path_of_a_page)
        browser.run('return document.title')
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import typing as t
import urllib.error
import urllib.request
from pathlib import Path

from . import playbook

PACKAGES = ('chromium', 'chromium-driver')
# No sandbox: root may have none. No network of its own: nothing here is anybody's business.
FLAGS = ('--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
         '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--hide-scrollbars')
_ELEMENT = 'element-6066-11e4-a52e-4f735466cecf'  # WebDriver, section 11: how an element is named in JSON
_PATIENCE = 120  # seconds for one answer, on a machine that is busy with other things


class NoBrowser(Exception):
    """Why there is none; a reason to skip."""


class BrowserError(AssertionError):
    """What the browser complained of."""


class Browser:
    """One browser with one window and a profile of its own that is thrown away."""

    def __init__(self, width: int = 1280, height: int = 900) -> None:
        self._size = (width, height)
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Browser:
        subprocess.run([playbook.ROOT / 'tests/tools/packages', *PACKAGES], check=False)
        driver, chromium = shutil.which('chromedriver'), shutil.which('chromium')
        if not driver or not chromium:
            raise NoBrowser(f'needs the Debian packages {" and ".join(PACKAGES)}')
        with self._stack:
            profile = self._stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            self._base = f'http://127.0.0.1:{self._start(driver, profile)}'
            own = (f'--user-data-dir={profile}/chromium', '--window-size={},{}'.format(*self._size))
            options = {'binary': chromium, 'args': [*FLAGS, *own]}
            session = self._ask('POST', '/session', {'capabilities': {'alwaysMatch': {
                'browserName': 'chrome', 'goog:chromeOptions': options, 'goog:loggingPrefs': {'browser': 'ALL'}}}})
            self._base += '/session/' + session['sessionId']
            self._stack.callback(self._ask, 'DELETE', '')
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *unused: object) -> None:
        self._stack.close()

    def _start(self, driver: str, profile: str) -> int:
        """Chromedriver, at a port that it chooses and says."""
        environment = dict(os.environ, HOME=profile, no_proxy='*')
        process = self._stack.enter_context(subprocess.Popen(
            [driver, '--port=0'], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True))
        # With its whole session: the browser's many processes too.
        self._stack.callback(lambda: os.killpg(process.pid, signal.SIGTERM))
        assert process.stdout
        for line in process.stdout:
            found = re.search(r'started successfully on port (\d+)', line)
            if found:
                threading.Thread(target=process.stdout.read, daemon=True).start()
                return int(found.group(1))
        raise NoBrowser('chromedriver ended before it listened')

    def _ask(self, method: str, path: str, body: dict[str, t.Any] | None = None) -> t.Any:
        data = json.dumps(body or {}).encode() if method == 'POST' else None
        request = urllib.request.Request(self._base + path, data, {'Content-Type': 'application/json'}, method=method)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(request, timeout=_PATIENCE) as answer:
                return json.load(answer)['value']
        except urllib.error.HTTPError as error:
            raise BrowserError(error.read().decode(errors='replace')[:2000]) from error

    def open(self, path: Path) -> None:
        self._ask('POST', '/url', {'url': path.resolve().as_uri()})

    def run(self, script: str, *arguments: t.Any) -> t.Any:
        """What a script in the page returns."""
        return self._ask('POST', '/execute/sync', {'script': script, 'args': list(arguments)})

    def _element(self, selector: str) -> str:
        found = self._ask('POST', '/element', {'using': 'css selector', 'value': selector})
        return f'/element/{found[_ELEMENT]}'

    def click(self, selector: str) -> None:
        """As a person does: it fails where something lies above, or nothing is to be seen."""
        self._ask('POST', self._element(selector) + '/click')

    def type(self, selector: str, text: str) -> None:
        self._ask('POST', self._element(selector) + '/value', {'text': text})

    def press(self, *keys: str) -> None:
        """Keys, for the element that has the focus."""
        actions = [{'type': kind, 'value': key} for key in keys for kind in ('keyDown', 'keyUp')]
        self._ask('POST', '/actions', {'actions': [{'type': 'key', 'id': 'keys', 'actions': actions}]})

    def role(self, selector: str) -> tuple[str, str]:
        """The role and the name that a screen reader is told."""
        element = self._element(selector)
        return self._ask('GET', element + '/computedrole'), self._ask('GET', element + '/computedlabel')

    def resize(self, width: int, height: int) -> None:
        self.devtools('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=1, mobile=False)

    def prefer(self, scheme: str = 'light', media: str = '') -> None:
        """`light` or `dark`; `print` as media shows the page as on paper."""
        self.devtools('Emulation.setEmulatedMedia', media=media, features=[{'name': 'prefers-color-scheme', 'value': scheme}])

    def devtools(self, command: str, **parameters: t.Any) -> t.Any:
        return self._ask('POST', '/goog/cdp/execute', {'cmd': command, 'params': parameters})

    def seconds_of_work(self) -> float:
        """What the page has cost so far; of the processor after Performance.enable with the time domain threadTicks."""
        metrics = self.devtools('Performance.getMetrics')['metrics']
        return next(metric['value'] for metric in metrics if metric['name'] == 'TaskDuration')

    def complaints(self) -> list[str]:
        """What the console said since the last time: errors of scripts, and what the page's policy refused."""
        return [entry['message'] for entry in self._ask('POST', '/se/log', {'type': 'browser'})]

    def picture(self) -> bytes:
        return base64.b64decode(self._ask('GET', '/screenshot'))

    def paper(self) -> bytes:
        """The page as a PDF, in the size and with the margins it wants."""
        return base64.b64decode(self.devtools('Page.printToPDF', preferCSSPageSize=True, printBackground=False)['data'])
