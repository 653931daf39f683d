# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ntpd's restrict lines: which one counts, and what is added where they would drop the answers of the servers."""

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.config import ConfigLine
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.ntpd import restriction_of, restrictions
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.wanted import Refused, Server, wanted
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._host.daemons.test_control import daemon

OPTIONS = {'servers': [], 'pools': [], 'nts_servers': [], 'keys': [], 'cloud': 'none', 'max_distance': 0.0}


def rules(*texts):
    return restrictions([ConfigLine('/etc/ntp.conf', number, text) for number, text in enumerate(texts, 1)])


@pytest.mark.parametrize('texts, host, counts', [
    (['restrict default ignore', 'restrict 192.0.2.0 mask 255.255.255.0 nomodify'], '192.0.2.1', 2),
    (['restrict default ignore', 'restrict 192.0.2.0 mask 255.255.255.0 nomodify'], '192.0.3.1', 1),
    (['restrict 0.0.0.0 mask 0.0.0.0 ignore'], '192.0.2.1', 1), (['restrict 0.0.0.0 mask 0.0.0.0 ignore'], '2001:db8::1', None),
    (['restrict 0.0.0.0/0 ignore'], '192.0.2.1', 1), (['restrict :: mask :: ignore'], '2001:db8::1', 1),
    (['restrict ::/0 ignore'], '2001:db8::1', 1), (['restrict ::/0 ignore'], '192.0.2.1', None),
    (['restrict -6 default ignore'], '192.0.2.1', None), (['restrict -6 default ignore'], '2001:db8::1', 1),
    (['restrict -4 default ignore'], '192.0.2.1', 1), (['restrict -4 default ignore'], '2001:db8::1', None),
    (['restrict 192.0.2.1', 'restrict default ignore'], '192.0.2.1', 1),
    (['restrict 192.0.2.1 ignore', 'restrict 192.0.2.1 nomodify'], '192.0.2.1', 2),
    (['restrict 192.0.2.1 mask 255.255.255.255 ignore'], '192.0.2.1', 1),
    (['restrict NTP.example mask 255.255.255.0 ignore'], 'ntp.example', 1),
    (['restrict default ignore', 'restrict ntp.example nomodify'], 'ntp.example', 2),
    (['restrict -4 default ignore', 'restrict -6 default nomodify'], 'ntp.example', 2),
    (['restrict -4 default ignore', 'restrict -6 default ignore'], 'ntp.example', 1),
    (['restrict source nomodify'], '192.0.2.1', None), (['restrict', 'server 192.0.2.1'], '192.0.2.1', None),
    (['restrict nonsense ignore'], '192.0.2.1', None), ([], '192.0.2.1', None)])
def test_the_closest_line_counts(texts, host, counts):
    rule = restriction_of(rules(*texts), host)
    assert (rule.line.number if rule else None) == counts


IGNORED = 'restrict {0} nomodify notrap noquery'
ASKED = ['restrict 127.0.0.1', 'restrict ::1']


@pytest.mark.parametrize('texts, servers, pools, added', [
    (['restrict default kod nomodify notrap nopeer'], ['192.0.2.1'], [], []),
    (['restrict default kod nomodify notrap nopeer noquery'], ['192.0.2.1'], [], ASKED),
    (['restrict default ignore'], ['192.0.2.1', 'ntp.example'], [], [
        IGNORED.format('192.0.2.1'), IGNORED.format('ntp.example'), *ASKED]),
    (['restrict default ignore', 'restrict 127.0.0.1'], ['192.0.2.1'], [], [IGNORED.format('192.0.2.1')]),
    (['restrict default ignore', 'restrict 127.0.0.1'], [], ['pool.example'], [IGNORED.format('source')]),
    (['restrict default ignore', 'restrict source nomodify', 'restrict 127.0.0.1'], ['192.0.2.1'], ['pool.example'], []),
    (['restrict default nomodify', 'restrict source ignore', 'restrict 127.0.0.1'], ['192.0.2.1'], [], [
        IGNORED.format('192.0.2.1')]),
    (['restrict default nomodify', 'restrict source ignore', 'restrict 192.0.2.1'], ['192.0.2.1'], [], []),
    (['restrict default noserve', 'restrict 192.0.2.0/24'], ['192.0.2.1'], [], []),
    (['restrict default nomodify nopeer', 'restrict 127.0.0.1'], [], ['pool.example'], [IGNORED.format('source')]),
    (['restrict -4 default nopeer', 'restrict -6 default nopeer', 'restrict 127.0.0.1'], ['192.0.2.1'], ['pool.example'], [
        IGNORED.format('source')]),
    (['restrict default nopeer', 'restrict source nomodify', 'restrict 127.0.0.1'], [], ['pool.example'], []),
    (['restrict default nomodify', 'restrict source nopeer', 'restrict 127.0.0.1'], ['192.0.2.1'], ['pool.example'], [
        IGNORED.format('source')]),
    (['restrict default ignore'], [], [], [])])
def test_what_is_added_so_that_answers_come_in(tmp_path, texts, servers, pools, added):
    found = daemon(tmp_path, 'ntpd', 'ntp-4.2.8p15', 'synchronized', config='\n'.join(texts) + '\n')
    assert found._let_in(wanted(dict(OPTIONS, servers=servers, pools=pools))) == added


def test_a_line_that_drops_the_very_server_is_refused(tmp_path):
    found = daemon(tmp_path, 'ntpd', 'ntp-4.2.8p15', 'synchronized', config='restrict 192.0.2.1 ignore\n')
    with pytest.raises(Refused, match='"restrict 192.0.2.1 ignore" .* drops what 192.0.2.1 answers'):
        found._let_in(wanted(dict(OPTIONS, servers=['192.0.2.1'])))
    assert Server('192.0.2.1') in wanted(dict(OPTIONS, servers=['192.0.2.1'])).all_servers


def test_servers_of_the_command_line_are_asked_too(tmp_path):
    found = daemon(tmp_path, 'ntpd', 'ntp-4.2.8p15', 'synchronized', config='server 192.0.2.1\n', arguments=['-g', '192.0.2.9'])
    assert sorted(found.source_names()) == ['192.0.2.1', '192.0.2.9']


def test_ntpsec_takes_servers_from_a_pool_also_with_nopeer(tmp_path):
    found = daemon(tmp_path, 'ntpsec', 'ntpsec-1.2.2', 'synchronized', config='restrict default nopeer\nrestrict 127.0.0.1\n')
    assert found._let_in(wanted(dict(OPTIONS, pools=['pool.example']))) == []


@pytest.mark.parametrize(('texts', 'rows', 'reason'), [
    (['restrict default kod nomodify nopeer noquery limited'], '', 'not_selected'),
    (['restrict default nopeer', 'restrict source nomodify'], '', 'unreachable'),
    (['restrict default nomodify'], '', 'unreachable'),
    (['restrict default nopeer'], ' 192.0.2.9       .INIT.          16 u    - 64    0    0.000 +0.000  0.000\n', 'unreachable')])
def test_a_pool_whose_servers_nopeer_keeps_out(tmp_path, texts, rows, reason):
    config = '\n'.join(['pool pool.example iburst', *texts]) + '\n'
    found = daemon(tmp_path, 'ntpd', 'ntp-4.2.8p15', 'unreachable', config=config)
    head = 'remote refid st t when poll reach delay offset jitter\n====\n'
    row = ' pool.example    .POOL.          16 p    -   64    0    0.000   +0.000   0.000\n'
    found.host.answers['ntpq -pn'] = found.host.answers['ntpq -pn']._replace(code=0, out=head + row + rows)
    status = found.status()
    assert status.reason == reason
    assert ('restrict source nomodify' in status.advice) is (reason == 'not_selected')
