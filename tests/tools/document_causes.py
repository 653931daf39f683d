# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes docs/causes.md from the table of causes, with what the stand-in's pages show of each.

    document_causes.py            write the file
    document_causes.py --check    fail when it is not what would be written
"""

from __future__ import annotations

import sys
import typing as t

from generated import COLLECTIONS, ROOT, settle

sys.path.insert(0, str(COLLECTIONS))

from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import causes, charset, redact  # noqa: E402
from ansible_collections.aemops.brand_portal.plugins.module_utils._aem import test_page as page
from ansible_collections.aemops.brand_portal.tests.fakes import scenarios  # noqa: E402

DOCUMENT = ROOT / 'docs' / 'causes.md'
INTRODUCTION = '''\
# Why an agent's test fails

<!-- Written by tests/tools/document_causes.py from plugins/module_utils/_aem/causes.py: change that table instead. -->

What `tests[].cause` of the modules `replication_agent_test` and `brand_portal_health_info` can be. The agent's own lines are
searched in the order of this page: a cause comes before what merely follows from it, such as a 401 after a refused token.

AEM prints an exception's message after `msg:`, never its class. The class is in the line `Error while replicating:` and in
`error.log`. Java's own words are [recorded from real JVMs](../tests/fakes/java_words.json) by `make java-words`; where they
are the C library's, they come in the language of the server's locale, and the twelve most common are known. In another one
only the class tells the cause, and a page without it is `unknown`.

What is marked *inferred* is a conclusion from documents, not something that was seen. Which levels of AEM reach Brand Portal,
by which way, and what a wrong clock breaks with each, is in [AEM's levels](aem-levels.md).

No message alone ever leads to a correction of a clock: that takes measured skew. What `tests[].clock_related` says:
'''
# Known from more than the page; its line is another cause's as well.
NOT_ON_A_PAGE = {
    'token_outlived': 'sent. Response: 401 Unauthorized',
    'queue_backlog': 'Error while replicating: java.net.SocketTimeoutException: Read timed out',
}
RELATIONS = {
    'yes': 'a wrong clock is the reason',
    'likely': 'a wrong clock may be the reason; the measured skew tells',
    'no': 'the clock is not the reason, and while it is right nothing is changed',
}


def document() -> str:
    """The whole file."""
    relations = [f'- `{relation}`: {meaning}: {_links(relation)}' for relation, meaning in RELATIONS.items()]
    return '\n'.join([INTRODUCTION, *relations, '', *map(_section, causes.ALL)])


def _links(relation: str) -> str:
    found = (cause.id for cause in causes.ALL if cause.clock_related == relation and cause is not causes.NONE)
    return ', '.join(f'[{name}](#{name})' for name in found)


def _clock(cause: causes.Cause) -> str:
    return f'{cause.clock_related}, AEM {cause.direction}' if cause.direction else cause.clock_related


def _section(cause: causes.Cause) -> str:
    played = [scenario for scenario in scenarios.ROWS if scenario.cause == cause.id]
    said = _evidence(played[0]) if played else NOT_ON_A_PAGE.get(cause.id, '')
    parts = [f'## {cause.id}', f'{cause.meaning} Clock: {_clock(cause)}.']
    parts += [f'```text\n{said}\n```'] if said else []
    parts += [f'**What to do:** {cause.advice}'] if cause.advice else []
    parts += [' '.join(_footnotes(cause, played))] if cause.source or played else []
    return '\n\n'.join(parts) + '\n'


def _evidence(scenario: scenarios.Scenario) -> str:
    """The line that the reader takes for the cause, as a result shows it."""
    written = scenarios.play(scenario, scenarios.sample_context()).page
    finding = causes.explain(page.read(charset.decode(written.body, written.content_type)))
    if finding.cause.id != scenario.cause:
        raise SystemExit(f'the page of {scenario.name} is read as {finding.cause.id}, not as {scenario.cause}')
    # Java's French has the apostrophe that Ansible's no-smart-quotes does not let into a document.
    return redact.Redactor().line(finding.evidence).replace('\u2019', "'")


def _footnotes(cause: causes.Cause, played: t.Sequence[scenarios.Scenario]) -> t.Iterator[str]:
    if cause.source:
        yield f'Source: {f"<{cause.source}>" if cause.source.startswith("https://") else cause.source}.'
    if played:
        yield f'The stand-in plays it as {", ".join(f"`{scenario.name}`" for scenario in played)}.'


if __name__ == '__main__':
    settle(__doc__, {DOCUMENT: document()})
