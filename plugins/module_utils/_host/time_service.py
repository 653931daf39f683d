# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps time on a host: which daemons are there, in which state, configured where.

Reads files and asks systemd once; starts, stops and writes nothing. No root is needed.
What is known of daemons, units and paths beforehand stands in layouts.
"""

import glob
import os
import re
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._host import layouts
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.layouts import Daemon, Layout

# What this collection writes is marked, so that it is found again and told from what others wrote.
OWN_NAME = 'aemops-brand-portal'
BLOCK_BEGIN = '# BEGIN aemops.brand_portal.time_sync (managed by Ansible)'
BLOCK_END = '# END aemops.brand_portal.time_sync'

UNIT_PROPERTIES = ('Id', 'LoadState', 'ActiveState', 'UnitFileState')
# systemd's words for a unit that runs, or is about to; and for one that starts at boot.
UP = ('active', 'activating', 'reloading')
STARTS_AT_BOOT = ('enabled', 'enabled-runtime', 'alias', 'generated', 'static')


class Host:
    """A host as files below a root folder, and `run`: runs a command without a shell and gives its output.

    A host that is made without `run` has no systemd to ask.
    """

    def __init__(self, run: Optional[Callable[[List[str]], str]] = None, root: str = '/') -> None:
        self.run = run or (lambda command: '')
        self.root = root

    def path(self, path: str) -> str:
        return os.path.join(self.root, path.lstrip('/'))

    def exists(self, path: str) -> bool:
        return bool(path) and os.path.exists(self.path(path))

    def read(self, path: str) -> str:
        """The file's text, or '' where it is missing or not readable for this account."""
        try:
            with open(self.path(path), encoding='utf-8', errors='replace') as stream:
                return stream.read()
        except OSError:
            return ''

    def os_release(self) -> Dict[str, str]:
        """os-release(5): ID, ID_LIKE, VERSION_ID …, with the quotes taken off."""
        text = self.read('/etc/os-release') or self.read('/usr/lib/os-release')
        pairs = (line.split('=', 1) for line in text.splitlines() if '=' in line)
        return {key.strip(): value.strip().strip('"\'') for key, value in pairs}

    def systems(self) -> List[str]:
        """The words by which layouts know this system, the most exact first."""
        release = self.os_release()
        words = [word for word in [release.get('ID', '')] + release.get('ID_LIKE', '').split() if word]
        words += [layouts.SAME_AS[word] for word in words if word in layouts.SAME_AS]
        return list(dict.fromkeys(words))

    def version(self) -> Tuple[int, ...]:
        """VERSION_ID as numbers; where there is none, as on a rolling release, newer than all."""
        numbers = re.findall(r'[0-9]+', self.os_release().get('VERSION_ID', ''))
        return tuple(int(number) for number in numbers) or (9999998,)


def layout_for(host: Host, daemon: str) -> Optional[Layout]:
    """The layout that the daemon's package has on this system; None where the system has no such package."""
    known = {row.system for row in layouts.LAYOUTS}
    systems = [word for word in host.systems() if word in known] or [layouts.ANY_SYSTEM]
    version = host.version()
    fitting = [row for system in systems for row in layouts.LAYOUTS
               if row.daemon == daemon and row.system == system and row.since <= version < row.below]
    return fitting[0].layout if fitting else None


def unit_states(host: Host, units: List[str]) -> Dict[str, Dict[str, str]]:
    """systemd's view of units, one call for all: {asked name: {Id, LoadState, ActiveState, UnitFileState}}.

    systemd answers in the order asked, one block each, also for units it does not know (LoadState not-found).
    """
    command = ['systemctl', 'show', '--no-pager', '--property', ','.join(UNIT_PROPERTIES)] + units
    blocks = host.run(command).strip().split('\n\n')
    parsed = [dict(line.split('=', 1) for line in block.splitlines() if '=' in line) for block in blocks]
    return dict(zip(units, parsed)) if len(parsed) == len(units) else {}


def all_layouts(daemon: str) -> List[Layout]:
    """Every layout known of a daemon, those that differ only in a folder included."""
    return list(dict.fromkeys(row.layout for row in layouts.LAYOUTS if row.daemon == daemon))


def find_daemons(host: Host) -> List[Dict[str, Any]]:
    """Every daemon of the table: installed, unit, enabled, active, masked, where its configuration is.

    The unit that the host really has wins over the system's usual one: a layout is knowledge, the host is the fact.
    """
    units = {row.layout.unit for row in layouts.LAYOUTS} | set(layouts.OTHER_UNITS.values())
    states = unit_states(host, sorted(units))
    return [_describe(host, daemon, states) for daemon in layouts.DAEMONS]


def _describe(host: Host, daemon: Daemon, states: Dict[str, Dict[str, str]]) -> Dict[str, Any]:
    usual = layout_for(host, daemon.name)
    candidates = ([usual] if usual else []) + [each for each in all_layouts(daemon.name) if each != usual]
    there = [each for each in candidates if _has_unit(host, each.unit, states.get(each.unit, {}))]
    configured = [each for each in candidates if host.exists(each.config)]
    layout = (there or configured or candidates)[0]
    unit = _unit_in_use(layout.unit, states)
    state = states.get(unit, {})
    if state.get('Id', unit) != unit:
        state = {}      # the name is another daemon's alias
    file_state = state.get('UnitFileState', '')
    return {
        'name': daemon.name,
        'installed': bool(there) and any(host.exists(binary) for binary in daemon.binaries),
        # The package this system would install it from; '' where the system does not have it.
        'package': usual.package if usual else '',
        'unit': unit,
        'active': state.get('ActiveState') in UP,
        'enabled': file_state in STARTS_AT_BOOT,
        'masked': file_state.startswith('masked') or state.get('LoadState') == 'masked',
        'config': layout.config,
        'sources_dir': _read_by_daemon(host, layout.config, 'sourcedir', layout.sources_dir),
        'config_dir': _read_by_daemon(host, layout.config, 'confdir', layout.config_dir),
    }


def _has_unit(host: Host, unit: str, state: Dict[str, str]) -> bool:
    """Whether the unit is this daemon's own: not an alias of another one's, nor only a mask over nothing."""
    if state.get('LoadState') == 'masked':
        folders = ('/lib/systemd/system/', '/usr/lib/systemd/system/')
        return any(host.exists(folder + unit) for folder in folders) or \
            host.exists('/etc/init.d/' + unit.rpartition('.')[0])
    return state.get('LoadState') == 'loaded' and state.get('Id', unit) == unit


def _unit_in_use(unit: str, states: Dict[str, Dict[str, str]]) -> str:
    other = layouts.OTHER_UNITS.get(unit, '')
    state = states.get(other, {})
    in_use = state.get('ActiveState') == 'active' or state.get('UnitFileState') == 'enabled'
    return other if in_use and state.get('Id', other) == other else unit


def _read_by_daemon(host: Host, config: str, directive: str, usual: str) -> str:
    """The drop-in folder: the last one the configuration in place names; the layout's where there is no file yet.

    Only chrony announces its folders (sourcedir, confdir, or include with a pattern); those of the others are built
    in. A folder below /run is empty after the next boot: not one to keep anything in.
    """
    text = host.read(config)
    if 'chrony' not in config or not text:
        return usual
    named = [folder for line in re.findall(r'(?im)^\s*{}\s+(.+?)\s*$'.format(directive), text) for folder in line.split()]
    if directive == 'confdir':
        named += re.findall(r'(?im)^\s*include\s+(/\S+)/\*\.conf\s*$', text)
    lasting = [folder.rstrip('/') for folder in named if not folder.startswith(('/run/', '/var/run/', '/tmp/'))]
    return lasting[-1] if lasting else ''


def package_manager(host: Host) -> str:
    """The name of the Ansible module that installs packages here: apt, dnf, yum or zypper."""
    names = next((layouts.PACKAGE_MANAGERS[word] for word in host.systems() if word in layouts.PACKAGE_MANAGERS), ('apt',))
    return next((name for name in names if host.exists('/usr/bin/' + name)), names[0])


def time_pushers(host: Host, only_pushing: bool = False) -> List[str]:
    """Sources by which a hypervisor or a cloud may set this host's clock, in words; or those that do it unasked."""
    found = [pusher for pusher in layouts.TIME_PUSHERS if host.exists(pusher.path) and (pusher.asked or not only_pushing)]
    return [pusher.words for pusher in found if not pusher.asked or 'Disabled' not in host.run(pusher.asked.split())]


def default_ntp_servers(host: Optional[Host] = None) -> List[str]:
    """The servers of the daemon that is configured here, else the vendor's pool: what to ask when nobody says.

    Entries are `host` or `host:port`, in the order of the configuration, each once.
    """
    host = host or Host()
    for daemon in layouts.DAEMONS:
        if not any(host.exists(binary) for binary in daemon.binaries):
            continue
        for config in dict.fromkeys(layout.config for layout in all_layouts(daemon.name)):
            servers = configured_servers(host, config)
            if servers:
                return servers
    words = host.systems()
    return [next((layouts.VENDOR_POOLS[word] for word in words if word in layouts.VENDOR_POOLS), layouts.ANY_POOL)]


class Line(NamedTuple):
    """One line of a configuration that is no comment."""

    path: str
    number: int
    text: str


def configured_servers(host: Host, config: str, without_own: bool = False) -> List[str]:
    """The servers and pools that a configuration and its drop-ins name; [] where there is none.

    without_own leaves out what this collection has written there.
    """
    found = []  # type: List[str]
    for line in configured_lines(host, config, without_own):
        found += servers_of(line.text)
    return list(dict.fromkeys(found))


def configured_lines(host: Host, config: str, without_own: bool = False) -> List[Line]:
    """The lines of a configuration and of all that it includes, in the order they are read."""
    return _lines(host, config, without_own, depth=0)


def _lines(host: Host, config: str, without_own: bool, depth: int) -> List[Line]:
    """With the files that chrony and ntpd include, and those in the built-in folders of timesyncd and ntpsec."""
    if without_own and OWN_NAME in os.path.basename(config):
        return []
    lines = []  # type: List[Line]
    patterns = list(_built_in_folders(config))
    own = False
    for number, line in enumerate(host.read(config).splitlines(), 1):
        own = (own or line == BLOCK_BEGIN) and line != BLOCK_END
        words = line.split()
        if not words or words[0][0] in '#!;%' or (own and without_own):
            continue
        lines.append(Line(config, number, line.strip()))
        directive = words[0].lower()
        if len(words) > 1 and directive in ('sourcedir', 'confdir', 'include', 'includefile'):
            suffix = {'sourcedir': '/*.sources', 'confdir': '/*.conf'}.get(directive, '')
            patterns += [folder + suffix for folder in words[1:]]
    if depth < 3:
        for pattern in patterns:
            for name in sorted(glob.glob(host.path(pattern))):
                lines += _lines(host, '/' + os.path.relpath(name, host.root), without_own, depth + 1)
    return lines


def _built_in_folders(config: str) -> Sequence[str]:
    if config.endswith('/timesyncd.conf'):
        return ['/etc/systemd/timesyncd.conf.d/*.conf']
    return ['/etc/ntpsec/ntp.d/*.conf'] if config == '/etc/ntpsec/ntp.conf' else []


def servers_of(line: str) -> List[str]:
    """The servers one configuration line names: `server HOST …`, `pool HOST …`, `servers HOST`, `NTP=A B`."""
    assigned = re.match(r'(?:NTP|FallbackNTP)\s*=\s*(.*)', line)
    if assigned:
        return assigned.group(1).split()
    words = line.split()
    if len(words) < 2 or words[0].lower() not in ('server', 'pool', 'servers') or words[1].startswith('127.127.'):
        return []
    options = [word.lower() for word in words[2:]]
    port = words[2 + options.index('port') + 1] if 'port' in options[:-1] else ''
    return ['{}:{}'.format(words[1], port) if port and ':' not in words[1] else words[1]]
