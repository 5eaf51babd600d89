"""Shares: publishing a set of people, changing and withdrawing it, and who may import it."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.models import ShareId, ShareLocation
from shared.adapters.storage.records import Listing, Stored, gather_limited
from shared.adapters.storage.store import OWNER_ROW, TENANT_ROW, Store
from shared.adapters.storage.tables.transactions import DeleteRow, Operation
from shared.domain.errors import Conflict, NotFound
from shared.domain.sharing.shares import Share, ShareInput, require_future_expiry
from shared.domain.tenancy.attention import NewSubscriber
from shared.domain.tenancy.tenants import LedgerAction
from shared.services.changes import change, found_in, require_match, require_storable
from shared.services.idempotency import Execution, KeyUsed
from shared.services.named_lists import NamedPage, page_by_name
from shared.services.sharing.revocations import Revocations
from shared.services.sharing.subscribers import Subscriber, Subscribers, SubscriberState, state_of
from shared.services.tenancy.ledger import Ledger

_NEWCOMERS: Final = 20
"""The most new subscribers that are read for an overview."""
_NEW_FOR: Final = timedelta(days=14)
"""How long a tenant that began to import a share is shown as new."""
WITHDRAWN_KEPT: Final = timedelta(days=180)


class Shares:
    """The shares of the caller's tenant."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime],
        ledger: Ledger,
        subscribers: Subscribers,
        revocations: Revocations,
    ) -> None:
        self._revocations = revocations
        self._store = store
        self._clock = clock
        self._ledger = ledger
        self._subscribers = subscribers

    async def create(
        self, caller: Caller, wanted: ShareInput, execution: Execution
    ) -> Stored[Share]:
        """Publish a share; another execution of the same call returns the same share.

        The index row from the id to its owner is written first: a worker that dies in between
        leaves an unused id. Raises `Conflict` if the tenant has too many shares, and
        `InvalidInput` for an end date in the past.
        """
        now = self._clock()
        require_future_expiry(wanted.access, now)
        share = Share(
            **wanted.values_of(ShareInput),
            id=execution.new_id("share"),
            share_id=execution.new_id("share id"),
            created=now,
            changed=now,
        )
        require_storable(share)
        known = await self._store.shares.get(caller.tenant, share.id)
        if known is not None:
            return known
        await self._store.share_numbers.require_room(caller.tenant)
        await self._locate(caller, share)

        async def row() -> list[Operation]:
            if await self._store.shares.get(caller.tenant, share.id) is not None:
                raise Conflict("already_exists")
            return [self._store.shares.inserting(share.id, share)]

        async with self._ledger.change(caller, LedgerAction.SHARE_CREATED, share.id) as entry:
            try:
                etags = await self._store.share_numbers.add(caller.tenant, row)
                return Stored(share, etags[share.id])
            except Conflict as error:
                if error.code != "already_exists":
                    raise
                entry.changed = False
        return await self.read(caller, share.id)

    async def page(self, caller: Caller, size: int, token: str | None) -> Listing[Share]:
        """Return one page of the tenant's shares, by id."""
        return await self._store.shares.page(caller.tenant, size=size, token=token)

    async def search(
        self, caller: Caller, text: str, size: int, token: str | None, sort: str = "name"
    ) -> NamedPage[Share]:
        """Return a page of the shares whose names contain `text` ('' for all), by name."""
        return await page_by_name(self._store.shares, caller.tenant, text, size, token, sort=sort)

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
        known = [c.tenant for c in await self._subscribers.of(caller.tenant, id_)]

        def changed_by(share: Share) -> Share:
            wanted = patch(share)
            if wanted.access.approval and not share.access.approval:
                share = share.copy_with(approved=sorted({*share.approved, *known}))
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

        The withdrawal stays recorded with its ids, so that a withdrawn share is never confused with
        one that cannot be read. It is recorded first, and counts once the share is gone: repeating
        the call completes it.
        """
        withdrawn = ShareLocation(publisher=caller.tenant, share=id_, withdrawn=self._clock())
        secrets: list[str] = []

        async def row() -> list[Operation]:
            stored = await self.read(caller, id_)
            require_match(stored.etag, if_match)
            secrets[:] = [stored.value.share_id, *stored.value.retired]
            await self._store.share_index.upsert(id_, OWNER_ROW, withdrawn)
            return [DeleteRow(id_, stored.etag)]

        async with self._ledger.change(caller, LedgerAction.SHARE_WITHDRAWN, id_):
            await self._store.share_numbers.remove(caller.tenant, row)
            for secret in secrets:
                await self._store.share_index.upsert(secret, OWNER_ROW, withdrawn)
            await self._store.share_facts.delete(caller.tenant, id_)
            await self._store.share_photos.delete(caller.tenant, id_)
        await self._revocations.of_share(caller.tenant, id_)

    async def rotate(
        self, caller: Caller, id_: str, keep: Collection[str] | None, execution: Execution
    ) -> Stored[Share]:
        """Replace the secret id of a share; the old ones keep working only for tenants in `keep`.

        None keeps all tenants that import the share now. The imports of the others remove its
        contacts. Nothing else of the share changes, whoever changes it at the same time. Another
        execution of the same call does not replace the id again.
        """
        await self.read(caller, id_)
        subscribers = {c.tenant for c in await self._subscribers.of(caller.tenant, id_)}
        subscribers.discard(caller.tenant)
        kept = subscribers if keep is None else subscribers & set(keep)
        new = execution.new_id("share id")
        location = ShareLocation(publisher=caller.tenant, share=id_)
        await self._store.share_ids.upsert(caller.tenant, new, ShareId(share=new))
        await self._index(new, location)
        forgotten: set[str] = set()

        def rotated(share: Share) -> Share:
            entry.changed = new not in {share.share_id, *share.retired}
            if not entry.changed:
                return share
            now = share.with_secret(new, kept, self._clock())
            forgotten.clear()
            forgotten.update({*share.retired, share.share_id}.difference(now.retired))
            return now

        async with self._ledger.change(
            caller, LedgerAction.SHARE_ROTATED, id_, kept=len(kept)
        ) as entry:
            made = await change(self._store.shares, caller.tenant, id_, rotated, kind="share")
        for secret in forgotten:
            await self._store.share_index.delete(secret, OWNER_ROW)
            await self._store.share_ids.delete(caller.tenant, secret)
        await self._revocations.of_share(caller.tenant, id_, subscribers - kept)
        return made

    async def subscribers(self, caller: Caller, id_: str) -> list[Subscriber]:
        """Return who imports a share: tenants and numbers of mailboxes, never which mailboxes.

        Of a withdrawn share, these are the tenants that may still have contacts of it.
        """
        tenant, now = caller.tenant, self._clock()
        stored = await self._store.shares.get(tenant, id_)
        if stored is None:
            located = await self._store.share_index.get(id_, OWNER_ROW)
            if located is None or located.value.publisher != tenant or located.value.share != id_:
                found_in(stored, "share", id_)
        found: list[Subscriber] = []
        for each in await self._subscribers.of(tenant, id_):
            state = SubscriberState.ENDED
            if stored is not None:
                state = state_of(each.tenant, stored.value, tenant, now, each.latest)
            left, lost = None, None
            if state not in {SubscriberState.OWN, SubscriberState.ADMITTED}:
                left, lost = await self._subscribers.left(tenant, id_, each.tenant)
            found.append(replace(each, state=state, remaining=left, unreachable=lost))
        return found

    async def newcomers(self, publisher: str) -> list[NewSubscriber]:
        """Return the tenants that began to import shares lately, or wait for an approval."""
        found: list[NewSubscriber] = []
        lately = self._clock() - _NEW_FOR
        for new in (await self._subscribers.newcomers(publisher))[:_NEWCOMERS]:
            share = await self._store.shares.get(publisher, new.share)
            state = share and state_of(new.tenant, share.value, publisher, self._clock(), new.since)
            waiting = state is SubscriberState.WAITING
            if waiting or (state is SubscriberState.ADMITTED and new.since >= lately):
                tenant = await self._store.tenants.get(new.tenant, TENANT_ROW)
                name = tenant.value.called if tenant is not None else new.tenant
                found.append(NewSubscriber(new.share, new.tenant, name, waiting))
            else:
                await self._subscribers.decided(publisher, new.share, new.tenant)
        return found

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
        await self._subscribers.decided(caller.tenant, id_, tenant)
        await self._revocations.of_share(caller.tenant, id_, {tenant})

    async def approve(self, caller: Caller, id_: str, tenant: str) -> None:
        """Let a tenant that waits, or that is blocked, import a share. Safe to repeat.

        Its imports start at once. Raises `NotFound` if the tenant does not import the share.
        """
        tenant = tenant.lower()
        if tenant not in {c.tenant for c in await self.subscribers(caller, id_)}:
            raise NotFound("not_a_subscriber", id=tenant[:64])

        def approved(share: Share) -> Share:
            entry.changed = tenant not in share.approved or tenant in share.blocked
            if not entry.changed:
                return share
            return share.copy_with(
                approved=sorted({*share.approved, tenant}),
                blocked=[each for each in share.blocked if each != tenant],
                changed=self._clock(),
            )

        async with self._ledger.change(
            caller, LedgerAction.SHARE_APPROVED, id_, tenant=tenant
        ) as entry:
            await change(self._store.shares, caller.tenant, id_, approved, kind="share")
        await self._subscribers.decided(caller.tenant, id_, tenant)
        await self._revocations.resume(caller.tenant, id_, tenant)

    async def _locate(self, caller: Caller, share: Share) -> None:
        location = ShareLocation(publisher=caller.tenant, share=share.id)
        # First, so that leaving finds every id of the tenant.
        for id_ in (share.id, share.share_id):
            await self._store.share_ids.upsert(caller.tenant, id_, ShareId(share=id_))
            await self._index(id_, location)

    async def _index(self, id_: str, location: ShareLocation) -> None:
        """Write which share an id belongs to, unless an earlier execution has done so."""
        try:
            await self._store.share_index.insert(id_, OWNER_ROW, location)
        except Conflict:
            known = await self._store.share_index.get(id_, OWNER_ROW)
            if known is None or known.value != location:
                raise KeyUsed("idempotency_key_of_withdrawn_share") from None


def _admits(share: Share, tenant: str, caller: Caller, now: datetime) -> bool:
    return share.admits(tenant, caller.tenant, now)
