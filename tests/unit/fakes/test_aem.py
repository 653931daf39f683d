# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AEM shows besides the tests of its agents: who may look, the agents as JSON, queues, and its own troubles."""

import contextlib
import email.utils
import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.aemops.brand_portal.tests.fakes import aem as aem_standin
from ansible_collections.aemops.brand_portal.tests.fakes import agents, testing
from ansible_collections.aemops.brand_portal.tests.fakes.client import basic, fetch

NAMES = testing.brand_portal_agents()


def content(answer):
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


# Who may look


@pytest.mark.parametrize("headers", [{}, basic("admin", "wrong"), {"Authorization": "Basic %%%"}])
def test_without_the_right_password(get, aem, headers):
    answer = get(aem, ".2.json", headers)
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="Sling (Development)"')
    assert aem.tested == []


def test_a_browser_is_led_to_the_login_page(get, aem):
    answer = get(aem, ".2.json", {"User-Agent": "Mozilla/5.0"})
    assert (answer.status, answer.headers["Location"]) == (302, "/libs/granite/core/content/login.html")


@pytest.mark.parametrize("login_page, status", [(True, 200), ("redirect", 302)])
def test_an_aem_that_shows_its_login_page_to_everybody(get, aem, login_page, status):
    aem.configure(login_page=login_page)
    answer = get(aem, f"/{NAMES[0]}.test.html", basic("admin", "wrong"))
    assert answer.status == status
    assert (b"QUICKSTART_HOMEPAGE" in answer.body) == (status == 200)
    assert get(aem, ".2.json").status == 200


def test_the_login_page_is_for_everybody(aem):
    answer = fetch(aem.url + "/libs/granite/core/content/login.html")
    assert answer.status == 200 and b"QUICKSTART_HOMEPAGE" in answer.body


def test_starting(lab, tmp_path):
    with testing.running_aem(lab, name=tmp_path.name, starting_seconds=86400) as aem:
        path = aem.url + "/libs/granite/core/content/login.html"
        assert fetch(path).status == 503
        aem.configure(starting_seconds=0.001)
        assert fetch(path).status == 200


def test_under_a_context_path(get, aem):
    aem.configure(context_path="/author")
    assert content(get(aem, ".1.json"))
    root, _slash, path = aem.url.rpartition("/")
    assert path == "author"
    assert fetch(root + agents.ROOT + ".1.json", headers=basic(aem.user, aem.password)).status == 404


def test_over_https(lab, get, tmp_path):
    with testing.running_aem(lab, name=tmp_path.name, cert=str(lab / "long.pem"), key=str(lab / "long.key")) as aem:
        assert fetch(aem.url + "/libs/granite/core/content/login.html", ca=lab / "ca.pem").status == 200


def test_nothing_can_be_posted(aem):
    answer = fetch(aem.url + agents.ROOT + f"/{NAMES[0]}/jcr:content", b"enabled=false", basic(aem.user, aem.password))
    assert answer.status == 403


# Agents as JSON


def test_the_tree_of_agents(get, aem):
    tree = content(get(aem, ".2.json"))
    del tree["jcr:content"]
    found = {name: node["jcr:content"] for name, node in tree.items() if isinstance(node, dict)}
    assert set(NAMES) < set(found)
    assert {"publish", "flush", "publish_reverse", "outbox"} < set(found)
    first = found[NAMES[0]]
    assert first["jcr:title"] == "acme MP Replication Agent0 Default"
    assert first["transportUri"] == "https://acme.brand-portal.adobe.com/bin/receive?sling:authRequestLogin=1"
    assert first["sling:resourceType"] == "cq/replication/components/agent"
    assert first["transportPassword"].startswith("{") and first["clientSecret"]
    assert [found[name]["enabled"] for name in NAMES] == ["true", True, "true", True]


def test_shallower_and_deeper(get, aem):
    assert "jcr:content" not in content(get(aem, ".1.json"))[NAMES[0]]
    assert NAMES[0] not in content(get(aem, ".json"))
    assert content(get(aem, ".infinity.json")) == content(get(aem, ".2.json"))
    one = content(get(aem, f"/{NAMES[0]}.1.json"))
    assert one["jcr:content"] == content(get(aem, f"/{NAMES[0]}/jcr:content.json"))
    assert get(aem, "/nobody.1.json").status == 404


def test_a_tree_too_large_is_answered_with_shallower_ones(get, aem):
    aem.configure(max_depth=1)
    for deep in (".2.json", ".infinity.json"):
        answer = get(aem, deep)
        assert answer.status == 300
        assert json.loads(answer.body) == [agents.ROOT + ".1.json", agents.ROOT + ".0.json"]
    assert NAMES[0] in content(get(aem, ".1.json"))
    assert content(get(aem, f"/{NAMES[0]}.1.json"))["jcr:content"]


def test_the_agents_can_be_changed(get, aem):
    aem.configure(
        brand_portal_agents=1,
        agents={"publish": None, "flush": {"enabled": True}, "extra": {"transportUri": "https://x.example.com/"}},
    )
    tree = content(get(aem, ".2.json"))
    assert "mp_replication_agent_default_acme" in tree and NAMES[0] not in tree and "publish" not in tree
    assert tree["flush"]["jcr:content"]["enabled"] is True
    assert tree["extra"]["jcr:content"]["transportUri"] == "https://x.example.com/"


def test_a_user_who_may_not_see_them(get, aem):
    aem.configure(agents_hidden=True)
    assert get(aem, ".2.json").status == 404


@pytest.mark.parametrize("name", ["nobody", "flush", "mp_replication_agent_default_formertenant", "<b>&"])
def test_no_such_agent_or_not_active(get, aem, name):
    answer = get(aem, f"/{name.replace('<b>&', '%3Cb%3E%26')}.test.html")
    assert answer.status == 200
    assert answer.text == "no such agent: {}<br>".format(name.replace("&", "&amp;").replace("<b>", "&lt;b&gt;"))


def test_a_blocked_queue_drains_once_a_test_succeeds(get, aem):
    aem.configure(queued=2, clock_offset=-86400)
    path = f"/{NAMES[0]}/jcr:content.queue.json"
    get(aem, f"/{NAMES[0]}.test.html")
    before = content(get(aem, path))
    assert before["metaData"]["queueStatus"]["isBlocked"] is True
    assert [item["type"] for item in before["queue"]] == ["Activate"] * 2
    aem.configure(clock_offset=0)
    get(aem, f"/{NAMES[0]}.test.html")
    after = content(get(aem, path))
    assert (after["metaData"]["queueStatus"]["isBlocked"], after["queue"]) == (False, [])


# Time


def aem_date(answer):
    return email.utils.mktime_tz(email.utils.parsedate_tz(answer.headers["Date"]))


def test_the_date_of_an_answer_is_that_of_its_request(get, aem):
    """As Jetty has it: during a slow test Brand Portal's Date is later than AEM's."""
    aem.configure(delay=1.1, scenario="ok")
    waited = []

    def wait(seconds):
        time.sleep(seconds)
        waited.append(time.time())
    aem.application.wait = wait
    began = int(time.time())
    assert began <= aem_date(get(aem, f"/{NAMES[0]}.test.html")) < waited[0] - 1
    aem.configure(date_at="sent")
    assert aem_date(get(aem, f"/{NAMES[0]}.test.html")) >= int(waited[1])


def test_tests_run_side_by_side(get, aem):
    aem.configure(delay=0.5, scenario="ok")
    together = threading.Barrier(len(NAMES), timeout=60)
    aem.application.wait = lambda _seconds: together.wait()
    threads = [threading.Thread(target=get, args=(aem, f"/{name}.test.html")) for name in NAMES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not together.broken
    assert sorted(aem.tested) == NAMES


def test_stamps_are_local_and_of_either_format(get, aem):
    aem.configure(scenario="ok", stamp_zone_hours=-8, clock_offset=1488307191 - time.time())
    text = get(aem, f"/{NAMES[0]}.test.html").text
    assert re.search(r"<code>28\.02\.2017 10:(39|4\d):\d\d", text) and "* Connect Timeout" not in text
    aem.configure(date_format="iso")
    text = get(aem, f"/{NAMES[0]}.test.html").text
    assert re.search(r"<code>2017-02-28 10:(39|4\d):\d\d", text) and "* Connect Timeout: 180000" in text


class Ticks:
    """A clock that steps by the given seconds at each reading, for the lease."""

    def __init__(self, *steps):
        self.steps, self.seconds = list(steps), 0.0

    def __call__(self):
        if not self.steps:
            raise EOFError
        self.seconds += self.steps.pop(0)
        return self.seconds


def lease(*steps, lenient=False):
    lost = []
    with contextlib.suppress(EOFError):
        aem_standin.keep_lease(0.0, Ticks(*steps), lost.append, every=0, lenient=lenient)
    return lost


def test_a_lease_lives_with_small_steps_and_backward_ones():
    assert lease(1, 1, 9, 0, 0, 60, 0, -5000, 0, 1, 0, 99, 0) == []


@pytest.mark.parametrize("step", [100, 86400])
def test_a_lease_is_lost_to_a_forward_step(step):
    (message,) = lease(step)
    assert "failed to update the lease" in message


def test_a_lenient_lease_survives_the_step():
    assert lease(1, 100, 0, 86400, 0, lenient=True) == []


def test_the_system_overview_is_for_those_who_may_read_it(aem):
    path = "/libs/granite/operations/content/systemoverview/export.json"
    account = basic(aem.user, aem.password)
    assert fetch(aem.url + path, headers=account).status == 404
    aem.configure(overview={"Repository": {"Node Store": "Segment Tar"}})
    assert content(fetch(aem.url + path, headers=account)) == {"Repository": {"Node Store": "Segment Tar"}}
    assert fetch(aem.url + path, headers=basic("admin", "wrong")).status == 401


def test_a_lost_lease_is_noticed_by_the_stand_in(lab, tmp_path):
    path = tmp_path / "aem.json"
    settings = {"listen": ["127.0.0.1", 0], "tenant": "acme", "lease": True}
    path.write_text(json.dumps(settings))
    lost = threading.Event()
    server = aem_standin.serve(aem_standin.Configuration(path), lambda message: lost.set())
    path.write_text(json.dumps({**settings, "clock_offset": 200}))
    assert lost.wait(5)
    server.server_close()


# Its configuration


@pytest.mark.parametrize(
    "given, complaint",
    [
        ({"tennant": "acme"}, "no such key: tennant"),
        ({}, "tenant is required"),
        ({"tenant": "acme", "scenario": "made-up"}, "no such scenario: made-up"),
    ],
)
def test_a_wrong_configuration_is_refused(tmp_path, given, complaint):
    path = tmp_path / "aem.json"
    path.write_text(json.dumps(given))
    with pytest.raises(ValueError, match=complaint):
        aem_standin.Configuration(path)


def test_a_configuration_broken_meanwhile_changes_nothing(aem, capsys):
    url = aem.url + agents.ROOT + ".1.json"
    aem.path.write_text("{")
    assert fetch(url, headers=basic(aem.user, aem.password)).status == 200
    assert "going on with what it said before" in capsys.readouterr().err


def test_as_a_program_beside_its_neighbours(tmp_path):
    """As aem.service starts it: a file, not a module of a package; and a lost lease ends it for good."""
    settings = {"listen": ["127.0.0.1", 0], "tenant": "acme", "scenario": "ok", "lease": True}
    config = tmp_path / "config.json"
    config.write_text(json.dumps(settings))
    program = Path(aem_standin.__file__)
    process = subprocess.Popen(
        [sys.executable, "-E", "-B", program, "--config", config],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
    )  # fmt: skip
    try:
        port = process.stdout.readline().split()[-1]
        page = fetch(f"http://127.0.0.1:{port}{agents.ROOT}/{NAMES[0]}.test.html", headers=basic("admin", "admin"))
        assert "sent. Response: 200 OK" in page.lines
        config.write_text(json.dumps({**settings, "clock_offset": 100}))
        _out, err = process.communicate(timeout=10)
        assert "failed to update the lease" in err
        unit = (program.parent / "aem.service").read_text()
        assert f"RestartPreventExitStatus={process.returncode}\n" in unit
    finally:
        process.kill()
        process.communicate()
