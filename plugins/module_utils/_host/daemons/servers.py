# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which NTP servers a host's own time daemon asks, found without systemd where it has one daemon only.

Each measurement needs this, so it reads no more of our source than it must (docs/scale.md).
"""

from typing import Any, Dict, List, Optional, Sequence

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.server_word import ServerWord
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import config, launch, layouts
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.config import Source
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.systems import systems


def vendor_pool(host: Any) -> ServerWord:
    """What to ask where nothing is configured."""
    pools = [layouts.VENDOR_POOLS[name] for name in systems(host) if name in layouts.VENDOR_POOLS]
    return ServerWord((pools + [layouts.ANY_POOL])[0])


def of_the_only_daemon(host: Any) -> Optional[List[ServerWord]]:
    """The servers of the one daemon that is installed, or the vendor's pool where it names none.

    None where there is a choice, so that systemd has to be asked which daemon works.
    """
    there = [daemon for daemon in layouts.DAEMONS if any(host.exists(binary) for binary in daemon.binaries)]
    rows = list(dict.fromkeys((daemon.name, layout) for daemon in there for layout in layouts.all_layouts(daemon.name)))
    units = [row for row in rows if any(host.exists('{0}/{1}'.format(folder, row[1].unit)) for folder in launch.UNIT_FOLDERS)]
    found = units or [row for row in rows if host.exists(row[1].config)]
    places = {(name, layout.unit, layout.config) for name, layout in found}
    if len(places) != 1:
        return None
    # Systems that differ in the file of options alone: the one that is there.
    name, layout = next((row for row in found if host.exists(row[1].defaults[0])), found[0])
    if name not in ('chrony', 'ntpd', 'ntpsec', 'timesyncd'):
        return None
    daemon = next(each for each in there if each.name == name)
    letter, long_name = launch.CONFIG_OPTIONS.get(name, ('', ''))
    started = launch.Launch([], '')
    if letter:
        started = launch.of_unit(host, layout.unit, daemon.binaries, layout.defaults, layout.dhcp, letter, layout.config)
        if not started.known:
            return None
    path = launch.option_of(started.arguments, letter, long_name) if letter else ''
    words = words_of(host, _sources(host, name, path or layout.config, started.arguments))
    return words if any(not word.reason for word in words) else words + [vendor_pool(host)]


def _sources(host: Any, name: str, path: str, arguments: Sequence[str]) -> List[Source]:
    if name == 'chrony':
        from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import chrony_config
        lines = chrony_config.read(host, path, directives=chrony_config.directives_of(list(arguments)))
        return chrony_config.sources_of(lines)
    if name == 'timesyncd':
        from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import timesyncd_config
        return timesyncd_config.sources_of(host, timesyncd_config.read(host, path))
    from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import ntpd_config
    return ntpd_config.sources_of(ntpd_config.read_all(host, path, name == 'ntpsec', arguments))


def words_of(host: Any, sources: Sequence[Source]) -> List[ServerWord]:
    """What a measurement asks of these sources, each once; a word that cannot be asked has the reason."""
    words: Dict[str, ServerWord] = {}
    for source in sources:
        if source.kind not in config.ASKED + ('fallback',) or (source.kind == 'fallback' and not source.asked):
            continue
        name, place = source.name, source.line.place
        why = config.why_no_server(source.host)
        if why:
            word = ServerWord(name, place, '{0} ({1})'.format(why, place))
        elif not source.port and config.is_this_host(host, source.host):
            # Such a source is named by its place, so that its address is not taken for a server by mistake.
            word = ServerWord(place, place, '{0} is this host itself, which is no witness for its own clock ({1})'.format(
                name, place))
        else:
            word = ServerWord(name, place)
        words.setdefault(config.folded(source.host) + ' {0}'.format(source.port), word)
    return list(words.values())
