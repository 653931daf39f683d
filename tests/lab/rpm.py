# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts with RPM packages and their real package manager: dnf, yum (a link to it) or zypper, in the layout of a vendor.

They are layouts and not those systems: Debian's kernel, systemd, dnf, zypper, rpm and Python. What is packed are Debian's
chronyd and ntpd (NTPsec's) with the paths, the user, the units, the configuration and the scriptlets of the vendor's package,
in words of our own; a version says which program it really is. So a package manager's transactions, its history, its lock and
what its packages leave behind are real; yum 3 of RHEL 7 and libzypp's of SLES 15 are not available here.

`packages` builds a repository a system while the image is built; `become` makes a running machine one of them.
"""

import re
import shlex
import shutil
from pathlib import Path
from typing import NamedTuple

from .host import LabError, run

# What the image has beside Debian's own, and what chronyd and ntpd need of libraries and zones.
NEEDED = ['dnf', 'zypper', 'rpm', 'createrepo-c', 'tzdata', 'libedit2', 'libseccomp2', 'libnettle8', 'libgnutls30', 'libbsd0']

STORE = '/usr/lib/lab/rpm'  # in the image: a system's first packages, and Python 3.6 where the image's maker has one
PYTHON_36 = f'{STORE}/python3.6.tar'


class System(NamedTuple):
    """What a vendor's system is like; `python` is where its Python 3.6 is ('' : it has a newer one, as /usr/bin/python3)."""

    title: str
    manager: str
    release: str            # the name of its release package
    os_release: str
    chrony_conf: str
    sysconfig: str
    unit: str
    python: str = ''
    enabled: bool = True    # the vendor's preset; no package of theirs starts a daemon


OPTIONS = '# Command-line options for chronyd\nOPTIONS="{}"\n'

CONF_7 = '''\
# Servers of the public pool, see https://www.pool.ntp.org/join.html
server 0.rhel.pool.ntp.org iburst
server 1.rhel.pool.ntp.org iburst
server 2.rhel.pool.ntp.org iburst
server 3.rhel.pool.ntp.org iburst

driftfile /var/lib/chrony/drift
makestep 1.0 3
rtcsync
#hwtimestamp *
#minsources 2
#allow 192.168.0.0/16
#local stratum 10
#keyfile /etc/chrony.keys
logdir /var/log/chrony
#log measurements statistics tracking
'''

CONF_8 = '''\
# A pool of public servers, see https://www.pool.ntp.org/join.html
pool {pool} iburst
{dhcp}
driftfile /var/lib/chrony/drift
makestep 1.0 3
rtcsync
#hwtimestamp *
#minsources 2
#allow 192.168.0.0/16
#local stratum 10
#authselectmode require
keyfile /etc/chrony.keys
ntsdumpdir /var/lib/chrony
leapsectz right/UTC
logdir /var/log/chrony
#log measurements statistics tracking
'''
DHCP = '\n# Servers that DHCP names\nsourcedir /run/chrony-dhcp\n'

CONF_AMAZON = '''\
# This file sorts by what it says; sources are in folders
confdir /etc/chrony.d
driftfile /var/lib/chrony/drift
keyfile /etc/chrony.keys
makestep 1.0 3
ntsdumpdir /var/lib/chrony
rtcsync
sourcedir /etc/chrony.d
sourcedir /run/chrony.d
'''

CONF_SUSE = '''\
# Servers are in /etc/chrony.d/pool.conf, of a package of its own
driftfile /var/lib/chrony/drift
makestep 1.0 3
rtcsync
#hwtimestamp *
#minsources 2
#allow 192.168.0.0/16
keyfile /etc/chrony.keys
logdir /var/log/chrony
#log measurements statistics tracking

include /etc/chrony.d/*.conf
'''

UNIT = '''\
[Unit]
Description=NTP client/server
Documentation=man:chronyd(8) man:chrony.conf(5)
After=ntpdate.service sntp.service ntpd.service
Conflicts=ntpd.service systemd-timesyncd.service
ConditionCapability=CAP_SYS_TIME

[Service]
Type=forking
PIDFile={run}/chrony/chronyd.pid
EnvironmentFile=-/etc/sysconfig/chronyd
ExecStart=/usr/sbin/chronyd $OPTIONS
{more}
[Install]
WantedBy=multi-user.target
'''
PROTECTED = 'PrivateTmp=yes\nProtectHome=yes\nProtectSystem=full\n'
CONFINED = '''\
CapabilityBoundingSet=~CAP_AUDIT_CONTROL CAP_AUDIT_READ CAP_AUDIT_WRITE
CapabilityBoundingSet=~CAP_KILL CAP_LINUX_IMMUTABLE CAP_SYS_BOOT CAP_SYS_MODULE CAP_SYS_PTRACE
LockPersonality=yes
NoNewPrivileges=yes
PrivateTmp=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectSystem=strict
ReadWritePaths=/run /var/lib/chrony -/var/log
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictSUIDSGID=yes
'''

# A unit that RHEL 9's package brings as well: the same daemon, without root's rights from the start. It is not enabled.
RESTRICTED = '''\
[Unit]
Description=NTP client (restricted)
Conflicts=chronyd.service ntpd.service systemd-timesyncd.service

[Service]
Type=forking
PIDFile=/run/chrony/chronyd.pid
EnvironmentFile=-/etc/sysconfig/chronyd
User=chrony
AmbientCapabilities=CAP_NET_BIND_SERVICE CAP_SYS_TIME
RuntimeDirectory=chrony
StateDirectory=chrony
ExecStart=/usr/sbin/chronyd -U $OPTIONS

[Install]
WantedBy=multi-user.target
'''

NTP_CONF = '''\
driftfile /var/lib/ntp/drift

# Answer questions about the time, and no others
restrict default nomodify notrap nopeer noquery
restrict 127.0.0.1
restrict ::1

server 0.rhel.pool.ntp.org iburst
server 1.rhel.pool.ntp.org iburst

includefile /etc/ntp/crypto/pw
keys /etc/ntp/keys
disable monitor
'''

NTPD_UNIT = '''\
[Unit]
Description=Network Time Service
After=syslog.target ntpdate.service sntp.service

[Service]
Type=forking
EnvironmentFile=-/etc/sysconfig/ntpd
ExecStart=/usr/sbin/ntpd -u ntp:ntp $OPTIONS
PrivateTmp=true

[Install]
WantedBy=multi-user.target
'''


def _os_release(name, identity, like, version):
    lines = {'NAME': name, 'VERSION': version, 'ID': identity, 'ID_LIKE': like, 'VERSION_ID': version,
             'PRETTY_NAME': f'{name} {version} (its layout, with the files of Debian 12)'}
    return ''.join(f'{key}="{value}"\n' for key, value in lines.items() if value)


_UNIT_7 = UNIT.format(run='/var/run', more=PROTECTED)
_UNIT_8 = UNIT.format(run='/run', more=PROTECTED)
_UNIT_9 = UNIT.format(run='/run', more=CONFINED)

SYSTEMS: dict[str, System] = {
    'rhel-7': System('RHEL 7', 'yum', 'redhat-release-server',
                     _os_release('Red Hat Enterprise Linux Server', 'rhel', 'fedora', '7.9'),
                     CONF_7, OPTIONS.format(''), _UNIT_7, '/usr/bin/python3.6'),
    'rhel-8': System('RHEL 8', 'dnf', 'redhat-release', _os_release('Red Hat Enterprise Linux', 'rhel', 'fedora', '8.10'),
                     CONF_8.format(pool='2.rhel.pool.ntp.org', dhcp=DHCP), OPTIONS.format(''), _UNIT_8,
                     '/usr/libexec/platform-python'),
    'rhel-9': System('RHEL 9', 'dnf', 'redhat-release', _os_release('Red Hat Enterprise Linux', 'rhel', 'fedora', '9.4'),
                     CONF_8.format(pool='2.rhel.pool.ntp.org', dhcp=DHCP), OPTIONS.format('-F 2'), _UNIT_9),
    'amazon-2023': System('Amazon Linux 2023', 'dnf', 'system-release', _os_release('Amazon Linux', 'amzn', 'fedora', '2023'),
                          CONF_AMAZON, OPTIONS.format('-F 2'), _UNIT_9),
    'oracle-8': System('Oracle Linux 8', 'dnf', 'oraclelinux-release', _os_release('Oracle Linux Server', 'ol', 'fedora', '8.9'),
                       CONF_8.format(pool='2.pool.ntp.org', dhcp=DHCP), OPTIONS.format(''), _UNIT_8,
                       '/usr/libexec/platform-python'),
    'sles-15': System('SLES 15', 'zypper', 'sles-release', _os_release('SLES', 'sles', 'suse', '15.5'),
                      CONF_SUSE, OPTIONS.format(''), _UNIT_9, '/usr/bin/python3.6', enabled=False),
}

PRESET = {True: 'enable chronyd.service\n', False: ''}
OTHERS = 'enable sshd.service\nenable ssh.service\nenable lab-ready.service\nenable aem.service\n'


class Rpm(NamedTuple):
    """One package. `files`: {path: (text or bytes, mode, group)}; those of `config` are kept where an owner changed them."""

    name: str
    version: str
    files: dict[str, tuple[bytes, int, str]] = {}
    config: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    scriptlets: dict[str, str] = {}


def _text(text, mode=0o644, group='root'):
    return text.encode(), mode, group


# What systemd's macros of both families expand to, shortened: a new package follows the preset, nothing starts it; a removed
# one is disabled and stopped; an updated one is restarted where it ran.
def _service(unit, user):
    reload = 'systemctl daemon-reload >/dev/null 2>&1 || :'
    return {
        'pre': f'getent group {user} >/dev/null || groupadd -r {user}\n'
        f'getent passwd {user} >/dev/null || useradd -r -g {user} -d /var/lib/{user} -s /sbin/nologin {user}\n:',
        'post': f'{reload}\nif [ $1 -eq 1 ]; then systemctl --no-reload preset {unit} >/dev/null 2>&1 || :; fi',
        'preun': f'if [ $1 -eq 0 ]; then systemctl --no-reload disable --now {unit} >/dev/null 2>&1 || :; fi',
        'postun': f'{reload}\nif [ $1 -ge 1 ]; then systemctl try-restart {unit} >/dev/null 2>&1 || :; fi',
    }


def _patched(program, *changes):
    """A program with other paths in it: shorter ones, so that they fit; each must be there exactly once."""
    for old, new in changes:
        old = old.encode() + b'\0'
        if program.count(b'\0' + old) != 1:
            raise LabError(f'{old!r} is {program.count(old)} times in a program, not once')
        program = program.replace(b'\0' + old, b'\0' + new.encode().ljust(len(old), b'\0'))
    return program


def _chrony(system, tree, version):
    """The vendor's chrony, and what its package needs there."""
    described = SYSTEMS[system]
    program = _patched((tree / 'usr/sbin/chronyd').read_bytes(), ('/etc/chrony/chrony.conf', '/etc/chrony.conf'),
                       ('_chrony', 'chrony'))
    files = {
        '/usr/sbin/chronyd': (program, 0o755, 'root'),
        '/usr/bin/chronyc': ((tree / 'usr/bin/chronyc').read_bytes(), 0o755, 'root'),
        '/etc/chrony.conf': _text(described.chrony_conf, 0o640 if system == 'sles-15' else 0o644,
                                  'chrony' if system == 'sles-15' else 'root'),
        '/etc/chrony.keys': _text('#1 MD5 a-key-of-this-site\n', 0o640, 'chrony'),
        '/usr/lib/systemd/system/chronyd.service': _text(described.unit),
        '/usr/lib/systemd/ntp-units.d/50-chronyd.list': _text('chronyd.service\n'),
        '/etc/logrotate.d/chrony': _text('/var/log/chrony/*.log {\n    missingok\n    nocreate\n}\n'),
    }
    config = ['/etc/chrony.conf', '/etc/chrony.keys', '/etc/logrotate.d/chrony']
    scriptlets = _service('chronyd.service', 'chrony')
    requires, more = [], []
    if system == 'sles-15':  # a template, from which the package's script makes the file where there is none
        files['/usr/share/fillup-templates/sysconfig.chronyd'] = _text(described.sysconfig)
        scriptlets['post'] = ('test -e /etc/sysconfig/chronyd || '
                              'cp /usr/share/fillup-templates/sysconfig.chronyd /etc/sysconfig/chronyd\n' + scriptlets['post'])
        requires.append('chrony-pool')
        more.append(Rpm('chrony-pool-suse', version, {'/etc/chrony.d/pool.conf': _text('pool 2.suse.pool.ntp.org iburst\n')},
                        ('/etc/chrony.d/pool.conf',), provides=('chrony-pool',)))
    else:
        files['/etc/sysconfig/chronyd'] = _text(described.sysconfig)
        config.append('/etc/sysconfig/chronyd')
    if system in ('rhel-8', 'oracle-8'):  # a dependency that comes and goes with it
        requires.append('timedatex')
        more.append(Rpm('timedatex', '0.5', {'/usr/share/timedatex/README': _text('systemd has a timedated of its own\n')}))
    if system == 'rhel-9':
        files['/usr/lib/systemd/system/chronyd-restricted.service'] = _text(RESTRICTED)
    if system == 'amazon-2023':
        files['/etc/chrony.d/ntp-pool.sources'] = _text('pool 2.amazon.pool.ntp.org iburst maxsources 2\n')
        config.append('/etc/chrony.d/ntp-pool.sources')
    folders = ('/var/lib/chrony', '/var/log/chrony')
    return [Rpm('chrony', version, files, tuple(config), folders, tuple(requires), scriptlets=scriptlets), *more]


def _ntp(tree, version):
    """RHEL 7's ntp, which is NTPsec's here; ntpq is a Python program with a library of its own."""
    program = _patched((tree / 'usr/sbin/ntpd').read_bytes(), ('/etc/ntpsec/ntp.conf', '/etc/ntp.conf'))
    files = {
        '/usr/sbin/ntpd': (program, 0o755, 'root'),
        '/usr/bin/ntpq': ((tree / 'usr/bin/ntpq').read_bytes(), 0o755, 'root'),
        '/etc/ntp.conf': _text(NTP_CONF), '/etc/ntp/keys': _text('', 0o640, 'ntp'), '/etc/ntp/crypto/pw': _text('', 0o600),
        '/etc/sysconfig/ntpd': _text('# Command line options for ntpd\nOPTIONS="-g"\n'),
        '/usr/lib/systemd/system/ntpd.service': _text(NTPD_UNIT),
        '/usr/lib/systemd/ntp-units.d/60-ntpd.list': _text('ntpd.service\n'),
    }
    for path in (tree / 'usr/lib/python3/dist-packages').rglob('*'):
        if path.is_file():
            files[f'/{path.relative_to(tree)}'] = (path.read_bytes(), 0o644, 'root')
    for path in (tree / 'usr/lib/x86_64-linux-gnu/ntp').glob('libntpc.so*'):
        files[f'/{path.relative_to(tree)}'] = (path.read_bytes(), 0o644, 'root')
    config = ('/etc/ntp.conf', '/etc/ntp/keys', '/etc/ntp/crypto/pw', '/etc/sysconfig/ntpd')
    return Rpm('ntp', version, files, config, ('/var/lib/ntp',), scriptlets=_service('ntpd.service', 'ntp'))


def _base(system):
    """What is there before anything is installed: the release, and in one package all that Debian's files stand for."""
    described = SYSTEMS[system]
    url = f'http://packages.lab/rpm/{system}'
    if described.manager == 'zypper':
        source = {'/etc/zypp/repos.d/lab.repo': _text(f'[lab]\nname=lab\nenabled=1\nautorefresh=1\nbaseurl={url}\n'
                                                      'type=rpm-md\ngpgcheck=0\n')}
    else:
        source = {'/etc/yum.repos.d/lab.repo': _text(f'[lab]\nname=lab\nbaseurl={url}\nenabled=1\ngpgcheck=0\n'
                                                     'metadata_expire=1\n')}
    files = {
        '/etc/sysconfig/network': _text('# Settings of the network\n'),
        '/usr/lib/os-release': _text(described.os_release), '/etc/os-release': _text(described.os_release),
        '/usr/lib/systemd/system-preset/90-default.preset': _text(OTHERS + PRESET[described.enabled]),
        '/usr/lib/systemd/system-preset/99-default-disable.preset': _text('disable *\n'), **source,
    }
    stands_for = ('/bin/sh', 'systemd', 'shadow-utils', 'glibc', 'openssh-server')
    version = re.search(r'^VERSION_ID="(\S+)"', described.os_release, re.MULTILINE)
    assert version
    return [Rpm(described.release, version.group(1), files, tuple(source)), Rpm('lab-base', '1', provides=stands_for)]


# What another administrator may install at any time: a tool with a library, and one that needs the daemon.
FOREIGN = [
    Rpm('site-tool', '1.0', {'/usr/bin/site-tool': _text('#!/bin/sh\necho tool\n', 0o755)}, requires=('site-library',)),
    Rpm('site-library', '1.0', {'/usr/share/site-library/data': _text('data\n')}),
    Rpm('site-monitor', '1.0', {'/usr/bin/site-monitor': _text('#!/bin/sh\nexec chronyc tracking\n', 0o755)}, requires=('chrony',)),
]


def _specification(rpm, release):
    lines = [f'Name: {rpm.name}', f'Version: {rpm.version}', f'Release: 1.{release}', f'Summary: {rpm.name} of a lab machine',
             'License: as of its files', 'AutoReqProv: no']
    for tag, words in (('Requires', rpm.requires), ('Provides', rpm.provides), ('Conflicts', rpm.conflicts)):
        lines += [f'{tag}: {word}' for word in words]
    lines += ['%description', f'{rpm.name}, made of files of Debian.']
    for when, script in rpm.scriptlets.items():
        lines += [f'%{when}', script]
    lines.append('%files')
    for path, (_content, mode, group) in rpm.files.items():
        lines.append(f'%attr({mode:04o}, root, {group}) {"%config(noreplace) " if path in rpm.config else ""}"{path}"')
    lines += [f'%dir %attr(0750, {_user_of(rpm)}, {_user_of(rpm)}) "{folder}"' for folder in rpm.folders]
    return '\n'.join(lines) + '\n'


def _user_of(rpm):
    return {'chrony': 'chrony', 'ntp': 'ntp'}[rpm.name]


def _build(rpms, release, root, out):
    """Build packages in the image's root, whose rpmbuild is the one that is used; they are in `out` then."""
    work = root / 'tmp/rpmbuild'
    for rpm in rpms:
        shutil.rmtree(work, ignore_errors=True)
        for folder in rpm.folders:
            (work / 'root' / folder.lstrip('/')).mkdir(parents=True)
        (work / 'root').mkdir(parents=True, exist_ok=True)
        for path, (content, _mode, _group) in rpm.files.items():
            target = work / 'root' / path.lstrip('/')
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        (work / 'it.spec').write_text(_specification(rpm, release))
        run('chroot', root, 'rpmbuild', '-bb', '--quiet', '--target', 'x86_64', '--buildroot', '/tmp/rpmbuild/root',
            '--define', '_topdir /tmp/rpmbuild/top', '--define', '_rpmdir /tmp/rpmbuild/out', '--define', '_build_id_links none',
            '--define', '__os_install_post %{nil}', '--define', 'debug_package %{nil}', '/tmp/rpmbuild/it.spec')
        for made in (work / 'out').rglob('*.rpm'):
            shutil.copy(made, out / made.name)
    shutil.rmtree(work)


def packages(root, pool, out, work):
    """Build each system's repository into `out`, and its first packages into the image's root. `pool` has Debian's packages."""
    trees = {}
    for name, wanted in (('chrony', ['chrony']), ('ntp', ['ntpsec', 'python3-ntp'])):
        trees[name] = work / f'of-{name}'
        for each in wanted:
            for package in pool.glob(f'{each}_*.deb'):
                run('dpkg-deb', '--extract', package, trees[name])
    versions = {name: re.sub(r'[+-].*', '', run('dpkg-deb', '--field', next(pool.glob(f'{package}_*.deb')), 'Version').strip())
                for name, package in (('chrony', 'chrony'), ('ntp', 'ntpsec'))}
    put = root / STORE.lstrip('/')
    put.mkdir(parents=True)
    (root / 'etc/rpm').mkdir(exist_ok=True)
    (root / 'etc/rpm/macros.lab').write_text('%_dbpath /var/lib/rpm\n')  # Debian's is in each user's home
    for system in SYSTEMS:
        release = system.replace('-', '')
        (out / system).mkdir(parents=True)
        (put / system).mkdir()
        offered = [*_chrony(system, trees['chrony'], versions['chrony']), *FOREIGN]
        if system == 'rhel-7':
            offered.append(_ntp(trees['ntp'], versions['ntp']))
        _build(offered, release, root, out / system)
        _build(_base(system), release, root, put / system)
        shutil.move(out / system, root / 'tmp/repository')
        run('chroot', root, 'createrepo_c', '--quiet', '/tmp/repository')
        shutil.move(root / 'tmp/repository', out / system)


def pack_python(root, python):
    """Take a Python 3.6 along, as a host has it: what `python` is (its path), without its tests and packages."""
    said = run(python, '-c', 'import sys, sysconfig; print(sys.base_prefix, sysconfig.get_config_var("INSTSONAME"))')
    prefix, library = said.split()
    names = ['bin/python3.6', f'lib/{library}', 'lib/python3.6']
    left_out = ['test', 'tests', '__pycache__', 'site-packages', 'idlelib', 'ensurepip', 'lib2to3', 'tkinter', 'config-3.6m*']
    run('tar', '-C', prefix, '-cf', root / PYTHON_36.lstrip('/'), *[f'--exclude={name}' for name in left_out],
        *[name for name in names if (Path(prefix) / name).exists()])


GONE = ['/etc/apt', '/usr/bin/apt', '/usr/bin/apt-*', '/usr/lib/python3/dist-packages/apt',
        '/usr/lib/python3/dist-packages/apt_pkg*.so', '/usr/bin/dpkg*', '/usr/bin/deb-systemd-*', '/etc/debian_version',
        '/usr/lib/os-release', '/etc/os-release', '/usr/bin/createrepo_c']
FRONT_ENDS = {'dnf': ['/usr/bin/zypper'], 'yum': ['/usr/bin/zypper', '/usr/bin/dnf'], 'zypper': ['/usr/bin/dnf*']}
DNF = '[main]\ngpgcheck=1\ninstallonly_limit=3\nclean_requirements_on_remove=True\nbest=True\nskip_if_unavailable=False\n'

# Python 3.6 as the vendor has it: its library where the loader looks, its modules in /usr/lib, found from the program's own place.
UNPACK = '''
cd /usr; tar -xf {packed} lib; mv lib/libpython3.6*.so* lib/x86_64-linux-gnu/ && ldconfig
tar -xOf {packed} bin/python3.6 >{path}; chmod 755 {path}; {path} -c 'import ssl, json, ctypes'
'''


def become(machine, system, *installed):
    """Turn a running machine of the image `rpm` into such a system, with these packages."""
    described = SYSTEMS[system]
    gone = GONE + FRONT_ENDS[described.manager]
    steps = [f'rm -rf {" ".join(gone)}']
    if described.manager != 'zypper':
        machine.write('/etc/dnf/dnf.conf', DNF)
        steps.append('ln -sf dnf-3 /usr/bin/yum')
    steps += [f'rpm -U --quiet {STORE}/{system}/*.rpm 2>/dev/null', 'rpm -q lab-base >/dev/null']
    if described.python:
        unpack = UNPACK.format(packed=PYTHON_36, path=shlex.quote(described.python)).strip()
        steps.append(f'if [ -e {PYTHON_36} ]; then {unpack}; fi')
    if installed:
        steps.append(install(system, *installed))
    machine.ssh('set -e\nmkdir -p /usr/libexec\n' + '\n'.join(steps), timeout=300)


def install(system, *names):
    """The command of an administrator who installs packages there."""
    command = {'dnf': 'dnf -qy install', 'yum': 'yum -qy install', 'zypper': 'zypper -nq install'}[SYSTEMS[system].manager]
    return f'{command} {" ".join(names)}'


def rpms(machine):
    """The packages of its database, with versions."""
    return sorted(machine.ssh("rpm -qa --qf '%{NAME}-%{VERSION}-%{RELEASE}\\n'").stdout.split())
