# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the AEM behind a URL: its process, the systemd unit that starts it, and its repository.

Only reads files below a root folder. Only root can see which process owns a socket; for other accounts, the result has needs_root.
"""

import ipaddress
import os
import re
import socket
import sys
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple, Union
from urllib.parse import urlsplit

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.aem_repository import (
    UNKNOWN,
    Store,
    aem_home,
    from_overview,
    merged,
    repository,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.config import own_addresses
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.launch import program_of
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.host import Host
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.processes import Processes, text_of

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Resolve = Callable[[str], Iterable[str]]

_LISTEN = '0A'      # include/net/tcp_states.h

# Names of cgroups that container engines and systemd-nspawn create (including those of their own services).
_CONTAINER = re.compile(
    r'(?:^|[-.@])(?:docker|dockerd|libpod|podman|conmon|containerd|cri-o|crio|kubepods|kubelet|systemd-nspawn|rkt|lxc|lxd|incus|'
    r'nomad|ecs|garden|buildkit|netavark|slirp4netns)(?=[-.@:_]|$)|^machine(?:\.slice$|-)')
_USER = re.compile(r'user\.slice$|user-\d+\.slice$|user@\d+\.service$|session-[^/]+\.scope$')
# Services that start other programs, which would be stopped with them.
_SHARED = re.compile(
    r'(?:sshd?(?:@.*)?|dropbear|crond?|anacron|fcron|atd|rc-local|rc|boot|after-local|supervisord?|monit|god|circus\w*|xinetd|inetd|'
    r'cloud-(?:init|config|final)|amazon-ssm-agent|snap\.amazon-ssm-agent\..*|google-startup-scripts|walinuxagent|waagent|'
    r'jenkins(?:-agent)?|puppet|salt-minion|chef-client|cf-execd|rundeckd?|gitlab-runner|actions\.runner\..*|rexec.*|'
    r'runit|runsvdir(?:-start)?|svscan(?:boot)?|daemontools|s6-.*|pm2-.*|zabbix-agent2?|nrpe|nagios-nrpe-server|snmpd|'
    r'systemd-.*|dbus.*|getty@.*|serial-getty@.*|console-getty|emergency|rescue|display-manager|gdm|lightdm|sddm)\.service\Z')
# Programs that start another one and wait for it, or exec it: they may be between a unit of AEM and AEM.
_LAUNCHERS = re.compile(
    r'(?:ba|da|k|z|a|c|tc|mk|pdk)?sh|busybox|env|nohup|setsid|su|sudo|doas|runuser|setpriv|chroot|nice|ionice|chrt|taskset|numactl|'
    r'prlimit|flock|timeout|gosu|su-exec|runcon|cgexec|unshare|stdbuf|capsh|scl|authbind|'
    r'start-stop-daemon|daemon|daemonize|systemd-cat|tini(?:-static)?|dumb-init|catatonit|java\d*|jsvc(?:\.exec)?|'
    r'wrapper(?:[-.].*)?')
# Programs that forward connections, by the name that the kernel shows (at most 15 characters).
_OF_ENGINES = ('docker-proxy', 'rootlessport', 'slirp4netns', 'pasta', 'pasta.avx2', 'conmon')     # into a container
_PROXIES = _OF_ENGINES + (
    'haproxy', 'nginx', 'httpd', 'apache2', 'envoy', 'traefik', 'varnishd', 'squid', 'socat', 'stunnel', 'stunnel4',
    'systemd-socket-', 'sshd', 'ssh', 'autossh', 'systemd', 'caddy', 'kube-proxy', 'rinetd', 'xinetd')

_COMMANDS = ('give fix_bp_jwt_aem_stop_command and fix_bp_jwt_aem_start_command, or name a systemd unit that starts AEM alone in '
             'fix_bp_jwt_aem_service')
_BY_HAND = 'name the systemd unit of AEM in fix_bp_jwt_aem_service'
_OF_CONTAINER = 'name the systemd unit that runs its container in fix_bp_jwt_aem_service'


class Listener(NamedTuple):
    """A listening TCP socket of this network namespace."""

    address: Address
    port: int
    inode: str


def find(aem_url: str, root: str = '/', resolve: Optional[Resolve] = None,
         overview: Optional[Callable[[], Dict[str, Any]]] = None) -> Dict[str, Any]:
    """Find the AEM behind aem_url on this host; return the key `aem` that time_service_info documents.

    overview: returns AEM's system overview, or {} if it may not be read. It is called only if the files do not show the repository.
    """
    found = _behind(aem_url, root, resolve, overview)
    others, all_seen = _others_on_host(Processes(root), found['pid'], found['home'])
    return dict(found, others=others, needs_root=found['needs_root'] or not all_seen)


def _behind(aem_url: str, root: str, resolve: Optional[Resolve],
            overview: Optional[Callable[[], Dict[str, Any]]]) -> Dict[str, Any]:
    """Return what find() returns but for the other AEMs of this host."""
    found = {'unit': '', 'pid': 0, 'home': '', 'store': 'unknown', 'lease_check': 'unknown', 'evidence': '', 'stoppable': False,
             'reason': '', 'advice': '', 'needs_root': False}   # type: Dict[str, Any]
    proc = Processes(root)
    host, port = _host_and_port(aem_url)
    addresses = _addresses(resolve or _resolved, host)
    if host and not addresses:
        return dict(found, reason='aem_url names {0}, which this host cannot resolve'.format(host),
                    advice='correct the name or the resolver of this host, or ' + _BY_HAND)
    if not addresses & (local_addresses(root) | _loopback(addresses)):
        return dict(found, reason='aem_url names {0}, which is not an address of this host'.format(host or 'no host'),
                    advice='see whether AEM runs on this host, and ' + _BY_HAND)
    sockets = [each for each in listeners(root) if each.port == port]
    serving = _serving(sockets, addresses)
    if not serving and sockets:
        return dict(found, reason='port {0} of this host is open at {1} only, and aem_url leads to {2}'.format(
            port, _listed(each.address for each in sockets), _listed(addresses)),
            advice='give such an address in fix_bp_jwt_aem_url, or ' + _BY_HAND)
    if not serving:
        return _with_overview(
            dict(found, reason='no process of this host listens on port {0}: AEM does not run, it runs in a container, or the port '
                 'is forwarded'.format(port), advice='start AEM; where it runs in a container, ' + _OF_CONTAINER), overview)
    pids, all_seen = proc.owners({each.inode for each in serving})
    if not pids:
        if all_seen:
            return _with_overview(
                dict(found, advice=_OF_CONTAINER, reason='the socket of port {0} belongs to no process of this host: AEM runs in a '
                     'container'.format(port)), overview)
        return dict(found, needs_root=True, reason='only root can see which process listens on port {0}'.format(port),
                    advice=_BY_HAND)
    pid = _main_of(proc, pids)
    home = aem_home(proc, pid)
    found.update(pid=pid, home=home)
    unit, reason = _unit_and_reason(proc, pids, pid, home)
    found.update(unit=unit, stoppable=not reason, reason=reason, advice=reason and _COMMANDS)
    # What only forwards connections may do so to another host, unless a container engine's program does it.
    if not is_aem(proc, pid, home) and not _container_of(proc, pid):
        return dict(found, pid=0, home='', advice=_where_aem_is(proc))
    store = repository(proc, pid, home) if is_aem(proc, pid, home) else UNKNOWN
    return _with_overview(dict(found, store=store.kind, lease_check=store.lease_check, evidence=store.evidence), overview)


def _others_on_host(proc: Processes, known: int, home: str) -> Tuple[List[Dict[str, Any]], bool]:
    """Return (the AEMs of this host but for the known process and those in home, whether each Java program could be read)."""
    found, all_seen = [], True     # type: List[Dict[str, Any]], bool
    sockets = _sockets(proc)
    for pid in proc.pids():
        if pid == known or not proc.is_java(pid) or proc.state(pid) == 'Z':
            continue
        all_seen = all_seen and bool(proc.link(pid, 'cwd'))
        its = aem_home(proc, pid)
        listens = sockets.keys() & set(proc.open_files(pid))
        if not its or not listens or any(_is_same_folder(proc.root, its, one) for one in [home] + [each['home'] for each in found]):
            continue
        store = repository(proc, pid, its)
        unit = _unit_and_reason(proc, [pid], pid, its)[0]
        found.append({'pid': pid, 'home': its, 'unit': unit, 'store': store.kind, 'evidence': store.evidence})
    return found, all_seen


def _sockets(proc: Processes) -> Dict[str, int]:
    """Return {the link to a listening socket as proc(5) shows it: its port}."""
    return {'socket:[{0}]'.format(each.inode): each.port for each in listeners(proc.root)}


def _where_aem_is(proc: Processes) -> str:
    """Return the advice for a port on which something else than AEM listens."""
    sockets = _sockets(proc)
    ports = set()   # type: Set[int]
    for pid in proc.pids():
        if proc.is_java(pid) and aem_home(proc, pid):
            ports |= {sockets[path] for path in proc.open_files(pid) if path in sockets}
    address = ', such as http://localhost:4502' if not ports else ': an AEM of this host listens on port {0}'.format(
        ' and '.join(str(port) for port in sorted(ports)))
    return 'give the address of AEM itself in fix_bp_jwt_aem_url{0}; or {1}'.format(address, _BY_HAND)


def _with_overview(found: Dict[str, Any], overview: Optional[Callable[[], Dict[str, Any]]]) -> Dict[str, Any]:
    """Add to the result what the system overview tells and the files do not."""
    files = Store(found['store'], found['lease_check'], found['evidence'])
    if overview and 'unknown' in (files.kind, files.lease_check if files.kind == 'document' else ''):
        files = merged(files, from_overview(overview()))
    return dict(found, store=files.kind, lease_check=files.lease_check, evidence=files.evidence)


def _listed(addresses: Iterable[Address]) -> str:
    return ' and '.join(sorted({str(address) for address in addresses}))


def is_aem(proc: Processes, pid: int, home: str) -> bool:
    """Return whether the process looks like AEM: a Java virtual machine, or a process with a crx-quickstart folder."""
    return proc.is_java(pid) or (bool(home) and proc.name(pid) not in _PROXIES)


# sockets


def _host_and_port(url: str) -> Tuple[str, int]:
    """Return host and port of a URL, or ('', 0) for any other text: the request to AEM then fails with a message."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or '').replace('%25', '%')   # a zone, RFC 6874
        return host, parts.port or (443 if parts.scheme == 'https' else 80)
    except ValueError:
        return '', 0


def _resolved(host: str) -> List[str]:
    try:
        return [str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        return []


def _addresses(resolve: Resolve, host: str) -> Set[Address]:
    if host.rstrip('.') == 'localhost':     # RFC 6761 section 6.3, regardless of /etc/hosts
        return {ipaddress.ip_address('127.0.0.1'), ipaddress.ip_address('::1')}
    found = set()   # type: Set[Address]
    for text in resolve(host):
        try:
            address = _plain(ipaddress.ip_address(text.partition('%')[0]))
        except ValueError:
            continue
        # For 0.0.0.0 and ::, Linux connects to this host.
        found.add(ipaddress.ip_address('127.0.0.1' if address.version == 4 else '::1') if address.is_unspecified else address)
    return found


def _plain(address: Address) -> Address:
    """Return an IPv4-mapped IPv6 address as IPv4."""
    mapped = getattr(address, 'ipv4_mapped', None)
    return mapped or address


def _loopback(addresses: Iterable[Address]) -> Set[Address]:
    return {address for address in addresses if address.is_loopback}


def local_addresses(root: str = '/') -> Set[Address]:
    """Return the addresses of this network namespace."""
    return {ipaddress.ip_address(text) for text in own_addresses(Host(root=root))}


def listeners(root: str = '/', byteorder: str = sys.byteorder) -> List[Listener]:
    """Return the listening TCP sockets of this network namespace: proc(5), /proc/net/tcp and tcp6."""
    found = []
    for name in ('tcp', 'tcp6'):
        for line in text_of(root, 'proc/net/' + name).splitlines()[1:]:
            words = line.split()
            if len(words) > 9 and words[3] == _LISTEN:
                address, port = words[1].split(':')
                found.append(Listener(_plain(_from_hex(address, byteorder)), int(port, 16), words[9]))
    return found


def _from_hex(text: str, byteorder: str) -> Address:
    """Parse an address of /proc/net: words of 32 bits, each printed in the byte order of the machine."""
    words = [int(text[at:at + 8], 16) for at in range(0, len(text), 8)]
    return ipaddress.ip_address(b''.join(word.to_bytes(4, 'little' if byteorder == 'little' else 'big') for word in words))


def _serving(sockets: Sequence[Listener], addresses: Set[Address]) -> List[Listener]:
    """Return the sockets that accept a connection to one of the addresses: bound to it, or else to all addresses."""
    exact = [each for each in sockets if each.address in addresses]
    return exact or [each for each in sockets if each.address.is_unspecified]


def _main_of(proc: Processes, pids: List[int]) -> int:
    """Return the process of AEM among those that share a socket: the Java process, not the systemd that opened it."""
    java = [pid for pid in pids if proc.is_java(pid)]
    return (java or [pid for pid in pids if pid != 1] or pids)[0]


# the unit


def _unit_and_reason(proc: Processes, pids: List[int], pid: int, home: str) -> Tuple[str, str]:
    """Return (the systemd unit, why it must not be stopped for AEM). One of the two is ''."""
    called = 'AEM (PID {0})'.format(pid)
    path = proc.cgroup(pid)
    parts = _parts(path)
    name = proc.name(pid)
    container = _container_of(proc, pid)
    if container:
        return '', 'the process on its port (PID {0}, {1}) belongs to a container engine or a container ({2})'.format(
            pid, name, container)
    if not is_aem(proc, pid, home):
        kind = 'forwards connections' if name in _PROXIES else 'is not a Java program'
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
    cgroup = path[:path.index(unit) + len(unit)]
    starter = _starter_of(proc, cgroup, unit, pid)
    if starter:
        return '', '{0} was started by {1} in {2}, which may do more than run AEM'.format(called, starter, unit)
    others = _others_in(proc, cgroup, pids, pid, home)
    if others:
        return '', '{0} also runs {1}, which would be stopped along with AEM'.format(unit, others)
    return unit, ''


def _parts(path: str) -> List[str]:
    """Return the names in the path of a cgroup. systemd writes _ before one that a controller could have."""
    return [part[1:] if part.startswith('_') else part for part in path.split('/') if part]


def _container_of(proc: Processes, pid: int) -> str:
    """Describe the container or the container engine that the process belongs to; '' if it belongs to none."""
    # A service whose name only contains that of a container engine is not in a container: the engine's name comes first.
    found = next((part for part in _parts(proc.cgroup(pid)) if _CONTAINER.search(part) and (
        not part.endswith('.service') or _CONTAINER.match(re.sub(r'^snap\.', '', part)))), '')
    ours, its = proc.link(1, 'ns/pid'), proc.link(pid, 'ns/pid')
    if found or not (ours and its and ours != its):
        # A rootless engine leaves its program in the session of the user.
        return found or (proc.name(pid) if proc.name(pid) in _OF_ENGINES else '')
    return 'its own PID namespace'


def _starter_of(proc: Processes, path: str, unit: str, pid: int) -> str:
    """Describe an agent or supervisor of the unit that has started AEM; '' if the unit only runs AEM.

    It is an ancestor of AEM, or AEM has left it, and the program that the unit starts still runs in the unit.
    """
    ancestors = [each for each in proc.ancestors(pid) if each > 1 and (proc.cgroup(each) + '/').startswith(path + '/')]
    for each in ancestors:
        if not any(_LAUNCHERS.fullmatch(name) for name in _programs(proc, each)):
            return '{0} (PID {1})'.format(proc.name(each), each)
    program = os.path.basename(program_of(Host(root=proc.root), unit))
    if not program or _LAUNCHERS.fullmatch(program):
        return ''
    family = set(ancestors) | {pid}
    for each in proc.pids():
        if each in family or program not in _programs(proc, each) or pid in proc.ancestors(each):
            continue
        if (proc.cgroup(each) + '/').startswith(path + '/'):
            return '{0} (PID {1})'.format(proc.name(each), each)
    return ''


def _programs(proc: Processes, pid: int) -> Set[str]:
    """Return the possible names of a process: that of its file, and that of its command (a login shell is "-bash")."""
    first = (proc.command(pid) or [''])[0].split(' ')[0]
    return {os.path.basename(proc.link(pid, 'exe')), os.path.basename(first.lstrip('-'))}


def _is_same_folder(root: str, one: str, other: str) -> bool:
    """Return whether two paths below the root are one folder, by links as well."""
    try:
        return one == other or (bool(one) and os.path.samefile(*(os.path.join(root, path.lstrip('/')) for path in (one, other))))
    except OSError:
        return False


def _others_in(proc: Processes, path: str, pids: List[int], pid: int, home: str) -> str:
    """Describe another Java program or server in the unit's cgroup that is not a part of this AEM; '' if there is none."""
    family = set(pids) | set(proc.ancestors(pid))
    sockets = _sockets(proc)
    for other in proc.pids():
        if other in family or not (proc.cgroup(other) + '/').startswith(path + '/') or pid in proc.ancestors(other):
            continue
        if proc.is_java(other):
            if home and _is_same_folder(proc.root, aem_home(proc, other), home):
                continue
        elif not sockets.keys() & set(proc.open_files(other)):
            continue
        return '{0} (PID {1})'.format(aem_home(proc, other) or proc.name(other), other)
    return ''
