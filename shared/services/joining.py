"""Joining: an admin signs in, grants consent, and the consent is proved.

Consent is bound to the admin who signed in by a random state that only this browser keeps, sealed.
What the redirects say is never taken for proof (docs: v2-admin-consent): neither the tenant they
name, nor that they say the admin consented.
"""

import asyncio
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

from shared.adapters.identity import AccessTokens, Caller
from shared.adapters.records import Stored
from shared.adapters.sealing import Seal
from shared.adapters.sign_in import SignIn, SignInFailed
from shared.domain.models import Tenant
from shared.services.tenants import ConsentMissing, Tenants

SIGN_IN: Final = "sign-in"
CONSENT: Final = "consent"
_LASTS: Final = timedelta(minutes=15)
_TRIES: Final = 5
_BETWEEN_TRIES: Final = 2.0
_REFUSALS: Final = {
    "access_denied": "The consent was declined. Nothing was granted.",
    "consent_required": "Only a Global or Privileged Role Administrator can grant the consent.",
    "interaction_required": "Entra ID wants you to sign in anew.",
}


class ConsentRefused(SignInFailed):
    """The admin, or Entra ID, did not grant the consent."""

    title = "The consent was not granted"
    kind = "consent-refused"


@dataclass(frozen=True, slots=True)
class Step:
    """Where the browser goes next, and what it keeps, sealed, until it is back."""

    url: str
    sealed: str


class Joining:
    """Leads an admin from the first page to a tenant that is connected."""

    def __init__(
        self,
        sign_in: SignIn,
        tokens: AccessTokens,
        tenants: Tenants,
        seal: Seal,
        authority: str,
        client_id: str,
        origin: str,
    ) -> None:
        """`origin` is the portal's own, such as https://contacts.example; no header tells it."""
        self._sign_in = sign_in
        self._tokens = tokens
        self._tenants = tenants
        self._seal = seal
        self._authority = authority.rstrip("/")
        self._client_id = client_id
        self._origin = origin.rstrip("/")

    async def begin(self) -> Step:
        """Begin to sign in."""
        begun = await self._sign_in.begin(f"{self._origin}/join/signed-in")
        return Step(begun.url, await self._seal.close(SIGN_IN, begun.flow))

    async def signed_in(self, sealed: str, answer: Mapping[str, str]) -> tuple[Caller, str]:
        """Who has signed in, and what the browser keeps for the consent.

        Raises `SignInFailed`, also for an answer that belongs to another browser's sign-in.
        """
        flow = await self._open(SIGN_IN, sealed)
        id_token, nonce = await self._sign_in.finish(flow, answer)
        caller = await self._tokens.signed_in(id_token, nonce)
        kept = {
            "tenant": caller.tenant,
            "oid": caller.oid,
            "name": caller.name,
            "state": secrets.token_urlsafe(24),
        }
        return caller, await self._seal.close(CONSENT, kept)

    async def consent_url(self, sealed: str) -> str:
        """Where the admin who signed in grants the consent of the own tenant."""
        kept = await self._open(CONSENT, sealed)
        query = {
            "client_id": self._client_id,
            "scope": "https://graph.microsoft.com/.default",
            "redirect_uri": f"{self._origin}/join/consented",
            "state": kept["state"],
        }
        return f"{self._authority}/{kept['tenant']}/v2.0/adminconsent?{urlencode(query)}"

    async def consented(
        self, sealed: str, answer: Mapping[str, str], network: str
    ) -> Stored[Tenant]:
        """Prove the consent of the tenant whose admin signed in here, and connect it.

        Errors are looked for first, as they come with admin_consent=True too. Raises
        `ConsentRefused`, `SignInFailed` for a state that is not this browser's, `ConsentMissing`.
        """
        if "error" in answer:
            words = _REFUSALS.get(answer["error"], "Entra ID did not grant the consent.")
            raise ConsentRefused(words)
        kept = await self._open(CONSENT, sealed)
        if not hmac.compare_digest(answer.get("state", "").encode(), kept["state"].encode()):
            raise SignInFailed("The consent is not the one that was begun in this browser.")
        caller = Caller(
            tenant=kept["tenant"],
            oid=kept["oid"],
            name=kept["name"],
            roles=frozenset(),
            origin="portal",
            network=network,
        )
        for _ in range(1, _TRIES):
            try:
                return await self._tenants.consented(caller)
            except ConsentMissing:
                # What was granted just now may take a moment to be known everywhere.
                await asyncio.sleep(_BETWEEN_TRIES)
        return await self._tenants.consented(caller)

    async def _open(self, purpose: str, sealed: str) -> dict[str, Any]:
        found = await self._seal.open(purpose, sealed, _LASTS)
        if found is None:
            raise SignInFailed("The sign-in was begun in another browser, or too long ago.")
        return found
