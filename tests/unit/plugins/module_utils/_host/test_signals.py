# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals to the module's process at every act: it ends, undoes what it has done, and says both.

Each case is a process of its own that runs the module's main() on a host that is a folder. It waits in the middle of an act until
the signal is sent, so that nothing hangs on how busy the machine is.
"""

import contextlib
import json
import os
import signal
import sys
import types

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._host import undo_log
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.statedir import STATE, interrupted
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._host.hosts import CHRONY_REDHAT, FakeHost

OPTIONS = {'provider': 'chrony', 'servers': ['192.0.2.1'], 'on_unsynchronized': 'fail', 'sync_timeout': 60, 'max_distance': 1.5}


def time_service():
    """The module; where there is no ansible-core for this Python, with its class replaced as it is below anyway."""
    try:
        import ansible.module_utils.basic  # noqa: F401
    except ImportError:
        for name in ('ansible', 'ansible.module_utils', 'ansible.module_utils.basic'):
            sys.modules.setdefault(name, types.ModuleType(name))
        sys.modules['ansible.module_utils.basic'].AnsibleModule = None
    from ansible_collections.aemops.brand_portal.plugins.modules import time_service as module
    return module


def package(path):
    """chrony comes in the place of timesyncd."""
    host = FakeHost(path).has('systemd-timesyncd')
    host.available['systemd-timesyncd'] = {}
    return host


def masked(path):
    """Everything there is to do with units, and a vendor's file that gets a block."""
    host = FakeHost(path, 'alma-9', {'/etc/chrony.conf': CHRONY_REDHAT}).has('chronyd', 'inactive', 'masked', 'chrony')
    return host.has('openntpd')


CASES = [(package, (signal.SIGTERM, signal.SIGHUP)), (package, (signal.SIGHUP,)), (masked, (signal.SIGTERM,)),
         (masked, (signal.SIGINT,)), (masked, (signal.SIGINT, signal.SIGTERM))]


class Ended(Exception):
    """exit_json or fail_json."""


def child(host, options, report, proceed):
    """Run main() with a stop in the middle of each act; returns what the module would print, and the host's state."""
    module = time_service()
    printed = {}

    class Module:
        check_mode = False

        def __init__(self, argument_spec, supports_check_mode):
            self.params = dict({name: spec.get('default') for name, spec in argument_spec.items()}, **options)

        def warn(self, text):
            """Nothing to warn of."""

        def exit_json(self, **result):
            printed.update(result, failed=False)
            raise Ended

        def fail_json(self, **result):
            printed.update(result, failed=True)
            raise Ended

    perform, undo = undo_log.UndoLog.perform, undo_log.UndoLog._undo

    def wait(where):
        os.write(report, where)
        os.read(proceed, 1)

    def in_the_middle(log, entry, act):
        def stopped():
            wait(b'a')
            return act()
        return perform(log, entry, stopped)

    def while_undoing(log, *rest):
        wait(b'u')
        return undo(log, *rest)
    undo_log.UndoLog.perform, undo_log.UndoLog._undo = in_the_middle, while_undoing
    module.AnsibleModule, module.System = Module, lambda: host
    module.capabilities.clock_owner = lambda: None
    module.rtc.write_rtc = lambda: {'device': '/dev/rtc', 'written': True, 'reason': ''}
    with contextlib.suppress(Ended):
        module.main()
    return {'printed': printed, 'units': host.units, 'packages': sorted(host.packages), 'tree': own_tree(host)}


def own_tree(host):
    return {path: text for path, text in host.tree().items() if not path.startswith(STATE)}


def run_and_signal(host, at, numbers):
    """What the process of the module ends with when it gets the first signal in its act `at`, the others while it undoes that."""
    report, proceed, result = os.pipe(), os.pipe(), os.pipe()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            for end in (report[0], proceed[1], result[0]):
                os.close(end)
            answer = child(host, OPTIONS, report[1], proceed[0])
            with os.fdopen(result[1], 'w') as stream:
                json.dump(answer, stream)
            code = 0
        finally:
            os._exit(code)
    for end in (report[1], proceed[0], result[1]):
        os.close(end)
    acts, pending = 0, list(numbers)
    for where in iter(lambda: os.read(report[0], 1), b''):
        acts += where == b'a'
        if pending and (where == b'u' or acts == at):
            os.kill(pid, pending.pop(0))
        os.write(proceed[1], b'.')
    with os.fdopen(result[0]) as stream:
        said = stream.read()
    for end in (report[0], proceed[1]):
        os.close(end)
    assert os.waitpid(pid, 0)[1] == 0, 'the process died of the signal'
    return acts, json.loads(said)


@pytest.mark.parametrize('make, numbers', CASES, ids=lambda each: each.__name__ if callable(each) else '+'.join(
    signal.Signals(number).name for number in each))
def test_a_signal_at_any_act_ends_the_run_and_undoes_it(tmp_path, make, numbers):
    for at in range(1, 50):
        host = make(tmp_path / str(at))
        before = own_tree(host), json.loads(json.dumps(host.units)), sorted(host.packages)
        acts, ended = run_and_signal(host, at, numbers)
        printed = ended['printed']
        if at > acts:
            assert at > 5, 'there was hardly an act'
            assert not printed['failed']
            assert printed['changed'] is True
            return
        assert acts == at, 'no act after the signal'
        assert printed['failed'], at
        assert '{0} was received'.format(signal.Signals(numbers[0]).name) in printed['msg']
        assert 'were restored' in printed['msg']
        assert (printed['changed'], printed['restored'], printed['problems']) == (False, True, [])
        assert printed['advice'] == 'Run again.'
        assert len(printed['acts']) == at
        assert all(act['done'] and act['undone'] for act in printed['acts'])
        assert printed['actions'], 'what was done is said'
        assert (ended['tree'], ended['units'], ended['packages']) == before, at
        assert interrupted(host.path(STATE)) == []
    raise AssertionError('it never came to an end')
