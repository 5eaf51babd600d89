"""Closing runs: sums up the results once all are in, deletes the snapshot, records what was lost.

No worker updates a counter in the run while it is in progress: thousands of workers would compete
for the ETag of one row. Messages that finally failed are recorded here too, so that every run ends.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from shared.adapters.storage.conditions import ROW, Condition
from shared.adapters.storage.records import Store, results_of
from shared.adapters.storage.snapshots import Snapshots, snapshot_id
from shared.adapters.telemetry import emit
from shared.domain.errors import Busy
from shared.domain.events import MailboxSyncFinished
from shared.domain.importing.messages import CloseRun, StartRun, SyncMailbox
from shared.domain.importing.run_status import status_of
from shared.domain.importing.runs import (
    ContactCounts,
    MailboxCounts,
    Outcome,
    Result,
    Run,
    RunStatus,
)
from shared.domain.importing.schedule import newest_first
from shared.domain.reasons import Reason
from shared.domain.tenancy.tenants import LedgerAction, LedgerEntry
from shared.services.importing.run_telemetry import tell_end
from shared.services.sharing.subscribers import Subscribers
from shared.services.tenancy.ledger import SERVICE

_log = logging.getLogger(__name__)
_PATIENCE: Final = timedelta(hours=24)
_SNAPSHOT_AGE: Final = timedelta(hours=48)


class RunClosing:
    """Closes runs; each call is one message of the queue `run-closings`."""

    def __init__(
        self,
        store: Store,
        snapshots: Snapshots,
        subscribers: Subscribers,
        clock: Callable[[], datetime],
    ) -> None:
        self._subscribers = subscribers
        self._store = store
        self._snapshots = snapshots
        self._clock = clock

    async def close(self, message: CloseRun) -> None:
        """Close a run if all its results are in. Raises `Busy` if not, so that it is retried.

        After 24 hours, the run is closed with the results that exist.
        """
        stored = await self._store.runs.get(message.tenant, message.run)
        if stored is None:
            return
        run = stored.value
        if not run.status.ended:
            partition = results_of(message.tenant, message.run)
            results = [s.value async for s in self._store.results.all(partition)]
            missing = run.mailboxes.total - len(results)
            overdue = run.started is not None and self._clock() - run.started > _PATIENCE
            if missing > 0 and not overdue:
                note = f"{missing} of {run.mailboxes.total} mailboxes are still to come."
                raise Busy(note, 1.0)
            run = _closed(run, results, self._clock())
            await self._store.runs.replace(message.tenant, message.run, run, stored.etag)
            tell_end(message.tenant, run)
        await self._snapshots.erase(snapshot_id(message.tenant, message.run))
        await self._note_on_import(message, run)

    async def give_up_mailbox(self, message: SyncMailbox) -> None:
        """Record that a mailbox failed too often, unless it has a result after all."""
        partition = results_of(message.tenant, message.run)
        if await self._store.results.get(partition, message.mailbox) is None:
            result = Result(
                mailbox=message.mailbox,
                outcome=Outcome.FAILED,
                reason=Reason.GAVE_UP,
                ended=self._clock(),
            )
            await self._store.results.upsert(partition, message.mailbox, result)
            emit(MailboxSyncFinished.of(message, result))

    async def give_up_run(self, message: StartRun) -> None:
        """Record that a run failed to start too often."""
        stored = await self._store.runs.get(message.tenant, message.run)
        if stored is None or stored.value.status is not RunStatus.QUEUED:
            return
        run = stored.value.copy_with(
            status=RunStatus.FAILED, reason=Reason.GAVE_UP, ended=self._clock()
        )
        await self._store.runs.replace(message.tenant, message.run, run, stored.etag)
        tell_end(message.tenant, run)
        await self._snapshots.erase(snapshot_id(message.tenant, message.run))

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
        """Delete the snapshots that lost runs left behind, and return how many."""
        return await self._snapshots.sweep(self._clock(), _SNAPSHOT_AGE)

    async def sweep_runs(self, kept: timedelta) -> int:
        """Delete runs older than `kept`, with their results, and return how many."""
        old = newest_first(self._clock() - kept)
        count = 0
        async for tenant, run in self._store.runs.keys(Condition(ROW, "ge", old)):
            results = results_of(tenant, run)
            await self._store.tables.delete_partition(self._store.results.table, results)
            await self._store.runs.delete(tenant, run)
            count += 1
        return count

    async def _note_on_import(self, message: CloseRun, run: Run) -> None:
        found = await self._store.imports.get(message.tenant, message.import_id)
        if found is None:
            return
        if found.value.removing:
            if run.mailboxes.failed == 0:
                share_id = found.value.share_id
                await self._subscribers.drop(message.tenant, message.import_id, share_id)
                await self._store.imports.delete(message.tenant, message.import_id)
            return
        if found.value.last_run != run.id:
            import_ = found.value.copy_with(last_run=run.id)
            await self._store.imports.replace(
                message.tenant, message.import_id, import_, found.etag
            )


def _closed(run: Run, results: Iterable[Result], now: datetime) -> Run:
    by_outcome = dict.fromkeys(Outcome, 0)
    contacts = ContactCounts()
    requests, throttled, rejected, count = run.graph_requests, run.throttled, 0, 0
    reasons: set[Reason | None] = set()
    photos = 0
    for result in results:
        reasons.add(result.reason)
        by_outcome[result.outcome] += 1
        contacts += result.contacts
        photos += result.photos
        requests += result.graph_requests
        throttled += result.throttled
        rejected += len(result.rejected)
        count += 1
    lost = max(0, run.mailboxes.total - count)
    mailboxes = MailboxCounts(
        total=run.mailboxes.total,
        succeeded=by_outcome[Outcome.SUCCEEDED],
        skipped=by_outcome[Outcome.SKIPPED],
        failed=by_outcome[Outcome.FAILED] + lost,
        held=by_outcome[Outcome.HELD],
    )
    status, reason = status_of(mailboxes, rejected, reasons)
    return run.copy_with(
        status=status,
        reason=reason or run.reason,
        ended=now,
        mailboxes=mailboxes,
        contacts=contacts,
        photos=photos,
        graph_requests=requests,
        throttled=throttled,
    )
