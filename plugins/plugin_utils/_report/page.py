# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the report as an HTML page: the verdict first, then the hosts that need attention, then all others. Pure.

The page loads no other file. It contains its style and its script (page.css and page.js beside this file), and its
Content-Security-Policy allows only these two, by their hashes. `_text` escapes all text from outside, and even if it missed
markup in a host's name or in an answer of AEM, this markup could not run.

The script sorts and filters. Without it, the page is complete and has the same order.
"""

from __future__ import annotations

import base64
import datetime
import functools
import hashlib
import typing as t
from pathlib import Path

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.formatting import duration, limit
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report.document import shaped
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report.page_hosts import (
    GROUPS,
    Data,
    HostRow,
    _age,
    _before_and_after,
    _clocks,
    _host,
    _in_few_words,
    _mark,
    _order,
    _table,
    _text,
)
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report.picture import WIDTH_OF_ALL, Axis, number

MODES = {
    'fix': 'Repair run',
    'check': 'Check run, nothing was changed',
    'rehearse': 'Rehearsal, nothing was changed',
    'diagnose': 'Diagnosis, nothing was changed',
}
_SHOWN_STATES = 4  # in the headline
_MANY = 20         # number of hosts from which the page has a histogram of all clocks


def page(report: Data) -> str:
    """Return the page of a report document (see docs/report.md).

    Keys that fix_bp_jwt_report_query left out are shown as not told. Offsets are reference − host, in seconds.
    """
    mode = str(report.get('mode') or '')
    hosts = sorted((_host(data) for data in shaped(report)), key=_order)
    axis = Axis(number(report.get('max_skew')), _clocks(hosts))
    verdict = headline(report, hosts)
    style, script = _beside('page.css'), _beside('page.js')
    policy = (f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
              "base-uri 'none'; form-action 'none'")
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">',
        f'<title>{_text(verdict)}</title>\n<style>{style}</style>\n</head>\n<body>',
        _top(report, mode, hosts, verdict),
    ]
    if hosts:
        parts += [_spread(hosts, axis.max_skew), _tools(len(hosts)), axis.shared(), _legend(axis), _table(hosts, axis)]
    parts += [_foot(report), f'<script>{script}</script>\n</body>\n</html>\n']
    return '\n'.join(part for part in parts if part)


# All hosts


def headline(report: Data, hosts: t.Sequence[HostRow]) -> str:
    """Return one sentence: how many hosts need attention, and why."""
    total = _total(report, hosts)
    if not total:
        return 'No host was in this run'
    counts = {name: sum(host.group == name for host in hosts) for name in GROUPS}
    need = counts['needs'] + counts['silent']
    of_all = f'All {total:,} hosts' if total > 1 else 'The only host'
    if not hosts:
        return f'{_hosts(total)} in this run, none of them in this report'
    if counts['silent'] == total and all(host.state == 'unreachable' for host in hosts):
        return f'{of_all} could not be reached: nothing is known of {"their clocks" if total > 1 else "its clock"}'
    if need:
        return f'{need:,} of {_hosts(total)} need{"s" if need == 1 else ""} you: {_reasons(hosts)}'
    if counts['untold']:
        return f'{_hosts(total)} in this run; this report does not contain their states'
    if counts['planned']:
        return f'{counts["planned"]:,} of {_hosts(total)} would be repaired, no other needs anything'
    if counts['open']:
        kept = f'the clock{"s" if counts["open"] > 1 else ""} of {counts["open"]:,}' if total > 1 else 'its clock'
        return f'{of_all} passed, but nothing keeps {kept} right'
    if counts['repaired']:
        return f'{of_all} {"are" if total > 1 else "is"} healthy, {counts["repaired"]:,} of them repaired in this run'
    return f'{of_all} {"are" if total > 1 else "is"} healthy'


def _in_two_weights(verdict: str) -> str:
    who, colon, why = verdict.partition(':')
    return f'<b>{_text(who + colon)}</b><span>{_text(why)}</span>'


def _reasons(hosts: t.Iterable[HostRow]) -> str:
    states: dict[str, int] = {}
    for host in hosts:
        if host.group in ('needs', 'silent'):
            states[host.state] = states.get(host.state, 0) + 1
    counted = sorted(states.items(), key=lambda item: -item[1])
    numbered = len(states) > 1 and counted[0][1] > 1
    said = [_in_few_words(state) + (f' ({count:,})' if numbered else '') for state, count in counted[:_SHOWN_STATES]]
    if len(states) > _SHOWN_STATES:
        said.append(f'and for other reasons ({sum(count for unused, count in counted[_SHOWN_STATES:]):,})')
    return ', '.join(said)


def _total(report: Data, hosts: t.Sequence[HostRow]) -> int:
    """Return the number of hosts of this run and those kept from earlier ones, even if a query left out some of them."""
    counted = number((report.get('counts') or {}).get('hosts'))
    return max(int(counted or 0) + int(number(report.get('kept')) or 0), len(hosts))


def _hosts(count: int) -> str:
    return f'{count:,} host{"" if count == 1 else "s"}'


def _top(report: Data, mode: str, hosts: t.Sequence[HostRow], verdict: str) -> str:
    needy = any(host.group in ('needs', 'silent') for host in hosts)
    facts = [MODES.get(mode, mode), _when(report)]
    max_skew = number(report.get('max_skew'))
    if max_skew:
        facts.append(f'a clock is right within ±{limit(max_skew)}')
    said = ''.join(f'<li>{_text(fact)}</li>' for fact in facts if fact)
    complete = report.get('complete', True)
    stopped = ''
    if report.get('stopped') or not complete:
        what = 'No more repairs were begun.' if complete else 'The run did not finish.'
        stopped = f'<p class="stopped"><strong>{what}</strong> {_text(report.get("stopped"))}</p>'
    mood = 'bad' if needy else 'good' if hosts else 'none'
    return (f'<header>\n<p class="what">Brand Portal replication and the hosts\' clocks</p>\n'
            f'<h1 class="{mood}">{_in_two_weights(verdict)}</h1>\n<ul class="facts">{said}</ul>\n'
            f'{stopped}{_notes(report, mode, hosts)}{_counts(hosts)}</header>\n<main>')


def _notes(report: Data, mode: str, hosts: t.Sequence[HostRow]) -> str:
    """Notes about hosts that are not listed, or not from this run."""
    notes = []
    total = _total(report, hosts)
    if not total:
        notes.append('The inventory group is empty, or --limit left no host in: nothing was measured and nothing is known.')
    elif total > len(hosts):
        notes.append(f'{_hosts(total - len(hosts))} {"is" if total - len(hosts) == 1 else "are"} not listed: '
                     'fix_bp_jwt_report_query left them out.')
    older = [host for host in hosts if _age(host.data)]
    if older:
        notes.append(f'{_hosts(len(older))} {"was" if len(older) == 1 else "were"} not in this run and '
                     f'{"is" if len(older) == 1 else "are"} shown as {"its" if len(older) == 1 else "their"} last run left '
                     f'{"it" if len(older) == 1 else "them"}, with {"its" if len(older) == 1 else "their"} age.')
    if any(host.group == 'planned' for host in hosts):
        notes.append('To repair: run without --check.' if mode == 'check' else 'To repair: run with fix_bp_jwt_mode=fix.')
    return ''.join(f'<p class="note">{_text(note)}</p>' for note in notes)


def _counts(hosts: t.Sequence[HostRow]) -> str:
    """Return the number of hosts in each group, as a bar and as buttons that filter, and the same by state."""
    if not hosts:
        return ''
    groups, states = _count(host.group for host in hosts), _count(host.state for host in hosts)
    left, shares, chips = 0.0, '', ''
    for name, group in GROUPS.items():
        if name not in groups:
            continue
        width = groups[name] / len(hosts) * 1000
        shares += f'<rect class="{name}" x="{left:.1f}" width="{max(width - 2, 2):.1f}" height="12"/>'
        left += width
        chips += (f'<li class="chip {name}" data-group="{name}">{_mark(name)}<b>{groups[name]:,}</b> '
                  f'{group.one if groups[name] == 1 else group.many}</li>')
    by_state = ''.join(
        f'<li class="chip" data-state="{_text(state)}"><b>{count:,}</b> <code>{_text(state or "not told")}</code></li>'
        for state, count in states.items())
    return (f'<svg class="shares" viewBox="0 0 1000 12" preserveAspectRatio="none" aria-hidden="true">{shares}</svg>\n'
            f'<ul class="chips" aria-label="Hosts by what they need">{chips}</ul>\n'
            f'<ul class="chips states" aria-label="Hosts by state"><li class="by">By state</li>{by_state}</ul>\n')


def _count(words: t.Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return counts


def _when(report: Data) -> str:
    """Return begin, end and duration. An invalid time is shown unchanged."""
    raw = [str(report.get(key) or '') for key in ('started_at', 'finished_at')]
    try:
        start, end = (datetime.datetime.fromisoformat(text.replace('Z', '+00:00')) if text else None for text in raw)
        took = f' ({duration((end - start).total_seconds())})' if start and end else ''
    except (ValueError, TypeError):
        return ' to '.join(text for text in raw if text)
    if not end:
        return f'began {start:%Y-%m-%d %H:%M:%S} UTC, not finished' if start else ''
    if not start:
        return f'{end:%Y-%m-%d %H:%M:%S} UTC'
    return f'{start:%Y-%m-%d %H:%M:%S} to {end:{"%H:%M:%S" if start.date() == end.date() else "%Y-%m-%d %H:%M:%S"}} UTC{took}'


def _tools(count: int) -> str:
    """Return the form for filters, which the script shows and handles."""
    return ('<form class="tools" id="tools" role="search" hidden>'
            '<label for="filter">Filter</label><input type="search" id="filter" autocomplete="off" spellcheck="false" '
            'placeholder="host, cause, message …">'
            '<button type="button" id="open" aria-pressed="false">Open all evidence</button>'
            '<button type="button" id="clear">Show all</button>'
            f'<output id="shown" for="filter" aria-live="polite">{_hosts(count)}</output></form>')


def _spread(hosts: t.Sequence[HostRow], max_skew: float | None) -> str:
    """Return a histogram of all clocks before the repairs, which shows whether many share an offset."""
    clocks = [_before_and_after(host.data)[0] for host in hosts]
    known = [clock for clock in clocks if clock and number(clock.get('offset')) is not None]
    if len(known) < _MANY:
        return ''
    words = f'The clocks of {len(known):,} hosts as they were found'
    if len(known) < len(hosts):
        words += f'; of {_hosts(len(hosts) - len(known))} nothing is known'
    return f'<figure><figcaption>{words}</figcaption>{Axis(max_skew, known, WIDTH_OF_ALL).spread(known)}</figure>'


def _legend(axis: Axis) -> str:
    def key(kind: str, path: str, words: str) -> str:
        return f'<li><svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">{path.format(kind)}</svg>{words}</li>'

    circle = '<path class="{} right" d="M3.5 8a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z"/>'
    arrow = '<path class="{} wrong" d="M2 8L12 2.5V13.5z"/>'
    keys = [
        key('before', arrow, 'behind'), key('before', '<path class="{} wrong" d="M14 8L4 2.5V13.5z"/>', 'ahead'),
        key('before', '<path class="{} open" d="M2.5 8l5.5-5.5l5.5 5.5l-5.5 5.5z"/>', 'undecided'),
        key('', '<path class="span open" d="M2 4v8m0-4H14m0-4v8"/>', 'the true offset is within'),
        key('before', circle, 'before'), key('after', circle, 'after'),
        key('', '<rect class="unknown" x="1" y="2" width="14" height="12"/>', 'unknown'),
        key('', '<path class="silent" d="M1 8H15"/>', 'not measured'),
    ]
    if axis.max_skew:
        keys.insert(3, key('', '<rect class="within" width="16" height="16"/><path class="limit" d="M.5 0V16M15.5 0V16"/>',
                           f'right: within ±{limit(axis.max_skew)}'))
    return f'<ul class="legend" aria-label="The picture of the clocks">{"".join(keys)}</ul>'


def _foot(report: Data) -> str:
    version = report.get('collection_version')
    made_by = 'Made by the Ansible collection aemops.brand_portal' + (f' {version}' if version else '')
    return f'</main>\n<footer><p>{_text(made_by)}. The JSON file in the same folder has the same data.</p></footer>'


@functools.cache
def _beside(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding='utf-8')


def _hash(text: str) -> str:
    return 'sha256-' + base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')
