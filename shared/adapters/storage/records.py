"""One `Records` per table, which turns models into rows and back.

A model is stored as JSON in text columns of at most 16,000 characters each (`body00`, `body01`,
…), beside a few columns to filter by and to look at. Every partition key starts with the tenant
id, so that no read or write can cross from one tenant to another; only `ShareIndex` is keyed by
the share id, which is what a partner is given.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from typing import Any, Final

from pydantic import BaseModel

from shared.adapters.storage.tables import Row, Tables
from shared.adapters.storage.transactions import InsertRow, Operation, ReplaceRow, UpsertRow
from shared.domain.importing.imports import Import
from shared.domain.importing.runs import Result, Run
from shared.domain.model import Model
from shared.domain.sharing.shares import Share
from shared.domain.tenancy.tenants import LedgerEntry, Seat, Tenant

_CHARACTERS_PER_COLUMN: Final = 16_000
_AT_ONCE: Final = 16


class ShareLocation(Model):
    """The publisher of a share id.

    The row of a withdrawn share stays, to show that the share existed. After a rotation `moved_to`
    is the share's new id, which only the publisher and the tenants in `keep` may learn.
    """

    publisher: str
    withdrawn: datetime | None = None
    moved_to: str | None = None
    keep: list[str] = []


class ShareFacts(Model):
    """How many contacts a share held when it was last resolved.

    A row of its own, so that a run never changes the ETag of the share that an admin edits.
    """

    contacts: int
    when: datetime


class SeatFacts(Model):
    """How many mailboxes of a tenant want a seat: its number of rows in `Seats`."""

    wanted: int


class SubscribedImport(Model):
    """An import of a share, as its publisher sees it: tenant, start, number of mailboxes."""

    tenant: str
    import_id: str
    since: datetime
    mailboxes: int = 0


class Suppression(Model):
    """A person, by object id or contact key, who is removed from all of a tenant's shares."""

    person: str
    since: datetime


class IdempotencyClaim(Model):
    """The id created under an idempotency key, and the hash of the request body."""

    id: str
    body: str
    when: datetime


@dataclass(frozen=True, slots=True)
class Stored[T]:
    """A model as read from its table, with its ETag."""

    value: T
    etag: str


@dataclass(frozen=True, slots=True)
class Listing[T]:
    """A page of models, and the token for the next page."""

    items: tuple[Stored[T], ...]
    token: str | None


class Records[T: BaseModel]:
    """One kind of model in one table; `columns` returns the columns beside the JSON."""

    def __init__(
        self,
        tables: Tables,
        table: str,
        model: type[T],
        columns: Callable[[T], Mapping[str, Any]] = lambda _: {},
    ) -> None:
        self.table = table
        self._tables = tables
        self._model = model
        self._columns = columns

    async def get(self, partition: str, row: str) -> Stored[T] | None:
        """Read a model; None if it does not exist."""
        found = await self._tables.get(self.table, partition, row)
        return self._stored(found) if found is not None else None

    async def insert(self, partition: str, row: str, value: T) -> Stored[T]:
        """Add a model; raises `Conflict` if the key is taken."""
        etag = await self._tables.insert(self.table, partition, row, self._row(value))
        return Stored(value, etag)

    async def upsert(self, partition: str, row: str, value: T) -> Stored[T]:
        """Write a model, whether it exists or not."""
        etag = await self._tables.upsert(self.table, partition, row, self._row(value))
        return Stored(value, etag)

    async def replace(self, partition: str, row: str, value: T, etag: str) -> Stored[T]:
        """Replace a model; raises `PreconditionFailed` if its ETag no longer matches."""
        etag = await self._tables.replace(self.table, partition, row, self._row(value), etag)
        return Stored(value, etag)

    async def delete(self, partition: str, row: str, etag: str | None = None) -> None:
        """Delete a model; raises `PreconditionFailed` if an ETag is given and no longer matches."""
        await self._tables.delete(self.table, partition, row, etag)

    def inserting(self, row: str, value: T) -> InsertRow:
        """Return the operation that writes a new one, for `transact`."""
        return InsertRow(row, self._row(value))

    def upserting(self, row: str, value: T) -> UpsertRow:
        """Return the operation that writes one whether it exists or not, for `transact`."""
        return UpsertRow(row, self._row(value))

    def replacing(self, row: str, value: T, etag: str) -> ReplaceRow:
        """Return the operation that changes the one with this ETag, for `transact`."""
        return ReplaceRow(row, self._row(value), etag)

    async def transact(self, partition: str, operations: Sequence[Operation]) -> dict[str, str]:
        """Apply operations to one partition, all or none; see `Tables.transact`.

        Other records of the same table may be among them. To delete one, use `Delete`.
        """
        return await self._tables.transact(self.table, partition, operations)

    async def write_many(self, partition: str, values: Mapping[str, T | None]) -> None:
        """Write many models of one partition, or delete those given as None, 100 at a time."""
        await self._tables.write_many(
            self.table,
            partition,
            {row: self._row(v) if v is not None else None for row, v in values.items()},
        )

    async def page(
        self,
        partition: str,
        *,
        size: int,
        token: str | None = None,
        where: str = "",
        parameters: Mapping[str, Any] | None = None,
    ) -> Listing[T]:
        """Read up to `size` models of a partition that match `where`, in row order.

        `where` is a list of OData conditions on columns joined by `and`, without parentheses, which
        the SDK does not accept together with parameters. `parameters` holds its values.
        """
        query = "PartitionKey eq @partition" + (f" and {where}" if where else "")
        return await self._listing(
            query, {"partition": partition, **(parameters or {})}, size, token
        )

    async def page_everywhere(self, row: str, *, size: int, token: str | None = None) -> Listing[T]:
        """Read up to `size` models with this row key in any partition; for operators only."""
        return await self._listing("RowKey eq @row", {"row": row}, size, token)

    async def count(self, partition: str, where: str = "") -> int:
        """Return how many rows of a partition match `where`."""
        query = "PartitionKey eq @p" + (f" and {where}" if where else "")
        rows = self._tables.rows(self.table, query, {"p": partition}, ["RowKey"])
        return sum([1 async for _ in rows])

    async def glance(
        self,
        partition: str,
        columns: Sequence[str],
        *,
        pages: int,
        where: str = "",
        parameters: Mapping[str, Any] | None = None,
    ) -> tuple[list[Row], bool]:
        """Read some columns of a partition's rows, and return whether these are all the rows.

        Reads at most `pages` pages of 1,000 rows each. Rows without their JSON are small, so a page
        takes a few milliseconds.
        """
        query = "PartitionKey eq @partition" + (f" and {where}" if where else "")
        given = {"partition": partition, **(parameters or {})}
        rows: list[Row] = []
        token: str | None = None
        for _ in range(pages):
            page = await self._tables.page(
                self.table, query, given, token=token, select=["RowKey", *columns]
            )
            rows += page.rows
            token = page.token
            if token is None:
                return rows, True
        return rows, False

    async def read_many(self, partition: str, rows: Sequence[str]) -> list[Stored[T]]:
        """Read the rows that exist, in the order given, a few at once."""

        async def read(row: str) -> Stored[T] | None:
            return await self.get(partition, row)

        return [stored for stored in await few_at_once(read, rows) if stored is not None]

    async def all(self, partition: str) -> AsyncIterator[Stored[T]]:
        """Read all models of a partition."""
        async for row in self._tables.partition(self.table, partition):
            yield self._stored(row)

    async def everywhere(
        self, where: str = "", parameters: Mapping[str, Any] | None = None
    ) -> AsyncIterator[tuple[str, Stored[T]]]:
        """Read the whole table, each model with its partition; for timers only."""
        query = "PartitionKey ge @p" + (f" and {where}" if where else "")
        async for row in self._tables.rows(self.table, query, {"p": "", **(parameters or {})}):
            yield row.partition, self._stored(row)

    async def erase_where(self, where: str, parameters: Mapping[str, Any]) -> int:
        """Erase the rows of all tenants that match `where` and return how many; for timers only.

        Reads the whole table, a page at a time.
        """
        keys = ["PartitionKey", "RowKey"]
        count = 0
        async for row in self._tables.rows(self.table, where, parameters, keys):
            await self._tables.delete(self.table, row.partition, row.row)
            count += 1
        return count

    async def _listing(
        self, query: str, parameters: Mapping[str, Any], size: int, token: str | None
    ) -> Listing[T]:
        items: list[Stored[T]] = []
        while True:
            page = await self._tables.page(
                self.table, query, parameters, size=size - len(items), token=token
            )
            items += [self._stored(row) for row in page.rows]
            token = page.token
            # A filtered page may be short, or even empty, although more rows follow.
            if token is None or len(items) >= size:
                return Listing(tuple(items), token)

    def _row(self, value: T) -> dict[str, Any]:
        text = value.model_dump_json(by_alias=True)
        body = {
            f"body{index:02d}": text[start : start + _CHARACTERS_PER_COLUMN]
            for index, start in enumerate(range(0, len(text), _CHARACTERS_PER_COLUMN))
        }
        return {**self._columns(value), **body}

    def _stored(self, row: Row) -> Stored[T]:
        names = sorted(name for name in row.columns if name.startswith("body"))
        text = "".join(row.columns[name] for name in names)
        # Lax, because an older version of the app may have written the row.
        value = self._model.model_validate_json(text, strict=False, extra="ignore")
        return Stored(value, row.etag)


class Store:
    """All records of the app, one attribute per table."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.tenants = Records(
            tables,
            "Tenants",
            Tenant,
            lambda t: {"plan": str(t.plan), "booked": t.booked, "status": str(t.status)},
        )
        self.shares = Records(tables, "Shares", Share, lambda s: {"name": s.name})
        self.share_index = Records(
            tables,
            "ShareIndex",
            ShareLocation,
            lambda s: {"publisher": s.publisher, **({"gone": s.withdrawn} if s.withdrawn else {})},
        )
        self.imports = Records(
            tables,
            "Imports",
            Import,
            lambda i: {
                "name": i.name,
                "shareId": i.share_id,
                "active": i.active,
                "removing": i.removing,
                "everyHours": i.schedule.every_hours,
                **({"lastRun": i.last_run} if i.last_run else {}),
                **({"heldRun": i.held_run} if i.held_run else {}),
            },
        )
        self.seats = Records(tables, "Seats", Seat, lambda s: {"since": s.since})
        self.seat_facts = Records(tables, "SeatFacts", SeatFacts)
        self.ledger = Records(
            tables,
            "Ledger",
            LedgerEntry,
            lambda e: {"action": e.action, "subject": e.subject, "actor": e.actor},
        )
        self.share_facts = Records(tables, "ShareFacts", ShareFacts)
        self.subscribers = Records(
            tables, "Consumers", SubscribedImport, lambda c: {"tenant": c.tenant}
        )
        self.suppressions = Records(tables, "KeptOut", Suppression)
        self.claims = Records(tables, "Idempotency", IdempotencyClaim, lambda c: {"when": c.when})
        self.runs = Records(
            tables,
            "Runs",
            Run,
            lambda r: {
                "importId": r.import_id,
                "status": str(r.status),
                "trigger": str(r.trigger),
                "reason": str(r.reason or ""),
                "total": r.mailboxes.total,
                "failed": r.mailboxes.failed,
                "held": r.mailboxes.held,
                "created": r.contacts.created,
                "updated": r.contacts.updated,
                "deleted": r.contacts.deleted,
                **({"ended": r.ended} if r.ended else {}),
            },
        )
        self.results = Records(
            tables,
            "Results",
            Result,
            lambda r: {"outcome": str(r.outcome), "reason": str(r.reason or "")},
        )

    async def ready(self) -> None:
        """Check that table storage responds; raises `Unavailable` if it does not."""
        await self.tenants.get("ready", TENANT_ROW)


async def few_at_once[A, B](read: Callable[[A], Awaitable[B]], given: Iterable[A]) -> list[B]:
    """Call `read` for each of the given, 16 at once, and return the results in order."""
    found: list[B] = []
    for part in batched(given, _AT_ONCE, strict=False):
        found += await asyncio.gather(*map(read, part))
    return found


def subscribers_of(publisher: str, share: str) -> str:
    """Return the partition of a share's subscribers."""
    return f"{publisher}|{share}"


def results_of(tenant: str, run: str) -> str:
    """Return the partition of a run's results."""
    return f"{tenant}|{run}"


TENANT_ROW: Final = "tenant"
OWNER_ROW: Final = "owner"
SEATS_ROW: Final = "seats"
