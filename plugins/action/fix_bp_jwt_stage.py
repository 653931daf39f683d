# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role fix_bp_jwt does on the controller: glue around plugin_utils.

It is an action so that a healthy host costs one task: checking the options, the one call to the host, the verdict and
the host's result. As tasks of their own they would cost more than the call (docs/scale.md). What looks at all hosts
(plan, begin, report) runs once and reads each host's result once.
"""

from __future__ import annotations

import datetime
import json
import typing as t
from pathlib import Path

import yaml
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.printable import all_printable
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _drift as drift
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _fleet as fleet
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _jmespath as query
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _ntplib as controller_ntplib
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _options as options
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _rehearsal as rehearsal
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _verdict as verdict
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import document as report_document
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import files as report_files
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import result as host_result
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import table as report_table

display = Display()

# The strategies that let all hosts finish a task before the next one begins.
IN_STEP = ('linear', 'debug', 'mitogen_linear', 'mitogen')
OUT_OF_STEP = (
    'The strategy {strategy} of this play lets a host run ahead of the others, so this role could not look at them together or '
    'stop after the first that fails, and no clock is changed. Run the playbook aemops.brand_portal.fix_bp_jwt, which keeps '
    'them in step, or give the play "strategy: linear"'
)
NOTHING_MEASURED = (
    'Nothing was measured before this task, so nothing is proven. Run the whole role or playbook: without --tags, and without '
    '--start-at-task in its middle. Where no host at all is meant to be right, set fix_bp_jwt_allow_no_hosts=true'
)
REHEARSAL = '__fix_bp_jwt_rehearsal'
NOT_OVER = 'This was written before the run was over; it may have died'

# Causes of a 401 from Brand Portal that no refused token explains.
UNAUTHORIZED = ('key_not_accepted', 'token_outlived')

Options = dict[str, t.Any]
Result = dict[str, t.Any]


class NotPassed(AnsibleActionFail):
    """Ends a host as failed in one line, without the excerpt of the task file that ansible-core prints from 2.19 on."""

    omit_exception_key = True

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.result.pop('exception', None)  # a traceback, before 2.19


class ActionModule(ActionBase):
    """See modules/fix_bp_jwt_stage.py."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        result = super().run(tmp, task_vars)
        self.vars = task_vars or {}
        stages = {'measure': self.measure, 'plan': self.plan, 'begin': self.begin, 'prove': self.prove,
                  'not_begun': self.not_begun, 'rehearse': self.rehearse, 'report': self.report, 'conclude': self.conclude}
        result.update({'changed': False, **stages[self._task.args['stage']]()})
        return result

    # On each host

    def measure(self) -> Result:
        chosen = self.options()
        agents = chosen['fix_bp_jwt_agents']
        if chosen['fix_bp_jwt_agent_query']:
            listed = self.call('replication_agent_info', {**_aem(chosen), 'queue': False})
            # What keeps AEM from answering here, the measurement meets as well, and makes it a result.
            if 'agents' in listed:
                try:
                    agents = query.names(_plain(listed['agents']), chosen['fix_bp_jwt_agent_query'])
                except query.Problem as problem:
                    raise NotPassed(f'{problem}. Nothing was changed.') from problem
            elif 'kind' not in listed:
                return listed
        began = _now()
        health = self.health(chosen, agents)
        if 'skew' not in health:
            return health
        decided = verdict.decide(health, fix_at_risk=chosen['fix_bp_jwt_fix_at_risk'],
                                 accept_unverified=chosen['fix_bp_jwt_accept_unverified'],
                                 fix_not_kept=chosen['fix_bp_jwt_fix_not_kept'])
        mode = self.mode(chosen)
        found = host_result.sum_up(self.vars['inventory_hostname'], health, {}, decided, decided,
                                   check_mode=mode == 'check', diagnose_only=mode in ('diagnose', 'rehearse'))
        if mode == 'diagnose' and ('awx_job_id' in self.vars or 'tower_job_id' in self.vars):
            found['next_step'] = found['next_step'].replace(
                'run with fix_bp_jwt_mode=fix', 'approve the repair in the workflow, or launch the job template that repairs')
        kept = {} if decided['healthy'] and mode != 'rehearse' else {'options': options.for_repair(chosen), 'health': {
            name: health[name] for name in ('skew', 'tests', 'aem', 'interrupted', 'clock_keeper')}}
        warned = {'warnings': health['warnings']} if health.get('warnings') else {}
        return {**found, **kept, **warned, 'agents_chosen': agents, 'began': began}

    def prove(self) -> Result:
        """The same measurement and the same agents once more.

        A 401 is believed only the second time: with the first AEM may have shown a token that it kept, which by its
        corrected clock has expired, so that it asks for a new one now.
        """
        for last in (False, True):
            found = self.health(self.options(), self.vars[options.RESULT]['agents_chosen'],
                                ready_timeout=self._task.args.get('ready_timeout'))
            if last or not any(test['cause'] in UNAUTHORIZED for test in found.get('tests') or []):
                break
        return found

    def not_begun(self) -> Result:
        return host_result.conclude(_plain(self.vars[options.RESULT]), self.stopped())

    def rehearse(self) -> Result:
        """What a repair would need, tried as root with modules that change nothing; this task runs in check mode."""
        chosen, result = self.options(), _plain(self.vars[options.RESULT])
        if 'health' not in result:
            return {}
        checks = [rehearsal.measured(result)]
        look = self.try_to_call('time_service_info', _aem(chosen))
        failed = rehearsal.looked(look)
        if failed:
            return rehearsal.conclude(result, [*failed, *checks])
        # An hour behind: enough to make a repair stop AEM where it has to.
        skew = {**result['health']['skew'], 'verdict': 'skewed', 'direction': 'behind', 'offset': 3600.0, 'verified': True}
        decided = verdict.decide({**result['health'], 'skew': {**skew, 'sources': []}}, {**look, 'may_set_clock': True},
                                 **_of_aem(chosen))
        checks += [each for each in [rehearsal.aem(decided)] if each]
        units = decided['aem']['stop_services']
        given = {name: f'time_sync_{name}' for name in TIME_SYNC}
        named = self._templar.template({name: self.vars[variable] for name, variable in given.items() if variable in self.vars})
        service = self.try_to_call('time_service', {'servers': chosen['fix_bp_jwt_ntp_servers'], **_plain(named)})
        checks.append(rehearsal.daemon(service))
        units = units if isinstance(units, list) and all(isinstance(unit, str) for unit in units) else []
        more = self.try_to_call('repair_rehearsal_info', {
            'stop_services': units, **{name: value for name, value in named.items() if name == 'provider'}})
        if any(each['check'] == 'clock' and not each['passed'] for each in more.get('checks') or []):
            checks.pop()  # time_service reports the same about a clock that this host may not set
        checks += more.get('checks') or [rehearsal.check('host', str(more.get('msg') or 'the host could not be looked at'),
                                                         'correct what the message says')]
        return rehearsal.conclude(result, checks, stops=units, provider=service.get('provider'), actions=service.get('actions'))

    def conclude(self) -> Result:
        """The end of a host: failed, or unreachable as it was, unless it passed."""
        name = self.vars['inventory_hostname']
        if '__fix_bp_jwt_plan' not in self.vars and not self.options()['fix_bp_jwt_allow_no_hosts']:
            return {'failed': True, 'msg': NOTHING_MEASURED}
        if name not in self.hosts():
            return {}
        last = self.last_word(name, self.results([name])[name])
        if last['passed']:
            return {}
        said = report_table.last_words(last, self.vars.get('__fix_bp_jwt_report') or {})
        if last['state_after'] == host_result.UNREACHABLE:
            return {'unreachable': True, 'msg': said}
        raise NotPassed(said)

    def plan(self) -> Result:
        """Which hosts need a repair, in which batches, and whether there may be any at all."""
        chosen, results = self.options(), self.results(self.hosts())
        here = set(self.vars['ansible_play_batch'])
        known = {name: result for name, result in results.items() if 'state_before' in result}
        begun, stopped = self.batch().get('begun', []), self.batch().get('stopped', '')
        due = [name for name, result in known.items()
               if name in here and result['repair_due'] and not result['concluded'] and name not in begun]
        rehearse = self.mode(chosen) == 'rehearse'
        if not begun:
            self.check_outputs(chosen, known)
            if rehearse:
                due = []
            elif not chosen['fix_bp_jwt_accept_common_skew']:
                stopped = fleet.suspicion(list(known.values()), chosen['fix_bp_jwt_common_skew_percentage'],
                                          chosen['fix_bp_jwt_common_skew_hosts'])
            stopped = stopped or (self.out_of_step() if due and self.mode(chosen) != 'diagnose' else '')
        may_repair = not stopped and self.mode(chosen) not in ('diagnose', 'rehearse')
        batches = fleet.batches(due if may_repair else [], chosen['fix_bp_jwt_serial'])
        if batches:
            report_files.write(chosen, self.document(chosen, complete=False))
        well = [name for name, result in results.items() if result.get('passed') and not result['repair_due']]
        unwell = [name for name in results if name in here and name not in set(well)]
        # One that is well goes along: it reports also when the others have all been lost. A rehearsal is for all of them.
        going_on = [*unwell, *[name for name in well if name in here][:None if rehearse else 1]]
        return {'hosts': self.hosts(), 'going_on': going_on, 'due': due, 'batches': batches, 'stopped': stopped,
                'repair_hosts': fleet.pattern(going_on if rehearse or batches or (due and stopped) else []),
                'report_hosts': fleet.pattern(going_on), 'rehearse': rehearse, 'wanted': bool(batches or (due and stopped))}

    def begin(self) -> Result:
        """The hosts of the next batch; none when too many before them failed, or none of those could even be tried."""
        chosen, turn = self.options(), int(self._task.args['turn'])
        begun = self.batch().get('begun', [])
        outcomes = {name: result if result['concluded'] else None for name, result in self.results(begun).items()}
        stopped = fleet.may_go_on(outcomes, chosen['fix_bp_jwt_max_fail_percentage'])
        untried = turn > 0 and all(fleet.went_wrong(result) is None for result in outcomes.values())
        hosts = [] if stopped or untried else self.vars['__fix_bp_jwt_plan']['batches'][turn]
        if hosts and begun:
            report_files.write(chosen, self.document(chosen, complete=False))
        return {'hosts': hosts, 'begun': [*begun, *hosts], 'stopped': stopped}

    def report(self) -> Result:
        """The files and the statistics; the lines of the table are for a task of its own."""
        if self.is_early():
            return {'lines': []}
        chosen = self.options()
        document = self.document(chosen, complete=True)
        lines = report_table.table(document, chosen['fix_bp_jwt_table_hosts'])
        statistics = report_document.statistics(document, chosen['fix_bp_jwt_stats_hosts'])
        counts = document['counts']
        done: Result = {'lines': lines, 'not_passed': counts['hosts'] - counts['passed'],
                        'groups': report_table.numbers(document, chosen['fix_bp_jwt_table_hosts']), 'ansible_stats': {
            'data': {'brand_portal_report': statistics}, 'per_host': False, 'aggregate': False}}
        try:
            report_files.write(chosen, document)
        except OSError as error:
            done.update(failed=True, msg='\n'.join([f'The report could not be written: {error}', *lines]))
        return done

    # What the stages share

    def options(self) -> Options:
        """All of them for a host's own measurements, else those of the run."""
        whole = self._task.args['stage'] in ('measure', 'prove', 'rehearse')
        names = tuple(options.SPECIFICATION) if whole else options.OF_THE_RUN
        raw = {name: self.vars[name] for name in names if name in self.vars}
        chosen, complaints = options.check(_plain(self._templar.template(raw)), names)
        if whole:
            complaints = options.complaints_about_names(self.vars) + complaints
        if complaints:
            raise NotPassed(' '.join([*complaints, 'Nothing was changed.']))
        return chosen

    def mode(self, chosen: Options) -> str:
        if chosen['fix_bp_jwt_mode'] == 'rehearse':
            return 'rehearse'
        return 'check' if self._task.check_mode else chosen['fix_bp_jwt_mode']

    def health(self, chosen: Options, agents: list[str], **more: t.Any) -> Result:
        return self.call('brand_portal_health_info', {
            **_aem(chosen), 'agents': agents, 'test_timeout': chosen['fix_bp_jwt_test_timeout'],
            'ntp_servers': chosen['fix_bp_jwt_ntp_servers'], 'https_urls': chosen['fix_bp_jwt_https_urls'],
            'https_proxy': chosen['fix_bp_jwt_https_proxy'] or None,
            'max_skew': chosen['fix_bp_jwt_max_skew'], 'timeout': chosen['fix_bp_jwt_timeout'],
            '_ntplib': controller_ntplib.packed_ntplib(), **more,
        })

    def call(self, module: str, arguments: dict[str, t.Any]) -> Result:
        given = {name: value for name, value in arguments.items() if value is not None}
        result = self._execute_module(module_name=f'aemops.brand_portal.{module}', module_args=given, task_vars=self.vars)
        result.pop('invocation', None)
        if result.get('failed') and 'module_stderr' in result:
            result['msg'] = _of_a_module_that_did_not_run(result, str(arguments.get('password') or ''))
        # What a host says of AEM, Brand Portal or itself must not reach a terminal as it is.
        return all_printable(result)

    def try_to_call(self, module: str, arguments: dict[str, t.Any]) -> Result:
        """The same, with what keeps Ansible from becoming root or from reaching the host as a failed result."""
        try:
            return self.call(module, arguments)
        except AnsibleError as error:
            return {'failed': True, 'msg': str(error)}

    def batch(self) -> Result:
        """What the step begin said last."""
        return self.vars.get('__fix_bp_jwt_batch') or {}

    def stopped(self) -> str:
        return self.vars.get('__fix_bp_jwt_plan', {}).get('stopped') or self.batch().get('stopped') or ''

    def out_of_step(self) -> str:
        strategy = self._task.play.strategy
        if strategy.rpartition('.')[2] in IN_STEP or len(self.vars['ansible_play_hosts_all']) == 1:
            return ''
        return OUT_OF_STEP.format(strategy=strategy)

    def is_early(self) -> bool:
        """Out of step, where "once" is once for each host: whether one of the others is not measured yet."""
        others = reversed(self.vars['ansible_play_hosts'])
        return bool(self.out_of_step()) and not all(self.results([name])[name] for name in others)

    def hosts(self) -> list[str]:
        """Those the run is for, also the ones that Ansible has given up."""
        if '__fix_bp_jwt_plan' in self.vars:
            return self.vars['__fix_bp_jwt_plan']['hosts']
        return self.vars.get('ansible_play_hosts_all', []) if self._task.args['stage'] == 'plan' else []

    def results(self, hosts: t.Iterable[str]) -> dict[str, Result]:
        """What each host's measurement and repair registered; {} for a host without."""
        found = {name: self.vars['hostvars'].raw_get(name) for name in hosts}
        return {name: all_printable(_plain(
            said[REHEARSAL] if 'rehearsal' in said.get(REHEARSAL, {}) else said.get(options.RESULT) or {}))
            for name, said in found.items()}

    def last_word(self, name: str, result: Result) -> Result:
        if 'state_before' not in result:
            return host_result.without_result(name, result)
        lost = name in self.batch().get('begun', []) and not result['concluded']
        return host_result.conclude(result, self.stopped(), lost)

    def document(self, chosen: Options, complete: bool) -> Result:
        found = self.results(self.hosts())
        last = [self.last_word(name, result) for name, result in found.items()]
        began = [result['began'] for result in found.values() if 'began' in result]
        thresholds = [result['max_skew'] for result in last if result['max_skew'] is not None]
        now, mode, days = _now(), self.mode(chosen), chosen['fix_bp_jwt_report_keep_days']
        rows = [report_document.listed(result, mode, now) for result in last]
        limit = max(set(thresholds), key=thresholds.count, default=None)
        former = report_files.former(chosen)
        rows = drift.with_history(rows + report_document.kept(former, set(found), now, days), former, limit)
        try:
            listed = query.shape(rows, chosen['fix_bp_jwt_report_query'])
        except query.Problem as error:  # it could be used before the repairs, so this is rare, and no reason to be silent
            display.warning(f'{error}. The report lists all hosts instead.')
            listed = rows
        return report_document.document(
            last, listed, rows, collection_version=_version(), started_at=min(began, default=None), finished_at=now,
            complete=complete, mode=mode, max_skew=limit,
            stopped=self.stopped() or ('' if complete else NOT_OVER))

    def check_outputs(self, chosen: Options, known: dict[str, Result]) -> None:
        """Nothing is repaired whose report could not be written."""
        try:
            query.shape([report_document.listed(result) for result in known.values()], chosen['fix_bp_jwt_report_query'])
            report_files.check(chosen)
        except query.Problem as error:
            raise AnsibleActionFail(f'{error}. Nothing was changed.') from error
        except OSError as error:
            raise AnsibleActionFail(f'The report cannot be written on the controller: {error}. Correct fix_bp_jwt_report_dir or '
                                    'fix_bp_jwt_prometheus_file. Nothing was changed.') from error


# Options of the role time_sync that a repair takes from the inventory.
TIME_SYNC = ('provider', 'pools', 'nts_servers', 'keys', 'cloud', 'only', 'max_distance')


def _of_aem(chosen: Options) -> dict[str, t.Any]:
    """What the verdict is told of how AEM may be stopped; a rehearsal asks whether it could be, whatever the hour."""
    return {'aem_service': chosen['fix_bp_jwt_aem_service'], 'aem_stop_above': chosen['fix_bp_jwt_aem_stop_above'], 'aem_options': {
        'aem_unknown_store': chosen['fix_bp_jwt_unknown_store'], 'aem_stop_command': chosen['fix_bp_jwt_aem_stop_command'],
        'aem_start_command': chosen['fix_bp_jwt_aem_start_command'], 'may_stop_aem': True, 'stop_window': ''}}


def _of_a_module_that_did_not_run(result: Result, secret: str) -> str:
    """Ansible's message with what the host said on its error output: is Python missing, too old, or broken?

    The other output is not shown: a wrapper in place of Python may give back the module with its arguments.
    """
    said = ' '.join(str(result['module_stderr']).split())[-400:].rstrip('.') or 'without error output'
    said = said.replace(secret, '********') if secret else said
    message = f'{str(result.get("msg") or "the module did not run").rstrip(".")}: {said}'
    if result.get('rc') in (126, 127):
        message += '. See whether ansible_python_interpreter names a Python 3.6 or newer of this host'
    return message


def _aem(chosen: Options) -> dict[str, t.Any]:
    return {
        'aem_url': chosen['fix_bp_jwt_aem_url'], 'username': chosen['fix_bp_jwt_aem_user'],
        'password': chosen['fix_bp_jwt_aem_password'], 'ca_path': chosen['fix_bp_jwt_ca_path'] or None,
        'validate_certs': chosen['fix_bp_jwt_validate_certs'],
    }


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')


def _plain(value: t.Any) -> t.Any:
    """Without Ansible's own kinds of text: JMESPath knows types by their very names."""
    if isinstance(value, t.Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, str) else value


def _version() -> str:
    """Of this collection: installed it has a manifest, a checkout has galaxy.yml."""
    root = Path(__file__).parents[2]
    manifest = root / 'MANIFEST.json'
    if manifest.exists():
        return json.loads(manifest.read_text(encoding='utf-8'))['collection_info']['version']
    return yaml.safe_load((root / 'galaxy.yml').read_text(encoding='utf-8'))['version']
