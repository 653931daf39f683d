# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a line in AEM's log to a run of the playbook, with the real ansible-rulebook.

Against the stand-ins on loopback, whose agents are answered 200 again by the time the playbook comes: each run measures,
finds the host healthy and ends. The parts of the event source are tested alone in tests/unit/extensions.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest
import yaml

from . import loopback, playbook
from .conftest import PASSWORD

RULEBOOK = 'aemops.brand_portal.heal'
HEAD = '24.11.2026 10:15:00.123 *ERROR* [sling-threadpool-4f-(apache-sling-job-thread-pool)-7]'
REFUSED = (f'{HEAD} com.day.cq.replication.Agent.mp_replication_agent0_default_acme Failed to get an access token for user: '
           'mac-acme-replication msg: failed to get access token from authorization server status: 400 response: '
           '{"error":"invalid_grant","error_description":"JWT has expired"}')
NOT_YET_VALID = (f'{HEAD} com.day.cq.replication.Agent.mp_replication_agent0_default_acme Error while replicating: '
                 'java.security.cert.CertificateNotYetValidException: NotBefore: Wed Mar 01 00:00:00 UTC 2017')
SECRET = 'S3cret-in-a-log-Zq81'


class Engine:
    """A running ansible-rulebook, and what it has printed so far."""

    def __init__(self, environment, folder, rulebook=RULEBOOK, collections=playbook.ROOT / 'collections'):
        self.output = ''
        # Unbuffered: the events that were received last would otherwise not be seen before others fill its buffer.
        variables = {**os.environ, 'PYTHONUNBUFFERED': '1', 'ANSIBLE_COLLECTIONS_PATH': str(collections), 'ANSIBLE_NOCOLOR': '1',
                     'AEM_USER': 'admin', 'AEM_PASSWORD': PASSWORD, 'PATH': f'{environment.bin}:{os.environ["PATH"]}'}
        self.process = subprocess.Popen(
            [environment.bin / 'ansible-rulebook', '--rulebook', str(rulebook), '--inventory', folder / 'inventory.yml',
             '--vars', folder / 'logs.yml', '--print-events'],
            cwd=folder, env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self.process.stdout:
            self.output += line

    @property
    def events(self):
        return self.output.count('[received event]')

    @property
    def runs(self):
        """The host of each run that has ended, and whether it found it healthy."""
        return [(host, 'healthy' in row) for host, row in re.findall(r'^ +"(author\d) +(.*)"$', self.output, re.MULTILINE)]

    def wait_until(self, condition, seconds=300):
        ends = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None and time.monotonic() < ends, self.output[-6000:]
            time.sleep(0.1)

    def end(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope='module')
def rulebook(core):
    environment = core('rulebook')
    if shutil.which('java') is None:
        pytest.skip('not run: ansible-rulebook needs Java 17 or newer: install default-jre-headless')
    return environment


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """An inventory of two authors, both of them the AEM on loopback, and a log of each."""
    folder = tmp_path_factory.mktemp('events')
    logs = {name: str(folder / f'{name}.log') for name in ('author1', 'author2')}
    for path in logs.values():
        append(path, REFUSED + '\n')  # written before; no run starts for it
    (folder / 'logs.yml').write_text(yaml.safe_dump({'replication_logs': logs}))
    with loopback.authors(folder, PASSWORD, {name: {} for name in logs}):
        yield folder


@pytest.fixture
def engine(rulebook, folder):
    engine = Engine(rulebook, folder)
    yield follow(engine, folder)
    engine.end()


def follow(engine, folder):
    """Wait until it follows both files: a file's end is where it stands when it is opened."""
    paths = {str(folder / f'{name}.log') for name in ('author1', 'author2')}
    descriptors = f'/proc/{engine.process.pid}/fd'

    def opened():
        found = set()
        for name in os.listdir(descriptors):
            try:
                found.add(os.readlink(f'{descriptors}/{name}'))
            except FileNotFoundError:
                continue
        return found
    engine.wait_until(lambda: paths <= opened())
    return engine


def append(path, text):
    with open(path, 'a', encoding='utf-8') as file:
        file.write(text)


def test_one_storm_starts_one_run_and_a_second_cause_another(engine, folder):
    log = folder / 'author1.log'
    for number in range(1, 1001):
        append(log, REFUSED[:70])
        # The number, as a stamp does, makes each line another: only so is a truncation seen behind which much was written.
        append(log, f'{REFUSED[70:]} Authorization: Bearer {SECRET} password={SECRET} {SECRET} {number}\n')
        if number in (300, 600):
            # What is cut off before it was looked at is lost.
            engine.wait_until(lambda number=number: engine.events == number)
        if number == 300:
            log.rename(folder / 'author1.log.1')
        if number == 600:
            shutil.copy(log, folder / 'author1.log.2')
            os.truncate(log, 0)
    engine.wait_until(lambda: engine.events == 1000)
    engine.wait_until(lambda: engine.runs)
    append(folder / 'author2.log', REFUSED + '\n')
    engine.wait_until(lambda: len(engine.runs) == 2)
    append(log, NOT_YET_VALID + '\n')
    engine.wait_until(lambda: len(engine.runs) == 3)
    seen = engine.events        # before the lines are written: the engine may be quicker than this test
    append(log, NOT_YET_VALID + '\n' + REFUSED + '\n')
    engine.wait_until(lambda: engine.events == seen + 2)
    time.sleep(2)
    assert engine.runs == [('author1', True), ('author2', True), ('author1', True)]
    assert engine.output.count('PLAY RECAP') == 3
    assert SECRET not in engine.output and PASSWORD not in engine.output
    assert 'access token' not in engine.output


def test_after_a_restart_old_lines_count_no_more_and_a_storm_that_goes_on_starts_another_run(rulebook, folder):
    """With the collection as it is installed, and a rulebook of one's own."""
    installed = folder / 'installed'
    subprocess.run([playbook.ROOT / 'tests/tools/install-collection', rulebook.bin / 'ansible-galaxy', installed], check=True)
    shipped = (playbook.ROOT / 'extensions/eda/rulebooks/heal.yml').read_text()
    assert 'once_within: 15 minutes' in shipped
    shortened = folder / 'shortened.yml'
    shortened.write_text(shipped.replace('once_within: 15 minutes', 'once_within: 3 seconds'))
    engine = Engine(rulebook, folder, shortened, installed)
    try:
        follow(engine, folder)
        time.sleep(2)
        assert engine.events == 0
        while len(engine.runs) < 2:
            seen = engine.events
            append(folder / 'author2.log', REFUSED + '\n')
            engine.wait_until(lambda seen=seen: engine.events > seen or len(engine.runs) >= 2)
        assert set(engine.runs) == {('author2', True)}
    finally:
        engine.end()
