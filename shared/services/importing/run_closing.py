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
from shared.adapters.storage.mailboxes.mailbox_state import MailboxStates
from shared.adapters.storage.queues import Queues
from shared.adapters.storage.results import count_results, find_result
from shared.adapters.storage.snapshots import Job, Snapshots
from shared.adapters.storage.store import TENANT_ROW, Store, results_of
from shared.adapters.telemetry import emit
from shared.domain.errors import Busy, OutOfTime, PreconditionFailed
from shared.domain.events import MailboxSyncFinished
from shared.domain.importing.import_life import FULL, ImportRuns
from shared.domain.importing.messages import (
    TENANT_LEAVINGS,
    CloseRun,
    LeaveTenant,
    RunMessage,
    SyncMailbox,
)
from shared.domain.importing.runs import (
    Outcome,
    Result,
    Run,
    RunStatus,
    RunTrigger,
)
from shared.domain.importing.schedule import newest_first
from shared.domain.reasons import Reason
from shared.domain.tenancy.tenants import LedgerAction, LedgerEntry, TenantStatus
from shared.services.importing.run_book import RunBook
from shared.services.importing.run_summary import closed_run, given_up_results, results_that_count
from shared.services.importing.run_telemetry import emit_given_up, emit_run_end
from shared.services.sharing.subscribers import Subscribers
from shared.services.tenancy.ledger import SERVICE

_log = logging.getLogger(__name__)
_LONGEST_PAUSE: Final = 60.0
_STILL_HELD: Final = frozenset({Reason.APPROVAL_PENDING, Reason.PLAN_DISCARDED})
SNAPSHOT_AGE: Final = timedelta(hours=12)
"""How old a snapshot is before it may be a leftover."""
ERASES_FOR: Final = timedelta(seconds=30)
"""How long one try to delete a run lasts; the next night goes on."""
_LEFT_AS_WANTED: Final = frozenset({RunStatus.SUCCEEDED, RunStatus.SKIPPED})
_HELD_FOR: Final = timedelta(days=7)


class RunClosing:
    """Closes runs; each call of `close` is one message of the queue `run-closings`."""

    def __init__(
        self,
        store: Store,
        queues: Queues,
        snapshots: Snapshots,
        states: MailboxStates,
        subscribers: Subscribers,
        book: RunBook,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._queues = queues
        self._snapshots = snapshots
        self._states = states
        self._subscribers = subscribers
        self._book = book
        self._clock = clock

    async def close(self, message: CloseRun, tries: int = 1) -> None:
        """Close a run if all its results are in. Raises `Busy` if not, so that it is retried.

        A message of a run that is not open changes nothing, and the copies of one that comes back
        do not. `tries` says how often the queue has delivered the message.
        """
        try:
            await self._close(message, final=False)
        except Busy:
            if await self._book.look_again(message, redelivered=tries > 1):
                raise

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

    async def sweep_snapshot(self, snapshot: str) -> bool:
        """Erase an old snapshot unless its run needs it; return whether it was erased.

        A run needs the one that its row names, until it ends; a held run keeps it for seven days.
        """
        tenant, run_id, *_ = snapshot.split("|")
        stored = await self._store.runs.get(tenant, run_id)
        run = stored.value if stored is not None else None
        if run is not None and run.snapshot == snapshot and _needs_snapshot(run, self._clock()):
            return False
        await self._snapshots.erase(snapshot)
        return True

    async def erase_run(self, tenant: str, run: str) -> None:
        """Delete a run with its results. Raises `OutOfTime` if another try is to go on."""
        results, until = results_of(tenant, run), self._clock() + ERASES_FOR

        def check() -> None:
            if self._clock() >= until:
                raise OutOfTime(f"The erasing of run {run} goes on.", 0.0)

        await self._store.tables.delete_partition(self._store.results.table, results, check)
        await self._store.held_plans.erase(tenant, run)
        await self._store.runs.delete(tenant, run)

    async def _close(self, message: RunMessage, *, final: bool) -> None:
        if not await self._store.is_open(message):
            return
        stored = await self._store.runs.get(message.tenant, message.run)
        if stored is None or stored.value.number != message.number:
            return
        run, results = stored.value, list[Result]()
        if not run.status.ended:
            job = await self._snapshots.job(run.snapshot) if final and run.snapshot else None
            reached = await self._results(message.tenant, run, final=final)
            results = [*reached, *await self._give_up_rest(message.tenant, run, job, reached)]
            run = closed_run(run, results, self._clock(), given_up=final)
            try:
                await self._store.runs.replace(message.tenant, message.run, run, stored.etag)
            except PreconditionFailed as error:
                note = "The run changed while it was closed."
                raise Busy(note, 1.0) from error
            if job is not None:
                emit_given_up(message.tenant, run, job, reached)
            emit_run_end(message.tenant, run)
        if run.status is not RunStatus.HELD:
            await self._snapshots.erase_of(message.tenant, message.run)
        if run.trigger is not RunTrigger.REMOVAL or not await self._removed(message, run):
            if run.reason is Reason.SHARE_WITHDRAWN:
                await self._forget_subscriber(message)
            await self._book.end(message, lambda runs: _noted(runs, run, results))
        if run.trigger is RunTrigger.REMOVAL:
            await self._go_on_leaving(message.tenant)

    async def _results(self, tenant: str, run: Run, *, final: bool) -> list[Result]:
        """Return the results of a run; raise `Busy` if any is missing, unless it is `final`."""
        if final:
            return await results_that_count(self._store, tenant, run)
        if run.snapshot is None:
            raise Busy("The run has not decided its work yet.", self._pause(run))
        # Counting reads keys only, and a large run is looked at many times.
        self._require_all(run, await count_results(self._store, tenant, run.id))
        results = await results_that_count(self._store, tenant, run)
        self._require_all(run, len(results))
        return results

    async def _give_up_rest(
        self, tenant: str, run: Run, job: Job | None, reached: Sequence[Result]
    ) -> list[Result]:
        """Write and return a result for each mailbox of a run that is given up without one.

        So its results are as many as it counts, and a retry finds the mailboxes that failed.
        """
        if job is None:
            return []
        missing = given_up_results(run, job, reached, self._clock())
        await self._store.results.write_many(results_of(tenant, run.id), missing)
        return list(missing.values())

    def _require_all(self, run: Run, results: int) -> None:
        """Raise `Busy` if mailboxes of the run have no result yet."""
        missing = run.mailboxes.total - results
        if missing > 0:
            note = f"{missing} of {run.mailboxes.total} mailboxes are still to come."
            raise Busy(note, self._pause(run))

    async def _go_on_leaving(self, tenant: str) -> None:
        """Let the leaving of a tenant go on, which waits for its removals. The tick does it too."""
        stored = await self._store.tenants.get(tenant, TENANT_ROW)
        if stored is not None and stored.value.status is TenantStatus.LEAVING:
            await self._queues.send(TENANT_LEAVINGS, LeaveTenant(tenant=tenant))

    async def _forget_subscriber(self, message: RunMessage) -> None:
        """Let the publisher no longer see an import that lost its share, once nothing is left."""
        found = await self._store.imports.get(message.tenant, message.import_id)
        if found is not None and not await self._states.any(message.tenant, message.import_id):
            await self._subscribers.drop(message.tenant, message.import_id, found.value.share_id)

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
        await self._states.erase_links(message.tenant, message.import_id)
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
        applied=run.work if full and run.status in _LEFT_AS_WANTED else None,
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
