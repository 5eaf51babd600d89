"""The timers (NCRONTAB with seconds, UTC). A timer may fire twice or late; both are harmless."""

import azure.functions as func

from shared.adapters.attempts import telling_failures
from shared.wiring.app import app

bp = func.Blueprint()


@bp.timer_trigger("timer", "0 */15 * * * *")
async def start_due_runs(timer: func.TimerRequest) -> None:
    """Start every run and leaving that is due, and drive on every one that stands still."""
    with telling_failures("start_due_runs"):
        await app().privacy.departures.begin_due()
        await app().maintenance.rounds.tick(past_due=timer.past_due)


@bp.timer_trigger("timer", "0 30 4 * * *")
async def sweep_leftovers(timer: func.TimerRequest) -> None:
    """Delete what has expired, and what belongs to nobody."""
    del timer  # expiry depends only on the clock
    with telling_failures("sweep_leftovers"):
        await app().maintenance.rounds.sweep()
