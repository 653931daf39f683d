# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab itself, for real: two labs with wrong clocks at once. Runs only by its path: pytest tests/lab/test_lab.py"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab import Lab, changes, rpm
from lab.host import STATE, CannotRunHere, require, start_time
from lab.machine import kernel_clock

PAST = '2017-02-28T18:39:51Z'
TESTS = Path(__file__).parents[1]

try:
    require()
except CannotRunHere as missing:
    pytest.skip(str(missing), allow_module_level=True)

# One NTP question; prints server minus guest in seconds.
ASK_NTP = '''
import socket, struct, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
s.connect(('ntp.lab', 123))
sent = time.time()
s.send(b'\\x23' + bytes(47))
answer = s.recv(512)
seconds, fraction = struct.unpack('!II', answer[40:48])
print(seconds - 2208988800 + fraction / 2**32 - sent)
'''


@pytest.fixture(scope='module')
def labs():
    with Lab.create() as first, Lab.create() as second:
        past, ahead = first.machine('past', PAST), second.machine('ahead', '+400d')
        past.wait_ready()
        ahead.wait_ready()
        yield past, ahead


@pytest.fixture(scope='module', autouse=True)
def this_machines_clock_is_left_alone():
    apart = time.time() - time.monotonic()
    yield
    assert abs(time.time() - time.monotonic() - apart) < 0.2


def leftovers(lab):
    """What a lab that is down must not have left."""
    network = lab.network
    ends = time.monotonic() + 5  # a killed kernel gives its memory back for a moment
    while time.monotonic() < ends and subprocess.run(['pgrep', '-f', f'{lab.folder}/'], stdout=subprocess.PIPE, check=False).stdout:
        time.sleep(0.1)
    found = subprocess.run(['pgrep', '-af', f'{lab.folder}/'], stdout=subprocess.PIPE, text=True,
                           check=False).stdout.splitlines()
    places = [lab.folder, Path('/run/netns', network.namespace), Path('/sys/class/net', network.uplink)]
    return found + [str(place) for place in places if place.exists()]


def test_clock_words():
    assert kernel_clock(None) == ''
    assert kernel_clock(PAST) == kernel_clock('2017-02-28T18:39:51') == kernel_clock('2017-02-28T19:39:51+01:00') == '@1488307191'
    assert kernel_clock('+400d') == kernel_clock(400 * 86400) == '+34560000'
    assert kernel_clock('-90s') == kernel_clock(-90.0) == '-90'
    with pytest.raises(ValueError):
        kernel_clock('tomorrow')


def test_each_machine_has_its_own_wrong_clock(labs):
    past, ahead = labs
    offset, error = past.clock_and_error()
    assert error < 0.02
    assert 0 < offset - (1488307191 - time.time()) < 300  # it went on since the boot
    assert ahead.clock() == pytest.approx(400 * 86400, abs=0.5)


def test_labs_do_not_see_each_other(labs):
    past, ahead = labs
    assert past.address != ahead.address
    assert past.ssh(f'python3 -c "import socket; socket.create_connection((\'{ahead.address}\', 22), 3)"', check=False).returncode


def test_a_new_machine_does_not_cut_off_the_others(labs):
    """They know the bridge by its address; one that moved would be silent to them for half a minute."""
    network = labs[0].lab.network

    def address():
        return json.loads(network.inside('-json', 'link', 'show', 'br0'))[0]['address']

    before = address()
    for index in range(100, 110):
        network.add_machine(index)
    assert address() == before


def test_apt_refuses_a_release_file_of_its_future(labs):
    past, ahead = labs
    done = past.ssh('apt-get update', check=False)
    assert done.returncode and 'is not valid yet' in done.stderr
    done = ahead.ssh('apt-get update', check=False)
    assert done.returncode and 'is expired' in done.stderr


def test_ntp_answers_until_it_is_stopped(labs):
    past, _ahead = labs
    assert float(past.ssh('python3 -', input=ASK_NTP).stdout) == pytest.approx(-past.clock(), abs=0.2)
    past.lab.stop_ntp()
    assert 'ConnectionRefused' in past.ssh('python3 -', input=ASK_NTP, check=False).stderr
    past.lab.start_ntp()
    past.ssh('python3 -', input=ASK_NTP)


def test_accounts(labs):
    past, _ahead = labs
    assert past.ssh('sudo -n id -u', user='deploy').stdout == '0\n'
    assert past.ssh('sudo -n id -u', user='ops', check=False).returncode


def test_fingerprint_sees_what_was_changed_and_nothing_else(labs):
    _past, ahead = labs
    before = ahead.fingerprint()
    ahead.ssh('timedatectl')  # asking changes nothing
    assert changes(before, ahead.fingerprint()) == []
    ahead.ssh('echo x >/etc/made; chmod 600 /etc/fstab; systemctl stop dbus.socket dbus.service')
    ahead.set_clock('+399d')
    told = changes(before, ahead.fingerprint())
    for word in ('etc: /etc/made', 'etc: /etc/fstab', 'units: dbus.service', 'clock: moved by -86'):
        assert any(line.startswith(word) for line in told), '\n'.join(told)
    assert len(told) <= 6, told


def test_reboot_brings_the_wrong_clock_and_keeps_the_disk(labs):
    past, _ahead = labs
    past.set_clock(None)
    assert abs(past.clock()) < 0.1
    past.ssh('echo kept >/root/kept')
    past.reboot()
    assert past.clock() == pytest.approx(1488307191 - time.time(), abs=60)
    assert past.ssh('cat /root/kept').stdout == 'kept\n'


def test_a_stopped_machine_is_a_base_for_others(labs):
    past, ahead = labs
    ahead.ssh('echo prepared >/root/prepared')
    ahead.stop()
    copy = ahead.lab.machine('copy', '-36h', base=ahead).wait_ready()
    assert copy.ssh('cat /root/prepared; hostname').stdout == 'prepared\ncopy\n'
    assert copy.clock() == pytest.approx(-36 * 3600, abs=0.5)
    copy.kill()


@pytest.fixture(scope='module')
def rpm_lab():
    with Lab.create('rpm') as lab:
        yield lab


@pytest.mark.parametrize('system', ['rhel-7', 'oracle-8', 'sles-15'])
def test_a_host_with_rpm_packages_is_one(rpm_lab, system):
    described = rpm.SYSTEMS[system]
    machine = rpm_lab.machine(system).wait_ready()
    rpm.become(machine, system)
    before = machine.fingerprint()
    machine.ssh(rpm.install(system, 'chrony'))
    assert any(line.startswith('packages: chrony: absent => 4.3-1.') for line in changes(before, machine.fingerprint()))
    enabled = machine.ssh('systemctl is-enabled chronyd; systemctl is-active chronyd', check=False).stdout.split()
    assert enabled == ['enabled' if described.enabled else 'disabled', 'inactive']
    machine.ssh('systemctl start chronyd && chronyc tracking')
    for absent in ('apt-get', 'dpkg', 'zypper' if described.manager != 'zypper' else 'dnf'):
        assert machine.ssh(f'command -v {absent}', check=False).returncode, absent
    asked = described.manager if described.manager == 'zypper' else f'{described.manager} -q'
    machine.ssh(f'{asked} {"-n " if described.manager == "zypper" else "-y "}remove chrony')
    assert machine.ssh('systemctl is-active chronyd; test -e /usr/sbin/chronyd', check=False).stdout == 'inactive\n'


def test_a_lab_leaves_nothing():
    with Lab.create() as lab:
        lab.machine('one')
        assert leftovers(lab)
    assert leftovers(lab) == []


def test_a_lab_ends_with_its_owner():
    program = 'import time; from lab import Lab; lab = Lab.create(); lab.machine("one"); print(lab.id, flush=True); time.sleep(600)'
    owner = subprocess.Popen([sys.executable, '-c', program], cwd=TESTS, stdout=subprocess.PIPE, text=True,
                             env=dict(os.environ, PYTHONPATH=str(TESTS)))
    assert owner.stdout
    lab = Lab.load(owner.stdout.readline().strip())
    owner.kill()
    owner.communicate()
    assert start_time(owner.pid) is None
    ends = time.monotonic() + 20
    while lab.folder.exists() and time.monotonic() < ends:
        time.sleep(0.1)
    assert leftovers(lab) == []
    assert STATE.exists()
