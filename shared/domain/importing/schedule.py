"""When runs are, as their ids tell: newest first in a table, and the same for the same occasion."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from shared.domain.importing.runs import RunTrigger
from shared.domain.tenancy.tenants import LicensePlan

_LATEST: Final = 9_999_999_999_999
DAILY_HOUR: Final = 3
"""The UTC hour of the daily run; `background/timers.py` fires then."""
DAY: Final = 24
"""The hours between two daily runs; an import that runs more often has fewer."""


def newest_first(when: datetime) -> str:
    """A row key by which later times sort first (milliseconds, good from 1970 until 2286).

    Earlier and later times have the keys of these bounds.
    """
    return _row(int(when.timestamp() * 1000))


def before(when: datetime) -> str:
    """The row key that all rows of a moment and of later ones sort before."""
    return _row(int(when.timestamp() * 1000) - 1)


def before_day(day: date) -> str:
    """The row key that all rows of a day (UTC) and of later ones sort before."""
    return before(datetime.combine(day, time(), UTC))


def moment_of(row: str) -> datetime:
    """The time in a row key (or run id) that `newest_first` began, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=_LATEST - int(row[:13]))


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LETTERS: Final = {
    RunTrigger.CREATED: "c",
    RunTrigger.SCHEDULE: "s",
    RunTrigger.REQUEST: "r",
    RunTrigger.RETRY: "t",
    RunTrigger.REMOVAL: "d",
}


def _row(milliseconds: int) -> str:
    return f"{_LATEST - min(max(milliseconds, 0), _LATEST):013d}"


def run_id(import_id: str, trigger: RunTrigger, when: datetime, every_hours: int = DAY) -> str:
    """The id of an import's run, which is also its row: later runs sort first.

    A scheduled run has the time it was due, so that a timer that fires twice means one run.
    """
    moment = when.astimezone(UTC)
    if trigger is RunTrigger.SCHEDULE:
        moment = due(moment, every_hours)
    return f"{newest_first(moment)}-{import_id}-{_LETTERS[trigger]}"


def hours_in_force(every_hours: int, plan: LicensePlan | None) -> int:
    """Every how many hours an import runs: as it says, if the tenant's plan allows it."""
    return DAY if plan in {None, LicensePlan.STANDARD} else every_hours


def in_plan(every_hours: int, plan: LicensePlan) -> bool:
    """Whether a plan allows a schedule: more than one run a day belongs to premium."""
    return every_hours >= DAY or plan is not LicensePlan.STANDARD


def next_run(now: datetime, every_hours: int, plan: LicensePlan) -> datetime:
    """When an active import of a connected tenant runs again by itself."""
    return next_due(now, hours_in_force(every_hours, plan))


def due(now: datetime, every_hours: int) -> datetime:
    """When the scheduled run of now was due.

    That is the daily hour of the UTC day, or the latest of a series that begins with each of them.
    """
    day = now.replace(hour=DAILY_HOUR, minute=0, second=0, microsecond=0)
    if every_hours >= DAY:
        return day
    start = day if now >= day else day - timedelta(days=1)
    passed = (now - start) // timedelta(hours=every_hours)
    return start + passed * timedelta(hours=every_hours)


def next_due(now: datetime, every_hours: int) -> datetime:
    """When the next scheduled run of an import is due."""
    moment = now.astimezone(UTC)
    day = moment.replace(hour=DAILY_HOUR, minute=0, second=0, microsecond=0)
    daily = day if day > moment else day + timedelta(days=1)
    if every_hours >= DAY:
        return daily
    return min(daily, due(moment, every_hours) + timedelta(hours=every_hours))
