"""People whom a tenant keeps out everywhere: of what it publishes, and of what it imports."""

from collections.abc import Callable
from datetime import datetime

from shared.adapters.storage.records import Store, Suppression
from shared.domain.contacts.keys import keys_of
from shared.domain.reasons import Reason
from shared.services.sharing.resolution import Resolution


class Suppressions:
    """Whom each tenant keeps out: an id and since when, and no more, as a reminder."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    async def since(self, tenant: str, person: str) -> datetime | None:
        """Since when a person is kept out; None if not."""
        found = await self._store.suppressions.get(tenant, person.lower())
        return found.value.since if found is not None else None

    async def keep_out(self, tenant: str, person: str) -> datetime:
        """Keep a person out from now on; answers since when."""
        known = await self.since(tenant, person)
        if known is not None:
            return known
        now = self._clock()
        row = person.lower()
        await self._store.suppressions.upsert(tenant, row, Suppression(person=row, since=now))
        return now

    async def readmit(self, tenant: str, person: str) -> None:
        """Let a person in again."""
        await self._store.suppressions.delete(tenant, person.lower())

    async def leave_out(self, tenant: str, resolution: Resolution) -> None:
        """Take whom the tenant keeps out of a resolution, and say so among its omissions."""
        async for stored in self._store.suppressions.all(tenant):
            for key in keys_of(stored.value.person):
                if resolution.contacts.pop(key, None) is not None:
                    resolution.omit(stored.value.person, Reason.KEPT_OUT)
