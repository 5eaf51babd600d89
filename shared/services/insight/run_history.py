"""A tenant's runs of the last 30 days, counted by day for a chart."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.store import Store
from shared.adapters.storage.tables.client import Row
from shared.adapters.storage.tables.conditions import ROW, Condition
from shared.domain.importing.history import DayCounts, RunFacts, by_day
from shared.domain.importing.schedule import before_day, moment_of

DAYS: Final = 30
PAGES_READ: Final = 20
"""The most pages of 1,000 runs that are read for a chart.

A tenant with 500 imports has 15,000 daily runs in 30 days, so all of them count; 27 hourly imports
have about as many. A tenant with more runs sees the latest 20,000, and the day from which all runs
are counted.
"""
_COLUMNS: Final = ("created", "updated", "deleted", "failed")


@dataclass(frozen=True, slots=True)
class RunHistory:
    """The days, oldest first; before `whole_since` (if set), not all runs were counted."""

    days: tuple[DayCounts, ...]
    whole_since: date | None = None


class RunHistories:
    """Reads the outcome of the tenant's runs from the table of runs."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    async def read(self, caller: Caller, import_id: str | None = None) -> RunHistory:
        """Return the last 30 days (UTC, with today) of the tenant or of one of its imports.

        A run counts on the day on which it was due. The import may be a deleted one.
        """
        now = self._clock()
        first = now.date() - timedelta(days=DAYS - 1)
        where = [Condition(ROW, "lt", before_day(first))]
        if import_id is not None:
            where.append(Condition("importId", "eq", import_id))
        rows, whole = await self._store.runs.read_columns(
            caller.tenant, _COLUMNS, pages=PAGES_READ, where=where
        )
        days = by_day(map(_facts, rows), now.date(), DAYS)
        if whole or not rows:
            return RunHistory(days)
        return RunHistory(days, moment_of(rows[-1].row).date() + timedelta(days=1))


def _facts(row: Row) -> RunFacts:
    counts = (int(row.columns.get(name, 0)) for name in _COLUMNS)
    return RunFacts(moment_of(row.row).date(), *counts)
