# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages: asked first, undone by name, and nothing because two listings differ."""

import time

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.process import Done
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.stop_request import Interrupted, StopRequest
from ansible_collections.aemops.brand_portal.plugins.module_utils._host import package_managers, packages
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.package_managers import Transaction
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.packages import (
    CannotInstall,
    LookFailed,
    Packages,
    PackagesHandler,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.statedir import STATE
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.undo_log import UndoLog, changed
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._host.hosts import FakeHost

# Recorded from dnf 4.14; written after the form of apt 2.6 (Debian 12), yum 3.4.3 (CentOS 7) and zypper 1.14 (its XML).
APT = """NOTE: This is only a simulation!
Reading package lists...
The following packages will be REMOVED:
  systemd-timesyncd
Remv systemd-timesyncd [252.38-1~deb12u1] [time-daemon:amd64 ]
Inst libnss3 [2:3.87-1] (2:3.87.1-1+deb12u1 Debian:12.11/stable [amd64])
Inst chrony (4.3-2+deb12u1 Debian:12.11/stable [amd64])
Conf libnss3 (2:3.87.1-1+deb12u1 Debian:12.11/stable [amd64])
Conf chrony (4.3-2+deb12u1 Debian:12.11/stable [amd64])
"""
APT_PURGE = 'Purg chrony [4.3-2+deb12u1]\nPurg tzdata-legacy [2024a]\n'
DNF = """lab                                             200 kB/s | 3.0 kB     00:00
Dependencies resolved.
================================================================================
 Package             Architecture     Version               Repository     Size
================================================================================
Installing:
 chrony              x86_64           4.3-1.rhel8           lab           207 k
Installing dependencies:
 timedatex           x86_64           0.5-1.rhel8           lab           6.0 k

Transaction Summary
================================================================================
Install  2 Packages

Total download size: 213 k
Installed size: 407 k
"""
DNF_REMOVE = """Dependencies resolved.
================================================================================
 Package               Architecture    Version              Repository     Size
================================================================================
Removing:
 chrony                x86_64          4.3-1.rhel8          @lab          407 k
Removing dependent packages:
 site-monitor          x86_64          1.0-1.rhel8          @lab           32\x20\x20
Removing unused dependencies:
 timedatex             x86_64          0.5-1.rhel8          @lab           35\x20\x20

Transaction Summary
================================================================================
Remove  3 Packages
"""
YUM = """Loaded plugins: fastestmirror
Resolving Dependencies
--> Running transaction check
---> Package chrony.x86_64 0:3.4-1.el7 will be installed

Dependencies Resolved

================================================================================
 Package
               Arch          Version                       Repository      Size
================================================================================
Installing:
 chrony        x86_64        3.4-1.el7                     base           251 k
     replacing  ntp.x86_64 4.2.6p5-29.el7.centos.2
Installing for dependencies:
 libseccomp-with-a-very-long-name
               x86_64        2.3.1-4.el7                   base            56 k
Updating for dependencies:
 nss           x86_64        3.90.0-2.el7                  updates        905 k

Transaction Summary
================================================================================
"""
ZYPPER = """<?xml version='1.0'?>
<stream>
<message type="info">Resolving package dependencies...</message>
<install-summary download-size="212685" space-usage-diff="416870" packages-to-change="3">
<to-install>
<solvable type="package" name="chrony" edition="4.1-150400.21.5.7" arch="x86_64" repository="SLE"/>
<solvable type="pattern" name="base" edition="1" arch="x86_64"/>
</to-install>
<to-remove>
<solvable type="package" name="ntp" edition="4.2.8p15-150000.4" arch="x86_64" repository="@System"/>
</to-remove>
<to-upgrade>
<solvable type="package" name="libnettle8" edition="3.8.1" edition-old="3.7" arch="x86_64"/>
</to-upgrade>
</install-summary>
</stream>
"""

# Written by dnf's own fmtColumns for a terminal of 80 columns, as yum 3.4.3 and older dnf have without one.
LONG_REPOSITORY = '''Installing:
 chrony     x86_64 3.4-1.el7   Example_Organization_Red_Hat_Enterprise_Linux_Server_7_Base_Mirror
                                                                          251 k
Installing for dependencies:
 libseccomp x86_64 2.3.1-4.el7 Example_Organization_Red_Hat_Enterprise_Linux_Server_7_Base_Mirror
                                                                           56 k
 timedatex  x86_64 0.5-1.el7   Example_Organization_Red_Hat_Enterprise_Linux_Server_7_Base_Mirror
                                                                           32\x20\x20
 libedit    x86_64 3.0-12.el7  base                                        92 k

Transaction Summary
'''

# Written after the form of dnf5 5.2.
DNF5 = """Updating and loading repositories:
 Fedora 41 - x86_64                     100% |   2.0 MiB/s |  35.4 MiB |  00m17s
 Fedora 41 - x86_64 - Updates           100% |   1.0 MiB/s |   3.4 MiB |  00m02s
Repositories loaded.
Package    Arch   Version      Repository      Size
Installing:
 chrony    x86_64 4.6.1-1.fc41 fedora     676.0 KiB

Transaction Summary:
 Installing:         1 package
"""

# Recorded from zypper 1.14.59: a repository that is down, a package that it does not have, no repository, a mistyped file of one.
ZYPPER_DOWN = """<?xml version='1.0'?>
<stream>
<message type="error">Download (curl) error for &apos;http://127.0.0.1:9/rpm/repodata/repomd.xml&apos;:
Error code: Connection failed
Error message: Failed to connect to 127.0.0.1 port 9 after 0 ms: Couldn&apos;t connect to server
</message>
<prompt id="8">
<text>Abort, retry, ignore?</text>
<option default="1" value="a" desc="Skip retrieval of the file and abort current operation."/>
<option value="r" desc="Try to retrieve the file again."/>
</prompt>
<message type="warning">Skipping repository &apos;lab&apos; because of the above error.</message>
<message type="error">Some of the repositories have not been refreshed because of an error.</message>
<message type="info">Loading repository data...</message>
<message type="info">Reading installed packages...</message>
<message type="info">&apos;chrony&apos; not found in package names. Trying capabilities.</message>
<message type="error">No provider of &apos;chrony&apos; found.</message>
</stream>
"""
ZYPPER_LACKS_IT = """<?xml version='1.0'?>
<stream>
<progress id="2" name="Building repository &apos;lab&apos; cache"/>
<progress id="2" name="Building repository &apos;lab&apos; cache" done="1"/>
<message type="info">Loading repository data...</message>
<message type="error">No provider of &apos;chrony&apos; found.</message>
</stream>
"""
ZYPPER_NO_REPOSITORY = """<?xml version='1.0'?>
<stream>
<message type="info">Loading repository data...</message>
<message type="warning">No repositories defined. Operating only with the installed resolvables. Nothing can be installed.</message>
<message type="info">Reading installed packages...</message>
<message type="error">No provider of &apos;chrony&apos; found.</message>
</stream>
"""
ZYPPER_MISTYPED = """<?xml version='1.0'?>
<stream>
<message type="error">Unexpected exception.
/etc/zypp/repos.d/lab.repo: Section []: Line 1 contains garbage (no &apos;=&apos; or &apos;:/?|,\\&apos; in key)
</message>
</stream>
"""


@pytest.mark.parametrize('parse, text, transaction', [
    (package_managers.parse_apt, APT, Transaction({'chrony': '4.3-2+deb12u1'}, {'systemd-timesyncd': '252.38-1~deb12u1'},
                                                  {'libnss3': '2:3.87.1-1+deb12u1'})),
    (package_managers.parse_apt, APT_PURGE, Transaction({}, {'chrony': '4.3-2+deb12u1', 'tzdata-legacy': '2024a'}, {})),
    (package_managers.parse_dnf, DNF, Transaction({'chrony': '4.3-1.rhel8', 'timedatex': '0.5-1.rhel8'}, {}, {})),
    (package_managers.parse_dnf, DNF_REMOVE, Transaction({}, {'chrony': '4.3-1.rhel8', 'site-monitor': '1.0-1.rhel8',
                                                              'timedatex': '0.5-1.rhel8'}, {})),
    (package_managers.parse_dnf, YUM, Transaction({'chrony': '3.4-1.el7', 'libseccomp-with-a-very-long-name': '2.3.1-4.el7'},
                                                  {'ntp': '4.2.6p5-29.el7.centos.2'}, {'nss': '3.90.0-2.el7'})),
    (package_managers.parse_dnf, DNF5, Transaction({'chrony': '4.6.1-1.fc41'}, {}, {})),
    (package_managers.parse_dnf, LONG_REPOSITORY, Transaction({'chrony': '3.4-1.el7', 'libseccomp': '2.3.1-4.el7',
                                                               'timedatex': '0.5-1.el7', 'libedit': '3.0-12.el7'}, {}, {})),
    (package_managers.parse_zypper, ZYPPER, Transaction({'chrony': '4.1-150400.21.5.7'}, {'ntp': '4.2.8p15-150000.4'},
                                                        {'libnettle8': '3.8.1'})),
    (package_managers.parse_apt, 'E: Unable to locate package chrony\n', Transaction({}, {}, {})),
    # yum says no architecture where a package has none; a heading in capitals is one too.
    (package_managers.parse_dnf, 'INSTALLING:\n chrony x86_64 4.5-1 base 300 k\n     replacing  ntp 4.2\n'
     '     replacing  sntp.x86_64 4.2\n   replacing ntpsec x86_64 1.2\n',
     Transaction({'chrony': '4.5-1'}, {'ntp': '4.2', 'sntp': '4.2', 'ntpsec': '1.2'}, {})),
    (package_managers.parse_dnf, 'No match for argument: chrony\n', Transaction({}, {}, {})),
    (package_managers.parse_zypper, '', Transaction({}, {}, {})),
])
def test_what_a_manager_would_do_is_read_by_name(parse, text, transaction):
    assert parse(text) == transaction


def test_every_manager_leaves_other_packages_alone_and_waits_for_no_lock_for_ever():
    for name, manager in package_managers.MANAGERS.items():
        for command in (manager.simulate, manager.simulate_removal):
            assert {'--simulate', '--assumeno', '--dry-run'} & set(command), name
        if name in ('dnf', 'yum'):
            assert '--setopt=clean_requirements_on_remove=0' in manager.remove
            assert '--setopt=exit_on_lock=1' in manager.install
            assert '-q' not in manager.simulate, 'it hides the table'
        if name == 'zypper':
            assert manager.simulate.index('--dry-run') > manager.simulate.index('install'), 'an option of the command'


LISTING = {'dpkg': 'chrony ii  4.3-2\nntp rc  1:4.2\nold un  \nvim un  <none>\nhalf iU  7\nheld hi  3\n',
           'rpm': 'chrony ii 0:4.5-1.el9\n'}


def test_the_states_of_packages(tmp_path):
    host = FakeHost(tmp_path)
    host._dpkg_query = lambda words: LISTING['dpkg']
    assert Packages(host, 'apt').installed() == {
        'chrony': '4.3-2', 'ntp': packages.CONFIGURED, 'half': 'half-installed 7', 'held': '3'}
    host._dpkg_query = lambda words: (
        'dpkg ii  1.21.22 amd64\nlibnettle8 ii  3.8.1-2 amd64\nlibnettle8 rc  3.7 i386\nntp ii  1:4.2 i386\n'
        'tzdata ii  2024a all\n')
    assert Packages(host, 'apt').installed() == {
        'dpkg': '1.21.22', 'libnettle8': '3.8.1-2', 'libnettle8:i386': packages.CONFIGURED, 'ntp:i386': '1:4.2', 'tzdata': '2024a'}
    host._rpm = lambda words: LISTING['rpm']
    assert Packages(host, 'dnf').installed() == {'chrony': '0:4.5-1.el9'}


def test_a_package_without_a_version_does_not_hide_the_others(tmp_path):
    host = FakeHost(tmp_path)
    host._dpkg_query = lambda words: 'dpkg ii  1.21.22 amd64\ncut iU\nhalf iH   amd64\nntp ii  1:4.2 i386\n'
    assert set(Packages(host, 'apt').installed()) == {'dpkg', 'cut', 'half', 'ntp:i386'}


@pytest.mark.parametrize('answer', [
    Done(124, '', 'dpkg-query did not end within 900 s'), Done(1, '', 'status database area is locked'),
    Done(2, 'chrony ii 1\n', 'cut'),
    Done(0, '', ''), Done(0, 'basesystem ii 0:11-1\n', 'warning: x\nerror: rpmdbNextIterator: skipping h# 1234')])
@pytest.mark.parametrize('manager', sorted(package_managers.MANAGERS))
def test_a_listing_that_fails_is_no_listing(tmp_path, answer, manager):
    host = FakeHost(tmp_path)
    host._dpkg_query = host._rpm = lambda words: answer
    with pytest.raises(LookFailed):
        Packages(host, manager).installed()


# Installing and undoing


class Case:
    """A host on which chrony is installed through the log."""

    def __init__(self, tmp_path, *others, manager='apt', **more):
        release = 'debian-12' if manager == 'apt' else 'alma-9'
        self.host = FakeHost(tmp_path, release).has('systemd-timesyncd') if manager == 'apt' else FakeHost(tmp_path, release)
        self.host.packages |= {'base-files', *others}
        for name, value in more.items():
            setattr(self.host, name, value)
        self.before = (set(self.host.packages), dict(self.host.tree()))
        self.stop = StopRequest()
        self.packages = Packages(self.host, manager)
        self.log = UndoLog(self.host, STATE + '/time_service', self.stop)
        self.stopped = []

    def install(self):
        transaction = self.packages.ask('chrony', self.stop.check)
        return packages.install(self.log, self.packages, 'chrony', transaction, 'install chrony', 'chrony.service', ['/etc/chrony'])

    def undo(self):
        def stop(unit):
            self.stopped.append(unit)
            return 'stopped and disabled'
        return self.log.undo({'packages': PackagesHandler(self.host, stop)})

    def changed(self, *names):
        return [command for command in self.host.commands if command.split()[0] in ('apt-get', 'dnf')
                and set(names) & {word.rstrip('-') for word in command.split()}]

    def state(self):
        return set(self.host.packages), {path: text for path, text in self.host.tree().items() if not path.startswith(STATE)}


@pytest.mark.parametrize('manager', ['apt', 'dnf'])
def test_the_transaction_is_undone_whole(tmp_path, manager):
    case = Case(tmp_path, manager=manager, brings={'chrony': ['libtomcrypt1']})
    case.host.available['systemd-timesyncd'] = {}
    assert case.install().code == 0
    entry = case.log.entries[0]
    assert (entry.act, entry.target, entry.done) == ('packages', 'chrony', True)
    assert sorted(entry.before) == sorted(['chrony', 'libtomcrypt1'] + ['systemd-timesyncd'] * (manager == 'apt'))
    assert 'chrony' in case.host.packages
    assert case.undo() == []
    assert case.state() == case.before
    assert not case.stopped


@pytest.mark.parametrize('manager', ['apt', 'dnf'])
@pytest.mark.parametrize('when', ['after', 'before the install', 'after a cut'])
def test_what_others_install_is_never_removed(tmp_path, manager, when):
    """The review's F1: a snapshot compared with a later listing purged postgresql."""
    case = Case(tmp_path, manager=manager)
    case.host.available['systemd-timesyncd'] = {}
    if when == 'before the install':
        case.host.packages.add('postgresql-16')
    case.install()
    if when != 'before the install':
        case.host.packages.add('postgresql-16')
    if when == 'after a cut':
        case.log.entries[0].done = False
        case.log.save()
        case.log = UndoLog(case.host, STATE + '/time_service')
        case.log.read()
    assert case.undo() == []
    assert 'postgresql-16' in case.host.packages
    assert 'chrony' not in case.host.packages
    assert not case.changed('postgresql-16')


@pytest.mark.parametrize('end', ['failed', 'cut off'])
@pytest.mark.parametrize('manager', ['apt', 'dnf'])
def test_what_a_transaction_installed_before_it_failed_is_ours(tmp_path, manager, end):
    """rpm lists the epoch 0, which the simulation of dnf leaves out."""
    case = Case(tmp_path, manager=manager, brings={'chrony': ['libtomcrypt1']})
    case.host.available['systemd-timesyncd'] = {}
    name = '_apt_get' if manager == 'apt' else '_dnf'
    real = getattr(case.host, name)

    def fails(words):
        answer = real(words)
        if {'--simulate', '--assumeno', '--download-only'} & set(words) or 'install' not in words:
            return answer
        if end == 'cut off':
            raise KeyboardInterrupt
        if manager == 'apt':
            case.host.broken.add('libtomcrypt1')
        return Done(1, '', 'Error: the scriptlet of a package has failed')
    setattr(case.host, name, fails)
    if end == 'failed':
        assert case.install().code == 1
    else:
        with pytest.raises(KeyboardInterrupt):
            case.install()
        case.log = UndoLog(case.host, STATE + '/time_service')
        case.log.read()
    setattr(case.host, name, real)
    assert case.undo() == []
    assert case.state() == case.before
    assert not case.stopped


@pytest.mark.parametrize('what', ['a package that would be removed too', 'a package that is needed', 'a replaced unit'])
def test_a_host_that_has_changed_since_it_was_asked_is_left_alone(tmp_path, what):
    """Installing would remove what another administrator has just installed, and undoing it would not bring that back."""
    case = Case(tmp_path, 'libtomcrypt1', brings={'chrony': ['libtomcrypt1']})
    case.host.available['systemd-timesyncd'] = {}
    transaction = case.packages.ask('chrony')
    write = case.host.write

    def also(path, *rest):
        write(path, *rest)
        if what == 'a package that would be removed too':
            case.host.has('openntpd')
        elif what == 'a package that is needed':
            case.host.packages.discard('libtomcrypt1')
        else:
            case.host.units['systemd-timesyncd.service'] = ['inactive', 'masked']
    case.host.write = also
    with pytest.raises(CannotInstall, match='another administrator has changed packages or units of this host a moment ago'):
        packages.install(case.log, case.packages, 'chrony', transaction, '', 'chrony.service', [], ['systemd-timesyncd.service'])
    case.host.write = write
    assert case.undo() == []
    assert 'chrony' not in case.host.packages
    assert not changed(case.log.entries)
    assert ('openntpd' in case.host.packages) == (what == 'a package that would be removed too')


def test_a_replaced_unit_that_had_failed_does_not_run_when_its_package_comes_back(tmp_path):
    case = Case(tmp_path)
    case.host.available['systemd-timesyncd'] = {}
    case.host.units['systemd-timesyncd.service'][0] = 'failed'
    packages.install(case.log, case.packages, 'chrony', case.packages.ask('chrony'), '', 'chrony.service', [],
                     ['systemd-timesyncd.service'])
    assert case.undo() == []
    assert case.host.units == {'systemd-timesyncd.service': ['inactive', 'enabled']}


def test_what_others_remove_while_the_last_look_fails_does_not_come_back(tmp_path):
    case = Case(tmp_path, 'base-files')
    case.host.available['systemd-timesyncd'] = {}
    transaction, write = case.packages.ask('chrony'), case.host.write

    def then(*arguments):
        write(*arguments)
        case.host._lose('systemd-timesyncd')
        case.host.failing['dpkg-query'] = 'locked'
    case.host.write = then
    with pytest.raises(LookFailed):
        packages.install(case.log, case.packages, 'chrony', transaction, '', 'chrony.service', [], ['systemd-timesyncd.service'])
    case.host.write = write
    case.host.failing.clear()
    assert case.undo() == []
    assert case.host.packages == {'base-files'}
    assert not changed(case.log.entries)


def test_where_nothing_is_to_be_removed_nothing_is(tmp_path):
    """Not even what another administrator installs between the last look and the package manager's own."""
    case = Case(tmp_path)
    case.host._lose('systemd-timesyncd')
    real = case.host._apt_get

    def late(words):
        if not {'--simulate', '--download-only'} & set(words):
            case.host.has('openntpd')
        return real(words)
    case.host._apt_get = late
    assert 'remove is disabled' in case.install().complaint
    assert 'openntpd' in case.host.packages


def test_what_others_remove_does_not_come_back(tmp_path):
    case = Case(tmp_path, 'nginx')
    case.host.available['systemd-timesyncd'] = {}
    case.install()
    case.host.packages.discard('nginx')
    assert case.undo() == []
    assert 'nginx' not in case.host.packages


def test_no_empty_folder_stays_where_others_remove_the_package(tmp_path):
    """The package manager leaves the folder, because our file is in it at that moment."""
    case = Case(tmp_path)
    case.install()
    case.host.put('/etc/chrony/sources.d/ours.sources', '')
    case.host._change(['systemd-timesyncd'], ['chrony'], True)
    case.host.remove('/etc/chrony/sources.d/ours.sources')
    assert case.host.exists('/etc/chrony/sources.d')
    assert case.undo() == []
    assert case.state() == case.before


@pytest.mark.parametrize('edited', [False, True])
def test_what_others_leave_of_our_package_is_purged_unless_they_have_edited_it(tmp_path, edited):
    case = Case(tmp_path)
    case.install()
    if edited:
        case.host.put('/etc/chrony/chrony.conf', 'server theirs\n')
    case.host._change(['systemd-timesyncd'], ['chrony'], False)
    problems = case.undo()
    if edited:
        assert case.host.text('/etc/chrony/chrony.conf') == 'server theirs\n' and len(problems) == 1
    else:
        assert (problems, case.state(), case.host.configured) == ([], case.before, set())


def test_a_link_that_others_put_in_the_place_of_the_folder_stays(tmp_path):
    case = Case(tmp_path)
    case.install()
    case.host._change(['systemd-timesyncd'], ['chrony'], True)
    (tmp_path / 'srv' / 'chrony').mkdir(parents=True)
    (tmp_path / 'etc' / 'chrony').symlink_to('../srv/chrony')
    assert case.undo() == []
    assert (tmp_path / 'etc' / 'chrony').is_symlink()


@pytest.mark.parametrize('manager', ['apt', 'dnf'])
def test_a_package_that_another_needs_by_now_stays_stopped_and_named(tmp_path, manager):
    case = Case(tmp_path, manager=manager, depends={'site-monitor': 'chrony'})
    case.host.available['systemd-timesyncd'] = {}
    case.install()
    case.host.packages.add('site-monitor')
    problems = case.undo()
    assert len(problems) == 1
    assert problems[0].startswith('the package chrony stays installed (stopped and disabled)')
    assert problems[0].endswith(', because undoing it would also change site-monitor')
    assert ('the package systemd-timesyncd was not installed again' in problems[0]) == (manager == 'apt')
    assert {'chrony', 'site-monitor'} <= case.host.packages
    assert case.stopped == ['chrony.service']
    assert not [command for command in case.host.commands if 'purge' in command or 'remove' in command or 'chrony-' in command]


def test_a_version_that_is_not_ours_is_left(tmp_path):
    case = Case(tmp_path)
    case.host.available['systemd-timesyncd'] = {}
    case.install()
    case.host.versions['chrony'] = '2.0'
    assert case.undo() == ['the package chrony was changed by another administrator afterwards and was left as it is now']
    assert 'chrony' in case.host.packages


@pytest.mark.parametrize('path, text', [
    ('/etc/chrony/chrony.conf', 'server theirs\n'), ('/etc/chrony/conf.d/theirs.conf', 'allow\n')])
def test_configuration_that_somebody_has_edited_is_not_purged(tmp_path, path, text):
    case = Case(tmp_path)
    case.host.available['systemd-timesyncd'] = {}
    case.install()
    case.host.put(path, text)
    problems = case.undo()
    assert case.host.text(path) == text
    assert 'its configuration stays, because another administrator has changed ' + path in problems[0]
    assert 'chrony' not in case.host.packages


def test_with_rpm_edited_configuration_keeps_the_package(tmp_path):
    """rpm -e would move it aside."""
    case = Case(tmp_path, manager='dnf')
    transaction = case.packages.ask('chrony')
    packages.install(case.log, case.packages, 'chrony', transaction, '', 'chronyd.service', ['/etc/chrony.conf'])
    case.host.put('/etc/chrony.conf', 'server theirs\n')
    assert 'stays installed (stopped and disabled), because another administrator has changed /etc/chrony.conf' in case.undo()[0]
    assert case.host.text('/etc/chrony.conf') == 'server theirs\n'


def test_a_package_of_another_architecture_is_not_ours(tmp_path):
    """A library of ours has the same name."""
    case = Case(tmp_path, 'libtomcrypt1:i386', brings={'chrony': ['libtomcrypt1']}, depends={'libtomcrypt1:i386': 'libtomcrypt1'})
    case.host.available['systemd-timesyncd'] = {}
    case.install()
    assert 'undoing it would also change libtomcrypt1:i386' in case.undo()[0]
    assert 'libtomcrypt1:i386' in case.host.packages


def test_configuration_that_a_removed_package_had_left_before_is_kept(tmp_path):
    case = Case(tmp_path)
    case.host.available['systemd-timesyncd'] = {}
    case.host.configured.add('chrony')
    case.host.put('/etc/chrony/chrony.conf', 'edited years ago\n')
    case.install()
    assert case.undo() == []
    assert case.host.text('/etc/chrony/chrony.conf') == 'edited years ago\n'
    assert 'chrony' in case.host.configured


@pytest.mark.parametrize('manager', ['apt', 'dnf'])
def test_configuration_that_was_there_before_its_package_is_not_purged(tmp_path, manager):
    """Another administrator prepared it. dpkg keeps it beside the one of the package."""
    config = '/etc/chrony/chrony.conf' if manager == 'apt' else '/etc/chrony.conf'
    case = Case(tmp_path, manager=manager)
    case.host.available = {'systemd-timesyncd': {}, 'chrony': {}}
    case.host.put(config, 'server theirs\n')
    real = case.host.put
    case.host.put = lambda path, text: None if path == config else real(path, text)
    packages.install(case.log, case.packages, 'chrony', case.packages.ask('chrony'), '', 'chrony.service', [config])
    case.host.available['chrony'][config] = ''      # a purge would remove it
    assert f'because {config} existed before it' in case.undo()[0]
    assert case.host.text(config) == 'server theirs\n'


def test_what_was_upgraded_along_is_named(tmp_path):
    case = Case(tmp_path, 'libnss3')
    case.host.available['systemd-timesyncd'] = {}
    real = case.host._apt_get
    case.host._apt_get = lambda words: real(words) + (
        'Inst libnss3 [1.0] (2.0 Debian:12/stable [amd64])\n' if '--simulate' in words and 'chrony' in words else '')
    case.install()
    assert case.undo() == ['the package libnss3 was upgraded as well and keeps its new version']
    assert 'libnss3' in case.host.packages
    assert 'chrony' not in case.host.packages


@pytest.mark.parametrize('done', [True, False])
def test_a_look_that_fails_while_undoing_removes_nothing(tmp_path, done):
    """Of a run that was killed, nothing shows who has installed it, so that its unit is not stopped."""
    case = Case(tmp_path)
    case.install()
    case.log.entries[0].done = done
    case.host.failing['dpkg-query'] = 'locked'
    said = 'may still be installed (stopped and disabled), because' if done else 'could not be restored'
    assert case.undo()[0].startswith(f'the package chrony {said}')
    assert (case.stopped, 'chrony' in case.host.packages) == (['chrony.service'] * done, True)
    del case.host.failing['dpkg-query']
    case.log.entries[0].left = ''
    case.host._apt_get = lambda words: Done(100, '', 'E: cannot tell')
    assert 'stays installed' in case.undo()[0]
    assert 'chrony' in case.host.packages


def with_a_removal_that_fails(tmp_path, said, first):
    """A case with chrony in place of systemd-timesyncd, whose undo apt-get refuses."""
    case = Case(tmp_path)
    case.host.available['systemd-timesyncd'] = {}
    case.install()
    real = case.host._apt_get

    def apt_get(words):
        if 'chrony-' in words and '--simulate' not in words:
            first(case.host)
            return Done(100, '', said)
        return real(words)
    case.host._apt_get = apt_get
    return case


def test_a_look_that_fails_after_a_removal_that_failed_stops_the_unit(tmp_path):
    case = with_a_removal_that_fails(tmp_path, 'E: no', lambda host: host.failing.update({'dpkg-query': 'locked'}))
    assert case.undo()[0].startswith('the package chrony may still be installed (stopped and disabled), because the installed')
    assert case.stopped == ['chrony.service']


@pytest.mark.parametrize('there', [True, False])
def test_what_stays_and_what_does_not_come_back_is_named(tmp_path, there):
    case = with_a_removal_that_fails(tmp_path, 'E: Failed to fetch it', lambda host: there or host._lose('chrony'))
    stays = 'the package chrony stays installed (stopped and disabled) and '
    assert case.undo() == [f"{stays * there}the package systemd-timesyncd was not installed again, because E: Failed to fetch it"]
    assert case.stopped == ['chrony.service'] * there


@pytest.mark.parametrize('manager', ['apt', 'dnf'])
@pytest.mark.parametrize('ends', [True, False])
def test_a_package_manager_that_outlives_its_run_is_waited_for(tmp_path, manager, ends):
    """It has its own session. dnf holds its lock only in a part of that time."""
    case = Case(tmp_path, manager=manager)
    case.host.available['systemd-timesyncd'] = {}
    tool, real = ('_apt_get', case.host._apt_get) if manager == 'apt' else ('_dnf', case.host._dnf)
    ran, sleep = [], case.host.sleep

    def killed(words):
        if '--simulate' in words or '--assumeno' in words or '--download-only' in words:
            return real(words)
        ran.append(words)
        raise KeyboardInterrupt
    setattr(case.host, tool, killed)
    with pytest.raises(KeyboardInterrupt):
        case.install()
    setattr(case.host, tool, real)
    case.host.put('/proc/7/cmdline', '\0'.join(['/usr/bin/python3', '/usr/bin/' + manager, *ran[0]]) + '\0')
    case.host.put('/proc/8/cmdline', '/usr/bin/dnf\0install\0chrony\0')

    def sleeping(seconds):
        sleep(seconds)
        if ends and case.host.time > 60 and case.host.exists('/proc/7'):
            real(ran[0])
            case.host.remove('/proc/7/cmdline')
            case.host.remove('/proc/7')
    case.host.sleep = sleeping
    case.log = UndoLog(case.host, STATE + '/time_service')
    case.log.read()
    assert case.undo() == [] if ends else 'interrupted run still installs it (PID 7)' in case.undo()[0]
    assert (case.host.time > 300, 'chrony' in case.host.packages) == (not ends, False)


@pytest.mark.parametrize('missing', ['units', 'upgraded', 'there', 'folders', 'begun'])
def test_a_transaction_of_another_version_is_undone(tmp_path, missing):
    case = Case(tmp_path)
    case.host.available['systemd-timesyncd'] = {}
    case.install()
    del case.log.entries[0].how[missing]
    assert case.undo() == []
    assert case.host.packages == case.before[0]


def test_a_transaction_that_was_cut_off_is_mended_first(tmp_path):
    case = Case(tmp_path)
    case.host.available['systemd-timesyncd'] = {}

    class PowerCut(BaseException):
        pass
    real = case.host._apt_get

    def cut(words):
        answer = real(words)
        if not {'--simulate', '--download-only'} & set(words) and 'install' in words:
            raise PowerCut
        return answer
    case.host._apt_get = cut
    with pytest.raises(PowerCut):
        case.install()
    case.host._apt_get = real
    case.log = UndoLog(case.host, STATE + '/time_service')
    case.log.read()
    assert case.undo() == []
    assert 'dpkg --configure -a' in case.host.commands
    assert case.state() == case.before


@pytest.mark.parametrize('manager', ['apt', 'dnf'])
@pytest.mark.parametrize('later', [60, 86400, -86400])
def test_what_others_edit_after_a_run_was_killed_is_not_purged(tmp_path, monkeypatch, manager, later):
    """apt-get completes its transaction after that, and the next run may be weeks later, or the clock was ahead then."""
    config = '/etc/chrony/chrony.conf' if manager == 'apt' else '/etc/chrony.conf'
    case = Case(tmp_path, manager=manager)
    case.host.available['systemd-timesyncd'] = {}
    now = time.time()

    def killed(host, places):
        raise KeyboardInterrupt
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(packages, 'fingerprints', killed)
        patch.setattr(packages.time, 'time', lambda: now - later)
        packages.install(case.log, case.packages, 'chrony', case.packages.ask('chrony'), '', 'chrony.service', [config])
    case.host.put(config, 'server theirs\n')
    case.log = UndoLog(case.host, STATE + '/time_service')
    case.log.read()
    problems = case.undo()
    if 0 < later < 900:
        assert (problems, case.host.text(config)) == ([], None), 'as the scripts of the package may have written it'
    else:
        assert 'because another administrator has changed ' + config in problems[0]
        assert case.host.text(config) == 'server theirs\n'


# The commands themselves


class Scripted:
    """A host that answers each command by its first line that fits, and keeps them."""

    def __init__(self, **answers):
        self.answers, self.commands, self.time = answers, [], 0.0

    def execute(self, command, timeout, environment):
        assert timeout == 900.0
        assert environment['DEBIAN_FRONTEND'] == 'noninteractive'
        self.commands.append(command)
        words = ' '.join(command)
        return next((answer for word, answer in self.answers.items() if word in words), Done(0, '', ''))

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds


NO_PAUSE = ['-o', 'APT::Get::AutomaticRemove=false', '-o', 'APT::Get::Purge=false', '-o', 'Dpkg::Use-Pty=0',
            '-o', 'Dpkg::Options::=--force-confdef', '-o', 'Dpkg::Options::=--force-confold']
APT_GET = ['apt-get', '-y', '-q', '--no-install-recommends', *NO_PAUSE]


@pytest.mark.parametrize('purge', [True, False])
@pytest.mark.parametrize('manager, simulated, done', [
    ('apt', [[*APT_GET, '--simulate', '{purge}', 'install', 'chrony-', 'libtom-', 'ntpsec']],
     [[*APT_GET, '{purge}', 'install', 'chrony-', 'libtom-', 'ntpsec']]),
    ('dnf', [['dnf', '--assumeno', '{keep}', 'remove', 'chrony', 'libtom'], ['dnf', '--assumeno', '{keep}', 'install', 'ntpsec']],
     [['dnf', '-y', '-q', '{keep}', 'remove', 'chrony', 'libtom'], ['dnf', '-y', '-q', '{keep}', 'install', 'ntpsec']]),
    ('zypper', [['zypper', '--non-interactive', '--xmlout', 'remove', '--dry-run', 'chrony', 'libtom'],
                ['zypper', '--non-interactive', '--xmlout', 'install', '--no-recommends', '--dry-run', 'ntpsec']],
     [['zypper', '--non-interactive', '--quiet', 'remove', 'chrony', 'libtom'],
      ['zypper', '--non-interactive', '--quiet', 'install', '--no-recommends', 'ntpsec']]),
])
def test_the_way_back_is_asked_for_and_gone_by_the_same_commands(manager, simulated, done, purge):
    more = {'{purge}': ['--purge'] * purge, '{keep}': ['--setopt=clean_requirements_on_remove=0', '--setopt=exit_on_lock=1']}

    def whole(commands):
        return [[each for word in command for each in more.get(word, [word])] for command in commands]
    says = {'apt': 'Remv chrony [1]\nInst ntpsec (1 D)\n', 'dnf': DNF, 'zypper': ZYPPER}[manager]
    host = Scripted(**{'simulate': Done(0, says, ''), '--assumeno': Done(1, says, ''), '--dry-run': Done(0, says, ''),
                       'dpkg-query': Done(0, 'chrony rc  1\nlibtom un  \n', ''), 'rpm': Done(0, 'bash ii 0:5\n', '')})
    known = {'apt': ['chrony', 'ntpsec'], 'dnf': ['chrony', 'timedatex'], 'zypper': ['chrony', 'libnettle8', 'ntp']}[manager]
    assert Packages(host, manager).would_undo(['chrony', 'libtom'], ['ntpsec'], purge) == known
    assert host.commands == whole(simulated)
    host.commands = []
    assert Packages(host, manager).undo(['chrony', 'libtom'], ['ntpsec'], purge) == ''
    listing = [package_managers.MANAGERS['apt'].listing, [*APT_GET, 'purge', 'chrony']]
    left = listing if manager == 'apt' else [package_managers.MANAGERS[manager].listing]
    assert [command for command in host.commands if command not in left] == whole(done)
    assert ([*APT_GET, 'purge', 'chrony'] in host.commands) == (manager == 'apt' and purge)
    host.commands = []
    assert Packages(host, manager).undo(['chrony'], [], purge) == ''
    assert len(host.commands) == 1


@pytest.mark.parametrize('manager', sorted(package_managers.MANAGERS))
def test_a_way_back_that_is_not_told_is_not_gone(manager):
    host = Scripted(**{manager: Done(1, '', 'E: ' + 'x' * 500 + 'the end')})
    with pytest.raises(LookFailed) as failed:
        Packages(host, manager).would_undo(['chrony'], ['ntpsec'], True)
    command = package_managers.MANAGERS[manager].simulate_removal[0]
    assert str(failed.value).startswith(f'"{command}" does not show what undoing it would do: xxx')
    assert str(failed.value).endswith('the end')
    assert len(host.commands) == 1


@pytest.mark.parametrize('code, mended', [(124, 1), (1, 0)])
def test_what_was_ended_by_time_is_mended_and_told(code, mended):
    host = Scripted(**{'apt-get': Done(code, '', 'y' * 600 + 'too long'), 'dpkg-query': Done(0, 'chrony ii  1\n', '')})
    manager = Packages(host, 'apt')
    assert manager.install('chrony').code == code
    assert [command[:2] for command in host.commands].count(['dpkg', '--configure']) == mended
    host.commands = []
    said = manager.undo(['chrony'], ['ntpsec'], True)
    assert (len(said), said.endswith('too long')) == (500, True)
    assert [command[:2] for command in host.commands].count(['dpkg', '--configure']) == mended
    assert not [command for command in host.commands if 'purge' in command]


@pytest.mark.parametrize('manager, removing, option', [
    ('apt', True, []), ('apt', False, ['--no-remove']), ('dnf', False, []), ('zypper', False, [])])
def test_the_option_that_keeps_all_that_is_installed(manager, removing, option):
    host = Scripted()
    assert Packages(host, manager).install('chrony', removing=removing).code == 0
    usual = package_managers.MANAGERS[manager].install
    assert host.commands == [[*usual[:-1], *option, usual[-1], 'chrony']]


@pytest.mark.parametrize('manager, fetched, purged, mended', [
    ('apt', [[*APT_GET, '--reinstall', '--download-only', 'install', 'ntpsec']], [[*APT_GET, 'purge', 'ntpsec']],
     [['dpkg', '--configure', '-a', '--force-confdef', '--force-confold']]),
    ('dnf', [], [], []), ('zypper', [], [], [])])
def test_what_only_some_managers_need(manager, fetched, purged, mended):
    host = Scripted()
    found = Packages(host, manager)
    found.fetch(['ntpsec'])
    assert host.commands == fetched
    found.purge(['ntpsec'])
    assert host.commands == fetched + purged
    found.mend()
    assert host.commands == fetched + purged + mended
    found.fetch([])
    found.purge([])
    assert host.commands == fetched + purged + mended


@pytest.mark.parametrize('after, refreshed, said', [
    ('Inst chrony (1 D)\n', 100, ''), ('Inst chrony (1 D)\n', 0, ''), ('', 100, 'mirror gone'), ('', 0, 'unable to locate')])
def test_a_mirror_that_does_not_answer_is_the_reason_only_where_the_package_is_missing(after, refreshed, said):
    class Host(Scripted):
        def execute(self, command, timeout, environment):
            super().execute(command, timeout, environment)
            if 'update' in command:
                return Done(refreshed, '', 'mirror gone' if refreshed else '')
            return Done(0, after, '') if len(self.commands) > 2 and after else Done(100, '', 'unable to locate')
    host = Host()
    if said:
        with pytest.raises(CannotInstall, match=said + '$'):
            Packages(host, 'apt').ask('chrony')
    else:
        assert Packages(host, 'apt').ask('chrony').installs == {'chrony': '1'}
    assert [command[-1] for command in host.commands] == ['chrony', 'update', 'chrony'] + ['chrony'] * (not said)
    assert ('--download-only' in host.commands[-1]) == (not said)


def test_the_time_that_a_lock_is_waited_for():
    host = Scripted(**{'apt-get': Done(100, '', 'E: Could not get lock /var/lib/dpkg/lock')})
    assert 'has held its lock for 300 s: Could not' in Packages(host, 'apt').install('chrony').err.replace('E: ', '')
    assert (host.time, len(host.commands)) == (300.0, 61)


# Locks and lists


def test_a_lock_is_waited_for_and_its_holder_named_when_it_takes_too_long(tmp_path):
    case = Case(tmp_path, locked_until=180.0)
    assert case.install().code == 0
    assert 180 < case.host.time < 200
    late = Case(tmp_path / 'late', locked_until=1e9)
    with pytest.raises(CannotInstall, match='another package manager has held its lock for 300 s.*unattended-upgr'):
        late.install()
    assert late.host.time < packages.LOCK_WAIT + 20


def test_a_signal_ends_the_waiting_for_a_lock(tmp_path):
    case = Case(tmp_path, locked_until=1e9)
    sleep = case.host.sleep

    def signalled(seconds):
        sleep(seconds)
        case.stop.name = 'SIGTERM'
    case.host.sleep = signalled
    with pytest.raises(Interrupted):
        case.install()
    case.host._dpkg = lambda words: Done(2, '', 'dpkg: error: dpkg frontend lock was locked by another process with pid 7')
    assert case.undo() == []
    assert case.host.time < 10, 'nothing was begun, so that nothing is to be mended'


@pytest.mark.parametrize('said', [
    'E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (unattended-upgr)',
    'E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?',
    'E: Unable to lock the administration directory (/var/lib/dpkg/), is another process using it?',
    'dpkg: error: dpkg frontend lock was locked by another process with pid 7',
    'dpkg: error: dpkg status database is locked by another process',
    'Existing lock /var/run/yum.pid: another copy is running as pid 7.',
    'metadata already locked by 7', 'RPMDB already locked by 7',
    "RPM: error: can't create transaction lock on /var/lib/rpm/.rpm.lock (Resource temporarily unavailable)",
    'System management is locked by the application with pid 7 (zypper).\nClose this application before trying again.'])
def test_each_managers_words_for_a_lock(tmp_path, said):
    host = FakeHost(tmp_path)
    host._dnf = lambda words: Done(1, '', said) if host.time < 60 else DNF
    assert Packages(host, 'dnf').ask('chrony').installs
    assert 60 <= host.time < 80


def test_other_failures_are_not_waited_for(tmp_path):
    host = FakeHost(tmp_path)
    host._dnf = lambda words: Done(1, '', 'Error: Unable to find a match: chrony')
    with pytest.raises(CannotInstall, match='chrony: Error: Unable to find a match'):
        Packages(host, 'dnf').ask('chrony')
    assert host.time < 5


@pytest.mark.parametrize('said, message, advice', [
    (ZYPPER_DOWN, "chrony: Download (curl) error for 'http://127.0.0.1:9/rpm/repodata/repomd.xml': Error code: Connection failed "
     "Error message: Failed to connect to 127.0.0.1 port 9 after 0 ms: Couldn't connect to server Skipping repository 'lab' "
     "because of the above error. Some of the repositories have not been refreshed because of an error. "
     "No provider of 'chrony' found.",
     'reaches its package sources'),
    (ZYPPER_LACKS_IT, "chrony: No provider of 'chrony' found.", 'sources are enabled and have this package'),
    (ZYPPER_NO_REPOSITORY, 'chrony: No repositories defined. Operating only with the installed resolvables. Nothing can be '
     "installed. No provider of 'chrony' found.", 'enable a package source'),
    (ZYPPER_MISTYPED, 'chrony: Unexpected exception. /etc/zypp/repos.d/lab.repo: Section []: Line 1 contains garbage '
     "(no '=' or ':/?|,\\' in key)", 'correct the files of its package sources'),
])
def test_what_zypper_says_in_xml_is_passed_on_in_words(tmp_path, said, message, advice):
    host = FakeHost(tmp_path)
    host._zypper = lambda words: Done(104, said, '')
    with pytest.raises(CannotInstall) as raised:
        Packages(host, 'zypper').ask('chrony')
    assert str(raised.value) == message
    assert advice in raised.value.advice


def test_the_lists_are_refreshed_only_where_they_do_not_do(tmp_path):
    host = FakeHost(tmp_path)
    host.packages.add('base-files')
    assert Packages(host, 'apt').ask('chrony').installs == {'chrony': '1.0'}
    assert host.commands == []
    available, host.available = host.available, {}
    real = host._apt_get

    def refreshed(words):
        if 'update' in words:
            host.available = available
        return real(words)
    host._apt_get = refreshed
    assert Packages(host, 'apt').ask('chrony').installs == {'chrony': '1.0'}
    assert host.commands == ['apt-get update']


@pytest.mark.parametrize('still', [False, True])
def test_a_version_that_the_mirror_has_no_more_is_looked_up_again(tmp_path, still):
    """The lists of a host that is rarely upgraded are months old, and a mirror keeps only the newest version."""
    said = 'E: Failed to fetch http://deb.debian.org/debian/pool/main/c/chrony/chrony_4.3-2_amd64.deb  404  Not Found [IP: 1 80]'
    case = Case(tmp_path)
    real = case.host._apt_get

    def asked(words):
        if '--download-only' in words and (still or 'apt-get update' not in case.host.commands):
            return Done(100, '', said)
        return real(words)
    case.host._apt_get = asked
    if still:
        with pytest.raises(CannotInstall, match='chrony: E: Failed to fetch .* 404'):
            case.install()
        assert case.host.commands == ['apt-get update']
        assert not case.log.entries
    else:
        assert case.install().code == 0
        assert case.host.commands == ['apt-get update', 'apt-get install chrony']


# Recorded from apt 2.6 with a mirror that refuses connections: the update ends with 0.
UPDATE_UNREACHED = """\
W: Failed to fetch http://127.0.0.1:9/debian/dists/bookworm/InRelease  Could not connect to 127.0.0.1:9 (127.0.0.1). - \
connect (111: Connection refused)
W: Some index files failed to download. They have been ignored, or old ones used instead.
"""


def test_an_update_that_only_warns_of_its_mirror_is_the_reason(tmp_path):
    host = FakeHost(tmp_path)
    host._apt_get = lambda words: Done(0, '', UPDATE_UNREACHED) if 'update' in words else Done(
        100, '', "E: Package 'chrony' has no installation candidate\n")
    with pytest.raises(CannotInstall, match="'chrony' has no installation candidate W: Failed to fetch .*refused") as raised:
        Packages(host, 'apt').ask('chrony')
    assert raised.value.advice == 'see that this host reaches its package sources'


def test_warnings_do_not_hide_the_error(tmp_path):
    host = FakeHost(tmp_path)
    twice = 'W: Target Packages (main/binary-amd64/Packages) is configured multiple times in /etc/apt/sources.list:{0} and ' \
        '/etc/apt/sources.list.d/site.list:1\n'
    host._apt_get = lambda words: Done(
        100, '', ''.join(twice.format(number) for number in range(20)) + 'E: dpkg was interrupted, you must manually run \'dpkg '
        "--configure -a' to correct the problem. \n")
    with pytest.raises(CannotInstall, match='chrony: E: dpkg was interrupted') as raised:
        Packages(host, 'apt').ask('chrony')
    assert 'dpkg --configure -a' in raised.value.advice
    host._apt_get = lambda words: Done(100, '', 'W: An error occurred\n')
    with pytest.raises(CannotInstall, match='chrony: W: An error occurred'):
        Packages(host, 'apt').ask('chrony')


# After the form of dpkg 1.21: a package that was broken before is tried again in each transaction.
FOREIGN = """dpkg: error processing package linux-image-amd64 (--configure):
 installed linux-image-amd64 package post-installation script subprocess returned error exit status 1
Errors were encountered while processing:
 linux-image-amd64
E: Sub-process /usr/bin/dpkg returned an error code (1)
"""


@pytest.mark.parametrize('broken', [False, True])
def test_a_package_that_was_broken_before_does_not_make_ours_one_that_failed(tmp_path, broken):
    case = Case(tmp_path)
    case.host.available['systemd-timesyncd'] = {}
    real = case.host._apt_get

    def fails(words):
        answer = real(words)
        if {'--simulate', '--download-only', 'update'} & set(words):
            return answer
        if broken:
            case.host.broken |= case.host.packages & {'chrony'}
        return Done(100, '', FOREIGN)
    case.host._apt_get = fails
    assert case.install().code == (100 if broken else 0)
    assert case.undo() == []
    assert case.state() == case.before
    assert not case.stopped


def test_a_removal_that_was_done_is_one_though_a_mirror_was_skipped(tmp_path):
    """zypper remove reads the sources too, and ends with 106 if one could not be refreshed."""
    host = Scripted(zypper=Done(106, '', ''), rpm=Done(0, 'bash ii 0:5\n', ''))
    assert Packages(host, 'zypper').undo(['chrony'], [], True) == ''
    host = Scripted(zypper=Done(106, '', 'not done'), rpm=Done(0, 'chrony ii 0:5\n', ''))
    assert Packages(host, 'zypper').undo(['chrony'], [], True) == 'not done'


def test_a_package_manager_gets_the_time_to_close_its_database(monkeypatch, tmp_path):
    from ansible_collections.aemops.brand_portal.plugins.module_utils._host import system
    graces = []
    monkeypatch.setattr(system.process, 'run', lambda command, timeout, environment, grace: graces.append(grace))
    host = system.System(str(tmp_path))
    for command in ('apt-get', '/usr/bin/dnf', 'dpkg', 'chronyc'):
        host.execute([command])
    assert graces == [30.0, 30.0, 30.0, system.process.GRACE]
