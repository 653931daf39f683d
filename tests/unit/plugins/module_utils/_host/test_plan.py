# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which daemon is chosen, and what has to be done for it: from facts alone."""

import json
from types import SimpleNamespace

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.files import fingerprint
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.texts import File
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.wanted import Refused
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.lasting import stored
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.plan import choose, make_plan

NOTHING = SimpleNamespace(features=[])


def facts(name, words='', package=None):
    """words: of installed, masked, condition, active, enabled."""
    known = {key: key in words.split() for key in ('installed', 'masked', 'active', 'enabled')}
    return dict(known, name=name, unit=name + '.service', condition='a condition' if 'condition' in words else '',
                package=name if package is None else package)


@pytest.mark.parametrize('hosts, chosen', [
    # One that works is kept, chrony or not; that it runs counts for more than that it starts at boot.
    ([('chrony', 'installed'), ('ntpsec', 'installed active enabled')], 'ntpsec'),
    ([('chrony', 'installed enabled'), ('ntpsec', 'installed active')], 'ntpsec'),
    ([('chrony', 'installed active'), ('ntpsec', 'installed active enabled')], 'ntpsec'),
    ([('chrony', 'installed active enabled'), ('ntpsec', 'installed active enabled')], 'chrony'),
    ([('chrony', ''), ('ntpsec', 'installed enabled')], 'ntpsec'),
    # What is masked, or whose condition is not met, does not work.
    ([('chrony', 'installed'), ('ntpsec', 'installed active enabled masked')], 'chrony'),
    ([('chrony', 'installed masked'), ('ntpsec', 'installed')], 'chrony'),
    ([('chrony', ''), ('ntpsec', 'installed active enabled condition')], 'chrony'),
    ([('chrony', 'installed active enabled condition'), ('ntpsec', '')], 'ntpsec'),
    ([('chrony', 'installed condition'), ('ntpsec', 'installed active condition')], 'chrony'),
    # What is not there does not work, whatever is left of it.
    ([('chrony', ''), ('ntpsec', 'active enabled')], 'chrony'),
    # Else what is installed and not masked, else chrony.
    ([('chrony', ''), ('ntpsec', 'installed')], 'ntpsec'),
    ([('chrony', ''), ('ntpsec', 'installed masked')], 'chrony'),
    ([('ntpsec', ''), ('chrony', '')], 'chrony'),
])
def test_the_daemon_that_is_chosen(hosts, chosen):
    for order in (hosts, hosts[::-1]):
        assert choose([facts(*host) for host in order], 'auto', NOTHING)['name'] == chosen


def test_a_daemon_that_can_neither_be_had_nor_do_what_is_asked_is_not_chosen():
    assert choose([facts('chrony', package=''), facts('ntpsec')], 'auto', NOTHING)['name'] == 'ntpsec'
    nts = SimpleNamespace(features=['nts'])
    assert choose([facts('ntpd', 'installed active enabled'), facts('chrony')], 'auto', nts)['name'] == 'chrony'
    with pytest.raises(Refused, match='provider=ntpd: this system has no package for it'):
        choose([facts('chrony', 'installed')], 'ntpd', NOTHING)
    with pytest.raises(Refused, match='timesyncd is installed, and no package of them is known') as none:
        choose([facts('chrony', package=''), facts('ntpsec', package='')], 'auto', NOTHING)
    assert none.value.advice == 'Install one of them by hand, then run again.'
    with pytest.raises(Refused, match='cannot do'):
        choose([facts('timesyncd', 'installed active enabled')], 'auto', nts)


@pytest.mark.parametrize('others, replaces, replaced, competitors', [
    ([('ntpsec', 'installed active enabled'), ('openntpd', 'installed')], True, ['ntpsec', 'openntpd'], []),
    ([('ntpsec', 'installed active enabled'), ('openntpd', 'installed')], False, [], ['ntpsec']),
    ([('ntpsec', 'active')], True, [], ['ntpsec']), ([('ntpsec', 'enabled')], True, [], []),
    ([('ntpsec', 'installed enabled')], False, [], ['ntpsec'])])
def test_what_an_installation_replaces_and_what_is_stopped(others, replaces, replaced, competitors):
    chosen = facts('chrony')
    plan = make_plan([chosen] + [facts(*other) for other in others], chosen, [], replaces)
    assert (plan.package, plan.unmask, plan.enable, plan.start) == ('chrony', False, True, True)
    assert [each['name'] for each in plan.replaced] == replaced
    assert [each['name'] for each in plan.competitors] == competitors


@pytest.mark.parametrize('words, package, unmask, enable, start', [
    ('installed active enabled', '', False, False, False), ('installed masked', '', True, True, True),
    ('installed enabled', '', False, False, True), ('installed active', '', False, True, False), ('', 'chrony', False, True, True)])
def test_what_the_unit_needs(words, package, unmask, enable, start):
    chosen = facts('chrony', words)
    plan = make_plan([chosen, facts('ntpsec', 'installed')], chosen, [], True)
    assert (plan.package, plan.unmask, plan.enable, plan.start) == (package, unmask, enable, start)
    assert [each['name'] for each in plan.replaced] == (['ntpsec'] if package else [])
    assert plan.needed is bool(package or unmask or enable or start)


def test_only_files_that_change_are_written():
    chosen = facts('chrony', 'installed active enabled')
    file = File('/etc/ours', 'text\n')
    assert make_plan([chosen], chosen, [(file, 'text\n')], True).needed is False
    ours = stored(json.dumps({'files': {'/etc/ours': fingerprint(b'other\n')}}))
    for before in (None, 'other\n', 'theirs\n'):
        plan = make_plan([chosen], chosen, [(file, before)], True, known=ours)
        assert [(change.before, change.after) for change in plan.changes] == [(before, 'text\n')]
        [sentence] = plan.sentences
        assert sentence.startswith('write /etc/ours' if before is None else 'change /etc/ours')
        assert ('which another administrator has edited' in sentence) is (before == 'theirs\n')
    gone = File('/etc/ours', None)
    assert make_plan([chosen], chosen, [(gone, None)], True).needed is False
    assert make_plan([chosen], chosen, [(gone, 'other\n')], True, known=ours).sentences == ['remove /etc/ours']
