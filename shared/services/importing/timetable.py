"""Scheduled runs: the daily run of every import, and the runs in between for premium.

The imports of a disconnected tenant are suspended; once a day, its consent is checked again.
"""

from collections.abc import Callable
from datetime import datetime

from shared.adapters.storage.conditions import Condition
from shared.adapters.storage.records import TENANT_ROW, Store
from shared.domain.importing.imports import Import
from shared.domain.importing.runs import RunTrigger
from shared.domain.importing.schedule import DAY, hours_in_force
from shared.domain.tenancy.licensing import Terms, plan_at
from shared.domain.tenancy.tenants import TenantStatus
from shared.services.importing.run_queue import RunQueue
from shared.services.tenancy.tenants import Tenants


class Timetable:
    """Starts the scheduled runs of all tenants. Every call is safe to repeat."""

    def __init__(
        self,
        store: Store,
        runs: RunQueue,
        tenants: Tenants,
        terms: Terms,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._runs = runs
        self._tenants = tenants
        self._terms = terms
        self._clock = clock

    async def start_daily(self) -> int:
        """Queue today's run of every active import that is not suspended; return how many."""
        started, now = 0, self._clock()
        suspended = await self._suspended(check=True)
        async for tenant, stored in self._store.imports.everywhere():
            import_ = stored.value
            if import_.removing:
                await self._requeue_removal(tenant, import_)
            elif import_.active and tenant not in suspended:
                await self._queue(tenant, import_, now, await self._hours(tenant, import_, now))
                started += 1
        return started

    async def start_hourly(self) -> int:
        """Queue the due runs of imports that run more than once a day; return how many."""
        started, now = 0, self._clock()
        suspended = await self._suspended(check=False)
        async for tenant, stored in self._store.imports.everywhere(
            Condition("everyHours", "lt", DAY)
        ):
            import_ = stored.value
            if import_.removing or not import_.active or tenant in suspended:
                continue
            hours = await self._hours(tenant, import_, now)
            if hours < DAY:
                await self._queue(tenant, import_, now, hours)
                started += 1
        return started

    async def _queue(self, tenant: str, import_: Import, now: datetime, hours: int) -> None:
        await self._runs.queue(tenant, import_.id, RunTrigger.SCHEDULE, now, every_hours=hours)

    async def _hours(self, tenant: str, import_: Import, now: datetime) -> int:
        """Return the import's interval in hours, as set if the tenant's plan allows it."""
        wanted = import_.schedule.every_hours
        if wanted >= DAY:
            return DAY
        stored = await self._store.tenants.get(tenant, TENANT_ROW)
        plan = plan_at(stored.value, now, self._terms) if stored is not None else None
        return hours_in_force(wanted, plan)

    async def _suspended(self, *, check: bool) -> set[str]:
        """Return the tenants whose imports are suspended; `check` proves their consent first."""
        disconnected = Condition("status", "eq", TenantStatus.DISCONNECTED.value)
        gone = [tenant async for tenant, _ in self._store.tenants.everywhere(disconnected)]
        return {
            tenant for tenant in gone if not (check and await self._tenants.try_reconnect(tenant))
        }

    async def _requeue_removal(self, tenant: str, import_: Import) -> None:
        """Queue a removal run again that may have been lost, or a new one if it failed."""
        run = await self._runs.queue(tenant, import_.id, RunTrigger.REMOVAL, import_.changed)
        stored = await self._store.runs.get(tenant, run)
        if stored is not None and stored.value.status.ended:
            await self._runs.queue(tenant, import_.id, RunTrigger.SCHEDULE, self._clock())
