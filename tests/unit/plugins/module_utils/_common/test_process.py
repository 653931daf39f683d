# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands: their limit holds for their children too, on every Python."""

import errno
import os
import signal
import subprocess
import time

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._common import process

# Long enough for any machine to show that the limit did not hold; nothing waits for it where it does.
FOREVER = '300'
LIMIT = 77.0


def run(script, timeout=60.0, **more):
    return process.run(['/bin/sh', '-c', script], timeout, **more)


def alive(pid):
    """Whether the process runs: a zombie does not."""
    try:
        with open('/proc/{0}/stat'.format(pid), encoding='utf-8') as stream:
            return stream.read().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


def wait_for(condition):
    for _attempt in range(3000):
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError('it did not happen')


@pytest.fixture
def late(monkeypatch):
    """The limit passes at the moment the command has made the file that it is given, however busy the machine is."""
    def passes_with(path):
        real = subprocess.Popen.wait

        def wait(self, timeout=None):
            if timeout != LIMIT:
                return real(self, timeout)
            wait_for(path.exists)
            raise subprocess.TimeoutExpired(self.args, timeout)
        monkeypatch.setattr(subprocess.Popen, 'wait', wait)
        return path
    return passes_with


def test_output_and_exit_code():
    done = run('echo out; echo err >&2; exit 3')
    assert done == (3, 'out\n', 'err\n')
    assert (done.said, done.complaint) == ('err out', 'err')
    assert run('exit 3').complaint == 'it ended with 3'
    assert run(r'printf "\033[2Jgone\n" >&2').complaint == r'\x1b[2Jgone', 'no terminal obeys what a command says'
    assert run('echo "$LC_ALL $FOO $PATH"', environment={'FOO': 'bar'}).out.split()[:2] == ['C', 'bar']
    assert run('cat').out == '', 'standard input is empty'
    assert run('kill -9 $$').code == -9


def test_a_command_that_is_not_there():
    assert process.run(['/no/such/command'], 1.0) == (127, '', '/no/such/command: No such file or directory')


def test_a_grandchild_that_holds_the_output_does_not_hold_this_process():
    began = time.monotonic()
    done = run('sleep {0} & echo $!'.format(FOREVER))
    os.kill(int(done.out), signal.SIGKILL)
    assert (done.code, time.monotonic() - began < float(FOREVER) / 2) == (0, True)


def test_the_limit_ends_the_whole_group(tmp_path, late):
    """As dpkg's and rpm's scripts do: children that go on by themselves."""
    ready = late(tmp_path / 'ready')
    done = run('sleep {0} & echo $$ $!; echo waits >&2; touch {1}; wait'.format(FOREVER, ready), LIMIT)
    assert done.code == process.TOOK_TOO_LONG
    assert 'did not end within 77 s' in done.complaint
    assert done.complaint.endswith('waits')
    pids = done.out.split()
    assert len(pids) == 2
    wait_for(lambda: not any(alive(pid) for pid in pids))


def test_term_comes_before_kill_and_is_given_its_time(tmp_path, late):
    """What a package manager needs to leave its database whole."""
    ready = late(tmp_path / 'ready')
    done = run('trap "sleep 0.3; echo cleaned; exit 0" TERM; touch {0}; while :; do sleep 0.05; done'.format(ready),
               LIMIT, grace=float(FOREVER))
    assert (done.code, done.out) == (process.TOOK_TOO_LONG, 'cleaned\n')


def test_a_child_that_survives_its_parent_is_given_the_grace_too(tmp_path, late):
    ready = late(tmp_path / 'ready')
    script = '(trap "sleep 0.5; echo cleaned; exit 0" TERM; touch {0}; while :; do sleep 0.05; done) & wait'.format(ready)
    done = run(script, LIMIT, grace=10.0)
    assert done.out == 'cleaned\n'


def test_what_ignores_term_is_killed(tmp_path, late):
    ready = late(tmp_path / 'ready')
    done = run('trap "" TERM; echo $$; touch {0}; while :; do sleep 0.05; done'.format(ready), LIMIT, grace=0.2)
    assert done.code == process.TOOK_TOO_LONG
    wait_for(lambda: not alive(done.out.strip()))


def test_a_signal_for_this_process_does_not_reach_the_command():
    assert run('echo $(ps -o pgid= -p $$) $$').out.split()[0] != str(os.getpgrp())


def test_an_exception_leaves_no_command_behind(tmp_path, monkeypatch):
    class Stop(Exception):
        pass
    real = subprocess.Popen.wait

    def wait(self, timeout=None):
        if timeout != LIMIT:
            return real(self, timeout)
        wait_for(lambda: (tmp_path / 'pid').exists() and (tmp_path / 'pid').read_text().strip())
        raise Stop
    monkeypatch.setattr(subprocess.Popen, 'wait', wait)
    with pytest.raises(Stop):
        run('echo $$ > {0}; exec sleep {1}'.format(tmp_path / 'pid', FOREVER), LIMIT)
    assert not alive((tmp_path / 'pid').read_text().strip())


def test_output_that_fits_no_pipe():
    assert len(run('head -c 5000000 /dev/zero | tr "\\0" x').out) == 5000000


def test_where_a_library_refuses_to_sleep_commands_run_all_the_same(monkeypatch):
    def refuses(_seconds):
        raise OSError(errno.EINVAL, 'Invalid argument')
    monkeypatch.setattr(time, 'sleep', refuses)
    assert process.run(['sh', '-c', 'sleep 0.05; echo well'], 20.0).out == 'well\n'
    assert process.run(['sleep', '60'], 0.05, grace=1.0).code == process.TOOK_TOO_LONG


def test_output_does_not_go_to_a_memory_that_is_full(tmp_path, monkeypatch):
    """rpm ignores that, and a list of packages without its end would name packages as missing."""
    asked = []
    real = process.tempfile.TemporaryFile
    monkeypatch.setattr(process.tempfile, 'TemporaryFile', lambda dir=None: (asked.append(dir), real(dir=tmp_path))[1])
    full = os.statvfs_result((4096, 4096, 1000, 10, 10, 0, 0, 0, 0, 255))
    monkeypatch.setattr(process.os, 'statvfs', lambda _path: full)
    assert run('echo out').out == 'out\n'
    assert asked == [None, None]
