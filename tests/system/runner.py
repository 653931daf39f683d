# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A job as AWX runs it: ansible-runner's transmit, worker and process, in three folders, and its events read back.

AWX's own part is imitated: the project is a checkout, the inventory of a slice is every n-th host by name, credentials
come as environment variables and an SSH key, extra variables and the answers of a survey as a file of unsafe strings.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess

import yaml


class Unsafe(str):
    """A string that AWX marks as not to be templated."""


class Dumper(yaml.SafeDumper):
    """Writes those as AWX does."""


Dumper.add_representer(Unsafe, lambda dumper, value: dumper.represent_scalar('!unsafe', str(value)))


class Job:
    """What a job left behind."""

    def __init__(self, folder, output):
        self.artifacts = folder / 'artifacts'
        assert (self.artifacts / 'rc').exists(), output
        self.output = output
        self.rc = int((self.artifacts / 'rc').read_text())
        files = sorted((self.artifacts / 'job_events').glob('*.json'), key=lambda path: int(path.name.partition('-')[0]))
        self.texts = [path.read_text(encoding='utf-8') for path in files]
        self.events = [json.loads(text) for text in self.texts]

    @property
    def statistics(self):
        """What AWX keeps as the job's artifacts."""
        [last] = [event['event_data'] for event in self.events if event['event'] == 'playbook_on_stats']
        return last['artifact_data']['brand_portal_report']

    @property
    def recap(self):
        [last] = [event['event_data'] for event in self.events if event['event'] == 'playbook_on_stats']
        return last

    def of(self, host):
        """The names of the tasks that ended on a host."""
        return [event['event_data']['task'] for event in self.events
                if event['event'].startswith('runner_on_') and event['event'] != 'runner_on_start'
                and event['event_data'].get('host') == host]


class Awx:
    """Runs jobs as AWX does. `container`: the command that starts one; without it the environment's own worker works."""

    def __init__(self, environment, folder, project, container=(), ssh_key=''):
        self.environment, self.folder, self.project = environment, folder, project
        self.container, self.ssh_key = container, ssh_key

    def job(self, name, hosts, survey=None, slices=(1, 1), **credential):
        """`slices`: the number of this job among so many. AWX cuts hosts by name, [n - 1::count]."""
        number, count = slices
        folder = self.folder / re.sub(r'\W+', '-', name)
        private, work, processed = (folder / part for part in ('private', 'worker', 'processed'))
        for part in (private / 'inventory', private / 'env', work, processed):
            part.mkdir(parents=True)
        shutil.copytree(self.project, private / 'project', symlinks=True)
        chosen = {host: hosts[host] for host in sorted(hosts)[number - 1::count]}
        (private / 'inventory' / 'hosts.json').write_text(json.dumps({'aem_authors': {'hosts': chosen}}))
        (private / 'env' / 'envvars').write_text(json.dumps({
            **credential, 'ANSIBLE_FORCE_COLOR': 'True', 'ANSIBLE_HOST_KEY_CHECKING': 'False',
            'ANSIBLE_RETRY_FILES_ENABLED': 'False', 'AWX_HOST': 'https://awx.example.com'}))
        variables = {name: Unsafe(value) if isinstance(value, str) else value for name, value in (survey or {}).items()}
        (private / 'env' / 'extravars').write_text(yaml.dump({**variables, 'awx_job_id': 7, 'tower_job_id': 7}, Dumper=Dumper))
        if self.ssh_key:
            (private / 'env' / 'ssh_key').write_text(self.ssh_key)
        runner = self.environment.bin / 'ansible-runner'
        worker = [*self.container, 'ansible-runner', 'worker', '--private-data-dir', '/runner' if self.container else str(work)]
        command = f'{runner} transmit {private} -p fix-bp-jwt.yml | {shlex.join(worker)} | {runner} process {processed}'
        kept = {name: value for name, value in os.environ.items() if not name.startswith(('ANSIBLE_', 'AEM_'))}
        process = subprocess.Popen(['bash', '-c', f'set -o pipefail; {command}'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, start_new_session=True,
                                   env={**kept, 'PATH': f'{self.environment.bin}:{os.environ["PATH"]}'})
        try:
            output, _nothing = process.communicate(timeout=300)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)  # three programs: none outlives a job that hangs
            raise
        return Job(processed, output)
