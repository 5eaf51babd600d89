"""What each timer begins: the tick every quarter of an hour, and the sweeps of a night."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from shared.adapters.storage.queues import Queues
from shared.domain.importing.messages import MAINTENANCE, MaintainRange, MaintenanceTask
from shared.services.importing.timetable import Timetable
from shared.services.maintenance.orphans import SWEPT
from shared.services.maintenance.ranges import BUDGET, Ranges

_TICK: Final = (MaintenanceTask.TENANTS, MaintenanceTask.IMPORTS, MaintenanceTask.NOTICES)
_SWEEPS: Final = (
    MaintenanceTask.SNAPSHOTS,
    MaintenanceTask.RUNS,
    MaintenanceTask.LEDGER,
    MaintenanceTask.LEDGER_FEED,
    MaintenanceTask.KEYS,
    MaintenanceTask.SHARE_IDS,
    MaintenanceTask.CHECKS,
    MaintenanceTask.DELIVERIES,
    MaintenanceTask.SEATS,
    MaintenanceTask.DOMAINS,
)


class Rounds:
    """Begins the tasks for all tenants. Every call is safe to repeat."""

    def __init__(
        self,
        timetable: Timetable,
        ranges: Ranges,
        queues: Queues,
        clock: Callable[[], datetime],
    ) -> None:
        self._timetable = timetable
        self._ranges = ranges
        self._queues = queues
        self._clock = clock

    async def tick(self, *, past_due: bool) -> None:
        """Look after the first tenants, imports and notices, and queue what follows.

        How long messages have been due is measured here, so that it is known also when nobody takes
        messages.
        """
        await self._timetable.measure()
        for task in _TICK:
            await self._ranges.begin(MaintainRange(task=task, at=self._clock(), past_due=past_due))

    async def sweep(self) -> None:
        """Begin the sweeps; those that do not fit into this call are queued."""
        now = self._clock()
        sweeps = [MaintainRange(task=task, at=now) for task in _SWEEPS]
        sweeps += [
            MaintainRange(task=MaintenanceTask.ORPHANS, table=str(table), at=now) for table in SWEPT
        ]
        for sweep in sweeps:
            if self._clock() < now + BUDGET:
                await self._ranges.begin(sweep)
            else:
                await self._queues.send(MAINTENANCE, sweep)
