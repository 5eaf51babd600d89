"""A tenant's whole life: it joins, tries, shares, books, exceeds, loses its consent, and leaves."""

from tests.end_to_end.checks import problem
from tests.end_to_end.tenancy.test_leaving import held_of, leave, nothing_is_left_in_mailboxes
from tests.local.client import Client
from tests.local.cloud import LocalCloud
from tests.world import World


async def test_a_tenants_whole_life_leaves_nothing_but_the_closing_line(  # noqa: PLR0915 - a life is long
    cloud: LocalCloud, client: Client
) -> None:
    world = await World.create(client, people=3, targets=3)
    partner = await World.create(client, people=1, targets=2)

    # Joining: before its consent it gets nowhere, with it the tenant is known.
    await client.consent(world.tenant, granted=False)
    problem(await world.api.send("GET", "/shares"), 403, "consent-missing")
    await client.consent(world.tenant)
    joined = await world.api.post("/tenant/consent", None, 200)
    assert (joined["status"], joined["domain"]) == ("connected", "")
    await world.api.patch("/tenant", {"name": "Contoso"}, 200)

    # Trial: it begins with the first import, and serves every mailbox.
    share = await world.share()
    made = await world.import_(share["id"])
    assert made["seats"]["missing"] == 3
    license_ = await world.api.get("/licenses")
    assert (license_["plan"], license_["used"]) == ("trial", 3)
    for mailbox in world.targets:
        assert await world.names(mailbox) == world.expected()

    # A partner imports the share.
    theirs = await partner.import_(share["id"])
    (consumer,) = [
        c
        for c in (await world.api.get(f"/shares/{share['id']}/consumers"))["items"]
        if c["tenant"] == partner.tenant
    ]
    assert consumer["mailboxes"] == 2

    # Booking fewer seats than mailboxes: when the trial ends, one waits.
    await world.api.put("/licenses", {"booked": 2})
    await world.days_pass(31)
    await client.settle()
    results = await world.results((await world.last_run(made["id"]))["id"])
    assert sorted(r["outcome"] for r in results.values()) == ["skipped", "succeeded", "succeeded"]

    # Cancelling another: the contacts stay for the grace time, then they go.
    await world.api.put("/licenses", {"booked": 1})
    await world.days_pass(15)
    await client.settle()
    filled = [m for m in world.targets if await world.names(m)]
    assert len(filled) == 1
    await world.api.put("/licenses", {"booked": 3})
    await world.next_day()
    for mailbox in world.targets:
        assert await world.names(mailbox) == world.expected()

    # Consent lost, and back.
    await client.consent(world.tenant, granted=False)
    await client.fault(".*", {"status": 403}, times=1000, tenant=world.tenant)
    await world.next_day()
    await client.clear_faults()
    assert (await world.api.get("/tenant"))["status"] == "disconnected"
    assert await world.names(world.targets[0]) == world.expected()
    await client.consent(world.tenant)
    assert (await world.api.post("/tenant/consent", None, 200))["status"] == "connected"
    await world.next_day()
    assert (await world.last_run(made["id"]))["status"] == "succeeded"

    # Leaving: contacts and folders go, the partner's too, and so does every row.
    shown = await leave(world)
    assert (shown["imports"], shown["mailboxes"], shown["partners"]) == (1, 3, 1)
    await nothing_is_left_in_mailboxes(world, partner, theirs)
    left = await world.api.get("/tenant")
    assert left["status"] == "left"
    assert left["report"]["contacts"] == 9
    assert left["report"]["remaining"] == 0
    traces = [world.tenant, *world.people, *world.targets]
    traces += [user["mail"] for user in world.users.values()]
    (line,) = await held_of(cloud, *traces)
    assert line.startswith(f"Ledger {world.tenant} ")
    await partner.rest()
