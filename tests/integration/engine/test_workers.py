"""Concurrent workers in one mailbox, lost state, and clocks that jump."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from shared.domain.contacts.fields import Contact
from shared.domain.errors import TransientError
from shared.domain.importing.messages import SyncMailbox
from shared.domain.importing.runs import Outcome, Result
from tests.integration.engine.box import Box, assert_holds_exactly, assert_nothing_damaged
from tests.integration.engine.engine import Engine, contact
from tests.local.client import Json
from tests.local.cloud import LocalCloud
from tests.world import World

type Share = dict[str, Contact]
_TRIES = 30


def share_of(count: int, **more: str) -> Share:
    keys = [f"u-{number:02d}" for number in range(count)]
    return {key: contact(key, {"displayName": f"Person {key}", **more}) for key in keys}


@dataclass(frozen=True, slots=True)
class Place:
    """One import in the world's mailbox."""

    engine: Engine
    world: World
    id: str

    async def publish(self, share: Share) -> SyncMailbox:
        mailbox = self.world.targets[0]
        return await self.engine.publish(self.world.tenant, self.id, mailbox, list(share.values()))

    async def look(self) -> Box:
        return await Box.look(self.world.client, self.world.tenant, self.world.targets[0])

    async def sync(self, share: Share) -> Result:
        """Run a sync that succeeds at the first attempt."""
        message = await self.publish(share)
        await self.engine.run(message)
        result = await self.engine.result(message)
        assert result is not None
        assert (result.outcome, result.reason) == (Outcome.SUCCEEDED, None)
        assert_holds_exactly(await self.look(), self.id, share)
        return result


@pytest.fixture
async def engine(cloud: LocalCloud) -> AsyncIterator[Engine]:
    async with Engine(cloud.environment) as made:
        yield made


@pytest.fixture
async def slow(world: World) -> AsyncIterator[World]:
    """The world with a slow Graph, so that workers overlap."""
    await world.client.latency(5)
    await world.client.reset_requests()
    yield world
    await world.client.latency(0)


async def place(engine: Engine, world: World, folder: str | None = "Contact Sync") -> Place:
    id_ = await engine.add_import(world.tenant, world.targets[0], folder)
    return Place(engine, world, id_)


async def all_end(engine: Engine, messages: list[SyncMailbox]) -> None:
    """Deliver all messages at once, each again until it is no longer given back."""

    async def deliver(message: SyncMailbox) -> None:
        for _ in range(_TRIES):
            try:
                await engine.run(message)
            except TransientError as error:
                await asyncio.sleep(error.retry_after / 20)
                continue
            return
        pytest.fail("a message never ended")

    await asyncio.gather(*map(deliver, messages))


async def use_of(world: World) -> Json:
    counted = (await world.client.requests())["tenants"][world.tenant]["mailboxes"]
    return dict(counted[world.targets[0]])


def creates(use: Json) -> int:
    return sum(
        count["batchItems"]
        for route, count in use["routes"].items()
        if route.startswith("POST") and route.endswith("/contacts")
    )


@pytest.mark.parametrize("workers", [2, 5])
async def test_concurrent_workers_with_the_same_message_create_each_contact_once(
    engine: Engine, slow: World, workers: int
) -> None:
    one, share = await place(engine, slow), share_of(45)
    message = await one.publish(share)
    await all_end(engine, [message] * workers)
    assert_holds_exactly(await one.look(), one.id, share)
    use = await use_of(slow)
    assert creates(use) == 45
    assert (use["throttled"], use["maxConcurrent"]) == (0, 4)


@pytest.mark.parametrize("folders", [("Ours", "Theirs"), ("Same", "Same"), (None, None)])
async def test_two_concurrent_imports_in_a_mailbox_complete_without_throttling(
    engine: Engine, slow: World, folders: tuple[str | None, str | None]
) -> None:
    places = [await place(engine, slow, folder) for folder in folders]
    shares = [share_of(45, companyName="First"), share_of(30, companyName="Second")]
    pairs = list(zip(places, shares, strict=True))
    messages = [await one.publish(share) for one, share in pairs]
    await all_end(engine, [*messages, *messages])
    for one, share in pairs:
        assert_holds_exactly(await one.look(), one.id, share)
    use = await use_of(slow)
    assert creates(use) == 75
    assert (use["throttled"], use["maxConcurrent"]) == (0, 4)


@pytest.mark.parametrize("folder", ["Contact Sync", None])
@pytest.mark.parametrize("rows", ["", "h"])
async def test_import_with_lost_state_finds_its_contacts_by_their_marks(
    engine: Engine, world: World, folder: str | None, rows: str
) -> None:
    one, share = await place(engine, world, folder), share_of(25)
    await world.client.add_contact(world.tenant, world.targets[0], displayName="Oma")
    await one.sync(share)
    before = await one.look()
    assert await engine.lose_state(world.tenant, one.id, rows) > 0
    result = await one.sync(share)
    assert (result.contacts.created, result.contacts.deleted) == (0, 0)
    assert await one.look() == before


async def test_lost_list_of_contacts_is_rebuilt_from_the_mailbox(
    engine: Engine, world: World
) -> None:
    one, share = await place(engine, world), share_of(25)
    await one.sync(share)
    before = await one.look()
    assert await engine.lose_state(world.tenant, one.id, "k") > 0
    changed = {**share, "u-00": contact("u-00", {"displayName": "Changed"})}
    result = await one.sync(changed)
    assert (result.contacts.created, result.contacts.deleted) == (0, 0)
    assert_nothing_damaged(before, await one.look(), one.id, changed)


async def test_field_written_by_a_crashed_worker_is_cleared(engine: Engine, world: World) -> None:
    one = await place(engine, world)
    await one.sync(share_of(1))
    message = await one.publish(share_of(2, companyName="Sold"))
    for requests in range(1, 60):
        await engine.run(message, requests)
        engine.now += timedelta(minutes=11)
        if len((await one.look()).contacts(one.id)) > 1:
            break
    await one.sync(share_of(2))


async def test_removed_field_is_cleared_after_state_loss(engine: Engine, world: World) -> None:
    one = await place(engine, world)
    await one.sync(share_of(2, companyName="Sold"))
    await engine.lose_state(world.tenant, one.id)
    await one.sync(share_of(2))


@pytest.mark.parametrize("days", [3, -3])
async def test_clock_jump_between_two_runs_changes_nothing(
    engine: Engine, world: World, days: int
) -> None:
    one, share = await place(engine, world), share_of(25)
    await one.sync(share)
    before = await one.look()
    engine.now += timedelta(days=days)
    await one.sync(share)
    assert await one.look() == before
    await one.sync({**share, "u-99": contact("u-99", {"displayName": "Joined"})})


async def test_crash_while_the_clock_is_ahead_does_not_lock_the_mailbox(
    engine: Engine, world: World
) -> None:
    one, share = await place(engine, world), share_of(25)
    message = await one.publish(share)
    engine.now += timedelta(days=3)
    await engine.run(message, 12)
    engine.now -= timedelta(days=3) - timedelta(minutes=11)
    await engine.run(message)
    assert_holds_exactly(await one.look(), one.id, share)
