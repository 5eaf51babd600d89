"""Tables in memory: what Azure's service does with entities, without its delays.

Errors are those that the SDK raises for the service's answers.
"""

import copy
import itertools
from bisect import bisect_left, insort
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import TableEntity, TableTransactionError

from tests.simulation.storage.filters import read_filter

type Key = tuple[str, str]

MOST_IN_PAGE = 1_000
MOST_IN_TRANSACTION = 100
MOST_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class Entity:
    """One stored entity; its properties are never changed, only replaced."""

    properties: Mapping[str, Any]
    etag: str
    written: datetime


@dataclass(slots=True)
class Table:
    """One table: its entities, and their keys in order."""

    rows: dict[Key, Entity] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Page:
    """Some entities of a query, and the key at which the next page begins (None: no more)."""

    entities: Sequence[TableEntity]
    following: Key | None


class TableStore:
    """All tables of an account. Each call takes effect at once, as a whole or not at all."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.tables: dict[str, Table] = {}
        self.most_bytes = MOST_BYTES
        self._now = now
        self._etags = itertools.count(1)

    def snapshot(self) -> dict[str, Table]:
        """Return a copy of all tables, to go back to."""
        return {n: Table(dict(t.rows), list(t.keys)) for n, t in self.tables.items()}

    def restore(self, saved: Mapping[str, Table]) -> None:
        """Go back to a copy; etags go on counting, as a restored account has new ones."""
        self.tables = {n: Table(dict(t.rows), list(t.keys)) for n, t in saved.items()}

    def create(self, table: str) -> None:
        if table in self.tables:
            raise _error(ResourceExistsError, 409, "TableAlreadyExists")
        self.tables[table] = Table()

    def get(self, table: str, key: Key, select: Sequence[str] | None = None) -> TableEntity:
        found = self._table(table).rows.get(key)
        if found is None:
            raise _error(ResourceNotFoundError, 404, "ResourceNotFound")
        return _shown(found, select)

    def insert(self, table: str, properties: Mapping[str, Any]) -> str:
        place, key = self._table(table), key_of(properties)
        if key in place.rows:
            raise _error(ResourceExistsError, 409, "EntityAlreadyExists")
        return self._write(place, key, properties)

    def upsert(self, table: str, properties: Mapping[str, Any], *, merge: bool = False) -> str:
        place, key = self._table(table), key_of(properties)
        before = place.rows.get(key)
        if merge and before is not None:
            properties = {**before.properties, **properties}
        return self._write(place, key, properties)

    def update(
        self, table: str, properties: Mapping[str, Any], etag: str | None, *, merge: bool = False
    ) -> str:
        place, key = self._table(table), key_of(properties)
        before = place.rows.get(key)
        if before is None:
            raise _error(ResourceNotFoundError, 404, "ResourceNotFound")
        _require(before, etag)
        return self._write(place, key, {**before.properties, **properties} if merge else properties)

    def delete(self, table: str, key: Key, etag: str | None) -> None:
        place = self._table(table)
        before = place.rows.get(key)
        if before is None:
            raise _error(ResourceNotFoundError, 404, "ResourceNotFound")
        _require(before, etag)
        del place.rows[key]
        del place.keys[bisect_left(place.keys, key)]

    def transact(self, table: str, operations: Sequence[Callable[[], str | None]]) -> list[Any]:
        """Do all of the operations (calls of this store on one partition), or none."""
        place = self._table(table)
        if len(operations) > MOST_IN_TRANSACTION:
            raise _transaction_error(400, "InvalidInput", MOST_IN_TRANSACTION)
        before = Table(dict(place.rows), list(place.keys))
        found: list[Any] = []
        for number, operation in enumerate(operations):
            try:
                etag = operation()
            except HttpResponseError as error:
                place.rows, place.keys = before.rows, before.keys
                raise _transaction_error(
                    int(error.status_code or 500), str(getattr(error, "error_code", "")), number
                ) from error
            found.append({"etag": etag} if etag is not None else {})
        return found

    def query(
        self,
        table: str,
        text: str,
        parameters: Mapping[str, Any],
        size: int,
        start: Key | None,
        select: Sequence[str] | None,
    ) -> Page:
        """Return up to `size` entities in the order of their keys, from `start` on."""
        place, wanted = self._table(table), read_filter(text)
        low, partition_end = _range(wanted.bounds, parameters)
        if start is not None:
            low = max(low, start)
        found: list[TableEntity] = []
        keys = place.keys
        for number in range(bisect_left(keys, low), len(keys)):
            key = keys[number]
            if partition_end is not None and key[0] > partition_end:
                break
            entity = place.rows[key]
            if not wanted.test(entity.properties, parameters):
                continue
            if len(found) == size:
                return Page(found, key)
            found.append(_shown(entity, select))
        return Page(found, None)

    def _table(self, name: str) -> Table:
        found = self.tables.get(name)
        if found is None:
            raise _error(ResourceNotFoundError, 404, "TableNotFound")
        return found

    def _write(self, place: Table, key: Key, properties: Mapping[str, Any]) -> str:
        etag = f"W/\"datetime'2026-11-30T00%3A00%3A00.{next(self._etags):07d}Z'\""
        if _size(properties) > self.most_bytes:
            raise _error(HttpResponseError, 400, "EntityTooLarge")
        if key not in place.rows:
            insort(place.keys, key)
        kept = {name: value for name, value in properties.items() if value is not None}
        place.rows[key] = Entity(kept, etag, self._now())
        return etag


def _size(properties: Mapping[str, Any]) -> int:
    return sum(
        len(value) * (2 if isinstance(value, str) else 1)
        for value in properties.values()
        if isinstance(value, str | bytes)
    )


def key_of(properties: Mapping[str, Any]) -> Key:
    """Return the key of an entity."""
    return properties["PartitionKey"], properties["RowKey"]


def _shown(entity: Entity, select: Sequence[str] | None) -> TableEntity:
    properties = entity.properties
    if select is not None:
        properties = {name: properties[name] for name in select if name in properties}
    shown = TableEntity(copy.copy(dict(properties)))
    shown._metadata = {"etag": entity.etag, "timestamp": entity.written}
    return shown


def _range(
    bounds: Sequence[tuple[str, str, Any]], parameters: Mapping[str, Any]
) -> tuple[Key, str | None]:
    """Return the first key that a filter may find, and the last partition."""
    low: dict[str, str] = {}
    end: str | None = None
    for name, word, value in bounds:
        text = parameters[value[1:]] if value[:1] == "@" else str(value)
        if word in {"eq", "ge", "gt"}:
            low[name] = max(low.get(name, ""), text)
        if name == "PartitionKey" and word in {"eq", "le", "lt"}:
            end = text if end is None else min(end, text)
    exact = low.get("PartitionKey", "") == end
    return (low.get("PartitionKey", ""), low.get("RowKey", "") if exact else ""), end


def _require(before: Entity, etag: str | None) -> None:
    if etag is not None and etag not in {"*", before.etag}:
        raise _error(ResourceModifiedError, 412, "UpdateConditionNotSatisfied")


def _error[E: HttpResponseError](kind: type[E], status: int, code: str) -> E:
    error = kind(message=code)
    error.status_code = status
    error.error_code = code  # type: ignore[attr-defined]
    return error


def _transaction_error(status: int, code: str, index: int) -> TableTransactionError:
    error = TableTransactionError(message=f"{index}:{code}")
    error.status_code = status
    error.error_code = code  # type: ignore[attr-defined]
    error.index = index
    return error
