"""What scripted histories need: a small world, and hooks that make things happen at a moment."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any

from tests.simulation.invariants import check
from tests.simulation.runtime.host import CallLost
from tests.simulation.runtime.loop import WORKER
from tests.simulation.simulation import ADMIN, Simulation, said, silence
from tests.simulation.storage.queues import WEEK, Message
from tests.simulation.world import Fields, Import, Share

type Script = Callable[[Simulation], Coroutine[Any, Any, None]]


def run_script(script: Script) -> Simulation:
    """Run a script in a service where nothing goes wrong by itself."""
    sim = Simulation("script", {})
    with silence():
        sim.run(script(sim))
    return sim


async def company(sim: Simulation, people: int = 3, mailboxes: int = 2) -> Share:
    """Set up a tenant with people in a share, and mailboxes."""
    tenant, group = sim.new_id(), sim.new_id()
    members = sim.add_people(tenant, people)
    sim.tenants_of_people.update(dict.fromkeys(members, tenant))
    for user in sim.add_people(tenant, mailboxes):
        sim.outside.add_mailbox(tenant, user)
        sim.world.mailboxes[user] = tenant
    sim.set_group(tenant, group, members)
    body = {"name": "S", "sources": {"groups": [{"id": group}]}}
    made = await sim.api(tenant, "POST", "shares", body)
    share = Share.made(made.body, tenant, group)
    sim.world.service.shares.append(share)
    return share


async def imported(sim: Simulation, share: Share, **more: Any) -> Import:
    """Import a share into all mailboxes, without waiting for the first run."""
    targets = list(sim.world.mailboxes)
    body = {"name": "I", "shareId": share.id, "targets": {"users": targets}, **more}
    made = await sim.api(share.tenant, "POST", "imports", body)
    import_ = Import(str(made.body["id"]), share.tenant, share, targets, "Contact Sync")
    sim.world.service.imports.append(import_)
    sim.world.touch(sim.now(), import_)
    return import_


async def delete_import(sim: Simulation, import_: Import) -> None:
    """Delete an import."""
    import_.removed = True
    sim.world.touch(sim.now())
    await sim.api(import_.tenant, "DELETE", f"imports/{import_.id}")


async def suppress(sim: Simulation, tenant: str, person: str) -> None:
    """Remove a person everywhere, for good."""
    sim.world.service.suppressed.setdefault(tenant, set()).add(person)
    sim.world.touch(sim.now())
    await sim.api(tenant, "DELETE", f"people/{person}")


async def quiet(sim: Simulation, hours: float = 20) -> None:
    """Wait until nothing is left to do."""
    await sim.host.until_idle(timedelta(hours=hours), timedelta(hours=hours))


async def next_day(sim: Simulation, *, settle: bool = True) -> None:
    """Go to the next daily run, and wait for its end."""
    now = sim.now()
    due = now.replace(hour=3, minute=0, second=0, microsecond=0)
    await sim.until((due if due > now else due + timedelta(days=1)) + timedelta(seconds=0.1))
    if settle:
        await quiet(sim)


async def settled(sim: Simulation) -> None:
    """Check all invariants, wait three more days, and check them again."""
    sim.calm_since = sim.calm_since or -2_000.0
    await quiet(sim, 30)
    await check(sim, "before")
    for _ in range(3):
        await next_day(sim)
    await check(sim, "after")


def when(sim: Simulation, pattern: str, act: Callable[[], Awaitable[object] | None]) -> None:
    """Do something once, as soon as a line of the trace matches a pattern."""
    before, found = sim.host.told, re.compile(pattern)
    done = False

    def told(text: str) -> None:
        nonlocal done
        if before is not None:
            before(text)
        if not done and found.search(text):
            done = True
            sim.loop.later(0, _start, sim, act)

    sim.workers.network.told = sim.host.told = sim.outside.trace = told


def late(sim: Simulation, queue: str, seconds: float, *, skip: int = 0, times: int = 1) -> None:
    """Deliver the next messages that the app sends to a queue later."""
    _deliver(sim, queue, seconds, skip, times, twice=False)


def twice(sim: Simulation, queue: str, seconds: float, *, skip: int = 0, times: int = 1) -> None:
    """Deliver the next messages of a queue a second time, some seconds later."""
    _deliver(sim, queue, seconds, skip, times, twice=True)


def killed_every(sim: Simulation, requests: int) -> None:
    """Kill each worker that syncs mailboxes at its time limit, after some requests to Graph."""
    lives: dict[str, int] = {}

    def sent() -> None:
        life = WORKER.get()
        if life is not None and life.name.startswith("sync_mailbox"):
            lives[life.name] = lives.get(life.name, 0) + 1
            if lives[life.name] == requests:
                life.fuse = 1

    sim.outside.sent = sent


def cost(sim: Simulation) -> int:
    """Return how many requests Graph has counted, each item of a batch by itself."""
    tenants = sim.outside.graph.meter.tenants.values()
    return sum(use.batch_items + use.http for use in tenants)


def contents(sim: Simulation, user: str) -> dict[str, Fields]:
    """Return what our contacts in a mailbox say, by key."""
    mailbox = sim.mailbox(user)
    return {key: said(c) for _, key, c in sim.ours(mailbox) if key} if mailbox else {}


async def call_and_die(
    sim: Simulation,
    tenant: str,
    method: str,
    path: str,
    steps: int,
    body: object = None,
    **headers: str,
) -> bool:
    """Call the API and kill its worker after some steps; return whether it was answered."""
    sim.host.worker("http").life.fuse = steps
    try:
        await sim.host.call((tenant, ADMIN), method, f"api/v1/{path}", body, **headers)
    except CallLost:
        return False
    sim.host.worker("http").life.fuse = -1
    return True


def broken(sim: Simulation, *but: str) -> list[str]:
    """Return the violations of a history, without those of invariants that begin so."""
    return [str(v) for v in sim.violations if not but or not v.invariant.startswith(but)]


def _start(sim: Simulation, act: Callable[[], Awaitable[object] | None]) -> None:
    result = act()
    if result is not None:
        sim.scripts.append(asyncio.ensure_future(result, loop=sim.loop))


def _deliver(
    sim: Simulation,
    queue: str,
    seconds: float,
    skip: int,
    times: int,
    *,
    twice: bool,
) -> None:
    usual = sim.queues.sends
    left, passed = times, skip

    def put(name: str, text: str, delay: float, lives: timedelta = WEEK) -> Message:
        nonlocal left, passed
        if name != queue or not left:
            return usual(name, text, delay, lives)
        if passed:
            passed -= 1
            return usual(name, text, delay, lives)
        left -= 1
        if twice:
            usual(name, text, delay + seconds, lives)
            return usual(name, text, delay, lives)
        return usual(name, text, delay + seconds, lives)

    sim.queues.sends = put
