"""Checks of a chunk of mailboxes, by the wired app against storage and the Graph simulator."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from unittest import mock

import pytest

from shared.adapters.storage.results import (
    all_results,
    count_results,
    find_result,
    page_of_results,
)
from shared.adapters.storage.snapshots import Job, snapshot_id
from shared.adapters.storage.store import results_of
from shared.adapters.storage.tables.client import Tables
from shared.adapters.storage.tables.names import Table
from shared.domain.importing.messages import CheckMailboxes, SyncMailbox, Task
from shared.domain.importing.runs import Outcome
from shared.wiring.app import new_id
from tests.local.cloud import LocalCloud
from tests.open_runs import open_run
from tests.performance import engine as bench
from tests.world import World

PEOPLE = bench.people(5)


class Company:
    """An import with some mailboxes, and the messages that its checks send."""

    def __init__(self, lab: bench.Engine, world: World, import_id: str) -> None:
        self.lab = lab
        self.app = lab.app
        self.world = world
        self.id = import_id
        self.sent: list[SyncMailbox] = []

    @property
    def mailboxes(self) -> list[str]:
        return sorted(self.world.targets)

    async def open_run(self) -> CheckMailboxes:
        """Open a run of all mailboxes; the share stays as it is."""
        store, run = self.app.base.store, new_id()
        now = self.app.clock()
        one = await open_run(store, self.world.tenant, self.id, run, self.mailboxes[0], PEOPLE, now)
        job = await self.app.base.snapshots.job(one.snapshot)
        assert job is not None
        tasks = tuple((mailbox, Task.SYNC) for mailbox in self.mailboxes)
        whole = Job(job.settings, job.fingerprint, tasks)
        snapshot = snapshot_id(self.world.tenant, run, one.number, "whole")
        await self.app.base.snapshots.write(snapshot, PEOPLE, whole)
        values = one.model_dump(include={"tenant", "import_id", "run", "number"})
        return CheckMailboxes(**values, snapshot=snapshot, chunk=0)

    async def check(self, message: CheckMailboxes) -> list[str]:
        """Check; return the mailboxes that get a message of their own."""
        self.sent = []

        async def send_many(queue: str, messages: list[SyncMailbox], *pace: int) -> None:
            del queue, pace
            self.sent += messages

        with mock.patch.object(self.app.base.queues, "send_many", send_many):
            await self.app.sync.mailbox_checks.check(message)
        return [sent.mailbox for sent in self.sent]

    async def sync(self) -> None:
        """Do the work of the messages sent last."""
        for message in self.sent:
            await self.app.sync.mailbox_sync.run(message)


@pytest.fixture
async def company(cloud: LocalCloud) -> AsyncIterator[Company]:
    """Three mailboxes that hold what the share has."""
    async with bench.engine(cloud) as lab:
        world = await World.create(cloud.client, people=0, targets=3)
        company = Company(lab, world, await import_of(lab, world))
        await company.check(await company.open_run())
        await company.sync()
        yield company


async def import_of(lab: bench.Engine, world: World) -> str:
    other = await lab.box()
    store = lab.app.base.store
    found = await store.imports.get(other.world.tenant, other.import_id)
    assert found is not None
    await store.imports.upsert(world.tenant, other.import_id, found.value)
    return other.import_id


@asynccontextmanager
async def counted() -> AsyncIterator[list[str]]:
    """Collect the table operations, as they pass the only door to storage."""
    calls: list[str] = []
    do = Tables._try

    async def counting(self: Tables, table: str, call: object) -> object:
        calls.append(table)
        return await do(self, table, call)  # type: ignore[arg-type]

    with mock.patch.object(Tables, "_try", counting):
        yield calls


async def test_idle_mailboxes_share_one_request_and_four_table_operations(
    company: Company,
) -> None:
    message = await company.open_run()
    await company.app.base.snapshots.job(message.snapshot)
    await company.lab.client.reset_requests()
    async with counted() as calls:
        assert await company.check(message) == []
    assert sorted(calls) == ["Imports", "MailboxHeads", "MailboxHeads", "Results"]
    counts = (await company.lab.client.requests())["tenants"][company.world.tenant]
    assert sum(one["batchItems"] for one in counts["mailboxes"].values()) == 3
    store, tenant = company.app.base.store, company.world.tenant
    results = [r async for r in all_results(store, tenant, message.run)]
    assert [r.mailbox for r in results] == company.mailboxes
    assert {(r.outcome, r.contacts.unchanged) for r in results} == {(Outcome.SUCCEEDED, 5)}
    assert sum(r.graph_requests for r in results) == 1
    assert await count_results(store, tenant, message.run) == 3
    for mailbox in company.mailboxes:
        found = await find_result(store, tenant, message.run, mailbox)
        assert found is not None
        assert found.value.mailbox == mailbox
    assert await find_result(store, tenant, message.run, "zz") is None


async def test_changed_mailbox_gets_a_message_and_one_result(company: Company) -> None:
    tenant, changed = company.world.tenant, company.mailboxes[1]
    box = await company.lab.client.mailbox(tenant, changed)
    ours = next(f for f in box["folders"] if not f["default"])["contacts"][0]
    await company.lab.client.change_contact(tenant, changed, ours["id"], displayName="Mine")
    message = await company.open_run()
    assert await company.check(message) == [changed]
    await company.sync()
    store = company.app.base.store
    assert await count_results(store, tenant, message.run) == 3
    # Delivered again, the check must not count the mailbox a second time.
    assert await company.check(message) == [changed]
    await company.sync()
    assert await count_results(store, tenant, message.run) == 3
    shown, token = [], None
    for _ in range(3):
        page = await page_of_results(store, tenant, message.run, 1, token, None)
        shown += [stored.value.mailbox for stored in page.items]
        token = page.token
    assert sorted(shown) == company.mailboxes
    assert token is None
    await company.app.sync.mailbox_checks.split(message)


async def test_folder_in_deleted_items_is_found_within_a_week(company: Company) -> None:
    tenant, gone = company.world.tenant, company.mailboxes[0]
    box = await company.lab.client.mailbox(tenant, gone)
    (ours,) = [f["id"] for f in box["folders"] if not f["default"]]
    await company.lab.client.delete_folder(tenant, gone, ours)
    assert await company.check(await company.open_run()) == []
    later = company.app.clock() + timedelta(days=7)
    with mock.patch.object(company.app.sync.mailbox_checks, "_clock", return_value=later):
        assert await company.check(await company.open_run()) == [gone]
        await company.sync()
        assert await company.check(await company.open_run()) == []


async def test_idle_mailbox_is_synced_once_a_contact_is_back(company: Company) -> None:
    client, tenant, mailbox = company.lab.client, company.world.tenant, company.mailboxes[0]
    box = await client.mailbox(tenant, mailbox)
    (folder,) = [f for f in box["folders"] if not f["default"]]
    gone = folder["contacts"][0]["id"]
    await client.move_contact(tenant, mailbox, gone)
    for busy in ([mailbox], [], []):
        assert await company.check(await company.open_run()) == busy
        await company.sync()
    assert len(await client.folder(tenant, mailbox, folder["displayName"])) == 5
    await client.move_contact(tenant, mailbox, gone, folder["id"])
    for busy in ([mailbox], []):
        assert await company.check(await company.open_run()) == busy
        await company.sync()
    assert len(await client.folder(tenant, mailbox, folder["displayName"])) == 5


async def test_throttled_item_sends_only_its_mailbox(company: Company) -> None:
    message = await company.open_run()
    tenant, slow = company.world.tenant, company.mailboxes[2]
    await company.lab.client.fault(f"/users/{slow}/", {"status": 429}, times=1, tenant=tenant)
    assert await company.check(message) == [slow]
    await company.lab.client.clear_faults()


async def test_check_of_a_run_that_is_not_open_changes_nothing(company: Company) -> None:
    late = await company.open_run()
    await company.open_run()
    assert await company.check(late) == []
    rows = company.app.base.tables.partition(Table.RESULTS, results_of(late.tenant, late.run))
    assert [row async for row in rows] == []
