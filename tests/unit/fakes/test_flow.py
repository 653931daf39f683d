# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way, for real: JWT, TLS, IMS, Brand Portal, and what AEM prints of it. No clock is touched anywhere."""

import calendar
import email.utils
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.aemops.brand_portal.tests.fakes import ca, testing

DAY = 86400
YEAR = 365 * DAY
EXPIRED = (
    "Failed to get an access token for user: mac-acme-replication msg: failed to get access token from authorization "
    'server status: 400 response: {"error":"invalid_grant","error_description":"JWT has expired"}'
)
DATES = "PKIX path validation failed: java.security.cert.CertPathValidatorException: validity check failed"
REPLICATING = "Error while replicating: com.day.cq.replication.ReplicationException: Error while sending request: "


def run(get, aem, agent):
    answer = get(aem, f"/{agent}.test.html")
    assert answer.status == 200  # in every row
    return answer


def remote_date(answer):
    (line,) = [line for line in answer.lines if line.startswith("<< Date: ")]
    return email.utils.mktime_tz(email.utils.parsedate_tz(line[len("<< Date: ") :]))


def aem_date(answer):
    return email.utils.mktime_tz(email.utils.parsedate_tz(answer.headers["Date"]))


def java_date(certificate_date):
    return time.strftime("%a %b %d %H:%M:%S UTC %Y", certificate_date.timetuple())


def test_with_right_clocks_all_four_agents_succeed(get, aem, portal):
    names = testing.brand_portal_agents()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda name: run(get, aem, name), names))
    for answer in answers:
        assert "sent. Response: 200 OK" in answer.lines
        assert "<< ReplicationAction TEST ok." in answer.lines
        assert answer.text.endswith('<hr size="1">Replication test <strong>succeeded</strong><br></body></html>')
        assert abs(remote_date(answer) - aem_date(answer)) <= 2
    assert sorted(aem.tested) == names
    assert [entry["path"] for entry in portal.requests].count("/oauth/gateway/token") == 4


# The article's lines, in its order and its words, but for the tenant, the dates and the value of one long header.
ARTICLE = """\
Using user mac-acme-replication for building content.
Creating content for path /content
Create new HttpClient for acme MP Replication Agent0 Default
* HTTP Version: 1.1
* Using OAuth 2.0 Authorization Grants
* OAuth 2.0 User: mac-acme-replication
{expired}
Sending POST request to https://acme.brand-portal.adobe.com/bin/receive?sling:authRequestLogin=1
sent. Response: 401 Unauthorized
Replication (TEST) of /content not successful. Conversation follows
------------------------------------------------
Sending message to acme.brand-portal.adobe.com:-1
>> POST /bin/receive HTTP/1.0
>> Action: Test
>> Path: /content
>> Handle: /content
>> Referer: about:blank
>> Content-Length: 0
>> Content-Type: application/octet-stream
--
<< HTTP/1.1 401 Unauthorized
<< Date:
<< Server:
<< WWW-Authenticate: Basic realm="Sling (Development)"
<< X-Frame-Options: SAMEORIGIN
<< X-XSS-Protection:
<< Content-Security-Policy:
<< Timing-Allow-Origin:
<< Set-Cookie:
<< Vary: User-Agent,Accept-Encoding
<< Content-Length: 0
<<
Message sent.
------------------------------------------------
Replication (TEST) of /content not successful."""


def test_two_days_behind_the_log_is_the_articles(get, aem, agent):
    aem.configure(clock_offset=-2 * DAY)
    answer = run(get, aem, agent)
    assert '<strong>failed</strong><br><span class="error">' in answer.text
    assert remote_date(answer) - aem_date(answer) == pytest.approx(2 * DAY, abs=2)

    log = get(aem, f"/{agent}.log.html").lines
    assert all(re.match(r"(INFO|ERROR) - mp_replication_agent0_default_acme : ", line) for line in log)
    messages = [line.split(" : ", 1)[1] for line in log]
    open_ended = ("<< Date:", "<< Server:", "<< X-XSS", "<< Content-Sec", "<< Timing", "<< Set-Cookie:")
    messages = [
        line[: line.index(":") + 1] if line.startswith(open_ended) else line for line in messages
    ]
    assert messages == ARTICLE.format(expired=EXPIRED).split("\n")
    levels = {line.split(" : ", 1)[1]: line.split(" - ")[0] for line in log}
    assert levels[EXPIRED] == "ERROR" and levels["sent. Response: 401 Unauthorized"] == "INFO"


def test_five_minutes_behind_is_enough_and_four_are_not(get, aem, agent):
    aem.configure(clock_offset=-240)
    assert "sent. Response: 200 OK" in run(get, aem, agent).lines
    aem.configure(clock_offset=-301)
    assert EXPIRED in run(get, aem, agent).lines


@pytest.mark.parametrize("offset", [2 * DAY, 20 * DAY])
def test_ahead_passes_because_ims_asks_for_neither_iat_nor_nbf(get, aem, agent, offset):
    aem.configure(clock_offset=offset)
    answer = run(get, aem, agent)
    assert "sent. Response: 200 OK" in answer.lines
    assert remote_date(answer) - aem_date(answer) == pytest.approx(-offset, abs=2)


def test_far_ahead_a_short_certificate_has_expired(lab, get, agent, tmp_path):
    with testing.running_portal(lab, certificate="short") as portal, testing.running_aem(
        lab, portal, tmp_path.name, clock_offset=400 * DAY
    ) as aem:
        lines = run(get, aem, agent).lines
    assert f"Failed to get an access token for user: mac-acme-replication msg: {DATES}" in lines
    assert lines[-2:] == [
        f"Error while sending request: {DATES}", f"{REPLICATING}javax.net.ssl.SSLHandshakeException: {DATES}"]
    assert not [line for line in lines if line.startswith(("sent. Response", "<<"))]
    assert {entry.get("path") for entry in portal.requests} <= {None}  # no request came through


def test_nine_years_behind_a_short_certificate_is_not_yet_valid(lab, get, agent, tmp_path):
    with testing.running_portal(lab, certificate="short") as portal, testing.running_aem(
        lab, portal, tmp_path.name, clock_offset=-9 * YEAR, java="25.0.2"
    ) as aem:
        lines = run(get, aem, agent).lines
        assert lines[-1].endswith(f"(bad_certificate) {DATES}")
        aem.configure(certificate_dates="_sunx509", java="17.0.9")
        not_before = java_date(testing.dates_of(lab / "short.pem")[0])
        assert run(get, aem, agent).lines[-2] == f"Error while sending request: NotBefore: {not_before}"
        aem.configure(certificate_dates="_out_of_order")
        assert "PKIX path building failed" in run(get, aem, agent).lines[-2]


def test_nine_years_behind_a_long_certificate_lets_the_jwt_expire(get, aem, agent):
    aem.configure(clock_offset=-9 * YEAR)
    assert EXPIRED in run(get, aem, agent).lines


def test_before_2010_even_the_long_certificate_is_not_yet_valid(get, aem, agent):
    aem.configure(clock_offset=calendar.timegm((2009, 6, 1, 0, 0, 0)) - time.time())
    assert run(get, aem, agent).lines[-1].endswith(DATES)


def test_it_is_the_difference_that_counts(lab, get, agent, tmp_path):
    """Brand Portal two days ahead of a right AEM looks the same; both off by the same is fine."""
    with testing.running_portal(lab, clock_offset=2 * DAY) as portal, testing.running_aem(
        lab, portal, tmp_path.name
    ) as aem:
        answer = run(get, aem, agent)
        assert EXPIRED in answer.lines
        assert remote_date(answer) - aem_date(answer) == pytest.approx(2 * DAY, abs=2)
        aem.configure(clock_offset=2 * DAY)
        assert "sent. Response: 200 OK" in run(get, aem, agent).lines


# What is wrong with the keys, the configuration or the way there: nothing is scripted here either


def failure(get, aem, agent):
    """The lines that say what went wrong."""
    lines = run(get, aem, agent).lines
    return [line for line in lines if line.startswith(("Failed", "Error", "sent. Response"))]


def test_another_key_does_not_match(get, aem, agent, tmp_path):
    ca.make_agent_pair(tmp_path, "other")
    aem.configure(private_key=str(tmp_path / "other.key"))
    first, second = failure(get, aem, agent)
    assert '"error_description":"Could not match JWT signature to any of the bindings"}' in first
    assert second == "sent. Response: 401 Unauthorized"


def test_another_secret_and_another_client(get, aem, agent):
    aem.configure(client_secret="lost in an upgrade")
    refusal = '{"error":"invalid_client","error_description":"invalid %s parameter"}'
    assert failure(get, aem, agent)[0].endswith(refusal % "client_secret")
    aem.configure(client_id="somebody-else", client_secret="")
    assert failure(get, aem, agent)[0].endswith(refusal % "client_id")


def test_no_key_store_and_a_broken_one(get, aem, agent, tmp_path):
    aem.configure(private_key=str(tmp_path / "nowhere.key"))
    assert "msg: Uninitialised key store for user mac-acme-" in failure(get, aem, agent)[0]
    (tmp_path / "broken.key").write_text("-----BEGIN PRIVATE KEY-----\nbm8ga2V5\n-----END PRIVATE KEY-----\n")
    aem.configure(private_key=str(tmp_path / "broken.key"))
    assert "java.security.UnrecoverableKeyException" in failure(get, aem, agent)[0]


def test_a_token_that_is_not_accepted(lab, get, agent, tmp_path):
    with testing.running_portal(lab, reject_tokens=True) as portal, testing.running_aem(
        lab, portal, tmp_path.name
    ) as aem:
        assert failure(get, aem, agent) == ["sent. Response: 401 Unauthorized"]


def test_an_authority_that_java_does_not_know(get, aem, agent, tmp_path_factory):
    other = testing.make_ca(tmp_path_factory.mktemp("other"))
    aem.configure(ca=str(other / "ca.pem"))
    assert "PKIX path building failed" in failure(get, aem, agent)[-1]


def test_a_certificate_of_another_host(get, aem, agent, portal):
    aem.configure(
        transport_uri="https://elsewhere.example.com/bin/receive",
        connect_to={"elsewhere.example.com": portal.address, "ims-na1.adobelogin.com": portal.address},
    )
    error, replicating = failure(get, aem, agent)
    assert "Error while sending request: Certificate for <elsewhere.example.com> doesn't match" in error
    assert "SSLPeerUnverifiedException: Certificate for <elsewhere.example.com>" in replicating


def test_nobody_there(get, aem, agent, free_port):
    nowhere = f"127.0.0.1:{free_port}"
    aem.configure(
        connect_to={"acme.brand-portal.adobe.com": nowhere, "ims-na1.adobelogin.com": nowhere}
    )
    aem.configure(locale="de", java="21.0.8")
    token, sending, replicating = failure(get, aem, agent)
    assert "Connect to ims-na1.adobelogin.com:443 [" in token and token.endswith("failed: Verbindungsaufbau abgelehnt")
    assert "Connect to acme.brand-portal.adobe.com:443 [" in sending
    assert "org.apache.http.conn.HttpHostConnectException: Connect to acme" in replicating


def test_a_name_nobody_knows(get, aem, agent):
    aem.configure(transport_uri="https://acme.invalid/bin/receive", token_url="https://ims.invalid/oauth/gateway/token")
    token, sending, _replicating = failure(get, aem, agent)
    assert token.endswith("msg: ims.invalid: Name or service not known")
    assert sending == "Error while sending request: acme.invalid: Name or service not known"


def test_a_host_that_never_answers(get, aem, agent, silent_port):
    silent = f"127.0.0.1:{silent_port}"
    aem.configure(
        connect_to={"acme.brand-portal.adobe.com": silent, "ims-na1.adobelogin.com": silent},
        timeouts={"connect": 60, "read": 0.2},
    )
    assert failure(get, aem, agent)[0].endswith("msg: Read timed out")


def test_the_publish_agent_has_no_token_to_get(get, aem, portal):
    lines = run(get, aem, "publish").lines
    assert "* Auth User: admin" in lines
    assert not [line for line in lines if "OAuth" in line or "access token" in line]
    assert portal.requests == []


# OAuth Server-to-Server, and the end of JWT


def asked(portal):
    return [entry["path"].partition("?")[0] for entry in portal.requests]


@pytest.mark.parametrize("level", ["6.5.21", "lts"])
def test_server_to_server_needs_no_right_clock_for_a_token(get, aem, agent, portal, level):
    aem.configure(level=level, clock_offset=-2 * DAY)
    assert "sent. Response: 200 OK" in run(get, aem, agent).lines
    assert asked(portal) == ["/ims/token/v3", "/bin/receive"]
    assert "sent. Response: 200 OK" in run(get, aem, agent).lines
    assert asked(portal)[2:] == ["/bin/receive"]  # the token is kept


def test_a_token_outlives_its_end_in_an_aem_that_is_behind(lab, get, agent, tmp_path):
    """The token is 25 hours old. An AEM that is three hours behind goes on using it; one that is right asks for a new one."""
    with testing.running_portal(lab, clock_offset=-25 * 3600) as past, testing.running_aem(
        lab, past, tmp_path.name, level="6.5.21", clock_offset=-28 * 3600
    ) as aem:
        assert "sent. Response: 200 OK" in run(get, aem, agent).lines
        with testing.running_portal(lab) as portal:
            connect_to = dict.fromkeys(["acme.brand-portal.adobe.com", "ims-na1.adobelogin.com"], portal.address)
            aem.configure(connect_to=connect_to, clock_offset=-3 * 3600)
            assert failure(get, aem, agent) == ["sent. Response: 401 Unauthorized"]
            assert asked(portal) == ["/bin/receive"]
            aem.configure(connect_to=connect_to, clock_offset=0)
            assert failure(get, aem, agent) == ["sent. Response: 200 OK"]


def test_a_jwt_gets_no_token_any_more(lab, get, agent, tmp_path):
    with testing.running_portal(lab) as portal, testing.running_aem(lab, portal, tmp_path.name, level="6.5.10") as aem:
        token, answer = failure(get, aem, agent)
    assert token.endswith('status: 500 response: {"error": "internal_error", "error_description": "Please try again later"}')
    assert answer == "sent. Response: 401 Unauthorized"


def test_a_wrong_secret_of_server_to_server(get, aem, agent):
    aem.configure(level="6.5.21", client_secret="rotated")
    assert '"invalid client_secret parameter"' in failure(get, aem, agent)[0]
