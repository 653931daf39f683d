# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report's page, read as a browser reads it; tests/system/test_report_browser.py opens it in a real one."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _verdict as verdict
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import page as report_page
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import page_hosts
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report.picture import WIDTH, Axis
from ansible_collections.aemops.brand_portal.tests.tools import sample_report

sample = sample_report.document
MARKUP = '</script><script>alert(1)</script>"\'><img src=x onerror=alert(1)>&amp;<!--'


MIDDLE = WIDTH / 2


class Page(HTMLParser):
    """Every element with its attributes, and the text of the page, scripts and styles apart."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text = ''
        self.inline: dict[str, str] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        names = [name for name, unused in attrs]
        assert len(names) == len(set(names)), (tag, names)
        self.elements.append((tag, {name: value or '' for name, value in attrs}))
        if tag not in ('meta', 'wbr', 'input'):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ('script', 'style'):
            self.inline[self.open[-1]] = self.inline.get(self.open[-1], '') + data
        else:
            self.text += data

    def all(self, tag, **attributes):
        return [there for name, there in self.elements
                if name == tag and all(there.get(key.strip('_')) == value for key, value in attributes.items())]

    @property
    def headline(self):
        return self.text.partition("the hosts' clocks")[2].strip().splitlines()[0]

    @property
    def names(self):
        """The hosts in the order of the page."""
        return [there['data-key'] for there in self.all('th', scope='row')]


def page(document):
    read = Page(report_page.page(document))
    assert read.open == [] and read.text.count('\x00') == 0
    return read


def document(*hosts, **more):
    return dict({'mode': 'fix', 'max_skew': 5.0, 'hosts': list(hosts)}, **more)


def test_markup_in_the_data_is_text():
    report = sample(3, 3)
    assert page(report).all('script') == [{}]
    for host in report['hosts']:
        host.update(dict.fromkeys(('host', 'cause', 'meaning', 'evidence', 'next_step', 'error', 'summary', 'message',
                                   'state_before', 'state_after'), MARKUP))
        for agent in host['agents']:
            agent.update(agent=MARKUP, cause=MARKUP, response_code=MARKUP)
        for clock in (host['clock_before'] or {}, host['clock_after'] or {}):
            clock.update(verdict=MARKUP, direction=MARKUP)
    report.update(dict.fromkeys(('collection_version', 'started_at', 'finished_at', 'mode', 'stopped'), MARKUP))
    read = page(report)
    assert read.all('img') == [] and read.all('script') == [{}]
    assert read.names == [MARKUP] * 3
    assert read.text.count(MARKUP) > 20  # shown as it is, and not escaped twice


@pytest.mark.parametrize(('given', 'shown'), [
    ('a\x00b\x1b[31m', 'a\\u0000b\\u001b[31m'), ('\udcff', '\\udcff'), ('moc.live\u202eknip', 'moc.live\\u202eknip'),
    ('Grüße\n\tan alle', 'Grüße\n\tan alle'),
])
def test_what_cannot_be_printed_is_shown_as_its_number(given, shown):
    text = report_page.page(document({'host': 'a', 'evidence': given, 'passed': False}))
    assert text.encode('utf-8') and shown in Page(text).text


def test_it_loads_nothing_and_lets_nothing_be_loaded():
    read = page(sample(20, 20))
    [policy] = [there['content'] for there in read.all('meta', **{'http-equiv': 'Content-Security-Policy'})]
    assert policy.startswith("default-src 'none';")
    for kind in ('script', 'style'):
        digest = base64.b64encode(hashlib.sha256(read.inline[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    links = [(tag, name, value) for tag, there in read.elements for name, value in there.items()
             if name in ('src', 'href', 'xlink:href', 'action', 'style') or name.startswith('on')]
    assert {(tag, name, value[:1]) for tag, name, value in links} == {('use', 'href', '#')}
    assert re.findall(r'url\((?!#)|@import|https?:', ''.join(read.inline.values())) == []


def test_every_state_has_words_of_its_own_and_a_place_in_the_order():
    known = {*verdict.STATES, *page_hosts.WITHOUT_RESULT}
    assert set(page_hosts.WORDS) == known
    assert len(set(page_hosts.WORDS.values())) == len(known)
    assert {*page_hosts._URGENCY, 'healthy'} == known


@pytest.mark.parametrize(('report', 'headline'), [
    (document(), 'No host was in this run'),
    (sample(7, 0), 'All 7 hosts are healthy'),
    (sample(1, 0), 'The only host is healthy'),
    (sample(5, 1), 'All 5 hosts are healthy, 1 of them repaired in this run'),
    (sample(5, 1, 'check'), '1 of 5 hosts would be repaired, no other needs anything'),
    (sample(5, 1, 'diagnose'), '1 of 5 hosts needs you: JWT refused, the clock is wrong'),
    (sample(1000, 10), '8 of 1,000 hosts need you: agents fail though the clock is right (2), '
                       "host may not set its clock (2), no reference is reliable (2), host unreachable (2)"),
    (document(*[{'host': name, 'state_before': 'unreachable'} for name in 'abc']),
     'All 3 hosts could not be reached: nothing is known of their clocks'),
    (document(*[{'host': name, 'state_before': 'no_result'} for name in 'abc']),
     '3 of 3 hosts need you: failed before it was measured'),
    (document({'host': 'a'}, {'host': 'b'}), '2 hosts in this run; this report does not contain their states'),
    (document(counts={'hosts': 50}), '50 hosts in this run, none of them in this report'),
    (document({'host': 'a', 'passed': False, 'state_before': 'a_new_state'}), '1 of 1 host needs you: a_new_state'),
])
def test_the_headline_is_the_verdict(report, headline):
    read = page(report)
    assert read.headline == headline
    assert f'<title>{page_hosts._text(headline)}</title>' in report_page.page(report)


def test_who_needs_someone_comes_first_and_then_as_people_count():
    names = ['aem10', 'aem9', 'aem2', 'aem1', 'aem3']
    states = dict(zip(names, ('healthy', 'no_reference', 'healthy', 'unreachable', 'not_the_clock')))
    read = page(document(*[{'host': name, 'state_before': state, 'passed': state == 'healthy'} for name, state in states.items()]))
    assert read.names == ['aem3', 'aem9', 'aem1', 'aem2', 'aem10']


def test_hosts_that_a_query_left_out_are_counted_and_said():
    report = sample(50, 5)
    report['hosts'] = [host for host in report['hosts'] if not host['passed']]
    read = page(report)
    assert read.headline.startswith('4 of 50 hosts need you')
    assert '46 hosts are not listed: fix_bp_jwt_report_query left them out.' in read.text


@pytest.mark.parametrize('kept', [(), ('passed',), ('state_before', 'agents_before'), ('clock_before', 'clock_after'), ('agents',)])
def test_any_key_but_the_name_may_be_missing(kept):
    report = sample(10, 10)
    report['hosts'] = [{key: host[key] for key in ('host', *kept)} for host in report['hosts']]
    assert len(page(report).names) == 10
    assert len(page({'hosts': report['hosts']}).names) == 10


def test_what_is_no_number_is_no_clock():
    read = page(document({'host': 'a', 'clock_before': {'offset': float('nan'), 'low': float('-inf'), 'high': 'x', 'verdict': ''}}))
    assert 'nan' not in report_page.page(document()) and 'unknown' in read.text


@pytest.mark.parametrize(('report', 'words'), [
    (sample(1, 0, 'fix'), 'Repair run'), (sample(1, 0, 'check'), 'Check run, nothing was changed'),
    (sample(1, 0, 'diagnose'), 'Diagnosis, nothing was changed'),
    (sample(1, 0), '2026-11-25 02:00:04 to 02:03:51 UTC (3 min 47 s)'), (sample(1, 0), 'a clock is right within ±5 s'),
    (dict(sample(1, 0), started_at=None), '2026-11-25 02:03:51 UTC'),
    (dict(sample(1, 0), finished_at=None), 'began 2026-11-25 02:00:04 UTC, not finished'),
    (dict(sample(1, 0), finished_at='2026-11-26T02:00:04Z'), '2026-11-25 02:00:04 to 2026-11-26 02:00:04 UTC (1 d)'),
    (dict(sample(1, 0), started_at='yesterday', finished_at='now'), 'yesterday to now'),
    (dict(sample(1, 0), complete=False, stopped='It may have died'), 'The run did not finish. It may have died'),
    (sample(1, 0), '4 of 4'), (document({'host': 'a', 'agents_before': {'answered': 0, 'tested': 0}}), 'none tested'),
    (dict(sample(1, 0), stopped='The canary failed.'), 'No more repairs were begun. The canary failed.'),
])
def test_when_how_and_why_stopped_are_said(report, words):
    assert words in page(report).text


def test_a_repaired_host_shows_before_and_after():
    [host] = sample(1, 1)['hosts']
    text = page(document(host)).text
    assert 'jwt_expired → healthy' in text and '0 of 4 → 4 of 4' in text and '9 y 268 d behind → 0.5 ms ahead' in text
    assert 'JWT has expired' in text and 'jwt_expired (401) → ✓ 200' in text


@pytest.mark.parametrize(('state', 'repair', 'error', 'words'), [
    ('jwt_expired', 'failed', 'the package chrony cannot be downloaded',
     'The repair stopped: the package chrony cannot be downloaded'),
    ('jwt_expired', 'not_begun', 'not begun: a canary failed', 'The repair was not begun: a canary failed'),
    ('unreachable', 'none', 'No route to host', 'No route to host'),
])
def test_what_went_wrong_is_said(state, repair, error, words):
    [host] = sample(1, 1)['hosts']
    host.update(error=error, repair=repair, passed=False, repaired=False, state_after=state)
    [cell] = re.findall(r'<p class="error">(.*?)</p>', report_page.page(document(host)))
    assert cell == words


def test_the_changes_and_the_downtime_are_listed():
    [host] = sample(1, 1)['hosts']
    host['changes'].update(disabled=['ntp.service'], backups={'/etc/chrony.conf': '/etc/chrony.conf.before'},
                           problems=['/etc/x was changed by another administrator'])
    read = page(document(host))
    assert 'aem.service, down for 41.8 s' in read.text and 'Wrote /etc/chrony/sources.d' in read.text
    assert 'ntp.service' in read.text and '/etc/chrony.conf: /etc/chrony.conf.before' in read.text
    assert 'Left open/etc/x was changed by another administrator' in read.text and 'Would change' not in read.text
    assert 'Would change' in page(document(dict(host, mode='check'))).text
    assert 'Changed (rolled back)' in page(document(dict(host, changes=dict(host['changes'], restored=True)))).text


def test_a_host_of_an_earlier_run_is_shown_with_its_age():
    one, two = sample(2, 0)['hosts']
    two.update(age=3 * 86400)
    read = page(document(one, two, kept=1, counts={'hosts': 1}))
    assert '3 d ago' in read.text and '1 host was not in this run' in read.text
    assert read.headline == 'All 2 hosts are healthy'


def test_a_query_does_not_hide_how_the_hosts_are():
    report = sample(10, 5)
    report['results'] = report['hosts']
    report['hosts'] = [{'host': host['host'], 'state': host['state_after']} for host in report['hosts']]
    assert page(report).headline.startswith('4 of 10 hosts need you')


# The picture


@pytest.mark.parametrize('seconds', [0.0001, 0.001, 0.02, 1, 4.9, 5.1, 60, 86400, 9e8])
def test_places_are_symmetric_ordered_and_within_the_picture(seconds):
    axis = Axis(5.0, [{'offset': -9e8}])
    behind, ahead = axis.place(seconds), axis.place(-seconds)
    assert 0 < behind <= MIDDLE <= ahead < WIDTH
    assert behind + ahead == pytest.approx(WIDTH, abs=0.11)
    assert axis.place(seconds * 2) <= behind
    assert (axis.place(5.0) <= behind) == (seconds <= 5)


@pytest.mark.parametrize('longest', [0, 1, 40, 3000, 90000, 4e7, 3.2e8, 2e9])
@pytest.mark.parametrize('max_skew', [0.5, 5.0, 60.0])
def test_the_words_of_the_axis_stand_apart_and_within_the_picture(longest, max_skew):
    words = re.findall(r'class="(?:limit )?mid" x="([\d.]+)" y="20">([^<]+)<', Axis(max_skew, [{'offset': longest}]).head())
    spans = sorted((float(x) - 3 * len(text), float(x) + 3 * len(text)) for x, text in words)  # at 10 px and a bit less each
    assert len(spans) >= 4 and spans[0][0] > -4 and spans[-1][1] < WIDTH + 4
    assert [pair for pair in zip(spans, spans[1:]) if pair[0][1] > pair[1][0]] == []


def test_milliseconds_and_decades_are_apart_on_one_axis():
    axis = Axis(5.0, [{'offset': 9e8}])
    assert MIDDLE - axis.place(0.001) > 3
    assert axis.place(86400) - axis.place(365 * 86400) > 15
    assert axis.place(4) - axis.place(6) >= 1


@pytest.mark.parametrize(('clock', 'shown', 'words'), [
    ({'verdict': 'in_sync', 'offset': 0.1, 'low': -1.0, 'high': 1.2}, ['before right', 'span right'], ''),
    ({'verdict': 'skewed', 'offset': 90.0, 'low': 1.0, 'high': 900.0}, ['before wrong', 'span wrong'], ''),
    ({'verdict': 'undecided', 'offset': 4.0, 'low': -1.0, 'high': 9.0}, ['before open', 'span open'], ''),
    ({'verdict': 'undecided', 'offset': None, 'low': -1.0, 'high': 9.0}, ['before open', 'span open'], ''),
    ({'verdict': 'unreachable', 'offset': None}, ['unknown', 'plate'], 'no reference answered'),
    ({'verdict': 'sources_disagree', 'offset': None}, ['unknown', 'plate'], 'the references disagree'),
    ({'verdict': 'of tomorrow', 'offset': None}, ['unknown', 'plate'], 'unknown'),
    (None, ['silent', 'plate'], 'not measured'),
])
def test_each_kind_of_clock_has_a_shape_of_its_own(clock, shown, words):
    read = Page(Axis(5.0, []).strip(clock, None))
    assert [there['class'] for tag, there in read.elements if tag in ('path', 'rect')] == shown
    assert read.text == words


def test_the_arrowhead_points_to_the_side_the_clock_is_off_to():
    def tip(offset):
        [path] = Page(Axis(5.0, []).strip({'verdict': 'skewed', 'offset': offset}, None)).all('path')
        x, side = (float(part.split()[0]) for part in re.split('[ML]', path['d'])[1:3])
        return x - side

    assert tip(30.0) < 0 < tip(-30.0)  # behind: to the left


def test_the_picture_of_all_counts_each_known_clock_once_and_where_it_stands():
    clocks = [{'verdict': 'in_sync', 'offset': 0.01}] * 30 + [{'verdict': 'skewed', 'offset': 312.0}] * 12 + [{'offset': None}]
    text = Axis(5.0, clocks, 960).spread([*clocks, None])
    assert sorted(map(int, re.findall(r'>(\d+)<', text))) == [12, 30]
    read = Page(text)
    places = {there['class']: float(there['x']) for there in read.all('rect') if there['class'].startswith('bar ')}
    assert places['bar wrong'] < places['bar right'] < 480


def test_all_clocks_are_pictured_of_a_fleet_and_not_of_a_few():
    assert len(page(sample(10, 5)).all('figure')) == 0
    read = page(sample(50, 5))
    assert len(read.all('figure')) == 1 and 'The clocks of 49 hosts as they were found; of 1 host nothing is known' in read.text


def test_a_thousand_hosts_are_a_page_that_opens_quickly():
    text = report_page.page(sample(1000, 100))
    assert len(text.encode()) < 2_000_000
    assert len(page(sample(1000, 100)).names) == 1000
