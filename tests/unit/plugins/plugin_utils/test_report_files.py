# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the files of a report could be written is known before anything is repaired."""

from __future__ import annotations

import pytest

from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import files


def options(folder='', metrics=''):
    return {'fix_bp_jwt_report_dir': str(folder), 'fix_bp_jwt_prometheus_file': str(metrics), 'fix_bp_jwt_report_keep_days': 7}


@pytest.mark.parametrize('folder', ['new', 'new/below', 'there'])
def test_a_folder_that_can_be_made_is_made(tmp_path, folder):
    (tmp_path / 'there').mkdir()
    files.check(options(tmp_path / folder, tmp_path / 'metrics' / 'a.prom'))
    assert (tmp_path / folder).is_dir() and list((tmp_path / folder).iterdir()) == []
    files.check(options())


@pytest.mark.parametrize('given', [
    lambda root: options(root / 'file'), lambda root: options(root / 'file' / 'below'), lambda root: options('/proc/nowhere'),
    lambda root: options(root / 'with-json'), lambda root: options(root / 'with-html'), lambda root: options(root / ('x' * 300)),
    lambda root: options('', root / 'with-json'), lambda root: options('', root / 'file' / 'a.prom'),
])
def test_what_could_not_be_written_is_found(tmp_path, given):
    (tmp_path / 'file').touch()
    (tmp_path / 'with-json' / 'brand-portal.json').mkdir(parents=True)
    (tmp_path / 'with-html' / 'brand-portal.html').mkdir(parents=True)
    with pytest.raises(OSError):
        files.check(given(tmp_path))


def test_two_runs_on_one_report_do_not_replace_it_at_the_same_time(tmp_path, monkeypatch):
    """Each reads the report of the run before, and adds its own hosts. A run that was stopped must not hold up the others."""
    waits = []
    monkeypatch.setattr(files.time, 'sleep', waits.append)
    given = options(tmp_path, tmp_path / 'a.prom')
    for alone in (files.alone(given), files.alone(options('', tmp_path / 'a.prom')), files.alone(options())):
        with alone:
            assert waits == []
    with files.alone(given), files.alone(given):
        assert len(waits) == files.LOCK_ATTEMPTS
    (tmp_path / 'other').mkdir()
    with files.alone(given), files.alone(options(tmp_path / 'other', tmp_path / 'other' / '..' / 'b.prom')):
        assert len(waits) == 2 * files.LOCK_ATTEMPTS  # both add their series to the metrics
    (tmp_path / 'other').rmdir()
    with files.alone(given), files.alone(options()), files.alone(options(tmp_path / 'not-there')):
        assert len(waits) == 2 * files.LOCK_ATTEMPTS and list(tmp_path.iterdir()) == []
