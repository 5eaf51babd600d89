"""`make bench`: what a mailbox costs at several sizes, into build/bench.json and a table.

Each size is a share of so many people in one mailbox, filled, left alone for a day, and changed
by 1 %. Requests are those that the Graph simulator counted for the mailbox.
"""

import asyncio
import json
import time
from collections.abc import Awaitable
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.local.cloud import BUILD, LocalCloud
from tests.world import World

SIZES = (10, 100, 1_000, 3_000)


async def main() -> None:
    """Measure every size in one local cloud."""
    measured: dict[str, dict[str, Any]] = {"fill": {}, "idle": {}, "change": {}}
    async with LocalCloud() as cloud:
        for size in SIZES:
            world = await World.create(cloud.client, people=size, targets=1)
            share = await world.share()
            measured["fill"][str(size)] = await _cost(world, world.import_(share["id"]))
            measured["idle"][str(size)] = await _cost(world, world.next_day())
            changed = max(1, size // 100)
            for person in world.people[:changed]:
                await world.change(person, jobTitle="Changed")
            measured["change"][f"{changed} of {size}"] = await _cost(world, world.next_day())
            await world.rest()
    written = {
        f"{kind}_requests": {size: cost["requests"] for size, cost in costs.items()}
        for kind, costs in measured.items()
    }
    idle = measured["idle"][str(SIZES[-1])]["seconds"]
    written["fill_to_idle_ratio"] = {
        "value": round(measured["fill"][str(SIZES[-1])]["seconds"] / idle, 2)
    }
    (BUILD / "bench.json").write_text(json.dumps(written, indent=2))
    _show(measured)


async def _cost(world: World, work: Awaitable[Any]) -> dict[str, float]:
    await world.client.reset_requests()
    started = time.perf_counter()
    await work
    seconds = time.perf_counter() - started
    counted = (await world.client.requests())["tenants"][world.tenant]["mailboxes"]
    use = counted[world.targets[0]]
    if use["throttled"]:
        message = "a healthy run was throttled"
        raise AssertionError(message)
    return {"requests": use["http"], "seconds": seconds}


def _show(measured: dict[str, dict[str, Any]]) -> None:
    table = Table(title="Graph requests for one mailbox", title_justify="left")
    table.add_column("what")
    table.add_column("contacts", justify="right")
    table.add_column("requests", justify="right")
    for kind, costs in measured.items():
        for size, cost in costs.items():
            table.add_row(kind, size, str(cost["requests"]))
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main())
