"""The quarter-hourly tick, for the tenants and imports of a page.

The imports of a disconnected tenant are suspended; once a day, its consent is checked again.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from shared.adapters.storage.queues import Queues
from shared.adapters.storage.store import RUNS_OF_IMPORT, Store
from shared.adapters.storage.tables.client import Row
from shared.adapters.storage.tables.conditions import PARTITION, Condition
from shared.adapters.storage.tables.names import Table
from shared.domain.events import RunsScheduled, TenantsVisited
from shared.domain.importing.messages import TENANT_LEAVINGS, LeaveTenant, MaintainRange
from shared.domain.importing.schedule import DAY, latest_due
from shared.domain.tenancy.tenants import TenantStatus
from shared.services.importing.timetable import Tick, Timetable
from shared.services.maintenance.range_tasks import RangeTask, RowStep
from shared.services.tenancy.tenants import Tenants


class ImportsTask(RangeTask):
    """Starts the runs of imports that are due, and drives on those that stand still."""

    table = Table.IMPORTS
    columns = None

    def __init__(self, store: Store, timetable: Timetable, tick: Tick) -> None:
        self._store = store
        self._timetable = timetable
        self._tick = tick

    async def steps(self, rows: Sequence[Row]) -> Sequence[RowStep]:
        """Return a step for each import; a row of runs belongs to the step of its import."""
        if not rows:
            return ()
        self._tick.ages = await self._timetable.measure()
        suspended = await self._suspended(rows[0].partition, rows[-1].partition)
        here = {(row.partition, row.row): row for row in rows}

        def step(row: Row) -> RowStep:
            runs = here.get((row.partition, f"{RUNS_OF_IMPORT}{row.row}"))
            paused = row.partition in suspended
            return RowStep(row, lambda: self._look_after(row, runs, suspended=paused))

        return [step(row) for row in rows if not row.row.startswith(RUNS_OF_IMPORT)]

    def event(self, message: MaintainRange) -> RunsScheduled:
        """Return how many runs were asked for, sent again and given up."""
        return RunsScheduled(
            runs=self._tick.started,
            sent_again=self._tick.sent_again,
            given_up=self._tick.given_up,
            past_due=message.past_due,
        )

    async def _look_after(self, row: Row, known: Row | None, *, suspended: bool) -> None:
        runs = self._store.import_runs.parsed(known) if known is not None else None
        if runs is None:
            # The page ends between the two rows of the import.
            runs = await self._store.import_runs.get(row.partition, row.row)
        if runs is not None:
            import_ = self._store.imports.parsed(row).value
            await self._timetable.look_after(
                row.partition, import_, runs.value, self._tick, suspended=suspended
            )

    async def _suspended(self, first: str, last: str) -> set[str]:
        """Return which tenants from the first to the last are disconnected."""
        keys = self._store.tenants.keys(
            Condition(PARTITION, "ge", first),
            Condition(PARTITION, "le", last),
            Condition("status", "eq", TenantStatus.DISCONNECTED.value),
        )
        return {tenant async for tenant, _ in keys}


class TenantsTask(RangeTask):
    """Goes on with tenants that leave, and checks the consent of those that are disconnected."""

    table = Table.TENANTS
    columns = None

    def __init__(
        self, store: Store, queues: Queues, tenants: Tenants, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._queues = queues
        self._tenants = tenants
        self._clock = clock
        self._leaving = 0
        self._reconnected = 0

    def conditions(self, at: datetime) -> Sequence[Condition]:
        """Return the tenants that are not simply connected."""
        del at
        return (Condition("status", "ne", TenantStatus.CONNECTED.value),)

    async def steps(self, rows: Sequence[Row]) -> Sequence[RowStep]:
        """Return a step for each tenant."""

        def step(row: Row) -> RowStep:
            return RowStep(row, lambda: self._visit(row))

        return [step(row) for row in rows]

    def event(self, message: MaintainRange) -> TenantsVisited | None:
        """Return how many tenants leave, and how many were connected again."""
        del message
        if not self._leaving and not self._reconnected:
            return None
        return TenantsVisited(leaving=self._leaving, reconnected=self._reconnected)

    async def _visit(self, row: Row) -> None:
        tenant = self._store.tenants.parsed(row).value
        if tenant.status is TenantStatus.LEAVING:
            self._leaving += 1
            await self._queues.send(TENANT_LEAVINGS, LeaveTenant(tenant=row.partition))
        elif tenant.status is TenantStatus.DISCONNECTED:
            last = tenant.checked or tenant.since or tenant.joined
            if latest_due(self._clock(), DAY) > last:
                self._reconnected += await self._tenants.try_reconnect(row.partition)
