# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find words that CONTRIBUTING.md rules out, in code, documents, and messages.

    words.py [FILE ...]     these files, or all tracked ones

Exit code 1 and one line for each finding: file, line, the word, and what to write instead.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUFFIXES = {'.py', '.yml', '.md', '.rst', '.toml', '.cfg', '.sh', '.js', '.css', '.html', ''}
# Texts that are not ours, that tell of the past, or that name the words on purpose.
LEFT_OUT = re.compile(r'(LICENSE|LICENSES/.*|CHANGELOG\.rst|changelogs/changelog\.yaml|CODE_OF_CONDUCT\.md|tests/tools/words\.py'
                      r'|changelogs/fragments/names\.yml|docs/upgrading\.md'
                      r'|tests/corpus/.*|.*/data/.*|collections/.*)$')

# (pattern, what to write instead). Patterns match whole words in any case.
WORDS = (
    (r'shall', 'present tense, or "must"'),
    (r'whoever|whom', 'name the actor'),
    (r'(?<![\'"/])(?:somebody|someone)(?![\'"])', 'name the actor: "another administrator", "the user"'),
    (r'(?<![\'"/])(?<!exit )nobody(?![\'":.])|no one', 'a positive subject, or "no user", "no daemon"'),
    (r'meanwhile', '"during the step", "in the meantime", or leave it out'),
    (r'foretell\w*|foretold', '"predict"'),
    (r'beforehand', '"before", "in advance"'),
    (r'anew', '"again", "from scratch"'),
    (r'(?:as it|as they|as he) (?:shall|was to) be', '"as configured"'),
    (r'sees? to (?:it|that|the|a)', '"ensures"'),
    (r'stands (?:in|at|on|behind|for|beside|where|alone|twice|still|there|after|before|under|first|last)', '"is"'),
    (r'wings?', 'name the package'),
    (r'liars?', '"falseticker"'),
    (r'manners', '"rate limits", "etiquette"'),
    (r'strangers?(?:\'s|s\')?', '"public", "a new user"'),
    (r', say', '"for example"'),
    (r'the news', '"the messages"'),
    (r'(?:becomes?|became|comes?|came) of', 'name the result'),
    (r'(?:say|says|tell|tells|told) of(?! success)', 'name the message, the report, or the result'),
    (r'speaks? of|spoken of', '"mention"'),
    (r'knows? no', '"has no", "does not support"'),
    (r'(?:stays?|left) so', 'name the state'),
    (r'(?:is|are|can be|be) had', '"gets", "is available"'),
    (r'the way back', '"the rollback", "the undo"'),
    (r'tak(?:e|es|en|ing) back', '"revert", "undo"'),
    (r'rid(?:e|es|ing) along', '"is sent with"'),
    (r'one a (?:host|line|unit|server|run|batch)', '"one per"'),
    (r'the host comes first|for people', 'name the reader or the purpose'),
    (r'(?<!Not )(?:un)?synchronis(?:e|es|ed|ing|ation)', '"synchronize" (chronyc itself prints "Not synchronised")'),
    (r'(?<!Not )(?:recogn|organ|author|initial|normal|final|serial|summar|minim|maxim|custom)is(?:e|es|ed|ing|ation)',
     'the spelling with z'),
    (r'(?:behavi|col|hon|fav)our(?:s|ed|able|ite)?', 'US spelling'),
    (r'licence[sd]?', '"license"'),
)
PATTERN = re.compile('|'.join(
    f'(?P<w{number}>(?<![\\w-])(?:{pattern})(?![\\w-]))' for number, (pattern, _better) in enumerate(WORDS)), re.IGNORECASE)


def tracked() -> list[Path]:
    listed = subprocess.run(['git', 'ls-files', '-z'], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout.decode()
    return [ROOT / name for name in listed.split('\0') if name]


def findings(text: str) -> list[tuple[int, str, str]]:
    """(line, word, what to write instead) for each word found."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        for match in PATTERN.finditer(line):
            index = int((match.lastgroup or 'w0')[1:])
            found.append((number, match.group(0).strip(), WORDS[index][1]))
    return found


def main() -> int:
    count = 0
    for path in [Path(name).resolve() for name in sys.argv[1:]] or tracked():
        name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)
        if not path.is_file() or path.is_symlink() or path.suffix not in SUFFIXES or LEFT_OUT.match(name):
            continue
        try:
            text = path.read_text(encoding='utf-8')
        except UnicodeDecodeError:
            continue
        for number, word, better in findings(text):
            print(f'{name}:{number}: "{word}": write {better}')
            count += 1
    return 1 if count else 0


if __name__ == '__main__':
    sys.exit(main())
