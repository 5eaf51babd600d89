"""The app's own tokens for Microsoft Graph, one tenant each, by azure-identity.

In Azure the app has no secret: its managed identity is a federated credential of the multi-tenant
app registration (docs: workload identity federation, managed identity as federated credential).
Where that cannot be, a certificate or a secret is read from Key Vault, and read anew when Entra ID
no longer takes it. azure-identity caches the tokens (they live 60 to 90 minutes) and renews them in
time; all tenants share one HTTP session.
"""

import asyncio
import base64
import json
from collections import OrderedDict
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
_NO_CONSENT: Final = ("AADSTS700016", "AADSTS7000229", "AADSTS7000112", "AADSTS500011")

type CredentialKind = Literal[
    "managed-identity", "key-vault-certificate", "key-vault-secret", "client-secret"
]


@dataclass(frozen=True, slots=True)
class AppCredential:
    """How the app proves to Entra ID that it is itself.

    `kind` says by what; a certificate or secret of the vault has the name `vault_name`, `secret`
    is for a simulator on this machine.
    """

    client_id: str
    authority: str
    kind: CredentialKind
    vault_name: str
    secret: str | None = field(default=None, repr=False)


class AppCredentials:
    """Credentials of the app in each tenant that consented."""

    def __init__(
        self,
        own: AppCredential,
        identity: ManagedIdentityCredential | None = None,
        vault: Vault | None = None,
    ) -> None:
        """`identity` vouches for the app, or `vault` holds its certificate or secret.

        Which of them is needed depends on the kind of its `own` credential; the caller closes both.
        """
        self._own = own
        self._identity = identity
        self._vault = vault
        self._tenants: OrderedDict[str, AsyncTokenCredential] = OrderedDict()
        self._transport: AioHttpTransport | None = None
        self._secret: Secret | None = None
        self._certificate: Certificate | None = None
        self._changing = asyncio.Lock()

    def of(self, tenant: str) -> AsyncTokenCredential:
        """The app's credential in a tenant; it stays good, whatever is renewed or forgotten."""
        return _TenantCredential(self, tenant)

    async def prove(self, tenant: str) -> frozenset[str]:
        """Prove that a tenant consented: the application permissions its token for us carries.

        Raises `NeedsAdmin` (consent missing: no token, or one without a permission),
        `Unavailable`, or `Defect` if our own credential is at fault. Permissions that were granted
        since the cached token was issued are seen only after `forget`.
        """
        token = await acquire(self.of(tenant))
        roles = _roles(token.token)
        if not roles:
            raise NeedsAdmin(Reason.CONSENT_MISSING, f"The app has no permission in {tenant}.")
        return roles

    def forget(self, tenant: str) -> None:
        """Drop a tenant's tokens, so that Entra ID is asked anew for the next one."""
        self._tenants.pop(tenant, None)

    async def token(self, tenant: str, *scopes: str, **options: Any) -> AccessToken:
        """Get a token in a tenant, with azure-identity's options and errors.

        When Entra ID refuses a certificate or secret, the vault is read anew, and if it holds
        another one now, that one is tried. Raises what `Vault.current` raises, too.
        """
        used = await self._current()
        try:
            return await self._in(tenant).get_token(*scopes, **options)
        except ClientAuthenticationError as error:
            if "(invalid_client)" not in str(error.message) or await self._current(used) == used:
                raise
        return await self._in(tenant).get_token(*scopes, **options)

    async def for_sign_in(self, token_endpoint: str) -> str | dict[str, str]:
        """The app's credential as msal takes it, to redeem a code at this endpoint once.

        Raises `Defect` if the settings lack what they chose, and what `Vault.current` raises.
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
        """See that the vault, if it keeps the app's credential, answers with it now."""
        if self._vault is not None and self._own.kind.startswith("key-vault-"):
            await self._vault.current(self._own.vault_name, anew=True)

    async def close(self) -> None:
        """Close what was opened."""
        self._tenants.clear()
        if self._transport is not None:
            await self._transport.close()
            self._transport = None

    async def _current(self, refused: Secret | None = None) -> Secret | None:
        """What the vault keeps for the app, if it is to; read anew where `refused` is of no use.

        When it is another one than before, all tenants' credentials are made anew with it.
        """
        if not self._own.kind.startswith("key-vault-"):
            return None
        if self._vault is None:
            message = f"APP_CREDENTIAL={self._own.kind} needs KEY_VAULT_URI."
            raise Defect(message)
        name = self._own.vault_name
        found = await self._vault.current(name, anew=refused is not None)
        if found == self._secret:
            return found
        async with self._changing:
            # Somebody may have read a newer one, or taken this one up, while we waited.
            found = await self._vault.current(name)
            if found != self._secret:
                if self._own.kind == "key-vault-certificate":
                    self._certificate = await _read(found, name)
                self._secret = found
                self._tenants.clear()
        return found

    def _in(self, tenant: str) -> AsyncTokenCredential:
        """The credential in a tenant, made once and kept while it is in use.

        None is ever closed: all they hold is tokens, as the session is not theirs.
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
        # Waiting for a busy Entra ID is left to the queue: no worker sleeps for it.
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
        return Defect(f"APP_CREDENTIAL={self._own.kind} was chosen without what it needs.")


class _Handle:
    """What a credential is besides its tokens: it can be entered and closed, to no effect."""

    async def close(self) -> None:
        """Do nothing: connections and tokens belong to `AppCredentials`."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()


class _TenantCredential(_Handle):
    """The app in one tenant, for the SDKs; it holds nothing, so it can be kept for ever."""

    def __init__(self, credentials: AppCredentials, tenant: str) -> None:
        self._credentials = credentials
        self._tenant = tenant

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return await self._credentials.token(self._tenant, *scopes, **options)


class _FederatedCredential(_Handle):
    """The app in one tenant, vouched for by the managed identity.

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


def _roles(token: str) -> frozenset[str]:
    """The application permissions in an access token, which Graph itself will check."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return frozenset()
    return frozenset(map(str, claims.get("roles") or ()))


async def _read(secret: Secret, name: str) -> Certificate:
    """Read a certificate beside the event loop; raises `Defect` that names the secret."""
    try:
        return await asyncio.to_thread(Certificate.read, secret.value)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        message = (
            f"What Key Vault keeps as {name} is no certificate with an RSA key: let "
            "APP_KEY_VAULT_SECRET name one."
        )
        raise Defect(message) from error
