"""One `Records` per table, which turns models into rows and back.

A model is stored as JSON in text columns of at most 16,000 characters each (`body00`, `body01`,
…), beside a few columns to filter by and to look at. Every partition key starts with the tenant
id, so that no read or write can cross from one tenant to another; only `ShareIndex` is keyed by
the share id, which is what a partner is given. A query of any other column is a defect.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import batched
from typing import Any, Final

from pydantic import BaseModel

from shared.adapters.storage.tables.client import Row, Tables
from shared.adapters.storage.tables.conditions import (
    KEYS,
    PARTITION,
    ROW,
    Condition,
    Value,
    query_of,
)
from shared.adapters.storage.tables.names import Table
from shared.adapters.storage.tables.transactions import (
    DeleteRow,
    InsertRow,
    Operation,
    ReplaceRow,
    UpsertRow,
)
from shared.domain.errors import Defect

_CHARACTERS_PER_COLUMN: Final = 16_000
_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Stored[T]:
    """A model as read from its table, with its ETag, and when storage wrote it if it was read."""

    value: T
    etag: str
    written: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Listing[T]:
    """A page of models, and the token for the next page."""

    items: tuple[Stored[T], ...]
    token: str | None


class Records[T: BaseModel]:
    """One kind of model in one table; `columns` returns the columns beside the JSON, by name.

    A column whose value is None is left out of the row. Two kinds may share the partitions of a
    table: the row keys of one begin with its `prefix`, and those of the other sort `below` it.
    """

    def __init__(
        self,
        tables: Tables,
        table: Table,
        model: type[T],
        columns: Mapping[str, Callable[[T], Value | None]] | None = None,
        *,
        prefix: str = "",
        below: str = "",
    ) -> None:
        self.table = table
        self._tables = tables
        self._model = model
        self._columns = columns or {}
        self._prefix = prefix
        self._below = below

    async def get(self, partition: str, row: str) -> Stored[T] | None:
        """Read a model; None if it does not exist."""
        found = await self._tables.get(self.table, partition, self._prefix + row)
        return self.parsed(found) if found is not None else None

    async def insert(self, partition: str, row: str, value: T) -> Stored[T]:
        """Add a model; raises `Conflict` if the key is taken."""
        etag = await self._tables.insert(
            self.table, partition, self._prefix + row, self._row(value)
        )
        return Stored(value, etag)

    async def upsert(self, partition: str, row: str, value: T) -> Stored[T]:
        """Write a model, whether it exists or not."""
        etag = await self._tables.upsert(
            self.table, partition, self._prefix + row, self._row(value)
        )
        return Stored(value, etag)

    async def replace(self, partition: str, row: str, value: T, etag: str) -> Stored[T]:
        """Replace a model; raises `PreconditionFailed` if its ETag no longer matches."""
        etag = await self._tables.replace(
            self.table, partition, self._prefix + row, self._row(value), etag
        )
        return Stored(value, etag)

    async def delete(self, partition: str, row: str, etag: str | None = None) -> None:
        """Delete a model; raises `PreconditionFailed` if an ETag is given and no longer matches."""
        await self._tables.delete(self.table, partition, self._prefix + row, etag)

    def inserting(self, row: str, value: T) -> InsertRow:
        """Return the operation that writes a new one, for `transact`."""
        return InsertRow(self._prefix + row, self._row(value))

    def upserting(self, row: str, value: T) -> UpsertRow:
        """Return the operation that writes one whether it exists or not, for `transact`."""
        return UpsertRow(self._prefix + row, self._row(value))

    def replacing(self, row: str, value: T, etag: str) -> ReplaceRow:
        """Return the operation that changes the one with this ETag, for `transact`."""
        return ReplaceRow(self._prefix + row, self._row(value), etag)

    def setting(self, row: str, value: T | None, known: Stored[T] | None) -> list[Operation]:
        """Return the operation that writes one, or deletes it if given as None, if it is `known`.

        A transaction with it fails if the row is not as it is known.
        """
        if value is None:
            return [DeleteRow(self._prefix + row, known.etag)] if known is not None else []
        if known is None:
            return [self.inserting(row, value)]
        return [self.replacing(row, value, known.etag)]

    def written(self, row: str, value: T | None, etags: Mapping[str, str]) -> Stored[T] | None:
        """Return what a transaction with `setting` has written, given its ETags."""
        return Stored(value, etags[self._prefix + row]) if value is not None else None

    async def transact(self, partition: str, operations: Sequence[Operation]) -> dict[str, str]:
        """Apply operations to one partition of the table, all or none; see `Tables.transact`."""
        return await self._tables.transact(self.table, partition, operations)

    async def write_many(self, partition: str, values: Mapping[str, T | None]) -> None:
        """Write many models of one partition, or delete those given as None, 100 at a time."""
        await self._tables.write_many(
            self.table,
            partition,
            {
                self._prefix + row: self._row(v) if v is not None else None
                for row, v in values.items()
            },
        )

    async def page(
        self,
        partition: str,
        *,
        size: int,
        token: str | None = None,
        where: Sequence[Condition] = (),
    ) -> Listing[T]:
        """Read up to `size` models of a partition that match all conditions, in row order."""
        return await self._listing((Condition(PARTITION, "eq", partition), *where), size, token)

    async def page_everywhere(self, row: str, *, size: int, token: str | None = None) -> Listing[T]:
        """Read up to `size` models with this row key in any partition; for operators only."""
        return await self._listing((Condition(ROW, "eq", row),), size, token)

    async def count(self, partition: str, where: Sequence[Condition] = ()) -> int:
        """Return how many rows of a partition match all conditions."""
        query, given = self._query((Condition(PARTITION, "eq", partition), *where))
        rows = self._tables.rows(self.table, query, given, [ROW])
        return sum([1 async for _ in rows])

    async def read_columns(
        self,
        partition: str,
        columns: Sequence[str],
        *,
        pages: int,
        where: Sequence[Condition] = (),
    ) -> tuple[list[Row], bool]:
        """Read some columns of a partition's rows, and return whether these are all the rows.

        Reads at most `pages` pages of 1,000 rows each, each in a few milliseconds.
        """
        query, given = self._query((Condition(PARTITION, "eq", partition), *where))
        self._require(columns)
        rows: list[Row] = []
        token: str | None = None
        for _ in range(pages):
            page = await self._tables.page(
                self.table, query, given, token=token, select=[ROW, *columns]
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

        return [stored for stored in await gather_limited(read, rows) if stored is not None]

    async def all(self, partition: str) -> AsyncIterator[Stored[T]]:
        """Read all models of a partition."""
        query, given = self._query((Condition(PARTITION, "eq", partition),))
        async for row in self._tables.rows(self.table, query, given):
            yield self.parsed(row)

    async def everywhere(self, *where: Condition) -> AsyncIterator[tuple[str, Stored[T]]]:
        """Read the whole table, each model with its partition; for timers, of small tables only."""
        query, given = self._query((Condition(PARTITION, "ge", ""), *where))
        async for row in self._tables.rows(self.table, query, given):
            yield row.partition, self.parsed(row)

    async def keys(self, *where: Condition) -> AsyncIterator[tuple[str, str]]:
        """Read the partition and row keys of all tenants' rows that match all conditions."""
        query, given = self._query(where)
        async for row in self._tables.rows(self.table, query, given, [PARTITION, ROW]):
            yield row.partition, row.row

    async def _listing(
        self, where: Sequence[Condition], size: int, token: str | None
    ) -> Listing[T]:
        query, parameters = self._query(where)
        items: list[Stored[T]] = []
        while True:
            page = await self._tables.page(
                self.table, query, parameters, size=size - len(items), token=token
            )
            items += [self.parsed(row) for row in page.rows]
            token = page.token
            # A filtered page may be short, or even empty, although more rows follow.
            if token is None or len(items) >= size:
                return Listing(tuple(items), token)

    def _query(self, where: Sequence[Condition]) -> tuple[str, dict[str, Any]]:
        self._require([condition.column for condition in where])
        own = [Condition(ROW, "ge", self._prefix)] if self._prefix else []
        own += [Condition(ROW, "lt", self._below)] if self._below else []
        return query_of((*where, *own))

    def _require(self, columns: Iterable[str]) -> None:
        """Raise `Defect` for a column that the rows do not have."""
        unknown = set(columns) - KEYS - self._columns.keys()
        if unknown:
            message = f"{self.table} has no column {', '.join(sorted(unknown))}."
            raise Defect(message)

    def _row(self, value: T) -> dict[str, Any]:
        text = value.model_dump_json(by_alias=True)
        body = {
            f"body{index:02d}": text[start : start + _CHARACTERS_PER_COLUMN]
            for index, start in enumerate(range(0, len(text), _CHARACTERS_PER_COLUMN))
        }
        beside = {name: column(value) for name, column in self._columns.items()}
        return {name: known for name, known in beside.items() if known is not None} | body

    def parsed(self, row: Row) -> Stored[T]:
        """Turn a row back into its model."""
        names = sorted(name for name in row.columns if name.startswith("body"))
        text = "".join(row.columns[name] for name in names)
        # Lax, because an older version of the app may have written the row.
        value = self._model.model_validate_json(text, strict=False, extra="ignore")
        return Stored(value, row.etag, row.written)


async def gather_limited[A, B](read: Callable[[A], Awaitable[B]], given: Iterable[A]) -> list[B]:
    """Call `read` for each of the given, 16 at once, and return the results in order."""
    found: list[B] = []
    for part in batched(given, _AT_ONCE, strict=False):
        found += await asyncio.gather(*map(read, part))
    return found
