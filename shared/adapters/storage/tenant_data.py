"""All stored data of one tenant, in every table of `Table`: to export it and to erase it."""

import asyncio
import base64
import json
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import batched
from typing import Any, Final

import orjson

from shared.adapters.storage.tables.client import Row, Tables, unpack_bytes
from shared.adapters.storage.tables.continuation import foreign_token, opaque, read_opaque
from shared.adapters.storage.tables.names import Keyed, Table

_PARTITIONS_AT_ONCE: Final = 32
_ALL: Final = tuple(table for table in Table if table.keyed is not Keyed.WITHOUT_TENANT)

_ERASED: Final = tuple(
    sorted(
        (table for table in _ALL if table is not Table.TENANTS),
        key=lambda table: table is Table.LEDGER,
    )
)
"""The ledger comes last: until then, entries may be added."""


@dataclass(frozen=True, slots=True)
class TenantDataRow:
    """One row: its table, its keys, and its decoded content."""

    table: str
    partition: str
    row: str
    value: object


@dataclass(frozen=True, slots=True)
class TenantDataPage:
    """A page of rows, and the token for the next page."""

    items: tuple[TenantDataRow, ...]
    token: str | None


class TenantData:
    """The rows of each tenant."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def page(self, tenant: str, size: int, token: str | None) -> TenantDataPage:
        """Read a page of a tenant's rows, table by table; `InvalidInput` for a foreign token."""
        table, inner = _decoded(token)
        found: list[TenantDataRow] = []
        while table < len(_ALL):
            query, parameters = _query(_ALL[table], tenant)
            page = await self._tables.page(
                _ALL[table], query, parameters, size=size - len(found), token=inner
            )
            found += [_tenant_data_row(_ALL[table], row) for row in page.rows]
            table, inner = (table, page.token) if page.token else (table + 1, None)
            if len(found) >= size:
                break
        more = opaque([table, inner]) if table < len(_ALL) else None
        return TenantDataPage(tuple(found), more)

    async def erase(self, tenant: str, keep: str, check: Callable[[], Awaitable[None]]) -> None:
        """Erase all rows of a tenant except the ledger row `keep` and its own row.

        What a late worker writes meanwhile is erased as well. `check` is called after rows are read
        and before they are erased, and raises if the work must not go on: rows of a tenant that
        joins again after that have other ETags, and stay.
        """
        while any([await self._erase_rows(table, tenant, keep, check) for table in _ERASED]):
            pass

    async def _erase_rows(
        self, table: Table, tenant: str, keep: str, check: Callable[[], Awaitable[None]]
    ) -> bool:
        """Erase what a table has of a tenant; return whether it had anything."""
        query, parameters = _query(table, tenant)
        found, token = False, None
        while True:
            page = await self._tables.page(
                table, query, parameters, token=token, select=["PartitionKey", "RowKey"]
            )
            by_partition: dict[str, list[Row]] = {}
            for row in page.rows:
                if (table, row.row) != (Table.LEDGER, keep):
                    by_partition.setdefault(row.partition, []).append(row)
            for chunk in batched(by_partition.values(), _PARTITIONS_AT_ONCE, strict=False):
                await check()
                await asyncio.gather(*(self._tables.erase_as_read(table, rows) for rows in chunk))
            found, token = found or bool(by_partition), page.token
            if token is None:
                return found


def _query(table: Table, tenant: str) -> tuple[str, Mapping[str, Any]]:
    if table.keyed is Keyed.BY_TENANT:
        return "PartitionKey eq @tenant", {"tenant": tenant}
    return "PartitionKey ge @low and PartitionKey lt @high", {
        "low": f"{tenant}|",
        "high": f"{tenant}}}",
    }


def _tenant_data_row(table: Table, row: Row) -> TenantDataRow:
    bodies = sorted(name for name in row.columns if name.startswith("body"))
    if bodies:
        value: object = json.loads("".join(row.columns[name] for name in bodies))
    elif any(name.startswith("data") for name in row.columns):
        value = _unpacked(unpack_bytes(row))
    else:
        value = {name: str(v) for name, v in row.columns.items() if not name.startswith("odata")}
    return TenantDataRow(table.value, row.partition, row.row, value)


def _unpacked(raw: bytes) -> object:
    """Return a list of contacts as JSON, and a photo or a part of a list as base64."""
    try:
        return orjson.loads(zlib.decompress(raw))
    except (zlib.error, orjson.JSONDecodeError):
        return base64.b64encode(raw).decode()


def _decoded(token: str | None) -> tuple[int, str | None]:
    if token is None:
        return 0, None
    match read_opaque(token):
        case [int(table), str() | None as inner] if 0 <= table < len(_ALL):
            return table, inner
    raise foreign_token()
