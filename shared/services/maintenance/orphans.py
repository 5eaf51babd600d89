"""Erases rows whose owner is gone: a tenant, an import or a share.

A worker that was late, or was killed, may leave a row behind what was erased. The owners are read
after the rows, and a row is erased only as it was read: so nothing of a tenant that joins again in
that moment is lost.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from shared.adapters.storage.records import Stored, gather_limited
from shared.adapters.storage.store import CLAIMS_OF_IMPORT, SEAT_COUNT, Store, newcomers_of
from shared.adapters.storage.tables.client import Row
from shared.adapters.storage.tables.conditions import PARTITION, ROW, Condition, query_of
from shared.adapters.storage.tables.names import Keyed, Table
from shared.domain.errors import PreconditionFailed
from shared.domain.events import Swept
from shared.domain.importing.imports import Import
from shared.domain.importing.messages import MaintainRange
from shared.domain.sharing.shares import Share
from shared.services.licensing.seats import SeatBook
from shared.services.maintenance.range_tasks import RangeTask, RowStep

_WITHOUT: Final = frozenset({Table.TENANTS, Table.LEDGER})
"""Nobody owns a tenant's own row, and the ledger outlives its tenant."""
SWEPT: Final = tuple(
    table for table in Table if table.keyed is not Keyed.WITHOUT_TENANT and table not in _WITHOUT
)
_OF_IMPORTS: Final = frozenset({Table.MAILBOX_HEADS, Table.MAILBOX_CONTACTS})
_OF_SHARES: Final = frozenset({Table.SHARE_FACTS})


class OrphansTask(RangeTask):
    """Erases the rows of one table whose owner is gone."""

    def __init__(self, store: Store, table: Table) -> None:
        self.table = table
        self._store = store
        self._count = 0

    async def steps(self, rows: Sequence[Row]) -> Sequence[RowStep]:
        """Return a step for each row whose owner is gone."""
        tenants = await self._existing(Table.TENANTS, rows)
        gone = {row.partition for row in rows if _tenant(row) not in tenants}
        left = [row for row in rows if row.partition not in gone]
        orphans = [row for row in rows if row.partition in gone]
        orphans += await self._without_owner(left)

        def step(row: Row) -> RowStep:
            return RowStep(row, lambda: self._erase(row))

        return [step(row) for row in sorted(orphans, key=lambda r: (r.partition, r.row))]

    def event(self, message: MaintainRange) -> Swept | None:
        """Return how many rows were erased."""
        del message
        return Swept(orphans=self._count) if self._count else None

    async def _without_owner(self, rows: Sequence[Row]) -> list[Row]:
        """Return the rows, of tenants that exist, whose import or share is gone."""
        if not rows:
            return []
        if self.table in _OF_IMPORTS:
            imports = await self._existing(Table.IMPORTS, rows)
            return [row for row in rows if "|".join(row.partition.split("|")[:2]) not in imports]
        if self.table in _OF_SHARES:
            shares = await self._existing(Table.SHARES, rows)
            return [r for r in rows if f"{r.partition}|{r.row.removeprefix('~')}" not in shares]
        if self.table is Table.SUBSCRIBERS:
            found = await gather_limited(self._owner, rows)
            return [row for row, known in zip(rows, found, strict=True) if known is None]
        return []

    async def _owner(self, row: Row) -> Stored[Import] | Stored[Share] | None:
        """Return the import of a subscriber, or the share to which a tenant is new."""
        publisher = _tenant(row)
        first, second = row.row.split("|")
        if row.partition == newcomers_of(publisher):
            return await self._store.shares.get(publisher, first)
        return await self._store.imports.get(first, second)

    async def _existing(self, table: Table, rows: Sequence[Row]) -> frozenset[str]:
        """Return the tenants, or the imports or shares as `tenant|id`, that may own the rows."""
        if not rows:
            return frozenset()
        first, last = _tenant(rows[0]), _tenant(rows[-1])
        query, given = query_of(
            (Condition(PARTITION, "ge", first), Condition(PARTITION, "le", last))
        )
        found = self._store.tables.rows(table, query, given, [PARTITION, ROW])
        if table is Table.TENANTS:
            return frozenset([row.partition async for row in found])
        return frozenset([f"{row.partition}|{row.row}" async for row in found])

    async def _erase(self, row: Row) -> None:
        try:
            await self._store.tables.delete(self.table, row.partition, row.row, row.etag or None)
        except PreconditionFailed:
            return  # somebody has just written it
        self._count += 1


class SeatsTask(RangeTask):
    """Releases the seats of imports that are gone."""

    table = Table.SEATS
    columns = None

    def __init__(self, store: Store, seats: SeatBook) -> None:
        self._store = store
        self._seats = seats
        self._count = 0

    async def steps(self, rows: Sequence[Row]) -> Sequence[RowStep]:
        """Return a step for each import that is gone, at the first row that names it."""
        named: dict[tuple[str, str], Row] = {}
        for row in rows:
            for import_id in self._imports(row):
                named.setdefault((row.partition, import_id), row)
        known = await gather_limited(lambda key: self._store.imports.get(*key), named)

        def step(row: Row, import_id: str) -> RowStep:
            return RowStep(row, lambda: self._release(row.partition, import_id))

        return [
            step(row, key[1])
            for (key, row), found in zip(named.items(), known, strict=True)
            if found is None
        ]

    def event(self, message: MaintainRange) -> Swept | None:
        """Return of how many imports seats were released."""
        del message
        return Swept(orphans=self._count) if self._count else None

    def _imports(self, row: Row) -> Iterable[str]:
        if row.row.startswith(CLAIMS_OF_IMPORT):
            return (row.row.removeprefix(CLAIMS_OF_IMPORT),)
        if row.row.startswith(SEAT_COUNT):
            return ()
        return self._store.seats.parsed(row).value.imports

    async def _release(self, tenant: str, import_id: str) -> None:
        await self._seats.leave(tenant, import_id)
        self._count += 1


def _tenant(row: Row) -> str:
    return row.partition.split("|", 1)[0]
