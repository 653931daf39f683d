# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole process whose clock is decades off (libfaketime), against real servers in the present.

Unlike an injected anchor this also turns the clock of TLS: a certificate is judged as on such a host.
"""

import calendar
import glob
import json
import os
import subprocess
import sys
import time

import pytest

from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._clock.clock_servers import (
    HttpsServer,
    NtpServer,
    dated,
    honest,
    true_time,
)

LIBRARY = next(iter(glob.glob('/usr/lib*/faketime/libfaketimeMT.so.1')
                    + glob.glob('/usr/lib/*/faketime/libfaketimeMT.so.1')), None)
pytestmark = pytest.mark.skipif(LIBRARY is None, reason='libfaketime is not installed (package libfaketime)')

HOST = r"""
import json, sys, time
from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import ntplib_loader, conclusion, measurement
options = json.loads(sys.argv[1])
sources = measurement.measure(options, ntplib_loader.load())
print(json.dumps(dict(conclusion.conclude(sources, 5.0), now=time.time())))
"""

CLOCKS = {
    '1970': '1970-01-02 00:00:00',
    '2017': '2017-02-28 18:39:51',
    '2035': '2035-12-31 23:59:50',
    'the first second of era 1': '2036-02-07 06:28:15',
    '2036': '2036-02-08 00:00:00',
    'past 2^31': '2038-01-19 03:14:06',
    '2040': '2040-06-01 12:00:00',
    '2106': '2106-02-07 06:28:10',
}


def on_a_host(clock, options, zone='UTC', **environment):
    """The skew that a process sees whose clock starts at the given time (UTC)."""
    environment = dict(os.environ, LD_PRELOAD=LIBRARY, FAKETIME='@' + clock, TZ=zone,
                       PYTHONPATH=os.pathsep.join(path for path in sys.path if path), **environment)
    done = subprocess.run([sys.executable, '-c', HOST, json.dumps(options)], env=environment, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout.decode())


@pytest.mark.parametrize('name', sorted(CLOCKS))
def test_ntp_from_any_clock(codec, name):
    clock = CLOCKS[name]
    with NtpServer(honest()) as one, NtpServer(honest()) as two, NtpServer(honest()) as three:
        result = on_a_host(clock, {'ntp_servers': [one.name, two.name, three.name], 'timeout': 3})
        offset = true_time() - result['now']
    assert result['verdict'] == 'skewed'
    assert result['verified'] is True
    assert result['direction'] == ('behind' if offset > 0 else 'ahead')
    assert result['offset'] == pytest.approx(offset, abs=1.0)  # the process ended a little after it measured
    assert abs(calendar.timegm(time.strptime(result['host_time'][:19], '%Y-%m-%dT%H:%M:%S'))
               - calendar.timegm(time.strptime(clock, '%Y-%m-%d %H:%M:%S'))) < 10
    assert result['reference_time'][:4] == time.strftime('%Y', time.gmtime(true_time()))


@pytest.mark.parametrize('name', sorted(CLOCKS))
def test_https_from_any_clock(codec, authority, name):
    with HttpsServer(dated(), *authority.issue('short')) as service:
        result = on_a_host(CLOCKS[name], {'https_urls': [service.url()], 'ca_path': authority.path, 'timeout': 4})
        offset = true_time() - result['now']
    assert result['verdict'] == 'skewed'
    assert result['low'] - 1 <= offset <= result['high'] + 1
    assert result['verified'] is True
    assert result['tls_dates_checked'] is False, 'at that time the certificate is not valid'
    assert result['sources'][0]['tls_dates_checked'] is False


def test_a_wrong_name_stays_refused_on_a_host_in_another_decade(codec, authority):
    with HttpsServer(dated(), *authority.issue('elsewhere', host='elsewhere.test')) as service:
        result = on_a_host(CLOCKS['1970'], {'https_urls': [service.url()], 'ca_path': authority.path, 'timeout': 4})
    assert result['verdict'] == 'unreachable'
    assert 'certificate' in result['sources'][0]['reason'] or "doesn't match" in result['sources'][0]['reason']


@pytest.mark.parametrize('zone, locale', [('Pacific/Kiritimati', 'C'), ('America/St_Johns', 'tr_TR.UTF-8'),
                                          ('right/Europe/Berlin', 'C.UTF-8'), (':nonsense', 'POSIX')])
def test_neither_zone_nor_locale_matter(codec, authority, zone, locale):
    with NtpServer(honest(7)) as one, HttpsServer(dated(7), *authority.issue('zone')) as service:
        options = {'ntp_servers': [one.name], 'https_urls': [service.url()], 'ca_path': authority.path, 'timeout': 4}
        environment = dict(os.environ, TZ=zone, LC_ALL=locale, LANG=locale,
                           PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
        done = subprocess.run([sys.executable, '-c', HOST, json.dumps(options)], env=environment, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        assert done.returncode == 0, done.stderr.decode()
        result = json.loads(done.stdout.decode())
    assert result['verdict'] == 'skewed'
    assert result['offset'] == pytest.approx(7, abs=0.1)
    assert abs(calendar.timegm(time.strptime(result['host_time'][:19], '%Y-%m-%dT%H:%M:%S')) - true_time()) < 10


def test_the_list_of_services_does_not_matter(codec, authority):
    """On a host whose /etc/services is empty: ports are numbers, not names."""
    alone = ['unshare', '--map-root-user', '--mount', 'sh', '-c', 'mount --bind /dev/null /etc/services && exec "$@"', 'sh']
    try:
        tried = subprocess.run(alone + ['cat', '/etc/services'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except OSError as error:
        pytest.skip('not run, there is no unshare: %s' % error)
    if tried.returncode:
        pytest.skip('not run, a mount of its own is not allowed here: ' + tried.stdout.decode())
    assert tried.stdout == b''
    with NtpServer(honest(7)) as one, HttpsServer(dated(7), *authority.issue('services')) as service:
        options = {'ntp_servers': [one.name, 'localhost'], 'https_urls': [service.url()], 'ca_path': authority.path, 'timeout': 4}
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
        done = subprocess.run(alone + [sys.executable, '-c', HOST, json.dumps(options)], env=environment, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 0, done.stderr.decode()
    result = json.loads(done.stdout.decode())
    assert result['offset'] == pytest.approx(7, abs=0.1)
    assert [source['accepted'] for source in result['sources'] if source['source'] != 'localhost'] == [True, True]
    assert not [source for source in result['sources'] if 'does not resolve' in source['reason']]
