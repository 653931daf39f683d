# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ntpd of ntp 4.2 and of NTPsec: ntp.conf(5), ntpd(8) and ntpq(1)."""

import ipaddress
import re
from typing import Any, List, NamedTuple, Optional, Sequence, Set, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import config, launch, layouts, next_steps
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.base import (
    NO_CONTROL_OF_CLOCK,
    NOT_SELECTED,
    OWN_CLOCK,
    UNKNOWN,
    UNREACHABLE,
    Daemon,
    Status,
    number,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.config import ConfigLine, Overlay, Source
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.ntpd_config import (
    disabling,
    is_ntpsec,
    read,
    sources_of,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.ntpd_interfaces import deaf_by
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.ntpd_slew import USUAL, slewing_of
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.ntpd_tos import minsane, tos_values
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.texts import File, current
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.wanted import (
    NO_CONTROL,
    NOT_READ,
    Refused,
    Server,
    Wanted,
)

# Flags of restrict that drop a server's answers, and those that prevent answers to ntpq.
_NO_TIME = {'ignore', 'noserve', 'notrust'}
_NO_QUERY = {'ignore', 'noquery'}
_LOOPBACK = '127.0.0.1'


class Restriction(NamedTuple):
    """One restrict line: its subject ('default', 'source', an address, a network or a name), and its flags."""

    target: str
    flags: Set[str]
    line: ConfigLine
    family: int = 0     # 4 or 6; 0 is both


def restrictions(lines: Sequence[ConfigLine]) -> List[Restriction]:
    """Return the restrict lines. A line without an address family applies to both (ntp 4.2.8, NTPsec)."""
    found = []
    for line in lines:
        words = line.words
        if words[0] != 'restrict':
            continue
        rest = [word for word in words[1:] if word not in ('-4', '-6')]
        if not rest:
            continue
        target, flags = rest[0], rest[1:]
        family = 4 if '-4' in words else 6 if '-6' in words else 0
        if flags[:1] == ['mask'] and len(flags) > 1:
            # A name is one host, regardless of a mask.
            one = config.address_of(target) is None or flags[1] == '255.255.255.255'
            target = target if one else '{0}/{1}'.format(target, flags[1])
            flags = flags[2:]
        if target in ('0.0.0.0/0.0.0.0', '0.0.0.0/0', '::/::', '::/0'):
            family = 6 if ':' in target else 4
        if target in ('0.0.0.0/0.0.0.0', '0.0.0.0/0', '::/::', '::/0'):
            target = 'default'
        found.append(Restriction(target, set(flags), line, family))
    return found


def restriction_of(rules: Sequence[Restriction], host: str, dropping: Set[str]) -> Optional[Restriction]:
    """Return the rule for a server or for this host: the most specific one; None without a line.

    Lines for one subject add their flags (ntp_restrict.c of both), so the rule has those of all of them, and the first line with a
    flag of `dropping`. A name may resolve to either family, so only a rule for both of them drops it.
    """
    address = config.address_of(host)
    if address is None:
        found = [_closest(rules, host, address, family, dropping) for family in (4, 6)]
        return next((rule for rule in found if not rule or not rule.flags & dropping), found[0])
    return _closest(rules, host, address, address.version, dropping)


def _closest(rules: Sequence[Restriction], host: str, address: Any, family: int, dropping: Set[str]) -> Optional[Restriction]:
    best, closest = -1, []  # type: int, List[Restriction]
    for rule in rules:
        if rule.family not in (0, family):
            continue
        if rule.target == 'default':
            width = 0
        elif rule.target == 'source':
            continue
        elif address is None:
            width = 999 if config.folded(rule.target) == config.folded(host) else -1
        else:
            try:
                network = ipaddress.ip_network(rule.target, strict=False)
            except ValueError:
                continue
            width = network.prefixlen if address.version == network.version and address in network else -1
        if width >= 0 and width >= best:
            closest = [rule] if width > best else closest + [rule]
            best = width
    if not closest:
        return None
    named = next((rule for rule in closest if rule.flags & dropping), closest[-1])
    return named._replace(flags={flag for rule in closest for flag in rule.flags})


class Ntpd(Daemon):
    """ntpd and ntpsec, asked with ntpq. They step by themselves when started with -g, as every vendor's unit does."""

    slews_below = USUAL.below   # status() finds out whether the configuration changes it
    _key_directive = 'keys'
    _where_heard = ('This run has heard {0} from this host, but asked from a port above 1023. {1} asks from UDP 123: let answers '
                    'to that port in, then see ntpq -pn and journalctl -b -u {1}.')

    # Reading

    def lines(self, without_own: bool = False, host: Optional[Any] = None) -> List[ConfigLine]:
        return read(host or self.host, self.config, self.facts['name'], self.facts.get('arguments') or (), without_own)

    def sources_of(self, lines: List[ConfigLine]) -> List[Source]:
        return sources_of(self.host, self.facts['name'], lines)

    # Writing

    def check_against(self, want: Wanted) -> None:
        super().check_against(want)
        disabled = self._disabled()
        if disabled:
            raise Refused('{0} keeps {1} from setting the clock.'.format(disabled.quoted, self.unit),
                          'Remove that line, then run again.', NO_CONTROL)

    def _check_reached(self, want: Wanted, planned: List[File]) -> None:
        end = next((line for line in self.lines() if line.directive == 'end'), None)
        written = {file.path: current(file, self.host.read(file.path) or None) for file in planned if file.text and not file.secret}
        if end and written and not any(line.own for line in self.lines(host=Overlay(self.host, written))):
            raise Refused('{0} keeps {1} from reading what this role would write behind it.'.format(end.quoted, self.unit),
                          'Remove that line, or use another provider.', NOT_READ)
        super()._check_reached(want, planned)
        self._check_tos(self.lines(host=Overlay(self.host, written)))

    @staticmethod
    def _check_tos(read_again: List[ConfigLine]) -> None:
        """Raise Refused if a later "tos" line, as of a file in ntp.d, makes a value stricter than the one that would be written."""
        values = [(line, tos_values(line)) for line in read_again if line.directive == 'tos']
        for option, stricter in (('minsane', 1), ('minclock', 1), ('maxdist', -1)):
            named = [(line, number(known[option])) for line, known in values if option in known]
            ours = [value for line, value in named if line.own]
            last, value = named[-1] if named else (None, None)
            if last and ours and not last.own and value is not None and (value - (ours[-1] or 0)) * stricter > 0:
                raise Refused('{0} overrules the "tos {1}" that this role would write.'.format(last.quoted, option),
                              'Remove or change it, then run again.', NOT_READ)

    def _disabled(self) -> Optional[ConfigLine]:
        return disabling(self.lines())

    def _files(self, want: Wanted) -> List[File]:
        keyed = {key.server: ' key {0}'.format(key.number) for key in want.keys}
        lines = ['server {0} iburst{1}'.format(server.host, keyed.get(server.host, ''))
                 for server in self._missing(want.servers, keyed=list(keyed))]
        lines += ['server {0} iburst nts'.format(server.host) for server in self._missing(want.nts_servers, nts=True)]
        lines += ['pool {0} iburst'.format(server.host) for server in self._missing(want.pools)]
        if want.cloud:
            lines += ['server {0} prefer iburst'.format(server.host)
                      for server in self._missing([Server(layouts.CLOUDS[want.cloud].server)])]
        lines += self._let_in(want)
        few, least = len(want.servers) + len(want.nts_servers) + bool(want.cloud), minsane(self.lines(without_own=True))
        if least and 0 < few < least.value and not want.pools:
            # Debian's file says "minclock 4 minsane 3": a host that reaches these alone would never be synchronized.
            lines.append('tos minclock {0} minsane {0}'.format(few))
        if want.max_distance:
            lines.append('tos maxdist {0:g}'.format(want.max_distance))
        key_file, directive = self._key_file(want.keys)
        lines += directive
        if want.keys:
            lines.append('trustedkey {0}'.format(' '.join(str(each) for each in sorted({key.number for key in want.keys}))))
        return list(key_file) + self._in_configuration(lines, bool(lines or want.names))

    def _let_in(self, want: Wanted) -> List[str]:
        """Return the restrict lines without which ntpd would drop answers of these servers or not answer ntpq (ntp.conf(5))."""
        if not want.names:
            return []
        rules = restrictions(self.lines(without_own=True))
        of_sources = [rule for rule in rules if rule.target == 'source'][-1:]
        lines = []
        for server in want.all_servers:
            dropping = self._dropping(server in want.pools)
            general = bool(of_sources and not of_sources[0].flags & dropping)
            rule = restriction_of(rules, server.host, dropping)
            own = bool(rule and config.folded(rule.target) == config.folded(server.host))
            # "restrict source" is for each server that has no line of its own.
            let_in = (not rule or not rule.flags & dropping) and not (of_sources and not general and not own)
            if let_in or general:
                continue
            if server in want.pools:
                lines.append('restrict source nomodify notrap noquery')
            elif rule and own:
                raise Refused('{0} drops what {1} answers.'.format(rule.line.quoted, server.host),
                              'Remove that line, then run again.')
            else:
                lines.append('restrict {0} nomodify notrap noquery'.format(server.host))
        mute = self._mute(rules)
        if mute and mute.target != _LOOPBACK:
            lines += ['restrict 127.0.0.1', 'restrict ::1']
        return list(dict.fromkeys(lines))

    def _dropping(self, pool: bool) -> Set[str]:
        """Return the flags that drop the answers of a server or pool. With nopeer, the classic ntpd takes no server from a pool."""
        classic = self.facts['name'] != 'ntpsec' and not is_ntpsec(self.host)
        return _NO_TIME | {'nopeer'} if pool and classic else _NO_TIME

    def _mute(self, rules: Sequence[Restriction]) -> Optional[Restriction]:
        """Return the rule that prevents answers to ntpq from this host."""
        rule = restriction_of(rules, _LOOPBACK, _NO_QUERY)
        if (self.facts['name'] == 'ntpsec' or is_ntpsec(self.host)) and (rule is None or rule.target == 'default'):
            # NTPsec has "noquery" built into its default; a line with other flags only adds to it (ntp.conf(5), unrestrict).
            line = rule.line if rule else ConfigLine(self.config, 0, 'restrict default noquery limited')
            return Restriction('default', set(_NO_QUERY), line)
        return rule if rule and rule.flags & _NO_QUERY else None

    # Asking

    def status(self) -> Status:
        done = self._ask('ntpq', '-n', '-c', 'rv 0 leap,stratum,refid,offset')
        values = dict(re.findall(r'(\w+)=([^,\s]+)', done.out))
        if 'leap' not in values:
            return self._mute_or_gone()
        offset = number(values.get('offset', ''))       # milliseconds
        if offset is None:
            return Status(False, 0.0, False, UNKNOWN, 'its answer cannot be read (offset={0})'.format(values.get('offset', '')),
                          'See ntpq -n -c rv on this host.')
        residual = offset / 1000
        peers = self._peers()
        if values['leap'] not in ('11', '3') and values.get('stratum') != '16':
            return self._follows(residual, values.get('refid', ''), peers)
        return self._why_not(residual, peers, values.get('refid') == 'STEP')

    def _why_not(self, residual: float, peers: List['NtpqRow'], stepped: bool = False) -> Status:
        """Return the status of an ntpd that follows no server."""
        others = [peer for peer in peers if not self._is_itself(peer)]
        stepped = stepped or any(peer.refid == '.STEP.' for peer in others)
        if stepped or any(peer.reach != '0' for peer in others):
            listed = ', '.join('{0} (reach {1}{2})'.format(peer.remote, peer.reach, peer.fault) for peer in others)
            why, advice = self._in_the_way([peer for peer in others if peer.reach != '0'])
            return Status(False, residual, True, NOT_SELECTED, 'it does not select any of its sources: {0}{1}'.format(
                listed or 'none', why), advice, stepped)
        return self._unheard(residual, others, any(not peer.own for peer in peers))

    def _options(self) -> List[Tuple[str, str]]:
        return launch.options_of(self.facts['name'], self.facts.get('arguments') or ())

    def _peers(self) -> List['NtpqRow']:
        peers = []
        for text in self._ask('ntpq', '-pn').out.splitlines()[2:]:
            words = text[1:].split()
            if len(words) >= 10 and words[1] != '.POOL.':
                peers.append(NtpqRow(text[0], words[0], words[1], words[2], words[-4]))
        return peers

    def _is_itself(self, peer: 'NtpqRow') -> bool:
        """Return whether this is the host's own clock or address. 127.127.t.u is a reference clock of type t, such as PPS."""
        return peer.own or (not peer.remote.startswith('127.127.') and config.is_this_host(self.host, peer.remote))

    def _follows(self, residual: float, refid: str, peers: List['NtpqRow']) -> Status:
        """Return the source that a synchronized ntpd uses."""
        selected = next((peer for peer in peers if peer.tally in '*o'), None)
        itself = _OWN_CLOCK.match(refid) or (selected and self._is_itself(selected))
        if itself:
            why = self._why_not(residual, peers)
            return Status(False, residual, why.answered, OWN_CLOCK, "it follows this host's own clock ({0}); {1}".format(
                refid, why.msg), why.advice)
        disabled = self._disabled()
        if disabled:
            return Status(False, residual, True, NO_CONTROL_OF_CLOCK, 'by {0} it never sets the clock'.format(disabled.quoted),
                          'Remove that line, then run again.')
        others = [peer for peer in peers if not peer.own]
        if others and not selected and all(peer.reach == '0' for peer in others):
            # ntpd still reports that it is synchronized after it has lost all of its servers.
            return self._unheard(residual, others, True)
        slewing = slewing_of(self.lines(), self._options(), self.facts.get('started_by') or self.unit)
        self.slews_below = slewing.below
        slewed = USUAL.below < abs(residual) <= slewing.below
        return Status(True, residual, True, '', 'synchronized to {0}, {1:+.6f} s off{2}'.format(
            refid, residual, ', which it only slews because of {0}'.format(slewing.by) if slewed else ''),
            'It corrects half a millisecond a second. Remove {0}, restart {1}, then run again.'.format(slewing.by, self.unit)
            if slewed else '', follows=(refid,) + ((selected.remote,) if selected else ()))

    def _mute_or_gone(self) -> Status:
        rule = self._mute(restrictions(self.lines()))
        if rule:
            cure = 'Remove "{0}" from that line'.format('" and "'.join(sorted(rule.flags & _NO_QUERY))) \
                if rule.target == _LOOPBACK else \
                'Add the lines "restrict 127.0.0.1" and "restrict ::1" to {0}'.format(rule.line.path)
            return self._not_answering(
                'it does not answer ntpq: {0} does not allow queries from this host'.format(rule.line.quoted),
                '{0}, restart {1}, then run again.'.format(cure, self.unit))
        return self._not_answering(
            'it does not answer ntpq', 'See ntpq -n -c rv on this host and the restrict lines of {0}.'.format(self.config))

    def _unheard(self, residual: float, peers: List['NtpqRow'], listed: bool) -> Status:
        """Return the status if no answer has arrived: restrict may drop it, or else the network does.

        listed: whether ntpq lists a source, which may be of a pool.
        """
        deaf = deaf_by(self.host, self.lines(), self._options())
        if deaf:
            return Status(False, residual, False, UNREACHABLE, '{0} lets it use no address of this host but the loopback'.format(
                deaf.quoted), 'Remove it, or let it listen on the interface to the servers, restart {0}, then run again.'.format(
                    self.unit))
        rules = restrictions(self.lines())
        for source in [each for each in self.sources() if each.kind in config.ASKED and each.asked]:
            # ntpd before 4.2.7 lists the servers of a pool, also with nopeer.
            pool = source.kind == 'pool' and not listed
            dropping = self._dropping(pool)
            rule = restriction_of(rules, source.host, dropping)
            general = any(each.target == 'source' and not each.flags & dropping for each in rules)
            if rule and rule.flags & dropping and not general:
                cure = 'Add a line "restrict {0} nomodify notrap noquery" to {1}'.format(
                    'source' if source.kind == 'pool' else source.host, rule.line.path)
                if config.folded(rule.target) == config.folded(source.host):
                    cure = 'Remove that line'
                return Status(False, residual, False, NOT_SELECTED, '{0} drops what {1} answers'.format(
                    rule.line.quoted, source.host), '{0}, restart {1}, then run again.'.format(cure, self.unit))
        kissed = [peer for peer in peers if peer.refid.strip('.') in _KISSES]
        if kissed:
            by = ', '.join('{0} ({1})'.format(peer.remote, peer.refid.strip('.')) for peer in kissed)
            return Status(False, residual, False, NOT_SELECTED, 'it is turned away by {0}'.format(by), ' '.join(dict.fromkeys(
                _KISSES[peer.refid.strip('.')] for peer in kissed)))
        return self._no_answer(residual, [peer.remote for peer in peers])

    def _in_the_way(self, heard: List['NtpqRow']) -> Tuple[str, str]:
        """Return the line that keeps it from selecting one of the servers that are heard, and what to do."""
        observed = config.only_observed(self.sources())
        if observed:
            return '; {0} is only observed'.format(observed), next_steps.ONLY_OBSERVED
        least = minsane(self.lines())
        if least and heard and len(heard) < least.value:
            advice = 'Let this host reach all of your servers, or name more.' if least.line.own else \
                'Name more servers, or lower minsane there.'
            return '; {0}'.format(least.line.quoted), advice
        far = [peer.remote for peer in heard if 'root distance' in (self._measured_reason(peer.remote) or '')]
        if far:
            return '; {0}: {1}'.format(far[0], self._measured_reason(far[0])), \
                next_steps.TOO_FAR
        faults = {peer.fault for peer in heard}
        if heard and faults == {_UNSYNCHRONIZED}:
            return '', next_steps.NOT_SYNCHRONIZED
        if _FALSETICKER in faults and len(heard) > 1:
            return '', next_steps.DISAGREE
        return '', 'See ntpq -pn on this host.'

    def _listed(self) -> Optional[Set[str]]:
        peers = self._peers()
        return {config.folded(peer.remote) for peer in peers} if peers else None


class NtpqRow(NamedTuple):
    """A row of ntpq -pn."""

    tally: str      # * marks the selected source
    remote: str
    refid: str
    stratum: str
    reach: str      # octal

    @property
    def fault(self) -> str:
        """Why a server that answers is not selected, for a list; '' if the row does not tell."""
        return _UNSYNCHRONIZED if self.stratum == '16' and self.reach != '0' else _FALSETICKER if self.tally == 'x' else ''

    @property
    def own(self) -> bool:
        """This host's undisciplined clock (driver 1). The refid tells nothing: .LOCL. is also what a domain controller follows."""
        return bool(_OWN_CLOCK.match(self.remote))


_UNSYNCHRONIZED, _FALSETICKER = ', not synchronized itself', ', a falseticker'

# Codes by which a server turns a client away (RFC 5905, 7.4), or that ntpd shows for an answer that it does not believe.
_KISSES = {'DENY': 'The server refuses this host: name other servers, or let its operator allow this host.',
           'RSTR': 'The server refuses this host: name other servers, or let its operator allow this host.',
           'RATE': 'The server is asked too often from this address: raise minpoll, or name other servers.',
           'AUTH': 'The answer is not authenticated: see the key of this server on both sides.',
           'CRYP': 'The answer is not authenticated: see the key of this server on both sides.',
           'NKEY': 'The answer is not authenticated: see the key of this server on both sides.'}

# LOCAL(0) and LOCL of ntp, 127.127.1.0 of NTPsec; 127.0.0.1 of orphan mode.
_OWN_CLOCK = re.compile(r'\.?LOCA?L|127\.127\.1\.|127\.0\.0\.1$')
