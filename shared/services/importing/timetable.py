"""The quarter-hourly tick for one import: starts what is due, and drives on what stands still."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.adapters.storage.mailboxes.mailbox_state import MailboxStates
from shared.adapters.storage.queues import Queues
from shared.adapters.storage.results import count_results
from shared.adapters.storage.store import TENANT_ROW, Store
from shared.adapters.telemetry import emit, record_oldest_due
from shared.domain.errors import NeedsAdmin, NotFound
from shared.domain.events import RunOpen
from shared.domain.importing.import_life import FIRST_WAIT, ImportRuns, Step, checked
from shared.domain.importing.imports import Import
from shared.domain.importing.messages import (
    IMPORT_RUNS,
    MAILBOX_CHECKS,
    MAILBOX_SYNCS,
    QUEUES,
    RUN_CLOSINGS,
    CloseRun,
)
from shared.domain.importing.runs import RunTrigger
from shared.domain.importing.schedule import DAY, hours_in_force, latest_due
from shared.domain.tenancy.licensing import Terms, plan_at
from shared.services.importing.run_book import RunBook
from shared.services.importing.run_closing import RunClosing
from shared.services.privacy.suppressions import Suppressions
from shared.services.sharing.publications import Publications

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Tick:
    """What a tick did: runs it asked for, messages it sent again, runs it gave up.

    `ages` says for how long the oldest message of each queue has been due.
    """

    ages: Mapping[str, timedelta]
    started: int = 0
    sent_again: int = 0
    given_up: int = 0


class Timetable:
    """Starts the scheduled runs of all tenants. Every call is safe to repeat."""

    def __init__(
        self,
        store: Store,
        queues: Queues,
        book: RunBook,
        closing: RunClosing,
        states: MailboxStates,
        publications: Publications,
        suppressions: Suppressions,
        terms: Terms,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._queues = queues
        self._book = book
        self._closing = closing
        self._states = states
        self._publications = publications
        self._suppressions = suppressions
        self._terms = terms
        self._clock = clock

    async def look_after(
        self,
        tenant: str,
        import_: Import,
        runs: ImportRuns,
        tick: Tick,
        *,
        suspended: bool,
    ) -> None:
        """Ask for the run of an import that is due, and look after the one that is open.

        A suspended import starts no run, but is removed if it is to be.
        """
        now = self._clock()
        try:
            if import_.removing:
                await self._remove(tenant, import_, runs, now)
            elif not suspended:
                tick.started += await self._schedule(tenant, import_, runs, now)
            await self._drive(tenant, runs, now, tick)
        except NotFound:
            return  # it was deleted a moment ago

    async def _schedule(self, tenant: str, import_: Import, runs: ImportRuns, now: datetime) -> int:
        """Ask for the scheduled run of an import if one is due; return how many were asked for.

        A paused import is only checked for contacts that it must no longer hold, in case the worker
        that revoked them was killed before it asked for the run. A revocation that did not reach
        all mailboxes is tried again once a day.
        """
        hours = await self._hours(tenant, import_, now) if import_.active else DAY
        slot = latest_due(now, hours)
        # A clock that was set back leaves the import's creation ahead of it.
        if slot <= import_.created <= now or (runs.slot is not None and slot <= runs.slot):
            return 0
        revokes = not import_.active and await self._must_revoke(tenant, import_, runs)
        if runs.owed is not None and not revokes:
            day = latest_due(now, DAY)
            await self._book.ask(tenant, import_.id, RunTrigger.REVOCATION, day, retries=runs.owed)
        if import_.active:
            trigger = RunTrigger.SCHEDULE
        elif revokes:
            trigger = RunTrigger.REVOCATION
        else:
            await self._book.pass_over(tenant, import_.id, slot)
            return 0
        await self._book.ask(tenant, import_.id, trigger, slot, slot=slot)
        return 1

    async def _must_revoke(self, tenant: str, import_: Import, runs: ImportRuns) -> bool:
        """Return whether a paused import may hold contacts that were taken back since its slot."""
        try:
            share, publisher = await self._publications.find(tenant, import_.share_id)
        except NeedsAdmin:
            return False  # unknown is not withdrawn
        if share is None:
            return await self._states.any(tenant, import_.id)
        since = runs.slot or import_.created
        for owner in {tenant, publisher}:
            if await self._suppressions.any_since(owner, since):
                return True
        return False

    async def _remove(self, tenant: str, import_: Import, runs: ImportRuns, now: datetime) -> None:
        """Make sure that a removal is open, or that a new one begins each day until one ends it."""
        if runs.open is not None and runs.open.trigger is RunTrigger.REMOVAL:
            return
        when = max(import_.changed, latest_due(now, DAY))
        await self._book.ask(tenant, import_.id, RunTrigger.REMOVAL, when)

    async def _drive(
        self,
        tenant: str,
        runs: ImportRuns,
        now: datetime,
        tick: Tick,
    ) -> None:
        """Repair what a killed worker left, and send again what an open run may have lost."""
        if runs.ended or (runs.open is None and runs.waiting):
            await self._book.repair(tenant, runs.import_id)
        run = runs.open
        if run is None or now - run.queued < FIRST_WAIT:
            return
        done = await count_results(self._store, tenant, run.id)
        emit(
            RunOpen(
                tenant=tenant,
                import_id=runs.import_id,
                run=run.id,
                done=done,
                seconds=(now - run.queued).total_seconds(),
            )
        )
        if now - max(run.sent, run.progressed) < FIRST_WAIT:
            return
        waiting = (MAILBOX_CHECKS, MAILBOX_SYNCS, RUN_CLOSINGS) if run.resolving else (IMPORT_RUNS,)
        after, step = checked(run, done, max(tick.ages[queue] for queue in waiting), now)
        if not await self._book.update_open(tenant, runs.import_id, run, after):
            return
        if step is Step.SEND:
            await self._book.repair(tenant, runs.import_id)
            await self._book.send(tenant, runs.import_id, after)
            tick.sent_again += 1
        elif step is Step.GIVE_UP:
            message = CloseRun(
                tenant=tenant, import_id=runs.import_id, run=run.id, number=run.number
            )
            await self._closing.give_up(message)
            tick.given_up += 1

    async def measure(self) -> dict[str, timedelta]:
        """Measure for how long the oldest message of each queue has been due."""
        now, ages = self._clock(), dict[str, timedelta]()
        for queue in QUEUES:
            ages[queue] = await self._queues.oldest_due(queue, now)
            record_oldest_due(queue, ages[queue].total_seconds())
        return ages

    async def _hours(self, tenant: str, import_: Import, now: datetime) -> int:
        """Return the import's interval in hours, as set if the tenant's plan allows it."""
        wanted = import_.schedule.every_hours
        if wanted >= DAY:
            return DAY
        stored = await self._store.tenants.get(tenant, TENANT_ROW)
        plan = plan_at(stored.value, now, self._terms) if stored is not None else None
        return hours_in_force(wanted, plan)
