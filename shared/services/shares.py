"""Shares: publishing a set of people, changing and withdrawing it."""

from collections.abc import Callable
from datetime import datetime

from shared.adapters.identity import Caller
from shared.adapters.records import OWNER_ROW, Listing, ShareLocation, Store, Stored
from shared.domain.errors import Conflict
from shared.domain.sharing import Share, ShareInput
from shared.services.changes import change, found_in, require_match, require_storable
from shared.services.idempotency import Idempotency
from shared.services.ledger import Ledger


class Shares:
    """The shares of the caller's tenant."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        ledger: Ledger,
    ) -> None:
        """Keep them in this store; `new_id` must be unguessable, since the id is the key to it."""
        self._store = store
        self._clock = clock
        self._ids = Idempotency(store, clock, new_id)
        self._ledger = ledger

    async def create(
        self, caller: Caller, wanted: ShareInput, key: str | None = None
    ) -> Stored[Share]:
        """Publish a share; the same idempotency `key` again answers the same share.

        The way from the id to its owner is written first: a worker that dies in between leaves an
        id that nobody was told.
        """
        now = self._clock()
        share = Share(
            **{name: getattr(wanted, name) for name in ShareInput.model_fields},
            id=await self._ids.id_for(caller.tenant, "share", key, wanted),
            created=now,
            changed=now,
        )
        require_storable(share)
        await self._locate(caller, share.id)
        try:
            stored = await self._store.shares.insert(caller.tenant, share.id, share)
        except Conflict:
            return await self.read(caller, share.id)
        await self._ledger.record(caller, "share.created", share.id)
        return stored

    async def page(self, caller: Caller, size: int, token: str | None) -> Listing[Share]:
        """Some of the tenant's shares, by id."""
        return await self._store.shares.page(caller.tenant, size=size, token=token)

    async def read(self, caller: Caller, id_: str) -> Stored[Share]:
        """One share; `NotFound` if the tenant has none of this id."""
        return found_in(await self._store.shares.get(caller.tenant, id_), "share", id_)

    async def change(
        self,
        caller: Caller,
        id_: str,
        patch: Callable[[ShareInput], ShareInput],
        if_match: str | None,
    ) -> Stored[Share]:
        """Change a share; `PreconditionFailed` if it is not the version that If-Match names."""

        def changed_by(share: Share) -> Share:
            wanted = patch(share)
            given = {name: getattr(wanted, name) for name in ShareInput.model_fields}
            return share.model_copy(update={**given, "changed": self._clock()})

        shares = self._store.shares
        changed = await change(
            shares, caller.tenant, id_, changed_by, kind="share", if_match=if_match
        )
        await self._ledger.record(caller, "share.changed", id_)
        return changed

    async def withdraw(self, caller: Caller, id_: str, if_match: str | None) -> None:
        """Withdraw a share: the next run of each import of it removes its contacts.

        That it was withdrawn stays on record with its id, so that 'gone for good' is never
        confused with 'cannot be read'; it is written first, so that a repeat completes it.
        """
        stored = await self.read(caller, id_)
        require_match(stored.etag, if_match)
        location = ShareLocation(publisher=caller.tenant, withdrawn=self._clock())
        await self._store.share_index.upsert(id_, OWNER_ROW, location)
        await self._store.shares.delete(caller.tenant, id_)
        await self._ledger.record(caller, "share.withdrawn", id_)

    async def _locate(self, caller: Caller, id_: str) -> None:
        location = ShareLocation(publisher=caller.tenant)
        try:
            await self._store.share_index.insert(id_, OWNER_ROW, location)
        except Conflict:
            known = await self._store.share_index.get(id_, OWNER_ROW)
            if known is None or known.value != location:
                message = "The share of this Idempotency-Key was withdrawn: use a new key."
                raise Conflict(message) from None
