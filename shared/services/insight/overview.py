"""The start page: the state of the tenant, its imports and seats, and what needs attention.

It reads nothing per mailbox. With any number of mailboxes and 500 imports, it takes about ten
requests to storage, and up to 100 more for runs that are not among the latest 1,000.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.records import gather_limited
from shared.adapters.storage.store import NOT_REMOVING, Store
from shared.adapters.storage.tables.client import Row
from shared.adapters.storage.tables.conditions import ROW, Condition
from shared.domain.importing.import_life import stands_still
from shared.domain.importing.runs import Run, RunStatus, RunTrigger
from shared.domain.importing.schedule import before_day, hours_in_force, next_run
from shared.domain.reasons import Reason
from shared.domain.tenancy.attention import (
    Attention,
    OverviewImport,
    OverviewRun,
    SeatsNow,
    attention,
)
from shared.domain.tenancy.tenants import LicensePlan, Tenant, TenantStatus
from shared.services.licensing.licenses import License, Licenses
from shared.services.sharing.shares import Shares
from shared.services.tenancy.tenants import Tenants

OLDER_RUNS: Final = 100
"""The most runs read one by one, for imports without a run among the latest."""
HELD_SHOWN: Final = timedelta(days=30)
"""How long a held run is shown; a run that is held as a whole is shown longer."""
HELD_PAGES: Final = 3
_RUN_COLUMNS: Final = (
    "importId",
    "trigger",
    "status",
    "reason",
    "total",
    "failed",
    "held",
    "skipped",
    "ended",
)
_IMPORT_COLUMNS: Final = ("name", "active", "everyHours")
_RUN_COLUMNS_OF_IMPORT: Final = ("importId", "lastRun", "heldRun", "openRun", "progressed")
_PAGES: Final = 2


@dataclass(frozen=True, slots=True)
class Overview:
    """A tenant at a glance; imports by name, runs newest first.

    `missing` is how many target mailboxes have no booked seat (during the trial they are synced
    anyway). `failing` is how many failed in the last run of each import.
    """

    tenant: Tenant
    license: License
    missing: int
    shares: int
    imports: tuple[OverviewImport, ...]
    running: tuple[OverviewRun, ...]
    held: tuple[OverviewRun, ...]
    failing: int
    attention: tuple[Attention, ...]


class Overviews:
    """The overview of the caller's tenant."""

    def __init__(
        self,
        store: Store,
        tenants: Tenants,
        licenses: Licenses,
        shares: Shares,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._tenants = tenants
        self._licenses = licenses
        self._shares = shares
        self._clock = clock

    async def read(self, caller: Caller) -> Overview:
        """Return the tenant's current state. A first call is handled as in `Tenants.known`."""
        return await self.of((await self._tenants.known(caller)).value)

    async def of(self, tenant: Tenant) -> Overview:
        """Return the current state of any tenant; for the tenant itself and for notices."""
        now = self._clock()
        (stored, shares, newcomers), (rows, books, latest, held) = await asyncio.gather(
            asyncio.gather(
                self._licenses.of(tenant.id),
                self._store.shares.count(tenant.id),
                self._shares.newcomers(tenant.id),
            ),
            self._rows(tenant.id, now),
        )
        license_ = stored.value
        runs = {row.row: _overview_run(row) for row in (*latest, *held)}
        ids = {row.row for row in rows}
        shown = [book for book in books if book.columns["importId"] in ids]
        for run in await self._older(tenant.id, shown, runs.values()):
            runs[run.id] = run
        imports = sorted(
            _imports(rows, books, runs, tenant, license_.plan, now),
            key=lambda i: (i.name.casefold(), i.id),
        )
        missing = max(0, license_.used + license_.waiting - license_.booked)
        seats = SeatsNow(license_.waiting, missing, license_.trial_ends)
        return Overview(
            tenant=tenant,
            license=license_,
            missing=missing,
            shares=shares,
            imports=tuple(imports),
            running=_newest(import_.running for import_ in imports),
            held=_newest(run for import_ in imports for run in import_.held),
            failing=sum(import_.last.failed for import_ in imports if import_.last),
            attention=attention(tenant, imports, seats, now, newcomers),
        )

    async def _rows(
        self, tenant: str, now: datetime
    ) -> tuple[list[Row], list[Row], list[Row], list[Row]]:
        """Return the imports, what runs each has, the latest runs, and older ones that are held."""
        (imports, _), (books, _), (latest, _), (held, _) = await asyncio.gather(
            self._store.imports.read_columns(
                tenant,
                _IMPORT_COLUMNS,
                pages=_PAGES,
                where=NOT_REMOVING,
            ),
            self._store.import_runs.read_columns(tenant, _RUN_COLUMNS_OF_IMPORT, pages=_PAGES),
            self._store.runs.read_columns(tenant, _RUN_COLUMNS, pages=1),
            self._store.runs.read_columns(
                tenant,
                _RUN_COLUMNS,
                pages=HELD_PAGES,
                where=(
                    Condition(ROW, "lt", before_day(now.date() - HELD_SHOWN)),
                    Condition("status", "eq", RunStatus.HELD.value),
                ),
            ),
        )
        return imports, books, latest, held

    async def _older(
        self, tenant: str, imports: list[Row], latest: Collection[OverviewRun]
    ) -> list[OverviewRun]:
        """Return the last and held runs of imports that are not among the tenant's latest."""
        known = {run.id for run in latest}
        named = (row.columns.get(name) for row in imports for name in ("heldRun", "lastRun"))
        wanted = {str(run) for run in named if run}

        async def read(id_: str) -> Run | None:
            stored = await self._store.runs.get(tenant, id_)
            return stored.value if stored is not None else None

        found = await gather_limited(read, sorted(wanted - known)[:OLDER_RUNS])
        return [_overview_run_of(run) for run in found if run is not None]


def _imports(
    rows: Iterable[Row],
    books: Collection[Row],
    runs: Mapping[str, OverviewRun],
    tenant: Tenant,
    plan: LicensePlan,
    now: datetime,
) -> Iterable[OverviewImport]:
    by_import: dict[str, list[OverviewRun]] = {}
    stalled = _stalled(books, now)
    ended_last = {book.columns["importId"]: book.columns.get("lastRun") for book in books}
    for run in sorted(runs.values(), key=lambda run: run.id):
        by_import.setdefault(run.import_id, []).append(run)
    for row in rows:
        of_import, columns = by_import.get(row.row, []), row.columns
        wanted, active = int(columns["everyHours"]), bool(columns["active"])
        due = active and tenant.status is TenantStatus.CONNECTED
        yield OverviewImport(
            id=row.row,
            name=str(columns.get("name", "")),
            active=active,
            every_hours=hours_in_force(wanted, plan),
            # An approved run may end after a newer one.
            last=runs.get(str(ended_last.get(row.row)))
            or next((run for run in of_import if run.status.ended), None),
            running=next((run for run in of_import if not run.status.ended), None),
            held=tuple(run for run in of_import if run.status is RunStatus.HELD),
            next_run=next_run(now, wanted, plan) if due else None,
            mailboxes=next((run.total for run in of_import if _went_through_all(run)), None),
            stalled=stalled.get(row.row),
        )


def _stalled(books: Iterable[Row], now: datetime) -> dict[str, str]:
    """Return the open runs that stand still, by import."""
    return {
        str(book.columns["importId"]): str(run)
        for book in books
        if (run := book.columns.get("openRun")) and stands_still(book.columns["progressed"], now)
    }


def _went_through_all(run: OverviewRun) -> bool:
    return run.status.ended and run.trigger is not RunTrigger.RETRY


def _newest(runs: Iterable[OverviewRun | None]) -> tuple[OverviewRun, ...]:
    return tuple(sorted((run for run in runs if run is not None), key=lambda run: run.id))


def _overview_run(row: Row) -> OverviewRun:
    columns: Any = row.columns
    reason = str(columns.get("reason") or "")
    return OverviewRun(
        id=row.row,
        import_id=str(columns["importId"]),
        trigger=RunTrigger(columns["trigger"]),
        status=RunStatus(columns["status"]),
        reason=Reason(reason) if reason else None,
        total=int(columns.get("total", 0)),
        failed=int(columns.get("failed", 0)),
        held=int(columns.get("held", 0)),
        skipped=int(columns.get("skipped", 0)),
        ended=columns.get("ended"),
    )


def _overview_run_of(run: Run) -> OverviewRun:
    return OverviewRun(
        run.id,
        run.import_id,
        run.trigger,
        run.status,
        run.reason,
        run.mailboxes.total,
        run.mailboxes.failed,
        run.mailboxes.held,
        run.mailboxes.skipped,
        run.ended,
    )
