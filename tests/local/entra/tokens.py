"""Signing and checking tokens as Entra ID does (docs: access-token-claims-reference)."""

import secrets
import time
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

GRAPH = "https://graph.microsoft.com"
GRAPH_PERMISSIONS = (
    "User.Read.All",
    "GroupMember.Read.All",
    "OrgContact.Read.All",
    "Contacts.ReadWrite",
    "MailboxSettings.ReadWrite",
)
"""The application permissions that the app's registration requests."""

EXCHANGE_AUDIENCE = "api://AzureADTokenExchange"
"""The audience of a federated credential's token (docs: workload-identity-federation)."""

LIFETIME = 3599
_LEEWAY = 5


class Keys:
    """Entra's signing keys: one that is published, and one that is not."""

    def __init__(self) -> None:
        self._own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.kid = secrets.token_urlsafe(20)

    def published(self, issuer: str) -> dict[str, Any]:
        """Return the JSON Web Key Set: the same keys for all tenants, with the tenant's issuer."""
        key = RSAAlgorithm.to_jwk(self._own.public_key(), as_dict=True)
        more = {"kid": self.kid, "x5t": self.kid, "use": "sig", "issuer": issuer}
        return {"keys": [{**key, **more}]}

    def sign(self, claims: Mapping[str, Any], key: str | None = None) -> str:
        """Sign with the published key, an unpublished one ('foreign'), or not at all ('none')."""
        if key == "none":
            return jwt.encode(dict(claims), "", algorithm="none")
        if key == "foreign":
            headers = {"kid": "foreign-key"}
            return jwt.encode(dict(claims), self._foreign, algorithm="RS256", headers=headers)
        headers = {"kid": self.kid, "x5t": self.kid}
        return jwt.encode(dict(claims), self._own, algorithm="RS256", headers=headers)

    def verify(self, token: str, audience: str | None = None) -> dict[str, Any]:
        """Return the claims of a token signed here. Raises `PermissionError` for any other."""
        try:
            return jwt.decode(
                token,
                self._own.public_key(),
                algorithms=["RS256"],
                audience=audience,
                leeway=_LEEWAY,
                options={"verify_aud": audience is not None, "require": ["exp", "tid"]},
            )
        except jwt.PyJWTError as error:
            raise PermissionError(str(error)) from error


def times() -> dict[str, int]:
    """Return the time claims of a token issued now."""
    now = int(time.time())
    return {"iat": now, "nbf": now, "exp": now + LIFETIME}
