# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts on the page: a row for each, and its evidence. Pure; `_text` escapes everything from outside."""

from __future__ import annotations

import html
import re
import typing as t

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.formatting import offset_text
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report.picture import Axis, number
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report.table import kept_by
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._result import ERROR_BEGINS, WITHOUT_RESULT
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._times import in_two_figures
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._verdict import STATES

Data = t.Mapping[str, t.Any]


class Group(t.NamedTuple):
    """Hosts that need the same action. `one` and `many`: the words for one of them, and for several."""

    mark: str
    name: str
    one: str
    many: str


# The order is that of the page: hosts that need the reader come first.
GROUPS: dict[str, Group] = {
    'needs': Group('!', 'needs you', 'needs you', 'need you'),
    'silent': Group('?', 'no result', 'without a result', 'without a result'),
    'planned': Group('→', 'would be repaired', 'would be repaired', 'would be repaired'),
    'repaired': Group('✓', 'repaired', 'repaired', 'repaired'),
    'open': Group('!', 'passed, not kept', 'passed with a clock that nothing keeps', 'passed with clocks that nothing keeps'),
    'healthy': Group('✓', 'healthy', 'healthy', 'healthy'),
    'untold': Group('–', 'not told', 'without a state', 'without a state'),
}
# A short description of each state. A state without one is shown by its name.
WORDS: dict[str, str] = {
    'healthy': 'healthy',
    'at_risk': 'clock wrong, not yet noticed by the agents',
    'jwt_expired': 'JWT refused, the clock is wrong',
    'other_clock': 'AEM runs on another clock',
    'not_the_clock': 'agents fail though the clock is right',
    'not_only_the_clock': 'agents fail, not only because of the clock',
    'aem_unreachable': 'AEM does not answer',
    'not_testable': 'agents cannot be tested',
    'no_reference': 'no reference is reliable',
    'not_kept': 'nothing keeps the clock right',
    'unfinished': 'an earlier repair is unfinished',
    'stop_deferred': 'repair waits until AEM may be stopped',
    'cannot_stop_aem': 'AEM cannot be stopped for the repair',
    'cannot_set_clock': 'host may not set its clock',
    'unreachable': 'host unreachable',
    'no_result': 'failed before it was measured',
}
# The order of hosts that need attention: those whose agents fail come first.
_URGENCY = ('jwt_expired', 'not_only_the_clock', 'not_the_clock', 'other_clock', 'cannot_set_clock', 'cannot_stop_aem',
            'stop_deferred', 'aem_unreachable', 'not_testable', 'no_reference', 'unfinished', 'at_risk', 'not_kept', 'no_result',
            'unreachable')
COLUMNS = (('host', 'Host'), ('state', 'State'), ('clock', 'Clock'), ('agents', 'Agents 200'), ('next', 'What to do next, and why'))
CLOCK_VERDICTS = {
    'in_sync': 'right', 'skewed': 'wrong', 'undecided': 'undecided: the threshold lies within the interval',
    'unreachable': 'no reference answered', 'sources_disagree': 'the references disagree',
}
# Control characters, and those that change the direction of text.
_UNPRINTABLE = re.compile('[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]')


class HostRow(t.NamedTuple):
    """A host on the page. Keys that a report query left out are empty."""

    name: str
    group: str
    state: str         # the last known one
    data: Data


def _text(value: t.Any) -> str:
    """Return any value as text for HTML and its attributes. Markup is escaped; unprintable characters become numbers."""
    text = '' if value is None else str(value)
    return html.escape(_UNPRINTABLE.sub(lambda found: f'\\u{ord(found.group()):04x}', text))


def _host(data: Data) -> HostRow:
    state = str(data.get('state_after') or data.get('state_before') or '')
    return HostRow(str(data.get('host') or 'unnamed host'), _group(data, state), state, data)


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


def _order(host: HostRow) -> tuple[t.Any, ...]:
    urgency = _URGENCY.index(host.state) if host.state in _URGENCY else -1
    natural = [(int(part), '') if part.isdecimal() else (-1, part.lower()) for part in re.split(r'(\d+)', host.name)]
    return list(GROUPS).index(host.group), urgency, natural


def _clocks(hosts: t.Iterable[HostRow]) -> t.Iterator[Data]:
    for host in hosts:
        yield from (clock for clock in _before_and_after(host.data) if clock)


def _table(hosts: t.Sequence[HostRow], axis: Axis) -> str:
    sorted_by = ' aria-sort="ascending"'
    heads = ''.join(
        f'<th scope="col" class="{name}" data-name="{words}"{sorted_by if name == "state" else ""}>'
        f'<span>{words}</span>{axis.head() if name == "clock" else ""}</th>' for name, words in COLUMNS)
    bodies = '\n'.join(_rows(rank, host, axis) for rank, host in enumerate(hosts))
    return (f'<table id="hosts">\n<caption class="unseen">Each host, the ones that need the reader first</caption>\n'
            f'<thead><tr>{heads}</tr></thead>\n{bodies}\n</table>\n<p class="nothing" id="nothing" hidden>No host matches.</p>')


def _rows(rank: int, host: HostRow, axis: Axis) -> str:
    """Return the row of a host, and the evidence below it, which can be opened."""
    data = host.data
    # data-key is what the script sorts by: numbers as numbers, and an empty one last.
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
    """Return the name with the host's own part in bold; an address has none."""
    own, dot, domain = name.partition('.')
    if own.isdecimal():
        own, dot, domain = name, '', ''
    return f'<bdi>{_text(own)}' + (f'<wbr><span class="domain">.{_text(domain)}</span>' if dot else '') + '</bdi>'


def _state(host: HostRow) -> str:
    before, after = (str(host.data.get(key) or '') for key in ('state_before', 'state_after'))
    codes = f'<code>{_text(before or after or "not told")}</code>'
    if before and after and before != after:
        codes += f' <span class="to">→</span> <code>{_text(after)}</code>'
    badge = f'<span class="badge">{_mark(host.group)}{GROUPS[host.group].name}</span>'
    if host.group not in ('healthy', 'repaired', 'untold'):
        badge += f'<span class="words">{_text(_in_few_words(host.state))}</span>'
    if _age(host.data):
        codes += f' <span class="age">{_text(in_two_figures(_age(host.data)))} ago</span>'
    return f'{badge}<span class="codes">{codes}</span>'


def _age(data: Data) -> float:
    """Return the seconds since the run of this row; 0 for this run."""
    return number(data.get('age')) or 0.0


def _in_few_words(state: str) -> str:
    return WORDS.get(state, state or 'not told why')


def _mark(group: str) -> str:
    return f'<i class="mark {group}" aria-hidden="true">{GROUPS[group].mark}</i>'


def _clock(host: HostRow, axis: Axis) -> str:
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


def _next(host: HostRow) -> str:
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


def _evidence(host: HostRow) -> str:
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
    """Return the failed agents, each with its answer, and then the names of the others."""
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
    """Return an answer such as 'jwt_expired (401)'. A row of an earlier version has only the last answer."""
    last = agent.get('response_code_before') is None and agent.get('response_code_after') is None
    code = agent.get('response_code') if last else agent.get(f'response_code{when}')
    cause = agent.get('cause_before', agent.get('cause')) if when == '_before' else agent.get('cause')
    words = [_text(cause) if cause and cause != 'none' else '', f'({_text(code)})' if code else '']
    return ' '.join(word for word in words if word)


def _changes(changes: Data, mode: str) -> list[tuple[str, str]]:
    """Return the changes of the host, as rows of its evidence."""
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
