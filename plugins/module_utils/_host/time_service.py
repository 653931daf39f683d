# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps time on a host: which daemons are there, in which state, configured where.

Reads files and asks systemd once; starts, stops and writes nothing. No root is needed.
The tables at the top are the whole knowledge of daemons, units and paths: a new layout is a new row.
"""

import glob
import os
import re
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple


class Layout(NamedTuple):
    """Where one daemon lives on one kind of system. Paths are absolute; '' where the system has no such place."""

    package: str
    unit: str
    config: str
    sources_dir: str    # files *.sources, read again without a restart (chrony)
    config_dir: str     # files *.conf, read at start


class Daemon(NamedTuple):
    """One time daemon: its binaries, and its layouts by family of systems, the first being the most usual one."""

    name: str
    binaries: Tuple[str, ...]
    layouts: Dict[str, Layout]


DAEMONS = (
    Daemon('chrony', ('/usr/sbin/chronyd',), {
        'debian': Layout('chrony', 'chrony.service', '/etc/chrony/chrony.conf',
                         '/etc/chrony/sources.d', '/etc/chrony/conf.d'),
        'redhat': Layout('chrony', 'chronyd.service', '/etc/chrony.conf', '', ''),
        'suse': Layout('chrony', 'chronyd.service', '/etc/chrony.conf', '', '/etc/chrony.d'),
    }),
    Daemon('ntpsec', ('/usr/sbin/ntpd',), {
        'debian': Layout('ntpsec', 'ntpsec.service', '/etc/ntpsec/ntp.conf', '', '/etc/ntpsec/ntp.d'),
    }),
    Daemon('ntpd', ('/usr/sbin/ntpd',), {
        'debian': Layout('ntp', 'ntp.service', '/etc/ntp.conf', '', ''),
        'redhat': Layout('ntp', 'ntpd.service', '/etc/ntp.conf', '', ''),
        'suse': Layout('ntp', 'ntpd.service', '/etc/ntp.conf', '', ''),
    }),
    Daemon('timesyncd', ('/lib/systemd/systemd-timesyncd', '/usr/lib/systemd/systemd-timesyncd'), {
        'debian': Layout('systemd-timesyncd', 'systemd-timesyncd.service', '/etc/systemd/timesyncd.conf',
                         '', '/etc/systemd/timesyncd.conf.d'),
        'suse': Layout('systemd', 'systemd-timesyncd.service', '/etc/systemd/timesyncd.conf',
                       '', '/etc/systemd/timesyncd.conf.d'),
    }),
    Daemon('openntpd', ('/usr/sbin/ntpd', '/usr/sbin/openntpd'), {
        'debian': Layout('openntpd', 'openntpd.service', '/etc/openntpd/ntpd.conf', '', ''),
    }),
)

# os-release ID or ID_LIKE words to the family whose layouts apply, and the vendor's own NTP pool.
FAMILIES = {
    'debian': 'debian', 'ubuntu': 'debian',
    'rhel': 'redhat', 'fedora': 'redhat', 'centos': 'redhat', 'amzn': 'redhat',
    'suse': 'suse', 'sles': 'suse', 'opensuse': 'suse',
}
PACKAGE_MANAGERS = {'debian': ('apt',), 'redhat': ('dnf', 'yum'), 'suse': ('zypper',)}
VENDOR_POOLS = {
    'debian': '2.debian.pool.ntp.org', 'ubuntu': 'ntp.ubuntu.com', 'rhel': '2.rhel.pool.ntp.org',
    'centos': '2.centos.pool.ntp.org', 'fedora': '2.fedora.pool.ntp.org', 'amzn': '169.254.169.123',
    'almalinux': '2.almalinux.pool.ntp.org', 'rocky': '2.rocky.pool.ntp.org',
    'sles': '2.suse.pool.ntp.org', 'opensuse': '2.opensuse.pool.ntp.org',
}
ANY_POOL = 'pool.ntp.org'

# Devices and files by which a hypervisor or a cloud offers its own time, and what to call them.
TIME_PUSHERS = (
    ('/dev/ptp_hyperv', 'Hyper-V / Azure PTP clock'),
    ('/dev/ptp_kvm', 'KVM PTP clock'),
    ('/usr/bin/vmware-toolbox-cmd', 'VMware tools (check: vmware-toolbox-cmd timesync status)'),
)

UNIT_PROPERTIES = ('Id', 'LoadState', 'ActiveState', 'UnitFileState')


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

    def family(self) -> str:
        """debian, redhat or suse; debian where os-release names nothing known."""
        release = self.os_release()
        words = [release.get('ID', '')] + release.get('ID_LIKE', '').split()
        return next((FAMILIES[word] for word in words if word in FAMILIES), 'debian')


def unit_states(host: Host, units: List[str]) -> Dict[str, Dict[str, str]]:
    """systemd's view of units, one call for all: {asked name: {Id, LoadState, ActiveState, UnitFileState}}.

    systemd answers in the order asked, one block each, also for units it does not know (LoadState not-found).
    """
    command = ['systemctl', 'show', '--no-pager', '--property', ','.join(UNIT_PROPERTIES)] + units
    blocks = host.run(command).strip().split('\n\n')
    parsed = [dict(line.split('=', 1) for line in block.splitlines() if '=' in line) for block in blocks]
    return dict(zip(units, parsed)) if len(parsed) == len(units) else {}


def find_daemons(host: Host) -> List[Dict[str, Any]]:
    """Every daemon of the table: installed, unit, enabled, active, masked, where its configuration is.

    The unit that the host really has wins over the family's usual one: a layout is knowledge, the host is the fact.
    """
    family = host.family()
    units = sorted({layout.unit for daemon in DAEMONS for layout in daemon.layouts.values()})
    states = unit_states(host, units)
    return [_describe(host, daemon, family, states) for daemon in DAEMONS]


def _describe(host: Host, daemon: Daemon, family: str, states: Dict[str, Dict[str, str]]) -> Dict[str, Any]:
    usual = daemon.layouts.get(family)
    candidates = ([usual] if usual else []) + [each for each in daemon.layouts.values() if each is not usual]
    loaded = [each for each in candidates if states.get(each.unit, {}).get('LoadState') in ('loaded', 'masked')]
    configured = [each for each in candidates if host.exists(each.config)]
    layout = (loaded or configured or candidates)[0]
    state = states.get(layout.unit, {})
    file_state = state.get('UnitFileState', '')
    return {
        'name': daemon.name,
        'installed': bool(loaded) and any(host.exists(binary) for binary in daemon.binaries),
        # The package this system would install it from; '' where the system does not have it.
        'package': usual.package if usual else '',
        'unit': layout.unit,
        'active': state.get('ActiveState') in ('active', 'activating', 'reloading'),
        'enabled': file_state in ('enabled', 'enabled-runtime', 'alias', 'generated', 'static'),
        'masked': file_state.startswith('masked') or state.get('LoadState') == 'masked',
        'config': layout.config,
        'sources_dir': _read_by_daemon(host, layout.config, 'sourcedir', layout.sources_dir),
        'config_dir': _read_by_daemon(host, layout.config, 'confdir', layout.config_dir),
    }


def _read_by_daemon(host: Host, config: str, directive: str, usual: str) -> str:
    """The drop-in folder: the last one the configuration in place names; the layout's where there is no file yet.

    Only chrony announces its folders (sourcedir, confdir); the other daemons' folders are built in.
    """
    text = host.read(config)
    if 'chrony' not in config or not text:
        return usual
    named = re.findall(r'^\s*{}\s+(.+?)\s*$'.format(directive), text, re.MULTILINE)
    return named[-1].split()[-1] if named else ''


def package_manager(host: Host) -> str:
    """The name of the Ansible module that installs packages here: apt, dnf, yum or zypper."""
    names = PACKAGE_MANAGERS[host.family()]
    return next((name for name in names if host.exists('/usr/bin/' + name)), names[0])


def time_pushers(host: Host) -> List[str]:
    """Sources by which a hypervisor or a cloud may set this host's clock, in words."""
    return [words for path, words in TIME_PUSHERS if host.exists(path)]


def default_ntp_servers(host: Optional[Host] = None) -> List[str]:
    """The servers of the daemon that is configured here, else the vendor's pool: what to ask when nobody says.

    Entries are `host` or `host:port`, in the order of the configuration, each once.
    """
    host = host or Host()
    for daemon in DAEMONS:
        if not any(host.exists(binary) for binary in daemon.binaries):
            continue
        for layout in daemon.layouts.values():
            servers = configured_servers(host, layout.config)
            if servers:
                return servers
    release = host.os_release()
    words = [release.get('ID', '')] + release.get('ID_LIKE', '').split()
    return [next((VENDOR_POOLS[word] for word in words if word in VENDOR_POOLS), ANY_POOL)]


def configured_servers(host: Host, config: str) -> List[str]:
    """The servers and pools that a configuration and its drop-ins name; [] where there is none."""
    lines = _lines(host, config, depth=0)
    found = []  # type: List[str]
    for line in lines:
        found += _servers_of(line)
    return list(dict.fromkeys(found))


def _lines(host: Host, config: str, depth: int) -> List[str]:
    """The configuration's lines with the files it includes (chrony, ntpd) or that lie in its folder (timesyncd)."""
    lines = []  # type: List[str]
    patterns = ['/etc/systemd/timesyncd.conf.d/*.conf'] if config.endswith('/timesyncd.conf') else []
    for line in host.read(config).splitlines():
        words = line.split()
        if not words or words[0][0] in '#!;%':
            continue
        lines.append(line.strip())
        directive = words[0].lower()
        if len(words) > 1 and directive in ('sourcedir', 'confdir', 'include', 'includefile'):
            suffix = {'sourcedir': '/*.sources', 'confdir': '/*.conf'}.get(directive, '')
            patterns += [folder + suffix for folder in words[1:]]
    if depth < 3:
        for pattern in patterns:
            for name in sorted(glob.glob(host.path(pattern))):
                lines += _lines(host, '/' + os.path.relpath(name, host.root), depth + 1)
    return lines


def _servers_of(line: str) -> List[str]:
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
