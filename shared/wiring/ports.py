"""The app's ports: everything that reaches outside the process, or differs each time.

`open_ports` opens the real ones; tests give an app others. Clients of Azure and Graph belong to the
event loop that created them. Importing this module opens nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.settings import settings as azure_settings
from azure.data.tables.aio import TableServiceClient
from azure.identity.aio import ManagedIdentityCredential
from azure.storage.queue.aio import QueueServiceClient

from shared.adapters.entra.access_tokens import AccessTokens
from shared.adapters.entra.credentials import AppCredentials
from shared.adapters.graph.wire import SdkWire, Wire
from shared.adapters.loopback import is_loopback
from shared.adapters.vault import Vault
from shared.adapters.webhook_post import GuardedPost, WebhookPost
from shared.services.tenancy.limits import Limiter
from shared.wiring.settings import Settings

type Clock = Callable[[], datetime]
type NewId = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Ports:
    """Clock, random ids, and every connection of the app.

    `tokens` and `limiter` are here because they keep keys and counts by the machine's clock.
    """

    clock: Clock
    new_id: NewId
    tables: TableServiceClient
    queues: QueueServiceClient
    wire: Wire
    credentials: AppCredentials
    http: httpx.AsyncClient
    tokens: AccessTokens
    limiter: Limiter
    webhooks: WebhookPost
    identity: ManagedIdentityCredential | None = None
    vault: Vault | None = None

    async def close(self) -> None:
        """Close every connection."""
        await self.wire.close()
        await self.credentials.close()
        await self.queues.close()
        await self.tables.close()
        await self.http.aclose()
        if self.vault is not None:
            await self.vault.close()
        if self.identity is not None:
            await self.identity.close()


def open_ports(settings: Settings, clock: Clock, new_id: NewId) -> Ports:
    """Create the clients that the settings ask for, without sending anything."""
    # Spans of the Azure SDKs would contain whole URLs, and with them row keys and share ids.
    azure_settings.tracing_enabled = False
    identity = _identity(settings)
    vault = None
    if settings.key_vault_uri is not None and identity is not None:
        vault = Vault(settings.key_vault_uri, identity, clock)
    tables, queues = _storage(settings, identity)
    credentials = AppCredentials(settings.app_credential, identity, vault)
    http = httpx.AsyncClient(timeout=10.0)
    return Ports(
        clock=clock,
        new_id=new_id,
        tables=tables,
        queues=queues,
        wire=SdkWire(settings.graph_endpoint, credentials),
        credentials=credentials,
        http=http,
        tokens=AccessTokens(http, settings.entra_authority, settings.client_id, clock),
        limiter=Limiter(
            settings.calls_per_minute, settings.calls_per_user, settings.stranger_calls
        ),
        webhooks=GuardedPost(local=is_loopback(settings.entra_authority)),
        identity=identity,
        vault=vault,
    )


def _identity(settings: Settings) -> ManagedIdentityCredential | None:
    """Return the app's managed identity if anything needs it; it reads IDENTITY_ENDPOINT itself."""
    needed = (
        settings.credential == "managed-identity"
        or settings.key_vault_uri
        or not settings.storage_connection_string
    )
    if not needed:
        return None
    return ManagedIdentityCredential(client_id=settings.managed_identity_client_id)


def _storage(
    settings: Settings, identity: ManagedIdentityCredential | None
) -> tuple[TableServiceClient, QueueServiceClient]:
    def options() -> dict[str, Any]:
        # Searching for proxies and .netrc costs a sixth of a request's CPU; Azure has neither.
        transport = AioHttpTransport(use_env_settings=False)
        return {"retry_total": 3, "retry_backoff_factor": 0.5, "transport": transport}

    if settings.storage_connection_string or identity is None:
        text = str(settings.storage_connection_string)
        return (
            TableServiceClient.from_connection_string(text, **options()),
            QueueServiceClient.from_connection_string(text, **options()),
        )
    table_url, queue_url = str(settings.table_endpoint), str(settings.queue_endpoint)
    return (
        TableServiceClient(table_url, credential=identity, **options()),
        QueueServiceClient(queue_url, credential=identity, **options()),
    )
