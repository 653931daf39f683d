# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The little that runs leave on a host for the next one: small JSON files that a power cut cannot halve."""

import json
import os
from typing import Any, Dict, List

# Anybody may read what is in it; only root writes. A folder in it is the record of a run that has not ended.
STATE = '/var/lib/aemops-brand-portal'


def interrupted(state: str = STATE) -> List[str]:
    """What earlier runs have begun and not ended, by the names of their folders; [] on a host in order. No root needed."""
    try:
        return sorted(name for name in os.listdir(state) if os.path.isdir(os.path.join(state, name)))
    except OSError:
        return []


def read(path: str) -> Dict[str, Any]:
    """The file's object; {} where there is none, or it cannot be read."""
    try:
        with open(path, encoding='utf-8') as stream:
            found = json.load(stream)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write(path: str, content: Dict[str, Any]) -> None:
    """Put the object in the file's place in one move, on the disk when this returns. Makes the folder. Raises OSError."""
    folder = os.path.dirname(path)
    make_folder(folder)
    new = os.path.join(folder, '.{0}.new'.format(os.path.basename(path)))
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
    with os.fdopen(descriptor, 'w', encoding='utf-8') as stream:
        json.dump(content, stream, sort_keys=True)
        stream.flush()
        os.fsync(stream.fileno())
    os.chmod(new, 0o644)    # whatever the umask says
    os.rename(new, path)
    settle(folder)


def make_folder(folder: str) -> None:
    """Make the folder, and those above it, readable for everybody whatever the umask says. Raises OSError."""
    if not os.path.isdir(folder):
        make_folder(os.path.dirname(folder))
        os.mkdir(folder)
        os.chmod(folder, 0o755)
        settle(os.path.dirname(folder))


def settle(folder: str) -> None:
    """After this the folder's entries outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
