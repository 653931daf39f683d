# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is uploaded to Galaxy: built from a working tree in use, checked as Galaxy does, installed elsewhere, run from there."""

from __future__ import annotations

import tarfile

import pytest

from . import checkout, loopback, playbook
from .conftest import PASSWORD

# What work leaves behind in a checkout, and does not belong into a release.
LEFTOVERS = ['.ruff_cache/x', '.venv/bin/python', '.cache/environments/x', '.ansible/x', '.mypy_cache/x', '.pytest_cache/x',
             '.hypothesis/x', 'tests/output/report.html', 'tests/unit/__pycache__/x.pyc', 'plugins/modules/__pycache__/x.pyc',
             'aemops-brand_portal-0.0.1.tar.gz']


@pytest.fixture(scope='module')
def tree(tmp_path_factory):
    """What git knows, or would, as a working tree with leftovers in it."""
    tree = checkout.copy(tmp_path_factory.mktemp('tree'))
    for name in LEFTOVERS:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text('left behind')
    return tree


@pytest.fixture(scope='module')
def artifact(newest, tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp('artifact')
    run = playbook.run(newest, ['ansible-galaxy', 'collection', 'build', '--output-path', str(folder), str(tree)])
    assert run.returncode == 0 and 'WARNING' not in run.output, run.output
    [path] = folder.glob('aemops-brand_portal-*.tar.gz')
    return path


@pytest.fixture(scope='module')
def installed(newest, artifact, tmp_path_factory):
    """The collections folder of a user."""
    folder = tmp_path_factory.mktemp('elsewhere')
    run = playbook.run(newest, ['ansible-galaxy', 'collection', 'install', '--offline', '--collections-path', str(folder),
                                str(artifact)], cwd=folder, ANSIBLE_COLLECTIONS_PATH=str(folder))
    assert run.returncode == 0 and 'WARNING' not in run.output, run.output
    return folder


def test_the_artifact_has_what_it_needs_and_nothing_else(artifact):
    with tarfile.open(artifact) as archive:
        members = archive.getmembers()
    assert [member.name for member in members if not (member.isfile() or member.isdir())] == []
    names = {member.name for member in members}
    assert not names & set(LEFTOVERS)
    hidden = {name.split('/')[0] for name in names if name.startswith('.')}
    assert hidden == {'.ansible-lint', '.yamllint'}  # Galaxy lints with these
    assert [name for name in names if name.startswith('collections') or '__pycache__' in name] == []
    assert {'LICENSE', 'README.md', 'CHANGELOG.rst', 'SECURITY.md', 'CONTRIBUTING.md', 'meta/runtime.yml', 'requirements.txt',
            'playbooks/fix_bp_jwt.yml', 'extensions/eda/rulebooks/heal.yml', 'docs/causes.md'} <= names


def test_galaxy_would_take_it(core, artifact):
    """The checks that Galaxy makes of an upload; its documentation, lint and changelog without a complaint."""
    environment = core('release')
    run = playbook.run(environment, ['python', '-m', 'galaxy_importer.main', artifact.name], cwd=artifact.parent,
                       GALAXY_IMPORTER_CONFIG='/nonexistent')
    assert run.returncode == 0 and 'Importer processing completed successfully' in run.output, run.output
    assert [line for line in run.output.splitlines() if 'WARNING' in line or 'ERROR' in line] == []


def test_the_changelog_is_in_order(core, tree):
    run = playbook.run(core('release'), ['antsibull-changelog', 'lint'], cwd=tree)
    assert run.returncode == 0, run.output


@pytest.mark.parametrize('name', ['core-2.16', 'core-newest'])
def test_it_runs_where_it_was_installed(core, name, installed, tmp_path):
    with loopback.authors(tmp_path, PASSWORD, {'author1': {}}) as inventory:
        run = playbook.run(core(name), ['ansible-playbook', 'aemops.brand_portal.fix_bp_jwt', '-i', str(inventory)], cwd=tmp_path,
                           ANSIBLE_COLLECTIONS_PATH=str(installed), AEM_USER='admin', AEM_PASSWORD=PASSWORD)
    assert run.returncode == 0, run.output
    assert ' healthy ' in run.row('author1') and 'WARNING' not in run.output
