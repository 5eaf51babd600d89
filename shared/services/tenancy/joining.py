"""Signing in and joining: an admin signs in, grants consent, and the consent is verified.

A random state, which only the admin's browser stores (sealed), binds a consent to the admin who
asked for it. Nothing in the redirects counts as proof (docs: v2-admin-consent), neither the tenant
that they name nor their statement that the admin consented.
"""

import asyncio
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from shared.adapters.entra.access_tokens import AccessTokens, Caller, SignedIn
from shared.adapters.entra.sign_in import Begun, Prompt, SignIn, SignInFailed
from shared.adapters.storage.records import Stored
from shared.domain.error_codes import Code
from shared.domain.errors import Forbidden, TransientError
from shared.domain.tenancy.tenants import Tenant
from shared.services.tenancy.tenants import ConsentMissing, ConsentPending, Tenants

SIGNED_IN: Final = "/signed-in"
CONSENTED: Final = "/consented"
"""The redirect URIs in the app registration, as paths below the portal's origin."""

_REMEMBERED: Final = 10_000
_TRIES: Final = 3
_BETWEEN_TRIES: Final = 1.0
_REFUSALS: Final[Mapping[str, Code]] = {
    "access_denied": "consent_declined",
    "consent_required": "consent_needs_admin",
    "interaction_required": "sign_in_interrupted",
}


class ConsentRefused(SignInFailed):
    """The admin, or Entra ID, did not grant the consent."""

    kind = "consent-refused"


class UsedStates:
    """The states of sign-ins that were completed lately, in bounded memory.

    Where an instance has forgotten one, or another instance gets it, Entra ID refuses it: it takes
    each code once.
    """

    def __init__(self) -> None:
        self._states: dict[str, None] = {}

    def take(self, state: str) -> bool:
        """Return whether a state is used for the first time; from now on, it is used."""
        if state in self._states:
            return False
        if len(self._states) >= _REMEMBERED:
            self._states.pop(next(iter(self._states)))
        self._states[state] = None
        return True

    def give_back(self, state: str) -> None:
        """Let a state be used again."""
        self._states.pop(state, None)


@dataclass(frozen=True, slots=True)
class Joining:
    """Takes an admin from signing in to a connected tenant.

    `origin` is the portal's own origin, such as https://contacts.example. It is never read from a
    header. `who` is the tenant whose people may sign in, or `organizations`.
    """

    sign_in: SignIn
    tokens: AccessTokens
    tenants: Tenants
    authority: str
    client_id: str
    origin: str
    who: str = "organizations"
    used: UsedStates = field(default_factory=UsedStates)

    async def begin(self, prompt: Prompt | None = None, hint: str = "") -> Begun:
        """Start a sign-in; see `SignIn.begin`."""
        return await self.sign_in.begin(self._url(SIGNED_IN), prompt, hint)

    async def signed_in(self, flow: dict[str, Any] | None, answer: Mapping[str, str]) -> SignedIn:
        """Complete the sign-in that this browser started, and return who signed in.

        Raises `SignInFailed`, also if the answer belongs to the sign-in of another browser, or was
        used before. Both are known before Entra ID is asked.
        """
        if flow is None:
            raise SignInFailed("sign_in_expired")
        state = str(flow["state"])
        if not hmac.compare_digest(answer.get("state", "").encode(), state.encode()):
            raise SignInFailed("sign_in_not_ours")
        if not self.used.take(state):
            raise SignInFailed("sign_in_expired")
        try:
            id_token, nonce = await self.sign_in.finish(flow, answer)
            return await self.tokens.signed_in(id_token, nonce)
        except TransientError:
            self.used.give_back(state)  # Entra ID has not taken the code yet
            raise

    def signed_out(self, to: str) -> str:
        """Return the URL that also ends the session at Entra ID and then redirects to `to`.

        Docs: v2-protocols-oidc, send a sign-out request.
        """
        query = urlencode({"post_logout_redirect_uri": self._url(to)})
        return f"{self._authority}/{self.who}/oauth2/v2.0/logout?{query}"

    def ask_consent(self, caller: Caller) -> Begun:
        """Return the URL where the signed-in admin grants consent for their tenant.

        Entra ID decides which admins may grant it.
        """
        state = secrets.token_urlsafe(24)
        query = {
            "client_id": self.client_id,
            "scope": "https://graph.microsoft.com/.default",
            "redirect_uri": self._url(CONSENTED),
            "state": state,
        }
        url = f"{self._authority}/{caller.tenant}/v2.0/adminconsent?{urlencode(query)}"
        return Begun(url, {"state": state, "tenant": caller.tenant, "oid": caller.oid})

    async def finish_consent(
        self, kept: Mapping[str, Any] | None, caller: Caller, answer: Mapping[str, str]
    ) -> Stored[Tenant]:
        """Verify the consent that this admin has just granted, and connect the tenant.

        Errors are checked first, because they can arrive together with admin_consent=True. Raises
        `ConsentRefused`, `ConsentPending` if the consent is not active yet, `ConsentMissing` if
        only some permissions are, and `SignInFailed` if this admin did not start the request.
        Opening the same address again checks again.
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
                return await self.tenants.verify_consent(caller)
            except ConsentMissing:
                # A new consent may take a moment to reach every server of Entra ID.
                await asyncio.sleep(_BETWEEN_TRIES)
        try:
            return await self.tenants.verify_consent(caller)
        except ConsentMissing as error:
            if error.code == "permissions_missing":
                raise
            raise ConsentPending("consent_pending") from error

    @property
    def _authority(self) -> str:
        return self.authority.rstrip("/")

    def _url(self, path: str) -> str:
        return f"{self.origin.rstrip('/')}{path}"
