"""From a seed to a history: a small world, some runs, and acts around the edges of runs."""

import asyncio
import random
from datetime import timedelta
from typing import Final

from tests.simulation.acts import ACTS, Act, runs
from tests.simulation.invariants import check
from tests.simulation.restoring import restore_tables, save_tables
from tests.simulation.runtime.adversary import drawn
from tests.simulation.runtime.loop import Exhausted
from tests.simulation.simulation import Simulation, silence
from tests.simulation.themes import THEMES
from tests.simulation.world import Import, Share

_DELAYS: Final = ((0.05, 2.0), (2.0, 30.0), (30.0, 900.0), (900.0, 6 * 3600.0))
_CALM_DAYS: Final = 2
_LONGEST_CALM: Final = timedelta(hours=40)
_MOST_STEPS: Final = 30_000
_THEMES: Final = 0.3
"""How likely a history has a theme beside its runs."""
_GUESTS: Final = 0.3
_STRICT: Final = 0.2
BY_SDK_EVERY: Final = 50
LONG_EVERY: Final = 100


def run_history(seed: int, lines: list[str] | None = None) -> Simulation:
    """Run the history of a seed and check its invariants."""
    rng = random.Random(f"{seed}:knobs")
    by_sdk = seed % BY_SDK_EVERY == BY_SDK_EVERY - 1
    sim = Simulation(str(seed), drawn(rng), by_sdk=by_sdk, lines=lines)
    long = seed % LONG_EVERY == LONG_EVERY - 1
    sim.loop.most_steps = _MOST_STEPS * (3 if long else 1)
    with silence():
        try:
            sim.run(history(sim, days=40 if long else 0))
        except Exhausted:
            sim.violated("I15 busy", "at once", f"after {sim.loop.steps} steps")
    return sim


async def history(sim: Simulation, days: int = 0) -> None:
    """Set a world up, let things happen in some runs, then let it settle and check."""
    await found(sim)
    if days:
        await book(sim)
    steps: list[Act] = [one_run] * sim.rng.randint(1, 3)
    if sim.themes.random() < _THEMES:
        steps.insert(sim.themes.randint(0, len(steps)), one_theme)
    for step in steps:
        await step(sim)
    if days:
        await sim.wait(days * 86_400)
    await settle(sim)
    await check(sim, "before")
    while sim.now() < max(sim.world.unseen.values(), default=sim.now()):
        await calm_day(sim)
    for _ in range(_CALM_DAYS):
        await calm_day(sim)
    await check(sim, "after")


async def found(sim: Simulation) -> None:
    """Set up one or two tenants, their shares and imports."""
    rng, world = sim.rng, sim.world
    tenants = [sim.new_id() for _ in range(rng.choice((1, 1, 2)))]
    publisher, subscriber = tenants[0], tenants[-1]
    quirks = random.Random(f"{sim.seed}:quirks")
    for tenant in tenants:
        sim.note(f"quirks of {tenant}: {sim.outside.draw_quirks(tenant, quirks)}")
    people = sim.add_people(publisher, rng.randint(2, 8))
    sim.tenants_of_people.update(dict.fromkeys(people, publisher))
    for tenant in tenants:
        users = sim.add_people(tenant, rng.randint(1, 6 // len(tenants)))
        for user in users:
            sim.outside.add_mailbox(tenant, user)
            world.mailboxes[user] = tenant
        if sim.guests.random() < _GUESTS:
            world.mailboxes[sim.add_people(tenant, 1)[0]] = tenant
    for _ in range(rng.choice((1, 1, 2))):
        group = sim.new_id()
        sim.set_group(publisher, group, sorted(rng.sample(people, rng.randint(1, len(people)))))
        made = await sim.api(
            publisher, "POST", "shares",
            {"name": "S", "sources": {"groups": [{"id": group}]}, "access": ANYONE},
            Idempotency_Key=group,
        )  # fmt: skip
        world.service.shares.append(Share.made(made.body, publisher, group))
    for number in range(rng.choice((1, 1, 2, 3))):
        tenant = rng.choice((subscriber, subscriber, publisher))
        await add_import(sim, tenant, rng.choice(world.service.shares), number)


ANYONE = {"rule": "anyone_with_id"}


async def book(sim: Simulation) -> None:
    """Book licenses, for a history that outlasts the trial."""
    for tenant in sorted({import_.tenant for import_ in sim.world.service.imports}):
        await sim.api(tenant, "PUT", "licenses", {"booked": 100})


async def add_import(sim: Simulation, tenant: str, share: Share, number: int) -> None:
    """Create an import into some of a tenant's mailboxes."""
    rng = sim.rng
    boxes = [user for user, owner in sim.world.mailboxes.items() if owner == tenant]
    targets = sorted(rng.sample(boxes, rng.randint(1, len(boxes))))
    folder = rng.choice((None, f"Folder {number}", f"Folder {number}"))
    guard: dict[str, float] = rng.choice(({}, {}, {"deletes": 1, "deleteShare": 0.1}))
    if sim.guards.random() < _STRICT:
        guard |= {"changes": 0, "changeShare": 0.0}
    body = {
        "name": f"I{number}",
        "shareId": share.id if tenant == share.tenant else share.secret,
        "targets": {"users": targets},
        "destination": {"folder": folder},
        "guard": guard,
    }
    made = await sim.api(tenant, "POST", "imports", body, Idempotency_Key=f"i{number}")
    import_ = Import(str(made.body["id"]), tenant, share, targets, folder)
    sim.world.service.imports.append(import_)
    sim.world.touch(sim.now(), import_)


async def one_run(sim: Simulation) -> None:
    """Go to the next day's run, or stay in this one; act around it, and let it end or not."""
    rng = sim.rng
    outages(sim)
    await restore(sim)
    if rng.random() < 0.7:
        await until_run(sim)
    acts = [asyncio.create_task(_act(sim)) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
    if rng.random() < 0.3:
        await sim.wait(rng.uniform(*rng.choice(_DELAYS)))
    else:
        await sim.host.until_idle(timedelta(hours=rng.choice((1, 6, 20))))
    for act in acts:
        while not act.done():
            await sim.wait(600)
        act.result()


async def one_theme(sim: Simulation) -> None:
    """Let people do what belongs together, and nothing else meanwhile."""
    act = sim.themes.choice(THEMES)
    name = getattr(act, "__name__", "theme")
    sim.note(f"theme {name}")
    sim.acts[name] += 1
    outages(sim)
    theme = asyncio.create_task(act(sim))
    while not theme.done():
        await sim.wait(600)
    theme.result()


async def restore(sim: Simulation) -> None:
    """Bring all tables back to an older day now and then, or save them for that."""
    if sim.saved is None or sim.rng.random() > 0.1:
        if sim.rng.random() < 0.3:
            save_tables(sim)
        return
    await restore_tables(sim)


async def until_run(sim: Simulation) -> None:
    """Let time pass until the next daily run."""
    now = sim.now()
    due = now.replace(hour=3, minute=0, second=0, microsecond=0)
    await sim.until((due if due > now else due + timedelta(days=1)) + timedelta(seconds=0.1))


def outages(sim: Simulation) -> None:
    """Draw whether storage, queues or Graph fail for minutes, soon."""
    adversary = sim.adversary
    for knob, kind in (("storage_outage", "tables"), ("queue_outage", "queues")):
        if adversary.strikes_now(knob):
            source = adversary.source(knob)
            wait = source.choice((source.uniform(0, 20), source.uniform(0, 30_000)))
            sim.loop.later(wait, _out, sim, kind, source.uniform(10, 400))
    if adversary.strikes_now("graph_outage"):
        source = adversary.source("graph_outage")
        sim.loop.later(source.uniform(0, 20), _out, sim, "graph", source.uniform(10, 4_000))


async def settle(sim: Simulation) -> None:
    """End the adversary, bring back what is gone, decide what is held, and wait for quiet."""
    sim.calm()
    for tenant, user in sorted(sim.outside.gone):
        sim.outside.return_mailbox(tenant, user)
        sim.world.touch(sim.now())
    await sim.host.until_idle(_LONGEST_CALM, _LONGEST_CALM)


async def calm_day(sim: Simulation) -> None:
    """Approve what is held, then wait for the next daily run and its end."""
    for run, tenant in await runs(sim, "held"):
        await sim.api(tenant, "POST", f"runs/{run}/approve")
    await until_run(sim)
    await sim.host.until_idle(timedelta(hours=20))


async def _act(sim: Simulation) -> None:
    rng = sim.rng
    await asyncio.sleep(rng.uniform(*rng.choice(_DELAYS)))
    act = rng.choices(list(ACTS), list(ACTS.values()))[0]
    name = getattr(act, "__name__", "act")
    sim.note(f"act {name}")
    sim.acts[name] += 1
    await act(sim)


def _out(sim: Simulation, kind: str, seconds: float) -> None:
    if sim.adversary.calm:
        return
    end = sim.loop.time() + seconds
    if kind == "graph":
        sim.outside.outage = end
    else:
        sim.workers.network.outage[kind] = end
