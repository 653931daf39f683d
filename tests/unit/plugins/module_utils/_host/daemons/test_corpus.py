# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each configuration of tests/corpus: how it is read, who is measured, what counts as configured, and what is written."""

import re

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import discovery, servers, texts
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.config import Overlay
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.wanted import Refused, Server, wanted
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._host.daemons.corpus import cases

CASES = cases()


def test_the_corpus_is_there():
    assert len(CASES) >= 60
    assert len({case.title for case in CASES}) == len(CASES)


def server(text):
    found = re.match(r'\[(.+)\]:([0-9]+)$', text) or re.match(r'([^:]+):([0-9]+)$', text)
    return Server(found.group(1), int(found.group(2))) if found else Server(text)


def daemon_of(case, host):
    """The daemon of the case's last unit, which is the one that runs."""
    unit = case.words('host')[-1].split(':')[0] + '.service'
    facts = [each for each in discovery.find_daemons(host) if each['unit'] == unit and each['installed']]
    return discovery.make(host, facts[0])


@pytest.mark.parametrize('case', CASES, ids=[case.title for case in CASES])
def test_references(tmp_path, case):
    words = servers.effective_ntp_servers(case.host(tmp_path))
    assert [str(word) for word in words if not word.reason] == case.words('references')
    refused = [str(word) for word in words if word.reason]
    assert refused == [word for word in case.keys.get('refuses', '').split(', ') if word]
    for word in words:
        if word.reason:
            assert re.search(r'\(/\S+ line [0-9]+\)$', word.reason), word.reason


@pytest.mark.parametrize('case', CASES, ids=[case.title for case in CASES])
def test_configured_already(tmp_path, case):
    daemon = daemon_of(case, case.host(tmp_path))
    for text in case.words('asks'):
        assert daemon.asks_after_boot(server(text)), text
    for text in case.words('not'):
        assert not daemon.asks_after_boot(server(text)), text


WRITTEN = [case for case in CASES if {'into', 'nothing', 'refused', 'without'} & set(case.keys)]


@pytest.mark.parametrize('case', WRITTEN, ids=[case.title for case in WRITTEN])
def test_what_is_written(tmp_path, case):
    host = case.host(tmp_path)
    daemon, want = daemon_of(case, host), wanted(case.options)
    if 'refused' in case.keys:
        with pytest.raises(Refused) as refused:
            daemon.check_against(want)
            daemon.files(want)
        assert re.search(case.keys['refused'], str(refused.value)), str(refused.value)
        return
    daemon.check_against(want)
    after = {}
    for file in daemon.files(want):
        before = host.text(file.path)
        text = texts.current(file, before)
        if text != before and not (before is None and not text):
            after[file.path] = text
            assert not file.block or text.startswith(before), 'the rest of a file stays as it is'
    if 'nothing' in case.keys:
        assert after == {}
        return
    path, *lines = case.keys['into'].split(' | ')
    assert path in after, sorted(after)
    ours = after[path][len(host.text(path) or ''):].splitlines()
    for line in lines:
        assert line in ours, ours
    if 'without' in case.keys:
        assert case.keys['without'] not in '\n'.join(ours)
    assert not [path for path in after if not path.startswith(('/etc/', '/usr/local/'))], 'an administrator writes below /etc'
    # Read again, it is what was wanted, and a second run changes nothing.
    later = Overlay(host, after)
    again = discovery.make(later, daemon.facts)
    asked = {source.host for source in again.sources() if source.asked and source.line.lasting}
    assert {each.host for each in want.all_servers} <= asked
    assert all(texts.current(file, later.read(file.path) or None) in (later.read(file.path), None) for file in again.files(want))
