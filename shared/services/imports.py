"""Imports: naming a share and the mailboxes that shall hold its contacts."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from shared.adapters.identity import Caller
from shared.adapters.records import OWNER_ROW, TENANT_ROW, Listing, Store, Stored
from shared.domain.errors import Conflict, FieldError, InvalidInput
from shared.domain.models import Import, ImportInput, RunTrigger, Targets, Tenant
from shared.services.changes import change, found_in, require_storable
from shared.services.idempotency import Idempotency
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
        self._ids = Idempotency(store, clock, new_id)
        self._ledger = ledger
        self._queue_run = queue_run
        self._count_mailboxes = count_mailboxes

    async def create(
        self, caller: Caller, wanted: ImportInput, key: str | None = None
    ) -> CreatedImport:
        """Create an import and queue its first run; the first import starts the trial.

        The same idempotency `key` again answers the same import and run.
        Once its row is written the import runs: should the worker die before its first run is
        queued, the daily timer starts it.
        """
        await self._admitted(caller, wanted.share_id)
        seats_needed = await self._count_mailboxes(caller.tenant, wanted.targets)
        now = self._clock()
        import_ = Import(
            **{name: getattr(wanted, name) for name in ImportInput.model_fields},
            id=await self._ids.id_for(caller.tenant, "import", key, wanted),
            created=now,
            changed=now,
        )
        require_storable(import_)
        await self._start_trial(caller, now)
        stored = await self._insert(caller, import_)
        created = stored.value.created
        run = await self._queue_run(caller.tenant, import_.id, RunTrigger.CREATED, created)
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

        def changed_by(import_: Import) -> Import:
            wanted = patch(import_)
            if wanted.share_id != import_.share_id:
                words = "an import names one share for its whole life; create another import"
                raise InvalidInput("The share cannot be changed.", (FieldError("shareId", words),))
            given = {name: getattr(wanted, name) for name in ImportInput.model_fields}
            return import_.model_copy(update={**given, "changed": self._clock()})

        changed = await self._change(caller, id_, changed_by, if_match)
        await self._ledger.record(caller, "import.changed", id_)
        return changed

    async def remove(self, caller: Caller, id_: str, if_match: str | None) -> str:
        """Delete an import and answer the run that removes its contacts.

        It is marked first; should the worker die then, the daily timer starts the removal.
        """
        now = self._clock()
        mark = {"removing": True, "changed": now}
        await self._change(caller, id_, lambda i: i.model_copy(update=mark), if_match)
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

    async def _insert(self, caller: Caller, import_: Import) -> Stored[Import]:
        imports = self._store.imports
        try:
            stored = await imports.insert(caller.tenant, import_.id, import_)
        except Conflict:
            known = await imports.get(caller.tenant, import_.id)
            if known is None or known.value.removing:
                message = "The import of this Idempotency-Key was deleted: use a new key."
                raise Conflict(message) from None
            return known
        await self._ledger.record(caller, "import.created", import_.id, share=import_.share_id)
        return stored

    async def _change(
        self, caller: Caller, id_: str, apply: Callable[[Import], Import], if_match: str | None
    ) -> Stored[Import]:
        def applied(import_: Import) -> Import:
            if import_.removing:
                found_in(None, "import", id_)
            return apply(import_)

        return await change(
            self._store.imports, caller.tenant, id_, applied, kind="import", if_match=if_match
        )

    async def _start_trial(self, caller: Caller, now: datetime) -> None:
        def started(tenant: Tenant) -> Tenant:
            if tenant.trial_started is not None:
                return tenant
            return tenant.model_copy(update={"trial_started": now})

        tenants = self._store.tenants
        stored = await change(tenants, caller.tenant, TENANT_ROW, started, kind="tenant")
        if stored.value.trial_started == now:
            await self._ledger.record(caller, "trial.started", caller.tenant)
