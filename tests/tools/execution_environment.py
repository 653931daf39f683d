# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the image of execution-environment.yml and heals a lab machine from inside it, as AWX does: `make execution-environment`.

No engine runs here: buildah builds and starts the image in a chroot. The base that the description names is in a registry;
in its place stands a Debian made from this machine's own apt, which brings the same Python. All else is as described.
Everything that is made ends with this program; root on x86_64, as for the lab.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'tests')]

from system import checkout, playbook, runner  # noqa: E402

from lab import Lab, LabError, Machine  # noqa: E402
from lab import image as lab_image  # noqa: E402
from lab.host import run, say, step  # noqa: E402

SUITE, PYTHON = 'bookworm', '3.11'
BASE, IMAGE = 'localhost/debian-base:latest', 'localhost/brand-portal:latest'
# What the described base or its package manager brings; Debian does not let pip replace its own pip.
PACKAGES = (f'python{PYTHON}', f'python{PYTHON}-venv', 'python3-pip', 'ca-certificates')
# How far a wheel may ask for a newer C library: Debian 12 has 2.36.
PLATFORMS = ('manylinux_2_34_x86_64', 'manylinux_2_28_x86_64', 'manylinux_2_17_x86_64', 'manylinux2014_x86_64',
             'manylinux2010_x86_64', 'manylinux1_x86_64')
WRONG = '2017-02-28T18:39:51Z'
USER, PASSWORD = 'watcher', 'S3cret-image-must-not-be-seen'


class Builder:
    """An image, in a storage of its own below `folder`."""

    def __init__(self, folder: Path, ansible_builder: Path) -> None:
        self.folder, self.ansible_builder = folder, ansible_builder
        # In namespaces of their own: whatever happens, nothing stays mounted below a folder that will be removed, or running.
        self.alone = ['unshare', '--mount-proc', '--pid', '--fork', '--kill-child']
        self.buildah = [*self.alone, 'buildah', '--root', str(folder / 'storage'), '--runroot', str(folder / 'run'),
                        '--storage-driver', 'vfs']

    def make_base(self) -> None:
        lab_image.write_apt_settings(self.folder / 'apt.conf')
        (self.folder / 'sources.list').write_text(lab_image.sources(SUITE), encoding='utf-8')
        # The lists stay: bindep's packages are still to be installed.
        run(*self.alone, 'mmdebstrap', '--mode=root', '--variant=minbase', f'--aptopt={self.folder / "apt.conf"}',
            '--skip=cleanup/apt/lists', f'--include={",".join(PACKAGES)}', SUITE, self.folder / 'base.tar',
            self.folder / 'sources.list')
        container = self.run('from', 'scratch')
        self.run('add', container, self.folder / 'base.tar', '/')
        self.run('commit', '--rm', container, BASE)
        (self.folder / 'base.tar').unlink()

    def describe(self) -> Path:
        """What ansible-builder makes of the description, with Debian for its base."""
        description = yaml.safe_load((ROOT / 'execution-environment.yml').read_text(encoding='utf-8'))
        description['images']['base_image']['name'] = BASE
        description['options'] = {'package_manager_path': '/usr/bin/apt-get', 'skip_pip_install': True}
        assert description['dependencies']['python_interpreter']['python_path'].endswith(f'python{PYTHON}')
        place = self.folder / 'described'
        place.mkdir()
        (place / 'execution-environment.yml').write_text(yaml.safe_dump(description), encoding='utf-8')
        for name in ('requirements.txt', 'bindep.txt'):
            (place / name).write_bytes((ROOT / name).read_bytes())
        run(self.ansible_builder, 'create', '--output-filename', 'Containerfile', cwd=place)
        return place / 'context'

    def fetch_wheels(self, context: Path) -> Path:
        """All that pip will want in the image, by the pip of this machine, which knows the way to an index."""
        text = (context / 'Containerfile').read_text(encoding='utf-8')
        [ansible] = re.findall('^ARG ANSIBLE_INSTALL_REFS="(.*)"$', text, re.MULTILINE)
        wanted = [word for words in re.findall(r'pip install --no-cache-dir (.*)', text) for word in shlex.split(words)
                  if not word.startswith('$')]
        wheels = self.folder / 'wheels'
        platforms = [f'--platform={name}' for name in PLATFORMS]
        run(sys.executable, '-m', 'pip', 'download', '--quiet', '--only-binary=:all:', f'--python-version={PYTHON}',
            '--implementation=cp', *platforms, '--dest', wheels, *shlex.split(ansible), *wanted,
            '--requirement', context / '_build' / 'requirements.txt')
        (self.folder / 'pip.conf').write_text('[global]\nno-index = true\nfind-links = /wheels\n', encoding='utf-8')
        return wheels

    def build(self, context: Path, wheels: Path) -> None:
        self.run('bud', '--isolation', 'chroot', '--pull-never', '--build-arg', 'PKGMGR_PRESERVE_CACHE=always',
                 '--volume', f'{wheels}:/wheels:ro', '--volume', f'{self.folder / "pip.conf"}:/etc/pip.conf:ro',
                 '--tag', IMAGE, '--file', context / 'Containerfile', context)

    def start(self) -> list[str]:
        """The command that runs another one in a container of the image, by the image's own entry point and user."""
        container = self.run('from', '--pull-never', IMAGE)
        configuration = json.loads(self.run('inspect', container))['OCIv1']['config']
        say(f'the image starts {shlex.join(configuration["Entrypoint"])} as the user {configuration["User"]}')
        return [*self.buildah, 'run', '--isolation', 'chroot', container, '--', *configuration['Entrypoint']]

    def run(self, *words: t.Any) -> str:
        return run(*self.buildah, *words).strip()


def versions(container: list[str]) -> str:
    said = [run(*container, *command) for command in (['ansible', '--version'], ['ansible-runner', '--version'])]
    core, python = re.search(r'core (\S+)\]', said[0]), re.search(r'python version = (\S+)', said[0])
    return f'ansible-core {core and core[1]} on Python {python and python[1]}, ansible-runner {said[1].strip()}'


def heal(container: list[str], machine: Machine, folder: Path) -> runner.Job:
    """One job of fix-bp-jwt.yml: everything comes to the container through its standard input, as from AWX."""
    host = {
        'ansible_host': machine.address, 'ansible_user': 'deploy', 'ansible_python_interpreter': '/usr/bin/python3',
        'ansible_ssh_common_args': '-o UserKnownHostsFile=/dev/null', 'fix_bp_jwt_ntp_servers': [machine.lab.network.host],
    }
    awx = runner.Awx(playbook.environment('fleet'), folder, checkout.copy(folder / 'project'), container,
                     machine.lab.image.key.read_text(encoding='utf-8'))
    return awx.job('image', {machine.name: host}, AEM_USER=USER, AEM_PASSWORD=PASSWORD)


def complaints(job: runner.Job, clock: float) -> t.Iterator[str]:
    """What is not as it should be. clock: seconds the machine is ahead."""
    if any(PASSWORD in text for text in [*job.texts, job.output, (job.artifacts / 'stdout').read_text(encoding='utf-8')]):
        yield 'the password is to be seen'
    if job.rc:
        yield f'the job ended with {job.rc}'
        return
    counts = job.statistics['counts']
    if (counts['hosts'], counts['passed'], counts['repaired'], counts['states']) != (1, 1, 1, {'healthy': 1}):
        yield f'the host was not healed: {counts}'
    if abs(clock) > 0.05:
        yield f'the clock is {clock:+.3f} s off'


def main() -> int:
    builder_environment = playbook.environment('awx')
    with tempfile.TemporaryDirectory(prefix='execution-environment-') as name:
        folder = Path(name)
        builder = Builder(folder, builder_environment.bin / 'ansible-builder')
        with step('making a base of Debian'):
            builder.make_base()
        with step('fetching what pip will install'):
            context = builder.describe()
            wheels = builder.fetch_wheels(context)
        with step('building the image'):
            builder.build(context, wheels)
        container = builder.start()
        say(f'in it: {versions(container)}')
        with Lab.create(python=sys.executable) as lab:
            lab.start_brand_portal(cert='long')
            machine = lab.machine('author1', clock=WRONG).wait_ready()
            machine.deploy_aem(user=USER, password=PASSWORD)
            with step(f'healing a machine whose clock is in {WRONG}, from the image'):
                job = heal(container, machine, folder)
            clock = machine.clock()
        print((job.artifacts / 'stdout').read_text(encoding='utf-8'))
        wrong = list(complaints(job, clock))
        say('; '.join(wrong) or f'healed: {json.dumps(job.statistics["counts"])}, its clock is {abs(clock) * 1000:.0f} ms off')
        return 1 if wrong else 0


if __name__ == '__main__':
    if os.geteuid() != 0:
        sys.exit('This makes root file systems and a lab: run it as root.')
    try:
        sys.exit(main())
    except (LabError, playbook.CannotRun, subprocess.SubprocessError) as problem:
        sys.exit(f'The image could not be tried: {problem}')
