# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab on the command line: build, up, down, list, exec, ssh, inventory, clean."""

import argparse
import os
import shutil
import sys
import time

from .host import CACHE, LabError, say, step
from .image import BASE_OF_SUITE, Image
from .lab import Lab

EXAMPLES = '''\
examples:
  lab.py up --machine author1=2017-02-28T18:39:51Z --machine author2=+400d --machine author3
  lab.py exec lab1 author1 date
  lab.py down lab1
A machine's clock: a date (UTC), or +N/-N with s, m, h or d from the right time, or nothing: right.
'''


def build(options):
    say(f'image: {Image.of(options.suite).build().folder}')


def up(options):
    began = time.monotonic()
    lab = Lab.create(options.suite, options.python, options.tenant, keep=True)
    try:
        if options.brand_portal:
            lab.start_brand_portal(options.brand_portal)
        machines = []
        for wanted in options.machine:
            name, _equals, clock = wanted.partition('=')
            machines.append(lab.machine(name, clock or None))
        for machine in machines:
            machine.wait_ready()
            if options.aem:
                machine.deploy_aem(scenario=options.aem)
            say(f'{machine.name} at {machine.address}, its clock is {machine.clock():+.1f} s from right')
    except BaseException:
        lab.down()
        raise
    say(f'{lab.id} is up after {time.monotonic() - began:.1f} s; inventory: {lab.inventory()}')
    print(lab.id)


def down(options):
    if not options.lab and not options.all:
        raise LabError('which lab? (lab.py list), or --all')
    for name in [lab.id for lab in Lab.all()] if options.all else options.lab:
        with step(f'taking down {name}'):
            Lab.load(name).down()


def show(_options):
    for lab in Lab.all():
        owner = 'kept' if lab.owner is None else f'of process {lab.owner[0]}'
        print(f'{lab.id}  {lab.image.suite}  {lab.network.host}  {owner}')
        for machine in lab.machines.values():
            print(f'  {machine.name}  {machine.address}  {"running" if machine.process.pid else "stopped"}')


def ssh(options):
    """Become ssh: the guest's output, exit code and terminal are the user's."""
    machine = Lab.load(options.lab).machines[options.name]
    command = getattr(options, 'command', [])
    sys.stdout.flush()
    os.execvp('ssh', ['ssh', *machine.ssh_args, '-i', str(machine.lab.image.key), f'{options.user}@{machine.address}', *command])


def inventory(options):
    print(Lab.load(options.lab).inventory(user=options.user))


def clean(_options):
    if Lab.all():
        raise LabError('labs are running: take them down first (lab.py down)')
    shutil.rmtree(CACHE, ignore_errors=True)


def parser():
    top = argparse.ArgumentParser(prog='lab.py', description='Machines with wrong clocks, under User-Mode Linux.', epilog=EXAMPLES,
                                  formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(required=True, metavar='COMMAND')

    def command(name, does, text):
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(does=does)
        return added

    making = command('build', build, 'build the image (also done by up)')
    making.add_argument('--suite', default='bookworm', choices=sorted(BASE_OF_SUITE))
    starting = command('up', up, 'make a lab that stays until down; prints its id')
    starting.add_argument('--suite', default='bookworm', choices=sorted(BASE_OF_SUITE))
    starting.add_argument('--machine', action='append', default=[], metavar='NAME[=CLOCK]')
    starting.add_argument('--tenant', default='acme')
    starting.add_argument('--python', default=sys.executable, help='a Python with PyJWT and cryptography, for the stand-in')
    starting.add_argument('--brand-portal', nargs='?', const='long', choices=['long', 'short'], help='start the stand-in')
    starting.add_argument('--aem', nargs='?', const='real', metavar='SCENARIO', help='put the stand-in of AEM on every machine')
    ending = command('down', down, 'end labs and remove what they left')
    ending.add_argument('lab', nargs='*')
    ending.add_argument('--all', action='store_true', help="also other people's")
    command('list', show, 'the labs and their machines')
    for name, text in (('exec', 'run a command in a machine'), ('ssh', 'log in to a machine')):
        added = command(name, ssh, text)
        added.add_argument('--user', default='root', help='root, deploy (may sudo) or ops')
        added.add_argument('lab')
        added.add_argument('name')
        if name == 'exec':
            added.add_argument('command', nargs=argparse.REMAINDER)
    writing = command('inventory', inventory, 'write the inventory of a lab and print its path')
    writing.add_argument('--user', default='deploy')
    writing.add_argument('lab')
    command('clean', clean, 'remove the caches')
    return top


def main():
    options = parser().parse_args()
    try:
        return options.does(options) or 0
    except (LabError, KeyError) as problem:
        print(f'lab.py: {problem}', file=sys.stderr)
        return 1
