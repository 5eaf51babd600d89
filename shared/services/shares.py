"""Shares: publishing a set of people, changing and withdrawing it."""

from collections.abc import Callable
from datetime import datetime

from shared.adapters.identity import Caller
from shared.adapters.records import OWNER_ROW, Listing, ShareLocation, Store, Stored
from shared.domain.models import Share, ShareInput
from shared.services.changes import found_in, require_match
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
        self._new_id = new_id
        self._ledger = ledger

    async def create(self, caller: Caller, wanted: ShareInput) -> Stored[Share]:
        """Publish a share.

        The way from the id to its owner is written first: a worker that dies in between leaves an
        id that nobody was told.
        """
        now = self._clock()
        share = Share(
            **{name: getattr(wanted, name) for name in ShareInput.model_fields},
            id=self._new_id(),
            created=now,
            changed=now,
        )
        location = ShareLocation(publisher=caller.tenant)
        await self._store.share_index.insert(share.id, OWNER_ROW, location)
        stored = await self._store.shares.insert(caller.tenant, share.id, share)
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
        stored = await self.read(caller, id_)
        require_match(stored.etag, if_match)
        wanted = patch(stored.value)
        share = stored.value.model_copy(
            update={
                **{name: getattr(wanted, name) for name in ShareInput.model_fields},
                "changed": self._clock(),
            }
        )
        changed = await self._store.shares.replace(caller.tenant, id_, share, stored.etag)
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
