"""The seats of a tenant: who holds one, decided by the domain and written under a lock.

Two runs of one tenant may want seats at the same moment; the tenant's row of its seats' lock is
leased by ETag, so that they are never counted against the booking twice.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from shared.adapters.records import TENANT_ROW, Records, Store
from shared.domain.errors import Busy, Conflict, PreconditionFailed
from shared.domain.licensing import Assignment, assign
from shared.domain.models import Model, Tenant

_LOCK_ROW: Final = "seats-lock"
_LOCKED_FOR: Final = timedelta(minutes=2)
_TRIES: Final = 5


class _Lock(Model):
    until: datetime | None = None


class SeatBook:
    """Assigns seats, one import at a time per tenant."""

    def __init__(self, store: Store, clock: Callable[[], datetime], trial: timedelta) -> None:
        """Keep seats in this store; `trial` is how long the trial lasts."""
        self._store = store
        self._clock = clock
        self._trial = trial
        self._locks = Records(store.tables, "Tenants", _Lock)

    async def serve(self, tenant: str, import_id: str, wanted: Iterable[str]) -> Assignment:
        """Give an import the seats of the mailboxes it wants, and take back those it had.

        Raises `Busy` while another run of the tenant is at it.
        """
        etag = await self._acquire(tenant)
        try:
            return await self._assign(tenant, import_id, frozenset(wanted))
        finally:
            await self._locks.replace(tenant, _LOCK_ROW, _Lock(), etag)

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

    async def _acquire(self, tenant: str) -> str:
        for attempt in range(_TRIES):
            now = self._clock()
            lock = _Lock(until=now + _LOCKED_FOR)
            try:
                found = await self._locks.get(tenant, _LOCK_ROW)
                if found is None:
                    return (await self._locks.insert(tenant, _LOCK_ROW, lock)).etag
                if found.value.until is None or found.value.until <= now:
                    return (await self._locks.replace(tenant, _LOCK_ROW, lock, found.etag)).etag
            except (Conflict, PreconditionFailed):
                pass
            await asyncio.sleep(0.2 * (attempt + 1))
        message = "Another run is assigning the tenant's seats."
        raise Busy(message, 5.0)
