"""What a mailbox costs in storage, messages and CPU: on an idle day, and when a person changes.

Azurite's access log has a line for each request. Table requests are all the app's own; of the
queues' only added messages count, since the host polls as well. A transaction of rows is one
request, as Azure bills it.
"""

import asyncio
import os
import re
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.local.cloud import LocalCloud
from tests.performance.bare import cpu_ms
from tests.performance.engine import Engine
from tests.performance.fleet import CONTACTS, company, finished_run
from tests.world import World

MOST_MAILBOXES: Final = 1_000
DAY: Final = 1_000_000
"""Mailboxes of the day that the costs are multiplied for."""
_REQUEST: Final = re.compile(r'"(?P<method>[A-Z]+) /\w+/(?P<rest>\S*) HTTP')
_TABLE: Final = re.compile(r"(?P<table>[A-Z]\w+)(?P<one>\(P)?|\$batch")
_ADDED: Final = re.compile(r"(?P<queue>[a-z][a-z-]+)/messages(?:\?|$)")
_QUEUE_OPERATIONS: Final = 3
"""A message is added, fetched and deleted."""
_GB: Final = 2
_TICKS_PER_DAY: Final = 96


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took: requests to tables by kind, added messages by queue, and the rest."""

    tables: Counter[str]
    messages: Counter[str]
    http: int
    cpu_ms: float
    seconds: float


async def costs(cloud: LocalCloud, engine: Engine, mailboxes: int) -> dict[str, Any]:
    """Return the costs per mailbox of an idle day and of a changed person, each step by name.

    `bare_cpu_ms` is what the calls of a check take by themselves, in the same run.
    """
    mailboxes = min(mailboxes, MOST_MAILBOXES)
    world = await company(cloud, mailboxes)
    share = await world.share()
    body = {"name": "All", "shareId": share["id"], "targets": {"groups": [world.targets[0]]}}
    await _cost(cloud, world, mailboxes, world.api.post("/imports", body, 201))
    idle = await _cost(cloud, world, mailboxes, world.days_pass(1))
    import_id = str((await world.api.get("/imports"))["items"][0]["id"])
    bare = await cpu_ms(engine, world.tenant, import_id)
    person = dict(world.users[world.people[0]], jobTitle="Clown")
    await cloud.client.change_tenant(world.tenant, users=[person])
    changed = await _cost(cloud, world, mailboxes, world.days_pass(1))
    per_mailbox = {
        "idle_table_operations": idle.tables.total() / mailboxes,
        "idle_messages": idle.messages.total() / mailboxes,
        "idle_http_requests": idle.http / mailboxes,
        "idle_cpu_ms": idle.cpu_ms / mailboxes,
        "bare_cpu_ms": bare,
        "idle_cpu_ratio": idle.cpu_ms / mailboxes / bare,
        "changed_table_operations": changed.tables.total() / mailboxes,
    }
    return {
        **{name: round(value, 3) for name, value in per_mailbox.items()},
        "storage_steps": {
            "mailboxes": mailboxes,
            "contacts": CONTACTS,
            "idle": dict(idle.tables.most_common()),
            "changed": dict(changed.tables.most_common()),
        },
        "day_of_a_million": _day(idle, mailboxes),
    }


def _day(idle: Cost, mailboxes: int) -> dict[str, int]:
    """Return what a day costs for a million idle mailboxes, in imports of this size."""
    times = DAY / mailboxes
    return {
        "graph_requests": round(idle.http * times),
        "table_operations": round(idle.tables.total() * times),
        "queue_operations": round(idle.messages.total() * times * _QUEUE_OPERATIONS),
        "executions": round(idle.messages.total() * times) + _TICKS_PER_DAY,
        "gb_seconds": round(idle.seconds * times * _GB),
    }


async def _cost(cloud: LocalCloud, world: World, mailboxes: int, start: Awaitable[object]) -> Cost:
    log = cloud.logs / "azurite.log"
    await cloud.client.reset_requests()
    (worker,) = (await cloud.client.workers()).values()
    place, cpu = log.stat().st_size, _cpu(worker)
    started = asyncio.get_running_loop().time()
    await start
    await asyncio.sleep(1)
    await cloud.client.settle(3_600)
    seconds = asyncio.get_running_loop().time() - started
    spent = _cpu(worker) - cpu
    lines = log.read_bytes()[place:].decode().splitlines()
    await finished_run(world, mailboxes)
    use = (await cloud.client.requests())["tenants"][world.tenant]
    tables, messages = counted(lines)
    return Cost(tables, messages, int(use["http"]), spent * 1_000, seconds)


def counted(lines: list[str]) -> tuple[Counter[str], Counter[str]]:
    tables, messages = Counter[str](), Counter[str]()
    for line in lines:
        request = _REQUEST.search(line)
        if request is None:
            continue
        method, rest = request["method"], request["rest"]
        if table := _TABLE.match(rest):
            kind = "query" if method == "GET" and not table["one"] else method
            tables[f"{kind} {table['table'] or 'transaction'}"] += 1
        elif method == "POST" and (queue := _ADDED.match(rest)):
            messages[queue["queue"]] += 1
    return tables, messages


def _cpu(process: int) -> float:
    """Return the seconds of CPU that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text("utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
