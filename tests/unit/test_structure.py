# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The structure that CONTRIBUTING.md describes: dependencies point downwards, and a class name has one meaning."""

from __future__ import annotations

import ast
import collections
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / 'plugins'
PREFIX = 'ansible_collections.aemops.brand_portal.plugins.'

# A package: the packages that it may import from, beside itself. The longest name that fits a file counts.
MAY_IMPORT = {
    'module_utils._common': (),
    'module_utils._clock': ('module_utils._common',),
    'module_utils._aem': ('module_utils._common',),
    'module_utils._host.daemons': ('module_utils._common', 'module_utils._host'),
    'module_utils._host.time_service': ('module_utils._common', 'module_utils._clock', 'module_utils._host'),
    'module_utils._host': ('module_utils._common', 'module_utils._clock'),
    'modules': ('module_utils',),
    'doc_fragments': (),
    'callback': ('plugin_utils._ssh_words',),
    'plugin_utils': ('module_utils._common', 'module_utils._clock.ntplib_loader'),
    'filter': ('plugin_utils',),
    'action': ('plugin_utils', 'module_utils._common', 'module_utils._clock.ntplib_loader'),
}
# Ansible finds these by their name, one in each file.
ANSIBLE_NAMES = {'ActionModule', 'CallbackModule', 'FilterModule', 'ModuleDocFragment', 'Source'}
MOST_LINES = 400
# In two parts, so that REUSE does not read it as this file's own.
LICENSE_LINE = ': '.join(('# SPDX-License-Identifier', 'GPL-3.0-or-later'))


def sources() -> list[Path]:
    return sorted(path for path in PLUGINS.rglob('*.py') if path.name != '__init__.py')


def dotted(path: Path) -> str:
    return '.'.join(path.relative_to(PLUGINS).with_suffix('').parts)


def imports(path: Path) -> list[str]:
    """What a file imports of this collection's plugins, dotted, anywhere in it."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.ImportFrom) and (node.module or '').startswith(PREFIX.rstrip('.')):
            module = (node.module or '')[len(PREFIX):]
            for name in node.names:
                inner = f'{module}.{name.name}'
                is_file = (PLUGINS / (inner.replace('.', '/') + '.py')).exists()
                found.append(inner if is_file else module)
        elif isinstance(node, ast.Import):
            found += [name.name[len(PREFIX):] for name in node.names if name.name.startswith(PREFIX)]
    return found


def room(name: str) -> str:
    return max((room for room in MAY_IMPORT if name == room or name.startswith(room + '.')), key=len, default='')


@pytest.mark.parametrize('path', sources(), ids=dotted)
def test_dependencies_point_downwards(path):
    here = room(dotted(path))
    assert here, f'{dotted(path)} lies in no room of MAY_IMPORT'
    for imported in imports(path):
        allowed = (here, *MAY_IMPORT[here])
        assert imported.startswith(allowed), f'{dotted(path)} must not import {imported}'


def test_the_layers_of_the_host_do_not_import_what_is_built_on_them():
    for path in sources():
        name = dotted(path)
        if name.startswith('module_utils._host.') and room(name) != 'module_utils._host.time_service':
            upwards = [each for each in imports(path) if room(each) == 'module_utils._host.time_service']
            assert not upwards, f'{name} imports {upwards}'


def test_no_import_goes_round_in_a_circle():
    graph = {dotted(path): imports(path) for path in sources()}
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, ' -> '.join([*way, name])
        if name not in done:
            for imported in graph.get(name, []):
                visit(imported, (*way, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_a_class_name_has_one_meaning():
    where = collections.defaultdict(list)
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.ClassDef) and node.name not in ANSIBLE_NAMES:
                where[node.name].append(dotted(path))
    assert not {name: files for name, files in where.items() if len(files) > 1}


def test_no_file_is_longer_than_one_can_read():
    """Of modules the code alone: their documentation is as long as their options are many."""
    long = {}
    for path in sources():
        code = path.read_text(encoding='utf-8').rpartition('\nRETURN = r"""')[2].rpartition('\n"""\n')[2]
        if len(code.splitlines()) > MOST_LINES:
            long[dotted(path)] = len(code.splitlines())
    assert not long


def test_every_source_names_its_license():
    """Documents and recordings have none of their own: REUSE.toml speaks for them."""
    found = [path for folder in ('plugins', 'roles', 'playbooks', 'tests', 'extensions') for suffix in ('py', 'yml')
             for path in sorted((ROOT / folder).rglob(f'*.{suffix}'))
             if path.stat().st_size and 'output' not in path.relative_to(ROOT).parts]
    assert len(found) > 300
    heads = {path: path.read_text(encoding='utf-8').splitlines()[:6] for path in found}
    assert not [str(path) for path, head in heads.items()
                if not any(line.startswith('# Copyright (c) ') for line in head)
                or LICENSE_LINE not in head]


def _imports_inside_of_functions(path: Path) -> list[tuple[ast.ImportFrom, bool]]:
    """Those of this collection, with whether the lock is held."""
    found = []

    def visit(node: ast.AST, inside: bool, locked: bool) -> None:
        if isinstance(node, ast.ImportFrom) and inside and (node.module or '').startswith(PREFIX):
            found.append((node, locked))
        inside = inside or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        locked = locked or isinstance(node, ast.With) and ast.unparse(node.items[0]) == 'IMPORT_LOCK'
        for child in ast.iter_child_nodes(node):
            visit(child, inside, locked)
    visit(ast.parse(path.read_text(encoding='utf-8')), False, False)
    return found


def test_what_is_imported_inside_of_functions_on_hosts_is_imported_by_one_thread_at_a_time():
    """See module_utils/_common/importing.py."""
    found = [(dotted(path), node.lineno, locked) for path in sources() if dotted(path).startswith('module')
             for node, locked in _imports_inside_of_functions(path)]
    assert len(found) > 10
    assert not [each for each in found if not each[2]]
