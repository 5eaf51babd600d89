"""What telemetry is told when a run ends, in whatever way it does."""

from shared.adapters.telemetry import emit
from shared.domain.events import RunClosed, RunHeld
from shared.domain.importing.runs import Run, RunStatus


def tell_end(tenant: str, run: Run) -> None:
    """Tell that a run has ended, once its row says so; a run that is held waits for an admin."""
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
