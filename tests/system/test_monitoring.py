# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The metrics, the alerting rules and the dashboard in Debian's Prometheus, over a simulated fortnight of nightly runs.

Prometheus and node_exporter are unpacked, not installed; they listen on the loopback interface and end with the test.
"""

from __future__ import annotations

import datetime
import json
import math
import random
import re
import shutil
import socket
import subprocess
import time
import typing as t
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
import yaml

from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _result as host_result
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import document as report_document
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import metrics as report_metrics

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / 'extensions' / 'monitoring'
RULES, DASHBOARD = MONITORING / 'brand_portal.rules.yml', MONITORING / 'brand_portal.dashboard.json'
PACKAGES = ('prometheus', 'prometheus-node-exporter')
DAY, HOUR = 86400, 3600
NIGHTS, MAX_SKEW = 15, 5.0
LABELS = 'instance="controller:9100",job="node"'


@pytest.fixture(scope='session')
def programs(tmp_path_factory):
    """Where promtool, prometheus and node_exporter are."""
    folder = tmp_path_factory.mktemp('prometheus')
    if shutil.which('apt-get') is None:
        pytest.skip('not run: Prometheus comes out of its Debian package, and there is no apt-get')
    for package in PACKAGES:
        said = subprocess.run(['apt-get', 'download', package], cwd=folder, capture_output=True, text=True, check=False)
        found = list(folder.glob(f'{package}_*.deb'))
        if not found:
            pytest.skip(f'not run: the Debian package {package} cannot be installed: {said.stderr.strip()[-200:]}')
        subprocess.run(['dpkg-deb', '--extract', found[0], folder], check=True)
    return folder / 'usr/bin'


# The fortnight


class Host(t.NamedTuple):
    """A host of the simulation. offset: of its clock (reference - host, seconds) on a day; width: of the measured interval."""

    offset: t.Callable[[float], float]
    width: float = 0.02
    kept: bool = True
    repaired: int | None = None     # the night of a repair
    state: str = 'healthy'
    certificate_days: float = 60.0


def noise(size):
    draw = random.Random(f'fortnight {size}')
    values = [draw.uniform(-size, size) for _night in range(NIGHTS + 1)]
    return lambda day: values[int(day)]


HOSTS = {
    'kept': Host(noise(0.002)),
    'kept-roughly': Host(noise(0.08)),
    'https-only': Host(noise(0.4), width=0.5),              # the Date of a service has a resolution of a second
    'behind-right': Host(lambda day: 3.0 + noise(0.01)(day)),       # off, but not on its way
    'drifts': Host(lambda day: 0.4 * day, kept=False),      # 4.6 ppm: beyond max_skew on day 12.5
    'drifts-ahead': Host(lambda day: -0.36 * day, kept=False),      # on day 13.9
    'drifts-https': Host(lambda day: 0.42 * day + noise(0.2)(day), width=0.3, kept=False),
    'left-alone': Host(lambda day: 0.8 * max(0.0, day - 4), kept=False),    # its daemon was removed on day 4: beyond on day 10.3
    'repaired': Host(lambda day: 90.0 if day < 6 else noise(0.002)(day), repaired=6, state='healthy'),
    'waits': Host(lambda day: 7200.0, state='stop_deferred'),
    'expires': Host(noise(0.002), certificate_days=20.0),
}
DRIFTING = {'drifts': 12.5, 'drifts-ahead': 5 / 0.36, 'drifts-https': 5 / 0.42, 'left-alone': 4 + 5 / 0.8}
NEVER = ('kept', 'kept-roughly', 'https-only', 'behind-right', 'repaired', 'waits', 'expires')
BEGIN = datetime.datetime(2026, 11, 1, 2, 0, tzinfo=datetime.timezone.utc)


KEPT = {'state': 'kept', 'by': 'chronyd', 'source': '192.0.2.1', 'reason': '', 'msg': '.', 'maximum_error': 0.05,
        'estimated_error': 0.001}
NOT_KEPT = {'state': 'not_kept', 'by': '', 'source': '', 'reason': 'no_time_daemon', 'msg': '.', 'maximum_error': 16.0,
            'estimated_error': 16.0}


def iso(moment):
    return moment.strftime('%Y-%m-%dT%H:%M:%SZ')


def result_of(name: str, host: Host, night: int) -> dict[str, t.Any]:
    """The result of the role for the host after this night, by its own functions."""
    offset = host.offset(night)
    repaired = host.repaired == night

    def health(off):
        wrong = abs(off) > MAX_SKEW
        return {
            'skew': {'verdict': 'skewed' if wrong else 'in_sync', 'direction': 'none', 'offset': off, 'low': off - host.width,
                     'high': off + host.width, 'verified': True, 'max_skew': MAX_SKEW, 'sources': [
                         {'certificate_not_after': iso(BEGIN + datetime.timedelta(days=host.certificate_days))}]},
            'tests': [{'agent': 'agent0', 'succeeded': not wrong}],
            'clock_keeper': KEPT if host.kept else NOT_KEPT,
        }

    def decided(off):
        well = abs(off) <= MAX_SKEW
        state = (host.state if host.state != 'healthy' else 'jwt_expired') if not well else 'healthy' if host.kept else 'not_kept'
        return {'state': state, 'repair': state == 'jwt_expired', 'healthy': well, 'cause': '', 'summary': '.', 'next_step': ''}

    before = 90.0 if repaired else offset
    return host_result.sum_up(name, health(before), health(offset) if repaired else {}, decided(before), decided(offset),
                              repair_due=True if repaired else None,
                              changes={'downtime': 31.5, 'stopped': ['aem.service']} if repaired else {})


def nights() -> list[str]:
    """The file of metrics after each night, each made from the one before as a run does."""
    files: list[str] = []
    for night in range(NIGHTS):
        when = iso(BEGIN + datetime.timedelta(days=night))
        results = [result_of(name, host, night) for name, host in HOSTS.items()]
        rows = [report_document.listed(result, 'fix', when) for result in results]
        document = report_document.document(results, rows, started_at=when, finished_at=when, max_skew=MAX_SKEW, mode='fix',
                                            collection_version='1.0.0')
        files.append(report_metrics.metrics(document, files[-1] if files else ''))
    return files


def series(files):
    """{series with its labels: its value after each night, None where it is not there}."""
    found: dict[str, list[str | None]] = {}
    for night, text in enumerate(files):
        for line in text.splitlines():
            if not line.startswith('#'):
                name, value = line.rsplit(' ', 1)
                labelled = name[:-1] + ',' + LABELS + '}' if name.endswith('}') else f'{name}{{{LABELS}}}'
                found.setdefault(labelled, [None] * len(files))[night] = value
    return found


# promtool


def unit_tests(files, checks):
    """promtool's test file: every hour what the file says, from the first night on; `checks` are its alert_rule_test."""
    # The rules compare with time(), which begins at 0 in promtool; the metrics' dates become relative to the first night.
    begin = BEGIN.timestamp()

    def value(name, raw):
        if raw is None:
            return '_x24'
        shifted = float(raw) - begin if 'timestamp' in name else float(raw)
        return f'{shifted:.10g}x23' if shifted >= 0 else f'{shifted:.10g}+0x23'
    return {
        'rule_files': [str(RULES)], 'evaluation_interval': '1h',
        'tests': [{'interval': '1h', 'alert_rule_test': checks, 'input_series': [
            {'series': name, 'values': ' '.join(value(name, raw) for raw in values)} for name, values in series(files).items()]}],
    }


def alerts(programs, tmp_path, files, name):
    """{host: the hours at which the alert fires}, asked of promtool hour by hour over the fortnight."""
    hours = range(0, NIGHTS * 24, 6)
    checks = [{'eval_time': f'{hour}h', 'alertname': name, 'exp_alerts': []} for hour in hours]
    (tmp_path / 'test.yml').write_text(yaml.safe_dump(unit_tests(files, checks)))
    done = subprocess.run([programs / 'promtool', 'test', 'rules', tmp_path / 'test.yml'], capture_output=True, text=True,
                          check=False)
    said = done.stdout + done.stderr
    assert 'unmarshal' not in said and 'parse' not in said, said[:3000]
    fires: dict[str, list[int]] = {}
    # "alertname: NAME, time: 6h," and below it "got:[ 0: Labels:{..., host="...", ...} Annotations:..."
    for part in re.split(r'(?=alertname: )', said)[1:]:
        hour = _hours(re.search(r'time: (\S+?),', part).group(1))
        for host in re.findall(r'host="([^"]+)"', part.partition('got:')[2]):
            fires.setdefault(host, []).append(hour)
    return {host: sorted(set(hours)) for host, hours in fires.items()}


def _hours(text):
    """Prometheus' own way to write a time: 1w2d6h."""
    units = {'w': 168, 'd': 24, 'h': 1, 'm': 0, 's': 0}
    return sum(int(number) * units[unit] for number, unit in re.findall(r'(\d+)([wdhms])', text))


def test_the_rules_are_rules(programs):
    done = subprocess.run([programs / 'promtool', 'check', 'rules', RULES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_drifting_clock_is_predicted_a_week_ahead_and_a_healthy_one_never(programs, tmp_path):
    fires = alerts(programs, tmp_path, nights(), 'BrandPortalClockWillBeWrong')
    assert not set(fires) & set(NEVER), fires
    for host, crossing in DRIFTING.items():
        ahead = crossing - fires[host][0] / 24
        began = 4 if host == 'left-alone' else 0
        # One that leaves within less than a week from its first day on is reported after three nights.
        assert ahead >= min(7, crossing - began - 4), (host, ahead)
    # Once it is wrong, another alert says so.
    assert all(hour / 24 <= DRIFTING[host] + 1.1 for host, hours in fires.items() for hour in hours)


def test_the_other_alerts_fire_when_they_should(programs, tmp_path):
    files = nights()
    assert set(alerts(programs, tmp_path, files, 'BrandPortalClockNotKept')) == set(DRIFTING)
    wrong = alerts(programs, tmp_path, files, 'BrandPortalHostNotHealthy')
    assert set(wrong) == {*DRIFTING, 'waits', 'repaired'}
    assert max(wrong['repaired']) < 6 * 24 <= max(wrong['waits'])
    assert set(alerts(programs, tmp_path, files, 'BrandPortalRepairWaits')) == {'waits'}
    expires = alerts(programs, tmp_path, files, 'BrandPortalCertificateExpires')
    assert set(expires) == {'expires'} and expires['expires'][0] == 6 * 24 + 6
    assert alerts(programs, tmp_path, files, 'BrandPortalHostNotMeasured') == {}


# Prometheus itself


def free_port():
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return listener.getsockname()[1]


class Prometheus:
    """Prometheus with the fortnight in its database, scraping a node_exporter that reads the file of the last night."""

    def __init__(self, programs, folder, files):
        self.running, self.port, exporter = [], free_port(), free_port()
        textfiles = folder / 'textfile'
        textfiles.mkdir()
        (textfiles / 'brand_portal.prom').write_text(files[-1])
        self._backfill(programs, folder, files)
        (folder / 'prometheus.yml').write_text(yaml.safe_dump({
            'global': {'scrape_interval': '1s', 'evaluation_interval': '1s'}, 'rule_files': [str(RULES)],
            'scrape_configs': [{'job_name': 'node', 'static_configs': [{'targets': [f'127.0.0.1:{exporter}']}]}]}))
        self._start(folder, [programs / 'prometheus-node-exporter', '--collector.disable-defaults', '--collector.textfile',
                             f'--collector.textfile.directory={textfiles}', f'--web.listen-address=127.0.0.1:{exporter}'])
        self._start(folder, [
            programs / 'prometheus', f'--config.file={folder}/prometheus.yml', f'--storage.tsdb.path={folder}/data',
            f'--web.listen-address=127.0.0.1:{self.port}', '--query.lookback-delta=2h', '--storage.tsdb.retention.time=10y'])

    def _start(self, folder, command):
        log = (folder / f'{command[0].name}.log').open('w')
        self.running.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL))

    @staticmethod
    def _backfill(programs, folder, files):
        """Every hour of the fortnight up to an hour ago, in OpenMetrics' text format."""
        end = math.floor(time.time() / HOUR) * HOUR - HOUR
        by_name: dict[str, list[str]] = {}
        for name, values in series(files).items():
            lines = by_name.setdefault(name.partition('{')[0], [])
            for hour in range(NIGHTS * 24):
                raw = values[hour // 24]
                if raw is not None:
                    lines.append(f'{name.replace("controller:9100", "history")} {raw} {end - (NIGHTS * 24 - hour) * HOUR}')
        text = ''.join(f'# TYPE {name} gauge\n' + '\n'.join(lines) + '\n' for name, lines in by_name.items()) + '# EOF\n'
        (folder / 'history.txt').write_text(text)
        subprocess.run([programs / 'promtool', 'tsdb', 'create-blocks-from', '--max-block-duration=768h', 'openmetrics',
                        folder / 'history.txt', folder / 'data'], check=True, capture_output=True)

    def get(self, path, **parameters):
        url = f'http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}'
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=30) as answer:
            return json.load(answer)['data']

    def until(self, condition, what):
        deadline = time.monotonic() + 60
        while True:
            try:
                found = condition()
                if found:
                    return found
            except OSError:
                pass
            assert time.monotonic() < deadline, what
            time.sleep(0.2)

    def stop(self):
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.wait(timeout=30)


@pytest.fixture(scope='module')
def prometheus(programs, tmp_path_factory):
    running = Prometheus(programs, tmp_path_factory.mktemp('server'), nights())
    try:
        scraped = 'count_over_time(brand_portal_host_passed{instance!="history"}[1h]) >= 3'
        running.until(lambda: running.get('query', query=scraped)['result'], 'three scrapes of the text file')
        yield running
    finally:
        running.stop()


def test_node_exporter_takes_the_file_as_it_is(prometheus):
    assert prometheus.get('query', query='node_textfile_scrape_error')['result'][0]['value'][1] == '0'
    scraped = prometheus.get('query', query='brand_portal_host_clock_kept{instance!="history"}')['result']
    assert {row['metric']['host'] for row in scraped} == set(HOSTS)
    query = 'brand_portal_host_clock_keeper_info{host="kept",instance!="history"}'
    info = prometheus.get('query', query=query)['result'][0]['metric']
    assert (info['by'], info['source']) == ('chronyd', '192.0.2.1')


def test_the_rules_are_evaluated_and_those_of_the_scraped_file_fire(prometheus):
    def loaded():
        groups = prometheus.get('rules')['groups']
        return groups if all(rule['health'] == 'ok' for group in groups for rule in group['rules']) else None
    groups = prometheus.until(loaded, 'every rule was evaluated without an error')
    assert [group['name'] for group in groups] == ['brand_portal']
    firing = prometheus.until(lambda: [
        alert['labels'] for alert in prometheus.get('alerts')['alerts'] if alert['labels']['alertname'] == 'BrandPortalClockNotKept'
        and alert['labels']['instance'] != 'history'], 'an alert of the scraped file')
    assert {labels['host'] for labels in firing} <= set(DRIFTING)


def dashboard_queries():
    dashboard = json.loads(DASHBOARD.read_text(encoding='utf-8'))
    return [(panel['title'], target['expr']) for panel in dashboard['panels'] for target in panel['targets']]


@pytest.mark.parametrize('title, query', dashboard_queries())
def test_every_query_of_the_dashboard_gives_something(prometheus, title, query):
    for variable, value in (('$host', '.*'), ('$days', '7')):
        query = query.replace(variable, value)
    assert '$' not in query
    end = time.time() - 2 * HOUR
    found = prometheus.get('query_range', query=query, start=end - 13 * DAY, end=end, step=6 * HOUR)['result']
    assert found, f'{title}: {query} gives nothing'


def test_the_dashboard_names_only_metrics_that_a_run_writes():
    written = {name.partition('{')[0] for name in series(nights())}
    used = set(re.findall(r'\bbrand_portal_\w+', DASHBOARD.read_text(encoding='utf-8') + RULES.read_text(encoding='utf-8')))
    assert used - {'brand_portal'} <= written
