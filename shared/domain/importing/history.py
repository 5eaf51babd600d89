"""What a tenant's runs did, day by day."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One run as the history counts it: its day (UTC), changes to contacts, failed mailboxes."""

    day: date
    created: int
    updated: int
    deleted: int
    failed: int


@dataclass(frozen=True, slots=True)
class DayCounts:
    """Totals of one day's runs (UTC); `failed` counts a mailbox once for each run it failed in."""

    day: date
    runs: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    failed: int = 0

    def plus(self, run: RunFacts) -> "DayCounts":
        """Return the totals with one more run of this day."""
        return DayCounts(
            self.day,
            self.runs + 1,
            self.created + run.created,
            self.updated + run.updated,
            self.deleted + run.deleted,
            self.failed + run.failed,
        )


def by_day(runs: Iterable[RunFacts], last: date, days: int) -> tuple[DayCounts, ...]:
    """Return the totals of `days` days up to `last`, oldest first, including days without runs."""
    first = last - timedelta(days=days - 1)
    found = {day: DayCounts(day) for day in (first + timedelta(days=n) for n in range(days))}
    for run in runs:
        if run.day in found:
            found[run.day] = found[run.day].plus(run)
    return tuple(found.values())
