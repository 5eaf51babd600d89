"""When runs are due, and run ids. They sort newest first and are the same for the same time."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from shared.domain.importing.runs import RunTrigger
from shared.domain.tenancy.tenants import LicensePlan

_EARLY: Final = timedelta(seconds=1)
_LATEST: Final = 9_999_999_999_999
DAILY_HOUR: Final = 3
"""The UTC hour of the daily run; `background/timers.py` fires then."""
DAY: Final = 24
"""Hours between two daily runs, the longest interval of an import."""


def newest_first(when: datetime) -> str:
    """Return a row key by which later times sort first, in milliseconds.

    Times before 1970 or after 2286 get the key of that limit.
    """
    return _row(int(when.timestamp() * 1000))


def before(when: datetime) -> str:
    """Return the row key that sorts after all rows of this moment and of later ones."""
    return _row(int(when.timestamp() * 1000) - 1)


def before_day(day: date) -> str:
    """Return the row key that sorts after all rows of this day (UTC) and of later ones."""
    return before(datetime.combine(day, time(), UTC))


def moment_of(row: str) -> datetime:
    """Return the time in a row key of `newest_first` or in a run id, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=_LATEST - int(row[:13]))


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LETTERS: Final = {
    RunTrigger.CREATED: "c",
    RunTrigger.SCHEDULE: "s",
    RunTrigger.REQUEST: "r",
    RunTrigger.RETRY: "t",
    RunTrigger.REMOVAL: "d",
    RunTrigger.REVOCATION: "v",
}


def _row(milliseconds: int) -> str:
    return f"{_LATEST - min(max(milliseconds, 0), _LATEST):013d}"


def run_id(import_id: str, trigger: RunTrigger, when: datetime) -> str:
    """The id of an import's run, which is also its row: later runs sort first.

    A scheduled run's id holds the time it was due, so that a timer that fires twice starts one run.
    """
    return f"{newest_first(when)}-{import_id}-{_LETTERS[trigger]}"


def import_of(run: str) -> str:
    """Return the id of the import in a run's id; '' if the text is no run's id."""
    match run.split("-"):
        case [_, import_id, _]:
            return import_id
    return ""


def is_daily(run: str) -> bool:
    """Return whether a scheduled run is the daily one, not one in between."""
    moment = moment_of(run)
    return (moment.hour, moment.minute) == (DAILY_HOUR, 0)


def hours_in_force(every_hours: int, plan: LicensePlan | None) -> int:
    """Return an import's interval in hours: its own, or a day if the plan allows no other."""
    return DAY if plan in {None, LicensePlan.STANDARD} else every_hours


def in_plan(every_hours: int, plan: LicensePlan) -> bool:
    """Return whether a plan allows a schedule: the standard plan allows one run a day."""
    return every_hours >= DAY or plan is not LicensePlan.STANDARD


def next_run(now: datetime, every_hours: int, plan: LicensePlan) -> datetime:
    """Return when the next scheduled run of an active import of a connected tenant starts."""
    return next_due(now, hours_in_force(every_hours, plan))


def due(now: datetime, every_hours: int) -> datetime:
    """Return when the current scheduled run was due.

    For a daily import that is the daily hour of this UTC day. Otherwise it is the latest of the
    times that repeat every `every_hours` hours from the daily hour on.
    """
    day = now.replace(hour=DAILY_HOUR, minute=0, second=0, microsecond=0)
    if every_hours >= DAY:
        return day
    start = day if now >= day else day - timedelta(days=1)
    passed = (now - start) // timedelta(hours=every_hours)
    return start + passed * timedelta(hours=every_hours)


def latest_due(now: datetime, every_hours: int) -> datetime:
    """Return the latest scheduled time of an import that is over. A timer may fire a bit early."""
    moment = now.astimezone(UTC) + _EARLY
    slot = due(moment, every_hours)
    return slot if slot <= moment else slot - timedelta(days=1)


def next_due(now: datetime, every_hours: int) -> datetime:
    """Return when the next scheduled run of an import is due."""
    moment = now.astimezone(UTC)
    day = moment.replace(hour=DAILY_HOUR, minute=0, second=0, microsecond=0)
    daily = day if day > moment else day + timedelta(days=1)
    if every_hours >= DAY:
        return daily
    return min(daily, due(moment, every_hours) + timedelta(hours=every_hours))
