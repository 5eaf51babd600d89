"""A worker dies after any of its requests, to Graph or to storage; the next one makes it good.

Death is final: nothing the worker had in mind is written any more, no lease is given back.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables.aio import TableServiceClient

from shared.adapters.credentials import AppCredentials
from shared.adapters.graph.transport import Graph
from shared.adapters.mailbox_state import MailboxStates
from shared.adapters.records import Store
from shared.adapters.snapshots import Snapshots, snapshot_id
from shared.adapters.tables import Tables
from shared.domain.contact import Contact, fingerprint
from shared.domain.messages import SyncMailbox, Task
from shared.domain.models import Destination, GuardLimits, Import, Targets
from shared.services.mailbox_sync import MailboxSync
from shared.services.mailboxes import Mailboxes
from shared.services.seats import SeatBook
from shared.settings import Settings
from shared.wiring import new_id
from tests.local.client import Json
from tests.local.cloud import LocalCloud
from tests.world import World


class WorkerDied(BaseException):
    """The worker is dead, whatever it still tries."""


@dataclass(slots=True)
class Life:
    """How many requests a worker lives; counted over Graph and storage together."""

    left: int
    used: int = 0

    def begin(self) -> None:
        if self.left <= 0:
            raise WorkerDied
        self.left -= 1
        self.used += 1

    def end(self) -> None:
        if self.left <= 0:
            raise WorkerDied


class MortalGraph(httpx.AsyncHTTPTransport):
    def __init__(self, life: Life) -> None:
        super().__init__()
        self._life = life

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._life.begin()
        response = await super().handle_async_request(request)
        await response.aread()
        await response.aclose()
        self._life.end()
        return response


class MortalStorage(AioHttpTransport):  # type: ignore[misc]  # azure-core gives it no type
    def __init__(self, life: Life) -> None:
        super().__init__()
        self._life = life

    async def send(self, request: Any, **options: Any) -> Any:
        self._life.begin()
        response = await super().send(request, **options)
        try:
            self._life.end()
        except WorkerDied:
            response.internal_response.close()
            raise
        return response


IMMORTAL = 10**9


class Workers:
    """Workers on one mailbox of one import; each call of `work` is a new worker."""

    def __init__(self, cloud: LocalCloud, world: World, import_id: str) -> None:
        self._settings = Settings.from_environment(cloud.environment)
        self._tenant = world.tenant
        self._mailbox = world.targets[0]
        self._import = import_id
        self._now = datetime.now(UTC)
        self._runs = itertools.count(1)

    async def publish(self, contacts: list[Contact]) -> SyncMailbox:
        """Write a snapshot for a new run and answer the message of the mailbox."""
        run = f"run{next(self._runs)}"
        tables = self._tables(Life(IMMORTAL))
        await Snapshots(tables).write(snapshot_id(self._tenant, run), contacts, self._now)
        await tables.close()
        return SyncMailbox(
            tenant=self._tenant,
            import_id=self._import,
            run=run,
            mailbox=self._mailbox,
            task=Task.SYNC,
            fingerprint=fingerprint(contacts),
        )

    async def work(self, message: SyncMailbox, requests: int = IMMORTAL) -> int:
        """Let a worker sync until it is done or dead; answers how many requests it made."""
        self._now += timedelta(minutes=11)
        life = Life(requests)
        tables = self._tables(life)
        credentials = AppCredentials(self._settings)
        graph = Graph(self._settings.graph_endpoint, credentials, MortalGraph(life))
        store, states = Store(tables), MailboxStates(tables)
        sync = MailboxSync(
            store,
            Mailboxes(store, graph, states, lambda: self._now, new_id),
            Snapshots(tables),
            SeatBook(store, lambda: self._now, timedelta()).release,
        )
        try:
            await sync.run(message)
        except WorkerDied:
            pass
        finally:
            await graph.close()
            await credentials.close()
            await tables.close()
        return life.used

    def _tables(self, life: Life) -> Tables:
        service = TableServiceClient.from_connection_string(
            str(self._settings.storage_connection_string), transport=MortalStorage(life)
        )
        return Tables(service)


async def make_import(cloud: LocalCloud, world: World) -> Workers:
    """An import as it stands in its table, without its runs."""
    import_id, now = new_id(), datetime.now(UTC)
    tables = TableServiceClient.from_connection_string(cloud.addresses["storage"])
    import_ = Import(
        id=import_id,
        name="Import",
        share_id=new_id(),
        targets=Targets(users=world.targets),
        destination=Destination(),
        guard=GuardLimits(deletes=1_000),
        created=now,
        changed=now,
    )
    async with tables:
        await Store(Tables(tables)).imports.upsert(world.tenant, import_id, import_)
    return Workers(cloud, world, import_id)


def contacts_of(count: int, phone: Callable[[int], str] = str) -> list[Contact]:
    return [
        Contact.of(
            f"u-{number:02d}",
            {
                "displayName": f"Person {number:02d}",
                "mobilePhone": phone(number),
                "emailAddresses": [{"address": f"p{number}@x.example", "name": f"p{number}"}],
                **({"fax": f"+49 {number}"} if number % 3 == 0 else {}),
            },
        )
        for number in range(count)
    ]


FIRST = contacts_of(25)
CHANGED = [
    *contacts_of(25, lambda n: f"new {n}" if n < 4 else str(n))[2:],
    Contact.of("u-90", {"displayName": "Joined 90"}),
    Contact.of("u-91", {"displayName": "Joined 91"}),
]


async def holds_exactly(world: World, contacts: list[Contact]) -> None:
    """Each desired contact once, in our folder; the user's own as they were."""
    box = await world.client.mailbox(world.tenant, world.targets[0])
    ours = [f for f in box["folders"] if f["displayName"] == "Contact Sync"]
    assert len(ours) == 1
    found = sorted((c["displayName"], c["mobilePhone"]) for c in marked(ours[0]["contacts"]))
    wanted = sorted((c.fields["displayName"], c.fields.get("mobilePhone")) for c in contacts)
    assert found == wanted
    own = [c for c in ours[0]["contacts"] if c not in marked(ours[0]["contacts"])]
    default = next(f for f in box["folders"] if f["default"])["contacts"]
    assert [c["displayName"] for c in default] == ["Oma"]
    assert {c["displayName"] for c in own} <= {"Plumber"}


def marked(contacts: list[Json]) -> list[Json]:
    return [
        c
        for c in contacts
        if any("ContactSync" in e["id"] for e in c["singleValueExtendedProperties"])
    ]


async def one_target(world: World) -> World:
    """A tenant with one mailbox, in which there is a contact of the user's own."""
    other = await World.create(world.client, people=0, targets=1)
    await world.client.add_contact(other.tenant, other.targets[0], displayName="Oma")
    return other


async def test_a_first_fill_survives_death_after_every_request(
    cloud: LocalCloud, world: World
) -> None:
    whole = 0
    for _ in range(2):  # the first one also makes the tables
        workers = await make_import(cloud, await one_target(world))
        whole = await workers.work(await workers.publish(FIRST))
    assert whole > 8
    for k in range(1, whole + 1):
        other = await one_target(world)
        workers = await make_import(cloud, other)
        message = await workers.publish(FIRST)
        assert await workers.work(message, k) == k
        await workers.work(message)
        await holds_exactly(other, FIRST)


async def test_a_mixed_change_survives_death_after_every_request(
    cloud: LocalCloud, world: World
) -> None:
    async def filled() -> tuple[World, Workers, SyncMailbox]:
        other = await one_target(world)
        workers = await make_import(cloud, other)
        await workers.work(await workers.publish(FIRST))
        await world.client.add_contact(
            other.tenant, other.targets[0], displayName="Plumber", folder="Contact Sync"
        )
        return other, workers, await workers.publish(CHANGED)

    _, workers, message = await filled()
    whole = await workers.work(message)
    assert whole > 8
    for k in range(1, whole + 1):
        other, workers, message = await filled()
        assert await workers.work(message, k) == k
        await workers.work(message)
        await holds_exactly(other, CHANGED)


async def test_workers_that_die_one_after_the_other_still_get_there(
    cloud: LocalCloud, world: World
) -> None:
    await world.client.add_contact(world.tenant, world.targets[0], displayName="Oma")
    workers = await make_import(cloud, world)
    message = await workers.publish(FIRST)
    for k in range(1, 14):
        await workers.work(message, k)
    await workers.work(message)
    await holds_exactly(world, FIRST)


@pytest.mark.parametrize("times", [2, 3])
async def test_a_message_that_is_delivered_again_changes_nothing(
    cloud: LocalCloud, world: World, times: int
) -> None:
    await world.client.add_contact(world.tenant, world.targets[0], displayName="Oma")
    workers = await make_import(cloud, world)
    message = await workers.publish(FIRST)
    await workers.work(message)
    before = await world.client.mailbox(world.tenant, world.targets[0])
    for _ in range(times):
        await workers.work(message)
    assert await world.client.mailbox(world.tenant, world.targets[0]) == before
