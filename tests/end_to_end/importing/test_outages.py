"""Storage outages and clock jumps in the middle of a run: it still ends correctly."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.local.client import Client, Json
from tests.local.cloud import LocalCloud
from tests.world import World

_LONGEST = 150


async def start_slow_import(world: World) -> str:
    """Start an import while Graph is slow, and return its id once contacts are being written."""
    share = await world.share()
    await world.client.latency(30)
    made = await world.import_(share["id"], settle=False)
    for _ in range(400):
        if await world.names(world.targets[0]):
            return str(made["id"])
        await asyncio.sleep(0.02)
    pytest.fail("the run did not begin")


async def ended(world: World, import_id: str) -> Json:
    """Wait until the latest run has ended, and return it."""
    for _ in range(_LONGEST):
        run = await world.last_run(import_id)
        if run["ended"]:
            return run
        await asyncio.sleep(1)
    pytest.fail(f"the run did not end: {run}")


async def assert_mailboxes_complete(world: World) -> None:
    for mailbox in world.targets:
        assert await world.names(mailbox) == world.expected()


async def assert_no_duplicates(world: World) -> None:
    for mailbox in world.targets:
        names = await world.names(mailbox)
        assert sorted(set(names)) == names


async def wait_for_another_host(cloud: LocalCloud, first: int | None) -> None:
    """Wait until the host with this process id has stopped and the next one answers."""
    for _ in range(_LONGEST):
        if cloud.host_process != first:
            return await cloud.wait_for_host()
        await asyncio.sleep(0.2)
    pytest.fail("the host did not stop")


async def move(client: Client, by: timedelta) -> None:
    await client.clock((datetime.now(UTC) + by).isoformat())


async def test_run_succeeds_after_a_storage_outage(tmp_path: Path) -> None:
    # Storage stops in the middle of writes, refuses connections, and returns with its data.
    durable = tmp_path / "azurite"
    short = {"LOCAL_HOST_HELD_FOR": "30"}
    async with LocalCloud(build=tmp_path, durable=durable, settings=short) as cloud:
        world = await World.create(cloud.client, people=60, targets=20)
        import_id = await start_slow_import(world)
        first = cloud.host_process
        await cloud.azurite.stop()
        # Without storage the host stops, and is started again; then the app says that it waits.
        await wait_for_another_host(cloud, first)
        url = f"{cloud.client.host}/api/health/ready"
        answered = await asyncio.wait_for(cloud.client.send("GET", url), 10)
        assert (answered.status, answered.body) == (503, {"status": "unavailable"})
        await cloud.azurite.start()
        await cloud.client.latency(0)
        # A lease that could not be released blocks its mailbox for five minutes.
        await move(cloud.client, timedelta(minutes=6))
        run = await ended(world, import_id)
        await assert_mailboxes_complete(world)
        assert (run["status"], run["mailboxes"]["succeeded"]) == ("succeeded", 20)
        assert len(await world.results(run["id"])) == 20


@pytest.mark.parametrize(("before", "after"), [(0, 3), (3, 0), (0, -3)])
async def test_run_ends_without_duplicates_when_the_clock_jumps(
    client: Client, before: int, after: int
) -> None:
    world = await World.create(client, people=60, targets=8)
    await move(client, timedelta(days=before))
    import_id = await start_slow_import(world)
    await move(client, timedelta(days=after))
    run = await ended(world, import_id)
    await client.latency(0)
    await client.settle(_LONGEST)
    await assert_no_duplicates(world)
    results = await world.results(run["id"])
    assert set(results) == set(world.targets)
    assert all(r["outcome"] == "succeeded" or r["reason"] for r in results.values())
    await move(client, timedelta(days=after + 1))
    await client.fire()
    await client.settle(_LONGEST)
    assert (await world.last_run(import_id))["status"] == "succeeded"
    await assert_mailboxes_complete(world)
