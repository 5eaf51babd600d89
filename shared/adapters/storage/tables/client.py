"""Table Storage: rows by key, ETags, pages and packed bytes, with our own errors.

Tables are created on first use.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from typing import Any, Final, cast

from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import TableErrorCode, UpdateMode
from azure.data.tables.aio import TableClient, TableServiceClient

from shared.adapters.storage.tables.continuation import decoded, encoded, foreign_token, mark_of
from shared.adapters.storage.tables.entities import entity_of, is_key
from shared.adapters.storage.tables.names import Table
from shared.adapters.storage.tables.transactions import (
    MAX_TRANSACTION,
    DeleteRow,
    Operation,
    UpsertRow,
    matching,
    step,
)
from shared.domain.errors import (
    Conflict,
    Defect,
    PreconditionFailed,
    Unavailable,
)

BYTES_PER_ROW: Final = 700_000
_BYTES_PER_PROPERTY: Final = 60_000
_RETRY_AFTER: Final = 5.0
_CHANGED: Final = frozenset(
    str(code.value)
    for code in (
        TableErrorCode.CONDITION_NOT_MET,
        TableErrorCode.UPDATE_CONDITION_NOT_SATISFIED,
        TableErrorCode.ENTITY_NOT_FOUND,
        TableErrorCode.RESOURCE_NOT_FOUND,
    )
)
"""The row is gone, or has another ETag."""


@dataclass(frozen=True, slots=True)
class Row:
    """One entity: its keys, ETag and columns, and when storage wrote it, by storage's clock."""

    partition: str
    row: str
    etag: str
    columns: Mapping[str, Any]
    written: datetime | None = None


@dataclass(frozen=True, slots=True)
class RowPage:
    """A page of rows, and the token for the next page (None: this is the last page)."""

    rows: tuple[Row, ...]
    token: str | None


class Tables:
    """All tables of the app; they own the service client, which is tied to the running event loop.

    Every call raises `Unavailable` if storage does not respond.
    """

    def __init__(self, service: TableServiceClient) -> None:
        self._service = service
        self._clients: dict[Table, TableClient] = {}

    async def close(self) -> None:
        """Close the connections."""
        await self._service.close()

    async def get(self, table: Table, partition: str, row: str) -> Row | None:
        """Read a row; None if it does not exist, as under a key that no row can have."""
        if not (is_key(partition) and is_key(row)):
            return None
        return await self._try(table, lambda t: _get(t, partition, row))

    async def insert(
        self, table: Table, partition: str, row: str, columns: Mapping[str, Any]
    ) -> str:
        """Add a row and return its ETag; raises `Conflict` if it exists already."""
        entity = entity_of(partition, row, columns)
        return _etag(await self._try(table, lambda t: t.create_entity(entity)))

    async def upsert(
        self, table: Table, partition: str, row: str, columns: Mapping[str, Any]
    ) -> str:
        """Write a row, whether it exists or not, and return its ETag."""
        entity = entity_of(partition, row, columns)
        return _etag(
            await self._try(table, lambda t: t.upsert_entity(entity, mode=UpdateMode.REPLACE))
        )

    async def replace(
        self, table: Table, partition: str, row: str, columns: Mapping[str, Any], etag: str
    ) -> str:
        """Replace a row and return its new ETag.

        Raises `PreconditionFailed` if the row was deleted or its ETag no longer matches.
        """
        entity = entity_of(partition, row, columns)
        return _etag(
            await self._try(
                table,
                lambda t: t.update_entity(entity, mode=UpdateMode.REPLACE, **matching(etag)),
            )
        )

    async def delete(self, table: Table, partition: str, row: str, etag: str | None = None) -> None:
        """Delete a row, if it still exists.

        Raises `PreconditionFailed` if an ETag is given and no longer matches.
        """
        await self._try(table, lambda t: t.delete_entity(partition, row, **matching(etag)))

    async def page(
        self,
        table: Table,
        query: str,
        parameters: Mapping[str, Any],
        *,
        size: int = 1000,
        token: str | None = None,
        select: Iterable[str] | None = None,
    ) -> RowPage:
        """Read up to `size` (at most 1,000) rows of a query, continuing from `token`.

        Raises `InvalidInput` for a token that storage does not accept.
        """
        try:
            return await self._try(
                table, lambda t: _page(t, query, parameters, size, token, select)
            )
        except Defect as error:
            if token is None:
                raise
            raise foreign_token() from error

    async def rows(
        self,
        table: Table,
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
        self, table: Table, partition: str, select: Iterable[str] | None = None
    ) -> AsyncIterator[Row]:
        """Read all rows of a partition."""
        async for row in self.rows(table, "PartitionKey eq @p", {"p": partition}, select):
            yield row

    async def write_many(
        self, table: Table, partition: str, rows: Mapping[str, Mapping[str, Any] | None]
    ) -> None:
        """Upsert rows of one partition, or delete those given as None, 100 at a time.

        Each hundred is one transaction, unless somebody else deleted one of the rows meanwhile:
        then each row is deleted or written by itself.
        """
        for chunk in batched(rows.items(), MAX_TRANSACTION, strict=False):
            operations = [
                UpsertRow(row, columns) if columns is not None else DeleteRow(row)
                for row, columns in chunk
            ]
            try:
                await self.transact(table, partition, operations)
            except PreconditionFailed:
                for row, columns in chunk:
                    if columns is None:
                        await self.delete(table, partition, row)
                    else:
                        await self.upsert(table, partition, row, columns)

    async def transact(
        self, table: Table, partition: str, operations: Sequence[Operation]
    ) -> dict[str, str]:
        """Apply at most 100 operations (4 MiB) to rows of one partition, all or none.

        Returns the new ETag of each written row. Raises `Conflict` or `PreconditionFailed` if any
        operation does not find its row as it expects. If storage took effect but its answer was
        lost, the SDK's second try raises them too: read the rows again, then decide.
        """
        rows = [operation.row for operation in operations]
        if not rows or len(rows) > MAX_TRANSACTION or len(set(rows)) < len(rows):
            message = f"A transaction takes 1 to {MAX_TRANSACTION} different rows, not {len(rows)}."
            raise Defect(message)
        steps = [step(partition, operation) for operation in operations]
        answers = await self._try(table, lambda t: t.submit_transaction(steps))
        return {
            operation.row: _etag(answer)
            for operation, answer in zip(operations, answers, strict=True)
            if not isinstance(operation, DeleteRow)
        }

    async def delete_partition(
        self, table: Table, partition: str, check: Callable[[], None] = lambda: None
    ) -> None:
        """Delete all rows of a partition; `check` is called before each thousand, and may raise."""
        while True:
            check()
            page = await self.page(
                table, "PartitionKey eq @p", {"p": partition}, select=["PartitionKey", "RowKey"]
            )
            await self.write_many(table, partition, dict.fromkeys(row.row for row in page.rows))
            if page.token is None:
                return

    async def erase_as_read(self, table: Table, rows: Sequence[Row]) -> None:
        """Delete rows of one partition; those that were written since they were read stay."""
        for chunk in batched(rows, MAX_TRANSACTION, strict=False):
            operations = [DeleteRow(row.row, row.etag) for row in chunk]
            try:
                await self.transact(table, chunk[0].partition, operations)
            except PreconditionFailed:
                for row in chunk:
                    with suppress(PreconditionFailed):
                        await self.delete(table, row.partition, row.row, row.etag)

    async def _try[T](self, table: Table, call: Callable[[TableClient], Awaitable[T]]) -> T:
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
        message = f"Too large for one row: {len(data)} bytes (maximum {BYTES_PER_ROW})."
        raise Defect(message)
    return {
        f"data{index:02d}": data[start : start + _BYTES_PER_PROPERTY]
        for index, start in enumerate(range(0, len(data), _BYTES_PER_PROPERTY))
    }


def unpack_bytes(row: Row) -> bytes:
    """Return the bytes that `pack_bytes` spread over a row."""
    names = sorted(name for name in row.columns if name.startswith("data"))
    return b"".join(cast("bytes", row.columns[name]) for name in names)


class _TableMissingError(Exception):
    """The table itself does not exist yet."""


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
        raise _error_of(error) from error
    except AzureError as error:
        message = "Table storage is not responding."
        raise Unavailable(message, _RETRY_AFTER) from error


def _error_of(error: HttpResponseError) -> Exception:
    """Return our error for an answer that has no class of its own in the SDK."""
    # So is every answer to a transaction.
    if _code(error) == TableErrorCode.ENTITY_ALREADY_EXISTS:
        return Conflict("already_exists")
    if _code(error) in _CHANGED:
        return PreconditionFailed("changed_meanwhile")
    if error.status_code is not None and error.status_code < 500 and error.status_code != 429:
        return Defect(f"Table storage rejected a request: {error.status_code} {_code(error)}.")
    return Unavailable("Table storage is temporarily unavailable.", _RETRY_AFTER)


def _code(error: HttpResponseError) -> str:
    code = getattr(error, "error_code", None) or ""
    if not code and TableErrorCode.TABLE_NOT_FOUND.value in str(error):
        # create_entity does not parse the code from the body (seen with 12.7.0).
        code = TableErrorCode.TABLE_NOT_FOUND
    return str(getattr(code, "value", code))


def _etag(answer: Mapping[str, Any]) -> str:
    return str(answer["etag"])


def _row(entity: Mapping[str, Any]) -> Row:
    columns = {k: v for k, v in entity.items() if k not in {"PartitionKey", "RowKey"}}
    metadata: Mapping[str, Any] = getattr(entity, "metadata", {})
    return Row(
        partition=str(entity.get("PartitionKey", "")),
        row=str(entity.get("RowKey", "")),
        etag=str(metadata.get("etag", "")),
        columns=columns,
        written=metadata.get("timestamp"),
    )


async def _get(table: TableClient, partition: str, row: str) -> Row | None:
    try:
        return _row(await table.get_entity(partition, row))
    except ResourceNotFoundError as error:
        if _code(error) == TableErrorCode.TABLE_NOT_FOUND:
            raise
        return None


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
    # The SDK's tokens are pairs of keys, although it declares them as text.
    mark = mark_of(table.table_name, query, parameters)
    start = decoded(token, mark) if token is not None else None
    pages = found.by_page(continuation_token=cast("str | None", start))
    rows: list[Row] = []
    async for page in pages:
        rows = [_row(entity) async for entity in page]
        break
    following = getattr(pages, "continuation_token", None)
    if following is None:
        return RowPage(tuple(rows), None)
    return RowPage(tuple(rows), encoded(following, mark))
