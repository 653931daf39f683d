# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the NTP servers that a host's own time daemon queries.

Each measurement needs this, so it imports as little as possible (docs/scale.md).
"""

from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.importing import IMPORT_LOCK
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.server_word import ServerWord
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import config, launch, layouts, unit_files
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.config import Source
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.systems import systems


def vendor_pool(host: Any) -> ServerWord:
    """Return the servers to query if none is configured."""
    pools = [layouts.VENDOR_POOLS[name] for name in systems(host) if name in layouts.VENDOR_POOLS]
    return ServerWord((pools + [layouts.ANY_POOL])[0])


def effective_ntp_servers(host: Any) -> List[ServerWord]:
    """Return the servers of the daemon that works here, or else of an installed one, or else the vendor's pool.

    They are in the order of the configuration, without duplicates, as `host` or `host:port`. A word that cannot be a server, or is
    this host itself, has a reason and is not queried. systemd is queried only if there are several daemons.
    """
    found: List[ServerWord] = []
    for row in _in_order(host):
        words = words_of(host, _sources(host, row))
        found += [word for word in words if word not in found]
        if any(not word.reason for word in words):
            return found
    return found + [vendor_pool(host)]


class _Row(NamedTuple):
    """A daemon that this host may have, and its layout."""

    name: str
    binaries: Tuple[str, ...]
    layout: layouts.Layout
    pid: str = ''


def _in_order(host: Any) -> List[_Row]:
    """Return the daemons in order of precedence: the one that runs, those that start at boot, those that are installed."""
    rows = [_Row(daemon.name, daemon.binaries, layout) for daemon in layouts.DAEMONS
            for layout in layouts.all_layouts(daemon.name) if _is_there(host, daemon, layout.unit)]
    rows += [row._replace(layout=row.layout._replace(unit=layouts.OTHER_UNITS[row.layout.unit])) for row in rows
             if row.layout.unit in layouts.OTHER_UNITS]
    rows = [row for row in rows if _has_file(host, row.layout.unit)] or [row for row in rows if host.exists(row.layout.config)]
    # Systems may differ in the file of options alone: the one that is there, else this system's.
    names = systems(host)
    usual = {row.layout for row in layouts.LAYOUTS if row.system in names}
    rows.sort(key=lambda row: (not host.exists(row.layout.defaults[0]), row.layout not in usual))
    unique = {(row.name, row.layout.unit, row.layout.config): row for row in reversed(rows)}
    rows = [row for row in rows if unique[row.name, row.layout.unit, row.layout.config] is row]
    return rows if len(rows) < 2 else _ranked(host, rows)


def _is_there(host: Any, daemon: layouts.KnownDaemon, unit: str) -> bool:
    """Return whether the daemon's binary exists, in the place of its package or of its unit."""
    if any(host.exists(binary) for binary in daemon.binaries):
        return True
    program = launch.program_of(host, unit)
    return program.rpartition('/')[2] in [binary.rpartition('/')[2] for binary in daemon.binaries] and host.exists(program)


def _has_file(host: Any, unit: str) -> bool:
    return any(host.exists('{0}/{1}'.format(folder, unit)) for folder in unit_files.UNIT_FOLDERS)


def _ranked(host: Any, rows: List[_Row]) -> List[_Row]:
    """Sort the daemon that works first, according to systemd. Without systemd, keep the order."""
    with IMPORT_LOCK:
        from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.conditions import unmet_condition
        from ansible_collections.aemops.brand_portal.plugins.module_utils._host.systemd import UP, starts_at_boot, unit_states
    states = unit_states(host, list(dict.fromkeys(row.layout.unit for row in rows)))
    own = [row for row in rows if states.get(row.layout.unit, {}).get('Id') == row.layout.unit
           and states[row.layout.unit].get('LoadState') in ('loaded', 'masked')]

    def rank(row: _Row) -> Tuple[bool, ...]:
        state = states.get(row.layout.unit, {})
        active = state.get('ActiveState') in UP
        works = state.get('LoadState') != 'masked' and (active or not unmet_condition(host, row.layout.unit))
        return (not (works and active), not (works and starts_at_boot(host, row.layout.unit, state)), not works,
                not host.exists(row.layout.config))

    return [row._replace(pid=states.get(row.layout.unit, {}).get('MainPID', '')) for row in sorted(own or rows, key=rank)]


def _sources(host: Any, row: _Row) -> List[Source]:
    """Return the sources that the daemon reads, according to its options."""
    layout, path = row.layout, row.layout.config
    started = launch.Launch([], '')
    if row.name in launch.COMMAND_LINES:
        started = launch.of_unit(host, layout.unit, row.binaries, layout.defaults, layout.dhcp,
                                 launch.COMMAND_LINES[row.name].letter)
        if not started.known:
            started = launch.of_process(host, row.pid, row.binaries) or started
        path = launch.configuration_of(row.name, started.arguments) or path
    if row.name == 'chrony':
        with IMPORT_LOCK:
            from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import chrony_config
        path = path if path != layout.config else chrony_config.usual(host, path)
        return chrony_config.sources_of(
            chrony_config.read(host, path, directives=launch.operands_of(row.name, started.arguments)))
    if row.name == 'timesyncd':
        with IMPORT_LOCK:
            from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import timesyncd_config
        return timesyncd_config.sources_of(host, timesyncd_config.read(host, path))
    if row.name in ('ntpd', 'ntpsec'):
        with IMPORT_LOCK:
            from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import ntpd_config
        return ntpd_config.sources_of(host, row.name, ntpd_config.read(host, path, row.name, started.arguments))
    with IMPORT_LOCK:
        from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import others_config
    path = path if path != layout.config else others_config.usual(host, path)
    return others_config.sources_of(row.name, others_config.read(host, path))


def words_of(host: Any, sources: Sequence[Source]) -> List[ServerWord]:
    """Return the servers of these sources for a measurement, without duplicates. Invalid ones have a reason."""
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
            word = ServerWord(place, place, '{0} is this host itself, which cannot be a reference for its own clock ({1})'.format(
                name, place))
        else:
            word = ServerWord(name, place)
        words.setdefault(config.folded(source.host) + ' {0}'.format(source.port), word)
    return list(words.values())
