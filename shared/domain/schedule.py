"""When runs are, as their ids tell: newest first in a table, and the same for the same occasion."""

from datetime import UTC, datetime
from typing import Final

from shared.domain.models import RunTrigger

_LATEST: Final = 9_999_999_999_999
DAILY_HOUR: Final = 3
"""The UTC hour of the daily run; `triggers/timers.py` fires then."""


def newest_first(when: datetime) -> str:
    """A row key by which later times sort first (milliseconds, good until the year 2286)."""
    return f"{_LATEST - int(when.timestamp() * 1000):013d}"


_LETTERS: Final = {
    RunTrigger.CREATED: "c",
    RunTrigger.SCHEDULE: "s",
    RunTrigger.REQUEST: "r",
    RunTrigger.RETRY: "t",
    RunTrigger.REMOVAL: "d",
}


def run_id(import_id: str, trigger: RunTrigger, when: datetime) -> str:
    """The id of an import's run, which is also its row: later runs sort first.

    A scheduled run has the daily hour of its UTC day for a time, so that a timer that fires twice
    means one run.
    """
    moment = when.astimezone(UTC)
    if trigger is RunTrigger.SCHEDULE:
        moment = moment.replace(hour=DAILY_HOUR, minute=0, second=0, microsecond=0)
    return f"{newest_first(moment)}-{import_id}-{_LETTERS[trigger]}"
