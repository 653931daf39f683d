# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The root file system of the lab machines, their packages, and the NTP server's binary: built once, kept in a cache.

Everything comes from this machine's own apt configuration; no archive is named here. The folder's name is a hash of
the recipe (this file, `guest/`, the suite), so a changed recipe is another image.
"""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import rpm
from .host import CACHE, WITHOUT_CLOCK, CannotRunHere, LabError, locked, require, run, say, step

GUEST = Path(__file__).parent / 'guest'

# No time daemon here: a test installs the one it needs, as on a real host that has none.
BASE = ['systemd-sysv', 'dbus', 'udev', 'kmod', 'openssh-server', 'sudo', 'procps', 'netbase', 'iproute2', 'ca-certificates',
        'python3', 'python3-apt', 'python3-jwt', 'python3-cryptography']
BASE_OF_SUITE = {'bullseye': [], 'bookworm': ['util-linux-extra'], 'trixie': ['util-linux-extra'],  # hwclock
                 'rpm': ['util-linux-extra', *rpm.NEEDED],
                 'selinux': ['util-linux-extra', 'selinux-policy-default', 'selinux-utils', 'policycoreutils', 'python3-selinux',
                             'auditd']}
RPM, SELINUX = 'rpm', 'selinux'  # no suites of Debian's: the one below, with more in it
DEBIAN_OF = {RPM: 'bookworm', SELINUX: 'bookworm'}

# What a lab machine can install from the lab's own repository, with all that BASE lacks for it.
OFFERED = ['chrony', 'ntpsec', 'ntp', 'openntpd', 'systemd-timesyncd']

# A machine for tests needs no devices, seats, consoles, and nothing that wakes up by itself.
MASKED = ['systemd-udevd.service', 'systemd-udevd-kernel.socket', 'systemd-udevd-control.socket', 'systemd-udev-trigger.service',
          'systemd-logind.service', 'getty.target', 'getty-static.service', 'systemd-modules-load.service',
          'systemd-random-seed.service', 'systemd-update-utmp.service', 'systemd-update-utmp-runlevel.service',
          'systemd-journal-flush.service', 'systemd-journal-catalog-update.service', 'systemd-remount-fs.service',
          'systemd-sysusers.service', 'systemd-firstboot.service', 'systemd-machine-id-commit.service', 'ldconfig.service',
          'systemd-ask-password-console.path', 'systemd-ask-password-wall.path', 'apt-daily.timer', 'apt-daily-upgrade.timer',
          'dpkg-db-backup.timer', 'e2scrub_all.timer', 'e2scrub_reap.service', 'fstrim.timer', 'systemd-tmpfiles-clean.timer',
          'dev-hugepages.mount', 'dev-mqueue.mount']

# System calls are slow here, and systemd looks at every unit file at each "enable" (4.3 s with these, 0.4 s without).
REMOVED = ['initrd*', '*crypt*', '*verity*', '*integrity*', 'quota*', 'proc-sys*', 'sys-*', 'rescue*', 'emergency*', '*debug*',
           'system-update*', 'systemd-pcr*', 'systemd-boot*', 'systemd-bless*', 'systemd-fsck*', 'systemd-growfs*', 'systemd-net*',
           'systemd-rfkill*', 'systemd-pstore*', 'systemd-repart*', 'systemd-volatile*', '*hibernate*', '*suspend*', 'hybrid*',
           'sleep*', 'container*', 'autovt*', 'serial*', 'console-get*', 'modprobe@*', 'kmod*', 'rc-local*', 'remote*', 'usb*',
           'sound*', 'smartcard*', 'bluetooth*', 'printer*', 'x11*']


class Image:
    """A built image. `disk`, `packages`, `chronyd`, `key`, `host_key` are the paths in it."""

    def __init__(self, suite, folder):
        self.suite = suite
        self.folder = Path(folder)
        self.disk = self.folder / 'root.ext4'
        self.packages = self.folder / 'packages'
        self.chronyd = self.folder / 'chronyd'
        self.key = self.folder / 'keys' / 'id_ed25519'
        self.host_key = self.folder / 'keys' / 'ssh_host_ed25519_key'

    @classmethod
    def of(cls, suite='bookworm'):
        """The image of today's recipe; `build` makes it."""
        if suite not in BASE_OF_SUITE:
            raise LabError(f'unknown suite {suite}: one of {", ".join(BASE_OF_SUITE)}')
        recipe = hashlib.sha256(suite.encode())
        for part in [Path(__file__), *sorted(GUEST.iterdir()), *([Path(rpm.__file__)] if suite == RPM else [])]:
            recipe.update(part.name.encode() + b'\0' + part.read_bytes())
        return cls(suite, CACHE / recipe.hexdigest()[:16])

    def build(self):
        """Build unless it is there. Two at once: the second one waits for the first."""
        require()
        with locked(CACHE / 'lock'):
            if not self.folder.exists():
                with step(f'building the {self.suite} image in {self.folder}'), tempfile.TemporaryDirectory(dir=CACHE) as work:
                    _build(self.suite, Path(work))
                    # mke2fs and friends leave absolute paths nowhere, so the folder can move into its place
                    os.rename(Path(work, 'out'), self.folder)
        return self


def _build(suite, work):
    root, out = work / 'root', work / 'out'
    for folder in (out / 'keys', out / 'packages' / 'pool' / 'partial'):
        folder.mkdir(parents=True)
    with step('making the root file system and fetching the packages it will be offered'):
        _bootstrap(suite, root, work, out / 'packages' / 'pool')
    with step('taking the NTP server out of its package'):
        _unpack_chronyd(out / 'packages' / 'pool', root, out / 'chronyd', work)
    with step('indexing the package repository'):
        shutil.rmtree(out / 'packages' / 'pool' / 'partial')
        index = run('apt-ftparchive', 'packages', 'pool', cwd=out / 'packages', stderr=subprocess.DEVNULL)
        (out / 'packages' / 'Packages').write_text(index)
    if suite == RPM:
        with step('building RPM packages of them'):
            rpm.packages(root, out / 'packages' / 'pool', out / 'packages' / RPM, work)
            python = python_36()
            if python:
                rpm.pack_python(root, python)
    with step('making the machine small, and its keys'):
        _make_keys(out / 'keys')
        _furnish(root, out / 'keys')
    with step('writing the disk'):
        run('truncate', '--size=1500M', out / 'root.ext4')
        run('mke2fs', '-q', '-t', 'ext4', '-O', '^has_journal', '-E', 'root_owner=0:0', '-d', root, out / 'root.ext4')
    shutil.rmtree(root)


def sources(suite):
    """This machine's Debian archives as one-line sources for the suite."""
    named = os.environ.get('AEMOPS_LAB_SOURCES')
    if named:
        return Path(named).read_text()
    wanted = '$(ORIGIN)|$(CODENAME)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)'
    lines = []
    for target in run('apt-get', 'indextargets', '--format', wanted, 'Created-By: Packages').splitlines():
        origin, codename, uri, release, component = target.split('|')
        if origin == 'Debian':
            own = codename.split('-')[0]
            lines.append(f'deb {uri} {release.replace(own, DEBIAN_OF.get(suite, suite))} {component}')
    if not lines:
        raise CannotRunHere('this machine\'s apt has no Debian archive (apt-get update?). '
                            'AEMOPS_LAB_SOURCES may name a file with one-line sources for the lab machines')
    return '\n'.join(sorted(set(lines))) + '\n'


def write_apt_settings(path):
    """This machine's way to the archives, for another apt."""
    settings = [line for line in run('apt-config', 'dump').splitlines()
                if re.match(r'Acquire::(?!IndexTargets|Languages|CompressionTypes|Changelogs|cdrom)\S', line)]
    path.write_text('\n'.join(settings) + '\n')
    path.chmod(0o600)  # a proxy's password may be in it


def python_36():
    """This machine's Python 3.6, or '': the hosts that people have with RPM packages have that one."""
    found = [*Path.home().glob('.pyenv/versions/3.6.*/bin/python3.6'), shutil.which('python3.6')]
    return next((str(path) for path in found if path and 'shims' not in str(path)), '')


def _bootstrap(suite, root, work, pool):
    """mmdebstrap with this machine's way to the archives; while that is open, download what is offered later."""
    (work / 'sources.list').write_text(sources(suite))
    write_apt_settings(work / 'apt.conf')
    fetch = work / 'fetch'
    # one call a package: they conflict with each other
    fetch.write_text('#!/bin/sh\nexport APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"\nfor package in {}; do\n'
                     '  apt-get --yes --download-only --no-install-recommends -o Dir::Cache::archives={} install $package'
                     ' || echo "lab: $package is not in this suite"\ndone\n'.format(' '.join(OFFERED), shlex.quote(str(pool))))
    fetch.chmod(0o755)
    # in a mount namespace of its own: whatever happens, nothing stays mounted below a folder that will be removed
    left_out = [f'--dpkgopt=path-exclude=/usr/share/{place}/*' for place in ('man', 'doc', 'locale')]
    run('unshare', '--mount', *WITHOUT_CLOCK, 'mmdebstrap', '--mode=root', '--variant=minbase', f'--aptopt={work / "apt.conf"}',
        *left_out, f'--include={",".join(BASE + BASE_OF_SUITE[suite])}', f'--customize-hook={fetch}',
        DEBIAN_OF.get(suite, suite), root, work / 'sources.list')
    if not list(pool.glob('chrony_*.deb')):
        raise LabError('the packages for the lab machines could not be fetched')


def _unpack_chronyd(pool, root, folder, work):
    """chronyd with its libraries in a folder of its own: installing the package would start it on this machine."""
    tree = work / 'tree'
    for package in pool.glob('*.deb'):
        run('dpkg-deb', '--extract', package, tree)
    folder.mkdir()
    loader = (root / 'lib/x86_64-linux-gnu/ld-linux-x86-64.so.2').resolve()
    places = ':'.join(str(base / place) for base in (tree, root) for place in ('usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu'))
    shutil.copy2(tree / 'usr/sbin/chronyd', folder / 'chronyd')
    shutil.copy2(loader, folder / 'loader')
    for line in run(loader, '--library-path', places, '--list', folder / 'chronyd').splitlines():
        found = re.search(r'=> (/\S+)', line)
        if found and 'ld-linux' not in found.group(1):
            shutil.copy2(found.group(1), folder / Path(found.group(1)).name)
    for late in (root / 'lib/x86_64-linux-gnu').glob('libnss_files.so*'):  # opened when it looks up its user
        shutil.copy2(late, folder / late.name)


def _make_keys(folder):
    folder.chmod(0o700)
    for name in ('id_ed25519', 'ssh_host_ed25519_key'):
        run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'lab', '-f', folder / name)


def _furnish(root, keys):
    """Turn a Debian root into a lab machine: first process, keys, accounts, sources, few units."""
    def put(path, text, mode=0o644):
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    (root / 'etc/apt/apt.conf.d/99mmdebstrap').unlink(missing_ok=True)  # the guest's apt must be as strict as Debian's
    (root / 'etc/dpkg/dpkg.cfg.d/99mmdebstrap').unlink(missing_ok=True)
    shutil.rmtree(root / 'etc/apt/sources.list.d')
    (root / 'etc/apt/sources.list.d').mkdir()
    put('etc/apt/sources.list', 'deb [trusted=yes] http://packages.lab/ ./\n')
    put('etc/fstab', '')
    put('etc/resolv.conf', '')
    put('etc/machine-id', '')
    put('usr/lib/lab/init', (GUEST / 'init').read_text(), 0o755)
    put('usr/lib/lab/identity', (GUEST / 'identity').read_text())
    put('usr/lib/lab/names', 'packages.lab ntp.lab\n')
    put('usr/lib/clock-epoch', '')
    put('etc/ssh/sshd_config.d/lab.conf', (GUEST / 'sshd.conf').read_text())
    for old in root.glob('etc/ssh/ssh_host_*'):
        old.unlink()
    put('etc/ssh/ssh_host_ed25519_key', (keys / 'ssh_host_ed25519_key').read_text(), 0o600)
    put('etc/ssh/ssh_host_ed25519_key.pub', (keys / 'ssh_host_ed25519_key.pub').read_text())

    # It reaches only the lab: with the lab's CA alone, update-ca-certificates takes 1 s instead of 18.
    trusted = root / 'etc/ca-certificates.conf'
    trusted.write_text(re.sub('^(?=[^#!])', '!', trusted.read_text(), flags=re.MULTILINE))
    run('chroot', root, 'update-ca-certificates', '--fresh')

    put('etc/sudoers.d/deploy', 'deploy ALL=(ALL) NOPASSWD: ALL\n', 0o440)
    for account in ('ops', 'deploy'):
        run('chroot', root, 'useradd', '--create-home', '--shell', '/bin/bash', account)
    for account, home in (('root', 'root'), ('ops', 'home/ops'), ('deploy', 'home/deploy')):
        put(f'{home}/.ssh/authorized_keys', (keys / 'id_ed25519.pub').read_text(), 0o600)
        (root / home / '.ssh').chmod(0o700)
        run('chroot', root, 'chown', '--recursive', f'{account}:{account}', f'/{home}')

    units = root / 'etc/systemd/system'
    packaged = root / 'lib/systemd/system'
    for unit in {unit for pattern in REMOVED for unit in packaged.glob(pattern)}:
        shutil.rmtree(unit) if unit.is_dir() and not unit.is_symlink() else unit.unlink()
    for generator in (root / 'lib/systemd/system-generators').iterdir():  # 1.5 s at each daemon-reload
        generator.unlink()
    # Many programs close all files they might have open; with the kernel's own limit apt takes 9 s more for a download.
    # (pam_limits as Debian has it starts from the limits of process 1, so systemd's DefaultLimitNOFILE does not get there.)
    put('etc/security/limits.d/lab.conf', '* hard nofile 8192\nroot hard nofile 8192\n')
    for unit in MASKED:
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to('/dev/null')
    put('etc/systemd/system/lab-ready.service', (GUEST / 'lab-ready.service').read_text())
    run('chroot', root, 'systemctl', 'enable', 'lab-ready.service', 'ssh.service')
    run('chroot', root, 'systemctl', 'set-default', 'multi-user.target')
    for path in ('var/lib/apt/lists', 'var/cache/apt', 'var/cache/debconf', 'usr/share/man', 'usr/share/doc'):
        shutil.rmtree(root / path, ignore_errors=True)
        (root / path).mkdir(parents=True, exist_ok=True)
    say(f'the machine has {len(run("chroot", root, "dpkg-query", "--show").splitlines())} packages')
