"""Who imports a share: its publisher sees tenants, never their mailboxes."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.adapters.storage.models import SubscribedImport
from shared.adapters.storage.store import OWNER_ROW, TENANT_ROW, Store, subscribers_of

MAX_MOVES: Final = 50
"""The maximum number of rotations after which an old id still works."""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A tenant that imports a share: its name, since when, and into how many mailboxes."""

    tenant: str
    name: str
    domain: str
    since: datetime
    imports: int
    mailboxes: int


class Subscribers:
    """The subscribers of all shares. Each import is recorded with its share."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    async def note(
        self, publisher: str, share: str, tenant: str, import_id: str, mailboxes: int
    ) -> None:
        """Record how many mailboxes an import of a share syncs; the start date is kept."""
        partition, row = subscribers_of(publisher, share), _row(tenant, import_id)
        known = await self._store.subscribers.get(partition, row)
        if known is not None and known.value.mailboxes == mailboxes:
            return
        since = known.value.since if known is not None else self._clock()
        consumption = SubscribedImport(
            tenant=tenant, import_id=import_id, since=since, mailboxes=mailboxes
        )
        await self._store.subscribers.upsert(partition, row, consumption)

    async def drop(self, tenant: str, import_id: str, share_id: str) -> None:
        """Delete the record of an import that has ended; `share_id` may be a former id."""
        for _ in range(MAX_MOVES):
            location = await self._store.share_index.get(share_id, OWNER_ROW)
            if location is None:
                return
            partition = subscribers_of(location.value.publisher, share_id)
            await self._store.subscribers.delete(partition, _row(tenant, import_id))
            if location.value.moved_to is None:
                return
            share_id = location.value.moved_to

    async def of(self, publisher: str, share: str) -> list[Subscriber]:
        """Return the subscribers of a share, one per tenant, earliest first."""
        by_tenant: dict[str, list[SubscribedImport]] = {}
        async for stored in self._store.subscribers.all(subscribers_of(publisher, share)):
            by_tenant.setdefault(stored.value.tenant, []).append(stored.value)
        found: list[Subscriber] = []
        for tenant, parts in by_tenant.items():
            stored_tenant = await self._store.tenants.get(tenant, TENANT_ROW)
            found.append(
                Subscriber(
                    tenant,
                    stored_tenant.value.display_name if stored_tenant else tenant,
                    stored_tenant.value.domain if stored_tenant else "",
                    min(part.since for part in parts),
                    len(parts),
                    sum(part.mailboxes for part in parts),
                )
            )
        return sorted(found, key=lambda c: (c.since, c.tenant))

    async def move(self, publisher: str, old: str, new: str, keep: Collection[str]) -> None:
        """Move the subscribers in `keep` to a share's new id, and delete the others."""
        partition = subscribers_of(publisher, old)
        async for stored in self._store.subscribers.all(partition):
            value = stored.value
            if value.tenant in keep:
                row = _row(value.tenant, value.import_id)
                await self._store.subscribers.upsert(subscribers_of(publisher, new), row, value)
        await self._store.tables.delete_partition(self._store.subscribers.table, partition)


def _row(tenant: str, import_id: str) -> str:
    return f"{tenant}|{import_id}"
