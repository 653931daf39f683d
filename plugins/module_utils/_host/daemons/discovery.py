# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the time daemons of a host, their state, how they are started and configured, and their servers.

Reads files and queries systemd once. Starts, stops and writes nothing, and does not need root.
The tables of daemons, units and paths are in layouts.
"""

import os
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.importing import IMPORT_LOCK
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import (
    chrony_config,
    conditions,
    config,
    launch,
    layouts,
    next_steps,
    others_config,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.base import Daemon
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.layouts import Layout
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.systems import systems, version
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.systemd import UP, starts_at_boot, unit_states

# Which system


def why_no_packages(host: Any) -> str:
    """Return why no package can be installed on this host, as a phrase; '' if one can."""
    words = systems(host)
    for commands, names, why in layouts.IMAGES:
        if any(host.exists(command) for command in commands) or set(words[:1]) & set(names):
            return why
    if package_manager(host):
        return ''
    if host.exists(layouts.TDNF):
        return 'its packages are changed by tdnf, which this role does not run (tdnf install chrony)'
    return 'none of the package managers {0} is here'.format(', '.join(manager.name for manager in layouts.MANAGERS))


def package_manager(host: Any) -> str:
    """Return the name of the Ansible module that installs packages here: apt, dnf, yum or zypper; '' for none.

    The installed package manager decides. If none is found, it is the usual one of a known system.
    """
    words = systems(host)
    if any(any(host.exists(command) for command in commands) or set(words[:1]) & set(names)
           for commands, names, _why in layouts.IMAGES):
        return ''
    there = [manager.name for manager in layouts.MANAGERS
             if host.exists(manager.command) and os.path.basename(host.real_path(manager.command)) != 'tdnf']
    if not there and host.exists(layouts.TDNF):
        return ''
    usual = next((layouts.USUAL_MANAGERS[word] for word in words if word in layouts.USUAL_MANAGERS), '')
    return usual if usual in there else (there + [usual])[0]


def layout_for(host: Any, daemon: str) -> Optional[Layout]:
    """Return the layout of the daemon's package on this system; None if the system has no such package.

    For a system that os-release does not identify, the package manager decides.
    """
    known = {row.system for row in layouts.LAYOUTS}
    words = [word for word in systems(host) if word in known]
    at = version(host)
    if not words:
        manager = package_manager(host)
        words = [each.system for each in layouts.MANAGERS if each.name == manager][:1] or [
            'fedora' if host.exists(layouts.TDNF) else 'debian']
        at = layouts.NEWEST
    elif host.os_release().get('ID', '').lower() not in known.union(layouts.SAME_VERSIONS):
        at = layouts.NEWEST
    fitting = [row for system in words for row in layouts.LAYOUTS
               if row.daemon == daemon and row.system == system and row.since <= at < row.below]
    return fitting[0].layout if fitting else None


# Which daemons


def find_daemons(host: Any, states: Optional[Dict[str, Dict[str, str]]] = None) -> List[Dict[str, Any]]:
    """Return the facts of all daemons in the table: installed, unit, enabled, active, masked, how it starts, its configuration.

    The actual unit of the host takes precedence over the usual one of the layout.
    states: the states of layouts.all_units(), if they are known already.
    """
    if states is None:
        states = unit_states(host, layouts.all_units())
    return [_describe(host, daemon, states) for daemon in layouts.DAEMONS]


def steerers(host: Any, look: Callable[..., Dict[str, Dict[str, str]]] = unit_states) -> List[Any]:
    """Return what else sets this clock, see others.Steerer. look: raises an error if systemd must answer."""
    with IMPORT_LOCK:
        from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import others
    return others.find_steerers(host, look(host, list(others.UNITS)))


# States of a unit that systemd has found and cannot read: systemctl(1).
_NOT_LOADED = ('bad-setting', 'error')


def _describe(host: Any, daemon: layouts.KnownDaemon, states: Dict[str, Dict[str, str]]) -> Dict[str, Any]:
    usual = layout_for(host, daemon.name)
    candidates = ([usual] if usual else []) + [each for each in layouts.all_layouts(daemon.name) if each != usual]
    there = [each for each in candidates if _has_unit(host, each.unit, states.get(each.unit, {}))]
    configured = [each for each in candidates if host.exists(each.config)]
    layout = (there or configured or candidates)[0]
    unit = _unit_in_use(layout.unit, states)
    state = states.get(unit, {})
    if state.get('Id', unit) != unit:
        state = {}      # the name is an alias of another daemon
    file_state = state.get('UnitFileState', '')
    active = state.get('ActiveState') in UP
    has_program = _has_binary(host, daemon) or _runs_another_binary(host, daemon, unit)
    installed = bool(there) and has_program
    facts: Dict[str, Any] = {
        'name': daemon.name,
        'installed': installed,
        # The package of the daemon on this system; '' if the system does not have one.
        'package': usual.package if usual else '',
        'unit': unit,
        'active': active,
        'enabled': starts_at_boot(host, unit, state),
        'static': file_state == 'static',
        'masked': file_state.startswith('masked') or state.get('LoadState') == 'masked',
        'masked_until_boot': file_state == 'masked-runtime',
        # The condition for which systemd does not start the unit; '' if all are met.
        'condition': '' if active or not installed else condition_of(host, unit, state),
        # The load state of a unit that is there, but whose file or drop-in has an error; otherwise ''.
        'not_loaded': state['LoadState'] if state.get('LoadState') in _NOT_LOADED else '',
        'pid': state.get('MainPID', ''),
        # {name: path} of its programs that are not found by their names.
        'programs': launch.beside(host, unit, ('chronyc', 'chronyd', 'ntpq')) if installed else {},
        'keys': layout.keys,
        'keys_group': layout.keys_group,
    }
    facts.update(_started(host, daemon, layout, unit, facts['pid'] if active else '', has_program))
    facts.update(_folders(host, daemon.name, layout, facts))
    without_control = conditions.without_control(host, unit) if installed and not facts['no_control'] else ''
    if without_control:
        facts.update(no_control=without_control, no_control_advice='')
    return facts


def _has_binary(host: Any, daemon: layouts.KnownDaemon) -> bool:
    return any(host.exists(binary) for binary in daemon.binaries)


def _runs_another_binary(host: Any, daemon: layouts.KnownDaemon, unit: str) -> bool:
    """Return whether the unit starts the daemon from a place of no package (/opt), which the package would shadow."""
    program = launch.program_of(host, unit)
    return os.path.basename(program) in {os.path.basename(binary) for binary in daemon.binaries} and host.exists(program)


def condition_of(host: Any, unit: str, state: Dict[str, str]) -> str:
    """Return the condition for which systemd does not start a unit in this state; '' if there is none."""
    unmet = conditions.unmet_condition(host, unit)
    # systemd also says "no" for a unit whose conditions were never checked, and files may have changed since.
    if not unmet and state.get('ConditionResult') == 'no' and state.get('ConditionTimestampMonotonic', '0') != '0':
        return conditions.untold_condition(host, unit)
    return unmet


def _has_unit(host: Any, unit: str, state: Dict[str, str]) -> bool:
    """Return whether the unit belongs to this daemon: it is not an alias of another unit, and not only a mask."""
    if state.get('LoadState') == 'masked':
        folders = ('/lib/systemd/system/', '/usr/lib/systemd/system/')
        return any(host.exists(folder + unit) for folder in folders) or \
            host.exists('/etc/init.d/' + unit.rpartition('.')[0])
    return state.get('LoadState') in ('loaded',) + _NOT_LOADED and state.get('Id', unit) == unit


def _unit_in_use(unit: str, states: Dict[str, Dict[str, str]]) -> str:
    other = layouts.OTHER_UNITS.get(unit, '')
    state, usual = states.get(other, {}), states.get(unit, {})
    # Debian's package may leave both enabled: they conflict, so the one that runs is in use.
    usual_works = usual.get('ActiveState') == 'active' and usual.get('UnitFileState') == 'enabled'
    in_use = state.get('ActiveState') == 'active' or (state.get('UnitFileState') == 'enabled' and not usual_works)
    return other if in_use and state.get('Id', other) == other else unit


# How it is started


def _started(host: Any, daemon: layouts.KnownDaemon, layout: Layout, unit: str, pid: str, has_program: bool) -> Dict[str, Any]:
    """Return arguments, config, directives, and why the daemon would not read our files or not set the clock."""
    facts: Dict[str, Any] = {'arguments': [], 'started_by': '', 'config': layout.config, 'directives': [], 'no_control': '',
                             'no_control_advice': '', 'not_read': '', 'not_read_advice': '', 'stale': False,
                             'runs_with_x': False}
    if daemon.name not in launch.COMMAND_LINES or not has_program:
        return facts
    planned = launch.of_unit(host, unit, daemon.binaries, layout.defaults, layout.dhcp,
                             launch.COMMAND_LINES[daemon.name].letter)
    running = launch.of_process(host, pid, daemon.binaries)
    chosen = planned if planned.known or running is None else running
    named = launch.configuration_of(daemon.name, chosen.arguments)
    usual = (chrony_config if daemon.name == 'chrony' else others_config).usual(host, layout.config)
    facts.update(arguments=chosen.arguments, started_by=chosen.place, config=named or usual)
    if daemon.name == 'chrony':
        facts['directives'] = launch.operands_of(daemon.name, chosen.arguments)
        facts['no_control'] = launch.without_control(chosen)
        of_process = launch.without_control(running) if running else ''
        if planned.by_script and not facts['no_control']:
            # After a restart, the script may add the option again.
            facts.update(no_control=of_process, no_control_advice=next_steps.SCRIPT_ADDS_X.format(unit))
        elif of_process and not facts['no_control']:
            facts['runs_with_x'] = True
    if running is not None:
        facts['stale'] = (launch.configuration_of(daemon.name, running.arguments) or usual) != facts['config']
    why = ''
    if not chosen.known:
        why = '{0} is started by a script ({1}), which does not tell what it reads'.format(unit, chosen.place)
        facts['not_read_advice'] = 'Start the unit, or use another provider, then run again.'
    elif facts['directives'] and not any(word.split()[:1] and word.split()[0].lower() in ('include', 'confdir', 'sourcedir')
                                         for word in facts['directives']):
        why = '{0} is started with directives instead of a configuration file ({1})'.format(unit, chosen.place)
        facts['not_read_advice'] = 'Move them into {0}, or use another provider, then run again.'.format(layout.config)
    elif not config.lasting(facts['config']):
        why = '{0} reads {1} ({2}), which is made again at each boot'.format(unit, facts['config'], chosen.place)
        facts['not_read_advice'] = 'Let it read {0}, or use another provider, then run again.'.format(layout.config)
        if facts['config'] in layout.dhcp:
            why = '{0} reads {1}, which DHCP has written, instead of {2}'.format(unit, facts['config'], layout.config)
            cure = 'Write IGNORE_DHCP=yes into {0}'.format(layout.defaults[0]) if daemon.name == 'ntpsec' else \
                'Take ntp-servers out of the request in /etc/dhcp/dhclient.conf, remove {0}'.format(facts['config'])
            facts['not_read_advice'] = '{0} and restart {1}, or use another provider, then run again.'.format(cure, unit)
    elsewhere = launch.other_root(host, unit, facts['config'])
    if not why and elsewhere:
        why = '{0} sees another {1} than this host, or none: {2}={3} ({4})'.format(
            unit, facts['config'], elsewhere.key, elsewhere.value, elsewhere.place)
        facts['not_read_advice'] = 'Remove that setting, or use another provider, then run again.'
    facts['not_read'] = why + '.' if why else ''
    return facts


def _folders(host: Any, name: str, layout: Layout, facts: Dict[str, Any]) -> Dict[str, str]:
    """Return the folders for drop-in files.

    Only chrony's configuration names its folders (sourcedir, confdir, or include with a pattern); those of the others are built in.
    Without a configuration, those of the layout count. Folders below /run (emptied at boot) and /usr (the vendor's) do not count.
    """
    path = facts['config']
    if name == 'chrony' and (host.exists(path) or facts['directives']):
        found = [chrony_config.folders_of(host, path, facts['directives'], directive) for directive in ('sourcedir', 'confdir')]
        return {'sources_dir': (found[0] + [''])[0], 'config_dir': (found[1] + [''])[0]}
    if name == 'ntpsec':
        return {'sources_dir': '', 'config_dir': os.path.dirname(path) + '/ntp.d' if config.lasting(path) else layout.config_dir}
    return {'sources_dir': layout.sources_dir, 'config_dir': layout.config_dir}


def make(host: Any, facts: Mapping[str, Any], measured: Sequence[Any] = ()) -> Daemon:
    """Return the daemon for these facts."""
    name = facts['name']
    if name == 'chrony':
        with IMPORT_LOCK:
            from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.chrony import Chrony
        return Chrony(host, facts, measured)
    if name in ('ntpd', 'ntpsec'):
        with IMPORT_LOCK:
            from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.ntpd import Ntpd
        return Ntpd(host, facts, measured)
    if name == 'timesyncd':
        with IMPORT_LOCK:
            from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.timesyncd import Timesyncd
        return Timesyncd(host, facts, measured)
    with IMPORT_LOCK:
        from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.others import Foreign
    return Foreign(host, facts, measured)


# Hypervisors and clouds


def time_pushers(host: Any, only_pushing: bool = False) -> List[str]:
    """Describe the sources through which a hypervisor or a cloud may set this host's clock, or those that do by themselves."""
    found = [pusher for pusher in layouts.TIME_PUSHERS if host.exists(pusher.path) and (pusher.asked or not only_pushing)]
    # The tools may also be installed outside of VMware, where the command has other output.
    return [pusher.words for pusher in found if not pusher.asked or 'Enabled' in host.run(pusher.asked.split())]
