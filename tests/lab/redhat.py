# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A machine with the layout of RHEL 9: where things are and what they are called there, made of Debian's files.

It is a layout and no RHEL: Debian's kernel, systemd, Python and chrony. What it shows is that nothing of ours expects
Debian's names and folders. os-release says a name of its own that is like RHEL.

chrony: `/etc/chrony.conf` without conf.d and sources.d, `chronyd.service`, options in `/etc/sysconfig/chronyd`, a program that
looks for its configuration there by itself. There is no apt, and no dnf either: nothing can be installed.
"""

# chronyd is told at build time where its configuration is; the shorter path takes the place of the longer one.
PROGRAM = r'''
import os
old, new = b'/etc/chrony/chrony.conf\0', b'/etc/chrony.conf\0'
with open('/usr/sbin/chronyd', 'rb') as file:
    program = file.read()
if program.count(old) != 1:
    raise SystemExit('chronyd: its configuration is named %d times, not once' % program.count(old))
with open('/usr/sbin/chronyd.new', 'wb') as file:
    file.write(program.replace(old, new.ljust(len(old), b'\0')))
os.chmod('/usr/sbin/chronyd.new', 0o755)
os.rename('/usr/sbin/chronyd.new', '/usr/sbin/chronyd')
'''

FILES = {
    '/etc/os-release': '''\
NAME="Lab Linux"
VERSION="9.4"
ID="lablinux"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.4"
PRETTY_NAME="Lab Linux 9.4 (RHEL's layout of Debian's files)"
''',
    '/etc/chrony.conf': '''\
# The pool of this distribution. More about it: https://www.pool.ntp.org/join.html
pool 2.lablinux.pool.ntp.org iburst

# Servers that DHCP names.
sourcedir /run/chrony-dhcp

driftfile /var/lib/chrony/drift
makestep 1.0 3
rtcsync
#hwtimestamp *
#minsources 2
#allow 192.168.0.0/16
keyfile /etc/chrony.keys
ntsdumpdir /var/lib/chrony
leapsectz right/UTC
logdir /var/log/chrony
''',
    '/etc/chrony.keys': '#1 MD5 AVeryLongAndRandomPassword\n',
    '/etc/sysconfig/chronyd': '# Options of chronyd\nOPTIONS=""\n',
    '/usr/lib/systemd/system/chronyd.service': '''\
[Unit]
Description=NTP client/server
Documentation=man:chronyd(8) man:chrony.conf(5)
After=ntpdate.service sntp.service ntpd.service
Conflicts=ntpd.service systemd-timesyncd.service
ConditionCapability=CAP_SYS_TIME

[Service]
Type=forking
PIDFile=/run/chrony/chronyd.pid
EnvironmentFile=-/etc/sysconfig/chronyd
ExecStart=/usr/sbin/chronyd $OPTIONS

[Install]
WantedBy=multi-user.target
''',
}

GONE = ['/etc/chrony', '/lib/systemd/system/chrony*', '/etc/systemd/system/chrony*', '/etc/init.d/chrony', '/etc/default/chrony',
        '/etc/os-release', '/usr/lib/os-release', '/etc/apt', '/usr/bin/apt', '/usr/bin/apt-*',
        '/usr/lib/python3/dist-packages/apt', '/usr/lib/python3/dist-packages/apt_pkg*.so']


def rearrange(machine):
    """Turn a running Debian machine into one. It needs the lab's packages (chrony) and a clock that is right."""
    machine.ssh('apt-get -q update && apt-get -qy install chrony && systemctl disable -q --now chrony')
    machine.ssh(f'rm -rf {" ".join(GONE)}')
    for path, text in FILES.items():
        machine.write(path, text, mode=0o640 if path.endswith('.keys') else 0o644)
    machine.ssh('mkdir -p /run/chrony-dhcp && chgrp _chrony /etc/chrony.keys && cp /etc/os-release /usr/lib/os-release')
    machine.ssh('python3 -S -', input=PROGRAM)
    machine.ssh('systemctl daemon-reload && systemctl enable -q --now chronyd')
