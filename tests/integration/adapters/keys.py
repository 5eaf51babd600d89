"""Helpers for credential tests: certificates, and control of the vault and of Entra ID."""

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
    """A self-signed certificate: public PEM, and with its key in both formats of Key Vault."""

    public: str
    pem: str
    pfx: str


def certificate(*, days: int = 30, elliptic: bool = False, locked: bool = False) -> Certificate:
    """Create a certificate that is valid for `days` more days, or has expired if negative.

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
    """Control of the vault and of the app's registration, with a clock that tests move."""

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
        """Add a version of this test's secret and return its id."""
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
        """The paths requested from the vault since the last call."""
        found = await self._send(self._vault, "GET", "/_sim/requests")
        return [path for path in found["paths"] if self.name in path]

    async def register(self, **credentials: list[str]) -> None:
        """Replace the `secrets` or `certificates` that Entra ID accepts from the app."""
        await self._send(self._entra, "POST", "/_sim/credentials", credentials)

    async def consent(self, *roles: str) -> str:
        """Create a tenant that has granted the app these permissions, or all."""
        tenant = str(uuid4())
        await self.grant(tenant, *roles)
        return tenant

    async def grant(self, tenant: str, *roles: str) -> None:
        body = {"tenant": tenant, **({"roles": roles} if roles else {})}
        await self._send(self._entra, "POST", "/_sim/consent", body)

    async def refuse(self, tenant: str, code: int) -> None:
        """Let Entra ID refuse the app in a tenant with this AADSTS code, whatever its consent."""
        body = {"tenant": tenant, "refusal": code}
        await self._send(self._entra, "POST", "/_sim/consent", body)

    async def withdraw(self, tenant: str) -> None:
        body = {"tenant": tenant, "granted": False}
        await self._send(self._entra, "POST", "/_sim/consent", body)

    async def traffic(self) -> dict[str, int]:
        """The numbers of token requests and of connections since the start."""
        return await self._send(self._entra, "GET", "/_sim/requests")

    async def token(self, tenant: str, **form: str) -> httpx.Response:
        """Request a token from Entra ID without the SDK."""
        return await self._entra.post(f"/{tenant}/oauth2/v2.0/token", data=form)

    async def raw(self, path: str, **headers: str) -> httpx.Response:
        """Request a path from the vault without the SDK."""
        return await self._vault.get(path, headers=headers)

    async def reset(self) -> None:
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
        """The app's credentials, for one of the four settings of APP_CREDENTIAL."""
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
    """Open control over HTTP; everything is reset afterwards."""
    trusted = ssl.create_default_context(cafile=cloud.environment["SSL_CERT_FILE"])
    async with (
        httpx.AsyncClient(base_url=cloud.environment["KEY_VAULT_URI"], verify=trusted) as vault,
        httpx.AsyncClient(base_url=cloud.addresses["entra"]) as entra,
    ):
        made = Keeper(cloud, vault, entra)
        try:
            yield made
        finally:
            await made.reset()
