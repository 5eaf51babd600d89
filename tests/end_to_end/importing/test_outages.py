"""Storage is away for a while, or the clock jumps, in the middle of a run: it still ends well."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.local.client import Client, Json
from tests.local.cloud import LocalCloud
from tests.world import World

_AWAY = 20
_LONGEST = 150


async def in_the_middle(world: World) -> str:
    """Start an import of many contacts with a slow Graph; answers once the first are written."""
    share = await world.share()
    await world.client.latency(30)
    made = await world.import_(share["id"], settle=False)
    for _ in range(400):
        if await world.names(world.targets[0]):
            return str(made["id"])
        await asyncio.sleep(0.02)
    pytest.fail("the run did not begin")


async def ended(world: World, import_id: str) -> Json:
    """The latest run, once it has ended."""
    for _ in range(_LONGEST):
        run = await world.last_run(import_id)
        if run["ended"]:
            return run
        await asyncio.sleep(1)
    pytest.fail(f"the run did not end: {run}")


async def every_mailbox_is_right(world: World) -> None:
    for mailbox in world.targets:
        assert await world.names(mailbox) == world.expected()


async def nothing_is_double(world: World) -> None:
    for mailbox in world.targets:
        names = await world.names(mailbox)
        assert sorted(set(names)) == names


async def move(client: Client, by: timedelta) -> None:
    await client.clock((datetime.now(UTC) + by).isoformat())


async def test_a_run_ends_well_though_storage_was_away_for_a_while(tmp_path: Path) -> None:
    # It ends in the middle of writes, and refuses connections until it is back with its data.
    durable = tmp_path / "azurite"
    short = {"LOCAL_HOST_HELD_FOR": "30"}
    async with LocalCloud(build=tmp_path, durable=durable, settings=short) as cloud:
        world = await World.create(cloud.client, people=60, targets=30)
        import_id = await in_the_middle(world)
        await cloud.azurite.stop()
        await asyncio.sleep(_AWAY)
        url = f"{cloud.addresses['api']}/health/ready"
        answered = await asyncio.wait_for(cloud.client.send("GET", url), 10)
        assert (answered.status, answered.body) == (503, {"status": "unavailable"})
        await cloud.azurite.start()
        await cloud.client.latency(0)
        # Who could not give its lease back keeps others from the mailbox for five minutes.
        await move(cloud.client, timedelta(minutes=6))
        run = await ended(world, import_id)
        await every_mailbox_is_right(world)
        assert (run["status"], run["mailboxes"]["succeeded"]) == ("succeeded", 30)
        assert len(await world.results(run["id"])) == 30


@pytest.mark.parametrize(("before", "after"), [(0, 3), (3, 0), (0, -3)])
async def test_runs_end_and_double_nothing_though_the_clock_jumps_under_them(
    client: Client, before: int, after: int
) -> None:
    world = await World.create(client, people=60, targets=8)
    await move(client, timedelta(days=before))
    import_id = await in_the_middle(world)
    await move(client, timedelta(days=after))
    run = await ended(world, import_id)
    await client.latency(0)
    await client.settle(_LONGEST)
    await nothing_is_double(world)
    results = await world.results(run["id"])
    assert set(results) == set(world.targets)
    assert all(r["outcome"] == "succeeded" or r["reason"] for r in results.values())
    await move(client, timedelta(days=after + 1))
    await client.fire()
    await client.settle(_LONGEST)
    assert (await world.last_run(import_id))["status"] == "succeeded"
    await every_mailbox_is_right(world)
    await world.rest()
