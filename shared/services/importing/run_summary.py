"""What a run did, summed up from the results of its mailboxes."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from shared.adapters.storage.results import all_results
from shared.adapters.storage.snapshots import Job
from shared.adapters.storage.store import Store
from shared.domain.importing.run_status import status_of
from shared.domain.importing.runs import (
    ContactCounts,
    MailboxCounts,
    Outcome,
    Result,
    Run,
    RunStatus,
)
from shared.domain.reasons import Reason


async def results_that_count(store: Store, tenant: str, run: Run) -> list[Result]:
    """Return the results that a run has under its number.

    An approved run also keeps its earlier ones, without those that were held.
    """
    counted: dict[str, Result] = {}
    async for result in all_results(store, tenant, run.id):
        own = result.number == run.number
        if own or (run.approved and result.outcome is not Outcome.HELD):
            # A check that comes twice may find a mailbox idle once and changed once.
            known = counted.get(result.mailbox)
            if known is None or known.number < result.number:
                counted[result.mailbox] = result
    return list(counted.values())


def stopped_run(run: Run, results: Sequence[Result], now: datetime) -> Run:
    """Return a run that was stopped; mailboxes that it had not reached count as not synced."""
    summed = closed_run(run, results, now, given_up=True)
    missed = max(0, run.mailboxes.total - len(results))
    return summed.copy_with(
        status=RunStatus.STOPPED,
        reason=Reason.RUN_STOPPED,
        started=run.started or now,
        mailboxes=summed.mailboxes.copy_with(
            skipped=summed.mailboxes.skipped + missed, failed=summed.mailboxes.failed - missed
        ),
    )


def given_up_results(
    run: Run, job: Job, reached: Iterable[Result], now: datetime
) -> dict[str, Result]:
    """Return a result for each mailbox of a job that a run has not reached."""
    known = {result.mailbox for result in reached}

    def missing(mailbox: str, outcome: Outcome, reason: Reason) -> Result:
        return Result(mailbox=mailbox, outcome=outcome, number=run.number, reason=reason, ended=now)

    failed = {m: missing(m, Outcome.FAILED, Reason.GAVE_UP) for m, _ in job.tasks}
    skipped = {m: missing(m, Outcome.SKIPPED, reason) for m, reason in job.skip.items()}
    return {m: result for m, result in (failed | skipped).items() if m not in known}


def closed_run(run: Run, results: Sequence[Result], now: datetime, *, given_up: bool) -> Run:
    """Return a run that has ended, summed up from its results; a missing one counts as failed.

    `given_up` says that it ends although nothing may have begun.
    """
    by_outcome = dict.fromkeys(Outcome, 0)
    contacts = ContactCounts()
    requests, throttled, rejected = run.graph_requests, run.throttled, 0
    reasons: set[Reason | None] = set()
    photos = 0
    for result in results:
        reasons.add(result.reason)
        by_outcome[result.outcome] += 1
        contacts += result.contacts
        photos += result.photos
        requests += result.graph_requests
        throttled += result.throttled
        rejected += result.rejected_count
    lost = max(0, run.mailboxes.total - len(results))
    mailboxes = MailboxCounts(
        total=run.mailboxes.total,
        succeeded=by_outcome[Outcome.SUCCEEDED],
        skipped=by_outcome[Outcome.SKIPPED],
        failed=by_outcome[Outcome.FAILED] + lost,
        held=by_outcome[Outcome.HELD],
    )
    status, reason = status_of(mailboxes, rejected, reasons)
    if given_up and run.snapshot is None:
        status, reason = RunStatus.FAILED, Reason.GAVE_UP
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
