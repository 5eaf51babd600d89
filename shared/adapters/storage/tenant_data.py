"""All stored data of one tenant, in every table of `Table`: to export it and to erase it."""

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from shared.adapters.storage.tables.client import (
    Row,
    Tables,
    foreign_token,
    opaque,
    read_opaque,
    unpack_bytes,
)
from shared.adapters.storage.tables.names import Keyed, Table

_ALL: Final = tuple(table for table in Table if table.keyed is not Keyed.WITHOUT_TENANT)


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

    async def erase(self, tenant: str, keep: str) -> int:
        """Erase all rows of a tenant except the ledger row `keep`; return how many were erased.

        The tenant's own row is erased last, so that an interrupted erasure shows as unfinished,
        and the ledger before it: until then, entries may be added.
        """
        count = 0
        for table in sorted(_ALL, key=lambda name: (name is Table.TENANTS, name is Table.LEDGER)):
            query, parameters = _query(table, tenant)
            token: str | None = None
            while True:
                page = await self._tables.page(
                    table, query, parameters, token=token, select=["PartitionKey", "RowKey"]
                )
                to_erase: dict[str, list[str]] = {}
                for row in page.rows:
                    if (table, row.row) != (Table.LEDGER, keep):
                        to_erase.setdefault(row.partition, []).append(row.row)
                for partition, rows in to_erase.items():
                    await self._tables.write_many(table, partition, dict.fromkeys(rows))
                    count += len(rows)
                token = page.token
                if token is None:
                    break
        return count


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
