"""The nightly sweeps: erase what has expired, row by row, in the tables of all tenants."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from shared.adapters.storage.snapshots import BEGUN
from shared.adapters.storage.store import DELIVERIES, LEDGER_FEED, LEDGER_HEAD, Store
from shared.adapters.storage.tables.client import Row
from shared.adapters.storage.tables.conditions import ROW, Condition
from shared.adapters.storage.tables.names import Table
from shared.domain.events import Swept
from shared.domain.importing.messages import MaintainRange
from shared.domain.importing.schedule import newest_first
from shared.domain.notices.deliveries import KEPT_FOR
from shared.services.checks.tenant_checks import TenantChecks
from shared.services.idempotency import KEPT
from shared.services.importing.run_closing import SNAPSHOT_AGE, RunClosing
from shared.services.maintenance.range_tasks import RangeTask, RowStep
from shared.services.sharing.shares import WITHDRAWN_KEPT
from shared.services.tenancy.ledger import Ledger

type Erase = Callable[[Row], Awaitable[int]]
"""Erases what a row is about, and returns how many rows that were."""


class Sweep(RangeTask):
    """Erases the rows that a table has of one kind; `told` is the event for how many they were."""

    def __init__(
        self,
        table: Table,
        told: Callable[[int], Swept],
        erase: Erase,
        conditions: Callable[[datetime], Sequence[Condition]],
    ) -> None:
        self.table = table
        self._told = told
        self._erase = erase
        self._conditions = conditions
        self._count = 0

    def conditions(self, at: datetime) -> Sequence[Condition]:
        """Return which rows have expired at a time."""
        return self._conditions(at)

    async def steps(self, rows: Sequence[Row]) -> Sequence[RowStep]:
        """Return a step for each expired row."""

        def step(row: Row) -> RowStep:
            return RowStep(row, lambda: self._sweep(row))

        return [step(row) for row in rows]

    def event(self, message: MaintainRange) -> Swept:
        """Return how many rows were erased."""
        del message
        return self._told(self._count)

    async def _sweep(self, row: Row) -> None:
        self._count += await self._erase(row)


def snapshots(closing: RunClosing) -> Sweep:
    """Erase the snapshots that no run needs any more, also incomplete ones."""
    return Sweep(
        Table.SNAPSHOTS,
        lambda count: Swept(snapshots=count),
        lambda row: closing.sweep_snapshot(row.partition),
        lambda at: (Condition(ROW, "eq", BEGUN), Condition("written", "lt", at - SNAPSHOT_AGE)),
    )


def runs(closing: RunClosing, kept: timedelta) -> Sweep:
    """Delete old runs with their results."""

    async def erase(row: Row) -> bool:
        await closing.erase_run(row.partition, row.row)
        return True

    return Sweep(
        Table.RUNS,
        lambda count: Swept(runs=count),
        erase,
        lambda at: (Condition(ROW, "ge", newest_first(at - kept)),),
    )


def ledger(entries: Ledger, kept: timedelta) -> Sweep:
    """Delete old entries of the ledger, or the names in them."""
    return Sweep(
        Table.LEDGER,
        lambda count: Swept(ledger_entries=count),
        lambda row: entries.expire(row.partition, row.row),
        lambda at: (
            Condition(ROW, "ge", newest_first(at - kept)),
            Condition(ROW, "lt", LEDGER_FEED),
        ),
    )


def ledger_feed(numbered: Ledger, kept: timedelta, clock: Callable[[], datetime]) -> Sweep:
    """Delete old numbered entries of the ledger, tenant by tenant."""
    return Sweep(
        Table.LEDGER,
        lambda count: Swept(ledger_entries=count),
        lambda row: numbered.sweep(row.partition, clock() - kept),
        lambda _: (Condition(ROW, "eq", LEDGER_HEAD),),
    )


def idempotency_keys(store: Store) -> Sweep:
    """Delete idempotency keys that have expired."""
    return Sweep(
        Table.IDEMPOTENCY,
        lambda count: Swept(keys=count),
        _deleting(store, Table.IDEMPOTENCY),
        lambda at: (Condition("when", "lt", at - KEPT),),
    )


def share_ids(store: Store) -> Sweep:
    """Delete the ids of shares that were withdrawn long ago.

    An import of a partner that has not run since then fails with `share_not_found` and removes
    nothing.
    """

    async def erase(row: Row) -> bool:
        stored = await store.share_index.get(row.partition, row.row)
        if stored is not None and (publisher := stored.value.publisher):
            if await store.shares.get(publisher, stored.value.share) is not None:
                # The withdrawal was refused in the end.
                known = stored.value.copy_with(withdrawn=None)
                await store.share_index.upsert(row.partition, row.row, known)
                return False
            await store.share_ids.delete(publisher, row.partition)
        await store.share_index.delete(row.partition, row.row)
        return True

    return Sweep(
        Table.SHARE_INDEX,
        lambda count: Swept(keys=count),
        erase,
        lambda at: (Condition("gone", "lt", at - WITHDRAWN_KEPT),),
    )


def tenant_checks(checks: TenantChecks) -> Sweep:
    """Erase old checks, and go on with those that left something in a mailbox."""
    return Sweep(
        Table.TENANT_CHECKS,
        lambda count: Swept(checks=count),
        lambda row: checks.sweep(row.partition),
        lambda _: (),
    )


def deliveries(store: Store) -> Sweep:
    """Delete old deliveries of notices."""
    return Sweep(
        Table.NOTICES,
        lambda count: Swept(keys=count),
        _deleting(store, Table.NOTICES),
        lambda at: (Condition(ROW, "ge", f"{DELIVERIES}{newest_first(at - KEPT_FOR)}"),),
    )


def _deleting(store: Store, table: Table) -> Erase:
    async def erase(row: Row) -> bool:
        await store.tables.delete(table, row.partition, row.row)
        return True

    return erase
