"""Telemetry of the end of a run, however it ends."""

from shared.adapters.telemetry import emit
from shared.domain.events import RunClosed, RunHeld
from shared.domain.importing.runs import Run, RunStatus


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
