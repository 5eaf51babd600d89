"""Shares: publishing a set of people, changing and withdrawing it, and who may import it."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.models import ShareId, ShareLocation
from shared.adapters.storage.records import Listing, Stored, gather_limited
from shared.adapters.storage.store import OWNER_ROW, Store
from shared.domain.errors import Conflict, NotFound
from shared.domain.sharing.shares import Share, ShareInput, require_future_expiry
from shared.domain.tenancy.tenants import LedgerAction
from shared.services.changes import change, found_in, require_match, require_storable
from shared.services.idempotency import Idempotency, KeyUsed
from shared.services.named_lists import NamedPage, page_by_name
from shared.services.sharing.revocations import Revocations
from shared.services.sharing.subscribers import Subscriber, Subscribers
from shared.services.tenancy.ledger import Ledger
from shared.services.tenancy.limits import MAX_SHARES, require_room

WITHDRAWN_KEPT: Final = timedelta(days=180)


class Shares:
    """The shares of the caller's tenant."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime],
        idempotency: Idempotency,
        ledger: Ledger,
        subscribers: Subscribers,
        revocations: Revocations,
    ) -> None:
        self._revocations = revocations
        self._store = store
        self._clock = clock
        self._ids = idempotency
        self._ledger = ledger
        self._subscribers = subscribers

    async def create(
        self, caller: Caller, wanted: ShareInput, key: str | None = None
    ) -> Stored[Share]:
        """Publish a share; sending the same idempotency `key` again returns the same share.

        The index row from the id to its owner is written first: a worker that dies in between
        leaves an unused id. Raises `Conflict` if the tenant has too many shares, and
        `InvalidInput` for an end date in the past.
        """
        now = self._clock()
        require_future_expiry(wanted.access, now)
        share = Share(
            **wanted.values_of(ShareInput),
            id=await self._ids.id_for(caller.tenant, "share", key, wanted),
            created=now,
            changed=now,
        )
        require_storable(share)
        known = await self._store.shares.get(caller.tenant, share.id)
        if known is not None:
            return known
        require_room(await self._store.shares.count(caller.tenant), MAX_SHARES, "too_many_shares")
        await self._locate(caller, share.id)
        async with self._ledger.change(caller, LedgerAction.SHARE_CREATED, share.id) as entry:
            try:
                return await self._store.shares.insert(caller.tenant, share.id, share)
            except Conflict:
                entry.changed = False
        return await self.read(caller, share.id)

    async def page(self, caller: Caller, size: int, token: str | None) -> Listing[Share]:
        """Return one page of the tenant's shares, by id."""
        return await self._store.shares.page(caller.tenant, size=size, token=token)

    async def search(
        self, caller: Caller, text: str, size: int, token: str | None
    ) -> NamedPage[Share]:
        """Return a page of the shares whose names contain `text` ('' for all), by name."""
        return await page_by_name(self._store.shares, caller.tenant, text, size, token)

    async def counts(self, caller: Caller, ids: Sequence[str]) -> dict[str, int]:
        """Return how many contacts these shares held when last read, without those never read."""

        async def count(id_: str) -> int | None:
            found = await self._store.share_facts.get(caller.tenant, id_)
            return found.value.contacts if found is not None else None

        found = zip(ids, await gather_limited(count, ids), strict=True)
        return {id_: contacts for id_, contacts in found if contacts is not None}

    async def read(self, caller: Caller, id_: str) -> Stored[Share]:
        """Return one share. Raises `NotFound` if the tenant has no such share."""
        return found_in(await self._store.shares.get(caller.tenant, id_), "share", id_)

    async def change(
        self,
        caller: Caller,
        id_: str,
        patch: Callable[[ShareInput], ShareInput],
        if_match: str | None,
    ) -> Stored[Share]:
        """Change a share. Raises `PreconditionFailed` if If-Match names another version.

        A new end date must be in the future; one that has already passed may stay.
        """

        def changed_by(share: Share) -> Share:
            wanted = patch(share)
            if wanted.access.expires != share.access.expires:
                require_future_expiry(wanted.access, self._clock())
            return share.copy_with(**wanted.values_of(ShareInput), changed=self._clock())

        async with self._ledger.change(caller, LedgerAction.SHARE_CHANGED, id_):
            before = await self.read(caller, id_)
            stored = await change(
                self._store.shares, caller.tenant, id_, changed_by, kind="share", if_match=if_match
            )
        lost = [
            c.tenant
            for c in await self._subscribers.of(caller.tenant, id_)
            if _admits(before.value, c.tenant, caller, self._clock())
            and not _admits(stored.value, c.tenant, caller, self._clock())
        ]
        if lost:
            await self._revocations.of_share(caller.tenant, id_, lost)
        return stored

    async def withdraw(self, caller: Caller, id_: str, if_match: str | None) -> None:
        """Withdraw a share: all of its imports remove the contacts, paused ones too.

        The withdrawal stays recorded with the id, so that a withdrawn share is never confused with
        one that cannot be read. It is recorded first, so that repeating the call completes it.
        """
        stored = await self.read(caller, id_)
        require_match(stored.etag, if_match)
        async with self._ledger.change(caller, LedgerAction.SHARE_WITHDRAWN, id_):
            location = ShareLocation(publisher=caller.tenant, withdrawn=self._clock())
            await self._store.share_index.upsert(id_, OWNER_ROW, location)
            await self._store.shares.delete(caller.tenant, id_)
            await self._store.share_facts.delete(caller.tenant, id_)
            await self._store.share_photos.delete(caller.tenant, id_)
        await self._revocations.of_share(caller.tenant, id_)

    async def rotate(self, caller: Caller, id_: str, keep: Collection[str] | None) -> Stored[Share]:
        """Give a share a new id; the old id keeps working only for the tenants in `keep`.

        None keeps all tenants that import the share now. The imports of the others remove its
        contacts. The new id is recorded first, so that a repeat after a crash uses the same id.
        Raises `NotFound`, also for a share that was rotated before.
        """
        stored = await self.read(caller, id_)
        subscribers = {c.tenant for c in await self._subscribers.of(caller.tenant, id_)}
        kept = (subscribers if keep is None else subscribers & set(keep)) | {caller.tenant}
        location = ShareLocation(publisher=caller.tenant)
        new = await self._ids.id_for(caller.tenant, "rotation", id_, location)
        begun = await self._store.share_index.get(id_, OWNER_ROW)
        if begun is not None and begun.value.moved_to == new:
            kept |= set(begun.value.keep)
        share = stored.value.copy_with(id=new, changed=self._clock())
        async with self._ledger.change(
            caller, LedgerAction.SHARE_ROTATED, id_, new=new, kept=len(kept) - 1
        ):
            await self._locate(caller, new)
            made = await self._store.shares.upsert(caller.tenant, new, share)
            location = ShareLocation(
                publisher=caller.tenant, moved_to=new, keep=sorted(kept - {caller.tenant})
            )
            await self._store.share_index.upsert(id_, OWNER_ROW, location)
            await self._revocations.of_share(caller.tenant, id_, subscribers - kept)
            await self._subscribers.move(caller.tenant, id_, new, kept)
            await self._store.share_facts.delete(caller.tenant, id_)
            await self._store.share_photos.delete(caller.tenant, id_)
            await self._store.shares.delete(caller.tenant, id_)
        return made

    async def subscribers(self, caller: Caller, id_: str) -> list[Subscriber]:
        """Return who imports a share: tenants and numbers of mailboxes, never which mailboxes."""
        await self.read(caller, id_)
        return await self._subscribers.of(caller.tenant, id_)

    async def block(self, caller: Caller, id_: str, tenant: str) -> None:
        """Block a tenant from a share: its imports remove the contacts. Safe to repeat.

        To unblock it, remove it from `blocked`. Raises `NotFound` if the tenant does not import the
        share.
        """
        tenant = tenant.lower()
        if tenant not in {c.tenant for c in await self.subscribers(caller, id_)}:
            raise NotFound("not_a_subscriber", id=tenant[:64])
        if tenant == caller.tenant:
            raise Conflict("own_tenant_not_blockable")

        def blocked(share: Share) -> Share:
            if tenant in share.blocked:
                return share
            return share.copy_with(blocked=[*share.blocked, tenant], changed=self._clock())

        async with self._ledger.change(caller, LedgerAction.SHARE_BLOCKED, id_, tenant=tenant):
            await change(self._store.shares, caller.tenant, id_, blocked, kind="share")
        await self._revocations.of_share(caller.tenant, id_, {tenant})

    async def _locate(self, caller: Caller, id_: str) -> None:
        location = ShareLocation(publisher=caller.tenant)
        # First, so that leaving finds every id of the tenant.
        await self._store.share_ids.upsert(caller.tenant, id_, ShareId(share=id_))
        try:
            await self._store.share_index.insert(id_, OWNER_ROW, location)
        except Conflict:
            known = await self._store.share_index.get(id_, OWNER_ROW)
            if known is None or known.value != location:
                raise KeyUsed("idempotency_key_of_withdrawn_share") from None


def _admits(share: Share, tenant: str, caller: Caller, now: datetime) -> bool:
    return share.admits(tenant, caller.tenant, now)
