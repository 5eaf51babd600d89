"""The timers (NCRONTAB with seconds, UTC). A tick may come twice or late: both are harmless."""

import logging

import azure.functions as func

from shared.domain.schedule import DAILY_HOUR
from shared.wiring import app

bp = func.Blueprint()
_log = logging.getLogger(__name__)


@bp.timer_trigger("timer", f"0 0 {DAILY_HOUR} * * *")
async def start_daily_runs(timer: func.TimerRequest) -> None:
    """Queue today's run of every active import, of all tenants."""
    started = await app().timetable.start_daily()
    _log.info("queued the day's run of %d imports (past due: %s)", started, timer.past_due)


@bp.timer_trigger("timer", "0 0 * * * *")
async def start_hourly_runs(timer: func.TimerRequest) -> None:
    """Queue the runs that are due of imports that run more than once a day (premium)."""
    started = await app().timetable.start_hourly()
    _log.info("queued the hour's run of %d imports (past due: %s)", started, timer.past_due)


@bp.timer_trigger("timer", "0 30 4 * * *")
async def sweep_leftovers(timer: func.TimerRequest) -> None:
    """Erase what has had its time: snapshots of lost runs, old runs, ledger entries and keys."""
    services = app()
    snapshots = await services.run_closing.sweep()
    entries = await services.ledger.sweep(services.settings.ledger_kept)
    keys = await services.shares.sweep()
    runs = await services.run_closing.sweep_runs(services.settings.runs_kept)
    _log.info(
        "swept %d snapshots, %d runs, %d ledger entries, %d keys and ids (past due: %s)",
        snapshots,
        runs,
        entries,
        keys,
        timer.past_due,
    )
