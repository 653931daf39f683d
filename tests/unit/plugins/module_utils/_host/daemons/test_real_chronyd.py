# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random configurations, read by our reader and by the chronyd of this machine, which prints what it reads (chronyd -p)."""

import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import chrony_config, config
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.host import Host

CHRONYD = shutil.which('chronyd', path='/usr/sbin:/usr/local/sbin:/usr/bin') or ''


def printed(folder):
    """The words of each line that chronyd -p prints of the folder's chrony.conf, and whether it accepts it. It starts nothing."""
    done = subprocess.run([CHRONYD, '-p', '-f', 'chrony.conf'], cwd=str(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=20, check=False)
    lines = done.stdout.decode('utf-8', 'replace').split('\n')
    return [config.words_of(line) for line in lines if line], not done.returncode


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    if not CHRONYD:
        pytest.skip('chronyd is not installed here')
    folder = tmp_path_factory.mktemp('chronyd')
    (folder / 'chrony.conf').write_text('makestep 1 3\n')
    if printed(folder) != ([['makestep', '1', '3']], True):
        pytest.skip('this chronyd does not print its configuration (-p, chrony 4)')
    return folder


SPACE = st.sampled_from([' ', '  ', '\t', '\v', '\f', ' \t '])
HOSTS = st.sampled_from(['a.example', '192.0.2.1', '2001:db8::1', 'fe80::1%eth0', '"q"', '[::1]', 'ntp#1', '#1', 'b\u00e9.example'])
OPTIONS = st.lists(st.sampled_from([
    'iburst', 'IBURST', 'nts', 'prefer', 'noselect', 'offline', 'xleave', 'port 1123', 'Port 123', 'port +99', 'port 0x7', 'port',
    'key 7', 'minpoll 4 maxpoll 6', 'offset -.5', 'maxdelay 1e-3', 'iburts', 'extfield F323', 'iburst\u00a0prefer']), max_size=4)
SOURCES = st.builds('{0}{1}{2}{1}{3}'.format, st.sampled_from(['server', 'SERVER', 'Pool', 'peer']), SPACE, HOSTS,
                    OPTIONS.map(' '.join))
OTHERS = st.sampled_from([
    '', '! server c', '# server c', '; server c', ' % server c', 'makestep 1 3', 'minsources 2', 'AUTHSELECTMODE Prefer',
    'keyfile /k', 'local stratum 10', 'refclock PHC /dev/ptp0 poll 3', 'servers a', 'server', 'server a # c', 'server a\\',
    '\ufeffserver a', '\u00a0server a', 'server a\0b', '# \udce9'])
INCLUDES = st.sampled_from(['include none*', 'include A', 'INCLUDE [AB]', 'include [^B]', 'include 1', 'confdir 1 2',
                            'confdir 2/ 1 3', 'sourcedir 1 2', 'include A B', 'confdir'])


def texts(*kinds):
    lines = st.lists(st.one_of(SOURCES, *kinds), max_size=6)
    return st.builds(lambda found, end, last: end.join(found) + end * last, lines, st.sampled_from(['\n', '\r\n']), st.booleans())


FILES = st.dictionaries(
    st.sampled_from(['A', 'B', '1/a.conf', '1/b.conf', '2/a.conf', '2/B.conf', '2/.h.conf', '3/c.conf', '3/d.txt']),
    texts(OTHERS), max_size=7)


@given(text=texts(OTHERS, INCLUDES), files=FILES)
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
def test_our_reader_yields_the_lines_that_chronyd_reads(place, text, files):
    shutil.rmtree(str(place))
    for name, content in dict(files, **{'chrony.conf': text}).items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content.encode('utf-8', 'surrogateescape'))
    words, accepted = printed(place)
    ours = [line.words for line in chrony_config.read(Host(root=str(place)), '/chrony.conf')
            if line.directive not in ('include', 'confdir')]
    # One that refuses the configuration has printed it up to the line in question.
    assert ours == words if accepted else ours[:len(words)] == words
