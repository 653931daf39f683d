# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the table of the README that says on what the collection was tried, from the documents that the runs have written.

    document_status.py            write the table
    document_status.py --check    fail when it is not what would be written
"""

from __future__ import annotations

import re
import typing as t

from generated import ROOT, settle

README, MATRIX, FAULTS, COMPATIBILITY = (ROOT / name for name in ('README.md', 'docs/repair-matrix.md', 'docs/repair-faults.md',
                                                                  'docs/compatibility.md'))
BEGIN, END = '<!-- Written by tests/tools/document_status.py -->', '<!-- end -->'
OTHERS = re.compile(r'(?:RHEL|Amazon Linux|Oracle Linux|SLES) \d+')
DATE = re.compile(r'\d{4}-\d\d-\d\d')


class Table(t.NamedTuple):
    """Rows of a document: their cells without the heading."""

    rows: list[list[str]]

    @classmethod
    def of(cls, text: str, columns: int) -> Table:
        rows = [[cell.strip() for cell in line.strip('|').split(' | ')] for line in text.splitlines() if line.startswith('| ')]
        return cls([row for row in rows if len(row) == columns and ':-' not in row[0]][1:])

    @property
    def days(self) -> str:
        """When its rows were run: the first day to the last one."""
        days = sorted(found.group() for row in self.rows for found in [DATE.search(row[-1])] if found)
        return ' to '.join(sorted({days[0], days[-1]}))


def hosts() -> list[str]:
    table = Table.of(MATRIX.read_text(encoding='utf-8'), 9)
    cells = [cell for row in table.rows for cell in row[1:6] if cell and cell != '–']
    healed, refused = (sum(cell.startswith(word) for cell in cells) for word in ('✓', 'refused'))
    outcome = [f'{healed} of {len(cells)} repairs healed']
    if refused:
        outcome.append(f'{refused} refused, as intended')
    if healed + refused < len(cells):
        outcome.append(f'{len(cells) - healed - refused} failed')
    others = sorted({found.group() for row in table.rows for found in [OTHERS.match(row[0])] if found})
    return ['hosts', 'Debian 11, 12 and 13 on machines with systemd and clocks of their own, with chrony, ntp, NTPsec and '
            f'timesyncd, also laid out as {", ".join(others)}: {", ".join(outcome)} ([each](docs/repair-matrix.md), {table.days})',
            'real RHEL, SUSE, Ubuntu and Amazon Linux hosts: their layouts are known from files, and repaired on a Debian that is '
            'laid out as they are, with real dnf, yum and zypper']


def faults() -> list[str]:
    table = Table.of(FAULTS.read_text(encoding='utf-8'), 6)
    good = sum(row[1] == '✓' for row in table.rows)
    return ['disturbed repairs', f'{good} of {len(table.rows)} faults left the host as intended ([each](docs/repair-faults.md), '
            f'{table.days})', 'faults that have no row there']


def span(versions: t.Iterable[str]) -> str:
    """The oldest version to the newest one, without their last number."""
    ordered = sorted({tuple(int(part) for part in version.split('.')[:2]) for version in versions})
    return ' to '.join('.'.join(map(str, version)) for version in (ordered[0], ordered[-1]))


def controllers() -> list[str]:
    text = COMPATIBILITY.read_text(encoding='utf-8')
    rows = [row for row in Table.of(text, 11).rows if row[0][:1].isdigit() and '✓' in row]
    [(day, pythons)] = re.findall(r"Run on (\S+) by .*the hosts' Pythons were (.*)\.$", text, re.MULTILINE)
    cores, controller = (span(row[column] for row in rows) for column in (0, 1))
    return ['controller and hosts', f'ansible-core {cores} on Python {controller}, hosts with Python '
            f'{span(pythons.split(", "))} ([each](docs/compatibility.md), {day})', 'Windows']


def table() -> str:
    rows = [['', 'tried on', 'not tried on'], ['---'] * 3, hosts(), faults(), controllers(),
            ['AEM', 'a fake of its pages, states and messages, with repositories on a segment store and on a document store',
             'AEM itself; AEM as a Cloud Service, for which this is not'],
            ['AWX', '24.6.2 ([how](docs/awx.md))', '25 and newer']]
    return '\n'.join(f'| {" | ".join(row)} |' for row in rows)


def main() -> None:
    text = README.read_text(encoding='utf-8')
    before, _begin, rest = text.partition(BEGIN)
    _old, _end, after = rest.partition(END)
    settle(__doc__, {README: f'{before}{BEGIN}\n{table()}\n{END}{after}'})


if __name__ == '__main__':
    main()
