# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of the files that this collection writes: whole files of its own, and one marked block in a vendor's file."""

import re
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.config import (
    BLOCK_BEGIN,
    BLOCK_END,
    OWN_NAME,
    ConfigLine,
)

__all__ = ['BLOCK_BEGIN', 'BLOCK_END', 'OWN_NAME', 'File', 'block_of', 'current', 'diff_of', 'new_sources', 'outdated', 'own_file',
           'with_block', 'without_block']

_HEADER = '# Managed by Ansible (aemops.brand_portal.time_sync). Remove this file to undo it.\n'


class File(NamedTuple):
    """A wanted file. text: its whole content if it is ours (None: it must not exist), otherwise our block (None: unchanged)."""

    path: str
    text: Optional[str]
    block: bool = False
    effect: str = 'restart'     # how the daemon reads it: by a reload or a restart
    secret: bool = False        # mode 0640, and not in the diff
    silence: Tuple[int, ...] = ()       # numbers of the other lines to comment out
    restore: bool = False       # whether to restore the lines that were commented out


def own_file(path: str, lines: List[str], effect: str = 'restart') -> File:
    """Return our own file beside the vendor's. Without lines, it must not exist."""
    return File(path, _HEADER + ''.join(line + '\n' for line in lines) if lines else None, effect=effect)


def outdated(lines: Sequence[ConfigLine], planned: Sequence[File]) -> List[File]:
    """Return what removes our lines from files that are not planned: since an earlier run, the daemon has got folders for ours."""
    paths = dict.fromkeys(line.path for line in lines if line.own and line.number)
    return [File(path, None) if OWN_NAME in path.rpartition('/')[2] else File(path, '', block=True)
            for path in paths if path not in [file.path for file in planned]]


# An editor may end lines otherwise, or leave out the line end of the last one.
_BLOCK = re.compile(r'(?:\r?\n)?' + re.escape(BLOCK_BEGIN) + r'\r?\n.*?' + re.escape(BLOCK_END) + r'(?:\r?\n|\Z)', re.DOTALL)


def with_block(text: str, lines: str) -> str:
    """Return the text with our block replaced or added at the end; '' removes it.

    No other byte changes. If the text does not end with a line end, the block begins with one, so that removing the block
    restores the text.
    """
    block = '\n{0}\n{1}\n{2}\n'.format(BLOCK_BEGIN, lines, BLOCK_END) if lines else ''
    found = _BLOCK.search(text)
    if not found:
        return text + block
    head, tail = text[:found.start()], text[found.end():]
    if not found.group(0).endswith('\n'):
        block = block[:-1]
    if not block and tail and head and not head.endswith('\n'):
        block = '\n'        # lines were added behind the block: the last line before it needs an end now
    return head + block + tail


def block_of(text: str) -> str:
    """Return our block in a text, including its marks; '' if there is none."""
    found = _BLOCK.search(text)
    return found.group(0).strip('\n') if found else ''


def without_block(text: str) -> str:
    return with_block(text, '')


# What a line of others begins with that option only has commented out; all daemons take it for a comment.
SILENCED = '# aemops.brand_portal (only): '


def silenced(text: str, numbers: Sequence[int]) -> str:
    """Return the text with these lines commented out."""
    return ''.join(SILENCED + line if at in numbers else line for at, line in enumerate(_lines(text), 1))


def restored(text: str) -> str:
    """Return the text with the lines restored that we have commented out."""
    return ''.join(line[len(SILENCED):] if line.startswith(SILENCED) else line for line in _lines(text))


def restoring(files: Sequence[File], paths: Sequence[str]) -> List[File]:
    """Return the files, with the lines restored that were commented out in these paths."""
    found = [file._replace(restore=True, effect='restart') if file.path in paths else file for file in files]
    return found + [File(path, None, block=True, restore=True) for path in paths if path not in [file.path for file in files]]


def without_ours(text: str) -> str:
    """Return the text without our block, and with the lines restored that we have commented out."""
    return restored(without_block(text))


def _lines(text: str) -> List[str]:
    """Return the lines with their ends, as the readers count them: a form feed ends none."""
    return re.findall('[^\n]*\n|[^\n]+', text)


def current(file: File, text: Optional[str]) -> Optional[str]:
    """Return the wanted content of the file, given its current content (None: it does not exist)."""
    if not file.block:
        return file.text
    rest = restored(text or '') if file.restore else silenced(text or '', file.silence)
    return rest if file.text is None else with_block(rest, file.text)


def new_sources(before: Optional[str], after: Optional[str]) -> Optional[List[str]]:
    """Return the added lines if two texts differ only in added sources; otherwise None."""
    old, new = ([line for line in (text or '').split('\n') if line.strip() and line[0] != '#'] for text in (before, after))
    added = [line for line in new if line not in old]
    other = set(old) - set(new) or [line for line in added if not re.match(r'(server|pool) ', line)]
    return None if other else added


def diff_of(file: File, before: Optional[str], after: Optional[str]) -> Dict[str, str]:
    """Return the diff of a file. For a file with secrets, it only shows whether the file changes."""
    if file.secret:
        before, after = 'the keys as they are\n', 'the keys as asked for (not shown)\n'
    return {'before_header': file.path, 'after_header': file.path, 'before': before or '', 'after': after or ''}
