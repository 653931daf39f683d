# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ways by which people's controllers reach their hosts, and what hardened hosts do to them: each a kind of the matrix."""

from __future__ import annotations

import shlex
import sys
import threading
import time
import typing as t
from pathlib import Path

from lab.host import LabError, run

from .hosts import INSTALL, Kind

if t.TYPE_CHECKING:
    from lab.machine import Machine

    from .trial import HostUnderTest

STOCK = f'{INSTALL} chrony'
NTP_SERVER = Path(__file__).with_name('ntp_server.py')
RELAY = Path(__file__).with_name('relay.py')
ROOTS_PASSWORD = 'roots-own-Xq7'

# Mounts that are there from the boot on; the lab's machines have no generator for fstab.
MOUNT = '''cat >/etc/systemd/system/{unit}.mount <<END
[Unit]
DefaultDependencies=no
Before=local-fs.target
[Mount]
What={what}
Where={where}
Type={kind}
Options={options}
[Install]
WantedBy=local-fs.target
END
systemctl enable -q {unit}.mount'''
NO_EXEC = '\n'.join(MOUNT.format(unit=unit, what='none', where=where, kind='tmpfs', options='mode=1777,noexec,nosuid,nodev')
                    for unit, where in (('tmp', '/tmp'), ('var-tmp', '/var/tmp')))
READ_ONLY_HOME = MOUNT.format(unit='home', what='/home', where='/home', kind='none', options='bind,ro')

SU = f'''{STOCK}
rm /etc/sudoers.d/deploy; echo root:{ROOTS_PASSWORD} | chpasswd'''
TTY = f'''{STOCK}
echo 'Defaults requiretty' >/etc/sudoers.d/tty; chmod 440 /etc/sudoers.d/tty'''
UMASK = f'''{STOCK}
echo 'session optional pam_umask.so umask=0077' >>/etc/pam.d/common-session
echo 'session optional pam_umask.so umask=0077' >>/etc/pam.d/common-session-noninteractive'''

WITHOUT_PIPELINING = {'fix_bp_jwt_pipelining': False}

IPV6 = '''[Unit]
DefaultDependencies=no
Before=sysinit.target
[Service]
Type=oneshot
ExecStart=/usr/sbin/insmod /usr/lib/lab/crc-ccitt.ko
ExecStart=/usr/sbin/insmod /usr/lib/lab/ipv6.ko
ExecStart=/bin/sh -c 'ip link set lo down; ip link set lo up; sysctl -qw net.ipv6.conf.all.accept_dad=0; \\
    ip address add {address}/64 dev vec0 nodad; ip -4 address flush dev vec0'
[Install]
WantedBy=sysinit.target
'''


def wait_for_ssh(machine: Machine) -> None:
    for _attempt in range(60):
        if machine.ssh('true', check=False).returncode == 0:
            return
        time.sleep(1)
    raise LabError(f'{machine.name} cannot be reached by SSH any more')


def jump(under_test: HostUnderTest) -> None:
    """Only another machine of the lab may log in as the controller's account; the controller goes by that one."""
    lab = under_test.machine.lab
    gate = lab.machine(f'{under_test.machine.name}-gate').wait_ready()
    under_test.also.append(gate)
    under_test.machine.write('/etc/ssh/sshd_config.d/gate.conf', f'AllowUsers root deploy@{gate.address}\n')
    under_test.machine.ssh('systemctl reload ssh')
    wait_for_ssh(under_test.machine)    # sshd starts itself again
    assert under_test.machine.ssh('true', user='deploy', check=False).returncode, 'the direct way is still open'
    by = ['ssh', *lab.ssh_args, '-i', str(lab.image.key), '-W', '[%h]:%p', f'ops@{gate.address}']
    under_test.variables['ansible_ssh_common_args'] = ' '.join([*lab.ssh_args, '-o', shlex.quote(f'ProxyCommand={shlex.join(by)}')])


def only_ipv6(under_test: HostUnderTest) -> None:
    """The host has no address of IPv4 but its loopback's. NTP, packages and Brand Portal are reached by IPv6 alone."""
    machine, lab = under_test.machine, under_test.machine.lab
    network = f'fd10:213:{lab.network.number:x}'
    address, services = f'{network}::{machine.address.rpartition(".")[2]}', f'{network}::1'
    # What modules.dep says that IPv6 needs, and IPv6.
    modules = [path for name in ('lib/crc-ccitt', 'net/ipv6/ipv6')
               for path in Path('/usr/lib/uml/modules').glob(f'*/kernel/{name}.ko')]
    if len(modules) != 2:
        raise LabError('user-mode-linux has no module ipv6 here')
    lab.network.inside('address', 'replace', f'{services}/64', 'dev', 'br0', 'nodad')
    run('ip', 'address', 'replace', f'{network}::fe/64', 'dev', lab.network.uplink, 'nodad')
    for name, command in (('ntp6', [NTP_SERVER, services, '0', '0']),
                          *((f'relay{port}', [RELAY, services, lab.network.host, str(port)]) for port in (80, 443))):
        process = lab.services.process(name)
        if not process.pid:
            process.start([sys.executable, *command], lab.network.namespace, lab.services.log(name))
    for module in modules:
        machine.put(module, f'/usr/lib/lab/{module.name}')
    machine.write('/etc/systemd/system/ipv6.service', IPV6.format(address=address))
    who = machine.ssh('cat /usr/lib/lab/identity').stdout
    machine.write('/usr/lib/lab/identity', who.replace('echo "$host ', f'echo "{services} '))
    machine.ssh(f"systemctl enable -q ipv6.service; sed -i 's/^{lab.network.host} /{services} /' /etc/hosts")
    kind, key = Path(f'{lab.image.host_key}.pub').read_text(encoding='utf-8').split()[:2]
    with _known_hosts, open(lab.known_hosts, 'a', encoding='utf-8') as file:
        file.write(f'{address} {kind} {key}\n')
    # sshd was started without IPv6; after a boot it is there before it.
    machine.ssh("systemd-run -q --on-active=1 sh -c 'systemctl start ipv6.service; systemctl restart ssh'")
    machine.address = address
    under_test.variables['fix_bp_jwt_ntp_servers'] = [services]
    wait_for_ssh(machine)
    assert ' inet ' not in machine.ssh('ip -oneline address show dev vec0').stdout


_known_hosts = threading.Lock()


def _way(title: str, before: str, made_by: str = STOCK, variables: t.Mapping[str, t.Any] | None = None,
         access: t.Callable[[HostUnderTest], None] | None = None, refused: tuple[str, ...] = (), **settings: str) -> Kind:
    return Kind(title, before, made_by, 'chrony.service', ('/etc/chrony/chrony.conf',), refused=refused, variables=variables or {},
                access=access, settings=settings)


KINDS = {
    'ipv6': _way('IPv6 alone', 'no address of IPv4; NTP, packages and the tenant are reached by IPv6', access=only_ipv6),
    'jump': _way('by a jump host', '`ansible_ssh_common_args` with `ProxyCommand`; no direct way', access=jump),
    'su': _way('`become_method: su`', "sudo does not know the account; root's password in the inventory", SU,
               {'ansible_become_method': 'su', 'ansible_become_password': ROOTS_PASSWORD}),
    'tty': _way('`requiretty`', '`Defaults requiretty` in sudoers; `fix_bp_jwt_pipelining: false` in the inventory', TTY,
                WITHOUT_PIPELINING),
    'tty-piped': _way('`requiretty`, pipelining on', 'the same with pipelining, which is the default', TTY,
                      refused=('tty',)),
    'noexec': _way('noexec on /tmp', 'also on /var/tmp; pipelining on', f'{STOCK}\n{NO_EXEC}'),
    'noexec-files': _way('noexec on /tmp, pipelining off', 'the module is a file below the home, or in /tmp for root',
                         f'{STOCK}\n{NO_EXEC}', WITHOUT_PIPELINING),
    'umask': _way('umask 077', 'of every account; pipelining off', UMASK, WITHOUT_PIPELINING),
    'home': _way('a home that is read-only', 'pipelining on', f'{STOCK}\n{READ_ONLY_HOME}'),
    'home-files': _way('a home that is read-only, pipelining off', '`ansible_remote_tmp: /var/tmp` in the inventory',
                       f'{STOCK}\n{READ_ONLY_HOME}', {**WITHOUT_PIPELINING, 'ansible_remote_tmp': '/var/tmp/ansible-${USER}'}),
    'kept-files': _way('`ANSIBLE_KEEP_REMOTE_FILES=1`', 'what Ansible sends stays on the host', STOCK,
                       ANSIBLE_KEEP_REMOTE_FILES='1'),
}
