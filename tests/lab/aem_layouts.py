# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AEM as people run it: by a systemd unit, a SysV script, a start script in the session of a user, a container; on each store.

The stand-in shows what a real AEM shows of itself: its command line, its folder crx-quickstart, its jar's version.
"""

import json

from .aem import CODE, CONFIGURATION

# run mode, AEM's version, the stand-in's lease
STORES = {
    'segment': ('crx3tar', '6.5.0', False),
    'document-strict': ('crx3mongo', '6.5.0', 'strict'),
    'document-lenient': ('crx3mongo', '6.4.0', 'lenient'),
    'unknown': ('author', '6.5.0', False),
}

_START = '''#!/bin/sh
cd {home} || exit 1
setsid nohup {command} >/var/tmp/{name}.log 2>&1 </dev/null &
echo $! >/var/tmp/{name}.pid
'''
_STOP = '''#!/bin/sh
kill $(cat /var/tmp/{name}.pid)
'''
_SYSV = '''#!/bin/sh
### BEGIN INIT INFO
# Provides:          {name}
# Required-Start:    $network
# Required-Stop:
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: AEM
### END INIT INFO
case "$1" in
  start) {home}/crx-quickstart/bin/start ;;
  stop) {home}/crx-quickstart/bin/stop; while kill -0 $(cat /var/tmp/{name}.pid) 2>/dev/null; do sleep 0.1; done ;;
  status) kill -0 $(cat /var/tmp/{name}.pid) ;;
esac
'''
# What systemd-sysv-generator makes of such a script; the lab's image has no generators.
_GENERATED = '''[Unit]
SourcePath=/etc/init.d/{name}
Description=LSB: AEM
[Service]
Type=forking
Restart=no
TimeoutSec=5min
IgnoreSIGPIPE=no
KillMode=process
GuessMainPID=no
RemainAfterExit=yes
ExecStart=/etc/init.d/{name} start
ExecStop=/etc/init.d/{name} stop
'''
_UNIT = '''[Unit]
Description=AEM {name}
[Service]
WorkingDirectory={home}
ExecStart={command}
Restart=on-failure
RestartSec=1
RestartPreventExitStatus=70
[Install]
WantedBy=multi-user.target
'''


def arrange(machine, runs, store='segment', name='aem', port=4502):
    """Have the machine, on which AEM was deployed, run it like that. `runs`: systemd, sysv, session or container."""
    mode, version, lease = STORES[store]
    home = f'/opt/{name}'
    settings = json.loads(machine.ssh(f'cat {CONFIGURATION}/config.json').stdout)
    machine.write(f'{CONFIGURATION}/{name}.json', json.dumps({**settings, 'listen': ['0.0.0.0', port], 'lease': lease}, indent=2))
    command = (f'/usr/bin/python3 {CODE}/aem.py --config {CONFIGURATION}/{name}.json -- -Dsling.run.modes=author,{mode} '
               f'-jar crx-quickstart/app/cq-quickstart-{version}-standalone-quickstart.jar start -c crx-quickstart')
    words = {'name': name, 'home': home, 'command': command}
    remove(machine, name)
    machine.ssh(f'mkdir -p {home}/crx-quickstart/app {home}/crx-quickstart/bin; '
                f'touch {home}/crx-quickstart/app/cq-quickstart-{version}-standalone-quickstart.jar')
    for path, text in (('bin/start', _START), ('bin/stop', _STOP)):
        machine.write(f'{home}/crx-quickstart/{path}', text.format(**words))
    machine.ssh(f'chmod 755 {home}/crx-quickstart/bin/*; chmod -R a+rX {CONFIGURATION}; chmod a+r {CONFIGURATION}/*')
    if runs == 'systemd':
        machine.write(f'/etc/systemd/system/{name}.service', _UNIT.format(**words))
    elif runs == 'sysv':
        machine.write(f'/etc/init.d/{name}', _SYSV.format(**words))
        machine.write(f'/etc/systemd/system/{name}.service', _GENERATED.format(**words))
        machine.ssh(f'chmod 755 /etc/init.d/{name}')
    if runs in ('systemd', 'sysv'):
        machine.ssh(f'systemctl daemon-reload; systemctl start {name}')
    elif runs == 'session':     # as logind names the session of a user who has logged in
        machine.ssh(f'systemd-run -q --scope --slice=user-1001.slice --unit=session-7 {home}/crx-quickstart/bin/start')
    elif runs == 'container':   # as systemd-nspawn names its own, with host networking
        machine.ssh(f'systemd-run -q --unit=systemd-nspawn@{name} --slice=machine.slice -p WorkingDirectory={home} '
                    f'unshare --pid --fork --mount-proc {command}')
    wait(machine, port)


def remove(machine, name='aem'):
    """Stop it, however it runs, and take its unit away."""
    machine.ssh(f'systemctl stop {name} systemd-nspawn@{name} session-7.scope 2>/dev/null; '
                f'systemctl disable -q {name} 2>/dev/null; '
                f'[ -e /var/tmp/{name}.pid ] && kill $(cat /var/tmp/{name}.pid) 2>/dev/null; '
                f'rm -f /etc/systemd/system/{name}.service /etc/init.d/{name} /var/tmp/{name}.*; '
                f'systemctl daemon-reload; systemctl reset-failed', check=False)


def wait(machine, port=4502):
    machine.ssh(f'''python3 -S - <<'END'
import sys, time, urllib.request
end = time.monotonic() + 60
while True:
    try:
        if b'QUICKSTART_HOMEPAGE' in urllib.request.urlopen(
                'http://localhost:{port}/libs/granite/core/content/login.html', timeout=10).read():
            break
    except OSError as error:
        if time.monotonic() > end:
            sys.exit('no AEM at port {port}: %s' % error)
    time.sleep(0.1)
END''')
