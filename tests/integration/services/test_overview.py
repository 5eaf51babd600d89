"""The figures of the start page: they match the rows, without reading one per mailbox."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.models import SeatCount
from shared.adapters.storage.store import SEATS_ROW, TENANT_ROW
from shared.adapters.storage.tables.names import Table
from shared.domain.importing.runs import Run, RunStatus, RunTrigger
from shared.domain.importing.schedule import run_id
from shared.domain.tenancy.attention import AttentionKind
from shared.domain.tenancy.tenants import Seat, Tenant
from shared.services.insight.overview import Overview
from shared.wiring.app import App, utc_now
from tests.world import World

PER_MAILBOX = {"Seats", "Results", "MailboxHeads", "MailboxContacts", "Leases"}


def kinds(overview: Overview) -> list[str]:
    return [str(item.kind) for item in overview.attention]


async def test_new_tenant_has_an_empty_overview(app: App, caller: Caller) -> None:
    seen = await app.insight.overviews.read(caller)
    assert (seen.shares, seen.imports, seen.running, seen.attention) == (0, (), (), ())
    assert (seen.license.used, seen.missing, seen.license.trial_ends) == (0, 0, None)


async def test_overview_shows_last_runs_seats_and_held_runs(
    app: App, world: World, caller: Caller
) -> None:
    share = (await world.share())["id"]
    strict = await world.import_(share, name="Strict", guard={"deletes": 0, "deleteShare": 0})
    lax = await world.import_(share, name="Lax", targets={"users": world.targets[:1]})
    paused = await world.import_(share, name="Paused", active=False)
    await world.members(world.people[:2])
    await world.next_day()
    seen = await app.insight.overviews.read(caller)
    assert seen.shares == 1
    assert [i.id for i in seen.imports] == [lax["id"], paused["id"], strict["id"]]
    first, inactive, last = seen.imports
    assert (first.last and first.last.status, first.held) == (RunStatus.SUCCEEDED, ())
    assert first.next_run is not None
    assert utc_now() < first.next_run <= utc_now() + timedelta(days=1)
    assert inactive.next_run is None
    assert [run.import_id for run in seen.held] == [strict["id"]]
    assert last.held == seen.held
    assert kinds(seen) == ["run-held", "import-paused"]
    held, _ = seen.attention
    assert (held.subject, held.reason, held.count) == (seen.held[0].id, "too_many_deletes", 2)
    assert (seen.license.used, seen.license.waiting, seen.missing) == (2, 0, 2)
    await app.importing.decisions.discard(caller, held.subject, app.idempotency.once())
    assert kinds(await app.insight.overviews.read(caller)) == ["import-paused"]


async def test_overview_counts_failing_mailboxes_and_reports_missing_consent(
    app: App, world: World, caller: Caller
) -> None:
    made = await world.import_((await world.share())["id"])
    broken = f"/users/{world.targets[0]}/"
    await world.client.fault(broken, {"status": 403}, times=99, tenant=world.tenant)
    await world.change(world.people[0], jobTitle="Boss")
    await world.next_day()
    seen = await app.insight.overviews.read(caller)
    assert (seen.failing, kinds(seen)) == (1, ["mailboxes-failed"])
    assert seen.attention[0].import_id == made["id"]
    await world.client.consent(world.tenant, granted=False)
    # A cached token would work until it expires, as in reality.
    await world.client.fault(".*", {"status": 403}, times=1000, tenant=world.tenant)
    await world.next_day()
    assert kinds(await app.insight.overviews.read(caller))[0] == AttentionKind.CONSENT_MISSING


async def test_overview_reads_no_rows_per_mailbox(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = str(uuid4())
    caller = Caller(tenant, "ada", "Ada", frozenset({"Admin"}), origin="portal")
    started = utc_now() - timedelta(days=31)
    owner = Tenant(id=tenant, joined=started, trial_started=started, booked=2_000)
    await app.base.store.tenants.insert(tenant, TENANT_ROW, owner)
    seats = [Seat(mailbox=str(uuid4()), since=started, imports=["i"]) for _ in range(2_100)]
    await app.base.store.seats.write_many(tenant, {s.mailbox: s for s in seats})
    await app.base.store.seat_counts.insert(tenant, SEATS_ROW, SeatCount(wanted=len(seats)))
    old = Run(
        id=run_id("i", RunTrigger.CREATED, started),
        import_id="i",
        trigger=RunTrigger.CREATED,
        status=RunStatus.RUNNING,
        queued=started,
    )
    await app.base.store.runs.insert(tenant, old.id, old)
    counted = await app.insight.overviews.read(caller)
    asked: list[str] = []
    page = app.base.store.tables.page

    async def spy(table: Table, *args: Any, **more: Any) -> Any:
        asked.append(table)
        return await page(table, *args, **more)

    monkeypatch.setattr(app.base.store.tables, "page", spy)
    again = await app.insight.overviews.read(caller)
    assert again == counted
    assert (again.license.used, again.license.waiting, again.license.free) == (2_000, 100, 0)
    assert (again.missing, kinds(again)) == (100, ["seats-missing"])
    assert not set(asked) & PER_MAILBOX
    assert len(asked) <= 6


async def test_number_of_seats_matches_the_rows_after_every_change(
    app: App, world: World, caller: Caller
) -> None:
    share = (await world.share())["id"]
    await world.import_(share)
    more = await world.import_(share, targets={"users": [world.targets[0], *world.people[:2]]})

    async def both() -> tuple[int, int]:
        rows = await app.base.store.seats.count(caller.tenant)
        return (await app.insight.overviews.read(caller)).license.used, rows

    assert await both() == (4, 4)
    await world.client.delete_user(world.tenant, world.people[0])
    await world.next_day()
    assert await both() == (3, 3)
    await world.api.send("DELETE", f"/imports/{more['id']}")
    await world.client.settle()
    assert await both() == (2, 2)
