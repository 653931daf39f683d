# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults of everything around a repair: packages, disk, network, processes, the machine, AEM."""

from __future__ import annotations

import typing as t

from .scene import (
    AEM_CONFIGURATION,
    AEM_STOPPED,
    INSTALLING,
    MODULE,
    REPAIR,
    End,
    Fault,
    Scene,
    once,
    take_time,
)


def no_packages(scene: Scene) -> None:
    scene.lab.stop_packages()


def packages_again(scene: Scene) -> None:
    scene.lab.start_packages()


def fill_disk(scene: Scene) -> None:
    """To the last block: root may use those that are kept for it."""
    scene.machine.ssh('cat /dev/zero >/fill 2>/dev/null; for i in 1 2 3; do cat /dev/zero >/fill$i 2>/dev/null; done; sync; '
                      'if echo x >/etc/full-test 2>/dev/null; then false; else rm -f /etc/full-test; fi', timeout=300)


def empty_disk(scene: Scene) -> None:
    scene.machine.ssh('rm -f /fill /fill?')


def mistype(scene: Scene) -> None:
    """While chrony runs: it will not start again with this."""
    scene.machine.ssh("cp -p /etc/chrony/chrony.conf /root/chrony.conf; echo 'sever ntp1.site.example' >>/etc/chrony/chrony.conf")


def type_again(scene: Scene) -> None:
    scene.machine.ssh('cp -p /root/chrony.conf /etc/chrony/chrony.conf')


def short_life(scene: Scene) -> None:
    """chrony starts, and ends a second later."""
    scene.machine.write('/etc/systemd/system/chrony.service.d/short.conf', '[Service]\nRuntimeMaxSec=1\n')
    scene.machine.ssh('systemctl daemon-reload')


def long_life(scene: Scene) -> None:
    scene.machine.ssh('rm -r /etc/systemd/system/chrony.service.d; systemctl daemon-reload')


def no_reference(scene: Scene) -> None:
    scene.lab.stop_ntp()
    scene.lab.stop_brand_portal()


def references_again(scene: Scene) -> None:
    scene.lab.start_ntp()
    scene.lab.start_brand_portal()
    scene.variables = {}


def falsetickers(scene: Scene) -> None:
    scene.variables['fix_bp_jwt_ntp_servers'] = [scene.ntp_server(number, 86400, 0) for number in (1, 2, 3)]


def one_liar(scene: Scene) -> None:
    """Beside two honest servers and the tenant's Date."""
    scene.variables['fix_bp_jwt_ntp_servers'] = [scene.lab.network.host, scene.ntp_server(4, 0, 0), scene.ntp_server(5, 3600, 0)]


def slow(scene: Scene) -> None:
    scene.variables['fix_bp_jwt_ntp_servers'] = [scene.ntp_server(number, 0, 30) for number in (6, 7)]


def other_servers(scene: Scene) -> None:
    scene.variables = {}


def ntp_blocked(scene: Scene) -> None:
    scene.lab.stop_ntp()


def ntp_again(scene: Scene) -> None:
    scene.lab.start_ntp()


def kill_module(seen: str) -> t.Callable[[Scene], None]:
    def inject(scene: Scene) -> None:
        take_time(scene)
        scene.at = [(REPAIR, f'({scene.as_root(once(seen, f"kill -9 {MODULE}"))}) >/dev/null 2>&1 &')]
    return inject


def kill_controller(seen: str) -> t.Callable[[Scene], None]:
    def inject(scene: Scene) -> None:
        take_time(scene)
        kill = 'children=$(pgrep -P $ansible); kill -9 $ansible $children'
        scene.at = [(REPAIR, f'ansible=$PPID; ({scene.as_root(once(seen, "true"))}; {kill}) >/dev/null 2>&1 &')]
    return inject


# The machine's file system has no journal, so what is written has to be on the disk before it is reset.
RESET = 'sync; echo b >/proc/sysrq-trigger'


def reboot(seen: str, how: str) -> t.Callable[[Scene], None]:
    def inject(scene: Scene) -> None:
        take_time(scene)
        scene.at = [(REPAIR, f'(timeout 60 {scene.as_root(once(seen, how))}) >/dev/null 2>&1 &')]
    return inject


def after_reboot(scene: Scene) -> None:
    scene.machine.wait_ready(boots=2)


def no_start(scene: Scene) -> None:
    """AEM runs, and will not start again once it is stopped."""
    scene.machine.write('/etc/systemd/system/aem.service.d/broken.conf', '[Service]\nExecStartPre=/bin/false\nRestart=no\n')
    scene.machine.ssh('systemctl daemon-reload')


def start_again(scene: Scene) -> None:
    scene.variables = {}
    scene.machine.ssh('rm -rf /etc/systemd/system/aem.service.d; systemctl daemon-reload; systemctl reset-failed aem; '
                      'systemctl start aem')
    scene.machine.wait_aem()


def never_ready(scene: Scene) -> None:
    """Once the repair has begun it answers 503, for an hour after each start."""
    scene.variables['fix_bp_jwt_aem_ready_timeout'] = 20
    scene.machine.configure_aem(starting_seconds=0)
    change = f"sed -i 's/\"starting_seconds\": 0/\"starting_seconds\": 3600/' {AEM_CONFIGURATION}"
    scene.at = [(REPAIR, scene.as_root(change))]


def ready_again(scene: Scene) -> None:
    scene.variables = {}
    scene.machine.configure_aem(starting_seconds=0)


def no_service(scene: Scene) -> None:
    scene.variables['fix_bp_jwt_aem_service'] = ''


FAULTS = {
    'no-packages': Fault('package install fails', 'the package server is down', no_packages,
                         End(('package',), restored=True, clock='right'), packages_again),
    'disk-full': Fault('disk full, daemon there', 'not a block is free', fill_disk, End(('make room on this host',), restored=True),
                       empty_disk, kind='stock'),
    'disk-full-install': Fault('disk full, daemon to be installed', 'not a block is free', fill_disk,
                               End(('make room on this host',), restored=True), empty_disk),
    'rejected': Fault('configuration rejected by the daemon', 'chrony runs; since it was started a line was mistyped',
                      mistype, End(('chrony.conf', 'sever'), restored=True, clock='wrong'), type_again, kind='stock'),
    'dies': Fault('daemon starts and dies', 'chrony is ended a second after each start', short_life,
                  End(('chrony',), restored=True, clock='right'), long_life),
    'dies-masked': Fault('daemon starts and dies', 'the same, chrony being there', short_life,
                         End(('chrony',), restored=True, clock='right'), long_life, kind='masked'),
    'unreachable': Fault('servers unreachable', 'no NTP server and no Brand Portal can be reached', no_reference,
                         End(('no_reference', 'open UDP 123'), restored=True, clock='wrong'), references_again),
    'falsetickers': Fault('servers lie', 'all three NTP servers are a day ahead, the tenant\'s Date is right', falsetickers,
                          End(('no_reference',), restored=True, clock='wrong'), other_servers),
    'one-liar': Fault('one server lies', 'one of three NTP servers is an hour ahead', one_liar, End(healed=True, clock='right')),
    'slow': Fault('servers answer after 30 s', 'both NTP servers do', slow,
                  End(('UDP 123',), healed=True, clock='right'), other_servers),
    'blocked': Fault('NTP blocked', 'nothing listens on UDP 123; HTTPS works', ntp_blocked,
                     End(('nothing listens on that port',), healed=True, clock='right'), ntp_again),
    'step-killed': Fault('module killed while AEM is stopped', 'kill -9 on the host', kill_module(AEM_STOPPED), End()),
    'module-killed': Fault('module killed while it installs', 'kill -9 on the host', kill_module(INSTALLING), End()),
    'controller-killed': Fault('controller killed while AEM is stopped', 'kill -9 of ansible-playbook and its children',
                               kill_controller(AEM_STOPPED), End()),
    'controller-killed-late': Fault('controller killed while the daemon is installed', 'kill -9 of it and its children',
                                    kill_controller(INSTALLING), End()),
    'reboot': Fault('reboot while the daemon is installed', 'an administrator says `reboot`', reboot(INSTALLING, 'reboot'), End(),
                    reach=after_reboot),
    'reset': Fault('reset while the daemon is installed', 'the machine restarts without a notice',
                   reboot(INSTALLING, RESET), End(), reach=after_reboot),
    'reset-early': Fault('reset while AEM is stopped', 'the machine restarts without a notice',
                         reboot(AEM_STOPPED, RESET), End(), reach=after_reboot),
    'no-aem': Fault('AEM does not come back', 'its unit cannot be started again', no_start,
                    End(('AEM',), clock='right', aem=False), start_again),
    'never-ready': Fault('AEM comes back and never gets ready', 'it starts and answers 503 for an hour', never_ready,
                         End(('AEM',), clock='right'), ready_again),
    'lease': Fault('AEM dies when the clock jumps', 'the role does not know its service', no_service,
                   End(('AEM',), clock='right', aem=False), start_again, clock=-150),
}
