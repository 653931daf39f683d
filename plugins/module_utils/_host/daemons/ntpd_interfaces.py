# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which addresses of the host ntpd uses: the lines "interface" and "nic" of ntp.conf(5), and the option -I of ntpd(8)."""

import ipaddress
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import config
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.config import ConfigLine


class _Rule(NamedTuple):
    action: str     # listen, ignore, drop
    subject: str    # all, ipv4, ipv6, wildcard, an interface, an address or a network
    line: ConfigLine


def deaf_by(host: Any, lines: Sequence[ConfigLine], options: Sequence[Tuple[str, str]]) -> Optional[ConfigLine]:
    """Return the line or option by which ntpd asks no server, because it opens no address but the loopback; None if it opens one.

    The last rule that matches an address counts. With any rule, an address that none matches is ignored. With -I or -L
    the lines do not count (interface_action in ntp_io.c, ntp.conf(5)). options: (option, value) of the command line.
    """
    named = [_Rule('listen', value, ConfigLine('the command line of ntpd', 0, '{0} {1}'.format(option, value)))
             for option, value in options if option in ('-I', '--interface')]
    without_lines = any(option in ('-L', '--novirtualips') for option, _value in options)
    written = [_Rule(line.words[1], line.words[2], line) for line in lines
               if line.directive in ('interface', 'nic') and len(line.words) > 2]
    rules = named if named or without_lines else written
    for rule in reversed(rules):
        if rule.action == 'listen' and _leads_out(host, rule.subject):
            return None
        if rule.action in ('ignore', 'drop') and rule.subject == 'all':
            return rule.line
    return rules[-1].line if rules else None


def _leads_out(host: Any, subject: str) -> bool:
    """Return whether a subject matches an address of this host other than the loopback. If that is not known, it does."""
    if subject in ('all', 'ipv4', 'ipv6', 'wildcard'):
        return True
    try:
        network = ipaddress.ip_network(subject.strip('[]'), strict=False)
    except ValueError:
        return subject != 'lo' and (host.exists('/sys/class/net/' + subject.partition(':')[0])
                                    or not host.exists('/sys/class/net'))
    if network.is_loopback:
        return False
    own: List[Any] = [ipaddress.ip_address(each) for each in config.own_addresses(host)]
    return not own or any(address.version == network.version and address in network for address in own)
