# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that are folders: their files are real, their systemd, packages and daemons are played from tables."""

import os

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import discovery
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import Done, System

# What the vendors' files are like, in short: Debian 12; RHEL 9; SLES 15.
CHRONY_DEBIAN = ('confdir /etc/chrony/conf.d\npool 2.debian.pool.ntp.org iburst\nsourcedir /run/chrony-dhcp\n'
                 'sourcedir /etc/chrony/sources.d\nkeyfile /etc/chrony/chrony.keys\nmakestep 1 3\nleapsectz right/UTC\n')
CHRONY_REDHAT = ('pool 2.rhel.pool.ntp.org iburst\nsourcedir /run/chrony-dhcp\nmakestep 1.0 3\nrtcsync\n'
                 'keyfile /etc/chrony.keys\nleapsectz right/UTC\n')
CHRONY_SUSE = '! pool pool.ntp.org iburst\nmakestep 1.0 3\ninclude /etc/chrony.d/*.conf\n'
NTPSEC = ('tos minclock 4 minsane 3\npool 0.debian.pool.ntp.org iburst\n'
          'restrict default kod nomodify nopeer noquery limited\nrestrict 127.0.0.1\nrestrict ::1\n')

RELEASES = {
    'debian-11': 'ID=debian\nVERSION_ID="11"\n',
    'debian-12': 'ID=debian\nVERSION_ID="12"\n',
    'debian-13': 'ID=debian\nVERSION_ID="13"\n',
    'ubuntu-20.04': 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="20.04"\n',
    'ubuntu-22.04': 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"\n',
    'ubuntu-24.04': 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n',
    'ubuntu-26.04': 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="26.04"\n',
    'rhel-7': 'ID="rhel"\nID_LIKE="fedora"\nVERSION_ID="7.9"\n',
    'centos-7': 'ID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="7"\n',
    'rhel-8': 'ID="rhel"\nID_LIKE="fedora"\nVERSION_ID="8.10"\n',
    'alma-9': 'ID="almalinux"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\n',
    'rocky-10': 'ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="10.0"\n',
    'amazon-2': 'ID="amzn"\nID_LIKE="centos rhel fedora"\nVERSION_ID="2"\n',
    'amazon-2023': 'ID="amzn"\nID_LIKE="fedora"\nVERSION_ID="2023"\n',
    'sles-12': 'ID="sles"\nID_LIKE="suse"\nVERSION_ID="12.5"\n',
    'sles-15': 'ID="sles"\nID_LIKE="suse"\nVERSION_ID="15.6"\n',
    'sles-16': 'ID="sles"\nID_LIKE="suse"\nVERSION_ID="16.0"\n',
}

BINARIES = {'chrony': '/usr/sbin/chronyd', 'chronyd': '/usr/sbin/chronyd', 'ntpsec': '/usr/sbin/ntpd', 'ntp': '/usr/sbin/ntpd',
            'ntpd': '/usr/sbin/ntpd', 'openntpd': '/usr/sbin/openntpd', 'ntpd-rs': '/usr/bin/ntp-daemon',
            'systemd-timesyncd': '/usr/lib/systemd/systemd-timesyncd'}


CONFIGURATIONS = ('/etc/chrony.conf', '/etc/chrony/chrony.conf', '/etc/ntp.conf', '/etc/ntpsec/ntp.conf')


class FakeHost(System):
    """A host below `root`. `units` are those systemd knows: {name: [active, file state]}; `packages` installed ones."""

    def __init__(self, root, release='debian-12', files=None):
        super().__init__(str(root))
        self.edits, self.known_sources = 0, []
        self.units, self.packages = {}, set()
        self.linked = set()     # units whose file is known by a link alone (systemctl link)
        self.pids, self.next_commands = {}, []      # of units whose processes have a command line, see runs()
        self.failed = set()     # units that are gone, but whose failure systemd still remembers
        self.dependents = {}    # {unit: units that systemd stops or restarts together with it}
        self.restarted_along = []   # those that a restart of another one has restarted
        self.time = 0.0
        self.commands = []      # all that were run, but for questions
        self.synchronised_after = 1.0   # seconds after a daemon's start or new sources; None: never
        self.correction = 0.001
        self.began = 0.0
        self.failing = {}       # {first words of a command: what it says}
        self.rejects = ''       # a word that chronyd does not know
        self.chronyd_version = '4.3 (+CMDMON +NTP +REFCLOCK +NTS +SECHASH +IPV6 -DEBUG)'
        self.vmware = ''        # output of VMware tools about their time synchronization: Enabled, Disabled
        self.logged = []        # what the host's journal was told
        self.versions = {}      # of packages, where it is not 1.0
        self.configured = set()     # removed packages whose configuration is left
        self.broken = set()     # packages that were cut off while they were installed
        self.depends = {}       # {package: the package that it cannot be without}
        self.brings = {}        # {package: packages that come along with it}
        self.locked_until = 0.0     # another package manager is at work
        self.available = {'chrony': {'/etc/chrony/chrony.conf': CHRONY_DEBIAN, '/etc/chrony/chrony.keys': ''}}
        self.put('/etc/os-release', RELEASES[release])
        self.put('/etc/systemd/system/default.target', '')
        self.put('/etc/group', 'root:x:0:\n')
        os.makedirs(self.path('/var/lib'))
        if release.startswith(('debian', 'ubuntu')):
            self.put('/usr/bin/apt', '')
        for path, text in (files or {}).items():
            self.put(path, text)

    def write(self, *arguments, **more):
        self.edits += 1
        super().write(*arguments, **more)

    def remove(self, path):
        self.edits += 1
        super().remove(path)

    def put(self, path, text):
        self.edits += 1
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        with open(self.path(path), 'w', encoding='utf-8', newline='') as stream:
            stream.write(text)

    def has(self, unit, active='active', state='enabled', package=None):
        """Give it a daemon."""
        self.units[unit + '.service'] = [active, state]
        self.put(BINARIES[unit], '')
        os.chmod(self.path(BINARIES[unit]), 0o755)
        self.put('/usr/lib/systemd/system/{}.service'.format(unit), '')
        self.packages.add(package or unit)
        return self

    def runs(self, unit, command, *next_commands):
        """Give the unit a process with this command line. Its next starts have the next ones."""
        self.remove('/proc/{}/cmdline'.format(self.pids.get(unit, 0)))
        self.pids[unit] = self.pids.get(unit, 41) + 1
        self.put('/proc/{}/cmdline'.format(self.pids[unit]), command.replace(' ', '\0') + '\0')
        self.next_commands = next_commands

    def tree(self):
        """{path: text} of all that could have been changed."""
        found = {}
        for top in ('/etc', '/var'):
            for folder, folders, names in os.walk(self.path(top)):
                for name in names + folders:
                    path = os.path.join(folder, name)
                    found['/' + os.path.relpath(path, self.root)] = self.text('/' + os.path.relpath(path, self.root)) \
                        if os.path.isfile(path) else ''
        return found

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds

    # commands

    def execute(self, command, timeout=100.0, environment=None):
        self.time += 0.01
        words = ' '.join(command)
        for failing, said in self.failing.items():
            if words.startswith(failing):
                self.commands.append(words)
                return Done(1, '', said)
        answer = getattr(self, '_' + os.path.basename(command[0]).replace('-', '_'))(command[1:])
        return answer if isinstance(answer, Done) else Done(0, answer, '')

    def _systemctl(self, words):
        if 'RequiredBy' in ' '.join(words):
            return '\n\n'.join('LoadState=loaded\nRequiredBy=\nBoundBy={}'.format(' '.join(self.dependents.get(unit, [])))
                               for unit in words[words.index('--property') + 2:])
        if words[0] == 'show':
            blocks = []
            for unit in words[words.index('--property') + 2:]:
                active, state = self.units.get(unit, ('inactive', ''))
                load = 'masked' if state == 'masked' else 'loaded' if self._knows(unit) else 'not-found'
                active, state = (active, state) if self._knows(unit) else ('failed' if unit in self.failed else 'inactive', '')
                blocks.append('Id={}\nLoadState={}\nActiveState={}\nUnitFileState={}\n'.format(unit, load, active, state))
                blocks[-1] += 'MainPID={}\n'.format(self.pids[unit]) if unit in self.pids else ''
            return '\n'.join(blocks)
        self.commands.append('systemctl ' + ' '.join(word for word in words if word != '--quiet'))
        verb, units = words[0], [word for word in words[1:] if not word.startswith('--')]
        for unit in units:
            if verb == 'reset-failed' and unit in self.failed:
                self.failed.discard(unit)
                continue
            if not self._knows(unit):
                return Done(1, '', 'Unit {} not found.'.format(unit))
            known = self.units[unit]
            if verb == 'disable' and unit in self.linked:
                os.remove(self.path('/etc/systemd/system/' + unit))
            if verb == 'try-restart' and known[0] != 'active' or verb == 'unmask' and known[1] != 'masked':
                continue
            if verb in ('start', 'restart', 'try-restart') and known[1] == 'masked':
                return Done(1, '', 'Unit {} is masked.'.format(unit))
            if verb == 'enable' and known[1] == 'masked':
                return Done(1, '', 'Failed to enable unit: Unit file /etc/systemd/system/{} is masked.'.format(unit))
            if verb == 'disable' and known[1] == 'masked':
                known[0] = 'inactive' if '--now' in words else known[0]
                continue
            if verb in ('restart', 'try-restart'):
                self.restarted_along += [each for each in self.dependents.get(unit, []) if self.units[each][0] == 'active']
            if verb in ('start', 'restart', 'try-restart') or verb == 'enable' and '--now' in words:
                known[0] = 'active'
                self.began = self.time
                if self.next_commands:
                    self.runs(unit, *self.next_commands)
            if verb == 'stop' or '--now' in words and verb == 'disable':
                known[0] = 'inactive'
            if known[1] == 'generated' and verb in ('enable', 'disable'):
                self.init_script(unit, verb == 'enable')
                continue
            known[1] = {'enable': 'enabled', 'disable': 'disabled', 'mask': 'masked', 'unmask': 'disabled'}.get(verb, known[1])
        return ''

    def fails_after(self, verb, unit):
        """From now on, systemd counts the unit as failed after this verb of systemctl."""
        systemctl = self._systemctl

        def failing(words):
            answer = systemctl(words)
            if words[0] == verb:
                self.units[unit][0] = 'failed'
            return answer
        self._systemctl = failing

    def init_script(self, unit, starts=True):
        """Give the unit an init script, and the link by which a runlevel starts it, or not."""
        name = unit.partition('.')[0]
        self.units[unit][1] = 'generated'
        self.put('/etc/init.d/' + name, '#!/bin/sh\n')
        if starts:
            self.link('/etc/rc3.d/S20' + name, '../init.d/' + name)
        else:
            self.remove('/etc/rc3.d/S20' + name)

    def _knows(self, unit):
        return unit in self.units and (
            unit not in self.linked or os.path.lexists(self.path('/etc/systemd/system/' + unit)))

    def _journalctl(self, words):
        return 'chronyd[1]: Could not resolve no.example\nchronyd[1]: key 0123456789ABCDEF\n'

    def _chronyd(self, words):
        if words == ['-v']:
            return 'chronyd (chrony) version {}\n'.format(self.chronyd_version)
        config = words[words.index('-f') + 1]
        for number, line in enumerate(self.read(config).splitlines(), 1):
            if self.rejects and self.rejects in line:
                said = '2026-11-25T12:00:00Z Fatal error : Invalid directive at line {} in file {}\n'.format(number, config)
                return Done(1, 'driftfile /var\n', said)
        return ''

    def _synchronised(self):
        return self.synchronised_after is not None and self.time - self.began >= self.synchronised_after

    def _chronyc(self, words):
        if not any(self.units.get(unit, [''])[0] == 'active' for unit in ('chrony.service', 'chronyd.service')):
            return Done(1, '506 Cannot talk to daemon\n', '')
        if words[-1] == 'tracking':
            return 'C0000201,192.0.2.1,2,0,{0},0,0,0,0,0,0,0,64,Normal\n'.format(self.correction) if self._synchronised() else \
                '00000000,,0,0,0,0,0,0,0,0,1,1,0,Not synchronised\n'
        if words[-1] == 'sources' and 'reload' not in words and 'reset' not in words:
            reach = 377 if self._synchronised() else 0
            return ''.join('^,?,{0},0,6,{1},4294967295,0,0,0\n'.format(name, reach) for name in self._asked('chrony'))
        if words[-1] in ('selectdata', 'activity'):
            return ''
        self.commands.append('chronyc ' + ' '.join(words[1:]))
        if 'makestep' in words:
            self.correction = 0.0
        if words[1] in ('reload', 'reset'):
            self.began = self.time
        return '200 OK\n'

    def _asked(self, name):
        """The servers that the daemon lists: those of the files that it reads."""
        key = name, self.edits, str(self.units), tuple(self._size(path) for path in CONFIGURATIONS)
        if self.known_sources[:1] != [key]:
            # A daemon is asked hundreds of times while nothing changes.
            facts = next(each for each in discovery.find_daemons(self) if each['name'] == name)
            self.known_sources = [key, discovery.make(self, facts).source_names()]
        return self.known_sources[1]

    def _size(self, path):
        """A test may write a file itself."""
        return os.path.getsize(self.path(path)) if self.exists(path) else -1

    def _ntpq(self, words):
        if words[-1].startswith('rv'):
            return 'leap=00, stratum=2, refid=192.0.2.1, offset={0}\n'.format(self.correction * 1000) if self._synchronised() else \
                'leap=11, stratum=16, offset=0.0\n'
        name = 'ntpsec' if self.exists('/etc/ntpsec/ntp.conf') else 'ntpd'
        reach = 377 if self._synchronised() else 0
        return 'head\n====\n' + ''.join(' {0} .INIT. 16 u - 64 {1} 0 0 0\n'.format(name, reach) for name in self._asked(name))

    def _timedatectl(self, words):
        if self._synchronised():
            self.put('/run/systemd/timesync/synchronized', '')
            return '       Server: 192.0.2.1\n       Offset: -1.5ms\n'
        return '       Server: n/a\n'

    def _vmware_toolbox_cmd(self, words):
        if words[1] == 'status':
            return Done(0 if self.vmware == 'Enabled' else 69, self.vmware + '\n', '')
        self.commands.append('vmware-toolbox-cmd ' + ' '.join(words))
        self.vmware = {'enable': 'Enabled', 'disable': 'Disabled'}[words[1]]
        return self.vmware + '\n'

    # packages

    def log(self, message):
        self.logged.append(message)

    def _version(self, name):
        return self.versions.get(name, '1.0')

    def _dpkg_query(self, words):
        return 'base-files ii  12\n' + ''.join(
            '{} i{}  {}\n'.format(name, 'U' if name in self.broken else 'i', self._version(name))
            for name in sorted(self.packages)) + ''.join(
            '{} rc  {}\n'.format(name, self._version(name)) for name in sorted(self.configured - self.packages))

    def _rpm(self, words):
        return 'basesystem ii 0:11-1\n' + ''.join(
            '{} ii 0:{}-1\n'.format(name, self._version(name)) for name in sorted(self.packages))

    def _transaction(self, added, removed):
        """(what comes, what goes), as a solver finds it: conflicts of time daemons, what comes along, what cannot be without."""
        come = [each for name in added for each in [name] + self.brings.get(name, []) if each not in self.packages]
        go = [name for name in removed if name in self.packages]
        go += [other for name in come if name in BINARIES for other in sorted(self.packages)
               if other + '.service' in self.units and other not in go + come]
        go += [name for name, needed in sorted(self.depends.items()) if needed in go and name in self.packages and name not in go]
        return come, go

    def _change(self, come, go, purge):
        for name in go:
            if purge:
                for path in self.available.get(name, {}):
                    self.remove(path)
                    self.remove(os.path.dirname(path))
            else:
                self.configured.add(name)
            self._lose(name)
        for name in come:
            for path, text in self.available.get(name, {}).items():
                if name not in self.configured or self.text(path) is None:
                    self.put(path, text)
            self.configured.discard(name)
            if name in BINARIES:
                self.has(name)
                self.began = self.time
            self.packages.add(name)

    def _apt_get(self, words):
        verb = next(word for word in words if word in ('install', 'purge', 'remove', 'update'))
        names = words[words.index(verb) + 1:]
        simulated = '--simulate' in words
        if not simulated and '--download-only' not in words:
            self.commands.append('apt-get ' + ' '.join(word for word in words if word[0] != '-' and '=' not in word))
        if self.time < self.locked_until and not simulated:
            return Done(100, '', 'E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (unattended-upgr)')
        if '--download-only' in words or verb == 'update':
            return ''
        added = [name for name in names if verb == 'install' and not name.endswith('-')]
        removed = [name.rstrip('-') for name in names if name not in added]
        for name in added:
            if name not in self.available and name not in self.packages:
                return Done(100, '', 'E: Unable to locate package {}'.format(name))
        come, go = self._transaction(added, removed)
        purge = verb == 'purge' or '--purge' in words
        if simulated:
            return ''.join('{} {} [{}]\n'.format('Purg' if purge else 'Remv', name, self._version(name)) for name in go) + ''.join(
                'Inst {} ({} Debian:12/stable [amd64])\n'.format(name, self._version(name)) for name in come)
        if go and '--no-remove' in words:
            return Done(100, '', 'E: Packages need to be removed but remove is disabled.')
        self._change(come, go, purge)
        for name in removed if verb == 'purge' else []:
            self.configured.discard(name)
            for path in self.available.get(name, {}):
                self.remove(path)
                self.remove(os.path.dirname(path))
        return ''

    def _lose(self, name):
        self.packages.discard(name)
        if self.units.pop(name + '.service', [''])[0] == 'failed':
            self.failed.add(name + '.service')
        self.remove(BINARIES.get(name, '/nothing'))

    def _dpkg(self, words):
        self.commands.append('dpkg ' + ' '.join(words[:2]))
        for name in self.broken:
            for path, text in self.available.get(name, {}).items():
                self.put(path, text)
            if name in BINARIES:
                self.has(name)
        self.broken.clear()
        return ''

    def _dnf(self, words):
        verb = next(word for word in words if word in ('install', 'remove'))
        names = words[words.index(verb) + 1:]
        simulated = '--assumeno' in words
        if not simulated:
            self.commands.append('dnf ' + ' '.join(word for word in words if word[0] != '-'))
        come, go = self._transaction(names if verb == 'install' else [], names if verb == 'remove' else [])
        if simulated:
            rows = [('Installing:', come), ('Removing:', go)]
            table = ''.join(heading + '\n' + ''.join(
                ' {} x86_64 {}-1 base 300 k\n'.format(name, self._version(name)) for name in listed)
                for heading, listed in rows if listed)
            return Done(1, 'Dependencies resolved.\n' + table + '\nTransaction Summary\n', 'Operation aborted.\n')
        for name in go:
            self.packages.discard(name)
            for unit in ('chronyd.service',) if name == 'chrony' else ():
                self.units.pop(unit, None)
                self.remove('/etc/chrony.conf')
                self.remove(BINARIES['chronyd'])
        if 'chrony' in come:
            self.put('/etc/chrony.conf', CHRONY_REDHAT)
            self.has('chronyd', 'inactive', 'enabled', 'chrony')
        self.packages |= set(come)
        return ''

    _yum = _dnf
