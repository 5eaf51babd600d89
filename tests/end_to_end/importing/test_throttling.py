"""Throttling: staying within Microsoft's limits, fairly for all tenants."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from azure.data.tables.aio import TableServiceClient

from shared.adapters.graph.pacing import Units
from shared.domain.pacing import LIMIT
from tests.local.client import Client
from tests.local.cloud import LocalCloud
from tests.world import World


async def nearly_exhaust_limit(cloud: LocalCloud, world: World, left: int) -> None:
    """Leave the first target's mailbox this many requests of its limit, for some seconds."""
    moment = int(datetime.now(UTC).timestamp()) - 592
    pace = {"sent": [[moment, LIMIT - left]]}
    row = {
        "PartitionKey": f"{world.tenant}|mailbox|{world.targets[0]}",
        "RowKey": "lease",
        "body00": json.dumps({"until": None, "pace": pace}),
    }
    async with TableServiceClient.from_connection_string(cloud.addresses["storage"]) as tables:
        table = await tables.create_table_if_not_exists("Leases")
        await table.upsert_entity(row)


async def test_mailbox_near_its_limit_waits_in_the_queue_and_gets_no_429(
    cloud: LocalCloud, client: Client
) -> None:
    world = await World.create(client, people=60, targets=1)
    await nearly_exhaust_limit(cloud, world, 30)
    await client.reset_requests()
    made = await world.import_((await world.share())["id"])
    run = await world.api.get(f"/runs/{made['firstRun']}")
    assert (run["status"], run["throttled"]) == ("succeeded", 0)
    assert (run["contacts"]["created"], run["contacts"]["unchanged"]) == (60, 0)
    assert await world.names(world.targets[0]) == world.expected()
    use = (await client.requests())["tenants"][world.tenant]["mailboxes"][world.targets[0]]
    # One batch looks for contacts in the default folder. The message went back to the queue once,
    # then found folder and contacts again in one batch.
    assert use["routes"]["POST /$batch"]["http"] == 5
    result = (await world.results(run["id"]))[world.targets[0]]
    assert result["graphRequests"] == use["http"]
    assert use["routes"]["GET /users/{id}/contactFolders/{id}/contacts/delta"]["http"] >= 2


async def test_run_of_a_small_tenant_does_not_wait_for_a_large_one(client: Client) -> None:
    large = await World.create(client, people=1, targets=120)
    small = await World.create(client, people=1, targets=2)
    shares = [(await world.share())["id"] for world in (large, small)]
    filled = await small.import_(shares[1])
    await small.change(small.people[0], jobTitle="Engineer")
    first = await large.import_(shares[0], settle=False)
    second = await small.api.post(f"/imports/{filled['id']}/runs", {}, 202)
    await client.settle(120)
    done = [
        sorted(result["ended"] for result in (await world.results(run)).values())
        for world, run in ((large, first["firstRun"]), (small, second["id"]))
    ]
    assert [len(ended) for ended in done] == [120, 2]
    behind = sum(ended > done[1][-1] for ended in done[0])
    assert behind >= 10


async def test_directory_reads_stay_within_their_units(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    units = Units()
    for _ in range(100):
        await units.take(10)
    # 500 at once; the rest is paced at 50 per second.
    assert len(pauses) in {49, 50}
    assert 9 < max(pauses) <= 10
