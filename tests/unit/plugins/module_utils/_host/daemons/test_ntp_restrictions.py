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
    (['restrict 192.0.2.1 ignore', 'restrict 192.0.2.1 nomodify'], '192.0.2.1', 1),
    (['restrict 192.0.2.1 nomodify', 'restrict 192.0.2.1 notrap'], '192.0.2.1', 2),
    (['restrict default ignore', 'restrict default nomodify'], '192.0.2.1', 1),
    (['restrict 192.0.2.1 mask 255.255.255.255 ignore'], '192.0.2.1', 1),
    (['restrict default ignore', 'restrict 192.0.2.1 mask 0.0.0.0 nomodify'], '192.0.2.1', 1),
    (['restrict 192.0.2.77 mask 255.255.255.0 ignore'], '192.0.2.1', 1),
    (['restrict NTP.example mask 255.255.255.0 ignore'], 'ntp.example', 1),
    (['restrict default ignore', 'restrict ntp.example nomodify'], 'ntp.example', 2),
    (['restrict -4 default ignore', 'restrict -6 default nomodify'], 'ntp.example', 2),
    (['restrict -4 default ignore', 'restrict -6 default ignore'], 'ntp.example', 1),
    (['restrict source nomodify'], '192.0.2.1', None), (['restrict', 'server 192.0.2.1'], '192.0.2.1', None),
    (['restrict other.example ignore'], 'ntp.example', None),
    (['restrict nonsense ignore'], '192.0.2.1', None), ([], '192.0.2.1', None)])
def test_the_closest_line_counts(texts, host, counts):
    rule = restriction_of(rules(*texts), host, {'ignore'})
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
    (['restrict default ignore', 'restrict default nomodify', 'restrict 127.0.0.1'], ['192.0.2.1'], [], [
        IGNORED.format('192.0.2.1')]),
    (['restrict default nomodify', 'restrict 127.0.0.1 noquery'], ['192.0.2.1'], [], []),
    (['restrict default ignore'], [], [], [])])
def test_what_is_added_so_that_answers_come_in(tmp_path, texts, servers, pools, added):
    found = daemon(tmp_path, 'ntpd', 'ntp-4.2.8p15', 'synchronized', config='\n'.join(texts) + '\n')
    assert found._let_in(wanted(dict(OPTIONS, servers=servers, pools=pools))) == added


def test_a_line_that_drops_the_very_server_is_refused(tmp_path):
    found = daemon(tmp_path, 'ntpd', 'ntp-4.2.8p15', 'synchronized', config='restrict 192.0.2.1 ignore\n')
    with pytest.raises(Refused, match='"restrict 192.0.2.1 ignore" .* drops what 192.0.2.1 answers'):
        found._let_in(wanted(dict(OPTIONS, servers=['192.0.2.1'])))
    found = daemon(tmp_path, 'ntpd', 'ntp-4.2.8p15', 'synchronized', config='restrict 192.0.2.1 ignore\nrestrict 192.0.2.1\n')
    with pytest.raises(Refused, match='"restrict 192.0.2.1 ignore" .* drops what 192.0.2.1 answers'):
        found._let_in(wanted(dict(OPTIONS, servers=['192.0.2.1'])))     # a later line only adds flags
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


@pytest.mark.parametrize(('texts', 'advice'), [
    (['restrict default ignore', 'restrict default nomodify'], 'Add a line "restrict 192.0.2.77 nomodify notrap noquery"'),
    (['restrict 192.0.2.77 ignore', 'restrict 192.0.2.77 nomodify'], 'Remove that line')])
def test_flags_of_an_earlier_line_are_not_taken_away_by_a_later_one(tmp_path, texts, advice):
    config = '\n'.join(['server 192.0.2.77 iburst', *texts]) + '\n'
    status = daemon(tmp_path, 'ntpd', 'ntp-4.2.8p15', 'unreachable', config=config).status()
    assert status.reason == 'not_selected'
    assert '"{0}" (/etc/ntp.conf line 2) drops what 192.0.2.77 answers'.format(texts[0]) in status.msg
    assert advice in status.advice


def test_a_peer_whose_answers_are_dropped_gets_a_line_of_its_own(tmp_path):
    config = 'server 127.127.28.0\npeer 192.0.2.77\nrestrict default ignore\n'
    status = daemon(tmp_path, 'ntpd', 'ntp-4.2.8p15', 'unreachable', config=config).status()
    assert '"restrict default ignore" (/etc/ntp.conf line 3) drops what 192.0.2.77 answers' in status.msg
    assert 'Add a line "restrict 192.0.2.77 nomodify notrap noquery" to /etc/ntp.conf' in status.advice


@pytest.mark.parametrize(('texts', 'advice'), [
    (['restrict 127.0.0.1 noquery', 'restrict 127.0.0.1'], 'Remove "noquery" from that line'),
    (['restrict 127.0.0.1 noquery ignore'], 'Remove "ignore" and "noquery" from that line'),
    (['restrict default noquery', 'restrict default nomodify'], 'Add the lines "restrict 127.0.0.1"')])
def test_an_ntpd_that_may_not_be_asked_by_an_earlier_line(tmp_path, texts, advice):
    found = daemon(tmp_path, 'ntpd', 'ntp-4.2.8p15', 'synchronized', config='\n'.join(texts) + '\n')
    found.host.answers = {}
    status = found.status()
    assert status.reason == 'may_not_be_asked'
    assert '"{0}" (/etc/ntp.conf line 1) does not allow queries'.format(texts[0]) in status.msg
    assert advice in status.advice


@pytest.mark.parametrize(('texts', 'arguments', 'deaf'), [
    (['interface ignore wildcard'], [], 0), (['nic ignore all', 'nic listen lo'], [], 0), (['interface ignore ipv6'], [], 0),
    (['interface listen 127.0.0.1', 'interface listen ::1'], [], 1),
    (['interface listen eth0', 'interface ignore all'], [], 1), (['interface drop all'], [], 0),
    (['interface ignore wildcard', 'interface listen eth7'], [], 1), (['interface listen 192.0.2.51'], [], 0),
    (['interface ignore all', 'interface listen eth0'], [], None), (['interface listen eth0:1'], [], None),
    (['interface ignore wildcard', 'interface listen ipv4'], [], None), (['interface listen 192.0.2.0/24'], [], None),
    (['interface listen 192.0.2.50'], [], None), ([], [], None),
    ([], ['-g', '-I', 'lo'], '-I lo'), ([], ['--interface=127.0.0.1'], '--interface 127.0.0.1'), ([], ['-I', 'eth0'], None),
    (['interface ignore wildcard'], ['-I', 'eth0'], None), (['interface ignore wildcard'], ['-L'], None)])
def test_an_ntpd_that_uses_no_address_but_the_loopback(tmp_path, texts, arguments, deaf):
    config = '\n'.join([*texts, 'server 192.0.2.77 iburst']) + '\n'
    measured = [{'kind': 'ntp', 'source': '192.0.2.77', 'address': '192.0.2.77', 'low': 0.0, 'reason': ''}]
    found = daemon(tmp_path, 'ntpd', 'ntp-4.2.8p15', 'unreachable', config=config, arguments=arguments, measured=measured)
    for path, text in (('sys/class/net/eth0/mtu', ''), ('proc/net/fib_trie', '  |-- 192.0.2.50\n     /32 host LOCAL\n')):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    status = found.status()
    assert status.reason == 'unreachable'
    assert ('lets it use no address' in status.msg) is (deaf is not None)
    assert ('port above 1023' in status.advice) is (deaf is None)
    if deaf is not None:
        assert '"{0}"'.format(deaf if isinstance(deaf, str) else texts[deaf]) in status.msg


@pytest.mark.parametrize(('line', 'refused'), [
    ('tos minsane 3', True), ('tos minclock 4 minsane 2', True), ('tos minclock 4 minsane 1', False), ('tos minsane 1', False),
    ('tos maxdist 0.5', True), ('tos maxdist 9', False), ('tos orphan 5', False)])
def test_a_later_tos_line_that_is_stricter_than_ours_is_refused(tmp_path, line, refused):
    """NTPsec reads the files of ntp.d from the last name to the first one, so ours is not the last."""
    found = daemon(tmp_path, 'ntpsec', 'ntpsec-1.2.2', 'synchronized', config='tos minclock 4 minsane 3\n', config_dir='/etc/ntp.d')
    (tmp_path / 'etc/ntp.d').mkdir()
    (tmp_path / 'etc/ntp.d/10-site.conf').write_text(line + '\n')
    want = wanted(dict(OPTIONS, servers=['192.0.2.1'], max_distance=2.0))
    if refused:
        with pytest.raises(Refused, match='"{0}" .* overrules the "tos '.format(line)):
            found.files(want)
    else:
        assert found.files(want)
