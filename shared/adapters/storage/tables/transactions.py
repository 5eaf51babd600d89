"""The operations of a transaction: rows of one partition of one table that change together.

`Tables.transact` sends them. Table storage takes at most 100, each on another row; either all take
effect or none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from azure.core import MatchConditions
from azure.data.tables import TransactionOperation

from shared.adapters.storage.tables.entities import entity_of

MAX_TRANSACTION: Final = 100


@dataclass(frozen=True, slots=True)
class InsertRow:
    """Write a new row; the transaction raises `Conflict` if it exists."""

    row: str
    columns: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class UpsertRow:
    """Write a row, whether it exists or not."""

    row: str
    columns: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReplaceRow:
    """Replace the row with this ETag; raises `PreconditionFailed` if it has changed or is gone."""

    row: str
    columns: Mapping[str, Any]
    etag: str


@dataclass(frozen=True, slots=True)
class DeleteRow:
    """Delete a row; raises `PreconditionFailed` if it is gone or has another ETag."""

    row: str
    etag: str | None = None


type Operation = InsertRow | UpsertRow | ReplaceRow | DeleteRow


def step(partition: str, operation: Operation) -> tuple[Any, ...]:
    """Return the operation as the SDK takes it."""
    match operation:
        case InsertRow(row, columns):
            return TransactionOperation.CREATE, entity_of(partition, row, columns)
        case UpsertRow(row, columns):
            entity = entity_of(partition, row, columns)
            return TransactionOperation.UPSERT, entity, {"mode": "replace"}
        case ReplaceRow(row, columns, etag):
            entity = entity_of(partition, row, columns)
            return TransactionOperation.UPDATE, entity, {**matching(etag), "mode": "replace"}
        case DeleteRow(row, etag):
            entity = entity_of(partition, row, {})
            return TransactionOperation.DELETE, entity, matching(etag)


def matching(etag: str | None) -> dict[str, Any]:
    """Return the SDK's arguments that name one version of a row."""
    return {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
