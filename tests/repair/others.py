# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults that others make: another administrator during a run, another controller, a signal; and hosts as people set them up."""

from __future__ import annotations

import typing as t

from .scene import AEM_STOPPED, INSTALLING, MODULE, REPAIR, End, Fault, Scene, take_time

# What removing a vendor's RPM package leaves: its user, and what SUSE's script has made of a template.
LEFT_BY_RPM = r'etc: /etc/((passwd|group|shadow|gshadow|subuid|subgid): |sysconfig/chronyd: absent)|time state: /var/lib/chrony'

CHRONY_RUNS = 'systemctl is-active -q chrony'
CHRONYD_RUNS = 'systemctl is-active -q chronyd'


def all_of(*steps: t.Callable[[Scene], None]) -> t.Callable[[Scene], None]:
    def inject(scene: Scene) -> None:
        for step in steps:
            step(scene)
    return inject


def in_guest(command: str) -> t.Callable[[Scene], None]:
    def inject(scene: Scene) -> None:
        scene.machine.ssh(f'set -e; {command}')
    return inject


def during(seen: str, then: str) -> t.Callable[[Scene], None]:
    """Another administrator's command, as soon as something is to be seen on the host while it is repaired."""
    def inject(scene: Scene) -> None:
        scene.when(seen, then)
    return inject


def never_synchronized(scene: Scene) -> None:
    """The daemon's servers answer too late; the clock is measured by the tenant's Date. After 25 s all is undone."""
    scene.variables.update(fix_bp_jwt_ntp_servers=[scene.ntp_server(number, 0, 30) for number in (6, 7)],
                           time_sync_on_unsynchronized='fail', time_sync_sync_timeout=25)


def synchronized_again(scene: Scene) -> None:
    scene.variables.clear()


# Packages of another administrator


def debian_package(name: str, depends: str = '') -> str:
    """Build a package and install it, once dpkg is free."""
    control = f'Package: {name}\\nVersion: 1.0\\nArchitecture: all\\nMaintainer: site\\nDescription: of this site\\n'
    control += f'Depends: {depends}\\n' if depends else ''
    folder = f'/tmp/{name}'
    return (f"mkdir -p {folder}/DEBIAN; printf '{control}' >{folder}/DEBIAN/control; dpkg-deb -b {folder} /tmp/{name}.deb; "
            f'for i in $(seq 60); do dpkg -i /tmp/{name}.deb && break; sleep 1; done; rm -rf {folder} /tmp/{name}.deb')


INSTALLED = 'dpkg-query -W -f "\\${{Status}}" {} | grep -q "install ok installed"'


def there_but_off(listing: str, unit: str) -> t.Callable[[Scene], list[str]]:
    """A package that another one needs stays, and its daemon neither runs nor will run after a boot."""
    def check(scene: Scene) -> list[str]:
        asked = f'{listing} >/dev/null 2>&1 && echo there; systemctl is-active {unit}; systemctl is-enabled {unit}'
        found = scene.machine.ssh(asked, check=False).stdout.split()
        return [] if found == ['there', 'inactive', 'disabled'] else [f'{unit} is {" ".join(found)}, not there, inactive, disabled']
    return check


def package_meanwhile(scene: Scene) -> None:
    """After the run was cut off, and before the next one."""
    scene.machine.ssh(debian_package('site-tool'), timeout=200)


def kill_module(scene: Scene) -> None:
    scene.when(INSTALLING, f'kill -9 {MODULE}')


def dnf_history(*altered: int) -> t.Callable[[Scene], list[str]]:
    """The last transactions, the oldest first, have altered so many packages each."""
    def check(scene: Scene) -> list[str]:
        shown = scene.machine.ssh('dnf-3 history list', check=False).stdout
        found = [int(line.rpartition('|')[2].split()[0]) for line in shown.splitlines() if line.split('|')[0].strip().isdigit()]
        return [] if found[:len(altered)][::-1] == list(altered) else [f'dnf history: {found} packages, not {altered}:\n{shown}']
    return check


# Locks. What holds one is a process of its own, begun when the repair begins.


def hold(program: str, seconds: int) -> t.Callable[[Scene], None]:
    def inject(scene: Scene) -> None:
        scene.at.append((REPAIR, scene.as_root(f"systemd-run -q --collect sh -c '{program.format(seconds=seconds)}'")))
    return inject


LOCKED_FILE = ('exec python3 -Sc "import fcntl, time; file = open(\\"{}\\", \\"a\\"); '
               'fcntl.lockf(file, fcntl.LOCK_EX); time.sleep({{seconds}})"')
DPKG_LOCK = LOCKED_FILE.format('/var/lib/dpkg/lock-frontend')
RPM_LOCK = LOCKED_FILE.format('/var/lib/rpm/.rpm.lock')
ZYPP_LOCK = 'echo $$ >/run/zypp.pid; exec sleep {seconds}'


# Files that cannot be replaced

BIND_MOUNT = 'mkdir -p /srv/etc; cp -p {path} /srv/etc/; mount --bind /srv/etc/{name} {path}'
LINK = 'mkdir -p /srv/etc; mount -t tmpfs none /srv/etc; chmod 755 /srv/etc; mv {path} /srv/etc/; ln -s /srv/etc/{name} {path}'
CHRONY_CONF = {'path': '/etc/chrony.conf', 'name': 'chrony.conf'}
TICKET = '# 2026-11-26, ops: more servers are asked for, ticket 4711'


# Two controllers, signals


def second_controller(scene: Scene) -> None:
    take_time(scene, 60)
    scene.second_controller(AEM_STOPPED)


def refused_second(scene: Scene) -> list[str]:
    second = scene.second
    if second is None:
        return ['the second controller did not come to an end']
    said = ' '.join(second.output.split())
    return ([] if second.returncode else ['the second controller ended well']) + (
        [] if 'Another run (PID' in said else [f'the second controller does not say who is at work: {said[-1500:]}'])


def signal_while_stopped(scene: Scene) -> None:
    take_time(scene)
    scene.when(AEM_STOPPED, f'kill -TERM {MODULE}')


def signals_while_installing(scene: Scene) -> None:
    scene.when(INSTALLING, f'kill -HUP {MODULE}; sleep 1; kill -TERM {MODULE}; sleep 2; kill -INT {MODULE}; true')


# Hosts as people have set them up

OTHER_FILE = '''cp -p /etc/chrony/chrony.conf /etc/chrony-site.conf
echo 'server ntp-old.site.example iburst' >>/etc/chrony-site.conf
sed -i 's#^DAEMON_OPTS=.*#DAEMON_OPTS="-F 1 -f /etc/chrony-site.conf"#' /etc/default/chrony
systemctl restart chrony; systemctl is-active chrony'''
NOT_ALLOWED = '''sed -i 's#^DAEMON_OPTS=.*#DAEMON_OPTS="-F 1 -x"#' /etc/default/chrony
systemctl restart chrony; systemctl is-active chrony'''
ALLOWED = '''sed -i 's#^DAEMON_OPTS=.*#DAEMON_OPTS="-F 1"#' /etc/default/chrony; systemctl restart chrony'''

NOT_TO_BE_ASKED = '''sed -i '/^restrict/d' /etc/ntpsec/ntp.conf
echo 'restrict default kod nomodify noquery limited' >>/etc/ntpsec/ntp.conf; systemctl restart ntpsec'''
ALL_IGNORED = '''sed -i '/^restrict/d' /etc/ntpsec/ntp.conf
printf 'restrict default ignore\\nrestrict 127.0.0.1\\n' >>/etc/ntpsec/ntp.conf; systemctl restart ntpsec'''

UNMET = '''mkdir -p /etc/systemd/system/systemd-timesyncd.service.d
printf '[Unit]\\nConditionPathExists=!/etc/hosts\\n' >/etc/systemd/system/systemd-timesyncd.service.d/site.conf
systemctl daemon-reload; systemctl stop systemd-timesyncd; systemctl start systemd-timesyncd'''


def nts_out_of_reach(scene: Scene) -> None:
    """As Ubuntu has it from 25.10 on: the vendor's sources are NTS, and in a closed network nothing answers for them."""
    address = f'{scene.lab.network.host.rpartition(".")[0]}.150'
    scene.lab.network.inside('address', 'replace', f'{address}/24', 'dev', 'br0')
    scene.machine.ssh(f"set -e; sed -i '/^pool/d' /etc/chrony/chrony.conf; "
                      f"echo 'server {address} iburst nts prefer' >/etc/chrony/sources.d/vendor.sources; systemctl restart chrony")


FAULTS = {
    'foreign-package': Fault(
        'another administrator installs a package during the run', 'while the daemon cannot be synchronized; then all is undone',
        all_of(never_synchronized, during(CHRONY_RUNS, debian_package('site-tool'))),
        End(restored=True, clock='right', others=('packages: site-tool: absent',)), synchronized_again,
        still=INSTALLED.format('site-tool')),
    'foreign-dependent': Fault(
        'another administrator installs what needs our package',
        'it depends on chrony, which this run has installed and would remove again',
        all_of(never_synchronized, during(CHRONY_RUNS, debian_package('site-monitor', 'chrony'))),
        End(('site-monitor',), clock='right'), synchronized_again, check=there_but_off('dpkg -s chrony', 'chrony'),
        still=INSTALLED.format('site-monitor')),
    'foreign-between': Fault(
        'another administrator installs a package after a run that was cut off', 'the module was killed while it installed',
        kill_module, End(), reach=package_meanwhile, still=INSTALLED.format('site-tool')),
    'foreign-edit': Fault(
        'another administrator edits the file that this run has edited',
        'a line more in `/etc/chrony.conf`, and then all is undone',
        all_of(never_synchronized, during(f'grep -q "BEGIN aemops" /etc/chrony.conf && {CHRONYD_RUNS}',
                                          f'echo "{TICKET}" >>/etc/chrony.conf')),
        End(('/etc/chrony.conf',), restored=True, clock='right', others=('/etc/chrony.conf',)), synchronized_again, kind='rhel-8',
        still=f'grep -qxF "{TICKET}" /etc/chrony.conf'),
    'two-controllers': Fault(
        'two controllers at once', 'the second one begins while AEM is stopped for the first', second_controller,
        End(healed=True, clock='right'), reach=Scene.wait_for_second, check=refused_second),
    'dpkg-locked': Fault(
        "dpkg's lock is held for three minutes", 'by another installation', hold(DPKG_LOCK, 180), End(healed=True, clock='right')),
    'immutable': Fault(
        'the configuration is immutable', '`chattr +i /etc/chrony.conf`', in_guest('chattr +i /etc/chrony.conf'),
        End(('/etc/chrony.conf', 'chattr'), restored=True, clock='wrong'), in_guest('chattr -i /etc/chrony.conf'), kind='rhel-9'),
    'immutable-folder': Fault(
        'the folder of sources is immutable', '`chattr +i /etc/chrony/sources.d`', in_guest('chattr +i /etc/chrony/sources.d'),
        End(('/etc/chrony/sources.d',), restored=True, clock='wrong'), in_guest('chattr -i /etc/chrony/sources.d'), kind='stock'),
    'bind-mount': Fault(
        'the configuration is a bind mount', 'so that no other file can take its place', in_guest(BIND_MOUNT.format(**CHRONY_CONF)),
        End(healed=True, clock='right'), kind='rhel-9', still='mountpoint -q /etc/chrony.conf'),
    'bind-mount-undone': Fault(
        'the configuration is a bind mount', 'and all is undone', all_of(in_guest(BIND_MOUNT.format(**CHRONY_CONF)),
                                                                         never_synchronized),
        End(restored=True, clock='right'), synchronized_again, kind='rhel-9', still='mountpoint -q /etc/chrony.conf'),
    'other-file-system': Fault(
        'the configuration is a link to another file system', 'all is undone; the next run goes through',
        all_of(in_guest(LINK.format(**CHRONY_CONF)), never_synchronized),
        End(restored=True, clock='right'), synchronized_again, kind='rhel-9',
        still='test -L /etc/chrony.conf && test -f /srv/etc/chrony.conf'),
    'terminated': Fault(
        'SIGTERM while AEM is stopped', 'to the module on the host', signal_while_stopped, End(('SIGTERM',), restored=True)),
    'terminated-again': Fault(
        'SIGHUP while the daemon is installed, then SIGTERM and SIGINT', 'the later ones while it undoes', signals_while_installing,
        End(('SIGHUP',), restored=True)),
    'other-file': Fault(
        'the daemon reads another file', '`DAEMON_OPTS="-f /etc/chrony-site.conf"`', in_guest(OTHER_FILE),
        End(healed=True, clock='right'), kind='stock', still='grep -q "^server ntp-old" /etc/chrony-site.conf'),
    'not-allowed': Fault(
        'the daemon may not set the clock', '`DAEMON_OPTS="-x"`; a second run after it may', in_guest(NOT_ALLOWED),
        End(('-x',), healed=True, clock='right'), in_guest(ALLOWED), kind='stock'),
    'noquery': Fault(
        'the daemon may not be asked', 'ntpsec: `restrict default … noquery`, and no exception for this host',
        in_guest(NOT_TO_BE_ASKED), End(healed=True, clock='right'), kind='ntpsec',
        still='! grep -q "^restrict 127" /etc/ntpsec/ntp.conf'),
    'ignore': Fault(
        'the daemon drops all answers', 'ntpsec: `restrict default ignore`', in_guest(ALL_IGNORED),
        End(healed=True, clock='right'), kind='ntpsec', still='grep -qx "restrict default ignore" /etc/ntpsec/ntp.conf'),
    'condition': Fault(
        "the daemon's unit is skipped", 'timesyncd is enabled, and a condition of its unit fails', in_guest(UNMET),
        End(healed=True, clock='right'), kind='timesyncd', daemon='chrony.service'),
    'nts': Fault(
        "the vendor's NTS sources are out of reach", 'and the user names a plain server', nts_out_of_reach,
        End(healed=True, clock='right'), kind='stock'),
    'dnf-no-packages': Fault(
        'package install fails', 'dnf, and its source is down', lambda scene: scene.lab.stop_packages(),
        End(('package',), restored=True, clock='right', vendors=LEFT_BY_RPM), lambda scene: scene.lab.start_packages(),
        kind='none-rhel-9'),
    'zypper-no-packages': Fault(
        'package install fails', 'zypper, and its source is down', lambda scene: scene.lab.stop_packages(),
        End(('package',), restored=True, clock='right', vendors=LEFT_BY_RPM), lambda scene: scene.lab.start_packages(),
        kind='none-sles-15'),
    'dnf-locked': Fault(
        'the RPM database is locked for a minute', 'by another installation; dnf does not wait for it',
        hold(RPM_LOCK, 60), End(healed=True, clock='right'), kind='none-rhel-8'),
    'zypper-locked': Fault(
        "zypper's lock is held for a minute", 'by another installation', hold(ZYPP_LOCK, 60), End(healed=True, clock='right'),
        kind='none-sles-15'),
    'dnf-undone': Fault(
        'a transaction of dnf is undone',
        'and only that one: another administrator has installed a tool and its library in between',
        all_of(never_synchronized, during(CHRONYD_RUNS, 'dnf -y install site-tool')),
        End(restored=True, clock='right', others=('packages: site-tool: absent', 'packages: site-library: absent'),
            vendors=LEFT_BY_RPM),
        synchronized_again, kind='none-rhel-8', check=dnf_history(2, 2, 2), still='rpm -q site-tool site-library'),
    'yum-undone': Fault(
        'a transaction of yum is undone', 'and only that one',
        all_of(never_synchronized, during(CHRONYD_RUNS, 'yum -y install site-tool')),
        End(restored=True, clock='right', others=('packages: site-tool: absent', 'packages: site-library: absent'),
            vendors=LEFT_BY_RPM),
        synchronized_again, kind='none-rhel-7', check=dnf_history(1, 2, 1), still='rpm -q site-tool site-library'),
    'zypper-undone': Fault(
        'a transaction of zypper is undone', 'and only that one',
        all_of(never_synchronized, during(CHRONYD_RUNS, 'zypper -n install site-tool')),
        End(restored=True, clock='right', others=('packages: site-tool: absent', 'packages: site-library: absent'),
            vendors=LEFT_BY_RPM),
        synchronized_again, kind='none-sles-15', still='rpm -q site-tool site-library'),
    'dnf-needed': Fault(
        'another administrator installs what needs our package', 'with dnf',
        all_of(never_synchronized, during(CHRONYD_RUNS, 'dnf -y install site-monitor')),
        End(('site-monitor',), clock='right'), synchronized_again, kind='none-rhel-8',
        check=there_but_off('rpm -q chrony', 'chronyd'), still='rpm -q site-monitor'),
}
