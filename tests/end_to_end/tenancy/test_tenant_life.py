"""A tenant's whole life: join, trial, share, book, exceed, lose consent, leave."""

from tests.end_to_end.checks import problem
from tests.end_to_end.tenancy.test_leaving import assert_mailboxes_empty, leave, rows_containing
from tests.local.client import Client
from tests.local.cloud import LocalCloud
from tests.world import DOMAIN, World


async def test_whole_tenant_life_leaves_only_the_final_ledger_entry(  # noqa: PLR0915 - one long story
    cloud: LocalCloud, client: Client
) -> None:
    world = await World.create(client, people=3, targets=3)
    partner = await World.create(client, people=1, targets=2)

    # Joining: refused before consent, connected after it.
    await client.consent(world.tenant, granted=False)
    problem(await world.api.send("GET", "/shares"), 403, "consent-missing")
    await client.consent(world.tenant)
    joined = await world.api.post("/tenant/consent", None, 200)
    assert (joined["status"], joined["domain"]) == ("connected", DOMAIN)
    await world.api.patch("/tenant", {"name": "Contoso"}, 200)

    # Trial: it starts with the first import and covers every mailbox.
    share = await world.share()
    made = await world.import_(share["id"])
    assert made["licenses"]["missing"] == 3
    license_ = await world.api.get("/licenses")
    assert (license_["plan"], license_["used"]) == ("trial", 3)
    for mailbox in world.targets:
        assert await world.names(mailbox) == world.expected()

    # A partner imports the share.
    theirs = await partner.import_(share["shareId"])
    (subscriber,) = [
        c
        for c in (await world.api.get(f"/shares/{share['id']}/subscribers"))["items"]
        if c["tenant"] == partner.tenant
    ]
    assert subscriber["mailboxes"] == 2

    # Booking fewer seats than mailboxes: when the trial ends, one waits.
    await world.api.put("/licenses", {"booked": 2})
    await world.days_pass(31)
    await client.settle()
    results = await world.results((await world.last_run(made["id"]))["id"])
    assert sorted(r["outcome"] for r in results.values()) == ["skipped", "succeeded", "succeeded"]

    # Cancelling another: the contacts stay for the grace period, then they are removed.
    await world.api.put("/licenses", {"booked": 1})
    await world.days_pass(15)
    await client.settle()
    filled = [m for m in world.targets if await world.names(m)]
    assert len(filled) == 1
    await world.api.put("/licenses", {"booked": 3})
    await world.next_day()
    for mailbox in world.targets:
        assert await world.names(mailbox) == world.expected()

    # Consent withdrawn and granted again.
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

    # Leaving: contacts, folders and rows are removed, the partner's contacts too.
    shown = await leave(world)
    assert (shown["imports"], shown["mailboxes"], shown["partners"]) == (1, 3, 1)
    await assert_mailboxes_empty(world, partner, theirs)
    left = await world.api.get("/tenant")
    assert left["status"] == "left"
    assert left["report"]["contacts"] == 9
    assert left["report"]["remaining"] == 0
    traces = [world.tenant, *world.people, *world.targets]
    traces += [user["mail"] for user in world.users.values()]
    (line,) = await rows_containing(cloud, *traces)
    assert line.startswith(f"Ledger {world.tenant} ")
