# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read access to a host: files below a root folder, and commands."""

import os
import stat
from typing import Callable, Dict, List, Optional

LONGEST_TEXT = 8 * 1024 * 1024     # characters: no configuration is longer, but an included file may be


class Host:
    """A host: files below a root folder, and `run`, which runs a command without a shell and returns its output.

    Without `run`, every command has empty output.
    """

    def __init__(self, run: Optional[Callable[[List[str]], str]] = None, root: str = '/') -> None:
        self.run = run or (lambda command: '')
        self.root = root

    def path(self, path: str) -> str:
        return self.root.rstrip('/') + '/' + path.lstrip('/')

    def real_path(self, path: str) -> str:
        """Resolve the links of a path of the host, as a path of the host."""
        real, root = os.path.realpath(self.path(path)), os.path.realpath(self.root)
        return '/' + os.path.relpath(real, root) if root == '/' or real.startswith(root + '/') else real

    def exists(self, path: str) -> bool:
        return bool(path) and os.path.exists(self.path(path))

    def read(self, path: str) -> str:
        """Return the file's text, or '' if it is missing, not readable for this account, or a pipe, which would block."""
        try:
            if stat.S_ISFIFO(os.stat(self.path(path)).st_mode):
                return ''
            with open(self.path(path), encoding='utf-8', errors='replace', newline='') as stream:
                return stream.read(LONGEST_TEXT)
        except (OSError, ValueError):
            return ''

    def os_release(self) -> Dict[str, str]:
        """Return the values of os-release(5), such as ID, ID_LIKE and VERSION_ID, without quotes."""
        text = self.read('/etc/os-release') or self.read('/usr/lib/os-release')
        pairs = (line.split('=', 1) for line in text.splitlines() if '=' in line)
        return {key.strip(): value.strip().strip('"\'') for key, value in pairs}
