# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the table of variables in each role's README from its argument specification.

    document_roles.py            write the files
    document_roles.py --check    fail when they are not what would be written
"""

from __future__ import annotations

import re
import typing as t

import yaml
from generated import ROOT, settle

BEGIN = '<!-- Variables: written by tests/tools/document_roles.py from meta/argument_specs.yml -->'
END = '<!-- End of the variables -->'
MARKUP = re.compile(r'\b[A-Z]{1,3}\(((?:[^()]|\([^()]*\))*)\)')


def plain(description: str | list[str]) -> str:
    """The first sentence, with Ansible's markup as code."""
    text = ' '.join((description if isinstance(description, str) else description[0]).split())
    sentence = re.split(r'(?<=[.;]) (?=[A-Z])', text)[0]
    return MARKUP.sub(r'`\1`', sentence).replace('|', '\\|')


def default(option: dict[str, t.Any]) -> str:
    if 'default' not in option:
        return 'required' if option.get('required') else ''
    value = option['default']
    shown = {True: 'true', False: 'false', '': "''"}.get(value, str(value)) if isinstance(value, (bool, str)) else str(value)
    return f'`{shown}`'.replace('|', '\\|')


def table(name: str) -> str:
    specification = yaml.safe_load((ROOT / 'roles' / name / 'meta' / 'argument_specs.yml').read_text(encoding='utf-8'))
    rows = [f'| `{option}` | {found.get("type", "str")} | {default(found)} | {plain(found["description"])} |'
            for option, found in specification['argument_specs']['main']['options'].items()]
    return '\n'.join(['| Variable | Type | Default | |', '|---|---|---|---|', *rows])


def main() -> None:
    documents = {}
    for path in sorted((ROOT / 'roles').glob('*/README.md')):
        text = path.read_text(encoding='utf-8')
        before, _begin, rest = text.partition(BEGIN)
        _old, _end, after = rest.partition(END)
        documents[path] = f'{before}{BEGIN}\n\n{table(path.parent.name)}\n\n{END}{after}'
    settle(__doc__, documents)


if __name__ == '__main__':
    main()
