"""Seats on Azurite: imports of a tenant assign them at the same moment."""

import asyncio
from datetime import timedelta
from uuid import uuid4

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.store import TENANT_ROW
from shared.domain.importing.import_life import ImportRuns, OpenRun
from shared.domain.importing.messages import RunMessage
from shared.domain.importing.runs import RunTrigger
from shared.domain.tenancy.tenants import Tenant
from shared.services.licensing.removals import Removal
from shared.wiring.app import App, utc_now
from tests.world import World


async def test_next_removal_counts_the_contacts_of_mailboxes_that_wait(
    app: App, world: World, caller: Caller
) -> None:
    share = (await world.share())["id"]
    await world.import_(share)
    await world.import_(share)
    waiting, removals = utc_now() - timedelta(days=4), app.licensing.removals
    stored = await app.base.store.seats.read_many(caller.tenant, world.targets)
    assert await removals.next(caller.tenant) is None

    for found, since in zip(stored, (waiting, waiting + timedelta(days=1)), strict=True):
        seat = found.value.copy_with(waiting=since)
        await app.base.store.seats.upsert(caller.tenant, seat.mailbox, seat)
    late = stored[0].value.copy_with(waiting=waiting - timedelta(days=20))

    day = (waiting + timedelta(days=14)).date()
    assert await removals.next(caller.tenant) == Removal(day, False, 1, 10)
    assert removals.of(late, 10) == Removal(day - timedelta(days=20), True, 1, 10)
    assert removals.of(late, 0) is None


async def test_imports_that_assign_seats_at_once_count_each_mailbox_once(app: App) -> None:
    store, seats, tenant, now = app.base.store, app.licensing.seats, uuid4().hex, utc_now()
    started = now - timedelta(days=100)
    owner = Tenant(id=tenant, joined=started, trial_started=started, booked=120)
    await store.tenants.insert(tenant, TENANT_ROW, owner)
    runs = [
        RunMessage(tenant=tenant, import_id=f"import{n}", run="run", number=1) for n in range(6)
    ]
    for run in runs:
        opened = OpenRun(
            id="run", trigger=RunTrigger.REQUEST, queued=now, number=1, sent=now, progressed=now
        )
        state = ImportRuns(import_id=run.import_id, sequence=1, open=opened)
        await store.import_runs.insert(tenant, run.import_id, state)
    targets = {run: [f"m{n:03}" for n in range(20 * i, 20 * i + 110)] for i, run in enumerate(runs)}

    await asyncio.gather(*(seats.serve(run, targets[run]) for run in runs for _ in range(2)))
    await asyncio.gather(*(seats.release(run, targets[run][0]) for run in runs for _ in range(2)))
    await seats.settle(tenant)

    found = [stored.value async for stored in store.seats.all(tenant)]
    claims = {run: {s.mailbox for s in found if run.import_id in s.imports} for run in runs}
    assert claims == {run: set(targets[run][1:]) for run in runs}
    assert await seats.wanted(tenant) == len(found)
    assert len([seat for seat in found if seat.waiting is None]) == 120
