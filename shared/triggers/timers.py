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
    started = await app().fan_out.start_all()
    _log.info("queued the day's run of %d imports (past due: %s)", started, timer.past_due)


@bp.timer_trigger("timer", "0 30 4 * * *")
async def sweep_leftovers(timer: func.TimerRequest) -> None:
    """Erase the snapshots of runs that were lost, which hold personal data."""
    swept = await app().run_closing.sweep()
    _log.info("swept %d snapshots (past due: %s)", swept, timer.past_due)
