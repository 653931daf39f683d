# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks the options of a user for a time daemon (sources, keys, limits). Pure: reads no file."""

import re
from typing import Any, Dict, List, Mapping, NamedTuple, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.credentials import without_credentials
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import config, layouts

_NAME = re.compile(r'[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?')
KEY_TYPES = ('MD5', 'SHA1', 'SHA256', 'SHA384', 'SHA512', 'AES128', 'AES256')

# Reasons of Refused that only concern the daemon: the clock may still be set if a verified service has measured it, and is then
# right but not kept (option on_unsynchronized).
NOT_READ, ANOTHER_STEERS, NO_CONTROL = 'not_read', 'another_steers', 'no_control_of_clock'
SOFT = (NOT_READ, ANOTHER_STEERS, NO_CONTROL)


class Refused(Exception):
    """The run was refused before any change. The text says what prevents it.

    advice: the next step, as a sentence. reason: a code, '' if there is none.
    """

    def __init__(self, message: str, advice: str = '', reason: str = '') -> None:
        super().__init__('{0} {1}'.format(message, advice) if advice else message)
        self.message = message
        self.advice = advice
        self.reason = reason

    @property
    def soft(self) -> bool:
        return self.reason in SOFT


class Server(NamedTuple):
    """An NTP server. Port 0 means the default port."""

    host: str
    port: int = 0

    def __str__(self) -> str:
        if not self.port:
            return self.host
        return '{0}:{1}'.format('[{0}]'.format(self.host) if ':' in self.host else self.host, self.port)


class Key(NamedTuple):
    """A key that a server shares with this host."""

    server: str
    number: int
    kind: str
    secret: str


class Wanted(NamedTuple):
    """The checked options of the user."""

    servers: List[Server]
    nts_servers: List[Server]
    pools: List[Server]
    keys: List[Key]
    cloud: str              # of layouts.CLOUDS, or ''
    max_distance: float     # seconds; 0 keeps the daemon's own limit
    only: bool = False      # whether the daemon may use only these servers

    @property
    def features(self) -> List[str]:
        """The keys of layouts.FEATURES that the daemon needs."""
        needed = {
            'ports': any(server.port for server in self.servers + self.nts_servers + self.pools),
            'keys': bool(self.keys),
            'nts': bool(self.nts_servers),
            'refclock': bool(self.cloud and layouts.CLOUDS[self.cloud].device),
        }
        return [feature for feature in layouts.FEATURES if needed[feature]]

    @property
    def smears(self) -> bool:
        """Whether the source of the cloud spreads a leap second over a day."""
        return bool(self.cloud) and layouts.CLOUDS[self.cloud].smears

    @property
    def all_servers(self) -> List[Server]:
        cloud = layouts.CLOUDS[self.cloud].server if self.cloud else ''
        return self.servers + self.nts_servers + self.pools + ([Server(cloud)] if cloud else [])

    @property
    def names(self) -> List[str]:
        """The sources, for messages."""
        device = layouts.CLOUDS[self.cloud].device if self.cloud else ''
        return [server.host for server in self.all_servers] + ([device] if device else [])

    @property
    def references(self) -> List[str]:
        """The sources as references for a measurement."""
        return ['[{0}]:{1}'.format(server.host, server.port or 123) if ':' in server.host else str(server)
                for server in self.all_servers]

    @property
    def secrets(self) -> List[str]:
        return [key.secret for key in self.keys]


NOTHING = Wanted([], [], [], [], '', 0.0)


def wanted(options: Mapping[str, Any]) -> Wanted:
    """Check the options. Raises Refused, which names the option and what to write instead."""
    cloud = options.get('cloud') or 'none'
    result = Wanted(
        servers=_servers('servers', options),
        nts_servers=_servers('nts_servers', options),
        pools=_servers('pools', options),
        keys=[_key(place, given) for place, given in enumerate(options.get('keys') or [], 1)],
        cloud='' if cloud == 'none' else cloud,
        max_distance=float(options.get('max_distance') or 0),
        only=bool(options.get('only')),
    )
    if result.only and not result.names:
        raise Refused('only: no source is named, and the daemon would be left without any.',
                      'Give servers, pools, nts_servers or cloud.')
    if not 0 <= result.max_distance < 1000:
        raise Refused('max_distance: {0:g} is not a number of seconds from 0 (leave it to the daemon) to 1000.'.format(
            result.max_distance))
    spelled = {config.folded(server.host): server.host for server in result.servers}
    result = result._replace(keys=[key._replace(server=spelled.get(config.folded(key.server), key.server)) for key in result.keys])
    _check_keys(result)
    named = result.servers + result.nts_servers + result.pools
    if result.smears and named:
        raise Refused(
            'cloud={0} cannot be combined with {1}: its time source spreads a leap second over a day, other servers do not, '
            'and a daemon that mixes them is wrong by up to half a second on such a day. Give either cloud or servers, '
            'pools and nts_servers.'.format(result.cloud, ', '.join(server.host for server in named)))
    return result


def _servers(option: str, options: Mapping[str, Any]) -> List[Server]:
    """Parse a list of servers. One that is named twice counts once: its name has no case, and 123 is the default port."""
    found: Dict[Tuple[str, int], Server] = {}
    for text in [str(value).strip() for value in options.get(option) or []]:
        if text:
            server = _server(option, text)
            found.setdefault((config.folded(server.host), server.port), server)
    return list(found.values())


def _server(option: str, text: str) -> Server:
    """Parse host, host:port, [v6]:port or v6."""
    found = re.match(r'\[(?P<six>[^\]]+)\](?::(?P<port6>[0-9]+))?$', text) or \
        re.match(r'(?P<host>[^:]+):(?P<port>[0-9]+)$', text)
    parts = found.groupdict() if found else {'host': text}
    host = parts.get('six') or parts.get('host') or ''
    port = int(parts.get('port6') or parts.get('port') or 0)
    if not _NAME.fullmatch(host) or not 0 <= port < 65536:
        raise Refused('{0}: "{1}" is not the name or address of a server. Write it as host, host:port or [IPv6]:port.'.format(
            option, without_credentials(text)))
    return Server(host, 0 if port == 123 else port)


def _key(place: int, given: Mapping[str, Any]) -> Key:
    """Parse an entry of `keys`. Messages do not quote its values, because the secret may be in place of any of them."""
    number, kind, secret = _number(given['id']), str(given.get('type') or 'SHA256').upper(), str(given['key'])
    if not number:
        raise Refused('keys: the id of entry {0} is not a number from 1 to 65535.'.format(place))
    if kind not in KEY_TYPES:
        raise Refused('keys: the type of key {0} is none of {1}.'.format(number, ', '.join(KEY_TYPES)))
    if not secret or re.search(r'[\s#]', secret):
        raise Refused('keys: key {0} is empty, or has a space or # in it. Write it in hexadecimal, for chrony as HEX:...'.format(
            number))
    try:
        server = _server('keys', str(given['server']))
    except Refused:
        raise Refused('keys: the server of key {0} is not the name or address of a server.'.format(number)) from None
    return Key(server.host, number, kind, secret)


def _number(given: Any) -> int:
    """Return the id of a key; 0 if it is none."""
    text = str(given).strip()
    return int(text) if re.fullmatch('[0-9]{1,5}', text) and int(text) < 65536 else 0


def misplaced(options: Mapping[str, Any]) -> List[str]:
    """Return the values in `keys` that are not what their names say, and may therefore be the secret of a key.

    Not those of a few characters: Ansible would hide them in every word of a message.
    """
    servers = ' '.join(str(server) for server in options['servers']).lower()
    found = []
    for given in options['keys']:
        number, kind, server = (str(given[name]).strip() for name in ('id', 'type', 'server'))
        fits = {number: _number(number) > 0, kind: kind.upper() in KEY_TYPES, server: server.lower() in servers}
        found += [value for value, fitting in fits.items() if not fitting and len(value) > 5]
    return found


def _check_keys(result: Wanted) -> None:
    hosts = [server.host for server in result.servers]
    for key in result.keys:
        if key.server not in hosts:
            raise Refused('keys: key {0} is for a server which is not one of servers. Add it there.'.format(key.number))
        same = [other for other in result.keys if other.server == key.server]
        if len(same) > 1:
            raise Refused('keys: {0} has more than one key. Give it one.'.format(key.server))
        if any(other.number == key.number and (other.kind, other.secret) != (key.kind, key.secret) for other in result.keys):
            raise Refused('keys: the id {0} is used for different keys. Give each its own id.'.format(key.number))
