"""People that a tenant has suppressed: it neither publishes nor imports their contacts."""

from collections.abc import Callable
from datetime import datetime

from shared.adapters.storage.models import Suppression
from shared.adapters.storage.store import Store
from shared.domain.contacts.keys import keys_of
from shared.domain.reasons import Reason
from shared.services.sharing.resolution import Resolution


class Suppressions:
    """The suppressed people of each tenant; only their ids and the time are stored."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    async def since(self, tenant: str, person: str) -> datetime | None:
        """Return since when a person is suppressed; None if the person is not."""
        found = await self._store.suppressions.get(tenant, person.lower())
        return found.value.since if found is not None else None

    async def suppress(self, tenant: str, person: str) -> datetime:
        """Suppress a person from now on; return since when."""
        known = await self.since(tenant, person)
        if known is not None:
            return known
        now = self._clock()
        row = person.lower()
        await self._store.suppressions.upsert(tenant, row, Suppression(person=row, since=now))
        return now

    async def lift(self, tenant: str, person: str) -> None:
        """Lift the suppression of a person."""
        await self._store.suppressions.delete(tenant, person.lower())

    async def keys(self, tenant: str) -> frozenset[str]:
        """Return the keys of all contacts that suppressed people may have."""
        people = [s.value.person async for s in self._store.suppressions.all(tenant)]
        return frozenset(key for person in people for key in keys_of(person))

    async def any_since(self, tenant: str, moment: datetime) -> bool:
        """Return whether anybody was suppressed since a moment."""
        newest = [s.value.since async for s in self._store.suppressions.all(tenant)]
        return any(since >= moment for since in newest)

    async def apply(self, tenant: str, resolution: Resolution) -> None:
        """Remove the suppressed people from a resolution; each becomes an omission."""
        async for stored in self._store.suppressions.all(tenant):
            for key in keys_of(stored.value.person):
                if resolution.contacts.pop(key, None) is not None:
                    resolution.omit(stored.value.person, Reason.KEPT_OUT)
