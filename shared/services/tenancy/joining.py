"""Signing in and joining: an admin signs in, grants consent, and the consent is proved.

A consent is bound to the admin who asked for it by a random state that only this browser keeps,
sealed. What the redirects say is never taken for proof (docs: v2-admin-consent): neither the tenant
they name, nor that they say the admin consented.
"""

import asyncio
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from shared.adapters.entra.access_tokens import AccessTokens, Caller
from shared.adapters.entra.sign_in import Begun, SignIn, SignInFailed
from shared.adapters.storage.records import Stored
from shared.domain.error_codes import Code
from shared.domain.errors import Forbidden
from shared.domain.tenancy.tenants import Tenant
from shared.services.tenancy.tenants import ConsentMissing, Tenants

SIGNED_IN: Final = "/signed-in"
CONSENTED: Final = "/consented"
"""Below the portal's origin: the redirect URIs that the app's registration names."""

_TRIES: Final = 5
_BETWEEN_TRIES: Final = 2.0
_REFUSALS: Final[Mapping[str, Code]] = {
    "access_denied": "consent_declined",
    "consent_required": "consent_needs_admin",
    "interaction_required": "sign_in_again",
}


class ConsentRefused(SignInFailed):
    """The admin, or Entra ID, did not grant the consent."""

    kind = "consent-refused"


@dataclass(frozen=True, slots=True)
class Joining:
    """Leads an admin from the sign-in to a tenant that is connected.

    `origin` is the portal's own, such as https://contacts.example; no header tells it.
    """

    sign_in: SignIn
    tokens: AccessTokens
    tenants: Tenants
    authority: str
    client_id: str
    origin: str

    async def begin(self) -> Begun:
        """Begin to sign in."""
        return await self.sign_in.begin(self._own(SIGNED_IN))

    async def signed_in(self, flow: dict[str, Any] | None, answer: Mapping[str, str]) -> Caller:
        """Who has signed in, by the answer to the flow that was begun in this browser.

        Raises `SignInFailed`, also for an answer that belongs to another browser's sign-in.
        """
        if flow is None:
            raise SignInFailed("sign_in_expired")
        id_token, nonce = await self.sign_in.finish(flow, answer)
        return await self.tokens.signed_in(id_token, nonce)

    def signed_out(self, to: str) -> str:
        """Where the browser ends the session at Entra ID too, and comes back from.

        Docs: v2-protocols-oidc, send a sign-out request.
        """
        query = urlencode({"post_logout_redirect_uri": self._own(to)})
        return f"{self._authority}/organizations/oauth2/v2.0/logout?{query}"

    def ask_consent(self, caller: Caller) -> Begun:
        """Where the admin who is signed in grants the consent of the own tenant.

        Who of the admins may grant it is Entra's to judge.
        """
        state = secrets.token_urlsafe(24)
        query = {
            "client_id": self.client_id,
            "scope": "https://graph.microsoft.com/.default",
            "redirect_uri": self._own(CONSENTED),
            "state": state,
        }
        url = f"{self._authority}/{caller.tenant}/v2.0/adminconsent?{urlencode(query)}"
        return Begun(url, {"state": state, "tenant": caller.tenant, "oid": caller.oid})

    async def consented(
        self, kept: Mapping[str, Any] | None, caller: Caller, answer: Mapping[str, str]
    ) -> Stored[Tenant]:
        """Prove the consent that this admin has come back from granting, and connect the tenant.

        Errors are looked for first, as they come with admin_consent=True too. Raises
        `ConsentRefused`, `SignInFailed` for what this admin did not begin, `ConsentMissing`.
        """
        if "error" in answer:
            raise ConsentRefused(_REFUSALS.get(answer["error"], "consent_refused"))
        if kept is None:
            raise SignInFailed("consent_expired")
        if not hmac.compare_digest(answer.get("state", "").encode(), kept["state"].encode()):
            raise SignInFailed("consent_not_ours")
        if (kept["tenant"], kept["oid"]) != (caller.tenant, caller.oid):
            raise Forbidden("consent_account_changed")
        for _ in range(1, _TRIES):
            try:
                return await self.tenants.consented(caller)
            except ConsentMissing:
                # What was granted just now may take a moment to be known everywhere.
                await asyncio.sleep(_BETWEEN_TRIES)
        return await self.tenants.consented(caller)

    @property
    def _authority(self) -> str:
        return self.authority.rstrip("/")

    def _own(self, path: str) -> str:
        return f"{self.origin.rstrip('/')}{path}"
