# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what a user wants (sources, keys, limits) to the text of the files of one daemon. Pure but for reading files.

A file is either our own, beside the vendor's, or the vendor's with one marked block of ours at its end.
"""

import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._host import layouts, time_service
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service import BLOCK_BEGIN, BLOCK_END, OWN_NAME, Host

_HEADER = '# Managed by Ansible (aemops.brand_portal.time_sync). Remove this file to undo it.\n'
_NAME = re.compile(r'[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?')
KEY_TYPES = ('MD5', 'SHA1', 'SHA256', 'SHA384', 'SHA512', 'AES128', 'AES256')


class Refused(Exception):
    """Nothing was changed, and nothing will be: the text says what is in the way and what to do."""


class Server(NamedTuple):
    """An NTP server; port 0 is the usual one."""

    host: str
    port: int = 0


class Key(NamedTuple):
    """A secret that one server shares with this host."""

    server: str
    number: int
    kind: str
    secret: str


class Wanted(NamedTuple):
    """What the user asks for, checked."""

    servers: List[Server]
    nts_servers: List[Server]
    pools: List[Server]
    keys: List[Key]
    cloud: str              # of layouts.CLOUDS, or ''
    max_distance: float     # seconds; 0 leaves it to the daemon

    @property
    def features(self) -> List[str]:
        """Of layouts.FEATURES, what the daemon must be able to do."""
        needed = {
            'ports': any(server.port for server in self.servers + self.nts_servers + self.pools),
            'keys': bool(self.keys),
            'nts': bool(self.nts_servers),
            'refclock': bool(self.cloud and layouts.CLOUDS[self.cloud].device),
        }
        return [feature for feature in layouts.FEATURES if needed[feature]]

    @property
    def names(self) -> List[str]:
        """The sources, for people."""
        cloud = layouts.CLOUDS[self.cloud] if self.cloud else None
        return [server.host for server in self.servers + self.nts_servers + self.pools] + (
            [cloud.server or cloud.device] if cloud else [])

    @property
    def references(self) -> List[str]:
        """The sources as they are measured against."""
        cloud = layouts.CLOUDS[self.cloud].server if self.cloud else ''
        named = ['[{0}]:{1}'.format(server.host, server.port or 123) if ':' in server.host else with_port(server)
                 for server in self.servers + self.nts_servers + self.pools]
        return named + [cloud] if cloud else named

    @property
    def secrets(self) -> List[str]:
        return [key.secret for key in self.keys]


class File(NamedTuple):
    """A file as it shall be: `text` whole where it is ours (None: it shall not be there), else our block in it."""

    path: str
    text: Optional[str]
    block: bool = False
    effect: str = 'restart'     # what makes the daemon read it: reload or restart
    secret: bool = False        # mode 0640, in no diff


def wanted(options: Mapping[str, Any]) -> Wanted:
    """Raises Refused, naming the option and what to write instead."""
    cloud = options.get('cloud') or 'none'
    result = Wanted(
        servers=[_server('servers', text) for text in _unique(options.get('servers'))],
        nts_servers=[_server('nts_servers', text) for text in _unique(options.get('nts_servers'))],
        pools=[_server('pools', text) for text in _unique(options.get('pools'))],
        keys=[_key(given) for given in options.get('keys') or []],
        cloud='' if cloud == 'none' else cloud,
        max_distance=float(options.get('max_distance') or 0),
    )
    if not 0 <= result.max_distance < 1000:
        raise Refused('max_distance: {0:g} is not a number of seconds from 0 (leave it to the daemon) to 1000.'.format(
            result.max_distance))
    _check_keys(result)
    named = result.servers + result.nts_servers + result.pools
    if result.cloud and layouts.CLOUDS[result.cloud].smears and named:
        raise Refused(
            'cloud={0} cannot be combined with {1}: its time source spreads a leap second over a day, other servers do not, '
            'and a daemon that mixes them is wrong by up to half a second on such a day. Give either cloud or servers, '
            'pools and nts_servers.'.format(result.cloud, ', '.join(server.host for server in named)))
    return result


def _unique(values: Any) -> List[str]:
    return list(dict.fromkeys(str(value).strip() for value in values or []))


def _server(option: str, text: str) -> Server:
    """host, host:port, [v6]:port or v6."""
    found = re.match(r'\[(?P<six>[^\]]+)\](?::(?P<port6>[0-9]+))?$', text) or \
        re.match(r'(?P<host>[^:]+):(?P<port>[0-9]+)$', text)
    parts = found.groupdict() if found else {'host': text}
    host = parts.get('six') or parts.get('host') or ''
    port = int(parts.get('port6') or parts.get('port') or 0)
    if not _NAME.fullmatch(host) or not 0 <= port < 65536:
        raise Refused('{0}: "{1}" is no name or address of a server. Write it as host, host:port or [IPv6]:port.'.format(
            option, text))
    return Server(host, 0 if port == 123 else port)


def _key(given: Mapping[str, Any]) -> Key:
    number, kind, secret = int(given['id']), str(given.get('type') or 'SHA256').upper(), str(given['key'])
    if not 0 < number < 65536:
        raise Refused('keys: the id {0} is not a number from 1 to 65535.'.format(number))
    if kind not in KEY_TYPES:
        raise Refused('keys: the type of key {0} is none of {1}.'.format(number, ', '.join(KEY_TYPES)))
    if not secret or re.search(r'[\s#]', secret):
        raise Refused('keys: key {0} is empty, or has a space or # in it. Write it in hexadecimal, for chrony as HEX:...'.format(
            number))
    return Key(_server('keys', str(given['server'])).host, number, kind, secret)


def _check_keys(result: Wanted) -> None:
    hosts = [server.host for server in result.servers]
    for key in result.keys:
        if key.server not in hosts:
            raise Refused('keys: key {0} is for {1}, which is not one of servers. Add it there.'.format(key.number, key.server))
        same = [other for other in result.keys if other.server == key.server]
        if len(same) > 1:
            raise Refused('keys: {0} has more than one key. Give it one.'.format(key.server))
        if any(other.number == key.number and (other.kind, other.secret) != (key.kind, key.secret) for other in result.keys):
            raise Refused('keys: the id {0} stands for different keys. Give each its own id.'.format(key.number))


def check_against(host: Host, daemon: Mapping[str, Any], want: Wanted) -> None:
    """Raises Refused where what is configured already does not go with what is wanted."""
    if 'refclock' in want.features and not host.exists(layouts.CLOUDS[want.cloud].device):
        raise Refused('cloud={0}: this host has no {1}. It is no machine of that cloud, or its kernel lacks the driver.'.format(
            want.cloud, layouts.CLOUDS[want.cloud].device))
    if not want.cloud or not layouts.CLOUDS[want.cloud].smears:
        return
    server = layouts.CLOUDS[want.cloud].server
    foreign = [line for line in time_service.configured_lines(host, daemon['config'], without_own=True)
               if set(time_service.servers_of(line.text)) - {server} or line.text.lower().startswith('leapsectz')]
    if foreign:
        raise Refused(
            'cloud={0}: its time source spreads a leap second over a day and must not be mixed with other servers or leapsectz, '
            'but {1} has {2}. Take that out, or leave cloud at none.'.format(
                want.cloud, daemon['config'],
                '; '.join('"{0}" ({1} line {2})'.format(line.text, line.path, line.number) for line in foreign)))


def files(host: Host, daemon: Mapping[str, Any], want: Wanted) -> List[File]:
    """The files that make the daemon do what is wanted; [] where nothing is. In the order they have to be written."""
    return {'chrony': _chrony, 'ntpsec': _ntpd, 'ntpd': _ntpd, 'timesyncd': _timesyncd}[daemon['name']](host, daemon, want)


def _missing(host: Host, daemon: Mapping[str, Any], servers: List[Server]) -> List[Server]:
    """Those that nobody else has configured already: a source that stands twice is refused or counted twice."""
    there = time_service.configured_servers(host, daemon['config'], without_own=True)
    return [server for server in servers if server.host not in there and with_port(server) not in there]


def with_port(server: Server) -> str:
    return '{0}:{1}'.format(server.host, server.port) if server.port else server.host


def _chrony(host: Host, daemon: Mapping[str, Any], want: Wanted) -> List[File]:
    keyed = {key.server: ' key {0}'.format(key.number) for key in want.keys}
    sources = [_chrony_source('server', server, 'iburst' + keyed.get(server.host, ''))
               for server in _missing(host, daemon, want.servers)]
    sources += [_chrony_source('server', server, 'iburst nts') for server in _missing(host, daemon, want.nts_servers)]
    sources += [_chrony_source('pool', server, 'iburst') for server in _missing(host, daemon, want.pools)]
    settings = []
    if want.cloud:
        cloud = layouts.CLOUDS[want.cloud]
        if cloud.server:
            sources += [_chrony_source('server', server, cloud.options)
                        for server in _missing(host, daemon, [Server(cloud.server)])]
        else:
            # As Microsoft documents it: the device is asked every 8 s, and trusted as stratum 2.
            settings.append('refclock PHC {0} poll 3 dpoll -2 offset 0 stratum 2'.format(cloud.device))
    if want.max_distance:
        settings.append('maxdistance {0:g}'.format(want.max_distance))
    key_file, directive = _key_file(host, daemon, want, 'keyfile', '{0.number} {0.kind} {0.secret}')
    settings += directive
    result = list(key_file)
    if daemon['sources_dir']:
        if want.names:
            result.append(_own('{0}/{1}.sources'.format(daemon['sources_dir'], OWN_NAME), sources, effect='reload'))
    else:
        settings = sources + settings
    return result + _in_configuration(daemon, settings, bool(settings or want.names))


def _chrony_source(directive: str, server: Server, options: str) -> str:
    port = ' port {0}'.format(server.port) if server.port else ''
    return '{0} {1}{2} {3}'.format(directive, server.host, port, options)


def _ntpd(host: Host, daemon: Mapping[str, Any], want: Wanted) -> List[File]:
    keyed = {key.server: ' key {0}'.format(key.number) for key in want.keys}
    lines = ['server {0} iburst{1}'.format(server.host, keyed.get(server.host, ''))
             for server in _missing(host, daemon, want.servers)]
    lines += ['server {0} iburst nts'.format(server.host) for server in _missing(host, daemon, want.nts_servers)]
    lines += ['pool {0} iburst'.format(server.host) for server in _missing(host, daemon, want.pools)]
    if want.cloud:
        lines += ['server {0} prefer iburst'.format(server.host)
                  for server in _missing(host, daemon, [Server(layouts.CLOUDS[want.cloud].server)])]
    few = len(want.servers) + len(want.nts_servers) + bool(want.cloud)
    if 0 < few < 3 and not want.pools:
        # Debian's file says "minclock 4 minsane 3": a host that reaches these alone would never be synchronised.
        lines.append('tos minclock {0} minsane {0}'.format(few))
    if want.max_distance:
        lines.append('tos maxdist {0:g}'.format(want.max_distance))
    key_file, directive = _key_file(host, daemon, want, 'keys', '{0.number} {0.kind} {0.secret}')
    lines += directive
    if want.keys:
        lines.append('trustedkey {0}'.format(' '.join(str(number) for number in sorted({key.number for key in want.keys}))))
    return list(key_file) + _in_configuration(daemon, lines, bool(lines or want.names))


def _timesyncd(host: Host, daemon: Mapping[str, Any], want: Wanted) -> List[File]:
    named = want.servers + want.pools
    if want.cloud:
        named = named + [Server(layouts.CLOUDS[want.cloud].server)]
    missing = ' '.join(server.host for server in _missing(host, daemon, named))
    lines = ['NTP={0}'.format(missing)] if missing else []
    if want.max_distance:
        lines.append('RootDistanceMaxSec={0:g}'.format(want.max_distance))
    return _in_configuration(daemon, ['[Time]'] + lines if lines else [], bool(lines or want.names))


def _in_configuration(daemon: Mapping[str, Any], lines: List[str], asked: bool) -> List[File]:
    """The lines beside the vendor's configuration where it has a folder for that, else as a block in it."""
    if daemon['config_dir']:
        path = '{0}/{1}.conf'.format(daemon['config_dir'], OWN_NAME)
        return [_own(path, lines)] if asked else []
    return [File(daemon['config'], '\n'.join(lines), block=True)] if asked else []


def _own(path: str, lines: List[str], effect: str = 'restart') -> File:
    return File(path, _HEADER + ''.join(line + '\n' for line in lines) if lines else None, effect=effect)


def _key_file(host: Host, daemon: Mapping[str, Any], want: Wanted, directive: str, form: str) -> Tuple[List[File], List[str]]:
    """The keys go where the configuration reads them; where it reads none, into the layout's file, which is then named."""
    if not want.keys:
        return [], []
    named = [line.text.split()[1] for line in time_service.configured_lines(host, daemon['config'], without_own=True)
             if re.match(directive + r'\s+\S', line.text, re.IGNORECASE)]
    usual = next(layout.keys for layout in time_service.all_layouts(daemon['name']) if layout.config == daemon['config'])
    path = named[-1] if named else usual
    taken = {line.split()[0] for line in without_block(host.read(path)).splitlines()
             if line.strip() and line.strip()[0] not in '#!;%'}
    for key in want.keys:
        if str(key.number) in taken:
            raise Refused('keys: {0} has another key with the id {1} already. Give ours another id.'.format(path, key.number))
    keys = {key.number: form.format(key) for key in want.keys}
    block = File(path, '\n'.join(keys[number] for number in sorted(keys)), block=True, secret=True)
    return [block], [] if named else ['{0} {1}'.format(directive, path)]


# The marked block

_BLOCK = re.compile('\n?' + re.escape(BLOCK_BEGIN) + r'\r?\n.*?' + re.escape(BLOCK_END) + r'\r?\n', re.DOTALL)


def with_block(text: str, lines: str) -> str:
    """The text with our block as it shall be: replaced where it stands, else added at the end; '' takes it away.

    Nothing else changes by a byte. The block brings the line end before it along, so that taking it away gives back
    a text that ended without one.
    """
    block = '\n{0}\n{1}\n{2}\n'.format(BLOCK_BEGIN, lines, BLOCK_END) if lines else ''
    found = _BLOCK.search(text)
    return text[:found.start()] + block + text[found.end():] if found else text + block


def without_block(text: str) -> str:
    return with_block(text, '')


def current(file: File, text: Optional[str]) -> Optional[str]:
    """What the file shall contain, given what it contains (None: it is not there)."""
    return with_block(text or '', file.text or '') if file.block else file.text


def new_sources(before: Optional[str], after: Optional[str]) -> Optional[List[str]]:
    """The lines of sources that make all the difference between two texts; None where there is another one."""
    old, new = ([line for line in (text or '').splitlines() if line.strip() and line[0] != '#'] for text in (before, after))
    added = [line for line in new if line not in old]
    other = set(old) - set(new) or [line for line in added if not re.match(r'(server|pool) ', line)]
    return None if other else added


def diff_of(file: File, before: Optional[str], after: Optional[str]) -> Dict[str, str]:
    """For --diff; of a file with secrets only whether it changes."""
    if file.secret:
        before, after = 'the keys as they are\n', 'the keys as asked for (not shown)\n'
    return {'before_header': file.path, 'after_header': file.path, 'before': before or '', 'after': after or ''}
