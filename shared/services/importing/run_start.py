"""Starting a run: one message for each mailbox.

A run resolves its share once, with the publisher's consent, writes the snapshot, resolves the
target mailboxes and their seats, and sends one message per mailbox. Every step may be repeated:
mailboxes that already have their result get no message.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from shared.adapters.graph.mailbox_directory import MailboxDirectory, TargetMailboxes
from shared.adapters.graph.transport import Meter
from shared.adapters.storage.mailbox_state import MailboxStates
from shared.adapters.storage.queues import Queues
from shared.adapters.storage.records import Store, Stored, results_of
from shared.adapters.storage.snapshots import Snapshots, snapshot_id
from shared.adapters.telemetry import emit, span
from shared.domain.errors import NeedsAdmin
from shared.domain.events import RunStarted, ShareResolved
from shared.domain.importing.fingerprint import run_fingerprint
from shared.domain.importing.imports import Import
from shared.domain.importing.messages import (
    MAILBOX_SYNCS,
    RUN_CLOSINGS,
    CloseRun,
    StartRun,
    SyncMailbox,
    Task,
)
from shared.domain.importing.runs import MailboxCounts, Outcome, Result, Run, RunStatus, RunTrigger
from shared.domain.reasons import Reason
from shared.domain.tenancy.licensing import Assignment
from shared.services.changes import change
from shared.services.importing.run_telemetry import tell_end
from shared.services.licensing.seats import SeatBook
from shared.services.sharing.publications import Publications
from shared.services.sharing.resolution import Resolution
from shared.services.sharing.subscribers import Subscribers
from shared.services.tenancy.tenants import Tenants

_log = logging.getLogger(__name__)
OMISSIONS_KEPT: Final = 1_000
MAILBOXES_PER_SECOND: Final = 100
"""Per run, so that a small tenant's run does not wait for all of a large tenant's mailboxes."""

_HELD: Final = frozenset({Reason.SHARE_EMPTY, Reason.TARGETS_EMPTY})
_FIRST_LOOK_AFTER: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Job:
    """What a run has to do: the mailboxes to sync, to clear, and to skip with the reason."""

    sync: frozenset[str] = frozenset()
    remove: frozenset[str] = frozenset()
    skip: dict[str, Reason] = field(default_factory=dict)
    fingerprint: str = ""
    reason: Reason | None = None


class RunStart:
    """Starts runs and spreads them over the mailboxes."""

    def __init__(
        self,
        store: Store,
        queues: Queues,
        directory: MailboxDirectory,
        states: MailboxStates,
        snapshots: Snapshots,
        publications: Publications,
        subscribers: Subscribers,
        seats: SeatBook,
        tenants: Tenants,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._queues = queues
        self._directory = directory
        self._seats = seats
        self._clock = clock
        self._states = states
        self._snapshots = snapshots
        self._publications = publications
        self._subscribers = subscribers
        self._tenants = tenants

    async def start(self, message: StartRun) -> None:
        """Resolve a run and queue its mailboxes. Safe to repeat at any point.

        Raises `TransientError` if it must be retried later. An error that only an admin can fix
        ends the run.
        """
        stored = await self._store.runs.get(message.tenant, message.run)
        if stored is None or stored.value.status.ended:
            return
        found = await self._store.imports.get(message.tenant, message.import_id)
        if found is None:
            await self._end(message, stored, None, Reason.IMPORT_DELETED, Meter())
            return
        import_, meter, begun = found.value, Meter(), self._clock()
        try:
            job, resolution = await self._prepare(message, stored.value, import_, meter)
        except NeedsAdmin as error:
            _log.warning("run %s cannot start: %s (%s)", message.run, error.reason, error.detail)
            await self._check_consent(message.tenant, import_, error.reason)
            await self._end(message, stored, import_, error.reason, meter)
            return
        if import_.held_run is not None:
            await self._note_held(message, None)
        done = await self._done(message, stored.value)
        job = await self._limited(message, stored.value, job)
        run = await self._running(message, stored, job, resolution, done, meter)
        emit(
            RunStarted(
                tenant=message.tenant,
                import_id=message.import_id,
                run=message.run,
                trigger=run.trigger,
                mailboxes=run.mailboxes.total,
                share_contacts=run.share_contacts,
                graph_requests=run.graph_requests,
                throttled=run.throttled,
                milliseconds=self._since(begun),
            )
        )
        await self._queue_mailboxes(message, job, done)

    async def _prepare(
        self, message: StartRun, run: Run, import_: Import, meter: Meter
    ) -> tuple[_Job, Resolution]:
        """Decide which mailboxes to sync and to clear; write the snapshot if any is synced."""
        tenant, here = message.tenant, await self._filled_mailboxes(message)
        if import_.removing or run.trigger is RunTrigger.REMOVAL:
            return await self._removal(message, here), Resolution()
        if not import_.active:
            raise NeedsAdmin(Reason.IMPORT_PAUSED, f"Import {import_.id} is paused.")
        share, publisher = await self._publications.find(tenant, import_.share_id)
        if share is None:
            await self._subscribers.drop(tenant, import_.id, import_.share_id)
            return await self._removal(message, here, Reason.SHARE_WITHDRAWN), Resolution()
        snapshot = snapshot_id(tenant, run.id)

        async def keep_photo(digest: str, image: bytes) -> None:
            await self._snapshots.write_photo(snapshot, digest, image)

        edge = import_.photos.edge if import_.photos is not None else None
        begun = self._clock()
        with span("resolve_share", attributes={"importId": import_.id, "run": run.id}):
            resolution = await self._publications.resolve(
                tenant, share, publisher, meter, edge, keep_photo
            )
        emit(
            ShareResolved(
                tenant=tenant,
                import_id=import_.id,
                run=run.id,
                publisher=publisher,
                contacts=len(resolution.contacts),
                omitted=len(resolution.omissions),
                graph_requests=meter.requests,
                throttled=meter.throttled,
                milliseconds=self._since(begun),
            )
        )
        contacts = list(resolution.contacts.values())
        targets = await self._directory.mailboxes_of(tenant, import_.targets, meter)
        if here and not run.approved:
            if not contacts:
                raise NeedsAdmin(Reason.SHARE_EMPTY, "The share holds nobody.")
            if not targets.mailboxes:
                raise NeedsAdmin(Reason.TARGETS_EMPTY, f"Import {import_.id} aims at nobody.")
        seats = await self._seats.serve(tenant, import_.id, targets.mailboxes)
        await self._tenants.confirm_consent(tenant)
        await self._subscribers.note(publisher, share.id, tenant, import_.id, len(seats.served))
        if not contacts and here:
            return _Job(remove=here, reason=Reason.SHARE_EMPTY), resolution
        print_ = await asyncio.to_thread(run_fingerprint, contacts, import_, share)
        await self._snapshots.write(snapshot, contacts, self._clock())
        grace_expired = self._seats.grace_expired(seats)
        return _job(targets, seats, grace_expired, here, print_), resolution

    def _since(self, begun: datetime) -> int:
        return max(0, int((self._clock() - begun).total_seconds() * 1000))

    async def _check_consent(self, tenant: str, import_: Import, reason: Reason) -> None:
        """Check a consent that may be gone, the tenant's own or the publisher's."""
        if reason is Reason.CONSENT_MISSING:
            await self._tenants.check_consent(tenant)
        elif reason is Reason.PUBLISHER_CONSENT_MISSING:
            _, publisher = await self._publications.find(tenant, import_.share_id)
            await self._tenants.check_consent(publisher)

    async def _filled_mailboxes(self, message: StartRun) -> frozenset[str]:
        return frozenset(await self._states.mailboxes(message.tenant, message.import_id))

    async def _removal(
        self, message: StartRun, here: frozenset[str], reason: Reason | None = None
    ) -> _Job:
        await self._seats.serve(message.tenant, message.import_id, ())
        return _Job(remove=here, reason=reason)

    async def _limited(self, message: StartRun, run: Run, job: _Job) -> _Job:
        """Return the job; in a retry, only its failed mailboxes (all, if the run never started)."""
        if run.retries is None:
            return job
        partition = results_of(message.tenant, run.retries)
        results = [stored.value async for stored in self._store.results.all(partition)]
        if not results:
            return job
        only = {result.mailbox for result in results if result.outcome is Outcome.FAILED}
        skip = {mailbox: reason for mailbox, reason in job.skip.items() if mailbox in only}
        return replace(job, sync=job.sync & only, remove=job.remove & only, skip=skip)

    async def _done(self, message: StartRun, run: Run) -> set[str]:
        """Return the mailboxes with a result; after an approval, held mailboxes do not count."""
        partition = results_of(message.tenant, message.run)
        results = [stored.value async for stored in self._store.results.all(partition)]
        again = {r.mailbox for r in results if run.approved and r.outcome is Outcome.HELD}
        await self._store.results.write_many(partition, dict.fromkeys(again))
        return {result.mailbox for result in results} - again

    async def _running(
        self,
        message: StartRun,
        stored: Stored[Run],
        job: _Job,
        resolution: Resolution,
        done: set[str],
        meter: Meter,
    ) -> Run:
        """Record what the run is about to do, before the first mailbox is queued."""
        omissions = list(resolution.omissions.values())
        mailboxes = job.sync | job.remove | job.skip.keys() | done
        run = stored.value.copy_with(
            status=RunStatus.RUNNING,
            started=stored.value.started or self._clock(),
            reason=job.reason,
            mailboxes=MailboxCounts(total=len(mailboxes)),
            share_contacts=len(resolution.contacts),
            omissions=omissions[:OMISSIONS_KEPT],
            omitted=dict(Counter(omission.reason for omission in omissions)),
            fingerprint=job.fingerprint,
            graph_requests=meter.requests,
            throttled=meter.throttled,
        )
        await self._store.runs.replace(message.tenant, message.run, run, stored.etag)
        return run

    async def _queue_mailboxes(self, message: StartRun, job: _Job, done: set[str]) -> None:
        now = self._clock()
        skipped = {
            mailbox: Result(mailbox=mailbox, outcome=Outcome.SKIPPED, reason=reason, ended=now)
            for mailbox, reason in job.skip.items()
            if mailbox not in done
        }
        await self._store.results.write_many(results_of(message.tenant, message.run), skipped)
        messages = [
            SyncMailbox(
                tenant=message.tenant,
                import_id=message.import_id,
                run=message.run,
                mailbox=mailbox,
                task=task,
                fingerprint=job.fingerprint,
            )
            for task, mailboxes in ((Task.SYNC, job.sync), (Task.REMOVE, job.remove))
            for mailbox in sorted(mailboxes - done)
        ]
        await self._queues.send_many(MAILBOX_SYNCS, messages, MAILBOXES_PER_SECOND)
        closing = CloseRun(tenant=message.tenant, import_id=message.import_id, run=message.run)
        await self._queues.send(RUN_CLOSINGS, closing, delay=_FIRST_LOOK_AFTER)

    async def _end(
        self,
        message: StartRun,
        stored: Stored[Run],
        import_: Import | None,
        reason: Reason,
        meter: Meter,
    ) -> None:
        """End a run that could not start; no mailbox was changed."""
        status = RunStatus.FAILED
        if reason in _HELD and import_ is not None:
            asked = await self._asked_before(message, import_, reason)
            if asked is None:
                status = RunStatus.HELD
                await self._note_held(message, message.run)
            else:
                reason = asked
        now = self._clock()
        run = stored.value.copy_with(
            status=status,
            reason=reason,
            started=stored.value.started or now,
            ended=now,
            graph_requests=meter.requests,
            throttled=meter.throttled,
        )
        await self._store.runs.replace(message.tenant, message.run, run, stored.etag)
        tell_end(message.tenant, run)
        await self._snapshots.erase(snapshot_id(message.tenant, message.run))

    async def _asked_before(
        self, message: StartRun, import_: Import, reason: Reason
    ) -> Reason | None:
        """Return the reason to report if an earlier run was already held for this reason."""
        if import_.held_run in {None, message.run}:
            return None
        earlier = await self._store.runs.get(message.tenant, str(import_.held_run))
        if earlier is None or earlier.value.reason is not reason:
            return None
        discarded = earlier.value.status is RunStatus.DISCARDED
        return Reason.PLAN_DISCARDED if discarded else Reason.APPROVAL_PENDING

    async def _note_held(self, message: StartRun, run: str | None) -> None:
        await change(
            self._store.imports,
            message.tenant,
            message.import_id,
            lambda i: i.copy_with(held_run=run),
            kind="import",
        )


def _job(
    targets: TargetMailboxes,
    seats: Assignment,
    grace_expired: frozenset[str],
    here: frozenset[str],
    print_: str,
) -> _Job:
    skip = {**targets.skipped, **dict.fromkeys(seats.refused, Reason.NO_SEAT)}
    # Without a seat, a mailbox keeps its contacts for a time; a former target does not.
    remove = here - targets.mailboxes - skip.keys()
    gone = here & (targets.skipped.keys() | grace_expired)
    for mailbox in gone:
        del skip[mailbox]
    return _Job(seats.served, remove | gone, skip, print_)
