# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong in the thread that tests the agents becomes a result: in a thread it would be lost, and read as "no agents"."""

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._aem.answer import AemError
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem.argspec import AEM_OPTIONS
from ansible_collections.aemops.brand_portal.plugins.modules import brand_portal_health_info

PASSWORD = 'S3cret-in-an-exception'
SKEW = {'verdict': 'in_sync', 'direction': 'none', 'verified': True, 'reference_time': '2026-11-26T12:00:00Z'}


def agent_tests():
    params = {name: about.get('default') for name, about in AEM_OPTIONS.items()}
    return brand_portal_health_info.AgentTests(dict(params, username='watcher', password=PASSWORD))


def failing_with(error):
    def fail(*_arguments):
        raise error
    return fail


@pytest.mark.parametrize('error', [
    ValueError('not a header: Basic ' + PASSWORD), KeyError(PASSWORD), RuntimeError(), RecursionError('maximum recursion depth')])
def test_an_unexpected_error_is_named_by_its_kind_alone(monkeypatch, error):
    tests = agent_tests()
    tests.chosen = ['an agent']
    monkeypatch.setattr(brand_portal_health_info.test, 'run', failing_with(error))
    tests.start()
    tests.join(60)
    assert tests.aem['state'] == 'failed'
    assert f'({type(error).__name__})' in tests.aem['message'] and PASSWORD not in tests.aem['message']
    assert tests.concluded(SKEW) == [] and tests.sources() == []


def test_the_same_while_the_agents_are_listed(monkeypatch):
    tests = agent_tests()
    monkeypatch.setattr(tests.client, 'list_agents', failing_with(TypeError(PASSWORD)))
    tests.find_agents()
    tests.run()
    assert (tests.aem['state'], PASSWORD in tests.aem['message'], tests.chosen, tests.tests) == ('failed', False, [], [])


def test_what_aem_says_is_passed_on(monkeypatch):
    tests = agent_tests()
    monkeypatch.setattr(tests.client, 'list_agents', failing_with(AemError('starting', 'AEM is still starting (503).')))
    tests.find_agents()
    assert tests.aem == {'state': 'starting', 'message': 'AEM is still starting (503).'}
