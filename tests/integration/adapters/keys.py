"""What the tests of credentials share: certificates, the vault's and Entra's control, the app's."""

import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
from azure.identity.aio import ManagedIdentityCredential
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from shared.adapters.entra.credentials import AppCredentials
from shared.adapters.vault import Vault
from shared.wiring.settings import Settings
from tests.local.cloud import LocalCloud


@dataclass(frozen=True, slots=True)
class Certificate:
    """A self-signed certificate: public PEM, and with its key as Key Vault keeps either kind."""

    public: str
    pem: str
    pfx: str


def certificate(*, days: int = 30, elliptic: bool = False, locked: bool = False) -> Certificate:
    """Make a certificate that is valid for so many days from now on; negative: no longer.

    Its key is an RSA key unless `elliptic`, and without a password unless `locked`.
    """
    key = (
        ec.generate_private_key(ec.SECP256R1())
        if elliptic
        else rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "contact-sync")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=90))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    public = made.public_bytes(Encoding.PEM).decode()
    sealed = BestAvailableEncryption(b"a password") if locked else NoEncryption()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed).decode()
    pfx = pkcs12.serialize_key_and_certificates(None, key, made, None, sealed)
    return Certificate(public, private + public, base64.b64encode(pfx).decode())


class Keeper:
    """The control of the vault and of the app's registration; its clock is moved by tests."""

    def __init__(
        self, cloud: LocalCloud, vault: httpx.AsyncClient, entra: httpx.AsyncClient
    ) -> None:
        self.environment = cloud.environment
        self.uri = cloud.environment["KEY_VAULT_URI"]
        self.client_secret = cloud.addresses["clientSecret"]
        self.name = f"app-{uuid4().hex[:12]}"
        self.later = timedelta()
        self._vault = vault
        self._entra = entra

    def now(self) -> datetime:
        return datetime.now(UTC) + self.later

    async def put(self, value: str, **more: Any) -> str:
        """Add a version of the secret of this test; answers its id."""
        body = {"name": self.name, "value": value, **more}
        return str((await self._send(self._vault, "POST", "/_sim/secrets", body))["version"])

    async def enable(self, version: str, *, enabled: bool) -> None:
        path = f"/_sim/secrets/{self.name}/{version}"
        await self._send(self._vault, "PATCH", path, {"enabled": enabled})

    async def allow(self, *, granted: bool) -> None:
        await self._send(self._vault, "POST", "/_sim/access", {"granted": granted})

    async def fail(self, status: int | None, times: int = 1000, **more: Any) -> None:
        body = {"status": status, "times": times, **more}
        await self._send(self._vault, "POST", "/_sim/faults", body)

    async def asked(self) -> list[str]:
        """The paths that the vault was asked for since the last time."""
        found = await self._send(self._vault, "GET", "/_sim/requests")
        return [path for path in found["paths"] if self.name in path]

    async def register(self, **credentials: list[str]) -> None:
        """Replace the `secrets` or `certificates` that Entra ID takes from the app."""
        await self._send(self._entra, "POST", "/_sim/credentials", credentials)

    async def consent(self, *roles: str) -> str:
        """A new tenant that has granted the app these permissions, or all."""
        tenant = str(uuid4())
        await self.grant(tenant, *roles)
        return tenant

    async def grant(self, tenant: str, *roles: str) -> None:
        body = {"tenant": tenant, **({"roles": roles} if roles else {})}
        await self._send(self._entra, "POST", "/_sim/consent", body)

    async def withdraw(self, tenant: str) -> None:
        body = {"tenant": tenant, "granted": False}
        await self._send(self._entra, "POST", "/_sim/consent", body)

    async def traffic(self) -> dict[str, int]:
        """Token requests for tenants, and connections they came by, since the start."""
        return await self._send(self._entra, "GET", "/_sim/requests")

    async def token(self, tenant: str, **form: str) -> httpx.Response:
        """Ask Entra ID for a token as a client without the SDK does."""
        return await self._entra.post(f"/{tenant}/oauth2/v2.0/token", data=form)

    async def raw(self, path: str, **headers: str) -> httpx.Response:
        """Ask the vault as a client without the SDK does."""
        return await self._vault.get(path, headers=headers)

    async def as_new(self) -> None:
        await self.allow(granted=True)
        await self.fail(None, 0)
        await self.register(secrets=[self.client_secret], certificates=[])

    async def _send(
        self, http: httpx.AsyncClient, method: str, path: str, body: Any = None
    ) -> dict[str, Any]:
        answer = await http.request(method, path, json=body)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    @asynccontextmanager
    async def vault(self) -> AsyncIterator[Vault]:
        """Our adapter, as the managed identity."""
        client_id = self.environment["MANAGED_IDENTITY_CLIENT_ID"]
        async with ManagedIdentityCredential(client_id=client_id) as identity:
            vault = Vault(self.uri, identity, self.now)
            try:
                yield vault
            finally:
                await vault.close()

    @asynccontextmanager
    async def credentials(self, choice: str) -> AsyncIterator[AppCredentials]:
        """The app's credentials by one of the four choices."""
        more = {"APP_CREDENTIAL": choice, "APP_KEY_VAULT_SECRET": self.name}
        settings = Settings.from_environment({**self.environment, **more})
        client_id = settings.managed_identity_client_id
        async with ManagedIdentityCredential(client_id=client_id) as identity, self.vault() as kept:
            credentials = AppCredentials(settings.app_credential, identity, kept)
            try:
                yield credentials
            finally:
                await credentials.close()


@asynccontextmanager
async def keeper(cloud: LocalCloud) -> AsyncIterator[Keeper]:
    """Control over HTTP; all is as new afterwards."""
    trusted = ssl.create_default_context(cafile=cloud.environment["SSL_CERT_FILE"])
    async with (
        httpx.AsyncClient(base_url=cloud.environment["KEY_VAULT_URI"], verify=trusted) as vault,
        httpx.AsyncClient(base_url=cloud.addresses["entra"]) as entra,
    ):
        made = Keeper(cloud, vault, entra)
        try:
            yield made
        finally:
            await made.as_new()
