# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A machine of a lab with a hardware clock: QEMU without KVM, a q35 board with a CMOS clock, Debian's own kernel.

Slower than User-Mode Linux by three to four times, and only for what needs the hardware clock. It boots the same image; the
kernel and what starts it come from Debian packages that are unpacked in the cache and not installed.
"""

import hashlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

from .host import CACHE, PACKAGES, LabError, locked, run, step
from .machine import Machine

NEEDED = ['qemu-system-x86', 'cpio']
KERNEL = 'linux-image-cloud-amd64'  # names the package of the newest one
BUSYBOX = 'busybox-static'

# Modules that the kernel needs for its disk and its network, in an order in which they can be loaded.
MODULES = ['virtio_ring', 'virtio', 'virtio_pci_legacy_dev', 'virtio_pci_modern_dev', 'virtio_pci', 'virtio_blk', 'failover',
           'net_failover', 'virtio_net']

# The first process: drivers and disk, which User-Mode Linux has of itself; then who it is, as for every lab machine.
# It must never do anything on a real machine, hence the check. The clock is that of the hardware.
INIT = r'''#!/bin/busybox sh
[ $$ = 1 ] || exit 1
/bin/busybox --install -s /bin
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
set -e
mkdir -p /dev /sysroot
mount -t devtmpfs dev /dev
for module in @MODULES@; do insmod /modules/$module.ko; done
mount -t ext4 /dev/vda /sysroot
mount -t proc proc /sysroot/proc
link=eth0 chroot /sysroot /bin/sh -e /usr/lib/lab/identity
umount /sysroot/proc
mount --move /dev /sysroot/dev
exec switch_root /sysroot /sbin/init
'''


class Emulated(Machine):
    """Made by `boot`. Its clock starts as its hardware clock says, which goes on over a reboot."""

    more_arguments: list[str] = []  # of the kernel

    def start(self):
        if self.process.pid:
            raise LabError(f'{self.name} is running already')
        boot = boot_files()
        began = datetime.fromtimestamp(int(self.clock_at_boot.lstrip('@')), timezone.utc)
        self.console.write_bytes(b'')
        arguments = ['console=ttyS0', 'quiet', 'systemd.show_status=0', f'lab.name={self.name}',
                     f'lab.address={self.address}/24', f'lab.host={self.lab.network.host}', *self.more_arguments]
        command = ['qemu-system-x86_64', '-machine', 'q35', '-accel', 'tcg', '-cpu', 'max', '-m', self.memory, '-nodefaults',
                   '-display', 'none', '-rtc', f'base={began:%Y-%m-%dT%H:%M:%S},clock=vm',
                   '-kernel', boot / 'vmlinuz', '-initrd', boot / 'initrd', '-append', ' '.join(arguments),
                   '-drive', f'file={self.lab.image.disk},format=raw,if=virtio,snapshot=on',
                   '-netdev', f'tap,id=net,ifname={self.tap},script=no,downscript=no',
                   '-device', f'virtio-net-pci,netdev=net,mac={self.mac},romfile=',
                   '-chardev', f'file,id=console,path={self.console},append=on', '-serial', 'chardev:console']
        # its changes to the disk go with it; they are kept beside its console, not where everybody's temporary files are
        self.process.start(command, self.lab.network.namespace, self.folder / 'qemu.log', dict(os.environ, TMPDIR=str(self.folder)))
        return self

    def hardware_clock(self):
        """What the hardware clock holds, taken as UTC, minus the right time: seconds, good to about 1 s."""
        before = time.time()
        said = self.ssh('cat /sys/class/rtc/rtc0/since_epoch').stdout
        return int(said) + 0.5 - (before + time.time()) / 2


class Labeled(Emulated):
    """One whose kernel has SELinux on, for the image `selinux`. What it enforces is in /etc/selinux/config."""

    more_arguments = ['security=selinux', 'selinux=1', 'audit=1']


def boot(lab, name, hardware_clock, memory=512, kind=Emulated):
    """Start a machine of the lab whose hardware clock is set to a date ('2017-02-28T18:39:51', UTC); then `wait_ready()`."""
    return lab.machine(name, hardware_clock, memory=memory, kind=kind)


def boot_files():
    """The folder with `vmlinuz` and `initrd`, made when first asked for."""
    done = subprocess.run([PACKAGES, *NEEDED], check=False)
    if done.returncode or not all(shutil.which(command) for command in ('qemu-system-x86_64', 'cpio')):
        raise LabError(f'these Debian packages are missing and could not be installed: {" ".join(NEEDED)}')
    folder = CACHE / ('boot-' + hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16])
    with locked(CACHE / 'lock'):
        if not folder.exists():
            with step(f'taking a kernel out of its package, into {folder}'), tempfile.TemporaryDirectory(dir=CACHE) as work:
                _build_boot_files(Path(work))
                os.rename(Path(work, 'out'), folder)
    return folder


def _build_boot_files(work):
    named = re.search(r'Depends: (linux-image-\S+)', run('apt-cache', 'depends', KERNEL))
    if not named:
        raise LabError(f'this machine\'s apt does not know the package {KERNEL} (apt-get update?)')
    for package in (named.group(1), BUSYBOX):
        run('apt-get', 'download', package, cwd=work)
    for package in work.glob('*.deb'):
        run('dpkg-deb', '--extract', package, work / 'tree')
    root, out = work / 'initrd', work / 'out'
    (root / 'bin').mkdir(parents=True)
    (root / 'modules').mkdir()
    out.mkdir()
    shutil.copy2(work / 'tree' / 'bin' / 'busybox', root / 'bin' / 'busybox')
    for module in MODULES:
        shutil.copy2(next((work / 'tree' / 'lib' / 'modules').rglob(f'{module}.ko')), root / 'modules')
    (root / 'init').write_text(INIT.replace('@MODULES@', ' '.join(MODULES)))
    (root / 'init').chmod((root / 'init').stat().st_mode | stat.S_IXUSR)
    run('sh', '-c', f'find . | cpio --quiet --create --format=newc >{out / "initrd"}', cwd=root)
    shutil.copy2(next((work / 'tree' / 'boot').glob('vmlinuz-*')), out / 'vmlinuz')
