# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables of time daemons, and of their places on each system.

A layout describes a vendor's package that is not installed yet. For an installed daemon, the host decides: the unit that systemd
knows and the folders that the configuration names take precedence over the layout.
"""

from typing import Dict, List, NamedTuple, Tuple


class Layout(NamedTuple):
    """The places of a daemon on one kind of system. Paths are absolute; '' if the system has no such place."""

    package: str
    unit: str
    config: str
    sources_dir: str = ''   # files *.sources, read again without a restart (chrony 4)
    config_dir: str = ''    # files *.conf, read at start
    keys: str = ''          # keys for authentication, if the configuration names no other file
    keys_group: str = ''    # the group of the daemon, which must be able to read the keys
    # The file and the variable of options, for a unit that does not tell, and the configurations that the vendor's wrapper takes
    # instead where DHCP has named a server.
    defaults: Tuple[str, str] = ('', '')
    dhcp: Tuple[str, ...] = ()


class KnownDaemon(NamedTuple):
    """One time daemon, and what can be configured with it."""

    name: str
    provider: str               # value of the option provider: chrony, ntpd, timesyncd; '' for one that is only stopped
    binaries: Tuple[str, ...]
    can: Tuple[str, ...]        # of FEATURES


# Features of the options that not every daemon has.
FEATURES = {
    'ports': 'a server with a port other than 123',
    'keys': 'symmetric keys',
    'nts': 'NTS',
    'refclock': 'a PTP device as a reference clock',
}

# A daemon that an administrator has compiled is below /usr/local.
DAEMONS = (
    KnownDaemon('chrony', 'chrony', ('/usr/sbin/chronyd', '/usr/local/sbin/chronyd'), ('ports', 'keys', 'nts', 'refclock')),
    KnownDaemon('ntpd', 'ntpd', ('/usr/sbin/ntpd', '/usr/local/sbin/ntpd', '/usr/local/bin/ntpd'), ('keys',)),
    KnownDaemon('ntpsec', 'ntpd', ('/usr/sbin/ntpd', '/usr/local/sbin/ntpd', '/usr/local/bin/ntpd'), ('keys', 'nts')),
    KnownDaemon('timesyncd', 'timesyncd', ('/lib/systemd/systemd-timesyncd', '/usr/lib/systemd/systemd-timesyncd'), ()),
    KnownDaemon('openntpd', '', ('/usr/sbin/ntpd', '/usr/sbin/openntpd'), ()),
    KnownDaemon('ntpd-rs', '', ('/usr/bin/ntp-daemon',), ()),
)


class Row(NamedTuple):
    """A layout with the systems it is for: a word of os-release's ID or ID_LIKE, and versions from (to below)."""

    daemon: str
    system: str
    since: Tuple[int, ...]
    below: Tuple[int, ...]
    layout: Layout


_ANY: Tuple[int, ...] = ()
# Newer than all versions, including the dates of a rolling release (20261126).
NEWEST: Tuple[int, ...] = (10 ** 9,)
_END: Tuple[int, ...] = (10 ** 9 + 1,)

_CHRONY_DEBIAN = Layout('chrony', 'chrony.service', '/etc/chrony/chrony.conf',
                        '/etc/chrony/sources.d', '/etc/chrony/conf.d', '/etc/chrony/chrony.keys', '_chrony',
                        ('/etc/default/chrony', 'DAEMON_OPTS'))
_CHRONY_DEBIAN_3 = _CHRONY_DEBIAN._replace(sources_dir='', config_dir='')
_CHRONY_REDHAT = Layout('chrony', 'chronyd.service', '/etc/chrony.conf', keys='/etc/chrony.keys', keys_group='chrony',
                        defaults=('/etc/sysconfig/chronyd', 'OPTIONS'))
# Amazon Linux 2023: both kinds of files lie in one folder.
_CHRONY_AMAZON = _CHRONY_REDHAT._replace(sources_dir='/etc/chrony.d', config_dir='/etc/chrony.d')
_NTPSEC = Layout('ntpsec', 'ntpsec.service', '/etc/ntpsec/ntp.conf', config_dir='/etc/ntpsec/ntp.d',
                 keys='/etc/ntpsec/ntp.keys', keys_group='ntpsec', defaults=('/etc/default/ntpsec', 'NTPD_OPTS'),
                 dhcp=('/run/ntpsec/ntp.conf.dhcp',))
_NTP_DEBIAN = Layout('ntp', 'ntp.service', '/etc/ntp.conf', keys='/etc/ntp.keys', keys_group='ntp',
                     defaults=('/etc/default/ntp', 'NTPD_OPTS'), dhcp=('/run/ntp.conf.dhcp', '/var/lib/ntp/ntp.conf.dhcp'))
_NTP_REDHAT = Layout('ntp', 'ntpd.service', '/etc/ntp.conf', keys='/etc/ntp/keys', keys_group='ntp',
                     defaults=('/etc/sysconfig/ntpd', 'OPTIONS'))
_NTP_SUSE = _NTP_REDHAT._replace(keys='/etc/ntp.keys', defaults=('/etc/sysconfig/ntp', 'NTPD_OPTIONS'))
_TIMESYNCD = Layout('systemd-timesyncd', 'systemd-timesyncd.service', '/etc/systemd/timesyncd.conf',
                    config_dir='/etc/systemd/timesyncd.conf.d')
_OPENNTPD = Layout('openntpd', 'openntpd.service', '/etc/openntpd/ntpd.conf')
_NTPD_RS = Layout('ntpd-rs', 'ntpd-rs.service', '/etc/ntpd-rs/ntp.toml')

# The first row that fits counts. chrony.conf names its folders from chrony 4 on: Debian 11, Ubuntu 22.04. The only
# one that Red Hat's names is /run/chrony-dhcp, which is gone after a reboot. SLES 15's includes /etc/chrony.d/*.conf.
LAYOUTS = (
    Row('chrony', 'ubuntu', _ANY, (22, 4), _CHRONY_DEBIAN_3),
    Row('chrony', 'ubuntu', (22, 4), _END, _CHRONY_DEBIAN),
    Row('chrony', 'debian', _ANY, (11,), _CHRONY_DEBIAN_3),
    Row('chrony', 'debian', (11,), _END, _CHRONY_DEBIAN),
    Row('chrony', 'sles', _ANY, (15,), _CHRONY_REDHAT),
    Row('chrony', 'suse', _ANY, _END, _CHRONY_REDHAT._replace(config_dir='/etc/chrony.d')),
    Row('chrony', 'amzn', _ANY, (2023,), _CHRONY_REDHAT),
    Row('chrony', 'amzn', (2023,), _END, _CHRONY_AMAZON),
    Row('chrony', 'rhel', _ANY, _END, _CHRONY_REDHAT),
    Row('chrony', 'fedora', _ANY, _END, _CHRONY_REDHAT),
    # The classic ntpd ends with Debian 11, Ubuntu 22.04, RHEL 7, Amazon Linux 2 and SLES 12.
    Row('ntpd', 'ubuntu', _ANY, (23,), _NTP_DEBIAN),
    Row('ntpd', 'debian', _ANY, (12,), _NTP_DEBIAN),
    Row('ntpd', 'sles', _ANY, (15,), _NTP_SUSE),
    Row('ntpd', 'amzn', _ANY, (3,), _NTP_REDHAT),
    Row('ntpd', 'rhel', _ANY, (8,), _NTP_REDHAT),
    Row('ntpsec', 'ubuntu', (22,), _END, _NTPSEC),
    Row('ntpsec', 'debian', (11,), _END, _NTPSEC),
    # A part of the package systemd before it got its own package.
    Row('timesyncd', 'ubuntu', _ANY, (20, 4), _TIMESYNCD._replace(package='systemd')),
    Row('timesyncd', 'debian', _ANY, (11,), _TIMESYNCD._replace(package='systemd')),
    Row('timesyncd', 'ubuntu', _ANY, _END, _TIMESYNCD),
    Row('timesyncd', 'debian', _ANY, _END, _TIMESYNCD),
    Row('timesyncd', 'suse', _ANY, _END, _TIMESYNCD._replace(package='systemd')),
    Row('openntpd', 'ubuntu', _ANY, _END, _OPENNTPD),
    Row('openntpd', 'debian', _ANY, _END, _OPENNTPD),
    Row('ntpd-rs', 'ubuntu', (24, 4), _END, _NTPD_RS),
    Row('ntpd-rs', 'debian', (13,), _END, _NTPD_RS),
    Row('ntpd-rs', 'fedora', _ANY, _END, _NTPD_RS),
)


def all_layouts(daemon: str) -> List[Layout]:
    """Return all known layouts of a daemon, including those that differ only in a folder."""
    return list(dict.fromkeys(row.layout for row in LAYOUTS if row.daemon == daemon))


def all_units() -> List[str]:
    """Return the units of all daemons."""
    return sorted({row.layout.unit for row in LAYOUTS} | set(OTHER_UNITS.values()))


# Units that run the same daemon otherwise (Fedora, RHEL 9, Debian 13 and newer): where one is in use, it is the daemon's unit.
OTHER_UNITS = {'chronyd.service': 'chronyd-restricted.service', 'chrony.service': 'chronyd-restricted.service'}


class PackageManager(NamedTuple):
    """A package manager: the Ansible module of its name, its command, and the system whose layouts its packages have."""

    name: str
    command: str
    system: str


# dnf before yum, which is a link to it where both are there.
MANAGERS = (
    PackageManager('apt', '/usr/bin/apt-get', 'debian'),
    PackageManager('dnf', '/usr/bin/dnf', 'fedora'),
    PackageManager('yum', '/usr/bin/yum', 'fedora'),
    PackageManager('zypper', '/usr/bin/zypper', 'suse'),
)
# Photon OS, Azure Linux: its yum may be a link to this one, whose tables differ.
TDNF = '/usr/bin/tdnf'
# The usual package manager of a known system, if no command of one is found.
USUAL_MANAGERS = {'debian': 'apt', 'ubuntu': 'apt', 'rhel': 'dnf', 'fedora': 'dnf', 'amzn': 'dnf', 'suse': 'zypper',
                  'sles': 'zypper'}

# Systems whose own files are replaced as a whole: no package can be installed while they run, and kept.
IMAGES = (
    (('/usr/sbin/transactional-update',),
     ('opensuse-microos', 'opensuse-leap-micro', 'opensuse-aeon', 'opensuse-kalpa', 'sle-micro', 'sl-micro'),
     'its packages are changed by transactional-update, for the next boot (transactional-update pkg install chrony, then reboot)'),
    (('/run/ostree-booted',), (),
     'its packages are changed by rpm-ostree, for the next boot (rpm-ostree install chrony, then reboot)'),
    (('/usr/bin/flatcar-update',), ('flatcar', 'coreos', 'bottlerocket', 'cos', 'nixos', 'talos', 'photon-ostree', 'ubuntu-core'),
     'it is an image without a package manager (enable the time daemon that it has, systemd-timesyncd for instance)'),
)

# Derivatives whose ID_LIKE does not name their base system.
SAME_AS = {'centos': 'rhel', 'opensuse': 'suse', 'ol': 'rhel', 'eurolinux': 'rhel', 'openeuler': 'fedora', 'sle-micro': 'suse',
           'sl-micro': 'suse', 'sles_sap': 'sles'}

# Derivatives with the version numbers of their base system; all others have their own.
SAME_VERSIONS = ('almalinux', 'anolis', 'centos', 'circle', 'cloudlinux', 'eurolinux', 'miraclelinux', 'ol', 'raspbian', 'rocky',
                 'scientific', 'sles_sap', 'springdale', 'virtuozzo')

VENDOR_POOLS = {
    'debian': '2.debian.pool.ntp.org', 'ubuntu': 'ntp.ubuntu.com', 'rhel': '2.rhel.pool.ntp.org',
    'centos': '2.centos.pool.ntp.org', 'fedora': '2.fedora.pool.ntp.org', 'amzn': '169.254.169.123',
    'almalinux': '2.almalinux.pool.ntp.org', 'rocky': '2.rocky.pool.ntp.org',
    'sles': '2.suse.pool.ntp.org', 'opensuse': '2.opensuse.pool.ntp.org',
}
ANY_POOL = 'pool.ntp.org'


class Pusher(NamedTuple):
    """What a hypervisor or a cloud has for its own time; `asked` tells whether it sets the clock by itself ('Enabled': yes)."""

    path: str
    words: str
    asked: str = ''


VMWARE_TOOL = '/usr/bin/vmware-toolbox-cmd'
VMWARE_TIMESYNC = 'vmware-toolbox-cmd timesync'
TIME_PUSHERS = (
    Pusher('/dev/ptp_hyperv', 'Hyper-V / Azure PTP clock'),
    Pusher('/dev/ptp_kvm', 'KVM PTP clock'),
    Pusher(VMWARE_TOOL, 'VMware tools (turn it off: vmware-toolbox-cmd timesync disable)',
           VMWARE_TIMESYNC + ' status'),
)


class Cloud(NamedTuple):
    """A cloud's own source of time."""

    server: str         # '' if it is a device
    options: str        # of chrony's server line
    device: str
    smears: bool        # whether it spreads a leap second over a day, and must not be mixed with servers that do not
    also: Tuple[str, ...] = ()      # other addresses and names of the same source
    alike: Tuple[str, ...] = ()     # other providers' servers that spread a leap second in the same way


# Directives by which a daemon applies leap seconds itself: chrony.conf(5), ntp.conf(5).
LEAP_SECONDS = ('leapsectz', 'leapseclist', 'leapfile')
# Both spread it evenly from noon to noon (UTC), as their documentation says.
_SMEARED = ('time.aws.com', 'time.google.com', 'time1.google.com', 'time2.google.com', 'time3.google.com', 'time4.google.com')
CLOUDS: Dict[str, Cloud] = {
    'aws': Cloud('169.254.169.123', 'prefer iburst minpoll 4 maxpoll 4', '', True, ('fd00:ec2::123',), _SMEARED),
    'gcp': Cloud('metadata.google.internal', 'prefer iburst', '', True, ('169.254.169.254', 'metadata'), _SMEARED),
    'azure': Cloud('', '', '/dev/ptp_hyperv', False),
}
