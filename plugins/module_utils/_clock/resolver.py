# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parses names and addresses of sources, and resolves names without blocking the caller."""

import ipaddress
import queue
import re
import socket
import threading
from typing import List, NamedTuple, Optional, Tuple, Union

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import BadOption
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.credentials import without_credentials

_NAME = re.compile(r'[^\s\x00-\x2c/:;<=>?@\[\\\]^`{|}~\x7f]{1,253}')


class Endpoint(NamedTuple):
    """Host (a name or an address without brackets) and port."""

    host: str
    port: int

    def __str__(self) -> str:
        return join(self.host, self.port)


class Address(NamedTuple):
    """One address of a name: the family and the socket address that socket.connect() takes."""

    family: int
    sockaddr: tuple

    def __str__(self) -> str:
        return join(self.sockaddr[0], self.sockaddr[1])


class Resolved(NamedTuple):
    """The resolver's answer for an endpoint: its addresses in the resolver's order, or why there are none."""

    endpoint: Endpoint
    addresses: Tuple[Address, ...]
    reason: str


def join(host: str, port: int) -> str:
    """Return ``host:port``, with an IPv6 address in brackets."""
    return f'[{host}]:{port}' if ':' in host else f'{host}:{port}'


def parse_endpoint(text: str, default_port: int, option: str) -> Endpoint:
    """Parse ``host``, ``host:port``, ``[v6]``, ``[v6]:port`` or a bare IPv6 address.

    Raises BadOption, which names the option, for any other text.
    """
    text = text.strip()
    shown = repr(without_credentials(text))
    bracketed = re.fullmatch(r'\[([^\]]*)\](?::([0-9]+))?', text)
    if bracketed:
        host, port = bracketed.groups()
        if not _is_ip(host, 6):
            raise BadOption(f'{option}: {shown} has no IPv6 address between its brackets.')
    elif text.count(':') > 1:
        host, port = text, None
        if not _is_ip(host, 6):
            raise BadOption(f'{option}: {shown} is neither "host:port" nor an IPv6 address. '
                            'Write an IPv6 address with a port as "[2001:db8::1]:123".')
    else:
        host, colon, port = text.partition(':')
        if colon and not re.fullmatch('[0-9]{1,5}', port):
            raise BadOption(f'{option}: the port in {shown} is not a number.')
        if not _NAME.fullmatch(host):
            raise BadOption(f'{option}: {shown} has no host. Write "host", "host:port" or "[IPv6 address]:port".')
    number = int(port) if port else default_port
    if not 1 <= number <= 65535:
        raise BadOption(f'{option}: the port in {shown} is not between 1 and 65535.')
    name, percent, zone = host.partition('%')  # a zone is an interface, whose name has a case
    return Endpoint((name.rstrip('.').lower() or name) + percent + zone, number)


def _ip(host: str) -> Optional[Union[ipaddress.IPv4Address, ipaddress.IPv6Address]]:
    try:
        return ipaddress.ip_address(host.partition('%')[0])
    except ValueError:
        return None


def _is_ip(host: str, version: int) -> bool:
    address = _ip(host)
    return address is not None and address.version == version


def is_loopback(address: Address) -> bool:
    ip = _ip(address.sockaddr[0])
    return ip is not None and (ip.is_loopback or ip.is_unspecified)  # to 0.0.0.0 and :: the kernel sends over loopback


def is_private(address: Address) -> bool:
    """Return whether the address is private, link-local or loopback, so that the server is not a public one."""
    ip = _ip(address.sockaddr[0])
    return ip is not None and (ip.is_private or ip.is_link_local or ip.is_loopback)


class Resolver:
    """Resolves names in daemon threads, so that a resolver that hangs does not affect the deadline."""

    def __init__(self, socket_type: int) -> None:
        self._type = socket_type
        self._answers: queue.Queue[Resolved] = queue.Queue()

    def ask(self, endpoint: Endpoint) -> None:
        """Start to resolve; answers() returns the result. Addresses need no thread."""
        if _ip(endpoint.host) is not None:
            self._answers.put(resolve(endpoint, self._type))
            return
        thread = threading.Thread(target=lambda: self._answers.put(resolve(endpoint, self._type)), daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self._answers.put(Resolved(endpoint, (), f'the name could not be resolved ({error})'))

    def answers(self) -> List[Resolved]:
        """Return the answers that have arrived since the last call."""
        come = []
        while True:
            try:
                come.append(self._answers.get_nowait())
            except queue.Empty:
                return come

    def wait(self, seconds: float) -> Optional[Resolved]:
        """Return the next answer, or None after this time."""
        try:
            return self._answers.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return None


def resolve(endpoint: Endpoint, socket_type: int) -> Resolved:
    """Ask the system's resolver, which may take long. Does not need /etc/services, because the port is a number."""
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, 0, socket_type)
    except (OSError, UnicodeError, ValueError) as error:
        said = getattr(error, 'strerror', None) or str(error)
        return Resolved(endpoint, (), f'the name does not resolve ({said})')
    addresses: List[Address] = []
    for family, _type, _protocol, _canonical, sockaddr in found:
        address = Address(family, sockaddr)
        if family in (socket.AF_INET, socket.AF_INET6) and address not in addresses:
            addresses.append(address)
    return Resolved(endpoint, tuple(addresses), '' if addresses else 'the name has no address')
