"""A whole company: many mailboxes through the whole app, filled, idle, and with 1 % changed."""

import asyncio
import random
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from tests.local.client import Json
from tests.local.cloud import LocalCloud
from tests.performance.engine import new_tenant
from tests.world import World, person

CONTACTS = 50


async def whole_run(cloud: LocalCloud, mailboxes: int) -> dict[str, Any]:
    """Requests, throttles, mailboxes in a second and the worker's peak memory.

    Changed is one mailbox in a hundred, where the user edited one of our contacts; it is then
    brought back.
    """
    world = await company(cloud, mailboxes)
    share = await world.share()
    found: dict[str, Any] = {"mailboxes": mailboxes, "contacts": CONTACTS}
    body = {"name": "All", "shareId": share["id"], "targets": {"groups": [world.targets[0]]}}
    found["fill"] = await _measured(cloud, world, mailboxes, world.api.post("/imports", body, 201))
    found["idle"] = await _measured(cloud, world, mailboxes, world.days_pass(1))
    users = [u["id"] for u in list(world.users.values())[CONTACTS:]]
    edited = random.Random(7).sample(users, max(1, mailboxes // 100))
    for user in edited:
        contact = (await world.client.folder(world.tenant, user))[0]
        await world.client.change_contact(world.tenant, user, contact["id"], jobTitle="Clown")
    found["changed_1_percent"] = await _measured(cloud, world, mailboxes, world.days_pass(1))
    (worker,) = (await cloud.client.workers()).values()
    found["peak_memory_mb"] = _peak(worker)
    return {"run": found}


async def company(cloud: LocalCloud, mailboxes: int) -> World:
    """A company with its people in one group and the targets in another (`targets` names it)."""
    client, tenant = cloud.client, new_tenant()
    users = [person(n) for n in range(CONTACTS + mailboxes)]
    ids = [user["id"] for user in users]
    people, everybody = new_tenant(), new_tenant()
    await client.create_tenant(
        tenant,
        users=users[:5_000],
        groups=[{"id": people, "displayName": "People", "members": ids[:CONTACTS]}],
    )
    for start in range(5_000, len(users), 5_000):
        await client.change_tenant(tenant, users=users[start : start + 5_000])
    group = {"id": everybody, "displayName": "Everybody", "members": ids[CONTACTS:]}
    await client.change_tenant(tenant, groups=[group])
    return World(
        client=client,
        tenant=tenant,
        api=await client.api(tenant),
        people=ids[:CONTACTS],
        targets=[everybody],
        group=people,
        users={user["id"]: user for user in users},
    )


async def _measured(
    cloud: LocalCloud, world: World, mailboxes: int, start: Awaitable[object]
) -> dict[str, Any]:
    await cloud.client.reset_requests()
    started = time.perf_counter()
    await start
    await asyncio.sleep(1)
    await cloud.client.settle(3_600)
    seconds = time.perf_counter() - started
    run = await finished_run(world, mailboxes)
    use = (await cloud.client.requests())["tenants"][world.tenant]
    return {
        "graph_requests": use["http"],
        "throttled": use["throttled"],
        "contacts": run["contacts"],
        "mailboxes_per_second": round(mailboxes / seconds, 1),
    }


async def finished_run(world: World, mailboxes: int) -> Json:
    """Return the latest run. Raises `AssertionError` unless all its mailboxes succeeded."""
    run: Json = (await world.api.get("/runs"))["items"][0]
    if run["status"] != "succeeded" or run["mailboxes"]["succeeded"] != mailboxes:
        raise AssertionError(f"the run did not succeed: {run}")
    return run


def _peak(worker: int) -> float:
    """The most memory that the worker's process, which runs the app, ever had."""
    lines = Path(f"/proc/{worker}/status").read_text("utf-8").splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
    return round(int(kilobytes) / 1024, 1)
