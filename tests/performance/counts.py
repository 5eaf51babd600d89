"""Graph requests, counted exactly: idle, first fill, changes, and reading a directory."""

import asyncio
import math
from typing import Any

from tests.local.cloud import LocalCloud
from tests.performance.engine import Engine, new_tenant, people
from tests.world import person

SIZES = (10, 1_000, 10_000)
DIRECTORIES = (999, 1_000, 5_000)
MAILBOXES = 3


async def mailboxes(engine: Engine) -> dict[str, Any]:
    """What one mailbox costs at several sizes."""
    fill: dict[str, int] = {}
    idle: dict[str, int] = {}
    change: dict[str, int] = {}
    for size in SIZES:
        box = await engine.box()
        fill[str(size)] = (await box.sync(people(size))).requests
        idle[str(size)] = (await box.sync(people(size))).requests
        for changed in (1, max(1, size // 100), size // 10):
            cost = await box.sync(people(size, changed))
            change[f"{changed} of {size}"] = cost.requests
            await box.sync(people(size))
    return {"fill_requests": fill, "idle_requests": idle, "change_requests": change}


def allowed(kind: str, size: str) -> int:
    """The most that such a sync may cost, by its arithmetic."""
    if kind == "idle_requests":
        return 1
    changed = int(size.split(maxsplit=1)[0])
    written = math.ceil(changed / 20) + math.ceil(changed / 200)
    return written + (4 if kind == "fill_requests" else 1)


async def directories(cloud: LocalCloud) -> dict[str, Any]:
    """How often a run with several mailboxes asks for a page of users, through the whole app."""
    found: dict[str, int] = {}
    for size in DIRECTORIES:
        tenant, client = new_tenant(), cloud.client
        # Users without mail are read but not written to mailboxes: this counts reads.
        users = [person(n, mail=None) for n in range(size - MAILBOXES)]
        users += [person(n) for n in range(MAILBOXES)]
        await client.create_tenant(tenant, users=users)
        api = await client.api(tenant)
        sources = {"name": "All", "sources": {"allUsers": True}}
        share = await api.post("/shares", sources, 201)
        targets = {"users": [user["id"] for user in users[-MAILBOXES:]]}
        body = {"name": "All", "shareId": share["id"], "targets": targets}
        await client.reset_requests()
        await api.post("/imports", body, 201)
        await asyncio.sleep(1)
        await client.settle(120)
        routes = (await client.requests())["tenants"][tenant]["routes"]
        found[str(size)] = routes["GET /users"]["http"]
    return {"resolution_requests": found}
