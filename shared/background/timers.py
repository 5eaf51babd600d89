"""The timers (NCRONTAB with seconds, UTC). A timer may fire twice or late; both are harmless."""

import azure.functions as func

from shared.adapters.telemetry import emit
from shared.domain.events import RunsScheduled, Swept
from shared.domain.importing.schedule import DAILY_HOUR
from shared.wiring.app import app

bp = func.Blueprint()


@bp.timer_trigger("timer", f"0 0 {DAILY_HOUR} * * *")
async def start_daily_runs(timer: func.TimerRequest) -> None:
    """Queue today's run of every active import, of all tenants."""
    started = await app().importing.timetable.start_daily()
    emit(RunsScheduled(timer="daily", runs=started, past_due=timer.past_due))


@bp.timer_trigger("timer", "0 0 * * * *")
async def start_hourly_runs(timer: func.TimerRequest) -> None:
    """Queue the due runs of imports that run more than once a day (premium)."""
    started = await app().importing.timetable.start_hourly()
    emit(RunsScheduled(timer="hourly", runs=started, past_due=timer.past_due))


@bp.timer_trigger("timer", "0 30 4 * * *")
async def sweep_leftovers(timer: func.TimerRequest) -> None:
    """Delete what has expired: snapshots of lost runs, old runs, ledger entries and keys."""
    del timer  # expiry depends only on the clock
    services = app()
    snapshots = await services.importing.run_closing.sweep()
    entries = await services.tenancy.ledger.sweep(services.settings.ledger_kept)
    keys = await services.sharing.shares.sweep() + await services.base.idempotency.sweep()
    runs = await services.importing.run_closing.sweep_runs(services.settings.runs_kept)
    emit(Swept(snapshots=snapshots, runs=runs, ledger_entries=entries, keys=keys))
