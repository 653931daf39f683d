# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which User-Mode Linux a lab machine runs."""

import pytest

from lab import uml
from lab.host import LabError


@pytest.fixture(autouse=True)
def _in_an_empty_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(uml, 'CACHE', tmp_path)
    uml.settings.cache_clear()
    yield
    uml.settings.cache_clear()


def test_a_newer_one_is_fetched_once(monkeypatch):
    fetched = []

    def fetch(work):
        fetched.append(work)
        (work / 'out').mkdir()
    monkeypatch.setattr(uml, '_fetch', fetch)
    [folder] = uml.settings().values()
    uml.settings.cache_clear()      # another process
    assert (uml.settings(), len(fetched)) == ({'LAB_KERNEL': folder}, 1)


def test_without_an_archive_it_is_this_machine_s_own_until_there_is_one(monkeypatch, capsys):
    def fail(work):
        raise LabError('apt-get update ended with 100:\nE: Failed to fetch http://archive.invalid/')
    monkeypatch.setattr(uml, '_fetch', fail)
    assert uml.settings() == uml.settings() == {}
    said = capsys.readouterr().err
    assert said.count('E: Failed to fetch http://archive.invalid/') == 1, 'once a process'
    uml.settings.cache_clear()
    monkeypatch.setattr(uml, '_fetch', lambda work: (work / 'out').mkdir())
    assert uml.settings()
