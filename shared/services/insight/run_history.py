"""The last 30 days of a tenant's runs, counted day by day for a chart."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.records import Store
from shared.adapters.storage.tables import Row
from shared.domain.importing.history import DayCounts, RunFacts, by_day
from shared.domain.importing.schedule import before_day, moment_of

DAYS: Final = 30
PAGES_READ: Final = 20
"""At most so many pages of 1,000 runs are read for a chart.

30 days of a tenant with 500 imports are 15,000 daily runs, so all of them count; of hourly imports
27 have as many. A tenant with more runs sees the latest 20,000 of them, and from which day on.
"""
_COLUMNS: Final = ("created", "updated", "deleted", "failed")


@dataclass(frozen=True, slots=True)
class RunHistory:
    """The days, the oldest first; before `whole_since` (if not None) not all runs were counted."""

    days: tuple[DayCounts, ...]
    whole_since: date | None = None


class RunHistories:
    """What the runs of the caller's tenant did, as the table of runs knows it."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    async def read(self, caller: Caller, import_id: str | None = None) -> RunHistory:
        """The last 30 days (UTC, today's included) of the tenant, or of one of its imports.

        A run counts on the day that it was due. An import that is no more may be named too.
        """
        now = self._clock()
        first = now.date() - timedelta(days=DAYS - 1)
        parameters = {"since": before_day(first)}
        where = "RowKey lt @since"
        if import_id is not None:
            where, parameters = (
                f"{where} and importId eq @import",
                parameters | {"import": import_id},
            )
        rows, whole = await self._store.runs.glance(
            caller.tenant, _COLUMNS, pages=PAGES_READ, where=where, parameters=parameters
        )
        days = by_day(map(_facts, rows), now.date(), DAYS)
        if whole or not rows:
            return RunHistory(days)
        return RunHistory(days, moment_of(rows[-1].row).date() + timedelta(days=1))


def _facts(row: Row) -> RunFacts:
    counts = (int(row.columns.get(name, 0)) for name in _COLUMNS)
    return RunFacts(moment_of(row.row).date(), *counts)
