# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Common parts of the readers of all daemons: lines with their places, sources, and the addresses of the host.

Reads files below a host's root, executes nothing, and never raises because of the content of a file.
"""

import fnmatch
import glob
import ipaddress
import os
import re
from typing import Any, Dict, FrozenSet, Iterator, List, NamedTuple, Optional, Sequence, Tuple

# Marks of this collection's own text, to find it again and to distinguish it from that of others.
OWN_NAME = 'aemops-brand-portal'
BLOCK_BEGIN = '# BEGIN aemops.brand_portal.time_sync (managed by Ansible)'
BLOCK_END = '# END aemops.brand_portal.time_sync'

# Gone after the next boot: leases, what images generate. Nothing of ours is kept there, and nothing there counts as configured.
_VOLATILE = ('/run/', '/var/run/', '/tmp/', '/dev/shm/')

# What isspace(3) calls so in the locale of a daemon. Python calls more so, such as the no-break space of a page on the web.
WHITE_SPACE = ' \t\n\v\f\r'

# Kinds of sources that are asked by a name or an address.
ASKED = ('server', 'pool', 'peer')


class ConfigLine(NamedTuple):
    """A line of a configuration without comments, or a directive of a command line (number 0)."""

    path: str
    number: int
    text: str
    own: bool = False       # written by this collection
    leased: bool = False    # written by a DHCP client, which also removes it

    @property
    def place(self) -> str:
        return '{0} line {1}'.format(self.path, self.number) if self.number else self.path

    @property
    def quoted(self) -> str:
        return '"{0}" ({1})'.format(self.text, self.place)

    @property
    def lasting(self) -> bool:
        return lasting(self.path) and not self.leased

    @property
    def words(self) -> List[str]:
        return words_of(self.text)

    @property
    def directive(self) -> str:
        """In lower case; '' for a line without a word."""
        return ''.join(self.words[:1]).lower()


class Source(NamedTuple):
    """One source of time that a line names."""

    kind: str               # server, pool, peer; fallback; refclock; local (this host's own clock); other
    host: str               # as it is written; of a refclock its driver and address
    port: int               # 0 means the default port
    line: ConfigLine
    options: Tuple[str, ...] = ()
    asked: bool = True      # whether the daemon queries it: not overridden, not noselect, not offline

    @property
    def nts(self) -> bool:
        return 'nts' in self.options

    @property
    def keyed(self) -> bool:
        return 'key' in self.options or 'autokey' in self.options

    @property
    def name(self) -> str:
        if not self.port or self.kind not in ASKED:
            return self.host
        return '{0}:{1}'.format('[{0}]'.format(self.host) if ':' in self.host else self.host, self.port)


# Options by which a daemon does not use a source, and what they do. A second line for the same server would not count.
UNUSED = {'noselect': '{0} keeps {1} from ever selecting {2}.', 'offline': '{0} keeps {1} from asking {2} until "chronyc online".'}


def only_observed(sources: Sequence[Source]) -> str:
    """Return the lines of the servers if all of them have noselect, so that none is ever selected; otherwise ''."""
    asked = [source for source in sources if source.kind in ASKED]
    observed = [source.line.quoted for source in asked if 'noselect' in source.options]
    return ', '.join(observed) if len(observed) == len(asked) else ''


def words_of(text: str) -> List[str]:
    """Return the words of a text, split as a program in C splits it."""
    return re.findall(r'\S+', text, re.ASCII)


def lasting(path: str) -> bool:
    """Return whether a file still exists after the next boot."""
    return bool(path) and not path.startswith(_VOLATILE)


def of_vendor(path: str) -> bool:
    """Return whether a file belongs to a package, and not to the administrator (hier(7))."""
    return path.startswith('/usr/') and not path.startswith('/usr/local/')


class Reading:
    """The state of reading a configuration: its lines, and how many files it may still open.

    A file that includes itself, directly or indirectly, is read once in each branch. No valid configuration has that many files.
    """

    def __init__(self, without_own: bool, most_levels: int) -> None:
        self.lines: List[ConfigLine] = []
        self.folders: List[List[str]] = []      # that are read at the end
        self.without_own = without_own
        self._most_levels = most_levels
        self._left = 500
        self._open: List[str] = []

    def enter(self, path: str) -> bool:
        """Return whether to read the file. If so, leave() must follow."""
        if path in self._open or len(self._open) > self._most_levels or self._left <= 0:
            return False
        self._left -= 1
        self._open.append(path)
        return True

    def leave(self) -> None:
        self._open.pop()

    def take(self, line: ConfigLine) -> bool:
        """Add a line; return False if it is ours and not wanted."""
        if line.own and self.without_own:
            return False
        self.lines.append(line)
        return True


class Overlay:
    """A host with the planned content of some files, for the readers of configurations."""

    def __init__(self, host: Any, planned: Dict[str, Optional[str]]) -> None:
        self._host = host
        self.planned = planned
        self.root = host.root

    def path(self, path: str) -> str:
        return self._host.path(path)

    def read(self, path: str) -> str:
        return (self.planned[path] or '') if path in self.planned else self._host.read(path)

    def exists(self, path: str) -> bool:
        return self.planned[path] is not None if path in self.planned else self._host.exists(path)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)


def matching(host: Any, pattern: str) -> List[str]:
    """Return the files of a pattern, sorted, as paths of the host. A pattern without wildcards matches an existing file."""
    pattern = os.path.join('/', pattern).replace('[^', '[!')      # glob(7) knows both, Python one
    folder, root = os.path.dirname(pattern), host.root.rstrip('/')
    found = set()
    # Most folders of drop-ins are missing, and glob takes ten times as long to say so.
    if any(each in folder for each in '*?[') or os.path.isdir(host.path(folder)):
        found = {'/' + os.path.relpath(name, host.root) if root else name for name in glob.glob(host.path(pattern))}
    for path, text in getattr(host, 'planned', {}).items():
        if path.rpartition('/')[0] == folder.rstrip('/') and fnmatch.fnmatchcase(path, pattern):
            found = found - {path} if text is None else found | {path}
    return sorted(found)


def numbered(host: Any, path: str) -> Iterator[Tuple[int, str, bool]]:
    """Yield (number, text without line end, whether it is ours) for each line of a file."""
    whole = OWN_NAME in os.path.basename(path)
    inside = False
    for number, text in enumerate(re.split('\r\n|\n', host.read(path)), 1):
        inside = (inside or text == BLOCK_BEGIN) and text != BLOCK_END
        yield number, text, whole or inside


def leased(lines: Sequence[Tuple[int, str, bool]]) -> FrozenSet[int]:
    """Return the numbers of those lines of numbered() that dhcpcd has written into a file of others, and rewrites at each lease."""
    inside, found = False, []
    for number, text, _own in lines:
        inside = (inside or text.startswith('# Generated by dhcpcd')) and not text.startswith('# End of dhcpcd')
        found += [number] if inside else []
    return frozenset(found)


def merged(host: Any, folders: List[str], suffix: str) -> List[str]:
    """Return the files of several folders in the order of their names. For each name, the first folder counts.

    chrony.conf(5) on confdir and sourcedir, systemd.unit(5) and timesyncd.conf(5) on drop-ins.
    """
    chosen: Dict[str, str] = {}
    for folder in folders:
        for path in matching(host, '{0}/*{1}'.format(folder.rstrip('/'), suffix)):
            chosen.setdefault(os.path.basename(path), path)
    return [chosen[name] for name in sorted(chosen)]


# Names and addresses

_LABEL = r'\w(?:[\w-]*\w)?'
_NAME = re.compile(r'{0}(?:\.{0})*\.?'.format(_LABEL))
_THIS_HOST = ('localhost', 'localhost.localdomain', 'localhost4', 'localhost4.localdomain4', 'localhost6',
              'localhost6.localdomain6', 'ip6-localhost', 'ip6-loopback')


def address_of(text: str) -> Optional[Any]:
    """Return the IP address of a word, without its zone; None for a name."""
    try:
        return ipaddress.ip_address(text.strip('[]').partition('%')[0])
    except ValueError:
        return None


def why_no_server(word: str) -> str:
    """Return why a word cannot be a server; '' if it can."""
    if address_of(word) is not None:
        return ''
    if ',' in word or ';' in word:
        return '"{0}" is not the name of a server: names are separated by spaces'.format(word)
    if not _NAME.fullmatch(word) or len(word) > 253 or re.fullmatch('[0-9.]+', word):
        return '"{0}" is not the name or address of a server'.format(word)
    return ''


def folded(host: str) -> str:
    """Normalize a name or an address: names have no case, an IPv6 address has several forms, and its zone has a case."""
    address = address_of(host)
    if address is None:
        return host.rstrip('.').lower()
    zone = host.strip('[]').partition('%')[2]
    return str(address) + ('%' + zone if zone else '')


def own_addresses(host: Any) -> FrozenSet[str]:
    """Return the addresses of all interfaces from the kernel's files, without a command."""
    found = set()
    # In fib_trie an address that is this host's own is followed by a line "/32 host LOCAL".
    last = ''
    for text in host.read('/proc/net/fib_trie').splitlines():
        leaf = re.match(r'\s*\|--\s*([0-9.]+)', text)
        last = leaf.group(1) if leaf else last
        if last and re.search(r'/32 host LOCAL', text):
            found.add(last)
    for text in host.read('/proc/net/if_inet6').splitlines():
        digits = text.split()[0] if text.split() else ''
        if re.fullmatch('[0-9a-fA-F]{32}', digits):
            found.add(str(ipaddress.IPv6Address(int(digits, 16))))
    return frozenset(found)


def _in_hosts(host: Any, name: str) -> List[Any]:
    """Return the addresses of a name in hosts(5)."""
    found = []
    for text in host.read('/etc/hosts').splitlines():
        words = text.partition('#')[0].split()
        if folded(name) in map(folded, words[1:]):
            found.append(address_of(words[0]))
    return [address for address in found if address is not None]


def is_this_host(host: Any, name: str) -> bool:
    """Return whether a server's name or address is the host itself, whose clock cannot be its own reference."""
    address = address_of(name)
    if address is None:
        return folded(name) in _THIS_HOST or folded(name) == folded(host.read('/etc/hostname').strip()) or any(
            is_this_host(host, str(each)) for each in _in_hosts(host, name))
    address = getattr(address, 'ipv4_mapped', None) or address
    return address.is_loopback or address.is_unspecified or str(address) in own_addresses(host)


def options_of(arguments: Sequence[str], with_value: str, long_with_value: Sequence[str] = ()) -> List[Tuple[str, str]]:
    """Parse a command line by the rules of getopt(3): return (option, value) for each option, ('', word) for each other word.

    with_value, long_with_value: the options that have a value, as letters and as words such as ``--configfile``.
    """
    found: List[Tuple[str, str]] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == '--':
            return found + [('', each) for each in rest]
        if word.startswith('--'):
            name, equals, value = word.partition('=')
            found.append((name, value if equals or name not in long_with_value or not rest else rest.pop(0)))
        elif word.startswith('-') and len(word) > 1:
            # The first letter with a value takes the rest of the word, or the next one.
            at = next((at for at, letter in enumerate(word[1:], 1) if letter in with_value), 0)
            found += [('-' + letter, '') for letter in (word[1:at] if at else word[1:])]
            if at:
                found.append(('-' + word[at], word[at + 1:] or (rest.pop(0) if rest else '')))
        else:
            found.append(('', word))
    return found
