"""Queueing runs. Each run is recorded first, so its message may come twice or be sent again."""

from collections.abc import Callable
from datetime import datetime

from shared.adapters.storage.queues import Queues
from shared.adapters.storage.records import Store
from shared.domain.errors import Conflict
from shared.domain.importing.messages import IMPORT_RUNS, StartRun
from shared.domain.importing.runs import Run, RunStatus, RunTrigger
from shared.domain.importing.schedule import DAY, run_id


class RunQueue:
    """Records and queues runs of all tenants."""

    def __init__(self, store: Store, queues: Queues, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._queues = queues
        self._clock = clock

    async def queue(
        self,
        tenant: str,
        import_id: str,
        trigger: RunTrigger,
        when: datetime,
        retries: str | None = None,
        every_hours: int = DAY,
    ) -> str:
        """Record a run and queue its message; the same trigger and time give the same run."""
        run = Run(
            id=run_id(import_id, trigger, when, every_hours),
            import_id=import_id,
            trigger=trigger,
            queued=self._clock(),
            retries=retries,
        )
        try:
            await self._store.runs.insert(tenant, run.id, run)
        except Conflict:
            known = await self._store.runs.get(tenant, run.id)
            if known is not None and known.value.status is not RunStatus.QUEUED:
                return run.id
        await self.send(tenant, import_id, run.id)
        return run.id

    async def send(self, tenant: str, import_id: str, run: str) -> None:
        """Queue the message of a run that is already recorded."""
        await self._queues.send(IMPORT_RUNS, StartRun(tenant=tenant, import_id=import_id, run=run))
