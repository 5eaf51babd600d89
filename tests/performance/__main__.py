"""`make bench`: measure costs and speed, into build/bench.json, a table and plots.

Requests are those that the Graph simulator counted; times are ratios within one run. Parts can be
named (`make bench ARGS="counts naive"`), the rest of bench.json then stays; `--mailboxes` says how
large the company of the parts `run` and `storage` (1,000 at most) is. `--base COMMIT` lets the part
`pages` also measure that commit's pages.
"""

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from tests.local.cloud import BUILD, LocalCloud
from tests.performance import counts, fleet, naive, pages, portal, report, speed, storage
from tests.performance.engine import Engine, engine

type Part = Callable[[LocalCloud, Engine, int], Awaitable[dict[str, Any]]]


async def _counts(cloud: LocalCloud, made: Engine, _: int) -> dict[str, Any]:
    return {**await counts.mailboxes(made), **await counts.directories(cloud)}


async def _fill(cloud: LocalCloud, made: Engine, _: int) -> dict[str, Any]:
    del cloud
    return await speed.fill_limit(made)


async def _decisions(cloud: LocalCloud, made: Engine, _: int) -> dict[str, Any]:
    del cloud, made
    return speed.per_contact()


async def _loop(cloud: LocalCloud, made: Engine, _: int) -> dict[str, Any]:
    del cloud
    return await speed.event_loop(made)


async def _naive(cloud: LocalCloud, made: Engine, _: int) -> dict[str, Any]:
    del cloud
    return await naive.against_ours(made)


async def _memory(cloud: LocalCloud, made: Engine, _: int) -> dict[str, Any]:
    return await speed.memory(made, cloud.addresses["storage"])


async def _cold(cloud: LocalCloud, made: Engine, _: int) -> dict[str, Any]:
    return await speed.cold_start(made, cloud.environment)


async def _libraries(cloud: LocalCloud, made: Engine, _: int) -> dict[str, Any]:
    del cloud, made
    return {"libraries": {**speed.libraries(), **await speed.transports()}}


async def _run(cloud: LocalCloud, made: Engine, mailboxes: int) -> dict[str, Any]:
    del made
    return await fleet.whole_run(cloud, mailboxes)


async def _storage(cloud: LocalCloud, made: Engine, mailboxes: int) -> dict[str, Any]:
    return await storage.costs(cloud, made, mailboxes)


async def _portal(cloud: LocalCloud, made: Engine, _: int) -> dict[str, Any]:
    return await portal.pages(cloud, made)


async def _pages(base: str | None, cloud: LocalCloud, made: Engine, _: int) -> dict[str, Any]:
    return await pages.cost(cloud, made, base)


PAGES: Final = "pages"
"""The part that a base may be named for."""
PARTS: dict[str, Part] = {
    "decisions": _decisions,
    "libraries": _libraries,
    "cold": _cold,
    "memory": _memory,
    "fill": _fill,
    "loop": _loop,
    "naive": _naive,
    "counts": _counts,
    "portal": _portal,
    "storage": _storage,
    "run": _run,
}


async def main(parts: list[str], mailboxes: int, base: str | None) -> None:
    """Measure these parts, each in a cloud of its own."""
    measure: dict[str, Part] = {**PARTS, PAGES: partial(_pages, base)}
    path = BUILD / "bench.json"
    measured = json.loads(path.read_text("utf-8")) if path.exists() and parts else {}
    for name in parts or measure:
        logged = name in {"storage", PAGES}
        async with LocalCloud(access_log=logged) as cloud, engine(cloud) as made:
            measured |= await measure[name](cloud, made, mailboxes)
            if made.worst.at_once:
                for total, value in (
                    ("throttled", made.worst.throttled),
                    ("most_at_once", made.worst.at_once),
                ):
                    measured[total] = max(measured.get(total, 0), value)
        path.write_text(json.dumps(measured, indent=2), "utf-8")
        print(f"{name}: done", flush=True)
    report.write(measured, BUILD)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make bench")
    names = [*PARTS, PAGES, []]
    parser.add_argument("parts", nargs="*", choices=names, help="all if none is named")
    parser.add_argument("--mailboxes", type=int, default=10_000)
    parser.add_argument("--base", help="the commit whose pages the part `pages` compares")
    given = parser.parse_args()
    asyncio.run(main(given.parts, given.mailboxes, given.base))
