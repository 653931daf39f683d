# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Brand Portal and for Adobe's IMS, on one HTTPS port with one clock.

    brand_portal.py --listen ADDR:PORT --cert F --key F --tenant NAME --public-key F [--clock-offset SECONDS] ...

POST /oauth/gateway/token  the legacy gateway: verifies the JWT for real, by this fake's clock, and gives an access token
POST /ims/exchange/jwt     the same until 2026-03-01 by this fake's clock; since then 500 internal_error
POST /ims/token/v3         OAuth Server-to-Server: gives a signed access token for client_credentials
POST /bin/receive          takes a replication when it carries such a token that is still valid by this clock, else 401
GET, HEAD /                redirects, as a tenant's address does; every answer shows this stand-in's Date

There is no way to change its state from outside: what it does is decided by its command line.
"""

import argparse
import json
import secrets
import ssl
import time
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Optional

import jwt
from cryptography.hazmat.primitives import serialization

try:
    from . import identity, web
except ImportError:  # run as a file
    import identity  # type: ignore[no-redef]
    import web  # type: ignore[no-redef]

TOKEN_LIFETIME_MS = 86399999
LIFETIME = 86399  # seconds: expires_in of client_credentials
RECEIVED = b"ReplicationAction TEST ok."
SERVER = "Apache/2.4.10 (Unix) Communique/4.2.1"
REALM = 'Basic realm="Sling (Development)"'
# As long and as full of everything as the real one: a reader that looks for words in the whole text finds some here.
POLICY = (
    "default-src 'self' https://*.adobe.com https://*.assetsadobe.com; "
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' https://*.brand-portal.adobe.com https://*.marketing.adobe.com "
    "https://use.typekit.net https://*.adobelogin.com https://assets.adobedtm.com; "
    "img-src * data: ; font-src * data: ; object-src 'self' https://*.scene7.com; "
    "report-uri https://service.brand-portal.adobe.com/security-bugs/log/mac"
)
GUARDS = (
    ("X-Frame-Options", "SAMEORIGIN"),
    ("X-XSS-Protection", "1; mode=block; report=https://service.brand-portal.adobe.com/security-bugs/log/mac"),
    ("Content-Security-Policy", POLICY),
    ("Timing-Allow-Origin", "https://*.brand-portal.adobe.com/"),
    ("Set-Cookie", "renderid=rend2; path=/;Secure"),
    ("Vary", "User-Agent,Accept-Encoding"),
)


class Refusal(NamedTuple):
    error: str
    description: str


NO_BINDINGS = Refusal(
    "invalid_token", "No valid bindings were found for organization and technical account combination"
)


def judge_jwt(token: str, who: identity.Identity, public_key: str, clock_offset: float) -> Optional[Refusal]:
    """What IMS finds wrong with a JWT, by a clock that is `clock_offset` seconds ahead of this machine's.

    PyJWT compares `exp <= now - leeway` with the machine's own now. A leeway of -clock_offset makes that
    `exp <= now + clock_offset`: the library judges, by our clock, and with no tolerance of its own. iat and nbf would
    need the opposite sign; IMS asks for neither, so they stay unread.
    """
    try:
        claims = jwt.decode(
            token,
            public_key,
            algorithms=["RS256"],
            audience=who.audience,
            issuer=who.organization,
            leeway=-clock_offset,
            options={"require": ["exp", "iss", "sub", "aud"], "verify_iat": False, "verify_nbf": False},
        )
    except jwt.ExpiredSignatureError:
        return Refusal("invalid_grant", "JWT has expired")
    except jwt.InvalidSignatureError:
        return Refusal("invalid_token", "Could not match JWT signature to any of the bindings")
    except jwt.InvalidIssuerError:
        return NO_BINDINGS
    except jwt.InvalidAudienceError:
        return Refusal("invalid_client", "invalid audience")
    except jwt.InvalidAlgorithmError:
        return Refusal("invalid_signature", "the algorithm of the JWT's signature is not allowed")
    except jwt.MissingRequiredClaimError as error:
        return Refusal("bad_request", f"the JWT has no claim {error.claim}")
    except jwt.InvalidTokenError:
        return Refusal("invalid_token", "JWT token is incorrectly formatted, and can not be decoded.")
    if claims["sub"] != who.technical_account:
        return NO_BINDINGS
    scopes = {claim.rpartition("/s/")[2] for claim, granted in claims.items() if "/s/" in claim and granted}
    if scopes != {identity.SCOPE}:
        return Refusal("invalid_scope", "Invalid metascope.")
    return None


class BrandPortal:
    """The application behind the port."""

    def __init__(
        self, who: identity.Identity, public_key: str, clock_offset: float = 0.0, reject_tokens: bool = False,
        signing_key: str = "",
    ) -> None:
        """`signing_key`: PEM of an EC key. With the same one, a token outlives this process."""
        self.who = who
        self.signing_key: Any = serialization.load_pem_private_key(signing_key.encode(), None) if signing_key else None
        self.public_key = public_key
        self.clock_offset = clock_offset
        self.reject_tokens = reject_tokens
        self._tokens: dict[str, float] = {}  # access token -> when it expires, by now()

    def now(self) -> float:
        return time.time() + self.clock_offset

    def __call__(self, request: web.Request) -> None:
        path = urllib.parse.urlsplit(request.path).path
        if request.command == "POST":
            body = request.body()
            if path == identity.TOKEN_PATHS["legacy"]:
                return self._exchange(request, body)
            if path == identity.TOKEN_PATHS["jwt"]:
                return self._ended(request) if self.now() >= identity.JWT_ENDED else self._exchange(request, body)
            if path == identity.TOKEN_PATHS["s2s"] and self.signing_key is not None:
                return self._credentials(request, body)
            if path == "/bin/receive":
                return self._receive(request)
        elif path == "/":
            return request.answer(302, headers=[("Location", "/mediaportal.html"), *GUARDS])
        elif path == "/mediaportal.html":
            return request.answer(200, b"<html><title>Brand Portal</title></html>", [("Content-Type", "text/html")])
        return request.answer(404)

    def _exchange(self, request: web.Request, body: bytes) -> None:
        form = dict(urllib.parse.parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        refusal = self._refusal(form)
        answer: Mapping[str, Any]
        if refusal is not None:
            request.note["refused"] = refusal.description
            status, answer = 400, {"error": refusal.error, "error_description": refusal.description}
        else:
            token = secrets.token_urlsafe(48)
            self._tokens[token] = self.now() + TOKEN_LIFETIME_MS / 1000
            status, answer = 200, {"token_type": "bearer", "access_token": token, "expires_in": TOKEN_LIFETIME_MS}
        content = json.dumps(answer, separators=(",", ":")).encode()
        request.answer(status, content, [("Content-Type", "application/json;charset=UTF-8")])

    @staticmethod
    def _ended(request: web.Request) -> None:
        """What IMS says to a JWT since the credentials were converted (adobe-dev-console issue 124)."""
        request.note["refused"] = "JWT"
        content = b'{"error": "internal_error", "error_description": "Please try again later"}'
        request.answer(500, content, [("Content-Type", "application/json;charset=UTF-8")])

    def _credentials(self, request: web.Request, body: bytes) -> None:
        form = dict(urllib.parse.parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        refusal = None
        if form.get("grant_type") != "client_credentials":
            refusal = Refusal("unsupported_grant_type", "grant_type must be client_credentials")
        elif form.get("client_id") != self.who.client_id:
            refusal = Refusal("invalid_client", "invalid client_id parameter")
        elif form.get("client_secret") != self.who.client_secret:
            refusal = Refusal("invalid_client", "invalid client_secret parameter")
        elif set(form.get("scope", "").split(",")) != set(identity.SCOPES.split(",")):
            refusal = Refusal("invalid_scope", "The client may not use this scope")
        answer: Mapping[str, Any]
        if refusal is not None:
            request.note["refused"] = refusal.description
            status, answer = 400, {"error": refusal.error, "error_description": refusal.description}
        else:
            claims = {"type": "access_token", "client_id": self.who.client_id, "scope": identity.SCOPES,
                      "created_at": str(int(self.now() * 1000)), "expires_in": str(LIFETIME * 1000)}
            token = jwt.encode(claims, self.signing_key, algorithm="ES256")
            status, answer = 200, {"access_token": token, "token_type": "bearer", "expires_in": LIFETIME}
        content = json.dumps(answer, separators=(",", ":")).encode()
        request.answer(status, content, [("Content-Type", "application/json;charset=UTF-8")])

    def _is_valid(self, token: str) -> bool:
        """A token of client_credentials is valid by its signature and its dates, in milliseconds, by this clock."""
        if self.signing_key is None or token.count(".") != 2:
            return False
        try:
            claims = jwt.decode(token, self.signing_key.public_key(), algorithms=["ES256"])
        except jwt.PyJWTError:
            return False
        created = int(claims["created_at"])
        return created <= self.now() * 1000 + 30000 and self.now() * 1000 < created + int(claims["expires_in"])

    def _refusal(self, form: Mapping[str, str]) -> Optional[Refusal]:
        if "client_id" not in form or "client_secret" not in form:
            return Refusal("bad_request", "client_id and client_secret are required")
        if form["client_id"] != self.who.client_id:
            return Refusal("invalid_client", "invalid client_id parameter")
        if form["client_secret"] != self.who.client_secret:
            return Refusal("invalid_client", "invalid client_secret parameter")
        if not form.get("jwt_token"):
            return Refusal("invalid_token", "JWT token is missing.")
        return judge_jwt(form["jwt_token"], self.who, self.public_key, self.clock_offset)

    def _receive(self, request: web.Request) -> None:
        scheme, _space, token = (request.headers.get("Authorization") or "").partition(" ")
        known = scheme == "Bearer" and (self._tokens.get(token, 0.0) > self.now() or self._is_valid(token))
        if not known or self.reject_tokens:
            return request.answer(401, headers=[("WWW-Authenticate", REALM), *GUARDS])
        return request.answer(200, RECEIVED, [*GUARDS, ("Content-Type", "text/plain;charset=UTF-8")])


def serve(
    application: BrandPortal,
    listen: tuple[str, int],
    cert: str,
    key: str,
    date: str = "normal",
    log: Optional[str] = None,
) -> web.Server:
    web.date_headers(date, 0.0)  # a mistake in it is told now
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    server = web.Server(listen, application, application.now, tls, SERVER, log)
    server.date_mode = date
    return server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", required=True, metavar="ADDR:PORT")
    parser.add_argument("--cert", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--tenant", required=True)
    parser.add_argument("--public-key", required=True, type=Path, help="agent.pub of ca.py")
    parser.add_argument("--client-id", default="")
    parser.add_argument("--client-secret", default="")
    parser.add_argument("--clock-offset", type=float, default=0.0, metavar="SECONDS", help="ahead of this machine")
    parser.add_argument("--date", default="normal", help="normal | missing | malformed | aged:SECONDS")
    parser.add_argument("--reject-tokens", action="store_true", help="401 whatever the token: the user lacks the key")
    parser.add_argument("--log", help="one JSON line for each request is appended to this file")
    options = parser.parse_args()
    address, _colon, port = options.listen.rpartition(":")
    who = identity.of(options.tenant, options.client_id, options.client_secret)
    application = BrandPortal(
        who, options.public_key.read_text(), options.clock_offset, options.reject_tokens, Path(options.key).read_text())
    server = serve(application, (address, int(port)), options.cert, options.key, options.date, options.log)
    print(f"Brand Portal stand-in of {options.tenant} at https://{address}:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
