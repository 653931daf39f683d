# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report's page in a real browser: seen, sorted, filtered, by mouse and by keys, in light and dark, on paper."""

from __future__ import annotations

import re
import runpy

import pytest

from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import page as report_page

from . import playbook
from .browser import Browser, NoBrowser

sample = runpy.run_path(str(playbook.ROOT / 'tests/tools/sample_report.py'))['document']
HOSTS = """return [...document.querySelectorAll('#hosts > tbody')].filter(host => host.getClientRects().length)
           .map(host => host.rows[0].cells[0].dataset.key)"""
# Words whose contrast with what lies behind them is below WCAG's 4.5 (AA).
FAINT = r"""
const canvas = Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d', {willReadFrequently: true});
const known = {};
function rgb(color) {
  if (!known[color]) {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    known[color] = [...canvas.getImageData(0, 0, 1, 1).data];
  }
  return known[color];
}
function light([r, g, b]) {
  const linear = [r, g, b].map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  return .2126 * linear[0] + .7152 * linear[1] + .0722 * linear[2];
}
function behind(element) {
  for (; element; element = element.parentElement) {
    const ground = rgb(getComputedStyle(element).backgroundColor);
    if (ground[3]) return ground;
  }
  return [255, 255, 255];
}
const faint = [];
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let count = 0;
while (walk.nextNode()) {
  const element = walk.currentNode.parentElement;
  if (!walk.currentNode.data.trim() || !element.getClientRects().length || element.closest('script, style, .unseen')) continue;
  const style = getComputedStyle(element);
  const [a, b] = [rgb(element.closest('svg') ? style.fill : style.color), behind(element)].map(light).sort((x, y) => y - x);
  count += 1;
  if ((a + .05) / (b + .05) < 4.5) faint.push([walk.currentNode.data, ((a + .05) / (b + .05)).toFixed(2)]);
}
return [count, faint.slice(0, 5)];
"""


@pytest.fixture(scope='module')
def chromium():
    try:
        with Browser() as browser:
            yield browser
    except NoBrowser as reason:
        pytest.skip(f'not run: {reason}')


@pytest.fixture()
def show(chromium, tmp_path):
    """Opens a report's page; afterwards there must be no complaint, neither scripts nor the page's policy."""
    def open_page(report):
        path = tmp_path / 'report.html'
        path.write_text(report_page.page(report), encoding='utf-8')
        chromium.open(path)
        return chromium

    chromium.resize(1280, 900)
    chromium.prefer('light')
    yield open_page
    assert chromium.complaints() == []


def head(column):
    return f'#hosts > thead th.{column} button'


def sort_of(browser, column):
    return browser.run(f"return document.querySelector('#hosts > thead th.{column}').getAttribute('aria-sort')")


def test_the_browser_shows_what_a_policy_refuses(chromium, tmp_path):
    """Or the silence of the other tests would prove nothing."""
    text = report_page.page(sample(1, 0)).replace('</main>', '<img src="data:,"><script>document.title = "bad"</script></main>')
    (tmp_path / 'page.html').write_text(text, encoding='utf-8')
    chromium.open(tmp_path / 'page.html')
    assert len([line for line in chromium.complaints() if 'Content Security Policy' in line]) == 2
    assert chromium.run('return document.title') == 'The only host is healthy'


def test_markup_in_a_name_and_in_evidence_does_nothing(show):
    report = sample(3, 3)
    for host in report['hosts']:
        host.update(host='<script>document.title = "bad"</script>',
                    evidence='</script></style><svg onload="document.title=\'bad\'">')
    browser = show(report)
    assert browser.run(HOSTS) == ['<script>document.title = "bad"</script>'] * 3
    assert browser.run('return document.title').startswith('2 of 3 hosts need you')


def test_hosts_are_sorted_by_a_click_and_the_other_way_by_the_next(show):
    browser = show(sample(50, 5))
    first = browser.run(HOSTS)
    assert sort_of(browser, 'state') == 'ascending'
    browser.click(head('host'))
    names = browser.run(HOSTS)
    assert names == sorted(first) and names != first
    assert (sort_of(browser, 'host'), sort_of(browser, 'state')) == ('ascending', None)
    browser.click(head('host'))
    assert browser.run(HOSTS) == names[::-1] and sort_of(browser, 'host') == 'descending'
    browser.click(head('state'))
    assert browser.run(HOSTS) == first


def test_clocks_are_sorted_by_the_size_of_their_skew_and_unknown_ones_stay_last(show):
    report = sample(50, 5)
    offsets = {host['host']: abs(host['clock_before']['offset']) for host in report['hosts'] if host['clock_before']}
    browser = show(report)
    for wrong_way in (False, True):
        browser.click(head('clock'))
        names = browser.run(HOSTS)
        assert names[:-1] == sorted(offsets, key=offsets.__getitem__, reverse=wrong_way)
        assert names[-1] not in offsets


def test_a_word_leaves_the_hosts_it_is_said_of(show):
    browser = show(sample(50, 5))
    shown = "return document.getElementById('shown').textContent"
    assert browser.run(shown) == '50 hosts'
    browser.type('#filter', 'NO_VALID_bindings eu')
    matching = browser.run(HOSTS)
    browser.type('#filter', ' nowhere')
    assert browser.run(HOSTS) == [] and browser.run(shown) == '0 of 50 hosts'
    assert browser.run("return document.getElementById('nothing').offsetHeight") > 0
    browser.click('#clear')
    assert len(browser.run(HOSTS)) == 50 and len(matching) <= 1


def test_a_chip_leaves_the_hosts_it_counts(show):
    browser = show(sample(50, 5))
    for chip in browser.run("return [...document.querySelectorAll('.chip')].map(chip => ({...chip.dataset}))"):
        [(kind, value)] = chip.items()
        selector = f'.chip[data-{kind}="{value}"] button'
        count = int(browser.run(f"return document.querySelector('{selector} b').textContent"))
        browser.click(selector)
        assert len(browser.run(HOSTS)) == count > 0
        assert browser.run("return document.querySelectorAll('.chip [aria-pressed=true]').length") == 1
        browser.click(selector)
        assert len(browser.run(HOSTS)) == 50


def test_all_of_it_can_be_done_with_keys_and_is_named_for_those_who_listen(show):
    browser = show(sample(3, 3))
    assert browser.role('#filter') == ('searchbox', 'Filter')
    assert browser.role(head('host')) == ('button', 'Host') and browser.role('#hosts > thead th.host')[0] == 'columnheader'
    assert browser.role('#hosts tbody th')[0] == 'rowheader'
    tab, enter, space = '\ue004', '\ue007', ' '
    chips = browser.run("return document.querySelectorAll('.chip').length")
    browser.press(*[tab] * (chips + 3), tab, enter)  # the filter, two buttons, the first column
    assert sort_of(browser, 'host') == 'ascending'
    browser.press(*[tab] * 5, space)
    assert browser.run('return document.activeElement.localName + document.querySelectorAll("details[open]").length') == 'summary1'


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_every_word_can_be_read(show, scheme):
    browser = show(dict(sample(10, 5), stopped='The canary failed.'))
    browser.prefer(scheme)
    browser.click('#open')
    ground = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, re.findall(r'\d+', ground))) < 60) == (scheme == 'dark')
    count, faint = browser.run(FAINT)
    assert count > 100 and faint == []


@pytest.mark.parametrize('width', [360, 700, 1024, 1600])
def test_no_window_is_too_narrow(show, width):
    browser = show(sample(10, 5))
    browser.resize(width, 800)
    browser.click('#open')
    assert browser.run('return document.documentElement.scrollWidth') <= width


def test_on_paper_it_is_light_and_shows_the_evidence_of_who_needs_someone(show):
    browser = show(sample(10, 5))
    browser.prefer('dark', 'print')
    assert browser.run("return getComputedStyle(document.body).backgroundColor") == 'rgb(255, 255, 255)'
    assert browser.run("return document.getElementById('tools').getClientRects().length") == 0
    browser.run("""addEventListener('beforeprint', () => {
        window.opened = [...document.querySelectorAll('[open]')].map(details => details.closest('tbody').className) })""")
    browser.prefer()
    assert browser.paper().startswith(b'%PDF')
    assert browser.run('return window.opened') == ['needs'] * 3
    assert browser.run("return document.querySelectorAll('[open]').length") == 0


def test_a_thousand_hosts_open_at_once_and_the_sick_ones_are_seen(show):
    """Seconds of a processor, not of a clock: what else runs on this machine is not the page's doing."""
    report = sample(1000, 100)
    sick = {host['host'] for host in report['hosts'] if not host['passed']}
    browser = show(sample(0, 0))
    browser.devtools('Performance.enable', timeDomain='threadTicks')
    browser = show(report)
    assert set(browser.run(HOSTS)[:len(sick)]) == sick
    opened = browser.seconds_of_work()
    browser.click(head('clock'))
    browser.type('#filter', 'jwt_expired')
    assert len(browser.run(HOSTS)) == 20
    worked = browser.seconds_of_work()
    browser.devtools('Performance.disable')
    assert 0.01 < opened < 2 and worked - opened < 3, (opened, worked)


def test_without_its_script_it_is_complete(show):
    report = sample(50, 5)
    browser = show(report)
    with_script = browser.run(HOSTS)
    browser.devtools('Emulation.setScriptExecutionDisabled', value=True)
    try:
        browser = show(report)
        text = browser.run('return document.body.innerText')
        assert browser.run(HOSTS) == with_script and 'Show all' not in text
        assert browser.run("return document.querySelectorAll('th button').length") == 0
    finally:
        browser.devtools('Emulation.setScriptExecutionDisabled', value=False)


def test_an_empty_report_says_so(show):
    assert 'No host was in this run' in show(sample(0, 0)).run('return document.body.innerText')
