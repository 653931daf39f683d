# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes a report of an invented fleet, to look at its page: most hosts healthy, the others broken in five ways.

    sample_report.py --hosts 50 --broken 5 sample.html        also: sample.json beside it
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / 'collections' if (ROOT / 'collections').is_dir() else ROOT.parents[2]))

from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import causes  # noqa: E402
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _verdict as verdict  # noqa: E402
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import page as report_page  # noqa: E402

CAUSES = {cause.id: cause for cause in causes.ALL}
MAX_SKEW = 5.0
END = '2026-11-25T02:03:51Z'
CHANGES = {
    'actions': ['Stopped aem.service', 'Set the clock', 'Started aem.service',
                'Wrote /etc/chrony/sources.d/aemops-brand-portal.sources', 'Enabled and started chrony.service'],
    'acts': [], 'backups': {}, 'stopped': ['aem.service'], 'downtime': 41.8, 'disabled': [], 'restored': False, 'problems': [],
}
DAY, YEAR = 86400, 365 * 86400
Document = dict[str, t.Any]


class Sick(t.NamedTuple):
    """A way to be broken. Offsets are reference − host, in seconds; None: unknown."""

    before: str
    after: str = ''            # '': not repaired
    offset: float | None = 0.004
    within: float = 0.02       # half of the interval
    clock: str = 'skewed'
    cause: str = ''
    code: int | None = None
    failing: int = 4
    evidence: str = ''
    error: str = ''


SICK = (
    Sick('jwt_expired', 'healthy', 9 * YEAR + 268.4 * DAY, cause='jwt_expired', code=401,
         evidence='Failed to get an access token from authorization server. Response from IMS: '
                  '{"error":"invalid_grant","error_description":"JWT has expired"}'),
    Sick('not_the_clock', clock='in_sync', cause='no_valid_bindings', code=401, failing=1,
         evidence='{"error":"invalid_token","error_description":"No valid bindings were found for organization and technical '
                  'account combination"}'),
    Sick('cannot_set_clock', offset=-187.2, cause='jwt_not_yet_valid', code=401,
         evidence='{"error":"invalid_grant","error_description":"JWT token not yet valid"}'),
    Sick('no_reference', offset=4.7, within=1.9, clock='undecided', failing=0),
    Sick('unreachable'),
)


def document(hosts: int, broken: int, mode: str = 'fix', seed: int = 7) -> Document:
    """A report of so many hosts, as plugin_utils/_report makes it of a run."""
    chance = random.Random(seed)
    names = [f'aem-author-{number + 1:02d}.{chance.choice(("eu", "us", "ap"))}.example.com' for number in range(hosts)]
    sick = dict(zip(sorted(chance.sample(range(hosts), min(broken, hosts))), (SICK[turn % len(SICK)] for turn in range(broken))))
    listed = [_host(name, sick.get(number), mode, chance) for number, name in enumerate(names)]
    states: dict[str, int] = {}
    for host in listed:
        states[host['state_after']] = states.get(host['state_after'], 0) + 1
    return {
        'schema_version': 1, 'collection_version': '0.1.0', 'mode': mode, 'max_skew': MAX_SKEW, 'stopped': '',
        'started_at': '2026-11-25T02:00:04Z', 'finished_at': END, 'complete': True, 'kept': 0,
        'counts': {'hosts': hosts, 'passed': sum(host['passed'] for host in listed),
                   'failed': sum(not host['passed'] for host in listed), 'repaired': sum(host['repaired'] for host in listed),
                   'unreachable': states.get('unreachable', 0), 'no_result': 0, 'states': states},
        'hosts': listed,
    }


def _host(name: str, sick: Sick | None, mode: str, chance: random.Random) -> Document:
    sick = sick or Sick('healthy', offset=chance.gauss(0, 0.012), within=chance.uniform(0.004, 0.06), clock='in_sync', failing=0)
    if sick.before == 'unreachable':
        return {'host': name, 'passed': False, 'state_before': 'unreachable', 'state_after': 'unreachable', 'repaired': False,
                'healthy': False, 'repair': 'none', 'changes': None, 'mode': mode, 'reported_at': END, 'age': 0,
                'clock_before': None, 'clock_after': None, 'agents_before': None, 'agents_after': None, 'agents': [], 'cause': '',
                'meaning': '', 'evidence': '', 'error': f'Failed to connect to the host via ssh: connect to host {name} port 22: '
                'Connection timed out', 'summary': 'the host could not be reached',
                'next_step': 'see that Ansible can log in to this host, then run again', 'message': ''}
    repaired = mode == 'fix' and sick.after == 'healthy'
    passed = sick.before == 'healthy' or sick.after == 'healthy' and mode != 'diagnose'
    cause, rule = CAUSES.get(sick.cause), verdict.STATES[sick.before]
    last = 'healthy' if repaired else sick.before
    return {
        'host': name, 'passed': passed, 'state_before': sick.before, 'state_after': last, 'repaired': repaired,
        'healthy': last == 'healthy',
        'repair': 'proven' if repaired else 'predicted' if passed and last != 'healthy' else 'none',
        'changes': dict(CHANGES) if repaired else None, 'mode': mode, 'reported_at': END, 'age': 0,
        'clock_before': _clock(sick.offset, sick.within, sick.clock),
        'clock_after': _clock(chance.gauss(0, 0.002), 0.02, 'in_sync') if repaired else None,
        'agents_before': {'answered': 4 - sick.failing, 'tested': 4},
        'agents_after': {'answered': 4, 'tested': 4} if repaired else None,
        'agents': [{'agent': f'mp_replication_agent{number}_default_acme', 'succeeded_before': number >= sick.failing,
                    'succeeded_after': True if repaired else None,
                    'response_code': 200 if repaired or number >= sick.failing else sick.code,
                    'response_code_before': sick.code if number < sick.failing else 200,
                    'response_code_after': 200 if repaired else None,
                    'cause': '' if repaired or number >= sick.failing else sick.cause,
                    'cause_before': sick.cause if number < sick.failing else '',
                    'authentication': 'oauth_server_to_server' if number < sick.failing else 'unknown'} for number in range(4)],
        'cause': sick.cause, 'meaning': cause.meaning if cause else '', 'evidence': sick.evidence,
        'next_step': '' if repaired or rule.healthy else rule.next_step or (cause.advice if cause else ''),
        'error': sick.error, 'summary': verdict.STATES[last].meaning,
        'message': f'{name}: {last}: {verdict.STATES[last].meaning}.',
    }


def _clock(offset: float | None, within: float, said: str) -> Document:
    if offset is None:
        return {'verdict': said, 'direction': 'unknown', 'offset': None, 'low': None, 'high': None, 'verified': False}
    direction = 'none' if said == 'in_sync' else 'behind' if offset > 0 else 'ahead'
    return {'verdict': said, 'direction': direction, 'offset': round(offset, 6), 'low': round(offset - within, 6),
            'high': round(offset + within, 6), 'verified': said != 'undecided'}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--hosts', type=int, default=10)
    parser.add_argument('--broken', type=int, help='default: five, and of more than 50 hosts a tenth')
    parser.add_argument('--mode', choices=('fix', 'check', 'diagnose'), default='fix')
    parser.add_argument('--stopped', default='', metavar='SENTENCE', help='why no more repairs were begun')
    parser.add_argument('page', type=Path, metavar='FILE.html')
    options = parser.parse_args()
    broken = max(5, options.hosts // 10) if options.broken is None else options.broken
    report = dict(document(options.hosts, broken, options.mode), stopped=options.stopped)
    options.page.write_text(report_page.page(report), encoding='utf-8')
    options.page.with_suffix('.json').write_text(json.dumps(report, indent=1), encoding='utf-8')


if __name__ == '__main__':
    main()
