"""The gateway before the app: which calls came through it.

API Management gets a token of its own managed identity for our application, and sends it with each
call; so neither side keeps a secret. Docs: authentication-managed-identity-policy; access-tokens.
"""

import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import Final

from shared.adapters.entra.access_tokens import AccessTokens
from shared.domain.errors import GatewayOnly, Unauthenticated

_REMEMBERED: Final = 64
"""How many tokens are remembered: each instance of the gateway has one, renewed before its end."""


@dataclass(frozen=True, slots=True)
class Passport:
    """Whose token is taken: the gateway's identity, by object id, in our own tenant."""

    tenant: str
    principal: str


class Gateway:
    """Tells whether a call came through the gateway; anything may call if there is none."""

    def __init__(self, tokens: AccessTokens, passport: Passport | None, published: str) -> None:
        """Take only tokens that fit the `passport`; the app is `published` at an origin."""
        self._tokens = tokens
        self._passport = passport
        self._published = published
        self._until: dict[bytes, float] = {}

    @property
    def guards(self) -> bool:
        """Whether there is a gateway, through which every call has to come."""
        return self._passport is not None

    async def require(self, token: str) -> None:
        """Raise `GatewayOnly` unless the gateway sent this token, `Unavailable` if nobody can tell.

        A token that was found good is good until it expires, without being looked at again.
        """
        if self._passport is None:
            return
        key, now = hashlib.sha256(token.encode()).digest(), time.time()
        if self._until.get(key, 0.0) > now:
            return
        try:
            seen = await self._tokens.identity(token)
        except Unauthenticated as error:
            raise self._refusal() from error
        wanted = f"{self._passport.tenant} {self._passport.principal}"
        if not hmac.compare_digest(f"{seen.tenant} {seen.oid}".encode(), wanted.encode()):
            raise self._refusal()
        self._until = {k: until for k, until in self._until.items() if until > now}
        if len(self._until) < _REMEMBERED:
            self._until[key] = seen.expires

    def _refusal(self) -> GatewayOnly:
        return GatewayOnly(
            "gateway_only", api=f"{self._published}/api", portal=str(self._published)
        )
