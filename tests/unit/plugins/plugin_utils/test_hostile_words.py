# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AEM, Brand Portal or a host says ends as text: in the terminal's table, in HTML, in metric labels and in a template.

The way over a real run, with Ansible's own templates and display, is in tests/system/test_authentication.py.
"""

from __future__ import annotations

import html

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.printable import all_printable
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report import page as report_page
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report.document import document, listed
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report.metrics import metrics
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._report.table import table
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._result import sum_up, without_result
from ansible_collections.aemops.brand_portal.plugins.plugin_utils._verdict import decide

HOSTILE = '\x1b]0;owned\x07\x9b31m\u202e\u2028{{ 7 * 6 }}<script>alert(1)</script>"\\\n} 1\nbrand_portal_hosts 99'
OBEYED = '\x1b\x07\x9b\u202e\u2028'


def result():
    """A host that fails with such words, as the action gets it from the host and cleans it."""
    health = all_printable({
        'skew': {'verdict': 'in_sync', 'direction': 'none', 'offset': 0.0, 'low': -0.1, 'high': 0.1, 'verified': True,
                 'max_skew': 5.0, 'message': HOSTILE, 'sources': []},
        'tests': [{'agent': HOSTILE, 'succeeded': False, 'cause': HOSTILE, 'clock_related': 'no', 'response_code': 401,
                   'advice': HOSTILE, 'evidence': HOSTILE, 'meaning': HOSTILE}],
        'aem': {'state': 'ok', 'message': HOSTILE}, 'interrupted': [],
    })
    decided = decide(health)
    return listed(sum_up(all_printable(HOSTILE), health, {}, decided, decided))


def unreachable():
    return listed(all_printable(without_result(HOSTILE, {'unreachable': True, 'msg': HOSTILE})))


@pytest.fixture(params=[result, unreachable], ids=['measured', 'unreachable'])
def report(request):
    host = request.param()
    return document([host], [host], mode='fix', complete=True)


def test_in_the_terminal(report):
    lines = table(report)
    assert all(line.isprintable() for line in lines), lines
    assert report['hosts'][0]['message'].isprintable()


def test_in_html(report):
    page = report_page.page(report)
    assert not set(OBEYED) & set(page)
    assert '<script>alert(1)' not in page and html.escape('<script>alert(1)') in page


def test_in_metric_labels(report):
    text = metrics(report)
    assert not set(OBEYED) & set(text)
    for line in text.splitlines():
        assert line.startswith(('#', 'brand_portal_')), line
    assert 'brand_portal_hosts 99' not in text.splitlines()
