# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a tenant is to Adobe's IMS: what the stand-in of AEM presents and the stand-in of IMS expects."""

from typing import Any, NamedTuple

IMS = "https://ims-na1.adobelogin.com"
SCOPE = "ent_brandportal_sdk"


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
