# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of a host on which no module can run, and what is not."""

from __future__ import annotations

import pytest

from ansible_collections.aemops.brand_portal.plugins.plugin_utils._stages.context import StageContext

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


def test_no_secret_is_shown_whatever_stands_in_for_python():
    assert SECRET not in called(rc=0, module_stderr=f'ran with {SECRET}', module_stdout=f'{{"password": "{SECRET}"}}')


def test_a_module_that_ran_and_failed_says_what_it_says():
    assert called() == 'MODULE FAILURE'
