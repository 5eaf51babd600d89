"""Imports: naming a share and the mailboxes that shall hold its contacts."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from shared.adapters.identity import Caller
from shared.adapters.records import OWNER_ROW, TENANT_ROW, Listing, Store, Stored
from shared.domain.errors import FieldError, InvalidInput, NotFound, PreconditionFailed
from shared.domain.models import Import, ImportInput, RunTrigger, Targets
from shared.services.changes import found_in, require_match
from shared.services.ledger import Ledger

type QueueRun = Callable[[str, str, RunTrigger, datetime], Awaitable[str]]
type CountMailboxes = Callable[[str, Targets], Awaitable[int | None]]


@dataclass(frozen=True, slots=True)
class CreatedImport:
    """A new import, its first run, and how many seats it will need (None: not known now)."""

    stored: Stored[Import]
    first_run: str
    seats_needed: int | None


class Imports:
    """The imports of the caller's tenant."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        ledger: Ledger,
        queue_run: QueueRun,
        count_mailboxes: CountMailboxes,
    ) -> None:
        """`queue_run` records and queues a run; `count_mailboxes` asks the directory."""
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._ledger = ledger
        self._queue_run = queue_run
        self._count_mailboxes = count_mailboxes

    async def create(self, caller: Caller, wanted: ImportInput) -> CreatedImport:
        """Create an import and queue its first run; the first import starts the trial.

        Once its row is written the import runs: should the worker die before its first run is
        queued, the daily timer starts it.
        """
        await self._admitted(caller, wanted.share_id)
        seats_needed = await self._count_mailboxes(caller.tenant, wanted.targets)
        now = self._clock()
        import_ = Import(
            **{name: getattr(wanted, name) for name in ImportInput.model_fields},
            id=self._new_id(),
            created=now,
            changed=now,
        )
        await self._start_trial(caller, now)
        stored = await self._store.imports.insert(caller.tenant, import_.id, import_)
        await self._ledger.record(caller, "import.created", import_.id, share=wanted.share_id)
        run = await self._queue_run(caller.tenant, import_.id, RunTrigger.CREATED, now)
        return CreatedImport(stored, run, seats_needed)

    async def page(self, caller: Caller, size: int, token: str | None) -> Listing[Import]:
        """Some of the tenant's imports, by id; not those whose removal is under way."""
        return await self._store.imports.page(
            caller.tenant, size=size, token=token, where="removing eq false"
        )

    async def read(self, caller: Caller, id_: str) -> Stored[Import]:
        """One import; `NotFound` if the tenant has none of this id."""
        stored = await self._store.imports.get(caller.tenant, id_)
        if stored is not None and stored.value.removing:
            stored = None
        return found_in(stored, "import", id_)

    async def change(
        self,
        caller: Caller,
        id_: str,
        patch: Callable[[ImportInput], ImportInput],
        if_match: str | None,
    ) -> Stored[Import]:
        """Change an import; it takes effect with its next run."""
        stored = await self.read(caller, id_)
        require_match(stored.etag, if_match)
        wanted = patch(stored.value)
        if wanted.share_id != stored.value.share_id:
            message = "an import names one share for its whole life; create another import"
            raise InvalidInput("The share cannot be changed.", (FieldError("shareId", message),))
        import_ = stored.value.model_copy(
            update={
                **{name: getattr(wanted, name) for name in ImportInput.model_fields},
                "changed": self._clock(),
            }
        )
        changed = await self._store.imports.replace(caller.tenant, id_, import_, stored.etag)
        await self._ledger.record(caller, "import.changed", id_)
        return changed

    async def remove(self, caller: Caller, id_: str, if_match: str | None) -> str:
        """Delete an import and answer the run that removes its contacts.

        It is marked first; should the worker die then, the daily timer starts the removal.
        """
        stored = await self.read(caller, id_)
        require_match(stored.etag, if_match)
        now = self._clock()
        import_ = stored.value.model_copy(update={"removing": True, "changed": now})
        await self._store.imports.replace(caller.tenant, id_, import_, stored.etag)
        await self._ledger.record(caller, "import.removed", id_)
        return await self._queue_run(caller.tenant, id_, RunTrigger.REMOVAL, now)

    async def _admitted(self, caller: Caller, share_id: str) -> None:
        """Raise `InvalidInput` unless the share may be imported; all refusals sound the same."""
        location = await self._store.share_index.get(share_id, OWNER_ROW)
        if location is not None and location.value.withdrawn is None:
            publisher = location.value.publisher
            share = await self._store.shares.get(publisher, share_id)
            now = self._clock()
            if share is not None and share.value.access.admits(caller.tenant, publisher, now):
                return
        message = "no share of this id is open to your tenant"
        raise InvalidInput("The share cannot be imported.", (FieldError("shareId", message),))

    async def _start_trial(self, caller: Caller, now: datetime) -> None:
        while True:
            stored = await self._store.tenants.get(caller.tenant, TENANT_ROW)
            if stored is None:
                raise NotFound("Your tenant is not known any more: sign in again.")
            if stored.value.trial_started is not None:
                return
            tenant = stored.value.model_copy(update={"trial_started": now})
            try:
                await self._store.tenants.replace(caller.tenant, TENANT_ROW, tenant, stored.etag)
            except PreconditionFailed:
                continue
            await self._ledger.record(caller, "trial.started", caller.tenant)
            return
