"""Mailboxes that Exchange opens to the app, some of them only (RBAC for Applications)."""

import pytest

from tests.local.client import Client, Json
from tests.world import World

DIRECTORY_ONLY = ["User.Read.All", "GroupMember.Read.All", "OrgContact.Read.All"]


@pytest.fixture
async def scoped(client: Client) -> World:
    """A tenant that consented to reading its directory, and opened its first target mailbox."""
    world = await World.create(client)
    body: Json = {"tenant": world.tenant, "granted": True, "roles": DIRECTORY_ONLY}
    (await client.send("POST", f"{client.entra}/_sim/consent", body)).expect(200)
    await client.assign(world.tenant, contacts=world.targets[:1])
    return world


async def test_the_mailbox_in_scope_is_filled_and_the_other_says_why_it_is_not(
    scoped: World,
) -> None:
    made = await scoped.import_((await scoped.share())["id"])
    inside, outside = scoped.targets

    run = await scoped.last_run(made["id"])
    results = await scoped.results(run["id"])

    assert run["status"] == "partial"
    assert results[inside]["outcome"] == "succeeded"
    assert (results[outside]["outcome"], results[outside]["reason"]) == ("failed", "access_denied")
    assert "RBAC" in results[outside]["remedy"]
    assert await scoped.names(inside) == scoped.expected()
    assert await scoped.names(outside) == []
    await scoped.rest()


async def test_a_tenant_with_scoped_access_is_not_taken_for_one_without_consent(
    scoped: World,
) -> None:
    await scoped.import_((await scoped.share())["id"])
    await scoped.next_day()

    seen = await scoped.api.get("/tenant")

    assert seen["status"] == "connected"
    assert seen["permissions"] == sorted(DIRECTORY_ONLY)
    assert await scoped.api.all("/ledger?action=tenant.disconnected") == []
    await scoped.rest()


async def test_a_wider_scope_mends_the_mailbox_that_was_outside(scoped: World) -> None:
    made = await scoped.import_((await scoped.share())["id"])
    run = (await scoped.last_run(made["id"]))["id"]
    await scoped.client.assign(scoped.tenant, contacts=scoped.targets)

    await scoped.api.post(f"/runs/{run}/retry", None, 202)
    await scoped.client.settle()

    assert await scoped.names(scoped.targets[1]) == scoped.expected()
    await scoped.rest()


async def test_the_color_of_a_category_needs_its_own_grant_and_the_contacts_do_not(
    scoped: World,
) -> None:
    made = await scoped.import_(
        (await scoped.share())["id"],
        targets={"users": scoped.targets[:1]},
        destination={"folder": "Firma", "category": "Company"},
    )

    results = await scoped.results((await scoped.last_run(made["id"]))["id"])

    inside = results[scoped.targets[0]]
    assert (inside["outcome"], inside["reason"]) == ("succeeded", "category_color_refused")
    assert await scoped.names(scoped.targets[0], "Firma") == scoped.expected()
    await scoped.rest()
