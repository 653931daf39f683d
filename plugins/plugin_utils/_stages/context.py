# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The context of each stage of the role fix_bp_jwt: arguments of the task, options of the role, and modules to run on the host."""

from __future__ import annotations

import datetime
import re
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.credentials import without_credentials
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.printable import all_printable
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _ntplib as controller_ntplib
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _options as options
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._option_names import in_role_words

# Strategies in which all hosts finish a task before the next one begins.
IN_STEP = ('linear', 'debug', 'mitogen_linear', 'mitogen')
OUT_OF_STEP = (
    'The strategy {strategy} of this play lets a host run ahead of the others, so this role could not look at them together or '
    'stop after the first that fails, and no clock is changed. Run the playbook aemops.brand_portal.fix_bp_jwt, which keeps '
    'them in step, or give the play "strategy: linear"'
)

DELEGATED = (
    'delegate_to={0} would run this role on that host for {1}, so nothing about {1} would be proven. Take delegate_to away from '
    'the role. If {1} has another address, set ansible_host'
)

Options = dict[str, t.Any]
Result = dict[str, t.Any]


class NotPassed(AnsibleActionFail):
    """Ends a host as failed in one line, without the excerpt of the task file that ansible-core prints from 2.19 on."""

    omit_exception_key = True

    def __init__(self, message: str, **said: t.Any) -> None:
        """said: further keys of the result."""
        super().__init__(without_credentials(message))
        self.result.pop('exception', None)  # a traceback, before 2.19
        self.result.update(said)


class StageContext:
    """One stage of one task.

    arguments: the validated arguments of the task. variables: those of the host, of which stages read the options of the role, the
    registered results, and facts about the play. template: resolves the templates in a value. execute: runs a module on the host.
    strategy: that of the play.
    """

    def __init__(
        self,
        arguments: t.Mapping[str, t.Any],
        variables: t.Mapping[str, t.Any],
        template: t.Callable[[t.Any], t.Any],
        execute: t.Callable[[str, dict[str, t.Any]], Result],
        check_mode: bool,
        strategy: str,
    ) -> None:
        self.arguments = arguments
        self.variables = variables
        self.template = template
        self.check_mode = check_mode
        self._execute = execute
        self._strategy = strategy

    @property
    def host(self) -> str:
        return self.variables['inventory_hostname']

    def host_options(self) -> Options:
        """Return all options of the role, for the measurement of this host. Raises NotPassed, also for unknown names."""
        return self._options(tuple(options.SPECIFICATION), options.complaints_about_names(self.variables))

    def run_options(self) -> Options:
        """Return the options of the whole run, without reading this host's other options. Raises NotPassed."""
        return self._options(options.OF_THE_RUN)

    def _options(self, names: t.Sequence[str], complaints: t.Sequence[str] = ()) -> Options:
        raw = {name: self.variables[name] for name in names if name in self.variables}
        try:
            resolved = plain(self.template(raw))
        except AnsibleError:
            resolved, complaints = {}, [*complaints, *self._unresolved(raw)]
        chosen, more = ({}, []) if complaints and not resolved else options.check(resolved, names)
        if complaints or more:
            raise NotPassed(' '.join([*complaints, *more, 'Nothing was changed.']))
        return chosen

    def _unresolved(self, raw: t.Mapping[str, t.Any]) -> t.Iterator[str]:
        """Yield an error for each option with a template or a vaulted value that cannot be resolved."""
        for name, value in raw.items():
            try:
                plain(self.template(value))
            except AnsibleError as error:
                yield f'{name} has no value: {str(error).rstrip(".")}.'

    def mode(self, chosen: Options) -> str:
        """Return fix, check, diagnose or rehearse. A diagnosis in check mode is a diagnosis: it must not predict a repair."""
        mode = chosen['fix_bp_jwt_mode']
        return 'check' if mode == 'fix' and self.check_mode else mode

    def runs_in_awx(self) -> bool:
        return 'awx_job_id' in self.variables or 'tower_job_id' in self.variables

    def out_of_step(self) -> str:
        """Return why the hosts of this play are not in lockstep; '' if they are."""
        if self._strategy.rpartition('.')[2] in IN_STEP or len(self.variables['ansible_play_hosts_all']) == 1:
            return ''
        return OUT_OF_STEP.format(strategy=self._strategy)

    def health(self, chosen: Options, agents: list[str], **more: t.Any) -> Result:
        """Return the result of brand_portal_health_info for these agents ([] for all of them)."""
        return self.call('brand_portal_health_info', {
            **aem_access(chosen), 'agents': agents, 'test_timeout': chosen['fix_bp_jwt_test_timeout'],
            'ntp_servers': chosen['fix_bp_jwt_ntp_servers'], 'https_urls': chosen['fix_bp_jwt_https_urls'],
            'https_proxy': chosen['fix_bp_jwt_https_proxy'] or None,
            'max_skew': chosen['fix_bp_jwt_max_skew'], 'timeout': chosen['fix_bp_jwt_timeout'],
            '_ntplib': controller_ntplib.packed_ntplib(), **more,
        })

    def call(self, module: str, arguments: dict[str, t.Any]) -> Result:
        """Run a module of this collection on the host, without arguments that are None; return its result."""
        given = {name: value for name, value in arguments.items() if value is not None}
        result = self._execute(f'aemops.brand_portal.{module}', given)
        result.pop('invocation', None)
        if result.get('failed') and 'module_stderr' in result:
            result['msg'] = _of_a_module_that_did_not_run(result, str(arguments.get('password') or ''))
        elif result.get('failed') and 'msg' in result:
            result['msg'] = in_role_words(str(result['msg']))
        # Text from a host, AEM or Brand Portal must not reach a terminal unchanged.
        return all_printable(result)

    def try_to_call(self, module: str, arguments: dict[str, t.Any]) -> Result:
        """Do the same, but return a failed result if Ansible cannot become root or reach the host."""
        try:
            return self.call(module, arguments)
        except AnsibleError as error:
            return {'failed': True, 'msg': str(error)}


# The last line of a traceback: the exception and its message.
_EXCEPTION = re.compile(r'(?m)^[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt): .*$')
# The message of a shell about a missing become method.
_NO_BECOME = re.compile(r'\b(sudo|su|doas|dzdo|pbrun|pfexec|ksu|machinectl): (command )?not found')


def _of_a_module_that_did_not_run(result: Result, secret: str) -> str:
    """Return Ansible's message and the error output of the host: Python may be missing, too old or broken.

    The standard output is not shown, because a wrapper in place of Python may print the module with its arguments.
    """
    printed = str(result['module_stderr'])
    said = ' '.join((_EXCEPTION.findall(printed) or [printed])[-1].split())[-400:].rstrip('.') or 'without error output'
    said = said.replace(secret, '********') if secret else said
    message = f'{str(result.get("msg") or "the module did not run").rstrip(".")}: {said}'
    if _NO_BECOME.search(said):
        message += '. The become method is not on this host: measuring needs none, and ansible_become_method names another one'
    elif result.get('rc') in (126, 127):
        message += '. See whether ansible_python_interpreter names a Python 3.6 or newer of this host'
    return message


def aem_access(chosen: Options) -> dict[str, t.Any]:
    """Return the options for access to AEM."""
    return {
        'aem_url': chosen['fix_bp_jwt_aem_url'], 'username': chosen['fix_bp_jwt_aem_user'],
        'password': chosen['fix_bp_jwt_aem_password'], 'ca_path': chosen['fix_bp_jwt_ca_path'] or None,
        'validate_certs': chosen['fix_bp_jwt_validate_certs'],
    }


def now() -> str:
    """Return the controller's time in ISO 8601 and UTC."""
    return datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')


def plain(value: t.Any) -> t.Any:
    """Convert Ansible's subclasses of str, because jmespath identifies types by their names, and decrypt what a vault has.

    Up to ansible-core 2.18, a template leaves a vaulted value (!vault) encrypted. Raises AnsibleError if it cannot be decrypted.
    """
    if isinstance(value, t.Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return str(value) if isinstance(value, str) or getattr(value, '__ENCRYPTED__', False) else value
