"""Which runs an import has: asked for, begun, ended, stopped (`domain/importing/import_life`).

What `ImportRuns` says is the truth. The row of a run and its first message follow from it: they are
written after it, and again by `repair` if a worker died between.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final

from shared.adapters.storage.queues import Queues
from shared.adapters.storage.records import Stored
from shared.adapters.storage.snapshots import Snapshots
from shared.adapters.storage.store import Store
from shared.domain.errors import Busy, Conflict, NotFound, PreconditionFailed
from shared.domain.importing import import_life
from shared.domain.importing.import_life import ImportRuns, OpenRun, PlannedRun
from shared.domain.importing.messages import IMPORT_RUNS, CloseRun, RunMessage, StartRun
from shared.domain.importing.runs import ContactCounts, MailboxCounts, Run, RunStatus, RunTrigger
from shared.domain.importing.schedule import run_id
from shared.services.importing.run_summary import results_that_count, stopped_run
from shared.services.importing.run_telemetry import emit_run_end

_log = logging.getLogger(__name__)
_TRIES: Final = 12


class RunBook:
    """The runs of the imports of all tenants."""

    def __init__(
        self, store: Store, queues: Queues, snapshots: Snapshots, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._queues = queues
        self._snapshots = snapshots
        self._clock = clock

    async def ask(
        self,
        tenant: str,
        import_id: str,
        trigger: RunTrigger,
        when: datetime,
        *,
        retries: str | None = None,
        slot: datetime | None = None,
    ) -> str:
        """Ask for a run and return the id of the run that does what was asked for.

        That may be a run that is open or waits already. The same trigger and time give the same
        run. `slot` is the scheduled time for which it is asked; a slot gets one run only. Raises
        `NotFound` if the import is gone.
        """
        now = self._clock()
        planned = PlannedRun(
            id=run_id(import_id, trigger, when),
            trigger=trigger,
            queued=now,
            retries=retries,
        )
        return await self._ask(tenant, import_id, planned, slot)

    async def reopen(self, tenant: str, run: Run) -> None:
        """Continue a held run that an admin approved, now or once the open run has ended."""
        planned = PlannedRun(
            id=run.id,
            trigger=run.trigger,
            queued=run.queued,
            retries=run.retries,
            reopened=True,
        )
        await self._ask(tenant, run.import_id, planned, None)

    async def stop(self, tenant: str, import_id: str, run: str) -> None:
        """Stop a run that is open or waits. A removal goes on."""
        now = self._clock()
        await self._change(tenant, import_id, lambda r: import_life.stopped(r, run, now))
        await self.repair(tenant, import_id)

    async def restart(self, tenant: str, import_id: str, run: str) -> None:
        """Send the messages of the open run again, if it is this one. Safe to repeat."""
        now = self._clock()
        stored = await self._change(tenant, import_id, lambda r: import_life.restarted(r, run, now))
        await self.repair(tenant, import_id)
        if stored is not None and stored.value.open is not None and stored.value.open.id == run:
            await self.send(tenant, import_id, stored.value.open)

    async def begin_resolving(self, message: RunMessage) -> ImportRuns | None:
        """Note that the open run reads its share from now on; None if it is no longer open."""
        stored = await self._change(
            message.tenant,
            message.import_id,
            lambda r: import_life.resolving(r, message.run, message.number),
        )
        if stored is None or not import_life.is_open(stored.value, message.run, message.number):
            return None
        return stored.value

    async def end(
        self, message: RunMessage, note: Callable[[ImportRuns], ImportRuns] = lambda r: r
    ) -> None:
        """End the open run of a message, after its row has ended, and begin the next.

        `note` records what the run achieved. A message that came too late changes nothing.
        """
        now = self._clock()

        def ended(runs: ImportRuns) -> ImportRuns:
            if not import_life.is_open(runs, message.run, message.number):
                return runs
            noted = note(runs).copy_with(last_run=message.run)
            return import_life.ended(noted, message.run, message.number, now)

        await self._change(message.tenant, message.import_id, ended)
        await self.repair(message.tenant, message.import_id)

    async def repair(self, tenant: str, import_id: str) -> None:
        """Do what `ImportRuns` says and nobody has done yet. Safe to repeat.

        Ends the rows of runs that were stopped, begins the first waiting run, and writes and sends
        what a run that began is missing.
        """
        now = self._clock()
        stored = await self._change(
            tenant, import_id, lambda runs: import_life.next_begun(runs, now)
        )
        if stored is None:
            return
        runs = stored.value
        for run in runs.ended:
            await self._end_stopped(tenant, run)
        for planned in runs.waiting:
            await self._write_waiting(tenant, import_id, planned)
        if runs.ended:
            done = frozenset(runs.ended)
            await self._change(
                tenant,
                import_id,
                lambda r: r.copy_with(ended=tuple(id_ for id_ in r.ended if id_ not in done)),
            )
        if runs.open is not None and await self._write_begun(tenant, import_id, runs.open):
            await self.send(tenant, import_id, runs.open)

    async def update_open(
        self, tenant: str, import_id: str, before: OpenRun, after: OpenRun
    ) -> bool:
        """Store what the tick found out about an open run; return whether it is still that run."""
        stored = await self._change(
            tenant, import_id, lambda r: import_life.updated(r, before, after)
        )
        current = stored.value.open if stored is not None else None
        return current is not None and current.without_looks == after.without_looks

    async def look_again(self, message: CloseRun, *, redelivered: bool) -> bool:
        """Return whether a closing that found its run unfinished comes back."""
        if message.attempt < import_life.FREE_LOOKS:
            return True
        now, comes_back = self._clock(), False

        def look(runs: ImportRuns) -> ImportRuns:
            nonlocal comes_back
            runs, comes_back = import_life.look_again(
                runs, message.run, message.number, message.attempt, now, redelivered=redelivered
            )
            return runs

        await self._change(message.tenant, message.import_id, look)
        return comes_back

    async def pass_over(self, tenant: str, import_id: str, slot: datetime) -> None:
        """Note that nothing was due at a scheduled time."""
        await self._change(tenant, import_id, lambda runs: runs.copy_with(slot=slot))

    async def send(self, tenant: str, import_id: str, run: OpenRun) -> None:
        """Queue the first message of a run that has begun."""
        message = StartRun(tenant=tenant, import_id=import_id, run=run.id, number=run.number)
        await self._queues.send(IMPORT_RUNS, message)

    async def _ask(
        self, tenant: str, import_id: str, planned: PlannedRun, slot: datetime | None
    ) -> str:
        now, answer, joined = self._clock(), planned.id, None

        def asked(runs: ImportRuns) -> ImportRuns:
            nonlocal answer, joined
            answer, joined = planned.id, None
            if slot is not None:
                if runs.slot is not None and runs.slot >= slot:
                    return runs
                runs = runs.copy_with(slot=slot)
            found = import_life.ask(runs, planned, now)
            answer = found.run.id
            if not found.began and found.state.open is found.run:
                joined = found.state.open
            return found.state

        if not planned.reopened and await self._has_ended(tenant, planned):
            return planned.id
        if await self._change(tenant, import_id, asked) is None:
            raise NotFound("unknown_import", id=import_id[:64])
        await self.repair(tenant, import_id)
        if joined is not None and not joined.resolving:
            # Its message may have been lost; a second one is harmless.
            await self.send(tenant, import_id, joined)
        return answer

    async def _has_ended(self, tenant: str, planned: PlannedRun) -> bool:
        known = await self._store.runs.get(tenant, planned.id)
        return known is not None and known.value.status.ended

    async def _change(
        self, tenant: str, import_id: str, apply: Callable[[ImportRuns], ImportRuns]
    ) -> Stored[ImportRuns] | None:
        for _ in range(_TRIES):
            stored = await self._store.import_runs.get(tenant, import_id)
            if stored is None:
                return None
            value = apply(stored.value)
            if value == stored.value:
                return stored
            try:
                return await self._store.import_runs.replace(tenant, import_id, value, stored.etag)
            except PreconditionFailed:
                continue
        message = "Others change the runs of the import all the time."
        raise Busy(message, 1.0)

    async def _write_waiting(self, tenant: str, import_id: str, planned: PlannedRun) -> None:
        """Show a waiting run as queued."""
        known = await self._store.runs.get(tenant, planned.id)
        if known is None:
            await self._insert(tenant, _new(import_id, planned))
        elif known.value.status is not RunStatus.QUEUED:
            await self._replace(tenant, known, _queued(known.value, known.value.number))

    async def _write_begun(self, tenant: str, import_id: str, run: OpenRun) -> bool:
        """Write the row of a run that began, unless it is there; return whether it was not."""
        known = await self._store.runs.get(tenant, run.id)
        if known is not None:
            if known.value.number >= run.number:
                return False
            return await self._replace(tenant, known, _queued(known.value, run.number))
        return await self._insert(tenant, _new(import_id, run).copy_with(number=run.number))

    async def _end_stopped(self, tenant: str, run: str) -> None:
        known = await self._store.runs.get(tenant, run)
        if known is not None and not known.value.status.ended:
            results = await results_that_count(self._store, tenant, known.value)
            stopped = stopped_run(known.value, results, self._clock())
            if await self._replace(tenant, known, stopped):
                emit_run_end(tenant, stopped)
        await self._snapshots.erase_of(tenant, run)

    async def _insert(self, tenant: str, run: Run) -> bool:
        try:
            await self._store.runs.insert(tenant, run.id, run)
        except Conflict:
            return False
        return True

    async def _replace(self, tenant: str, known: Stored[Run], run: Run) -> bool:
        try:
            await self._store.runs.replace(tenant, run.id, run, known.etag)
        except PreconditionFailed:
            return False
        return True


def _new(import_id: str, planned: PlannedRun) -> Run:
    return Run(
        id=planned.id,
        import_id=import_id,
        trigger=planned.trigger,
        queued=planned.queued,
        retries=planned.retries,
    )


def _queued(run: Run, number: int) -> Run:
    """Return the row of a run that begins again, or waits to: it has no end and no reason."""
    return run.copy_with(
        status=RunStatus.QUEUED,
        number=number,
        snapshot=None,
        started=None,
        ended=None,
        reason=None,
        mailboxes=MailboxCounts(),
        contacts=ContactCounts(),
        photos=0,
    )
