"""Imports: each names a share and the mailboxes that receive its contacts."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.graph.mailbox_directory import MailboxDirectory
from shared.adapters.storage.import_rows import insert_import
from shared.adapters.storage.records import Listing, Stored
from shared.adapters.storage.store import NOT_REMOVING, TENANT_ROW, Store
from shared.adapters.storage.tables.conditions import Condition
from shared.adapters.storage.tables.transactions import Operation
from shared.domain.errors import (
    Conflict,
    ContactSyncError,
    FieldError,
    InvalidInput,
    NeedsAdmin,
    NotFound,
)
from shared.domain.importing.import_life import ImportRuns
from shared.domain.importing.imports import Import, ImportInput, Targets
from shared.domain.importing.runs import RunTrigger
from shared.domain.importing.schedule import DAY, in_plan
from shared.domain.tenancy.tenants import LedgerAction, Tenant
from shared.services.changes import change, found_in, require_match, require_storable
from shared.services.idempotency import Execution, KeyUsed
from shared.services.importing.run_book import RunBook
from shared.services.licensing.licenses import Licenses, PremiumNeeded, SeatsOutlook
from shared.services.licensing.missing_mailboxes import MissingMailboxes
from shared.services.named_lists import NamedPage, page_by_name
from shared.services.sharing.publications import Opened, Publications
from shared.services.sharing.subscribers import Subscribers
from shared.services.tenancy.ledger import Ledger

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CreatedImport:
    """A new import, its first run (None while it is paused), and the seats it needs.

    The seats are None if they cannot be determined now.
    """

    stored: Stored[Import]
    first_run: str | None
    seats: SeatsOutlook | None


class Imports:
    """The imports of the caller's tenant."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime],
        ledger: Ledger,
        publications: Publications,
        subscribers: Subscribers,
        licenses: Licenses,
        book: RunBook,
        directory: MailboxDirectory,
        missing: MissingMailboxes,
    ) -> None:
        self._store = store
        self._clock = clock
        self._ledger = ledger
        self._publications = publications
        self._subscribers = subscribers
        self._licenses = licenses
        self._book = book
        self._directory = directory
        self._missing = missing

    async def create(
        self, caller: Caller, wanted: ImportInput, execution: Execution
    ) -> CreatedImport:
        """Create an import and queue its first run; the first import starts the trial.

        An import created as paused has its first run when it is set to active. Another execution
        of the same call returns the same import and run. The import runs once its row is
        written: if the worker dies before the first run is queued, the daily timer starts it.
        Raises `InvalidInput` if the share is not open to the tenant, `PremiumNeeded` for its
        schedule, and `Conflict` if there are too many imports.
        """
        opened = await self.require_open(caller, wanted.share_id)
        share, publisher = opened.share, opened.publisher
        if not in_plan(wanted.schedule.every_hours, await self._licenses.plan(caller)):
            raise PremiumNeeded("premium_needed_schedule")
        try:
            seats: SeatsOutlook | None = await self.outlook(caller, wanted.targets)
        except ContactSyncError as error:
            _log.info("cannot count the target mailboxes: %s", error)
            seats = None
        now = execution.began
        own = publisher == caller.tenant
        named = wanted.copy_with(share_id=share.id) if own else wanted
        import_ = Import(
            **named.values_of(ImportInput),
            own_share=own,
            id=execution.new_id("import"),
            created=now,
            changed=now,
        )
        require_storable(import_)
        stored = await self._insert(caller, import_, share.id)
        expected = seats.mailboxes if seats is not None else 0
        await self._subscribers.note(publisher, share.id, caller.tenant, import_.id, expected)
        run = await self._queue_first(caller, stored.value) if stored.value.active else None
        return CreatedImport(stored, run, seats)

    async def outlook(self, caller: Caller, targets: Targets) -> SeatsOutlook:
        """Return how many seats an import of these targets needs.

        Targets that are known to have no mailbox need none.

        Raises `TransientError` or `NeedsAdmin` if the directory cannot be read.
        """
        found = await self._directory.mailboxes_of(caller.tenant, targets)
        existing = await self._missing.existing(caller.tenant, found)
        return await self._licenses.outlook(caller, existing)

    async def require_plan(self, caller: Caller, wanted: ImportInput, before: int = DAY) -> None:
        """Raise `InvalidInput` if the plan does not allow the schedule.

        An import may keep the interval in hours that it had `before`.
        """
        every = wanted.schedule.every_hours
        if every != before and not in_plan(every, await self._licenses.plan(caller)):
            raise InvalidInput.of(FieldError("schedule.everyHours", "premium_needed_schedule"))

    async def waits_for_approval(self, caller: Caller, import_: Import) -> bool:
        """Return whether an import gets nothing until the publisher of its share approves."""
        if import_.own_share:
            return False
        try:
            found = await self._publications.waiting(caller.tenant, import_.share_id)
        except NeedsAdmin:
            return False
        return found is not None

    async def require_open(self, caller: Caller, share_id: str) -> Opened:
        """Return the share that an import names, and its publisher.

        Raises `InvalidInput` if the share is not open to the tenant, in the same words for every
        cause.
        """
        try:
            return await self._publications.open_to(caller, share_id)
        except NotFound as error:
            raise InvalidInput.of(FieldError("shareId", "share_not_open")) from error

    async def page(self, caller: Caller, size: int, token: str | None) -> Listing[Import]:
        """Return one page of the tenant's imports, by id, without those that are being removed."""
        return await self._store.imports.page(
            caller.tenant, size=size, token=token, where=NOT_REMOVING
        )

    async def search(
        self,
        caller: Caller,
        text: str,
        size: int,
        token: str | None,
        sort: str = "name",
        *,
        active: bool | None = None,
    ) -> NamedPage[Import]:
        """Return a page of the imports whose names contain `text` ('' for all), by name.

        They are those that are `active`, or paused, or all of them.
        """
        state = [] if active is None else [Condition("active", "eq", active)]
        return await page_by_name(
            self._store.imports, caller.tenant, text, size, token, [*NOT_REMOVING, *state], sort
        )

    async def read(self, caller: Caller, id_: str) -> Stored[Import]:
        """Return one import. Raises `NotFound` if the tenant has no such import."""
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
        """Change an import. The change takes effect with the next run.

        An import that becomes active for the first time starts its first run at once.
        """
        plan = await self._licenses.plan(caller)
        paused = False
        also_called = await self._secret_of(caller, (await self.read(caller, id_)).value)

        def changed_by(import_: Import) -> Import:
            nonlocal paused
            paused = not import_.active
            wanted = patch(import_)
            if wanted.share_id == also_called:
                wanted = wanted.copy_with(share_id=import_.share_id)
            if wanted.share_id != import_.share_id:
                raise InvalidInput.of(FieldError("shareId", "share_fixed"))
            hours = wanted.schedule.every_hours
            if wanted.schedule != import_.schedule and not in_plan(hours, plan):
                raise PremiumNeeded("premium_needed_schedule")
            return import_.copy_with(**wanted.values_of(ImportInput), changed=self._clock())

        async with self._ledger.change(caller, LedgerAction.IMPORT_CHANGED, id_):
            stored = await self._change(caller, id_, changed_by, if_match)
        if paused and stored.value.active and (await self.runs(caller, id_)).last_run is None:
            await self._queue_first(caller, stored.value)
        return stored

    async def remove(self, caller: Caller, id_: str, if_match: str | None) -> str:
        """Delete an import and return the run that removes its contacts.

        The import is marked first; if the worker dies after that, the daily timer starts the
        removal.
        """
        now = self._clock()

        async def row() -> list[Operation]:
            stored = await self.read(caller, id_)
            require_match(stored.etag, if_match)
            removing = stored.value.copy_with(removing=True, changed=now)
            return [self._store.imports.replacing(id_, removing, stored.etag)]

        async with self._ledger.change(caller, LedgerAction.IMPORT_REMOVED, id_):
            await self._store.import_numbers.remove(caller.tenant, row)
        return await self._book.ask(caller.tenant, id_, RunTrigger.REMOVAL, now)

    async def runs(self, caller: Caller, id_: str) -> ImportRuns:
        """Return which runs an import has. Raises `NotFound` if the tenant has no such import."""
        return found_in(await self._store.import_runs.get(caller.tenant, id_), "import", id_).value

    async def _queue_first(self, caller: Caller, import_: Import) -> str:
        return await self._book.ask(caller.tenant, import_.id, RunTrigger.CREATED, import_.created)

    async def _secret_of(self, caller: Caller, import_: Import) -> str | None:
        """Return the secret id of an import's own share, by which an admin may name it as well."""
        if not import_.own_share:
            return None
        share = await self._store.shares.get(caller.tenant, import_.share_id)
        return share.value.share_id if share is not None else None

    async def _insert(self, caller: Caller, import_: Import, share: str) -> Stored[Import]:
        imports = self._store.imports
        known = await imports.get(caller.tenant, import_.id)
        if known is None:
            await self._store.import_numbers.require_room(caller.tenant)
            await self._start_trial(caller, import_.created)
            async with self._ledger.change(
                caller, LedgerAction.IMPORT_CREATED, import_.id, share=share
            ) as entry:
                try:
                    return await insert_import(self._store, caller.tenant, import_)
                except Conflict as error:
                    if error.code != "already_exists":
                        raise
                    entry.changed = False
            known = await imports.get(caller.tenant, import_.id)
        if known is None or known.value.removing:
            raise KeyUsed("idempotency_key_of_deleted_import")
        return known

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
                entry.changed = False
                return tenant
            return tenant.copy_with(trial_started=now)

        known = await self._store.tenants.get(caller.tenant, TENANT_ROW)
        if known is not None and known.value.trial_started is not None:
            return
        async with self._ledger.change(caller, LedgerAction.TRIAL_STARTED, caller.tenant) as entry:
            await change(self._store.tenants, caller.tenant, TENANT_ROW, started, kind="tenant")
