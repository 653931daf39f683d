# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as one HTML page for people: the verdict first, then the hosts that need someone, then all others. Pure.

One file that loads nothing: its style and its script stand in it (report_page.css and report_page.js beside this file), and
its Content-Security-Policy allows these two, by their hashes, and nothing else. So even markup that slipped through, in a
host's name or in what AEM answered, could not run; and none slips through: `_text` escapes all that is not ours.

The script sorts and filters; without it the page is complete, in the order that matters.
"""

from __future__ import annotations

import base64
import datetime
import functools
import hashlib
import html
import re
import typing as t
from pathlib import Path

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.formatting import duration, limit, offset_text
from ansible_collections.aemops.brand_portal.plugins.plugin_utils.report import (
    ERROR_BEGINS,
    WITHOUT_RESULT,
    kept_by,
    shaped,
)
from ansible_collections.aemops.brand_portal.plugins.plugin_utils.report_picture import WIDTH_OF_ALL, Axis, number
from ansible_collections.aemops.brand_portal.plugins.plugin_utils.verdict import STATES

Data = t.Mapping[str, t.Any]


class Group(t.NamedTuple):
    """Hosts that ask the same of the reader. `one` and `many`: what is said of one of them, and of several."""

    mark: str
    name: str
    one: str
    many: str


# The order is that of the page: who needs someone comes first.
GROUPS: dict[str, Group] = {
    'needs': Group('!', 'needs you', 'needs you', 'need you'),
    'silent': Group('?', 'no result', 'without a result', 'without a result'),
    'planned': Group('→', 'would be repaired', 'would be repaired', 'would be repaired'),
    'repaired': Group('✓', 'repaired', 'repaired', 'repaired'),
    'open': Group('!', 'passed, not kept', 'passed with a clock that nothing keeps', 'passed with clocks that nothing keeps'),
    'healthy': Group('✓', 'healthy', 'healthy', 'healthy'),
    'untold': Group('–', 'not told', 'not told of', 'not told of'),
}
# A state in few words, for those who do not know its name. A state that is new here is shown by its name.
WORDS: dict[str, str] = {
    'healthy': 'healthy',
    'at_risk': 'clock wrong, not yet noticed by the agents',
    'jwt_expired': 'JWT refused, the clock is wrong',
    'other_clock': 'AEM runs on another clock',
    'not_the_clock': 'agents fail though the clock is right',
    'not_only_the_clock': 'agents fail, not only by the clock',
    'aem_unreachable': 'AEM does not answer',
    'not_testable': 'agents cannot be tested',
    'no_reference': 'no reference is believed',
    'not_kept': 'nothing keeps the clock right',
    'unfinished': 'an earlier repair is to be finished',
    'stop_deferred': 'repair waits until AEM may be stopped',
    'cannot_stop_aem': 'AEM cannot be stopped for the repair',
    'cannot_set_clock': "clock is not the host's to set",
    'unreachable': 'host unreachable',
    'no_result': 'failed before it was measured',
}
# Of two hosts that need someone, the one whose agents fail comes first.
_URGENCY = ('jwt_expired', 'not_only_the_clock', 'not_the_clock', 'other_clock', 'cannot_set_clock', 'cannot_stop_aem',
            'stop_deferred', 'aem_unreachable', 'not_testable', 'no_reference', 'unfinished', 'at_risk', 'not_kept', 'no_result',
            'unreachable')
MODES = {
    'fix': 'Repair run',
    'check': 'Check run, nothing was changed',
    'rehearse': 'Rehearsal, nothing was changed',
    'diagnose': 'Diagnosis, nothing was changed',
}
COLUMNS = (('host', 'Host'), ('state', 'State'), ('clock', 'Clock'), ('agents', 'Agents 200'), ('next', 'What to do next, and why'))
CLOCK_VERDICTS = {
    'in_sync': 'right', 'skewed': 'wrong', 'undecided': 'undecided: the threshold lies within the interval',
    'unreachable': 'no reference answered', 'sources_disagree': 'the references disagree',
}
_SHOWN_STATES = 4  # in the headline
_MANY = 20         # hosts, from which on a picture of all of them says what their rows do not
# What a terminal or a browser may take for an order: controls, and those that turn the direction of text.
_UNPRINTABLE = re.compile('[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]')


class Host(t.NamedTuple):
    """A host as the page needs it; whatever a report query left out is empty."""

    name: str
    group: str
    state: str         # the last that is known
    data: Data


def page(report: Data) -> str:
    """The page of a report document (see docs/report.md).

    Keys that fix_bp_jwt_report_query left out are shown as not told. Offsets are reference − host, in seconds.
    """
    mode = str(report.get('mode') or '')
    hosts = sorted((_host(data) for data in shaped(report)), key=_order)
    axis = Axis(number(report.get('max_skew')), _clocks(hosts))
    verdict = headline(report, hosts)
    style, script = _beside('report_page.css'), _beside('report_page.js')
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


# What is said of all hosts


def headline(report: Data, hosts: t.Sequence[Host]) -> str:
    """One sentence: who needs someone, of how many, and why."""
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
        return f'{_hosts(total)} in this run; this report does not tell how they are'
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


def _reasons(hosts: t.Iterable[Host]) -> str:
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


def _total(report: Data, hosts: t.Sequence[Host]) -> int:
    """All hosts of the run and those kept from earlier ones: a report query may have left some out of the list."""
    counted = number((report.get('counts') or {}).get('hosts'))
    return max(int(counted or 0) + int(number(report.get('kept')) or 0), len(hosts))


def _hosts(count: int) -> str:
    return f'{count:,} host{"" if count == 1 else "s"}'


def _top(report: Data, mode: str, hosts: t.Sequence[Host], verdict: str) -> str:
    needy = any(host.group in ('needs', 'silent') for host in hosts)
    facts = [MODES.get(mode, mode), _when(report)]
    max_skew = number(report.get('max_skew'))
    if max_skew:
        facts.append(f'a clock is right within ±{limit(max_skew)}')
    said = ''.join(f'<li>{_text(fact)}</li>' for fact in facts if fact)
    complete = report.get('complete', True)
    stopped = ''
    if report.get('stopped') or not complete:
        what = 'No more repairs were begun.' if complete else 'The run had not come to its end.'
        stopped = f'<p class="stopped"><strong>{what}</strong> {_text(report.get("stopped"))}</p>'
    mood = 'bad' if needy else 'good' if hosts else 'none'
    return (f'<header>\n<p class="what">Brand Portal replication and the hosts\' clocks</p>\n'
            f'<h1 class="{mood}">{_in_two_weights(verdict)}</h1>\n<ul class="facts">{said}</ul>\n'
            f'{stopped}{_notes(report, mode, hosts)}{_counts(hosts)}</header>\n<main>')


def _notes(report: Data, mode: str, hosts: t.Sequence[Host]) -> str:
    """What the reader might otherwise miss."""
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


def _counts(hosts: t.Sequence[Host]) -> str:
    """How many of each group, as a bar and as what can be pressed to see only these; and the same by state."""
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
    """Begin, end and duration; a time that cannot be read is shown as it stands there."""
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
    """Shown by the script, which does the work."""
    return ('<form class="tools" id="tools" role="search" hidden>'
            '<label for="filter">Filter</label><input type="search" id="filter" autocomplete="off" spellcheck="false" '
            'placeholder="host, cause, message …">'
            '<button type="button" id="open" aria-pressed="false">Open all evidence</button>'
            '<button type="button" id="clear">Show all</button>'
            f'<output id="shown" for="filter" aria-live="polite">{_hosts(count)}</output></form>')


def _spread(hosts: t.Sequence[Host], max_skew: float | None) -> str:
    """All clocks as the run found them: where most stand, and whether many are off alike."""
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
        key('', '<path class="span open" d="M2 4v8m0-4H14m0-4v8"/>', 'the truth lies within'),
        key('before', circle, 'before'), key('after', circle, 'after'),
        key('', '<rect class="unknown" x="1" y="2" width="14" height="12"/>', 'nobody knows'),
        key('', '<path class="silent" d="M1 8H15"/>', 'not measured'),
    ]
    if axis.max_skew:
        keys.insert(3, key('', '<rect class="within" width="16" height="16"/><path class="limit" d="M.5 0V16M15.5 0V16"/>',
                           f'right: within ±{limit(axis.max_skew)}'))
    return f'<ul class="legend" aria-label="The picture of the clocks">{"".join(keys)}</ul>'


def _foot(report: Data) -> str:
    version = report.get('collection_version')
    made_by = 'Made by the Ansible collection aemops.brand_portal' + (f' {version}' if version else '')
    return f'</main>\n<footer><p>{_text(made_by)}. The same as data: the JSON beside this file.</p></footer>'


# What is said of one host


def _host(data: Data) -> Host:
    state = str(data.get('state_after') or data.get('state_before') or '')
    return Host(str(data.get('host') or 'unnamed host'), _group(data, state), state, data)


def _group(data: Data, state: str) -> str:
    if state in WITHOUT_RESULT:
        return 'silent'
    healthy = STATES[state].healthy if state in STATES else None
    passed = data.get('passed', healthy)
    if passed is None:
        return 'needs' if state else 'untold'
    if not passed:
        return 'needs'
    if state == 'not_kept':
        return 'open'
    if data.get('repaired'):
        return 'repaired'
    return 'planned' if healthy is False else 'healthy'


def _order(host: Host) -> tuple[t.Any, ...]:
    urgency = _URGENCY.index(host.state) if host.state in _URGENCY else -1
    natural = [(int(part), '') if part.isdecimal() else (-1, part.lower()) for part in re.split(r'(\d+)', host.name)]
    return list(GROUPS).index(host.group), urgency, natural


def _clocks(hosts: t.Iterable[Host]) -> t.Iterator[Data]:
    for host in hosts:
        yield from (clock for clock in _before_and_after(host.data) if clock)


def _table(hosts: t.Sequence[Host], axis: Axis) -> str:
    sorted_by = ' aria-sort="ascending"'
    heads = ''.join(
        f'<th scope="col" class="{name}" data-name="{words}"{sorted_by if name == "state" else ""}>'
        f'<span>{words}</span>{axis.head() if name == "clock" else ""}</th>' for name, words in COLUMNS)
    bodies = '\n'.join(_rows(rank, host, axis) for rank, host in enumerate(hosts))
    return (f'<table id="hosts">\n<caption class="unseen">Each host, the ones that need someone first</caption>\n'
            f'<thead><tr>{heads}</tr></thead>\n{bodies}\n</table>\n<p class="nothing" id="nothing" hidden>No host matches.</p>')


def _rows(rank: int, host: Host, axis: Axis) -> str:
    """What there is to know at a glance, and below it, to be opened, what it rests on."""
    data = host.data
    # What the script sorts by: numbers as numbers; an empty one stays last.
    cells = (
        ('state', str(rank), _state(host)),
        ('clock', _size_of_skew(data), _clock(host, axis)),
        ('agents', _share(data), _agents(data)),
        ('next', _text(data.get('cause') or ''), _next(host)),
    )
    glance = ''.join(f'<td class="{name}" data-key="{key}">{content}</td>' for name, key, content in cells)
    return (f'<tbody class="{host.group}" data-group="{host.group}" data-state="{_text(host.state)}">'
            f'<tr><th scope="row" class="host" data-key="{_text(host.name)}">{_name(host.name)}</th>{glance}</tr>'
            f'{_evidence(host)}</tbody>')


def _name(name: str) -> str:
    """The host's own part in bold; an address has none."""
    own, dot, domain = name.partition('.')
    if own.isdecimal():
        own, dot, domain = name, '', ''
    return f'<bdi>{_text(own)}' + (f'<wbr><span class="domain">.{_text(domain)}</span>' if dot else '') + '</bdi>'


def _state(host: Host) -> str:
    before, after = (str(host.data.get(key) or '') for key in ('state_before', 'state_after'))
    codes = f'<code>{_text(before or after or "not told")}</code>'
    if before and after and before != after:
        codes += f' <span class="to">→</span> <code>{_text(after)}</code>'
    badge = f'<span class="badge">{_mark(host.group)}{GROUPS[host.group].name}</span>'
    if host.group not in ('healthy', 'repaired', 'untold'):
        badge += f'<span class="words">{_text(_in_few_words(host.state))}</span>'
    if _age(host.data):
        codes += f' <span class="age">{_text(_in_time(_age(host.data)))} ago</span>'
    return f'{badge}<span class="codes">{codes}</span>'


def _age(data: Data) -> float:
    """Seconds since the run that this row is of; 0 for this run."""
    return number(data.get('age')) or 0.0


def _in_time(seconds: float) -> str:
    for size, unit in ((86400, 'd'), (3600, 'h'), (60, 'min')):
        if seconds >= size:
            return f'{seconds / size:.0f} {unit}'
    return f'{seconds:.0f} s'


def _in_few_words(state: str) -> str:
    return WORDS.get(state, state or 'not told why')


def _mark(group: str) -> str:
    return f'<i class="mark {group}" aria-hidden="true">{GROUPS[group].mark}</i>'


def _clock(host: Host, axis: Axis) -> str:
    before, after = _before_and_after(host.data)
    words = _clock_in_words(before)
    if after:
        words += f' <span class="to">→</span> {_clock_in_words(after)}'
    in_picture = not after and number((before or {}).get('offset')) is None
    keeper = host.data.get('clock_keeper') or {}
    kept = f'<span class="kept">kept by {_text(kept_by(host.data))}</span>' if keeper.get('state') in ('kept', 'not_kept') else ''
    return f'{axis.strip(before, after)}<span class="{"unseen" if in_picture else "words"}">{words}</span>{kept}'


def _before_and_after(data: Data) -> tuple[Data | None, Data | None]:
    return data.get('clock_before') or None, data.get('clock_after') or None


def _clock_in_words(clock: Data | None) -> str:
    if not clock:
        return 'not measured'
    offset = number(clock.get('offset'))
    verdict = str(clock.get('verdict') or '')
    if offset is None:
        return _text(CLOCK_VERDICTS.get(verdict, verdict) or 'unknown')
    return offset_text(offset) + (' (undecided)' if verdict == 'undecided' else '')


def _size_of_skew(data: Data) -> str:
    offset = number((data.get('clock_before') or data.get('clock_after') or {}).get('offset'))
    return '' if offset is None else f'{abs(offset):g}'


def _share(data: Data) -> str:
    agents = data.get('agents_after') or data.get('agents_before') or {}
    tested = agents.get('tested')
    return f'{agents.get("answered", 0) / tested:.3f}' if tested else ''


def _agents(data: Data) -> str:
    before, after = (_of(data.get(key)) for key in ('agents_before', 'agents_after'))
    return f'{before} <span class="to">→</span> {after}' if data.get('agents_after') else before


def _of(agents: Data | None) -> str:
    if not agents or 'tested' not in agents:
        return '–'
    return f'{_text(agents.get("answered", 0))} of {_text(agents["tested"])}' if agents['tested'] else 'none tested'


def _next(host: Host) -> str:
    data = host.data
    parts = []
    if data.get('next_step'):
        parts.append(f'<p class="step">{_text(data["next_step"])}</p>')
    if data.get('error'):
        parts.append(f'<p class="error">{ERROR_BEGINS.get(str(data.get("repair")), "")}{_text(data["error"])}</p>')
    if data.get('cause') and data['cause'] != 'none':
        meaning = f': {_text(data["meaning"])}' if data.get('meaning') else ''
        parts.append(f'<p class="cause"><code>{_text(data["cause"])}</code>{meaning}</p>')
    if not data.get('next_step') and host.group in ('healthy', 'repaired'):
        parts.insert(0, f'<p class="none">nothing{": it was repaired and proven" if host.group == "repaired" else ""}</p>')
    return ''.join(parts) or '<p class="none">–</p>'


def _evidence(host: Host) -> str:
    data = host.data
    rows = [
        ('In full', _text(data['summary']) if data.get('summary') else _text(data.get('message') or '')),
        ('Error', f'<pre>{_text(data["error"])}</pre>' if data.get('error') else ''),
        ('Evidence', f'<pre>{_text(data["evidence"])}</pre>' if data.get('evidence') else ''),
        ('Clock before', _measured(data.get('clock_before'))),
        ('Clock after', _measured(data.get('clock_after'))),
        ('Clock kept', _text((data.get('clock_keeper') or {}).get('msg') or '')),
        ('Agents', _agent_list(data.get('agents') or [])),
        *_changes(data.get('changes') or {}, str(data.get('mode') or '')),
        ('Rehearsal', _rehearsed(data.get('rehearsal') or {})),
    ]
    said = ''.join(f'<dt>{name}</dt><dd>{content}</dd>' for name, content in rows if content)
    if not said:
        return ''
    return (f'<tr class="more"><td colspan="{len(COLUMNS)}"><details>'
            f'<summary>Evidence<span class="unseen"> of {_text(host.name)}</span></summary><dl>{said}</dl></details></td></tr>')


def _measured(clock: Data | None) -> str:
    if not clock:
        return ''
    verdict = str(clock.get('verdict') or '')
    parts = [CLOCK_VERDICTS.get(verdict, verdict)]
    low, high = number(clock.get('low')), number(clock.get('high'))
    if number(clock.get('offset')) is not None:
        parts.append(offset_text(number(clock.get('offset'))))
    if low is not None and high is not None:
        parts.append(f'reference − host lies in [{low:+.3f} s, {high:+.3f} s]')
    if 'verified' in clock and low is not None:
        parts.append('verified' if clock['verified'] else 'not verified: too few references agree')
    return _text('; '.join(part for part in parts if part))


def _agent_list(agents: t.Sequence[Data]) -> str:
    """Those that failed, each with its answer; then the others by name."""
    failed, well = [], []
    for agent in agents:
        before, after = agent.get('succeeded_before'), agent.get('succeeded_after')
        if before is None and after is None:
            continue
        name = _text(agent.get('agent'))
        if before and after in (None, True):
            well.append(name)
            continue
        then = _answer(agent, '_before') or 'failed'
        code = agent.get('response_code_after') or agent.get('response_code')
        now = '' if after is None else f' → ✓ {_text(code or 200)}' if after else f' → ✕ {_answer(agent, "_after") or "failed"}'
        failed.append(f'<li>✕ {name}: {then}{now}</li>' if not before else f'<li>{name}: ✓ answered 200{now}</li>')
    if well:
        failed.append(f'<li>✓ {", ".join(well)}: answered 200</li>')
    return f'<ul>{"".join(failed)}</ul>' if failed else ''


def _answer(agent: Data, when: str) -> str:
    """'jwt_expired (401)'. A row of an earlier version has only the last answer."""
    last = agent.get('response_code_before') is None and agent.get('response_code_after') is None
    code = agent.get('response_code') if last else agent.get(f'response_code{when}')
    cause = agent.get('cause_before', agent.get('cause')) if when == '_before' else agent.get('cause')
    words = [_text(cause) if cause and cause != 'none' else '', f'({_text(code)})' if code else '']
    return ' '.join(word for word in words if word)


def _changes(changes: Data, mode: str) -> list[tuple[str, str]]:
    """What was changed on the host, as rows of its evidence."""
    stopped = [str(unit) for unit in changes.get('stopped') or []]
    downtime = number(changes.get('downtime'))
    down = ', '.join(stopped) + (f', down for {downtime:.1f} s' if downtime else '') if stopped else ''
    backups = changes.get('backups') or {}
    kept = [f'{file}: {backup}' for file, backup in backups.items()] if isinstance(backups, t.Mapping) else []
    rolled_back = ' (rolled back)' if changes.get('restored') else ''
    return [
        ('Would change' if mode == 'check' else 'Changed' + rolled_back, _list(changes.get('actions') or [])),
        ('Services stopped', _text(down)),
        ('Disabled', _text(', '.join(str(unit) for unit in changes.get('disabled') or []))),
        ('Backups', _list(kept)),
        ('Left open', _list(changes.get('problems') or [])),
    ]


def _rehearsed(rehearsal: Data) -> str:
    checks = ''.join(
        f'<li>{"✓" if each.get("passed") else "✕"} {_text(each.get("check"))}: {_text(each.get("found"))}'
        + (f' <strong>{_text(each["advice"])}</strong>' if each.get('advice') else '') + '</li>'
        for each in rehearsal.get('checks') or [] if isinstance(each, t.Mapping))
    plan = _list([f'would stop {unit}' for unit in rehearsal.get('stops') or []] + list(rehearsal.get('actions') or []))
    return (f'<ul>{checks}</ul>' if checks else '') + plan


def _list(texts: t.Iterable[t.Any]) -> str:
    items = ''.join(f'<li>{_text(text)}</li>' for text in texts)
    return f'<ul>{items}</ul>' if items else ''


# The file itself


def _text(value: t.Any) -> str:
    """Anything as text in HTML, in an attribute too: markup is escaped, what is not printable is shown as its number."""
    text = '' if value is None else str(value)
    return html.escape(_UNPRINTABLE.sub(lambda found: f'\\u{ord(found.group()):04x}', text))


@functools.cache
def _beside(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding='utf-8')


def _hash(text: str) -> str:
    return 'sha256-' + base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')
