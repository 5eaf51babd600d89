"""The seats of a tenant: who holds one, decided by the domain and written under a lease.

Two runs of one tenant may want seats at the same moment; the lease sees to it that a booked seat
is never given twice.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from shared.adapters.leases import Lease, Leases
from shared.adapters.records import TENANT_ROW, Store
from shared.domain.errors import Busy
from shared.domain.licensing import Assignment, assign
from shared.domain.models import Tenant

_LEASED: Final = "seats"
_LEASE: Final = timedelta(minutes=2)
_TRIES: Final = 5


class SeatBook:
    """Assigns seats, one import at a time per tenant."""

    def __init__(self, store: Store, clock: Callable[[], datetime], trial: timedelta) -> None:
        """Keep seats in this store; `trial` is how long the trial lasts."""
        self._store = store
        self._clock = clock
        self._trial = trial
        self._leases = Leases(store.tables)

    async def serve(self, tenant: str, import_id: str, wanted: Iterable[str]) -> Assignment:
        """Give an import the seats of the mailboxes it wants, and take back those it had.

        Raises `Busy` while another run of the tenant is at it.
        """
        lease = await self._lease(tenant)
        try:
            return await self._assign(tenant, import_id, frozenset(wanted))
        finally:
            await self._leases.give_back(lease)

    async def release(self, tenant: str, mailbox: str) -> None:
        """Free the seat of a mailbox that turned out not to exist."""
        await self._store.seats.delete(tenant, mailbox)

    async def _assign(self, tenant: str, import_id: str, wanted: frozenset[str]) -> Assignment:
        stored = await self._store.tenants.get(tenant, TENANT_ROW)
        now = self._clock()
        owner = stored.value if stored else Tenant(id=tenant, joined=now)
        before = {s.value.mailbox: s.value async for s in self._store.seats.all(tenant)}
        decided = assign(owner, before.values(), import_id, wanted, now, self._trial)
        changed = {
            mailbox: decided.seats.get(mailbox)
            for mailbox in before.keys() | decided.seats.keys()
            if before.get(mailbox) != decided.seats.get(mailbox)
        }
        await self._store.seats.write_many(tenant, changed)
        return decided

    async def _lease(self, tenant: str) -> Lease:
        for attempt in range(1, _TRIES):
            try:
                return await self._leases.take(tenant, _LEASED, self._clock(), _LEASE)
            except Busy:
                await asyncio.sleep(0.2 * attempt)
        return await self._leases.take(tenant, _LEASED, self._clock(), _LEASE)
