# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do about a package that cannot be installed: by what the package manager says, not always "see the network"."""

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.process import Done
from ansible_collections.aemops.brand_portal.plugins.module_utils._host import package_managers
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.package_words import REACHES_SOURCES, advice_for
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.packages import CannotInstall, Packages
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._host.hosts import FakeHost


@pytest.mark.parametrize(('said', 'advice'), [
    ('E: Held packages were changed and -y was used without --allow-change-held-packages.', 'apt-mark showhold'),
    ('E: Unable to correct problems, you have held broken packages.', 'apt-mark showhold'),
    # Recorded from apt 2.6, with systemd-timesyncd on hold.
    ('The following packages have unmet dependencies:  chrony : Conflicts: time-daemon  systemd-timesyncd : Conflicts: time-daemon '
     'E: Error, pkgProblemResolver::Resolve generated breaks, this may be caused by held packages.', 'apt-mark showhold'),
    ("E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.", 'dpkg --configure -a'),
    ("E: Unmet dependencies. Try 'apt --fix-broken install' with no packages (or specify a solution).", 'apt-get check'),
    ('E: You don\'t have enough free space in /var/cache/apt/archives/.', 'free space'),
    ('dpkg: error: failed to write status database record: No space left on device', 'free space'),
    ('Error: Transaction test error: installing package chrony-4.3 needs 2MB on the / filesystem', 'free space'),
    ('E: Unable to write to /var/cache/apt/ - open (30: Read-only file system)', 'writable'),
    ('error: can\'t create transaction lock on /var/lib/rpm/.rpm.lock (Read-only file system)', 'writable'),
    ('All matches were filtered out by exclude filtering for argument: chrony', 'exclude='),
    ('Error: GPG check FAILED', 'keys of its package sources'),
    ('W: GPG error: http://deb stable InRelease: The following signatures couldn\'t be verified: NO_PUBKEY 0E98', 'keys'),
    ('E: Release file for http://deb/InRelease is not valid yet (invalid for another 5h)', "host's clock"),
    ('Error: There are no enabled repositories in "/etc/yum.repos.d"', 'enable a package source'),
    ('This system is not registered with an entitlement server.', 'register this host'),
    ('another package manager has held its lock for 300 s: E: Could not get lock /var/lib/dpkg/lock-frontend',
     'other package manager'),
    ('Error: Problem: conflicting requests - nothing provides libseccomp.so.2', 'dependencies'),
    ('Error: Error: Unable to find a match: chrony', 'have this package'),
    ('E: Unable to locate package chrony', 'have this package'),
    ("E: Package 'chrony' has no installation candidate", 'apt-cache policy'),
    ("'chrony' not found in package names. Trying capabilities.", 'have this package'),
    ('error: rpmdb: BDB0113 Thread/process 7/1 failed', 'rebuilddb'),
    ('Error: This command has to be run with superuser privileges (under the root user on most systems).', 'become'),
    ('curl: (60) SSL certificate problem: unable to get local issuer certificate', 'TLS certificates'),
    ("Curl error (6): Couldn't resolve host name for https://mirror/repodata/repomd.xml", REACHES_SOURCES),
    ('E: Failed to fetch http://deb/chrony_4.3.deb  404  Not Found [IP: 192.0.2.1 80]', REACHES_SOURCES),
    ('The target filesystem is mounted as read-only. Please make sure the target filesystem is writeable.', 'writable'),
    ('All matches were filtered out by modular filtering for argument: chrony', 'dnf module list'),
    ("trying to overwrite '/usr/sbin/ntpd', which is also in package ntp\nE: Sub-process /usr/bin/dpkg returned an error code (1)",
     'which package has the file'),
    ('file /usr/sbin/chronyd from install of chrony-4.3 conflicts with file from package site-1.0', 'which package has the file'),
    ("E: Type 'debb' is not known on line 3 in source list /etc/apt/sources.list", 'correct the files'),
    ('E: Malformed entry 1 in list file /etc/apt/sources.list (Component)', 'correct the files'),
    ('E: Conflicting values set for option Signed-By regarding source http://deb', 'correct the files'),
    ('Another app is currently holding the yum lock; exiting as configured by exit_on_lock', 'other package manager'),
    ('Failed to obtain rpm transaction lock. Another transaction is in progress.', 'other package manager'),
    ("can't create transaction lock on /usr/lib/sysimage/rpm/.rpm.lock (Resource temporarily unavailable)",
     'other package manager'),
    ('System management is locked by the application with pid 1234 (zypper).', 'other package manager'),
    ('E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), are you root?', 'become'),
    ('Updating Subscription Management repositories.\nError: Unable to find a match: chrony', 'have this package'),
    ('Updating Subscription Management repositories.\nUnable to read consumer identity', 'register this host'),
    ('Status code: 403 for https://cdn.redhat.com/content/dist/rhel8 (IP: 192.0.2.1)', 'register this host'),
    ('Curl error (60): SSL certificate problem: certificate is not yet valid', "host's clock"),
    ('Error: Package: chrony-4.5 requires: libc.so.6(GLIBC_2.34)', 'dependencies'),
    ('package chrony-4.5 requires libseccomp.so.2, but none of the providers can be installed', 'dependencies'),
    ("dpkg: unrecoverable fatal error, aborting:\n files list file for package 'x' is missing final newline", 'dpkg --audit'),
    ('Err:1 http://deb 407  Proxy Authentication Required', 'proxy'),
    ('/var/lib/dpkg/info/chrony.postinst: 3: adduser: not found', 'scripts'),
    ('chrony is already the newest version (4.3-2+deb12u1).', 'reinstall'),
    ('Package chrony-4.5-1.el9.x86_64 is already installed.\nNothing to do.', 'reinstall'),
    ('No package chrony available.\nError: Nothing to do', 'have this package'),
    # Recorded from yum 3 and from subscription-manager: what they say beside any error.
    ('Loaded plugins: fastestmirror, subscription-manager, versionlock\nNo package chrony available.', 'have this package'),
    ('Unable to read consumer identity\nThis system is not registered with an entitlement server.\nProblem: conflicting requests',
     'dependencies'),
    ('Unable to read consumer identity\nCurl error (6): Could not resolve host: mirror.example', REACHES_SOURCES),
    ('Unable to read consumer identity\nError: Unable to find a match: chrony', 'register this host'),
    ('Excluding 1 update due to versionlock (use "yum versionlock status" to show it)', 'versionlock'),
    ('E: There were unauthenticated packages and -y was used without --allow-unauthenticated', 'keys'),
    ("E: Repository 'http://deb stable InRelease' changed its 'Suite' value from 'stable' to 'oldstable'",
     'apt-get update --allow-releaseinfo-change'),
    ("E: The repository 'http://deb bullseye-backports Release' does not have a Release file.", 'correct the files'),
    ("Err:2 http://deb/debian buster Release\n  404  Not Found [IP: 192.0.2.1 80]\n"
     "E: The repository 'http://deb/debian buster Release' does not have a Release file.", 'correct the files'),
    ("E: The repository 'http://deb kinetic Release' no longer has a Release file.", 'correct the files'),
    ("E: The repository 'http://deb eoan Release' does no longer have a Release file.", 'correct the files'),
    ("Error: Failed to download metadata for repo 'appstream': Cannot prepare internal mirrorlist: No URLs in mirrorlist",
     'correct the files'),
    ('error: unpacking of archive failed on file /usr/sbin/chronyd;6543: cpio: rename failed - Operation not permitted', 'lsattr'),
    ("dpkg: error processing archive chrony.deb (--unpack):\n unable to install new version of '/usr/sbin/chronyd': "
     'Operation not permitted\nE: Sub-process /usr/bin/dpkg returned an error code (1)', 'lsattr'),
    ("E: The value 'bookworm' is invalid for APT::Default-Release as such a release is not available", 'correct the files'),
    ('Waiting for process with pid 4711 to finish.', 'other package manager'),
    ('Package "chrony" is not found.', 'have this package'),
    ('', REACHES_SOURCES), ('something new', REACHES_SOURCES),
])
def test_the_next_step_is_of_what_the_package_manager_said(said, advice):
    assert advice in advice_for(said)


def test_a_package_that_cannot_be_had_comes_with_that_step(tmp_path):
    host = FakeHost(tmp_path)
    host._apt_get = lambda words: Done(100, '', 'E: dpkg was interrupted, you must manually run "dpkg --configure -a"')
    with pytest.raises(CannotInstall) as cannot:
        Packages(host, 'apt').ask('chrony')
    assert cannot.value.advice == 'run dpkg --configure -a on this host'


# The form of dnf5 5.2 (Fedora 41), shortened.
DNF5 = """Updating and loading repositories:
Repositories loaded.
Package                  Arch   Version        Repository      Size
Installing:
 chrony                  x86_64 4.6.1-1.fc41   fedora     671.3 KiB
   replacing ntpsec      x86_64 1.2.3-1.fc41   fedora       1.2 MiB
Upgrading:
 libseccomp              x86_64 2.5.5-2.fc41   updates    173.3 KiB
   replacing libseccomp  x86_64 2.5.5-1.fc41   fedora     173.3 KiB

Transaction Summary:
 Installing:         1 package
 Upgrading:          1 package
 Replacing:          1 package

Operation aborted by the user.
"""


def test_dnf5_replaces_a_package_of_the_same_name_without_removing_it():
    assert package_managers.parse_dnf(DNF5) == package_managers.Transaction(
        {'chrony': '4.6.1-1.fc41'}, {'ntpsec': '1.2.3-1.fc41'}, {'libseccomp': '2.5.5-2.fc41'})


@pytest.mark.parametrize(('code', 'installed'), [(0, True), (103, True), (106, True), (4, False), (104, False), (107, False)])
def test_zypper_informs_by_exit_codes_that_are_no_failures(tmp_path, code, installed):
    host = FakeHost(tmp_path, 'sles-15')
    host._zypper = lambda words: Done(code, '', 'Some repositories had to be skipped.')
    assert (Packages(host, 'zypper').install('chrony').code == 0) == installed
