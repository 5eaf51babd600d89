"""Runs as an admin sees them: what happened in each mailbox, and starting a run on demand."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.graph.mailbox_directory import MailboxDirectory
from shared.adapters.storage.records import Listing, Stored, gather_limited
from shared.adapters.storage.results import (
    UnequalCause,
    causes_of,
    count_results,
    find_result,
    page_of_results,
)
from shared.adapters.storage.store import Store
from shared.adapters.storage.tables.conditions import ROW, Condition
from shared.domain.errors import ContactSyncError
from shared.domain.importing.import_life import stands_still
from shared.domain.importing.runs import Outcome, Result, Run, RunStatus, RunTrigger
from shared.domain.importing.schedule import before, before_day, newest_first, run_id
from shared.domain.reasons import Reason
from shared.domain.tenancy.tenants import LedgerAction, LicensePlan
from shared.services.changes import found_in
from shared.services.idempotency import Execution
from shared.services.importing.imports import Imports
from shared.services.importing.run_book import RunBook
from shared.services.licensing.licenses import Licenses, PremiumNeeded
from shared.services.tenancy.ledger import Ledger

_log = logging.getLogger(__name__)
_UNDER_WAY_FOR: Final = timedelta(days=2)
_MOST_UNDER_WAY: Final = 500


@dataclass(frozen=True, slots=True)
class ResultPage:
    """One page of a run's results, with each mailbox's current mail address in the directory.

    After a search, `total` is how many results match, and `whole` is false if more may.
    """

    listing: Listing[Result]
    addresses: dict[str, str]
    total: int | None = None
    whole: bool = True


@dataclass(frozen=True, slots=True)
class RunProgress:
    """Progress of a run: mailboxes done and in all, mailboxes per second, time left if known."""

    done: int
    total: int
    rate: float
    left: timedelta | None


class Runs:
    """The runs of the caller's tenant."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime],
        imports: Imports,
        licenses: Licenses,
        book: RunBook,
        directory: MailboxDirectory,
        ledger: Ledger,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._clock = clock
        self._imports = imports
        self._licenses = licenses
        self._book = book
        self._directory = directory

    async def page(
        self,
        caller: Caller,
        size: int,
        token: str | None,
        import_id: str | None = None,
        status: RunStatus | None = None,
        since: date | None = None,
        until: datetime | None = None,
    ) -> Listing[Run]:
        """Return one page of the tenant's runs, newest first, `since` a day (UTC) or a time.

        Filtering by import or status searches all runs: if matches are rare, pass a day. A run's
        time is when it was asked for or due. Storage sorts by it, and by nothing else.
        """
        where: list[Condition] = []
        if import_id:
            where.append(Condition("importId", "eq", import_id))
        if status:
            where.append(Condition("status", "eq", status.value))
        if since is not None:
            first = before(since) if isinstance(since, datetime) else before_day(since)
            where.append(Condition(ROW, "lt", first))
        if until is not None:
            where.append(Condition(ROW, "ge", newest_first(until)))
        return await self._store.runs.page(caller.tenant, size=size, token=token, where=where)

    async def of_import(
        self,
        caller: Caller,
        import_id: str,
        size: int,
        token: str | None,
        status: RunStatus | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Listing[Run]:
        """Return a page of an import's runs, newest first. Raises `NotFound` without the import."""
        await self._imports.read(caller, import_id)
        return await self.page(caller, size, token, import_id, status, since, until)

    async def read(self, caller: Caller, id_: str) -> Stored[Run]:
        """Return one run. Raises `NotFound` if the tenant has no such run."""
        return found_in(await self._store.runs.get(caller.tenant, id_), "run", id_)

    async def results(
        self,
        caller: Caller,
        id_: str,
        size: int,
        token: str | None,
        outcome: Outcome | None,
        reason: Reason | None = None,
    ) -> ResultPage:
        """Return one page of a run's results, by mailbox."""
        await self.read(caller, id_)
        listing = await page_of_results(
            self._store, caller.tenant, id_, size, token, outcome, reason
        )
        return await self.addressed(caller, id_, listing)

    async def causes(self, caller: Caller, run: Run) -> tuple[list[UnequalCause], bool]:
        """Return why mailboxes of a run did not succeed; see `causes_of`.

        A run that goes on, or whose mailboxes all succeeded, has no causes, and nothing is read.
        """
        counts = run.mailboxes
        if run.started is None or not (counts.failed or counts.held or counts.skipped):
            return [], True
        return await causes_of(self._store, caller.tenant, run.id)

    async def results_of(
        self,
        caller: Caller,
        id_: str,
        mailboxes: Sequence[str],
        outcome: Outcome | None = None,
    ) -> list[Stored[Result]]:
        """Return the results of a run in some mailboxes, read by their keys."""
        await self.read(caller, id_)

        async def find(mailbox: str) -> Stored[Result] | None:
            return await find_result(self._store, caller.tenant, id_, mailbox)

        found = await gather_limited(find, mailboxes)
        return [r for r in found if r is not None and outcome in {None, r.value.outcome}]

    async def addressed(self, caller: Caller, id_: str, listing: Listing[Result]) -> ResultPage:
        """Return results with the addresses of their mailboxes, where the directory has them."""
        mailboxes = [stored.value.mailbox for stored in listing.items]
        try:
            addresses = await self._directory.addresses(caller.tenant, mailboxes)
        except ContactSyncError as error:
            _log.warning("cannot read the addresses for run %s: %s", id_, error)
            addresses = {}
        return ResultPage(listing, addresses)

    async def progress(self, caller: Caller, run: Run) -> RunProgress | None:
        """Return the progress of a run; None before it knows its mailboxes, and once it has ended.

        The results are counted by their keys, 1,000 per request, because the run has no counter.
        """
        if run.status.ended or run.started is None or not run.mailboxes.total:
            return None
        done = await count_results(self._store, caller.tenant, run.id)
        total = run.mailboxes.total
        if run.approved:
            # Most results are older than the run's second start and say nothing about its rate.
            return RunProgress(min(done, total), total, 0.0, None)
        seconds = max((self._clock() - run.started).total_seconds(), 1.0)
        left = total - done
        return RunProgress(
            min(done, total),
            total,
            done / seconds,
            timedelta(seconds=left * seconds / done) if done else None,
        )

    async def request(
        self, caller: Caller, import_id: str, execution: Execution
    ) -> tuple[Stored[Run], bool]:
        """Ask for a run now; return the run that does it, and whether it is new.

        A full run that has not begun to read its share is joined; otherwise the new run waits until
        the open one has ended. Another execution of the same call asks for the same run.
        Raises `PremiumNeeded` on the standard plan.
        """
        await self._imports.read(caller, import_id)
        if await self._licenses.plan(caller) is LicensePlan.STANDARD:
            raise PremiumNeeded("premium_needed_on_demand")
        now = execution.began
        run = await self._book.ask(caller.tenant, import_id, RunTrigger.REQUEST, now)
        new = run == run_id(import_id, RunTrigger.REQUEST, now)
        return await self.read(caller, run), new

    async def stop(self, caller: Caller, id_: str) -> Stored[Run]:
        """Stop a run that is queued or running. Safe to repeat; a removal goes on.

        Mailboxes that it is syncing finish their current batch.
        """
        run = (await self.read(caller, id_)).value
        async with self._ledger.change(caller, LedgerAction.RUN_STOPPED, id_) as entry:
            entry.changed = not run.status.ended
            if entry.changed:
                await self._book.stop(caller.tenant, run.import_id, id_)
        return await self.read(caller, id_)

    async def restart(self, caller: Caller, id_: str) -> Stored[Run]:
        """Send the messages of a run again that may be lost. Safe to repeat, also for a removal.

        Mailboxes that have their result are not synced again.
        """
        run = (await self.read(caller, id_)).value
        async with self._ledger.change(caller, LedgerAction.RUN_RESTARTED, id_) as entry:
            entry.changed = not run.status.ended
            if entry.changed:
                await self._book.restart(caller.tenant, run.import_id, id_)
        return await self.read(caller, id_)

    async def stalled_since(self, caller: Caller, run: Run) -> datetime | None:
        """Return since when an open run has made no progress; None if it makes progress."""
        if run.status.ended:
            return None
        runs = await self._store.import_runs.get(caller.tenant, run.import_id)
        current = runs.value.open if runs is not None else None
        if current is None or current.id != run.id:
            return None
        if not stands_still(current.progressed, self._clock()):
            return None
        # The tick, which notes progress, may stand still itself.
        done = await count_results(self._store, caller.tenant, run.id)
        return current.progressed if done == current.done else None

    async def under_way(self, caller: Caller, import_id: str | None = None) -> list[Stored[Run]]:
        """Return the queued and running runs, newest first, of one import or of all.

        A scheduled run sorts by its day, so the run in progress need not be the first.
        """
        where = [Condition(ROW, "lt", newest_first(self._clock() - _UNDER_WAY_FOR))]
        if import_id is not None:
            where.append(Condition("importId", "eq", import_id))
        found: list[Stored[Run]] = []
        for status in (RunStatus.RUNNING, RunStatus.QUEUED):
            listing = await self._store.runs.page(
                caller.tenant,
                size=_MOST_UNDER_WAY,
                where=[*where, Condition("status", "eq", status.value)],
            )
            found += listing.items
        return sorted(found, key=lambda stored: stored.value.id)
