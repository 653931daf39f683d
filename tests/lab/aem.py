# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stand-in of AEM on a lab machine, as `aem.service`, trusting the lab's CA as a real one trusts the public ones."""

import io
import json
import tarfile

from .services import FAKES

CODE, CONFIGURATION = '/opt/aem-standin', '/etc/aem-standin'
AUTHORITY = '/usr/local/share/ca-certificates/aemops-lab.crt'

# What update-ca-certificates does where only this one is trusted, without its many processes (3.7 s of 5.6 s for all of it).
TRUST = (f'ln -sf {AUTHORITY} /etc/ssl/certs/aemops-lab.pem && cat {AUTHORITY} >/etc/ssl/certs/ca-certificates.crt && '
         f'ln -sf aemops-lab.pem /etc/ssl/certs/$(openssl x509 -noout -subject_hash -in {AUTHORITY}).0')

WAIT_PROGRAM = '/usr/lib/lab/wait_aem.py'
WAIT = '''
import json, sys, time, urllib.request
with open('/etc/aem-standin/config.json') as file:
    configuration = json.load(file)
scheme = 'https' if configuration.get('cert') else 'http'
url = '%s://localhost:%d%s' % (scheme, configuration['listen'][1], configuration.get('context_path', ''))
end = time.monotonic() + 60
while True:
    try:
        page = urllib.request.urlopen(url + '/libs/granite/core/content/login.html', timeout=10).read()
        if b'QUICKSTART_HOMEPAGE' in page:
            break
        problem = 'this is not its login page'
    except OSError as error:
        problem = error
    if time.monotonic() > end:
        sys.exit('AEM at %s is not ready: %s' % (url, problem))
    time.sleep(0.1)
'''


def deploy(machine, **settings):
    """Put it there, start it, wait until its login page answers. `settings`: keys of the stand-in's configuration."""
    lab = machine.lab
    tls = lab.certificates()
    configuration = {
        'listen': ['0.0.0.0', 4502], 'user': 'admin', 'password': 'admin', 'tenant': lab.tenant,
        'private_key': f'{CONFIGURATION}/agent.key', 'ca': f'{CONFIGURATION}/ca.pem', **settings,
    }
    files = {f'{CODE}/{path.name}': path.read_bytes() for path in FAKES.glob('*.*')}
    files['/etc/systemd/system/aem.service'] = (FAKES / 'aem.service').read_bytes()
    files[AUTHORITY] = files[f'{CONFIGURATION}/ca.pem'] = (tls / 'ca.pem').read_bytes()
    files[f'{CONFIGURATION}/agent.key'] = (tls / 'agent.key').read_bytes()
    files[f'{CONFIGURATION}/config.json'] = json.dumps(configuration, indent=2).encode()
    files[WAIT_PROGRAM] = WAIT.encode()
    names = f'packages.lab ntp.lab {" ".join(lab.names)}'
    machine.ssh(' && '.join([
        'tar --no-same-owner -C / -xmf -',  # -m: the guest's clock is wrong, so no file's time is right there
        f"echo '{names}' >/usr/lib/lab/names",
        f"sed -i 's/^{lab.network.host} .*/{lab.network.host} {names}/' /etc/hosts",
        'systemctl daemon-reload', 'systemctl enable -q aem.service', 'systemctl restart aem.service',
        TRUST,
        f'python3 -S {WAIT_PROGRAM}']), input=_tar(files))


def configure(machine, **settings):
    """Change keys of the configuration; the stand-in reads it again at its next request."""
    path = f'{CONFIGURATION}/config.json'
    machine.write(path, json.dumps({**json.loads(machine.ssh(f'cat {path}').stdout), **settings}, indent=2))


def wait(machine):
    """Wait until the login page answers."""
    machine.ssh(f'python3 -S {WAIT_PROGRAM}')


def _tar(files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode='w') as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name.lstrip('/'))
            entry.size = len(content)
            entry.mode = 0o600 if name.endswith('.key') else 0o644
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
