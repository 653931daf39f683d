# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IMS judges what it is given, and Brand Portal takes only tokens that IMS gave."""

import email.utils
import json
import time
import urllib.parse

import jwt
import pytest

from ansible_collections.aemops.brand_portal.tests.fakes import ca, identity, testing
from ansible_collections.aemops.brand_portal.tests.fakes.client import fetch

WHO = identity.of(testing.TENANT)


@pytest.fixture(scope="module")
def portal(lab):
    with testing.running_portal(lab) as portal:
        yield portal


@pytest.fixture
def exchange(lab, portal):
    """exchange(claims): what IMS says to a JWT with these claims, properly signed; jwt_token=... is sent as it is."""

    def exchange(claims=None, portal=portal, **form):
        if claims is not None:
            form["jwt_token"] = jwt.encode(claims, (lab / "agent.key").read_text(), algorithm="RS256")
        form = {"client_id": WHO.client_id, "client_secret": WHO.client_secret, **form}
        data = urllib.parse.urlencode({key: value for key, value in form.items() if value is not None}).encode()
        return fetch(portal.url + "/oauth/gateway/token", data, ca=lab / "ca.pem")

    return exchange


def claims(**changes):
    return {key: value for key, value in {**WHO.claims(int(time.time()) + 300), **changes}.items() if value is not None}


def said(answer):
    content = json.loads(answer.body)
    return answer.status, content.get("error"), content.get("error_description")


def test_a_good_jwt_gets_a_token(exchange):
    answer = exchange(claims())
    content = json.loads(answer.body)
    assert answer.status == 200
    assert (content["token_type"], content["expires_in"]) == ("bearer", 86399999)


def test_an_expired_jwt_in_the_articles_bytes(exchange):
    answer = exchange(claims(exp=int(time.time()) - 1))
    assert answer.status == 400
    assert answer.body == b'{"error":"invalid_grant","error_description":"JWT has expired"}'


def test_there_is_no_leeway(exchange):
    assert exchange(claims(exp=int(time.time()))).status == 400
    assert exchange(claims(exp=int(time.time()) + 120)).status == 200


def test_neither_iat_nor_nbf_counts(exchange):
    later = int(time.time()) + 86400
    assert exchange(claims(iat=later, nbf=later, exp=later + 300)).status == 200


@pytest.mark.parametrize("offset", [-86400, 86400])
def test_it_judges_by_its_own_clock(lab, exchange, offset):
    with testing.running_portal(lab, clock_offset=offset) as portal:
        assert exchange(claims(exp=int(time.time() + offset) - 5), portal=portal).status == 400
        assert exchange(claims(exp=int(time.time() + offset) + 120), portal=portal).status == 200


INVALID_TOKEN = (400, "invalid_token")


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"exp": None}, (400, "bad_request", "the JWT has no claim exp")),
        ({"sub": None}, (400, "bad_request", "the JWT has no claim sub")),
        ({"aud": identity.IMS + "/c/somebody"}, (400, "invalid_client", "invalid audience")),
        (
            {"iss": "OTHER@AdobeOrg"},
            (*INVALID_TOKEN, "No valid bindings were found for organization and technical account combination"),
        ),
        (
            {"sub": "other@techacct.adobe.com"},
            (*INVALID_TOKEN, "No valid bindings were found for organization and technical account combination"),
        ),
        ({identity.IMS + "/s/ent_other_sdk": True}, (400, "invalid_scope", "Invalid metascope.")),
        ({"exp": "tomorrow"}, (*INVALID_TOKEN, "JWT token is incorrectly formatted, and can not be decoded.")),
    ],
)
def test_claims_that_are_wrong(exchange, changes, expected):
    assert said(exchange(claims(**changes))) == expected


@pytest.mark.parametrize(
    "form, expected",
    [
        ({"client_id": "somebody"}, (400, "invalid_client", "invalid client_id parameter")),
        ({"client_secret": "wrong"}, (400, "invalid_client", "invalid client_secret parameter")),
        ({"client_secret": None}, (400, "bad_request", "client_id and client_secret are required")),
        ({}, (*INVALID_TOKEN, "JWT token is missing.")),
        ({"jwt_token": "no.jwt"}, (*INVALID_TOKEN, "JWT token is incorrectly formatted, and can not be decoded.")),
    ],
)
def test_forms_that_are_wrong(exchange, form, expected):
    assert said(exchange(**form)) == expected


def test_signatures_that_are_wrong(exchange, tmp_path):
    ca.make_agent_pair(tmp_path)
    other = jwt.encode(claims(), (tmp_path / "agent.key").read_text(), algorithm="RS256")
    assert said(exchange(jwt_token=other)) == (
        *INVALID_TOKEN, "Could not match JWT signature to any of the bindings",
    )
    shared = jwt.encode(claims(), "x" * 32, algorithm="HS256")
    assert said(exchange(jwt_token=shared))[1] == "invalid_signature"
    unsigned = jwt.encode(claims(), None, algorithm="none")
    assert said(exchange(jwt_token=unsigned))[1] == "invalid_signature"


def receive(lab, portal, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return fetch(portal.url + "/bin/receive?sling:authRequestLogin=1", b"", headers, ca=lab / "ca.pem")


def test_only_a_token_of_its_own_is_received(lab, portal, exchange):
    token = json.loads(exchange(claims()).body)["access_token"]
    answer = receive(lab, portal, token)
    assert (answer.status, answer.body) == (200, b"ReplicationAction TEST ok.")
    for wrong in (None, "made-up"):
        answer = receive(lab, portal, wrong)
        assert (answer.status, answer.body) == (401, b"")
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="Sling (Development)"'
        assert answer.headers.keys()[:3] == ["Date", "Server", "WWW-Authenticate"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_its_address_redirects_and_tells_its_date(lab, portal, method):
    import http.client
    import ssl

    context = ssl.create_default_context(cafile=str(lab / "ca.pem"))
    connection = http.client.HTTPSConnection("localhost", portal.server.server_port, context=context, timeout=10)
    for _again in range(2):  # one connection, kept
        connection.request(method, "/")
        response = connection.getresponse()
        response.read()
        assert (response.status, response.headers["Location"]) == (302, "/mediaportal.html")
        assert abs(seconds(response.headers["Date"]) - time.time()) < 60
    connection.close()


def seconds(date):
    return email.utils.mktime_tz(email.utils.parsedate_tz(date))


def test_ways_to_tell_no_date(lab):
    def headers(date, **options):
        with testing.running_portal(lab, date=date, **options) as portal:
            return fetch(portal.url + "/", ca=lab / "ca.pem").headers

    assert "Date" not in headers("missing")
    assert email.utils.parsedate_tz(headers("malformed")["Date"]) is None
    aged = headers("aged:3600", clock_offset=86400)
    assert aged["Age"] == "3600"
    assert seconds(aged["Date"]) == pytest.approx(time.time() + 86400 - 3600, abs=60)
    with pytest.raises(ValueError, match="no such way"):
        headers("made-up")


def test_nothing_on_the_port_changes_it(lab, portal):
    assert fetch(portal.url + "/standin/clock", b"offset=5", ca=lab / "ca.pem").status == 404
    assert fetch(portal.url + "/oauth/gateway/token", ca=lab / "ca.pem").status == 404


def test_a_client_that_never_shakes_hands_keeps_nobody_waiting(lab, portal):
    import socket

    with socket.create_connection(("127.0.0.1", portal.server.server_port)):
        assert fetch(portal.url + "/", ca=lab / "ca.pem").status == 302


def test_what_it_records_holds_no_secret(portal, exchange):
    token = json.loads(exchange(claims()).body)["access_token"]
    assert token not in str(portal.requests) and WHO.client_secret not in str(portal.requests)
