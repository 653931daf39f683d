# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the files of a report could be written is known before anything is repaired."""

from __future__ import annotations

import datetime
import json

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import files
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._result import sum_up
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.context import StageContext
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.finish_host import finish_host
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.report import report
from ansible_collections.aemops.brand_portal.tests.unit.plugins.hostvars import HostVars


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


ROW = {'host': 'a', 'state_before': 'at_risk', 'state_after': 'at_risk', 'passed': False, 'healthy': False, 'repaired': False,
       'repair': 'none', 'clock_before': {'offset': 9.0, 'low': 8.9, 'high': 9.1, 'verdict': 'skewed', 'direction': 'behind'},
       'clock_keeper': {'state': 'kept', 'by': 'chronyd', 'maximum_error': 0.1}, 'agents_before': {'answered': 4, 'tested': 4},
       'agents': [{'agent': 'one', 'succeeded_before': True}], 'mode': 'fix'}
NOW = datetime.datetime.now(datetime.timezone.utc)
NIGHTS = [[(NOW - datetime.timedelta(days=days)).isoformat(), 1.0, 1.1] for days in (5, 3, 1)]


def reported(folder, *earlier):
    """Write the report of a run over the host `now` beside these rows of an earlier run; return the names in the report."""
    rows = [{**ROW, 'clock_history': NIGHTS, 'reported_at': NIGHTS[-1][0], **row} for row in earlier]
    (folder / 'brand-portal.json').write_text(json.dumps({'schema_version': 1, 'hosts': rows}), encoding='utf-8')
    skew = {'verdict': 'in_sync', 'direction': 'none', 'offset': 0.0, 'low': 0.0, 'high': 0.0, 'verified': True, 'max_skew': 5.0}
    well = {'state': 'healthy', 'repair': False, 'healthy': True, 'cause': '', 'summary': '', 'next_step': ''}
    result = sum_up('now', {'skew': skew, 'tests': []}, {}, well, well)
    variables = {'inventory_hostname': 'now', 'hostvars': HostVars(now={'fix_bp_jwt_result': result}),
                 'ansible_play_hosts_all': ['now'], 'ansible_play_hosts': ['now'], **options(folder, folder / 'a.prom')}
    context = StageContext({'hosts': ['now'], 'begun': [], 'stopped': ''}, variables, lambda value: value, lambda *call: {}, False,
                           'linear')
    assert report(context)['lines'][1].startswith('now')
    return [row['host'] for row in json.loads((folder / 'brand-portal.json').read_text(encoding='utf-8'))['hosts']]


def test_a_report_that_cannot_be_written_at_the_end_hides_neither_the_table_nor_the_hosts_that_failed(tmp_path, monkeypatch):
    """The stage failed: of all hosts only the first one counted as failed, and its message was the table and the statistics."""
    def write(*_given):
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(files, 'write', write)
    skew = {'verdict': 'in_sync', 'direction': 'none', 'offset': 0.0, 'low': 0.0, 'high': 0.0, 'verified': True, 'max_skew': 5.0}
    well = {'state': 'healthy', 'repair': False, 'healthy': True, 'cause': '', 'summary': '', 'next_step': ''}
    sick = {**well, 'state': 'at_risk', 'healthy': False, 'next_step': 'run'}
    found = HostVars({name: {'fix_bp_jwt_result': sum_up(name, {'skew': skew, 'tests': []}, {}, verdict, verdict)}
                      for name, verdict in (('a1', well), ('a2', sick), ('a3', well))})
    names = list(found)

    def run(stage, name, **arguments):
        variables = {'inventory_hostname': name, 'hostvars': found, 'ansible_play_hosts_all': names, 'ansible_play_hosts': names,
                     **options(tmp_path)}
        return stage(StageContext({'hosts': names, 'begun': [], 'stopped': '', **arguments}, variables, lambda value: value,
                                  lambda *call: {}, False, 'linear'))
    made = run(report, 'a1')
    assert not made.get('failed') and made['lines'][1].startswith('a1') and 'No space left' in made['lines'][-1]
    end = {'planned': True, 'in_run': True, 'repair_begun': False, 'group': 0, 'not_passed': 1}
    for name, said in (('a1', 'The report could not be written: .*No space left'), ('a2', 'a2: at_risk')):
        with pytest.raises(AnsibleActionFail, match=said):
            run(finish_host, name, **end, unwritten=made['unwritten'].get(name, ''))
    assert run(finish_host, 'a3', **end, unwritten='') == {}
    with pytest.raises(AnsibleActionFail, match='could not be written'):
        run(finish_host, 'localhost', **{**end, 'in_run': False}, unwritten=made['unwritten']['a1'])


@pytest.mark.parametrize('damage', [
    {'clock_before': {'offset': 'x'}}, {'clock_before': {'low': []}}, {'clock_keeper': {'state': 'kept', 'maximum_error': '0.1 s'}},
    {'agents_before': {'answered': None, 'tested': 4}}, {'agents': [None]}, {'changes': {'downtime': 'x'}, 'repair': 'proven'},
    {'healthy': 'yes'}, {'healthy': None}, {'clock_history': [5, 6, 7]}, {'error': '\ud800'}, {'clock_before': {'low': 10 ** 400}},
    {'clock_history': [[when, None, 'x'] for when, _low, _high in NIGHTS]}, {'rehearsal': {'checks': [5]}},
    {'summary': float('nan')},
], ids=' '.join)
def test_a_damaged_row_of_an_earlier_report_is_left_out_alone(tmp_path, damage):
    """It ended every run with a Python error, without the table, until the file was removed."""
    assert reported(tmp_path, {'host': 'b1'}, {'host': 'b2'}, damage, {'host': 'b3'}) == ['now', 'b1', 'b2', 'b3']


def test_a_host_that_an_earlier_report_has_twice_or_without_a_name_is_kept_once(tmp_path):
    assert reported(tmp_path, {'host': 'b1'}, {'host': ''}, {'host': 'b1'}, {'host': 'b2'}) == ['now', 'b1', 'b2']


def test_an_earlier_report_that_is_nested_too_deeply_has_no_rows(tmp_path):
    (tmp_path / 'brand-portal.json').write_text('[' * 100000, encoding='utf-8')
    assert files.former(options(tmp_path)) is None


def test_a_damaged_history_of_this_host_is_begun_again(tmp_path):
    assert reported(tmp_path, {'host': 'now', 'clock_history': [[when, None, 'x'] for when, _low, _high in NIGHTS]}) == ['now']


def test_a_row_of_a_controller_whose_clock_was_ahead_does_not_stay_for_years(tmp_path):
    assert reported(tmp_path, {'host': 'b1'}, {'host': 'b2', 'reported_at': '2099-01-01T00:00:00Z'}) == ['now', 'b1']
