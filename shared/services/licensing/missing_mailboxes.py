"""Targets that are known to have no mailbox: they take no license, and are seldom asked about."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from itertools import batched

from shared.adapters.graph.mailbox_directory import TargetMailboxes
from shared.adapters.storage.records import Stored
from shared.adapters.storage.store import Store
from shared.adapters.storage.tables.transactions import MAX_TRANSACTION, DeleteRow, Operation
from shared.domain.errors import PreconditionFailed
from shared.domain.importing.messages import RunMessage
from shared.domain.importing.runs import Run, RunTrigger
from shared.domain.importing.schedule import is_daily
from shared.domain.reasons import Reason
from shared.domain.tenancy.missing_mailboxes import (
    MissingMailbox,
    Sorted,
    sort_targets,
    started_by_person,
    still_missing,
)
from shared.services.licensing.seats import SeatBook


class MissingMailboxes:
    """What Graph last said about targets without a mailbox, by tenant."""

    def __init__(self, store: Store, seats: SeatBook, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._seats = seats
        self._clock = clock

    async def existing(self, tenant: str, targets: TargetMailboxes) -> frozenset[str]:
        """Return the targets whose mailbox may exist, without those known to have none."""
        return frozenset(targets.mailboxes - (await self._known(tenant)).keys())

    async def sort(self, tenant: str, targets: TargetMailboxes, run: Run) -> Sorted:
        """Sort the targets of a run, and note what it has read of their directory entries."""
        known = await self._known(tenant)
        found = sort_targets(
            targets.entries,
            {mailbox: stored.value for mailbox, stored in known.items()},
            self._clock(),
            by_person=started_by_person(run.trigger),
            by_time=run.trigger is not RunTrigger.SCHEDULE or is_daily(run.id),
        )
        records = self._store.missing_mailboxes
        operations: list[Operation] = [
            *(records.replacing(m, new, known[m].etag) for m, new in found.new_entries.items()),
            *(DeleteRow(mailbox, known[mailbox].etag) for mailbox in sorted(found.stale)),
        ]
        for chunk in batched(operations, MAX_TRANSACTION, strict=False):
            # If a worker changes a row in between, the next run does this.
            with suppress(PreconditionFailed):
                await records.transact(tenant, chunk)
        return found

    async def note(self, run: RunMessage, mailbox: str, reason: Reason, entry: str) -> None:
        """Note that a run's target has no mailbox, and release its license.

        Called while the mailbox is leased. `entry` is the hash of its directory entry, if the run
        asked because of what was known before.
        """
        stored = await self._store.missing_mailboxes.get(run.tenant, mailbox)
        known = stored.value if stored is not None else None
        missing = still_missing(known, mailbox, reason, self._clock(), entry)
        await self._store.missing_mailboxes.upsert(run.tenant, mailbox, missing)
        await self._seats.release(run, mailbox)

    async def found(self, run: RunMessage, mailbox: str) -> bool:
        """Note that a mailbox exists after all; return whether it gets a license."""
        await self._store.missing_mailboxes.delete(run.tenant, mailbox)
        return await self._seats.add(run, mailbox)

    async def _known(self, tenant: str) -> dict[str, Stored[MissingMailbox]]:
        rows = self._store.missing_mailboxes.all(tenant)
        return {stored.value.mailbox: stored async for stored in rows}
