# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The event source, without ansible-rulebook: what it reads from a growing log, and which events it sends.

The whole way, from a log to a run of the playbook, is tests/system/test_events.py.
"""

from __future__ import annotations

import asyncio
import errno
import importlib.machinery
import importlib.util
import io
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import causes
from ansible_collections.aemops.brand_portal.tests.fakes import scenarios

ROOT = Path(__file__).resolve().parents[3]
PATH = 'extensions/eda/plugins/event_source/replication_log.py'
LOADER = importlib.machinery.SourceFileLoader('replication_log', str(ROOT / PATH))  # a file, as ansible-rulebook loads it
SOURCE = importlib.util.module_from_spec(importlib.util.spec_from_file_location('replication_log', ROOT / PATH, loader=LOADER))
LOADER.exec_module(SOURCE)

STAMP = '24.11.2026 10:15:00.123'
THREAD = '[sling-threadpool-4f-(apache-sling-job)-7-com_day_cq_replication_job(com/day/cq/replication/job/agent0)]'
AGENT = 'com.day.cq.replication.Agent.mp_replication_agent0_default_acme'
REFUSED = ('Failed to get an access token for user: mac-acme-replication msg: failed to get access token from authorization '
           'server status: 400 response: {"error":"invalid_grant","error_description":"JWT has expired"}')


def entry(message=REFUSED, level='ERROR', logger=AGENT, thread=THREAD):
    return f'{STAMP} *{level}* {thread} {logger} {message}'


def read(*lines):
    """The causes that a log of these lines shows."""
    reader = SOURCE.Reader()
    return [found['cause'] for found in map(reader.read, lines) if found]


# What a line tells


def test_what_is_told_of_an_entry():
    assert SOURCE.Reader().read(entry()) == {
        'cause': 'jwt_expired', 'clock_related': 'yes', 'agent': 'mp_replication_agent0_default_acme',
        'logged': '24.11.2026 10:15:00', 'meaning': next(cause.meaning for cause in causes.ALL if cause.id == 'jwt_expired'),
    }


@pytest.mark.parametrize('scenario', scenarios.ROWS, ids=lambda scenario: scenario.name)
def test_each_cause_that_the_stand_in_plays(scenario):
    """The clock causes of the table, and none of the others, from the messages that an agent's test page has."""
    written = scenarios.play(scenario, scenarios.sample_context())
    cause = next(cause for cause in causes.ALL if cause.id == scenario.cause)
    found = read(*(entry(line.text, line.level, logger=AGENT + '.queue') for line in written.lines))
    if cause.clock_related == 'no':
        assert not found
    else:
        assert set(found) == {cause.id}


@pytest.mark.parametrize('line', [
    entry('Replication (ACTIVATE) of /content/dam/JWT has expired.pdf successful.', 'INFO'),
    entry('<< {"error":"invalid_grant","error_description":"JWT has expired"}'),
    entry('CertificateExpiredException: NotAfter: Thu Mar 02 23:59:59 UTC 2017', logger='com.example.Ldap'),
    entry(logger='com.day.cq.replication.Agent.x', message='Connection refused'),
    '', ' ', '*ERROR*', '\0' * 100,
])
def test_lines_that_are_no_reason(line):
    assert read(line) == []


JJWT = 'JWT expired at 2026-11-24T09:15:12Z. Current time: 2026-11-24T10:15:00Z, a difference of 3588123 milliseconds.'


@pytest.mark.parametrize('lines', [
    [entry(JJWT, logger='com.acme.core.filters.TokenFilter'), 'io.jsonwebtoken.ExpiredJwtException: ' + JJWT],
    [entry('token rejected', 'WARN', logger='com.acme.core.filters.TokenFilter'), 'io.jsonwebtoken.ExpiredJwtException: ' + JJWT],
    [entry('Access token refused: JWT has expired', logger='com.acme.oauth.AccessTokenFilter')],
    [entry('JWT has expired for /content/replication', logger='com.acme.replication.Viewer')],
    [entry('{"error":"invalid_grant","error_description":"JWT has expired"}', logger='com.adobe.granite.oauth.server.impl.X')],
    [entry('PKIX path building failed', logger='com.acme.replicationstatus.Poller')],
    [entry('Failed to parse: JWT has expired', logger='org.apache.sling.auth.core.impl.SlingAuthenticator')],
    [entry('invalid_token: The access token expired', logger='com.adobe.granite.auth.oauth.impl.BearerAuthenticationHandler')],
    [entry('PKIX path building failed', logger='com.adobe.granite.auth.oauth.impl.OAuthAuthenticationHandler')],
    [entry('{"error":"invalid_token","error_description":"token expired"}', 'WARN',
           logger='com.adobe.granite.auth.ims.impl.IMSTokenValidatorImpl')],
    [entry('PKIX path building failed', logger='com.day.cq.replication.Agent.flush')],
    [entry('Error while replicating.', logger='com.day.cq.replication.Agent.publish1.queue'), 'CertificateExpiredException'],
])
def test_somebody_else_s_token_or_certificate_is_no_event(lines):
    """FraunhoferISST/DataspaceConnector issue 740: a site's own filter refuses a visitor's old token every few minutes."""
    assert read(*lines) == []


@pytest.mark.parametrize(('logger', 'message'), [
    (AGENT, 'Replication (ACTIVATE) of /content/dam/acme/TLS certificate expired.pdf not successful.'),
    (AGENT, 'Error while replicating /content/dam/access token/JWT has expired.pdf: com.day.cq.replication.X: gone'),
    ('com.day.cq.replication.impl.ReplicatorImpl', 'no content for /content/dam/our certificate is not yet valid.docx'),
    ('com.acme.Import', 'no /content/dam/mp_replication_agent/a.pdf: certificate expired'),
])
def test_the_name_of_an_asset_is_no_event(logger, message):
    assert read(entry(message, logger=logger)) == []


@pytest.mark.parametrize(('logger', 'message', 'cause'), [
    (AGENT + '.queue', '(bad_certificate) PKIX path validation failed: x: validity check failed',
     'certificate_not_yet_valid'),
    ('com.day.cq.replication.impl.AgentManagerImpl', 'PKIX path building failed', 'pkix_path'),
    ('com.adobe.granite.auth.oauth.AccessTokenProvider', REFUSED, 'jwt_expired'),
    ('com.adobe.granite.auth.oauth.impl.AccessTokenProviderImpl', 'PKIX path building failed', 'pkix_path'),
    (AGENT, 'Error while replicating /content/dam/a b.pdf: ' + REFUSED, 'jwt_expired'),
    (AGENT, 'Error while replicating /content/dam/a.pdf {"error":"invalid_grant","error_description":"JWT has expired"}',
     'jwt_expired'),
    ('com.adobe.granite.auth.ims.impl.IMSAccessTokenRequestCustomizerImpl', 'NotAfter: Wed Jan 01 00:00:00 UTC 2025',
     'certificate_expired'),
    ('com.adobe.cq.dam.mac.Sync', REFUSED, 'jwt_expired'),
])
def test_what_agents_and_adobe_s_token_providers_say_is_one(logger, message, cause):
    assert read(entry(message, logger=logger)) == [cause]


@pytest.mark.parametrize('prefix', [
    'Nov 24 10:15:00 aem1 aem: ', '<11>1 2026-11-24T10:15:00.123456+01:00 aem1 aem - - - ',
    '2026-11-24T10:15:00+01:00 aem1 aem[7]: ', '[author1] ', '{"message":"',
])
def test_what_collects_the_logs_may_write_before_each_line(prefix):
    found = SOURCE.Reader().read(prefix + entry())
    assert found and (found['agent'], found['logged']) == ('mp_replication_agent0_default_acme', '24.11.2026 10:15:00')
    trace = 'java.io.IOException: ' + REFUSED
    assert read(prefix + entry('token rejected', logger='com.acme.core.filters.TokenFilter'), prefix + trace) == []
    assert read(prefix + entry('Error during processing of replication.'), prefix + trace) == ['jwt_expired']


@pytest.mark.parametrize(('stamp', 'logged'), [
    ('2026-11-24 10:15:00.123 +0100', '2026-11-24 10:15:00'),
    ('2026-11-24 10:15:00.123 UTC', '2026-11-24 10:15:00'),
    ('24/11/2026 10:15:00.123', '24/11/2026 10:15:00'),
    ('2026/11/24 10:15:00.123', '2026/11/24 10:15:00'),
    ('24-11-2026 9:15:00.123', '24-11-2026 9:15:00'),
    ('11/24/2026 10:15:00.123 AM', '11/24/2026 10:15:00'),
    ('Nov 24, 2026 10:15:00 AM', 'Nov 24, 2026 10:15:00'),
    ('24 Nov 2026 10:15:00.123', '24 Nov 2026 10:15:00'),
    ('24.11.2026 10:15:00.123 [author-1]', '24.11.2026 10:15:00'),
])
def test_the_format_of_the_stamp_is_the_administrator_s(stamp, logged):
    """It is an option of Sling's loggers. An entry that is not recognized counts as a part of the one before."""
    def stamped(message=REFUSED, logger=AGENT):
        return entry(message, logger=logger).replace(STAMP, stamp)
    assert SOURCE.Reader().read(stamped())['logged'] == logged
    assert SOURCE.Reader().read('Nov 24 10:15:00 aem1 aem: ' + stamped())['logged'] == logged
    expired = 'Caused by: java.security.cert.CertificateExpiredException: NotAfter: Thu Mar 02 23:59:59 UTC 2017'
    assert read(stamped('delayed'), stamped('cannot synchronize users', 'com.example.Ldap'), expired) == []


def test_columns_may_be_apart():
    assert read(entry().replace('] ', ']  ').replace(' *', '\t*').replace('* ', '*\t')) == ['jwt_expired']


def test_a_stack_trace_belongs_to_its_entry():
    trace = '\tCaused by: java.security.cert.CertificateNotYetValidException: NotBefore: Wed Mar 01 00:00:00 UTC 2017'
    assert read(entry('Error while replicating: javax.net.ssl.SSLHandshakeException'), '\tat a.b.C(D.java:1)', trace) \
        == ['certificate_not_yet_valid']
    assert read(entry('cannot synchronize users', logger='com.example.Ldap'), trace) == []
    assert read(entry('trying', 'DEBUG'), trace) == []


@pytest.mark.parametrize('thread', ['[x]', '[10.0.0.1 [1479981600] GET /etc/replication/agents.author/a.test.html HTTP/1.1]'])
def test_the_agent_is_read_behind_any_thread(thread):
    assert SOURCE.Reader().read(entry(thread=thread))['agent'] == 'mp_replication_agent0_default_acme'


def test_long_lines_cost_little():
    nasty = [entry('x' * 10**6), f'{STAMP} *ERROR* [' + '] a.' * 10**5, entry('JWT ' * 10**5), '[' * 10**6]
    began = time.process_time()
    assert read(*nasty) == []
    assert time.process_time() - began < 5, 'of the processor: a minute if it were quadratic'


# What is read of a file


@pytest.fixture
def log(tmp_path):
    path = tmp_path / 'replication.log'
    path.write_text('old\nolder\n')
    return path


def append(path, text):
    with open(path, 'a', encoding='utf-8') as file:
        file.write(text)


def test_what_is_added(log):
    follower = SOURCE.Follower(str(log))
    assert list(follower.lines()) == []
    append(log, 'one\r\ntwo\n')
    assert list(follower.lines()) == ['one', 'two']
    assert list(follower.lines()) == []


def test_a_line_that_is_written_in_parts(log):
    append(log, 'begun before')
    follower = SOURCE.Follower(str(log))
    assert list(follower.lines()) == []
    for part in (b' the start ', b'\xe2\x82', b'\xac and', b' done'):
        with open(log, 'ab') as file:
            file.write(part)
        assert list(follower.lines()) == []
    append(log, '\nnext')
    assert list(follower.lines()) == ['begun before the start € and done']


def test_renamed_and_created_anew(log):
    follower = SOURCE.Follower(str(log))
    append(log, 'last\n')
    old = log.rename(log.with_suffix('.log.2026-11-23'))
    assert list(follower.lines()) == ['last']
    append(old, 'after the last\n')
    assert list(follower.lines()) == ['after the last']  # there is no other file yet
    log.touch()
    append(old, 'the writer still has the old one, and leaves it in the middle of a')
    assert list(follower.lines()) == []
    append(log, 'first\n')
    assert list(follower.lines()) == ['the writer still has the old one, and leaves it in the middle of a', 'first']
    append(log, 'second\n')
    assert list(follower.lines()) == ['second']


def test_replaced_between_the_reading_and_the_look(log):
    class Raced(SOURCE.Follower):
        def _read(self, file):
            yield from super()._read(file)
            if not log.with_suffix('.1').exists():
                append(log, 'late\n')
                log.rename(log.with_suffix('.1'))
                append(log, 'first\n')

    follower = Raced(str(log))
    assert [*follower.lines(), *follower.lines()] == ['late', 'first']


@pytest.mark.parametrize('count', [0, 1, 500])
def test_copied_and_truncated(log, count):
    """Also when the file is longer again than it was before anybody looks."""
    follower = SOURCE.Follower(str(log))
    append(log, 'last\n')
    assert list(follower.lines()) == ['last']
    shutil.copy(log, log.with_suffix('.1'))
    os.truncate(log, 0)
    lines = [f'new {number}' for number in range(count)]
    append(log, ''.join(line + '\n' for line in lines))
    assert list(follower.lines()) == lines
    append(log, 'and on\n')
    assert list(follower.lines()) == ['and on']


def test_truncated_between_two_looks_at_it_and_longer_again_at_once(log):
    """As on a busy machine, where the follower is stopped in the middle while the log is written."""
    follower = SOURCE.Follower(str(log))
    append(log, 'last\n')
    assert list(follower.lines()) == ['last']
    lines = [f'new {number}' for number in range(30)]
    looked = follower._replaced

    def in_between(file):
        follower._replaced = looked
        os.truncate(log, 0)
        append(log, ''.join(line + '\n' for line in lines))
        return looked(file)
    follower._replaced = in_between
    assert list(follower.lines()) == lines


def test_truncated_within_a_line(log):
    follower = SOURCE.Follower(str(log))
    append(log, 'half a')
    assert list(follower.lines()) == []
    os.truncate(log, 0)
    append(log, 'whole\n')
    assert list(follower.lines()) == ['whole']


def test_a_file_that_comes_later_and_goes_again(log, caplog):
    log.unlink()
    follower = SOURCE.Follower(str(log))
    assert list(follower.lines()) == [] == list(follower.lines())
    assert [record.getMessage().split(':')[0] for record in caplog.records] == [f'Cannot read {log}']
    append(log, 'from its start\n')
    assert list(follower.lines()) == ['from its start']
    log.unlink()
    assert list(follower.lines()) == []
    append(log, 'again\n')
    assert list(follower.lines()) == ['again']


def test_a_line_without_end_and_bytes_that_are_no_text(log):
    follower = SOURCE.Follower(str(log))
    with open(log, 'ab') as file:
        file.write(b'x' * 5 * SOURCE.CHUNK)
    assert list(follower.lines()) == []
    with open(log, 'ab') as file:
        file.write(b'x\n\xff\xfe\n')
    assert list(follower.lines()) == ['x' * SOURCE.LONGEST, '\ufffd\ufffd']


@pytest.mark.parametrize('seed', range(5))
def test_every_line_once_while_the_log_is_rotated_under_load(log, seed):
    """Lines in pieces, renamed files, a look at any time, but for two renames between two looks: each once, in order."""
    chance = random.Random(seed)
    follower = SOURCE.Follower(str(log))
    lines = [str(number) for number in range(20000)]
    seen, held, renames = [], ''.join(line + '\n' for line in lines), 0
    file = io.FileIO(log, 'a')
    while held:
        length = chance.randint(1, 3000)
        file.write(held[:length].encode())
        held = held[length:]
        if chance.random() < 0.5:
            seen += follower.lines()
        if held and chance.random() < 0.1 and file.tell():
            end = held.index('\n') + 1  # the writer ends a line before it goes on elsewhere
            file.write(held[:end].encode())
            held = held[end:]
            renames += 1
            os.rename(log, f'{log}.{renames}')
            if chance.random() < 0.5:
                seen += follower.lines()
            file.close()
            file = io.FileIO(log, 'a')
            if chance.random() < 0.5:
                seen += follower.lines()
            if held:
                file.write(held[:1].encode())
                held = held[1:]
            seen += follower.lines()
    file.close()
    seen += follower.lines()
    assert renames > 3
    assert seen == lines


# The source as a whole


class Events(list):
    async def put(self, event):
        self.append(event)


def watch(logs, acts, interval=0.01):
    """The events of a source that follows `logs` while `acts` are done, one after the other."""
    async def run():
        events = Events()
        source = asyncio.ensure_future(SOURCE.main(events, {'logs': logs, 'interval': interval}))
        for act in acts:
            await asyncio.sleep(0.1)
            act()
        await asyncio.sleep(0.3)
        source.cancel()
        return events
    return asyncio.run(run())


def test_events_name_the_host_and_nothing_of_the_line(log):
    secret = 'hunter2-Zq81'
    line = entry(f'{REFUSED} for Authorization: Bearer {secret} password={secret} of {secret}')
    events = watch({'author1': str(log), 'author2': str(log.with_name('none'))}, [lambda: append(log, line + '\n')])
    assert [event['replication_log']['cause'] for event in events] == ['jwt_expired']
    assert events[0]['meta'] == {'hosts': 'author1'}
    assert events[0]['replication_log']['host'] == 'author1'
    assert secret not in str(events) and 'access token' not in str(events)


@pytest.mark.parametrize(('args', 'words'), [
    ({}, 'logs must name'), ({'logs': {}}, 'logs must name'), ({'logs': '/var/log/x'}, 'logs must name'),
    ({'logs': {'a': ['x']}}, 'logs must name'),
    ({'logs': {'a': ''}}, 'logs must name'), ({'logs': {'': 'x'}}, 'logs must name'), ({'logs': {None: 'x'}}, 'logs must name'),
    ({'logs': {'a': 'x'}, 'interval': 'nan'}, "not 'nan'"), ({'logs': {'a': 'x'}, 'interval': 'inf'}, "not 'inf'"),
    ({'logs': {'a': 'x'}, 'interval': 0}, 'above 0'), ({'logs': {'a': 'x'}, 'interval': 'soon'}, "not 'soon'"),
])
def test_options_that_cannot_be_meant(args, words):
    with pytest.raises(ValueError, match=words):
        asyncio.run(SOURCE.main(Events(), args))


# How it finds the table, and its documentation


def load(path, *folders):
    """Run the source in a Python of its own, as ansible-rulebook does, and say where it has the table from."""
    program = 'import runpy, sys; print(runpy.run_path(sys.argv[1])["CAUSES"].__file__)'
    done = subprocess.run([sys.executable, '-c', program, str(path)], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True,
                          env={**os.environ, 'PYTHONPATH': os.pathsep.join(map(str, folders))})
    return Path(done.stdout.strip()).resolve()


def test_the_table_is_found_from_a_checkout_and_beside_another_ansible(tmp_path):
    ours = ROOT / 'plugins/module_utils/_aem/causes.py'
    linked = ROOT / 'collections/ansible_collections/aemops/brand_portal' / PATH
    large = tmp_path / 'ansible_collections'  # the package of that name of a large Ansible installation
    large.mkdir()
    (large / '__init__.py').touch()
    for path in ([linked] if linked.exists() else []) + [ROOT / PATH, PATH]:
        assert load(path) == ours
        assert load(path, tmp_path) == ours


def test_its_documentation_says_what_it_takes():
    documented = yaml.safe_load(SOURCE.DOCUMENTATION)['options']
    assert set(documented) == {'logs', 'interval'}
    example = yaml.safe_load(SOURCE.EXAMPLES)[0]['aemops.brand_portal.replication_log']
    assert SOURCE._settings(example) == (example['logs'], documented['interval']['default'])


class Stale(io.FileIO):
    """A file of a server that was away: its reads fail until it is opened again."""

    def fileno(self):
        raise OSError(errno.ESTALE, 'Stale file handle')


def test_a_file_that_can_no_longer_be_read_is_opened_again_where_it_ends(tmp_path, caplog):
    path = tmp_path / 'replication.log'
    path.write_text('old\n')
    follower = SOURCE.Follower(str(path))
    follower._file = Stale(path)
    follower._file.seek(0, os.SEEK_END)
    assert list(follower.lines()) == [] and 'Stale file handle' in caplog.text
    assert list(follower.lines()) == []     # what was there is old
    with path.open('a') as file:
        file.write('new\n')
    assert list(follower.lines()) == ['new']


def test_what_is_no_file_is_waited_for_and_never_opened(tmp_path, caplog):
    """Opening a pipe waits for its writer, and with it every other log."""
    os.mkfifo(tmp_path / 'replication.log')
    follower = SOURCE.Follower(str(tmp_path / 'replication.log'))
    assert list(follower.lines()) == [] and 'it is no file' in caplog.text
    os.unlink(tmp_path / 'replication.log')
    (tmp_path / 'replication.log').write_text('new\n')
    assert list(follower.lines()) == ['new']
