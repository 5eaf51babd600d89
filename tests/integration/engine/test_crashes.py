"""A worker crashes at any request to Graph or storage; the next worker completes the sync.

A crashed worker writes nothing more and does not release its lease.
"""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from shared.domain.contacts.fields import Contact
from shared.domain.importing.messages import SyncMailbox
from tests.integration.engine.engine import UNLIMITED, Engine, contact, marked
from tests.local.client import Json
from tests.local.cloud import LocalCloud
from tests.world import World


@pytest.fixture
async def engine(cloud: LocalCloud) -> AsyncIterator[Engine]:
    async with Engine(cloud.environment) as made:
        yield made


class Workers:
    """Workers for one mailbox of one import; each call of `work` is a new worker."""

    def __init__(self, engine: Engine, world: World, import_id: str) -> None:
        self._engine = engine
        self._place = (world.tenant, import_id, world.targets[0])

    async def publish(self, contacts: list[Contact]) -> SyncMailbox:
        """Store a snapshot for a new run, and return the mailbox's message."""
        return await self._engine.publish(*self._place, contacts)

    async def work(self, message: SyncMailbox, requests: int = UNLIMITED) -> int:
        """Run a worker until it finishes or crashes, and return its number of requests."""
        self._engine.now += timedelta(minutes=11)
        return await self._engine.run(message, requests)


async def make_import(engine: Engine, world: World) -> Workers:
    """Store an import without runs."""
    import_id = await engine.add_import(world.tenant, world.targets[0], "Contact Sync")
    return Workers(engine, world, import_id)


def contacts_of(count: int, phone: Callable[[int], str] = str) -> list[Contact]:
    return [
        contact(
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
    contact("u-90", {"displayName": "Joined 90"}),
    contact("u-91", {"displayName": "Joined 91"}),
]


async def assert_holds_exactly(world: World, contacts: list[Contact]) -> None:
    """Assert that our folder has each contact once, and that the user's own are unchanged."""
    box = await world.client.mailbox(world.tenant, world.targets[0])
    ours = [f for f in box["folders"] if f["displayName"] == "Contact Sync"]
    assert len(ours) == 1
    found = sorted((c["displayName"], c["mobilePhone"]) for c in ours_of(ours[0]["contacts"]))
    wanted = sorted((c.fields["displayName"], c.fields.get("mobilePhone")) for c in contacts)
    assert found == wanted
    own = [c for c in ours[0]["contacts"] if c not in ours_of(ours[0]["contacts"])]
    default = next(f for f in box["folders"] if f["default"])["contacts"]
    assert [c["displayName"] for c in default] == ["Oma"]
    assert {c["displayName"] for c in own} <= {"Plumber"}


def ours_of(contacts: list[Json]) -> list[Json]:
    return [c for c in contacts if marked(c["singleValueExtendedProperties"])]


async def one_target(world: World) -> World:
    """A tenant with one mailbox that contains a contact of the user."""
    other = await World.create(world.client, people=0, targets=1)
    await world.client.add_contact(other.tenant, other.targets[0], displayName="Oma")
    return other


async def test_first_fill_completes_after_a_crash_at_any_request(
    engine: Engine, world: World
) -> None:
    whole = 0
    for _ in range(2):  # the first one also creates the tables
        workers = await make_import(engine, await one_target(world))
        whole = await workers.work(await workers.publish(FIRST))
    assert whole > 8
    for k in range(1, whole + 1):
        other = await one_target(world)
        workers = await make_import(engine, other)
        message = await workers.publish(FIRST)
        assert await workers.work(message, k) == k
        await workers.work(message)
        await assert_holds_exactly(other, FIRST)


async def test_mixed_changes_complete_after_a_crash_at_any_request(
    engine: Engine, world: World
) -> None:
    async def filled() -> tuple[World, Workers, SyncMailbox]:
        other = await one_target(world)
        workers = await make_import(engine, other)
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
        await assert_holds_exactly(other, CHANGED)


async def test_first_fill_completes_after_repeated_crashes(engine: Engine, world: World) -> None:
    await world.client.add_contact(world.tenant, world.targets[0], displayName="Oma")
    workers = await make_import(engine, world)
    message = await workers.publish(FIRST)
    for k in range(1, 14):
        await workers.work(message, k)
    await workers.work(message)
    await assert_holds_exactly(world, FIRST)


@pytest.mark.parametrize("times", [2, 3])
async def test_redelivered_message_changes_nothing(
    engine: Engine, world: World, times: int
) -> None:
    await world.client.add_contact(world.tenant, world.targets[0], displayName="Oma")
    workers = await make_import(engine, world)
    message = await workers.publish(FIRST)
    await workers.work(message)
    before = await world.client.mailbox(world.tenant, world.targets[0])
    for _ in range(times):
        await workers.work(message)
    assert await world.client.mailbox(world.tenant, world.targets[0]) == before
