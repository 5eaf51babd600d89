"""What a tenant's runs did, day by day."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What counts of one run: its day (UTC), what it did to contacts, its failed mailboxes."""

    day: date
    created: int
    updated: int
    deleted: int
    failed: int


@dataclass(frozen=True, slots=True)
class DayCounts:
    """What the runs of one day (UTC) did; `failed` counts mailboxes, once for each run."""

    day: date
    runs: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    failed: int = 0

    def plus(self, run: RunFacts) -> "DayCounts":
        """The same with one more run of this day."""
        return DayCounts(
            self.day,
            self.runs + 1,
            self.created + run.created,
            self.updated + run.updated,
            self.deleted + run.deleted,
            self.failed + run.failed,
        )


def by_day(runs: Iterable[RunFacts], last: date, days: int) -> tuple[DayCounts, ...]:
    """So many days up to the `last`, the oldest first, each with its runs; none is left out."""
    first = last - timedelta(days=days - 1)
    found = {day: DayCounts(day) for day in (first + timedelta(days=n) for n in range(days))}
    for run in runs:
        if run.day in found:
            found[run.day] = found[run.day].plus(run)
    return tuple(found.values())
