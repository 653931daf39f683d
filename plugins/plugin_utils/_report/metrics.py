# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The document as metrics for node_exporter's textfile collector, in the text format of Prometheus. Pure."""

from __future__ import annotations

import math
import re
import typing as t

from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report.document import rows_of
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._result import (
    FAILED,
    NO_RESULT,
    NOT_PROVEN,
    PROVEN,
    UNREACHABLE,
    WITHOUT_RESULT,
)
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._times import unix_seconds


class MetricSample(t.NamedTuple):
    """The metrics of a host. at: Unix seconds."""

    state: str
    healthy: bool
    result: str  # passed, would_be_repaired, failed, unreachable or no_result
    mode: str
    at: float | None
    offset: float | None = None
    tested: int | None = None
    answered: int | None = None
    low: float | None = None
    high: float | None = None
    kept: float | None = None                   # 1 or 0
    by: str = ''
    source: str = ''
    maximum_error: float | None = None
    certificate: float | None = None            # seconds since the epoch
    repaired_at: float | None = None            # seconds since the epoch
    downtime: float | None = None               # seconds, of AEM at the last repair
    obstacles: int | None = None                # of the last run, if it was a rehearsal


def metrics(report: t.Mapping[str, t.Any], former: str = '', days: float = 7.0) -> str:
    """Return the document as metrics.

    former: the metrics of an earlier run. Its hosts that are not in the report are kept for this number of days.
    """
    started, finished = (unix_seconds(report[name]) for name in ('started_at', 'finished_at'))
    samples = {row['host']: _sample(row) for row in rows_of(report)}
    for host, sample in read_metrics(former).items():
        if host in samples and samples[host].repaired_at is None:
            samples[host] = samples[host]._replace(repaired_at=sample.repaired_at, downtime=sample.downtime)
        if sample.at and finished and abs(finished - sample.at) <= days * 86400:
            samples.setdefault(host, sample)
    results = [sample.result for sample in samples.values()]
    families: list[tuple[str, str, list[tuple[dict[str, str], float | None]]]] = [
        ('last_run_timestamp_seconds', 'When the last run ended, in seconds since the epoch.', [({}, finished)]),
        ('last_run_duration_seconds', 'How long the last run took from the first measurement on.',
         [({}, finished - started if finished and started else None)]),
        ('last_run_info', 'The mode of the last run: fix, check, diagnose or rehearse. Only fix changes a host.',
         [({'mode': report['mode'], 'version': report['collection_version']}, 1.0)]),
        ('last_run_hosts', 'Hosts that the last run was for.', [({}, report['counts']['hosts'])]),
        ('max_skew_seconds', 'The offset up to which a clock counts as right.', [({}, report.get('max_skew'))]),
        ('repairs_stopped', '1 when the last run refused to begin repairs, for the reason in its report.',
         [({}, float(bool(report['stopped'])))]),
        ('hosts', 'Hosts by their last result: passed, would_be_repaired, failed, unreachable, no_result.',
         [({'result': name}, results.count(name)) for name in RESULTS]),
        ('hosts_repaired', 'Hosts whose clock the last run corrected and proved.', [({}, report['counts']['repaired'])]),
        ('hosts_state', 'Hosts by the state they were left in.',
         [({'state': state}, sum(sample.state == state for sample in samples.values()))
          for state in sorted({sample.state for sample in samples.values()})]),
        ('host_passed', '1 when the host is proven healthy. A host that a run would repair is 0, in check mode too.',
         [({'host': host}, float(sample.healthy)) for host, sample in samples.items()]),
        ('host_state', '1 for the state that the host was left in.',
         [({'host': host, 'state': sample.state}, 1.0) for host, sample in samples.items()]),
        ('host_reported_timestamp_seconds', 'When the run ended that reported the host, and the mode of that run.',
         [({'host': host, 'mode': sample.mode, 'result': sample.result}, sample.at) for host, sample in samples.items()]),
        ('host_clock_offset_seconds', 'Reference minus host clock at its last measurement: positive is behind.',
         [({'host': host}, sample.offset) for host, sample in samples.items()]),
        ('host_clock_offset_low_seconds', 'The lower bound of the offset: the true one is not below it.',
         [({'host': host}, sample.low) for host, sample in samples.items()]),
        ('host_clock_offset_high_seconds', 'The upper bound of the offset: the true one is not above it.',
         [({'host': host}, sample.high) for host, sample in samples.items()]),
        ('host_clock_kept', '1 when something keeps the clock of the host, 0 when nothing does; absent if it is not known.',
         [({'host': host}, sample.kept) for host, sample in samples.items()]),
        ('host_clock_keeper_info', 'What keeps the clock, and the source that it is synchronized to.',
         [({'host': host, 'by': sample.by, 'source': sample.source}, 1.0) for host, sample in samples.items() if sample.kept]),
        ('host_clock_maximum_error_seconds', 'The maximum error of the clock, according to the kernel of the host.',
         [({'host': host}, sample.maximum_error) for host, sample in samples.items()]),
        ('host_certificate_expiry_timestamp_seconds', 'When the first certificate of the tenants and services expires.',
         [({'host': host}, sample.certificate) for host, sample in samples.items()]),
        ('host_repaired_timestamp_seconds', 'When the run ended that repaired the host last.',
         [({'host': host}, sample.repaired_at) for host, sample in samples.items()]),
        ('host_aem_downtime_seconds', 'How long AEM was stopped by the last repair of the host.',
         [({'host': host}, sample.downtime) for host, sample in samples.items()]),
        ('host_rehearsal_obstacles', 'Obstacles to a repair that the rehearsal found; absent if the last run was none.',
         [({'host': host}, sample.obstacles) for host, sample in samples.items()]),
        ('host_agents_tested', 'Brand Portal agents that were tested on the host.',
         [({'host': host}, sample.tested) for host, sample in samples.items()]),
        ('host_agents_answered', 'Of these, the agents that Brand Portal answered 200.',
         [({'host': host}, sample.answered) for host, sample in samples.items()]),
    ]
    lines = []
    for name, text, found in families:
        known = [(labels, value) for labels, value in found if value is not None]
        if known:
            lines += [f'# HELP {PREFIX}{name} {text}', f'# TYPE {PREFIX}{name} gauge']
            lines += [f'{PREFIX}{name}{_labels(labels)} {value:.10g}' for labels, value in known]
    return '\n'.join(lines) + '\n'


PREFIX = 'brand_portal_'
KEPT = {'kept': 1.0, 'not_kept': 0.0}
RESULTS = ('passed', 'would_be_repaired', 'failed', UNREACHABLE, NO_RESULT)
_LINE = re.compile(rf'^{PREFIX}(host_\w+)\{{(.*)\}} (\S+)$', re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPED = {'\\\\': '\\', '\\"': '"', '\\n': '\n'}


def _sample(row: t.Mapping[str, t.Any]) -> MetricSample:
    clock, agents = _last(row, 'clock'), _last(row, 'agents')
    found, changes = row.get('clock_keeper') or {}, row.get('changes') or {}
    # A repair that failed before time_service ran, as without sudo, changed nothing; nor does one in check mode.
    repair = row.get('repair')
    changed = (row.get('mode') or 'fix') == 'fix' and (repair in (NOT_PROVEN, PROVEN) or (repair == FAILED and bool(changes)))
    rehearsed = row.get('rehearsal')  # with an obstacle, it does not pass a healthy host
    result = ('passed' if row['healthy'] and row['passed'] else 'would_be_repaired' if row['passed']
              else row['state_after'] if row['state_after'] in WITHOUT_RESULT else 'failed')
    return MetricSample(row['state_after'], row['healthy'], result, row.get('mode') or 'fix', unix_seconds(row.get('reported_at')),
                        clock.get('offset'), agents.get('tested'), agents.get('answered'), clock.get('low'), clock.get('high'),
                        KEPT.get(str(found.get('state'))), found.get('by') or '', found.get('source') or '',
                        found.get('maximum_error'), unix_seconds(row.get('certificate_not_after')),
                        unix_seconds(row.get('reported_at')) if changed else None,
                        changes.get('downtime') if changed else None,
                        sum(not each.get('passed') for each in rehearsed.get('checks') or []) if rehearsed else None)


def read_metrics(text: str) -> dict[str, MetricSample]:
    """Parse an earlier file of these metrics by host. Invalid lines are ignored."""
    found: dict[str, dict[str, t.Any]] = {}
    for name, labels, value in _LINE.findall(text):
        label = {key: re.sub(r'\\.', lambda escaped: _ESCAPED.get(escaped.group(), escaped.group()), raw)
                 for key, raw in _LABEL.findall(labels)}
        try:
            number = float(value)
        except ValueError:
            continue
        if math.isfinite(number):
            found.setdefault(label.get('host', ''), {})[name] = (number, label)
    samples = {}
    for host, said in found.items():
        about = said.get('host_reported_timestamp_seconds')
        if about and 'host_state' in said and 'host_passed' in said:
            value = {name: number for name, (number, _label) in said.items()}
            keeper = said.get('host_clock_keeper_info', (1.0, {}))[1]
            samples[host] = MetricSample(said['host_state'][1].get('state', ''), value['host_passed'] == 1,
                                         about[1].get('result', ''),
                                         about[1].get('mode', ''), about[0], value.get('host_clock_offset_seconds'),
                                         _whole(value.get('host_agents_tested')), _whole(value.get('host_agents_answered')),
                                         value.get('host_clock_offset_low_seconds'), value.get('host_clock_offset_high_seconds'),
                                         value.get('host_clock_kept'), keeper.get('by', ''), keeper.get('source', ''),
                                         value.get('host_clock_maximum_error_seconds'),
                                         value.get('host_certificate_expiry_timestamp_seconds'),
                                         value.get('host_repaired_timestamp_seconds'), value.get('host_aem_downtime_seconds'),
                                         _whole(value.get('host_rehearsal_obstacles')))
    return samples


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _last(host: t.Mapping[str, t.Any], what: str) -> t.Mapping[str, t.Any]:
    return host.get(f'{what}_after') or host.get(f'{what}_before') or {}


def _labels(labels: t.Mapping[str, str]) -> str:
    def quote(value: str) -> str:
        return '"' + value.replace('\\', '\\\\').replace('"', '\\"').replace('\n', '\\n') + '"'
    return '{' + ','.join(f'{name}={quote(value)}' for name, value in labels.items()) + '}' if labels else ''
