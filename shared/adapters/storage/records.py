"""Where each thing is kept: one `Records` per table, turning models into rows and back.

A model is stored as JSON in text columns of at most 16,000 characters each (`body00`, `body01`,
…), with the few values beside it that an engineer looking at the table wants to see or filter by.
Every partition begins with the tenant, so that no read or write can cross the wall between
tenants; only `ShareIndex` is keyed by the share id, which is what a partner is given.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from typing import Any, Final

from pydantic import BaseModel

from shared.adapters.storage.tables import Row, Tables
from shared.domain.importing.imports import Import
from shared.domain.importing.runs import Result, Run
from shared.domain.model import Model
from shared.domain.sharing.shares import Share
from shared.domain.tenancy.tenants import LedgerEntry, Seat, Tenant

_CHARACTERS_PER_COLUMN: Final = 16_000
_AT_ONCE: Final = 16


class ShareLocation(Model):
    """The way from a share id to its publisher.

    `withdrawn` stays as proof that it once was. After a rotation `moved_to` names the share's new
    id, which only the tenants in `keep` (and the publisher) may follow.
    """

    publisher: str
    withdrawn: datetime | None = None
    moved_to: str | None = None
    keep: list[str] = []


class ShareFacts(Model):
    """What a share held when it was last resolved; apart from it, so that its ETag is the admin's.

    Counts only.
    """

    contacts: int
    when: datetime


class SeatFacts(Model):
    """How many mailboxes of a tenant want a seat: how many rows `Seats` has of it."""

    wanted: int


class SubscribedImport(Model):
    """One import of a share, for its publisher to see: whose, since when, how many mailboxes."""

    tenant: str
    import_id: str
    since: datetime
    mailboxes: int = 0


class Suppression(Model):
    """A person (an object id or a contact's key) that a tenant keeps out everywhere."""

    person: str
    since: datetime


class IdempotencyClaim(Model):
    """The id that an idempotency key stands for, and the hash of the body it came with."""

    id: str
    body: str
    when: datetime


@dataclass(frozen=True, slots=True)
class Stored[T]:
    """A model as read from its table, with the ETag by which it may be changed."""

    value: T
    etag: str


@dataclass(frozen=True, slots=True)
class Listing[T]:
    """A page of models, and the token for the next page."""

    items: tuple[Stored[T], ...]
    token: str | None


class Records[T: BaseModel]:
    """One kind of model in one table; `columns` gives what stands beside the JSON."""

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
        """Read one, or None."""
        found = await self._tables.get(self.table, partition, row)
        return self._stored(found) if found is not None else None

    async def insert(self, partition: str, row: str, value: T) -> Stored[T]:
        """Write a new one; `Conflict` if the key is taken."""
        etag = await self._tables.insert(self.table, partition, row, self._row(value))
        return Stored(value, etag)

    async def upsert(self, partition: str, row: str, value: T) -> Stored[T]:
        """Write one, whether it is there or not."""
        etag = await self._tables.upsert(self.table, partition, row, self._row(value))
        return Stored(value, etag)

    async def replace(self, partition: str, row: str, value: T, etag: str) -> Stored[T]:
        """Change the one of this ETag; `PreconditionFailed` if somebody else was quicker."""
        etag = await self._tables.replace(self.table, partition, row, self._row(value), etag)
        return Stored(value, etag)

    async def delete(self, partition: str, row: str, etag: str | None = None) -> None:
        """Delete one; with an ETag only that version (`PreconditionFailed`)."""
        await self._tables.delete(self.table, partition, row, etag)

    async def write_many(self, partition: str, values: Mapping[str, T | None]) -> None:
        """Write (or, for None, delete) many of one partition, 100 at a time."""
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
        """Read up to `size` of a partition in row order, those for which `where` holds.

        `where` is OData conditions on the columns joined by `and` (without parentheses, which the
        SDK does not take with parameters); its values come as `parameters`.
        """
        query = "PartitionKey eq @partition" + (f" and {where}" if where else "")
        return await self._listing(
            query, {"partition": partition, **(parameters or {})}, size, token
        )

    async def page_everywhere(self, row: str, *, size: int, token: str | None = None) -> Listing[T]:
        """Read up to `size` of all partitions that have this row; for operators only."""
        return await self._listing("RowKey eq @row", {"row": row}, size, token)

    async def count(self, partition: str, where: str = "") -> int:
        """How many rows a partition has."""
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
        """Read some columns of a partition's rows, and say whether these are all of them.

        At most so many pages (of 1,000 rows) are asked for, whatever there is: rows without their
        JSON are small, so that each costs a few milliseconds.
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
        """Read those of the rows that are there, in their order; a few at once."""

        async def read(row: str) -> Stored[T] | None:
            return await self.get(partition, row)

        return [stored for stored in await few_at_once(read, rows) if stored is not None]

    async def all(self, partition: str) -> AsyncIterator[Stored[T]]:
        """Read all of a partition."""
        async for row in self._tables.partition(self.table, partition):
            yield self._stored(row)

    async def everywhere(
        self, where: str = "", parameters: Mapping[str, Any] | None = None
    ) -> AsyncIterator[tuple[str, Stored[T]]]:
        """Read all of the table with their partitions; for timers only, never for a caller."""
        query = "PartitionKey ge @p" + (f" and {where}" if where else "")
        async for row in self._tables.rows(self.table, query, {"p": "", **(parameters or {})}):
            yield row.partition, self._stored(row)

    async def erase_where(self, where: str, parameters: Mapping[str, Any]) -> int:
        """Erase the rows of all tenants for which `where` holds; for timers only. Answer the count.

        It reads the whole table, a page at a time.
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
            # A filtered page may come back short, or empty, with more to follow.
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
        # Lax: what we wrote ourselves may have been written by an older version of us.
        value = self._model.model_validate_json(text, strict=False, extra="ignore")
        return Stored(value, row.etag)


class Store:
    """All records of the app, one attribute a table."""

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
        """See that table storage answers."""
        await self.tenants.get("ready", TENANT_ROW)


async def few_at_once[A, B](read: Callable[[A], Awaitable[B]], given: Iterable[A]) -> list[B]:
    """Read for each of the given, 16 of them at once; the answers come in their order."""
    found: list[B] = []
    for part in batched(given, _AT_ONCE, strict=False):
        found += await asyncio.gather(*map(read, part))
    return found


def subscribers_of(publisher: str, share: str) -> str:
    """The partition of a share's consumers."""
    return f"{publisher}|{share}"


def results_of(tenant: str, run: str) -> str:
    """The partition of a run's results."""
    return f"{tenant}|{run}"


TENANT_ROW: Final = "tenant"
OWNER_ROW: Final = "owner"
SEATS_ROW: Final = "seats"
