# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The AEM behind a URL: its process, the systemd unit that starts it, and the repository it runs on.

Reads files below a root folder; starts, stops and writes nothing. Another account than root does not see which process owns a
socket: the result then has needs_root.
"""

import glob
import ipaddress
import os
import re
import socket
import sys
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple, Union
from urllib.parse import urlsplit

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Resolve = Callable[[str], Iterable[str]]

_LISTEN = '0A'      # include/net/tcp_states.h
_JAVA = re.compile(r'(java|jsvc)(\.exec|\d*)\Z')
_HOME = 'crx-quickstart'

# Names of cgroups that container engines and systemd-nspawn make (also those of their own services).
_CONTAINER = re.compile(
    r'(?:^|[-.@])(?:docker|dockerd|libpod|podman|conmon|containerd|cri-o|crio|kubepods|kubelet|systemd-nspawn|rkt|lxc|lxd|incus|'
    r'nomad|ecs|garden|buildkit|netavark|slirp4netns)(?=[-.@:_]|$)|^machine(?:\.slice$|-)')
_USER = re.compile(r'user\.slice$|user-\d+\.slice$|user@\d+\.service$|session-[^/]+\.scope$')
# Services that start programs of others, which they would take along.
_SHARED = re.compile(
    r'(?:sshd?(?:@.*)?|dropbear|crond?|anacron|fcron|atd|rc-local|rc|boot|after-local|supervisord?|monit|god|circus\w*|xinetd|inetd|'
    r'cloud-(?:init|config|final)|amazon-ssm-agent|snap\.amazon-ssm-agent\..*|google-startup-scripts|walinuxagent|waagent|'
    r'jenkins(?:-agent)?|puppet|salt-minion|chef-client|cf-execd|rundeckd?|gitlab-runner|actions\.runner\..*|rexec.*|'
    r'systemd-.*|dbus.*|getty@.*|serial-getty@.*|console-getty|emergency|rescue|display-manager|gdm|lightdm|sddm)\.service\Z')
# Programs that pass connections on, by the name that the kernel shows (15 characters at most).
_PROXIES = ('docker-proxy', 'rootlessport', 'slirp4netns', 'pasta', 'pasta.avx2', 'conmon', 'haproxy', 'nginx', 'httpd', 'apache2',
            'envoy', 'traefik', 'varnishd', 'squid', 'socat', 'stunnel', 'stunnel4', 'systemd-socket-', 'sshd', 'ssh', 'autossh',
            'systemd', 'caddy', 'kube-proxy', 'rinetd', 'xinetd')

_DOCUMENT_MODES = ('crx3mongo', 'crx3rdb')
_SEGMENT_MODES = ('crx3tar', 'crx3tar-nofds')
_DOCUMENT_PID = 'org.apache.jackrabbit.oak.plugins.document.DocumentNodeStoreService'
_SEGMENT_PIDS = ('org.apache.jackrabbit.oak.segment.SegmentNodeStoreService',
                 'org.apache.jackrabbit.oak.plugins.segment.SegmentNodeStoreService')
_OSGI_FILE = re.compile(r'(?P<pid>[\w.]+?)(?:[-~].*)?\.(?:config|cfg|cfg\.json|xml)\Z')
_LEASE_MODE = re.compile(r'leaseCheckMode"?\s*[:=]\s*"?(STRICT|LENIENT|DISABLED)', re.IGNORECASE)
# The first Oak whose lease check is strict (LeaseCheckMode), and the first AEM that has it.
_STRICT_OAK, _STRICT_AEM = (1, 9, 6), (6, 5)
_MOST_FILES = 20000

_COMMANDS = ('give fix_bp_jwt_aem_stop_command and fix_bp_jwt_aem_start_command, or name a systemd unit that starts AEM alone in '
             'fix_bp_jwt_aem_service')
_BY_HAND = 'name the systemd unit of AEM in fix_bp_jwt_aem_service'


class Listener(NamedTuple):
    """A listening TCP socket of this network namespace."""

    address: Address
    port: int
    inode: str


class Store(NamedTuple):
    """A repository: segment, document or unknown; the lease check of a document store; what tells so."""

    kind: str
    lease_check: str
    evidence: str


UNKNOWN = Store('unknown', 'unknown', '')


def find(aem_url: str, root: str = '/', resolve: Optional[Resolve] = None,
         overview: Optional[Callable[[], Dict[str, Any]]] = None) -> Dict[str, Any]:
    """The AEM behind aem_url on this host, as time_service_info documents its key aem.

    overview: asks AEM for its system overview, {} where it may not be read. It is asked only where the files do not tell.
    """
    found = {'unit': '', 'pid': 0, 'home': '', 'store': 'unknown', 'lease_check': 'unknown', 'evidence': '', 'stoppable': False,
             'reason': '', 'advice': '', 'needs_root': False}   # type: Dict[str, Any]
    proc = Processes(root)
    host, port = _host_and_port(aem_url)
    addresses = _addresses(resolve or _resolved, host)
    if not addresses & (local_addresses(root) | _loopback(addresses)):
        return dict(found, reason='fix_bp_jwt_aem_url names {0}, which is no address of this host'.format(host or 'no host'),
                    advice='see whether AEM runs on this host, and ' + _BY_HAND)
    sockets = [each for each in listeners(root) if each.port == port]
    serving = _serving(sockets, addresses)
    if not serving:
        return dict(found, reason='no process of this host listens on port {0}: AEM does not run, or it runs in a container'.format(
            port), advice='start AEM; where it runs in a container, ' + _COMMANDS)
    pids, all_seen = proc.owners({each.inode for each in serving})
    if not pids:
        if all_seen:
            return dict(found, advice=_COMMANDS, reason='the socket of port {0} belongs to no process of this host: AEM runs in a '
                        'container'.format(port))
        return dict(found, needs_root=True, reason='only root can see which process listens on port {0}'.format(port),
                    advice=_BY_HAND)
    pid = _main_of(proc, pids)
    home = aem_home(proc, pid)
    found.update(pid=pid, home=home)
    unit, reason = _unit_and_reason(proc, pids, pid, home)
    store = repository(proc, pid, home)
    if overview and 'unknown' in (store.kind, store.lease_check if store.kind == 'document' else '') and is_aem(proc, pid, home):
        store = _merged(store, from_overview(overview()))
    found.update(unit=unit, store=store.kind, lease_check=store.lease_check, evidence=store.evidence, stoppable=not reason,
                 reason=reason, advice=reason and _COMMANDS)
    return found


def is_aem(proc: 'Processes', pid: int, home: str) -> bool:
    """Whether the process looks like AEM: a Java virtual machine, or one with a crx-quickstart folder."""
    return bool(home) or proc.is_java(pid)


# sockets


def _host_and_port(url: str) -> Tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or '', parts.port or (443 if parts.scheme == 'https' else 80)


def _resolved(host: str) -> List[str]:
    try:
        return [str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        return []


def _addresses(resolve: Resolve, host: str) -> Set[Address]:
    if host.rstrip('.') == 'localhost':     # RFC 6761 section 6.3, whatever /etc/hosts says
        return {ipaddress.ip_address('127.0.0.1'), ipaddress.ip_address('::1')}
    found = set()   # type: Set[Address]
    for text in resolve(host):
        try:
            found.add(_plain(ipaddress.ip_address(text.partition('%')[0])))
        except ValueError:
            continue
    return found


def _plain(address: Address) -> Address:
    """An IPv4 address that is written as an IPv6 one, as IPv4."""
    mapped = getattr(address, 'ipv4_mapped', None)
    return mapped or address


def _loopback(addresses: Iterable[Address]) -> Set[Address]:
    return {address for address in addresses if address.is_loopback}


def local_addresses(root: str = '/') -> Set[Address]:
    """The addresses of this network namespace: /proc/net/fib_trie and /proc/net/if_inet6."""
    found, last = set(), ''     # type: Set[Address], str
    for line in _text(root, 'proc/net/fib_trie').splitlines():
        if '|--' in line:
            last = line.rpartition(' ')[2]
        elif '/32 host LOCAL' in line:
            found.add(ipaddress.ip_address(last))
    for line in _text(root, 'proc/net/if_inet6').splitlines():
        found.add(ipaddress.IPv6Address(int(line.split()[0], 16)))
    return found


def listeners(root: str = '/', byteorder: str = sys.byteorder) -> List[Listener]:
    """The listening TCP sockets of this network namespace: proc(5), /proc/net/tcp and tcp6."""
    found = []
    for name in ('tcp', 'tcp6'):
        for line in _text(root, 'proc/net/' + name).splitlines()[1:]:
            words = line.split()
            if len(words) > 9 and words[3] == _LISTEN:
                address, port = words[1].split(':')
                found.append(Listener(_plain(_from_hex(address, byteorder)), int(port, 16), words[9]))
    return found


def _from_hex(text: str, byteorder: str) -> Address:
    """Words of 32 bits, each printed as the number that the machine's byte order makes of it."""
    words = [int(text[at:at + 8], 16) for at in range(0, len(text), 8)]
    return ipaddress.ip_address(b''.join(word.to_bytes(4, 'little' if byteorder == 'little' else 'big') for word in words))


def _serving(sockets: Sequence[Listener], addresses: Set[Address]) -> List[Listener]:
    """Those that get a connection to one of the addresses: bound to it, or where none is, to all addresses."""
    exact = [each for each in sockets if each.address in addresses]
    return exact or [each for each in sockets if each.address.is_unspecified]


# processes


class Processes:
    """What /proc below a root folder says of processes."""

    def __init__(self, root: str = '/') -> None:
        self.root = root

    def text(self, pid: int, name: str) -> str:
        return _text(self.root, 'proc/{0}/{1}'.format(pid, name))

    def link(self, pid: int, name: str) -> str:
        try:
            return os.readlink(os.path.join(self.root, 'proc/{0}/{1}'.format(pid, name)))
        except OSError:
            return ''

    def pids(self) -> List[int]:
        try:
            return sorted(int(name) for name in os.listdir(os.path.join(self.root, 'proc')) if name.isdigit())
        except OSError:
            return []

    def owners(self, inodes: Set[str]) -> Tuple[List[int], bool]:
        """(processes that have one of these sockets open, whether every process could be looked at)."""
        wanted, found, all_seen = {'socket:[{0}]'.format(inode) for inode in inodes}, [], True
        for pid in self.pids():
            folder = os.path.join(self.root, 'proc/{0}/fd'.format(pid))
            try:
                names = os.listdir(folder)
            except PermissionError:
                all_seen = False
                continue
            except OSError:     # it has ended
                continue
            if any(self.link(pid, 'fd/' + name) in wanted for name in names):
                found.append(pid)
        return found, all_seen

    def open_files(self, pid: int) -> Iterable[str]:
        try:
            names = os.listdir(os.path.join(self.root, 'proc/{0}/fd'.format(pid)))
        except OSError:
            return []
        return [self.link(pid, 'fd/' + name) for name in names]

    def command(self, pid: int) -> List[str]:
        return [word for word in self.text(pid, 'cmdline').split('\0') if word]

    def name(self, pid: int) -> str:
        return self.text(pid, 'comm').strip() or os.path.basename((self.command(pid) or ['?'])[0])

    def parent(self, pid: int) -> int:
        fields = self.text(pid, 'stat').rpartition(')')[2].split()
        return int(fields[1]) if len(fields) > 1 and fields[1].isdigit() else 0

    def ancestors(self, pid: int) -> List[int]:
        found = []  # type: List[int]
        while pid > 1 and len(found) < 64:
            pid = self.parent(pid)
            found.append(pid)
        return found

    def is_java(self, pid: int) -> bool:
        first = (self.command(pid) or [''])[0]
        names = (self.name(pid), os.path.basename(first), os.path.basename(self.link(pid, 'exe')))
        return any(_JAVA.match(name) for name in names)

    def cgroup(self, pid: int) -> str:
        """The path that systemd gave it, as seen from systemd's own: cgroups(7), version 1, 2 and both mixed."""
        path, base = self._cgroup(pid), self._cgroup(1)
        base = base[:-len('/init.scope')] if base.endswith('/init.scope') else ''
        return path[len(base):] if base and path.startswith(base + '/') else path

    def _cgroup(self, pid: int) -> str:
        paths = {}
        for line in self.text(pid, 'cgroup').splitlines():
            number, _colon, rest = line.partition(':')
            controllers, _colon, path = rest.partition(':')
            paths['systemd' if controllers == 'name=systemd' else number] = path
        return paths.get('systemd') or paths.get('0') or ''


def _main_of(proc: Processes, pids: List[int]) -> int:
    """Of processes that share a socket, AEM's: the Java one, not the systemd that handed it over."""
    java = [pid for pid in pids if proc.is_java(pid)]
    return (java or [pid for pid in pids if pid != 1] or pids)[0]


# the unit


def _unit_and_reason(proc: Processes, pids: List[int], pid: int, home: str) -> Tuple[str, str]:
    """(the systemd unit, why it must not be stopped for AEM): one of both is ''."""
    called = 'AEM (PID {0})'.format(pid)
    path = proc.cgroup(pid)
    parts = [part[1:] if part.startswith('_') else part for part in path.split('/') if part]
    container = next((part for part in parts if _CONTAINER.search(part)), '')
    name = proc.name(pid)
    if container or _in_other_namespace(proc, pid):
        return '', 'the process on its port (PID {0}, {1}) belongs to a container engine or a container ({2})'.format(
            pid, name, container or 'a process ID namespace of its own')
    if not is_aem(proc, pid, home):
        kind = 'passes connections on' if name in _PROXIES else 'is no Java program'
        return '', 'the process on its port (PID {0}, {1}) {2}, so it is not AEM itself'.format(pid, name, kind)
    if any(_USER.search(part) for part in parts):
        return '', '{0} runs in the session of a user ({1}), and stopping that would end all that runs in it'.format(
            called, next(part for part in reversed(parts) if part.endswith(('.scope', '.service', '.slice'))))
    unit = next((part for part in parts if not part.endswith('.slice')), '')
    if unit.endswith('.scope'):
        return '', '{0} runs in {1}: a scope can be stopped, but not started again'.format(called, unit)
    if not unit.endswith('.service'):
        return '', 'no systemd unit runs {0}'.format(called)
    if os.path.exists(os.path.join(proc.root, 'run/systemd/transient', unit)):
        return '', '{0} runs in {1}: a transient unit is gone once it is stopped'.format(called, unit)
    if _SHARED.match(unit):
        return '', '{0} was started by {1}, which does more than run AEM'.format(called, unit)
    others = _others_in(proc, path[:path.index(unit) + len(unit)], pids, pid, home)
    if others:
        return '', '{0} also runs {1}, which would be stopped along with AEM'.format(unit, others)
    return unit, ''


def _in_other_namespace(proc: Processes, pid: int) -> bool:
    ours, its = proc.link(1, 'ns/pid'), proc.link(pid, 'ns/pid')
    return bool(ours and its and ours != its)


def _others_in(proc: Processes, path: str, pids: List[int], pid: int, home: str) -> str:
    """Another Java program in the unit's cgroup that is no part of this AEM, in words; '' where there is none."""
    family = set(pids) | set(proc.ancestors(pid))
    for other in proc.pids():
        if other in family or not (proc.cgroup(other) + '/').startswith(path + '/') or not proc.is_java(other):
            continue
        if pid in proc.ancestors(other) or (home and aem_home(proc, other) == home):
            continue
        return '{0} (PID {1})'.format(aem_home(proc, other) or proc.name(other), other)
    return ''


# the repository


def aem_home(proc: Processes, pid: int) -> str:
    """The path of AEM's crx-quickstart folder; '' where nothing tells it."""
    words, cwd = proc.command(pid), proc.link(pid, 'cwd')
    candidates = []
    for word, following in zip(words, words[1:] + ['']):
        if word == '-c':
            candidates.append(following)
        elif word in ('-b', '-jar'):
            candidates.append(os.path.join(following if word == '-b' else os.path.dirname(following), _HOME))
        elif word.startswith('-Dsling.home='):
            candidates.append(word.partition('=')[2])
        inside = re.match(r'((?:.*/)?{0})/'.format(_HOME), word)
        if inside and not word.startswith('-'):
            candidates.append(inside.group(1))
    candidates += [cwd] if os.path.basename(cwd) == _HOME else [os.path.join(cwd, _HOME)] if cwd else []
    for candidate in candidates:
        path = os.path.normpath(os.path.join(cwd or '/', candidate)) if cwd or candidate.startswith('/') else ''
        real = os.path.join(proc.root, path.lstrip('/'))
        if path and os.path.isdir(real) and (os.path.basename(path) == _HOME or os.path.isdir(os.path.join(real, 'repository'))):
            return path
    return ''


def repository(proc: Processes, pid: int, home: str) -> Store:
    """What the process and its files tell of the repository, the running program's own word first."""
    words = proc.command(pid)
    modes = run_modes(proc.root, words, home)
    configured = dict(_configured(proc.root, home, modes))
    lease = _lease_check(proc.root, words, home, configured.get('document', ''))
    for mode in modes:
        if mode in _DOCUMENT_MODES or mode in _SEGMENT_MODES:
            kind = 'document' if mode in _DOCUMENT_MODES else 'segment'
            return _store(kind, lease, 'run mode ' + mode)
    opened = next((path for path in proc.open_files(pid) if '/segmentstore/' in path), '')
    if opened:
        return _store('segment', lease, 'it has {0} open'.format(opened))
    if len(configured) == 1:
        kind = list(configured)[0]
        return _store(kind, lease, configured[kind])
    journal = os.path.join(home, 'repository/segmentstore/journal.log')
    if not configured and home and os.path.exists(os.path.join(proc.root, journal.lstrip('/'))):
        return _store('segment', lease, journal)
    return UNKNOWN


def _store(kind: str, lease: str, evidence: str) -> Store:
    return Store(kind, lease if kind == 'document' else 'unknown', evidence)


def run_modes(root: str, words: Sequence[str], home: str) -> List[str]:
    """The run modes that the command line gives, or else sling.properties."""
    found = []  # type: List[str]
    for at, word in enumerate(words):
        if word.startswith('-Dsling.run.modes='):
            found += word.partition('=')[2].split(',')
        elif word in ('-r', '-runmode') and at + 1 < len(words):
            found += words[at + 1].split(',')
    if not found and home:
        text = _text(root, os.path.join(home, 'conf/sling.properties').lstrip('/'))
        found = [mode for line in re.findall(r'(?m)^\s*sling\.run\.modes\s*=\s*(.*)$', text) for mode in line.split(',')]
    return [mode.strip() for mode in found if mode.strip()]


def _configured(root: str, home: str, modes: Sequence[str]) -> Iterable[Tuple[str, str]]:
    """(kind of store, path) for each OSGi configuration of a node store below install and in what Felix has taken in."""
    if not home:
        return
    left = _MOST_FILES
    for top in ('install', 'launchpad/config'):
        folder = os.path.join(root, home.lstrip('/'), top)
        for place, folders, names in os.walk(folder):
            folders[:] = sorted(name for name in folders if _applies(name, modes))
            for name in sorted(names):
                left -= 1
                if left < 0:
                    return
                path = os.path.join(place, name)
                inside = os.path.relpath(path, folder).replace('/', '.') if top != 'install' else name
                match = _OSGI_FILE.match(inside)
                pid = match.group('pid') if match else ''
                if pid == _DOCUMENT_PID or pid in _SEGMENT_PIDS:
                    yield ('document' if pid == _DOCUMENT_PID else 'segment'), '/' + os.path.relpath(path, root)


def _applies(folder: str, modes: Sequence[str]) -> bool:
    """Whether the installer reads a folder: install.author.crx3mongo is for these run modes together."""
    kind, dot, needed = folder.partition('.')
    return not modes or not dot or kind not in ('install', 'config') or set(needed.split('.')) <= set(modes)


def _lease_check(root: str, words: Sequence[str], home: str, configuration: str) -> str:
    """strict, lenient, disabled or unknown: as configured, else by the version of AEM or of Oak."""
    if any(word.startswith('-Doak.documentMK.disableLeaseCheck=true') for word in words):
        return 'disabled'
    said = _LEASE_MODE.search(' '.join(words)) or _LEASE_MODE.search(_text(root, configuration.lstrip('/')))
    if said:
        return said.group(1).lower()
    if not home:
        return 'unknown'
    jars = ' '.join(list(words) + [os.path.basename(path) for path in
                                   glob.glob(os.path.join(root, home.lstrip('/'), 'app/*.jar'))])
    aem = [_numbers(text) for text in re.findall(r'cq-quickstart-(\d+\.\d+[.\d]*)', jars)]
    if aem:
        return 'strict' if max(aem)[:2] >= _STRICT_AEM else 'lenient'
    for info in glob.glob(os.path.join(root, home.lstrip('/'), 'launchpad/felix/bundle*/bundle.info')):
        oak = re.search(r'oak-(?:core|store-document)[-/](\d+\.\d+\.\d+)', _text('/', info.lstrip('/')))
        if oak:
            return lease_check_of(oak.group(1))
    return 'unknown'


def lease_check_of(oak: str) -> str:
    """The lease check that this version of Apache Oak has by default."""
    numbers = _numbers(oak)
    return 'unknown' if len(numbers) < 2 else 'strict' if numbers[:3] >= _STRICT_OAK else 'lenient'


def from_overview(overview: Dict[str, Any]) -> Store:
    """What AEM's system overview (export.json) tells of the repository."""
    said = overview.get('Repository')
    said = said if isinstance(said, dict) else {}
    kind = str(said.get('Node Store', '')).lower()
    lease = lease_check_of(str(said.get('Apache Oak Version', '')))
    if re.search(r'document|mongo|rdb', kind):
        return Store('document', lease, 'its system overview')
    if re.search(r'segment|tar', kind):
        return Store('segment', 'unknown', 'its system overview')
    return Store('unknown', lease, '')


def _merged(files: Store, overview: Store) -> Store:
    if files.kind == 'unknown':
        return overview if overview.kind != 'unknown' else UNKNOWN
    return files._replace(lease_check=overview.lease_check)


def _numbers(text: str) -> Tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r'\d+', text))


def _text(root: str, path: str) -> str:
    """The file's text; '' where there is none, or it may not be read."""
    try:
        with open(os.path.join(root, path), encoding='utf-8', errors='replace') as stream:
            return stream.read()
    except OSError:
        return ''
