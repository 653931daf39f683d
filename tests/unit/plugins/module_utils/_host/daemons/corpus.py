# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cases of tests/corpus, read; its README.md tells the format."""

import glob
import os
import re

from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._host.hosts import FakeHost

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 5, 'corpus')

KEYS = ('host', 'references', 'refuses', 'asks', 'not', 'write', 'into', 'without', 'nothing', 'refused')


class Case:
    """One host with what is expected of it."""

    def __init__(self, title, text):
        self.title, self.files, self.keys = title, {}, {}
        parts = re.split(r'(?m)^@@(crlf)? (\S+)\n', text)
        for line in parts[0].splitlines():
            key, colon, value = line.partition(':')
            assert colon or not line, line
            if colon:
                assert key in KEYS, line
                self.keys[key] = value.strip()
        for at in range(1, len(parts), 3):
            content = parts[at + 2][:-1] if parts[at + 2].endswith('\n\n') else parts[at + 2]
            self.files[parts[at + 1]] = content.replace('\n', '\r\n') if parts[at] else content

    def words(self, key):
        return self.keys.get(key, '').split()

    @property
    def options(self):
        option, _equals, value = self.keys.get('write', 'servers=wanted.example').partition('=')
        return {option: value if option == 'cloud' else value.split(',')}

    def host(self, folder):
        release, *units = self.words('host')
        host = FakeHost(folder, release)
        for unit in units:
            host.has(*unit.split(':'))
        for path, text in self.files.items():
            host.put(path, text)
        return host


def cases():
    found = []
    for path in sorted(glob.glob(os.path.join(FOLDER, '*.txt'))):
        with open(path, encoding='utf-8', newline='') as stream:
            parts = re.split(r'(?m)^=== (.*)\n', stream.read())
        found += [Case(parts[at], parts[at + 1]) for at in range(1, len(parts), 2)]
    return found
