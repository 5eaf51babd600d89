"""A call whose worker dies before it answers is completed by its repeat, and done once."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.simulation.scripted.scripts import call_and_die, company, imported, quiet, run_script
from tests.simulation.simulation import Simulation

type Count = Callable[[], Awaitable[int]]


async def repeated_at_each_step(
    sim: Simulation, tenant: str, path: str, count: Count, body: object = None
) -> list[Any]:
    """Kill a call's worker after each number of steps; return the answers of the repeats."""
    answers: list[Any] = []
    for steps in range(1, 1000):
        before, key = await count(), f"{path} {steps}"
        answered = await call_and_die(sim, tenant, "POST", path, steps, body, Idempotency_Key=key)
        first = await sim.api(tenant, "POST", path, body, Idempotency_Key=key)
        again = await sim.api(tenant, "POST", path, body, Idempotency_Key=key)
        assert first.status < 300, f"killed after {steps} steps: {first.body}"
        assert (again.status, again.body) == (first.status, first.body), f"after {steps} steps"
        assert again.headers.get("Location") == first.headers.get("Location")
        assert await count() == before + 1, f"killed after {steps} steps"
        answers.append(first.body)
        if answered:
            return answers
    raise AssertionError("the call is never answered")


async def listed(sim: Simulation, tenant: str, path: str) -> int:
    return len((await sim.api(tenant, "GET", f"{path}?top=100")).body["items"])


def test_killed_creation_is_completed_by_its_repeat() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim, people=1, mailboxes=1)
        tenant = share.tenant
        wanted = {"name": "S", "sources": {"groups": [{"id": share.group}]}}
        made = await repeated_at_each_step(
            sim, tenant, "shares", lambda: listed(sim, tenant, "shares"), wanted
        )
        assert len({each["shareId"] for each in made}) == len(made)

        targets = [user for user, owner in sim.world.mailboxes.items() if owner == tenant]
        body = {"name": "I", "shareId": share.id, "targets": {"users": targets}, "active": False}
        await repeated_at_each_step(
            sim, tenant, "imports", lambda: listed(sim, tenant, "imports"), body
        )

    run_script(script)


def test_killed_rotation_gives_the_same_share_id_to_its_repeat() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim, people=1, mailboxes=1)
        path = f"shares/{share.id}"
        ids = {(await sim.api(share.tenant, "GET", path)).body["shareId"]}

        async def count() -> int:
            ids.add((await sim.api(share.tenant, "GET", path)).body["shareId"])
            return len(ids)

        await repeated_at_each_step(sim, share.tenant, f"{path}/rotate", count, {"keep": []})

    run_script(script)


def test_killed_request_of_a_run_starts_one_run() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim, people=1, mailboxes=1)
        import_ = await imported(sim, share)
        await quiet(sim)

        async def count() -> int:
            await quiet(sim)
            return await listed(sim, share.tenant, "runs")

        await repeated_at_each_step(sim, share.tenant, f"imports/{import_.id}/runs", count)

    run_script(script)
