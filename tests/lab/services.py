# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the lab machines find at the bridge address: NTP on 123, packages on 80, Brand Portal on 443."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from .host import LabError, Process, run

FAKES = Path(__file__).parents[1] / 'fakes'

VALID = 7 * 86400  # seconds; as long as Debian's security archive promises

# -x in the command, no CAP_SYS_TIME in the process: this machine's clock is read, never set.
NTP_CONFIGURATION = '''\
local stratum 1
allow
bindaddress {address}
port 123
cmdport 0
pidfile {folder}/chronyd.pid
'''
PROVING = '''\
keyfile {folder}/chrony.keys
ntsservercert {tls}/long.pem
ntsserverkey {tls}/long.key
ntsdumpdir {folder}
'''


class Services:
    """Start, stop and ask the services of one lab. `which` is a word: ntp, packages, brand_portal."""

    def __init__(self, lab):
        self.lab = lab
        self.folder = lab.folder / 'services'
        self.address = lab.network.host

    def process(self, which):
        return Process(self.folder / f'{which}.json')

    def log(self, which):
        return self.folder / f'{which}.log'

    def start(self, which, command, answers, timeout=20):
        """Start a service unless it runs; come back when it answers."""
        self.folder.mkdir(exist_ok=True)
        process = self.process(which)
        if process.pid:
            return
        process.start(command, self.lab.network.namespace, self.log(which), dict(os.environ, PYTHONUNBUFFERED='1'))
        deadline = time.monotonic() + timeout
        while not answers():
            if not process.pid or time.monotonic() > deadline:
                process.stop()
                raise LabError(f'{which} did not start. Its log:\n{self.log(which).read_text(errors="replace")[-2000:]}')
            time.sleep(0.05)

    def stop(self, which):
        self.process(which).stop()

    def start_ntp(self, keys=''):
        binary = self.lab.image.chronyd
        self.folder.mkdir(exist_ok=True)
        configuration = self.folder / 'chrony.conf'
        configured = NTP_CONFIGURATION.format(address=self.address, folder=self.folder)
        if keys:
            (self.folder / 'chrony.keys').write_text(keys)
            configured += PROVING.format(folder=self.folder, tls=self.lab.certificates())
        configuration.write_text(configured)
        # run by the loader it was unpacked with, so it needs no library of this machine
        self.start('ntp', [binary / 'loader', '--library-path', binary, binary / 'chronyd', '-x', '-d', '-u', 'root',
                           '-f', configuration], self.ntp_answers)

    def ntp_answers(self):
        """Whether one NTP question (RFC 5905, version 4, client) gets a server's answer of stratum 1."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as question:
            question.settimeout(0.3)
            try:
                question.connect((self.address, 123))
                question.send(b'\x23' + bytes(39) + os.urandom(8))
                answer = question.recv(512)
            except OSError:
                return False
        return len(answer) >= 48 and answer[0] & 7 == 4 and answer[1] == 1

    def start_packages(self):
        """The image's packages under a Release file of now: "not valid yet" in the past, "expired" a week ahead."""
        folder = self.folder / 'packages'
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy2(self.lab.image.packages / 'Packages', folder)
        if not (folder / 'pool').exists():
            (folder / 'pool').symlink_to(self.lab.image.packages / 'pool')
        if (self.lab.image.packages / 'rpm').exists() and not (folder / 'rpm').exists():
            (folder / 'rpm').symlink_to(self.lab.image.packages / 'rpm')
        release = run('apt-ftparchive', '-o', 'APT::FTPArchive::Release::Origin=lab',
                      '-o', f'APT::FTPArchive::Release::Suite={self.lab.image.suite}',
                      '-o', f'APT::FTPArchive::Release::ValidTime={VALID}', 'release', folder, stderr=subprocess.DEVNULL)
        (folder / 'Release').write_text(release)
        self.start('packages', [self.lab.python, '-m', 'http.server', '--bind', self.address, '--directory', folder, '80'],
                   lambda: self.listens(80))

    def start_brand_portal(self, cert, clock_offset):
        if cert not in ('long', 'short'):
            raise LabError(f'certificate {cert!r}: long (2010 to 2040) or short (90 days)')
        tls = self.lab.certificates()
        self.start('brand_portal', [self.lab.python, FAKES / 'brand_portal.py', '--listen', f'{self.address}:443',
                                    '--cert', tls / f'{cert}.pem', '--key', tls / f'{cert}.key', '--tenant', self.lab.tenant,
                                    '--public-key', tls / 'agent.pub', '--clock-offset', str(clock_offset),
                                    '--log', self.folder / 'brand_portal.requests'], lambda: self.listens(443))

    def listens(self, port):
        try:
            socket.create_connection((self.address, port), timeout=0.5).close()
        except OSError:
            return False
        return True
