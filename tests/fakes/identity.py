# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a tenant is to Adobe's IMS: what the stand-in of AEM presents and the stand-in of IMS expects."""

from typing import Any, NamedTuple

IMS = "https://ims-na1.adobelogin.com"
# Where AEM gets an access token, by how it authenticates. The address of the legacy gateway is not public: this one is
# made up, and judges JWTs as IMS did.
TOKEN_PATHS = {"legacy": "/oauth/gateway/token", "jwt": "/ims/exchange/jwt", "s2s": "/ims/token/v3"}
JWT_ENDED = 1772323200.0  # 2026-03-01T00:00:00Z: from then on IMS answers no JWT
SCOPE = "ent_brandportal_sdk"
SCOPES = "openid,AdobeID,brand_portal"  # of Server-to-Server; those of Brand Portal are not public


class Identity(NamedTuple):
    tenant: str
    client_id: str
    client_secret: str

    @property
    def organization(self) -> str:
        return f"{self.tenant.upper()}@AdobeOrg"

    @property
    def technical_account(self) -> str:
        return f"{self.tenant}@techacct.adobe.com"

    @property
    def audience(self) -> str:
        return f"{IMS}/c/{self.client_id}"

    @property
    def user(self) -> str:
        """AEM's own user that holds the private key."""
        return f"mac-{self.tenant}-replication"

    def claims(self, expires: int) -> dict[str, Any]:
        """The JWT's body; IMS asks for exp, iss, sub and aud, and for neither iat nor nbf."""
        return {
            "exp": expires,
            "iss": self.organization,
            "sub": self.technical_account,
            "aud": self.audience,
            f"{IMS}/s/{SCOPE}": True,
        }


def of(tenant: str, client_id: str = "", client_secret: str = "") -> Identity:
    return Identity(tenant, client_id or f"{tenant}-bp-client", client_secret or f"p8e-{tenant}-client-secret")
