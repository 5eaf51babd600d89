"""Decisions of an admin about a run that has ended: approve or discard what it held, or retry it.

An approval continues the run itself, under a new number: its share and targets are read again, and
a mailbox applies those of the held changes that are still to be made. A change that was not shown,
or that now has another target, is held again and needs a new decision.
"""

from typing import Literal

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.records import Stored
from shared.adapters.storage.store import Store
from shared.adapters.telemetry import emit
from shared.domain.errors import Conflict
from shared.domain.events import RunClosed, RunDecided
from shared.domain.importing.runs import Run, RunStatus, RunTrigger
from shared.domain.tenancy.tenants import LedgerAction
from shared.services.changes import change, found_in
from shared.services.idempotency import Execution
from shared.services.importing.run_book import RunBook
from shared.services.tenancy.ledger import Ledger


class Decisions:
    """Decisions about the runs of the caller's tenant."""

    def __init__(self, store: Store, ledger: Ledger, book: RunBook) -> None:
        self._store = store
        self._ledger = ledger
        self._book = book

    async def approve(self, caller: Caller, id_: str, execution: Execution) -> Stored[Run]:
        """Continue a held run, or one that was discarded. Safe to repeat.

        Another execution of the same call approves nothing that the run held after the first one.

        Raises `Conflict` if the run holds nothing.
        """
        held = found_in(await self._store.runs.get(caller.tenant, id_), "run", id_).value
        import_ = await self._store.imports.get(caller.tenant, held.import_id)
        if import_ is None or import_.value.removing:
            raise Conflict("nothing_to_approve")
        shown = await execution.first(str(held.number))
        decided = False

        def approved(run: Run) -> Run:
            nonlocal decided
            decided = False
            if shown != str(run.number):
                return run
            if run.approved and run.status is not RunStatus.HELD:
                return run
            if run.status not in {RunStatus.HELD, RunStatus.DISCARDED}:
                raise Conflict("nothing_to_approve")
            decided = True
            return run.copy_with(status=RunStatus.HELD, approved=True, approved_number=run.number)

        async with self._ledger.change(caller, LedgerAction.RUN_APPROVED, id_) as entry:
            stored = await change(self._store.runs, caller.tenant, id_, approved, kind="run")
            entry.changed = decided
            if decided:
                await self._book.reopen(caller.tenant, stored.value)
        if decided:
            _emit_decision(caller, stored.value, "approved")
        return found_in(await self._store.runs.get(caller.tenant, id_), "run", id_)

    async def discard(self, caller: Caller, id_: str, execution: Execution) -> Stored[Run]:
        """Leave the mailboxes of a held run as they are. Safe to repeat.

        Later runs do not ask about the same plan again. Raises `Conflict` if the run holds nothing.
        """
        held = found_in(await self._store.runs.get(caller.tenant, id_), "run", id_).value
        shown = await execution.first(str(held.number))
        decided = False

        def discarded(run: Run) -> Run:
            nonlocal decided
            decided = False
            if shown != str(run.number):
                return run
            if run.status is RunStatus.DISCARDED:
                return run
            if run.status is not RunStatus.HELD:
                raise Conflict("nothing_to_discard")
            decided = True
            return run.copy_with(status=RunStatus.DISCARDED, approved=False)

        async with self._ledger.change(caller, LedgerAction.RUN_DISCARDED, id_):
            stored = await change(self._store.runs, caller.tenant, id_, discarded, kind="run")
        if decided:
            _emit_decision(caller, stored.value, "discarded")
            emit(RunClosed.of(caller.tenant, stored.value))
        return stored

    async def retry(self, caller: Caller, id_: str) -> tuple[Stored[Run], bool]:
        """Run the failed mailboxes again; return the new run, and whether it is new.

        A run that did not start is retried as a whole. Raises `Conflict` while the run is in
        progress, or if nothing in it failed.
        """
        run = found_in(await self._store.runs.get(caller.tenant, id_), "run", id_).value
        if not run.status.ended or run.ended is None:
            raise Conflict("run_not_ended")
        if not run.mailboxes.failed and run.status is not RunStatus.FAILED:
            raise Conflict("nothing_failed")
        async with self._ledger.change(caller, LedgerAction.RUN_RETRIED, id_) as entry:
            retry = await self._book.ask(
                caller.tenant, run.import_id, RunTrigger.RETRY, run.ended, retries=id_
            )
            stored = found_in(await self._store.runs.get(caller.tenant, retry), "run", retry)
            entry.changed = stored.value.status is RunStatus.QUEUED
            entry.detail["retry"] = retry
        return stored, entry.changed


def _emit_decision(caller: Caller, run: Run, decision: Literal["approved", "discarded"]) -> None:
    emit(RunDecided(tenant=caller.tenant, import_id=run.import_id, run=run.id, decision=decision))
