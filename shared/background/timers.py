"""The timers (NCRONTAB with seconds, UTC). A timer may fire twice or late; both are harmless."""

import azure.functions as func

from shared.adapters.telemetry import emit
from shared.domain.events import RunsScheduled, Swept
from shared.wiring.app import app

bp = func.Blueprint()


@bp.timer_trigger("timer", "0 */15 * * * *")
async def start_due_runs(timer: func.TimerRequest) -> None:
    """Start every run and every leaving that is due, and drive on every run that stands still."""
    await app().privacy.departures.begin_due()
    tick = await app().importing.timetable.start_due()
    emit(
        RunsScheduled(
            runs=tick.started,
            sent_again=tick.sent_again,
            given_up=tick.given_up,
            past_due=timer.past_due,
        )
    )


@bp.timer_trigger("timer", "0 30 4 * * *")
async def sweep_leftovers(timer: func.TimerRequest) -> None:
    """Delete what has expired: snapshots of lost runs, old runs, checks, ledger entries, keys."""
    del timer  # expiry depends only on the clock
    services = app()
    snapshots = await services.importing.run_closing.sweep()
    entries = await services.tenancy.ledger.sweep(services.settings.ledger_kept)
    keys = await services.sharing.shares.sweep() + await services.base.idempotency.sweep()
    checks = await services.checks.tenant_checks.sweep()
    runs = await services.importing.run_closing.sweep_runs(services.settings.runs_kept)
    emit(Swept(snapshots=snapshots, runs=runs, ledger_entries=entries, keys=keys, checks=checks))
