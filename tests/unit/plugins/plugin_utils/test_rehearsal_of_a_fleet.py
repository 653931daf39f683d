# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rehearsal over fifty hosts: the stages of the role, and on each host, which is a folder, the code that runs there."""

from __future__ import annotations

import os

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._host import rehearsal as on_host
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.wanted import Refused
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.result import TimeServiceFailed
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _options as options
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import document as report_document
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import table as report_table
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.context import StageContext
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.measure import measure
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.rehearse import rehearse
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._host.test_rehearsal_checks import (
    NO_UNIT,
    disk,
    host,
)
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._host.test_time_service import service

SKEW = {'verdict': 'in_sync', 'direction': 'none', 'offset': 0.001, 'low': -0.01, 'high': 0.01, 'verified': True, 'max_skew': 5.0,
        'message': "This host's clock is right", 'sources': []}
TEST = {'agent': 'mp_replication_agent0_default_acme', 'succeeded': True, 'cause': 'none', 'clock_related': 'no', 'advice': '',
        'evidence': '', 'response_code': 200}
NO_AEM_TO_STOP = {'unit': '', 'pid': 0, 'store': 'segment', 'evidence': 'segmentstore', 'reason': '', 'advice': '',
                  'stoppable': False, 'lease_check': ''}

# What is not as it should be with a host, and how the rehearsal names it: the check and its words.
TEN = {
    'no password for sudo': ({'root': {'failed': True, 'msg': 'Missing sudo password'}}, 'become: Missing sudo password'),
    'become leads elsewhere': ({'euid': 1000}, 'become: become leads to the user 1000'),
    'a container': ({'owner': 'The clock belongs to the machine below.'}, 'clock: The clock belongs to the machine below'),
    'a unit that is not there': ({'variables': {'fix_bp_jwt_aem_service': 'aemm.service'}, 'says': {'aemm.service': (0, NO_UNIT)}},
                                 'service: systemd has no unit aemm.service'),
    'no package source': ({'says': {'daemon': False, '--download-only': (100, 'E: 404'), 'update': (100, 'E: no')}},
                          'packages: the package chrony cannot be downloaded: E: no'),
    'no room': ({'statvfs': disk(free=2 ** 20)}, 'disk: /etc has 1 MiB left'),
    'a read-only root': ({'statvfs': disk(flags=os.ST_RDONLY)}, 'files: /etc is mounted read-only'),
    'no flock': ({'without': '/usr/bin/flock'}, 'systemd: the command flock is missing'),
    'a key that is none': ({'variables': {'time_sync_keys': [{'id': 0, 'key': 'AA', 'server': '192.0.2.1'}]}},
                           'time_daemon: time_sync_keys: the id of entry 1 is not a number'),
    'a refused account': ({'aem': {'state': 'unauthorized', 'message': 'AEM does not accept the user.'}}, 'proof: not_testable'),
}


class Simulated:
    """A host, and what its modules answer."""

    def __init__(self, folder, name, variables=(), says=(), without='', root=None, euid=0, owner='', statvfs=None, aem=None):
        folder.mkdir()
        self.host = host(folder, **dict(says))
        if without:
            os.unlink(self.host.path(without))
        self.root, self.euid, self.owner, self.statvfs, self.aem = root, euid, owner, statvfs or disk(), aem
        self.variables = {'inventory_hostname': name, 'fix_bp_jwt_aem_user': 'watcher', 'fix_bp_jwt_aem_password': 'secret',
                          'fix_bp_jwt_mode': 'rehearse', 'fix_bp_jwt_ntp_servers': ['192.0.2.1'], **dict(variables)}
        self.changed_by = []

    def result(self):
        context = StageContext({}, self.variables, lambda value: value, self.execute, True, 'linear')
        self.variables[options.RESULT] = measure(context)
        return rehearse(context)

    def execute(self, module, arguments):
        return getattr(self, module.rpartition('.')[2])(arguments)

    def brand_portal_health_info(self, _arguments):
        return {'skew': SKEW, 'tests': [] if self.aem else [TEST], 'aem': self.aem or {'state': 'ok', 'message': ''},
                'interrupted': [], 'clock_keeper': {'state': 'kept', 'by': 'chronyd'}}

    def time_service_info(self, _arguments):
        return self.root or {'changed': False, 'may_set_clock': True, 'aem': NO_AEM_TO_STOP}

    def time_service(self, arguments):
        try:
            return service(self.host, check_mode=True, owner=self.owner, **arguments).run()
        except (Refused, TimeServiceFailed) as error:
            return {'failed': True, 'msg': str(error), 'advice': getattr(error, 'advice', '')}

    def repair_rehearsal_info(self, arguments):
        checks = on_host.rehearse(
            self.host, arguments['stop_services'], 'auto', lambda: self.euid, lambda: self.owner, self.statvfs,
            arguments.get('stop_program'))
        return {'changed': False, 'checks': [dict(each._asdict()) for each in checks]}


@pytest.fixture
def fleet(tmp_path):
    """Every fifth of fifty hosts has an obstacle of its own."""
    obstacles = iter(TEN.values())
    return {f'author{number:02}': Simulated(tmp_path / str(number), f'author{number:02}',
                                            **(next(obstacles)[0] if number % 5 == 2 else {})) for number in range(50)}


def test_fifty_hosts_with_ten_obstacles_are_each_named_and_none_is_changed(fleet):
    before = {name: each.host.tree() for name, each in fleet.items()}
    results = {name: each.result() for name, each in fleet.items()}
    assert {name: each.host.tree() for name, each in fleet.items()} == before
    rows = [report_document.listed(result, 'rehearse') for result in results.values()]
    lines = report_table.table(report_document.document(list(results.values()), rows, mode='rehearse'))
    of_host = {line.split()[0]: line for line in lines[1:-1] if line.startswith('author')}
    assert len(of_host) == 50 and lines[-1].startswith('50 hosts: 40 passed, 10 failed')
    for number, (what, (_settings, words)) in enumerate(TEN.items()):
        name = f'author{5 * number + 2:02}'
        found = [f'{each["check"]}: {each["found"]}' for each in results[name]['rehearsal']['checks'] if not each['passed']]
        assert len(found) == 1 and words in found[0], (what, found)
        assert words in of_host[name] and results[name]['next_step'], (what, of_host[name])
        assert not results[name]['passed'] and words in results[name]['message'], what
    well = {name: result for number, (name, result) in enumerate(results.items()) if number % 5 != 2}
    assert all(result['passed'] and 'no obstacle to a repair' in result['message'] for result in well.values())
    assert all('  none' in of_host[name] for name in well)
    assert all(result['rehearsal']['provider'] == 'chrony' for result in well.values())


def test_an_option_of_the_time_daemon_without_a_value_is_named(tmp_path):
    """The role time_sync refuses it, which the module alone would not."""
    result = Simulated(tmp_path / 'a', 'author1', variables={'time_sync_pools': None}).result()
    assert not result['passed'] and 'time_sync_pools has no value' in result['message']


@pytest.mark.parametrize(('name', 'value'), [
    ('provider', 'chronyy'), ('sync_timeout', 'soon'), ('on_unsynchronized', 'mabye'), ('wait_at_boot', 'perhaps')])
def test_an_option_of_the_time_daemon_that_stops_a_repair_is_named(tmp_path, name, value):
    result = Simulated(tmp_path / 'a', 'author1', variables={f'time_sync_{name}': value}).result()
    assert [each['check'] for each in result['rehearsal']['checks'] if not each['passed']] == ['time_daemon']
    assert f'correct time_sync_{name} in the inventory' in result['next_step'] and f'time_sync_{name}' in result['message']


# An AEM on a document store, started without a unit.
DOCUMENT = {**NO_AEM_TO_STOP, 'store': 'document', 'evidence': 'mongo', 'pid': 4711, 'reason': 'no unit', 'advice': 'give commands',
            'lease_check': 'on'}


def rehearsed_with(folder, aem=None, **variables):
    commands = {f'fix_bp_jwt_aem_{name}_command': '/opt/aem/run' for name in ('stop', 'start')}
    made = Simulated(folder / 'a', 'author1', variables={**commands, **variables}, root={
        'changed': False, 'may_set_clock': True, 'host_time': '2026-11-28T03:00:00Z', 'aem': aem or DOCUMENT})
    made.host.put('/opt/aem/run', '')
    os.chmod(made.host.path('/opt/aem/run'), 0o755)
    return made.result()


def test_an_aem_that_commands_stop_is_listed_and_its_commands_are_checked(tmp_path):
    found = rehearsed_with(tmp_path)
    assert found['passed'] and found['rehearsal']['stops'] == ['AEM (by its commands)'], found['message']


@pytest.mark.parametrize(('variables', 'said'), [
    ({'fix_bp_jwt_aem_start_command': '/nowhere/start.sh'}, 'this host has no command "/nowhere/start.sh" to start it'),
    ({'fix_bp_jwt_may_stop_aem': False}, 'fix_bp_jwt_may_stop_aem=false forbids stopping AEM'),
])
def test_what_would_prevent_each_repair_from_stopping_aem_is_named(tmp_path, variables, said):
    found = rehearsed_with(tmp_path, **variables)
    assert [each['check'] for each in found['rehearsal']['checks'] if not each['passed']] == ['service']
    assert said in found['message']


def test_a_window_in_which_aem_may_be_stopped_is_no_obstacle(tmp_path):
    assert rehearsed_with(tmp_path, fix_bp_jwt_stop_window='04:00-05:00')['passed']


def test_obstacles_name_the_options_of_the_role(tmp_path):
    unit = {'fix_bp_jwt_aem_service': 'aem.service'}
    found = Simulated(tmp_path / 'a', 'author1', variables=unit, says={'aem.service': (1, 'Connection refused')}).result()
    assert not found['passed'] and 'Leave fix_bp_jwt_aem_service empty' in found['next_step'], found['message']


def test_two_obstacles_of_a_host_are_both_named(tmp_path):
    """A wrong option was hidden by a clock that this host may not set."""
    settings = {**TEN['a key that is none'][0], **TEN['a container'][0]}
    found = Simulated(tmp_path / 'a', 'author1', **settings).result()['rehearsal']['checks']
    assert [each['check'] for each in found if not each['passed']] == ['time_daemon', 'clock']
