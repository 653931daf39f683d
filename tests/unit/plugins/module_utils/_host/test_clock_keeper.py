# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether anything keeps a clock: hosts as trees of files, the kernel's word, and daemons that answer as the real ones do."""

import os
import socket
import struct
import threading

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.kernel import KernelClock
from ansible_collections.aemops.brand_portal.plugins.module_utils._host import clock_keeper
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.clock_keeper import DaemonAnswer

SAYS_SO, DENIES = KernelClock(True, 0.05, 0.001), KernelClock(False, 16.0, 16.0)
NOW = 1.8e9


class Tree:
    """A host: its processes, their services, its files."""

    def __init__(self, root):
        self.root = root
        self.process(1, 'systemd', '/sbin/init')

    def write(self, path, text='', age=None):
        real = os.path.join(self.root, path.lstrip('/'))
        os.makedirs(os.path.dirname(real), exist_ok=True)
        with open(real, 'w', encoding='utf-8') as stream:
            stream.write(text)
        if age is not None:
            os.utime(real, (NOW - age, NOW - age))

    def process(self, pid, name, *command, unit='', version=2):
        self.write(f'/proc/{pid}/comm', name + '\n')
        self.write(f'/proc/{pid}/cmdline', '\0'.join(command or [name]) + '\0')
        if unit:
            folder = '/sys/fs/cgroup' + ('/systemd' if version == 1 else '')
            self.write(f'{folder}/system.slice/{unit}.service/cgroup.procs', f'{pid}\n')

    def look(self, kernel=DENIES, answer=None, run=None, owner=None):
        asks = {name: lambda: answer for name in ('chronyd', 'ntpd')}
        return clock_keeper.look(run, str(self.root), lambda: kernel, asks, lambda: NOW, lambda: owner)


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def verdict(found):
    return found['state'], found['by'], found['reason']


@pytest.mark.parametrize(('name', 'kernel', 'keeper'), [
    ('phc2sys', SAYS_SO, 'phc2sys'), ('phc2sys', DENIES, ''), ('VBoxService', DENIES, 'VirtualBox guest additions'),
    ('systemd-timesyn', SAYS_SO, ''), ('statime', SAYS_SO, 'statime')])
def test_what_keeps_a_clock_beside_which_no_daemon_may_run(tree, name, kernel, keeper):
    tree.process(7, name)
    assert clock_keeper.lasting_steerer(tree.look(kernel)) == keeper


SYNCED, LOST, OWN = DaemonAnswer(True, '192.0.2.1'), DaemonAnswer(False, ''), DaemonAnswer(False, '', True)


@pytest.mark.parametrize('process, unit, kernel, answer, state, reason', [
    ('chronyd', 'chrony', SAYS_SO, SYNCED, 'kept', ''),
    ('chronyd', 'chronyd', DENIES, SYNCED, 'kept', ''),                 # without rtcsync
    ('chronyd', 'chrony', DENIES, LOST, 'not_kept', 'not_synchronized'),
    ('chronyd', 'chrony', SAYS_SO, LOST, 'not_kept', 'not_synchronized'),   # the kernel forgets after nine hours only
    ('chronyd', 'chrony', DENIES, OWN, 'not_kept', 'own_clock'),
    ('chronyd', 'chrony', SAYS_SO, None, 'kept', ''),                   # cmdport 0
    ('ntpd', 'ntpsec', SAYS_SO, SYNCED, 'kept', ''),
    ('ntpd', 'ntpd', SAYS_SO, OWN, 'not_kept', 'own_clock'),            # server 127.127.1.0
    ('ntpd', 'ntp', DENIES, SYNCED, 'kept', ''),                        # disable kernel
    ('ntpd', 'ntp', SAYS_SO, None, 'kept', ''),                         # restrict noquery
    ('ntpd', 'ntp', DENIES, None, 'not_kept', 'not_synchronized'),
    ('systemd-timesyn', 'systemd-timesyncd', SAYS_SO, None, 'kept', ''),
    ('systemd-timesyn', 'systemd-timesyncd', DENIES, None, 'not_kept', 'not_synchronized'),
    ('ntp-daemon', 'ntpd-rs', SAYS_SO, None, 'kept', ''),
    ('ntp-daemon', 'ntpd-rs', DENIES, None, 'not_kept', 'not_synchronized'),
])
@pytest.mark.parametrize('version', [0, 1, 2])
def test_daemons(tree, process, unit, kernel, answer, state, reason, version):
    tree.process(77, process, f'/usr/sbin/{process}', unit=unit if version else '', version=version)
    tree.write('/etc/chrony.conf', 'rtcsync\n')
    found = tree.look(kernel, answer)
    assert (found['state'], found['reason']) == (state, reason)
    assert found['by'] != '' and found['by'] in found['msg']
    assert found['source'] == ('192.0.2.1' if answer is SYNCED else '')


@pytest.mark.parametrize('command, reason', [
    (['chronyd', '-x'], 'no_control_of_clock'), (['chronyd', '-F', '1', '-x'], 'no_control_of_clock'),
    (['chronyd', '-4x'], 'no_control_of_clock'), (['chronyd', '-f', '-x'], ''), (['chronyd', '-F', '-1'], ''),
    (['chronyd', '-u', 'x'], ''), (['chronyd', '-U', '-x'], 'no_control_of_clock'),
    (['chronyd', '--odd', '-x'], 'no_control_of_clock')])
def test_a_chronyd_with_x_keeps_nothing_whatever_it_says(tree, command, reason):
    tree.process(77, 'chronyd', *command, unit='chrony')
    assert tree.look(DENIES, SYNCED)['reason'] == reason


def test_x_of_ntpd_means_something_else(tree):
    tree.process(77, 'ntpd', 'ntpd', '-x', unit='ntp')
    assert tree.look(SAYS_SO, SYNCED)['state'] == 'kept'


@pytest.mark.parametrize(('command', 'path', 'kernel', 'answer', 'state'), [
    (['ntpd', '-g'], '/etc/ntp.conf', DENIES, SYNCED, 'not_kept'), (['ntpd', '-c', '/a', '-g'], '/a', None, SYNCED, 'not_kept'),
    (['ntpd', '-g', '-N'], '/etc/ntpsec/ntp.d/site.conf', DENIES, SYNCED, 'not_kept'),
    (['ntpd', '-c', '/b'], '/etc/ntp.conf', DENIES, SYNCED, 'kept'),
    # It was not restarted since the line was written: it sets the clock.
    (['ntpd', '-g'], '/etc/ntp.conf', SAYS_SO, SYNCED, 'kept')])
def test_an_ntpd_that_may_not_set_the_clock_keeps_nothing(tree, command, path, kernel, answer, state):
    tree.process(7, 'ntpd', *command, unit='ntpd')
    if 'ntpsec' in path:
        tree.write('/etc/ntpsec/ntp.conf', 'server a\n')
    tree.write(path, 'disable monitor ntp\n')
    found = tree.look(kernel, answer)
    assert verdict(found) == (state, 'ntpd', 'no_control_of_clock' if state == 'not_kept' else '')
    assert ('ntpd runs with "disable ntp"' in found['msg']) == (state == 'not_kept')


def test_no_daemon(tree):
    assert verdict(tree.look(DENIES)) == ('not_kept', '', 'no_time_daemon')
    # It was stopped a moment ago: the kernel goes on to say so.
    assert verdict(tree.look(SAYS_SO)) == ('not_kept', '', 'no_time_daemon')


def test_a_service_that_has_ended_is_no_daemon(tree):
    tree.write('/sys/fs/cgroup/system.slice/chrony.service/cgroup.procs', '77\n')
    assert tree.look()['reason'] == 'no_time_daemon'


def test_a_daemon_nobody_here_knows_is_believed_as_far_as_the_kernel(tree):
    tree.process(77, 'clockspeed')
    assert verdict(tree.look(SAYS_SO)) == ('kept', 'clockspeed', '')
    assert verdict(tree.look(DENIES)) == ('not_kept', 'clockspeed', 'not_synchronized')


@pytest.mark.parametrize('name', ['chrony_exporter', 'ntpd_exporter', 'check_ntpd', 'ptp0', 'ntpstat', 'chronyc'])
def test_what_only_watches_a_daemon_keeps_no_clock(tree, name):
    tree.process(77, name)
    assert tree.look(SAYS_SO)['reason'] == 'no_time_daemon'


@pytest.mark.parametrize(('name', 'command'), [
    ('ptpd2', []), ('sfptpd', []), ('statime-linux', []), ('ntimed-client', []), ('ntpclient', []), ('dntpd', []),
    ('busybox', ['/bin/busybox', 'ntpd', '-n']), ('busybox', ['ntpd', '-p', 'pool.example'])])
def test_what_keeps_a_clock_by_another_name(tree, name, command):
    tree.process(77, name, *command)
    assert tree.look(SAYS_SO)['state'] == 'kept'


def test_busybox_is_many_programs(tree):
    tree.process(77, 'busybox', '/bin/busybox', 'crond')
    assert tree.look(SAYS_SO)['reason'] == 'no_time_daemon'


def test_openntpd_has_the_process_name_of_ntpd(tree):
    tree.process(77, 'ntpd', 'ntpd: ntp engine')
    tree.write('/var/lib/openntpd/db/ntpd.drift', '1.0', age=600)
    assert verdict(tree.look(DENIES, LOST)) == ('kept', 'openntpd', '')


@pytest.mark.parametrize('config, age, state', [
    ('pool x\n', 600, 'kept'), ('pool x\n', 20000, 'unknown'), ('pool x\n', None, 'unknown'),
    ('pool x\nrtcsync\n', None, 'not_kept')])
def test_a_chronyd_that_may_not_be_asked_leaves_its_drift(tree, config, age, state):
    tree.process(77, 'chronyd', unit='chronyd')
    tree.write('/etc/chrony.conf', config)
    if age:
        tree.write('/var/lib/chrony/drift', '1 1', age=age)
    assert tree.look(DENIES)['state'] == state


@pytest.mark.parametrize('said, kernel, state', [
    ('Enabled\n', DENIES, 'kept'), ('Disabled\n', DENIES, 'not_kept'), (None, DENIES, 'unknown'), (None, SAYS_SO, 'kept')])
def test_vmware_tools(tree, said, kernel, state):
    tree.process(77, 'vmtoolsd', '/usr/bin/vmtoolsd', unit='vmtoolsd')
    asked = []
    found = tree.look(kernel, run=said and (lambda command: asked.append(command) or said))
    assert found['state'] == state and found['by'] == 'VMware tools'
    assert asked == ([['vmware-toolbox-cmd', 'timesync', 'status']] if said else [])


def test_a_daemon_beside_vmware_tools_is_the_one_that_keeps_and_no_command_is_run(tree):
    tree.process(70, 'vmtoolsd', unit='vmtoolsd')
    tree.process(77, 'chronyd', unit='chronyd')
    assert tree.look(SAYS_SO, SYNCED, run=lambda command: pytest.fail('run'))['by'] == 'chronyd'


# The first of PROGRAMS need not be the one that keeps the clock.


def test_a_chronyd_that_only_serves_beside_a_timesyncd_that_keeps(tree):
    tree.process(70, 'chronyd', 'chronyd', '-x', unit='chrony')
    assert tree.look(DENIES)['reason'] == 'no_control_of_clock'
    tree.process(77, 'systemd-timesyn', unit='systemd-timesyncd')
    tree.write('/run/systemd/timesync/synchronized', age=60)
    assert verdict(tree.look(DENIES)) == ('kept', 'systemd-timesyncd', '')
    tree.write('/run/systemd/timesync/synchronized', age=90000)
    assert verdict(tree.look(DENIES)) == ('not_kept', 'chronyd', 'no_control_of_clock')


@pytest.mark.parametrize('said, state, by', [
    ('Enabled\n', 'kept', 'VMware tools'), ('Disabled\n', 'not_kept', 'chronyd'), (None, 'unknown', 'VMware tools')])
@pytest.mark.parametrize('kernel', [SAYS_SO, DENIES])      # by the chronyd of hours ago
def test_vmware_tools_beside_a_chronyd_that_has_lost_its_sources(tree, kernel, said, state, by):
    tree.process(70, 'vmtoolsd', unit='vmtoolsd')
    tree.process(77, 'chronyd', unit='chronyd')
    found = tree.look(kernel, LOST, run=said and (lambda command: said))
    assert (found['state'], found['by'], found['source']) == (state, by, '')


@pytest.mark.parametrize('kernel', [SAYS_SO, DENIES])
def test_phc2sys_beside_a_chronyd_that_may_not_set_the_clock(tree, kernel):
    tree.process(70, 'chronyd', 'chronyd', '-x', unit='chrony')
    tree.process(77, 'phc2sys')
    assert tree.look(kernel)['state'] == 'unknown'


def test_phc2sys_alone_is_believed_by_the_kernel_and_else_not_known(tree):
    tree.process(77, 'phc2sys', unit='phc2sys')
    assert tree.look(SAYS_SO)['state'] == 'kept'
    assert tree.look(DENIES)['state'] == 'unknown'      # linuxptp before 3.1 does not tell the kernel


@pytest.mark.parametrize('unit', ['phc2sys', ''])
def test_phc2sys_that_sets_the_clock_of_a_network_card_keeps_none(tree, unit):
    tree.process(77, 'phc2sys', '/usr/sbin/phc2sys', '-s', 'CLOCK_REALTIME', '-c', 'eth0', **({'unit': unit} if unit else {}))
    found = tree.look(SAYS_SO)
    assert (found['state'], found['reason']) == ('not_kept', 'no_time_daemon')


def test_the_fresh_one_of_two_drift_files_counts(tree):
    tree.process(77, 'ntpd', unit='ntp')
    tree.write('/var/lib/ntp/ntp.drift', '1.0', age=90 * 86400)     # of a package that was replaced
    tree.write('/var/lib/ntp/drift', '1.0', age=600)
    assert tree.look(DENIES)['state'] == 'kept'


@pytest.mark.parametrize('command, state', [(['VBoxService'], 'kept'), (['VBoxService', '--disable-timesync'], 'not_kept')])
def test_virtualbox(tree, command, state):
    tree.process(77, 'VBoxService', *command)
    assert tree.look()['state'] == state


@pytest.mark.parametrize('kernel, state', [(SAYS_SO, 'kept'), (DENIES, 'unknown'), (None, 'unknown')])
def test_a_container_has_the_clock_of_its_machine(tree, kernel, state):
    assert tree.look(kernel, owner='the clock belongs to the machine')['state'] == state
    tree.process(77, 'chronyd', 'chronyd', '-x', unit='chrony')     # of the container, or of the machine
    assert tree.look(kernel, SYNCED, owner='the clock belongs to the machine')['state'] == state


def test_processes_that_this_account_may_not_see_are_not_missing(tree):
    os.remove(os.path.join(tree.root, 'proc/1/comm'))
    assert tree.look(DENIES)['state'] == 'unknown'
    assert tree.look(SAYS_SO)['state'] == 'kept'


def test_without_the_word_of_the_kernel(tree):
    tree.process(77, 'systemd-timesyn', unit='systemd-timesyncd')
    assert tree.look(None)['state'] == 'not_kept'
    tree.write('/run/systemd/timesync/synchronized', age=3600)
    assert tree.look(None)['state'] == 'kept'
    tree.write('/run/systemd/timesync/synchronized', age=5 * 3600)
    assert tree.look(None)['state'] == 'not_kept'


@pytest.mark.parametrize(('age', 'config', 'kernel', 'state'), [
    (60, '', SAYS_SO, 'kept'), (60, '', DENIES, 'kept'),         # the hardware clock holds local time: the kernel is told "no"
    (5 * 3600, '', SAYS_SO, 'not_kept'), (5 * 3600, '[Time]\nPollIntervalMaxSec=2h\n', SAYS_SO, 'kept'),
    (20 * 3600, '[Time]\nPollIntervalMaxSec=7200\n', DENIES, 'not_kept'),
    (None, '', SAYS_SO, 'not_kept')])       # it was started again, and has had no answer
def test_timesyncd_tells_by_its_file(tree, age, config, kernel, state):
    tree.process(77, 'systemd-timesyn', unit='systemd-timesyncd')
    tree.write('/etc/systemd/timesyncd.conf', config)
    os.makedirs(os.path.join(tree.root, 'run/systemd/timesync'))
    if age:
        tree.write('/run/systemd/timesync/synchronized', age=age)
    assert tree.look(kernel)['state'] == state


@pytest.mark.parametrize(('config', 'state'), [
    ('server 127.0.0.1 port 11123\n', 'kept'),                  # a tunnel
    ('server 127.0.0.1\n', 'not_kept'), ('server 127.0.0.1 port 123\n', 'not_kept'), ('', 'not_kept'),
    ('server 127.0.0.1 port 11123\nport 11123\n', 'not_kept'),  # itself
    ('server 192.0.2.1 port 1123\nserver 127.0.0.1\n', 'not_kept')])
def test_chronyd_that_asks_a_port_of_this_host(tree, config, state):
    tree.process(77, 'chronyd', unit='chronyd')
    tree.write('/etc/chrony.conf', config)
    found = tree.look(answer=DaemonAnswer(False, '127.0.0.1', True))
    assert (found['state'], found['source']) == (state, '127.0.0.1' if state == 'kept' else '')
    assert tree.look(answer=OWN)['reason'] == 'own_clock'       # local


# What the daemons answer


def answering(reply):
    """The port of a server that answers one datagram."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(('127.0.0.1', 0))

    def serve():
        packet, peer = server.recvfrom(4096)
        if reply(packet):
            server.sendto(reply(packet), peer)
        server.close()
    threading.Thread(target=serve, daemon=True).start()
    return server.getsockname()[1]


def tracking(reference, address=b'', family=0, stratum=3, leap=0, status=0, updated=0, interval=b'\0' * 4):
    def reply(packet):
        assert packet[:2] == b'\x06\x01' and packet[4:6] == b'\x00\x21' and len(packet) >= 104
        head = struct.pack('!BBBBHHHHHH', 6, 2, 0, 0, 33, 5, status, 0, 0, 0) + packet[8:12] + b'\0' * 8
        body = struct.pack('!I16sHHHH', reference, address, family, 0, stratum, leap)
        return head + body + struct.pack('!III', 0, int(updated), 0) + b'\0' * 32 + interval + b'\0' * 4
    return reply


@pytest.mark.parametrize('reply, answer', [
    (tracking(0xC0000201, bytes([192, 0, 2, 1]), 1), DaemonAnswer(True, '192.0.2.1')),
    (tracking(0x12345678, bytes.fromhex('20010db8000000000000000000000001'), 2), DaemonAnswer(True, '2001:db8::1')),
    (tracking(0x50484330), DaemonAnswer(True, 'PHC0')),
    (tracking(0, stratum=0, leap=3), DaemonAnswer(False, '')),
    (tracking(0x7F7F0101, stratum=10), DaemonAnswer(False, '', True)),
    (tracking(0x7F000001, bytes([127, 0, 0, 1]), 1), DaemonAnswer(False, '127.0.0.1', True)),
    (tracking(0xC0000201, bytes([192, 0, 2, 1]), 1, status=2), None),      # not authorized
    (lambda packet: b'\x06\x02', None),
])
def test_chronyd(reply, answer):
    assert clock_keeper.ask_chronyd(answering(reply), 20) == answer


HOUR = 3600
# chrony's format for 16384 s, which is 2 ** 14: the coefficient 1 and the exponent 14 + 25.
LONG_INTERVAL = struct.pack('!I', (14 + 25) << 25 | 1)


@pytest.mark.parametrize('age, interval, synchronized', [
    (64, b'\0' * 4, True), (3 * HOUR, b'\0' * 4, True), (5 * HOUR, b'\0' * 4, False), (72 * HOUR, b'\0' * 4, False),
    (24 * HOUR, LONG_INTERVAL, True), (72 * HOUR, LONG_INTERVAL, False),
    (-HOUR, b'\0' * 4, True),       # the clock was set back since
])
def test_a_chronyd_that_has_lost_its_sources_keeps_no_clock_whatever_it_calls_itself(age, interval, synchronized):
    reply = tracking(0xC0000201, bytes([192, 0, 2, 1]), 1, updated=NOW - age, interval=interval)
    assert clock_keeper.ask_chronyd(answering(reply), 20, lambda: NOW).synchronized == synchronized


@pytest.mark.parametrize('reftime, synchronized', [('ed9d2b00', True), ('ed9ce000', False)])
def test_an_ntpd_that_has_lost_its_servers_keeps_no_clock(reftime, synchronized):
    text = 'stratum=3, refid=192.0.2.1,\r\nreftime=0x{0}.00000000, clock=0xed9d2c00.80000000, peer=0'.format(reftime)
    assert clock_keeper.ask_ntpd(answering(variables(text)), 20).synchronized == synchronized


def variables(text, leap=0, first=0x82):
    def reply(packet):
        assert packet == b'\x16\x02\x00\x01' + b'\0' * 8
        return struct.pack('!BBHBBHHH', 0xD6, first, 1, leap << 6 | 6, 0x15, 0, 0, len(text)) + text.encode()
    return reply


@pytest.mark.parametrize('reply, answer', [
    (variables('leap=0, stratum=3,\r\nrefid=192.0.2.1, reftime=0x1'), DaemonAnswer(True, '192.0.2.1')),
    (variables('stratum=3, refid=192.0.2.1', first=0xA2), DaemonAnswer(True, '192.0.2.1')),      # more follows
    (variables('leap=3, stratum=16, refid=INIT', leap=3), DaemonAnswer(False, '')),
    (variables('stratum=6, refid=LOCAL(0)'), DaemonAnswer(False, '', True)),
    (variables('stratum=6, refid=127.127.1.0'), DaemonAnswer(False, '127.127.1.0', True)),
    (variables('stratum=2, refid=127.127.20.0'), DaemonAnswer(True, '127.127.20.0')),     # a receiver with "fudge … stratum 1"
    (variables('stratum=6, refid=127.0.0.1'), DaemonAnswer(False, '127.0.0.1', True)),     # orphan mode
    (variables('', first=0xC2), None),
    (lambda packet: b'', None),
])
def test_ntpd(reply, answer):
    assert clock_keeper.ask_ntpd(answering(reply), 1 if answer is None else 20) == answer


def test_nobody_answers():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(('127.0.0.1', 0))
        port = silent.getsockname()[1]
        assert clock_keeper.ask_chronyd(port, 0.01) is None
    assert clock_keeper.ask_ntpd(port, 20) is None      # refused at once
