# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the benches say goes into the page that quotes them, and nowhere else; and what a run costs is all counted."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MEASURED = re.compile(r'<!-- measured: (.*?) -->\n(.*?)<!-- end of \1 -->', re.DOTALL)


@pytest.fixture(scope='module')
def bench():
    """Gives a module of tests/bench."""
    before = list(sys.path)
    sys.path.insert(0, str(ROOT / 'tests/bench'))
    yield importlib.import_module
    sys.path[:] = before


PAGE = '''\
# Page
<!-- measured: one -->
old
<!-- end of one -->
between
<!-- measured: two -->
<!-- end of two -->
end
'''


def test_a_part_of_a_page_is_written_and_the_rest_left_alone(bench, tmp_path):
    harness = bench('harness')
    page = tmp_path / 'page.md'
    page.write_text(PAGE)
    with harness.part('two', page):
        harness.say('a table')
        harness.say('another')
    assert page.read_text() == PAGE.replace('two -->\n<', 'two -->\na table\nanother\n\n<')
    with harness.part('one', page):
        harness.say('new')
    assert 'old' not in page.read_text()
    assert page.read_text().count('a table') == 1


def test_a_bench_that_breaks_writes_nothing(bench, tmp_path):
    harness = bench('harness')
    page = tmp_path / 'page.md'
    page.write_text(PAGE)
    with pytest.raises(RuntimeError), harness.part('one', page):
        harness.say('half a table')
        raise RuntimeError
    assert page.read_text() == PAGE


def test_a_page_without_the_part_is_told_before_anything_is_measured(bench, tmp_path):
    harness = bench('harness')
    page = tmp_path / 'page.md'
    page.write_text(PAGE.replace('measured: two', 'measured: three'))
    with pytest.raises(SystemExit, match='has no part'), harness.part('two', page):
        pytest.fail('measured in vain')


@pytest.mark.parametrize('name', ['measuring.md', 'scale.md'])
def test_every_part_of_a_page_has_been_measured(name):
    parts = MEASURED.findall((ROOT / 'docs' / name).read_text(encoding='utf-8'))
    assert parts
    for part, text in parts:
        assert re.search(r'^`python3 tests/bench/\w+\.py[^`]*` on \d{4}-\d\d-\d\d', text, re.MULTILINE), part
        assert '| --- |' in text, part


LEAVES_A_CHILD = '''
import pathlib, subprocess, sys, time
child = "import pathlib, sys, time\\nwhile time.process_time() < 0.4: pass\\npathlib.Path(sys.argv[1]).touch()\\ntime.sleep(600)"
subprocess.Popen([sys.executable, "-c", child, sys.argv[1]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.3)
'''


def test_the_time_of_children_that_outlive_a_command_is_counted(bench, tmp_path):
    """And they end with it."""
    cost = bench('resource_usage').run([sys.executable, '-c', LEAVES_A_CHILD, str(tmp_path / 'worked')])
    assert cost.returncode == 0, cost.output
    assert cost.cpu >= 0.4
    assert 0.4 < cost.wall < 300
    assert cost.peak > cost.main_peak > 1000


def test_the_tasks_of_a_log(bench):
    scale = bench('scale')
    log = '\n'.join(f'2026-11-25 16:00:{stamp} p=1 u=root n=ansible INFO| {line}' for stamp, line in (
        ('00,000', 'PLAY [Heal] ******'), ('00,100', 'TASK [Ask] *****'), ('01,000', 'ok: [a]'),
        ('02,600', 'TASK [Report] *****'), ('02,700', 'PLAY RECAP *****')))
    assert scale.tasks_of(log) == pytest.approx({'Ask': 2.5, 'Report': 0.1})
