"""Starting a run: decide its work once, then spread it over the mailboxes.

A run resolves its share with the publisher's consent, its target mailboxes and their seats, and
writes all of it to a snapshot, which its row then names. A message that comes again goes on from
there: what was decided is never decided a second time.
"""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from shared.adapters.storage.queues import Queues
from shared.adapters.storage.records import Stored
from shared.adapters.storage.results import all_results
from shared.adapters.storage.snapshots import Job, Snapshots, snapshot_id
from shared.adapters.storage.store import Store, results_of
from shared.adapters.telemetry import emit
from shared.domain.errors import NeedsAdmin, OutOfTime, PreconditionFailed
from shared.domain.events import RunStarted
from shared.domain.importing.import_life import ImportRuns
from shared.domain.importing.imports import Import
from shared.domain.importing.messages import (
    MAILBOX_CHECKS,
    RUN_CLOSINGS,
    CheckMailboxes,
    CloseRun,
    StartRun,
)
from shared.domain.importing.run_status import status_of
from shared.domain.importing.runs import (
    MailboxCounts,
    Outcome,
    Result,
    Run,
    RunStatus,
    RunTrigger,
    rarest_first,
)
from shared.domain.importing.schedule import is_daily
from shared.domain.reasons import Reason
from shared.services.importing.run_book import RunBook
from shared.services.importing.run_resolving import (
    GrewTooMuch,
    Resolved,
    RunResolving,
    StartCost,
)
from shared.services.importing.run_telemetry import emit_run_end
from shared.services.sharing.publications import Publications
from shared.services.tenancy.tenants import Tenants

_log = logging.getLogger(__name__)
OMISSIONS_KEPT: Final = 1_000
BUDGET: Final = timedelta(seconds=30)
"""After so long a start sends its mailboxes in another message."""
CHUNKS_PER_SECOND: Final = 25
"""Of each run, so that a small tenant's run is checked between the chunks of a large one."""

_HELD: Final = frozenset({Reason.SHARE_EMPTY, Reason.TARGETS_EMPTY, Reason.TOO_MANY_CREATES})
_FIRST_LOOK_AFTER: Final = 1.0


class RunStart:
    """Starts runs; each call is one message of the queue `import-runs`."""

    def __init__(
        self,
        store: Store,
        queues: Queues,
        snapshots: Snapshots,
        book: RunBook,
        resolving: RunResolving,
        publications: Publications,
        tenants: Tenants,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._store = store
        self._queues = queues
        self._snapshots = snapshots
        self._book = book
        self._resolving = resolving
        self._publications = publications
        self._tenants = tenants
        self._clock = clock
        self._new_id = new_id

    async def start(self, message: StartRun) -> None:
        """Resolve a run and queue its mailboxes. Safe to repeat at any point.

        A message of a run that is not open changes nothing. Raises `TransientError` if it must be
        retried later. An error that only an admin can fix ends the run.
        """
        runs = await self._book.begin_resolving(message)
        if runs is None:
            await self._resolving.forget_removed(message.tenant, message.import_id)
            await self._erase_attempts(message)
            return
        stored = await self._store.runs.get(message.tenant, message.run)
        if stored is None or stored.value.number != message.number:
            return
        if stored.value.status.ended:
            await self._erase_attempts(message)
            await self._book.end(message)
            return
        if stored.value.snapshot is None:
            found = await self._store.imports.get(message.tenant, message.import_id)
            if found is None:
                return
            since = self._clock()
            begun = stored.value.copy_with(started=since)
            stored = Stored(begun, stored.etag)
            resolved = await self._resolved(message, stored, found.value, runs)
            if resolved is None:
                return
            if self._clock() - since >= BUDGET:
                raise OutOfTime(f"Run {message.run} has decided its work.", 0.0)
            stored = resolved
        await self._spread(message, stored.value)

    async def _resolved(
        self, message: StartRun, stored: Stored[Run], import_: Import, runs: ImportRuns
    ) -> Stored[Run] | None:
        """Decide the run's work and let its row name it; None if the run has ended instead."""
        cost, begun = StartCost(), self._clock()
        snapshot = snapshot_id(message.tenant, message.run, message.number, self._new_id()[:12])
        await self._snapshots.begin(snapshot, begun)
        try:
            resolved = await self._resolving.resolve(
                message.tenant, import_, stored.value, snapshot, cost, runs.contacts
            )
            job, done = await self._limited(message, stored.value, resolved.job)
        except NeedsAdmin as error:
            _log.warning("run %s cannot start: %s (%s)", message.run, error.reason, error.detail)
            await self._snapshots.erase(snapshot)
            await self._check_consent(message.tenant, import_, error.reason)
            await self._end(message, stored, error, cost)
            return None
        if _changes_nothing(stored.value, job, runs):
            await self._snapshots.erase(snapshot)
            await self._end_unchanged(message, stored, job, resolved, cost)
            return None
        await self._snapshots.write(snapshot, list(resolved.contacts.values()), job)
        run = self._running(stored.value, snapshot, job, resolved, done, cost)
        try:
            named = await self._store.runs.replace(message.tenant, message.run, run, stored.etag)
        except PreconditionFailed:
            current = await self._store.runs.get(message.tenant, message.run)
            if current is None or current.value.snapshot != snapshot:
                # Another try was quicker, or the run was stopped: what that one decided counts.
                await self._snapshots.erase(snapshot)
                return None
            # The row was written, and only the answer was lost before the SDK repeated it.
            named = current
        emit(
            RunStarted(
                tenant=message.tenant,
                import_id=message.import_id,
                run=message.run,
                trigger=run.trigger,
                mailboxes=run.mailboxes.total,
                share_contacts=run.share_contacts,
                graph_requests=cost.targets.requests,
                throttled=cost.targets.throttled,
                milliseconds=max(
                    0,
                    int((self._clock() - begun).total_seconds() * 1000) - cost.share_milliseconds,
                ),
            )
        )
        return named

    async def _limited(self, message: StartRun, run: Run, job: Job) -> tuple[Job, frozenset[str]]:
        """Return the job of a retry or approval, which repeats some mailboxes only.

        Also returns the mailboxes of an approved run that have their result already.
        """
        if run.trigger is RunTrigger.REVOCATION and run.retries is not None:
            return await self._owed(message.tenant, run.retries, job), frozenset()
        if run.retries is not None:
            earlier = await self._earlier(message.tenant, run.retries)
            wanted, done = _with(Outcome.FAILED, earlier), frozenset[str]()
        elif run.approved:
            earlier = await self._earlier(message.tenant, run.id)
            wanted = _with(Outcome.HELD, earlier)
            done = frozenset(result.mailbox for result in earlier) - wanted
        else:
            return job, frozenset()
        if not earlier:
            return job, done  # the run never came to its mailboxes
        tasks = tuple((mailbox, task) for mailbox, task in job.tasks if mailbox in wanted)
        skip = {mailbox: reason for mailbox, reason in job.skip.items() if mailbox in wanted}
        return replace(job, tasks=tasks, skip=skip), done

    async def _owed(self, tenant: str, revocation: str, job: Job) -> Job:
        """Return the job for the mailboxes that a revocation did not reach.

        One that was itself limited names them by their results; any other may lack some.
        """
        stored = await self._store.runs.get(tenant, revocation)
        limited = stored is not None and stored.value.retries is not None
        earlier = await self._earlier(tenant, revocation)
        reached = _with(Outcome.SUCCEEDED, earlier)
        asked = {result.mailbox for result in earlier}
        tasks = tuple(
            (mailbox, task)
            for mailbox, task in job.tasks
            if mailbox not in reached and (mailbox in asked or not limited)
        )
        return replace(job, tasks=tasks)

    async def _earlier(self, tenant: str, run: str) -> list[Result]:
        return [result async for result in all_results(self._store, tenant, run)]

    def _running(
        self,
        run: Run,
        snapshot: str,
        job: Job,
        resolved: Resolved,
        done: frozenset[str],
        cost: StartCost,
    ) -> Run:
        omissions = rarest_first(resolved.omissions)
        return run.copy_with(
            status=RunStatus.RUNNING,
            snapshot=snapshot,
            work=job.digest,
            reason=job.reason,
            mailboxes=MailboxCounts(total=len(job.tasks) + len(job.skip) + len(done)),
            share_contacts=len(resolved.contacts),
            omissions=omissions[:OMISSIONS_KEPT],
            omitted=dict(Counter(omission.reason for omission in omissions)),
            fingerprint=job.fingerprint,
            graph_requests=run.graph_requests + cost.requests,
            throttled=run.throttled + cost.throttled,
        )

    async def _spread(self, message: StartRun, run: Run) -> None:
        """Queue the closing first, then what is to be done; all of it may be repeated."""
        job = await self._snapshots.job(str(run.snapshot))
        if job is None:
            return  # the run ended meanwhile, and its snapshot with it
        closing = message.followed_by(CloseRun)
        await self._queues.send(RUN_CLOSINGS, closing, delay=_FIRST_LOOK_AFTER)
        now = self._clock()
        skipped = {
            mailbox: Result(
                mailbox=mailbox,
                outcome=Outcome.SKIPPED,
                number=run.number,
                reason=reason,
                ended=now,
            )
            for mailbox, reason in job.skip.items()
        }
        await self._store.results.write_many(results_of(message.tenant, message.run), skipped)
        checks = [
            message.followed_by(CheckMailboxes, snapshot=str(run.snapshot), chunk=chunk)
            for chunk in range(job.chunks)
        ]
        await self._queues.send_many(MAILBOX_CHECKS, checks, CHUNKS_PER_SECOND)

    async def _check_consent(self, tenant: str, import_: Import, reason: Reason) -> None:
        """Check a consent that may be gone, the tenant's own or the publisher's.

        Raises `Unavailable` if it is new, so that the run is tried again.
        """
        if reason is Reason.CONSENT_MISSING:
            await self._tenants.check_consent(tenant)
        elif reason is Reason.PUBLISHER_CONSENT_MISSING:
            _, publisher = await self._publications.find(tenant, import_.share_id)
            await self._tenants.check_consent(publisher)

    async def _end(
        self, message: StartRun, stored: Stored[Run], error: NeedsAdmin, cost: StartCost
    ) -> None:
        """End a run that could not start; no mailbox was changed."""
        status, reason = RunStatus.FAILED, error.reason
        held: str | None = None
        if reason in _HELD:
            asked = await self._asked_before(message, reason)
            if asked is None:
                status, held = RunStatus.HELD, message.run
            else:
                reason = asked
        now = self._clock()
        run = stored.value.copy_with(
            status=status,
            reason=reason,
            ended=now,
            share_contacts=error.contacts if isinstance(error, GrewTooMuch) else 0,
            graph_requests=stored.value.graph_requests + cost.requests,
            throttled=stored.value.throttled + cost.throttled,
        )

        def noted(runs: ImportRuns) -> ImportRuns:
            return runs.copy_with(held_run=held) if held is not None else runs

        await self._write_end(message, stored, run, noted)

    async def _end_unchanged(
        self,
        message: StartRun,
        stored: Stored[Run],
        job: Job,
        resolved: Resolved,
        cost: StartCost,
    ) -> None:
        """End a run in between whose mailboxes hold everything already; none was asked."""
        now = self._clock()
        mailboxes = MailboxCounts(
            total=len(job.tasks) + len(job.skip),
            succeeded=len(job.tasks),
            skipped=len(job.skip),
        )
        status, reason = status_of(mailboxes, 0, set(job.skip.values()))
        run = stored.value.copy_with(
            status=status,
            reason=reason,
            ended=now,
            mailboxes=mailboxes,
            share_contacts=len(resolved.contacts),
            work=job.digest,
            fingerprint=job.fingerprint,
            graph_requests=cost.requests,
            throttled=cost.throttled,
        )
        await self._write_end(message, stored, run, lambda runs: runs.copy_with(applied=job.digest))

    async def _write_end(
        self,
        message: StartRun,
        stored: Stored[Run],
        run: Run,
        note: Callable[[ImportRuns], ImportRuns],
    ) -> None:
        """Write how a run ended, unless another try was quicker, and begin the next one."""
        try:
            await self._store.runs.replace(message.tenant, message.run, run, stored.etag)
        except PreconditionFailed:
            return
        await self._snapshots.erase_of(message.tenant, message.run)
        emit_run_end(message.tenant, run)
        await self._book.end(message, note)

    async def _erase_attempts(self, message: StartRun) -> None:
        """Erase what earlier attempts to start a run left, once it has ended for good."""
        stored = await self._store.runs.get(message.tenant, message.run)
        status = stored.value.status if stored is not None else RunStatus.STOPPED
        if status.ended and status is not RunStatus.HELD:
            await self._snapshots.erase_of(message.tenant, message.run)

    async def _asked_before(self, message: StartRun, reason: Reason) -> Reason | None:
        """Return the reason to report if an earlier run was already held for this reason."""
        runs = await self._store.import_runs.get(message.tenant, message.import_id)
        held = runs.value.held_run if runs is not None else None
        if held in {None, message.run}:
            return None
        earlier = await self._store.runs.get(message.tenant, str(held))
        if earlier is None or earlier.value.reason is not reason:
            return None
        discarded = earlier.value.status is RunStatus.DISCARDED
        return Reason.PLAN_DISCARDED if discarded else Reason.APPROVAL_PENDING


def _changes_nothing(run: Run, job: Job, runs: ImportRuns) -> bool:
    """Return whether a run between two daily ones finds all mailboxes as it would leave them.

    The daily run asks every mailbox, so that what its user changed is seen within a day.
    """
    return (
        run.trigger is RunTrigger.SCHEDULE
        and not is_daily(run.id)
        and runs.open is not None
        and runs.open.base == job.digest
        and not job.asked_again
    )


def _with(outcome: Outcome, results: list[Result]) -> frozenset[str]:
    return frozenset(result.mailbox for result in results if result.outcome is outcome)
