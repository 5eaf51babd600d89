"""Mended faults that can be put back, to see that random histories find them.

Each replaces one step of the engine by what it did before. `--put-back NAME` runs histories until
one breaks an invariant. Three faults need thousands of contacts or requests, and have scripted
histories only: `scripted/test_found.py`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest.mock import patch

from shared.adapters.storage.import_rows import delete_import
from shared.adapters.storage.results import all_results
from shared.adapters.storage.snapshots import Job, Snapshots
from shared.adapters.storage.store import Store
from shared.adapters.storage.tables.names import Table
from shared.domain.contacts.plan import Plan
from shared.domain.errors import Defect
from shared.domain.importing.messages import RunMessage, StartRun, Task
from shared.domain.importing.runs import Run, RunStatus
from shared.services.importing import run_closing, run_start
from shared.services.importing.run_book import RunBook
from shared.services.importing.run_closing import RunClosing
from shared.services.importing.run_resolving import RunResolving
from shared.services.importing.run_start import RunStart
from shared.services.importing.run_summary import results_that_count
from shared.services.importing.timetable import Timetable
from shared.services.licensing.missing_mailboxes import MissingMailboxes
from shared.services.privacy.leaving import Leaving
from shared.services.sync import mailbox_sync
from shared.services.sync.mailbox_sync import MailboxSync
from shared.services.sync.mailbox_work import MailboxWork

type Replace = Callable[[Any, str, Any], None]


def _writes_before_it_says_where(replace: Replace) -> None:
    async def intend(self: MailboxWork, writes: int = 0) -> None:
        self.head = self.head.copy_with(fingerprint=None, begun=self.head.begun | writes)
        await self.hold_lease()

    replace(MailboxWork, "intend", intend)


def _any_close_erases_an_import_that_is_removed(replace: Replace) -> None:
    usual = RunClosing._close

    async def close(self: RunClosing, message: RunMessage, *, final: bool) -> None:
        found = await self._store.imports.get(message.tenant, message.import_id)
        await usual(self, message, final=final)
        if found is not None and found.value.removing:
            await delete_import(self._store, message.tenant, message.import_id)

    replace(RunClosing, "_close", close)


def _nobody_drives_a_run_on(replace: Replace) -> None:
    async def drive(*_: object) -> None:
        return

    replace(Timetable, "_drive", drive)


def _work_of_older_runs_goes_on(replace: Replace) -> None:
    async def is_open(_: Store, __: RunMessage) -> bool:
        return True

    async def never(_: MailboxSync, __: MailboxWork) -> bool:
        return False

    replace(Store, "is_open", is_open)
    replace(MailboxSync, "_ended", never)


def _repeated_start_rewrites_its_snapshot(replace: Replace) -> None:
    usual = RunStart.start

    async def start(self: RunStart, message: StartRun) -> None:
        stored = await self._store.runs.get(message.tenant, message.run)
        if stored is not None and stored.value.status is RunStatus.RUNNING:
            again = stored.value.copy_with(snapshot=None)
            await self._store.runs.upsert(message.tenant, message.run, again)
        await usual(self, message)

    replace(RunStart, "start", start)
    replace(run_start, "snapshot_id", lambda tenant, run, number, _: f"{tenant}|{run}|{number}|0")


def _lost_snapshot_is_a_defect_of_late_messages(replace: Replace) -> None:
    usual = MailboxSync._do

    async def do(self: MailboxSync, work: MailboxWork) -> None:
        message = work.message
        if message.task is Task.SYNC and await self._snapshots.job(message.snapshot) is None:
            note = "The run's snapshot is not there."
            raise Defect(note)
        await usual(self, work)

    async def never(_: MailboxSync, __: MailboxWork) -> bool:
        return False

    replace(MailboxSync, "_do", do)
    replace(MailboxSync, "_ended", never)


def _suppressed_person_waits_for_the_daily_run(replace: Replace) -> None:
    async def purge(_: RunResolving, __: str, import_: Any, *___: object) -> Job:
        return Job(import_)

    replace(RunResolving, "_purge", purge)


def _late_start_is_a_defect(replace: Replace) -> None:
    usual = RunBook.begin_resolving

    async def begin(self: RunBook, message: RunMessage) -> Any:
        runs = await usual(self, message)
        if runs is None:
            note = "The run is not open."
            raise Defect(note)
        return runs

    replace(RunBook, "begin_resolving", begin)


def _lost_start_is_never_sent_again(replace: Replace) -> None:
    usual = RunBook.repair

    async def repair(self: RunBook, tenant: str, import_id: str) -> None:
        before = await self._store.import_runs.get(tenant, import_id)
        open_ = before.value.open if before is not None else None
        known = await self._store.runs.get(tenant, open_.id) if open_ is not None else None
        if known is None or known.value.status is not RunStatus.QUEUED:
            await usual(self, tenant, import_id)

    replace(RunBook, "repair", repair)
    _nobody_drives_a_run_on(replace)


def _late_closing_holds_an_approved_run_again(replace: Replace) -> None:
    usual = RunClosing._close

    async def close(self: RunClosing, message: RunMessage, *, final: bool) -> None:
        stored = await self._store.runs.get(message.tenant, message.run)
        if stored is not None:
            message = message.copy_with(number=stored.value.number)
        await usual(self, message, final=final)

    async def count(store: Store, tenant: str, run: Run) -> Any:
        counted = await results_that_count(store, tenant, run)
        return counted or [result async for result in all_results(store, tenant, run.id)]

    replace(RunClosing, "_close", close)
    replace(run_closing, "results_that_count", count)


def _snapshot_is_found_by_the_row_that_is_deleted_first(replace: Replace) -> None:
    usual = Snapshots.erase

    async def erase(self: Snapshots, snapshot: str) -> None:
        if await self._tables.get(Table.SNAPSHOTS, snapshot, "meta") is not None:
            await usual(self, snapshot)

    replace(Snapshots, "erase", erase)


def _everybody_gets_a_license(replace: Replace) -> None:
    async def note(*_: object) -> None:
        return

    replace(MissingMailboxes, "note", note)


def _tenant_leaves_before_its_contacts(replace: Replace) -> None:
    async def removing(*_: object) -> bool:
        return False

    replace(Leaving, "_still_removing", removing)


def _superseded_work_is_a_failure(replace: Replace) -> None:
    usual = MailboxSync._ended

    async def ended(self: MailboxSync, work: MailboxWork) -> bool:
        if not await work.is_open():
            note = "The run has ended."
            raise Defect(note)
        return await usual(self, work)

    replace(MailboxSync, "_ended", ended)


def _rewrites_count_as_changes(replace: Replace) -> None:
    replace(Plan, "changed", property(lambda plan: plan.updates))


def _only_one_place_is_looked_at(replace: Replace) -> None:
    async def clear(*_: object) -> bool:
        return False

    replace(mailbox_sync, "clear_other_place", clear)


def _missed_revocation_is_forgotten(replace: Replace) -> None:
    replace(run_closing, "_owed", lambda *_: None)


FAULTS: Final[Mapping[str, Callable[[Replace], None]]] = {
    "1-intent": _writes_before_it_says_where,
    "2-close": _any_close_erases_an_import_that_is_removed,
    "3-watchdog": _nobody_drives_a_run_on,
    "5-order": _work_of_older_runs_goes_on,
    "6-snapshot": _repeated_start_rewrites_its_snapshot,
    "7-backlog": _lost_snapshot_is_a_defect_of_late_messages,
    "8-suppression": _suppressed_person_waits_for_the_daily_run,
    "10-late-start": _late_start_is_a_defect,
    "11-lost-start": _lost_start_is_never_sent_again,
    "12-approval": _late_closing_holds_an_approved_run_again,
    "13-leftovers": _snapshot_is_found_by_the_row_that_is_deleted_first,
    "14-licenses": _everybody_gets_a_license,
    "15-leaving": _tenant_leaves_before_its_contacts,
    "17-duplicates": _superseded_work_is_a_failure,
    "18-rewrites": _rewrites_count_as_changes,
    "places": _only_one_place_is_looked_at,
    "owed": _missed_revocation_is_forgotten,
}
"""The faults by name; those with a number are of the list that began the simulation."""


@contextmanager
def put_back(name: str | None) -> Iterator[None]:
    """Put a fault back, or none."""
    with ExitStack() as stack:
        if name is not None:
            FAULTS[name](
                lambda where, what, new: stack.enter_context(patch.object(where, what, new))
            )
        yield
