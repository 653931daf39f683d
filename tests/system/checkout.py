# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of this repository as git knows them, or would."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def names(*patterns: str) -> list[str]:
    """The tracked files and those that would be, as they are in the working tree; links are files."""
    listed = subprocess.run(['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard', *patterns], cwd=ROOT,
                            stdout=subprocess.PIPE, text=True, check=True).stdout
    return [name for name in listed.split('\0') if name and ((ROOT / name).exists() or (ROOT / name).is_symlink())]


def copy(folder: Path) -> Path:
    """A copy of them in a folder, as a new user has it."""
    for name in names():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    return folder
