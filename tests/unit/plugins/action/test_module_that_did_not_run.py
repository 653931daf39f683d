# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of a host on which no module can run, and what is not."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError

from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.context import NotPassed, StageContext

SECRET = 'S3cret!'


def called(**result):
    def execute(_module, _arguments):
        return {'failed': True, 'msg': 'MODULE FAILURE', **result}
    context = StageContext({}, {}, lambda value: value, execute, False, 'linear')
    return context.call('brand_portal_health_info', {'password': SECRET})['msg']


@pytest.mark.parametrize(('rc', 'said'), [
    (127, '/bin/sh: 1: /nowhere/python3: not found'), (126, 'env: python3: Permission denied'), (1, 'SyntaxError: invalid syntax'),
])
def test_what_the_host_said_is_shown(rc, said):
    message = called(rc=rc, module_stderr=said + '\n', module_stdout='')
    assert said in message
    assert ('ansible_python_interpreter' in message) == (rc != 1)


def test_of_a_traceback_only_the_exception_is_shown():
    """On a full disk; with a terminal, ssh adds a line."""
    message = called(rc=1, module_stderr=(
        'Traceback (most recent call last):\n  File "<stdin>", line 107, in <module>\n'
        '  File "/usr/lib/python3.11/tempfile.py", line 362, in _get_default_tempdir\n'
        '    raise FileNotFoundError(_errno.ENOENT,\n          ^^^^^^^^^^^^^^^^^\n'
        "FileNotFoundError: [Errno 2] No usable temporary directory found in ['/tmp']\nShared connection to aem1 closed.\n"))
    assert message == "MODULE FAILURE: FileNotFoundError: [Errno 2] No usable temporary directory found in ['/tmp']"


@pytest.mark.parametrize('said', ['/bin/sh: 1: sudo: not found', 'bash: line 1: doas: command not found'])
def test_a_become_method_that_is_missing_is_not_taken_for_a_missing_python(said):
    message = called(rc=127, module_stderr=said, module_stdout='')
    assert said in message and 'ansible_become_method' in message and 'ansible_python_interpreter' not in message


def test_no_secret_is_shown_whatever_stands_in_for_python():
    assert SECRET not in called(rc=0, module_stderr=f'ran with {SECRET}', module_stdout=f'{{"password": "{SECRET}"}}')


def test_a_module_that_ran_and_failed_says_what_it_says_with_the_options_of_the_role():
    assert called() == 'MODULE FAILURE'
    assert called(msg="ntp_servers: 'a b' has no host.") == "fix_bp_jwt_ntp_servers: 'a b' has no host."


def test_an_option_whose_template_cannot_be_resolved_is_named():
    def template(value):
        if 'nowhere' in str(value):
            raise AnsibleError("'nowhere' is undefined")
        return value
    variables = {'fix_bp_jwt_aem_url': 'http://{{ nowhere }}:4502', 'fix_bp_jwt_aem_user': 'watcher',
                 'fix_bp_jwt_aem_password': SECRET}
    context = StageContext({}, variables, template, lambda *_arguments: {}, False, 'linear')
    with pytest.raises(NotPassed) as refused:
        context.host_options()
    assert str(refused.value).startswith("fix_bp_jwt_aem_url has no value: 'nowhere' is undefined. Nothing was changed.")
    assert context.run_options()['fix_bp_jwt_mode'] == 'fix'  # what the run needs is known all the same


class Vaulted:
    """A value with the tag !vault, as ansible-core 2.16 to 2.18 leave it in variables."""

    __ENCRYPTED__ = True

    def __init__(self, text):
        self.text = text

    def __str__(self):
        if self.text is None:
            raise AnsibleError('Attempting to decrypt but no vault secrets found')
        return self.text


def test_vaulted_options_are_decrypted_or_named():
    def chosen(**vaulted):
        variables = {'fix_bp_jwt_aem_user': 'watcher', 'fix_bp_jwt_aem_password': SECRET,
                     **{f'fix_bp_jwt_{name}': value for name, value in vaulted.items()}}
        return StageContext({}, variables, lambda value: value, lambda *_arguments: {}, False, 'linear').host_options()
    options = chosen(aem_password=Vaulted(SECRET), agents=Vaulted('a, b'), https_urls=[Vaulted('https://x.example.com')],
                     max_skew=Vaulted('7'))
    assert (options['fix_bp_jwt_aem_password'], options['fix_bp_jwt_agents']) == (SECRET, ['a', 'b'])
    assert (options['fix_bp_jwt_https_urls'], options['fix_bp_jwt_max_skew']) == (['https://x.example.com'], 7)
    assert isinstance(options['fix_bp_jwt_aem_password'], str)
    with pytest.raises(NotPassed) as refused:
        chosen(aem_password=Vaulted(None))
    assert str(refused.value).startswith('fix_bp_jwt_aem_password has no value: Attempting to decrypt')
