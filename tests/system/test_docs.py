# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the documents show works: each example is run, or checked by what would run it, and each quoted message exists.

The README is followed from its first line by a new user with a fresh home, up to a lab machine that is the user's host.
`test_release.py` builds and installs the collection, `test_events.py` runs the rulebook.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import table as report_table

from . import checkout, playbook
from .author_host import AuthorHost
from .conftest import PASSWORD

ROOT = playbook.ROOT
FENCE = re.compile(r'^( *)```(\w*)\n(.*?)^\1```$', re.MULTILINE | re.DOTALL)
OPTION = re.compile(r'\b(?:fix_bp_jwt|time_sync)_\w+')
OURS = 'aemops.brand_portal.'


class Example(t.NamedTuple):
    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f'{self.page}:{self.line}'


def pages():
    # The links of the checkout show the same files again.
    return [name for name in checkout.names('*.md') if not name.startswith(('collections/', 'docs/site/'))]


def examples(*languages):
    for page in pages():
        text = (ROOT / page).read_text(encoding='utf-8')
        for match in FENCE.finditer(text):
            indent, language, block = match.groups()
            if language in languages:
                block = re.sub(f'^{indent}', '', block, flags=re.MULTILINE)
                yield Example(page, text.count('\n', 0, match.start()) + 1, language, block)


def shown(*languages):
    return pytest.mark.parametrize('example', list(examples(*languages)), ids=str)


def test_every_example_says_what_it_is():
    known = ('console', 'yaml', 'python', 'text')
    everywhere = {match.group(2) for page in pages() for match in FENCE.finditer((ROOT / page).read_text(encoding='utf-8'))}
    assert everywhere <= set(known)
    assert len(list(examples('console', 'yaml'))) > 10


# YAML


def walk(data):
    """Each key and value of nested data."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield key, value
            yield from walk(value)
    elif isinstance(data, list):
        for item in data:
            yield from walk(item)


@pytest.fixture(scope='session')
def options():
    """Each role option by name: its entry in the argument specification."""
    found = {}
    for path in (ROOT / 'roles').glob('*/meta/argument_specs.yml'):
        for entry_point in yaml.safe_load(path.read_text(encoding='utf-8'))['argument_specs'].values():
            found.update(entry_point['options'])
    return found


@pytest.fixture(scope='session')
def modules(newest):
    """The documentation of each module, by its full name."""
    names = [OURS + path.stem for path in (ROOT / 'plugins/modules').glob('*.py')]
    done = subprocess.run([newest.bin / 'ansible-doc', '--json', *names], stdout=subprocess.PIPE, text=True, check=True,
                          env={**os.environ, 'ANSIBLE_COLLECTIONS_PATH': str(ROOT / 'collections')})
    return {name: entry['doc']['options'] for name, entry in json.loads(done.stdout).items()}


TYPES: dict[str, tuple[type, ...]] = {'str': (str,), 'float': (int, float), 'int': (int,), 'bool': (bool,), 'list': (list,),
                                      'path': (str,), 'dict': (dict,)}


@shown('yaml')
def test_yaml_uses_options_that_exist(example, options, modules):
    """Of our roles by name and type, of our modules by name."""
    for document in yaml.safe_load_all(example.text):
        for key, value in walk(document):
            if OPTION.fullmatch(str(key)):
                assert key in options, f'{example} names {key}'
                if not (isinstance(value, str) and '{{' in value):
                    assert isinstance(value, TYPES[options[key].get('type', 'str')]), f'{example}: {key} is {value!r}'
            if key in modules and isinstance(value, dict):
                assert set(value) <= set(modules[key]), f'{example} uses {key}'


def plays():
    """The examples that are playbooks, not rulebooks or parts of something."""
    return [example for example in examples('yaml') for document in [yaml.safe_load(example.text)]
            if isinstance(document, list) and all(isinstance(play, dict) for play in document)
            and any('hosts' in play or 'ansible.builtin.import_playbook' in play for play in document)]


@pytest.mark.parametrize('example', plays(), ids=str)
def test_playbooks_are_well_formed(core, example, tmp_path):
    path = tmp_path / 'example.yml'
    path.write_text(example.text)
    run = playbook.run(core('awx' if 'awx.awx.' in example.text else 'core-newest'),
                       ['ansible-playbook', '--syntax-check', '-i', 'localhost,', str(path)], cwd=tmp_path)
    problem = [line for line in run.output.splitlines() if 'WARNING' in line and 'host pattern' not in line]
    assert run.returncode == 0 and not problem, run.output


def test_the_rules_for_events_are_well_formed(core):
    """By the schema of ansible-rulebook, whole rulebooks and rules that are shown alone."""
    program = '''
import json, pathlib, sys
import ansible_rulebook, jsonschema
schema = json.loads((pathlib.Path(ansible_rulebook.__file__).parent / "schema/ruleset_schema.json").read_text())
jsonschema.validate(json.load(sys.stdin), schema)
'''
    shipped = yaml.safe_load((ROOT / 'extensions/eda/rulebooks/heal.yml').read_text())
    shown_alone = [{**shipped[0], **document} for example in examples('yaml')
                   for document in [yaml.safe_load(example.text)] if isinstance(document, dict) and 'rules' in document]
    assert shown_alone
    for rulebook in (shipped, shown_alone):
        subprocess.run([core('rulebook').bin / 'python', '-c', program], input=json.dumps(rulebook), text=True, check=True)


# Commands


def commands(example):
    """The commands of an example: its lines without prompt, continued ones joined, without what a prompt shows as output."""
    text = example.text.replace('\\\n', ' ')
    prompted = re.findall(r'^\$ (.*)$', text, re.MULTILINE)
    for line in prompted or text.splitlines():
        line = re.sub(r'(?:^|\s)#.*$', '', line).strip()
        if line:
            yield line


def lines_to_type():
    """(where it stands, one line) of each example, and of the commands that stand within a sentence."""
    for example in examples('console'):
        for line in commands(example):
            yield str(example), line
    for page in pages():
        text = FENCE.sub('', (ROOT / page).read_text(encoding='utf-8'))
        for line in re.findall(r'`((?:ansible-\w+|make|python3) [^`…]+)`', text):
            yield page, ' '.join(line.split())


def simple_commands(name):
    """The words of each command of this name, at the start of a line or behind $(, && or |."""
    found = []
    for place, line in lines_to_type():
        for part in re.split(r'\s*(?:&&|\|\|?|;)\s*|\w+=\$\((?=\w)', line):
            words = shlex.split(part.rstrip(')')) if part.count("'") % 2 == 0 and part.count('"') % 2 == 0 else part.split()
            while words and re.fullmatch(r'[A-Z_]+=.*', words[0]):
                words = words[1:]
            if words and re.fullmatch(name, words[0]):
                found.append(pytest.param(words, id=f'{place} {" ".join(words)}'[:90]))
    return found


@shown('console')
def test_commands_are_well_formed(example):
    script = '\n'.join(commands(example)) if re.search(r'^\$ ', example.text, re.MULTILINE) is None else \
        re.sub(r'^\$ ', '', example.text, flags=re.MULTILINE)
    done = subprocess.run(['bash', '-n'], input=script, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ''), script


@pytest.mark.parametrize('words', simple_commands('make'))
def test_make_knows_it(words):
    makefile = (ROOT / 'Makefile').read_text()
    for word in words[1:]:
        assert '=' in word or re.search(rf'^{word}:', makefile, re.MULTILINE), word


@pytest.mark.parametrize('words', simple_commands('ansible-playbook'))
def test_playbooks_and_options_on_the_command_line_exist(core, options, words, tmp_path):
    """The command as it is printed, but that it only looks at the playbook, with another inventory."""
    for word in words:
        for name in OPTION.findall(word):
            assert name in options or name == 'fix_bp_jwt' or word.endswith('.yml'), word
    arguments = [word for word in words[1:] if not word.startswith('@') and word != '--extra-vars']
    for position, word in enumerate(arguments):
        if word in ('-i', '--inventory'):
            arguments[position + 1] = 'localhost,'
        elif word.endswith('.yml') and not (ROOT / word).exists():
            pytest.skip(f"not run: {word} is the reader's own file")
    environment = core('awx' if 'aemops.brand_portal.awx' in words else 'core-newest')
    run = playbook.run(environment, ['ansible-playbook', '--syntax-check', *arguments])
    assert run.returncode == 0, run.output


@pytest.mark.parametrize('words', simple_commands('ansible-doc'))
def test_documentation_is_where_they_say(newest, words):
    run = playbook.run(newest, words)
    assert run.returncode == 0 and 'not found' not in run.output, run.output


@pytest.mark.parametrize('words', [param for param in simple_commands(r'python3|\$bin/python|\$\(python3')
                                   if not any('environment.py' in word for word in param.values[0][:2])])
def test_our_programs_take_these_options(words, tmp_path):
    """pytest collects what it is to run; of other programs the option and command names are looked for in their help."""
    python, *arguments = words
    if arguments[:2] == ['-m', 'pytest']:
        done = subprocess.run([sys.executable, '-m', 'pytest', '--collect-only', '-q', *arguments[2:]], cwd=ROOT, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert done.returncode == 0, done.stdout
        return
    program, *arguments = arguments
    plain = [word for word in arguments if re.fullmatch(r'[a-z]+', word)][:1] if 'lab.py' in program else []
    done = subprocess.run([sys.executable, program, *plain, '--help'], cwd=ROOT, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout
    for word in arguments:
        if word.startswith('--'):
            assert word in done.stdout, f'{word} is not in\n{done.stdout}'


# Words


def said_in_the_code():
    """All texts in our code, an ellipsis where values are put in, and of roles and Ansible what they are to say."""
    for path in (ROOT / 'plugins').rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield re.sub(r'\{\d+[^{}]*\}', '…', node.value)
            elif isinstance(node, ast.JoinedStr):
                yield ''.join(str(part.value) if isinstance(part, ast.Constant) else '…' for part in node.values)
    for path in (ROOT / 'roles').rglob('*.yml'):
        yield path.read_text(encoding='utf-8')


def quoted_messages():
    page = (ROOT / 'docs/troubleshooting.md').read_text(encoding='utf-8')
    return re.findall(r'^\| `([^`]+)` \|', page, re.MULTILINE)


@pytest.fixture(scope='session')
def code():
    return [' '.join(re.sub(r"' ~ '|'\s*\+\s*'", '', text).split()) for text in said_in_the_code()]


@pytest.mark.parametrize('message', quoted_messages())
def test_messages_to_look_up_are_those_that_are_said(message, code):
    if message == 'Missing sudo password':  # Ansible's own
        return
    pieces = [piece.strip() for piece in message.split('…')]
    assert any(all(piece in text for piece in pieces) for text in code), message


def test_the_messages_are_many():
    assert len(quoted_messages()) > 15


def test_options_that_documents_name_exist(options):
    allowed = {*options, 'fix_bp_jwt_result'}
    for page in pages():
        if page == 'docs/upgrading.md':  # names what there was, too
            continue
        if page.startswith('tests/'):
            continue
        text = re.sub(r'aemops\.brand_portal\.\w+|[\w/.-]+\.(?:yml|md|json|py)', '', (ROOT / page).read_text(encoding='utf-8'))
        named = {name for name in OPTION.findall(text) if not name.endswith('_')}
        assert named <= allowed, f'{page} names {named - allowed}'


def test_the_site_is_built_without_a_warning(core):
    done = subprocess.run([ROOT / 'tests/tools/build-docs', core('docs').bin], cwd=ROOT, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout
    assert Path(done.stdout.strip().splitlines()[-1]).exists()


# The README, from its first line


class NewUser:
    """A user with a home and a copy of the repository, who types what the README prints."""

    def __init__(self, folder, path):
        self.home, self.copy = folder / 'home', checkout.copy(folder / 'brand-portal')
        self.home.mkdir()
        self.environment = {'HOME': str(self.home), 'PATH': path, 'LANG': 'C.UTF-8', 'ANSIBLE_NOCOLOR': '1', 'TERM': 'dumb'}

    def type(self, command, cwd=None):
        done = subprocess.run(['bash', '-c', command], cwd=cwd or self.copy, env=self.environment, text=True, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900)
        assert PASSWORD not in done.stdout
        return playbook.Run(done.returncode, done.stdout)


@pytest.fixture(scope='module')
def new_user(tmp_path_factory):
    """After "On the controller: Python 3.10 or newer, then pip install"."""
    folder = tmp_path_factory.mktemp('new_user')
    subprocess.run([sys.executable, '-m', 'venv', folder / 'venv'], check=True)
    new_user = NewUser(folder, f'{folder}/venv/bin:/usr/bin:/bin:/usr/sbin:/sbin')
    readme = (ROOT / 'README.md').read_text(encoding='utf-8')
    assert '`pip install -r requirements.txt`' in readme
    for name in ('PIP_CONFIG_FILE', 'PIP_INDEX_URL'):
        if name in os.environ:
            new_user.environment[name] = os.environ[name]
    run = new_user.type('pip install --quiet -r requirements.txt')
    assert run.returncode == 0, run.output
    return new_user


@pytest.fixture(scope='module')
def my_host(lab, newest, new_user):
    """A lab machine in 2017; the inventory is the README's, with other names and a way to log in."""
    author = AuthorHost(lab, 'myhost', '2017-02-28T18:39:51Z', newest)
    [printed] = [example.text for example in examples('yaml') if example.page == 'README.md']
    inventory = yaml.safe_load(printed)['aem_authors']
    assert len(inventory['hosts']) == 2 and len(inventory['vars']['fix_bp_jwt_ntp_servers']) == 3
    inventory['hosts'] = {'myhost': None}
    inventory['vars']['fix_bp_jwt_ntp_servers'] = [lab.network.host]
    (new_user.copy / 'inventory.yml').write_text(yaml.safe_dump({'aem_authors': inventory}))
    access = json.loads(author.inventory().read_text())['aem_authors']
    variables = new_user.copy / 'group_vars' / 'all.json'
    variables.parent.mkdir()
    variables.write_text(json.dumps({**{name: value for name, value in access['vars'].items() if name.startswith('ansible_')},
                                     **access['hosts']['myhost']}))
    new_user.environment.update(AEM_USER='admin', AEM_PASSWORD=PASSWORD)
    return author


def readme_commands():
    return [line for example in examples('console') if example.page == 'README.md' for line in commands(example)
            if line.startswith('ansible-playbook')]


def test_the_readme_names_a_check_and_a_run():
    assert readme_commands() == ['ansible-playbook fix-bp-jwt.yml -i inventory.yml --check --diff',
                                 'ansible-playbook fix-bp-jwt.yml -i inventory.yml']


def watch(new_user, user):
    """The play of SECURITY.md that only measures, as an account that may not become root."""
    [play] = [example.text for example in plays() if example.page == 'SECURITY.md']
    (new_user.copy / 'watch.yml').write_text(play)
    return new_user.type(f'ansible-playbook watch.yml -i inventory.yml -e ansible_user={user}')


def test_looking_first_needs_no_root_and_check_changes_nothing(new_user, my_host):
    watched = watch(new_user, 'ops')
    assert watched.returncode != 0 and 'jwt_expired: Brand Portal refuses this host' in watched.output, watched.output
    run = new_user.type(readme_commands()[0])
    assert run.returncode == 0 and 'run without --check' in run.row('myhost'), run.output
    assert abs(my_host.machine.clock()) > 86400


def test_the_run_heals_and_shows_the_table_of_the_readme(new_user, my_host):
    run = new_user.type(readme_commands()[1])
    assert run.returncode == 0, run.output
    [table] = [example.text.splitlines() for example in examples('text')
               if example.page == 'README.md' and example.text.startswith('host ')]
    assert tuple(re.split(r'\s{2,}', table[0])) == report_table.HEADINGS
    assert ' '.join(table[0].split()) in ' '.join(run.output.split())
    cells = re.split(r'\s{2,}', run.row('myhost').strip())
    printed = re.split(r'\s{2,}', table[1])
    assert len(cells) == len(printed) and cells[3:] == printed[3:]
    before, then = (re.sub(r'\d+', 'N', cell.partition(' -> ')[0]) for cell in (cells[1], printed[1]))
    assert before == then and ' -> ' in cells[1]
    assert abs(my_host.machine.clock()) < 0.1


def test_installed_as_a_collection_it_finds_the_host_healthy(new_user, my_host, tmp_path):
    readme = (ROOT / 'README.md').read_text(encoding='utf-8')
    [install] = re.findall(r'`(ansible-galaxy collection build && [^`]*)`', readme)
    run = new_user.type(install)
    assert run.returncode == 0, run.output
    run = new_user.type(f'ansible-playbook aemops.brand_portal.fix_bp_jwt -i {new_user.copy}/inventory.yml', cwd=tmp_path)
    assert run.returncode == 0 and run.recap['myhost']['changed'] == 0, run.output
    assert watch(new_user, 'ops').returncode == 0


def test_the_sudoers_lines_are_valid(my_host):
    [lines] = [example.text for example in examples('text') if example.text.startswith('# /etc/sudoers.d/')]
    my_host.machine.write('/etc/sudoers.d/example', lines, mode=0o440)
    checked = my_host.machine.ssh('visudo -cf /etc/sudoers.d/example; rm /etc/sudoers.d/example', check=False)
    assert 'parsed OK' in checked.stdout, checked
