"""Table Storage: rows by key, ETags, pages and packed bytes, with our own errors.

Sizes are checked here, since the emulator does not (an entity has at most 1 MiB and 252
properties, a property 64 KiB; docs: Understanding the Table service data model). Tables are made
on first use.
"""

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from itertools import batched
from typing import Any, Final, cast

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import TableErrorCode, TransactionOperation, UpdateMode
from azure.data.tables.aio import TableClient, TableServiceClient

from shared.domain.errors import (
    Conflict,
    Defect,
    FieldError,
    InvalidInput,
    PreconditionFailed,
    Unavailable,
)

MAX_TRANSACTION: Final = 100
BYTES_PER_ROW: Final = 700_000
_BYTES_PER_PROPERTY: Final = 60_000
_RETRY_AFTER: Final = 5.0
_FORBIDDEN: Final = frozenset("/\\#?")


@dataclass(frozen=True, slots=True)
class Row:
    """One entity: its keys, its ETag and its columns."""

    partition: str
    row: str
    etag: str
    columns: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RowPage:
    """Some rows, and the token by which the next ones are read (None: there are none)."""

    rows: tuple[Row, ...]
    token: str | None


class Tables:
    """All tables of the app. Every call may raise `Unavailable` when storage does not answer."""

    def __init__(self, service: TableServiceClient) -> None:
        """Use a service client, which belongs to the running event loop and is closed with us."""
        self._service = service
        self._clients: dict[str, TableClient] = {}

    async def close(self) -> None:
        """Close the connections."""
        await self._service.close()

    async def get(self, table: str, partition: str, row: str) -> Row | None:
        """Read one row, or None if there is none."""
        return await self._try(table, lambda t: _get(t, partition, row))

    async def insert(self, table: str, partition: str, row: str, columns: Mapping[str, Any]) -> str:
        """Write a row that is new and answer its ETag; `Conflict` if it is there already."""
        entity = _entity(partition, row, columns)
        return _etag(await self._try(table, lambda t: t.create_entity(entity)))

    async def upsert(self, table: str, partition: str, row: str, columns: Mapping[str, Any]) -> str:
        """Write a row whether it is there or not, and answer its ETag."""
        entity = _entity(partition, row, columns)
        return _etag(
            await self._try(table, lambda t: t.upsert_entity(entity, mode=UpdateMode.REPLACE))
        )

    async def replace(
        self, table: str, partition: str, row: str, columns: Mapping[str, Any], etag: str
    ) -> str:
        """Replace the row of this ETag; `PreconditionFailed` if it was changed or is gone."""
        entity = _entity(partition, row, columns)
        return _etag(
            await self._try(
                table,
                lambda t: t.update_entity(
                    entity,
                    mode=UpdateMode.REPLACE,
                    etag=etag,
                    match_condition=MatchConditions.IfNotModified,
                ),
            )
        )

    async def delete(self, table: str, partition: str, row: str, etag: str | None = None) -> None:
        """Delete a row; with an ETag only that version (`PreconditionFailed`). Gone is fine."""
        match: dict[str, Any] = (
            {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
        )
        await self._try(table, lambda t: t.delete_entity(partition, row, **match))

    async def page(
        self,
        table: str,
        query: str,
        parameters: Mapping[str, Any],
        *,
        size: int = 1000,
        token: str | None = None,
        select: Iterable[str] | None = None,
    ) -> RowPage:
        """Read up to `size` (at most 1,000) rows of a query, going on from `token`."""
        return await self._try(table, lambda t: _page(t, query, parameters, size, token, select))

    async def rows(
        self,
        table: str,
        query: str,
        parameters: Mapping[str, Any],
        select: Iterable[str] | None = None,
    ) -> AsyncIterator[Row]:
        """Read all rows of a query, page by page."""
        token: str | None = None
        chosen = list(select) if select is not None else None
        while True:
            page = await self.page(table, query, parameters, token=token, select=chosen)
            for row in page.rows:
                yield row
            token = page.token
            if token is None:
                return

    async def partition(
        self, table: str, partition: str, select: Iterable[str] | None = None
    ) -> AsyncIterator[Row]:
        """Read all rows of a partition."""
        async for row in self.rows(table, "PartitionKey eq @p", {"p": partition}, select):
            yield row

    async def write_many(
        self, table: str, partition: str, rows: Mapping[str, Mapping[str, Any] | None]
    ) -> None:
        """Upsert (or, for None, delete) rows of one partition, 100 at a time.

        Each hundred takes effect as a whole; deleting what is gone is an error of storage, so
        name only rows that are there.
        """
        operations = [
            (
                (TransactionOperation.UPSERT, _entity(partition, row, columns), {"mode": "replace"})
                if columns is not None
                else (TransactionOperation.DELETE, _entity(partition, row, {}), {})
            )
            for row, columns in rows.items()
        ]
        for chunk in batched(operations, MAX_TRANSACTION, strict=False):
            await self._try(table, partial(_submit, chunk))

    async def delete_partition(self, table: str, partition: str) -> int:
        """Delete all rows of a partition and answer how many there were."""
        keys = [
            row.row async for row in self.partition(table, partition, ["PartitionKey", "RowKey"])
        ]
        await self.write_many(table, partition, dict.fromkeys(keys))
        return len(keys)

    async def _try[T](self, table: str, call: Callable[[TableClient], Awaitable[T]]) -> T:
        client = self._clients.get(table)
        if client is None:
            client = self._clients[table] = self._service.get_table_client(table)
        try:
            return await _translated(call(client))
        except _TableMissingError:
            await _translated(self._service.create_table_if_not_exists(table))
            return await _translated(call(client))


def pack_bytes(data: bytes) -> dict[str, Any]:
    """Spread up to `BYTES_PER_ROW` bytes over the binary columns of one row."""
    if len(data) > BYTES_PER_ROW:
        message = f"{len(data)} bytes do not fit one row of {BYTES_PER_ROW}"
        raise Defect(message)
    return {
        f"data{index:02d}": data[start : start + _BYTES_PER_PROPERTY]
        for index, start in enumerate(range(0, len(data), _BYTES_PER_PROPERTY))
    }


def unpack_bytes(row: Row) -> bytes:
    """Put the bytes of a row written with `pack_bytes` together again."""
    names = sorted(name for name in row.columns if name.startswith("data"))
    return b"".join(cast("bytes", row.columns[name]) for name in names)


class _TableMissingError(Exception):
    """The table itself is not there yet."""


async def _translated[T](call: Awaitable[T]) -> T:
    try:
        return await call
    except ResourceNotFoundError as error:
        if _code(error) == TableErrorCode.TABLE_NOT_FOUND:
            raise _TableMissingError from error
        raise PreconditionFailed("changed_meanwhile") from error
    except ResourceExistsError as error:
        raise Conflict("already_exists") from error
    except ResourceModifiedError as error:
        raise PreconditionFailed("changed_meanwhile") from error
    except HttpResponseError as error:
        if _code(error) == TableErrorCode.TABLE_NOT_FOUND:
            raise _TableMissingError from error
        if error.status_code is not None and error.status_code < 500 and error.status_code != 429:
            message = f"Table storage refused a request with {error.status_code} {_code(error)}."
            raise Defect(message) from error
        message = "Table storage is not available for the moment."
        raise Unavailable(message, _RETRY_AFTER) from error
    except AzureError as error:
        message = "Table storage does not answer."
        raise Unavailable(message, _RETRY_AFTER) from error


def _code(error: HttpResponseError) -> str:
    code = getattr(error, "error_code", None) or ""
    if not code and TableErrorCode.TABLE_NOT_FOUND.value in str(error):
        # create_entity does not take the code out of the body (seen with 12.7.0).
        code = TableErrorCode.TABLE_NOT_FOUND
    return str(getattr(code, "value", code))


def _etag(answer: Mapping[str, Any]) -> str:
    return str(answer["etag"])


def _entity(partition: str, row: str, columns: Mapping[str, Any]) -> dict[str, Any]:
    for key in (partition, row):
        if not key or len(key) > 512 or _FORBIDDEN & set(key) or not key.isprintable():
            message = "A table key is empty, too long or holds / \\ # ? or control characters."
            raise Defect(message)
    size = sum(_size(value) for value in columns.values())
    if len(columns) > 250 or size > 1_000_000:
        message = f"A row of {len(columns)} columns and {size} bytes is too large for a table."
        raise Defect(message)
    return {**columns, "PartitionKey": partition, "RowKey": row}


def _size(value: object) -> int:
    match value:
        case bytes():
            size = len(value)
        case str():
            size = len(value.encode("utf-16-le"))
        case _:
            return 16
    if size > 65_536:
        message = f"A column of {size} bytes is too large for a table."
        raise Defect(message)
    return size


def _row(entity: Mapping[str, Any]) -> Row:
    columns = {k: v for k, v in entity.items() if k not in {"PartitionKey", "RowKey"}}
    metadata: Mapping[str, Any] = getattr(entity, "metadata", {})
    return Row(
        partition=str(entity.get("PartitionKey", "")),
        row=str(entity.get("RowKey", "")),
        etag=str(metadata.get("etag", "")),
        columns=columns,
    )


async def _get(table: TableClient, partition: str, row: str) -> Row | None:
    try:
        return _row(await table.get_entity(partition, row))
    except ResourceNotFoundError as error:
        if _code(error) == TableErrorCode.TABLE_NOT_FOUND:
            raise
        return None


async def _submit(operations: Iterable[Any], table: TableClient) -> None:
    await table.submit_transaction(operations)


async def _page(
    table: TableClient,
    query: str,
    parameters: Mapping[str, Any],
    size: int,
    token: str | None,
    select: Iterable[str] | None,
) -> RowPage:
    found = table.query_entities(
        query,
        parameters=dict(parameters),
        results_per_page=min(size, 1000),
        select=list(select) if select is not None else None,
    )
    # The SDK's tokens are pairs of keys, though its annotation says text.
    mark = _mark(query, parameters)
    pages = found.by_page(continuation_token=cast("str | None", _decode(token, mark)))
    rows: list[Row] = []
    async for page in pages:
        rows = [_row(entity) async for entity in page]
        break
    return RowPage(tuple(rows), _encode(getattr(pages, "continuation_token", None), mark))


def _mark(query: str, parameters: Mapping[str, Any]) -> str:
    """What tells the tokens of one list from those of another."""
    text = json.dumps([query, sorted(parameters.items())], default=str)
    return blake2b(text.encode(), digest_size=9).hexdigest()


def _encode(token: object, mark: str) -> str | None:
    """A continuation token is a pair of keys, of which one may be absent; made one opaque text."""
    match token:
        case {"PartitionKey": partition, "RowKey": row}:
            return opaque([mark, partition, row])
        case _:
            return None


def _decode(token: str | None, mark: str) -> dict[str, str | None] | None:
    if token is None:
        return None
    match read_opaque(token):
        case [str(given), str() | None as partition, str() | None as row] if given == mark:
            return {"PartitionKey": partition, "RowKey": row}
    raise foreign_token()


def opaque(values: Sequence[object]) -> str:
    """Values of JSON as a continuation token, one text that means nothing to who is given it."""
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()


def read_opaque(token: str) -> object:
    """The values in a continuation token, or None if it is none of ours."""
    try:
        return json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, RecursionError):
        return None


def foreign_token() -> InvalidInput:
    """What is wrong with a token that is not one of the list it was given for."""
    return InvalidInput.of(FieldError("next", "token_foreign"))
