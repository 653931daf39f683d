# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Installs the package of a daemon, and takes it back with all that came with it or went for it.

Not with Ansible's own modules: these know no way back, and between two tasks of a play a host can be cut off.
"""

from typing import Dict, List, NamedTuple, Sequence

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import Done, System

_QUIET = {'DEBIAN_FRONTEND': 'noninteractive', 'APT_LISTCHANGES_FRONTEND': 'none', 'NEEDRESTART_SUSPEND': '1'}
_APT = ['apt-get', '-y', '-q', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120',
        '-o', 'Dpkg::Options::=--force-confdef', '-o', 'Dpkg::Options::=--force-confold']
_ZYPPER = ['zypper', '--non-interactive', '--quiet']


class Manager(NamedTuple):
    """The commands of one package manager; names of packages are appended."""

    refresh: List[str]      # [] where installing does it
    install: List[str]
    remove: List[str]
    purge: List[str]
    fetch: List[str]        # into its cache, without installing; [] where packages do not replace one another
    mend: List[str]         # after it was killed
    listing: List[str]      # one line a package: its name, and on Debian its state


MANAGERS: Dict[str, Manager] = {
    'apt': Manager(['apt-get', '-q', '-o', 'DPkg::Lock::Timeout=120', 'update'], _APT + ['install'], _APT + ['remove'],
                   _APT + ['purge'], _APT + ['--reinstall', '--download-only', 'install'],
                   ['dpkg', '--configure', '-a', '--force-confdef', '--force-confold'],
                   ['dpkg-query', '-W', '-f', '${Package} ${db:Status-Abbrev}\\n']),
    'dnf': Manager([], ['dnf', '-y', '-q', 'install'], ['dnf', '-y', '-q', 'remove'], ['dnf', '-y', '-q', 'remove'], [], [],
                   ['rpm', '-qa', '--qf', '%{NAME} ii\\n']),
    'yum': Manager([], ['yum', '-y', '-q', 'install'], ['yum', '-y', '-q', 'remove'], ['yum', '-y', '-q', 'remove'], [], [],
                   ['rpm', '-qa', '--qf', '%{NAME} ii\\n']),
    'zypper': Manager([], _ZYPPER + ['install', '--no-recommends'], _ZYPPER + ['remove'], _ZYPPER + ['remove'], [], [],
                      ['rpm', '-qa', '--qf', '%{NAME} ii\\n']),
}

# Seconds; a slow mirror and a small machine take their time.
_LONGEST = 900.0


class Packages:
    """The packages of a host."""

    def __init__(self, system: System, manager: str) -> None:
        self._system = system
        self.manager = MANAGERS[manager]

    def _run(self, command: List[str], names: Sequence[str] = ()) -> Done:
        return self._system.execute(command + list(names), _LONGEST, _QUIET)

    def states(self) -> Dict[str, str]:
        """{package: two letters}: ii is installed, rc has left its configuration behind."""
        pairs = (line.split() for line in self._run(self.manager.listing).out.splitlines())
        return {pair[0]: pair[1] for pair in pairs if len(pair) > 1}

    def fetch(self, names: Sequence[str]) -> None:
        """Have packages at hand that are about to be replaced: without a network they could not come back."""
        if names and self.manager.fetch:
            self._run(self.manager.fetch, names)

    def install(self, name: str) -> Done:
        """The package lists are only fetched anew where those there are do not do."""
        done = self._run(self.manager.install, [name])
        if done.code and self.manager.refresh:
            refreshed = self._run(self.manager.refresh)
            if refreshed.code:
                return refreshed
            # A mirror that cannot be reached is only a warning of the first of the two.
            again = self._run(self.manager.install, [name])
            return again._replace(err='{0} {1}'.format(again.err, refreshed.err))
        return done

    def mend(self) -> None:
        """Let a package manager that was killed finish what it had begun."""
        if self.manager.mend:
            self._run(self.manager.mend)

    def put_back(self, before: Dict[str, str]) -> List[str]:
        """Make the packages those of `before` again; returns what did not succeed, in words."""
        after = self.states()
        gone = sorted(name for name, state in before.items() if state.startswith('ii') and not after.get(name, '').startswith('ii'))
        came = sorted(name for name, state in after.items() if not state.startswith('un') and name not in before)
        back = sorted(name for name, state in after.items() if name in before
                      and not before[name].startswith('ii') and state.startswith('ii'))
        problems = []
        if gone:
            done = self.install(gone[0]) if len(gone) == 1 else self._run(self.manager.install, gone)
            if done.code:
                problems.append('the package {0} could not be installed again: {1}'.format(', '.join(gone), done.said[-500:]))
        for command, names in ((self.manager.purge, came), (self.manager.remove, back)):
            done = self._run(command, names) if names else Done(0, '', '')
            if done.code:
                problems.append('the package {0} could not be removed again: {1}'.format(', '.join(names), done.said[-500:]))
        return problems
