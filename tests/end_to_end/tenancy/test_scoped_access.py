"""Tenants that grant access to selected mailboxes only (RBAC for Applications in Exchange)."""

import pytest

from tests.end_to_end.checks import problem
from tests.local.client import Client, Json
from tests.world import World

DIRECTORY_ONLY = ["User.Read.All", "GroupMember.Read.All", "OrgContact.Read.All"]


@pytest.fixture
async def scoped(client: Client) -> World:
    """A tenant that grants access to its directory and to the first of two target mailboxes."""
    world = await World.create(client)
    await client.consent(world.tenant, roles=DIRECTORY_ONLY)
    await client.assign(world.tenant, contacts=world.targets[:1])
    return world


async def open_all(world: World) -> None:
    """Extend the scope to both mailboxes."""
    await world.client.assign(world.tenant, contacts=world.targets)


async def connected(world: World) -> bool:
    tenant = await world.api.get("/tenant")
    turned = await world.api.all("/ledger?action=tenant.disconnected")
    return tenant["status"] == "connected" and turned == []


async def last_results(world: World, import_id: str) -> tuple[Json, dict[str, Json]]:
    run = await world.last_run(import_id)
    return run, await world.results(run["id"])


async def test_mailbox_in_scope_is_synced_and_mailbox_outside_fails_with_access_denied(
    scoped: World,
) -> None:
    made = await scoped.import_((await scoped.share())["id"])
    inside, outside = scoped.targets

    run, results = await last_results(scoped, made["id"])

    assert (run["status"], run["reason"]) == ("partial", "mailboxes_failed")
    assert (results[inside]["outcome"], results[inside]["reason"]) == ("succeeded", None)
    assert results[inside]["contacts"]["created"] == len(scoped.people)
    assert (results[outside]["outcome"], results[outside]["reason"]) == ("failed", "access_denied")
    assert "RBAC" in results[outside]["remedy"]
    assert await scoped.names(inside) == scoped.expected()
    assert await scoped.names(outside) == []
    assert await connected(scoped)


async def test_next_day_costs_one_request_per_mailbox_in_or_out_of_scope(scoped: World) -> None:
    made = await scoped.import_((await scoped.share())["id"])
    inside, outside = scoped.targets

    await scoped.next_day()
    _, results = await last_results(scoped, made["id"])

    assert (results[inside]["outcome"], results[inside]["graphRequests"]) == ("succeeded", 1)
    assert results[inside]["contacts"]["unchanged"] == len(scoped.people)
    assert (results[outside]["reason"], results[outside]["graphRequests"]) == ("access_denied", 1)
    assert await connected(scoped)


async def test_tenant_with_scoped_access_stays_connected(
    scoped: World,
) -> None:
    await scoped.import_((await scoped.share())["id"])
    await scoped.next_day()

    seen = await scoped.api.get("/tenant")

    assert await connected(scoped)
    assert seen["permissions"] == sorted(DIRECTORY_ONLY)


@pytest.mark.parametrize("by", ["next run", "retry"])
async def test_mailbox_syncs_after_scope_is_widened(scoped: World, by: str) -> None:
    made = await scoped.import_((await scoped.share())["id"])
    before = await scoped.last_run(made["id"])
    await open_all(scoped)

    if by == "retry":
        await scoped.api.post(f"/runs/{before['id']}/retry", None, 202)
        await scoped.client.settle()
    else:
        await scoped.next_day()
    run, results = await last_results(scoped, made["id"])

    assert run["status"] == "succeeded"
    assert results[scoped.targets[1]]["outcome"] == "succeeded"
    for mailbox in scoped.targets:
        assert await scoped.names(mailbox) == scoped.expected()


async def test_mailbox_that_leaves_scope_keeps_contacts_and_syncs_again_on_return(
    scoped: World,
) -> None:
    await open_all(scoped)
    made = await scoped.import_((await scoped.share())["id"])
    before = scoped.expected()
    await scoped.client.assign(scoped.tenant, contacts=scoped.targets[:1])
    await scoped.change(scoped.people[0], displayName="Newly Named")

    await scoped.next_day()
    _, closed = await last_results(scoped, made["id"])
    kept = await scoped.names(scoped.targets[1])
    await open_all(scoped)
    await scoped.next_day()

    assert closed[scoped.targets[1]]["reason"] == "access_denied"
    assert kept == before
    for mailbox in scoped.targets:
        assert await scoped.names(mailbox) == scoped.expected()


async def test_scope_not_yet_effective_fails_mailboxes_but_tenant_stays_connected(
    scoped: World,
) -> None:
    """Exchange may take up to two hours to apply a scope (docs: application-rbac)."""
    await scoped.client.assign(scoped.tenant)
    made = await scoped.import_((await scoped.share())["id"])
    run, results = await last_results(scoped, made["id"])
    still = await connected(scoped)

    await open_all(scoped)
    await scoped.next_day()

    assert (run["status"], run["reason"]) == ("failed", "mailboxes_failed")
    assert {result["reason"] for result in results.values()} == {"access_denied"}
    assert still
    assert (await scoped.last_run(made["id"]))["status"] == "succeeded"


async def test_category_color_requires_mailbox_settings_in_scope(scoped: World) -> None:
    inside = scoped.targets[0]
    made = await scoped.import_(
        (await scoped.share())["id"],
        targets={"users": [inside]},
        destination={"folder": "Firma", "category": "Company"},
    )
    _, refused = await last_results(scoped, made["id"])
    before = (await scoped.client.mailbox(scoped.tenant, inside))["categories"]

    await scoped.client.assign(scoped.tenant, contacts=[inside], settings=[inside])
    await scoped.next_day()
    _, colored = await last_results(scoped, made["id"])
    after = (await scoped.client.mailbox(scoped.tenant, inside))["categories"]

    assert refused[inside]["outcome"] == "succeeded"
    assert refused[inside]["reason"] == "category_color_refused"
    assert "Exchange" in refused[inside]["remedy"]
    assert await scoped.names(inside, "Firma") == scoped.expected()
    assert before == []
    assert (colored[inside]["outcome"], colored[inside]["reason"]) == ("succeeded", None)
    assert [category["displayName"] for category in after] == ["Company"]


async def test_removal_waits_until_mailbox_is_in_scope_again(scoped: World) -> None:
    await open_all(scoped)
    made = await scoped.import_((await scoped.share())["id"])
    inside, outside = scoped.targets
    await scoped.client.assign(scoped.tenant, contacts=[inside])

    await scoped.api.delete(f"/imports/{made['id']}", 202)
    await scoped.client.settle()
    left = await scoped.names(outside)
    await open_all(scoped)
    await scoped.next_day()

    assert await scoped.names(inside) == []
    assert left == scoped.expected()
    assert await scoped.names(outside) == []
    assert await connected(scoped)


async def test_previews_and_adoptions_report_access_denied_outside_scope(scoped: World) -> None:
    outside = scoped.targets[1]
    made = await scoped.import_((await scoped.share())["id"], active=False, settle=False)
    path = f"/imports/{made['id']}"

    for what, body in (
        ("preview", {"mailbox": outside}),
        ("adoptions", {"mailbox": outside, "folder": "Old contacts"}),
    ):
        refused = problem(await scoped.api.send("POST", f"{path}/{what}", body), 409, "needs-admin")
        assert refused["reason"] == "access_denied", what
    assert await connected(scoped)
