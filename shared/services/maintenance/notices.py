"""Notices of a tick: looks at each tenant that wants notices."""

from collections.abc import Sequence
from datetime import datetime

from shared.adapters.storage.store import NOTICE_SETTINGS
from shared.adapters.storage.tables.client import Row
from shared.adapters.storage.tables.conditions import ROW, Condition
from shared.adapters.storage.tables.names import Table
from shared.domain.importing.messages import MaintainRange
from shared.services.maintenance.range_tasks import RangeTask, RowStep
from shared.services.notices.watch import Watch


class NoticesTask(RangeTask):
    """Looks at the tenants of a range that have settings of notices."""

    table = Table.NOTICES

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def conditions(self, at: datetime) -> Sequence[Condition]:
        """Return the settings of all tenants."""
        del at
        return (Condition(ROW, "eq", NOTICE_SETTINGS),)

    async def steps(self, rows: Sequence[Row]) -> Sequence[RowStep]:
        """Return a step for each tenant."""

        def step(row: Row) -> RowStep:
            return RowStep(row, lambda: self._watch.look(row.partition))

        return [step(row) for row in rows]

    def event(self, message: MaintainRange) -> None:
        """Return nothing: each delivery sends its own event."""
        del message
