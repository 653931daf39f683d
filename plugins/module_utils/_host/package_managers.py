# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands of each package manager, and the parsers of its simulations."""

import html
import re
from typing import Callable, Dict, List, NamedTuple

# Without its own terminal, dpkg stays in the process group of the command.
# The host's apt.conf must not make it remove or purge more.
_APT = ['apt-get', '-y', '-q', '--no-install-recommends', '-o', 'APT::Get::AutomaticRemove=false', '-o', 'APT::Get::Purge=false',
        '-o', 'Dpkg::Use-Pty=0',
        '-o', 'Dpkg::Options::=--force-confdef', '-o', 'Dpkg::Options::=--force-confold']
_ZYPPER = ['zypper', '--non-interactive']
_RPM = ['rpm', '-qa', '--qf', '%{NAME} ii %{EPOCHNUM}:%{VERSION}-%{RELEASE}\\n']
# Packages that nothing needs any more are left alone.
_KEEP_OTHERS = ['--setopt=clean_requirements_on_remove=0', '--setopt=exit_on_lock=1']


class Transaction(NamedTuple):
    """What a package manager would do: {name: version}, '' for an unknown version."""

    installs: Dict[str, str]
    removes: Dict[str, str]
    upgrades: Dict[str, str]

    @property
    def names(self) -> List[str]:
        return sorted({**self.installs, **self.removes, **self.upgrades})


class Manager(NamedTuple):
    """The commands of one package manager. Names of packages are appended to them."""

    refresh: List[str]      # [] if an installation refreshes the lists
    simulate: List[str]
    install: List[str]
    simulate_removal: List[str]
    remove: List[str]
    purge: List[str]        # removes what a removal leaves; [] if it leaves nothing
    fetch: List[str]        # downloads to the cache; [] if packages do not replace one another
    mend: List[str]         # repairs the state after it was killed
    listing: List[str]      # one line per package: name, state as dpkg abbreviates it, version; from dpkg: architecture
    parse: Callable[[str], Transaction]
    words: Callable[[str], str] = str   # removes markup from the output of a simulation


# Parsers of simulations

_APT_LINE = re.compile(r'(Inst|Remv|Purg) (\S+)(?: \[([^\]]*)\])?(?: \((\S+))?')


def parse_apt(text: str) -> Transaction:
    """Parse apt-get --simulate: "Inst chrony (4.3-2 Debian:12/stable [amd64])", "Remv ntp [1:4.2]"."""
    found = Transaction({}, {}, {})
    for line in text.splitlines():
        parts = _APT_LINE.match(line)
        if not parts:
            continue
        verb, name, old, new = parts.groups()
        if verb != 'Inst':
            found.removes[name] = old or ''
        else:
            (found.upgrades if old else found.installs)[name] = new or ''
    return found


_SECTIONS = (('install', 'installs'), ('remov', 'removes'), ('eras', 'removes'), ('upgrad', 'upgrades'), ('updat', 'upgrades'),
             ('downgrad', 'upgrades'), ('reinstall', 'upgrades'))


def parse_dnf(text: str) -> Transaction:
    """Parse the table of dnf and yum: sections, each with rows of name, architecture, version, repository and size.

    A row that is too long continues on the next line. "replacing NAME.ARCH VERSION" follows the row of the replacement; dnf5 writes
    "replacing NAME ARCH VERSION", and also writes it after an upgrade, with the same name.
    """
    found = Transaction({}, {}, {})
    section, row, last = '', [], ''   # type: str, List[str], str
    for line in text.splitlines():
        words = line.split()
        if line.startswith('Transaction Summary'):
            break
        heading = re.match(r'(\w+)(?: [a-z ]+)?:\s*$', line)
        if heading:
            # dnf5 lists the repositories that it reads before, below "Updating and loading repositories:".
            word = '' if 'repositories' in words[-1] else heading.group(1).lower()
            section = next((name for start, name in _SECTIONS if word.startswith(start)), '')
            row = []
        elif words[:1] == ['replacing'] and len(words) > 2:
            name, version = (words[1], words[3]) if len(words) > 3 else (words[1].rpartition('.')[0] or words[1], words[2])
            if name != last:
                found.removes[name] = version
            row = []
        elif section and line.startswith(' ') and words:
            # The first line of a row has one blank. A repository with a long name leaves the size to a line of its own.
            row = row + words if line.startswith('  ') else words
            if len(row) >= 4:
                getattr(found, section)[row[0]] = row[2]
                row, last = [], row[0]
        elif not line.startswith(' '):
            section, row = '', []
    return found


def parse_zypper(text: str) -> Transaction:
    """Parse zypper --xmlout: <to-install><solvable type="package" name="chrony" edition="4.1-1" …/></to-install>."""
    found = Transaction({}, {}, {})
    for kind, body in re.findall(r'<to-([a-z-]+)>(.*?)</to-\1>', text, re.DOTALL):
        target = found.installs if kind == 'install' else found.removes if kind == 'remove' else found.upgrades
        for attributes in re.findall(r'<solvable\b([^>]*)', body):
            known = dict(re.findall(r'([a-z-]+)="([^"]*)"', attributes))
            if known.get('type', 'package') == 'package' and known.get('name'):
                target[known['name']] = known.get('edition', '')
    return found


def zypper_words(text: str) -> str:
    """Return the errors and warnings of zypper --xmlout, or all of its messages if there are none."""
    said = re.findall(r'<message type="(\w+)">(.*?)</message>', text, re.DOTALL)
    bodies = [body for kind, body in said if kind in ('error', 'warning')] or [body for _kind, body in said]
    return html.unescape('\n'.join(bodies))


def _dnf(command: str) -> Manager:
    quiet = [command, '-y', '-q'] + _KEEP_OTHERS
    asking = [command, '--assumeno'] + _KEEP_OTHERS
    return Manager([], asking + ['install'], quiet + ['install'], asking + ['remove'], quiet + ['remove'], [], [], [], _RPM,
                   parse_dnf)


MANAGERS: Dict[str, Manager] = {
    'apt': Manager(['apt-get', '-q', 'update'], _APT + ['--simulate', 'install'], _APT + ['install'],
                   _APT + ['--simulate', 'install'], _APT + ['install'], _APT + ['purge'],
                   _APT + ['--reinstall', '--download-only', 'install'],
                   ['dpkg', '--configure', '-a', '--force-confdef', '--force-confold'],
                   ['dpkg-query', '-W', '-f', '${Package} ${db:Status-Abbrev} ${Version} ${Architecture}\\n'], parse_apt),
    'dnf': _dnf('dnf'),
    'yum': _dnf('yum'),
    'zypper': Manager([], _ZYPPER + ['--xmlout', 'install', '--no-recommends', '--dry-run'],
                      _ZYPPER + ['--quiet', 'install', '--no-recommends'], _ZYPPER + ['--xmlout', 'remove', '--dry-run'],
                      _ZYPPER + ['--quiet', 'remove'], [], [], [], _RPM, parse_zypper, zypper_words),
}
