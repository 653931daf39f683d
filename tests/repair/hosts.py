# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of hosts that people have, as lab machines: how each is made, and how it has to be after a run.

KINDS and CLOCKS are the whole knowledge; a new kind of host is a new row.
"""

from __future__ import annotations

import typing as t

from lab import redhat, rpm
from lab.machine import Machine

YEAR = 365.25 * 86400

# What is wrong with the clock: seconds from right.
CLOCKS: dict[str, int] = {
    '-9.6 years': -int(9.6 * YEAR), '-90 s': -90, '-7 s': -7, '+7 s': 7, '+400 days': 400 * 86400,
}

# Every unit by which one of the daemons may run: no more than one of them is active at the end.
TIME_UNITS = ('chrony.service', 'chronyd.service', 'ntpsec.service', 'ntp.service', 'ntpd.service', 'systemd-timesyncd.service',
              'openntpd.service')

# A site's own configuration, with all that a careless editor loses: another mode, no line end at the end of the file, a
# commented line that looks like a setting, a server that is not there any more.
EDITED = '''\
# site 4711, 2019-03-12: NTP only from our own servers, see the wiki. DO NOT TOUCH
server  ntp-old.site.example   iburst  maxpoll 8
#server 192.0.2.7 iburst
confdir /etc/chrony/conf.d
sourcedir /etc/chrony/sources.d
keyfile /etc/chrony/chrony.keys
driftfile /var/lib/chrony/chrony.drift
logdir /var/log/chrony
maxupdateskew 100.0
rtcsync
makestep 1 3\t
# managed by hand'''

INSTALL = 'apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy install'

# openntpd beside another daemon, which Debian's packages do not allow: as a site has it that builds it for itself.
SECOND_DAEMON = '''
cd /tmp; apt-get -q download openntpd
dpkg-deb --fsys-tarfile openntpd_*.deb | tar -x --keep-directory-symlink -C /; rm openntpd_*.deb
useradd --system --home-dir /var/lib/openntpd/run --shell /usr/sbin/nologin ntpd
systemctl daemon-reload && systemctl enable -q openntpd && systemctl restart openntpd && systemctl is-active openntpd
'''


class Kind(t.NamedTuple):
    """One kind of host: how it is created, and its expected state after the run.

    `made_by` is a shell program that root runs on a fresh machine whose clock is right, or a function of that machine; `upon`
    is the kind that the machine is of already then, for an installation takes as long as all the rest.
    `daemon` is the unit that has to keep the time at the end. `kept` are files that must be there byte for byte, but for a
    block that the role has marked as its own. Where a host cannot be healed, `refused` is what the run has to say, in words
    that must all be in its output; then everything, the clock too, is as it was.
    """

    title: str
    before: str
    made_by: str | t.Callable[[Machine], None]
    daemon: str
    kept: tuple[str, ...] = ()
    suite: str = 'bookworm'
    upon: str = ''
    refused: tuple[str, ...] = ()
    variables: t.Mapping[str, t.Any] = {}                   # of the inventory
    settings: t.Mapping[str, str] = {}                      # of Ansible, in its environment
    access: t.Callable[[t.Any], None] | None = None         # prepares the HostUnderTest after its boot
    python: str = ''  # where it has its Python 3.6, for which another ansible-core is needed; '' : /usr/bin/python3 is newer

    def make(self, machine: Machine) -> None:
        if callable(self.made_by):
            self.made_by(machine)
        elif self.made_by:
            machine.ssh(f'set -e; {self.made_by}', timeout=300)


EDIT_CHRONY = f'''printf %s {"'" + EDITED + "'"} >/etc/chrony/chrony.conf
chown root:_chrony /etc/chrony/chrony.conf; chmod 640 /etc/chrony/chrony.conf
printf 'maxdistance 16' >/etc/chrony/conf.d/site.conf
printf '# spare, asked for in 2021\\nserver ntp-spare.site.example iburst' >/etc/chrony/sources.d/site.sources
systemctl restart chrony; systemctl is-active chrony'''

KINDS: dict[str, Kind] = {
    'none': Kind('no daemon', 'nothing keeps the time', '', 'chrony.service'),
    'stock': Kind('chrony, stock', 'as the package has it; its pool cannot be reached',
                  f'{INSTALL} chrony', 'chrony.service', ('/etc/chrony/chrony.conf', '/etc/default/chrony')),
    'edited': Kind('chrony, edited by its users',
                   'own servers that are gone, own drop-ins, mode 0640, no line end at the end of the file',
                   EDIT_CHRONY,
                   'chrony.service',
                   ('/etc/chrony/chrony.conf', '/etc/chrony/conf.d/site.conf', '/etc/chrony/sources.d/site.sources'), upon='stock'),
    'broken': Kind('chrony, broken configuration', 'line 49 of chrony.conf is a typing error, so chrony does not start',
                   '''while [ $(wc -l </etc/chrony/chrony.conf) -lt 48 ]; do echo >>/etc/chrony/chrony.conf; done
echo 'sever ntp1.site.example iburst' >>/etc/chrony/chrony.conf
! systemctl restart chrony; ! systemctl is-active chrony''',
                   'chrony.service', ('/etc/chrony/chrony.conf',), upon='stock',
                   refused=('/etc/chrony/chrony.conf', 'line 49')),
    'ntpsec': Kind('ntpsec', 'as the package has it; its pools cannot be reached',
                   f'{INSTALL} ntpsec', 'ntpsec.service', ('/etc/ntpsec/ntp.conf', '/etc/default/ntpsec')),
    'timesyncd': Kind('timesyncd', 'as the package has it; its servers cannot be reached',
                      f'{INSTALL} systemd-timesyncd', 'systemd-timesyncd.service', ('/etc/systemd/timesyncd.conf',)),
    'two': Kind('chrony and openntpd at once', 'both enabled and running, neither reaches a server',
                SECOND_DAEMON, 'chrony.service', ('/etc/chrony/chrony.conf', '/etc/openntpd/ntpd.conf'), upon='stock'),
    'masked': Kind('chrony, masked', 'installed, stopped and masked',
                   'systemctl disable -q --now chrony; systemctl mask -q chrony', 'chrony.service', ('/etc/chrony/chrony.conf',),
                   upon='stock'),
    'redhat': Kind("RHEL's layout", '`/etc/chrony.conf` without a folder for more, `chronyd.service`, no apt',
                   redhat.rearrange, 'chronyd.service', ('/etc/chrony.conf', '/etc/sysconfig/chronyd', '/etc/chrony.keys'),
                   upon='stock'),
    'none-11': Kind('Debian 11, no daemon', 'nothing keeps the time', '', 'chrony.service', suite='bullseye'),
    'ntp-11': Kind('Debian 11, ntp', 'the classic ntpd 4.2.8 as the package has it', f'{INSTALL} ntp', 'ntp.service',
                   ('/etc/ntp.conf',), suite='bullseye'),
    'none-13': Kind('Debian 13, no daemon', 'nothing keeps the time', '', 'chrony.service', suite='trixie'),
    'stock-13': Kind('Debian 13, chrony', 'as the package has it', f'{INSTALL} chrony', 'chrony.service',
                     ('/etc/chrony/chrony.conf',), suite='trixie'),
}


def with_rpm(system: str, daemon: str = 'chronyd', has: str = '', kept: tuple[str, ...] = ()) -> Kind:
    """A host whose packages are RPM's: nothing keeps the time there, or the daemon of package `has` does, as the vendor has it."""
    described = rpm.SYSTEMS[system]

    def make(machine: Machine) -> None:
        rpm.become(machine, system, *([has] if has else []))
        if has:
            machine.ssh(f'systemctl enable -q {daemon} && systemctl restart {daemon} && systemctl is-active {daemon}')
    before = f'`{described.manager}`, and ' + (f'{has} as its package has it, running' if has else 'nothing keeps the time')
    return Kind(f'{described.title}, {has or "no daemon"}', before, make, f'{daemon}.service', kept, 'rpm', python=described.python)


for _system in rpm.SYSTEMS:
    KINDS[f'none-{_system}'] = with_rpm(_system)
    KINDS[_system] = with_rpm(_system, has='chrony', kept=('/etc/chrony.conf', '/etc/sysconfig/chronyd', '/etc/chrony.keys'))
KINDS['ntp-rhel-7'] = with_rpm('rhel-7', 'ntpd', 'ntp', ('/etc/ntp.conf', '/etc/sysconfig/ntpd', '/etc/ntp/keys'))
