"""The app's sync of one mailbox without its host: workers that run in this process, and may die.

The one place of the tests that puts `MailboxSync` together and knows how it keeps its state. Each
worker has parts of its own; what they share is what costs time to open: tokens and sockets. Death
is final: nothing the worker had in mind is written any more, no lease is given back.
"""

import asyncio
import selectors
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

import aiohttp
import httpx
from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables.aio import TableServiceClient

from shared.adapters.entra.credentials import AppCredentials
from shared.adapters.graph.transport import Graph
from shared.adapters.storage.mailbox_state import MailboxStates
from shared.adapters.storage.records import Store, results_of
from shared.adapters.storage.snapshots import Snapshots, snapshot_id
from shared.adapters.storage.tables import Tables
from shared.domain.contacts.fields import MARK, Contact, fingerprint, mark_of
from shared.domain.contacts.values import Fields
from shared.domain.importing.imports import Destination, GuardLimits, Import, Targets
from shared.domain.importing.messages import SyncMailbox, Task
from shared.domain.importing.runs import Result
from shared.domain.tenancy.licensing import Terms
from shared.services.licensing.seats import SeatBook
from shared.services.sync.mailbox_sync import MailboxSync
from shared.services.sync.mailboxes import Mailboxes
from shared.wiring.app import new_id
from shared.wiring.settings import Settings

IMMORTAL = 10**9
_STATE = "MailboxState"


NO_TERMS = Terms(timedelta(), timedelta())


async def believe(_tenant: str) -> None:
    """Leave a tenant's consent undoubted: there is no tenant here."""


class WorkerDied(BaseException):
    """The worker is dead, whatever it still tries."""


@dataclass(slots=True)
class Life:
    """How many requests a worker lives; counted over Graph and storage together."""

    left: int = IMMORTAL
    used: int = 0

    def begin(self) -> None:
        if self.left <= 0:
            raise WorkerDied
        self.left -= 1
        self.used += 1

    def end(self) -> None:
        if self.left <= 0:
            raise WorkerDied


class MortalGraph(httpx.AsyncBaseTransport):
    """Sends over the sockets it is given, which outlive it."""

    def __init__(self, life: Life, sockets: httpx.AsyncBaseTransport) -> None:
        self._life = life
        self._sockets = sockets

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._life.begin()
        response = await self._sockets.handle_async_request(request)
        await response.aread()
        await response.aclose()
        self._life.end()
        return response


class MortalStorage(AioHttpTransport):  # type: ignore[misc]  # azure-core gives it no type
    """The same for Azure's SDK."""

    def __init__(self, life: Life, session: aiohttp.ClientSession) -> None:
        super().__init__(session=session, session_owner=False)
        self._life = life

    async def send(self, request: Any, **options: Any) -> Any:
        self._life.begin()
        response = await super().send(request, **options)
        try:
            self._life.end()
        except WorkerDied:
            response.internal_response.close()
            raise
        return response


class Engine:
    """Workers on any mailbox, each call of `run` a new one; `now` is their clock."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.now = datetime.now(UTC)
        self._settings = Settings.from_environment(environment)

    async def __aenter__(self) -> Self:
        self._credentials = AppCredentials(self._settings.app_credential)
        self._sockets = httpx.AsyncHTTPTransport()
        self._session = aiohttp.ClientSession(
            auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        )
        self._tables = self._open_tables(Life())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._tables.close()
        await self._session.close()
        await self._sockets.aclose()
        await self._credentials.close()

    async def add_import(self, tenant: str, mailbox: str, folder: str | None) -> str:
        """Write an import as it stands in its table, without its runs, and answer its id."""
        import_ = Import(
            id=new_id(),
            name="Import",
            share_id=new_id(),
            targets=Targets(users=[mailbox]),
            destination=Destination(folder=folder),
            guard=GuardLimits(deletes=1_000, changes=1_000),
            created=self.now,
            changed=self.now,
        )
        await Store(self._tables).imports.upsert(tenant, import_.id, import_)
        return import_.id

    async def publish(
        self, tenant: str, import_id: str, mailbox: str, contacts: Sequence[Contact]
    ) -> SyncMailbox:
        """Write a snapshot for a new run and answer the message of the mailbox."""
        run = new_id()
        await Snapshots(self._tables).write(snapshot_id(tenant, run), contacts, self.now)
        return SyncMailbox(
            tenant=tenant,
            import_id=import_id,
            run=run,
            mailbox=mailbox,
            task=Task.SYNC,
            fingerprint=fingerprint(contacts),
        )

    async def run(self, message: SyncMailbox, requests: int = IMMORTAL) -> int:
        """Let a worker sync until it is done or dead; answers how many requests it made."""
        life = Life(requests)
        tables = self._open_tables(life)
        graph = Graph(
            self._settings.graph_endpoint, self._credentials, MortalGraph(life, self._sockets)
        )
        store, states = Store(tables), MailboxStates(tables)
        sync = MailboxSync(
            store,
            Mailboxes(store, graph, states, lambda: self.now, new_id),
            Snapshots(tables),
            SeatBook(store, lambda: self.now, NO_TERMS).release,
            believe,
        )
        try:
            await sync.run(message)
        except WorkerDied:
            pass
        finally:
            await graph.close()
            await tables.close()
        return life.used

    async def result(self, message: SyncMailbox) -> Result | None:
        """The result of the message's run in its mailbox."""
        partition = results_of(message.tenant, message.run)
        found = await Store(self._tables).results.get(partition, message.mailbox)
        return found.value if found else None

    async def lose_state(self, tenant: str, import_id: str, rows: str = "") -> int:
        """Delete what is known of an import's mailboxes; answers how many rows there were.

        `rows` is how the rows begin: 'h' are the heads, 'k' the lists of contacts.
        """
        first, last = f"{tenant}|{import_id}|", f"{tenant}|{import_id}}}"
        query = "PartitionKey ge @first and PartitionKey lt @last"
        found = self._tables.rows(_STATE, query, {"first": first, "last": last})
        lost = [row async for row in found if row.row.startswith(rows)]
        for row in lost:
            await self._tables.delete(_STATE, row.partition, row.row)
        return len(lost)

    def _open_tables(self, life: Life) -> Tables:
        service = TableServiceClient.from_connection_string(
            str(self._settings.storage_connection_string),
            transport=MortalStorage(life, self._session),
        )
        return Tables(service)


def contact(key: str, fields: Fields) -> Contact:
    """A contact of a share."""
    return Contact.of(key, fields)


def marked(extended: Sequence[Mapping[str, str]]) -> str | None:
    """The value of our mark among a contact's or folder's extended properties."""
    # Ids compare without regard to the case of their GUID.
    values = [e["value"] for e in extended if e["id"].lower() == MARK.lower()]
    return values[0] if values else None


def mark(import_id: str, key: str = "") -> dict[str, str]:
    """Our mark on the contact of a source, or on a folder."""
    return {"id": MARK, "value": mark_of(import_id, key)}


_SHORTER = 20


class _QuickSelector(selectors.DefaultSelector):
    def select(self, timeout: float | None = None) -> Any:
        return super().select(timeout / _SHORTER if timeout else timeout)


class QuickLoop(asyncio.SelectorEventLoop):
    """An event loop whose seconds are short, so that obeying Retry-After costs little."""

    def __init__(self) -> None:
        super().__init__(_QuickSelector())

    def time(self) -> float:
        return super().time() * _SHORTER
