# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which process and which unit AEM is, and on what repository it runs: hosts as trees of files."""

import os
import shutil
import socket

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._host import aem_process, aem_repository
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.processes import Processes

URL = 'http://localhost:4502'
ANY4, ANY6, LOOP4 = '00000000', '0' * 32, '0100007F'
QUICKSTART = ['/usr/bin/java', '-Xmx1024m', '-Dsling.run.modes={0}', '-jar',
              'crx-quickstart/app/cq-quickstart-{1}-standalone-quickstart.jar', 'start', '-c', 'crx-quickstart', '-i', 'launchpad',
              '-p', '4502']


class Tree:
    """A host below a folder: its sockets, processes and files."""

    def __init__(self, root):
        self.root, self.sockets, self.inode = root, [], 7000
        self.process(1, '/init.scope', ['/sbin/init'], 'systemd', cwd='/')
        self.write('/proc/net/fib_trie', '  +-- 127.0.0.0/8 2 0 2\n           |-- 127.0.0.1\n              /32 host LOCAL\n'
                                         '           |-- 192.0.2.10\n              /32 host LOCAL\n           |-- 192.0.2.0\n'
                                         '              /24 link UNICAST\n')
        self.write('/proc/net/if_inet6', '20010db8000000000000000000000010 02 40 00 80     eth0\n')

    def write(self, path, text=''):
        real = os.path.join(self.root, path.lstrip('/'))
        os.makedirs(os.path.dirname(real), exist_ok=True)
        with open(real, 'w', encoding='utf-8') as stream:
            stream.write(text)

    def link(self, path, target):
        real = os.path.join(self.root, path.lstrip('/'))
        os.makedirs(os.path.dirname(real), exist_ok=True)
        os.symlink(target, real)

    def process(self, pid, cgroup, command, name='java', cwd='/opt/aem', parent=1, files=(), v1=False, exe='/usr/lib/jvm/bin/java'):
        folder = f'/proc/{pid}'
        lines = f'0::{cgroup}\n' if not v1 else f'12:pids:/x\n1:name=systemd:{cgroup}\n0::/hybrid\n'
        self.write(f'{folder}/cgroup', lines)
        self.write(f'{folder}/cmdline', '\0'.join(command) + '\0')
        self.write(f'{folder}/comm', name + '\n')
        self.write(f'{folder}/stat', f'{pid} ({name} :) 1) S {parent} {pid} {pid} 0 -1')
        self.link(f'{folder}/cwd', cwd)
        if name == 'java':
            self.link(f'{folder}/exe', exe)
        os.makedirs(os.path.join(self.root, f'proc/{pid}/fd'), exist_ok=True)
        for number, target in enumerate(files, 10):
            self.link(f'{folder}/fd/{number}', target)

    def listen(self, pid, port=4502, address=ANY6, state='0A'):
        self.inode += 1
        self.sockets.append((address, port, state, self.inode))
        if pid:
            self.link(f'/proc/{pid}/fd/{self.inode}', f'socket:[{self.inode}]')
        for name, size in (('tcp', 8), ('tcp6', 32)):
            rows = ['  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode']
            rows += [f'   0: {local}:{number:04X} {"0" * size}:0000 {kind} 00000000:00000000 00:00000000 00000000 1001 0 {inode} 1'
                     for local, number, kind, inode in self.sockets if len(local) == size]
            self.write(f'/proc/net/{name}', '\n'.join(rows) + '\n')

    def aem(self, pid=800, cgroup='/system.slice/aem.service', modes='author', version='6.5.0', home='/opt/aem/crx-quickstart',
            **more):
        command = [word.format(modes, version) for word in QUICKSTART]
        self.process(pid, cgroup, command, cwd=os.path.dirname(home), **more)
        os.makedirs(os.path.join(self.root, home.lstrip('/')), exist_ok=True)
        self.listen(pid)

    def find(self, url=URL, resolve=lambda host: ['192.0.2.10'], **more):
        return aem_process.find(url, str(self.root), resolve, **more)


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


# Which process


@pytest.mark.parametrize('url, address, resolved, known', [
    (URL, ANY6, [], True),
    (URL, LOOP4, [], True),
    ('http://127.0.0.1:4502', LOOP4, ['127.0.0.1'], True),
    ('http://author.example.com:4502/aem', ANY6, ['192.0.2.10'], True),
    ('http://author.example.com:4502', ANY4, ['::ffff:192.0.2.10'], True),
    ('http://[2001:db8::10]:4502', ANY6, ['2001:db8::10'], True),
    ('http://author.example.com:4502', LOOP4, ['192.0.2.10'], False),       # bound to another address
    ('http://author.example.com:4502', ANY6, ['198.51.100.7'], False),      # another host
    ('http://author.example.com:4502', ANY6, [], False),                    # no such name
    ('http://localhost', ANY6, [], False),                                  # port 80
    ('http://0.0.0.0:4502', ANY4, ['0.0.0.0'], True),                       # Linux connects to this host
    ('http://[fe80::10%25eth0]:4502', ANY6, ['2001:db8::10%eth0'], True),   # a zone
])
def test_the_listener_that_the_url_reaches_is_aem(tree, url, address, resolved, known):
    tree.aem()
    tree.sockets.clear()
    tree.listen(800, address=address)
    found = tree.find(url, lambda host: resolved)
    assert (found['unit'], found['pid']) == (('aem.service', 800) if known else ('', 0)), found
    assert found['stoppable'] is known
    assert bool(found['reason']) is not known
    assert ('cannot resolve' in found['reason']) is (not resolved and 'localhost' not in url)


def test_a_socket_bound_to_the_address_wins_over_one_bound_to_all(tree):
    tree.aem(800, '/system.slice/author.service')
    tree.process(900, '/system.slice/local.service', ['java'], cwd='/opt/other')
    tree.listen(900, address=LOOP4)
    assert tree.find()['unit'] == 'local.service'
    assert tree.find('http://author:4502')['unit'] == 'author.service'


def test_a_connection_is_no_listener(tree):
    tree.process(800, '/system.slice/client.service', ['java'])
    tree.listen(800, state='01')
    assert tree.find()['pid'] == 0


def test_two_aem_on_one_host_are_told_apart(tree):
    tree.aem(800, '/system.slice/system-aem.slice/aem@author.service', home='/opt/author/crx-quickstart')
    tree.process(900, '/system.slice/system-aem.slice/aem@publish.service', ['java'], cwd='/opt/publish')
    tree.listen(900, port=4503)
    assert tree.find()['unit'] == 'aem@author.service'
    assert tree.find('http://localhost:4503')['unit'] == 'aem@publish.service'


def test_other_aems_of_the_host_are_told(tree):
    tree.aem(modes='author,crx3tar')
    tree.aem(900, '/system.slice/two.service', 'author,crx3mongo', home='/opt/two/crx-quickstart')
    tree.sockets[-1:] = []
    tree.listen(900, port=4512)
    tree.aem(910, '/system.slice/two.service', 'author,crx3mongo', home='/opt/two/crx-quickstart')      # its second process
    tree.process(950, '/system.slice/db.service', ['java', '-jar', '/opt/db/db.jar'], cwd='/opt/db')
    tree.sockets[-1:] = []
    tree.listen(950, port=9200)
    found = tree.find()
    assert found['unit'] == 'aem.service' and not found['needs_root']
    assert found['others'] == [{'pid': 900, 'home': '/opt/two/crx-quickstart', 'unit': 'two.service', 'store': 'document',
                                'evidence': 'run mode crx3mongo'}]
    assert [each['pid'] for each in tree.find('http://localhost:4512')['others']] == [800]


@pytest.mark.parametrize('url, reason', [
    ('http://localhost:4503', 'no process of this host listens'),
    ('https://author.example.com', 'not an address of this host'),      # a load balancer
    ('http://localhost:4502', 'is open at 192.0.2.10 only'),
    ('https://localhost', 'forwards connections'),
])
def test_an_aem_that_the_address_does_not_lead_to_is_told(tree, url, reason):
    tree.aem(modes='author,crx3mongo')
    tree.sockets[-1:] = []
    tree.listen(800, address='0A0200C0')
    tree.process(700, '/system.slice/nginx.service', ['nginx'], 'nginx', cwd='/')
    tree.listen(700, port=443)
    found = tree.find(url, lambda host: ['198.51.100.7'])
    assert found['pid'] == 0 and reason in found['reason']
    assert [(each['pid'], each['unit'], each['store']) for each in found['others']] == [(800, 'aem.service', 'document')]


def test_without_root_other_aems_may_be_hidden(tree):
    tree.process(800, '/system.slice/aem.service', QUICKSTART)
    os.unlink(os.path.join(tree.root, 'proc/800/cwd'))
    assert tree.find('http://localhost:4503')['needs_root']


def test_nothing_listens(tree):
    found = tree.find()
    assert found['reason'] == (
        'no process of this host listens on port 4502: AEM does not run, it runs in a container, or the port is forwarded')
    assert not found['stoppable'] and not found['needs_root'] and found['store'] == 'unknown'


def test_another_account_cannot_see_the_process(tree, monkeypatch):
    tree.aem()
    listdir = os.listdir

    def refused(path='.'):
        if str(path).endswith('/800/fd'):
            raise PermissionError(13, 'Permission denied')
        return listdir(path)
    monkeypatch.setattr(os, 'listdir', refused)
    found = tree.find()
    assert found['needs_root'] and 'only root can see' in found['reason'] and not found['stoppable']


def test_a_socket_of_no_process_here_belongs_to_a_container(tree):
    tree.listen(0)
    found = tree.find()
    assert 'runs in a container' in found['reason'] and not found['needs_root']


def test_the_java_process_is_meant_where_systemd_has_handed_over_the_socket(tree):
    tree.aem()
    inode = tree.sockets[-1][3]
    tree.link(f'/proc/1/fd/{inode}', f'socket:[{inode}]')
    assert (tree.find()['pid'], tree.find()['unit']) == (800, 'aem.service')


def test_big_endian_hosts_write_addresses_the_other_way(tree):
    tree.listen(0, address='7F000001')
    assert str(aem_process.listeners(str(tree.root), 'big')[0].address) == '127.0.0.1'


def test_our_own_kernel_is_read_right():
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        server.listen(1)
        found = aem_process.find('http://127.0.0.1:{0}'.format(server.getsockname()[1]))
    assert 'PID {0}'.format(os.getpid()) in found['reason']
    assert (found['pid'], found['stoppable']) == (0, False)     # this is no AEM


# Which unit


@pytest.mark.parametrize('cgroup, v1, unit', [
    ('/system.slice/aem.service', False, 'aem.service'),
    ('/system.slice/aem.service', True, 'aem.service'),
    ('/system.slice/aem6.service/supervisor', False, 'aem6.service'),       # a subgroup of its own
    ('/aem.slice/aem-author.slice/cq5.service', True, 'cq5.service'),
    ('/system.slice/aem-docker.service', False, 'aem-docker.service'),      # only called after an engine
    ('/system.slice/system-aem.slice/aem@author.service', False, 'aem@author.service'),
    ('/system.slice/_cpu.service', False, 'cpu.service'),                   # systemd escapes the name of a controller
])
def test_the_cgroup_names_the_unit(tree, cgroup, v1, unit):
    tree.aem(cgroup=cgroup, v1=v1)
    found = tree.find()
    assert (found['unit'], found['stoppable'], found['reason'], found['advice']) == (unit, True, '', '')


@pytest.mark.parametrize('cgroup, said', [
    ('/user.slice/user-1001.slice/session-3.scope', 'session of a user (session-3.scope)'),
    ('/user.slice/user-1001.slice/user@1001.service/app.slice/aem.service', 'session of a user'),
    ('/system.slice/docker-4f2a.scope', 'container'),
    ('/docker/4f2a', 'container'),
    ('/system.slice/docker.service', 'container'),
    ('/system.slice/containerd.service', 'container'),
    ('/machine.slice/libpod-4f2a.scope/container', 'container'),
    ('/machine.slice/libpod-conmon-4f2a.scope', 'container'),
    ('/system.slice/aem.service/libpod-payload-4f2a', 'container'),
    ('/user.slice/user-1001.slice/user@1001.service/user.slice/libpod-4f2a.scope', 'container'),
    ('/machine.slice/systemd-nspawn@author.service/payload/system.slice/aem.service', 'container'),
    ('/machine.slice/machine-author.scope/system.slice/aem.service', 'container'),
    ('/kubepods.slice/kubepods-besteffort.slice/cri-containerd-4f2a.scope', 'container'),
    ('/lxc.payload.author/system.slice/aem.service', 'container'),
    ('/system.slice/run-u12.scope', 'not started again'),
    ('/', 'no systemd unit runs'),
    ('/init.scope', 'not started again'),
    ('/system.slice/ssh.service', 'does more than run AEM'),
    ('/system.slice/sshd.service', 'does more than run AEM'),
    ('/system.slice/crond.service', 'does more than run AEM'),
    ('/system.slice/rc-local.service', 'does more than run AEM'),
    ('/system.slice/supervisord.service', 'does more than run AEM'),
    ('/system.slice/cloud-final.service', 'does more than run AEM'),
    ('/system.slice/runsvdir-start.service', 'does more than run AEM'),
    ('/system.slice/pm2-aem.service', 'does more than run AEM'),
    ('/system.slice/zabbix-agent.service', 'does more than run AEM'),
])
@pytest.mark.parametrize('v1', [False, True])
def test_what_would_take_others_along_is_refused_with_the_reason(tree, cgroup, said, v1):
    tree.aem(cgroup=cgroup, v1=v1)
    found = tree.find()
    assert (found['unit'], found['stoppable'], found['pid']) == ('', False, 800)
    assert said in found['reason']
    assert 'fix_bp_jwt_aem_stop_command' in found['advice']


def test_a_transient_unit_cannot_be_started_again(tree):
    tree.aem(cgroup='/system.slice/run-r3f.service')
    assert tree.find()['unit'] == 'run-r3f.service'
    tree.write('/run/systemd/transient/run-r3f.service')
    assert 'transient unit' in tree.find()['reason']


def test_a_process_id_namespace_of_its_own_is_a_container_whatever_its_cgroup_is_called(tree):
    tree.aem()
    tree.link('/proc/1/ns/pid', 'pid:[4026531836]')
    tree.link('/proc/800/ns/pid', 'pid:[4026532290]')
    assert 'its own PID namespace' in tree.find()['reason']


@pytest.mark.parametrize('name, command', [
    ('docker-proxy', ['/usr/bin/docker-proxy', '-host-port', '4502']), ('nginx', ['nginx: master']),
    ('systemd-socket-', ['/lib/systemd/systemd-socket-proxyd', '10.0.0.2:4502']), ('python3', ['python3', '-m', 'http.server'])])
def test_a_proxy_is_not_aem(tree, name, command):
    tree.process(700, '/system.slice/front.service', command, name, cwd='/')
    tree.listen(700)
    found = tree.find()
    assert not found['stoppable'] and found['unit'] == '' and name in found['reason']
    assert ('belongs to a container' if name == 'docker-proxy' else 'not AEM') in found['reason']


def test_inside_a_machine_that_is_a_container_its_own_prefix_does_not_count(tree, tmp_path):
    machine = Tree(tmp_path / 'inner')
    machine.write('/proc/1/cgroup', '0::/machine.slice/systemd-nspawn@inner.service/payload/init.scope\n')
    machine.aem(cgroup='/machine.slice/systemd-nspawn@inner.service/payload/system.slice/aem.service')
    assert machine.find()['unit'] == 'aem.service'


def test_a_unit_that_runs_a_second_aem_is_not_stopped(tree):
    tree.aem(800, '/system.slice/aem.service', home='/opt/author/crx-quickstart')
    tree.process(900, '/system.slice/aem.service', ['java', '-jar', 'x.jar'], cwd='/opt/publish')
    os.makedirs(os.path.join(tree.root, 'opt/publish/crx-quickstart'))
    found = tree.find()
    assert 'aem.service also runs /opt/publish/crx-quickstart (PID 900)' in found['reason']


def test_the_launcher_and_the_helpers_of_the_same_aem_are_its_own(tree):
    tree.process(790, '/system.slice/aem.service', ['/bin/sh', 'start'], 'sh')
    tree.process(795, '/system.slice/aem.service', ['java', '-jar', 'cq.jar'], parent=790)
    tree.aem(800, parent=795)
    tree.process(801, '/system.slice/aem.service', ['java', '-jar', 'tool.jar'], parent=800, cwd='/tmp')
    tree.process(802, '/system.slice/aem.service', ['rotatelogs'], 'rotatelogs')
    tree.process(803, '/system.slice/aem-publish.service', ['java'], cwd='/opt/publish')     # another unit, not a subgroup
    assert tree.find()['unit'] == 'aem.service'


@pytest.mark.parametrize('name', ['mongod', 'httpd', 'haproxy'])
def test_a_unit_that_runs_another_server_beside_aem_is_not_stopped(tree, name):
    tree.write('/etc/systemd/system/aem.service', '[Service]\nExecStart=/opt/aem/bin/start\n')
    tree.aem()
    tree.process(900, '/system.slice/aem.service', ['/usr/sbin/' + name], name, cwd='/')
    assert tree.find()['stoppable']
    tree.listen(900, port=27017)
    assert 'aem.service also runs {0} (PID 900), which would be stopped along'.format(name) in tree.find()['reason']


def test_a_port_that_is_open_at_another_address_is_said_to_be(tree):
    tree.aem()
    tree.sockets.clear()
    tree.listen(800, address=LOOP4)
    found = tree.find('http://author.example.com:4502', lambda host: ['127.0.1.1'])
    assert found['reason'] == 'port 4502 of this host is open at 127.0.0.1 only, and aem_url leads to 127.0.1.1'
    assert 'fix_bp_jwt_aem_url' in found['advice']


@pytest.mark.parametrize('place', ['/data/aem-6.5', '/opt/publish'])
def test_the_folder_of_aem_by_a_link_is_the_same_folder(tree, place):
    os.makedirs(os.path.join(tree.root, 'data/aem-6.5/crx-quickstart'))
    os.makedirs(os.path.join(tree.root, 'opt/publish/crx-quickstart'))
    tree.link('/opt/aem', '../data/aem-6.5')
    tree.process(800, '/system.slice/aem.service', ['java', '-jar', '/opt/aem/cq.jar', '-b', '/opt/aem'], cwd='/')
    tree.listen(800)
    tree.process(801, '/system.slice/aem.service', ['java', '-jar', 'backup.jar'], cwd=place)
    assert tree.find()['stoppable'] is (place == '/data/aem-6.5')


@pytest.mark.parametrize('name, command', [
    ('ctmagent', ['/opt/ctm/exe/p_ctmag']), ('node', ['/usr/bin/node', '/opt/pm2/god.js']),
    ('python3', ['python3', '/opt/agent.py']), ('screen', ['SCREEN', '-dmS', 'aem']), ('tmux: server', ['tmux', 'new', '-d'])])
def test_what_a_supervisor_has_started_is_not_stopped_with_it(tree, name, command):
    tree.process(700, '/system.slice/site.service', command, name, cwd='/')
    tree.process(750, '/system.slice/site.service', ['/bin/bash', '/opt/aem/start.sh'], 'start.sh', parent=700)
    tree.aem(cgroup='/system.slice/site.service', parent=750)
    found = tree.find()
    assert (found['unit'], found['stoppable']) == ('', False)
    assert 'was started by {0} (PID 700) in site.service, which may do more than run AEM'.format(name) in found['reason']


def test_an_agent_that_aem_has_left_still_owns_the_unit(tree):
    tree.write('/usr/lib/systemd/system/site-agent.service', '[Service]\nExecStart=/opt/agent/agentd -d\n')
    tree.process(700, '/system.slice/site-agent.service', ['/opt/agent/agentd', '-d'], 'agentd', cwd='/')
    tree.aem(cgroup='/system.slice/site-agent.service')
    assert 'was started by agentd (PID 700) in site-agent.service' in tree.find()['reason']


@pytest.mark.parametrize('command', [
    ['/bin/ksh', '/opt/aem/bin/start'], ['-bash'], ['/usr/bin/su', '-', 'aem'], ['runuser', '-u', 'aem'],
    ['/usr/bin/authbind', 'java'], ['/usr/bin/timeout', '0', 'java'], ['/usr/bin/flock', '-n', '/run/aem.lock', 'java'],
    ['/usr/local/bin/gosu', 'aem', 'java'],
    ['/opt/aem/bin/wrapper-linux-x86-64', 'conf'], ['/usr/bin/jsvc', '-user', 'aem'], ['/bin/sh', '-c', 'java']])
def test_what_a_unit_of_aem_has_before_aem_is_its_own(tree, command):
    tree.write('/etc/systemd/system/aem.service', '[Service]\nExecStart=/opt/aem/bin/start\n')
    tree.process(700, '/system.slice/aem.service', command, os.path.basename(command[0])[:15], cwd='/')
    tree.process(701, '/system.slice/aem.service', ['tail', '-F', 'error.log'], 'tail', parent=700)
    tree.aem(parent=700)
    assert tree.find()['unit'] == 'aem.service'


# Which repository


@pytest.mark.parametrize('modes, version, store, lease', [
    ('author,crx3,crx3tar', '6.5.0', 'segment', 'unknown'),
    ('author,crx3tar-nofds', '6.5.0', 'segment', 'unknown'),
    ('author,crx3,crx3mongo', '6.5.0', 'document', 'strict'),
    ('crx3mongo, author', '6.4.0', 'document', 'lenient'),
    ('author,crx3rdb', '6.2.0', 'document', 'lenient'),
    ('author,crx3mongo', '6.6.0', 'document', 'strict'),
    ('author', '6.5.0', 'unknown', 'unknown'),
])
def test_the_run_modes_of_the_command_line(tree, modes, version, store, lease):
    tree.aem(modes=modes, version=version)
    assert (tree.find()['store'], tree.find()['lease_check']) == (store, lease)


def test_the_run_modes_of_sling_properties(tree):
    tree.aem()
    tree.write('/proc/800/cmdline', '\0'.join(['java', '-jar', 'crx-quickstart/app/cq-quickstart-6.5.0.jar']))
    tree.write('/opt/aem/crx-quickstart/conf/sling.properties', 'x=y\nsling.run.modes=author,crx3mongo\n')
    assert tree.find()['store'] == 'document'


@pytest.mark.parametrize('path, text, store, lease', [
    ('install/org.apache.jackrabbit.oak.plugins.document.DocumentNodeStoreService.config', '', 'document', 'strict'),
    ('install/org.apache.jackrabbit.oak.plugins.document.DocumentNodeStoreService.cfg.json', '{}', 'document', 'strict'),
    ('install/org.apache.jackrabbit.oak.plugins.document.DocumentNodeStoreService-author.cfg', '', 'document', 'strict'),
    ('install/install.author/org.apache.jackrabbit.oak.plugins.document.DocumentNodeStoreService.config',
     'leaseCheckMode="LENIENT"\n', 'document', 'lenient'),
    ('install/org.apache.jackrabbit.oak.plugins.document.DocumentNodeStoreService.cfg.json',
     '{"leaseCheckMode": "DISABLED"}', 'document', 'disabled'),
    ('install/install.publish/org.apache.jackrabbit.oak.plugins.document.DocumentNodeStoreService.config', '',
     'unknown', 'unknown'),
    ('install/org.apache.jackrabbit.oak.segment.SegmentNodeStoreService.config', '', 'segment', 'unknown'),
    ('install/org.apache.jackrabbit.oak.plugins.segment.SegmentNodeStoreService.cfg', '', 'segment', 'unknown'),
    ('launchpad/config/org/apache/jackrabbit/oak/plugins/document/DocumentNodeStoreService.config', '', 'document', 'strict'),
    ('repository/segmentstore/journal.log', '', 'segment', 'unknown'),
    ('install/com.example.DocumentNodeStoreService.config', '', 'unknown', 'unknown'),
])
def test_the_files_of_aem(tree, path, text, store, lease):
    tree.aem(modes='author')
    tree.write('/opt/aem/crx-quickstart/' + path, text)
    found = tree.find()
    assert (found['store'], found['lease_check'], found['home']) == (store, lease, '/opt/aem/crx-quickstart')


@pytest.mark.parametrize('lease, said', [('T"STRICT"', 'strict'), ('"LENIENT"', 'lenient'), ('T"DISABLED"', 'disabled')])
def test_the_lease_check_as_felix_writes_it(tree, lease, said):
    tree.aem(modes='author', version='6.4.8')
    tree.write('/opt/aem/crx-quickstart/launchpad/config/org/apache/jackrabbit/oak/plugins/document/DocumentNodeStoreService.config',
               ':org.apache.felix.configadmin.revision:=L"1"\nleaseCheckMode={0}\n'.format(lease))
    assert tree.find()['lease_check'] == said


@pytest.mark.parametrize('how', ['command', 'properties'])
def test_the_address_of_mongodb_tells_of_a_document_store(tree, how):
    tree.aem(modes='author')
    tree.write('/opt/aem/crx-quickstart/repository/segmentstore/journal.log')
    if how == 'command':
        words = [word.format('author', '6.5.0') for word in QUICKSTART]
        tree.write('/proc/800/cmdline', '\0'.join(words[:1] + ['-Doak.mongo.uri=mongodb://db.example'] + words[1:]) + '\0')
    else:
        tree.write('/opt/aem/crx-quickstart/conf/sling.properties', 'oak.mongo.uri=mongodb://db.example\n')
    found = tree.find()
    assert (found['store'], 'mongodb://' in found['evidence']) == ('document', False)      # it may have a password


def test_a_segment_store_that_was_left_behind_by_a_migration_does_not_count(tree):
    tree.aem(modes='author')
    tree.write('/opt/aem/crx-quickstart/repository/segmentstore/journal.log')
    tree.write('/opt/aem/crx-quickstart/install/org.apache.jackrabbit.oak.plugins.document.DocumentNodeStoreService.config')
    assert tree.find()['store'] == 'document'


def test_an_open_segment_store_wins_over_a_configuration_nobody_uses(tree):
    tree.aem(modes='author', files=['/data/repository/segmentstore/data00000a.tar'])
    tree.write('/opt/aem/crx-quickstart/install/org.apache.jackrabbit.oak.plugins.document.DocumentNodeStoreService.config')
    assert tree.find()['store'] == 'segment'


def test_a_composite_store_with_a_document_store_in_it_is_one(tree):
    tree.aem(modes='author', files=['/opt/aem/crx-quickstart/repository-libs/segmentstore/data00000a.tar'])
    for name in ('composite.CompositeNodeStoreService', 'plugins.document.DocumentNodeStoreService',
                 'segment.SegmentNodeStoreFactory~libs'):
        tree.write(f'/opt/aem/crx-quickstart/install/org.apache.jackrabbit.oak.{name}.cfg.json', '{}')
    found = tree.find()
    assert (found['store'], 'DocumentNodeStoreService' in found['evidence']) == ('document', True)


def test_a_composite_store_of_segment_stores_is_one(tree):
    tree.aem(modes='author')
    for name in ('composite.CompositeNodeStoreService', 'segment.SegmentNodeStoreFactory~libs',
                 'segment.SegmentNodeStoreFactory~global'):
        tree.write(f'/opt/aem/crx-quickstart/install/org.apache.jackrabbit.oak.{name}.config')
    assert tree.find()['store'] == 'segment'


def test_the_address_of_mongodb_beside_a_segment_store_tells_nothing(tree):
    tree.aem(modes='author')
    tree.write('/opt/aem/crx-quickstart/conf/sling.properties', 'oak.mongo.uri=mongodb://db.example\n')
    tree.write('/opt/aem/crx-quickstart/install/org.apache.jackrabbit.oak.segment.SegmentNodeStoreService.config')
    assert tree.find()['store'] == 'unknown'


@pytest.mark.parametrize('text', [
    'sling.run.modes=author,crx3mongo\n', 'sling.run.modes : author, crx3mongo\r\n', 'sling.run.modes author,crx3mongo',
    'sling.run.modes=author,\\\n    crx3mongo\n'])
def test_properties_in_each_form_that_java_reads(tree, text):
    tree.aem(modes='author')
    command = [word for word in QUICKSTART if 'run.modes' not in word]
    tree.write('/proc/800/cmdline', '\0'.join(command) + '\0')
    tree.write('/opt/aem/crx-quickstart/conf/sling.properties', '# sling.run.modes=crx3tar\n' + text)
    found = tree.find()
    assert (found['store'], found['evidence']) == ('document', 'run mode crx3mongo')


@pytest.mark.parametrize('how', ['a file', 'JAVA_TOOL_OPTIONS', 'JDK_JAVA_OPTIONS', '_JAVA_OPTIONS'])
def test_options_of_java_that_are_not_on_its_command_line(tree, how):
    tree.aem(modes='author')
    options = '-Dsling.run.modes=author,crx3mongo "-Dsling.home=/opt/aem/crx-quickstart"'
    command = ['/usr/bin/java', '-jar', '/opt/aem/start.jar']
    if how == 'a file':
        tree.write('/opt/aem/conf/jvm.options', '# -Dsling.run.modes=crx3tar\n' + options)
        command.insert(1, '@conf/jvm.options')
    else:
        tree.write('/proc/800/environ', 'SECRET=-Dsling.run.modes=crx3tar\0{0}={1}\0'.format(how, options))
    tree.write('/proc/800/cmdline', '\0'.join(command) + '\0')
    found = tree.find()
    assert (found['store'], found['home']) == ('document', '/opt/aem/crx-quickstart')


def test_the_web_application_in_tomcat(tree):
    tree.process(800, '/system.slice/tomcat.service', ['/usr/bin/java', '-Dcatalina.base=/opt/tomcat', '-classpath',
                                                       '/opt/tomcat/bin/bootstrap.jar', 'org.apache.catalina.startup.Bootstrap',
                                                       'start'], cwd='/')
    tree.listen(800)
    tree.write('/data/author/repository/x')
    tree.write('/opt/tomcat/webapps/ROOT/WEB-INF/web.xml', '''<web-app>
        <!-- <init-param><param-name>sling.run.modes</param-name><param-value>crx3tar</param-value></init-param> -->
        <init-param><param-name>sling.run.modes</param-name>
          <param-value>author,crx3rdb</param-value></init-param>
        <init-param><param-name>sling.home</param-name><param-value>/data/author</param-value></init-param></web-app>''')
    found = tree.find()
    assert (found['unit'], found['store'], found['home']) == ('tomcat.service', 'document', '/data/author')


def test_two_configurations_that_contradict_each_other_tell_nothing(tree):
    tree.aem(modes='author')
    for name in ('plugins.document.DocumentNodeStoreService', 'segment.SegmentNodeStoreService'):
        tree.write(f'/opt/aem/crx-quickstart/install/org.apache.jackrabbit.oak.{name}.config')
    assert tree.find()['store'] == 'unknown'


@pytest.mark.parametrize('words, lease', [
    (['-Doak.documentMK.leaseCheckMode=LENIENT'], 'lenient'), (['-Doak.documentMK.disableLeaseCheck=true'], 'disabled'),
    (['-Doak.documentMK.disableLeaseCheck=TRUE'], 'disabled')])
def test_the_lease_check_as_the_command_line_sets_it(tree, words, lease):
    tree.aem(modes='author,crx3mongo')
    tree.write('/proc/800/cmdline', '\0'.join(['java', '-Dsling.run.modes=crx3mongo', *words, '-jar', 'crx-quickstart/app/q.jar']))
    assert tree.find()['lease_check'] == lease


@pytest.mark.parametrize('oak, lease', [('1.4.11', 'lenient'), ('1.8.17', 'lenient'), ('1.9.5', 'lenient'), ('1.9.6', 'strict'),
                                        ('1.22.18', 'strict'), ('1.58.0.T20240101', 'strict'), ('', 'unknown')])
def test_the_lease_check_by_the_version_of_oak(tree, oak, lease):
    assert aem_repository.lease_check_of(oak) == lease
    if oak:
        tree.aem(modes='crx3mongo', version='x')
        tree.write('/opt/aem/crx-quickstart/launchpad/felix/bundle12/bundle.info',
                   f'12\njcrinstall:/libs/system/install/org.apache.jackrabbit.oak-core-{oak}.jar\n32\n')
        tree.write('/opt/aem/crx-quickstart/launchpad/felix/bundle9/bundle.info', '9\nslinginstall:oak-jcr-9.9.9.jar\n')
        assert tree.find()['lease_check'] == lease


@pytest.mark.parametrize('repository, store, lease', [
    ({'Node Store': 'Segment Tar', 'Apache Jackrabbit Oak': '1.22.3'}, 'segment', 'unknown'),
    ({'Node Store': 'TarMK', 'Apache Jackrabbit Oak': '1.8.2'}, 'segment', 'unknown'),
    ({'Node Store': 'Document NodeStore', 'Apache Jackrabbit Oak': '1.22.3'}, 'document', 'strict'),
    ({'Node Store': 'MongoMK', 'Apache Jackrabbit Oak': '1.8.2'}, 'document', 'lenient'),
    ({'Node Store': 'MongoMK', 'Apache Oak Version': '1.8.2'}, 'document', 'lenient'),
    ({}, 'unknown', 'unknown'),
    ('text', 'unknown', 'unknown'),
])
def test_the_system_overview(tree, repository, store, lease):
    tree.aem(modes='author', version='x')
    found = tree.find(overview=lambda: {'Repository': repository})
    assert (found['store'], found['lease_check']) == (store, lease)


@pytest.mark.parametrize('modes, store', [
    ('s7connect, crx3, non-composite, author, samplecontent, crx3tar', 'segment'), ('author, crx3, crx3mongo', 'document'),
    ('author, crx3', 'unknown'), (None, 'unknown')])
def test_the_run_modes_of_the_system_overview(tree, modes, store):
    tree.aem(modes='author', version='x')
    overview = {'Instance': {'Adobe Experience Manager': '6.5.0', 'Run Modes': modes},
                'Repository': {'Apache Jackrabbit Oak': '1.22.3'}}
    assert tree.find(overview=lambda: overview)['store'] == store


def in_no_process(tree):
    tree.listen(0)


def not_here(tree):
    tree.listen(0, port=8080)


def behind_an_engine(tree):
    tree.process(800, '/system.slice/docker.service', ['/usr/bin/docker-proxy', '-host-port', '4502'], 'docker-proxy', cwd='/')
    tree.listen(800)


def behind_a_rootless_engine(tree):
    tree.process(800, '/user.slice/user-1000.slice/session-3.scope', ['rootlessport'], 'rootlessport', cwd='/')
    tree.listen(800)


def in_a_container(tree):
    tree.aem(cgroup='/kubepods.slice/kubepods-besteffort.slice/cri-containerd-4f2a.scope', modes='author', home='/opt/x')
    tree.link('/proc/1/ns/pid', 'pid:[4026531836]')
    tree.link('/proc/800/ns/pid', 'pid:[4026532000]')


@pytest.mark.parametrize('place', [in_no_process, not_here, behind_an_engine, behind_a_rootless_engine, in_a_container])
def test_the_system_overview_tells_the_store_of_an_aem_in_a_container(tree, place):
    """The host's clock is the container's: a step under a document store must not be taken for one under an unknown store."""
    place(tree)
    found = tree.find(overview=lambda: {'Repository': {'Node Store': 'Document NodeStore', 'Apache Jackrabbit Oak': '1.22.3'}})
    assert (found['store'], found['lease_check'], found['stoppable']) == ('document', 'strict', False)
    assert 'container' in found['reason']


@pytest.mark.parametrize('here', [True, False])
def test_behind_a_proxy_of_this_host_the_address_of_aem_itself_is_the_next_step(tree, here):
    """Commands would not do: the process of the proxy does not end with AEM."""
    if here:
        tree.aem()
    tree.process(700, '/system.slice/httpd.service', ['/usr/sbin/httpd'], 'httpd', cwd='/')
    tree.listen(700, port=443)
    found = tree.find('https://localhost')
    assert (found['pid'], found['stoppable'], found['unit']) == (0, False, '')
    assert 'httpd' in found['reason'] and 'fix_bp_jwt_aem_url' in found['advice']
    assert ('port 4502' in found['advice']) is here and 'stop_command' not in found['advice']


def test_a_proxy_that_may_lead_to_another_host_is_not_asked_for_its_store(tree):
    tree.process(800, '/system.slice/haproxy.service', ['haproxy'], 'haproxy', cwd='/')
    tree.listen(800)
    assert tree.find(overview=lambda: pytest.fail('asked'))['store'] == 'unknown'


def test_the_system_overview_adds_the_lease_check_that_the_files_do_not_tell(tree):
    tree.aem(modes='crx3mongo', version='x')
    found = tree.find(overview=lambda: {'Repository': {'Node Store': 'MongoMK', 'Apache Jackrabbit Oak': '1.8.2'}})
    assert (found['store'], found['lease_check'], found['evidence']) == ('document', 'lenient', 'run mode crx3mongo')


def test_the_system_overview_is_not_asked_where_the_files_tell(tree):
    tree.aem(modes='crx3tar')
    assert tree.find(overview=lambda: pytest.fail('asked'))['store'] == 'segment'


@pytest.mark.parametrize('command, cwd', [
    (['java', '-jar', 'crx-quickstart/app/cq-quickstart-6.5.0.jar', 'start', '-c', 'crx-quickstart'], '/opt/aem'),
    (['java', '-jar', 'app/cq-quickstart-6.5.0.jar', 'start', '-c', '.'], '/opt/aem/crx-quickstart'),
    (['java', '-jar', '/opt/aem/cq-author-p4502.jar'], '/'),
    (['java', '-jar', 'aem.jar', '-b', '/opt/aem'], '/home/x'),
    (['java', '-jar', '/opt/aem/crx-quickstart/app/q.jar'], '/'),
    (['java', '-jar', '/opt/aem/crx-quickstart/app/q.jar'], ''),
    (['java', '-Dsling.home=/opt/aem/crx-quickstart', '-jar', 'start.jar'], '/opt/tomcat'),
    (['java', 'org.apache.sling.Main'], '/opt/aem'),
])
def test_the_folder_of_aem(tree, command, cwd):
    os.makedirs(os.path.join(tree.root, 'opt/aem/crx-quickstart'))
    tree.process(800, '/system.slice/aem.service', command, cwd='/x')
    os.remove(os.path.join(tree.root, 'proc/800/cwd'))
    if cwd:
        tree.link('/proc/800/cwd', cwd)
    assert aem_repository.aem_home(Processes(str(tree.root)), 800) == '/opt/aem/crx-quickstart'


# what administrators do


@pytest.mark.parametrize('url', ['http://localhost:abc', 'http://localhost:99999', 'http://[::1:4502', ''])
def test_what_is_no_url_is_answered_like_one_that_leads_nowhere(tree, url):
    tree.aem()
    found = tree.find(url)
    assert (found['pid'], found['stoppable']) == (0, False)
    assert found['reason']


def test_with_hidepid_another_account_does_not_take_aem_for_a_container(tree):
    tree.aem()
    shutil.rmtree(os.path.join(tree.root, 'proc/800'))
    shutil.rmtree(os.path.join(tree.root, 'proc/1'))
    found = tree.find()
    assert found['needs_root'] and 'container' not in found['reason']


def test_a_proxy_that_was_started_in_the_folder_of_aem_is_not_aem(tree):
    tree.aem()
    tree.process(900, '/system.slice/httpd.service', ['/usr/sbin/httpd'], 'httpd', cwd='/opt/aem')
    tree.listen(900, 8443)
    found = tree.find('https://localhost:8443')
    assert (found['unit'], found['stoppable']) == ('', False)
    assert 'forwards connections' in found['reason']


def test_run_modes_that_contradict_each_other_tell_nothing(tree):
    tree.aem(modes='author,crx3tar,crx3mongo')
    assert tree.find()['store'] == 'unknown'
