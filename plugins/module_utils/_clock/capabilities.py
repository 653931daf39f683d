# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds out whether this process, and this host, may set the clock. Reads /proc; does not try to set it."""

import os
from typing import Callable, Dict, NamedTuple, Optional

_CAP_SYS_TIME = 25  # linux/capability.h


class ProcessView(NamedTuple):
    """The facts by which may_set_clock() decides; read from /proc by process_view()."""

    capabilities: Optional[Dict[str, int]]  # CapEff and CapBnd, None where /proc has none
    user_namespace: bool
    container: str  # kind of the container, '' if there is none
    root: bool


def clock_owner(view: Optional[ProcessView] = None) -> Optional[str]:
    """Return None if this host has its own clock, otherwise which machine owns it. Independent of the account."""
    view = process_view() if view is None else view
    if view.user_namespace:
        return ("This host's clock belongs to the machine that runs it: here is a user namespace"
                f"{_of(view.container)}, and only the first one may set a clock. Correct the clock of that machine.")
    if view.capabilities is not None and not view.capabilities['CapBnd'] >> _CAP_SYS_TIME & 1:
        return ("This host's clock belongs to the machine that runs it: CAP_SYS_TIME is not in this host's bounding "
                f"set{_of(view.container)}. Correct the clock of that machine.")
    return None


def may_set_clock(view: Optional[ProcessView] = None) -> Optional[str]:
    """Return None if this process may set the clock, otherwise why not: clock_owner(), or a missing privilege."""
    view = process_view() if view is None else view
    owner = clock_owner(view)
    if owner:
        return owner
    if view.capabilities is None:
        return None if view.root else 'Only root may set the clock. Use become.'
    if not view.capabilities['CapEff'] >> _CAP_SYS_TIME & 1:
        return 'This user may not set the clock (no CAP_SYS_TIME). Use become.'
    return None


def _of(container: str) -> str:
    return f' (container: {container})' if container else ''


def process_view(root: str = '/') -> ProcessView:
    """Read the facts of this process from /proc and the markers of container managers. root: another file tree, for tests."""
    def text(path: str) -> str:
        try:
            with open(os.path.join(root, path), 'rb') as file:
                return file.read(65536).decode('utf-8', 'replace')
        except OSError:
            return ''

    fields = dict(line.split(':', 1) for line in text('proc/self/status').splitlines() if ':' in line)
    try:
        capabilities: Optional[Dict[str, int]] = {name: int(fields[name], 16) for name in ('CapEff', 'CapBnd')}
    except (KeyError, ValueError):
        capabilities = None
    uid_map = text('proc/self/uid_map').split()
    return ProcessView(
        capabilities=capabilities,
        user_namespace=bool(uid_map) and uid_map != ['0', '0', '4294967295'],
        container=_container(root, text),
        root=os.geteuid() == 0,
    )


def _container(root: str, text: Callable[[str], str]) -> str:
    """Return the kind of container, as its manager marks it; '' if there is no mark."""
    named = text('run/systemd/container').strip()
    if named:
        return named
    for variable in text('proc/1/environ').split('\0'):
        if variable.startswith('container=') and variable != 'container=':
            return variable[len('container='):]
    for marker, kind in (('.dockerenv', 'docker'), ('run/.containerenv', 'podman')):
        if os.path.exists(os.path.join(root, marker)):
            return kind
    return ''
