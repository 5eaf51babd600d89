"""What an admin decides about a run that has ended: approve or discard what it held, or retry it.

An approval lets the run itself go on: its share and targets are read anew, and a mailbox does
what was held only if it is still the same (`Plan.risk`); anything else is held, and asked, again.
"""

from typing import Literal

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.records import Store, Stored
from shared.adapters.telemetry import emit
from shared.domain.errors import Conflict
from shared.domain.events import RunDecided
from shared.domain.importing.runs import Run, RunStatus, RunTrigger
from shared.domain.tenancy.tenants import LedgerAction
from shared.services.changes import change, found_in
from shared.services.importing.run_queue import RunQueue
from shared.services.tenancy.ledger import Ledger


class Decisions:
    """Decisions about the runs of the caller's tenant."""

    def __init__(self, store: Store, ledger: Ledger, run_queue: RunQueue) -> None:
        self._store = store
        self._ledger = ledger
        self._run_queue = run_queue

    async def approve(self, caller: Caller, id_: str) -> Stored[Run]:
        """Let a held run go on; harmless to repeat. Also brings back one that was discarded.

        Raises `Conflict` if the run holds nothing.
        """
        decided = False

        def approved(run: Run) -> Run:
            nonlocal decided
            decided = False
            if run.approved and run.status is not RunStatus.HELD:
                return run
            if run.status not in {RunStatus.HELD, RunStatus.DISCARDED}:
                raise Conflict("nothing_to_approve")
            decided = True
            # It begins anew: it has a day from now on, and no reason to wait any more.
            return run.copy_with(
                status=RunStatus.QUEUED, approved=True, started=None, ended=None, reason=None
            )

        async with self._ledger.change(caller, LedgerAction.RUN_APPROVED, id_) as entry:
            stored = await change(self._store.runs, caller.tenant, id_, approved, kind="run")
            entry.changed = stored.value.status is RunStatus.QUEUED
            if entry.changed:
                await self._run_queue.send(caller.tenant, stored.value.import_id, id_)
        if decided:
            _tell(caller, stored.value, "approved")
        return stored

    async def discard(self, caller: Caller, id_: str) -> Stored[Run]:
        """Leave the mailboxes of a held run as they are; harmless to repeat.

        The same plan is not asked about again. Raises `Conflict` if the run holds nothing.
        """
        decided = False

        def discarded(run: Run) -> Run:
            nonlocal decided
            decided = False
            if run.status is RunStatus.DISCARDED:
                return run
            if run.status is not RunStatus.HELD:
                raise Conflict("nothing_to_discard")
            decided = True
            return run.copy_with(status=RunStatus.DISCARDED, approved=False)

        async with self._ledger.change(caller, LedgerAction.RUN_DISCARDED, id_):
            stored = await change(self._store.runs, caller.tenant, id_, discarded, kind="run")
        if decided:
            _tell(caller, stored.value, "discarded")
        return stored

    async def retry(self, caller: Caller, id_: str) -> tuple[Stored[Run], bool]:
        """Run the mailboxes that failed again; answers the new run, and whether it is new.

        A run that could not start at all is tried as a whole. Raises `Conflict` while the run is
        not over, or if nothing of it failed.
        """
        run = found_in(await self._store.runs.get(caller.tenant, id_), "run", id_).value
        if not run.status.ended or run.ended is None:
            raise Conflict("run_not_ended")
        if not run.mailboxes.failed and run.status is not RunStatus.FAILED:
            raise Conflict("nothing_failed")
        async with self._ledger.change(caller, LedgerAction.RUN_RETRIED, id_) as entry:
            retry = await self._run_queue.queue(
                caller.tenant, run.import_id, RunTrigger.RETRY, run.ended, id_
            )
            stored = found_in(await self._store.runs.get(caller.tenant, retry), "run", retry)
            entry.changed = stored.value.status is RunStatus.QUEUED
            entry.detail["retry"] = retry
        return stored, entry.changed


def _tell(caller: Caller, run: Run, decision: Literal["approved", "discarded"]) -> None:
    emit(RunDecided(tenant=caller.tenant, import_id=run.import_id, run=run.id, decision=decision))
