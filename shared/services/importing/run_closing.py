"""Closing runs: sums up the results once all are in, deletes the snapshot, records what was lost.

No worker updates a counter in the run while it is in progress: thousands of workers would compete
for the ETag of one row. Messages that finally failed are recorded here too, so that every run ends.
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from shared.adapters.storage.import_rows import delete_import
from shared.adapters.storage.mailbox_state import MailboxStates
from shared.adapters.storage.results import find_result
from shared.adapters.storage.snapshots import Snapshots
from shared.adapters.storage.store import Store, results_of
from shared.adapters.storage.tables.conditions import ROW, Condition
from shared.adapters.telemetry import emit
from shared.domain.errors import Busy, PreconditionFailed
from shared.domain.events import MailboxSyncFinished
from shared.domain.importing.import_life import FULL, ImportRuns
from shared.domain.importing.messages import CloseRun, RunMessage, SyncMailbox
from shared.domain.importing.runs import (
    Outcome,
    Result,
    Run,
    RunStatus,
    RunTrigger,
)
from shared.domain.importing.schedule import newest_first
from shared.domain.reasons import Reason
from shared.domain.tenancy.tenants import LedgerAction, LedgerEntry
from shared.services.importing.run_book import RunBook
from shared.services.importing.run_summary import closed_run, results_that_count
from shared.services.importing.run_telemetry import emit_run_end
from shared.services.sharing.subscribers import Subscribers
from shared.services.tenancy.ledger import SERVICE

_log = logging.getLogger(__name__)
_LONGEST_PAUSE: Final = 15.0
_STILL_HELD: Final = frozenset({Reason.APPROVAL_PENDING, Reason.PLAN_DISCARDED})
_SNAPSHOT_AGE: Final = timedelta(hours=12)
_HELD_FOR: Final = timedelta(days=7)


class RunClosing:
    """Closes runs; each call of `close` is one message of the queue `run-closings`."""

    def __init__(
        self,
        store: Store,
        snapshots: Snapshots,
        states: MailboxStates,
        subscribers: Subscribers,
        book: RunBook,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._snapshots = snapshots
        self._states = states
        self._subscribers = subscribers
        self._book = book
        self._clock = clock

    async def close(self, message: CloseRun) -> None:
        """Close a run if all its results are in. Raises `Busy` if not, so that it is retried.

        A message of a run that is not open changes nothing.
        """
        await self._close(message, final=False)

    async def give_up(self, message: RunMessage) -> None:
        """Close a run with the results that exist: mailboxes without one count as failed."""
        await self._close(message, final=True)

    async def give_up_mailbox(self, message: SyncMailbox) -> None:
        """Record that a mailbox failed too often, unless it has a result after all."""
        if not await self._store.is_open(message):
            return
        partition = results_of(message.tenant, message.run)
        known = await find_result(self._store, message.tenant, message.run, message.mailbox)
        if known is None or known.value.number < message.number:
            result = Result(
                mailbox=message.mailbox,
                outcome=Outcome.FAILED,
                number=message.number,
                reason=Reason.GAVE_UP,
                ended=self._clock(),
            )
            await self._store.results.upsert(partition, message.mailbox, result)
            emit(MailboxSyncFinished.of(message, result))

    async def record_foreign(self, queue: str, message_id: str, body: bytes) -> None:
        """Record a foreign message by its size and hash only, because it may contain anything."""
        now = self._clock()
        digest = hashlib.sha256(body).hexdigest()
        _log.error("a message of %d bytes on %s is not ours (sha256 %s)", len(body), queue, digest)
        entry = LedgerEntry(
            when=now,
            actor=SERVICE,
            action=LedgerAction.MESSAGE_FOREIGN,
            subject=queue,
            detail={"bytes": len(body), "sha256": digest},
        )
        await self._store.ledger.upsert(SERVICE, f"{newest_first(now)}-{message_id}", entry)

    async def sweep(self) -> int:
        """Erase the snapshots that no run needs any more, and return how many.

        A run needs the one that its row names, until it ends; a held run keeps it for seven days.
        """
        count, now = 0, self._clock()
        for snapshot in await self._snapshots.older(now, _SNAPSHOT_AGE):
            tenant, run_id, *_ = snapshot.split("|")
            stored = await self._store.runs.get(tenant, run_id)
            run = stored.value if stored is not None else None
            if run is not None and run.snapshot == snapshot and _needs_snapshot(run, now):
                continue
            await self._snapshots.erase(snapshot)
            count += 1
        return count

    async def sweep_runs(self, kept: timedelta) -> int:
        """Delete runs older than `kept`, with their results, and return how many."""
        old = newest_first(self._clock() - kept)
        count = 0
        async for tenant, run in self._store.runs.keys(Condition(ROW, "ge", old)):
            results = results_of(tenant, run)
            await self._store.tables.delete_partition(self._store.results.table, results)
            await self._store.held_plans.erase(tenant, run)
            await self._store.runs.delete(tenant, run)
            count += 1
        return count

    async def _close(self, message: RunMessage, *, final: bool) -> None:
        if not await self._store.is_open(message):
            return
        stored = await self._store.runs.get(message.tenant, message.run)
        if stored is None or stored.value.number != message.number:
            return
        run, results = stored.value, list[Result]()
        if not run.status.ended:
            if run.snapshot is None and not final:
                raise Busy("The run has not decided its work yet.", _LONGEST_PAUSE)
            results = await results_that_count(self._store, message.tenant, run)
            missing = run.mailboxes.total - len(results)
            if missing > 0 and not final:
                note = f"{missing} of {run.mailboxes.total} mailboxes are still to come."
                raise Busy(note, self._pause(run))
            run = closed_run(run, results, self._clock(), given_up=final)
            try:
                await self._store.runs.replace(message.tenant, message.run, run, stored.etag)
            except PreconditionFailed as error:
                note = "The run changed while it was closed."
                raise Busy(note, 1.0) from error
            emit_run_end(message.tenant, run)
        if run.status is not RunStatus.HELD:
            await self._snapshots.erase_of(message.tenant, message.run)
        if run.trigger is RunTrigger.REMOVAL and await self._removed(message, run):
            return
        await self._book.end(message, lambda runs: _noted(runs, run, results))

    def _pause(self, run: Run) -> float:
        """Return after how many seconds to look again: a tenth of the run's duration so far."""
        since = (self._clock() - (run.started or run.queued)).total_seconds()
        return min(max(since / 10, 1.0), _LONGEST_PAUSE)

    async def _removed(self, message: RunMessage, run: Run) -> bool:
        """Delete a removed import once no mailbox can hold a contact of it; return whether."""
        found = await self._store.imports.get(message.tenant, message.import_id)
        if found is None or not found.value.removing or run.mailboxes.failed:
            return False
        if await self._states.any(message.tenant, message.import_id):
            return False
        # Runs that the removal stopped are ended first: afterwards nobody would know of them.
        await self._book.repair(message.tenant, message.import_id)
        runs = await self._store.import_runs.get(message.tenant, message.import_id)
        if runs is not None and runs.value.held_run is not None:
            await self._snapshots.erase_of(message.tenant, runs.value.held_run)
        await self._subscribers.drop(message.tenant, message.import_id, found.value.share_id)
        with suppress(PreconditionFailed):
            await delete_import(self._store, message.tenant, message.import_id)
        return True


def _noted(runs: ImportRuns, run: Run, results: Sequence[Result]) -> ImportRuns:
    """Record what a run achieved for its import."""
    held = runs.held_run
    if run.status is RunStatus.HELD:
        held = run.id
    elif held == run.id or not any(r.reason in _STILL_HELD for r in results):
        held = None
    done = run.status in {RunStatus.SUCCEEDED, RunStatus.PARTIAL}
    full = run.trigger in FULL and not run.approved
    return runs.copy_with(
        held_run=held,
        owed=_owed(runs, run, results),
        applied=run.work if full and run.status is RunStatus.SUCCEEDED else None,
        contacts=run.share_contacts if run.trigger in FULL and done else runs.contacts,
    )


def _owed(runs: ImportRuns, run: Run, results: Sequence[Result]) -> str | None:
    """Return the revocation that still has mailboxes to reach after this run.

    Every run of an import whose share was withdrawn removes its contacts, so none of them is owed.
    """
    if run.reason is Reason.SHARE_WITHDRAWN:
        return None
    if run.trigger is not RunTrigger.REVOCATION or len(results) < run.mailboxes.total:
        return runs.owed
    reached = all(result.outcome is Outcome.SUCCEEDED for result in results)
    return None if reached else run.id


def _needs_snapshot(run: Run, now: datetime) -> bool:
    if not run.status.ended or run.ended is None:
        return True
    return run.status is RunStatus.HELD and now - run.ended < _HELD_FOR
