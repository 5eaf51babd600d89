"""The app's sync of one mailbox without its host: workers in this process that may crash.

Only this module of the tests wires `MailboxSync` and knows how it stores its state. Each worker has
its own parts; all share tokens and sockets, which are slow to open. A crashed worker writes
nothing more and does not release its lease.
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
from shared.adapters.graph.wire import SdkWire
from shared.adapters.storage.leases import Leases
from shared.adapters.storage.mailboxes.mailbox_contacts import ListPlace
from shared.adapters.storage.mailboxes.mailbox_state import MailboxStates
from shared.adapters.storage.snapshots import Snapshots
from shared.adapters.storage.store import Store, results_of
from shared.adapters.storage.tables.client import Tables
from shared.adapters.storage.tables.names import Table
from shared.domain.contacts.fields import MARK, Contact, mark_of
from shared.domain.contacts.values import Fields
from shared.domain.importing.imports import Destination, GuardLimits, Import, Targets
from shared.domain.importing.messages import SyncMailbox, Task
from shared.domain.importing.runs import Result
from shared.domain.tenancy.licensing import Terms
from shared.services.licensing.missing_mailboxes import MissingMailboxes
from shared.services.licensing.seats import SeatBook
from shared.services.privacy.suppressions import Suppressions
from shared.services.sharing.publications import Publications
from shared.services.sync.mailbox_sync import MailboxSync
from shared.services.sync.mailboxes import Mailboxes
from shared.services.tenancy.limits import Limiter
from shared.wiring.app import new_id
from shared.wiring.settings import Settings
from tests.open_runs import open_run

UNLIMITED = 10**9
_HEADS, _LISTS = Table.MAILBOX_HEADS, Table.MAILBOX_CONTACTS


NO_TERMS = Terms(timedelta(), timedelta())


class Consenting:
    """Stands for `Tenants`: nobody's consent is in doubt."""

    async def check_consent(self, tenant: str) -> None:
        del tenant


class WorkerCrashed(BaseException):
    """The worker has crashed; every further request raises this again."""


@dataclass(slots=True)
class RequestBudget:
    """The requests to Graph and storage that a worker makes before it crashes."""

    left: int = UNLIMITED
    used: int = 0

    def begin(self) -> None:
        if self.left <= 0:
            raise WorkerCrashed
        self.left -= 1
        self.used += 1

    def end(self) -> None:
        if self.left <= 0:
            raise WorkerCrashed


class CrashingGraph(httpx.AsyncBaseTransport):
    """A Graph transport that crashes its worker; the sockets stay open."""

    def __init__(self, budget: RequestBudget, sockets: httpx.AsyncBaseTransport) -> None:
        self._budget = budget
        self._sockets = sockets

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._budget.begin()
        response = await self._sockets.handle_async_request(request)
        await response.aread()
        await response.aclose()
        self._budget.end()
        return response


class CrashingStorage(AioHttpTransport):  # type: ignore[misc]  # azure-core gives it no type
    """A storage transport that crashes its worker."""

    def __init__(self, budget: RequestBudget, session: aiohttp.ClientSession) -> None:
        super().__init__(session=session, session_owner=False)
        self._budget = budget

    async def send(self, request: Any, **options: Any) -> Any:
        self._budget.begin()
        response = await super().send(request, **options)
        try:
            self._budget.end()
        except WorkerCrashed:
            response.internal_response.close()
            raise
        return response


class Engine:
    """Workers for any mailbox; each call of `run` is a new one, and `now` is their clock."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.now = datetime.now(UTC)
        self.of_graph = RequestBudget()
        self.tick = timedelta()
        self._settings = Settings.from_environment(environment)

    async def __aenter__(self) -> Self:
        self._credentials = AppCredentials(self._settings.app_credential)
        self._sockets = httpx.AsyncHTTPTransport()
        self._session = aiohttp.ClientSession(
            auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        )
        self._tables = self._open_tables(RequestBudget())
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
        """Store an import without runs, and return its id."""
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

    async def change_import(self, tenant: str, import_id: str, **values: Any) -> None:
        """Change settings of an import."""
        imports = Store(self._tables).imports
        found = await imports.get(tenant, import_id)
        assert found is not None
        await imports.upsert(tenant, import_id, found.value.copy_with(**values))

    async def publish(
        self, tenant: str, import_id: str, mailbox: str, contacts: Sequence[Contact]
    ) -> SyncMailbox:
        """Store a snapshot for a new run, and return the mailbox's message."""
        run = new_id()
        return await open_run(
            Store(self._tables), tenant, import_id, run, mailbox, contacts, self.now
        )

    async def purge(
        self, tenant: str, import_id: str, mailbox: str, keys: frozenset[str]
    ) -> SyncMailbox:
        """Open a run that removes people, and return the mailbox's message."""
        message = await self.publish(tenant, import_id, mailbox, [])
        suppressions = Suppressions(Store(self._tables), self.clock)
        for key in keys:
            await suppressions.suppress(tenant, key)
        return message.copy_with(task=Task.PURGE)

    async def run(
        self, message: SyncMailbox, requests: int = UNLIMITED, of_graph: int = UNLIMITED
    ) -> int:
        """Run a worker until it finishes or crashes, and return its number of requests.

        `requests` are those to Graph and storage together, `of_graph` those to Graph.
        """
        budget = RequestBudget(requests)
        tables = self._open_tables(budget)
        self.of_graph = RequestBudget(of_graph)
        transport = CrashingGraph(budget, CrashingGraph(self.of_graph, self._sockets))
        endpoint = self._settings.graph_endpoint
        graph = Graph(endpoint, SdkWire(endpoint, self._credentials, transport))
        store, states, leases = Store(tables), MailboxStates(tables), Leases(tables)
        sync = MailboxSync(
            store,
            Mailboxes(store, graph, states, leases, self.clock, new_id),
            Snapshots(tables),
            MissingMailboxes(store, SeatBook(store, lambda: self.now, NO_TERMS), lambda: self.now),
            Consenting(),  # type: ignore[arg-type] # nothing else of it is asked
            Publications(store, graph, self.clock, Limiter(1_000), Suppressions(store, self.clock)),
        )
        try:
            await sync.run(message)
        except WorkerCrashed:
            pass
        finally:
            await graph.close()
            await tables.close()
        return budget.used

    def clock(self) -> datetime:
        """The time; each look at it takes one `tick`."""
        self.now += self.tick
        return self.now

    async def mailboxes(self, tenant: str, import_id: str) -> list[str]:
        """The mailboxes that a removal of the import would visit."""
        return await MailboxStates(self._tables).mailboxes(tenant, import_id)

    async def rows_of_contacts(self, tenant: str, import_id: str, mailbox: str) -> list[str]:
        """The keys of the rows that hold the list of contacts, leftovers too."""
        lists = MailboxStates(self._tables).lists
        return sorted(await lists.names(ListPlace(tenant, import_id, mailbox)))

    async def result(self, message: SyncMailbox) -> Result | None:
        """The result of the message's run in its mailbox."""
        partition = results_of(message.tenant, message.run)
        found = await Store(self._tables).results.get(partition, message.mailbox)
        return found.value if found else None

    async def lose_state(self, tenant: str, import_id: str, rows: str = "") -> int:
        """Delete the state of an import's mailboxes, and return the number of rows.

        `rows` is 'h' for heads only, 'k' for lists of contacts only.
        """
        first, last = f"{tenant}|{import_id}", f"{tenant}|{import_id}}}"
        query = "PartitionKey ge @first and PartitionKey lt @last"
        count = 0
        for table in {"h": [_HEADS], "k": [_LISTS]}.get(rows, [_HEADS, _LISTS]):
            async for row in self._tables.rows(table, query, {"first": first, "last": last}):
                await self._tables.delete(table, row.partition, row.row)
                count += 1
        return count

    def _open_tables(self, budget: RequestBudget) -> Tables:
        service = TableServiceClient.from_connection_string(
            str(self._settings.storage_connection_string),
            transport=CrashingStorage(budget, self._session),
        )
        return Tables(service)


def contact(key: str, fields: Fields) -> Contact:
    """A contact of a share."""
    return Contact.of(key, fields)


def marked(extended: Sequence[Mapping[str, str]]) -> str | None:
    """The value of our mark among a contact's or folder's extended properties."""
    # The case of the GUID in an id does not matter.
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
    """An event loop with short seconds, so that waiting for Retry-After takes little time."""

    def __init__(self) -> None:
        super().__init__(_QuickSelector())

    def time(self) -> float:
        return super().time() * _SHORTER
