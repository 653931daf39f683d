# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports inside of functions, when threads come to them at once."""

import subprocess
import sys
import zipfile
from pathlib import Path

PLUGINS = Path(__file__).resolve().parents[5] / 'plugins'
SLOWLY = 'import time, builtins\nbuiltins.loading.set()\ntime.sleep(0.5)\n'
FAILING_AGENTS = '''
import builtins, collections, sys, threading
sys.path.insert(0, sys.argv[1])
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import answer, client, connection_test

Agent = collections.namedtuple('Agent', 'name tenant')
loading = threading.Event()


class Redactor:
    def line(self, text):
        return text


class Aem:
    redactor = Redactor()

    def test_page(self, name, timeout):
        # The first one begins to load the table of causes; the others come to it in the middle of that.
        if name != 'agent0':
            loading.wait(60)
        raise answer.TimedOut('unreachable', 'no answer')

    def queue_of(self, name):
        raise client.AemError('unreachable', 'no answer')


builtins.loading = loading
agents = [Agent('agent{}'.format(number), 'acme') for number in range(8)]
print([result['cause'] for result in connection_test.run(Aem(), agents, 1.0, 8)])
'''


def test_agents_that_fail_at_once_on_a_host(tmp_path):
    """The modules lie in a zip file there. Red on Python 3.6 to 3.9: "module 'causes' has no attribute ..."."""
    packed = tmp_path / 'payload.zip'
    with zipfile.ZipFile(str(packed), 'w', zipfile.ZIP_DEFLATED) as file:
        package = 'ansible_collections/aemops/brand_portal/plugins/module_utils/'
        for path in (PLUGINS / 'module_utils').rglob('*.py'):
            text = path.read_text(encoding='utf-8')
            if path.name == 'causes.py':
                text = SLOWLY + text
            file.writestr(package + path.relative_to(PLUGINS / 'module_utils').as_posix(), text)
        for folder in {parent for name in file.namelist() for parent in Path(name).parents if parent.name}:
            if f'{folder.as_posix()}/__init__.py' not in file.namelist():
                file.writestr(f'{folder.as_posix()}/__init__.py', '')
    done = subprocess.run([sys.executable, '-S', '-c', FAILING_AGENTS, str(packed)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, check=False)
    assert (done.stdout, done.stderr) == (f'{["test_timeout"] * 8}\n', '')
