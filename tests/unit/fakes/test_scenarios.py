# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list is sound, and the stand-in shows what the list says."""

import re

import pytest

from ansible_collections.aemops.brand_portal.tests.fakes import agent_log, scenarios, testing
from ansible_collections.aemops.brand_portal.tests.fakes.scenarios import BY_NAME, SCENARIOS


@pytest.fixture(scope="module")
def aem(lab):
    """One for them all: nothing here needs a portal."""
    with testing.running_aem(lab, name="scenarios") as aem:
        yield aem


def play(scenario, where=""):
    return scenarios.play(scenario, scenarios.sample_context(), where)


def test_each_has_its_own_name():
    assert len(BY_NAME) == len(SCENARIOS)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_what_must_be_concluded_fits_together(scenario):
    assert (scenario.cause == "none") == scenario.succeeded
    assert not scenario.succeeded or scenario.response_code == 200
    assert not scenario.remote_dated or scenario.response_code is not None


def shown_differently():
    """One scenario for each way to make a page; test_agent_page.py reads the pages of all."""
    ways = {(each.where, each.date_format, each.succeeded, each.dress, each.text is None): each for each in SCENARIOS}
    return list(ways.values())


@pytest.mark.parametrize("scenario", shown_differently(), ids=lambda scenario: scenario.name)
def test_the_stand_in_shows_it(get, aem, agent, scenario):
    aem.configure(scenario=scenario.name, scenarios={})
    answer = get(aem, f"/{agent}.{scenario.where}.html")
    assert answer.status == 200
    page = play(scenario).page
    assert answer.headers["Content-Type"] == page.content_type
    blank = re.compile(rb"\d{2}\.\d{2}\.\d{4} [\d:]{8}|\d{4}-\d{2}-\d{2} [\d:]{8}|\w{3}, \d\d \w{3} \d{4} [\d:]{8}")
    if "utf16" not in scenario.name:
        assert blank.sub(b"", answer.body) == blank.sub(b"", page.body)


def test_a_scenario_for_each_agent(get, aem, agent):
    aem.configure(scenario="ok", scenarios={agent: "pkix_path"})
    assert "PKIX path building failed" in get(aem, f"/{agent}.test.html").text
    other = agent.replace("agent0", "agent1")
    assert "sent. Response: 200 OK" in get(aem, f"/{other}.test.html").lines


def test_a_log_keeps_what_was_scripted(get, aem, agent):
    aem.configure(scenario="unknown_host", scenarios={})
    get(aem, f"/{agent}.test.html")
    assert "UnknownHostException" in get(aem, f"/{agent}.log.html").text


def text_of(name, where=""):
    return play(BY_NAME[name], where).page.body.decode()


def test_the_shape_of_a_test_page():
    text = text_of("jwt_expired")
    heading = "<h1>Replication test to https://acme.brand-portal.adobe.com/bin/receive?sling:authRequestLogin=1</h1><code>"
    assert heading + "28.02.2017 18:39:51 - Using user mac-acme-replication for building content.<br>28.02." in text
    assert "&quot;invalid_grant&quot;,&quot;error_description&quot;:&quot;JWT has expired&quot;}<br>" in text
    assert " - &gt;&gt; POST /bin/receive HTTP/1.0<br>" in text
    assert " - &lt;&lt; HTTP/1.1 401 Unauthorized<br>" in text
    assert '</code><hr size="1">Replication test <strong>failed</strong><br><span class="error">' in text


def test_a_success_has_no_dump_in_the_log():
    assert "&lt;&lt; ReplicationAction TEST ok.<br>" in text_of("ok")
    log = text_of("ok", "log")
    assert " - INFO - mp_replication_agent0_default_acme : sent. Response: 200 OK<br>" in log
    assert "&lt;&lt;" not in log


def test_the_malformations_are_what_they_say():
    assert re.search("- &lt;&lt; R<br>.{19} - &lt;&lt; eplicationAction TEST ok.<br>", text_of("body_split"))
    assert "&amp;lt;&amp;lt; HTTP/1.1 401" in text_of("double_escaped")
    assert "&#60;&#60; HTTP/1.1 401" in text_of("numeric_entities")
    assert " - << HTTP/1.1 401 Unauthorized<br>" in text_of("not_escaped")
    assert " - HTTP/1.1 401 Unauthorized<br>" in text_of("marks_lost") and "&lt;" not in text_of("marks_lost")
    assert "&lt;&lt; date: Fri, 03 Mar 2017" in text_of("headers_lower")
    assert "<STRONG>failed</STRONG><BR>" in text_of("upper") and '<HR size="1">' in text_of("upper")
    assert "<strong>failed</strong><br />" in text_of("line_end_spaced")
    assert len(play(BY_NAME["huge"]).page.body) > 5_000_000
    with pytest.raises(UnicodeDecodeError):
        text_of("broken_utf8")
    for name in ("latin1", "latin1_undeclared", "latin1_as_utf8"):
        with pytest.raises(UnicodeDecodeError):
            text_of(name)
        assert "MP-Réplication ü0 Default" in play(BY_NAME[name]).page.body.decode("latin-1")
    assert play(BY_NAME["utf16"]).page.body.decode("utf-16").startswith("<html>")
    assert text_of("cut_in_an_entity").endswith("{&qu")
    for secret in scenarios.SECRETS:
        assert secret in text_of("secrets_shown")
    assert text_of("log_healed").endswith("Replication (TEST) of /content successful.<br></code></body></html>")


def test_escaping_leaves_nothing_to_inject():
    agent = scenarios.sample_context().agent._replace(transport_uri="https://x/<script>\"&", name="<i>")
    page = agent_log.test_page(agent, [agent_log.Line("now", "INFO", "<b>&\"")], agent_log.Verdict(False, "<u>"))
    assert not re.search("<(script|b|u|i)>", page)
