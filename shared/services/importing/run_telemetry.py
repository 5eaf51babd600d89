"""Telemetry of the end of a run, however it ends."""

from collections.abc import Iterable

from shared.adapters.storage.snapshots import Job
from shared.adapters.telemetry import emit
from shared.domain.events import MailboxSyncFinished, RunClosed, RunHeld
from shared.domain.importing.runs import Outcome, Result, Run, RunStatus
from shared.domain.reasons import Reason


def emit_run_end(tenant: str, run: Run) -> None:
    """Emit the end of a run once its row records it, or that it is held and waits for an admin."""
    emit(RunClosed.of(tenant, run))
    if run.status is RunStatus.HELD:
        emit(
            RunHeld(
                tenant=tenant,
                import_id=run.import_id,
                run=run.id,
                reason=run.reason,
                mailboxes=run.mailboxes.held,
            )
        )


def emit_given_up(tenant: str, run: Run, job: Job, results: Iterable[Result]) -> None:
    """Emit the failure of each mailbox without a result, once the run has ended without it."""
    reached = {result.mailbox for result in results}
    for mailbox, task in job.tasks:
        if mailbox not in reached:
            emit(
                MailboxSyncFinished(
                    tenant=tenant,
                    import_id=run.import_id,
                    run=run.id,
                    mailbox=mailbox,
                    task=task,
                    outcome=Outcome.FAILED,
                    reason=Reason.GAVE_UP,
                )
            )
