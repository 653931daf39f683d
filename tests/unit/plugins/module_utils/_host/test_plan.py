# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which daemon is chosen, and what has to be done for it: from facts alone."""

import json
from types import SimpleNamespace

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.files import fingerprint
from ansible_collections.aemops.brand_portal.plugins.module_utils._host import guest_sync
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import texts
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.texts import File
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.wanted import Refused
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.lasting import stored
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.plan import (
    EDITED,
    Change,
    choose,
    hash_of,
    make_plan,
    refuse_removals,
)

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
    with pytest.raises(Refused, match='provider=auto cannot do NTS. Use provider=chrony'):
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


@pytest.mark.parametrize('more, sentence, header', [
    ({'boot': [(File('/etc/boot', 'x\n'), None)]}, 'write /etc/boot', ['/etc/boot']),
    ({'wait': 'chrony-wait.service'}, 'enable chrony-wait.service', []), ({'guest': True}, guest_sync.TURN_OFF, [])])
def test_each_act_alone_is_a_reason_for_a_run(more, sentence, header):
    chosen = facts('chrony', 'installed active enabled')
    plan = make_plan([chosen], chosen, [], True, **more)
    assert (plan.needed, plan.sentences) == (True, [sentence])
    assert [diff['after_header'] for diff in plan.diff()] == header


def test_the_diff_shows_the_files_and_then_the_states_of_the_units():
    chosen = facts('ntpsec', 'installed masked')
    plan = make_plan([facts('chrony', 'installed active enabled'), chosen], chosen, [(File('/etc/ours', 'x\n'), None)], True,
                     [(File('/etc/boot', 'x\n'), None)])
    assert [diff['after_header'] for diff in plan.diff()] == ['/etc/ours', '/etc/boot', 'units']
    assert plan.diff()[-1]['before'] == 'chrony.service: running, enabled\nntpsec.service: stopped, masked\n'
    assert plan.diff()[-1]['after'] == 'chrony.service: stopped, disabled\nntpsec.service: running, enabled\n'


@pytest.mark.parametrize('before, text, sentence, backup', [
    ('theirs\n', 'ours', 'add the block of this role in /etc/conf', True),
    (f'theirs\n{texts.BLOCK_BEGIN}\n', 'ours', 'change the block of this role in /etc/conf', False),
    (f'theirs\n{texts.BLOCK_BEGIN}\n', '', 'remove the block of this role in /etc/conf', False),
    (None, 'ours', 'add the block of this role in /etc/conf', False)])
def test_what_is_said_of_a_block_and_whether_the_file_is_kept(before, text, sentence, backup):
    change = Change(File('/etc/conf', text, block=True), before, 'after')
    assert (change.sentence, bool(change.backup)) == (sentence, backup)
    assert not backup or change.backup == '/etc/conf.before-' + texts.OWN_NAME


def test_each_edit_is_kept_under_a_name_of_its_own_that_reveals_no_key():
    plain, other, secret = (Change(File('/etc/conf', 'ours\n', secret=hidden), text, 'ours\n', EDITED)
                            for hidden, text in ((False, 'one\n'), (False, 'two\n'), (True, 'one\n')))
    assert plain.sentence == f'change /etc/conf, {EDITED} (kept as {plain.backup})'
    names = [change.backup.replace('/etc/conf.edited-', '') for change in (plain, other, secret)]
    assert len(set(names)) == 3
    assert [hash_of(change.before).startswith(name) for change, name in zip((plain, other, secret), names)] == [True, True, False]


@pytest.mark.parametrize(('removes', 'said'), [
    ({'ntp:i386': '', 'sntp': '', 'systemd-timesyncd': ''}, ''), ({'ntpsec': '', 'site-clock:amd64': ''}, 'site-clock:amd64'),
    ({'chrony': ''}, ''), ({'ubuntu-minimal': '', 'ntpdate': '', 'openssh-server': ''}, 'openssh-server and ubuntu-minimal'),
    ({'ntp': '', 'systemd': ''}, 'systemd')])
def test_which_packages_a_daemon_may_take_the_place_of(removes, said):
    assert refuse_removals('chrony', removes) == said
