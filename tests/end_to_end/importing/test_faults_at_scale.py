"""Many mailboxes while Microsoft Graph fails at random: nothing is lost or duplicated.

SCALE_MAILBOXES sets their number; `make test-slow` takes thousands, and drops connections as well.
A mailbox whose request was never answered waits until its lease ends, which takes minutes here and
no time in tests/simulation.
"""

import asyncio
import os

import pytest

from tests.local.client import Client, Json
from tests.world import World

MAILBOXES = int(os.environ.get("SCALE_MAILBOXES", "30"))
LONGEST = 600
_READS_AT_ONCE = 20
TRANSIENT: list[Json] = [
    {"status": 429, "headers": {"Retry-After": "0.2"}},
    {"status": 429, "headers": {"Retry-After": "0.05"}},
    {"status": 408},
    {"status": 500},
    {"status": 503, "headers": {"Retry-After": "0.1"}},
    {"status": 504},
    {"delay_ms": 50},
]
if "SCALE_MAILBOXES" in os.environ:
    TRANSIENT += [{"drop": "before"}, {"drop": "after"}]
REFUSALS: list[Json] = [
    {"status": 401},
    {"status": 403},
    {"status": 410},
    {"status": 400},
]


@pytest.fixture
async def company(client: Client) -> World:
    return await World.create(client, people=3, targets=MAILBOXES)


async def mailboxes(world: World) -> dict[str, list[str]]:
    """Return the names in each target's folder."""
    places = asyncio.Semaphore(_READS_AT_ONCE)

    async def look(mailbox: str) -> list[str]:
        async with places:
            return await world.names(mailbox)

    return dict(zip(world.targets, await asyncio.gather(*map(look, world.targets)), strict=True))


async def ended(world: World, import_id: str) -> Json:
    """Wait until the latest run has ended, and return it."""
    for _ in range(LONGEST):
        run = await world.last_run(import_id)
        if run["ended"]:
            return run
        await asyncio.sleep(1)
    pytest.fail(f"the run did not end: {run}")


@pytest.mark.timeout(3 * LONGEST)
async def test_every_mailbox_succeeds_or_fails_with_reason_and_the_next_run_completes_all(
    company: World,
) -> None:
    client, tenant = company.client, company.tenant
    share = await company.share()
    await client.random_faults(0.045, 7, TRANSIENT, tenant=tenant)
    # Not while share and targets are read: that would end the run itself.
    await client.random_faults(
        0.005, 8, REFUSALS, path="^/users/[^/]+/contact|batch", tenant=tenant
    )
    made = await company.import_(share["id"], settle=False)

    run = await ended(company, made["id"])

    results = await company.results(run["id"])
    assert set(results) == set(company.targets)
    found = await mailboxes(company)
    for mailbox, result in results.items():
        names = found[mailbox]
        assert len(set(names)) == len(names), f"duplicates: {result}"
        if result["outcome"] == "succeeded" and result["reason"] is None:
            assert names == company.expected(), result
        else:
            assert result["reason"] is not None
            assert set(names) <= set(company.expected())
    bad = sum(r["outcome"] == "failed" for r in results.values())
    assert run["mailboxes"] | {"total": MAILBOXES, "failed": bad} == run["mailboxes"]
    assert bad < max(MAILBOXES / 10, 6)

    await client.clear_faults()
    await company.days_pass(1)
    run = await ended(company, made["id"])

    assert (run["status"], run["mailboxes"]["succeeded"]) == ("succeeded", MAILBOXES)
    assert run["contacts"]["deleted"] == 0
    assert set(map(tuple, (await mailboxes(company)).values())) == {tuple(company.expected())}
