"""The app's own tokens for Microsoft Graph, one per tenant, from azure-identity.

In Azure the app has no secret: its managed identity is a federated credential of the multi-tenant
app registration (docs: workload identity federation, managed identity as federated credential).
Where that is not possible, a certificate or secret is read from Key Vault, and again when Entra ID
no longer accepts it. azure-identity caches the tokens (valid for 60 to 90 minutes) and renews them
in time; all tenants share one HTTP session.
"""

import asyncio
import base64
import json
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Final, Literal, Self

from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.pipeline.transport import AioHttpTransport
from azure.identity.aio import (
    ClientAssertionCredential,
    ClientSecretCredential,
    ManagedIdentityCredential,
)
from cryptography.exceptions import UnsupportedAlgorithm

from shared.adapters.entra.certificate import Certificate
from shared.adapters.vault import Secret, Vault
from shared.domain.errors import Defect, NeedsAdmin, Unavailable
from shared.domain.reasons import Reason

GRAPH_SCOPE: Final = "https://graph.microsoft.com/.default"
_EXCHANGE_SCOPE: Final = "api://AzureADTokenExchange/.default"
_TENANTS_KEPT: Final = 2_000
_REFUSALS: Final[Mapping[str, Reason]] = {
    "AADSTS700016": Reason.CONSENT_MISSING,
    "AADSTS7000229": Reason.CONSENT_MISSING,
    "AADSTS7000112": Reason.CONSENT_MISSING,
    "AADSTS500011": Reason.CONSENT_MISSING,
    "AADSTS90002": Reason.TENANT_NOT_FOUND,
    "AADSTS53003": Reason.ACCESS_POLICY_BLOCKS,
    "AADSTS501051": Reason.ASSIGNMENT_REQUIRED,
    "AADSTS500014": Reason.GRAPH_DISABLED,
}
"""What a tenant's admins can do something about (docs: reference-error-codes)."""
_TENANTS_MATTER: Final = ("invalid_grant", "access_denied", "interaction_required")
_CODE: Final = re.compile(r"AADSTS\d+")

type CredentialKind = Literal[
    "managed-identity", "key-vault-certificate", "key-vault-secret", "client-secret"
]


@dataclass(frozen=True, slots=True)
class AppCredential:
    """How the app authenticates to Entra ID.

    `vault_name` is the name of the certificate or secret in the vault, `secret` the client secret
    for a simulator on this machine.
    """

    client_id: str
    authority: str
    kind: CredentialKind
    vault_name: str
    secret: str | None = field(default=None, repr=False)


class AppCredentials:
    """The app's credentials in each tenant that consented.

    Its own credential is backed by `identity` or by `vault`, depending on its kind; the caller
    closes both.
    """

    def __init__(
        self,
        own: AppCredential,
        identity: ManagedIdentityCredential | None = None,
        vault: Vault | None = None,
    ) -> None:
        self._own = own
        self._identity = identity
        self._vault = vault
        self._tenants: OrderedDict[str, AsyncTokenCredential] = OrderedDict()
        self._transport: AioHttpTransport | None = None
        self._secret: Secret | None = None
        self._certificate: Certificate | None = None
        self._changing = asyncio.Lock()

    def of(self, tenant: str) -> AsyncTokenCredential:
        """Return the app's credential in a tenant; it stays usable after renewals and `forget`."""
        return _TenantCredential(self, tenant)

    async def prove(self, tenant: str) -> frozenset[str]:
        """Check that a tenant consented and return the application permissions in its token.

        Raises `NeedsAdmin` (consent missing: no token, or one without permissions), `Unavailable`,
        or `Defect` if our own credential is rejected. Permissions granted after the cached token
        was issued show only after `forget`.
        """
        token = await acquire(self.of(tenant))
        roles = _roles(token.token)
        if not roles:
            raise NeedsAdmin(Reason.CONSENT_MISSING, f"The app has no permission in {tenant}.")
        return roles

    def forget(self, tenant: str) -> None:
        """Drop a tenant's cached tokens, so that the next one is requested from Entra ID."""
        self._tenants.pop(tenant, None)

    async def token(self, tenant: str, *scopes: str, **options: Any) -> AccessToken:
        """Get a token in a tenant, with azure-identity's options and errors.

        If Entra ID rejects a certificate or secret, read the vault again and try the new version,
        if there is one. Also raises what `Vault.current` raises.
        """
        used = await self._current()
        try:
            return await self._in(tenant).get_token(*scopes, **options)
        except ClientAuthenticationError as error:
            if "(invalid_client)" not in str(error.message) or await self._current(used) == used:
                raise
        return await self._in(tenant).get_token(*scopes, **options)

    async def for_sign_in(self, token_endpoint: str) -> str | dict[str, str]:
        """Return the app's credential in msal's form, to redeem one code at this endpoint.

        Raises `Defect` if the chosen credential is not configured, and what `Vault.current` raises.
        """
        await self._current()
        own = self._own
        if own.kind == "managed-identity" and self._identity is not None:
            token = await self._identity.get_token(_EXCHANGE_SCOPE)
            return {"client_assertion": token.token}
        if own.kind == "key-vault-certificate" and self._certificate is not None:
            sign = self._certificate.assertion
            return {"client_assertion": sign(own.client_id, token_endpoint)}
        if own.kind == "key-vault-secret" and self._secret is not None:
            return self._secret.value
        if own.kind == "client-secret" and own.secret is not None:
            return own.secret
        raise self._lacking()

    async def ready(self) -> None:
        """Check that the vault returns the app's credential now, if it holds it."""
        if self._vault is not None and self._own.kind.startswith("key-vault-"):
            await self._vault.current(self._own.vault_name, refresh=True)

    async def close(self) -> None:
        """Close the connections and drop all tokens."""
        self._tenants.clear()
        if self._transport is not None:
            await self._transport.close()
            self._transport = None

    async def _current(self, refused: Secret | None = None) -> Secret | None:
        """Return the app's secret in the vault, if it uses one; read again if one was `refused`.

        If the secret has changed, all tenants' credentials are created again from it.
        """
        if not self._own.kind.startswith("key-vault-"):
            return None
        if self._vault is None:
            message = f"APP_CREDENTIAL={self._own.kind} needs KEY_VAULT_URI."
            raise Defect(message)
        name = self._own.vault_name
        found = await self._vault.current(name, refresh=refused is not None)
        if found == self._secret:
            return found
        async with self._changing:
            # Another task may have read a newer one, or applied this one, while we waited.
            found = await self._vault.current(name)
            if found != self._secret:
                if self._own.kind == "key-vault-certificate":
                    self._certificate = await _read(found, name)
                self._secret = found
                self._tenants.clear()
        return found

    def _in(self, tenant: str) -> AsyncTokenCredential:
        """Return the credential in a tenant, created once and kept while it is in use.

        Credentials are never closed: they hold only tokens, and the session is shared.
        """
        found = self._tenants.get(tenant)
        if found is None:
            found = self._tenants[tenant] = self._make(tenant)
            if len(self._tenants) > _TENANTS_KEPT:
                self._tenants.popitem(last=False)
        self._tenants.move_to_end(tenant)
        return found

    def _make(self, tenant: str) -> AsyncTokenCredential:
        own = self._own
        if self._transport is None:
            self._transport = AioHttpTransport(use_env_settings=False)
        # The queue retries if Entra ID is busy; no worker sleeps for it.
        options: dict[str, Any] = {
            "authority": own.authority,
            "transport": self._transport,
            "retry_total": 2,
            "retry_status": 0,
            "connection_timeout": 10,
            "read_timeout": 30,
        }
        client = own.client_id
        match own.kind:
            case "managed-identity" if self._identity is not None:
                return _FederatedCredential(client, tenant, self._identity, options)
            case "key-vault-certificate" if self._certificate is not None:
                endpoint = f"{own.authority.rstrip('/')}/{tenant}/oauth2/v2.0/token"
                sign = partial(self._certificate.assertion, client, endpoint)
                return ClientAssertionCredential(tenant, client, sign, **options)
            case "key-vault-secret" if self._secret is not None:
                return ClientSecretCredential(tenant, client, self._secret.value, **options)
            case "client-secret" if own.secret is not None:
                return ClientSecretCredential(tenant, client, own.secret, **options)
        raise self._lacking()

    def _lacking(self) -> Defect:
        return Defect(f"APP_CREDENTIAL={self._own.kind} needs settings that are missing.")


class _CredentialBase:
    """The part of azure-identity's protocol besides tokens: entering and closing do nothing."""

    async def close(self) -> None:
        """Do nothing, because `AppCredentials` owns connections and tokens."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()


class _TenantCredential(_CredentialBase):
    """The app in one tenant, for the SDKs; it holds no state, so it can be kept forever."""

    def __init__(self, credentials: AppCredentials, tenant: str) -> None:
        self._credentials = credentials
        self._tenant = tenant

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return await self._credentials.token(self._tenant, *scopes, **options)


class _FederatedCredential(_CredentialBase):
    """The app in one tenant, authenticated by the managed identity.

    azure-identity calls a plain function for the assertion: an async one fails (measured with
    azure-identity 1.27). So the assertion is fetched first and read from an attribute.
    """

    def __init__(
        self,
        client_id: str,
        tenant: str,
        identity: ManagedIdentityCredential,
        options: dict[str, Any],
    ) -> None:
        self._identity = identity
        self._assertion = ""
        self._inner = ClientAssertionCredential(
            tenant, client_id, lambda: self._assertion, **options
        )

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        self._assertion = (await self._identity.get_token(_EXCHANGE_SCOPE)).token
        return await self._inner.get_token(*scopes, **options)


async def acquire(credential: AsyncTokenCredential) -> AccessToken:
    """Get a Graph token; Entra's errors become our own.

    The OAuth error decides; AADSTS codes, which may change (docs: reference-error-codes), only
    tell more exactly what a tenant's admins can do.
    """
    try:
        return await credential.get_token(GRAPH_SCOPE)
    except ClientAuthenticationError as error:
        raise refused(error) from error
    except AzureError as error:
        message = "Entra ID is not responding."
        raise Unavailable(message, 10.0) from error


def refused(error: ClientAuthenticationError) -> NeedsAdmin | Defect | Unavailable:
    """Return our error for a token that Entra refused.

    Its message contains codes, never a token.
    """
    text = str(error.message)
    status = getattr(error.response, "status_code", None)
    if isinstance(status, int) and (status == 429 or status >= 500):
        return Unavailable("Entra ID is temporarily unavailable.", 30.0)
    found = _CODE.findall(text)
    codes = " ".join(dict.fromkeys(found))
    reason = next((_REFUSALS[code] for code in found if code in _REFUSALS), None)
    if reason is None and "(unauthorized_client)" in text:
        reason = Reason.CONSENT_MISSING
    if reason is None and any(f"({error})" in text for error in _TENANTS_MATTER):
        reason = Reason.ENTRA_REFUSED
    if reason is not None:
        return NeedsAdmin(reason, f"Entra ID refused the app: {codes}.")
    return Defect(f"Entra ID refused the app's own credential: {codes or 'no code'}.")


def _roles(token: str) -> frozenset[str]:
    """Return the application permissions in an access token, which Graph itself validates."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return frozenset()
    return frozenset(map(str, claims.get("roles") or ()))


async def _read(secret: Secret, name: str) -> Certificate:
    """Parse a certificate in a thread; raises `Defect` with the name of the secret."""
    try:
        return await asyncio.to_thread(Certificate.read, secret.value)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        message = (
            f"The Key Vault secret {name} is not a certificate with an RSA key. "
            "Set APP_KEY_VAULT_SECRET to the name of one."
        )
        raise Defect(message) from error
