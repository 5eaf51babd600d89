"""The app's own tokens for Microsoft Graph, one tenant each, by azure-identity.

In Azure the app has no secret: its managed identity is a federated credential of the multi-tenant
app registration (docs: workload identity federation, managed identity as federated credential).
azure-identity caches the tokens (they live 60 to 90 minutes) and renews them in time.
"""

import base64
import json
from collections import OrderedDict
from types import TracebackType
from typing import Any, Final, Protocol, Self

from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.identity.aio import (
    ClientAssertionCredential,
    ClientSecretCredential,
    ManagedIdentityCredential,
)

from shared.domain.errors import Defect, NeedsAdmin, Unavailable
from shared.domain.reasons import Reason
from shared.settings import Settings

GRAPH_SCOPE: Final = "https://graph.microsoft.com/.default"
_EXCHANGE_SCOPE: Final = "api://AzureADTokenExchange/.default"
_TENANTS_KEPT: Final = 2_000
_NO_CONSENT: Final = ("AADSTS700016", "AADSTS7000229", "AADSTS7000112", "AADSTS500011")


class _Closable(AsyncTokenCredential, Protocol):
    async def close(self) -> None: ...


class AppCredentials:
    """Credentials of the app in each tenant that consented."""

    def __init__(self, settings: Settings) -> None:
        """Choose the kind of credential by the settings; nothing is asked yet."""
        self._settings = settings
        self._tenants: OrderedDict[str, _Closable] = OrderedDict()
        self._identity: ManagedIdentityCredential | None = None

    def of(self, tenant: str) -> AsyncTokenCredential:
        """The credential for a tenant, made once and kept while it is in use."""
        found = self._tenants.get(tenant)
        if found is None:
            found = self._tenants[tenant] = self._make(tenant)
            if len(self._tenants) > _TENANTS_KEPT:
                self._tenants.popitem(last=False)
        self._tenants.move_to_end(tenant)
        return found

    async def prove(self, tenant: str) -> frozenset[str]:
        """Prove that a tenant consented: answers the application permissions of its token for us.

        Raises `NeedsAdmin` (consent missing), `Unavailable`, or `Defect` if our own credential
        is at fault.
        """
        token = await acquire(self.of(tenant))
        roles = frozenset(_roles(token.token))
        if not roles:
            raise NeedsAdmin(Reason.CONSENT_MISSING, f"The app has no permission in {tenant}.")
        return roles

    async def forget(self, tenant: str) -> None:
        """Drop a tenant's kept tokens, so that the next proof asks Entra ID anew."""
        credential = self._tenants.pop(tenant, None)
        if credential is not None:
            await credential.close()

    async def close(self) -> None:
        """Close what was opened."""
        for credential in self._tenants.values():
            await credential.close()
        self._tenants.clear()
        if self._identity is not None:
            await self._identity.close()
            self._identity = None

    def _make(self, tenant: str) -> _Closable:
        settings = self._settings
        if settings.credential == "client-secret" and settings.client_secret is not None:
            return ClientSecretCredential(
                tenant,
                settings.client_id,
                settings.client_secret,
                authority=settings.entra_authority,
            )
        if self._identity is None:
            self._identity = ManagedIdentityCredential(
                client_id=settings.managed_identity_client_id
            )
        return _FederatedCredential(settings, tenant, self._identity)


class _FederatedCredential:
    """The app in one tenant, vouched for by the managed identity.

    azure-identity calls for the assertion with a function that is not async (graph-facts.md,
    measured), so it is fetched first and handed over from an attribute.
    """

    def __init__(
        self, settings: Settings, tenant: str, identity: ManagedIdentityCredential
    ) -> None:
        self._identity = identity
        self._assertion = ""
        self._inner = ClientAssertionCredential(
            tenant,
            settings.client_id,
            lambda: self._assertion,
            authority=settings.entra_authority,
        )

    async def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **kwargs: Any,
    ) -> AccessToken:
        self._assertion = (await self._identity.get_token(_EXCHANGE_SCOPE)).token
        return await self._inner.get_token(
            *scopes, claims=claims, tenant_id=tenant_id, enable_cae=enable_cae, **kwargs
        )

    async def close(self) -> None:
        await self._inner.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()


async def acquire(credential: AsyncTokenCredential) -> AccessToken:
    """Get a Graph token, with Entra's refusals in our own terms.

    Branches on the OAuth error first and on AADSTS codes only to tell consent that is gone from
    a fault of our own (docs: reference-error-codes says that codes may change).
    """
    try:
        return await credential.get_token(GRAPH_SCOPE)
    except ClientAuthenticationError as error:
        raise refused(error) from error
    except AzureError as error:
        message = "Entra ID does not answer."
        raise Unavailable(message, 10.0) from error


def refused(error: ClientAuthenticationError) -> NeedsAdmin | Defect | Unavailable:
    """What Entra's refusal to give a token means; the message holds codes, never a token."""
    text = str(error.message)
    status = getattr(error.response, "status_code", None)
    if isinstance(status, int) and (status == 429 or status >= 500):
        return Unavailable("Entra ID is not available for the moment.", 30.0)
    codes = " ".join(word.strip(":,.") for word in text.split() if word.startswith("AADSTS"))
    if "(unauthorized_client)" in text or any(code in text for code in _NO_CONSENT):
        return NeedsAdmin(Reason.CONSENT_MISSING, f"Entra ID refused the app: {codes}.")
    return Defect(f"Entra ID refused the app's own credential: {codes or 'no code'}.")


def _roles(token: str) -> list[str]:
    """The application permissions in an access token, which Graph itself will check."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return []
    return list(claims.get("roles") or ())
