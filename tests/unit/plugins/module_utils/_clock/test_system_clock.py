# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one file that touches the wall clock: whose clock it is, how it is set, and the hardware clock."""

import ctypes
import errno
import struct
import time

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import clock, rtc
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.capabilities import (
    ProcessView,
    may_set_clock,
    process_view,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.clock import Anchor
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import CannotSetClock

ALL = {'CapEff': 0x1ffffffffff, 'CapBnd': 0x1ffffffffff}
NO_TIME = 0x1ffffffffff & ~(1 << 25)


@pytest.mark.parametrize('view, said', [
    (ProcessView(ALL, False, '', True), None),
    (ProcessView(ALL, False, 'docker', True), None),  # a container that was given CAP_SYS_TIME may
    (ProcessView({'CapEff': NO_TIME, 'CapBnd': NO_TIME}, False, 'lxc', True), 'belongs to the machine that runs it'),
    (ProcessView({'CapEff': NO_TIME, 'CapBnd': NO_TIME}, False, 'lxc', True), '(container: lxc)'),
    (ProcessView({'CapEff': NO_TIME, 'CapBnd': NO_TIME}, False, '', True), 'bounding set. Correct the clock'),
    (ProcessView({'CapEff': 0, 'CapBnd': ALL['CapBnd']}, False, '', False), 'Use become'),
    (ProcessView(ALL, True, '', True), 'user namespace'),  # full capabilities there are none for the clock
    (ProcessView(None, False, '', True), None),
    (ProcessView(None, False, '', False), 'Use become'),
])
def test_whose_clock_it_is(view, said):
    reason = may_set_clock(view)
    assert reason is None if said is None else said in reason


def tree(tmp_path, status='CapEff:\t000001ffffffffff\nCapBnd:\t000001ffffffffff\n', uid_map='0 0 4294967295\n',
         **files):
    (tmp_path / 'proc' / 'self').mkdir(parents=True)
    (tmp_path / 'proc' / '1').mkdir()
    (tmp_path / 'proc' / 'self' / 'status').write_text('Name:\tx\n' + status)
    (tmp_path / 'proc' / 'self' / 'uid_map').write_text(uid_map)
    for name, content in files.items():
        path = tmp_path.joinpath(*name.split('__'))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return str(tmp_path)


def test_a_whole_machine(tmp_path):
    view = process_view(tree(tmp_path))
    assert view[:3] == (ALL, False, '')


def test_a_user_namespace(tmp_path):
    assert process_view(tree(tmp_path, uid_map='         0     100000      65536\n')).user_namespace is True


@pytest.mark.parametrize('files, kind', [
    ({'run__systemd__container': 'systemd-nspawn\n'}, 'systemd-nspawn'),
    ({'proc__1__environ': 'PATH=/bin\0container=lxc\0TERM=x\0'}, 'lxc'),
    ({'.dockerenv': ''}, 'docker'), ({'run__.containerenv': ''}, 'podman'), ({}, ''),
])
def test_container_markers(tmp_path, files, kind):
    assert process_view(tree(tmp_path, **files)).container == kind


@pytest.mark.parametrize('status', ['', 'CapEff:\tnonsense\nCapBnd: 0\n', 'no colon'])
def test_a_proc_that_says_nothing(tmp_path, status):
    assert process_view(tree(tmp_path, status=status)).capabilities is None
    assert process_view(str(tmp_path / 'nothing')).capabilities is None


def test_nothing_is_tried_to_find_out(monkeypatch):
    def forbidden(*_unused):
        raise AssertionError('the clock was touched')
    for name in ('clock_settime', 'clock_settime_ns'):
        monkeypatch.setattr(time, name, forbidden, raising=False)
    may_set_clock()


def test_the_step_is_an_absolute_target_on_the_monotonic_line(monkeypatch):
    told = []
    monkeypatch.setattr(time, 'clock_settime', lambda clock, target: told.append((clock, target)))
    now = [1000.0]
    anchor = Anchor(wall=lambda: 5000.0 + now[0], monotonic=lambda: now[0], raw=lambda: now[0])
    now[0] += 7.5  # what the way from measuring to setting takes
    clock.step_clock(300000000.25, anchor)
    assert told == [(time.CLOCK_REALTIME, 300006007.75)]


@pytest.mark.parametrize('error', [PermissionError(1, 'Operation not permitted'), OSError(22, 'Invalid argument'),
                                   OverflowError('timestamp out of range'), AttributeError('clock_settime')])
def test_a_refusal_of_the_kernel_is_a_clock_error(monkeypatch, error):
    def refuses(*_unused):
        raise error
    monkeypatch.setattr(time, 'clock_settime', refuses)
    with pytest.raises(CannotSetClock, match='refused to set its clock'):
        clock.step_clock(1.0, Anchor())


def test_the_anchor_notices_a_step_and_no_slewing():
    wall, monotonic = [1000.0], [50.0]
    anchor = Anchor(wall=lambda: wall[0], monotonic=lambda: monotonic[0], raw=lambda: monotonic[0])
    monotonic[0] += 5
    wall[0] += 5
    assert anchor.stepped_by() == 0.0
    assert anchor.now() == 1005.0
    wall[0] -= 0.5
    assert anchor.stepped_by() == pytest.approx(-0.5)
    assert anchor.now() == 1005.0


def test_the_anchor_takes_its_least_interrupted_reading():
    # The first pair of readings is interrupted for a second between them: taking it would be off by half of it.
    moments = iter([0.0, 1.0, 2.0, 2.001, 3.0, 3.5, 9.0])
    walls = iter([100.0, 102.0005, 103.0])
    anchor = Anchor(wall=lambda: next(walls), monotonic=lambda: next(moments), raw=lambda: 0.0)
    assert anchor.at(2.0005) == pytest.approx(102.0005)
    assert anchor.uncertainty == pytest.approx(0.0005)


@pytest.mark.parametrize('stamp, moment', [
    (1007.6, 57.6),  # read 0.4 s late
    (1008.0, 58.0), (None, 58.0),
    (1002.9, 58.0),  # before anything was asked: the clock was set in between
    (1008.1, 58.0),  # yet to come
    (5e9, 58.0), (0.0, 58.0),
])
def test_when_a_datagram_came(stamp, moment):
    wall, monotonic = [1000.0], [50.0]
    clocks = {'wall': lambda: wall[0], 'monotonic': lambda: monotonic[0], 'raw': lambda: monotonic[0]}
    anchor, other = Anchor(stamped=True, **clocks), Anchor(**clocks)
    wall[0] += 8
    monotonic[0] += 8
    assert anchor.arrival(stamp, 53.0) == pytest.approx(moment)
    assert other.arrival(stamp, 53.0) == 58.0, 'the stamps are of another clock than this one'


def script(tmp_path, monkeypatch, text):
    path = tmp_path / 'hwclock'
    path.write_text('#!/bin/sh\n' + text)
    path.chmod(0o755)
    monkeypatch.setattr(rtc.shutil, 'which', lambda *_name, **_more: str(path))


@pytest.fixture
def kernel(monkeypatch):
    """Replaces the C library, so that no test calls this machine's kernel."""
    class Kernel:
        told = None
        refuses = 0

        def settimeofday(self, day, zone):
            self.told = (day, *struct.unpack('ii', zone))
            ctypes.set_errno(self.refuses)
            return -1 if self.refuses else 0

    library = Kernel()
    monkeypatch.setattr(ctypes, 'CDLL', lambda *_name, **_more: library)
    return library


def test_the_hardware_clock_is_written(tmp_path, monkeypatch, kernel):
    script(tmp_path, monkeypatch, 'echo "$@" > %s/said' % tmp_path)
    assert rtc.write_rtc('/dev/rtc0') == {'device': '/dev/rtc0', 'written': True, 'reason': ''}
    assert (tmp_path / 'said').read_text() == '--systohc\n', 'the mode (UTC or LOCAL) is that of /etc/adjtime'
    assert kernel.told is None


@pytest.mark.parametrize('was_there', [False, True])
def test_an_adjtime_that_hwclock_makes_has_the_label_of_its_place(tmp_path, monkeypatch, was_there):
    labeled = []
    monkeypatch.setattr(rtc, 'ADJTIME', str(tmp_path / 'adjtime'))
    monkeypatch.setattr(rtc.files, 'set_default_label', lambda path, ask: labeled.append((path, ask(['echo', 'asked']))))
    if was_there:
        (tmp_path / 'adjtime').write_text('')
    script(tmp_path, monkeypatch, 'echo UTC > %s/adjtime' % tmp_path)
    assert rtc.write_rtc('/dev/rtc0')['written'] is True
    assert labeled == ([] if was_there else [(str(tmp_path / 'adjtime'), 'asked\n')])


def test_a_hardware_clock_that_is_utc_from_now_on_is_so_for_the_kernel_too(tmp_path, monkeypatch, kernel):
    script(tmp_path, monkeypatch, 'echo "$@" > %s/said' % tmp_path)
    assert rtc.write_rtc('/dev/rtc0', utc=True) == {'device': '/dev/rtc0', 'written': True, 'reason': ''}
    assert (tmp_path / 'said').read_text() == '--systohc --utc\n'
    assert kernel.told == (None, 0, 0), 'else it writes local time again as soon as it is synchronized'
    kernel.refuses = errno.EPERM
    told = rtc.write_rtc('/dev/rtc0', utc=True)
    assert told['written'] is True
    assert told['reason'].startswith('Until the next boot the kernel may write local time')
    assert 'not permitted' in told['reason']


def test_a_hardware_clock_that_cannot_be_written_is_told(tmp_path, monkeypatch, kernel):
    script(tmp_path, monkeypatch, 'echo "hwclock: Cannot access the Hardware Clock" >&2; exit 1')
    told = rtc.write_rtc('/dev/rtc0', utc=True)
    assert kernel.told is None
    assert told['written'] is False
    assert 'Cannot access the Hardware Clock' in told['reason']
    monkeypatch.setattr(rtc.shutil, 'which', lambda *_name, **_more: None)
    assert 'not installed' in rtc.write_rtc('/dev/rtc0')['reason']


def test_no_hardware_clock(tmp_path, monkeypatch):
    assert rtc.rtc_device(str(tmp_path)) is None
    (tmp_path / 'dev').mkdir()
    (tmp_path / 'dev' / 'rtc0').write_text('')
    assert rtc.rtc_device(str(tmp_path)) == str(tmp_path / 'dev' / 'rtc0')
    monkeypatch.setattr(rtc, 'rtc_device', lambda: None)
    assert rtc.write_rtc() == {'device': 'none', 'written': False,
                               'reason': 'This host has no hardware clock.'}
