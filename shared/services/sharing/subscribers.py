"""Who imports a share: its publisher sees tenants, never their mailboxes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.adapters.storage.mailboxes.mailbox_state import MailboxStates
from shared.adapters.storage.models import Newcomer, SubscribedImport
from shared.adapters.storage.store import (
    OWNER_ROW,
    TENANT_ROW,
    Store,
    newcomers_of,
    subscribers_of,
)
from shared.adapters.storage.tables.conditions import PARTITION, ROW, Condition
from shared.domain.sharing.shares import Admission, Share
from shared.domain.tenancy.tenants import LedgerAction, called
from shared.services.tenancy.ledger import Ledger


class SubscriberState(StrEnum):
    """Whether a tenant that imports a share may do so."""

    OWN = "own"
    """Your own tenant."""
    ADMITTED = "admitted"
    """It may import the share."""
    WAITING = "waiting"
    """It waits for your approval."""
    BLOCKED = "blocked"
    """You blocked it."""
    ENDED = "ended"
    """The share is withdrawn, or no longer admits it."""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A tenant that imports a share: its name, since when, and into how many mailboxes.

    `latest` is since when its newest import exists. Once it may no longer import the share,
    `remaining` counts the mailboxes that may still have contacts, and `unreachable` those of them
    that cannot be found now.
    """

    tenant: str
    name: str
    domain: str
    since: datetime
    latest: datetime
    imports: int
    mailboxes: int
    state: SubscriberState = SubscriberState.ADMITTED
    remaining: int | None = None
    unreachable: int | None = None

    @property
    def called(self) -> str:
        """The tenant by its verified domain, or by its id, with what it calls itself."""
        return called(self.domain or self.tenant, self.name)


@dataclass(frozen=True, slots=True)
class Owing:
    """A tenant that still has to remove a share's contacts, and from how many mailboxes.

    `withdrawn` means that the share itself is gone.
    """

    share: str
    tenant: str
    mailboxes: int
    withdrawn: bool


def state_of(
    tenant: str, share: Share, publisher: str, now: datetime, latest: datetime
) -> SubscriberState:
    """Return whether a tenant that imports a share may do so; `latest` is its newest import's time.

    A rotation cuts off tenants that were not kept and have not imported the share again since.
    """
    if tenant == publisher:
        return SubscriberState.OWN
    if tenant in share.blocked:
        return SubscriberState.BLOCKED
    if share.rotated is not None and latest < share.rotated and tenant not in share.kept:
        return SubscriberState.ENDED
    match share.admission(tenant, publisher, now):
        case Admission.OPEN:
            return SubscriberState.ADMITTED
        case Admission.WAITING:
            return SubscriberState.WAITING
        case _:
            return SubscriberState.ENDED


async def imports_of(store: Store, publisher: str, share: str, tenant: str) -> int:
    """Return how many imports of a share a tenant has."""
    own = (Condition(ROW, "ge", f"{tenant}|"), Condition(ROW, "lt", f"{tenant}}}"))
    return await store.subscribers.count(subscribers_of(publisher, share), own)


class Subscribers:
    """The subscribers of all shares. Each import is recorded with its share."""

    def __init__(
        self,
        store: Store,
        states: MailboxStates,
        clock: Callable[[], datetime],
        ledger: Ledger,
    ) -> None:
        self._store = store
        self._states = states
        self._clock = clock
        self._ledger = ledger

    async def note(
        self, publisher: str, share: str, tenant: str, import_id: str, mailboxes: int
    ) -> None:
        """Record how many mailboxes an import of a share syncs; the start date is kept.

        A tenant's first import of a share is also recorded in the publisher's ledger, and for its
        admins to look at.
        """
        partition, row = subscribers_of(publisher, share), _row(tenant, import_id)
        known = await self._store.subscribers.get(partition, row)
        if known is not None and known.value.mailboxes == mailboxes:
            return
        since = known.value.since if known is not None else self._clock()
        if known is None and tenant != publisher:
            await self._announce(publisher, share, tenant, since)
        consumption = SubscribedImport(
            tenant=tenant, import_id=import_id, since=since, mailboxes=mailboxes
        )
        await self._store.subscribers.upsert(partition, row, consumption)

    async def left(self, publisher: str, share: str, tenant: str) -> tuple[int, int]:
        """Return how many mailboxes of a tenant may still have contacts of a share.

        Also returns how many of these cannot be found now.
        """
        left, lost = 0, 0
        async for stored in self._store.subscribers.all(subscribers_of(publisher, share)):
            if stored.value.tenant == tenant:
                some, unreachable = await self._states.left(tenant, stored.value.import_id)
                left, lost = left + some, lost + unreachable
        return left, lost

    async def owing(self, publisher: str) -> list[Owing]:
        """Return the tenants that may no longer import a share and still have contacts of it.

        Mailboxes that cannot be found now do not count.
        """
        by_share: dict[str, dict[str, list[SubscribedImport]]] = {}
        partners = self._store.subscribers.everywhere(
            Condition(PARTITION, "ge", subscribers_of(publisher, "")),
            Condition(PARTITION, "lt", newcomers_of(publisher)),
            Condition("tenant", "ne", publisher),
        )
        async for partition, stored in partners:
            share = partition.removeprefix(subscribers_of(publisher, ""))
            each = stored.value
            by_share.setdefault(share, {}).setdefault(each.tenant, []).append(each)
        found: list[Owing] = []
        for share, tenants in by_share.items():
            known = await self._store.shares.get(publisher, share)
            for tenant, imports in tenants.items():
                latest = max(each.since for each in imports)
                if known is not None and state_of(
                    tenant, known.value, publisher, self._clock(), latest
                ) not in {SubscriberState.ENDED, SubscriberState.BLOCKED}:
                    continue
                left, lost = await self.left(publisher, share, tenant)
                if left > lost:
                    found.append(Owing(share, tenant, left - lost, withdrawn=known is None))
        return found

    async def newcomers(self, publisher: str) -> list[Newcomer]:
        """Return the tenants that began to import the publisher's shares, newest first."""
        found = [n.value async for n in self._store.newcomers.all(newcomers_of(publisher))]
        return sorted(found, key=lambda n: n.since, reverse=True)

    async def decided(self, publisher: str, share: str, tenant: str) -> None:
        """Forget that a tenant is new: an admin of the publisher has decided about it."""
        await self._store.newcomers.delete(newcomers_of(publisher), f"{share}|{tenant}")

    async def _announce(self, publisher: str, share: str, tenant: str, now: datetime) -> None:
        if await imports_of(self._store, publisher, share, tenant):
            return
        newcomer = Newcomer(share=share, tenant=tenant, since=now)
        row = f"{share}|{tenant}"
        await self._store.newcomers.upsert(newcomers_of(publisher), row, newcomer)
        await self._ledger.note(publisher, LedgerAction.SHARE_IMPORTED, share, tenant=tenant)

    async def drop(self, tenant: str, import_id: str, share_id: str) -> None:
        """Delete the record of an import that has ended; it names the share by `share_id`."""
        location = await self._store.share_index.get(share_id, OWNER_ROW)
        if location is not None and location.value.publisher:
            publisher, share = location.value.publisher, location.value.share
            partition = subscribers_of(publisher, share)
            await self._store.subscribers.delete(partition, _row(tenant, import_id))
            if not await imports_of(self._store, publisher, share, tenant):
                await self.decided(publisher, share, tenant)

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
                    max(part.since for part in parts),
                    len(parts),
                    sum(part.mailboxes for part in parts),
                )
            )
        return sorted(found, key=lambda c: (c.since, c.tenant))


def _row(tenant: str, import_id: str) -> str:
    return f"{tenant}|{import_id}"
