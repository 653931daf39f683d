# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a machine is like, so that a test can show that nothing on it was changed.

This file is also the program that runs in the guest: it prints the fingerprint as JSON.
"""

import hashlib
import json
import os
import stat
import subprocess

# What says how time is kept; their contents move by themselves while a daemon runs, so only their being there counts.
TIME_STATE = ['/var/lib/chrony', '/var/lib/ntpsec', '/var/lib/ntp', '/var/lib/openntpd', '/var/lib/systemd/timesync',
              '/run/systemd/timesync']
# Started by a question on the bus and gone after half a minute: asking is no change.
ON_DEMAND = {'systemd-timedated.service', 'systemd-hostnamed.service', 'systemd-localed.service'}

# A program, its database, and its words for one line a package: name, tab, version.
LISTINGS = [('/usr/bin/dpkg-query', '/var/lib/dpkg', '-Wf', '${Package}\t${Version} ${Status}\n'),
            ('/usr/bin/rpm', '/var/lib/rpm', '-qa', '--qf', '%{NAME}\t%{VERSION}-%{RELEASE}\n')]


def output(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def file(path):
    seen = os.lstat(path)
    what = f'{stat.filemode(seen.st_mode)} {seen.st_uid}:{seen.st_gid}'
    if stat.S_ISLNK(seen.st_mode):
        return f'{what} -> {os.readlink(path)}'
    if stat.S_ISREG(seen.st_mode):
        with open(path, 'rb') as content:
            return f'{what} {hashlib.sha256(content.read()).hexdigest()[:16]}'
    return what


def tree(top, contents=True):
    found = {}
    for folder, folders, names in os.walk(top):
        for name in folders + names:
            path = os.path.join(folder, name)
            found[path] = file(path) if contents else 'there'
    return found


def units():
    """The units systemd has loaded; what is enabled or masked beyond them shows as links in /etc."""
    shown = ('Id', 'LoadState', 'ActiveState', 'UnitFileState', 'MainPID')
    found = {}
    for block in output('systemctl', 'show', '--property', ','.join(shown), '*.service', '*.timer', '*.socket').split('\n\n'):
        unit = dict(line.split('=', 1) for line in block.splitlines() if line)
        if unit and unit['Id'] not in ON_DEMAND:
            found[unit['Id']] = ' '.join(f'{key}={unit[key]}' for key in shown[1:] if key in unit)
    return found


def take():
    state = {}
    for place in TIME_STATE:
        state.update(tree(place, contents=False))
    with open('/proc/sys/kernel/random/boot_id') as boot:
        boot_id = boot.read().strip()
    packages = []
    for command in LISTINGS:
        if os.path.exists(command[0]) and os.path.exists(command[1]):
            packages += output(command[0], *command[2:]).splitlines()
    return {
        'packages': dict(line.split('\t') for line in packages),
        'etc': tree('/etc'),
        'units': units(),
        'time state': state,
        'boot': {'id': boot_id},
    }


def changes(before, after, clock_tolerance=0.5):
    """What differs between two fingerprints, one readable line each; an empty list means: nothing was changed.

    `clock` is the offset in seconds from the lab host's clock: a clock left alone keeps its offset.
    """
    found = []
    for area in sorted(set(before) - {'clock'}):
        for name in sorted(set(before[area]) | set(after[area])):
            old, new = before[area].get(name), after[area].get(name)
            if old != new:
                found.append(f'{area}: {name}: {old or "absent"} => {new or "gone"}')
    moved = after['clock'] - before['clock']
    if abs(moved) > clock_tolerance:
        found.append(f'clock: moved by {moved:+.3f} s')
    return found


if __name__ == '__main__':
    print(json.dumps(take()))
