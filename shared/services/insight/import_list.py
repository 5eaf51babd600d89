"""Imports as lists show them: origin of the contacts, last run, next run, state."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.records import gather_limited
from shared.domain.errors import NotFound
from shared.domain.importing.imports import Import
from shared.domain.importing.runs import Run, RunStatus
from shared.domain.importing.schedule import next_run
from shared.domain.tenancy.tenants import Tenant, TenantStatus
from shared.services.importing.imports import Imports
from shared.services.importing.runs import Runs
from shared.services.licensing.licenses import Licenses
from shared.services.sharing.publications import Origin, Publications


class ImportState(StrEnum):
    """The state of an import. If several apply, the first one is shown."""

    SUSPENDED = "suspended"
    """The tenant's consent was withdrawn."""
    RUNNING = "running"
    HELD = "held"
    """A run waits for a decision."""
    ACTIVE = "active"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class ImportRow:
    """An import with everything that lists and its own page show about it.

    `last` is its last run that ended, `held` the run that waits for a decision, `now` the run in
    progress, `next` its next scheduled start, and `mailboxes` the number of mailboxes in its last
    complete run (None before the first).
    """

    import_: Import
    state: ImportState
    origin: Origin
    last: Run | None
    held: Run | None
    now: Run | None
    next: datetime | None
    mailboxes: int | None


class ImportList:
    """Adds the runs, origin and state to imports."""

    def __init__(
        self,
        imports: Imports,
        runs: Runs,
        publications: Publications,
        licenses: Licenses,
        clock: Callable[[], datetime],
    ) -> None:
        self._imports = imports
        self._runs = runs
        self._publications = publications
        self._licenses = licenses
        self._clock = clock

    async def rows(
        self, caller: Caller, tenant: Tenant, imports: Sequence[Import]
    ) -> list[ImportRow]:
        """Return a row for each of these imports of the caller's `tenant`, in the same order."""
        if not imports:
            return []
        shares = list(dict.fromkeys(i.share_id for i in imports))
        books = await gather_limited(lambda i: self._imports.runs(caller, i.id), imports)
        ended = {run for b in books for run in (b.last_run, b.held_run) if run is not None}
        one = imports[0].id if len(imports) == 1 else None
        under_way = await self._runs.under_way(caller, one)
        origins = await asyncio.gather(
            *(self._publications.origin(caller, share) for share in shares)
        )
        known = await asyncio.gather(*(self._run(caller, run) for run in ended))
        by_share = dict(zip(shares, origins, strict=True))
        by_id = {run.id: run for run in known if run is not None}
        running = {stored.value.import_id: stored.value for stored in under_way}
        plan, moment = await self._licenses.plan(caller), self._clock()
        connected = tenant.status is TenantStatus.CONNECTED
        rows: list[ImportRow] = []
        for import_, book in zip(imports, books, strict=True):
            now, last = running.get(import_.id), by_id.get(book.last_run or "")
            # A run may hold only some mailboxes, and one that held all may be decided by now.
            asking = (run for run in (last, by_id.get(book.held_run or "")) if run is not None)
            held = next((run for run in asking if run.status is RunStatus.HELD), None)
            due = import_.active and connected
            rows.append(
                ImportRow(
                    import_,
                    _state(tenant, import_, now, held),
                    by_share[import_.share_id],
                    last,
                    held,
                    now,
                    next_run(moment, import_.schedule.every_hours, plan) if due else None,
                    await self._mailboxes(caller, last),
                )
            )
        return rows

    async def names(
        self, caller: Caller, runs: Iterable[Run], known: Iterable[Import] = ()
    ) -> dict[str, str]:
        """Return the names of the imports of some runs; deleted imports have none."""

        async def read(id_: str) -> Import | None:
            try:
                return (await self._imports.read(caller, id_)).value
            except NotFound:
                return None

        names = {import_.id: import_.name for import_ in known}
        unknown = {run.import_id for run in runs} - names.keys()
        found = await gather_limited(read, unknown)
        return names | {import_.id: import_.name for import_ in found if import_ is not None}

    async def _mailboxes(self, caller: Caller, run: Run | None) -> int | None:
        """Return how many mailboxes a run has; for a retry of some, those of the run it repeats."""
        while run is not None and run.retries is not None:
            run = await self._run(caller, run.retries)
        return run.mailboxes.total if run is not None else None

    async def _run(self, caller: Caller, run: str) -> Run | None:
        """Return a run that an import names; None if it is too old to be kept."""
        try:
            return (await self._runs.read(caller, run)).value
        except NotFound:
            return None


def _state(tenant: Tenant, import_: Import, now: Run | None, held: Run | None) -> ImportState:
    if tenant.suspended is not None:
        return ImportState.SUSPENDED
    if now is not None:
        return ImportState.RUNNING
    if held is not None:
        return ImportState.HELD
    return ImportState.ACTIVE if import_.active else ImportState.PAUSED
