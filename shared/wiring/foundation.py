"""What all areas build on: settings, clock, connections to Azure and Graph, and the tables.

Clients of Azure and Graph belong to the event loop that created them. Importing this module opens
nothing.
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

from shared.adapters.entra.credentials import AppCredentials
from shared.adapters.graph.mailbox_directory import MailboxDirectory
from shared.adapters.graph.transport import Graph
from shared.adapters.storage.leases import Leases
from shared.adapters.storage.mailbox_state import MailboxStates
from shared.adapters.storage.queues import Queues
from shared.adapters.storage.records import Store
from shared.adapters.storage.snapshots import Snapshots
from shared.adapters.storage.tables import Tables
from shared.adapters.vault import Vault
from shared.services.idempotency import Idempotency
from shared.wiring.settings import Settings

type Clock = Callable[[], datetime]
type NewId = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Foundation:
    """Settings, clock, random ids, and every connection of the app."""

    settings: Settings
    clock: Clock
    new_id: NewId
    identity: ManagedIdentityCredential | None
    vault: Vault | None
    credentials: AppCredentials
    graph: Graph
    http: httpx.AsyncClient
    tables: Tables
    queues: Queues
    store: Store
    states: MailboxStates
    snapshots: Snapshots
    leases: Leases
    directory: MailboxDirectory
    idempotency: Idempotency

    async def close(self) -> None:
        """Close every connection."""
        await self.graph.close()
        await self.credentials.close()
        await self.queues.close()
        await self.tables.close()
        await self.http.aclose()
        if self.vault is not None:
            await self.vault.close()
        if self.identity is not None:
            await self.identity.close()


def build_foundation(settings: Settings, clock: Clock, new_id: NewId) -> Foundation:
    """Create the clients that the settings ask for, without sending anything."""
    # Spans of the Azure SDKs would contain whole URLs, and with them row keys and share ids.
    azure_settings.tracing_enabled = False
    identity = _identity(settings)
    vault = None
    if settings.key_vault_uri is not None and identity is not None:
        vault = Vault(settings.key_vault_uri, identity, clock)
    tables, queues = _storage(settings, identity)
    store = Store(tables)
    credentials = AppCredentials(settings.app_credential, identity, vault)
    graph = Graph(settings.graph_endpoint, credentials)
    return Foundation(
        settings=settings,
        clock=clock,
        new_id=new_id,
        identity=identity,
        vault=vault,
        credentials=credentials,
        graph=graph,
        http=httpx.AsyncClient(timeout=10.0),
        tables=tables,
        queues=queues,
        store=store,
        states=MailboxStates(tables),
        snapshots=Snapshots(tables),
        leases=Leases(tables),
        directory=MailboxDirectory(graph),
        idempotency=Idempotency(store, clock, new_id),
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
) -> tuple[Tables, Queues]:
    def options() -> dict[str, Any]:
        # Searching for proxies and .netrc costs a sixth of a request's CPU; Azure has neither.
        transport = AioHttpTransport(use_env_settings=False)
        return {"retry_total": 3, "retry_backoff_factor": 0.5, "transport": transport}

    if settings.storage_connection_string or identity is None:
        text = str(settings.storage_connection_string)
        return (
            Tables(TableServiceClient.from_connection_string(text, **options())),
            Queues(QueueServiceClient.from_connection_string(text, **options())),
        )
    table_url, queue_url = str(settings.table_endpoint), str(settings.queue_endpoint)
    return (
        Tables(TableServiceClient(table_url, credential=identity, **options())),
        Queues(QueueServiceClient(queue_url, credential=identity, **options())),
    )
