"""The stand-in of AEM on a lab machine, as `aem.service`, trusting the lab's CA as a real one trusts the public ones."""

import io
import json
import tarfile

from .services import STANDINS

CODE, CONFIGURATION = '/opt/aem-standin', '/etc/aem-standin'
AUTHORITY = '/usr/local/share/ca-certificates/aemops-lab.crt'

WAIT = '''
import sys, time, urllib.request
end = time.monotonic() + 60
while True:
    try:
        page = urllib.request.urlopen(sys.argv[1] + '/libs/granite/core/content/login.html', timeout=10).read()
        if b'QUICKSTART_HOMEPAGE' in page:
            break
        problem = 'not the login page'
    except OSError as error:
        problem = error
    if time.monotonic() > end:
        sys.exit('AEM is not ready: %s' % problem)
    time.sleep(0.2)
'''


def deploy(machine, **settings):
    """Put it there, start it, wait until its login page answers. `settings`: keys of the stand-in's configuration."""
    lab = machine.lab
    tls = lab.certificates()
    configuration = {
        'listen': ['0.0.0.0', 4502], 'user': 'admin', 'password': 'admin', 'tenant': lab.tenant,
        'private_key': f'{CONFIGURATION}/agent.key', 'ca': f'{CONFIGURATION}/ca.pem', **settings,
    }
    files = {f'{CODE}/{path.name}': path.read_bytes() for path in STANDINS.glob('*.py')}
    files['/etc/systemd/system/aem.service'] = (STANDINS / 'aem.service').read_bytes()
    files[AUTHORITY] = files[f'{CONFIGURATION}/ca.pem'] = (tls / 'ca.pem').read_bytes()
    files[f'{CONFIGURATION}/agent.key'] = (tls / 'agent.key').read_bytes()
    files[f'{CONFIGURATION}/config.json'] = json.dumps(configuration, indent=2).encode()
    # -m: the guest's clock is wrong, so no file's time is right there
    machine.ssh('tar --no-same-owner -C / -xmf -', input=_tar(files))
    names = f'packages.lab ntp.lab {" ".join(lab.names)}'
    machine.ssh(f"echo '{names}' >/usr/lib/lab/names && sed -i 's/^{lab.network.host} .*/{lab.network.host} {names}/' /etc/hosts"
                ' && update-ca-certificates >/dev/null && systemctl daemon-reload && systemctl enable -q aem.service'
                ' && systemctl restart aem.service')
    wait(machine)


def configure(machine, **settings):
    """Change keys of the configuration; the stand-in reads it again at its next request."""
    path = f'{CONFIGURATION}/config.json'
    machine.write(path, json.dumps({**json.loads(machine.ssh(f'cat {path}').stdout), **settings}, indent=2))


def wait(machine):
    configuration = json.loads(machine.ssh(f'cat {CONFIGURATION}/config.json').stdout)
    url = f'http://localhost:{configuration["listen"][1]}{configuration.get("context_path", "")}'
    machine.ssh(f'python3 -Sc "$(cat)" {url}', input=WAIT)


def _tar(files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode='w') as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name.lstrip('/'))
            entry.size = len(content)
            entry.mode = 0o600 if name.endswith('.key') else 0o644
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
