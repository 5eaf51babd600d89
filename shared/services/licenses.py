"""Licenses: the seats a tenant has booked, uses and has free, its trial and plan."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.adapters.identity import Caller
from shared.adapters.records import TENANT_ROW, Store, Stored
from shared.domain.licensing import plan_at, trial_ends
from shared.domain.models import LicensePlan, Tenant
from shared.services.changes import change, found_in
from shared.services.ledger import Ledger


@dataclass(frozen=True, slots=True)
class License:
    """A tenant's license; `trial_ends` is None until the first import starts the trial."""

    booked: int
    used: int
    free: int
    plan: LicensePlan
    trial_ends: datetime | None


class Licenses:
    """The license of the caller's tenant."""

    def __init__(
        self, store: Store, clock: Callable[[], datetime], ledger: Ledger, trial: timedelta
    ) -> None:
        """Keep it in this store; `trial` is how long the trial lasts."""
        self._store = store
        self._clock = clock
        self._ledger = ledger
        self._trial = trial

    async def read(self, caller: Caller) -> Stored[License]:
        """The license as it is now."""
        return await self._license(await self._tenant(caller))

    async def book(self, caller: Caller, booked: int, if_match: str | None) -> Stored[License]:
        """Book or cancel seats: there are `booked` from the next run on."""
        before = booked

        def book(tenant: Tenant) -> Tenant:
            nonlocal before
            before = tenant.booked
            return tenant if before == booked else tenant.model_copy(update={"booked": booked})

        tenants = self._store.tenants
        stored = await change(
            tenants, caller.tenant, TENANT_ROW, book, kind="license", if_match=if_match
        )
        if before != booked:
            await self._ledger.record(
                caller, "license.booked", caller.tenant, before=before, after=booked
            )
        return await self._license(stored)

    async def plan(self, caller: Caller) -> LicensePlan:
        """The plan in force now."""
        return plan_at((await self._tenant(caller)).value, self._clock(), self._trial)

    async def _tenant(self, caller: Caller) -> Stored[Tenant]:
        stored = await self._store.tenants.get(caller.tenant, TENANT_ROW)
        return found_in(stored, "license", caller.tenant)

    async def _license(self, stored: Stored[Tenant]) -> Stored[License]:
        tenant = stored.value
        used = 0
        async for _ in self._store.tables.partition("Seats", tenant.id, ["RowKey"]):
            used += 1
        license_ = License(
            booked=tenant.booked,
            used=used,
            free=max(tenant.booked - used, 0),
            plan=plan_at(tenant, self._clock(), self._trial),
            trial_ends=trial_ends(tenant, self._trial),
        )
        return Stored(license_, stored.etag)
