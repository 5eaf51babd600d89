"""Checks that calls came through the gateway.

API Management sends a token of its managed identity for our application with each call, so that
neither side stores a secret. Docs: authentication-managed-identity-policy; access-tokens.
"""

import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import Final

from shared.adapters.entra.access_tokens import AccessTokens
from shared.domain.errors import GatewayOnly, Unauthenticated

_REMEMBERED: Final = 64
"""How many tokens are cached: each instance of the gateway has one and renews it in time."""


@dataclass(frozen=True, slots=True)
class GatewayIdentity:
    """The gateway's managed identity in our own tenant, by object id."""

    tenant: str
    principal: str


class Gateway:
    """Checks that a call came through the gateway; without a gateway, every call is accepted.

    `published` is the app's public origin.
    """

    def __init__(
        self, tokens: AccessTokens, identity: GatewayIdentity | None, published: str
    ) -> None:
        self._tokens = tokens
        self._identity = identity
        self._published = published
        self._until: dict[bytes, float] = {}

    @property
    def guards(self) -> bool:
        """Whether there is a gateway, so that every call must come through it."""
        return self._identity is not None

    async def require(self, token: str) -> None:
        """Check that the gateway sent this token; raises `GatewayOnly` or `Unavailable`.

        A token is validated once and accepted until it expires.
        """
        if self._identity is None:
            return
        key, now = hashlib.sha256(token.encode()).digest(), time.time()
        if self._until.get(key, 0.0) > now:
            return
        try:
            seen = await self._tokens.identity(token)
        except Unauthenticated as error:
            raise self._refusal() from error
        wanted = f"{self._identity.tenant} {self._identity.principal}"
        if not hmac.compare_digest(f"{seen.tenant} {seen.oid}".encode(), wanted.encode()):
            raise self._refusal()
        self._until = {k: until for k, until in self._until.items() if until > now}
        if len(self._until) < _REMEMBERED:
            self._until[key] = seen.expires

    def _refusal(self) -> GatewayOnly:
        return GatewayOnly(
            "gateway_only", api=f"{self._published}/api", portal=str(self._published)
        )
