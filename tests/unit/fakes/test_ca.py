# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab's certificates must stand: OpenSSL's verification with host names, strictly, and their dates."""

import datetime
import socket
import ssl
import stat
import threading

import pytest

from ansible_collections.aemops.brand_portal.tests.fakes import ca, testing

UTC = datetime.timezone.utc


def handshake(lab, kind, host):
    """The verified certificate, seen by a client as strict as Python 3.13's default."""
    client = ssl.create_default_context(cafile=str(lab / "ca.pem"))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(lab / f"{kind}.pem", lab / f"{kind}.key")
    near, far = socket.socketpair()

    def serve():
        try:
            server.wrap_socket(far, server_side=True).close()
        except OSError:
            far.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(near, server_hostname=host) as tls:
            return tls.getpeercert()
    finally:
        near.close()
        thread.join(5)


@pytest.mark.parametrize("kind", ["long", "short"])
@pytest.mark.parametrize(
    "host", ["acme.brand-portal.adobe.com", "ims-na1.adobelogin.com", "localhost", "127.0.0.1"]
)
def test_it_verifies_strictly_under_every_name(lab, kind, host):
    assert handshake(lab, kind, host)["issuer"] == ((("commonName", "Stand-in lab CA"),),)


def test_another_name_does_not_verify(lab):
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(lab, "long", "other.brand-portal.adobe.com")


def test_further_names_and_addresses(tmp_path):
    ca.make(tmp_path, "acme", ["portal.lab", "10.1.2.3", "fd00::1"])
    for host in ("portal.lab", "10.1.2.3", "fd00::1"):
        assert handshake(tmp_path, "long", host)


def test_dates(lab):
    def dates(name):
        found = handshake(lab, name, "localhost")
        seconds = [ssl.cert_time_to_seconds(found[key]) for key in ("notBefore", "notAfter")]
        return [datetime.datetime.fromtimestamp(second, UTC) for second in seconds]

    assert dates("long") == [datetime.datetime(2010, 1, 1, tzinfo=UTC), datetime.datetime(2040, 1, 1, tzinfo=UTC)]
    before, after = dates("short")
    assert after - before == datetime.timedelta(days=90)
    age = datetime.datetime.now(UTC) - before
    assert datetime.timedelta(days=10) <= age < datetime.timedelta(days=10, hours=1)
    assert [date.year for date in testing.dates_of(lab / "ca.pem")] == [2010, 2045]


def test_keys_are_the_owners_alone(lab, tmp_path):
    for name in ("ca.key", "long.key", "short.key", "agent.key"):
        assert stat.S_IMODE((lab / name).stat().st_mode) == 0o600
    (tmp_path / "agent.key").touch(mode=0o644)
    ca.make_agent_pair(tmp_path)
    assert stat.S_IMODE((tmp_path / "agent.key").stat().st_mode) == 0o600
