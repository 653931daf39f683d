# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No secret in anything that a run shows or leaves behind.

Recognisable passwords and tokens are planted wherever there are any; then everything is searched: the output at -vvv,
the results, the controller's files and process list, the host's process list, journal and files.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
import typing as t
from pathlib import Path

import pytest

from fakes import scenarios

from . import playbook
from .author_host import AuthorHost
from .conftest import PASSWORD

PLANTED = {
    'the password of AEM': PASSWORD,
    'the same as HTTP sends it': base64.b64encode(f'admin:{PASSWORD}'.encode()).decode(),
    'an encrypted transport password': '5eed0f5ec4e75eed0f5ec4e75eed0f5ec4e75eed0f5ec4e75eed0f5ec4e75eed',
    'a plain transport password': 'Pl4in-transport-must-not-be-seen',
    'a client secret': 'p8e-cl1ent-must-not-be-seen',
    'a password in a transport URI': 'Ur1-must-not-be-seen',
    'the password of a proxy': 'Pr0xy-must-not-be-seen',
    'a JWT': scenarios.SECRETS[0],
    'a client secret in a log': scenarios.SECRETS[1],
    'a session cookie': scenarios.SECRETS[2],
    'credentials in a header': scenarios.SECRETS[3],
}
ANY_JWT = re.compile(r'eyJ[A-Za-z0-9_-]{16}')

# The role as people run it, and then everything the host knows by the end of it.
PLAYBOOK = [{
    'hosts': 'all', 'gather_facts': False, 'tasks': [{
        'name': 'Heal', 'block': [{'ansible.builtin.include_role': {'name': 'aemops.brand_portal.fix_bp_jwt'}}],
        'rescue': [{'ansible.builtin.debug': {'var': 'ansible_failed_result'}}],
        'always': [{'ansible.builtin.debug': {'var': name}} for name in (
            'fix_bp_jwt_result', '__fix_bp_jwt_before', '__fix_bp_jwt_after', '__fix_bp_jwt_time_service', 'time_sync_result',
            'hostvars[inventory_hostname]')],
    }],
}]

# Every command line there ever is, until the file given by the first argument is removed.
SAMPLER = '''
import glob, json, os, sys, time
seen = set()
while os.path.exists(sys.argv[1]):
    for path in glob.glob('/proc/[0-9]*/cmdline'):
        try:
            with open(path, 'rb') as file:
                seen.add(file.read().replace(bytes(1), b' ').decode(errors='replace'))
        except OSError:
            pass
    time.sleep(float(sys.argv[2]))
print('\\n'.join(sorted(seen)))
'''


class Sampler(threading.Thread):
    """Watches the process list of the machine, as root there, and of this one."""

    def __init__(self, machine: t.Any, here: Path) -> None:
        super().__init__(daemon=True)
        self.machine, self.here = machine, here
        self.there = self.nearby = ''
        machine.ssh('touch /run/watching')
        here.touch()
        self.local = threading.Thread(target=self.watch_here, daemon=True)

    def run(self) -> None:
        self.local.start()
        self.there = self.machine.ssh('python3 -S - /run/watching 0.02', input=SAMPLER, timeout=600).stdout

    def watch_here(self) -> None:
        found = set()
        while self.here.exists():
            for path in Path('/proc').glob('[0-9]*/cmdline'):
                try:
                    found.add(path.read_bytes().replace(b'\0', b' ').decode(errors='replace'))
                except OSError:
                    continue
            time.sleep(0.05)
        self.nearby = '\n'.join(found)

    def stop(self) -> None:
        self.here.unlink()
        self.machine.ssh('rm /run/watching')
        self.join()
        self.local.join()


def search(text: str, where: str) -> None:
    found = [what for what, secret in PLANTED.items() if secret in text]
    assert not found, f'{where} shows {", ".join(found)}'
    assert not ANY_JWT.search(text), f'{where} shows a JWT'


@pytest.fixture(scope='module')
def author(lab, newest):
    """Everything that can hold a secret holds one, and one agent's log is careless with what it knows."""
    author = AuthorHost(lab, 'secretive', '2017-02-28T18:39:51Z', newest)
    address = f'{lab.tenant}.brand-portal.adobe.com/bin/receive?sling:authRequestLogin=1'
    careless, plain = (f'mp_replication_agent{number}_default_{lab.tenant}' for number in (0, 1))
    author.machine.configure_aem(
        scenarios={careless: 'secrets_shown', 'uri': 'jwt_expired'},
        agents={
            careless: {'transportPassword': '{' + PLANTED['an encrypted transport password'] + '}',
                       'clientSecret': PLANTED['a client secret']},
            plain: {'transportPassword': PLANTED['a plain transport password']},
            'uri': {'enabled': True, 'transportUri': f'https://mac:{PLANTED["a password in a transport URI"]}@{address}'},
        })
    return author


@pytest.fixture(scope='module')
def healed(author, tmp_path_factory):
    """A repair at -vvv without pipelining, which leaves the most behind; (the run, its folder, the process lists)."""
    folder = tmp_path_factory.mktemp('controller')
    book = folder / 'book.yml'
    book.write_text(json.dumps(PLAYBOOK))
    sampler = Sampler(author.machine, folder / 'watching')
    sampler.start()
    try:
        run = playbook.run(
            author.environment,
            ['ansible-playbook', str(book), '-i', str(author.inventory(
                fix_bp_jwt_agent_query='[?brand_portal && enabled].name', fix_bp_jwt_prove_retries=1, fix_bp_jwt_prove_delay=0,
                fix_bp_jwt_report_dir=str(folder / 'report'), fix_bp_jwt_prometheus_file=str(folder / 'brand_portal.prom'))),
             '--limit', author.machine.name, '-vvv', '--diff'],
            cwd=folder, AEM_USER='admin', AEM_PASSWORD=PASSWORD, ANSIBLE_PIPELINING='False',
            # The arguments of each module among the results, as before ansible-core 2.21.
            ANSIBLE_INJECT_INVOCATION='True', ANSIBLE_LOG_PATH=str(folder / 'ansible.log'), ANSIBLE_LOCAL_TEMP=str(folder / 'tmp'))
    finally:
        sampler.stop()
    return run, folder, sampler


def test_the_secrets_are_really_there(author):
    """What the modules read of AEM holds them all: without that, a search that finds nothing would prove nothing."""
    tree = author.read_aem('.2.json')
    for what in ('an encrypted transport password', 'a plain transport password', 'a client secret',
                 'a password in a transport URI'):
        assert PLANTED[what] in tree
    page = author.test_page(0)
    for what in ('a JWT', 'a client secret in a log', 'a session cookie', 'credentials in a header'):
        assert PLANTED[what] in page
    assert 'Authorization: Bearer' in page and 'Set-Cookie: login-token=' in page


def test_the_output_and_every_result(healed, author):
    run, _folder, _sampler = healed
    assert run.remote_calls[:3] == ['replication_agent_info', 'brand_portal_health_info', 'time_service_info']
    assert 'time_service' in run.remote_calls
    assert 'Set-Cookie: ********' in run.output  # the careless log is in there, without what it gave away
    assert f'mac:{PASSWORD}' not in run.output and 'https://********@' in run.output
    for name in ('fix_bp_jwt_result', '__fix_bp_jwt_before', '__fix_bp_jwt_after', 'module_args'):
        assert name in run.output
    search(run.output, 'the output')


def test_the_controller_s_files_and_process_list(healed):
    _run, folder, sampler = healed
    assert 'brand_portal_health_info' in (folder / 'ansible.log').read_text()
    told = json.loads((folder / 'report/brand-portal.json').read_text())
    assert 'secretive' in json.dumps(told)
    for name in ('report/brand-portal.html', 'brand_portal.prom'):
        assert 'secretive' in (folder / name).read_text()
    for path in folder.rglob('*'):
        if path.is_file():
            search(path.read_text(errors='replace'), str(path))
    assert 'ansible-playbook' in sampler.nearby
    search(sampler.nearby, "the controller's process list")


def test_the_host_s_process_list(healed):
    _run, _folder, sampler = healed
    assert 'AnsiballZ_brand_portal_health_info' in sampler.there
    search(sampler.there, "the host's process list")


def test_the_host_s_journal(healed, author):
    journal = author.machine.ssh('journalctl --no-pager').stdout
    assert 'brand_portal_health_info' in journal
    assert 'password=NOT_LOGGING_PARAMETER' in journal
    assert '_ntplib=NOT_LOGGING_PARAMETER' in journal
    search(journal, "the host's journal")


def test_the_host_s_files(healed, author):
    """All of them but AEM's own, which hold the secrets by right."""
    patterns = '\n'.join(PLANTED.values())
    found = author.machine.ssh(
        'grep -rlaF -f - --devices=skip --exclude-dir=aem-standin /etc /home /root /tmp /var /run /opt /usr/local 2>/dev/null',
        input=patterns, check=False, timeout=300)
    assert (found.returncode, found.stdout) == (1, ''), found.stdout
    left = author.machine.ssh('find ~deploy/.ansible/tmp ~root/.ansible/tmp -mindepth 1', check=False).stdout
    assert left == ''


def test_the_password_of_a_proxy(author):
    """Given to the host by its environment. Nothing listens there, so there is an error to report."""
    proxy = f'http://proxyuser:{PLANTED["the password of a proxy"]}@{author.lab.network.host}:3128'
    fresh = {'ansible_ssh_args': '-C'}  # no session of before, which would have the environment of before
    for setting in ({'HTTPS_PROXY': proxy}, {'https_proxy': f'{proxy}/', 'http_proxy': proxy}):
        text = ''.join(f'{name}={value}\n' for name, value in setting.items())
        author.machine.write('/etc/environment', text)
        try:
            skew = playbook.ask(author.environment, author.inventory(), author.machine.name, 'clock_skew_info', {
                'ntp_servers': [author.lab.network.host], 'https_urls': [f'https://{author.lab.names[0]}/'],
            }, **fresh)
            run = author.play('-vvv', **fresh)
        finally:
            author.machine.ssh('rm /etc/environment')
        https = next(source for source in skew['skew']['sources'] if source['kind'] == 'https')
        assert not https['accepted'] and 'refused' in https['reason'], https  # so it was the proxy that was asked
        search(json.dumps(skew), 'the result of clock_skew_info')
        search(run.output, 'the output with a proxy')
    run = author.play('-vvv', fix_bp_jwt_https_proxy=proxy)
    assert f'the proxy {author.lab.network.host}:3128 ' in run.output or 'refused' in run.output, run.output
    search(run.output, "the output with a proxy of the role's option")
    search(author.machine.ssh('journalctl --no-pager').stdout, "the host's journal")
