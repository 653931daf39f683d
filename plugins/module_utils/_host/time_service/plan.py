# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans how one time daemon becomes the keeper of the clock. Pure: the facts of the host are arguments."""

import hashlib
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.files import fingerprint
from ansible_collections.aemops.brand_portal.plugins.module_utils._host import guest_sync
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import layouts, texts
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.texts import File
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.wanted import Refused, Wanted
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import listed
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.lasting import NOTHING, Lasting

Facts = Dict[str, Any]


class Change(NamedTuple):
    """A file with its text before and after; None means no file.

    edited: how our text in it differs from what an earlier run has left, as a phrase; '' if it does not.
    """

    file: File
    before: Optional[str]
    after: Optional[str]
    edited: str = ''

    @property
    def sentence(self) -> str:
        if self.edited:
            return f'{self._what}, {self.edited} (kept as {self.backup})'
        return self._what

    @property
    def sources(self) -> Optional[List[str]]:
        """Lines with sources, if they are all that a restart would bring to a running daemon; otherwise None."""
        return texts.new_sources(self.before, self.after) if self.file.effect == 'restart' else None

    @property
    def effect(self) -> str:
        """How a running daemon reads it: add (of sources), reload or restart; '' for comments only."""
        sources = self.sources
        return self.file.effect if sources is None else 'add' if sources else ''

    @property
    def _what(self) -> str:
        if self.after is None:
            return f'remove {self.file.path}'
        if self.file.restore:
            return f'restore the other servers in {self.file.path}'
        if self.file.silence:
            return f'comment out the other servers in {self.file.path}'
        if self.file.block:
            verb = 'remove' if not self.file.text else 'change' if texts.BLOCK_BEGIN in (self.before or '') else 'add'
            return f'{verb} the block of this role in {self.file.path}'
        return f"{'write' if self.before is None else 'change'} {self.file.path}"

    @property
    def backup(self) -> str:
        """Path of the backup of a vendor's file that gets its first block, or of our text that was edited; '' for others."""
        if self.edited:
            # Each content has its own name, so no edit is ever overwritten. state=absent keeps these backups.
            # Even a hash of keys reveals something, so it is a slow one.
            text = self.before or ''
            slow = hashlib.pbkdf2_hmac('sha256', text.encode('utf-8', 'surrogateescape'), self.file.path.encode(), 200000).hex() \
                if self.file.secret else ''
            return f'{self.file.path}.edited-{(slow or hash_of(text))[:8]}'
        first = self.file.block and self.before is not None and texts.BLOCK_BEGIN not in self.before and bool(self.file.text)
        return f'{self.file.path}.before-{texts.OWN_NAME}' if first else ''

    def diff(self) -> Dict[str, str]:
        return texts.diff_of(self.file, self.before, self.after)


class Plan(NamedTuple):
    """The changes to make, in this order. Empty if the host already matches the options."""

    daemon: Facts
    package: str                # to install; '' if it is installed
    replaced: List[Facts]       # daemons whose packages it replaces
    changes: List[Change]
    unmask: bool
    enable: bool
    start: bool
    competitors: List[Facts]    # daemons that run or start at boot
    boot: List[Change] = []     # files for the next boot
    wait: str = ''              # waiting unit to enable; '' if it is enabled or not wanted
    guest_sync: bool = False    # whether VMware tools set the clock as well
    then: Sequence[str] = ()    # sentences for what makes the running daemon read the changes, or measure again

    @property
    def needed(self) -> bool:
        return bool(self.package or self.changes or self.unmask or self.enable or self.start or self.competitors
                    or self.boot or self.wait or self.guest_sync or self.then)

    @property
    def effects(self) -> List[str]:
        return [change.effect for change in self.changes if change.effect]

    @property
    def sentences(self) -> List[str]:
        """One sentence for each act."""
        unit = self.daemon['unit']
        verbs = [('unmask', self.unmask), ('enable', self.enable), ('start', self.start)]
        return ([self.install_sentence] if self.package else []) \
            + [change.sentence for change in self.changes] \
            + [f"stop and disable {other['unit']}" for other in self.competitors] \
            + ([guest_sync.TURN_OFF] if self.guest_sync else []) \
            + [f'{verb} {unit}' for verb, due in verbs if due] + list(self.then) \
            + [change.sentence for change in self.boot] + ([f'enable {self.wait}'] if self.wait else [])

    @property
    def install_sentence(self) -> str:
        replaced = ', '.join(each['package'] for each in self.replaced)
        return f"install the package {self.package}{f', which replaces {replaced}' if replaced else ''}"

    def diff(self) -> List[Dict[str, str]]:
        """Return the result of --diff: the files, then the states of the units."""
        result = [change.diff() for change in self.changes + self.boot]
        before = {each['unit']: state_line(each) for each in [self.daemon] + self.replaced + self.competitors}
        after = {each['unit']: state_line(dict(each, active=False, enabled=False)) for each in self.competitors}
        after.update({each['unit']: state_line(dict(each, installed=False)) for each in self.replaced})
        after[self.daemon['unit']] = state_line(dict(self.daemon, active=True, enabled=True, masked=False, installed=True))
        return result + units_diff(before, after)


def units_diff(before: Mapping[str, str], after: Mapping[str, str]) -> List[Dict[str, str]]:
    if before == after:
        return []
    return [{'before_header': 'units', 'after_header': 'units',
             'before': ''.join(before[unit] for unit in sorted(before)), 'after': ''.join(after[unit] for unit in sorted(after))}]


def state_line(daemon: Mapping[str, Any]) -> str:
    if not daemon['installed']:
        return f"{daemon['unit']}: not installed\n"
    words = ['running' if daemon['active'] else 'stopped',
             'masked' if daemon['masked'] else 'enabled' if daemon['enabled'] else 'disabled']
    return f"{daemon['unit']}: {', '.join(words)}\n"


def choose(daemons: List[Facts], provider: str, want: Wanted) -> Facts:
    """Return the daemon to configure. Raises Refused if none supports the options.

    auto: among those that support the options, one that works (runs, starts at boot), else an installed one, chrony first, else
    chrony.
    """
    by_name = {known.name: known for known in layouts.DAEMONS}
    possible = [each for each in daemons if by_name[each['name']].provider and (each['installed'] or each['package'])]
    if provider != 'auto':
        possible = [each for each in possible if by_name[each['name']].provider == provider]
        if not possible:
            raise Refused(f'provider={provider}: this system has no package for it.',
                          'Use another provider; provider=auto uses an installed one.')
    able = [each for each in possible if set(want.features) <= set(by_name[each['name']].can)]
    if not able:
        lacking = [layouts.FEATURES[feature] for feature in want.features
                   if not any(feature in by_name[each['name']].can for each in possible)] or ['this combination']
        raise Refused(f"provider={provider} cannot do {', '.join(lacking)}.", 'Use provider=chrony, or remove the option.')

    def rank(each: Facts) -> Tuple[bool, ...]:
        # systemd does not start a unit whose condition is not met, even if systemctl shows it as enabled.
        works = each['installed'] and not each['masked'] and not each['condition'] and (each['active'] or each['enabled'])
        chrony = each['name'] == 'chrony'
        return (not each['condition'], works, works and each['active'], works and each['enabled'], each['installed'] and chrony,
                each['installed'] and not each['masked'], chrony)

    return max(able, key=rank)


def make_plan(found: List[Facts], chosen: Facts, files: List[Tuple[File, Optional[str]]], packages_replace: bool,
              boot: Sequence[Tuple[File, Optional[str]]] = (), wait: str = '', known: Lasting = NOTHING,
              guest: bool = False) -> Plan:
    """Return the plan. found: all daemons and what else sets the clock. files, boot: the wanted files, with their current texts.

    known: the record of earlier runs. guest: whether VMware tools set the clock.
    """
    package = '' if chosen['installed'] else chosen['package']
    others = [each for each in found if each['name'] != chosen['name'] and each['unit'] != chosen['unit']]
    # A static unit has nothing to disable. Once it is stopped, nothing more can be done about it.
    competitors = [each for each in others
                   if each['active'] or (each['installed'] and each['enabled'] and not each.get('static'))]
    replaced = [each for each in others if each['installed'] and each['package']] if package and packages_replace else []
    return Plan(
        chosen, package, replaced, _due(files, known), chosen['masked'], not chosen['enabled'], not chosen['active'],
        [each for each in competitors if each not in replaced], _due(boot, known), wait, guest)


def _due(files: Sequence[Tuple[File, Optional[str]]], known: Lasting) -> List[Change]:
    changes = [Change(file, before, texts.current(file, before), edited(file, before, known)) for file, before in files]
    return [change for change in changes if change.before != change.after and not (change.before is None and not change.after)]


EDITED = 'which another administrator has edited'
NO_RECORD = 'of which no earlier run has left a record'


def edited(file: File, text: Optional[str], known: Lasting) -> str:
    """Return how our text in a file differs from what an earlier run has written, as a phrase; '' if it does not."""
    ours = texts.block_of(text or '') if file.block else text
    if not ours or (file.block and file.text is None):
        return ''
    written = (known.blocks if file.block else known.files).get(file.path)
    return NO_RECORD if written is None else EDITED if hash_of(ours) != written else ''


def hash_of(text: str) -> str:
    """Return the hash that identifies a text of ours."""
    return fingerprint(text.encode('utf-8', 'surrogateescape'))


def refuse_removals(package: str, removes: Mapping[str, str]) -> str:
    """Return the packages, other than those of time daemons, that an installation would remove; '' for none."""
    # Some systems have timesyncd in the package systemd, which is far more than a time daemon.
    known = ({row.layout.package for row in layouts.LAYOUTS} | set(_GO_WITH_DAEMONS)) - {'systemd'}
    # apt appends a foreign architecture to the name: ntp:i386.
    strange = sorted(name for name in removes if name.partition(':')[0] not in known and name != package)
    return listed(strange)


# Packages that are parts of a daemon that another one replaces.
_GO_WITH_DAEMONS = ('ntpdate', 'sntp', 'ntpsec-ntpdate', 'ntpsec-ntpdig', 'ntpsec-ntpviz', 'ntpsec-doc', 'python3-ntp', 'ntp-perl',
                    'ntp-doc', 'chrony-pool-suse', 'chrony-pool-openSUSE', 'chrony-pool-empty', 'ntpd-rs', 'timedatex')
