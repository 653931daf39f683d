# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the lab's certificate authority, its server certificates and the technical account's key pair.

    ca.py OUTDIR --tenant NAME [--host NAME ...]

ca.pem, ca.key       the authority, valid 2010 .. 2045
long.pem, long.key   a server certificate valid 2010 .. 2040: TLS works on a host in 2017
short.pem, short.key a server certificate valid from 10 days ago for 90 days, as the real ones are
agent.key, agent.pub the RS256 pair AEM signs its JWTs with
"""

import argparse
import datetime
import ipaddress
import os
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

UTC = datetime.timezone.utc
AUTHORITY_DATES = (datetime.datetime(2010, 1, 1, tzinfo=UTC), datetime.datetime(2045, 1, 1, tzinfo=UTC))
LONG_DATES = (datetime.datetime(2010, 1, 1, tzinfo=UTC), datetime.datetime(2040, 1, 1, tzinfo=UTC))
SHORT_BEFORE = datetime.timedelta(days=10)
SHORT_AFTER = datetime.timedelta(days=80)

Dates = tuple[datetime.datetime, datetime.datetime]


def short_dates() -> Dates:
    now = datetime.datetime.now(UTC).replace(microsecond=0)
    return now - SHORT_BEFORE, now + SHORT_AFTER


def names_for(tenant: str, hosts: Iterable[str] = ()) -> list[str]:
    """Every name and address a stand-in may be reached under."""
    return [f"{tenant}.brand-portal.adobe.com", "ims-na1.adobelogin.com", "localhost", "127.0.0.1", *hosts]


def make(out: Path, tenant: str, hosts: Iterable[str] = ()) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _authority(authority_key)
    _write_certificate(out / "ca.pem", authority)
    _write_key(out / "ca.key", authority_key)
    names = names_for(tenant, hosts)
    for kind, dates in (("long", LONG_DATES), ("short", short_dates())):
        key = ec.generate_private_key(ec.SECP256R1())
        _write_certificate(out / f"{kind}.pem", _server(names, dates, key, authority, authority_key))
        _write_key(out / f"{kind}.key", key)
    make_agent_pair(out)
    return out


def make_agent_pair(out: Path, name: str = "agent") -> None:
    """The technical account's keys; RS256 is what Adobe's IMS takes."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    _write_key(out / f"{name}.key", key)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (out / f"{name}.pub").write_bytes(public)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*granted: str) -> x509.KeyUsage:
    usages = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )
    return x509.KeyUsage(**{usage: usage in granted for usage in usages})


def _builder(subject: x509.Name, issuer: x509.Name, public_key, dates: Dates) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(dates[0])
        .not_valid_after(dates[1])
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _authority(key) -> x509.Certificate:
    name = _name("Stand-in lab CA")
    return (
        _builder(name, name, key.public_key(), AUTHORITY_DATES)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage("key_cert_sign", "crl_sign"), critical=True)
        .sign(key, hashes.SHA256())
    )


def _server(names: list[str], dates: Dates, key, authority: x509.Certificate, authority_key) -> x509.Certificate:
    # The authority key identifier is what VERIFY_X509_STRICT (the default since Python 3.13) asks for.
    return (
        _builder(_name(names[0]), authority.subject, key.public_key(), dates)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write_certificate(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _write_key(path: Path, key) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    if path.exists():
        path.unlink()  # so that the mode below holds for an old file too
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("outdir", type=Path)
    parser.add_argument("--tenant", required=True)
    parser.add_argument("--host", action="append", default=[], help="a further name or address of the servers")
    options = parser.parse_args()
    make(options.outdir, options.tenant, options.host)


if __name__ == "__main__":
    main()
